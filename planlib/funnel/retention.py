"""Retention: curves through a few given points, and who is left of cohorts that were followed for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.survival import Survival, kaplan_meier, month_ends

CURVES = ("power", "weibull", "sbg")


@dataclass(frozen=True, slots=True)
class Curve:
    """A retention curve over days since joining.

    Attributes:
        name: power (a d^-b), weibull (exp(-(d/scale)^shape)) or sbg (alpha, beta, daily periods).
        params: its parameters.
        exact: the curve runs through every given point.
        max_error: largest distance to a given point, as a share.
    """

    name: str
    params: Mapping[str, float]
    exact: bool
    max_error: float

    def at(self, days: object) -> float | np.ndarray:
        """Return the share that is left after some days; at day 0 everybody."""
        guard = Guard()
        day = guard.numbers("days", days, low=0.0)
        guard.done()
        share = np.where(day == 0, 1.0, _SHARE[self.name](np.where(day == 0, 1.0, day), self.params))
        share = np.minimum(share, 1.0)
        return float(share) if share.ndim == 0 else share

    def monthly(self, months: int, *, days_in_month: float = 30.0) -> np.ndarray:
        """Return (months + 1,) shares left at the end of month 0 (joining), 1, 2, ..."""
        return self.at(month_ends(months, days_in_month))


def triangle_survival(
    people: object, *, period_days: float, level: float = 0.95, interval: str = "log_log"
) -> Survival:
    """Estimate who is left from a cohort triangle; young cohorts count as far as they were seen.

    Dividing a column's sum by all that joined would let cohorts that have not lived long
    enough look like people who left.

    Args:
        people: (N, K) people of cohort i left after k periods, k = 0 first; NaN where that
            has not happened yet. They only fall: people who came back are not survivors.
        period_days: length of a period, > 0.
        level, interval: as in `kaplan_meier`.

    Raises:
        InputError: a count is negative or rises, a gap lies inside a row, or nobody left.

    >>> found = triangle_survival([[100, 60, 30], [200, 100, np.nan]], period_days=30)
    >>> found.share.round(4)  # 160 of 300, then 30 of 60
    array([0.5333, 0.2667])
    """
    guard = Guard()
    table = np.asarray(people)
    if table.dtype.kind not in "iuf" or table.ndim != 2 or table.size == 0:
        guard.add("shape", "people", f"{table.dtype} {table.shape}", expected="numbers, (cohorts, periods)")
        guard.done()
    table = table.astype(float)
    seen = ~np.isnan(table)
    guard.numbers("people", np.where(seen, table, 0.0), low=0.0)
    length = guard.number("period_days", period_days, above=0.0)
    for cohort in np.flatnonzero((seen != np.logical_and.accumulate(seen, axis=1)).any(axis=1) | ~seen[:, 0]):
        guard.add("missing", f"people[{cohort}]")
    fall = table[:, :-1] - table[:, 1:]
    for cohort, period in np.argwhere(fall < 0):
        guard.add("not_falling", f"people[{cohort}, {period + 1}]", float(table[cohort, period + 1]))
    guard.done()
    last = seen.sum(axis=1) - 1
    gone = np.nan_to_num(fall)
    still = table[np.arange(len(table)), last]
    days = np.append(np.broadcast_to(np.arange(1, table.shape[1]), gone.shape).ravel(), last) * length
    count = np.append(gone.ravel(), still)
    left = np.append(np.ones(gone.size, dtype=bool), np.zeros(len(table), dtype=bool))
    some = count > 0
    if not some.any():
        guard.add("above", "people", 0.0, low=0)
        guard.done()
    return kaplan_meier(days[some], left[some], count[some], level=level, interval=interval)


def fit_power(points: Mapping[int, float]) -> Curve:
    """Put r(d) = a d^-b through two points; through more by least squares on logarithms.

    Args:
        points: {day: share left}, at least two, days > 0, shares falling, between 0 and 1.

    Raises:
        InputError: fewer than two points, or an impossible day or share.

    >>> curve = fit_power({7: 0.20, 30: 0.12})
    >>> round(curve.at(90), 4)
    0.0816
    """
    days, shares = _points(points)
    slope, level = np.polyfit(np.log(days), np.log(shares), 1)
    return _curve("power", {"a": float(np.exp(level)), "b": float(-slope)}, days, shares)


def fit_weibull(points: Mapping[int, float]) -> Curve:
    """Put exp(-(d / scale)^shape) through two points; through more by least squares on log(-log).

    Args and errors as `fit_power`.

    >>> curve = fit_weibull({7: 0.60, 30: 0.40})
    >>> round(curve.at(30), 6)
    0.4
    """
    days, shares = _points(points)
    shape, level = np.polyfit(np.log(days), np.log(-np.log(shares)), 1)
    return _curve("weibull", {"shape": float(shape), "scale": float(np.exp(-level / shape))}, days, shares)


def fit_sbg(points: Mapping[int, float]) -> Curve:
    """Put a shifted-beta-geometric survival curve through two points; through more by least squares.

    Each person leaves with an own constant daily probability, spread over people as
    Beta(alpha, beta): S(t) = prod over i < t of (beta + i) / (alpha + beta + i). Two points fit
    only when the later share lies between early^(later day / early day), which is one
    probability for all, and the early share itself, which is nobody leaving after it.

    Args and errors as `fit_power`; days are whole.

    Source: Fader & Hardie 2007.

    >>> curve = fit_sbg({7: 0.60, 30: 0.40})
    >>> round(curve.params["alpha"], 4), round(curve.params["beta"], 4), round(curve.at(90), 3)
    (0.3133, 2.0222, 0.287)
    """
    days, shares = _points(points)
    guard = Guard()
    for day in days[days != np.floor(days)]:
        guard.add("not_whole", "points", float(day))
    low, high = float(shares[0] ** (days[-1] / days[0])), float(shares[0])
    if not low < shares[-1] < high:
        last = f"points[{int(days[-1])}]"
        guard.add("curve_points", last, float(shares[-1]), low=round(low, 6), high=round(high, 6))
    guard.done()
    alpha, beta = _solve_two(int(days[0]), float(shares[0]), int(days[-1]), float(shares[-1]))
    if len(days) > 2:
        alpha, beta = _least_squares(days, shares, alpha, beta)
    return _curve("sbg", {"alpha": alpha, "beta": beta}, days, shares)


def fit_curve(points: Mapping[int, float], curve: str = "sbg") -> Curve:
    """Fit the named curve; see `fit_power`, `fit_weibull`, `fit_sbg`.

    >>> fit_curve({7: 0.60, 30: 0.40}, "power").name
    'power'
    """
    guard = Guard()
    guard.choice("curve", curve, CURVES)
    guard.done()
    return {"power": fit_power, "weibull": fit_weibull, "sbg": fit_sbg}[curve](points)


def sbg_retention(alpha: float, beta: float, periods: object) -> np.ndarray:
    """Return the retention rate of period t = 1, 2, ...: (beta + t - 1) / (alpha + beta + t - 1).

    >>> sbg_retention(1.0, 1.0, [1, 2])
    array([0.5       , 0.66666667])
    """
    a, b, t = _sbg_arguments(alpha, beta, periods, low=1.0)
    return (b + t - 1.0) / (a + b + t - 1.0)


def sbg_survival(alpha: float, beta: float, periods: object) -> np.ndarray:
    """Return the share left after t = 0, 1, ... periods: B(alpha, beta + t) / B(alpha, beta).

    >>> sbg_survival(1.0, 1.0, [0, 1, 2])
    array([1.        , 0.5       , 0.33333333])
    """
    a, b, t = _sbg_arguments(alpha, beta, periods, low=0.0)
    return _sbg_share(t, {"alpha": a, "beta": b})


def _sbg_arguments(alpha: float, beta: float, periods: object, *, low: float) -> tuple[float, float, np.ndarray]:
    guard = Guard()
    a = guard.number("alpha", alpha, above=0.0)
    b = guard.number("beta", beta, above=0.0)
    t = guard.numbers("periods", periods, low=low)
    guard.done()
    return a, b, t


def _points(points: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Check {day: share} and return both sorted by day."""
    guard = Guard()
    if len(points) < 2:
        guard.add("too_few", "points", len(points), low=2)
        guard.done()
    days = guard.numbers("points", list(points), above=0.0, ndim=(1,))
    shares = [guard.number(f"points[{day}]", share, above=0.0, below=1.0) for day, share in points.items()]
    guard.done()
    order = np.argsort(days)
    days, left = days[order], np.array(shares)[order]
    for i in np.flatnonzero(np.diff(left) >= 0):
        guard.add("not_falling", f"points[{days[i + 1]:g}]", float(left[i + 1]))
    guard.done()
    return days, left


def _curve(name: str, params: dict[str, float], days: np.ndarray, shares: np.ndarray) -> Curve:
    error = float(np.abs(np.minimum(_SHARE[name](days, params), 1.0) - shares).max())
    return Curve(name, params, error <= 1e-9, error)


def _solve_two(day1: int, share1: float, day2: int, share2: float) -> tuple[float, float]:
    """Solve S(day1) = share1, S(day2) = share2: alpha for each beta inside, beta outside."""
    from scipy.optimize import brentq

    def alpha_for(log_beta: float) -> float:
        beta = np.exp(log_beta)

        def gap(log_alpha: float) -> float:
            return _log_survival(day1, np.exp(log_alpha), beta) - np.log(share1)

        return float(np.exp(brentq(gap, log_beta - 60.0, log_beta + 60.0, xtol=1e-15, rtol=1e-15)))

    def outer(log_beta: float) -> float:
        return _log_survival(day2, alpha_for(log_beta), np.exp(log_beta)) - np.log(share2)

    low, high = -40.0, 30.0
    if outer(high) >= 0:
        log_beta = high
    elif outer(low) <= 0:
        log_beta = low
    else:
        log_beta = brentq(outer, low, high, xtol=1e-14, rtol=1e-14)
    return alpha_for(log_beta), float(np.exp(log_beta))


def _log_survival(day: int, alpha: float, beta: float) -> float:
    """ln S(day) as a sum, exact also for large parameters."""
    return float(-np.log1p(alpha / (beta + np.arange(day))).sum())


def _least_squares(days: np.ndarray, shares: np.ndarray, alpha: float, beta: float) -> tuple[float, float]:
    from scipy.optimize import least_squares

    def errors(logs: np.ndarray) -> np.ndarray:
        alpha, beta = np.exp(logs)
        return [np.exp(_log_survival(int(day), alpha, beta)) - share for day, share in zip(days, shares, strict=True)]

    found = least_squares(errors, np.log([alpha, beta]), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    return float(np.exp(found.x[0])), float(np.exp(found.x[1]))


def _power_share(days: np.ndarray, params: Mapping[str, float]) -> np.ndarray:
    return params["a"] * days ** -params["b"]


def _weibull_share(days: np.ndarray, params: Mapping[str, float]) -> np.ndarray:
    return np.exp(-((days / params["scale"]) ** params["shape"]))


def _sbg_share(days: np.ndarray, params: Mapping[str, float]) -> np.ndarray:
    from scipy.special import betaln

    alpha, beta = params["alpha"], params["beta"]
    return np.exp(betaln(alpha, beta + days) - betaln(alpha, beta))


_SHARE = {"power": _power_share, "weibull": _weibull_share, "sbg": _sbg_share}
