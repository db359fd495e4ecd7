"""What comes out for what goes in, month by month: a chained Fisher index with its bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, eq=False)
class Work:
    """What one function makes and uses in T months.

    Attributes:
        name: of the function.
        output_units, input_units: of each output and input; an entry without them is refused.
        made: (T, K) of each output a month, > 0.
        worth: (K,) or (T, K) CNY of one unit of each output; 1 with a single one.
        used: (T, M) of each input a month, > 0.
        price: (M,) or (T, M) CNY of one unit of each input; 1 where it is money.
        days: T arrays (days of the month, K) that sum to `made`, for the interval; () without one.
    """

    name: str
    output_units: tuple[str, ...]
    input_units: tuple[str, ...]
    made: object
    worth: object
    used: object
    price: object
    days: Sequence[np.ndarray] = ()


@dataclass(frozen=True, eq=False)
class Index:
    """Productivity by month, the first month 1.

    Attributes:
        name: of the function.
        level: (T,) chained.
        low, high: (T,) interval over the days of each month; NaN without days.
        share: that the interval holds.
    """

    name: str
    level: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share: float


def productivity(work: Work, *, rng: np.random.Generator | None = None, draws: int = 400, level: float = 0.95) -> Index:
    """Return the productivity of a function, each month against the one before, multiplied up.

    The interval draws the days of each month anew; what went in is known.

    Args:
        work: the function.
        rng: a stream; None for no interval.
        draws: of the bootstrap.
        level: of the interval.

    Raises:
        InputError: an output or input without a unit, shapes that disagree, or a number that is not above 0.

    Source: Fisher 1922, chained as in ILO, Producer Price Index Manual 2004, ch. 15; Efron 1979.

    >>> work = Work("heads", ("users",), ("people",), [[5000.0], [10000.0]], [1.0], [[1.0], [1.0]], [1.0])
    >>> productivity(work).level.tolist()
    [1.0, 2.0]
    """
    guard = Guard()
    made, used = (guard.numbers(name, getattr(work, name), above=0.0, ndim=(2,)) for name in ("made", "used"))
    for name, units, side in (("output_units", work.output_units, made), ("input_units", work.input_units, used)):
        if not units or not all(units):
            guard.add("missing", name)
        elif side.ndim == 2 and len(units) != side.shape[1]:
            guard.add("shape", name, f"{len(units)} units", expected=str(side.shape[1]))
    if made.ndim == 2 and used.ndim == 2 and len(made) != len(used):
        guard.add("shape", "used", f"{len(used)} months", expected=f"{len(made)} months")
    count = guard.whole("draws", draws, low=1, high=100_000)
    share = guard.number("level", level, above=0.0, below=1.0)
    worth, price = (guard.numbers(name, getattr(work, name), above=0.0, ndim=(1, 2)) for name in ("worth", "price"))
    guard.done()
    worth, price = np.broadcast_to(worth, made.shape), np.broadcast_to(price, used.shape)
    goes_in = _fisher(used[None], price)
    found = np.cumprod(np.concatenate([[1.0], (_fisher(made[None], worth) / goes_in)[0]]))
    unknown = np.full(len(found), np.nan)
    if rng is None or not work.days:
        return Index(work.name, found, unknown, unknown.copy(), share)
    drawn = np.stack([_redrawn(np.asarray(days, dtype=float), rng, count) for days in work.days], axis=1)
    drawn = np.maximum(drawn, 1e-9)
    steps = _fisher(drawn, worth) / goes_in
    paths = np.cumprod(np.concatenate([np.ones((count, 1)), steps], axis=1), axis=1)
    low, high = np.quantile(paths, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return Index(work.name, found, low, high, share)


def _fisher(quantity: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return (B, T - 1) the index of each month against the one before; quantity (B, T, K), price (T, K)."""
    old, new = quantity[:, :-1], quantity[:, 1:]
    laspeyres = (new * price[:-1]).sum(axis=-1) / (old * price[:-1]).sum(axis=-1)
    paasche = (new * price[1:]).sum(axis=-1) / (old * price[1:]).sum(axis=-1)
    return np.sqrt(laspeyres * paasche)


def _redrawn(days: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return (B, K) sums of a month whose days are drawn anew."""
    times = rng.multinomial(len(days), np.full(len(days), 1 / len(days)), size=draws)
    return times @ days
