"""How large a test has to be, what it can find, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt

import numpy as np

from planlib.core.guards import Guard

DAYS_IN = {"day": 1.0, "week": 7.0, "month": 365.0 / 12.0}
CORRECTIONS = ("bonferroni", "none")
VARIANCES = ("unpooled", "pooled")
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
        method: proportion_unpooled_z, proportion_pooled_z, mean_t or mean_z.
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


@dataclass(frozen=True, slots=True)
class _Design:
    """Checked settings that all comparisons share."""

    z_alpha: float
    alpha_each: float
    sides: int
    weights: tuple[float, ...]
    factor: float

    @property
    def ratios(self) -> tuple[float, ...]:
        """Size of each treatment over the control."""
        return tuple(weight / self.weights[0] for weight in self.weights[1:])


def n_proportions(
    p_control: float,
    mde_abs: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    variance: str = "unpooled",
    variance_factor: float = 1.0,
) -> SampleSize:
    """Return the people needed to find a difference of two shares.

    Normal approximation, rounded up. With several treatments each is compared with the
    control at alpha / treatments (Bonferroni), and the smallest arm decides.

    Args:
        p_control: share in the control, between 0 and 1.
        mde_abs: difference worth finding, in points as a share (0.02 = 2 points), not 0;
            p_control + mde_abs lies between 0 and 1.
        alpha: significance level of the whole test.
        power: chance to find the difference, above alpha and below 1.
        sides: 2, or 1 for a test in the direction of mde_abs.
        allocation: relative sizes of the arms, the control first; at least two.
        correction: bonferroni or none.
        variance: `unpooled` takes each arm's own variance throughout; `pooled` takes the common
            variance under the null hypothesis (as the pooled z test; Fleiss, R power.prop.test).
        variance_factor: multiplies all sizes: `cuped_factor`, `design_effect`.

    Raises:
        InputError: a value is out of range or not finite.

    Source: Fleiss, Tytun & Ury 1980; unpooled: Casagrande, Pike & Smith 1978 without correction.

    >>> n_proportions(0.08, 0.04).n_per_arm
    (880, 880)
    >>> n_proportions(0.10, 0.02, allocation=(1, 2), variance="pooled").n_per_arm
    (2911, 5822)
    """
    guard = Guard()
    p1, p2 = _shares(guard, p_control, mde_abs)
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    z_power = _z_power(guard, power, alpha)
    guard.choice("variance", variance, VARIANCES)
    guard.done()
    exact = max(_n_control(p1, p2, ratio, design.z_alpha, z_power, variance) for ratio in design.ratios)
    return _sized(exact * design.factor, design, power, f"proportion_{variance}_z")


def n_means(
    mde_abs: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    distribution: str = "t",
    variance_factor: float = 1.0,
) -> SampleSize:
    """Return the people needed to find a difference of two means.

    Args:
        mde_abs: difference worth finding, in the metric's unit, not 0.
        sd: standard deviation in the control, > 0.
        sd_treatment: in the treatments; None = as in the control.
        distribution: `t` (noncentral t with n_control + n_treatment - 2 degrees of
            freedom) or `z` (normal approximation).
        alpha, power, sides, allocation, correction, variance_factor: as `n_proportions`.

    Raises:
        InputError: a value is out of range or not finite.

    >>> round(n_means(0.5, sd=10.0, distribution="z", variance_factor=cuped_factor(0.5)).n_control_exact, 2)
    4709.33
    """
    guard = Guard()
    effect, sd1, sd2 = _effect(guard, mde_abs, sd, sd_treatment)
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    z_power = _z_power(guard, power, alpha)
    guard.choice("distribution", distribution, DISTRIBUTIONS)
    guard.done()
    variances = [design.factor * (sd1**2 + sd2**2 / ratio) for ratio in design.ratios]
    exact = max((design.z_alpha + z_power) ** 2 * v / effect**2 for v in variances)
    if distribution == "t":
        exact = max(_n_control_t(effect, v, r, design, power) for v, r in zip(variances, design.ratios, strict=True))
    return _sized(exact, design, power, f"mean_{distribution}")


def power_proportions(
    p_control: float,
    mde_abs: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    variance: str = "unpooled",
    variance_factor: float = 1.0,
    both_tails: bool = True,
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
    p1, p2 = _shares(guard, p_control, mde_abs)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    guard.choice("variance", variance, VARIANCES)
    guard.done()
    chances = []
    for ratio in design.ratios:
        null, alternative = (s / sqrt(size / design.factor) for s in _spreads(p1, p2, ratio, variance))
        chances.append(_normal_power(abs(p2 - p1), null, alternative, design, both_tails))
    return min(chances)


def power_means(
    mde_abs: float,
    n_control: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    distribution: str = "t",
    variance_factor: float = 1.0,
    both_tails: bool = True,
) -> float:
    """Return the chance to find a difference of two means with a given control size.

    Args as `n_means` and `power_proportions`; more than two people in both arms together for `t`.

    >>> round(power_means(1.0, 20, sd=1.0), 3)
    0.869
    """
    guard = Guard()
    effect, sd1, sd2 = _effect(guard, mde_abs, sd, sd_treatment)
    size = guard.number("n_control", n_control, above=0.0)
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    guard.choice("distribution", distribution, DISTRIBUTIONS)
    _degrees_of_freedom(guard, size, design, distribution)
    guard.done()
    chances = []
    for ratio in design.ratios:
        spread = sqrt(design.factor * (sd1**2 + sd2**2 / ratio) / size)
        if distribution == "z":
            chances.append(_normal_power(effect, spread, spread, design, both_tails))
        else:
            chances.append(_t_power(effect / spread, size * (1.0 + ratio) - 2.0, design, both_tails))
    return min(chances)


def mde_proportions(
    p_control: float,
    n_control: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    variance: str = "unpooled",
    variance_factor: float = 1.0,
    direction: int = 1,
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
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    z_power = _z_power(guard, power, alpha)
    guard.choice("variance", variance, VARIANCES)
    guard.choice("direction", direction, (1, -1))
    guard.done()
    furthest = 1.0 - p1 if direction == 1 else p1

    def enough(effect: float) -> bool:
        p2 = p1 + direction * effect
        needed = max(_n_control(p1, p2, ratio, design.z_alpha, z_power, variance) for ratio in design.ratios)
        return needed * design.factor <= size

    # below a power of one half, a wider alternative can make a larger effect harder to find
    steps = furthest * (np.arange(1, 201) / 200.0) if power < 0.5 else [furthest]
    first = next((effect for effect in steps if enough(effect)), None)
    return None if first is None else direction * _smallest(enough, float(first))


def mde_means(
    n_control: float,
    *,
    sd: float,
    sd_treatment: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    allocation: Sequence[float] = (1.0, 1.0),
    correction: str = "bonferroni",
    distribution: str = "t",
    variance_factor: float = 1.0,
) -> float:
    """Return the smallest absolute difference of means that a given control size finds.

    Args as `n_means` and `power_means`. The inverse of `n_means`, by bisection.

    >>> round(mde_means(5000, sd=10.0), 5)
    0.56037
    """
    guard = Guard()
    size = guard.number("n_control", n_control, above=0.0)
    _, sd1, sd2 = _effect(guard, 1.0, sd, sd_treatment)
    design = _design(guard, alpha, sides, allocation, correction, variance_factor)
    z_power = _z_power(guard, power, alpha)
    guard.choice("distribution", distribution, DISTRIBUTIONS)
    _degrees_of_freedom(guard, size, design, distribution)
    guard.done()
    spread = max(sd1, sd2) * sqrt(1.0 + max(1.0 / ratio for ratio in design.ratios))
    start = (design.z_alpha + abs(z_power)) * spread * sqrt(design.factor / size)
    settings = {"sd": sd, "sd_treatment": sd_treatment, "alpha": alpha, "sides": sides, "allocation": allocation,
                "correction": correction, "distribution": distribution, "variance_factor": variance_factor}

    def enough(effect: float) -> bool:
        return power_means(effect, size, both_tails=False, **settings) >= power

    high = start
    while not enough(high):
        high *= 2.0
    return _smallest(enough, high)


def design_effect(cluster_size: float, icc: float) -> float:
    """Return the factor by which clusters enlarge a test: 1 + (m - 1) icc.

    >>> round(design_effect(20, 0.05), 2)
    1.95
    """
    guard = Guard()
    m = guard.number("cluster_size", cluster_size, low=1.0)
    rho = guard.number("icc", icc, low=0.0, high=1.0)
    guard.done()
    return 1.0 + (m - 1.0) * rho


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


def _shares(guard: Guard, p_control: float, mde_abs: float) -> tuple[float, float]:
    p1 = guard.number("p_control", p_control, above=0.0, below=1.0)
    effect = guard.number("mde_abs", mde_abs)
    if effect == 0:
        guard.add("not_zero", "mde_abs", mde_abs)
    elif not guard.problems and not 0.0 < p1 + effect < 1.0:
        guard.add("between", "mde_abs", mde_abs, low=round(-p1, 12), high=round(1.0 - p1, 12))
    return p1, p1 + effect


def _effect(guard: Guard, mde_abs: float, sd: float, sd_treatment: float | None) -> tuple[float, float, float]:
    effect = guard.number("mde_abs", mde_abs)
    if effect == 0:
        guard.add("not_zero", "mde_abs", mde_abs)
    sd1 = guard.number("sd", sd, above=0.0)
    sd2 = sd1 if sd_treatment is None else guard.number("sd_treatment", sd_treatment, above=0.0)
    return abs(effect), sd1, sd2


def _design(
    guard: Guard, alpha: float, sides: int, allocation: Sequence[float], correction: str, variance_factor: float
) -> _Design:
    from scipy.special import ndtri

    level = guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.choice("sides", sides, (1, 2))
    weights = guard.numbers("allocation", list(allocation), above=0.0, ndim=(1,))
    if 0 < weights.size < 2:
        guard.add("too_few", "allocation", weights.size, low=2)
    guard.choice("correction", correction, CORRECTIONS)
    factor = guard.number("variance_factor", variance_factor, above=0.0)
    each = level / (weights.size - 1) if correction == "bonferroni" and weights.size > 1 else level
    z = float(-ndtri(each / sides)) if sides in (1, 2) and 0 < each < 1 else inf
    return _Design(z, each, sides, tuple(weights.tolist()), factor)


def _z_power(guard: Guard, power: float, alpha: float) -> float:
    from scipy.special import ndtri

    chance = guard.number("power", power, above=0.0, below=1.0)
    if not guard.problems and chance <= alpha:
        guard.add("between", "power", power, low=alpha, high=1)
    return float(ndtri(chance))


def _degrees_of_freedom(guard: Guard, n_control: float, design: _Design, distribution: str) -> None:
    """A t test needs more than two people in its smallest comparison."""
    smallest = 1.0 + min(design.ratios, default=1.0)
    if distribution == "t" and not guard.problems and n_control * smallest <= 2.0:
        guard.add("above", "n_control", n_control, low=round(2.0 / smallest, 6))


def _spreads(p1: float, p2: float, ratio: float, variance: str) -> tuple[float, float]:
    """Standard error of the difference times sqrt(n_control), under the null and the alternative."""
    own = sqrt(p1 * (1.0 - p1) + p2 * (1.0 - p2) / ratio)
    common = (p1 + ratio * p2) / (1.0 + ratio)
    return (own if variance == "unpooled" else sqrt(common * (1.0 - common) * (1.0 + 1.0 / ratio))), own


def _n_control(p1: float, p2: float, ratio: float, z_alpha: float, z_power: float, variance: str) -> float:
    null, alternative = _spreads(p1, p2, ratio, variance)
    return (max(z_alpha * null + z_power * alternative, 0.0) / (p2 - p1)) ** 2


def _n_control_t(effect: float, variance: float, ratio: float, design: _Design, power: float) -> float:
    """Solve the noncentral t power (near tail) for the control size."""
    from scipy.optimize import brentq

    def gap(n: float) -> float:
        return _t_power(effect * sqrt(n / variance), n * (1.0 + ratio) - 2.0, design, False) - power

    low = (2.0 + 1e-6) / (1.0 + ratio)
    if gap(low) >= 0:
        return low
    high = 2.0 * low + 1.0
    while gap(high) < 0:
        high *= 2.0
    return float(brentq(gap, low, high, xtol=1e-9, rtol=1e-13))


def _normal_power(effect: float, null: float, alternative: float, design: _Design, both_tails: bool) -> float:
    from scipy.special import ndtr

    near = float(ndtr((effect - design.z_alpha * null) / alternative))
    far = float(ndtr((-effect - design.z_alpha * null) / alternative)) if both_tails and design.sides == 2 else 0.0
    return near + far


def _t_power(noncentrality: float, df: float, design: _Design, both_tails: bool) -> float:
    from scipy.special import nctdtr, stdtrit

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
