"""What `planlib check` prints: one page by default, everything on request, or JSON for other programs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from planlib.consistency.check import Checked, check
from planlib.consistency.finding import CONTRADICTION, QUESTION, STRAIN, Figure, Finding, Repair, name_of
from planlib.consistency.view import View
from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, leaves, load_benchmarks, load_plan, statements
from planlib.plan.decide import add_decision

SHOWN_STRAINS, SHOWN_QUESTIONS = 10, 12
BENCHMARKS = "benchmarks.yaml"
Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How the screen is asked for."""

    scenario: str | None = None
    sets: tuple[str, ...] = ()
    everything: bool = False
    as_json: bool = False


def check_plans(
    paths: Sequence[str], w: Words, options: Options, write: Write, load: Callable[..., Plan] = load_plan
) -> int:
    """Check plans alone and against each other; return 1 when a contradiction is open, else 0.

    Args:
        load: opens what a path names: `load_plan`, or one that opens workbooks too.

    Raises:
        InputError: the problems of all files together.
    """
    plans, checked = _checked(paths, options, load)
    if options.as_json:
        write(json.dumps(_as_json(plans, checked, w), ensure_ascii=False, indent=1))
    else:
        for plan in plans:
            write(_plan_line(plan, w))
        for line in _page(checked, w, everything=options.everything):
            write(line)
    return 1 if checked.of(CONTRADICTION) else 0


def accept_finding(path: str, finding_id: str, w: Words, *, reason: str, owner: str | None, day: dt.date) -> str:
    """Write that a finding is accepted, and return the sentence that says so.

    Raises:
        InputError: the plan has problems, or no open finding has that id.
    """
    plans, checked = _checked([path], Options())
    found = next((finding for finding in checked.open if finding.id == finding_id), None)
    if found is None:
        known = ", ".join(finding.id for finding in checked.open[:8])
        raise InputError(Problem("unknown_finding", file=path, given=finding_id, values={"choice": known or "—"}))
    decision = {"finding": found.id, "fingerprint": found.fingerprint, "choice": "accept", "reason": reason}
    who = owner or plans[0].model.plan.owner or "—"
    add_decision(path, {**decision, "owner": who, "date": day.isoformat()})
    return w.text("consistency.accepted", id=found.id, plan=w.pick(plans[0].title))


def _checked(
    paths: Sequence[str], options: Options, load: Callable[..., Plan] = load_plan
) -> tuple[list[Plan], Checked]:
    plans: list[Plan] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            plans.append(load(path, scenario=options.scenario, sets=options.sets))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    beside = Path(plans[0].file).with_name(BENCHMARKS)
    benchmarks = load_benchmarks(beside) if beside.is_file() else None
    return plans, check(View(plans, benchmarks))


def _plan_line(plan: Plan, w: Words) -> str:
    return w.text(
        "cli.plan_line",
        title=w.pick(plan.title),
        targets=len(plan.targets),
        statements=sum(1 for _ in statements(plan.model)),
        assumptions=sum(leaf.source == "assumption" for _, leaf in leaves(plan.model)),
        months=plan.months,
        start=plan.start,
    )


def _page(checked: Checked, w: Words, *, everything: bool):
    for level, most in ((CONTRADICTION, None), (STRAIN, SHOWN_STRAINS), (QUESTION, SHOWN_QUESTIONS)):
        found = checked.of(level)
        yield ""
        yield w.text(f"consistency.head.{level}", n=w.number(len(found), "number"))
        shown = found if everything else found[:most]
        for finding in shown:
            yield from _entry(finding, w)
        if len(shown) < len(found):
            yield w.text("consistency.more", n=w.number(len(found) - len(shown), "number"))
        if level == CONTRADICTION and any(finding.conflict for finding in checked.open):
            yield w.text("conflicts.hint")
    if checked.accepted:
        yield ""
        yield w.text("consistency.head.accepted", n=w.number(len(checked.accepted), "number"))
        if everything:
            for finding in checked.accepted:
                yield from _entry(finding, w)


def _entry(finding: Finding, w: Words):
    places = w.text("consistency.comma").join(dict.fromkeys(finding.sections))
    mark = w.text("conflicts.mark", id=finding.conflict) if finding.conflict else ""
    yield f"  {finding.id}  {places}{mark}"
    yield f"      {finding.sentence(w)}"
    told = [_repair(repair, w, asked=finding.level == QUESTION) for repair in finding.repairs]
    if told:
        repairs = w.text("consistency.semicolon").join(told)
        yield f"      {w.text(f'consistency.repairs.{finding.level}', repairs=repairs)}"


def _repair(repair: Repair, w: Words, *, asked: bool) -> str:
    """Return one repair; what has no value is to be stated, unless the whole entry asks for it."""
    if repair.words is not None:
        return name_of(w, repair.words)
    name = w.text(f"consistency.parameter.{repair.parameter}")
    bare = name.strip()
    if repair.to is not None:
        return w.text("consistency.repair.to", name=name, value=_shown(repair.to, w))
    if repair.ceiling is not None:
        return w.text("consistency.repair.ceiling", name=bare, value=_shown(repair.ceiling, w))
    return w.text("consistency.repair.none" if asked else "consistency.repair.stated", name=bare)


def _shown(figure: Figure, w: Words) -> str:
    return w.number(figure.value, figure.unit, signed=figure.signed)


def _as_json(plans: Sequence[Plan], checked: Checked, w: Words) -> dict[str, object]:
    return {
        "plans": [{"id": plan.id, "file": plan.file, "sha256": plan.sha256} for plan in plans],
        "findings": [_entry_json(finding, w, accepted=False) for finding in checked.open]
        + [_entry_json(finding, w, accepted=True) for finding in checked.accepted],
    }


def _entry_json(finding: Finding, w: Words, *, accepted: bool) -> dict[str, object]:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "level": finding.level,
        "accepted": accepted,
        "plans": list(finding.plans),
        "statements": list(finding.statements),
        "sections": list(finding.sections),
        "sentence": finding.sentence(w),
        "cost": finding.cost,
        "conflict": finding.conflict or None,
        "figures": {name: {"value": f.value, "unit": f.unit} for name, f in finding.figures.items()}
        | dict(finding.extra),
        "repairs": [
            {
                "parameter": repair.parameter,
                "path": repair.path,
                "to": repair.to and repair.to.value,
                "ceiling": repair.ceiling and repair.ceiling.value,
            }
            for repair in finding.repairs
        ],
    }
