"""Charts of the budget notebook: money by quarter beside the bands, and what acquisition costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from planlib.core.words import Words
from planlib.report.charts.base import (
    BLUE,
    BLUES,
    BODY,
    CATEGORIES,
    GRID,
    INK,
    INK2,
    INK3,
    LIVE,
    RED,
    WHITE,
    canvas,
    panel,
    styled,
    width_of,
    write,
)

_RIGHT = 404.0  # left edge of the panel of bands
_MOST_QUARTERS = 8


@dataclass(frozen=True, eq=False)
class BudgetSplit:
    """A split inside its bands.

    Args:
        names: (K,) categories in both languages.
        low, high: (K,) shares of the bands.
        open_low, open_high: (K,) range that the other bands leave each share.
        shares: (K,) shares of the split.
        money_cny: (K,) of a year.
        quarters_cny: (Q, K) of the plan's quarters.
    """

    names: Sequence[Mapping[str, str]]
    low: np.ndarray
    high: np.ndarray
    open_low: np.ndarray
    open_high: np.ndarray
    shares: np.ndarray
    money_cny: np.ndarray
    quarters_cny: np.ndarray


@styled
def split(data: BudgetSplit, words: Words) -> Figure:
    """Draw money by quarter as stacks on the left, each share inside its band on the right."""
    figure = canvas(LIVE, BODY)
    _stacks(figure, data, words)
    _bands(figure, data, words)
    return figure


def _stacks(figure: Figure, data: BudgetSplit, words: Words) -> None:
    quarters = data.quarters_cny[:_MOST_QUARTERS]
    names = [words.pick(name) for name in data.names]
    room = max(width_of(name, 9.5, "Medium") for name in names) + 10
    totals = quarters.sum(axis=1)
    write(figure, 0, 8, words.text("budget.charts.by_quarter"), size=10, weight="Bold", colour=INK)
    most = float(totals.max()) * 1.02
    ax = panel(figure, room, 44, _RIGHT - 22 - room, 256, xlim=(0, len(quarters)), ylim=(0, most))
    for k, name in enumerate(names):
        below = quarters[:, :k].sum(axis=1)
        fill = CATEGORIES[k % len(CATEGORIES)]
        ax.bar(np.arange(len(quarters)) + 0.5, quarters[:, k], 0.66, bottom=below, color=fill, ec=WHITE, lw=0.8)
        write(ax, 0, below[0] + quarters[0, k] / 2, name, size=9.5, weight="Medium", ha="right", dx=-2)
    for q, total in enumerate(totals):
        shown = words.number(float(total), "CNY")
        write(ax, q + 0.5, total, shown, size=8.5, weight="Medium", colour=INK, ha="center", dy=9)
        label = words.text("budget.charts.quarter", n=words.number(q + 1, "number"))
        write(ax, q + 0.5, 0, label, size=9, ha="center", dy=-12)
    ax.axhline(0, color=INK3, linewidth=0.8)


def _bands(figure: Figure, data: BudgetSplit, words: Words) -> None:
    write(figure, _RIGHT, 8, words.text("budget.charts.bands"), size=10, weight="Bold", colour=INK)
    rows = len(data.names)
    names = [words.pick(name) for name in data.names]
    name_room = max([84.0, *(width_of(name, 11, "Bold") + 14 for name in names)])
    left, width = _RIGHT + name_room, LIVE - _RIGHT - name_room - 156
    most = float(data.high.max())
    ax = panel(figure, left, 44, width, 256, xlim=(0, most * 1.04), ylim=(rows, 0))
    money = words.text("budget.charts.money")
    for x, text, colour in ((LIVE - 76, words.text("budget.charts.share"), BLUE), (LIVE, money, INK2)):
        write(figure, x, 32, text, size=9, weight="Medium", colour=colour, ha="right")
    step = 0.1 if most > 0.25 else 0.05
    for x in np.arange(0, most * 1.04, step):
        ax.axvline(x, color=GRID, linewidth=0.8, zorder=0.5)
        write(ax, x, rows, f"{x * 100:.0f}", size=8.5, colour=INK3, ha="center", dy=-10, tick=True)
    for k in range(rows):
        _band_row(figure, ax, data, k, words, names[k])
        place = 44 + (k + 0.5) * 256 / rows
        write(
            figure,
            LIVE - 76,
            place,
            words.number(data.shares[k], "ratio"),
            size=11,
            weight="Bold",
            colour=BLUE,
            ha="right",
        )
        shown = words.number(float(data.money_cny[k]), "CNY")
        write(figure, LIVE, place, shown, size=10.5, colour=INK, ha="right")


def _band_row(figure: Figure, ax, data: BudgetSplit, k: int, words: Words, name: str) -> None:
    place = 44 + (k + 0.5) * 256 / len(data.names)
    band = "–".join(words.number(float(edge[k]), "ratio") for edge in (data.low, data.high))
    write(figure, _RIGHT, place - 7, name, size=11, weight="Bold", colour=INK)
    write(figure, _RIGHT, place + 8, words.text("budget.charts.band", band=band), size=9)
    ax.add_patch(Rectangle((data.low[k], k + 0.22), data.high[k] - data.low[k], 0.56, fc=BLUES[0], ec="none"))
    width = data.open_high[k] - data.open_low[k]
    ax.add_patch(Rectangle((data.open_low[k], k + 0.38), width, 0.24, fc=BLUES[2], ec="none"))
    for edge in (data.low[k], data.high[k]):
        ax.plot([edge, edge], [k + 0.22, k + 0.78], color=BLUES[3], linewidth=1)
    ax.plot([data.shares[k]], [k + 0.5], marker="D", markersize=6.5, color=BLUE, mec=WHITE, mew=0.8, zorder=5)
    if k:
        box = ax.get_position()
        ends = [(x / LIVE - box.x0) / box.width for x in (_RIGHT, LIVE)]
        ax.plot(ends, [k, k], color=GRID, linewidth=0.8, clip_on=False, transform=ax.get_yaxis_transform())


@dataclass(frozen=True, eq=False)
class Acquisition:
    """New users a month that the marketing money pays for, against the stated intake.

    Args:
        intake: stated, people a month.
        paid: of these, through channels that are paid for.
        affordable_low, affordable_high: people a month at the cost cap, with the band's smallest and largest share.
    """

    intake: float
    paid: float
    affordable_low: float
    affordable_high: float


@styled
def acquisition(data: Acquisition, words: Words) -> Figure:
    """Draw the stated intake and what marketing can pay for as bars of one scale."""
    figure = canvas(LIVE, BODY)
    rows = [
        ("intake", data.intake, INK, None),
        ("paid", data.paid, INK, None),
        ("affordable", data.affordable_high, BLUE, data.affordable_low),
    ]
    labels = [words.text(f"budget.charts.{row[0]}") for row in rows]
    room = max(width_of(label, 11, "Bold") for label in labels) + 16
    most = max(row[1] for row in rows)
    ax = panel(figure, room, 24, LIVE - room - 96, 262, xlim=(0, most), ylim=(len(rows), 0))
    for k, (_, value, colour, low) in enumerate(rows):
        write(ax, 0, k + 0.5, labels[k], size=11, weight="Bold", colour=INK, dx=-room)
        ax.add_patch(Rectangle((0, k + 0.22), value, 0.56, fc=colour if low is None else BLUES[2], ec="none"))
        shown = words.number(value, "users")
        if low is not None:
            ax.add_patch(Rectangle((0, k + 0.22), low, 0.56, fc=BLUE, ec="none"))
            shown = f"{words.number(low, 'users')} – {shown}"
        write(ax, value, k + 0.5, shown, size=13, weight="Bold", colour=colour, dx=8)
    gap = data.intake - data.affordable_high
    if gap > 0:
        ax.plot([data.affordable_high, data.intake], [2.9, 2.9], color=RED, linewidth=1.5, clip_on=False)
        text = words.text("budget.charts.gap", gap=words.number(gap, "users"))
        write(
            ax,
            (data.affordable_high + data.intake) / 2,
            2.9,
            text,
            size=11,
            weight="Medium",
            colour=RED,
            ha="center",
            dy=-12,
        )
    ax.axvline(0, color=INK3, linewidth=0.8)
    return figure
