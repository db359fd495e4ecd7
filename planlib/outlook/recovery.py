"""What restores a wanted chance: each lever alone, the cheapest set of several, and what more money buys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import exp, log

from planlib.core.guards import Guard

Chances = Callable[[Mapping[str, float]], float]
_STEPS = 7  # halvings of a lever's way


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that is done or not, for so much money."""

    cost_cny: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A figure that can be changed by a factor.

    Attributes:
        best: factor at its most helpful end, > 0, not 1.
        cost_cny: factor -> money; None: the plan states no price for it.
    """

    best: float
    cost_cny: Callable[[float], float] | None = None


Lever = Switch | Scale


@dataclass(frozen=True, slots=True)
class Repair:
    """One lever alone.

    Attributes:
        setting: factor, or 1 for a switch that is on; None where the lever alone does not do.
        chance: with that setting, with its best one where it does not do.
        cost_cny: None where the plan states no price, or the lever does not do.
    """

    setting: float | None
    chance: float
    cost_cny: float | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What restores a wanted chance.

    Attributes:
        wanted: the chance.
        now: chance as things are.
        alone: {lever: what it does alone}.
        settings: {lever: factor, or 1 for a switch} of the cheapest set; {} when nothing is needed.
        chance: with that set.
        costs: {lever: CNY} of its priced levers.
        effort: how far its unpriced levers go of their way to their best ends, 0 to 1.
        feasible: the set reaches the wanted chance; if not, `settings` is everything at its best.
    """

    wanted: float
    now: float
    alone: Mapping[str, Repair]
    settings: Mapping[str, float]
    chance: float
    costs: Mapping[str, float]
    effort: float
    feasible: bool

    @property
    def cost_cny(self) -> float:
        """Of all priced levers of the set."""
        return sum(self.costs.values())


def restore(chances: Chances, levers: Mapping[str, Lever], *, wanted: float) -> Recovery:
    """Return the cheapest set of levers that brings a chance back to what is wanted.

    First with priced levers alone: every set of switches, and with each the least change of the priced scales, all by
    the same part of their way. Where these are not enough, all that help are used and the unpriced scales go the same
    part of their way to their best ends, as little as is needed; then priced levers that are not needed are left out
    again.

    Args:
        chances: {lever: factor, or 1 for a switch} -> chance on the same paths; levers left out stay as they are. It
            never falls as levers go on or towards their best ends.
        levers: by name.
        wanted: chance, 0 < wanted <= 1.

    Raises:
        InputError: no lever, a cost below 0, or a best factor that is not above 0 or is 1.

    >>> def chances(at):
    ...     return min(0.5 + 0.2 * at.get("haste", 0.0) + 0.3 * (at.get("money", 1.0) - 1.0), 1.0)
    >>> levers = {"haste": Switch(50.0), "money": Scale(3.0, lambda factor: 100.0 * (factor - 1.0))}
    >>> found = restore(chances, levers, wanted=0.7)
    >>> found.settings, found.cost_cny, round(found.alone["money"].setting, 2)
    ({'haste': 1.0}, 50.0, 1.67)
    """
    guard = Guard()
    target = guard.number("wanted", wanted, above=0.0, high=1.0)
    if not levers:
        guard.add("empty", "levers")
    for name, lever in levers.items():
        if isinstance(lever, Switch):
            guard.number(f"levers.{name}.cost_cny", lever.cost_cny, low=0.0)
        elif guard.number(f"levers.{name}.best", lever.best, above=0.0) == 1:
            guard.add("no_change", f"levers.{name}.best", lever.best)
    guard.done()
    known: dict[tuple, float] = {}

    def at(settings: Mapping[str, float]) -> float:
        key = tuple(sorted(settings.items()))
        if key not in known:
            known[key] = float(chances(settings))
        return known[key]

    now = at({})
    alone = {name: _alone(at, name, lever, target) for name, lever in levers.items()}
    if now >= target:
        return Recovery(target, now, alone, {}, now, {}, 0.0, True)
    best = _cheapest(at, levers, target)
    if best is not None:
        return Recovery(target, now, alone, best, at(best), _costs(levers, best), 0.0, True)
    free = {name: lever for name, lever in levers.items() if isinstance(lever, Scale) and lever.cost_cny is None}
    priced = {name: _full(lever) for name, lever in levers.items() if name not in free}
    everything = priced | {name: lever.best for name, lever in free.items()}
    if at(everything) < target:
        return Recovery(target, now, alone, everything, at(everything), _costs(levers, everything), 1.0, False)
    part = _least(lambda x: at(priced | _along(free, x)) >= target)
    chosen = priced | _along(free, part)
    for name in sorted(priced, key=lambda name: -_cost(levers, {name: priced[name]})):
        less = {other: setting for other, setting in chosen.items() if other != name}
        if at(less) >= target:
            chosen = less
    return Recovery(target, now, alone, chosen, at(chosen), _costs(levers, chosen), part, True)


def _full(lever: Lever) -> float:
    return 1.0 if isinstance(lever, Switch) else lever.best


def _along(scales: Mapping[str, Scale], part: float) -> dict[str, float]:
    """Return the factors at a part of the way to the best ends, even steps of the logarithm."""
    return {name: exp(part * log(scale.best)) for name, scale in scales.items() if part > 0}


def _least(enough: Callable[[float], bool]) -> float:
    """Return the least part of a way that is enough, within 1/128; the whole way is."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _alone(at: Chances, name: str, lever: Lever, target: float) -> Repair:
    reached = at({name: _full(lever)})
    if reached < target:
        return Repair(None, reached, None)
    if isinstance(lever, Switch):
        return Repair(1.0, reached, lever.cost_cny)
    setting = _along({name: lever}, _least(lambda part: at(_along({name: lever}, part)) >= target))[name]
    return Repair(setting, at({name: setting}), lever.cost_cny and lever.cost_cny(setting))


def _costs(levers: Mapping[str, Lever], settings: Mapping[str, float]) -> dict[str, float]:
    found = {}
    for name, setting in settings.items():
        lever = levers[name]
        if isinstance(lever, Switch):
            found[name] = lever.cost_cny
        elif lever.cost_cny is not None:
            found[name] = lever.cost_cny(setting)
    return found


def _cost(levers: Mapping[str, Lever], settings: Mapping[str, float]) -> float:
    return sum(_costs(levers, settings).values())


def _cheapest(at: Chances, levers: Mapping[str, Lever], target: float) -> dict[str, float] | None:
    """Return the cheapest set of priced levers that is enough; None when none is."""
    switches = [name for name, lever in levers.items() if isinstance(lever, Switch)]
    scales = {name: lever for name, lever in levers.items() if isinstance(lever, Scale) and lever.cost_cny}
    every = {name: _full(lever) for name, lever in levers.items() if name in switches or name in scales}
    if not every or at(every) < target:
        return None
    found: list[tuple[float, dict[str, float]]] = []
    for size in range(len(switches) + 1):
        for chosen in combinations(switches, size):
            on = dict.fromkeys(chosen, 1.0)
            if found and _cost(levers, on) >= min(cost for cost, _ in found):
                continue  # dearer before any scale moves
            if at(on) >= target:
                found.append((_cost(levers, on), on))
            elif scales and at(on | _along(scales, 1.0)) >= target:
                part = _least(lambda x, on=on: at(on | _along(scales, x)) >= target)
                both = on | _along(scales, part)
                found.append((_cost(levers, both), both))
    return min(found, key=lambda row: row[0])[1]
