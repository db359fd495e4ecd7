"""A plan as one workbook: its sheets, a first one that says how to use them, and a hidden one for the way back.

The hidden sheet tells, in rows of texts: the plan and its hash, the heading of every column, and what every row held
when the workbook was made. Only what differs from that counts as changed, whatever the programs in between did to
the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.core.words import Words
from planlib.exchange.sheets import Column, Rooms, Sheet, Sum, kinds
from planlib.exchange.write import HIDDEN, workbook_bytes
from planlib.exchange.xlsx import Grid
from planlib.plan.load import Plan

FORM = 2  # of the hidden sheet


@dataclass(frozen=True, slots=True)
class SheetBefore:
    """A sheet as it was when the workbook was made.

    Args:
        key, name: which, and what it was called.
        columns: in order.
        grows, shrinks: whether rows may be added, and taken out of the plan by deleting them.
        units: {row id: {column key: unit}}, with the row's own under "".
        values: {row id: {column key: value}}, without sums.
        editable: {row id: keys of the columns for typing}.
    """

    key: str
    name: str
    columns: tuple[Column, ...]
    grows: bool
    shrinks: bool = False
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    editable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def unit_in(self, row_id: str, column: Column) -> str:
        """Return the unit of the number in a row's column."""
        units = self.units[row_id]
        return units.get(column.key) or column.unit or units[""]


@dataclass(frozen=True, slots=True)
class Before:
    """What a workbook says about itself.

    Args:
        plan: id of the plan.
        file: the plan's file, relative to the project.
        sha256: hash of the plan.
        start: first month of the plan.
        locale: language of the sheets.
        sheets: in order.
    """

    plan: str
    file: str
    sha256: str
    start: str
    locale: str
    sheets: tuple[SheetBefore, ...]


def write_book(plan: Plan, w: Words, rooms: Rooms, *, path: Path, root: Path) -> None:
    """Write a plan's workbook.

    Args:
        plan: a plan read from a file inside the project.
        w: language of the sheets.
        rooms: arithmetic of the sheets that show what is reckoned.
        path: where to.
        root: the project's folder.

    Raises:
        InputError: the plan lies outside the project, or the file is open elsewhere.
    """
    file = Path(plan.file).resolve()
    if not file.is_relative_to(root):
        raise InputError(Problem("plan_outside", file=plan.file))
    content = book_bytes(plan, w, rooms, file=file.relative_to(root).as_posix(), name=path.as_posix())
    try:
        write_whole(path, content)
    except PermissionError:
        raise InputError(Problem("book_open", file=path.as_posix())) from None


def book_bytes(plan: Plan, w: Words, rooms: Rooms, *, file: str, name: str) -> bytes:
    """Return the workbook of a plan; `file` is the plan relative to the project, `name` the workbook."""
    made = [kind.build(plan, w, rooms) for kind in kinds()]
    sheets = [(w.text(f"exchange.sheet.{sheet.key}"), sheet, _heads(sheet, w)) for sheet in made]
    names = w.text("exchange.comma").join(name for name, *_ in sheets)
    lines = [
        w.text("exchange.notes.title", title=w.pick(plan.title)),
        w.text("exchange.notes.edit", sheets=names),
        w.text("exchange.notes.numbers"),
        w.text("exchange.notes.why"),
        w.text("exchange.notes.rows"),
        w.text("exchange.notes.lists"),
        w.text("exchange.notes.ladder"),
        w.text("exchange.notes.split"),
        w.text("exchange.notes.tasks", name=name),
        w.text("exchange.notes.back", name=name),
        w.text("exchange.notes.check", name=name),
        w.text("exchange.notes.made", file=file, sha256=plan.sha256[:16]),
    ]
    hidden = _told(plan, w, file, sheets)
    legend = {name: w.text(f"exchange.colour.{name}") for name in ("input", "assumed", "total")}
    return workbook_bytes((w.text("exchange.sheet.notes"), lines), sheets, hidden, legend)


def _heads(sheet: Sheet, w: Words) -> list[str]:
    return [column.head or w.text(f"exchange.column.{column.key}") for column in sheet.columns]


def _told(plan: Plan, w: Words, file: str, sheets: list[tuple[str, Sheet, list[str]]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the hidden sheet."""
    head = {"form": FORM, "plan": plan.id, "file": file, "sha256": plan.sha256, "start": plan.start, "locale": w.locale}
    yield HIDDEN, _json(head)
    for name, sheet, heads in sheets:
        about = {"name": name, "grows": sheet.grows, "shrinks": sheet.shrinks}
        yield "sheet", sheet.key, _json(about)
        for column, shown in zip(sheet.columns, heads, strict=True):
            facts = {"head": shown, "kind": column.kind, "edit": column.edit, "unit": column.unit}
            facts |= {"choices": dict(column.choices)} if column.choices else {}
            yield "column", sheet.key, column.key, _json(facts)
        for row in sheet.rows:
            if row.id:
                values = {k: v for k, v in row.values.items() if v is not None and not isinstance(v, Sum)}
                units, editable = {"": row.unit} | dict(row.units), ",".join(sheet.editable(row))
                yield "row", sheet.key, row.id, _json(units), editable, _json(values)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def before(grids: Mapping[str, Grid], shown: str) -> Before:
    """Return what a workbook says about itself.

    Raises:
        InputError: it was not made by `planlib excel`, its hidden sheet was damaged, or it is of a later form.
    """
    if HIDDEN not in grids:
        raise InputError(Problem("book_foreign", file=shown))
    try:
        rows = list(_rows(grids[HIDDEN]))
        head = json.loads(rows[0][1])
        if head["form"] != FORM:
            raise InputError(Problem("book_form", file=shown, given=head["form"], values={"form": FORM}))
        sheets = tuple(_sheet_before(rows, row) for row in rows if row[0] == "sheet")
        return Before(
            **{name: str(head[name]) for name in ("plan", "file", "sha256", "start", "locale")}, sheets=sheets
        )
    except (LookupError, TypeError, AttributeError, json.JSONDecodeError):
        raise InputError(Problem("book_foreign", file=shown, given=HIDDEN)) from None


def _rows(grid: Grid) -> Iterator[list[str]]:
    """Yield the rows of a sheet as texts, an empty one for a cell that holds nothing."""
    last = max((column for _, column in grid.cells), default=0)
    for row in sorted({row for row, _ in grid.cells}):
        found = (grid.cells.get((row, column)) for column in range(1, last + 1))
        yield ["" if cell is None else str(cell.value) for cell in found]


def _sheet_before(rows: list[list[str]], about: list[str]) -> SheetBefore:
    key, facts = about[1], json.loads(about[2])
    own = [row for row in rows if row[:2] == ["row", key]]
    return SheetBefore(
        key,
        facts["name"],
        tuple(_column(row[2], json.loads(row[3])) for row in rows if row[:2] == ["column", key]),
        facts["grows"],
        facts["shrinks"],
        units={row[2]: json.loads(row[3]) | {} for row in own},
        values={row[2]: json.loads(row[5]) | {} for row in own},
        editable={row[2]: tuple(filter(None, row[4].split(","))) for row in own},
    )


def _column(key: str, facts: dict[str, Any]) -> Column:
    return Column(key, facts["kind"], facts["edit"], facts.get("choices", {}), facts["head"], unit=facts["unit"])
