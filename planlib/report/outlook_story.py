"""What notebook 70 says: rows of its tables, pages of the deck and findings, worded by the outcome.

As in `planlib.report.funnel_story`, each function records what its page needs on the notebook's book. What is asked is
answered by `planlib.outlook_questions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core.words import LOCALES, words

Text = dict[str, Any]
Both = dict[str, str]

GO, STOP = 0.8, 0.2
MOST_REPAIRS = 9
_SECTION, _SOURCE, _OWNER = "outlook.section", "outlook.source", "outlook.owner"


def both(key: str, **values: Any) -> Both:
    """Return a text in both languages; a value is (number, unit) or a name in both languages."""
    found = {}
    for locale in LOCALES:
        w = words(locale)
        said = {k: w.number(*v) if isinstance(v, tuple) else v[locale] for k, v in values.items()}
        found[locale] = w.text(key, **said)
    return found


def cells(column: str, text: Mapping[str, str]) -> dict[str, str]:
    """Return the two columns of a bilingual cell."""
    return {f"{column}_{locale}": text[locale] for locale in LOCALES}


def frame(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> Any:
    """Return the table of some rows, with all columns of `units` even when there are none."""
    import pandas as pd

    pairs = [f"{name}_{locale}" for name, unit in units.items() if unit == "bilingual" for locale in LOCALES]
    columns = [*pairs, *(name for name, unit in units.items() if unit != "bilingual")]
    columns += ["unit"] if "@unit" in units.values() else []
    numbers = [name for name, unit in units.items() if unit not in _TEXTS and not unit.startswith("words:")]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))


_TEXTS = ("bilingual", "text", "metric", "status", "source")


def goal_name(goal: Mapping[str, Any]) -> Both:
    """Return a goal as a few words in both languages."""
    if goal["id"].startswith("own_") and goal["source"] == "":
        return both(f"outlook.own.{goal['id']}")
    metric = {locale: words(locale).metric(goal["metric"]) for locale in LOCALES}
    level, month = (goal["goal"], goal["unit"]), (goal["judged_month"], "month")
    return both("chances.target", metric=metric, month=month, goal=level)


def chance_rows(
    rows: Sequence[Mapping[str, Any]], splits: Mapping[str, Any], on_time: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return a row for each goal: as planned, range over the draws, chances, and what binds it.

    Args:
        rows: goals with their chance, `planlib.funnel.chances.with_chances`.
        splits: {goal: `planlib.outlook.causes.Split`}.
        on_time: {goal: chance on plan dates, as notebook 20 has it}.
    """
    return [
        cells("target", goal_name(row))
        | {"unit": row["unit"], "planned": row["forecast"], "low": row["low"], "median": row["median"]}
        | {"high": row["high"], "on_time": on_time.get(row["id"]), "probability": row["probability"]}
        | {"cause": binding(splits.get(row["id"]))}
        for row in rows
    ]


def binding(split: Any | None) -> str:
    """Return the id of what binds a goal: a cause, or why there is none."""
    if split is None:
        return "none"
    return split.cause or split.basis


def cause_rows(rows: Sequence[Mapping[str, Any]], splits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each goal and cause: what it takes of the chance and of the outcome."""
    return [
        cells("target", goal_name(row))
        | {"cause": cause, "chance_part": part.mean, "chance_se": part.se}
        | {"level_part": splits[row["id"]].levels[cause].mean, "unit": row["unit"]}
        for row in rows
        if row["id"] in splits
        for cause, part in splits[row["id"]].chance.items()
    ]


def slip_rows(slips: Mapping[str, Any], names: Mapping[str, Both]) -> list[dict[str, Any]]:
    """Return a row for each gate whose slip costs something, the costliest first."""
    rows = [
        cells("gate", names[gate])
        | {"gmv": -slip.gmv.mean, "gmv_low": -slip.gmv.high, "gmv_high": -slip.gmv.low}
        | {"joined": max(-slip.joined.mean, 0.0), "users": max(-slip.users.mean, 0.0)}
        for gate, slip in slips.items()
    ]
    return sorted(rows, key=lambda row: -row["gmv"])


def option_name(option: str) -> Both:
    """Return an option in both languages."""
    if option.startswith("money_"):
        return both("outlook.option.money", share=(float(option.removeprefix("money_")) / 100, "probability"))
    return both(f"outlook.option.{option}")


def option_rows(options: Mapping[str, Any], chosen: Any) -> list[dict[str, Any]]:
    """Return a row for each option, the best first."""
    rows = [
        cells("option", option_name(name)) | {"worth": chosen.values[name], "best": chosen.chance_best[name]}
        for name in options
    ]
    return sorted(rows, key=lambda row: -row["worth"])


def known_name(key: str, labels: Mapping[str, Both]) -> Both:
    """Return what is uncertain in both languages.

    Args:
        key: a place, or risk:ID, cost:CHANNEL, gate:ID, test:ID.
        labels: names of the places, and of the ids under the same keys.
    """
    kind, colon, _ = key.partition(":")
    return both(f"outlook.known.{kind}", name=labels[key]) if colon else labels[key]


def known_rows(found: Mapping[str, float], labels: Mapping[str, Both], *, least: float) -> list[dict[str, Any]]:
    """Return a row for each figure that is worth knowing first; below `least` it cannot be told from nothing."""
    return [cells("what", known_name(key, labels)) | {"value": value} for key, value in found.items() if value > least]


def test_rows(tests: Mapping[str, Any], labels: Mapping[str, Both]) -> list[dict[str, Any]]:
    """Return a row for each test: what it adds and the range over the draws."""
    return [
        cells("test", labels[f"test:{name}"]) | {"adds": it.mean, "low": it.low, "high": it.high}
        for name, it in tests.items()
    ]


def repair_rows(repairs: Any, now: Mapping[str, tuple[float, str]]) -> list[dict[str, Any]]:
    """Return rows of the levers: each alone, then the cheapest set.

    Args:
        repairs: `planlib.outlook_questions.Repairs`.
        now: {lever: today's level and its unit}; switches have none.
    """
    alone = repairs.inside.alone.items()
    rows = [_repair("alone", lever, it.setting, it.chance, it.cost_cny, now) for lever, it in alone]
    rows = sorted(rows, key=lambda row: -row["alone"])
    if repairs.inside.settings:
        rows += [
            _repair("together", lever, setting, repairs.inside.chance, repairs.inside.costs.get(lever), now)
            for lever, setting in repairs.inside.settings.items()
        ]
    if repairs.beyond is not None:
        rows += [
            _repair("beyond", lever, factor, np.nan, None, now)
            for lever, factor in repairs.beyond.together.factors.items()
        ]
    return rows


def _repair(
    state: str, lever: str, setting: float | None, chance: float, cost: float | None,
    now: Mapping[str, tuple[float, str]],
) -> dict[str, Any]:  # fmt: skip
    level, unit = now.get(lever, (None, "number"))
    needed = None if setting is None or level is None else level * setting
    told = {"state": state, "lever": lever, "unit": unit, "now": level, "needed": needed, "alone": chance, "cost": cost}
    return {name: np.nan if value is None else value for name, value in told.items()}


def record_chances(book: Any, rows: Sequence[Mapping[str, Any]], *, paths: int) -> None:
    """Record `p_target` of every goal, by its id, with its Monte Carlo interval."""
    for row in rows:
        interval = None if row["certain"] else (row["probability_low"], row["probability_high"], 0.95)
        metric = None if row["id"].startswith("own_") else row["metric"]
        book.metric(
            f"p_target_{row['id']}", row["probability"], "probability", metric=metric, month=row["judged_month"],
            method="joint_simulation", interval=interval, n=paths,
        )  # fmt: skip


def together_page(book: Any, splits: Mapping[str, Any]) -> None:
    """Record the page of the plan and what is left of it."""
    kept = book_value(book, "users_joint") >= book_value(book, "users_plan")
    kept = kept and book_value(book, "gmv_joint") >= book_value(book, "gmv_plan")
    values = {"users": "users_joint", "gmv": "gmv_joint", "due": "end"}
    values |= {} if kept else {"users_plan": "users_plan", "gmv_plan": "gmv_plan"}
    cause = most_taken(splits.get("own_gmv"))
    book.page(
        "outlook", layout="chart", section=_SECTION, chart="together",
        title=book.text(f"outlook.title.together{'_kept' if kept else ''}", **values),
        subtitle=book.text("outlook.subtitle.together"),
        reading=book.text("outlook.reading.together", cause=cause_words(cause)) if cause and not kept else None,
        source=book.text(_SOURCE),
    )  # fmt: skip


def book_value(book: Any, metric: str) -> float:
    """Return a figure that was recorded before."""
    return next(found["value"] for found in book._so_far()["metrics"] if found["id"] == metric)


def most_taken(split: Any | None) -> str | None:
    """Return the cause that takes most of an outcome; None where none takes anything."""
    if split is None or not split.levels:
        return None
    cause = max(split.levels, key=lambda name: split.levels[name].mean)
    return cause if split.levels[cause].mean > 0 else None


def cause_words(cause: str) -> dict[str, str]:
    """Return the reference to a cause's name."""
    return {"words": f"outlook.cause.{cause}"}


def chances_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page of all goals with their chances."""
    stated = any(row["source"] for row in rows)
    book.metric("goals", len(rows), "count", method="count")
    book.metric("likely", sum(row["probability"] >= GO for row in rows), "count", method="joint_simulation")
    book.metric("unlikely", sum(row["probability"] < STOP for row in rows), "count", method="joint_simulation")
    columns = [{"name": "target", "head": "outlook.head.target", "weight": 2.4}]
    columns += [{"name": n, "head": f"outlook.head.{n}"} for n in ("planned", "median", "low", "high", "on_time")]
    columns += [{"name": "probability", "head": "outlook.head.probability", "strong": True}]
    columns += [{"name": "cause", "head": "outlook.head.cause", "weight": 1.4}]
    book.page(
        "outlook_chances", layout="table", section=_SECTION, table={"id": "chances", "columns": columns},
        title=book.text("outlook.title.chances", likely="likely", n="goals", unlikely="unlikely"),
        subtitle=book.text("outlook.subtitle.chances"), source=book.text(_SOURCE),
        reading=book.text(f"outlook.reading.chances{'' if stated else '_own'}"),
    )  # fmt: skip


def causes_page(book: Any, split: Any) -> None:
    """Record the page of what takes users and GMV; `split` is that of the users at the end."""
    cause = most_taken(split)
    if cause is None:
        title = book.text("outlook.title.causes_none")
    else:
        taken = split.levels[cause].mean
        every = sum(max(part.mean, 0.0) for part in split.levels.values())
        book.metric("taken", taken, "users", method="shapley")
        book.metric("taken_share", taken / every, "ratio", method="shapley")
        title = book.text(
            "outlook.title.causes", cause=cause_words(cause), taken="taken", due="end", share="taken_share"
        )
    book.page(
        "outlook_causes", layout="chart", section=_SECTION, chart="causes", title=title,
        subtitle=book.text("outlook.subtitle.causes"), reading=book.text("outlook.reading.causes"),
        source=book.text(_SOURCE),
    )  # fmt: skip


def slips_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page and the finding of the costliest slip."""
    first = rows[0]
    book.metric("slip_gmv", first["gmv"], "CNY", metric="gmv", method="joint_simulation")
    book.metric("slip_joined", first["joined"], "users", method="joint_simulation")
    values = {"gate": {"bilingual": {x: first[f"gate_{x}"] for x in LOCALES}}, "gmv": "slip_gmv"}
    people = round(first["joined"]) > 0
    book.page(
        "outlook_slips", layout="chart", section=_SECTION, chart="slips",
        title=book.text("outlook.title.slips", **values, joined="slip_joined")
        if people
        else book.text("outlook.title.slips_gmv", **values),
        subtitle=book.text("outlook.subtitle.slips"), reading=book.text("outlook.reading.slips"),
        source=book.text(_SOURCE),
    )  # fmt: skip
    book.finding(
        "outlook_slip", status="at_risk", weight=0.3, figure="slip_gmv",
        figure_label=book.text("outlook.finding.slip_label"), text=book.text("outlook.finding.slip", **values),
        evidence=book.text("outlook.finding.slip_why", joined="slip_joined")
        if people
        else book.text("outlook.finding.slip_why_rates"),
        next_step=book.text("outlook.finding.slip_next"), owner=book.text(_OWNER), page="outlook_slips",
    )  # fmt: skip


def information_page(
    book: Any, known: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]],
    options: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Record the page of what knowing a figure and running the tests is worth."""
    values: dict[str, Any] = {}
    key = "information"
    if known:
        book.metric("known_value", known[0]["value"], "CNY", method="evppi")
        values |= {"name": {"bilingual": {x: known[0][f"what_{x}"] for x in LOCALES}}, "value": "known_value"}
    if tests:
        book.metric("test_adds", tests[0]["adds"], "CNY", method="evsi")
        values |= {"adds": "test_adds"}
    key += {(True, True): "", (False, True): "_none", (True, False): "_only", (False, False): "_plain"}[
        bool(known), bool(tests)
    ]
    book.metric("best_worth", options[0]["worth"], "CNY", method="joint_simulation")
    best = {"bilingual": {x: options[0][f"option_{x}"] for x in LOCALES}}
    book.page(
        "outlook_information", layout="chart", section=_SECTION, chart="information",
        title=book.text(f"outlook.title.{key}", **values),
        subtitle=book.text("outlook.subtitle.information" if known else "outlook.subtitle.options"),
        reading=book.text("outlook.reading.information", best=best, worth="best_worth"), source=book.text(_SOURCE),
    )  # fmt: skip


def recovery_page(book: Any, repairs: Any) -> None:
    """Record the page of the repairs of the plan's own GMV, and the finding that goes with it."""
    found = repairs.inside
    book.metric("wanted", found.wanted, "probability", method="choice")
    now = "p_target_own_gmv"
    key, values = "recovery_none", {"chance": now}
    if found.now < found.wanted:
        book.metric("repair_chance", found.chance, "probability", method="joint_simulation")
        key, values = "recovery_short", {"chance": "repair_chance", "wanted": "wanted"}
    if found.settings and found.feasible:
        book.metric("repair_cost", found.cost_cny, "CNY", method="joint_simulation")
        key, values = "recovery_money", {"wanted": "wanted", "cost": "repair_cost"}
        if repairs.people:
            book.metric("repair_people", repairs.people, "people", method="users_per_operator")
            key, values = "recovery", values | {"people": "repair_people"}
    columns = [
        {"name": "state", "head": "outlook.head.state"}, {"name": "lever", "head": "outlook.head.lever", "weight": 1.4},
        {"name": "now", "head": "outlook.head.now"}, {"name": "needed", "head": "outlook.head.needed"},
        {"name": "alone", "head": "outlook.head.alone", "strong": True}, {"name": "cost", "head": "outlook.head.cost"},
    ]  # fmt: skip
    title = book.text(f"outlook.title.{key}", **values)
    book.page(
        "outlook_recovery", layout="chart", section=_SECTION, chart="frontier", title=title,
        table={"id": "repairs_page", "columns": columns}, subtitle=book.text("outlook.subtitle.recovery"),
        reading=book.text("outlook.reading.recovery", now=now), source=book.text(_SOURCE),
    )  # fmt: skip
    if key in ("recovery", "recovery_money"):
        book.finding(
            "outlook_recovery", status="at_risk", weight=0.45, figure="repair_cost",
            figure_label=book.text("outlook.finding.recovery_label"),
            text=book.text("outlook.finding.recovery", wanted="wanted", cost="repair_cost"),
            evidence=book.text("outlook.finding.recovery_why", now=now),
            next_step=book.text("outlook.finding.recovery_next"), owner=book.text(_OWNER), page="outlook_recovery",
        )  # fmt: skip


def again_page(book: Any, standing: str) -> None:
    """Record the page of the forecast with what is known so far beside the one before.

    Args:
        standing: held, moved or outside, see `planlib.outlook_questions.standing`.
    """
    values = {"months": "known", "users": "users_again", "before": "users_joint"}
    book.page(
        "outlook_again", layout="chart", section=_SECTION, chart="again",
        title=book.text("outlook.title.again", **values), subtitle=book.text("outlook.subtitle.again"),
        reading=book.text(f"outlook.reading.again_{standing}"), source=book.text(_SOURCE),
    )  # fmt: skip


def gap_finding(book: Any, splits: Mapping[str, Any]) -> None:
    """Record what running everything together makes of the plan."""
    short = book_value(book, "gmv_plan") - book_value(book, "gmv_joint")
    chance = book_value(book, "p_target_own_gmv")
    cause = most_taken(splits.get("own_gmv"))
    text = book.text("outlook.finding.gap_kept")
    if short > 0:
        book.metric("gmv_short", short, "CNY", metric="gmv", method="joint_simulation")
        text = book.text("outlook.finding.gap", short="gmv_short")
    evidence = {"cause": cause_words(cause or "none"), "users": "users_joint", "due": "end"}
    book.finding(
        "outlook_gap", status="on_track" if chance >= GO else "at_risk" if chance >= STOP else "off_track",
        weight=0.6 * (1 - chance), figure="p_target_own_gmv", figure_label=book.text("outlook.finding.gap_label"),
        text=text, evidence=book.text("outlook.finding.gap_why", **evidence),
        next_step=book.text("outlook.finding.gap_next"), owner=book.text(_OWNER), page="outlook",
    )  # fmt: skip
