"""Levels and intervals from sums: published values, independent formulas, coverage by simulation."""

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given
from hypothesis import strategies as s
from numpy.testing import assert_allclose

from planlib.baseline.levels import (
    beside_goal,
    cost_per,
    count,
    counted,
    dispersion,
    mean,
    measured,
    not_measurable,
    ratio,
    share,
    trend,
)
from planlib.core.errors import InputError

SIMS = 4000


def within_mc(covered, level=0.95, *, slack=0.0, sims=SIMS):
    """Whether a share of simulations is as near to the level as chance lets it be."""
    return abs(covered - level) <= 4 * (level * (1 - level) / sims) ** 0.5 + slack


def test_not_measurable_has_a_reason_and_no_number():
    found = not_measurable("no_rows")
    assert (found.value, found.low, found.high, found.n, found.reason) == (None, None, None, None, "no_rows")


@pytest.mark.parametrize(
    "found", [share(0, 0), mean(0, 0, 0), ratio(0, 0, 0, 0, 0, 0), ratio(5, 0, 0, 0, 0, 0), cost_per(100, 0)]
)
def test_nothing_below_the_line_is_not_zero(found):
    assert found.value is None and found.reason == "empty_base"


def test_a_counted_zero_is_zero():
    assert share(0, 1000).value == 0.0 and share(0, 1000).high > 0.003
    assert count(0).value == 0.0 and count(0).high == pytest.approx(3.6889, abs=1e-4)


@pytest.mark.parametrize("total", [1, 10, 400])
def test_count_is_garwood(total):
    """The chi-square form of the exact Poisson interval."""
    found = count(total, periods=3)
    expected = [st.chi2.ppf(0.025, 2 * total) / 2 / 3, st.chi2.ppf(0.975, 2 * total + 2) / 2 / 3]
    assert_allclose([found.low, found.high], expected, rtol=1e-9)


def test_mean_is_the_t_interval():
    x = np.random.default_rng(3).normal(5, 2, 23)
    found = mean(len(x), x.sum(), (x**2).sum())
    expected = st.t.interval(0.95, 22, x.mean(), st.sem(x))
    assert_allclose([found.low, found.high], expected, rtol=1e-9)


def test_ratio_of_ones_is_the_mean():
    """With one order a buyer the ratio is the plain mean of the order values."""
    y = np.random.default_rng(5).gamma(2, 50, 40)
    got, plain = ratio(40, 40, y.sum(), 40, y.sum(), (y**2).sum()), mean(40, y.sum(), (y**2).sum())
    assert_allclose([got.value, got.low, got.high], [plain.value, plain.low, plain.high], rtol=1e-9)


def test_whole_sums_beyond_2_53_stay_exact():
    """10 million orders of about a million fen, which differ by 1 fen: floats would lose the variance."""
    n, base = 10_000_000, 1_000_000
    x, total = n, n * base + n // 2
    squares = n // 2 * base**2 + n // 2 * (base + 1) ** 2
    found = ratio(n, x, total, n, total, squares)
    half = 1.959964 * 0.5 / n**0.5
    assert found.high - found.value == pytest.approx(half, rel=1e-3)


def test_scale_turns_fen_into_yuan():
    fen, yuan = ratio(9, 9, 900, 9, 900, 96_000), ratio(9, 9, 900, 9, 900, 96_000, scale=0.01)
    assert_allclose([yuan.value, yuan.low, yuan.high], np.array([fen.value, fen.low, fen.high]) / 100)


def test_counted_has_no_interval():
    assert (counted(48_210).low, counted(48_210).n, counted(12.5, n=40).n) == (None, None, 40)


def test_one_unit_alone_has_no_interval():
    assert ratio(1, 2, 6, 4, 12, 36).low is None and mean(1, 3, 9).high is None


def test_measured_dispatches_by_form():
    assert measured("share", {"successes": 5, "n": 100}) == share(5, 100)
    assert measured("counted", {"value": 7}) == counted(7)
    with pytest.raises(InputError):
        measured("median", {})


@pytest.mark.parametrize(
    "call, field",
    [
        (lambda: share(5, 4), "successes"),
        (lambda: share(-1, 4), "successes"),
        (lambda: count(-1), "total"),
        (lambda: count(5, dispersion=0.5), "dispersion"),
        (lambda: cost_per(-1.0, 5), "spend"),
        (lambda: mean(3, float("nan"), 1), "total"),
        (lambda: ratio(3, -1, 1, 1, 1, 1), "x"),
        (lambda: trend([1.0, 2.0]), "values"),
        (lambda: trend([1.0, float("inf"), 2.0]), "values"),
    ],
)
def test_impossible_sums_are_refused(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field.startswith(field)


def test_dispersion_of_poisson_counts_is_one_whatever_season_and_trend():
    rng = np.random.default_rng(11)
    level = 400 * (1 + 0.5 * (np.arange(364) % 7 >= 5)) * np.linspace(1, 1.3, 364)
    found = np.mean([dispersion(rng.poisson(level)) for _ in range(40)])
    assert found == pytest.approx(1.0, abs=0.05)


def test_dispersion_recovers_extra_scatter():
    """Negative binomial days with variance 4 times the mean."""
    rng = np.random.default_rng(12)
    found = np.mean([dispersion(rng.negative_binomial(50 / 3, 0.25, 364)) for _ in range(40)])
    assert found == pytest.approx(4.0, rel=0.05)


def test_count_covers_when_days_scatter_more_than_chance():
    rng = np.random.default_rng(13)
    hits = 0
    for _ in range(800):
        days = rng.negative_binomial(50 / 3, 0.25, 91)  # mean 50, variance 200
        found = count(int(days[-30:].sum()), dispersion=dispersion(days))
        hits += found.low <= 1500 <= found.high
    assert within_mc(hits / 800, slack=0.02, sims=800)  # the dispersion itself is estimated from 84 pairs


def test_count_covers():
    x = np.random.default_rng(14).poisson(60, SIMS)
    hits = np.mean([found.low <= 60 <= found.high for found in map(count, x)])
    assert hits >= 0.95 - 4 * (0.95 * 0.05 / SIMS) ** 0.5  # exact intervals cover at least so often
    assert hits < 0.97


def test_mean_of_skewed_money_covers():
    """Log-normal order values, skewness about 3: the t interval of 2,000 orders is off by less than a point."""
    rng = np.random.default_rng(15)
    x = rng.lognormal(5, 0.75, (1500, 2000))
    truth = np.exp(5 + 0.75**2 / 2)
    found = [mean(2000, a, b) for a, b in zip(x.sum(1), (x**2).sum(1), strict=True)]
    assert within_mc(np.mean([f.low <= truth <= f.high for f in found]), slack=0.01, sims=1500)


def test_ratio_covers_where_orders_of_a_buyer_are_alike():
    """Orders of one buyer share a taste for price: counting orders as independent covers too rarely."""
    rng = np.random.default_rng(16)
    hits = naive = 0
    for _ in range(1000):
        orders = rng.poisson(1.5, 400) + 1
        spent = orders * rng.lognormal(5, 0.5, 400)
        found = ratio(400, orders.sum(), spent.sum(), (orders**2).sum(), (orders * spent).sum(), (spent**2).sum())
        truth = np.exp(5 + 0.125)
        hits += found.low <= truth <= found.high
        each = np.repeat(spent / orders, orders)
        alone = mean(len(each), each.sum(), (each**2).sum())
        naive += alone.low <= truth <= alone.high
    assert within_mc(hits / 1000, slack=0.01, sims=1000)
    assert naive / 1000 < 0.85


def test_trend_is_the_regression_slope():
    y = np.random.default_rng(17).normal(size=20) + 0.1 * np.arange(20)
    fitted = st.linregress(np.arange(20), y)
    found = trend(y)
    assert found.slope == pytest.approx(fitted.slope)
    half = st.t.ppf(0.975, 18) * fitted.stderr
    assert_allclose([found.low, found.high], [fitted.slope - half, fitted.slope + half], rtol=1e-9)


def test_a_season_is_no_trend():
    """Ten months that climb towards the winter peak: without the season a rise, with two full rounds none."""
    rng = np.random.default_rng(18)
    season = 1 + 0.3 * np.cos(2 * np.pi * np.arange(36) / 12)
    y = 100 * season + rng.normal(0, 1, 36)
    assert trend(y[30:36]).direction == "up"
    found = trend(y, season=12)
    assert found.adjusted and found.low <= 0 <= found.high
    assert not trend(y[:12], season=12).adjusted


def test_trend_covers_with_a_season():
    rng = np.random.default_rng(19)
    weekly = 10 * (np.arange(91) % 7 >= 5)
    hits = 0
    for _ in range(1000):
        found = trend(0.2 * np.arange(91) + weekly + rng.normal(0, 3, 91), season=7)
        hits += found.low <= 0.2 <= found.high
    assert within_mc(hits / 1000, sims=1000)


@given(s.integers(0, 500), s.integers(0, 500))
def test_interval_holds_the_level(x, more):
    found = share(x, x + more)
    if found.value is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


@given(s.lists(s.tuples(s.integers(1, 9), s.integers(1, 9)), min_size=2, max_size=30), s.integers(1, 20))
def test_ratio_does_not_depend_on_the_unit_of_money(rows, times):
    x, y = (np.array(column) for column in zip(*rows, strict=True))
    sums = [int(v) for v in (len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum())]
    one = ratio(*sums)
    n, sx, sy, xx, xy, yy = sums
    other = ratio(n, sx, sy * times, xx, xy * times, yy * times**2, scale=1 / times)
    assert_allclose([one.value, one.low, one.high], [other.value, other.low, other.high], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "found, op, goal, high, verdict",
    [
        (share(500, 1000), "at_least", 0.4, None, "met"),
        (share(500, 1000), "at_least", 0.51, None, "unclear"),
        (share(500, 1000), "at_least", 0.6, None, "missed"),
        (share(5, 1000), "below", 0.02, None, "met"),
        (share(500, 1000), "at_most", 0.4, None, "missed"),
        (share(500, 1000), "between", 0.4, 0.6, "met"),
        (share(500, 1000), "between", 0.52, 0.6, "unclear"),
        (share(500, 1000), "equals", 0.51, None, "met"),
        (counted(900), "above", 1000, None, "missed"),
        (not_measurable("no_rows"), "above", 1000, None, "none"),
    ],
)
def test_a_level_beside_its_goal(found, op, goal, high, verdict):
    assert beside_goal(found, op, goal, high) == verdict
