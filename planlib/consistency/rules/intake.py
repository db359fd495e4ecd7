"""What fills a stock month by month, as a plan states it: opening base, intake, calendar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planlib.consistency.rules.stated import place, planned
from planlib.consistency.view import BASELINE, GOAL, Said, View
from planlib.core.metrics import Metric, catalogue
from planlib.plan import Plan
from planlib.plan.inputs import MONTHS_IN, open_months, per_month, season

CHANNEL_FLOW, CHANNEL_STOCK = "new_users_monthly", "private_domain_users"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of the plan with its place; `most` is the best for the goal that its wording allows."""

    value: float
    most: float
    path: str
    id: str
    source: str
    tolerance: float = 0.0
    known: bool = True


@dataclass(frozen=True, slots=True)
class Intake:
    """People who join in a month.

    Attributes:
        amount: of a month in which every channel is open, as stated, else the channels' sum.
        most: the best that statement and channels allow.
        flat: (T,) part of the intake whose channels are open in each plan month.
        shape: (T,) the same times the season.
        bound: whether a channel waits for a stage.
        said: the statement, if one states it.
    """

    amount: Amount
    most: float
    flat: np.ndarray
    shape: np.ndarray
    bound: bool
    said: Said | None


def reservoirs() -> Iterator[tuple[Metric, Metric]]:
    """Yield each stock with the one flow that fills it."""
    known = catalogue()
    for metric in known.values():
        inflow = metric.links.get("inflow", ())
        if metric.kind == "stock" and len(inflow) == 1 and "part_of" not in metric.links:
            yield metric, known[inflow[0]]


def intake(view: View, plan: Plan, flow: Metric) -> Intake | None:
    """Return what a plan takes in a month, None where it does not say."""
    said = planned(view, plan.id, flow.id, (GOAL,))
    channels = list(plan.channels) if flow.id == CHANNEL_FLOW else []
    levels, highest = np.array([_level(c) for c in channels]), sum(_most(c) for c in channels)
    total = float(levels.sum())
    if said is None and not total:
        return None
    if said is None:
        amount = Amount(total, max(total, highest), "channels", "channels", "", 0.0)
    else:
        top = said.span[1] if math.isfinite(said.span[1]) else said.value
        amount = Amount(said.value, top, place(said), said.id, said.statement.source, said.tolerance)
    flat = (open_months(plan) * levels).sum(1) / total if total else np.ones(plan.months)
    bound = any(channel.from_stage for channel in channels)
    return Intake(amount, max(amount.most, total), flat, flat * season(plan), bound, said)


def opening(view: View, plan: Plan, stock: Metric, goal: Said) -> Amount:
    """Return the stock before month 1: the baseline, else what the goal starts from, else nothing known."""
    if stock.id == CHANNEL_STOCK:
        found = plan.baseline.opening_users
        most = found.span[1] if found.span else found.central
        path = "baseline.opening_users"
        return Amount(found.central, most, f"{path}.value", found.id or path, found.source)
    start = planned(view, plan.id, stock.id, (BASELINE,))
    if start is not None:
        return Amount(start.value, start.value, place(start), start.id, start.statement.source, start.tolerance)
    if goal.statement.from_value is not None:
        value = goal.statement.from_value
        return Amount(value, value, place(goal, "from_value"), goal.id, goal.statement.source)
    return Amount(0.0, 0.0, "", goal.id, goal.statement.source, known=False)


@dataclass(frozen=True, slots=True)
class Loss:
    """A share of a stock that leaves it in a period; `period` is None where the document names none."""

    amount: Amount
    period: str | None
    said: Said | None
    late: bool = False  # it falls on the month's own intake too

    def monthly(self, period: str) -> float:
        """Return the share lost in a month when the stated one is read as of `period`."""
        return a_month(self.amount.value, period)


def a_month(share: float, period: str) -> float:
    """Return the share of a month that makes a share of another period: 1 - (1 - share) ** (1 / months).

    >>> round(a_month(0.08, "year"), 4), round(a_month(0.08, "quarter"), 4)
    (0.0069, 0.0274)
    """
    return 1 - (1 - share) ** (1 / MONTHS_IN[period])


def loss(view: View, plan: Plan, stock: Metric) -> Loss | None:
    """Return what a plan says it loses of a stock: its statement, else the rate that its user model uses."""
    for outflow in stock.links.get("outflow", ()):
        said = planned(view, plan.id, outflow, (GOAL,))
        if said is not None:
            low = said.span[0] if math.isfinite(said.span[0]) else 0.0
            amount = Amount(said.value, low, place(said), said.id, said.statement.source, said.tolerance)
            return Loss(amount, said.statement.period, said, _is_late(plan, stock))
    if stock.id != CHANNEL_STOCK:
        return None
    rate = plan.users.churn
    low = rate.span[0] if rate.span else rate.central
    path = "users.churn"
    return Loss(Amount(rate.central, low, f"{path}.value", path, rate.source), rate.period, None, _is_late(plan, stock))


def _is_late(plan: Plan, stock: Metric) -> bool:
    return stock.id == CHANNEL_STOCK and plan.users.churn.applied == "after_adds"


def first_month(plan: Plan, flow: Metric) -> tuple[int, object] | None:
    """Return the first month in which a stage permits a flow, and the stage; None when no stage speaks of it.

    A stage permits the flow by its lifecycle stage or by its own id.
    """
    stages = [s for s in plan.schedule.stages if s.months and {flow.stage, flow.id}.intersection(s.permits)]
    first = min(stages, key=lambda stage: stage.months[0], default=None)
    return None if first is None else (first.months[0], first)


def total_to(month: int, shape: np.ndarray, *, kept: float = 1.0, since: int = 1, late: bool = False) -> float:
    """Return what an intake of one a month leaves at the end of a month.

    Args:
        month: plan month; behind the plan's last one the average of its last year goes on.
        shape: (T,) factor of each plan month.
        kept: share that stays from one month to the next.
        since: the first month that takes in anybody.
        late: a month's own intake is reduced as well.
    """
    later = max(month - shape.size, 0)
    factors = np.concatenate([shape[:month], np.full(later, float(shape[-12:].mean()))])
    factors = np.where(np.arange(1, month + 1) >= since, factors, 0.0)
    return float(factors @ kept ** (np.arange(month - 1, -1, -1.0) + late)) if month else 0.0


def _level(channel) -> float:
    return per_month(channel.intake) if channel.intake is not None else channel.response.ceiling / 2


def _most(channel) -> float:
    if channel.intake is None:
        return channel.response.ceiling
    span, central = channel.intake.span, channel.intake.central
    return per_month(channel.intake) * (span[1] / central if span and central else 1.0)
