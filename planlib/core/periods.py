"""Periods in months, and the share of one month in a share of another period."""

from __future__ import annotations

import numpy as np

from planlib.core.guards import Guard

MONTHS_IN = {"day": 1 / 30, "week": 7 / 30, "month": 1.0, "quarter": 3.0, "half_year": 6.0, "year": 12.0}


def monthly_rate(rate: object, period: str) -> float | np.ndarray:
    """Turn the share that is lost (or woken) in a period into the share of one month.

    Args:
        rate: share per period, 0..1; number or array.
        period: day, week, month, quarter, half_year or year; a month has 30 days.

    Returns:
        1 - (1 - rate)^(1/k) for a period of k months.

    Raises:
        InputError: the rate is no share, or the period is unknown.

    >>> round(monthly_rate(0.35, "quarter"), 4)
    0.1338
    """
    guard = Guard()
    share = guard.share("rate", rate)
    guard.choice("period", period, MONTHS_IN)
    guard.done()
    if period == "month":
        return float(share) if share.ndim == 0 else share
    with np.errstate(divide="ignore"):
        monthly = -np.expm1(np.log1p(-share) / MONTHS_IN[period])
    return float(monthly) if share.ndim == 0 else monthly
