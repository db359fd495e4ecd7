"""What a plan says about each target, as `planlib.funnel.smart` takes it, and where to write what is missing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from planlib.core.metrics import STAGES, Metric, catalogue
from planlib.plan.load import Plan
from planlib.plan.model import Target

NO_FIGURE = "industry_average"  # what a `reference` says when the document gives no figure for it

_CHANGES = ("relative_change", "multiple", "points")
_FIELDS = {"denominator": "denominator", "base": "base_value", "parent": "stage", "month": "by_month"}


def stated(plan: Plan, tree: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the fields of `planlib.funnel.smart.Stated` for each target, in the plan's order.

    Args:
        tree: metrics of the target tree.
    """
    return [_stated(plan, target, tree) for target in plan.targets]


def place_of(plan: Plan, index: int, missing: str) -> str:
    """Return the place in the plan where what a target lacks is written; "" where no field of it would help."""
    field = _FIELDS.get(missing, "")
    return f"targets.{plan.targets[index].id or index}.{field}" if field else ""


def readings(plan: Plan, index: int) -> tuple[str, ...]:
    """Return the denominators that the catalogue knows for the metric of a target that names none."""
    return catalogue()[plan.targets[index].metric].denominator_readings


def _stated(plan: Plan, target: Target, tree: Collection[str]) -> dict[str, Any]:
    metric = catalogue()[target.metric]
    return {
        "metric": metric.id,
        "counted": metric.unit != "none" and metric.kind != "qualitative",
        "divided": metric.divided,
        "denominator": target.denominator or metric.denominator,
        "relative": target.unit in _CHANGES,
        "base": _base(plan, target),
        "parent": _parent(target, metric, tree),
        "by_month": target.by_month,
    }


def _base(plan: Plan, target: Target) -> str | None:
    """Where the level stands that a change starts from: in the target, in a row that it names, or in the baseline."""
    if target.from_value is not None or target.base_value is not None:
        return "from_value" if target.base_value is None else "base_value"
    if target.reference is not None:
        return None if target.reference == NO_FIGURE else target.reference
    if target.scope is None and target.population is None:
        if target.metric == "aov":
            return "baseline.aov"
        said = (s for s in plan.baseline.quoted if s.metric == target.metric and s.scope is None)
        return next((f"baseline.quoted.{s.id}" for s in said if s.unit not in _CHANGES and s.operation), None)
    return None


def _parent(target: Target, metric: Metric, tree: Collection[str]) -> str | None:
    """The tree's node that the metric is or moves, else the stage that the target or the catalogue names."""
    if metric.id in tree:
        return metric.id
    known = catalogue()
    for node in tree:
        if any(metric.id in linked for kind, linked in known[node].links.items() if kind != "reference"):
            return node
        if any(node in linked for kind, linked in metric.links.items() if kind != "reference"):
            return node
    stage = target.stage or metric.stage
    return stage if stage in STAGES else None
