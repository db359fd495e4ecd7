"""Progress against a baseline: earned value in money, earned schedule in time, and what each forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.earned_value import performance
from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Indices:
    """Earned value at a date (PMI, Practice Standard for Earned Value Management). None where a divisor is 0.

    Attributes:
        cost_variance, schedule_variance: earned less actual, and less planned.
        cpi, spi: earned over actual, and over planned.
        at_completion_cpi: the whole cost if the rest costs as much more as what is done.
        at_completion_plan: if the rest costs what was planned.
        at_completion_both: if time lost has to be bought back at the cost so far.
        to_complete: cost still to come, by the first forecast.
        variance_at_completion: budget less the first forecast.
        tcpi: performance that the rest must have to stay inside the budget.
    """

    cost_variance: float
    schedule_variance: float
    cpi: float | None
    spi: float | None
    at_completion_cpi: float | None
    at_completion_plan: float
    at_completion_both: float | None
    to_complete: float | None
    variance_at_completion: float | None
    tcpi: float | None


def indices(*, budget: float, planned: float, earned: float, actual: float) -> Indices:
    """Return the indices of earned value and its forecasts.

    Args:
        budget: at completion, > 0.
        planned, earned, actual: to date, >= 0; earned and planned at most the budget.

    >>> found = indices(budget=100.0, planned=50.0, earned=40.0, actual=50.0)
    >>> found.cpi, found.spi, found.at_completion_cpi
    (0.8, 0.8, 125.0)
    """
    guard = Guard()
    whole = guard.number("budget", budget, above=0.0)
    plan = guard.number("planned", planned, low=0.0, high=whole)
    done = guard.number("earned", earned, low=0.0, high=whole)
    cost = guard.number("actual", actual, low=0.0)
    guard.done()
    pace = performance(planned=plan, earned=done, actual=cost)
    cpi, spi, by_cpi = pace.cpi, pace.spi, pace.at_completion(whole)
    return Indices(
        cost_variance=done - cost,
        schedule_variance=done - plan,
        cpi=cpi,
        spi=spi,
        at_completion_cpi=by_cpi,
        at_completion_plan=cost + whole - done,
        at_completion_both=cost + (whole - done) / (cpi * spi) if cpi and spi else None,
        to_complete=None if by_cpi is None else by_cpi - cost,
        variance_at_completion=None if by_cpi is None else whole - by_cpi,
        tcpi=(whole - done) / (whole - cost) if whole > cost else None,
    )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Earned schedule (Lipke 2003): the period at which the plan was to have earned what is earned now.

    Attributes:
        earned: in periods from the start.
        variance: earned less elapsed periods; below 0 the work is late by that much.
        spi_time: earned over elapsed; unlike spi it does not drift to 1 as late work ends.
        spi_cost: earned value over planned value now; None while nothing was planned.
        finish: forecast of the whole length in periods; None while nothing is earned.
    """

    earned: float
    variance: float
    spi_time: float
    spi_cost: float | None
    finish: float | None


def earned_schedule(planned: object, *, elapsed: float, earned: float) -> Schedule:
    """Return how far along the plan's own time line the work is.

    Args:
        planned: (P,) value planned to be earned by the end of each period, never falling.
        elapsed: periods gone, > 0; may pass P, the plan then stays at its last value.
        earned: value earned to date, >= 0 and at most the last planned.

    >>> found = earned_schedule([10.0, 30.0, 60.0], elapsed=2.0, earned=20.0)
    >>> found.earned, found.spi_time, found.finish
    (1.5, 0.75, 4.0)
    """
    guard = Guard()
    line = guard.numbers("planned", planned, low=0.0, ndim=(1,))
    for k in np.flatnonzero(np.diff(line) < 0) if line.ndim == 1 else ():
        guard.add("low_above_high", f"planned[{k + 1}]", float(line[k + 1]))
    gone = guard.number("elapsed", elapsed, above=0.0)
    done = guard.number("earned", earned, low=0.0, high=float(line[-1]) if line.size else None)
    guard.done()
    ends = np.concatenate([[0.0], line])
    n = int(np.searchsorted(ends, done, side="right")) - 1
    step = ends[n + 1] - ends[n] if n + 1 < len(ends) else 0.0
    reached = n + (done - ends[n]) / step if step > 0 else float(n)
    now = float(np.interp(gone, np.arange(len(ends)), ends))
    pace = reached / gone
    return Schedule(
        earned=float(reached),
        variance=float(reached - gone),
        spi_time=float(pace),
        spi_cost=done / now if now > 0 else None,
        finish=float(len(line) / pace) if pace > 0 else None,
    )
