"""How often a plan lets a customer be written to, and where that is more than customers were seen to bear."""

from __future__ import annotations

from dataclasses import dataclass

from planlib.plan.load import Plan

DAYS_A_MONTH = 365.25 / 12
_DAYS = {"day": 1.0, "week": 7.0, "month": DAYS_A_MONTH}


@dataclass(frozen=True, slots=True)
class Pushes:
    """Messages to one customer.

    Attributes:
        kind: limit (what the plan allows in all) or test (what a test sends).
        id: of the test; "" for the limit.
        per_week: messages to each of its people.
    """

    kind: str
    id: str
    per_week: float


@dataclass(frozen=True, slots=True)
class SendLimit:
    """Messages that a customer may get at most in each day, calendar week or calendar month."""

    level: float
    period: str

    @property
    def per_week(self) -> float:
        """The limit as messages a week.

        >>> SendLimit(1, "day").per_week, round(SendLimit(4, "month").per_week, 3)
        (7.0, 0.92)
        """
        return self.level * 7.0 / _DAYS[self.period]


def platform_limit(plan: Plan) -> SendLimit | None:
    """Return the limit on messages to a customer; None where the plan states none that can be counted."""
    said = plan.limits.sends_per_customer
    if said is None or said.level is None or isinstance(said.level, tuple) or said.period not in _DAYS:
        return None
    return SendLimit(float(said.level), said.period)


def planned_pushes(plan: Plan) -> tuple[Pushes, ...]:
    """Return what the plan allows or plans to send to a customer: its limit, then its tests that send."""
    limit = platform_limit(plan)
    found = [Pushes("limit", "", limit.per_week)] if limit else []
    return (*found, *(Pushes("test", t.id, float(t.sends_per_week)) for t in plan.experiments if t.sends_per_week > 0))


def above_threshold(plan: Plan, per_week: float) -> tuple[Pushes, ...]:
    """Return what of a plan's pushes goes beyond a threshold, messages to a customer a week."""
    return tuple(pushes for pushes in planned_pushes(plan) if pushes.per_week > per_week * (1 + 1e-9))
