"""Shrinkage, leagues and funnel limits: by hand, by simulation, and levels that add up."""

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given
from hypothesis import strategies as s

from planlib.baseline.organisation import league
from planlib.baseline.pooling import funnel_limits, pool_shares
from planlib.core.errors import InputError


def test_a_store_with_three_checks_is_drawn_towards_its_region():
    """Three of three checks passed do not make the best store of the region."""
    found = league(["tiny", "a", "b", "c", "d"], ["north"] * 5, [3, 560, 700, 640, 590], [3, 1000, 1000, 1000, 1000])
    region = found.pooled.parent_share[0]
    assert found.pooled.raw[0] == 1.0
    assert abs(found.pooled.share[0] - region) < 0.25 * abs(1.0 - region)
    assert abs(found.pooled.share[2] - 0.7) < 0.005  # a thousand checks hardly move
    assert found.ranked()[0] == 2


def test_regions_pool_towards_their_own_level():
    x, n = [3, 640, 660, 2, 920, 930], [3, 1000, 1000, 3, 1000, 1000]
    found = pool_shares(x, n, ["s", "s", "s", "n", "n", "n"])
    assert abs(found.share[0] - 0.65) < 0.05 and abs(found.share[3] - 0.925) < 0.03


def test_groups_that_differ_by_chance_alone_get_their_parents_share_and_its_interval():
    x = np.array([48, 52, 50, 49, 51])
    found = pool_shares(x, [100] * 5)
    assert np.isinf(found.strength)
    assert np.allclose(found.share, 0.5)
    assert np.allclose(found.low, st.beta.ppf(0.025, 250, 250))


def test_strength_is_recovered():
    """Shares drawn from Beta(30, 70): a share of 0.3 that weighs 100 trials."""
    rng = np.random.default_rng(21)
    truth = rng.beta(30, 70, 3000)
    n = rng.integers(50, 400, 3000)
    found = pool_shares(rng.binomial(n, truth), n)
    assert found.parent_share[0] == pytest.approx(0.3, abs=0.005)
    assert found.strength == pytest.approx(100, rel=0.1)


def test_strength_is_recovered_from_many_parents_of_few_groups():
    """Three hundred regions of four stores with shares of their own: what one region cannot tell, all together can."""
    rng = np.random.default_rng(24)
    centre = np.repeat(rng.uniform(0.2, 0.8, 300), 4)
    truth = rng.beta(50 * centre, 50 * (1 - centre))
    n = rng.integers(20, 200, 1200)
    found = pool_shares(rng.binomial(n, truth), n, np.repeat(np.arange(300), 4))
    # a parent's share is that of its own few groups, which takes up about a tenth of the scatter
    assert found.strength == pytest.approx(50, rel=0.25)


def test_pooled_intervals_cover_and_pooled_shares_are_nearer():
    rng = np.random.default_rng(22)
    truth = rng.beta(12, 28, 4000)
    n = rng.integers(3, 200, 4000)
    found = pool_shares(rng.binomial(n, truth), n)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert abs(covered - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5
    assert ((found.share - truth) ** 2).mean() < 0.5 * ((found.raw - truth) ** 2).mean()


def test_a_group_without_trials_gets_its_parents_share():
    found = pool_shares([0, 30, 50], [0, 100, 100])
    assert np.isnan(found.raw[0]) and found.share[0] == pytest.approx(0.4)


@pytest.mark.parametrize("n, p", [(50, 0.8), (400, 0.65), (2000, 0.92)])
def test_funnel_limits_hold_what_they_say(n, p):
    limits = funnel_limits([n], p)
    for low, high, level in ((limits.low, limits.high, 0.95), (limits.far_low, limits.far_high, 0.998)):
        x = np.arange(n + 1)
        inside = st.binom.pmf(x[(x / n >= low[0]) & (x / n <= high[0])], n, p).sum()
        assert inside == pytest.approx(level, abs=2.5 * st.binom.pmf(int(high[0] * n), n, p) + 0.002)


def test_only_stores_beyond_chance_are_named():
    """A store of 3 and a store of 1000 at the same low share: only the large one is beyond chance."""
    found = league(["small", "large", "rest"], ["r"] * 3, [1, 333, 9000], [3, 1000, 10000])
    assert found.beyond.tolist() == [0, -1, 1]


counts = s.lists(s.tuples(s.integers(0, 500), s.integers(0, 500), s.sampled_from("abc")), min_size=1, max_size=25)


@given(counts)
def test_level_totals_add_up_exactly(rows):
    x = [passed for passed, _, _ in rows]
    n = [passed + failed for passed, failed, _ in rows]
    found = league([f"s{i}" for i in range(len(rows))], [region for _, _, region in rows], x, n)
    assert found.residual == 0
    assert (found.total.successes, found.total.trials) == (sum(x), sum(n))
    assert sum(region.trials for region in found.regions) == sum(n)


@given(counts)
def test_a_pooled_share_lies_between_the_own_and_the_parents(rows):
    x = [passed for passed, _, _ in rows]
    n = [passed + failed for passed, failed, _ in rows]
    found = pool_shares(x, n, [region for _, _, region in rows])
    seen = np.array(n) > 0
    low, high = (f(found.raw[seen], found.parent_share[seen]) for f in (np.minimum, np.maximum))
    assert (found.share[seen] >= low - 1e-12).all() and (found.share[seen] <= high + 1e-12).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: pool_shares([5], [4]),
        lambda: pool_shares([1, 2], [4]),
        lambda: pool_shares([0.5], [4]),
        lambda: pool_shares([1], [4], ["a", "b"]),
        lambda: league(["a", "a"], ["r", "r"], [1, 1], [2, 2]),
        lambda: league([], [], [], []),
        lambda: funnel_limits([0], 0.5),
        lambda: funnel_limits([10], 1.5),
    ],
)
def test_impossible_counts_are_refused(call):
    with pytest.raises(InputError):
        call()
