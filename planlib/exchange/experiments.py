"""The sheet of experiments: what is asked, whom, which groups there are, and which difference would be worth having."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.fields import (
    Listed,
    One,
    Plain,
    Said,
    choice,
    metric_choices,
    owners,
    row_of,
    typed,
    why_column,
)
from planlib.exchange.sheets import ID, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.load import Change, Plan
from planlib.plan.model import LifecycleStage

KEY = "experiments"
FREE_ROWS = 6
_PARTS = (
    Said("question", "question", needed=True),
    Plain("stage", "node", needed=True),
    Plain("primary", "primary", needed=True),
    One("baseline", "baseline", needed=True),
    One("smallest", "smallest_worth_having", needed=True),
    One("traffic", "traffic_per_week", needed=True),
    Listed("arms", "arms", needed=True, percent=True),
    Listed("guardrails", "guardrails", names=("metric", "margin"), percent=True),
    Plain("start_month", "start_month"),
    Plain("test_unit", "unit", needed=True),
    Plain("pool", "pool"),
    Plain("alpha", "alpha"),
    Plain("power", "power"),
    One("cost", "cost"),
    Plain("owner", "owner", needed=True),
    Said("purpose", "why", one=True),
)


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's experiments, one row an experiment, with free rows below."""
    months = w.text("exchange.prompt.month", start=plan.start, months=plan.months)
    units = dict.fromkeys(["customer", *(row.unit for row in plan.experiments)])
    columns = (
        Column(ID, edit=True),
        Column("question", edit=True),
        choice("stage", {stage: w.metric(f"stage_{stage}") for stage in get_args(LifecycleStage)}),
        choice("primary", metric_choices(w)),
        Column("baseline", "number", True, unit="ratio"),
        Column("smallest", "number", True, unit="points", prompt=w.text("exchange.prompt.smallest")),
        Column("traffic", "number", True, unit="people"),
        Column("arms", edit=True, prompt=w.text("exchange.prompt.arms")),
        Column("guardrails", edit=True, prompt=w.text("exchange.prompt.guardrails")),
        Column("start_month", "month", True, prompt=months),
        choice("test_unit", {unit: w.text("exchange.customer") if unit == "customer" else unit for unit in units}),
        Column("pool", edit=True, prompt=w.text("exchange.prompt.pool")),
        Column("alpha", "number", True, unit="ratio"),
        Column("power", "number", True, unit="ratio"),
        Column("cost", "number", True, unit="CNY"),
        choice("owner", owners(plan, w)),
        Column("purpose", edit=True),
        why_column(),
    )
    rows = [row_of(row.id, row, _PARTS, w, source=None, note=None) for row in plan.experiments]
    rows = [Row(row.id, row.values, locked=row.locked | {ID}) for row in rows]
    return Sheet(KEY, columns, (*rows, *(Row("", {}) for _ in range(FREE_ROWS))), grows=True, shrinks=True)


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited, added and deleted experiments change."""
    yield from typed(KEY, rows, {row.id: row for row in plan.experiments}, _PARTS, sourced=False)


KIND = Kind(KEY, build, changes)
