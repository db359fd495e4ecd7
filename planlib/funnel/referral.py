"""The referral loop: how far it carries, when it runs dry, what a reward is worth, and who really brings friends.

What a loop adds to each month's intake is `planlib.funnel.users.referred_users`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

_GRID = 200  # acceptance rates looked at, closer together where they are low
_STEPS = 1000  # of the EM algorithm


@dataclass(frozen=True, slots=True)
class Referral:
    """People that a referral loop brings in the end, seeds included, and by generation."""

    total: float
    by_generation: np.ndarray


@dataclass(frozen=True, slots=True)
class Waves:
    """A loop among a limited number of people; arrays (G,), the seeds first.

    Attributes:
        by_generation: people who join in each generation.
        cumulative: people who are in by then.
        day: days since the seeds joined.
        limit: people who are in when the loop has run dry.
        used_share: of those who can be reached, the share that is in by then.
    """

    by_generation: np.ndarray
    cumulative: np.ndarray
    day: np.ndarray
    limit: float
    used_share: np.ndarray


@dataclass(frozen=True, slots=True)
class RewardResponse:
    """What a reward does to K: k(r) = k_without + (k_most - k_without) r / (r + half_reward_cny).

    Attributes:
        k_without: people whom a user brings without reward, >= 0.
        k_most: what no reward exceeds, above k_without and below 1.
        half_reward_cny: reward for both sides together that brings half of the difference, > 0.
    """

    k_without: float
    k_most: float
    half_reward_cny: float


@dataclass(frozen=True, slots=True)
class BestReward:
    """The reward at which one more referred user costs as much as a bought one.

    Attributes:
        reward_cny: for both sides together, paid for every referred user.
        k: people whom a user then brings.
        referred_per_seed: people brought in the end for one who joined otherwise.
        marginal_cac_cny: cost of the last referred user; the paid CAC, or more when no reward pays.
        saved_cny: against buying the additional people, for one who joined otherwise.
    """

    reward_cny: float
    k: float
    referred_per_seed: float
    marginal_cac_cny: float
    saved_cny: float


@dataclass(frozen=True, slots=True)
class Referrers:
    """Users ranked by the friends that they can be expected to bring.

    Attributes:
        rates, weights: (G,) acceptance rates and how common each is among the users.
        rate: (U,) acceptance rate of each user's invitations, shrunk towards all users'.
        expected: (U,) invitations x shrunk rate.
        top: indices of the super-referrers, best first.
        rate_multiple: shrunk acceptance of their invitations over that of the others'.
        raw_multiple: the same as counted, which luck inflates; None when the others brought nobody.
        joined_share: share of all referred friends whom they brought.
    """

    rates: np.ndarray
    weights: np.ndarray
    rate: np.ndarray
    expected: np.ndarray
    top: np.ndarray
    rate_multiple: float
    raw_multiple: float | None
    joined_share: float


def k_factor(*, invites_per_user: float, acceptance_rate: float) -> float:
    """Return the people whom a user brings in one cycle.

    >>> k_factor(invites_per_user=4, acceptance_rate=0.1)
    0.4
    """
    guard = Guard()
    invites = guard.number("invites_per_user", invites_per_user, low=0.0)
    accepted = guard.number("acceptance_rate", acceptance_rate, low=0.0, high=1.0)
    guard.done()
    return invites * accepted


def referral_total(seeds: float, k: float, *, generations: int = 5) -> Referral:
    """Return what a referral loop brings when each person brings k more in the next generation.

    Args:
        seeds: people who begin, >= 0.
        k: people brought by each, 0 <= k < 1; at 1 or more the loop would never end.
        generations: how many to list, the seeds first.

    >>> referral_total(1000, 0.4).by_generation
    array([1000. ,  400. ,  160. ,   64. ,   25.6])
    """
    guard = Guard()
    start = guard.number("seeds", seeds, low=0.0)
    factor = guard.number("k", k, low=0.0, below=1.0)
    count = guard.whole("generations", generations)
    guard.done()
    return Referral(start / (1.0 - factor), start * factor ** np.arange(count))


def referral_waves(
    seeds: float, k: float, *, reachable: float, cycle_days: float = 30.0, generations: int = 12
) -> Waves:
    """Follow a loop among people of whom each can join only once.

    Invitations find anybody: those that find somebody who is in already are lost. Of S people
    who are not in, S (1 - exp(-k I / reachable)) join after I joined in the generation before.
    The limit z solves z = reachable - (reachable - seeds) exp(-k z / reachable).

    Args:
        seeds: people who begin, >= 0.
        k: people whom each would bring if nobody were in, >= 0; 1 or more is possible here,
            since the loop runs dry.
        reachable: people who can be reached, seeds included.
        cycle_days: days from joining to the friends' joining, > 0.
        generations: how many to list, the seeds first.

    Source: Kermack & McKendrick 1927 (final size).

    >>> waves = referral_waves(1000, 0.4, reachable=10_000, generations=3)
    >>> waves.by_generation.round(1), round(waves.limit)
    (array([1000. ,  352.9,  121.2]), 1536)
    """
    guard = Guard()
    start = guard.number("seeds", seeds, low=0.0)
    factor = guard.number("k", k, low=0.0)
    most = guard.number("reachable", reachable, above=0.0)
    cycle = guard.number("cycle_days", cycle_days, above=0.0)
    count = guard.whole("generations", generations)
    if not guard.problems and start > most:
        guard.add("at_most", "seeds", start, high=most)
    guard.done()
    joined, left = np.zeros(count), most - start
    joined[0] = start
    for generation in range(1, count):
        joined[generation] = left * -np.expm1(-factor * joined[generation - 1] / most)
        left -= joined[generation]
    inside = joined.cumsum()
    return Waves(joined, inside, cycle * np.arange(count), _final_size(start, factor, most), inside / most)


def referral_cac_cny(paid_cac_cny: float, *, cost_ratio: float) -> float:
    """Return the cost of a referred user when it is a share of the cost of a paid one.

    >>> referral_cac_cny(20.0, cost_ratio=0.15)
    3.0
    """
    guard = Guard()
    paid = guard.number("paid_cac_cny", paid_cac_cny, low=0.0)
    ratio = guard.number("cost_ratio", cost_ratio, low=0.0)
    guard.done()
    return paid * ratio


def cost_per_referred_cny(
    *, inviter_reward_cny: float, invitee_reward_cny: float, anyway_share: float = 0.0
) -> float:
    """Return what an additional referred user costs in rewards.

    Args:
        inviter_reward_cny, invitee_reward_cny: CNY paid to each side for one who joins, >= 0.
        anyway_share: share of the referred who would have joined without being invited, below 1;
            they are rewarded as well.

    >>> cost_per_referred_cny(inviter_reward_cny=2.0, invitee_reward_cny=1.0, anyway_share=0.25)
    4.0
    """
    guard = Guard()
    one = guard.number("inviter_reward_cny", inviter_reward_cny, low=0.0)
    other = guard.number("invitee_reward_cny", invitee_reward_cny, low=0.0)
    anyway = guard.number("anyway_share", anyway_share, low=0.0, below=1.0)
    guard.done()
    return (one + other) / (1.0 - anyway)


def best_reward(response: RewardResponse, *, paid_cac_cny: float) -> BestReward:
    """Return the reward that saves most against buying the same people.

    With R(r) = k / (1 - k) people brought in the end and r R(r) paid for them, one more costs
    d(r R) / dR = r + R / R'. It rises with r, and where it meets the paid CAC the saving
    (paid CAC) (R(r) - R(0)) - r R(r) is largest: the positive root of a quadratic. Rewards go
    to those as well who would come without, so that with a large k_without none may pay.

    Args:
        response: see `RewardResponse`.
        paid_cac_cny: CNY that a user costs in the paid channels at the margin, >= 0.

    >>> found = best_reward(RewardResponse(0.0, 0.5, 10.0), paid_cac_cny=20.0)
    >>> round(found.reward_cny, 3), round(found.marginal_cac_cny, 3)
    (8.284, 20.0)
    """
    guard = Guard()
    low = guard.number("response.k_without", response.k_without, low=0.0, below=1.0)
    high = guard.number("response.k_most", response.k_most, above=0.0, below=1.0)
    half = guard.number("response.half_reward_cny", response.half_reward_cny, above=0.0)
    paid = guard.number("paid_cac_cny", paid_cac_cny, low=0.0)
    if not guard.problems and high <= low:
        guard.add("above", "response.k_most", high, low=low)
    guard.done()
    square, line = high * (1 - high), 2 * half * high * (1 - low)
    rest = low * (1 - low) * half**2 - paid * half * (high - low)
    reward = 0.0 if rest >= 0 else -2 * rest / (line + (line**2 - 4 * square * rest) ** 0.5)
    k = low + (high - low) * reward / (reward + half)
    slope = half * (high - low) / ((1 - low) * half + (1 - high) * reward) ** 2
    brought, without = k / (1 - k), low / (1 - low)
    saved = paid * (brought - without) - reward * brought
    return BestReward(reward, k, brought, reward + brought / slope, saved)


def super_referrers(invites: object, joined: object, *, share: float = 0.1) -> Referrers:
    """Rank users by the friends they can be expected to bring, by degree and shrunk conversion.

    A user whose two invitations were both accepted does not convert every friend: what was
    counted is weighed against how common each rate is among all users. That distribution is
    itself taken from the counts (empirical Bayes), without assuming a form, so that a small
    group that really differs is not drawn into the crowd.

    Args:
        invites: (U,) invitations sent, whole, >= 0, some above 0.
        joined: (U,) of those, friends who joined.
        share: of the users, the super-referrers, above 0 and below 1; at least one and not all.

    Raises:
        InputError: shapes disagree, a count is out of range, fewer than two users, or nobody joined.

    Source: Robbins 1956; Kiefer & Wolfowitz 1956, by the EM algorithm.

    >>> found = super_referrers([10, 2, 50, 50, 50], [1, 2, 30, 5, 5], share=0.2)
    >>> found.top.tolist(), bool(found.rate[1] < 0.9)
    ([2], True)
    """
    guard = Guard()
    sent = guard.numbers("invites", invites, low=0.0, ndim=(1,))
    came = guard.numbers("joined", joined, low=0.0, ndim=(1,))
    part = guard.number("share", share, above=0.0, below=1.0)
    if sent.shape != came.shape:
        guard.add("shape", "joined", f"shape {came.shape}", expected=f"shape {sent.shape}")
        guard.done()
    if len(sent) < 2:
        guard.add("too_few", "invites", len(sent), low=2)
    for name, counts in (("invites", sent), ("joined", came)):
        if np.any(counts != np.floor(counts)):
            guard.add("not_whole", name)
    if np.any(came > sent):
        user = int((came > sent).argmax())
        guard.add("at_most", f"joined[{user}]", float(came[user]), high=float(sent[user]))
    if not guard.problems and came.sum() == 0:
        guard.add("above", "joined", 0.0, low=0)
    guard.done()
    rates, weights, rate = _shrunk(sent, came)
    expected = sent * rate
    count = min(max(round(part * len(sent)), 1), len(sent) - 1)
    order = np.argsort(-expected, kind="stable")
    top, others = order[:count], order[count:]
    return Referrers(
        rates, weights, rate, expected, top,
        rate_multiple=_pooled(expected, sent, top) / (_pooled(expected, sent, others) or float(rates @ weights)),
        raw_multiple=_pooled(came, sent, top) / _pooled(came, sent, others) if came[others].sum() else None,
        joined_share=float(came[top].sum() / came.sum()),
    )  # fmt: skip


def _final_size(start: float, factor: float, most: float) -> float:
    """The root of z = most - (most - start) exp(-factor z / most), by halving."""
    low, high = start, most
    while low < (middle := (low + high) / 2) < high:
        lost = -factor * middle / most
        beyond = start * np.exp(lost) - most * np.expm1(lost) < middle
        low, high = (low, middle) if beyond else (middle, high)
    return low


def _shrunk(sent: np.ndarray, came: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, how common each is, and the rate to expect of each user."""
    pairs, which, times = np.unique(np.stack([sent, came]), axis=1, return_inverse=True, return_counts=True)
    n, x = pairs[:, :, None]
    rates = (np.arange(1, _GRID) / _GRID) ** 2
    fit = x * np.log(rates) + (n - x) * np.log1p(-rates)
    fit = np.exp(fit - fit.max(axis=1, keepdims=True))
    invited = (times * (n[:, 0] > 0))[:, None]
    weights = np.full(len(rates), 1.0 / len(rates))
    for _ in range(_STEPS):
        chance = fit * weights
        weights = (chance / chance.sum(axis=1, keepdims=True) * invited).sum(axis=0) / invited.sum()
    chance = fit * weights
    return rates, weights, (chance @ rates / chance.sum(axis=1))[which.ravel()]


def _pooled(friends: np.ndarray, sent: np.ndarray, who: np.ndarray) -> float:
    total = sent[who].sum()
    return float(friends[who].sum() / total) if total else 0.0
