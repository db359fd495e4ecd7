"""What a rule finds: which statements, how strong, in which chain of figures, and what would repair it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from planlib.core.words import Words

CONTRADICTION, STRAIN, QUESTION = "contradiction", "strain", "question"
LEVELS = (CONTRADICTION, STRAIN, QUESTION)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the chain with its unit, as the reader is shown it."""

    value: float
    unit: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """One parameter that alone would repair a finding.

    Args:
        parameter: names the words `consistency.parameter.<parameter>`.
        path: place in the plan, "" when the plan has none yet.
        to: the value that does it, None when no value does.
        ceiling: the best that the parameter can reach where no value does.
    """

    parameter: str
    path: str = ""
    to: Figure | None = None
    ceiling: Figure | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a plan cannot hold, is strained, or leaves a meaning open.

    Args:
        rule: R01 ... R23.
        level: contradiction, strain or question.
        chain: key of the sentence; its placeholders are `figures` and `names`.
        figures: placeholder -> number.
        names: placeholder -> {"metric": id}, {"words": key}, {"bilingual": {...}} or {"text": str}.
        statements: ids of the statements involved, the goal first.
        sections: their sections, in the same order.
        plans: ids of the plans involved.
        repairs: each alone enough.
        cost: share of the goal that is out of reach, 0 to 1; 0 where nothing is lost.
        extra: further figures that a caller may want, not shown in the chain.
    """

    rule: str
    level: str
    chain: str
    figures: Mapping[str, Figure]
    statements: tuple[str, ...]
    sections: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    cost: float = 0.0
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Short and stable: the same rule on the same statements has the same id."""
        key = json.dumps([self.rule, self.chain, sorted(self.statements), sorted(self.plans)])
        return f"{self.rule.lower()}-{hashlib.sha256(key.encode()).hexdigest()[:6]}"

    @property
    def fingerprint(self) -> str:
        """Changes whenever a figure of the finding does: an accepted finding comes back then."""
        shown = {name: [f"{figure.value:.12g}", figure.unit] for name, figure in sorted(self.figures.items())}
        return hashlib.sha256(json.dumps([self.id, self.level, shown]).encode()).hexdigest()[:16]

    def sentence(self, w: Words) -> str:
        """Return the chain of figures as one sentence."""
        values = {name: w.number(f.value, f.unit, signed=f.signed) for name, f in self.figures.items()}
        values |= {name: _name(w, content) for name, content in self.names.items()}
        return w.text(self.chain, **values)


def _name(w: Words, content: Mapping[str, object]) -> str:
    ((kind, value),) = content.items()
    if kind == "metric":
        return w.metric(str(value))
    if kind == "words":
        return w.text(str(value))
    if kind == "bilingual":
        return w.pick(value)
    return str(value)
