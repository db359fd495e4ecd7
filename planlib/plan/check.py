"""What a single field cannot know: metrics that exist, units that fit, ids that are unique and resolve."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator

from planlib.core.errors import Problem
from planlib.core.metrics import Metric, catalogue
from planlib.plan import model as m

Locate = Callable[[tuple], tuple[str, int | None]]

_UNBOUNDED_UNITS = frozenset({"relative_change", "multiple", "points", "number"})


def problems_of(found: m.PlanModel | m.Benchmarks, locate: Locate) -> Iterator[Problem]:
    """Yield every problem of a model that has the right shape.

    Args:
        found: a plan or a benchmark file.
        locate: gives file and line of a path.
    """
    from planlib.plan.load import leaves

    seen: dict[str, str] = {}
    for path, leaf in leaves(found):
        where = _parts(path)
        if isinstance(leaf, m.Statement | m.Quantity | m.Rule):
            yield from _metric_problems(leaf, where, locate)
        identity = getattr(leaf, "id", None)
        if identity is not None:
            if identity in seen:
                yield _problem("duplicate_id", (*where, "id"), locate, identity, {"first": seen[identity]})
            seen.setdefault(identity, path)
    if isinstance(found, m.PlanModel):
        yield from _reference_problems(found, locate)
        yield from _month_problems(found, locate)


def _metric_problems(leaf: m.Sourced, where: tuple, locate: Locate) -> Iterator[Problem]:
    if leaf.metric is None:
        return
    known = catalogue()
    if leaf.metric not in known:
        near = difflib.get_close_matches(leaf.metric, known, n=1, cutoff=0.0)
        yield _problem("unknown_metric", (*where, "metric"), locate, leaf.metric, {"nearest": near[0]})
        return
    if isinstance(leaf, m.Statement) and leaf.operation:
        yield from _unit_problems(leaf, known[leaf.metric], where, locate)


def _unit_problems(leaf: m.Statement, metric: Metric, where: tuple, locate: Locate) -> Iterator[Problem]:
    """A share above one, or a level outside what the metric can be."""
    unit = leaf.unit or metric.unit
    levels = leaf.level if isinstance(leaf.level, tuple) else (leaf.level,)
    place = (*where, leaf.operation)
    for level in levels:
        if unit == "ratio" and not 0 <= level <= 1:
            yield _problem("rate_range", place, locate, level, _without_given(m.share_hint(level)))
            return
        low, high = metric.domain
        if unit == metric.unit and unit not in _UNBOUNDED_UNITS and not _inside(level, low, high):
            bounds = {"low": "−∞" if low is None else low, "high": "∞" if high is None else high}
            yield _problem("out_of_range", place, locate, level, bounds)
            return


def _inside(level: float, low: float | None, high: float | None) -> bool:
    return (low is None or level >= low) and (high is None or level <= high)


def _without_given(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if key != "given"}


def _reference_problems(plan: m.PlanModel, locate: Locate) -> Iterator[Problem]:
    stages = {stage.id for stage in plan.schedule.stages}
    tasks = {task.id for task in plan.schedule.tasks} | {stone.id for stone in plan.schedule.milestones}
    gates = {gate.id for gate in plan.schedule.gates}
    departments = {department.id for department in plan.team.departments}
    owners = departments | set(plan.team.roles)
    for path, used, known in (
        *((("channels", i, "from_stage"), c.from_stage, stages) for i, c in enumerate(plan.channels)),
        *((("schedule", "links", i, "gate"), link.gate, gates) for i, link in enumerate(plan.schedule.links)),
        *_each("tasks", "department", plan.schedule.tasks, departments),
        *_each("milestones", "department", plan.schedule.milestones, departments),
        *_each_after("tasks", plan.schedule.tasks, tasks | gates),
        *_each_after("gates", plan.schedule.gates, tasks | gates),
        *((("experiments", i, "owner"), e.owner, owners) for i, e in enumerate(plan.experiments)),
        *((("risks", i, "owner"), r.owner, owners) for i, r in enumerate(plan.risks)),
        *((("team", "roles", k, "department"), r.department, departments) for k, r in plan.team.roles.items()),
    ):
        if used is not None and used not in known:
            yield _problem("unknown_ref", path, locate, used, {"choice": ", ".join(sorted(known)) or "—"})


def _each(section: str, field: str, rows: Iterable, known: set[str]) -> Iterator[tuple]:
    return ((("schedule", section, i, field), getattr(row, field), known) for i, row in enumerate(rows))


def _each_after(section: str, rows: Iterable, known: set[str]) -> Iterator[tuple]:
    return (
        (("schedule", section, i, "after", k), used, known)
        for i, row in enumerate(rows)
        for k, used in enumerate(row.after)
    )


def _month_problems(plan: m.PlanModel, locate: Locate) -> Iterator[Problem]:
    """Months that lie behind the plan's last one."""
    last = plan.plan.months
    rows = [
        *((("targets", i, "by_month"), t.by_month) for i, t in enumerate(plan.targets)),
        *((("schedule", "gates", i, "due_month"), g.due_month) for i, g in enumerate(plan.schedule.gates)),
        *((("schedule", "milestones", i, "by_month"), s.by_month) for i, s in enumerate(plan.schedule.milestones)),
        *((("schedule", "stages", i, "months"), s.months and s.months[1]) for i, s in enumerate(plan.schedule.stages)),
        *((("experiments", i, "start_month"), e.start_month) for i, e in enumerate(plan.experiments)),
    ]
    for path, month in rows:
        if month is not None and month > last:
            yield _problem("month_range", path, locate, month, {"high": last})


def _parts(path: str) -> tuple:
    """Return the parts of a dotted path: 'a[2].b' is ('a', 2, 'b')."""
    parts: list[object] = []
    for piece in path.split("."):
        name, *indexes = piece.split("[")
        parts.append(name)
        parts += [int(index.rstrip("]")) for index in indexes]
    return tuple(parts)


def _problem(code: str, path: tuple, locate: Locate, given: object, values: dict[str, object]) -> Problem:
    from planlib.plan.load import dotted

    file, line = locate(path)
    return Problem(code, file, dotted(path), line, given, values)
