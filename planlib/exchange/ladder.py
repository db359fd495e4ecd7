"""The sheet of ladders: what each dated target asks month by month; a month typed by hand stays, the rest follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Rooms, Row, Sheet, Sum
from planlib.plan.ladders import Ladder, ladders
from planlib.plan.load import Change, Plan

KEY = "ladder"
_SHAPES = ("linear", "compound", "s_curve", "stage_weighted")


def month_name(plan: Plan, month: int) -> str:
    """Return plan month 14 as 2028-02."""
    months = int(plan.start[:4]) * 12 + int(plan.start[5:]) + month - 2
    return f"{months // 12}-{months % 12 + 1:02d}"


def build(plan: Plan, w: Words, rooms: Rooms) -> Sheet:
    """Return the sheet of a plan's ladders, one row a ladder, months and quarters as columns."""
    columns = [
        Column(ID),
        Column("metric"),
        Column("scope"),
        Column("unit"),
        Column("shape", "choice", True, {shape: w.text(f"exchange.shape.{shape}") for shape in _SHAPES}),
        Column("opening", "number"),
    ]
    quarters: dict[str, list[int]] = {}
    for month in range(1, plan.months + 1):
        name = month_name(plan, month)
        quarter = f"{name[:4]} Q{(int(name[5:]) + 2) // 3}"
        quarters.setdefault(quarter, []).append(month)
        columns.append(Column(f"m{month}", "number", True, head=name))
        if int(name[5:]) % 3 == 0 or month == plan.months:
            columns.append(Column(quarter, "number", head=quarter))
    columns += [Column("note"), Column(WHY, "text", True)]
    found = ladders(plan, rooms.ladder, rooms.flow_ladder)
    hint = "" if found else w.text("exchange.hint.ladder")
    return Sheet(KEY, tuple(columns), tuple(_row(row, quarters, w) for row in found), hint=hint)


def _row(ladder: Ladder, quarters: dict[str, list[int]], w: Words) -> Row:
    months = {f"m{rung.month}": rung.value for rung in ladder.rungs}
    goals = frozenset(f"m{rung.month}" for rung in ladder.rungs if rung.kind == "goal")
    sums = {
        quarter: Sum(tuple((ladder.id, f"m{month}") for month in (within if ladder.adds_up else within[-1:])))
        for quarter, within in quarters.items()
        if all(f"m{month}" in months for month in within)
    }
    values = {
        "metric": w.metric(ladder.metric),
        "scope": ladder.scope or None,
        "unit": w.text(f"exchange.unit.{ladder.unit}"),
        "shape": ladder.shape,
        "opening": ladder.opening,
        "note": _remark(ladder, w),
    }
    return Row(ladder.id, values | months | sums, ladder.unit, locked=goals)


def _remark(ladder: Ladder, w: Words) -> str:
    if ladder.problems:
        told = ladder.problems[0]
        key = f"errors.{told.code}.allowed"
        values = {name: told.values[name] for name in w.placeholders(key)}
        values |= {"metric": w.metric(ladder.metric)} if "metric" in values else {}
        return w.text("exchange.note_ladder.none", why=w.text(key, **values))
    return w.text("exchange.note_ladder.adds_up" if ladder.adds_up else "exchange.note_ladder.level")


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited ladders change: a typed month becomes a fixed rung, an emptied one is reckoned again."""
    exists = bool(plan.ladders)
    for row in rows:
        form = plan.ladders.get(row.id)
        before = {} if form is None else form.model_dump(mode="json", exclude_defaults=True)
        rungs = dict(before.get("rungs", {}))
        for key in row.changed:
            if key.startswith("m"):
                rungs.pop(key[1:], None)
                rungs |= {} if row.values[key] is None else {key[1:]: row.values[key]}
        why = row.reason(_cells(row))
        after = before | {"shape": row.values["shape"] or "linear", "source": "assumption", "why": why, "rungs": rungs}
        value = after if exists else {row.id: after}
        change = row.change(f"{KEY}s.{row.id}" if exists else f"{KEY}s", value, row.changed[0])
        yield replace(change, cell=_cells(row))
        exists = True


def check(plan: Plan, rows: Iterable[Edited], rooms: Rooms) -> Iterator[Problem]:
    """Yield why there is no ladder any more where one was edited, at the month's cell if it is about one."""
    edited = {row.id: row for row in rows}
    for ladder in ladders(plan, rooms.ladder, rooms.flow_ladder) if edited else ():
        row = edited.get(ladder.id)
        told = {}
        for problem in ladder.problems if row else ():
            month = f"m{problem.field.rpartition('.')[2]}"
            cell = row.cells[month] if month in row.changed else _cells(row)
            told.setdefault((problem.code, cell), replace(problem, file=row.file, field=cell))
        yield from told.values()


def _cells(row: Edited) -> str:
    """Name the changed cells of a row: the sheet once."""
    sheet, _, first = row.cells[row.changed[0]].rpartition("!")
    return f"{sheet}!{', '.join([first, *(row.cells[key].rpartition('!')[2] for key in row.changed[1:])])}"


KIND = Kind(KEY, build, changes, check)
