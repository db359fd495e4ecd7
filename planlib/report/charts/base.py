"""What every chart shares: style, sizes, colours, axes, labels that do not collide, saving.

A chart is a function `chart(data, words) -> Figure` under `@styled`. It draws at its final size in points, takes
every word from `words`, and never touches pyplot. `save_svg` writes it with live text, the same bytes every time.

    @styled
    def users(data, words):
        fig = canvas()
        ax = panel(fig, 34, 20, 700, 280)
        scale = value_axis(ax, data.users.max(), "users", words)
        month_axis(ax, data.start, data.months, words)
        ax.plot(range(1, data.months + 1), data.users, color=BLUE)
        end_labels(ax, data.months, [EndLabel(data.users[-1], words.text("funnel.charts.users"))])
        return fig

Positions on the page are points from the top left corner of the chart; inside a panel, data units.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text as TextArtist

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.core.words import Words
from planlib.report import typefaces

# Zones of a page in points
LIVE = 864.0
BODY = 330.0
SCHEDULE = 396.0
COVER_WIDTH, COVER = 826.0, 288.0

# Colours and what they mean
INK, INK2, INK3 = "#16212B", "#46535F", "#66727D"
RULE, GRID, PANEL, STRIP = "#CDD3D9", "#E7EAED", "#F4F5F3", "#E9ECEB"
BLUE, TEAL, RED = "#1B4B82", "#15756C", "#B23A24"
AMBER, AMBER_TEXT = "#E0A02E", "#8A5A00"
CATEGORIES = ("#1B4B82", "#15756C", "#C98512", "#66727D", "#75488A", "#B23A24")
BLUES = ("#E4ECF5", "#C3D5E9", "#93B3D7", "#5C88BC", "#47729F", "#1B4B82")
BANDS = {0.95: BLUES[0], 0.80: BLUES[1], 0.50: BLUES[2]}
MISSING_FILL = "#F9EAE6"
WHITE = "#FFFFFF"

MIDDLE = 0.365  # em from the baseline to the middle of a line
LINE = 1.45  # em from one baseline to the next in a stack of labels
WEIGHTS = {"Regular": 400, "Medium": 500, "Bold": 700}

_STYLE = Path(__file__).parent.parent / "planlib.mplstyle"
_SVG_METADATA = {"Date": None, "Creator": "planlib"}
_HAN = r"[\u3400-\u9fff]"
_LATIN = r"[A-Za-z0-9%¥+−<>]"
_GAPS = re.compile(rf"(?<={_HAN})(?={_LATIN})|(?<=[A-Za-z0-9%])(?={_HAN})")


# Style and saving


@cache
def _settings() -> dict[str, Any]:
    typefaces.register_with_matplotlib()
    return dict(matplotlib.rc_params_from_file(_STYLE, use_default_template=False))


def styled(chart: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw a chart under the project's style and fonts, leaving matplotlib's own settings as they were."""

    @functools.wraps(chart)
    def drawn(*args: Any, **options: Any) -> Figure:
        with matplotlib.rc_context(_settings()):
            return chart(*args, **options)

    return drawn


def save_svg(figure: Figure, path: str | Path) -> None:
    """Write a chart as SVG with live text, whole or not at all; the same figure gives the same bytes.

    Raises:
        InputError: the fonts lack a character of one of its texts.
    """
    write_whole(path, svg(figure))


def svg(figure: Figure) -> bytes:
    """Return a chart as SVG; see `save_svg`."""
    refuse_missing_glyphs(figure)
    out = io.BytesIO()
    with matplotlib.rc_context(_settings()):
        figure.savefig(out, format="svg", metadata=_SVG_METADATA)
    return out.getvalue()


def refuse_missing_glyphs(figure: Figure) -> None:
    """Make sure that the fonts hold every character that a chart shows.

    Raises:
        InputError: with one problem for each text that cannot be shown.
    """
    shown = [text.get_text() for text in figure.findobj(TextArtist) if text.get_visible()]
    problems = [
        Problem("missing_glyph", given=text, values={"char": f"U+{ord(char):04X}", "page": "SVG"})
        for text in dict.fromkeys(shown)
        for char in typefaces.missing_glyphs(text)
    ]
    if problems:
        raise InputError(*problems)


# Text


def gaps(text: str) -> str:
    """Set a quarter em between Han and Latin characters or digits, as the deck's text does by itself.

    >>> gaps("第12个月目标100万"), gaps("预测 92.9 万，≥5")
    ('第 12 个月目标 100 万', '预测 92.9 万，≥5')
    """
    return _GAPS.sub(" ", text)


def width_of(text: str, size: float, weight: str = "Regular") -> float:
    """Return the width in points of a label as `write` sets it."""
    return typefaces.running_widths(gaps(text), size, weight=weight)[-1]


def write(
    where: Axes | Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 9.0,
    weight: str = "Regular",
    colour: str = INK2,
    ha: str = "left",
    va: str = "middle",
    dx: float = 0.0,
    dy: float = 0.0,
    zorder: float = 6.0,
    halo: bool = False,
    tick: bool = False,
) -> TextArtist:
    """Write one line of text.

    Args:
        where: a panel (x, y in data units) or a canvas (points from its top left corner).
        text: in the reader's language.
        size: in points.
        weight: Regular, Medium or Bold.
        ha: left, center or right of x.
        va: what of the line stands at y: middle (optical middle of digits) or baseline.
        dx, dy: shift in points, right and up.
        halo: white behind the letters, for text over lines.
        tick: the text belongs to an axis; its SVG group says so, as docs/deck-pages.md asks.
    """
    shift = dy - (MIDDLE * size if va == "middle" else 0.0)
    style = {"fontsize": size, "fontweight": WEIGHTS[weight], "color": colour, "ha": ha, "va": "baseline"}
    zorder = 1.0 if tick else zorder  # axes are read before what they measure
    shown = gaps(text)
    if isinstance(where, Figure):
        width, height = size_of(where)
        label = where.text((x + dx) / width, 1 - (y - shift) / height, shown, zorder=zorder, **style)
    else:
        label = where.annotate(
            shown, (x, y), xytext=(dx, shift), textcoords="offset points", annotation_clip=False, zorder=zorder, **style
        )
    if tick:
        label.set_gid(f"tick-{len(label.figure.texts) + sum(len(ax.texts) for ax in label.figure.axes)}")
    if halo:
        from matplotlib.patheffects import withStroke

        label.set_path_effects([withStroke(linewidth=2.5, foreground=WHITE)])
    return label


def on_fill(fill: str) -> str:
    """Return the colour of text upon a filled area: white on the darker ones, else ink.

    >>> on_fill(BLUE) == WHITE, on_fill(CATEGORIES[2]) == INK
    (True, True)
    """
    return WHITE if _luminance(fill) < 0.19 else INK


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Canvas and panels


def canvas(width: float = LIVE, height: float = BODY) -> Figure:
    """Return an empty chart of that size in points."""
    return Figure(figsize=(width / 72, height / 72))


def size_of(figure: Figure) -> tuple[float, float]:
    """Return width and height of a canvas in points."""
    width, height = figure.get_size_inches()
    return float(width) * 72, float(height) * 72


def panel(
    figure: Figure, x: float, y: float, width: float, height: float, *, xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Axes:  # fmt: skip
    """Return axes whose plotting area lies there, in points from the top left; no ticks yet."""
    full_width, full_height = size_of(figure)
    ax = figure.add_axes((x / full_width, 1 - (y + height) / full_height, width / full_width, height / full_height))
    ax.set_xticks([])
    ax.set_yticks([])
    if xlim:
        ax.set_xlim(xlim)
    if ylim:
        ax.set_ylim(ylim)
    return ax


def panel_size(ax: Axes) -> tuple[float, float]:
    """Return width and height of a panel in points."""
    width, height = size_of(ax.figure)
    box = ax.get_position()
    return float(box.width) * width, float(box.height) * height


def to_points(ax: Axes, x: float, y: float) -> tuple[float, float]:
    """Return a data position as points from the panel's lower left corner."""
    width, height = panel_size(ax)
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return (x - x0) / (x1 - x0) * width, (y - y0) / (y1 - y0) * height


def heading(ax: Axes, text: str, *, dy: float = 10.0, dx: float = 0.0) -> None:
    """Write the heading of a panel above its left edge."""
    write_at(ax, 0.0, 1.0, text, size=10, weight="Bold", colour=INK, dx=dx, dy=dy, va="baseline")


def write_at(ax: Axes, x: float, y: float, text: str, **options: Any) -> TextArtist:
    """Write as `write`, at a share of the panel: (0, 0) lower left, (1, 1) upper right."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    return write(ax, x0 + x * (x1 - x0), y0 + y * (y1 - y0), text, **options)


# Axes


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis writes its numbers: divided by `factor`; `unit` says in what (万人, thousand)."""

    factor: float
    unit: str
    places: int = 0

    def write(self, value: float) -> str:
        """Return a number of the axis without its unit."""
        shown = f"{value / self.factor:,.{self.places}f}"
        return shown.replace("-", "−")


def scale_of(highest: float, unit: str, words: Words) -> Scale:
    """Choose 万 or 亿, thousand or million for an axis that reaches `highest`.

    Args:
        highest: largest absolute value shown.
        unit: users, people, count, orders, CNY or ratio; others are written as they are.
    """
    if unit in ("ratio", "probability"):
        return Scale(0.01, words.text("charts.scale.percent"))
    kind = "money" if unit.startswith("CNY") else unit if unit in ("users", "people", "orders") else "number"
    steps = ((2e8, 1e8, "e8"), (2e4, 1e4, "e4")) if words.locale == "zh" else ((2e6, 1e6, "e6"), (5e3, 1e3, "e3"))
    for least, factor, name in steps:
        if highest >= least:
            return Scale(factor, words.text(f"charts.scale.{kind}_{name}"))
    return Scale(1.0, words.text(f"charts.scale.{kind}"))


def ticks(low: float, high: float, *, most: int = 6) -> np.ndarray:
    """Return round, evenly spaced numbers that cover [low, high]; the last is not below `high`.

    >>> ticks(0, 930_000).tolist()[-1]
    1000000.0
    """
    span = high - low if high > low else max(abs(high), 1.0)
    rough = span / max(most - 1, 1)
    power = 10.0 ** floor(log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return np.arange(first, max(last, first + 1) + 1) * step


def value_axis(
    ax: Axes, highest: float, unit: str, words: Words, *, lowest: float = 0.0, head: str | None = None,
    head_dy: float = 9.0, most: int = 6, baseline: bool = True,
) -> Scale:  # fmt: skip
    """Give a panel its vertical axis: from zero, horizontal grid, round numbers, the unit written once above.

    Args:
        ax: a panel without vertical axis.
        highest: largest value that has to fit.
        unit: of the values, as in the metric catalogue.
        lowest: smallest value, when below zero.
        head: in place of the unit above the axis; "" for none.
        head_dy: points from the panel's top to its baseline; 22 clears the names of `stage_shading`.
        most: grid lines at most.
        baseline: draw the line at zero.
    """
    at = ticks(min(lowest, 0.0), max(highest, 1e-12), most=most)
    scale = scale_of(max(abs(at[0]), abs(at[-1])), unit, words)
    shown = at / scale.factor
    places = next((p for p in range(4) if np.allclose(shown, np.round(shown, p), atol=1e-9)), 4)
    scale = Scale(scale.factor, scale.unit, places)
    ax.set_ylim(at[0], max(at[-1], highest))
    width = max(width_of(scale.write(v), 8.5) for v in at)
    caption = scale.unit if head is None else head
    if caption:
        write_at(
            ax, 0.0, 1.0, caption, size=8.5, colour=INK3, dx=-6.0 - width, dy=head_dy, va="baseline", tick=True
        )
    for value in at:
        if value != 0 or not baseline:
            ax.axhline(value, color=GRID, linewidth=0.8, zorder=0.5)
        write_at_left(ax, value, scale.write(value))
    if baseline:
        ax.axhline(0, color=INK3, linewidth=0.8, zorder=3.5)
    return scale


def write_at_left(ax: Axes, y: float, text: str, *, size: float = 8.5, dx: float = -6.0) -> None:
    """Write a number of the axis left of the panel at the height y."""
    write(ax, ax.get_xlim()[0], y, text, size=size, ha="right", dx=dx, tick=True)


def month_days(start: str, months: int) -> list[dt.date]:
    """Return the first day of each plan month.

    >>> month_days("2026-12", 2)
    [datetime.date(2026, 12, 1), datetime.date(2027, 1, 1)]
    """
    year, first = (int(part) for part in start.split("-"))
    index = [year * 12 + first - 1 + t for t in range(months)]
    return [dt.date(i // 12, i % 12 + 1, 1) for i in index]


def month_axis(
    ax: Axes, start: str, months: int, words: Words, *, opening: bool = False, labels: bool = True, years: bool = True
) -> None:
    """Give a panel its horizontal axis of plan months, with the years below.

    Call it before anything is placed by `write`.

    Args:
        ax: a panel.
        start: first month, YYYY-MM.
        months: how many.
        opening: True for stocks: x = 0 is the opening, x = t the end of month t. False for flows: the bar of
            month t stands at x = t.
        labels: False for a panel above another that has them.
        years: write the years in a second row.
    """
    ax.set_xlim((0, months) if opening else (0.5, months + 0.5))
    if not labels:
        return
    pitch = panel_size(ax)[0] / months
    days = month_days(start, months)
    names = [words.text(f"charts.month.m{day.month}") for day in days]
    wide = max(width_of(name, 8.5) for name in names) + 5
    step = next((s for s in (1, 2, 3, 6) if s * pitch >= wide), 12)
    if opening and pitch >= width_of(words.text("charts.opening"), 8.5):
        _write_below(ax, 0, words.text("charts.opening"), 11.0)
    for t, (day, name) in enumerate(zip(days, names, strict=True), start=1):
        if (day.month - 1) % step == 0:
            _write_below(ax, t, name, 11.0)
    if years:
        _years(ax, days, pitch)


def _years(ax: Axes, days: Sequence[dt.date], pitch: float) -> None:
    firsts = [t for t, day in enumerate(days, start=1) if t == 1 or day.month == 1]
    ends = [*(t - 1 for t in firsts[1:]), len(days)]
    for first, last in zip(firsts, ends, strict=True):
        if (last - first + 1) * pitch >= 26:
            _write_below(ax, first, str(days[first - 1].year), 22.0, weight="Medium")
        if first > 1:
            _tick_below(ax, first - 0.5, 17.0, 27.0)


def _tick_below(ax: Axes, x: float, first: float, last: float) -> None:
    """Draw a short vertical line between two depths in points below the panel."""
    height = panel_size(ax)[1]
    ax.plot([x, x], [-first / height, -last / height], transform=ax.get_xaxis_transform(), color=RULE, linewidth=0.8,
            clip_on=False)  # fmt: skip


def _write_below(ax: Axes, x: float, text: str, depth: float, *, weight: str = "Regular", ha: str = "center") -> None:
    write(ax, x, ax.get_ylim()[0], text, size=8.5, weight=weight, ha=ha, dy=-depth, tick=True)


@dataclass(frozen=True, slots=True)
class Span:
    """A named stretch of plan months, both included: a stage of the plan."""

    name: str
    first: int
    last: int


def stage_shading(
    ax: Axes, stages: Sequence[Span], *, opening: bool = False, dy: float = 8.0, size: float = 9.0
) -> None:
    """Shade every other stage behind a panel and write the names above; call it after the axes.

    A name that its stage is too narrow for is broken over two lines, then set smaller, then left out.

    Args:
        ax: a panel with both axes.
        stages: in order, names in the reader's language.
        opening: as in `month_axis`.
        dy: points between the panel's top and the names' baseline.
        size: of the names.
    """
    shift = 0.0 if opening else 0.5
    left, right = ax.get_xlim()
    pitch = panel_size(ax)[0] / (right - left)
    for index, stage in enumerate(stages):
        first = max(stage.first - 1 + shift, left)
        last = min(stage.last + shift, right)
        if last <= first:
            continue
        if index % 2 == 0:
            ax.axvspan(first, last, color=PANEL, linewidth=0, zorder=0)
        room = (last - first) * pitch - 6
        for shown in (size, size - 1):
            lines = fit_lines(stage.name, room, shown, "Medium")
            for depth, line in enumerate(reversed(lines or [])):
                write(ax, first, ax.get_ylim()[1], line, size=shown, weight="Medium", colour=INK2, dx=4.0,
                      dy=dy + depth * shown * 1.25, va="baseline")  # fmt: skip
            if lines:
                break


def fit_lines(text: str, width: float, size: float, weight: str = "Regular", *, most: int = 2) -> list[str] | None:
    """Break a label into at most `most` lines of that width; None when it does not fit.

    Chinese breaks between characters, as evenly as it can; other text at blanks.
    """
    for count in range(1, most + 1):
        lines = _break_evenly(gaps(text), count)
        if lines and all(width_of(line, size, weight) <= width for line in lines):
            return lines
    return None


def _break_evenly(text: str, count: int) -> list[str] | None:
    """Return `text` in `count` lines of nearly equal width, or None when it has fewer places to break."""
    if count == 1:
        return [text]
    is_han = [typefaces.is_han(char) for char in text]
    places = [i for i in range(1, len(text)) if text[i] == " " or (is_han[i - 1] and is_han[i])]
    widths = typefaces.running_widths(text, 1.0)
    cuts: list[int] = []
    for part in range(1, count):
        free = [p for p in places if p > (cuts[-1] if cuts else 0)]
        if not free:
            return None
        cuts.append(min(free, key=lambda p: abs(widths[p] - widths[-1] * part / count)))
    return [text[a:b].strip() for a, b in pairwise([0, *cuts, len(text)])]


# Marks


def target(ax: Axes, x: float, y: float, *, size: float = 7.0) -> None:
    """Draw a target: a hollow ink diamond."""
    _line(ax, [x], [y], marker="D", markersize=size, markerfacecolor=WHITE, markeredgecolor=INK, markeredgewidth=1.4,
          linestyle="none", zorder=7)  # fmt: skip


def dot(ax: Axes, x: float, y: float, *, colour: str = BLUE, size: float = 5.0) -> None:
    """Draw a value: a solid disc."""
    _line(ax, [x], [y], marker="o", markersize=size, color=colour, markeredgewidth=0, linestyle="none", zorder=6.5)


def segment(
    ax: Axes, xs: Sequence[float], ys: Sequence[float], *, colour: str = INK, width: float = 0.7, dashes: Any = None,
    zorder: float = 5.0,
) -> None:  # fmt: skip
    """Draw a thin line in data units: a leader, a gap, a limit."""
    line = _line(ax, xs, ys, color=colour, linewidth=width, zorder=zorder)
    if dashes:
        line.set_dashes(dashes)


def _line(ax: Axes, xs: Sequence[float], ys: Sequence[float], **style: Any) -> Line2D:
    """Add a line or mark that may reach over the panel's edge and leaves the axes as they are."""
    line = Line2D(xs, ys, clip_on=False, **style)
    ax.add_artist(line)
    line.set_clip_on(False)
    return line


def today(ax: Axes, x: float, text: str) -> None:
    """Draw the line of the as-of day with its word at the top."""
    ax.axvline(x, color=RED, linewidth=1.2, zorder=5)
    write(ax, x, ax.get_ylim()[1], text, size=9, weight="Medium", colour=RED, dx=5, dy=-9)


def missing_bar(ax: Axes, x: float, y: float, width: float, height: float) -> None:
    """Draw what has no source or cannot be: pale red with a dashed outline; x, y is the lower left corner."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), width, height, facecolor=MISSING_FILL, edgecolor=RED, linewidth=0.9,
                           linestyle=(0, (3, 2)), zorder=3))  # fmt: skip


# Labels that keep apart


def spread(wanted: Sequence[float], gap: float | Sequence[float], low: float, high: float) -> np.ndarray:
    """Move positions as little as possible (least squares) so that neighbours keep their distance.

    Args:
        wanted: (N,) positions.
        gap: least distance between neighbours; when they do not fit into [low, high], the distance that does.
        low, high: limits of all positions.

    Returns:
        (N,) positions in the order of `wanted`.

    >>> spread([10.0, 11.0], 4.0, 0.0, 100.0).tolist()
    [8.5, 12.5]
    """
    count = len(wanted)
    if count == 0:
        return np.zeros(0)
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    gap = min(float(np.max(gap)), (high - low) / max(count - 1, 1))
    offsets = gap * np.arange(count)
    level = np.clip(_rising(np.asarray(wanted, dtype=float)[order] - offsets), low, high - offsets[-1])
    placed = np.empty(count)
    placed[order] = level + offsets
    return placed


def _rising(values: np.ndarray) -> np.ndarray:
    """Nearest sequence that never falls (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            blocks[-1][0] = (blocks[-1][0] * blocks[-1][1] + mean * count) / (blocks[-1][1] + count)
            blocks[-1][1] += count
    return np.concatenate([np.full(int(count), mean) for mean, count in blocks])


@dataclass(frozen=True, slots=True)
class EndLabel:
    """What stands at the end of a line: a name at the height y and, in a column of its own, a value."""

    y: float
    text: str
    value: str = ""
    colour: str = BLUE
    weight: str = "Medium"


def end_labels(
    ax: Axes, x: float, labels: Sequence[EndLabel], *, size: float = 9.5, dx: float = 8.0,
    value_dx: float | None = None, room: tuple[float, float] = (0.0, 0.0),
) -> None:  # fmt: skip
    """Write labels at the ends of lines, spread so that none touch; a moved label gets a leader.

    Args:
        ax: a panel with both axes.
        x: where the lines end, data units.
        labels: in any order.
        size: in points.
        dx: points between x and the labels.
        value_dx: points between x and the right edge of the column of values; None = right behind the names.
        room: points below and above the panel that labels may use.
    """
    height = panel_size(ax)[1]
    wanted = [to_points(ax, x, label.y)[1] for label in labels]
    placed = spread(wanted, size * LINE, -room[0], height + room[1])
    for label, want, place in zip(labels, wanted, placed, strict=True):
        moved = place - want
        style = {"size": size, "weight": label.weight, "colour": label.colour, "dy": moved}
        if abs(moved) > size * 0.6:
            _leader(ax, (x, label.y), (dx - 2, moved), shrink=2)
        if label.value and value_dx is None:
            write(ax, x, label.y, f"{label.text} {label.value}", dx=dx, **style)
            continue
        write(ax, x, label.y, label.text, dx=dx, **style)
        if label.value:
            write(ax, x, label.y, label.value, dx=value_dx, ha="right", **style)


@dataclass(frozen=True, slots=True)
class Note:
    """A remark at a data position: lines of (text, colour, weight), the first on top."""

    x: float
    y: float
    lines: tuple[tuple[str, str, str], ...]
    size: float = 9.5
    prefer: str = "above"


@dataclass(slots=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: _Box) -> float:
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return wide * high if wide > 0 and high > 0 else 0.0


@dataclass(slots=True)
class Taken:
    """What of a panel is in use, in points; `notes` and callers add to it."""

    boxes: list[_Box] = field(default_factory=list)
    points: list[tuple[float, float]] = field(default_factory=list)

    def add_line(self, ax: Axes, xs: Iterable[float], ys: Iterable[float], *, every: float = 4.0) -> None:
        """Keep notes off a line given in data units."""
        spots = [to_points(ax, x, y) for x, y in zip(xs, ys, strict=True)]
        for (x0, y0), (x1, y1) in pairwise(spots):
            steps = max(int(max(abs(x1 - x0), abs(y1 - y0)) / every), 1)
            self.points += [(x0 + (x1 - x0) * k / steps, y0 + (y1 - y0) * k / steps) for k in range(steps + 1)]

    def add_box(self, left: float, bottom: float, right: float, top: float) -> None:
        """Keep notes off a rectangle given in points of the panel."""
        self.boxes.append(_Box(left, bottom, right, top))

    def cost(self, box: _Box, width: float, height: float) -> float:
        outside = max(-box.left, 0) + max(box.right - width, 0) + max(-box.bottom, 0) + max(box.top - height, 0)
        hits = sum(box.left - 2 < x < box.right + 2 and box.bottom - 1 < y < box.top + 1 for x, y in self.points)
        return 50.0 * outside + 8.0 * hits + sum(box.overlap(other) for other in self.boxes)


def notes(ax: Axes, entries: Sequence[Note], taken: Taken) -> None:
    """Write remarks where nothing else stands: near their mark, else farther off with a leader.

    Args:
        ax: a panel with both axes.
        entries: the most important first; each is placed around the ones before.
        taken: what is in use already; grows by the remarks.
    """
    width, height = panel_size(ax)
    for note in entries:
        x, y = to_points(ax, note.x, note.y)
        wide = max(width_of(text, note.size, weight) for text, _, weight in note.lines)
        tall = note.size * (1 + LINE * (len(note.lines) - 1))
        choice = min(
            _around(x, y, wide, tall, note.prefer),
            key=lambda option: taken.cost(option[1], width, height) + option[2],
        )
        ha, box, penalty = choice
        taken.boxes.append(box)
        _draw_note(ax, note, ha, box, (x, y), leader=penalty >= 12)


def _around(x: float, y: float, wide: float, tall: float, prefer: str):
    """Yield (alignment, box, reluctance) for the places around a mark, the nearest first."""
    signs = (1, -1) if prefer == "above" else (-1, 1)
    for rank, away in enumerate((10.0, 24.0, 42.0, 64.0, 90.0, 120.0)):
        for turn, sign in enumerate(signs):
            bottom = y + away if sign > 0 else y - away - tall
            for side, (ha, left) in enumerate(
                (("center", x - wide / 2), ("right", x - wide - 4), ("left", x + 4), ("right", x - wide - 24),
                 ("left", x + 24))
            ):  # fmt: skip
                yield ha, _Box(left, bottom, left + wide, bottom + tall), 12.0 * rank + 3.0 * turn + 1.0 * side


def _leader(ax: Axes, mark: tuple[float, float], end: tuple[float, float], *, shrink: float) -> None:
    """Draw a thin line from a mark (data units) to a label that starts `end` points from it."""
    style = {"arrowstyle": "-", "linewidth": 0.7, "color": INK3, "shrinkA": 0, "shrinkB": shrink}
    ax.annotate("", mark, xytext=end, textcoords="offset points", annotation_clip=False, zorder=5, arrowprops=style)


def _draw_note(ax: Axes, note: Note, ha: str, box: _Box, mark: tuple[float, float], *, leader: bool) -> None:
    x, y = mark
    anchor = {"left": box.left, "right": box.right, "center": (box.left + box.right) / 2}[ha] - x
    for index, (text, colour, weight) in enumerate(note.lines):
        top = box.top - note.size * LINE * index
        write(ax, note.x, note.y, text, size=note.size, weight=weight, colour=colour, ha=ha, dx=anchor,
              dy=top - note.size * 0.88 - y, va="baseline")  # fmt: skip
    if leader:
        above = box.bottom > y
        end = (np.clip(x, box.left, box.right) - x, (box.bottom - 3 if above else box.top + 3) - y)
        _leader(ax, (note.x, note.y), end, shrink=5)
