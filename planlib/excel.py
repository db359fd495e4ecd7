"""The plan's workbook, where the plan meets the rooms' arithmetic: made, and opened as a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, load_plan

if TYPE_CHECKING:
    from planlib.budget.case import Solved
    from planlib.exchange.scenario import Opened
    from planlib.exchange.sheets import BudgetLine, Rooms

_DRAWS = 2_000  # of the response curves
_PLANS = (".yaml", ".yml", ".json")  # what load_plan reads by itself


def make_workbook(plan_file: str, w: Words, out_root: Path) -> Path:
    """Write <out_root>/<plan id>/<plan id>.xlsx and return its path; one that somebody has changed stays.

    Raises:
        InputError: the plan has problems, or the file in place holds changes, or is open elsewhere.
    """
    from planlib.exchange.book import write_book
    from planlib.exchange.read import changed_cells, listed
    from planlib.exchange.xlsx import is_open
    from planlib.workbook.context import project_root

    root = project_root()
    plan = load_plan(plan_file)
    path = out_root / plan.id / f"{plan.id}.xlsx"
    if path.exists() and is_open(path):
        raise InputError(Problem("book_open", file=path.as_posix()))
    if path.exists():
        cells = changed_cells(path)
        if cells:
            raise InputError(Problem("book_edited", file=path.as_posix(), values={"cells": ", ".join(listed(cells))}))
    write_book(plan, w, _rooms(), path=path, root=root)
    return path


def opener(w: Words, tell: Callable[[str], None]) -> Callable[..., Plan]:
    """Return a `load_plan` that opens workbooks too, and tells what there is to say about them.

    Args:
        w: language of what is told.
        tell: takes one line.
    """

    def load(path: str, **options: Any) -> Plan:
        if Path(path).suffix.lower() in _PLANS:
            return load_plan(path, **options)
        opened = open_book(path, **options)
        for note in opened.notes:
            tell(note.text(w))
        if any(change.path == "budget.fixed" for change in opened.plan.changes):
            for line in cost_of_cuts(opened.plan, w):
                tell(line)
        return opened.plan

    return load


def open_book(path: str, **options: Any) -> Opened:
    """Return the plan in a file or workbook and what there is to tell about it; see `exchange.scenario.open_plan`."""
    from planlib.exchange.scenario import open_plan
    from planlib.workbook.context import project_root

    return open_plan(path, root=project_root, rooms=_rooms, **options)


def _rooms() -> Rooms:
    from planlib.exchange.sheets import Rooms
    from planlib.funnel.ladder import flow_ladder, ladder
    from planlib.funnel.split import split

    return Rooms(ladder, flow_ladder, split, budget_lines)


def budget_lines(plan: Plan) -> list[BudgetLine]:
    """Return the best budget of a plan; its categories at the middle of their bands where there is none."""
    from planlib.budget.bands import Bands, money_by_month
    from planlib.budget.case import Case, solve
    from planlib.budget.pairs import middle_split
    from planlib.exchange.sheets import BudgetLine
    from planlib.plan.budget_inputs import allocation_inputs, budget_inputs

    asked = allocation_inputs(plan)
    best = None if asked.reason else solve(Case(**asked.arguments))
    if best is None or not best.feasible:
        given = budget_inputs(plan)
        shares, _ = middle_split(Bands.of(given.bands))
        money = money_by_month(round(given.horizon_cny * 100), shares, months=plan.months, weights=given.weights)
        return [BudgetLine(k, "category", tuple(money.cny[:, i])) for i, k in enumerate(given.ids)]
    case, alloc = best.case, best.best
    found = [BudgetLine(c, "channel", tuple(alloc.channel_cny[:, i])) for i, c in enumerate(case.channels)]
    for k, name in enumerate(case.bands):
        kind = "besides" if name == case.home else "category"
        found.append(BudgetLine(name, kind, tuple(alloc.other_cny[:, k])))
    return found


def cost_of_cuts(plan: Plan, w: Words, *, most: int = 12) -> list[str]:
    """Return one line for each budget line fixed by hand: what it costs in users, GMV and chance of the paid goal."""
    from functools import partial

    from planlib.budget.case import Case, cost_of_fixed, paid_goal, solve
    from planlib.budget.frontier import chance_of_plan
    from planlib.core.streams import stream
    from planlib.plan.budget_inputs import allocation_inputs, response_draws, user_goals

    asked = allocation_inputs(plan)
    if asked.reason or not plan.budget.fixed:
        return []
    case = Case(**asked.arguments)
    if len(case.fixed) > most:
        return [w.text("exchange.cut.many", n=str(len(case.fixed)))]
    now = solve(case)
    if not now.feasible:
        return [w.text("exchange.cut.none")]
    ceiling, half, known = response_draws(plan, case.channels, _DRAWS, partial(stream, plan.seed))
    goal = paid_goal(case, next((row["goal"] for row in user_goals(plan) if row["kind"] == "intake"), None))

    def chance(of: Solved) -> str:
        return w.number(chance_of_plan(of, ceiling, half, goal=goal).probability, "probability")

    found, after = [], chance(now)
    for line, users, free in cost_of_fixed(case, now):
        told = w.text(
            "exchange.cut.line",
            of=w.pick(asked.names[line.of]),
            month=w.number(line.month, "month"),
            amount=w.number(line.amount_cny, "CNY"),
            users=w.number(users, "users"),
            gmv=w.number(users * case.gmv_cny, "CNY"),
        )
        if known:
            at = {"goal": w.number(goal, "users_per_month"), "before": chance(free), "after": after}
            told = w.text("exchange.cut.and_chance", line=told, **at)
        found.append(told)
    return found
