"""Findings put together from what is involved: statements, and rows of a plan that are none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planlib.consistency.finding import QUESTION, Figure, Finding, Repair
from planlib.consistency.view import GOAL, Said, View

_SECTIONS = 8  # are enough to find what many statements have in common


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a plan that is no statement of a metric: a milestone, a stage, a scheme; `plan` is "" for benchmarks."""

    id: str
    source: str
    plan: str


def made(
    rule: str,
    level: str,
    chain: str,
    involved: Iterable[Said | Place],
    figures: Mapping[str, Figure],
    *,
    names: Mapping[str, Mapping[str, object]] | None = None,
    repairs: Iterable[Repair] = (),
    cost: float = 0.0,
    extra: Mapping[str, float] | None = None,
) -> Finding:
    """Return a finding; `involved` has the goal first, `extra` loses what is not finite."""
    places = [Place(s.id, s.statement.source, s.plan) if isinstance(s, Said) else s for s in involved]
    return Finding(
        rule,
        level,
        chain,
        figures,
        tuple(dict.fromkeys(p.id for p in places)),
        tuple(dict.fromkeys(p.source for p in places if p.source and p.source != "assumption"))[:_SECTIONS],
        tuple(dict.fromkeys(p.plan for p in places if p.plan)),
        names=names or {},
        repairs=tuple(repairs),
        cost=min(max(cost, 0.0), 1.0),
        extra={name: value for name, value in (extra or {}).items() if math.isfinite(value)},
    )


def level_of(said: Said, value: float) -> Figure:
    """Return a value in the unit of a statement's metric."""
    return Figure(value, said.metric.unit)


def bilingual(name) -> dict[str, object]:
    """Return a plan row's name as a finding takes it."""
    return {"bilingual": {"zh": name.zh, "en": name.en}}


def ask(view: View, key: str, involved: Iterable[Said | Place], figures: Mapping[str, Figure], **more) -> Finding:
    """Return a question of `rules_meaning.<key>`; unless given, its cost is the share of all goals that wait for it."""
    involved = list(involved)
    waiting = {said.id for said in involved if isinstance(said, Said) and said.kind == GOAL}
    cost = more.pop("cost", len(waiting) / max(len(view.goals(level=False)), 1))
    return made(key[:3], QUESTION, f"rules_meaning.{key}", involved, figures, cost=cost, **more)
