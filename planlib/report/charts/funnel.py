"""Charts of notebook 20: users against their targets, the lifecycle stages, sales, and the deck's cover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b

ACTIVE_FILL, DORMANT_FILL = b.BLUES[2], b.BLUES[0]
NEW_FILL, REPEAT_FILL = b.BLUE, b.BLUES[2]
LEVERS = ("intake", "churn", "opening", "month")
MOST_GOALS = 4
_COVER_HEIGHT = 276.0
_COVER_RIGHT = 778.0
_COVER_FOOT = 26.0


@dataclass(frozen=True, slots=True)
class TargetMark:
    """A dated goal beside its forecast, both in the unit of the axis, and its chance where something is uncertain."""

    month: int
    goal: float
    forecast: float
    met: bool
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class UsersData:
    """Users of a plan.

    Attributes:
        start: first month, YYYY-MM.
        users, active, dormant: (T + 1,) people, the opening first.
        targets: goals on the users.
        stages: name in both languages, first and last month.
    """

    start: str
    users: np.ndarray
    active: np.ndarray
    dormant: np.ndarray
    targets: tuple[TargetMark, ...] = ()
    stages: tuple[tuple[Mapping[str, str], int, int], ...] = ()

    @property
    def months(self) -> int:
        return len(self.users) - 1


@dataclass(frozen=True, slots=True)
class LifecycleData:
    """People who pass each stage, (S,) each: ids, by which metric it is told, volumes, shares of the first stage."""

    stages: tuple[str, ...]
    told_by: tuple[str, ...]
    volumes: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, slots=True)
class SalesData:
    """Order value by month.

    Attributes:
        start: first month, YYYY-MM.
        gmv_new_cny, gmv_repeat_cny: (T,) CNY of the month.
        share: (T,) share of the company's GMV in the trailing year; None when the company's GMV is unknown.
        targets: goals on the share.
        total_range: (2, T) 80 % range of the month's GMV; None when nothing is uncertain.
        share_bands: {level: (2, T)} ranges of the share, the widest first.
    """

    start: str
    gmv_new_cny: np.ndarray
    gmv_repeat_cny: np.ndarray
    share: np.ndarray | None = None
    targets: tuple[TargetMark, ...] = ()
    total_range: np.ndarray | None = None
    share_bands: Mapping[float, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeversData:
    """Single changes beside the plan.

    Attributes:
        start: first month, YYYY-MM.
        intake, churn, opening: people a month, monthly share, people: as planned.
        goals: one `planlib.funnel.levers.Levers` for each missed goal.
    """

    start: str
    intake: float
    churn: float
    opening: float
    goals: tuple[Any, ...]


def marks_of(verdicts: Iterable[Mapping[str, Any]], metric: str) -> tuple[TargetMark, ...]:
    """Return the goals of a metric that have a forecast, ranges left out."""
    return tuple(
        TargetMark(v["judged_month"], v["goal"], v["forecast"], not v["shortfall"], _drawn_chance(v))
        for v in verdicts
        if v["metric"] == metric and v["forecast"] is not None and v["goal_high"] is None
    )


def _drawn_chance(verdict: Mapping[str, Any]) -> float | None:
    return None if verdict.get("certain", True) else verdict["probability"]


@b.styled
def users(data: UsersData, words: Words) -> Figure:
    """Active and dormant users as areas, their total as a line, goals as diamonds with the gap to each."""
    fig = b.canvas()
    ax = b.panel(fig, 40, 40, 664, 254)
    months = np.arange(data.months + 1)
    highest = max([float(data.users.max()), *(mark.goal for mark in data.targets)])
    b.month_axis(ax, data.start, data.months, words, opening=True)
    b.value_axis(ax, highest * 1.02, "users", words, head_dy=26)
    b.stage_shading(ax, [b.Span(words.pick(name), first, last) for name, first, last in data.stages], opening=True)
    ax.fill_between(months, 0, data.active, color=ACTIVE_FILL, linewidth=0, zorder=2)
    ax.fill_between(months, data.active, data.users, color=DORMANT_FILL, linewidth=0, zorder=2)
    ax.plot(months, data.users, color=b.BLUE, zorder=4, clip_on=False)
    taken = b.Taken()
    taken.add_line(ax, months, data.users)
    b.notes(ax, [_goal_note(mark, words) for mark in draw_marks(ax, data.targets, taken)], taken)
    _end_column(ax, data, words)
    return fig


def draw_marks(ax: Axes, targets: Sequence[TargetMark], taken: b.Taken) -> list[TargetMark]:
    """Draw each goal once with the line down or up to its forecast; return them, the earliest first."""
    marks = sorted(set(targets), key=lambda mark: (mark.month, mark.goal))
    for mark in marks:
        b.segment(ax, [mark.month, mark.month], [mark.forecast, mark.goal], width=0.9, zorder=4.5)
        b.dot(ax, mark.month, mark.forecast)
        b.target(ax, mark.month, mark.goal)
        x, y = b.to_points(ax, mark.month, mark.goal)
        taken.add_box(x - 6, y - 6, x + 6, y + 6)
        taken.add_line(ax, [mark.month, mark.month], [mark.forecast, mark.goal])
    return marks


def _goal_note(mark: TargetMark, words: Words) -> b.Note:
    values = {name: words.number(getattr(mark, name), "users") for name in ("goal", "forecast")}
    month = words.number(mark.month, "month")
    head = (words.text("funnel.charts.users_goal", month=month, goal=values["goal"]), b.INK, "Bold")
    if mark.met:
        tail = (words.text("funnel.charts.users_met", forecast=values["forecast"]), b.INK2, "Regular")
    else:
        gap = words.number(mark.goal - mark.forecast, "users")
        tail = (words.text("funnel.charts.users_short", forecast=values["forecast"], gap=gap), b.RED, "Medium")
    return b.Note(mark.month, max(mark.goal, mark.forecast), (head, tail))


def _end_column(ax: Axes, data: UsersData, words: Words) -> None:
    """Name the line and both areas at the right end, with their values in a column."""
    end = data.months
    total, active = float(data.users[-1]), float(data.active[-1])
    rows = [
        (total, "total", total, b.BLUE, "Bold"),
        ((total + active) / 2, "dormant", float(data.dormant[-1]), b.INK2, "Medium"),
        (active / 2, "active", active, b.INK2, "Medium"),
    ]
    labels = [
        b.EndLabel(y, words.text(f"funnel.charts.{key}"), words.number(value, "users"), colour, weight)
        for y, key, value, colour, weight in rows
    ]
    b.end_labels(ax, end, labels, dx=10, value_dx=158)
    last = b.month_days(data.start, end)[-1]
    b.write_at(ax, 1.0, 1.0, words.month(last), size=9, colour=b.INK2, ha="right", dx=158, dy=8, va="baseline")


@b.styled
def lifecycle(data: LifecycleData, words: Words) -> Figure:
    """One bar a stage from a common start; its volume at the bar, its shares in two columns."""
    fig = b.canvas()
    name_width, columns = 150.0, (744.0, 864.0)
    pitch = 56.0
    top = 42.0
    most = float(data.volumes.max()) or 1.0
    longest = columns[0] - 80 - name_width - 90
    b.write(fig, name_width, 14, words.text("funnel.charts.people"), size=9, weight="Medium")
    for x, key in zip(columns, ("of_joined", "of_previous"), strict=True):
        b.write(fig, x, 14, words.text(f"funnel.charts.{key}"), size=9, weight="Medium", ha="right")
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    b.segment(ax, [0, b.LIVE], [26, 26], colour=b.INK2, width=0.9)
    rows = zip(data.stages, data.told_by, data.volumes, data.shares, strict=True)
    for index, (stage, metric, volume, share) in enumerate(rows):
        middle = top + pitch * index + 14
        length = longest * float(volume) / most
        ax.barh(middle, length, left=name_width, height=26, color=b.BLUES[5 - index] if index else b.BLUE, zorder=3)
        b.write(fig, 0, middle - 6, words.text(f"funnel.stages.{stage}"), size=11, weight="Bold", colour=b.INK)
        b.write(fig, 0, middle + 9, words.text(f"funnel.told_by.{metric}"), size=8.5, colour=b.INK3)
        number = words.number(float(volume), "users")
        b.write(fig, name_width + length + 8, middle, number, size=11, weight="Bold", colour=b.INK)
        b.write(fig, columns[0], middle, words.number(float(share), "ratio"), size=10.5, colour=b.INK, ha="right")
        if index and stage != "referral":  # people whom others bring are no part of the stage before
            before = float(data.volumes[index - 1])
            step = words.number(float(volume) / before if before else None, "ratio")
            b.write(fig, columns[1], middle, step, size=10.5, colour=b.INK2, ha="right")
        b.segment(ax, [0, b.LIVE], [middle + 28, middle + 28], colour=b.GRID, width=0.6, zorder=1)
    b.segment(ax, [name_width, name_width], [34, top + pitch * len(data.stages) - 12], colour=b.INK3, width=0.8)
    return fig


@b.styled
def sales(data: SalesData, words: Words) -> Figure:
    """Order value by month, first and repeat orders; beside it the share of the company's GMV against its goals."""
    fig = b.canvas()
    months = len(data.gmv_new_cny)
    left = b.panel(fig, 40, 40, 380 if data.share is not None else 740, 254)
    _stack(left, data, months, words)
    if data.share is not None:
        _share_panel(b.panel(fig, 508, 40, 246, 254), data, months, words)
    return fig


def _stack(ax: Axes, data: SalesData, months: int, words: Words) -> None:
    total = data.gmv_new_cny + data.gmv_repeat_cny
    at = np.arange(1, months + 1)
    b.month_axis(ax, data.start, months, words)
    highest = float(total.max()) if data.total_range is None else float(data.total_range.max())
    b.value_axis(ax, highest, "CNY", words)
    b.heading(ax, words.text("funnel.charts.gmv_head"), dy=24, dx=-40)
    ax.bar(at, data.gmv_new_cny, width=0.72, color=NEW_FILL, zorder=3)
    ax.bar(at, data.gmv_repeat_cny, bottom=data.gmv_new_cny, width=0.72, color=REPEAT_FILL, zorder=3)
    if data.total_range is not None:
        ax.vlines(at, *data.total_range, color=b.INK, linewidth=0.9, zorder=4)
    new, repeat = float(data.gmv_new_cny[-1]), float(data.gmv_repeat_cny[-1])
    labels = [
        b.EndLabel(new / 2, words.text("funnel.charts.gmv_new"), colour=b.BLUE),
        b.EndLabel(new + repeat / 2, words.text("funnel.charts.gmv_repeat"), colour=b.BLUES[4]),
    ]
    b.end_labels(ax, months + 0.5, labels, dx=5, size=9)


def _share_panel(ax: Axes, data: SalesData, months: int, words: Words) -> None:
    at = np.arange(1, months + 1)
    share = np.asarray(data.share)
    tops = [float(np.nanmax(band)) for band in data.share_bands.values()]
    highest = max([float(np.nanmax(share)), *(mark.goal for mark in data.targets), *tops])
    b.month_axis(ax, data.start, months, words)
    b.value_axis(ax, highest * 1.04, "ratio", words, most=5)
    for level, (low, high) in data.share_bands.items():
        ax.fill_between(at, low, high, color=b.BANDS[level], linewidth=0, zorder=2)
    b.heading(ax, words.text("funnel.charts.share_head"), dy=24, dx=-30)
    ax.plot(at, share, color=b.BLUE, zorder=4)
    taken = b.Taken()
    taken.add_line(ax, at, share)
    notes = []
    for mark in draw_marks(ax, data.targets, taken):
        lines = [(words.text("funnel.charts.share_goal", goal=words.number(mark.goal, "ratio")), b.INK, "Bold")]
        if mark.chance is not None:
            chance = words.number(mark.chance, "probability")
            lines.append((words.text("chances.charts.chance", chance=chance), b.INK2, "Regular"))
        if not mark.met:
            gap = words.number(mark.goal - mark.forecast, "points")
            lines.append((words.text("funnel.charts.share_short", gap=gap), b.RED, "Medium"))
        notes.append(b.Note(mark.month, max(mark.goal, mark.forecast), tuple(lines), size=9))
    b.notes(ax, notes, taken)
    label = b.EndLabel(float(share[-1]), words.text("funnel.charts.share_end"), words.number(float(share[-1]), "ratio"))
    b.end_labels(ax, months, [label], dx=14, size=9.5)


@b.styled
def levers(data: LeversData, words: Words) -> Figure:
    """One row a missed goal, one card a lever: what it is and would have to be, or that no value is enough."""
    fig = b.canvas()
    ax = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    label, gap, top = 150.0, 12.0, 30.0
    shown = sorted(data.goals, key=lambda goal: goal.month)[:MOST_GOALS]
    width = (b.LIVE - label - gap * (len(LEVERS) - 1)) / len(LEVERS)
    height = min((b.BODY - top - gap * (len(shown) - 1)) / len(shown), 96.0)
    for column, lever in enumerate(LEVERS):
        x = label + column * (width + gap)
        b.write(fig, x, 10, words.text(f"funnel.charts.lever_{lever}"), size=10, weight="Bold", colour=b.INK)
        for row, goal in enumerate(shown):
            _card(ax, x, top + row * (height + gap), width, height, _lever_words(lever, goal, data, words))
    for row, goal in enumerate(shown):
        middle = top + row * (height + gap) + height / 2
        month, level = words.number(goal.month, "month"), words.number(goal.goal, "users")
        head = words.text("funnel.charts.lever_goal", month=month, goal=level)
        b.write(fig, 0, middle - 9, head, size=10.5, weight="Bold", colour=b.INK)
        forecast = words.text("funnel.charts.lever_forecast", forecast=words.number(goal.users, "users"))
        b.write(fig, 0, middle + 9, forecast, size=9.5)
    return fig


def _lever_words(lever: str, goal: Any, data: LeversData, words: Words) -> tuple[str, str, str]:
    """Return what a card says: now, needed ("" when no value is enough), remark."""
    units = {"intake": "users", "churn": "ratio", "opening": "users", "month": "month"}
    levels = (goal.monthly_intake, goal.churn, goal.opening_users, goal.month_reached)
    needed = dict(zip(LEVERS, levels, strict=True))
    now = {"intake": data.intake, "churn": data.churn, "opening": data.opening, "month": goal.month}
    start = words.text("funnel.charts.lever_now", now=words.number(now[lever], units[lever]))
    if needed[lever] is None:
        most = {"churn": goal.without_churn, "month": goal.ceiling}.get(lever)
        values = {} if most is None else {"most": words.number(most, "users")}
        return start, "", words.text(f"funnel.charts.lever_never_{lever}", **values)
    if lever == "month":
        return start, words.month(b.month_days(data.start, goal.month_reached)[-1]), ""
    remark = ""
    if lever == "intake" and goal.intake_factor:
        times = words.number(goal.intake_factor, "multiple")
        remark = words.text("funnel.charts.lever_factor", factor=times)
    return start, words.number(needed[lever], units[lever]), remark


def _card(ax: Axes, x: float, y: float, width: float, height: float, said: tuple[str, str, str]) -> None:
    """Draw one card; y counts down, the corner is the upper left."""
    from matplotlib.patches import Rectangle

    now, needed, remark = said
    middle = y + height / 2
    if needed:
        ax.add_patch(Rectangle((x, y), width, height, facecolor=b.PANEL, linewidth=0, zorder=2))
        b.write(ax, x + 12, middle, needed, size=19, weight="Bold", colour=b.BLUE)
    else:
        b.missing_bar(ax, x + 0.5, y + 0.5, width - 1, height - 1)
    b.write(ax, x + 12, middle - min(height / 3, 27), now, size=9)
    if needed:
        b.write(ax, x + 12, middle + min(height / 3, 27), remark, size=9)
    else:
        for line, text in enumerate(b.fit_lines(remark, width - 24, 10, "Medium", most=3) or [remark]):
            b.write(ax, x + 12, middle + line * 14, text, size=10, weight="Medium", colour=b.RED)


@b.styled
def cover(data: UsersData, words: Words) -> Figure:
    """The plan's users from the left margin on, large and quiet, for the title page."""
    fig = b.canvas(b.LIVE, _COVER_HEIGHT)
    highest = max([float(data.users.max()), *(mark.goal for mark in data.targets), 1.0])
    height = _COVER_HEIGHT - 10 - _COVER_FOOT
    ax = b.panel(fig, 0, 10, _COVER_RIGHT, height, xlim=(0, data.months), ylim=(0, highest * 1.03))
    months = np.arange(data.months + 1)
    ax.fill_between(months, 0, data.users, color=b.BLUES[0], linewidth=0, zorder=1)
    ax.plot(months, data.users, color=b.BLUE, linewidth=2.4, zorder=4, clip_on=False)
    _cover_foot(fig, data, words)
    marks = sorted(set(data.targets), key=lambda mark: (mark.month, mark.goal))
    labels = [b.EndLabel(float(data.users[-1]), _cover_words("forecast", float(data.users[-1]), words))]
    for mark in marks:
        b.segment(ax, [mark.month, mark.month], [mark.forecast, mark.goal], colour=b.INK3, width=0.7)
        b.target(ax, mark.month, mark.goal, size=8.5)
        if mark.month == data.months:
            labels.append(b.EndLabel(mark.goal, _cover_words("goal", mark.goal, words), colour=b.INK))
        else:
            goal = words.number(mark.goal, "users")
            b.write(ax, mark.month, mark.goal, goal, size=10, weight="Medium", colour=b.INK, dx=10)
    b.dot(ax, data.months, float(data.users[-1]), size=7)
    b.end_labels(ax, data.months, labels, size=11, dx=12)
    return fig


def _cover_words(kind: str, value: float, words: Words) -> str:
    return words.text(f"funnel.charts.cover_{kind}", value=words.number(value, "users"))


def _cover_foot(fig: Figure, data: UsersData, words: Words) -> None:
    """Write the months on a strip below the area: the year with January and the first month."""
    foot = b.panel(fig, 0, _COVER_HEIGHT - _COVER_FOOT, _COVER_RIGHT, _COVER_FOOT, xlim=(0, data.months), ylim=(0, 1))
    foot.axhspan(0, 1, color=b.PANEL, linewidth=0)
    days = b.month_days(data.start, data.months)
    pitch = _COVER_RIGHT / data.months
    wide = max(b.width_of(words.text(f"charts.month.m{day.month}"), 8.5) for day in days) + 8
    step = next((s for s in (1, 2, 3, 6) if s * pitch >= wide), 12)
    for t, day in enumerate(days, start=1):
        if (day.month - 1) % step or t == data.months:
            continue
        name = words.month(day) if day.month == 1 else words.text(f"charts.month.m{day.month}")
        b.write(foot, t, 0.5, name, size=8.5, colour=b.INK2, ha="center", dy=2, tick=True)
        b.segment(foot, [t, t], [0, 0.2], colour=b.INK3, width=0.8)
