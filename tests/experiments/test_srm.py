"""Sample ratio mismatch: scipy as peer, alarm rate, unequal shares, arms planned empty, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planlib.core.errors import InputError
from planlib.experiments.srm import srm

arms = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 9)), min_size=2, max_size=6)


@given(arms)
def test_against_scipy(table):
    observed, weights = zip(*table, strict=True)
    if sum(observed) == 0:
        return
    got = srm(observed, weights, weights=True)
    expected = np.array(weights) / sum(weights) * sum(observed)
    peer = stats.chisquare(observed, expected)
    assert (got.chi2, got.p_value) == pytest.approx((peer.statistic, peer.pvalue), rel=1e-9, abs=1e-300)
    assert got.alarm == (got.p_value < 0.001) and got.n == sum(observed) and got.df == len(observed) - 1


def test_the_published_cookie_cats_split():
    got = srm([44_700, 45_489], [0.5, 0.5])
    assert round(got.p_value, 4) == 0.0086 and not got.alarm


def test_alarm_rate_under_the_plan():
    rng, reps = np.random.default_rng(4), 20_000
    counts = rng.multinomial(3000, [0.5, 0.3, 0.2], reps)
    expected = 3000 * np.array([0.5, 0.3, 0.2])
    chi2 = (np.square(counts - expected) / expected).sum(axis=1)
    rate = (chi2 > stats.chi2.isf(0.05, 2)).mean()
    assert abs(rate - 0.05) < 4 * math.sqrt(0.05 * 0.95 / reps)
    assert srm(counts[0], [0.5, 0.3, 0.2]).chi2 == pytest.approx(chi2[0])


def test_people_in_an_arm_planned_without_any():
    got = srm([1000, 990, 3], [0.5, 0.5, 0.0])
    assert got.alarm and got.p_value == 0.0 and got.chi2 == math.inf
    assert not srm([1000, 990, 0], [0.5, 0.5, 0.0]).alarm


def test_an_arm_that_received_nobody():
    assert srm([1000, 0], [0.5, 0.5]).alarm


@pytest.mark.parametrize(
    ("observed", "planned", "code"),
    [
        ([0, 0], [0.5, 0.5], "above"),
        ([10], [1.0], "too_few"),
        ([10, 12], [0.5, 0.6], "shares_sum"),
        ([10, 12], [1, 1], "shares_sum"),
        ([10, 12], [0.5, 0.3, 0.2], "shape"),
        ([10, -1], [0.5, 0.5], "at_least"),
        ([10, 1.5], [0.5, 0.5], "not_whole"),
        (["10", "12"], [0.5, 0.5], "not_number"),
        ([10, math.nan], [0.5, 0.5], "not_finite"),
        ([10, 12], [1.5, -0.5], "at_least"),
        ([10, 12], [1.0, 0.0], "too_few"),
        ([], [], "empty"),
    ],
)
def test_bad_input_is_named(observed, planned, code):
    with pytest.raises(InputError) as caught:
        srm(observed, planned)
    assert caught.value.problems[0].code == code
