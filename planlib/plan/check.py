"""What a single field cannot know: metrics that exist, units that fit, ids that are unique and resolve.

The tree is checked, not the model, so that these problems are told together with fields of a wrong shape.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from planlib.core.errors import Problem
from planlib.core.metrics import UNITS, Metric, shipped
from planlib.plan import own_metrics
from planlib.plan.model import OPERATIONS, share_problem
from planlib.plan.tree import Node, dotted, reach

# where metrics are named
_METRIC_FIELDS = frozenset({"metric", "primary", "deadline_of"})
_METRIC_LISTS = frozenset({"enables", "ladder", "raises"})
_LEVELS = (*OPERATIONS, "value", "low", "mode", "high", "mean")
_MONTHS = (("by_month",), ("due_month",), ("start_month",))

_DURATIONS = {"milliseconds", "seconds", "minutes", "hours", "days", "weeks", "months", "month"}

# what can be named: its own places in the plan; "*" is any row, "key" the names of the fields there
_NAMED = {
    "stages": ("schedule.stages.*.id",),
    "gates": ("schedule.gates.*.id",),
    "tasks": ("schedule.tasks.*.id", "schedule.milestones.*.id", "schedule.gates.*.id"),
    "departments": ("team.departments.*.id",),
    "roles": ("team.roles.key",),
    "owners": ("team.departments.*.id", "team.roles.key"),
    "work": ("schedule.tasks.*.id", "team.departments.*.id"),
    "calendars": ("schedule.calendars.key",),
    "units": ("organisation.units.*.id",),
    "spending": ("channels.*.id", "budget.bands.key"),
    "experiments": ("experiments.*.id",),
}
_REFERENCES = (
    ("channels.*.from_stage", "stages"),
    ("schedule.links.*.gate", "gates"),
    ("schedule.tasks.*.department", "departments"),
    ("schedule.milestones.*.department", "departments"),
    ("schedule.tasks.*.after.*", "tasks"),
    ("schedule.tasks.*.links.*.task", "tasks"),
    ("schedule.tasks.*.calendar", "calendars"),
    ("schedule.tasks.*.roles.key", "roles"),
    ("schedule.gates.*.owner", "owners"),
    ("schedule.freezes.*.stops.*", "work"),
    ("schedule.recurring.*.department", "departments"),
    ("schedule.risks.*.tasks.*", "work"),
    ("schedule.risks.*.owner", "owners"),
    ("schedule.gates.*.after.*", "tasks"),
    ("team.roles.*.department", "departments"),
    ("experiments.*.owner", "owners"),
    ("experiments.*.apart.*", "experiments"),
    ("risks.*.owner", "owners"),
    ("review.actions.*.owner", "owners"),
    ("review.duties.*.owner", "owners"),
    ("organisation.units.*.parent", "units"),
    ("budget.fixed.*.of", "spending"),
    ("budget.actual.*.of", "spending"),
)
_PLACES = ("schedule.links.*.delays", "risks.*.hits")  # these name a place of the plan


def problems_of(tree: Node) -> Iterator[Problem]:
    """Yield every problem of a plan's or benchmark file's tree that its shape does not show."""
    yield from double_ids(tree)
    yield from own_metrics.problems(tree)
    yield from _metric_problems(tree)
    yield from _month_problems(tree)
    yield from _reference_problems(tree)
    yield from _place_problems(tree)
    yield from _ladder_problems(tree)
    yield from _organisation_problems(tree)


def double_ids(tree: Node) -> Iterator[Problem]:
    """Yield the ids given twice: within a list, or anywhere by rows that say where they come from."""
    seen: dict[tuple, str] = {}
    for path, node in tree.walk():
        identity = node.step("id")
        if identity is None or not isinstance(identity.value, str) or path[:1] == ("scenarios",):
            continue
        scope = () if node.step("source") else path[:-1]
        first = seen.setdefault((scope, identity.value), dotted(path))
        if first != dotted(path):
            yield _problem("duplicate_id", (*path, "id"), identity, first=first)


def _metric_problems(tree: Node) -> Iterator[Problem]:
    known = {**shipped(), **own_metrics.as_metrics(tree)}
    for path, node in tree.walk():
        names_metric = _METRIC_FIELDS.intersection(path[-1:]) or _METRIC_LISTS.intersection(path[-2:-1])
        if names_metric and isinstance(node.value, str) and node.value not in known:
            near = difflib.get_close_matches(node.value[:80], known, n=1, cutoff=0.0)
            yield _problem("unknown_metric", path, node, nearest=near[0])
        metric = node.step("metric")
        changes = path[:2] == ("review", "actions")  # effects, which are differences of levels
        if not changes and metric is not None and isinstance(metric.value, str) and metric.value in known:
            yield from _level_problems(path, node, known[metric.value])


def _level_problems(path: tuple, row: Node, metric: Metric) -> Iterator[Problem]:
    """A share above one, or a level outside what the metric can be; changes and multiples are not levels."""
    given = row.step("unit")
    unit = metric.unit if given is None or given.value is None else given.value
    counted = unit == "count" and row.step("period") is not None  # so many a period
    if given is not None and isinstance(unit, str) and not counted and not _fits(unit, metric.unit):
        yield _problem("unit_confusion", (*path, "unit"), given, unit=metric.unit)
        return
    low, high = metric.domain if unit == metric.unit else (0, 1) if unit == "ratio" else (None, None)
    for name in _LEVELS:
        field = row.step(name)
        ends = () if field is None else field.value if isinstance(field.value, list) else (field,)
        for end in ends:
            number = end.value
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if (low is not None and number < low) or (high is not None and number > high):
                if unit == "ratio" and (low, high) == (0, 1):
                    code, values = share_problem(number)
                else:
                    code, values = _bounds(low, high)
                yield _problem(code, (*path, name), end, **values)
                break


def _fits(unit: str, own: str) -> bool:
    """Whether a statement may be in a unit that is not the metric's own: a change, a multiple, another duration."""
    if own == "none" or unit not in UNITS:  # no quantity of its own; changes, and words that the model refuses
        return True
    return unit in (own, "multiple", "points") or {unit, own} <= _DURATIONS


def _bounds(low: float | None, high: float | None) -> tuple[str, dict[str, object]]:
    if high is None:
        return "at_least", {"low": low}
    return ("at_most", {"high": high}) if low is None else ("out_of_range", {"low": low, "high": high})


def _month_problems(tree: Node) -> Iterator[Problem]:
    """Months that lie behind the plan's last one; a plan without months is one mistake, not one a month."""
    months = tree.find(("plan", "months"))
    if months is None or not isinstance(months.value, int) or months.value < 1:
        return
    for path, node in tree.walk():
        of_a_line = path[:1] == ("budget",) and path[1:2] in (("fixed",), ("actual",)) and path[-1] == "month"
        if (
            (path[-1:] in _MONTHS or path[-2:-1] == ("months",) or of_a_line)
            and isinstance(node.value, int)
            and node.value > months.value
        ):
            yield _problem("month_range", path, node, high=months.value)


def _reference_problems(tree: Node) -> Iterator[Problem]:
    for pattern, kind in _REFERENCES:
        known = {str(used) for place in _NAMED[kind] for _, _, used in _matches(tree, place)}
        for path, node, used in _matches(tree, pattern):
            if isinstance(used, str) and used not in known:
                yield _problem("unknown_ref", path, node, used, choice=", ".join(sorted(known)) or "—")


def _place_problems(tree: Node) -> Iterator[Problem]:
    for pattern in _PLACES:
        for path, node, used in _matches(tree, pattern):
            if isinstance(used, str) and reach(tree, used) is None:
                yield _problem("unknown_path", path, node)


def _ladder_problems(tree: Node) -> Iterator[Problem]:
    """Ladders of what has no dated target, and rungs behind the plan's last month."""
    dated = [row for _, row, _ in _matches(tree, "targets.*") if row.step("by_month")]
    known = {str(row.step(name).value) for row in dated for name in ("metric", "id") if row.step(name)}
    months = tree.find(("plan", "months"))
    for path, node, name in _matches(tree, "ladders.key"):
        if name not in known:
            yield _problem("unknown_ref", path, node, name, choice=", ".join(sorted(known)) or "—")
    for path, node, name in _matches(tree, "ladders.*.rungs.key"):
        last = months.value if months is not None and isinstance(months.value, int) and months.value > 0 else None
        if last is not None and str(name).isdigit() and int(name) > last:
            yield _problem("month_range", path, node, int(name), high=last)


def _organisation_problems(tree: Node) -> Iterator[Problem]:
    """Units without a basis or its figure, shares above one, parents in a circle."""
    basis = tree.find(("organisation", "basis"))
    by_level = {level: node.value for level, node in _rows(basis)} if basis is not None else {}
    shares: dict[object, float] = {}
    parents: dict[object, object] = {}
    for path, unit, _ in _matches(tree, "organisation.units.*"):
        field = {name: node.value for name in ("id", "level", "parent", "share") if (node := unit.step(name))}
        parents[field.get("id")] = field.get("parent")
        if field.get("share") is None:
            name = by_level.get(field.get("level"))
            if name is None:
                yield _problem("no_basis", path, unit, field.get("level"), levels=", ".join(map(str, by_level)) or "—")
            elif isinstance(name, str) and unit.step(name) is None:
                yield _problem("missing", (*path, name), unit)
        elif isinstance(field["share"], int | float):
            total = shares[field.get("parent")] = shares.get(field.get("parent"), 0.0) + field["share"]
            if total > 1 + 1e-9:
                yield _problem("shares_above_one", (*path, "share"), unit.step("share"), total=f"{total:.4g}")
    for path, unit, _ in _matches(tree, "organisation.units.*"):
        identity = unit.step("id")
        chain = [identity.value] if identity is not None else []
        while chain and (above := parents.get(chain[-1])) in parents and above not in chain:
            chain.append(above)
        if chain and parents.get(chain[-1]) == chain[0]:
            yield _problem("cycle", (*path, "parent"), unit.step("parent"), chain=" → ".join(map(str, chain)))
            break


def _matches(tree: Node, pattern: str) -> Iterator[tuple[tuple, Node, object]]:
    """Yield path, node and value (or, for `key`, the name) of what a pattern fits."""
    found: list[tuple[tuple, Node]] = [((), tree)]
    for part in pattern.split("."):
        if part in ("*", "key"):
            found = [((*path, key), row) for path, node in found for key, row in _rows(node)]
        else:
            found = [((*path, part), row) for path, node in found if (row := node.step(part)) is not None]
    for path, node in found:
        yield path, node, path[-1] if pattern.endswith(".key") else node.value


def _rows(node: Node) -> Iterator[tuple[str | int, Node]]:
    if isinstance(node.value, dict):
        yield from node.value.items()
    elif isinstance(node.value, list):
        yield from enumerate(node.value)


def _problem(code: str, path: tuple, node: Node, given: object = None, **values: object) -> Problem:
    file, line = node.place
    return Problem(code, file, dotted(path), line, node.plain() if given is None else given, values)
