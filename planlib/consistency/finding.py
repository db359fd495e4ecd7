"""What a rule finds: which statements, how strong, in which chain of figures, and what would repair it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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
        words: in place of the parameter's words, as a finding's names are.
    """

    parameter: str
    path: str = ""
    to: Figure | None = None
    ceiling: Figure | None = None
    words: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a plan cannot hold, is strained, or leaves a meaning open.

    Args:
        rule: R01 ... R23 of the rule families, R24 of the conflict sets.
        level: contradiction, strain or question.
        chain: key of the sentence; its placeholders are `figures` and `names`.
        figures: placeholder -> number.
        names: placeholder -> {"metric": id}, {"metrics": ids}, {"words": key}, {"bilingual": {...}}, {"text": str}, and
            {"parts": ...}, {"given": ...}, {"change": ...} of `planlib.consistency.conflict_words`.
        statements: ids of the statements involved, the goal first.
        sections: their sections, in the same order.
        plans: ids of the plans involved.
        repairs: each alone enough.
        cost: share of the goal that is out of reach, 0 to 1; 0 where nothing is lost.
        extra: further figures that a caller may want, not shown in the chain.
        conflict: id of the minimal conflict set that it tells of, "" where there is none.
    """

    rule: str
    level: str
    chain: str
    figures: Mapping[str, Figure]
    statements: tuple[str, ...]
    sections: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    repairs: Sequence[Repair] = ()
    cost: float = 0.0
    extra: Mapping[str, float] = field(default_factory=dict)
    conflict: str = ""

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
        first = w.begins_with(self.chain)
        values |= {name: name_of(w, content, inside=name != first) for name, content in self.names.items()}
        return w.text(self.chain, **values)


def name_of(w: Words, content: Mapping[str, object], *, inside: bool = False) -> str:
    """Return the words of one of a finding's names; `inside` a sentence English writes a metric small."""
    ((kind, value),) = content.items()
    if kind == "metric":
        name = w.metric(str(value))
        return w.inside(name) if inside else name
    if kind == "metrics":
        return w.text("consistency.comma").join(w.inside(w.metric(metric)) for metric in value)
    if kind == "words":
        return w.text(str(value))
    if kind == "bilingual":
        return w.pick(value)
    if kind in ("parts", "given", "change"):
        from planlib.consistency import conflict_words

        return getattr(conflict_words, kind)(w, value)
    return str(value)
