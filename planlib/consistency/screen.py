"""What `planlib check` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, leaves, load_plan, statements


def check_plans(
    paths: Sequence[str],
    w: Words,
    *,
    scenario: str | None,
    sets: tuple[str, ...],
    write: Callable[[str], None],
) -> int:
    """Load plans, print what they hold, and return the exit status.

    Raises:
        InputError: the problems of all plans together.
    """
    plans: list[Plan] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            plans.append(load_plan(path, scenario=scenario, sets=sets))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    for plan in plans:
        write(_plan_line(plan, w))
    return 0


def _plan_line(plan: Plan, w: Words) -> str:
    assumptions = sum(leaf.source == "assumption" for _, leaf in leaves(plan.model))
    return w.text(
        "cli.plan_line",
        title=w.pick(plan.title),
        targets=len(plan.targets),
        statements=sum(1 for _ in statements(plan.model)),
        assumptions=assumptions,
        months=plan.months,
        start=plan.start,
    )
