"""The forecast again, once some months are known: paths that fit what happened count for more.

Importance weights where enough paths are left to carry them; else the paths are drawn towards what happened step by
step (tempered sequential Monte Carlo, Del Moral, Doucet & Jasra 2006), each step followed by moves that leave the
distribution as it is (preconditioned Crank-Nicolson, Cotter et al. 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

LEAST_ESS = 1_000.0
_KEEP = 0.5  # share of the paths that a step leaves effective
_MOVES = 4  # after each step
_STEPS = 60
_ACCEPTED = 0.3


@dataclass(frozen=True, eq=False)
class Weights:
    """How much each path counts.

    Attributes:
        weights: (D,) that sum to 1.
        ess: effective number of paths, 1 / sum of squared weights.
        log_evidence: logarithm of the mean likelihood: how likely the plan made what happened.
    """

    weights: np.ndarray
    ess: float
    log_evidence: float


def reweigh(paths: object, observed: object, sd: object) -> Weights:
    """Weigh paths by how well they fit what was observed, errors being normal and independent.

    Args:
        paths: (D, K) outcomes of the model for each observation.
        observed: (K,) what happened.
        sd: (K,) error of the observation and of the model in one month, > 0.

    Raises:
        InputError: shapes that differ, values that are not finite, an error that is not above 0.

    >>> found = reweigh(np.array([[0.0], [1.0]]), [1.0], [1.0])
    >>> found.weights.round(3).tolist(), round(found.ess, 3)
    ([0.378, 0.622], 1.887)
    """
    model, seen, error = _checked(paths, observed, sd)
    return _weights(_log_fit(model, seen, error))


def chance(hits: np.ndarray, found: Weights, *, level: float = 0.95) -> tuple[float, Interval]:
    """Return the weighted share of the paths that hold a goal, and its interval at their effective number."""
    share = float(found.weights @ hits)
    n = max(int(found.ess), 1)
    return share, wilson(round(share * n), n, level=level)


def quantiles(values: object, found: Weights, shares: object) -> np.ndarray:
    """Return the values below which so much of the weight lies.

    Args:
        values: (D,) outcomes.
        shares: (Q,) from 0 to 1.

    >>> quantiles([3.0, 1.0, 2.0], Weights(np.array([0.2, 0.5, 0.3]), 2.6, 0.0), [0.4, 0.9]).tolist()
    [1.0, 3.0]
    """
    guard = Guard()
    x = guard.numbers("values", values, ndim=(1,))
    at = guard.share("shares", shares, ndim=(1,))
    guard.done()
    order = np.argsort(x)
    below = np.cumsum(found.weights[order])
    place = np.searchsorted(below, np.minimum(at, below[-1]) - 1e-12)
    return x[order][np.minimum(place, len(x) - 1)]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Paths after what was observed, all counting alike.

    Attributes:
        scores: (D, P) normal scores of what is uncertain.
        ess: effective number of the paths that carry it: those of the last step, at least.
        steps: how many the tempering took.
        accepted: share of the moves that were accepted.
        log_evidence: as of `Weights`.
    """

    scores: np.ndarray
    ess: float
    steps: int
    accepted: float
    log_evidence: float


def tempered(
    scores: object, model: Callable[[np.ndarray], np.ndarray], observed: object, sd: object, *, rng: np.random.Generator
) -> Drawn:
    """Draw paths that fit what was observed.

    Args:
        scores: (D, P) independent standard normal scores, one column for each uncertain figure.
        model: (D, P) scores -> (D, K) outcomes for each observation.
        observed, sd: as `reweigh`.
        rng: stream of resampling and moves.

    Raises:
        InputError: as `reweigh`.
    """
    guard = Guard()
    at = guard.numbers("scores", scores, ndim=(2,)).copy()
    guard.done()
    paths, seen, error = _checked(model(at), observed, sd)
    fit = _log_fit(paths, seen, error)
    n = len(at)
    heat, log_evidence, steps, step_size = 0.0, 0.0, 0, 0.5
    tried = taken = 0
    ess = float(n)
    while heat < 1.0 and steps < _STEPS:
        rise = 1.0 - heat if steps == _STEPS - 1 else _rise(fit, 1.0 - heat)
        found = _weights(rise * fit)
        log_evidence += found.log_evidence
        heat, steps, ess = min(heat + rise, 1.0), steps + 1, found.ess
        chosen = _systematic(found.weights, rng)
        at, fit = at[chosen], fit[chosen]
        for _ in range(_MOVES):
            moved = np.sqrt(1.0 - step_size**2) * at + step_size * rng.standard_normal(at.shape)
            new = _log_fit(model(moved), seen, error)
            better = np.log(rng.random(n)) < heat * (new - fit)
            at[better], fit[better] = moved[better], new[better]
            tried, taken = tried + n, taken + int(better.sum())
            step_size = float(np.clip(step_size * np.exp(better.mean() - _ACCEPTED), 0.02, 0.98))
    return Drawn(at, ess, steps, taken / max(tried, 1), log_evidence)


def _checked(paths: object, observed: object, sd: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    guard = Guard()
    model = guard.numbers("paths", paths, ndim=(2,))
    seen = guard.numbers("observed", observed, ndim=(1,))
    error = guard.numbers("sd", sd, above=0.0, ndim=(1,))
    for name, row in (("observed", seen), ("sd", error)):
        if row.shape != model.shape[1:]:
            guard.add("shape", name, f"shape {row.shape}", expected=f"{model.shape[1:]}")
    guard.done()
    return model, seen, error


def _log_fit(paths: np.ndarray, seen: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(D,) log likelihood without its constant, column by column so that no large array is made."""
    total = np.zeros(len(paths))
    off = np.empty(len(paths))
    for column, value, spread in zip(paths.T, seen.tolist(), error.tolist(), strict=True):
        np.subtract(column, value, out=off)
        off *= off
        off *= 0.5 / spread**2
        total -= off
    return total


def _weights(log_fit: np.ndarray) -> Weights:
    top = float(log_fit.max())
    raw = np.exp(log_fit - top)
    total = float(raw.sum())
    weights = raw / total
    return Weights(weights, 1.0 / float(weights @ weights), top + float(np.log(total / len(raw))))


def _rise(fit: np.ndarray, most: float) -> float:
    """Return the largest part of the likelihood, up to `most`, that leaves the wanted share of paths effective."""
    enough = _KEEP * len(fit)
    if _weights(most * fit).ess >= enough:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _weights(middle * fit).ess >= enough else (low, middle)
    return max(low, most * 1e-9)


def _systematic(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (D,) places of the paths that are kept, each about as often as its weight says."""
    n = len(weights)
    return np.minimum(np.searchsorted(np.cumsum(weights), (rng.random() + np.arange(n)) / n), n - 1)
