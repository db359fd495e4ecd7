"""Every metric with plan, actual, forecast and status; and what a team's score and the efficiency of its work are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

BEHIND = 0.10  # further from plan than this share of it is far behind
STATUSES = ("on_track", "at_risk", "off_track", "not_measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is known of a metric.

    Attributes:
        metric: id.
        direction: which way is better: up or down.
        plan: level due now; None where none is.
        actual: None where it is not measured.
        low, high: interval of the actual; None where it has none.
        forecast: at the plan's end, or at the goal's date; None where there is none.
        reason: id of why there is no actual.
        absolute: whether the gap is told as a difference (of rates), not as a share of the plan.
    """

    metric: str
    direction: str = "up"
    plan: float | None = None
    actual: float | None = None
    low: float | None = None
    high: float | None = None
    forecast: float | None = None
    reason: str = ""
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the scorecard.

    Attributes:
        line: what it was made from.
        gap: actual less plan; of a line that is not absolute as a share of the plan. None without both.
        status: of `STATUSES`.
        reason: met, behind, far_behind, within_noise (far behind, but the interval reaches the plan), no_plan, or
            why there is no actual.
    """

    line: Line
    gap: float | None
    status: str
    reason: str


def score(lines: Sequence[Line], *, behind: float = BEHIND) -> tuple[Row, ...]:
    """Hold every metric against its plan.

    Met is at or beyond the plan on the better side; up to `behind` of the plan short of it is at risk; beyond is off
    track, unless the interval of the actual reaches the plan.

    Args:
        lines: each metric.
        behind: share of the plan.

    Raises:
        InputError: an unknown direction, a number that is not finite, or an actual missing without a reason.

    >>> [row.status for row in score([Line(metric="a", plan=100.0, actual=96.0), Line(metric="b", plan=8, actual=6,
    ...                                     direction="down")])]
    ['at_risk', 'on_track']
    """
    guard = Guard()
    share = guard.number("behind", behind, above=0.0)
    for place, line in enumerate(lines):
        guard.choice(f"lines[{place}].direction", line.direction, ("up", "down"))
        for name in ("plan", "actual", "low", "high", "forecast"):
            if getattr(line, name) is not None:
                guard.number(f"lines[{place}].{name}", getattr(line, name))
        if line.actual is None and not line.reason:
            guard.add("missing", f"lines[{place}].reason")
    guard.done()
    return tuple(_row(line, share) for line in lines)


def _row(line: Line, behind: float) -> Row:
    if line.actual is None:
        return Row(line, None, "not_measured", line.reason)
    if line.plan is None:
        return Row(line, None, "not_measured", "no_plan")
    gap = line.actual - line.plan
    told = gap if line.absolute else gap / abs(line.plan) if line.plan else None
    short = -gap if line.direction == "up" else gap
    if short <= 1e-12 * max(abs(line.plan), 1.0):
        return Row(line, told, "on_track", "met")
    if short <= behind * abs(line.plan):
        return Row(line, told, "at_risk", "behind")
    best = line.high if line.direction == "up" else line.low
    reaches = best is not None and (best >= line.plan if line.direction == "up" else best <= line.plan)
    return Row(line, told, "at_risk" if reaches else "off_track", "within_noise" if reaches else "far_behind")


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many metrics have each status."""
    return {status: sum(row.status == status for row in rows) for status in STATUSES}


def due_level(points: Mapping[int, float], month: float, *, start: float | None = None) -> float | None:
    """Return what a ladder of month ends asks for at a moment between two of them.

    Args:
        points: month -> level at its end.
        month: months gone, e.g. 2.5.
        start: level at month 0; None where nothing is known before the first point.

    >>> due_level({1: 100.0, 2: 200.0}, 1.5), due_level({1: 100.0}, 0.5, start=0.0), due_level({6: 0.9}, 2.0)
    (150.0, 50.0, None)
    """
    guard = Guard()
    now = guard.number("month", month, low=0.0)
    guard.done()
    known = dict(sorted(points.items())) if start is None else {0: start, **dict(sorted(points.items()))}
    if not known or now < min(known):
        return None
    return float(np.interp(now, list(known), list(known.values())))


# ---- brand


def growth_path(growth: float, months: int) -> tuple[float, np.ndarray]:
    """Return the monthly growth that reaches a growth in so many months, and (months,) the index of each, 1 before.

    >>> rate, path = growth_path(0.5, 12)
    >>> round(rate, 4), round(float(path[-1]), 3)
    (0.0344, 1.5)
    """
    guard = Guard()
    whole = guard.number("growth", growth, above=-1.0)
    count = guard.whole("months", months, low=1, high=1200)
    guard.done()
    rate = (1 + whole) ** (1 / count) - 1
    return rate, (1 + rate) ** np.arange(1, count + 1)


def answers_needed(share: float, margin: float, *, level: float = 0.95, design_effect: float = 1.0) -> int:
    """Return how many answers a survey needs to tell a share within a margin.

    >>> answers_needed(0.7, 0.03)
    897
    """
    from math import ceil
    from statistics import NormalDist

    guard = Guard()
    p = guard.number("share", share, above=0.0, below=1.0)
    half = guard.number("margin", margin, above=0.0, below=1.0)
    sure = guard.number("level", level, above=0.0, below=1.0)
    effect = guard.number("design_effect", design_effect, low=1.0)
    guard.done()
    z = NormalDist().inv_cdf(0.5 + sure / 2)
    return ceil(effect * z * z * p * (1 - p) / half**2)


# ---- efficiency


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How much more comes out for what goes in.

    Attributes:
        productivity: output index over input index; 2 is twice as much for the same.
        output, input: Fisher indices.
    """

    productivity: float
    output: float
    input: float


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes in or comes out: quantity and price in each of two periods, and the unit of the quantity."""

    unit: str
    quantity: tuple[float, float]
    price: tuple[float, float] = (1.0, 1.0)


def efficiency(outputs: Sequence[Flow], inputs: Sequence[Flow]) -> Efficiency:
    """Return the Fisher productivity index from the first period to the second.

    Args:
        outputs, inputs: at least one each; each names the unit of its quantity.

    Raises:
        InputError: nothing goes in or comes out, a unit is missing, or a number is not above 0.

    Source: Fisher 1922; Diewert 1992.

    >>> efficiency([Flow("users", (5000.0, 10000.0))], [Flow("people", (1.0, 1.0))]).productivity
    2.0
    >>> round(efficiency([Flow("articles", (10, 10))], [Flow("CNY", (100, 70))]).productivity - 1, 3)
    0.429
    """
    guard = Guard()
    for side, flows in (("outputs", outputs), ("inputs", inputs)):
        if not flows:
            guard.add("empty", side)
        for place, flow in enumerate(flows):
            if not flow.unit:
                guard.add("missing", f"{side}[{place}].unit")
            guard.numbers(f"{side}[{place}].quantity", flow.quantity, above=0.0)
            guard.numbers(f"{side}[{place}].price", flow.price, above=0.0)
    guard.done()
    made, used = _fisher(outputs), _fisher(inputs)
    return Efficiency(made / used, made, used)


def _fisher(flows: Sequence[Flow]) -> float:
    q, p = (np.array([getattr(flow, name) for flow in flows], dtype=float) for name in ("quantity", "price"))
    laspeyres, paasche = ((q[:, 1] * p[:, k]).sum() / (q[:, 0] * p[:, k]).sum() for k in (0, 1))
    return float(np.sqrt(laspeyres * paasche))


# ---- performance pay


@dataclass(frozen=True, slots=True)
class Merit:
    """A team's score and what it is paid for it.

    Attributes:
        score: weighted attainment, each part capped; 1 is all goals met.
        parts: metric -> weight x capped attainment.
        payout_cny: bonus x score; 0 below the floor, and while a guardrail is broken.
        held_back: guardrails that are broken.
    """

    score: float
    parts: Mapping[str, float]
    payout_cny: float
    held_back: tuple[str, ...]


def merit(
    attained: Mapping[str, float], weights: Mapping[str, float], *, bonus_cny: float, cap: float = 1.2,
    floor: float = 0.8, guardrails: Mapping[str, bool] | None = None,
) -> Merit:  # fmt: skip
    """Score a team.

    Args:
        attained: metric -> actual over goal, 1 is met.
        weights: metric -> weight; they sum to 1.
        bonus_cny: at a score of 1.
        cap: most that one metric counts; floor: score below which nothing is paid.
        guardrails: metric -> whether it is kept: what must not be bought with the goals.

    Raises:
        InputError: weights that do not sum to 1, or metrics without a weight.

    >>> merit({"growth": 1.5, "activity": 1.0}, {"growth": 0.5, "activity": 0.5}, bonus_cny=1000.0).payout_cny
    1100.0
    """
    guard = Guard()
    for name in sorted(set(attained) ^ set(weights)):
        guard.add("missing", f"{'weights' if name in attained else 'attained'}.{name}")
    for name, value in attained.items():
        guard.number(f"attained.{name}", value, low=0.0)
    for name, value in weights.items():
        guard.number(f"weights.{name}", value, low=0.0)
    most = guard.number("cap", cap, low=1.0)
    least = guard.number("floor", floor, low=0.0, high=1.0)
    pay = guard.number("bonus_cny", bonus_cny, low=0.0)
    guard.done()
    if abs(sum(weights.values()) - 1) > 1e-9:
        guard.add("sums_to_one", "weights", sum(weights.values()))
        guard.done()
    parts = {name: weights[name] * min(attained[name], most) for name in weights}
    total = sum(parts.values())
    broken = tuple(name for name, held in (guardrails or {}).items() if not held)
    return Merit(total, parts, 0.0 if broken or total < least else pay * total, broken)
