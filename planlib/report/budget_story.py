"""What notebook 30 says about the best budget: metrics, rows and pages whose wording depends on the outcome.

As in `planlib.report.funnel_story`, each function records what its page needs on the notebook's book. Cases and
solved budgets are those of `planlib.budget.case`, inputs those of `planlib.plan.budget_inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core.words import LOCALES, words

Text = dict[str, Any]
Both = dict[str, str]

MOST_QUARTERS = 8
MOST_RULES = 12
MOST_SWINGS = 11
STEP_CNY = 10_000.0
_METHODS = ("markov", "shapley", "last", "first", "linear", "position", "time_decay")
_SECTION, _SOURCE, _OWNER = "budget.section_channels", "budget.source_channels", "budget.owner"
_STEP_UNITS = {"total_cny": "CNY", "cost_each_cny": "CNY_per_user", "amount_cny": "CNY", "least_cny": "CNY",
               "at_least": "users", "floor": "multiple"}  # fmt: skip
_LEVEL_UNITS = {"cost_cap": "CNY_per_user", "channel_cost_cap": "CNY_per_user", "return_floor": "multiple",
                "goal": "users", "total": "CNY", "team": "CNY", "fixed": "CNY", "floor": "CNY"}  # fmt: skip


def both(key: str, **values: Any) -> Both:
    """Return a sentence in both languages; a value is (number, unit), a name in both languages, or a text."""
    found = {}
    for locale in LOCALES:
        w = words(locale)
        said = {
            name: w.number(*value)
            if isinstance(value, tuple)
            else w.pick(value)
            if isinstance(value, Mapping)
            else value
            for name, value in values.items()
        }
        found[locale] = w.text(key, **said)
    return found


def rule_name(item: Any, asked: Any) -> Both:
    """Return what a reader calls a rule: by the plan's own name where it has one."""
    unit = _LEVEL_UNITS.get(item.kind, "ratio")
    own = asked.rule_names.get(item.rule.name)
    of = asked.names.get(item.of, {"zh": item.of or "", "en": item.of or ""})
    values: dict[str, Any] = {"level": (item.level, unit)}
    if item.kind in ("total", "band", "team"):
        values["year"] = str(item.year)
    if item.kind in ("band", "channel_cost_cap", "change", "floor", "fixed"):
        values["of"] = of
    if item.kind == "fixed":
        values["month"] = (item.month, "month")
    if item.kind in ("cost_cap", "free_share", "return_floor", "labour_of_gmv", "channel_cost_cap"):
        values["name"] = own or both(f"budget.rule_names.{item.kind}")
    return both(f"budget.rule.{item.kind}", **values)


def allocation(book: Any, asked: Any, best: Any) -> Text:
    """Tell whether there is a best budget, what it brings and how surely nothing is better."""
    book.metric("rules_kept", len(asked.enforced), "count", method="count")
    book.metric("rules_open", len(asked.open_rules), "count", method="count")
    if best is None:
        return book.text(f"budget.allocation.{asked.reason}")
    if not best.feasible:
        book.metric("conflict_rules", len(best.conflict.rules), "count", method="smallest_conflict")
        return book.text("budget.allocation.infeasible", n="conflict_rules")
    book.metric("alloc_users", best.users, "users", method=best.best.method)
    book.metric("alloc_bound", max(best.best.bound, best.best.value), "users", method="upper_bound")
    book.metric("alloc_gap", best.best.gap_rel, "ratio", method="upper_bound")
    book.metric("alloc_spend", float(best.best.channel_cny.sum()), "CNY", method=best.best.method)
    month, users = _totals(best, best.by_channel)
    book.metric("best_month", month, "CNY", method=best.best.method)
    book.metric("best_users_month", users, "users_per_month", method=best.best.method)
    if users:
        book.metric("best_cost", month / users, "CNY_per_user", method=best.best.method)
    stated = np.nan_to_num(best.case.stated_cny)
    before, users_before = float(stated.sum()), float(np.sum(best.case.stated_users))
    book.metric("stated_month", before, "CNY", method="curve_at_stated_intake")
    book.metric("stated_users_month", users_before, "users_per_month", method="as_stated")
    if users_before and before:
        book.metric("stated_cost", before / users_before, "CNY_per_user", method="curve_at_stated_intake")
        same = float(best.case.curves.value(stated * month / before).sum())
        book.metric("same_money", same, "users_per_month", method="stated_split_scaled")
        book.metric("same_money_gain", max(users - same, 0.0), "users_per_month", method="stated_split_scaled")
    values = {"users": "alloc_users", "spend": "alloc_spend", "bound": "alloc_bound", "gap": "alloc_gap"}
    return book.text("budget.allocation.found", **values)


def _totals(best: Any, spend: np.ndarray) -> tuple[float, float]:
    return float(spend.sum()), float(best.case.curves.value(spend).sum())


def conflict_rows(asked: Any, best: Any, named: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a row for each rule of the smallest conflict, and for each that would have to give way, by how much."""
    by_name = {item.rule.name: item for item in named}
    found = []
    for name in best.conflict.rules:
        found.append({"part": "conflict"} | _row_of(by_name[name], asked) | {"amount": np.nan, "unit": "CNY"})
    for line, amount in best.conflict.repairs.items():
        item = max((i for n, i in by_name.items() if line.startswith(n)), key=lambda i: len(i.rule.name))
        unit = "users" if item.kind in ("goal", "free_share") else "CNY"
        found.append({"part": "repair"} | _row_of(item, asked) | {"amount": amount, "unit": unit})
    return found


def _row_of(item: Any, asked: Any) -> dict[str, Any]:
    name = rule_name(item, asked)
    of_time = {"year": float(item.year or np.nan), "month": float(item.month or np.nan)}
    return {"rule_zh": name["zh"], "rule_en": name["en"], "level": float(item.level or 0.0)} | of_time


def conflict(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page that says which rules cannot hold together and what would let them."""
    repairs = [row for row in rows if row["part"] == "repair"]
    reading = book.text("budget.reading.conflict_none")
    if repairs:
        first = min(repairs, key=lambda row: row["amount"])
        book.metric("repair_first", first["amount"], first["unit"], method="nearest_repair")
        name = {"bilingual": {loc: first[f"rule_{loc}"] for loc in LOCALES}}
        reading = book.text("budget.reading.conflict", rule=name, amount="repair_first")
    columns = [{"name": "part", "head": "budget.head.part"},
               {"name": "rule", "head": "budget.head.rule", "weight": 2.0},
               {"name": "amount", "head": "budget.head.amount", "strong": True}]  # fmt: skip
    title = book.text("budget.title.conflict", n="conflict_rules")
    book.page(
        "budget_conflict", layout="table", section=_SECTION, title=title, reading=reading,
        subtitle=book.text("budget.subtitle.conflict"), table={"id": "conflict", "columns": columns},
        source=book.text(_SOURCE),
    )  # fmt: skip
    book.finding(
        "budget_conflict", status="off_track", weight=1.0, figure="conflict_rules",
        figure_label=book.text("budget.finding.conflict_label"), text=title,
        evidence=book.text("budget.finding.conflict_why"), next_step=book.text("budget.finding.conflict_next"),
        owner=book.text(_OWNER), page="budget_conflict",
    )  # fmt: skip


def move_rows(asked: Any, moves: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a row for each channel's step with its reason in words."""
    found = []
    for move in moves:
        values = {}
        if move.reason in ("cut", "raised", "unreached"):
            values["after"] = (move.marginal_after, "CNY_per_user")
        if move.reason in ("cut", "raised"):
            values["before"] = (move.marginal_before, "CNY_per_user")
        why = both(f"budget.reason.{move.reason}", **values)
        name = asked.names[move.channel]
        found.append(
            {"channel_zh": name["zh"], "channel_en": name["en"], "before": move.before_cny, "after": move.after_cny,
             "users": move.users, "cost_before": move.marginal_before, "cost_after": move.marginal_after,
             "why_zh": why["zh"], "why_en": why["en"]}
        )  # fmt: skip
    return found


def responses(book: Any, rows: Sequence[Mapping[str, Any]], *, bands: bool) -> None:
    """Record the page of response curves; `bands` when a range of the curves is drawn."""
    if bands:
        book.metric("range_level", 0.8, "probability", method="choice")
    changed = sorted((row for row in rows if not np.isnan(row["before"])), key=lambda row: -row["cost_before"])
    kind, values = "one", {}
    if len(changed) > 1 and changed[0]["cost_before"] > 1.05 * changed[-1]["cost_before"]:
        kind = "two"
        for key, row in (("down", changed[0]), ("up", changed[-1])):
            values[key] = {"bilingual": {loc: row[f"channel_{loc}"] for loc in LOCALES}}
    book.page(
        "budget_responses", layout="chart", section=_SECTION, chart="responses",
        title=book.text(f"budget.title.responses_{kind}", **values),
        subtitle=book.text("budget.subtitle.responses_bands", level="range_level")
        if bands
        else book.text("budget.subtitle.responses"),
        reading=book.text("budget.reading.responses"), source=book.text(_SOURCE),
    )  # fmt: skip


def moves_page(book: Any, best: Any, missed: Mapping[str, float]) -> Text:
    """Record the page from the plan as stated to the best; `missed`: the rules that the stated plan breaks."""
    over = any(name.startswith("band_") for name in missed)
    kind, values = "money", {"after": "best_month", "users": "best_users_month", "before": "stated_month"}
    comparable = _has(book, "same_money_gain")
    if not over and comparable:
        kind, values = "same", {"after": "best_month", "gain": "same_money_gain"}
    elif not over:
        kind, values = "only", {"after": "best_month", "users": "best_users_month"}
    title = book.text(f"budget.title.moves_{kind}", **values)
    reading = book.text("budget.reading.moves_only")
    if comparable:
        reading = book.text("budget.reading.moves", after="best_month", gain="same_money_gain")
    book.page(
        "budget_moves", layout="chart", section=_SECTION, chart="moves", title=title,
        subtitle=book.text("budget.subtitle.moves"), reading=reading, source=book.text(_SOURCE),
    )  # fmt: skip
    book.finding(
        "budget_moves", status="off_track" if over else "at_risk", weight=0.6 if over else 0.3,
        figure="same_money_gain" if comparable else "best_users_month",
        figure_label=book.text(f"budget.finding.moves_label{'' if comparable else '_only'}"),
        text=title,
        evidence=book.text("budget.finding.moves_why", users="alloc_users", gap="alloc_gap"),
        next_step=book.text("budget.finding.moves_next"), owner=book.text(_OWNER), page="budget_moves",
    )  # fmt: skip
    return title


def _has(book: Any, metric_id: str) -> bool:
    return any(found["id"] == metric_id for found in book._so_far()["metrics"])


def price_rows(asked: Any, case: Any, prices: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a row for each binding rule that costs users: what one step gains, its worth, what its absence would."""
    by_name = {item.rule.name: item for item in case.rules}
    found = []
    for price in prices:
        if price.step_gain <= 0 and price.removed_gain <= 0:
            continue
        item = by_name[price.rule]
        unit = _STEP_UNITS.get(price.field, "CNY" if item.kind in ("floor", "fixed") else "points")
        removed = price.removed_gain if np.isfinite(price.removed_gain) else np.nan
        found.append(
            _row_of(item, asked)
            | {"step": price.step, "unit": unit, "gain": price.step_gain}
            | {"worth": price.step_gain * case.margin_cny, "gone": removed}
        )
    return found[:MOST_RULES]


def prices_page(book: Any, rows: Sequence[Mapping[str, Any]], gain: float, where: Sequence[tuple[Both, float]]) -> Text:
    """Record the page of binding rules in users, and what the next CNY buys.

    Args:
        rows: of `price_rows`.
        gain: users for STEP_CNY more of the whole budget.
        where: (name, CNY) of the channels that it goes to, most first.
    """
    book.metric("next_step_cny", STEP_CNY, "CNY", method="choice")
    book.metric("next_step_users", gain, "users", method="solved_again")
    reading = book.text("budget.reading.prices_none")
    if rows:
        reading = book.text("budget.reading.prices_not_money", step="next_step_cny")
    if where and gain > 0:
        book.metric("next_first_cny", where[0][1], "CNY", method="solved_again")
        values = {"step": "next_step_cny", "gain": "next_step_users", "name": {"bilingual": dict(where[0][0])}}
        reading = book.text("budget.reading.prices", **values, most="next_first_cny")
    if not rows:
        return reading
    first = {"bilingual": {loc: rows[0][f"rule_{loc}"] for loc in LOCALES}}
    book.metric("price_first", rows[0]["gain"], "users", method="solved_again")
    book.metric("price_step", abs(rows[0]["step"]), rows[0]["unit"], method="choice")
    columns = [
        {"name": "rule", "head": "budget.head.rule", "weight": 2.0},
        {"name": "step", "head": "budget.head.step", "signed": True},
        {"name": "gain", "head": "budget.head.step_gain", "strong": True, "signed": True},
        {"name": "worth", "head": "budget.head.gain_worth"},
        {"name": "gone", "head": "budget.head.gone", "signed": True},
    ]
    book.page(
        "budget_prices", layout="table", section=_SECTION,
        title=book.text("budget.title.prices", rule=first, step="price_step", gain="price_first"),
        subtitle=book.text("budget.subtitle.prices"), table={"id": "prices", "columns": columns},
        reading=reading, source=book.text(_SOURCE),
    )  # fmt: skip
    return reading


def return_rows(asked: Any, best: Any) -> list[dict[str, Any]]:
    """Return a row for each channel that spends: cost, margin for a CNY on average and for one CNY more."""
    case, spend = best.case, best.by_channel
    users, slope = case.curves.value(spend), case.curves.slope(np.maximum(spend, 1e-6))
    found = []
    for c, channel in enumerate(case.channels):
        if spend[c] < 1.0:
            continue
        name = asked.names[channel]
        found.append(
            {"channel_zh": name["zh"], "channel_en": name["en"], "spend": spend[c], "users": users[c],
             "cost": spend[c] / users[c], "next_cost": 1 / slope[c], "roi": case.margin_cny * users[c] / spend[c],
             "next_roi": case.margin_cny * slope[c]}
        )  # fmt: skip
    return found


def returns_page(book: Any, best: Any, rows: Sequence[Mapping[str, Any]], *, margin_stated: bool) -> None:
    """Record the page of returns; without a stated gross margin they are on GMV."""
    book.metric("worth_user", best.case.margin_cny, "CNY_per_user", method="conversion_orders_margin")
    book.metric("next_cost", min(row["next_cost"] for row in rows), "CNY_per_user", method="marginal")
    book.metric("next_roi", max(row["next_roi"] for row in rows), "multiple", metric="marginal_roi", method="marginal")
    kind = "loses" if max(row["next_roi"] for row in rows) < 1 else "pays"
    values = {"cost": "next_cost", "worth": "worth_user"}
    names = ("channel", "spend", "cost", "next_cost", "roi", "next_roi")
    columns = [{"name": n, "head": f"budget.head.{n}", **({"strong": True} if n == "next_roi" else {})} for n in names]
    book.page(
        "budget_returns", layout="chart", section=_SECTION, chart="returns",
        title=book.text(f"budget.title.returns_{kind}", **values),
        subtitle=book.text(f"budget.subtitle.returns{'' if margin_stated else '_gmv'}", worth="worth_user"),
        table={"id": "returns", "columns": columns[:1] + columns[2:4]},
        reading=book.text(f"budget.reading.returns_{kind}", roi="next_roi"), source=book.text(_SOURCE),
    )  # fmt: skip


def quarter_rows(asked: Any, best: Any) -> list[dict[str, Any]]:
    """Return money by quarter: the channels, what their category spends besides, the other categories, all."""
    case, alloc = best.case, best.best
    starts = np.arange(0, case.months, 3)[:MOST_QUARTERS]

    def quarters(monthly: np.ndarray) -> np.ndarray:
        return np.add.reduceat(monthly, np.arange(0, case.months, 3))[:MOST_QUARTERS]

    found = []
    series = [(asked.names[c], alloc.channel_cny[:, i]) for i, c in enumerate(case.channels)]
    for k, name in enumerate(case.bands):
        label = both("budget.besides", of=asked.names[name]) if name == case.home else asked.names[name]
        if name != case.home or alloc.other_cny[:, k].sum() >= 1.0:
            series.append((label, alloc.other_cny[:, k]))
    series.append((both("budget.all"), alloc.channel_cny.sum(axis=1) + alloc.other_cny.sum(axis=1)))
    for label, monthly in series:
        row = {"line_zh": label["zh"], "line_en": label["en"]}
        row |= {f"q{q + 1}": float(x) for q, x in enumerate(quarters(monthly))}
        found.append(row)
    users = np.add.reduceat(alloc.outcomes.sum(axis=1), np.arange(0, case.months, 3))[: len(starts)]
    name = both("budget.users_won")
    found.append({"line_zh": name["zh"], "line_en": name["en"]} | {f"q{q + 1}": float(x) for q, x in enumerate(users)})
    for row in found[:-1]:
        row["unit"] = "CNY"
    found[-1]["unit"] = "users"
    return found


def quarters_page(book: Any, rows: Sequence[Mapping[str, Any]], *, middle: bool) -> None:
    """Record the quarter-by-quarter plan; `middle`: the other categories stand at the middle of their bands."""
    count = sum(name.startswith("q") for name in rows[0])
    columns = [{"name": "line", "head": "budget.head.line", "weight": 2.0}]
    columns += [{"name": f"q{q + 1}", "head": f"budget.head.q{q + 1}"} for q in range(count)]
    book.page(
        "budget_quarters", layout="table", section=_SECTION,
        title=book.text("budget.title.quarters", users="alloc_users"),
        subtitle=book.text("budget.subtitle.quarters"), table={"id": "quarter_plan", "columns": columns},
        reading=book.text(f"budget.reading.quarters{'' if middle else '_solver'}"), source=book.text(_SOURCE),
    )  # fmt: skip


def frontier_page(book: Any, points: Sequence[Any], *, goal: float, uncertain: int, alpha: float) -> None:
    """Record the page on what more money buys under uncertain curves; `points` rise in money."""
    book.metric("channel_goal", goal, "users_per_month", method="goal_less_free")
    book.metric("worst_share", 1 - alpha, "probability", method="choice")
    book.metric("curves_uncertain", uncertain, "count", method="count")
    sure = next((p for p in points if p.chance >= 0.8), None)
    kind, values = "never", {"goal": "channel_goal"}
    now = min(points, key=lambda p: abs(p.budget_cny - _metric(book, "best_month")))
    book.metric("chance_now", now.chance, "probability", method="simulation",
                interval=(now.interval.low, now.interval.high, now.interval.level))  # fmt: skip
    if sure:
        book.metric("sure_month", sure.budget_cny, "CNY", method="simulation")
        book.metric("sure_chance", sure.chance, "probability", method="simulation")
        kind, values = "reached", {"goal": "channel_goal", "spend": "sure_month", "chance": "sure_chance"}
    names = ("budget", "mean", "cvar", "chance")
    columns = [{"name": name, "head": f"budget.head.{name}"} for name in names]
    book.page(
        "budget_frontier", layout="chart", section=_SECTION, chart="frontier",
        title=book.text(f"budget.title.frontier_{kind}", **values),
        subtitle=book.text("budget.subtitle.frontier", worst="worst_share"),
        table={"id": "frontier", "columns": columns},
        reading=book.text("budget.reading.frontier", now="best_month", chance="chance_now"),
        source=book.text("budget.source_draws"),
    )  # fmt: skip


def swing_rows(asked: Any, swings: Sequence[Any], users: float) -> list[dict[str, Any]]:
    """Return a row for each assumption on which the result hangs by more than a hundred-thousandth."""
    found = []
    for swing in swings:
        if swing.width <= 1e-4 * users:
            continue
        if swing.kind == "limit":
            name = asked.rule_names.get(swing.of) or {"zh": swing.of, "en": swing.of}
        else:
            of = {"of": asked.names[swing.of]} if swing.of else {}
            name = both(f"budget.assumption.{swing.kind}", **of)
        found.append(
            {"assumption_zh": name["zh"], "assumption_en": name["en"], "unit": swing.unit, "low_input": swing.low_input,
             "high_input": swing.high_input, "at_low": swing.at_low, "at_high": swing.at_high, "width": swing.width,
             "basis": "range" if swing.from_range else "trial"}
        )  # fmt: skip
    return found


def swings_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page on what the result hangs on."""
    first = {"bilingual": {loc: rows[0][f"assumption_{loc}"] for loc in LOCALES}}
    book.metric("swing_first", rows[0]["width"], "users", method="solved_again")
    lost = [end for end in ("low", "high") if np.isnan(rows[0][f"at_{end}"])]
    if lost:
        book.metric("swing_lost_at", rows[0][f"{lost[0]}_input"], rows[0]["unit"], method="solved_again")
        title = book.text("budget.title.swings_lost", name=first, given="swing_lost_at")
    else:
        title = book.text("budget.title.swings", name=first, width="swing_first")
    book.page(
        "budget_swings", layout="chart", section=_SECTION, chart="swings",
        title=title, subtitle=book.text("budget.subtitle.swings"), reading=book.text("budget.reading.swings"),
        source=book.text(_SOURCE),
    )  # fmt: skip


def mode_row(label: Both, solved: Any, *, level: float = float("nan"), unit: str = "CNY") -> dict[str, Any]:
    """Return a row of the table of questions: channel money and users a month of the plan, their cost and return."""
    row = {"mode_zh": label["zh"], "mode_en": label["en"], "level": level, "unit": unit, "state": "no"}
    if solved.best.status == "unknown":
        row["state"] = "unknown"
    numbers = dict.fromkeys(("spend", "users", "cost", "roi"), float("nan"))
    if solved.feasible:
        months = max(int(solved.case.open_months.any(axis=1).sum()), 1)
        spend, users = float(solved.best.channel_cny.sum()) / months, solved.users / months
        numbers = {"spend": spend, "users": users} | {
            "cost": spend / users if users else float("nan"),
            "roi": solved.case.margin_cny * users / spend if spend > 1 else float("nan"),
        }
        row["state"] = "yes"
    return row | numbers


def modes_page(book: Any, rows: Sequence[Mapping[str, Any]], least: Any, goal: float | None, profit: Any) -> Text:
    """Record the page of the four questions.

    Args:
        rows: of `mode_row`.
        least: least spend for the monthly intake goal; None without such a goal.
        goal: that goal, users a month.
        profit: most profit.
    """
    months = max(int(profit.case.open_months.any(axis=1).sum()), 1)
    book.metric("profit_month", float(profit.best.channel_cny.sum()) / months, "CNY", method=profit.best.method)
    kind, values = "profit", {"spend": "profit_month"}
    if least is not None:
        book.metric("intake_goal", goal, "users_per_month", method="as_stated")
        kind, values = "impossible", {"goal": "intake_goal"}
        if least.feasible:
            book.metric("least_month", float(least.best.channel_cny.sum()) / months, "CNY", method=least.best.method)
            kind = "more" if least.best.channel_cny.sum() > 1.001 * months * _metric(book, "best_month") else "enough"
            values = {"goal": "intake_goal", "need": "least_month", "now": "best_month"}
    names = ("mode", "state", "spend", "users", "cost", "roi")
    columns = [{"name": n, "head": f"budget.head.{'month_' if n in ('spend', 'users') else ''}{n}",
                **({"weight": 3.0} if n == "mode" else {})} for n in names]  # fmt: skip
    title = book.text(f"budget.title.modes_{kind}", **values)
    book.page(
        "budget_modes", layout="table", section=_SECTION, title=title, subtitle=book.text("budget.subtitle.modes"),
        table={"id": "modes", "columns": columns}, source=book.text(_SOURCE),
        reading=book.text("budget.reading.modes", spend="profit_month"),
    )  # fmt: skip
    return title


def _metric(book: Any, metric_id: str) -> float:
    return next(found["value"] for found in book._so_far()["metrics"] if found["id"] == metric_id)


def line_rows(asked: Any, best: Any, lost: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return every line of the budget from zero: purpose, driver, money a year, and users lost without it."""
    case, alloc = best.case, best.best
    years, found = case.months / 12, []
    for c, channel in enumerate(case.channels):
        name = asked.names[channel]
        found.append(
            {"line_zh": name["zh"], "line_en": name["en"], "purpose": "channel", "driver": "response",
             "year": float(alloc.channel_cny[:, c].sum()) / years, "lost": lost[channel]}
        )  # fmt: skip
    for k, category in enumerate(case.bands):
        money = float(alloc.other_cny[:, k].sum()) / years
        if money < 1.0:
            continue
        name = both("budget.besides", of=asked.names[category]) if category == case.home else asked.names[category]
        known = category if category in ("labour", "technology", "operating", "operations") else "other"
        driver = "team" if category == case.labour and case.team_cny_year > 0 else "band"
        row = {"line_zh": name["zh"], "line_en": name["en"], "purpose": known, "driver": driver}
        found.append(row | {"year": money, "lost": float("nan")})
    return found


def lines_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the budget from zero."""
    silent = sum(row["year"] for row in rows if np.isnan(row["lost"]))
    total = sum(row["year"] for row in rows)
    book.metric("silent_share", silent / total if total else 0.0, "ratio", method="sum")
    names = ("line", "purpose", "driver", "year", "lost")
    columns = [{"name": n, "head": f"budget.head.{n}", **({"strong": True} if n == "lost" else {})} for n in names]
    book.page(
        "budget_lines", layout="table", section=_SECTION, title=book.text("budget.title.lines", share="silent_share"),
        subtitle=book.text("budget.subtitle.lines"), table={"id": "lines", "columns": columns},
        reading=book.text("budget.reading.lines"), source=book.text(_SOURCE),
    )  # fmt: skip


def declared(book: Any) -> Text:
    """Tell the basis of the amounts: tax and refunds as the plan declares them, or that it does not."""
    budget = book.plan.budget
    return book.text(
        "budget.declared",
        tax={"words": f"budget.tax.{budget.tax or 'open'}"},
        refunds={"words": f"budget.refunds.{budget.refunds or 'open'}"},
    )


def rules_said(book: Any, asked: Any) -> Text:
    """Tell which rules of the plan the allocation keeps, and name those that it cannot keep."""
    if not asked.open_rules:
        return book.text("budget.rules_all", kept="rules_kept")
    names = _listed([asked.rule_names.get(rule, {"zh": rule, "en": rule}) for rule in asked.open_rules])
    return book.text("budget.rules_said", kept="rules_kept", open="rules_open", names=names)


def worth_said(book: Any, case: Any) -> Text:
    """Tell what a user is worth and how that is reckoned."""
    book.metric("worth_margin", case.margin_cny, "CNY_per_user", method="conversion_orders_margin")
    return book.text("budget.worth_said", worth="worth_margin")


def left_out(book: Any, asked: Any) -> list[Text]:
    """Tell which paid channels the allocation leaves out."""
    if not asked.left_out:
        return []
    return [book.text("budget.left_out", names=_listed([asked.names[c] for c in asked.left_out]))]


def _listed(names: Sequence[Mapping[str, str]]) -> dict[str, Both]:
    joints = {"zh": "、", "en": ", "}
    return {"bilingual": {loc: joints[loc].join(name[loc] for name in names) for loc in LOCALES}}


def response_panels(
    asked: Any, best: Any, record: Any, ceiling: np.ndarray, half: np.ndarray, known: Sequence[str]
) -> list[Any]:
    """Return one panel a channel, the largest spend first.

    Args:
        record: `ResponsePanel` of the charts.
        ceiling, half: (D, C) factors of the draws; a range is drawn for the channels in `known`.
    """
    case, spend = best.case, best.by_channel
    stated, curves = case.stated_cny, case.curves
    found, widest = [], 1.25 * max(float(np.nanmax([*spend, *stated])), 1.0)
    for c in np.argsort(-spend, kind="stable"):
        grid = np.linspace(0.0, min(widest, max(case.most_cny[c], spend[c])), 61)
        part = curves.take(np.array([c]))
        users = part.value(grid[:, None])[:, 0]
        low = high = None
        if case.channels[c] in known:
            drawn = np.stack([ceiling[k, c] * part.value((grid / half[k, c])[:, None])[:, 0] for k in range(400)])
            low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
        at = None if np.isnan(stated[c]) else (float(stated[c]), float(case.stated_users[c]))
        own = (float(spend[c]), float(part.value(spend[c : c + 1])[0]))
        found.append(record(asked.names[case.channels[c]], grid, users, at, own, low, high))
    return found


def curve_rows(panels: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the points of the curves drawn, one row each."""
    return [
        {"channel_zh": p.name["zh"], "channel_en": p.name["en"], "spend": float(x), "users": float(y)}
        for p in panels for x, y in zip(p.spend, p.users, strict=True)
    ]  # fmt: skip


def moves_data(book: Any, rows: Sequence[Mapping[str, Any]], charts: Any) -> Any:
    """Return what the chart of moves draws; `charts` is its module."""

    def reason(money: str, cost: str) -> Both:
        known = _metric(book, cost) if _has(book, cost) else None
        return both("budget.stated_reason", money=(_metric(book, money), "CNY"), cost=(known, "CNY_per_user"))

    steps = [
        charts.MoveRow(_pair(row, "channel"), row["before"], row["after"], row["users"], _pair(row, "why"))
        for row in rows
    ]
    return charts.MovesData(
        _metric(book, "stated_month"),
        _metric(book, "best_month"),
        _metric(book, "stated_users_month"),
        _metric(book, "best_users_month"),
        steps,
        reason("stated_month", "stated_cost"),
        reason("best_month", "best_cost"),
    )


def _pair(row: Mapping[str, Any], name: str) -> Both:
    return {loc: row[f"{name}_{loc}"] for loc in LOCALES}


def return_bars(rows: Sequence[Mapping[str, Any]], record: Any) -> list[Any]:
    """Return the bars of average and marginal return."""
    return [record(_pair(row, "channel"), row["roi"], row["next_roi"]) for row in rows]


def swing_bars(rows: Sequence[Mapping[str, Any]], record: Any) -> list[Any]:
    """Return the bars of the assumptions."""
    names = ("low_input", "high_input", "unit", "at_low", "at_high")
    return [record(_pair(row, "assumption"), *(row[name] for name in names)) for row in rows[:MOST_SWINGS]]


def month_rows(asked: Any, best: Any) -> list[dict[str, Any]]:
    """Return the whole budget: month, line (channel or category besides channels), amount in CNY."""
    case, alloc = best.case, best.best
    found = []
    for kind, names, money in (
        ("channel", case.channels, alloc.channel_cny),
        ("category", tuple(case.bands), alloc.other_cny),
    ):
        for k, name in enumerate(names):
            found += [
                {"line": name, "kind": kind, "month": t + 1, "amount": float(x)} for t, x in enumerate(money[:, k])
            ]
    return found


def goal_words(goal: Mapping[str, Any]) -> Both:
    """Return a goal on users as a question."""
    if goal["kind"] == "intake":
        return both("budget.mode.intake", goal=(goal["goal"], "users_per_month"))
    month = (goal["arguments"]["month"], "month")
    return both("budget.mode.stock", goal=(goal["goal"], "users"), month=month)


def basis_rows(asked: Any, case: Any, fits: Sequence[Any]) -> list[dict[str, Any]]:
    """Return for each channel what its curve rests on: the plan's two numbers, or weeks of data and how it was told."""
    found = []
    for c, channel in enumerate(case.channels):
        name, fit = asked.names[channel], fits[c] if fits else None
        _, ceiling, half, _ = case.responses[c]
        row = {"channel_zh": name["zh"], "channel_en": name["en"], "ceiling": float(ceiling), "half": float(half)}
        found.append(row | {"rests_on": fit.basis if fit else "plan", "weeks": float(fit.weeks) if fit else np.nan})
    return found


def review_rows(asked: Any, case: Any, quarter: Any, found: Any) -> list[dict[str, Any]]:
    """Return the last quarter's money and users of each channel, and what the next one is to be by either rule."""
    rows = []
    for c, channel in enumerate(case.channels):
        name = asked.names[channel]
        rows.append(
            {"channel_zh": name["zh"], "channel_en": name["en"], "was": float(quarter.spend[c]),
             "won": float(quarter.outcomes[c]), "simple": float(found.simple[c]), "best": float(found.best[c]),
             "weak": float(found.weak_chance[c]), "because": found.reason[c]}
        )  # fmt: skip
    return rows


def review_page(book: Any, found: Any) -> Text:
    """Record the page of the quarterly review; `found` is a `planlib.budget.reallocation.Proposal`."""
    level = found.gain_interval.level
    for name, value, interval in (
        ("review_gain", found.gain, found.gain_interval),
        ("review_over", found.over_simple, found.over_simple_interval),
    ):
        ends = (interval.low, interval.high, level)
        book.metric(name, value, "users", method="simulation", interval=ends, signed=True)
        book.metric(f"{name}_low", interval.low, "users", method="simulation", signed=True)
        book.metric(f"{name}_high", interval.high, "users", method="simulation", signed=True)
    book.metric("review_chance", found.chance, "probability", method="simulation")
    columns = [
        {"name": "channel", "head": "budget.head.channel"},
        *({"name": name, "head": f"budget.head.{name}"} for name in ("was", "won", "simple", "best", "weak")),
        {"name": "because", "head": "budget.head.why", "weight": 1.5},
    ]
    low, high = found.over_simple_interval.low, found.over_simple_interval.high
    side = "above" if low > 0 else "below" if high < 0 else "alike"
    title = book.text(f"budget.title.review_{found.decision}", gain="review_gain", chance="review_chance")
    book.page(
        "budget_review", layout="table", section=_SECTION, title=title, subtitle=book.text("budget.subtitle.review"),
        table={"id": "review", "columns": columns}, source=book.text("budget.source_tables"),
        reading=book.text(
            f"budget.reading.review_{side}", over="review_over", low="review_over_low", high="review_over_high"
        ),
    )  # fmt: skip
    return title


def attribution_rows(names: Mapping[str, Both], paths: Any, credits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each channel's share of the conversions by every method, with the removal effect and its interval."""
    total = float(paths.converted.sum())
    found = []
    for c, channel in enumerate(paths.channels):
        name = names.get(channel, {"zh": channel, "en": channel})
        row: dict[str, Any] = {"channel_zh": name["zh"], "channel_en": name["en"]}
        row |= {method: float(credit.conversions[c]) / total for method, credit in credits.items()}
        markov = credits["markov"]
        row |= {"markov_low": float(markov.low[c]) / total, "markov_high": float(markov.high[c]) / total}
        found.append(row)
    return sorted(found, key=lambda row: -row["markov"])


def attribution_page(book: Any, rows: Sequence[Mapping[str, Any]], *, converted: float, total: float) -> Text:
    """Record the page of attribution under the statement that none of it is causal."""
    book.metric("path_orders", converted, "count", method="count")
    book.metric("path_journeys", total, "count", method="count")
    widest = max(rows, key=lambda row: max(row[m] for m in _METHODS) - min(row[m] for m in _METHODS))
    gap = max(widest[m] for m in _METHODS) - min(widest[m] for m in _METHODS)
    book.metric("attribution_gap", gap, "points", method="difference_of_methods")
    columns = [{"name": "channel", "head": "budget.head.channel"}]
    columns += [{"name": method, "head": f"budget.head.{method}"} for method in _METHODS]
    title = book.text("budget.title.attribution", name={"bilingual": _pair(widest, "channel")}, gap="attribution_gap")
    book.page(
        "budget_attribution", layout="table", section=_SECTION, title=title,
        subtitle=book.text("budget.subtitle.attribution", orders="path_orders", journeys="path_journeys"),
        table={"id": "attribution", "columns": columns}, reading=book.text("budget.reading.attribution"),
        source=book.text("budget.source_tables"),
    )  # fmt: skip
    return title


def investment_rows(plan: Any, value: Any) -> list[dict[str, Any]]:
    """Return the plan's investments, the best return for a CNY first; `value` is `planlib.budget.packages.invest`."""
    found = []
    for item in plan.budget.investments:
        worth = value(item.outlay, [item.benefit_per_month] * item.months, running_cny=item.running_per_month)
        name = item.name.model_dump()
        payback = np.nan if worth.payback_months is None else worth.payback_months
        found.append(
            {"item_zh": name["zh"], "item_en": name["en"], "outlay": item.outlay, "returns": worth.return_multiple,
             "npv": worth.npv_cny, "profitability": worth.profitability, "payback": payback}
        )  # fmt: skip
    return sorted(found, key=lambda row: -row["profitability"])


def investments_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page of technology investments."""
    paying = [row for row in rows if row["npv"] > 0]
    book.metric("investments", len(rows), "count", method="count")
    book.metric("investments_pay", len(paying), "count", method="net_present_value")
    names = ("item", "outlay", "returns", "npv", "profitability", "payback")
    columns = [{"name": n, "head": f"budget.head.{n}", **({"weight": 2.0} if n == "item" else {})} for n in names]
    book.page(
        "budget_investments", layout="table", section=_SECTION,
        title=book.text("budget.title.investments", n="investments", paying="investments_pay"),
        subtitle=book.text("budget.subtitle.investments"), table={"id": "investments", "columns": columns},
        reading=book.text("budget.reading.investments"), source=book.text(_SOURCE),
    )  # fmt: skip


def spent_rows(asked: Any, best: Any, actual: Sequence[Any], limit: float) -> list[dict[str, Any]]:
    """Return planned and actual spend of each line over the months typed; plan over actual below `limit` warns."""
    case, alloc, found = best.case, best.best, {}
    for line in actual:
        if line.of in case.channels:
            planned = alloc.channel_cny[line.month - 1, case.channels.index(line.of)]
        elif line.of in case.bands:
            planned = alloc.category_cny[line.month - 1, tuple(case.bands).index(line.of)]
        else:
            continue
        row = found.setdefault(line.of, {"planned": 0.0, "spent": 0.0})
        row["planned"] += float(planned)
        row["spent"] += line.amount
    rows = []
    for of, row in found.items():
        name = asked.names[of]
        over = row["spent"] / row["planned"] - 1 if row["planned"] >= 1 else np.nan
        state = "as_planned"
        if row["spent"] * limit > row["planned"] or row["spent"] < row["planned"] * limit:
            state = "over" if row["spent"] > row["planned"] else "under"
        rows.append({"line_zh": name["zh"], "line_en": name["en"]} | row | {"over": over, "state": state})
    return rows


def spent_page(book: Any, rows: Sequence[Mapping[str, Any]], *, limit: float) -> None:
    """Record the page of actual spend against plan."""
    planned, spent = (sum(row[name] for row in rows) for name in ("planned", "spent"))
    book.metric("spent_planned", planned, "CNY", method="optimum")
    book.metric("spent_actual", spent, "CNY", method="as_typed")
    book.metric("spent_limit", limit, "ratio", method="choice")
    book.metric("spent_alerts", sum(row["state"] == "over" for row in rows), "count", method="count")
    columns = [{"name": n, "head": f"budget.head.{n}"} for n in ("line", "planned", "spent", "over", "state")]
    book.page(
        "budget_spent", layout="table", section=_SECTION,
        title=book.text("budget.title.spent", spent="spent_actual", planned="spent_planned", n="spent_alerts"),
        subtitle=book.text("budget.subtitle.spent", limit="spent_limit"),
        table={"id": "spent", "columns": columns}, reading=book.text("budget.reading.spent"), source=book.text(_SOURCE),
    )  # fmt: skip


def watch_rows(spend: np.ndarray, joined: np.ndarray, ewma: Any, *, before: int = 26) -> list[dict[str, Any]]:
    """Return the weekly cost of a user under control limits set on the first `before` weeks; none where there are few.

    Args:
        spend, joined: (W, C) of whole weeks.
        ewma: of `planlib.core.control`.
    """
    users = joined.sum(axis=1)
    cost = np.divide(spend.sum(axis=1), users, out=np.full(len(users), np.nan), where=users > 0)
    if len(cost) <= before or np.isnan(cost).any() or cost[:before].std() <= 0:
        return []
    mean, sd = float(cost[:before].mean()), float(cost[:before].std(ddof=1))
    chart = ewma(cost[before:], mean=mean, sd=sd)
    weeks = range(before + 1, len(cost) + 1)
    return [
        {"week": float(w), "cost": float(x), "level": mean + sd * float(s), "limit": mean + sd * float(edge),
         "alarm": "yes" if a else "no"}
        for w, x, s, edge, a in zip(weeks, cost[before:], chart.statistic, chart.limit, chart.alarm, strict=True)
    ]  # fmt: skip


def watch_said(book: Any, rows: Sequence[Mapping[str, Any]]) -> Text:
    """Tell whether the weekly cost of a user has moved."""
    if not rows:
        return book.text("budget.watch.none")
    alarms = [row for row in rows if row["alarm"] == "yes" and row["level"] > row["limit"]]
    book.metric("watch_limit", rows[-1]["limit"], "CNY_per_user", method="ewma")
    book.metric("watch_level", rows[-1]["level"], "CNY_per_user", method="ewma")
    if not alarms:
        return book.text("budget.watch.calm", level="watch_level", limit="watch_limit")
    book.metric("watch_week", alarms[0]["week"], "number", method="ewma")
    return book.text("budget.watch.alarm", week="watch_week", level="watch_level", limit="watch_limit")


def beyond(book: Any, asked: Any, best: Any, spend_weeks: np.ndarray) -> list[Text]:
    """Tell which channels are to spend more than twice all seen: their curves are guesses.

    Args:
        spend_weeks: (W, C) CNY a week.
    """
    most = spend_weeks.max(axis=0, initial=0.0) * 52 / 12
    far = [name for c, name in enumerate(best.case.channels) if best.by_channel[c] > 2 * most[c]]
    return [book.text("budget.beyond", names=_listed([asked.names[name] for name in far]))] if far else []
