"""SQL of the metrics that a plan declares, made of names that the schema knows and of parameters.

Names of tables and columns are those of `planlib.data.schema`, written in double quotes; every value of a condition is
a parameter. The texts are standard SQL and run on DuckDB and Spark alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planlib.core import own
from planlib.core.metrics import UNITS
from planlib.data.engine import identifiers
from planlib.data.schema import TABLES
from planlib.plan.own_metrics import as_moment, columns, kind

if TYPE_CHECKING:
    from planlib.data.baseline import Windows
    from planlib.data.engine import Engine

_COMPARED = {"equals": "=", "not_equals": "<>", "at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
_EXACT = "DECIMAL(18, 6)"  # its square is exact in 38 digits on both engines


def text(counted: own.Counted, *, since: dt.date | None, until: dt.date) -> tuple[str, dict[str, object]]:
    """Return the question of an aggregate and its parameters.

    The answer has the columns of its form: n and total; of a mean squares too; of a share n and successes.

    Args:
        since, until: first day and the day after the last; without a first every row before `until` counts.

    Raises:
        KeyError: a table or column that the schema does not have.

    >>> text(own.Counted("tags", "count", where=(own.Condition("tag_name", "equals", ("' or 1=1",)),)),
    ...      since=None, until=dt.date(2027, 1, 1))
    ('SELECT COUNT(*) AS n, COUNT(*) AS total FROM "tags" WHERE "tag_name" = :v0', {'v0': "' or 1=1"})
    """
    given: dict[str, object] = {}
    known = columns(TABLES[counted.table])
    dated = known[counted.dated_by].name if counted.dated_by else ""
    kept = [
        _met(one, counted.table, given) for one in (counted.among if counted.aggregate == "share" else counted.where)
    ]
    if dated:
        kept += _between(dated, since, until, given)
    above = (
        " AND ".join(_met(one, counted.table, given) for one in counted.where) if counted.aggregate == "share" else ""
    )
    named = identifiers([known[counted.column].name]) if counted.column else ""
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    return f"SELECT {_asked(counted.aggregate, named, above)} FROM {identifiers([counted.table])}{where}", given


def by_day(counted: own.Counted, *, since: dt.date, until: dt.date) -> tuple[str, dict[str, object]]:
    """Return the question how many rows of an aggregate there were each day; see `text`."""
    asked, given = text(counted, since=since, until=until)
    rows = asked.partition(" FROM ")[2]
    day = f"CAST({identifiers([columns(TABLES[counted.table])[counted.dated_by].name])} AS DATE)"
    return f"SELECT {day} AS day, COUNT(*) AS n FROM {rows} GROUP BY {day} ORDER BY {day}", given


def _asked(aggregate: str, named: str, above: str) -> str:
    if aggregate == "share":
        if named:
            return f"COUNT(DISTINCT {named}) AS n, COUNT(DISTINCT CASE WHEN {above} THEN {named} END) AS successes"
        return f"COUNT(*) AS n, COALESCE(SUM(CASE WHEN {above} THEN 1 ELSE 0 END), 0) AS successes"
    if aggregate == "distinct":
        return f"COUNT(DISTINCT {named}) AS n, COUNT(DISTINCT {named}) AS total"
    if aggregate == "count":
        counted = f"COUNT({named or '*'})"
        return f"{counted} AS n, {counted} AS total"
    exact = f"CAST({named} AS {_EXACT})"
    squares = f", SUM({exact} * {exact}) AS squares" if aggregate == "mean" else ""
    return f"COUNT({named}) AS n, SUM({exact}) AS total{squares}"


def _between(column: str, since: dt.date | None, until: dt.date, given: dict[str, object]) -> list[str]:
    found = []
    for name, sign, day in (("since", ">=", since), ("until", "<", until)):
        if day is not None:
            given[name] = dt.datetime.combine(day, dt.time())
            found.append(f"{identifiers([column])} {sign} :{name}")
    return found


def _met(condition: own.Condition, table: str, given: dict[str, object]) -> str:
    """Return a condition as SQL; its values become parameters."""
    column = columns(TABLES[table])[condition.column]
    named, op = identifiers([column.name]), condition.op
    if op in own.UNVALUED:
        return f"{named} IS {'NULL' if op == 'is_empty' else 'NOT NULL'}"
    held, places = kind(column), []
    for value in condition.values:
        place = f"v{len(given)}"
        given[place] = as_moment(str(value), held) if held in ("date", "time") else value
        places.append(f":{place}")
    if op in own.LISTED:
        return f"{named} {'IN' if op == 'one_of' else 'NOT IN'} ({', '.join(places)})"
    if op == "between":
        return f"{named} BETWEEN {places[0]} AND {places[1]}"
    return f"{named} {_COMPARED[op]} {places[0]}"


def measured(
    engine: Engine, metric: own.OwnMetric, windows: Windows, sums: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | str:
    """Return the sums of an own metric in its form, or the id of the reason why there are none.

    Args:
        sums: of the shipped metrics, which may stand below the line.
    """
    span = {"since": metric.window_days and windows.back(metric.window_days), "until": windows.until}
    found = engine.query(*text(metric.counted, **span)).one()
    if metric.divided_by is not None:
        return _divided(engine, metric, span, found, sums)
    if metric.form == "share":
        return {"successes": int(found["successes"]), "n": int(found["n"])}
    if metric.form == "mean":
        return {"n": int(found["n"]), **{name: float(found[name] or 0) for name in ("total", "squares")}}
    if metric.form == "count":
        return {"total": int(found["total"]), "days": _days(engine, metric, span)}
    if not found["n"] and metric.counted.aggregate == "sum":
        return "no_rows"
    return _inside(metric, float(found["total"]), int(found["n"]))


def _divided(
    engine: Engine, metric: own.OwnMetric, span: Mapping[str, Any], found: Mapping[str, Any],
    sums: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | str:  # fmt: skip
    if isinstance(metric.divided_by, str):
        below = sums.get(metric.divided_by)
        if below is None:
            return "no_rows"
        under = float(below["total"] if "total" in below else below["value"])
    else:
        under = float(engine.query(*text(metric.divided_by, **span)).one()["total"] or 0)
    return _inside(metric, float(found["total"] or 0) / under, None) if under else "empty_base"


def _inside(metric: own.OwnMetric, value: float, n: int | None) -> dict[str, Any] | str:
    low, high = UNITS[metric.unit]
    if (low is not None and value < low) or (high is not None and value > high):
        return "outside_domain"
    return {"value": value, "n": n}


def _days(engine: Engine, metric: own.OwnMetric, span: Mapping[str, Any]) -> Sequence[int]:
    rows = {row["day"]: int(row["n"]) for row in engine.query(*by_day(metric.counted, **span)).rows()}
    days = (span["until"] - span["since"]).days
    return [rows.get(span["since"] + dt.timedelta(days=at), 0) for at in range(days)]
