"""Metrics that a plan declares: what is wrong with them, and what they are to the rest of planlib.

Names of tables and columns are looked up in the schema of the tidy tables, operators and aggregates are closed sets,
and values are only ever values: no text of a plan becomes SQL.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from planlib.core import own
from planlib.core.errors import Problem
from planlib.core.metrics import UNITS, Metric, of_own, shipped
from planlib.data.schema import TABLES, Column, Table
from planlib.plan.tree import Node, dotted

if TYPE_CHECKING:
    from planlib.plan import model as m

MOST_VALUES, LONGEST_TEXT = 100, 200
_ID = re.compile(r"own_[a-z0-9][a-z0-9_]{0,74}\Z")
_MONEY = ("CNY", "CNY_per_order", "CNY_per_person", "CNY_per_user")
_SHARES = ("ratio",)
_PEOPLE = ("users", "people")
_RATIOS = ("ratio", "multiple", "index")
_OPERATORS: Mapping[str, tuple[str, ...]] = {
    "text": ("equals", "not_equals", *own.LISTED, *own.UNVALUED),
    "yes_no": ("equals", "not_equals", *own.UNVALUED),
    "number": own.OPERATORS,
    "whole": own.OPERATORS,
    "date": own.OPERATORS,
    "time": own.OPERATORS,
    "person": own.UNVALUED,
}
_FORMS = {"text": "text", "yes_no": "true, false", "number": "1.5", "whole": "1", "date": "2027-01-31",
          "time": "2027-01-31, 2027-01-31 18:00"}  # fmt: skip


def kind(column: Column) -> str:
    """Return what a column holds: text, yes_no, number, whole, date, time, or person for a customer's id."""
    sql = column.kind.sql
    if column.name.endswith("_hid"):
        return "person"
    named = {"VARCHAR": "text", "BOOLEAN": "yes_no", "DATE": "date", "TIMESTAMP": "time", "BIGINT": "whole",
             "INTEGER": "whole"}  # fmt: skip
    return named.get(sql, "number")


def columns(table: Table) -> dict[str, Column]:
    """Return the columns that a plan may name: those of the table, without where its rows came from."""
    return {column.name: column for column in table.columns if column.name not in ("source", "pulled_at", "file_no")}


def declared(metrics: tuple[m.OwnMetric, ...]) -> tuple[own.OwnMetric, ...]:
    """Return a plan's own metrics as the catalogue and the baseline take them."""
    return tuple(_declared(metric) for metric in metrics)


def _declared(row: m.OwnMetric) -> own.OwnMetric:
    window = own.WINDOWS.get(row.window, row.window)
    below: own.Counted | str | None = None
    if row.divided_by is not None:
        below = row.divided_by.metric or _counted(row.divided_by, window)
    return own.OwnMetric(row.id, dict(row.names), row.unit, row.direction, _counted(row, window), below, window)


def _counted(row: Any, window: int | None) -> own.Counted:
    table = TABLES[row.table]
    dated_by = row.dated_by or table.day or ""
    return own.Counted(
        row.table, row.aggregate, row.column or "", _conditions(row.where, table),
        _conditions(getattr(row, "among", ()), table), dated_by,
    )  # fmt: skip


def _conditions(rows: tuple[m.Condition, ...], table: Table) -> tuple[own.Condition, ...]:
    found = []
    for row in rows:
        given = () if row.value is None else tuple(row.value) if isinstance(row.value, list | tuple) else (row.value,)
        found.append(own.Condition(row.column, row.op, given))
    return tuple(found)


# ---- what is wrong


def as_metrics(tree: Node) -> dict[str, Metric]:
    """Return id -> metric of the well-formed declarations of a plan's tree, for checks of other fields."""
    found = {}
    for _, row in _rows(tree):
        said = _said(row)
        if isinstance(said.get("id"), str) and said.get("unit") in UNITS and said.get("direction") in ("up", "down"):
            found[said["id"]] = of_own(_sketch(said))
    return found


def _sketch(said: Mapping[str, Any]) -> own.OwnMetric:
    below = said.get("divided_by")
    counted = own.Counted(str(said.get("table")), str(said.get("aggregate")))
    window = own.WINDOWS.get(said.get("window"), said.get("window")) if _plain(said.get("window")) else None
    divided = None
    if isinstance(below, Mapping):
        divided = below["metric"] if isinstance(below.get("metric"), str) else counted
    return own.OwnMetric(said["id"], {}, said["unit"], said["direction"], counted, divided, window)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int)


def problems(tree: Node) -> Iterator[Problem]:
    """Yield what is wrong with the own metrics of a plan's tree, beyond the shape of their fields."""
    for path, row in _rows(tree):
        said = _said(row)
        yield from _id_problems(path, row, said)
        table, found = yield from _counted_problems(path, row, said)
        yield from _window_problems(path, row, said, table)
        yield from _below_problems(path, row, said, found)


def _rows(tree: Node) -> Iterator[tuple[tuple, Node]]:
    section = tree.step("own_metrics")
    for index, row in enumerate(section.value if section is not None and isinstance(section.value, list) else ()):
        if isinstance(row.value, dict):
            yield ("own_metrics", index), row


def _said(row: Node) -> dict[str, Any]:
    return {str(name): node.plain() for name, node in row.value.items()}


def _id_problems(path: tuple, row: Node, said: Mapping[str, Any]) -> Iterator[Problem]:
    name = said.get("id")
    if isinstance(name, str) and name in shipped():
        yield _problem("own_clash", (*path, "id"), row.step("id"), own=f"{own.PREFIX}{name}")
    elif isinstance(name, str) and not _ID.match(name):
        yield _problem("own_id", (*path, "id"), row.step("id"))


def _counted_problems(path: tuple, row: Node, said: Mapping[str, Any]):
    """Yield what is wrong with a table, its columns and conditions; return the table and what the sum is of."""
    table = TABLES.get(said.get("table")) if isinstance(said.get("table"), str) else None
    if table is None:
        if row.step("table") is not None:
            yield _choice((*path, "table"), row.step("table"), TABLES)
        return None, ""
    known, aggregate = columns(table), said.get("aggregate")
    column = known.get(said["column"]) if isinstance(said.get("column"), str) else None
    found = ""
    if row.step("column") is not None and column is None and isinstance(said["column"], str):
        yield _choice((*path, "column"), row.step("column"), known)
    elif aggregate in ("distinct", "sum", "mean") and column is None:
        names = [name for name, one in known.items() if aggregate == "distinct" or kind(one) in ("number", "whole")]
        yield _problem("own_column_missing", path, row, aggregate=aggregate, choice=", ".join(names))
    elif aggregate in ("sum", "mean") and kind(column) not in ("number", "whole"):
        names = [name for name, one in known.items() if kind(one) in ("number", "whole")]
        yield _problem("own_not_number", (*path, "column"), row.step("column"), choice=", ".join(names) or "—")
    elif aggregate in own.AGGREGATES:
        found = _measured(aggregate, column)
        yield from _unit_problems(path, row, said, found)
    for name in ("where", "among"):
        conditions = row.step(name)
        if name == "among" and conditions is not None and aggregate != "share":
            yield _problem("own_among", (*path, name), conditions, aggregate)
        for index, one in enumerate(conditions.value if conditions and isinstance(conditions.value, list) else ()):
            if isinstance(one.value, dict):
                yield from _condition_problems((*path, name, index), one, known)
    if aggregate == "share" and not said.get("where"):
        yield _problem("own_share", path, row, aggregate)
    return table, found


def _measured(aggregate: str, column: Column | None) -> str:
    """Return what a number is: share, people, rows, money or amount."""
    if aggregate == "share":
        return "share"
    if aggregate == "count":
        return "rows"
    if aggregate == "distinct":
        return "people" if column is not None and kind(column) == "person" else "rows"
    return "money" if column is not None and column.name.endswith("_yuan") else "amount"


def _unit_problems(path: tuple, row: Node, said: Mapping[str, Any], found: str) -> Iterator[Problem]:
    unit, below = said.get("unit"), said.get("divided_by")
    if unit not in UNITS:
        if isinstance(unit, str) and row.step("unit") is not None:
            yield _choice((*path, "unit"), row.step("unit"), [name for name in UNITS if name != "none"])
        return
    allowed = _units(said.get("aggregate"), found, below)
    if unit not in allowed:
        yield _problem("own_unit", (*path, "unit"), row.step("unit"), choice=", ".join(allowed))


def _units(aggregate: object, found: str, below: object) -> tuple[str, ...]:
    """Return the units that an own metric can have."""
    others = tuple(u for u in UNITS if u not in (*_MONEY, "ratio", "probability", "points", "none", "month", "year"))
    if found == "share":
        return _SHARES
    if isinstance(below, Mapping) and aggregate in own.ADDITIVE:
        under = _below_kind(below)
        if found == "money":
            return _RATIOS if under == "money" else _MONEY[1:]
        return ("ratio", *others)
    if aggregate == "mean":
        return _MONEY if found == "money" else ("ratio", *others)
    if found == "money":
        return ("CNY",)
    counts = ("count", "orders", "reads")
    return (*counts, *_PEOPLE) if found == "rows" else _PEOPLE if found == "people" else others


def _below_kind(below: Mapping[str, Any]) -> str:
    metric = shipped().get(below["metric"]) if isinstance(below.get("metric"), str) else None
    if metric is not None:
        return "money" if metric.unit in _MONEY else "rows"
    return "money" if below.get("aggregate") == "sum" and str(below.get("column")).endswith("_yuan") else "rows"


def _condition_problems(path: tuple, row: Node, known: Mapping[str, Column]) -> Iterator[Problem]:
    said = _said(row)
    name, op, value = said.get("column"), said.get("op"), said.get("value")
    if not isinstance(name, str) or op not in own.OPERATORS:
        return
    if name not in known:
        yield _choice((*path, "column"), row.step("column"), known)
        return
    held = kind(known[name])
    if op not in _OPERATORS[held]:
        yield _problem("own_operator", (*path, "op"), row.step("op"), column=name, choice=", ".join(_OPERATORS[held]))
        return
    at = row.step("value") or row
    place = (*path, "value")
    if op in own.UNVALUED:
        if value is not None:
            yield _problem("own_no_value", place, at, op=op)
        return
    several = op in own.LISTED or op == "between"
    given = value if several and isinstance(value, list) else [] if several or isinstance(value, list) else [value]
    most = 2 if op == "between" else MOST_VALUES if several else 1
    if not given or len(given) > most or (op == "between" and len(given) != 2):
        wanted = f"[{_FORMS[held]}, …]" if several else _FORMS[held]
        yield _problem("own_values", place, at, value, op=op, wanted=wanted)
        return
    if not all(_is(held, one) for one in given):
        yield _problem("own_value", place, at, value, column=name, wanted=_FORMS[held])
    elif op == "between" and given[0] > given[1]:
        yield _problem("low_above_high", place, at, value)


def _is(held: str, value: object) -> bool:
    """Return whether a value is one of a column's type; numbers in quotes are texts."""
    if held == "yes_no":
        return isinstance(value, bool)
    if held in ("number", "whole"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (held == "number" or float(value).is_integer())
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT or not value.isprintable():
        return False
    return held == "text" or as_moment(value, held) is not None


def as_moment(text: str, held: str) -> dt.date | dt.datetime | None:
    """Return the day or moment that a text writes; None for anything else.

    >>> as_moment("2027-01-31", "date"), as_moment("1; drop table orders", "date")
    (datetime.date(2027, 1, 31), None)
    """
    try:
        if held == "date":
            return dt.date.fromisoformat(text) if len(text) == 10 else None
        return dt.datetime.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", text) else None
    except ValueError:
        return None


def _window_problems(path: tuple, row: Node, said: Mapping[str, Any], table: Table | None) -> Iterator[Problem]:
    if table is None:
        return
    dated = [name for name, one in columns(table).items() if kind(one) in ("date", "time")]
    named = said.get("dated_by")
    if isinstance(named, str) and named not in dated:
        yield _choice((*path, "dated_by"), row.step("dated_by"), dated)
    elif said.get("window") is not None and not named and table.day is None:
        yield _problem("own_undated", (*path, "window"), row.step("window"), table=table.name,
                       choice=", ".join(dated) or "—")  # fmt: skip


def _below_problems(path: tuple, row: Node, said: Mapping[str, Any], found: str) -> Iterator[Problem]:
    node, below = row.step("divided_by"), said.get("divided_by")
    if node is None or not isinstance(below, Mapping):
        return
    here = (*path, "divided_by")
    if said.get("aggregate") in ("mean", "share"):
        yield _problem("own_divided", here, node, said["aggregate"], choice=", ".join(own.ADDITIVE))
        return
    window = own.WINDOWS.get(said.get("window"), said.get("window")) if _plain(said.get("window")) else None
    if below.get("metric") is not None:
        if set(below) - {"metric"}:
            yield _problem("own_below", here, node, ", ".join(below))
        else:
            yield from _grain_problems((*here, "metric"), node.step("metric"), window)
        return
    for name in ("table", "aggregate"):
        if below.get(name) is None:
            yield _problem("own_below", here, node, ", ".join(below) or "—")
            return
    table, _ = yield from _counted_problems(here, node, {k: v for k, v in below.items() if k != "unit"})
    yield from _window_problems(here, node, dict(below) | {"window": said.get("window")}, table)


def _grain_problems(path: tuple, node: Node, window: object) -> Iterator[Problem]:
    """A metric below the line must be a number of things or an amount, over the same days, and measured."""
    metric = shipped().get(node.value) if isinstance(node.value, str) else None
    if metric is None:
        return  # told with the other unknown metrics
    fits = [m.id for m in shipped().values() if _fits(m, window) and m.id in MEASURED]
    if metric.id not in fits:
        yield _problem("own_grain", path, node, choice=", ".join(fits), days=window or "—")


# metrics whose level can stand below a line: what data/measures.yaml counts; a test compares
MEASURED = ("private_domain_users", "new_users_monthly", "followers", "communities", "article_reads", "content_cost",
            "orders", "gmv")  # fmt: skip
_LAST_30_DAYS = ("gmv", "content_cost")


def _fits(metric: Metric, window: object) -> bool:
    span = 30 if metric.id in _LAST_30_DAYS else metric.window
    return metric.additive and span in (None, window)


def _choice(path: tuple, node: Node, known: Any) -> Problem:
    near = difflib.get_close_matches(str(node.value)[:80], list(known), n=3, cutoff=0.5)
    rest = [name for name in known if name not in near]
    return _problem("choice", path, node, choice=", ".join([*near, *rest]))


def _problem(code: str, path: tuple, node: Node, given: object = None, **values: object) -> Problem:
    file, line = node.place
    shown = node.plain() if given is None and not isinstance(node.value, dict | list) else given
    return Problem(code, file, dotted(path), line, shown, values)
