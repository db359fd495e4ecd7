"""Means, ratios, lift, clusters, strata: peers, closed forms, where Fieller turns, negative controls, bad input."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.regression.linear_model import OLS

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError
from planlib.experiments import means as room
from planlib.experiments.means import clustered_mean, difference, lift, mean, poststratify, ratio

SUMMARY = st.tuples(st.integers(2, 400), st.floats(-50, 50), st.floats(0.1, 20))


def arm(n, centre, sd):
    return mean(Aggregates.from_summary("y", n, centre, sd), "y")


def of(values, **others):
    return Aggregates.from_arrays({"y": np.asarray(values, dtype=float)} | others)


def ends(result):
    return result.interval.low, result.interval.high


@pytest.fixture(scope="module")
def two_arms():
    rng = np.random.default_rng(41)
    return rng.gamma(2.0, 3.0, 170), rng.gamma(2.5, 3.0, 240)


@pytest.mark.parametrize("side", ["two_sided", "greater", "less"])
@pytest.mark.parametrize(("test", "equal"), [("welch", False), ("student", True)])
def test_t_tests_against_scipy(two_arms, test, equal, side):
    c, t = two_arms
    got = difference(mean(of(c), "y"), mean(of(t), "y"), test=test, alternative=side, level=0.9)
    peer = stats.ttest_ind(t, c, equal_var=equal, alternative=side.replace("_", "-"))
    assert (got.statistic, got.p_value, got.df) == pytest.approx((peer.statistic, peer.pvalue, peer.df), rel=1e-9)
    interval = peer.confidence_interval(0.9)
    assert ends(got) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert (got.n, got.method, got.interval.level) == ((170, 240), test, 0.9)


def test_z_is_the_t_test_of_very_many():
    many = difference(arm(10**8, 1.0, 2.0), arm(10**8, 1.0005, 2.0))
    z = difference(arm(10**8, 1.0, 2.0), arm(10**8, 1.0005, 2.0), test="z")
    assert (many.p_value, *ends(many)) == pytest.approx((z.p_value, *ends(z)), rel=1e-6)


def test_a_far_tail_keeps_its_digits():
    got = difference(arm(50, 0.0, 1.0), arm(60, 9.0, 1.0))
    assert got.p_value == pytest.approx(2 * stats.t.sf(got.statistic, got.df), rel=1e-9)
    assert 0 < got.p_value < 1e-50


def test_ratio_is_the_mean_of_its_linear_part():
    rng = np.random.default_rng(5)
    sessions = rng.poisson(3, 500) + 1.0
    orders = rng.binomial(sessions.astype(int), 0.2).astype(float)
    got = ratio(Aggregates.from_arrays({"o": orders, "s": sessions}), "o", "s")
    value = orders.sum() / sessions.sum()
    linear = (orders - value * sessions) / sessions.mean()
    assert_allclose([got.value, got.variance], [value, linear.var(ddof=1) / 500], rtol=1e-10)


def test_clusters_widen_what_rows_alone_would_say():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 60, 1500)
    values = rng.normal(0, 1, 1500) + rng.normal(0, 0.5, 60)[labels]
    got = clustered_mean(values, labels)
    peer = OLS(values, np.ones(1500)).fit(cov_type="cluster", cov_kwds={"groups": labels})
    assert float(got.value) == pytest.approx(values.mean())
    assert math.sqrt(got.variance) == pytest.approx(peer.bse[0], rel=0.02)
    assert got.variance > 3 * mean(of(values), "y").variance and got.n == 60


def test_poststratification_by_hand():
    c = Aggregates.from_arrays({"y": [1.0, 3.0, 10.0, 12.0]}, groups=np.array([0, 0, 1, 1]))
    t = Aggregates.from_arrays({"y": [4.0, 6.0, 5.0, 9.0, 11.0, 13.0, 15.0, 17.0]}, groups=np.array([0] * 3 + [1] * 5))
    got = poststratify(c, t, "y")
    assert got.estimate == pytest.approx(5 / 12 * (5 - 2) + 7 / 12 * (13 - 11))
    variance = (5 / 12) ** 2 * (1 / 3 + 2 / 2) + (7 / 12) ** 2 * (10 / 5 + 2 / 2)
    assert got.se == pytest.approx(math.sqrt(variance))
    assert got.n == (4, 8)


def test_one_stratum_is_welch(two_arms):
    c, t = two_arms
    split = [Aggregates.from_arrays({"y": y}, groups=np.zeros(len(y), dtype=int)) for y in (c, t)]
    got, welch = poststratify(*split, "y"), difference(mean(of(c), "y"), mean(of(t), "y"))
    assert (got.estimate, got.p_value, *ends(got)) == pytest.approx((welch.estimate, welch.p_value, *ends(welch)))


def test_strata_that_are_too_small_are_said():
    c = Aggregates.from_arrays({"y": [1.0, 3.0, 10.0]}, groups=np.array([0, 0, 1]), n_groups=3)
    t = Aggregates.from_arrays({"y": [4.0, 6.0, 5.0]}, groups=np.array([0, 0, 1]), n_groups=3)
    assert poststratify(c, t, "y").reason == "stratum_too_small"
    alone = Aggregates.from_arrays({"y": [4.0, 6.0]}, groups=np.array([0, 2]), n_groups=3)
    got = poststratify(c, alone, "y")
    assert (got.estimate, got.reason) == (None, "stratum_too_small")
    with pytest.raises(InputError):
        poststratify(c[0], t[0], "y")


# lift


@given(SUMMARY, SUMMARY, st.sampled_from(["two_sided", "greater", "less"]))
def test_fieller_limits_are_where_welch_on_the_ratio_turns(c, t, side):
    """At each limit R the difference t - R c is exactly q standard errors from zero, with the Welch df of t - c."""
    one, other = arm(*c), arm(*t)
    assume(abs(c[1]) > 1e-3)
    got = lift(one, other, alternative=side)
    if got.reason == "unbounded":
        assert got.detail["g"] >= 1 and got.estimate is not None
        return
    q = stats.t.ppf(0.975 if side == "two_sided" else 0.95, got.df)
    for end in ends(got):
        if math.isfinite(end):
            r = 1 + end
            gap = (t[1] - r * c[1]) / math.sqrt(other.variance + r * r * one.variance)
            assert abs(gap) == pytest.approx(q, rel=1e-4)
    low, high = ends(got)
    assert low <= got.estimate <= high


@given(SUMMARY, SUMMARY)
def test_fieller_excludes_zero_exactly_when_welch_does(c, t):
    assume(abs(c[1]) > 1e-3)
    got, absolute = lift(arm(*c), arm(*t)), difference(arm(*c), arm(*t))
    assert got.p_value == pytest.approx(absolute.p_value)
    if got.interval and abs(got.p_value - 0.05) > 1e-6:
        low, high = ends(got)
        assert (got.p_value < 0.05) == (not low <= 0 <= high)


@pytest.mark.parametrize("method", room.LIFTS)
def test_the_scale_and_sign_of_the_metric_do_not_matter(method):
    """Losses are compared like gains: a negative control turns nothing round."""
    plain = lift(arm(300, 10.0, 8.0), arm(400, 11.0, 9.0), method=method)
    for factor in (-1.0, 100.0, -0.01):
        got = lift(arm(300, 10 * factor, 8 * abs(factor)), arm(400, 11 * factor, 9 * abs(factor)), method=method)
        assert (got.estimate, got.p_value, *ends(got)) == pytest.approx((plain.estimate, plain.p_value, *ends(plain)))
        assert ends(got)[0] < got.estimate < ends(got)[1]


@pytest.mark.parametrize("method", room.LIFTS)
def test_lift_methods_agree_on_large_arms(method):
    got = lift(arm(10**6, 25.3, 60.1), arm(10**6, 25.5, 61.0), method=method)
    assert ends(got) == pytest.approx((0.00126, 0.01455), abs=1e-4)


def test_log_and_linear_delta_by_hand():
    c, t = arm(100, 10.0, 5.0), arm(100, 12.0, 6.0)
    q = stats.t.ppf(0.975, float(room.welch_df(c, t)))
    se = math.sqrt(0.36 / 100 + 144 * 0.25 / 10_000)
    assert ends(lift(c, t, method="delta")) == pytest.approx((0.2 - q * se, 0.2 + q * se))
    parts = 0.25 / 100, 0.36 / 144
    df = sum(parts) ** 2 / sum(part**2 / 99 for part in parts)
    half = stats.t.ppf(0.975, df) * math.sqrt(sum(parts))
    assert ends(lift(c, t, method="log_delta")) == pytest.approx((1.2 * math.exp(-half) - 1, 1.2 * math.exp(half) - 1))


def test_one_sided_lift_of_a_negative_control_asks_for_a_higher_ratio():
    up = lift(arm(500, -10.0, 5.0), arm(500, -12.0, 5.0), alternative="greater")
    assert up.p_value < 1e-6 and 0 < up.interval.low < 0.2 and up.interval.high == math.inf


# what cannot be computed


@pytest.mark.parametrize(
    ("c", "t", "estimate", "reason"),
    [
        ([3.0] * 10, [3.0] * 10, 0.0, "no_variance"),
        ([3.0] * 10, [4.0] * 10, 1.0, "no_variance"),
        ([0.1] * 10, [0.1] * 10, 0.0, "no_variance"),
        ([3.0], [4.0, 5.0], 1.5, "too_few"),
        ([math.nan, math.nan], [4.0, 5.0], None, "no_values"),
        ([], [4.0, 5.0], None, "no_values"),
        ([1e200, -1e200], [4.0, 5.0], None, "too_large"),
    ],
)
def test_what_cannot_be_computed_says_why(c, t, estimate, reason):
    got = difference(mean(of(c), "y"), mean(of(t), "y"))
    assert (got.estimate, got.interval, got.p_value, got.reason) == (estimate, None, None, reason)


def test_one_arm_without_variance_is_no_obstacle():
    got = difference(mean(of([3.0] * 10), "y"), mean(of([4.0, 5.0, 7.0]), "y"))
    assert got.df == pytest.approx(2.0) and got.reason is None and got.interval.low < got.estimate


def test_lift_without_a_control():
    zero = lift(arm(10, 0.0, 1.0), arm(10, 1.0, 1.0))
    assert (zero.estimate, zero.interval, zero.p_value, zero.reason) == (None, None, None, "control_zero")
    assert lift(arm(20, 0.5, 2.0), arm(20, 1.5, 2.0)).reason == "unbounded"
    other_sign = lift(arm(100, 1.0, 1.0), arm(100, -1.0, 1.0), method="log_delta")
    assert (other_sign.estimate, other_sign.reason) == (-2.0, "signs_differ")
    assert lift(mean(of([2.0] * 3), "y"), mean(of([3.0] * 3), "y")).reason == "no_variance"


def test_a_ratio_without_denominator():
    nothing = ratio(Aggregates.from_arrays({"n": [1.0, 2.0], "d": [0.0, 0.0]}), "n", "d")
    assert difference(nothing, nothing).reason == "denominator_zero"


def test_missing_values_are_counted_and_not_used():
    got = difference(mean(of([1.0, 3.0, math.nan]), "y"), mean(of([2.0, 5.0, 8.0]), "y"))
    assert (got.n, got.dropped, got.control) == ((2, 3), (1, 0), 2.0)


@pytest.mark.parametrize("call", [difference, lift])
def test_options_are_checked(call):
    for options in ({"level": 0.0}, {"alternative": "up"}, {"test": "f"} if call is difference else {"method": "f"}):
        with pytest.raises(InputError):
            call(arm(9, 1.0, 1.0), arm(9, 1.0, 1.0), **options)
    with pytest.raises(InputError):
        call(arm([9, 9], [1.0, 2.0], 1.0), arm(9, 1.0, 1.0))
    with pytest.raises(InputError):
        clustered_mean([1.0, 2.0], ["a"])


def test_many_groups_at_once_are_what_each_is_alone():
    frame = pd.DataFrame({"y": np.random.default_rng(1).normal(3, 1, 90), "g": np.arange(90) % 3})
    arms = [
        mean(Aggregates.from_arrays({"y": part["y"].to_numpy()}, groups=part["g"].to_numpy()), "y")
        for part in (frame[:45], frame[45:])
    ]
    low, high = room.difference_limits(*arms)
    alone = difference(*(mean(of(part[part["g"] == 1]["y"]), "y") for part in (frame[:45], frame[45:])))
    assert (low[1], high[1]) == pytest.approx(ends(alone))
