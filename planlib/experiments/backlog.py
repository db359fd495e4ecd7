"""A backlog of planned tests: size with and without CUPED, whole weeks, profit-optimal size, and what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.experiments.planning import WEEKS_A_MONTH, look_factor
from planlib.experiments.portfolio import Roll, Worth, adopted, lift_se, profit_optimal_size, worth
from planlib.experiments.power import SampleSize, cuped_factor, duration_by_curve, n_proportions, unique_curve
from planlib.experiments.proportions import lift_of_proportions

WEEKS_A_YEAR = 52
MONTHS_AFTER = 12  # over which a change that was adopted counts


@dataclass(frozen=True, slots=True)
class Idea:
    """A test that could be run, of shares.

    Attributes:
        baseline: share in the control.
        effect: smallest absolute change worth having, not 0.
        per_week: people who can enter a week.
        four_weeks: different people within four weeks; None: every week brings others.
        allocation: sizes of the arms, the control first.
        alpha, power, sides: of the test.
        correlation: with what is known before, for CUPED; None: nothing is known.
        effect_sd: how far from 0 the true relative effect is expected to lie.
        cost_cny: of the test.
        looks, stopping: as `look_factor`; the people they cost are in all sizes.
    """

    baseline: float
    effect: float
    per_week: float
    effect_sd: float
    four_weeks: float | None = None
    allocation: tuple[float, ...] = (1.0, 1.0)
    alpha: float = 0.05
    power: float = 0.8
    sides: int = 2
    correlation: float | None = None
    cost_cny: float = 0.0
    looks: tuple[float, ...] = (1.0,)
    stopping: str = "fixed"


@dataclass(frozen=True, slots=True)
class Planned:
    """A test as it would run.

    Attributes:
        plain: size without CUPED.
        size: that it would run with: by CUPED where a correlation is known.
        weeks: whole weeks until so many different people came; None when they do not within a year.
        people_per_week: of these weeks, on average.
        traffic_share: part of the people of these weeks that it takes.
        profit: size of the arms that earns most when the winner is rolled out to a year's people.
        se: standard error of the relative effect at the end.
        gain: mean and sd of the relative effect that it will bring, nothing where the change is not made.
    """

    plain: SampleSize
    size: SampleSize
    weeks: int | None
    people_per_week: float
    traffic_share: float
    profit: Roll
    se: float
    gain: tuple[float, float]


def plan_test(idea: Idea) -> Planned:
    """Size a test and lay it out in whole weeks.

    Raises:
        InputError: as `n_proportions`, `unique_curve` and `profit_optimal_size`.

    >>> found = plan_test(Idea(0.08, 0.008, 9_500, 0.05, correlation=0.5))
    >>> found.plain.n_total, found.size.n_total, found.weeks
    (37738, 28304, 3)
    """
    design = {"power": idea.power, "alpha": idea.alpha, "sides": idea.sides, "allocation": idea.allocation}
    factor = 1.0 if idea.correlation is None else cuped_factor(idea.correlation)
    rule = {"alpha": idea.alpha, "power": idea.power, "sides": idea.sides, "arms": len(idea.allocation)}
    looked = look_factor(idea.looks, idea.stopping, **rule)
    plain = n_proportions(idea.baseline, idea.effect, variance_factor=looked, **design)
    size = n_proportions(idea.baseline, idea.effect, variance_factor=factor * looked, **design)
    curve = _uniques(idea)
    weeks = duration_by_curve(size.n_total, curve)
    met = float(curve[(weeks or WEEKS_A_YEAR) - 1])
    sd = float(np.sqrt(idea.baseline * (1 - idea.baseline) * factor))
    se = lift_se(idea.baseline, sd, size.n_per_arm[0], size.n_per_arm[1])
    # the arms' means are believed independent: their difference has twice the variance of each
    prior = idea.effect_sd * idea.baseline / float(np.sqrt(2))
    profit = profit_optimal_size(max(float(curve[-1]), 2.0), sd, prior)
    share = min(size.n_total / met, 1.0)
    per_week = size.n_total / (weeks or WEEKS_A_YEAR)
    return Planned(plain, size, weeks, per_week, share, profit, se, adopted(0.0, idea.effect_sd, se))


def value(idea: Idea, planned: Planned, exposed_cny: float) -> Worth | None:
    """Return what a test is worth; None where it does not end within a year.

    Args:
        idea, planned: the test.
        exposed_cny: GMV that the change would act upon (`exposed`).

    Raises:
        InputError: as `worth`.
    """
    if planned.weeks is None:
        return None
    return worth(
        0.0, idea.effect_sd, planned.se, exposed_cny=exposed_cny, weeks=planned.weeks,
        traffic_share=planned.traffic_share, cost_cny=idea.cost_cny,
    )  # fmt: skip


def exposed(gmv_cny: Sequence[float], start_month: float, weeks: float, share: float) -> float:
    """Return the GMV that a change acts upon: its share of the twelve months after the test, within the plan.

    Args:
        gmv_cny: (T,) GMV of each plan month.
        start_month: plan month in whose first week the test starts, >= 1.
        weeks: that it runs; a month that it ends in counts from there on.
        share: of the GMV that moves with what the test changes.

    >>> round(exposed([100.0] * 24, 1, 52 / 12, 0.5)), round(exposed([100.0] * 3, 1, 26 / 12, 1.0))
    (600, 250)
    """
    guard = Guard()
    gmv = guard.numbers("gmv_cny", list(gmv_cny), low=0.0, ndim=(1,))
    first = guard.number("start_month", start_month, low=1.0)
    length = guard.number("weeks", weeks, low=0.0)
    part = guard.number("share", share, low=0.0, high=1.0)
    guard.done()
    begins = first - 1 + length / WEEKS_A_MONTH
    months = np.arange(gmv.size)
    within = np.clip(np.minimum(months + 1, begins + MONTHS_AFTER) - np.maximum(months, begins), 0.0, 1.0)
    return float(part * (gmv @ within))


def past_effect(control_did: int, control: int, treatment_did: int, treatment: int) -> tuple[float, float] | None:
    """Return relative effect and standard error of a finished test; None where an arm has nobody who did it.

    The error is that of the ratio by the delta method: the ratio times the error of its logarithm (Katz et al. 1978).

    Args:
        control_did, control, treatment_did, treatment: people who did it, and all, of each arm.

    Raises:
        InputError: more than all did it, or counts that are negative or not whole.

    >>> effect, se = past_effect(800, 10_000, 1000, 10_000)
    >>> round(effect, 4), round(se, 4)
    (0.25, 0.0566)
    """
    found = lift_of_proportions(control_did, control, treatment_did, treatment, interval="katz")
    if found.estimate is None or treatment_did == 0:
        return None
    ratio = 1 + found.estimate
    lost = 1 / control_did - 1 / control + 1 / treatment_did - 1 / treatment
    return (found.estimate, ratio * float(np.sqrt(lost))) if lost > 0 else None


def first_week(month: float) -> int:
    """Return the week of the calendar in which a plan month begins, both counted from 1.

    >>> [first_week(month) for month in (1, 2, 4)]
    [1, 5, 14]
    """
    return int(np.floor((month - 1) * WEEKS_A_MONTH + 1e-9)) + 1


def quarter_of(week: float) -> int:
    """Return the quarter of the calendar in which a week lies, both counted from 1.

    >>> [quarter_of(week) for week in (1, 13, 14, 52)]
    [1, 1, 2, 4]
    """
    return int(np.ceil(week / 13))


def _uniques(idea: Idea) -> np.ndarray:
    """Return (52,) different people within 1, 2, ... weeks."""
    if idea.four_weeks is None:
        return idea.per_week * np.arange(1.0, WEEKS_A_YEAR + 1)
    return unique_curve(idea.per_week, idea.four_weeks, weeks=WEEKS_A_YEAR)
