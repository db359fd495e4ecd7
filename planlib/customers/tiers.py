"""Member tiers: who is in which, how they move from month to month, what a tier and a promotion are worth.

States of a chain stand in the order of the tiers, from the lowest. Whoever leaves goes to columns beyond the tiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.customers.segments import ordered_levels, percentiles, propose_levels

TIERS = ("ordinary", "silver", "gold", "diamond")
_SHARES = (0.5, 0.2, 0.05)  # of the members: silver or higher, gold or higher, diamond
_SIZE = 1e-9  # slack of a sum of shares
_LEAST = 8  # customers on each side of a cut for a line and its error


@dataclass(frozen=True, slots=True)
class Tiered:
    """Tiers of N members.

    Attributes:
        tier: (N,) place in the list of tiers, the lowest is 0.
        counts: (K,) members by tier.
        held: (N,) True where only the rule for demotion or promotion keeps the member in the tier of before.
        promoted, demoted: members whose tier rose or fell against before.
    """

    tier: np.ndarray
    counts: np.ndarray
    held: np.ndarray
    promoted: int
    demoted: int


@dataclass(frozen=True, slots=True)
class Transitions:
    """Monthly moves between tiers.

    Attributes:
        counts: (K, L) members by tier before (row) and after (column); columns beyond K are ways of leaving.
        mle: (K,) rows of shares as counted; None where nobody was in the tier.
        mean: (K, L) posterior means under the prior; rows sum to 1.
        interval: (K, L) intervals of the single shares.
        members: (K,) members behind each row.
        prior: of each share.
    """

    counts: np.ndarray
    mle: tuple[np.ndarray | None, ...]
    mean: np.ndarray
    interval: Interval
    members: np.ndarray
    prior: float

    @property
    def living(self) -> np.ndarray:
        """(K, K) posterior means among the tiers only."""
        return self.mean[:, : len(self.mean)]


@dataclass(frozen=True, slots=True)
class Stationary:
    """Where a chain settles.

    Attributes:
        share: (K,) the stationary distribution; None where there are several.
        unique: whether there is only one.
        converges: whether every start has a limit; False where a closed class is periodic.
        closed: closed classes, as places of their states: whoever is in stays in.
        period: of each closed class.
        long_run: (K, K) row i: shares of time in each state in the long run from state i, which is the limit
            distribution where there is a limit.
    """

    share: np.ndarray | None
    unique: bool
    converges: bool
    closed: tuple[tuple[int, ...], ...]
    period: tuple[int, ...]
    long_run: np.ndarray


@dataclass(frozen=True, slots=True)
class TierValues:
    """What a member of each tier is worth from today on.

    Attributes:
        value_cny: (K,) discounted margin, today's included.
        promotion_cny: (K - 1,) value of the tier above less that of the tier, as members differ today: not all of it
            is due to the tier itself.
        months: (K,) months until leaving, this one included; None where somebody never leaves.
    """

    value_cny: np.ndarray
    promotion_cny: np.ndarray
    months: np.ndarray | None


@dataclass(frozen=True, slots=True)
class TierAccount:
    """One tier's profit and loss over the months stated.

    Attributes:
        tier: its name.
        members: how many.
        margin_cny, rights_cny, net_cny: of all members together.
        net_per_member_cny: None without members.
    """

    tier: str
    members: int
    margin_cny: float
    rights_cny: float
    net_cny: float
    net_per_member_cny: float | None


@dataclass(frozen=True, slots=True)
class Rights:
    """Cost of rights, booked to a budget line.

    Attributes:
        line: name of the budget line.
        accounts: by tier.
        total_cny: cost of all rights.
        left_cny: what the line still holds.
    """

    line: str
    accounts: tuple[TierAccount, ...]
    total_cny: float
    left_cny: float


@dataclass(frozen=True, slots=True)
class Jump:
    """Effect at a cut by regression discontinuity.

    Attributes:
        effect, low, high: jump of the mean outcome at the cut; None with a reason.
        bandwidth: distance from the cut within which customers count.
        below, above: customers within it on each side.
        crowding_p_value: chance of as uneven a number just below and just above if nobody steers the score; a small
            one says that customers crowd on one side, and the jump is then not the effect.
        level: of the interval.
        reason: "" or `too_few_near_cut`, `one_score`.
    """

    effect: float | None
    low: float | None
    high: float | None
    bandwidth: float | None
    below: int
    above: int
    crowding_p_value: float | None
    level: float
    reason: str = ""


def tier_score(parts: Mapping[str, object], *, weights: Mapping[str, float]) -> np.ndarray:
    """Return (N,) scores from 0 to 100: the weighted mean of percentiles.

    Args:
        parts: name -> (N,) figures, the larger the better, e.g. rfm, lifetime_value, interaction.
        weights: name -> weight, >= 0, of the same names; some above 0.

    >>> tier_score({"rfm": [1, 2], "interaction": [5, 5]}, weights={"rfm": 3, "interaction": 1}).tolist()
    [31.25, 68.75]
    """
    guard = Guard()
    figures = {name: guard.numbers(f"parts.{name}", figure, ndim=(1,)) for name, figure in parts.items()}
    for name in parts.keys() ^ weights.keys():
        guard.add("missing", f"{'parts' if name in weights else 'weights'}.{name}")
    weight = {name: guard.number(f"weights.{name}", w, low=0.0) for name, w in weights.items()}
    if not parts:
        guard.add("empty", "parts")
    first = next(iter(figures.values()), np.empty(0))
    for name, figure in figures.items():
        if figure.shape != first.shape:
            guard.add("shape", f"parts.{name}", f"shape {figure.shape}", expected=f"shape {first.shape}")
    if not guard.problems and sum(weight.values()) == 0:
        guard.add("above", "weights", 0.0, low=0)
    guard.done()
    return sum(weight[name] * percentiles(figure) for name, figure in figures.items()) / sum(weight.values())


def propose_tier_cuts(score: object, *, shares: Sequence[float] = _SHARES) -> tuple[float | None, ...]:
    """Propose rising cuts so that about shares[i] of the members are in tier i + 1 or a higher one.

    Args:
        score: (N,).
        shares: falling; by default half of the members above ordinary, a fifth gold or diamond, a twentieth diamond.

    >>> propose_tier_cuts(range(100))
    (50.0, 80.0, 95.0)
    """
    return propose_levels(score, shares)


def tiers(
    score: object, *, cuts: Sequence[float | None], previous: object = None, promote_margin: float = 0.0,
    demote_margin: float = 0.1,
) -> Tiered:  # fmt: skip
    """Put each member into a tier by ordered cuts.

    A member reaches a tier when the score is at its cut (and above it by `promote_margin`), and loses it only when the
    score is below that cut by more than `demote_margin`: nobody loses rights over a trifle.

    Args:
        score: (N,) as `tier_score` gives it, or another.
        cuts: rising; see `propose_tier_cuts`. None = nobody reaches that tier.
        previous: (N,) tier of before, -1 for those who were no members; the plain cuts count for them.
        promote_margin, demote_margin: shares of the cut, from 0 to below 1.

    >>> tiers([49, 49, 52], cuts=(50, 80, 95), previous=[1, -1, 0]).tier.tolist()
    [1, 0, 1]
    """
    tier, held = ordered_levels(score, cuts, previous=previous, rise=promote_margin, fall=demote_margin)
    before = tier if previous is None else np.where(np.asarray(previous) < 0, tier, previous)
    counts = np.bincount(tier, minlength=len(cuts) + 1)
    return Tiered(tier, counts, held, int((tier > before).sum()), int((tier < before).sum()))


def transitions(counts: object, *, prior: float = 1.0, level: float = 0.95) -> Transitions:
    """Estimate how members move in a month, each row with a Dirichlet prior.

    Args:
        counts: (K, L) members who were in tier i and then in j, whole, L >= K >= 1; columns beyond K are ways out.
        prior: added to each count, > 0; 1 = every row of shares equally likely beforehand.
        level: coverage of the intervals.

    >>> transitions([[8, 2], [0, 0]]).mean
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    from scipy.special import betaincinv

    guard = Guard()
    seen = guard.numbers("counts", counts, low=0.0, ndim=(2,))
    if not guard.problems and seen.shape[1] < seen.shape[0]:
        guard.add("shape", "counts", f"shape {seen.shape}", expected="at least as many columns as rows")
    if not guard.problems and np.any(seen != np.floor(seen)):
        guard.add("not_whole", "counts")
    more = guard.number("prior", prior, above=0.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    members, after = seen.sum(axis=1), seen + more
    whole = after.sum(axis=1, keepdims=True)
    low, high = (betaincinv(after, np.maximum(whole - after, more), end) for end in ((1 - level) / 2, (1 + level) / 2))
    if seen.shape[1] == 1:
        low = high = np.ones(seen.shape)
    mle = tuple(row / of if of else None for row, of in zip(seen, members, strict=True))
    return Transitions(seen, mle, after / whole, Interval(low, high, level), members, more)


def stationary(matrix: object) -> Stationary:
    """Return where a chain settles, also when it is periodic or falls apart into several closed classes.

    Within a closed class the distribution is found by elimination without subtractions (Grassmann, Taksar & Heyman
    1985), so that small shares keep their digits.

    Args:
        matrix: (K, K) shares by state before (row) and after (column); rows sum to 1.

    >>> found = stationary([[0.7, 0.3], [0.2, 0.8]])
    >>> found.share.round(12).tolist(), found.converges
    ([0.4, 0.6], True)
    """
    guard = Guard()
    chain = _square(guard, "matrix", matrix)
    if not guard.problems:
        for row in np.flatnonzero(np.abs(chain.sum(axis=1) - 1) > _SIZE):
            guard.add("sums_to_one", f"matrix[{row}]", float(chain[row].sum()))
    guard.done()
    size = len(chain)
    reach = np.eye(size, dtype=bool) | (chain > 0)
    for middle in range(size):
        reach |= reach[:, [middle]] & reach[[middle]]
    closed = []
    for state in range(size):
        if (reach[:, state] | ~reach[state]).all():
            members = tuple(np.flatnonzero(reach[state]).tolist())
            if members not in closed:
                closed.append(members)
    long_run = np.zeros((size, size))
    inside = sorted(state for members in closed for state in members)
    passing = [state for state in range(size) if state not in inside]
    settled = [_eliminate(chain[np.ix_(members, members)]) for members in closed]
    for members, share in zip(closed, settled, strict=True):
        long_run[np.ix_(members, members)] = share
    if passing:
        onward = np.eye(len(passing)) - chain[np.ix_(passing, passing)]
        into = np.column_stack([chain[np.ix_(passing, members)].sum(axis=1) for members in closed])
        for members, share, chance in zip(closed, settled, np.linalg.solve(onward, into).T, strict=True):
            long_run[np.ix_(passing, members)] = chance[:, None] * share
    period = tuple(_period(chain[np.ix_(members, members)] > 0) for members in closed)
    unique = len(closed) == 1
    return Stationary(
        long_run[0] if unique else None, unique, set(period) == {1}, tuple(closed), period, long_run
    )  # fmt: skip


def tier_values(living: object, margin_cny: object, *, discount: float) -> TierValues:
    """Value a member of each tier: V = (I - d Q)^-1 m, margin earned at the start of each month, today's in full.

    Args:
        living: (K, K) shares by tier before and after, of members who stay members; rows sum to 1 at most.
        margin_cny: (K,) margin of a member in a month, by tier, rights taken off.
        discount: what money of next month is worth today, above 0 and up to 1.

    Raises:
        InputError: nothing is discounted and somebody never leaves, so that the value has no bound.

    >>> found = tier_values([[0.5, 0.25], [0.0, 0.5]], [10.0, 40.0], discount=1.0)
    >>> found.value_cny.tolist(), found.promotion_cny.tolist(), found.months.tolist()
    ([60.0, 80.0], [20.0], [3.0, 2.0])
    """
    guard = Guard()
    chain = _square(guard, "living", living)
    if not guard.problems:
        for row in np.flatnonzero(chain.sum(axis=1) > 1 + _SIZE):
            guard.add("shares_above_one", f"living[{row}]", total=float(chain[row].sum()))
    margin = guard.numbers("margin_cny", margin_cny, ndim=(1,))
    if not guard.problems and margin.shape != (len(chain),):
        guard.add("shape", "margin_cny", f"shape {margin.shape}", expected=f"shape ({len(chain)},)")
    factor = guard.number("discount", discount, above=0.0, high=1.0)
    guard.done()
    leaves = chain.sum(axis=1) < 1 - _SIZE
    for _ in range(len(chain)):
        leaves |= ((chain > 0) & leaves).any(axis=1)
    if factor == 1.0 and not leaves.all():
        guard.add("never_leaves", "discount", factor, states=", ".join(map(str, np.flatnonzero(~leaves))))
        guard.done()
    one = np.eye(len(chain))
    value = np.linalg.solve(one - factor * chain, margin)
    months = np.linalg.solve(one - chain, np.ones(len(chain))) if leaves.all() else None
    return TierValues(value, np.diff(value), months)


def rights_of_tiers(
    members: object, margin_cny: object, rights_cny: object, *, line: str, line_cny: float, months: float = 1.0,
    names: Sequence[str] = TIERS,
) -> Rights:  # fmt: skip
    """Book the cost of rights to a budget line and account for each tier.

    Args:
        members: (K,) members by tier.
        margin_cny, rights_cny: (K,) of a member in a month: margin before rights, and what the rights cost.
        line: name of the budget line.
        line_cny: what it holds for these months.
        months: how many.
        names: of the tiers.

    Raises:
        InputError: the line has no name, or the rights cost more than it holds.

    >>> found = rights_of_tiers([90, 10], [2, 30], [0, 5], line="operations", line_cny=100, names=("silver", "gold"))
    >>> found.total_cny, found.left_cny, found.accounts[1].net_cny
    (50.0, 50.0, 250.0)
    """
    guard = Guard()
    people = guard.numbers("members", members, low=0.0, ndim=(1,))
    earned = guard.numbers("margin_cny", margin_cny, ndim=(1,))
    cost = guard.numbers("rights_cny", rights_cny, low=0.0, ndim=(1,))
    holds, span = guard.number("line_cny", line_cny, low=0.0), guard.number("months", months, above=0.0)
    if not line:
        guard.add("missing", "line")
    for field, figure in (("margin_cny", earned), ("rights_cny", cost), ("names", np.asarray(names))):
        if figure.shape != people.shape:
            guard.add("shape", field, f"shape {figure.shape}", expected=f"shape {people.shape}")
    guard.done()
    booked, margin = people * cost * span, people * earned * span
    total = float(booked.sum())
    if total > holds:
        guard.add("rights_above_line", "rights_cny", round(total, 2), line=line, amount=holds)
        guard.done()
    accounts = tuple(
        TierAccount(name, int(n), m, b, m - b, (m - b) / n if n else None)
        for name, n, m, b in zip(names, people.tolist(), margin.tolist(), booked.tolist(), strict=True)
    )
    return Rights(line, accounts, total, holds - total)


def jump_at_cut(
    score: object, outcome: object, *, cut: float, bandwidth: float | None = None, level: float = 0.95
) -> Jump:
    """Return how much the outcome jumps where a growth task or a tier begins: customers just above against just below.

    A straight line on each side, near customers counting more (triangular weights), with errors that allow for
    unequal spread (HC1). It tells the effect on customers at the cut and on nobody else, and only when they cannot
    steer their score across it: see `crowding_p_value`.

    Args:
        score: (N,) known before the outcome.
        outcome: (N,) e.g. orders in the month after.
        cut: those at it or above are treated.
        bandwidth: distance from the cut; None = by the rule of Imbens & Kalyanaraman 2012.
        level: coverage of the interval.

    Source: Hahn, Todd & Van der Klaauw 2001; binomial test of crowding by Cattaneo, Titiunik & Vazquez-Bare 2017.
    """
    guard = Guard()
    run = guard.numbers("score", score, ndim=(1,))
    seen = guard.numbers("outcome", outcome, ndim=(1,))
    if run.shape != seen.shape:
        guard.add("shape", "outcome", f"shape {seen.shape}", expected=f"shape {run.shape}")
    at = guard.number("cut", cut)
    if bandwidth is not None:
        guard.number("bandwidth", bandwidth, above=0.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    away = run - at
    treated = away >= 0
    if min(treated.sum(), (~treated).sum()) < _LEAST:
        return Jump(None, None, None, None, int((~treated).sum()), int(treated.sum()), None, level, "too_few_near_cut")
    width = _bandwidth(away, seen) if bandwidth is None else float(bandwidth)
    near = np.abs(away) < width
    below, above = int((near & ~treated).sum()), int((near & treated).sum())
    if min(below, above) < _LEAST:
        return Jump(None, None, None, width, below, above, None, level, "too_few_near_cut")
    x, y, weight = away[near], seen[near], 1 - np.abs(away[near]) / width
    side = (x >= 0) * 1.0
    design = np.column_stack([side, np.ones(len(x)), x, side * x])
    if any(np.ptp(x[part]) == 0 for part in (x < 0, x >= 0)):
        return Jump(None, None, None, width, below, above, None, level, "one_score")
    inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
    line = inverse @ (design.T @ (weight * y))
    part = design * (weight * (y - design @ line))[:, None]
    spread = inverse @ (part.T @ part) @ inverse * len(x) / (len(x) - design.shape[1])
    half = NormalDist().inv_cdf(0.5 + level / 2) * float(spread[0, 0]) ** 0.5
    effect = float(line[0])
    return Jump(effect, effect - half, effect + half, width, below, above, _crowding(away), level)


def _square(guard: Guard, field: str, value: object) -> np.ndarray:
    chain = guard.numbers(field, value, low=0.0, high=1 + _SIZE, ndim=(2,))
    if chain.ndim == 2 and chain.shape[0] != chain.shape[1]:
        guard.add("shape", field, f"shape {chain.shape}", expected="as many columns as rows")
    return chain


def _eliminate(chain: np.ndarray) -> np.ndarray:
    """The stationary distribution of a chain in which every state reaches every other."""
    table = chain.copy()
    for state in range(len(table) - 1, 0, -1):
        table[:state, state] /= table[state, :state].sum()
        table[:state, :state] += np.outer(table[:state, state], table[state, :state])
    share = np.ones(len(table))
    for state in range(1, len(table)):
        share[state] = share[:state] @ table[:state, state]
    return share / share.sum()


def _period(arrows: np.ndarray) -> int:
    """The greatest common divisor of all ways back to a state."""
    distance = np.full(len(arrows), -1)
    distance[0], queue, period = 0, [0], 0
    for state in queue:
        for following in np.flatnonzero(arrows[state]).tolist():
            if distance[following] < 0:
                distance[following] = distance[state] + 1
                queue.append(following)
            period = gcd(period, int(distance[state] + 1 - distance[following]))
    return abs(period)


def _bandwidth(away: np.ndarray, seen: np.ndarray) -> float:
    """Imbens & Kalyanaraman 2012, for the triangular kernel."""
    n, treated = len(away), away >= 0
    pilot = 1.84 * away.std() * n**-0.2
    near = np.abs(away) < pilot
    sides = (near & ~treated, near & treated)
    if min(side.sum() for side in sides) < _LEAST:
        return float(2 * pilot)
    density = near.sum() / (2 * n * pilot)
    variance = [float(seen[side].var()) for side in sides]
    cubic = np.column_stack([treated * 1.0, np.ones(n), away, away**2, away**3])
    third = 6 * np.linalg.lstsq(cubic, seen, rcond=None)[0][-1]
    curved, rest = [], 0.0
    for spread, side in zip(variance, (~treated, treated), strict=True):
        many = int(side.sum())
        width = 3.56 * (max(spread, 1e-300) / (density * max(third**2, 1e-300))) ** (1 / 7) * many ** (-1 / 7)
        some = side & (np.abs(away) <= width)
        chosen = some if some.sum() >= _LEAST else side
        x = away[chosen]
        curved.append(2 * np.linalg.lstsq(np.column_stack([np.ones(len(x)), x, x**2]), seen[chosen], rcond=None)[0][2])
        rest += 2160 * spread / (len(x) * min(width, float(np.abs(x).max())) ** 4)
    bend = (curved[1] - curved[0]) ** 2 + rest
    if sum(variance) == 0 or bend == 0:
        return float(2 * pilot)
    return float(min(3.4375 * (sum(variance) / (density * bend)) ** 0.2 * n**-0.2, np.abs(away).max() * 1.01))


def _crowding(away: np.ndarray) -> float | None:
    """Binomial test among about N^0.6 customers nearest to the cut: so few that their density can pass for even."""
    from scipy.stats import binomtest

    many = min(max(int(len(away) ** 0.6), 2 * _LEAST), len(away) - 1)
    width = np.partition(np.abs(away), many)[many]
    below, above = int(((away < 0) & (away >= -width)).sum()), int(((away >= 0) & (away < width)).sum())
    return float(binomtest(above, below + above).pvalue) if below + above else None
