"""What `planlib conflicts` prints: the sets, the sums that show them, corrections, the nearest plan; or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planlib.consistency import conflict_words as say
from planlib.consistency.conflicts import Analysis, Change, Conflict
from planlib.consistency.finding import CONTRADICTION
from planlib.consistency.screen import BENCHMARKS, Write
from planlib.consistency.system import Rule
from planlib.consistency.view import View
from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, load_benchmarks, load_plan

SHOWN_SETS, SHOWN_CORRECTIONS = 6, 5


@dataclass(frozen=True, slots=True)
class Options:
    """How the screen is asked for; `lock`: ids of rules that the nearest plan keeps before all others."""

    scenario: str | None = None
    sets: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    everything: bool = False
    as_json: bool = False


def print_conflicts(path: str, w: Words, options: Options, write: Write, load: Callable[..., Plan] = load_plan) -> int:
    """Print the conflict sets of a plan; return 1 when one holds under any reading, else 0.

    Args:
        load: opens what a path names.

    Raises:
        InputError: the plan has problems, or `lock` names no rule.
    """
    plan = load(path, scenario=options.scenario, sets=options.sets)
    beside = Path(path).with_name(BENCHMARKS)
    benchmarks = load_benchmarks(beside) if beside.is_file() else None
    analysis = Analysis(View([plan], benchmarks), plan)
    _check_lock(options.lock, analysis, path)
    if options.as_json:
        write(json.dumps(as_json(analysis, w, lock=options.lock), ensure_ascii=False, indent=1))
    else:
        for line in _lines(analysis, plan, w, options):
            write(line)
    return int(any(conflict.level == CONTRADICTION for conflict in analysis.conflicts))


def _check_lock(lock: Sequence[str], analysis: Analysis, path: str) -> None:
    known = [id for rule in analysis.plan_system.rules for id in rule.ids]
    unknown = [id for id in lock if id not in known]
    if unknown:
        choice = ", ".join(known)
        raise InputError(*(Problem("choice", file=path, field="--lock", given=id, values={"choice": choice,
                                   "choices": choice}) for id in unknown))  # fmt: skip


def _lines(analysis: Analysis, plan: Plan, w: Words, options: Options) -> Iterator[str]:
    found = analysis.conflicts
    title, count = w.pick(plan.title), w.number(len(found), "number")
    if not found:
        yield w.text("conflicts.headline_none", plan=title)
        return
    certain = w.number(sum(conflict.level == CONTRADICTION for conflict in found), "number")
    yield w.text("conflicts.headline", plan=title, n=count, certain=certain)
    if not analysis.complete:
        yield w.text("conflicts.cut")
    shown = found if options.everything else found[:SHOWN_SETS]
    for conflict in shown:
        yield from _set(analysis, conflict, w)
    yield from _more(len(found) - len(shown), w)
    yield ""
    yield w.text("conflicts.corrections", n=w.number(len(analysis.corrections), "number"))
    corrections = analysis.corrections if options.everything else analysis.corrections[:SHOWN_CORRECTIONS]
    for rules in corrections:
        yield f"  {say.listed(w, rules)}"
    yield from _more(len(analysis.corrections) - len(corrections), w)
    yield ""
    locked = [rule for rule in analysis.plan_system.rules if set(rule.ids) & set(options.lock)]
    names = w.text("consistency.comma").join(say.name(w, rule) for rule in locked)
    yield w.text("conflicts.nearest_locked", locked=names) if locked else w.text("conflicts.nearest")
    for change in analysis.nearest(options.lock):
        yield f"  {say.given_way(w, change)}"


def _set(analysis: Analysis, conflict: Conflict, w: Words) -> Iterator[str]:
    yield ""
    yield w.text("conflicts.set", id=conflict.id, level=w.text(f"conflicts.level_{conflict.level}"))
    yield f"  {say.members(w, conflict.rules)}"
    yield f"      {say.chain(w, analysis.chain(conflict))}"
    yield f"      {w.text('conflicts.alone', changes=say.changes(w, analysis.changes(conflict)))}"
    loss = analysis.with_loss(conflict)
    if loss is not None:
        yield f"      {say.loss(w, loss, conflict.rules[0])}"


def _more(left: int, w: Words) -> Iterator[str]:
    if left > 0:
        yield w.text("conflicts.more", n=w.number(left, "number"))


def as_json(analysis: Analysis, w: Words, *, lock: Sequence[str] = ()) -> dict[str, object]:
    """Return everything that is known of the conflicts of a plan, numbers in full."""
    return {
        "plan": analysis.plan.id,
        "complete": analysis.complete,
        "conflicts": [_conflict(analysis, conflict, w) for conflict in analysis.conflicts],
        "corrections": [[rule.id for rule in rules] for rules in analysis.corrections],
        "nearest": [_change(change) for change in analysis.nearest(lock)],
    }


def _conflict(analysis: Analysis, conflict: Conflict, w: Words) -> dict[str, object]:
    chain, loss = analysis.chain(conflict), analysis.with_loss(conflict)
    return {
        "id": conflict.id,
        "level": conflict.level,
        "rules": [_rule(rule) for rule in conflict.rules],
        "sentence": say.chain(w, chain),
        "reach": chain.reach,
        "goal": chain.goal,
        "unit": chain.rule.unit,
        "parts": [{"id": p.rule.id, "level": p.level, "weight": p.weight, "value": p.value} for p in chain.parts],
        "changes": [_change(change) for change in analysis.changes(conflict)],
        "with_loss": loss
        and {
            "rules": [rule.id for rule in loss.rules],
            "reach": loss.reach,
            "ceiling": loss.ceiling,
            "changes": [_change(change) for change in loss.changes],
        },
    }


def _rule(rule: Rule) -> dict[str, object]:
    levels = [{"sense": side.sense, "level": side.level} for side in rule.sides]
    return {"id": rule.id, "ids": list(rule.ids), "sources": list(rule.sources), "path": rule.path, "due": rule.due,
            "unit": rule.unit, "sides": levels}  # fmt: skip


def _change(change: Change) -> dict[str, object]:
    return {"id": change.rule.id, "of": "month" if change.month else "level", "path": change.rule.path,
            "now": change.now, "to": change.to, "best": change.best}  # fmt: skip
