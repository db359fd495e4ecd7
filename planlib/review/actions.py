"""The log of actions: who does what by when, whether it is done, and what it was to bring and has brought."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

STATES = ("overdue", "open", "done", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action.

    Attributes:
        id, owner: of it.
        opened, due: dates.
        ended: when it was done or dropped, None while it is open.
        dropped: whether it was given up.
        metric: what it is to move.
        expected: by how much, in the metric's unit; None where nobody said.
        observed, low, high: by how much it did, and its interval; None while it is not measured.
        experiment: the test that says so; "" without one.
        reason: why it was closed without a test; "" where there is none.
    """

    id: str
    owner: str
    opened: dt.date
    due: dt.date
    ended: dt.date | None = None
    dropped: bool = False
    metric: str = ""
    expected: float | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None
    experiment: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """An action on a day.

    Attributes:
        action: it.
        state: of `STATES`.
        days: left until due; below 0 it is late, or was done so many days too late.
        loop_days: from opening to the end; None while open.
        verdict: as_expected (the interval, or half to double, holds what was expected), less, more, opposite,
            not_measured or no_expectation.
    """

    action: Action
    state: str
    days: int
    loop_days: int | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Learned:
    """What the log teaches.

    Attributes:
        closed, on_time: actions done, and those done by their date.
        hits: done and measured actions that moved their metric the way they were to, out of `measured`.
        hit_interval: Wilson; None while nothing was measured.
        calibration: mean of observed over expected of the measured actions; None while nothing was measured. Below 1
            promises are too large.
        loop_days: median from opening to done; None while nothing is done.
    """

    closed: int
    on_time: int
    measured: int
    hits: int
    hit_interval: Interval | None
    calibration: float | None
    loop_days: float | None


def follow(actions: Sequence[Action], as_of: dt.date) -> tuple[Followed, ...]:
    """Return how every action stands on a day: overdue first, then by due date; what came after the day is not known.

    Raises:
        InputError: an id twice, an end before the beginning, or an action closed without a test and without a reason.

    >>> found = follow([Action(id="a", owner="x", opened=dt.date(2027, 3, 1), due=dt.date(2027, 3, 8))],
    ...                dt.date(2027, 3, 10))
    >>> found[0].state, found[0].days
    ('overdue', -2)
    """
    guard = Guard()
    seen: set[str] = set()
    for place, one in enumerate(actions):
        at = f"actions[{place}]"
        if one.id in seen:
            guard.add("duplicate_id", f"{at}.id", one.id, first=one.id)
        seen.add(one.id)
        for name in ("due", "ended"):
            day = getattr(one, name)
            if day is not None and day < one.opened:
                guard.add("end_before_start", f"{at}.{name}", str(day))
        if one.ended and not one.experiment and not one.reason:
            guard.add("missing", f"{at}.reason")
        for name in ("expected", "observed", "low", "high"):
            if getattr(one, name) is not None:
                guard.number(f"{at}.{name}", getattr(one, name))
    guard.done()
    found = [_followed(one, as_of) for one in actions if one.opened <= as_of]
    return tuple(sorted(found, key=lambda row: (STATES.index(row.state), row.action.due, row.action.id)))


def learned(rows: Sequence[Followed]) -> Learned:
    """Return what the actions so far teach about promises."""
    done = [row for row in rows if row.state == "done"]
    told = [row.action for row in done if row.verdict not in ("not_measured", "no_expectation")]
    ratios = np.array([one.observed / one.expected for one in told])
    hits = int((ratios > 0).sum())
    loops = [row.loop_days for row in done]
    return Learned(
        len(done),
        sum(row.days >= 0 for row in done),
        len(told),
        hits,
        wilson(hits, len(told)) if told else None,
        float(ratios.mean()) if told else None,
        float(np.median(loops)) if loops else None,
    )


def _followed(one: Action, as_of: dt.date) -> Followed:
    if one.ended is None or one.ended > as_of:
        state = "overdue" if as_of > one.due else "open"
        return Followed(one, state, (one.due - as_of).days, None, _verdict(one, False))
    state = "dropped" if one.dropped else "done"
    return Followed(
        one, state, (one.due - one.ended).days, (one.ended - one.opened).days, _verdict(one, state == "done")
    )


def _verdict(one: Action, done: bool) -> str:
    if not one.expected:
        return "no_expectation"
    if one.observed is None or not done:
        return "not_measured"
    if one.observed * one.expected <= 0:
        return "opposite"
    if one.low is not None and one.high is not None and one.low <= one.expected <= one.high:
        return "as_expected"
    share = one.observed / one.expected
    if (one.low is None or one.high is None) and 0.5 <= share <= 2.0:
        return "as_expected"
    return "less" if share < 1 else "more"
