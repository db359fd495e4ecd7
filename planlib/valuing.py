"""What customers are worth and who is about to leave: the tidy tables meet the rooms that segment, value and score.

`at` asks the tables once for one moment; everything else takes what it returned. Notebook 60 and `planlib list` stand
on this module.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planlib.data.baseline import Windows

if TYPE_CHECKING:
    from planlib.data.engine import Engine

FEN = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """Persons who had joined by a moment.

    Attributes:
        until: the day after the last that counts.
        person, external_hid, staff_id: (N,) hashed ids; "" where nobody serves the person any more.
        joined, first, last, acted: (N,) days of joining, first and last order, last act; NaT where there is none.
        listed: (N,) whether it is a contact still.
        orders, days_bought, orders_quarter: (N,) paid orders, days with one, orders of the last 90 days.
        money_cny: (N,) paid less refunded; below zero where more came back than was paid in the data's time.
        acts, social, content: (N,) own acts of the last 90 days; acts of a year that bring others in, that answer
            content.
    """

    until: dt.date
    person: np.ndarray
    external_hid: np.ndarray
    staff_id: np.ndarray
    joined: np.ndarray
    listed: np.ndarray
    first: np.ndarray
    last: np.ndarray
    orders: np.ndarray
    days_bought: np.ndarray
    orders_quarter: np.ndarray
    money_cny: np.ndarray
    acts: np.ndarray
    social: np.ndarray
    content: np.ndarray
    acted: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def where(self, kept: np.ndarray) -> Customers:
        """Return those of the mask or places `kept`."""
        columns = {name: getattr(self, name)[kept] for name in self.__slots__ if name != "until"}
        return replace(self, **columns)

    @property
    def bought(self) -> np.ndarray:
        """(N,) whether they have ever ordered in the data's time."""
        return self.orders > 0

    @property
    def recency_days(self) -> np.ndarray:
        """(N,) days from the last order to the last day that counts; 0 without orders."""
        return self._days_since(self.last)

    @property
    def repeats(self) -> np.ndarray:
        """(N,) days with an order after the first such day."""
        return np.maximum(self.days_bought - 1, 0)

    @property
    def last_after_first_days(self) -> np.ndarray:
        """(N,) days from the first order to the last; 0 without orders."""
        return np.where(self.bought, (self.last - self.first).astype("m8[D]").astype(float), 0.0)

    @property
    def age_days(self) -> np.ndarray:
        """(N,) days from the first order to the last day that counts; 0 without orders."""
        return self._days_since(self.first)

    @property
    def tenure_days(self) -> np.ndarray:
        """(N,) days since joining."""
        return self._days_since(self.joined)

    def _days_since(self, days: np.ndarray) -> np.ndarray:
        passed = (np.datetime64(self.until, "D") - days).astype("m8[D]").astype(float) - 1
        return np.where(np.isnat(days), 0.0, np.maximum(passed, 0.0))


def at(engine: Engine, windows: Windows) -> Customers:
    """Return everybody who had joined by the end of the windows.

    The tables `people` and `sold` of the engine stand at that moment afterwards.
    """
    parameters = windows.parameters()
    for name in ("people", "sold"):
        engine.keep(name, parameters)
    found = engine.query("customers_at", parameters).arrays()

    def numbers(name: str) -> np.ndarray:
        return np.ma.filled(found[name], 0).astype(float)

    def days(name: str) -> np.ndarray:
        return np.ma.filled(np.ma.asarray(found[name]).astype("M8[D]"), np.datetime64("NaT"))

    def ids(name: str) -> np.ndarray:
        return np.ma.filled(np.ma.asarray(found[name], dtype=object), "")

    return Customers(
        windows.until, *(ids(name) for name in ("person", "external_hid", "staff_id")), days("joined_on"),
        numbers("listed") > 0, days("first_on"), days("last_on"),
        *(numbers(name) for name in ("orders", "days_bought", "orders_quarter")), numbers("fen") / FEN,
        *(numbers(name) for name in ("acts_quarter", "social", "content")), days("acted_on"),
    )  # fmt: skip
