"""A forecast beside its target: reached or not, when, by how much, and which stage is short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np

from planlib.core.decompose import lmdi
from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.funnel.users import lagged

OPS = ("at_least", "at_most", "equals", "above", "below", "between")
STAGES = ("acquisition", "activation", "retention", "revenue", "referral")


@dataclass(frozen=True, slots=True)
class Assessment:
    """One target against its forecast.

    Attributes:
        op, goal: as given; goal is (low, high) for `between`.
        due_month: month of judgement; the last of the horizon when the target is undated.
        dated: False when the target states no month.
        value: forecast at the due month (median of the draws); None when there is none.
        low, high: 80 % range of the draws there; None for a point forecast.
        reached_month: first month in which the median forecast holds the target; None if never.
        gap: value - goal (for `between` to the nearer end, 0 inside), in the metric's unit.
        gap_rel: gap / |goal|; None when the goal is 0.
        shortfall: how far the wrong side of the goal, >= 0.
        status: on_track, at_risk, off_track or not_measured. Draws decide by their
            probability, a point forecast by the goal itself.
        probability: share of draws that hold the target at the due month; None for a point forecast.
        interval: Monte Carlo (Wilson) interval of that share.
        reason: why there is no value, as an id; "" when there is one.
    """

    op: str
    goal: float | tuple[float, float]
    due_month: int | None
    dated: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reached_month: int | None = None
    gap: float | None = None
    gap_rel: float | None = None
    shortfall: float | None = None
    status: str = "not_measured"
    probability: float | None = None
    interval: Interval | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """People in each lifecycle stage by draw and month: volumes (D, T, 5)."""

    stages: tuple[str, ...]
    volumes: np.ndarray


@dataclass(frozen=True, slots=True)
class StageGap:
    """The gap at the last stage, (...), split over the stages, (..., S); bottleneck = largest loss."""

    gap: np.ndarray
    parts: np.ndarray
    bottleneck: str | None


def assess(
    op: str,
    goal: float | tuple[float, float],
    path: object,
    *,
    due_month: int | None = None,
    tolerance: float | None = None,
    go: float = 0.8,
    stop: float = 0.2,
    level: float = 0.95,
) -> Assessment:
    """Judge a target on a monthly forecast.

    Args:
        op: at_least, at_most, equals, above, below or between.
        goal: number in the metric's unit; (low, high) for `between`, both ends included.
        path: (T,) or (D, T) forecast at the end of month 1..T; NaN = no value in that
            month (a rate over nobody); None = the metric is not forecast at all.
        due_month: 1..T; None = the target is undated and is judged at the horizon's end.
        tolerance: half-width of `equals`; None = half a unit of the goal's third digit.
        go, stop: probabilities from which a target is on track, below which off track.
        level: of the probability's interval.

    Raises:
        InputError: unknown op, goal or limits out of range, empty horizon, infinite
            forecast, or a due month after the horizon.

    >>> verdict = assess("at_least", 1_000_000, [200_000.0, 400_000.0], due_month=2)
    >>> verdict.status, verdict.gap
    ('off_track', -600000.0)
    """
    guard = Guard()
    guard.choice("op", op, OPS)
    low_goal, high_goal = _goal(guard, op, goal)
    guard.number("go", go, above=0.0, high=1.0)
    guard.number("stop", stop, low=0.0, below=1.0)
    if guard.problems == [] and stop > go:
        guard.add("low_above_high", "stop", stop)
    guard.number("level", level, above=0.0, below=1.0)
    width = _stated_tolerance(low_goal) if tolerance is None else guard.number("tolerance", tolerance, low=0.0)
    if path is None:
        month = None if due_month is None else guard.whole("due_month", due_month)
        guard.done()
        return Assessment(op, goal, month, due_month is not None, reason="not_forecast")
    draws = _path(guard, path)
    due = draws.shape[1] if due_month is None else guard.whole("due_month", due_month, high=max(draws.shape[1], 1))
    guard.done()
    at_due = draws[:, due - 1]
    if np.isnan(at_due).any():
        return Assessment(op, goal, due, due_month is not None, reason="undefined_at_due_month")
    middle = np.median(draws, axis=0)
    value = float(middle[due - 1])
    held = _held(op, middle, low_goal, high_goal, width)
    gap = value - (low_goal if op != "between" else float(np.clip(value, low_goal, high_goal)))
    point = len(draws) == 1
    hits = int(_held(op, at_due, low_goal, high_goal, width).sum())
    chance = None if point else hits / len(draws)
    return Assessment(
        op=op,
        goal=goal,
        due_month=due,
        dated=due_month is not None,
        value=value,
        low=None if point else float(np.quantile(at_due, 0.1)),
        high=None if point else float(np.quantile(at_due, 0.9)),
        reached_month=int(held.argmax()) + 1 if held.any() else None,
        gap=gap,
        gap_rel=gap / abs(low_goal) if op != "between" and low_goal != 0 else None,
        shortfall=_shortfall(op, gap, width),
        status=_status(bool(held[due - 1]), chance, go, stop),
        probability=chance,
        interval=None if point else wilson(hits, len(draws), level=level),
    )


def holds(
    op: str, goal: float | tuple[float, float], values: object, *, tolerance: float | None = None
) -> np.ndarray:
    """Return which values hold a target; NaN never does.

    Args:
        op, goal, tolerance: as in `assess`.
        values: any shape, in the goal's unit.

    >>> holds("between", (0.2, 0.3), [0.1, 0.25, float("nan")]).tolist()
    [False, True, False]
    """
    guard = Guard()
    guard.choice("op", op, OPS)
    low, high = _goal(guard, op, goal)
    width = _stated_tolerance(low) if tolerance is None else guard.number("tolerance", tolerance, low=0.0)
    guard.done()
    return _held(op, np.asarray(values, dtype=float), low, high, width)


def _goal(guard: Guard, op: str, goal: object) -> tuple[float, float]:
    if op != "between":
        value = guard.number("goal", goal)
        return value, value
    ends = guard.numbers("goal", goal, ndim=(1,))
    if ends.shape != (2,):
        guard.add("shape", "goal", f"shape {ends.shape}", expected="(low, high)")
        return np.nan, np.nan
    if ends[0] > ends[1]:
        guard.add("low_above_high", "goal", list(ends))
    return float(ends[0]), float(ends[1])


def _stated_tolerance(goal: float) -> float:
    """Half a unit of the third significant digit of a goal as stated."""
    return 0.5 * 10.0 ** (floor(log10(abs(goal))) - 2) if goal and np.isfinite(goal) else 0.0


def _path(guard: Guard, path: object) -> np.ndarray:
    values = np.asarray(path)
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2):
        guard.add("shape", "path", f"{values.dtype} {values.shape}", expected="numbers, (T,) or (D, T)")
        return np.zeros((1, 1))
    values = np.atleast_2d(values.astype(float))
    if values.size == 0:
        guard.add("empty", "path")
    elif np.isinf(values).any():
        guard.add("not_finite", "path", float("inf"))
    return values


def _held(op: str, values: np.ndarray, low: float, high: float, tolerance: float) -> np.ndarray:
    """Whether each value holds the target; NaN never does."""
    if op == "at_least":
        return values >= low
    if op == "at_most":
        return values <= low
    if op == "above":
        return values > low
    if op == "below":
        return values < low
    if op == "between":
        return (values >= low) & (values <= high)
    return np.abs(values - low) <= tolerance


def _shortfall(op: str, gap: float, tolerance: float) -> float:
    if op in ("at_least", "above"):
        return max(-gap, 0.0)
    if op in ("at_most", "below"):
        return max(gap, 0.0)
    return abs(gap) if op == "between" or abs(gap) > tolerance else 0.0


def _status(held: bool, chance: float | None, go: float, stop: float) -> str:
    if chance is None:
        return "on_track" if held else "off_track"
    return "on_track" if chance >= go else "off_track" if chance < stop else "at_risk"


def lifecycle_volumes(
    joined: object,
    *,
    activation: float,
    retention: float,
    revenue: float,
    referral: float,
    lag_months: Mapping[str, int] | None = None,
) -> Lifecycle:
    """Return the people who pass each lifecycle stage in each month.

    All four rates have one denominator, the people who joined; so they can be compared.

    Args:
        joined: (T,) or (D, T) people who join.
        activation: share who interact for the first time.
        retention: share who are still there (or active) after the retention window.
        revenue: share who buy.
        referral: new people whom a joiner brings, 0 <= referral < 1.
        lag_months: {stage: months from joining to the stage}; 0 where absent.

    Returns:
        Lifecycle with volumes (D, T, 5): acquisition, activation, retention, revenue, referral.

    >>> lifecycle_volumes([100.0], activation=0.5, retention=0.4, revenue=0.12, referral=0.1).volumes[0, 0]
    array([100.,  50.,  40.,  12.,  10.])
    """
    guard = Guard()
    adds = guard.numbers("joined", joined, low=0.0, ndim=(1, 2))
    rates = [1.0, *(guard.number(name, rate, low=0.0, high=1.0) for name, rate in
                    (("activation", activation), ("retention", retention), ("revenue", revenue)))]
    rates.append(guard.number("referral", referral, low=0.0, below=1.0))
    lags = dict.fromkeys(STAGES, 0)
    for stage, lag in (lag_months or {}).items():
        guard.choice("lag_months", stage, STAGES)
        lags[stage] = guard.whole(f"lag_months.{stage}", lag, low=0)
    guard.done()
    adds = np.atleast_2d(adds)
    volumes = [lagged(adds, np.append(np.zeros(lags[stage]), rate)) for stage, rate in zip(STAGES, rates, strict=True)]
    return Lifecycle(STAGES, np.stack(volumes, axis=-1))


def order_check(names: Sequence[str], shares: Sequence[float]) -> tuple[tuple[str, str], ...]:
    """Return the neighbouring stages of which the later has the larger share of one denominator.

    Args:
        names: (S,) stages, the earlier first; whoever passes one has passed those before.
        shares: (S,) shares of the same people.

    >>> order_check(["first_interaction", "day_7", "day_30"], [0.5, 0.6, 0.4])
    (('first_interaction', 'day_7'),)
    """
    guard = Guard()
    share = guard.share("shares", list(shares), ndim=(1,))
    if len(names) != share.size:
        guard.add("shape", "names", f"{len(names)} names", expected=f"{share.size} names")
    guard.done()
    return tuple((names[i], names[i + 1]) for i in np.flatnonzero(np.diff(share) > 1e-12))


def stage_gap(plan: object, actual: object, names: Sequence[str]) -> StageGap:
    """Split the gap at the last of nested stages over the stages that cause it (LMDI).

    Stage 1 counts with its volume, each further stage with its rate on the one before;
    the parts sum to the gap exactly and do not depend on an order.

    Args:
        plan: (..., S) volumes that the plan needs, e.g. joined, activated, buyers, GMV in CNY.
        actual: (..., S) volumes forecast or observed.
        names: (S,) names of the stages.

    Returns:
        StageGap: gap = actual - plan at the last stage, in its unit; the bottleneck is the
        stage with the largest loss over all rows, None when no stage loses.

    >>> split = stage_gap([100.0, 50.0], [80.0, 40.0], ["joined", "activated"])
    >>> split.parts, split.bottleneck
    (array([-10.,   0.]), 'joined')
    """
    guard = Guard()
    planned = guard.numbers("plan", plan, low=0.0)
    real = guard.numbers("actual", actual, low=0.0)
    if planned.ndim == 0 or planned.shape != real.shape:
        guard.add("shape", "actual", f"shape {real.shape}", expected=f"the shape of plan, {planned.shape}")
    elif planned.shape[-1] != len(names):
        guard.add("shape", "names", f"{len(names)} names", expected=f"{planned.shape[-1]} names")
    for name, volume in (("plan", planned), ("actual", real)):
        if volume.ndim and np.any((volume[..., :-1] == 0) & (volume[..., 1:] > 0)):
            guard.add("above", name, 0.0, low="0 before a stage that has volume")
    guard.done()
    parts = lmdi(_stage_factors(planned), _stage_factors(real))
    total = parts.reshape(-1, parts.shape[-1]).sum(axis=0)
    worst = int(total.argmin())
    return StageGap(real[..., -1] - planned[..., -1], parts, names[worst] if total[worst] < 0 else None)


def _stage_factors(volumes: np.ndarray) -> np.ndarray:
    """First volume and the rates between neighbours; a rate on nobody is 1 and changes nothing."""
    later, earlier = volumes[..., 1:], volumes[..., :-1]
    rates = np.divide(later, earlier, out=np.ones(later.shape), where=earlier > 0)
    return np.concatenate([volumes[..., :1], rates], axis=-1)
