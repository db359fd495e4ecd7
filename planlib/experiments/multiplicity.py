"""Several questions at once: adjusted p-values, and critical values of several arms against one control."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy

from planlib.core.guards import Guard

Adjust = Callable[[np.ndarray], np.ndarray]


def adjusted_p(p_values: Sequence[float], method: str = "holm") -> np.ndarray:
    """Return p-values adjusted for the number of questions; reject where one is at most alpha.

    Args:
        p_values: (M,) from 0 to 1, in any order.
        method: with the family-wise error rate at alpha, under any dependence: bonferroni, holm; under
            independence or positive dependence: sidak, holm_sidak, hochberg, hommel. With the false discovery
            rate at alpha: bh (independence or positive dependence), by (any dependence).

    Returns:
        (M,) in the order given, each at least its own p-value.

    Raises:
        InputError: a p-value outside 0 to 1, none at all, or an unknown method.

    Source: Holm 1979; Hochberg 1988; Hommel 1988; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.

    >>> adjusted_p([0.013, 0.0001, 0.026], "holm").round(4)
    array([0.026 , 0.0003, 0.026 ])
    """
    guard = Guard()
    p = guard.numbers("p_values", list(p_values), low=0.0, high=1.0, ndim=(1,))
    guard.choice("method", method, METHODS)
    guard.done()
    order = np.argsort(p, kind="stable")
    found = np.empty(p.size)
    found[order] = np.minimum(METHODS[method](p[order]), 1.0)
    return found


def dunnett_critical(allocation: Sequence[float], *, alpha: float = 0.05, sides: int = 2) -> float:
    """Return how many standard errors a treatment must differ from the shared control, several being compared.

    The comparisons share the control, hence are correlated; Bonferroni, which does not know it, asks for more.
    For infinite degrees of freedom.

    Args:
        allocation: relative sizes of the arms, the control first; at least two.
        alpha: family-wise error rate.
        sides: 2, or 1 for a rise only.

    Raises:
        InputError: fewer than two arms, or a value out of range.

    Source: Dunnett 1955.

    >>> round(dunnett_critical((1, 1, 1)), 4)
    2.2121
    """
    guard = Guard()
    loading = _loadings(guard, allocation)
    guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.choice("sides", sides, (1, 2))
    guard.done()
    low, high = -scipy.special.ndtri(alpha / sides), -scipy.special.ndtri(alpha / sides / loading.size)
    if loading.size == 1:
        return float(low)
    from scipy.optimize import brentq  # slow to import

    return brentq(lambda c: _any_beyond(np.array([c]), loading, sides)[0] - alpha, low, high, xtol=1e-12)


def dunnett_p(statistics: Sequence[float], allocation: Sequence[float], *, sides: int = 2) -> np.ndarray:
    """Return adjusted p-values of treatments compared with one shared control.

    Args:
        statistics: (K,) difference / standard error of each treatment.
        allocation: (K + 1,) as `dunnett_critical`.

    >>> dunnett_p([2.2121, 0.5], (1, 1, 1)).round(3)
    array([0.05 , 0.835])
    """
    guard = Guard()
    loading = _loadings(guard, allocation)
    z = guard.numbers("statistics", list(statistics), ndim=(1,))
    guard.choice("sides", sides, (1, 2))
    if z.shape != loading.shape:
        guard.add("shape", "statistics", f"shape {z.shape}", expected=f"{loading.shape}, one of each treatment")
    guard.done()
    return _any_beyond(np.abs(z) if sides == 2 else z, loading, sides)


def _loadings(guard: Guard, allocation: Sequence[float]) -> np.ndarray:
    """Square root of each treatment's share of the two arms; two of them multiply to a correlation."""
    sizes = guard.numbers("allocation", list(allocation), above=0.0, ndim=(1,))
    if 0 < sizes.size < 2:
        guard.add("too_few", "allocation", sizes.size, low=2)
    return np.sqrt(sizes[1:] / (sizes[:1] + sizes[1:]))


def _any_beyond(limits: np.ndarray, loading: np.ndarray, sides: int) -> np.ndarray:
    """Chance that any of K statistics is beyond each limit, given the control's part x of them all."""
    x = np.linspace(-9.0, 9.0, 721)  # the trapezoid rule is exact to rounding for so smooth a function
    own = np.sqrt(1.0 - loading**2)
    shift = x[:, None] * loading
    inside = scipy.special.ndtr((limits[:, None, None] - shift) / own)
    if sides == 2:
        inside -= scipy.special.ndtr((-limits[:, None, None] - shift) / own)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    return (-np.expm1(np.log(np.maximum(inside, 1e-300)).sum(axis=2))) @ density


def _count_down(p: np.ndarray) -> np.ndarray:
    """How many questions are left when this one is asked: M, M - 1, ..., 1."""
    return np.arange(p.size, 0, -1)


def _sidak(p: np.ndarray, count: object) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return -np.expm1(count * np.log1p(-p))


def _down(values: np.ndarray) -> np.ndarray:
    """Step down: no p-value below one before."""
    return np.maximum.accumulate(values)


def _up(values: np.ndarray) -> np.ndarray:
    """Step up: no p-value above one after."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _false_discovery(p: np.ndarray) -> np.ndarray:
    return _up(p * p.size / np.arange(1, p.size + 1))


def _hommel(p: np.ndarray) -> np.ndarray:
    """The closed test of Simes' inequality, as Wright 1992 computes it."""
    n, rank = p.size, np.arange(1, p.size + 1)
    found = np.full(n, (n * p / rank).min())
    smallest = found.copy()
    for m in range(n - 1, 1, -1):
        late = (m * p[n - m + 1 :] / np.arange(2, m + 1)).min()
        smallest[: n - m + 1] = np.minimum(m * p[: n - m + 1], late)
        smallest[n - m + 1 :] = smallest[n - m]
        found = np.maximum(found, smallest)
    return np.maximum(found, p)


METHODS: dict[str, Adjust] = {
    "bonferroni": lambda p: p * p.size,
    "sidak": lambda p: _sidak(p, p.size),
    "holm": lambda p: _down(p * _count_down(p)),
    "holm_sidak": lambda p: _down(_sidak(p, _count_down(p))),
    "hochberg": lambda p: _up(p * _count_down(p)),
    "hommel": _hommel,
    "bh": _false_discovery,
    "by": lambda p: _false_discovery(p) * (1.0 / np.arange(1, p.size + 1)).sum(),
}
