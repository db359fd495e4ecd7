"""Decisions about a plan: kept in PLAN.adopted.yaml, and in a log whose lines are chained by hash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib.core import chain
from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.plan.load import Plan, load_plan
from planlib.plan.model import Target

_HEAD = (
    "# 由 planlib 写入，最后并入方案；删行即撤销。\n"
    "# Written by planlib, merged into the plan last; delete rows to undo.\n"
)


def adopted_path(plan_file: str | Path) -> Path:
    """Return where a plan's adopted figures and decisions stand."""
    plan_file = Path(plan_file)
    return plan_file.with_name(f"{plan_file.stem}.adopted.yaml")


def log_path(plan_file: str | Path) -> Path:
    """Return where a plan's decision log stands."""
    plan_file = Path(plan_file)
    return plan_file.with_name(f"{plan_file.stem}.decisions.jsonl")


def add_decision(plan_file: str | Path, decision: Mapping[str, str]) -> None:
    """Add a decision to a plan, in place of an earlier one on the same finding, and to its log.

    Args:
        plan_file: the plan.
        decision: the fields of `planlib.plan.model.Decision`.

    Raises:
        InputError: the adopted file or the log has been damaged; nothing is written then.
    """
    path = adopted_path(plan_file)
    content = _read(path)
    rows = [row for row in content.get("decisions") or [] if row.get("finding") != decision["finding"]]
    content["decisions"] = [*rows, dict(decision)]
    line = chain.next_line(log_path(plan_file), {"kind": "decision", **decision})
    write_whole(path, _HEAD + _dump(content))
    chain.append(log_path(plan_file), line)


@dataclass(frozen=True, slots=True)
class Adoption:
    """A measured level on its way into a plan.

    Attributes:
        place: dotted path in the plan, e.g. users.churn; a quantity, or one point of the retention curve.
        value: in the plan's unit.
        period: what a rate is counted over, e.g. month; None where the plan's own stays.
        why: what was measured, in both languages.
        log: what the log keeps beside place, value and date.
    """

    place: str
    value: float
    period: str | None
    why: Mapping[str, str]
    log: Mapping[str, Any]


def adopt_levels(plan_file: str | Path, adoptions: Sequence[Adoption], *, owner: str | None, day: dt.date) -> Path:
    """Put measured levels into PLAN.adopted.yaml, in place of earlier ones there, and log each; return the file.

    Args:
        plan_file: the plan.
        adoptions: what to adopt.
        owner, day: kept in the log; the owner of the plan decides when no other is named.

    Raises:
        InputError: the plan has problems or cannot have such a level, or adopted file or log have been damaged;
            nothing is written then.
    """
    path, log = adopted_path(plan_file), log_path(plan_file)
    changed = load_plan(plan_file, sets=tuple(f"{_leaf(a.place)}={a.value!r}" for a in adoptions))
    content = _read(path)
    lines: list[str] = []
    for adoption in adoptions:
        _put(content, adoption)
        entry = {"kind": "level", "place": adoption.place, "value": adoption.value, "date": day.isoformat()}
        entry |= {"owner": owner or changed.plan.owner or "—", **adoption.log}
        lines.append(chain.next_line(log, entry, before=lines))
    write_whole(path, _HEAD + _dump(content))
    chain.append(log, *lines)
    return path


def _leaf(place: str) -> str:
    """Return where the number itself stands: a quantity's value, or a point of the retention curve."""
    return place if ".points." in place else f"{place}.value"


def _put(content: dict[str, Any], adoption: Adoption) -> None:
    """Write a level at its place; a point of the retention curve says its source on the curve."""
    place, _, point = adoption.place.partition(".points.")
    node = content
    for part in place.split("."):
        node = node.setdefault(part, {})
    said = {"source": "adopted", "why": dict(adoption.why)}
    if point:
        node.setdefault("points", {})[point] = adoption.value
    else:
        node.clear()
        node |= {"value": adoption.value, "kind": "measured"} | ({"period": adoption.period} if adoption.period else {})
    node |= said


@dataclass(frozen=True, slots=True)
class GoalChange:
    """A goal that was changed: of which target, from which level to which, and where that stands now."""

    target: Target
    before: float | tuple[float, float]
    after: float | tuple[float, float]
    path: Path


def change_goal(
    plan_file: str | Path, target: str, to: str, *, reason: str, owner: str | None, day: dt.date
) -> GoalChange:
    """Change a target's level in PLAN.adopted.yaml, where its document's level stays untouched, and log it.

    Args:
        plan_file: the plan.
        target: id of the target.
        to: the new level as a plan file writes it: a number, or [low, high] for a range.
        reason, owner, day: kept in the log; the owner of the plan decides when no other is named.

    Raises:
        InputError: the plan has problems, there is no such target, it cannot have that level or has it already, or
            adopted file or log have been damaged; nothing is written then.
    """
    before = _target(load_plan(plan_file), target)
    changed = load_plan(plan_file, sets=(f"targets.{target}.{before.operation}={to}",))
    after = _target(changed, target)
    if after.level == before.level:
        raise InputError(Problem("same_level", file=Path(plan_file).as_posix(), field=f"targets.{target}", given=to))
    level = list(after.level) if isinstance(after.level, tuple) else after.level
    path = adopted_path(plan_file)
    content = _read(path)
    row = {"id": target, before.operation: level, "source": "adopted", "why": reason}
    rows = [row for row in content.get("targets") or [] if row.get("id") != target]
    content["targets"] = [*rows, row]
    entry = {
        "kind": "goal",
        "target": target,
        "metric": before.metric,
        "from": before.level,
        "to": level,
        "reason": reason,
        "owner": owner or changed.plan.owner or "—",
        "date": day.isoformat(),
    }
    line = chain.next_line(log_path(plan_file), entry)
    write_whole(path, _HEAD + _dump(content))
    chain.append(log_path(plan_file), line)
    return GoalChange(after, before.level, after.level, path)


def _target(plan: Plan, target: str) -> Target:
    found = next((row for row in plan.targets if row.id == target), None)
    if found is None:
        values = {"choice": ", ".join(row.id for row in plan.targets if row.id) or "—"}
        raise InputError(Problem("unknown_ref", plan.file, "targets", given=target, values=values))
    return found


def log_entry(plan_file: str | Path, entry: Mapping[str, Any]) -> None:
    """Add an entry to a plan's decision log; `kind` says what it is.

    Raises:
        InputError: the log has been damaged; nothing is written then.
    """
    path = log_path(plan_file)
    chain.append(path, chain.next_line(path, entry))


def log_entries(plan_file: str | Path, kind: str) -> list[dict[str, Any]]:
    """Return the entries of one kind in a plan's decision log, oldest first.

    Raises:
        InputError: the log has been damaged.
    """
    return [entry for entry in chain.entries(log_path(plan_file)) if entry.get("kind") == kind]


def verify_log(path: str | Path) -> int:
    """Return the number of lines of a decision log whose chain is whole.

    Raises:
        InputError: a line was changed, removed or put in between.
    """
    return chain.verify(path)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    from planlib.plan.tree import read

    content = read(path, path.as_posix()).plain()
    if not isinstance(content, dict):
        raise InputError(Problem("not_mapping", file=path.as_posix()))
    return content


def _dump(content: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=120)
