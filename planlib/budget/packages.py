"""A budget from zero: decision packages with levels, the best choice under the budget, and where it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Package:
    """One line of a budget with the levels at which it can be done; nothing is a level too unless it is mandatory.

    Args:
        id, category: names.
        cost_cny: cost of each level, rising.
        benefit: worth of each level, in the unit that is maximised; never falling.
        mandatory: at least the first level is always funded, e.g. compliance.
    """

    id: str
    category: str
    cost_cny: tuple[float, ...]
    benefit: tuple[float, ...]
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The level of a package that is funded: 0 = none, 1 = the first."""

    id: str
    level: int
    cost_cny: float
    benefit: float
    per_cny: float  # benefit of the last step a CNY; 0 when none is funded
    next_per_cny: float | None  # of the step that is not; None when there is none


@dataclass(frozen=True, eq=False)
class Funding:
    """The best choice of levels.

    Attributes:
        chosen: every package, the best step first.
        value, bound: benefit of the choice, and the most that any choice could have.
        spent_cny: cost.
        cut_per_cny: lowest benefit a CNY that is still funded, the cut line; mandatory ones aside.
        unfunded: ids of packages without any level.
        greedy_value: benefit of funding steps by benefit a CNY until the money is gone, for comparison.
        feasible: False when the mandatory packages or the bands do not fit; then nothing is chosen.
    """

    chosen: tuple[Chosen, ...]
    value: float
    bound: float
    spent_cny: float
    cut_per_cny: float | None
    unfunded: tuple[str, ...]
    greedy_value: float
    feasible: bool


def fund(
    packages: Sequence[Package], budget_cny: float, *, bands: dict[str, tuple[float, float]] | None = None
) -> Funding:
    """Choose a level of every package so that the benefit is largest (multiple-choice knapsack by HiGHS; Pyhrr 1970).

    Args:
        packages: lines with their levels; at least one.
        budget_cny: money.
        bands: {category: (low, high)} CNY that a category gets at least and at most.

    Raises:
        InputError: levels that do not rise, an id twice, amounts out of range.

    >>> lines = [Package("a", "x", (6.0,), (9.0,)), *(Package(name, "x", (5.0,), (6.0,)) for name in "bc")]
    >>> found = fund(lines, 10.0)
    >>> found.value, found.greedy_value
    (12.0, 9.0)
    """
    guard = Guard()
    money = guard.number("budget_cny", budget_cny, low=0.0)
    if not packages:
        guard.add("empty", "packages")
    ids: dict[str, int] = {}
    for i, package in enumerate(packages):
        if package.id in ids:
            guard.add("duplicate_id", f"packages[{i}].id", package.id, first=f"packages[{ids[package.id]}]")
        ids.setdefault(package.id, i)
        cost = guard.numbers(f"packages[{i}].cost_cny", list(package.cost_cny), above=0.0, ndim=(1,))
        worth = guard.numbers(f"packages[{i}].benefit", list(package.benefit), low=0.0, ndim=(1,))
        if cost.shape != worth.shape:
            guard.add("shape", f"packages[{i}].benefit", f"{worth.size} levels", expected=f"{cost.size} levels")
        elif (np.diff(cost) <= 0).any() or (np.diff(worth) < 0).any():
            guard.add("not_falling", f"packages[{i}].cost_cny", list(package.cost_cny))
    guard.done()
    from scipy.optimize import Bounds, LinearConstraint, milp

    place = [(i, level) for i, package in enumerate(packages) for level in range(len(package.cost_cny))]
    cost = np.array([packages[i].cost_cny[level] for i, level in place])
    worth = np.array([packages[i].benefit[level] for i, level in place])
    one = np.array([[float(i == k) for i, _ in place] for k in range(len(packages))])
    least = np.array([float(package.mandatory) for package in packages])
    rules = [LinearConstraint(one, least, 1.0), LinearConstraint(cost[None, :], -np.inf, money)]
    for category, (low, high) in (bands or {}).items():
        inside = np.array([packages[i].category == category for i, _ in place])
        rules.append(LinearConstraint((cost * inside)[None, :], low, high))
    size = max(float(worth.max()), 1e-300)
    found = milp(-worth / size, constraints=rules, bounds=Bounds(0, 1), integrality=np.ones(len(place)),
                 options={"mip_rel_gap": 0.0})  # fmt: skip
    if found.x is None:
        return Funding((), -np.inf, -np.inf, 0.0, None, tuple(ids), 0.0, feasible=False)
    level = np.zeros(len(packages), dtype=int)
    for (i, at), on in zip(place, found.x > 0.5, strict=True):
        level[i] = at + 1 if on else level[i]
    chosen = tuple(sorted((_chosen(p, n) for p, n in zip(packages, level, strict=True)), key=lambda c: -c.per_cny))
    optional = [c.per_cny for c in chosen if c.level and not packages[ids[c.id]].mandatory]
    value = float(sum(c.benefit for c in chosen))
    return Funding(
        chosen=chosen,
        value=value,
        bound=max(-float(found.mip_dual_bound) * size, value),
        spent_cny=float(sum(c.cost_cny for c in chosen)),
        cut_per_cny=min(optional, default=None),
        unfunded=tuple(c.id for c in chosen if not c.level),
        greedy_value=_greedy(packages, money),
        feasible=True,
    )


def _chosen(package: Package, level: int) -> Chosen:
    def per_cny(n: int) -> float:
        cost, benefit = _step(package, n)
        return benefit / cost

    last = per_cny(level) if level else 0.0
    further = per_cny(level + 1) if level < len(package.cost_cny) else None
    cost, benefit = (0.0, *package.cost_cny)[level], (0.0, *package.benefit)[level]
    return Chosen(package.id, level, cost, benefit, last, further)


def _step(package: Package, level: int) -> tuple[float, float]:
    """Return what going up to a level costs and brings."""
    cost, benefit = (0.0, *package.cost_cny), (0.0, *package.benefit)
    return cost[level] - cost[level - 1], benefit[level] - benefit[level - 1]


def _greedy(packages: Sequence[Package], money: float) -> float:
    """Fund steps by benefit a CNY while they fit."""
    level = {p.id: int(p.mandatory) for p in packages}
    left = money - sum(p.cost_cny[0] for p in packages if p.mandatory)
    while True:
        steps = [(p, *_step(p, level[p.id] + 1)) for p in packages if level[p.id] < len(p.cost_cny)]
        fitting = [(gain / cost, cost, p.id) for p, cost, gain in steps if cost <= left]
        if not fitting:
            return float(sum((0.0, *p.benefit)[level[p.id]] for p in packages))
        _, cost, best = max(fitting, key=lambda step: step[0])
        left -= cost
        level[best] += 1


@dataclass(frozen=True, slots=True)
class Investment:
    """What an outlay returns.

    Attributes:
        return_multiple: undiscounted benefits over outlay and running costs' excess, e.g. 3.5 for 2 M that bring 7 M.
        npv_cny: discounted benefits less running costs less the outlay.
        profitability: discounted net benefits over the outlay.
        payback_months: first month in which the undiscounted sum turns positive, counted inside the month; None: never.
    """

    return_multiple: float
    npv_cny: float
    profitability: float
    payback_months: float | None


def invest(
    outlay_cny: float, benefit_cny: object, *, running_cny: object = 0.0, rate_per_year: float = 0.1
) -> Investment:
    """Value an outlay by the monthly benefits it brings.

    Args:
        outlay_cny: paid at the start, > 0.
        benefit_cny: (T,) CNY of the months after it, labour saved included.
        running_cny: a month, number or (T,).
        rate_per_year: discount rate, > -1.

    >>> invest(2e6, [7e6 / 24] * 24).return_multiple
    3.5
    """
    guard = Guard()
    paid = guard.number("outlay_cny", outlay_cny, above=0.0)
    benefit = guard.numbers("benefit_cny", benefit_cny, ndim=(1,))
    running = guard.numbers("running_cny", running_cny, low=0.0, ndim=(0, 1))
    if running.ndim == 1 and running.shape != benefit.shape:
        guard.add("shape", "running_cny", f"shape {running.shape}", expected=f"{benefit.shape}")
    rate = guard.number("rate_per_year", rate_per_year, above=-1.0)
    guard.done()
    net = benefit - running
    month = np.arange(1, len(net) + 1)
    present = float((net / (1 + rate) ** (month / 12)).sum())
    balance = np.cumsum(net) - paid
    payback = None
    if (balance >= 0).any():
        k = int((balance >= 0).argmax())
        before = balance[k] - net[k]
        payback = k + float(-before / net[k])
    return Investment(float(net.sum()) / paid, present - paid, present / paid, payback)
