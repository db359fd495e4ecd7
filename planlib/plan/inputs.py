"""What the rooms calculate with, unpacked from a plan: central values as arrays and plain rows.

Rooms know no plan files and plans know no rooms: notebooks carry these over. `T` months, `C` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from planlib.core.metrics import catalogue
from planlib.core.periods import MONTHS_IN
from planlib.core.words import LOCALES, words
from planlib.plan.load import Plan
from planlib.plan.model import Quantity, Statement, Target

RETENTION_DAYS = {"d7": 7, "m1": 30, "m3": 90}
TARGET_NUMBERS = (
    "goal_high",
    "due_month",
    "forecast",
    "gap_rel",
    "reached_month",
    "shortfall",
    "assumed",
    "judged_month",
    "low",
    "high",
    "probability",
    "probability_low",
    "probability_high",
)
TARGET_COLUMNS = (
    *("id", "metric", "op", "stated_op", "unit", "status", "source", "scope", "goal", "reason"),
    *TARGET_NUMBERS,
    *("qualifier_zh", "qualifier_en"),
)
OPEN_COLUMNS = ("reason", "count", "names_zh", "names_en", "needs")
RETENTION_METRICS = {7: "retention_d7", 30: "retention_m1", 90: "retention_d90"}

# a goal that is stated as an equality is reached on the better side of it as well
_READ_AS = {"up": "at_least", "down": "at_most"}
_CHANGES = ("relative_change", "multiple", "points")
_SHARE_OF_SALES = "gmv_share"  # reckoned on the company's GMV, whatever base its goal names


def per_month(quantity: Quantity, default: str = "month", *, value: Any = None) -> Any:
    """Return the amount of one month.

    Args:
        quantity: an amount per declared period; people a day when its unit says so.
        default: its period when none is declared.
        value: in place of the central amount, a number or an array.
    """
    period = "day" if quantity.unit == "users_per_day" else quantity.period or default
    return (quantity.central if value is None else value) / MONTHS_IN[period]


def open_months(plan: Plan) -> np.ndarray:
    """Return (T, C) True where the stage calendar lets a channel take in users."""
    first = {stage.id: stage.months[0] for stage in plan.schedule.stages if stage.months}
    opens = [first.get(channel.from_stage, 1) for channel in plan.channels]
    return np.arange(1, plan.months + 1)[:, None] >= np.array(opens)


def season(plan: Plan) -> np.ndarray:
    """Return (T,) factors on the intake of each plan month; 1 without `users.seasonality`."""
    if plan.users.seasonality is None:
        return np.ones(plan.months)
    first = int(plan.start[5:]) - 1
    return np.array([plan.users.seasonality[(first + t) % 12] for t in range(plan.months)])


def intake_levels(plan: Plan, values: Mapping[str, Any] | None = None) -> np.ndarray:
    """Return (C,) people a month of each channel once it is open, or (D, C) where `values` has draws.

    A channel that has only a response curve brings half of its ceiling, which is what it brings at `half_spend`.

    Args:
        values: {place: number or (D,)} in place of central values, see `planlib.plan.uncertain`.
    """
    level = [
        channel.response.ceiling / 2
        if channel.intake is None
        else per_month(channel.intake, value=(values or {}).get(f"channels.{channel.id}.intake"))
        for channel in plan.channels
    ]
    return np.stack(np.broadcast_arrays(*level), axis=-1)


def intake_matrix(plan: Plan, values: Mapping[str, Any] | None = None) -> np.ndarray:
    """Return (T, C) people who join by month and channel, or (D, T, C), stage calendar and season included.

    Args:
        values: as for `intake_levels`.
    """
    return intake_levels(plan, values)[..., None, :] * open_months(plan) * season(plan)[:, None]


def referral_counts(plan: Plan) -> bool:
    """Whether a referral loop brings people whom no referral channel with an intake of its own counts already."""
    counted = any(channel.referral and channel.intake is not None for channel in plan.channels)
    return plan.users.referral is not None and not counted


def referral_loop(plan: Plan, values: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
    """Return what one user brings by referral and after how many months; (0, 1) when no loop counts.

    Args:
        values: as for `intake_levels`.
    """
    if not referral_counts(plan):
        return 0.0, 1
    loop, at = plan.users.referral, values or {}
    invites, accepted, days = (
        at.get(f"users.referral.{name}", getattr(loop, name).central)
        for name in ("invites_per_user", "acceptance_rate", "cycle_days")
    )
    return invites * accepted, np.maximum(1, np.rint(np.asarray(days) / 30))


def retention_points(plan: Plan) -> dict[int, float]:
    """Return {day: share of joiners left} in order of days."""
    points = plan.users.retention.points
    return {day: points[name] for name, day in RETENTION_DAYS.items() if name in points}


def retention_levels(left: Callable[[int], float] | dict[int, float]) -> dict[str, float]:
    """Return {metric: share left} for the days that metrics name.

    Args:
        left: a fitted curve's `at`, or the plan's points when there are too few for a curve.
    """
    days = left if isinstance(left, dict) else RETENTION_METRICS
    return {RETENTION_METRICS[day]: float(left[day] if isinstance(left, dict) else left(day)) for day in days}


def repeat_orders(plan: Plan, values: Mapping[str, Any] | None = None) -> tuple[Any, int]:
    """Return the orders of one repeat buyer and the months over which they fall.

    The window is the repurchase rate's period, a year when it declares none; orders declared for another period are
    scaled to it. A repeat buyer orders at least once.

    Args:
        values: as for `intake_levels`.
    """
    orders = plan.users.orders_per_repeat_buyer
    months = max(1, round(MONTHS_IN[plan.users.repurchase.period or "year"]))
    typed = (values or {}).get("users.orders_per_repeat_buyer", orders.central)
    return np.maximum(1.0, typed * months / MONTHS_IN[orders.period or "year"]), months


def lifecycle_rates(plan: Plan) -> dict[str, tuple[float, str]]:
    """Return the rates of the lifecycle stages on new users, each with the metric that it was taken from.

    Activation is the plan's level of first interaction, else of activation, else early retention; retention the
    share left after a month, else the earliest that is known; referral what one user brings, else the referral
    channels' share of the intake.
    """
    left = retention_points(plan)
    early = (left[min(left)], RETENTION_METRICS[min(left)]) if left else (0.0, "retention_d7")
    stated = {s.metric: s for s in (*plan.baseline.quoted, *plan.users.rules, *plan.targets) if _is_share(s)}
    activation = early
    for metric in ("activation_rate", "first_interaction_rate"):
        if metric in stated:
            activation = (_number(stated[metric]), metric)
    return {
        "activation": activation,
        "retention": (left[30], "retention_m1") if 30 in left else early,
        "revenue": (plan.users.conversion.central, "conversion_rate"),
        "referral": _referral_rate(plan),
    }


def _referral_rate(plan: Plan) -> tuple[float, str]:
    loop = plan.users.referral
    if loop is not None:
        return loop.invites_per_user.central * loop.acceptance_rate.central, "referral_factor"
    brought = intake_matrix(plan)
    total = brought.sum()
    by_referral = brought[:, [channel.referral for channel in plan.channels]].sum()
    return (float(by_referral / total) if total else 0.0), "referral_share"


def _is_share(statement: Statement) -> bool:
    return statement.operation is not None and statement.unit in (None, "ratio") and statement.scope is None


def _number(statement: Statement) -> float:
    level = statement.level
    return sum(level) / 2 if isinstance(level, tuple) else level


def channel_kinds(plan: Plan) -> list[str]:
    """Return organic, paid or referral for each channel."""
    return ["referral" if channel.referral else "paid" if channel.paid else "organic" for channel in plan.channels]


def stage_windows(plan: Plan) -> list[tuple[dict[str, str], int, int]]:
    """Return name, first and last month of each dated stage, in order of time."""
    dated = [(s.name.model_dump(), *s.months) for s in plan.schedule.stages if s.months]
    return sorted(dated, key=lambda stage: stage[1:])


def goals(plan: Plan) -> list[dict[str, Any]]:
    """Return the targets as rows that can be judged, in the plan's order.

    Each row: id, metric, op (as read: an equality is reached on the better side too), stated_op, goal, goal_high (of
    a range), unit, due_month (None: no month is stated), source, scope, qualifier (id of a remark that the reader
    needs beside the name, or "") and open_reason: why no forecast of the whole plan can answer it, or "".
    """
    return [_goal(target, index) for index, target in enumerate(plan.targets)]


def _goal(target: Target, index: int) -> dict[str, Any]:
    metric = catalogue()[target.metric]
    low, high = target.level if isinstance(target.level, tuple) else (target.level, None)
    op = target.operation
    return {
        "id": target.id or f"target_{index + 1}",
        "metric": target.metric,
        "op": _READ_AS.get(metric.direction, op) if op == "equals" else op,
        "stated_op": op,
        "goal": float(low),
        "goal_high": None if high is None else float(high),
        "unit": target.unit or metric.unit,
        "due_month": target.by_month,
        "source": target.source,
        "scope": target.scope or "",
        "qualifier": _qualifier(target),
        "open_reason": _open_reason(target, metric.window),
    }


def _qualifier(target: Target) -> str:
    if target.unit in _CHANGES:
        return "multiple" if target.unit == "multiple" else "change"
    if target.metric == _SHARE_OF_SALES and target.denominator not in (None, "company_gmv"):
        return "on_gmv"
    return "" if target.by_month else "undated"


def _open_reason(target: Target, window: int | None) -> str:
    if target.unit in _CHANGES:
        return "change"
    if target.scope is not None or target.population is not None:
        return "part"
    if target.denominator is not None and target.metric != _SHARE_OF_SALES:
        return "denominator"
    return "period" if window == 30 and target.period not in (None, "month") else ""


def target_rows(verdicts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return judged goals as rows of TARGET_COLUMNS, of which docs/deck-pages.md tells those that a page takes.

    Args:
        verdicts: rows of `goals` with forecast, gap_rel, reached_month, shortfall, status, reason, judged_month and
            assumed beside them, and where it was simulated the 80 % range and the probability.
    """
    return [
        {name: verdict[name] for name in TARGET_COLUMNS[:9]}
        | {"reason": verdict["reason"] or "none"}
        | {name: float("nan") if verdict.get(name) is None else float(verdict[name]) for name in TARGET_NUMBERS}
        | _remark(verdict["qualifier"])
        for verdict in verdicts
    ]


def _remark(qualifier: str) -> dict[str, str | None]:
    said = {loc: words(loc).text(f"funnel.qualifier.{qualifier}") if qualifier else None for loc in LOCALES}
    return {f"qualifier_{locale}": text for locale, text in said.items()}


def open_rows(verdicts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of OPEN_COLUMNS, one for each reason why goals are not judged: how many, which, what they need."""
    groups: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict["forecast"] is None:
            groups.setdefault(verdict["reason"], []).append(verdict["metric"])
    return [
        {
            "reason": reason,
            "count": float(len(metrics)),
            "names_zh": "、".join(words("zh").metric(m) for m in dict.fromkeys(metrics)),
            "names_en": ", ".join(words("en").metric(m) for m in dict.fromkeys(metrics)),
            "needs": reason,
        }
        for reason, metrics in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]
