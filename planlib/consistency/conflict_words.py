"""Conflict sets as sentences: their members, the sum that shows them, what each figure would have to be."""

from __future__ import annotations

import math
from collections.abc import Iterable

from planlib.consistency.conflicts import Chain, Change, Part, WithLoss
from planlib.consistency.finding import Figure, name_of
from planlib.consistency.rules.stated import down, up
from planlib.consistency.system import Rule
from planlib.core.words import Words

_WHOLE_UNITS = ("people", "month")
_SIGNS = {">=": "at_least", "<=": "at_most", "": "equals"}


def name(w: Words, rule: Rule, *, inside: bool = True) -> str:
    """Return what a rule is on: its metric, role, stage or words of its own; not `inside` it begins a line."""
    ((kind, value),) = rule.name.items()
    if kind == "metric":
        return w.inside(w.metric(str(value))) if inside else w.metric(str(value))
    return w.text(str(value)) if kind == "words" else w.text("conflicts.quoted", name=w.pick(value))


def members(w: Words, rules: Iterable[Rule]) -> str:
    """Return the members of a set with level, month and sections, e.g. Private-domain users ≥ 1m by month 6 (W2.2)."""
    return w.text("conflicts.plus").join(_member(w, rule, inside=at > 0) for at, rule in enumerate(rules))


def listed(w: Words, rules: Iterable[Rule]) -> str:
    """Return rules with their levels in one line."""
    found = (stated(w, rule, inside=at > 0) for at, rule in enumerate(rules))
    return w.text("consistency.semicolon").join(found)


def _member(w: Words, rule: Rule, *, inside: bool) -> str:
    sources = [w.text("source.assumption") if source == "assumption" else source for source in rule.sources]
    values = {"what": stated(w, rule, inside=inside), "sources": w.text("consistency.comma").join(sources)}
    if rule.due and rule.role != "calendar":
        return w.text("conflicts.member_due", due=w.number(rule.due, "month"), **values)
    return w.text("conflicts.member", **values)


def stated(w: Words, rule: Rule, *, inside: bool = True) -> str:
    """Return a rule with its level."""
    subject = name(w, rule, inside=inside)
    if rule.role == "calendar":
        return w.text("conflicts.calendar", name=subject, start=w.number(rule.due, "month"))
    if rule.role == "wages":
        return subject
    levels = sorted({side.level for side in rule.sides})
    if len(levels) == 2:
        shown = w.text("conflicts.range", low=w.number(levels[0], rule.unit), high=w.number(levels[1], rule.unit))
        return w.text("conflicts.part", name=subject, level=shown)
    sense = "" if len(rule.sides) == 2 else rule.sides[0].sense
    return w.text(f"conflicts.{_SIGNS[sense]}", name=subject, level=_level(w, rule, levels[0]))


def _level(w: Words, rule: Rule, level: float) -> str:
    shown = w.number(level, rule.unit)
    return w.text("conflicts.a_month", level=shown) if rule.role == "outflow" else shown


def sentence(told: Chain) -> tuple[str, dict[str, Figure], dict[str, dict[str, object]]]:
    """Return the inequality as a finding takes it: key of the sentence, figures, names."""
    unit = told.rule.unit
    figures = {
        "reach": Figure(told.reach, unit),
        "goal": Figure(told.goal, unit),
        "gap": Figure(told.gap, "points" if unit == "ratio" else unit),
        "share": Figure(told.cost, "ratio"),
    }
    key = "floor" if told.sense == ">=" else "ceiling"
    if len(told.parts) > 1 or any(part.weight > 1 for part in told.parts):
        names = {"given": {"given": told.given}, "parts": {"parts": (told.parts, unit, not told.given)}}
        return f"conflicts.{key}_sum", figures, names
    factors = (*told.parts, *told.given)
    return f"conflicts.{key}_one", figures, {"given": {"given": factors}, "name": dict(told.rule.name)}


def chain(w: Words, told: Chain) -> str:
    """Return the inequality: what adds up, the sum, and the goal that it does not reach."""
    key, figures, names = sentence(told)
    return w.text(
        key,
        **{name: w.number(f.value, f.unit) for name, f in figures.items()},
        **{name: name_of(w, content, inside=True) for name, content in names.items()},
    )


def parts(w: Words, told: tuple[tuple[Part, ...], str, bool]) -> str:
    """Return what adds up; `told` has the parts, the unit of their sum, and whether they begin the sentence."""
    found, unit, begins = told
    return w.text("conflicts.plus").join(
        _part(w, part, unit, inside=at > 0 or not begins) for at, part in enumerate(found)
    )


def given(w: Words, found: tuple[Part, ...]) -> str:
    """Return the levels that enter as factors, as the beginning of a sentence; "" where there are none."""
    if not found:
        return ""
    listed = [_given(w, part) for part in found]
    return w.text("conflicts.given", parts=w.text("consistency.comma").join(listed))


def _given(w: Words, part: Part) -> str:
    rule = part.rule
    if rule.role in ("calendar", "wages"):
        return stated(w, rule)
    key = _SIGNS[part.sense] if part.sense else "part"
    return w.text(f"conflicts.{key}", name=name(w, rule), level=_level(w, rule, part.level))


def _part(w: Words, part: Part, unit: str, *, inside: bool) -> str:
    values = {"name": name(w, part.rule, inside=inside), "level": w.number(part.level, part.rule.unit)}
    if part.weight == 1:
        return w.text("conflicts.part", **values)
    if part.weight is not None and part.weight > 1:
        times = w.number(part.weight, "users" if part.weight >= 1e4 else "number")
        return w.text("conflicts.part_times", times=times, **values)
    return w.text("conflicts.part_worth", worth=w.number(part.value, unit), **values)


def change(w: Words, told: Change, *, inside: bool = True) -> str:
    """Return what one figure would have to be, e.g. new users per month 50k → 167k."""
    rule = told.rule
    unit = "month" if told.month else rule.unit
    subject = w.text("conflicts.due") if told.month and rule.role != "calendar" else name(w, rule, inside=inside)
    now = "" if rule.role == "wages" else w.number(told.now, unit)
    values = {"name": subject, "now": now}
    if told.to is not None:
        return w.text("conflicts.change", to=w.number(_outward(told.to, told.now, unit), unit), **values)
    if told.best is None:
        return w.text("conflicts.never", **values)
    best = w.number(told.best, told.best_unit)
    return w.text("conflicts.never_above" if told.month else "conflicts.never_best", best=best, **values)


def given_way(w: Words, told: Change) -> str:
    """Return how a rule gives way in the nearest plan."""
    if told.to is not None:
        return change(w, told, inside=False)
    return w.text("conflicts.given_up", what=stated(w, told.rule, inside=False))


def changes(w: Words, told: tuple[Change, ...]) -> str:
    """Return single changes as one list."""
    return w.text("consistency.semicolon").join(change(w, one) for one in told)


def loss(w: Words, told: WithLoss, first: Rule) -> str:
    """Return what a conflict looks like with what leaves meanwhile."""
    values = {
        "loss": w.text("consistency.comma").join(stated(w, rule) for rule in told.rules),
        "reach": w.number(told.reach, first.unit),
        "changes": changes(w, told.changes),
    }
    if told.ceiling is None:
        return w.text("conflicts.loss", **values)
    return w.text("conflicts.loss_ceiling", ceiling=w.number(told.ceiling, first.unit), **values)


def _outward(to: float, now: float, unit: str) -> float:
    """Round so that what is shown is still enough: up when it rises, down when it falls."""
    if unit in _WHOLE_UNITS:
        return float(math.ceil(to - 1e-6) if to > now else math.floor(to + 1e-6))
    if to == now:
        return to
    return up(to) if to > now else down(to)
