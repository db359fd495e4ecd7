"""Month numbers as dates, outcomes against what enables them, and the shape of a Gantt chart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard
from planlib.milestones.workdays import LAST_YEAR, WorkCalendar

KINDS = ("stage", "task", "milestone", "gate")


@dataclass(frozen=True, slots=True)
class PlanMonth:
    """One month of a plan: its dates, its first and last working day, its working days."""

    month: int
    first: date
    last: date
    first_workday: date
    last_workday: date
    workdays: int
    provisional: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One row for a Gantt chart: kind stage, task, milestone or gate; lane = department."""

    id: str
    kind: str
    lane: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Bar:
    """An item with its place: row counts from 0 over the whole chart; both dates included."""

    id: str
    kind: str
    lane: str
    row: int
    start: date
    end: date
    workdays: int
    provisional: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A department's rows: first_row .. first_row + rows - 1."""

    id: str
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Gantt:
    """Bars and lanes of a chart from first to last date; month_starts are the ticks."""

    bars: tuple[Bar, ...]
    lanes: tuple[Lane, ...]
    first: date
    last: date
    month_starts: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """An outcome or an enabling task that the plan dates to the end of a month.

    Args:
        id: name.
        due_month: month at whose end it is due, >= 0; "from the start of month 5" is 4.
        after: ids of what has to be finished before it can begin to work.
        effect_lag_months: from the last of these to the effect, >= 0.
        window_months: length of the window in which the effect is measured, >= 0.
    """

    id: str
    due_month: float
    after: tuple[str, ...] = ()
    effect_lag_months: float = 0.0
    window_months: float = 0.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A node's stated month beside the earliest month that what enables it allows.

    `slack_months` is due_month - earliest_month: negative = promised too early.
    `binding` is the enabler that finishes last, None when there is none.
    """

    id: str
    due_month: float
    earliest_month: float
    slack_months: float
    binding: str | None


def plan_month(start: str, month: int, calendar: WorkCalendar) -> PlanMonth:
    """Return the dates of a plan's month.

    Args:
        start: month 1 as "YYYY-MM".
        month: number of the month, >= 1.
        calendar: the working days.

    Raises:
        InputError: start is no month, the month is not whole or too far, or it has no working day.

    >>> plan_month("2026-01", 2, WorkCalendar()).last_workday
    datetime.date(2026, 2, 28)
    """
    guard = Guard()
    index = _month_index(guard, start) + guard.whole("month", month) - 1
    if index // 12 >= LAST_YEAR:
        guard.add("out_of_range", "month", month, low=1, high=f"the end of {LAST_YEAR - 1}")
    guard.done()
    first = date(index // 12, index % 12 + 1, 1)
    last = date((index + 1) // 12, (index + 1) % 12 + 1, 1) - timedelta(days=1)
    worked = np.flatnonzero(calendar.mask(first, last))
    if worked.size == 0:
        guard.add("no_workdays", "calendar", first=first, last=last)
        guard.done()
    return PlanMonth(
        month=int(month),
        first=first,
        last=last,
        first_workday=first + timedelta(days=int(worked[0])),
        last_workday=first + timedelta(days=int(worked[-1])),
        workdays=int(worked.size),
        provisional=calendar.any_provisional(first, last),
    )


def plan_months(start: str, months: int, calendar: WorkCalendar) -> tuple[PlanMonth, ...]:
    """Return all months of a plan; see `plan_month`.

    >>> [m.workdays for m in plan_months("2026-01", 3, WorkCalendar())]
    [21, 16, 22]
    """
    guard = Guard()
    horizon = guard.whole("months", months, high=1200)
    guard.done()
    return tuple(plan_month(start, month, calendar) for month in range(1, horizon + 1))


def month_of(start: str, day: date) -> int:
    """Return the number of the plan's month that a day is in; below 1 before the start.

    >>> month_of("2027-01", date(2028, 3, 31))
    15
    """
    guard = Guard()
    index = _month_index(guard, start)
    guard.done()
    return day.year * 12 + day.month - 1 - index + 1


def stage_item(id: str, lane: str, months: tuple[int, int], start: str, calendar: WorkCalendar) -> Item:
    """Make a stage's row from its first and last month: first to last date of these months.

    >>> stage_item("foundation", "technology", (1, 2), "2026-01", WorkCalendar()).end
    datetime.date(2026, 2, 28)
    """
    guard = Guard()
    if months[1] < months[0]:
        guard.add("low_above_high", id, list(months))
    guard.done()
    first, last = (plan_month(start, month, calendar) for month in months)
    return Item(id, "stage", lane, first.first, last.last)


def milestone_item(
    id: str, lane: str, month: int, start: str, calendar: WorkCalendar, *, kind: str = "milestone"
) -> Item:
    """Make a milestone's (or gate's) row from its month: it is due on the month's last working day.

    >>> milestone_item("tools", "technology", 1, "2026-02", WorkCalendar()).start
    datetime.date(2026, 2, 28)
    """
    due = plan_month(start, month, calendar).last_workday
    return Item(id, kind, lane, due, due)


def gantt(items: Iterable[Item], calendar: WorkCalendar, *, lanes: Sequence[str] | None = None) -> Gantt:
    """Place items in lanes so that no two bars of one row overlap.

    Args:
        items: rows to place, at least one.
        calendar: the working days.
        lanes: order of the lanes; those not named follow in order of appearance.

    Returns:
        Gantt. In a lane each item takes the first row that is free at its start, the
        earlier item first.

    Raises:
        InputError: no item, an id twice, an unknown kind, or an end before its start.

    >>> chart = gantt([Item("a", "task", "x", date(2026, 3, 2), date(2026, 3, 6))], WorkCalendar())
    >>> chart.bars[0].workdays
    5
    """
    rows = tuple(items)
    _check_items(rows)
    found = list(dict.fromkeys([*(lanes or ()), *(item.lane for item in rows)]))
    bars: list[Bar] = []
    placed: list[Lane] = []
    next_row = 0
    for name in found:
        members = sorted((i for i in rows if i.lane == name), key=lambda i: (i.start, i.end))
        if not members:
            continue
        ends: list[date] = []
        for item in members:
            row = next((r for r, end in enumerate(ends) if end < item.start), len(ends))
            ends[row : row + 1] = [item.end]
            bars.append(
                Bar(item.id, item.kind, name, next_row + row, item.start, item.end,
                    calendar.between(item.start, item.end), calendar.any_provisional(item.start, item.end))
            )
        placed.append(Lane(name, next_row, len(ends)))
        next_row += len(ends)
    first, last = min(i.start for i in rows), max(i.end for i in rows)
    return Gantt(tuple(bars), tuple(placed), first, last, _month_starts(first, last))


def _check_items(rows: Sequence[Item]) -> None:
    guard = Guard()
    if not rows:
        guard.add("empty", "items")
    seen: dict[str, int] = {}
    for k, item in enumerate(rows):
        if item.id in seen:
            guard.add("duplicate_id", f"items[{k}].id", item.id, first=f"items[{seen[item.id]}]")
        seen.setdefault(item.id, k)
        guard.choice(f"items[{k}].kind", item.kind, KINDS)
        if item.end < item.start:
            guard.add("end_before_start", f"items[{k}].end", str(item.end))
    guard.done()


def _month_starts(first: date, last: date) -> tuple[date, ...]:
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return tuple(date(m // 12, m % 12 + 1, 1) for m in months)


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


def stage_finish(durations_months: Sequence[float]) -> float:
    """Return the month in which stages that follow one another finish.

    >>> stage_finish([2, 2, 4, 4])
    12.0
    """
    guard = Guard()
    lengths = guard.numbers("durations_months", list(durations_months), low=0.0, ndim=(1,))
    guard.done()
    return float(lengths.sum())


def all_on_time(probabilities: Sequence[float]) -> float:
    """Return the probability that all of several independent dates are kept.

    >>> round(all_on_time([0.95] * 12), 3)
    0.54
    """
    guard = Guard()
    each = guard.share("probabilities", list(probabilities), ndim=(1,))
    guard.done()
    return float(each.prod())


def precedence_order(after: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the ids in an order in which everything comes after what it depends on.

    Args:
        after: {id: ids that come before it}; each of these is a key too.

    Raises:
        InputError: an id is unknown (`unknown_ref`), or the links go in a circle (`cycle`,
            with the ids of one circle).

    >>> precedence_order({"tools": ["tags"], "tags": []})
    ('tags', 'tools')
    """
    guard = Guard()
    for name, before in after.items():
        for other in before:
            if other not in after:
                guard.add("unknown_ref", f"{name}.after", other, choice=", ".join(after))
    guard.done()
    order: list[str] = []
    waiting = {name: set(before) for name, before in after.items()}
    while waiting:
        ready = [name for name, before in waiting.items() if not before]
        if not ready:
            chain = " -> ".join(_circle(waiting))
            raise InputError(Problem(code="cycle", field="after", given=chain, values={"chain": chain}))
        order += ready
        for name in ready:
            del waiting[name]
        for before in waiting.values():
            before.difference_update(ready)
    return tuple(order)


def _circle(waiting: Mapping[str, set[str]]) -> list[str]:
    """Walk back from link to link until an id comes again; first to last in working order."""
    path = [next(iter(waiting))]
    while True:
        before = min(waiting[path[-1]])
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)


def reconcile(nodes: Iterable[Node]) -> tuple[Reconciled, ...]:
    """Compare each stated month with the earliest month that what enables it allows.

    Earliest month = last finish of the enablers + effect lag + measurement window, all at
    month ends; an enabler finishes at its stated month, or later when its own enablers do.
    A node that nothing enables is believed.

    Args:
        nodes: outcomes and enabling tasks.

    Returns:
        One Reconciled for each node, in the given order.

    Raises:
        InputError: an id twice or unknown, a circle, or a negative or infinite month.

    >>> reconcile([Node("tools", 5), Node("conversion", 4, after=("tools",))])[1].slack_months
    -1.0
    """
    rows = tuple(nodes)
    guard = Guard()
    by_id: dict[str, Node] = {}
    for k, node in enumerate(rows):
        if node.id in by_id:
            guard.add("duplicate_id", f"nodes[{k}].id", node.id, first=node.id)
        by_id[node.id] = node
        for name in ("due_month", "effect_lag_months", "window_months"):
            guard.number(f"{node.id}.{name}", getattr(node, name), low=0.0)
    guard.done()
    finish: dict[str, float] = {}
    results: dict[str, Reconciled] = {}
    for name in precedence_order({node.id: node.after for node in rows}):
        node = by_id[name]
        binding = max(node.after, key=lambda other: finish[other], default=None)
        earliest = float(node.due_month)
        if binding is not None:
            earliest = finish[binding] + node.effect_lag_months + node.window_months
        finish[name] = max(float(node.due_month), earliest)
        results[name] = Reconciled(name, float(node.due_month), earliest, node.due_month - earliest, binding)
    return tuple(results[node.id] for node in rows)


def earliest_report_month(cohort_month: int, window_months: int) -> int:
    """Return the first month at whose end a whole monthly cohort has been seen for a window.

    >>> earliest_report_month(5, 6)
    11
    """
    guard = Guard()
    month = guard.whole("cohort_month", cohort_month)
    window = guard.whole("window_months", window_months, low=0)
    guard.done()
    return month + window


def _month_index(guard: Guard, start: str) -> int:
    """Months since year 0."""
    text = str(start)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        guard.add("date", "start", start, form="2027-01")
        return 2000 * 12
    year, month = (int(part) for part in text.split("-"))
    if not 1950 <= year < LAST_YEAR:
        guard.add("out_of_range", "start", start, low=1950, high=LAST_YEAR - 1)
        return 2000 * 12
    return year * 12 + month - 1
