"""The plan file: typed model, loading, inheritance, overrides, sources, hash."""

from planlib.plan.load import Plan, leaves, load_benchmarks, load_plan, statements
from planlib.plan.model import Benchmarks, PlanModel, Quantity, Statement

__all__ = [
    "Benchmarks",
    "Plan",
    "PlanModel",
    "Quantity",
    "Statement",
    "leaves",
    "load_benchmarks",
    "load_plan",
    "statements",
]
