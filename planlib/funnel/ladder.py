"""Month by month from today to the goals: ladders of levels and of monthly amounts, and their growth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

import numpy as np

from planlib.core.decompose import apportion
from planlib.core.guards import Guard

SHAPES = ("linear", "compound", "s_curve", "stage_weighted")
DIRECTIONS = ("up", "down", "none")
Limits = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Quarter:
    """One calendar quarter of a ladder.

    Attributes:
        year: 0 for the calendar year in which month 1 lies, 1 for the next.
        quarter: 1 to 4.
        first_month, last_month: its months within the ladder, both inclusive.
        value: sum of monthly amounts, or the level at the last month.
    """

    year: int
    quarter: int
    first_month: int
    last_month: int
    value: float


def ladder(
    goals: Mapping[int, float],
    months: int,
    *,
    opening: float = 0.0,
    rungs: Mapping[int, float] | None = None,
    shape: str = "linear",
    weights: object = None,
    direction: str = "none",
    limits: Limits = (0.0, None),
    whole: bool = False,
) -> np.ndarray:
    """Return a monthly path of levels from the opening through every goal and every rung fixed by hand.

    The path passes through goals and rungs exactly; the months between two of them are reckoned from these two
    (`s_curve`: from the neighbours too), so fixing a rung moves the months around it and nothing else. After the
    last one it stays. The opening stands before month 1: a goal at month 12 is twelve steps away.

    Shapes: equal steps (`linear`), equal growth (`compound`), a monotone cubic that starts and ends flat (`s_curve`:
    PCHIP slopes at the knots between), steps in proportion to `weights` (`stage_weighted`). The other shapes use
    `weights` as a calendar: a month of weight 0 is closed and flat, all others count alike.

    Args:
        goals: {month: level at its end}, months 1..T.
        months: T, length of the plan.
        opening: level before month 1.
        rungs: {month: level} fixed by hand.
        shape: one of SHAPES.
        weights: (T,) >= 0, e.g. stage calendar x season; None = all months open and alike.
        direction: `up` for a path that never falls, `down` for one that never rises, `none` for either.
        limits: lowest and highest level that makes sense, e.g. (0, 1) for a share; None = no limit.
        whole: round to whole numbers; opening, goals and rungs have to be whole.

    Returns:
        (T,) levels at the month ends.

    Raises:
        InputError: no goal; a month outside the horizon; a level outside the limits; a rung that contradicts the
            goal of its month, or with which the path would have to turn back; a change while every month in which
            it could happen is closed; compound growth from zero; all of them at once.

    Source: Fritsch & Butland 1984 for the slopes.

    >>> ladder({2: 200.0, 4: 300.0}, 5)
    array([100., 200., 250., 300., 300.])
    >>> ladder({4: 100.0}, 4, rungs={1: 70.0}, direction="up")
    array([ 70.,  80.,  90., 100.])
    """
    guard = Guard()
    horizon, share = _frame(guard, goals, months, shape, weights)
    guard.choice("direction", direction, DIRECTIONS)
    knots = _knots(guard, goals, rungs or {}, horizon, opening, limits, whole)
    if shape == "compound":
        for name, level in _named(knots, rungs or {}):
            if np.isfinite(level) and level <= 0:
                guard.add("ladder_start", name, level)
    guard.done()
    _turns(guard, knots, rungs or {}, direction)
    time = np.concatenate([[0.0], np.cumsum(share)])
    _closed(guard, knots, rungs or {}, time)
    guard.done()
    at, levels = np.array(list(knots)), np.array(list(knots.values()))
    path = _through(time[at], levels, at, time, shape)
    path = np.append(path, np.full(horizon - at[-1], levels[-1]))
    return np.round(path) if whole else path


def flow_ladder(
    totals: Mapping[int, float],
    months: int,
    *,
    opening: float | None = None,
    rungs: Mapping[int, float] | None = None,
    shape: str = "linear",
    weights: object = None,
    whole: bool = False,
) -> np.ndarray:
    """Return monthly amounts, such as GMV or new users, whose running total passes through every goal.

    Without an opening the months share a total alike (`stage_weighted`: in proportion to the weights). With one, the
    amount of a month moves from it by equal steps, equal growth or an S, so far that the total is met. A rung fixes
    the amount of a month; the open months of the same total share the rest in the proportions that they had.

    Args:
        totals: {month: amount of months 1 to that month together}.
        months: T, length of the plan.
        opening: amount of the month before month 1; None when it is not known.
        rungs: {month: amount} fixed by hand.
        shape, weights: as in `ladder`; a closed month has the amount 0. `compound` needs an opening above 0.
        whole: whole amounts; totals and rungs have to be whole.

    Returns:
        (last month of the totals,) amounts >= 0, which sum to the totals exactly.

    Raises:
        InputError: as in `ladder`; rungs that exceed their total, or leave a part of it to no month; a total that
            an amount moving from the opening meets only below zero.

    >>> flow_ladder({3: 90.0}, 3, rungs={2: 50.0})
    array([20., 50., 20.])
    """
    guard = Guard()
    horizon, share = _frame(guard, totals, months, shape, weights)
    fixed = rungs or {}
    knots = _knots(guard, totals, {}, horizon, 0.0, (0.0, None), whole)
    for month, amount in fixed.items():
        guard.whole("rungs", month, high=max(totals, default=horizon))
        _level(guard, f"rungs[{month}]", amount, (0.0, None), whole)
    start = None if opening is None else guard.number("opening", opening, low=0.0)
    if shape == "compound" and (start is None or start <= 0):
        guard.add("ladder_start", "opening", start)
    guard.done()
    _turns(guard, knots, {}, "up")
    _closed(guard, knots, {}, np.concatenate([[0.0], np.cumsum(share)]))
    guard.done()
    parts, level, at = [], start, list(knots.items())
    for (m0, before), (m1, after) in pairwise(at):
        total = after - before
        base = _amounts(guard, total, level, share[m0:m1], shape, m1)
        guard.done()
        level = None if start is None else float(base[-1])
        held = {m - m0 - 1: amount for m, amount in fixed.items() if m0 < m <= m1}
        parts.append(_share_rest(guard, total, base, held, m0, whole))
    guard.done()
    return np.concatenate(parts)


def quarters(values: object, *, flow: bool, start_month: int = 1) -> tuple[Quarter, ...]:
    """Return the calendar quarters of a ladder: sums of amounts, or levels at their ends.

    Args:
        values: (T,) from month 1 on.
        flow: True for monthly amounts, which are added up; False for levels.
        start_month: calendar month (1..12) of month 1; the first and last quarter may be cut short.

    >>> [q.value for q in quarters([1.0, 2.0, 3.0, 4.0], flow=True)]
    [6.0, 4.0]
    >>> [(q.quarter, q.value) for q in quarters([1.0, 2.0, 3.0, 4.0], flow=False, start_month=3)]
    [(1, 1.0), (2, 4.0)]
    """
    guard = Guard()
    path = guard.numbers("values", values, ndim=(1,))
    first = guard.whole("start_month", start_month, high=12)
    guard.done()
    number = (np.arange(path.size) + first - 1) // 3
    found = []
    for quarter in range(number[0], number[-1] + 1):
        months = np.flatnonzero(number == quarter)
        value = fsum(path[months]) if flow else float(path[months[-1]])
        found.append(Quarter(quarter // 4, quarter % 4 + 1, int(months[0]) + 1, int(months[-1]) + 1, value))
    return tuple(found)


def monthly_growth(start: float, end: float, *, steps: int) -> float:
    """Return the growth of one step that leads from start to end; 12 month ends are 11 steps.

    >>> round(monthly_growth(100.0, 121.0, steps=2), 6)
    0.1
    """
    guard = Guard()
    first = guard.number("start", start, above=0.0)
    last = guard.number("end", end, above=0.0)
    count = guard.whole("steps", steps)
    guard.done()
    return (last / first) ** (1.0 / count) - 1.0


def annualise(monthly: float) -> float:
    """Return the growth of a year at a monthly growth.

    >>> round(annualise(0.01), 6)
    0.126825
    """
    guard = Guard()
    rate = guard.number("monthly", monthly, low=-1.0)
    guard.done()
    return (1.0 + rate) ** 12 - 1.0


def _frame(
    guard: Guard, goals: Mapping[int, float], months: int, shape: str, weights: object
) -> tuple[int, np.ndarray]:
    """Check what every ladder has; return T and the (T,) pace of each month."""
    horizon = guard.whole("months", months)
    guard.choice("shape", shape, SHAPES)
    if not goals:
        guard.add("empty", "goals")
    if weights is None:
        if shape == "stage_weighted":
            guard.add("missing", "weights")
        return horizon, np.ones(horizon)
    pace = guard.numbers("weights", weights, low=0.0, ndim=(1,))
    if pace.shape != (horizon,):
        guard.add("shape", "weights", f"shape {pace.shape}", expected=f"({horizon},)")
    return horizon, pace if shape == "stage_weighted" else (pace > 0).astype(float)


def _level(guard: Guard, name: str, value: object, limits: Limits, whole: bool) -> float:
    level = guard.number(name, value, low=limits[0], high=limits[1])
    if whole and np.isfinite(level) and level != int(level):
        guard.add("not_whole", name, value)
    return level


def _knots(
    guard: Guard,
    goals: Mapping[int, float],
    rungs: Mapping[int, float],
    horizon: int,
    opening: float,
    limits: Limits,
    whole: bool,
) -> dict[int, float]:
    """Return {month: level} of the opening (month 0), the goals and the rungs, in order of time."""
    knots = {0: _level(guard, "opening", opening, limits, whole)}
    for name, stated in (("goals", goals), ("rungs", rungs)):
        for month, value in stated.items():
            at = guard.whole(name, month, high=horizon)
            level = _level(guard, f"{name}[{month}]", value, limits, whole)
            if name == "rungs" and at in goals and level != knots[at]:
                guard.add("rung_against_goal", f"rungs[{month}]", value, level=_shown(knots[at]))
            else:
                knots[at] = level
    return dict(sorted(knots.items()))


def _named(knots: Mapping[int, float], rungs: Mapping[int, float]) -> list[tuple[str, float]]:
    return [(_name(month, rungs), level) for month, level in knots.items()]


def _name(month: int, rungs: Mapping[int, float]) -> str:
    return "opening" if month == 0 else f"{'rungs' if month in rungs else 'goals'}[{month}]"


def _turns(guard: Guard, knots: Mapping[int, float], rungs: Mapping[int, float], direction: str) -> None:
    """Name each pair of neighbours between which the path would turn back, by the one that was fixed by hand."""
    sign = {"up": 1.0, "down": -1.0, "none": 0.0}[direction]
    pairs = list(knots.items())
    for (m0, v0), (m1, v1) in pairwise(pairs):
        if sign * (v1 - v0) < 0:
            blamed, other = (m0, m1) if m0 in rungs else (m1, m0)
            guard.add("ladder_turns", _name(blamed, rungs), knots[blamed], month=other, level=_shown(knots[other]))


def _closed(guard: Guard, knots: Mapping[int, float], rungs: Mapping[int, float], time: np.ndarray) -> None:
    """Name each knot that needs a change while every month since the one before is closed."""
    pairs = list(knots.items())
    for (m0, v0), (m1, v1) in pairwise(pairs):
        if v1 != v0 and time[m1] == time[m0]:
            guard.add("no_open_month", _name(m1, rungs), v1, month=m1)


def _shown(level: float) -> str:
    return f"{level:,.12g}"


def _through(x: np.ndarray, y: np.ndarray, at: np.ndarray, time: np.ndarray, shape: str) -> np.ndarray:
    """Return the path of months 1 to the last knot.

    Args:
        x, y: (K,) time and level of the knots; time stands still in closed months.
        at: (K,) their months.
        time: (T + 1,) time at the end of month 0..T.
    """
    slopes = _slopes(x, y) if shape == "s_curve" else np.zeros(len(x))
    path = np.empty(at[-1])
    for k, (m0, m1) in enumerate(pairwise(at)):
        width = x[k + 1] - x[k]
        done = (time[m0 + 1 : m1 + 1] - x[k]) / width if width else np.zeros(m1 - m0)
        if shape == "compound":
            piece = y[k] * (y[k + 1] / y[k]) ** done
        elif shape == "s_curve":
            piece = _hermite(done, y[k], y[k + 1], width * slopes[k], width * slopes[k + 1])
        else:
            piece = y[k] + (y[k + 1] - y[k]) * done
        path[m0:m1] = np.clip(piece, min(y[k], y[k + 1]), max(y[k], y[k + 1]))
        path[m1 - 1] = y[k + 1]
    return path


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """PCHIP slopes inside, 0 at both ends: monotone between any two knots."""
    slopes = np.zeros(len(x))
    width = np.diff(x)
    rise = np.divide(np.diff(y), width, out=np.zeros(len(width)), where=width > 0)
    before, after = rise[:-1], rise[1:]
    w1, w2 = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    same = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes[1:-1] = np.where(same, (w1 + w2) / (w1 / before + w2 / after), 0.0)
    return slopes


def _hermite(s: np.ndarray, y0: float, y1: float, m0: float, m1: float) -> np.ndarray:
    return (
        y0 * (1 + 2 * s) * (1 - s) ** 2 + m0 * s * (1 - s) ** 2 + y1 * s**2 * (3 - 2 * s) + m1 * s**2 * (s - 1)
    )


def _amounts(
    guard: Guard, total: float, start: float | None, pace: np.ndarray, shape: str, month: int
) -> np.ndarray:
    """Return the amounts of the months of one total, without rungs."""
    if total == 0:
        return np.zeros(len(pace))
    if start is None or shape == "stage_weighted":
        return total * pace / pace.sum()
    passed = np.cumsum(pace)
    done = passed / passed[-1]
    is_open = pace > 0
    if shape == "compound":
        growth = _growth(total, start, passed[is_open])
        return np.where(is_open, start * growth**passed, 0.0)
    curve = done if shape == "linear" else done**2 * (3 - 2 * done)
    end = start + (total - start * is_open.sum()) / curve[is_open].sum()
    if end < 0:
        guard.add("ladder_below_zero", f"goals[{month}]", total, opening=_shown(start))
    return np.where(is_open, start + (end - start) * curve, 0.0)


def _growth(total: float, start: float, passed: np.ndarray) -> float:
    """Return g with the sum of start * g ** passed equal to the total, by bisection on its logarithm."""
    low, high = -60.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        if np.log(start) + np.logaddexp.reduce(middle * passed) < np.log(total):
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def _share_rest(
    guard: Guard, total: float, base: np.ndarray, held: Mapping[int, float], before: int, whole: bool
) -> np.ndarray:
    """Keep the held amounts and share the rest of the total in the proportions of the base."""
    parts = base.copy()
    parts[list(held)] = list(held.values())
    free = np.ones(len(base), dtype=bool)
    free[list(held)] = False
    rest = total - fsum(held.values())
    weight = base * free
    slack = 1e-9 * max(total, 1.0)
    if rest < -slack or (rest > slack and not weight.sum() > 0):
        name = f"rungs[{max(held) + before + 1}]" if held else f"goals[{before + len(base)}]"
        guard.add("rungs_past_total", name, fsum(held.values()), total=_shown(total))
        return parts
    if not free.any() or not weight.sum() > 0:
        parts[free] = 0.0
        return parts
    if whole:
        parts[free] = apportion(round(rest), weight[free])
        return parts
    parts[free] = rest * weight[free] / weight.sum()
    last = int(np.flatnonzero(free & (weight > 0))[-1])
    parts[last] = max(total - fsum(np.delete(parts, last)), 0.0)
    return parts
