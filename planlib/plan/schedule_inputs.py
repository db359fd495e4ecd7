"""What the milestone notebook calculates with, taken out of a plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from planlib.plan import model
from planlib.plan.load import Plan

_NO_DAYS = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage of a plan.

    Args:
        id: of the plan.
        name: in both languages.
        months: first and last, both included; None when neither the plan nor its gates say.
        from_gates: the months are not the plan's own, they follow from its gates.
        source: section.
    """

    id: str
    name: Mapping[str, str]
    months: tuple[int, int] | None
    from_gates: bool
    source: str


@dataclass(frozen=True, slots=True)
class PlannedTie:
    """Something an item waits for.

    Args:
        before: id of a task, a milestone or a gate.
        kind: FS, SS, FF or SF.
        lag_days: between the two ends.
        elapsed: the lag counts days of the calendar, else working days.
    """

    before: str
    kind: str = "FS"
    lag_days: float = 0.0
    elapsed: bool = False


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """A task, a milestone or a gate.

    Args:
        id: of the plan.
        kind: task, milestone or gate.
        name: in both languages.
        department: id; "" for gates.
        days: working days at best, most likely and at worst; 0 for milestones and gates.
        ties: what it waits for.
        not_before: first day on which it may begin.
        deadline: last day on which it may end.
        due_month: plan month at whose end it is due.
        goal: it is the day on which one of the plan's goals is due.
        source: section; "" for gates.
    """

    id: str
    kind: str
    name: Mapping[str, str]
    department: str
    days: tuple[float, float, float]
    ties: tuple[PlannedTie, ...]
    not_before: dt.date | None
    deadline: dt.date | None
    due_month: int | None
    goal: bool
    source: str


@dataclass(frozen=True, slots=True)
class ScheduleInputs:
    """Args:
    stages: in order.
    items: tasks, then gates, then milestones.
    departments: {id: name in both languages} of those with an item, in the plan's order.
    days_off: days that differ from the public calendar: worked or not.
    """

    stages: tuple[PlannedStage, ...]
    items: tuple[PlannedItem, ...]
    departments: Mapping[str, Mapping[str, str]]
    days_off: Mapping[dt.date, bool]


def schedule_inputs(plan: Plan) -> ScheduleInputs:
    """Return the schedule of a plan."""
    schedule = plan.schedule
    items = (*map(_task, schedule.tasks), *map(_gate, schedule.gates), *_milestones(schedule))
    used = dict.fromkeys(item.department for item in items if item.department)
    names = {row.id: row.name.model_dump() for row in plan.team.departments}
    names |= {key: role.name.model_dump() for key, role in plan.team.roles.items() if key not in names}
    order = [key for key in names if key in used] + [key for key in used if key not in names]
    return ScheduleInputs(
        stages=_stages(schedule),
        items=items,
        departments={key: names.get(key, {"zh": key, "en": key}) for key in order},
        days_off={dt.date.fromisoformat(day): worked for day, worked in schedule.days_off.items()},
    )


def _stages(schedule: model.Schedule) -> tuple[PlannedStage, ...]:
    """Stages with their months; without any, each lasts until its gate when there is one gate for each."""
    dues = [gate.due_month for gate in schedule.gates]
    rows = schedule.stages
    closed = all(row.months is None for row in rows) and len(dues) == len(rows) and sorted(set(dues)) == dues
    firsts = [1, *(due + 1 for due in dues)]
    return tuple(
        PlannedStage(row.id, row.name.model_dump(), (firsts[k], dues[k]) if closed else row.months, closed, row.source)
        for k, row in enumerate(rows)
    )


def _task(task: model.Task) -> PlannedItem:
    first, last = (dt.date.fromisoformat(day) if day else None for day in (task.not_before, task.deadline))
    ties = (
        *(PlannedTie(name) for name in task.after),
        *(PlannedTie(row.task, row.kind, row.lag_days, row.elapsed) for row in task.links),
    )
    name = task.name.model_dump()
    return PlannedItem(task.id, "task", name, task.department, task.days, ties, first, last, None, False, task.source)


def _gate(gate: model.Gate) -> PlannedItem:
    name = gate.name.model_dump() if gate.name else {"zh": gate.id.upper(), "en": gate.id.upper()}
    ties = tuple(map(PlannedTie, gate.after))
    return PlannedItem(gate.id, "gate", name, "", _NO_DAYS, ties, None, None, gate.due_month, False, "")


def _milestones(schedule: model.Schedule) -> tuple[PlannedItem, ...]:
    return tuple(
        PlannedItem(
            id=row.id,
            kind="milestone",
            name=row.name.model_dump(),
            department=row.department,
            days=_NO_DAYS,
            ties=tuple(PlannedTie(name, lag_days=lag) for name, lag in _enablers(row, schedule).items()),
            not_before=None,
            deadline=None,
            due_month=row.by_month,
            goal=row.deadline_of is not None,
            source=row.source,
        )
        for row in schedule.milestones
    )


def _enablers(milestone: model.Milestone, schedule: model.Schedule) -> dict[str, float]:
    """What a milestone waits for, as a plan does not link it itself.

    The tasks that enable its metric, or the metric whose deadline it is. Where no task does: the other milestones
    that enable it, and the gate of the same month. Of what that gate waits for, the part of the milestone's own
    department if it has any, else the gate.
    """
    metric = milestone.deadline_of or milestone.metric
    tasks = {row.id: row.lag_days for row in schedule.tasks if metric in row.enables}
    if tasks:
        return tasks
    others = {row.id: 0.0 for row in schedule.milestones if metric in row.enables and row.id != milestone.id}
    departments = {row.id: row.department for row in (*schedule.tasks, *schedule.milestones)}
    for gate in schedule.gates:
        if gate.due_month == milestone.by_month and milestone.id not in _before(gate.id, schedule):
            own = [name for name in gate.after if departments.get(name) == milestone.department]
            return dict.fromkeys(own or [gate.id], 0.0) | others
    return others


def _before(name: str, schedule: model.Schedule) -> set[str]:
    """Ids of everything that an item waits for, however far back."""
    after = {row.id: row.after for row in schedule.gates}
    after |= {row.id: (*row.after, *(link.task for link in row.links)) for row in schedule.tasks}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in after.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
