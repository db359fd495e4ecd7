"""Seasonal indices of a monthly series, and a yearly amount spread by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.decompose import apportion
from planlib.core.guards import Guard

YEAR = 12
_STL_YEARS = 4


@dataclass(frozen=True, eq=False)
class Season:
    """Monthly indices.

    Attributes:
        index: (12,) January to December, mean 1; None when it cannot be told.
        reason: "" or under_two_years: one year cannot tell a season from a trend or from chance.
        shrinkage: share of the raw index that is kept, 0 to 1; None without index.
        peak_factor: largest index, what capacity has to bear; None without index.
        years: whole years of data.
    """

    index: np.ndarray | None
    reason: str
    shrinkage: float | None
    peak_factor: float | None
    years: int


def season(values: object, *, first_month: int = 1) -> Season:
    """Estimate monthly indices from a monthly series.

    Under four years: a straight line and one level a calendar month on logarithms, by least squares; from four years
    on the trend comes from STL (Cleveland et al. 1990). The levels are drawn together by the share of their variation
    that chance explains, so that noise does not become a season.

    Args:
        values: (T,) amounts > 0, month by month.
        first_month: calendar month of the first, 1 to 12.

    Raises:
        InputError: amounts not above 0, or an unknown month.
    """
    guard = Guard()
    x = guard.numbers("values", values, above=0.0, ndim=(1,))
    start = guard.whole("first_month", first_month, high=YEAR)
    guard.done()
    years = len(x) // YEAR
    if years < 2:
        return Season(None, "under_two_years", None, None, years)
    month = (np.arange(len(x)) + start - 1) % YEAR
    level, noise = _by_stl(np.log(x), month) if years >= _STL_YEARS else _by_line(np.log(x), month)
    between = max(float(level.var(ddof=1)) - noise, 0.0)
    kept = between / (between + noise) if between > 0 else 0.0
    index = np.exp(kept * (level - level.mean()))
    index /= index.mean()
    return Season(index, "", kept, float(index.max()), years)


def _by_line(logs: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (12,) levels of the months beside a straight line, and the variance of such a level by chance."""
    design = np.column_stack([month[:, None] == np.arange(YEAR), np.arange(len(logs)) / YEAR]).astype(float)
    found, *_ = np.linalg.lstsq(design, logs, rcond=None)
    rest = logs - design @ found
    variance = float(rest @ rest) / (len(logs) - YEAR - 1)
    return found[:YEAR], variance / (len(logs) / YEAR)


def _by_stl(logs: np.ndarray, month: np.ndarray) -> tuple[np.ndarray, float]:
    from statsmodels.tsa.seasonal import STL

    rest = logs - STL(logs, period=YEAR, robust=True).fit().trend
    by_month = [rest[month == m] for m in range(YEAR)]
    noise = float(np.mean([values.var(ddof=1) / len(values) for values in by_month]))
    return np.array([values.mean() for values in by_month]), noise


def phased(amount_cny: int, index: object, *, first_month: int = 1) -> np.ndarray:
    """Spread a year's amount over its months by an index; the months sum to it exactly.

    Args:
        amount_cny: whole CNY of the year, >= 0.
        index: (12,) January to December, >= 0, not all 0.
        first_month: calendar month of the plan's first.

    Returns:
        (12,) whole CNY in the plan's order.

    >>> phased(1300, [2.0] + [1.0] * 11)[:2].tolist()
    [200, 100]
    """
    guard = Guard()
    share = guard.numbers("index", index, low=0.0, ndim=(1,))
    if share.shape != (YEAR,) or not share.any():
        guard.add("shape", "index", f"shape {share.shape}", expected="12 values, not all 0")
    whole = guard.whole("amount_cny", amount_cny, low=0)
    start = guard.whole("first_month", first_month, high=YEAR)
    guard.done()
    return apportion(whole, np.roll(share, 1 - start))
