"""Registration: what a design is, what a second one says, and how a read-out departs from it."""

import datetime as dt
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.experiments.planning import size_up
from planlib.plan import load_plan
from planlib.plan.decide import log_path, verify_log
from planlib.plan.experiment_inputs import planned_tests
from planlib.plan.registration import Observed, design, deviations, differences, experiment_of, register, registered
from planlib.registering import deviation_line, people_of, register_experiment
from planlib.trials import planned_people

DAY = dt.date(2027, 3, 1)
MINIMAL = Path(__file__).parent / "minimal.yaml"
ROW = """experiments:
  - id: coupon
    question: {zh: 问, en: Q}
    node: activation
    unit: customer
    block: employee
    arms: {control: 0.5, coupon: 0.5}
    primary: conversion_rate
    baseline: {value: 0.08, source: W2.3}
    smallest_worth_having: {value: 0.008, source: W2.3}
    traffic_per_week: {value: 9_000, source: W2.3}
    guardrails: [{metric: opt_out_rate, margin: 0.002}]
    owner: content
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(MINIMAL.read_text(encoding="utf-8") + ROW, encoding="utf-8")
    return path


def change(plan, old, new):
    text = plan.read_text(encoding="utf-8")
    assert text.count(old) == 1
    plan.write_text(text.replace(old, new), encoding="utf-8")


def test_a_design_holds_what_a_read_out_is_held_to(plan):
    made = design(experiment_of(load_plan(plan), "coupon"), 37_738)
    assert made["arms"] == [["control", 0.5], ["coupon", 0.5]]  # the control stays first, whatever sorts keys
    # +10 % on 8 %: closed form of the acceptance line
    assert made["people"] == people_of(experiment_of(load_plan(plan), "coupon")) == 2 * 18_869
    assert made["guardrails"] == {"opt_out_rate": 0.002}
    assert not {"owner", "question", "start_month", "cost", "why"} & set(made)


def test_the_people_registered_are_those_that_the_planning_notebook_plans(plan):
    """A correlation of 0.5 with what was known before takes a quarter off, in both."""
    change(plan, "    owner: content", "    correlation: {value: 0.5, source: W2.3}\n    owner: content")
    loaded = load_plan(plan)
    (test,) = planned_tests(loaded)
    known = {"allocation": test.allocation, "correlation": test.correlation}
    planned = size_up(test.baseline, test.effect, test.per_week, **known).size.n_total
    assert people_of(experiment_of(loaded, "coupon")) == planned == planned_people(loaded)["coupon"] == 28_304
    made = design(experiment_of(loaded, "coupon"), planned)
    assert made["people"] == 28_304


def test_registering_again_says_what_changed(plan):
    first = register(plan, "coupon", people_of, day=DAY)
    assert first.new and first.changed == () and registered(plan, "coupon").sha256 == first.sha256
    again = register(plan, "coupon", people_of, day=DAY + dt.timedelta(1))
    assert not again.new and again.date == "2027-03-01"
    change(plan, "owner: content", "owner: content\n    start_month: 4")  # not part of the design
    assert not register(plan, "coupon", people_of, day=DAY).new
    change(plan, "{metric: opt_out_rate, margin: 0.002}", "{metric: opt_out_rate, margin: 0.003}")
    with pytest.raises(InputError) as told:
        register(plan, "coupon", people_of, day=DAY)
    assert told.value.problems[0].code == "change_reason"
    changed = register(plan, "coupon", people_of, reason="too tight", day=DAY)
    assert [c.field for c in changed.changed] == ["guardrails"] and changed.new
    assert verify_log(log_path(plan)) == 2
    assert registered(plan, "coupon").reason == "too tight"


def test_a_flagged_test_needs_an_approval(plan):
    change(plan, "owner: content", "owner: content\n    review: prices differ")
    with pytest.raises(InputError) as told:
        register(plan, "coupon", people_of, reason="  ", day=DAY)
    assert told.value.problems[0].code == "review_reason" and not log_path(plan).exists()
    assert register(plan, "coupon", people_of, reason="legal, 1 March", day=DAY).new


def test_an_unknown_experiment_names_the_known_ones(plan):
    with pytest.raises(InputError) as told:
        register(plan, "cupon", people_of, day=DAY)
    assert "coupon" in told.value.render("en")


def test_a_log_that_was_changed_registers_nothing(plan):
    register(plan, "coupon", people_of, day=DAY)
    log = log_path(plan)
    log.write_text(log.read_text(encoding="utf-8").replace("0.008", "0.009"), encoding="utf-8")
    with pytest.raises(InputError) as told:
        registered(plan, "coupon")
    assert told.value.problems[0].code == "log_broken"


PEOPLE = 2 * 18_869


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ({}, []),
        ({"metric": "conversion_rate", "people": PEOPLE, "first_day": DAY}, []),
        ({"metric": "aov"}, ["other_metric"]),
        ({"people": PEOPLE // 2}, ["early_stop"]),
        ({"people": PEOPLE // 2, "finished": False}, []),
        ({"shares": {"control": [0.5], "coupon": [0.5]}}, []),
        ({"shares": {"control": [0.5, 0.4], "coupon": [0.5, 0.6]}}, ["changed_shares", "changed_shares"]),
        ({"shares": {"control": [0.5], "big": [0.5]}}, ["other_arms"]),
        ({"by": "exposure"}, ["by_exposure"]),
        ({"first_day": DAY - dt.timedelta(1)}, ["registered_late"]),
    ],
)
def test_what_a_read_out_departs_from(plan, seen, codes):
    agreed = register(plan, "coupon", people_of, day=DAY)
    found = deviations(agreed, agreed.design, Observed(**seen))
    assert [one.code for one in found] == codes
    for locale in ("zh", "en"):
        assert all(deviation_line(one, words(locale)) for one in found)


def test_a_planned_look_may_end_a_sequential_test_and_no_other_may(plan):
    change(plan, "owner: content", "owner: content\n    looks: [0.5, 1.0]\n    stopping: pocock")
    agreed = register(plan, "coupon", people_of, day=DAY)
    people = agreed.design["people"]
    codes = {share: [d.code for d in deviations(agreed, None, Observed(people=int(share * people)))]
             for share in (0.3, 0.5, 0.7, 1.0)}  # fmt: skip
    assert codes == {0.3: ["early_stop"], 0.5: [], 0.7: ["early_stop"], 1.0: []}


def test_a_look_without_a_stopping_rule_ends_nothing(plan):
    change(plan, "owner: content", "owner: content\n    looks: [0.5, 1.0]")
    agreed = register(plan, "coupon", people_of, day=DAY)
    assert [d.code for d in deviations(agreed, None, Observed(people=PEOPLE // 2))] == ["early_stop"]


def test_another_design_than_registered_is_named_field_by_field(plan):
    agreed = register(plan, "coupon", people_of, day=DAY)
    now = agreed.design | {"alpha": 0.1, "primary": "aov"}
    found = deviations(agreed, now)
    assert [one.values["field"] for one in found] == ["primary", "alpha"]
    assert differences(agreed.design, agreed.design) == ()


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_what_is_said(plan, locale):
    said: list[str] = []
    told = {"owner": None, "day": DAY, "write": said.append}
    register_experiment(str(plan), "coupon", words(locale), reason="", **told)
    assert "coupon" in said[0] and any("37,738" in line or "3.77" in line for line in said)
    said.clear()
    register_experiment(str(plan), "coupon", words(locale), reason="", **told)
    assert len(said) > 5
    change(plan, "primary: conversion_rate", "primary: first_purchase_rate")
    said.clear()
    register_experiment(str(plan), "coupon", words(locale), reason="clearer", **told)
    assert len(said) == 2 and "→" in said[1]
