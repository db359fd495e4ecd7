"""Charts of experiment planning: the calendar, how long every test runs, and what shorter runs could find."""

from __future__ import annotations

import datetime as dt
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
    fit_lines,
    panel,
    styled,
    ticks,
    write,
)

MOST_TESTS = 10
MOST_PANELS = 6
MOST_ROWS = 14
_NAMES, _TOP = 268.0, 34.0


@dataclass(frozen=True, eq=False)
class PlannedTests:
    """Tests to draw.

    Args:
        questions: (E,) in both languages.
        baseline, effect: (E,) shares.
        n_total: (E,) people in all arms.
        weeks: (E,) that each needs.
        limit_weeks: longest run wanted.
        achievable: (E, W) smallest change after 1 ... W weeks; NaN where none.
    """

    questions: Sequence[Mapping[str, str]]
    baseline: np.ndarray
    effect: np.ndarray
    n_total: np.ndarray
    weeks: np.ndarray
    limit_weeks: int
    achievable: np.ndarray


@dataclass(frozen=True, eq=False)
class CalendarData:
    """Tests on the weeks of a year, those that run first.

    Args:
        questions: (E,) in both languages.
        start: first month of the plan, YYYY-MM, in whose first day the first week begins.
        horizon: weeks drawn.
        begins: (E,) week in which each starts, from 1; 0 = it is not run.
        weeks: (E,) that it runs.
        people: (E,) in it a week.
        why: (E,) id under experiments.why: what keeps it from running.
        review: (E,) somebody has to approve it first.
    """

    questions: Sequence[Mapping[str, str]]
    start: str
    horizon: int
    begins: np.ndarray
    weeks: np.ndarray
    people: np.ndarray
    why: Sequence[str]
    review: Sequence[bool]


@styled
def calendar(data: CalendarData, words: Words) -> Figure:
    """Draw each test on its weeks; those that do not run say why."""
    figure = canvas(LIVE, BODY)
    rows = min(len(data.questions), MOST_ROWS)
    top, bottom = 40.0, 4.0
    pitch = min((BODY - top - bottom) / rows, 40.0)
    wide = LIVE - _NAMES - 76
    ax = panel(figure, _NAMES, top, wide, pitch * rows, xlim=(0, data.horizon), ylim=(rows, 0))
    write(figure, LIVE, 20, words.text("experiments.charts.a_week"), size=9, weight="Medium", ha="right")
    _months(ax, data, rows, words)
    for k in range(rows):
        place = top + (k + 0.5) * pitch
        _question(figure, words.pick(data.questions[k]), place, size=10 if pitch >= 26 else 9)
        if not data.begins[k]:
            said = words.text(f"experiments.why.{data.why[k]}")
            ax.add_patch(Rectangle((0.3, k + 0.02), data.horizon - 0.6, 0.96, fc=WHITE, ec="none", zorder=2))
            write(ax, 0, k + 0.5, said, size=9, colour=INK3, ha="left", dx=6, halo=True)
            continue
        colour = CATEGORIES[2] if data.review[k] else BLUES[4]
        begin, length = float(data.begins[k] - 1), float(data.weeks[k])
        ax.add_patch(Rectangle((begin, k + 0.22), length, 0.56, fc=colour, ec="none", zorder=3))
        said = words.number(length, "weeks")
        if data.review[k]:
            said = words.text("experiments.charts.review", weeks=said)
        late = begin + length > data.horizon * 0.82
        at, side, away = (begin, "right", -5) if late else (begin + length, "left", 5)
        write(ax, at, k + 0.5, said, size=9, weight="Medium", colour=INK2, ha=side, dx=away, halo=True)
        a_week = words.number(float(data.people[k]), "people")
        write(figure, LIVE, place, a_week, size=9.5, ha="right")
    return figure


def _months(ax, data: CalendarData, rows: int, words: Words) -> None:
    """Draw month marks along the top, quarters stronger."""
    year, month = (int(part) for part in data.start.split("-"))
    for k in range(13):
        x = k * data.horizon / 12
        ax.axvline(x, color=INK3 if k % 3 == 0 else GRID, linewidth=0.8, zorder=0.5)
        if k < 12 and k % 3 == 0:
            index = year * 12 + month - 1 + k
            label = words.month(dt.date(index // 12, index % 12 + 1, 1))
            write(ax, x, 0, label, size=9, colour=INK2, ha="left", dx=3, dy=9, tick=True)
    for k in range(rows + 1):
        ax.axhline(k, color=GRID, linewidth=0.6, zorder=0.4)


@styled
def weeks(data: PlannedTests, words: Words) -> Figure:
    """Draw the weeks that each test needs against the longest run wanted."""
    figure = canvas(LIVE, BODY)
    rows = min(len(data.questions), MOST_TESTS)
    most = max(float(data.weeks[:rows].max()), data.limit_weeks) * 1.08
    ax = panel(figure, _NAMES, _TOP, LIVE - _NAMES - 256, BODY - _TOP - 26, xlim=(0, most), ylim=(rows, 0))
    pitch = (BODY - _TOP - 26) / rows
    heads = ((LIVE - 172, "effect"), (LIVE - 88, "people"), (LIVE, "weeks"))
    for x, name in heads:
        write(figure, x, 22, words.text(f"experiments.charts.{name}"), size=9, weight="Medium", ha="right")
    for x in ticks(0, most):
        if x <= most:
            ax.axvline(x, color=GRID, linewidth=0.8, zorder=0.5)
            write(ax, x, rows, f"{x:g}", size=8.5, colour=INK3, ha="center", dy=-11, tick=True)
    for k in range(rows):
        late = data.weeks[k] > data.limit_weeks
        place = _TOP + (k + 0.5) * pitch
        _question(figure, words.pick(data.questions[k]), place)
        ax.add_patch(Rectangle((0, k + 0.28), data.weeks[k], 0.44, fc=RED if late else BLUES[3], ec="none"))
        change = words.number(data.effect[k], "points", signed=True)
        effect = words.text("experiments.charts.from", base=words.number(data.baseline[k], "ratio"), change=change)
        write(figure, LIVE - 172, place, effect, size=9.5, ha="right")
        write(figure, LIVE - 88, place, words.number(float(data.n_total[k]), "people"), size=9.5, ha="right")
        shown = words.number(float(data.weeks[k]), "weeks")
        write(figure, LIVE, place, shown, size=10.5, weight="Bold", colour=RED if late else BLUE, ha="right")
    ax.axvline(0, color=INK3, linewidth=0.8)
    ax.axvline(data.limit_weeks, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    limit = words.text("experiments.charts.limit", weeks=words.number(data.limit_weeks, "weeks"))
    write(ax, data.limit_weeks, 0, limit, size=9, weight="Medium", colour=INK, ha="center", dy=9)
    return figure


def _question(figure: Figure, text: str, place: float, *, size: float = 10) -> None:
    lines = fit_lines(text, _NAMES - 16, size, "Medium") or [text]
    for number, line in enumerate(lines):
        at = place + (number - (len(lines) - 1) / 2) * 1.25 * size
        write(figure, 0, at, line, size=size, weight="Medium", colour=INK)


@styled
def effects(data: PlannedTests, words: Words) -> Figure:
    """Draw, for up to six tests, the smallest change that a run of so many weeks finds."""
    figure = canvas(LIVE, BODY)
    shown = min(len(data.questions), MOST_PANELS)
    columns = min(shown, 3)
    length = data.achievable.shape[1]
    wide, tall = (LIVE - 24 * (columns - 1)) / columns, (BODY - 24) / (1 if shown <= 3 else 2)
    highest = float(np.nanmax(np.abs(data.achievable[:shown])))
    for k in range(shown):
        x, y = (k % 3) * (wide + 24), (k // 3) * (tall + 24)
        _effect_panel(figure, data, k, words, (x, y, wide, tall), highest, length)
    return figure


def _effect_panel(figure, data: PlannedTests, k: int, words: Words, box, highest: float, length: int) -> None:
    x, y, wide, tall = box
    for number, line in enumerate(fit_lines(words.pick(data.questions[k]), wide - 8, 9.5, "Bold") or []):
        write(figure, x, y + 6 + number * 12, line, size=9.5, weight="Bold", colour=INK)
    ax = panel(figure, x + 30, y + 36, wide - 34, tall - 62, xlim=(0.5, length + 0.5), ylim=(0, highest))
    for value in ticks(0, highest, most=4):
        if value <= highest * 1.001:
            ax.axhline(value, color=GRID, linewidth=0.8, zorder=0.5)
            write(ax, 0.5, value, f"{value * 100:g}", size=8.5, colour=INK3, ha="right", dx=-5, tick=True)
    ax.axhline(0, color=INK3, linewidth=0.8)
    run = np.arange(1, length + 1)
    ax.plot(run, np.abs(data.achievable[k]), color=BLUE, linewidth=2)
    wanted = abs(float(data.effect[k]))
    ax.axhline(wanted, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    label = words.number(wanted, "points")
    write(ax, length + 0.5, wanted, label, size=8.5, weight="Medium", colour=INK, ha="right", dy=7, halo=True)
    if data.weeks[k] <= length:
        ax.plot([data.weeks[k]], [wanted], marker="o", markersize=6, color=BLUE, mec="white", zorder=5)
    for week, side in ((1, "left"), (length // 2, "center"), (length, "right")):
        edge = {"left": 0.5, "center": week, "right": length + 0.5}[side]
        write(ax, edge, 0, words.number(week, "weeks"), size=8.5, colour=INK2, ha=side, dy=-11, tick=True)
