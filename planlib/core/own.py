"""Metrics that a plan declares as data: what is counted, of which rows, divided by what, over which days.

A declaration is names and values of closed sets, never SQL. Loading a plan puts its declarations in force for the
process (`declare`): the catalogue, the words and the baseline then know them as they know the shipped ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

PREFIX = "own_"
AGGREGATES = ("count", "distinct", "sum", "mean", "share")
ADDITIVE = ("count", "distinct", "sum")  # what can stand above or below a line
ORDERED = ("at_least", "at_most", "above", "below", "between")
LISTED = ("one_of", "none_of")
UNVALUED = ("is_empty", "is_filled")
OPERATORS = ("equals", "not_equals", *LISTED, *ORDERED, *UNVALUED)
WINDOWS: Mapping[str, int] = MappingProxyType({"day": 1, "week": 7, "month": 30})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a row; all conditions of a list hold together.

    Args:
        column: a column of the table.
        op: one of `OPERATORS`. A row whose field is empty meets `is_empty` and no other.
        values: none for `UNVALUED`, two for between (ends included), any number for `LISTED`, else one.
    """

    column: str
    op: str
    values: tuple[bool | int | float | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted: an aggregate over the rows of one table.

    Args:
        table: a tidy table.
        aggregate: one of `AGGREGATES`.
        column: what is counted, added up or averaged; "" where rows are counted.
        where: conditions that counted rows meet.
        among: of a share, conditions that the rows below the line meet; those above meet `where` as well.
        dated_by: the column that dates a row; "" where every row counts whenever it was.
    """

    table: str
    aggregate: str
    column: str = ""
    where: tuple[Condition, ...] = ()
    among: tuple[Condition, ...] = ()
    dated_by: str = ""


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A metric of a plan.

    Args:
        id: begins with `own_`, so that no later metric of the catalogue can take it.
        names: language -> name, one language at least.
        unit: of the catalogue.
        direction: up or down, which way is better.
        counted: what is counted.
        divided_by: what it is divided by, over the same days; a metric by its id; None for nothing.
        window_days: length of the rolling window that ends with the as-of day; None for all days up to it.
    """

    id: str
    names: Mapping[str, str]
    unit: str
    direction: str
    counted: Counted
    divided_by: Counted | str | None = None
    window_days: int | None = None

    @property
    def kind(self) -> str:
        """Its kind in the catalogue.

        >>> OwnMetric("own_a", {"en": "A"}, "count", "up", Counted("orders", "count"), window_days=30).kind
        'flow'
        """
        if self.divided_by is not None or self.counted.aggregate in ("mean", "share"):
            return "rate"
        if self.unit == "CNY":
            return "money"
        return "stock" if self.window_days is None else "flow"

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it is measured from."""
        below = (self.divided_by.table,) if isinstance(self.divided_by, Counted) else ()
        return tuple(dict.fromkeys((self.counted.table, *below)))

    @property
    def form(self) -> str:
        """What its sums are, see `planlib.baseline.levels.measured`."""
        if self.divided_by is not None:
            return "counted"
        aggregate = self.counted.aggregate
        if aggregate == "count" and self.window_days is not None and self.counted.dated_by:
            return "count"
        return aggregate if aggregate in ("mean", "share") else "counted"


_known: dict[str, OwnMetric] = {}
_in_force: list[OwnMetric] = []


def declare(metrics: Iterable[OwnMetric]) -> None:
    """Put the metrics of a plan in force; those of plans loaded before stay known by their ids."""
    _in_force[:] = metrics
    _known.update({metric.id: metric for metric in _in_force})


def know(names: Mapping[str, Mapping[str, Any]]) -> None:
    """Take names and units out of results, for the decks made of them: id -> {names, unit}."""
    for metric_id, said in names.items():
        found = _known.get(metric_id) or OwnMetric(metric_id, {}, said["unit"], "up", Counted("", "count"))
        _known[metric_id] = replace(found, names=said["names"], unit=said["unit"])


def in_force() -> tuple[OwnMetric, ...]:
    """Return the metrics of the plan that was loaded last."""
    return tuple(_in_force)


def known() -> Mapping[str, OwnMetric]:
    """Return every declared metric of this process by its id."""
    return MappingProxyType(_known)


def name(metric_id: str, locale: str) -> str | None:
    """Return the name of a declared metric, in the other language where one is absent; None for an unknown id."""
    found = _known.get(metric_id)
    return found and (found.names.get(locale) or next(iter(found.names.values())))
