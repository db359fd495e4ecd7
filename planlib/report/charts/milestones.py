"""Charts of the milestone notebook: the schedule by department, each date against its earliest, the year on a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from planlib.core.words import Words
from planlib.report.charts.base import (
    BLUE,
    BLUES,
    BODY,
    GRID,
    INK,
    INK2,
    INK3,
    LIVE,
    PANEL,
    RED,
    RULE,
    SCHEDULE,
    STRIP,
    TEAL,
    WHITE,
    canvas,
    fit_lines,
    month_days,
    on_fill,
    panel,
    segment,
    spread,
    styled,
    target,
    width_of,
    write,
)

MOST_ROWS = 40
MOST_DATES = 14
MOST_MONTHS = 12
CRITICAL = "#98A2AC"

_HEAD = 36.0  # height of stage strip and month row
_FOOT = 12.0  # height of the word under the line of today
_RIGHT = 9.0  # half a gate stands beyond the last month
_LANE = 78.0
_NUMBER = 22.0
_ALONE = (0.17, 0.83)  # top and bottom of a bar in its row
_BESIDE_BASELINE = (0.08, 0.64)
_BASELINE = (0.70, 0.90)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage on the calendar: plan months first to last, both included."""

    name: Mapping[str, str]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """A task or a milestone.

    Args:
        number: shown at the name and at the bar.
        name: in both languages.
        lane: index of its department.
        start, finish: first and last day; of a milestone its due day twice.
        milestone: drawn as a diamond.
        critical: on the chain that decides the end.
        late_until: earliest day of a milestone that comes too late; None for all else.
        after: number of the critical row that it follows directly.
        done: share of the work that is done.
        baseline: first and last day in the baseline, where they differ; None where they do not.
    """

    number: int
    name: Mapping[str, str]
    lane: int
    start: dt.date
    finish: dt.date
    milestone: bool = False
    critical: bool = False
    late_until: dt.date | None = None
    after: int | None = None
    done: float = 0.0
    baseline: tuple[dt.date, dt.date] | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: the label inside its diamond, the day it is due, and the earliest day when that is later."""

    label: str
    due: dt.date
    late_until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A department and how many tasks it has."""

    name: Mapping[str, str]
    tasks: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the schedule page shows.

    Args:
        start: plan month 1, YYYY-MM.
        months: how many are shown.
        stages: those with months, in order.
        lanes: departments, in order.
        rows: at most MOST_ROWS, lane by lane.
        gates: those with a due day, in order.
        today: as-of day; drawn only where it lies inside.
    """

    start: str
    months: int
    stages: Sequence[Stage]
    lanes: Sequence[Lane]
    rows: Sequence[Row]
    gates: Sequence[Gate]
    today: dt.date


@styled
def schedule(data: Schedule, words: Words) -> Figure:
    """Draw a Gantt chart: departments as lanes, gates in the month row, links along the critical chain.

    Once anything moved against the baseline, or is done, bars are narrower and have it below and in them.
    """
    figure = canvas(LIVE, SCHEDULE)
    names = [width_of(words.pick(row.name), 8, "Bold") for row in data.rows]
    left = min(max(150.0, _LANE + _NUMBER + max(names, default=0.0) + 14), 400.0)
    count = len(data.rows)
    axis = _Calendar(data.start, data.months)
    inside = axis.first < data.today < axis.day(axis.length)
    pitch = min(16.0, (SCHEDULE - _HEAD - 2 - _FOOT * inside) / max(count, 1))
    ax = panel(figure, left, _HEAD, LIVE - _RIGHT - left, pitch * count, xlim=(0, axis.length), ylim=(count, 0))
    _lanes(figure, data, words, pitch)
    _months(figure, ax, axis, words, centre=25.0)
    _strip(figure, ax, axis, data.stages, words, top=0.0, height=15.0)
    _names(figure, data, words, pitch)
    links = _links_of(axis, data.rows, axis.length / (LIVE - _RIGHT - left))
    moved = any(row.baseline for row in data.rows)
    bar = _BESIDE_BASELINE if moved else _ALONE
    for k, row in enumerate(data.rows):
        _bar_number(ax, words, row, k, _row(ax, axis, row, k, bar), links, bar)
        _baseline(ax, axis, row, k)
    for link in links:
        _draw_link(ax, link, pitch, bar)
    _gates(figure, ax, axis, data.gates)
    if inside:
        _today(figure, ax, axis.x(data.today), words.text("charts.today", date=words.date(data.today)), pitch * count)
    marks = ["other", *(["critical"] if any(row.critical for row in data.rows) else []), "due", "late"]
    marks += [name for name, drawn in (("done", any(row.done for row in data.rows)), ("baseline", moved)) if drawn]
    _legend(figure, words, marks, left)
    return figure


def _today(figure: Figure, ax: Axes, x: float, text: str, height: float) -> None:
    """Draw the line of the as-of day with its word below the rows, where no bar is."""
    left, width = _span(ax)
    ax.axvline(x, color=RED, linewidth=1.2, zorder=5)
    half = width_of(text, 9, "Medium") / 2
    place = min(max(left + x / ax.get_xlim()[1] * width, left + half), LIVE - half)
    write(figure, place, _HEAD + height + 7, text, size=9, weight="Medium", colour=RED, ha="center")


class _Calendar:
    """Days of a chart as numbers: 0 is the first day of plan month 1."""

    def __init__(self, start: str, months: int):
        self.starts = month_days(start, months + 1)
        self.first = self.starts[0]
        self.length = float((self.starts[-1] - self.first).days)

    def x(self, day: dt.date, *, end: bool = False) -> float:
        """Position of a day's beginning, or of its end."""
        return float((day - self.first).days + (1 if end else 0))

    def day(self, x: float) -> dt.date:
        return self.first + dt.timedelta(days=int(x))


def _lanes(figure: Figure, data: Schedule, words: Words, pitch: float) -> None:
    """Shade every other lane, rule them off and write their names."""
    for index, lane in enumerate(data.lanes):
        own = [k for k, row in enumerate(data.rows) if row.lane == index]
        if not own:
            continue
        top, height = _HEAD + own[0] * pitch, len(own) * pitch
        if index % 2 == 0:
            _box(figure, 0, top, LIVE - _RIGHT, height, PANEL)
        _rule(figure, top, INK if own[0] == 0 else INK3, 0.9 if own[0] == 0 else 0.6)
        _lane_name(figure, words, lane, top, height)
    _rule(figure, _HEAD + len(data.rows) * pitch, INK, 0.9)


def _lane_name(figure: Figure, words: Words, lane: Lane, top: float, height: float) -> None:
    name, count = words.pick(lane.name), words.text("milestones.charts.tasks", n=words.number(lane.tasks, "count"))
    size = 10.0 if height >= 12 else 8.0
    lines = fit_lines(name, _LANE - 8, size, "Bold", most=2 if height >= 2.4 * size else 1)
    if lines is None:
        size = 8.0
        lines = fit_lines(name, _LANE - 4, size, "Bold", most=2 if height >= 18 else 1) or [name]
    place = top + min(size * 0.9, height / 2)
    for line in lines:
        write(figure, 5, place, line, size=size, weight="Bold", colour=INK)
        place += size * 1.25
    if lane.tasks and place + 4 <= top + height:
        write(figure, 5, place, count, size=8.5, colour=INK3)


def _months(figure: Figure, ax: Axes, axis: _Calendar, words: Words, *, centre: float) -> None:
    """Write the months above the rows, with a hairline where each begins."""
    left, width = _span(ax)
    pitch = width / (len(axis.starts) - 1)
    names = [_month_name(words, day, k) for k, day in enumerate(axis.starts[:-1])]
    step = next((s for s in (1, 2, 3, 6) if s * pitch >= max(width_of(n, 8.5) for n in names) + 4), 12)
    for k, day in enumerate(axis.starts[:-1]):
        x = axis.x(day)
        if k:
            ax.axvline(x, color=GRID, linewidth=0.8, zorder=0.6)
        if k % step == 0:
            middle = left + (x + axis.x(axis.starts[k + 1])) / 2 / axis.length * width
            write(figure, middle, centre, names[k], size=8.5, ha="center", tick=True)


def _month_name(words: Words, day: dt.date, place: int) -> str:
    """The month; at the turn of a year the year."""
    return str(day.year) if place and day.month == 1 else words.text(f"charts.month.m{day.month}")


def _strip(
    figure: Figure, ax: Axes, axis: _Calendar, stages: Sequence[Stage], words: Words, *, top: float, height: float
) -> None:
    """Draw the stages as a strip over the calendar; a name that does not fit is set smaller, then left out."""
    left, width = _span(ax)
    for stage in stages:
        first, last = (min(max(m, 1), len(axis.starts)) for m in (stage.first, stage.last + 1))
        x0, x1 = (left + axis.x(axis.starts[m - 1]) / axis.length * width for m in (first, last))
        if x1 - x0 < 2:
            continue
        _box(figure, x0, top, x1 - x0 - 1.2, height, STRIP)
        name = words.pick(stage.name)
        for size in (9.0, 8.0):
            if width_of(name, size, "Medium") <= x1 - x0 - 4:
                write(
                    figure, (x0 + x1) / 2, top + height / 2, name, size=size, weight="Medium", colour=INK, ha="center"
                )
                break


def _names(figure: Figure, data: Schedule, words: Words, pitch: float) -> None:
    for k, row in enumerate(data.rows):
        place = _HEAD + (k + 0.5) * pitch
        number = words.number(row.number, "count")
        write(figure, _LANE + _NUMBER - 6, place, number, size=8, colour=INK3, ha="right")
        weight = "Bold" if row.critical else "Regular"
        write(figure, _LANE + _NUMBER, place, words.pick(row.name), size=8, weight=weight, colour=INK, tick=True)


@dataclass(frozen=True, slots=True)
class _Link:
    """An elbow between two critical rows: from the end of one down or up to the beginning of the other, in days."""

    source: int
    row: int
    start: float
    turn: float


def _links_of(axis: _Calendar, rows: Sequence[Row], point: float) -> list[_Link]:
    """Links along the critical chain; `point` is the width of a point in days."""
    places = {row.number: k for k, row in enumerate(rows)}
    found = []
    for k, row in enumerate(rows):
        if row.after in places:
            source = places[row.after]
            end = axis.x(rows[source].finish, end=True)
            found.append(_Link(source, k, end, max(axis.x(row.start) + 1.2 * point, end)))
    return found


def _row(ax: Axes, axis: _Calendar, row: Row, k: int, bar: tuple[float, float]) -> tuple[float, float]:
    """Draw a bar, filled as far as the work is done, or a diamond; return where it begins and ends, in days."""
    if not row.milestone:
        left, right = axis.x(row.start), axis.x(row.finish, end=True)
        pale, full = (CRITICAL, INK) if row.critical else (BLUES[1], BLUES[3])
        height = bar[1] - bar[0]
        for share, colour in ((1.0, pale), (row.done, full)):
            box = ((left, k + bar[0]), (right - left) * share, height)
            ax.add_patch(Rectangle(*box, facecolor=colour, edgecolor="none", zorder=3))
        return left, right
    due = axis.x(row.finish, end=True)
    late = min(axis.x(row.late_until, end=True), axis.length) if row.late_until else due
    segment(ax, [due, late], [k + 0.5] * 2, colour=RED, width=1.6, zorder=4)
    target(ax, due, k + 0.5, size=5)
    return due, late


def _baseline(ax: Axes, axis: _Calendar, row: Row, k: int) -> None:
    """Draw where a bar was in the baseline as a thin one below it, where a diamond was as a thin stroke."""
    if row.baseline is None:
        return
    first, last = axis.x(row.baseline[0]), min(axis.x(row.baseline[1], end=True), axis.length)
    top, bottom = _BASELINE
    if row.milestone:
        segment(ax, [last, last], [k + 0.1, k + 0.9], colour=INK3, width=1.6, zorder=3.2)
        return
    box = ((first, k + top), last - first, bottom - top)
    ax.add_patch(Rectangle(*box, facecolor=INK3, edgecolor="none", zorder=3.2))


def _bar_number(
    ax: Axes,
    words: Words,
    row: Row,
    k: int,
    ends: tuple[float, float],
    links: Sequence[_Link],
    bar: tuple[float, float],
) -> None:
    """Repeat the row's number at the left of its bar, at its right where a link passes, not at all at the margin."""
    length, width = ax.get_xlim()[1], _span(ax)[1]
    shown = words.number(row.number, "count")
    gap = 6.0 if row.milestone else 3.0
    place = k + (0.5 if row.milestone else sum(bar) / 2)
    room = (gap + width_of(shown, 6.8) + 1.5) * length / width
    crossed = any(
        ends[0] - room < link.turn < ends[0] and min(link.source, link.row) < k < max(link.source, link.row)
        for link in links
    )
    if crossed and ends[1] + room < length:
        gap = gap if ends[0] == ends[1] else 3.0
        write(ax, ends[1], place, shown, size=6.8, dx=gap)
    elif not crossed and ends[0] > room:
        write(ax, ends[0], place, shown, size=6.8, ha="right", dx=-gap)


def _draw_link(ax: Axes, link: _Link, pitch: float, bar: tuple[float, float]) -> None:
    """Draw an elbow with an arrow head at its end."""
    point = ax.get_xlim()[1] / _span(ax)[1]
    down = link.row > link.source
    tip = link.row + (bar[0] if down else bar[1])
    neck = tip - 3.2 / pitch * (1 if down else -1)
    middle = link.source + sum(bar) / 2
    xs, ys = [link.start, link.turn, link.turn], [middle, middle, neck]
    segment(ax, xs, ys, colour=INK, width=0.9, zorder=4.5)
    corners = [(link.turn - 2 * point, neck), (link.turn + 2 * point, neck), (link.turn, tip)]
    ax.add_patch(Polygon(corners, closed=True, facecolor=INK, edgecolor="none", zorder=4.5))


def _gates(figure: Figure, ax: Axes, axis: _Calendar, gates: Sequence[Gate]) -> None:
    """Draw gates in the month row on the day they are due, and in red how late they open at the soonest."""
    left, width = _span(ax)
    shown = [gate for gate in gates if axis.x(gate.due, end=True) <= axis.length]
    dues = [left + axis.x(gate.due, end=True) / axis.length * width for gate in shown]
    marks = spread(dues, 18.0, left, LIVE - 9) if dues else dues
    for gate, due, mark in zip(shown, dues, marks, strict=True):
        ax.axvline(axis.x(gate.due, end=True), color=INK, linewidth=0.9, linestyle=(0, (2.5, 1.8)), zorder=3.6)
        if gate.late_until:
            end = min(left + axis.x(gate.late_until, end=True) / axis.length * width, left + width)
            _stroke(figure, [due, end, end], [_HEAD - 1, _HEAD - 1, _HEAD + 3], RED, 2.0)
        _diamond(figure, float(mark), 25.0, 9.0)
        write(figure, float(mark), 25, gate.label, size=6.8, weight="Bold", colour=INK, ha="center", zorder=9)


def _legend(figure: Figure, words: Words, marks: Sequence[str], left: float) -> None:
    """Explain the marks in the free corner over the names, two a line."""
    lines = -(-len(marks) // 2)
    places = [7.0, 25.0] if lines < 3 else [5.0, 16.5, 28.0]
    order = {"critical": 0, "other": 1, "due": 2, "late": 3, "done": 4, "baseline": 5}
    for k, mark in enumerate(sorted(marks, key=order.__getitem__)):
        x, y = (left / 2 + 4) * (k % 2), places[k // 2]
        if mark == "due":
            _diamond(figure, x + 6, y, 4.5)
        elif mark == "late":
            _stroke(figure, [x, x + 12], [y, y], RED, 2.0)
        elif mark == "done":
            _box(figure, x, y - 3, 12, 6, BLUES[1], zorder=3)
            _box(figure, x, y - 3, 7, 6, BLUES[3], zorder=4)
        elif mark == "baseline":
            _box(figure, x, y - 1.5, 12, 3, INK3, zorder=3)
        else:
            _box(figure, x, y - 3, 12, 6, CRITICAL if mark == "critical" else BLUES[1], zorder=3)
        write(figure, x + 17, y, words.text(f"milestones.charts.{mark}"), size=8.5)


@dataclass(frozen=True, slots=True)
class Dated:
    """A milestone or a gate against its earliest day.

    Args:
        name, department: in both languages; no department for gates.
        due: the day it is due.
        likely: earliest day at most likely durations; None when nothing is known to come before it.
        best, worst: earliest days with all durations at their best and their worst.
        slack_workdays: from `likely` to `due`, negative when late.
    """

    name: Mapping[str, str]
    department: Mapping[str, str] | None
    due: dt.date
    likely: dt.date | None
    best: dt.date | None
    worst: dt.date | None
    slack_workdays: int | None


@dataclass(frozen=True, slots=True)
class Dates:
    """What the page of dates shows: at most MOST_DATES rows on the calendar of the plan."""

    start: str
    months: int
    rows: Sequence[Dated]


@styled
def dates(data: Dates, words: Words) -> Figure:
    """Draw for each date the day it is due, and from the best to the worst day it can be reached."""
    figure = canvas(LIVE, BODY)
    rows = data.rows[:MOST_DATES]
    date_width = max(width_of(words.date(dt.date(2026, 9, day)), 9.5) for day in (20, 28)) + 12
    slack_head = words.text("milestones.charts.slack")
    slack_width = max(width_of(slack_head, 9, "Medium"), 40.0) + 6
    edges = (LIVE - slack_width - date_width - 6, LIVE - slack_width - 6, LIVE)
    name_width = min(max(width_of(words.pick(row.name), 10, "Medium") for row in rows) + 12, 190.0)
    lanes = [words.pick(row.department) for row in rows if row.department]
    left = name_width + max([width_of(lane, 9) for lane in lanes], default=-12.0) + 16
    pitch = min(30.0, (BODY - 34) / len(rows))
    axis = _Calendar(data.start, data.months)
    width = edges[0] - date_width - left - 4
    ax = panel(figure, left, 30, width, pitch * len(rows), xlim=(0, axis.length), ylim=(len(rows), 0))
    _months(figure, ax, axis, words, centre=20.0)
    for x, key in zip(edges, ("due_day", "earliest", "slack"), strict=True):
        write(figure, x, 20, words.text(f"milestones.charts.{key}"), size=9, weight="Medium", ha="right")
    _rule(figure, 30, INK2, 0.9, right=LIVE)
    for k, row in enumerate(rows):
        place = 30 + (k + 0.5) * pitch
        _date_name(figure, words, row, place, name_width)
        _date_marks(ax, axis, row, k)
        _date_columns(figure, words, row, place, edges)
        bottom = 30 + (k + 1) * pitch
        last = k + 1 == len(rows)
        _rule(figure, bottom, INK if last else GRID, 0.9 if last else 0.6, right=LIVE)
    return figure


def _date_name(figure: Figure, words: Words, row: Dated, place: float, room: float) -> None:
    name = words.pick(row.name)
    lines = fit_lines(name, room - 8, 10, "Medium")
    size = 10.0 if lines else 8.5
    lines = lines or fit_lines(name, room - 8, size, "Medium") or [name]
    for n, line in enumerate(lines):
        shift = (n - (len(lines) - 1) / 2) * (size + 1)
        write(figure, 0, place + shift, line, size=size, weight="Medium", colour=INK, tick=True)
    if row.department:
        write(figure, room, place, words.pick(row.department), size=9, tick=True)


def _date_marks(ax: Axes, axis: _Calendar, row: Dated, k: int) -> None:
    """The range from best to worst as a pale bar, the most likely day as a tick, red or teal up to the due day."""
    due = axis.x(row.due, end=True)
    if row.likely and row.best and row.worst:
        best, likely, worst = (axis.x(day, end=True) for day in (row.best, row.likely, row.worst))
        shown = min(worst, axis.length) - best
        ax.add_patch(Rectangle((best, k + 0.3), shown, 0.4, facecolor=BLUES[1], edgecolor="none", zorder=3))
        colour = RED if likely > due else TEAL
        segment(ax, [likely, due], [k + 0.5] * 2, colour=colour, width=1.6, zorder=3.5)
        segment(ax, [likely, likely], [k + 0.22, k + 0.78], colour=BLUE, width=2.2, zorder=4)
    target(ax, due, k + 0.5, size=6)


def _date_columns(figure: Figure, words: Words, row: Dated, place: float, edges: tuple[float, float, float]) -> None:
    late = row.slack_workdays is not None and row.slack_workdays < 0
    earliest = words.date(row.likely) if row.likely else "—"
    slack = "—" if row.slack_workdays is None else words.number(row.slack_workdays, "number", signed=True)
    colour = INK3 if row.slack_workdays is None else RED if late else TEAL
    write(figure, edges[0], place, words.date(row.due), size=9.5, colour=INK, ha="right")
    write(figure, edges[1], place, earliest, size=9.5, colour=INK if row.likely else INK3, ha="right")
    write(figure, edges[2], place, slack, size=11, weight="Bold", colour=colour, ha="right")


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a plan month."""

    month: int
    name: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Year:
    """The plan's first months on one page.

    Args:
        start: plan month 1, YYYY-MM.
        workdays: (T,) working days of each month, T up to MOST_MONTHS.
        provisional: (T,) whether they may still change.
        stages: those with months.
        lanes: L departments.
        under_way: (L, T) tasks under way.
        milestones, gates: in order of month.
    """

    start: str
    workdays: Sequence[int]
    provisional: Sequence[bool]
    stages: Sequence[Stage]
    lanes: Sequence[Mapping[str, str]]
    under_way: np.ndarray
    milestones: Sequence[Entry]
    gates: Sequence[Entry]


@styled
def year(data: Year, words: Words) -> Figure:
    """Draw months as columns: working days, stages, tasks under way by department, milestones, gates."""
    figure = canvas(LIVE, BODY)
    months = len(data.workdays)
    labels = [words.text(f"milestones.charts.{key}") for key in ("workdays", "stages", "milestones", "gates")]
    lanes = [words.pick(lane) for lane in data.lanes]
    left = max(width_of(label, 9.5, "Medium") for label in (*labels, *lanes)) + 14
    axis = _Calendar(data.start, months)
    column = (LIVE - left) / months
    ax = panel(figure, left, 0, LIVE - left, BODY, xlim=(0, months), ylim=(BODY, 0))
    ax.set_axis_off()
    texts = {name: _stacks(words, entries, column, months) for name, entries in
             (("milestones", data.milestones), ("gates", data.gates))}  # fmt: skip
    heights = {"months": 20.0, "workdays": 24.0, "stages": 26.0}
    heights |= {name: max(map(_stack_height, stack)) + 14 for name, stack in texts.items() if any(stack)}
    lane_height = min(26.0, (BODY - sum(heights.values()) - 24) / max(len(lanes), 1))
    y = 0.0
    _rule(figure, y, INK, 0.9, right=LIVE)
    for k, day in enumerate(axis.starts[:-1]):
        name = _month_name(words, day, k)
        write(figure, left + (k + 0.5) * column, y + 10, name, size=9.5, weight="Medium", ha="center", tick=True)
    y += heights["months"]
    y = _line(figure, y, labels[0], heights["workdays"])
    for k, days in enumerate(data.workdays):
        shown = words.text(f"milestones.charts.{'provisional' if data.provisional[k] else 'known'}", n=days)
        write(figure, left + (k + 0.5) * column, y - 12, shown, size=9.5, colour=INK, ha="center")
    y = _line(figure, y, labels[1], heights["stages"])
    for stage in data.stages:
        first, last = max(stage.first, 1), min(stage.last, months)
        if last >= first:
            _stage_cell(figure, words, stage, left + (first - 1) * column, y - 22, (last - first + 1) * column - 1.5)
    if lanes:
        _rule(figure, y, RULE, 0.6, right=LIVE)
        write(figure, 0, y + 11, words.text("milestones.charts.under_way"), size=8.5, colour=INK3)
        y += 20
        _heat(figure, data.under_way, lanes, (left, y, column, lane_height))
        y += lane_height * len(lanes) + 4
    for name, label in (("milestones", labels[2]), ("gates", labels[3])):
        if name in heights:
            _stack_row(figure, texts[name], label, (left, y, column), bold=name == "gates")
            y += heights[name]
    _rule(figure, y, INK, 0.9, right=LIVE)
    return figure


def _line(figure: Figure, y: float, label: str, height: float) -> float:
    """Rule off a row, write its label and return where it ends."""
    _rule(figure, y, RULE, 0.6, right=LIVE)
    write(figure, 0, y + height / 2, label, size=9.5, weight="Medium", colour=INK)
    return y + height


def _stage_cell(figure: Figure, words: Words, stage: Stage, x: float, y: float, width: float) -> None:
    _box(figure, x, y, width, 18, STRIP)
    lines = fit_lines(words.pick(stage.name), width - 8, 9, "Medium", most=1)
    if lines:
        write(figure, x + 6, y + 9, lines[0], size=9, weight="Medium", colour=INK)


def _heat(figure: Figure, counts: np.ndarray, lanes: Sequence[str], box: tuple[float, float, float, float]) -> None:
    """Draw tasks under way by lane and month as cells of one blue scale, each with its number."""
    left, top, column, height = box
    most = max(int(counts.max()), 1)
    for k, lane in enumerate(lanes):
        place = top + (k + 0.5) * height
        write(figure, 0, place, lane, size=9.5, weight="Medium", colour=INK, tick=True)
        for m, count in enumerate(counts[k]):
            if not count:
                continue
            shade = BLUES[min(int((count - 1) / max(most - 1, 1) * 4 + 0.5), 4)]
            _box(figure, left + m * column + 0.8, place - height / 2 + 0.8, column - 1.6, height - 1.6, shade)
            x = left + (m + 0.5) * column
            write(figure, x, place, f"{count:.0f}", size=9, colour=on_fill(shade), ha="center")


def _stacks(words: Words, entries: Sequence[Entry], column: float, months: int) -> list[list[tuple[str, bool]]]:
    """Break the names of each month into lines that fit its column; True marks the first line of a name."""
    stacks: list[list[tuple[str, bool]]] = [[] for _ in range(months)]
    for entry in entries:
        if 1 <= entry.month <= months:
            name = words.pick(entry.name)
            lines = fit_lines(name, column - 6, 8.5, most=3) or fit_lines(name, column - 1, 8.0, most=4) or [name]
            stacks[entry.month - 1] += [(line, n == 0) for n, line in enumerate(lines)]
    return stacks


def _stack_row(
    figure: Figure,
    stacks: Sequence[Sequence[tuple[str, bool]]],
    label: str,
    place: tuple[float, float, float],
    *,
    bold: bool,
) -> None:
    left, top, column = place
    _rule(figure, top, RULE, 0.6, right=LIVE)
    write(figure, 0, top + 12, label, size=9.5, weight="Medium", colour=INK)
    for m, lines in enumerate(stacks):
        for n, (line, _) in enumerate(lines):
            x, y = left + (m + 0.5) * column, top + 1 + _stack_height(lines[: n + 1])
            weight = "Medium" if bold else "Regular"
            write(figure, x, y, line, size=8.5, weight=weight, colour=INK, ha="center", tick=True)


def _stack_height(lines: Sequence[tuple[str, bool]]) -> float:
    """Height of some lines in points, with a gap between names."""
    return 11.0 * len(lines) + 4.0 * max(sum(begins for _, begins in lines) - 1, 0)


# Marks in points of the page


def _span(ax: Axes) -> tuple[float, float]:
    """Left edge and width of a panel in points."""
    width = float(ax.figure.get_size_inches()[0]) * 72
    box = ax.get_position()
    return float(box.x0) * width, float(box.width) * width


def _box(figure: Figure, x: float, y: float, width: float, height: float, colour: str, *, zorder: float = -1) -> None:
    full_width, full_height = (float(side) * 72 for side in figure.get_size_inches())
    corner = (x / full_width, 1 - (y + height) / full_height)
    figure.add_artist(
        Rectangle(corner, width / full_width, height / full_height, facecolor=colour, edgecolor="none", zorder=zorder)
    )


def _rule(figure: Figure, y: float, colour: str, width: float, *, right: float = LIVE - _RIGHT) -> None:
    _stroke(figure, [0, right], [y, y], colour, width, zorder=2)


def _stroke(
    figure: Figure, xs: Sequence[float], ys: Sequence[float], colour: str, width: float, *, zorder: float = 5
) -> None:
    from matplotlib.lines import Line2D

    full_width, full_height = (float(side) * 72 for side in figure.get_size_inches())
    points = ([x / full_width for x in xs], [1 - y / full_height for y in ys])
    figure.add_artist(Line2D(*points, color=colour, linewidth=width, zorder=zorder, transform=figure.transFigure))


def _diamond(figure: Figure, x: float, y: float, half: float) -> None:
    full_width, full_height = (float(side) * 72 for side in figure.get_size_inches())
    corners = [(x, y - half), (x + half, y), (x, y + half), (x - half, y)]
    shape = [(a / full_width, 1 - b / full_height) for a, b in corners]
    figure.add_artist(
        Polygon(shape, closed=True, facecolor=WHITE, edgecolor=INK, linewidth=1.3, zorder=8,
                transform=figure.transFigure)
    )  # fmt: skip
