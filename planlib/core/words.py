"""Sentences, names and number forms in Chinese and English.

Code emits ids; `planlib/locale/<zh|en>/<room>.yaml` holds the words. The file's stem is the first part
of a key: `users.title` in `funnel.yaml` is `funnel.users.title`.
"""

from __future__ import annotations

import datetime as dt
import math
import string
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from planlib.core import own

LOCALES = ("zh", "en")

_MINUS = "−"
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_FIELDS = string.Formatter()


class Words:
    """The words of one language; make it with `words(locale)`."""

    def __init__(self, locale: str):
        self.locale = locale
        self._rooms: dict[str, dict[str, str]] = {}

    def text(self, key: str, /, **values: object) -> str:
        """Return the sentence `key` with its placeholders filled.

        Raises:
            KeyError: no such key, or placeholders and values differ.

        >>> words("en").text("errors.given").strip()
        'given'
        """
        wanted = self.placeholders(key)
        if wanted != set(values):
            raise KeyError(f"{key} ({self.locale}) has placeholders {sorted(wanted)}, given {sorted(values)}")
        return self._template(key).format(**values)

    def placeholders(self, key: str) -> frozenset[str]:
        """Return the names of the values that the sentence `key` needs."""
        return _placeholders(self._template(key))

    def has(self, key: str) -> bool:
        """Return whether the language has a sentence for `key`."""
        room, _, rest = key.partition(".")
        return rest in self._room(room)

    def metric(self, metric_id: str) -> str:
        """Return the name of a metric of the catalogue, or of one that a plan declares."""
        return own.name(metric_id, self.locale) or self._template(f"metrics.{metric_id}")

    def inside(self, name: str) -> str:
        """Return a name as it stands inside a sentence: English drops its capital, abbreviations keep theirs.

        >>> words("en").inside("Monthly active rate"), words("en").inside("GMV of new customers")
        ('monthly active rate', 'GMV of new customers')
        """
        first = name.partition(" ")[0]
        return name[:1].lower() + name[1:] if self.locale == "en" and first[1:].islower() else name

    def begins_with(self, key: str) -> str:
        """Return the placeholder with which a sentence begins, "" where it begins with a word."""
        before, name, _, _ = next(iter(_FIELDS.parse(self._template(key))), ("", None, "", ""))
        return "" if before or name is None else name

    def pick(self, bilingual: Mapping[str, str]) -> str:
        """Return this language's part of a text that a plan gives in both."""
        return bilingual[self.locale]

    def number(self, value: float | None, unit: str, *, signed: bool = False, decimals: int | None = None) -> str:
        """Return a number as people of this language write it.

        Args:
            value: in the unit's own scale (a share of one half is 0.5); None for 'cannot say'.
            unit: a unit of the metric catalogue.
            signed: show a plus as well. What is shown as zero has no sign.
            decimals: exactly so many behind the point, in place of the unit's own.

        Raises:
            ValueError: NaN or infinite.

        >>> words("zh").number(929_000, "users"), words("en").number(929_000, "users")
        ('92.9 万', '929k')
        >>> words("zh").number(54e6, "CNY"), words("en").number(54e6, "CNY")
        ('¥5,400 万', '¥54m')
        >>> words("en").number(-0.036, "points"), words("en").number(0.004, "probability")
        ('−3.6 points', '<1%')
        """
        if value is None:
            return "—"
        if not math.isfinite(value):
            raise ValueError(f"{value} {unit} cannot be written")
        shown = self._magnitude(abs(value), unit, decimals)
        if shown == self._magnitude(0.0, unit, decimals):
            return shown
        return (_MINUS if value < 0 else "+" if signed else "") + shown

    def date(self, day: dt.date) -> str:
        """Return a day: 2026-04-30, 30 April 2026."""
        return day.isoformat() if self.locale == "zh" else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def month(self, day: dt.date) -> str:
        """Return a month: 2027-02, Feb 2027."""
        return day.isoformat()[:7] if self.locale == "zh" else f"{_MONTHS[day.month - 1][:3]} {day.year}"

    def _magnitude(self, value: float, unit: str, decimals: int | None) -> str:
        if unit in _COUNTS:
            return self._scaled(value, decimals)
        if unit in _MONEY:
            return "¥" + self._scaled(value, decimals, money=True)
        if unit in ("ratio", "relative_change"):
            return f"{value * 100:,.{1 if decimals is None else decimals}f}%"
        if unit == "probability":
            return "<1%" if 0 < value < 0.01 else ">99%" if 0.99 < value < 1 else f"{value * 100:.0f}%"
        if unit == "year":
            return f"{value:.0f}"
        if unit == "points":
            return self._with_unit(unit, f"{value * 100:,.{1 if decimals is None else decimals}f}")
        return self._with_unit(unit, _plain(value, decimals))

    def _with_unit(self, unit: str, number: str) -> str:
        """Put the unit's word to a number; English has one for a single day, week, point."""
        key = f"units.{unit}_one" if number in ("1", "1.0") and self.has(f"units.{unit}_one") else f"units.{unit}"
        return self.text(key, n=number) if self.has(key) else number

    def _scaled(self, value: float, decimals: int | None, *, money: bool = False) -> str:
        """Scale by the language's own steps, 万 and 亿 or k and m, as far up as the rounded number reaches."""
        places = (1 if money and value < 1_000 else 0) if decimals is None else decimals
        scaled, factor, suffix = value, 1.0, ""
        for least, next_factor, next_suffix, places_of in _STEPS[self.locale, money]:
            if round(scaled, places) * factor < least:
                break
            scaled, factor, suffix = value / next_factor, next_factor, next_suffix
            places = places_of(scaled) if decimals is None else decimals
        return _trim(f"{scaled:,.{places}f}", decimals) + suffix

    def _template(self, key: str) -> str:
        room, _, rest = key.partition(".")
        try:
            return self._room(room)[rest]
        except KeyError:
            raise KeyError(f"no words for {key!r} in {self.locale}") from None

    def _room(self, room: str) -> dict[str, str]:
        if room not in self._rooms:
            self._rooms[room] = _load(self.locale, room)
        return self._rooms[room]


@cache
def words(locale: str) -> Words:
    """Return the words of `zh` or `en`."""
    if locale not in LOCALES:
        from planlib.core.errors import InputError, Problem

        raise InputError(Problem("choice", field="locale", given=locale, values={"choice": ", ".join(LOCALES)}))
    return Words(locale)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one line a row, its columns padded to equal width on screen, where Chinese characters take two places.

    >>> aligned([("人", "x"), ("ab", "y")])
    ['人  x', 'ab  y']
    """
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def flatten(tree: Mapping, prefix: str = "") -> dict[str, str]:
    """Return the nested sentences of a locale file under dotted keys."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _load(locale: str, room: str) -> dict[str, str]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = resources.files("planlib") / "locale" / locale / f"{room}.yaml"
    try:
        content = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(f"no words for room {room!r} in {locale}") from None
    return flatten(yaml.load(content, Loader=loader) or {})


@cache
def _placeholders(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in _FIELDS.parse(template) if name)


_COUNTS = frozenset(
    {"users", "people", "count", "orders", "users_per_month", "users_per_day", "users_per_person", "reads"}
)
_MONEY = frozenset({"CNY", "CNY_per_user", "CNY_per_order"})


def _at_most_one(scaled: float) -> int:
    return 0 if scaled >= 1_000 else 1


def _two_when_small(scaled: float) -> int:
    return 2 if scaled < 10 else 1


def _few(scaled: float) -> int:
    return 0 if scaled >= 100 else 1


# by language and whether it is money: (from this value on, divided by, suffix, decimals), small steps first
_BILLIONS = ((1e9, 1e9, "bn", _two_when_small), (1e12, 1e12, "tn", _two_when_small))
_STEPS = {
    ("en", False): ((1e4, 1e3, "k", _few), (1e6, 1e6, "m", _two_when_small), *_BILLIONS),
    ("en", True): ((1e4, 1e3, "k", _few), (1e6, 1e6, "m", lambda _: 1), *_BILLIONS),
    ("zh", False): (
        (1e4, 1e4, " 万", _at_most_one), (1e8, 1e8, " 亿", _two_when_small), (1e12, 1e12, " 万亿", _two_when_small),
    ),
}  # fmt: skip
_STEPS["zh", True] = _STEPS["zh", False]


def _plain(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    return _trim(f"{value:,.{1 if value >= 10 else 2}f}", None)


def _trim(number: str, decimals: int | None) -> str:
    """Drop the zeros behind the point, unless a column asked for equal decimals."""
    return number.rstrip("0").rstrip(".") if decimals is None and "." in number else number
