"""Findings of the rules and the plan's conflict sets as one list: what both tell of is one entry.

A finding tells of a set when it involves every statement of it; it then names the set. A contradiction that no rule
tells of becomes a finding of its own, R24, one for each figure that falls short; so does a set that fails only as read
strictly, unless a finding tells of that figure or a member is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from planlib.consistency.conflict_words import sentence
from planlib.consistency.conflicts import Analysis, Change, Conflict
from planlib.consistency.finding import CONTRADICTION, LEVELS, QUESTION, Figure, Finding, Repair
from planlib.consistency.view import View
from planlib.plan import Plan

RULE = "R24"


class Later(Sequence):
    """A tuple that is reckoned when it is first read."""

    def __init__(self, make: Callable[[], tuple]):
        self._make = make
        self._made: tuple | None = None

    def _all(self) -> tuple:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, index):
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())


def joined(view: View, found: Iterable[Finding]) -> list[Finding]:
    """Return the findings, those that tell of a conflict set with its id, and the sets that none tells of."""
    findings = list(found)
    for plan in view.plans:
        analysis = Analysis(view, plan)
        open_sets = []
        for conflict in analysis.main:
            index = _teller(findings, conflict, plan)
            if index is None:
                open_sets.append(conflict)
            elif not findings[index].conflict:
                findings[index] = replace(findings[index], conflict=conflict.id)
        findings += _untold(analysis, open_sets, plan)
    return findings


def _teller(findings: Sequence[Finding], conflict: Conflict, plan: Plan) -> int | None:
    """Return the place of the strongest finding that involves every statement of a set."""
    tells = [
        index
        for index, finding in enumerate(findings)
        if finding.level != QUESTION and plan.id in finding.plans and _involves(finding, conflict)
    ]
    return min(tells, key=lambda i: (LEVELS.index(findings[i].level), len(findings[i].statements)), default=None)


def _involves(finding: Finding, conflict: Conflict) -> bool:
    said = set(finding.statements)
    told = [rule for rule in conflict.rules if said.intersection(rule.ids)]
    rest = [rule for rule in conflict.rules if rule not in told]
    return len(told) > 1 and all(rule.role == "budget" for rule in rest)


def _untold(analysis: Analysis, conflicts: Sequence[Conflict], plan: Plan) -> Iterator[Finding]:
    """Yield one set of each goal that falls short and that no finding tells of, certain ones first."""
    told = {rule.id for conflict in analysis.main if conflict not in conflicts for rule in conflict.rules}
    done: set[str] = set()
    for conflict in sorted(conflicts, key=lambda conflict: LEVELS.index(conflict.level)):
        first = conflict.rules[0].id
        if first in done or (conflict.level != CONTRADICTION and (first in told or _assumed(conflict))):
            continue
        done.add(first)
        yield _finding(analysis, conflict, plan)


def _assumed(conflict: Conflict) -> bool:
    """Whether a member is no more than an assumption of the plan, which can simply be another."""
    return any("assumption" in rule.sources for rule in conflict.rules)


def _finding(analysis: Analysis, conflict: Conflict, plan: Plan) -> Finding:
    chain = analysis.chain(conflict)
    key, figures, names = sentence(chain)
    sources = (source for rule in conflict.rules for source in rule.sources if source != "assumption")
    return Finding(
        RULE,
        conflict.level,
        key,
        figures,
        tuple(rule.id for rule in conflict.rules),
        tuple(dict.fromkeys(sources)),
        (plan.id,),
        names=names,
        repairs=Later(lambda: tuple(_repair(change) for change in analysis.changes(conflict))),
        cost=chain.cost,
        conflict=conflict.id,
    )


def _repair(change: Change) -> Repair:
    return Repair("change", change.rule.path, _figure(change, change.to), _best(change), words={"change": change})


def _figure(change: Change, value: float | None) -> Figure | None:
    return None if value is None else Figure(value, "month" if change.month else change.rule.unit)


def _best(change: Change) -> Figure | None:
    return None if change.best is None else Figure(change.best, change.best_unit)
