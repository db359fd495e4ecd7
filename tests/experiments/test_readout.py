"""Health and decision: planted faults are found and named with what can be saved; decisions by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from planlib.core.errors import InputError
from planlib.core.intervals import Interval
from planlib.experiments.noninferiority import non_inferiority_proportions
from planlib.experiments.proportions import two_proportions
from planlib.experiments.readout import decide, drill, explain_mismatch, faults_of

HALF = [0.5, 0.5]


def assigned(rng, n=6000, planned=(0.5, 0.5)):
    """People with an arm and what is known of them: employee and day at assignment, send status afterwards."""
    arm = rng.choice(len(planned), n, p=planned)
    known = {
        "employee": rng.choice(["ann", "bo", "cy", "di", "ed"], n),
        "day": rng.choice(["mon", "tue", "wed"], n),
        "status": rng.choice(["delivered", "failed", "deleted"], n, p=[0.65, 0.15, 0.2]),
    }
    return arm, known


def table(labels, arm, keep, arms=2):
    return {str(at): [int((keep & (labels == at) & (arm == a)).sum()) for a in range(arms)] for at in np.unique(labels)}


def explained(arm, known, keep, planned=HALF):
    arms = len(planned)
    counts = [int((keep & (arm == a)).sum()) for a in range(arms)]
    breakdowns = {name: table(labels, arm, keep, arms) for name, labels in known.items()}
    return explain_mismatch(counts, planned, breakdowns, after_assignment=["status"])


@pytest.mark.parametrize("seed", range(5))
def test_planted_faults_are_named(seed):
    rng = np.random.default_rng(seed)
    arm, known = assigned(rng)
    everybody = np.ones(len(arm), dtype=bool)
    sound = explained(arm, known, everybody)
    assert (sound.cause, sound.remedy, sound.test.alarm) == (None, None, False)
    unconfirmed = explained(arm, known, ~((arm == 1) & (known["employee"] == "cy")))
    assert (unconfirmed.cause, unconfirmed.dimension, unconfirmed.labels) == ("some_labels", "employee", ("cy",))
    assert (unconfirmed.remedy, unconfirmed.arm) == ("leave_out_in_all_arms", 1)
    delivered = explained(arm, known, (arm == 0) | (known["status"] == "delivered"))
    assert (delivered.cause, delivered.dimension) == ("filtered_after_assignment", "status")
    assert delivered.remedy == "count_all_assigned"
    deleted = explained(arm, known, (arm == 0) | (known["status"] != "deleted") | (rng.random(len(arm)) < 0.1))
    assert (deleted.cause, deleted.labels) == ("lost_after_assignment", ("deleted",))
    assert deleted.remedy == "count_all_assigned"
    thinned = explained(arm, known, (arm == 0) | (rng.random(len(arm)) < 0.8))
    assert (thinned.cause, thinned.remedy) == ("spread_evenly", "back_to_list")


def test_three_arms_of_unequal_shares():
    planned = (0.6, 0.3, 0.1)
    arm, known = assigned(np.random.default_rng(8), planned=planned)
    found = explained(arm, known, ~((arm == 2) & (known["day"] == "tue")), planned)
    assert (found.cause, found.dimension, found.labels, found.arm) == ("some_labels", "day", ("tue",), 2)


def test_one_employee_of_twenty_is_found_though_the_whole_is_in_order():
    counts = {f"e{at:02d}": [100, 100] for at in range(19)} | {"silent": [100, 0]}
    found = explain_mismatch([2000, 1900], HALF, {"employee": counts})
    assert not found.test.alarm and found.alarm
    assert (found.cause, found.labels, found.remedy) == ("some_labels", ("silent",), "leave_out_in_all_arms")
    assert faults_of(found) == ("srm",)
    two = explain_mismatch([2000, 1800], HALF, {"employee": counts | {"e00": [100, 0]}})
    assert set(two.labels) == {"silent", "e00"} and two.arm == 1


def test_sound_assignments_seldom_alarm():
    rng, reps = np.random.default_rng(5), 300
    alarms = 0
    for _ in range(reps):
        table = rng.binomial(60, 0.5, 20)
        counts = {str(at): [int(one), int(60 - one)] for at, one in enumerate(table)}
        alarms += explain_mismatch([int(table.sum()), int(1200 - table.sum())], HALF, {"employee": counts}).alarm
    assert alarms / reps < 0.002 + 4 * np.sqrt(0.002 / reps)


def test_one_day_that_lacks_a_lot_in_a_small_test_is_no_alarm():
    found = explain_mismatch([30, 24], HALF, {"day": {"mon": [15, 8], "tue": [15, 16]}})
    assert (found.cause, found.test.alarm) == (None, False)


def test_drill_by_hand():
    found = drill("day", {"mon": [100, 100], "tue": [100, 40], "wed": [100, 90]}, HALF)
    assert found.labels == ("tue", "wed", "mon")
    assert found.missing_share == pytest.approx((30 / 35, 5 / 35, 0.0))
    assert found.p_without[0] == pytest.approx(stats.chisquare([200, 190]).pvalue)
    assert found.uneven_p == pytest.approx(stats.chi2_contingency([[100, 100], [100, 40], [100, 90]]).pvalue)
    only = drill("day", {"mon": [10, 11], "tue": [0, 0]}, HALF)
    assert only.tests[1] is None and only.p_without[0] is None and only.uneven_p == 1.0


def test_faults_in_order_of_weight():
    alarm = explain_mismatch([600, 400], HALF, {})
    assert alarm.cause == "unknown"
    assert faults_of(alarm, in_two_arms=2, outcome_before_exposure=1) == (
        "srm", "in_two_arms", "outcome_before_exposure"
    )
    assert faults_of(None, shares_changed=True) == ("shares_changed",)
    assert faults_of(explain_mismatch([500, 500], HALF, {})) == ()


UP, DOWN = two_proportions(100, 1000, 160, 1000), two_proportions(160, 1000, 100, 1000)
FLAT, SMALL = two_proportions(100, 1000, 105, 1000), two_proportions(10_000, 100_000, 10_050, 100_000)
CLEARED = non_inferiority_proportions(900, 1000, 900, 1000, margin_abs=0.05)
OPEN = non_inferiority_proportions(900, 1000, 890, 1000, margin_abs=0.02)
BROKEN = non_inferiority_proportions(900, 1000, 800, 1000, margin_abs=0.02)
NOTHING = two_proportions(0, 10, 0, 10, interval="wald")


@pytest.mark.parametrize(
    ("primary", "options", "decision", "first"),
    [
        (UP, {}, "ship", "effect_shown"),
        (UP, {"guardrails": {"opt_out": CLEARED}}, "ship", "effect_shown"),
        (UP, {"guardrails": {"opt_out": OPEN}, "reached": 0.5}, "continue", "guardrail_open:opt_out"),
        (UP, {"guardrails": {"opt_out": OPEN}}, "do_not", "guardrail_open:opt_out"),
        (UP, {"guardrails": {"opt_out": BROKEN}, "reached": 0.5}, "do_not", "guardrail_broken:opt_out"),
        (UP, {"faults": ("srm",)}, "invalid", "srm"),
        (UP, {"interval": Interval(-0.01, 0.13, 0.95), "reached": 0.5}, "continue", "not_enough_people"),
        (UP, {"higher_is_better": False}, "do_not", "harm_shown"),
        (DOWN, {}, "do_not", "harm_shown"),
        (DOWN, {"higher_is_better": False}, "ship", "effect_shown"),
        (FLAT, {}, "do_not", "no_effect_shown"),
        (FLAT, {"worth": 0.01}, "do_not", "no_effect_shown"),
        (FLAT, {"reached": 0.4, "worth": 0.01}, "continue", "not_enough_people"),
        (SMALL, {"reached": 0.4, "worth": 0.01}, "do_not", "too_small_to_matter"),
        (NOTHING, {}, "invalid", "not_computable:no_variance"),
        (NOTHING, {"reached": 0.1}, "continue", "not_computable:no_variance"),
    ],
)
def test_decisions(primary, options, decision, first):
    got = decide(primary, **options)
    assert (got.id, got.reasons[0]) == (decision, first)


def test_a_guardrail_that_should_stay_low():
    high = non_inferiority_proportions(100, 1000, 200, 1000, margin_abs=0.02, higher_is_better=False)
    assert decide(UP, guardrails={"complaints": high}).reasons == ("guardrail_broken:complaints",)
    blank = replace(high, interval=None, detail={"margin": 0.02})
    assert decide(UP, guardrails={"complaints": blank}, reached=0.5).id == "continue"


@pytest.mark.parametrize(
    "call",
    [
        lambda: decide(UP, reached=0.0),
        lambda: decide(UP, worth=-1.0),
        lambda: drill("day", {}, HALF),
        lambda: drill("day", {"mon": [1, 2], "tue": [1]}, HALF),
        lambda: explain_mismatch([1, 1], HALF, {}, after_assignment=["status"]),
        lambda: explain_mismatch([0, 0], HALF, {}),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InputError):
        call()
