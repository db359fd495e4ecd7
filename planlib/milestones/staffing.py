"""How many people the load needs: by month and function, hired in time, at the least cost, with chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.errors import InputError
from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the team.

    Attributes:
        id: its name.
        low, high: fewest and most people that the team list gives it.
        per_head: (T,) load that one person carries in each month; None = not driven by load.
    """

    id: str
    low: int
    high: int
    per_head: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Staffing:
    """Heads by draw, month and function.

    Attributes:
        functions: (F,) names.
        required: (D, T, F) people needed; never below the list's minimum.
        over: (D, T, F) of those, people beyond the list's maximum.
        total: (D, T) people needed in all functions.
        listed_low, listed_high: what the list adds up to.
    """

    functions: tuple[str, ...]
    required: np.ndarray
    over: np.ndarray
    total: np.ndarray
    listed_low: int
    listed_high: int


@dataclass(frozen=True, slots=True)
class Hiring:
    """The cheapest hiring plan of those that leave the least load undone; arrays (T,).

    Attributes:
        heads: people in the month.
        starts: people who begin in the month; their hiring begins `lag_months` before.
        leaves: people who are gone from the month on.
        capacity_heads: what these people carry, in people who know the work.
        short_heads: what is missing of the need, in people who know the work.
        cost_cny: pay of the month, with hiring and releasing.
        total_cny: over all months.
        bound_cny: proven: no plan with as little undone costs less.
    """

    heads: np.ndarray
    starts: np.ndarray
    leaves: np.ndarray
    capacity_heads: np.ndarray
    short_heads: np.ndarray
    cost_cny: np.ndarray
    total_cny: float
    bound_cny: float


@dataclass(frozen=True, slots=True)
class CostBand:
    """A cost as a share of a budget against its band.

    Attributes:
        share: cost / budget.
        inside: within the band, ends included.
        move_cny: how much the cost would have to change to stand inside; 0 inside.
    """

    share: float
    inside: bool
    move_cny: float


def learning_curve(months: int, *, start: float, end: float, months_to_end: int) -> np.ndarray:
    """Return the load that one person carries, rising by one factor a month until it stays.

    Args:
        months: T.
        start, end: in month 1, and from month `months_to_end` on; > 0.
        months_to_end: month in which `end` is reached, >= 1; 1 = at once.

    >>> learning_curve(4, start=5_000, end=10_000, months_to_end=3).round()
    array([ 5000.,  7071., 10000., 10000.])
    """
    guard = Guard()
    horizon = guard.whole("months", months)
    first = guard.number("start", start, above=0.0)
    last = guard.number("end", end, above=0.0)
    arrival = guard.whole("months_to_end", months_to_end)
    guard.done()
    done = np.minimum(np.arange(horizon) / (arrival - 1), 1.0) if arrival > 1 else np.ones(horizon)
    return first * (last / first) ** done


def heads_required(load: object, per_head: object) -> np.ndarray:
    """Return the whole people that a load needs.

    Args:
        load: users (or active users, tickets, ...), >= 0; any shape.
        per_head: load of one person, > 0; broadcasts.

    >>> int(heads_required(1_000_000, 10_000)), int(heads_required(1_000_000, 5_000))
    (100, 200)
    """
    guard = Guard()
    amount = guard.numbers("load", load, low=0.0)
    each = guard.numbers("per_head", per_head, above=0.0)
    guard.done()
    try:
        return np.ceil(amount / each - 1e-9).astype(np.int64)
    except ValueError:
        guard.add("shape", "per_head", f"shape {each.shape}", expected=f"one number or what fits {amount.shape}")
        raise InputError(*guard.problems) from None


def listed_team(functions: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the fewest and the most people that a team list adds up to.

    Args:
        functions: {function: (low, high)}.

    >>> listed_team({"content": (3, 5), "operations": (5, 8)})
    (8, 13)
    """
    guard = Guard()
    if not functions:
        guard.add("empty", "functions")
    for name, ends in functions.items():
        _ends(guard, f"functions.{name}", ends)
    guard.done()
    return tuple(int(sum(ends[side] for ends in functions.values())) for side in (0, 1))


def staffing(load: object, functions: Sequence[Function]) -> Staffing:
    """Tell the people needed in each function, and where the list's maximum is not enough.

    Args:
        load: (T,) or (D, T) >= 0, e.g. users at the end of each month.
        functions: at least one; those without `per_head` need their minimum.

    >>> found = staffing([40_000.0, 90_000.0], [Function("operations", 5, 8, np.array([10_000.0] * 2)),
    ...                                         Function("content", 3, 5)])
    >>> found.required[0].tolist(), found.over[0].tolist()
    ([[5, 3], [9, 3]], [[0, 0], [1, 0]])
    """
    guard = Guard()
    users = guard.numbers("load", load, low=0.0, ndim=(1, 2))
    users = np.atleast_2d(users)
    months = users.shape[1]
    for place, function in enumerate(functions):
        if function.per_head is not None:
            each = guard.numbers(f"functions[{place}].per_head", function.per_head, above=0.0, ndim=(1,))
            if each.shape != (months,):
                guard.add("shape", f"functions[{place}].per_head", f"shape {each.shape}", expected=f"({months},)")
    guard.done()
    low, high = listed_team({function.id: (function.low, function.high) for function in functions})
    columns = []
    for function in functions:
        need = 0 if function.per_head is None else heads_required(users, function.per_head)
        columns.append(np.broadcast_to(np.maximum(need, function.low), users.shape))
    required = np.stack(columns, axis=-1).astype(np.int64)
    over = np.maximum(required - np.array([function.high for function in functions]), 0)
    return Staffing(tuple(f.id for f in functions), required, over, required.sum(axis=-1), low, high)


def heads_for_chance(load: object, per_head: object, *, probability: float = 0.8) -> np.ndarray:
    """Return (T,) the fewest people who carry the load with a probability, month by month.

    Args:
        load: (D, T) draws of the load.
        per_head: (T,) or one number.
        probability: above 0, at most 1.

    >>> heads_for_chance([[10.0], [20.0], [30.0], [40.0], [50.0]], 10.0, probability=0.8)
    array([4])
    """
    guard = Guard()
    users = guard.numbers("load", load, low=0.0, ndim=(2,))
    chance = guard.number("probability", probability, above=0.0, high=1.0)
    guard.done()
    place = max(int(np.ceil(chance * len(users) - 1e-9)), 1) - 1
    return heads_required(np.sort(users, axis=0)[place], per_head)


def chance_enough(heads: object, load: object, per_head: object, *, level: float = 0.95) -> tuple[np.ndarray, Interval]:
    """Return (T,) the share of draws in which the people carry the load, with Wilson limits.

    Args:
        heads: (T,) people who know the work, >= 0, e.g. `Hiring.capacity_heads`.
        load: (D, T) draws.
        per_head: (T,) or one number.
    """
    guard = Guard()
    users = guard.numbers("load", load, low=0.0, ndim=(2,))
    people = guard.numbers("heads", heads, low=0.0, ndim=(1,))
    each = guard.numbers("per_head", per_head, above=0.0, ndim=(0, 1))
    for name, part in (("heads", people), ("per_head", each)):
        if part.ndim and part.shape != users.shape[1:]:
            guard.add("shape", name, f"shape {part.shape}", expected=f"{users.shape[1:]}")
    guard.done()
    hits = (users <= people * each * (1 + 1e-12)).sum(axis=0)
    return hits / len(users), wilson(hits, len(users), level=level)


def plan_hiring(
    need_heads: object,
    *,
    heads_now: int,
    lag_months: int = 0,
    pay_month_cny: float,
    hire_cost_cny: float = 0.0,
    release_cost_cny: float | None = None,
    ramp: Sequence[float] = (),
    most_heads: int | None = None,
) -> Hiring:
    """Find the cheapest whole-numbered hiring plan that carries the load, as far as it can be carried.

    Two integer programs: the first finds how little can be left undone (nobody begins before
    the lag is over, the team never passes `most_heads`), the second the least cost among the
    plans that leave no more undone than that, with a proven bound. Who leaves knows the work.
    Needs count in hundredths of a person, rounded up, and `ramp` in hundredths, rounded down.

    Args:
        need_heads: (T,) people who know the work that the load needs, >= 0; need not be whole.
        heads_now: people before month 1; they know the work.
        lag_months: months from the decision to hire to the first day; hiring begins in month 1.
        pay_month_cny: loaded pay of one person, > 0.
        hire_cost_cny, release_cost_cny: once for each; None = nobody is released.
        ramp: what a newcomer carries in the first, second, ... month, as a share of one who
            knows the work; rising to 1 afterwards.
        most_heads: limit on the team; None = no limit.

    Raises:
        InputError: a value is out of range, or the team is larger than `most_heads` already.

    >>> plan = plan_hiring([3, 4, 6], heads_now=3, lag_months=1, pay_month_cny=10.0)
    >>> plan.starts.tolist(), plan.total_cny
    ([0, 1, 2], 130.0)
    """
    guard = Guard()
    need = guard.numbers("need_heads", need_heads, low=0.0, ndim=(1,))
    now = guard.whole("heads_now", heads_now, low=0)
    lag = guard.whole("lag_months", lag_months, low=0)
    pay = guard.number("pay_month_cny", pay_month_cny, above=0.0)
    hire = guard.number("hire_cost_cny", hire_cost_cny, low=0.0)
    release = None if release_cost_cny is None else guard.number("release_cost_cny", release_cost_cny, low=0.0)
    learning = guard.share("ramp", ramp, ndim=(1,)) if len(ramp) else np.zeros(0)
    most = None if most_heads is None else guard.whole("most_heads", most_heads, low=0)
    if not guard.problems and most is not None and now > most:
        guard.add("at_most", "heads_now", now, high=most)
    guard.done()
    exact = np.ceil(need * 100 - 1e-6).astype(int)
    missing = 100 - np.floor(learning * 100 + 1e-6).astype(int)
    money = [round(100 * cny) for cny in (pay, hire, release or 0.0)]
    most_ever = now + int(exact.max()) // max(1, min((100 - missing[missing < 100]).tolist(), default=100)) + 1
    limits = (lag, release is not None, most_ever if most is None else min(most, most_ever))
    least, _ = _solve(exact, now, missing, limits, money=(0, 0, 0), undone=1, at_most=None)
    found, bound = _solve(exact, now, missing, limits, money=money, undone=0, at_most=int(least[2].sum()))
    starts, leaves, short = found
    heads = now + (starts - leaves).cumsum()
    behind = np.convolve(starts, np.append(missing / 100, 0.0))[: len(need)]
    monthly = pay * heads + hire * starts + (release or 0.0) * leaves
    return Hiring(heads, starts, leaves, heads - behind, short / 100, monthly, float(monthly.sum()), bound / 100)


def cost_against_band(cost_cny: float, budget_cny: float, *, low: float, high: float) -> CostBand:
    """Hold a cost against the share of the budget that it may take.

    >>> cost_against_band(300.0, 1_000.0, low=0.4, high=0.5)
    CostBand(share=0.3, inside=False, move_cny=100.0)
    """
    guard = Guard()
    cost = guard.number("cost_cny", cost_cny, low=0.0)
    budget = guard.number("budget_cny", budget_cny, above=0.0)
    least = guard.number("low", low, low=0.0, high=1.0)
    most = guard.number("high", high, low=0.0, high=1.0)
    if not guard.problems and least > most:
        guard.add("low_above_high", "low", least)
    guard.done()
    wanted = float(np.clip(cost, least * budget, most * budget))
    inside = abs(wanted - cost) <= 1e-9 * budget
    return CostBand(cost / budget, inside, 0.0 if inside else wanted - cost)


def _ends(guard: Guard, field: str, ends: tuple[int, int]) -> None:
    low = guard.whole(f"{field}.low", ends[0], low=0)
    high = guard.whole(f"{field}.high", ends[1], low=0)
    if low > high:
        guard.add("low_above_high", field, list(ends))


def _solve(
    need: np.ndarray,
    now: int,
    missing: np.ndarray,
    limits: tuple[int, bool, int],
    *,
    money: Sequence[int],
    undone: int,
    at_most: int | None,
) -> tuple[np.ndarray, float]:
    """Minimise money and undone work over whole-numbered starts and leaves.

    Args:
        need: (T,) hundredths of a person.
        missing: (A,) hundredths that a newcomer does not carry yet, by month since the first day.
        limits: months without starts, whether people are released, most people.
        money: pay of a month, hiring and releasing of one person.
        undone: weight of a hundredth left undone in a month.
        at_most: hundredths that may be left undone over all months.

    Returns:
        (3, T) starts, leaves and hundredths left undone; and the proven bound.
    """
    from ortools.sat.python import cp_model

    lag, releases, most = limits
    months = len(need)
    model = cp_model.CpModel()
    starts = [model.new_int_var(0, most if t >= lag else 0, "") for t in range(months)]
    leaves = [model.new_int_var(0, most if releases else 0, "") for _ in range(months)]
    short = [model.new_int_var(0, int(need[t]), "") for t in range(months)]
    heads = [model.new_int_var(0, max(most, now), "") for _ in range(months)]
    for t in range(months):
        model.add(heads[t] == (heads[t - 1] if t else now) + starts[t] - leaves[t])
        recent = [(starts[t - age], int(share)) for age, share in enumerate(missing[: t + 1])]
        model.add(100 * heads[t] - sum(people * share for people, share in recent) + short[t] >= int(need[t]))
        model.add(heads[t] >= sum(people for people, _ in recent))
    if at_most is not None:
        model.add(sum(short) <= at_most)
    pay, hire, release = money
    model.minimize(pay * sum(heads) + hire * sum(starts) + release * sum(leaves) + undone * sum(short))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = 60.0
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C would end the whole process at once ever after
    solver.solve(model)
    found = np.array([[solver.value(column) for column in part] for part in (starts, leaves, short)], dtype=np.int64)
    return found, solver.best_objective_bound
