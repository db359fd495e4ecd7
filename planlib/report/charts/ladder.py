"""Charts of goals taken apart: the monthly ladder over its forecast, and the tree of drivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from planlib.core.words import Words
from planlib.report.charts import base as b

_SHARES = ("ratio", "relative_change")  # written as per cent, their differences as points
_ROW = 20.0
_TABLE = 246.0  # top of the table below the bars
_SIZE = 9.0
_BOX, _GAP, _TALL, _LINE = 126.0, 21.0, 37.0, 13.0
_EDGE = 1.0  # room for the outline of a box at the page's margin


@dataclass(frozen=True, slots=True)
class LadderData:
    """A ladder of M months beside its forecast.

    Attributes:
        start: first month, YYYY-MM.
        unit: of all values.
        values: (M,) the ladder.
        forecast: (M,) middle; None when the metric is not forecast.
        low, high: (M,) 80 % range of the forecast; None when it has none.
        goals, fixed: months whose rung is a target's, or set by hand.
        falls: the metric is better low.
        steps: write what each month has to add; False for monthly amounts.
        stages: name in both languages, first and last month.
    """

    start: str
    unit: str
    values: np.ndarray
    forecast: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    goals: tuple[int, ...] = ()
    fixed: tuple[int, ...] = ()
    falls: bool = False
    steps: np.ndarray | None = None
    stages: tuple[tuple[Mapping[str, str], int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One figure of the tree; see `planlib.funnel.tree.Node`."""

    metric: str
    parent: str
    depth: int
    unit: str
    now: float
    needed: float | None
    goal: float | None
    red: bool
    reachable: bool


@b.styled
def ladder(data: LadderData, words: Words) -> Figure:
    """Draw the ladder as steps over bars of the forecast, its numbers in a table on the same columns."""
    fig = b.canvas()
    rows = _rows(data, words)
    left = max([b.width_of(name, _SIZE, "Medium") for name, _, _ in rows], default=0.0) + 16
    left = max(left, 64.0)
    months = len(data.values)
    ax = b.panel(fig, left, 34, b.LIVE - left, 172)
    tops = [x for x in (data.values, data.forecast, data.high) if x is not None]
    b.month_axis(ax, data.start, months, words)
    unit = "ratio" if data.unit in _SHARES else data.unit
    highest, lowest = (float(end([end(x[np.isfinite(x)], initial=0.0) for x in tops])) for end in (np.max, np.min))
    b.value_axis(ax, highest, unit, words, lowest=lowest, head_dy=22, most=5)
    b.stage_shading(ax, [b.Span(words.pick(name), first, last) for name, first, last in data.stages if first <= months])
    taken = b.Taken()
    if data.forecast is not None:
        _bars(ax, data, taken)
    _steps(ax, data, taken)
    b.notes(ax, _names(data, words), taken)
    table = b.panel(fig, left, _TABLE, b.LIVE - left, _ROW * len(rows), xlim=(0.5, months + 0.5), ylim=(len(rows), 0))
    _table(table, data, rows, left, words)
    return fig


def _bars(ax: Axes, data: LadderData, taken: b.Taken) -> None:
    months = np.arange(1, len(data.values) + 1)
    ax.bar(months, data.forecast, 0.68, color=b.BLUES[2], linewidth=0, zorder=2)
    for month, value in zip(months, data.forecast, strict=True):
        if np.isfinite(value):
            left, top = b.to_points(ax, month - 0.34, value)
            right, _ = b.to_points(ax, month + 0.34, value)
            taken.add_box(left, 0, right, top)
    if data.low is not None:
        for month, low, high in zip(months, data.low, data.high, strict=True):
            b.segment(ax, [month, month], [low, high], colour=b.BLUE, width=1.2, zorder=4)
            taken.add_line(ax, [month, month], [low, high])


def _steps(ax: Axes, data: LadderData, taken: b.Taken) -> None:
    edges = np.repeat(np.arange(len(data.values) + 1) + 0.5, 2)[1:-1]
    levels = np.repeat(data.values, 2)
    ax.plot(edges, levels, color=b.INK, linewidth=0.8, zorder=4.5, clip_on=False)
    for month, value in enumerate(data.values, start=1):
        b.segment(ax, [month - 0.5, month + 0.5], [value, value], width=2.2, zorder=5)
    taken.add_line(ax, edges, levels)
    for month in data.goals:
        b.target(ax, month, data.values[month - 1])
        _keep_clear(ax, month, data.values[month - 1], taken)
    for month in data.fixed:
        b.dot(ax, month, data.values[month - 1], colour=b.INK, size=6.0)
        _keep_clear(ax, month, data.values[month - 1], taken)


def _keep_clear(ax: Axes, x: float, y: float, taken: b.Taken) -> None:
    at, height = b.to_points(ax, x, y)
    taken.add_box(at - 5, height - 5, at + 5, height + 5)


def _names(data: LadderData, words: Words) -> list[b.Note]:
    """Name ladder, forecast and range where there is room near the middle."""
    months = len(data.values)
    middle = max(round(months * 0.45), 1)
    found = [b.Note(middle, float(data.values[middle - 1]), ((words.text("ladder.chart.ladder"), b.INK, "Medium"),))]
    if data.forecast is None:
        return found
    if data.low is not None:
        at = max(round(months * 0.7), 1)
        text = (words.text("ladder.chart.range"), b.BLUE, "Medium")
        found.append(b.Note(at, float(data.high[at - 1]), (text,)))
    at = max(round(months * 0.2), 1)
    if np.isfinite(data.forecast[at - 1]):
        text = (words.text("ladder.chart.forecast"), b.BLUE, "Medium")
        found.append(b.Note(at, float(data.forecast[at - 1]), (text,)))
    return found


def _rows(data: LadderData, words: Words) -> list[tuple[str, np.ndarray, str]]:
    """Return name, values and kind (plain, gap, signed) of the rows of the table."""
    rows = [(words.text("ladder.head.value"), data.values, "plain")]
    if data.forecast is not None:
        rows.append((words.text("ladder.head.forecast"), data.forecast, "plain"))
        rows.append((words.text("ladder.head.gap"), data.forecast - data.values, "gap"))
    if data.steps is not None:
        rows.append((words.text("ladder.head.step"), data.steps, "signed"))
    return rows


def _table(ax: Axes, data: LadderData, rows: Sequence[tuple[str, np.ndarray, str]], left: float, words: Words) -> None:
    months = len(data.values)
    written = [[_number(value, data.unit, kind, words) for value in values] for _, values, kind in rows]
    pitch = b.panel_size(ax)[0] / months
    size = next((s for s in (_SIZE, 8.5) if _widest(written, s) + 5 <= pitch), 8.5)
    wide = _widest(written, size) + 5
    every = next((step for step in (1, 2, 3, 4, 6, 12) if step * pitch >= wide), 12)
    shown = [month for month in range(1, months + 1) if (months - month) % every == 0]
    for index, (name, values, kind) in enumerate(rows):
        _rule(ax, left, index)
        b.write(ax, 0.5, index + 0.5, name, size=_SIZE, weight="Medium", colour=b.INK, dx=-left)
        for month in shown:
            bad = kind == "gap" and (values[month - 1] > 0 if data.falls else values[month - 1] < 0)
            style = {"weight": "Medium", "colour": b.RED} if bad else {"colour": b.INK}
            text = written[index][month - 1]
            over = b.width_of(text, size, "Medium") / 2 - (months - month + 0.5) * pitch
            b.write(ax, month, index + 0.5, text, size=size, ha="center", dx=-max(over, 0.0), **style)


def _widest(written: Sequence[Sequence[str]], size: float) -> float:
    return max(b.width_of(text, size, "Medium") for row in written for text in row)


def _number(value: float, unit: str, kind: str, words: Words) -> str:
    if not np.isfinite(value):
        return words.number(None, unit)
    unit = "points" if unit in _SHARES and kind != "plain" else unit
    return words.number(float(value), unit, signed=kind == "gap")


def _rule(ax: Axes, left: float, y: float) -> None:
    width = b.panel_size(ax)[0]
    (x0, x1) = ax.get_xlim()
    line = Line2D([x0 - left / width * (x1 - x0), x1], [y, y], color=b.RULE if y == 0 else b.GRID, linewidth=0.8)
    line.set_clip_on(False)
    ax.add_artist(line)
    line.set_clip_on(False)


@b.styled
def tree(nodes: Sequence[TreeNode], words: Words) -> Figure:
    """Draw the tree from the goal on the left to the drivers on the right: each figure now and as needed."""
    fig = b.canvas()
    deepest = max(node.depth for node in nodes)
    wide = min((b.LIVE - 2 * _EDGE - _GAP * deepest) / (deepest + 1), _BOX)
    pitch = (b.LIVE - 2 * _EDGE - wide) / max(deepest, 1)
    heights, step = _heights(nodes)
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    place = {node.metric: (_EDGE + node.depth * pitch, y) for node, y in zip(nodes, heights, strict=True)}
    for node in nodes:
        if node.parent:
            _branch(ax, place[node.parent], place[node.metric], wide)
    for node in nodes:
        _box(ax, node, *place[node.metric], wide, words, third=step >= _TALL + _LINE + 3)
    return fig


def _heights(nodes: Sequence[TreeNode]) -> tuple[np.ndarray, float]:
    """Middle of each box, and the distance of leaves.

    Leaves are spread evenly from top to bottom, a parent stands between its first and last child.
    """
    below: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        below.setdefault(node.parent, []).append(index)
    leaves = [index for index, node in enumerate(nodes) if node.metric not in below]
    step = b.BODY / len(leaves)
    middle = np.zeros(len(nodes))
    middle[leaves] = step * (np.arange(len(leaves)) + 0.5)
    for index in sorted(set(range(len(nodes))) - set(leaves), key=lambda i: -nodes[i].depth):
        children = middle[below[nodes[index].metric]]
        middle[index] = (children.min() + children.max()) / 2
    return middle, step


def _branch(ax: Axes, parent: tuple[float, float], child: tuple[float, float], wide: float) -> None:
    bend = (parent[0] + wide + child[0]) / 2
    xs, ys = [parent[0] + wide, bend, bend, child[0]], [parent[1], parent[1], child[1], child[1]]
    b.segment(ax, xs, ys, colour=b.INK3, width=0.8, zorder=1)


def _box(ax: Axes, node: TreeNode, x: float, y: float, wide: float, words: Words, *, third: bool) -> None:
    """Draw one figure: its name, now and as needed, and the target of its own that it misses where there is room."""
    far = node.red or not node.reachable
    own = "" if node.goal is None else words.text("ladder.chart.own", goal=words.number(node.goal, node.unit))
    third = third and node.red and bool(node.parent) and node.needed is not None and bool(own)
    tall = _TALL + (_LINE if third else 0.0)
    top = y - tall / 2
    style: dict[str, Any] = {"facecolor": b.MISSING_FILL if far else b.PANEL, "edgecolor": b.RED if far else b.RULE}
    ax.add_patch(Rectangle((x, top), wide, tall, linewidth=1.2 if far else 0.8, zorder=2, **style))
    name = words.metric(node.metric)
    size = next((s for s in (9.0, 8.5) if b.width_of(name, s, "Medium") <= wide - 10), 8.5)
    b.write(ax, x + 6, top + 10, name, size=size, weight="Medium", colour=b.INK)
    text, colour = words.number(node.now, node.unit), b.RED if node.red else b.INK2
    if node.needed is not None and not np.isclose(node.needed, node.now):
        text = f"{text} → {words.number(node.needed, node.unit)}"
        colour = b.RED if node.red else b.BLUE
    b.write(ax, x + 6, top + 27, text, size=9.5, weight="Bold", colour=colour)
    if node.needed is None and own:
        b.write(ax, x + wide - 6, top + 27, own, size=8.5, ha="right")
    if third:
        b.write(ax, x + 6, top + 41, own, size=8.5, colour=b.RED)
