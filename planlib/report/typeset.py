"""How texts fall into lines: measured with the deck's fonts, broken by sense.

Used for what Typst cannot decide alone: where a title breaks, how high a table row becomes, on which page it lands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from planlib.report.typefaces import is_han, running_widths

_SAFETY = 1.02  # measured without kerning, which mostly narrows; never promise less room than is needed
_LONG_WORD = re.compile(r"[^\s\u3000-\u9fff\uff00-\uffef]{25,}")
_NO_LINE_START = set("，。；：、！？）》」』】”’…·—–%,.;:!?)]}")
_NO_LINE_END = set("（《「『【“‘¥([{")
_WEAK_WORDS = {
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "in", "is", "of", "on", "or",
    "than", "that", "the", "to", "with",
}  # fmt: skip
_LINE_COST = 40.0  # weight of a line's distance from the mean length against the costs of the breaks


@dataclass(frozen=True, slots=True)
class Style:
    """A type size in points, a weight and a language."""

    size: float
    weight: str
    locale: str

    def width(self, text: str) -> float:
        """Width in points on one line, on the safe side."""
        return self.running(text.strip(" "))[-1]

    def running(self, text: str) -> list[float]:
        """Width of text[:i] for every i, on the safe side."""
        quotes = self.locale == "en"
        return [
            _SAFETY * width for width in running_widths(text, self.size, weight=self.weight, proportional_quotes=quotes)
        ]


@dataclass(frozen=True, slots=True)
class Fit:
    """A text set: its size in points and its lines."""

    size: float
    lines: list[str]


def soften(text: str) -> str:
    """Let words without any place to break (ids, addresses) break anyway, by zero-width spaces.

    >>> soften("short words stay") == "short words stay", soften("x" * 30).count("\\u200b")
    (True, 2)
    """
    return _LONG_WORD.sub(lambda m: "\u200b".join(re.findall(r".{1,12}", m.group())), text)


def line_count(text: str, width: float, style: Style) -> int:
    """Return how many lines `text` fills at most when it is set `width` points wide.

    >>> line_count("一二三四五六七八九十", 50, Style(10, "Regular", "zh"))
    3
    """
    running = style.running(text)
    lines, start, last = 1, 0, 0
    for place in [*_break_costs(text, style.locale), len(text)]:
        end = place - 1 if text[place - 1 : place] == " " else place
        if running[end] - running[start] > width and last > start:
            lines += 1
            start = last
        last = place
    return lines


def sense_lines(text: str, width: float, style: Style, *, most_chars: int = 1000) -> list[str]:
    """Break `text` into as few lines as `width` points and `most_chars` allow, where the sense allows it best.

    A line ends rather behind ；，。：than inside a phrase, and the lines are of like length.

    >>> sense_lines("年底用户预计九十万；六个月百万在算术上做不到", 150, Style(10, "Bold", "zh"))
    ['年底用户预计九十万；', '六个月百万在算术上做不到']
    """
    if style.width(text) <= width and len(text) <= most_chars:
        return [text.replace("\u200b", "")]
    costs = _break_costs(text, style.locale)
    places = [0, *costs, len(text)]
    fewest = line_count(text, width, style)
    for lines in range(fewest, fewest + 4):
        best = _best_breaks(text, places, costs, width, style, lines, most_chars)
        if best is not None:
            return _cut(text, best)
    return _cut(text, places)


def fit(
    text: str,
    choices: list[tuple[float, float, int]],
    *,
    weight: str = "Regular",
    locale: str,
    most_chars: int = 1000,
) -> Fit | None:
    """Set `text` in the first choice that holds it.

    Args:
        text: one paragraph.
        choices: (size in points, width in points, most lines), the wished one first.
        weight: Regular, Medium or Bold.
        locale: zh or en.
        most_chars: characters in a line at most.

    Returns:
        The fit, or None when even the last choice is too small.
    """
    for size, width, most in choices:
        lines = sense_lines(text, width, style := Style(size, weight, locale), most_chars=most_chars)
        if len(lines) <= most and all(style.width(line) <= width for line in lines):
            return Fit(size, lines)
    return None


def _cut(text: str, places: list[int]) -> list[str]:
    return [text[a:b].strip(" ").replace("\u200b", "") for a, b in pairwise(places)]


def _best_breaks(
    text: str, places: list[int], costs: dict[int, float], width: float, style: Style, lines: int, most_chars: int
) -> list[int] | None:
    """Return the cheapest places of `lines` lines, from 0 to the end, or None when nothing fits."""
    running = style.running(text)
    mean = running[-1] / lines
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [0])}
    for left in range(lines, 0, -1):
        reached: dict[int, tuple[float, list[int]]] = {}
        for start, (cost, path) in best.items():
            for end in places:
                if end <= start or (left == 1) != (end == len(text)):
                    continue
                length = running[end - 1 if text[end - 1] == " " else end] - running[start]
                if length > width or end - start > most_chars:
                    break
                total = cost + costs.get(end, 0.0) + _LINE_COST * ((length - mean) / width) ** 2
                if end not in reached or total < reached[end][0]:
                    reached[end] = (total, [*path, end])
        best = reached
    return best[len(text)][1] if len(text) in best else None


def _break_costs(text: str, locale: str) -> dict[int, float]:
    """Return where a line may end (index of the next line's first character) and how much it hurts."""
    costs = {}
    for i in range(1, len(text)):
        before, after = text[i - 1], text[i]
        if before == "\u200b":
            costs[i] = 12.0
        elif before == " ":
            costs[i] = _cost_at_space(text[: i - 1], locale)
        elif after in _NO_LINE_START or before in _NO_LINE_END or after in " \u00a0\u200b":
            continue
        elif before in "；。！？":
            costs[i] = 0.0
        elif before in "，：":
            costs[i] = 1.0
        elif before in "、）》”":
            costs[i] = 4.0
        elif is_han(before) or is_han(after) or after in _NO_LINE_END:
            costs[i] = 6.0 if before in "的了在与和" else 9.0
    return costs


def _cost_at_space(before: str, locale: str) -> float:
    last = before[-1:] or " "
    if last in ".;!?；。":
        return 0.0
    if last in ",:，：":
        return 1.0
    if locale == "zh":
        return 6.0
    return 8.0 if before.rsplit(" ", 1)[-1].lower() in _WEAK_WORDS else 4.0
