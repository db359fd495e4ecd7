"""What the experiment notebooks calculate with, taken out of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.plan.load import Plan


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
        owner: id of a role or department, and its name in both languages.
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
        )
        for test in plan.experiments
    ]
    return tuple(sorted(found, key=lambda test: test.start_month))
