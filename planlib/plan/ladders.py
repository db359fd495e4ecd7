"""The monthly ladders of a plan: which goals, openings and hand-set rungs belong together, and where each stands.

The arithmetic is `planlib.funnel.ladder`; it is handed in, since plans know no rooms:

    from planlib.funnel.ladder import flow_ladder, ladder
    ladders(plan, ladder, flow_ladder)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planlib.core.errors import InputError, Problem
from planlib.core.metrics import Metric, catalogue
from planlib.plan.inputs import intake_matrix, season
from planlib.plan.load import Plan
from planlib.plan.model import LadderForm, Target

_NO_LEVELS = ("date", "qualitative")
_CHANGES = ("relative_change", "multiple", "points")
_NO_CHANGE = {"relative_change": 0.0, "points": 0.0, "multiple": 1.0}
_WHOLE = ("users", "people", "count", "orders", "users_per_month", "CNY")
_WINDOWS = {"quarter": 3, "half_year": 6, "year": 12}
_BASELINE = {
    "private_domain_users": "opening_users",
    "mau_rate": "opening_active_share",
    "active_share": "opening_active_share",
    "aov": "aov",
}
_USERS = "private_domain_users"


@dataclass(frozen=True, slots=True)
class Rung:
    """One month of a ladder.

    Args:
        month: plan month at whose end (or in which) the value holds.
        value: in the ladder's unit.
        kind: goal (a target's), fixed (by hand) or between (reckoned).
        path: where the plan states it; for a reckoned one where it would be fixed by hand.
        source: of a goal or a fixed rung; "" for a reckoned one.
    """

    month: int
    value: float
    kind: str
    path: str
    source: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ladder of one metric, scope and base.

    Args:
        id: key of its row in the plan's `ladders`: the metric, or its first target where a metric has several.
        metric, unit, scope, denominator: what the rungs are.
        shape: see `planlib.funnel.ladder.SHAPES`.
        totals: the goals are totals of a period, the rungs amounts of single months.
        adds_up: rungs of several months may be added up; False for levels.
        opening: value before month 1; None when it is not stated, or a total needs none.
        opening_path: where the plan states it; "" where it follows from the unit or is None.
        targets: ids of the goals, by month.
        goals: the goals as stated, in the order of `targets`; of totals the total.
        held: ids of those that an earlier level holds already, so that the ladder does not fall to them.
        rungs: from month 1 to the last goal or fixed rung; empty when `problems` says why there is no ladder.
        problems: what contradicts, or is missing; each with the place in the plan.
    """

    id: str
    metric: str
    unit: str
    scope: str
    denominator: str
    shape: str
    totals: bool
    adds_up: bool
    opening: float | None
    opening_path: str
    targets: tuple[str, ...]
    goals: tuple[Rung, ...]
    held: tuple[str, ...] = ()
    rungs: tuple[Rung, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def values(self) -> np.ndarray:
        """(months,) values of the rungs."""
        return np.array([rung.value for rung in self.rungs])


@dataclass(frozen=True, slots=True)
class _Goal:
    id: str
    path: str
    month: int
    level: float
    target: Target


def ladders(
    plan: Plan, level: Callable[..., np.ndarray], amounts: Callable[..., np.ndarray]
) -> tuple[Ladder, ...]:
    """Return one ladder for each metric (and scope, base and unit) that has a dated target, in the plan's order.

    A ladder of a metric that is better high never falls, one that is better low never rises. The opening is the
    earliest goal's `from_value`, else the baseline, else a level quoted there. Nothing is raised for a plan: what
    contradicts stands in the ladder's `problems`.

    Args:
        level: `planlib.funnel.ladder.ladder`.
        amounts: `planlib.funnel.ladder.flow_ladder`.
    """
    groups = list(_groups(plan).items())
    several = [metric for (metric, *_), _ in groups]
    found = []
    for (metric_id, unit, scope, _, denominator, totals), goals in groups:
        metric = catalogue()[metric_id]
        first = metric_id if several.count(metric_id) == 1 else goals[0].id
        form = plan.ladders.get(first) or LadderForm.model_construct(shape="linear", rungs={}, source="")
        opening, opening_path = (None, "") if totals else _opening(plan, metric, unit, goals)
        base = Ladder(
            id=first,
            metric=metric_id,
            unit=unit,
            scope=scope,
            denominator=denominator,
            shape=form.shape,
            totals=totals,
            adds_up=totals or (metric.kind == "flow" and unit == "users_per_month"),
            opening=opening,
            opening_path=opening_path,
            targets=tuple(goal.id for goal in goals),
            goals=tuple(Rung(goal.month, goal.level, "goal", goal.path, goal.target.source) for goal in goals),
        )
        found.append(_climbed(plan, base, goals, form, amounts if totals else level))
    return tuple(found)


def with_rungs(plan: Plan, rungs: Mapping[str, Mapping[int, float]], *, why: str) -> dict[str, Any]:
    """Return the change, as a scenario or `--set` takes it, that fixes rungs by hand.

    Args:
        rungs: {id of a ladder: {month: value}}; rungs that the plan fixes already stay.
        why: the reason, kept with each ladder that changes.
    """
    section = {name: form.model_dump(exclude_defaults=True) for name, form in plan.ladders.items()}
    for name, fixed in rungs.items():
        row = section.get(name, {})
        kept = row.get("rungs", {}) | {month: float(value) for month, value in fixed.items()}
        section[name] = row | {"rungs": kept, "source": "assumption", "why": why}
    return {"ladders": section}


def _groups(plan: Plan) -> dict[tuple, list[_Goal]]:
    """Return the dated goals that belong to one ladder, by month."""
    groups: dict[tuple, list[_Goal]] = {}
    for index, target in enumerate(plan.targets):
        metric = catalogue()[target.metric]
        if target.by_month is None or metric.kind in _NO_LEVELS:
            continue
        unit = target.unit or metric.unit
        key = (target.metric, unit, target.scope or "", target.population, target.denominator or "")
        place = f"targets.{target.id or index}.{target.operation}"
        ends = target.level if isinstance(target.level, tuple) else (target.level,)
        level = float(ends[-1] if metric.direction == "down" else ends[0])
        goal = _Goal(target.id or f"target_{index + 1}", place, target.by_month, level, target)
        groups.setdefault((*key, _is_total(metric, target, unit)), []).append(goal)
    return {key: sorted(goals, key=lambda goal: goal.month) for key, goals in groups.items()}


def _is_total(metric: Metric, target: Target, unit: str) -> bool:
    """Whether a goal is the sum of several months: money or orders, but not so many a month."""
    amount = metric.additive and metric.kind in ("flow", "money") and unit in ("CNY", "orders")
    return amount and target.period in (None, *_WINDOWS)


def _opening(plan: Plan, metric: Metric, unit: str, goals: list[_Goal]) -> tuple[float | None, str]:
    first = goals[0]
    if first.target.from_value is not None:
        return first.target.from_value, f"{first.path.rpartition('.')[0]}.from_value"
    if unit in _CHANGES and not first.target.reference and first.target.base in (None, "own_users"):
        return _NO_CHANGE[unit], ""
    if unit != metric.unit or first.target.scope or first.target.population:
        return None, ""
    base = (unit, None, None, first.target.denominator)
    name = _BASELINE.get(metric.id)
    if name:
        return getattr(plan.baseline, name).central, f"baseline.{name}"
    for index, said in enumerate(plan.baseline.quoted):
        same = (said.unit or metric.unit, said.scope, said.population, said.denominator) == base
        if same and said.metric == metric.id and said.equals is not None:
            return said.equals, f"baseline.quoted.{said.id or index}.equals"
    return None, ""


def _climbed(
    plan: Plan, base: Ladder, goals: list[_Goal], form: LadderForm, make: Callable[..., np.ndarray]
) -> Ladder:
    """Return the ladder with its rungs, or with what stands in their way."""
    if base.opening is None and not base.totals:
        return replace(base, problems=(_problem(plan, "ladder_opening", goals[0].path, metric=base.metric),))
    metric = catalogue()[base.metric]
    levels, held, problems = _totals(plan, goals) if base.totals else _held(goals, base.opening, metric.direction)
    if problems:
        return replace(base, problems=problems)
    stated = [*levels.values(), *form.rungs.values(), *(() if base.opening is None else (base.opening,))]
    arguments: dict[str, Any] = {
        "rungs": form.rungs,
        "shape": form.shape,
        "weights": _weights(plan, metric, form.shape),
        "whole": base.unit in _WHOLE and all(value == int(value) for value in stated),
    }
    if not base.totals:
        limits = metric.domain if base.unit == metric.unit else (None, None)
        arguments |= {"opening": base.opening, "direction": metric.direction, "limits": limits}
    try:
        path = make(levels, plan.months, **arguments)
    except InputError as error:
        return replace(base, held=held, problems=tuple(_placed(plan, base, goals, p) for p in error.problems))
    told = {goal.month: goal for goal in goals if goal.id not in held}
    last = max([*levels, *form.rungs])
    found = [_rung(base, month, float(path[month - 1]), told.get(month), form) for month in range(1, last + 1)]
    return replace(base, held=held, rungs=tuple(found))


def _held(goals: list[_Goal], opening: float, direction: str) -> tuple[dict[int, float], tuple[str, ...], tuple]:
    """Leave out the goals that an earlier level holds already; of several in one month the hardest counts."""
    sign = -1.0 if direction == "down" else 1.0
    reached, levels, held = opening, {}, []
    for goal in goals:
        if direction != "none" and sign * (goal.level - reached) < 0:
            held.append(goal.id)
        else:
            levels[goal.month] = reached = goal.level
    return levels or {goals[-1].month: reached}, tuple(held), ()


def _totals(plan: Plan, goals: list[_Goal]) -> tuple[dict[int, float], tuple[str, ...], tuple[Problem, ...]]:
    """Turn totals of periods into running totals from month 1 on."""
    running = {0: 0.0}
    problems = []
    for goal in goals:
        before = max(goal.month - _WINDOWS.get(goal.target.period, goal.month), 0)
        if before in running:
            running[goal.month] = running[before] + goal.level
        else:
            problems.append(_problem(plan, "ladder_window", goal.path, given=goal.level, month=before))
    return {month: total for month, total in running.items() if month}, (), tuple(problems)


def _weights(plan: Plan, metric: Metric, shape: str) -> np.ndarray:
    """Return (T,) what each month can contribute: stage calendar x season.

    Users come when channels are open. Another metric moves, with the shape `stage_weighted`, in the stages that
    raise it, where any does; amounts follow the season.
    """
    if metric.id == _USERS or "new_users_monthly" in metric.links.get("inflow", ()):
        return intake_matrix(plan).sum(axis=1)
    pace = season(plan) if metric.kind in ("flow", "money") else np.ones(plan.months)
    raising = [stage.months for stage in plan.schedule.stages if metric.id in stage.raises and stage.months]
    if shape != "stage_weighted" or not raising:
        return pace
    month = np.arange(1, plan.months + 1)
    return pace * np.any([(first <= month) & (month <= last) for first, last in raising], axis=0)


def _rung(base: Ladder, month: int, value: float, goal: _Goal | None, form: LadderForm) -> Rung:
    by_hand = f"ladders.{base.id}.rungs.{month}"
    if goal is not None and not base.totals:
        return Rung(month, value, "goal", goal.path, goal.target.source)
    if month in form.rungs:
        return Rung(month, value, "fixed", by_hand, form.source)
    return Rung(month, value, "between", by_hand, "")


def _placed(plan: Plan, base: Ladder, goals: list[_Goal], problem: Problem) -> Problem:
    """Name the place in the plan instead of the argument of the calculation."""
    name, _, month = problem.field.rstrip("]").partition("[")
    if name == "rungs":
        field = f"ladders.{base.id}.rungs" + (f".{month}" if month else "")
    elif name == "goals":
        field = next((goal.path for goal in goals if str(goal.month) == month), goals[0].path)
    elif name == "opening" and base.opening_path:
        field = base.opening_path
    else:
        field = f"ladders.{base.id}.shape"
    return replace(problem, file=plan.file, field=field)


def _problem(plan: Plan, code: str, field: str, *, given: object = None, **values: object) -> Problem:
    return Problem(code, plan.file, field, None, given, values)
