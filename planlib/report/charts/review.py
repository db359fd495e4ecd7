"""Charts of the review: scorecard with sparklines, bridge of GMV, risks, productivity, effects of actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_ROWS = 10
_HEAD, _PITCH = 20.0, 28.0
_PLAN, _ACTUAL, _GAP, _STATUS, _SPARK, _SPARK_END, _FORECAST = 336.0, 424.0, 536.0, 556.0, 646.0, 766.0, 864.0
_COLOURS = {"on_track": b.TEAL, "at_risk": b.AMBER_TEXT, "off_track": b.RED, "not_measured": b.INK3}
_GREYS = ("#F7F7F7", "#ECEEEE", "#DFE2E4", "#CFD3D9", "#C4C9D2")


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One metric of the scorecard.

    Attributes:
        metric, unit: catalogue id and unit of plan, actual and forecast.
        plan, actual, gap, forecast: None where there is none; gap is a difference where `absolute`, else a share.
        status: on_track, at_risk, off_track or not_measured; reason: id of the words beside it.
        history, path: (month of the plan, level) of what was and of what is planned.
    """

    metric: str
    unit: str
    plan: float | None
    actual: float | None
    gap: float | None
    absolute: bool
    forecast: float | None
    status: str
    reason: str
    history: Sequence[tuple[float, float]] = ()
    path: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class BridgeData:
    """Steps from one GMV to another: CNY before and after, and (locale key of its name, CNY) of each part."""

    before: tuple[str, float]
    after: tuple[str, float]
    parts: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class RiskMark:
    """A risk in the heat map: its number in the table, its cell now and after its response (None: nobody says)."""

    number: int | str
    before: tuple[int, int]
    after: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class IndexLine:
    """Productivity of one function: its name, and index, low and high end by month, the first month 1."""

    name: str
    level: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Effect:
    """An action: its name in both languages, and what it brought over what was expected, with its interval if known."""

    name: Mapping[str, str]
    share: float
    low: float | None = None
    high: float | None = None


@b.styled
def scorecard(rows: Sequence[ScoreRow], words: Words) -> Figure:
    """Draw a row a metric: plan, actual, gap, status, what was (solid) and is planned (dashed), forecast."""
    rows = rows[:MOST_ROWS]
    fig = b.canvas(height=_HEAD + _PITCH * len(rows) + 4)
    ax = b.panel(fig, 0, 0, b.LIVE, b.size_of(fig)[1], xlim=(0, b.LIVE), ylim=(b.size_of(fig)[1], 0))
    heads = (("metric", 0.0, "left"), ("plan", _PLAN, "right"), ("actual", _ACTUAL, "right"), ("gap", _GAP, "right"),
             ("status", _STATUS, "left"), ("course", _SPARK, "left"), ("forecast", _FORECAST, "right"))  # fmt: skip
    for name, x, ha in heads:
        b.write(ax, x, 11, words.text(f"review.head.{name}"), size=9, weight="Medium", ha=ha)
    for y, colour, width in ((0.6, b.INK, 0.9), (_HEAD, b.INK2, 0.9), (_HEAD + _PITCH * len(rows), b.INK, 0.9)):
        b.segment(ax, (0, b.LIVE), (y, y), colour=colour, width=width)
    for k, row in enumerate(rows):
        top = _HEAD + _PITCH * k
        _score_row(ax, row, top + _PITCH / 2, words)
        if k:
            b.segment(ax, (0, b.LIVE), (top, top), colour=b.GRID, width=0.6)
    return fig


def _score_row(ax: Axes, row: ScoreRow, y: float, words: Words) -> None:
    colour = _COLOURS[row.status]
    b.write(ax, 0, y, words.metric(row.metric), size=10.5, weight="Medium", colour=b.INK)
    figures = ((_PLAN, row.plan, "Regular"), (_ACTUAL, row.actual, "Bold"), (_FORECAST, row.forecast, "Regular"))
    for x, value, weight in figures:
        shown = words.number(value, row.unit)
        b.write(ax, x, y, shown, size=10.5, weight=weight, ha="right", colour=b.INK if value is not None else b.INK3)
    gap = words.number(row.gap, "points" if row.absolute else "relative_change", signed=True)
    b.write(ax, _GAP, y, gap, size=10.5, ha="right", colour=colour)
    _mark(ax, row.status, _STATUS + 5, y)
    b.write(ax, _STATUS + 15, y, words.text(f"review.status.{row.status}"), size=10, weight="Medium", colour=colour)
    if row.history:
        _spark(ax, row, y)
    else:
        why = words.text(f"review.reason.{row.reason}")
        size = 8.5 if b.width_of(why, 8.5) <= _SPARK_END - _SPARK else 7.5
        b.write(ax, _SPARK, y, why, size=size, colour=b.INK3)


def _mark(ax: Axes, status: str, x: float, y: float) -> None:
    """Draw the shape of a status: disc with a tick, triangle, square with a cross, dashed ring."""
    if status == "on_track":
        ax.add_patch(Circle((x, y), 5, facecolor=b.TEAL, linewidth=0, zorder=6))
        b.segment(ax, (x - 2.4, x - 0.6, x + 2.6), (y + 0.2, y + 2, y - 1.8), colour=b.WHITE, width=1.2, zorder=7)
    elif status == "at_risk":
        corners = [(x, y - 5), (x + 5.4, y + 4.4), (x - 5.4, y + 4.4)]
        ax.add_patch(Polygon(corners, facecolor=b.AMBER, edgecolor=b.AMBER_TEXT, linewidth=0.8, zorder=6))
        b.segment(ax, (x, x), (y - 1.6, y + 1.4), colour=b.INK, width=1.1, zorder=7)
        b.segment(ax, (x, x), (y + 2.6, y + 3.4), colour=b.INK, width=1.1, zorder=7)
    elif status == "off_track":
        ax.add_patch(Rectangle((x - 5, y - 5), 10, 10, facecolor=b.RED, linewidth=0, zorder=6))
        for sign in (1, -1):
            b.segment(ax, (x - 2.4, x + 2.4), (y - 2.4 * sign, y + 2.4 * sign), colour=b.WHITE, width=1.2, zorder=7)
    else:
        ring = Circle((x, y), 5, facecolor="none", edgecolor=b.INK3, linewidth=1.0, linestyle=(0, (2, 1.6)), zorder=6)
        ax.add_patch(ring)


def _spark(ax: Axes, row: ScoreRow, y: float) -> None:
    points = [*row.history, *row.path]
    (left, right), (low, high) = ((min(x), max(x)) for x in zip(*points, strict=True))
    wide, tall = max(right - left, 1e-9), max(high - low, 1e-9)

    def at(line: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
        xs = [_SPARK + (x - left) / wide * (_SPARK_END - _SPARK) for x, _ in line]
        return xs, [y + 9 - (value - low) / tall * 18 for _, value in line]

    if len(row.path) > 1:
        b.segment(ax, *at(row.path), colour=b.INK2, width=0.9, dashes=(3, 2))
    xs, ys = at(row.history)
    b.segment(ax, xs, ys, colour=b.INK, width=1.6)
    ax.add_patch(Circle((xs[-1], ys[-1]), 2.2, facecolor=b.INK, linewidth=0, zorder=6))


@b.styled
def bridge(data: BridgeData, words: Words) -> Figure:
    """Draw the way from one GMV to another: what each part adds in teal, what it takes in red."""
    fig = b.canvas()
    bars = len(data.parts) + 2
    levels, total = [data.before[1]], data.before[1]
    for _, part in data.parts:
        total += part
        levels.append(total)
    ax = b.panel(fig, 40, 26, b.LIVE - 40, 256, xlim=(0.4, bars + 0.6))
    b.value_axis(ax, max(*levels, data.after[1]) * 1.08, "CNY", words)
    _total(ax, 1, data.before, words, b.INK)
    for k, (key, part) in enumerate(data.parts, start=2):
        start = levels[k - 2]
        colour = b.TEAL if part >= 0 else b.RED
        ax.bar(k, part, bottom=start, width=0.62, color=colour, linewidth=0, zorder=3)
        b.segment(ax, (k - 1 + 0.31, k - 0.31), (start, start), colour=b.INK3, width=0.7)
        shown = words.number(part, "CNY", signed=True)
        b.write(ax, k, max(start, start + part), shown, size=10, weight="Medium", colour=colour, ha="center", dy=10)
        _below(ax, k, words.text(key))
    b.segment(ax, (bars - 1 + 0.31, bars - 0.31), (levels[-1], levels[-1]), colour=b.INK3, width=0.7)
    _total(ax, bars, data.after, words, b.BLUE)
    return fig


def _total(ax: Axes, x: float, bar: tuple[str, float], words: Words, colour: str) -> None:
    key, value = bar
    ax.bar(x, value, width=0.62, color=colour, linewidth=0, zorder=3)
    b.write(ax, x, value, words.number(value, "CNY"), size=10.5, weight="Bold", colour=colour, ha="center", dy=10)
    _below(ax, x, words.text(key))


def _below(ax: Axes, x: float, text: str) -> None:
    for k, line in enumerate(b.fit_lines(text, 100, 9.5) or [text]):
        b.write(ax, x, 0, line, size=9.5, ha="center", dy=-14 - 13 * k, va="baseline")


@b.styled
def risks(marks: Sequence[RiskMark], words: Words) -> Figure:
    """Draw chances against impacts: hollow as the risk stands, solid once its response does."""
    fig = b.canvas(width=400)
    left, top, side, tall = 62.0, 26.0, 66.0, 48.0
    ax = b.panel(fig, 0, 0, 400, b.BODY, xlim=(0, 400), ylim=(b.BODY, 0))
    b.write(ax, left, 14, words.text("review.charts.impact"), size=10, weight="Bold", colour=b.INK)
    for p in range(5):
        for i in range(5):
            box = (left + side * p, top + tall * (4 - i))
            shade = _GREYS[min(max(p + i - 2, 0) * 4 // 6, 4)]
            ax.add_patch(Rectangle(box, side - 3, tall - 3, facecolor=shade, linewidth=0, zorder=1))
    for i in range(5):
        b.write(ax, left - 8, top + tall * (4.5 - i), words.text(f"review.charts.impact_{i}"), size=9, ha="right",
                tick=True)  # fmt: skip
        b.write(ax, left + side * (i + 0.5), top + tall * 5 + 10, words.text(f"review.charts.chance_{i}"), size=9,
                ha="center", tick=True)  # fmt: skip
    b.write(ax, left + side * 5, top + tall * 5 + 26, words.text("review.charts.chance"), size=10, weight="Bold",
            colour=b.INK, ha="right")  # fmt: skip
    places = _places(marks, left, top, side, tall)
    for mark in marks:
        start, end = places[mark.number, "before"], places.get((mark.number, "after"))
        if end:
            arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=8, shrinkA=9, shrinkB=9, linewidth=0.9,
                                    color=b.INK2, zorder=4)  # fmt: skip
            ax.add_patch(arrow)
            _number(ax, end, mark.number, b.BLUE, b.BLUE, b.WHITE)
        _number(ax, start, mark.number, b.WHITE, b.INK, b.INK)
    _number(ax, (left + 6, b.BODY - 10), None, b.WHITE, b.INK, b.INK)
    b.write(ax, left + 18, b.BODY - 10, words.text("review.charts.before"), size=9)
    _number(ax, (left + 96, b.BODY - 10), None, b.BLUE, b.BLUE, b.WHITE)
    b.write(ax, left + 108, b.BODY - 10, words.text("review.charts.after"), size=9)
    return fig


def _places(
    marks: Sequence[RiskMark], left: float, top: float, side: float, tall: float
) -> Mapping[tuple[int, str], tuple[float, float]]:
    """Return where each mark stands, those of one cell beside one another."""
    cells: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for mark in marks:
        cells.setdefault(mark.before, []).append((mark.number, "before"))
        if mark.after is not None:
            cells.setdefault(mark.after, []).append((mark.number, "after"))
    found = {}
    for (p, i), held in cells.items():
        across = min(len(held), 3)
        down = -(-len(held) // 3)
        for k, key in enumerate(held):
            x = left + side * p + (side - 3) * (k % 3 + 0.5) / across
            found[key] = (x, top + tall * (4 - i) + (tall - 3) * (k // 3 + 0.5) / down)
    return found


def _number(ax: Axes, at: tuple[float, float], number: object, fill: str, edge: str, text: str) -> None:
    radius = 8.5 if number is not None else 5.0
    ax.add_patch(Circle(at, radius, facecolor=fill, edgecolor=edge, linewidth=1.3, zorder=5))
    if number is not None:
        b.write(ax, *at, str(number), size=9.5, weight="Bold", colour=text, ha="center", zorder=7)


@b.styled
def productivity(lines: Sequence[IndexLine], start: str, words: Words) -> Figure:
    """Draw the index of each function by month, its interval at the end."""
    fig = b.canvas(width=420)
    months = len(lines[0].level)
    ax = b.panel(fig, 34, 30, 420 - 34 - 96, 258)
    b.month_axis(ax, start, months, words)
    b.value_axis(ax, max(max(line.high) for line in lines) * 1.02, "number", words,
                 head=words.text("oversight.charts.efficiency"))  # fmt: skip
    b.segment(ax, (0.5, months + 0.5), (1.0, 1.0), colour=b.INK3, width=0.8, dashes=(3, 2))
    labels = []
    for k, (line, colour) in enumerate(zip(lines, b.CATEGORIES, strict=False)):
        x = range(1, months + 1)
        ax.plot(x, line.level, color=colour, linewidth=2.2 if k == len(lines) - 1 else 1.5, zorder=5)
        at = months + 0.12 * (k + 1)
        b.segment(ax, (at, at), (line.low[-1], line.high[-1]), colour=colour, width=1.1)
        ink = b.INK if colour == b.CATEGORIES[2] else colour
        name = words.text(f"oversight.function.{line.name}")
        labels.append(b.EndLabel(line.level[-1], name, words.number(line.level[-1], "number", decimals=2), ink))
    b.end_labels(ax, months + 0.5, labels, size=9)
    return fig


@b.styled
def effects(rows: Sequence[Effect], words: Words) -> Figure:
    """Draw what each action brought as a share of what was expected of it, with its interval."""
    fig = b.canvas(width=420)
    pitch = min(44.0, 262.0 / max(len(rows), 1))
    ends = [x for row in rows for x in (row.low, row.share, row.high) if x is not None]
    low, high = min([*ends, 0.0]), max([*ends, 1.0])
    ax = b.panel(fig, 12, 34, 396, pitch * len(rows), xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    for at in b.ticks(low, high, most=5):
        if low <= at <= high:
            b.segment(ax, (at, at), (-0.5, len(rows) - 0.5), colour=b.GRID, width=0.8, zorder=0.5)
            b.write(ax, at, len(rows) - 0.5, words.number(at, "ratio", decimals=0), size=8.5, ha="center", dy=-12,
                    tick=True)  # fmt: skip
    b.segment(ax, (0, 0), (-0.5, len(rows) - 0.5), colour=b.INK3, width=0.8)
    b.segment(ax, (1, 1), (-0.5, len(rows) - 0.5), colour=b.INK2, width=1.0, dashes=(3, 2))
    b.write(ax, 1, -0.5, words.text("oversight.charts.expected"), size=9, ha="center", dy=10)
    for k, row in enumerate(rows):
        told = row.low is not None and row.high is not None
        if told:
            b.segment(ax, (row.low, row.high), (k + 0.18, k + 0.18), colour=b.INK, width=1.1)
        colour = b.TEAL if row.share > 0 else b.RED
        sure = told and (row.low > 0 or row.high < 0)
        ax.plot([row.share], [k + 0.18], "o", markersize=6.5, markerfacecolor=colour if sure else b.WHITE,
                markeredgecolor=colour, markeredgewidth=1.4, zorder=6)  # fmt: skip
        b.write(ax, low, k - 0.22, words.pick(row.name), size=9.5, weight="Medium", colour=b.INK, halo=True)
        b.write(ax, high, k - 0.22, words.number(row.share, "ratio", decimals=0), size=9, weight="Medium",
                colour=colour, ha="right", halo=True)  # fmt: skip
    return fig
