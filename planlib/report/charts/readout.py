"""Charts of notebook 41: effects on all metrics, the effect day by day, segments, the posterior, health by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_EFFECTS = 12
MOST_SEGMENTS = 10
MOST_LABELS = 16
MOST_ARMS = 3
CUMULATIVE_WIDTH = 556.0
TONES = {1: b.TEAL, 0: b.INK3, -1: b.RED}
_MARKS = {1: "o", 0: "o", -1: "s"}
_HEAD, _AXIS = 30.0, 34.0


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One metric of one treatment against the control.

    Attributes:
        name: in both languages, with the arm where there are several.
        unit: of the levels: ratio, CNY or number.
        control, treatment: levels; None when not computable.
        effect, low, high: difference with its interval, as drawn: of shares in percentage points; None as above.
        margin: change that a guardrail may reach, as drawn; None for other metrics.
        verdict: locale key of the word at the end of the row.
        tone: 1 good, -1 bad, 0 open.
        strong: the metric that decides.
    """

    name: Mapping[str, str]
    unit: str
    control: float | None
    treatment: float | None
    effect: float | None
    low: float | None
    high: float | None
    margin: float | None
    verdict: str
    tone: int
    strong: bool = False


@dataclass(frozen=True, slots=True)
class CumulativeData:
    """The effect on one metric as people came in.

    Attributes:
        day: (D,) days since the first assignment, from 1.
        effect, low, high: (D,) difference of all people so far, with the interval of a single look.
        always_low, always_high: (D,) confidence sequence: it may be looked at on any day.
        unit: of the difference: points, CNY or number.
        worth: smallest difference worth having; None when none was registered.
    """

    day: np.ndarray
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    always_low: np.ndarray
    always_high: np.ndarray
    unit: str
    worth: float | None


@dataclass(frozen=True, slots=True)
class SegmentData:
    """The effect in each segment.

    Attributes:
        labels: (S,) in both languages.
        people: (S,) in all arms.
        effect, low, high: (S,) own difference and interval, as drawn.
        shrunk: (S,) difference drawn towards the whole; None where there are too few segments.
        whole: difference of all people, as drawn.
        unit: of the levels: ratio, CNY or number.
    """

    labels: Sequence[Mapping[str, str]]
    people: np.ndarray
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shrunk: np.ndarray | None
    whole: float
    unit: str


@dataclass(frozen=True, slots=True)
class RealisedData:
    """What finished tests came to, beside what was expected of them.

    Attributes:
        labels: (E,) in both languages.
        low, high: (E,) range of the relative effect that was predicted.
        lift: (E,) that came out.
        shrunk: (E,) what is left after shrinkage.
    """

    labels: Sequence[Mapping[str, str]]
    low: np.ndarray
    high: np.ndarray
    lift: np.ndarray
    shrunk: np.ndarray


@dataclass(frozen=True, slots=True)
class PosteriorData:
    """What is believed of the effect of one treatment.

    Attributes:
        name: of the arm, in both languages.
        mean, low, high: of the effect, as drawn.
        chance: that the treatment is above the control.
        sd: spread, as drawn.
        unit: of the levels: ratio, CNY or number.
        up: whether more is better.
    """

    name: Mapping[str, str]
    mean: float
    low: float
    high: float
    chance: float
    sd: float
    unit: str
    up: bool = True


@dataclass(frozen=True, slots=True)
class HealthData:
    """Share of an arm's people, or of those reached, by label of one dimension.

    Attributes:
        labels: (L,) names of employees, days, batches, in both languages.
        people: (L,) behind each share.
        share, low, high: (L,) with interval.
        expected: share that the plan gives.
        off: (L,) labels that do not fit the plan.
        head: locale key of what the share is.
        dimension: locale key of what the labels are.
    """

    labels: Sequence[Mapping[str, str]]
    people: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    expected: float
    off: np.ndarray
    head: str
    dimension: str


def drawn(value: float | None, unit: str) -> float | None:
    """Return a difference as charts write it: of shares in percentage points."""
    return None if value is None else value * 100 if unit in ("ratio", "points") else value


def written(value: float | None, unit: str, words: Words, *, signed: bool = True) -> str:
    """Return a difference that is `drawn`, without its unit."""
    if value is None:
        return "—"
    if unit == "CNY":
        return words.number(value, "CNY", signed=signed, decimals=2 if abs(value) < 100 else None)
    return words.number(value, "number", signed=signed, decimals=1 if unit in ("ratio", "points") else 2)


@b.styled
def intervals(rows: Sequence[EffectRow], words: Words) -> Figure:
    """One row a metric: both levels, the difference with its interval on a scale for each unit, what it means."""
    fig = b.canvas()
    shown = list(rows)[:MOST_EFFECTS]
    groups = [[row for row in shown if row.unit == unit] for unit in dict.fromkeys(row.unit for row in shown)]
    pitch = min(34.0, (b.BODY - _HEAD - _AXIS * len(groups)) / max(len(shown), 1))
    rule = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    heads = (("metric", 0, "left"), ("control", 268, "right"), ("treatment", 334, "right"), ("effect", 642, "right"),
             ("interval", 762, "right"), ("verdict", 794, "left"))  # fmt: skip
    for key, x, ha in heads:
        b.write(fig, x, 10, words.text(f"readout.charts.{key}"), size=9, weight="Medium", ha=ha)
    b.segment(rule, [0, b.LIVE], [20, 20], colour=b.INK2, width=0.9)
    top = 24.0
    for group in groups:
        _group(fig, rule, group, words, top, pitch)
        top += pitch * len(group) + _AXIS
    return fig


def _group(fig: Figure, rule: Axes, rows: Sequence[EffectRow], words: Words, top: float, pitch: float) -> None:
    """Draw the metrics of one unit on one scale, its numbers below."""
    height, unit = pitch * len(rows), rows[0].unit
    ends = [x for row in rows for x in (row.low, row.high, row.effect) if x is not None and np.isfinite(x)]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    room = (high - low or 1.0) * 0.06
    ax = b.panel(fig, 358, top, 222, height, xlim=(low - room, high + room), ylim=(len(rows) - 0.5, -0.5))
    at = [x for x in b.ticks(low, high, most=5) if low - room <= x <= high + room]
    places = next(p for p in range(5) if np.allclose(at, np.round(at, p), atol=1e-9) or p == 4)
    for value in at:
        if value:
            ax.axvline(value, color=b.GRID, linewidth=0.8, zorder=0.5)
        text = words.number(float(value), "number", signed=True, decimals=places)
        b.write(ax, value, len(rows) - 0.5, text, size=8.5, colour=b.INK3, ha="center", dy=-9, tick=True)
    caption = words.text(f"readout.charts.unit_{unit}")
    b.write(fig, 358 + 222 / 2, top + height + 20, caption, size=8.5, colour=b.INK3, ha="center", tick=True)
    ax.axvline(0, color=b.INK3, linewidth=0.9, zorder=1)
    for k, row in enumerate(rows):
        middle = top + pitch * (k + 0.5)
        if k:
            b.segment(rule, [0, b.LIVE], [top + pitch * k] * 2, colour=b.GRID, width=0.6, zorder=1)
        _effect(fig, ax, k, middle, row, words)
    b.segment(rule, [0, b.LIVE], [top + height] * 2, colour=b.RULE, width=0.6, zorder=1)


def _effect(fig: Figure, ax: Axes, k: int, middle: float, row: EffectRow, words: Words) -> None:
    colour = TONES[row.tone] if row.tone else b.BLUE
    weight = "Bold" if row.strong else "Regular"
    name = words.pick(row.name)
    size = next((s for s in (10.0, 9.5, 9.0, 8.5) if b.width_of(name, s, "Medium") <= 210), 8.0)
    b.write(fig, 0, middle, name, size=size, weight="Bold" if row.strong else "Medium", colour=b.INK)
    for x, value in ((268, row.control), (334, row.treatment)):
        b.write(fig, x, middle, _level(value, row.unit, words), size=10, ha="right")
    b.write(fig, 642, middle, written(row.effect, row.unit, words), size=10.5, weight="Bold", colour=colour, ha="right")
    if row.effect is not None and row.low is not None and row.high is not None:
        ends = np.clip([row.low, row.high], *ax.get_xlim())  # a one-sided interval is open to the edge
        b.segment(ax, ends, [k, k], colour=colour, width=2.4 if row.strong else 1.6)
        apart = row.low > 0 or row.high < 0
        _line(ax, row.effect, k, colour, filled=apart)
        text = words.text(
            "readout.charts.from_to", low=_end(row.low, row.unit, words), high=_end(row.high, row.unit, words)
        )
        b.write(fig, 762, middle, text, size=9.5, weight=weight, ha="right")
    if row.margin is not None and ax.get_xlim()[0] <= row.margin <= ax.get_xlim()[1]:
        b.segment(ax, [row.margin, row.margin], [k - 0.36, k + 0.36], colour=b.INK, width=1.2, dashes=(2, 1.5))
    _mark(fig, 784, middle, row.tone)
    b.write(fig, 794, middle, words.text(row.verdict), size=9.5, weight="Medium", colour=TONES[row.tone])


def _level(value: float | None, unit: str, words: Words) -> str:
    if value is None:
        return "—"
    return words.number(value, unit, decimals=2 if unit in ("CNY", "number") and abs(value) < 100 else None)


def _end(value: float, unit: str, words: Words) -> str:
    return written(value, unit, words) if np.isfinite(value) else "∞"


def _line(ax: Axes, x: float, y: float, colour: str, *, filled: bool) -> None:
    """Draw an estimate: solid when its interval leaves out zero, hollow when not."""
    ax.plot([x], [y], marker="o", markersize=7, markerfacecolor=colour if filled else b.WHITE, markeredgecolor=colour,
            markeredgewidth=1.6, linestyle="none", zorder=6, clip_on=False)  # fmt: skip


def _mark(fig: Figure, x: float, y: float, tone: int) -> None:
    """Draw the sign of a verdict: disc, hollow ring or square, so that it can be told without its colour."""
    from matplotlib.lines import Line2D

    width, height = b.size_of(fig)
    fig.add_artist(
        Line2D([x / width], [1 - y / height], marker=_MARKS[tone], markersize=6.5, linestyle="none",
               markerfacecolor=TONES[tone] if tone else b.WHITE, markeredgecolor=TONES[tone], markeredgewidth=1.2)
    )  # fmt: skip


@b.styled
def cumulative(data: CumulativeData, words: Words) -> Figure:
    """The difference as people came in, with the interval of one look and the sequence that holds on every day."""
    fig = b.canvas(CUMULATIVE_WIDTH, b.BODY)
    days = data.day.astype(float)
    scale = 100.0 if data.unit == "points" else 1.0
    late = days >= days[0] + 0.35 * (days[-1] - days[0])
    spots = [data.always_low[late], data.always_high[late], data.effect]
    low, high = min(float(np.min(x)) for x in spots) * scale, max(float(np.max(x)) for x in spots) * scale
    worth = None if data.worth is None else data.worth * scale
    low, high = min(low, 0.0, worth or 0.0), max(high, 0.0, worth or 0.0)
    at = b.ticks(low, high, most=6)
    ax = b.panel(fig, 34, 34, 392, 256, xlim=(days[0], max(days[-1], days[0] + 1)), ylim=(at[0], at[-1]))
    places = next(p for p in range(4) if np.allclose(at, np.round(at, p), atol=1e-9) or p == 3)
    for value in at:
        if value:
            ax.axhline(value, color=b.GRID, linewidth=0.8, zorder=0.5)
        b.write_at_left(ax, value, words.number(float(value), "number", signed=True, decimals=places))
    ax.axhline(0, color=b.INK3, linewidth=0.9, zorder=3)
    inner = [x for x in b.ticks(days[0], days[-1], most=7) if days[0] < x < days[-1] - 0.06 * (days[-1] - days[0])]
    for x in (days[0], *inner, days[-1]):
        b.write(ax, x, at[0], f"{x:g}", size=8.5, colour=b.INK3, ha="center", dy=-11, tick=True)
    b.write(ax, days[-1], at[0], words.text("readout.charts.day"), size=8.5, colour=b.INK3, ha="right", dy=-26,
            tick=True)  # fmt: skip
    b.heading(ax, words.text("readout.charts.cumulative", unit=words.text(f"readout.charts.unit_{data.unit}")), dx=-34)
    ax.fill_between(days, data.always_low * scale, data.always_high * scale, color=b.BLUES[0], linewidth=0, zorder=1)
    ax.fill_between(days, data.low * scale, data.high * scale, color=b.BLUES[1], linewidth=0, zorder=2)
    ax.plot(days, data.effect * scale, color=b.BLUE, linewidth=2, zorder=4)
    _bands(ax, words)
    _ends(ax, data, words, scale)
    return fig


def _bands(ax: Axes, words: Words) -> None:
    from matplotlib.patches import Rectangle

    width, height = b.panel_size(ax)
    names = [words.text(f"readout.charts.{key}") for key in ("always", "one_look")]
    left = width - max(b.width_of(name, 8.5) for name in names) - 24
    for k, (name, fill) in enumerate(zip(names, b.BLUES[:2], strict=True)):
        y = 1 - (8 + 15 * k) / height
        ax.add_patch(Rectangle((left / width, y - 5 / height), 18 / width, 10 / height, facecolor=fill, linewidth=0,
                               transform=ax.transAxes, zorder=5))  # fmt: skip
        b.write_at(ax, (left + 24) / width, y, name, size=8.5, halo=True)


def _ends(ax: Axes, data: CumulativeData, words: Words, scale: float) -> None:
    last = float(data.day[-1])
    effect, low, high = (float(x[-1]) for x in (data.effect, data.always_low, data.always_high))
    b.dot(ax, last, effect * scale, size=7)
    told = [
        b.EndLabel(high * scale, words.text("readout.charts.high", value=words.number(high, data.unit, signed=True)),
                   colour=b.INK3, weight="Regular"),
        b.EndLabel(effect * scale, words.number(effect, data.unit, signed=True), weight="Bold"),
        b.EndLabel(low * scale, words.text("readout.charts.low", value=words.number(low, data.unit, signed=True)),
                   colour=b.INK3, weight="Regular"),
        b.EndLabel(0.0, words.text("readout.charts.no_effect"), colour=b.INK3, weight="Regular"),
    ]  # fmt: skip
    if data.worth is not None:
        ax.axhline(data.worth * scale, color=b.INK, linewidth=1.1, linestyle=(0, (2, 2)), zorder=5)
        worth = words.text("readout.charts.worth", value=words.number(data.worth, data.unit, signed=True))
        told.append(b.EndLabel(data.worth * scale, worth, colour=b.INK))
    b.end_labels(ax, last, told, size=8.5)


@b.styled
def segments(data: SegmentData, words: Words) -> Figure:
    """One row a segment: hollow its own difference with interval, solid after shrinkage; a line for everybody."""
    count = min(len(data.labels), MOST_SEGMENTS)
    pitch = min(34.0, (b.BODY - _HEAD - _AXIS) / max(count, 1))
    fig = b.canvas(b.LIVE, _HEAD + pitch * count + _AXIS)
    top, height = 24.0, pitch * count
    values = [*data.low[:count], *data.high[:count], data.whole, 0.0]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = (high - low or 1.0) * 0.06
    tall = b.size_of(fig)[1]
    rule = b.panel(fig, 0, 0, b.LIVE, tall, xlim=(0, b.LIVE), ylim=(tall, 0))
    ax = b.panel(fig, 290, top, 310, height, xlim=(low - room, high + room), ylim=(count - 0.5, -0.5))
    heads = (("segment", 0, "left"), ("people", 262, "right"), ("effect", 676, "right"), ("interval", 782, "right"),
             ("shrunk", b.LIVE, "right"))  # fmt: skip
    for key, x, ha in heads:
        if key != "shrunk" or data.shrunk is not None:
            b.write(fig, x, 10, words.text(f"readout.charts.{key}"), size=9, weight="Medium", ha=ha)
    b.segment(rule, [0, b.LIVE], [20, 20], colour=b.INK2, width=0.9)
    for value in b.ticks(low, high, most=6):
        if low - room <= value <= high + room:
            ax.axvline(value, color=b.GRID if value else b.INK3, linewidth=0.8, zorder=0.5)
            text = words.number(float(value), "number", signed=True)
            b.write(ax, value, count - 0.5, text, size=8.5, colour=b.INK3, ha="center", dy=-9, tick=True)
    caption = words.text(f"readout.charts.unit_{data.unit}")
    b.write(fig, 290 + 155, top + height + 20, caption, size=8.5, colour=b.INK3, ha="center", tick=True)
    ax.axvline(data.whole, color=b.INK, linewidth=1.1, linestyle=(0, (3, 2)), zorder=2)
    whole = words.text("readout.charts.whole", value=written(data.whole, data.unit, words))
    middle = b.to_points(ax, data.whole, 0)[0]
    half = b.width_of(whole, 9, "Medium") / 2
    x = float(np.clip(290 + middle, 290 + half, 600 - half))
    b.write(fig, x, 10, whole, size=9, weight="Medium", colour=b.INK, ha="center")
    for k in range(count):
        y = top + pitch * (k + 0.5)
        b.write(fig, 0, y, words.pick(data.labels[k]), size=10, weight="Medium", colour=b.INK)
        b.write(fig, 262, y, words.number(float(data.people[k]), "people"), size=9.5, ha="right")
        b.segment(ax, [data.low[k], data.high[k]], [k, k], colour=b.BLUE, width=1.6)
        _line(ax, float(data.effect[k]), k, b.BLUE, filled=False)
        b.write(fig, 676, y, written(float(data.effect[k]), data.unit, words), size=10, ha="right")
        ends = {name: written(float(x[k]), data.unit, words) for name, x in (("low", data.low), ("high", data.high))}
        b.write(fig, 782, y, words.text("readout.charts.from_to", **ends), size=9.5, ha="right")
        if data.shrunk is not None:
            b.dot(ax, float(data.shrunk[k]), k, size=6)
            text = written(float(data.shrunk[k]), data.unit, words)
            b.write(fig, b.LIVE, y, text, size=10.5, weight="Bold", colour=b.BLUE, ha="right")
        b.segment(rule, [0, b.LIVE], [top + pitch * (k + 1)] * 2, colour=b.GRID, width=0.6, zorder=1)
    if len(data.labels) > count:
        b.write(fig, 0, top + height + 12, words.text("readout.charts.left_out"), size=8.5, colour=b.INK3)
    return fig


@b.styled
def realised(data: RealisedData, words: Words) -> Figure:
    """One row a comparison: the range that was predicted, the lift that came out, and what is left of it."""
    count = min(len(data.labels), MOST_SEGMENTS)
    pitch = min(34.0, (b.BODY - _HEAD - _AXIS) / max(count, 1))
    fig = b.canvas(b.LIVE, _HEAD + pitch * count + _AXIS)
    top, height = 24.0, pitch * count
    scaled = {name: getattr(data, name)[:count] * 100 for name in ("low", "high", "lift", "shrunk")}
    values = np.concatenate([*scaled.values(), [0.0]])
    low, high = float(values.min()), float(values.max())
    room = (high - low or 1.0) * 0.06
    tall = b.size_of(fig)[1]
    rule = b.panel(fig, 0, 0, b.LIVE, tall, xlim=(0, b.LIVE), ylim=(tall, 0))
    ax = b.panel(fig, 250, top, 320, height, xlim=(low - room, high + room), ylim=(count - 0.5, -0.5))
    heads = (("test", 0, "left"), ("predicted", 690, "right"), ("came_out", 780, "right"), ("shrunk", b.LIVE, "right"))
    for key, x, ha in heads:
        b.write(fig, x, 10, words.text(f"readout.charts.{key}"), size=9, weight="Medium", ha=ha)
    b.segment(rule, [0, b.LIVE], [20, 20], colour=b.INK2, width=0.9)
    for value in b.ticks(low, high, most=6):
        if low - room <= value <= high + room:
            ax.axvline(value, color=b.GRID if value else b.INK3, linewidth=0.8, zorder=0.5)
            text = words.number(float(value), "number", signed=True)
            b.write(ax, value, count - 0.5, text, size=8.5, colour=b.INK3, ha="center", dy=-9, tick=True)
    caption = words.text("readout.charts.unit_relative")
    b.write(fig, 250 + 160, top + height + 20, caption, size=8.5, colour=b.INK3, ha="center", tick=True)
    for k in range(count):
        y, inside = top + pitch * (k + 0.5), data.low[k] <= data.lift[k] <= data.high[k]
        b.write(fig, 0, y, words.pick(data.labels[k]), size=10, weight="Medium", colour=b.INK)
        b.segment(ax, [scaled["low"][k], scaled["high"][k]], [k, k], colour=b.BLUES[1], width=7)
        ax.plot([scaled["lift"][k]], [k], marker="o" if inside else "s", markersize=7, linestyle="none", zorder=6,
                color=b.BLUE if inside else b.RED, clip_on=False)  # fmt: skip
        _line(ax, float(scaled["shrunk"][k]), k, b.INK2, filled=False)
        ends = {name: words.number(float(getattr(data, name)[k]), "ratio", signed=True) for name in ("low", "high")}
        b.write(fig, 690, y, words.text("readout.charts.from_to", **ends), size=9.5, ha="right")
        lift = words.number(float(data.lift[k]), "ratio", signed=True)
        b.write(fig, 780, y, lift, size=10, weight="Bold", ha="right", colour=b.INK if inside else b.RED)
        b.write(fig, b.LIVE, y, words.number(float(data.shrunk[k]), "ratio", signed=True), size=10, ha="right")
        b.segment(rule, [0, b.LIVE], [top + pitch * (k + 1)] * 2, colour=b.GRID, width=0.6, zorder=1)
    if len(data.labels) > count:
        b.write(fig, 0, top + height + 12, words.text("readout.charts.left_out"), size=8.5, colour=b.INK3)
    return fig


@b.styled
def posterior(arms: Sequence[PosteriorData], words: Words) -> Figure:
    """One panel a treatment: the density of its effect, red where it is worse than the control."""
    fig = b.canvas(b.LIVE, 250)
    shown = list(arms)[:MOST_ARMS]
    low = min(0.0, *(arm.mean - 3.6 * arm.sd for arm in shown))
    high = max(0.0, *(arm.mean + 3.6 * arm.sd for arm in shown))
    wide = (b.LIVE - 40 * (len(shown) - 1)) / len(shown)
    for k, arm in enumerate(shown):
        ax = b.panel(fig, k * (wide + 40) + 6, 78, min(wide, 560) - 12, 126, xlim=(low, high), ylim=(0, 1.08))
        _density(ax, arm, words)
        b.heading(ax, words.pick(arm.name), dy=54)
        chance = words.text("readout.charts.chance", chance=words.number(arm.chance, "probability"))
        b.write_at(ax, 0.0, 1.0, chance, size=11, weight="Bold", colour=b.BLUE, dy=32, va="baseline")
        ends = {end: written(getattr(arm, end), arm.unit, words) for end in ("mean", "low", "high")}
        b.write_at(ax, 0.0, 1.0, words.text("readout.charts.believed", **ends), size=9, dy=15, va="baseline")
    return fig


def _density(ax: Axes, arm: PosteriorData, words: Words) -> None:
    x = np.linspace(*ax.get_xlim(), 401)
    y = np.exp(-0.5 * ((x - arm.mean) / arm.sd) ** 2)
    good = x >= 0 if arm.up else x <= 0
    ax.fill_between(x, 0, y, where=good, color=b.BLUES[1], linewidth=0, zorder=2)
    ax.fill_between(x, 0, y, where=~good, color="#E9BFB6", linewidth=0, zorder=2)
    ax.plot(x, y, color=b.BLUE, linewidth=1.8, zorder=3)
    ax.axhline(0, color=b.INK3, linewidth=0.8, zorder=3.5)
    b.segment(ax, [0, 0], [0, 1.08], colour=b.INK3, width=0.9)
    b.segment(ax, [arm.low, arm.high], [0.04, 0.04], colour=b.BLUE, width=3)
    low, high = ax.get_xlim()
    for value in b.ticks(low, high, most=5):
        if low <= value <= high:
            text = words.number(float(value), "number", signed=True)
            b.write(ax, value, 0, text, size=8.5, colour=b.INK3, ha="center", dy=-11, tick=True)
    caption = words.text(f"readout.charts.unit_{arm.unit}")
    b.write(ax, (low + high) / 2, 0, caption, size=8.5, colour=b.INK3, ha="center", dy=-26, tick=True)


@b.styled
def health(data: HealthData, words: Words) -> Figure:
    """One row a label: its share with interval beside the planned one; in red those that do not fit."""
    fig = b.canvas()
    order = np.argsort(~data.off, kind="stable")[:MOST_LABELS]
    count = len(order)
    pitch = min(30.0, (b.BODY - _HEAD - _AXIS) / max(count, 1))
    top, height = 24.0, pitch * count
    values = [*data.low[order], *data.high[order], data.expected]
    low, high = max(float(min(values)) - 0.03, 0.0), min(float(max(values)) + 0.03, 1.0)
    rule = b.panel(fig, 0, 0, b.LIVE, b.BODY, xlim=(0, b.LIVE), ylim=(b.BODY, 0))
    ax = b.panel(fig, 290, top, 400, height, xlim=(low, high), ylim=(count - 0.5, -0.5))
    for key, x, ha in ((data.dimension, 0, "left"), ("readout.charts.people", 262, "right"), (data.head, 864, "right")):
        b.write(fig, x, 10, words.text(key), size=9, weight="Medium", ha=ha)
    b.segment(rule, [0, b.LIVE], [20, 20], colour=b.INK2, width=0.9)
    for value in b.ticks(low, high, most=6):
        if low <= value <= high:
            ax.axvline(value, color=b.GRID, linewidth=0.8, zorder=0.5)
            text = words.number(float(value), "ratio", decimals=0)
            b.write(ax, value, count - 0.5, text, size=8.5, colour=b.INK3, ha="center", dy=-10, tick=True)
    ax.axvline(data.expected, color=b.INK, linewidth=1.1, linestyle=(0, (3, 2)), zorder=2)
    planned = words.text("readout.charts.planned", share=words.number(data.expected, "ratio"))
    b.write(ax, data.expected, -0.5, planned, size=9, weight="Medium", colour=b.INK,
            ha="right" if data.expected > high - 0.12 * (high - low) else "center", dy=14)  # fmt: skip
    for k, i in enumerate(order):
        y, colour = top + pitch * (k + 0.5), b.RED if data.off[i] else b.BLUE
        ink = b.RED if data.off[i] else b.INK
        b.write(fig, 0, y, words.pick(data.labels[i]), size=9.5, weight="Medium", colour=ink)
        b.write(fig, 262, y, words.number(float(data.people[i]), "people"), size=9.5, ha="right")
        b.segment(ax, [data.low[i], data.high[i]], [k, k], colour=colour, width=1.6)
        b.dot(ax, float(data.share[i]), k, colour=colour, size=6)
        weight = "Bold" if data.off[i] else "Regular"
        b.write(fig, b.LIVE, y, words.number(float(data.share[i]), "ratio"), size=10, weight=weight, colour=colour,
                ha="right")  # fmt: skip
        b.segment(rule, [0, b.LIVE], [top + pitch * (k + 1)] * 2, colour=b.GRID, width=0.6, zorder=1)
    if len(data.labels) > count:
        b.write(fig, 0, top + height + 12, words.text("readout.charts.left_out"), size=8.5, colour=b.INK3)
    return fig
