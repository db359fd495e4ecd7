"""Whether a goal is still demanding and reachable: where the metric is heading, and which goal would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.funnel.targets import holds

LEAST_MONTHS = 8
TOO_HARD, TOO_EASY = 0.1, 0.95
BAND = (0.6, 0.75)
_OPS = ("at_least", "above", "at_most", "below", "equals")
_DOWN = ("at_most", "below")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A goal beside the forecast of its metric.

    Attributes:
        probability: share of draws, planned lift included, that hold the goal.
        interval: its Monte Carlo (Wilson) interval.
        flag: too_hard (probability below 10 %), too_easy (above 95 %) or "".
        low, median, high: 80 % range and middle of the forecast with the lift.
        band: suggested goal, the milder end first: 60th to 75th percentile of the forecast plus planned lift; for a
            goal that is better low the 40th to 25th.
        inside: whether the goal lies in that band.
    """

    probability: float
    interval: Interval
    flag: str
    low: float
    median: float
    high: float
    band: tuple[float, float]
    inside: bool


def trend_forecast(
    history: object,
    horizon: int,
    *,
    draws: int,
    rng: np.random.Generator,
    limits: tuple[float | None, float | None] = (None, None),
) -> np.ndarray:
    """Return draws of a metric's coming months from a local linear trend with its own noise.

    The state space model y_t = level_t + e_t, level_t+1 = level_t + slope_t + n_t, slope_t+1 = slope_t + z_t is
    fitted by maximum likelihood; level and slope at the end come from the Kalman filter. The variances are taken as
    fitted. With a lower limit the model holds on the logarithm of the distance to it, with both on the logit, so that
    no draw leaves them.

    Args:
        history: (n,) monthly values, the latest last, n >= 8.
        horizon: months ahead, >= 1.
        draws: D, number of paths.
        rng: generator of all draws.
        limits: lowest and highest value that there can be, e.g. (0, 1) for a share; an upper one needs a lower one.

    Returns:
        (D, horizon) values of the coming months.

    Raises:
        InputError: too few months, a value that is not finite, or one on or beyond a limit.

    Source: Harvey 1989; Durbin & Koopman 2012.
    """
    guard = Guard()
    seen = guard.numbers("history", history, above=limits[0], below=limits[1], ndim=(1,))
    ahead = guard.whole("horizon", horizon)
    count = guard.whole("draws", draws)
    if 0 < seen.size < LEAST_MONTHS:
        guard.add("too_few", "history", int(seen.size), low=LEAST_MONTHS)
    if limits[0] is None and limits[1] is not None:
        guard.add("missing", "limits")
    guard.done()
    state, cov, noise = _fitted(_inward(seen, limits))
    paths = np.empty((count, ahead))
    now = rng.multivariate_normal(state, cov, size=count, method="eigh")
    for month in range(ahead):
        now[:, 0] += now[:, 1] + noise[1] * rng.standard_normal(count)
        now[:, 1] += noise[2] * rng.standard_normal(count)
        paths[:, month] = now[:, 0] + noise[0] * rng.standard_normal(count)
    return _outward(paths, limits)


def calibrate(op: str, goal: float, forecast: object, *, lift: object = 0.0, level: float = 0.95) -> Calibration:
    """Judge a goal by draws of its metric at the month when it is due.

    Args:
        op: at_least, above, at_most, below, or equals (read as at_least).
        goal: in the metric's unit.
        forecast: (D,) draws of the metric at that month, without the measures still planned.
        lift: number or (D,) that planned measures add, in the metric's unit.
        level: of the probability's interval.

    >>> found = calibrate("at_least", 130.0, np.arange(1.0, 101.0), lift=20.0)
    >>> found.probability, found.flag, [round(end, 1) for end in found.band]
    (0.0, 'too_hard', [80.4, 95.2])
    """
    guard = Guard()
    guard.choice("op", op, _OPS)
    wanted = guard.number("goal", goal)
    values = guard.numbers("forecast", forecast, ndim=(1,))
    added = guard.numbers("lift", lift, ndim=(0, 1))
    if added.ndim and added.shape != values.shape:
        guard.add("shape", "lift", f"shape {added.shape}", expected=f"one number or {values.shape}")
    guard.done()
    values = values + added
    hits = int(holds("at_least" if op == "equals" else op, wanted, values).sum())
    probability = hits / len(values)
    down = op in _DOWN
    ends = np.quantile(values, [1 - share for share in BAND] if down else BAND)
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    return Calibration(
        probability=probability,
        interval=wilson(hits, len(values), level=level),
        flag="too_hard" if probability < TOO_HARD else "too_easy" if probability > TOO_EASY else "",
        low=float(low),
        median=float(median),
        high=float(high),
        band=(float(ends[0]), float(ends[1])),
        inside=bool(min(ends) <= wanted <= max(ends)),
    )


def _fitted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the state (level, slope) after the last month, its covariance, and the sd of y, level and slope."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    scale = float(np.std(np.diff(values))) or 1.0
    centre = values[-1]
    model = UnobservedComponents((values - centre) / scale, level="local linear trend")
    fitted = model.fit(disp=False)
    sd = scale * np.sqrt(np.maximum(fitted.params, 0.0))
    state = scale * fitted.filtered_state[:, -1] + np.array([centre, 0.0])
    return state, scale**2 * fitted.filtered_state_cov[:, :, -1], sd


def _inward(values: np.ndarray, limits: tuple[float | None, float | None]) -> np.ndarray:
    """Map values inside their limits to the whole line."""
    low, high = limits
    if low is None:
        return values
    return np.log(values - low) - (np.log(high - values) if high is not None else 0.0)


def _outward(values: np.ndarray, limits: tuple[float | None, float | None]) -> np.ndarray:
    low, high = limits
    if low is None:
        return values
    return low + np.exp(values) if high is None else low + (high - low) / (1.0 + np.exp(-values))
