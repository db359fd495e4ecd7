"""The project's own fonts: where they are, which characters they hold, how wide a text is.

Static cuts of Noto Sans SC (SIL Open Font License, `fonts/OFL.txt`) in three weights; `fonts/make_fonts.py` made
them together with `coverage.json`, so that checking and measuring a text opens no font.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from functools import cache
from pathlib import Path

FAMILY = "Noto Sans SC"
FOLDER = Path(__file__).parent / "fonts"
WEIGHTS = {"Regular": 400, "Medium": 500, "Bold": 700}

_EM = 1000
_HAN_LATIN_GAP = 0.25  # em, set between a Han character and a Latin letter or digit


def paths() -> tuple[Path, ...]:
    """Return the font files, one a weight."""
    return tuple(FOLDER / f"NotoSansSC-{weight}.ttf" for weight in WEIGHTS)


def missing_glyphs(text: str) -> list[str]:
    """Return the characters of `text` that the fonts cannot show, each once, in order.

    Line feeds count as known: they end a line and show nothing.

    >>> missing_glyphs("92.9 万 − 镕喆珺玥")
    []
    >>> missing_glyphs("go 🚀 🚀")
    ['🚀']
    """
    known = _coverage()
    starts, ends = known["starts"], known["ends"]
    return [
        char
        for char in dict.fromkeys(text)
        if char != "\n" and ((i := bisect_right(starts, ord(char)) - 1) < 0 or ord(char) > ends[i])
    ]


def running_widths(
    text: str, size: float, *, weight: str = "Regular", proportional_quotes: bool = False
) -> list[float]:
    """Return the width in points of text[:i] for i = 0..len(text), on one line, kerning left out.

    Args:
        text: what is set; a Han character beside a Latin letter or digit adds a quarter em.
        size: type size in points.
        weight: Regular, Medium or Bold.
        proportional_quotes: quotation marks take half an em, as in an English deck.

    >>> running_widths("用户A", 10)[:3]
    [0.0, 10.0, 20.0]
    """
    advances = _coverage()["advances"][weight] | {"\u200b": 0}
    palt = _coverage()["palt"][weight] if proportional_quotes else {}
    widths, total, before = [0.0], 0.0, ""
    for char in text:
        gap = before and is_han(before) != is_han(char) and _joins(before) and _joins(char)
        total += palt.get(char, advances.get(char, _EM)) / _EM + (_HAN_LATIN_GAP if gap else 0.0)
        widths.append(total * size)
        before = char
    return widths


def is_han(char: str) -> bool:
    """Return whether the character is a Chinese ideograph.

    >>> is_han("万"), is_han("，"), is_han("k")
    (True, False, False)
    """
    return "\u3400" <= char <= "\u9fff"


def register_with_matplotlib() -> None:
    """Make the three weights known to matplotlib under their family name; a second call changes nothing."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in paths():
        if str(path) not in known:
            font_manager.fontManager.addfont(str(path))


def _joins(char: str) -> bool:
    return is_han(char) or char.isalnum() or char in "%¥"


@cache
def _coverage() -> dict:
    found = json.loads((FOLDER / "coverage.json").read_text(encoding="utf-8"))
    found["starts"] = [low for low, _ in found["ranges"]]
    found["ends"] = [high for _, high in found["ranges"]]
    return found
