"""Two arms compared by shares of people who convert: tests, intervals of the difference and of the lift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.core.intervals import wilson
from planlib.experiments.result import (
    Result,
    check_options,
    critical,
    interval_of,
    limits,
    one_side,
    p_value,
    two_sided_level,
)

EXACT_TABLES = 4_000_000  # tables that Boschloo's test may look at
BISECTIONS = 56  # halves an interval of length 2 down to the last bit
Limits = tuple[np.ndarray, np.ndarray]


def two_proportions(
    c_x: object,
    c_n: object,
    t_x: object,
    t_n: object,
    *,
    test: str = "pooled_z",
    interval: str = "newcombe",
    level: float = 0.95,
    alternative: str = "two_sided",
) -> Result:
    """Compare two shares by their difference.

    Args:
        c_x, c_n: conversions and people of the control, whole numbers, 0 <= c_x <= c_n, c_n > 0.
        t_x, t_n: the same of the treatment.
        test: pooled_z, unpooled_z (Wald), fisher or boschloo (exact, small arms).
        interval: newcombe (hybrid score), miettinen_nurminen, mee, agresti_caffo or wald.
        level: coverage of the interval.
        alternative: two_sided; or greater or less with a one-sided interval.

    Raises:
        InputError: more conversions than people, a count that is negative, fractional, text or not finite,
            an arm without people, an unknown option; an arm too large for boschloo.

    Source: Newcombe 1998 (method 10); Miettinen & Nurminen 1985; Mee 1984; Agresti & Caffo 2000;
        Boschloo 1970.

    >>> found = two_proportions(48, 80, 56, 70)
    >>> round(found.p_value, 6), round(found.interval.low, 4), round(found.interval.high, 4)
    (0.008045, 0.0524, 0.3339)
    """
    guard = Guard()
    counts = checked_counts(guard, c_x, c_n, t_x, t_n)
    check_options(guard, level, alternative)
    guard.choice("test", test, TESTS)
    guard.choice("interval", interval, INTERVALS)
    if test == "boschloo" and not guard.problems and (counts[1] + 1) * (counts[3] + 1) > EXACT_TABLES:
        guard.add("too_many_tables", "c_n", int(max(counts[1], counts[3])), high=int(EXACT_TABLES**0.5))
    guard.done()
    c, t = counts[0] / counts[1], counts[2] / counts[3]
    low, high = difference_limits(*counts, method=interval, level=level, alternative=alternative)
    z, se = _wald(*counts, pooled=test == "pooled_z")
    chance = float(TESTS[test](*counts, alternative))
    by_z = test in {"pooled_z", "unpooled_z"}
    known = interval_of(low, high, level)
    return Result(
        "difference",
        interval,
        (int(counts[1]), int(counts[3])),
        t - c,
        known,
        p_value=None if np.isnan(chance) else chance,
        test=test,
        alternative=alternative,
        reason="no_variance" if known is None or np.isnan(chance) else None,
        control=c,
        treatment=t,
        se=float(se) if by_z and se > 0 else None,
        statistic=float(z) if by_z and se > 0 else None,
        df=np.inf if by_z else None,
    )


def difference_limits(
    c_x: object,
    c_n: object,
    t_x: object,
    t_n: object,
    *,
    method: str = "newcombe",
    level: float = 0.95,
    alternative: str = "two_sided",
) -> Limits:
    """Return both limits of the difference of shares, (*G) each; NaN where they cannot be computed.

    Args as `two_proportions`, unchecked, numbers or arrays of one shape.
    """
    counts = np.broadcast_arrays(*(np.asarray(count, dtype=float) for count in (c_x, c_n, t_x, t_n)))
    low, high = INTERVALS[method](*counts, two_sided_level(level, alternative))
    return one_side(low, high, alternative, least=-1.0, most=1.0)


def lift_of_proportions(
    c_x: object,
    c_n: object,
    t_x: object,
    t_n: object,
    *,
    interval: str = "score",
    level: float = 0.95,
    alternative: str = "two_sided",
) -> Result:
    """Compare two shares by their relative difference, treatment / control - 1.

    Args:
        interval: score (Miettinen-Nurminen, for any counts) or katz (logarithm; needs conversions in both arms).
        Others: as `two_proportions`; the p-value is that of the pooled z test.

    Returns:
        Result; without conversions in the control the lift is not computable (reason control_zero).

    Raises:
        InputError: as `two_proportions`.

    Source: Miettinen & Nurminen 1985; Katz, Baptista, Azen & Pike 1978.

    >>> found = lift_of_proportions(48, 80, 56, 70, interval="katz")
    >>> round(found.estimate, 6), round(found.interval.low, 6), round(found.interval.high, 6)
    (0.333333, 0.076626, 0.651249)
    """
    guard = Guard()
    counts = checked_counts(guard, c_x, c_n, t_x, t_n)
    check_options(guard, level, alternative)
    guard.choice("interval", interval, LIFTS)
    guard.done()
    c, t = counts[0] / counts[1], counts[2] / counts[3]
    z, se = _wald(*counts, pooled=True)
    row = Result(
        "lift",
        interval,
        (int(counts[1]), int(counts[3])),
        None,
        None,
        test="pooled_z",
        alternative=alternative,
        control=c,
        treatment=t,
    )
    if c == 0:
        return replace(row, reason="control_zero")
    known = interval_of(*lift_limits(*counts, method=interval, level=level, alternative=alternative), level)
    chance = float(p_value(z, np.inf, alternative))
    return replace(
        row,
        estimate=t / c - 1,
        interval=known,
        p_value=None if np.isnan(chance) else chance,
        reason=_lift_reason(t, known is None, np.isnan(chance)),
        statistic=float(z) if se > 0 else None,
        df=np.inf,
    )


def lift_limits(
    c_x: object,
    c_n: object,
    t_x: object,
    t_n: object,
    *,
    method: str = "score",
    level: float = 0.95,
    alternative: str = "two_sided",
) -> Limits:
    """Return both limits of the lift, (*G) each; NaN where they cannot be computed. Args as `difference_limits`."""
    counts = np.broadcast_arrays(*(np.asarray(count, dtype=float) for count in (c_x, c_n, t_x, t_n)))
    low, high = LIFTS[method](*counts, two_sided_level(level, alternative))
    return one_side(low - 1, high - 1, alternative, least=-1.0)


def one_proportion(x: object, n: object, *, interval: str = "wilson", level: float = 0.95) -> Result:
    """Return the share of one arm with its interval.

    Args:
        x, n: conversions and people, whole numbers, 0 <= x <= n, n > 0.
        interval: wilson, or clopper_pearson (exact, never too short).

    Raises:
        InputError: as `two_proportions`.

    >>> found = one_proportion(200, 1000, interval="clopper_pearson")
    >>> round(found.interval.low, 4), round(found.interval.high, 4)
    (0.1756, 0.2262)
    """
    guard = Guard()
    hits, size = _pair(guard, "", x, n)
    check_options(guard, level, "two_sided")
    guard.choice("interval", interval, SHARES)
    guard.done()
    low, high = SHARES[interval](np.asarray(hits), np.asarray(size), level)
    known = interval_of(low, high, level)
    return Result("share", interval, (int(size),), hits / size, known, treatment=hits / size, dropped=(0,))


def checked_counts(guard: Guard, c_x: object, c_n: object, t_x: object, t_n: object) -> tuple[float, ...]:
    """Return conversions and people of both arms, or note what is wrong with them."""
    return (*_pair(guard, "c_", c_x, c_n), *_pair(guard, "t_", t_x, t_n))


def score_z(c_x: object, c_n: object, t_x: object, t_n: object, delta: object, *, factor: bool) -> np.ndarray:
    """Return the score statistic of the hypothesis that the difference is delta.

    Args:
        delta: difference under the hypothesis, -1 to 1.
        factor: whether the variance is times N / (N - 1) (Miettinen & Nurminen) or not (Mee; Farrington & Manning).
    """
    c, t = c_x / c_n, t_x / t_n
    likely = _constrained(c, c_n, t, t_n, delta)
    variance = likely * (1 - likely) / t_n + (likely - delta) * (1 - likely + delta) / c_n
    variance = np.maximum(variance, 0.0) * (_correction(c_n + t_n) if factor else 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (t - c - delta) / np.sqrt(variance)


def _pair(guard: Guard, arm: str, x: object, n: object) -> tuple[float, float]:
    before = len(guard.problems)
    size = guard.whole(f"{arm}n", n, low=1)
    hits = guard.whole(f"{arm}x", x, low=0)
    if not guard.problems[before:] and hits > size:
        guard.add("count_above_n", f"{arm}x", x, n=size)
    return float(hits), float(max(size, 1))


def _lift_reason(treatment: float, no_interval: bool, no_test: bool) -> str | None:
    if no_interval and treatment == 0:
        return "treatment_zero"
    return "no_variance" if no_interval or no_test else None


def _wald(c_x: object, c_n: object, t_x: object, t_n: object, *, pooled: bool) -> tuple[np.ndarray, np.ndarray]:
    c, t = np.asarray(c_x / c_n), np.asarray(t_x / t_n)
    both = (c_x + t_x) / (c_n + t_n)
    variance = both * (1 - both) * (1 / c_n + 1 / t_n) if pooled else c * (1 - c) / c_n + t * (1 - t) / t_n
    se = np.sqrt(np.maximum(variance, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(se > 0, (t - c) / se, np.nan), se


def _pooled_z(*counts_and_side: object) -> np.ndarray:
    *counts, alternative = counts_and_side
    return p_value(_wald(*counts, pooled=True)[0], np.inf, alternative)


def _unpooled_z(*counts_and_side: object) -> np.ndarray:
    *counts, alternative = counts_and_side
    return p_value(_wald(*counts, pooled=False)[0], np.inf, alternative)


def _fisher(c_x: float, c_n: float, t_x: float, t_n: float, alternative: str) -> float:
    """Fisher's exact test; two-sided by the tables that are no likelier than the one seen."""
    hits = c_x + t_x
    seen = np.arange(max(0.0, hits - c_n), min(hits, t_n) + 1)
    up = np.log((hits - seen[:-1]) * (t_n - seen[:-1])) - np.log((seen[:-1] + 1) * (c_n - hits + seen[:-1] + 1))
    logs = np.concatenate([[0.0], np.cumsum(up)])
    chance = np.exp(logs - logs.max())
    chance /= chance.sum()
    at = int(t_x - seen[0])
    if alternative == "two_sided":
        return float(min(chance[chance <= chance[at] * (1 + 1e-7)].sum(), 1.0))
    return float(min(chance[at:].sum() if alternative == "greater" else chance[: at + 1].sum(), 1.0))


def _boschloo(c_x: float, c_n: float, t_x: float, t_n: float, alternative: str) -> float:
    """Boschloo's exact test: Fisher's one-sided p as statistic, at the common rate that makes it likeliest."""
    if alternative == "greater":
        return _boschloo_greater(int(c_x), int(c_n), int(t_x), int(t_n))
    less = _boschloo_greater(int(t_x), int(t_n), int(c_x), int(c_n))
    if alternative == "less":
        return less
    return min(1.0, 2 * min(less, _boschloo_greater(int(c_x), int(c_n), int(t_x), int(t_n))))


def _boschloo_greater(c_x: int, c_n: int, t_x: int, t_n: int) -> float:
    fisher = _fisher_greater_of_all(c_n, t_n)
    extreme = fisher <= fisher[c_x, t_x] * (1 + 1e-7)
    # extreme tables of a row lie at its right end: one threshold a row
    first = np.where(extreme.any(axis=1), extreme.argmax(axis=1), t_n + 1)
    rows = np.arange(c_n + 1)[first <= t_n]
    log_ways = scipy.special.gammaln(c_n + 1) - scipy.special.gammaln(rows + 1) - scipy.special.gammaln(c_n - rows + 1)

    def chance(rates: np.ndarray) -> np.ndarray:
        rate = rates[:, None]
        row = np.exp(log_ways + scipy.special.xlogy(rows, rate) + scipy.special.xlog1py(c_n - rows, -rate))
        return (row * scipy.special.bdtrc(first[rows] - 1.0, t_n, rate)).sum(axis=1)

    grid = (1 - np.cos(np.linspace(0.0, np.pi, 401))) / 2
    best = chance(grid)
    peak = best.max()
    for at in np.flatnonzero((best >= np.roll(best, 1)) & (best >= np.roll(best, -1)) & (best > 0.9 * peak)):
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)]
        for _ in range(4):
            fine = np.linspace(low, high, 21)
            found = chance(fine)
            top = int(found.argmax())
            peak = max(peak, found[top])
            low, high = fine[max(top - 1, 0)], fine[min(top + 1, 20)]
    return float(min(peak, 1.0))


def _fisher_greater_of_all(c_n: int, t_n: int) -> np.ndarray:
    """(c_n + 1, t_n + 1) one-sided Fisher p of every table."""
    c, t = np.arange(c_n + 1)[:, None], np.arange(t_n + 1)[None, :]
    ways = _log_choose(c_n, c) + _log_choose(t_n, t) - _log_choose(c_n + t_n, c + t)
    by_hits = np.zeros((c_n + t_n + 1, t_n + 1))
    by_hits[c + t, np.broadcast_to(t, ways.shape)] = np.exp(ways)
    tails = by_hits[:, ::-1].cumsum(axis=1)[:, ::-1]
    return tails[c + t, np.broadcast_to(t, ways.shape)]


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return scipy.special.gammaln(n + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(n - k + 1)


def _newcombe(c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float) -> Limits:
    c, t = c_x / c_n, t_x / t_n
    of_c, of_t = wilson(c_x, c_n, level=level), wilson(t_x, t_n, level=level)
    return t - c - np.hypot(t - of_t.low, of_c.high - c), t - c + np.hypot(of_t.high - t, c - of_c.low)


def _wald_limits(c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float) -> Limits:
    _, se = _wald(c_x, c_n, t_x, t_n, pooled=False)
    return limits(t_x / t_n - c_x / c_n, np.where(se > 0, se, np.nan), np.inf, level, "two_sided")


def _agresti_caffo(c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float) -> Limits:
    return _wald_limits(c_x + 1, c_n + 2, t_x + 1, t_n + 2, level)


def _score_limits(
    c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float, *, factor: bool
) -> Limits:
    """Differences that the score test does not reject; the statistic falls as the difference rises."""
    z, d = critical(level, np.inf), t_x / t_n - c_x / c_n

    def beyond(delta: np.ndarray, side: int) -> np.ndarray:
        return side * score_z(c_x, c_n, t_x, t_n, delta, factor=factor) < z

    low = _bisect(lambda delta: ~beyond(delta, 1), np.full(d.shape, -1.0), d)
    high = _bisect(lambda delta: beyond(delta, -1), d, np.full(d.shape, 1.0))
    return low, high


def _mee(*counts_and_level: object) -> Limits:
    return _score_limits(*counts_and_level, factor=False)


def _miettinen_nurminen(*counts_and_level: object) -> Limits:
    return _score_limits(*counts_and_level, factor=True)


def _constrained(c: object, c_n: object, t: object, t_n: object, delta: object) -> np.ndarray:
    """Likeliest share of the treatment when the difference is delta (Farrington & Manning 1990, appendix)."""
    theta = np.asarray(c_n / t_n)
    a = 1 + theta
    b = -(1 + theta + t + theta * c + delta * (theta + 2))
    k = delta**2 + delta * (2 * t + theta + 1) + t + theta * c
    d = -t * delta * (1 + delta)
    v = b**3 / (27 * a**3) - b * k / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(b**2 / (9 * a**2) - k / (3 * a), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = np.arccos(np.clip(np.where(u == 0, 0.0, v / u**3), -1.0, 1.0))
    share = 2 * u * np.cos((np.pi + angle) / 3) - b / (3 * a)
    low, high = np.maximum(0.0, delta), np.minimum(1.0, 1.0 + delta)
    share = np.clip(share, low, high)
    for _ in range(2):  # the angle loses digits where two roots meet
        slope = 3 * a * share**2 + 2 * b * share + k
        value = ((a * share + b) * share + k) * share + d
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip(share - np.where(np.abs(slope) > 1e-6, value / slope, 0.0), low, high)
    return share


def _katz(c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float) -> Limits:
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = 1 / t_x - 1 / t_n + 1 / c_x - 1 / c_n
        good = (c_x > 0) & (t_x > 0) & (variance > 0)
        middle = np.where(good, np.log(t_x / t_n) - np.log(c_x / c_n), np.nan)
        half = critical(level, np.inf) * np.sqrt(np.where(good, variance, np.nan))
    return np.exp(middle - half), np.exp(middle + half)


def _score_ratio(c_x: np.ndarray, c_n: np.ndarray, t_x: np.ndarray, t_n: np.ndarray, level: float) -> Limits:
    """Ratios that the score test does not reject, found on R / (1 + R), so that all ratios have a place."""
    z, c, t = critical(level, np.inf), c_x / c_n, t_x / t_n

    def statistic(place: np.ndarray) -> np.ndarray:
        ratio = place / (1 - place)
        a, b = (c_n + t_n) * ratio, -(t_n * ratio + t_x + c_n + c_x * ratio)
        root = np.sqrt(np.maximum(b * b - 4 * a * (c_x + t_x), 0.0))
        base = 2 * (c_x + t_x) / (root - b)
        lifted = np.clip(ratio * base, 0.0, 1.0)
        variance = lifted * (1 - lifted) / t_n + ratio**2 * base * (1 - base) / c_n
        return (t - ratio * c) / np.sqrt(np.maximum(variance, 0.0) * _correction(c_n + t_n))

    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.where(c + t > 0, t / (c + t), np.nan)
        low = _bisect(lambda place: statistic(place) >= z, np.zeros(seen.shape), seen)
        high = _bisect(lambda place: -statistic(place) < z, seen, np.ones(seen.shape))
        return low / (1 - low), np.where(c_x == 0, np.inf, high / (1 - high))


def _bisect(stays: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Largest place up to which `stays` holds, (*G)."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        holds = stays(middle)
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return (low + high) / 2


def _correction(n: np.ndarray) -> np.ndarray:
    return n / (n - 1)


def _clopper_pearson(x: np.ndarray, n: np.ndarray, level: float) -> Limits:
    tail = (1 - level) / 2
    low = np.where(x == 0, 0.0, scipy.special.betaincinv(np.maximum(x, 0.5), n - x + 1, tail))
    high = np.where(x == n, 1.0, scipy.special.betaincinv(x + 1, np.maximum(n - x, 0.5), 1 - tail))
    return low, high


def _wilson_share(x: np.ndarray, n: np.ndarray, level: float) -> Limits:
    found = wilson(x, n, level=level)
    return np.asarray(found.low), np.asarray(found.high)


TESTS = {"pooled_z": _pooled_z, "unpooled_z": _unpooled_z, "fisher": _fisher, "boschloo": _boschloo}
INTERVALS = {
    "newcombe": _newcombe,
    "miettinen_nurminen": _miettinen_nurminen,
    "mee": _mee,
    "agresti_caffo": _agresti_caffo,
    "wald": _wald_limits,
}
LIFTS = {"score": _score_ratio, "katz": _katz}
SHARES = {"wilson": _wilson_share, "clopper_pearson": _clopper_pearson}
