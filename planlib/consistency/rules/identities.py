"""R05 and R06: shares that have to make one, products that have to come out, parts that have to make the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator

from planlib.consistency.finding import CONTRADICTION, QUESTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.intake import CHANNEL_FLOW, intake
from planlib.consistency.rules.stated import (
    down,
    firm,
    floor,
    ids,
    least,
    multiple,
    number,
    people,
    place,
    planned,
    plans,
    ratio,
    sections,
    users,
    whole,
)
from planlib.consistency.view import BASELINE, CASE, GOAL, OTHER, Said, View
from planlib.core.metrics import Metric, axes, catalogue, metric, parts
from planlib.plan import Plan

_DAYS_IN_YEAR = 360  # twelve months of thirty days, as windows count
_YEAR = 12


# ---- R05 -------------------------------------------------------------------------------------------------------------
def identity(view: View) -> Iterator[Finding]:
    """R05: figures that are tied by an identity do not come out.

    Test: 1 - A = B for complements; new / (new + repeat) >= its floor, from intake, conversion, repurchase and
    repeat orders; conversion = reach x (1 - abandonment) over a case's before and after.
    Level: complements that name the same window, denominator and period: contradiction; untagged: question. The
    new share and case pairs: strain.
    Trap: retention and churn may speak of two states; the repeat orders are compared with the most that the floor
    allows, (1/n - 1)/r, at equal order value.
    """
    for plan in view.plans:
        yield from _complements(view, plan)
        yield from _new_share(view, plan)
    yield from _case_products(view)


def _complements(view: View, plan: Plan) -> Iterator[Finding]:
    done = set()
    for m in catalogue().values():
        for name in m.links.get("complement_of", ()):
            pair = frozenset((m.id, name))
            for kind in (GOAL, BASELINE) if pair not in done else ():
                one, other = _level_of(view, plan, m.id, kind), _level_of(view, plan, name, kind)
                if one is not None and other is not None:
                    wanted = other.metric.direction == "up" and one.metric.direction != "up"
                    yield from _complement(view, *((other, one) if wanted else (one, other)))
            done.add(pair)


def _level_of(view: View, plan: Plan, metric_id: str, kind: str) -> Said | None:
    return next(iter(whole(view.of(metric_id, kinds=(kind,), plan=plan.id))), None)


def _complement(view: View, one: Said, other: Said) -> Iterator[Finding]:
    rest = 1 - one.value
    if abs(rest - other.value) <= one.tolerance + other.tolerance:
        return
    exact = one.statement.operation == other.statement.operation == "equals"
    figures = {"one": ratio(one.value), "rest": ratio(rest), "other": ratio(other.value)}
    figures["needed"] = ratio(1 - other.value)
    extra = {"rest_to_other": rest / other.value} if other.value else {}
    cases = [c.value for c in view.of(one.metric.id, kinds=(CASE,)) if math.isfinite(c.value)]
    if cases:
        extra["best_case"] = max(cases) if one.metric.direction != "down" else min(cases)
    yield Finding(
        "R05",
        CONTRADICTION if exact and _same_tags(one, other) else QUESTION,
        "rules_sets.R05.complement",
        figures,
        ids(one, other),
        sections(one, other),
        plans(one, other),
        names={"metric": {"metric": one.metric.id}, "other_metric": {"metric": other.metric.id}},
        repairs=(
            Repair("window", place(one, "window_days")),
            Repair("window", place(other, "window_days")),
            Repair("complement", place(one), ratio(1 - other.value)),
        ),
        extra=extra,
    )


def _same_tags(one: Said, other: Said) -> bool:
    """Whether both statements name window or period and denominator, and the same ones."""
    a, b = one.statement, other.statement
    window, base = (a.window_days or a.period), (b.window_days or b.period)
    return None not in (window, a.denominator) and (window, a.denominator) == (base, b.denominator)


def _new_share(view: View, plan: Plan) -> Iterator[Finding]:
    """A floor on the share of sales from new buyers against repeat orders."""
    goal = _axis_share(view, plan)
    repeat = planned(view, plan.id, "repurchase_rate", (GOAL,))
    flow = intake(view, plan, metric(CHANNEL_FLOW))
    conversion = planned(view, plan.id, "conversion_rate", (GOAL,))
    orders = _orders_a_year(view, plan)
    if None in (goal, repeat, orders) or not repeat.value or not 0 < goal.span[0] < 1:
        return
    stated, often = orders
    most = (1 / goal.span[0] - 1) / repeat.value
    share = 1 / (1 + repeat.value * often)
    if share >= least(goal):
        return
    extra = {"share_at_one_order": 1 / (1 + repeat.value)}
    if flow is not None and conversion is not None:
        new = flow.amount.value * _YEAR * conversion.value
        extra |= {"new_buyers": new, "repeat_buyers": new * repeat.value, "repeat_orders": new * repeat.value * often}
    found = [goal, repeat, stated]
    yield Finding(
        "R05",
        STRAIN,
        "rules_sets.R05.new_share",
        {
            "goal": ratio(goal.span[0]),
            "repeat": ratio(repeat.value),
            "orders": number(often),
            "share": ratio(share),
            "most": number(most),
        },
        ids(*found),
        sections(*found),
        plans(*found),
        names={"metric": {"metric": goal.metric.id}},
        repairs=(
            Repair("repeat_orders", place(stated), number(down(most))),
            Repair("repurchase", place(repeat), ratio(down((1 / goal.span[0] - 1) / often))),
            Repair("goal", place(goal), ratio(down(share))),
        ),
        cost=1 - share / goal.span[0],
        extra=extra,
    )


def _axis_share(view: View, plan: Plan) -> Said | None:
    """Return the floor on the share of one part of sales along the axis of purchase."""
    for said in whole(view.goals(plan=plan.id)):
        m = said.metric
        if m.axis == "purchase" and said.unit == "ratio" and m.numerator in parts(m.denominator or "", "purchase"):
            return said if floor(said) is not None else None
    return None


def _orders_a_year(view: View, plan: Plan) -> tuple[Said, float] | None:
    """Return what is said of repeat orders in a window, this plan's own before others', and what it makes a year."""
    found = view.of("orders_per_repeat_buyer", "repurchase_count", kinds=(GOAL, OTHER))
    for said in sorted(found, key=lambda s: s.plan != plan.id):
        window = said.statement.window_days or said.metric.window
        if window and said.plan and floor(said) is not None:
            return said, said.span[0] * _DAYS_IN_YEAR / window
    return None


def _case_products(view: View) -> Iterator[Finding]:
    """A firm's rise of a product beside the change of one factor: what the other factor must have done."""
    for m in catalogue().values():
        factors = m.links.get("product_of", ())
        if len(factors) != 2:
            continue
        for lift in view.of(m.id, kinds=(CASE,), level=False):
            if lift.unit != "relative_change" or not math.isfinite(lift.value):
                continue
            for changed, other in (factors, factors[::-1]):
                pair = _before_after(view, changed, lift)
                if pair is not None:
                    yield from _case_product(m, lift, pair, metric(changed), metric(other))


def _before_after(view: View, factor: str, beside: Said) -> tuple[Said, float, float] | None:
    """Return what a firm's factor was before and after, from the factor itself or its complement."""
    told = (beside.statement.scope, beside.statement.source)
    complements = metric(factor).links.get("complement_of", ())
    for name in (factor, *complements):
        for case in view.of(name, kinds=(CASE,)):
            before = case.statement.from_value
            if before is not None and (case.statement.scope, case.statement.source) == told:
                turned = name in complements
                return case, (1 - before if turned else before), (1 - case.value if turned else case.value)
    return None


def _case_product(m: Metric, lift: Said, pair, changed: Metric, other: Metric) -> Iterator[Finding]:
    case, before, after = pair
    if not before or not after:
        return
    factor, rise = after / before, 1 + lift.value
    implied = rise / factor
    if abs(implied - 1) <= 0.05:
        return
    yield Finding(
        "R05",
        STRAIN,
        "rules_sets.R05.case_product",
        {
            "before": ratio(before),
            "after": ratio(after),
            "factor": multiple(factor),
            "rise": multiple(rise),
            "implied": ratio(implied),
        },
        ids(case, lift),
        sections(case, lift),
        names={
            "metric": {"metric": m.id},
            "changed": {"metric": changed.id},
            "other": {"metric": other.id},
            "firm": {"bilingual": lift.statement.name.model_dump()} if lift.statement.name else {"text": firm(lift)},
        },
        repairs=(Repair("denominator", ""),),
    )


# ---- R06 -------------------------------------------------------------------------------------------------------------
def parts_whole(view: View) -> Iterator[Finding]:
    """R06: parts do not make up their whole.

    Test: sum of the lowest <= whole <= sum of the highest, for the roles of a closed list and the team, for the
    channels and the stated intake, for goals along an axis that is exhaustive (their sum else at most the whole).
    Level: contradiction when the list says that it is complete and the whole has no date of its own, and along an
    axis; strain when the whole has a date (the list may be the start), when the list is open, and for channels,
    which never say that they are all; question when nothing says whether the list is complete.
    Trap: shares of the budget are R08's; a date on the whole makes the list the squad that starts.
    """
    for plan in view.plans:
        yield from _team(view, plan)
        yield from _channels(view, plan)
        yield from _axes(view, plan)


def _team(view: View, plan: Plan) -> Iterator[Finding]:
    listed = {name: role for name, role in plan.team.roles.items() if role.people is not None}
    size = _team_size(view, plan)
    if size is None or not listed or len(listed) < len(plan.team.roles):
        return
    low = sum(_ends(role.people)[0] for role in listed.values())
    high = sum(_ends(role.people)[1] for role in listed.values())
    least_size, most_size = _ends(size.statement.level)
    if size.statement.operation in ("at_least", "above"):
        most_size = math.inf
    if size.statement.operation in ("at_most", "below"):
        least_size = 0.0
    if low <= most_size and high >= least_size:
        return
    short = high < least_size
    level = CONTRADICTION if plan.team.exhaustive else QUESTION if plan.team.exhaustive is None else STRAIN
    if level == CONTRADICTION and size.statement.by_month:
        level = STRAIN
    team, edge = size.value, high if short else low
    figures = {"low": people(low), "high": people(high), "team": people(team), "gap": people(abs(team - edge))}
    extra = {
        "gap_most": team - low,
        "gap_least": team - high,
        "listed_share_low": low / team,
        "listed_share_high": high / team,
        "gap_share_low": 1 - high / team,
        "gap_share_high": 1 - low / team,
    }
    first = min((s.months for s in plan.schedule.stages if s.months), default=None)
    if first:
        extra["hires_a_month_in_first_stage"] = team / (first[1] - first[0] + 1)
    sources = [size.statement.source, *(role.source for role in listed.values())]
    yield Finding(
        "R06",
        level,
        "rules_sets.R06.team",
        figures,
        (size.id, *(role.id or f"team.roles.{name}" for name, role in listed.items())),
        tuple(dict.fromkeys(s for s in sources if s != "assumption")),
        (plan.id,),
        repairs=(
            Repair("team_size", place(size), people(high if short else low)),
            Repair("listed_people", "team.roles", people(team)),
            Repair("list_is_start", place(size, "by_month")),
        ),
        cost=1 - high / team if short else 0.0,
        extra=extra,
    )


def _team_size(view: View, plan: Plan) -> Said | None:
    found = [s for s in view.of(plan=plan.id) if s.metric.id == "team_size" and s.kind in (GOAL, OTHER)]
    return next((s for s in found if s.statement.scope is None), None)


def _ends(level: float | tuple[float, float]) -> tuple[float, float]:
    return level if isinstance(level, tuple) else (level, level)


def _channels(view: View, plan: Plan) -> Iterator[Finding]:
    """The channels' intake against the stated one."""
    said = planned(view, plan.id, CHANNEL_FLOW, (GOAL,))
    spans = [c.intake.span or (c.intake.central,) * 2 for c in plan.channels if c.intake is not None]
    if said is None or len(spans) < len(plan.channels) or any(c.intake.period for c in plan.channels):
        return
    low, high = (sum(span[end] for span in spans) for end in (0, 1))
    wanted_low, wanted_high = said.span
    if low <= wanted_high + said.tolerance and high >= wanted_low - said.tolerance:
        return
    middle = sum(c.intake.central for c in plan.channels)
    yield Finding(
        "R06",
        STRAIN,
        "rules_sets.R06.channels",
        {"low": users(low), "high": users(high), "stated": users(said.value), "n": number(len(spans))},
        (said.id, *(f"channels.{c.id}" for c in plan.channels)),
        sections(said),
        (plan.id,),
        names={"metric": {"metric": said.metric.id}},
        repairs=(
            Repair("intake", place(said), Figure(middle, said.unit)),
            Repair("channels", "channels", Figure(said.value, said.unit)),
        ),
        cost=max(1 - high / said.value, 0.0) if said.value else 0.0,
    )


def _axes(view: View, plan: Plan) -> Iterator[Finding]:
    """Goals for parts of one whole along one axis, as amounts or as shares."""
    for axis, complete in axes().items():
        if axis in ("cost_type", "purpose", "tech_item"):  # the budget's, R08
            continue
        yield from _amounts(view, plan, axis, complete)
        yield from _shares(view, plan, axis, complete)


def _amounts(view: View, plan: Plan, axis: str, complete: bool) -> Iterator[Finding]:
    wholes = {w for m in catalogue().values() if m.axis == axis for w in m.links.get("part_of", ())}
    for name in sorted(wholes):
        for whole_goal in whole(view.goals(name, plan=plan.id)):
            due = whole_goal.statement.by_month
            goals = [_at(view, plan, part, due) for part in parts(name, axis)]
            found = [g for g in goals if g is not None]
            if len(found) >= 2:
                yield from _sum(
                    found, whole_goal, (whole_goal.span, whole_goal.tolerance), complete and None not in goals
                )


def _shares(view: View, plan: Plan, axis: str, complete: bool) -> Iterator[Finding]:
    by_whole: dict[tuple, list[Said]] = {}
    for said in whole(view.goals(plan=plan.id)):
        m = said.metric
        if m.axis == axis and said.unit == "ratio" and m.denominator and m.family is None:
            by_whole.setdefault((m.denominator, said.statement.by_month), []).append(said)
    for (base, _), goals in by_whole.items():
        found = list({g.metric.id: g for g in goals}.values())
        every = [m.id for m in catalogue().values() if m.axis == axis and m.denominator == base and m.unit == "ratio"]
        if len(found) >= 2:
            yield from _sum(found, None, ((1.0, 1.0), 0.0), complete and len(found) == len(every))


def _at(view: View, plan: Plan, metric_id: str, due: int | None) -> Said | None:
    return next((g for g in whole(view.goals(metric_id, plan=plan.id)) if g.statement.by_month == due), None)


def _sum(found: list[Said], of: Said | None, limits, complete: bool) -> Iterator[Finding]:
    (low_limit, high_limit), slack = limits
    slack += sum(g.tolerance for g in found)
    low = sum(max(g.span[0], 0.0) for g in found)
    high = sum(g.span[1] for g in found)
    over, under = low > high_limit + slack, complete and high < low_limit - slack
    if not (over or under):
        return
    unit = found[0].metric.unit
    target = high_limit if over else low_limit
    every = [*([of] if of else []), *found]
    yield Finding(
        "R06",
        CONTRADICTION,
        "rules_sets.R06.parts_exceed" if over else "rules_sets.R06.parts_fall_short",
        {"sum": Figure(low if over else high, unit), "whole": Figure(target, unit), "n": number(len(found))},
        ids(*every),
        sections(*every),
        plans(*every),
        names={"metric": {"metric": of.metric.id} if of else {"metric": found[0].metric.id}},
        repairs=tuple(
            Repair("part", place(g), Figure(rest, unit))
            for g in found
            if (rest := target - ((low if over else high) - g.value)) >= 0
        ),
        cost=0.0 if over else 1 - high / low_limit,
    )
