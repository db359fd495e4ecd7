"""Run every rule over plans and benchmarks, and set aside what the plans' owners have accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from planlib.consistency.finding import LEVELS, Finding
from planlib.consistency.joined import joined
from planlib.consistency.view import View

MODULES: tuple[str, ...] = (
    "rules_users",
    "rules_sets",
    "rules_capacity",
    "rules_money",
    "rules_dates",
    "rules_evidence",
    "rules_meaning",
)
Rule = Callable[[View], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules found: open findings, strongest and costliest first, and accepted ones."""

    open: tuple[Finding, ...]
    accepted: tuple[Finding, ...]

    def of(self, level: str) -> tuple[Finding, ...]:
        """Return the open findings of one level."""
        return tuple(finding for finding in self.open if finding.level == level)


def rules() -> Mapping[str, Rule]:
    """Return every rule by its name."""
    found: dict[str, Rule] = {}
    for module in MODULES:
        found |= import_module(f"planlib.consistency.rules.{module}").RULES
    return dict(sorted(found.items()))


def check(view: View) -> Checked:
    """Apply every rule to a view, and look for what its plans' rows show beyond them.

    What the cases of a document leave open is told to plans that rest on that document, and to nobody else.
    """
    told = [f for f in joined(view, _unique(view)) if f.plans or not view.plans or view.quotes]
    found = sorted(told, key=lambda f: (LEVELS.index(f.level), -f.cost, f.rule, f.id))
    accepted = {(d.finding, d.fingerprint) for plan in view.plans for d in plan.decisions}
    is_accepted = [(finding.id, finding.fingerprint) in accepted for finding in found]
    return Checked(
        tuple(finding for finding, done in zip(found, is_accepted, strict=True) if not done),
        tuple(finding for finding, done in zip(found, is_accepted, strict=True) if done),
    )


def _unique(view: View) -> Iterator[Finding]:
    seen = set()
    for rule in rules().values():
        for finding in rule(view):
            key = (finding.id, finding.fingerprint)
            if key not in seen:
                seen.add(key)
                yield finding
