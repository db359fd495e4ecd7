"""The referral loop: generations, saturation, rewards, super-referrers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel import referral as room
from planlib.funnel.users import referred_users

calm = settings(deadline=None, derandomize=True)


def test_seeds_over_one_minus_k():
    """systems.yaml referral-loop: K < 1 yields total users including seeds = seeds / (1 - K)."""
    k = room.k_factor(invites_per_user=4, acceptance_rate=0.1)
    loop = room.referral_total(1_000, k, generations=200)
    assert loop.total == pytest.approx(1_000 / (1 - 0.4))
    assert loop.by_generation.sum() == pytest.approx(loop.total)
    assert_allclose(loop.by_generation[:5], [1000, 400, 160, 64, 25.6])
    seeds = np.zeros(300)
    seeds[0] = 1_000
    assert seeds.sum() + referred_users(seeds, k).sum() == pytest.approx(loop.total)


def test_benchmark_of_three_yuan():
    """systems.yaml referral-loop: with paid CAC 20 the referral benchmark is 3 CNY (15 %)."""
    assert room.referral_cac_cny(20, cost_ratio=0.15) == pytest.approx(3)
    assert room.cost_per_referred_cny(inviter_reward_cny=2, invitee_reward_cny=1) == pytest.approx(3)
    assert room.cost_per_referred_cny(inviter_reward_cny=2, invitee_reward_cny=1, anyway_share=0.4) == pytest.approx(5)


def test_among_very_many_people_the_loop_is_the_unlimited_one():
    waves = room.referral_waves(1_000, 0.6, reachable=1e12, cycle_days=20, generations=60)
    loop = room.referral_total(1_000, 0.6, generations=60)
    assert_allclose(waves.by_generation, loop.by_generation, rtol=1e-6)
    assert waves.limit == pytest.approx(loop.total, rel=1e-6)
    assert waves.day[:3].tolist() == [0, 20, 40]


@settings(calm, max_examples=40)
@given(st.floats(1e-6, 1), st.floats(0, 5), st.floats(1, 1e7))
def test_limit_is_the_closed_form_and_the_end_of_the_waves(part, k, reachable):
    from scipy.special import lambertw

    seeds = part * reachable
    waves = room.referral_waves(seeds, k, reachable=reachable, generations=400)
    assert (waves.by_generation >= 0).all() and (waves.used_share <= 1 + 1e-12).all()
    assert waves.cumulative[-1] <= waves.limit * (1 + 1e-9)
    if k > 1e-3 and seeds > 1e-3 * reachable:
        inner = -k * (1 - part) * np.exp(-k)
        closed = reachable * (1 + float(lambertw(inner).real) / k)
        assert waves.limit == pytest.approx(closed, rel=1e-6, abs=1e-9)
        assert waves.cumulative[-1] == pytest.approx(waves.limit, rel=0.02)


def test_people_who_invite_anybody_follow_the_waves():
    """Branching: each brings Poisson(1.3) friends, picked from 20,000; those who are in already do not count."""
    rng, reachable, seeds, k, runs = np.random.default_rng(20270107), 20_000, 400, 1.3, 40
    waves = room.referral_waves(seeds, k, reachable=reachable, generations=6)
    totals, early = [], []
    for _ in range(runs):
        inside = np.zeros(reachable, dtype=bool)
        inside[:seeds] = True
        new, counts = seeds, [seeds]
        while new:
            found = np.unique(rng.integers(0, reachable, rng.poisson(k, new).sum()))
            fresh = found[~inside[found]]
            inside[fresh] = True
            new = len(fresh)
            counts.append(new)
        totals.append(inside.sum())
        early.append(counts[:6])
    error = np.std(totals, ddof=1) / runs**0.5
    assert abs(np.mean(totals) - waves.limit) < 4 * error
    early = np.array(early)
    assert (np.abs(early.mean(axis=0) - waves.by_generation)[1:] < 4 * early.std(axis=0, ddof=1)[1:] / runs**0.5).all()
    assert waves.limit < reachable


def test_a_loop_above_one_runs_dry_only_where_people_are_limited():
    with pytest.raises(InputError) as caught:
        room.referral_total(1_000, 1.0)
    assert caught.value.problems[0].field == "k"
    assert 10_000 * 0.5 < room.referral_waves(100, 1.5, reachable=10_000).limit < 10_000


# ---- rewards

responses = st.builds(
    lambda low, more, half: room.RewardResponse(low, low + more * (0.95 - low), half),
    st.floats(0, 0.5), st.floats(0.05, 1.0), st.floats(0.5, 50.0),
)


@calm
@given(responses, st.floats(1.0, 200.0))
def test_the_best_reward_saves_most(response, paid):
    found = room.best_reward(response, paid_cac_cny=paid)
    reward = np.linspace(0, paid, 20_001)
    k = response.k_without + (response.k_most - response.k_without) * reward / (reward + response.half_reward_cny)
    saved = paid * (k / (1 - k) - response.k_without / (1 - response.k_without)) - reward * k / (1 - k)
    assert found.saved_cny >= saved.max() - 1e-9 * max(1.0, abs(saved.max()))
    assert 0 <= found.reward_cny < paid
    if found.reward_cny > 0:
        assert found.marginal_cac_cny == pytest.approx(paid)
    else:
        assert found.marginal_cac_cny >= paid * (1 - 1e-9) and found.saved_cny == 0


def test_best_reward_by_hand():
    """k_without 0, k_most 0.5, half 10: R = r / (r + 20), r + r (r + 20) / 20 = 20."""
    found = room.best_reward(room.RewardResponse(0, 0.5, 10), paid_cac_cny=20)
    assert found.reward_cny == pytest.approx(-20 + 800**0.5)
    assert found.referred_per_seed == pytest.approx(found.reward_cny / (found.reward_cny + 20))
    assert found.saved_cny == pytest.approx((20 - found.reward_cny) * found.referred_per_seed)


def test_no_reward_pays_where_most_come_without():
    found = room.best_reward(room.RewardResponse(0.4, 0.42, 10), paid_cac_cny=5)
    assert (found.reward_cny, found.saved_cny) == (0.0, 0.0)
    assert found.k == pytest.approx(0.4) and found.marginal_cac_cny > 5


# ---- super-referrers


def test_shrinking_finds_the_spread_between_users():
    rng, users = np.random.default_rng(20270108), 20_000
    sent, true = rng.poisson(20, users), rng.beta(2.0, 18.0, users)
    came = rng.binomial(sent, true)
    found = room.super_referrers(sent, came)
    mean = float(found.rates @ found.weights)
    assert mean == pytest.approx(0.1, abs=0.003)
    assert np.square(found.rates - mean) @ found.weights == pytest.approx(0.1 * 0.9 / 21, rel=0.1)
    raw = np.divide(came, sent, out=np.zeros(users), where=sent > 0)
    assert np.square(found.rate - true).mean() < 0.5 * np.square(raw - true)[sent > 0].mean()
    best = (2.0 + came) / (20.0 + sent)  # if the spread between users were known
    assert np.square(found.rate - true).mean() < 1.02 * np.square(best - true).mean()
    assert (np.diff(found.expected[found.top]) <= 0).all() and len(found.top) == 2_000


def test_luck_is_no_gift():
    """All users alike: as counted the best tenth converts three times as well, shrunk it does not."""
    rng = np.random.default_rng(20270109)
    sent = np.full(5_000, 10)
    came = rng.binomial(sent, 0.1)
    found = room.super_referrers(sent, came)
    assert found.raw_multiple > 2.5
    assert found.rate_multiple < 1.15


def test_a_group_that_converts_three_and_a_half_times_as_well():
    rng = np.random.default_rng(20270110)
    good = np.arange(4_000) < 200
    sent = np.full(4_000, 40)
    came = rng.binomial(sent, np.where(good, 0.35, 0.1))
    found = room.super_referrers(sent, came, share=0.05)
    assert good[found.top].mean() > 0.9
    true = np.where(good, 0.35, 0.1)
    others = np.setdiff1d(np.arange(4_000), found.top)
    assert found.rate_multiple == pytest.approx(true[found.top].mean() / true[others].mean(), rel=0.05)
    assert found.joined_share == pytest.approx(came[found.top].sum() / came.sum())


def test_those_who_invited_nobody_have_the_rate_of_all_and_bring_nobody():
    found = room.super_referrers([0, 10, 30, 20], [0, 2, 3, 1], share=0.25)
    assert found.rate[0] == pytest.approx(found.rates @ found.weights)
    assert found.expected[0] == 0 and 0 not in found.top
    assert room.super_referrers([10, 0], [3, 0], share=0.5).raw_multiple is None
    silent = room.super_referrers([10, 30, 20] + [0] * 500, [2, 3, 1] + [0] * 500)
    assert_allclose(silent.weights, found.weights, atol=1e-12)  # they say nothing about the spread


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.k_factor(invites_per_user=-1, acceptance_rate=0.1), "at_least", "invites_per_user"),
        (lambda: room.k_factor(invites_per_user=1, acceptance_rate=10), "out_of_range", "acceptance_rate"),
        (lambda: room.referral_waves(11, 0.4, reachable=10), "at_most", "seeds"),
        (lambda: room.referral_waves(1, -0.1, reachable=10), "at_least", "k"),
        (lambda: room.cost_per_referred_cny(inviter_reward_cny=1, invitee_reward_cny=1, anyway_share=1), "below",
         "anyway_share"),
        (lambda: room.best_reward(room.RewardResponse(0.3, 0.2, 1), paid_cac_cny=20), "above", "response.k_most"),
        (lambda: room.best_reward(room.RewardResponse(0.3, 1.2, 1), paid_cac_cny=20), "between", "response.k_most"),
        (lambda: room.super_referrers([1, 2], [2, 0]), "at_most", "joined[0]"),
        (lambda: room.super_referrers([1, 2], [0, 0]), "above", "joined"),
        (lambda: room.super_referrers([1, 2], [0.5, 0]), "not_whole", "joined"),
        (lambda: room.super_referrers([1], [1]), "too_few", "invites"),
        (lambda: room.super_referrers([1, 2], [1]), "shape", "joined"),
        (lambda: room.super_referrers([1, 2], [1, 1], share=1.0), "between", "share"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
