"""R04: parts that exceed what they lie in, and shares that exceed a product of shares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

from planlib.consistency.finding import CONTRADICTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.stated import (
    down,
    floor,
    ids,
    least,
    multiple,
    number,
    place,
    planned,
    plans,
    ratio,
    sections,
    up,
    users,
    whole,
)
from planlib.consistency.view import BASELINE, CASE, GOAL, LIMIT, OTHER, Said, View
from planlib.core.metrics import Metric, bases, catalogue, metric, products
from planlib.plan import Plan

_CAPS = ("equals", "at_most", "below", "between")
_EXAMPLE = 0.7  # share of users shown where the plan states none: what a whole that is smaller than hoped would do


def containment(view: View) -> Iterator[Finding]:
    """R04: a part is larger than what it lies in.

    Test: A <= B for A subset of B; A <= 1-(1-B)^n where B counts single messages or visits and A people, n the
    tries that it takes; A <= product of the two factors that reckon it, at one date; interactions / engagement =
    views <= audience.
    Level: contradiction when the statements name the same denominator, amounts the same period, and B is no floor;
    else strain. Where no level of B is stated, strain with the level that B needs.
    Trap: B stated as a floor can be higher; a denominator with its own readings may rescue the order, which is then
    shown. Parts of a budget are R08's.
    """
    for plan in view.plans:
        stated = {said.metric.id for said in view.goals(plan=plan.id)}
        for m in catalogue().values():
            if m.id in stated and m.unit == "ratio" and m.axis is None:
                yield from _subset(view, plan, m)
            for names in _pairs(m.id) if m.id in stated or "product_of" in m.links else ():
                if stated.issuperset(names):
                    yield from _product(view, plan, m, names)
        yield from _missing(view, plan)
        yield from _audience(view, plan)


@cache
def _pairs(metric_id: str) -> tuple[tuple[str, str], ...]:
    """Return the declared ways to reckon a metric from two factors."""
    return tuple(names for names in products(metric_id) if len(names) == 2)


def _parts(view: View, plan: Plan, m: Metric) -> list[Said]:
    found = [s for s in whole(view.goals(m.id, plan=plan.id)) if floor(s) is not None]
    return list({round(s.value, 9): s for s in found}.values())


def _container(view: View, plan: Plan, metric_id: str) -> Said | None:
    """Return the level of what a part lies in: a goal, else what the plan quotes of today."""
    own = planned(view, plan.id, metric_id, (GOAL,))
    return own or next((s for s in view.of(metric_id, kinds=(BASELINE,), plan=plan.id) if s.value > 0), None)


def _subset(view: View, plan: Plan, m: Metric) -> Iterator[Finding]:
    inside = [b for name in m.links.get("subset_of", ()) if (b := _container(view, plan, name)) is not None]
    for part in _parts(view, plan, m):
        exceeded = [b for b in inside if least(part) > b.value + b.tolerance]
        tries = [b for b in exceeded if _single_tries(m, b.metric)]
        if tries:
            yield _by_tries(view, plan, part, tries[0])
        elif exceeded:
            yield _exceeds(view, part, exceeded)


def _single_tries(part: Metric, container: Metric) -> bool:
    """Whether the container counts single messages or visits while the part counts people."""
    stated = part.denominator or next(iter(part.denominator_readings), None)
    return container.denominator is not None and stated is not None and container.denominator != stated


def _exceeds(view: View, part: Said, exceeded: list[Said]) -> Finding:
    """The part against the first container, with the rest as rescue where they count those whom it leaves out."""
    b, others = exceeded[0], exceeded[1:]
    rescue = next((o for o in others if _counts_the_rest(o.metric, b.metric)), None)
    union = b.value + (1 - b.value) * rescue.value if rescue is not None else math.nan
    rescued = rescue is not None and union >= least(part)
    certain = not rescued and any(_same_whole(part, c) and c.statement.operation in _CAPS for c in exceeded)
    figures = {"part": ratio(part.value), "whole": ratio(b.value), "excess": Figure(part.value - b.value, "points")}
    names = {"metric": {"metric": part.metric.id}, "container": {"metric": b.metric.id}}
    extra = {f"container_{k}": o.value for k, o in enumerate(others, start=2)}
    if rescued:
        figures |= {"other": ratio(rescue.value), "union": ratio(union)}
        names |= {"other_name": {"metric": rescue.metric.id}}
    return Finding(
        "R04",
        CONTRADICTION if certain else STRAIN,
        "rules_sets.R04.subset_rescued" if rescued else "rules_sets.R04.subset",
        figures,
        ids(part, *exceeded),
        sections(part, *exceeded),
        plans(part, *exceeded),
        names=names,
        repairs=(
            Repair("goal", place(part), ratio(down(b.value))),
            Repair("container", place(b), ratio(up(part.value))),
            *((Repair("denominator", place(rescue, "denominator")),) if rescued else ()),
        ),
        cost=1 - b.value / part.value,
        extra=extra,
    )


def _counts_the_rest(other: Metric, container: Metric) -> bool:
    """Whether one reading of a rate counts only those whom the container leaves out."""
    known = bases("denominators")
    return any(reading in known and known[reading].less == container.id for reading in other.denominator_readings)


def _same_whole(part: Said, container: Said) -> bool:
    one, other = part.statement, container.statement
    return one.denominator is not None and one.denominator == other.denominator and one.period == other.period


def _by_tries(view: View, plan: Plan, part: Said, single: Said) -> Finding:
    """The part can exceed what one try reaches: how many tries would it take."""
    n = math.ceil(math.log(1 - part.value) / math.log(1 - single.value) - 1e-9) if part.value < 1 else math.inf
    figures = {
        "part": ratio(part.value),
        "single": ratio(single.value),
        "multiple": multiple(part.value / single.value),
        "n": number(n),
    }
    allowed = _sends_a_month(view, plan)
    reached = single.value if allowed is None else 1 - (1 - single.value) ** allowed
    extra = {} if allowed is None else {"tries_allowed_a_month": allowed, "reached_with_all_of_them": reached}
    return Finding(
        "R04",
        STRAIN,
        "rules_sets.R04.tries" if math.isfinite(n) else "rules_sets.R04.tries_never",
        {name: f for name, f in figures.items() if math.isfinite(f.value)},
        ids(part, single),
        sections(part, single),
        plans(part, single),
        names={"metric": {"metric": part.metric.id}, "container": {"metric": single.metric.id}},
        repairs=(
            Repair("goal", place(part), ratio(down(single.value))),
            Repair("tries", "", number(n) if math.isfinite(n) else None),
            Repair("denominator", place(part, "denominator")),
        ),
        cost=max(1 - reached / part.value, 0.0),
        extra=extra | _firms_beyond(view, part.metric, single.metric),
    )


def _sends_a_month(view: View, plan: Plan) -> float | None:
    """Return how many messages a month the plan's cap on pushing allows for each person."""
    caps = [s for s in view.of("push_frequency", kinds=(LIMIT,), plan=plan.id) if s.statement.scope is None]
    return min((s.span[1] * 30 / 7 for s in caps if math.isfinite(s.span[1])), default=None)


def _firms_beyond(view: View, part: Metric, container: Metric) -> dict[str, float]:
    """Firms in one section that have more of the part than of the container: their denominators must differ."""
    extra = {}
    for case in view.of(part.id, kinds=(CASE,)):
        told = (case.statement.scope, case.statement.source)
        for other in view.of(container.id, kinds=(CASE,)):
            if (other.statement.scope, other.statement.source) == told and case.value > other.value:
                extra |= {"case_part": case.value, "case_single": other.value}
    return extra


def _product(view: View, plan: Plan, m: Metric, names: tuple[str, ...]) -> Iterator[Finding]:
    own = [s for s in whole(view.goals(m.id, plan=plan.id)) if floor(s) is not None]
    for part in own:
        factors = [_factor(view, plan, name, part) for name in names]
        if any(f is None or not f.value for f in factors):
            continue
        if len({s.statement.period for s in (part, *factors) if s.statement.period}) > 1:
            continue
        product = math.prod(f.value for f in factors)
        slack = product * sum(f.tolerance / f.value for f in factors) + part.tolerance
        if part.span[0] <= product + slack:
            continue
        capped = all(f.statement.operation in _CAPS for f in factors)
        alike = all(_same_whole(part, f) if m.unit == "ratio" else _same_period(part, f) for f in factors)
        figures = {"part": Figure(part.value, m.unit), "product": Figure(product, m.unit)}
        figures |= {f"value_{k}": Figure(f.value, f.metric.unit) for k, f in enumerate(factors, start=1)}
        yield Finding(
            "R04",
            CONTRADICTION if capped and alike else STRAIN,
            "rules_sets.R04.product",
            figures,
            ids(part, *factors),
            sections(part, *factors),
            plans(part, *factors),
            names=_factor_names(m, factors),
            repairs=_product_repairs(part, factors, product),
            cost=1 - product / part.value,
        )
    factors = [planned(view, plan.id, name, (GOAL,)) for name in names]
    if not own and m.unit == "ratio" and "product_of" in m.links and None not in factors:
        yield from _unstated_product(view, plan, m, factors, math.prod(f.value for f in factors))


def _factor(view: View, plan: Plan, metric_id: str, part: Said) -> Said | None:
    """Return the goal for a factor at the date of the part, else without a date."""
    due = part.statement.by_month
    found = {s.statement.by_month: s for s in reversed(whole(view.goals(metric_id, plan=plan.id)))}
    return found.get(due) or found.get(None) or (next(iter(found.values()), None) if due is None else None)


def _same_period(part: Said, factor: Said) -> bool:
    """Whether an amount is of the period of the whole, and both say so; a price or a rate has none."""
    if factor.metric.divided:
        return True
    return part.statement.period is not None and part.statement.period == factor.statement.period


def _factor_names(m: Metric, factors: list[Said]) -> dict[str, dict[str, str]]:
    numbered = {f"factor_{k}": {"metric": f.metric.id} for k, f in enumerate(factors, start=1)}
    return {"metric": {"metric": m.id}} | numbered


def _product_repairs(part: Said, factors: list[Said], product: float) -> tuple[Repair, ...]:
    repairs = [Repair("goal", place(part), Figure(down(product), part.metric.unit))]
    for f in factors:
        needed = up(part.value / (product / f.value))
        high = f.metric.domain[1]
        if high is None or needed <= high:
            repairs.append(Repair("factor", place(f), Figure(needed, f.metric.unit)))
        else:
            repairs.append(Repair("factor", place(f), ceiling=Figure(product / f.value * high, part.metric.unit)))
    return tuple(repairs)


def _unstated_product(view: View, plan: Plan, m: Metric, factors: list[Said], product: float) -> Iterator[Finding]:
    """The product of two goals has no goal of its own; what others reached after a lift lies below or above it."""
    names = [n for n, other in catalogue().items() if m.id in other.links.get("reference", ()) and other.unit == m.unit]
    levels = [s for s in view.cases(*names)]
    lifts = [s for s in view.cases(*names, level=False) if s.unit == "relative_change"]
    reached = [(a, b, a.value * (1 + b.value), a.value + b.value) for a in levels for b in lifts]
    below = [entry for entry in reached if min(entry[2:]) < product <= max(entry[2:])]
    if not below:
        return
    case, lift, relative, points = below[0]
    figures = {f"value_{k}": ratio(f.value) for k, f in enumerate(factors, start=1)}
    figures |= {"product": ratio(product), "case": ratio(case.value), "lift": ratio(lift.value, signed=True)}
    figures |= {"relative": ratio(relative), "points": ratio(points)}
    found = [*factors, case, lift]
    yield Finding(
        "R04",
        STRAIN,
        "rules_sets.R04.product_unstated",
        figures,
        ids(*found),
        sections(*found),
        plans(*found),
        names=_factor_names(m, factors),
        repairs=(Repair("reading", ""), Repair("goal_of_product", "targets", ratio(down(product)))),
        cost=max(1 - relative / product, 0.0),
    )


def _missing(view: View, plan: Plan) -> Iterator[Finding]:
    """Shares that cannot exceed a driver whose level the plan does not state."""
    needing: dict[str, list[Said]] = {}
    for m in catalogue().values():
        for name in m.links.get("subset_of", ()):
            if m.unit == "ratio" and metric(name).role == "driver" and metric(name).unit == "ratio" and m.axis is None:
                needing.setdefault(name, []).extend(_parts(view, plan, m))
    for name, parts in needing.items():
        if not parts or view.of(name, plan=plan.id):
            continue
        low, top = min(parts, key=lambda s: s.value), max(parts, key=lambda s: s.value)
        extra = {f"needed_{s.metric.id}": s.value for s in parts} | {"example_base": _EXAMPLE}
        extra |= _example_products(view, plan, parts)
        yield Finding(
            "R04",
            STRAIN,
            "rules_sets.R04.missing",
            {"needed": ratio(top.value), "least": ratio(low.value)},
            ids(*parts),
            sections(*parts),
            plans(*parts),
            names={"container": {"metric": name}, "metric": {"metric": top.metric.id}},
            repairs=(Repair("container_level", "targets", ratio(top.value)),),
            extra=extra,
        )


def _example_products(view: View, plan: Plan, parts: list[Said]) -> dict[str, float]:
    """What becomes of a product of shares when one of them is held to the example share."""
    extra = {}
    for m in catalogue().values():
        factors = [planned(view, plan.id, n, (GOAL,)) for n in m.links.get("product_of", ())]
        if m.unit == "ratio" and len(factors) == 2 and all(factors) and any(f in parts for f in factors):
            extra[m.id] = math.prod(f.value for f in factors)
            extra[f"example_{m.id}"] = math.prod(min(f.value, _EXAMPLE) if f in parts else f.value for f in factors)
    return extra


def _audience(view: View, plan: Plan) -> Iterator[Finding]:
    """Interactions asked of one person against the people who can see it: interactions / engagement = views."""
    for rate in _goal_rates(view, plan):
        wanted = [s for s in view.of(rate.metric.numerator, kinds=(OTHER,)) if floor(s) and s.plan]
        group = _group_size(view, plan)
        for asked in wanted if group else ():
            size, stock, count = group
            views = asked.span[0] / rate.value
            if views <= size:
                continue
            found = [asked, rate, stock, count]
            figures = {
                "asked": number(asked.span[0]),
                "rate": ratio(rate.value),
                "views": number(views),
                "size": users(size),
                "groups": number(views / size),
            }
            yield Finding(
                "R04",
                STRAIN,
                "rules_sets.R04.audience",
                figures,
                ids(*found),
                sections(*found),
                plans(*found),
                names={"metric": {"metric": asked.metric.id}, "rate_name": {"metric": rate.metric.id}},
                repairs=(Repair("goal", place(asked), number(down(size * rate.value))), Repair("window", "")),
            )


def _goal_rates(view: View, plan: Plan) -> list[Said]:
    """Return the goals for rates whose numerator is itself a metric that is counted, views unstated."""
    return [
        s
        for s in whole(view.goals(plan=plan.id))
        if s.unit == "ratio" and s.metric.numerator in catalogue() and s.metric.denominator is None and s.value > 0
        if metric(s.metric.numerator).unit == "count"
    ]


def _group_size(view: View, plan: Plan) -> tuple[float, Said, Said] | None:
    """Return the average people in one group: the goal for a stock over the goal for its groups."""
    for m in catalogue().values():
        if m.unit == "users" and m.kind == "rate" and m.numerator in catalogue() and m.denominator in catalogue():
            stocks = [s for s in view.goals(m.numerator, plan=plan.id) if floor(s)]
            counts = view.goals(m.denominator, plan=plan.id)
            if stocks and counts and counts[0].value:
                return stocks[0].span[0] / counts[0].value, stocks[0], counts[0]
    return None
