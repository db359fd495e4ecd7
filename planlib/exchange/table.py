"""The sheet of tasks as a CSV file, out and in again: read as the workbook's sheet is."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.exchange.book import Before, SheetBefore
from planlib.exchange.read import read_sheets
from planlib.exchange.scenario import Opened, lay
from planlib.exchange.sheets import ID, Column, Sheet
from planlib.exchange.tasks import KEY, build
from planlib.exchange.values import shown_as_percent
from planlib.exchange.xlsx import Cell, Grid
from planlib.plan.load import Plan
from planlib.plan.tracking import csv_rows, parse_number, parse_share

MOST_ROWS = 10_000
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_DATES = ("first_day", "last_day")  # columns that only tell


def table_bytes(plan: Plan, w: Words, dates: Mapping[str, tuple[dt.date, dt.date]]) -> bytes:
    """Return the tasks of a plan as CSV in UTF-8 with its mark, which Excel and WPS need.

    Args:
        plan: the plan.
        w: language of headings and names.
        dates: {task: first and last day}.
    """
    sheet = build(plan, w)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    heads = [_heading(column, w) for column in sheet.columns]
    writer.writerow([*heads, *(w.text(f"exchange.column.{key}") for key in _DATES)])
    for row in sheet.rows:
        cells = [_told(row.id if c.key == ID else row.values.get(c.key), c) for c in sheet.columns]
        writer.writerow([*cells, *(day.isoformat() for day in dates[row.id])])
    return text.getvalue().encode("utf-8-sig")


def _heading(column: Column, w: Words) -> str:
    return w.text(f"exchange.column.{column.key}")


def _told(value: object, column: Column) -> str:
    if isinstance(value, float | int):
        return f"{100 * value:.12g}%" if shown_as_percent(column.unit) else f"{value:.12g}"
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_RISKY) else text


def read_table(path: Path, plan: Plan, w: Words) -> Opened:
    """Return a plan with what a CSV of its tasks changes, and what there is to tell about it.

    Args:
        path: the file; headings in either language.
        plan: the plan that its cells are held against.
        w: language, where the headings do not tell it.

    Raises:
        InputError: the file is no such table, or a cell cannot be taken; all at once.
    """
    shown = path.as_posix()
    rows = list(csv_rows(path, shown))
    w = _language(rows, build(plan, w), w)
    sheet, name = build(plan, w), w.text(f"exchange.sheet.{KEY}")
    grid = _grid(rows, sheet, name, w, shown)
    was = Before(plan.id, plan.file, plan.sha256, plan.start, w.locale, (_before(sheet, name, w),))
    return lay(was, plan, read_sheets(was, {name: grid}, shown), shown)


def _language(rows: list[tuple[int, list[str]]], sheet: Sheet, w: Words) -> Words:
    """Return the language in which most headings stand, so that names are held against names; else `w`."""
    heads = {cell.strip() for _, row in rows[:1] for cell in row}

    def known(locale: str) -> int:
        return len(heads.intersection(_heading(column, words(locale)) for column in sheet.columns))

    return words(max((w.locale, *LOCALES), key=known))


def _before(sheet: Sheet, name: str, w: Words) -> SheetBefore:
    """Return the sheet as it would stand in a workbook made now."""
    return SheetBefore(
        KEY,
        name,
        tuple(_named(column, w) for column in sheet.columns),
        grows=False,
        units={row.id: {"": row.unit} for row in sheet.rows},
        values={row.id: {k: v for k, v in row.values.items() if v is not None} for row in sheet.rows},
        editable={row.id: sheet.editable(row) for row in sheet.rows},
    )


def _named(column: Column, w: Words) -> Column:
    return Column(column.key, column.kind, column.edit, column.choices, _heading(column, w), unit=column.unit)


def _grid(rows: list[tuple[int, list[str]]], sheet: Sheet, name: str, w: Words, shown: str) -> Grid:
    """Return the file's cells, its headings in the language of `w`."""
    called = {_heading(c, words(locale)): c for c in sheet.columns for locale in LOCALES}
    called |= {column.key: column for column in sheet.columns}
    cells: dict[tuple[int, int], Cell] = {}
    columns: list[Column | None] = []
    for number, (line, row) in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise InputError(Problem("at_most", shown, "", line, number, values={"high": MOST_ROWS}))
        if not columns:
            columns = [called.get(cell.strip()) for cell in row]
            texts = [_heading(c, w) if c else cell for c, cell in zip(columns, row, strict=True)]
            cells |= {(1, x): Cell(1, x, "text", text) for x, text in enumerate(texts, start=1) if text}
            continue
        if any(cell.strip() for cell in row) and len(row) != len(columns):
            raise InputError(Problem("data_row_length", shown, "", line, len(row), values={"expected": len(columns)}))
        for x, text in enumerate(row, start=1):
            if text.strip():
                cells[number, x] = _cell(number, x, text.strip(), columns[x - 1])
    return Grid(name, cells)


def _cell(row: int, x: int, text: str, column: Column | None) -> Cell:
    """Return a cell as a spreadsheet would take it in that column."""
    if text.startswith("'") and text[1:].startswith(_RISKY):
        return Cell(row, x, "text", text[1:])
    if text.startswith("="):
        return Cell(row, x, "formula", text)
    if column is not None and column.kind == "number":
        number = parse_share(text) if shown_as_percent(column.unit) else parse_number(text)
        if number is not None:
            return Cell(row, x, "number", number)
    return Cell(row, x, "text", text)
