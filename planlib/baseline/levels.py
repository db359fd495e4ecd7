"""A level with its interval, from the sums that a query delivers; "not measurable" is a reason, never 0.

Nothing here sees rows: a query counts or sums over people, orders, days or other units, and these few numbers are
enough for level and interval. Money is in fen, and squares of it go beyond 2^53: sums are Python integers, which
stay exact until they are divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import wilson

ROUNDS_NEEDED = 2  # a season is estimated only from at least so many rounds of it


@dataclass(frozen=True, slots=True)
class Level:
    """What a metric is today.

    Attributes:
        value: in the metric's unit; None when it cannot be measured.
        low, high: ends of the interval; None for a full count, which has no sampling error, and where one unit
            alone was seen.
        n: people, orders, days or other units behind it; None when not measurable.
        method: id of how interval and level were computed; "not_measurable" without a value.
        reason: id of why there is no value; "" when there is one.
        level: coverage of the interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int | None
    method: str
    reason: str = ""
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Trend:
    """Change per period.

    Attributes:
        slope: in the series' unit per period.
        low, high: interval of it.
        periods: how many were seen.
        adjusted: a season was taken out.
        level: coverage of the interval.
    """

    slope: float
    low: float
    high: float
    periods: int
    adjusted: bool
    level: float = 0.95

    @property
    def direction(self) -> str:
        """up, down, or flat where the interval holds zero.

        >>> trend([1.0, 2.0, 3.1, 3.9]).direction
        'up'
        """
        return "up" if self.low > 0 else "down" if self.high < 0 else "flat"


def not_measurable(reason: str) -> Level:
    """Return the level of a metric without data.

    >>> not_measurable("no_rows").value is None
    True
    """
    return Level(None, None, None, None, "not_measurable", reason)


def counted(value: float, *, n: int | None = None) -> Level:
    """Return a level that is a full count or a quotient of two: there is nothing to estimate.

    Args:
        value: the level.
        n: how many were counted.

    >>> counted(48_210).low is None
    True
    """
    guard = Guard()
    number = guard.number("value", value)
    guard.done()
    return Level(number, None, None, n, "counted")


def share(successes: float, n: float, *, level: float = 0.95) -> Level:
    """Return a share of people with its Wilson interval; of nobody there is none.

    Args:
        successes: how many of the n, whole.
        n: people, orders or other units that count once each.

    Raises:
        InputError: successes exceed n, or a count is negative or not whole.

    >>> share(300, 1000).value
    0.3
    >>> share(0, 0).reason
    'empty_base'
    """
    guard = Guard()
    size = guard.whole("n", n, low=0)
    guard.done()
    if size == 0:
        return not_measurable("empty_base")
    band = wilson(float(successes), float(size), level=level)
    return Level(float(successes) / size, float(band.low), float(band.high), size, "wilson", level=level)


def count(total: float, *, periods: float = 1.0, dispersion: float = 1.0, level: float = 0.95) -> Level:
    """Return a count per period with the exact Poisson interval, widened where days scatter more than chance does.

    Args:
        total: events counted, whole.
        periods: how many periods they were counted over.
        dispersion: variance over mean of the daily counts, at least 1; see `dispersion`.

    Source: Garwood 1936; quasi-Poisson: the interval of total / dispersion, times dispersion.

    >>> found = count(10)
    >>> round(found.low, 3), round(found.high, 3)
    (4.795, 18.39)
    """
    from scipy.special import gammaincinv

    guard = Guard()
    events = guard.whole("total", total, low=0)
    span = guard.number("periods", periods, above=0.0)
    wide = guard.number("dispersion", dispersion, low=1.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    alpha, scaled = 1 - level, events / wide
    low = float(gammaincinv(scaled, alpha / 2)) if events else 0.0
    high = float(gammaincinv(scaled + 1, 1 - alpha / 2))
    return Level(events / span, low * wide / span, high * wide / span, events, "poisson", level=level)


def dispersion(counts: Sequence[float], *, season: int = 7) -> float:
    """Return variance over mean of counts, judged by neighbours a season apart, so that season and trend do not count.

    Args:
        counts: (T,) of days or other equal periods, in order.
        season: periods after which the pattern repeats; a week of days by default.

    Returns:
        At least 1; 1 where fewer than two seasons were seen.

    >>> dispersion([4, 4, 4, 4], season=1)
    1.0
    """
    guard = Guard()
    seen = guard.numbers("counts", list(counts), low=0.0, ndim=(1,))
    lag = guard.whole("season", season, low=1)
    guard.done()
    if len(seen) <= lag:
        return 1.0
    both = seen[lag:] + seen[:-lag]
    apart = (seen[lag:] - seen[:-lag])[both > 0] ** 2 / both[both > 0]
    return max(1.0, float(apart.mean())) if len(apart) else 1.0


def mean(n: float, total: float, squares: float, *, level: float = 0.95) -> Level:
    """Return a mean with its t interval.

    Args:
        n: independent units.
        total, squares: sums of x and of x squared over them.

    >>> found = mean(4, 20, 120)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (5.0, 0.891, 9.109)
    """
    guard = Guard()
    units = guard.whole("n", n, low=0)
    guard.numbers("total", float(total))
    guard.numbers("squares", float(squares), low=0.0)
    guard.done()
    if units == 0:
        return not_measurable("empty_base")
    centre = float(total) / units
    if units == 1:
        return Level(centre, None, None, 1, "t", level=level)
    variance = _variance(units, total, total, squares)
    half = _t(units - 1, level) * (variance / units) ** 0.5
    return Level(centre, centre - half, centre + half, units, "t", level=level)


def ratio(
    n: float, x: float, y: float, xx: float, xy: float, yy: float, *, level: float = 0.95, scale: float = 1.0
) -> Level:
    """Return a ratio of sums, y / x, with its delta-method interval over independent units.

    A unit is whoever the draws are independent between: a buyer with several orders, a day with many members.

    Args:
        n: units.
        x, y: sums below and above the line.
        xx, xy, yy: sums of squares and products.
        scale: multiplies the result, e.g. 0.01 from fen to yuan.

    >>> found = ratio(3, 6, 12, 14, 28, 56)  # each y is twice its x
    >>> found.value, found.low, found.high
    (2.0, 2.0, 2.0)
    """
    guard = Guard()
    units = guard.whole("n", n, low=0)
    for name, value in {"x": x, "xx": xx, "yy": yy}.items():
        guard.number(name, float(value), low=0.0)
    for name, value in {"y": y, "xy": xy}.items():
        guard.number(name, float(value))
    factor = guard.number("scale", scale, above=0.0)
    guard.done()
    if units == 0 or x == 0:
        return not_measurable("empty_base")
    centre = float(y) / float(x)
    if units == 1:
        return Level(factor * centre, None, None, 1, "delta", level=level)
    spread = _variance(units, y, y, yy) + centre**2 * _variance(units, x, x, xx)
    spread -= 2 * centre * _variance(units, x, y, xy)
    half = _t(units - 1, level) * (max(spread, 0.0) / units) ** 0.5 / (float(x) / units)
    return Level(factor * centre, factor * (centre - half), factor * (centre + half), units, "delta", level=level)


def cost_per(spend: float, events: float, *, dispersion: float = 1.0, level: float = 0.95) -> Level:
    """Return spend per event: money is known, events are counted.

    Args:
        spend: CNY, >= 0.
        events: whole; none means that the quotient cannot be formed.

    >>> found = cost_per(1000, 50)
    >>> found.value, found.low < 20 < found.high
    (20.0, True)
    """
    guard = Guard()
    money = guard.number("spend", spend, low=0.0)
    guard.done()
    seen = count(events, dispersion=dispersion, level=level)
    if not seen.value:
        return not_measurable("empty_base")
    return Level(money / seen.value, money / seen.high, money / seen.low, seen.n, "poisson", level=level)


def measured(form: str, sums: Mapping[str, Any], *, level: float = 0.95) -> Level:
    """Return the level of a metric from the sums of its query, by the form that the query declares.

    Args:
        form: "share" (successes, n), "count" (total, periods, dispersion), "counted" (value, n),
            "mean" (n, total, squares), "ratio" (n, x, y, xx, xy, yy, scale), "cost_per" (spend, events, dispersion).
        sums: by those names; those with a default may be left out. `days`, the daily counts, may stand in place of
            `dispersion`.

    >>> measured("share", {"successes": 5, "n": 100}).value
    0.05
    """
    guard = Guard()
    guard.choice("form", form, tuple(_FORMS))
    guard.done()
    given = {name: value for name, value in sums.items() if name != "days"}
    if "days" in sums:
        given["dispersion"] = dispersion(sums["days"]) if len(sums["days"]) else 1.0
    return _FORMS[form](**given) if form == "counted" else _FORMS[form](**given, level=level)


def beside_goal(level: Level, op: str, goal: float, goal_high: float | None = None) -> str:
    """Return where a measured level stands against a goal: met, missed, unclear (the interval holds it), none.

    Args:
        level: a level; one without an interval is taken as it is.
        op: at_least, above, at_most, below, between or equals; a level equals a goal that its interval holds.
        goal, goal_high: the goal; both ends where it is a range.

    >>> beside_goal(share(60, 100), "at_least", 0.4), beside_goal(share(45, 100), "at_least", 0.4)
    ('met', 'unclear')
    """
    guard = Guard()
    guard.choice("op", op, ("at_least", "above", "at_most", "below", "between", "equals"))
    wanted = guard.number("goal", goal)
    top = wanted if goal_high is None else guard.number("goal_high", goal_high, low=wanted)
    guard.done()
    if level.value is None:
        return "none"
    low = level.value if level.low is None else level.low
    high = level.value if level.high is None else level.high
    if op == "equals":
        return "met" if low <= wanted <= high else "missed"
    least = wanted if op in ("at_least", "above", "between") else float("-inf")
    most = top if op in ("at_most", "below", "between") else float("inf")
    if least <= low and high <= most:
        return "met"
    return "missed" if high < least or low > most else "unclear"


def trend(values: Sequence[float], *, season: int = 1, level: float = 0.95) -> Trend:
    """Return the change per period by least squares, with a season taken out where it can be seen.

    Args:
        values: (T,) one level a period, in order, at least 3.
        season: periods after which the pattern repeats: 12 for months, 7 for days, 1 for none. It is estimated
            from two full rounds or more; from less the trend is given unadjusted, and says so.

    Raises:
        InputError: fewer than 3 values, or one is not finite.

    >>> found = trend([1.0, 2.0, 3.0, 4.0])
    >>> round(found.slope, 6), found.adjusted
    (1.0, False)
    """
    guard = Guard()
    y = guard.numbers("values", list(values), ndim=(1,))
    lag = guard.whole("season", season, low=1)
    guard.number("level", level, above=0.0, below=1.0)
    if len(y) < 3:
        guard.add("too_few", "values", len(y), low=3)
    guard.done()
    at = np.arange(len(y), dtype=float)
    adjusted = lag > 1 and len(y) >= ROUNDS_NEEDED * lag + 2
    rounds = lag if adjusted else 1
    design = np.column_stack([at - at.mean(), (np.arange(len(y))[:, None] % rounds == np.arange(rounds)).astype(float)])
    found, _, _, _ = np.linalg.lstsq(design, y, rcond=None)
    free = len(y) - design.shape[1]
    spread = float(((y - design @ found) ** 2).sum()) / free
    half = _t(free, level) * (spread * np.linalg.inv(design.T @ design)[0, 0]) ** 0.5
    slope = float(found[0])
    return Trend(slope, slope - half, slope + half, len(y), adjusted, level)


def _variance(n: int, x: float, y: float, xy: float) -> float:
    """Return the covariance of x and y from sums; x twice gives a variance. Whole sums are taken exactly."""
    return float((n * xy - x * y) / (n * (n - 1)))


def _t(free: int, level: float) -> float:
    """Return the two-sided quantile of Student's t; far out it is the normal one."""
    if free > 100_000:
        return NormalDist().inv_cdf(0.5 + level / 2)
    from scipy.special import stdtrit

    return float(stdtrit(free, 0.5 + level / 2))


_FORMS = {"share": share, "count": count, "counted": counted, "mean": mean, "ratio": ratio, "cost_per": cost_per}
