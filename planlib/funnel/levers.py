"""Which single change, everything else as planned, would bring the users to a goal on time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.users import month_reached, required_adds, simulate_users, stock_at, stock_ceiling

LATEST = 600  # months after the horizon in which a stock by channels is still followed


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
    channel_churn: np.ndarray | None = None,
    opening_users: float = 0.0,
    applied: str = "before_adds",
) -> Levers:
    """Solve for each lever alone. The stock is linear in intake and opening, and falls as churn rises.

    With churn by channel the churn lever scales all churn alike and is told as `churn` times that, and the same
    number of people in each open month is divided over the channels as the plan's intake of that month is.

    Args:
        goal: users at the end of `month`, > 0.
        month: 1..T.
        intake: (T, C) people who join by month and channel.
        churn: monthly share that leaves.
        channel_churn: (C,) or (1, C) as in `simulate_users`.
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
    if channel_churn is not None:
        fixed["channel_churn"] = np.asarray(channel_churn, dtype=float)

    def stock(**changed: Any) -> np.ndarray:
        options = {"intake": adds} | fixed | changed
        return simulate_users(options.pop("intake"), **options).users[0]

    kept = float((1.0 - churn) ** m)
    from_intake = float(stock(opening_users=0.0)[m - 1])
    from_opening = opening_users * kept
    factor = _ratio(target - from_opening, from_intake)
    opening = _ratio(target - from_intake, kept)
    is_open = adds.sum(axis=1) > 0
    mix = np.divide(adds, adds.sum(axis=1, keepdims=True), out=np.zeros(adds.shape), where=is_open[:, None])
    flat = None
    if from_intake > 0 and channel_churn is None:
        flat = required_adds(target, m, churn=churn, opening_users=opening_users, applied=applied, open_months=is_open)
    elif from_intake > 0:
        flat = _ratio(target - from_opening, float(stock(intake=mix, opening_users=0.0)[m - 1]))
    highest = _highest_churn(target, m, adds, fixed)
    tried = [
        (factor, lambda: stock(intake=adds * factor)),
        (flat, lambda: stock(intake=mix * flat)),
        (opening, lambda: stock(opening_users=opening)),
        (highest if highest != 1 else None, lambda: stock(**_churned(fixed, highest))),
    ]
    users = stock()
    reached, ceiling, late = _reached(target, users, adds, fixed)
    misses = [abs(float(again()[m - 1]) - target) / target for value, again in tried if value]
    return Levers(
        goal=target,
        month=m,
        users=float(users[m - 1]),
        intake_factor=factor,
        monthly_intake=flat,
        churn=highest,
        without_churn=float(stock(**_churned(fixed, 0.0))[m - 1]),
        opening_users=opening,
        month_reached=reached,
        ceiling=ceiling,
        residual=max([late, *misses]),
    )


def _ratio(needed: float, each: float) -> float | None:
    if needed <= 0:
        return 0.0
    return needed / each if each > 0 else None


def _churned(fixed: dict[str, Any], churn: float) -> dict[str, Any]:
    """Return the churn arguments with all churn scaled so that the general one is `churn`."""
    if "channel_churn" not in fixed:
        return {"churn": churn}
    scale = churn / fixed["churn"] if fixed["churn"] else 0.0
    return {"churn": churn, "channel_churn": np.minimum(fixed["channel_churn"] * scale, 1.0)}


def _highest_churn(goal: float, month: int, adds: np.ndarray, fixed: dict[str, Any]) -> float | None:
    """Bisect; each step runs the real intake path."""

    def users(rate: float) -> float:
        return float(simulate_users(adds[:month], **fixed | _churned(fixed, rate)).users[0, month - 1])

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
    goal: float, users: np.ndarray, adds: np.ndarray, fixed: dict[str, Any]
) -> tuple[int | None, float, float]:
    """Return the first month that holds the goal, the ceiling, and how far a month after the horizon misses it."""
    horizon = len(users)
    held = users >= goal
    first = int(held.argmax()) + 1 if held.any() else None
    if "channel_churn" in fixed:
        return _reached_by_channel(goal, first, adds, fixed)
    churn, applied = fixed["churn"], fixed["applied"]
    later = float(adds[-12:].sum(axis=1).mean())
    reach = month_reached(goal, adds=later, churn=churn, opening_users=float(users[-1]), applied=applied)
    if first:
        return first, reach.ceiling, 0.0
    if not reach.reachable:
        return None, reach.ceiling, 0.0
    again = stock_at(reach.month, adds=later, churn=churn, opening_users=float(users[-1]), applied=applied)
    return horizon + reach.month, reach.ceiling, max(goal - again, 0.0) / goal


def _reached_by_channel(
    goal: float, first: int | None, adds: np.ndarray, fixed: dict[str, Any]
) -> tuple[int | None, float, float]:
    """The same where every channel has its own churn: run on at the mean intake of the last year."""
    later = adds[-12:].mean(axis=0)
    ceiling = float(np.sum(stock_ceiling(adds=later, churn=fixed["channel_churn"].ravel(), applied=fixed["applied"])))
    if first:
        return first, ceiling, 0.0
    longer = np.vstack([adds, np.broadcast_to(later, (LATEST, len(later)))])
    held = simulate_users(longer, **fixed).users[0] >= goal
    return (int(held.argmax()) + 1 if held.any() else None), ceiling, 0.0
