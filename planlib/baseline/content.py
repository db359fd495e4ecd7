"""What content brings: engagement by mode or channel, cost of it, and which modes nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

ENGAGEMENT = ("likes", "comments", "shares")  # what counts as engagement, over views; a declared choice
PASS_LINE = 0.08  # the engagement rate that the documents ask for


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Content by mode (or channel), M of them.

    Attributes:
        engagement_rate: (M,) engagements over views; NaN without views.
        cost_per_engagement_cny: (M,) NaN without engagements or without a cost.
        cost_per_order_cny: (M,) the same for orders.
        passes: (M,) engagement rate at or above the pass line.
        frontier: (M,) no other mode has at least the engagement rate at no higher cost per view.
    """

    engagement_rate: np.ndarray
    cost_per_engagement_cny: np.ndarray
    cost_per_order_cny: np.ndarray
    passes: np.ndarray
    frontier: np.ndarray


def engagements(likes: Sequence[int], comments: Sequence[int], shares: Sequence[int]) -> np.ndarray:
    """Return likes + comments + shares: the declared numerator of the engagement rate.

    >>> engagements([5], [1], [2]).tolist()
    [8.0]
    """
    guard = Guard()
    found = [
        guard.numbers(name, list(values), low=0.0, ndim=(1,))
        for name, values in zip(ENGAGEMENT, (likes, comments, shares), strict=True)
    ]
    if len({len(values) for values in found}) > 1:
        guard.add("shape", "shares", [len(values) for values in found], expected="lists of one length")
    guard.done()
    return sum(found)


def efficiency(
    views: Sequence[float], engaged: Sequence[float], *, cost_cny: Sequence[float] | None = None,
    orders: Sequence[float] | None = None, pass_line: float = PASS_LINE,
) -> Efficiency:  # fmt: skip
    """Return rates and costs of content by mode or channel.

    Args:
        views: (M,) views or reads of each.
        engaged: (M,) engagements, see `engagements`; one person may engage more than once, so they may exceed views.
        cost_cny: (M,) what it cost; None when nobody keeps it.
        orders: (M,) orders that came from it; None when they are not traced.
        pass_line: engagement rate to pass.

    >>> found = efficiency([1000, 2000], [100, 120], cost_cny=[500, 400])
    >>> found.passes.tolist(), found.frontier.tolist()
    ([True, False], [True, True])
    """
    guard = Guard()
    seen = guard.numbers("views", list(views), low=0.0, ndim=(1,))
    unknown = [np.nan] * len(seen)
    did = guard.numbers("engaged", list(engaged), low=0.0, ndim=(1,))
    line = guard.number("pass_line", pass_line, low=0.0)
    cost = np.array(unknown) if cost_cny is None else guard.numbers("cost_cny", list(cost_cny), low=0.0, ndim=(1,))
    sold = np.array(unknown) if orders is None else guard.numbers("orders", list(orders), low=0.0, ndim=(1,))
    for name, values in {"engaged": did, "cost_cny": cost, "orders": sold}.items():
        if len(values) != len(seen):
            guard.add("shape", name, len(values), expected=f"{len(seen)} values")
    guard.done()
    rate = _over(did, seen)
    return Efficiency(rate, _over(cost, did), _over(cost, sold), rate >= line, _frontier(_over(cost, seen), rate))


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _frontier(cost: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Return where no other has at least the rate at no higher cost, and one of the two better."""
    known = ~np.isnan(cost) & ~np.isnan(rate)
    no_worse = (cost[None, :] <= cost[:, None]) & (rate[None, :] >= rate[:, None])
    better = (cost[None, :] < cost[:, None]) | (rate[None, :] > rate[:, None])
    return known & ~(no_worse & better & known[None, :]).any(axis=1)
