"""Budgets under uncertain curves: best mean, best worst part (CVaR), and the frontier between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

_MAX_ROUNDS = 400
_GAP = 1e-6


@dataclass(frozen=True, eq=False)
class Risky:
    """An allocation under draws of the curves.

    Attributes:
        spend: (N,) CNY.
        mean: mean outcome over the draws.
        cvar: mean of the worst share of the draws.
        value, bound: what was maximised there, and the most that any allocation could reach.
    """

    spend: np.ndarray
    mean: float
    cvar: float
    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class Chance:
    """Share of draws that reach a goal, with its Monte Carlo interval."""

    probability: float
    interval: Interval


def cvar(outcomes: np.ndarray, alpha: float) -> float:
    """Return the mean of the worst 1 - alpha of equally likely outcomes (Rockafellar & Uryasev 2000).

    >>> cvar(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    1.5
    """
    ordered = np.sort(outcomes)
    share = (1 - alpha) * len(ordered)
    whole = int(np.floor(share + 1e-12))
    part = share - whole
    total = ordered[:whole].sum() + (part * ordered[whole] if part > 1e-12 else 0.0)
    return float(total / share)


def outcomes(amount: np.ndarray, scale: np.ndarray, spend: np.ndarray) -> np.ndarray:
    """Return (D,) total outcomes of draws of Michaelis-Menten curves, (D, N) each, at (N,) CNY."""
    return (amount * spend / (scale + spend)).sum(axis=1)


def reaches(found: np.ndarray, goal: float, *, level: float = 0.95) -> Chance:
    """Return the share of (D,) outcomes that are at least `goal`."""
    hits = int((found >= goal).sum())
    return Chance(hits / len(found), wilson(hits, len(found), level=level))


def best_under_risk(
    amount: np.ndarray,
    scale: np.ndarray,
    budget_cny: float,
    *,
    low: np.ndarray,
    high: np.ndarray,
    alpha: float = 0.8,
    weight: float = 1.0,
) -> Risky:
    """Maximise (1 - weight) x mean + weight x CVaR of the outcomes, the budget spent in full.

    Cutting planes: each round adds the tangent of the objective at the last allocation and at the best one, which is
    concave in the spends because the curves are.

    Args:
        amount, scale: (D, N) draws of Michaelis-Menten curves amount x / (scale + x), > 0.
        budget_cny: total, between the sums of low and high.
        low, high: (N,) limits in CNY.
        alpha: the worst 1 - alpha of the draws make the CVaR, 0 <= alpha < 1.
        weight: 0 = mean only, 1 = CVaR only.

    Raises:
        InputError: shapes that differ, values out of range, a budget outside the limits.
    """
    guard = Guard()
    a = guard.numbers("amount", amount, above=0.0, ndim=(2,))
    s = guard.numbers("scale", scale, above=0.0, ndim=(2,))
    floor, roof = (guard.numbers(name, v, low=0.0, ndim=(1,)) for name, v in (("low", low), ("high", high)))
    if s.shape != a.shape or floor.shape != a.shape[1:] or roof.shape != a.shape[1:]:
        guard.add("shape", "scale", f"shape {s.shape}", expected=f"{a.shape}, and low and high ({a.shape[-1]},)")
    guard.number("alpha", alpha, low=0.0, below=1.0)
    guard.number("weight", weight, low=0.0, high=1.0)
    money = guard.number("budget_cny", budget_cny, low=0.0)
    if not guard.problems and not floor.sum() <= money <= roof.sum():
        guard.add("out_of_range", "budget_cny", money, low=float(floor.sum()), high=float(roof.sum()))
    guard.done()
    return _Planes(a, s, money, floor, roof, alpha, weight).run()


class _Planes:
    """Cutting planes with the next point drawn towards the best one, which keeps the rounds few."""

    def __init__(self, amount, scale, money, low, high, alpha, weight) -> None:
        self.amount, self.scale, self.alpha, self.weight = amount, scale, alpha, weight
        self.money, self.low, self.high, self.n = money, low, high, amount.shape[1]
        self.unit = max(float(amount.sum(axis=1).mean()), 1e-300)

    def run(self) -> Risky:
        import highspy

        n = self.n
        model = highspy.Highs()
        for option, value in (("output_flag", False), ("presolve", "off"), ("threads", 1)):
            model.setOptionValue(option, value)
        for i in range(n):
            model.addVar(self.low[i] / self.money, self.high[i] / self.money)
        model.addVar(-highspy.kHighsInf, highspy.kHighsInf)
        model.changeColCost(n, -1.0)
        model.addRow(1.0, 1.0, n, np.arange(n, dtype=np.int32), np.ones(n))
        room = self.high - self.low
        best = self.low + room * (self.money - self.low.sum()) / max(room.sum(), 1e-300)
        best_value, bound = self.cut(model, best), np.inf
        for _ in range(_MAX_ROUNDS):
            model.run()
            bound = min(bound, -model.getInfo().objective_function_value * self.unit)
            if bound - best_value <= _GAP * abs(bound):
                break
            far = np.asarray(model.getSolution().col_value)[:n] * self.money
            for point in (far, 0.5 * (far + best)):
                value = self.cut(model, point)
                if value > best_value:
                    best, best_value = point, value
        total = outcomes(self.amount, self.scale, best)
        return Risky(best, float(total.mean()), cvar(total, self.alpha), best_value, max(bound, best_value))

    def cut(self, model, spend: np.ndarray) -> float:
        """Add the tangent of the objective at a spend, and return its value there."""
        import highspy

        total = outcomes(self.amount, self.scale, spend)
        slopes = self.amount * self.scale / (self.scale + spend) ** 2
        share = (1 - self.alpha) * len(total)
        worst = np.argsort(total, kind="stable")
        weights = np.zeros(len(total))
        whole = int(np.floor(share + 1e-12))
        weights[worst[:whole]] = 1.0
        if share - whole > 1e-12:
            weights[worst[whole]] = share - whole
        weights = self.weight * weights / share + (1 - self.weight) / len(total)
        value, gradient = float(weights @ total), weights @ slopes
        index = np.arange(self.n + 1, dtype=np.int32)
        coef = np.append(-gradient * self.money / self.unit, 1.0)
        model.addRow(-highspy.kHighsInf, (value - gradient @ spend) / self.unit, self.n + 1, index, coef)
        return value
