"""The levers of a plan: what an analyst may move, between which limits, and what each position changes in the plan."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from planlib.budget.bands import Bands
from planlib.budget.pairs import middle_split
from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, words
from planlib.plan import uncertain
from planlib.plan.assumptions import rows
from planlib.plan.budget_inputs import HOME, budget_inputs
from planlib.plan.inputs import goals
from planlib.plan.load import Change, Plan
from planlib.plan.model import Quantity, ShareQuantity, Sourced, Statement, Task

GROUPS = ("intake", "retention", "sales", "money", "gates", "team", "targets")
MOST_WAIT_DAYS = 60  # working days that a gate may wait
_RETENTION = ("users.churn", "users.staying_active", "users.waking")
_SALES = ("users.conversion", "users.repurchase", "users.orders_per_repeat_buyer", "baseline.aov")
_FORMS = ("value", "dist", "low", "mode", "high", "mean", "sd")
_NUMBERS = ("value", "low", "mode", "high", "mean", "sd")
_DIGITS = 10
Both = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lever:
    """Something that may be moved.

    Attributes:
        id: dotted place in the plan, rows by id; `wait.GATE` for a gate.
        group: one of GROUPS.
        name: in both languages.
        unit: of value and limits.
        value: as the plan has it.
        low, high: limits.
        step: of a slider between them.
        ranged: the limits are the plan's own range; else half and one and a half of its value, or what is possible.
        source: section of the document, or `assumption`.
        why: its reason or remark in both languages; "" where none is given.
    """

    id: str
    group: str
    name: Both
    unit: str
    value: float
    low: float
    high: float
    step: float
    ranged: bool
    source: str
    why: Both


def levers_of(plan: Plan, answered: set[str]) -> dict[str, Lever]:
    """Return the levers of a plan by id, group by group.

    Args:
        plan: as loaded.
        answered: ids of the targets that the simulation has a forecast for.
    """
    found = [*_quantities(plan), *_shares(plan), *_gates(plan), *_team(plan), *_targets(plan, answered)]
    order = {group: k for k, group in enumerate(GROUPS)}
    return {lever.id: lever for lever in sorted(found, key=lambda lever: order[lever.group])}


def _quantities(plan: Plan) -> Iterator[Lever]:
    known = uncertain.quantities(plan)
    intake = [f"channels.{channel.id}.intake" for channel in plan.channels]
    groups = dict.fromkeys(intake, "intake") | dict.fromkeys(_RETENTION, "retention") | dict.fromkeys(_SALES, "sales")
    places = {place: uncertain.leaf_path(plan, place) for place in groups if place in known}
    told = {row["path"]: row for row in rows(plan, [*places.values(), "budget.total"])}
    for place, path in places.items():
        yield from _quantity(place, groups[place], known[place], told[path])
    yield from _quantity("budget.total", "money", plan.budget.total, told["budget.total"])


def _quantity(place: str, group: str, quantity: Quantity, row: Mapping[str, Any]) -> Iterator[Lever]:
    most = 1.0 if isinstance(quantity, ShareQuantity) else math.inf
    value, span = quantity.central, quantity.span
    ranged = span is not None and span[1] > span[0]
    low, high = span if ranged else (0.5 * value, min(1.5 * value, most))
    if high > low and value > 0:
        about = {"name": _both("label", row), "unit": row["unit"], "source": row["source"], "why": _both("why", row)}
        yield _lever(place, group, value, (low, high), ranged=ranged, **about)


def _both(stem: str, row: Mapping[str, Any]) -> Both:
    return {locale: row[f"{stem}_{locale}"] for locale in LOCALES}


def _lever(place: str, group: str, value: float, limits: tuple[float, float], **about: Any) -> Lever:
    low, high = (float(f"{x:.{_DIGITS}g}") for x in limits)
    step = about.pop("step", None) or _step(high - low)
    return Lever(id=place, group=group, value=float(value), low=low, high=high, step=step, **about)


def _step(width: float) -> float:
    """Return a round step, some hundred to the width.

    >>> [_step(x) for x in (4_000.0, 0.08, 24.0)]
    [50.0, 0.001, 0.5]
    """
    power = 10.0 ** math.floor(math.log10(width / 100))
    return next(float(f"{s * power:.6g}") for s in (1, 2, 5, 10) if s * power >= width / 100 * (1 - 1e-9))


def pinned(plan: Plan) -> Bands:
    """Return the bands of a plan's budget, the one that pays for channels at its high end, as the simulation spends."""
    bands = budget_inputs(plan).bands
    return Bands.of({key: (high, high) if key == HOME else (low, high) for key, (low, high) in bands.items()})


def _shares(plan: Plan) -> Iterator[Lever]:
    given = budget_inputs(plan)
    if len(given.ids) < 2:
        return
    shares, _ = middle_split(pinned(plan))
    for key, name, share in zip(given.ids, given.names, shares, strict=True):
        low, high = given.bands[key]
        band = plan.budget.bands[key]
        if high > low:
            value = min(max(float(f"{share:.4f}"), low), high)
            yield _lever(
                f"budget.bands.{key}", "money", value, (low, high), name=_said("whatif.share", name), unit="ratio",
                ranged=True, source=band.source, why=_why(band),
            )  # fmt: skip


def _said(key: str, name: Both) -> Both:
    return {locale: words(locale).text(key, name=name[locale]) for locale in LOCALES}


def _why(leaf: Sourced) -> Both:
    said = leaf.why or leaf.note or ""
    return (
        said
        if isinstance(said, Mapping)
        else dict.fromkeys(LOCALES, said)
        if isinstance(said, str)
        else (said.model_dump())
    )


def _gates(plan: Plan) -> Iterator[Lever]:
    tasks = {task.id: task for task in plan.schedule.tasks}
    for gate in plan.schedule.gates:
        if gate.after and plan.team.departments:
            name = gate.name.model_dump() if gate.name else dict.fromkeys(LOCALES, gate.id.upper())
            waits = tasks.get(_wait_id(gate.id))
            value = waits.days[1] if waits else 0.0
            why = {locale: words(locale).text("whatif.gate_why") for locale in LOCALES}
            yield _lever(
                f"wait.{gate.id}", "gates", value, (0.0, max(MOST_WAIT_DAYS, value)), step=1.0,
                name=_said("whatif.gate", name), unit="days", ranged=False, source="assumption", why=why,
            )  # fmt: skip


def _wait_id(gate: str) -> str:
    return f"wait_{gate}"


def _team(plan: Plan) -> Iterator[Lever]:
    for key, role in plan.team.roles.items():
        if role.people is not None:
            ends = role.people if isinstance(role.people, tuple) else (role.people, role.people)
            ranged = ends[1] > ends[0]
            limits = ends if ranged else (0.5 * ends[0], 1.5 * ends[0])
            about = {"unit": "people", "ranged": ranged, "source": role.source, "why": _why(role)}
            name = role.name.model_dump()
            yield _lever(f"team.roles.{key}", "team", sum(ends) / 2, limits, step=0.5, name=name, **about)
    for field in ("size", "users_per_operator"):
        said = getattr(plan.team, field)
        if said is not None:
            yield from _statement(f"team.{field}", "team", said, said.metric, None)


def _targets(plan: Plan, answered: set[str]) -> Iterator[Lever]:
    for target, goal in zip(plan.targets, goals(plan), strict=True):
        if target.id in answered and goal["goal_high"] is None:
            yield from _statement(f"targets.{target.id}", "targets", target, target.metric, goal["due_month"])


def _statement(place: str, group: str, said: Statement, metric: str, month: int | None) -> Iterator[Lever]:
    level, unit = said.level, said.unit or catalogue()[metric].unit
    if not isinstance(level, float) or not level > 0:
        return
    high = min(1.5 * level, 1.0) if unit in ("ratio", "probability") else 1.5 * level
    name = {locale: words(locale).metric(metric) for locale in LOCALES}
    if month is not None:
        name = {
            locale: words(locale).text("whatif.target", name=name[locale], month=words(locale).number(month, "month"))
            for locale in LOCALES
        }
    yield _lever(
        place, group, level, (0.5 * level, high), name=name, unit=unit, ranged=False, source=said.source,
        why=_why(said),
    )  # fmt: skip


def changes_of(plan: Plan, setting: Mapping[str, float], levers: Mapping[str, Lever], reason: str) -> list[Change]:
    """Return what a setting changes in the plan.

    A quantity with a range or a distribution keeps its form: all its numbers move by the same factor, shares stay
    within 0 and 1. A gate that waits gets a task of that many working days before it.

    Args:
        plan: as loaded.
        setting: {lever: position} of those that were moved.
        levers: of the plan.
        reason: told with every figure.
    """
    found = []
    for name, position in setting.items():
        for path, value in _values(plan, levers[name], position, reason):
            found.append(Change(path, value, plan.file, name, reason))
    return found


def _values(plan: Plan, lever: Lever, position: float, reason: str) -> Iterator[tuple[str, Any]]:
    kind, _, rest = lever.id.partition(".")
    if kind == "wait":
        yield from _waiting(plan, rest, position, reason)
    elif lever.id.startswith("budget.bands."):
        yield f"{lever.id}.between", [position, position]
    elif lever.id.startswith("team.roles."):
        yield f"{lever.id}.people", position
    elif kind == "targets" or lever.id in ("team.size", "team.users_per_operator"):
        leaf = reached(plan.model, lever.id)
        yield f"{lever.id}.{leaf.operation}", position
    else:
        yield lever.id, _moved(reached(plan.model, lever.id), position / lever.value, reason)


def _moved(quantity: Quantity, factor: float, reason: str) -> dict[str, Any]:
    """Return a quantity times a factor, as the plan would state it."""
    most = 1.0 if isinstance(quantity, ShareQuantity) else math.inf

    def times(x: float) -> float:
        return float(f"{min(x * factor, most):.{_DIGITS}g}")

    about = quantity.model_dump(mode="json", exclude_defaults=True, exclude=set(_NUMBERS))
    about |= {"kind": "assumed"} if "kind" in about else {}
    for name in _NUMBERS:
        given = getattr(quantity, name)
        if given is not None:
            about[name] = [times(x) for x in given] if isinstance(given, tuple) else times(given)
    return about | {"source": "assumption", "why": reason}


def _waiting(plan: Plan, gate_id: str, days: float, reason: str) -> Iterator[tuple[str, Any]]:
    gate = next(gate for gate in plan.schedule.gates if gate.id == gate_id)
    name = _wait_id(gate_id)
    if any(task.id == name for task in plan.schedule.tasks):
        yield f"schedule.tasks.{name}.days", [days, days, days]
        return
    departments = [row.id for row in plan.team.departments]
    of = gate.name.model_dump() if gate.name else dict.fromkeys(LOCALES, gate_id.upper())
    yield (
        f"schedule.tasks.{name}",
        {
            "id": name, "name": dict(_said("whatif.wait", of)), "days": [days, days, days], "after": list(gate.after),
            "department": gate.owner if gate.owner in departments else departments[0], "source": "assumption",
            "why": reason,
        },
    )  # fmt: skip
    yield f"schedule.gates.{gate_id}.after", [*gate.after, name]


def reached(model: Any, path: str) -> Any:
    """Return what stands at a place of a plan's model, rows of lists by id."""
    for part in path.split("."):
        if isinstance(model, tuple):
            model = next(row for row in model if row.id == part)
        else:
            model = model[part] if isinstance(model, Mapping) else getattr(model, part)
    return model


def put(model: Any, path: str, value: Any, why: str) -> Any:
    """Return a plan's model with one change, as `load_plan` would make it; for changes of `changes_of` only."""
    head, _, rest = path.partition(".")
    if isinstance(model, tuple):
        if not rest and all(row.id != head for row in model):
            return (*model, Task.model_validate_json(json.dumps(value)))
        return tuple(put(row, rest, value, why) if row.id == head else row for row in model)
    if isinstance(model, Mapping):
        return {**model, head: put(model[head], rest, value, why)}
    old = getattr(model, head)
    if rest:
        return model.model_copy(update={head: put(old, rest, value, why)})
    if isinstance(old, BaseModel):
        return model.model_copy(update={head: type(old).model_validate_json(json.dumps(value))})
    new = tuple(value) if isinstance(value, list) else value
    about = {"source": "assumption", "why": why} if isinstance(model, Sourced) else {}
    return model.model_copy(update={head: new} | about)
