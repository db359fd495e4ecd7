"""How far members trust: one index out of several signs, weighted by how much each of them tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, eq=False)
class Trust:
    """The index.

    Attributes:
        level: (T,) 0 to 100, of the range that the signs themselves have had; higher is better.
        weights: sign -> share of the index; they sum to 1. A sign that never moves has none.
    """

    level: np.ndarray
    weights: Mapping[str, float]


def trust_index(signs: Mapping[str, Sequence[float]], better: Mapping[str, int]) -> Trust:
    """Return the trust index of some signs, weighted by entropy: the less evenly a sign is spread, the more it tells.

    Args:
        signs: name -> (T,) levels, T >= 2.
        better: name -> 1 where higher is better (members who speak), -1 where lower is (members who leave).

    Raises:
        InputError: no sign, another length, a sign without its direction, or a level that is not finite.

    Source: entropy weights, Shannon 1948; Hwang & Yoon 1981.

    >>> found = trust_index({"speaking": [0.2, 0.1], "leaving": [0.01, 0.03]}, {"speaking": 1, "leaving": -1})
    >>> found.level.tolist(), found.weights
    ([100.0, 0.0], {'speaking': 0.5, 'leaving': 0.5})
    """
    guard = Guard()
    if not signs:
        guard.add("empty", "signs")
    rows = {name: guard.numbers(f"signs.{name}", list(levels), ndim=(1,)) for name, levels in signs.items()}
    length = len(next(iter(rows.values()))) if rows else 0
    for name, row in rows.items():
        if len(row) != length:
            guard.add("shape", f"signs.{name}", f"{len(row)} levels", expected=f"{length} levels")
        if better.get(name) not in (1, -1):
            guard.choice(f"better.{name}", better.get(name, 0), (1, -1))
    if rows and length < 2:
        guard.add("too_few", "signs", length, low=2)
    guard.done()
    scaled = np.array([_scaled(row if better[name] > 0 else -row) for name, row in rows.items()])
    told = np.array([_tells(row) for row in scaled])
    weights = told / told.sum() if told.sum() > 0 else np.full(len(told), 1 / len(told))
    return Trust(100 * weights @ scaled, dict(zip(rows, weights.tolist(), strict=True)))


def _scaled(row: np.ndarray) -> np.ndarray:
    wide = np.ptp(row)
    return (row - row.min()) / wide if wide > 0 else np.ones(len(row))


def _tells(row: np.ndarray) -> float:
    """Return one less the entropy of a sign's levels over the points, as a share of the largest; 0 where none moves."""
    if np.ptp(row) == 0:
        return 0.0
    share = row / row.sum()
    known = share[share > 0]
    return float(1 + (known * np.log(known)).sum() / np.log(len(row)))
