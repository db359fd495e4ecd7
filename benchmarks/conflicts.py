"""Every conflict set and correction of W after loading, beside one set by scipy's solver on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from harness import PLAN, ROOT, Row, interleaved, times_faster, within
from scipy.optimize import LinearConstraint, milp

from planlib.consistency.conflicts import Analysis
from planlib.consistency.view import View
from planlib.core.constraints import Row as Constraint
from planlib.plan import load_benchmarks, load_plan

AT_MOST_SECONDS = 0.1


def measure(repeats: int) -> Iterator[Row]:
    """Yield two rows: our time against its bound, and against the deletion filter's for a single set."""
    plan = load_plan(ROOT / PLAN)
    view = View([plan], load_benchmarks(ROOT / "params" / "benchmarks.yaml"))
    found = analysed(view)  # modules are loaded, statements listed
    rows = found.plan_system.system().rows
    first = deletion_filter(rows)
    if frozenset(first) not in {conflict.ids for conflict in found.conflicts}:
        raise SystemExit(f"the deletion filter's set is none of ours: {first}")
    ours, theirs = interleaved(
        lambda: seconds(lambda: analysed(view)), lambda: seconds(lambda: deletion_filter(rows)), repeats=4 * repeats + 1
    )
    sets, corrections = len(found.conflicts), len(found.corrections)
    yield within(f"all {sets} conflict sets and {corrections} corrections of W", ours, at_most=AT_MOST_SECONDS)
    yield times_faster("the same : one set by a scipy.milp deletion filter", ours, theirs)


def analysed(view: View) -> Analysis:
    """Build the rows and find every set."""
    analysis = Analysis(view, view.plans[0])
    if not analysis.complete:
        raise SystemExit("not all sets were found")
    return analysis


def seconds(job: Callable[[], object]) -> float:
    """Return how long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def deletion_filter(rows: Sequence[Constraint]) -> tuple[str, ...]:
    """Return one minimal conflict set: each rule is left out in turn and stays out if the rest still fails."""
    names = list(dict.fromkeys(name for row in rows for name in row.coef))
    column = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(rows), len(names)))
    for index, row in enumerate(rows):
        for name, value in row.coef.items():
            matrix[index, column[name]] = value
    low = np.array([row.rhs if row.sense != "<=" else -np.inf for row in rows])
    high = np.array([row.rhs if row.sense != ">=" else np.inf for row in rows])
    owner = np.array([row.rule or "" for row in rows])
    kept = list(dict.fromkeys(row.rule for row in rows if row.rule is not None))
    for rule in tuple(kept):
        rest = [other for other in kept if other != rule]
        on = np.isin(owner, ["", *rest])
        if milp(np.zeros(len(names)), constraints=LinearConstraint(matrix[on], low[on], high[on])).status == 2:
            kept = rest
    return tuple(kept)
