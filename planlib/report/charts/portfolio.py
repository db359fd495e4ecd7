"""Several brands on one chart: how many of each one's targets are likely, open and unlikely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from planlib.core.words import Words
from planlib.report.charts import base as b

MOST_ROWS = 12
_TOP, _ROOM, _PITCH = 40.0, 280.0, 40.0
_COLOURS = (("likely", b.TEAL), ("open", b.AMBER), ("unlikely", b.RED))


@dataclass(frozen=True, slots=True)
class BrandTargets:
    """A brand's targets: how many stand where.

    Args:
        name: of the brand, in both languages.
        likely, open, unlikely: numbers of targets.
    """

    name: Mapping[str, str]
    likely: int
    open: int
    unlikely: int


@b.styled
def targets(rows: Sequence[BrandTargets], words: Words, *, most: int) -> Figure:
    """Draw a bar a brand, parted into likely, open and unlikely targets, each with its number.

    Args:
        rows: at most `MOST_ROWS`.
        most: targets that the longest bar of all pages holds, so that pages share a scale.
    """
    figure = b.canvas()
    names = min(max(b.width_of(words.pick(row.name), 10, "Medium") for row in rows) + 14, 0.4 * b.LIVE)
    height = min(_ROOM, _PITCH * len(rows))
    ax = b.panel(figure, names, _TOP, b.LIVE - names - 12, height, xlim=(0, most))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    x = names
    for name, colour in _COLOURS:
        shown = words.text(f"brands.chart.{name}")
        b.write(figure, x, 18, "■", size=9, colour=colour)
        b.write(figure, x + 13, 18, shown, size=9.5, weight="Medium", colour=b.INK2)
        x += 13 + b.width_of(shown, 9.5, "Medium") + 22
    for at, row in enumerate(rows):
        lines = b.fit_lines(words.pick(row.name), names - 10, 10, "Medium", most=1) or [words.pick(row.name)]
        b.write(ax, 0, at, lines[0], size=10, weight="Medium", colour=b.INK, dx=-names)
        left = 0
        for name, colour in _COLOURS:
            count = getattr(row, name)
            if count:
                ax.barh(at, count, left=left, height=0.62, color=colour, zorder=3, edgecolor=b.WHITE, linewidth=0.8)
                shown = words.number(count, "count")
                b.write(ax, left + count / 2, at, shown, size=9.5, weight="Bold", colour=b.on_fill(colour), ha="center")
            left += count
    b.segment(ax, [0, 0], [-0.5, len(rows) - 0.5], colour=b.INK3, width=0.8)
    return figure
