"""What notebook 60 says of customers: rows of its tables, pages of the deck, findings.

Each function that takes a book records what its page needs there and returns the heading for the notebook. What was
found comes from `planlib.valuing`, which is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.report.schedule_story import both, ends

Text = dict[str, Any]
Row = dict[str, Any]

SMALLEST_GROUP = 10  # groups of fewer people are not shown in a deck
LETTERS = "ABCDEFGHI"
_WEIGHT, _SAMPLE_WEIGHT = 0.20, 0.02
_SECTION = "value.section"
SEGMENT_UNITS = {
    "letter": "text", "segment": "words:customers.segments", "customers": "users", "buyers": "users", "share": "ratio",
    "per_head": "CNY_per_user", "money_share": "ratio", "recency": "days", "action": "words:customers.segments",
}  # fmt: skip
GRID_UNITS = {
    "class": "words:customers.grid", "customers": "users", "share": "ratio", "worth": "CNY_per_user",
    "influential": "users", "action": "words:customers.grid",
}  # fmt: skip
TIER_UNITS = {
    "tier": "bilingual", "from_score": "score", "members": "users", "share": "ratio", "worth": "CNY_per_user",
    "margin": "CNY_per_user", "rights": "CNY_per_user", "promotion": "CNY_per_user", "stay": "ratio", "rise": "ratio",
    "leave": "ratio",
}  # fmt: skip
SCORE_UNITS = {
    "tenth": "number", "people": "users", "events": "users", "predicted": "ratio", "rate": "ratio", "lift": "multiple",
    "low": "multiple", "high": "multiple", "captured": "ratio",
}  # fmt: skip
LIST_UNITS = {
    "list": "words:value.list", "customers": "users", "employees": "people", "net": "CNY", "reason": "words:value.why",
    "action": "words:value.act",
}  # fmt: skip
LINE_UNITS = {
    "external_hid": "text", "staff_id": "text", "rank": "count", "reason": "words:value.reason",
    "action": "words:value.action", "score": "probability", "value_cny": "CNY", "due": "date",
}  # fmt: skip
ASKS_UNITS = {"case": "bilingual", "rate": "ratio", "goal": "ratio", "success": "ratio", "recall": "ratio"}
CYCLE_UNITS = {
    "item": "bilingual", "median": "days", "low": "days", "high": "days", "gaps": "count", "people": "users",
    "within_90": "ratio", "within_180": "ratio", "why": "words:value.no_cycle",
}  # fmt: skip
GOAL_UNITS = {
    "goal": "words:value.goal", "passed": "users", "open": "users", "missed": "users", "rate": "ratio", "low": "ratio",
    "high": "ratio",
}  # fmt: skip
DOSE_UNITS = {
    "pushes": "messages_per_user_week", "people": "users", "exits": "users", "rate": "ratio", "low": "ratio",
    "high": "ratio",
}  # fmt: skip
AXIS_UNITS = {"axis": "words:value.axis", "weight": "ratio"}
FIT_UNITS = {"parameter": "words:value.parameter", "value": "number"}
HOLDOUT_UNITS = {
    "group": "number", "customers": "users", "predicted": "number", "actual": "number", "low": "number",
    "high": "number",
}  # fmt: skip


def heads(units: Mapping[str, str]) -> dict[str, str]:
    """Return column -> locale key of its heading."""
    return {name: f"value.head.{name}" for name in units}


def told(number: float | None) -> float:
    """Return a number for a table: NaN stands for what cannot be said."""
    return np.nan if number is None else float(number)


def segment_rows(segmentation: Any) -> list[Row]:
    """Return a row a segment, the most money a head first; those with nobody last."""
    profiles = sorted(segmentation.profiles, key=lambda p: (p.money_cny is None, -(p.money_cny or 0.0)))
    return [
        {
            "letter": LETTERS[k], "segment": f"{p.segment}.name", "customers": float(p.customers),
            "buyers": float(p.buyers), "share": p.share, "per_head": told(p.money_cny),
            "money_share": told(p.money_share), "recency": told(p.recency_days), "action": f"{p.segment}.action",
        }
        for k, p in enumerate(profiles)
    ]  # fmt: skip


def priced(rows: Sequence[Row]) -> bool:
    """Return whether segments can be told apart by money: somebody bought, and refunds left something of it."""
    return any(row["customers"] for row in rows) and all(np.isfinite(row["money_share"]) for row in rows)


def segments(book: Any, found: Any, rows: Sequence[Row]) -> Text:
    """Record the segments; return the heading."""
    key = [row for row in rows if row["segment"].startswith("key")]
    people = sum(row["customers"] for row in key)
    book.metric("never_bought", float(found.segmentation.segmented.without_orders), "users", method="count")
    book.metric("key_customers", people, "users", method="rfms")
    book.metric("key_share", people / len(found.listed), "ratio", method="rfms")
    if not priced(rows):
        return book.text("value.say.segments_none", never="never_bought")
    book.metric("key_money", float(sum(row["money_share"] for row in key)), "ratio", method="rfms")
    values = {"people": "key_customers", "share": "key_share", "money": "key_money"}
    columns = ("letter", "segment", "customers", "money_share", "action")
    _page(book, "customer_segments", "segments", chart="segments", table=("segments", columns), strong="money_share",
          weights={"action": 3.0}, never="never_bought", **values)  # fmt: skip
    return book.text("value.say.segments", never="never_bought", **values)


def grid_rows(found: Any) -> list[Row]:
    """Return a row a class of value and interaction."""
    grid, many = found.grid, len(found.listed)
    worth = np.bincount(grid.cell, found.worth_cny, minlength=9)
    return [
        {
            "class": f"{name}.name", "customers": float(n), "share": n / many, "worth": worth[k] / n if n else np.nan,
            "influential": float(grid.influential_counts[k]), "action": f"{name}.action",
        }
        for k, (name, n) in enumerate(zip(GRID, grid.counts, strict=True))
    ]  # fmt: skip


GRID = (
    "low_low", "low_mid", "low_high", "mid_low", "mid_mid", "mid_high", "high_low", "high_mid", "high_high",
)  # as planlib.customers.segments orders them  # fmt: skip


def grid(book: Any, rows: Sequence[Row]) -> Text:
    """Record the nine classes; return the heading."""
    quiet = next(row for row in rows if row["class"].startswith("high_low"))
    close = next(row for row in rows if row["class"].startswith("high_high"))
    book.metric("high_low", quiet["customers"], "users", method="grid")
    book.metric("high_high", close["customers"], "users", method="grid")
    _page(book, "customer_grid", "grid", chart="grid", quiet="high_low", close="high_high")
    return book.text("value.say.grid", quiet="high_low", close="high_high")


def lifetime(book: Any, life: Any, lines: Sequence[Any], months: int) -> Text:
    """Record lifetime value; return the heading."""
    book.metric("horizon", months, "months", method="as_stated")
    if life.values is None:
        why = {"words": f"value.no_life.{life.reason}"}
        return book.text("value.say.lifetime_none", why=why)
    values = life.values
    band = None if values.total_low is None else (values.total_low, values.total_high, values.level)
    n = int(life.life.n)
    book.metric("value_total", values.total, "CNY", method="bgnbd_gamma_gamma", interval=band, n=n)
    book.metric("orders_ahead", float(life.purchases.sum()), "orders", method="bgnbd", n=n)
    buyers = int((life.purchases > 0).sum())
    book.metric("buyers", buyers, "users", method="count")
    if buyers:
        book.metric("value_mean", values.total / buyers, "CNY_per_user", method="bgnbd_gamma_gamma", n=buyers)
    if life.newcomer_cny is not None:
        book.metric("newcomer", life.newcomer_cny, "CNY_per_user", method="bgnbd_gamma_gamma", n=n)
    for k, (_, level) in enumerate(lines):
        book.metric(f"line_{k}", level, "CNY_per_user", metric="ltv", method="as_stated")
    held = life.held_out
    if held is not None and held.error_rel is not None:
        book.metric("held_out_predicted", held.predicted_total, "orders", method="bgnbd", n=held.n)
        book.metric("held_out_actual", held.actual_total, "orders", method="count", n=held.n)
        book.metric("held_out_off", held.error_rel, "relative_change", method="hold_out", n=held.n, signed=True)
    return book.text("value.say.lifetime", orders="orders_ahead", value="value_total", months="horizon")


def lifetime_page(book: Any) -> None:
    """Record the page of lifetime value; its chart stands by now."""
    _page(book, "customer_lifetime", "lifetime", chart="lifetime", orders="orders_ahead", value="value_total",
          months="horizon")  # fmt: skip


def tier_rows(members: Any, terms: Any, worth: np.ndarray) -> list[Row]:
    """Return a row a tier, the highest first."""
    many, moves = len(terms.tiers), members.moves
    cuts = (None, *members.cuts)
    mean_worth = np.bincount(members.now.tier, worth, minlength=many) / np.maximum(members.now.counts, 1)
    rows = []
    for k in reversed(range(many)):
        tier = terms.tiers[k]
        up, out = (np.nan, np.nan) if moves is None else (moves.mean[k, k + 1 : many].sum(), moves.mean[k, many])
        rows.append(
            both("tier", tier.name)
            | {
                "from_score": told(cuts[k]), "members": float(members.now.counts[k]),
                "share": members.now.counts[k] / len(worth),
                "worth": np.nan if members.values is None else members.values.value_cny[k], "lifetime": mean_worth[k],
                "margin": 12 * members.margin_cny[k], "rights": 12 * tier.rights_cny_month,
                "promotion": np.nan if members.values is None or k == many - 1 else members.values.promotion_cny[k],
                "stay": np.nan if moves is None else moves.mean[k, k], "rise": up, "leave": out,
            }
        )  # fmt: skip
    return rows


MOVE_UNITS = {
    "tier": "bilingual", "to": "bilingual", "members": "users", "moved": "ratio", "low": "ratio", "high": "ratio",
}  # fmt: skip


def move_rows(members: Any, terms: Any) -> list[Row]:
    """Return a row a pair of tiers, the highest first: share of a tier's members that moved so in a month."""
    from planlib.core.words import LOCALES, words

    moves, many = members.moves, len(terms.tiers)
    out = {locale: words(locale).text("value.charts.outside_1") for locale in LOCALES}
    names = [*(tier.name for tier in terms.tiers), out]
    return [
        both("tier", names[i]) | both("to", names[j])
        | {
            "members": float(moves.members[i]), "moved": float(moves.mean[i, j]),
            "low": float(moves.interval.low[i, j]), "high": float(moves.interval.high[i, j]),
        }
        for i in reversed(range(many)) for j in (*reversed(range(many)), many)
    ]  # fmt: skip


FLOW_UNITS = {"tier": "bilingual", "before": "users", "after": "users"}


def flow_rows(members: Any, terms: Any) -> list[Row]:
    """Return a row a tier with its members a quarter ago and now, the highest first; those outside last."""
    from planlib.core.words import LOCALES, words

    counts = members.moved.counts
    names = [*(tier.name for tier in terms.tiers)]
    outside = {locale: words(locale).text("value.charts.outside") for locale in LOCALES}
    order = [*reversed(range(len(names))), len(names)]
    return [
        both("tier", [*names, outside][k]) | {"before": float(counts[k].sum()), "after": float(counts[:, k].sum())}
        for k in order
    ]


def tiers(book: Any, rows: Sequence[Row], members: Any, terms: Any) -> Text:
    """Record the tiers and what their rights cost against the budget line; return the heading."""
    cost = sum(row["members"] * row["rights"] for row in rows)
    margin = sum(row["members"] * row["margin"] for row in rows)
    paying = [row for row in rows if row["rights"] > row["margin"]]
    book.metric("rights_year", cost, "CNY", method="closed_form")
    book.metric("tier_margin_year", margin, "CNY", method="closed_form")
    book.metric("tiers_below_rights", len(paying), "count", method="count")
    values = {"cost": "rights_year", "margin": "tier_margin_year", "below": "tiers_below_rights"}
    if terms.rights_line is not None:
        book.metric("rights_line", terms.rights_line[1], "CNY", method="as_stated")
        values["line"] = "rights_line"
    kind = "tiers" if terms.rights_line is None else "tiers_over" if cost > terms.rights_line[1] else "tiers_within"
    if members.moved is not None:
        columns = ("tier", "members", "margin", "rights", "worth", "rise", "leave")
        shown = ("tiers", columns)
        _page(book, "customer_tiers", kind, like="tiers", chart="tier_flow", table=shown, strong="worth", **values)
    return book.text(f"value.say.{kind}", **values)


def score_rows(validation: Any) -> list[Row]:
    """Return a row a tenth of people, the likeliest first."""
    return [
        {
            "tenth": d.place, "people": d.n, "events": d.events, "predicted": d.predicted, "rate": d.rate,
            "lift": d.lift, "low": d.interval.low, "high": d.interval.high, "captured": d.captured,
        }
        for d in validation.deciles
    ]  # fmt: skip


def scored(book: Any, name: str, one: Any, chosen: Any, days: int) -> Text:
    """Record how a score fared and what acting on it is worth; return the heading.

    Args:
        name: leaves or buys.
    """
    if one.score is None:
        return book.text(f"value.say.{name}_none", why={"words": f"value.no_score.{one.reason}"})
    v = one.score.validation
    book.metric(f"{name}_auc", v.auc, "number", method="hold_out", interval=ends(v.auc_interval), n=v.n)
    book.metric(f"{name}_pr_auc", v.pr_auc, "number", method="hold_out", n=v.n)
    book.metric(f"{name}_predicted", v.predicted, "ratio", method="logistic", n=v.n)
    book.metric(f"{name}_observed", v.observed, "ratio", method="count", n=v.n)
    top = v.top_decile
    book.metric(f"{name}_top_lift", top.lift, "multiple", method="hold_out", interval=ends(top.interval), n=v.n)
    book.metric(f"{name}_window", days, "days", method="as_stated")
    values = {"lift": f"{name}_top_lift"}
    if chosen.choice is None:
        return book.text(f"value.say.{name}_unpriced", days=f"{name}_window", **values)
    book.metric(f"{name}_contacted", len(chosen.choice.order), "users", method="expected_value")
    book.metric(f"{name}_net", chosen.choice.expected_net_cny, "CNY", method="expected_value")
    values |= {"contacted": f"{name}_contacted", "net": f"{name}_net"}
    kind = name if len(chosen.choice.order) else f"{name}_nobody"
    _page(book, f"customer_{name}", kind, like=name, chart=f"{name}_score", **values)
    return book.text(f"value.say.{kind}", **values)


def _title(title: str) -> dict[str, str]:
    """Return a title as shops write it, in both languages the same; of any purchase in words."""
    from planlib.core.words import LOCALES, words

    return {locale: title or words(locale).text("value.any_item") for locale in LOCALES}


def cycle_rows(cycles: Any) -> list[Row]:
    """Return a row a class of goods, the shortest cycle first, any purchase last."""
    rows = []
    for name, cycle in cycles.cycles.items():
        fitted = hasattr(cycle, "median_days") and cycle.median_days <= LONGEST_CYCLE_DAYS
        band = cycle.interval if fitted else None
        rates = [told(rate.value) for rate in cycles.rates[name]]
        rows.append(
            {
                **both("item", _title(cycles.names.get(name, name))), "median": cycle.median_days if fitted else np.nan,
                "low": told(band and band.low), "high": told(band and band.high), "gaps": float(cycle.closed),
                "people": float(cycle.people), "within_90": rates[0], "within_180": rates[1],
                "why": "told" if fitted else getattr(cycle, "reason", "longer"), "any": name == "",
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row["any"], np.isnan(row["median"]), row["median"], row["item_zh"]))


LONGEST_CYCLE_DAYS = 365.0  # a longer median says that half never come back in time


def cycles(book: Any, rows: Sequence[Row], due: int) -> Text:
    """Record the repurchase cycles; return the heading."""
    first = next((row for row in rows if np.isfinite(row["median"]) and not row["any"]), None)
    book.metric("reminders_due", due, "users", method="shared_frailty")
    if first is None:
        return book.text("value.say.cycles_none")
    band = (first["low"], first["high"], 0.95) if np.isfinite(first["low"]) else None
    book.metric("shortest_cycle", first["median"], "days", method="shared_frailty", interval=band, n=int(first["gaps"]))
    item = {"bilingual": {locale: first[f"item_{locale}"] for locale in ("zh", "en")}}
    columns = ("item", "median", "low", "high", "gaps", "within_90", "within_180", "why")
    _page(book, "customer_cycles", "cycles", table=("cycles", columns), strong="median", days="shortest_cycle",
          due="reminders_due")  # fmt: skip
    return book.text("value.say.cycles", days="shortest_cycle", due="reminders_due", item=item)


def goal_rows(goals: Mapping[str, Any]) -> list[Row]:
    """Return a row a goal on the customers' own clocks."""
    return [
        {
            "goal": name, "passed": float(g.counts[1]), "open": float(g.counts[0]), "missed": float(g.counts[2]),
            "rate": told(g.pass_rate), "low": told(g.interval and g.interval.low),
            "high": told(g.interval and g.interval.high),
        }
        for name, g in goals.items()
    ]  # fmt: skip


RADAR_UNITS = {
    "segment": "words:customers.segments", "customers": "users", "activity": "number", "spending": "number",
    "influence": "number",
}  # fmt: skip


def radar_rows(found: Sequence[Any]) -> list[Row]:
    """Return a row a segment with its mean percentile on each axis of the value radar."""
    return [
        {"segment": f"{one.group}.name", "customers": float(one.customers)}
        | {axis: told(at) for axis, at in one.axes.items()}
        for one in found
    ]


def goals(book: Any, found: Mapping[str, Any], near: int) -> Text:
    """Record the goals; return the heading."""
    first = found.get("first_purchase")
    book.metric("due_shortly", near, "users", method="count")
    if first is None or first.pass_rate is None:
        return book.text("value.say.goals_none")
    book.metric("first_purchase_passed", first.pass_rate, "ratio", method="kaplan_meier", interval=ends(first.interval))
    book.metric("first_purchase_open", float(first.counts[0]), "users", method="count")
    return book.text("value.say.goals", passed="first_purchase_passed", open="first_purchase_open", near="due_shortly")


def pushes(book: Any, found: Any, limit: float | None) -> Text:
    """Record how many pushes people bear, and whether the plan's own limit is above that; return the heading.

    Args:
        limit: messages that the plan allows a customer in a week; None unstated.
    """
    response = found.response
    bearable = found.bearable_per_week
    unit = "messages_per_user_week"
    if bearable is None:
        reason = found.reason or "no_harm"
        book.metric("fatigue_cap_per_week", None, unit, method="dose_response", reason=reason)
        return book.text("value.say.pushes_none", why={"words": f"value.no_pushes.{reason}"})
    method = "randomised_dose_response" if found.experiment else "observed_dose_response"
    people = sum(dose.people for dose in response.doses)
    book.metric("fatigue_cap_per_week", bearable, unit, method=method, n=people)
    band = ends(response.growth_interval)
    book.metric("push_growth", response.growth, "multiple", method=method, interval=band, n=people)
    values = {"growth": "push_growth", "cap": "fatigue_cap_per_week"}
    if limit is None:
        return book.text("value.say.pushes", **values)
    book.metric("push_limit", limit, unit, method="as_stated")
    kind = "pushes_over" if limit > bearable else "pushes_within"
    columns = ("pushes", "people", "exits", "rate", "low", "high")
    values["limit"] = "push_limit"
    shown = ("doses", columns)
    _page(book, "customer_pushes", kind, like="pushes", chart="pushes", table=shown, strong="rate", **values)
    return book.text(f"value.say.{kind}", **values)


TOO_OFTEN_UNITS = {"planned": "bilingual", "pushes": "messages_per_user_week"}


def too_often_rows(above: Sequence[Any], tests: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return a row for everything planned that sends more than customers bear: the plan's limit, and tests by name."""
    from planlib.core.words import LOCALES, words

    limit = {locale: words(locale).text("value.plan_limit") for locale in LOCALES}
    return [both("planned", tests.get(one.id, limit)) | {"pushes": one.per_week} for one in above]


def dose_rows(response: Any) -> list[Row]:
    """Return a row a number of pushes."""
    return [
        {
            "pushes": d.pushes_per_week, "people": float(d.people), "exits": float(d.exits), "rate": d.exit_rate_month,
            "low": d.interval.low, "high": d.interval.high,
        }
        for d in (response.doses if response else ())
    ]  # fmt: skip


def line_rows(one: Any) -> list[Row]:
    """Return a row a customer of a list."""
    columns = (one.external_hid, one.staff_id, one.reason, one.action, one.score, one.value_cny, one.due)
    return [
        {
            "external_hid": hid, "staff_id": staff, "rank": k, "reason": reason, "action": action, "score": score,
            "value_cny": value, "due": None if np.isnat(due) else str(due),
        }
        for k, (hid, staff, reason, action, score, value, due) in enumerate(zip(*columns, strict=True), 1)
    ]  # fmt: skip


def list_rows(lists: Mapping[str, Any]) -> list[Row]:
    """Return a row a list."""
    return [
        {
            "list": name, "customers": float(len(one)), "employees": float(len(set(one.staff_id))),
            "net": told(one.net_cny), "reason": name, "action": name,
        }
        for name, one in lists.items()
    ]  # fmt: skip


def lists(book: Any, rows: Sequence[Row]) -> Text:
    """Record the lists of today; return the heading."""
    book.metric("lists", len(rows), "count", method="count")
    if not rows:
        return book.text("value.say.lists_none")
    book.metric("listed_to_act", sum(row["customers"] for row in rows), "users", method="count")
    book.metric("lists_net", float(np.nansum([row["net"] for row in rows])), "CNY", method="expected_value")
    values = {"n": "lists", "people": "listed_to_act", "net": "lists_net"}
    columns = ("list", "customers", "employees", "net", "reason", "action")
    wide = {"action": 2.0}
    _page(book, "customer_lists", "lists", table=("lists", columns), strong="customers", weights=wide, **values)
    return book.text("value.say.lists", **values)


def ask_rows(asks: Sequence[Any], success: float, needed: Any) -> list[Row]:
    """Return a row a churn level that the plan's goal is held against.

    Args:
        needed: `planlib.customers.churn.needed_recall`.
    """
    return [
        both("case", ask.name)
        | {
            "rate": ask.rate, "goal": ask.goal, "success": success,
            "recall": told(needed(ask.rate, ask.goal, success).recall),
        }
        for ask in asks
    ]  # fmt: skip


def asks(book: Any, rows: Sequence[Row]) -> Text | None:
    """Record what the churn goal asks of a warning; return the heading, None where the plan has no such goal."""
    if not rows or not np.isfinite(rows[0]["recall"]):
        return None
    book.metric("ask_rate", rows[0]["rate"], "ratio", metric="churn_rate", method="as_stated")
    book.metric("ask_goal", rows[0]["goal"], "ratio", metric="churn_rate", method="as_stated")
    book.metric("ask_recall", rows[0]["recall"], "ratio", method="closed_form")
    values = {"rate": "ask_rate", "goal": "ask_goal", "recall": "ask_recall"}
    _page(book, "customer_asks", "asks", table=("asks", tuple(ASKS_UNITS)), strong="recall", **values)
    return book.text("value.say.asks", **values)


def finding(book: Any, rows: Sequence[Row]) -> None:
    """Record the finding for the summary: whom to act on now, and what that is worth."""
    if not rows:
        return
    book.finding(
        "customers", status="at_risk", weight=_SAMPLE_WEIGHT if book.on_sample else _WEIGHT, figure="listed_to_act",
        figure_label=book.text("value.finding.label"),
        text=book.text("value.finding.text", people="listed_to_act", n="lists"),
        evidence=book.text("value.finding.why", net="lists_net"), next_step=book.text("value.finding.next"),
        owner=book.text("value.owner_of"), page="customer_lists",
    )  # fmt: skip


def _page(
    book: Any, page_id: str, kind: str, *, like: str = "", chart: str | None = None,
    table: tuple[str, Sequence[str]] | None = None, strong: str = "", weights: Mapping[str, float] | None = None,
    **values: Any,
) -> None:  # fmt: skip
    """Record a page; `like` names its subtitle and reading where another kind has the same."""
    shown = None
    if table:
        wide = weights or {}
        columns = [
            {"name": name, "head": f"value.head.{name}", "strong": name == strong, "weight": wide.get(name, 1.0)}
            for name in table[1]
        ]
        shown = {"id": table[0], "columns": columns}
    source = "sample" if book.on_sample else "own" if book.has_data else "plan"
    said = like or kind
    book.page(
        page_id, layout="chart" if chart else "table", section=_SECTION,
        title=book.text(f"value.title.{kind}", **values), subtitle=book.text(f"value.subtitle.{said}"),
        reading=book.text(f"value.reading.{said}"), source=book.text(f"value.source_{source}"),
        chart=chart, table=shown,
    )  # fmt: skip
