"""Plans and benchmarks as one list of things said, each with the meaning that the catalogue declares."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from planlib.core.metrics import Metric, catalogue
from planlib.plan import Benchmarks, Plan, Statement, leaves

GOAL, BASELINE, LIMIT, CASE, STATISTIC, BENCHMARK, OTHER = (
    "goal", "baseline", "limit", "case", "statistic", "benchmark", "other",
)  # fmt: skip
_KIND_OF_PATH = {
    "targets": GOAL,
    "baseline": BASELINE,
    "limits": LIMIT,
    "cases": CASE,
    "statistics": STATISTIC,
    "benchmarks": BENCHMARK,
}
_SIGNIFICANT = 3


@dataclass(frozen=True, slots=True)
class Said:
    """One statement in its place.

    Args:
        plan: id of the plan, "" for the benchmark file.
        path: dotted path in it.
        kind: goal, baseline, limit, case, statistic, benchmark or other.
        statement: as worded.
        metric: what the catalogue says of its metric.
        typed: its level as typed, "" when unknown.
        unit: of its level.
        is_level: whether it gives a level of the metric itself, not a lift, a multiple or nothing.
    """

    plan: str
    path: str
    kind: str
    statement: Statement
    metric: Metric
    typed: str
    unit: str
    is_level: bool

    @property
    def id(self) -> str:
        """The statement's own id, else its path."""
        return self.statement.id or self.path

    @property
    def value(self) -> float:
        """The level; of a range its middle; NaN where none is given."""
        level = self.statement.level
        if level is None:
            return math.nan
        return sum(level) / 2 if isinstance(level, tuple) else float(level)

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest level that the wording allows."""
        level, operation = self.statement.level, self.statement.operation
        if level is None:
            return -math.inf, math.inf
        if isinstance(level, tuple):
            return level
        if operation in ("at_least", "above"):
            return float(level), math.inf
        if operation in ("at_most", "below"):
            return -math.inf, float(level)
        return float(level), float(level)

    @property
    def tolerance(self) -> float:
        """Half a unit of the last digit that counts: the third significant one, or the last typed if coarser."""
        if self.statement.precision is not None:
            return self.statement.precision / 2
        return precision(self.value, self.typed, self.unit) / 2


def precision(value: float, typed: str = "", unit: str = "") -> float:
    """Return the step of the digit that a figure is stated to.

    The third significant digit, or the last decimal typed if that is coarser; a share is stated at least to
    the per cent, since 50 % may be typed 0.5.

    >>> precision(1_234_567.0), precision(4.5, "4.5"), precision(0.5, "0.5", "ratio")
    (10000.0, 0.1, 0.01)
    """
    if not math.isfinite(value) or value == 0:
        return 0.0
    third = 10.0 ** (math.floor(math.log10(abs(value))) - _SIGNIFICANT + 1)
    last = _last_decimal(typed)
    return max(third, min(last, 0.01) if unit == "ratio" else last)


def _last_decimal(typed: str) -> float:
    """Return the step of the last decimal typed, 0 for a whole number."""
    mantissa, _, exponent = typed.replace("_", "").lower().partition("e")
    decimals = mantissa.partition(".")[2]
    return 10.0 ** (int(exponent or 0) - len(decimals)) if decimals else 0.0


_SECTION = re.compile(r"([A-Z]+)\d")  # W2.2: the document W


class View:
    """Everything that some plans and the benchmarks say.

    Args:
        plans: in the order given by the user.
        benchmarks: cases and sector figures, or None.
    """

    def __init__(self, plans: Sequence[Plan], benchmarks: Benchmarks | None = None):
        self.plans = tuple(plans)
        self.benchmarks = benchmarks

    @cached_property
    def said(self) -> tuple[Said, ...]:
        """All statements that name a metric, in reading order."""
        found = [said for plan in self.plans for said in _said(plan.model, plan.id, plan.typed or {})]
        if self.benchmarks is not None:
            found += _said(self.benchmarks, "", {})
        return tuple(found)

    @cached_property
    def quotes(self) -> bool:
        """Whether a plan rests on one of the documents whose cases the benchmarks hold."""
        documents: dict[bool, set[str]] = {True: set(), False: set()}
        for said in self.said:
            if section := _SECTION.match(said.statement.source or ""):
                documents[bool(said.plan)].add(section[1])
        return not documents[True].isdisjoint(documents[False])

    @cached_property
    def _by_metric(self) -> dict[str, list[Said]]:
        found: dict[str, list[Said]] = {}
        for said in self.said:
            found.setdefault(said.metric.id, []).append(said)
        return found

    def of(
        self, *metrics: str, kinds: Iterable[str] | None = None, plan: str | None = None, level: bool = True
    ) -> list[Said]:
        """Return what is said of some metrics.

        Args:
            metrics: ids; none = all.
            kinds: only these kinds.
            plan: only this plan's.
            level: only levels in the metric's own unit.
        """
        wanted = set(metrics)
        listed = self._by_metric.get(metrics[0], ()) if len(wanted) == 1 else self.said
        return [
            said
            for said in listed
            if (not wanted or said.metric.id in wanted)
            and (kinds is None or said.kind in kinds)
            and (plan is None or said.plan == plan)
            and (not level or said.is_level)
        ]

    def goals(self, *metrics: str, plan: str | None = None, level: bool = True) -> list[Said]:
        """Return the plans' own goals for some metrics."""
        return self.of(*metrics, kinds=(GOAL,), plan=plan, level=level)

    def cases(self, *metrics: str, level: bool = True) -> list[Said]:
        """Return what other firms and the sector reached."""
        return self.of(*metrics, kinds=(CASE, STATISTIC, BENCHMARK), level=level)

    def by_id(self, statement_id: str) -> Said | None:
        """Return the statement with that id."""
        return next((said for said in self.said if said.statement.id == statement_id), None)


def _said(model, plan_id: str, typed) -> Iterator[Said]:
    known = catalogue()
    for path, leaf in leaves(model):
        if isinstance(leaf, Statement):
            section = path.partition(".")[0].partition("[")[0]
            kind = _KIND_OF_PATH.get(section, OTHER)
            operation, metric = leaf.operation, known[leaf.metric]
            unit = leaf.unit or metric.unit
            is_level = operation is not None and unit == metric.unit
            yield Said(plan_id, path, kind, leaf, metric, typed.get(f"{path}.{operation}", ""), unit, is_level)
