"""Retention curves through given points."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel import retention as room

calm = settings(deadline=None, derandomize=True)
SEED = {7: 0.60, 30: 0.40}


def test_seed_sbg():
    curve = room.fit_sbg(SEED)
    assert_allclose([curve.params["alpha"], curve.params["beta"]], [0.3133, 2.0222], atol=5e-5)
    assert_allclose(curve.at([7, 30, 90]), [0.60, 0.40, 0.287], atol=5e-4)
    assert curve.exact


def test_power_by_hand():
    curve = room.fit_power({7: 0.20, 30: 0.12})
    b = np.log(0.20 / 0.12) / np.log(30 / 7)
    assert curve.params["b"] == pytest.approx(b)
    assert curve.params["a"] == pytest.approx(0.20 * 7**b)


def test_weibull_by_hand():
    curve = room.fit_weibull({10: np.exp(-0.5), 40: np.exp(-1.0)})  # (40/10)^shape = 2
    assert_allclose([curve.params["shape"], curve.params["scale"]], [0.5, 40.0])


@pytest.mark.parametrize("name", room.CURVES)
@pytest.mark.parametrize("points", [SEED, {7: 0.2, 30: 0.12}, {1: 0.5, 90: 0.05}, {1: 0.99, 365: 0.9}])
def test_two_points_are_met_and_the_curve_falls(name, points):
    curve = room.fit_curve(points, name)
    assert_allclose(curve.at(list(points)), list(points.values()), rtol=1e-9)
    assert curve.exact and curve.max_error <= 1e-9
    path = curve.at(np.arange(0, 366))
    assert path[0] == 1.0 and (np.diff(path) <= 1e-12).all() and (path >= 0).all()


@calm
@given(st.floats(0.05, 20.0), st.floats(0.1, 100.0))
def test_sbg_comes_back_from_its_own_points(alpha, beta):
    true = room.sbg_survival(alpha, beta, [7, 30, 90])
    assume(true[0] < 0.9999 and true[1] > 1e-6)
    curve = room.fit_sbg({7: true[0], 30: true[1]})
    assert_allclose(curve.at([7, 30, 90]), true, rtol=1e-5)
    assert_allclose([curve.params["alpha"], curve.params["beta"]], [alpha, beta], rtol=1e-3)


def test_simulated_people_follow_the_sbg_curve():
    rng, n = np.random.default_rng(20270101), 400_000
    alpha, beta = 0.3133, 2.0222
    left_after = rng.geometric(rng.beta(alpha, beta, n))
    for day in (7, 30, 90):
        p = float(room.sbg_survival(alpha, beta, day))
        assert abs((left_after > day).mean() - p) < 4 * (p * (1 - p) / n) ** 0.5


@pytest.mark.parametrize("name", room.CURVES)
def test_three_points_are_fitted_closely_and_said_not_to_be_met(name):
    points = {7: 0.60, 30: 0.40, 90: 0.30}
    curve = room.fit_curve(points, name)
    assert not curve.exact
    assert curve.max_error == pytest.approx(np.abs(curve.at(list(points)) - list(points.values())).max())
    assert curve.max_error < 0.03
    if name == "sbg":  # least squares: no neighbour is better
        best = np.square(curve.at([7, 30, 90]) - [0.6, 0.4, 0.3]).sum()
        for a, b in ((1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99)):
            other = room.sbg_survival(curve.params["alpha"] * a, curve.params["beta"] * b, [7, 30, 90])
            assert np.square(other - [0.6, 0.4, 0.3]).sum() > best


@pytest.mark.parametrize("name", room.CURVES)
def test_three_points_of_one_curve_are_met(name):
    true = room.fit_curve(SEED, name)
    again = room.fit_curve({7: 0.60, 30: 0.40, 90: true.at(90)}, name)
    assert_allclose(again.at([3, 180]), true.at([3, 180]), rtol=1e-6)


def test_monthly():
    curve = room.fit_sbg(SEED)
    assert_allclose(curve.monthly(3), curve.at([0, 30, 60, 90]))


def test_retention_rates_multiply_to_survival():
    rates = room.sbg_retention(0.7, 1.3, np.arange(1, 13))
    assert_allclose(rates.cumprod(), room.sbg_survival(0.7, 1.3, np.arange(1, 13)))


def test_sbg_limits():
    """Between one probability for all and nobody leaving after day 7; beyond, no such curve."""
    lowest = 0.60 ** (30 / 7)
    assert room.fit_sbg({7: 0.60, 30: lowest + 1e-4}).exact
    assert room.fit_sbg({7: 0.60, 30: 0.5999}).exact
    with pytest.raises(InputError) as caught:
        room.fit_sbg({7: 0.60, 30: lowest - 1e-4})
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("curve_points", "points[30]")
    assert problem.values["low"] == pytest.approx(lowest, abs=1e-6)


@pytest.mark.parametrize("name", room.CURVES)
@pytest.mark.parametrize(
    "points, code, field",
    [
        ({7: 0.6}, "too_few", "points"),
        ({}, "too_few", "points"),
        ({7: 0.4, 30: 0.6}, "not_falling", "points[30]"),
        ({30: 0.6, 7: 0.4}, "not_falling", "points[30]"),
        ({7: 0.4, 30: 0.4}, "not_falling", "points[30]"),
        ({7: 1.0, 30: 0.4}, "between", "points[7]"),
        ({7: 0.6, 30: 0.0}, "between", "points[30]"),
        ({7: 60.0, 30: 40.0}, "between", "points[7]"),
        ({7: 0.6, 30: float("nan")}, "not_finite", "points[30]"),
        ({0: 0.6, 30: 0.4}, "above", "points[0]"),
        ({7: "60%", 30: 0.4}, "not_number", "points[7]"),
    ],
)
def test_impossible_points(name, points, code, field):
    with pytest.raises(InputError) as caught:
        room.fit_curve(points, name)
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)


def test_other_bad_input():
    with pytest.raises(InputError):
        room.fit_curve(SEED, "exponential")
    with pytest.raises(InputError):
        room.fit_sbg(SEED).at(-1)
    with pytest.raises(InputError):
        room.sbg_survival(0.0, 1.0, 3)
    with pytest.raises(InputError) as caught:
        room.fit_sbg({7.5: 0.6, 30: 0.4})
    assert caught.value.problems[0].code == "not_whole"


def _reference():
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "planning.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] == "retention"]


@pytest.mark.parametrize("case", _reference())
def test_reference(case):
    given, expected = case["input"], case["expected"]
    if case["method"] == "power_law":
        curve = room.fit_power({int(day): share for day, share in given["points"].items()})
        assert_allclose([*curve.params.values(), curve.at(90)], [expected[k] for k in ("a", "b", "D90")])
    elif case["method"] == "sbg":
        assert_allclose(room.sbg_retention(given["alpha"], given["beta"], given["t"]), expected["retention"])
    else:
        pytest.skip("daily churn belongs to users.monthly_rate")


# ---- cohorts


def test_triangle_counts_young_cohorts_as_censored():
    """Column sums over all joiners would say 0.3667 after one month and 0.10 after two."""
    triangle = [[100, 60, 30], [100, 50, np.nan], [100, np.nan, np.nan]]
    found = room.triangle_survival(triangle, period_days=30)
    assert_allclose(found.days, [30, 60])
    assert_allclose(found.at_risk, [200, 60])
    assert_allclose(found.share, [0.55, 0.55 * 0.5])
    assert found.people == 200 + 100 and found.last_day == 60
    rows = [([30] * 40 + [60] * 30 + [60] * 30, [True] * 70 + [False] * 30), ([30] * 100, [True] * 50 + [False] * 50)]
    people = room.kaplan_meier(*(np.concatenate(column) for column in zip(*rows, strict=True)))
    assert_allclose(people.share, found.share)
    assert_allclose(people.standard_error, found.standard_error)


@pytest.mark.parametrize("name", room.CURVES)
def test_a_curve_from_followed_people_serves_where_curves_do(name):
    true = room.fit_curve(SEED, name)
    rng, n = np.random.default_rng(11), 200_000
    grid = np.arange(1, 2001)
    leave = np.append(grid, 5000)[np.searchsorted(-true.at(grid), -rng.random(n))].astype(float)
    stop = rng.integers(30, 181, n).astype(float)
    found = room.kaplan_meier(np.minimum(leave, stop), leave <= stop)
    days = [7, 30, 90]
    assert_allclose(found.at(days), true.at(days), atol=0.006)
    curve = room.fit_curve(found.points(days), name)
    assert_allclose(curve.monthly(12), true.monthly(12), atol=0.02)
    assert_allclose(found.monthly(3), found.at([0, 30, 60, 90]))
    assert set(found.points(days)) == set(days)
    assert all(later < earlier for earlier, later in zip(found.points().values(), list(found.points().values())[1:],
                                                         strict=False))


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.triangle_survival([[10, 11]], period_days=30), "not_falling", "people[0, 1]"),
        (lambda: room.triangle_survival([[10, np.nan, 5]], period_days=30), "missing", "people[0]"),
        (lambda: room.triangle_survival([[np.nan, 5]], period_days=30), "missing", "people[0]"),
        (lambda: room.triangle_survival([[-1, np.nan]], period_days=30), "at_least", "people[0, 0]"),
        (lambda: room.triangle_survival([[0, 0]], period_days=30), "above", "people"),
        (lambda: room.triangle_survival([10, 5], period_days=30), "shape", "people"),
        (lambda: room.triangle_survival([[10, 5]], period_days=0), "above", "period_days"),
    ],
)
def test_bad_follow_up(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)


@pytest.mark.parametrize("name", ["power", "weibull"])
def test_three_points_are_the_least_squares_of_the_logarithms(name):
    """7, 30 and 90 days, two parameters: the normal equations on the scale on which the curve is a line."""
    points = {7: 0.60, 30: 0.40, 90: 0.30}
    curve = room.fit_curve(points, name)
    x, share = np.log(list(points)), np.array(list(points.values()))
    y = np.log(share) if name == "power" else np.log(-np.log(share))
    slope = ((x - x.mean()) * (y - y.mean())).sum() / np.square(x - x.mean()).sum()
    level = y.mean() - slope * x.mean()
    expected = [np.exp(level), -slope] if name == "power" else [slope, np.exp(-level / slope)]
    assert_allclose(list(curve.params.values()), expected)
