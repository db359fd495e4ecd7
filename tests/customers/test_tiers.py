"""Tiers: rule of demotion, chains against powers and sums, rights against their line, jumps against statsmodels."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.errors import InputError
from planlib.customers import tiers as room

calm = settings(deadline=None, derandomize=True, max_examples=60)
LOCALES = Path(room.__file__).parents[1] / "locale"


# ---- tiers


@calm
@given(st.lists(st.integers(-5, 30), min_size=1, max_size=40), st.integers(0, 1000))
def test_every_member_has_one_tier_and_tiers_add_up(score, seed):
    cuts = room.propose_tier_cuts(score)
    assert len(cuts) == len(room.TIERS) - 1
    before = np.random.default_rng(seed).integers(-1, 4, len(score))
    found = room.tiers(score, cuts=cuts, previous=before)
    assert found.counts.sum() == len(score) and len(found.counts) == 4
    assert_array_equal(found.counts, np.bincount(found.tier, minlength=4))
    old = before >= 0
    assert found.promoted == (found.tier > before)[old].sum() and found.demoted == (found.tier < before)[old].sum()


def test_nobody_falls_over_a_trifle():
    """Gold from 80: who has it keeps it down to 72; silver from 50 down to 45."""
    score = [80, 79, 72, 71.9, 45, 44.9]
    assert room.tiers(score, cuts=(50, 80, 95), previous=[2] * 6).tier.tolist() == [2, 2, 2, 1, 1, 0]
    assert room.tiers(score, cuts=(50, 80, 95), previous=[1] * 6).tier.tolist() == [2, 1, 1, 1, 1, 0]
    assert room.tiers(score, cuts=(50, 80, 95), previous=[-1] * 6).tier.tolist() == [2, 1, 1, 1, 0, 0]
    assert room.tiers(score, cuts=(50, 80, 95)).tier.tolist() == [2, 1, 1, 1, 0, 0]
    hard = room.tiers([80, 83.9, 84], cuts=(50, 80, 95), previous=[1, 1, 1], promote_margin=0.05)
    assert (hard.tier.tolist(), hard.promoted, hard.held.tolist()) == ([1, 1, 2], 1, [True, True, False])
    both = room.tiers([96, 10], cuts=(50, 80, 95), previous=[0, 3])
    assert (both.tier.tolist(), both.promoted, both.demoted) == ([3, 0], 1, 1)


def test_all_alike_and_one_member_are_ordinary():
    for score in ([7.0], [3.0, 3.0, 3.0]):
        cuts = room.propose_tier_cuts(score)
        assert cuts == (None, None, None)
        assert room.tiers(score, cuts=cuts).counts.tolist() == [len(score), 0, 0, 0]


def test_score_by_hand():
    found = room.tier_score({"rfm": [1, 2], "value": [9, -4]}, weights={"rfm": 3, "value": 1})
    assert found.tolist() == [(3 * 25 + 75) / 4, (3 * 75 + 25) / 4]


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.tier_score({}, weights={}),
        lambda: room.tier_score({"a": [1]}, weights={"b": 1}),
        lambda: room.tier_score({"a": [1]}, weights={"a": 0}),
        lambda: room.tier_score({"a": [1], "b": [1, 2]}, weights={"a": 1, "b": 1}),
        lambda: room.tier_score({"a": [np.nan]}, weights={"a": 1}),
        lambda: room.tiers([1], cuts=(50, 40)),
        lambda: room.tiers([1], cuts=(50, 80), previous=[5]),
        lambda: room.tiers([1], cuts=(50, 80), demote_margin=1.0),
    ],
)
def test_bad_tiers(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_each_tier_has_a_name_and_an_action(locale):
    told = yaml.safe_load((LOCALES / locale / "customers.yaml").read_text(encoding="utf-8"))["tiers"]
    assert all(told[tier]["name"] and len(told[tier]["action"]) > 5 for tier in room.TIERS)


# ---- transitions


@calm
@given(st.integers(1, 4), st.integers(0, 2), st.integers(0, 1000))
def test_transition_rows_sum_to_one(size, ways_out, seed):
    counts = np.random.default_rng(seed).poisson(2, (size, size + ways_out))
    found = room.transitions(counts)
    assert_allclose(found.mean.sum(axis=1), 1.0)
    for row, of in zip(found.mle, counts.sum(axis=1), strict=True):
        assert (row is None) == (of == 0)
        assert row is None or abs(row.sum() - 1) < 1e-12
    assert (found.interval.low <= found.mean + 1e-12).all() and (found.mean <= found.interval.high + 1e-12).all()
    assert found.members.sum() == counts.sum()
    assert found.living.shape == (size, size)


def test_dirichlet_by_hand_and_against_draws():
    found = room.transitions([[8, 2, 0], [1, 3, 1]])
    assert_allclose(found.mean, [[9 / 13, 3 / 13, 1 / 13], [2 / 8, 4 / 8, 2 / 8]])
    assert_allclose(found.mle[0], [0.8, 0.2, 0.0])
    draws = np.random.default_rng(4).dirichlet([9, 3, 1], 200_000)
    assert_allclose(found.interval.low[0], np.quantile(draws, 0.025, axis=0), atol=0.003)
    assert_allclose(found.interval.high[0], np.quantile(draws, 0.975, axis=0), atol=0.003)


@pytest.mark.parametrize("counts", [[[1], [2]], [[1.5, 2]], [[-1, 2]], [1, 2]])
def test_bad_counts(counts):
    with pytest.raises(InputError):
        room.transitions(counts)


# ---- where a chain settles


@calm
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_stationary_is_the_limit_of_averages(size, seed):
    """Also of chains with zeros: periodic ones, ones that fall apart, ones with states that are only passed."""
    rng = np.random.default_rng(seed)
    raw = rng.random((size, size)) * (rng.random((size, size)) < 0.5)
    raw[np.arange(size), rng.integers(size, size=size)] += 0.2
    chain = raw / raw.sum(axis=1, keepdims=True)
    found = room.stationary(chain)
    slow = (np.eye(size) + chain) / 2  # the same long run, without periods
    assert_allclose(found.long_run, np.linalg.matrix_power(slow, 2**22), atol=1e-7)
    values = np.linalg.eigvals(chain)
    circle = values[np.abs(values) > 1 - 1e-9]
    assert found.unique == ((np.abs(circle - 1) < 1e-7).sum() == 1)
    assert found.converges == bool((np.abs(circle - 1) < 1e-7).all())
    if found.unique:
        assert_allclose(found.share @ chain, found.share, atol=1e-12)
        assert_allclose(found.share.sum(), 1.0)
    else:
        assert found.share is None


def test_two_tiers_a_flip_and_a_fork():
    assert_allclose(room.stationary([[0.7, 0.3], [0.2, 0.8]]).share, [0.4, 0.6], atol=1e-15)
    flip = room.stationary([[0, 1], [1, 0]])
    assert (flip.share.tolist(), flip.converges, flip.period) == ([0.5, 0.5], False, (2,))
    fork = room.stationary([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]])
    assert (fork.unique, fork.closed, fork.long_run[1].tolist()) == (False, ((0,), (2,)), [0.5, 0.0, 0.5])


def test_small_shares_keep_their_digits():
    """A chain that leaves state 0 once in 1e12 months."""
    found = room.stationary([[1 - 1e-12, 1e-12], [0.5, 0.5]])
    assert_allclose(found.share[1], 1e-12 / (0.5 + 1e-12), rtol=1e-4)  # 1 - 1e-12 itself has four digits of it


@pytest.mark.parametrize("matrix", [[[0.5, 0.4], [0.2, 0.8]], [[0.5, 0.5]], [[1.2, -0.2], [0, 1]], [[np.nan]]])
def test_bad_chains(matrix):
    with pytest.raises(InputError):
        room.stationary(matrix)


# ---- values


def test_values_against_the_sum_over_months():
    chain, margin = np.array([[0.6, 0.2, 0.0], [0.1, 0.7, 0.1], [0.0, 0.1, 0.85]]), np.array([5.0, 20.0, 60.0])
    found = room.tier_values(chain, margin, discount=0.99)
    total, state = np.zeros(3), np.eye(3)
    for month in range(3_000):
        total += 0.99**month * state @ margin
        state = state @ chain
    assert_allclose(found.value_cny, total)
    assert_allclose(found.promotion_cny, [total[1] - total[0], total[2] - total[1]])
    assert_allclose(found.months, sum(np.linalg.matrix_power(chain, t).sum(axis=1) for t in range(600)), rtol=1e-6)


def test_who_never_leaves():
    forever = [[0.5, 0.5], [0.0, 1.0]]
    found = room.tier_values(forever, [1.0, 2.0], discount=0.9)
    assert found.months is None and np.isfinite(found.value_cny).all()
    with pytest.raises(InputError) as caught:
        room.tier_values(forever, [1.0, 2.0], discount=1.0)
    assert caught.value.problems[0].code == "never_leaves"
    assert all("1" in caught.value.render(locale) for locale in ("zh", "en"))
    # leaving only by way of another tier is leaving
    assert_allclose(room.tier_values([[0.0, 1.0], [0.0, 0.5]], [1, 1], discount=1.0).months, [3.0, 2.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.tier_values([[0.8, 0.3], [0, 0.5]], [1, 2], discount=0.9),
        lambda: room.tier_values([[0.5]], [1, 2], discount=0.9),
        lambda: room.tier_values([[0.5]], [1], discount=0.0),
        lambda: room.tier_values([[0.5]], [1], discount=1.1),
    ],
)
def test_bad_values(call):
    with pytest.raises(InputError):
        call()


# ---- rights


def test_rights_are_booked_to_their_line():
    found = room.rights_of_tiers([60, 25, 10, 5], [3, 10, 30, 90], [0, 1, 4, 20], line="operations", line_cny=2_000,
                                 months=12)  # fmt: skip
    assert found.total_cny == 12 * (25 + 40 + 100) and found.left_cny == 2_000 - 1_980 and found.line == "operations"
    assert [row.tier for row in found.accounts] == list(room.TIERS)
    assert found.accounts[3].net_cny == 12 * 5 * (90 - 20) and found.accounts[3].net_per_member_cny == 12 * 70
    assert_allclose(sum(row.rights_cny for row in found.accounts), found.total_cny)
    nobody = room.rights_of_tiers([0], [5], [1], line="x", line_cny=0, names=("silver",))
    assert nobody.accounts[0].net_per_member_cny is None


def test_rights_above_their_line_are_refused():
    with pytest.raises(InputError) as caught:
        room.rights_of_tiers([100], [9], [1.01], line="operations", line_cny=100, names=("gold",))
    problem = caught.value.problems[0]
    assert (problem.code, problem.given) == ("rights_above_line", 101.0)
    assert all("operations" in caught.value.render(locale) for locale in ("zh", "en"))
    with pytest.raises(InputError):
        room.rights_of_tiers([1], [9], [1], line="", line_cny=100, names=("gold",))


# ---- growth tasks


def cohort(rng, n=1_500, effect=0.5):
    score = rng.normal(0, 1, n)
    return score, effect * (score >= 0.3) + score + 0.3 * score**2 + rng.normal(0, 1, n)


def test_jump_is_a_weighted_regression_with_robust_errors():
    api = pytest.importorskip("statsmodels.api")
    score, outcome = cohort(np.random.default_rng(8))
    found = room.jump_at_cut(score, outcome, cut=0.3, bandwidth=0.8)
    x = score - 0.3
    near = np.abs(x) < 0.8
    x, y = x[near], outcome[near]
    design = np.column_stack([x >= 0, np.ones(len(x)), x, (x >= 0) * x])
    peer = api.WLS(y, design, weights=1 - np.abs(x) / 0.8).fit(cov_type="HC1")
    assert_allclose([found.effect, found.high - found.effect], [peer.params[0], 1.959963985 * peer.bse[0]], rtol=1e-6)
    assert found.below + found.above == near.sum()


def test_jump_covers_the_planted_effect():
    rng, sims = np.random.default_rng(20261125), 400
    found = [room.jump_at_cut(*cohort(rng), cut=0.3) for _ in range(sims)]
    hits = np.mean([jump.low <= 0.5 <= jump.high for jump in found])
    assert abs(hits - 0.95) < 4 * (0.95 * 0.05 / sims) ** 0.5
    crowded = np.mean([jump.crowding_p_value < 0.05 for jump in found])
    assert crowded < 0.05 + 4 * (0.05 * 0.95 / sims) ** 0.5


def test_crowding_by_hand():
    """One customer at each whole score below the cut, two above: within 5 on each side, 5 against 10."""
    score = np.concatenate([np.arange(-20, 0), np.repeat(np.arange(20), 2)])
    found = room.jump_at_cut(score, np.zeros(60), cut=0, bandwidth=15)
    assert_allclose(found.crowding_p_value, 2 * (3003 + 1365 + 455 + 105 + 15 + 1) / 2**15)


def test_customers_who_push_themselves_over_the_cut_are_seen():
    rng = np.random.default_rng(2)
    score, outcome = cohort(rng, 4_000)
    pushed = np.where((score > 0.1) & (score < 0.3) & (rng.random(4_000) < 0.5), 0.3 + rng.random(4_000) / 20, score)
    assert room.jump_at_cut(pushed, outcome, cut=0.3, bandwidth=0.4).crowding_p_value < 1e-6


@pytest.mark.parametrize(
    ("score", "settings_", "reason"),
    [
        (np.arange(40.0), {"cut": 100}, "too_few_near_cut"),
        (np.arange(40.0), {"cut": 20, "bandwidth": 3}, "too_few_near_cut"),
        (np.repeat([1.0, 2.0], 20), {"cut": 2, "bandwidth": 5}, "one_score"),
    ],
)
def test_where_no_jump_can_be_told(score, settings_, reason):
    found = room.jump_at_cut(score, np.ones(40), **settings_)
    assert (found.effect, found.low, found.reason) == (None, None, reason)


def test_the_same_outcome_for_all_has_no_jump():
    found = room.jump_at_cut(np.linspace(-1, 1, 200), np.ones(200), cut=0.0)
    assert abs(found.effect) < 1e-9 and abs(found.high) < 1e-9
