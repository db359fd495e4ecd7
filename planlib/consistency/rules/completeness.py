"""Values that models, classes and goals need and that a plan does not give."""

from __future__ import annotations

from collections.abc import Iterator

from planlib.consistency.finding import Figure, Finding, Repair
from planlib.consistency.rules.made import Place, ask, bilingual
from planlib.consistency.rules.stated import firm, number, planned, ratio, whole
from planlib.consistency.view import BASELINE, CASE, GOAL, Said, View
from planlib.core.metrics import Metric, catalogue
from planlib.plan import Plan, leaves
from planlib.plan.model import Scheme

_NOT_OWN = ("assumption", "platform")
_CLASSES = ("segments", "tiers")
_SHOWN = 6  # names in a list of what is missing
# numbers that models reckon with -> the metric whose level they are
_QUANTITIES = {
    "baseline.opening_users": "opening_users",
    "baseline.aov": "aov",
    "baseline.total_gmv": "company_gmv",
    "baseline.gross_margin": "gross_margin",
    "budget.total": "budget_total",
    "users.churn": "churn_rate",
    "users.waking": "reactivation_rate",
    "users.conversion": "conversion_rate",
    "users.repurchase": "repurchase_rate",
}


def completeness(view: View) -> Iterator[Finding]:
    """R17: a value that a model, a class or a goal needs is not there.

    Test: dates with a level and levels with a month, a base, a denominator and an owner (SMART); classes with cuts;
    limits with a number; inputs of the models that the documents state. Level: question. Trap: what a plan assumes
    or a platform allows is not stated by the brand; a goal for users of a class is never the class's limit.
    """
    for plan in view.plans:
        yield from _dates_without_levels(view, plan)
        yield from _goals_without(view, plan)
        yield from _metrics_without_levels(view, plan)
        yield from _classes_without_cuts(view, plan)
        yield from _limit_without_number(view, plan)
        yield from _inputs(view, plan)


def _dates_without_levels(view: View, plan: Plan) -> Iterator[Finding]:
    rows = [row for row in plan.schedule.milestones if row.deadline_of]
    bare = [row for row in rows if not whole(view.goals(row.deadline_of, plan=plan.id))]
    if bare:
        yield ask(
            view,
            "R17.dates",
            [Place(row.id, row.source, plan.id) for row in bare],
            {"bare": number(len(bare)), "n": number(len(rows))},
            names={"plan": bilingual(plan.model.plan.title), "first": bilingual(bare[0].name)},
            repairs=[Repair("goal_level", "targets")],
        )


def _goals_without(view: View, plan: Plan) -> Iterator[Finding]:
    """Count what the goals lack: a month, for a change its base, for a share what it is of, somebody to answer."""
    goals = view.goals(plan=plan.id, level=False)
    lacks = {
        "month": [g for g in goals if g.statement.by_month is None],
        "base": [g for g in goals if not g.is_level and _based(g) is None],
        "denominator": [g for g in goals if g.metric.divided and not (g.metric.denominator or g.statement.denominator)],
        "owner": [g for g in goals if g.statement.owner is None],
    }
    if not any(lacks.values()):
        return
    every = view.goals(level=False)
    yield ask(
        view,
        "R17.goals",
        dict.fromkeys(goal for found in lacks.values() for goal in found),
        {name: number(len(found)) for name, found in lacks.items()} | {"n": number(len(goals))},
        names={"plan": bilingual(plan.model.plan.title)},
        repairs=[Repair("by_month", "targets")],
        extra={"all_without_month": sum(g.statement.by_month is None for g in every), "all_goals": len(every)},
    )


def _based(goal: Said) -> object:
    s = goal.statement
    return s.base or s.reference or s.base_value or s.from_value


def _classes_without_cuts(view: View, plan: Plan) -> Iterator[Finding]:
    schemes = [s for s in plan.users.schemes if s.kind in _CLASSES and s.axes]
    bare = [s for s in schemes if not s.cuts]
    if not bare:
        return
    extra = {}
    for s in bare:
        extra[f"cuts_needed_{s.id}"] = float(s.classes - 1 if len(s.axes) == 1 else len(s.axes))
        extra[f"named_{s.id}"] = float(_named(s))
        extra[f"classes_{s.id}"] = float(s.classes)
    named, classes = sum(_named(s) for s in bare), sum(s.classes for s in bare)
    yield ask(
        view,
        "R17.cuts",
        [Place(s.id, s.source, plan.id) for s in bare],
        {"bare": number(len(bare)), "n": number(len(schemes)), "needed": number(sum(
            v for k, v in extra.items() if k.startswith("cuts_"))), "named": number(named), "classes": number(classes)},
        names={"plan": bilingual(plan.model.plan.title)},
        repairs=[Repair("cuts", f"users.schemes.{bare[0].id}.cuts")],
        extra=extra,
    )  # fmt: skip


def _named(scheme: Scheme) -> int:
    return scheme.named if scheme.named is not None else len(scheme.labels)


def _metrics_without_levels(view: View, plan: Plan) -> Iterator[Finding]:
    """What a plan says that it steers by, as an outcome with a better side, and gives no number for."""
    named = [
        said
        for said in view.of(plan=plan.id, level=False)
        if said.path.startswith("users.rules") and said.statement.operation is None
        and said.metric.role == "outcome" and said.metric.unit != "none"
    ]  # fmt: skip
    if named:
        yield ask(
            view,
            "R17.levels",
            named,
            {"n": number(len(named))},
            names={"plan": bilingual(plan.model.plan.title), "first": {"metric": named[0].metric.id}},
            repairs=[Repair("goal_level", "targets")],
        )


def _limit_without_number(view: View, plan: Plan) -> Iterator[Finding]:
    """A limit on what is sent that nobody set, beside what going without one cost a case."""
    churn = planned(view, plan.id, "churn_rate", (GOAL,))
    for m in catalogue().values():
        if m.role != "cap" or not m.required_by or m.window is None or m.divided:
            continue
        mine = view.of(m.id, plan=plan.id, level=False)
        if any(s.statement.operation and s.statement.source not in _NOT_OWN for s in mine):
            continue
        worded = [s for s in mine if not s.statement.operation]
        cost = _exits(view)
        if not worded and churn is None:
            continue
        figures, involved = {}, [*worded, *([churn] if churn else [])]
        chain = "R17.limit"
        if cost is not None and churn is not None:
            exits, months, a_month = cost
            figures = {"exits": ratio(exits.value), "months": Figure(months.value, "months"), "a_month": ratio(a_month),
                       "churn": ratio(churn.value)}  # fmt: skip
            involved, chain = [*involved, exits, months], "R17.limit_cost"
        elif not worded:
            continue
        yield ask(
            view,
            chain,
            involved,
            figures,
            names={"metric": {"metric": m.id}, "plan": bilingual(plan.model.plan.title)},
            repairs=[Repair("limit", "limits.rules")],
            extra={"a_month": cost[2]} if cost else {},
        )


def _exits(view: View) -> tuple[Said, Said, float] | None:
    """Return a case's exits, the months that they took, and the share of one month."""
    cases = view.of(kinds=(CASE,))
    for exits in cases:
        if exits.metric.role != "cap" or "churn_rate" not in exits.metric.links.get("reference", ()):
            continue
        for months in cases:
            same = (firm(months), months.statement.source) == (firm(exits), exits.statement.source)
            if same and months.unit == "months" and months.value and exits.value < 1:
                return exits, months, 1 - (1 - exits.value) ** (1 / months.value)
    return None


def _inputs(view: View, plan: Plan) -> Iterator[Finding]:
    """Inputs of the models that no document states."""
    said = [s for s in view.of(plan=plan.id) if s.statement.source not in _NOT_OWN]
    stated = {s.metric.id for s in said}
    started = {s.metric.id for s in said if s.kind == BASELINE or s.statement.from_value is not None}
    found = dict(leaves(plan.model))
    for path, metric in _QUANTITIES.items():
        if path in found and found[path].source not in _NOT_OWN:
            stated.add(metric)
    if plan.users.seasonality or plan.budget.seasonality:
        stated.add("seasonality")
    if any(r.cost_per_year and r.cost_per_year.source not in _NOT_OWN for r in plan.team.roles.values()):
        stated.add("labour_cost_per_head")
    required = [m for m in catalogue().values() if m.required_by and m.kind != "date"]
    needed = [m for m in required if m.required_by != ("funnel.targets",)]  # the others are what it is all for
    missing = [m for m in needed if m.id not in stated]
    starts = [m for m in required if m.id in stated and m.id not in started and m.role != "cap" and _has_start(m)]
    if not missing:
        return
    extra = {f"missing_{m.id}": 1.0 for m in missing} | {f"missing_start_{m.id}": 1.0 for m in starts}
    for ladder in (s for s in said if s.metric.family == "cadence" and s.metric.role == "driver"):
        for climbed in ladder.metric.links.get("reference", ()):
            rungs = [g for g in view.goals(climbed, plan=plan.id) if g.statement.by_month]
            if ladder.unit == "months" and len(rungs) * ladder.value < plan.months:
                extra[f"missing_steps_{climbed}"] = plan.months / ladder.value - len(rungs)
    yield ask(
        view,
        "R17.inputs",
        [Place(f"{plan.id}.inputs", "", plan.id)],
        {"missing": number(len(missing)), "n": number(len(needed)), "starts": number(len(starts))},
        names={"plan": bilingual(plan.model.plan.title), "which": {"metrics": tuple(m.id for m in missing[:_SHOWN])}},
        repairs=[Repair("inputs")],
        cost=len(missing) / len(needed),
        extra=extra,
    )


def _has_start(m: Metric) -> bool:
    return m.kind == "stock" or (m.kind == "rate" and "funnel.targets" in m.required_by)
