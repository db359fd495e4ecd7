"""What customers bring by speaking of the brand: referred margin, influence, social currency and its exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

RELIABLE_ALPHA = 0.7  # Nunnally 1978
_SETTLED = 1e-12  # change of the influence of all together, per step
_STEPS = 1_000
_SLACK = 1e-9  # of a ledger's sum, as a part of what moved


@dataclass(frozen=True, slots=True)
class ReferralValue:
    """What referral brings in the end.

    Attributes:
        total: people, seeds included.
        by_generation: (G,) people of the first generations, the seeds first.
        referred_per_user: people whom one brings in the end, through all generations.
        margin_per_user_cny: their discounted margin.
        margin_cny: of all seeds together.
    """

    total: float
    by_generation: np.ndarray
    referred_per_user: float
    margin_per_user_cny: float
    margin_cny: float


@dataclass(frozen=True, slots=True)
class Influence:
    """Share of all influence that each of N customers has; sums to 1. `steps` until it settled."""

    share: np.ndarray
    steps: int


@dataclass(frozen=True, slots=True)
class Currency:
    """Social currency of N customers.

    Attributes:
        reaction_rate, conversion_rate: (N,) drawn towards the rate of all, the more the less was seen.
        expected: (N,) reach x reaction x conversion: people whom the acts can be expected to bring.
        index: (N,) expected x influence, 100 = mean of those who act; 0 for those without acts.
        value_cny: (N,) expected x margin of a referred customer.
        per_act_cny: (N,) of one act; 0 without acts.
    """

    reaction_rate: np.ndarray
    conversion_rate: np.ndarray
    expected: np.ndarray
    index: np.ndarray
    value_cny: np.ndarray
    per_act_cny: np.ndarray


@dataclass(frozen=True, slots=True)
class Ledger:
    """Points and rewards given and taken; the sum over accounts is zero in each period.

    Attributes:
        periods, accounts: names, in the order of first appearance.
        moved: (P, A) points, positive into the account.
        balance: (P, A) of each account at the end of the period.
    """

    periods: tuple[str, ...]
    accounts: tuple[str, ...]
    moved: np.ndarray
    balance: np.ndarray


@dataclass(frozen=True, slots=True)
class Reliability:
    """Cronbach's alpha of a survey scale.

    Attributes:
        alpha: None with a reason.
        interval: of it (Feldt 1965).
        n, items: answers and questions.
        reliable: whether alpha is at least 0.7.
        reason: "" or `all_answers_equal`, where everybody has the same sum of answers.
    """

    alpha: float | None
    interval: Interval | None
    n: int
    items: int
    reliable: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Commercial:
    """Share of what customers shared that sells something.

    Attributes:
        share: None where nothing was shared.
        interval: of it.
        limit: above which sharing for reward crowds out sharing for its own sake.
        verdict: within, above (the whole interval is), unclear, or "" without a share.
    """

    share: float | None
    interval: Interval | None
    limit: float
    verdict: str


def referral_value(
    seeds: float, k: float, *, margin_cny: float = 0.0, discount: float = 1.0, generations: int = 5
) -> ReferralValue:
    """Return whom referral brings and what their margin is worth, when each brings k in the next generation.

    Args:
        seeds: customers who begin, >= 0.
        k: brought by each, from 0 to below 1; at 1 or above the sum would have no bound, and is refused.
        margin_cny: lifetime margin of one who was brought, what the referral itself costs taken off.
        discount: what money of the next generation is worth today, above 0 and up to 1.
        generations: how many to list.

    >>> found = referral_value(1000, 0.4, margin_cny=90.0)
    >>> round(found.total, 2), found.by_generation.round(1).tolist(), round(found.margin_per_user_cny, 2)
    (1666.67, [1000.0, 400.0, 160.0, 64.0, 25.6], 60.0)
    """
    guard = Guard()
    start = guard.number("seeds", seeds, low=0.0)
    factor = guard.number("k", k, low=0.0, below=1.0)
    margin = guard.number("margin_cny", margin_cny)
    later = guard.number("discount", discount, above=0.0, high=1.0)
    count = guard.whole("generations", generations)
    guard.done()
    each = margin * factor * later / (1 - factor * later)
    people = start * factor ** np.arange(count)
    return ReferralValue(start / (1 - factor), people, factor / (1 - factor), each, start * each)


def influence(
    source: object, target: object, weight: object = None, *, customers: int, damping: float = 0.85
) -> Influence:
    """Return each customer's share of influence: it goes from whoever was reached to whoever reached them (PageRank).

    Customers who were reached by nobody spread their influence over all. Without any edge all have the same share.

    Args:
        source: (E,) place of the customer who invited, was shared or mentioned.
        target: (E,) place of the customer who was invited, shared or mentioned.
        weight: (E,) how often, > 0; None = once.
        customers: how many there are.
        damping: share that follows the edges, from 0 to below 1.

    Source: Page, Brin, Motwani & Winograd 1999.

    >>> influence([0, 0], [1, 2], customers=3).share.argmax()
    np.int64(0)
    """
    guard = Guard()
    many = guard.whole("customers", customers)
    empty = np.size(source) == 0 and np.size(target) == 0
    ends = [
        np.zeros(0) if empty else guard.numbers(name, value, low=0.0, high=many - 1, ndim=(1,))
        for name, value in (("source", source), ("target", target))
    ]
    given = np.ones(ends[0].shape) if weight is None else weight
    often = np.zeros(0) if empty else guard.numbers("weight", given, above=0.0, ndim=(1,))
    for name, figure in (("target", ends[1]), ("weight", often)):
        if figure.shape != ends[0].shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {ends[0].shape}")
    follow = guard.number("damping", damping, low=0.0, below=1.0)
    guard.done()
    to, at = ends[0].astype(int), ends[1].astype(int)
    out = np.bincount(at, often, many)
    part = often / out[at]
    share, steps, change = np.full(many, 1 / many), 0, 1.0
    while change >= _SETTLED and steps < _STEPS:
        spread = np.bincount(to, part * share[at], many) + share[out == 0].sum() / many
        new = follow * spread + (1 - follow) / many
        change, share, steps = float(np.abs(new - share).sum()), new / new.sum(), steps + 1
    return Influence(share, steps)


def social_currency(
    acts: object, reach: object, reactions: object, conversions: object, *, margin_cny: float,
    influence_share: object = None,
) -> Currency:  # fmt: skip
    """Return what the social acts of each customer are worth: reach x reaction x conversion, times influence.

    Rates of a customer with little reach are mostly chance. They are drawn towards the rate of all customers, by one
    person who was reached or has reacted at that rate, so that an act that reached two is not taken for a wonder.

    Args:
        acts: (N,) shares, mentions, reviews, >= 0.
        reach: (N,) people who saw them.
        reactions: (N,) of those, people who reacted; not above reach.
        conversions: (N,) of those, people who became customers or bought; not above reactions.
        margin_cny: margin of a customer brought in.
        influence_share: (N,) as `influence` gives it; None = the same for all.

    >>> found = social_currency([1, 0], [100, 0], [10, 0], [2, 0], margin_cny=50.0)
    >>> found.expected.round(6).tolist(), found.index.tolist(), found.per_act_cny.round(6).tolist()
    ([2.0, 0.0], [100.0, 0.0], [100.0, 0.0])
    """
    guard = Guard()
    given = {"acts": acts, "reach": reach, "reactions": reactions, "conversions": conversions}
    did, seen, reacted, came = (guard.numbers(name, value, low=0.0, ndim=(1,)) for name, value in given.items())
    margin = guard.number("margin_cny", margin_cny)
    same = np.full(did.shape, 1 / max(len(did), 1))
    weight = same if influence_share is None else guard.numbers("influence_share", influence_share, low=0.0, ndim=(1,))
    for name, figure in (("reach", seen), ("reactions", reacted), ("conversions", came), ("influence_share", weight)):
        if figure.shape != did.shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {did.shape}")
    guard.done()
    for name, part, whole in (("reactions", reacted, seen), ("conversions", came, reacted)):
        if np.any(part > whole):
            wrong = int((part > whole).argmax())
            guard.add("at_most", f"{name}[{wrong}]", float(part[wrong]), high=float(whole[wrong]))
    guard.done()
    reaction, conversion = _drawn(reacted, seen), _drawn(came, reacted)
    expected = np.where(did > 0, seen * reaction * conversion, 0.0)
    raw = expected * weight * len(did)
    mean = float(raw[did > 0].mean()) if (did > 0).any() else 0.0
    index = 100 * raw / mean if mean > 0 else np.zeros(len(did))
    value = expected * margin
    return Currency(reaction, conversion, expected, index, value, value / np.maximum(did, 1.0) * (did > 0))


def exchange_ledger(rows: Sequence[tuple[str, str, float]]) -> Ledger:
    """Return a ledger of double entries: points given to customers come from the brand, taken ones go back.

    Args:
        rows: (period, account, points), in order of time; positive into the account. What goes into one account
            comes out of another in the same period.

    Raises:
        InputError: the points of a period do not add up to zero.

    >>> found = exchange_ledger([("2027-01", "brand", -50), ("2027-01", "customers", 50), ("2027-02", "customers", -20),
    ...                          ("2027-02", "brand", 20)])
    >>> found.balance.tolist()
    [[-50.0, 50.0], [-30.0, 30.0]]
    """
    guard = Guard()
    if not rows:
        guard.add("empty", "rows")
        guard.done()
    points = guard.numbers("rows", [row[2] for row in rows], ndim=(1,))
    guard.done()
    periods, accounts = (tuple(dict.fromkeys(str(row[k]) for row in rows)) for k in (0, 1))
    moved, turned = np.zeros((len(periods), len(accounts))), np.zeros(len(periods))
    at = [periods.index(str(row[0])) for row in rows], [accounts.index(str(row[1])) for row in rows]
    np.add.at(moved, at, points)
    np.add.at(turned, at[0], np.abs(points))
    for place in np.flatnonzero(np.abs(moved.sum(axis=1)) > _SLACK * np.maximum(turned, 1.0)):
        guard.add("ledger_unbalanced", f"rows.{periods[place]}", float(moved[place].sum()))
    guard.done()
    return Ledger(periods, accounts, moved, moved.cumsum(axis=0))


def cronbach_alpha(answers: object, *, level: float = 0.95) -> Reliability:
    """Return how well the questions of a scale go together; below 0.7 the scale is unreliable.

    Args:
        answers: (N, K) of N customers to K questions of one direction, N >= 2, K >= 2, all answered.
        level: coverage of the interval.

    Source: Cronbach 1951; Feldt 1965.

    >>> cronbach_alpha([[1, 2], [2, 3], [5, 6]]).alpha
    1.0
    """
    from scipy.special import fdtri

    guard = Guard()
    seen = guard.numbers("answers", answers, ndim=(2,))
    guard.number("level", level, above=0.0, below=1.0)
    if not guard.problems:
        for axis in (0, 1):
            if seen.shape[axis] < 2:
                guard.add("too_few", "answers", f"shape {seen.shape}", low=2)
    guard.done()
    n, k = seen.shape
    whole = float(seen.sum(axis=1).var(ddof=1))
    if whole == 0:
        return Reliability(None, None, n, k, False, "all_answers_equal")
    alpha = k / (k - 1) * (1 - float(seen.var(axis=0, ddof=1).sum()) / whole)
    free = (n - 1, (n - 1) * (k - 1))
    low, high = (1 - (1 - alpha) * float(fdtri(*free, end)) for end in ((1 + level) / 2, (1 - level) / 2))
    return Reliability(alpha, Interval(low, high, level), n, k, alpha >= RELIABLE_ALPHA)


def commercial_share(commercial: float, shared: float, *, limit: float, level: float = 0.95) -> Commercial:
    """Hold the share of posts that sell something against a limit.

    Args:
        commercial: of the posts shared, those that sell; whole.
        shared: posts, whole.
        limit: from 0 to 1.
        level: coverage of the interval.

    Source: Berger 2013: what is shared for money gives the sharer no standing.

    >>> commercial_share(30, 100, limit=0.2).verdict
    'above'
    """
    guard = Guard()
    all_posts = guard.whole("shared", shared, low=0)
    selling = guard.whole("commercial", commercial, low=0, high=max(all_posts, 0))
    most = guard.number("limit", limit, low=0.0, high=1.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    if all_posts == 0:
        return Commercial(None, None, most, "")
    band = wilson(selling, all_posts, level=level)
    verdict = "above" if band.low > most else "within" if band.high <= most else "unclear"
    return Commercial(selling / all_posts, band, most, verdict)


def _drawn(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Rates with one more seen at the rate of all; 0 where nobody was seen at all."""
    rate = float(part.sum() / whole.sum()) if whole.sum() else 0.0
    return (part + rate) / (whole + 1)
