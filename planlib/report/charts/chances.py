"""Charts of notebook 20 about uncertainty: the fan of users, the bridge to a goal, and what a figure hangs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b
from planlib.report.charts.funnel import TargetMark, draw_marks

TORNADO_WIDTH = 420.0
MOST_SWINGS = 9
_COLUMN = 158.0  # points right of the fan: names and values of its ends


@dataclass(frozen=True, slots=True)
class FanData:
    """Users of a plan with the ranges of the draws.

    Attributes:
        start: first month, YYYY-MM.
        line: (T + 1,) forecast at the plan's central inputs, the opening first.
        bands: {level: (2, T + 1) low and high}, the widest first; {} when nothing is uncertain.
        targets: goals on the users.
        stages: name in both languages, first and last month.
    """

    start: str
    line: np.ndarray
    bands: Mapping[float, np.ndarray] = field(default_factory=dict)
    targets: tuple[TargetMark, ...] = ()
    stages: tuple[tuple[Mapping[str, str], int, int], ...] = ()

    @property
    def months(self) -> int:
        return len(self.line) - 1


@dataclass(frozen=True, slots=True)
class BridgeData:
    """From the opening to a month and its goal.

    Attributes:
        month: plan month at the end.
        opening, forecast: people.
        joined: {organic, paid, referral: people who joined until then}.
        left: people who left until then, >= 0.
        goal: None when there is none.
    """

    month: int
    opening: float
    joined: Mapping[str, float]
    left: float
    forecast: float
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the tornado: name in both languages, the two inputs with their unit, what they make of the metric."""

    name: Mapping[str, str]
    low_input: float
    high_input: float
    unit: str
    at_low: float
    at_high: float


@dataclass(frozen=True, slots=True)
class TornadoData:
    """What a metric hangs on, the widest swing first.

    Attributes:
        metric: catalogue id.
        unit: of the metric.
        month: plan month.
        centre: forecast at the central inputs.
        bars: one an uncertain input.
        goal: None when there is none.
    """

    metric: str
    unit: str
    month: int
    centre: float
    bars: tuple[Bar, ...]
    goal: float | None = None


@b.styled
def fan(data: FanData, words: Words) -> Figure:
    """Forecast as a line, ranges as bands with their end values in a column, goals as diamonds with their chance."""
    fig = b.canvas()
    ax = b.panel(fig, 40, 40, 664, 254)
    months = np.arange(data.months + 1)
    tops = [float(band.max()) for band in data.bands.values()]
    highest = max([float(data.line.max()), *tops, *(mark.goal for mark in data.targets)])
    b.month_axis(ax, data.start, data.months, words, opening=True)
    b.value_axis(ax, highest * 1.02, "users", words, head_dy=26)
    b.stage_shading(ax, [b.Span(words.pick(name), first, last) for name, first, last in data.stages], opening=True)
    for level, (low, high) in data.bands.items():
        ax.fill_between(months, low, high, color=b.BANDS[level], linewidth=0, zorder=2)
    ax.plot(months, data.line, color=b.BLUE, zorder=4, clip_on=False)
    taken = b.Taken()
    taken.add_line(ax, months, data.line)
    for low, high in list(data.bands.values())[:1]:
        taken.add_line(ax, months, low)
        taken.add_line(ax, months, high)
    b.notes(ax, [_note(mark, words) for mark in draw_marks(ax, data.targets, taken)], taken)
    _ends(ax, data, words)
    return fig


def _note(mark: TargetMark, words: Words) -> b.Note:
    goal, forecast = (words.number(value, "users") for value in (mark.goal, mark.forecast))
    head = words.text("funnel.charts.users_goal", month=words.number(mark.month, "month"), goal=goal)
    lines = [(head, b.INK, "Bold")]
    if mark.chance is None:
        lines.append((words.text("funnel.charts.users_met", forecast=forecast), b.INK2, "Regular"))
    else:
        chance = words.number(mark.chance, "probability")
        lines.append((words.text("chances.charts.users_chance", forecast=forecast, chance=chance), b.INK2, "Regular"))
    if not mark.met:
        gap = words.number(mark.goal - mark.forecast, "users")
        lines.append((words.text("funnel.charts.share_short", gap=gap), b.RED, "Medium"))
    return b.Note(mark.month, max(mark.goal, mark.forecast), tuple(lines))


def _ends(ax: Axes, data: FanData, words: Words) -> None:
    """Name the ends of the line and of the bands, with their values in a column."""
    rows = [(float(data.line[-1]), words.text("chances.charts.forecast"), b.BLUE, "Bold")]
    for level, (low, high) in data.bands.items():
        share = words.number(level, "probability")
        for side, value in (("upper", high[-1]), ("lower", low[-1])):
            rows.append((float(value), words.text(f"chances.charts.{side}", level=share), b.INK2, "Regular"))
    labels = [b.EndLabel(y, name, words.number(y, "users"), colour, weight) for y, name, colour, weight in rows]
    b.end_labels(ax, data.months, labels, size=9, dx=10, value_dx=_COLUMN, room=(0, 0))
    last = b.month_days(data.start, data.months)[-1]
    b.write_at(ax, 1.0, 1.0, words.month(last), size=9, colour=b.INK2, ha="right", dx=_COLUMN, dy=8, va="baseline")


@b.styled
def bridge(data: BridgeData, words: Words) -> Figure:
    """Opening, intake by kind, losses and forecast as a waterfall; what the goal still lacks is dashed."""
    fig = b.canvas()
    ax = b.panel(fig, 0, 34, b.LIVE, 236)
    steps = _steps(data, words)
    highest = max(*(low + height for _, low, height, _, _ in steps), 1.0)
    ax.set_xlim(-0.5, len(steps) - 0.5)
    ax.set_ylim(0, highest)
    ax.axhline(0, color=b.INK3, linewidth=0.8, zorder=3.5)
    for index, (name, low, height, look, number) in enumerate(steps):
        _step(ax, index, low, height, look)
        _, colour, weight = _LOOKS[look]
        b.write(ax, index, low + height, number, size=11, weight=weight, colour=colour, ha="center", dy=10)
        for line, part in enumerate(b.fit_lines(name, b.LIVE / len(steps) - 8, 9.5, "Medium") or [name]):
            b.write(ax, index, 0, part, size=9.5, weight="Medium", ha="center", dy=-14 - 13 * line)
    for index, ((_, low, height, look, _), after) in enumerate(pairwise(steps)):
        level = low if look == "loss" else low + height
        if (look, after[3]) != ("forecast", "goal"):
            b.segment(ax, [index + 0.33, index + 0.67], [level, level], colour=b.INK3, width=0.8, zorder=2)
    return fig


_LOOKS = {
    "opening": (b.INK, b.INK, "Bold"),
    "gain": (b.TEAL, b.TEAL, "Medium"),
    "loss": (b.RED, b.RED, "Medium"),
    "forecast": (b.BLUE, b.BLUE, "Bold"),
    "missing": (b.MISSING_FILL, b.RED, "Bold"),
    "goal": (b.WHITE, b.INK, "Bold"),
}


def _steps(data: BridgeData, words: Words) -> list[tuple[str, float, float, str, str]]:
    """Return (name, lower end, height, look, number) of each bar from left to right."""
    month = words.number(data.month, "month")

    def bar(key: str, low: float, height: float, look: str, *, change: float | None = None) -> tuple:
        shown = words.number(height if change is None else change, "users", signed=change is not None)
        dated = {"month": month} if look in ("forecast", "goal") else {}
        return words.text(f"chances.charts.bridge_{key}", **dated), low, height, look, shown

    steps = [bar("opening", 0.0, data.opening, "opening")]
    level = data.opening
    for kind, people in data.joined.items():
        if people:
            steps.append(bar(kind, level, people, "gain", change=people))
            level += people
    steps.append(bar("left", level - data.left, data.left, "loss", change=-data.left))
    steps.append(bar("forecast", 0.0, data.forecast, "forecast"))
    if data.goal is not None:
        gap = data.goal - data.forecast
        if gap > 0:
            steps.append(bar("missing", data.forecast, gap, "missing", change=gap))
        steps.append(bar("goal", 0.0, data.goal, "goal"))
    return steps


def _step(ax: Axes, index: int, low: float, height: float, look: str) -> None:
    from matplotlib.patches import Rectangle

    if look == "missing":
        b.missing_bar(ax, index - 0.33, low, 0.66, height)
        return
    edge = {"edgecolor": b.INK, "linewidth": 1.2} if look == "goal" else {"linewidth": 0}
    ax.add_patch(Rectangle((index - 0.33, low), 0.66, height, facecolor=_LOOKS[look][0], zorder=3, **edge))


@b.styled
def tornado(data: TornadoData, words: Words) -> Figure:
    """One bar an input from its low to its high value, the others at the centre; what they are stands at the ends."""
    fig = b.canvas(TORNADO_WIDTH)
    shown = data.bars[:MOST_SWINGS]
    names, edge = 132.0, 40.0
    ax = b.panel(fig, names + edge, 52, TORNADO_WIDTH - names - 2 * edge, 236)
    ends = [value for bar in shown for value in (bar.at_low, bar.at_high)] or [data.centre]
    _horizontal(ax, min(*ends, data.centre), max(*ends, data.centre), len(shown), data.unit, words)
    month = words.number(data.month, "month")
    title = words.text("chances.charts.tornado", metric=words.metric(data.metric), month=month)
    b.write(fig, 0, 8, title, size=10, weight="Bold", colour=b.INK)
    for row, bar in enumerate(shown):
        _swing(ax, row, bar, data.centre, words, names + edge)
    b.segment(ax, [data.centre] * 2, [-0.5, len(shown) - 0.5], colour=b.INK, width=1.2, zorder=6)
    forecast = words.text("chances.charts.centre", forecast=words.number(data.centre, data.unit))
    b.write(ax, data.centre, -0.5, forecast, size=9, weight="Medium", colour=b.INK, ha="center", dy=9)
    return fig


def _horizontal(ax: Axes, low: float, high: float, rows: int, unit: str, words: Words) -> None:
    """Give a panel its horizontal axis of values, rows counting downwards."""
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    ax.set_xlim(low - room, high + room)
    ax.set_ylim(max(rows, 1) - 0.5, -0.5)
    at = b.ticks(low, high, most=4)
    scale = b.scale_of(float(np.abs(at).max()), unit, words)
    shown = at / scale.factor
    places = next((p for p in range(4) if np.allclose(shown, np.round(shown, p), atol=1e-9)), 4)
    scale = b.Scale(scale.factor, scale.unit, places)
    left, right = ax.get_xlim()
    for value in at:
        if left <= value <= right:
            ax.axvline(value, color=b.GRID, linewidth=0.8, zorder=0.5)
            b.write(ax, value, ax.get_ylim()[0], scale.write(value), size=8.5, ha="center", dy=-12, tick=True)
    b.write(ax, right, ax.get_ylim()[0], scale.unit, size=8.5, colour=b.INK3, ha="right", dy=-26, tick=True)


def _swing(ax: Axes, row: int, bar: Bar, centre: float, words: Words, left: float) -> None:
    ends: Sequence[tuple[float, float]] = sorted(((bar.at_low, bar.low_input), (bar.at_high, bar.high_input)))
    for (reached, _), colour in zip(ends, (b.RED, b.TEAL), strict=True):
        ax.barh(row, reached - centre, left=centre, height=0.5, color=colour, zorder=3)
    name = words.pick(bar.name)
    lines = b.fit_lines(name, left - 48, 9.5, "Medium") or [name]
    for line, part in enumerate(lines):
        shift = 6.0 * (len(lines) - 1) - 12.0 * line
        b.write(ax, ax.get_xlim()[0], row, part, size=9.5, weight="Medium", colour=b.INK, dx=-left, dy=shift)
    (low, low_input), (high, high_input) = ends
    b.write(ax, min(low, centre), row, words.number(low_input, bar.unit), size=8.5, ha="right", dx=-4)
    b.write(ax, max(high, centre), row, words.number(high_input, bar.unit), size=8.5, dx=4)
