"""The sheet of risks: how likely each is, which figure it hits and by how much, what tells it, what is done then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from planlib.core.errors import Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.exchange.fields import (
    Group,
    Pair,
    Plain,
    Said,
    Signal,
    choice,
    metric_choices,
    owners,
    row_of,
    typed,
    why_column,
)
from planlib.exchange.sheets import ID, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.assumptions import rows as figures
from planlib.plan.load import Change, Plan, leaves
from planlib.plan.model import Quantity, Risk

KEY = "risks"
FREE_ROWS = 6
_PARTS = (
    Said("name", "name", needed=True),
    Plain("probability", "probability", needed=True),
    Plain("hits", "hits", needed=True),
    Pair("effect_low", "effect_high", "effect", needed=True),
    Signal("trigger_metric", "trigger_side", "trigger_level", "trigger"),
    Said("response", "response"),
    Plain("owner", "owner", needed=True),
    Plain("dimension", "dimension"),
    Group(
        "mitigated",
        (Plain("left_probability", "probability", needed=True), Pair("left_low", "left_high", "effect")),
        sourced=True,
    ),
)


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's risks, one row a risk, with free rows below."""
    sides = {side: w.text(f"exchange.op.{side}") for side in ("above", "below")}
    columns = (
        Column(ID, edit=True),
        Column("name", edit=True),
        Column("probability", "number", True, unit="probability"),
        Column("hits", edit=True, prompt=w.text("exchange.prompt.hits")),
        Column("effect_low", "number", True, prompt=w.text("exchange.prompt.effect")),
        Column("effect_high", "number", True),
        Column("unit"),
        choice("trigger_metric", metric_choices(w)),
        choice("trigger_side", sides),
        Column("trigger_level", "number", True, prompt=w.text("exchange.prompt.trigger_level")),
        Column("response", edit=True),
        choice("owner", owners(plan, w)),
        Column("dimension", edit=True),
        Column("left_probability", "number", True, unit="probability", prompt=w.text("exchange.prompt.left")),
        Column("left_low", "number", True),
        Column("left_high", "number", True),
        Column("source"),
        Column("note"),
        why_column(),
    )
    units = _units(plan)
    rows = [_row(risk, units.get(risk.hits, ""), w) for risk in plan.risks]
    return Sheet(KEY, columns, (*rows, *(Row("", {}) for _ in range(FREE_ROWS))), grows=True, shrinks=True)


def _row(risk: Risk, unit: str, w: Words) -> Row:
    shown = w.text(f"exchange.unit.{unit}") if unit and w.has(f"exchange.unit.{unit}") else None
    row = row_of(risk.id, risk, _PARTS, w)
    level = catalogue()[risk.trigger.metric].unit if risk.trigger else ""
    units = {"trigger_level": level} if level else {}
    return replace(row, values=row.values | {"unit": shown}, unit=unit, locked=row.locked | {ID}, units=units)


def _units(plan: Plan) -> dict[str, str]:
    """Return the unit of every figure that a risk hits."""
    paths = {named(plan, path): path for path, leaf in leaves(plan.model) if isinstance(leaf, Quantity)}
    hit = {risk.hits: paths[risk.hits] for risk in plan.risks if risk.hits in paths}
    units = {row["path"]: row["unit"] for row in figures(plan, hit.values())}
    return {hits: units[path] for hits, path in hit.items()}


def named(plan: Plan, path: str) -> str:
    """Return a place of the plan with its rows named by id, as people write it: channels.partners.cac."""
    item: object = plan.model
    parts = []
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if index:
            item = item[int(index)]
            parts.append(getattr(item, "id", None) or index)
        else:
            item = item[name] if isinstance(item, dict) else _field(item, name)
            parts.append(name)
    return ".".join(parts)


def _field(item: object, name: str) -> object:
    """Return a field by its name in the file."""
    fields = type(item).model_fields
    return getattr(item, name if name in fields else next(key for key, of in fields.items() if of.alias == name))


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited, added and deleted risks change."""
    yield from typed(KEY, rows, {risk.id: risk for risk in plan.risks}, _PARTS, sourced=True)


KIND = Kind(KEY, build, changes)
