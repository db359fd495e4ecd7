"""Kaplan-Meier: who is left, or has not done it yet, of people who were followed for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval

INTERVALS = ("log_log", "greenwood")


@dataclass(frozen=True, slots=True)
class Survival:
    """Kaplan-Meier estimate: the share left after each day on which somebody left.

    Attributes:
        days: (K,) days with at least one leaving, rising.
        at_risk: (K,) people followed up to that day.
        left: (K,) of those, people who left on it.
        share: (K,) share left after it.
        standard_error: (K,) by Greenwood's formula; 0 where nobody is left.
        low, high: (K,) pointwise limits of the share.
        level: of the limits.
        people: how many were followed.
        last_day: the longest time that anybody was followed; nothing is known of later days.
    """

    days: np.ndarray
    at_risk: np.ndarray
    left: np.ndarray
    share: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    people: float
    last_day: float

    def at(self, days: object) -> float | np.ndarray:
        """Return the share left after some days, 1 before the first leaving.

        Raises:
            InputError: a day after `last_day` while somebody is left: fit a curve to reach further.
        """
        return self._step(days, self.share)

    def band(self, days: object) -> Interval:
        """Return the limits of the share after some days; errors as `at`."""
        return Interval(self._step(days, self.low), self._step(days, self.high), self.level)

    def monthly(self, months: int, *, days_in_month: float = 30.0) -> np.ndarray:
        """Return (months + 1,) shares left at the end of month 0 (joining), 1, 2, ...; errors as `at`."""
        return self.at(month_ends(months, days_in_month))

    def points(self, days: Sequence[float] | None = None) -> dict[float, float]:
        """Return {day: share} for `fit_curve`: on the days given, else on every day of leaving.

        Days on which everybody or nobody is left carry no curve and are left out, as are
        days on which the share is the same as on the day before them in the list.
        """
        wanted = self.days if days is None else np.unique(np.asarray(days, dtype=float))
        found: dict[float, float] = {}
        lowest = 1.0
        for day, share in zip(wanted.tolist(), np.atleast_1d(self.at(wanted)).tolist(), strict=True):
            if day > 0 and 0 < share < lowest:
                found[int(day) if day.is_integer() else day] = lowest = share
        return found

    def _step(self, days: object, values: np.ndarray) -> float | np.ndarray:
        guard = Guard()
        day = guard.numbers("days", days, low=0.0)
        if self.share[-1] > 0 and day.size and float(day.max()) > self.last_day:
            guard.add("out_of_range", "days", float(day.max()), low=0, high=self.last_day)
        guard.done()
        found = np.append(1.0, values)[np.searchsorted(self.days, day, side="right")]
        return float(found) if day.ndim == 0 else found


def kaplan_meier(
    durations: object, left: object, weights: object = None, *, level: float = 0.95, interval: str = "log_log"
) -> Survival:
    """Estimate who is left from people who were followed for different lengths of time.

    S(t) = product over days d <= t of (1 - left_d / at_risk_d). People who have not left are
    censored: they count as at risk up to the day on which they were last seen, that day
    included. Limits by Greenwood's variance, on the log(-log) scale (`log_log`, always inside
    0..1) or on the share itself (`greenwood`, cut off at 0 and 1). Once nobody is left the
    variance is not defined: the low limit is then 0, and the high one stays what it was.

    Args:
        durations: (N,) days from joining to leaving, or to the last day of observation, >= 0.
        left: (N,) True where the person left, False where the observation ended first.
        weights: (N,) how many people each row stands for, > 0; None = 1.
        level: of the limits, between 0 and 1.
        interval: log_log or greenwood.

    Raises:
        InputError: shapes disagree, a value is out of range, or nobody left (no day to
            estimate at; the share is 1 as far as anybody was followed).

    Source: Kaplan & Meier 1958; Greenwood 1926; Kalbfleisch & Prentice 2002.

    >>> found = kaplan_meier([3, 5, 5, 8], [True, True, False, False])
    >>> found.days, found.share
    (array([3., 5.]), array([0.75, 0.5 ]))
    """
    guard = Guard()
    days = guard.numbers("durations", durations, low=0.0, ndim=(1,))
    gone = np.asarray(left)
    if gone.dtype != bool or gone.shape != days.shape:
        guard.add("shape", "left", f"{gone.dtype} {gone.shape}", expected=f"true or false, shape {days.shape}")
    count = guard.numbers("weights", np.ones(days.shape) if weights is None else weights, above=0.0, ndim=(1,))
    if count.shape != days.shape:
        guard.add("shape", "weights", f"shape {count.shape}", expected=f"shape {days.shape}")
    guard.number("level", level, above=0.0, below=1.0)
    guard.choice("interval", interval, INTERVALS)
    guard.done()
    if not gone.any():
        guard.add("too_few", "left", 0, low=1)
        guard.done()
    times, row = np.unique(days, return_inverse=True)
    leaving = np.bincount(row, weights=count * gone)
    at_risk = np.bincount(row, weights=count)[::-1].cumsum()[::-1]
    seen = leaving > 0
    n, d = at_risk[seen], leaving[seen]
    stay = np.where(d >= n, 0.0, 1.0 - d / n)
    share = stay.cumprod()
    with np.errstate(divide="ignore"):
        spread = np.where(stay > 0, d / (n * (n - d)), 0.0).cumsum() ** 0.5
    low, high = _limits(share, spread, NormalDist().inv_cdf(0.5 + level / 2), interval)
    return Survival(times[seen], n, d, share, share * spread, low, high, level, float(count.sum()), float(times[-1]))


def month_ends(months: int, days_in_month: float) -> np.ndarray:
    """Return (months + 1,) days on which month 0 (joining), 1, 2, ... end.

    >>> month_ends(2, 30.0)
    array([ 0., 30., 60.])
    """
    guard = Guard()
    count = guard.whole("months", months, low=0)
    length = guard.number("days_in_month", days_in_month, above=0.0)
    guard.done()
    return np.arange(count + 1) * length


def _limits(share: np.ndarray, spread: np.ndarray, z: float, interval: str) -> tuple[np.ndarray, np.ndarray]:
    """Limits of shares whose standard error is share x spread."""
    if interval == "greenwood":
        low, high = np.maximum(share * (1 - z * spread), 0.0), np.minimum(share * (1 + z * spread), 1.0)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.exp(z * spread / -np.log(share))
            low, high = share**width, share ** (1 / width)
    if share[-1] == 0:
        low[-1], high[-1] = 0.0, high[-2] if len(share) > 1 else 1.0
    return low, high
