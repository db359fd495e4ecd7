"""Charts of the budget notebook about channels: curves, moves with their reasons, returns, and what more money buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_PANELS = 6
_COLUMNS = 3
_GAP = 60.0


@dataclass(frozen=True, eq=False)
class ResponsePanel:
    """One channel's curve: CNY and users a month, what the plan states, and the best budget.

    Args:
        name: in both languages.
        spend, users: (P,) the curve; `low`, `high` its 80 % range or None.
        stated: (CNY, users), or None where the curve never brings what is stated.
        best: (CNY, users).
    """

    name: Mapping[str, str]
    spend: np.ndarray
    users: np.ndarray
    stated: tuple[float, float] | None
    best: tuple[float, float]
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@b.styled
def responses(panels: Sequence[ResponsePanel], words: Words) -> Figure:
    """Draw small panels of one scale: circle = as stated, diamond = optimum, an arrow between them."""
    shown = panels[:MOST_PANELS]
    figure = b.canvas()
    rows = -(-len(shown) // _COLUMNS)
    columns = min(len(shown), _COLUMNS)
    width = (b.LIVE - _GAP * (columns - 1)) / columns - 30
    height = 84.0 if rows > 1 else 236.0
    most_spend = max(float(p.spend.max()) for p in shown)
    most_users = max(float((p.users if p.high is None else p.high).max()) for p in shown)
    for i, panel in enumerate(shown):
        row, column = divmod(i, columns)
        left, top = 30 + column * (width + 30 + _GAP), 40 + row * 158
        ax = b.panel(figure, left, top, width, height, xlim=(0, most_spend))
        _response(ax, panel, most_spend, most_users, words, first=i == 0, axis_name=row == rows - 1)
    return figure


def _response(ax: Axes, panel: ResponsePanel, most_spend: float, most_users: float, words: Words, *, first: bool,
              axis_name: bool) -> None:  # fmt: skip
    b.value_axis(ax, most_users, "users", words, most=4, head_dy=6)
    ax.set_xlim(0, most_spend)
    scale = b.scale_of(most_spend, "CNY", words)
    steps = b.ticks(0, most_spend, most=5)
    for x in steps[steps <= most_spend]:
        b.write(ax, x, 0, f"{x / scale.factor:,.0f}", size=8.5, colour=b.INK2, ha="center", dy=-12, tick=True)
    if axis_name:
        name = words.text("budget.charts.spend_axis", unit=scale.unit)
        b.write_at(ax, 1.0, 0.0, name, size=8.5, colour=b.INK3, ha="right", dy=-26, tick=True)
    b.write_at(ax, 0.0, 1.0, words.pick(panel.name), size=10, weight="Bold", colour=b.INK, dx=-30, dy=24)
    if panel.low is not None:
        ax.fill_between(panel.spend, panel.low, panel.high, color=b.BLUES[0], linewidth=0, zorder=1)
    ax.plot(panel.spend, panel.users, color=b.BLUES[3], linewidth=1.6, zorder=3)
    money = [words.number(x, "CNY") for x in ((panel.stated or panel.best)[0], panel.best[0])]
    if panel.stated is not None:
        rises = panel.best[0] >= panel.stated[0]
        colour = b.TEAL if rises else b.RED
        b.write_at(ax, 1.0, 1.0, " → ".join(money), size=9.5, weight="Medium", colour=colour, ha="right", dy=24)
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 5, "shrinkB": 5}
        if abs(panel.best[0] - panel.stated[0]) > 0.04 * most_spend:
            ax.annotate("", panel.best, xytext=panel.stated, arrowprops=style, zorder=5, annotation_clip=False)
        mark = {"marker": "o", "markersize": 6, "mfc": b.WHITE, "mec": b.INK, "mew": 1.6, "zorder": 6}
        ax.plot([panel.stated[0]], [panel.stated[1]], clip_on=False, **mark)
    else:
        b.write_at(ax, 1.0, 1.0, f"→ {money[1]}", size=9.5, weight="Medium", colour=b.BLUE, ha="right", dy=24)
    ax.plot([panel.best[0]], [panel.best[1]], marker="D", markersize=6, color=b.BLUE, mec=b.WHITE, mew=0.8, zorder=7,
            clip_on=False)  # fmt: skip
    if first:
        b.write(ax, *panel.best, words.text("budget.charts.optimum"), weight="Medium", colour=b.BLUE, dx=8, dy=-11)
        if panel.stated is not None:
            b.write(ax, *panel.stated, words.text("budget.charts.stated"), weight="Medium", colour=b.INK, dx=8, dy=-11)


@dataclass(frozen=True, eq=False)
class MoveRow:
    """One channel's step: names and reason in both languages, CNY a month before and after, users gained."""

    name: Mapping[str, str]
    before_cny: float
    after_cny: float
    users: float
    reason: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class MovesData:
    """Totals at both ends and the channels between them."""

    before_cny: float
    after_cny: float
    before_users: float
    after_users: float
    rows: Sequence[MoveRow]
    before_reason: Mapping[str, str]
    after_reason: Mapping[str, str]


_MOVE_COLUMNS = (0.0, 236.0, 272.0, 556.0, 600.0)  # name, right edge of the money, bars from, to, reason


@b.styled
def moves(data: MovesData, words: Words) -> Figure:
    """Draw spend, waterfall of users and reason in one row a channel."""
    figure = b.canvas()
    rows = [
        (words.text("budget.charts.as_stated"), words.number(data.before_cny, "CNY"), words.pick(data.before_reason)),
        *((words.pick(r.name), _change(r, words), words.pick(r.reason)) for r in data.rows),
        (words.text("budget.charts.best"), words.number(data.after_cny, "CNY"), words.pick(data.after_reason)),
    ]
    top, pitch = 24.0, min(42.0, 290.0 / len(rows))
    levels = data.before_users + np.concatenate([[0.0], np.cumsum([r.users for r in data.rows])])
    lowest = float(min(levels.min(), data.after_users))
    cut = 0.85 * lowest if lowest > 0.4 * float(levels.max()) else 0.0
    left, right = _MOVE_COLUMNS[2], _MOVE_COLUMNS[3]
    most = max(float(levels.max()), data.after_users)
    room = 48.0
    ax = b.panel(figure, left, top, right - left - room, pitch * len(rows), xlim=(cut, most), ylim=(len(rows), 0))
    heads = ("channel", "spend", "users", "reason")
    for key, x, ha in zip(heads, (0.0, _MOVE_COLUMNS[1], left, _MOVE_COLUMNS[4]), ("left", "right", "left", "left"),
                          strict=True):  # fmt: skip
        b.write(figure, x, 8, words.text(f"budget.charts.head_{key}"), size=9, weight="Medium", ha=ha)
    _rule(figure, top, b.INK, 0.9)
    for i, (name, money, reason) in enumerate(rows):
        y = top + (i + 0.5) * pitch
        end = i in (0, len(rows) - 1)
        b.write(figure, 0, y, name, size=10, weight="Bold" if end else "Medium", colour=b.INK)
        b.write(
            figure, _MOVE_COLUMNS[1], y, money, size=10, weight="Bold" if end else "Regular", colour=b.INK, ha="right"
        )
        _reason(figure, y, reason, bold=end)
        _rule(
            figure, top + (i + 1) * pitch, b.INK if i == len(rows) - 1 else b.GRID, 0.9 if i == len(rows) - 1 else 0.6
        )
    _waterfall(ax, data, levels, cut, words)
    if cut:
        b.write(figure, left, top + pitch * len(rows) + 12, words.text("budget.charts.cut"), size=8.5, colour=b.INK3)
    return figure


def _change(row: MoveRow, words: Words) -> str:
    after = words.number(row.after_cny, "CNY")
    return after if np.isnan(row.before_cny) else f"{words.number(row.before_cny, 'CNY')} → {after}"


def _reason(figure: Figure, y: float, text: str, *, bold: bool) -> None:
    weight = "Medium" if bold else "Regular"
    lines = b.fit_lines(text, b.LIVE - _MOVE_COLUMNS[4], 9.5, weight) or [text]
    for k, line in enumerate(lines):
        shift = 6.5 * (len(lines) - 1) - 13 * k
        colour = b.INK if bold else b.INK2
        b.write(figure, _MOVE_COLUMNS[4], y - shift, line, size=9.5, weight=weight, colour=colour)


def _rule(figure: Figure, y: float, colour: str, width: float) -> None:
    from matplotlib.lines import Line2D

    full, height = b.size_of(figure)
    line = Line2D([0, b.LIVE / full], [1 - y / height] * 2, color=colour, linewidth=width)
    figure.add_artist(line)


def _waterfall(ax: Axes, data: MovesData, levels: np.ndarray, cut: float, words: Words) -> None:
    last = len(data.rows) + 1
    for i, value, colour in ((0, data.before_users, b.INK), (last, data.after_users, b.BLUE)):
        ax.add_patch(Rectangle((cut, i + 0.24), value - cut, 0.52, fc=colour, ec="none"))
        shown = words.number(value, "users")
        b.write(ax, value, i + 0.5, shown, size=10.5, weight="Bold", colour=colour, dx=6)
        if cut:
            span = ax.get_xlim()[1] - cut
            for shift in (0.012, 0.026):
                b.segment(ax, [cut + shift * span, cut + (shift + 0.008) * span], [i + 0.78, i + 0.22], colour=b.WHITE,
                          width=1.6, zorder=6)  # fmt: skip
    for i, row in enumerate(data.rows, start=1):
        start, end = levels[i - 1], levels[i]
        colour = b.TEAL if end >= start else b.RED
        ax.add_patch(Rectangle((min(start, end), i + 0.24), abs(end - start), 0.52, fc=colour, ec="none"))
        b.segment(ax, [start, start], [i - 0.24, i + 0.24], colour=b.INK3)
        shown, gains = words.number(row.users, "users", signed=True), end >= start
        at, ha, dx = (end, "left", 6) if gains else (end, "right", -6)
        b.write(ax, at, i + 0.5, shown, size=9.5, weight="Medium", colour=colour, ha=ha, dx=dx)
    b.segment(ax, [levels[-1]] * 2, [last - 0.24, last + 0.24], colour=b.INK3)


@dataclass(frozen=True, eq=False)
class ReturnRow:
    """Margin for a CNY of a channel on average, and for one CNY more."""

    name: Mapping[str, str]
    average: float
    marginal: float


@b.styled
def returns(rows: Sequence[ReturnRow], words: Words) -> Figure:
    """Draw two bars a channel, on average and at the margin, against the line at which a CNY comes back."""
    figure = b.canvas(420.0)
    names = [words.pick(row.name) for row in rows]
    room = min(max(b.width_of(name, 10, "Bold") for name in names) + 12, 130.0)
    most = max(max(row.average, row.marginal, 1.0) for row in rows) * 1.02
    ax = b.panel(figure, room, 40, 420 - room - 60, 256, xlim=(0, most), ylim=(len(rows), 0))
    for text, x, colour in (("average", 0.0, b.INK3), ("marginal", 150.0, b.BLUE)):
        figure.add_artist(Rectangle((x / 420, 1 - 13 / b.BODY), 9 / 420, 9 / b.BODY, fc=colour, ec="none",
                                    transform=figure.transFigure))  # fmt: skip
        b.write(figure, x + 14, 8.5, words.text(f"budget.charts.{text}"), size=9.5, weight="Medium")
    for k, row in enumerate(rows):
        for value, y, colour in ((row.average, k + 0.2, b.INK3), (row.marginal, k + 0.52, b.BLUE)):
            ax.add_patch(Rectangle((0, y), value, 0.27, fc=colour, ec="none"))
            b.write(
                ax,
                value,
                y + 0.135,
                words.number(value, "multiple"),
                size=9.5,
                weight="Medium",
                colour=b.INK,
                dx=5,
                halo=True,
            )
        lines = b.fit_lines(names[k], room - 8, 10, "Bold") or [names[k]]
        for i, line in enumerate(lines):
            b.write(
                ax, 0, k + 0.5, line, size=10, weight="Bold", colour=b.INK, dx=-room, dy=6 * (len(lines) - 1) - 12 * i
            )
    b.segment(ax, [1, 1], [0, len(rows)], colour=b.RED, width=1.2, dashes=(3, 2))
    b.write(ax, 1, 0, words.text("budget.charts.breakeven"), size=9, weight="Medium", colour=b.RED, ha="center", dy=9)
    ax.axvline(0, color=b.INK3, linewidth=0.8)
    return figure


@dataclass(frozen=True, eq=False)
class FrontierData:
    """What a month's channel money brings over the draws.

    Args:
        budget: (P,) CNY a month, rising.
        mean, cvar: (P,) users a month.
        chance: (P,) of the goal.
        goal: users a month.
        now: CNY a month of the best budget.
    """

    budget: np.ndarray
    mean: np.ndarray
    cvar: np.ndarray
    chance: np.ndarray
    goal: float
    now: float


@b.styled
def frontier(data: FrontierData, words: Words) -> Figure:
    """Draw mean and the mean of the worst draws against money, the chance of the goal under each step."""
    figure = b.canvas(556.0)
    ax = b.panel(figure, 40, 24, 556 - 40 - 110, 220)
    ax.set_xlim(float(data.budget.min()), max(float(data.budget.max()), float(data.budget.min()) + 1.0))
    highest = max(float(data.mean.max()), data.goal)
    b.value_axis(ax, highest * 1.03, "users", words)
    ax.fill_between(data.budget, data.cvar, data.mean, color=b.BLUES[0], linewidth=0, zorder=1)
    ax.plot(data.budget, data.mean, color=b.BLUE, linewidth=2, zorder=4)
    ax.plot(data.budget, data.cvar, color=b.BLUES[3], linewidth=1.4, zorder=4)
    ax.axhline(data.goal, color=b.INK, linewidth=1.2, zorder=3)
    labels = [
        b.EndLabel(float(data.mean[-1]), words.text("budget.charts.mean"), "", b.BLUE, "Bold"),
        b.EndLabel(float(data.cvar[-1]), words.text("budget.charts.worst"), "", b.BLUES[4], "Medium"),
        b.EndLabel(
            data.goal, words.text("budget.charts.goal", goal=words.number(data.goal, "users")), "", b.INK, "Bold"
        ),
    ]
    b.end_labels(ax, float(data.budget.max()), labels, size=9.5, dx=8, room=(0, 10))
    b.write_at(ax, 0.0, 0.0, words.text("budget.charts.chance"), size=9, weight="Medium", colour=b.INK, dx=-40, dy=-48)
    b.write_at(ax, 0.0, 0.0, words.text("budget.charts.money_axis"), size=8.5, colour=b.INK3, dx=-40, dy=-28, tick=True)
    for money, chance in zip(data.budget, data.chance, strict=True):
        b.write(ax, money, 0, words.number(float(money), "CNY"), size=8.5, ha="center", dy=-14)
        shown = words.number(float(chance), "probability")
        b.write(ax, money, 0, shown, size=10, weight="Bold", colour=b.BLUE, ha="center", dy=-64)
    b.segment(ax, [data.now] * 2, [0, ax.get_ylim()[1]], colour=b.BLUE, width=1, dashes=(3, 2))
    b.write_at(ax, 0.0, 1.0, words.text("budget.charts.now"), size=9, weight="Medium", colour=b.BLUE, ha="center",
               dx=b.to_points(ax, data.now, 0)[0], dy=8)  # fmt: skip
    return figure


@dataclass(frozen=True, slots=True)
class SwingBar:
    """One assumption: name in both languages, its two inputs with their unit, users at each; NaN for no budget."""

    name: Mapping[str, str]
    low_input: float
    high_input: float
    unit: str
    at_low: float
    at_high: float


@b.styled
def swings(bars: Sequence[SwingBar], centre: float, words: Words) -> Figure:
    """Draw one bar an assumption from its low to its high value, the others as they are."""
    figure = b.canvas()
    names, edge = 230.0, 74.0
    ends = [x for bar in bars for x in (bar.at_low, bar.at_high) if not np.isnan(x)] + [centre]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.02 or 1.0
    ax = b.panel(figure, names + edge, 30, b.LIVE - names - 2 * edge, 262, xlim=(low - room, high + room),
                 ylim=(len(bars) - 0.5, -0.5))  # fmt: skip
    at = b.ticks(low, high, most=6)
    scale = b.scale_of(float(np.abs(at).max()), "users", words)
    places = next((p for p in range(4) if np.allclose(at / scale.factor, np.round(at / scale.factor, p))), 4)
    for x in at[(at >= low - room) & (at <= high + room)]:
        ax.axvline(x, color=b.GRID, linewidth=0.8, zorder=0.5)
        shown = b.Scale(scale.factor, scale.unit, places).write(x)
        b.write(ax, x, len(bars) - 0.5, shown, size=8.5, ha="center", dy=-12, tick=True)
    b.write_at(ax, 1.0, 0.0, scale.unit, size=8.5, colour=b.INK3, ha="right", dy=-26, tick=True)
    for row, bar in enumerate(bars):
        pair = sorted((np.nan_to_num(at, nan=low), given, bool(np.isnan(at))) for at, given in (
            (bar.at_low, bar.low_input), (bar.at_high, bar.high_input)))  # fmt: skip
        for (reached, _, none), colour in zip(pair, (b.RED, b.TEAL), strict=True):
            fill = {"color": colour}
            if none:
                fill = {"facecolor": "none", "edgecolor": colour, "linestyle": "--", "linewidth": 1.2}
            ax.barh(row, reached - centre, left=centre, height=0.52, zorder=3, **fill)
        b.write(
            ax, ax.get_xlim()[0], row, words.pick(bar.name), size=9.5, weight="Medium", colour=b.INK, dx=-names - edge
        )
        (below, low_input, none), (above, high_input, _) = pair
        worse = words.number(low_input, bar.unit)
        worse = words.text("budget.charts.no_budget", given=worse) if none else worse
        b.write(ax, min(below, centre), row, worse, size=8.5, ha="right", dx=-4)
        b.write(ax, max(above, centre), row, words.number(high_input, bar.unit), size=8.5, dx=4)
    b.segment(ax, [centre] * 2, [-0.5, len(bars) - 0.5], colour=b.INK, width=1.2, zorder=6)
    shown = words.text("budget.charts.centre", users=words.number(centre, "users"))
    b.write(ax, centre, -0.5, shown, size=9, weight="Medium", colour=b.INK, ha="center", dy=9)
    return figure
