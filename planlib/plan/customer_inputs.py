"""What the customer notebook calculates with, taken out of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.plan.budget_inputs import budget_inputs
from planlib.plan.inputs import goals, per_month
from planlib.plan.load import Plan
from planlib.plan.model import Benchmarks, Statement


@dataclass(frozen=True, slots=True)
class TierTerms:
    """One tier, as `CustomerTerms.tiers` lists them: the lowest first.

    Attributes:
        id, name: of the tier.
        share: of the customers while no cut is settled; from_score: its cut, 0 to 1; None for the lowest or unsettled.
        rights_cny_month: what its rights cost a member.
    """

    id: str
    name: Mapping[str, str]
    share: float
    from_score: float | None
    rights_cny_month: float


@dataclass(frozen=True, slots=True)
class CustomerTerms:
    """How customers are valued and what acting costs.

    Attributes:
        horizon_months: looked ahead.
        discount_month: rate by which money of next month is worth less.
        margin: share of revenue.
        cuts: of RFM-S that the plan settles.
        tiers: the lowest first; empty where the plan has none.
        rights_line: budget category that pays for rights and CNY that its lower band holds in a year; None unstated.
        care_cny, care_success: of one contact after a warning, and the share of leavers it keeps.
        offer_cny, offer_lift: of one recommendation, and the relative lift of purchases.
        reminder_quantile: chance of having bought again by the reminder.
        tag_group: that scores may use; "" for none.
    """

    horizon_months: int
    discount_month: float
    margin: float
    cuts: Mapping[str, float]
    tiers: tuple[TierTerms, ...]
    rights_line: tuple[str, float] | None
    care_cny: float
    care_success: float
    offer_cny: float
    offer_lift: float
    reminder_quantile: float
    tag_group: str


def customer_terms(plan: Plan) -> CustomerTerms | None:
    """Return the terms of a plan; None where it has no section `customers` or no gross margin."""
    said, margin = plan.model.customers, plan.baseline.gross_margin
    if said is None or margin is None:
        return None
    line = None
    if said.rights_budget is not None:
        money = budget_inputs(plan)
        band = money.bands.get(said.rights_budget)
        line = None if band is None else (said.rights_budget, band[0] * money.year_cny)
    tiers = tuple(
        TierTerms(
            tier.id,
            tier.name.model_dump(),
            tier.share or 0.0,
            tier.from_score,
            0.0 if tier.rights is None else float(per_month(tier.rights, "year")),
        )
        for tier in reversed(said.tiers)
    )
    yearly = said.discount.central
    months = {"year": 12.0, "month": 1.0}.get(said.discount.period or "year", 12.0)
    return CustomerTerms(
        said.horizon_months, (1 + yearly) ** (1 / months) - 1, margin.central, dict(said.cuts), tiers, line,
        said.care.cost.central, said.care.effect.central, said.offer.cost.central, said.offer.effect.central,
        said.reminder_quantile, said.tag_group or "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Churn of a case that the goal of a plan is held against.

    Attributes:
        name: of the case.
        rate, goal: churn, from and to.
        source: section of the case.
    """

    name: Mapping[str, str]
    rate: float
    goal: float
    source: str


def churn_asks(plan: Plan, others: Benchmarks) -> tuple[Asked, ...]:
    """Return the churn levels quoted by the documents that lie above the plan's goal, the highest first."""
    goal = churn_goal(plan)
    if goal is None:
        return ()
    found = []
    for row in (*others.cases, *others.statistics, *others.benchmarks):
        level = row.from_value if row.from_value is not None else row.equals
        if row.metric == "churn_rate" and row.unit is None and level is not None and level > goal:
            found.append(Asked(row.name.model_dump(), float(level), goal, row.source))
    return tuple(sorted(found, key=lambda row: -row.rate))


def churn_goal(plan: Plan) -> float | None:
    """Return the churn that the plan aims at, a share of everybody; None where it says nothing."""
    of_all = (g for g in goals(plan) if g["metric"] == "churn_rate" and g["unit"] == "ratio" and not g["scope"])
    return next((float(g["goal"]) for g in of_all), None)


def value_lines(plan: Plan, others: Benchmarks) -> tuple[tuple[Mapping[str, str] | None, float], ...]:
    """Return reference lines for lifetime value, CNY: levels that goals are multiples of, by name, and the goals.

    A goal without a level to be a multiple of gives no line.
    """
    every = (*others.cases, *others.statistics, *others.benchmarks)
    rows: dict[str, Statement] = {row.id: row for row in every if row.id}
    lines: dict[float, Mapping[str, str] | None] = {}
    for target in plan.targets:
        base = rows.get(target.reference or "")
        if target.metric != "ltv" or target.unit != "multiple" or base is None or base.equals is None:
            continue
        lines.setdefault(float(base.equals), base.name.model_dump())
        if isinstance(target.level, float | int):
            times = float(target.level) + (1.0 if target.reading == "times_more" else 0.0)
            lines[float(base.equals) * times] = None
    return tuple((name, level) for level, name in sorted(lines.items()))


def first_purchase_months(plan: Plan) -> int | None:
    """Return the months that the plan gives a new user for the first purchase; None where it says nothing."""
    return _months(plan, "first_purchase_window")


def repurchase_goal(plan: Plan) -> tuple[int, int] | None:
    """Return how often core users are to buy again and within how many months; None where the plan says nothing."""
    count = next((t for t in plan.users.thresholds if t.metric == "repurchase_count"), None)
    months = _months(plan, "repurchase_window")
    return None if count is None or count.level is None or months is None else (int(count.level), months)


def interaction_goal(plan: Plan) -> int | None:
    """Return the interactions that content of an influential user is to reach; None where the plan says nothing."""
    said = next((t for t in plan.users.thresholds if t.metric == "content_interactions"), None)
    return None if said is None or said.level is None else int(said.level)


def _months(plan: Plan, metric: str) -> int | None:
    said = next((t for t in plan.users.thresholds if t.metric == metric), None)
    return None if said is None or said.level is None else int(said.level)
