"""What the forecast hangs on: one driver at a time, over its range or by one per cent.

A forecast is a function of inputs: {input: number or (D,)} -> {metric: (D, T)}. A driver is one input or several
that move together, e.g. the intake of all channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

Inputs = Mapping[str, object]
Forecast = Callable[[Inputs], Mapping[str, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Swing:
    """A metric at one month with one input at its low and its high value, all else at the centre."""

    name: str
    low_input: float
    high_input: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the metric moves, without sign."""
        return abs(self.at_high - self.at_low)


def tornado(
    forecast: Forecast, centre: Mapping[str, float], ends: Mapping[str, tuple[float, float]], *, metric: str, month: int
) -> tuple[Swing, ...]:
    """Return the swing of a metric under each input, the widest first; ties keep the order of `ends`.

    Args:
        forecast: see above; called once, with one path for each end.
        centre: {input: central value} of all inputs.
        ends: {input: (low, high)}, e.g. the 10 % and 90 % quantiles; low <= high.
        metric, month: what is measured, 1..T.

    Raises:
        InputError: an input of `ends` has no centre, or low > high.

    >>> def area(x):
    ...     return {"area": np.asarray(x["a"] * x["b"])[:, None]}
    >>> swings = tornado(area, {"a": 2.0, "b": 5.0}, {"b": (4.0, 6.0), "a": (1.0, 3.0)}, metric="area", month=1)
    >>> [(s.name, s.at_low, s.at_high) for s in swings]
    [('a', 5.0, 15.0), ('b', 8.0, 12.0)]
    """
    guard = Guard()
    for name, (low, high) in ends.items():
        if name not in centre:
            guard.add("missing", name)
        if low > high:
            guard.add("low_above_high", name, [low, high])
    guard.done()
    if not ends:
        return ()
    changes = [{name: value} for name, pair in ends.items() for value in pair]
    found = _one_each(forecast, centre, changes, metric, month)
    swings = [
        Swing(name, *map(float, pair), float(found[2 * i]), float(found[2 * i + 1]))
        for i, (name, pair) in enumerate(ends.items())
    ]
    return tuple(sorted(swings, key=lambda swing: -swing.width))


def elasticities(
    forecast: Forecast,
    centre: Mapping[str, float],
    drivers: Mapping[str, Sequence[str]],
    *,
    metrics: Mapping[str, int],
    limits: Mapping[str, tuple[float, float]] | None = None,
    step: float = 0.01,
) -> dict[str, dict[str, float | None]]:
    """Return by how many per cent each metric moves when a driver moves by one, at the plan.

    Central difference (f(1 + h) - f(1 - h)) / (2 h f(1)); where a limit leaves no room on one side, the
    difference to the other side.

    Args:
        forecast: see above; called once.
        centre: {input: central value}.
        drivers: {driver: its inputs}, moved by the same factor.
        metrics: {metric: month 1..T}.
        limits: {input: (lowest, highest)} allowed.
        step: h, above 0.

    Returns:
        {driver: {metric: elasticity}}; None where the driver or the metric is zero, or has no value.

    >>> def area(x):
    ...     return {"area": np.asarray(x["a"] * x["b"] ** 2)[:, None]}
    >>> found = elasticities(area, {"a": 2.0, "b": 5.0}, {"a": ["a"], "b": ["b"]}, metrics={"area": 1})
    >>> round(found["b"]["area"], 9)
    2.0
    """
    guard = Guard()
    width = guard.number("step", step, above=0.0, below=1.0)
    guard.done()
    factors: dict[str, tuple[float, float]] = {}
    for name, inputs in drivers.items():
        if not any(centre[i] for i in inputs):
            continue
        room = [(limits or {}).get(i, (0.0, np.inf)) for i in inputs]
        up = all(centre[i] * (1 + width) <= high for i, (_, high) in zip(inputs, room, strict=True))
        down = all(centre[i] * (1 - width) >= low for i, (low, _) in zip(inputs, room, strict=True))
        if up or down:
            factors[name] = (1 - width if down else 1.0, 1 + width if up else 1.0)
    changes = [{i: centre[i] * factor for i in drivers[name]} for name, pair in factors.items() for factor in pair]
    found: dict[str, dict[str, float | None]] = {name: dict.fromkeys(metrics) for name in drivers}
    rows = _run_each(forecast, centre, [{}, *changes])
    for metric, month in metrics.items():
        values = _column(rows[metric], month, len(changes) + 1)
        for index, (name, (low, high)) in enumerate(factors.items()):
            before, after = values[1 + 2 * index], values[2 + 2 * index]
            change = (after - before) / (high - low) / values[0] if values[0] else np.nan
            found[name][metric] = float(change) if np.isfinite(change) else None
    return found


def _one_each(
    forecast: Forecast, centre: Mapping[str, float], changes: Sequence[Mapping[str, float]], metric: str, month: int
) -> np.ndarray:
    """Return (len(changes),) values of a metric, one path a change."""
    return _column(_run_each(forecast, centre, changes)[metric], month, len(changes))


def _run_each(
    forecast: Forecast, centre: Mapping[str, float], changes: Sequence[Mapping[str, float]]
) -> Mapping[str, np.ndarray]:
    moved = {name for change in changes for name in change}
    inputs = {
        name: np.array([change.get(name, value) for change in changes]) if name in moved else value
        for name, value in centre.items()
    }
    return forecast(inputs)


def _column(path: np.ndarray, month: int, rows: int) -> np.ndarray:
    """(D, T) at a month; a metric that no change moves has one row."""
    return np.broadcast_to(path[:, month - 1], (rows,))
