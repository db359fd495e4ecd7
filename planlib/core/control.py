"""Control charts that say when a series has moved, at a declared rate of false alarms (EWMA and CUSUM)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from planlib.core.guards import Guard

_STATES = 201  # of the Markov chain; odd, so that the centre is a state


@dataclass(frozen=True, eq=False)
class Chart:
    """A control chart over a series in standard deviations.

    Attributes:
        statistic: (T,) EWMA, or the upper CUSUM.
        lower: (T,) lower CUSUM, <= 0; None for EWMA.
        limit: (T,) distance from 0 at which an alarm is raised.
        alarm: (T,) True where it is.
        first_alarm: place of the first, None without one.
    """

    statistic: np.ndarray
    lower: np.ndarray | None
    limit: np.ndarray
    alarm: np.ndarray
    first_alarm: int | None


def ewma(values: np.ndarray, *, mean: float, sd: float, weight: float = 0.2, run_length: float = 370.0) -> Chart:
    """Return the exponentially weighted moving average chart (Roberts 1959) with limits that widen to their end value.

    Args:
        values: (T,) observations.
        mean, sd: in control; sd > 0.
        weight: of the newest observation, 0 < weight <= 1.
        run_length: mean number of observations between false alarms, > 1.

    >>> chart = ewma([0.0, 0.0, 5.0, 5.0], mean=0.0, sd=1.0)
    >>> chart.first_alarm
    2
    """
    guard = Guard()
    x = guard.numbers("values", values, ndim=(1,))
    centre = guard.number("mean", mean)
    spread = guard.number("sd", sd, above=0.0)
    w = guard.number("weight", weight, above=0.0, high=1.0)
    wanted = guard.number("run_length", run_length, above=1.0)
    guard.done()
    z = (x - centre) / spread
    found = np.empty(len(z))
    level = 0.0
    for t, value in enumerate(z):
        level += w * (value - level)
        found[t] = level
    steps = np.arange(1, len(z) + 1)
    limit = ewma_limit(w, wanted) * np.sqrt(w / (2 - w) * (1 - (1 - w) ** (2 * steps)))
    return _chart(found, None, limit, np.abs(found) > limit)


def cusum(values: np.ndarray, *, mean: float, sd: float, shift: float = 1.0, run_length: float = 370.0) -> Chart:
    """Return the two-sided tabular CUSUM (Page 1954) tuned to a shift.

    Args:
        values: (T,) observations.
        mean, sd: in control; sd > 0.
        shift: the change to find quickest, in standard deviations, > 0; the reference value is half of it.
        run_length: mean number of observations between false alarms of both sides together, > 1.
    """
    guard = Guard()
    x = guard.numbers("values", values, ndim=(1,))
    centre = guard.number("mean", mean)
    spread = guard.number("sd", sd, above=0.0)
    half = guard.number("shift", shift, above=0.0) / 2
    wanted = guard.number("run_length", run_length, above=1.0)
    guard.done()
    limit = cusum_limit(half, wanted)
    up, down, high, low = np.zeros(len(x)), np.zeros(len(x)), 0.0, 0.0
    for t, value in enumerate((x - centre) / spread):
        high, low = max(0.0, high + value - half), min(0.0, low + value + half)
        up[t], down[t] = high, low
    return _chart(up, down, np.full(len(x), limit), (up > limit) | (-down > limit))


def _chart(statistic: np.ndarray, lower: np.ndarray | None, limit: np.ndarray, alarm: np.ndarray) -> Chart:
    return Chart(statistic, lower, limit, alarm, int(alarm.argmax()) if alarm.any() else None)


@lru_cache(maxsize=64)
def ewma_limit(weight: float, run_length: float) -> float:
    """Return the width L of EWMA limits, in standard deviations of the statistic, for a mean run length.

    >>> round(ewma_limit(0.1, 500.0), 2)
    2.81
    """
    return _search(lambda width: ewma_run_length(weight, width), run_length, 0.5, 6.0)


@lru_cache(maxsize=64)
def cusum_limit(reference: float, run_length: float) -> float:
    """Return the decision limit h of a two-sided CUSUM for a mean run length of both sides together.

    >>> round(cusum_limit(0.5, 168.0), 1)
    4.0
    """
    return _search(lambda width: cusum_run_length(reference, width) / 2, run_length, 0.5, 40.0)


def ewma_run_length(weight: float, width: float, *, shift: float = 0.0) -> float:
    """Return the mean run length of an EWMA chart with constant limits (Markov chain, Lucas & Saccucci 1990)."""
    from scipy.special import ndtr

    half = width * np.sqrt(weight / (2 - weight))
    edge = np.linspace(-half, half, _STATES + 1)
    centre = (edge[1:] + edge[:-1]) / 2
    to = (edge[None, :] - (1 - weight) * centre[:, None]) / weight - shift
    steps = np.diff(ndtr(to), axis=1)
    return float(np.linalg.solve(np.eye(_STATES) - steps, np.ones(_STATES))[_STATES // 2])


def cusum_run_length(reference: float, width: float, *, shift: float = 0.0) -> float:
    """Return the mean run length of one side of a CUSUM from 0 (Markov chain, Brook & Evans 1972)."""
    from scipy.special import ndtr

    step = 2 * width / (2 * _STATES - 1)
    state = np.arange(_STATES) * step
    upper = ndtr(state[None, :] - state[:, None] + reference - shift + step / 2)
    chance = np.diff(upper, axis=1, prepend=0.0)
    return float(np.linalg.solve(np.eye(_STATES) - chance, np.ones(_STATES))[0])


def _search(length, wanted: float, low: float, high: float) -> float:
    """Return where a run length that grows with the limit, nearly as its exponential, is the one wanted."""
    from scipy.optimize import brentq

    def off(width: float) -> float:
        return np.log(length(width) / wanted)

    if off(low) >= 0:
        return low
    above = 2 * low
    while above < high and off(above) < 0:
        low, above = above, 2 * above
    return float(brentq(off, low, min(above, high), xtol=1e-12, rtol=1e-14))
