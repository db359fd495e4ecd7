"""Earliest dates of tasks, milestones and gates: one forward pass over their links, in working days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil

import numpy as np

from planlib.core.guards import Guard
from planlib.milestones.calendar import precedence_order
from planlib.milestones.workdays import WorkCalendar

LONGEST_DAYS = 10_000


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that takes working days, or none: a milestone or a gate.

    Args:
        id: name.
        days: working days it takes, >= 0; a part of a day takes the whole day.
        after: {id of what comes before: working days between its end and this}, each >= 0.
        not_before: first day on which it may begin, or fall when it takes no days.
    """

    id: str
    days: float
    after: Mapping[str, float] = field(default_factory=dict)
    not_before: date | None = None


@dataclass(frozen=True, slots=True)
class Earliest:
    """When an activity can be done at the soonest.

    Attributes:
        start, finish: first and last day, both worked; the same day when it takes none.
        workdays: working days from the first day of the schedule to the finish, both counted.
        binding: id of what it waits for last; None when its own first day or the schedule's decides.
    """

    id: str
    start: date
    finish: date
    workdays: int
    binding: str | None


def earliest(activities: Iterable[Activity], start: date, calendar: WorkCalendar) -> tuple[Earliest, ...]:
    """Return the earliest dates when everything begins as soon as what comes before it is done.

    An activity begins on the working day after the last end before it (plus the days between them); one without
    days falls on that end itself. Nobody's time is limited.

    Args:
        activities: in any order.
        start: first day of the schedule.
        calendar: the working days.

    Returns:
        One Earliest for each activity, in the given order.

    Raises:
        InputError: an id twice or unknown, a circle, days out of range, or the calendar ends.

    >>> plan = [Activity("tags", 2), Activity("tools", 3, {"tags": 0})]
    >>> [str(t.finish) for t in earliest(plan, date(2026, 2, 12), WorkCalendar())]
    ['2026-02-13', '2026-02-25']
    """
    rows = tuple(activities)
    _check(rows)
    by_id = {row.id: row for row in rows}
    first = calendar.on_or_after(start)
    done: dict[str, int] = {}  # working days until the end of each
    found: dict[str, Earliest] = {}
    for name in precedence_order({row.id: tuple(row.after) for row in rows}):
        row = by_id[name]
        ends = {other: done[other] + ceil(lag) for other, lag in row.after.items()}
        binding = max(ends, key=lambda other: ends[other], default=None)
        ready = ends[binding] if binding is not None else 0
        own = _workdays_before(row, first, calendar)
        if own > ready:
            ready, binding = own, None
        days = ceil(row.days)
        done[name] = ready + days
        finish = _nth_workday(done[name], first, calendar)
        begin = _nth_workday(ready + 1, first, calendar) if days else finish
        found[name] = Earliest(name, begin, finish, max(done[name], 1), binding)
    return tuple(found[row.id] for row in rows)


def chain(times: Iterable[Earliest], last: str | None = None) -> tuple[str, ...]:
    """Return the ids that decide when `last` is done, from the first on: its critical chain.

    Args:
        times: of all activities.
        last: id; None = the one that is done last.

    Raises:
        InputError: no activities, or the id is unknown.

    >>> plan = [Activity("tags", 2), Activity("tools", 3, {"tags": 0}), Activity("scenes", 1, {"tags": 0})]
    >>> chain(earliest(plan, date(2026, 3, 2), WorkCalendar()))
    ('tags', 'tools')
    """
    by_id = {row.id: row for row in times}
    guard = Guard()
    if not by_id:
        guard.add("empty", "times")
    elif last is not None and last not in by_id:
        guard.add("unknown_ref", "last", last, choice=", ".join(by_id))
    guard.done()
    path = [max(by_id, key=lambda name: by_id[name].finish) if last is None else last]
    while (before := by_id[path[-1]].binding) is not None:
        path.append(before)
    return tuple(reversed(path))


def under_way(spans: Sequence[tuple[date, date]], periods: Sequence[tuple[date, date]]) -> np.ndarray:
    """Return which spans reach into which periods.

    Args:
        spans: (N,) first and last day of each.
        periods: (T,) first and last day of each, e.g. months.

    Returns:
        (N, T) True where a span and a period share a day.

    >>> under_way([(date(2026, 1, 30), date(2026, 2, 2))], [(date(2026, 1, 1), date(2026, 1, 31))]).tolist()
    [[True]]
    """
    first, last = (np.array([span[k] for span in spans], dtype="datetime64[D]")[:, None] for k in (0, 1))
    begin, end = (np.array([period[k] for period in periods], dtype="datetime64[D]")[None, :] for k in (0, 1))
    return (first <= end) & (last >= begin)


def slack_workdays(due: date, finish: date, calendar: WorkCalendar) -> int:
    """Return the working days that are left between a finish and its due day; negative = so many days late.

    >>> slack_workdays(date(2026, 2, 13), date(2026, 2, 25), WorkCalendar())
    -3
    """
    if finish <= due:
        return calendar.between(finish + timedelta(days=1), due) if finish < due else 0
    return -calendar.between(due + timedelta(days=1), finish)


def _check(rows: tuple[Activity, ...]) -> None:
    guard = Guard()
    seen: dict[str, int] = {}
    for k, row in enumerate(rows):
        if row.id in seen:
            guard.add("duplicate_id", f"activities[{k}].id", row.id, first=f"activities[{seen[row.id]}]")
        seen.setdefault(row.id, k)
        guard.number(f"{row.id}.days", row.days, low=0, high=LONGEST_DAYS)
        for other, lag in row.after.items():
            guard.number(f"{row.id}.after.{other}", lag, low=0, high=LONGEST_DAYS)
    guard.done()


def _workdays_before(row: Activity, first: date, calendar: WorkCalendar) -> int:
    """Working days that have to pass before the activity's own first day; one without days falls on that day."""
    if row.not_before is None or row.not_before < first:
        return 0
    passed = calendar.between(first, calendar.on_or_after(row.not_before))
    return passed - 1 if row.days > 0 else passed


def _nth_workday(number: int, first: date, calendar: WorkCalendar) -> date:
    return calendar.add(first, max(number, 1) - 1)
