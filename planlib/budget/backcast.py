"""What sales and what total budget follow from a plan's shares: reckoned backwards from the limits."""

from __future__ import annotations

from planlib.core.guards import Guard


def smallest_gmv(
    labour_band: tuple[float, float], labour_of_gmv: float, *, budget_cny: float = 1.0
) -> tuple[float, float]:
    """Return the smallest GMV at which labour is at most a share of it, with labour at either end of its band.

    Args:
        labour_band: lowest and highest share of the budget.
        labour_of_gmv: largest share of GMV.
        budget_cny: 1 returns multiples of the budget.

    >>> smallest_gmv((0.4, 0.5), 0.05)
    (8.0, 10.0)
    """
    guard = Guard()
    low, high = (guard.number(f"labour_band[{i}]", x, low=0.0, high=1.0) for i, x in enumerate(labour_band))
    share = guard.number("labour_of_gmv", labour_of_gmv, above=0.0, high=1.0)
    money = guard.number("budget_cny", budget_cny, low=0.0)
    if not guard.problems and low > high:
        guard.add("low_above_high", "labour_band", list(labour_band))
    guard.done()
    return low * money / share, high * money / share


def total_for_acquisition(
    users_a_month: float, cac_cny: float, marketing_band: tuple[float, float], *, months: int = 12
) -> tuple[float, float]:
    """Return the smallest and largest total budget whose marketing band pays for an intake at a cost for each user.

    >>> total_for_acquisition(50_000, 20.0, (0.15, 0.20))
    (60000000.0, 80000000.0)
    """
    guard = Guard()
    users = guard.number("users_a_month", users_a_month, low=0.0)
    cost = guard.number("cac_cny", cac_cny, low=0.0)
    low, high = (guard.number(f"marketing_band[{i}]", x, above=0.0, high=1.0) for i, x in enumerate(marketing_band))
    count = guard.whole("months", months)
    if not guard.problems and low > high:
        guard.add("low_above_high", "marketing_band", list(marketing_band))
    guard.done()
    money = users * cost * count
    return money / high, money / low


def largest_paid_cac(blended_cny: float, free_share: float) -> float:
    """Return what a paid user may cost at most when a share of all users costs nothing.

    >>> round(largest_paid_cac(20.0, 0.4), 2)
    33.33
    """
    guard = Guard()
    cap = guard.number("blended_cny", blended_cny, low=0.0)
    free = guard.number("free_share", free_share, low=0.0, below=1.0)
    guard.done()
    return cap / (1 - free)


def cac_after(cac_cny: float, *changes: float) -> float:
    """Return an acquisition cost after changes one upon the other, each a share (0.35 = 35 % dearer).

    >>> round(cac_after(20.0, 0.35, -0.28), 2)
    19.44
    """
    guard = Guard()
    found = guard.number("cac_cny", cac_cny, low=0.0)
    parts = [guard.number(f"changes[{i}]", change, low=-1.0) for i, change in enumerate(changes)]
    guard.done()
    for part in parts:
        found *= 1 + part
    return found
