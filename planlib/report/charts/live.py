"""Four linked views of a plan that is being moved, as one SVG with live text, drawn in milliseconds.

Users and GMV as fans; money as stacks beside what it brings; gates and tasks on the calendar; chances of the targets.
What the plan has stands in grey, hollow or dashed; the setting in colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import numpy as np

from planlib.core.words import Words
from planlib.report.charts import base as b

WIDTH, HEIGHT = 600.0, 424.0  # of a panel: readable beside the levers on a screen of 1366 pixels
MOST_CHANCES, MOST_GATES = 11, 14
FAMILY = "Noto Sans SC"
_GAP, _HEAD = 20.0, 24.0
_LEFT = 0.47  # of the width: names of targets need the rest
Both = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Fan:
    """One measure by month: (T,) the plan's middle, (5, T) the setting's 10, 25, 50, 75 and 90 % points, goals."""

    name: Both
    unit: str
    plan: np.ndarray
    levels: np.ndarray
    goals: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Money:
    """Shares of a year's budget, plan and setting, and new users a month against CNY a month on channels.

    Attributes:
        names: (K,) categories; () without bands.
        plan, setting: (K,) shares.
        year_cny: budget of a year, plan and setting.
        spend_cny, users: (P,) the curve of the setting; empty where no channel costs money.
        marks: (CNY, users) of plan and setting upon their curves.
        fits: the setting's shares can add up to 1.
    """

    names: tuple[Both, ...]
    plan: np.ndarray
    setting: np.ndarray
    year_cny: tuple[float, float]
    spend_cny: np.ndarray
    users: np.ndarray
    marks: tuple[tuple[float, float], ...]
    fits: bool = True


@dataclass(frozen=True, eq=False)
class Gate:
    """A gate: months since the start when it is due, the plan's median, the setting's 10, 50 and 90 % points."""

    name: Both
    due: float
    plan: float
    setting: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Calendar:
    """Gates, and (lane name, ((start, end, critical), ...)) in months since the start."""

    gates: Sequence[Gate]
    lanes: Sequence[tuple[Both, Sequence[tuple[float, float, bool]]]]


@dataclass(frozen=True, eq=False)
class Target:
    """A target and its chance, in the plan and in the setting."""

    name: Both
    plan: float
    setting: float


@dataclass(frozen=True, eq=False)
class Views:
    """What is drawn: start YYYY-MM, T months, two fans, money, calendar (None without gates) and targets."""

    start: str
    months: int
    fans: tuple[Fan, ...]
    money: Money
    calendar: Calendar | None
    targets: Sequence[Target]


@dataclass
class _Page:
    """Elements in points from the top left corner."""

    parts: list[str] = field(default_factory=list)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.0, *, dash: str = "") -> None:
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def area(self, points: Sequence[tuple[float, float]], fill: str) -> None:
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{at}" fill="{fill}"/>')

    def box(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{fill}"/>'
        )

    def ring(self, x: float, y: float, radius: float, colour: str, *, filled: bool = True) -> None:
        fill = colour if filled else b.WHITE
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{colour}" stroke-width="1.4"/>'
        )

    def text(
        self, x: float, y: float, said: str, *, size: float = 9.0, weight: str = "Regular", colour: str = b.INK2,
        anchor: str = "start",
    ) -> None:  # fmt: skip
        self.parts.append(
            f'<text x="{x:.1f}" y="{y + b.MIDDLE * size:.1f}" font-size="{size}" font-weight="{b.WEIGHTS[weight]}" '
            f'fill="{colour}" text-anchor="{anchor}">{escape(b.gaps(said))}</text>'
        )


def views(data: Views, words: Words, *, width: float = WIDTH, height: float = HEIGHT) -> str:
    """Return the four views, two by two, as the text of an SVG of that size in points."""
    page = _Page()
    first, tall = _LEFT * (width - _GAP), (height - _GAP / 2) / 2
    right, below, second = first + _GAP, tall + _GAP / 2, width - first - _GAP
    _fans(page, data, words, 0.0, 0.0, first, tall)
    _money(page, data.money, words, right, 0.0, second, tall)
    _calendar(page, data, words, 0.0, below, first, tall)
    _targets(page, data.targets, words, right, below, second, tall)
    body = "\n".join(page.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}pt" height="{height:g}pt" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{FAMILY}">\n{body}\n</svg>\n'
    )


def _head(page: _Page, x: float, y: float, said: str, note: str, *, room: float) -> None:
    """Write a heading and what its marks mean: beside it, or below where there is no room."""
    page.text(x, y + 8, said, size=10.5, weight="Bold", colour=b.INK)
    if b.width_of(said, 10.5, "Bold") + b.width_of(note, 8) + 24 <= room:
        page.text(x + room, y + 8, note, size=8, colour=b.INK3, anchor="end")
    else:
        page.text(x, y + 19, _cut(note, room, 7.5), size=7.5, colour=b.INK3)


def _fans(page: _Page, data: Views, words: Words, x: float, y: float, width: float, height: float) -> None:
    _head(page, x, y, words.text("whatif.view.fans"), words.text("whatif.view.fans_note"), room=width)
    each = (width - 12) / max(len(data.fans), 1)
    for k, fan in enumerate(data.fans):
        _fan(page, fan, words, x + k * (each + 12), y + _HEAD, each, height - _HEAD)


def _fan(page: _Page, fan: Fan, words: Words, x: float, y: float, width: float, height: float) -> None:
    months = len(fan.plan)
    highest = max(float(fan.plan.max()), float(fan.levels.max()), 1e-12)
    goals = [goal for goal in fan.goals if goal[1] <= 2.5 * highest]
    highest = max([highest, *(level for _, level in goals)])
    at = b.ticks(0.0, highest * 1.02, most=5)
    scale = b.scale_of(float(at[-1]), fan.unit, words)
    shown = at / scale.factor
    scale = b.Scale(scale.factor, scale.unit, next((p for p in range(4) if np.allclose(shown, np.round(shown, p))), 4))
    left = 8 + max(b.width_of(scale.write(v), 8.5) for v in at)
    ends = [words.number(float(v), fan.unit) for v in (fan.plan[-1], fan.levels[2, -1])]
    edge = 8 + max(b.width_of(text, 9, "Medium") for text in ends)
    x0, x1, y0, y1 = x + left, x + width - edge, y + 26, y + height - 16
    span = max(months - 1, 1)

    def px(t: float) -> float:
        return x0 + (t - 1) / span * (x1 - x0)

    def py(v: float) -> float:
        return y1 - v / float(at[-1]) * (y1 - y0)

    caption = f"{words.pick(fan.name)} · {scale.unit}"
    for n, line in enumerate(b.fit_lines(caption, 0.94 * width, 8, most=2) or [_cut(caption, width, 8)]):
        page.text(x, y + 6 + 9 * n, line, size=8, colour=b.INK3)
    for value in at:
        page.line([(x0, py(value)), (x1, py(value))], b.GRID if value else b.INK3, 0.8)
        page.text(x0 - 4, py(value), scale.write(float(value)), size=8.5, anchor="end")
    step = 6 if (x1 - x0) / months * 6 >= 24 else 12
    for month in [1, *range(step, months + 1, step)]:
        page.text(px(month), y1 + 9, words.number(month, "number"), size=8.5, anchor="middle")
    steps = np.arange(1, months + 1)
    for low, high, fill in ((0, 4, b.BANDS[0.80]), (1, 3, b.BANDS[0.50])):
        path = [(px(t), py(v)) for t, v in zip(steps, fan.levels[low], strict=True)]
        path += [(px(t), py(v)) for t, v in zip(steps[::-1], fan.levels[high][::-1], strict=True)]
        page.area(path, fill)
    page.line([(px(t), py(v)) for t, v in zip(steps, fan.plan, strict=True)], b.INK2, 1.3, dash="4 2")
    page.line([(px(t), py(v)) for t, v in zip(steps, fan.levels[2], strict=True)], b.BLUE, 2.0)
    for month, level in goals:
        page.ring(px(month), py(level), 3.2, b.RED, filled=False)
    places = b.spread([py(float(fan.plan[-1])), py(float(fan.levels[2, -1]))], 12.0, y0, y1)
    for place, said, colour in zip(places, ends, (b.INK2, b.BLUE), strict=True):
        page.text(x1 + 4, float(place), said, size=9, weight="Medium", colour=colour)


def _money(page: _Page, data: Money, words: Words, x: float, y: float, width: float, height: float) -> None:
    _head(page, x, y, words.text("whatif.view.money"), words.text("whatif.view.money_note"), room=width)
    top, foot = y + _HEAD + 20, y + height - 16
    if data.names:
        stack = 0.42 * width
        if not data.fits:
            page.text(x, y + _HEAD + 4, words.text("whatif.view.no_fit"), size=8.5, weight="Medium", colour=b.RED)
        names = [words.pick(name) for name in data.names]
        room = min(max(b.width_of(name, 8.5) for name in names) + 6, 0.55 * stack)
        bar = (stack - room - 12) / 2
        for k, (shares, total, key) in enumerate(
            ((data.plan, data.year_cny[0], "plan"), (data.setting, data.year_cny[1], "setting"))
        ):
            left, place = x + room + k * (bar + 8), foot
            for n, share in enumerate(shares):
                tall = float(share) * (foot - top)
                place -= tall
                fill = b.CATEGORIES[n % len(b.CATEGORIES)]
                page.box(left, place, bar, max(tall - 0.8, 0), fill)
                if tall >= 11:
                    page.text(left + bar / 2, place + tall / 2, words.number(float(share), "ratio"), size=8.5,
                              colour=b.on_fill(fill), anchor="middle")  # fmt: skip
                if k == 0:
                    page.text(left - 4, place + tall / 2, _cut(names[n], room - 6, 8.5), size=8.5, anchor="end")
            page.text(left + bar / 2, top - 7, words.number(total, "CNY"), size=8.5, weight="Medium", anchor="middle")
            page.text(left + bar / 2, foot + 9, words.text(f"whatif.view.{key}"), size=8.5, anchor="middle")
        x, width = x + stack + 12, width - stack - 12
    if len(data.spend_cny):
        _response(page, data, words, x, y + _HEAD, width, height - _HEAD)


def _response(page: _Page, data: Money, words: Words, x: float, y: float, width: float, height: float) -> None:
    highest = max(float(data.users.max()), *(mark[1] for mark in data.marks), 1e-12)
    at = b.ticks(0.0, highest, most=5)
    scale, money = (b.scale_of(v, unit, words) for v, unit in ((float(at[-1]), "users"), (data.spend_cny[-1], "CNY")))
    shown = at / scale.factor
    scale = b.Scale(scale.factor, scale.unit, next((p for p in range(4) if np.allclose(shown, np.round(shown, p))), 4))
    left = 8 + max(b.width_of(scale.write(v), 8.5) for v in at)
    x0, x1, y0, y1 = x + left, x + width - 8, y + 26, y + height - 28
    end = float(data.spend_cny[-1])

    def px(v: float) -> float:
        return x0 + min(v / end, 1.0) * (x1 - x0)

    def py(v: float) -> float:
        return y1 - v / float(at[-1]) * (y1 - y0)

    caption = words.text("whatif.view.response", unit=scale.unit)
    for n, line in enumerate(b.fit_lines(caption, 0.94 * width, 8, most=2) or [_cut(caption, width, 8)]):
        page.text(x, y + 6 + 9 * n, line, size=8, colour=b.INK3)
    for value in at:
        page.line([(x0, py(value)), (x1, py(value))], b.GRID if value else b.INK3, 0.8)
        page.text(x0 - 4, py(value), scale.write(float(value)), size=8.5, anchor="end")
    for value in b.ticks(0.0, end, most=4):
        if value <= end:
            page.text(px(value), y1 + 9, f"{value / money.factor:,.4g}", size=8.5, anchor="middle")
    page.text(x1, y1 + 21, words.text("whatif.view.spend", unit=money.unit), size=8.5, colour=b.INK3, anchor="end")
    page.line([(px(s), py(u)) for s, u in zip(data.spend_cny, data.users, strict=True)], b.BLUE, 1.8)
    for mark, colour, filled in zip(data.marks, (b.INK2, b.BLUE), (False, True), strict=False):
        page.ring(px(mark[0]), py(mark[1]), 3.6, colour, filled=filled)


def _cut(said: str, width: float, size: float) -> str:
    """Return a text, or as much of its beginning as fits with dots behind."""
    if b.width_of(said, size) <= width:
        return said
    while said and b.width_of(said + "…", size) > width:
        said = said[:-1]
    return said.rstrip() + "…"


def _calendar(page: _Page, data: Views, words: Words, x: float, y: float, width: float, height: float) -> None:
    _head(page, x, y, words.text("whatif.view.calendar"), words.text("whatif.view.calendar_note"), room=width)
    found = data.calendar
    if found is None:
        page.text(x, y + _HEAD + 12, words.text("whatif.view.no_gates"), size=9)
        return
    gates, lanes = list(found.gates)[:MOST_GATES], list(found.lanes)
    tall = height - _HEAD - 20
    lanes = lanes if tall / max(len(gates) + len(lanes), 1) >= 9 else []  # a page has room for the gates alone
    last = max([1.0, *(g.due for g in gates), *(g.setting[2] for g in gates)])
    months = int(min(max(np.ceil(last), 3), data.months + 6))
    rows = len(gates) + len(lanes)
    top, pitch = y + _HEAD + 16, min(tall / max(rows, 1), 17.0)
    size = min(8.5, 0.88 * pitch)
    names = [words.pick(g.name) for g in gates] + [words.pick(name) for name, _ in lanes]
    room = min(max(b.width_of(name, size) for name in names) + 8, 0.42 * width)
    x0, x1 = x + room, x + width - 6

    def px(t: float) -> float:
        return x0 + min(max(t, 0.0), months) / months * (x1 - x0)

    step = next(s for s in (1, 2, 3, 6, 12) if s * (x1 - x0) / months >= 26 or s == 12)
    days = b.month_days(data.start, months)
    for t, day in enumerate(days):
        page.line([(px(t), top - 4), (px(t), top + rows * pitch)], b.GRID, 0.8)
        if t % step == 0:
            said = words.text(f"charts.month.m{day.month}")
            page.text((px(t) + px(t + 1)) / 2, top - 10, said, size=8.5, anchor="middle")
    for k, (name, bars) in enumerate(lanes):
        place = top + (k + 0.5) * pitch
        page.text(x, place, _cut(words.pick(name), room - 6, size), size=size, weight="Medium")
        for start, end, critical in bars:
            page.box(px(start), place - 0.3 * pitch, max(px(end) - px(start), 1.0), 0.6 * pitch,
                     b.BLUES[3] if critical else b.BLUES[1])  # fmt: skip
    for k, gate in enumerate(gates, start=len(lanes)):
        place = top + (k + 0.5) * pitch
        late = gate.setting[1] > gate.due + 1e-9
        colour = b.RED if late else b.TEAL
        page.text(x, place, _cut(words.pick(gate.name), room - 6, size), size=size)
        page.line([(px(gate.setting[0]), place), (px(gate.setting[2]), place)], colour, 3.0)
        page.line([(px(gate.due), place - 0.4 * pitch), (px(gate.due), place + 0.4 * pitch)], b.INK, 1.4)
        page.ring(px(gate.plan), place, 3.2, b.INK2, filled=False)
        page.ring(px(gate.setting[1]), place, 3.2, colour)


def _targets(
    page: _Page, found: Sequence[Target], words: Words, x: float, y: float, width: float, height: float
) -> None:
    _head(page, x, y, words.text("whatif.view.targets"), words.text("whatif.view.targets_note"), room=width)
    rows = list(found)[:MOST_CHANCES]
    names = [words.pick(row.name) for row in rows]
    column = 62.0
    room = min(max([b.width_of(name, 8) for name in names], default=0.0) + 8, 0.64 * width)
    x0, x1 = x + room, x + width - column
    top, pitch = y + _HEAD + 4, min((height - _HEAD - 8) / max(len(rows), 1), 26.0)
    for k, row in enumerate(rows):
        place = top + (k + 0.5) * pitch
        page.text(x, place, _cut(names[k], room - 6, 8), size=8)
        page.box(x0, place - 4, x1 - x0, 8, b.STRIP)
        both = [words.number(v, "probability") for v in (row.plan, row.setting)]
        moved = both[0] != both[1]
        colour = b.BLUE if not moved else b.TEAL if row.setting > row.plan else b.RED
        page.box(x0, place - 4, row.setting * (x1 - x0), 8, colour)
        at = x0 + row.plan * (x1 - x0)
        page.line([(at, place - 7), (at, place + 7)], b.INK, 1.4)
        page.text(x + width, place, " → ".join(both) if moved else both[1], size=9, weight="Medium",
                  colour=colour if moved else b.INK2, anchor="end")  # fmt: skip
