"""Which driver binds a target: what would be gained if that driver were at the level that the plan wants for it.

The gain is P(hit | driver at plan) - P(hit) on the same random paths. Drivers interact, so what all of them gain
together is split by Shapley values, which sum to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.decompose import shapley
from planlib.funnel.sensitivity import Forecast
from planlib.funnel.targets import holds

STEP = 0.1


@dataclass(frozen=True, slots=True)
class Driver:
    """What can move: inputs that rise and fall together.

    Attributes:
        inputs: their names.
        low, high: {input: value} where the driver is lowest and highest; {} when nothing is known but the centre.
        wanted: {input: value} that the plan itself asks for; {} when it asks for none.
        wanted_up: the plan wants at least (True) or at most (False) that.
        better: 1 when only more of it is an improvement, -1 when only less is (churn), 0 when either may be. A
            driver that would have to get worse to help a target does not bind it.
    """

    inputs: tuple[str, ...]
    low: Mapping[str, float]
    high: Mapping[str, float]
    wanted: Mapping[str, float]
    wanted_up: bool = True
    better: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """What binds one target.

    Attributes:
        driver: the one with the largest part; None when nothing moves the target.
        basis: `probability`: by the chance gained; `median`: no chance can be gained, so by how much of the
            median's gap a driver better by a tenth closes; `met`: the chance is 1; `none`: nothing moves it.
        gained: chance gained with all drivers at plan.
        parts: {driver: its part of `gained`}, their sum is `gained`; {} unless the basis is probability.
        alone: {driver: chance gained by it alone}.
        closes: {driver: share of the median's gap that it closes when better by a tenth}; {} unless needed.
        at_plan: {driver: "wanted" (the plan's own level) or "end" (the favourable end of its range)}.
    """

    driver: str | None
    basis: str
    gained: float
    parts: Mapping[str, float]
    alone: Mapping[str, float]
    closes: Mapping[str, float]
    at_plan: Mapping[str, str]


def bindings(
    forecast: Forecast,
    goals: Mapping[str, Mapping[str, Any]],
    *,
    inputs: Mapping[str, object],
    centre: Mapping[str, float],
    drivers: Mapping[str, Driver],
    limits: Mapping[str, tuple[float, float]],
    rng: np.random.Generator,
) -> dict[str, Binding]:
    """Return what binds each target.

    At plan a driver stands, on every path, at its wanted level or better when the plan wants a level on the side
    that helps this target and at least as good as the centre; else at the favourable end of its range. Which side
    helps follows from the forecast itself.

    Args:
        forecast: see `planlib.funnel.sensitivity`.
        goals: {target: metric, op, goal, goal_high, judged_month}.
        inputs: {input: number or (D,) draws}, the random paths.
        centre: {input: central value}.
        drivers: by name.
        limits: {input: (lowest, highest)} allowed.
        rng: stream of the orders when more than eight drivers play.
    """
    base = forecast(inputs)
    games: dict[tuple[tuple[str, str], ...], list[str]] = {}
    levels: dict[str, dict[str, Mapping[str, object]]] = {}
    kinds: dict[str, dict[str, str]] = {}
    helps = _helping_side(forecast, centre, drivers, limits, goals)
    for target, side in helps.items():
        at = {name: _at_plan(driver, side[name], inputs, centre) for name, driver in drivers.items()}
        levels[target] = {name: found[0] for name, found in at.items() if found}
        kinds[target] = {name: found[1] for name, found in at.items() if found}
        key = tuple(sorted((name, f"{kinds[target][name]}{side[name]}") for name in levels[target]))
        games.setdefault(key, []).append(target)
    found: dict[str, Binding] = {}
    for targets in games.values():
        alike = {target: goals[target] for target in targets}
        found |= _game(forecast, alike, inputs, levels[targets[0]], kinds[targets[0]], base, rng)
    stuck = [t for t in goals if found[t].basis == "none"]
    for target in stuck:
        found[target] = _by_median(forecast, goals[target], centre, drivers, limits, helps[target], found[target])
    return {target: found[target] for target in goals}


def _game(
    forecast: Forecast,
    goals: Mapping[str, Mapping[str, Any]],
    inputs: Mapping[str, object],
    levels: Mapping[str, Mapping[str, object]],
    kinds: Mapping[str, str],
    base: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, Binding]:
    """Play one game for all targets that are helped by the same levels."""
    names = list(levels)

    def chances(who: Sequence[str] | frozenset[str]) -> np.ndarray:
        changed = {name: value for driver in names if driver in who for name, value in levels[driver].items()}
        paths = forecast({**inputs, **changed}) if changed else base
        return np.array([_hit_rate(goal, paths[goal["metric"]]) for goal in goals.values()])

    start = chances(())
    gain = chances(names) - start if names else np.zeros(len(goals))
    alone = {name: chances((name,)) - start for name in names} if gain.any() else {}
    parts = shapley(chances, names, rng=rng) if gain.any() else np.zeros((len(names), len(goals)))
    found = {}
    for index, target in enumerate(goals):
        part = dict(zip(names, parts[:, index].tolist(), strict=True))
        best = _largest(part)
        won = best is not None and part[best] > 0
        basis = "met" if start[index] >= 1 else "probability" if won else "none"
        found[target] = Binding(
            driver=best if basis == "probability" else None,
            basis=basis,
            gained=float(gain[index]),
            parts=part if basis == "probability" else {},
            alone={name: float(value[index]) for name, value in alone.items()} if basis == "probability" else {},
            closes={},
            at_plan=kinds,
        )
    return found


def _largest(parts: Mapping[str, float]) -> str | None:
    """Name of the largest part; of equal ones the first, rounding apart."""
    return max(parts, key=lambda name: round(parts[name], 9), default=None)


def _by_median(
    forecast: Forecast,
    goal: Mapping[str, Any],
    centre: Mapping[str, float],
    drivers: Mapping[str, Driver],
    limits: Mapping[str, tuple[float, float]],
    side: Mapping[str, int],
    binding: Binding,
) -> Binding:
    """Name the driver that closes most of the gap at the centre when it is better by a tenth."""
    middle = _at(forecast(centre), goal)
    gap = abs(_wanted_level(goal, middle) - middle)
    closes: dict[str, float] = {}
    for name, driver in drivers.items():
        if not side[name] or not gap:
            continue
        factor = 1 + STEP * side[name]
        moved = {i: float(np.clip(centre[i] * factor, *limits[i])) for i in driver.inputs}
        closes[name] = abs(_at(forecast({**centre, **moved}), goal) - middle) / gap
    closes = {name: share for name, share in closes.items() if share > 1e-9}
    best = _largest(closes)
    return Binding(best, "median" if best else "none", binding.gained, {}, {}, closes, binding.at_plan)


def _helping_side(
    forecast: Forecast,
    centre: Mapping[str, float],
    drivers: Mapping[str, Driver],
    limits: Mapping[str, tuple[float, float]],
    goals: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, int]]:
    """Return for each target and driver 1 (more helps), -1 (less helps) or 0 (no effect)."""
    middle = forecast(centre)
    moved: dict[str, tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]] = {}
    for name, driver in drivers.items():
        low = driver.low or {i: centre[i] * (1 - STEP) for i in driver.inputs}
        high = driver.high or {i: min(centre[i] * (1 + STEP), limits[i][1]) for i in driver.inputs}
        moved[name] = (forecast({**centre, **low}), forecast({**centre, **high}))
    helps: dict[str, dict[str, int]] = {}
    for target, goal in goals.items():
        now = _at(middle, goal)
        want = np.sign(_wanted_level(goal, now) - now) if np.isfinite(now) else 0.0
        if goal["op"] in ("at_least", "above"):
            want = 1.0
        elif goal["op"] in ("at_most", "below"):
            want = -1.0
        sides = {name: (_at(high, goal) - _at(low, goal)) * want for name, (low, high) in moved.items()}
        helps[target] = {name: _side(step, now, drivers[name].better) for name, step in sides.items()}
    return helps


def _side(step: float, now: float, better: int) -> int:
    """Sign of a step that is no rounding error, unless the driver would have to get worse."""
    side = int(np.sign(step)) if abs(step) > 1e-9 * max(abs(now), 1e-300) else 0
    return side if better in (0, side) else 0


def _at_plan(
    driver: Driver, side: int, inputs: Mapping[str, object], centre: Mapping[str, float]
) -> tuple[Mapping[str, object], str] | None:
    """Return the driver's inputs at plan and of which kind they are; None when that changes nothing."""
    if not side:
        return None
    better = np.maximum if side > 0 else np.minimum
    wants = driver.wanted and driver.wanted_up == (side > 0)
    if wants and all((driver.wanted[i] - centre[i]) * side >= -1e-12 * abs(centre[i]) for i in driver.inputs):
        at, kind = driver.wanted, "wanted"
    else:
        at, kind = (driver.high if side > 0 else driver.low), "end"
    level = {i: better(inputs[i], value) for i, value in at.items()}
    if all(np.array_equal(level[i], inputs[i]) for i in level):
        return None
    return level, kind


def _wanted_level(goal: Mapping[str, Any], now: float) -> float:
    """The level of the goal; of a range its nearer end, or `now` inside it."""
    return goal["goal"] if goal["goal_high"] is None else float(np.clip(now, goal["goal"], goal["goal_high"]))


def _at(paths: Mapping[str, np.ndarray], goal: Mapping[str, Any]) -> float:
    return float(paths[goal["metric"]][0, goal["judged_month"] - 1])


def _hit_rate(goal: Mapping[str, Any], path: np.ndarray) -> float:
    level = goal["goal"] if goal["goal_high"] is None else (goal["goal"], goal["goal_high"])
    return float(holds(goal["op"], level, path[:, goal["judged_month"] - 1]).mean())
