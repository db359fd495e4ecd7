"""Charts of customer value: segments, the grid of nine, tier flow, lifetime value, warnings, the clock of value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from planlib.core.words import Words
from planlib.report.charts import base as b

BESIDE = 420.0  # width of a chart beside a table
NARROW = 300.0  # beside a table with sentences
LETTERS = "ABCDEFGHI"


@dataclass(frozen=True, slots=True)
class SegmentsData:
    """Classes of customers, those worth most a head first.

    Attributes:
        share: (S,) of those who have ordered.
        per_head_cny: (S,) money of one of them.
        money_share: (S,) of all money; None where that makes no sense.
        warned: (S,) drawn in the colour of loss: worth a rescue.
    """

    share: np.ndarray
    per_head_cny: np.ndarray
    money_share: Sequence[float | None]
    warned: Sequence[bool]


@dataclass(frozen=True, slots=True)
class GridData:
    """The nine classes of value and interaction.

    Attributes:
        names: (9,) ids under customers.grid, value low to high and within it interaction low to high.
        customers: (9,) counts.
        share: (9,) of all.
    """

    names: Sequence[str]
    customers: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class FlowData:
    """Members by tier at two dates and how they moved.

    Attributes:
        names: (K,) in both languages, the highest tier first.
        moved: (K + 1, K + 1) people from (row) to (column); the last is outside.
        before, after: dates.
    """

    names: Sequence[Mapping[str, str]]
    moved: np.ndarray
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LifetimeData:
    """How well purchases were foretold, and what a customer of each tier is worth.

    Attributes:
        group: (G,) repeat purchases before the cut, the last group and more.
        predicted, actual: (G,) mean purchases after it.
        names: (K,) tiers in both languages.
        value: (K,) CNY a member; low, high: its interval.
        lines: (label key, CNY) of reference lines.
    """

    group: Sequence[int]
    predicted: np.ndarray
    actual: np.ndarray
    names: Sequence[Mapping[str, str]]
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lines: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class WarningData:
    """How a score fared on people it had not seen, and what acting on it is worth.

    Attributes:
        predicted, observed, low, high: (B,) bins of the calibration curve.
        lift: (10,) lift of the tenths; lift_low, lift_high: its interval.
        contacted: (C,) share of people contacted, from the likeliest on.
        net_cny: (C,) expected net worth.
        chosen: share contacted at the threshold.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lift: np.ndarray
    lift_low: np.ndarray
    lift_high: np.ndarray
    contacted: np.ndarray
    net_cny: np.ndarray
    chosen: float


@b.styled
def segments(data: SegmentsData, words: Words) -> Figure:
    """Draw each class as wide as its buyers and as high as the money of one of them."""
    figure = b.canvas(NARROW, b.BODY)
    wide, tall = NARROW - 38, b.BODY - 76
    ax = b.panel(figure, 34, 36, wide, tall, xlim=(0, 1))
    b.write(figure, 0, 6, words.text("value.charts.segments"), size=9.5, weight="Bold", colour=b.INK)
    highest = max(float(np.max(data.per_head_cny)), 1.0)
    b.value_axis(ax, highest, "CNY", words, head="", most=5)
    top, left = ax.get_ylim()[1], 0.0
    for k, (share, height) in enumerate(zip(data.share, data.per_head_cny, strict=True)):
        if share <= 0:
            continue
        colour = b.RED if data.warned[k] else b.BLUES[max(0, 5 - k)]
        high = max(float(height), 0.0)
        ax.add_patch(Rectangle((left, 0), share, high, fc=colour, ec=b.WHITE, linewidth=1.2, zorder=3))
        b.write(ax, left + share / 2, high, LETTERS[k], size=10, weight="Bold", colour=b.INK, ha="center", dy=8)
        part = data.money_share[k]
        if part is not None and share * wide > 26 and high / top * tall > 16:
            told = words.number(float(part), "ratio", decimals=0)
            b.write(ax, left + share / 2, high / 2, told, size=9, colour=b.on_fill(colour), ha="center")
        left += float(share)
    for x in (0.0, 0.5, 1.0):
        _number(ax, x, 0, f"{x * 100:.0f}%")
    _foot(ax, 0.5, 0, words.text("value.charts.share_of_buyers"))
    return figure


@b.styled
def grid(data: GridData, words: Words) -> Figure:
    """Draw nine cells, value upwards and interaction to the right, with people and what to do."""
    figure = b.canvas()
    left, top, foot = 92.0, 4.0, 26.0
    wide, tall = (b.LIVE - left) / 3, (b.BODY - top - foot) / 3
    most = float(np.max(data.share)) or 1.0
    for value in range(3):
        place = top + (2 - value) * tall
        level = words.text(f"value.charts.value_{value}")
        b.write(figure, 0, place + tall / 2, level, size=10, weight="Bold", colour=b.INK)
        for interaction in range(3):
            k = value * 3 + interaction
            fill = b.BLUES[min(int(5 * float(data.share[k]) / most), 4)] if data.share[k] else b.WHITE
            ink = b.on_fill(fill)
            x = left + interaction * wide
            ax = b.panel(figure, x + 2, place + 2, wide - 4, tall - 4, xlim=(0, 1), ylim=(0, 1))
            ax.add_patch(Rectangle((0, 0), 1, 1, fc=fill, ec=b.GRID, linewidth=0.8, zorder=1))
            people = words.number(float(data.customers[k]), "users")
            b.write(figure, x + 12, place + 20, people, size=14, weight="Bold", colour=ink)
            part = words.number(float(data.share[k]), "ratio")
            b.write(figure, x + wide - 12, place + 20, part, size=10, weight="Medium", colour=ink, ha="right")
            name = words.text(f"customers.grid.{data.names[k]}.name")
            b.write(figure, x + 12, place + 42, name, size=10, weight="Medium", colour=ink)
            action = words.text(f"customers.grid.{data.names[k]}.action")
            for line, text in enumerate(b.fit_lines(action, wide - 26, 9) or [action]):
                b.write(figure, x + 12, place + 62 + 14 * line, text, size=9, colour=ink)
    for interaction in range(3):
        x = left + (interaction + 0.5) * wide
        text = words.text(f"value.charts.interaction_{interaction}")
        b.write(figure, x, b.BODY - 8, text, size=10, weight="Bold", colour=b.INK, ha="center")
    return figure


@b.styled
def flow(data: FlowData, words: Words) -> Figure:
    """Draw the tiers at two dates as stacks, and those who moved as ribbons between them."""
    figure = b.canvas(BESIDE, b.BODY)
    many = len(data.names)
    ax = b.panel(figure, 0, 26, BESIDE, b.BODY - 30, xlim=(0, BESIDE), ylim=(b.BODY - 30, 0))
    moved = np.asarray(data.moved, dtype=float)
    gap, bar, sides = 12.0, 26.0, (96.0, BESIDE - 96.0)
    pitch = (b.BODY - 34 - gap * many) / max(moved.sum(), 1.0)
    tops = []
    for axis in (1, 0):
        sizes = moved.sum(axis=axis)
        tops.append(np.concatenate([[0.0], np.cumsum(sizes * pitch + gap)[:-1]]))
    colours = [*(b.BLUES[5 - k if many <= 4 else max(5 - k, 0)] for k in range(many)), b.GRID]
    sent, got = tops[0].copy(), tops[1].copy()
    for i in range(many + 1):
        for j in range(many + 1):
            people = moved[i, j] * pitch
            if people <= 0:
                continue
            if not (i == j == many):
                colour = b.PANEL if i == j else colours[min(i, j)]
                _ribbon(ax, (sides[0] + bar / 2, sent[i]), (sides[1] - bar / 2, got[j]), people, colour)
            sent[i] += people
            got[j] += people
    for side, (x, when) in enumerate(zip(sides, (data.before, data.after), strict=True)):
        sizes = moved.sum(axis=1 - side)
        b.write(ax, x, -14, when, size=9, weight="Medium", colour=b.INK2, ha="center", tick=True)
        for k in range(many + 1):
            if sizes[k] <= 0:
                continue
            corner, tall = (x - bar / 2, tops[side][k]), sizes[k] * pitch
            ax.add_patch(Rectangle(corner, bar, tall, fc=colours[k], ec="none", zorder=4))
            name = words.pick(data.names[k]) if k < many else words.text(f"value.charts.outside_{side}")
            ha, at = ("right", x - bar / 2 - 6) if side == 0 else ("left", x + bar / 2 + 6)
            middle = tops[side][k] + sizes[k] * pitch / 2
            b.write(ax, at, middle - 6, name, size=9.5, weight="Medium", colour=b.INK, ha=ha)
            b.write(ax, at, middle + 7, words.number(float(sizes[k]), "users"), size=9, colour=b.INK2, ha=ha)
    return figure


def _ribbon(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], size: float, colour: str
) -> None:  # fmt: skip
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    outline = [
        (x0, y0), (middle, y0), (middle, y1), (x1, y1),
        (x1, y1 + size), (middle, y1 + size), (middle, y0 + size), (x0, y0 + size), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    ax.add_patch(PathPatch(Path(outline, codes), fc=colour, ec="none", alpha=0.55, zorder=2))


@b.styled
def lifetime(data: LifetimeData, words: Words) -> Figure:
    """Left what was foretold against what came, right what a member of each tier is worth."""
    figure = b.canvas()
    ax = b.panel(figure, 36, 44, 364, b.BODY - 44 - 42, xlim=(-0.5, len(data.group) - 0.5))
    highest = float(max(np.max(data.predicted), np.max(data.actual), 0.01))
    b.value_axis(ax, highest, "number", words, head="")
    b.heading(ax, words.text("value.charts.foretold"), dy=26, dx=-36)
    for k, group in enumerate(data.group):
        ax.add_patch(Rectangle((k - 0.34, 0), 0.32, float(data.actual[k]), fc=b.INK2, ec="none", zorder=3))
        ax.add_patch(Rectangle((k + 0.02, 0), 0.32, float(data.predicted[k]), fc=b.BLUE, ec="none", zorder=3))
        last = k == len(data.group) - 1
        text = words.text("value.charts.and_more", n=str(group)) if last and group else str(group)
        _number(ax, k, 0, text)
    _foot(ax, (len(data.group) - 1) / 2, 0, words.text("value.charts.repeats_before"))
    for k, (name, colour) in enumerate((("actual", b.INK2), ("predicted", b.BLUE))):
        x = 240.0 + 76 * k
        b.write(figure, x, 18, words.text(f"value.charts.{name}"), size=9, weight="Medium", colour=colour)
    left = 560.0
    rows = len(data.names)
    right = b.panel(figure, left, 44, b.LIVE - left - 6, b.BODY - 44 - 42, ylim=(rows - 0.5, -0.5))
    most = max([float(np.max(data.high)), *(x for _, x in data.lines), 1.0]) * 1.06
    right.set_xlim(0, most)
    b.write(figure, left - 100, 12, words.text("value.charts.worth"), size=10, weight="Bold", colour=b.INK)
    right.axvline(0, color=b.INK3, linewidth=0.8)
    for k, name in enumerate(data.names):
        b.segment(right, [data.low[k], data.high[k]], [k, k], colour=b.BLUES[2], width=6)
        b.dot(right, float(data.value[k]), k, size=7)
        y = 44 + (k + 0.5) * (b.BODY - 86) / rows
        b.write(figure, left - 100, y, words.pick(name), size=10, weight="Medium", colour=b.INK)
        told = words.number(float(data.value[k]), "CNY")
        late = data.high[k] > most * 0.8
        at, ha, dx = (data.low[k], "right", -8) if late else (data.high[k], "left", 8)
        b.write(right, float(at), k, told, size=10, weight="Bold", colour=b.BLUE, ha=ha, dx=dx, halo=True)
    for k, (key, cny) in enumerate(data.lines):
        right.axvline(cny, color=b.INK, linewidth=1.0, linestyle=(0, (3, 2)), zorder=1)
        text = words.text(key, value=words.number(cny, "CNY"))
        side = "center" if k < len(data.lines) - 1 else "right"
        b.write(right, cny, rows - 0.5, text, size=8.5, colour=b.INK2, ha=side, dy=-12 - 13 * (k % 2))
    return figure


def _foot(ax: Axes, x: float, y: float, text: str) -> None:
    """Name a horizontal axis below its numbers."""
    b.write(ax, x, y, text, size=8.5, colour=b.INK3, ha="center", dy=-27)


def _number(ax: Axes, x: float, y: float, text: str) -> None:
    """Write a number of a horizontal axis."""
    b.write(ax, x, y, text, size=8.5, colour=b.INK3, ha="center", dy=-11, tick=True)


@b.styled
def warning(data: WarningData, words: Words) -> Figure:
    """Left foretold against observed, in the middle the lift of the tenths, right the net worth of acting."""
    figure = b.canvas()
    top, tall = 52.0, b.BODY - 52 - 40
    ax = b.panel(figure, 34, top, 220, tall)
    highest = float(max(np.max(data.high), np.max(data.predicted), 0.01))
    ax.set_xlim(0, highest)
    b.value_axis(ax, highest, "ratio", words, head="")
    upper = ax.get_ylim()[1]
    ax.set_xlim(0, upper)
    b.heading(ax, words.text("value.charts.calibration"), dy=26, dx=-34)
    b.segment(ax, [0, upper], [0, upper], colour=b.INK3, width=0.8)
    for x, y, low, high in zip(data.predicted, data.observed, data.low, data.high, strict=True):
        b.segment(ax, [x, x], [low, high], colour=b.BLUES[2], width=3)
        b.dot(ax, float(x), float(y), size=6)
    for x in (0.0, upper / 2, upper):
        _number(ax, x, 0, words.number(float(x), "ratio"))
    _foot(ax, upper / 2, 0, words.text("value.charts.predicted_share"))
    middle = b.panel(figure, 324, top, 210, tall, xlim=(0.4, len(data.lift) + 0.6))
    b.value_axis(middle, float(np.max(data.lift_high)), "number", words, head="")
    b.heading(middle, words.text("value.charts.lift"), dy=26, dx=-34)
    for k, (mid, low, high) in enumerate(zip(data.lift, data.lift_low, data.lift_high, strict=True), start=1):
        colour = b.BLUES[5] if k == 1 else b.BLUES[2]
        middle.add_patch(Rectangle((k - 0.38, 0), 0.76, float(mid), fc=colour, ec="none", zorder=3))
        b.segment(middle, [k, k], [low, high], colour=b.INK2, width=1.2)
        _number(middle, k, 0, str(k))
    b.segment(middle, [0.4, len(data.lift) + 0.6], [1, 1], colour=b.INK3, width=0.8)
    _foot(middle, (len(data.lift) + 1) / 2, 0, words.text("value.charts.tenths"))
    right = b.panel(figure, 616, top, b.LIVE - 616 - 14, tall)
    last = min(1.0, max(4 * data.chosen, 0.02))  # beyond, only the loss grows
    shown = data.contacted <= last
    contacted = np.append(data.contacted[shown], last)
    net = np.append(data.net_cny[shown], np.interp(last, data.contacted, data.net_cny))
    right.set_xlim(0, last)
    low, high = float(min(net.min(), 0.0)), float(max(net.max(), 1.0))
    b.value_axis(right, high, "CNY", words, lowest=low)
    b.heading(right, words.text("value.charts.net"), dy=26, dx=-34)
    right.plot(contacted, net, color=b.BLUE, linewidth=2, zorder=4)
    best = float(np.interp(data.chosen, data.contacted, data.net_cny))
    b.dot(right, data.chosen, best, size=7)
    told = words.text("value.charts.contact", share=words.number(data.chosen, "ratio"))
    b.write(right, data.chosen, best, told, size=9.5, weight="Bold", colour=b.BLUE, dx=8, dy=12, halo=True)
    foot = right.get_ylim()[0]
    for x in (0.0, last / 2, last):
        _number(right, x, foot, words.number(x, "ratio"))
    _foot(right, last / 2, foot, words.text("value.charts.contacted"))
    return figure


@dataclass(frozen=True, slots=True)
class PushData:
    """Exits by how often people are pushed.

    Attributes:
        pushes, rate, low, high: (G,) what was seen: messages a week, monthly rate of leaving, its interval.
        curve: (C,) messages a week and (C,) rate of the fitted curve.
        goal: rate that the plan puts up with.
        bearable, limit: messages a week at that rate, and those that the plan allows; None unstated.
    """

    pushes: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    curve: tuple[np.ndarray, np.ndarray]
    goal: float
    bearable: float
    limit: float | None


@b.styled
def pushes(data: PushData, words: Words) -> Figure:
    """Draw the rate of leaving over messages a week, the goal, and where the curve meets it."""
    figure = b.canvas(BESIDE, b.BODY)
    ax = b.panel(figure, 34, 40, BESIDE - 44, b.BODY - 84)
    weeks, rate = data.curve
    ax.set_xlim(0, float(weeks[-1]))
    b.value_axis(ax, float(max(rate.max(), data.high.max(), data.goal)), "ratio", words, head="")
    b.heading(ax, words.text("value.charts.leave_in_month"), dy=22, dx=-34)
    seen = weeks <= float(data.pushes.max())
    ax.plot(weeks[seen], rate[seen], color=b.BLUE, linewidth=2, zorder=4)
    ax.plot(weeks[~seen], rate[~seen], color=b.BLUE, linewidth=1.4, linestyle=(0, (3, 2)), zorder=4)
    for x, y, low, high in zip(data.pushes, data.rate, data.low, data.high, strict=True):
        b.segment(ax, [x, x], [low, high], colour=b.INK2, width=1.6)
        b.dot(ax, float(x), float(y), colour=b.INK, size=6)
    ax.axhline(data.goal, color=b.INK, linewidth=1.0, linestyle=(0, (3, 2)), zorder=2)
    goal = words.text("value.charts.goal", rate=words.number(data.goal, "ratio"))
    b.write(ax, float(weeks[-1]), data.goal, goal, size=9, weight="Medium", colour=b.INK, ha="right", dy=-8, halo=True)
    b.target(ax, data.bearable, data.goal)
    borne = words.text("value.charts.borne", cap=words.number(data.bearable, "messages_per_user_week"))
    b.write(ax, data.bearable, data.goal, borne, size=9.5, weight="Bold", colour=b.BLUE, dx=2, dy=-16, halo=True)
    if data.limit is not None and data.limit <= weeks[-1]:
        high = float(np.interp(data.limit, weeks, rate))
        b.segment(ax, [data.limit, data.limit], [0, high], colour=b.RED, width=1.2)
        told = words.text("value.charts.limit", limit=words.number(data.limit, "messages_per_user_week"))
        b.write(ax, data.limit, high / 2, told, size=9, weight="Medium", colour=b.RED, ha="right", dx=-6, halo=True)
    for x in b.ticks(0, float(weeks[-1])):
        if x <= weeks[-1]:
            _number(ax, float(x), 0, f"{x:g}")
    _foot(ax, float(weeks[-1]) / 2, 0, words.text("value.charts.messages"))
    return figure
