"""The value radar: three axes as percentiles, and goals that a customer reaches in time, misses, or still can reach.

A goal has a clock for each customer. It starts on a day of the customer's own (joining, first purchase) and runs for
calendar months: from 31 January, one month ends on 28 or 29 February. The last day counts. Whoever has time left is
open and counts as followed so far, not as failed (Kaplan-Meier).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.core.survival import kaplan_meier
from planlib.customers.segments import percentiles

AXES = ("activity", "spending", "influence")
STATES = ("open", "passed", "missed", "not_started")
_OPEN, _PASSED, _MISSED, _NOT_STARTED = range(4)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a customer is to reach: `needed` events within `months` of the start; None = without an end.

    >>> REPURCHASES
    Goal(name='repurchases', needed=3, months=6)
    """

    name: str
    needed: int
    months: int | None


FIRST_PURCHASE = Goal("first_purchase", 1, 3)  # from joining
REPURCHASES = Goal("repurchases", 3, 6)  # from the first purchase, which is none of the three
INTERACTIONS = Goal("interactions", 1_000, None)  # on all that the customer has published
GOALS = (FIRST_PURCHASE, REPURCHASES, INTERACTIONS)


@dataclass(frozen=True, slots=True)
class Followed:
    """A goal of N customers on one day.

    Attributes:
        goal: the goal.
        state: (N,) place in STATES; not_started where the clock has no start yet.
        counts: (4,) customers by state.
        deadline: (N,) last day that counts, datetime64[D]; NaT without a start or an end.
        days_left: (N,) days to the deadline for those who are open, 0 on the last; -1 where nothing runs.
        pass_rate: share who reach the goal in time, by Kaplan-Meier; None with a reason.
        interval: of it; None where it has none.
        reason: "" or why there is no rate: `no_deadline`, `nobody_started`, `nobody_followed_to_the_end`.
    """

    goal: Goal
    state: np.ndarray
    counts: np.ndarray
    deadline: np.ndarray
    days_left: np.ndarray
    pass_rate: float | None
    interval: Interval | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Radar:
    """Mean percentile on each axis.

    Attributes:
        group: its name.
        customers: how many.
        axes: name -> mean percentile, 0 to 100; 50 is that of all customers. None for an empty group.
    """

    group: str
    customers: int
    axes: Mapping[str, float | None]


def months_after(days: object, months: int) -> np.ndarray:
    """Return (N,) days so many calendar months later, at the latest on the last of the month; NaT stays NaT.

    >>> months_after(np.array(["2027-01-31", "2027-12-05"], dtype="datetime64[D]"), 1)
    array(['2027-02-28', '2028-01-05'], dtype='datetime64[D]')
    """
    guard = Guard()
    day, span = _days(guard, "days", days), guard.whole("months", months, low=0)
    guard.done()
    month = day.astype("datetime64[M]")
    later = month + span
    last = (later + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    same = later.astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
    return np.where(np.isnat(day), day, np.minimum(same, last))


def reached_on(customer: object, day: object, count: object, *, customers: int, needed: int) -> np.ndarray:
    """Return (customers,) day on which each one's counts first add up to what is needed; NaT where they do not.

    Args:
        customer: (E,) place of the customer of each row, 0 to customers - 1.
        day: (E,) datetime64[D]; in any order.
        count: (E,) events of the row, >= 0.
        customers: how many there are.
        needed: events, >= 1.

    >>> rows = np.array(["2027-01-02", "2027-01-05", "2027-01-03"], dtype="datetime64[D]")
    >>> reached_on([0, 0, 1], rows, [1, 2, 9], customers=3, needed=3)
    array(['2027-01-05', '2027-01-03',        'NaT'], dtype='datetime64[D]')
    """
    guard = Guard()
    many, least = guard.whole("customers", customers), guard.whole("needed", needed)
    when = _days(guard, "day", day)
    empty = len(when) == 0
    who = np.zeros(0) if empty else guard.numbers("customer", customer, low=0.0, high=many - 1, ndim=(1,))
    events = np.zeros(0) if empty else guard.numbers("count", count, low=0.0, ndim=(1,))
    for name, figure in (("customer", who), ("count", events)):
        if figure.shape != when.shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {when.shape}")
    if np.isnat(when).any():
        guard.add("missing", f"day[{int(np.isnat(when).argmax())}]")
    guard.done()
    found = np.full(many, np.datetime64("NaT"), dtype="datetime64[D]")
    order = np.lexsort((when, who))
    who, when, total = who[order].astype(int), when[order], events[order].cumsum()
    before = np.append(0.0, total)[np.searchsorted(who, who)]
    done = np.flatnonzero(total - before >= least)
    first, row = np.unique(who[done], return_index=True)
    found[first] = when[done[row]]
    return found


def follow(start: object, reached: object, *, goal: Goal, as_of: object, level: float = 0.95) -> Followed:
    """Say who has reached a goal in time, who has missed it and who still can.

    A goal that was reached before the clock started counts as passed. What happens after `as_of` is not known yet.

    Args:
        start: (N,) datetime64[D] on which the clock starts; NaT = not yet.
        reached: (N,) datetime64[D] of the event that reaches the goal, e.g. the third repurchase; NaT = not yet.
        goal: what, and within how many months.
        as_of: the day of the judgement.
        level: coverage of the interval.

    >>> joined = np.array(["2027-01-10", "2027-03-20", "2027-01-10"], dtype="datetime64[D]")
    >>> bought = np.array(["2027-04-10", "NaT", "2027-04-11"], dtype="datetime64[D]")
    >>> found = follow(joined, bought, goal=FIRST_PURCHASE, as_of="2027-05-19")
    >>> [STATES[state] for state in found.state], found.days_left.tolist()
    (['passed', 'open', 'missed'], [-1, 32, -1])
    """
    guard = Guard()
    begun, done = _days(guard, "start", start), _days(guard, "reached", reached)
    today = _days(guard, "as_of", np.asarray(as_of, dtype="datetime64[D]").reshape(1))[0]
    if begun.shape != done.shape:
        guard.add("shape", "reached", f"shape {done.shape}", expected=f"shape {begun.shape}")
    if len(begun) == 0:
        guard.add("empty", "start")
    if np.isnat(today):
        guard.add("missing", "as_of")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    runs = ~np.isnat(begun) & (begun <= today)
    never = np.full(begun.shape, np.datetime64("NaT"), dtype="datetime64[D]")
    deadline = never if goal.months is None else np.where(runs, months_after(begun, goal.months), never)
    came = ~np.isnat(done) & (done <= today)
    late = came & ~np.isnat(deadline) & (done > deadline)
    passed = runs & came & ~late
    missed = runs & ~passed & ~np.isnat(deadline) & (today > deadline)
    state = np.select([~runs, passed, missed], [_NOT_STARTED, _PASSED, _MISSED], _OPEN).astype(np.int8)
    timed = (state == _OPEN) & ~np.isnat(deadline)
    left = np.where(timed, np.where(timed, deadline - today, np.timedelta64(0, "D")).astype(int), -1)
    rate, band, reason = None, None, "no_deadline"
    if goal.months is not None:
        last = np.where(passed, done, np.where(missed, deadline, today))
        rate, band, reason = _rate(begun[runs], last[runs], deadline[runs], passed[runs], level)
    return Followed(goal, state, np.bincount(state, minlength=4), deadline, left, rate, band, reason)


def radar(axes: Mapping[str, object], group: object, *, groups: int, names: tuple[str, ...]) -> tuple[Radar, ...]:
    """Return the mean percentile of each group on each axis.

    Args:
        axes: name -> (N,) figures, the larger the better: acts, money, interactions on what the customer published.
        group: (N,) place of each customer's group.
        groups: how many there are.
        names: (groups,) of them.

    >>> radar({"activity": [0, 4]}, [0, 1], groups=2, names=("silent", "active"))[1].axes
    {'activity': 75.0}
    """
    guard = Guard()
    many = guard.whole("groups", groups)
    at = guard.numbers("group", group, low=0.0, high=many - 1, ndim=(1,))
    figures = {name: guard.numbers(f"axes.{name}", figure, ndim=(1,)) for name, figure in axes.items()}
    for name, figure in figures.items():
        if figure.shape != at.shape:
            guard.add("shape", f"axes.{name}", f"shape {figure.shape}", expected=f"shape {at.shape}")
    if len(names) != many:
        guard.add("shape", "names", len(names), expected=f"{many} names")
    guard.done()
    place = at.astype(int)
    people = np.bincount(place, minlength=many)
    sums = {name: np.bincount(place, percentiles(figure), many) for name, figure in figures.items()}
    return tuple(
        Radar(name, int(n), {axis: float(total[k] / n) if n else None for axis, total in sums.items()})
        for k, (name, n) in enumerate(zip(names, people, strict=True))
    )


def _days(guard: Guard, field: str, value: object) -> np.ndarray:
    day = np.asarray(value)
    if day.dtype.kind != "M" or day.ndim != 1:
        guard.add("shape", field, f"{day.dtype} {day.shape}", expected="dates (datetime64[D]), 1 axis")
        return np.full(1, np.datetime64("NaT"), dtype="datetime64[D]")
    return day.astype("datetime64[D]")


def _rate(
    begun: np.ndarray, last: np.ndarray, deadline: np.ndarray, passed: np.ndarray, level: float
) -> tuple[float | None, Interval | None, str]:
    """Share who reach the goal by the end of the window, each one's time measured as a part of the own window."""
    if len(begun) == 0:
        return None, None, "nobody_started"
    ended = last >= deadline
    if not passed.any():
        if not ended.any():
            return None, None, "nobody_followed_to_the_end"
        band = wilson(0, int(ended.sum()), level=level)
        return 0.0, Interval(0.0, float(band.high), level), ""
    whole = np.maximum((deadline - begun).astype(int), 1)
    part = np.clip((last - begun).astype(int) / whole, 0.0, 1.0)
    found = kaplan_meier(part, passed, level=level)
    if found.last_day < 1.0 and found.share[-1] > 0:
        return None, None, "nobody_followed_to_the_end"
    band = found.band(1.0)
    return 1.0 - float(found.at(1.0)), Interval(1.0 - float(band.high), 1.0 - float(band.low), level), ""
