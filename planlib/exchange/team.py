"""The sheet of the team: how many people each role has, how long they work, and what one costs a year."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.fields import One, Pair, Plain, Said, choice, row_of, typed, unlike, why_column
from planlib.exchange.sheets import ID, Column, Edited, Kind, Rooms, Row, Sheet, Sum
from planlib.plan.load import Change, Plan

KEY = "team"
FREE_ROWS = 6
_TOTAL = "*"
_PARTS = (
    Said("name", "name", needed=True),
    Plain("department", "department"),
    Pair("people_low", "people_high", "people", single=True),
    Plain("hours_per_week", "hours_per_week"),
    One("cost_per_year", "cost_per_year"),
    Said("does", "does", one=True),
)


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's roles with the sum of their people, and free rows below."""
    departments = unlike({row.id: w.pick(row.name.model_dump()) for row in plan.team.departments})
    columns = (
        Column(ID, edit=True),
        Column("name", edit=True),
        choice("department", departments),
        Column("people_low", "number", True, unit="people"),
        Column("people_high", "number", True, unit="people"),
        Column("hours_per_week", "number", True, unit="hours_per_week"),
        Column("cost_per_year", "number", True, unit="CNY", prompt=w.text("exchange.prompt.cost_per_year")),
        Column("does", edit=True),
        Column("source"),
        Column("note"),
        why_column(),
    )
    rows = [row_of(key, role, _PARTS, w) for key, role in plan.team.roles.items()]
    rows = [replace(row, locked=row.locked | {ID}) for row in rows]
    sums = {key: Sum(tuple((row.id, key) for row in rows)) for key in ("people_low", "people_high")}
    every = frozenset(column.key for column in columns)
    total = [Row(_TOTAL, {"name": w.text("exchange.total")} | sums, locked=every, total=True)] if rows else []
    free = [Row("", {}) for _ in range(FREE_ROWS)]
    return Sheet(KEY, columns, (*rows, *total, *free), grows=True, shrinks=True)


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited, added and deleted roles change."""
    yield from typed("team.roles", rows, plan.team.roles, _PARTS, sourced=True)


KIND = Kind(KEY, build, changes)
