"""Networks of tasks on dates: several calendars, lags in working or elapsed days, not-before dates, over any draws.

Times are elapsed days since the schedule's first day: 0 is its morning, 1.0 its evening, which is also the next
morning. A task works on the days of its own calendar only; a lag in working days counts those of the schedule's. Floats
are in working days of the task's own calendar. A task without days falls on the evening on which what it waits for is
done. Conventions of the passes as in `planlib.milestones.network`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from planlib.core.guards import Guard
from planlib.milestones.calendar import precedence_order
from planlib.milestones.network import KINDS, Passes, checked_durations
from planlib.milestones.workdays import LAST_YEAR, WorkCalendar

LONGEST_DAYS = 10_000
_NEAR = 1e-9
_BLOCK = 2_048  # draws that are worked on at once


@dataclass(frozen=True, slots=True)
class Tie:
    """Something that has to wait for something else.

    Args:
        before: id.
        kind: which ends are tied: FS (finish to start), SS, FF or SF.
        lag: days between the two ends; below 0 they may overlap.
        elapsed: the lag counts days of the calendar, else working days of the schedule.
    """

    before: str
    kind: str = "FS"
    lag: float = 0.0
    elapsed: bool = False


@dataclass(frozen=True, slots=True)
class DatedTask:
    """A piece of work, or with no days a milestone or a gate.

    Args:
        id: name.
        ties: what it waits for.
        not_before: first day on which it may begin, or fall when it takes no days.
        calendar: its working days; None = the schedule's.
    """

    id: str
    ties: tuple[Tie, ...] = ()
    not_before: date | None = None
    calendar: WorkCalendar | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """When a task can and must happen, on whole days.

    Attributes:
        start, finish: first and last day of work as soon as possible; the same for what takes no days.
        late_start, late_finish: as late as the end allows.
        total_float, free_float: working days.
        binding: id of what it waits for last; None when its own first day or the schedule's decides.
    """

    id: str
    start: date
    finish: date
    late_start: date
    late_finish: date
    total_float: float
    free_float: float
    binding: str | None

    @property
    def critical(self) -> bool:
        """It moves the end when it slips."""
        return self.total_float < 0.5


class _Line:
    """The working days of a calendar as a line on which work can be measured."""

    def __init__(self, mask: np.ndarray) -> None:
        self._worked = mask.astype(float)
        self._before = np.concatenate([[0.0], np.cumsum(self._worked)])
        self._days = np.flatnonzero(mask)

    def work(self, time: np.ndarray) -> np.ndarray:
        """Working days that are over at a time."""
        day = np.clip(np.floor(time + _NEAR).astype(np.int64), 0, len(self._worked) - 1)
        return self._before[day] + np.maximum(time - day, 0.0) * self._worked[day]

    def evening(self, work: np.ndarray) -> np.ndarray:
        """The soonest time at which so many working days are over."""
        day = np.ceil(work - _NEAR).astype(np.int64) - 1
        inside = np.clip(day, 0, len(self._days) - 1)
        return np.where(day < 0, np.minimum(work, 0.0), self._days[inside] + (work - inside))

    def morning(self, work: np.ndarray) -> np.ndarray:
        """The latest time at which no more working days are over: where the next bit of work begins."""
        day = np.clip(np.floor(work + _NEAR).astype(np.int64), 0, len(self._days) - 1)
        return np.where(work < 0, work, self._days[day] + np.maximum(work - day, 0.0))


class DatedNetwork:
    """Tasks on calendars, checked and put in order once; what `simulate` can draw.

    Args:
        tasks: in any order.
        first_day: of the schedule.
        calendar: its working days.

    Attributes:
        tasks: ids in the given order.

    Raises:
        InputError: no tasks, ids given twice or unknown, a task tied to itself, ties in a circle (its tasks are
            named), an unknown kind, a lag that is not finite or too long; all at once, circles last.

    >>> plan = [DatedTask("tags"), DatedTask("tools", (Tie("tags"),))]
    >>> [str(t.finish) for t in DatedNetwork(plan, date(2026, 2, 12), WorkCalendar()).dates([2, 3])]
    ['2026-02-13', '2026-02-25']
    """

    def __init__(self, tasks: Iterable[DatedTask], first_day: date, calendar: WorkCalendar) -> None:
        self._rows = tuple(tasks)
        self.tasks = tuple(row.id for row in self._rows)
        self.first_day, self._calendar = first_day, calendar
        self._place = {}
        guard = Guard()
        if not self._rows:
            guard.add("empty", "tasks")
        for k, name in enumerate(self.tasks):
            if name in self._place:
                guard.add("duplicate_id", f"tasks[{k}].id", name, first=f"tasks[{self._place[name]}]")
            self._place.setdefault(name, k)
        for row in self._rows:
            for tie in row.ties:
                guard.choice(f"{row.id}.{tie.before}.kind", tie.kind, KINDS)
                guard.number(f"{row.id}.{tie.before}.lag", tie.lag, low=-LONGEST_DAYS, high=LONGEST_DAYS)
                if tie.before not in self._place:
                    guard.add("unknown_ref", f"{row.id}.after", tie.before, choice=", ".join(self._place))
        guard.done()
        waits = {row.id: [tie.before for tie in row.ties] for row in self._rows}
        self._order = [self._place[name] for name in precedence_order(waits)]
        self._out: list[list[tuple[int, Tie]]] = [[] for _ in self._rows]
        for k, row in enumerate(self._rows):
            for tie in row.ties:
                self._out[self._place[tie.before]].append((k, tie))
        self._length = 0

    def passes(self, days: object) -> Passes:
        """Return early and late times and floats.

        Args:
            days: (N,) or (N, D) working days of each task, >= 0; parts of days count as such.

        Raises:
            InputError: a wrong shape, a duration below 0, too long or not finite, or the calendar ends.
        """
        d = checked_durations(self.tasks, "days", days, high=LONGEST_DAYS)
        whole = d if d.ndim == 2 else d[:, None]
        self._reach(whole)
        n, draws = whole.shape
        found = [np.empty((n, draws)) for _ in range(6)]
        end = np.empty(draws)
        for first in range(0, draws, _BLOCK):
            part = slice(first, min(first + _BLOCK, draws))
            block = np.ascontiguousarray(whole[:, part])
            start, finish = self._forward(block)
            end[part] = finish.max(axis=0)
            late = self._backward(block, start, finish, end[part])
            for into, values in zip(found, (start, finish, *late), strict=True):
                into[:, part] = values
        if d.ndim == 1:
            return Passes(*(x[:, 0] for x in found), end[0])
        return Passes(*found, end)

    def end(self, days: object) -> np.ndarray:
        """Return the end alone, () or (D,): the forward pass of `passes`."""
        d = checked_durations(self.tasks, "days", days, high=LONGEST_DAYS)
        whole = d if d.ndim == 2 else d[:, None]
        self._reach(whole)
        found = np.concatenate(
            [self._forward(whole[:, k : k + _BLOCK])[1].max(axis=0) for k in range(0, whole.shape[1], _BLOCK)]
        )
        return found if d.ndim == 2 else found[0]

    def finishes(self, days: object) -> np.ndarray:
        """Return (N, D) early finishes alone: the forward pass of `passes`.

        Args:
            days: (N, D) as for `passes`.
        """
        d = checked_durations(self.tasks, "days", days, high=LONGEST_DAYS)
        self._reach(d)
        return self._forward(d)[1]

    def dates(self, days: Sequence[float]) -> tuple[Dates, ...]:
        """Return the dates of one set of durations; a part of a day takes the whole day.

        Args:
            days: (N,) working days, >= 0.
        """
        whole = np.ceil(checked_durations(self.tasks, "days", days, high=LONGEST_DAYS) - _NEAR)
        found = self.passes(whole)
        rows = []
        for k, row in enumerate(self._rows):
            one = [float(x[k]) for x in (found.early_start, found.early_finish, found.late_start, found.late_finish)]
            finish, last = self.day(one[1]), self.day(one[3])
            begin, late = (self.first_day + timedelta(days=int(np.floor(x + _NEAR))) for x in (one[0], one[2]))
            if whole[k] == 0:
                begin, late = finish, last
            floats = (float(found.total_float[k]), float(found.free_float[k]))
            rows.append(Dates(row.id, begin, finish, late, last, *floats, self._binding(k, whole, found)))
        return tuple(rows)

    def row(self, task: str) -> DatedTask:
        """Return a task as it was given."""
        return self._rows[self._place[task]]

    def calendar_of(self, task: str) -> WorkCalendar:
        """Return the working days of a task."""
        return self._rows[self._place[task]].calendar or self._calendar

    def held(self, work: Mapping[str, float]) -> DatedNetwork:
        """Return the network in which tasks begin no sooner than so many working days of the schedule are over.

        Args:
            work: {task: working days, >= 0}; tasks left out are not held.
        """
        rows = []
        for row in self._rows:
            day = self._calendar.add(self._calendar.on_or_after(self.first_day), int(work.get(row.id, 0)))
            rows.append(replace(row, not_before=max(day, row.not_before or day)) if work.get(row.id, 0) > 0 else row)
        return DatedNetwork(rows, self.first_day, self._calendar)

    def day(self, time: float) -> date:
        """Return the day on whose evening, or during which, a time lies: the day of a finish."""
        if time <= _NEAR:
            return self._calendar.on_or_after(self.first_day)
        return self.first_day + timedelta(days=int(np.ceil(time - _NEAR)) - 1)

    def evening(self, day: date) -> float:
        """Return the time of a day's evening, e.g. of a due day."""
        return float((day - self.first_day).days + 1)

    def _binding(self, k: int, days: np.ndarray, found: Passes) -> str | None:
        """What the start waits for last: the tie that alone asks for so late a start, if the first day does not."""
        line = self._lines[k]
        start = line.work(found.early_start[k : k + 1])
        floor = self._floor(k, bool(days[k]))
        best: tuple[float, str] | None = None
        for tie in self._rows[k].ties:
            i = self._place[tie.before]
            asked = line.work(self._asked(tie, found.early_start[i : i + 1], found.early_finish[i : i + 1], k, days[k]))
            if best is None or asked[0] > best[0] + _NEAR:
                best = (float(asked[0]), tie.before)
        if best is None or best[0] < float(start[0]) - 1e-6 or best[0] <= float(line.work(np.array([floor]))[0]):
            return None
        return best[1]

    def _reach(self, days: np.ndarray) -> None:
        """Lay out the calendars as far as the slowest draw can need them."""
        ties = [tie for row in self._rows for tie in row.ties]
        floors = [(row.not_before - self.first_day).days for row in self._rows if row.not_before]
        need = float(days.max(axis=1).sum()) + sum(abs(tie.lag) for tie in ties) + max([0, *floors]) + 5
        calendars = {id(c): c for c in (self._calendar, *(row.calendar or self._calendar for row in self._rows))}
        most = (date(LAST_YEAR, 12, 31) - self.first_day).days
        length = max(self._length, min(int(need * 1.6) + 60, most))
        if length == self._length:
            return
        while True:
            last = self.first_day + timedelta(days=length - 1)
            masks = {key: c.mask(self.first_day, last) for key, c in calendars.items()}
            if all(mask.sum() >= need for mask in masks.values()) or length >= most:
                break
            length = min(2 * length, most)
        guard = Guard()
        if not all(mask.any() for mask in masks.values()):
            guard.add("no_workdays", "calendar", first=self.first_day, last=last)
        elif need > most:
            guard.add("at_most", "days", f"{need:g}", high=most)
        guard.done()
        made = {key: _Line(mask) for key, mask in masks.items()}
        self._base = made[id(self._calendar)]
        self._lines = [made[id(row.calendar or self._calendar)] for row in self._rows]
        self._length = length

    def _floor(self, k: int, works: bool) -> float:
        day = self._rows[k].not_before
        if day is None or day < self.first_day:
            return 0.0
        return float((day - self.first_day).days) if works else self.evening(self._calendar.on_or_after(day))

    def _lagged(self, time: np.ndarray, tie: Tie) -> np.ndarray:
        if tie.lag == 0:
            return time
        return time + tie.lag if tie.elapsed else self._base.evening(self._base.work(time) + tie.lag)

    def _asked(self, tie: Tie, start: np.ndarray, finish: np.ndarray, k: int, days: np.ndarray) -> np.ndarray:
        """The start of task k that a tie asks for."""
        end = self._lagged(start if tie.kind[0] == "S" else finish, tie)
        if tie.kind[1] == "S":
            return end
        line = self._lines[k]
        return np.where(days > 0, line.morning(line.work(end) - days), end)

    def _forward(self, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, finish = np.empty(d.shape), np.empty(d.shape)
        for k in self._order:
            line, works = self._lines[k], d[k] > 0
            ready = np.where(works, self._floor(k, True), self._floor(k, False))
            for tie in self._rows[k].ties:
                i = self._place[tie.before]
                ready = np.maximum(ready, self._asked(tie, start[i], finish[i], k, d[k]))
            work = line.work(ready)
            start[k] = np.where(works, line.morning(work), ready)
            finish[k] = np.where(works, line.evening(work + d[k]), ready)
        return start, finish

    def _backward(
        self, d: np.ndarray, start: np.ndarray, finish: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        late, last = np.empty(d.shape), np.empty(d.shape)
        total, free = np.empty(d.shape), np.empty(d.shape)
        base = self._base
        for i in reversed(self._order):
            line = self._lines[i]
            latest = end.copy()
            room = base.work(end) - base.work(finish[i])
            for k, tie in self._out[i]:
                must, now = (late[k], start[k]) if tie.kind[1] == "S" else (last[k], finish[k])
                own = start[i] if tie.kind[0] == "S" else finish[i]
                if tie.elapsed:
                    must = must - tie.lag
                    slack = base.work(now - tie.lag) - base.work(own)
                else:
                    must = base.morning(base.work(must) - tie.lag) if tie.lag else must
                    slack = base.work(now) - tie.lag - base.work(own)
                if tie.kind[0] == "S":  # the latest finish that goes with the latest morning it may begin on
                    begin = line.work(must)
                    rests = line.morning(begin) > must + _NEAR
                    begin = np.where(rests, np.maximum(begin - 1, line.work(start[i])), begin)
                    must = line.evening(begin + d[i])
                latest = np.minimum(latest, must)
                room = np.minimum(room, slack)
            work = line.work(latest) - d[i]
            works = d[i] > 0
            last[i] = np.where(works, line.evening(line.work(latest)), latest)
            late[i] = np.where(works, line.morning(work), latest)
            total[i] = np.maximum(work - line.work(start[i]), 0.0)
            free[i] = np.clip(room, 0.0, total[i])
        return late, last, total, free


def chain(dates: Iterable[Dates], last: str | None = None) -> tuple[str, ...]:
    """Return the ids that decide when `last` is done, from the first on: its critical chain.

    Args:
        dates: of all tasks.
        last: id; None = the one that is done last.

    Raises:
        InputError: no dates, or the id is unknown.
    """
    by_id = {row.id: row for row in dates}
    guard = Guard()
    if not by_id:
        guard.add("empty", "dates")
    elif last is not None and last not in by_id:
        guard.add("unknown_ref", "last", last, choice=", ".join(by_id))
    guard.done()
    path = [max(by_id, key=lambda name: by_id[name].finish) if last is None else last]
    while (before := by_id[path[-1]].binding) is not None:
        path.append(before)
    return tuple(reversed(path))


def frozen_calendar(calendar: WorkCalendar, spans: Iterable[tuple[date, date]]) -> WorkCalendar:
    """Return a calendar on which the days of some spans are not worked, as in a promotion freeze."""
    off: dict[date, bool] = dict(calendar.overrides)
    for first, last in spans:
        off.update({first + timedelta(days=k): False for k in range((last - first).days + 1)})
    return WorkCalendar(off, calendar.confirmed_years)


