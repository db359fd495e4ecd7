"""What the user and sales models say about each metric, and what they only take for granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.sales import Sales, share_of_total
from planlib.funnel.targets import assess
from planlib.funnel.users import UserPath


def outcomes(path: UserPath, sold: Sales, *, company_gmv_cny: object, window_months: int = 12) -> dict[str, np.ndarray]:
    """Return the monthly path of every metric that follows from the models.

    Args:
        path: users, with their active and dormant parts.
        sold: sales of the same months.
        company_gmv_cny: GMV of the whole company in a month, >= 0, a number or (D, 1); shares are NaN when it is 0.
        window_months: trailing window of the shares of GMV.

    Returns:
        {metric id: (D, T)} in the catalogue's units: stocks at the end of the month, flows of the month.
    """
    guard = Guard()
    whole = guard.numbers("company_gmv_cny", company_gmv_cny, low=0.0, ndim=(0, 2))
    guard.done()
    active_share = path.active_share
    return {
        "private_domain_users": path.users,
        "active_users": path.active,
        "dormant_users": path.dormant,
        "mau": path.active,
        "mau_rate": active_share,
        "active_share": active_share,
        "dormant_share": 1.0 - active_share,
        "churned_users": path.churned,
        "woken_users": path.woken,
        "newly_dormant_users": path.lapsed,
        "net_user_growth_monthly": path.joined - path.churned,
        "new_buyers": sold.new_buyers,
        "repeat_buyers": sold.repeat_buyers,
        "buyers": sold.new_buyers + sold.repeat_buyers,
        "buyers_to_date": np.cumsum(sold.new_buyers, axis=-1),
        "orders": sold.new_orders + sold.repeat_orders,
        "gmv": sold.gmv_cny,
        "gmv_new": sold.gmv_new_cny,
        "gmv_repeat": sold.gmv_repeat_cny,
        "new_customer_share": share_of_total(sold.gmv_new_cny, sold.gmv_cny, window_months=window_months),
        "gmv_share": share_of_total(sold.gmv_cny, whole, window_months=window_months),
    }


def intake_metrics(joined_by_channel: np.ndarray, *, paid: np.ndarray, referral: np.ndarray) -> dict[str, np.ndarray]:
    """Return the monthly path of the metrics that only restate the assumed intake.

    Args:
        joined_by_channel: (T, C) or (D, T, C) people who join.
        paid, referral: (C,) True for channels that cost money, and for referral; the rest is organic.

    Returns:
        {metric id: (T,) or (D, T)}; shares are NaN in months in which nobody joins.

    >>> got = intake_metrics(np.array([[40.0, 60.0]]), paid=np.array([False, True]), referral=np.array([False, False]))
    >>> float(got["organic_share"][0])
    0.4
    """
    guard = Guard()
    joined = guard.numbers("joined_by_channel", joined_by_channel, low=0.0, ndim=(2, 3))
    for name, mask in (("paid", paid), ("referral", referral)):
        if np.shape(mask) != joined.shape[-1:]:
            guard.add("shape", name, f"shape {np.shape(mask)}", expected=f"({joined.shape[-1]},)")
    guard.done()
    parts = {
        "organic": joined[..., ~(paid | referral)].sum(axis=-1),
        "paid": joined[..., paid & ~referral].sum(axis=-1),
        "referral": joined[..., referral].sum(axis=-1),
    }
    total = joined.sum(axis=-1)
    shares = {
        f"{name}_share": np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0)
        for name, part in parts.items()
    }
    return {"new_users_monthly": total} | {f"{name}_new_users": part for name, part in parts.items()} | shares


def judge(
    goal: Mapping[str, Any], outcomes: Mapping[str, np.ndarray], assumed: Mapping[str, object], *, months: int
) -> dict[str, Any]:
    """Put a forecast beside a goal, or say why there is none.

    A goal on a figure that the model takes for granted proves nothing when the figure meets it: then the status is
    not_measured and the reason `assumed`. A figure that is assumed short of its own goal misses it.

    Args:
        goal: metric, op, goal, goal_high, due_month (None: judged at the end of the horizon), open_reason.
        outcomes: {metric: (D, T) path} that the models derive.
        assumed: {metric: level or (T,) path} that they take from the plan.
        months: T.

    Returns:
        forecast, gap, gap_rel, shortfall, status (see `assess`), judged_month, assumed (the level taken for granted),
        reason ("" or not_modelled, open_reason, assumed, undefined) and reached_month: the month from which the goal
        is held until it is due, or until the end of the horizon when it comes late; None: not within it.

    >>> goal = {"metric": "gmv", "op": "at_least", "goal": 5.0, "goal_high": None, "due_month": 2, "open_reason": ""}
    >>> verdict = judge(goal, {"gmv": np.array([[4.0, 6.0]])}, {}, months=2)
    >>> verdict["status"], verdict["reached_month"]
    ('on_track', 2)
    """
    level = goal["goal"] if goal["goal_high"] is None else (goal["goal"], goal["goal_high"])
    taken = assumed.get(goal["metric"])
    path = outcomes.get(goal["metric"])
    if taken is not None:
        path = np.broadcast_to(np.asarray(taken, dtype=float), (months,))
    open_reason = "not_modelled" if path is None else goal["open_reason"]
    verdict = assess(goal["op"], level, None if open_reason else path, due_month=goal["due_month"])
    granted = taken is not None and not open_reason
    at = (goal["due_month"] or months) - 1
    reason = open_reason or ("" if verdict.value is not None else "undefined")
    shown: dict[str, Any] = {
        "judged_month": at + 1,
        "assumed": float(path[at]) if granted and np.isfinite(path[at]) else None,
        "reason": reason,
    }
    if granted and verdict.status == "on_track":
        shown |= {"reason": "assumed", "status": "not_measured"}
        return shown | dict.fromkeys(("forecast", "reached_month", "gap", "gap_rel", "shortfall"))
    return shown | {
        "forecast": verdict.value,
        "reached_month": None if verdict.value is None else _lasting(goal["op"], level, path, at, months),
        "gap": verdict.gap,
        "gap_rel": verdict.gap_rel,
        "shortfall": verdict.shortfall,
        "status": verdict.status,
    }


def _lasting(op: str, level: Any, path: np.ndarray, at: int, months: int) -> int | None:
    """A share may meet its goal while a base is small and lose it later: that is not reaching it."""
    held = [assess(op, level, path, due_month=month + 1).status == "on_track" for month in range(months)]
    last = at if held[at] else months - 1
    if not held[last]:
        return None
    return next(month + 1 for month in range(last + 1) if all(held[month : last + 1]))
