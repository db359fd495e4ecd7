"""What notebook 80 says of money, productivity, market, brand and data, of groups, clocks and effects of actions.

As in `planlib.report.review_story`: each function that takes a book records what its page needs there. What was found
comes from `planlib.overseeing` and `planlib.reviewing`, which are not imported.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, words
from planlib.report.review_story import Row, Text, told
from planlib.report.schedule_story import both

_ROOM = "oversight"
MOST_EFFECTS = 10
GROUP_UNITS = {"dimension": "words:review.dimension", "group": "bilingual", "change": "CNY"} | dict.fromkeys(
    ("users", "mix", "activity", "conversion", "frequency", "order_value"), "CNY"
)
CHAIN_UNITS = {
    "owner_code": "text", "members": "count", "phase": "words:review.phase", "quiet_since": "text",
    "exits_since": "text", "lag": "number", "next": "words:review.next_sign",
}  # fmt: skip
CLOCK_UNITS = {
    "incident": "bilingual", "kind": "words:review.kind", "step": "words:review.step", "due": "text", "done": "text",
    "state": "words:review.clock_state",
}  # fmt: skip
READY_UNITS = {"kind": "words:review.kind", "step": "words:review.step", "limit": "hours"}
COST_UNITS = {
    "channel": "bilingual", "planned_cny": "CNY", "actual_cny": "CNY", "planned_output": "users",
    "actual_output": "users", "cpi": "number", "spi": "number", "price": "CNY", "status": "status",
    "reason": "words:oversight.cost_state",
}  # fmt: skip
WORK_UNITS = {
    "function": "words:oversight.function", "output": "words:oversight.output", "input": "words:oversight.input",
    "level": "number", "low": "number", "high": "number",
}  # fmt: skip
SCORE_UNITS = {
    "score": "words:oversight.score", "value": "ratio", "low": "ratio", "high": "ratio", "goal": "ratio",
    "status": "words:oversight.met",
}  # fmt: skip
STRESS_UNITS = {
    "driver": "words:oversight.driver", "before": "@unit", "after": "@unit", "lost_gmv": "CNY", "lost_users": "users",
}  # fmt: skip
BRAND_UNITS = {
    "metric": "metric", "goal": "@unit", "due_month": "month", "monthly": "ratio", "due_now": "number",
    "answers": "count", "status": "status", "export": "words:baseline.export",
}  # fmt: skip
EFFECT_UNITS = {
    "action": "bilingual", "expected": "@unit", "observed": "@unit", "low": "@unit", "high": "@unit",
    "verdict": "words:oversight.verdict", "share": "ratio", "share_low": "ratio", "share_high": "ratio",
}  # fmt: skip
_EFFECT_COLUMNS = ("action", "expected", "observed", "verdict")


def heads(units: Mapping[str, str]) -> dict[str, str]:
    """Return column -> locale key of its heading."""
    return {name: f"{_ROOM}.head.{name}" for name in units}


# ---- GMV by group


def group_rows(
    found: Mapping[str, Any], users: Mapping[str, Any], names: Mapping[str, Mapping[str, str]], *, most: int = 2,
    least: int = 10,
) -> list[Row]:  # fmt: skip
    """Return rows by dimension: the groups whose GMV moved most; small groups and the rest together.

    Args:
        found: dimension -> bridge by group.
        users: dimension -> group -> counts now, for leaving out groups of fewer than `least` people.
        names: group -> name in both languages; others have their id.
        most: groups of each dimension.
    """
    rows = []
    for dimension, one in found.items():
        big = [g for g in one.groups if g in users[dimension] and users[dimension][g].users >= least]
        shown = sorted(big, key=lambda g: -abs(sum(one.groups[g].values())))[:most]
        rest = [g for g in one.groups if g not in shown]
        for group, members in [*((g, [g]) for g in shown), *([("…", rest)] if rest else [])]:
            parts = {f: sum(one.groups[g][f] for g in members) / 100 for f in one.parts}
            name = names.get(group) or own_words(group, dimension)
            rows.append(
                {"dimension": dimension} | both("group", name) | {"change": sum(parts.values()), "id": group} | parts
            )
    return rows


def own_words(group: str, dimension: str) -> dict[str, str]:
    """Return the name of a group that the plan does not name: the others, a class of customers, or its id."""
    if group == "…":
        return {x: words(x).text(f"{_ROOM}.others") for x in LOCALES}
    if dimension == "segment":
        return {x: words(x).text(f"{_ROOM}.segment.{group}") for x in LOCALES}
    return dict.fromkeys(LOCALES, group or "—")


def groups(book: Any, rows: Sequence[Row], mix_fen: int) -> None:
    """Record the page of GMV by group.

    Args:
        mix_fen: what the mix of channels made of the change.
    """
    known = [row for row in rows if row["id"] not in ("…", "")]
    if not known:
        return
    most = max(known, key=lambda row: abs(row["change"]))
    book.metric("group_change", most["change"], "CNY", method="lmdi", signed=True)
    book.metric("channel_mix", mix_fen / 100, "CNY", method="lmdi", signed=True)
    values = {
        "group": {"bilingual": {x: most[f"group_{x}"] for x in ("zh", "en")}},
        "dimension": {"words": f"review.dimension.{most['dimension']}"}, "change": "group_change", "mix": "channel_mix",
    }  # fmt: skip
    page(book, "review_groups", "groups", table=("groups", GROUP_UNITS), strong="change", signed=True, **values)


# ---- the chain of decay


def chain_rows(owners: Sequence[Any]) -> list[Row]:
    """Return a row an owner of groups, the farthest gone first."""
    rows = []
    for one in owners:
        links = {link.sign: (link, seen) for link, seen in zip(one.chain.links, one.watched, strict=True)}
        since = {}
        for sign in ("interaction", "exits"):
            link, seen = links.get(sign, (None, None))
            raised = link is not None and link.raised is not None
            since[sign] = seen.day(link.began) - dt.timedelta(days=6) if raised else "—"
        exits = links.get("exits", (None, None))[0]
        rows.append(
            {
                "owner_code": one.owner[:6], "members": one.members, "phase": one.chain.phase,
                "quiet_since": since["interaction"], "exits_since": since["exits"],
                "lag": told(exits.lag if exits else None), "next": one.chain.next_sign or "none",
            }
        )  # fmt: skip
    return rows


def chain(book: Any, rows: Sequence[Row], lead: Any | None, index: Any | None) -> None:
    """Record the page of groups in decay.

    Args:
        lead: `planlib.review.alarms.LeadLag` of speaking before exits over all groups; None without.
        index: `planlib.review.trust.Trust` of all groups by week; None without.
    """
    if not rows:
        book.say(book.text(f"{_ROOM}.say.chain_none"))
        return
    book.metric("owners", len(rows), "count", method="count")
    book.metric("decaying", sum(row["phase"] != "healthy" for row in rows), "count", method="cusum")
    book.metric("by_exits", sum(row["phase"] in ("exits", "reputation") for row in rows), "count", method="cusum")
    decaying, exits = (sum(row["phase"] in ps for row in rows) for ps in (("interaction", "exits", "reputation"),
                                                                          ("exits", "reputation")))  # fmt: skip
    kind = "chain" if exits else "chain_first" if decaying else "chain_none"
    sure = lead is not None and lead.told and lead.lag > 0
    values = {"n": "owners", "decaying": "decaying", "worst": "by_exits"}
    if lead is not None:
        book.metric("lead_weeks", lead.lag, "weeks", method="cross_correlation")
        book.metric("lead_correlation", lead.correlation, "number", method="cross_correlation")
        book.metric("lead_bound", lead.bound, "number", method="bartlett")
        values["lag"] = "lead_weeks"
        told_lag = {"lag": "lead_weeks", "correlation": "lead_correlation", "bound": "lead_bound"}
        book.say(book.text(f"{_ROOM}.say.lag", **told_lag))
    book.metric("trust", None if index is None else float(index.level[-1]), "number", method="entropy_weights",
                reason="history_too_short" if index is None else None)  # fmt: skip
    values["trust"] = "trust"
    page(
        book, "review_chain", kind, table=("chain_page", CHAIN_UNITS), strong="phase", subtitle="chain",
        reading="chain" if sure else "chain_untold", **values,
    )  # fmt: skip


# ---- clocks of incidents


def clock_rows(found: Sequence[Any], names: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return a row a deadline of an incident, overdue first."""
    order = ("overdue", "late", "running", "met")
    return [
        both("incident", names[one.incident])
        | {
            "kind": one.kind, "step": one.step, "due": f"{one.due:%Y-%m-%d %H:%M}",
            "done": f"{one.done:%Y-%m-%d %H:%M}" if one.done else "—", "state": one.state,
        }
        for one in sorted(found, key=lambda one: (order.index(one.state), one.due))
    ]  # fmt: skip


def clocks(
    book: Any, found: Sequence[Any], limits: Mapping[str, Mapping[str, dt.timedelta]], *, budget: Any | None,
    restore_hours: float | None,
) -> None:  # fmt: skip
    """Record the page of clocks: those of incidents, else those that an incident would start.

    Args:
        found: clocks of incidents.
        limits: kind -> step -> how long it may take.
        budget: `planlib.review.service.Budget` of downtime, which is recorded; None without a promise.
        restore_hours: median time to restore; None while none is restored.
    """
    if not limits:
        book.say(book.text(f"{_ROOM}.say.clocks_none"))
        return
    values: dict[str, Any] = {}
    plain = "_plain"
    if budget is not None:
        line = {"words": f"{_ROOM}.line.{'below' if budget.level_one else 'above'}"}
        values = {"used": "down_used", "allowed": "down_allowed", "availability": "availability", "line": line}
        plain = ""
    if not found:
        steps = [limit.total_seconds() / 3600 for own in limits.values() for limit in own.values()]
        book.metric("clocks_ready", len(steps), "count", method="as_stated")
        book.metric("clock_shortest", min(steps) * 60, "minutes", method="as_stated")
        values |= {"n": "clocks_ready", "shortest": "clock_shortest"}
        page(
            book, "review_clocks", "clocks_ready", table=("promises", READY_UNITS), strong="limit",
            subtitle=f"clocks_ready{plain}", **values,
        )  # fmt: skip
        return
    for state in ("met", "late", "overdue", "running"):
        book.metric(f"clocks_{state}", sum(one.state == state for one in found), "count", method="count")
    book.metric("clocks", len(found), "count", method="count")
    values |= {"n": "clocks", "met": "clocks_met", "late": "clocks_late", "overdue": "clocks_overdue"}
    if restore_hours is not None:
        book.metric("restore_median", restore_hours, "hours", method="kaplan_meier")
        values["restore"] = "restore_median"
    overdue = any(one.state == "overdue" for one in found)
    reading = "clocks" if {"restore", "line"} <= set(values) else "clocks_plain"
    page(
        book, "review_clocks", "clocks" if overdue else "clocks_in_time", table=("clocks_page", CLOCK_UNITS),
        strong="state", subtitle=f"clocks{plain}", reading=reading, weights={"incident": 2.0}, **values,
    )  # fmt: skip


# ---- costs


def cost_rows(found: Sequence[Any], names: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return a row a channel, the dearest first."""
    rows = [
        both("channel", names.get(one.spending.line, dict.fromkeys(("zh", "en"), one.spending.line)))
        | {
            "planned_cny": one.spending.planned_cny, "actual_cny": one.spending.actual_cny,
            "planned_output": one.spending.planned_output, "actual_output": one.spending.actual_output,
            "cpi": told(one.value.cpi), "spi": told(one.value.spi), "price": one.parts["price"], "status": one.state,
            "reason": one.reason,
        }
        for one in found
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["price"])


def cost_page(
    book: Any, found: Sequence[Any], value: float | None, floors: tuple[float, float | None], week: Any | None, *,
    against: str,
) -> None:  # fmt: skip
    """Record the page of costs.

    Args:
        found: `planlib.review.costs.Checked` of each channel.
        value: GMV over all costs; None without costs.
        floors: of that return.
        week: `planlib.overseeing.WeeklyCost`; None without.
        against: plan or month.
    """
    earned = sum(one.spending.actual_cny * one.value.cpi for one in found if one.value.cpi)
    paid = sum(one.spending.actual_cny for one in found)
    raised = sum(one.state == "off_track" for one in found)
    book.metric("cpi", earned / paid, "ratio", method="earned_value")
    book.metric("channels_checked", len(found), "count", method="count")
    book.metric("channels_dearer", raised, "count", method="earned_value")
    values: dict[str, Any] = {"cpi": "cpi", "n": "channels_checked", "raised": "channels_dearer"}
    if value is not None:
        book.metric("return", value, "multiple", metric="roi", method="gmv_over_costs")
        book.metric("return_watched", floors[0], "multiple", method="as_stated")
        book.metric("return_raised", floors[1], "multiple", method="as_stated")
        values |= {"roi": "return", "amber": "return_watched", "red": "return_raised"}
    state = "quiet"
    if week is not None and week.watched.watch.alarms:
        state = "open" if week.watched.watch.open else "closed"
    values["week"] = {"words": f"{_ROOM}.week.{state}"}
    columns = {name: unit for name, unit in COST_UNITS.items() if name != "status"}
    page(
        book, "review_costs", "costs" if raised else "costs_fine", table=("costs", columns), strong="cpi",
        subtitle=f"costs_{against}", reading="costs" if value is not None else "costs_no_return", **values,
    )  # fmt: skip


# ---- productivity


def work_rows(found: Sequence[Any]) -> list[Row]:
    """Return a row a function: index of the last month and its interval."""
    sides = {"acquisition": "users", "content": "reads", "sales": "orders", "all": "all"}
    return [
        {
            "function": one.name, "output": sides[one.name], "input": sides[one.name], "level": one.level[-1],
            "low": one.low[-1], "high": one.high[-1],
        }
        for one in found
    ]  # fmt: skip


def efficiency(book: Any, rows: Sequence[Row]) -> None:
    """Record the page of productivity."""
    book.metric("productivity", rows[-1]["level"], "ratio", method="fisher_chained",
                interval=(rows[-1]["low"], rows[-1]["high"], 0.95))  # fmt: skip
    page(
        book, "review_efficiency", "efficiency", chart="efficiency", table=("efficiency", WORK_UNITS), strong="level",
        level="productivity",
    )  # fmt: skip


# ---- the data


def quality_rows(scores: Sequence[Any]) -> list[Row]:
    """Return a row a figure of data quality."""
    return [
        {
            "score": one.metric, "value": told(one.value), "low": told(one.low), "high": told(one.high),
            "goal": told(one.goal),
            "status": "not_measured" if one.met is None else "on_track" if one.met else "off_track",
        }
        for one in scores
    ]  # fmt: skip


def quality(book: Any, rows: Sequence[Row], *, missing: int, alerts: int) -> None:
    """Record the page of data quality.

    Args:
        missing: rows of a day that daily tables lack.
        alerts: raised on them.
    """
    goals = [row for row in rows if not np.isnan(row["goal"])]
    book.metric("quality_goals", len(goals), "count", method="count")
    book.metric("quality_met", sum(row["status"] == "on_track" for row in goals), "count", method="count")
    book.metric("missing_rows", missing, "count", method="count")
    book.metric("missing_alerts", alerts, "count", method="cusum")
    values = {"n": "quality_goals", "met": "quality_met", "missing": "missing_rows", "alerts": "missing_alerts"}
    usable = next(row["value"] for row in rows if row["score"] == "usable_tags")
    kind = "quality_open" if np.isnan(usable) else "quality"
    if kind == "quality":
        book.metric("usable_tags", usable, "ratio", method="coverage_times_accuracy")
        values["usable"] = "usable_tags"
    page(book, "review_quality", kind, table=("quality", SCORE_UNITS), strong="value", subtitle="quality",
         reading="quality", weights={"score": 2.0}, **values)  # fmt: skip


# ---- the market


def stress_rows(found: Sequence[Any]) -> list[Row]:
    """Return a row a figure that falls by a quarter."""
    return [
        {
            "driver": one.driver, "before": one.before, "after": one.after, "unit": one.unit, "lost_gmv": one.lost_gmv,
            "lost_users": max(one.lost_users, 0.0),
        }
        for one in found
    ]  # fmt: skip


def stress(book: Any, found: Sequence[Any]) -> Text:
    """Record the page of what a worse market costs; return the alternative text of its chart."""
    one = next((one for one in found if one.driver == "conversion"), found[0])
    book.metric("stress_before", one.before, one.unit, method="as_stated")
    book.metric("stress_after", one.after, one.unit, method="choice")
    book.metric("stress_lost", one.lost_gmv, "CNY", metric="gmv", method="funnel")
    book.metric("stress_share", one.lost_gmv / one.gmv if one.gmv else None, "ratio", method="funnel",
                reason=None if one.gmv else "no_gmv")  # fmt: skip
    values = {"before": "stress_before", "after": "stress_after", "lost": "stress_lost", "share": "stress_share"}
    values["driver"] = {"words": f"{_ROOM}.driver.{one.driver}"}
    kind = "stress" if one.driver == "conversion" else "stress_other"
    page(book, "review_stress", kind, chart="stress", subtitle="stress", reading="stress", source="plan", **values)
    return book.text(f"{_ROOM}.alt.stress", lost="stress_lost")


# ---- the brand


def brand_rows(found: Sequence[Any], exports: Mapping[str, str]) -> list[Row]:
    """Return a row a goal of the brand.

    Args:
        exports: metric -> id of the export that would supply it.
    """
    return [
        {
            "metric": one.metric, "goal": one.goal, "unit": one.unit, "due_month": told(one.due_month),
            "monthly": told(one.monthly), "due_now": told(one.due_now), "answers": told(one.answers),
            "status": "not_measured", "export": exports[one.metric],
        }
        for one in found
    ]  # fmt: skip


def brand(book: Any, rows: Sequence[Row]) -> None:
    """Record the page of the brand."""
    book.metric("brand_goals", len(rows), "count", method="count")
    values = {"n": "brand_goals"}
    search = next((row for row in rows if row["metric"] == "brand_search_volume"), None)
    known = search is not None and not np.isnan(search["monthly"])
    if known:
        book.metric("brand_monthly", search["monthly"], "ratio", method="compound")
        values["monthly"] = "brand_monthly"
    page(book, "review_brand", "brand" if known else "brand_plain", table=("brand", BRAND_UNITS), strong="goal",
         subtitle="brand", reading="brand", source="plan", weights={"export": 1.4}, **values)  # fmt: skip


# ---- effects of actions


def effect_rows(followed: Sequence[Any], names: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return a row a measured action: what was expected and what was observed."""
    rows = []
    for one in followed:
        action = one.action
        if one.state != "done" or one.verdict in ("not_measured", "no_expectation"):
            continue
        unit = catalogue()[action.metric].unit if action.metric else "number"
        ends = [told(x) / action.expected for x in (action.low, action.high)]
        rows.append(
            both("action", names[action.id])
            | {"expected": action.expected, "observed": action.observed, "low": told(action.low),
               "high": told(action.high), "verdict": one.verdict, "unit": "points" if unit == "ratio" else unit,
               "share": action.observed / action.expected, "share_low": min(ends), "share_high": max(ends)}
        )  # fmt: skip
    return rows[:MOST_EFFECTS]


def effects(book: Any, rows: Sequence[Row], found: Any) -> Text:
    """Record the page of what actions brought; return the alternative text of its chart.

    Args:
        found: `planlib.review.actions.Learned`.
    """
    book.metric("measured_actions", found.measured, "count", method="count")
    book.metric("action_hits", found.hits, "count", method="count")
    book.metric("calibration", found.calibration, "ratio", method="mean_of_ratios")
    values = {"n": "measured_actions", "hits": "action_hits", "calibration": "calibration"}
    columns = {name: EFFECT_UNITS[name] for name in _EFFECT_COLUMNS}
    page(book, "review_effects", "effects", chart="effects", table=("effects", columns), strong="observed",
         signed=True, weights={"action": 2.0}, source="plan", **values)  # fmt: skip
    return book.text(f"{_ROOM}.alt.effects", n="measured_actions")


def page(
    book: Any, page_id: str, kind: str, *, chart: str | None = None,
    table: tuple[str, Mapping[str, str]] | None = None, strong: str = "", signed: bool = False,
    weights: Mapping[str, float] | None = None, subtitle: str = "", reading: str = "", source: str = "",
    **values: Any,
) -> None:  # fmt: skip
    """Record a page in the words of this room; sentences take those of the values that they ask for."""
    wide = weights or {}
    shown = table and {
        "id": table[0],
        "columns": [
            {"name": n, "head": f"{_ROOM}.head.{n}", "strong": n == strong, "weight": wide.get(n, 1.0)}
            | ({"signed": True} if signed and unit in ("CNY", "@unit") else {})
            | ({"decimals": 2} if unit == "number" and n not in ("lag",) else {})
            for n, unit in table[1].items()
        ],
    }

    def said(key: str) -> Text:
        asked = book.words.placeholders(key)
        return book.text(key, **{name: value for name, value in values.items() if name in asked})

    of = source or ("sample" if book.on_sample else "own" if book.has_data else "plan")
    book.page(
        page_id, layout="chart" if chart else "table", section=f"{_ROOM}.section", chart=chart, table=shown,
        title=said(f"{_ROOM}.title.{kind}"), subtitle=said(f"{_ROOM}.subtitle.{subtitle or kind}"),
        reading=said(f"{_ROOM}.reading.{reading or kind}"), source=book.text(f"{_ROOM}.source_{of}"),
    )  # fmt: skip
