"""What cannot hold together: what is in reach above what is asked, on one scale, and what one change would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from planlib.core.words import Words
from planlib.report.charts import base as b

_LEFT = 96.0  # where both bars begin
_HEIGHT = 44.0
_TOP, _MIDDLE, _BELOW = 8.0, 84.0, 118.0
_CARDS, _CARD_HEIGHT, _GAP = 206.0, 122.0, 16.0
_FILLS = (b.INK, b.BLUES[4], b.BLUES[5], b.BLUES[3])


@dataclass(frozen=True, slots=True)
class ConflictData:
    """One conflict.

    Attributes:
        metric: name of what falls short, in both languages.
        due: plan month of the goal, None where it has none.
        goal, reach: in `unit`; the goal is a floor, or a ceiling where `reach` is above it.
        parts: rows with part_zh, part_en, level, times, brings and unit that add up to `reach`.
        cards: rows with what_zh, what_en, now, needed, factor, best, unit and best_unit; at most four.
        left: what the reach comes to with what the plan loses meanwhile, None where nothing is lost.
    """

    metric: Mapping[str, str]
    due: int | None
    goal: float
    reach: float
    unit: str
    parts: Sequence[Mapping[str, Any]]
    cards: Sequence[Mapping[str, Any]]
    left: float | None = None

    @property
    def gap(self) -> float:
        return abs(self.goal - self.reach)

    @property
    def over(self) -> bool:
        """Whether the goal is a ceiling that is exceeded."""
        return self.reach > self.goal


@b.styled
def conflict(data: ConflictData, words: Words) -> Figure:
    """Bars of one scale with the sum between them, cards below."""
    fig = b.canvas()
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    scale = (b.LIVE - _LEFT) / (max(data.goal, data.reach) or 1.0)
    when = words.number(data.due, "month") if data.due else ""
    for y, key in ((_TOP, "needed" if data.over else "reach"), (_BELOW, "cap" if data.over else "goal")):
        b.write(ax, 0, y + _HEIGHT / 2 - (7 if when else 0), words.text(f"conflicts.charts.{key}"), size=10,
                weight="Bold", colour=b.INK)  # fmt: skip
        if when:
            b.write(ax, 0, y + _HEIGHT / 2 + 8, when, size=9)
    edge = _reach_bar(ax, data, scale, words)
    _goal_bar(ax, data, scale, words)
    _sum(ax, data, edge, words)
    count = words.number(len(data.cards), "number")
    b.write(ax, 0, _CARDS - 14, words.text("conflicts.charts.cards", n=count), size=10, weight="Bold", colour=b.INK)
    width = (b.LIVE - _GAP * 3) / 4
    for at, card in enumerate(data.cards):
        _card(ax, at * (width + _GAP), width, card, words)
    return fig


def _reach_bar(ax: Axes, data: ConflictData, scale: float, words: Words) -> float:
    """Draw the parts and what is missing or too much; return where the shorter of reach and goal ends."""
    x = _LEFT
    for at, part in enumerate(data.parts):
        length = part["brings"] * scale
        if length <= 0:
            continue
        fill = _FILLS[at % len(_FILLS)]
        ax.add_patch(Rectangle((x, _TOP), length, _HEIGHT, facecolor=fill, linewidth=0, zorder=3))
        head = words.text(
            "conflicts.charts.part", name=words.pick(_name(part, "part")), value=_brings(part, data, words)
        )
        _in_bar(ax, x, length - (data.gap * scale if data.over else 0), (head, _formula(part, words)), b.WHITE)
        x += length
    short = data.goal - data.reach
    if data.over:
        edge = _LEFT + data.goal * scale
        ax.add_patch(Rectangle((edge, _TOP), x - edge, _HEIGHT, facecolor=b.WHITE, linewidth=0, zorder=3))
        b.missing_bar(ax, edge + 0.5, _TOP + 0.5, x - edge - 1, _HEIGHT - 1)
        gap = words.number(data.gap, "points" if data.unit == "ratio" else data.unit)
        _in_bar(ax, edge, x - edge, (words.text("conflicts.charts.over", gap=gap),), b.RED)
        return edge
    if short > 0:
        b.missing_bar(ax, x + 0.5, _TOP + 0.5, short * scale - 1, _HEIGHT - 1)
        gap = words.number(data.gap, "points" if data.unit == "ratio" else data.unit)
        share = words.number(data.gap / data.goal, "ratio")
        lines = [words.text("conflicts.charts.missing", gap=gap, share=share)]
        if data.left is not None:
            left = words.number(data.left, data.unit)
            lines.append(words.text("conflicts.charts.left", left=left))
        else:
            lines.append(words.text("conflicts.charts.no_error"))
        _in_bar(ax, x, short * scale, lines, b.RED)
    return x


def _in_bar(ax: Axes, x: float, length: float, lines: Sequence[str], colour: str) -> None:
    """Write two lines inside a bar if they fit; a bar too short for them stays bare."""
    head, rest = lines[0], lines[1] if len(lines) > 1 else ""
    if b.width_of(b.gaps(head), 10.5, "Bold") + 16 > length:
        return
    fits = bool(rest) and b.width_of(b.gaps(rest), 9) + 16 <= length
    b.write(ax, x + 10, _TOP + _HEIGHT / 2 - (8 if fits else 0), head, size=10.5, weight="Bold", colour=colour)
    if fits:
        b.write(ax, x + 10, _TOP + _HEIGHT / 2 + 9, rest, size=9, colour=colour)


def _brings(part: Mapping[str, Any], data: ConflictData, words: Words) -> str:
    return words.number(part["brings"], data.unit)


def _formula(part: Mapping[str, Any], words: Words) -> str:
    if part["times"] is None or part["times"] <= 1:
        return ""
    times = words.number(part["times"], "users" if part["times"] >= 1e4 else "number")
    return words.text("conflicts.charts.formula", level=words.number(part["level"], part["unit"]), times=times)


def _goal_bar(ax: Axes, data: ConflictData, scale: float, words: Words) -> None:
    length = data.goal * scale
    ax.add_patch(
        Rectangle(
            (_LEFT + 0.6, _BELOW), length - 1.2, _HEIGHT, facecolor=b.WHITE, edgecolor=b.INK, linewidth=1.2, zorder=3
        )
    )
    key = "at_least" if data.goal >= data.reach else "at_most"
    text = words.text(f"conflicts.charts.{key}", name=words.pick(data.metric), goal=words.number(data.goal, data.unit))
    b.write(ax, _LEFT + 10, _BELOW + _HEIGHT / 2, text, size=10.5, weight="Medium", colour=b.INK)


def _sum(ax: Axes, data: ConflictData, edge: float, words: Words) -> None:
    """Write the sum and the goal on both sides of the line that ends what is in reach and may be."""
    b.segment(ax, [edge, edge], [_TOP + _HEIGHT, _BELOW], colour=b.INK2, width=0.8, zorder=2)
    brought = [_brings(part, data, words) for part in data.parts]
    reach, goal = words.number(data.reach, data.unit), words.number(data.goal, data.unit)
    parts = words.text("conflicts.plus").join(brought)
    left = words.text("conflicts.charts.sum", parts=parts, reach=reach) if len(brought) > 1 else reach
    sign = words.text("conflicts.charts.less" if data.goal >= data.reach else "conflicts.charts.more")
    wide, right = b.width_of(b.gaps(left), 17, "Bold"), b.width_of(b.gaps(goal), 17, "Bold") + 32
    edge = min(max(edge, _LEFT + wide + 12), b.LIVE - right - 12)
    b.write(ax, edge - 12, _MIDDLE, left, size=17, weight="Bold", colour=b.INK, ha="right")
    b.write(ax, edge + 12, _MIDDLE, sign, size=17, weight="Bold", colour=b.RED)
    b.write(ax, edge + 34, _MIDDLE, goal, size=17, weight="Bold", colour=b.INK)


def _card(ax: Axes, x: float, width: float, card: Mapping[str, Any], words: Words) -> None:
    """Draw one card: what it is, what it is now, what it would have to be, or that no value does."""
    solved = card["needed"] is not None
    if solved:
        ax.add_patch(Rectangle((x, _CARDS), width, _CARD_HEIGHT, facecolor=b.PANEL, linewidth=0, zorder=2))
    else:
        ax.add_patch(Rectangle((x + 0.5, _CARDS + 0.5), width - 1, _CARD_HEIGHT - 1, facecolor=b.WHITE, edgecolor=b.RED,
                               linewidth=0.9, linestyle=(0, (3, 2)), zorder=2))  # fmt: skip
    now = words.text("conflicts.charts.now", now=words.number(card["now"], card["unit"]))
    name = words.pick(_name(card, "what"))
    lines = b.fit_lines(name, width - 24, 10, "Bold", most=2) or [name]
    for line, text in enumerate(lines):
        b.write(ax, x + 12, _CARDS + 16 + 13 * line, text, size=10, weight="Bold", colour=b.INK)
    b.write(ax, x + 12, _CARDS + 17 + 13 * len(lines), now, size=9)
    big = words.number(card["needed"], card["unit"]) if solved else words.text("conflicts.charts.unsolvable")
    b.write(ax, x + 12, _CARDS + 70, big, size=21, weight="Bold", colour=b.BLUE if solved else b.RED)
    remark = _remark(card, words)
    for line, text in enumerate(b.fit_lines(remark, width - 24, 9, most=2) or [remark] if remark else ()):
        b.write(ax, x + 12, _CARDS + 95 + 13 * line, text, size=9)


def _remark(card: Mapping[str, Any], words: Words) -> str:
    if card["needed"] is None:
        if card["best"] is None:
            return ""
        key = "never_above" if card["unit"] == "month" else "at_best"
        return words.text(f"conflicts.charts.{key}", best=words.number(card["best"], card["best_unit"]))
    if card["unit"] == "month":
        return words.text("conflicts.charts.later", months=words.number(card["needed"] - card["now"], "months"))
    return (
        words.text("conflicts.charts.factor", factor=words.number(card["factor"], "multiple")) if card["factor"] else ""
    )


def _name(row: Mapping[str, Any], stem: str) -> dict[str, str]:
    return {locale: row[f"{stem}_{locale}"] for locale in ("zh", "en")}
