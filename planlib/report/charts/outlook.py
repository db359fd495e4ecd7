"""Charts of the outlook notebook: the plan and what is left of it, its causes, slips, knowledge, money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_BARS = 9
FRONTIER_WIDTH = 420.0
_HALF = (b.LIVE - 36.0) / 2
_SURE = 0.8


@dataclass(frozen=True, eq=False)
class Fan:
    """One measure over the months.

    Attributes:
        name: locale key of its heading.
        unit: of its values.
        plan: (T,) the plan on its dates, without chance.
        median: (T,) middle of the paths.
        bands: {level: (2, T) low and high}, the widest first.
        goals: (month, level) of targets.
    """

    name: str
    unit: str
    plan: np.ndarray
    median: np.ndarray
    bands: Mapping[float, np.ndarray]
    goals: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Steps:
    """From what the plan forecasts to what is left of it.

    Attributes:
        name: locale key of the heading.
        unit: of the values.
        plan, mean: forecast of the plan, mean over the paths.
        takes: {cause: what it takes}, they sum to plan - mean; below 0 where it adds.
    """

    name: str
    unit: str
    plan: float
    mean: float
    takes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: name in both languages, value, its range over paths or None, and a second figure written beside."""

    name: Mapping[str, str]
    value: float
    ends: tuple[float, float] | None = None
    beside: float | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows under a heading.

    Attributes:
        name: locale key of the heading.
        unit: of the values.
        rows: the largest first.
        beside: locale key of the heading of the second figures, and their unit.
    """

    name: str
    unit: str
    rows: Sequence[Bar]
    beside: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Frontier:
    """Chances against money.

    Attributes:
        spend_cny: (K,) CNY a year on channels.
        chances: {name in both languages: (K,)}, as pairs.
        now_cny: what is spent as planned.
        wanted: the chance that is wanted.
    """

    spend_cny: np.ndarray
    chances: Sequence[tuple[Mapping[str, str], np.ndarray]]
    now_cny: float
    wanted: float = _SURE


@b.styled
def together(panels: Sequence[Fan], start: str, words: Words) -> Figure:
    """Draw for each measure the plan as a dashed line, the middle of the paths and their ranges."""
    figure = b.canvas()
    column = 118.0
    for k, data in enumerate(panels):
        ax = b.panel(figure, 44 + k * (_HALF + 36), 40, _HALF - 44 - column, 250)
        months = len(data.plan)
        x = np.arange(1, months + 1)
        highest = max(float(data.plan.max()), *(float(band.max()) for band in data.bands.values()), 0.0)
        goals = [goal for goal in data.goals if goal[1] <= 2.2 * highest]
        highest = max([highest, *(level for _, level in goals)])
        b.month_axis(ax, start, months, words)
        b.value_axis(ax, highest * 1.02, data.unit, words)
        b.heading(ax, words.text(data.name), dy=24, dx=-36)
        for level, (low, high) in data.bands.items():
            ax.fill_between(x, low, high, color=b.BANDS[level], linewidth=0, zorder=2)
        ax.plot(x, data.plan, color=b.INK2, linewidth=1.4, linestyle=(0, (4, 2)), zorder=4)
        ax.plot(x, data.median, color=b.BLUE, linewidth=2.2, zorder=5)
        for month, level in goals:
            b.target(ax, month, level)
        rows = [("plan", float(data.plan[-1]), b.INK2), ("median", float(data.median[-1]), b.BLUE)]
        low, high = data.bands[_SURE]
        rows += [("high", float(high[-1]), b.INK3), ("low", float(low[-1]), b.INK3)]
        labels = [
            b.EndLabel(y, words.text(f"outlook.charts.{key}"), words.number(y, data.unit), colour)
            for key, y, colour in rows
        ]
        b.end_labels(ax, months, labels, size=9)
    return figure


@dataclass(frozen=True, eq=False)
class Again:
    """One measure forecast before and again, over the months.

    Attributes:
        name: locale key of its heading.
        unit: of its values.
        plan: (T,) the plan without chance.
        before, after: (3, T) low, middle and high of each forecast.
        known: (month, level) of what happened.
    """

    name: str
    unit: str
    plan: np.ndarray
    before: np.ndarray
    after: np.ndarray
    known: tuple[tuple[int, float], ...] = ()


@b.styled
def again(panels: Sequence[Again], start: str, words: Words) -> Figure:
    """Draw for each measure the forecast before in grey, the one with what is known in blue, and what happened."""
    figure = b.canvas()
    column = 128.0
    for k, data in enumerate(panels):
        ax = b.panel(figure, 44 + k * (_HALF + 36), 40, _HALF - 44 - column, 250)
        months = len(data.plan)
        x = np.arange(1, months + 1)
        tops = [data.plan.max(), data.before.max(), data.after.max(), *(level for _, level in data.known)]
        b.month_axis(ax, start, months, words)
        b.value_axis(ax, float(max(tops)) * 1.02, data.unit, words)
        b.heading(ax, words.text(data.name), dy=24, dx=-36)
        for (low, middle, high), band, line, z in (
            (data.before, b.GRID, b.INK3, 2), (data.after, b.BLUES[1], b.BLUE, 3),
        ):  # fmt: skip
            ax.fill_between(x, low, high, color=band, alpha=0.8, linewidth=0, zorder=z)
            ax.plot(x, middle, color=line, linewidth=2.2 if line == b.BLUE else 1.4, zorder=z + 2)
        ax.plot(x, data.plan, color=b.INK2, linewidth=1.2, linestyle=(0, (4, 2)), zorder=6)
        if data.known:
            ax.plot(*zip(*data.known, strict=True), "o", color=b.INK, markersize=3.6, zorder=7)
        rows = [
            ("plan", data.plan[-1], b.INK2), ("before", data.before[1][-1], b.INK3),
            ("after", data.after[1][-1], b.BLUE), ("high", data.after[2][-1], b.BLUE),
            ("low", data.after[0][-1], b.BLUE),
        ]  # fmt: skip
        labels = [
            b.EndLabel(float(y), words.text(f"outlook.charts.again_{key}"), words.number(float(y), data.unit), colour)
            for key, y, colour in rows
        ]
        b.end_labels(ax, months, labels, size=9)
    return figure


@b.styled
def steps(panels: Sequence[Steps], words: Words) -> Figure:
    """Draw for each measure the way from the plan's forecast to the mean of the paths, a bar for each cause."""
    figure = b.canvas()
    for k, data in enumerate(panels):
        ax = b.panel(figure, k * (_HALF + 36), 44, _HALF, 232)
        count = len(data.takes) + 2
        tops = [data.plan]
        for taken in data.takes.values():
            tops.append(tops[-1] - taken)
        ax.set_xlim(-0.5, count - 0.5)
        ax.set_ylim(min(*tops, data.mean, 0.0), 1.06 * max(*tops, 1e-12))
        b.heading(ax, words.text(data.name), dy=24)
        ax.axhline(0, color=b.INK3, linewidth=0.8, zorder=3.5)
        _column(ax, 0, 0.0, data.plan, b.INK, words.number(data.plan, data.unit), words.text("outlook.charts.plan"))
        for at, (cause, taken) in enumerate(data.takes.items(), start=1):
            before, after = tops[at - 1], tops[at]
            colour = b.RED if taken > 0 else b.TEAL
            shown = words.number(-taken, data.unit, signed=True)
            _column(ax, at, min(before, after), max(before, after), colour, shown, words.text(f"outlook.short.{cause}"))
            b.segment(ax, [at - 0.67, at - 0.33], [before, before], colour=b.INK3, width=0.8, zorder=2)
        end = words.text("outlook.charts.mean")
        _column(ax, count - 1, 0.0, data.mean, b.BLUE, words.number(data.mean, data.unit), end)
    return figure


def _column(ax: Axes, x: float, low: float, high: float, colour: str, number: str, name: str) -> None:
    ax.bar(x, high - low, bottom=low, width=0.66, color=colour, zorder=3)
    b.write(ax, x, high, number, size=9, weight="Medium", colour=colour, ha="center", dy=8, halo=True)
    pitch = b.panel_size(ax)[0] / (ax.get_xlim()[1] - ax.get_xlim()[0])
    for line, part in enumerate(b.fit_lines(name, pitch - 4, 9, most=2) or [name]):
        b.write(ax, x, ax.get_ylim()[0], part, size=9, ha="center", dy=-12 - 12 * line)


@b.styled
def bars(panels: Sequence[Bars], words: Words) -> Figure:
    """Draw rows of bars with their ranges, one panel or two side by side."""
    figure = b.canvas()
    width = b.LIVE if len(panels) == 1 else _HALF
    for k, data in enumerate(panels):
        _bars(figure, k * (width + 36), width, data, words)
    return figure


def _bars(figure: Figure, left: float, width: float, data: Bars, words: Words) -> None:
    rows = data.rows[:MOST_BARS]
    names = min(max([b.width_of(words.pick(row.name), 9.5, "Medium") for row in rows], default=60.0) + 12, 0.42 * width)
    column = 96.0 if data.beside else 12.0
    wrapped = [
        b.fit_lines(words.pick(row.name), names - 8, 9.5, "Medium", most=3) or [words.pick(row.name)] for row in rows
    ]
    pitch = max(26.0, 11.0 * max([len(lines) for lines in wrapped], default=1) + 5.0)
    height = min(pitch * max(len(rows), 1), 278.0)
    numbers = [words.number(row.value, data.unit) for row in rows]
    edge = max([b.width_of(text, 9, "Medium") for text in numbers], default=30.0) + 10
    ax = b.panel(figure, left + names, 40, width - names - column - edge, height)
    highest = max([row.ends[1] if row.ends else row.value for row in rows], default=1.0)
    lowest = min([row.ends[0] if row.ends else row.value for row in rows], default=0.0)
    ax.set_xlim(min(lowest, 0.0), max(highest, 1e-12))
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    b.write(figure, left, 12, words.text(data.name), size=10, weight="Bold", colour=b.INK)
    if data.beside:
        head = words.text(data.beside[0])
        b.write(figure, left + width, 12, head, size=9, colour=b.INK3, ha="right")
    b.segment(ax, [0, 0], [-0.5, max(len(rows), 1) - 0.5], colour=b.INK3, width=0.8)
    for at, (row, number, lines) in enumerate(zip(rows, numbers, wrapped, strict=True)):
        ax.barh(at, row.value, height=0.52 * 26.0 / pitch, color=b.BLUE if row.value >= 0 else b.RED, zorder=3)
        end = max(row.value, 0.0)
        if row.ends and row.ends[1] > row.ends[0]:
            b.segment(ax, list(row.ends), [at, at], colour=b.INK, width=1.1, zorder=5)
            end = max(end, row.ends[1])
        for line, part in enumerate(lines):
            shift = 5.5 * (len(lines) - 1) - 11.0 * line
            b.write(ax, ax.get_xlim()[0], at, part, size=9.5, weight="Medium", colour=b.INK, dx=-names, dy=shift)
        b.write(ax, end, at, number, size=9, weight="Medium", colour=b.BLUE, dx=6)
        if data.beside and row.beside is not None:
            place = (left + width, 40 + height * (at + 0.5) / len(rows))
            b.write(figure, *place, words.number(row.beside, data.beside[1]), size=9, ha="right")


@b.styled
def frontier(data: Frontier, words: Words) -> Figure:
    """Draw chances against what channels may cost a year, with today's money and the wanted chance."""
    figure = b.canvas(FRONTIER_WIDTH)
    ax = b.panel(figure, 40, 44, FRONTIER_WIDTH - 52, 236)
    low, high = float(data.spend_cny.min()), float(data.spend_cny.max())
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1.0)
    b.heading(ax, words.text("outlook.charts.frontier"), dy=24, dx=-34)
    for level in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        ax.axhline(level, color=b.GRID, linewidth=0.8, zorder=0.5)
        b.write_at_left(ax, level, words.number(level, "ratio", decimals=0))
    at = [x for x in b.ticks(low, high, most=5) if low <= x <= high]
    scale = b.scale_of(high, "CNY", words)
    shown = np.array(at) / scale.factor
    places = next((p for p in range(4) if np.allclose(shown, np.round(shown, p), atol=1e-9)), 4)
    scale = b.Scale(scale.factor, scale.unit, places)
    for x in at:
        b.write(ax, x, 0, scale.write(x), size=8.5, ha="center", dy=-12, tick=True)
    caption = words.text("outlook.charts.spend", unit=scale.unit)
    b.write(ax, high, 0, caption, size=8.5, colour=b.INK3, ha="right", dy=-26, tick=True)
    ax.axhline(data.wanted, color=b.INK2, linewidth=1.0, linestyle=(0, (3, 2)), zorder=3)
    if low <= data.now_cny <= high:
        b.segment(ax, [data.now_cny, data.now_cny], [0, 1.0], colour=b.RED, width=1.1, zorder=3)
        b.write(ax, data.now_cny, 1.0, words.text("outlook.charts.now"), size=9, colour=b.RED, dx=4, dy=-8, halo=True)
    colours = (b.BLUE, b.TEAL, b.CATEGORIES[2], b.CATEGORIES[4])
    lines = list(zip(data.chances, colours, strict=False))
    for k, ((name, chances), colour) in enumerate(lines):
        ax.plot(data.spend_cny, chances, color=colour, linewidth=2.0, zorder=4)
        style = {"size": 9, "weight": "Medium", "colour": colour, "halo": True}
        b.write(ax, high, 0, words.pick(name), ha="right", dx=-4, dy=12 + 14 * (len(lines) - 1 - k), **style)
    return figure
