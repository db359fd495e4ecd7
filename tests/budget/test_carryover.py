"""Carry-over by hand, and that spend is moved, never created."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.budget.carryover import adstock, weibull_adstock
from planlib.core.errors import InputError

weekly = arrays(float, (12, 2), elements=st.floats(0, 1e6))


@pytest.mark.parametrize("decay, expected", [(0.0, [90, 0, 0]), (0.5, [60, 30, 0])])
def test_normalised_impulse(decay, expected):
    got = adstock(np.array([[90.0], [0], [0]]), np.array([decay]), max_lag=2)
    assert_allclose(got[:, 0], expected)


def test_recursive_impulse():
    assert_allclose(adstock(np.array([[8.0], [0], [2]]), np.array([0.25]))[:, 0], [8, 2, 2.5])


def test_weibull_by_hand():
    """Shape 1, scale 1: weights e^0, e^-1, e^-2 over their sum."""
    weights = np.exp(-np.arange(3.0)) / np.exp(-np.arange(3.0)).sum()
    got = weibull_adstock(np.array([[1.0], [0], [0]]), np.array([1.0]), np.array([1.0]), max_lag=3)
    assert_allclose(got[:, 0], weights)


@given(weekly, st.floats(0, 0.95), st.integers(1, 15))
def test_spend_is_never_created(spend, decay, lags):
    out = adstock(spend, np.full(2, decay), max_lag=lags)
    assert (out.sum(0) <= spend.sum(0) * (1 + 1e-9) + 1e-9).all()


@given(weekly, st.floats(0.3, 4), st.floats(0.3, 8))
def test_weibull_never_creates_spend(spend, shape, scale):
    out = weibull_adstock(spend, np.full(2, shape), np.full(2, scale))
    assert (out.sum(0) <= spend.sum(0) * (1 + 1e-9) + 1e-9).all()


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        adstock(np.array([[-1.0, 2.0]]), np.array([1.0]), max_lag=0)
    assert {p.field for p in error.value.problems} >= {"spend[0, 0]", "decay[0]", "max_lag"}
