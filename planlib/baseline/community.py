"""Health of communities: which phase of decay each is in, and how many one operator looks after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard

PHASES = ("healthy", "less_interaction", "more_exits", "reputation")  # in the order in which decay goes


@dataclass(frozen=True, slots=True)
class Tendency:
    """Mann-Kendall test: whether a series rises or falls, whatever its shape.

    Attributes:
        score: pairs that rise less pairs that fall.
        p_value: two-sided, by the normal approximation with ties.
        tau: score over its largest possible value, -1 to 1.
    """

    score: int
    p_value: float
    tau: float


def mann_kendall(values: Sequence[float]) -> Tendency:
    """Test whether a series tends upwards or downwards.

    Args:
        values: (T,) one a period, in order, at least 4.

    Source: Mann 1945; Kendall 1975 (variance with ties, continuity correction).

    >>> found = mann_kendall([5, 4, 4, 3, 2, 1])
    >>> found.score, round(found.p_value, 3)
    (-14, 0.013)
    """
    guard = Guard()
    seen = guard.numbers("values", list(values), ndim=(1,))
    if len(seen) < 4:
        guard.add("too_few", "values", len(seen), low=4)
    guard.done()
    n = len(seen)
    score = int(np.sign(seen[None, :] - seen[:, None])[np.triu_indices(n, 1)].sum())
    ties = np.unique(seen, return_counts=True)[1].astype(float)
    variance = (n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
    if variance <= 0:
        return Tendency(0, 1.0, 0.0)
    z = (score - np.sign(score)) / sqrt(variance)
    return Tendency(score, 2 * NormalDist().cdf(-abs(float(z))), score / (n * (n - 1) / 2))


def phase(
    interaction: Sequence[float], exits: Sequence[float], complaints: Sequence[float] | None = None, *,
    alpha: float = 0.05,
) -> str:  # fmt: skip
    """Return the phase of decay that a community is in.

    Decay goes in order: first members interact less, then they leave, then they speak ill. A later phase needs its
    own sign, whether or not an earlier one is still to be seen.

    Args:
        interaction: (T,) share of members who speak, one a period, in order.
        exits: (T,) share of members who leave.
        complaints: (T,) share who complain; None when nobody counts them.
        alpha: how likely chance alone may raise a sign, one-sided.

    Returns:
        One of `PHASES`.

    >>> phase([0.30, 0.28, 0.25, 0.24, 0.20, 0.15], [0.01] * 6)
    'less_interaction'
    """
    guard = Guard()
    guard.number("alpha", alpha, above=0.0, below=0.5)
    guard.done()

    def moves(values: Sequence[float], sign: int) -> bool:
        found = mann_kendall(values)
        return found.score * sign > 0 and found.p_value / 2 <= alpha

    if complaints is not None and moves(complaints, +1):
        return "reputation"
    if moves(exits, +1):
        return "more_exits"
    return "less_interaction" if moves(interaction, -1) else "healthy"


def per_operator(communities: int, operators: tuple[int, int]) -> tuple[float, float]:
    """Return how many communities one operator looks after: with the larger team, with the smaller.

    >>> per_operator(1000, (5, 8))
    (125.0, 200.0)
    """
    guard = Guard()
    count = guard.whole("communities", communities, low=0)
    few, many = (guard.whole("operators", people, low=1) for people in operators)
    if few > many:
        guard.add("low_above_high", "operators", list(operators))
    guard.done()
    return count / many, count / few
