"""Where a schedule stands on a day: value planned and earned, cost, and when the work will be finished at this pace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.earned_value import performance
from planlib.core.guards import Guard
from planlib.milestones.progress import Indices, Schedule, earned_schedule, indices


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule on its status day. Values are in the unit of `value`, times in working days from the schedule's start.

    Attributes:
        budget: value of all tasks.
        planned: value that was to be earned by now.
        earned: value of what is done.
        actual: what was spent; None where it is not known.
        indices: of earned value (SPI, CPI, forecasts of cost); with an unknown cost only SPI and the variance of the
            schedule mean anything, so that it is None then.
        spi: earned over planned; None while nothing was planned.
        schedule: earned schedule and SPI(t); None before the first day is over.
        planned_finish: of the whole, by the plan.
        finish: forecast at the pace so far, never before the status day while work is left; the status day itself or
            the last real finish once all is done; None while nothing is earned.
        late_tasks: (N,) earned less than planned by now.
    """

    budget: float
    planned: float
    earned: float
    actual: float | None
    indices: Indices | None
    spi: float | None
    schedule: Schedule | None
    planned_finish: float
    finish: float | None
    late_tasks: np.ndarray


def planned_by(time: object, start: object, finish: object, value: object) -> np.ndarray:
    """Return the value that tasks were to have earned by each time, each evenly over its own time.

    Args:
        time: (T,) times.
        start, finish: (N,) of each task; one without length earns all at its finish.
        value: (N,) of each task.

    Returns:
        (T,)

    >>> planned_by([1.0, 4.0], [0.0, 2.0], [2.0, 6.0], [10.0, 20.0]).tolist()
    [5.0, 20.0]
    """
    return _shares(time, start, finish) @ np.asarray(value, dtype=float)


def _shares(time: object, start: object, finish: object) -> np.ndarray:
    """Return (T, N) the part of each task that was to be done by each time."""
    t = np.asarray(time, dtype=float)[:, None]
    a, b = np.asarray(start, dtype=float)[None, :], np.asarray(finish, dtype=float)[None, :]
    length = b - a
    part = np.divide(t - a, length, out=(t >= b).astype(float), where=length > 0)
    return np.clip(part, 0.0, 1.0)


def standing(
    start: object, finish: object, value: object, done: object, *, status: float, actual: float | None = None
) -> Standing:
    """Return where a schedule stands.

    Args:
        start, finish: (N,) planned, in working days from the schedule's start: a first task of 5 days goes from 0 to 5.
        value: (N,) cost or person-days of each task, >= 0, not all 0.
        done: (N,) share of each task that is done, 0..1.
        status: working days that are over, >= 0.
        actual: spent so far in the unit of `value`, >= 0; None = not known.

    Raises:
        InputError: shapes differ, a value is outside its limits, a finish is before its start, or nothing has a value.

    >>> found = standing([0, 5], [5, 10], [50.0, 50.0], [1.0, 0.0], status=8.0, actual=40.0)
    >>> found.planned, found.earned, found.spi, found.indices.cpi, found.finish
    (80.0, 50.0, 0.625, 1.25, 16.0)
    """
    guard = Guard()
    a = guard.numbers("start", start, low=0.0, ndim=(1,))
    b = guard.numbers("finish", finish, low=0.0, ndim=(1,))
    v = guard.numbers("value", value, low=0.0, ndim=(1,))
    d = guard.share("done", done, ndim=(1,))
    now = guard.number("status", status, low=0.0)
    spent = None if actual is None else guard.number("actual", actual, low=0.0)
    for name, given in (("finish", b), ("value", v), ("done", d)):
        if given.shape != a.shape:
            guard.add("shape", name, f"shape {given.shape}", expected=f"({a.size},), one for each task")
    guard.done()
    for k in np.flatnonzero(b < a):
        guard.add("low_above_high", f"finish[{k}]", float(b[k]))
    if v.sum() <= 0:
        guard.add("above", "value", 0.0, low=0)
    guard.done()
    budget, length = float(v.sum()), float(b.max())
    part = _shares([now], a, b)[0]
    planned, earned = min(float(part @ v), budget), min(float(d @ v), budget)
    pace = None
    if now > 0 and length > 0:
        days = np.arange(1.0, np.ceil(length) + 1)
        line = np.maximum.accumulate(planned_by(days, a, b, v))
        line[-1] = max(line[-1], budget)
        pace = earned_schedule(line, elapsed=now, earned=earned)
    return Standing(
        budget=budget,
        planned=planned,
        earned=earned,
        actual=spent,
        indices=None if spent is None else indices(budget=budget, planned=planned, earned=earned, actual=spent),
        spi=performance(planned=planned, earned=earned, actual=0.0).spi,
        schedule=pace,
        planned_finish=length,
        finish=_forecast(pace, length, now, over=bool(np.all(d[v > 0] == 1))),
        late_tasks=d < part - 1e-12,
    )


def _forecast(pace: Schedule | None, length: float, now: float, *, over: bool) -> float | None:
    """Return the finish at the pace so far; one day at least is left while anything is."""
    if over:
        return now
    if pace is None or pace.spi_time <= 0:
        return None
    return max(length / pace.spi_time, now)
