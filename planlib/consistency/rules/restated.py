"""R03: one figure said twice, with other levels, dates or bases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from planlib.consistency.finding import CONTRADICTION, QUESTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.stated import ids, month, months, multiple, place, plans, ratio, sections
from planlib.consistency.view import BASELINE, CASE, GOAL, Said, View
from planlib.core.metrics import catalogue, metric
from planlib.plan import Plan

_EXACT = "equals"


@dataclass(frozen=True, slots=True)
class _Level:
    """A goal in its metric's own unit.

    Attributes:
        said: as stated.
        value: the level; of a multiple, times its reference.
        tolerance: what its rounding may hide.
        reference: what a multiple is a multiple of.
    """

    said: Said
    value: float
    tolerance: float
    reference: Said | None = None

    @property
    def due(self) -> int | None:
        return self.said.statement.by_month

    def agrees(self, other: _Level) -> bool:
        return abs(self.value - other.value) <= self.tolerance + other.tolerance


def restated_ladder(view: View) -> Iterator[Finding]:
    """R03: goals for one metric that differ in level, date or base.

    Test: goals with the same metric, scope, population, window, period and denominator agree; later levels are not
    worse than earlier ones; a multiple has a figure for what it is a multiple of; a deliverable has one date; what
    is finished is not raised later. Multiples count as their reference times the multiple.
    Level: contradiction for two equalities, or two ranges that do not meet, with the same full key and month in one
    plan; strain where level, date or base differs otherwise; question for a multiple of an unknown figure.
    Trap: two "within" dates for one level can coexist, the earlier binds; rising rungs are a ladder, no conflict;
    duplicates are silent.
    """
    for group in _groups(view):
        levels = [level for said in group if (level := _level(view, said)) is not None]
        yield from _levels(view, levels)
        yield from _bases(view, levels)
        yield from _lifts(view, group, levels)
    yield from _unknown_references(view)
    for plan in view.plans:
        yield from _deliverables(view, plan)
        yield from _finished(view, plan)


def _groups(view: View) -> list[list[Said]]:
    """Return the goals for each metric, scope and population."""
    found: dict[tuple, list[Said]] = {}
    for said in view.of(kinds=(GOAL,), level=False):
        s = said.statement
        if s.operation is not None:
            scope = None if s.reference else s.scope
            found.setdefault((said.metric.id, scope, s.population), []).append(said)
    return [group for group in found.values() if len(group) > 1]


def _level(view: View, said: Said) -> _Level | None:
    if said.is_level:
        return _Level(said, said.value, said.tolerance)
    reference = view.by_id(said.statement.reference or "")
    if said.unit != "multiple" or reference is None or not math.isfinite(reference.value):
        return None
    factor = said.value + (said.statement.reading == "times_more")
    return _Level(said, factor * reference.value, factor * reference.value * 0.005, reference)


def _key(level: _Level) -> tuple:
    s, m = level.said.statement, level.said.metric
    return (s.denominator or m.denominator, s.window_days or m.window, s.period or m.window, s.base)


def _levels(view: View, levels: list[_Level]) -> Iterator[Finding]:
    """Goals of one key: two levels at one date, one level at two dates, a later level that is worse."""
    keyed: dict[tuple, list[_Level]] = {}
    for level in levels:
        keyed.setdefault(_key(level), []).append(level)
    for group in keyed.values():
        by_date: dict[int | None, list[_Level]] = {}
        for level in group:
            by_date.setdefault(level.due, []).append(level)
        for same_date in by_date.values():
            yield from _two_levels(view, same_date)
        dated = sorted((level for level in group if level.due), key=lambda level: level.due)
        for before, after in pairwise(_one_a_month(dated)):
            if before.agrees(after) and before.said.statement.operation == after.said.statement.operation:
                yield _two_dates(before, after)
            elif _worse(before, after):
                yield _falls(before, after)


def _one_a_month(dated: Iterable[_Level]) -> list[_Level]:
    return list({level.due: level for level in dated}.values())


def _two_levels(view: View, levels: list[_Level]) -> Iterator[Finding]:
    apart = [(a, b) for a, b in combinations(levels, 2) if not a.agrees(b) and (_worded_alike(a, b) or _exclude(a, b))]
    if not apart:
        return
    involved = sorted({level for pair in apart for level in pair}, key=lambda x: (-x.value, x.said.id))
    high, low = involved[0], involved[-1]
    certain = low.due is not None and any(_exclude(a, b) for a, b in apart)
    figures = {"low": _figure(low), "high": _figure(high), "gap": _gap(low, high)}
    if low.due is not None:
        figures["due"] = month(low.due)
    said = [level.said for level in involved]
    yield Finding(
        "R03",
        CONTRADICTION if certain else STRAIN,
        "rules_sets.R03.levels" if low.due is None else "rules_sets.R03.levels_dated",
        figures,
        ids(*said),
        sections(*said),
        plans(*said),
        names={"metric": {"metric": low.said.metric.id}},
        repairs=_settle(low, high) if len(involved) == 2 else (Repair("binding_level", place(high.said)),),
        cost=1 - low.value / high.value if low.value > 0 else 0.0,
        extra=_level_extra(view, involved),
    )


def _worded_alike(one: _Level, other: _Level) -> bool:
    return one.said.statement.operation == other.said.statement.operation


def _settle(low: _Level, high: _Level) -> tuple[Repair, ...]:
    """Either level for both statements, in the unit in which the other one is stated."""
    return tuple(
        Repair("binding_level", place(changed.said), _as_stated(changed, kept.value))
        for changed, kept in ((high, low), (low, high))
    )


def _as_stated(level: _Level, value: float) -> Figure:
    if level.reference is None:
        return Figure(value, level.said.metric.unit)
    return Figure(value / level.reference.value, "multiple")


def _exclude(one: _Level, other: _Level) -> bool:
    """Whether no value satisfies both as worded, in one plan."""
    a, b = one.said, other.said
    if a.plan != b.plan or one.agrees(other):
        return False
    if one.reference or other.reference:
        return a.statement.operation == b.statement.operation == _EXACT
    slack = one.tolerance + other.tolerance
    return max(a.span[0], b.span[0]) > min(a.span[1], b.span[1]) + slack


def _figure(level: _Level) -> Figure:
    return Figure(level.value, level.said.metric.unit)


def _gap(low: _Level, high: _Level) -> Figure:
    unit = low.said.metric.unit
    return Figure(high.value - low.value, "points" if unit == "ratio" else unit)


def _level_extra(view: View, levels: list[_Level]) -> dict[str, float]:
    """What each level means in people, and against the level that the plan starts from."""
    extra = {}
    m, plan = levels[0].said.metric, levels[0].said.plan
    stock = view.goals(m.denominator or "", plan=plan) if m.denominator in catalogue() else []
    base = next((s.value for s in view.of(m.id, kinds=(BASELINE,), plan=plan)), math.nan)
    for k, level in enumerate(sorted(levels, key=lambda x: x.value), start=1):
        if stock:
            extra[f"level_{k}_of_{stock[0].metric.id}"] = level.value * stock[0].value
        if math.isfinite(base) and base:
            extra |= {f"level_{k}_less_start": level.value - base, f"level_{k}_to_start": level.value / base}
    if stock:
        values = [level.value for level in levels]
        extra["gap_in_people"] = (max(values) - min(values)) * stock[0].value
    return extra


def _two_dates(before: _Level, after: _Level) -> Finding:
    said = (before.said, after.said)
    return Finding(
        "R03",
        STRAIN,
        "rules_sets.R03.dates",
        {"level": _figure(before), "first": month(before.due), "second": month(after.due)},
        ids(*said),
        sections(*said),
        plans(*said),
        names={"metric": {"metric": before.said.metric.id}},
        repairs=(Repair("binding_date", place(after.said, "by_month"), month(before.due)),),
        extra={"months_apart": float(after.due - before.due)},
    )


def _worse(before: _Level, after: _Level) -> bool:
    if before.agrees(after):
        return False
    direction = before.said.metric.direction
    return (direction == "up" and after.value < before.value) or (direction == "down" and after.value > before.value)


def _falls(before: _Level, after: _Level) -> Finding:
    said = (after.said, before.said)
    figures = {"first": _figure(before), "first_due": month(before.due)}
    figures |= {"second": _figure(after), "second_due": month(after.due)}
    return Finding(
        "R03",
        STRAIN,
        "rules_sets.R03.falls",
        figures,
        ids(*said),
        sections(*said),
        plans(*said),
        names={"metric": {"metric": before.said.metric.id}},
        repairs=(Repair("binding_level", place(after.said), _as_stated(after, before.value)),),
    )


def _bases(view: View, levels: list[_Level]) -> Iterator[Finding]:
    """Rungs of one ladder that are shares of different wholes, and how much of the rise the first one takes."""
    dated = sorted((level for level in levels if level.due and _base(level)), key=lambda level: level.due)
    for before, after in pairwise(dated):
        if _base(before) == _base(after) or before.due == after.due:
            continue
        said = (before.said, after.said)
        figures = {
            "first": _figure(before),
            "first_due": month(before.due),
            "second": _figure(after),
            "second_due": month(after.due),
        }
        yield Finding(
            "R03",
            STRAIN,
            "rules_sets.R03.bases",
            figures,
            ids(*said),
            sections(*said),
            plans(*said),
            names={
                "metric": {"metric": before.said.metric.id},
                "first_base": _base_name(_base(before)),
                "second_base": _base_name(_base(after)),
            },
            repairs=(Repair("denominator", place(after.said, "denominator")),),
            extra=_front_loading(view, before, after),
        )


def _base(level: _Level) -> str | None:
    return level.said.statement.denominator


def _base_name(base: str) -> dict[str, str]:
    return {"metric": base} if base in catalogue() else {"metric": f"denominator_{base}"}


def _front_loading(view: View, before: _Level, after: _Level) -> dict[str, float]:
    """The rise to each rung and its part of the whole, from what the plan or else each case starts from."""
    m = before.said.metric
    own = [s.value for s in view.of(m.id, kinds=(BASELINE,), plan=before.said.plan)]
    starts = own or [c.statement.from_value for c in view.of(m.id, kinds=(CASE,)) if c.statement.from_value is not None]
    extra = {}
    for k, start in enumerate(starts, start=1):
        rise = after.value - start
        if rise > 0:
            extra |= {f"first_rise_{k}": before.value - start, f"second_rise_{k}": after.value - before.value}
            extra |= {
                f"first_part_{k}": (before.value - start) / rise,
                f"second_part_{k}": (after.value - before.value) / rise,
            }
    return extra


def _lifts(view: View, group: list[Said], levels: list[_Level]) -> Iterator[Finding]:
    """A rise on one's own base beside levels of the same figure: they agree from one base only."""
    lifts = [s for s in group if s.unit == "relative_change" and s.statement.base_value is None]
    if not lifts or not levels:
        return
    low, high = min(levels, key=lambda x: x.value), max(levels, key=lambda x: x.value)
    for lift in {round(s.value, 9): s for s in lifts}.values():
        factor = 1 + lift.value
        reference = low.reference
        extra = {"base_for_low": low.value / factor, "base_for_high": high.value / factor}
        if reference is not None:
            extra |= {"lift_of_reference": reference.value * factor}
            extra |= {f"{k}_to_reference": v / reference.value for k, v in list(extra.items())[:2]}
            cases = [c for c in view.of(lift.metric.id, kinds=(CASE,)) if math.isfinite(c.value)]
            extra |= {f"case_{k}_to_reference": c.value / reference.value for k, c in enumerate(cases, start=1)}
        said = [lift, *(level.said for level in levels)]
        figures = {"lift": ratio(lift.value, signed=True), "low": _figure(low), "high": _figure(high)}
        figures |= {"base_low": Figure(low.value / factor, lift.metric.unit)}
        figures |= {"base_high": Figure(high.value / factor, lift.metric.unit)}
        yield Finding(
            "R03",
            STRAIN,
            "rules_sets.R03.lift",
            figures,
            ids(*said),
            sections(*said),
            plans(*said),
            names={"metric": {"metric": lift.metric.id}},
            repairs=(Repair("own_base", place(lift, "base_value"), Figure(low.value / factor, lift.metric.unit)),),
            extra=extra,
        )


def _unknown_references(view: View) -> Iterator[Finding]:
    """Multiples of something that has no figure."""
    found: dict[tuple, list[Said]] = {}
    for said in view.of(kinds=(GOAL,), level=False):
        if said.unit == "multiple" and view.by_id(said.statement.reference or "") is None:
            found.setdefault((said.plan, said.metric.id, said.value), []).append(said)
    for (plan, metric_id, value), said in found.items():
        levels = [s.value for s in view.goals(metric_id, plan=plan) if s.statement.population is None]
        figures = {"multiple": multiple(value)}
        if levels and value:
            figures["implied"] = Figure(levels[0] / value, metric(metric_id).unit)
        yield Finding(
            "R03",
            QUESTION,
            "rules_sets.R03.reference_implied" if "implied" in figures else "rules_sets.R03.reference",
            figures,
            ids(*said),
            sections(*said),
            (plan,),
            names={"metric": {"metric": metric_id}},
            repairs=(Repair("reference", place(said[0], "reference")),),
        )


def _deliverables(view: View, plan: Plan) -> Iterator[Finding]:
    """One deliverable with two dates, and the stages that still work on it afterwards."""
    dates: dict[str, list] = {}
    for stone in plan.schedule.milestones:
        m = metric(stone.metric)
        if stone.by_month and m.kind == "date" and m.role == "cap" and stone.deadline_of is None:
            dates.setdefault(stone.metric, []).append(stone)
    for metric_id, stones in dates.items():
        ordered = sorted(stones, key=lambda stone: stone.by_month)
        first, last = ordered[0], ordered[-1]
        if first.by_month == last.by_month:
            continue
        later = [
            (other, stage)
            for other in view.plans
            for stage in other.schedule.stages
            if stage.months and metric_id in stage.contains and stage.months[0] > first.by_month
        ]
        figures = {"first": month(first.by_month), "second": month(last.by_month)}
        names = {"metric": {"metric": metric_id}}
        statements, where, of = [s.id for s in ordered], [s.source for s in ordered], [plan.id]
        extra = {"months_apart": float(last.by_month - first.by_month)}
        if later:
            other, stage = later[0]
            low, high = stage.months[0] - first.by_month, stage.months[1] - first.by_month
            figures |= {"from": month(stage.months[0]), "to": month(stage.months[1])}
            figures |= {"idle": months(low)}
            extra |= {"idle_months_least": float(low), "idle_months_most": float(high)}
            names["stage"] = {"bilingual": stage.name.model_dump()}
            statements, where, of = [*statements, stage.statement or stage.id], [*where, stage.source], [*of, other.id]
        yield Finding(
            "R03",
            STRAIN,
            "rules_sets.R03.delivered_then_worked_on" if later else "rules_sets.R03.delivered_twice",
            figures,
            tuple(dict.fromkeys(statements)),
            tuple(dict.fromkeys(where)),
            tuple(dict.fromkeys(of)),
            names=names,
            repairs=(Repair("binding_date", f"schedule.milestones.{last.id}.by_month", month(first.by_month)),),
            extra=extra,
        )


def _finished(view: View, plan: Plan) -> Iterator[Finding]:
    """A result that is due before the same plan raises it further."""
    for stone in plan.schedule.milestones:
        if not stone.deadline_of or not stone.by_month:
            continue
        own = [g for g in view.goals(stone.deadline_of, plan=plan.id, level=False) if _begins(g) > stone.by_month]
        if not own:
            continue
        stages = [
            (other, stage)
            for other in view.plans
            for stage in other.schedule.stages
            if stage.months and stone.deadline_of in stage.raises and stage.months[0] > stone.by_month
        ]
        begins = _begins(own[0])
        figures = {"due": month(stone.by_month), "from": month(begins), "to": month(own[0].statement.by_month)}
        extra = {"months_to_goal": float(begins - stone.by_month)}
        for k, (_, stage) in enumerate(stages, start=1):
            extra |= {f"months_to_stage_{k}": float(stage.months[0] - stone.by_month)}
            extra |= {f"stage_{k}_from": float(stage.months[0]), f"stage_{k}_to": float(stage.months[1])}
        yield Finding(
            "R03",
            STRAIN,
            "rules_sets.R03.finished",
            figures,
            (stone.id, *ids(*own), *(stage.statement or stage.id for _, stage in stages)),
            tuple(dict.fromkeys([stone.source, *sections(*own), *(stage.source for _, stage in stages)])),
            tuple(dict.fromkeys([plan.id, *(other.id for other, _ in stages)])),
            names={"metric": {"metric": stone.deadline_of}},
            repairs=(
                Repair("due_month", f"schedule.milestones.{stone.id}.by_month", month(own[0].statement.by_month)),
            ),
            extra=extra,
        )


def _begins(goal: Said) -> int:
    """Return the first month of the period that a dated goal is of, its month where it names no period."""
    due = goal.statement.by_month or 0
    return due - 5 if goal.statement.period == "half_year" else due
