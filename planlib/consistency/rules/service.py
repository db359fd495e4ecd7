"""R18: whether what a service may fail fits what its promises allow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from planlib.consistency.finding import STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.made import made
from planlib.consistency.rules.stated import down, floor, place, ratio, whole
from planlib.consistency.view import CASE, GOAL, LIMIT, Said, View
from planlib.plan import Plan

_MINUTES_A_MONTH, _HOURS_A_YEAR = 30 * 24 * 60, 365 * 24
_IN_MINUTES = {"seconds": 1 / 60, "minutes": 1.0, "hours": 60.0, "days": 1440.0}


def service_level(view: View) -> Iterator[Finding]:
    """R18: one failure handled as promised uses more time than the availability goal leaves.

    Test: (1 - availability) x window >= time to restore; an alarm stands on the better side of its goal.
    Level: strain, since the documents name no window (30 days are taken) and not every failure takes its whole limit.
    Trap: an alarm at the goal itself warns of nothing: each miss is an incident already.
    """
    for plan in view.plans:
        for goal in whole(view.goals("system_availability", plan=plan.id)):
            if floor(goal) is not None and goal.span[0] < 1:
                yield from _budget(view, plan, goal)
        yield from _alarms(view, plan)


def _minutes(said: Said) -> float:
    return said.span[1] * _IN_MINUTES.get(said.unit, math.nan)


def _budget(view: View, plan: Plan, goal: Said) -> Iterator[Finding]:
    window = goal.statement.window_days * 1440 if goal.statement.window_days else _MINUTES_A_MONTH
    budget = (1 - goal.span[0]) * window
    for limit in view.of("incident_restore_time", plan=plan.id, kinds=(LIMIT, GOAL), level=False):
        restore = _minutes(limit)
        if not restore > budget:
            continue
        a_year = (1 - goal.span[0]) * _HOURS_A_YEAR
        extra = {"budget_hours_a_year": a_year, "incidents_a_year": a_year * 60 / restore}
        days = restore / (1 - goal.span[0]) / 1440
        cases = view.of("incident_restore_time", kinds=(CASE,))
        for k, case in enumerate(sorted(cases, key=_minutes), start=1):
            extra |= {f"case_{k}_minutes": _minutes(case), f"case_{k}_availability": 1 - _minutes(case) / window}
        yield made(
            "R18",
            STRAIN,
            "rules_capacity.R18.budget",
            [goal, limit, *cases],
            {
                "goal": Figure(goal.span[0], "ratio"),
                "days": Figure(window / 1440, "days"),
                "budget": Figure(budget, "minutes"),
                "restore": Figure(restore, "minutes"),
                "reached": ratio(1 - restore / window),
            },
            names={"metric": {"metric": goal.metric.id}},
            repairs=(
                Repair("restore_time", place(limit), Figure(down(budget / _IN_MINUTES[limit.unit]), limit.unit)),
                Repair("goal", place(goal), ratio(math.floor((1 - restore / window) * 1e4) / 1e4)),
                Repair("window", place(goal, "window_days"), Figure(math.ceil(days - 1e-9), "days")),
            ),
            cost=1 - budget / restore,
            extra=extra,
        )


def _alarms(view: View, plan: Plan) -> Iterator[Finding]:
    """Limits that start an alarm at the level of the goal itself, or beyond it."""
    for alarm in view.of(plan=plan.id, kinds=(LIMIT,)):
        if not alarm.path.startswith("limits.thresholds") or not math.isfinite(alarm.value):
            continue
        for goal in whole(view.goals(alarm.metric.id, plan=plan.id)):
            better = alarm.value - goal.value
            warns = better > 1e-9 if alarm.metric.direction == "up" else better < -1e-9
            if warns or alarm.metric.direction == "none" or alarm.unit != goal.unit:
                continue
            yield made(
                "R18",
                STRAIN,
                "rules_capacity.R18.alarm",
                [goal, alarm],
                {"goal": Figure(goal.value, goal.unit), "alarm": Figure(alarm.value, alarm.unit)},
                names={"metric": {"metric": goal.metric.id}},
                repairs=(Repair("alarm", place(alarm)),),
            )
            break
