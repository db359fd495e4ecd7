"""Quantiles of durations by table: correlated draws of any distribution for the price of one look-up each.

A table holds the quantile at evenly spaced normal scores z, 256 to the unit from -8 to 8, so that a score of a Gaussian
copula finds its place without a search. A Beta-PERT has one shape for each place of its mode between its ends.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from planlib.core.draws import Distribution

REACH = 8.0  # scores beyond are taken as this: one draw in 8e14
_STEPS = 256  # to the unit of z
_KNOTS = 513  # points at which a Beta is evaluated
GRID = np.linspace(-REACH, REACH, int(2 * REACH * _STEPS) + 1)


def score_table(distribution: Distribution) -> np.ndarray:
    """Return (4097,) quantiles at the scores of GRID, within 1e-6 of the range of a Beta-PERT or a triangular.

    >>> bool(np.ptp(score_table(Distribution("triangular", low=2, mode=2, high=2))) == 0)
    True
    """
    from scipy.special import ndtr

    if getattr(distribution, "kind", "") == "pert" and not distribution.is_fixed:
        width = distribution.high - distribution.low
        return distribution.low + width * _beta_scores(*distribution.shape())
    return np.asarray(distribution.quantile(ndtr(GRID)), dtype=float)


def at_scores(table: np.ndarray, z: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Return the values of a table of `score_table` at normal scores, by straight lines; `out` may be `z` itself.

    >>> at_scores(GRID, np.array([-1.001, 9.0])).round(9).tolist()
    [-1.001, 8.0]
    """
    place = z * _STEPS
    place += REACH * _STEPS
    np.maximum(place, 0.0, out=place)
    np.minimum(place, len(table) - 1.0, out=place)
    below = np.minimum(place.astype(np.intp), len(table) - 2)
    place -= below
    place *= np.diff(table)[below]
    return np.add(place, table[below], out=out)


@lru_cache(maxsize=1024)
def _beta_scores(alpha: float, beta: float) -> np.ndarray:
    """Quantiles of Beta(alpha, beta) at GRID: cubic Hermite pieces through points whose slopes are known, dx/dz."""
    from scipy.special import betainc, betaln, ndtri

    angle = np.linspace(0, np.pi, _KNOTS)[1:-1]
    x, rest = np.sin(angle / 2) ** 2, np.cos(angle / 2) ** 2
    below, beyond = betainc(alpha, beta, x), betainc(beta, alpha, rest)
    z = np.where(below < 0.5, ndtri(below), -ndtri(beyond))  # each tail by its own small probability
    density = np.exp((alpha - 1) * np.log(x) + (beta - 1) * np.log(rest) - betaln(alpha, beta))
    slope = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / density
    found = _hermite(GRID, z, x, slope)
    # before the first and after the last point the Beta is a power of the probability
    low, high = z[0] > GRID, z[-1] < GRID
    found[low] = _tail(GRID[low], alpha, beta)
    found[high] = 1 - _tail(-GRID[high], beta, alpha)
    found.setflags(write=False)
    return found


def _tail(z: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    from scipy.special import betaln, ndtr

    return np.exp((np.log(ndtr(z)) + np.log(alpha) + betaln(alpha, beta)) / alpha)


def _hermite(at: np.ndarray, z: np.ndarray, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    k = np.clip(np.searchsorted(z, at) - 1, 0, len(z) - 2)
    h = z[k + 1] - z[k]
    t = (at - z[k]) / h
    s = 1 - t
    ends = s * s * (1 + 2 * t) * x[k] + t * t * (1 + 2 * s) * x[k + 1]
    return ends + s * t * h * (s * slope[k] - t * slope[k + 1])
