"""Tests in the tidy tables: who is in which class at assignment, what each test is asked, by a plan or without."""

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from planlib import trials
from planlib.cli import app
from planlib.core.errors import InputError
from planlib.core.intervals import Interval
from planlib.data.readout import People
from planlib.experiments.policy import Gain
from planlib.experiments.trial import Metric, Question
from planlib.plan import load_plan
from planlib.plan.registration import register
from planlib.readout import read_out_file
from planlib.registering import departures_of, people_of
from planlib.report import readout_story as story
from tests.data.tables import engine

ROOT = Path(__file__).resolve().parents[1]
ASSIGNED = dt.datetime(2026, 6, 1, 9)
AS_OF = dt.date(2026, 12, 31)
MARGINS = {"opt_out": 0.002}


def days(n: float) -> dt.datetime:
    return ASSIGNED + dt.timedelta(days=n)


def assignment(unit, variant="control", name="t"):
    return {"exp_id": name, "unit_hid": unit, "variant": variant, "ratio_planned": 0.5, "assigned_at": ASSIGNED,
            "block": "s1"}  # fmt: skip


def outcome(unit, metric="paid", value=1.0, at=7.0, name="t"):
    return {"exp_id": name, "unit_hid": unit, "metric": metric, "value": value, "at": days(at)}


def test_what_happens_after_assignment_changes_no_class(tmp_path):
    people = ["early", "late", "twice", "old"]
    acts = [("early", -3), ("late", 0.5), ("twice", -29), ("old", -31)]
    orders = [("early", -3), ("late", 2), ("twice", -40), ("twice", -1), ("twice", 3)]
    tables = engine(
        tmp_path,
        experiments=[{"exp_id": "t", "unit": "customer", "name": "t", "metric": "paid"}],
        assignments=[assignment(unit, variant) for unit, variant in zip(people, ["control", "new"] * 2, strict=True)],
        outcomes=[outcome(unit) for unit in people],
        id_map=[{"person_hid": f"p-{u}", "external_hid": u, "openid_hid": ""} for u in people]
        + [{"person_hid": f"p-{u}", "external_hid": "", "openid_hid": f"o-{u}"} for u in people],
        touches=[{"person_hid": f"p-{u}", "at": days(d), "touch_type": "chat"} for u, d in acts]
        + [{"person_hid": "p-old", "at": days(-2), "touch_type": "sent"}],
        orders=[
            {"order_id": f"{u}{d}", "openid_hid": f"o-{u}", "paid_at": days(d), "created_at": days(d)}
            for u, d in orders
        ],
        follow_edges=[
            {"external_hid": u, "staff_id": "s1", "added_at": days(-50), "is_active": u != "late",
             "removed_at": days(9) if u == "late" else None}
            for u in ("early", "late", "twice")
        ],
    )  # fmt: skip
    (trial,) = trials.trials(tables)
    with trials.people_of(tables, trial) as found:
        told = {name: found.breakdown("variant", ("control", "new"), name) for name in (*trials.CLASSES, trials.AFTER)}
    assert told["value_class"] == {"no_order": [0, 2], "one_order": [1, 0], "repeat_buyer": [1, 0]}
    assert told["interaction_class"] == {"active": [2, 0], "silent": [0, 2]}  # a message sent is no act of theirs
    assert told["friend"] == {"": [0, 1], "deleted": [0, 1], "friend": [2, 0]}
    tables.close()


def test_newcomers_who_waited_over_five_minutes_are_counted(tmp_path):
    """Joined 3, 5, 6 and 9 minutes before assignment; the last got a message after 4. A week ago is no newcomer."""
    waited = {"a": 3, "b": 5, "c": 6, "d": 9, "e": 7 * 1440}
    tables = engine(
        tmp_path,
        experiments=[{"exp_id": "t", "unit": "customer", "name": "t", "metric": "paid"}],
        assignments=[assignment(unit) for unit in waited],
        outcomes=[outcome(unit) for unit in waited],
        id_map=[{"person_hid": f"p-{u}", "external_hid": u, "openid_hid": ""} for u in waited],
        touches=[{"person_hid": "p-d", "at": ASSIGNED - dt.timedelta(minutes=5), "touch_type": "sent"},
                 {"person_hid": "p-a", "at": ASSIGNED - dt.timedelta(minutes=9), "touch_type": "sent"}],
        follow_edges=[
            {"external_hid": u, "staff_id": "s1", "added_at": ASSIGNED - dt.timedelta(minutes=m), "is_active": True}
            for u, m in waited.items()
        ],
    )  # fmt: skip
    (found,) = trials.trials(tables)
    assert trials.welcome_lag(tables, found) == (4, 1)
    tables.close()


@pytest.mark.parametrize(("size", "falling"), [(6_000, False), (6_000, True), (400, False)])
def test_a_rule_by_class_is_judged_or_refused(tmp_path, monkeypatch, size, falling):
    """Buyers gain 0.3 and others lose 0.3: the rule is worth 0.15; with 400 people some classes are too small."""
    rng = np.random.default_rng(4)
    buyer, new = rng.integers(0, 2, size), rng.integers(0, 2, size)
    did = rng.random(size) < 0.5 + 0.3 * new * (2 * buyer - 1) * (1 - 2 * falling)
    frame = pd.DataFrame({"unit": [f"{at:06x}" for at in range(size)], "variant": np.where(new, "new", "control"),
                          "value_class": np.where(buyer, "repeat_buyer", "no_order"), "did": did.astype(float)})
    frame["fold"] = frame["unit"].str[-1]
    path = tmp_path / "people.parquet"
    duckdb.from_df(frame).write_parquet(str(path))
    question = Question("variant", "control", (Metric("did", higher_is_better=not falling),), segments=("value_class",))
    asked = trials.Asked(trial(), question, "", True, False)
    monkeypatch.setattr(trials, "people_of", lambda *_: People.of_file(path))
    (found,) = trials.policies(None, asked, read_out_file(path, question))
    frame["did"] = (rng.random(size) < 0.2 + 0.5 * new).astype(float)  # one arm is best for all
    duckdb.from_df(frame).write_parquet(str(path))
    (same,) = trials.policies(None, asked, read_out_file(path, question))
    best = "control" if falling else "new"
    assert size < 1000 or (same.reason, same.gain, same.arms) == ("same_arm", None, (best, best))
    assert found.labels == ("no_order", "repeat_buyer") and sum(found.people) == size
    if size < 1000:
        assert (found.gain, found.reason) == (None, "too_few")
        return
    sign = -1 if falling else 1
    assert found.arms == ("control", "new") and abs(found.gain.gain - sign * 0.15) < 4 * found.gain.se
    assert found.gain.interval.low < sign * 0.15 < found.gain.interval.high
    assert (found.gain.interval.low > 0) != falling


class Book:
    """What a story writes down."""

    def __init__(self):
        self.metrics = {}

    def metric(self, name, value, unit, **_):
        assert name not in self.metrics
        self.metrics[name] = (value, unit)

    def text(self, key, **values):
        return {"text": key, "values": values}


def test_rules_by_class_and_late_welcomes_are_told():
    gain = Gain(np.array([0, 1]), 1, 0.02, 0.005, Interval(0.01, 0.03, 0.95), 900)
    labels, people = ("no_order", "one_order"), (400, 500)
    found = [
        trials.Policy("value_class", labels, people, ("control", "coupon"), "coupon", gain),
        trials.Policy("interaction_class", labels, people, ("coupon", "coupon"), "coupon", None, "same_arm"),
        trials.Policy("third", labels, (9, 891), (), "", None, "too_few"),
    ]
    question = Question("variant", "control", (Metric("did"),))
    read = SimpleNamespace(slug="t", asked=SimpleNamespace(question=question), out=SimpleNamespace(people=(50, 50)))
    book = Book()
    said = [text["text"] for text in story.policy_said(book, read, found, "points")]
    assert said == [f"readout.say.policy_{kind}" for kind in ("worth", "same_arm", "too_few")]
    assert book.metrics["t_policy_value_class_low"] == (0.01, "points") and book.metrics["t_least_third"][0] == 100
    assert [row["best_en"] for row in story.policy_rows(found)] == ["Control", "Coupon", "Coupon", "Coupon"]
    open_ = replace(found[0], gain=replace(gain, interval=Interval(-0.01, 0.05, 0.95)))
    assert story.policy_said(Book(), read, [open_], "points")[0]["text"] == "readout.say.policy_open"
    assert story.welcome_said(book, read, (40, 4)) is None  # not a test of people who had just joined
    assert story.welcome_said(book, read, (100, 25))["text"] == "readout.say.welcome"
    assert book.metrics["t_late_welcome"] == (0.25, "ratio")


def trial(**changed):
    made = trials.Trial(
        "welcome_coupon", "x", "first_interaction", dt.date(2026, 6, 1), dt.date(2026, 7, 1), ("control", "coupon"),
        ("complaint", "first_interaction", "opt_out"), 1_000,
    )  # fmt: skip
    return replace(made, **changed)


@pytest.fixture(scope="module")
def plan():
    return load_plan(ROOT / "params/wechat_platform.yaml")


def ask(plan, **changed):
    return trials.ask(trial(**changed), plan, as_of=AS_OF, margins=MARGINS)


def test_a_listed_test_is_judged_by_what_the_plan_settled(plan):
    found = ask(plan)
    settled = next(one for one in plan.experiments if one.id == "welcome_coupon")
    question = found.question
    assert (question.control, question.primary.name) == ("control", "first_interaction")
    margins = {one.metric.name: one.margin_abs for one in question.guardrails}
    assert margins == {"opt_out": 0.002, "complaint": 0.001} and found.planned
    assert not any(one.metric.higher_is_better for one in question.guardrails)
    assert question.worth == settled.smallest_worth_having.central
    assert question.planned_people is None and question.looks == (1.0,)  # it has ended: its size is what it is


def test_a_test_of_no_plan_has_the_margins_given_and_no_threshold(plan):
    found = ask(plan, id="elsewhere", arms=("b", "none"))
    assert (found.question.control, found.question.worth, found.planned) == ("none", None, False)
    assert [one.margin_abs for one in found.question.guardrails] == [0.002]


def test_coupons_are_judged_by_net_margin_where_it_was_measured(plan):
    found = ask(plan, columns=("net_margin_42d_yuan", "first_interaction", "opt_out"))
    assert found.question.primary.name == "net_margin_42d_yuan" and found.registered.name == "first_interaction"
    assert found.question.worth is None  # the plan's threshold is one of the registered metric
    assert "first_interaction" in [metric.name for metric in found.question.metrics]


def test_the_plan_s_primary_metric_wins_over_the_table_s(plan):
    """The table names orders; the plan settled the first interaction, which was measured as well."""
    columns = ("first_interaction", "opt_out", "order_14d")
    found = ask(plan, metric="order_14d", columns=columns)
    assert (found.question.primary.name, found.overruled.name) == ("first_interaction", "order_14d")
    assert "order_14d" in [metric.name for metric in found.question.metrics] and found.question.worth is not None
    assert ask(plan).overruled is None and not ask(plan).not_measured


def test_a_primary_metric_of_the_plan_that_nobody_measured_is_told(plan):
    """What the table names decides, but neither threshold nor prior of the plan is of it."""
    found = ask(plan, metric="click", columns=("click", "opt_out"))
    assert (found.question.primary.name, found.not_measured) == ("click", "first_interaction_rate")
    assert found.question.worth is found.question.prior_sd_rel is found.overruled is None


def test_a_plan_s_metric_is_found_under_the_table_s_name_for_it(plan):
    """Orders of 14 days measure the conversion rate; of two such columns the table's own comes first."""
    columns = ("order_14d", "order_15_42d", "opt_out")
    found = ask(plan, id="coupon_size", metric="order_14d", columns=columns, arms=("none", "yuan_10"))
    assert (found.question.primary.name, found.overruled, found.not_measured) == ("order_14d", None, "")
    assert found.question.worth is not None


def test_opens_are_messages_opened_by_messages_delivered(plan):
    columns = ("messages_delivered", "messages_opened", "opt_out")
    found = ask(plan, id="push_frequency", metric="message_open", columns=columns, arms=("weekly_one", "weekly_three"))
    assert found.question.primary.name == "messages_opened/messages_delivered"
    assert [metric.name for metric in found.question.metrics] == [found.question.primary.name]
    assert "group_exit_rate" in found.unmeasured


@pytest.mark.parametrize("changed, reason", [
    ({"arms": ("control",)}, "one_arm"),
    ({"columns": ()}, "no_outcomes"),
    ({"columns": ("opt_out",), "id": "elsewhere"}, "no_primary"),
])  # fmt: skip
def test_what_cannot_be_read_says_why(plan, changed, reason):
    found = ask(plan, **changed)
    assert (found.question, found.reason) == (None, reason)


def test_a_running_test_knows_how_many_people_it_was_to_have(plan):
    last = {"end": dt.date(2027, 1, 31)}
    sizes = trials.planned_people(plan)
    listed = trials.ask(trial(**last), plan, as_of=AS_OF, margins=MARGINS, planned_people=sizes)
    assert listed.running and listed.question.planned_people == sizes["welcome_coupon"]
    by_days = ask(plan, id="elsewhere", start=dt.date(2026, 12, 1), **last)
    assert by_days.question.planned_people == 2_000  # 31 of 62 days have gone


def read_out(asked, people, *, shares=(0.5, 0.5), cause=None, decision="continue"):
    """A read-out as far as a registration is compared with it."""
    mismatch = SimpleNamespace(alarm=cause is not None, cause=cause)
    health = SimpleNamespace(shares=shares, shares_assumed=False, mismatch=mismatch)
    return SimpleNamespace(
        arms=("control", "coupon"), people=people, health=health, question=asked.question,
        decision=SimpleNamespace(id=decision),
    )  # fmt: skip


ENOUGH = (10**6, 10**6)


@pytest.fixture
def listed(tmp_path):
    """The plan, with its first test registered."""
    path = tmp_path / "plan.yaml"
    shutil.copy(ROOT / "params/wechat_platform.yaml", path)
    assert trials.departures(ask(load_plan(path)), read_out(ask(load_plan(path)), ENOUGH), load_plan(path)) == []
    register(path, "welcome_coupon", people_of, day=dt.date(2026, 5, 1))
    return load_plan(path)


def test_a_read_out_says_where_it_departs_from_the_registration(listed):
    found = ask(listed)
    assert trials.departures(found, read_out(found, ENOUGH), listed) == []
    told = trials.departures(found, read_out(found, (100, 300), shares=(0.25, 0.75)), listed)
    assert len(told) == 3 and all(set(one) == {"zh", "en"} for one in told)  # stopped early; both shares changed
    assert any("400" in one["en"] for one in told)


def test_another_metric_than_registered_is_a_departure(listed):
    found = ask(listed, columns=("net_margin_42d_yuan", "first_interaction", "opt_out"))
    (told,) = trials.departures(found, read_out(found, ENOUGH), listed)
    assert told["en"] == "Decided by Net margin per customer; registered was First-interaction rate"
    assert "每位客户净毛利" in told["zh"]


def test_rows_kept_by_delivery_are_another_exposure_than_registered(listed):
    found = ask(listed)
    (told,) = trials.departures(found, read_out(found, ENOUGH, cause="filtered_after_assignment"), listed)
    assert "reached" in told["en"]
    assert trials.departures(found, read_out(found, ENOUGH, cause="some_labels"), listed) == []


@pytest.mark.parametrize(("decision", "early"), [("continue", 0), ("ship", 1), ("do_not", 1), ("invalid", 0)])
def test_a_running_test_that_is_decided_has_stopped_early(listed, decision, early):
    found = ask(listed, end=dt.date(2027, 1, 31))
    assert len(trials.departures(found, read_out(found, (100, 100), decision=decision), listed)) == early


def test_a_read_out_of_a_file_is_compared_with_the_registration_that_is_named(listed, tmp_path):
    table = tmp_path / "test.csv"
    rows = [f"{arm},{k % 3 == 0:d}" for k, arm in enumerate(["control", "coupon"] * 300)]
    table.write_text("\n".join(["arm,bought", *rows]), encoding="utf-8")
    call = ["readout", str(table), "--variant", "arm", "--control", "control", "--metric", "bought", "--locale", "en"]
    agreed = ["--registered", str(listed.file), "welcome_coupon"]
    said = CliRunner().invoke(app, [*call, *agreed]).stdout
    assert "Not as registered: Decided by bought; registered was First-interaction rate" in said
    assert "registered" not in CliRunner().invoke(app, call).stdout
    told = json.loads(CliRunner().invoke(app, [*call, *agreed, "--json"]).stdout)["departures"]
    assert [one["code"] for one in told][:1] == ["other_metric"]


def test_a_registration_that_is_not_there_is_refused(listed):
    with pytest.raises(InputError) as told:
        departures_of(str(listed.file), "feed_ads", None)
    assert [one.code for one in told.value.problems] == ["not_registered"]
