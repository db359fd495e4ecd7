"""What users buy: first buyers, repeat buyers, orders, GMV, and its share of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.users import lagged

FACTORS = ("users", "active", "conversion", "orders", "aov_cny")


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales by draw and month, all (D, T).

    Attributes:
        new_buyers: people who order for the first time in the month.
        repeat_buyers: people who become repeat buyers in the month.
        new_orders, repeat_orders: orders of the month from both.
        gmv_new_cny, gmv_repeat_cny, gmv_cny: order value of the month; new + repeat = all.
        residual: largest difference between a draw's buyers and repeat buyers over the horizon
            and the shares of joiners that come due in it, relative to the joiners.
    """

    new_buyers: np.ndarray
    repeat_buyers: np.ndarray
    new_orders: np.ndarray
    repeat_orders: np.ndarray
    gmv_new_cny: np.ndarray
    gmv_repeat_cny: np.ndarray
    gmv_cny: np.ndarray
    residual: float

    @property
    def new_share(self) -> np.ndarray:
        """(D, T) share of the month's GMV from first buyers; NaN where nothing is sold."""
        return np.divide(
            self.gmv_new_cny, self.gmv_cny, out=np.full(self.gmv_cny.shape, np.nan), where=self.gmv_cny > 0
        )


@dataclass(frozen=True, slots=True)
class Frontier:
    """What repeat buying and a floor under the share of new GMV leave each other.

    Attributes:
        repeat_rate: (R,) share of first buyers who buy again.
        repeat_orders: (O,) further orders of one of them.
        new_share: (R, O) share of GMV from first orders.
        gmv_multiple: (R, O) GMV over that of the first orders alone.
        holds: (R, O) whether the share stands at or above the floor.
        most_orders: (R,) orders of a repeat buyer at which the share meets the floor; infinite at rate 0.
        most_multiple: GMV over that of the first orders at the floor, at any rate: 1 / floor.
    """

    repeat_rate: np.ndarray
    repeat_orders: np.ndarray
    new_share: np.ndarray
    gmv_multiple: np.ndarray
    holds: np.ndarray
    most_orders: np.ndarray
    most_multiple: float


@dataclass(frozen=True, slots=True)
class Chain:
    """One period's buyers, orders and order value."""

    buyers: float | np.ndarray
    orders: float | np.ndarray
    gmv_cny: float | np.ndarray


def even_spread(months: int, *, first: int = 0) -> np.ndarray:
    """Return weights that spread something evenly over months.

    Args:
        months: how many months share it, >= 1.
        first: months of delay; 0 begins in the same month.

    Returns:
        (first + months,) weights that sum to 1.

    >>> even_spread(2, first=1)
    array([0. , 0.5, 0.5])
    """
    guard = Guard()
    length = guard.whole("months", months)
    delay = guard.whole("first", first, low=0)
    guard.done()
    return np.append(np.zeros(delay), np.full(length, 1.0 / length))


def sales(
    joined: object,
    *,
    conversion: object,
    aov_new_cny: object,
    aov_repeat_cny: object = None,
    repeat_rate: object = 0.0,
    repeat_orders: object = 1.0,
    first_orders: object = 1.0,
    conversion_spread: Sequence[float] = (1.0,),
    repeat_spread: Sequence[float] | None = None,
    seasonality: object = None,
) -> Sales:
    """Turn joiners into buyers, orders and order value by month.

    Of the joiners of a month a share `conversion` buys, in the months that
    `conversion_spread` gives. Of these first buyers a share `repeat_rate` buys again:
    `repeat_orders` orders each, spread over the months after the first purchase by
    `repeat_spread`. Orders that would fall after the horizon are not counted.

    Args:
        joined: (T,) or (D, T) people who join, >= 0.
        conversion: share of joiners who ever buy; scalar, (D, 1), (1, T) or (D, T) by month of joining.
        aov_new_cny: CNY an order of first buyers, >= 0; shaped as conversion, by month of order.
        aov_repeat_cny: the same for repeat orders; None = as for first buyers.
        repeat_rate: share of first buyers who buy again; shaped as conversion, by month of first purchase.
        repeat_orders: orders of one repeat buyer over the whole spread, >= 1; shaped likewise.
        first_orders: orders of a first buyer in the month of purchase, >= 1.
        conversion_spread: weights that sum to 1; entry 0 is the month of joining.
        repeat_spread: weights that sum to 1; entry 0 is the month of first purchase.
            None = evenly over the twelve months after it.
        seasonality: (T,) factors >= 0 on the orders of each month; buyers keep their month.

    Returns:
        Sales; its residual belongs into a computation check (<= 1e-9).

    Raises:
        InputError: a share, weight or value is out of range, or shapes disagree.

    >>> year = sales(np.full(12, 50_000.0), conversion=0.12, aov_new_cny=100.0)
    >>> round(year.new_buyers.sum())
    72000
    """
    guard = Guard()
    adds = guard.numbers("joined", joined, low=0.0, ndim=(1, 2))
    adds = adds[None] if adds.ndim == 1 else adds
    months = adds.shape[-1]
    share = _by_month(guard, "conversion", conversion, months, low=0.0, high=1.0)
    again = _by_month(guard, "repeat_rate", repeat_rate, months, low=0.0, high=1.0)
    times = _by_month(guard, "repeat_orders", repeat_orders, months, low=1.0)
    first = _by_month(guard, "first_orders", first_orders, months, low=1.0)
    aov_new = _by_month(guard, "aov_new_cny", aov_new_cny, months, low=0.0)
    aov_repeat = aov_new
    if aov_repeat_cny is not None:
        aov_repeat = _by_month(guard, "aov_repeat_cny", aov_repeat_cny, months, low=0.0)
    buying = _weights(guard, "conversion_spread", conversion_spread)
    returning = _weights(guard, "repeat_spread", even_spread(12, first=1) if repeat_spread is None else repeat_spread)
    season = guard.numbers("seasonality", np.ones(months) if seasonality is None else seasonality, low=0.0, ndim=(1,))
    if season.shape != (months,):
        guard.add("shape", "seasonality", f"shape {season.shape}", expected=f"({months},)")
    draws = {a.shape[0] for a in (adds, share, again, times, first, aov_new, aov_repeat)} - {1}
    if len(draws) > 1:
        guard.add("shape", "joined", f"draws {sorted(draws)}", expected="one number of draws in all arguments")
    guard.done()
    would_buy = np.broadcast_to(adds * share, (max(draws, default=1), months))
    new_buyers = lagged(would_buy, buying)
    repeat_buyers = lagged(new_buyers * again, returning)
    new_orders = new_buyers * first * season
    later_orders = lagged(new_buyers * again * times, returning) * season
    gmv_new, gmv_repeat = new_orders * aov_new, later_orders * aov_repeat
    lost = _not_spread(would_buy, buying, new_buyers) + _not_spread(new_buyers * again, returning, repeat_buyers)
    residual = float((lost / np.maximum(adds.sum(axis=-1), 1.0)).max())
    total = gmv_new + gmv_repeat
    return Sales(new_buyers, repeat_buyers, new_orders, later_orders, gmv_new, gmv_repeat, total, residual)


def new_gmv_share(*, repeat_rate: object, repeat_orders: object, aov_ratio: object = 1.0) -> float | np.ndarray:
    """Return the share of GMV from first orders when each buyer's repeat orders fall into the period.

    Args:
        repeat_rate: share of first buyers who buy again.
        repeat_orders: further orders of one of them, >= 0.
        aov_ratio: order value of repeat orders over that of first ones, >= 0.

    Returns:
        1 / (1 + repeat_rate repeat_orders aov_ratio).

    >>> round(new_gmv_share(repeat_rate=0.35, repeat_orders=6), 3)
    0.323
    """
    guard = Guard()
    rate = guard.share("repeat_rate", repeat_rate)
    orders = guard.numbers("repeat_orders", repeat_orders, low=0.0)
    ratio = guard.numbers("aov_ratio", aov_ratio, low=0.0)
    guard.done()
    share = 1.0 / (1.0 + rate * orders * ratio)
    return float(share) if np.ndim(share) == 0 else share


def highest_repeat_orders(new_share: float, *, repeat_rate: float, aov_ratio: float = 1.0) -> float:
    """Return how often repeat buyers may order until first orders fall below a share of GMV.

    >>> round(highest_repeat_orders(0.40, repeat_rate=0.35), 1)
    4.3
    """
    guard = Guard()
    share = guard.number("new_share", new_share, above=0.0, high=1.0)
    rate = guard.number("repeat_rate", repeat_rate, above=0.0, high=1.0)
    ratio = guard.number("aov_ratio", aov_ratio, above=0.0)
    guard.done()
    return (1.0 / share - 1.0) / (rate * ratio)


def new_share_frontier(
    repeat_rate: object, repeat_orders: object, *, floor: float, aov_ratio: float = 1.0
) -> Frontier:
    """Set repeat rate and frequency against a floor under the share of GMV from new customers.

    Args:
        repeat_rate: (R,) shares.
        repeat_orders: (O,) further orders of a repeat buyer, >= 0.
        floor: smallest share of GMV from first orders, above 0, at most 1.
        aov_ratio: order value of repeat orders over that of first ones, > 0.

    >>> frontier = new_share_frontier([0.35], [1.0, 6.0], floor=0.40)
    >>> frontier.new_share.round(3).tolist(), frontier.holds.tolist(), frontier.most_orders.round(2).tolist()
    ([[0.741, 0.323]], [[True, False]], [4.29])
    """
    guard = Guard()
    rate = guard.share("repeat_rate", repeat_rate, ndim=(1,))
    orders = guard.numbers("repeat_orders", repeat_orders, low=0.0, ndim=(1,))
    least = guard.number("floor", floor, above=0.0, high=1.0)
    ratio = guard.number("aov_ratio", aov_ratio, above=0.0)
    guard.done()
    share = new_gmv_share(repeat_rate=rate[:, None], repeat_orders=orders, aov_ratio=ratio)
    with np.errstate(divide="ignore"):
        most = np.where(rate > 0, (1.0 / least - 1.0) / (rate * ratio), np.inf)
    return Frontier(rate, orders, share, 1.0 / share, share >= least - 1e-12, most, 1.0 / least)


def share_of_total(part: object, whole: object, *, window_months: int = 12, basis: str = "whole") -> np.ndarray:
    """Return a part's share of a whole over a trailing window of months.

    Args:
        part: (T,) or (D, T) monthly amounts >= 0, e.g. private-domain GMV.
        whole: monthly amounts >= 0; scalar, (T,) or (D, T).
        window_months: length of the window, >= 1; earlier months use what there is.
        basis: `whole` when `whole` contains the part, `rest` when it is everything else.

    Returns:
        (D, T) or (T,) shares; NaN where the whole is zero. Above 1 only when a `whole`
        is smaller than its part.

    >>> share_of_total([1.0, 3.0], 4.0)
    array([0.25, 0.5 ])
    """
    guard = Guard()
    piece = guard.numbers("part", part, low=0.0, ndim=(1, 2))
    other = guard.numbers("whole", whole, low=0.0, ndim=(0, 1, 2))
    window = guard.whole("window_months", window_months)
    guard.choice("basis", basis, ("whole", "rest"))
    guard.done()
    try:
        shape = np.broadcast_shapes(piece.shape, other.shape)
    except ValueError:
        expected = f"one number, ({piece.shape[-1]},) or {piece.shape}"
        guard.add("shape", "whole", f"shape {other.shape}", expected=expected)
        guard.done()
    ones = np.ones(window)
    top = lagged(piece, ones)
    bottom = lagged(np.broadcast_to(other, (*other.shape[:-1], shape[-1])), ones)
    bottom = bottom + top if basis == "rest" else bottom
    return np.divide(top, bottom, out=np.full(shape, np.nan), where=bottom > 0)


def funnel_chain(*, users: object, active: object, conversion: object, orders: object, aov_cny: object) -> Chain:
    """Return one period's buyers, orders and GMV from users x active x conversion x orders x order value.

    Args:
        users: people >= 0.
        active: share of users who are active.
        conversion: share of active users who buy.
        orders: orders of a buyer, >= 0.
        aov_cny: CNY an order, >= 0.

    >>> funnel_chain(users=1_000_000, active=0.35, conversion=0.06, orders=1.5, aov_cny=200).gmv_cny
    6300000.0
    """
    values = _factors(users=users, active=active, conversion=conversion, orders=orders, aov_cny=aov_cny)
    buyers = values["users"] * values["active"] * values["conversion"]
    placed = buyers * values["orders"]
    gmv = placed * values["aov_cny"]
    return Chain(*(float(v) if np.ndim(v) == 0 else v for v in (buyers, placed, gmv)))


def funnel_solve(gmv_cny: float, solve: str, **others: float) -> float:
    """Return the one factor of `funnel_chain` that a GMV needs, the others being given.

    A share may come out above 1: then this factor alone cannot reach the GMV.

    Args:
        gmv_cny: CNY of the period, >= 0.
        solve: one of users, active, conversion, orders, aov_cny.
        others: the other four.

    Raises:
        InputError: a factor is missing, unknown, out of range, or zero.

    >>> round(funnel_solve(8e6, "aov_cny", users=1e6, active=0.35, conversion=0.06, orders=1.4), 2)
    272.11
    """
    guard = Guard()
    goal = guard.number("gmv_cny", gmv_cny, low=0.0)
    guard.choice("solve", solve, FACTORS)
    for name in FACTORS:
        if name != solve and name not in others:
            guard.add("missing", name)
    for name, value in others.items():
        if name not in FACTORS or name == solve:
            guard.add("choice", name, value, choice=", ".join(f for f in FACTORS if f != solve))
    guard.done()
    values = _factors(**others)
    product = float(np.prod([float(v) for v in values.values()]))
    if product == 0:
        zero = next(name for name, value in values.items() if value == 0)
        guard.add("above", zero, 0.0, low=0)
        guard.done()
    return goal / product


def _not_spread(flow: np.ndarray, weights: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(D,) amount by which a spread flow misses the part of the flow that comes due in the horizon."""
    months = flow.shape[-1]
    due = np.cumsum(np.append(weights, np.zeros(months)))[:months][::-1]
    return np.abs((flow * due).sum(axis=-1) - spread.sum(axis=-1))


def _factors(**values: object) -> dict[str, np.ndarray]:
    guard = Guard()
    checked = {
        name: guard.share(name, value) if name in ("active", "conversion") else guard.numbers(name, value, low=0.0)
        for name, value in values.items()
    }
    guard.done()
    return checked


def _by_month(guard: Guard, field: str, value: object, months: int, **limits: float) -> np.ndarray:
    """Check a factor and return it as (1|D, 1|T)."""
    factor = guard.numbers(field, value, ndim=(0, 2), **limits)
    factor = factor.reshape(1, 1) if factor.ndim == 0 else factor
    if factor.shape[-1] not in (1, months):
        expected = f"one number, (D, 1), (1, {months}) or (D, {months})"
        guard.add("shape", field, f"shape {factor.shape}", expected=expected)
    return factor


def _weights(guard: Guard, field: str, value: object) -> np.ndarray:
    """Check weights over months that sum to 1."""
    weights = guard.numbers(field, value, low=0.0, ndim=(1,))
    if weights.size and np.isfinite(weights).all() and abs(float(weights.sum()) - 1.0) > 1e-9:
        guard.add("sums_to_one", field, float(weights.sum()))
    return weights
