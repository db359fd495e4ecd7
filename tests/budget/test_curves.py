"""Response curves against their own definitions, finite differences and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.curves import Curves, from_half_spend, from_known_cost, lower_envelope, upper_envelope
from planlib.core.errors import InputError

ROWS = [
    ("hill", 100.0, 40.0, 3.0),
    ("hill", 30.0, 20.0, 0.6),
    ("hill", 30.0, 20.0, 1.0),
    ("michaelis_menten", 50.0, 20.0),
    ("exponential", 50.0, 20.0),
    ("logarithmic", 5.0, 20.0),
    ("power", 3.0, 1.0, 0.5),
    ("logistic", 50.0, 20.0),
]
BY_HAND = [  # at a spend of 40
    50.0,  # x = k
    30 * 2**0.6 / (1 + 2**0.6),
    30 * 40 / 60,
    50 * 40 / 60,
    50 * (1 - np.exp(-2)),
    5 * np.log(3),
    3 * 40**0.5,
    50 * (1 - np.exp(-2)) / (1 + np.exp(-2)),
]


def test_values_by_hand():
    assert_allclose(Curves.of(ROWS).value(np.full(len(ROWS), 40.0)), BY_HAND, rtol=1e-14)


def test_slope_is_the_derivative():
    curves, x = Curves.of(ROWS), np.linspace(3.0, 90.0, len(ROWS))
    h = 1e-6 * x
    assert_allclose(curves.slope(x), (curves.value(x + h) - curves.value(x - h)) / (2 * h), rtol=1e-7)


def test_slope_at_nothing():
    assert_allclose(Curves.of(ROWS).slope(np.zeros(len(ROWS))), [0, np.inf, 1.5, 2.5, 2.5, 0.25, np.inf, 1.25])


@given(st.floats(0.05, 4.0))
def test_spend_at_slope_gives_the_slope_back(share):
    curves = Curves.of(ROWS)
    x = np.maximum(share * curves.scale, curves.inflection * 1.001)
    assert_allclose(curves.spend_at_slope(curves.slope(x)), x, rtol=1e-9)


def test_too_steep_a_slope_is_reached_nowhere():
    steep = Curves.of([row for row in ROWS if row[0] != "power" and row[-1] != 0.6])
    assert_allclose(steep.spend_at_slope(np.full(len(steep), 1e6)), 0.0)


def test_many_draws_at_once():
    curves = Curves.of(ROWS)
    x = np.random.default_rng(1).uniform(0, 90, (7, len(ROWS)))
    assert_allclose(curves.value(x)[3], curves.value(x[3]))


def test_half_of_the_ceiling_at_the_half_spend():
    for kind in ("hill", "michaelis_menten", "exponential", "logistic"):
        row = from_half_spend(kind, ceiling=8.0, half_spend=30.0, shape=2.5)
        assert_allclose(Curves.of([row]).value(np.array([30.0])), 4.0)


def test_known_cost_is_met_and_the_ceiling_kept():
    for kind in ("hill", "michaelis_menten", "exponential", "logistic"):
        curve = Curves.of([from_known_cost(kind, spend=5e5, cost_each=20.0, ceiling=6e4, shape=1.7)])
        assert_allclose(5e5 / curve.value(np.array([5e5])), 20.0)
        assert_allclose(curve.value(np.array([1e13])), 6e4, rtol=1e-6)


def test_known_cost_above_the_ceiling_is_named():
    with pytest.raises(InputError) as error:
        from_known_cost("hill", spend=100.0, cost_each=1.0, ceiling=90.0)
    assert error.value.problems[0].field == "ceiling"


@pytest.mark.parametrize("row", [ROWS[0], ("hill", 1.0, 100.0, 5.0)])
@pytest.mark.parametrize(
    "low, high, least", [(0, 200, 0), (10, 200, 0), (0, 30, 0), (0, 200, 60), (60, 200, 0), (0, 200, 20)]
)
def test_upper_envelope_is_the_concave_hull(row, low, high, least):
    curve = Curves.of([row])
    ends = (np.array([float(v)]) for v in (low, high, least))
    touch = upper_envelope(curve, *ends)[0]
    x = np.unique([low, *np.linspace(max(low, least), high, 4001)])
    y = np.array([curve.value(np.array([v]))[0] for v in x])
    width = touch - low
    at_low, at_touch = (curve.value(np.array([v]))[0] for v in (low, touch))
    line = at_low + (at_touch - at_low) * (x - low) / (width or 1.0)
    hull = np.where(x < touch, line, y)
    assert (hull >= y - 1e-9 * row[1]).all()
    right = x >= max(low, least)
    slopes = np.diff(hull[right]) / np.diff(x[right])
    assert (np.diff(slopes) <= 1e-9).all()


@pytest.mark.parametrize("low, high", [(0.0, 200.0), (0.0, 25.0), (20.0, 60.0), (50.0, 100.0)])
def test_lower_envelope_is_the_convex_hull(low, high):
    curve = Curves.of([ROWS[0]])
    leave = lower_envelope(curve, np.array([low]), np.array([high]))[0]
    x = np.linspace(low, high, 4001)
    y = np.array([curve.value(np.array([v]))[0] for v in x])
    at_leave, at_high = (curve.value(np.array([v]))[0] for v in (leave, high))
    hull = np.where(x > leave, at_high - (at_high - at_leave) * (high - x) / max(high - leave, 1e-12), y)
    assert (hull <= y + 1e-9).all()
    assert (np.diff(np.diff(hull)) >= -1e-9).all()


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        Curves(("hill", "square"), [1.0, -1.0], [0.0, 1.0], [1.0, np.nan])
    assert {p.field for p in error.value.problems} == {"kind[1]", "amount[1]", "scale[0]", "shape[1]"}


def test_power_has_to_be_concave():
    with pytest.raises(InputError):
        Curves.of([("power", 1.0, 1.0, 1.0)])
