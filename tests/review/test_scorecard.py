"""Status and reason of metrics, levels due, brand paths, efficiency, performance pay."""

import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.review.scorecard import (
    Flow,
    Line,
    answers_needed,
    due_level,
    efficiency,
    growth_path,
    merit,
    score,
    tally,
)


@pytest.mark.parametrize(
    "line, status, reason",
    [
        (Line(metric="x", plan=44.0, actual=38.0), "off_track", "far_behind"),  # the deck's specimen
        (Line(metric="x", plan=3.6, actual=3.5), "at_risk", "behind"),
        (Line(metric="x", plan=20.0, actual=19.8, direction="down"), "on_track", "met"),
        (Line(metric="x", plan=0.60, actual=0.50, low=0.45, high=0.62, absolute=True), "at_risk", "within_noise"),
        (Line(metric="x", plan=30, actual=40, direction="down", low=35, high=45), "off_track", "far_behind"),
        (Line(metric="x", plan=30, actual=40, direction="down", low=29, high=51), "at_risk", "within_noise"),
        (Line(metric="x", plan=100.0, actual=90.0), "at_risk", "behind"),  # exactly at the limit
        (Line(metric="x", plan=0.0, actual=0.0), "on_track", "met"),
        (Line(metric="x", actual=5.0), "not_measured", "no_plan"),
        (Line(metric="x", plan=5.0, reason="no_rows"), "not_measured", "no_rows"),
    ],
)
def test_status_and_reason(line, status, reason):
    (row,) = score([line])
    assert (row.status, row.reason) == (status, reason)


def test_gaps():
    relative, absolute, nothing = score([
        Line(metric="x", plan=50.0, actual=40.0), Line(metric="y", plan=0.36, actual=0.352, absolute=True),
        Line(metric="z", plan=0.0, actual=2.0),
    ])  # fmt: skip
    assert relative.gap == pytest.approx(-0.2) and absolute.gap == pytest.approx(-0.008) and nothing.gap is None
    assert tally([relative, absolute, nothing]) == {"on_track": 1, "at_risk": 1, "off_track": 1, "not_measured": 0}


def test_a_missing_actual_needs_its_reason():
    with pytest.raises(InputError, match="reason"):
        score([Line(metric="x", plan=1.0)])
    with pytest.raises(InputError):
        score([Line(metric="x", actual=float("nan"))])
    with pytest.raises(InputError):
        score([Line(metric="x", actual=1.0, direction="none")])


def test_due_levels_between_month_ends():
    points = {3: 300.0, 1: 100.0, 2: 200.0}
    assert due_level(points, 2.5) == 250.0
    assert due_level(points, 9.0) == 300.0
    assert due_level(points, 0.5) is None
    assert due_level(points, 0.5, start=50.0) == 75.0
    assert due_level({}, 1.0) is None


def test_fifty_per_cent_in_twelve_months_is_3_44_a_month():
    rate, path = growth_path(0.5, 12)
    assert rate == pytest.approx(0.0344, abs=5e-5)
    assert_allclose(path[1:] / path[:-1], 1 + rate)


def test_awareness_within_three_points_asks_897_answers():
    assert answers_needed(0.70, 0.03, level=0.95) == 897
    assert answers_needed(0.70, 0.03, design_effect=2.0) == 1793


def test_efficiency_acceptance():
    assert efficiency([Flow("users", (5000, 10_000))], [Flow("people", (1, 1))]).productivity - 1 == pytest.approx(1.0)
    cheaper = efficiency([Flow("articles", (10, 10))], [Flow("CNY", (1.0, 0.7))])
    assert cheaper.productivity - 1 == pytest.approx(0.429, abs=5e-4)


def test_fisher_is_the_mean_of_laspeyres_and_paasche_and_turns_round():
    outputs = [Flow("a", (10, 20), (2, 1)), Flow("b", (5, 4), (3, 6))]
    laspeyres, paasche = (20 * 2 + 4 * 3) / (10 * 2 + 5 * 3), (20 * 1 + 4 * 6) / (10 * 1 + 5 * 6)
    inputs = [Flow("h", (7, 7))]
    assert efficiency(outputs, inputs).output == pytest.approx((laspeyres * paasche) ** 0.5)
    turned = [Flow(f.unit, f.quantity[::-1], f.price[::-1]) for f in outputs]
    assert efficiency(turned, inputs).output * efficiency(outputs, inputs).output == pytest.approx(1.0)


@pytest.mark.parametrize("outputs, inputs", [
    ([], [Flow("h", (1, 1))]), ([Flow("", (1, 1))], [Flow("h", (1, 1))]), ([Flow("u", (1, 1))], [Flow("", (1, 1))]),
    ([Flow("u", (0, 1))], [Flow("h", (1, 1))]),
])  # fmt: skip
def test_an_efficiency_without_output_or_input_unit_is_refused(outputs, inputs):
    with pytest.raises(InputError):
        efficiency(outputs, inputs)


def test_performance_pay():
    weights = {"growth": 0.4, "activity": 0.3, "conversion": 0.3}
    met = merit(dict.fromkeys(weights, 1.0), weights, bonus_cny=100_000)
    assert met.score == pytest.approx(1.0) and met.payout_cny == pytest.approx(100_000)
    capped = merit({"growth": 9.0, "activity": 1.0, "conversion": 1.0}, weights, bonus_cny=100_000)
    assert capped.score == pytest.approx(1.08)
    assert merit(dict.fromkeys(weights, 0.7), weights, bonus_cny=100_000).payout_cny == 0
    gamed = merit(dict.fromkeys(weights, 1.0), weights, bonus_cny=100_000, guardrails={"complaint_rate": False})
    assert gamed.payout_cny == 0 and gamed.held_back == ("complaint_rate",)
    most = 1.2 * 100_000
    assert merit(dict.fromkeys(weights, 99.0), weights, bonus_cny=100_000).payout_cny == pytest.approx(most)


def test_weights_sum_to_one():
    with pytest.raises(InputError, match="sum to 1"):
        merit({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 0.6}, bonus_cny=1.0)
    with pytest.raises(InputError):
        merit({"a": 1.0}, {"a": 0.5, "b": 0.5}, bonus_cny=1.0)
