"""Which categories can stand at their maxima together, and the plain split in the middle of the bands."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from planlib.budget.bands import EPS, Bands, feasibility, project


@dataclass(frozen=True, slots=True)
class Pair:
    """Two categories at their maxima: what is left for the others, what these need, and whether it is enough."""

    first: str
    second: str
    left: float
    needed: float
    possible: bool


def pairs_at_most(bands: Bands) -> tuple[Pair, ...]:
    """Return every pair of categories, both at the top of their bands, tightest first.

    Args:
        bands: of at least two categories.

    >>> seed = Bands.of({"labour": (0.40, 0.50), "technology": (0.25, 0.30), "other": (0.25, 0.35)})
    >>> pairs_at_most(seed)[0]
    Pair(first='labour', second='other', left=0.15, needed=0.25, possible=False)
    """
    found = []
    for i, j in combinations(range(len(bands.names)), 2):
        left = round(1.0 - float(bands.high[i] + bands.high[j]), 12)
        needed = round(float(np.delete(bands.low, [i, j]).sum()), 12)
        found.append(Pair(bands.names[i], bands.names[j], left, needed, needed <= left + EPS))
    return tuple(sorted(found, key=lambda pair: pair.left - pair.needed))


def middle_split(bands: Bands) -> tuple[np.ndarray, bool]:
    """Return (K,) shares nearest to the middle of every band, and whether they hold the bands.

    Where the bands cannot sum to 1 the middles are scaled to do so, and the answer is False.

    >>> middle_split(Bands.of({"a": (0.4, 0.6), "b": (0.3, 0.5)}))
    (array([0.55, 0.45]), True)
    """
    middle = (bands.low + bands.high) / 2
    if feasibility(bands).feasible:
        return project(bands, middle).split, True
    return middle / middle.sum(), False
