"""What the tables tell of channels: spend and new contacts by day, and the journeys of visits that led to orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.data.engine import Engine, statement

WEEK = 7
_NEEDED = ("costs", "follow_edges")
_JOURNEYS = ("touches", "orders")


@dataclass(frozen=True, eq=False)
class Observed:
    """Spend and new contacts of channels, day by day.

    Attributes:
        channels: (C,) ids.
        first: the first day.
        spend: (D, C) CNY; an amount that covers several days is spread evenly over them.
        joined: (D, C) new contacts.
    """

    channels: tuple[str, ...]
    first: dt.date
    spend: np.ndarray
    joined: np.ndarray

    @property
    def after(self) -> dt.date:
        """The day after the last."""
        return self.first + dt.timedelta(days=len(self.spend))

    def weeks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return spend and new contacts of whole weeks from the first day on, (W, C) each."""
        whole = len(self.spend) // WEEK
        return tuple(x[: whole * WEEK].reshape(whole, WEEK, -1).sum(axis=1) for x in (self.spend, self.joined))

    def quarter(self) -> tuple[np.ndarray, np.ndarray, dt.date] | None:
        """Return spend and new contacts of the last three whole months, (C,) each, and their first day; None: fewer."""
        end = self.after.replace(day=1)
        index = end.year * 12 + end.month - 1 - 3
        start = dt.date(index // 12, index % 12 + 1, 1)
        if start < self.first:
            return None
        inside = slice((start - self.first).days, (end - self.first).days)
        return self.spend[inside].sum(axis=0), self.joined[inside].sum(axis=0), start


def observed(tables: Engine, channels: Sequence[str]) -> Observed | None:
    """Return what was spent on channels and brought by them, over the days that costs are told of; None without any.

    Args:
        tables: a plan's tidy tables.
        channels: ids, as in the plan; costs of other names are left out.
    """
    if not set(_NEEDED) <= set(tables.loaded):
        return None
    rows = tables.query(statement("spend"), {"until": dt.date.max}).rows()
    place = {name: c for c, name in enumerate(channels)}
    rows = [row for row in rows if row["channel_id"] in place and row["days"]]
    if not rows:
        return None
    first = min(row["day"] for row in rows)
    days = max((row["day"] - first).days + row["days"] for row in rows)
    spend, joined = np.zeros((days, len(place))), np.zeros((days, len(place)))
    for row in rows:
        start = (row["day"] - first).days
        spend[start : start + row["days"], place[row["channel_id"]]] += row["fen"] / 100 / row["days"]
    given = {"since": first, "until": first + dt.timedelta(days=days)}
    for row in tables.query(statement("channel_joins"), given).rows():
        if row["channel_id"] in place:
            joined[(row["day"] - first).days, place[row["channel_id"]]] += row["people"]
    return Observed(tuple(channels), first, spend, joined)


def journeys(tables: Engine, *, since: dt.date, until: dt.date) -> list[tuple[tuple[str, ...], int, int]]:
    """Return rows of `planlib.budget.attribution.Paths.of`: channels in order, journeys with and without an order.

    Args:
        tables: a plan's tidy tables.
        since, until: first day, and the day after the last.
    """
    if not set(_JOURNEYS) <= set(tables.loaded):
        return []
    tables.keep("sold", {"until": until})
    rows = tables.query(statement("paths"), {"since": since, "until": until}).rows()
    return [(tuple(row["path"].split(" > ")), int(row["converted"]), int(row["lost"])) for row in rows]
