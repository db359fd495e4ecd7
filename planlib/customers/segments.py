"""Who the customers are: RFM scores, the eight segments of RFM-S, the nine classes of value and interaction.

Conventions of the room. Customers are rows of equally long arrays. Money is net of refunds and may be negative; a
customer without orders has no recency, whatever stands there, and is low on recency, frequency and money. Customers
with equal figures are always treated alike: no cut goes through a tie, so the share above a cut can differ from the
share asked for, and is told. Where all figures of an axis are equal there is no cut (None) and nobody is high on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval

AXES = ("recency", "frequency", "money", "social")
SEGMENTS = (
    "key_value", "key_develop", "key_keep", "key_rescue",
    "general_value", "general_develop", "general_keep", "general_rescue",
)  # fmt: skip
TIES = ("average", "ntile")
LEVELS = ("low", "mid", "high")
GRID = (
    "low_low", "low_mid", "low_high", "mid_low", "mid_mid", "mid_high", "high_low", "high_mid", "high_high",
)  # value, then interaction  # fmt: skip
STABLE_PSI, SHIFTED_PSI = 0.1, 0.25  # usual bounds of the population stability index
_HALF = 0.5  # added to each count, so that an empty class has a logarithm
_BOUNDS = {"recency": {"low": 0.0}, "frequency": {"above": 0.0}, "social": {"above": 0.0}}  # of cuts that are given


def _merged(recency: bool, frequency: bool, money: bool, social: bool) -> str:
    """Money says how much a customer matters, recency whether still here, orders or social acts how close."""
    close = frequency or social
    kind = ("value" if close else "develop") if recency else ("keep" if close else "rescue")
    return f"{'key' if money else 'general'}_{kind}"


MERGE: Mapping[str, str] = MappingProxyType(
    {"".join("01"[bit] for bit in bits): _merged(*bits) for bits in product((False, True), repeat=4)}
)
"""The merge table: cell, as four digits for recency, frequency, money, social (1 = high) -> segment."""


@dataclass(frozen=True, slots=True)
class RfmScores:
    """Scores of N customers, `classes` is best, 0 = has never ordered."""

    recency: np.ndarray
    frequency: np.ndarray
    money: np.ndarray


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where an axis turns high; None = nobody is.

    Attributes:
        recency_days: high is at most so many days since the last order.
        frequency: high is at least so many orders.
        money_cny: high is at least so much, net of refunds.
        social: high is at least so many social acts.
    """

    recency_days: float | None
    frequency: float | None
    money_cny: float | None
    social: float | None


@dataclass(frozen=True, slots=True)
class ProposedCuts:
    """Cuts out of the data.

    Attributes:
        cuts: the cuts.
        high_share: by axis, the share of those judged who are high, which ties move away from the share asked for.
        judged: by axis, the customers whom the cut was found among: for recency, frequency and money those who have
            ordered, for social all.
    """

    cuts: Cuts
    high_share: Mapping[str, float]
    judged: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Segmented:
    """Segments of N customers.

    Attributes:
        cell: (N,) 0 to 15: 8 for high recency + 4 for frequency + 2 for money + 1 for social.
        segment: (N,) place in SEGMENTS.
        cells: (16,) customers by cell.
        counts: (8,) customers by segment, in the order of SEGMENTS.
        without_orders: customers who have never ordered; they are in `general_keep` or `general_rescue`, by default.
    """

    cell: np.ndarray
    segment: np.ndarray
    cells: np.ndarray
    counts: np.ndarray
    without_orders: int

    @property
    def names(self) -> np.ndarray:
        """(N,) segment id of each customer."""
        return np.array(SEGMENTS)[self.segment]


@dataclass(frozen=True, slots=True)
class Profile:
    """One segment, also an empty one.

    Attributes:
        segment: its id.
        customers, share: how many, and of all.
        buyers: of them, those who have ordered.
        recency_days: mean days since the last order; None without buyers.
        orders: mean orders; None for an empty segment, as all that follow.
        money_cny: mean money, net of refunds.
        social: mean social acts.
        money_share: of all customers' money; None where refunds eat up all that was bought.
    """

    segment: str
    customers: int
    share: float
    buyers: int
    recency_days: float | None
    orders: float | None
    money_cny: float | None
    social: float | None
    money_share: float | None


@dataclass(frozen=True, slots=True)
class Stability:
    """How far segments would differ with other customers from where these come from.

    Attributes:
        kept_share: mean share of customers who stay in their segment when cuts are proposed again from a resample.
        kept: (8,) the same by segment; -1 where the segment is empty.
        share: (8,) interval of each segment's share of the customers.
        cuts: by axis, interval of the cut; None where a resample had none.
        resamples: how many were drawn.
    """

    kept_share: float
    kept: np.ndarray
    share: Interval
    cuts: Mapping[str, Interval | None]
    resamples: int


@dataclass(frozen=True, slots=True)
class Psi:
    """Population stability index of two distributions, and what it is taken to mean: stable, moved or shifted."""

    value: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Migration:
    """Where customers of each class went between two dates.

    Attributes:
        counts: (K + 1, K + 1) customers by class before (row) and after (column); the last is outside: not yet or no
            longer a customer.
        stayed_share: of those who were inside on both dates, the share whose class is the same; None without any.
        net: (K,) change of each class.
    """

    counts: np.ndarray
    stayed_share: float | None
    net: np.ndarray


@dataclass(frozen=True, slots=True)
class GridCuts:
    """Two cuts of value and two of interaction, the lower one first; None = nobody reaches that level."""

    value: tuple[float | None, float | None]
    interaction: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """Nine classes of N customers.

    Attributes:
        cell: (N,) place in GRID: 3 x value level + interaction level.
        counts: (9,) customers by class.
        held: (N,) True where the band around a cut keeps the level of before, of value or of interaction.
        influential: (N,) True where social acts reach their cut, whatever the class.
        influential_counts: (9,) of them, by class.
    """

    cell: np.ndarray
    counts: np.ndarray
    held: np.ndarray
    influential: np.ndarray
    influential_counts: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """(N,) class id of each customer."""
        return np.array(GRID)[self.cell]


def scores(
    values: object, *, classes: int = 5, ties: str = "average", ids: Sequence[object] | None = None
) -> np.ndarray:
    """Return (N,) scores from 1 to `classes`, the larger the value the better.

    Args:
        values: (N,) the larger the better; give recency as its negative.
        classes: how many, >= 2.
        ties: average: ceil(classes x average rank / N), so that equal values get equal scores; ntile: as SQL's NTILE
            has it, equal values in the order of `ids`, groups of equal size and the first ones larger by one.
        ids: (N,) for ntile, all different; None = the order of the values.

    Source: Hughes 1994.

    >>> scores([1, 1, 1, 4, 5], classes=5).tolist(), scores([1, 1, 1, 4, 5], classes=5, ties="ntile").tolist()
    ([2, 2, 2, 4, 5], [1, 2, 3, 4, 5])
    """
    guard = Guard()
    value = guard.numbers("values", values, ndim=(1,))
    many = guard.whole("classes", classes, low=2)
    guard.choice("ties", ties, TIES)
    name = np.arange(len(value)) if ids is None else np.asarray(ids)
    if name.shape != value.shape:
        guard.add("shape", "ids", f"shape {name.shape}", expected=f"shape {value.shape}")
    guard.done()
    if ties == "average":
        return (-(-many * _twice_ranks(value) // (2 * len(value)))).astype(np.int16)
    order = np.lexsort((name, value))
    small, larger = divmod(len(value), many)
    sizes = np.where(np.arange(many) < larger, small + 1, small)
    found = np.empty(len(value), dtype=np.int16)
    found[order] = np.repeat(np.arange(1, many + 1), sizes)
    return found


def rfm_scores(
    recency_days: object, frequency: object, money_cny: object, *, classes: int = 5, ties: str = "average",
    ids: Sequence[object] | None = None,
) -> RfmScores:  # fmt: skip
    """Score recency, frequency and money among those who have ordered; 0 for those who have not.

    Args:
        recency_days: (N,) days since the last order, >= 0; not read without orders.
        frequency: (N,) orders, whole, >= 0.
        money_cny: (N,) net of refunds.
        classes, ties, ids: as in `scores`.

    >>> rfm_scores([3, 40, 0], [5, 1, 0], [900, 20, 0], classes=2).recency
    array([2, 1, 0], dtype=int16)
    """
    guard = Guard()
    days, orders, money, _ = _figures(guard, recency_days, frequency, money_cny, None)
    guard.done()
    bought = orders > 0
    name = None if ids is None else np.asarray(ids)[bought]
    found = np.zeros((3, len(orders)), dtype=np.int16)
    if bought.any():
        for row, value in zip(found, (-days, orders, money), strict=True):
            row[bought] = scores(value[bought], classes=classes, ties=ties, ids=name)
    return RfmScores(*found)


def propose_cuts(
    recency_days: object, frequency: object, money_cny: object, social: object, *, high_share: float = 0.5
) -> ProposedCuts:
    """Propose cuts so that about `high_share` of the customers are high on each axis.

    The cut is a value that occurs. Of the two that leave the share above and below the one asked for, the nearer one is
    taken, of two equally near the stricter one; a cut that would make everybody high is none.

    Args:
        recency_days, frequency, money_cny, social: (N,) as in `rfms`.
        high_share: between 0 and 1.

    >>> propose_cuts([1, 5, 9, 9], [1, 1, 1, 4], [10, 20, 30, 40], [0, 0, 0, 0]).cuts
    Cuts(recency_days=5.0, frequency=4.0, money_cny=30.0, social=None)
    """
    guard = Guard()
    figures = _figures(guard, recency_days, frequency, money_cny, social)
    part = guard.number("high_share", high_share, above=0.0, below=1.0)
    guard.done()
    return _propose(*figures, part)


def rfms(
    recency_days: object, frequency: object, money_cny: object, social: object, *, cuts: Cuts,
    merge: Mapping[str, str] = MERGE,
) -> Segmented:  # fmt: skip
    """Put each customer into one of sixteen cells and, by the merge table, into one of eight segments.

    By the table that is shipped, money divides key from general customers, recency those who are still here (value,
    develop) from those who are not (keep, rescue), and orders or social acts, one of them is enough, those who are
    close (value, keep) from those who are not.

    Args:
        recency_days: (N,) days since the last order, >= 0; not read without orders.
        frequency: (N,) orders, whole, >= 0.
        money_cny: (N,) net of refunds; below zero where more was refunded than bought.
        social: (N,) social acts: shares, mentions, invitations..., >= 0.
        cuts: where each axis turns high; see `propose_cuts`.
        merge: segment of each of the sixteen cells.

    Raises:
        InputError: shapes disagree, a figure is out of range, or the table leaves a cell out or names another segment.

    >>> rfms([1, 9, 0], [4, 1, 0], [40, 10, 0], [0, 0, 3], cuts=Cuts(5, 2, 30, 1)).names.tolist()
    ['key_value', 'general_rescue', 'general_keep']
    """
    guard = Guard()
    figures = _figures(guard, recency_days, frequency, money_cny, social)
    for cell in MERGE.keys() ^ merge.keys():
        guard.add("choice" if cell in merge else "missing", f"merge.{cell}", choice=", ".join(MERGE))
    for cell, segment in merge.items():
        guard.choice(f"merge.{cell}", segment, SEGMENTS)
    for axis, cut in zip(AXES, _in_order(cuts), strict=True):
        if cut is not None:
            guard.number(f"cuts.{axis}", cut, **_BOUNDS.get(axis, {}))
    guard.done()
    cell, table = _cells(*figures, cuts), _segment_of(merge)
    cells = np.bincount(cell, minlength=16)
    counts = np.bincount(table, weights=cells, minlength=len(SEGMENTS)).astype(int)
    return Segmented(cell, table[cell], cells, counts, int((figures[1] == 0).sum()))


def profile(
    segment: object, recency_days: object, frequency: object, money_cny: object, social: object
) -> tuple[Profile, ...]:
    """Describe the eight segments, in the order of SEGMENTS.

    Args:
        segment: (N,) place in SEGMENTS.
        recency_days, frequency, money_cny, social: (N,) as in `rfms`.
    """
    guard = Guard()
    days, orders, money, acts = _figures(guard, recency_days, frequency, money_cny, social)
    at = _places(guard, "segment", segment, len(SEGMENTS), like=orders, outside=False)
    guard.done()

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(at, weights=weights, minlength=len(SEGMENTS))

    bought = orders > 0
    people, buyers = total(np.ones(len(at))), total(bought * 1.0)
    sums = [total(figure) for figure in (orders, money, acts)]
    waited, whole = total(np.where(bought, days, 0.0)), float(money.sum())
    return tuple(
        Profile(
            name, int(people[k]), float(people[k] / len(at)), int(buyers[k]),
            float(waited[k] / buyers[k]) if buyers[k] else None,
            *(float(column[k] / people[k]) if people[k] else None for column in sums),
            float(sums[1][k] / whole) if whole > 0 else None,
        )
        for k, name in enumerate(SEGMENTS)
    )  # fmt: skip


def stability(
    recency_days: object, frequency: object, money_cny: object, social: object, *, rng: np.random.Generator,
    high_share: float = 0.5, merge: Mapping[str, str] = MERGE, resamples: int = 100, level: float = 0.95,
) -> Stability:  # fmt: skip
    """Draw the customers again, propose cuts again, and see who changes the segment (bootstrap, Efron 1979).

    Args:
        recency_days, frequency, money_cny, social, merge: as in `rfms`.
        rng: stream of the draws.
        high_share: as in `propose_cuts`.
        resamples: how many, >= 2.
        level: coverage of the intervals.
    """
    guard = Guard()
    figures = _figures(guard, recency_days, frequency, money_cny, social)
    part = guard.number("high_share", high_share, above=0.0, below=1.0)
    many = guard.whole("resamples", resamples, low=2)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    first = rfms(*figures, cuts=_propose(*figures, part).cuts, merge=merge)
    n, table = len(figures[0]), _segment_of(merge)
    kept, shares, seen = np.zeros(len(SEGMENTS)), np.empty((many, len(SEGMENTS))), np.full((many, len(AXES)), np.nan)
    for row in range(many):
        drawn = rng.integers(n, size=n)
        cuts = _propose(*(figure[drawn] for figure in figures), part).cuts
        again = table[_cells(*figures, cuts)]
        kept += np.bincount(first.segment[again == first.segment], minlength=len(SEGMENTS))
        shares[row] = np.bincount(again[drawn], minlength=len(SEGMENTS)) / n
        seen[row] = [np.nan if cut is None else cut for cut in _in_order(cuts)]
    ends = ((1 - level) / 2, (1 + level) / 2)
    bands = [
        None if np.isnan(column).any() else Interval(*np.quantile(column, ends).tolist(), level) for column in seen.T
    ]
    by_segment = np.where(first.counts > 0, kept / (many * np.maximum(first.counts, 1)), -1.0)
    return Stability(
        float(kept.sum() / (many * n)), by_segment, Interval(*np.quantile(shares, ends, axis=0), level),
        dict(zip(AXES, bands, strict=True)), many,
    )  # fmt: skip


def population_stability(before: object, after: object) -> Psi:
    """Compare how customers spread over classes at two dates: sum of (b - a) ln(b / a) over the shares.

    Half a customer is added to each class, so that an empty one counts as rare and not as impossible.

    Args:
        before, after: (K,) counts, >= 0, some above 0 each.

    Source: Lewis 1994; below 0.1 stable, below 0.25 moved, else shifted, as is usual in scoring.

    >>> population_stability([500, 500], [500, 500]).verdict
    'stable'
    """
    guard = Guard()
    old, new = (guard.numbers(name, c, low=0.0, ndim=(1,)) for name, c in (("before", before), ("after", after)))
    if old.shape != new.shape:
        guard.add("shape", "after", f"shape {new.shape}", expected=f"shape {old.shape}")
    for name, counts in (("before", old), ("after", new)):
        if not guard.problems and counts.sum() == 0:
            guard.add("above", name, 0.0, low=0)
    guard.done()
    a, b = ((counts + _HALF) / (counts + _HALF).sum() for counts in (old, new))
    value = float(((b - a) * np.log(b / a)).sum())
    return Psi(value, "stable" if value < STABLE_PSI else "moved" if value < SHIFTED_PSI else "shifted")


def migration(before: object, after: object, *, classes: int = len(SEGMENTS)) -> Migration:
    """Count who went from which class to which.

    Args:
        before, after: (N,) place of the class of the same customers at two dates; -1 = not a customer then.
        classes: how many.

    >>> migration([0, 0, 1, -1], [0, 1, 1, 0], classes=2).counts.tolist()
    [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    """
    guard = Guard()
    many = guard.whole("classes", classes, low=1)
    old = _places(guard, "before", before, many)
    new = _places(guard, "after", after, many, like=old)
    guard.done()
    pair = np.where(old < 0, many, old) * (many + 1) + np.where(new < 0, many, new)
    counts = np.bincount(pair, minlength=(many + 1) ** 2).reshape(many + 1, many + 1)
    inside = counts[:many, :many]
    stayed = float(inside.trace() / inside.sum()) if inside.any() else None
    return Migration(counts, stayed, (counts.sum(axis=0) - counts.sum(axis=1))[:many])


def propose_levels(values: object, shares: Sequence[float]) -> tuple[float | None, ...]:
    """Propose rising cuts between levels, so that about shares[i] of the customers reach level i + 1 or a higher one.

    Args:
        values: (N,) the larger the higher the level.
        shares: falling, between 0 and 1: (2/3, 1/3) for three levels of one size.

    Returns:
        One cut for each share, as `propose_cuts` finds them; equal cuts leave the level between them empty.

    >>> propose_levels([0, 0, 0, 1, 2, 3], (2 / 3, 1 / 3))
    (1.0, 2.0)
    """
    guard = Guard()
    value = guard.numbers("values", values, ndim=(1,))
    parts = [guard.number(f"shares[{i}]", share, above=0.0, below=1.0) for i, share in enumerate(shares)]
    for i in np.flatnonzero(np.diff(parts) >= 0):
        guard.add("not_falling", f"shares[{i + 1}]", parts[i + 1])
    guard.done()
    return tuple(_split(value, part) for part in parts)


def ordered_levels(
    values: object, cuts: Sequence[float | None], *, previous: object = None, rise: float = 0.0, fall: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N,) level of each value, from 0, and where a band around a cut holds the level of before.

    Args:
        values: (N,).
        cuts: rising; a value at a cut or above has reached the level; None = nobody reaches it, nor any higher one.
        previous: (N,) level of before, -1 where there was none: then the plain cuts count; None = for nobody.
        rise: share of the cut, in its amount, by which a value must exceed it to rise, 0 <= rise < 1.
        fall: share of the cut by which a value must stay below it to fall.

    >>> ordered_levels([95, 95, 105, 111], [100], previous=[1, -1, 0, 0], rise=0.1, fall=0.1)
    (array([1, 0, 0, 1]), array([ True, False,  True, False]))
    """
    guard = Guard()
    value = guard.numbers("values", values, ndim=(1,))
    known = [c for c in cuts if c is not None]
    bars = guard.numbers("cuts", known, ndim=(1,)) if known else np.empty(0)
    for i in np.flatnonzero(np.diff(bars) < 0):
        guard.add("at_least", f"cuts[{i + 1}]", float(bars[i + 1]), low=float(bars[i]))
    if list(cuts[: len(known)]) != known:
        guard.add("missing", f"cuts[{list(cuts).index(None)}]")
    up, down = (guard.number(name, part, low=0.0, below=1.0) for name, part in (("rise", rise), ("fall", fall)))
    none = np.full(value.shape, -1)
    before = none if previous is None else _places(guard, "previous", previous, len(cuts) + 1, like=value)
    guard.done()
    plain = np.searchsorted(bars, value, side="right")
    level = np.zeros(value.shape, dtype=int)
    for place, bar in enumerate(bars):
        level += value >= np.where(before > place, bar - down * abs(bar), bar + up * abs(bar))
    level = np.where(before < 0, plain, level)
    return level, (level != plain) & (level == before)


def propose_grid_cuts(value: object, interaction: object) -> GridCuts:
    """Propose cuts that make three levels of about one size each; see `propose_levels`.

    Args:
        value: (N,) CNY of lifetime value or another value score.
        interaction: (N,) interaction score.
    """
    thirds = (2 / 3, 1 / 3)
    return GridCuts(*(propose_levels(figure, thirds) for figure in (value, interaction)))


def grid(
    value: object, interaction: object, *, cuts: GridCuts, previous: object = None, band: float = 0.1,
    social: object = None, social_cut: float | None = None,
) -> Grid:  # fmt: skip
    """Put each customer into one of nine classes: value x interaction, low, mid or high.

    Args:
        value, interaction: (N,) scores.
        cuts: two of each; see `propose_grid_cuts`.
        previous: (N,) class of before, as place in GRID, -1 where there was none. A level changes only when the score
            leaves the band around the cut, so that nobody goes to and fro over a trifle.
        band: half its width, as a share of the cut.
        social: (N,) social acts, for the overlay; None = nobody is influential.
        social_cut: acts from which on a customer is influential; None = nobody is.

    >>> found = grid([9, 50, 400], [0, 9, 3], cuts=GridCuts((10, 100), (1, 5)))
    >>> found.names.tolist()
    ['low_low', 'mid_high', 'high_mid']
    """
    guard = Guard()
    worth = guard.numbers("value", value, ndim=(1,))
    acts = guard.numbers("interaction", interaction, ndim=(1,))
    spread = np.zeros(worth.shape) if social is None else guard.numbers("social", social, low=0.0, ndim=(1,))
    for name, figure in (("interaction", acts), ("social", spread)):
        if figure.shape != worth.shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {worth.shape}")
    for name, pair in (("value", cuts.value), ("interaction", cuts.interaction)):
        if len(pair) != len(LEVELS) - 1:
            guard.add("shape", f"cuts.{name}", len(pair), expected=f"{len(LEVELS) - 1} cuts")
    before = np.full(worth.shape, -1) if previous is None else _places(guard, "previous", previous, 9, like=worth)
    guard.done()
    high, wide = np.where(before < 0, -1, before // 3), np.where(before < 0, -1, before % 3)
    level, held = ordered_levels(worth, cuts.value, previous=high, rise=band, fall=band)
    other, also = ordered_levels(acts, cuts.interaction, previous=wide, rise=band, fall=band)
    cell = 3 * level + other
    influential = np.zeros(len(cell), dtype=bool) if social_cut is None else (spread >= social_cut) & (spread > 0)
    counts, flagged = (np.bincount(cells, minlength=9) for cells in (cell, cell[influential]))
    return Grid(cell, counts, held | also, influential, flagged)


def percentiles(values: object) -> np.ndarray:
    """Return (N,) percentiles, 0 to 100: the share of customers below, and half of those who are equal.

    Where all are equal, everybody stands at 50.

    >>> percentiles([1, 5, 5, 9]).tolist()
    [12.5, 50.0, 50.0, 87.5]
    """
    guard = Guard()
    value = guard.numbers("values", values, ndim=(1,))
    guard.done()
    return 50.0 * (_twice_ranks(value) - 1) / len(value)


def _twice_ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks from 1, times two, so that they are whole."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (2 * count.cumsum() - count + 1)[place]


def _figures(
    guard: Guard, recency_days: object, frequency: object, money_cny: object, social: object
) -> tuple[np.ndarray, ...]:
    """Check the four figures; recency counts as 0 where there is no order, social where it is not given."""
    orders = guard.numbers("frequency", frequency, low=0.0, ndim=(1,))
    if np.any(orders != np.floor(orders)) and not guard.problems:
        guard.add("not_whole", "frequency")
    raw = np.asarray(recency_days)
    if raw.dtype.kind in "iuf" and raw.shape == orders.shape:
        raw = np.where(orders > 0, raw, 0)
    days = guard.numbers("recency_days", raw, low=0.0, ndim=(1,))
    money = guard.numbers("money_cny", money_cny, ndim=(1,))
    acts = np.zeros(orders.shape) if social is None else guard.numbers("social", social, low=0.0, ndim=(1,))
    for name, figure in (("recency_days", days), ("money_cny", money), ("social", acts)):
        if figure.shape != orders.shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {orders.shape}")
    return days, orders, money, acts


def _places(
    guard: Guard, field: str, value: object, many: int, *, like: np.ndarray | None = None, outside: bool = True
) -> np.ndarray:
    """Check places of classes, -1 for none."""
    place = np.asarray(value)
    if place.dtype.kind not in "iu" or place.ndim != 1 or (like is not None and place.shape != like.shape):
        shape = "one axis" if like is None else f"shape {like.shape}"
        guard.add("shape", field, f"{place.dtype} {place.shape}", expected=f"whole numbers, {shape}")
        return np.zeros(0 if like is None else like.shape, dtype=int)
    lowest = -1 if outside else 0
    if place.size and (place.min() < lowest or place.max() >= many):
        wrong = int(((place < lowest) | (place >= many)).argmax())
        guard.add("out_of_range", f"{field}[{wrong}]", int(place[wrong]), low=lowest, high=many - 1)
        return np.zeros(place.shape, dtype=int)
    return place.astype(int)


def _split(values: np.ndarray, share: float) -> float | None:
    """The value at which `share` of the values or about that many are as large or larger; None where all are equal."""
    n = len(values)
    if n < 2:
        return None
    wanted = share * n
    at = n - min(max(round(wanted), 1), n - 1)
    value = np.partition(values, at)[at]
    larger = values > value
    cuts = {int((values >= value).sum()): value}
    if larger.any():
        cuts[int(larger.sum())] = values[larger].min()
    cuts.pop(n, None)
    return float(cuts[min(cuts, key=lambda many: (abs(many - wanted), many))]) if cuts else None


def _propose(days: np.ndarray, orders: np.ndarray, money: np.ndarray, acts: np.ndarray, part: float) -> ProposedCuts:
    bought = orders > 0
    values = [-days[bought], orders[bought], money[bought], acts]
    cuts = [_split(value, part) for value in values]
    high = {
        axis: 0.0 if cut is None else float((value >= cut).mean())
        for axis, cut, value in zip(AXES, cuts, values, strict=True)
    }
    recency = None if cuts[0] is None else -cuts[0]
    return ProposedCuts(Cuts(recency, *cuts[1:]), high, dict(zip(AXES, map(len, values), strict=True)))


def _in_order(cuts: Cuts) -> tuple[float | None, ...]:
    return cuts.recency_days, cuts.frequency, cuts.money_cny, cuts.social


def _cells(days: np.ndarray, orders: np.ndarray, money: np.ndarray, acts: np.ndarray, cuts: Cuts) -> np.ndarray:
    bought, none = orders > 0, np.zeros(len(orders), dtype=bool)
    recency, frequency, worth, social = _in_order(cuts)
    cell = 8 * (none if recency is None else bought & (days <= recency)).astype(np.int8)
    for weight, figure, cut in ((4, orders, frequency), (2, money, worth)):
        cell += weight * (none if cut is None else bought & (figure >= cut)).astype(np.int8)
    return cell + (none if social is None else acts >= social).astype(np.int8)


def _segment_of(merge: Mapping[str, str]) -> np.ndarray:
    return np.array([SEGMENTS.index(merge[f"{at:04b}"]) for at in range(16)], dtype=np.int8)
