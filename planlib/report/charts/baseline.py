"""Charts of notebook 10: retention of cohorts, the funnel with its drop-offs, the dormancy bridge, stores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_COHORTS = 12
MOST_STORES = 14


@dataclass(frozen=True, slots=True)
class Point:
    """A measured share with its interval."""

    share: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RetentionData:
    """Retention of cohorts.

    Attributes:
        months: first day of each month of joining, oldest first.
        joined: (K,) people who joined in it.
        ages: days since joining.
        share: (K, A) share of a month's joiners who acted at that age; NaN where they are not that old yet.
        points: {day: measured share of all joiners old enough}.
        curve: (days, shares) of the fitted curve; None where none could be fitted.
        goals: {day: share} that the plan asks for.
    """

    months: Sequence[dt.date]
    joined: np.ndarray
    ages: Sequence[int]
    share: np.ndarray
    points: dict[int, Point]
    curve: tuple[np.ndarray, np.ndarray] | None
    goals: dict[int, float]


@dataclass(frozen=True, slots=True)
class FunnelData:
    """Stages that joiners pass, and the same shares by region.

    Attributes:
        stages: ids; the first is everybody who joined.
        people: (S,) who passed each stage.
        points: share of the joiners, with interval; None for the first.
        regions: name -> (S,) shares after pooling.
    """

    stages: Sequence[str]
    people: np.ndarray
    points: Sequence[Point | None]
    regions: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class BridgeData:
    """Dormant people from one day to another, and how many are dormant under other windows.

    Attributes:
        first, last: the two days.
        opening, newly, woken, lost, closing: people.
        windows: {days of silence: share of the listed that is dormant then}.
        window_days: the one that the bridge uses.
    """

    first: dt.date
    last: dt.date
    opening: int
    newly: int
    woken: int
    lost: int
    closing: int
    windows: dict[int, float]
    window_days: int


@dataclass(frozen=True, slots=True)
class StoresData:
    """Shares of stores, the best pooled one first.

    Attributes:
        names, regions: of each store.
        trials: (S,) people or checks behind it.
        raw, share, low, high: (S,) own share, pooled share and its interval.
        beyond: (S,) -1, 0, 1: below, within, above what chance lets a store of its size differ.
        total: share of all together.
    """

    names: Sequence[str]
    regions: Sequence[str]
    trials: np.ndarray
    raw: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    beyond: np.ndarray
    total: float


@b.styled
def retention(data: RetentionData, words: Words) -> Figure:
    """Left the triangle of monthly cohorts, right the measured days with the curve through them."""
    fig = b.canvas()
    _triangle(fig, data, words)
    _curve(b.panel(fig, 548, 44, 300, 240), data, words)
    return fig


def _triangle(fig: Figure, data: RetentionData, words: Words) -> None:
    months = list(data.months)[-MOST_COHORTS:]
    share, joined = data.share[-MOST_COHORTS:], data.joined[-MOST_COHORTS:]
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    left, top, wide = 128.0, 48.0, 340.0 / len(data.ages)
    pitch = min(22.0, (b.BODY - top - 4) / max(len(months), 1))
    b.write(fig, 0, 12, words.text("baseline.charts.cohorts"), size=10, weight="Bold", colour=b.INK)
    b.write(fig, 0, 36, words.text("baseline.charts.joined_in"), size=8.5, colour=b.INK3, tick=True)
    b.write(fig, left - 10, 36, words.text("baseline.charts.joined"), size=8.5, colour=b.INK3, ha="right", tick=True)
    for a, age in enumerate(data.ages):
        text = words.text("baseline.charts.day", day=str(age))
        b.write(fig, left + wide * (a + 0.5), 36, text, size=8.5, colour=b.INK3, ha="center", tick=True)
    highest = float(np.nanmax(share)) if np.isfinite(share).any() else 1.0
    for k, month in enumerate(months):
        y = top + pitch * k
        b.write(fig, 0, y + pitch / 2, words.month(month), size=9, tick=True)
        people = words.number(float(joined[k]), "users")
        b.write(fig, left - 10, y + pitch / 2, people, size=9, ha="right")
        for a in range(len(data.ages)):
            _cell(fig, ax, left + wide * a, y, wide, pitch, float(share[k, a]), highest, words)


def _cell(
    fig: Figure, ax: Axes, x: float, y: float, wide: float, high: float, share: float, highest: float, words: Words
) -> None:
    if not np.isfinite(share):
        ax.add_patch(Rectangle((x + 0.5, y + 0.5), wide - 1, high - 1, facecolor=b.PANEL, linewidth=0, zorder=2))
        return
    fill = b.BLUES[min(int(6 * share / highest), 5)] if highest else b.BLUES[0]
    ax.add_patch(Rectangle((x + 0.5, y + 0.5), wide - 1, high - 1, facecolor=fill, linewidth=0, zorder=2))
    text = words.number(share, "ratio", decimals=0)
    b.write(fig, x + wide / 2, y + high / 2, text, size=9, colour=b.on_fill(fill), ha="center")


def _curve(ax: Axes, data: RetentionData, words: Words) -> None:
    last = max([*data.ages, *data.points, 90])
    ax.set_xlim(0, last)
    levels = [p.high or p.share for p in data.points.values()] + list(data.goals.values())
    if data.curve is not None:
        levels.append(float(data.curve[1][data.curve[0] >= 5].max()))
    b.value_axis(ax, min(max([*levels, 0.05]) * 1.1, 1.0), "ratio", words)
    b.heading(ax, words.text("baseline.charts.curve"), dy=28, dx=-30)
    for day in sorted({0, *data.points, *(age for age in data.ages if age % 90 == 0)}):
        if day in data.points or day % 90 == 0:
            b.write(ax, day, 0, str(day), size=8.5, colour=b.INK3, ha="center", dy=-11, tick=True)
    b.write(ax, last / 2, 0, words.text("baseline.charts.days_since"), size=8.5, colour=b.INK3, ha="center", dy=-25,
            tick=True)  # fmt: skip
    if data.curve is not None:
        days, shares = data.curve
        known = days <= max(data.points, default=0)
        inside = shares <= ax.get_ylim()[1]
        ax.plot(days[known & inside], shares[known & inside], color=b.BLUE, linewidth=2, zorder=4)
        ax.plot(days[~known], shares[~known], color=b.BLUE, linewidth=1.4, linestyle=(0, (3, 2)), zorder=4)
    labels = []
    for day, point in data.points.items():
        if point.low is not None:
            b.segment(ax, [day, day], [point.low, point.high], colour=b.BLUE, width=1.6)
        b.dot(ax, day, point.share, size=6)
        told = words.text("baseline.charts.at_day", day=str(day), share=words.number(point.share, "ratio"))
        over = data.curve is not None and float(np.interp(day, *data.curve)) > point.share + 0.01
        labels.append((day, point.share, told, b.BLUE, -9.0 if over else 0.0))
    for day, share in data.goals.items():
        b.target(ax, day, share)
        told = words.text("baseline.charts.goal", goal=words.number(share, "ratio"))
        labels.append((day, share, told, b.INK, 0.0))
    wanted = [b.to_points(ax, day, share)[1] + shift for day, share, _, _, shift in labels]
    placed = b.spread(wanted, 13.0, 0.0, b.panel_size(ax)[1])
    for (day, share, told, colour, shift), want, place in zip(labels, wanted, placed, strict=True):
        b.write(ax, day, share, told, size=9, weight="Bold", colour=colour, dx=10, dy=shift + place - want)


@b.styled
def funnel(data: FunnelData, words: Words) -> Figure:
    """One bar a stage from a common start, the drop from the stage before; beside it the regions."""
    fig = b.canvas()
    side = 244.0 if data.regions else 0.0
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    name, right = 132.0, b.LIVE - side - (40.0 if side else 0.0)
    top, pitch = 40.0, min(70.0, (b.BODY - 44.0) / len(data.stages))
    longest = right - name - 250.0
    most = float(data.people.max()) or 1.0
    for x, key in ((right - 96, "of_joined"), (right, "interval")):
        b.write(fig, x, 12, words.text(f"baseline.charts.{key}"), size=9, weight="Medium", ha="right")
    b.write(fig, name, 12, words.text("baseline.charts.drop"), size=9, weight="Medium")
    b.segment(ax, [0, right], [24, 24], colour=b.INK2, width=0.9)
    for i, stage in enumerate(data.stages):
        middle = top + pitch * i + 16
        length = longest * float(data.people[i]) / most
        ax.barh(middle, length, left=name, height=28, color=b.BLUES[5 - i] if i else b.BLUE, zorder=3)
        b.write(fig, 0, middle - 6, words.text(f"baseline.stage.{stage}"), size=11, weight="Bold", colour=b.INK)
        b.write(fig, 0, middle + 9, words.text(f"baseline.stage_by.{stage}"), size=8.5, colour=b.INK3)
        b.write(fig, name + length + 8, middle, words.number(float(data.people[i]), "users"), size=11, weight="Bold",
                colour=b.INK)  # fmt: skip
        point = data.points[i]
        if point is not None:
            share = words.number(point.share, "ratio")
            b.write(fig, right - 96, middle, share, size=10.5, weight="Medium", colour=b.INK, ha="right")
            band = f"{words.number(point.low, 'ratio')}–{words.number(point.high, 'ratio')}"
            b.write(fig, right, middle, band, size=9.5, ha="right")
            before = float(data.people[i - 1])
            drop = words.number(float(data.people[i]) / before - 1 if before else None, "ratio")
            b.write(fig, name + length + 62, middle, drop, size=10, weight="Medium", colour=b.RED)
        b.segment(ax, [0, right], [middle + pitch / 2, middle + pitch / 2], colour=b.GRID, width=0.6, zorder=1)
    b.segment(ax, [name, name], [32, top + pitch * len(data.stages) - 12], colour=b.INK3, width=0.8)
    if side:
        _regions(fig, data, words, right + 40, top, pitch, side)
    return fig


def _regions(fig: Figure, data: FunnelData, words: Words, left: float, top: float, pitch: float, width: float) -> None:
    """Draw the regions' shares as dots on one scale a stage, so that rows line up with the bars."""
    b.write(fig, left, 12, words.text("baseline.charts.by_region"), size=9, weight="Medium")
    names = list(data.regions)[: len(b.CATEGORIES)]
    x = left
    for k, region in enumerate(names):
        b.write(fig, x, 32, region, size=9, weight="Medium", colour=b.CATEGORIES[k] if k != 2 else b.AMBER_TEXT)
        x += b.width_of(region, 9, "Medium") + 14
    for i in range(1, len(data.stages)):
        shares = [float(data.regions[region][i]) for region in names]
        middle = top + pitch * i + 16
        low, high = min(shares), max(shares)
        room = max(high - low, 0.02) * 0.4
        ax = b.panel(fig, left, middle - 12, width - 8, 24, xlim=(low - room, high + room), ylim=(0, 1))
        ax.plot([low - room, high + room], [0.5, 0.5], color=b.GRID, linewidth=0.8, zorder=1)
        placed = b.spread([(s - low + room) / (high - low + 2 * room) * (width - 8) for s in shares], 36.0, 12.0,
                          width - 20.0)  # fmt: skip
        for k in np.argsort(placed).tolist():
            share = shares[k]
            b.dot(ax, share, 0.5, colour=b.CATEGORIES[k], size=7)
            colour = b.CATEGORIES[k] if k != 2 else b.AMBER_TEXT
            b.write(
                fig, left + placed[k], middle + 15, words.number(share, "ratio"), size=8.5, colour=colour, ha="center"
            )


@b.styled
def dormancy(data: BridgeData, words: Words) -> Figure:
    """The bridge of dormant people over the period; beside it the dormant share under other windows."""
    fig = b.canvas()
    ax = b.panel(fig, 50, 40, 480, 240, xlim=(-0.6, 4.6))
    highest = max(data.opening + data.newly, data.closing, 1)
    b.value_axis(ax, highest * 1.12, "users", words)
    after_new, after_woken = data.opening + data.newly, data.opening + data.newly - data.woken
    bars = [
        ("opening", 0, data.opening, b.INK2), ("newly", data.opening, data.newly, b.RED),
        ("woken", after_woken, data.woken, b.TEAL), ("lost", data.closing, data.lost, b.BLUES[3]),
        ("closing", 0, data.closing, b.INK),
    ]  # fmt: skip
    tops = [data.opening, after_new, after_woken, data.closing]
    for at, level in enumerate(tops):
        b.segment(ax, [at - 0.32, at + 1.32], [level, level], colour=b.INK3, width=0.7)
    for at, (key, bottom, height, fill) in enumerate(bars):
        ax.bar(at, height, bottom=bottom, width=0.64, color=fill, zorder=3)
        sign = {"newly": "+", "woken": "−", "lost": "−"}.get(key, "")
        text = sign + words.number(float(height), "users")
        b.write(ax, at, bottom + height, text, size=11, weight="Bold", colour=b.INK, ha="center", dy=10)
        day = {"opening": data.first, "closing": data.last}.get(key)
        b.write(ax, at, 0, words.text(f"baseline.charts.bridge_{key}"), size=9.5, weight="Medium", ha="center", dy=-13)
        if day is not None:
            b.write(ax, at, 0, words.date(day), size=8.5, colour=b.INK3, ha="center", dy=-27, tick=True)
    _windows(b.panel(fig, 640, 40, 200, 240), data, words)
    return fig


def _windows(ax: Axes, data: BridgeData, words: Words) -> None:
    days = sorted(data.windows)
    ax.set_xlim(-0.6, len(days) - 0.4)
    b.value_axis(ax, max([*data.windows.values(), 0.1]) * 1.15, "ratio", words, head="")
    b.heading(ax, words.text("baseline.charts.windows"), dy=22, dx=-30)
    for at, window in enumerate(days):
        share = data.windows[window]
        fill = b.INK if window == data.window_days else b.BLUES[1]
        ax.bar(at, share, width=0.6, color=fill, zorder=3)
        b.write(ax, at, share, words.number(share, "ratio"), size=10, weight="Bold", colour=b.INK, ha="center", dy=9)
        text = words.text("baseline.charts.silent_for", days=str(window))
        b.write(ax, at, 0, text, size=8.5, colour=b.INK3, ha="center", dy=-13, tick=True)


@b.styled
def stores(data: StoresData, words: Words) -> Figure:
    """One row a store: hollow its own share, solid the pooled one with its interval; a line for all together."""
    fig = b.canvas()
    shown = _ends(len(data.names))
    pitch = (b.BODY - 44.0) / len(shown)
    ends = [float(np.nanmin(data.low[shown])), float(np.nanmax(data.high[shown])), data.total]
    raw = data.raw[shown][np.isfinite(data.raw[shown])]
    low, high = min([*ends, *raw]), max([*ends, *raw])
    room = (high - low or 0.1) * 0.05
    ax = b.panel(fig, 190, 34, 510, b.BODY - 44, xlim=(low - room, high + room), ylim=(len(shown) - 0.5, -0.5))
    for value in b.ticks(low, high, most=6):
        if low - room <= value <= high + room:
            ax.axvline(value, color=b.GRID, linewidth=0.8, zorder=0.5)
            text = words.number(float(value), "ratio", decimals=0)
            b.write(ax, value, -0.5, text, size=8.5, colour=b.INK3, ha="center", dy=9, tick=True)
    ax.axvline(data.total, color=b.INK, linewidth=1.2, zorder=2)
    total = words.text("baseline.charts.total")
    b.write(ax, data.total, -0.5, total, size=9, weight="Medium", colour=b.INK, ha="center", dy=22)
    heads = (("store", 0, "left"), ("trials", 170, "right"), ("own", 790, "right"), ("pooled", 864, "right"))
    for key, x, ha in heads:
        b.write(fig, x, 12, words.text(f"baseline.charts.{key}"), size=9, weight="Medium", ha=ha)
    for row, i in enumerate(shown):
        y = 34 + pitch * (row + 0.5)
        colour = {-1: b.RED, 1: b.TEAL}.get(int(data.beyond[i]), b.BLUE)
        b.segment(ax, [data.low[i], data.high[i]], [row, row], colour=colour, width=1.6)
        b.dot(ax, float(data.share[i]), row, colour=colour, size=7)
        if np.isfinite(data.raw[i]):
            ax.plot([data.raw[i]], [row], marker="o", markersize=6, markerfacecolor=b.WHITE, markeredgecolor=b.INK3,
                    markeredgewidth=1.1, zorder=5)  # fmt: skip
        name = f"{data.names[i]} · {data.regions[i]}" if data.regions[i] else str(data.names[i])
        b.write(fig, 0, y, name, size=9.5, weight="Medium", colour=b.INK)
        b.write(fig, 170, y, words.number(float(data.trials[i]), "count"), size=9.5, ha="right")
        own = words.number(None if np.isnan(data.raw[i]) else float(data.raw[i]), "ratio")
        b.write(fig, 790, y, own, size=9.5, ha="right")
        b.write(
            fig, 864, y, words.number(float(data.share[i]), "ratio"), size=9.5, weight="Bold", colour=b.INK, ha="right"
        )
        if data.beyond[i]:
            said = words.text(f"baseline.charts.{'above' if data.beyond[i] > 0 else 'below'}")
            b.write(ax, float(data.high[i]), row, said, size=9, weight="Medium", colour=colour, dx=8)
    return fig


def _ends(count: int) -> np.ndarray:
    """Return the rows to draw: all, or of many the first and the last."""
    if count <= MOST_STORES:
        return np.arange(count)
    half = MOST_STORES // 2
    return np.concatenate([np.arange(half), np.arange(count - half, count)])
