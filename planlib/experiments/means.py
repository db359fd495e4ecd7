"""Two arms compared by means and ratios: Welch, Student, delta method, Fieller, clusters, strata."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard
from planlib.experiments.result import (
    SMALLEST,
    Arm,
    Result,
    check_options,
    critical,
    interval_of,
    limits,
    number,
    one_side,
    p_value,
)

TESTS = ("welch", "student", "z")
LIFTS = ("fieller", "log_delta", "delta")
NO_ESTIMATE = {"no_values", "denominator_zero", "too_large"}
Limits = tuple[np.ndarray, np.ndarray]


def mean(rows: Aggregates, column: str) -> Arm:
    """Return the mean of a column with its variance.

    >>> round(float(mean(Aggregates.from_summary("y", 100, 10.0, 3.0), "y").variance), 6)
    0.09
    """
    n = rows.n(column)
    return Arm(n, rows.mean(column), _over(rows.var(column), n), n - 1, rows.rows - n)


def ratio(rows: Aggregates, numerator: str, denominator: str) -> Arm:
    """Return sum of numerators / sum of denominators with its variance by the delta method.

    The people are the units that vary: orders per session vary with the people, not with the sessions.

    Raises:
        InputError: a row has one of the two columns and not the other.

    Source: Deng, Knoblich & Lu 2018.

    >>> import numpy as np
    >>> arm = ratio(Aggregates.from_arrays({"paid": [3.0, 1.0, 2.0], "orders": [2.0, 1.0, 1.0]}), "paid", "orders")
    >>> float(arm.value), round(float(arm.variance), 6)
    (1.5, 0.046875)
    """
    rows.need_together((numerator, denominator))
    n, per = rows.n(denominator), rows.mean(denominator)
    value = _over(rows.mean(numerator), per)
    variance = _over(rows.combined_var({numerator: _over(1.0, per), denominator: _over(-value, per)}), n)
    return Arm(n, value, variance, n - 1, rows.rows - n)


def clustered_mean(values: object, clusters: object) -> Arm:
    """Return the mean over people who were assigned by cluster, the clusters being the units that vary.

    Args:
        values: (N,) value of each person.
        clusters: (N,) label of the cluster of each.

    Returns:
        Arm with the clusters as n; fewer than some 40 clusters give intervals that are too short.

    Source: Deng, Knoblich & Lu 2018; equals the ratio of cluster sums to cluster sizes.

    >>> float(clustered_mean([1.0, 2.0, 6.0], ["a", "a", "b"]).value)
    3.0
    """
    guard = Guard()
    y = guard.numbers("values", values, ndim=(1,))
    labels = np.asarray(clusters)
    if labels.shape != y.shape:
        guard.add("shape", "clusters", f"shape {labels.shape}", expected=f"{y.shape}")
    guard.done()
    codes = np.unique(labels, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, weights=y), np.bincount(codes).astype(float)
    return ratio(Aggregates.from_arrays({"sum": sums, "size": sizes}), "sum", "size")


def welch_df(control: Arm, treatment: Arm) -> np.ndarray:
    """Return Satterthwaite's degrees of freedom of a difference; NaN without variance."""
    return _satterthwaite((control.variance, treatment.variance), (control.df, treatment.df))


def difference_limits(
    control: Arm, treatment: Arm, *, test: str = "welch", level: float = 0.95, alternative: str = "two_sided"
) -> Limits:
    """Return both limits of treatment - control, (*G) each; NaN where they cannot be computed."""
    se, df = _spread(control, treatment, test)
    return limits(np.asarray(treatment.value) - control.value, se, df, level, alternative)


def difference(
    control: Arm, treatment: Arm, *, test: str = "welch", level: float = 0.95, alternative: str = "two_sided"
) -> Result:
    """Compare two arms by their difference.

    Args:
        control, treatment: of `mean`, `ratio`, `clustered_mean` or `cuped`.
        test: welch (arms with variances of their own), student (one variance, means only) or z.
        level: coverage of the interval.
        alternative: two_sided; or greater or less with a one-sided interval.

    Raises:
        InputError: an option is unknown or out of range.

    >>> one, other = (mean(Aggregates.from_summary("y", n, m, s), "y") for n, m, s in ((30, 5, 2), (40, 6, 3)))
    >>> found = difference(one, other)
    >>> found.estimate, round(found.interval.low, 3), round(found.interval.high, 3), round(found.p_value, 4)
    (1.0, -0.195, 2.195, 0.0995)
    """
    guard = Guard()
    check_options(guard, level, alternative)
    guard.choice("test", test, TESTS)
    guard.done()
    base = _row(control, treatment, "difference", test, test, alternative)
    reason = _reason(control, treatment)
    if reason in NO_ESTIMATE:
        return replace(base, reason=reason)
    estimate = float(treatment.value) - float(control.value)
    if reason:
        return replace(base, estimate=estimate, reason=reason)
    se, df = _spread(control, treatment, test)
    return replace(
        base,
        estimate=estimate,
        interval=interval_of(*limits(estimate, se, df, level, alternative), level),
        p_value=float(p_value(estimate / se, df, alternative)),
        se=float(se),
        statistic=float(estimate / se),
        df=float(df),
    )


def lift_limits(
    control: Arm, treatment: Arm, *, method: str = "fieller", level: float = 0.95, alternative: str = "two_sided"
) -> Limits:
    """Return both limits of treatment / control - 1, (*G) each; NaN where they cannot be computed.

    Args as `lift`.
    """
    c, t = np.asarray(control.value, dtype=float), np.asarray(treatment.value, dtype=float)
    v_c, v_t = np.asarray(control.variance, dtype=float), np.asarray(treatment.variance, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "delta":
            se = np.sqrt(v_t / c**2 + t**2 * v_c / c**4)
            return limits(t / c - 1, se, welch_df(control, treatment), level, alternative)
        if method == "log_delta":
            se, df = _log_spread(control, treatment)
            low, high = limits(np.where(t / c > 0, np.log(t / c), np.nan), se, df, level, alternative)
            return np.expm1(low), np.expm1(high)
        q = critical(level, welch_df(control, treatment), alternative)
        bounded = fieller_g(control, treatment, level=level, alternative=alternative) < 1
        room = c**2 - q**2 * v_c
        half = q * np.sqrt(t**2 * v_c + c**2 * v_t - q**2 * v_c * v_t)
        low, high = (np.where(bounded, (t * c + side * half) / room - 1, np.nan) for side in (-1, 1))
        return one_side(low, high, alternative)


def fieller_g(control: Arm, treatment: Arm, *, level: float = 0.95, alternative: str = "two_sided") -> np.ndarray:
    """Return Fieller's g: at 1 and above the control is not told from zero, and no lift is excluded for good."""
    q = critical(level, welch_df(control, treatment), alternative)
    return q**2 * _over(control.variance, np.square(control.value))


def lift(
    control: Arm, treatment: Arm, *, method: str = "fieller", level: float = 0.95, alternative: str = "two_sided"
) -> Result:
    """Compare two arms by their relative difference, treatment / control - 1.

    Args:
        control, treatment: of `mean`, `ratio`, `clustered_mean` or `cuped`.
        method: fieller (keeps its level however noisy the control; `unbounded` when the control is not
            told from zero), log_delta (arms of one sign), or delta (linear; lopsided when the control is noisy).
        level: coverage of the interval.
        alternative: two_sided; or greater or less with a one-sided interval.

    Returns:
        Result; with fieller the p-value is that of the Welch test, and `detail` holds g.

    Raises:
        InputError: an option is unknown or out of range.

    Source: Fieller 1954; Deng, Knoblich & Lu 2018.

    >>> one, other = (mean(Aggregates.from_summary("y", 1000, m, 20.0), "y") for m in (10.0, 12.0))
    >>> found = lift(one, other)
    >>> round(found.estimate, 6), round(found.interval.low, 4), round(found.interval.high, 4)
    (0.2, 0.0226, 0.4149)
    """
    guard = Guard()
    check_options(guard, level, alternative)
    guard.choice("method", method, LIFTS)
    guard.done()
    base = _row(control, treatment, "lift", method, "welch" if method == "fieller" else method, alternative)
    reason = _reason(control, treatment)
    c, t = float(control.value), float(treatment.value)
    if reason in NO_ESTIMATE or c == 0:
        return replace(base, reason=reason if reason in NO_ESTIMATE else "control_zero")
    if reason:
        return replace(base, estimate=t / c - 1, reason=reason)
    if method == "log_delta" and t / c <= 0:
        return replace(base, estimate=t / c - 1, reason="signs_differ")
    settings = {"level": level, "alternative": alternative}
    low, high = lift_limits(control, treatment, method=method, **settings)
    se, df = _spread(control, treatment, "welch")
    statistic = np.sign(c) * (t - c) / se
    if method == "log_delta":
        se, df = _log_spread(control, treatment)
        statistic = np.log(t / c) / se
    elif method == "delta":
        se = np.sqrt(treatment.variance / c**2 + t**2 * control.variance / c**4)
        statistic = (t / c - 1) / se
    interval = interval_of(low, high, level)
    return replace(
        base,
        estimate=t / c - 1,
        interval=interval,
        p_value=float(p_value(statistic, df, alternative)),
        reason=None if interval else "unbounded",
        se=None if method == "fieller" else float(se),
        statistic=float(statistic),
        df=float(df),
        detail={"g": float(fieller_g(control, treatment, **settings))} if method == "fieller" else {},
    )


def poststratify(
    control: Aggregates, treatment: Aggregates, column: str, *, level: float = 0.95, alternative: str = "two_sided"
) -> Result:
    """Compare two arms within strata and add up by the share of each stratum in both arms together.

    Args:
        control, treatment: of S strata, (S,), in the same order.
        column: the metric.
        level, alternative: as `difference`.

    Returns:
        Result; strata without people count for nothing. With a stratum that has fewer than two people in an
        arm the reason is stratum_too_small.

    Raises:
        InputError: not one axis of strata, or numbers of strata that differ.

    Source: Miratrix, Sekhon & Yu 2013; shares of strata taken as fixed.
    """
    guard = Guard()
    check_options(guard, level, alternative)
    if control.rows.ndim != 1 or control.rows.shape != treatment.rows.shape:
        guard.add("shape", "treatment", f"shape {treatment.rows.shape}", expected=f"strata (S,), {control.rows.shape}")
    guard.done()
    both = control.n(column) + treatment.n(column)
    used = both > 0
    one, other = (mean(arm[used], column) for arm in (control, treatment))
    total = mean(control.merged(), column), mean(treatment.merged(), column)
    base = _row(*total, "difference", "poststratified", "welch", alternative)
    if not used.any() or min(np.min(one.n), np.min(other.n)) < 1:
        return replace(base, reason="no_values" if not used.any() else "stratum_too_small")
    share = both[used] / both.sum()
    estimate = float(share @ (other.value - one.value))
    if min(np.min(one.n), np.min(other.n)) < 2:
        return replace(base, estimate=estimate, reason="stratum_too_small")
    parts = np.concatenate([share**2 * one.variance, share**2 * other.variance])
    se = float(np.sqrt(parts.sum()))
    if se <= SMALLEST * np.abs(np.concatenate([one.value, other.value])).max():
        return replace(base, estimate=estimate, reason="no_variance")
    df = float(_satterthwaite(parts, np.concatenate([one.df, other.df])))
    return replace(
        base,
        estimate=estimate,
        interval=interval_of(*limits(estimate, se, df, level, alternative), level),
        p_value=float(p_value(estimate / se, df, alternative)),
        se=se,
        statistic=estimate / se,
        df=df,
    )


def _row(control: Arm, treatment: Arm, effect: str, method: str, test: str, alternative: str) -> Result:
    """A result with nothing computed yet."""
    arms = (control, treatment)
    if any(np.ndim(arm.value) for arm in arms):
        raise InputError(Problem("shape", field="treatment", given="many groups", values={"expected": "one group"}))
    return Result(
        effect,
        method,
        tuple(int(arm.n) for arm in arms),
        None,
        None,
        test=test,
        alternative=alternative,
        control=number(control.value),
        treatment=number(treatment.value),
        dropped=tuple(int(arm.dropped) for arm in arms),
    )


def _reason(control: Arm, treatment: Arm) -> str | None:
    """Why an interval cannot be computed, if it cannot."""
    values = np.array([control.value, treatment.value], dtype=float)
    variances = np.array([control.variance, treatment.variance], dtype=float)
    if np.isnan(values).any():
        return "no_values" if min(int(control.n), int(treatment.n)) == 0 else "denominator_zero"
    if not np.isfinite(values).all() or np.isinf(variances).any():
        return "too_large"
    if np.isnan(variances).any():
        return "too_few"
    if np.sqrt(variances.sum()) <= SMALLEST * np.abs(values).max():
        return "no_variance"
    return None


def _spread(control: Arm, treatment: Arm, test: str) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of the difference; NaN without variance."""
    n_c, n_t = np.asarray(control.n, dtype=float), np.asarray(treatment.n, dtype=float)
    v_c, v_t = np.asarray(control.variance, dtype=float), np.asarray(treatment.variance, dtype=float)
    if test == "student":
        df = n_c + n_t - 2
        pooled = _over((n_c - 1) * n_c * v_c + (n_t - 1) * n_t * v_t, df)
        variance = pooled * (_over(1.0, n_c) + _over(1.0, n_t))
    else:
        variance = v_c + v_t
        df = welch_df(control, treatment) if test == "welch" else np.full(np.shape(variance), np.inf)
    return np.sqrt(np.where(variance > 0, variance, np.nan)), df


def _log_spread(control: Arm, treatment: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of the difference of logarithms."""
    parts = tuple(_over(arm.variance, np.square(arm.value)) for arm in (control, treatment))
    return np.sqrt(parts[0] + parts[1]), _satterthwaite(parts, (control.df, treatment.df))


def _satterthwaite(variances: object, dfs: object) -> np.ndarray:
    parts = [np.asarray(v, dtype=float) for v in variances]
    total = sum(parts)
    scaled = sum(_over(_over(v, total) ** 2, df) for v, df in zip(parts, dfs, strict=True))
    return _over(1.0, scaled)


def _over(one: object, other: object) -> np.ndarray:
    """Divide; NaN where the divisor is zero."""
    above, below = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below == 0, np.nan, above / below)
