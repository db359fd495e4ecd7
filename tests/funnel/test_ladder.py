"""Ladders: through every goal and rung, never bent, sums exact."""

import json
import os
from math import fsum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.interpolate import PchipInterpolator

from planlib.core.decompose import apportion
from planlib.core.errors import InputError
from planlib.funnel import ladder as room

YEARS = {12: 1_000_000.0, 24: 2_000_000.0}
INTAKE = np.repeat([0.0, 1.0, 2.0, 3.0], 6)


def _problems(call):
    with pytest.raises(InputError) as caught:
        call()
    return [(p.code, p.field) for p in caught.value.problems]


@pytest.mark.parametrize("shape, opening", [(s, 10_000.0) for s in room.SHAPES] + [("linear", 0.0), ("s_curve", 0.0)])
@pytest.mark.parametrize("weights", [np.ones(24), INTAKE])
@pytest.mark.parametrize("whole", [True, False])
def test_acceptance_one_million_then_two(shape, opening, weights, whole):
    path = room.ladder(YEARS, 24, opening=opening, shape=shape, weights=weights, direction="up", whole=whole)
    assert path[11] == 1_000_000 and path[23] == 2_000_000
    assert (np.diff(np.append(opening, path)) >= 0).all()
    if whole:
        assert (path == path.astype(int)).all()


def test_by_hand():
    assert_allclose(room.ladder({2: 30.0}, 3, opening=10.0), [20, 30, 30])
    assert_allclose(room.ladder({2: 40.0}, 3, opening=10.0, shape="compound"), [20, 40, 40])
    assert_allclose(room.ladder({4: 90.0}, 4, weights=[0, 0, 1, 2], shape="stage_weighted"), [0, 0, 30, 90])
    assert_allclose(room.ladder({4: 90.0}, 4, weights=[0, 0, 1, 2]), [0, 0, 45, 90])  # a calendar only
    assert_allclose(room.ladder({3: 100.0}, 3, whole=True), [33, 67, 100])
    assert_allclose(room.ladder({1: 20.0, 3: 10.0}, 3, opening=30.0), [20, 15, 10])
    # one goal: the smoothstep 3s^2 - 2s^3
    assert_allclose(room.ladder({4: 64.0}, 4, shape="s_curve"), [10, 32, 54, 64])


def test_s_curve_has_pchip_slopes_inside_and_is_flat_at_the_ends():
    goals = {3: 40.0, 8: 300.0, 14: 350.0, 20: 900.0}
    x, y = np.array([0, *goals]), np.array([5.0, *goals.values()])
    slopes = PchipInterpolator(x, y).derivative()(x)
    path = np.append(5.0, room.ladder(goals, 20, opening=5.0, shape="s_curve", direction="up"))
    assert (np.diff(path) >= 0).all()
    k, h, s = 1, 5.0, 0.4  # between the second and the third knot both slopes are PCHIP's
    m0, m1 = h * slopes[k], h * slopes[k + 1]
    cubic = np.polyval([2 * y[k] + m0 - 2 * y[k + 1] + m1, -3 * y[k] - 2 * m0 + 3 * y[k + 1] - m1, m0, y[k]], s)
    assert path[5] == pytest.approx(cubic)
    assert path[1] - path[0] < (path[3] - path[0]) / 3  # flat start


def test_a_fixed_rung_moves_its_neighbours_only():
    free = room.ladder(YEARS, 24, direction="up")
    path = room.ladder(YEARS, 24, rungs={18: 1_400_000.0}, direction="up")
    assert path[17] == 1_400_000 and path[11] == 1_000_000 and path[23] == 2_000_000
    assert_allclose(path[:12], free[:12])
    assert_allclose(np.diff(path[11:18]), 400_000 / 6)
    assert_allclose(np.diff(path[17:]), 600_000 / 6)


def test_a_share_stays_inside_its_limits():
    for shape in room.SHAPES:
        path = room.ladder({6: 1.0, 12: 1.0}, 12, opening=0.3, shape=shape, weights=np.ones(12), limits=(0.0, 1.0))
        assert path.max() == 1.0 and path.min() >= 0.3
    assert _problems(lambda: room.ladder({6: 1.2}, 6, limits=(0.0, 1.0))) == [("out_of_range", "goals[6]")]


def test_contradictory_rungs_are_named():
    found = _problems(lambda: room.ladder(YEARS, 24, rungs={9: 1_100_000.0, 12: 900_000.0}, direction="up"))
    assert found == [("rung_against_goal", "rungs[12]")]
    found = _problems(lambda: room.ladder(YEARS, 24, rungs={9: 1_100_000.0, 18: 900_000.0}, direction="up"))
    assert found == [("ladder_turns", "rungs[9]"), ("ladder_turns", "rungs[18]")]
    assert _problems(lambda: room.ladder({3: 0.05}, 3, opening=0.1, rungs={2: 0.2}, direction="down")) == [
        ("ladder_turns", "rungs[2]")
    ]
    assert _problems(lambda: room.ladder({3: 5.0}, 3, opening=9.0, direction="up")) == [("ladder_turns", "goals[3]")]


def test_a_rise_in_closed_months_is_named():
    opens = np.arange(1, 13) >= 5
    closed = lambda **more: room.ladder({12: 90.0}, 12, weights=opens.astype(float), **more)  # noqa: E731
    assert_allclose(closed()[:5], [0, 0, 0, 0, 90 / 8])
    assert _problems(lambda: closed(rungs={3: 10.0})) == [("no_open_month", "rungs[3]")]
    assert closed(rungs={3: 0.0})[11] == 90.0


@pytest.mark.parametrize(
    "change, field",
    [
        ({"goals": {}}, "goals"),
        ({"goals": {13: 1.0}}, "goals"),
        ({"goals": {2: -1.0}}, "goals[2]"),
        ({"goals": {2: np.nan}}, "goals[2]"),
        ({"months": 0}, "months"),
        ({"shape": "s"}, "shape"),
        ({"shape": "compound"}, "opening"),
        ({"shape": "stage_weighted"}, "weights"),
        ({"weights": [1.0]}, "weights"),
        ({"weights": [0.0] * 12}, "goals[12]"),
        ({"direction": "sideways"}, "direction"),
        ({"goals": {12: 10.5}, "whole": True}, "goals[12]"),
        ({"rungs": {13: 1.0}}, "rungs"),
    ],
)
def test_bad_ladders(change, field):
    arguments = {"goals": {12: 100.0}, "months": 12} | change
    assert field in [f for _, f in _problems(lambda: room.ladder(**arguments))]


steps = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10**6)), min_size=1, max_size=5, unique_by=lambda p: p[0])


@given(steps, st.sampled_from(room.SHAPES), st.lists(st.floats(0.1, 5.0), min_size=30, max_size=30))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_rising_knots_are_met_and_never_turned(knots, shape, weights):
    months = sorted(m for m, _ in knots)
    levels = np.cumsum([1 + v for _, v in knots]).astype(float)
    goals = dict(zip(months, levels, strict=True))
    path = room.ladder(goals, 30, opening=1.0, shape=shape, weights=weights, direction="up")
    assert [path[m - 1] for m in months] == list(levels)
    assert (np.diff(path) >= 0).all() and path[0] >= 1.0


# flows


def test_flow_by_hand():
    assert_allclose(room.flow_ladder({3: 90.0}, 12), [30, 30, 30])
    assert_allclose(room.flow_ladder({3: 90.0}, 3, rungs={2: 50.0}), [20, 50, 20])
    assert_allclose(room.flow_ladder({4: 90.0}, 4, weights=[0, 0, 1, 2], shape="stage_weighted"), [0, 0, 30, 60])
    assert_allclose(room.flow_ladder({2: 50.0}, 2, opening=10.0), [20, 30])  # by equal steps
    assert_allclose(room.flow_ladder({2: 60.0}, 2, opening=10.0, shape="compound"), [20, 40])  # doubling
    assert_allclose(room.flow_ladder({3: 100.0}, 3, whole=True), [34, 33, 33])


@given(
    total=st.integers(1, 10**7),
    rung=st.integers(0, 10**6),
    shape=st.sampled_from(room.SHAPES),
    opening=st.none() | st.floats(1.0, 1e5),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_flow_totals_are_exact(total, rung, shape, opening):
    totals = {6: float(total), 12: 3.0 * total}
    arguments = {"shape": shape, "opening": opening, "weights": np.arange(1.0, 13), "rungs": {9: float(rung)}}
    try:
        amounts = room.flow_ladder(totals, 12, whole=True, **arguments)
    except InputError as error:
        allowed = {"rungs_past_total": rung > 2 * total, "ladder_start": opening is None}
        allowed |= {"ladder_below_zero": opening is not None}
        assert all(allowed[p.code] for p in error.problems)
        return
    assert fsum(amounts[:6]) == total and fsum(amounts) == 3 * total
    assert (amounts >= 0).all() and amounts[8] == rung
    assert (amounts == amounts.astype(int)).all()
    assert fsum(q.value for q in room.quarters(amounts, flow=True)) == fsum(amounts)


@pytest.mark.parametrize("shape", ["linear", "compound", "s_curve"])
def test_flow_moves_on_from_where_the_first_total_ends(shape):
    amounts = room.flow_ladder({6: 1_000.0, 12: 3_000.0}, 12, opening=100.0, shape=shape)
    assert fsum(amounts[:6]) == pytest.approx(1_000.0) and fsum(amounts) == pytest.approx(3_000.0)
    assert (np.diff(np.append(100.0, amounts)) > 0).all()


@pytest.mark.parametrize(
    "change, code",
    [
        ({"rungs": {1: 200.0}}, "rungs_past_total"),
        ({"rungs": {1: 10.0, 2: 10.0, 3: 10.0}}, "rungs_past_total"),
        ({"shape": "compound"}, "ladder_start"),
        ({"opening": 100.0}, "ladder_below_zero"),
        ({"weights": [0.0, 0.0, 0.0]}, "no_open_month"),
        ({"totals": {2: 100.0, 3: 90.0}}, "ladder_turns"),
        ({"rungs": {1: -1.0}}, "at_least"),
    ],
)
def test_bad_flows(change, code):
    arguments = {"totals": {3: 90.0}, "months": 3} | change
    assert code in [c for c, _ in _problems(lambda: room.flow_ladder(**arguments))]


def test_quarters_follow_the_calendar():
    found = room.quarters(np.arange(1.0, 9.0), flow=True, start_month=12)
    assert [(q.year, q.quarter, q.first_month, q.last_month, q.value) for q in found] == [
        (0, 4, 1, 1, 1.0), (1, 1, 2, 4, 9.0), (1, 2, 5, 7, 18.0), (1, 3, 8, 8, 8.0),
    ]  # fmt: skip
    assert [q.value for q in room.quarters([1.0, 2.0, 3.0, 4.0], flow=False)] == [3.0, 4.0]


# growth


def test_growth():
    growth = room.monthly_growth(200_000, 1_000_000, steps=12)
    assert 200_000 * (1 + growth) ** 12 == pytest.approx(1_000_000)
    assert room.annualise(growth) == pytest.approx(4.0)


def _reference():
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "planning.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] == "ladder"]


@pytest.mark.parametrize("case", _reference())
def test_reference(case):
    given, expected = case["input"], case["expected"]
    if case["method"] == "largest_remainder":
        assert apportion(given["total"], given["weights"]).tolist() == expected["parts"]
    elif case["method"] == "annualise":
        assert room.annualise(given["monthly"]) == pytest.approx(expected["annual"])
    else:
        steps = given.get("steps") or given["months"] - 1
        start, end = given.get("start", given.get("first_month")), given.get("end", given.get("last_month"))
        assert room.monthly_growth(start, end, steps=steps) == pytest.approx(expected["monthly_growth"])
