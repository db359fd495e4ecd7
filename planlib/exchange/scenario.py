"""A workbook that comes back: what was changed in it, laid over the plan for one run.

Nothing is written into the plan. A cell counts as changed when it holds another value than when the workbook was
made; it applies when the plan still says what it said then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words, words
from planlib.exchange import xlsx
from planlib.exchange.book import Before, SheetBefore, before
from planlib.exchange.read import SheetRead, TypedRow, listed, read_sheets
from planlib.exchange.sheets import ID, Edited, Kind, Logged, Rooms, Row, Sheet, kinds
from planlib.exchange.values import same
from planlib.plan.load import Change, Plan, load_plan


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about a workbook that is no mistake: `exchange.note.<key>` with its values."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, w: Words) -> str:
        """Return the sentence."""
        return w.text(f"exchange.note.{self.key}", **self.values)


@dataclass(frozen=True, slots=True)
class Opened:
    """A plan, what there is to tell about the workbook that changed it, and progress that was typed there."""

    plan: Plan
    notes: tuple[Note, ...] = ()
    progress: tuple[Logged, ...] = ()


def open_plan(
    path: str | Path,
    *,
    root: Callable[[], Path],
    rooms: Callable[[], Rooms],
    scenario: str | None = None,
    sets: Iterable[str] = (),
    as_of: str | None = None,
    seed: int | None = None,
) -> Opened:
    """Return the plan in a file that `load_plan` reads, or the one that a workbook belongs to with its changes.

    Args:
        path: a plan, or a workbook made by `planlib excel`.
        root: returns the project's folder, to which the plan's name in a workbook is relative.
        rooms: returns the arithmetic of the sheets.
        scenario, sets, as_of, seed: see `load_plan`; a scenario comes before the workbook's changes.

    Raises:
        InputError: all problems of the plan, or of the workbook's cells and of the plan with them.
    """
    options = {"scenario": scenario, "sets": tuple(sets), "as_of": as_of, "seed": seed}
    suffix = Path(path).suffix.lower()
    if suffix in xlsx.OTHER_SUFFIXES:
        raise InputError(_other_form(Path(path), suffix))
    if suffix != xlsx.SUFFIX:
        return Opened(load_plan(path, **options))
    shown = Path(path).as_posix()
    grids = xlsx.read(Path(path), shown)
    still_open = xlsx.is_open(Path(path))
    was = before(grids, shown)
    file = _plan_file(was, root(), shown)
    now = load_plan(file, scenario=scenario)
    if now.id != was.plan:
        values = {"plan": now.id, "file": was.file}
        raise InputError(Problem("book_other_plan", file=shown, given=was.plan, values=values))
    read = read_sheets(was, grids, shown)
    laid = _Laid(was, now, rooms(), read, shown)
    try:
        plan = load_plan(file, changes=laid.changes, **options)
    except InputError as error:
        raise InputError(*laid.problems, *laid.placed(error.problems)) from None
    problems = [*laid.problems, *laid.check(plan)]
    if problems:
        raise InputError(*problems)
    notes = [Note("open", {"file": shown})] if still_open else []
    return Opened(plan, (*notes, *laid.notes()), tuple(laid.progress))


def lay(was: Before, plan: Plan, read: Mapping[str, SheetRead], shown: str) -> Opened:
    """Return a plan with what sheets change that need no room's arithmetic, and what there is to tell about them.

    Args:
        was: the sheets as they were.
        plan: the plan.
        read: what was typed into each.
        shown: name of the file in messages.

    Raises:
        InputError: all problems of the cells and of the plan with them.
    """
    laid = _Laid(was, plan, None, read, shown)
    options = {"scenario": plan.scenario, "sets": plan.sets}
    try:
        changed = load_plan(plan.file, changes=laid.changes, **options)
    except InputError as error:
        raise InputError(*laid.problems, *error.problems) from None
    problems = [*laid.problems, *laid.check(changed)]
    if problems:
        raise InputError(*problems)
    return Opened(changed, tuple(laid.notes()), tuple(laid.progress))


def _other_form(path: Path, suffix: str) -> Problem:
    if not path.is_file():
        return Problem("no_file", file=path.as_posix())
    code = {".xls": "book_old", ".xlsm": "book_macros", ".xltm": "book_macros"}.get(suffix, "book_kind")
    return Problem(code, file=path.as_posix(), given=suffix)


def _plan_file(was: Before, root: Path, shown: str) -> str:
    """Return the plan's file as it is named from here; a workbook cannot name one outside the project."""
    name = PurePosixPath(was.file)
    target = root / name
    if name.is_absolute() or ".." in name.parts or not target.resolve().is_relative_to(root) or not target.is_file():
        raise InputError(Problem("book_no_plan", file=shown, given=was.file))
    return Path(os.path.relpath(target)).as_posix()


class _Laid:
    """What was typed, laid over the plan as it is now."""

    def __init__(self, was: Before, now: Plan, rooms: Rooms | None, read: Mapping[str, SheetRead], shown: str):
        self.was, self.now, self.shown, self.read = was, now, shown, read
        self.problems = [problem for found in read.values() for problem in found.problems]
        self.changes: list[Change] = []
        self.cells: list[str] = []  # that change the plan
        self.progress: list[Logged] = []
        self.logged: list[str] = []  # cells of progress
        self.moved: list[str] = []  # of which the plan now says something else
        self.edited: dict[str, list[Edited]] = {}
        self.gone: dict[str, list[str]] = {}  # rows that are taken out of the plan, by sheet
        self.rooms = rooms
        w = words(was.locale)
        kind_of = {kind.key: kind for kind in kinds()}
        for sheet in was.sheets:
            kind = kind_of[sheet.key]
            if was.sha256 == now.sha256 and not (read[sheet.key].rows or read[sheet.key].deleted):
                continue  # nothing to hold against the plan, which is what it was
            self._lay(kind, sheet, kind.build(now, w, rooms))

    def _lay(self, kind: Kind, before: SheetBefore, current: Sheet) -> None:
        rows = {row.id: row for row in current.rows if row.id}
        self.moved += _moved(before, current, rows)
        edited = self.edited[kind.key] = []
        logged = {column.key for column in current.columns if column.logged}
        for typed in self.read[kind.key].rows:
            row = rows.get(typed.id)
            changed = self._changed(before, typed, row)
            if changed or (typed.is_new and row is None):
                edited.append(self._edited(current, typed, row, changed))
                self.cells += [typed.cells[key] for key in changed if key not in logged]
                self.logged += [typed.cells[key] for key in changed if key in logged]
        if before.shrinks:
            self._take_out(before, rows)
        for found in kind.changes(self.now, edited):
            if isinstance(found, Problem):
                self.problems.append(found)
            elif isinstance(found, Logged):
                self.progress.append(found)
            else:
                self.changes.append(found)

    def _take_out(self, before: SheetBefore, rows: Mapping[str, Row]) -> None:
        """A row that is deleted leaves the plan, if the plan still says what it said."""
        gone = [row_id for row_id in self.read[before.key].deleted if row_id in rows and not rows[row_id].total]
        for row_id in reversed(gone):  # rows without an id of their own are told by their number
            place = f"{before.name}!{row_id}"
            was, now = before.values[row_id], rows[row_id].values
            moved = [key for key in before.editable[row_id] if not same(was.get(key), now.get(key))]
            if moved:
                told = {"before": _shown(was.get(moved[0])), "plan": _shown(now.get(moved[0])), "file": self.now.file}
                self.problems.append(Problem("cell_conflict", self.shown, place, values=told))
            else:
                self.edited[before.key].append(Edited(row_id, {}, (), self.shown, {ID: place}, is_gone=True))
                self.gone.setdefault(before.key, []).append(row_id)

    def placed(self, problems: Sequence[Problem]) -> Iterator[Problem]:
        """Yield problems of the plan with its changes, each at the cell that it comes from."""
        lists = {change.path.rpartition(".")[0] for change in self.changes if _takes_out(change)}
        places = [
            (_indexed(self.now, change.path), change.cell)
            for change in self.changes
            if not any(change.path.startswith(f"{name}.") for name in lists)  # its rows have other numbers now
        ]
        for problem in problems:
            cell = next((cell for path, cell in places if _concerns(problem.field, path)), None)
            own = problem.file.startswith(f"{self.shown}: ")
            yield problem if own or cell is None else replace(problem, file=self.shown, field=cell, line=None)
        yield from self._needed(problems)

    def _needed(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Yield the deleted rows that a plan's problems come from: something still names them."""
        names = {sheet.key: sheet.name for sheet in self.was.sheets}
        for problem in problems:
            for key, gone in self.gone.items():
                for row_id in gone:
                    if problem.given == row_id or f".{row_id}." in f".{problem.given}.":
                        yield Problem("row_needed", self.shown, f"{names[key]}!{row_id}", values={"by": problem.field})

    def _changed(self, before: SheetBefore, typed: TypedRow, row: Row | None) -> list[str]:
        """Return the columns of a row whose typed value is to replace what the plan says."""
        changed = []
        for key, value in typed.values.items():
            old = before.values.get(typed.id, {}).get(key)
            current = None if row is None else row.values.get(key)
            if typed.is_new and row is None:
                changed.append(key)
            elif not same(old, current) and not same(value, current):
                told = {"before": _shown(old), "plan": _shown(current), "file": self.now.file}
                place = typed.cells[key]
                self.problems.append(Problem("cell_conflict", self.shown, place, given=value, values=told))
            elif not same(value, current):
                changed.append(key)
        return changed

    def _edited(self, sheet: Sheet, typed: TypedRow, row: Row | None, changed: list[str]) -> Edited:
        now = {} if row is None else row.values
        values = {column.key: now.get(column.key) for column in sheet.columns if column.edit} | dict(typed.values)
        about = {"is_new": typed.is_new and row is None, "locale": self.was.locale}
        return Edited(typed.id, values, tuple(changed), self.shown, typed.cells, typed.why, **about)

    def check(self, plan: Plan) -> Iterator[Problem]:
        """Yield what only the plan with all its changes shows."""
        for kind in kinds():
            if kind.check is not None and self.edited.get(kind.key):
                yield from kind.check(plan, self.edited[kind.key], self.rooms)

    def notes(self) -> Iterator[Note]:
        """Yield what there is to tell about a workbook without mistakes."""
        name = self.shown
        if self.was.sha256 != self.now.sha256:
            if self.moved:
                yield Note("plan_moved", {"plan": self.now.file, "cells": "; ".join(listed(self.moved))})
            else:
                yield Note("plan_moved_elsewhere", {"plan": self.now.file})
        for sheet in self.was.sheets:
            gone = self.gone.get(sheet.key)
            if gone:
                rows = ", ".join(listed(gone[::-1], most=20))
                yield Note("removed", {"sheet": sheet.name, "n": len(gone), "rows": rows})
        for sheet in self.was.sheets:
            taken = self.gone.get(sheet.key, ())
            gone = [row_id for row_id in self.read[sheet.key].deleted if row_id not in taken]
            if gone:
                yield Note("deleted", {"sheet": sheet.name, "n": len(gone), "rows": ", ".join(listed(gone))})
        ignored = [cell for found in self.read.values() for cell in found.ignored]
        if ignored:
            yield Note("ignored", {"cells": ", ".join(listed(ignored))})
        understood = [cell for found in self.read.values() for cell in found.understood]
        if understood:
            yield Note("understood", {"cells": "; ".join(listed(understood))})
        for sheet in self.was.sheets:
            if self.read[sheet.key].hidden and self.edited.get(sheet.key):
                yield Note("hidden", {"sheet": sheet.name})
        if self.cells:
            values = {"file": name, "n": len(self.cells), "cells": ", ".join(listed(self.cells))}
            yield Note("changed", values)
        if self.progress:
            values = {"file": name, "n": len(self.logged), "cells": ", ".join(listed(self.logged))}
            yield Note("progress", values)
        if not self.changes and not self.progress:
            yield Note("unchanged", {"file": name, "plan": self.now.file})


def _takes_out(change: Change) -> bool:
    return isinstance(change.value, dict) and change.value.get("drop") is True


def _indexed(plan: Plan, path: str) -> str:
    """Return a place whose rows are named by id as problems name it: review.actions[0].ended."""
    item: object = plan.model
    shown = ""
    for name in path.split("."):
        rows = item if isinstance(item, tuple) else ()
        index = next((i for i, row in enumerate(rows) if getattr(row, "id", None) == name), None)
        shown += f"[{index}]" if index is not None else f".{name}" if shown else name
        item = (
            rows[index]
            if index is not None
            else item.get(name)
            if isinstance(item, dict)
            else getattr(item, name, None)
        )
    return shown


def _concerns(field: str, path: str) -> bool:
    """Whether a problem with a field can come from a change at a place: it is that, around it, or beside it."""
    beside = path.rpartition(".")[0]
    return bool(field) and (
        path == field or path.startswith((f"{field}.", f"{field}[")) or field.startswith(f"{beside}.")
    )


def _moved(before: SheetBefore, current: Sheet, rows: Mapping[str, Row]) -> Iterator[str]:
    """Yield what the plan now says where it said something else, in the sheet's terms."""
    columns = {column.key: column for column in before.columns}
    for row_id, values in before.values.items():
        now = rows[row_id].values if row_id in rows else {}
        for key in before.editable[row_id]:
            if not same(values.get(key), now.get(key)):
                old, new = (_shown(columns[key].choices.get(side, side)) for side in (values.get(key), now.get(key)))
                yield f"{before.name} {row_id} {columns[key].head} {old} → {new}"


def _shown(value: object) -> str:
    return "—" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
