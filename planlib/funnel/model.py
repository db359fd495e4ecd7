"""The whole funnel in one function: users, sales and every metric that follows, for one path or many.

A driver is one number (certain) or has an axis of draws; the point forecast is the case of one draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.forecast import intake_metrics, outcomes
from planlib.funnel.sales import Sales, even_spread, sales
from planlib.funnel.users import UserPath, referred_users, simulate_users


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """What the funnel runs on. `Rate`: a number, (D,) by draw, or (1|D, T) by month too.

    Attributes:
        intake: (T, C) or (1|D, T, C) people who join a month, stage calendar and season included.
        churn: Rate, monthly share that leaves.
        channel_churn: (C,) or (1|D, C) the same by channel of joining, `churn` then being that of the
            opening users and of referred ones; None = `churn` for everybody.
        applied: before_adds or after_adds, see `planlib.funnel.users.simulate_users`.
        stay, wake: Rate, monthly share of the active who stay active, of the dormant who wake.
        opening_users, opening_active_share: number or (D,), people before month 1 and how many are active.
        referral_k, referral_cycle_months: number or (D,), people whom a joiner brings after so many months.
        conversion: Rate, share of joiners who buy.
        repeat_rate, repeat_orders: Rate, share of first buyers who buy again, and their orders.
        repeat_months: months after the first order over which repeat orders fall evenly.
        aov_cny: Rate, CNY an order.
        company_gmv_cny: number or (D,), GMV of the whole company in a month.
        window_months: trailing window of shares of GMV.
    """

    intake: Any
    churn: Any
    channel_churn: Any = None
    applied: str = "before_adds"
    stay: Any
    wake: Any
    opening_users: Any = 0.0
    opening_active_share: Any = 1.0
    referral_k: Any = 0.0
    referral_cycle_months: Any = 1
    conversion: Any
    repeat_rate: Any = 0.0
    repeat_orders: Any = 1.0
    repeat_months: int = 12
    aov_cny: Any
    company_gmv_cny: Any
    window_months: int = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        intake: (1|D, T, C) people who joined by channel; referred ones are a last channel of their own.
        channel_churn: (1|D, C) monthly share of each that leaves; None = one for everybody.
        users, sales: the two parts of the model.
        metrics: {metric id: (D, T)} in the catalogue's units.
    """

    intake: np.ndarray
    channel_churn: np.ndarray | None
    users: UserPath
    sales: Sales
    metrics: Mapping[str, np.ndarray]

    @property
    def residual(self) -> float:
        """Largest relative violation of conservation in either part."""
        return max(self.users.residual, self.sales.residual)


def run(drivers: Drivers) -> Outcome:
    """Run the funnel.

    Raises:
        InputError: a driver is negative, not finite or no share, k >= 1, an empty horizon, stay + churn or
            wake + churn above 1, or draws that do not fit together.

    >>> flat = Drivers(intake=np.full((12, 1), 50_000.0), churn=0.08, stay=0.4, wake=0.3, conversion=0.12,
    ...                aov_cny=np.array([190.0, 200.0]), company_gmv_cny=1e7)
    >>> found = run(flat).metrics
    >>> found["private_domain_users"].shape, round(found["gmv"][1, 0])
    ((1, 12), 1200000)
    """
    guard = Guard()
    k = guard.numbers("referral_k", drivers.referral_k, low=0.0, below=1.0, ndim=(0, 1))
    guard.numbers("aov_cny", drivers.aov_cny, low=0.0, ndim=(0, 1, 2))
    _same_draws(guard, drivers)
    guard.done()
    intake, channel_churn = drivers.intake, drivers.channel_churn
    if np.any(k > 0):
        intake = guard.numbers("intake", intake, low=0.0, ndim=(2, 3))
        guard.done()
        seeds = intake.sum(axis=-1)
        brought = np.atleast_2d(referred_users(seeds, k, cycle_months=drivers.referral_cycle_months))
        wide = np.broadcast_to(intake, (len(brought), *intake.shape[-2:]))
        intake = np.concatenate([wide, brought[..., None]], axis=2)
        channel_churn = _with_referred(channel_churn, drivers.churn)
    path = simulate_users(
        intake,
        churn=by_draw(drivers.churn),
        channel_churn=channel_churn,
        opening_users=drivers.opening_users,
        applied=drivers.applied,
        stay=by_draw(drivers.stay),
        wake=by_draw(drivers.wake),
        opening_active_share=drivers.opening_active_share,
    )
    sold = sales(
        path.joined,
        conversion=by_draw(drivers.conversion),
        aov_new_cny=by_draw(drivers.aov_cny),
        repeat_rate=by_draw(drivers.repeat_rate),
        repeat_orders=by_draw(drivers.repeat_orders),
        repeat_spread=even_spread(drivers.repeat_months, first=1),
    )
    found = outcomes(
        path, sold, company_gmv_cny=by_draw(drivers.company_gmv_cny), window_months=drivers.window_months
    )
    own = None if channel_churn is None else np.atleast_2d(channel_churn)
    return Outcome(path.joined_by_channel, own, path, sold, found)


def _same_draws(guard: Guard, drivers: Drivers) -> None:
    """Note every driver whose number of draws is neither one nor that of the most."""
    shapes = {field.name: np.shape(getattr(drivers, field.name)) for field in fields(drivers)}
    by_driver = {
        name: shape[0]
        for name, shape in shapes.items()
        if len(shape) >= {"intake": 3, "channel_churn": 2}.get(name, 1)
    }
    most = max(by_driver.values(), default=1)
    for name, draws in by_driver.items():
        if draws not in (1, most):
            guard.add("shape", name, f"{draws} draws", expected=f"1 or {most} draws")


def taken_for_granted(
    drivers: Drivers, found: Outcome, *, paid: np.ndarray, referral: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the monthly path, (1|D, T), of the metrics that only restate drivers.

    Args:
        found: what `run` made of them.
        paid, referral: (C,) as for `planlib.funnel.forecast.intake_metrics`, a referred channel included.
    """
    rates = {
        "churn_rate": drivers.churn,
        "reactivation_rate": drivers.wake,
        "aov": drivers.aov_cny,
        "repurchase_rate": drivers.repeat_rate,
        "conversion_rate": drivers.conversion,
        "new_user_conversion_rate": drivers.conversion,
    }
    months = found.intake.shape[1]
    return intake_metrics(found.intake, paid=paid, referral=referral) | {
        name: _by_month(value, months) for name, value in rates.items()
    }


def _by_month(value: Any, months: int) -> np.ndarray:
    rate = np.atleast_2d(by_draw(np.asarray(value, dtype=float)))
    return np.broadcast_to(rate, (len(rate), months))


def by_draw(value: Any) -> Any:
    """Return (D,) draws as the column (D, 1) that broadcasts over months; anything else as it is."""
    return value[:, None] if np.ndim(value) == 1 else value


def _with_referred(channel_churn: Any, churn: Any) -> Any:
    """Add the churn of referred people as the last channel."""
    if channel_churn is None:
        return None
    guard = Guard()
    rest = guard.share("churn", churn, ndim=(0, 1))
    guard.done()
    own = np.atleast_2d(channel_churn)
    draws = max(len(own), rest.size)
    last = np.broadcast_to(rest.reshape(-1, 1), (draws, 1))
    return np.hstack([np.broadcast_to(own, (draws, own.shape[1])), last])
