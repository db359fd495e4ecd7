"""What the experiment notebooks calculate with, taken out of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.plan.load import Plan
from planlib.plan.model import Experiment
from planlib.plan.pushes import platform_limit

EFFECT_SD = 0.05  # relative; where a plan says nothing: most tests move their metric by less than a tenth


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One planned test.

    Args:
        id: of the plan.
        question: in both languages.
        metric: id of what it is judged by.
        baseline: share in the control arm.
        effect: smallest absolute change worth having; negative where less is better.
        per_week: people who can enter a week.
        allocation: sizes of the arms, the control first.
        alpha, power, sides: of each test as planned.
        start_month: plan month, 1 where the plan gives none.
        owner: its name in both languages.
        four_weeks: different people who can enter within four weeks; None: every week brings others.
        correlation: of the metric with what is known of a person before; None where the plan gives none.
        effect_sd: how far from 0 the true relative effect is expected; `EFFECT_SD` where the plan gives none.
        effect_sd_source: assumption where the plan gives none.
        gmv_share: share of private-domain GMV that moves in step with the metric; None where the plan gives none.
        cost_cny: of the test; 0 where the plan gives none.
        pool: people that it draws from.
        sends_per_week: messages to each of its people.
        apart: ids of tests that never run in the same week.
        looks, stopping: when the result is looked at, and by which rule that may end the test.
        review: somebody has to approve it first.
    """

    id: str
    question: Mapping[str, str]
    metric: str
    baseline: float
    baseline_source: str
    effect: float
    per_week: float
    allocation: tuple[float, ...]
    alpha: float
    power: float
    sides: int
    start_month: int
    owner: Mapping[str, str]
    four_weeks: float | None
    correlation: float | None
    effect_sd: float
    effect_sd_source: str
    gmv_share: float | None
    cost_cny: float
    pool: str
    sends_per_week: float
    apart: tuple[str, ...]
    looks: tuple[float, ...]
    stopping: str
    review: bool


def planned_tests(plan: Plan) -> tuple[PlannedTest, ...]:
    """Return the tests of a plan in the order in which they start."""
    names = {department.id: department.name.model_dump() for department in plan.team.departments}
    names |= {key: role.name.model_dump() for key, role in plan.team.roles.items()}
    found = [
        PlannedTest(
            id=test.id,
            question=test.question.model_dump(),
            metric=test.primary,
            baseline=test.baseline.central,
            baseline_source=test.baseline.source,
            effect=test.smallest_worth_having.central,
            per_week=test.traffic_per_week.central,
            allocation=tuple(test.arms.values()),
            alpha=test.alpha,
            power=test.power,
            sides=test.sides,
            start_month=test.start_month or 1,
            owner=names.get(test.owner, {"zh": test.owner, "en": test.owner}),
            four_weeks=test.traffic_four_weeks and test.traffic_four_weeks.central,
            correlation=test.correlation and test.correlation.central,
            effect_sd=test.effect_sd.central if test.effect_sd else EFFECT_SD,
            effect_sd_source=test.effect_sd.source if test.effect_sd else "assumption",
            gmv_share=test.gmv_share and test.gmv_share.central,
            cost_cny=test.cost.central if test.cost else 0.0,
            pool=pool_of(test),
            sends_per_week=test.sends_per_week,
            apart=test.apart,
            looks=test.looks,
            stopping=test.stopping,
            review=test.review is not None,
        )
        for test in plan.experiments
    ]
    return tuple(sorted(found, key=lambda test: test.start_month))


def pool_of(test: Experiment) -> str:
    """Return the people that a test draws from: its pool, else those at its stage of the lifecycle."""
    return test.pool or test.node


def overlap(one: Experiment, other: Experiment) -> bool:
    """Return whether nobody may be in both tests at a time: one pool, or told to run apart."""
    return pool_of(one) == pool_of(other) or other.id in one.apart or one.id in other.apart


def send_limit(plan: Plan) -> tuple[float, str] | None:
    """Return the messages that a customer may get, and in which period of a calendar of weeks: week or month.

    A limit for each day is one for seven days. None where the plan states none that can be counted.
    """
    limit = platform_limit(plan)
    if limit is None:
        return None
    return (7 * limit.level, "week") if limit.period == "day" else (limit.level, limit.period)
