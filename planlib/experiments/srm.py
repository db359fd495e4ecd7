"""Sample ratio mismatch: did the arms receive the shares that were planned?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from planlib.core.guards import Guard

ALARM = 0.001


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Counts beside what was planned.

    Attributes:
        observed: people of each arm.
        expected: people that the plan gives each arm of the same total.
        chi2, df: Pearson's statistic and its degrees of freedom; chi2 infinite when an arm planned without
            people has some.
        p_value: chance of a mismatch at least as large when assignment followed the plan.
        alarm: p_value is below the threshold: read nothing out before the cause is known.
        threshold: as given.
        n: people in all.
        smallest_expected: below 5 the p-value is rough.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    chi2: float
    df: int
    p_value: float
    alarm: bool
    threshold: float
    n: int
    smallest_expected: float


def srm(
    observed: Sequence[int], planned: Sequence[float], *, weights: bool = False, threshold: float = ALARM
) -> SampleRatio:
    """Test counts of any number of arms against planned shares.

    Args:
        observed: people of each arm, whole numbers, at least two arms and one person.
        planned: share of each arm, that sum to 1; with `weights` any weights.
        weights: whether `planned` are weights, such as 1, 1, 2.
        threshold: p-value below which the alarm is on.

    Raises:
        InputError: one arm, no people, counts that are negative or not whole, shares that are negative or
            do not sum to 1, or numbers of arms that differ.

    Source: Fabijan et al. 2019. Pearson's chi-square without correction.

    >>> srm([9000, 1110], [0.9, 0.1]).p_value.__round__(6)
    0.001031
    >>> srm([5000, 5400], [1, 1], weights=True).alarm
    True
    """
    guard = Guard()
    counts = guard.numbers("observed", list(observed), low=0.0, ndim=(1,))
    shares = guard.numbers("planned", list(planned), low=0.0, ndim=(1,))
    guard.number("threshold", threshold, above=0.0, below=1.0)
    if not guard.problems:
        if counts.size < 2:
            guard.add("too_few", "observed", counts.size, low=2)
        elif counts.shape != shares.shape:
            guard.add("shape", "planned", f"{shares.size} shares", expected=f"{counts.size} shares, one an arm")
        if (counts != np.floor(counts)).any():
            guard.add("not_whole", "observed", list(observed))
        if counts.sum() == 0:
            guard.add("above", "observed", 0, low=0)
        total = float(shares.sum())
        if total == 0 or (not weights and abs(total - 1) > 1e-3):
            guard.add("shares_sum", "planned", list(planned), total=total)
        elif np.count_nonzero(shares) < 2:
            guard.add("too_few", "planned", int(np.count_nonzero(shares)), low=2)
    guard.done()
    n = float(counts.sum())
    expected = shares / shares.sum() * n
    used = expected > 0
    chi2 = float(np.square(counts[used] - expected[used]) @ (1 / expected[used]))
    df = int(used.sum()) - 1
    if counts[~used].any():
        chi2 = float("inf")
    chance = float(scipy.special.chdtrc(df, chi2)) if np.isfinite(chi2) else 0.0
    return SampleRatio(
        tuple(int(count) for count in counts),
        tuple(expected.tolist()),
        chi2,
        df,
        chance,
        chance < threshold,
        threshold,
        int(n),
        float(expected[used].min()),
    )
