"""Tables of the deck: cells in the words of one language, column widths, row heights, what lands on which page."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.report.typeset import Style, line_count, soften

MAX_ROWS = 14
HEAD_HEIGHT = 20.0
MIN_PITCH, MAX_PITCH = 23.0, 36.0
SIZES = (10.5, 10.0, 9.0, 8.5)
MISSING = "—"

_HEAD_SIZE = 9.0
_INSET = 6.0
_INSET_AFTER_NUMBERS = 18.0  # a column of words keeps its distance from numbers that end at its left
_ROW_AIR = 12.0
_LEADING = 0.3
_MIN_FLEXIBLE = 72.0
_BAR_WIDTH, _BAR_GAP, _MARK_WIDTH = 46.0, 8.0, 16.0
_MOST_SPREAD = 44.0
_WRAPPING = ("text", "bilingual", "metric", "words", "source")
_HAN_GAP = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_GLUE = re.compile(r"(?<=\d) (?=[\u3400-\u9fff])|(?<=第) (?=\d)")
_GLUE_EN = re.compile(
    r"(?<=\d) (?=(?:points?|times|days?|weeks?|months?|hours?|minutes?|seconds?|ms|[kmb]n?|January|February|March"
    r"|April|May|June|July|August|September|October|November|December)\b)|(?<=\bmonth) (?=\d)"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one field of a table shows; `kind` says how: text, status, bar, chance or against."""

    text: str
    kind: str = "text"
    tone: str = "ink"
    weight: str = "regular"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its cells, and how it takes its width.

    `kind` is a cell's kind or one that only matters here; `weight` is its part of the free width.
    """

    head: str
    cells: list[Cell]
    kind: str = "text"
    align: str = "left"
    wraps: bool = False
    weight: float = 1.0
    width: float | None = None
    top: float | None = None


def glue(text: str, locale: str) -> str:
    """Keep a number and its unit on one line, by no-break spaces; set straight what placeholders leave.

    Chinese: no blank between two Han characters, as in "{goal} 用户" with 100 万. English: straight apostrophes.

    >>> glue("预计 92.9 万 用户", "zh") == "预计 92.9\\u00a0万用户"
    True
    >>> glue("the plan’s month 6", "en") == "the plan's month\\u00a06"
    True
    """
    if locale == "zh":
        return _GLUE.sub("\u00a0", _HAN_GAP.sub("", text))
    return re.sub(r"(?<=\w)’(?=\w)", "'", _GLUE_EN.sub("\u00a0", text))


def is_missing(value: object) -> bool:
    """Return whether a field of a table holds nothing (null or not-a-number)."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def month_day(plan: Mapping[str, Any], month: float) -> dt.date:
    """Return the first day of a plan month; month 1 is the plan's start."""
    year, first = (int(part) for part in plan["start"].split("-"))
    index = year * 12 + first - 1 + int(month) - 1
    return dt.date(index // 12, index % 12 + 1, 1)


def general_columns(
    words: Words,
    plan: Mapping[str, Any],
    wanted: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    units: Mapping[str, str],
) -> list[Column]:
    """Turn the rows of a results table into columns; a column that is empty in every row is left out.

    Args:
        words: the language.
        plan: plan block of the results, for the month names.
        wanted: name, head (locale key), and optionally kind, weight, strong, signed, decimals of each column.
        rows: of the Parquet table.
        units: column -> unit, as the results list them.

    Raises:
        KeyError: a column that the table does not have, or an unknown kind.
    """
    columns = []
    for spec in wanted:
        name = spec["name"]
        unit = units.get(name, "text")
        kind = spec.get("kind") or _kind_of(unit)
        values = [_value(row, name, kind, words.locale) for row in rows]
        if all(is_missing(value) for value in values):
            continue
        head = spec["head"]  # a locale key, or an author's own words by language
        head = glue(words.pick(head) if isinstance(head, Mapping) else words.text(head), words.locale)
        column = _column(words, plan, spec, kind, unit, values, rows, first=not columns)
        columns.append(replace(column, head=head, weight=float(spec.get("weight") or 1.0)))
    return columns


def cell_text(
    words: Words, plan: Mapping[str, Any], row: Mapping[str, Any], name: str, units: Mapping[str, str]
) -> str:
    """Return one field of a row as a table shows it; "—" where it holds nothing."""
    unit = units.get(name, "text")
    kind = _kind_of(unit)
    values = [_value(row, name, kind, words.locale)]
    return _column(words, plan, {"name": name}, kind, unit, values, [row], first=True).cells[0].text


def target_columns(words: Words, plan: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Turn the rows of a target table into its columns: docs/deck-pages.md lists the fields.

    Chance and interval are left out when no row has them; without intervals the bar shows the forecast's share
    of the target.
    """
    goals = [_number(words, row["goal"], row["unit"]) for row in rows]
    forecasts = [_strong(_number(words, row["forecast"], row["unit"])) for row in rows]
    columns = {
        "metric": Column("", [Cell(_target_name(words, row), weight="medium") for row in rows], wraps=True),
        "goal": Column("", goals, align="right"),
        "due": Column("", [_month(words, plan, row["due_month"]) for row in rows], align="right"),
        "forecast": Column("", forecasts, align="right"),
        "against": _against_column(rows),
    }
    if any(not is_missing(row.get("probability")) for row in rows):
        columns["chance"] = Column("", [_chance(words, row.get("probability")) for row in rows], "chance")
    if any(not is_missing(row["reached_month"]) for row in rows):
        columns["reached"] = Column("", [_reached(words, plan, row) for row in rows])
    columns["status"] = Column("", [_status(words, row["status"]) for row in rows], "status")
    return [
        replace(column, head=glue(words.text(f"deck.targets.{name}"), words.locale)) for name, column in columns.items()
    ]


def lay_out(
    columns: Mapping[str, Sequence[Column]],
    *,
    width: float,
    height: float,
    locale: str,
    where: str,
    most_pitch: float = MAX_PITCH,
    least_pitch: float = MIN_PITCH,
) -> list[dict[str, Any]]:
    """Give a table its widths and heights and cut it into pieces that fit, the same rows in every language.

    Args:
        columns: of each language, with cells of every row.
        width, height: of the zone in points.
        locale: the language wanted.
        where: the page, for the message when nothing fits.
        most_pitch, least_pitch: height of a one-line row, in points.

    Returns:
        One block for each page, the head repeated: columns, row heights in points, cells, type size.

    Raises:
        InputError: too many columns for the width, or a row higher than a page.
    """
    room = height - HEAD_HEIGHT
    for size in SIZES:
        widths = {loc: _widths(own, width, size, loc) for loc, own in columns.items()}
        if any(found is None for found in widths.values()):
            continue
        each = [_row_needs(own, widths[loc], size, loc, least_pitch) for loc, own in columns.items()]
        needs = [max(row) for row in zip(*each, strict=True)]
        if max(needs, default=0.0) <= room:
            pieces = _pieces(needs, room)
            pitch = min(most_pitch, *(_pitch(needs[first:last], room, least_pitch) for first, last in pieces))
            return [_piece(columns[locale], widths[locale], size, first, last, needs, pitch) for first, last in pieces]
    raise InputError(Problem("table_too_large", field=where, values={"page": where}))


def _kind_of(unit: str) -> str:
    if unit in ("metric", "status", "text", "bilingual", "month", "date"):
        return unit
    return "words" if unit.startswith("words:") else "number"


def _value(row: Mapping[str, Any], name: str, kind: str, locale: str) -> Any:
    value = row[f"{name}_{locale}"] if kind == "bilingual" and name not in row else row[name]
    return None if value == "" else value


def _column(
    words: Words,
    plan: Mapping[str, Any],
    spec: Mapping[str, Any],
    kind: str,
    unit: str,
    values: list[Any],
    rows: Sequence[Mapping[str, Any]],
    *,
    first: bool,
) -> Column:
    if kind in ("number", "bar"):
        row_units = [row["unit"] if unit == "@unit" else unit for row in rows]
        texts = _number_texts(words, values, row_units, spec)
        cells = [Cell(text, tone="ink3" if text == MISSING else "ink") for text in texts]
        if spec.get("strong"):
            cells = [_strong(cell) for cell in cells]
        if kind == "number":
            return Column("", cells, align="right")
        most = max((abs(float(v)) for v in values if not is_missing(v)), default=1.0) or 1.0
        return Column("", [_bar(cell, v, most) for cell, v in zip(cells, values, strict=True)], "bar")
    if kind == "status":
        return Column("", [Cell(MISSING, tone="ink3") if v is None else _status(words, v) for v in values], kind)
    if kind == "month":
        return Column("", [_month(words, plan, value) for value in values], align="right")
    if kind not in (*_WRAPPING, "date"):
        raise KeyError(f"unknown kind of column {kind!r}")
    shown = [MISSING if is_missing(v) else _as_text(words, kind, unit, v) for v in values]
    tone, weight = ("ink", "medium") if first else ("ink2", "regular")
    cells = [Cell(text, tone="ink3" if text == MISSING else tone, weight=weight) for text in shown]
    return Column("", cells, wraps=kind in _WRAPPING)


def _as_text(words: Words, kind: str, unit: str, value: Any) -> str:
    if kind == "metric":
        shown = words.metric(value)
    elif kind == "words":
        shown = words.text(f"{unit.removeprefix('words:')}.{value}" if unit.startswith("words:") else value)
    elif kind == "source":
        key = f"deck.sources.{value}"
        shown = words.text(key) if words.has(key) else str(value)
    elif kind == "date":
        shown = words.date(value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)[:10]))
    elif isinstance(value, Mapping):
        shown = words.pick(value)
    else:
        shown = str(value)
    return soften(glue(" ".join(shown.split()), words.locale))


def _number_texts(words: Words, values: list[Any], units: list[str], spec: Mapping[str, Any]) -> list[str]:
    """Write a column of numbers, with equal decimals where all have one unit and one scale."""
    signed, decimals = bool(spec.get("signed")), spec.get("decimals")
    plain = [None if is_missing(value) else float(value) for value in values]

    def write(places: int | None) -> list[str]:
        return [
            words.number(value, unit, signed=signed, decimals=places) for value, unit in zip(plain, units, strict=True)
        ]

    texts = write(decimals)
    shown = [text for text in texts if text != MISSING]
    suffixes = {re.sub(r"^[+−<>]?¥?[\d.,]+", "", text) for text in shown if text.strip("¥+−") != "0"}
    if decimals is None and len(set(units)) == 1 and len(suffixes) == 1:
        places = {len(m.group(1)) for text in shown if (m := re.search(r"\.(\d+)", text))}
        if places:
            texts = write(max(places))
    return [glue(text, words.locale) for text in texts]


def _number(words: Words, value: Any, unit: str) -> Cell:
    text = words.number(None if is_missing(value) else float(value), unit)
    return Cell(glue(text, words.locale), tone="ink3" if text == MISSING else "ink")


def _strong(cell: Cell) -> Cell:
    return cell if cell.text == MISSING else replace(cell, weight="bold")


def _month(words: Words, plan: Mapping[str, Any], value: Any) -> Cell:
    if is_missing(value):
        return Cell(MISSING, tone="ink3")
    return Cell(glue(words.month(month_day(plan, value)), words.locale), tone="ink2")


def _status(words: Words, status: str) -> Cell:
    return Cell(words.text(f"status.{status}"), kind="status", extra={"status": status})


def _bar(cell: Cell, value: Any, most: float) -> Cell:
    if is_missing(value):
        return cell
    return replace(cell, kind="bar", extra={"share": min(abs(float(value)) / most, 1.0)})


def _chance(words: Words, value: Any) -> Cell:
    if is_missing(value):
        return Cell(MISSING, tone="ink3")
    return Cell(words.number(float(value), "probability"), kind="chance", extra={"share": float(value)})


def _target_name(words: Words, row: Mapping[str, Any]) -> str:
    qualifier = _value(row, "qualifier", "bilingual", words.locale)
    if isinstance(qualifier, Mapping):
        qualifier = words.pick(qualifier)
    name = words.metric(row["metric"])
    if not is_missing(qualifier):
        name = words.text("deck.targets.qualified", name=name, qualifier=" ".join(str(qualifier).split()))
    return soften(glue(words.text(f"deck.targets.{row['op']}", name=name), words.locale))


def _reached(words: Words, plan: Mapping[str, Any], row: Mapping[str, Any]) -> Cell:
    month = row["reached_month"]
    if is_missing(row["forecast"]):
        return Cell(MISSING, tone="ink3")
    if is_missing(month):
        return Cell(words.text("deck.targets.not_reached"), tone="ink2")
    if month < 1:
        return Cell(words.text("deck.targets.already"), tone="ink2")
    return _month(words, plan, month)


def _against_column(rows: Sequence[Mapping[str, Any]]) -> Column:
    def share(row: Mapping[str, Any], name: str) -> float | None:
        goal, value = row["goal"], row.get(name)
        return None if is_missing(value) or is_missing(goal) or not goal > 0 else float(value) / float(goal)

    shares = [{name: share(row, key) for name, key in _SHARES.items()} for row in rows]
    furthest = max((value for row in shares for value in row.values() if value is not None), default=1.0)
    top = min(max(1.25, furthest * 1.06), 1.5)
    cells = [Cell("", kind="against", extra=row | {"top": top}) for row in shares]
    return Column("", cells, "against", width=150.0, top=top)


_SHARES = {"value": "forecast", "low": "low", "high": "high"}


def _natural(column: Column, size: float, locale: str) -> float:
    """Width that the column's longest content takes on one line, without insets."""
    head = _head_width(column.head, locale)
    if column.width is not None:
        return max(column.width, head)
    extra = {"bar": _BAR_WIDTH + _BAR_GAP, "chance": _BAR_WIDTH + _BAR_GAP, "status": _MARK_WIDTH}
    return max(
        [head]
        + [
            Style(size, "Medium" if cell.kind == "status" else cell.weight.capitalize(), locale).width(cell.text)
            + extra.get(cell.kind, 0.0)
            for cell in column.cells
        ]
    )


def _widths(columns: Sequence[Column], width: float, size: float, locale: str) -> list[float] | None:
    """Return the column widths, insets included, that fill `width`; None when they cannot."""
    insets = [sum(pair) for pair in _insets(columns)]
    natural = [_natural(c, size, locale) + inset for c, inset in zip(columns, insets, strict=True)]
    heads = [_head_width(c.head, locale) + inset for c, inset in zip(columns, insets, strict=True)]
    flexible = [x for x, column in enumerate(columns) if column.wraps]
    fixed = sum(natural[x] for x in range(len(columns)) if x not in flexible)
    free = width - fixed
    if sum(natural) <= width:
        spread = min(_MOST_SPREAD, (width - sum(natural)) / (2 * len(columns)))
        rest = width - sum(natural) - spread * len(columns)
        takers = flexible or list(range(len(columns)))
        total = sum(columns[x].weight for x in takers)
        return [
            natural[x] + spread + (rest * columns[x].weight / total if x in takers else 0.0)
            for x in range(len(columns))
        ]
    if not flexible or free < sum(max(_MIN_FLEXIBLE, heads[x]) for x in flexible):
        return None
    shared = _fill(free, {x: (natural[x], max(_MIN_FLEXIBLE, heads[x]), columns[x].weight) for x in flexible})
    return [shared.get(x, natural[x]) for x in range(len(columns))]


def _insets(columns: Sequence[Column]) -> list[tuple[float, float]]:
    """Return the blank left and right of each column's content; the outer edges are flush with the margins."""
    last = len(columns) - 1
    words_after_numbers = [
        x > 0 and columns[x - 1].align == "right" and column.align == "left" for x, column in enumerate(columns)
    ]
    return [
        (0.0 if x == 0 else _INSET_AFTER_NUMBERS if wide else _INSET, 0.0 if x == last else _INSET)
        for x, wide in enumerate(words_after_numbers)
    ]


def _fill(free: float, wants: Mapping[int, tuple[float, float, float]]) -> dict[int, float]:
    """Share `free` by weight; nobody gets more than it wants, nor less than its least."""
    given: dict[int, float] = {}
    left = dict(wants)
    while left:
        unit = (free - sum(given.values())) / sum(weight for _, _, weight in left.values())
        content = {x: want for x, (want, _, weight) in left.items() if want <= unit * weight}
        tight = {x: least for x, (_, least, weight) in left.items() if least > unit * weight}
        settled = content or tight or {x: unit * weight for x, (_, _, weight) in left.items()}
        given |= settled
        left = {x: entry for x, entry in left.items() if x not in settled}
    return given


def _head_width(head: str, locale: str) -> float:
    return Style(_HEAD_SIZE, "Medium", locale).width(head)


def _row_needs(
    columns: Sequence[Column], widths: list[float], size: float, locale: str, least: float
) -> list[float]:
    """Return the least height of each row in points."""
    insets = [sum(pair) for pair in _insets(columns)]
    needs = []
    for y in range(len(columns[0].cells) if columns else 0):
        lines = 1
        for x, column in enumerate(columns):
            cell = column.cells[y]
            if column.wraps and cell.kind == "text":
                style = Style(size, cell.weight.capitalize(), locale)
                lines = max(lines, line_count(cell.text, widths[x] - insets[x], style))
        needs.append(max(least, lines * size + (lines - 1) * _LEADING * size + _ROW_AIR))
    return needs


def _pieces(needs: list[float], room: float) -> list[tuple[int, int]]:
    """Cut the rows into pieces of at most MAX_ROWS rows and `room` points, of like length where that fits."""
    if not needs:
        return [(0, 0)]
    greedy = _cut(needs, room, MAX_ROWS)
    even = _cut(needs, room, math.ceil(len(needs) / len(greedy)))
    return even if len(even) == len(greedy) else greedy


def _cut(needs: list[float], room: float, most: int) -> list[tuple[int, int]]:
    pieces, first, used = [], 0, 0.0
    for i, need in enumerate(needs):
        if i > first and (used + need > room or i - first == most):
            pieces.append((first, i))
            first, used = i, 0.0
        used += need
    return [*pieces, (first, len(needs))]


def _piece(
    columns: Sequence[Column],
    widths: list[float],
    size: float,
    first: int,
    last: int,
    needs: list[float],
    pitch: float,
) -> dict[str, Any]:
    return {
        "kind": "table",
        "size": size,
        "columns": [
            {"head": c.head, "align": c.align, "width": round(w, 3), "inset": inset, "kind": c.kind, "top": c.top}
            for c, w, inset in zip(columns, widths, _insets(columns), strict=True)
        ],
        "heights": [round(max(need, pitch), 3) for need in needs[first:last]],
        "rows": [[_plain(column.cells[y]) for column in columns] for y in range(first, last)],
    }


def _pitch(needs: list[float], room: float, least: float) -> float:
    """Return the height of a one-line row that fills the body, within the allowed pitches."""
    for pitch in range(int(MAX_PITCH), int(least), -1):
        if sum(max(need, pitch) for need in needs) <= room:
            return float(pitch)
    return least


def _plain(cell: Cell) -> dict[str, Any]:
    return {"kind": cell.kind, "text": cell.text, "tone": cell.tone, "weight": cell.weight, **cell.extra}
