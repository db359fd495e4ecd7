"""The best budget under named rules: what binds and at what price, what more money buys, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.budget import rules as r
from planlib.budget.curves import KINDS, Curves
from planlib.budget.optimum import FEASIBILITY, Line, Optimum, Problem, optimise
from planlib.budget.verify import misses
from planlib.core.guards import Guard

STEP_CNY = 10_000.0
_SEARCHED = 200  # nodes in which a budget that keeps some rules has to be found
_UNLIMITED = 100.0  # times all that the channels can take: what a category may spend where no budget limits it
# how a reader loosens one rule a little: field and step
_STEPS = {
    r.TotalBudget: (("total_cny", STEP_CNY),),
    r.CategoryBand: (("low", -0.01), ("high", 0.01)),
    r.ChannelLimit: (("low", -STEP_CNY), ("high", STEP_CNY)),
    r.ChannelFloor: (("least_cny", -STEP_CNY),),
    r.FixedSpend: (("amount_cny", STEP_CNY), ("amount_cny", -STEP_CNY)),
    r.CostCap: (("cost_each_cny", 1.0),),
    r.ReturnFloor: (("floor", -0.1),),
    r.FreeShare: (("share", -0.01),),
    r.CategoryOfWorth: (("share", 0.01),),
    r.ChangeLimit: (("down", 0.1), ("up", 0.1)),
    r.OutcomeGoal: (("at_least", -100.0),),
}


@dataclass(frozen=True, eq=False)
class Goal:
    """What is wanted: `worth` maximised, or (`least_spend`) money minimised under the rules.

    Args:
        worth: (C,) value of one outcome; all 1 counts outcomes, CNY gives value.
        price: what a CNY of any spend costs the objective: 0, or 1 for profit.
        least_spend: minimise all money instead.
    """

    worth: np.ndarray
    price: float = 0.0
    least_spend: bool = False


@dataclass(frozen=True, eq=False)
class Allocation:
    """A budget and the proof of how good it is.

    Attributes:
        status: optimal, feasible (the gap is wider than wished) or infeasible.
        channel_cny: (T, C) spends of the channels; None when infeasible.
        other_cny: (T, K) spends of the categories besides the channels.
        category_cny: (T, K) all spends by category, the channels' parts included.
        outcomes: (T, C) outcomes that the channels bring.
        value, bound, gap_rel: objective, the most that any budget under these rules could have, and the distance.
        binding: names of the lines that hold with equality.
        method, nodes: as in `Optimum`.
        worst_miss: largest relative miss of a rule as `verify` measures it.
    """

    status: str
    channel_cny: np.ndarray | None
    other_cny: np.ndarray | None
    category_cny: np.ndarray | None
    outcomes: np.ndarray | None
    value: float
    bound: float
    gap_rel: float
    binding: tuple[str, ...]
    method: str
    nodes: int
    worst_miss: float


@dataclass(frozen=True, slots=True)
class Price:
    """What one rule costs: the gain without it, and the gain when it is loosened by one step.

    Attributes:
        rule: name.
        field, step: what is loosened and by how much, in the field's unit.
        step_gain: objective gained by that step; the larger one where a rule has two sides.
        removed_gain: objective gained if the rule did not exist; infinite where nothing else limits it.
    """

    rule: str
    field: str
    step: float
    step_gain: float
    removed_gain: float


@dataclass(frozen=True, eq=False)
class Conflict:
    """Rules that cannot hold together.

    Attributes:
        rules: a smallest set; without any one of them the others can hold.
        repairs: {line: amount} the least total change, relative to each limit's size, that lets all rules hold;
            in the line's own unit, > 0.
    """

    rules: tuple[str, ...]
    repairs: dict[str, float]


def allocate(
    frame: r.Frame, rules: Sequence[r.Rule], goal: Goal, *, gap_rel: float = 1e-6, max_nodes: int = 500
) -> Allocation:
    """Return the best budget under the rules.

    Args:
        frame: months, channels, categories, curves.
        rules: named rules, each name once.
        goal: what is wanted.
        gap_rel, max_nodes: as in `optimise`.

    Raises:
        InputError: numbers that are not finite, unknown names, a rule's name twice.
        RuntimeError: the finished budget misses a rule by more than 1e-6, which would be a defect of the solver.
    """
    problem = _problem(frame, rules, goal)
    found = optimise(problem, gap_rel=gap_rel, max_nodes=max_nodes)
    if found.spend is None:
        nothing = dict.fromkeys(("channel_cny", "other_cny", "category_cny", "outcomes"))
        return Allocation(
            found.status, **nothing, value=found.value, bound=found.bound, gap_rel=0.0, binding=(),
            method=found.method, nodes=found.nodes, worst_miss=0.0,
        )  # fmt: skip
    t, c = frame.months, len(frame.channels)
    channel = np.where(frame.open_months, found.spend[: t * c].reshape(t, c), 0.0)
    other = found.spend[t * c :].reshape(t, -1)
    missed = misses(frame, rules, channel, other)
    worst = max(missed.values(), default=0.0)
    if worst > FEASIBILITY * 10:
        raise RuntimeError(f"the budget misses {max(missed, key=missed.get)} by {worst:.3g}")
    return Allocation(
        status=found.status,
        channel_cny=channel,
        other_cny=other,
        category_cny=channel @ frame.cost_shares + other,
        outcomes=found.outcome[: t * c].reshape(t, c) * frame.open_months,
        value=found.value,
        bound=found.bound,
        gap_rel=found.gap_rel,
        binding=_binding(problem, found),
        method=found.method,
        nodes=found.nodes,
        worst_miss=worst,
    )


def prices(
    frame: r.Frame, rules: Sequence[r.Rule], goal: Goal, best: Allocation, **options: float
) -> tuple[Price, ...]:
    """Return what each binding rule costs, the dearest step first, by solving again without it and with it loosened.

    Multipliers of the solver would mislead on S-shaped curves; these gains are real differences of two optima.
    """
    bound_rules = [rule for rule in rules if any(line.name in best.binding for line in rule.lines(frame))]
    found = []
    for rule in bound_rules:
        others = [other for other in rules if other is not rule]
        without = allocate(frame, others, goal, **options).value - best.value
        steps = []
        for field, step in _STEPS[type(rule)]:
            if getattr(rule, field) is None:
                continue
            loosened = [replace(rule, **{field: max(getattr(rule, field) + step, 0.0)}), *others]
            steps.append((allocate(frame, loosened, goal, **options).value - best.value, field, step))
        gain, field, step = max(steps)
        found.append(Price(rule.name, field, step, _gain(gain, best), _gain(without, best)))
    return tuple(sorted(found, key=lambda price: -price.step_gain))


def next_money(
    frame: r.Frame,
    rules: Sequence[r.Rule],
    goal: Goal,
    best: Allocation,
    *,
    step_cny: float = STEP_CNY,
    **options: float,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return what `step_cny` more in all gains, and where it goes: (C,) and (K,) CNY.

    Budgets of a part of the months grow by their part of it; bands that are shares of a budget grow with it.
    """
    more = []
    for rule in rules:
        if isinstance(rule, r.TotalBudget):
            months = rule.span.mask(frame.months).sum() / frame.months
            more.append(replace(rule, total_cny=rule.total_cny + step_cny * months))
        elif isinstance(rule, r.CategoryBand) and rule.of_cny is not None:
            months = rule.span.mask(frame.months).sum() / frame.months
            more.append(replace(rule, of_cny=rule.of_cny + step_cny * months))
        else:
            more.append(rule)
    after = allocate(frame, more, goal, **options)
    by_channel = (after.channel_cny - best.channel_cny).sum(axis=0)
    return _gain(after.value - best.value, best), by_channel, (after.category_cny - best.category_cny).sum(axis=0)


def _gain(difference: float, best: Allocation) -> float:
    """A difference of two optima; 0 where it is no more than what the two bounds leave open."""
    return difference if difference > 2 * max(best.gap_rel, 1e-9) * abs(best.value) else 0.0


def explain(frame: r.Frame, rules: Sequence[r.Rule]) -> Conflict | None:
    """Return a smallest set of rules that cannot hold together and the nearest repair; None when all can."""
    goal = Goal(np.zeros(len(frame.channels)))
    least = Goal(np.zeros(len(frame.channels)), least_spend=True)  # leads to budgets that upper limits allow

    def possible(some: Sequence[r.Rule]) -> bool:
        problems = (_problem(frame, some, wanted) for wanted in (least, goal))
        return any(optimise(problem, gap_rel=0.5, max_nodes=_SEARCHED).spend is not None for problem in problems)

    if possible(rules):
        return None
    kept = list(rules)
    for rule in reversed(rules):
        rest = [other for other in kept if other is not rule]
        if not possible(rest):
            kept = rest
    return Conflict(tuple(rule.name for rule in kept), nearest(_problem(frame, rules, goal)))


def nearest(problem: Problem, weights: dict[str, float] | None = None) -> dict[str, float]:
    """Return {line: amount > 0} by which lines give way in the cheapest way that lets all of them hold.

    Args:
        problem: lines that cannot all hold.
        weights: cost of one unit of each line; by default 1 / max(|limit|, largest weight x high, 1).
    """
    n = len(problem.curves)
    size = [_size(problem, line) for line in problem.lines]
    signs = {"<=": (-1,), ">=": (1,), "==": (-1, 1)}
    columns = [(i, sign) for i, line in enumerate(problem.lines) for sign in signs[line.sense]]
    m = len(columns)
    lines = []
    for i, line in enumerate(problem.lines):
        slack = np.array([float(s) if j == i else 0.0 for j, s in columns])
        base = np.zeros(n) if line.spend is None else line.spend
        outcome = None if line.outcome is None else np.concatenate([line.outcome, np.zeros(m)])
        lines.append(Line(line.name, line.sense, line.limit, np.concatenate([base, slack]), outcome))
    cost = np.array([(weights or {}).get(problem.lines[i].name, 1 / size[i]) for i, _ in columns])
    curves = problem.curves
    wide = Curves(
        (*curves.kind, *[KINDS[1]] * m), np.append(curves.amount, np.ones(m)), np.append(curves.scale, np.ones(m)),
        np.append(curves.shape, np.ones(m)),
    )  # fmt: skip
    room = np.array([10 * size[i] for i, _ in columns])
    elastic = Problem(
        wide, np.append(problem.low, np.zeros(m)), np.append(problem.high, room), tuple(lines), worth=0.0,
        price=np.append(np.zeros(n), cost), least_if_on=np.append(problem.least_if_on, np.zeros(m)),
    )  # fmt: skip
    found = optimise(elastic, gap_rel=1e-3, max_nodes=_SEARCHED)
    if found.spend is None:
        return {}
    given: dict[str, float] = {}
    for (i, _), amount in zip(columns, found.spend[n:], strict=True):
        if amount > FEASIBILITY * size[i]:
            given[problem.lines[i].name] = float(amount)
    return given


def _size(problem: Problem, line: Line) -> float:
    spend = 0.0 if line.spend is None else float(np.abs(line.spend * problem.high).max())
    outcome = 0.0 if line.outcome is None else float(np.abs(line.outcome * problem.curves.value(problem.high)).max())
    return max(abs(line.limit), spend if line.limit == 0 else 0.0, outcome if line.limit == 0 else 0.0, 1.0)


def _problem(frame: r.Frame, rules: Sequence[r.Rule], goal: Goal) -> Problem:
    """Put channels month by month, then categories month by month, in one row of variables."""
    guard = Guard()
    t, c, k = frame.months, len(frame.channels), len(frame.categories)
    worth = guard.numbers("worth", goal.worth, ndim=(1,))
    if worth.shape != (c,):
        guard.add("shape", "worth", f"shape {worth.shape}", expected=f"({c},)")
    guard.done()
    curves = frame.curves
    amount = np.concatenate([(curves.amount * frame.season[:, None]).ravel(), np.ones(t * k)])
    every = Curves(
        (*curves.kind * t, *[KINDS[1]] * (t * k)), np.maximum(amount, 1e-300),
        np.append(np.tile(curves.scale, t), np.ones(t * k)), np.append(np.tile(curves.shape, t), np.ones(t * k)),
    )  # fmt: skip
    high = np.where(frame.open_months, frame.most_cny, 0.0)
    totals = [rule.total_cny for rule in rules if isinstance(rule, r.TotalBudget)]
    roof = sum(totals) if totals else _UNLIMITED * max(float(high.sum()), 1.0)
    spend_price = 1.0 if goal.least_spend else goal.price
    return Problem(
        every,
        np.concatenate([np.zeros(t * c), frame.committed.ravel()]),
        np.concatenate([high.ravel(), np.maximum(roof, frame.committed).ravel()]),
        tuple(line for rule in rules for line in rule.lines(frame)),
        worth=np.concatenate([np.tile(np.zeros(c) if goal.least_spend else worth, t), np.zeros(t * k)]),
        price=spend_price,
        least_if_on=np.concatenate([np.where(frame.open_months, frame.least_if_on_cny, 0.0).ravel(), np.zeros(t * k)]),
    )


def _binding(problem: Problem, found: Optimum) -> tuple[str, ...]:
    sides = problem.sides(found.spend)
    return tuple(
        line.name
        for line, side in zip(problem.lines, sides, strict=True)
        if line.sense == "==" or abs(side - line.limit) <= FEASIBILITY * _size(problem, line)
    )
