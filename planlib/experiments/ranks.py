"""Comparisons that need the rows in order: Mann-Whitney, quantiles, winsorised values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.experiments.result import (
    Result,
    check_options,
    interval_of,
    limits,
    one_side,
    p_value,
    two_sided_level,
)


@dataclass(frozen=True, slots=True)
class OrderStatistics:
    """Quantile of one arm between two of its values in order.

    Attributes:
        value: the quantile (type 7: linear between the two nearest values).
        lower_rank, upper_rank: ranks of the limits, counted from 1; None where too few people for the level.
        low, high: the values at these ranks.
        coverage: chance that an interval between these ranks holds the quantile, for any continuous distribution.
        n: people.
    """

    value: float
    lower_rank: int | None
    upper_rank: int | None
    low: float | None
    high: float | None
    coverage: float | None
    n: int


def mann_whitney(
    control: object, treatment: object, *, level: float = 0.95, alternative: str = "two_sided"
) -> Result:
    """Compare two arms by rank: is one of the treatment likelier to exceed one of the control than the reverse?

    Args:
        control, treatment: (N,) values of each person.
        level: coverage of the interval.
        alternative: two_sided, greater or less.

    Returns:
        Result of effect superiority: the estimate is the chance that one of the treatment exceeds one of the
        control, ties one half; 0.5 says no difference. p-value by the normal distribution with corrections for
        ties and continuity; interval on the logit by DeLong's variance. `detail` holds u. With all values equal
        nothing is told (no_variance); with arms that do not overlap there is no interval (no_overlap).

    Raises:
        InputError: an arm without values, text, NaN or an infinite value.

    Source: Mann & Whitney 1947; DeLong, DeLong & Clarke-Pearson 1988.

    >>> found = mann_whitney([1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 6.0, 7.0])
    >>> found.detail["u"], round(found.estimate, 4), round(found.p_value, 4)
    (14.5, 0.9062, 0.0814)
    """
    guard = Guard()
    c = np.sort(guard.numbers("control", control, ndim=(1,)))
    t = np.sort(guard.numbers("treatment", treatment, ndim=(1,)))
    check_options(guard, level, alternative)
    guard.done()
    n_c, n_t = c.size, t.size
    above = (np.searchsorted(c, t, "left") + np.searchsorted(c, t, "right")) / 2  # of the control below each
    below = n_t - (np.searchsorted(t, c, "left") + np.searchsorted(t, c, "right")) / 2
    u, n = float(above.sum()), n_c + n_t
    ties = np.unique(np.concatenate([c, t]), return_counts=True)[1].astype(float)
    row = Result(
        "superiority",
        "delong_logit",
        (n_c, n_t),
        u / (n_c * n_t),
        None,
        test="mann_whitney",
        alternative=alternative,
        df=np.inf,
        detail={"u": u},
    )
    variance = n_c * n_t / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    if variance <= 1e-12 * n_c * n_t:
        return replace(row, reason="no_variance")
    away = u - n_c * n_t / 2
    step = {"two_sided": np.sign(away) * min(0.5, abs(away)), "greater": 0.5, "less": -0.5}[alternative]
    z = float((away - step) / np.sqrt(variance))
    row = replace(row, statistic=z, p_value=min(float(p_value(z, np.inf, alternative)), 1.0))
    if not 0 < u < n_c * n_t or min(n_c, n_t) < 2:
        return replace(row, reason="no_overlap" if min(n_c, n_t) > 1 else "too_few")
    chance = u / (n_c * n_t)
    se = float(np.sqrt(np.var(above / n_c, ddof=1) / n_t + np.var(below / n_t, ddof=1) / n_c))
    low, high = limits(scipy.special.logit(chance), se / (chance * (1 - chance)), np.inf, level, alternative)
    return replace(row, se=se, interval=interval_of(scipy.special.expit(low), scipy.special.expit(high), level))


def order_statistics(values: object, q: float, *, level: float = 0.95) -> OrderStatistics:
    """Return a quantile of one arm with its distribution-free interval.

    Args:
        values: (N,) value of each person.
        q: which quantile, between 0 and 1.
        level: coverage asked for; the coverage reached is at least this.

    Raises:
        InputError: no values, text, NaN or an infinite value; q or level out of range.

    Source: David & Nagaraja 2003, section 7.1; ranks with equal tails.

    >>> found = order_statistics(list(range(1, 101)), 0.5)
    >>> found.value, found.low, found.high, round(found.coverage, 4)
    (50.5, 40.0, 61.0, 0.9648)
    """
    guard = Guard()
    y = np.sort(guard.numbers("values", values, ndim=(1,)))
    guard.number("q", q, above=0.0, below=1.0)
    check_options(guard, level, "two_sided")
    guard.done()
    tail, n = (1 - level) / 2, y.size
    lower, upper = _binomial_quantile(n, q, tail), _binomial_quantile(n, q, 1 - tail) + 1
    value = float(np.quantile(y, q))
    if lower < 1 or upper > n:
        return OrderStatistics(value, None, None, None, None, None, n)
    coverage = float(scipy.special.bdtr(upper - 1, n, q) - scipy.special.bdtr(lower - 1, n, q))
    return OrderStatistics(value, lower, upper, float(y[lower - 1]), float(y[upper - 1]), coverage, n)


def quantile_difference(
    control: object, treatment: object, q: float, *, level: float = 0.95, alternative: str = "two_sided"
) -> Result:
    """Compare two arms by a quantile.

    Args:
        control, treatment: (N,) values of each person.
        q: which quantile, between 0 and 1.
        level, alternative: as `mann_whitney`.

    Returns:
        Result without a p-value. The interval joins the order-statistic intervals of both arms by variance
        recovery; without enough people for one of them it is not computable (too_few).

    Raises:
        InputError: as `order_statistics`.

    Source: Zou & Donner 2008 (variance recovery, MOVER).
    """
    guard = Guard()
    check_options(guard, level, alternative)
    guard.done()
    two_sided = two_sided_level(level, alternative)
    c, t = (order_statistics(values, q, level=two_sided) for values in (control, treatment))
    d = t.value - c.value
    row = Result(
        "difference",
        "order_statistics_mover",
        (c.n, t.n),
        d,
        None,
        alternative=alternative,
        control=c.value,
        treatment=t.value,
        detail={"q": q},
    )
    if c.lower_rank is None or t.lower_rank is None:
        return replace(row, reason="too_few")
    if c.low == c.high and t.low == t.high:
        return replace(row, reason="no_variance")
    low, high = d - np.hypot(t.value - t.low, c.high - c.value), d + np.hypot(t.high - t.value, c.value - c.low)
    return replace(row, interval=interval_of(*one_side(low, high, alternative), level))


def winsorise(
    control: object, treatment: object, *, upper_q: float = 0.99, lower_q: float = 0.0
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Pull outliers in to quantiles of both arms together, so that the arms are cut alike.

    Args:
        control, treatment: (N,) values of each person.
        upper_q, lower_q: quantiles (type 7) of both arms pooled, 0 <= lower_q < upper_q <= 1.

    Returns:
        Values of the control and of the treatment, the floor and the cap.

    Raises:
        InputError: an arm without values, text, NaN or an infinite value, or quantiles out of order.

    >>> winsorise([1.0, 2.0, 3.0], [2.0, 100.0], upper_q=0.75)[1]
    array([2., 3.])
    """
    guard = Guard()
    c = guard.numbers("control", control, ndim=(1,))
    t = guard.numbers("treatment", treatment, ndim=(1,))
    guard.number("upper_q", upper_q, above=0.0, high=1.0)
    guard.number("lower_q", lower_q, low=0.0, below=1.0)
    if not guard.problems and lower_q >= upper_q:
        guard.add("less", "lower_q", lower_q, high=upper_q)
    guard.done()
    floor, cap = np.quantile(np.concatenate([c, t]), [lower_q, upper_q])
    return np.clip(c, floor, cap), np.clip(t, floor, cap), float(floor), float(cap)


def _binomial_quantile(n: int, q: float, share: float) -> int:
    """Smallest k with P(B <= k) >= share, B ~ Binomial(n, q)."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if scipy.special.bdtr(middle, n, q) >= share else (middle, high)
    return high
