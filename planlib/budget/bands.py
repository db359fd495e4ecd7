"""Budget shares inside bands: what is possible, the nearest split that is, and money by month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from planlib.core.decompose import apportion
from planlib.core.guards import Guard

EPS = 1e-12
MAX_NAMES_FOR_CORNERS = 12


@dataclass(frozen=True, eq=False)
class Bands:
    """Lowest and highest share of a total for each named category.

    Args:
        names: (K,) categories, each once.
        low, high: (K,) shares, 0 <= low <= high <= 1.

    Raises:
        InputError: no category, a name twice, or a band that is none. Bands that cannot
            sum to 1 are allowed: `feasibility` says so.
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        guard = Guard()
        names = tuple(self.names)
        if not names:
            guard.add("empty", "names")
        for k, name in enumerate(names):
            if name in names[:k]:
                guard.add("duplicate_id", f"names[{k}]", name, first=f"names[{names.index(name)}]")
        low, high = (guard.share(side, list(getattr(self, side)), ndim=(1,)) for side in ("low", "high"))
        for side, values in (("low", low), ("high", high)):
            if values.shape != (len(names),):
                guard.add("shape", side, f"shape {values.shape}", expected=f"({len(names)},)")
        if not guard.problems:
            for k in np.flatnonzero(low > high):
                guard.add("low_above_high", names[k], [float(low[k]), float(high[k])])
        guard.done()
        for side, values in (("low", low), ("high", high)):
            frozen = values.copy()
            frozen.setflags(write=False)
            object.__setattr__(self, side, frozen)
        object.__setattr__(self, "names", names)

    @classmethod
    def of(cls, bands: Mapping[str, tuple[float, float]]) -> Bands:
        """Make bands from {name: (low, high)}.

        >>> Bands.of({"labour": (0.4, 0.5), "other": (0.5, 0.6)}).names
        ('labour', 'other')
        """
        guard = Guard()
        for name, band in bands.items():
            if np.shape(band) != (2,):
                guard.add("shape", name, band, expected="(low, high)")
        guard.done()
        return cls(tuple(bands), [band[0] for band in bands.values()], [band[1] for band in bands.values()])


@dataclass(frozen=True, slots=True)
class Feasibility:
    """What the bands leave open.

    Attributes:
        feasible: some split holds every band and sums to 1.
        low_sum, high_sum: sums of the minima and maxima; of the free categories where some are fixed.
        fixed_sum: sum of the fixed shares.
        left: 1 - fixed_sum, what the free categories have to share.
        low, high: (K,) exact range of each share given all the others; NaN when infeasible.
        pinned: free categories whose range is a single point.
        reason: "" or an id: minima_exceed (low_sum > left), maxima_fall_short (high_sum < left),
            fixed_outside_band.
        outside: fixed categories outside their own band.
    """

    feasible: bool
    low_sum: float
    high_sum: float
    fixed_sum: float
    left: float
    low: np.ndarray
    high: np.ndarray
    pinned: tuple[str, ...]
    reason: str
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Projection:
    """The nearest feasible split to a typed one.

    Attributes:
        split: (K,) shares that hold every band and sum to 1.
        moves: (K,) split - typed.
        at_low, at_high: categories that stand on a limit of their band.
        distance: Euclidean length of the moves.
        multiplier: the amount that every category inside its band is moved by.
    """

    split: np.ndarray
    moves: np.ndarray
    at_low: tuple[str, ...]
    at_high: tuple[str, ...]
    distance: float
    multiplier: float


@dataclass(frozen=True, slots=True)
class Money:
    """Whole fen by month and category: fen (T, K), by_category (K,), by_month (T,)."""

    fen: np.ndarray
    by_category: np.ndarray
    by_month: np.ndarray

    @property
    def cny(self) -> np.ndarray:
        """(T, K) CNY."""
        return self.fen / 100.0


def feasibility(bands: Bands, *, fixed: Mapping[str, float] | None = None) -> Feasibility:
    """Say whether the bands can be held, and between which shares each category may lie.

    Args:
        bands: the bands.
        fixed: {name: share} set by hand; the other categories share what is left.

    Returns:
        Feasibility. The range of a share given the others is
        [max(low, left - sum of the other maxima), min(high, left - sum of the other minima)].

    Raises:
        InputError: a fixed name is unknown, or its value is no share.

    >>> names = ("labour", "technology", "marketing", "running")
    >>> seed = Bands(names, [0.40, 0.25, 0.15, 0.10], [0.50, 0.30, 0.20, 0.15])
    >>> feasibility(seed, fixed={"labour": 0.50, "technology": 0.30}).reason
    'minima_exceed'
    >>> [round(float(x), 2) for x in feasibility(seed, fixed={"labour": 0.50}).high]
    [0.5, 0.25, 0.15, 0.1]
    """
    guard = Guard()
    typed = dict(fixed or {})
    for name, share in typed.items():
        if name not in bands.names:
            guard.add("unknown_ref", f"fixed.{name}", name, choice=", ".join(bands.names))
        guard.number(f"fixed.{name}", share, low=0.0, high=1.0)
    guard.done()
    is_fixed = np.array([name in typed for name in bands.names])
    share = np.array([typed.get(name, 0.0) for name in bands.names])
    outside = tuple(
        name
        for k, name in enumerate(bands.names)
        if is_fixed[k] and not bands.low[k] - EPS <= share[k] <= bands.high[k] + EPS
    )
    low, high = np.where(is_fixed, share, bands.low), np.where(is_fixed, share, bands.high)
    fixed_sum = float(share.sum())
    left = 1.0 - fixed_sum
    low_sum, high_sum = float(bands.low[~is_fixed].sum()), float(bands.high[~is_fixed].sum())
    reason = ""
    if outside:
        reason = "fixed_outside_band"
    elif low_sum > left + EPS:
        reason = "minima_exceed"
    elif high_sum < left - EPS:
        reason = "maxima_fall_short"
    if reason:
        nothing = np.full(len(low), np.nan)
        return Feasibility(False, low_sum, high_sum, fixed_sum, left, nothing, nothing.copy(), (), reason, outside)
    lowest = np.maximum(low, 1.0 - (high.sum() - high))
    highest = np.maximum(np.minimum(high, 1.0 - (low.sum() - low)), lowest)
    pinned = tuple(name for k, name in enumerate(bands.names) if not is_fixed[k] and highest[k] - lowest[k] <= EPS)
    return Feasibility(True, low_sum, high_sum, fixed_sum, left, lowest, highest, pinned, "", outside)


def project(bands: Bands, split: object) -> Projection:
    """Return the nearest split that holds every band and sums to 1 (Euclidean distance).

    The nearest point is clip(split + m, low, high) with one multiplier m for all. The sum
    is piecewise linear in m: bisection finds the piece, its straight line gives m exactly.

    Args:
        bands: the bands.
        split: (K,) typed shares, in the order of the names; they need not sum to 1.

    Raises:
        InputError: the bands cannot sum to 1, or the split has another length.

    >>> names = ("labour", "technology", "marketing", "running")
    >>> seed = Bands(names, [0.40, 0.25, 0.15, 0.10], [0.50, 0.30, 0.20, 0.15])
    >>> [round(float(x), 3) for x in project(seed, [0.50, 0.30, 0.15, 0.05]).split]
    [0.475, 0.275, 0.15, 0.1]
    """
    guard = Guard()
    typed = guard.numbers("split", split, ndim=(1,))
    if typed.shape != (len(bands.names),):
        guard.add("shape", "split", f"shape {typed.shape}", expected=f"({len(bands.names)},)")
    _require_feasible(guard, bands)
    guard.done()
    multiplier = _multiplier(typed, bands.low, bands.high)
    nearest = np.clip(typed + multiplier, bands.low, bands.high)
    at_low, at_high = nearest <= bands.low + EPS, nearest >= bands.high - EPS
    moves = nearest - typed
    return Projection(
        split=nearest,
        moves=moves,
        at_low=tuple(name for name, at in zip(bands.names, at_low, strict=True) if at),
        at_high=tuple(name for name, at in zip(bands.names, at_high, strict=True) if at),
        distance=float(np.sqrt((moves**2).sum())),
        multiplier=multiplier,
    )


def _require_feasible(guard: Guard, bands: Bands) -> None:
    low_sum, high_sum = float(bands.low.sum()), float(bands.high.sum())
    if low_sum > 1.0 + EPS or high_sum < 1.0 - EPS:
        guard.add("bands_empty", "bands", low=round(low_sum, 12), high=round(high_sum, 12))


def _multiplier(typed: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Solve sum(clip(typed + m, low, high)) = 1 for m."""
    below, above = float((low - typed).min()), float((high - typed).max())
    while (middle := (below + above) / 2) not in (below, above):
        if np.clip(typed + middle, low, high).sum() < 1.0:
            below = middle
        else:
            above = middle
    inside = (typed + above > low) & (typed + above < high)
    if not inside.any():
        return above
    clipped = np.clip(typed + above, low, high)
    return float((1.0 - clipped[~inside].sum() - typed[inside].sum()) / inside.sum())


def corners(bands: Bands) -> np.ndarray:
    """Return every corner of the feasible splits: all categories but one stand on a limit.

    Args:
        bands: the bands, at most 12 categories.

    Returns:
        (V, K) splits without repeats, largest first category first; empty when infeasible.

    >>> corners(Bands.of({"a": (0.4, 0.7), "b": (0.2, 0.5)}))
    array([[0.7, 0.3],
           [0.5, 0.5]])
    """
    guard = Guard()
    size = len(bands.names)
    if size > MAX_NAMES_FOR_CORNERS:
        guard.add("out_of_range", "bands", size, low=1, high=MAX_NAMES_FOR_CORNERS)
    guard.done()
    limits = np.array([bands.low, bands.high])
    choices = np.array(list(product((0, 1), repeat=size - 1)), dtype=int).reshape(-1, size - 1)
    found = []
    for free in range(size):
        others = np.delete(np.arange(size), free)
        split = np.empty((len(choices), size))
        split[:, others] = limits[choices, others]
        split[:, free] = 1.0 - split[:, others].sum(axis=1)
        held = (split[:, free] >= bands.low[free] - EPS) & (split[:, free] <= bands.high[free] + EPS)
        found.append(split[held])
    rows = np.concatenate(found)
    _, first = np.unique(np.round(rows, 9), axis=0, return_index=True)
    return np.round(rows[first], 15)[::-1]


def money_by_month(total_fen: int, shares: object, *, months: int, weights: object = None) -> Money:
    """Divide a total into whole fen by category and month.

    The total goes to the categories by their shares, each category's money to the months by
    the weights, both by largest remainder: category sums and the whole sum are exact.

    Args:
        total_fen: whole fen >= 0 (CNY x 100).
        shares: (K,) shares that sum to 1.
        months: T, >= 1.
        weights: (T,) for all categories or (T, K); >= 0, season or stage; None = equal.

    Raises:
        InputError: shares do not sum to 1, shapes disagree, or a category has no month.

    >>> money_by_month(100, [0.5, 0.5], months=3).fen
    array([[17, 17],
           [17, 17],
           [16, 16]])
    """
    guard = Guard()
    total = guard.whole("total_fen", total_fen, low=0, high=2**53)
    share = guard.share("shares", shares, ndim=(1,))
    if share.size and np.isfinite(share).all() and abs(float(share.sum()) - 1.0) > 1e-9:
        guard.add("sums_to_one", "shares", float(share.sum()))
    horizon = guard.whole("months", months)
    season = guard.numbers("weights", np.ones(horizon) if weights is None else weights, low=0.0, ndim=(1, 2))
    season = season[:, None] if season.ndim == 1 else season
    if season.shape not in ((horizon, 1), (horizon, share.size)):
        guard.add("shape", "weights", f"shape {season.shape}", expected=f"({horizon},) or ({horizon}, {share.size})")
    elif np.any(season.sum(axis=0) <= 0):
        guard.add("above", "weights", 0.0, low="0 in at least one month")
    guard.done()
    by_category = apportion(total, share)
    season = np.broadcast_to(season, (horizon, share.size))
    columns = [apportion(int(part), season[:, k]) for k, part in enumerate(by_category)]
    fen = np.stack(columns, axis=1)
    return Money(fen, by_category, fen.sum(axis=1))
