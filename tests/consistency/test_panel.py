"""The panel lists what is open, and what was settled with its reason, until a figure changes."""

from planlib.consistency.check import check
from planlib.consistency.finding import CONTRADICTION
from planlib.consistency.panel import PANEL_COLUMNS, panel_rows
from planlib.consistency.view import View

GOAL = {"id": "goal", "metric": "private_domain_users", "at_least": 500_000, "by_month": 6, "source": "W2.2"}

FLOW = {"id": "flow", "metric": "new_users_monthly", "equals": 10_000, "source": "W2.3"}
CHANNEL = {"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": {"value": 10_000, "source": "W2.3"}}

GIVEN = {"channels": [CHANNEL], "users__churn": {"value": 0, "period": "month", "source": "W2.3"}}


def decided(finding):
    return {"finding": finding.id, "fingerprint": finding.fingerprint, "choice": "accept", "reason": "a stretch goal",
            "owner": "growth", "date": "2027-01-05"}  # fmt: skip


def test_open_and_settled(tiny):
    plan = tiny(targets=[GOAL, FLOW], **GIVEN)
    (found,) = check(View([plan])).of(CONTRADICTION)
    (row,) = panel_rows(plan)
    assert tuple(row) == PANEL_COLUMNS
    assert (row["status"], row["id"], row["reason"]) == ("open", found.id, "")
    assert row["sentence_zh"] and row["sentence_en"] != row["sentence_zh"]
    (row,) = panel_rows(tiny(targets=[GOAL, FLOW], **GIVEN, decisions=[decided(found)]))
    assert (row["status"], row["reason"], row["owner"]) == ("accepted", "a stretch goal", "growth")
    (row,) = panel_rows(tiny(targets=[GOAL | {"at_least": 600_000}, FLOW], **GIVEN, decisions=[decided(found)]))
    assert row["status"] == "open"


def test_nothing_to_list(tiny):
    assert panel_rows(tiny()) == []
