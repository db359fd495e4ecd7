"""What is believed of an effect: chance to win and expected loss, by quadrature instead of simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from planlib.core.bayes import Beta, Normal, beta_binomial, normal_normal
from planlib.core.guards import Guard
from planlib.core.intervals import Interval

UNIFORM = Beta(1.0, 1.0)
_TAIL = 1e-18  # probability left out at each end
_POINTS = 1_000
_FURTHEST = 700.0  # log odds; exp() of more is no float


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of treatment - control (or treatment / control - 1).

    Attributes:
        mean: expected effect.
        interval: credible, equal-tailed.
        chance_to_win: that the treatment is above the control.
        loss_treatment: what is lost on average by choosing the treatment, in the unit of the effect.
        loss_control: by choosing the control.
        control, treatment: expected value of each arm; None where only the effect is known.
        method: beta_binomial or normal_normal.
    """

    mean: float
    interval: Interval
    chance_to_win: float
    loss_treatment: float
    loss_control: float
    control: float | None
    treatment: float | None
    method: str


@dataclass(frozen=True, slots=True)
class Best:
    """Several arms: (K,) chance of each to be the best, and (K,) what choosing it loses on average against the best."""

    chance: np.ndarray
    loss: np.ndarray


def compare_shares(
    c_x: float, c_n: float, t_x: float, t_n: float, *, prior: Beta = UNIFORM, level: float = 0.95
) -> Posterior:
    """Compare two shares, each with the same Beta prior.

    Args:
        c_x, c_n, t_x, t_n: successes and people of control and treatment.
        prior: of both shares; Beta(1, 1) says nothing, Beta(0.5, 0.5) is Jeffreys'.
        level: of the credible interval of the difference.

    Raises:
        InputError: more successes than people, or a value out of range.

    >>> found = compare_shares(200, 1000, 250, 1000)
    >>> round(found.chance_to_win, 6), round(found.loss_treatment, 8)
    (0.996283, 2.136e-05)
    """
    guard = Guard()
    for name, x, n in (("c", c_x, c_n), ("t", t_x, t_n)):
        guard.whole(f"{name}_x", x, low=0, high=guard.whole(f"{name}_n", n, low=0))
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    control = beta_binomial(prior, successes=c_x, trials=c_n)
    treatment = beta_binomial(prior, successes=t_x, trials=t_n)
    x, mass = _quadrature(control, _scale(control, treatment))
    below = scipy.special.betainc(treatment.a, treatment.b, x)
    # what the control has more than the treatment, given x: x F(x) - m F(x; a + 1, b)
    below_more = scipy.special.betainc(treatment.a + 1.0, treatment.b, x)
    loss_treatment = float(mass @ (x * below - treatment.mean * below_more))
    above = scipy.special.betaincc(treatment.a, treatment.b, x)
    above_more = scipy.special.betaincc(treatment.a + 1.0, treatment.b, x)
    loss_control = float(mass @ (treatment.mean * above_more - x * above))
    low, high = (_quantile(control, treatment, share) for share in (0.5 - level / 2, 0.5 + level / 2))
    return Posterior(
        treatment.mean - control.mean, Interval(low, high, level), min(float(mass @ above), 1.0),
        max(loss_treatment, 0.0), max(loss_control, 0.0), control.mean, treatment.mean, "beta_binomial",
    )


def best_share(successes: Sequence[float], n: Sequence[float], *, prior: Beta = UNIFORM) -> Best:
    """Return how likely each of several arms has the highest share, and what choosing it would lose.

    For normal effects `core.information.chance_of_being_best` says the same.

    Args:
        successes, n: (K,) of each arm, K >= 2.
        prior: of each share.

    Raises:
        InputError: more successes than people, shapes that differ, or fewer than two arms.

    >>> best_share([100, 110, 120, 118], [1000] * 4).chance.round(4)
    array([0.0204, 0.1266, 0.4758, 0.3771])
    """
    guard = Guard()
    counts = guard.numbers("successes", list(successes), low=0.0, ndim=(1,))
    sizes = guard.numbers("n", list(n), low=0.0, ndim=(1,))
    if counts.shape != sizes.shape or 0 < sizes.size < 2:
        guard.add("shape", "n", f"shape {sizes.shape}", expected=f"{counts.shape}, at least two")
    guard.done()
    arms = [beta_binomial(prior, successes=x, trials=size) for x, size in zip(counts, sizes, strict=True)]
    a, b = np.array([arm.a for arm in arms]), np.array([arm.b for arm in arms])
    scale = _scale(*arms)
    chance, best = np.empty(a.size), 0.0
    for k, arm in enumerate(arms):
        x, mass = _quadrature(arm, scale)
        others = np.arange(a.size) != k
        wins = mass * np.prod(scipy.special.betainc(a[others, None], b[others, None], x), axis=0)
        chance[k] = wins.sum()
        best += float(wins @ x)
    return Best(chance, np.maximum(best - a / (a + b), 0.0))


def normal_effect(estimate: float, se: float, *, prior: Normal | None = None, level: float = 0.95) -> Posterior:
    """Return what is believed of an effect that was estimated with normal error.

    Args:
        estimate: effect, absolute or relative.
        se: its standard error, > 0.
        prior: of the effect, in its own unit; None = flat.
        level: of the credible interval.

    Raises:
        InputError: a value out of range.

    >>> found = normal_effect(0.03, 0.01, prior=Normal(0.0, 0.02**2))
    >>> round(found.mean, 6), round(found.chance_to_win, 6)
    (0.024, 0.996355)
    """
    guard = Guard()
    effect, error = guard.number("estimate", estimate), guard.number("se", se, above=0.0)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    seen = Normal(effect, error**2)
    if prior is not None:
        seen = normal_normal(prior, observed_mean=effect, observed_var=error**2, n=1)
    sd = float(np.sqrt(seen.var))
    z = seen.mean / sd
    density = float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi))
    half = float(scipy.special.ndtri(0.5 + level / 2)) * sd
    above, below = float(scipy.special.ndtr(z)), float(scipy.special.ndtr(-z))
    return Posterior(
        seen.mean, Interval(seen.mean - half, seen.mean + half, level), above,
        max(sd * (density - z * below), 0.0), max(sd * (density + z * above), 0.0),
        None, None, "normal_normal",
    )


def compare_values(
    control: float,
    control_variance: float,
    treatment: float,
    treatment_variance: float,
    *,
    relative: bool = False,
    prior_sd_rel: float | None = None,
    prior_mean_rel: float = 0.0,
    level: float = 0.95,
) -> Posterior:
    """Compare two means or ratios, with a prior of the relative effect.

    Args:
        control, treatment: value of each arm, as `Arm.value`; the control not zero.
        control_variance, treatment_variance: of these values (squared standard errors), as `Arm.variance`, >= 0,
            one of them > 0.
        relative: of treatment / control - 1 (linear delta method) instead of treatment - control.
        prior_sd_rel: standard deviation of the relative effect that is expected, > 0; None = a flat prior.
        prior_mean_rel: its mean.
        level: of the credible interval.

    Raises:
        InputError: a value out of range.

    >>> found = compare_values(10.2, 3.1**2 / 500, 10.9, 3.4**2 / 520, relative=True)
    >>> round(found.mean, 6), round(found.chance_to_win, 6)
    (0.068627, 0.999566)
    """
    guard = Guard()
    c, t = guard.number("control", control), guard.number("treatment", treatment)
    v_c = guard.number("control_variance", control_variance, low=0.0)
    v_t = guard.number("treatment_variance", treatment_variance, low=0.0)
    if c == 0:
        guard.add("not_zero", "control", control)
    if v_c + v_t == 0:
        guard.add("above", "treatment_variance", treatment_variance, low=0)
    if prior_sd_rel is not None:
        guard.number("prior_sd_rel", prior_sd_rel, above=0.0)
    guard.number("prior_mean_rel", prior_mean_rel)
    guard.done()
    variance = v_t / c**2 + v_c * t**2 / c**4 if relative else v_c + v_t
    unit = 1.0 if relative else abs(c)
    prior = None if prior_sd_rel is None else Normal(prior_mean_rel * unit, (prior_sd_rel * unit) ** 2)
    found = normal_effect((t - c) / c if relative else t - c, float(np.sqrt(variance)), prior=prior, level=level)
    return Posterior(
        found.mean, found.interval, found.chance_to_win, found.loss_treatment, found.loss_control, c, t, found.method
    )


def loss_cny(loss: float, *, people: float, cny_per_unit: float) -> float:
    """Return an expected loss in money.

    Args:
        loss: of one person, in the unit of the effect, >= 0.
        people: who would get the choice, >= 0.
        cny_per_unit: what one unit of the effect is worth: margin of an order for shares of buyers, 1 for CNY a
            person; for relative losses the control's own CNY a person.

    >>> loss_cny(0.0002, people=50_000, cny_per_unit=80.0)
    800.0
    """
    guard = Guard()
    lost = guard.number("loss", loss, low=0.0)
    reached, value = guard.number("people", people, low=0.0), guard.number("cny_per_unit", cny_per_unit, low=0.0)
    guard.done()
    return lost * reached * value


def _quantile(control: Beta, treatment: Beta, share: float) -> float:
    """Return the difference treatment - control below which `share` of the probability lies."""
    if _sd(treatment) < _sd(control):  # go through the narrower arm: beside it the other is smooth
        return -_quantile(treatment, control, 1.0 - share)
    from scipy.optimize import brentq  # slow to import

    x, mass = _quadrature(control, _scale(control))

    def excess(difference: float) -> float:
        return float(mass @ scipy.special.betainc(treatment.a, treatment.b, np.clip(x + difference, 0.0, 1.0))) - share

    return brentq(excess, -1.0, 1.0, xtol=1e-10)


def _sd(arm: Beta) -> float:
    return float(np.sqrt(arm.mean * (1.0 - arm.mean) / (arm.a + arm.b + 1.0)))


def _scale(*arms: Beta) -> float:
    """Smallest standard deviation of the arms' log odds."""
    return float(min(np.sqrt(scipy.special.polygamma(1, arm.a) + scipy.special.polygamma(1, arm.b)) for arm in arms))


def _quadrature(arm: Beta, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares and their probabilities, by the trapezoid rule on log odds.

    There the density is smooth and dies away at both ends whatever a and b are, so that the rule is exact to
    rounding once the steps are a fraction of the narrowest arm.
    """
    low, high = _lowest_odds(arm.a, arm.b), -_lowest_odds(arm.b, arm.a)
    y = np.linspace(low, high, max(_POINTS, int(8 * (high - low) / scale)))
    log_density = -arm.a * np.logaddexp(0.0, -y) - arm.b * np.logaddexp(0.0, y)
    mass = np.exp(log_density - log_density.max())
    return 1.0 / (1.0 + np.exp(-y)), mass / mass.sum()


def _lowest_odds(a: float, b: float) -> float:
    """Log odds below which next to nothing of Beta(a, b) lies."""
    with np.errstate(divide="ignore"):
        odds = np.log(scipy.special.betaincinv(a, b, _TAIL)) - np.log(scipy.special.betainccinv(b, a, _TAIL))
        return max(float(odds), -_FURTHEST)
