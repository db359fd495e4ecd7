"""What a user costs and what a buyer is worth, on one unit: ratio and payback, with intervals from draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval

UNITS = ("contact", "buyer")


@dataclass(frozen=True, slots=True)
class Amount:
    """CNY for one contact (an added user) or one buyer; a number or (D,) draws."""

    cny: float | np.ndarray
    per: Literal["contact", "buyer"]


@dataclass(frozen=True, slots=True)
class UnitEconomics:
    """Cost and worth of a user on both units; numbers, or (D,) where an input has draws.

    Attributes:
        cac_contact_cny, cac_buyer_cny: cost of an added user, and of one who buys.
        margin_contact_cny, margin_buyer_cny: margin that each brings over the horizon, discounted.
        ratio: margin over cost; the same on both units, since both are divided by the conversion.
        sales_ratio: the same before margin and discount, as documents state LTV : CAC.
    """

    cac_contact_cny: float | np.ndarray
    cac_buyer_cny: float | np.ndarray
    margin_contact_cny: float | np.ndarray
    margin_buyer_cny: float | np.ndarray
    ratio: float | np.ndarray
    sales_ratio: float | np.ndarray


@dataclass(frozen=True, slots=True)
class Payback:
    """When the cumulative discounted margin of a cohort covers its cost.

    Attributes:
        cumulative_cny: (D, T) margin so far per unit; month 1 is that of joining.
        balance_cny: (D, T) the same less the cost.
        month: (D,) first month with a balance of at least 0; 0 = not within the horizon.
        probability: share of draws that are paid back within the horizon.
        median_month: median month of all draws; None when half or more are not paid back.
        fast_month, slow_month: 10 % and 90 % of the draws; None when not reached by then.
    """

    cumulative_cny: np.ndarray
    balance_cny: np.ndarray
    month: np.ndarray
    probability: float
    median_month: int | None
    fast_month: int | None
    slow_month: int | None


def per_buyer(amount: Amount, *, conversion: object) -> Amount:
    """Turn CNY per contact into CNY per buyer: the contacts who do not buy are paid for too.

    >>> round(per_buyer(Amount(20.0, "contact"), conversion=0.12).cny, 1)
    166.7
    """
    guard = Guard()
    cny = _amount(guard, "amount", amount, "contact")
    share = guard.numbers("conversion", conversion, above=0.0, high=1.0, ndim=(0, 1))
    _one_number_of_draws(guard, "conversion", cny, share)
    guard.done()
    return Amount(_plain(cny / share), "buyer")


def per_contact(amount: Amount, *, conversion: object) -> Amount:
    """Turn CNY per buyer into CNY per contact.

    >>> per_contact(Amount(680.0, "buyer"), conversion=0.25)
    Amount(cny=170.0, per='contact')
    """
    guard = Guard()
    cny, share = _amount(guard, "amount", amount, "buyer"), guard.share("conversion", conversion, ndim=(0, 1))
    _one_number_of_draws(guard, "conversion", cny, share)
    guard.done()
    return Amount(_plain(cny * share), "contact")


def ltv_to_cac(ltv: Amount, cac: Amount) -> float | np.ndarray:
    """Return LTV : CAC when both stand on one unit.

    Raises:
        InputError: one is per contact and the other per buyer (1,224 CNY of a buyer over 20 CNY
            of a contact is no ratio), a negative worth, or a cost that is not above 0.

    >>> cac = per_buyer(Amount(20.0, "contact"), conversion=0.12)
    >>> round(ltv_to_cac(Amount(1224.0, "buyer"), cac), 1)
    7.3
    """
    guard = Guard()
    guard.choice("ltv.per", ltv.per, UNITS)
    guard.done()
    worth = guard.numbers("ltv.cny", ltv.cny, low=0.0, ndim=(0, 1))
    cost = _amount(guard, "cac", cac, ltv.per, above=0.0)
    _one_number_of_draws(guard, "cac", worth, cost)
    guard.done()
    return _plain(worth / cost)


def unit_economics(
    *, cac: Amount, ltv: Amount, conversion: object, margin: object = 1.0, discount: object = 1.0
) -> UnitEconomics:
    """Put cost and worth on both units.

    Args:
        cac: of a contact or a buyer, > 0.
        ltv: sales of a contact or a buyer over the horizon, >= 0.
        conversion: share of contacts who become buyers, > 0.
        margin: share of sales that stays as margin.
        discount: present value of 1 CNY of the sales, from `present_value_share`.

    Raises:
        InputError: a value is out of range, or draws are of different number.

    >>> found = unit_economics(cac=Amount(20.0, "contact"), ltv=Amount(1224.0, "buyer"), conversion=0.12, margin=0.3)
    >>> round(found.sales_ratio, 1), round(found.ratio, 1)
    (7.3, 2.2)
    """
    guard = Guard()
    share = guard.numbers("conversion", conversion, above=0.0, high=1.0, ndim=(0, 1))
    kept = guard.share("margin", margin, ndim=(0, 1))
    present = guard.share("discount", discount, ndim=(0, 1))
    for name, amount in (("cac", cac), ("ltv", ltv)):
        guard.choice(f"{name}.per", amount.per, UNITS)
    cost = guard.numbers("cac.cny", cac.cny, above=0.0, ndim=(0, 1))
    worth = guard.numbers("ltv.cny", ltv.cny, low=0.0, ndim=(0, 1))
    _one_number_of_draws(guard, "cac", share, kept, present, cost, worth)
    guard.done()
    cost_buyer = cost / share if cac.per == "contact" else cost
    sales_buyer = worth / share if ltv.per == "contact" else worth
    margin_buyer = sales_buyer * kept * present
    parts = (cost_buyer * share, cost_buyer, margin_buyer * share, margin_buyer, margin_buyer / cost_buyer,
             sales_buyer / cost_buyer)  # fmt: skip
    return UnitEconomics(*(_plain(part) for part in parts))


def present_value_share(sales_by_month: object, *, discount_rate_year: object) -> float | np.ndarray:
    """Return the present value of a stream of sales over their plain sum.

    Args:
        sales_by_month: (T,) or (D, T) >= 0, month 1 (not discounted) first; some above 0.
        discount_rate_year: share a year, >= 0; number or (D,).

    >>> round(present_value_share([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1.0], discount_rate_year=0.25), 3)
    0.9
    """
    guard = Guard()
    stream = guard.numbers("sales_by_month", sales_by_month, low=0.0, ndim=(1, 2))
    rate = guard.numbers("discount_rate_year", discount_rate_year, low=0.0, ndim=(0, 1))
    if not guard.problems and np.any(stream.sum(axis=-1) == 0):
        guard.add("above", "sales_by_month", 0.0, low=0)
    _one_number_of_draws(guard, "discount_rate_year", rate, table=stream)
    guard.done()
    return _plain((stream * _factors(rate, stream.shape[-1])).sum(axis=-1) / stream.sum(axis=-1))


def payback(cac_cny: object, margin_by_month: object, *, discount_rate_year: object = 0.0) -> Payback:
    """Tell in which month a cohort has paid back what it cost.

    Args:
        cac_cny: CNY of one contact (or buyer), > 0; number or (D,).
        margin_by_month: (T,) or (D, T) margin that one contact (or buyer: the same unit) brings
            in each month since joining; months may lose money.
        discount_rate_year: share a year, >= 0; number or (D,). The month of joining is not discounted.

    >>> found = payback(20.0, [8.0, 6.0, 4.0, 4.0])
    >>> int(found.month[0]), found.balance_cny[0].tolist()
    (4, [-12.0, -6.0, -2.0, 2.0])
    """
    guard = Guard()
    cost = guard.numbers("cac_cny", cac_cny, above=0.0, ndim=(0, 1))
    margin = guard.numbers("margin_by_month", margin_by_month, ndim=(1, 2))
    rate = guard.numbers("discount_rate_year", discount_rate_year, low=0.0, ndim=(0, 1))
    _one_number_of_draws(guard, "margin_by_month", cost, rate, table=margin)
    guard.done()
    cumulative = np.atleast_2d(margin * _factors(rate, margin.shape[-1])).cumsum(axis=1)
    balance = cumulative - (cost[:, None] if cost.ndim else cost)
    draws = balance.shape[0]
    cumulative = np.broadcast_to(cumulative, balance.shape)
    paid = balance >= -1e-9 * (cost[:, None] if cost.ndim else cost)
    month = np.where(paid.any(axis=1), paid.argmax(axis=1) + 1, 0)
    order = np.sort(np.where(month == 0, balance.shape[1] + 1, month))
    fast, median, slow = (int(order[max(int(np.ceil(p * draws)) - 1, 0)]) for p in (0.1, 0.5, 0.9))
    told = (None if m > balance.shape[1] else m for m in (median, fast, slow))
    return Payback(cumulative, balance, month, float((month > 0).mean()), *told)


def interval(draws: object, *, level: float = 0.8) -> Interval:
    """Return the middle part of simulated values.

    >>> band = interval(np.arange(101.0), level=0.5)
    >>> band.low, band.high
    (25.0, 75.0)
    """
    guard = Guard()
    values = guard.numbers("draws", draws, ndim=(1,))
    part = guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    low, high = np.quantile(values, [0.5 - part / 2, 0.5 + part / 2])
    return Interval(float(low), float(high), part)


def _amount(guard: Guard, field: str, amount: Amount, per: str, **limits: float) -> np.ndarray:
    """The CNY of an amount that has to stand on a unit."""
    if amount.per != per:
        guard.add("unit_confusion", f"{field}.per", amount.per, unit=f"CNY_per_{per}")
    return guard.numbers(f"{field}.cny", amount.cny, ndim=(0, 1), **(limits or {"low": 0.0}))


def _one_number_of_draws(guard: Guard, field: str, *arrays: np.ndarray, table: np.ndarray | None = None) -> None:
    draws = {len(row) for row in arrays if row.ndim} - {1}
    if table is not None and table.ndim == 2:
        draws |= {len(table)} - {1}
    if len(draws) > 1:
        guard.add("shape", field, f"draws {sorted(draws)}", expected="one number of draws in all arguments")


def _factors(rate_year: np.ndarray, months: int) -> np.ndarray:
    """(T,) or (D, T) present value of 1 CNY in each month."""
    rate = rate_year[:, None] if rate_year.ndim else rate_year
    return (1.0 + rate) ** (-np.arange(months) / 12.0)


def _plain(value: np.ndarray) -> float | np.ndarray:
    return float(value) if np.ndim(value) == 0 else value
