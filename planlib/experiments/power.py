"""How large a test has to be, what it can find, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf, log, log1p, sqrt
from typing import TypedDict, Unpack

import numpy as np

from planlib.core.guards import Guard

DAYS_IN = {"day": 1.0, "week": 7.0, "month": 365.0 / 12.0}
CORRECTIONS = ("bonferroni", "dunnett", "none")
VARIANCES = ("unpooled", "pooled", "control")
DISTRIBUTIONS = ("t", "z")


@dataclass(frozen=True, slots=True)
class SampleSize:
    """People a test needs.

    Attributes:
        n_per_arm: whole people in each arm, the control first.
        n_total: their sum.
        n_control_exact: size of the control before rounding up.
        alpha_each: significance level of each comparison with the control.
        power: as asked for.
        method: proportion_unpooled_z, proportion_pooled_z, proportion_control_z, mean_t, mean_z,
            non_inferiority_z, equivalence_z or mann_whitney_z.
    """

    n_per_arm: tuple[int, ...]
    n_total: int
    n_control_exact: float
    alpha_each: float
    power: float
    method: str


@dataclass(frozen=True, slots=True)
class Duration:
    """Time that a test needs to meet its people.

    Attributes:
        days_exact: people / people a day.
        days: whole days.
        weeks: whole weeks, not fewer than asked for.
        days_whole_weeks: 7 weeks.
    """

    days_exact: float
    days: int
    weeks: int
    days_whole_weeks: int


@dataclass(frozen=True, slots=True)
class Booking:
    """Tests on the calendar: booked (E, T) people, start_month (E,) with 0 = refused, refused (E,)."""

    booked: np.ndarray
    start_month: np.ndarray
    refused: np.ndarray


class Settings(TypedDict, total=False):
    """What all sizes of tests have in common; every function here takes these keywords.

    Attributes:
        alpha: significance level of the whole test; 0.05.
        sides: 2 (default), or 1 for a test in the direction of the effect.
        allocation: relative sizes of the arms, the control first; at least two. With several treatments each is
            compared with the control, and the smallest of them decides. (1, 1).
        correction: of alpha for several treatments: bonferroni (default), dunnett (knows that they share the
            control) or none.
        variance_factor: multiplies all sizes: `cuped_factor`, `design_effect`, `sequential.inflation`, or their
            product; 1.
    """

    alpha: float
    sides: int
    allocation: Sequence[float]
    correction: str
    variance_factor: float


@dataclass(frozen=True, slots=True)
class _Design:
    """Checked settings that all comparisons share."""

    z_alpha: float
    alpha: float
    alpha_each: float
    sides: int
    weights: tuple[float, ...]
    factor: float

    @property
    def ratios(self) -> tuple[float, ...]:
        """Size of each treatment over the control."""
        return tuple(weight / self.weights[0] for weight in self.weights[1:])


@dataclass(frozen=True, slots=True)
class Shares:
    """What is compared: two shares, by a normal approximation.

    Attributes:
        control: share in the control, between 0 and 1.
        variance: unpooled, pooled or control, as `n_proportions`; for non-inferiority always unpooled.
    """

    control: float
    variance: str = "unpooled"

    def spreads(self, effect: float, ratio: float) -> tuple[float, float]:
        """Standard error of the difference times sqrt(n_control), under the null and the alternative."""
        p1, p2 = self.control, self.control + effect
        own = sqrt(p1 * (1.0 - p1) + p2 * (1.0 - p2) / ratio)
        if self.variance == "unpooled":
            return own, own
        under_null = p1 if self.variance == "control" else (p1 + ratio * p2) / (1.0 + ratio)
        return sqrt(under_null * (1.0 - under_null) * (1.0 + 1.0 / ratio)), own


@dataclass(frozen=True, slots=True)
class Means:
    """What is compared: two means, or two ratios with sd = `ratio_sd`.

    Attributes:
        sd: standard deviation in the control, > 0.
        sd_treatment: in the treatments; None = as in the control.
    """

    sd: float
    sd_treatment: float | None = None

    def spreads(self, effect: float, ratio: float) -> tuple[float, float]:
        """As `Shares.spreads`; the difference does not matter."""
        own = sqrt(self.sd**2 + (self.sd if self.sd_treatment is None else self.sd_treatment) ** 2 / ratio)
        return own, own


@dataclass(frozen=True, slots=True)
class Ranks:
    """What is compared: two samples by rank.

    Attributes:
        tied_share: share of people who have one and the same value, such as those who spent nothing; 0 to below 1.
    """

    tied_share: float = 0.0

    def spreads(self, effect: float, ratio: float) -> tuple[float, float]:
        """Standard error of the superiority times sqrt(n_control), as it is without a difference."""
        spread = sqrt((1.0 - self.tied_share**3) * (1.0 + 1.0 / ratio) / 12.0)
        return spread, spread


def n_proportions(
    p_control: float, mde_abs: float, *, power: float = 0.8, variance: str = "unpooled", **settings: Unpack[Settings]
) -> SampleSize:
    """Return the people needed to find a difference of two shares.

    Normal approximation, rounded up.

    Args:
        p_control: share in the control, between 0 and 1.
        mde_abs: difference worth finding, in points as a share (0.02 = 2 points), not 0;
            p_control + mde_abs lies between 0 and 1.
        power: chance to find the difference, above alpha and below 1.
        variance: `unpooled` takes each arm's own variance throughout; `pooled` takes the common
            variance under the null hypothesis (as the pooled z test; Fleiss, R power.prop.test);
            `control` takes the control's there (Evan Miller's calculator).
        settings: `Settings`.

    Raises:
        InputError: a value is out of range or not finite.

    Source: Fleiss, Tytun & Ury 1980; unpooled: Casagrande, Pike & Smith 1978 without correction.

    >>> n_proportions(0.08, 0.04).n_per_arm
    (880, 880)
    >>> n_proportions(0.10, 0.02, allocation=(1, 2), variance="pooled").n_per_arm
    (2911, 5822)
    """
    guard = Guard()
    shares, effect = _shares(guard, p_control, mde_abs, variance)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    return _sized(_needed(shares, effect, effect, design, z_power), design, power, f"proportion_{variance}_z")


def n_means(
    mde_abs: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    power: float = 0.8,
    distribution: str = "t",
    **settings: Unpack[Settings],
) -> SampleSize:
    """Return the people needed to find a difference of two means, or of two ratios (sd = `ratio_sd`).

    Args:
        mde_abs: difference worth finding, in the metric's unit, not 0.
        sd: standard deviation in the control, > 0.
        sd_treatment: in the treatments; None = as in the control.
        power: as `n_proportions`.
        distribution: `t` (noncentral t with n_control + n_treatment - 2 degrees of
            freedom) or `z` (normal approximation).
        settings: `Settings`.

    Raises:
        InputError: a value is out of range or not finite.

    >>> round(n_means(0.5, sd=10.0, distribution="z", variance_factor=cuped_factor(0.5)).n_control_exact, 2)
    4709.33
    """
    guard = Guard()
    effect = _effect(guard, mde_abs)
    means = _means(guard, sd, sd_treatment, distribution)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    exact = _needed(means, effect, effect, design, z_power)
    if distribution == "t":
        exact = max(_n_control_t(effect, means, ratio, design, power) for ratio in design.ratios)
    return _sized(exact, design, power, f"mean_{distribution}")


def n_non_inferiority(
    metric: Shares | Means,
    margin_abs: float,
    *,
    expected_abs: float = 0.0,
    higher_is_better: bool = True,
    power: float = 0.8,
    **settings: Unpack[Settings],
) -> SampleSize:
    """Return the people needed to show that a treatment is not worse by a margin: one-sided, normal approximation.

    Args:
        metric: `Shares` or `Means`.
        margin_abs: what may be lost, in the metric's unit (of shares points as a share), > 0.
        expected_abs: true difference treatment - control that is expected; it must not use up the margin.
        higher_is_better: False for metrics that should stay low, such as the share of exits.
        power: as `n_proportions`.
        settings: `Settings`; alpha is 0.025 unless given, sides is always 1.

    Raises:
        InputError: a value out of range, or an expected loss of the margin or more.

    >>> n_non_inferiority(Shares(0.15), 0.02).n_per_arm
    (5004, 5004)
    >>> n_non_inferiority(Means(sd=10.0), 0.5).n_per_arm
    (6280, 6280)
    """
    guard = Guard()
    design = _design(guard, **_one_sided(settings))
    distance = _margin(guard, metric, margin_abs, expected_abs, higher_is_better)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    return _sized(_needed(metric, expected_abs, distance, design, z_power), design, power, "non_inferiority_z")


def power_non_inferiority(
    metric: Shares | Means,
    margin_abs: float,
    n_control: float,
    *,
    expected_abs: float = 0.0,
    higher_is_better: bool = True,
    **settings: Unpack[Settings],
) -> float:
    """Return the chance to show non-inferiority with a given control size; args as `n_non_inferiority`.

    >>> round(power_non_inferiority(Shares(0.15), 0.02, 5004), 4)
    0.8
    """
    guard = Guard()
    design = _design(guard, **_one_sided(settings))
    distance = _margin(guard, metric, margin_abs, expected_abs, higher_is_better)
    size = guard.number("n_control", n_control, above=0.0)
    guard.done()
    return _normal_power(metric, expected_abs, distance, size, design, False)


def smallest_margin(
    metric: Shares | Means,
    n_control: float,
    *,
    expected_abs: float = 0.0,
    higher_is_better: bool = True,
    power: float = 0.8,
    **settings: Unpack[Settings],
) -> float:
    """Return the smallest margin that a given control size can hold to; args as `n_non_inferiority`.

    >>> round(smallest_margin(Shares(0.15), 5004), 4)
    0.02
    """
    guard = Guard()
    design = _design(guard, **_one_sided(settings))
    _check_metric(guard, metric, expected_abs)
    size = guard.number("n_control", n_control, above=0.0)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    distance = sqrt(_needed(metric, expected_abs, 1.0, design, z_power) / size)
    return distance - (expected_abs if higher_is_better else -expected_abs)


def n_equivalence(
    metric: Shares | Means,
    margin_abs: float,
    *,
    expected_abs: float = 0.0,
    power: float = 0.8,
    **settings: Unpack[Settings],
) -> SampleSize:
    """Return the people needed to show that two arms are as good as the same (`noninferiority.tost`).

    Args:
        metric: `Shares` or `Means`.
        margin_abs: difference in either direction that does not matter, in the metric's unit, > 0.
        expected_abs: true difference treatment - control that is expected, inside the margins.
        power: as `n_proportions`.
        settings: `Settings`; alpha is that of each of the two one-sided tests, sides is always 1.

    Raises:
        InputError: a value out of range, or an expected difference at a margin or beyond.

    Source: Julious 2004, section 5.

    >>> n_equivalence(Means(sd=10.0), 1.0).n_per_arm
    (1713, 1713)
    """
    guard = Guard()
    design = _design(guard, **settings | {"sides": 1})
    _equivalence_margin(guard, metric, margin_abs, expected_abs)
    _z_power(guard, power, design.alpha)
    guard.done()
    away = abs(expected_abs)
    nearest = _needed(metric, expected_abs, margin_abs - away, design, _z_power(guard, power, design.alpha))

    def enough(size: float) -> bool:
        return _both_margins(metric, margin_abs, expected_abs, size, design) >= power

    high = nearest
    while not enough(high):  # the farther margin costs power too: at most what (1 + power) / 2 at the nearer one takes
        high *= 1.1
    return _sized(_smallest(enough, high), design, power, "equivalence_z")


def power_equivalence(
    metric: Shares | Means,
    margin_abs: float,
    n_control: float,
    *,
    expected_abs: float = 0.0,
    **settings: Unpack[Settings],
) -> float:
    """Return the chance to show equivalence with a given control size; args as `n_equivalence`.

    >>> round(power_equivalence(Means(sd=10.0), 1.0, 1713), 3)
    0.8
    """
    guard = Guard()
    design = _design(guard, **settings | {"sides": 1})
    _equivalence_margin(guard, metric, margin_abs, expected_abs)
    size = guard.number("n_control", n_control, above=0.0)
    guard.done()
    return _both_margins(metric, margin_abs, expected_abs, size, design)


def n_mann_whitney(
    superiority: float, *, tied_share: float = 0.0, power: float = 0.8, **settings: Unpack[Settings]
) -> SampleSize:
    """Return the people needed to find a difference by rank (`ranks.mann_whitney`).

    Args:
        superiority: chance that one of the treatment exceeds one of the control, ties one half; 0 to 1, not 0.5.
        tied_share: as `Ranks`.
        power: as `n_proportions`.
        settings: `Settings`.

    Raises:
        InputError: a value is out of range or not finite.

    Source: Noether 1987; ties: Zhao, Rahardja & Qu 2008.

    >>> n_mann_whitney(0.55).n_per_arm, n_mann_whitney(0.55, tied_share=0.9).n_per_arm
    ((524, 524), (142, 142))
    """
    guard = Guard()
    ranks, effect = _ranks(guard, superiority, tied_share)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    return _sized(_needed(ranks, effect, effect, design, z_power), design, power, "mann_whitney_z")


def power_mann_whitney(
    superiority: float,
    n_control: float,
    *,
    tied_share: float = 0.0,
    both_tails: bool = True,
    **settings: Unpack[Settings],
) -> float:
    """Return the chance to find a difference by rank; args as `n_mann_whitney` and `power_proportions`.

    >>> round(power_mann_whitney(0.55, 524), 3)
    0.801
    """
    guard = Guard()
    ranks, effect = _ranks(guard, superiority, tied_share)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, **settings)
    guard.done()
    return _normal_power(ranks, effect, effect, size, design, both_tails)


def mde_mann_whitney(
    n_control: float, *, tied_share: float = 0.0, power: float = 0.8, **settings: Unpack[Settings]
) -> float | None:
    """Return the smallest superiority above 0.5 that a given control size finds; None where none below 1 is.

    Args as `n_mann_whitney`. One below 0.5 is found as far from it.

    >>> round(mde_mann_whitney(524), 3)
    0.55
    """
    guard = Guard()
    size = guard.number("n_control", n_control, above=0.0)
    ranks, _ = _ranks(guard, 1.0, tied_share)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    guard.done()
    found = 0.5 + sqrt(_needed(ranks, 0.0, 1.0, design, z_power) / size)
    return found if found < 1.0 else None


def power_proportions(
    p_control: float,
    mde_abs: float,
    n_control: float,
    *,
    variance: str = "unpooled",
    both_tails: bool = True,
    **settings: Unpack[Settings],
) -> float:
    """Return the chance to find a difference of two shares with a given control size.

    Args:
        n_control: people in the control, > 0; the treatments follow the allocation.
        both_tails: also count significant results in the wrong direction (a two-sided test
            rejects there too); without them the result inverts `n_proportions`.
        Others: as `n_proportions`. With several treatments, that of the smallest arm.

    >>> round(power_proportions(0.5, 0.25, 50, variance="pooled"), 4)
    0.7402
    """
    guard = Guard()
    shares, effect = _shares(guard, p_control, mde_abs, variance)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, **settings)
    guard.done()
    return _normal_power(shares, effect, effect, size, design, both_tails)


def power_means(
    mde_abs: float,
    n_control: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    distribution: str = "t",
    both_tails: bool = True,
    **settings: Unpack[Settings],
) -> float:
    """Return the chance to find a difference of two means with a given control size.

    Args as `n_means` and `power_proportions`; more than two people in both arms together for `t`.

    >>> round(power_means(1.0, 20, sd=1.0), 3)
    0.869
    """
    guard = Guard()
    effect = _effect(guard, mde_abs)
    means = _means(guard, sd, sd_treatment, distribution)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, **settings)
    _degrees_of_freedom(guard, size, design, distribution)
    guard.done()
    if distribution == "z":
        return _normal_power(means, effect, effect, size, design, both_tails)
    return min(_t_power(effect, size, means, ratio, design, both_tails) for ratio in design.ratios)


def mde_proportions(
    p_control: float,
    n_control: float,
    *,
    power: float = 0.8,
    variance: str = "unpooled",
    direction: int = 1,
    **settings: Unpack[Settings],
) -> float | None:
    """Return the smallest absolute difference of shares that a given control size finds.

    The inverse of `n_proportions`, by bisection.

    Args:
        direction: 1 for a rise, -1 for a fall of the share.
        Others: as `n_proportions` and `power_proportions`.

    Returns:
        Difference, with the sign of the direction; None when the test is too small even for
        a share that rises to 1 (falls to 0).

    >>> round(mde_proportions(0.2, 5000, allocation=(1, 2), variance="pooled"), 6)
    0.019804
    """
    guard = Guard()
    p1 = guard.number("p_control", p_control, above=0.0, below=1.0)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    guard.choice("variance", variance, VARIANCES)
    guard.choice("direction", direction, (1, -1))
    guard.done()
    shares, furthest = Shares(p1, variance), 1.0 - p1 if direction == 1 else p1

    def enough(effect: float) -> bool:
        return _needed(shares, direction * effect, effect, design, z_power) <= size

    # below a power of one half, a wider alternative can make a larger effect harder to find
    steps = furthest * (np.arange(1, 201) / 200.0) if power < 0.5 else [furthest]
    first = next((effect for effect in steps if enough(effect)), None)
    return None if first is None else direction * _smallest(enough, float(first))


def mde_means(
    n_control: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    power: float = 0.8,
    distribution: str = "t",
    **settings: Unpack[Settings],
) -> float:
    """Return the smallest absolute difference of means that a given control size finds.

    Args as `n_means` and `power_means`. The inverse of `n_means`, by bisection.

    >>> round(mde_means(5000, sd=10.0), 5)
    0.56037
    """
    guard = Guard()
    size = guard.number("n_control", n_control, above=0.0)
    means = _means(guard, sd, sd_treatment, distribution)
    design = _design(guard, **settings)
    z_power = _z_power(guard, power, design.alpha)
    _degrees_of_freedom(guard, size, design, distribution)
    guard.done()

    def enough(effect: float) -> bool:
        if distribution == "z":
            return _normal_power(means, effect, effect, size, design, False) >= power
        return min(_t_power(effect, size, means, ratio, design, False) for ratio in design.ratios) >= power

    spread = max(means.spreads(0.0, ratio)[0] for ratio in design.ratios)
    high = (design.z_alpha + abs(z_power)) * spread * sqrt(design.factor / size)
    while not enough(high):
        high *= 2.0
    return _smallest(enough, high)


def ratio_sd(mean_numerator: float, mean_denominator: float, covariance: Sequence[Sequence[float]]) -> float:
    """Return the standard deviation of one person's part in a ratio of means (delta method), for `n_means`.

    Args:
        mean_numerator, mean_denominator: a person's means; the denominator's not 0.
        covariance: (2, 2) of numerator and denominator over people.

    Raises:
        InputError: a value out of range, or a matrix that is no covariance.

    Source: Deng, Knoblich & Lu 2018.

    >>> round(ratio_sd(2.0, 4.0, [[1.0, 0.5], [0.5, 4.0]]), 6)
    0.306186
    """
    guard = Guard()
    top, bottom = guard.number("mean_numerator", mean_numerator), guard.number("mean_denominator", mean_denominator)
    spread = guard.numbers("covariance", covariance, ndim=(2,))
    if bottom == 0:
        guard.add("not_zero", "mean_denominator", mean_denominator)
    if spread.shape != (2, 2):
        guard.add("shape", "covariance", f"shape {spread.shape}", expected="(2, 2)")
    guard.done()
    weights = np.array([1.0, -top / bottom]) / bottom
    variance = float(weights @ spread @ weights)
    if variance <= 0 or spread[0, 1] != spread[1, 0] or spread.diagonal().min() < 0:
        guard.add("above", "covariance", variance, low=0)
    guard.done()
    return sqrt(variance)


def quantile_sd(values: object, q: float) -> float:
    """Return what takes the place of a standard deviation where a quantile is compared, for `n_means` with `z`.

    It is read off the order-statistic interval of earlier data, by which `ranks.quantile_difference` judges too.

    Args:
        values: (N,) values of people.
        q: which quantile, between 0 and 1.

    Raises:
        InputError: as `ranks.order_statistics`; too few values, or none that differ around the quantile.

    Source: Woodruff 1952.

    >>> round(quantile_sd([k / 50 for k in range(5000)], 0.5), 1)  # even over 100: 0.5 / 0.01
    50.1
    """
    from scipy.special import ndtri

    from planlib.experiments.ranks import order_statistics

    level = 0.95
    found = order_statistics(values, q, level=level)
    guard = Guard()
    if found.low is None:
        guard.add("too_few", "values", found.n, low=_least_for(q, level))
    elif found.low == found.high:
        guard.add("quantile_flat", "values", found.value)
    guard.done()
    return (found.high - found.low) * sqrt(found.n) / float(2.0 * ndtri((1.0 + level) / 2.0))


def design_effect(cluster_size: float, icc: float, *, cv: float = 0.0) -> float:
    """Return the factor by which clusters enlarge a test: 1 + ((1 + cv^2) m - 1) icc.

    Args:
        cluster_size: mean people of a cluster, >= 1.
        icc: intra-cluster correlation, 0 to 1.
        cv: standard deviation of the clusters' sizes over their mean, >= 0.

    Source: Kish 1965; unequal clusters: Eldridge, Ashby & Kerry 2006.

    >>> round(design_effect(20, 0.05), 2)
    1.95
    """
    guard = Guard()
    m = guard.number("cluster_size", cluster_size, low=1.0)
    rho = guard.number("icc", icc, low=0.0, high=1.0)
    uneven = guard.number("cv", cv, low=0.0)
    guard.done()
    return 1.0 + ((1.0 + uneven**2) * m - 1.0) * rho


def cuped_factor(rho: float) -> float:
    """Return the factor by which a covariate of correlation rho shrinks a test: 1 - rho^2.

    Source: Deng, Xu, Kohavi & Walker 2013.

    >>> cuped_factor(0.5)
    0.75
    """
    guard = Guard()
    r = guard.number("rho", rho, above=-1.0, below=1.0)
    guard.done()
    return 1.0 - r * r


def control_share(treatments: int) -> float:
    """Return the best share of people for one control against k treatments: sqrt(k) / (sqrt(k) + k).

    Source: Dunnett 1955.

    >>> round(control_share(3), 4)
    0.366
    """
    guard = Guard()
    k = guard.whole("treatments", treatments)
    guard.done()
    return sqrt(k) / (sqrt(k) + k)


def duration(
    n_total: float, eligible: float, *, per: str = "week", exposure: float = 1.0, min_weeks: int = 1
) -> Duration:
    """Return how long a test needs to meet its people, in whole weeks.

    Args:
        n_total: people in all arms, > 0.
        eligible: people who could enter the test per `per`, > 0, each counted once.
        per: day, week or month (365 / 12 days).
        exposure: share of them who enter, 0 < exposure <= 1.
        min_weeks: shortest test, >= 1; whole weeks see every weekday equally often.

    >>> duration(31_234, 1500, per="day", exposure=0.8)
    Duration(days_exact=26.028333333333332, days=27, weeks=4, days_whole_weeks=28)
    """
    guard = Guard()
    people = guard.number("n_total", n_total, above=0.0)
    traffic = guard.number("eligible", eligible, above=0.0)
    guard.choice("per", per, DAYS_IN)
    share = guard.number("exposure", exposure, above=0.0, high=1.0)
    shortest = guard.whole("min_weeks", min_weeks)
    guard.done()
    days = people * DAYS_IN[per] / (traffic * share)
    weeks = max(_up(days / 7.0), shortest)
    return Duration(days, _up(days), weeks, 7 * weeks)


def unique_curve(weekly: float, four_weekly: float, *, weeks: int) -> np.ndarray:
    """Return how many different people come within 1, 2, ... weeks: weekly w^b, b fitted to two counts.

    Most of the people of a second week were there in the first, so that twice the time brings less than twice
    the people.

    Args:
        weekly, four_weekly: different people within one week and within four, weekly <= four_weekly <= 4 weekly.
        weeks: length of the curve.

    >>> unique_curve(10_000, 20_000, weeks=4).round()
    array([10000., 14142., 17321., 20000.])
    """
    guard = Guard()
    one = guard.number("weekly", weekly, above=0.0)
    guard.number("four_weekly", four_weekly, low=one, high=4.0 * one)
    length = guard.whole("weeks", weeks)
    guard.done()
    return one * np.arange(1, length + 1) ** (np.log(four_weekly / one) / np.log(4.0))


def duration_by_curve(
    n_total: float, uniques: object, *, exposure: float = 1.0, min_weeks: int = 1
) -> int | None:
    """Return the whole weeks until enough different people have come; None when the curve ends before.

    Args:
        n_total: people in all arms, > 0.
        uniques: (W,) different people who could enter within 1, 2, ... W weeks, never falling: measured, or of
            `unique_curve`.
        exposure, min_weeks: as `duration`.

    Raises:
        InputError: a curve that falls, or a value out of range.

    >>> duration_by_curve(16_000, unique_curve(10_000, 20_000, weeks=8))
    3
    """
    guard = Guard()
    people = guard.number("n_total", n_total, above=0.0)
    curve = guard.numbers("uniques", uniques, low=0.0, ndim=(1,))
    share = guard.number("exposure", exposure, above=0.0, high=1.0)
    shortest = guard.whole("min_weeks", min_weeks)
    falls = np.flatnonzero(np.diff(curve) < 0)
    if not guard.problems and falls.size:
        at = int(falls[0]) + 1
        guard.add("at_least", f"uniques[{at}]", float(curve[at]), low=float(curve[at - 1]))
    guard.done()
    enough = np.flatnonzero(curve * share >= people * (1.0 - 1e-12))
    return max(int(enough[0]) + 1, shortest) if enough.size else None


def months_of_intake(n_total: float, monthly_intake: float) -> float:
    """Return how many months of new people a test would use up.

    >>> round(months_of_intake(2 * 135_621, 50_000), 1)
    5.4
    """
    guard = Guard()
    people = guard.number("n_total", n_total, low=0.0)
    intake = guard.number("monthly_intake", monthly_intake, above=0.0)
    guard.done()
    return people / intake


def book(n_totals: Sequence[float], intake: object, *, max_months: int = 3) -> Booking:
    """Put tests on a calendar, in the given order, each person in one test.

    Each test takes the earliest run of months, at most `max_months` long, in which enough
    people are still free; a test that fits nowhere is refused.

    Args:
        n_totals: (E,) people each test needs, > 0, the most valuable first.
        intake: (T,) people who become available in each month, >= 0.
        max_months: longest test.

    Returns:
        Booking; no month has more people booked than its intake.

    >>> book([60_000, 50_000, 400_000], [50_000.0] * 4).start_month
    array([1, 2, 0])
    """
    guard = Guard()
    needs = guard.numbers("n_totals", list(n_totals), above=0.0, ndim=(1,))
    free = guard.numbers("intake", intake, low=0.0, ndim=(1,)).copy()
    longest = guard.whole("max_months", max_months)
    guard.done()
    booked = np.zeros((needs.size, free.size))
    for e, need in enumerate(needs):
        start = _first_window(free, need, longest)
        if start is None:
            continue
        taken = np.clip(need - np.append(0.0, np.cumsum(free[start:]))[:-1], 0.0, free[start:])
        booked[e, start:] = taken
        free[start:] = np.maximum(free[start:] - taken, 0.0)
    refused = booked.sum(axis=1) == 0
    return Booking(booked, np.where(refused, 0, (booked > 0).argmax(axis=1) + 1), refused)


def _first_window(free: np.ndarray, need: float, longest: int) -> int | None:
    """First month with people left from which `longest` months hold enough of them."""
    sums = np.append(0.0, np.cumsum(free))
    for start in range(free.size):
        if free[start] > 0 and sums[min(start + longest, free.size)] - sums[start] >= need:
            return start
    return None


def _shares(guard: Guard, p_control: float, mde_abs: float, variance: str) -> tuple[Shares, float]:
    p1 = guard.number("p_control", p_control, above=0.0, below=1.0)
    effect = guard.number("mde_abs", mde_abs)
    if effect == 0:
        guard.add("not_zero", "mde_abs", mde_abs)
    elif not guard.problems and not 0.0 < p1 + effect < 1.0:
        guard.add("between", "mde_abs", mde_abs, low=round(-p1, 12), high=round(1.0 - p1, 12))
    guard.choice("variance", variance, VARIANCES)
    return Shares(p1, variance), effect


def _effect(guard: Guard, mde_abs: float) -> float:
    effect = guard.number("mde_abs", mde_abs)
    if effect == 0:
        guard.add("not_zero", "mde_abs", mde_abs)
    return abs(effect)


def _means(guard: Guard, sd: float, sd_treatment: float | None, distribution: str) -> Means:
    own = guard.number("sd", sd, above=0.0)
    guard.choice("distribution", distribution, DISTRIBUTIONS)
    return Means(own, own if sd_treatment is None else guard.number("sd_treatment", sd_treatment, above=0.0))


def _check_metric(guard: Guard, metric: Shares | Means, expected_abs: float) -> None:
    """Check what is compared without a difference to find."""
    shift = guard.number("expected_abs", expected_abs)
    if isinstance(metric, Means):
        _means(guard, metric.sd, metric.sd_treatment, "z")
        return
    p1 = guard.number("p_control", metric.control, above=0.0, below=1.0)
    guard.choice("variance", metric.variance, ("unpooled",))
    if not guard.problems and not 0.0 < p1 + shift < 1.0:
        guard.add("between", "expected_abs", expected_abs, low=round(-p1, 12), high=round(1.0 - p1, 12))


def _margin(
    guard: Guard, metric: Shares | Means, margin_abs: float, expected_abs: float, higher_is_better: bool
) -> float:
    """What the expected difference leaves of the margin."""
    margin = guard.number("margin_abs", margin_abs, above=0.0)
    _check_metric(guard, metric, expected_abs)
    if guard.problems:
        return margin
    if higher_is_better and expected_abs <= -margin:
        guard.add("above", "expected_abs", expected_abs, low=-margin)
    elif not higher_is_better and expected_abs >= margin:
        guard.add("less", "expected_abs", expected_abs, high=margin)
    return margin + (expected_abs if higher_is_better else -expected_abs)


def _equivalence_margin(guard: Guard, metric: Shares | Means, margin_abs: float, expected_abs: float) -> None:
    margin = guard.number("margin_abs", margin_abs, above=0.0)
    _check_metric(guard, metric, expected_abs)
    if not guard.problems and abs(expected_abs) >= margin:
        guard.add("between", "expected_abs", expected_abs, low=-margin, high=margin)


def _ranks(guard: Guard, superiority: float, tied_share: float) -> tuple[Ranks, float]:
    chance = guard.number("superiority", superiority, low=0.0, high=1.0)
    if chance == 0.5:
        guard.add("not_half", "superiority", superiority)
    return Ranks(guard.number("tied_share", tied_share, low=0.0, below=1.0)), chance - 0.5


def _least_for(q: float, level: float) -> int:
    """How many values an order-statistic interval of a quantile takes."""
    tail = (1.0 - level) / 2.0
    return ceil(max(log(tail) / log(q), log(tail) / log1p(-q)))


def _one_sided(settings: Settings) -> Settings:
    return {"alpha": 0.025} | settings | {"sides": 1}


def _design(
    guard: Guard,
    *,
    alpha: float = 0.05,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    variance_factor: float = 1.0,
) -> _Design:
    """Check the `Settings`."""
    level = guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.choice("sides", sides, (1, 2))
    weights = guard.numbers("allocation", list(allocation), above=0.0, ndim=(1,))
    if 0 < weights.size < 2:
        guard.add("too_few", "allocation", weights.size, low=2)
    guard.choice("correction", correction, CORRECTIONS)
    factor = guard.number("variance_factor", variance_factor, above=0.0)
    if guard.problems:
        return _Design(inf, level, level, 2, (1.0, 1.0), 1.0)
    z, each = _critical(level, sides, weights, correction)
    return _Design(z, level, each, sides, tuple(weights.tolist()), factor)


def _critical(alpha: float, sides: int, weights: np.ndarray, correction: str) -> tuple[float, float]:
    """Critical value of each comparison, and its level."""
    from scipy.special import ndtr, ndtri

    if correction == "dunnett":
        from planlib.experiments.multiplicity import dunnett_critical

        z = dunnett_critical(weights, alpha=alpha, sides=sides)
        return z, float(sides * ndtr(-z))
    each = alpha / (weights.size - 1) if correction == "bonferroni" else alpha
    return float(-ndtri(each / sides)), each


def _z_power(guard: Guard, power: float, alpha: float) -> float:
    from scipy.special import ndtri

    chance = guard.number("power", power, above=0.0, below=1.0)
    if not guard.problems and chance <= alpha:
        guard.add("between", "power", power, low=alpha, high=1)
    return float(ndtri(chance))


def _degrees_of_freedom(guard: Guard, n_control: float, design: _Design, distribution: str) -> None:
    """A t test needs more than two people in its smallest comparison."""
    smallest = 1.0 + min(design.ratios)
    if distribution == "t" and not guard.problems and n_control * smallest <= 2.0:
        guard.add("above", "n_control", n_control, low=round(2.0 / smallest, 6))


def _needed(metric: Shares | Means, effect: float, distance: float, design: _Design, z_power: float) -> float:
    """Control size of the hardest comparison, by the normal approximation.

    Args:
        effect: true difference, which sets the variances.
        distance: from the null hypothesis to it.
    """
    spreads = [metric.spreads(effect, ratio) for ratio in design.ratios]
    reach = max(design.z_alpha * null + z_power * alternative for null, alternative in spreads)
    return design.factor * (max(reach, 0.0) / distance) ** 2


def _n_control_t(effect: float, means: Means, ratio: float, design: _Design, power: float) -> float:
    """Solve the noncentral t power (near tail) for the control size."""
    from scipy.optimize import brentq

    def gap(n: float) -> float:
        return _t_power(effect, n, means, ratio, design, False) - power

    low = (2.0 + 1e-6) / (1.0 + ratio)
    if gap(low) >= 0:
        return low
    high = 2.0 * low + 1.0
    while gap(high) < 0:
        high *= 2.0
    return float(brentq(gap, low, high, xtol=1e-9, rtol=1e-13))


def _normal_power(
    metric: Shares | Means, effect: float, distance: float, n_control: float, design: _Design, both_tails: bool
) -> float:
    """Power of the weakest comparison; effect and distance as `_needed`."""
    from scipy.special import ndtr

    chances, root = [], sqrt(n_control / design.factor)
    for ratio in design.ratios:
        null, alternative = (spread / root for spread in metric.spreads(effect, ratio))
        near = float(ndtr((abs(distance) - design.z_alpha * null) / alternative))
        far = float(ndtr((-abs(distance) - design.z_alpha * null) / alternative))
        chances.append(near + far if both_tails and design.sides == 2 else near)
    return min(chances)


def _both_margins(
    metric: Shares | Means, margin_abs: float, expected_abs: float, n_control: float, design: _Design
) -> float:
    """Chance that both one-sided tests pass in the weakest comparison."""
    from scipy.special import ndtr

    chances, root = [], sqrt(n_control / design.factor)
    for ratio in design.ratios:
        se = metric.spreads(expected_abs, ratio)[1] / root
        one, other = (float(ndtr((margin_abs + sign * expected_abs) / se - design.z_alpha)) for sign in (1, -1))
        chances.append(max(one + other - 1.0, 0.0))
    return min(chances)


def _t_power(
    effect: float, n_control: float, means: Means, ratio: float, design: _Design, both_tails: bool
) -> float:
    from scipy.special import nctdtr, stdtrit

    df = n_control * (1.0 + ratio) - 2.0
    noncentrality = effect / means.spreads(effect, ratio)[0] * sqrt(n_control / design.factor)
    critical = float(stdtrit(df, 1.0 - design.alpha_each / design.sides))
    near = float(nctdtr(df, -noncentrality, -critical))
    far = float(nctdtr(df, noncentrality, -critical)) if both_tails and design.sides == 2 else 0.0
    return near + far


def _smallest(enough: Callable[[float], bool], high: float) -> float:
    """Smallest positive number for which `enough` holds, to the last bit; it holds at `high`."""
    low = 0.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _sized(exact: float, design: _Design, power: float, method: str) -> SampleSize:
    per_arm = tuple(_up(exact * weight / design.weights[0]) for weight in design.weights)
    return SampleSize(per_arm, sum(per_arm), exact, design.alpha_each, power, method)


def _up(value: float) -> int:
    """Round up to at least 1, forgiving the last bits of a product."""
    return max(ceil(value * (1.0 - 1e-12)), 1)
