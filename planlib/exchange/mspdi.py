"""A schedule as MS Project XML (MSPDI), which MS Project, ProjectLibre, GanttProject and MPXJ read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from xml.etree import ElementTree as ET

from planlib.exchange.links import Link

NAMESPACE = "http://schemas.microsoft.com/project"
HOURS = ((dt.time(9), dt.time(12)), (dt.time(13), dt.time(18)))  # of a working day: eight
MINUTES = 480
_MORNING, _EVENING = HOURS[0][0], HOURS[-1][1]
_TYPES = {"FF": 0, "FS": 1, "SF": 2, "SS": 3}
_DAYS, _ELAPSED_DAYS = 7, 8  # DurationFormat and LagFormat
_SOON, _NOT_EARLIER = 0, 4  # ConstraintType


@dataclass(frozen=True, slots=True)
class DayMask:
    """Working days of a calendar.

    Args:
        name: of the calendar.
        first: day of the first entry.
        worked: one entry a day.
    """

    name: str
    first: dt.date
    worked: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Item:
    """A task, or with no days a milestone.

    Args:
        id: of the plan; stands in the file as WBS code.
        name: in one language.
        days: working days, whole.
        start, finish: first and last day.
        links: what it waits for.
        roles: {role: people}.
        calendar: place in the calendars; 0 is the project's.
        not_before, deadline: days.
        done: share 0..1.
        started, finished: days on which it did.
        critical: it moves the end when it slips.
        note: a text.
        group: id of the summary task that it stands under; one that is no group's stands beside them.
        baseline: first and last day in the baseline; None = no baseline.
    """

    id: str
    name: str
    days: int
    start: dt.date
    finish: dt.date
    links: tuple[Link, ...] = ()
    roles: Mapping[str, float] = field(default_factory=dict)
    calendar: int = 0
    not_before: dt.date | None = None
    deadline: dt.date | None = None
    done: float = 0.0
    started: dt.date | None = None
    finished: dt.date | None = None
    critical: bool = False
    note: str = ""
    group: str | None = None
    baseline: tuple[dt.date, dt.date] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A summary task, such as a department: the items that name it stand under it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A role: its name and how many people it has."""

    id: str
    name: str
    people: float


def project_bytes(
    items: Sequence[Item],
    calendars: Sequence[DayMask],
    resources: Sequence[Resource],
    *,
    title: str,
    first_day: dt.date,
    as_of: dt.date,
    groups: Sequence[Group] = (),
) -> bytes:
    """Return the file.

    Args:
        items: in order; those of a group come together.
        calendars: the project's first.
        resources: all that items name.
        title: of the project.
        first_day: of the schedule.
        as_of: status day; the file holds no other clock.
        groups: summary tasks, in order; one without items is left out.
    """
    project = ET.Element("Project", xmlns=NAMESPACE)
    _put(project, "SaveVersion", 14)
    _put(project, "Name", title)
    _put(project, "Title", title)
    _put(project, "ScheduleFromStart", 1)
    _put(project, "StartDate", _at(first_day, _MORNING))
    _put(project, "CalendarUID", 1)
    _put(project, "DefaultStartTime", _MORNING.isoformat())
    _put(project, "DefaultFinishTime", _EVENING.isoformat())
    _put(project, "MinutesPerDay", MINUTES)
    _put(project, "MinutesPerWeek", 5 * MINUTES)
    _put(project, "DaysPerMonth", 20)
    _put(project, "StatusDate", _at(as_of, _EVENING))
    _put(project, "CurrentDate", _at(as_of, _MORNING))
    inside = ET.SubElement(project, "Calendars")
    for uid, calendar in enumerate(calendars, start=1):
        _calendar(inside, uid, calendar)
    uids = {item.id: uid for uid, item in enumerate(items, start=1)}
    inside = ET.SubElement(project, "Tasks")
    for row in _outline(items, groups):
        if isinstance(row.of, Item):
            _task(inside, row, row.of, uids, calendars)
        else:
            _summary(inside, row, len(items) + row.row, row.of, calendars)
    people = {row.id: uid for uid, row in enumerate(resources, start=1)}
    inside = ET.SubElement(project, "Resources")
    for row in resources:
        _resource(inside, people[row.id], row)
    inside = ET.SubElement(project, "Assignments")
    pairs = [(item, role, units) for item in items for role, units in item.roles.items()]
    for uid, (item, role, units) in enumerate(pairs, start=1):
        _assignment(inside, uid, item, uids[item.id], people[role], units)
    ET.indent(project, " ")
    return ET.tostring(project, encoding="utf-8", xml_declaration=True) + b"\n"


def _put(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, name).text = str(value)


def _at(day: dt.date, time: dt.time) -> str:
    return dt.datetime.combine(day, time).isoformat()


def _length(minutes: float) -> str:
    """Return a duration.

    >>> _length(3 * 480 + 30)
    'PT24H30M0S'
    """
    hours, rest = divmod(round(minutes), 60)
    return f"PT{hours}H{rest}M0S"


def _calendar(parent: ET.Element, uid: int, calendar: DayMask) -> None:
    """A week of days, and every day that differs from it as an exception; equal days in a row make one."""
    found = ET.SubElement(parent, "Calendar")
    _put(found, "UID", uid)
    _put(found, "Name", calendar.name)
    _put(found, "IsBaseCalendar", 1)
    _put(found, "BaseCalendarUID", -1)
    days = [(calendar.first + dt.timedelta(days=k), bool(w)) for k, w in enumerate(calendar.worked)]
    week = [_usually([worked for day, worked in days if day.weekday() == weekday]) for weekday in range(7)]
    inside = ET.SubElement(found, "WeekDays")
    for weekday in (6, 0, 1, 2, 3, 4, 5):
        row = ET.SubElement(inside, "WeekDay")
        _put(row, "DayType", (weekday + 1) % 7 + 1)
        _working(row, week[weekday])
    inside = ET.SubElement(found, "Exceptions")
    for first, last, worked in _runs(days, week):
        row = ET.SubElement(inside, "Exception")
        _put(row, "EnteredByOccurrences", 0)
        period = ET.SubElement(row, "TimePeriod")
        _put(period, "FromDate", _at(first, dt.time(0)))
        _put(period, "ToDate", _at(last, dt.time(23, 59)))
        _put(row, "Occurrences", (last - first).days + 1)
        _put(row, "Name", f"{first:%Y-%m-%d}")
        _put(row, "Type", 1)
        _working(row, worked)


def _usually(worked: list[bool]) -> bool:
    return 2 * sum(worked) > len(worked)


def _runs(days: list[tuple[dt.date, bool]], week: list[bool]) -> Iterator[tuple[dt.date, dt.date, bool]]:
    """Yield first day, last day and worked or not of what differs from the usual week."""
    other = [(day, worked) for day, worked in days if worked != week[day.weekday()]]
    for (_, worked), run in groupby(enumerate(other), key=lambda e: (e[1][0].toordinal() - e[0], e[1][1])):
        found = [day for _, (day, _) in run]
        yield found[0], found[-1], worked


def _working(parent: ET.Element, worked: bool) -> None:
    _put(parent, "DayWorking", int(worked))
    if worked:
        times = ET.SubElement(parent, "WorkingTimes")
        for begin, end in HOURS:
            row = ET.SubElement(times, "WorkingTime")
            _put(row, "FromTime", begin.isoformat())
            _put(row, "ToTime", end.isoformat())


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of the outline: number of the row from 1, outline number and level, and the item or a group's items."""

    row: int
    number: str
    level: int
    of: Item | tuple[Group, tuple[Item, ...]]


def _outline(items: Sequence[Item], groups: Sequence[Group]) -> Iterator[_Place]:
    """Yield each group with its items after it, then what belongs to none."""
    known = {group.id for group in groups}
    row, top = 0, 0
    for group in groups:
        inside = tuple(item for item in items if item.group == group.id)
        if not inside:
            continue
        row, top = row + 1, top + 1
        yield _Place(row, str(top), 1, (group, inside))
        for k, item in enumerate(inside, start=1):
            row += 1
            yield _Place(row, f"{top}.{k}", 2, item)
    for item in items:
        if item.group not in known:
            row, top = row + 1, top + 1
            yield _Place(row, str(top), 1, item)


def _head(parent: ET.Element, place: _Place, uid: int, name: str, wbs: str) -> ET.Element:
    row = ET.SubElement(parent, "Task")
    _put(row, "UID", uid)
    _put(row, "ID", place.row)
    _put(row, "Name", name)
    _put(row, "Manual", 0)
    _put(row, "Type", 1)  # its duration is fixed
    _put(row, "IsNull", 0)
    _put(row, "WBS", wbs)
    _put(row, "OutlineNumber", place.number)
    _put(row, "OutlineLevel", place.level)
    _put(row, "Priority", 500)
    return row


def _summary(
    parent: ET.Element, place: _Place, uid: int, of: tuple[Group, tuple[Item, ...]], calendars: Sequence[DayMask]
) -> None:
    """A summary task from the first day of its items to the last; its number is its WBS code."""
    group, items = of
    (start, begin), finish = min((item.start, _begins(item)) for item in items), max(item.finish for item in items)
    days = _worked(calendars[0], start + dt.timedelta(days=begin == _EVENING), finish)
    row = _head(parent, place, uid, group.name, place.number)
    _put(row, "Start", _at(start, begin))
    _put(row, "Finish", _at(finish, _EVENING))
    _put(row, "Duration", _length(days * MINUTES))
    _put(row, "DurationFormat", _DAYS)
    _put(row, "EffortDriven", 0)
    _put(row, "Estimated", 0)
    _put(row, "Milestone", 0)
    _put(row, "Summary", 1)
    _put(row, "Critical", int(any(item.critical for item in items)))
    work = sum(item.days for item in items)
    done = sum(item.done * item.days for item in items)
    _put(row, "PercentComplete", round(100 * done / work) if work else 0)
    _put(row, "ConstraintType", _SOON)
    _put(row, "CalendarUID", -1)
    kept = [(item.baseline, _begins(item)) for item in items if item.baseline is not None]
    if kept:
        (first, begin), last = min((span[0], time) for span, time in kept), max(span[1] for span, _ in kept)
        days = _worked(calendars[0], first + dt.timedelta(days=begin == _EVENING), last)
        _baseline(row, (first, last), begin, days)


def _begins(item: Item) -> dt.time:
    """Return when on its first day an item begins: a milestone in the evening."""
    return _MORNING if item.days else _EVENING


def _task(
    parent: ET.Element, place: _Place, item: Item, uids: Mapping[str, int], calendars: Sequence[DayMask]
) -> None:
    begin = _begins(item)
    row = _head(parent, place, uids[item.id], item.name, item.id)
    _put(row, "Start", _at(item.start, begin))
    _put(row, "Finish", _at(item.finish, _EVENING))
    _put(row, "Duration", _length(item.days * MINUTES))
    _put(row, "DurationFormat", _DAYS)
    _put(row, "EffortDriven", 0)
    _put(row, "Estimated", 0)
    _put(row, "Milestone", int(item.days == 0))
    _put(row, "Summary", 0)
    _put(row, "Critical", int(item.critical))
    _put(row, "PercentComplete", round(100 * item.done))
    if item.started:
        _put(row, "ActualStart", _at(item.started, begin))
    if item.finished:
        _put(row, "ActualFinish", _at(item.finished, _EVENING))
    _put(row, "ActualDuration", _length(item.done * item.days * MINUTES))
    _put(row, "RemainingDuration", _length((1 - item.done) * item.days * MINUTES))
    _put(row, "ConstraintType", _NOT_EARLIER if item.not_before else _SOON)
    _put(row, "CalendarUID", item.calendar + 1 if item.calendar else -1)
    if item.not_before:
        _put(row, "ConstraintDate", _at(item.not_before, begin))
    if item.deadline:
        _put(row, "Deadline", _at(item.deadline, _EVENING))
    if item.note:
        _put(row, "Notes", item.note)
    for link in item.links:
        tie = ET.SubElement(row, "PredecessorLink")
        _put(tie, "PredecessorUID", uids[link.task])
        _put(tie, "Type", _TYPES[link.kind])
        _put(tie, "CrossProject", 0)
        _put(tie, "LinkLag", round(link.lag * 10 * (24 * 60 if link.elapsed else MINUTES)))
        _put(tie, "LagFormat", _ELAPSED_DAYS if link.elapsed else _DAYS)
    if item.baseline is not None:
        _baseline(row, item.baseline, begin, _worked(calendars[item.calendar], *item.baseline) if item.days else 0)


def _baseline(row: ET.Element, span: tuple[dt.date, dt.date], begin: dt.time, days: int) -> None:
    """The first of the eleven baselines that a file can hold."""
    found = ET.SubElement(row, "Baseline")
    _put(found, "Number", 0)
    _put(found, "Start", _at(span[0], begin))
    _put(found, "Finish", _at(span[1], _EVENING))
    _put(found, "Duration", _length(days * MINUTES))
    _put(found, "DurationFormat", _DAYS)


def _worked(calendar: DayMask, first: dt.date, last: dt.date) -> int:
    """Return how many days from first to last are worked."""
    begin = max((first - calendar.first).days, 0)
    return sum(map(bool, calendar.worked[begin : (last - calendar.first).days + 1]))


def _resource(parent: ET.Element, uid: int, resource: Resource) -> None:
    row = ET.SubElement(parent, "Resource")
    _put(row, "UID", uid)
    _put(row, "ID", uid)
    _put(row, "Name", resource.name)
    _put(row, "Type", 1)
    _put(row, "IsNull", 0)
    _put(row, "MaxUnits", f"{resource.people:g}")


def _assignment(parent: ET.Element, uid: int, item: Item, task: int, resource: int, units: float) -> None:
    row = ET.SubElement(parent, "Assignment")
    _put(row, "UID", uid)
    _put(row, "TaskUID", task)
    _put(row, "ResourceUID", resource)
    _put(row, "Finish", _at(item.finish, _EVENING))
    _put(row, "Start", _at(item.start, _MORNING))
    _put(row, "Units", f"{units:g}")
    _put(row, "Work", _length(item.days * MINUTES * units))
