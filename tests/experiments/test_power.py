"""Sample size, power, smallest effect, duration: tables, inverses, simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from planlib.core.errors import InputError
from planlib.experiments import power as room
from planlib.experiments.multiplicity import dunnett_critical
from planlib.experiments.ranks import quantile_difference
from planlib.experiments.sequential import inflation, spending_boundaries
from tests.experiments.shared_cases import judge, shared_cases

calm = settings(deadline=None, derandomize=True)
allocations = st.sampled_from([(1, 1), (1, 2), (9, 1), (1, 1, 1), (2, 1, 1, 1)])
variances = st.sampled_from(room.VARIANCES)


# the seed document


@pytest.mark.parametrize(
    "p, mde, per_arm", [(0.08, 0.008, 18_869), (0.08, 0.04, 880), (0.012, 0.0012, 135_621)]
)
def test_seed_sizes(p, mde, per_arm):
    size = room.n_proportions(p, mde)
    assert size.n_per_arm == (per_arm, per_arm)
    assert size.n_total == 2 * per_arm
    assert size.method == "proportion_unpooled_z"


def test_seed_test_on_the_low_baseline_is_refused():
    size = room.n_proportions(0.012, 0.0012)
    assert room.months_of_intake(size.n_total, 50_000) == pytest.approx(5.4, abs=0.05)
    booking = room.book([size.n_total], [50_000.0] * 12, max_months=3)
    assert booking.refused.all() and booking.booked.sum() == 0


def test_planted_effect_is_found_with_the_power_asked_for():
    """8 % against 12 % with 880 in each arm, read out by the pooled z test."""
    n, n_sims, rng = 880, 40_000, np.random.default_rng(20270101)
    x, y = rng.binomial(n, 0.08, n_sims), rng.binomial(n, 0.12, n_sims)
    pooled = (x + y) / (2 * n)
    z = (y - x) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    rate = (np.abs(z) > 1.959963984540054).mean()
    expected = room.power_proportions(0.08, 0.04, n, variance="pooled")
    assert abs(rate - expected) < 4 * (0.8 * 0.2 / n_sims) ** 0.5 + 0.002
    assert abs(rate - 0.80) < 0.015


@pytest.mark.parametrize("allocation", [(1, 1), (1, 3)])
def test_mean_power_by_simulation(allocation):
    n_c, n_sims, rng = 24, 20_000, np.random.default_rng(7)
    n_t = n_c * allocation[1]
    x = rng.normal(0.0, 1.0, (n_sims, n_c))
    y = rng.normal(0.6, 1.0, (n_sims, n_t))
    pooled = (x.var(axis=1, ddof=1) * (n_c - 1) + y.var(axis=1, ddof=1) * (n_t - 1)) / (n_c + n_t - 2)
    t = (y.mean(axis=1) - x.mean(axis=1)) / np.sqrt(pooled * (1 / n_c + 1 / n_t))
    from scipy.special import stdtrit

    rate = (np.abs(t) > stdtrit(n_c + n_t - 2, 0.975)).mean()
    expected = room.power_means(0.6, n_c, sd=1.0, allocation=allocation)
    assert abs(rate - expected) < 4 * (expected * (1 - expected) / n_sims) ** 0.5


# published tables


def test_published():
    # R: power.prop.test(n = 50, p1 = .50, p2 = .75) -> 0.740; power.t.test(n = 20, delta = 1, sd = 1) -> 0.869
    near = room.power_proportions(0.50, 0.25, 50, variance="pooled", both_tails=False)
    assert near == pytest.approx(0.7401659, abs=1e-6)
    assert room.power_means(1.0, 20, sd=1.0) == pytest.approx(0.8689528, abs=1e-6)
    # R: power.prop.test(p1 = .50, p2 = .75, power = .90) -> n = 76.7
    size = room.n_proportions(0.50, 0.25, power=0.90, variance="pooled")
    assert size.n_control_exact == pytest.approx(76.7, abs=0.05)
    # R: power.t.test(delta = 1, sd = 1, power = .90) -> 22.02110; one-sided 17.84713
    assert room.n_means(1.0, sd=1.0, power=0.90).n_control_exact == pytest.approx(22.02110, abs=1e-4)
    assert room.n_means(1.0, sd=1.0, power=0.90, sides=1).n_control_exact == pytest.approx(17.84713, abs=1e-4)


def test_size_against_statsmodels():
    from statsmodels.stats.power import NormalIndPower, TTestIndPower

    size = room.n_means(0.3, sd=2.0, alpha=0.01, power=0.9, allocation=(9, 1))
    peer = TTestIndPower().solve_power(0.15, alpha=0.01, power=0.9, ratio=1 / 9)
    assert size.n_control_exact == pytest.approx(peer, rel=1e-6)
    normal = room.n_means(0.3, sd=2.0, alpha=0.01, power=0.9, allocation=(9, 1), distribution="z")
    peer = NormalIndPower().solve_power(0.15, alpha=0.01, power=0.9, ratio=1 / 9)
    assert normal.n_control_exact == pytest.approx(peer, rel=1e-6)


def test_several_arms():
    one = room.n_proportions(0.1, 0.02)
    three = room.n_proportions(0.1, 0.02, allocation=(1, 1, 1, 1))
    assert three.alpha_each == pytest.approx(0.05 / 3)
    assert three.n_per_arm[0] > one.n_per_arm[0] and len(three.n_per_arm) == 4
    loose = room.n_proportions(0.1, 0.02, allocation=(1, 1, 1, 1), correction="none")
    assert loose.n_per_arm[0] == one.n_per_arm[0]
    # the smallest treatment decides
    uneven = room.n_proportions(0.1, 0.02, allocation=(1, 2, 0.5), correction="none")
    assert uneven.n_control_exact == pytest.approx(room.n_proportions(0.1, 0.02, allocation=(1, 0.5)).n_control_exact)


def test_best_control_share_minimises_the_total():
    k = 3
    best = room.control_share(k)

    def total(share):
        arms = (share, *[(1 - share) / k] * k)
        exact = room.n_means(0.1, sd=1.0, allocation=arms, distribution="z").n_control_exact
        return exact / share

    assert total(best) < min(total(best - 0.03), total(best + 0.03))


def test_factors():
    plain = room.n_means(0.5, sd=10.0, distribution="z").n_control_exact
    clustered = room.n_means(0.5, sd=10.0, distribution="z", variance_factor=room.design_effect(20, 0.05))
    assert clustered.n_control_exact == pytest.approx(1.95 * plain)
    assert room.cuped_factor(-0.5) == room.cuped_factor(0.5) == 0.75
    assert room.n_proportions(0.1, 0.02, variance_factor=0.75).n_control_exact == pytest.approx(
        0.75 * room.n_proportions(0.1, 0.02).n_control_exact
    )


def test_evan_miller():
    """The calculator at evanmiller.org: 20 % against 25 %, power 80 %, level 5 % -> 1,030 in each arm."""
    size = room.n_proportions(0.20, 0.05, variance="control")
    assert size.n_control_exact == pytest.approx(1_030, abs=1) and size.method == "proportion_control_z"
    even = room.n_proportions(0.20, 0.05, variance="control", allocation=(1, 3)).n_control_exact
    assert even < size.n_control_exact


def test_dunnett_asks_for_less_than_bonferroni():
    four = {"allocation": (2, 1, 1, 1)}
    dunnett = room.n_means(0.2, sd=1.0, correction="dunnett", distribution="z", **four)
    bonferroni = room.n_means(0.2, sd=1.0, distribution="z", **four)
    assert dunnett.n_total < bonferroni.n_total
    critical = dunnett_critical((2, 1, 1, 1))
    assert dunnett.alpha_each == pytest.approx(2 * stats.norm.sf(critical))
    assert dunnett.n_control_exact == pytest.approx(((critical + stats.norm.ppf(0.8)) / 0.2) ** 2 * 3)
    one = room.n_means(0.2, sd=1.0, correction="dunnett").n_control_exact
    assert one == pytest.approx(room.n_means(0.2, sd=1.0).n_control_exact)


def test_non_inferiority_by_hand():
    reach, shares = (stats.norm.isf(0.025) + stats.norm.ppf(0.9)) ** 2, room.Shares(0.3)
    size = room.n_non_inferiority(shares, 0.04, expected_abs=0.01, power=0.9)
    assert size.n_control_exact == pytest.approx(reach * (0.3 * 0.7 + 0.31 * 0.69) / 0.05**2)
    exits = room.n_non_inferiority(shares, 0.04, expected_abs=0.01, power=0.9, higher_is_better=False)
    assert exits.n_control_exact == pytest.approx(reach * (0.3 * 0.7 + 0.31 * 0.69) / 0.03**2)
    means = room.n_non_inferiority(room.Means(2.0, 3.0), 0.5, expected_abs=0.1, power=0.9, allocation=(1, 2))
    assert means.n_control_exact == pytest.approx(reach * (4 + 9 / 2) / 0.6**2)
    loose, strict = (room.n_non_inferiority(room.Means(2.0), 0.5, alpha=level).n_total for level in (0.05, 0.025))
    assert loose < strict == room.n_non_inferiority(room.Means(2.0), 0.5).n_total
    assert room.n_non_inferiority(room.Means(2.0), 0.5, sides=2).n_total == strict


@pytest.mark.parametrize("metric", [room.Shares(0.3), room.Means(2.0), room.Means(2.0, 3.0)])
@pytest.mark.parametrize("higher", [True, False])
def test_margin_size_and_power_invert_each_other(metric, higher):
    more = {"expected_abs": -0.01, "higher_is_better": higher, "allocation": (2, 1, 1)}
    n = room.n_non_inferiority(metric, 0.05, power=0.85, **more).n_control_exact
    assert room.power_non_inferiority(metric, 0.05, n, **more) == pytest.approx(0.85)
    assert room.smallest_margin(metric, n, power=0.85, **more) == pytest.approx(0.05)


def test_non_inferiority_power_by_simulation():
    n_sims, margin, rng = 20_000, 0.02, np.random.default_rng(20270107)
    n = room.n_non_inferiority(room.Shares(0.15), margin).n_per_arm[0]
    x, y = rng.binomial(n, 0.15, (2, n_sims)) / n
    z = (y - x + margin) / np.sqrt((x * (1 - x) + y * (1 - y)) / n)
    rate = (z > stats.norm.isf(0.025)).mean()
    assert abs(rate - 0.8) < 4 * (0.8 * 0.2 / n_sims) ** 0.5 + 0.002


def test_equivalence_by_hand_and_by_simulation():
    z = stats.norm.ppf
    exact = 2 * 10.0**2 * (z(0.95) + z(0.9)) ** 2  # Julious 2004, eq. 21: no true difference, beta split over both
    assert_allclose(room.n_equivalence(room.Means(10.0), 1.0).n_control_exact, exact, rtol=1e-9)
    far = room.n_equivalence(room.Means(10.0), 1.0, expected_abs=0.5)  # the farther margin no longer counts
    assert_allclose(far.n_control_exact, 2 * 10.0**2 * (z(0.95) + z(0.8)) ** 2 / 0.25, rtol=1e-6)
    rng = np.random.default_rng(11)
    for metric, margin, expected in ((room.Means(2.0, 3.0), 0.4, 0.1), (room.Shares(0.3), 0.05, 0.01)):
        size = room.n_equivalence(metric, margin, expected_abs=expected, allocation=(1, 2))
        n_c, n_t = size.n_per_arm
        if isinstance(metric, room.Means):
            spread_c, spread_t = np.full(20_000, 2.0), np.full(20_000, 3.0)
            d = expected + rng.normal(0, np.sqrt(4 / n_c + 9 / n_t), 20_000)
        else:
            c, t = rng.binomial(n_c, 0.3, 20_000) / n_c, rng.binomial(n_t, 0.31, 20_000) / n_t
            d, spread_c, spread_t = t - c, np.sqrt(c * (1 - c)), np.sqrt(t * (1 - t))
        se = np.sqrt(spread_c**2 / n_c + spread_t**2 / n_t)
        passed = (np.abs(d) < margin - z(0.95) * se).mean()
        assert abs(passed - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 20_000) + 0.002


@given(st.floats(0.01, 0.99), st.floats(0.1, 0.97), allocations)
@calm
def test_equivalence_size_and_power_invert_each_other(part, power, allocation):
    metric, margin = room.Means(2.0, 3.0), 0.4
    asked = {"expected_abs": part * 0.95 * margin, "allocation": allocation}
    size = room.n_equivalence(metric, margin, power=power, **asked)
    assert_allclose(room.power_equivalence(metric, margin, size.n_control_exact, **asked), power, rtol=1e-9)
    assert room.power_equivalence(metric, margin, size.n_control_exact / 100, **asked) >= 0.0


def test_mann_whitney_sizes_as_published_and_by_simulation():
    # Noether 1987, section 3: N = (z_alpha + z_beta)^2 / (12 c (1 - c) (p - 1/2)^2)
    z = stats.norm.ppf
    size = room.n_mann_whitney(0.7, sides=1, power=0.9)
    assert_allclose(2 * size.n_control_exact, (z(0.95) + z(0.9)) ** 2 / (12 * 0.25 * 0.04), rtol=1e-12)
    rng = np.random.default_rng(5)
    shift = 0.25  # of normal values: P(T > C) = Phi(shift / sqrt 2)
    n_c, n_t = room.n_mann_whitney(stats.norm.cdf(shift / np.sqrt(2)), allocation=(1, 2)).n_per_arm
    found = [
        stats.mannwhitneyu(rng.normal(shift, 1, n_t), rng.normal(0, 1, n_c), use_continuity=False).pvalue < 0.05
        for _ in range(400)
    ]
    assert abs(np.mean(found) - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 400)


def test_mann_whitney_knows_that_most_spend_nothing():
    rng = np.random.default_rng(6)
    p_c, p_t = 0.10, 0.14  # buyers, whose spend has one distribution: superiority = 1/2 + (p_t - p_c) / 2
    n, _ = room.n_mann_whitney(0.5 + (p_t - p_c) / 2, tied_share=1 - (p_c + p_t) / 2).n_per_arm
    found = []
    for _ in range(400):
        arms = [np.where(rng.random(n) < p, rng.exponential(size=n), 0.0) for p in (p_t, p_c)]
        found.append(stats.mannwhitneyu(*arms, use_continuity=False).pvalue < 0.05)
    assert abs(np.mean(found) - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 400)
    ignoring = room.n_mann_whitney(0.5 + (p_t - p_c) / 2).n_per_arm[0]
    assert ignoring > 2.5 * n


@given(st.floats(0.01, 0.4), st.floats(0.1, 0.97), st.sampled_from([1, 2]), allocations, st.floats(0, 0.9))
@calm
def test_rank_size_power_and_effect_invert_each_other(away, power, sides, allocation, tied):
    asked = {"sides": sides, "allocation": allocation, "tied_share": tied}
    n = room.n_mann_whitney(0.5 + away, power=power, **asked).n_control_exact
    assert_allclose(room.power_mann_whitney(0.5 - away, n, both_tails=False, **asked), power, rtol=1e-9)
    assert_allclose(room.mde_mann_whitney(n, power=power, **asked), 0.5 + away, rtol=1e-9)
    assert room.mde_mann_whitney(0.01, power=0.97) is None


def test_the_size_for_a_quantile_has_its_power():
    rng = np.random.default_rng(9)
    q = 0.9
    at = stats.expon.ppf(q)
    sds = [room.quantile_sd(rng.exponential(size=4_000), q) for _ in range(40)]
    truth = np.sqrt(q * (1 - q)) / stats.expon.pdf(at)
    assert abs(np.mean(sds) / truth - 1) < 4 * np.std(sds) / truth / np.sqrt(40) + 0.02
    effect = 0.3
    n, _ = room.n_means(effect, sd=truth, distribution="z").n_per_arm
    draws = 300
    excluded = [
        not row.interval.low <= 0 <= row.interval.high
        for row in (
            quantile_difference(rng.exponential(size=n), effect + rng.exponential(size=n), q) for _ in range(draws)
        )
    ]
    assert abs(np.mean(excluded) - 0.8) < 4 * np.sqrt(0.8 * 0.2 / draws) + 0.02  # ranks are whole numbers


def test_ratio_power_by_simulation():
    """Orders per session, the people being the units."""
    n_sims, rng = 1_000, np.random.default_rng(20270108)

    def people(n, rate):
        sessions = 1 + rng.poisson(3.0, (n_sims, n))
        return rng.binomial(sessions, rate), sessions

    sample = np.random.default_rng(1)
    sessions = 1 + sample.poisson(3.0, 400_000)
    orders = sample.binomial(sessions, 0.2)
    sd = room.ratio_sd(orders.mean(), sessions.mean(), np.cov(orders, sessions))
    n = room.n_means(0.03, sd=sd, distribution="z").n_per_arm[0]
    ratios, variances = [], []
    for rate in (0.2, 0.23):
        top, bottom = people(n, rate)
        ratio = top.sum(axis=1) / bottom.sum(axis=1)
        rest = (top - ratio[:, None] * bottom) / bottom.mean(axis=1)[:, None]
        ratios.append(ratio)
        variances.append(rest.var(axis=1, ddof=1) / n)
    rate = ((ratios[1] - ratios[0]) / np.sqrt(sum(variances)) > 1.96).mean()
    assert abs(rate - 0.8) < 4 * (0.8 * 0.2 / n_sims) ** 0.5 + 0.01


def test_the_planned_size_has_its_power_under_looks():
    n_sims, rng = 20_000, np.random.default_rng(20270109)
    bounds = spending_boundaries([1 / 3, 2 / 3, 1.0])
    n = room.n_proportions(0.10, 0.02, variance_factor=inflation(bounds)).n_per_arm[0]
    batch = n // 3
    x, y = (rng.binomial(batch, p, (n_sims, 3)).cumsum(axis=1) / (batch * np.arange(1, 4)) for p in (0.10, 0.12))
    pooled = (x + y) / 2
    z = (y - x) / np.sqrt(pooled * (1 - pooled) * 2 / (batch * np.arange(1, 4)))
    rate = (z > bounds.z).any(axis=1).mean()
    assert abs(rate - 0.8) < 4 * (0.8 * 0.2 / n_sims) ** 0.5 + 0.003


def test_clusters_of_uneven_size():
    assert room.design_effect(20, 0.05, cv=0.5) == pytest.approx(1 + (1.25 * 20 - 1) * 0.05)
    assert room.design_effect(1, 0.3) == 1.0


@pytest.mark.parametrize("factor", [0.6, 1.9])
def test_power_and_effect_know_the_factor(factor):
    """A factor on the variance is the same as that many fewer people, and a wider metric."""
    more = {"variance_factor": factor}
    assert room.power_proportions(0.1, 0.02, 900, **more) == pytest.approx(
        room.power_proportions(0.1, 0.02, 900 / factor)
    )
    assert room.mde_proportions(0.1, 900, **more) == pytest.approx(room.mde_proportions(0.1, 900 / factor))
    wide = factor**0.5
    for distribution in room.DISTRIBUTIONS:
        kind = {"distribution": distribution}
        chance = room.power_means(0.4, 50, sd=1.0, **kind, **more)
        assert chance == pytest.approx(room.power_means(0.4, 50, sd=wide, **kind))
        assert room.mde_means(50, sd=1.0, **kind, **more) == pytest.approx(room.mde_means(50, sd=wide, **kind))
        size = room.n_means(0.4, sd=1.0, **kind, **more).n_control_exact
        assert size == pytest.approx(room.n_means(0.4, sd=wide, **kind).n_control_exact)


# inverses


@calm
@given(
    st.floats(0.02, 0.9), st.floats(0.05, 0.9), st.floats(0.3, 0.95), st.sampled_from([1, 2]), allocations, variances,
    st.sampled_from([1, -1]),
)
def test_proportion_size_power_and_effect_invert_each_other(p, part, power, sides, allocation, variance, direction):
    mde = direction * part * ((1 - p) if direction == 1 else p)
    settings_ = {"sides": sides, "allocation": allocation, "variance": variance}
    n = room.n_proportions(p, mde, power=power, **settings_).n_control_exact
    assert room.power_proportions(p, mde, n, both_tails=False, **settings_) == pytest.approx(power, abs=1e-9)
    found = room.mde_proportions(p, n * (1 + 1e-12), power=power, direction=direction, **settings_)
    if power >= 0.5:
        assert found == pytest.approx(mde, rel=1e-9)
    else:  # a smaller effect may need as few people, where the alternative is wider than the null
        assert abs(found) <= abs(mde) * (1 + 1e-9)
        again = room.n_proportions(p, found, power=power, **settings_).n_control_exact
        assert again == pytest.approx(n, rel=1e-6)


def test_an_effect_that_only_a_middle_share_shows_is_found():
    uneven = {"power": 0.3125, "sides": 1, "allocation": (9, 1), "variance": "pooled"}
    n = room.n_proportions(0.0625, 0.46875, **uneven).n_control_exact
    assert room.mde_proportions(0.0625, n * (1 + 1e-12), **uneven) == pytest.approx(0.46875, rel=1e-9)


@calm
@given(
    st.floats(0.01, 2.0), st.floats(0.5, 5.0), st.floats(0.3, 0.95), st.sampled_from([1, 2]), allocations,
    st.sampled_from(room.DISTRIBUTIONS),
)
def test_mean_size_power_and_effect_invert_each_other(part, sd, power, sides, allocation, distribution):
    mde = part * sd
    settings_ = {"sd": sd, "sides": sides, "allocation": allocation, "distribution": distribution}
    n = room.n_means(mde, power=power, **settings_).n_control_exact
    if distribution == "t" and n * (1 + min(allocation[1:]) / allocation[0]) < 2.01:
        return  # the smallest t test there is
    assert room.power_means(mde, n, both_tails=False, **settings_) == pytest.approx(power, abs=1e-8)
    assert room.mde_means(n, power=power, **settings_) == pytest.approx(mde, rel=1e-7)


@calm
@given(st.floats(0.02, 0.9), st.floats(0.05, 0.5), st.floats(0.3, 0.9), allocations, variances)
def test_more_power_or_a_smaller_effect_needs_more_people(p, part, power, allocation, variance):
    mde = part * (1 - p)
    few = room.n_proportions(p, mde, power=power, allocation=allocation, variance=variance).n_control_exact
    for effect, chance in ((mde, power + 0.05), (mde * 0.9, power)):
        more = room.n_proportions(p, effect, power=chance, allocation=allocation, variance=variance)
        assert more.n_control_exact > few


def test_both_tails_count_only_in_two_sided_tests():
    near = room.power_proportions(0.1, 0.001, 100, both_tails=False)
    assert room.power_proportions(0.1, 0.001, 100) > near
    one = room.power_means(0.01, 10, sd=1.0, sides=1)
    assert one == room.power_means(0.01, 10, sd=1.0, sides=1, both_tails=False)


def test_power_without_effect_approaches_the_level():
    assert room.power_means(1e-9, 1000, sd=1.0) == pytest.approx(0.05, abs=1e-6)


def test_a_test_too_small_for_any_effect_says_so():
    assert room.mde_proportions(0.99, 5) is None
    assert room.mde_proportions(0.01, 5, direction=-1) is None


# time


def test_duration():
    assert room.duration(31_234, 1500, per="day", exposure=0.8) == room.Duration(31_234 / 1200, 27, 4, 28)
    assert room.duration(14_000, 7_000).weeks == 2
    assert room.duration(14_001, 7_000).weeks == 3
    assert room.duration(10, 7_000, min_weeks=2).weeks == 2
    assert room.duration(50_000, 50_000, per="month").days_exact == pytest.approx(365 / 12)


def test_duration_by_unique_visitors():
    curve = [7_000, 10_000, 12_000, 13_000]
    assert room.duration(11_000, 7_000).weeks == 2  # as if nobody came twice
    assert room.duration_by_curve(11_000, curve) == 3
    assert room.duration_by_curve(7_000, curve) == 1
    assert room.duration_by_curve(7_000, curve, min_weeks=2) == 2
    assert room.duration_by_curve(6_500, curve, exposure=0.5) == 4
    assert room.duration_by_curve(13_001, curve) is None


def test_unique_curve():
    assert_allclose(room.unique_curve(500, 2_000, weeks=3), [500, 1000, 1500])  # nobody comes again
    assert_allclose(room.unique_curve(500, 500, weeks=3), [500, 500, 500])  # all come each week
    curve = room.unique_curve(800, 1_500, weeks=8)
    assert curve[3] == pytest.approx(1_500) and (np.diff(np.diff(curve)) < 0).all()


def test_booking_by_hand():
    got = room.book([60_000, 30_000, 400_000, 20_000], [50_000.0, 50_000.0, 50_000.0], max_months=2)
    assert_allclose(got.booked, [[50_000, 10_000, 0], [0, 30_000, 0], [0, 0, 0], [0, 10_000, 10_000]])
    assert got.start_month.tolist() == [1, 2, 0, 2]
    assert got.refused.tolist() == [False, False, True, False]


@calm
@given(
    st.lists(st.floats(1, 2e5), min_size=1, max_size=8), st.lists(st.floats(0, 6e4), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_booked_people_never_exceed_the_intake(needs, intake, longest):
    got = room.book(needs, intake, max_months=longest)
    assert (got.booked.sum(axis=0) <= np.array(intake) * (1 + 1e-9) + 1e-6).all()
    for e, need in enumerate(needs):
        months = np.flatnonzero(got.booked[e] > 0)
        if got.refused[e]:
            assert months.size == 0 and got.start_month[e] == 0
        else:
            assert got.booked[e].sum() == pytest.approx(need)
            assert months[0] + 1 == got.start_month[e]
            assert months[-1] - months[0] < longest


# bad input


@pytest.mark.parametrize(
    "change, field, code",
    [
        ({"mde_abs": 0}, "mde_abs", "not_zero"),
        ({"mde_abs": 0.95}, "mde_abs", "between"),
        ({"mde_abs": -0.1}, "mde_abs", "between"),
        ({"mde_abs": np.nan}, "mde_abs", "not_finite"),
        ({"p_control": 0.0}, "p_control", "between"),
        ({"p_control": 8.0}, "p_control", "between"),
        ({"p_control": "8%"}, "p_control", "not_number"),
        ({"power": 1.0}, "power", "between"),
        ({"power": 0.04}, "power", "between"),
        ({"alpha": 0.0}, "alpha", "between"),
        ({"sides": 3}, "sides", "choice"),
        ({"allocation": (1,)}, "allocation", "too_few"),
        ({"allocation": ()}, "allocation", "empty"),
        ({"allocation": (1, 0)}, "allocation[1]", "above"),
        ({"correction": "holm"}, "correction", "choice"),
        ({"variance": "welch"}, "variance", "choice"),
        ({"variance_factor": 0.0}, "variance_factor", "above"),
    ],
)
def test_bad_input_names_the_field(change, field, code):
    arguments = {"p_control": 0.1, "mde_abs": 0.02} | change
    with pytest.raises(InputError) as caught:
        room.n_proportions(arguments.pop("p_control"), arguments.pop("mde_abs"), **arguments)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


@pytest.mark.parametrize("call, field", [
    (lambda: room.n_means(0.0, sd=1.0), "mde_abs"),
    (lambda: room.n_means(1.0, sd=0.0), "sd"),
    (lambda: room.n_means(1.0, sd=1.0, sd_treatment=-1.0), "sd_treatment"),
    (lambda: room.n_means(1.0, sd=1.0, distribution="exact"), "distribution"),
    (lambda: room.power_means(1.0, 1.0, sd=1.0), "n_control"),
    (lambda: room.mde_means(1.0, sd=1.0), "n_control"),
    (lambda: room.power_proportions(0.1, 0.02, 0), "n_control"),
    (lambda: room.mde_proportions(0.1, np.inf), "n_control"),
    (lambda: room.mde_proportions(0.1, 10, direction=0), "direction"),
    (lambda: room.design_effect(0.5, 0.1), "cluster_size"),
    (lambda: room.cuped_factor(1.0), "rho"),
    (lambda: room.control_share(0), "treatments"),
    (lambda: room.design_effect(2, 0.1, cv=-1), "cv"),
    (lambda: room.n_non_inferiority(room.Means(1.0), 0.0), "margin_abs"),
    (lambda: room.n_non_inferiority(room.Means(0.0), 0.1), "sd"),
    (lambda: room.n_non_inferiority(room.Means(1.0), 0.1, expected_abs=-0.1), "expected_abs"),
    (lambda: room.n_non_inferiority(room.Shares(0.1), 0.02, expected_abs=0.02, higher_is_better=False), "expected_abs"),
    (lambda: room.n_non_inferiority(room.Shares(0.1), 0.2, expected_abs=-0.15), "expected_abs"),
    (lambda: room.n_non_inferiority(room.Shares(1.1), 0.2), "p_control"),
    (lambda: room.n_non_inferiority(room.Shares(0.1, "pooled"), 0.02), "variance"),
    (lambda: room.power_non_inferiority(room.Shares(0.1), 0.02, 0), "n_control"),
    (lambda: room.smallest_margin(room.Shares(0.1), 100, power=0.01), "power"),
    (lambda: room.n_equivalence(room.Means(1.0), 0.1, expected_abs=0.1), "expected_abs"),
    (lambda: room.n_equivalence(room.Shares(0.1, "pooled"), 0.1), "variance"),
    (lambda: room.power_equivalence(room.Means(1.0), 0.0, 10), "margin_abs"),
    (lambda: room.n_mann_whitney(0.5), "superiority"),
    (lambda: room.n_mann_whitney(1.2), "superiority"),
    (lambda: room.power_mann_whitney(0.6, 10, tied_share=1.0), "tied_share"),
    (lambda: room.quantile_sd([1.0, 2.0], 0.5), "values"),
    (lambda: room.quantile_sd([1.0] * 100, 0.5), "values"),
    (lambda: room.ratio_sd(1.0, 0.0, np.eye(2)), "mean_denominator"),
    (lambda: room.ratio_sd(1.0, 1.0, np.eye(3)), "covariance"),
    (lambda: room.ratio_sd(1.0, 1.0, [[1.0, 2.0], [2.0, 1.0]]), "covariance"),
    (lambda: room.unique_curve(100, 99, weeks=4), "four_weekly"),
    (lambda: room.unique_curve(100, 401, weeks=4), "four_weekly"),
    (lambda: room.duration_by_curve(10, [5, 4]), "uniques[1]"),
    (lambda: room.duration_by_curve(10, []), "uniques"),
    (lambda: room.duration(0, 100), "n_total"),
    (lambda: room.duration(10, 0), "eligible"),
    (lambda: room.duration(10, 10, exposure=1.5), "exposure"),
    (lambda: room.duration(10, 10, per="year"), "per"),
    (lambda: room.book([-1.0], [10.0]), "n_totals[0]"),
    (lambda: room.book([1.0], []), "intake"),
    (lambda: room.months_of_intake(10, 0), "monthly_intake"),
])
def test_other_bad_input(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


# the independent reference cases that tests/reference does not map


ANSWERS = {
    "power_n_evan_miller": lambda i: {
        "n_per_arm": (size := room.n_proportions(
            i["p_control"], i["mde_abs"], alpha=i["alpha"], power=i["power"], variance="control"
        )).n_control_exact,
        "n_rounded": round(size.n_control_exact),
    },
}


@pytest.mark.parametrize("case", shared_cases(ANSWERS))
def test_reference(case):
    judge(case, ANSWERS)
