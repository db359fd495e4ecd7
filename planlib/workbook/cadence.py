"""The reviews of a plan: how often, which notebooks each needs, which pages its deck shows. Declared here alone.

A review looks at a period of the plan and is due on the day after its last one; that last day is the review's slot and
its as-of date. Slots are dates of the calendar that the plan is written in (China Standard Time), so that neither a
clock's zone nor its changes skip or double one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from planlib.core.errors import InputError, Problem

ZONE = "Asia/Shanghai"
CHINA = dt.timezone(dt.timedelta(hours=8))  # without clock changes


@dataclass(frozen=True, slots=True)
class Cadence:
    """A kind of review.

    Attributes:
        id: weekly, monthly, quarterly or annual.
        months: length of its period; 0 is a week, from Monday to Sunday.
        notebooks: what it runs; () is all.
        alone: without what these need.
        pages: of its deck in order, as `notebook` or `notebook.page`; None is the whole deck.
        cover: whether cover, summary and method stand around them.
    """

    id: str
    months: int
    notebooks: tuple[str, ...]
    alone: bool
    pages: tuple[str, ...] | None
    cover: bool


CADENCES = {
    one.id: one
    for one in (
        Cadence("weekly", 0, ("80_review",), True, ("changes",), False),
        Cadence(
            "monthly",
            1,
            ("80_review",),
            False,
            ("changes", "20_funnel_targets.targets", "80_review", "70_outlook"),
            True,
        ),
        Cadence(
            "quarterly",
            3,
            ("41_experiment_readout", "80_review"),
            False,
            (
                "changes",
                "20_funnel_targets.targets",
                "80_review",
                "70_outlook",
                "30_budget_allocation",
                "40_experiment_planning",
                "41_experiment_readout",
            ),
            True,
        ),
        Cadence("annual", 12, (), False, None, True),
    )
}


def kind_of(name: str) -> Cadence:
    """Return a kind of review by its name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in CADENCES:
        raise InputError(Problem("choice", field="--cadence", given=name, values={"choice": ", ".join(CADENCES)}))
    return CADENCES[name]


def slot(kind: Cadence, start: str, day: dt.date) -> dt.date:
    """Return the last day of the newest period that is over at the end of a day.

    Args:
        start: first month of the plan, YYYY-MM; quarters and years are those of the plan.

    >>> slot(CADENCES["weekly"], "2027-01", dt.date(2027, 1, 12)).isoformat()
    '2027-01-10'
    >>> slot(CADENCES["quarterly"], "2027-02", dt.date(2027, 6, 30)).isoformat()
    '2027-04-30'
    """
    if not kind.months:
        return day - dt.timedelta(days=(day.weekday() + 1) % 7)
    year, month = (int(part) for part in start.split("-"))
    after = day + dt.timedelta(days=1)
    gone = (after.year - year) * 12 + after.month - month
    whole = year * 12 + month - 1 + gone // kind.months * kind.months
    return dt.date(whole // 12, whole % 12 + 1, 1) - dt.timedelta(days=1)


def slots(kind: Cadence, start: str, first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the slots from one day to another, oldest first.

    >>> len(slots(CADENCES["weekly"], "2027-01", dt.date(2027, 1, 1), dt.date(2027, 12, 31)))
    52
    """
    found: list[dt.date] = []
    day = slot(kind, start, last)
    while day >= first:
        found.append(day)
        day = slot(kind, start, day - dt.timedelta(days=1))
    return found[::-1]
