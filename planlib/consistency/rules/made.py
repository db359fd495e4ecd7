"""Findings put together from what is involved: statements, and rows of a plan that are none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planlib.consistency.finding import Figure, Finding, Repair
from planlib.consistency.view import Said


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
        tuple(dict.fromkeys(p.source for p in places if p.source != "assumption")),
        tuple(dict.fromkeys(p.plan for p in places if p.plan)),
        names=names or {},
        repairs=tuple(repairs),
        cost=min(max(cost, 0.0), 1.0),
        extra={name: value for name, value in (extra or {}).items() if math.isfinite(value)},
    )


def bilingual(name) -> dict[str, object]:
    """Return a plan row's name as a finding takes it."""
    return {"bilingual": {"zh": name.zh, "en": name.en}}
