"""What the budget notebook calculates with, taken out of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.periods import monthly_rate
from planlib.core.words import LOCALES, words
from planlib.plan.inputs import goals, intake_levels, open_months, per_month, repeat_orders, season
from planlib.plan.load import Plan
from planlib.plan.model import Channel, Quantity, Rule
from planlib.plan.uncertain import distribution

_MONTHS = {"day": 12 / 365, "week": 12 / 52, "month": 1, "quarter": 3, "half_year": 6, "year": 12}


@dataclass(frozen=True, eq=False)
class BudgetInputs:
    """Args:
    ids: (K,) categories whose shares make up the whole budget.
    names: (K,) in both languages.
    bands: id -> (low, high).
    sources: (K,) sections.
    year_cny: budget of twelve months.
    horizon_cny: budget of the whole plan.
    weights: (T,) of the months, 1 on average over a year.
    """

    ids: tuple[str, ...]
    names: tuple[Mapping[str, str], ...]
    bands: Mapping[str, tuple[float, float]]
    sources: tuple[str, ...]
    year_cny: float
    horizon_cny: float
    weights: np.ndarray


def budget_inputs(plan: Plan) -> BudgetInputs:
    """Return the budget of a plan; a total without period is for the whole plan."""
    bands = {key: band for key, band in plan.budget.bands.items() if band.axis == "cost_type"}
    total = plan.budget.total
    months = _MONTHS[total.period] if total.period else plan.months
    first = int(plan.start[5:]) - 1
    season = np.array(plan.budget.seasonality or np.ones(12))
    weights = season[(first + np.arange(plan.months)) % 12] / season.mean()
    return BudgetInputs(
        ids=tuple(bands),
        names=tuple(category_name(key, band) for key, band in bands.items()),
        bands={key: band.between for key, band in bands.items()},
        sources=tuple(band.source for band in bands.values()),
        year_cny=total.central / months * 12,
        horizon_cny=total.central / months * plan.months,
        weights=weights,
    )


def category_name(key: str, band) -> dict[str, str]:
    """Return a category's name: the plan's own, else the usual one, else its id."""
    if band.name is not None:
        return band.name.model_dump()
    known = f"budget.category.{key}"
    return {locale: words(locale).text(known) if words(locale).has(known) else key for locale in LOCALES}


@dataclass(frozen=True, slots=True)
class AcquisitionInputs:
    """Args:
    intake: people a month once every channel is open.
    paid: of these, through paid channels.
    cac_cny: highest cost of a new user that the plan allows, and the section that says so.
    marketing: id of the category that pays for it.
    """

    intake: float
    paid: float
    cac_cny: float
    cac_source: str
    marketing: str


def acquisition_inputs(plan: Plan) -> AcquisitionInputs | None:
    """Return what acquisition may cost, or None when the plan states no cost cap or no marketing money."""
    rows = [channel for channel in plan.channels if channel.intake is not None]
    caps = [target for target in plan.targets if target.metric == "cac" and target.operation in ("at_most", "below")]
    if not rows or not caps or "marketing" not in plan.budget.bands:
        return None
    strictest = min(caps, key=lambda target: target.level)
    return AcquisitionInputs(
        intake=sum(channel.intake.central for channel in rows),
        paid=sum(channel.intake.central for channel in rows if channel.paid),
        cac_cny=float(strictest.level),
        cac_source=strictest.source,
        marketing="marketing",
    )


HOME = "marketing"  # the category that pays for channels
LABOUR = "labour"
TRIAL_RETURNS = (1.0, 1.5, 2.0)


@dataclass(frozen=True, eq=False)
class AllocationInputs:
    """What an allocation needs of a plan, or why there can be none.

    Args:
        reason: "" or an id: no_response (no channel says what its money brings), no_marketing (no band that pays
            for channels).
        arguments: of `planlib.budget.case.Case`, whose limits, years and fixed lines are plain rows of its records.
        names: {id: name in both languages} of channels and categories.
        rule_names: {rule: name in both languages}, of the plan's rules that have one.
        enforced, open_rules: ids of the plan's rules that the allocation keeps, and of those that it cannot keep.
        left_out: paid channels without a curve.
    """

    reason: str
    arguments: Mapping[str, Any]
    names: Mapping[str, Mapping[str, str]]
    rule_names: Mapping[str, Mapping[str, str]]
    enforced: tuple[str, ...]
    open_rules: tuple[str, ...]
    left_out: tuple[str, ...]


def allocation_inputs(plan: Plan) -> AllocationInputs:
    """Return the arguments of an allocation of a plan's money.

    A channel with a response curve can be bought; one that is not paid for and has no curve brings its intake free.
    What a channel without limits can take is the budget of a year. Margin and GMV of a user: conversion x order value
    x (1 + repurchase x orders of a repeat buyer), the first window of repeat orders and no discount; the margin is
    that times the plan's gross margin.
    """
    bands = {key: band.between for key, band in plan.budget.bands.items() if band.axis == "cost_type"}
    bought = [c for c in plan.channels if c.response is not None]
    reason = "" if bought and HOME in bands else "no_response" if not bought else "no_marketing"
    limits, enforced, unknown = _limits(plan, {c.id for c in bought}, bands)
    given = budget_inputs(plan)
    gmv = _gmv_of_a_user(plan)
    margin = plan.baseline.gross_margin
    return AllocationInputs(
        reason=reason,
        arguments=_arguments(plan, bought, bands, given)
        | {
            "limits": limits,
            "gmv_cny": gmv,
            "margin_cny": gmv * (1.0 if margin is None else margin.central),
        },
        names={c.id: c.name.model_dump() for c in plan.channels} | dict(zip(given.ids, given.names, strict=True)),
        rule_names={rule.id: rule.name.model_dump() for rule in plan.budget.rules if rule.name},
        enforced=enforced,
        open_rules=unknown,
        left_out=tuple(c.id for c in plan.channels if c.paid and c.response is None),
    )


def _arguments(plan: Plan, bought: list[Channel], bands: Mapping, given: BudgetInputs) -> dict[str, Any]:
    every, opened, factor = list(plan.channels), open_months(plan), season(plan)
    column = [every.index(c) for c in bought]
    level = intake_levels(plan)
    free = [i for i, c in enumerate(every) if c.response is None and not c.paid]
    years = [(first, min(first + 11, plan.months)) for first in range(1, plan.months + 1, 12)]
    if plan.budget.total.period is None:
        years = [(1, plan.months)]
    month_cny = given.year_cny / 12

    def amounts(pick: Callable[[Channel], float | None], missing: float) -> np.ndarray:
        return np.array([missing if (x := pick(c)) is None else x for c in bought], dtype=float)

    return {
        "channels": tuple(c.id for c in bought),
        "responses": tuple(
            (c.response.curve, c.response.ceiling, c.response.half_spend, c.response.shape) for c in bought
        ),
        "open_months": opened[:, column],
        "season": factor,
        "free_outcomes": (opened[:, free] * level[free] * factor[:, None]).sum(axis=1),
        "most_cny": amounts(lambda c: c.spend and c.spend.max, given.year_cny),
        "floor_cny": amounts(lambda c: c.spend and c.spend.min, 0.0),
        "least_if_on_cny": amounts(lambda c: c.spend and c.spend.least_if_on, 0.0),
        "bands": dict(bands),
        "home": HOME,
        "years": tuple((a, b, month_cny * (b - a + 1)) for a, b in years),
        "weights": given.weights,
        "stated_users": level[column],
        "fixed": tuple((line.of, line.month, line.amount) for line in plan.budget.fixed),
        "organic": tuple(c.id for c in bought if not c.paid),
        "labour": LABOUR if LABOUR in bands else None,
        "team_cny_year": team_cost_year(plan),
    }


def team_cost_year(plan: Plan) -> float:
    """Return what the roles of the plan cost a year in CNY: heads (the middle of a range) times their cost."""
    total = 0.0
    for role in plan.team.roles.values():
        if role.people is None or role.cost_per_year is None:
            continue
        heads = sum(role.people) / 2 if isinstance(role.people, tuple) else role.people
        total += heads * per_month(role.cost_per_year, "year") * 12
    return total


def _gmv_of_a_user(plan: Plan) -> float:
    orders, _ = repeat_orders(plan)
    users = plan.users
    return users.conversion.central * plan.baseline.aov.central * (1 + users.repurchase.central * float(orders))


def _limits(plan: Plan, bought: set[str], bands: Mapping) -> tuple[tuple[tuple, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the plan's rules as rows (name, kind, level, of), and the ids of those kept and of those unknown."""
    found, kept, unknown = [], [], []
    for rule in plan.budget.rules:
        row = _limit(rule, bought, bands)
        (kept if row else unknown).append(rule.id)
        if row:
            found.append((rule.id, *row))
    return tuple(found), tuple(kept), tuple(unknown)


def _limit(rule: Rule, bought: set[str], bands: Mapping) -> tuple | None:
    if rule.each_channel_within is not None:
        return "change", rule.each_channel_within, None
    of_part = rule.scope is not None
    if rule.metric == "cac" and rule.at_most is not None and rule.denominator in (None, "new_users"):
        if of_part:
            return ("channel_cost_cap", rule.at_most, rule.scope) if rule.scope in bought else None
        return "cost_cap", rule.at_most, None
    if of_part:
        return None
    if rule.metric == "organic_share" and rule.at_least is not None:
        return "free_share", rule.at_least, None
    if rule.metric == "roi" and rule.at_least is not None and rule.denominator in (None, "marketing_budget"):
        return "return_floor", rule.at_least, None
    if rule.metric == "labour_share_of_gmv" and rule.at_most is not None and LABOUR in bands:
        return "labour_of_gmv", rule.at_most, LABOUR
    return None


def response_draws(
    plan: Plan, channels: tuple[str, ...], n: int, stream: Callable[[str], np.random.Generator]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return (n, C) factors on each curve's ceiling and half spend, and the channels that have a range at all.

    A draw goes through the intake drawn from the plan's range at the cost for one drawn from its range: the ceiling
    is scaled with the intake, the half spend with intake and cost.
    """
    ceiling, half, known = [], [], []
    by_id = {c.id: c for c in plan.channels}
    for name in channels:
        intake, cost = (_factor(getattr(by_id[name], field), stream(f"budget.{name}.{field}"), n)
                        for field in ("intake", "cac"))  # fmt: skip
        ceiling.append(intake)
        half.append(intake * cost)
        known += [name] if np.ptp(intake) or np.ptp(cost) else []
    return np.stack(ceiling, axis=1), np.stack(half, axis=1), tuple(known)


def _factor(quantity: Quantity | None, rng: np.random.Generator, n: int) -> np.ndarray:
    known = None if quantity is None else distribution(quantity)
    if known is None or known.is_fixed or not quantity.central:
        return np.ones(n)
    return np.maximum(known.sample(rng, n) / quantity.central, 1e-3)


def range_ends(quantity: Quantity | None) -> tuple[float, float] | None:
    """Return what the 10 % and 90 % points of a range are of its central value; None without a range."""
    known = None if quantity is None else distribution(quantity)
    if known is None or known.is_fixed or not quantity.central:
        return None
    low, high = (float(x) / quantity.central for x in known.quantile(np.array((0.1, 0.9))))
    return max(low, 1e-3), high


def channel_ranges(
    plan: Plan, channels: tuple[str, ...]
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Return the ends of the plan's ranges as factors on the centre: {channel: of its cost}, {channel: of its intake}.

    Channels without a range are left out.
    """
    by_id = {c.id: c for c in plan.channels}
    cost, reach = (
        {name: ends for name in channels if (ends := range_ends(getattr(by_id[name], field)))}
        for field in ("cac", "intake")
    )
    return cost, reach


def user_goals(plan: Plan) -> list[dict[str, Any]]:
    """Return the goals on users that channel money can be asked for: the largest monthly intake, and dated stocks.

    Rows have kind (intake or stock), goal, and for a stock the arguments of `planlib.budget.case.users_goal`.
    """
    rows = [g for g in goals(plan) if g["op"] in ("at_least", "above") and not g["open_reason"]]
    intake = [g["goal"] for g in rows if g["metric"] == "new_users_monthly"]
    found: list[dict[str, Any]] = [{"kind": "intake", "goal": max(intake)}] if intake else []
    churn = plan.users.churn
    common = {
        "months": plan.months,
        "churn": float(monthly_rate(churn.central, churn.period or "month")),
        "opening": plan.baseline.opening_users.central,
        "applied": churn.applied,
    }
    stocks = {(g["due_month"], g["goal"]) for g in rows if g["metric"] == "private_domain_users" and g["due_month"]}
    for month, goal in sorted(stocks):
        found.append({"kind": "stock", "goal": goal, "arguments": common | {"at_least": goal, "month": month}})
    return found


def return_levels(plan: Plan) -> tuple[float, ...]:
    """Return the multiples of spend that the plan's goals ask as margin; trial levels when it has none."""
    asked = {
        float(t.level) for t in plan.targets
        if t.metric == "roi" and t.operation in ("at_least", "above", "equals") and t.scope is None
        and t.unit in (None, "multiple")
    }  # fmt: skip
    return tuple(sorted(asked)) or TRIAL_RETURNS
