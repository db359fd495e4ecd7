"""Maximum likelihood of positive parameters by Newton's method from several starts, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from planlib.core.errors import InputError, Problem

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
Fitted = TypeVar("Fitted")

LOOSE = "parameters_loose"
_STEPS = 200
_HALVINGS = 25
_LONGEST_STEP = 2.0  # in logarithms
_AT_LIMIT = 1e-6  # logarithm from the limit of a range
_TOLERANCE = 1e-9  # gain in log likelihood still to be had
_ROUNDING = 1e-14  # of the log likelihood, a long sum
_HIDDEN = 1e-4  # gain below which a climb that cannot rise has come to what rounding hides
_LOOSE_SD = 2.0  # of a direction of logarithms: a factor of 50 either way is not told by the data
_TAKES_PART = 0.3  # of a parameter in such a direction


@dataclass(frozen=True, slots=True)
class Try:
    """One climb from one start.

    Attributes:
        start: parameters.
        rows: how many rows it ran on; a sample serves to find good starts.
        loglik: of those rows at the end; None when it could not be computed at the start.
        steps: Newton steps taken.
        ended: peak, edge (a parameter at the limit of its range), stuck or impossible.
    """

    start: tuple[float, ...]
    rows: int
    loglik: float | None
    steps: int
    ended: str


@dataclass(frozen=True, eq=False, slots=True)
class Peak:
    """A maximum of a likelihood.

    Attributes:
        point: (K,) parameters.
        loglik: there.
        covariance: (K, K) of the logarithms of the parameters; directions that the data do not tell have variance 0.
        reason: None, or parameters_loose.
        loose: names of the parameters of those directions, or at the limit of their range.
        tried: every climb.
    """

    point: np.ndarray
    loglik: float
    covariance: np.ndarray
    reason: str | None
    loose: tuple[str, ...]
    tried: tuple[Try, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Climb:
    log: np.ndarray
    value: float
    slope: np.ndarray
    curvature: np.ndarray
    steps: int
    ended: str


def maximise(
    evaluate: Evaluate,
    starts: Sequence[Sequence[float]],
    *,
    names: Sequence[str],
    low: Sequence[float],
    high: Sequence[float],
    rows: int,
    rough: tuple[Evaluate, int] | None = None,
) -> Peak:
    """Return the highest peak found.

    Steps are Newton's in the logarithms of the parameters, uphill in every direction (eigenvalues of the Hessian by
    size), halved until the likelihood rises.

    Args:
        evaluate: parameters (K,) -> log likelihood, its gradient (K,) and Hessian (K, K), all in the parameters.
        starts: parameters to start from.
        names: of the parameters.
        low, high: limits of the parameters, above 0.
        rows: how many rows `evaluate` runs on.
        rough: the same of a sample and its rows: all starts climb there, the best ends then climbs on all rows.

    Raises:
        InputError: no climb ended at a peak; it says which were tried.
    """
    limits = np.log(np.asarray(low, dtype=float)), np.log(np.asarray(high, dtype=float))
    first, first_rows = rough or (evaluate, rows)
    climbs, tried = [], []
    for start in starts:
        climbs.append(_climb(first, np.log(np.asarray(start, dtype=float)), *limits))
        tried.append(_told(start, first_rows, climbs[-1]))
    arrived = sorted((c for c in climbs if c.ended in ("peak", "edge")), key=lambda c: -c.value)
    if rough is not None:
        found = None
        for climb in arrived or sorted((c for c in climbs if c.ended == "stuck"), key=lambda c: -c.value):
            found = _climb(evaluate, climb.log, *limits)
            tried.append(_told(np.exp(climb.log), rows, found))
            if found.ended in ("peak", "edge"):
                break
        arrived = [found] if found is not None and found.ended in ("peak", "edge") else []
    if not arrived:
        text = "; ".join(f"{_listed(names, t.start)}: {t.ended} after {t.steps} steps" for t in tried)
        raise InputError(Problem("not_converged", values={"tried": text}))
    return _peak(arrived[0], names, limits, tuple(tried))


def draws(fitted: Fitted, names: Sequence[str], size: int, rng: np.random.Generator) -> list[Fitted]:
    """Return copies of a fitted record with parameters drawn from their approximate distribution.

    Their logarithms are normal around the estimate, with the record's `covariance`.

    Raises:
        InputError: the record has no covariance, since its parameters were given, not fitted.
    """
    if fitted.covariance is None:
        raise InputError(Problem("missing", field="covariance"))
    middle = np.log([getattr(fitted, name) for name in names])
    rows = np.exp(rng.multivariate_normal(middle, fitted.covariance, size=size, method="eigh"))
    return [replace(fitted, **dict(zip(names, map(float, row), strict=True))) for row in rows]


def by_value(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct whole numbers of an array, each one's total weight, and each row's place among them."""
    distinct, place = np.unique(values, return_inverse=True)
    return distinct, np.bincount(place, weights=weight, minlength=len(distinct)), place


def _climb(evaluate: Evaluate, log: np.ndarray, low: np.ndarray, high: np.ndarray) -> _Climb:
    log = np.clip(log, low, high)
    value, slope, curvature = _in_logs(evaluate, log)
    if not np.isfinite(value):
        return _Climb(log, value, slope, curvature, 0, "impossible")
    for steps in range(_STEPS):
        step, held = _newton(log, slope, curvature, low, high)
        gain = float(slope @ step) / 2
        arrived = "edge" if held.any() else "peak"
        if gain <= max(_TOLERANCE, _ROUNDING * abs(value)):
            return _Climb(log, value, slope, curvature, steps, arrived)
        room = np.where(step > 0, high - log, log - low)
        moving = step != 0
        step *= min(1.0, _LONGEST_STEP / np.abs(step).max(), float((room[moving] / np.abs(step[moving])).min()))
        for _ in range(_HALVINGS):
            ahead = np.clip(log + step, low, high)
            there = _in_logs(evaluate, ahead)
            if np.isfinite(there[0]) and there[0] > value:
                break
            step /= 2
        else:
            return _Climb(log, value, slope, curvature, steps, arrived if gain <= _HIDDEN else "stuck")
        log, (value, slope, curvature) = ahead, there
    return _Climb(log, value, slope, curvature, _STEPS, "stuck")


def _newton(
    log: np.ndarray, slope: np.ndarray, curvature: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the step uphill, and which parameters are held at the limit of their range, out of which it would lead."""
    at_low, at_high = log <= low + _AT_LIMIT, log >= high - _AT_LIMIT
    held = (at_low & (slope <= 0)) | (at_high & (slope >= 0))
    while True:
        step, free = np.zeros_like(log), ~held
        if free.any():
            sizes, directions = np.linalg.eigh(-curvature[np.ix_(free, free)])
            sizes = np.maximum(np.abs(sizes), 1e-10 * max(np.abs(sizes).max(), 1e-6))
            step[free] = directions @ ((directions.T @ slope[free]) / sizes)
        outward = (at_low & (step < 0)) | (at_high & (step > 0))
        if not outward.any():
            return step, held
        held |= outward


def _in_logs(evaluate: Evaluate, log: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    point = np.exp(log)
    value, slope, curvature = evaluate(point)
    slope = point * slope
    return value, slope, np.outer(point, point) * curvature + np.diag(slope)


def _peak(climb: _Climb, names: Sequence[str], limits: tuple[np.ndarray, ...], tried: tuple[Try, ...]) -> Peak:
    low, high = limits
    inside = (climb.log > low + _AT_LIMIT) & (climb.log < high - _AT_LIMIT)
    covariance = np.zeros_like(climb.curvature)
    loose = ~inside
    if inside.any():
        block = np.ix_(inside, inside)
        sizes, directions = np.linalg.eigh(-climb.curvature[block])
        told = sizes > _LOOSE_SD**-2
        covariance[block] = (directions[:, told] / sizes[told]) @ directions[:, told].T
        loose[inside] = (np.abs(directions[:, ~told]) > _TAKES_PART).any(axis=1)
    named = tuple(name for name, is_loose in zip(names, loose, strict=True) if is_loose)
    return Peak(np.exp(climb.log), float(climb.value), covariance, LOOSE if named else None, named, tried)


def _told(start: Any, rows: int, climb: _Climb) -> Try:
    value = float(climb.value) if np.isfinite(climb.value) else None
    return Try(tuple(float(v) for v in start), rows, value, climb.steps, climb.ended)


def _listed(names: Sequence[str], values: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))
