"""Charts of the milestone notebook about chance and people: P(date), what moves the finish, load by role."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_BARS = 12
_NAMES = 250.0
FULL = 1.0  # load over capacity


@dataclass(frozen=True, slots=True)
class FinishData:
    """When the last task is done.

    Attributes:
        days: (K,) dates in order.
        chance: (K,) share of the draws that are done by then.
        acted: the same when every mitigation is carried out; None without any.
        due: last due day; None when there is none.
        marks: {share: day}, e.g. the median and the day of four in five.
    """

    days: Sequence[dt.date]
    chance: Sequence[float]
    acted: Sequence[float] | None
    due: dt.date | None
    marks: Mapping[float, dt.date]


@dataclass(frozen=True, slots=True)
class SwingBar:
    """What one task or risk does to the finish: calendar days against the mean, when it goes well and badly."""

    name: Mapping[str, str]
    risk: bool
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LoadData:
    """Load of roles by month.

    Attributes:
        start: first month.
        roles: name in both languages.
        people: (R,) people of each role.
        load: (R, T) person-days asked for over person-days there, on the dates that links alone allow.
        levelled: the same once the tasks wait for hands.
    """

    start: str
    roles: Sequence[Mapping[str, str]]
    people: Sequence[int]
    load: np.ndarray
    levelled: np.ndarray


@b.styled
def finish(data: FinishData, words: Words) -> Figure:
    """Draw the chance that everything is done by a day, with the due day and the days of stated chances."""
    figure = b.canvas()
    first = data.days[0]
    x = np.array([(day - first).days for day in data.days], dtype=float)
    last = x[-1]
    if data.due is not None:
        last = max(last, float((data.due - first).days))
    low = min(0.0, float((data.due - first).days)) if data.due is not None else 0.0
    room = max((last - low) * 0.04, 2.0)
    ax = b.panel(figure, 52, 34, b.LIVE - 210, b.BODY - 84, xlim=(low - room, last + room), ylim=(0, 1.0))
    for level in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        ax.axhline(level, color=b.GRID, linewidth=0.8, zorder=0.5)
        b.write_at_left(ax, level, words.number(level, "ratio", decimals=0))
    for day in _ticks(first + dt.timedelta(days=int(low - room)), first + dt.timedelta(days=int(last + room))):
        at = (day - first).days
        if low - room <= at <= last + room:
            ax.axvline(at, color=b.GRID, linewidth=0.6, zorder=0.4)
            month = words.text(f"charts.month.m{day.month}")
            b.write(ax, at, 0, month, size=8.5, ha="center", dy=-12, tick=True)
    if data.acted is not None:
        ax.plot(x, data.acted, color=b.TEAL, linewidth=1.6, linestyle=(0, (4, 2)), zorder=4)
    ax.plot(x, data.chance, color=b.BLUE, linewidth=2.4, zorder=5)
    if data.due is not None:
        at = (data.due - first).days
        b.segment(ax, [at, at], [0, 1.0], colour=b.INK, width=1.2, zorder=6)
        text = words.text("milestones.charts.due_on", date=words.date(data.due))
        b.write(ax, at, 1.0, text, size=9, weight="Medium", colour=b.INK, ha="center", dy=9)
    places = b.spread([-share for share in data.marks], 0.07, -1.0, 0.0)
    for (share, day), place in zip(data.marks.items(), places, strict=True):
        at = float((day - first).days)
        b.dot(ax, at, share)
        b.segment(ax, [at, ax.get_xlim()[1]], [share, share], colour=b.BLUE, width=0.6, dashes=(2, 2), zorder=2)
        chance = words.number(share, "ratio", decimals=0)
        text = words.text("milestones.charts.done_by", chance=chance, date=words.date(day))
        b.write(ax, ax.get_xlim()[1], -place, text, size=9, colour=b.BLUE, dx=8)
    if data.acted is not None:
        text = words.text("milestones.charts.acted")
        b.write(ax, ax.get_xlim()[1], 0.06, text, size=9, colour=b.TEAL, dx=8)
    return figure


def _ticks(first: dt.date, last: dt.date) -> list[dt.date]:
    months = (last.year - first.year) * 12 + last.month - first.month
    step = max(1, -(-months // 8))
    rows = range(first.year * 12 + first.month, last.year * 12 + last.month + 1, step)
    return [dt.date(k // 12, k % 12 + 1, 1) for k in rows]


@b.styled
def tornado(bars: Sequence[SwingBar], words: Words) -> Figure:
    """Draw one bar a task or risk: mean finish when it goes well and when it goes badly, in days against the mean."""
    figure = b.canvas()
    ends = [end for bar in bars for end in (bar.low, bar.high)] + [0.0]
    low, high = min(ends), max(ends)
    room = max((high - low) * 0.08, 1.0)
    height = min(262.0, 30.0 * len(bars))
    ax = b.panel(figure, _NAMES, 30, b.LIVE - _NAMES - 50, height, xlim=(low - room, high + room),
                 ylim=(len(bars) - 0.5, -0.5))  # fmt: skip
    for x in (x for x in b.ticks(low, high, most=6) if low - room <= x <= high + room):
        ax.axvline(x, color=b.GRID, linewidth=0.8, zorder=0.5)
        b.write(ax, x, len(bars) - 0.5, f"{x:+.0f}".replace("-", "−") if x else "0", size=8.5, ha="center", dy=-12,
                tick=True)  # fmt: skip
    b.write(ax, ax.get_xlim()[1], len(bars) - 0.5, words.text("milestones.charts.calendar_days"), size=8.5,
            colour=b.INK3, ha="right", dy=-26, tick=True)  # fmt: skip
    for row, bar in enumerate(bars):
        for reached, colour in ((bar.low, b.TEAL), (bar.high, b.RED)):
            ax.barh(row, reached, height=0.56, color=colour, zorder=3)
        name = words.pick(bar.name)
        shown = words.text("milestones.charts.risk", name=name) if bar.risk else name
        lines = b.fit_lines(shown, _NAMES - 14, 9.5, "Medium", most=1) or [shown]
        b.write(ax, ax.get_xlim()[0], row, lines[0], size=9.5, weight="Medium", colour=b.INK, dx=-_NAMES)
        for reached, side, ha in ((bar.low, -4, "right"), (bar.high, 4, "left")):
            text = words.number(reached, "days", signed=True, decimals=0)
            b.write(ax, reached, row, text, size=8.5, ha=ha, dx=side, halo=True)
    b.segment(ax, [0, 0], [-0.5, len(bars) - 0.5], colour=b.INK, width=1.2, zorder=6)
    b.write(ax, 0, -0.5, words.text("milestones.charts.mean_finish"), size=9, weight="Medium", colour=b.INK,
            ha="center", dy=9)  # fmt: skip
    return figure


@b.styled
def load(data: LoadData, words: Words) -> Figure:
    """Draw the load of each role by month as cells, before and after the tasks wait for hands."""
    figure = b.canvas()
    names = [
        words.text("milestones.charts.role", name=words.pick(name), n=people)
        for name, people in zip(data.roles, data.people, strict=True)
    ]
    left = max(b.width_of(name, 9.5, "Medium") for name in names) + 16
    months = data.load.shape[1]
    column = (b.LIVE - left) / months
    height = min(26.0, (b.BODY - 96) / max(2 * len(names), 1))
    days = b.month_days(data.start, months)
    y = 0.0
    for part, key in ((data.load, "load_links"), (data.levelled, "load_levelled")):
        b.write(figure, 0, y + 8, words.text(f"milestones.charts.{key}"), size=9.5, weight="Medium", colour=b.INK)
        y += 18
        for k, day in enumerate(days):
            month = words.text(f"charts.month.m{day.month}")
            b.write(figure, left + (k + 0.5) * column, y + 8, month, size=8.5, ha="center", tick=True)
        y += 18
        for r, name in enumerate(names):
            b.write(figure, 0, y + height / 2, name, size=9.5, weight="Medium", colour=b.INK, tick=True)
            for t, share in enumerate(part[r]):
                _cell(figure, words, float(share), (left + t * column, y, column, height))
            y += height
        y += 16
    return figure


def _cell(figure: Figure, words: Words, share: float, box: tuple[float, float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    x, y, width, height = box
    over = share > FULL + 1e-9
    shade = b.RED if over else b.BLUES[min(int(share * 4 + 0.5), 4)] if share > 0 else b.PANEL
    full_width, full_height = b.size_of(figure)
    corner = ((x + 0.8) / full_width, 1 - (y + height - 0.8) / full_height)
    size = ((width - 1.6) / full_width, (height - 1.6) / full_height)
    figure.add_artist(Rectangle(corner, *size, facecolor=shade, edgecolor="none", zorder=-1))
    if share > 0:
        text = words.number(share, "ratio", decimals=0)
        b.write(figure, x + width / 2, y + height / 2, text, size=8.5, colour=b.on_fill(shade), ha="center")
