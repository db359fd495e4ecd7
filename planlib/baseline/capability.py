"""How well the platform's capabilities fit what each group of users needs, and what a better fit is said to bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

READINGS = ("points", "relative")  # a step of 10 % is 0.10 of the fit, or a tenth of it
STEPS_AT_MOST = 2  # the stated slope is local: beyond twice its step nothing is said
_RANDOM_INDEX = {1: 0.0, 2: 0.0, 3: 0.58, 4: 0.90, 5: 1.12, 6: 1.24, 7: 1.32, 8: 1.41, 9: 1.45, 10: 1.49}


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights from pairwise comparison.

    Attributes:
        weights: (K,) sum 1.
        consistency_ratio: below 0.1 the comparisons agree well enough.
    """

    weights: np.ndarray
    consistency_ratio: float

    @property
    def consistent(self) -> bool:
        return self.consistency_ratio < 0.1


@dataclass(frozen=True, slots=True)
class Fit:
    """Fit of G groups over K capabilities.

    Attributes:
        fit: (G,) 0 to 1; 1 when nothing that is needed is missing or idle.
        gap: (G, K) supply less need; negative where something is missing.
        worst: (G,) position of the capability whose weighted shortfall is largest; -1 where none is short.
    """

    fit: np.ndarray
    gap: np.ndarray
    worst: np.ndarray


def ahp_weights(comparisons: Sequence[Sequence[float]]) -> Weights:
    """Return weights from pairwise comparisons and how well these agree with one another.

    Args:
        comparisons: (K, K), entry i, j how many times as important i is as j; entry j, i its reciprocal; K up to 10.

    Source: Saaty 1980: principal eigenvector; consistency index over its random value.

    >>> ahp_weights([[1, 2], [0.5, 1]]).weights.round(3).tolist()
    [0.667, 0.333]
    """
    guard = Guard()
    matrix = guard.numbers("comparisons", np.asarray(comparisons, dtype=float), above=0.0, ndim=(2,))
    size = matrix.shape[0]
    if matrix.shape != (size, size) or size not in _RANDOM_INDEX:
        guard.add("shape", "comparisons", f"shape {matrix.shape}", expected="a square of 1 to 10 rows")
        guard.done()
    if not np.allclose(matrix * matrix.T, 1.0, rtol=1e-3):
        guard.add("reciprocal", "comparisons")
    guard.done()
    values, vectors = np.linalg.eig(matrix)
    top = int(values.real.argmax())
    weights = np.abs(vectors[:, top].real)
    index = (float(values[top].real) - size) / (size - 1) if size > 2 else 0.0
    ratio = max(index, 0.0) / _RANDOM_INDEX[size] if size > 2 else 0.0
    return Weights(weights / weights.sum(), ratio)


def fit(supply: Sequence[float], need: Sequence[Sequence[float]], weights: Sequence[float] | None = None) -> Fit:
    """Return how well the capabilities fit each group: 1 less the weighted distance between supply and need.

    Args:
        supply: (K,) what the platform offers, 0 to 1.
        need: (G, K) what each group needs, 0 to 1.
        weights: (K,) sum 1; None: all alike.

    >>> found = fit([0.5, 1.0], [[0.5, 1.0], [1.0, 1.0]])
    >>> found.fit.tolist(), found.worst.tolist()
    ([1.0, 0.75], [-1, 0])
    """
    guard = Guard()
    has = guard.share("supply", list(supply), ndim=(1,))
    wants = guard.share("need", np.asarray(need, dtype=float), ndim=(2,))
    even = np.full(len(has), 1 / max(len(has), 1))
    weight = even if weights is None else guard.share("weights", list(weights), ndim=(1,))
    if wants.shape[1] != len(has) or len(weight) != len(has):
        guard.add("shape", "need", f"shape {wants.shape}", expected=f"shape (groups, {len(has)})")
        guard.done()
    if abs(float(weight.sum()) - 1) > 1e-9:
        guard.add("sums_to_one", "weights", float(weight.sum()))
    guard.done()
    distance = has - wants
    short = weight * np.maximum(-distance, 0.0)
    worst = np.where(short.max(axis=1) > 0, short.argmax(axis=1), -1)
    return Fit(1 - np.abs(distance) @ weight, distance, worst)


def efficiency_gain(
    fit_now: float, fit_then: float, *, step: float = 0.10, gain_per_step: float = 0.25, reading: str
) -> Mapping[str, float | str]:
    """Return what a better fit is said to bring: 25 % more efficiency for each 10 % of fit.

    Whether the 10 % are points of fit or a tenth of it the documents do not say: the reading is an argument, and is
    returned with the result.

    Raises:
        InputError: the rise is more than twice the step; the slope is not known so far out.

    >>> efficiency_gain(0.5, 0.6, reading="points")["gain"]
    0.25
    >>> efficiency_gain(0.5, 0.55, reading="relative")["gain"]
    0.25
    """
    guard = Guard()
    now = guard.number("fit_now", fit_now, above=0.0, high=1.0)
    then = guard.number("fit_then", fit_then, low=0.0, high=1.0)
    unit = guard.number("step", step, above=0.0, high=1.0)
    slope = guard.number("gain_per_step", gain_per_step)
    guard.choice("reading", reading, READINGS)
    guard.done()
    steps = (then - now if reading == "points" else then / now - 1) / unit
    if abs(steps) > STEPS_AT_MOST + 1e-9:
        guard.add("at_most", "fit_then", then, high=now + STEPS_AT_MOST * unit * (1 if reading == "points" else now))
    guard.done()
    return {"gain": round(slope * steps, 12), "steps": round(steps, 12), "reading": reading}
