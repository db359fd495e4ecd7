"""The sheet of assumptions: every figure that the models reckon with, where it comes from, and what else is assumed.

A figure that has a cell of its own in another sheet is only shown here, so that each number has one place for typing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.fields import Pair, Part, Plain, Three, is_single, said, why_column
from planlib.exchange.risks import named
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.assumptions import rows as figures
from planlib.plan.load import Change, Plan, leaves
from planlib.plan.model import Band, Quantity, Retention, Rule, ScheduleRisk, Smaller, Sourced, Statement, Tier

KEY = "assumptions"
CELLS = ("value_low", "value", "value_high")
_HOMES = (
    (r"targets\.[^.]+", "targets"),
    (r"ladders\.[^.]+", "ladder"),
    (r"organisation\.units\.[^.]+", "split"),
    (r"channels\.[^.]+\.(intake|cac|response|churn)", "channels"),
    (r"budget\.fixed\..+", "budget"),
    (r"experiments\.[^.]+\.(baseline|smallest_worth_having|traffic_per_week|cost)", "experiments"),
    (r"schedule\.tasks\.[^.]+", "tasks"),
    (r"team\.roles\.[^.]+(\.cost_per_year)?", "team"),
    (r"risks\.[^.]+(\.mitigated)?", "risks"),
)
_THREE = ("channels",)  # sheets with three cells for a quantity; the others have one
_RULE = ("at_most", "at_least", "each_channel_within")


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's figures and assumptions in the plan's order."""
    columns = (
        Column(ID),
        Column("figure"),
        *(Column(key, "number", True, prompt=w.text(f"exchange.prompt.{key}")) for key in CELLS),
        Column("unit"),
        Column("per"),
        Column("where"),
        Column("source"),
        Column("note"),
        Column("owner"),
        why_column(),
    )
    found = {path: leaf for path, leaf in leaves(plan.model) if _is_shown(leaf)}
    rows = [row for told in figures(plan, found) for row in _rows(plan, told, found[told["path"]], w)]
    return Sheet(KEY, columns, tuple(rows), hint=w.text("exchange.hint.assumptions"))


def _is_shown(leaf: Sourced) -> bool:
    return leaf.source == "assumption" or isinstance(leaf, Quantity | Band | Rule | Retention)


def _rows(plan: Plan, told: dict[str, Any], leaf: Sourced, w: Words) -> Iterator[Row]:
    """Yield the row of a figure, or one for each point of a curve."""
    place = named(plan, told["path"])
    is_assumed = leaf.source == "assumption"
    home = _home(place, leaf)
    unit = "" if told["unit"] == "number" else told["unit"]
    about = {
        "figure": told[f"label_{w.locale}"],
        "unit": w.text(f"exchange.unit.{unit}") if unit else None,
        "per": w.text(f"exchange.per.{told['period']}") if told["period"] else None,
        "where": home and w.text(f"exchange.sheet.{home}"),
        "source": w.text("exchange.assumption") if is_assumed else leaf.source,
        "note": said(leaf.why or leaf.note, w),
        "owner": getattr(leaf, "owner", None),
    }
    for below, label, part in _parts(leaf):
        told_only = dict(zip(CELLS, (told["low"], told["value"], told["high"]), strict=True))
        told_only = {} if isinstance(leaf, Smaller) else told_only  # what is left out has no days
        shown, locked = part.show(leaf, w) if part else (told_only, set())
        shut = {key for key in CELLS if key not in shown} | locked
        shut |= {*CELLS, WHY} if home or part is None else set()
        values = about | shown | ({"figure": f"{about['figure']} {label}"} if label else {})
        yield Row(f"{place}{below}", values, unit, frozenset(shut), assumed=is_assumed)


def _home(place: str, leaf: Sourced) -> str | None:
    """Return the sheet in which a figure is typed, None for this one."""
    home = next((sheet for pattern, sheet in _HOMES if re.fullmatch(pattern, place)), None)
    one_cell = home is not None and (home not in _THREE or place.endswith(".churn"))
    return None if one_cell and isinstance(leaf, Quantity) and not is_single(leaf) else home


def _parts(leaf: Sourced) -> Iterator[tuple[str, str, Part | None]]:
    """Yield what of a figure can be typed: the rest of its row's id, what its label adds, and how."""
    if isinstance(leaf, Retention):
        for point in leaf.points:
            yield f".points.{point}", point.upper(), _Point(point)
    elif isinstance(leaf, Quantity):
        yield "", "", _Quantity()
    elif isinstance(leaf, Statement | Rule):
        name = leaf.operation if isinstance(leaf, Statement) else next(filter(lambda n: getattr(leaf, n), _RULE), None)
        pair = Pair("value_low", "value_high", "between", needed=True)
        yield "", "", pair if name == "between" else Plain("value", name, needed=True) if name else None
    elif isinstance(leaf, ScheduleRisk):
        yield "", "", Plain("value", "chance", needed=True)
    elif isinstance(leaf, Smaller) and leaf.days is not None:
        yield "", "", Plain("value", "days", needed=True)
    elif isinstance(leaf, Tier):
        yield "", "", Plain("value", "share" if leaf.from_score is None else "from_score", needed=True)
    else:
        yield "", "", None


class _Quantity:
    """A quantity as the row's own three cells."""

    def show(self, item: Quantity, w: Words) -> tuple[dict[str, object], set[str]]:
        return Three(*CELLS, path="of").show(_Of(item), w)

    def put(self, row: Edited, item: Quantity) -> Iterator[Any]:
        return Three(*CELLS, path="of", needed=True).put(row, _Of(item))


class _Of:
    """Something whose field `of` is a quantity."""

    def __init__(self, quantity: Quantity):
        self.of = quantity


class _Point:
    """One point of a curve of retention."""

    def __init__(self, point: str):
        self.point = point

    def show(self, item: Retention, w: Words) -> tuple[dict[str, object], set[str]]:
        return {"value": item.points[self.point]}, set()


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited figures change."""
    rows = {row.id: row for row in rows}
    if not rows:
        return
    for path, leaf in leaves(plan.model):
        if not _is_shown(leaf):
            continue
        place = named(plan, path)
        for below, _, part in _parts(leaf):
            row = rows.get(f"{place}{below}")
            if row is not None:
                yield from _typed(place, below, part, row, leaf)


def _typed(place: str, below: str, part: Any, row: Edited, leaf: Sourced) -> Iterator[Change | Problem]:
    if isinstance(part, _Point):
        value = row.values["value"]
        if value is None:
            yield row.problem("missing", "value")
            return
        yield row.change(f"{place}{below}", value, "value")
        yield row.change(f"{place}.why", row.reason(row.cells["value"]), "value")
        yield row.change(f"{place}.source", "assumption", "value")
        return
    for found in part.put(row, leaf):
        if isinstance(found, Problem):
            yield found
        elif isinstance(part, _Quantity):
            inner = found.path.removeprefix("of").removeprefix(".")
            yield row.change(f"{place}.{inner}" if inner else place, found.value, found.key)
        else:
            yield row.change(f"{place}.{found.path}", found.value, found.key)


KIND = Kind(KEY, build, changes)
