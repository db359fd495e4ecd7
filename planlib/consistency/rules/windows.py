"""R12: whether cohorts, decisions and yearly shares have had the months that they are counted over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planlib.consistency.finding import STRAIN, Finding, Repair
from planlib.consistency.rules.intake import CHANNEL_FLOW, first_month
from planlib.consistency.rules.stated import (
    down,
    ids,
    month,
    months,
    number,
    place,
    plans,
    ratio,
    sections,
    whole,
)
from planlib.consistency.view import CASE, GOAL, OTHER, Said, View
from planlib.core.metrics import Metric, catalogue, metric
from planlib.plan import Plan

_YEAR = 12
_DAYS_IN_MONTH = 30
_DECIDES = "budget.reallocation"  # the room whose decisions need months of data by channel


@dataclass(frozen=True, slots=True)
class _Window:
    """Months over which a cohort is counted."""

    months: float
    id: str
    source: str
    plan: str
    path: str
    metric: Metric
    families: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Due:
    """When a figure is to be read."""

    month: int
    id: str
    source: str
    path: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class _Start:
    """The first month that takes in users, and the stage that says so."""

    month: int
    id: str
    source: str
    plan: str


def window_maturity(view: View) -> Iterator[Finding]:
    """R12: figures are due before the months that they are counted over have passed.

    Test: cohorts of start month s are complete at the end of month s + window; strain where fewer than half of the
    cohorts won by the due month are complete then, where a decision falls before one interval of data exists, and
    where a yearly share, earned only in the months after intake opens, has to exceed the next goal in them.
    Level: strain, since an earlier start or opening users would do.
    Trap: a stated opening base has cohorts of its own, so nothing is found beside one.
    """
    starts = [start for plan in view.plans if (start := _start(plan)) is not None]
    for window in _windows(view):
        plan = next(p for p in view.plans if p.id == window.plan)
        own = _start(plan) or _Start(1, "", "", plan.id)
        for start in [own, *(s for s in starts if s.plan != plan.id)]:
            for due in _dues(view, plan, window):
                yield from _cohorts(view, plan, window, start, due)
    for plan in view.plans:
        yield from _decisions(view, plan)
        yield from _yearly_share(view, plan)


def _start(plan: Plan) -> _Start | None:
    found = first_month(plan, metric(CHANNEL_FLOW))
    if found is None or plan.baseline.opening_users.central > 0:
        return None
    stage = found[1]
    return _Start(found[0], stage.statement or stage.id, stage.source, plan.id)


def _windows(view: View) -> Iterator[_Window]:
    for said in view.of(kinds=(GOAL, OTHER)):
        m = said.metric
        if m.kind == "duration" and said.unit == "months" and m.role == "cap" and said.plan and _rates(m):
            length = said.span[1] if math.isfinite(said.span[1]) else said.value
            families = frozenset(family for rate in _rates(m) if (family := rate.family))
            yield _Window(length, said.id, said.statement.source, said.plan, place(said), m, families)
    for plan in view.plans:
        for scheme in plan.users.schemes:
            m = metric(scheme.metric)
            days = max((cut for cuts in scheme.cuts.values() for cut in cuts), default=0)
            if m.kind == "duration" and m.unit == "days" and days:
                families = frozenset(rate.family for rate in _rates(m) if rate.family)
                path = f"users.schemes.{scheme.id}.cuts"
                yield _Window(days / _DAYS_IN_MONTH, scheme.id, scheme.source, plan.id, path, m, families)


def _rates(m: Metric) -> list[Metric]:
    """Return the rates that a window is the window of."""
    return [rate for name in m.links.get("reference", ()) if (rate := metric(name)).kind == "rate"]


def _dues(view: View, plan: Plan, window: _Window) -> list[_Due]:
    """Return the dates of the goals of the window's family, the plan's last month where none is dated."""
    found = [
        _Due(said.statement.by_month, said.id, said.statement.source, place(said, "by_month"), said.metric)
        for said in whole(view.goals(plan=plan.id, level=False))
        if said.statement.by_month and said.metric.family in window.families
    ]
    for stone in plan.schedule.milestones:
        if stone.deadline_of and stone.by_month and metric(stone.deadline_of).family in window.families:
            path = f"schedule.milestones.{stone.id}.by_month"
            found.append(_Due(stone.by_month, stone.id, stone.source, path, metric(stone.deadline_of)))
    rate = _rates(window.metric)[-1]
    return found or [_Due(plan.months, window.id, window.source, "plan.months", rate)]


def _cohorts(view: View, plan: Plan, window: _Window, start: _Start, due: _Due) -> Iterator[Finding]:
    length = math.ceil(window.months)
    cohorts = due.month - start.month + 1
    complete = max(due.month - length - start.month + 1, 0)
    if cohorts < 1 or 2 * complete >= cohorts:
        return
    figures = {
        "window": months(length),
        "start": month(start.month),
        "due": month(due.month),
        "first": month(start.month + length),
        "complete": number(complete),
        "cohorts": number(cohorts),
    }
    extra = {f"complete_after_{w:g}": start.month + w for w in sorted({math.ceil(o.months) for o in _windows(view)})}
    extra |= {"oldest_cohort_months": cohorts, "last_complete_cohort": due.month - length}
    fits = cohorts // 2
    repairs = [Repair("due_month", due.path, month(start.month + 2 * length - 1))]
    repairs += [Repair("window", window.path, months(fits))] if fits else []
    yield Finding(
        "R12",
        STRAIN,
        "rules_users.R12.cohorts",
        figures,
        tuple(dict.fromkeys(x for x in (due.id, window.id, start.id) if x)),
        tuple(dict.fromkeys(x for x in (due.source, window.source, start.source) if x)),
        tuple(dict.fromkeys((plan.id, start.plan))),
        names={"metric": {"metric": due.metric.id}},
        repairs=tuple(repairs),
        cost=min(length / plan.months, 1.0),
        extra={name: float(value) for name, value in extra.items()},
    )


def _decisions(view: View, plan: Plan) -> Iterator[Finding]:
    """Regular decisions on channels of which the first come before a whole interval of their data."""
    start = _start(plan)
    for said in view.of(kinds=(OTHER, GOAL), plan=plan.id) if start else ():
        m = said.metric
        if m.kind != "duration" or m.unit != "months" or _DECIDES not in m.required_by:
            continue
        step = said.value
        points = [t for k in range(1, _YEAR + 1) if (t := round(k * step)) < min(_YEAR, plan.months)]
        data = {t: max(t - start.month + 1, 0) for t in points}
        early = [t for t in points if data[t] < step]
        if not early:
            continue
        full = next((t for t in points if data[t] >= step), math.ceil((start.month - 1 + step) / step) * step)
        figures = {
            "interval": months(step),
            "start": month(start.month),
            "early": number(len(early)),
            "points": number(len(points)),
            "full": month(full),
        }
        yield Finding(
            "R12",
            STRAIN,
            "rules_users.R12.decisions",
            figures,
            (said.id, start.id),
            tuple(dict.fromkeys([said.statement.source, start.source])),
            (plan.id,),
            names={"metric": {"metric": m.id}},
            repairs=(Repair("first_decision", "", month(full)),),
            cost=(full - points[0]) / plan.months,
            extra={f"months_of_data_m{t}": float(n) for t, n in data.items()},
        )


def _yearly_share(view: View, plan: Plan) -> Iterator[Finding]:
    """A share of a year's sales that only the months after intake opens can earn."""
    start = _start(plan)
    for goal in whole(view.goals(plan=plan.id)) if start else ():
        due = goal.statement.by_month
        if goal.statement.period != "year" or goal.unit != "ratio" or not due or not _of_sales(goal.metric):
            continue
        closed = min(max(start.month - 1 - max(due - _YEAR, 0), 0), _YEAR)
        later = _next_goal(view, goal)
        limit = later.value if later else 1.0
        if not 0 < closed < _YEAR:
            continue
        needed = goal.span[0] * _YEAR / (_YEAR - closed)
        if needed <= limit + (later.tolerance if later else 0.0):
            continue
        figures = {
            "goal": ratio(goal.value),
            "due": month(due),
            "start": month(start.month),
            "open": number(_YEAR - closed),
            "needed": ratio(needed),
        }
        if later:
            figures |= {"next": ratio(limit), "next_due": month(later.statement.by_month)}
        found = [goal, *([later] if later else [])]
        yield Finding(
            "R12",
            STRAIN,
            "rules_users.R12.share_next" if later else "rules_users.R12.share",
            figures,
            (*ids(*found), start.id),
            tuple(dict.fromkeys([*sections(*found), start.source])),
            plans(*found),
            names={"metric": {"metric": goal.metric.id}},
            repairs=(Repair("goal", place(goal), ratio(down(limit * (_YEAR - closed) / _YEAR))),),
            cost=1 - limit / needed,
            extra=_with_case_start(view, goal, closed),
        )


def _of_sales(m: Metric) -> bool:
    return m.kind == "rate" and m.numerator in catalogue() and metric(m.numerator).kind == "money"


def _next_goal(view: View, goal: Said) -> Said | None:
    later = [
        g
        for g in whole(view.goals(goal.metric.id, plan=goal.plan))
        if g.statement.by_month and g.statement.by_month > goal.statement.by_month
    ]
    return min(later, key=lambda g: g.statement.by_month, default=None)


def _with_case_start(view: View, goal: Said, closed: int) -> dict[str, float]:
    """What the open months need if the closed ones sell as much as a case did at its start."""
    extra = {}
    for k, case in enumerate(view.of(goal.metric.id, kinds=(CASE,)), start=1):
        before = case.statement.from_value
        if before is not None:
            extra[f"needed_from_case_{k}"] = (goal.span[0] * _YEAR - before * closed) / (_YEAR - closed)
    return extra
