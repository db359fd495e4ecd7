"""Shares: published intervals, exact tests, independent solvers, symmetry, one-sided, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats
from statsmodels.stats import proportion as peer

from planlib.core.errors import InputError
from planlib.experiments import proportions as room
from planlib.experiments.proportions import lift_of_proportions, one_proportion, two_proportions

counts = st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)
SOME = [(48, 80, 56, 70), (3, 10, 9, 10), (1, 34, 7, 34), (0, 20, 5, 20), (480, 10_000, 1200, 22_000)]


def ends(result):
    return result.interval.low, result.interval.high


# Newcombe 1998, tables II and III, contrasts (a) 56/70 - 48/80 and (b) 9/10 - 3/10; Fagerland et al. 2015
@pytest.mark.parametrize(
    ("interval", "case", "low", "high"),
    [
        ("newcombe", (48, 80, 56, 70), 0.0524, 0.3339),
        ("newcombe", (3, 10, 9, 10), 0.1705, 0.8090),
        ("mee", (48, 80, 56, 70), 0.0533, 0.3377),
        ("mee", (3, 10, 9, 10), 0.1821, 0.8370),
        ("mee", (1, 34, 7, 34), 0.028, 0.34),
        ("miettinen_nurminen", (48, 80, 56, 70), 0.0528, 0.3382),
        ("miettinen_nurminen", (3, 10, 9, 10), 0.1700, 0.8406),
        ("wald", (48, 80, 56, 70), 0.0575, 0.3425),
    ],
)
def test_published_intervals(interval, case, low, high):
    digits = 2 if case[1] == 34 else 4
    assert ends(two_proportions(*case, interval=interval)) == pytest.approx((low, high), abs=0.51 * 10**-digits)


def score_statistic(c_x, c_n, t_x, t_n, delta, factor):
    """The constrained maximum found by search instead of the cubic."""

    def minus_log(p):
        q = p - delta
        terms = [(t_x, p), (t_n - t_x, 1 - p), (c_x, q), (c_n - c_x, 1 - q)]
        return -sum(k * math.log(max(share, 1e-300)) for k, share in terms if k)

    low, high = max(0.0, delta), min(1.0, 1 + delta)
    p = optimize.minimize_scalar(minus_log, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    variance = p * (1 - p) / t_n + (p - delta) * (1 - p + delta) / c_n
    n = c_n + t_n
    return (t_x / t_n - c_x / c_n - delta) / math.sqrt(variance * (n / (n - 1) if factor else 1.0))


@pytest.mark.parametrize("case", SOME)
@pytest.mark.parametrize(("interval", "factor"), [("mee", False), ("miettinen_nurminen", True)])
def test_score_limits_are_where_the_score_test_turns(case, interval, factor):
    low, high = ends(two_proportions(*case, interval=interval))
    z = stats.norm.ppf(0.975)
    assert score_statistic(*case, low, factor) == pytest.approx(z, abs=2e-6)
    assert score_statistic(*case, high, factor) == pytest.approx(-z, abs=2e-6)


def score_ratio_statistic(c_x, c_n, t_x, t_n, ratio):
    def minus_log(c):
        t = ratio * c
        terms = [(t_x, t), (t_n - t_x, 1 - t), (c_x, c), (c_n - c_x, 1 - c)]
        return -sum(k * math.log(max(share, 1e-300)) for k, share in terms if k)

    limits = {"bounds": (0, min(1.0, 1 / ratio)), "options": {"xatol": 1e-13}}
    c = optimize.minimize_scalar(minus_log, method="bounded", **limits).x
    t, n = ratio * c, c_n + t_n
    variance = (t * (1 - t) / t_n + ratio**2 * c * (1 - c) / c_n) * n / (n - 1)
    return (t_x / t_n - ratio * c_x / c_n) / math.sqrt(variance)


@pytest.mark.parametrize("case", [case for case in SOME if case[0]])
def test_score_limits_of_the_lift(case):
    low, high = ends(lift_of_proportions(*case))
    z = stats.norm.ppf(0.975)
    assert score_ratio_statistic(*case, 1 + low) == pytest.approx(z, abs=1e-5)
    assert score_ratio_statistic(*case, 1 + high) == pytest.approx(-z, abs=1e-5)


@pytest.mark.parametrize("case", SOME)
def test_peers(case):
    c_x, c_n, t_x, t_n = case
    pooled = two_proportions(*case)
    z, p = peer.proportions_ztest([t_x, c_x], [t_n, c_n])
    assert (pooled.statistic, pooled.p_value) == pytest.approx((z, p), rel=1e-10)
    for ours, theirs in (("newcombe", "newcomb"), ("wald", "wald"), ("agresti_caffo", "agresti-caffo")):
        expected = peer.confint_proportions_2indep(t_x, t_n, c_x, c_n, method=theirs, compare="diff")
        assert ends(two_proportions(*case, interval=ours)) == pytest.approx(expected, rel=1e-9)
    if c_x:
        expected = np.array(peer.confint_proportions_2indep(t_x, t_n, c_x, c_n, method="log", compare="ratio"))
        assert ends(lift_of_proportions(*case, interval="katz")) == pytest.approx(expected - 1, rel=1e-9)
    for ours, theirs in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        assert ends(one_proportion(c_x, c_n, interval=ours)) == pytest.approx(
            peer.proportion_confint(c_x, c_n, method=theirs), rel=1e-9, abs=1e-15
        )


@pytest.mark.parametrize("side", ["two_sided", "greater", "less"])
@pytest.mark.parametrize("case", [*SOME[:4], (2, 7, 3, 90), (5, 5, 0, 6), (0, 3, 0, 4)])
def test_exact_tests_against_scipy(case, side):
    c_x, c_n, t_x, t_n = case
    table = [[t_x, c_x], [t_n - t_x, c_n - c_x]]
    other = side.replace("_", "-")
    fisher = two_proportions(*case, test="fisher", alternative=side).p_value
    assert fisher == pytest.approx(stats.fisher_exact(table, alternative=other).pvalue, rel=1e-9)
    boschloo = two_proportions(*case, test="boschloo", alternative=side).p_value
    theirs = stats.boschloo_exact(table, alternative=other, n=64).pvalue
    assert boschloo == pytest.approx(1.0 if np.isnan(theirs) else theirs, rel=1e-6)


def test_boschloo_never_exceeds_its_level_and_beats_fisher():
    """All tables of 5 and 6 people: at no common rate is p <= 0.1 likelier than 0.1."""
    c_n, t_n = 5, 6
    exact, fisher = (
        np.array([
            [two_proportions(x, c_n, y, t_n, test=test, alternative="greater").p_value for y in range(t_n + 1)]
            for x in range(c_n + 1)
        ])
        for test in ("boschloo", "fisher")
    )
    assert (exact <= fisher + 1e-9).all() and (exact < fisher - 1e-3).any()
    rates = np.linspace(0.01, 0.99, 99)
    c, t = (stats.binom.pmf(np.arange(n + 1)[:, None], n, rates) for n in (c_n, t_n))
    size = np.einsum("xr,yr,xy->r", c, t, exact <= 0.1)
    assert size.max() <= 0.1 + 1e-9


@settings(max_examples=40)
@given(counts, st.sampled_from([*room.INTERVALS]), st.sampled_from([0.8, 0.95, 0.99]))
def test_intervals_hold_the_estimate_turn_with_the_arms_and_widen(case, interval, level):
    got = two_proportions(*case, interval=interval, level=level)
    if got.interval is None:
        assert got.reason == "no_variance" and interval == "wald"
        return
    low, high = ends(got)
    if interval != "agresti_caffo":  # its centre is pulled towards one half
        assert low - 1e-9 <= got.estimate <= high + 1e-9
    assert low < high
    swapped = ends(two_proportions(*case[2:], *case[:2], interval=interval, level=level))
    assert swapped == pytest.approx((-high, -low), abs=1e-7)
    wider = ends(two_proportions(*case, interval=interval, level=0.999))
    assert wider[0] <= low + 1e-9 and high <= wider[1] + 1e-9


@settings(max_examples=40)
@given(counts)
def test_mee_agrees_with_the_pooled_test(case):
    """The score interval excludes zero exactly when the pooled z test rejects."""
    got = two_proportions(*case, interval="mee")
    if got.p_value is not None and abs(got.p_value - 0.05) > 1e-6:
        low, high = ends(got)
        assert (got.p_value < 0.05) == (not low <= 0 <= high)


@settings(max_examples=40)
@given(counts)
def test_lift_intervals_hold_the_estimate(case):
    got = lift_of_proportions(*case)
    if case[0] == 0:
        assert (got.estimate, got.interval, got.reason) == (None, None, "control_zero")
        return
    low, high = ends(got)
    assert -1 <= low <= got.estimate + 1e-9 and got.estimate <= high + 1e-9 and math.isfinite(high)
    katz = lift_of_proportions(*case, interval="katz")
    if case[2] == 0:
        assert (katz.interval, katz.reason) == (None, "treatment_zero")


@pytest.mark.parametrize("interval", room.INTERVALS)
def test_a_one_sided_limit_is_that_of_the_wider_interval(interval):
    both = two_proportions(*SOME[0], interval=interval, level=0.9)
    upper = two_proportions(*SOME[0], interval=interval, alternative="greater")
    lower = two_proportions(*SOME[0], interval=interval, alternative="less")
    assert ends(upper) == (pytest.approx(both.interval.low), 1.0)
    assert ends(lower) == (-1.0, pytest.approx(both.interval.high))
    assert upper.p_value + lower.p_value == pytest.approx(1.0)
    assert upper.p_value == pytest.approx(both.p_value / 2)


def test_nobody_and_everybody_converts():
    """No p-value can be told, yet the interval is kept; never p = 1 with [0, 0]."""
    for case in ((0, 100, 0, 100), (100, 100, 100, 100)):
        got = two_proportions(*case)
        assert (got.estimate, got.p_value, got.reason) == (0.0, None, "no_variance")
        assert got.interval.low < -0.03 < 0.03 < got.interval.high


@pytest.mark.parametrize(
    ("case", "codes", "text"),
    [
        ((120, 100, 50, 100), ["count_above_n"], "120"),
        ((-5, 100, 50, 100), ["at_least"], "-5"),
        ((2.5, 100, 50, 100), ["not_whole"], "2.5"),
        ((10, "100", 50, 100), ["not_number"], "100"),
        ((10, 100, float("nan"), 100), ["not_finite"], "nan"),
        ((10, 100, 5, float("inf")), ["not_finite"], "inf"),
        ((0, 0, 5, 10), ["at_least"], "c_n"),
        ((True, 10, 5, 10), ["not_number"], "c_x"),
        ((-1, 10, 50, 20), ["at_least", "count_above_n"], "t_x"),
        ((None, 10, 5, 10), ["not_number"], "c_x"),
    ],
)
def test_impossible_counts_are_refused(case, codes, text):
    for call in (two_proportions, lift_of_proportions):
        with pytest.raises(InputError) as caught:
            call(*case)
        assert [problem.code for problem in caught.value.problems] == codes
        assert text in str(caught.value)


def test_options_are_checked():
    for options in ({"test": "t"}, {"interval": "x"}, {"level": 1.0}, {"alternative": "up"},
                    {"level": 0.4, "alternative": "less"}):
        with pytest.raises(InputError):
            two_proportions(1, 10, 2, 10, **options)
    with pytest.raises(InputError, match="2000"):
        two_proportions(1, 10_000, 2, 10_000, test="boschloo")


def test_large_arms_keep_their_digits():
    got = two_proportions(50_000, 1_000_000, 50_600, 1_000_000)
    assert_allclose([got.statistic, got.p_value], [1.9411497530958604, 0.05224011574880628], rtol=1e-12)
    fisher = two_proportions(50_000, 1_000_000, 50_600, 1_000_000, test="fisher").p_value
    assert fisher == pytest.approx(got.p_value, rel=0.01)
