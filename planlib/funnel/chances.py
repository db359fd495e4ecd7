"""How likely each target is met on time, alone and together, and how far the forecast spreads.

All of it is conditional on the plan as typed: gates on plan dates, budget as typed, adopted effects only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.funnel.targets import holds

RANGE = (0.1, 0.9)
GO, STOP = 0.8, 0.2


@dataclass(frozen=True, slots=True)
class Chance:
    """One target on the draws.

    Attributes:
        probability: share of paths that hold the target at its month (`p_target_on_time`).
        interval: Monte Carlo (Wilson) interval of it; None when all paths are the same.
        low, median, high: 80 % range and middle of the metric at that month; None when no path has a value.
        certain: nothing that moves this metric has a range, so that 0 or 1 only repeats what was typed.
        status: on_track, at_risk or off_track.
        hits: (D,) which paths hold it.
    """

    probability: float
    interval: Interval | None
    low: float | None
    median: float | None
    high: float | None
    certain: bool
    status: str
    hits: np.ndarray


@dataclass(frozen=True, slots=True)
class Joint:
    """Several targets together: chance of all of them, its interval, and what independence would make of it."""

    targets: int
    probability: float
    interval: Interval | None
    independent: float


def chance(goal: Mapping[str, Any], path: object, *, month: int, go: float = GO, stop: float = STOP) -> Chance:
    """Return the probability that a target holds at a month.

    Args:
        goal: metric, op, goal and goal_high (None unless a range), as in `planlib.funnel.forecast.judge`.
        path: (D, T) draws of the metric; a path without a value in that month misses the target.
        month: 1..T.
        go, stop: probabilities from which a target is on track, below which off track.

    Raises:
        InputError: the path is empty or infinite, the month outside it, or stop above go.

    >>> goal = {"op": "at_least", "goal": 5.0, "goal_high": None}
    >>> found = chance(goal, np.array([[4.0], [5.0], [6.0], [7.0]]), month=1)
    >>> found.probability, found.status
    (0.75, 'at_risk')
    """
    guard = Guard()
    draws = np.atleast_2d(np.asarray(path, dtype=float))
    if draws.size == 0:
        guard.add("empty", "path")
    elif np.isinf(draws).any():
        guard.add("not_finite", "path", float("inf"))
    due = guard.whole("month", month, high=max(draws.shape[-1], 1))
    guard.number("go", go, above=0.0, high=1.0)
    if guard.number("stop", stop, low=0.0, below=1.0) > go:
        guard.add("low_above_high", "stop", stop)
    guard.done()
    at_due = draws[:, due - 1]
    level = goal["goal"] if goal["goal_high"] is None else (goal["goal"], goal["goal_high"])
    hits = holds(goal["op"], level, at_due)
    known = at_due[~np.isnan(at_due)]
    certain = known.size == at_due.size and _same(known)
    share = float(hits.mean())
    low, median, high = (float(q) for q in np.quantile(known, (RANGE[0], 0.5, RANGE[1]))) if known.size else (None,) * 3
    return Chance(
        probability=share,
        interval=None if certain else wilson(int(hits.sum()), len(hits)),
        low=low,
        median=median,
        high=high,
        certain=certain,
        status="on_track" if share >= go else "off_track" if share < stop else "at_risk",
        hits=hits,
    )


def with_chances(
    verdicts: Iterable[Mapping[str, Any]], paths: Mapping[str, np.ndarray], *, go: float = GO, stop: float = STOP
) -> tuple[list[dict[str, Any]], dict[str, Chance]]:
    """Return judged targets with their chance beside them, and the chances by target id.

    A target without forecast keeps its status and gets no chance. A forecast keeps the value at the plan's central
    inputs; its status now follows from the chance. A chance that all or none of the paths met is told as half a path
    less or more than that, since D paths say no finer: never a certainty that was only simulated.

    Args:
        verdicts: goals with forecast, judged_month and status, see `planlib.funnel.forecast.judge`.
        paths: {metric: (D, T) draws}.
        go, stop: as in `chance`.

    Returns:
        Verdicts with probability, probability_low and probability_high (Monte Carlo interval), low, median and high
        of the forecast, certain and status; None where there is none.
    """
    rows, found = [], {}
    empty = dict.fromkeys(("probability", "probability_low", "probability_high", "low", "median", "high", "certain"))
    for verdict in verdicts:
        if verdict["forecast"] is None:
            rows.append({**verdict, **empty})
            continue
        it = chance(verdict, paths[verdict["metric"]], month=verdict["judged_month"], go=go, stop=stop)
        found[verdict["id"]] = it
        bounds = (it.interval.low, it.interval.high) if it.interval else (None, None)
        spread = (None, None) if it.certain else (it.low, it.high)
        half = 0.0 if it.certain else 0.5 / it.hits.size
        share = min(max(it.probability, half), 1 - half)
        shown = dict(zip(empty, (share, *bounds, spread[0], it.median, spread[1], it.certain), strict=True))
        rows.append({**verdict, **shown, "status": it.status})
    return rows, found


def joint(hits: Iterable[np.ndarray]) -> Joint:
    """Return the chance that all of some targets are met.

    Args:
        hits: (D,) for each target, on the same paths.

    >>> joint([np.array([True, True, False, False]), np.array([True, False, False, False])]).probability
    0.25
    """
    guard = Guard()
    rows = [np.asarray(row, dtype=bool) for row in hits]
    if not rows or not rows[0].size:
        guard.add("empty", "hits")
    elif len({row.shape for row in rows}) > 1:
        guard.add("shape", "hits", str([row.shape for row in rows]), expected="the same paths for every target")
    guard.done()
    together = np.logical_and.reduce(rows)
    same = _same(together)
    return Joint(
        targets=len(rows),
        probability=float(together.mean()),
        interval=None if same and all(_same(row) for row in rows) else wilson(int(together.sum()), together.size),
        independent=float(np.prod([row.mean() for row in rows])),
    )


def fan(path: object, levels: Sequence[float] = (0.5, 0.8, 0.95)) -> dict[str, np.ndarray]:
    """Return the median and the central ranges of a metric by month.

    Args:
        path: (D, T) draws; months in which no draw has a value give NaN.
        levels: widths of the ranges, between 0 and 1.

    Returns:
        {"median": (T,), "low_80": (T,), "high_80": (T,), ...}.

    >>> sorted(fan(np.array([[1.0], [2.0], [3.0]]), levels=(0.8,)))
    ['high_80', 'low_80', 'median']
    """
    guard = Guard()
    draws = np.atleast_2d(np.asarray(path, dtype=float))
    if draws.size == 0:
        guard.add("empty", "path")
    for level in levels:
        guard.number("levels", level, above=0.0, below=1.0)
    guard.done()
    shares = {"median": 0.5}
    for level in levels:
        shares |= {f"low_{level * 100:g}": (1 - level) / 2, f"high_{level * 100:g}": (1 + level) / 2}
    missing = np.isnan(draws)
    known = ~missing.all(axis=0)
    quantile = np.nanquantile if missing[:, known].any() else np.quantile
    found = np.full((len(shares), draws.shape[1]), np.nan)
    found[:, known] = quantile(draws[:, known], list(shares.values()), axis=0)
    return dict(zip(shares, found, strict=True))


def _same(values: np.ndarray) -> bool:
    """True when all values are the same but for rounding."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    return high - low <= 1e-9 * max(abs(low), abs(high))
