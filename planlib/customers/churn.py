"""Who is about to leave, what it is worth to act, and how much a warning must see to reach a goal.

Two definitions, by name. `left`: a listed contact whose last employee it deletes, or who is removed by the last, within
the window (30 days): the label of the warning. `lapsed`: a buyer who does not order within the expected cycle, whether
listed or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.customers.scoring import Choice, choose, uplift

DEFINITIONS = ("left", "lapsed")
WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Labels:
    """Who can churn by a definition, and who did.

    Attributes:
        eligible: (n,) whom the definition speaks of.
        churned: (n,) 1 for those eligible who churned, else 0.
        definition: its name; window_days: its window.
    """

    eligible: np.ndarray
    churned: np.ndarray
    definition: str
    window_days: int


@dataclass(frozen=True, slots=True)
class Needed:
    """A recall that a goal asks for.

    Attributes:
        recall: share of the leavers that the warning must see; None when no recall would do.
        reason: "beyond_success" (even all seen are not enough), "reached" (the goal holds already: recall 0), None.
    """

    recall: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What acting on a warning kept.

    Attributes:
        kept: share of those contacted who stayed because of it, with low and high end at `level`.
        success: kept over the share of the held-out who left; None, with a reason, where none left.
    """

    kept: float
    low: float
    high: float
    level: float
    success: float | None
    reason: str | None


def labels(
    definition: str,
    *,
    left: np.ndarray,
    orders_before: np.ndarray,
    orders_after: np.ndarray,
    window_days: int = WINDOW_DAYS,
) -> Labels:
    """Label people by one of the definitions.

    Args:
        definition: "left" or "lapsed".
        left: (n,) whether the last employee was gone within the window.
        orders_before, orders_after: (n,) paid orders before the moment and within the window.
        window_days: for `left` usually 30; for `lapsed` the expected cycle.

    Raises:
        InputError: an unknown definition, negative counts, or lengths that differ.

    >>> labels("lapsed", left=[0, 0, 1], orders_before=[2, 0, 1], orders_after=[0, 0, 1]).churned.tolist()
    [1, 0, 0]
    """
    guard = Guard()
    guard.choice("definition", definition, DEFINITIONS)
    gone = guard.numbers("left", np.asarray(left, dtype=float), low=0.0, high=1.0, ndim=(1,))
    before = guard.numbers("orders_before", orders_before, low=0.0, ndim=(1,))
    after = guard.numbers("orders_after", orders_after, low=0.0, ndim=(1,))
    guard.whole("window_days", window_days)
    if not len(gone) == len(before) == len(after):
        guard.add("shape", "left", f"shape {gone.shape}", expected=f"{len(before)} rows")
    guard.done()
    if definition == "left":
        eligible, churned = np.ones(len(gone), dtype=bool), gone > 0
    else:
        eligible, churned = before > 0, after == 0
    return Labels(eligible, (eligible & churned).astype(np.int8), definition, window_days)


def needed_recall(rate: float, goal: float, success: float) -> Needed:
    """Return the share of leavers that a warning must see for a churn rate to fall to a goal.

    Args:
        rate, goal: churn rates of one period.
        success: share of the warned leavers whom the intervention keeps, above 0.

    Raises:
        InputError: a value is out of range.

    Source: goal = rate (1 - recall x success).

    >>> round(needed_recall(0.20, 0.08, 0.65).recall, 3), round(needed_recall(0.15, 0.08, 0.65).recall, 3)
    (0.923, 0.718)
    """
    guard = Guard()
    guard.share("rate", rate, ndim=(0,))
    guard.share("goal", goal, ndim=(0,))
    guard.number("success", success, above=0.0, high=1.0)
    guard.done()
    if rate <= goal:
        return Needed(0.0, "reached")
    recall = (rate - goal) / (rate * success)
    return Needed(recall, None) if recall <= 1 else Needed(None, "beyond_success")


def rate_after(rate: float, recall: float, success: float) -> float:
    """Return the churn rate that is left when a warning sees `recall` of the leavers and keeps `success` of those.

    >>> round(rate_after(0.20, 0.923, 0.65), 3)
    0.08
    """
    guard = Guard()
    for name, value in (("rate", rate), ("recall", recall), ("success", success)):
        guard.share(name, value, ndim=(0,))
    guard.done()
    return rate * (1 - recall * success)


def warn(
    probability: np.ndarray,
    *,
    value_cny: object,
    success: float,
    cost_cny: object,
    capacity: int | None = None,
    churned: np.ndarray | None = None,
) -> Choice:
    """Return whom to care for before they leave, the most worth first.

    A contact is worth p x success x value less its cost. `success` is what the intervention adds: the share of those
    who would have left and stay because of it, best from a hold-out (`saved`), for those who stay anyhow earn nothing.

    Args:
        probability: (n,) of leaving, calibrated.
        value_cny: what a customer kept is worth, >= 0; a number or (n,).
        success: share of warned leavers kept.
        cost_cny: of one contact, >= 0; a number or (n,).
        capacity: most contacts; None for any number.
        churned: (n,) who left where nobody was contacted, to say what the choice would have earned.

    Raises:
        InputError: a value is out of range or lengths differ.

    >>> found = warn(np.array([0.5, 0.1]), value_cny=100.0, success=0.65, cost_cny=10.0)
    >>> round(found.threshold, 3), found.order.tolist(), round(found.expected_net_cny, 2)
    (0.154, [0], 22.5)
    """
    guard = Guard()
    guard.share("success", success, ndim=(0,))
    value = guard.numbers("value_cny", value_cny, low=0.0, ndim=(0, 1))
    guard.done()
    return choose(probability, gain_cny=success * value, cost_cny=cost_cny, capacity=capacity, label=churned)


def saved(left_contacted: int, contacted: int, left_held_out: int, held_out: int, *, level: float = 0.95) -> Saved:
    """Return what an intervention added, against those held out at random.

    Args:
        left_contacted, contacted: leavers and all of those contacted.
        left_held_out, held_out: the same of those held out.
        level: of the interval.

    Raises:
        InputError: counts that cannot be.

    >>> found = saved(70, 1000, 200, 1000)
    >>> round(found.kept, 3), round(found.success, 3)
    (0.13, 0.65)
    """
    found = uplift(contacted - left_contacted, contacted, held_out - left_held_out, held_out, level=level)
    rate = left_held_out / held_out
    return Saved(found.difference, found.interval.low, found.interval.high, level,
                 found.difference / rate if rate else None, None if rate else "no_events")  # fmt: skip
