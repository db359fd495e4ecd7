"""What tests are worth: value of information, profit-optimal size, and what past effects shrink to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.core.information import normal_information
from planlib.core.intervals import Interval

ESTIMATORS = ("dl", "ml")


@dataclass(frozen=True, slots=True)
class Worth:
    """What a test is worth before it is run.

    Attributes:
        evsi_cny: what knowing its result is worth: expected value of sample information times what is exposed.
        evpi_cny: of knowing the effect exactly; no test of the same question is worth more.
        cost_cny: of running it.
        net_cny: evsi_cny - cost_cny.
        per_week_cny: net_cny per week of the whole traffic; what the tests of a backlog are ranked by.
    """

    evsi_cny: float
    evpi_cny: float
    cost_cny: float
    net_cny: float
    per_week_cny: float


@dataclass(frozen=True, slots=True)
class Roll:
    """A test whose winner is rolled out to everybody who is left.

    Attributes:
        n_per_arm: people in each of the two arms.
        gain: expected response over all people above that of choosing without a test.
        gain_known: the same if the better arm were known from the start.
        error_rate: chance that the worse arm is rolled out.
    """

    n_per_arm: float
    gain: float
    gain_known: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Effects of E tests, drawn towards their common mean.

    Attributes:
        mean: expected effect of a test of this kind.
        tau: standard deviation of true effects between tests.
        weight: (E,) share of the own estimate that is kept.
        effect: (E,) posterior means; these may be adopted.
        sd: (E,) posterior standard deviations, mean and tau taken as known.
        method: dl or ml.
    """

    mean: float
    tau: float
    weight: np.ndarray
    effect: np.ndarray
    sd: np.ndarray
    method: str


@dataclass(frozen=True, slots=True)
class Exaggeration:
    """What a filter of significance does to an estimate.

    Attributes:
        chance: of a significant result with the right sign.
        expected_estimate: mean estimate among these.
        exaggeration: that over the true effect.
        type_m: mean size of significant estimates of either sign over the true effect's size.
        type_s: share of significant results with the wrong sign.
    """

    chance: float
    expected_estimate: float
    exaggeration: float
    type_m: float
    type_s: float


@dataclass(frozen=True, slots=True)
class Total:
    """Effects added up, in CNY: mean, standard deviation, interval, and the chance that the sum is above zero."""

    mean_cny: float
    sd_cny: float
    interval: Interval
    chance_above_zero: float


def lift_se(mean: float, sd: float, n_control: float, n_treatment: float) -> float:
    """Return the standard error that a planned test will have, of the relative effect.

    Args:
        mean: baseline, not 0; of a share the share itself.
        sd: of one person; of a share sqrt(p (1 - p)), after CUPED sd sqrt(1 - rho^2).
        n_control, n_treatment: people, > 0.

    >>> round(lift_se(0.08, (0.08 * 0.92) ** 0.5, 18_869, 18_869), 4)
    0.0349
    """
    guard = Guard()
    level, spread = guard.number("mean", mean), guard.number("sd", sd, above=0.0)
    sizes = [guard.number(name, n, above=0.0) for name, n in (("n_control", n_control), ("n_treatment", n_treatment))]
    if level == 0:
        guard.add("not_zero", "mean", mean)
    guard.done()
    return float(spread / abs(level) * np.sqrt(1 / sizes[0] + 1 / sizes[1]))


def worth(
    prior_mean: float,
    prior_sd: float,
    se: float,
    *,
    exposed_cny: float,
    weeks: float,
    traffic_share: float = 1.0,
    cost_cny: float = 0.0,
    hurdle: float = 0.0,
) -> Worth:
    """Return what a test is worth: it changes a decision only where its result crosses the hurdle.

    Args:
        prior_mean, prior_sd: what is believed of the relative effect before, prior_sd > 0.
        se: standard error that the test will have, > 0 (`lift_se`).
        exposed_cny: GMV that the change would act upon after the test, over the horizon that counts, >= 0.
        weeks: that the test runs, > 0.
        traffic_share: part of the traffic that it takes, 0 < share <= 1.
        cost_cny: of the test: coupons, work, losses while it runs.
        hurdle: relative effect from which the change is made; its running cost over exposed_cny.

    Raises:
        InputError: a value out of range.

    Source: Raiffa & Schlaifer 1961.

    >>> round(worth(0.0, 0.02, 0.01, exposed_cny=10e6, weeks=4).per_week_cny)
    17841
    """
    guard = Guard()
    guard.number("prior_mean", prior_mean)
    guard.number("prior_sd", prior_sd, above=0.0)
    guard.number("se", se, above=0.0)
    guard.number("hurdle", hurdle)
    exposed = guard.number("exposed_cny", exposed_cny, low=0.0)
    length = guard.number("weeks", weeks, above=0.0)
    share = guard.number("traffic_share", traffic_share, above=0.0, high=1.0)
    cost = guard.number("cost_cny", cost_cny, low=0.0)
    guard.done()
    known = normal_information(prior_mean, prior_sd, se, alternative=hurdle)
    net = known.evsi * exposed - cost
    return Worth(known.evsi * exposed, known.evpi * exposed, cost, net, net / (length * share))


def adopted(prior_mean: float, prior_sd: float, se: float, *, hurdle: float = 0.0) -> tuple[float, float]:
    """Return mean and standard deviation of what a test will bring: its true effect if it is made, else nothing.

    A change is made when the posterior mean passes the hurdle. Args as `worth`.

    Raises:
        InputError: a value out of range.

    >>> mean, sd = adopted(0.0, 0.05, 0.05)
    >>> round(mean, 5), round(sd, 5)
    (0.0141, 0.03242)
    """
    guard = Guard()
    mu = guard.number("prior_mean", prior_mean)
    tau = guard.number("prior_sd", prior_sd, above=0.0)
    error = guard.number("se", se, above=0.0)
    h = guard.number("hurdle", hurdle)
    guard.done()
    s = tau**2 / np.hypot(tau, error)  # sd of the posterior mean before the test
    z = (mu - h) / s
    made, density = float(scipy.special.ndtr(z)), float(np.exp(_log_density(z)))
    mean = mu * made + s * density
    square = (mu**2 + s**2) * made + s * density * (mu + h) + (tau**2 - s**2) * made
    return float(mean), float(np.sqrt(max(square - mean**2, 0.0)))


def profit_optimal_size(population: float, response_sd: float, prior_sd: float) -> Roll:
    """Return the size of a two-arm test that earns most over test and roll-out together.

    n = sqrt(N / 4 q + (3 / 4 q)^2) - 3 / 4 q with q = (response_sd / prior_sd)^2. It is far smaller than the size
    that a power calculation asks for, since it lets errors happen where they cost little.

    Args:
        population: N, people whom test and roll-out reach together, >= 2.
        response_sd: of one person's response, > 0; of a share sqrt(p (1 - p)).
        prior_sd: of the arms' mean responses, both believed alike before, > 0.

    Raises:
        InputError: a value out of range.

    Source: Feit & Berman 2019 (arXiv:1811.00457), eq. 8.

    >>> round(profit_optimal_size(100_000, (0.32 * 0.68) ** 0.5, 0.03).n_per_arm)
    2284
    """
    guard = Guard()
    people = guard.number("population", population, low=2.0)
    noise = guard.number("response_sd", response_sd, above=0.0)
    spread = guard.number("prior_sd", prior_sd, above=0.0)
    guard.done()
    q = (noise / spread) ** 2
    # the same as in the docstring, without cancellation
    n = people / 4 * q / (np.sqrt(people / 4 * q + (0.75 * q) ** 2) + 0.75 * q)
    return roll(float(n), people, noise, spread)


def roll(n_per_arm: float, population: float, response_sd: float, prior_sd: float) -> Roll:
    """Return what a test of a given size earns when its winner is rolled out; args as `profit_optimal_size`.

    Args:
        n_per_arm: from 0 to half of the population.

    >>> best, large = profit_optimal_size(100_000, 0.4665, 0.03), roll(18_000, 100_000, 0.4665, 0.03)
    >>> best.gain > large.gain, best.error_rate > large.error_rate
    (True, True)
    """
    guard = Guard()
    people = guard.number("population", population, low=2.0)
    n = guard.number("n_per_arm", n_per_arm, low=0.0, high=people / 2)
    noise = guard.number("response_sd", response_sd, above=0.0)
    spread = guard.number("prior_sd", prior_sd, above=0.0)
    guard.done()
    reliability = spread * np.sqrt(n / (n * spread**2 + noise**2))  # correlation of estimate and truth
    gain = (people - 2 * n) * spread / np.sqrt(np.pi) * reliability
    return Roll(n, float(gain), float(people * spread / np.sqrt(np.pi)), float(np.arccos(reliability) / np.pi))


def shrink(estimates: Sequence[float], se: Sequence[float], *, method: str = "dl") -> Shrunk:
    """Return effects of past tests drawn towards their common mean: an estimate with a large error far.

    Args:
        estimates: (E,) effects of tests of one kind in one unit, E >= 2.
        se: (E,) their standard errors, > 0.
        method: how tau is estimated: dl (DerSimonian-Laird, moments) or ml (maximum marginal likelihood).

    Raises:
        InputError: fewer than two tests, shapes that differ, or a value out of range.

    Source: DerSimonian & Laird 1986; Efron & Morris 1975.

    >>> found = shrink([0.05, 0.01, -0.02, 0.03], [0.02, 0.01, 0.02, 0.01])
    >>> found.effect.round(4)
    array([0.0322, 0.012 , 0.0013, 0.0272])
    """
    guard = Guard()
    y = guard.numbers("estimates", list(estimates), ndim=(1,))
    error = guard.numbers("se", list(se), above=0.0, ndim=(1,))
    guard.choice("method", method, ESTIMATORS)
    if y.shape != error.shape:
        guard.add("shape", "se", f"shape {error.shape}", expected=f"{y.shape}")
    elif 0 < y.size < 2:
        guard.add("too_few", "estimates", y.size, low=2)
    guard.done()
    v = error**2
    tau2 = _moments(y, v) if method == "dl" else _likeliest(y, v)
    mean = _mean(y, v, tau2)
    weight = tau2 / (tau2 + v)
    return Shrunk(mean, float(np.sqrt(tau2)), weight, mean + weight * (y - mean), np.sqrt(weight) * error, method)


def exaggeration(effect: float, se: float, *, alpha: float = 0.05) -> Exaggeration:
    """Return how much an estimate overstates a true effect when only significant results are told.

    Args:
        effect: true effect, not 0.
        se: standard error of the test, > 0.
        alpha: two-sided level.

    Raises:
        InputError: a value out of range.

    Source: Gelman & Carlin 2014.

    >>> found = exaggeration(0.01, 0.01)
    >>> round(found.exaggeration, 3), round(found.type_m, 3), round(found.type_s, 4)
    (2.493, 2.491, 0.009)
    """
    guard = Guard()
    truth, error = guard.number("effect", effect), guard.number("se", se, above=0.0)
    if truth == 0:
        guard.add("not_zero", "effect", effect)
    guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.done()
    critical, z = -float(scipy.special.ndtri(alpha / 2)), abs(truth) / error
    right, wrong = float(scipy.special.ndtr(z - critical)), float(scipy.special.ndtr(-z - critical))
    # mean of a normal above a limit: its own mean plus density over tail, the tail taken in logs
    above = z + float(np.exp(_log_density(critical - z) - scipy.special.log_ndtr(z - critical)))
    below = -z + float(np.exp(_log_density(critical + z) - scipy.special.log_ndtr(-z - critical)))
    size = (above * right + below * wrong) / (right + wrong)
    return Exaggeration(
        right, float(np.sign(truth)) * above * error, above / z, size / z, wrong / (right + wrong)
    )


def add_up(
    effects: Sequence[float], sds: Sequence[float], exposed_cny: Sequence[float], *, level: float = 0.95
) -> Total:
    """Return what several effects bring together, each on the GMV that it acts upon.

    Args:
        effects: (E,) relative effects, shrunken (`shrink`), of the changes that were made.
        sds: (E,) their standard deviations, >= 0; taken as independent.
        exposed_cny: (E,) GMV that each acts upon, >= 0. Where effects act upon the same GMV one after the other,
            give the later one the GMV that the earlier one has raised.
        level: of the interval.

    Raises:
        InputError: shapes that differ, or a value out of range.

    >>> round(add_up([0.02, 0.01], [0.01, 0.005], [1e6, 2e6]).mean_cny)
    40000
    """
    guard = Guard()
    mean = guard.numbers("effects", list(effects), ndim=(1,))
    sd = guard.numbers("sds", list(sds), low=0.0, ndim=(1,))
    base = guard.numbers("exposed_cny", list(exposed_cny), low=0.0, ndim=(1,))
    guard.number("level", level, above=0.0, below=1.0)
    if not mean.shape == sd.shape == base.shape:
        guard.add("shape", "exposed_cny", f"shape {base.shape}", expected=f"{mean.shape}")
    guard.done()
    total, spread = float(mean @ base), float(np.sqrt(np.sum((sd * base) ** 2)))
    half = float(scipy.special.ndtri(0.5 + level / 2)) * spread
    chance = float(scipy.special.ndtr(total / spread)) if spread > 0 else float(total > 0)
    return Total(total, spread, Interval(total - half, total + half, level), chance)


def _log_density(z: float) -> float:
    return -z * z / 2 - 0.5 * np.log(2 * np.pi)


def _mean(y: np.ndarray, v: np.ndarray, tau2: float) -> float:
    weights = 1 / (v + tau2)
    return float(weights @ y / weights.sum())


def _moments(y: np.ndarray, v: np.ndarray) -> float:
    """DerSimonian and Laird's estimate of the variance between tests."""
    w = 1 / v
    q = float(w @ (y - _mean(y, v, 0.0)) ** 2)
    return max(0.0, (q - (y.size - 1)) / float(w.sum() - (w @ w) / w.sum()))


def _likeliest(y: np.ndarray, v: np.ndarray) -> float:
    """Variance between tests of the greatest marginal likelihood, the mean at its own estimate."""
    from scipy.optimize import minimize_scalar  # slow to import

    def misfit(tau: float) -> float:
        total = v + tau**2
        return float(np.log(total).sum() + ((y - _mean(y, v, tau**2)) ** 2 / total).sum())

    widest = float(np.ptp(y)) + float(np.sqrt(v.max()))  # the likelihood falls beyond
    grid = np.linspace(0.0, widest, 257)  # it may have several summits
    best = int(np.argmin([misfit(tau) for tau in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, 256)]
    found = float(minimize_scalar(misfit, bounds=around, method="bounded", options={"xatol": 1e-9 * widest}).x)
    return 0.0 if misfit(0.0) <= misfit(found) else found**2
