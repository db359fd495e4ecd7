"""Why targets are missed: what each cause takes, all on the same paths, and what a change costs path by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from planlib.core.decompose import shapley
from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.funnel.targets import holds

Outcomes = Callable[[frozenset[str]], Mapping[str, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one cause takes, with the Monte Carlo standard error of the mean over paths."""

    mean: float
    se: float


@dataclass(frozen=True, slots=True)
class Split:
    """What the causes take from one goal.

    Attributes:
        probability: chance as things are.
        at_plan: chance with every cause at plan.
        chance: {cause: part of at_plan - probability}, they sum to it.
        alone: {cause: chance gained by it alone}.
        level: mean of the outcome as things are; NaN where it has none on some path.
        level_at_plan: mean with every cause at plan.
        levels: {cause: part of level_at_plan - level}, they sum to it.
        basis: `probability`: the cause with the largest part binds; `plan`: even with every cause at plan the goal is
            missed on every path, so that the plan's own figures bind; `level`: no chance is gained, so the cause that
            moves the outcome most; `met`: the chance is 1; `none`: nothing moves it.
        cause: that binds; None for plan, met and none.
    """

    probability: float
    at_plan: float
    chance: Mapping[str, Part]
    alone: Mapping[str, float]
    level: float
    level_at_plan: float
    levels: Mapping[str, Part]
    basis: str
    cause: str | None


def split(outcomes: Outcomes, goals: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Split]:
    """Return what binds each goal: Shapley values over causes that are set to plan together, exact for all.

    A cause that makes things better than the plan, such as tests, has a negative part.

    Args:
        outcomes: causes at plan -> {goal: (D,) or (1,) outcome at its month}; asked once for each set.
        goals: {goal: op, goal, goal_high}.
        names: causes, at most eight.

    Raises:
        InputError: no cause, more than eight, or an unknown comparison.

    >>> def run(at_plan):
    ...     late = np.array([0.0, 1.0]) * ("dates" not in at_plan)
    ...     return {"users": 100.0 - 30.0 * late}
    >>> found = split(run, {"users": {"op": "at_least", "goal": 90.0, "goal_high": None}}, ["dates", "risks"])["users"]
    >>> found.cause, found.probability, found.chance["dates"].mean, found.levels["dates"].mean
    ('dates', 0.5, 0.5, 15.0)
    """
    guard = Guard()
    if not names:
        guard.add("empty", "names")
    elif len(names) > 8:
        guard.add("at_most", "names", len(names), high=8)
    guard.done()
    if not goals:
        return {}
    sets: dict[frozenset[str], np.ndarray] = {}

    def both(who: frozenset[str]) -> np.ndarray:
        found = outcomes(who)
        values = np.stack(np.broadcast_arrays(*(np.asarray(found[name], dtype=float) for name in goals)))
        hits = np.stack([_hit(goal, row) for goal, row in zip(goals.values(), values, strict=True)])
        sets[who] = np.stack([hits.astype(float), np.nan_to_num(values)])
        return sets[who]

    draws = max(both(frozenset()).shape[-1], 1)

    def wide(who: frozenset[str]) -> np.ndarray:
        found = both(who)
        return np.broadcast_to(found, (*found.shape[:2], max(draws, found.shape[-1])))

    parts = shapley(wide, names)  # (P, 2, G, D)
    none, every = frozenset(), frozenset(names)
    found = {}
    for g, (goal_id, goal) in enumerate(goals.items()):
        chance = {name: _part(parts[k, 0, g]) for k, name in enumerate(names)}
        levels = {name: _part(parts[k, 1, g]) for k, name in enumerate(names)}
        start, end = (float(sets[who][0, g].mean()) for who in (none, every))
        level, planned = (float(sets[who][1, g].mean()) for who in (none, every))
        alone = {name: float(sets[frozenset({name})][0, g].mean()) - start for name in names}
        towards = -1.0 if goal["op"] in ("at_most", "below") else 1.0
        moved = {name: part.mean * towards for name, part in levels.items()}
        basis, cause = _binding(start, end, chance, moved, planned)
        found[goal_id] = Split(start, end, chance, alone, level, planned, levels, basis, cause)
    return found


def _hit(goal: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    level = goal["goal"] if goal.get("goal_high") is None else (goal["goal"], goal["goal_high"])
    return np.asarray(holds(goal["op"], level, values))


def _part(values: np.ndarray) -> Part:
    spread = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Part(float(values.mean()), spread)


def _binding(
    start: float, end: float, chance: Mapping[str, Part], towards: Mapping[str, float], scale: float
) -> tuple[str, str | None]:
    if start >= 1:
        return "met", None
    best = max(chance, key=lambda name: round(chance[name].mean, 9))
    if chance[best].mean > 1e-9:
        return "probability", best
    if end <= 0:
        return "plan", None
    most = max(towards, key=lambda name: round(towards[name], 9))
    return ("level", most) if towards[most] > 1e-9 * max(abs(scale), 1e-300) else ("none", None)


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does on the same paths.

    Attributes:
        mean: of after - before.
        interval: Monte Carlo interval of that mean.
        low, high: range of the middle 80 % of the paths.
    """

    mean: float
    interval: Interval
    low: float
    high: float


def change(before: object, after: object, *, level: float = 0.95) -> Change:
    """Return the mean difference of two outcomes, with its interval and its range over paths.

    Args:
        before, after: (D,) or one number, on the same paths.

    >>> found = change(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
    >>> found.mean, found.interval.low
    (1.0, 1.0)
    """
    guard = Guard()
    x, y = (guard.numbers(name, value, ndim=(0, 1)) for name, value in (("before", before), ("after", after)))
    guard.number("level", level, above=0.0, below=1.0)
    if x.ndim == y.ndim == 1 and len(x) != len(y) and 1 not in (len(x), len(y)):
        guard.add("shape", "after", f"{len(y)} paths", expected=f"{len(x)} paths")
    guard.done()
    moved = np.atleast_1d(y - x)
    part = _part(moved)
    half = NormalDist().inv_cdf(0.5 + level / 2) * part.se
    low, high = np.quantile(moved, (0.1, 0.9))
    return Change(part.mean, Interval(part.mean - half, part.mean + half, level), float(low), float(high))
