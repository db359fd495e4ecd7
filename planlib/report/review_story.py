"""What notebook 80 says: rows of its tables, pages of the deck, findings.

Each function that takes a book records what its page needs there and returns the heading for the notebook. What was
found comes from `planlib.reviewing`, which is not imported.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core import own
from planlib.core.errors import InputError
from planlib.core.metrics import catalogue
from planlib.report.charts.review import MOST_ROWS, ScoreRow
from planlib.report.schedule_story import both

Text = dict[str, Any]
Row = dict[str, Any]

_SECTION = "review.section"
_WEIGHT, _SAMPLE_WEIGHT = 0.5, 0.03
_ORDER = ("off_track", "at_risk", "on_track", "not_measured")
SCORE_UNITS = {
    "metric": "metric", "plan": "@unit", "actual": "@unit", "low": "@unit", "high": "@unit",
    "gap_points": "points", "gap_share": "relative_change", "status": "status", "reason": "words:review.reason",
    "forecast": "@unit",
}  # fmt: skip
PACE_UNITS = {
    "metric": "metric", "target": "@unit", "due": "@unit", "actual": "@unit", "ratio": "ratio", "projected": "@unit",
    "low": "@unit", "high": "@unit",
}  # fmt: skip
MONTH_UNITS = {"metric": "metric", "month": "number", "value": "@unit"}
PART_UNITS = {"part": "words:review.part", "change": "CNY", "share": "relative_change"}
ALERT_UNITS = {
    "series": "words:review.series", "owner_code": "text", "direction": "words:review.direction", "began": "text",
    "raised": "text", "size": "number", "state": "words:review.alert_state", "next": "words:review.next_sign",
}  # fmt: skip
TOTAL_UNITS = {"hits": "words:review.hits"} | dict.fromkeys(
    ("expected", "expected_after", "tail", "tail_after"), "@unit"
)
RISK_UNITS = {
    "number": "text", "risk": "bilingual", "response": "bilingual", "owner": "bilingual", "hits": "words:review.hits",
    "before": "ratio", "after": "ratio", "removed_tail": "ratio", "state": "words:review.risk_state",
}  # fmt: skip
TODO_UNITS = {
    "what": "bilingual", "kind": "words:review.todo_kind", "owner": "bilingual", "due": "text",
    "state": "words:review.todo_state", "days": "number", "expected": "@unit", "observed": "@unit",
}  # fmt: skip


def heads(units: Mapping[str, str]) -> dict[str, str]:
    """Return column -> locale key of its heading."""
    return {name: f"review.head.{name}" for name in units}


def frame(rows: Sequence[Row], units: Mapping[str, str], *beside: str) -> Any:
    """Return the table of some rows with all columns of `units` and those `beside`, dates as text."""
    import pandas as pd

    from planlib.core.words import LOCALES

    columns = []
    for name, unit in units.items():
        columns += [f"{name}_{locale}" for locale in LOCALES] if unit == "bilingual" else [name]
    told = [{k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.items()} for row in rows]
    found = pd.DataFrame(told, columns=[*columns, *beside])
    plain = ("text", "bilingual", "metric", "status")
    numbers = [name for name, unit in units.items() if unit not in plain and not unit.startswith("words:")]
    return found.astype(dict.fromkeys(numbers, float))


def recorded(book: Any, notebook: str) -> dict[str, float]:
    """Return metric -> value of another notebook of this run, else of the latest; nothing where it has not run."""
    try:
        found = book.upstream(notebook)
    except InputError:
        return {}
    return {metric["id"]: metric["value"] for metric in found["metrics"] if metric["value"] is not None}


def told(number: float | None) -> float:
    """Return a number for a table: NaN stands for what cannot be said."""
    return np.nan if number is None else float(number)


# ---- scorecard


def score_rows(rows: Sequence[Any]) -> list[Row]:
    """Return rows of the scorecard, the farthest behind first, those not measured last."""
    found = []
    for row in rows:
        line, unit = row.line, catalogue()[row.line.metric].unit
        found.append(
            {
                "metric": line.metric, "plan": told(line.plan), "actual": told(line.actual), "low": told(line.low),
                "high": told(line.high), "gap_points": told(row.gap) if line.absolute else np.nan,
                "gap_share": np.nan if line.absolute else told(row.gap), "status": row.status, "reason": row.reason,
                "forecast": told(line.forecast), "unit": unit,
                "far": _distance(row),
            }
        )  # fmt: skip
    return sorted(found, key=lambda r: (_ORDER.index(r["status"]), -r["far"], r["metric"]))


def _distance(row: Any) -> float:
    """Return how far a metric is from its plan, as a share of it."""
    if row.gap is None:
        return 0.0
    return abs(row.gap / row.line.plan if row.line.absolute and row.line.plan else row.gap)


def score_drawn(
    rows: Sequence[Any], history: Mapping[str, Sequence[tuple[float, float]]],
    paths: Mapping[str, Sequence[tuple[float, float]]],
) -> list[ScoreRow]:  # fmt: skip
    """Return what the page draws: the plan's own metrics and those with a course, then others, as many as fit."""
    told_rows = [
        ScoreRow(
            row.line.metric, catalogue()[row.line.metric].unit, row.line.plan, row.line.actual, row.gap,
            row.line.absolute, row.line.forecast, row.status, row.reason, history.get(row.line.metric, ()),
            paths.get(row.line.metric, ()),
        )
        for row in rows
    ]  # fmt: skip
    known = [row for row in told_rows if row.actual is not None]
    return (
        sorted(known, key=lambda r: (not r.history and r.metric not in own.known(), _ORDER.index(r.status)))[:MOST_ROWS]
        + [row for row in told_rows if row.actual is None][: max(MOST_ROWS - len(known), 0)]
    )


def scorecard(book: Any, counts: Mapping[str, int], *, begun: bool) -> Text:
    """Record how many metrics have which status; return the heading."""
    book.metric("metrics", sum(counts.values()), "count", method="count")
    for status, n in counts.items():
        book.metric(f"n_{status}", n, "count", method="count")
    values = {"n": "metrics", "met": "n_on_track", "behind": "n_at_risk", "far": "n_off_track"}
    values |= {"open": "n_not_measured"}
    measured = sum(counts.values()) > counts["not_measured"]
    kind = "scorecard" if measured else "scorecard_none"
    values = values if measured else {"n": "metrics"}
    said = "scorecard_none" if not measured else "scorecard" if begun else "scorecard_before"
    _page(book, "review_scorecard", kind, chart="scorecard", reading=said, **values)
    return _said(book, f"review.title.{kind}", values)


def month_rows(history: Mapping[str, Sequence[tuple[float, float]]]) -> list[Row]:
    """Return a row a metric and month that is over: what later reviews hold theirs against, to tell what was revised.

    Args:
        history: metric -> (month of the plan, level); months before the plan are 0 and below.
    """
    return [
        {"metric": metric, "month": month, "value": value, "unit": catalogue()[metric].unit}
        for metric, points in sorted(history.items())
        for month, value in points
    ]


# ---- pace


def pace_rows(paced: Sequence[Any]) -> list[Row]:
    """Return a row a metric: the month to date, what is due of its target, and the month's end; GMV in CNY."""
    rows = []
    for one in paced:
        found, scale = one.found, 100 if one.metric == "gmv" else 1
        aimed = one.targets is not None
        rows.append(
            {
                "metric": one.metric,
                "target": found.target / scale if aimed else np.nan,
                "due": found.due / scale if aimed else np.nan,
                "actual": found.actual / scale,
                "ratio": told(found.ratio) if aimed else np.nan,
                "projected": found.projected / scale,
                "low": found.low / scale,
                "high": found.high / scale,
                "unit": catalogue()[one.metric].unit,
            }
        )
    return rows


# ---- GMV


def part_rows(parts: Mapping[str, int], before_fen: int) -> list[Row]:
    """Return a row a part of the change of GMV."""
    return [
        {"part": name, "change": fen / 100, "share": fen / before_fen if before_fen else np.nan}
        for name, fen in parts.items()
    ]


def bridge(book: Any, before: float, after: float, parts: Sequence[Row], *, against: str) -> Text:
    """Record the bridge; return the heading.

    Args:
        against: plan or month: what the other side is.
    """
    book.metric("gmv_before", before, "CNY", metric="gmv", method="as_planned" if against == "plan" else "sum")
    book.metric("gmv_now", after, "CNY", metric="gmv", method="sum")
    book.metric("gmv_change", after - before, "CNY", method="lmdi", signed=True)
    largest = max(parts, key=lambda row: abs(row["change"]))
    book.metric("gmv_largest", largest["change"], "CNY", method="lmdi", signed=True)
    values = {
        "before": "gmv_before", "now": "gmv_now", "change": "gmv_change", "largest": "gmv_largest",
        "part": {"words": f"review.part.{largest['part']}"},
    }  # fmt: skip
    _page(book, "review_bridge", f"bridge_{against}", chart="bridge", reading="bridge", **values)
    return _said(book, f"review.title.bridge_{against}", values)


# ---- alerts


def alert_rows(watched: Sequence[Any], nexts: Mapping[str, str]) -> list[Row]:
    """Return a row an alarm, open ones first, then the newest.

    Args:
        watched: series under watch.
        nexts: owner -> sign that comes next in the chain of decay.
    """
    rows = []
    for one in watched:
        for alarm in one.watch.alarms:
            is_open = alarm.closed is None
            rows.append(
                {
                    "series": one.series, "owner_code": one.of[:6] or "—",
                    "direction": "falls" if alarm.direction < 0 else "rises", "began": one.day(alarm.began),
                    "raised": one.day(alarm.raised), "size": alarm.size, "state": "open" if is_open else "closed",
                    "next": nexts.get(one.of, "") or "none",
                }
            )  # fmt: skip
    newest = sorted(rows, key=lambda row: row["raised"], reverse=True)
    return sorted(newest, key=lambda row: row["state"] != "open")


def alerts(book: Any, rows: Sequence[Row], *, series: int, false_a_year: float) -> Text:
    """Record the alerts; return the heading."""
    book.metric("watched_series", series, "count", method="count")
    book.metric("false_a_year", false_a_year, "number", method="as_stated")
    book.metric("alerts", len(rows), "count", method="cusum")
    book.metric("alerts_open", sum(row["state"] == "open" for row in rows), "count", method="cusum")
    if not series:
        return book.text("review.title.alerts_none")
    values = {"n": "alerts", "open": "alerts_open", "series": "watched_series"}
    if rows:
        columns = ("series", "owner_code", "direction", "began", "raised", "size", "state", "next")
        _page(book, "review_alerts", "alerts", table=("alerts_page", columns), strong="raised", **values)
    return _said(book, "review.title.alerts", values)


def rate_rows(series: Mapping[str, Any], watched: Any) -> list[Row]:
    """Return how many alarms each rate of false alarms would have raised, and after how many days it sees a shift.

    Args:
        watched: false alarms a year -> series under watch.
    """
    from planlib.core.control import cusum_limit, cusum_run_length

    rows = []
    for rate in (0.5, 1.0, 2.0, 4.0):
        found = watched(rate)
        delay = cusum_run_length(0.5, cusum_limit(0.5, found[0].watch.run_length), shift=1.0)
        rows.append({"rate": rate, "alerts": sum(len(one.watch.alarms) for one in found), "delay": delay})
    return rows


# ---- service


def promise_rows(limits: Mapping[str, Mapping[str, dt.timedelta]]) -> list[Row]:
    """Return a row a clock."""
    return [
        {"kind": kind, "step": step, "limit": limit.total_seconds() / 3600}
        for kind, steps in limits.items()
        for step, limit in steps.items()
    ]


# ---- risks


def risk_rows(plan_risks: Sequence[Any], found: Any, hits: Mapping[str, Any], owner: Any) -> list[Row]:
    """Return a row a risk, the largest exposure first.

    Args:
        owner: id -> name in both languages.
    """
    by_id = {entry.risk: entry for entry in found.entries}
    nobody = {"zh": "", "en": ""}
    rows = []
    for risk in sorted(plan_risks, key=lambda risk: -by_id[risk.id].expected):
        entry = by_id[risk.id]
        rows.append(
            {"number": chr(ord("A") + len(rows))}
            | both("risk", risk.name.model_dump())
            | both("response", risk.response.model_dump() if risk.response else nobody)
            | both("owner", owner(risk.owner))
            | {
                "hits": hits[risk.id].metric, "before": entry.expected, "after": told(entry.expected_after),
                "removed_tail": entry.removed_tail, "state": entry.state, "id": risk.id,
            }
        )  # fmt: skip
    return rows


def total_rows(by_figure: Mapping[str, Any]) -> list[Row]:
    """Return a row a figure: what all risks are expected to take of it, and the worst one in twenty."""
    units = {"private_domain_users": "users", "active_users": "users"}
    return [
        {
            "hits": figure, "expected": one.expected, "expected_after": one.expected_after,
            "tail": one.quantiles[0.95], "tail_after": one.quantiles_after[0.95], "unit": units.get(figure, "CNY"),
        }
        for figure, one in by_figure.items()
    ]  # fmt: skip


def risks(book: Any, rows: Sequence[Row], totals: Sequence[Row], *, draws: int) -> Text:
    """Record the register; return the heading. Sums stand figure by figure: shares of different ones do not add up.

    Args:
        rows: of `risk_rows`.
        totals: of `total_rows`.
        draws: of the simulation.
    """
    book.metric("risks", len(rows), "count", method="count")
    book.metric("triggered", sum(row["state"] == "triggered" for row in rows), "count", method="trigger")
    if not rows:
        return book.text("review.title.risks_none")
    for row in totals:
        name, unit = row["hits"], row["unit"]
        book.metric(f"loss_{name}", row["expected"], unit, method="closed_form")
        book.metric(f"loss_{name}_after", row["expected_after"], unit, method="closed_form")
        book.metric(f"tail_{name}", row["tail"], unit, method="simulation", n=draws)
        book.metric(f"tail_{name}_after", row["tail_after"], unit, method="simulation", n=draws)
    order = ("private_domain_users", "gmv", "active_users", "total_budget")
    told_of = sorted(totals, key=lambda row: order.index(row["hits"]))[:2]
    values: dict[str, Any] = {"n": "risks", "triggered": "triggered"}
    for place, row in zip(("first", "second"), told_of, strict=False):
        values |= {
            place: f"loss_{row['hits']}", f"{place}_after": f"loss_{row['hits']}_after",
            f"{place}_name": {"words": f"review.hits.{row['hits']}"},
        }  # fmt: skip
    kind = ("risks_unmoved", "risks_one", "risks")[len(told_of)]
    columns = ("number", "risk", "response", "owner", "hits", "before", "after")
    wide = {"risk": 1.2, "response": 1.4, "owner": 0.8}
    hot = any(row["state"] == "triggered" for row in rows)
    reading = "risks" if hot else "risks_quiet"
    _page(book, "review_risks", kind, reading=reading, subtitle="risks", chart="risks", table=("risks_page", columns),
          strong="before", weights=wide, **values)  # fmt: skip
    return _said(book, f"review.title.{kind}", values)


# ---- what to do


def todo_rows(
    followed: Sequence[Any], standing: Sequence[Any], names: Mapping[str, Any], owners: Mapping[str, Any]
) -> list[Row]:
    """Return actions and duties, overdue first, then by date; what is done last.

    Args:
        followed: actions; standing: duties.
        names, owners: id -> text in both languages.
    """
    rows = []
    for one in followed:
        action = one.action
        unit = catalogue()[action.metric].unit if action.metric else "number"
        rows.append(
            both("what", names[action.id]) | both("owner", owners[action.id])
            | {"id": action.id, "kind": "action", "due": action.due, "state": one.state, "days": one.days,
               "expected": told(action.expected),
               "observed": told(action.observed), "unit": "points" if unit == "ratio" else unit}
        )  # fmt: skip
    for one in standing:
        rows.append(
            both("what", names[one.duty]) | both("owner", owners[one.duty])
            | {"id": one.duty, "kind": "duty", "due": one.due, "state": one.state, "days": one.days, "expected": np.nan,
               "observed": np.nan, "unit": "number"}
        )  # fmt: skip
    order = ("overdue", "due_soon", "open", "done", "dropped")
    return sorted(rows, key=lambda row: (order.index(row["state"]), row["due"], row["what_en"]))


def todo(book: Any, rows: Sequence[Row]) -> Text:
    """Record actions and duties; return the heading."""
    by_state = {"todo_overdue": ("overdue",), "todo_open": ("overdue", "due_soon", "open"), "todo_done": ("done",)}
    for name, states in by_state.items():
        book.metric(name, sum(row["state"] in states for row in rows), "count", method="count")
    book.metric("actions", sum(row["kind"] == "action" for row in rows), "count", method="count")
    if not rows:
        return book.text("review.title.todo_none")
    values = {"open": "todo_open", "overdue": "todo_overdue", "actions": "actions"}
    columns = ("what", "kind", "owner", "due", "state", "days", "expected", "observed")
    kind = "todo" if any(row["kind"] == "action" for row in rows) else "todo_duties"
    late = any(row["state"] == "overdue" for row in rows)
    title = kind if late else f"{kind}_in_time"
    _page(
        book, "review_actions", title, subtitle=kind, reading=kind, table=("todo_page", columns), strong="due",
        weights={"what": 2.2}, **values,
    )  # fmt: skip
    return _said(book, f"review.title.{title}", values)


def finding(book: Any, counts: Mapping[str, int], rows: Sequence[Row]) -> None:
    """Record the finding for the summary: what is behind, or that nothing is measured yet."""
    measured = sum(counts.values()) - counts["not_measured"]
    if not measured or not sum(counts.values()):
        return
    status = "off_track" if counts["off_track"] else "at_risk" if counts["at_risk"] else "on_track"
    worst = rows[0]["metric"]
    book.finding(
        "review", status=status, weight=_SAMPLE_WEIGHT if book.on_sample else _WEIGHT, figure="n_off_track",
        figure_label=book.text("review.finding.label"),
        text=book.text("review.finding.text", far="n_off_track", n="metrics"),
        evidence=book.text("review.finding.why", metric={"metric": worst}, open="alerts_open"),
        next_step=book.text("review.finding.next"), owner=book.text("review.finding.owner"), page="review_scorecard",
    )  # fmt: skip


def _said(book: Any, key: str, values: Mapping[str, Any]) -> Text:
    """Return a sentence with those of the values that it takes."""
    asked = book.words.placeholders(key)
    return book.text(key, **{name: value for name, value in values.items() if name in asked})


def _page(
    book: Any, page_id: str, kind: str, *, chart: str | None = None, table: tuple[str, Sequence[str]] | None = None,
    strong: str = "", weights: Mapping[str, float] | None = None, reading: str = "", subtitle: str = "",
    **values: Any,
) -> None:  # fmt: skip
    wide = weights or {}
    shown = table and {
        "id": table[0],
        "columns": [
            {"name": n, "head": f"review.head.{n}", "strong": n == strong, "weight": wide.get(n, 1.0)} for n in table[1]
        ],
    }
    source = "sample" if book.on_sample else "own" if book.has_data else "plan"
    book.page(
        page_id, layout="chart" if chart else "table", section=_SECTION, chart=chart, table=shown,
        title=_said(book, f"review.title.{kind}", values),
        subtitle=book.text(f"review.subtitle.{subtitle or kind}"),
        reading=_said(book, f"review.reading.{reading or kind}", values),
        source=book.text(f"review.source_{source}"),
    )  # fmt: skip
