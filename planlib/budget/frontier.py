"""What more money buys when the curves are not known for certain, and what the best budget hangs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.budget.case import Case, Limit, Solved, solve
from planlib.budget.curves import KINDS, Curves
from planlib.budget.optimum import Line, Problem, optimise
from planlib.budget.risk import Chance, best_under_risk, cvar, reaches
from planlib.core.guards import Guard
from planlib.core.intervals import Interval

TRIAL = 0.1  # of an assumption without a range
POINTS = 0.01  # of a share
_ENOUGH = 1e-4  # gap at which two budgets can be told apart here


@dataclass(frozen=True, eq=False)
class Point:
    """A month's channel money and what it brings over the draws.

    Attributes:
        budget_cny: CNY a month, all channels open.
        spend: (C,) best split at the central curves.
        mean, cvar: users a month on average, and in the worst share of draws.
        chance, interval: share of draws that reach the goal.
        careful_mean, careful_cvar: the same of the split that does best in the worst draws; None where the curves
            allow no such search (any but Michaelis-Menten).
    """

    budget_cny: float
    spend: np.ndarray
    mean: float
    cvar: float
    chance: float
    interval: Interval
    careful_mean: float | None
    careful_cvar: float | None


def frontier(
    case: Case, ceiling: np.ndarray, half: np.ndarray, budgets: Sequence[float], *, goal: float, alpha: float = 0.8
) -> tuple[Point, ...]:
    """Return one point for each month's money.

    Args:
        case: the plan's.
        ceiling, half: (D, C) factors on the ceilings and half spends of the curves.
        budgets: CNY a month, each inside what the channels' limits allow.
        goal: users a month through these channels.
        alpha: the worst 1 - alpha of the draws make the CVaR.
    """
    curves, low, high = case.curves, case.floor_cny, case.most_cny
    amount, scale = curves.amount * ceiling, curves.scale * half
    kinds = {k if s != 1 else KINDS[1] for k, s in zip(curves.kind, curves.shape, strict=True) if k in KINDS[:2]}
    plain = kinds == {KINDS[1]} and all(k in KINDS[:2] for k in curves.kind)
    guard = Guard()
    for i, money in enumerate(budgets):
        guard.number(f"budgets[{i}]", float(money), low=float(low.sum()), high=float(high.sum()))
    guard.done()
    found = []
    for money in budgets:
        line = Line("money", "==", float(money), np.ones(len(curves)))
        best = optimise(Problem(curves, low, high, (line,), least_if_on=case.least_if_on_cny)).spend
        if best is None:  # less than any channel needs to be on
            continue
        got = _drawn(curves, amount, scale, best)
        chance = reaches(got, goal)
        careful = None
        if plain and not case.least_if_on_cny.any():
            careful = best_under_risk(amount, scale, float(money), low=low, high=high, alpha=alpha)
        found.append(
            Point(
                float(money), best, float(got.mean()), cvar(got, alpha), chance.probability, chance.interval,
                careful and careful.mean, careful and careful.cvar,
            )
        )  # fmt: skip
    return tuple(found)


def chance_of_plan(solved: Solved, ceiling: np.ndarray, half: np.ndarray, *, goal: float) -> Chance:
    """Return the chance that a budget wins a number of users a month, on average over the months with open channels.

    Args:
        solved: a budget that keeps the rules.
        ceiling, half: (D, C) factors on the ceilings and half spends of the curves.
        goal: users a month through the channels.
    """
    case, curves = solved.case, solved.case.curves
    amount, scale = curves.amount * ceiling, curves.scale * half
    won = sum(
        factor * _drawn(curves, amount, scale, spend)
        for factor, spend in zip(case.season, solved.best.channel_cny, strict=True)
    )
    return reaches(won / max(int(case.open_months.any(axis=1).sum()), 1), goal)


def _drawn(curves: Curves, amount: np.ndarray, scale: np.ndarray, spend: np.ndarray) -> np.ndarray:
    """Return (D,) users of draws of the curves at (C,) CNY."""
    draws = len(amount)
    every = Curves(curves.kind * draws, amount.ravel(), scale.ravel(), np.tile(curves.shape, draws))
    return every.value(np.tile(spend, draws)).reshape(draws, -1).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Swing:
    """What the best budget brings with one assumption at its low and its high value, the others as they are.

    Attributes:
        kind: what is changed: cost or reach of a channel, budget, band, free, or a kind of limit.
        of: channel, category or rule; "" for none.
        unit: of the inputs.
        low_input, high_input: the two values; relative changes for cost, reach and free.
        at_low, at_high: users over the plan; NaN where no budget keeps the rules.
        from_range: the plan states the range; False: a trial step.
    """

    kind: str
    of: str
    unit: str
    low_input: float
    high_input: float
    at_low: float
    at_high: float
    from_range: bool

    @property
    def width(self) -> float:
        """How far the users move; a value without a budget counts as none won."""
        return abs(float(np.nan_to_num(self.at_high)) - float(np.nan_to_num(self.at_low)))


def swings(
    case: Case, cost: Mapping[str, tuple[float, float]], reach: Mapping[str, tuple[float, float]]
) -> tuple[Swing, ...]:
    """Return the swing of the users under each assumption, the widest first.

    Args:
        case: the plan's.
        cost, reach: {channel: (low, high)} factors of the plan's ranges of cost and intake; a trial step for the rest.
    """
    found = []
    for c, name in enumerate(case.channels):
        for kind, ends in (("cost", cost.get(name)), ("reach", reach.get(name))):
            low, high = ends or (1 - TRIAL, 1 + TRIAL)
            pair = [_scaled(case, c, kind, factor) for factor in (low, high)]
            changes = (low - 1, high - 1)
            found.append(_swing(kind, name, "relative_change", changes, pair, ends is not None))
    years = case.years
    budget = [
        replace(case, years=tuple(replace(y, budget_cny=y.budget_cny * f) for y in years))
        for f in (1 - TRIAL, 1 + TRIAL)
    ]
    year = years[0].budget_cny
    found.append(_swing("budget", "", "CNY", (year * (1 - TRIAL), year * (1 + TRIAL)), budget, False))
    low, high = case.bands[case.home]
    tops = (max(high - POINTS, low), min(high + POINTS, 1.0))
    bands = [replace(case, bands=case.bands | {case.home: (low, top)}) for top in tops]
    found.append(_swing("band", case.home, "ratio", tops, bands, False))
    if case.free_outcomes.any():
        free = [replace(case, free_outcomes=case.free_outcomes * f) for f in (1 - TRIAL, 1 + TRIAL)]
        found.append(_swing("free", "", "relative_change", (-TRIAL, TRIAL), free, False))
    found += [_of_limit(case, limit) for limit in case.limits]
    return tuple(sorted(found, key=lambda swing: -swing.width))


def _of_limit(case: Case, limit: Limit) -> Swing:
    share = limit.kind in ("free_share", "change", "labour_of_gmv")
    low, high = (limit.level - POINTS, limit.level + POINTS) if share else (limit.level * 0.9, limit.level * 1.1)
    pair = []
    for level in (low, high):
        others = tuple(replace(limit, level=level) if other is limit else other for other in case.limits)
        pair.append(replace(case, limits=others))
    unit = "ratio" if share else "multiple" if limit.kind == "return_floor" else "CNY_per_user"
    return _swing("limit", limit.name, unit, (low, high), pair, False)


def _scaled(case: Case, c: int, kind: str, factor: float) -> Case:
    """A channel at another cost for each user, or that brings more at the same cost for each."""
    name, ceiling, half, shape = case.responses[c]
    row = (name, ceiling * (factor if kind == "reach" else 1.0), half * factor, shape)
    return replace(case, responses=(*case.responses[:c], row, *case.responses[c + 1 :]))


def _swing(kind: str, of: str, unit: str, ends: tuple[float, float], pair: Sequence[Case], ranged: bool) -> Swing:
    reached = []
    for case in pair:
        solved = solve(case, gap_rel=_ENOUGH)
        reached.append(solved.users if solved.feasible else float("nan"))
    return Swing(kind, of, unit, float(ends[0]), float(ends[1]), *reached, ranged)
