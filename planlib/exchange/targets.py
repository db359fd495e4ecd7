"""The sheet of targets: what each must reach, by when, and who answers for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from planlib.core.errors import Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.exchange.fields import DROPPED
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.load import Change, Plan
from planlib.plan.model import OPERATIONS, LifecycleStage, Target

KEY = "targets"
_LEVEL = ("op", "goal", "upper")
_FIELDS = {"due": "by_month", "start": "from_value", "stage": "stage", "owner": "owner"}


def build(plan: Plan, w: Words, _: Rooms) -> Sheet:
    """Return the sheet of a plan's targets, one row a target in the plan's order."""
    months = w.text("exchange.prompt.month", start=plan.start, months=plan.months)
    columns = (
        Column(ID),
        Column("metric"),
        Column("scope"),
        Column("op", "choice", True, {op: w.text(f"exchange.op.{op}") for op in OPERATIONS}),
        Column("goal", "number", True, prompt=w.text("exchange.prompt.goal")),
        Column("upper", "number", True, prompt=w.text("exchange.prompt.upper")),
        Column("unit"),
        Column("due", "month", True, prompt=months),
        Column("start", "number", True),
        Column("stage", "choice", True, {s: w.metric(f"stage_{s}") for s in get_args(LifecycleStage)}),
        Column("owner", "text", True),
        Column("source"),
        Column("note"),
        Column(WHY, "text", True),
    )
    return Sheet(KEY, columns, tuple(_row(target, i, w) for i, target in enumerate(plan.targets)), shrinks=True)


def _row(target: Target, index: int, w: Words) -> Row:
    goal, upper = target.level if isinstance(target.level, tuple) else (target.level, None)
    unit = target.unit or catalogue()[target.metric].unit
    values = {
        "metric": w.pick(target.name.model_dump()) if target.name else w.metric(target.metric),
        "scope": target.scope,
        "op": target.operation,
        "goal": goal,
        "upper": upper,
        "unit": w.text(f"exchange.unit.{unit}"),
        "due": target.by_month,
        "start": target.from_value,
        "stage": target.stage,
        "owner": target.owner,
        "source": w.text("exchange.assumption") if target.source == "assumption" else target.source,
        "note": _remark(target, w),
    }
    return Row(target.id or f"#{index + 1}", values, unit, assumed=target.source == "assumption")


def _remark(target: Target, w: Words) -> str | None:
    said = target.note if target.note is not None else target.why
    return said if said is None or isinstance(said, str) else w.pick(said.model_dump())


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited targets change; level and comparison belong together."""
    for row in rows:
        place = int(row.id[1:]) - 1 if row.id.startswith("#") else row.id
        if row.is_gone:
            yield row.change(f"{KEY}.{place}", DROPPED, ID)
            continue
        path = f"{KEY}.{place}"
        if set(row.changed).intersection(_LEVEL):
            yield _level(path, row)
        for key, name in _FIELDS.items():
            if key in row.changed:
                yield row.change(f"{path}.{name}", row.values[key], key)


def _level(path: str, row: Edited) -> Change | Problem:
    op, goal, upper = (row.values[key] for key in _LEVEL)
    typed = next(key for key in ("goal", "upper", "op") if key in row.changed)
    if op is None or goal is None:
        return row.problem("missing", "op" if op is None else "goal")
    if op == "between":
        return row.problem("missing", "upper") if upper is None else row.change(f"{path}.{op}", [goal, upper], typed)
    if upper is not None:
        return row.problem("cell_upper", "upper", upper)
    return row.change(f"{path}.{op}", goal, typed)


KIND = Kind(KEY, build, changes)
