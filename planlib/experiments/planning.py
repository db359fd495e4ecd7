"""A planned test as a whole: how large, how long, what shorter runs could find, what it asks of the traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.experiments.power import SampleSize, cuped_factor, duration, mde_proportions, n_proportions

WEEKS_A_MONTH = 52 / 12


@dataclass(frozen=True, slots=True)
class Sized:
    """A test of shares as planned.

    Attributes:
        size: people in each arm.
        weeks: whole weeks to meet them.
        achievable: (W,) smallest change that a run of 1, 2, ... W weeks finds; None where no change would do.
    """

    size: SampleSize
    weeks: int
    achievable: tuple[float | None, ...]


def size_up(
    baseline: float,
    effect: float,
    per_week: float,
    *,
    allocation: Sequence[float] = (1.0, 1.0),
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    looks: Sequence[float] = (1.0,),
    stopping: str = "fixed",
    correlation: float | None = None,
    longest_weeks: int = 16,
) -> Sized:
    """Size a test of shares and say what runs of every length up to `longest_weeks` could find.

    Args:
        baseline: share in the control arm, 0 < baseline < 1.
        effect: smallest absolute change worth having, not 0.
        per_week: people who can enter a week, > 0.
        allocation: sizes of the arms, the control first; several treatments share alpha by Bonferroni.
        looks, stopping: shares of the people at which it is looked at, and the rule (`look_factor`).
        correlation: with what is known of a person before, for CUPED; None: nothing is known.

    Raises:
        InputError: as n_proportions and duration.
    """
    design = {"alpha": alpha, "power": power, "sides": sides, "allocation": allocation}
    rule = {"alpha": alpha, "power": power, "sides": sides, "arms": len(allocation)}
    known = 1.0 if correlation is None else cuped_factor(correlation)
    design["variance_factor"] = known * look_factor(looks, stopping, **rule)
    size = n_proportions(baseline, effect, **design)
    weeks = duration(size.n_total, per_week).weeks
    control = per_week * allocation[0] / sum(allocation)
    direction = 1 if effect > 0 else -1
    achievable = tuple(
        mde_proportions(baseline, max(control * week, 2), direction=direction, **design)
        for week in range(1, longest_weeks + 1)
    )
    return Sized(size, weeks, achievable)


def look_factor(
    looks: Sequence[float], stopping: str, *, arms: int = 2, alpha: float = 0.05, power: float = 0.8, sides: int = 2
) -> float:
    """Return by what the looks of a test multiply its people, so that it keeps its power.

    Args:
        looks: rising shares of the people, the last 1.
        stopping: fixed (no look before the end may stop it), obrien_fleming or pocock, spending alpha.
        arms: several treatments share alpha by Bonferroni.

    Raises:
        InputError: as `sequential.spending_boundaries` and `sequential.inflation`.

    >>> round(look_factor((0.5, 1.0), "obrien_fleming"), 4), look_factor((0.5, 1.0), "fixed")
    (1.0037, 1.0)
    """
    if stopping == "fixed" or len(looks) < 2:
        return 1.0
    from planlib.experiments.sequential import inflation, spending_boundaries

    bounds = spending_boundaries(looks, stopping, alpha=alpha / max(arms - 1, 1), sides=sides)
    return inflation(bounds, power=power)


def monthly_load(n_total: object, weeks: object, start_month: object, *, months: int) -> np.ndarray:
    """Spread each test's people evenly over the weeks it runs and add them up by plan month.

    Args:
        n_total: (E,) people of each test.
        weeks: (E,) whole weeks that it runs, > 0.
        start_month: (E,) plan month in whose first week it starts, >= 1.
        months: T, length of the plan; people met later are left out.

    Returns:
        (E, T) people a month.

    Raises:
        InputError: shapes differ, or a value is out of range.

    >>> monthly_load([520], [6.5], [2], months=4).round(1)
    array([[  0. , 346.7, 173.3,   0. ]])
    """
    guard = Guard()
    people = guard.numbers("n_total", n_total, low=0, ndim=(1,))
    length = guard.numbers("weeks", weeks, above=0, ndim=(1,))
    first = guard.numbers("start_month", start_month, low=1, ndim=(1,))
    horizon = guard.whole("months", months, low=1)
    if not people.shape == length.shape == first.shape:
        guard.add("shape", "weeks", f"shape {length.shape}", expected=f"{people.shape}")
    guard.done()
    begins = (first - 1) * WEEKS_A_MONTH
    edges = np.arange(horizon + 1) * WEEKS_A_MONTH
    overlap = np.minimum(begins[:, None] + length[:, None], edges[1:]) - np.maximum(begins[:, None], edges[:-1])
    return people[:, None] * np.clip(overlap, 0, None) / length[:, None]
