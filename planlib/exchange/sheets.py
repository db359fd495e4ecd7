"""What a sheet of the plan's workbook is, apart from how it is drawn and read: columns, rows, and what edits mean.

Each kind of sheet is one module with a `Kind`; `kinds()` lists them in the workbook's order. A kind builds its sheet
out of a plan, and turns edited rows into changes of the plan. Everything else is done once for all: the writer draws
any sheet, the reader finds the edited cells of any sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.plan.load import Change, Plan
from planlib.plan.tracking import Entry

ID, WHY = "id", "why"  # columns of every sheet: how a row is found again, and why its cells were changed
SOURCE = "source"  # the column that says where a row's figures come from


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet.

    Args:
        key: its name in code; its heading is `exchange.column.<key>`, or `head`.
        kind: text, number, month (of the plan), date or choice.
        edit: whether its cells are for typing.
        choices: {id: label} of a choice.
        head: a heading that is no sentence of the locale files, such as a month.
        prompt: what the cell says when it is entered.
        unit: of its numbers, where it is not the row's.
        logged: what is typed goes into the log of progress, not into the plan.
    """

    key: str
    kind: str = "text"
    edit: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    prompt: str = ""
    unit: str = ""
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """A formula: the sum of other cells of the sheet, each given as (row id, column key)."""

    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet.

    Args:
        id: unique in the sheet; "" for a row that is waiting to be filled in.
        values: {column key: value}: None, a text, a number, the id of a choice, or a Sum.
        unit: of the row's numbers, as in the metric catalogue.
        locked: columns that may not be typed into in this row, though in others.
        total: whether it sums others, and is drawn so.
        assumed: whether its figures are assumptions, and are coloured so.
        units: {column key: unit} of numbers in another unit than the row's.
    """

    id: str
    values: Mapping[str, object]
    unit: str = ""
    locked: frozenset[str] = frozenset()
    total: bool = False
    assumed: bool = False
    units: Mapping[str, str] = field(default_factory=dict)

    def unit_in(self, column: Column) -> str:
        """Return the unit of the number in a column."""
        return self.units.get(column.key) or column.unit or self.unit


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as data.

    Args:
        key: its name is `exchange.sheet.<key>`.
        columns: the first one is ID.
        rows: in order.
        fixed_columns: how many stay in view.
        grows: whether rows with new ids may be typed in.
        hint: lines above the headings.
        shrinks: whether a row that is deleted is taken out of the plan.
    """

    key: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    fixed_columns: int = 2
    grows: bool = False
    hint: str = ""
    shrinks: bool = False

    def editable(self, row: Row) -> tuple[str, ...]:
        """Return the keys of the columns that may be typed into in a row."""
        return tuple(c.key for c in self.columns if c.edit and c.key not in row.locked)


@dataclass(frozen=True, slots=True)
class Edited:
    """A row in which somebody typed.

    Args:
        id: the row's.
        values: {column key: value} of all columns for typing, those locked in this row too, as they are now.
        changed: the columns whose value is another than it was.
        file: the workbook.
        cells: {column key: name of the cell, with its sheet}.
        why: the reason that was typed, or "".
        is_new: whether the row was added.
        is_gone: whether the row was deleted; it has no values then, and its only cell stands for the row.
        locale: language of the workbook.
    """

    id: str
    values: Mapping[str, object]
    changed: tuple[str, ...]
    file: str
    cells: Mapping[str, str]
    why: str = ""
    is_new: bool = False
    is_gone: bool = False
    locale: str = "zh"

    def change(self, path: str, value: object, key: str) -> Change:
        """Return a change of the plan that was typed in column `key`."""
        return Change(path, value, self.file, self.cells[key], self.why)

    def reason(self, cell: str) -> str:
        """Return why a value that was typed in a cell changed."""
        return Change("", None, self.file, cell, self.why).reason

    def problem(self, code: str, key: str, given: object = None, **values: object) -> Problem:
        """Return a problem with the cell in column `key`."""
        return Problem(code, self.file, self.cells[key], given=given, values=values)


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry for the log of progress, on its way in.

    Args:
        entry: as typed; when it was taken down, and of which day it is the state, is still to be said.
        file: where it was typed.
        cells: {attribute of the entry: name of the cell}.
    """

    entry: Entry
    file: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """Money by month, CNY: of a channel, of a category, or (`besides`) of what one spends besides its channels."""

    id: str
    kind: str
    amounts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Arithmetic that sheets show and this part may not import.

    Args:
        ladder, flow_ladder: of `planlib.funnel.ladder`.
        split: of `planlib.funnel.split`.
        budget: the best budget of a plan as lines.
    """

    ladder: Callable[..., Any]
    flow_ladder: Callable[..., Any]
    split: Callable[..., Any]
    budget: Callable[[Plan], Sequence[BudgetLine]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sheet: how it comes out of a plan, and what its edits change there.

    Args:
        key: the sheet's.
        build: the sheet of a plan, in one language.
        changes: changes, entries of the log and problems of the edited rows.
        check: problems of the edited rows with the plan as it has become.
    """

    key: str
    build: Callable[[Plan, Words, Rooms], Sheet]
    changes: Callable[[Plan, Iterable[Edited]], Iterator[Change | Problem | Logged]]
    check: Callable[[Plan, Iterable[Edited], Rooms], Iterator[Problem]] | None = None


def kinds() -> tuple[Kind, ...]:
    """Return every kind of sheet in the order of the workbook."""
    from planlib.exchange import (
        actions,
        assumed,
        budget,
        channels,
        experiments,
        ladder,
        organisation,
        risks,
        targets,
        tasks,
        team,
    )

    return (
        targets.KIND,
        ladder.KIND,
        organisation.KIND,
        channels.KIND,
        budget.KIND,
        budget.KIND_ACTUAL,
        experiments.KIND,
        tasks.KIND,
        team.KIND,
        risks.KIND,
        actions.KIND,
        assumed.KIND,
    )
