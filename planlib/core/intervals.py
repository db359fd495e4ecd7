"""Intervals for a share that was counted."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval and its level, e.g. 0.95; floats, or arrays of one shape."""

    low: float | np.ndarray
    high: float | np.ndarray
    level: float


def wilson(successes: object, n: object, *, level: float = 0.95) -> Interval:
    """Return the Wilson score interval of a share.

    Args:
        successes: counts, 0 <= successes <= n; a number or an array.
        n: trials, > 0; a number, or an array that broadcasts.
        level: coverage, between 0 and 1.

    Raises:
        InputError: a count is out of range, not whole or not finite.

    Source: Wilson 1927.

    >>> band = wilson(200, 1000)
    >>> round(band.low, 6), round(band.high, 6)
    (0.176377, 0.225919)
    """
    guard = Guard()
    x = guard.numbers("successes", successes, low=0.0)
    size = guard.numbers("n", n, above=0.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    try:
        too_many = bool(np.any(x > size))
    except ValueError:
        guard.add("shape", "successes", f"shape {x.shape}", expected=f"a shape that fits n, {size.shape}")
        guard.done()
    if too_many:
        guard.add("out_of_range", "successes", float(x.max()), low=0, high="n")
    if np.any(x != np.floor(x)):
        guard.add("not_whole", "successes", successes)
    guard.done()
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, zz = x / size, z * z
    centre = (share + zz / (2 * size)) / (1 + zz / size)
    half = z * np.sqrt(share * (1 - share) / size + zz / (4 * size * size)) / (1 + zz / size)
    low = np.where(x == 0, 0.0, centre - half)
    high = np.where(x == size, 1.0, centre + half)
    if low.ndim == 0:
        return Interval(float(low), float(high), level)
    return Interval(low, high, level)
