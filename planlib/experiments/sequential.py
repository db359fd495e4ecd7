"""Looking before the end: group-sequential boundaries for planned looks, confidence sequences for any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.core.intervals import Interval

SPENDING = ("obrien_fleming", "pocock", "power")
CLASSICAL = {"obrien_fleming": -0.5, "pocock": 0.0}  # z_k falls as information to this power (Wang & Tsiatis 1987)
SMALLEST_STEP = 1e-4  # of the planned information, before the first look and between two
_REACH = 9.0  # standard deviations kept of a side without boundary
_HIGHEST_Z = 38.0  # the normal tail beyond is no float


@dataclass(frozen=True, slots=True)
class Boundaries:
    """When a test may stop for an effect.

    Attributes:
        design: obrien_fleming, pocock (classical), or spending_<function>.
        information: (K,) share of the planned information at each look.
        z: (K,) reject when the statistic is at least this (two-sided: its absolute value); inf = not at this look.
        nominal_p: (K,) the same as a p-value of the look alone, of as many sides.
        alpha_spent: (K,) chance under no effect to have stopped by each look.
        alpha, sides: of the whole test.
    """

    design: str
    information: np.ndarray
    z: np.ndarray
    nominal_p: np.ndarray
    alpha_spent: np.ndarray
    alpha: float
    sides: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """Chances to stop first at each look: upper (K,) and lower (K,) boundary, and the information used on average."""

    upper: np.ndarray
    lower: np.ndarray
    expected_information: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a group-sequential test says where it stopped, by stage-wise ordering.

    Attributes:
        estimate: median-unbiased effect.
        interval: of the effect; a one-sided test has one without upper limit.
        p_value: of as many sides as the test.
    """

    estimate: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class AlwaysValid:
    """What may be said at every look, however often one looks.

    Attributes:
        estimate: as given, as all others a number or (..., K) with the looks last.
        low, high: confidence sequence; it covers the effect at all looks at once with the level 1 - alpha.
        e_value: evidence against no effect; mSPRT calls it likelihood ratio.
        p_value: min(1, 1 / e_value) of each look.
        p_so_far: the smallest p-value up to each look: the always-valid p-value.
        level: 1 - alpha.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    e_value: np.ndarray
    p_value: np.ndarray
    p_so_far: np.ndarray
    level: float


def classical_boundaries(
    information: Sequence[float] | int, design: str = "obrien_fleming", *, alpha: float = 0.05, sides: int = 2
) -> Boundaries:
    """Return O'Brien-Fleming or Pocock boundaries; their constant is `z[-1]`.

    Args:
        information: (K,) rising shares of the planned information, or the number of equal looks.
        design: obrien_fleming (z falls with the square root of information) or pocock (constant z).
        alpha: chance of a false alarm over all looks.
        sides: 2, or 1 for a rise only.

    Raises:
        InputError: looks that do not rise, or a value out of range.

    Source: O'Brien & Fleming 1979; Pocock 1977; Jennison & Turnbull 2000, ch. 2.

    >>> classical_boundaries(2).z.round(3), classical_boundaries(5, "pocock").z[-1].round(3)
    (array([2.797, 1.977]), np.float64(2.413))
    """
    guard = Guard()
    times = _times(guard, information)
    _check(guard, alpha, sides)
    guard.choice("design", design, CLASSICAL)
    guard.done()
    shape = (times / times[-1]) ** CLASSICAL[design]

    def excess(constant: float) -> float:
        return np.sum(_crossing(constant * shape, times, 0.0, sides)) - alpha

    constant = _root(excess, -_REACH if sides == 1 else 0.0, _HIGHEST_Z)
    z = constant * shape
    spent = np.sum(_crossing(z, times, 0.0, sides), axis=0).cumsum()
    return Boundaries(design, times, z, sides * scipy.special.ndtr(-z), spent, alpha, sides)


def spending_boundaries(
    information: Sequence[float] | int,
    spending: str = "obrien_fleming",
    *,
    alpha: float = 0.05,
    sides: int = 2,
    exponent: float = 3.0,
) -> Boundaries:
    """Return the boundaries of an alpha-spending function; they hold at whatever looks are taken.

    Args:
        information: (K,) rising shares of the planned information, at most 1, or the number of equal looks.
            Looks to come need not be known: those up to now suffice.
        spending: obrien_fleming (Lan-DeMets: sides (2 - 2 Phi(z_{1 - alpha / (2 sides)} / sqrt t))), pocock
            (Lan-DeMets: alpha ln(1 + (e - 1) t)) or power (Kim-DeMets: alpha t^exponent).
        alpha, sides: as `classical_boundaries`.
        exponent: of power, > 0.

    Raises:
        InputError: looks that do not rise, or a value out of range.

    Source: Lan & DeMets 1983; Kim & DeMets 1987; Armitage, McPherson & Rowe 1969.

    >>> spending_boundaries([0.25, 0.5, 0.75, 1.0], "power", exponent=2).z.round(3)
    array([2.955, 2.559, 2.301, 2.092])
    """
    guard = Guard()
    times = _times(guard, information)
    if not guard.problems and times[-1] > 1.0:
        guard.add("information", "information", float(times[-1]), step=SMALLEST_STEP)
    _check(guard, alpha, sides)
    guard.choice("spending", spending, SPENDING)
    guard.number("exponent", exponent, above=0.0)
    guard.done()
    spent = alpha_spent(times, spending, alpha=alpha, sides=sides, exponent=exponent)
    z, state = np.empty(times.size), _START
    for k, step in enumerate(np.diff(spent, prepend=0.0)):
        sd = np.sqrt(times[k] - (times[k - 1] if k else 0.0))
        z[k] = _boundary(state, float(np.sqrt(times[k])), float(sd), float(step), sides)
        state = _next(state, z[k], times[k], float(sd), 0.0, sides)
    return Boundaries(f"spending_{spending}", times, z, sides * scipy.special.ndtr(-z), spent, alpha, sides)


def alpha_spent(
    information: object, spending: str = "obrien_fleming", *, alpha: float = 0.05, sides: int = 2, exponent: float = 3.0
) -> np.ndarray:
    """Return the level that a spending function has spent at each share of information; args as `spending_boundaries`.

    >>> alpha_spent([0.5, 1.0], "power", exponent=2)
    array([0.0125, 0.05  ])
    """
    guard = Guard()
    t = guard.numbers("information", information, above=0.0, high=1.0)
    _check(guard, alpha, sides)
    guard.choice("spending", spending, SPENDING)
    guard.number("exponent", exponent, above=0.0)
    guard.done()
    if spending == "power":
        return alpha * t**exponent
    if spending == "pocock":
        return alpha * np.log1p((np.e - 1) * t)
    return 2 * sides * scipy.special.ndtr(scipy.special.ndtri(alpha / (2 * sides)) / np.sqrt(t))


def crossing(
    z: Sequence[float], information: Sequence[float], *, drift: float = 0.0, sides: int = 2
) -> Crossing:
    """Return the chances to stop at each look.

    Args:
        z: (K,) boundary of the statistic; inf = no stop at this look.
        information: (K,) rising shares of the planned information.
        drift: mean of the statistic at full information: effect / its standard error there.
        sides: 2 (stop at -z too) or 1.

    >>> crossing([1.959964] * 2, [0.5, 1.0]).upper.round(4)
    array([0.025 , 0.0166])
    """
    guard = Guard()
    times = _times(guard, information)
    bounds = guard.numbers("z", [_HIGHEST_Z if bound == np.inf else bound for bound in z], ndim=(1,))
    if bounds.shape != times.shape:
        guard.add("shape", "z", f"shape {bounds.shape}", expected=f"{times.shape}")
    theta = guard.number("drift", drift)
    guard.choice("sides", sides, (1, 2))
    guard.done()
    upper, lower = _crossing(bounds, times, theta, sides)
    stops = upper + lower
    return Crossing(upper, lower, float(times @ stops + times[-1] * (1.0 - stops.sum())))


def peeking_error(looks: Sequence[float] | int, *, alpha: float = 0.05, sides: int = 2) -> float:
    """Return the real chance of a false alarm when every look is tested at the full level.

    Args:
        looks: number of equal looks, or their shares of the information.

    Source: Armitage, McPherson & Rowe 1969.

    >>> round(peeking_error(5), 3)
    0.142
    """
    guard = Guard()
    times = _times(guard, looks)
    _check(guard, alpha, sides)
    guard.done()
    return float(np.sum(_crossing(np.full(times.size, -scipy.special.ndtri(alpha / sides)), times, 0.0, sides)))


def inflation(bounds: Boundaries, *, power: float = 0.8) -> float:
    """Return the factor by which looks enlarge a test, against one look of the same level and power.

    Args:
        bounds: of a whole test, the last look at full information.
        power: above alpha and below 1.

    Source: Jennison & Turnbull 2000, tables 2.2 and 2.4.

    >>> round(inflation(classical_boundaries(5)), 3), round(inflation(classical_boundaries(5, "pocock")), 3)
    (1.028, 1.229)
    """
    guard = Guard()
    guard.number("power", power, above=bounds.alpha, below=1.0)
    guard.done()
    fixed = float(scipy.special.ndtri(power) - scipy.special.ndtri(bounds.alpha / bounds.sides))
    z, times = np.minimum(bounds.z, _HIGHEST_Z), bounds.information / bounds.information[-1]

    def missing(drift: float) -> float:
        return _crossing(z, times, drift, bounds.sides)[0].sum() - power

    return (_root(missing, 0.0, 4.0 * fixed + 10.0) / fixed) ** 2


def repeated_interval(bounds: Boundaries, look: int, estimate: float, se: float) -> Interval | None:
    """Return the interval that holds at every look, stopped or not: estimate -+ boundary times standard error.

    Args:
        bounds: of the test; a one-sided one gives an interval without upper limit.
        look: 1 .. K.
        estimate, se: of the effect at this look, se > 0.

    Returns:
        Interval of level 1 - alpha, or None at a look without boundary.

    Source: Jennison & Turnbull 1989.

    >>> band = repeated_interval(classical_boundaries(2), 1, 0.02, 0.01)
    >>> round(band.low, 4), round(band.high, 4)
    (-0.008, 0.048)
    """
    guard = Guard()
    k = guard.whole("look", look, high=bounds.z.size) - 1
    middle, error = guard.number("estimate", estimate), guard.number("se", se, above=0.0)
    guard.done()
    if bounds.z[k] >= _HIGHEST_Z:
        return None
    half = float(bounds.z[k]) * error
    return Interval(middle - half, middle + half if bounds.sides == 2 else np.inf, 1.0 - bounds.alpha)


def stopped(bounds: Boundaries, look: int, estimate: float, se: float, *, level: float | None = None) -> Stopped:
    """Return estimate, interval and p-value that take the looks before into account.

    Results are ordered by the look at which they stopped (stage-wise): earlier is more extreme. The naive
    estimate of a test that stopped early is too large on average, and its interval too short.

    Args:
        bounds: of the test.
        look: where it stopped, 1 .. K.
        estimate, se: of the effect at this look, se > 0; beyond the boundary, unless it is the last look.
        level: of the interval; None = 1 - alpha.

    Raises:
        InputError: the test had no reason to stop here (use `repeated_interval`), or a value out of range.

    Source: Tsiatis, Rosner & Mehta 1984.

    >>> found = stopped(spending_boundaries([0.5, 1.0]), 1, 0.032, 0.01)
    >>> round(found.estimate, 4), round(found.interval.low, 4), round(found.interval.high, 4)
    (0.032, 0.0124, 0.0516)
    """
    guard = Guard()
    k = guard.whole("look", look, high=bounds.z.size)
    middle, error = guard.number("estimate", estimate), guard.number("se", se, above=0.0)
    covered = guard.number("level", 1.0 - bounds.alpha if level is None else level, above=0.0, below=1.0)
    guard.done()
    observed, bound = middle / error, float(bounds.z[k - 1])
    if k < bounds.z.size and (observed if bounds.sides == 1 else abs(observed)) < bound:
        guard.add("not_stopped", "estimate", estimate, bound=round(bound * error, 12))
    guard.done()
    times, z = bounds.information[:k], np.append(np.minimum(bounds.z[: k - 1], _HIGHEST_Z), observed)

    def more_extreme(drift: float) -> float:
        """Chance to cross the upper boundary earlier, or to be at least as high at this look."""
        return float(_crossing(z, times, drift, bounds.sides)[0].sum())

    root = float(np.sqrt(times[-1]))
    tail = (1.0 - covered) / bounds.sides
    find = _solver(more_extreme, observed / root, 1.0 / root)
    scale = root * error
    high = find(1.0 - tail) * scale if bounds.sides == 2 else np.inf
    chance = more_extreme(0.0)
    p = min(1.0, 2.0 * min(chance, 1.0 - chance)) if bounds.sides == 2 else chance
    return Stopped(find(0.5) * scale, Interval(find(tail) * scale, high, covered), p)


def confidence_sequence(
    estimate: object, se: object, n: object, *, tuning_n: float, alpha: float = 0.05
) -> AlwaysValid:
    """Return the asymptotic confidence sequence of an effect: an interval that may be looked at whenever.

    With sigma^2 = n se^2, rho^2 = (-2 ln alpha + ln(1 - 2 ln alpha)) / tuning_n, the half-width is
    sigma sqrt(2 (n rho^2 + 1) / (n rho)^2 ln(sqrt(n rho^2 + 1) / alpha)).

    Args:
        estimate: effect, absolute or relative; a number, or (..., K) with the looks last.
        se: its standard error at each look, > 0; for a lift that of the linear delta method.
        n: people in both arms together at each look, > 0.
        tuning_n: people at which the interval shall be shortest, > 0; set before the first look.
        alpha: chance that the interval ever leaves out the effect.

    Raises:
        InputError: shapes differ, or a value is out of range.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024 (arXiv:2103.06476), two-sided Gaussian mixture.

    >>> se = (3.1**2 / 500 + 3.4**2 / 520) ** 0.5
    >>> found = confidence_sequence(0.7, se, 1020, tuning_n=5000)
    >>> round(float(found.low), 6), round(float(found.p_value), 6)
    (0.017132, 0.041903)
    """
    guard = Guard()
    effect, error, people = _looks(guard, estimate=(estimate, None), se=(se, 0.0), n=(n, 0.0))
    tuning = guard.number("tuning_n", tuning_n, above=0.0)
    guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.done()
    rho2 = (-2 * np.log(alpha) + np.log1p(-2 * np.log(alpha))) / tuning
    grown = people * rho2 + 1.0
    half = error * np.sqrt(2 * grown / (people * rho2) * (0.5 * np.log(grown) - np.log(alpha)))
    log_e = people * rho2 * (effect / error) ** 2 / (2 * grown) - 0.5 * np.log(grown)
    return _always_valid(effect, half, log_e, alpha)


def msprt(estimate: object, variance: object, *, tau: float, alpha: float = 0.05) -> AlwaysValid:
    """Return the mixture sequential probability ratio test of no effect, with a N(0, tau^2) mixture.

    Args:
        estimate: difference; a number, or (..., K) with the looks last.
        variance: of the estimate at each look, > 0.
        tau: how large effects are expected to be, in the unit of the estimate, > 0.
        alpha: chance of a false alarm over all looks.

    Raises:
        InputError: shapes differ, or a value is out of range.

    Source: Johari, Koomen, Pekelis & Walsh 2022.

    >>> round(float(msprt(0.02, 1e-4, tau=0.02).e_value), 6)
    2.215063
    """
    guard = Guard()
    effect, v = _looks(guard, estimate=(estimate, None), variance=(variance, 0.0))
    spread = guard.number("tau", tau, above=0.0) ** 2
    guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.done()
    shrink = spread / (2 * v * (v + spread))
    log_width = 0.5 * np.log1p(spread / v)
    half = np.sqrt((log_width - np.log(alpha)) / shrink)
    return _always_valid(effect, half, shrink * effect**2 - log_width, alpha)


def _always_valid(effect: np.ndarray, half: np.ndarray, log_e: np.ndarray, alpha: float) -> AlwaysValid:
    with np.errstate(over="ignore"):
        e_value = np.exp(log_e)
    p = np.exp(-np.maximum(log_e, 0.0))
    so_far = np.minimum.accumulate(p, axis=-1) if p.ndim else p
    return AlwaysValid(effect, effect - half, effect + half, e_value, p, so_far, 1.0 - alpha)


def _looks(guard: Guard, **arguments: tuple[object, float | None]) -> list[np.ndarray]:
    """Arrays of one shape."""
    found = [guard.numbers(name, value, above=above) for name, (value, above) in arguments.items()]
    if len({array.shape for array in found}) > 1:
        name = list(arguments)[-1]
        guard.add("shape", name, f"shape {found[-1].shape}", expected=f"{found[0].shape}")
        return [np.ones(())] * len(found)
    return found


def _check(guard: Guard, alpha: float, sides: int) -> None:
    guard.number("alpha", alpha, above=0.0, below=1.0)
    guard.choice("sides", sides, (1, 2))


def _times(guard: Guard, information: Sequence[float] | int) -> np.ndarray:
    """Shares of the information at each look."""
    if isinstance(information, int | np.integer) and not isinstance(information, bool):
        looks = guard.whole("information", information, high=1000)
        return np.arange(1, looks + 1) / max(looks, 1)
    times = guard.numbers("information", information, above=0.0, ndim=(1,))
    if not guard.problems and np.diff(times, prepend=0.0).min() < SMALLEST_STEP * (1 - 1e-9):
        guard.add("information", "information", times.tolist(), step=SMALLEST_STEP)
    return times


# The recursion follows the score S_k = z_k sqrt(t_k), whose increments are independent N(drift dt, dt). A state is
# (points, masses): the part of the distribution that has not stopped, as a quadrature.
State = tuple[np.ndarray, np.ndarray]
_START: State = (np.zeros(1), np.ones(1))


def _crossing(z: np.ndarray, times: np.ndarray, drift: float, sides: int) -> tuple[np.ndarray, np.ndarray]:
    """Chances to stop first at each look: (K,) at the upper boundary, (K,) at the lower."""
    upper, lower, state, before = np.zeros(times.size), np.zeros(times.size), _START, 0.0
    for k, (bound, time) in enumerate(zip(z, times, strict=True)):
        sd, edge = float(np.sqrt(time - before)), bound * np.sqrt(time)
        centre = state[0] + drift * (time - before)
        upper[k] = scipy.special.ndtr((centre - edge) / sd) @ state[1]
        if sides == 2:
            lower[k] = scipy.special.ndtr((-edge - centre) / sd) @ state[1]
        if k + 1 < times.size:
            state = _next(state, bound, time, sd, drift, sides)
        before = time
    return upper, lower


def _next(state: State, bound: float, time: float, sd: float, drift: float, sides: int) -> State:
    """Let the distribution go on by one look, without what stops at it."""
    root = np.sqrt(time)
    moved = state[0] + drift * sd**2
    low = max(-bound * root if sides == 2 else -np.inf, drift * time - _REACH * root)
    high = min(bound * root, drift * time + _REACH * root)
    if high <= low:
        return moved[:1], np.zeros(1)
    count = int(24 + 4 * (high - low) / sd)
    nodes, weights = _quadrature(count)
    points = (low + high) / 2 + (high - low) / 2 * nodes
    density = np.exp(-(((points[:, None] - moved) / sd) ** 2) / 2) @ state[1] / (sd * np.sqrt(2 * np.pi))
    return points, weights * (high - low) / 2 * density


@cache
def _gauss() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(20)


def _quadrature(count: int) -> State:
    """Gauss-Legendre points and weights of -1 .. 1, in panels of 20."""
    nodes, weights = _gauss()
    panels = -(-count // 20)
    middles = (2 * np.arange(panels) + 1) / panels - 1
    return (middles[:, None] + nodes / panels).ravel(), np.tile(weights / panels, panels)


def _boundary(state: State, root: float, sd: float, step: float, sides: int) -> float:
    """Boundary at which `step` of the whole stops; inf when no boundary that far out exists."""

    def log_stops(z: float) -> float:
        parts = [scipy.special.log_ndtr((state[0] - z * root) / sd)]
        if sides == 2:
            parts.append(scipy.special.log_ndtr((-z * root - state[0]) / sd))
        with np.errstate(divide="ignore"):
            return float(np.logaddexp.reduce(np.concatenate([part + np.log(state[1]) for part in parts])))

    if step <= 0 or log_stops(_HIGHEST_Z) >= np.log(step):
        return np.inf
    low = 0.0 if sides == 2 else -_REACH
    return _root(lambda z: log_stops(z) - np.log(step), low, _HIGHEST_Z)


def _solver(rising: Callable[[float], float], centre: float, scale: float) -> Callable[[float], float]:
    """Return the inverse of a rising function, looked for around a centre."""

    def find(level: float) -> float:
        reach = 4.0 * scale
        while rising(centre - reach) > level or rising(centre + reach) < level:
            reach *= 2.0
        return _root(lambda x: rising(x) - level, centre - reach, centre + reach)

    return find


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that changes its sign between two numbers is zero."""
    from scipy.optimize import brentq  # slow to import, and read-outs without looks never need it

    return float(brentq(function, low, high, xtol=1e-11))
