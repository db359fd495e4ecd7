"""The sample brand's parameters, its calendar, and the named random streams."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from planlib.core.streams import stream

SECONDS_PER_DAY = 86_400
CHINA = 8 * 3600  # seconds that Shanghai is ahead of UTC
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Brand:
    """What is planted: read from brand.yaml.

    Attributes:
        first_day, days: the period, both ends included.
        figures: name -> number; rates are shares, money is CNY.
        sources: name -> (unit, section of W or "assumption").
        tree: all else of the file.
    """

    first_day: dt.date
    days: int
    figures: Mapping[str, float]
    sources: Mapping[str, tuple[str, str]]
    tree: Mapping[str, Any]

    @property
    def last_day(self) -> dt.date:
        """Return the day that the data reach to."""
        return self.first_day + dt.timedelta(days=self.days - 1)

    @property
    def goods(self) -> list[dict[str, Any]]:
        """Return the products in the order of their codes; the refill is the last."""
        return [*self.tree["products"], self.tree["refill"]["product"]]

    @property
    def start(self) -> int:
        """Return the first second of the period, as UNIX time."""
        return (self.first_day - EPOCH).days * SECONDS_PER_DAY - CHINA

    def day(self, index: int) -> dt.date:
        """Return the date of a day of the period, counted from 0."""
        return self.first_day + dt.timedelta(days=int(index))

    def index(self, day: dt.date) -> int:
        """Return a date's day of the period."""
        return (day - self.first_day).days

    def seconds(self, at: np.ndarray) -> np.ndarray:
        """Return days of the period, with fractions, as UNIX seconds."""
        return self.start + np.floor(np.asarray(at) * SECONDS_PER_DAY).astype(np.int64)

    def month_ends(self) -> tuple[int, ...]:
        """Return, for every end of a month in the period, the day that begins after it (the first is a part month)."""
        days = (self.first_day + dt.timedelta(days=i) for i in range(1, self.days + 1))
        return tuple(self.index(day) for day in days if day.day == 1)


@cache
def load_brand() -> Brand:
    """Read brand.yaml."""
    import yaml

    with open(Path(__file__).with_name("brand.yaml"), encoding="utf-8") as file:
        tree = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    figures = tree.pop("figures")
    return Brand(
        first_day=tree.pop("first_day"),
        days=tree.pop("days"),
        figures={name: float(entry["value"]) for name, entry in figures.items()},
        sources={name: (entry["unit"], entry["source"]) for name, entry in figures.items()},
        tree=tree,
    )


def salt(seed: int, name: str) -> int:
    """Return 63 bits that make the ids of a seed its own."""
    return int(stream(seed, f"salt {name}").integers(1 << 62))


def season(brand: Brand) -> np.ndarray:
    """Return (days,) how lively each day is, mean 1: weekdays, days off, promotions."""
    from chinese_calendar import is_holiday

    days = [brand.day(i) for i in range(brand.days)]
    factor = np.array([brand.tree["weekdays"][day.weekday()] for day in days])
    off = np.array([day.weekday() < 5 and is_holiday(day) for day in days])
    factor[off] *= brand.tree["day_off"]
    for promotion in brand.tree["promotions"]:
        factor[brand.index(promotion["first"]) : brand.index(promotion["last"]) + 1] *= promotion["factor"]
    return factor / factor.mean()


def month_time(brand: Brand, at: np.ndarray) -> np.ndarray:
    """Return days of the period as calendar months: whole numbers at ends of months, 0 at the end of the first.

    Before and after the period a month has 30 days.
    """
    ends = np.array(brand.month_ends(), dtype=float)
    return _bent(np.asarray(at, dtype=float), ends, np.arange(len(ends), dtype=float), 1 / 30)


def day_time(brand: Brand, months: np.ndarray) -> np.ndarray:
    """Return the inverse of `month_time`."""
    ends = np.array(brand.month_ends(), dtype=float)
    return _bent(np.asarray(months, dtype=float), np.arange(len(ends), dtype=float), ends, 30.0)


def _bent(x: np.ndarray, xs: np.ndarray, ys: np.ndarray, slope: float) -> np.ndarray:
    """Interpolate, and go on with one slope on either side."""
    inside = np.interp(x, xs, ys)
    return inside + slope * (np.minimum(x - xs[0], 0) + np.maximum(x - xs[-1], 0))
