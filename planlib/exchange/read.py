"""The cells of a workbook in which somebody typed, found by headings and row ids: the one reader.

Rows and columns may be sorted, moved and added; formats do not matter. What stood there when the workbook was made is
told by its hidden sheet, so that nothing depends on the plan or on stored results of formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from planlib.core.errors import Problem
from planlib.exchange import xlsx
from planlib.exchange.book import Before, SheetBefore, before
from planlib.exchange.sheets import ID, WHY, Column
from planlib.exchange.values import CellError, Taking, same, take
from planlib.exchange.xlsx import Cell, Grid, corners, reference

_HEAD_ROWS = 20  # above the table somebody may have put a title


@dataclass(frozen=True, slots=True)
class TypedRow:
    """A row in which something was typed.

    Args:
        id: the row's.
        values: {column key: value} of what was typed; None for a cell that was emptied.
        cells: {column key: name of the cell, with its sheet} of all columns for typing.
        why: the reason that was typed, or "".
        is_new: whether the workbook was made without this row.
    """

    id: str
    values: Mapping[str, object]
    cells: Mapping[str, str]
    why: str
    is_new: bool


@dataclass(slots=True)
class SheetRead:
    """What was found in one sheet.

    Args:
        rows: those in which something was typed.
        problems: cells, headings and rows that cannot be taken.
        deleted: ids of rows that are gone.
        understood: texts that were taken for numbers, each with its cell.
        hidden: whether nobody sees the sheet.
        ignored: names of changed cells that are not for typing and only describe.
    """

    rows: list[TypedRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    hidden: bool = False


def read_sheets(was: Before, grids: Mapping[str, Grid], shown: str) -> dict[str, SheetRead]:
    """Return what was typed into each sheet of a workbook.

    Args:
        was: what the workbook says about itself.
        grids: its sheets.
        shown: the file's name in messages.
    """
    found: dict[str, SheetRead] = {}
    for sheet in was.sheets:
        if sheet.name in grids:
            found[sheet.key] = _Reading(sheet, grids[sheet.name], was.start, shown).read()
        else:
            names = [name for name in grids if not name.startswith("_")]
            problem = Problem("sheet_missing", shown, sheet.name, values={"choice": ", ".join(names) or "—"})
            found[sheet.key] = SheetRead(problems=[problem])
    return found


class _Reading:
    """One sheet on its way in."""

    def __init__(self, sheet: SheetBefore, grid: Grid, start: str, shown: str):
        self.sheet, self.grid, self.shown = sheet, grid, shown
        self.takings = {
            c.key: Taking(c.kind, {label: choice for choice, label in c.choices.items()}, start) for c in sheet.columns
        }
        self.found = SheetRead(hidden=grid.hidden)
        self.columns: dict[str, int] = {}  # key -> number

    def read(self) -> SheetRead:
        head = self._head()
        if head is None:
            self._problem("heading_missing", 1, 1, None, heading=self._heading(self.sheet.columns[0]))
            return self.found
        self._find_columns(head)
        if self.found.problems:
            return self.found
        rows = sorted({row for row, _ in self.grid.cells if row > head})
        self._merged(head, rows[-1] if rows else head)
        seen: dict[str, str] = {}
        for row in rows:
            self._row(row, seen)
        self.found.deleted += [row_id for row_id in self.sheet.values if row_id not in seen]
        return self.found

    def _head(self) -> int | None:
        """Return the row of the headings: the first that holds the heading of the ids."""
        wanted = self._heading(self.sheet.columns[0])
        rows = sorted(row for (row, _), cell in self.grid.cells.items() if _text(cell) == wanted and row <= _HEAD_ROWS)
        return rows[0] if rows else None

    def _find_columns(self, head: int) -> None:
        places: dict[str, list[int]] = {}
        for (row, column), cell in sorted(self.grid.cells.items()):
            if row == head:
                places.setdefault(_text(cell), []).append(column)
        for number, column in enumerate(self.sheet.columns, start=1):
            heading = self._heading(column)
            found = places.get(heading, [])
            if len(found) > 1:
                self._problem("heading_double", head, found[1], heading, first=self._name(head, found[0]))
            elif found:
                self.columns[column.key] = found[0]
            elif column.edit or column.key == ID:
                given = self.grid.cells.get((head, number))
                self._problem("heading_missing", head, number, given and given.value, heading=heading)

    def _merged(self, head: int, last_row: int) -> None:
        """Merged cells hide all values but one, so that nobody can say what the others should be."""
        used = set(self.columns.values())
        for range_ in self.grid.merged:
            (top, left), (bottom, right) = corners(range_)
            if top <= last_row and bottom >= head and used.intersection(range(left, right + 1)):
                self.found.problems.append(Problem("cells_merged", self.shown, f"{self.sheet.name}!{range_}"))

    def _row(self, row: int, seen: dict[str, str]) -> None:
        cell = self.grid.cells.get((row, self.columns[ID]))
        row_id = _text(cell)
        typed = [c for c in self._editable() if (row, self.columns[c.key]) in self.grid.cells]
        if not row_id and not typed:
            return
        place = self._name(row, self.columns[ID])
        if row_id in seen and row_id:
            self._problem("row_double", row, self.columns[ID], row_id, first=seen[row_id])
        elif row_id in self.sheet.values:
            seen[row_id] = place
            self._known(row, row_id)
        elif self.sheet.grows and row_id:
            seen[row_id] = place
            self._new(row, row_id)
        elif self.sheet.grows or not row_id:
            self._problem("row_id", row, self.columns[ID], row_id or None)
        else:
            self._problem("row_unknown", row, self.columns[ID], row_id)

    def _editable(self) -> list[Column]:
        return [column for column in self.sheet.columns if column.edit]

    def _known(self, row: int, row_id: str) -> None:
        before = self.sheet.values[row_id]
        values = {}
        for column in self.sheet.columns:
            if column.key in (ID, WHY) or column.key not in self.columns:
                continue
            cell = self.grid.cells.get((row, self.columns[column.key]))
            if column.key in self.sheet.editable[row_id]:
                value = self._take(row, column, cell, self.sheet.unit_in(row_id, column))
                if value is not _BAD and not same(value, before.get(column.key)):
                    values[column.key] = value
                    self._understood(row, column, cell, value)
            elif column.key in before:
                self._locked(row, column, cell, before[column.key])
        if values:
            self.found.rows.append(TypedRow(row_id, values, self._cells(row), self._why(row), False))

    def _locked(self, row: int, column: Column, cell: Cell | None, before: object) -> None:
        """A cell that is not for typing: a number there would be missed, a text only describes."""
        given = None if cell is None else cell.value
        if isinstance(before, str):
            if not same(given, before) and not same(given, column.choices.get(before)):
                self.found.ignored.append(self._name(row, self.columns[column.key]))
        elif not same(given, before):
            self._problem("cell_locked", row, self.columns[column.key], given, before=before)

    def _new(self, row: int, row_id: str) -> None:
        values = {}
        for column in self._editable():
            if column.key not in (ID, WHY):
                value = self._take(row, column, self.grid.cells.get((row, self.columns[column.key])), column.unit)
                if value is not _BAD and value is not None:
                    values[column.key] = value
                    self._understood(row, column, self.grid.cells[row, self.columns[column.key]], value)
        self.found.rows.append(TypedRow(row_id, values, self._cells(row), self._why(row), True))

    def _understood(self, row: int, column: Column, cell: Cell | None, value: object) -> None:
        if column.kind == "number" and cell is not None and cell.kind == "text":
            self.found.understood.append(f"{self._name(row, self.columns[column.key])} {cell.value} = {value:.12g}")

    def _take(self, row: int, column: Column, cell: Cell | None, unit: str) -> object:
        try:
            return take(cell, self.takings[column.key], unit)
        except CellError as error:
            self._problem(error.code, row, self.columns[column.key], error.given, **error.values)
            return _BAD

    def _why(self, row: int) -> str:
        cell = self.grid.cells.get((row, self.columns[WHY]))
        return "" if cell is None or cell.kind in ("formula", "error") else str(cell.value).strip()

    def _cells(self, row: int) -> dict[str, str]:
        return {key: self._name(row, column) for key, column in self.columns.items()}

    def _name(self, row: int, column: int) -> str:
        return f"{self.sheet.name}!{reference(row, column)}"

    def _heading(self, column: Column) -> str:
        return column.head.strip()

    def _problem(self, code: str, row: int, column: int, given: object, **values: object) -> None:
        self.found.problems.append(Problem(code, self.shown, self._name(row, column), None, given, values))


_BAD = object()


def _text(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{cell.value:.15g}" if cell.kind == "number" else str(cell.value).strip()


def listed(names: Sequence[str], most: int = 8) -> Iterator[str]:
    """Yield names, and of many only the first and how many more there are.

    >>> ", ".join(listed(["a", "b", "c"], most=2))
    'a, b, + 1'
    """
    yield from names[:most]
    if len(names) > most:
        yield f"+ {len(names) - most}"


def changed_cells(path: Path) -> list[str]:
    """Return the cells of a workbook in which somebody typed, or that cannot be taken, by name.

    Raises:
        InputError: the file is no workbook of a plan, or cannot be read.
    """
    shown = path.as_posix()
    grids = xlsx.read(path, shown)
    was = before(grids, shown)
    read = read_sheets(was, grids, shown)
    found = read.values()
    gone = [f"{sheet.name}!{row_id}" for sheet in was.sheets if sheet.shrinks for row_id in read[sheet.key].deleted]
    typed = [row.cells[key] for sheet in found for row in sheet.rows for key in row.values]
    return [*typed, *gone, *(problem.field for sheet in found for problem in sheet.problems)]
