"""CUPED: take out what was known of each person before the test, and compare what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.core.aggregates import Aggregates
from planlib.core.guards import Guard
from planlib.experiments.means import mean, ratio, welch_df
from planlib.experiments.result import SMALLEST, Arm, Result, check_options, interval_of, limits, p_value


@dataclass(frozen=True, slots=True)
class Cuped:
    """Both arms after adjustment; compare them with `means.difference` or `means.lift`.

    Attributes:
        control, treatment: adjusted arms; the mean over both is that of the metric.
        theta: slope on the covariate, over both arms; 0 with a covariate without variance.
        variance_reduction: share of the metric's variance that is gone, the squared correlation over all people.
        centre: mean (or ratio) of the covariate over both arms.
        reason: constant_covariate when there was nothing to adjust by, else None.
    """

    control: Arm
    treatment: Arm
    theta: float
    variance_reduction: float
    centre: float
    reason: str | None = None


def cuped(control: Aggregates, treatment: Aggregates, metric: str, covariate: str) -> Cuped:
    """Adjust a mean by a covariate that was known before the test.

    Args:
        control, treatment: one group each, with both columns and their product.
        metric: the outcome.
        covariate: known before assignment; where someone has none, fill it in before with any constant.

    Returns:
        Cuped; theta is taken over the people of both arms, with one overall mean.

    Raises:
        InputError: a column is unknown, or rows have one of the two and not the other.

    Source: Deng, Xu, Kohavi & Walker 2013.

    >>> import numpy as np
    >>> y, x = np.array([1.0, 3.0, 2.0, 6.0]), np.array([1.0, 3.0, 2.0, 4.0])
    >>> arms = [Aggregates.from_arrays({"y": y[part], "x": x[part]}) for part in (slice(2), slice(2, 4))]
    >>> found = cuped(*arms, "y", "x")
    >>> round(found.theta, 6), round(float(found.treatment.value - found.control.value), 6)
    (1.6, 0.4)
    """
    return _cuped(control, treatment, (metric,), (covariate,))


def cuped_ratio(
    control: Aggregates,
    treatment: Aggregates,
    numerator: str,
    denominator: str,
    covariate_numerator: str,
    covariate_denominator: str,
) -> Cuped:
    """Adjust a ratio by a ratio that was known before the test, both linearised.

    Args:
        control, treatment: one group each, with the four columns and their products.
        numerator, denominator: the outcome is the sum of one over the sum of the other.
        covariate_numerator, covariate_denominator: the same before assignment.

    Raises:
        InputError: a column is unknown, or rows have some of the four and not the others.

    Source: Deng, Xu, Kohavi & Walker 2013, appendix B; Deng, Knoblich & Lu 2018.
    """
    return _cuped(control, treatment, (numerator, denominator), (covariate_numerator, covariate_denominator))


def adjusted(
    rows: Aggregates, outcome: Sequence[str], before: Sequence[str], *, theta: float, centre: float
) -> Arm:
    """Return one arm adjusted by a slope that is known already.

    Args:
        rows: (*G) groups, such as the same arm up to each day.
        outcome, before: a column each (means), or two each (ratios).
        theta, centre: of `Cuped`, taken over all people.

    Raises:
        InputError: a column is unknown, or rows have some of the columns and not the others.
    """
    value, weights = _value(rows, outcome), _weights(rows, outcome)
    if theta == 0:
        return value
    for name, weight in _weights(rows, before).items():
        weights[name] = weights.get(name, 0.0) - theta * weight
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = rows.combined_var(weights) / value.n
    return replace(value, value=value.value - theta * (_value(rows, before).value - centre), variance=variance)


def _cuped(control: Aggregates, treatment: Aggregates, outcome: tuple[str, ...], before: tuple[str, ...]) -> Cuped:
    both = control + treatment
    both.need_together((*outcome, *before))
    theta, reduction, reason = _slope(both, _weights(both, outcome), _weights(both, before))
    centre = float(_value(both, before).value)
    arms = (adjusted(rows, outcome, before, theta=theta, centre=centre) for rows in (control, treatment))
    return Cuped(*arms, theta, reduction, centre, reason)


def cuped_lift(
    control: Aggregates,
    treatment: Aggregates,
    metric: str,
    covariate: str,
    *,
    level: float = 0.95,
    alternative: str = "two_sided",
) -> Result:
    """Compare two adjusted means relative to the unadjusted mean of the control.

    Args:
        control, treatment, metric, covariate: as `cuped`.
        level, alternative: as `means.difference`.

    Returns:
        Result by the linear delta method, the covariance of difference and control mean kept; `detail` holds
        theta and variance_reduction.

    Raises:
        InputError: as `cuped`.
    """
    guard = Guard()
    check_options(guard, level, alternative)
    guard.done()
    found = cuped(control, treatment, metric, covariate)
    raw = mean(control, metric)
    row = Result(
        "lift",
        "cuped_delta",
        (int(found.control.n), int(found.treatment.n)),
        None,
        None,
        test="cuped_delta",
        alternative=alternative,
        control=float(found.control.value),
        treatment=float(found.treatment.value),
        dropped=(int(found.control.dropped), int(found.treatment.dropped)),
        detail={"theta": found.theta, "variance_reduction": found.variance_reduction},
    )
    c = float(raw.value)
    if min(row.n) < 2:
        return replace(row, control=None, treatment=None, reason="too_few")
    if c == 0:
        return replace(row, reason="control_zero")
    lift = (row.treatment - row.control) / c
    of_control = control.combined_var({metric: 1.0 + lift, covariate: -found.theta}) / row.n[0]
    se = float(np.sqrt(found.treatment.variance + of_control)) / abs(c)
    if se <= SMALLEST:
        return replace(row, estimate=lift, reason="no_variance")
    df = float(welch_df(found.control, found.treatment))
    interval = interval_of(*limits(lift, se, df, level, alternative), level)
    chance = float(p_value(lift / se, df, alternative))
    return replace(row, estimate=lift, interval=interval, p_value=chance, se=se, statistic=lift / se, df=df)


def _slope(both: Aggregates, outcome: dict[str, float], before: dict[str, float]) -> tuple[float, float, str | None]:
    """theta, squared correlation and reason of two linear combinations of columns."""
    of_outcome, of_before = float(both.combined_var(outcome)), float(both.combined_var(before))
    scale = sum(abs(float(weight * both.mean(name))) for name, weight in before.items())
    if not np.isfinite(of_before) or np.sqrt(of_before) <= SMALLEST * scale:
        return 0.0, 0.0, "constant_covariate"
    shared = float(both.combined_cov(outcome, before))
    reduction = shared * shared / (of_before * of_outcome) if of_outcome > 0 else 0.0
    return shared / of_before, min(reduction, 1.0), None


def _value(rows: Aggregates, columns: Sequence[str]) -> Arm:
    """Mean of one column, or ratio of two."""
    return mean(rows, *columns) if len(columns) == 1 else ratio(rows, *columns)


def _weights(rows: Aggregates, columns: Sequence[str]) -> dict[str, object]:
    """Weights whose sum varies as the value does: 1, or those of (numerator - ratio denominator) / mean denominator."""
    if len(columns) == 1:
        return {columns[0]: 1.0}
    numerator, denominator = columns
    per = rows.mean(denominator)
    per = np.where(per == 0, np.nan, per)
    return {numerator: 1.0 / per, denominator: -rows.mean(numerator) / per**2}
