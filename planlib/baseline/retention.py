"""Retention of cohorts: the triangle, and D7, D30, D90 over those old enough to tell.

A person counts as retained at day d when seen acting on one of the `span` days from day d on: with a span of 7, at D30
between day 30 and day 36. So a cohort is old enough once d + span days have passed, and all are judged over windows of
one length, however old they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.baseline.levels import Level, not_measurable, share
from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Triangle:
    """Shares of cohorts left after so many months.

    Attributes:
        share: (K, A) share of cohort k retained at age a; NaN where the cohort is not that old yet.
        joined: (K,) people of each cohort.
        mature: (K, A) True where every person of the cohort is that old.
    """

    share: np.ndarray
    joined: np.ndarray
    mature: np.ndarray


@dataclass(frozen=True, slots=True)
class Retained:
    """Retention at one day.

    Attributes:
        day: days since joining.
        level: share retained among mature people, with interval.
        cohorts: how many days' cohorts are mature.
        immature: how many are younger than the window and left out.
        people_left_out: people of those.
    """

    day: int
    level: Level
    cohorts: int
    immature: int
    people_left_out: int


def triangle(joined: Sequence[int], retained: Sequence[Sequence[int]], mature: Sequence[Sequence[bool]]) -> Triangle:
    """Return the cohort triangle; what is not known yet is NaN, not 0.

    Args:
        joined: (K,) people who joined, by cohort, oldest first.
        retained: (K, A) of those, people retained at age a.
        mature: (K, A) whether all of the cohort have reached age a.

    Raises:
        InputError: shapes disagree, or more are retained than joined.

    >>> found = triangle([100, 80], [[60, 40], [48, 0]], [[True, True], [True, False]])
    >>> found.share.tolist()
    [[0.6, 0.4], [0.6, nan]]
    """
    guard = Guard()
    base = guard.numbers("joined", list(joined), low=0.0, ndim=(1,))
    left = guard.numbers("retained", np.asarray(retained), low=0.0, ndim=(2,))
    old = np.asarray(mature, dtype=bool)
    if left.shape != old.shape or left.shape[0] != len(base):
        guard.add("shape", "retained", f"shape {left.shape}", expected=f"shape ({len(base)}, ages), as mature")
        guard.done()
    over = old & (left > base[:, None])
    if over.any():
        k, a = np.argwhere(over)[0]
        guard.add("out_of_range", f"retained[{k}, {a}]", float(left[k, a]), low=0, high=float(base[k]))
    guard.done()
    known = old & (base[:, None] > 0)
    shares = np.where(known, left / np.maximum(base, 1.0)[:, None], np.nan)
    return Triangle(shares, base, old)


def at_day(
    day: int, joined: Sequence[int], retained: Sequence[int], age_days: Sequence[int], *, span: int = 7,
    level: float = 0.95,
) -> Retained:  # fmt: skip
    """Return retention at a day over the cohorts that are at least so old; younger ones are counted, not used.

    Args:
        day: days since joining, e.g. 7.
        joined: (K,) people who joined, by day of joining.
        retained: (K,) of those, people retained at that day.
        age_days: (K,) whole days of data since joining, the day of joining and the last day included.
        span: days from `day` on within which an act counts.
        level: coverage of the interval.

    >>> found = at_day(7, [100, 50], [60, 50], [30, 3])
    >>> found.level.value, found.immature, found.people_left_out
    (0.6, 1, 50)
    """
    guard = Guard()
    after = guard.whole("day", day, low=1)
    base = guard.numbers("joined", list(joined) or [0], low=0.0, ndim=(1,))
    left = guard.numbers("retained", list(retained) or [0], low=0.0, ndim=(1,))
    age = guard.numbers("age_days", list(age_days) or [0], low=0.0, ndim=(1,))
    if not len(base) == len(left) == len(age):
        guard.add("shape", "retained", len(left), expected=f"{len(base)} values")
    length = guard.whole("span", span, low=1)
    guard.done()
    old = age >= after + length
    people, stayed = base[old].sum(), left[old].sum()
    found = share(stayed, people, level=level) if people else not_measurable("cohorts_too_young")
    young = ~old & (base > 0)
    return Retained(after, found, int((old & (base > 0)).sum()), int(young.sum()), int(base[young].sum()))


def curve_points(levels: Mapping[int, Level]) -> dict[int, float]:
    """Return {day: share} that a retention curve can run through: measured, between 0 and 1, and falling.

    >>> curve_points({7: Level(0.6, 0.5, 0.7, 9, "wilson"), 30: not_measurable("cohorts_too_young")})
    {7: 0.6}
    """
    points: dict[int, float] = {}
    lowest = 1.0
    for day in sorted(levels):
        value = levels[day].value
        if value is not None and 0 < value < lowest:
            points[day] = lowest = value
    return points
