"""Backwards from a target: the smallest change of one lever that reaches it with a wanted chance, and the
cheapest change of several levers together.

Everything is solved on the same random paths, so that a lever which helps on every path never hurts the chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, inf, isfinite, log, sqrt

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Sought:
    """The answer of a goal-seek.

    Attributes:
        value: the lever's value nearest to today's that reaches the goal; None when no allowed value does.
        probability: share of paths that reach it there; at the best allowed value when value is None.
        standard_error: Monte Carlo standard error of `value`; 0 for a single path, None without a value or where
            the chance cannot rise by its own error.
        ceiling: what is reached with the wanted chance at the best allowed value.
    """

    value: float | None
    probability: float
    standard_error: float | None
    ceiling: float


@dataclass(frozen=True, slots=True)
class Combination:
    """Several levers changed together.

    Attributes:
        factors: {lever: its value over today's}; today's when nothing is needed.
        reached: outcome with them.
        cost: sum of effort (ln factor)^2.
        feasible: False when even all levers at their bounds fall short; `factors` are then the bounds.
        at_bound: levers that stand at their bound.
    """

    factors: Mapping[str, float]
    reached: float
    cost: float
    feasible: bool
    at_bound: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target takes: each lever alone, as a factor on today's value, and the cheapest combination of them."""

    alone: Mapping[str, Sought]
    together: Combination


def answer(
    outcome: Callable[[Mapping[str, object]], object],
    goal: float,
    *,
    inputs: Mapping[str, object],
    levers: Mapping[str, Sequence[str]],
    better: Mapping[str, int],
    limits: Mapping[str, tuple[float, float]],
    probability: float = 0.8,
    widest: float = 10.0,
    rel: float = 1e-5,
) -> Answer:
    """Return what each lever alone, and all together, would have to be for a target to be met with a chance.

    Args:
        outcome: inputs -> (D,) outcome at the target's month.
        goal: level to reach, > 0.
        inputs: {input: number or (D,) draws}, the random paths.
        levers: {lever: its inputs}, moved by one factor; each such that outcomes never fall as it gets better.
        better: {lever: 1 (more) or -1 (less)}.
        limits: {input: (lowest, highest)} allowed.
        probability: wanted chance.
        widest: a combination changes no lever by more than this factor, up or down.
        rel: as for `seek`; ten times that for `cheapest`, whose tangents change from path to path.
    """

    def at(factors: Mapping[str, float]) -> np.ndarray:
        moved = dict(inputs)
        for name, factor in factors.items():
            moved = scaled(moved, levers[name], factor, limits)
        return np.atleast_1d(np.asarray(outcome(moved), dtype=float))

    alone, bounds = {}, {}
    for name, places in levers.items():
        best = best_factor(inputs, places, limits, up=better[name] > 0)
        if best <= 1 and better[name] > 0:  # at its limit already
            continue
        bounds[name] = (1.0, min(best, widest)) if better[name] > 0 else (1 / widest, 1.0)
        reach = partial(_along, at, name)
        alone[name] = seek(reach, goal, start=1.0, best=best, probability=probability, rel=rel)
    if not bounds:
        return Answer(alone, Combination({}, level_with(at({}), probability), 0.0, False, ()))
    return Answer(alone, cheapest(lambda f: level_with(at(f), probability), goal, bounds=bounds, rel=10 * rel))


def _along(at: Callable[[Mapping[str, float]], np.ndarray], name: str, factor: float) -> np.ndarray:
    return at({name: factor})


def level_with(paths: np.ndarray, probability: float) -> float:
    """Return the level that at least that share of the paths reaches: the ceil(p D)-th largest outcome.

    >>> level_with(np.array([1.0, 2.0, 3.0, 4.0]), 0.75)
    2.0
    """
    enough = max(ceil(probability * paths.size - 1e-9), 1)
    return float(np.sort(paths)[paths.size - enough]) if enough <= paths.size else -inf


def scaled(
    inputs: Mapping[str, object], places: Sequence[str], factor: float, limits: Mapping[str, tuple[float, float]]
) -> dict[str, object]:
    """Return the inputs with some of them times a factor, held inside what they may be.

    >>> scaled({"churn": 0.4, "aov": 100.0}, ["churn"], 3.0, {"churn": (0.0, 1.0)})
    {'churn': 1.0, 'aov': 100.0}
    """
    return {**inputs, **{place: _held(np.multiply(inputs[place], factor), *limits[place]) for place in places}}


def best_factor(
    inputs: Mapping[str, object], places: Sequence[str], limits: Mapping[str, tuple[float, float]], *, up: bool
) -> float:
    """Return the factor at which inputs reach the end of what they may be on every path.

    0 downwards; upwards infinite for amounts, for shares the factor that brings the smallest to 1.

    >>> best_factor({"rate": np.array([0.2, 0.5])}, ["rate"], {"rate": (0.0, 1.0)}, up=True)
    5.0
    """
    if not up:
        return 0.0
    tops = [limits[place][1] / float(low) if (low := np.min(inputs[place])) > 0 else inf for place in places]
    return max(tops)


def _held(value: np.ndarray, low: float, high: float) -> object:
    held = np.clip(value, low, high)
    return float(held) if held.ndim == 0 else held


def seek(
    outcome: Callable[[float], object],
    goal: float,
    *,
    start: float,
    best: float,
    probability: float = 0.8,
    rel: float = 1e-9,
) -> Sought:
    """Return the value of a lever, nearest to `start`, at which P(outcome >= goal) >= probability.

    Args:
        outcome: lever's value -> (D,) outcome on the same paths, or one number; going from `start` to `best` it
            never falls on any path.
        goal: level to reach.
        start: where the search begins, e.g. 0 for an intake, 1 for the plan's own scale.
        best: the most helpful value allowed, above or below `start`; infinite: doubled until it is enough.
        probability: wanted chance, 0 < p <= 1.
        rel: width of the bracket at the end, relative to the value.

    Raises:
        InputError: a number is not finite, probability outside its limits, or `best` equals `start`.

    >>> round(seek(lambda factor: 250_000 * factor, 1_000_000, start=0.0, best=inf).value, 6)
    4.0
    >>> seek(lambda rate: 50_000 * rate, 60_000, start=0.1, best=1.0).value is None
    True
    """
    guard = Guard()
    target = guard.number("goal", goal)
    begin = guard.number("start", start)
    if best not in (inf, -inf):
        guard.number("best", best)
    if best == start:
        guard.add("no_change", "best", best)
    wanted = guard.number("probability", probability, above=0.0, high=1.0)
    guard.number("rel", rel, above=0.0, below=1.0)
    guard.done()
    target -= 1e-12 * abs(target)  # rounding decides nothing

    known: dict[float, np.ndarray] = {}

    def paths(value: float) -> np.ndarray:
        if value not in known:
            known[value] = np.atleast_1d(np.asarray(outcome(value), dtype=float))
        return known[value]

    def reached(value: float, chance: float) -> float:
        """Level that the wanted share of paths reaches, less the goal."""
        return level_with(paths(value), chance) - target

    end = _bracket(lambda value: reached(value, wanted), begin, best)
    ceiling = reached(end, wanted) + target
    if ceiling < target:
        return Sought(None, float((paths(end) >= target).mean()), None, ceiling)
    value = _nearest(lambda x: reached(x, wanted), begin, end, rel)
    error = sqrt(wanted * (1.0 - wanted) / paths(end).size)
    spread: float | None = 0.0
    if paths(end).size > 1 and error:
        below, above = (
            _nearest(lambda x, p=p: reached(x, p), begin, end, rel) if reached(end, p) >= 0 else None
            for p in (max(wanted - error, 0.0), wanted + error)
        )
        spread = None if above is None else abs(above - below) / 2
    return Sought(value, float((paths(value) >= target).mean()), spread, ceiling)


def _bracket(excess: Callable[[float], float], start: float, best: float) -> float:
    """Return the first doubled step from the start that is enough; `best`, or the last step, when none is."""
    step = (abs(start) or 1.0) * (1.0 if best > start else -1.0)
    for _ in range(60):
        value = start + step
        if not min(start, best) < value < max(start, best):
            return best
        if excess(value) >= 0:
            break
        step *= 2
    return value


def _nearest(excess: Callable[[float], float], start: float, end: float, rel: float) -> float:
    """Close in on the first point that is enough, between a start that may fall short and an end that is enough.

    Regula falsi with the Illinois weights; every fourth step halves, so that it cannot stall.
    """
    if excess(start) >= 0:
        return start
    short, enough = start, end
    low, high = excess(short), excess(enough)
    side = steps = 0
    while abs(enough - short) > rel * max(abs(enough), abs(short)):
        steps += 1
        middle = (short + enough) / 2
        if isfinite(low) and steps % 4:
            middle = short - low * (enough - short) / (high - low) if high > low else middle
        if middle in (short, enough) or not min(short, enough) < middle < max(short, enough):
            middle = (short + enough) / 2
            if middle in (short, enough):
                break
        found = excess(middle)
        if found >= 0:
            enough, high, low, side = middle, found, low / 2 if side > 0 else low, 1
        else:
            short, low, high, side = middle, found, high / 2 if side < 0 else high, -1
    return enough


def cheapest(
    outcome: Callable[[Mapping[str, float]], float],
    goal: float,
    *,
    bounds: Mapping[str, tuple[float, float]],
    effort: Mapping[str, float] | None = None,
    rel: float = 1e-9,
) -> Combination:
    """Return the least weighted relative change of several levers that together reach a goal.

    Minimises sum of effort (ln factor)^2 subject to outcome >= goal and the bounds: the outcome's logarithm is
    replaced by its tangent at the last solution until the solution repeats, then the result is run once more.

    Args:
        outcome: {lever: factor} -> outcome > 0; a factor of 1 is today's value.
        goal: level to reach, > 0.
        bounds: {lever: (lowest, highest) factor}, 0 < lowest <= 1 <= highest, finite.
        effort: {lever: cost of a relative change}, > 0; None = all alike.
        rel: how far the outcome may fall below the goal, and how little the last step may move, relatively.

    Raises:
        InputError: no lever, bounds that leave out today's value, efforts or goal not above 0.

    Source: constrained least squares in logarithms, solved by sequential linearisation (Nocedal & Wright 2006).

    >>> three = dict.fromkeys(("users", "orders", "aov"), (0.5, 2.0))
    >>> found = cheapest(lambda f: f["users"] * f["orders"] * f["aov"], 1.32, bounds=three)
    >>> {name: round(factor, 4) for name, factor in found.factors.items()}
    {'users': 1.097, 'orders': 1.097, 'aov': 1.097}
    """
    guard = Guard()
    target = guard.number("goal", goal, above=0.0)
    if not bounds:
        guard.add("empty", "bounds")
    for name, (low, high) in bounds.items():
        guard.number(f"bounds.{name}[0]", low, above=0.0, high=1.0)
        guard.number(f"bounds.{name}[1]", high, low=1.0)
    names = list(bounds)
    weights = np.array([guard.number(f"effort.{n}", (effort or {}).get(n, 1.0), above=0.0) for n in names])
    guard.done()
    low, high = (np.log([bounds[n][side] for n in names]) for side in (0, 1))

    def level(logs: np.ndarray) -> float:
        reached = float(outcome(dict(zip(names, np.exp(logs).tolist(), strict=True))))
        return log(reached) if reached > 0 else -inf

    def answer(logs: np.ndarray, feasible: bool) -> Combination:
        factors = dict(zip(names, np.exp(logs).tolist(), strict=True))
        edge = [n for n, x, a, b in zip(names, logs, low, high, strict=True) if (x in (a, b)) and x != 0]
        cost = float((weights * logs**2).sum())
        return Combination(factors, float(outcome(factors)), cost, feasible, tuple(edge))

    logs = np.zeros(len(names))
    if level(logs) >= log(target):
        return answer(logs, True)
    furthest = _furthest(level, low, high)
    if level(furthest) < log(target) + _log_less(rel):
        return answer(furthest, False)
    for _ in range(12):
        slope = _slope(level, logs, low, high, sqrt(rel))
        step = _least(weights, slope, log(target) - level(logs) + float(slope @ logs), low, high)
        if step is None:
            step = logs + (furthest - logs) / 2
        moved = float(np.abs(step - logs).max())
        logs = step
        if moved < rel:
            break
    return answer(_onto_goal(level, logs, furthest, log(target), rel), True)


def _log_less(rel: float) -> float:
    """ln(1 - rel)."""
    return float(np.log1p(-rel))


def _furthest(level: Callable[[np.ndarray], float], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Each lever at the bound that helps, the others as they are; levers are monotone."""
    furthest = np.zeros(len(low))
    for i in range(len(low)):
        tried = []
        for bound in (low[i], high[i]):
            one = furthest.copy()
            one[i] = bound
            tried.append((level(one), -abs(bound), bound))
        furthest[i] = max(tried)[2] if max(tried)[0] > level(furthest) else 0.0
    return furthest


def _slope(
    level: Callable[[np.ndarray], float], logs: np.ndarray, low: np.ndarray, high: np.ndarray, width: float
) -> np.ndarray:
    """Elasticities at a point, by differences over a width on either side that stay inside the bounds."""
    slope = np.zeros(len(logs))
    for i in range(len(logs)):
        up, down = min(logs[i] + width, high[i]), max(logs[i] - width, low[i])
        if up > down:
            ends = [np.where(np.arange(len(logs)) == i, x, logs) for x in (up, down)]
            slope[i] = (level(ends[0]) - level(ends[1])) / (up - down)
    return slope


def _least(
    weights: np.ndarray, slope: np.ndarray, needed: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray | None:
    """Minimise sum weights x^2 with slope @ x = needed inside the bounds; None when the bounds fall short."""

    def at(price: float) -> np.ndarray:
        return np.clip(price * slope / weights, low, high)

    top = 1.0
    while slope @ at(top) < needed:
        if top > 1e12:
            return None
        top *= 2
    bottom = 0.0
    for _ in range(200):
        middle = (bottom + top) / 2
        if middle in (bottom, top):
            break
        bottom, top = (middle, top) if slope @ at(middle) < needed else (bottom, middle)
    return at(top)


def _onto_goal(
    level: Callable[[np.ndarray], float], logs: np.ndarray, furthest: np.ndarray, target: float, rel: float
) -> np.ndarray:
    """Move the last rounding error off: towards the furthest point until the goal is held."""
    if level(logs) >= target + _log_less(rel):
        return logs
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if level(logs + middle * (furthest - logs)) >= target else (middle, high)
    return logs + high * (furthest - logs)
