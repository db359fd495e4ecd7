"""What notebook 10 says about its results: rows of its tables, pages and findings whose wording depends on the data.

Each function that takes a book records what its page needs there (see `planlib.workbook.context.Book`) and returns
the heading for the notebook. Levels are those of `planlib.baseline.levels`, measures those of
`planlib.data.baseline`; neither is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from planlib.core.metrics import metric as catalogue_metric

Text = dict[str, Any]
Row = dict[str, Any]

LEVEL = 0.95
STEP = 0.10  # by how much a figure is wrong when its effect is told
MOST_MISSING = 14  # rows of a page
SMALLEST_GROUP = 10  # groups of fewer people are not shown in a deck
_WEIGHT, _SAMPLE_WEIGHT, _PLAN_WEIGHT = 0.25, 0.02, 0.15
SCORECARD_UNITS = {
    "metric": "metric", "value": "@unit", "low": "@unit", "high": "@unit", "n": "count",
    "trend": "words:baseline.trend", "goal": "@unit", "verdict": "words:baseline.verdict",
    "reading": "words:baseline.reading_of",
}  # fmt: skip
QUALITY_UNITS = {
    "table": "words:data.tables", "rows": "count", "first": "text", "last": "text", "days_missing": "count",
    "completeness": "ratio", "timeliness": "ratio",
}  # fmt: skip
MISSING_UNITS = {
    "metric": "metric", "reason": "words:baseline.reason", "export": "words:baseline.export",
    "owner": "words:baseline.owner", "targets": "count", "effect": "relative_change",
}  # fmt: skip


def heads(units: Iterable[str]) -> dict[str, str]:
    """Return column -> locale key of its heading."""
    return {name: f"baseline.head.{name}" for name in units}


def first_goals(goals: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return metric -> the goal that a level of it can be held against: in the metric's unit, of the whole, due first.

    >>> first_goals([{"metric": "aov", "unit": "relative_change", "scope": "", "due_month": None}])
    {}
    """
    found: dict[str, Mapping[str, Any]] = {}
    for goal in sorted(goals, key=lambda goal: goal["due_month"] or 10**6):
        fits = goal["unit"] == catalogue_metric(goal["metric"]).unit and not goal["scope"]
        if fits:
            found.setdefault(goal["metric"], goal)
    return found


def effects(
    slopes: Mapping[str, Mapping[str, float | None]], drivers: Mapping[str, Sequence[str]], measures: Mapping[str, Any]
) -> dict[str, float]:
    """Return metric -> how far the most affected forecast moves when the level that it feeds is a step off.

    Args:
        slopes: driver -> metric -> elasticity, as `planlib.funnel.sensitivity.elasticities` returns them.
        drivers: driver -> places of the plan that make it up.
        measures: metric -> how it is measured, with the place that it feeds.
    """
    found = {}
    for name, measure in measures.items():
        fed = {"channels": "intake"}.get(measure.feeds, measure.feeds)
        mine = [driver for driver, places in drivers.items() if fed == driver or fed in places]
        sizes = [abs(x) * STEP for driver in mine for x in slopes.get(driver, {}).values() if x is not None]
        if sizes:
            found[name] = max(sizes)
    return found


def unit_of(name: str) -> str:
    """Return the catalogue's unit of a metric."""
    return catalogue_metric(name).unit


def is_rate(name: str) -> bool:
    """Return whether a metric divides one thing by another, so that firms of any size may be compared."""
    return catalogue_metric(name).divided


def meaning(name: str, stated: Any = None) -> dict[str, Any]:
    """Return what a figure of a metric measures, as `planlib.baseline.benchmark.Measure` takes it; None: not stated.

    Args:
        stated: a row of params/benchmarks.yaml; None for the catalogue's own meaning.
    """
    known = catalogue_metric(name)
    said = {side: getattr(stated, side, None) for side in ("denominator", "window_days", "population")}
    sides = ("numerator", "denominator")
    parts = {side: None if getattr(known, f"{side}_readings") else getattr(known, side) for side in sides}
    if not known.divided:
        parts = dict.fromkeys(parts, "")
    return {
        "metric": name,
        "numerator": parts["numerator"],
        "denominator": said["denominator"] or parts["denominator"],
        "window": said["window_days"] or (0 if known.kind == "stock" else known.window),
        "population": said["population"] or known.population,
    }


def scorecard_rows(
    levels: Mapping[str, Any], measures: Mapping[str, Any], goals: Sequence[Mapping[str, Any]],
    trends: Mapping[str, str], verdict: Callable[..., str],
) -> list[Row]:  # fmt: skip
    """Return one row a measured metric: those with a target first, in the plan's order."""
    held, order = first_goals(goals), list(dict.fromkeys(goal["metric"] for goal in goals))
    rows = []
    for name in [*order, *(name for name in levels if name not in order)]:
        level = levels.get(name)
        if level is None or level.value is None:
            continue
        goal = held.get(name)
        rows.append(
            {
                "metric": name,
                "reading": measures[name].reading,
                "value": level.value,
                "low": level.low,
                "high": level.high,
                "n": level.n,
                "trend": trends.get(name, "none"),
                "goal": goal and goal["goal"],
                "verdict": verdict(level, goal["op"], goal["goal"], goal["goal_high"]) if goal else "none",
                "targeted": name in order,
                "method": level.method,
                "unit": catalogue_metric(name).unit,
            }
        )
    return rows


def missing_rows(
    levels: Mapping[str, Any], measures: Mapping[str, Any], goals: Sequence[Mapping[str, Any]],
    effect: Mapping[str, float],
) -> list[Row]:  # fmt: skip
    """Return one row a metric with a target that cannot be measured, the most telling first."""
    count: dict[str, int] = {}
    for goal in goals:
        count[goal["metric"]] = count.get(goal["metric"], 0) + 1
    for name, measure in measures.items():
        if measure.feeds and effect.get(name):
            count.setdefault(name, 0)
    rows = [
        {
            "metric": name,
            "reason": levels[name].reason,
            "export": measures[name].export,
            "owner": measures[name].owner,
            "targets": float(number),
            "effect": effect.get(name),
        }
        for name, number in count.items()
        if name in levels and levels[name].value is None
    ]
    return sorted(rows, key=lambda row: (-(row["effect"] or 0.0), -row["targets"]))


def scorecard(book: Any, rows: Sequence[Row], missing: Sequence[Row]) -> Text:
    """Record the levels and how many fall short; return the heading."""
    for row in rows:
        band = None if row["low"] is None else (row["low"], row["high"], LEVEL)
        book.metric(
            row["metric"], row["value"], row["unit"], metric=row["metric"], method=row["method"], interval=band,
            n=None if row["n"] is None else int(row["n"]),
        )  # fmt: skip
    for row in missing:
        unit = catalogue_metric(row["metric"]).unit
        reason = row["reason"]
        book.metric(row["metric"], None, unit, metric=row["metric"], method="not_measurable", reason=reason)
    targeted = [row for row in rows if row["targeted"]]
    counts = {
        "measured": len(targeted),
        "short": sum(row["verdict"] == "missed" for row in targeted),
        "met": sum(row["verdict"] == "met" for row in targeted),
        "missing": sum(row["targets"] > 0 for row in missing),
    }
    counts["targets"] = counts["measured"] + counts["missing"]
    for name, value in counts.items():
        book.metric(f"n_{name}", value, "count", method="count")
    if not rows:
        return book.text("baseline.say.scorecard_none", targets="n_targets")
    values = {"measured": "n_measured", "short": "n_short"}
    if targeted:
        shown = ("scorecard", ("metric", "value", "low", "high", "n", "trend", "goal", "verdict"))
        _page(book, "baseline_scorecard", "scorecard", table=shown, strong="value", met="n_met", **values)
    return book.text("baseline.say.scorecard", targets="n_targets", **values)


def missing(book: Any, rows: Sequence[Row], *, kind: str) -> Text:
    """Record what cannot be measured; return the heading.

    Args:
        kind: "missing", or "plan" where nothing is measured and this is the measurement plan.
    """
    book.metric("effect_step", STEP, "ratio", method="as_stated")
    if not rows:
        return book.text("baseline.say.missing_none")
    shown = ("missing_first", tuple(MISSING_UNITS))
    _page(book, "baseline_missing", kind, like="missing", table=shown, strong="effect", missing="n_missing")
    return book.text("baseline.say.missing", missing="n_missing", export=_export(rows[0]))


def retention(book: Any, rows: Mapping[int, Any], *, projected: float | None) -> Text:
    """Record D7, D30 and D90 of mature cohorts; return the heading."""
    for day, found in rows.items():
        book.metric(f"young_{day}", found.people_left_out, "users", method="count")
    book.metric("last_day", max(rows, default=0), "days", method="as_stated")
    if projected is not None:
        book.metric("projected_d90", projected, "ratio", metric="retention_d90", method="sbg")
    if any(rows[day].level.value is None for day in (7, 30)):
        return book.text("baseline.say.retention_none")
    values = {"d7": "retention_d7", "m1": "retention_m1"}
    _page(book, "baseline_retention", "retention", chart="retention", **values)
    return book.text("baseline.say.retention", **values)


def funnel(book: Any, shares: Mapping[str, Any]) -> Text:
    """Record the stages that joiners pass; return the heading."""
    if not shares or any(level.value is None for level in shares.values()):
        return book.text("baseline.say.funnel_none")
    for stage, level in shares.items():
        band = (level.low, level.high, LEVEL)
        book.metric(f"stage_{stage}", level.value, "ratio", method=level.method, interval=band, n=level.n)
        book.metric(f"of_100_{stage}", round(100 * level.value), "count", method=level.method)
    _page(book, "baseline_funnel", "funnel", chart="funnel", activated="stage_activated", bought="stage_bought")
    return book.text("baseline.say.funnel", **{stage: f"of_100_{stage}" for stage in shares})


def dormancy(book: Any, bridge: Any) -> Text:
    """Record the bridge of dormant people; return the heading."""
    if bridge is None:
        return book.text("baseline.say.dormancy_none")
    for name in ("opening", "newly", "woken", "lost", "closing"):
        book.metric(f"dormant_{name}", getattr(bridge, name), "users", method="count")
    moved = {"woken": "dormant_woken", "newly": "dormant_newly"}
    _page(book, "baseline_dormancy", "dormancy", chart="dormancy", share="dormant_share", **moved)
    return book.text("baseline.say.dormancy", opening="dormant_opening", closing="dormant_closing", **moved)


def stores(book: Any, league: Any) -> Text:
    """Record the league of stores; return the heading."""
    if league is None:
        return book.text("baseline.say.stores_none")
    beyond = int((league.beyond != 0).sum())
    book.metric("stores_beyond", beyond, "count", method="funnel_limits", n=len(league.stores))
    values = {"beyond": "stores_beyond"} if beyond else {}
    kind = "stores" if beyond else "stores_same"
    _page(book, "baseline_stores", kind, like="stores", chart="stores", **values)
    return book.text(f"baseline.say.{kind}", **values)


def quality(book: Any, found: Any) -> Text:
    """Record how far the data can be relied on; return the heading.

    Args:
        found: `planlib.data.quality.Quality`; None without data.
    """
    if found is None or not found.tables:
        return book.text("baseline.say.quality_none")
    book.metric("tables", len(found.tables), "count", method="count")
    book.metric("table_rows", sum(table.rows for table in found.tables), "count", method="count")
    values = {"tables": "tables", "rows": "table_rows"}
    known = [name for name in ("completeness", "timeliness") if found.score(name).value is not None]
    for name in known:
        book.metric(name, found.score(name).value, "ratio", method="count", n=found.score(name).n)
    columns = tuple(QUALITY_UNITS)
    kind, said = ("quality", dict(zip(known, known, strict=True))) if len(known) == 2 else ("quality_rows", values)
    _page(book, "baseline_quality", kind, like="quality", table=("tables", columns), strong="completeness", **said)
    return book.text("baseline.say.quality", **values)


def findings(book: Any, rows: Sequence[Row], gaps: Sequence[Row]) -> None:
    """Record the finding for the summary: how many levels fall short, or that nothing is measured yet."""
    targeted = [row for row in rows if row["targeted"]]
    short = sum(row["verdict"] == "missed" for row in targeted)
    if targeted:
        weight = _SAMPLE_WEIGHT if book.on_sample else _WEIGHT * short / len(targeted)
        book.finding(
            "baseline", status="at_risk" if short else "on_track", weight=weight, figure="n_short",
            figure_label=book.text(f"baseline.finding.label{'_sample' if book.on_sample else ''}"),
            text=book.text("baseline.finding.short", measured="n_measured", short="n_short"),
            evidence=book.text("baseline.finding.short_why", measured="n_measured", missing="n_missing"),
            next_step=book.text("baseline.finding.short_next"), owner=book.text("baseline.owner_of"),
            page="baseline_scorecard",
        )  # fmt: skip
    elif gaps:
        owner = {"words": f"baseline.owner.{gaps[0]['owner']}"}
        book.finding(
            "baseline", status="not_measured", weight=_PLAN_WEIGHT, figure="n_missing",
            figure_label=book.text("baseline.finding.label_plan"),
            text=book.text("baseline.finding.plan", missing="n_missing"),
            evidence=book.text("baseline.finding.plan_why", export=_export(gaps[0]), owner=owner),
            next_step=book.text("baseline.finding.plan_next"), owner=book.text("baseline.owner_of"),
            page="baseline_missing",
        )  # fmt: skip


def _export(row: Mapping[str, Any]) -> Text:
    return {"words": f"baseline.export.{row['export']}"}


def _page(
    book: Any, page_id: str, kind: str, *, like: str = "", chart: str | None = None,
    table: tuple[str, Sequence[str]] | None = None, strong: str = "", **values: Any,
) -> None:  # fmt: skip
    """Record a page; `like` names its subtitle and reading where another kind has the same."""
    shown = None
    if table:
        columns = [{"name": name, "head": f"baseline.head.{name}", "strong": name == strong} for name in table[1]]
        shown = {"id": table[0], "columns": columns}
    source = "sample" if book.on_sample else "own" if book.has_data else "plan"
    said = like or kind
    book.page(
        page_id, layout="chart" if chart else "table", section="baseline.section",
        title=book.text(f"baseline.title.{kind}", **values), subtitle=book.text(f"baseline.subtitle.{said}"),
        reading=book.text(f"baseline.reading.{said}"), source=book.text(f"baseline.source_{source}"),
        chart=chart, table=shown,
    )  # fmt: skip
