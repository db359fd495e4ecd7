"""The compliance checklist by date: what is done, what comes next, what is overdue; also of duties that come again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from planlib.core.guards import Guard

STATES = ("overdue", "due_soon", "open", "done")
SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that has to be done.

    Attributes:
        id, owner: of it.
        due: first due date.
        every_days: how often it comes again; None for once.
        done: days on which it was done.
    """

    id: str
    owner: str
    due: dt.date
    every_days: int | None = None
    done: tuple[dt.date, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A duty on a day.

    Attributes:
        duty: id.
        due: date of the next time; of a duty that is done for good, when it was due.
        state: of `STATES`.
        days: left until due; below 0 it is late by so many.
        kept, counted: times that were done by their date, and times that were due so far.
    """

    duty: str
    due: dt.date
    state: str
    days: int
    kept: int
    counted: int


def checklist(duties: Sequence[Duty], as_of: dt.date, *, soon_days: int = SOON_DAYS) -> tuple[Standing, ...]:
    """Return how every duty stands on a day: overdue first, then by due date.

    The times of a duty that comes again are counted from its first date, whenever it was done: one done early counts
    for the next time that is due, one done late does not move the times after it. What is done after the day is not
    known on it.

    Raises:
        InputError: an id twice, or an interval below a day.

    >>> rows = checklist([Duty("consent", "legal", dt.date(2027, 2, 1))], dt.date(2027, 2, 3))
    >>> rows[0].state, rows[0].days
    ('overdue', -2)
    """
    guard = Guard()
    soon = guard.whole("soon_days", soon_days, low=0, high=3650)
    seen: set[str] = set()
    for place, duty in enumerate(duties):
        if duty.id in seen:
            guard.add("duplicate_id", f"duties[{place}].id", duty.id, first=duty.id)
        seen.add(duty.id)
        if duty.every_days is not None:
            guard.whole(f"duties[{place}].every_days", duty.every_days, low=1, high=3660)
    guard.done()
    found = [_standing(duty, as_of, soon) for duty in duties]
    return tuple(sorted(found, key=lambda row: (STATES.index(row.state), row.due, row.duty)))


def _standing(duty: Duty, as_of: dt.date, soon: int) -> Standing:
    done = sorted(day for day in duty.done if day <= as_of)
    if duty.every_days is None:
        kept = int(bool(done) and done[0] <= duty.due)
        state = "done" if done else _state(duty.due, as_of, soon)
        return Standing(duty.id, duty.due, state, (duty.due - as_of).days, kept, int(duty.due <= as_of or bool(done)))
    times = max((as_of - duty.due).days // duty.every_days + 1, 0)
    kept = sum(day <= duty.due + dt.timedelta(days=duty.every_days * k) for k, day in enumerate(done[:times]))
    due = duty.due + dt.timedelta(days=duty.every_days * len(done))
    return Standing(duty.id, due, _state(due, as_of, soon), (due - as_of).days, kept, times)


def _state(due: dt.date, as_of: dt.date, soon: int) -> str:
    left = (due - as_of).days
    return "overdue" if left < 0 else "due_soon" if left <= soon else "open"
