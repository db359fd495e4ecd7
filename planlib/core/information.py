"""What it is worth to know more before choosing: perfect and sample information about a normal quantity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

_NODES = 400


@dataclass(frozen=True, slots=True)
class Information:
    """Value of information per unit of what is at stake.

    Attributes:
        evpi: of knowing the quantity exactly; no test is worth more.
        evsi: of a test with the given standard error.
        preposterior_sd: how far the test is expected to move the estimate.
    """

    evpi: float
    evsi: float
    preposterior_sd: float


def normal_information(mean: float, sd: float, se: float, *, alternative: float = 0.0) -> Information:
    """Return the value of knowing X ~ N(mean, sd^2) better before choosing between X and a known alternative.

    EVSI = s [phi(z) + z Phi(z)] - max(d, 0) with d = mean - alternative, s = sd^2 / sqrt(sd^2 + se^2), z = d / s;
    EVPI is the same with s = sd (Raiffa & Schlaifer 1961, unit normal loss).

    Args:
        mean, sd: prior of the quantity, in its own unit; sd > 0.
        se: standard error of the test, > 0.
        alternative: what is had for certain instead.

    >>> round(normal_information(0.0, 0.02, 0.01).evsi, 6)
    0.007136
    """
    guard = Guard()
    d = guard.number("mean", mean) - guard.number("alternative", alternative)
    prior = guard.number("sd", sd, above=0.0)
    error = guard.number("se", se, above=0.0)
    guard.done()
    moved = prior**2 / float(np.hypot(prior, error))
    return Information(_loss(d, prior), _loss(d, moved), moved)


def _loss(d: float, s: float) -> float:
    """Return s [phi(z) + z Phi(z)] - max(d, 0) by its symmetric tail, which does not cancel for large |d|."""
    from scipy.special import ndtr

    z = abs(d) / s
    return float(s * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - z * ndtr(-z)))


def chance_of_being_best(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return (K,) probability that each of K independent normals is the largest, by quadrature.

    This is how often Thompson sampling would choose each.

    Args:
        mean, sd: (K,) with sd > 0, K >= 2.

    >>> chance_of_being_best(np.array([1.0, 1.0]), np.array([0.1, 0.3])).round(12)
    array([0.5, 0.5])
    """
    guard = Guard()
    m = guard.numbers("mean", mean, ndim=(1,))
    s = guard.numbers("sd", sd, above=0.0, ndim=(1,))
    if m.shape != s.shape or len(m) < 2:
        guard.add("shape", "sd", f"shape {s.shape}", expected=f"{m.shape}, at least two")
    guard.done()
    if len(m) == 2:
        from scipy.special import ndtr

        first = float(ndtr((m[0] - m[1]) / np.hypot(*s)))
        return np.array([first, 1 - first])
    from scipy.special import log_ndtr

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    found = np.empty(len(m))
    for k in range(len(m)):
        x = m[k] + s[k] * 9.0 * nodes  # beyond nine standard deviations nothing is left
        others = np.delete(np.arange(len(m)), k)
        log_below = log_ndtr((x[:, None] - m[others]) / s[others]).sum(axis=1)
        density = np.exp(-((x - m[k]) ** 2) / (2 * s[k] ** 2)) / (s[k] * np.sqrt(2 * np.pi))
        found[k] = float((weights * 9.0 * s[k] * density * np.exp(log_below)).sum())
    return found / found.sum()
