"""What every comparison returns, and the normal and t distributions behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.core.intervals import Interval

ALTERNATIVES = ("two_sided", "greater", "less")
SMALLEST = 8 * np.finfo(float).eps  # a standard error below this part of the values is rounding


@dataclass(frozen=True, slots=True)
class Result:
    """One row of a read-out: an effect with its method, people and interval.

    Attributes:
        effect: difference (treatment - control), lift (treatment / control - 1), superiority (chance that one
            of the treatment exceeds one of the control), share or quantile (of one arm).
        method: of the interval, by its name in the field.
        test: of the p-value; "" when none was asked for.
        n: people who count, by arm, the control first.
        estimate: None when it cannot be computed.
        interval: None when it cannot be computed; a one-sided one is infinite (or ends at the scale's end) on one side.
        p_value: None when it cannot be computed or no test was asked for.
        alternative: two_sided, greater or less.
        reason: id of why something could not be computed (`experiments.reason.<id>`), else None.
        control, treatment: value of each arm.
        se: standard error of the estimate, on the scale of `statistic`.
        statistic, df: of the test; df infinite for the normal distribution.
        dropped: rows left out because a value is missing, by arm.
        detail: further figures by name, such as theta, g or cap.
    """

    effect: str
    method: str
    n: tuple[int, ...]
    estimate: float | None
    interval: Interval | None
    p_value: float | None = None
    test: str = ""
    alternative: str = "two_sided"
    reason: str | None = None
    control: float | None = None
    treatment: float | None = None
    se: float | None = None
    statistic: float | None = None
    df: float | None = None
    dropped: tuple[int, ...] = (0, 0)
    detail: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm says of one metric; numbers, or arrays of one shape for many groups at once.

    Attributes:
        n: people who count.
        value: mean, ratio or share; NaN without any value.
        variance: variance of `value`, its standard error squared; NaN with fewer than two values.
        df: degrees of freedom of that variance.
        dropped: rows left out because a value is missing.
    """

    n: object
    value: object
    variance: object
    df: object
    dropped: object = 0


def check_options(guard: Guard, level: float, alternative: str) -> None:
    """Note a level outside 0 to 1 (one-sided: 0.5 to 1) and an unknown alternative."""
    guard.number("level", level, above=0.0 if alternative == "two_sided" else 0.5, below=1.0)
    guard.choice("alternative", alternative, ALTERNATIVES)


def p_value(statistic: object, df: object, alternative: str = "two_sided") -> np.ndarray:
    """Return the p-value of t statistics, accurate far out in the tail.

    Args:
        statistic: numbers; NaN gives NaN.
        df: degrees of freedom, infinite for the normal distribution.
        alternative: two_sided, greater or less.

    >>> round(float(p_value(1.959964, np.inf)), 6), round(float(p_value(2.0, 10, "greater")), 6)
    (0.05, 0.036694)
    """
    t, nu = np.broadcast_arrays(np.asarray(statistic, dtype=float), np.asarray(df, dtype=float))
    if alternative != "two_sided":
        half = p_value(t, nu) / 2
        return np.where((t > 0) == (alternative == "greater"), half, 1 - half)
    finite = np.where(np.isfinite(nu), nu, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        tail = scipy.special.betainc(finite / 2, 0.5, finite / (finite + t * t))
    return np.where(np.isfinite(nu), tail, 2 * scipy.special.ndtr(-np.abs(t)))


def critical(level: float, df: object, alternative: str = "two_sided") -> np.ndarray:
    """Return how many standard errors an interval reaches.

    >>> round(float(critical(0.95, np.inf)), 6), round(float(critical(0.95, 10)), 6)
    (1.959964, 2.228139)
    """
    share = 0.5 + level / 2 if alternative == "two_sided" else level
    nu = np.asarray(df, dtype=float)
    finite = np.where(np.isfinite(nu), nu, 1.0)
    return np.where(np.isfinite(nu), scipy.special.stdtrit(finite, share), scipy.special.ndtri(share))


def limits(estimate: object, se: object, df: object, level: float, alternative: str) -> tuple[np.ndarray, np.ndarray]:
    """Return estimate -+ critical value times standard error; a one-sided interval is infinite on one side."""
    half = critical(level, df, alternative) * np.asarray(se)
    return one_side(np.asarray(estimate) - half, np.asarray(estimate) + half, alternative)


def one_side(
    low: object, high: object, alternative: str, *, least: float = -np.inf, most: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Open the side of an interval that the alternative does not ask about, to the end of the scale."""
    lower, upper = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if alternative == "greater":
        upper = np.where(np.isnan(upper), np.nan, most)
    elif alternative == "less":
        lower = np.where(np.isnan(lower), np.nan, least)
    return lower, upper


def two_sided_level(level: float, alternative: str) -> float:
    """Level of the two-sided interval whose one limit is the one-sided limit wanted."""
    return level if alternative == "two_sided" else 2 * level - 1


def number(value: object) -> float | None:
    """A finite number, or None."""
    found = float(np.asarray(value))
    return found if np.isfinite(found) else None


def interval_of(low: object, high: object, level: float) -> Interval | None:
    """An interval of two numbers, or None when one is missing."""
    lower, upper = float(np.asarray(low)), float(np.asarray(high))
    return None if np.isnan(lower) or np.isnan(upper) else Interval(lower, upper, level)
