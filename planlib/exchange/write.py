"""Sheets drawn into one .xlsx that opens alike in Excel, WPS and LibreOffice: the one styled writer.

Cells for typing are tinted, everything else looks locked (it is not: rows may be sorted). Texts are written as texts,
whatever they begin with. The same sheets give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from planlib.exchange.sheets import ID, SOURCE, Column, Row, Sheet, Sum
from planlib.exchange.values import shown_as_percent
from planlib.exchange.xlsx import MAX_TEXT, reference

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

HIDDEN = "_planlib"
LISTS = "_lists"
FONT = "Noto Sans SC"  # where it is not installed, Excel and WPS take the system's font for Chinese

_HEAD, _HEAD_TEXT = "1B4B82", "FFFFFF"
_INPUT, _INPUT_TEXT = "FFF6DC", "1B4B82"
_ASSUMED = "FBDFC6"
_TOTAL, _SHOWN_TEXT, _TEXT, _LINE = "E9ECEB", "46535F", "16212B", "CDD3D9"
FILLS = (_HEAD, _INPUT, _ASSUMED, _TOTAL)
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NARROWEST, _NARROWEST_NUMBER, _NARROWEST_TYPED, _WIDEST, _WIDEST_HEAD = 6.0, 10.0, 14.0, 44.0, 12.0
_WIDEST_ID = 36.0
_A4, _PAGE_WIDTH = 9, 230  # paper, and how many characters across one page of it holds legibly
_MOST_LINES, _LETTERS = 12, 1.1  # letters are a little narrower than the digits that widths are counted in
_MANY = 40  # choices, of which a column need not be wide enough for any
_NUMERIC = ("number", "month", "date")
_DAY = "yyyy-mm-dd"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"<dcterms:(created|modified)[^>]*>[^<]*</dcterms:\1>")


def workbook_bytes(
    notes: tuple[str, Sequence[str]],
    sheets: Sequence[tuple[str, Sheet, Sequence[str]]],
    hidden: Iterable[Sequence[str]] | None,
    legend: Mapping[str, str] | None = None,
) -> bytes:
    """Return a workbook.

    Args:
        notes: name and lines of the first sheet, which says how to use the others; its first line is the title.
        sheets: name, sheet and headings of the others.
        hidden: rows of texts of the hidden sheet, for the way back; None for a workbook that never comes back.
        legend: {input, assumed or total: what its colour means}, below the notes.
    """
    from openpyxl import Workbook

    book = Workbook()
    colours = {"input": _INPUT, "assumed": _ASSUMED, "total": _TOTAL}
    _draw_notes(book.active, *notes, {colours[name]: text for name, text in (legend or {}).items()})
    lists = _Lists(book)
    for name, sheet, heads in sheets:
        _Drawing(book.create_sheet(name), sheet, heads, lists).draw()
    if hidden is None:
        book.remove(lists.sheet)
        return _repeatable(book)
    back = book.create_sheet(HIDDEN)
    back.sheet_state = lists.sheet.sheet_state = "hidden"
    for row in hidden:
        back.append([None] * len(row))
        for column, text in enumerate(row, start=1):
            put_text(back.cell(back.max_row, column), text)
    book.move_sheet(lists.sheet, offset=len(book.sheetnames))
    book.calculation.fullCalcOnLoad = True  # sums are formulas without stored results
    return _repeatable(book)


def put_text(cell: Any, text: str) -> None:
    """Write a text as a text, though it look like a formula or an escape of the format.

    >>> from openpyxl import Workbook
    >>> cell = Workbook().active["A1"]
    >>> put_text(cell, "=1+1")
    >>> cell.value, cell.data_type, cell.quotePrefix
    ('=1+1', 's', True)
    """
    cell.value = _LOOKS_ESCAPED.sub("_x005F_", text)[:MAX_TEXT]
    cell.data_type = "s"
    if text.startswith(_RISKY):
        cell.quotePrefix = True


def number_format(unit: str, values: Iterable[float]) -> str:
    """Return how numbers of a unit are shown: plain, with separators, or as per cent.

    >>> number_format("users", [1e6]), number_format("ratio", [0.25, 0.335]), number_format("multiple", [1 / 3])
    ('#,##0', '0.0%', '#,##0.0')
    """
    scale = 100 if shown_as_percent(unit) else 1
    places = max((_places(value * scale) for value in values), default=0)
    decimals = f".{'0' * places}" if places else ""
    if scale == 100:
        return f"0{decimals}%"
    return "0" if unit == "year" else f"#,##0{decimals}"


def _places(value: float) -> int:
    """Return how many decimals a number has, of up to three; 1 for one that never ends."""
    return next((n for n in range(4) if abs(round(value, n) - value) <= 1e-9 * max(abs(value), 1.0)), 1)


def shown_number(value: float, form: str) -> str:
    """Return a number as a form of `number_format` shows it.

    >>> shown_number(0.335, "0.0%"), shown_number(1e6, "#,##0")
    ('33.5%', '1,000,000')
    """
    places = len(form.partition(".")[2].rstrip("%"))
    return f"{value * 100:.{places}f}%" if form.endswith("%") else f"{value:,.{places}f}"


def width(text: str) -> int:
    """Return how many digits wide a text is; Chinese characters take two.

    >>> width("目标 ab")
    7
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)


class _Lists:
    """The choices of all drop-downs, in a hidden sheet: they may hold commas, and be long."""

    def __init__(self, book: Workbook):
        self.sheet = book.create_sheet(LISTS)
        self._places: dict[tuple[str, ...], str] = {}

    def place(self, labels: tuple[str, ...]) -> str:
        if labels not in self._places:
            column = len(self._places) + 1
            for row, label in enumerate(labels, start=1):
                put_text(self.sheet.cell(row, column), label)
            letter = reference(1, column)[:-1]
            self._places[labels] = f"{LISTS}!${letter}$1:${letter}${len(labels)}"
        return self._places[labels]


class _Drawing:
    """One sheet on its way into the workbook."""

    def __init__(self, page: Worksheet, sheet: Sheet, heads: Sequence[str], lists: _Lists):
        from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

        self.page, self.sheet, self.heads, self.lists = page, sheet, heads, lists
        line = Side(style="thin", color=_LINE)
        self.border = Border(bottom=line)
        self.fills = {name: PatternFill("solid", start_color=name) for name in FILLS}
        self.fonts = {
            "head": font(Font, _HEAD_TEXT, bold=True),
            "input": font(Font, _INPUT_TEXT),
            "shown": font(Font, _SHOWN_TEXT),
            "total": font(Font, _TEXT, bold=True),
        }
        self.left = Alignment(vertical="top", horizontal="left", wrap_text=True, indent=1)
        self.ids = Alignment(vertical="top", horizontal="left", shrink_to_fit=True, indent=1)
        self.right = Alignment(vertical="top", horizontal="right")
        self.head_left = Alignment(vertical="center", horizontal="left", wrap_text=True, indent=1)
        self.head_right = Alignment(vertical="center", horizontal="right", wrap_text=True)
        self.hint = sheet.hint.splitlines()
        self.top = len(self.hint) + 1  # row of the headings
        self.at = {(row.id, c.key): (y, x) for y, row in self._rows() for x, c in self._columns()}

    def _columns(self) -> Iterator[tuple[int, Column]]:
        return enumerate(self.sheet.columns, start=1)

    def _rows(self) -> Iterator[tuple[int, Row]]:
        return enumerate(self.sheet.rows, start=self.top + 1)

    def draw(self) -> None:
        page = self.page
        for y, line in enumerate(self.hint, start=1):
            put_text(page.cell(y, 1), line)
            page.cell(y, 1).font = self.fonts["total"]
        for x, column in self._columns():
            cell = page.cell(self.top, x)
            put_text(cell, self.heads[x - 1])
            cell.font, cell.fill = self.fonts["head"], self.fills[_HEAD]
            cell.alignment = self.head_right if column.kind in _NUMERIC else self.head_left
        for y, row in self._rows():
            editable = set(self.sheet.editable(row))
            for x, column in self._columns():
                self._cell(page.cell(y, x), row, column, column.key in editable)
        self._widths()
        self._choices_and_limits()
        page.freeze_panes = reference(self.top + 1, self.sheet.fixed_columns + 1)
        across = sum(dimension.width for dimension in page.column_dimensions.values())
        _print_on_paper(page, -(-int(across) // _PAGE_WIDTH))
        page.print_title_cols = f"A:{reference(1, self.sheet.fixed_columns)[:-1]}"
        page.print_title_rows = f"{self.top}:{self.top}"
        page.sheet_view.showGridLines = False

    def _cell(self, cell: Any, row: Row, column: Column, editable: bool) -> None:
        value = row.id if column.key == ID else row.values.get(column.key)
        cell.border = self.border
        cell.alignment = self.ids if column.key == ID else self.right if column.kind in _NUMERIC else self.left
        cell.font = self.fonts["total" if row.total else "input" if editable else "shown"]
        if row.total:
            cell.fill = self.fills[_TOTAL]
        elif row.assumed and (column.key == SOURCE or (editable and column.kind == "number")):
            cell.fill = self.fills[_ASSUMED]
        elif editable:
            cell.fill = self.fills[_INPUT]
        if column.kind == "number":
            cell.number_format = self._format(row, column)
        elif column.kind == "date":
            cell.number_format = _DAY
        if isinstance(value, Sum):
            cell.value = self._formula(value)
        elif isinstance(value, str) and value and column.kind == "date":
            cell.value = dt.date.fromisoformat(value)
        elif isinstance(value, str) and value:
            put_text(cell, column.choices[value] if column.kind == "choice" else value)
        elif isinstance(value, int | float):
            cell.value = value

    def _format(self, row: Row, column: Column) -> str:
        """Return a cell's number format: as many decimals as its row needs, or its column where units are by column."""
        unit = row.unit_in(column)
        if column.key in row.units:
            beside = [row.values.get(column.key)]
        elif column.unit or not unit:
            beside = [other.values.get(column.key) for other in self.sheet.rows]
        else:
            numbers = {c.key for c in self.sheet.columns if c.kind == "number" and row.unit_in(c) == unit}
            beside = [value for key, value in row.values.items() if key in numbers]
        return number_format(unit, [n for n in beside if isinstance(n, int | float)])

    def _formula(self, total: Sum) -> str:
        """Return the sum of cells: a range where they stand side by side in one row or column."""
        places = [self.at[cell] for cell in total.cells]
        if not places:
            return "=0"
        spans = []
        for _, run in groupby(enumerate(places), key=lambda e: (e[1][0] - e[0], e[1][1])):
            spans.append([place for _, place in run])
        if len(spans) == len(places):  # not below each other: side by side?
            spans = [[place for _, place in run] for _, run in groupby(enumerate(places), key=_beside)]
        named = [f"{reference(*s[0])}:{reference(*s[-1])}" if len(s) > 1 else reference(*s[0]) for s in spans]
        return f"={named[0]}" if len(places) == 1 else f"=SUM({','.join(named)})"

    def _widths(self) -> None:
        lines = 1
        for x, column in self._columns():
            head = self.heads[x - 1]
            longest = max((width(line) for row in self.sheet.rows for line in self._shown(row, column)), default=0)
            word = max((width(word) for word in head.split() if word.isascii()), default=0)
            typed = column.edit and column.kind == "text"
            least = _NARROWEST_TYPED if typed else _NARROWEST_NUMBER if column.kind == "number" else _NARROWEST
            most = _WIDEST_ID if column.key == ID else _WIDEST
            wanted = min(max(longest, word, min(width(head), _WIDEST_HEAD), least), most)
            lines = max(lines, -(-width(head) // int(wanted)))
            self.page.column_dimensions[reference(1, x)[:-1]].width = wanted + 3.0
        self.page.row_dimensions[self.top].height = 6.0 + 15.0 * lines
        self._heights()

    def _heights(self) -> None:
        """Make rows as high as their wrapped texts need, since not every program does so by itself."""
        across = {x: self.page.column_dimensions[reference(1, x)[:-1]].width - 3.0 for x, _ in self._columns()}
        texts = [(x, c) for x, c in self._columns() if c.kind == "text" and c.key != ID]
        for y, row in self._rows():
            shown = ((across[x], self._shown(row, column)) for x, column in texts)
            lines = max(
                (sum(-(-width(line) // int(_LETTERS * most)) for line in found) for most, found in shown), default=1
            )
            if lines > 1:
                self.page.row_dimensions[y].height = 2.0 + 15.0 * min(lines, _MOST_LINES)

    def _shown(self, row: Row, column: Column) -> list[str]:
        """Return the lines of a cell as a reader sees them; of a choice, the widest that can be chosen."""
        value = row.id if column.key == ID else row.values.get(column.key)
        if column.kind == "choice" and len(column.choices) > _MANY and value:
            return [column.choices[str(value)]]
        if column.kind == "choice" and len(column.choices) <= _MANY:
            return [max(column.choices.values(), key=width, default="")]
        if isinstance(value, int | float):
            return [shown_number(value, self._format(row, column)) if column.kind == "number" else str(value)]
        return value.splitlines() if isinstance(value, str) else []

    def _choices_and_limits(self) -> None:
        from openpyxl.worksheet.datavalidation import DataValidation

        for x, column in self._columns():
            if not column.edit or not (column.kind in ("choice", "month") or column.prompt):
                continue
            rows = [y for y, row in self._rows() if column.key in self.sheet.editable(row)]
            rule = DataValidation(allow_blank=True)
            if column.kind == "choice":
                rule.type, rule.formula1 = "list", self.lists.place(tuple(column.choices.values()))
                rule.showErrorMessage = True
            if column.prompt:
                rule.prompt, rule.showInputMessage = column.prompt[:255], True
            for _, run in groupby(enumerate(rows), key=lambda entry: entry[1] - entry[0]):
                below = [y for _, y in run]
                rule.add(f"{reference(below[0], x)}:{reference(below[-1], x)}")
            if rows:
                self.page.add_data_validation(rule)


def _beside(entry: tuple[int, tuple[int, int]]) -> tuple[int, int]:
    index, (row, column) = entry
    return row, column - index


def _print_on_paper(page: Worksheet, pages_across: int) -> None:
    """Print a sheet on so many pages side by side, and on as many below each other as it takes."""
    from openpyxl.worksheet.properties import PageSetupProperties

    page.page_setup.orientation, page.page_setup.paperSize = "landscape", _A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = pages_across, 0
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    page.oddFooter.center.text = "&A  &P / &N"
    page.page_margins.left = page.page_margins.right = 0.4


def font(kind: Any, colour: str, *, bold: bool = False, size: float = 10.0) -> Any:
    """Return a font for Chinese and Latin; `family` and `charset` choose a like one where it is not installed."""
    return kind(name=FONT, size=size, bold=bold, color=colour, family=2, charset=134)


def _draw_notes(page: Worksheet, name: str, lines: Sequence[str], legend: Mapping[str, str]) -> None:
    """Draw the first sheet; `legend` says of colours what they mean."""
    from openpyxl.styles import Alignment, Font, PatternFill

    page.title = name
    page.sheet_view.showGridLines = False
    page.column_dimensions["A"].width = 100.0
    for y, line in enumerate(lines, start=1):
        cell = page.cell(y, 1)
        put_text(cell, line)
        cell.font = font(Font, _TEXT, bold=y == 1, size=14.0 if y == 1 else 10.0)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        across = 84 if width(line) > len(line) else 104  # Latin letters are narrower than digits
        page.row_dimensions[y].height = 16.0 * max(1, -(-width(line) // across)) + (8.0 if y == 1 else 2.0)
    for y, (colour, line) in enumerate(legend.items(), start=len(lines) + 2):
        cell = page.cell(y, 1)
        put_text(cell, line)
        cell.font, cell.fill = font(Font, _TEXT), PatternFill("solid", start_color=colour)
    _print_on_paper(page, 1)


def _repeatable(book: Workbook) -> bytes:
    """Return a workbook's bytes without the time of day."""
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    raw, made = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with ZipFile(raw) as source, ZipFile(made, "w") as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "docProps/core.xml":
                content = _MODIFIED.sub(b"", content)
            entry = ZipInfo(part.filename, date_time=_EPOCH)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            target.writestr(entry, content)
    return made.getvalue()
