"""Capability fit: 1 when supply meets need, weights by AHP, the stated slope used locally only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as s
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.baseline.capability import ahp_weights, efficiency_gain, fit
from planlib.core.errors import InputError

shares = arrays(float, 4, elements=s.floats(0, 1))


@given(shares, shares)
def test_fit_lies_between_zero_and_one_and_is_one_when_supply_meets_need(supply, need):
    found = fit(supply, [need, supply])
    assert 0 <= found.fit[0] <= 1 + 1e-12
    assert found.fit[1] == 1.0 and found.worst[1] == -1


def test_the_largest_shortfall_is_named():
    found = fit([0.5, 0.9, 0.2], [[0.9, 1.0, 0.6]], [0.2, 0.2, 0.6])
    assert found.worst[0] == 2 and found.fit[0] == pytest.approx(1 - 0.08 - 0.02 - 0.24)


def test_a_rise_of_ten_per_cent_brings_a_quarter_with_its_reading():
    points = efficiency_gain(0.5, 0.6, reading="points")
    relative = efficiency_gain(0.5, 0.55, reading="relative")
    assert (points["gain"], points["reading"]) == (0.25, "points")
    assert (relative["gain"], relative["reading"]) == (0.25, "relative")


@pytest.mark.parametrize("then, reading", [(0.71, "points"), (0.61, "relative"), (0.29, "points")])
def test_beyond_twice_the_step_nothing_is_said(then, reading):
    with pytest.raises(InputError):
        efficiency_gain(0.5, then, reading=reading)
    assert efficiency_gain(0.5, 0.7 if reading == "points" else 0.6, reading=reading)["gain"] == 0.5


def test_ahp_recovers_weights_of_consistent_comparisons():
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    found = ahp_weights(weights[:, None] / weights[None, :])
    assert_allclose(found.weights, weights)
    assert found.consistency_ratio == pytest.approx(0, abs=1e-9) and found.consistent


def test_ahp_three_by_three_by_hand():
    """Saaty's index: (lambda - 3) / 2 / 0.58; for three rows the geometric means are the eigenvector."""
    matrix = np.array([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]])
    found = ahp_weights(matrix)
    means = np.cbrt(matrix.prod(axis=1))
    assert_allclose(found.weights, means / means.sum(), rtol=1e-9)
    top = (matrix @ found.weights / found.weights).mean()
    assert found.consistency_ratio == pytest.approx((top - 3) / 2 / 0.58)
    assert found.consistent


def test_ahp_tells_comparisons_in_a_circle():
    assert not ahp_weights([[1, 5, 1 / 5], [1 / 5, 1, 5], [5, 1 / 5, 1]]).consistent


@pytest.mark.parametrize(
    "call",
    [
        lambda: ahp_weights([[1, 2], [2, 1]]),
        lambda: ahp_weights([[1, 2]]),
        lambda: fit([0.5], [[0.5, 0.5]]),
        lambda: fit([1.5], [[0.5]]),
        lambda: fit([0.5, 0.5], [[0.5, 0.5]], [0.5, 0.6]),
        lambda: efficiency_gain(0.5, 0.55, reading="per_cent"),
    ],
)
def test_impossible_scores_are_refused(call):
    with pytest.raises(InputError):
        call()
