"""Ranks, quantiles, winsorised values: peers, exact coverage, by hand, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planlib.core.errors import InputError
from planlib.experiments.ranks import mann_whitney, order_statistics, quantile_difference, winsorise

few = st.lists(st.integers(0, 12).map(float), min_size=2, max_size=25)


@given(few, few, st.sampled_from(["two_sided", "greater", "less"]))
def test_mann_whitney_against_scipy(c, t, side):
    got = mann_whitney(c, t, alternative=side)
    peer = stats.mannwhitneyu(t, c, alternative=side.replace("_", "-"), method="asymptotic")
    assert got.detail["u"] == peer.statistic
    if got.reason == "no_variance":
        assert len(set(c + t)) == 1 and got.p_value is None
    else:
        assert got.p_value == pytest.approx(peer.pvalue, rel=1e-9)
    if got.interval and side == "two_sided":
        assert 0 < got.interval.low <= got.estimate <= got.interval.high < 1


def test_superiority_turns_with_the_arms():
    c, t = np.random.default_rng(2).normal(0, 1, (2, 80))
    there, back = mann_whitney(c, t + 0.4), mann_whitney(t + 0.4, c)
    assert there.estimate == pytest.approx(1 - back.estimate)
    assert (there.interval.low, there.p_value) == pytest.approx((1 - back.interval.high, back.p_value))


def test_arms_apart_have_no_interval():
    got = mann_whitney([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert (got.estimate, got.interval, got.reason) == (1.0, None, "no_overlap")
    assert got.p_value is not None
    assert mann_whitney([1.0], [1.0, 2.0]).reason == "too_few"


@given(st.integers(1, 300), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.95, 0.99]))
def test_ranks_are_the_equal_tails_of_the_binomial(n, q, level):
    got = order_statistics(np.arange(1.0, n + 1), q, level=level)
    tail = (1 - level) / 2
    lower, upper = stats.binom.ppf([tail, 1 - tail], n, q)
    if got.lower_rank is None:
        assert lower < 1 or upper + 1 > n
        return
    assert (got.lower_rank, got.upper_rank) == (lower, upper + 1)
    assert (got.low, got.high) == (lower, upper + 1)
    assert got.coverage == pytest.approx(stats.binom.cdf(upper, n, q) - stats.binom.cdf(lower - 1, n, q))
    assert got.coverage >= level - 1e-12


def test_quantile_difference_by_variance_recovery():
    c, t = np.arange(1.0, 101), np.arange(11.0, 111) * 2
    got = quantile_difference(c, t, 0.5)
    assert got.estimate == 121.0 - 50.5
    assert got.interval.low == pytest.approx(70.5 - math.hypot(121 - 100, 61 - 50.5))
    assert got.interval.high == pytest.approx(70.5 + math.hypot(142 - 121, 50.5 - 40))
    upper = quantile_difference(c, t, 0.5, alternative="greater")
    assert upper.interval.high == math.inf and upper.interval.low > got.interval.low
    assert quantile_difference(c[:4], t, 0.9).reason == "too_few"
    assert quantile_difference([2.0] * 50, [3.0] * 50, 0.5).reason == "no_variance"


def test_winsorising_cuts_both_arms_alike():
    c, t = np.arange(1.0, 51), np.append(np.arange(51.0, 100), 1e6)
    cut_c, cut_t, floor, cap = winsorise(c, t, upper_q=0.99, lower_q=0.02)
    both = np.concatenate([c, t])
    assert (floor, cap) == (np.quantile(both, 0.02), np.quantile(both, 0.99))
    assert cut_c.min() == floor and cut_t.max() == cap and len(cut_t) == len(t)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mann_whitney([], [1.0]),
        lambda: mann_whitney([1.0, math.nan], [1.0]),
        lambda: mann_whitney(["a"], [1.0]),
        lambda: order_statistics([1.0], 1.0),
        lambda: order_statistics([1.0, math.inf], 0.5),
        lambda: quantile_difference([1.0], [1.0], 0.5, level=1.0),
        lambda: winsorise([1.0], [2.0], upper_q=0.2, lower_q=0.3),
        lambda: winsorise([1.0], []),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InputError):
        call()
