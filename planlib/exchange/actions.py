"""The sheet of actions: what reviews decided on, who does it by when, and what has come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from planlib.core.errors import Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.exchange.fields import (
    Pair,
    Plain,
    Said,
    YesNo,
    choice,
    metric_choices,
    owners,
    row_of,
    typed,
    why_column,
    yes_no,
)
from planlib.exchange.sheets import ID, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.load import Change, Plan
from planlib.plan.model import Measure

KEY = "actions"
FREE_ROWS = 20
_PARTS = (
    Said("name", "name", needed=True),
    Plain("owner", "owner", needed=True),
    Plain("opened", "opened", needed=True),
    Plain("due_day", "due", needed=True),
    Plain("ended", "ended"),
    YesNo("dropped", "dropped"),
    Plain("metric", "metric"),
    Plain("expected", "expected"),
    Plain("observed", "observed"),
    Pair("observed_low", "observed_high", "between"),
    Plain("experiment", "experiment"),
    Said("outcome", "reason", one=True),
)


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's actions, one row an action, with free rows below."""
    columns = (
        Column(ID, edit=True),
        Column("name", edit=True),
        choice("owner", owners(plan, w)),
        Column("opened", "date", True),
        Column("due_day", "date", True),
        Column("ended", "date", True, prompt=w.text("exchange.prompt.ended")),
        yes_no("dropped", w),
        choice("metric", metric_choices(w)),
        *(
            Column(key, "number", True, prompt=w.text("exchange.prompt.expected") if key == "expected" else "")
            for key in ("expected", "observed", "observed_low", "observed_high")
        ),
        Column("experiment", edit=True),
        Column("outcome", edit=True),
        why_column(),
    )
    rows = [_row(action, w) for action in plan.review.actions]
    hint = "" if rows else w.text("exchange.hint.actions")
    free = [Row("", {}) for _ in range(FREE_ROWS)]
    return Sheet(KEY, columns, (*rows, *free), grows=True, shrinks=True, hint=hint)


def _row(action: Measure, w: Words) -> Row:
    unit = catalogue()[action.metric].unit if action.metric else ""
    row = row_of(action.id, action, _PARTS, w)
    return replace(row, unit=unit, locked=row.locked | {ID})


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited, added and deleted actions change."""
    yield from typed("review.actions", rows, {row.id: row for row in plan.review.actions}, _PARTS, sourced=False)


KIND = Kind(KEY, build, changes)
