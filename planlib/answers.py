"""`planlib why` and `planlib whatif`: one question each, answered on common random paths: table, JSON or one page."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planlib import outlook_questions as questions
from planlib import outlooking
from planlib.core.errors import InputError, Problem
from planlib.core.intervals import wilson
from planlib.core.words import LOCALES, Words, aligned
from planlib.outlook.causes import change
from planlib.plan import inputs
from planlib.plan.load import Plan, load_plan
from planlib.report.outlook_story import goal_name

PATHS = 1_000
MOST_ROWS = 13  # of the page
_SWITCHES = ("haste", "mitigation")  # levers that are pulled or not
_SLIP = re.compile(r"([a-z][a-z0-9_-]*)=(-?[0-9]+(?:\.[0-9]+)?)d")
_USERS, _TO_DATE = "private_domain_users", outlooking.TO_DATE


@dataclass(frozen=True, slots=True)
class Answer:
    """What is printed, drawn on a page, or given to other programs.

    Attributes:
        name: `why` or `whatif`.
        plan: that was asked about.
        headline: the answer in a sentence.
        subtitle: what it rests on.
        heads: of the columns.
        rows: of cells in words.
        ranks: of the rows, 0 for those that the page must have; the highest are left out where it cannot hold all.
        notes: sentences below.
        reading: the one that the page ends with.
        plain: the same figures for JSON, at full precision.
    """

    name: str
    plan: Plan
    headline: str
    subtitle: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ranks: tuple[int, ...]
    notes: tuple[str, ...]
    reading: str
    plain: Mapping[str, Any]


def find_plan(target: str, folder: str | Path = "params") -> str:
    """Return the plan file in a folder that states a target; one that extends another only if no other does.

    Raises:
        InputError: none does, or several do.
    """
    told = {path.as_posix(): path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.yaml"))}
    told = {path: text for path, text in told.items() if re.search(rf"\bid: *{re.escape(target)}[\s,}}]", text)}
    own = [path for path, text in told.items() if not re.search(r"^extends:", text, re.MULTILINE)]
    found = own or list(told)
    if len(found) != 1:
        values = {"choice": ", ".join(found) or "--plan PLAN"}
        raise InputError(Problem("no_plan_of_target", Path(folder).as_posix(), "TARGET", given=target, values=values))
    return found[0]


def why(target: str, plan: Plan, w: Words, *, wanted: float = questions.WANTED, paths: int = PATHS) -> Answer:
    """Say how likely a target is, what binds it, which single repairs there are, and the cheapest set of them.

    Args:
        target: its id, or `own_users`, `own_gmv`: what the plan itself forecasts.
        plan: that states it.
        w: the language.
        wanted: chance that is wanted, 0 < wanted < 1.
        paths: draws.

    Raises:
        InputError: the plan states no such target, or the simulation has no forecast for it.
    """
    if not 0 < wanted < 1:
        raise InputError(Problem("between", field="--p", given=wanted, values={"low": 0, "high": 1}))
    asked = questions.Asked.of(outlooking.world(plan, paths=paths))
    goal = _goal(asked, target)
    row = next(row for row in asked.chances[0] if row["id"] == target)
    split = asked.causes([goal]).get(target)
    repairs = asked.recovery(goal, wanted=wanted)
    name, unit = goal_name(goal)[w.locale], goal["unit"]
    sure = w.number(wanted, "probability")
    chance = w.number(row["probability"], "probability")
    cause = w.text(f"outlook.cause.{(split.cause or split.basis) if split else 'none'}")
    rows = _cause_rows(split, unit, w) if split else []
    ranks = [1 if k < 3 else 3 for k in range(len(rows))]
    if repairs:
        more = _repair_rows(repairs, sure, w)
        rows += [cells for cells, _ in more]
        ranks += [rank for _, rank in more]
    notes = [w.text("answers.why.gap", **_gap(row, w)), w.text("answers.why.binds", cause=cause)]
    told = _repair_notes(repairs, w)
    notes += told
    plain = {
        "target": target, "plan": plan.file, "wanted": wanted, "paths": paths, "goal": goal["goal"], "unit": unit,
        "month": goal["judged_month"], "chance": row["probability"], "interval": _interval(row, paths),
        "planned": row["forecast"], "median": row["median"], "low": row["low"], "high": row["high"],
        "binding": None if split is None else {
            "basis": split.basis, "cause": split.cause, "at_plan": split.at_plan,
            "chance": {n: part.mean for n, part in split.chance.items()},
            "level": {n: part.mean for n, part in split.levels.items()},
        },
        "repairs": None if repairs is None else _plain_repairs(repairs),
    }  # fmt: skip
    return Answer(
        "why", plan, w.text("answers.why.headline", target=name, chance=chance, wanted=sure),
        w.text("answers.subtitle", plan=w.pick(plan.title), paths=w.number(paths, "count")),
        tuple(w.text(f"answers.head.{head}") for head in ("what", "chance", "level", "cost")), tuple(rows),
        tuple(ranks), tuple(notes), told[0], plain,
    )  # fmt: skip


def _goal(asked: questions.Asked, target: str) -> Mapping[str, Any]:
    for goal in asked.goals:
        if goal["id"] == target:
            return goal
    plan, choice = asked.world.plan, ", ".join(goal["id"] for goal in asked.goals)
    known = {goal["id"] for goal in inputs.goals(plan)}
    code = "no_forecast_of_target" if target in known else "choice"
    raise InputError(Problem(code, plan.file, "TARGET", given=target, values={"choice": choice}))


def _interval(row: Mapping[str, Any], paths: int) -> dict[str, float]:
    band = wilson(round(row["probability"] * paths), paths)
    return {"low": band.low, "high": band.high, "level": band.level}


def _gap(row: Mapping[str, Any], w: Words) -> dict[str, str]:
    names = {"planned": "forecast", "median": "median", "low": "low", "high": "high", "goal": "goal"}
    return {name: w.number(row[key], row["unit"]) for name, key in names.items()}


def _cause_rows(split: Any, unit: str, w: Words) -> list[tuple[str, ...]]:
    takes = sorted(split.levels, key=lambda name: -abs(split.chance[name].mean) - 1e-9 * abs(split.levels[name].mean))
    return [
        (
            w.text("answers.why.cause", cause=w.text(f"outlook.cause.{name}")),
            w.number(-split.chance[name].mean, "points", signed=True),
            _level(-split.levels[name].mean, unit, w),
            "—",
        )
        for name in takes
    ]


def _level(value: float, unit: str, w: Words) -> str:
    return w.number(value, "points" if unit in ("ratio", "probability") else unit, signed=True)


def _repair_rows(repairs: Any, sure: str, w: Words) -> list[tuple[tuple[str, ...], int]]:
    """Return cells and rank of each row."""
    rows = []
    alone = sorted(repairs.inside.alone.items(), key=lambda pair: -pair[1].chance)
    for name, it in alone:
        lever = w.text(f"outlook.lever.{name}")
        key = "alone" if it.setting is not None else "alone_short"
        cost = w.number(it.cost_cny, "CNY")
        told = (w.number(it.chance, "probability"), _factor(it.setting, name, w), cost)
        rows.append(((w.text(f"answers.why.{key}", lever=lever), *told), 1 if key == "alone" else 2))
    if repairs.inside.settings and repairs.inside.feasible:
        for name, setting in repairs.inside.settings.items():
            lever = w.text("answers.why.together", lever=w.text(f"outlook.lever.{name}"), wanted=sure)
            cost = w.number(repairs.inside.costs.get(name), "CNY")
            rows.append(((lever, w.number(repairs.inside.chance, "probability"), _factor(setting, name, w), cost), 0))
    if repairs.beyond is not None and repairs.beyond.together.feasible:
        for name, factor in repairs.beyond.together.factors.items():
            lever = w.text("answers.why.beyond", lever=w.text(f"outlook.lever.{name}"), wanted=sure)
            rows.append(((lever, sure, _factor(factor, name, w), "—"), 0))
    return rows


def _factor(setting: float | None, lever: str, w: Words) -> str:
    if setting is None:
        return "—"
    return w.text("answers.done") if lever in _SWITCHES else w.number(setting, "multiple")


def _repair_notes(repairs: Any | None, w: Words) -> list[str]:
    if repairs is None:
        return [w.text("answers.why.no_lever")]
    found = repairs.inside
    if not found.settings:
        return [w.text("answers.why.enough")]
    told = {"chance": w.number(found.chance, "probability"), "cost": w.number(found.cost_cny, "CNY")}
    notes = [w.text("answers.why.repaired" if found.feasible else "answers.why.short", **told)]
    if repairs.people:
        notes.append(w.text("answers.why.people", people=w.number(repairs.people, "people")))
    n = len(repairs.new_conflicts)
    notes.append(w.text("outlook.say.conflicts", n=w.number(n, "count")) if n else w.text("outlook.say.no_conflicts"))
    return notes


def _plain_repairs(repairs: Any) -> dict[str, Any]:
    found = repairs.inside
    return {
        "alone": {
            name: {"setting": it.setting, "chance": it.chance, "cost_cny": it.cost_cny}
            for name, it in found.alone.items()
        },
        "set": dict(found.settings), "chance": found.chance, "cost_cny": found.cost_cny, "feasible": found.feasible,
        "people": repairs.people, "new_conflicts": list(repairs.new_conflicts),
        "beyond": None if repairs.beyond is None else dict(repairs.beyond.together.factors),
    }  # fmt: skip


def slips_of(texts: Sequence[str], plan: Plan) -> dict[str, float]:
    """Return {task or gate: working days} of TASK=15d, each once.

    Raises:
        InputError: a text of another form, an unknown task, or one named twice.
    """
    known = [item.id for item in (*plan.schedule.tasks, *plan.schedule.gates)]
    found: dict[str, float] = {}
    problems = []
    for text in texts:
        match = _SLIP.fullmatch(text)
        if match is None:
            problems.append(Problem("slip_form", plan.file, "--slip", given=text))
        elif match[1] not in known:
            problems.append(Problem("choice", plan.file, "--slip", given=match[1], values={"choice": ", ".join(known)}))
        elif match[1] in found:
            problems.append(Problem("duplicate_id", plan.file, "--slip", given=text, values={"first": match[1]}))
        else:
            found[match[1]] = float(match[2])
    if problems:
        raise InputError(*problems)
    return found


def whatif(
    plan: Plan, w: Words, *, slips: Mapping[str, float] | None = None, changed: Plan | None = None, paths: int = PATHS
) -> Answer:
    """Say what a change does to gates, users, GMV, money and every chance, on the same paths, and what restores it.

    Args:
        plan: as it stands.
        w: the language.
        slips: {task or gate: working days more}.
        changed: the plan with figures set otherwise; None: as it stands.
        paths: draws.
    """
    before = questions.Asked.of(outlooking.world(plan, paths=paths))
    after = questions.Asked.of(outlooking.world(changed or plan, paths=paths, seed=plan.seed, slips=slips))
    months = min(plan.months, after.world.plan.months)
    rows, plain = _gate_rows(before, after, w)
    ranks = [1] * len(rows)
    moves = [
        ("users", "users", *(x.metrics[_USERS][:, months - 1] for x in (before, after))),
        ("gmv", "CNY", *(x.metrics[_TO_DATE][:, months - 1] for x in (before, after))),
        ("spend", "CNY", *(x.joint.spend_cny.sum(axis=1) for x in (before, after))),
    ]
    for key, unit, was, now in moves:
        cells, plain[key] = _moved(was, now, unit, w)
        rows.append((w.text(f"answers.row.{key}"), *cells))
        ranks.append(0)
    chances = _chance_rows(before, after, w)
    plain["targets"] = {name: {"before": a, "after": b} for name, _, a, b in chances}
    for _, told, a, b in chances:
        rows.append((told, *(w.number(x, "probability") for x in (a, b)), w.number(b - a, "points", signed=True)))
        ranks.append(0 if abs(b - a) > 0.0005 else 2)
    notes, plain["recovery"] = _restore(before, after, chances, w)
    change_gmv = plain["gmv"]["mean"]
    key = "same" if abs(change_gmv) < 0.5 else "less" if change_gmv < 0 else "more"
    told = {"gmv": w.number(abs(change_gmv), "CNY"), "users": w.number(plain["users"]["mean"], "users", signed=True)}
    plain |= {"plan": plan.file, "paths": paths, "slips": dict(slips or {}), "sets": list((changed or plan).sets)}
    return Answer(
        "whatif", plan, w.text(f"answers.whatif.{key}", **(told if key != "same" else {})),
        w.text("answers.subtitle", plan=w.pick(plan.title), paths=w.number(paths, "count")),
        tuple(w.text(f"answers.head.{head}") for head in ("what", "before", "after", "change")), tuple(rows),
        tuple(ranks), tuple(notes), notes[0], plain,
    )  # fmt: skip


def _gate_rows(before: Any, after: Any, w: Words) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    plan, rows, plain = before.world.plan, [], {}
    for gate in plan.schedule.gates:
        both = [x.world.dates.get(gate.id) for x in (before, after)]
        if any(x is None for x in both) or np.array_equal(*both):
            continue
        half = [float(np.median(x)) for x in both]
        name = w.pick(gate.name.model_dump()) if gate.name else gate.id.upper()
        moved = w.number(30.4 * (half[1] - half[0]), "days", signed=True, decimals=0)
        rows.append((name, *(w.date(_day(plan, x)) for x in half), moved))
        plain[gate.id] = {"before": half[0], "after": half[1]}
    return rows[:6], {"gates": plain}


def _day(plan: Plan, months: float) -> dt.date:
    year, first = (int(part) for part in plan.start.split("-"))
    index = year * 12 + first - 1 + math.floor(months)
    start, after = (dt.date(k // 12, k % 12 + 1, 1) for k in (index, index + 1))
    return start + dt.timedelta(days=int((months % 1) * (after - start).days))


def _moved(before: np.ndarray, after: np.ndarray, unit: str, w: Words) -> tuple[tuple[str, ...], dict[str, float]]:
    found = change(before, after)
    plain = {
        "before": float(np.mean(before)), "after": float(np.mean(after)), "mean": found.mean,
        "low": found.interval.low, "high": found.interval.high,
    }  # fmt: skip
    shown = [w.number(float(np.mean(x)), unit) for x in (before, after)]
    return (*shown, w.number(found.mean, unit, signed=True)), plain


def _chance_rows(before: Any, after: Any, w: Words) -> list[tuple[str, str, float, float]]:
    rows = []
    there = {goal["id"]: goal for goal in after.goals if goal["id"] not in outlooking.OWN}
    for goal in before.goals:
        other = there.get(goal["id"], goal)
        if other["judged_month"] > after.world.plan.months or goal["metric"] not in after.metrics:
            continue
        a = questions.hit_share(goal, questions.at_due(before.metrics, goal))
        b = questions.hit_share(other, questions.at_due(after.metrics, other))
        rows.append((goal["id"], goal_name(goal)[w.locale], a, b))
    return rows


def _restore(
    before: Any, after: Any, chances: Sequence[tuple[str, str, float, float]], w: Words
) -> tuple[list[str], Any]:
    """Return what is said of the cheapest set that brings back the chance that fell most, and the same plainly."""
    fell = [row for row in chances if row[2] - row[3] > 0.005]
    goals = {goal["id"]: goal for goal in after.goals}
    goals |= {goal["id"]: goal for goal in before.goals if goal["id"] in outlooking.OWN}  # as the plan stands
    fell = [row for row in fell if row[0] in goals and goals[row[0]]["op"] in ("at_least", "above")]
    if not fell:
        return [w.text("answers.whatif.nothing_fell")], None
    target, name, was, _ = max(fell, key=lambda row: row[2] - row[3])
    repairs = after.recovery(goals[target], wanted=was)
    if repairs is None:
        return [w.text("answers.why.no_lever")], None
    found = repairs.inside
    comma = w.text("consistency.comma")
    settings = comma.join(
        w.text(f"outlook.lever.{lever}")
        if lever in _SWITCHES
        else w.text("answers.whatif.lever", lever=w.text(f"outlook.lever.{lever}"), setting=_factor(x, lever, w))
        for lever, x in found.settings.items()
    )
    told = {"target": name, "was": w.number(was, "probability"), "set": settings or "—"}
    if found.feasible:
        note = w.text("answers.whatif.restored", **told, cost=w.number(found.cost_cny, "CNY"))
    else:
        note = w.text("answers.whatif.not_restored", **told, chance=w.number(found.chance, "probability"))
    return [note], {"target": target, "wanted": was} | _plain_repairs(repairs)


def lines(answer: Answer) -> list[str]:
    """Return what the screen shows."""
    table = aligned([answer.heads, *answer.rows]) if answer.rows else []
    return [answer.headline, answer.subtitle, "", *table, "", *answer.notes]


def as_json(answer: Answer) -> str:
    """Return the figures for other programs; NaN and infinite ones as null."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: clean(x) for key, x in value.items()}
        if isinstance(value, list | tuple):
            return [clean(x) for x in value]
        if isinstance(value, np.generic):
            value = value.item()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps({"question": answer.name, **clean(answer.plain)}, ensure_ascii=False, indent=1)


def write_pdf(answer: Answer, path: str | Path, w: Words) -> Path:
    """Write an answer as one page and return its path.

    Raises:
        InputError: a text that the page cannot hold.
    """
    import pandas as pd

    names = [f"c{k}" for k in range(len(answer.heads))]
    columns = [
        {"name": name, "head": f"answers.page.{answer.name}_{k}", "kind": "text", "weight": 3.0 if k == 0 else 1.0}
        for k, name in enumerate(names)
    ]
    page = {
        "section": f"answers.page.{answer.name}", "layout": "table", "title": said(answer.headline),
        "subtitle": said(answer.subtitle), "table": {"id": "answer", "columns": columns},
        "reading": said(answer.reading), "source": said(Path(answer.plan.file).name),
    }  # fmt: skip
    return write_page(
        path, w, name=answer.name, plan=answer.plan, page=page, table=pd.DataFrame(page_rows(answer), columns=names)
    )


def write_page(
    path: str | Path, w: Words, *, name: str, plan: Plan, page: Mapping[str, Any], table: Any = None,
    charts: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write one page of the deck's kind as a PDF of its own and return its path.

    Args:
        path: of the PDF.
        w: the language.
        name: what asks for the page, such as a command.
        plan: that it is about.
        page: fields of a page (docs/deck-pages.md), but its id; its table and its chart are called `answer`.
        table: data frame of texts, or None.
        charts: {language: SVG}, or None.

    Raises:
        InputError: a text that the page cannot hold.
    """
    from tempfile import TemporaryDirectory

    from planlib.core import results
    from planlib.report.deck import make_decks

    found = {
        "schema": results.SCHEMA, "notebook": name, "seed": plan.seed, "as_of": plan.data.as_of or f"{plan.start}-01",
        "plan": {
            "id": plan.id, "title": plan.title, "file": Path(plan.file).name, "start": plan.start,
            "months": plan.months,
        },
        "inputs": [], "metrics": [], "checks": [], "findings": [], "tables": [], "charts": [],
        "pages": [{"id": "answer", "chart": None, "table": None} | dict(page)],
        "decision": {"id": name, "reasons": []}, "versions": {},
    }  # fmt: skip
    with TemporaryDirectory(prefix="planlib_answer_") as folder:
        own = Path(folder) / name
        if table is not None:
            results.write_table(own / "tables" / "answer.parquet", table)
            units = dict.fromkeys(table.columns, "text")
            found["tables"] = [{"id": "answer", "file": "tables/answer.parquet", "units": units}]
        if charts is not None:
            files = {locale: f"charts/answer.{locale}.svg" for locale in charts}
            for locale, content in charts.items():
                results.write_whole(own / files[locale], content.encode("utf-8"))
            found["charts"] = [{"id": "answer", "files": files, "alt": found["pages"][0]["title"]}]
        results.write(own / "results.json", found)
        (made,) = make_decks(folder, locales=[w.locale], notebooks=[name], out_dir=Path(folder) / "decks")
        results.write_whole(path, made.read_bytes())
    return Path(path)


def page_rows(answer: Answer) -> list[tuple[str, ...]]:
    """Return the rows that one page holds, in their order, the most important ones kept."""
    order = sorted(range(len(answer.rows)), key=lambda k: (answer.ranks[k], k))
    return [answer.rows[k] for k in sorted(order[:MOST_ROWS])]


def said(text: str) -> dict[str, Any]:
    """Return a sentence that is made already as the text of a page."""
    return {"text": "deck.as_written", "values": {"text": {"bilingual": dict.fromkeys(LOCALES, text.rstrip(".。"))}}}


def ask_why(target: str, w: Words, *, plan_file: str | None, sets: Sequence[str], wanted: float) -> Answer:
    """Answer `planlib why`: find the plan, load it, ask."""
    file = plan_file or find_plan(target)
    return why(target, load_plan(file, sets=tuple(sets)), w, wanted=wanted)


def ask_whatif(
    plan_file: str, w: Words, *, slips: Sequence[str], sets: Sequence[str], load: Callable[..., Plan] = load_plan
) -> Answer:
    """Answer `planlib whatif`: load the plan with and without the change, ask."""
    plan = load(plan_file)
    if not slips and not sets:
        raise InputError(Problem("no_change_named", plan_file, "--slip"))
    changed = load(plan_file, sets=tuple(sets)) if sets else None
    return whatif(plan, w, slips=slips_of(slips, changed or plan), changed=changed)
