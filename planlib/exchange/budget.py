"""The sheets of the budget: money by month of every channel and category, and what was actually spent.

A month typed into the budget becomes a line fixed by hand; every allocation keeps it and says what it costs. What is
typed as actually spent is kept as such, and held against the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.ladder import month_name
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Rooms, Row, Sheet, Sum
from planlib.plan.budget_inputs import category_name
from planlib.plan.load import Change, Plan

KEY, ACTUAL = "budget", "actual"
_SUM = "total"


def build(plan: Plan, w: Words, rooms: Rooms) -> Sheet:
    """Return the sheet of the best budget: one row a channel and category, months and years as columns."""
    lines = rooms.budget(plan)
    rows = []
    for line in lines:
        months = {f"m{t + 1}": round(x, 2) for t, x in enumerate(line.amounts)}
        locked = frozenset() if line.kind != "besides" else frozenset([WHY, *months])
        name = {"name": _name(plan, line.id, w), "kind": w.text(f"exchange.budget_kind.{line.kind}")}
        key = f"{line.id}:besides" if line.kind == "besides" else line.id
        rows.append(Row(key, name | months | {_SUM: Sum(tuple((key, month) for month in months))}, "CNY", locked))
    parts = tuple(row.id for row in rows)
    months = [f"m{month}" for month in range(1, plan.months + 1)]
    sums = {month: Sum(tuple((part, month) for part in parts)) for month in months}
    sums[_SUM] = Sum(tuple((part, _SUM) for part in parts))
    locked = frozenset([WHY, *months])
    if rows:
        rows.append(Row("all", {"name": w.text("exchange.total")} | sums, "CNY", locked, total=True))
    return Sheet(KEY, _columns(plan), tuple(rows), fixed_columns=3)


def build_actual(plan: Plan, w: Words, rooms: Rooms) -> Sheet:
    """Return the sheet of actual spend: the rows of the budget, its months to be filled in."""
    spent = {(line.of, line.month): line.amount for line in plan.budget.actual}
    rows = []
    for of in (*(c.id for c in plan.channels if c.paid), *plan.budget.bands):
        months = {f"m{t}": spent.get((of, t)) for t in range(1, plan.months + 1)}
        kind = "category" if of in plan.budget.bands else "channel"
        name = {"name": _name(plan, of, w), "kind": w.text(f"exchange.budget_kind.{kind}")}
        rows.append(Row(of, name | months | {_SUM: Sum(tuple((of, month) for month in months))}, "CNY"))
    return Sheet(ACTUAL, _columns(plan), tuple(rows), fixed_columns=3)


def _columns(plan: Plan) -> tuple[Column, ...]:
    months = (Column(f"m{t}", "number", True, head=month_name(plan, t)) for t in range(1, plan.months + 1))
    return Column(ID), Column("name"), Column("kind"), *months, Column(_SUM, "number"), Column(WHY, "text", True)


def _name(plan: Plan, of: str, w: Words) -> str:
    named = {channel.id: channel.name.model_dump() for channel in plan.channels}
    return w.pick(named[of] if of in named else category_name(of, plan.budget.bands[of]))


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield the lines that typed months fix; an emptied month is free again."""
    lines = {(line.of, line.month): line.model_dump(mode="json", exclude_defaults=True) for line in plan.budget.fixed}
    yield from _typed(rows, lines, "budget.fixed", sourced=True)


def changes_actual(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what was typed as actually spent."""
    lines = {(line.of, line.month): line.model_dump(mode="json", exclude_defaults=True) for line in plan.budget.actual}
    yield from _typed(rows, lines, "budget.actual", sourced=False)


def _typed(rows: Iterable[Edited], lines: dict, path: str, *, sourced: bool) -> Iterator[Change | Problem]:
    rows, cells = list(rows), []
    for row in rows:
        for key in row.changed:
            if not key.startswith("m"):
                continue
            month, amount = int(key[1:]), row.values[key]
            if amount is not None and amount < 0:
                yield row.problem("at_least", key, amount, low=0)
                continue
            cells.append(row.cells[key])
            if amount is None:
                lines.pop((row.id, month), None)
            else:
                about = {"source": "assumption", "why": row.reason(row.cells[key])} if sourced else {}
                lines[row.id, month] = {"of": row.id, "month": month, "amount": float(amount)} | about
    if cells:
        sheet, _, first = cells[0].rpartition("!")
        shown = f"{sheet}!{', '.join([first, *(cell.rpartition('!')[2] for cell in cells[1:])])}"
        yield Change(path, [lines[key] for key in sorted(lines)], rows[0].file, shown, rows[0].why)


KIND = Kind(KEY, build, changes)
KIND_ACTUAL = Kind(ACTUAL, build_actual, changes_actual)
