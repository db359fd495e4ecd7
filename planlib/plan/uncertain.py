"""What the funnel reads from a plan, certain or not: quantities by place, their distributions, draws, and the
arguments of `planlib.funnel.model.Drivers` made from any values of them.

A place is the path of a quantity, channels by id: users.churn, channels.moments_ads.intake. Values are in the unit
and period that the plan types. A quantity without a range or distribution is certain as typed: it adds nothing to
any probability, which is a limit of the probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from planlib.core.draws import Distribution
from planlib.core.periods import MONTHS_IN, monthly_rate
from planlib.plan.inputs import intake_levels, intake_matrix, per_month, referral_counts, referral_loop, repeat_orders
from planlib.plan.load import Plan
from planlib.plan.model import Quantity, ShareQuantity

Values = Mapping[str, Any]

_BASELINE = ("opening_users", "opening_active_share", "aov", "total_gmv")
_USERS = ("churn", "staying_active", "waking", "conversion", "repurchase", "orders_per_repeat_buyer")
# the drivers that targets ask for, and by which metrics
_ASKED_BY = {
    "new_users_monthly": "intake",
    "churn_rate": "churn",
    "reactivation_rate": "wake",
    "conversion_rate": "conversion",
    "new_user_conversion_rate": "conversion",
    "repurchase_rate": "repeat_rate",
    "aov": "aov",
}
_REFERRAL = ("invites_per_user", "acceptance_rate", "cycle_days")


def quantities(plan: Plan) -> dict[str, Quantity]:
    """Return what the funnel calculates with, by place; a channel with a response alone has no quantity."""
    found: dict[str, Quantity] = {f"baseline.{name}": getattr(plan.baseline, name) for name in _BASELINE}
    found |= {f"users.{name}": getattr(plan.users, name) for name in _USERS}
    if referral_counts(plan):
        found |= {f"users.referral.{name}": getattr(plan.users.referral, name) for name in _REFERRAL}
    for channel in plan.channels:
        for name in ("intake", "churn"):
            if getattr(channel, name) is not None:
                found[f"channels.{channel.id}.{name}"] = getattr(channel, name)
    return found


def leaf_path(plan: Plan, place: str) -> str:
    """Return a place as `planlib.plan.leaves` names it: channels by number."""
    if not place.startswith("channels."):
        return place
    _, channel, name = place.split(".")
    return f"channels[{[c.id for c in plan.channels].index(channel)}].{name}"


def distribution(quantity: Quantity) -> Distribution:
    """Return the distribution that a quantity declares.

    A range [low, high] claims nothing but its ends, so every value in it is equally likely (uniform).
    """
    if quantity.dist:
        given = {name: getattr(quantity, name) for name in ("low", "mode", "high", "mean", "sd")}
        return Distribution(quantity.dist, **given)
    if isinstance(quantity.value, tuple):
        return Distribution("uniform", low=quantity.value[0], high=quantity.value[1])
    return Distribution("fixed", mean=quantity.value)


def distributions(plan: Plan) -> dict[str, Distribution]:
    """Return the distributions of the uncertain quantities, by place."""
    found = {place: distribution(quantity) for place, quantity in quantities(plan).items()}
    return {place: known for place, known in found.items() if not known.is_fixed}


def limits(plan: Plan) -> dict[str, tuple[float, float]]:
    """Return lowest and highest value that each quantity may have."""
    return {
        place: (0.0, 1.0 if isinstance(quantity, ShareQuantity) else np.inf)
        for place, quantity in quantities(plan).items()
    }


def central(plan: Plan) -> dict[str, float]:
    """Return the value of each quantity in a forecast without chance."""
    return {place: quantity.central for place, quantity in quantities(plan).items()}


def draws(plan: Plan, n: int, stream: Callable[[str], np.random.Generator]) -> dict[str, np.ndarray]:
    """Return (n,) draws of each uncertain quantity, by place, each from a stream of its own name.

    So a range added or changed moves no other quantity's draws. Quantities are independent. Values outside what a
    quantity may be (a normal share below 0) are set to the limit.
    """
    allowed = limits(plan)
    return {
        place: np.clip(known.sample(stream(f"funnel.{place}"), n), *allowed[place])
        for place, known in distributions(plan).items()
    }


def ends(plan: Plan, shares: tuple[float, float] | None = None) -> dict[str, tuple[float, float]]:
    """Return low and high of each uncertain quantity.

    Args:
        shares: quantiles, e.g. (0.1, 0.9); None = the ends of the range, or of a distribution without ends its 10 %
            and 90 % quantiles.
    """
    allowed = limits(plan)
    found = {}
    for place, known in distributions(plan).items():
        at = (known.low, known.high)
        if shares or known.low is None:
            at = tuple(float(x) for x in known.quantile(np.array(shares or (0.1, 0.9))))
        found[place] = tuple(float(np.clip(x, *allowed[place])) for x in at)
    return found


def arguments(plan: Plan, values: Values | None = None) -> dict[str, Any]:
    """Return the arguments of `planlib.funnel.model.Drivers`.

    Args:
        values: {place: number or (D,)} in the plan's units, in place of the central values.

    Returns:
        Monthly rates and amounts; those that stay and wake are at most what churn leaves over.
    """
    at = central(plan) | dict(values or {})
    churn = _monthly(plan.users.churn, at["users.churn"])
    own = _channel_churn(plan, at, churn)
    most = 1.0 - (churn if own is None else np.maximum(churn, own.max(axis=-1) if len(own) > 1 else own.max()))
    stay = 1.0 - _monthly(plan.users.staying_active, 1.0 - np.asarray(at["users.staying_active"]))
    orders, window = repeat_orders(plan, at)
    k, cycle = referral_loop(plan, at)
    return {
        "intake": intake_matrix(plan, at),
        "churn": churn,
        "channel_churn": own,
        "applied": plan.users.churn.applied,
        "stay": np.minimum(stay, most),
        "wake": np.minimum(_monthly(plan.users.waking, at["users.waking"]), most),
        "opening_users": at["baseline.opening_users"],
        "opening_active_share": at["baseline.opening_active_share"],
        "referral_k": k,
        "referral_cycle_months": cycle,
        "conversion": at["users.conversion"],
        "repeat_rate": at["users.repurchase"],
        "repeat_orders": orders,
        "repeat_months": window,
        "aov_cny": at["baseline.aov"],
        "company_gmv_cny": per_month(plan.baseline.total_gmv, "year", value=at["baseline.total_gmv"]),
    }


def capped(plan: Plan) -> bool:
    """Whether those who stay active or wake, and churn, add up to more than everybody at the central values."""
    at, used = central(plan), arguments(plan)
    stay = 1.0 - _monthly(plan.users.staying_active, 1.0 - at["users.staying_active"])
    return bool(used["stay"] < stay or used["wake"] < _monthly(plan.users.waking, at["users.waking"]))


def drivers(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return {driver: the places that rise and fall together}, those of the plan only."""
    named = {
        "intake": [f"channels.{channel.id}.intake" for channel in plan.channels],
        "churn": ["users.churn", *(f"channels.{channel.id}.churn" for channel in plan.channels)],
        "stay": ["users.staying_active"],
        "wake": ["users.waking"],
        "conversion": ["users.conversion"],
        "repeat_rate": ["users.repurchase"],
        "repeat_orders": ["users.orders_per_repeat_buyer"],
        "aov": ["baseline.aov"],
        "opening_users": ["baseline.opening_users"],
        "opening_active_share": ["baseline.opening_active_share"],
        "company_gmv": ["baseline.total_gmv"],
        "referral": ["users.referral.invites_per_user"],
    }
    known = quantities(plan)
    found = {name: tuple(place for place in places if place in known) for name, places in named.items()}
    return {name: places for name, places in found.items() if places}


# what counts as better; the company's GMV and where the plan starts from are no levers
IMPROVES = dict.fromkeys(
    ("intake", "stay", "wake", "conversion", "repeat_rate", "repeat_orders", "aov", "referral"), 1
) | {"churn": -1}


def wanted(plan: Plan, goals: Iterable[Mapping[str, Any]]) -> dict[str, tuple[dict[str, float], bool]]:
    """Return the level that the plan's own targets ask of a driver: {driver: ({place: value}, at least?)}.

    The goal on the monthly intake is divided over the channels as the plan's own intake is; goals on monthly rates
    are turned into the period that the plan types.

    Args:
        goals: rows of `planlib.plan.inputs.goals`; of several goals on one driver the most demanding counts.
    """
    levels: dict[str, tuple[float, bool]] = {}
    for goal in goals:
        name = _ASKED_BY.get(goal["metric"])
        if name is None or goal["open_reason"] or goal["op"] not in ("at_least", "at_most", "above", "below"):
            continue
        up = goal["op"] in ("at_least", "above")
        before = levels.get(name, (goal["goal"], up))[0]
        levels[name] = ((max if up else min)(before, goal["goal"]), up)
    at, known, places = central(plan), quantities(plan), drivers(plan)
    total = float(intake_levels(plan).sum())
    found = {}
    for name, (level, up) in levels.items():
        if name == "intake":
            asked = {place: at[place] * level / total for place in places.get(name, ()) if total}
        elif name in ("churn", "wake"):
            asked = {place: _in_period(level, known[place].period or "month") for place in places[name]}
        else:
            asked = dict.fromkeys(places[name], level)
        if asked:
            found[name] = (asked, up)
    return found


def _channel_churn(plan: Plan, at: Values, churn: Any) -> np.ndarray | None:
    """(1|D, C) monthly churn by channel; None when no channel has its own."""
    if all(channel.churn is None for channel in plan.channels):
        return None
    own = [
        churn if channel.churn is None else _monthly(channel.churn, at[f"channels.{channel.id}.churn"])
        for channel in plan.channels
    ]
    return np.atleast_2d(np.stack(np.broadcast_arrays(*own), axis=-1))


def _in_period(monthly: float, period: str) -> float:
    """The share of a period that a monthly share makes."""
    return monthly if period == "month" else 1.0 - (1.0 - monthly) ** MONTHS_IN[period]


def _monthly(quantity: Quantity, share: Any) -> Any:
    return monthly_rate(share, quantity.period or "month")
