"""What notebook 20 says fits its numbers, for every way a plan can turn out, in both languages."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest

from planlib.core import results as res
from planlib.core.words import LOCALES, words
from planlib.plan import load_plan
from planlib.report import funnel_story as story
from planlib.workbook.context import Book

GOAL = {
    "metric": "private_domain_users",
    "op": "at_least",
    "goal": 1e6,
    "goal_high": None,
    "unit": "users",
    "judged_month": 6,
    "forecast": 246_028.0,
    "shortfall": 753_972.0,
    "status": "off_track",
    "reason": "",
}
MET = GOAL | {"forecast": 1.2e6, "shortfall": 0.0, "status": "on_track"}
STATE = {"users": 246_028.0, "active": 125_000.0, "opening": 0.0, "intake": 5e4, "churn": 0.08, "stay": 0.4}
STATE["wake"] = 0.3
CHANGE = {
    "month": 6,
    "goal": 1e6,
    "ceiling": 625_000.0,
    "monthly_intake": 203_229.0,
    "intake_factor": 4.06,
    "churn": None,
    "month_reached": None,
}


MINIMAL = Path(__file__).parents[1] / "plan" / "minimal.yaml"


class Desk(Book):
    """A book without plan file or folder."""

    def __init__(self):
        plan = SimpleNamespace(
            months=24,
            start="2027-01",
            id="p",
            file="p.yaml",
            sha256="0",
            changes=(),
            scenario=None,
            title={"zh": "案", "en": "plan"},
            report=load_plan(MINIMAL).report,
            own_metrics=(),
            model=SimpleNamespace(plan=SimpleNamespace(owner=None)),
        )
        super().__init__("20_funnel_targets", plan, Path("nowhere"), words("zh"), 1)

    as_of = dt.date(2027, 1, 1)

    def said(self, ref, locale="zh"):
        return res.text(words(locale), self._so_far(), ref)


@pytest.fixture
def desk():
    book = Desk()
    book.metric("targets", 56, "count", method="count")
    yield book
    book._try_texts(book._so_far())  # every recorded sentence has its words and numbers in both languages


def change(**changed):
    return SimpleNamespace(**CHANGE | changed)


def test_users_that_never_come_to_their_goal(desk):
    heading = story.users(desk, GOAL, change(), STATE)
    assert desk.said(heading) == "### 按现在的进粉与流失，用户最多到 62.5 万，到不了 100 万"
    (page,) = desk._record["pages"]
    assert "20.3 万" in desk.said(page["reading"])
    assert "即使没有流失" in desk.said(page["reading"])
    story.users_finding(desk, GOAL, change())
    (finding,) = desk._record["findings"]
    assert finding["weight"] == pytest.approx(0.753972)
    assert desk.said(finding["text"], "en") == "246k users expected by month 6, 754k short of 1m"


def test_users_that_come_late(desk):
    heading = story.users(desk, GOAL, change(month_reached=15, churn=0.021), STATE)
    assert desk.said(heading, "en") == "### Users reach 1m in Mar 2028, 9 months after the target"
    assert "2.1%" in desk.said(desk._record["pages"][0]["reading"])


def test_users_whom_no_channel_may_bring_in_time(desk):
    closed = change(monthly_intake=None, intake_factor=None, ceiling=float("inf"), month_reached=9)
    story.users(desk, GOAL, closed, STATE)
    assert "先改期限或阶段安排" in desk.said(desk._record["pages"][0]["reading"])


def test_users_that_meet_their_goal(desk):
    heading = story.users(desk, MET, None, STATE | {"users": 1.2e6})
    assert "按期达到 100 万" in desk.said(heading)
    story.users_finding(desk, MET, None)
    (finding,) = desk._record["findings"]
    assert (finding["status"], finding["weight"]) == ("on_track", 0.05)


def test_a_plan_without_a_goal_for_users(desk):
    heading = story.users(desk, None, None, STATE)
    story.users_finding(desk, None, None)
    assert desk.said(heading, "en") == "### 246k users expected by month 24, 125k of them active"
    assert desk._record["findings"] == []


DRAWN = {"id": "million", "probability": 0.31, "certain": False, "low": 2.3e5, "high": 2.6e5}


def test_the_finding_on_users_tells_the_chance_and_the_intake_that_gives_it(desk):
    story.users(desk, GOAL, change(), STATE)
    for name, value, unit in (("p_target_on_time_million", 0.31, "probability"), ("wanted_chance", 0.8, "probability"),
                              ("intake_for_chance", 214_670.0, "users_per_month")):  # fmt: skip
        desk.metric(name, value, unit, method="simulation")
    story.users_finding(desk, GOAL | DRAWN, change(), sought=True)
    (finding,) = desk._record["findings"]
    assert desk.said(finding["text"], "en") == "246k users by month 6, 754k short; chance on time 31%"
    assert desk.said(finding["next_step"], "en") == "80% confidence takes 215k a month"


def test_a_chance_that_only_repeats_what_was_typed_is_not_told(desk):
    story.users(desk, GOAL, change(), STATE)
    story.users_finding(desk, GOAL | DRAWN | {"certain": True}, change())
    assert "chance" not in desk.said(desk._record["findings"][0]["text"], "en")


@pytest.mark.parametrize("driver, expected", [("aov", "客单价"), (None, "按方案的进粉")])
def test_other_findings_tell_their_range_and_what_binds(desk, driver, expected):
    desk.metric("p_target_on_time_million", 0.31, "probability", method="simulation")
    told = GOAL | DRAWN | {"metric": "gmv", "unit": "CNY"}
    story.findings(desk, [told], wake_needed=None, binds={"million": driver})
    (finding,) = desk._record["findings"]
    assert expected in desk.said(finding["evidence"])
    assert "31%" in desk.said(finding["text"])


def test_targets_at_risk_are_counted(desk):
    heading = story.targets(desk, [GOAL | DRAWN | {"status": "at_risk"}, GOAL, MET])
    assert desk.said(heading, "en") == "### Of 56 targets 3 can be forecast: 1 on track, 1 at risk, 1 off track"
    assert "80%" in desk.said(desk._record["pages"][0]["subtitle"])


def open_target(reason):
    return GOAL | {"metric": "nps", "forecast": None, "shortfall": None, "status": "not_measured", "reason": reason}


def test_targets_are_counted_by_what_became_of_them(desk):
    verdicts = [GOAL, MET, *map(open_target, ("assumed", "change", "part", "not_modelled"))]
    heading = story.targets(desk, verdicts)
    story.open_targets(desk, verdicts)
    assert desk.said(heading, "en") == "### Of 56 targets 2 can be forecast: 1 on track, 1 off track"
    (finding,) = desk._record["findings"]
    evidence = desk.said(finding["evidence"], "en")
    assert evidence == "1 are inputs of the model, 1 are changes without a base, 2 lie outside the user model"
    assert [page["layout"] for page in desk._record["pages"]] == ["targets", "table"]


def test_no_target_at_all_makes_no_page(desk):
    story.targets(desk, [])
    story.open_targets(desk, [])
    assert desk._record["pages"] == []


def test_the_farthest_goal_is_the_one_told(desk):
    near = GOAL | {"goal": 300_000.0, "shortfall": 53_972.0}
    assert story.farthest([near, GOAL, MET], "private_domain_users") is GOAL
    ranged = GOAL | {"goal_high": 2e6}
    assert story.farthest([ranged, open_target("")], "private_domain_users") is None


@pytest.mark.parametrize("disorder, expected", [((), "变现"), ([("first_interaction_rate", "retention_d7")], "60.0%")])
def test_the_weakest_stage_or_a_broken_order_is_named(desk, disorder, expected):
    early = {"first_interaction_rate": 0.5, "retention_d7": 0.6}
    steps = {"activation": 0.5, "retention": 0.8, "revenue": 0.3}
    heading = story.lifecycle(desk, [6e5, 3e5, 2.4e5, 7.2e4, 0], steps, disorder, early, span=12)
    assert "变现一步掉得最多" in desk.said(heading)
    assert expected in desk.said(desk._record["pages"][0]["reading"])


def test_a_plan_that_takes_in_nobody_has_empty_stages(desk):
    heading = story.lifecycle(desk, [0, 0, 0, 0, 0], {}, (), {}, span=12)
    assert desk.said(heading) == "### 方案没有新用户，五个阶段都是零"


SHARE = GOAL | {"metric": "gmv_share", "unit": "ratio", "goal": 0.25, "forecast": 0.095, "shortfall": 0.155}
SALES = {"year_cny": [1.9e7] * 24, "month_cny": 2e6, "repeat_share": 0.4, "company_cny": 2e8 / 12}


@pytest.mark.parametrize(
    "verdicts, expected",
    [
        ([SHARE], "15.5 个百分点"),
        ([SHARE | {"forecast": 0.0, "shortfall": 0.25}], "25.0 个百分点"),
        ([SHARE | {"forecast": 0.3, "shortfall": 0.0, "status": "on_track"}], "达到 25.0% 的目标"),
        ([], "¥200 万"),
    ],
)
def test_sales_against_their_share(desk, verdicts, expected):
    desk.metric("steady", 0.42, "ratio", method="stationary")
    heading = story.gmv(desk, verdicts, **SALES)
    story.findings(desk, verdicts, wake_needed=None)
    assert expected in desk.said(heading)
    assert len(desk._record["findings"]) == len(verdicts)


ACTIVE = GOAL | {"metric": "mau_rate", "unit": "ratio", "goal": 0.5, "forecast": 0.43, "shortfall": 0.07}


@pytest.mark.parametrize("needed, expected", [(0.44, "唤醒率提到 44.0%"), (None, "光靠唤醒做不到")])
def test_the_active_rate_says_what_waking_would_do(desk, needed, expected):
    story.users(desk, None, None, STATE)
    desk.metric("steady", 0.42, "ratio", method="stationary")
    if needed:
        desk.metric("wake_needed", needed, "ratio", method="closed_form")
    story.findings(desk, [ACTIVE], wake_needed=needed)
    (finding,) = desk._record["findings"]
    assert expected in desk.said(finding["next_step"])
    assert "42.0%" in desk.said(finding["evidence"])


def test_levers_are_told_only_when_a_goal_is_missed(desk):
    assert "不需要反推" in desk.said(story.levers(desk, [], None))
    assert desk._record["pages"] == []
    story.users(desk, GOAL, change(), STATE)
    story.levers(desk, [change()], change())
    assert "4.06 倍" in desk.said(desk._record["pages"][-1]["title"])
    assert {locale: bool(desk.said(desk._record["pages"][-1]["subtitle"], locale)) for locale in LOCALES}
