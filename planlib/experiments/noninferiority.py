"""Guardrails: is the treatment not worse than a margin allows, or as good as the same?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planlib.core.guards import Guard
from planlib.experiments.means import difference
from planlib.experiments.proportions import checked_counts, score_z, two_proportions
from planlib.experiments.result import Arm, Result, interval_of, limits, p_value

TESTS = ("score", "wald")


def non_inferiority(
    control: Arm,
    treatment: Arm,
    *,
    margin_abs: float | None = None,
    margin_rel: float | None = None,
    alpha: float = 0.025,
    higher_is_better: bool = True,
) -> Result:
    """Test that a mean or ratio is not worse by a margin or more: one-sided Welch.

    Args:
        control, treatment: of `means` or `cuped`.
        margin_abs: what may be lost, > 0; exactly one of the two margins is given.
        margin_rel: the same as a share of the control's value, which is then taken as fixed.
        alpha: one-sided level.
        higher_is_better: False for metrics that should stay low, such as opt-outs.

    Returns:
        Result of the difference treatment - control, whose interval is two-sided of level 1 - 2 alpha; the
        p-value, statistic and test are of the margin; `detail` holds margin (signed limit of the difference)
        and passed, 1 or 0. Not computable as `means.difference`.

    Raises:
        InputError: no margin or two, or a value out of range.

    >>> from planlib.core.aggregates import Aggregates
    >>> from planlib.experiments.means import mean
    >>> arms = [mean(Aggregates.from_summary("y", n, m, s), "y") for n, m, s in ((500, 10.2, 3.1), (520, 10.149, 3.4))]
    >>> round(non_inferiority(*arms, margin_rel=0.03).p_value, 6)
    0.10534
    """
    guard = Guard()
    given = [name for name, value in (("margin_abs", margin_abs), ("margin_rel", margin_rel)) if value is not None]
    if len(given) != 1:
        guard.add("choice", "margin", ", ".join(given) or None, choice="margin_abs, margin_rel")
    for name, value in (("margin_abs", margin_abs), ("margin_rel", margin_rel)):
        if value is not None:
            guard.number(name, value, above=0.0)
    guard.number("alpha", alpha, above=0.0, below=0.5)
    guard.done()
    found = difference(control, treatment, level=1 - 2 * alpha)
    loss = margin_abs if margin_abs is not None else margin_rel * abs(float(control.value))
    limit = -loss if higher_is_better else loss
    if found.interval is None:
        return replace(found, test="non_inferiority", p_value=None, detail={"margin": limit})
    statistic = (found.estimate - limit) / found.se
    return _judged(found, statistic, found.df, limit, alpha, higher_is_better, "welch")


def non_inferiority_proportions(
    c_x: object,
    c_n: object,
    t_x: object,
    t_n: object,
    *,
    margin_abs: float,
    test: str = "score",
    alpha: float = 0.025,
    higher_is_better: bool = True,
) -> Result:
    """Test that a share is not worse by a margin or more.

    Args:
        c_x, c_n, t_x, t_n: as `proportions.two_proportions`.
        margin_abs: what may be lost, in points as a share (0.02 = 2 points), 0 < margin_abs < 1.
        test: score (Farrington-Manning, with the Mee interval, that agrees with it) or wald.
        alpha, higher_is_better: as `non_inferiority`.

    Returns:
        Result as `non_inferiority`.

    Raises:
        InputError: as `proportions.two_proportions`, or a margin out of range.

    Source: Farrington & Manning 1990.

    >>> round(non_inferiority_proportions(450, 3000, 430, 3000, margin_abs=0.02).p_value, 6)
    0.072321
    """
    guard = Guard()
    counts = checked_counts(guard, c_x, c_n, t_x, t_n)
    guard.number("margin_abs", margin_abs, above=0.0, below=1.0)
    guard.choice("test", test, TESTS)
    guard.number("alpha", alpha, above=0.0, below=0.5)
    guard.done()
    limit = -margin_abs if higher_is_better else margin_abs
    if test == "score":
        found = two_proportions(*counts, interval="mee", level=1 - 2 * alpha)
        statistic = float(score_z(*counts, limit, factor=False))
    else:
        found = two_proportions(*counts, test="unpooled_z", interval="wald", level=1 - 2 * alpha)
        statistic = np.nan if found.se is None else (found.estimate - limit) / found.se
    if not np.isfinite(statistic):
        blank = replace(found, test=test, p_value=None, statistic=None, se=None, detail={"margin": limit})
        return replace(blank, reason="no_variance")
    return _judged(replace(found, reason=None), statistic, np.inf, limit, alpha, higher_is_better, test)


def tost(
    difference_abs: float, se: float, margin_abs: float, *, df: float = np.inf, alpha: float = 0.05, n: tuple = (0, 0)
) -> Result:
    """Test that two arms are as good as the same: two one-sided tests of margins on both sides.

    Args:
        difference_abs, se, df: estimate, standard error and degrees of freedom, such as those of a Result.
        margin_abs: largest difference that does not matter, > 0.
        alpha: level of each of both tests.
        n: people of each arm, as they are to be shown.

    Returns:
        Result with the interval of level 1 - 2 alpha; the p-value is the larger of the two, which `detail`
        holds as p_lower and p_upper beside margin and passed.

    Raises:
        InputError: a value is out of range or not finite.

    Source: Schuirmann 1987.

    >>> round(tost(0.004, 0.009, 0.02).p_value, 6)
    0.03772
    """
    guard = Guard()
    guard.number("difference_abs", difference_abs)
    guard.number("se", se, above=0.0)
    guard.number("margin_abs", margin_abs, above=0.0)
    guard.number("alpha", alpha, above=0.0, below=0.5)
    if not df > 0:
        guard.add("above", "df", df, low=0)
    guard.done()
    lower = float(p_value((difference_abs + margin_abs) / se, df, "greater"))
    upper = float(p_value((difference_abs - margin_abs) / se, df, "less"))
    level, chance = 1 - 2 * alpha, max(lower, upper)
    return Result(
        "difference",
        "t" if np.isfinite(df) else "z",
        tuple(n),
        difference_abs,
        interval_of(*limits(difference_abs, se, df, level, "two_sided"), level),
        p_value=chance,
        test="tost",
        se=se,
        df=df,
        detail={"p_lower": lower, "p_upper": upper, "margin": margin_abs, "passed": float(chance < alpha)},
    )


def _judged(
    found: Result, statistic: float, df: float, limit: float, alpha: float, higher_is_better: bool, test: str
) -> Result:
    side = "greater" if higher_is_better else "less"
    chance = float(p_value(statistic, df, side))
    detail = {"margin": float(limit), "passed": float(chance < alpha)}
    return replace(
        found, test=test, alternative=side, p_value=chance, statistic=float(statistic), df=df, detail=detail
    )
