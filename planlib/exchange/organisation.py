"""The sheet that splits targets over an organisation; where the plan has none, its units can be typed in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.exchange.fields import removal
from planlib.exchange.ladder import month_name
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Rooms, Row, Sheet, Sum
from planlib.plan.ladders import ladders
from planlib.plan.load import Change, Plan
from planlib.plan.organisation import Units, is_split, units

KEY = "split"
LEVELS = ("region", "store", "operator")
BASES = ("history", "capacity", "weight")
FREE_ROWS = 30
_TOTAL = "*"
_FIELDS = ("level", "parent", "history", "capacity", "weight", "share")
_UNIT_FIELDS = ("parent", "history", "capacity", "weight", "share")


def build(plan: Plan, w: Words, rooms: Rooms) -> Sheet:
    """Return the sheet of a plan's organisation with the dated targets that add up, split over its units."""
    found = units(plan)
    counted = catalogue()[found.metric if found else "private_domain_users"].unit
    columns = (
        Column(ID, edit=True),
        Column("name", edit=True),
        Column("level", "choice", True, _levels(plan, w)),
        Column("parent", edit=True, prompt=w.text("exchange.prompt.parent")),
        Column("basis", "choice", True, {name: w.text(f"exchange.basis.{name}") for name in BASES}),
        Column("history", "number", True, unit=counted),
        Column("capacity", "number", True, unit=counted),
        Column("weight", "number", True),
        Column("share", "number", True, unit="ratio", prompt=w.text("exchange.prompt.share")),
    )
    why = Column(WHY, edit=True)
    if found is None:
        free = tuple(Row("", {}) for _ in range(FREE_ROWS))
        return Sheet(KEY, (*columns, why), free, grows=True, hint=w.text("exchange.hint.split"))
    goals = _goals(plan, found, w, rooms)
    rows = [_row(plan, found, index, goals, w) for index in range(len(found.ids))]
    top = [index for index, parent in enumerate(found.parents) if parent == -1]
    sums = {key: Sum(tuple((found.ids[index], key) for index in top)) for key, _, _, amounts in goals if amounts}
    total = Row(_TOTAL, {"name": w.text("exchange.total")} | sums, locked=frozenset(c.key for c in columns), total=True)
    shown = tuple(Column(key, "number", head=head, unit=unit) for key, head, unit, _ in goals)
    free = tuple(Row("", {}) for _ in range(FREE_ROWS // 3))
    return Sheet(KEY, (*columns, *shown, why), (*rows, total, *free), grows=True, shrinks=True)


def _levels(plan: Plan, w: Words) -> dict[str, str]:
    """Return the levels that can be chosen: the usual ones, and those that the plan names."""
    own = () if plan.organisation is None else plan.organisation.basis
    return {
        name: w.text(f"exchange.level.{name}") if name in LEVELS else name for name in dict.fromkeys([*LEVELS, *own])
    }


def _goals(plan: Plan, found: Units, w: Words, rooms: Rooms) -> list[tuple[str, str, str, list[float]]]:
    """Return key, heading, unit and amounts by unit of each dated target that adds up; no amounts if none can be."""
    goals = []
    for ladder in ladders(plan, rooms.ladder, rooms.flow_ladder):
        if not is_split(ladder.metric) or ladder.unit != catalogue()[ladder.metric].unit:
            continue
        for goal in {goal.month: goal for goal in ladder.goals}.values():
            try:
                amounts = rooms.split(goal.value, **found.arguments(ladder.metric)).amounts[0].tolist()
            except InputError:
                amounts = []
            head = f"{w.metric(ladder.metric)} {month_name(plan, goal.month)}"
            goals.append((f"goal:{ladder.id}:{goal.month}", head, ladder.unit, amounts))
    return goals


def _row(plan: Plan, found: Units, index: int, goals: list[tuple[str, str, str, list[float]]], w: Words) -> Row:
    unit = plan.organisation.units[index]
    below = [other for other, parent in enumerate(found.parents) if parent == index]
    values: dict[str, Any] = {name: getattr(unit, name) for name in _FIELDS}
    values |= {"name": w.pick(unit.name.model_dump()), "basis": plan.organisation.basis.get(unit.level)}
    for key, _, _, amounts in goals:
        if amounts:
            parts = tuple((found.ids[other], key) for other in below)
            values[key] = Sum(parts) if parts else amounts[index]
    return Row(unit.id, values, locked=frozenset({ID, "name", "level"}))


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited units change, and the section that units typed into an empty sheet make."""
    rows = list(rows)
    yield from (removal("organisation.units", row) for row in rows if row.is_gone)
    rows = [row for row in rows if not row.is_gone]
    yield from _bases(plan, rows)
    added = [row for row in rows if row.is_new]
    for row in rows:
        for key in _UNIT_FIELDS if not row.is_new else ():
            if key in row.changed:
                yield row.change(f"organisation.units.{row.id}.{key}", row.values[key], key)
    if not added:
        return
    where = f"{added[0].cells[ID]}:{added[-1].cells[ID].rpartition('!')[2]}" if len(added) > 1 else added[0].cells[ID]
    if plan.organisation is None:
        basis = {level: name for level, (name, _) in _typed_bases(rows).items()}
        yield Change("organisation", {"basis": basis, "units": [_unit(row) for row in added]}, added[0].file, where)
    else:
        yield from (row.change(f"organisation.units.{row.id}", _unit(row), ID) for row in added)


def _unit(row: Edited) -> dict[str, Any]:
    name = row.values["name"]
    given: Mapping[str, Any] = {key: row.values[key] for key in _FIELDS if row.values[key] is not None}
    why = row.reason(row.cells[ID])
    return {"id": row.id, "name": {"zh": name, "en": name}, "source": "assumption", "why": why} | dict(given)


def _typed_bases(rows: Iterable[Edited]) -> dict[str, tuple[str, Edited]]:
    """Return {level: (basis, the first row that says so)} of the rows in which a basis was typed."""
    found: dict[str, tuple[str, Edited]] = {}
    for row in rows:
        if "basis" in row.changed and row.values["basis"] and row.values["level"]:
            found.setdefault(row.values["level"], (row.values["basis"], row))
    return found


def _bases(plan: Plan, rows: list[Edited]) -> Iterator[Change | Problem]:
    """Yield changes of what a level is split by: typed once, it counts for the level; typed twice, it must agree."""
    typed = _typed_bases(rows)
    for row in rows:
        name, first = typed.get(row.values["level"], (None, row))
        if "basis" in row.changed and row.values["basis"] not in (None, name):
            yield row.problem("basis_differs", "basis", row.values["basis"], first=first.cells["basis"])
        if row.is_new:
            missing = [key for key in ("name", "level") if row.values[key] is None]
            yield from (row.problem("missing", key) for key in missing)
    if plan.organisation is not None:
        for level, (name, row) in typed.items():
            yield row.change(f"organisation.basis.{level}", name, "basis")


KIND = Kind(KEY, build, changes)
