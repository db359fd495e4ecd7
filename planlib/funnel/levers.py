"""Which single change, everything else as planned, would bring the users to a goal on time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.users import month_reached, required_adds, simulate_users, stock_at


@dataclass(frozen=True, slots=True)
class Levers:
    """Single changes that reach `goal` at the end of `month`; None where no value of that lever does.

    Attributes:
        users: stock at the end of the month as planned.
        intake_factor: all intake of the plan times this.
        monthly_intake: the same number of people in each month in which a channel is open.
        churn: largest monthly churn.
        without_churn: stock at the end of the month if nobody left, all else as planned.
        opening_users: people before month 1.
        month_reached: first month in which the stock as planned holds the goal, after the horizon at the mean intake
            of its last year; None: never.
        ceiling: what the stock tends to at that intake; infinite without churn.
        residual: largest relative distance from the goal when the changed plans are simulated again.
    """

    goal: float
    month: int
    users: float
    intake_factor: float | None
    monthly_intake: float | None
    churn: float | None
    without_churn: float
    opening_users: float | None
    month_reached: int | None
    ceiling: float
    residual: float


def single_changes(
    goal: float,
    month: int,
    *,
    intake: np.ndarray,
    churn: float,
    opening_users: float = 0.0,
    applied: str = "before_adds",
) -> Levers:
    """Solve for each lever alone. The stock is linear in intake and opening, and falls as churn rises.

    Args:
        goal: users at the end of `month`, > 0.
        month: 1..T.
        intake: (T, C) people who join by month and channel.
        churn: monthly share that leaves.
        opening_users: people before month 1.
        applied: as in `simulate_users`.

    Raises:
        InputError: a value is out of range.

    >>> plan = np.full((24, 1), 50_000.0)
    >>> change = single_changes(1_000_000, 6, intake=plan, churn=0.08)
    >>> round(change.intake_factor, 2), round(change.monthly_intake), change.churn, change.month_reached
    (4.06, 203229, None, None)
    """
    guard = Guard()
    target = guard.number("goal", goal, above=0.0)
    adds = guard.numbers("intake", intake, low=0.0, ndim=(2,))
    m = guard.whole("month", month, high=max(len(adds), 1))
    guard.done()
    fixed: dict[str, Any] = {"churn": churn, "opening_users": opening_users, "applied": applied}

    def stock(**changed: Any) -> np.ndarray:
        options = {"intake": adds} | fixed | changed
        return simulate_users(options.pop("intake"), **options).users[0]

    kept = float((1.0 - churn) ** m)
    from_intake = float(stock(opening_users=0.0)[m - 1])
    from_opening = opening_users * kept
    factor = _ratio(target - from_opening, from_intake)
    opening = _ratio(target - from_intake, kept)
    is_open = adds.sum(axis=1) > 0
    flat = None
    if from_intake > 0:
        flat = required_adds(target, m, churn=churn, opening_users=opening_users, applied=applied, open_months=is_open)
    highest = _highest_churn(target, m, adds, opening_users, applied)
    tried = [
        (factor, lambda: stock(intake=adds * factor)),
        (flat, lambda: stock(intake=np.where(is_open, flat, 0.0)[:, None])),
        (opening, lambda: stock(opening_users=opening)),
        (highest if highest != 1 else None, lambda: stock(churn=highest)),
    ]
    users = stock()
    reached, ceiling, late = _reached(target, users, adds, churn, applied)
    misses = [abs(float(again()[m - 1]) - target) / target for value, again in tried if value]
    return Levers(
        goal=target,
        month=m,
        users=float(users[m - 1]),
        intake_factor=factor,
        monthly_intake=flat,
        churn=highest,
        without_churn=float(stock(churn=0.0)[m - 1]),
        opening_users=opening,
        month_reached=reached,
        ceiling=ceiling,
        residual=max([late, *misses]),
    )


def _ratio(needed: float, each: float) -> float | None:
    if needed <= 0:
        return 0.0
    return needed / each if each > 0 else None


def _highest_churn(goal: float, month: int, adds: np.ndarray, opening_users: float, applied: str) -> float | None:
    """Bisect; each step runs the real intake path."""

    def users(rate: float) -> float:
        path = simulate_users(adds[:month], churn=rate, opening_users=opening_users, applied=applied)
        return float(path.users[0, month - 1])

    if users(0.0) < goal:
        return None
    low, high = 0.0, 1.0
    if users(high) >= goal:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if users(middle) >= goal else (low, middle)
    return low


def _reached(
    goal: float, users: np.ndarray, adds: np.ndarray, churn: float, applied: str
) -> tuple[int | None, float, float]:
    """Return the first month that holds the goal, the ceiling, and how far a month after the horizon misses it."""
    horizon = len(users)
    later = float(adds[-12:].sum(axis=1).mean())
    reach = month_reached(goal, adds=later, churn=churn, opening_users=float(users[-1]), applied=applied)
    held = users >= goal
    if held.any():
        return int(held.argmax()) + 1, reach.ceiling, 0.0
    if not reach.reachable:
        return None, reach.ceiling, 0.0
    again = stock_at(reach.month, adds=later, churn=churn, opening_users=float(users[-1]), applied=applied)
    return horizon + reach.month, reach.ceiling, max(goal - again, 0.0) / goal
