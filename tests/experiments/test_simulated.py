"""Every interval and test by simulation: coverage, type-I error and power, within four Monte Carlo errors.

Quick repetitions run always, many with `--full`. Counts are whole numbers, so tests of shares miss their level by
a little that does not shrink with repetitions; WHOLE allows for it.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from planlib.core.aggregates import Aggregates
from planlib.core.bayes import Beta, Normal
from planlib.experiments import proportions
from planlib.experiments.bayesian import best_share, compare_values, normal_effect
from planlib.experiments.cuped import cuped, cuped_lift, cuped_ratio
from planlib.experiments.means import (
    LIFTS,
    clustered_mean,
    difference,
    difference_limits,
    lift_limits,
    mean,
    poststratify,
    ratio,
)
from planlib.experiments.noninferiority import TESTS as NI_TESTS
from planlib.experiments.noninferiority import non_inferiority, non_inferiority_proportions, tost
from planlib.experiments.portfolio import add_up
from planlib.experiments.power import power_means, power_proportions
from planlib.experiments.ranks import mann_whitney, order_statistics, quantile_difference, winsorise
from planlib.experiments.sequential import confidence_sequence
from planlib.experiments.trial import Metric, arms_so_far

WHOLE = 0.004
AT_ONCE = [pytest.param(4000, id="quick"), pytest.param(60_000, id="full", marks=pytest.mark.full)]
ONE_BY_ONE = [pytest.param(300, id="quick"), pytest.param(3000, id="full", marks=pytest.mark.full)]


def near(rate, nominal, reps, allowed=0.0):
    assert abs(rate - nominal) <= 4 * math.sqrt(nominal * (1 - nominal) / reps) + allowed, (rate, nominal)


def covered(limits, truth):
    low, high = limits
    assert not np.isnan(low).any()
    return ((low <= truth) & (truth <= high)).mean()


def counts(reps, c_n, p_c, t_n, p_t, seed=101):
    rng = np.random.default_rng(seed)
    return rng.binomial(c_n, p_c, reps), c_n, rng.binomial(t_n, p_t, reps), t_n


def moments(values, other=None):
    """(reps, n) draws -> Aggregates of reps groups."""
    n = np.full(len(values), values.shape[1])
    if other is None:
        return Aggregates.from_moments(n, {"y": values.sum(1)}, {("y", "y"): np.square(values).sum(1)})
    products = {("y", "y"): np.square(values), ("d", "d"): np.square(other), ("y", "d"): values * other}
    return Aggregates.from_moments(
        n, {"y": values.sum(1), "d": other.sum(1)}, {pair: product.sum(1) for pair, product in products.items()}
    )


# shares

SETTINGS = [(1000, 0.1, 1000, 0.1), (1200, 0.05, 600, 0.08), (800, 0.3, 900, 0.42)]


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("method", proportions.INTERVALS)
def test_intervals_of_the_difference_of_shares(method, setting, reps):
    drawn, truth = counts(reps, *setting), setting[3] - setting[1]
    near(covered(proportions.difference_limits(*drawn, method=method), truth), 0.95, reps, WHOLE)
    low, _ = proportions.difference_limits(*drawn, method=method, alternative="greater")
    near((low <= truth).mean(), 0.95, reps, 0.006)  # one tail: the skew of counts does not cancel


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("method", proportions.LIFTS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_intervals_of_the_lift_of_shares(method, setting, reps):
    truth = setting[3] / setting[1] - 1
    near(covered(proportions.lift_limits(*counts(reps, *setting), method=method), truth), 0.95, reps, WHOLE)


@pytest.mark.parametrize("method", ["newcombe", "miettinen_nurminen", "mee", "agresti_caffo"])
def test_score_intervals_hold_in_small_arms_where_wald_does_not(method):
    """All tables of 20 and 25 people, without chance: mean coverage over rates from 2 to 30 %."""
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(21), np.arange(26)))
    rates = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
    from scipy.stats import binom

    def mean_coverage(name):
        low, high = proportions.difference_limits(x, 20, y, 25, method=name)
        held = (low <= 1e-12) & (high >= -1e-12)
        return np.mean([(binom.pmf(x, 20, p) * binom.pmf(y, 25, p) * held).sum() for p in rates])

    assert 0.945 <= mean_coverage(method) <= 0.995
    assert mean_coverage("wald") < mean_coverage(method)


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize(("method", "least"), [("wilson", 0.94), ("clopper_pearson", 0.95)])
def test_intervals_of_one_share(method, least, reps):
    x = np.random.default_rng(3).binomial(400, 0.12, reps)
    rate = covered(proportions.SHARES[method](x, np.full(reps, 400), 0.95), 0.12)
    assert least - 4 * math.sqrt(0.0475 / reps) <= rate <= 0.97


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("test", ["pooled_z", "unpooled_z"])
def test_tests_of_shares_keep_their_level_and_power(test, reps):
    null = proportions.TESTS[test](*counts(reps, 1000, 0.1, 1000, 0.1), "two_sided")
    near((null < 0.05).mean(), 0.05, reps, WHOLE)
    rate = (proportions.TESTS[test](*counts(reps, 900, 0.08, 900, 0.12), "two_sided") < 0.05).mean()
    near(rate, power_proportions(0.08, 0.04, 900, variance="pooled" if test == "pooled_z" else "unpooled"), reps, 0.006)


@pytest.mark.parametrize("test", ["fisher", "boschloo"])
def test_exact_tests_keep_their_level_in_small_arms(test):
    rng, seen, reps = np.random.default_rng(7), {}, 4000
    for x, y in rng.binomial(15, 0.25, (reps, 2)).tolist():
        seen[x, y] = seen.get((x, y), 0) + 1
    rejected = sum(
        n for (x, y), n in seen.items() if proportions.two_proportions(x, 15, y, 15, test=test).p_value < 0.05
    )
    assert rejected / reps <= 0.05 + 4 * math.sqrt(0.0475 / reps)


# means and ratios


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("test", ["welch", "student", "z"])
def test_means(test, reps):
    rng = np.random.default_rng(21)
    n = 400 if test == "z" else 25
    spread = 1.0 if test == "student" else 3.0
    c, t = rng.normal(0, 1, (reps, n)), rng.normal(0.4, spread, (reps, 2 * n))
    arms = mean(moments(c), "y"), mean(moments(t), "y")
    near(covered(difference_limits(*arms, test=test), 0.4), 0.95, reps)
    _, high = difference_limits(*arms, test=test, alternative="less")
    near((high >= 0.4).mean(), 0.95, reps)


@pytest.mark.parametrize("reps", AT_ONCE)
def test_welch_has_the_power_that_was_planned(reps):
    rng = np.random.default_rng(22)
    c, t = rng.normal(0, 1, (reps, 60)), rng.normal(0.5, 1, (reps, 60))
    low, high = difference_limits(mean(moments(c), "y"), mean(moments(t), "y"))
    near(((low > 0) | (high < 0)).mean(), power_means(0.5, 60, sd=1.0), reps, 0.002)


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("method", LIFTS)
@pytest.mark.parametrize("lift", [0.0, 0.5, 1.0])
def test_lift_of_means(method, lift, reps):
    """Also at large lifts, where an interval of the difference divided by the control mean falls to 83-89 %."""
    rng = np.random.default_rng(23)
    c, t = rng.normal(10, 10, (reps, 300)), rng.normal(10 * (1 + lift), 10, (reps, 300))
    arms = mean(moments(c), "y"), mean(moments(t), "y")
    near(covered(lift_limits(*arms, method=method), lift), 0.95, reps, 0.0 if method == "fieller" else 0.003)
    if method == "fieller":
        low, _ = lift_limits(*arms, method=method, alternative="greater")
        near((low <= lift).mean(), 0.95, reps)


@pytest.mark.parametrize("reps", AT_ONCE)
def test_fieller_unbounded_intervals_hold_too(reps):
    """With a control near zero intervals are unbounded often, and the bounded and unbounded together keep 95 %."""
    rng = np.random.default_rng(24)
    c, t = (mean(moments(rng.normal(centre, 1, (reps, 20))), "y") for centre in (0.5, 1.0))
    low, high = lift_limits(c, t)
    assert 0.1 < np.isnan(low).mean() < 0.9
    held = np.isnan(low) | ((low <= 1.0) & (high >= 1.0))
    assert held.mean() >= 0.95 - 4 * math.sqrt(0.0475 / reps)


@pytest.mark.parametrize("reps", AT_ONCE)
def test_ratio(reps):
    rng = np.random.default_rng(25)
    arms = []
    for rate in (0.2, 0.24):
        sessions = rng.poisson(3, (reps, 400)) + 1.0
        bent = np.clip(rate + rng.normal(0, 0.05, (reps, 400)), 0, 1)  # people differ
        arms.append(ratio(moments(rng.binomial(sessions.astype(int), bent).astype(float), sessions), "y", "d"))
    near(covered(difference_limits(*arms), 0.04), 0.95, reps, 0.003)
    for method in LIFTS:
        near(covered(lift_limits(*arms, method=method), 0.2), 0.95, reps, 0.004)


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_clusters(reps):
    rng, held, naive = np.random.default_rng(26), 0, 0
    labels = np.repeat(np.arange(50), 12)
    for _ in range(reps):
        arms = [rng.normal(0, 1, 600) + rng.normal(shift, 0.4, 50)[labels] for shift in (0.0, 0.3)]
        got = difference(*(clustered_mean(values, labels) for values in arms))
        held += got.interval.low <= 0.3 <= got.interval.high
        got = difference(*(mean(Aggregates.from_arrays({"y": values}), "y") for values in arms))
        naive += got.interval.low <= 0.3 <= got.interval.high
    near(held / reps, 0.95, reps)
    assert naive / reps < 0.88


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_poststratification(reps):
    rng, held, shorter = np.random.default_rng(27), 0, 0
    for _ in range(reps):
        strata = rng.integers(0, 3, (2, 150))
        values = rng.normal(0, 1, (2, 150)) + 2.0 * strata
        values[1] += 0.3
        arms = [
            Aggregates.from_arrays({"y": y}, groups=g, n_groups=3) for y, g in zip(values, strata, strict=True)
        ]
        got = poststratify(*arms, "y")
        held += got.interval.low <= 0.3 <= got.interval.high
        shorter += got.se < difference(*(mean(arm.merged(), "y") for arm in arms)).se
    near(held / reps, 0.95, reps)
    assert shorter == reps


@pytest.mark.parametrize("reps", ONE_BY_ONE)
@pytest.mark.parametrize("kind", ["difference", "lift", "ratio"])
def test_cuped(kind, reps):
    rng, held, ours, plain = np.random.default_rng(28), 0, [], []
    for _ in range(reps):
        before = rng.gamma(4, 2, (2, 150))
        after = before + rng.normal(2, 2, (2, 150))
        after[1] += 1.0  # the control's mean is 10
        size = rng.poisson(2, (2, 2, 150)) + 1.0
        if kind == "ratio":
            after, before = after * size[0], before * size[1]
        columns = [
            {"y": after[a], "x": before[a]} | ({"n": size[0][a], "m": size[1][a]} if kind == "ratio" else {})
            for a in (0, 1)
        ]
        rows = [Aggregates.from_arrays(part) for part in columns]
        if kind == "lift":
            got, truth = cuped_lift(*rows, "y", "x"), 0.1
            other = np.nan
        else:
            found = cuped_ratio(*rows, "y", "n", "x", "m") if kind == "ratio" else cuped(*rows, "y", "x")
            got, truth = difference(found.control, found.treatment), 1.0
            raw = [ratio(arm, "y", "n") if kind == "ratio" else mean(arm, "y") for arm in rows]
            other = difference(*raw).se
        held += got.interval.low <= truth <= got.interval.high
        ours.append(got.se)
        plain.append(other)
    near(held / reps, 0.95, reps)
    if kind != "lift":
        assert np.mean(ours) < 0.75 * np.mean(plain)


@pytest.mark.parametrize("reps", [pytest.param(100, id="quick"), pytest.param(2000, id="full", marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["mean", "ratio"])
def test_adjusted_effects_by_day_hold_at_every_look(kind, reps):
    """Ten days, the slope of everybody on each: the sequence misses in at most 5 % of tests, also of few people."""
    rng, missed, adjusted_se, plain_se = np.random.default_rng(40), 0, 0.0, 0.0
    ratio_ = kind == "ratio"
    metric = Metric("y", "n", "x", "m") if ratio_ else Metric("y", covariate="x")
    truth = 1.0
    for _ in range(reps):
        before, day = rng.gamma(4, 2, (2, 400)), np.repeat(np.arange(10), 40)
        after = before + rng.normal(2, 2, (2, 400))
        after[1] += truth
        columns = {"y": after, "x": before}
        if ratio_:
            size = rng.poisson(2, (2, 2, 400)) + 1.0
            columns = {"y": after * size[0], "n": size[0], "x": before * size[1], "m": size[1]}
        arms = [
            Aggregates.from_arrays({name: values[a] for name, values in columns.items()}, groups=day, n_groups=10)
            for a in (0, 1)
        ]
        parts = ("rows", "count", "total", "cross")
        shift = arms[0].shift
        arms = [arm.shifted(shift) for arm in arms]
        so_far = [replace(arm, **{name: np.cumsum(getattr(arm, name), axis=0) for name in parts}) for arm in arms]
        c, t = arms_so_far(metric, *so_far)
        estimate, se = t.value - c.value, np.sqrt(t.variance + c.variance)
        found = confidence_sequence(estimate, se, c.n + t.n, tuning_n=800)
        missed += bool(((found.low > truth) | (found.high < truth)).any())
        raw = [ratio(arm, "y", "n") if ratio_ else mean(arm, "y") for arm in so_far]
        adjusted_se, plain_se = adjusted_se + se[-1], plain_se + float(np.sqrt(sum(arm.variance for arm in raw))[-1])
    assert missed / reps <= 0.05 + 4 * math.sqrt(0.0475 / reps)
    assert adjusted_se < 0.75 * plain_se


@pytest.mark.parametrize("reps", AT_ONCE)
def test_cuped_has_the_power_that_was_planned(reps):
    """A covariate of correlation 0.8 makes 60 people worth 60 / (1 - 0.64); without effect 5 % reject."""
    rng, n, rho, effect = np.random.default_rng(33), 60, 0.8, 0.3
    before, noise = rng.normal(0, 1, (2, 2, reps, n))
    after = rho * before + math.sqrt(1 - rho**2) * noise
    centred = [before[a] - before.mean(axis=(0, 2))[:, None] for a in (0, 1)]
    theta = sum((x * (y - after.mean(axis=(0, 2))[:, None])).sum(1) for x, y in zip(centred, after, strict=True))
    theta /= sum(np.square(x).sum(1) for x in centred)
    left = [after[a] - theta[:, None] * centred[a] for a in (0, 1)]
    one = cuped(*(Aggregates.from_arrays({"y": after[a][0], "x": before[a][0]}) for a in (0, 1)), "y", "x")
    assert float(one.treatment.value) == pytest.approx(left[1][0].mean(), abs=1e-9)
    control = mean(moments(left[0]), "y")
    for shift, rate in ((effect, power_means(effect, n, sd=math.sqrt(1 - rho**2))), (0.0, 0.05)):
        low, high = difference_limits(control, mean(moments(left[1] + shift), "y"))
        near(((low > 0) | (high < 0)).mean(), rate, reps, 0.004)  # the slope is estimated on the same people


# ranks


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_mann_whitney(reps):
    rng, held, rejected = np.random.default_rng(29), 0, 0
    truth = 0.6381631950841185  # Phi(0.5 / sqrt 2)
    for _ in range(reps):
        c, t, same = rng.normal(0, 1, (3, 60))
        got = mann_whitney(c, t + 0.5)
        held += got.interval.low <= truth <= got.interval.high
        rejected += mann_whitney(c, same).p_value < 0.05
    near(held / reps, 0.95, reps, 0.01)
    near(rejected / reps, 0.05, reps, 0.005)


@pytest.mark.parametrize("reps", ONE_BY_ONE)
@pytest.mark.parametrize("q", [0.5, 0.9])
def test_quantiles(q, reps):
    rng, held, both = np.random.default_rng(30), 0, 0
    truth, coverage = -math.log(1 - q), 0.0
    for _ in range(reps):
        c, t = rng.exponential(1.0, 150), rng.exponential(2.0, 180)
        arm = order_statistics(c, q)
        coverage = arm.coverage
        held += arm.low <= truth <= arm.high
        got = quantile_difference(c, t, q)
        both += got.interval.low <= truth <= got.interval.high
    near(held / reps, coverage, reps)
    assert 0.95 - 4 * math.sqrt(0.0475 / reps) <= both / reps <= 0.99


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_winsorised_means_keep_their_level(reps):
    rng, rejected, narrower = np.random.default_rng(31), 0, 0
    for _ in range(reps):
        c, t = rng.lognormal(0, 1.5, (2, 300))
        cut_c, cut_t, *_ = winsorise(c, t)
        got, plain = (
            difference(*(mean(Aggregates.from_arrays({"y": y}), "y") for y in pair))
            for pair in ((cut_c, cut_t), (c, t))
        )
        rejected += got.p_value < 0.05
        narrower += got.se < plain.se
    near(rejected / reps, 0.05, reps, 0.005)
    assert narrower == reps


# margins


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_margins_of_means(reps):
    """At the margin 2.5 % pass; equivalence at its margin 5 %, for the other side is far away."""
    rng, passed, equal = np.random.default_rng(32), 0, 0
    for _ in range(reps):
        rows = [Aggregates.from_arrays({"y": rng.normal(centre, 1, 200)}) for centre in (5.0, 4.6)]
        arms = [mean(arm, "y") for arm in rows]
        passed += bool(non_inferiority(*arms, margin_abs=0.4).detail["passed"])
        plain = difference(*arms)
        equal += bool(tost(plain.estimate, plain.se, 0.4, df=plain.df).detail["passed"])
    near(passed / reps, 0.025, reps)
    near(equal / reps, 0.05, reps)


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_a_relative_margin_keeps_its_level(reps):
    """The control's mean stands for its true value: 4 % of 5.0 are 0.2."""
    rng, passed = np.random.default_rng(34), 0
    for _ in range(reps):
        arms = [mean(Aggregates.from_arrays({"y": rng.normal(centre, 1, 200)}), "y") for centre in (5.0, 4.8)]
        passed += bool(non_inferiority(*arms, margin_rel=0.04).detail["passed"])
    near(passed / reps, 0.025, reps, 0.002)


@pytest.mark.parametrize("reps", AT_ONCE)
@pytest.mark.parametrize("test", NI_TESTS)
@pytest.mark.parametrize("higher", [True, False])
def test_margins_of_shares(test, higher, reps):
    """A loss of just the margin passes in 2.5 % of tests, and its interval of 95 % holds the loss."""
    truth = -0.05 if higher else 0.05
    drawn = counts(reps, 400, 0.3, 400, 0.3 + truth, seed=35)
    low, high = proportions.difference_limits(*drawn, method="mee" if test == "score" else "wald")
    near(((low <= truth) & (truth <= high)).mean(), 0.95, reps, WHOLE)
    passed = (low > truth) if higher else (high < truth)
    near(passed.mean(), 0.025, reps, WHOLE)
    for k in range(12):  # of which each is what the function says
        got = non_inferiority_proportions(
            drawn[0][k], 400, drawn[2][k], 400, margin_abs=0.05, test=test, higher_is_better=higher
        )
        assert bool(got.detail["passed"]) == passed[k] and got.interval.low == pytest.approx(low[k])


@pytest.mark.parametrize("reps", AT_ONCE)
def test_equivalence_has_its_power(reps):
    """No difference, margin of 3.2 standard errors: both one-sided tests pass in 2 Phi(3.2 - 1.645) - 1 of tests."""
    shown = [tost(d, 1.0, 3.2).detail["passed"] for d in np.random.default_rng(36).normal(0, 1, reps // 4)]
    near(np.mean(shown), 2 * float(ndtr(3.2 - 1.6448536)) - 1, reps // 4)


# beliefs


@pytest.mark.parametrize("reps", ONE_BY_ONE)
@pytest.mark.parametrize("relative", [False, True])
def test_credible_intervals_hold_what_the_prior_draws(relative, reps):
    """Relative effects drawn from the prior, control mean 10: by values, and by the effect alone."""
    rng, of_values, of_effect, won, said = np.random.default_rng(37), 0, 0, 0, 0.0
    for drawn in rng.normal(0.01, 0.03, reps):
        control, treatment = rng.normal(10, 0.2), rng.normal(10 * (1 + drawn), 0.2)
        found = compare_values(
            control, 0.04, treatment, 0.04, relative=relative, prior_sd_rel=0.03, prior_mean_rel=0.01, level=0.8
        )
        truth = drawn if relative else 10 * drawn
        of_values += found.interval.low <= truth <= found.interval.high
        found = normal_effect(rng.normal(drawn, 0.02), 0.02, prior=Normal(0.01, 0.03**2), level=0.8)
        of_effect += found.interval.low <= drawn <= found.interval.high
        won, said = won + (drawn > 0), said + found.chance_to_win
    near(of_values / reps, 0.8, reps, 0.01)  # the prior stands around the measured control
    near(of_effect / reps, 0.8, reps)
    near(said / reps, won / reps, reps)


@pytest.mark.parametrize("reps", ONE_BY_ONE)
def test_the_chance_to_be_best_comes_true(reps):
    """Three shares drawn from the prior: the arm that looks best is best as often as is said of it."""
    rng, best, said = np.random.default_rng(38), 0, 0.0
    for shares in rng.beta(20, 180, (reps, 3)):
        found = best_share(rng.binomial(400, shares), [400] * 3, prior=Beta(20, 180))
        best += int(np.argmax(found.chance)) == int(np.argmax(shares))
        said += float(np.max(found.chance))
    near(best / reps, said / reps, reps)


@pytest.mark.parametrize("reps", AT_ONCE)
def test_sums_of_a_portfolio_hold_the_sum(reps):
    """Three effects drawn from what is believed of each; CNY of each exposed."""
    mean_, sd, base = np.array([0.02, -0.01, 0.005]), np.array([0.01, 0.02, 0.004]), np.array([1e6, 4e5, 3e6])
    found = add_up(mean_, sd, base)
    drawn = np.random.default_rng(39).normal(mean_, sd, (reps, 3)) @ base
    near(((found.interval.low <= drawn) & (drawn <= found.interval.high)).mean(), 0.95, reps)
    near((drawn > 0).mean(), found.chance_above_zero, reps)
