"""What notebook 20 says about ladders, splits, the target tree, SMART and calibration: rows, pages, sentences.

As in `funnel_story`, each function records what its page needs on the book and returns the heading for the notebook.
What the funnel found comes in as its own frozen results (`planlib.funnel.{ladder,split,tree,smart,calibration}`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, words
from planlib.plan.ladders import Ladder
from planlib.plan.load import Plan
from planlib.plan.organisation import Operators, Units
from planlib.plan.smart import place_of, readings
from planlib.report.charts.ladder import LadderData, TreeNode

Text = dict[str, Any]
Verdict = Mapping[str, Any]

_USERS = "private_domain_users"
_ROUNDING = 1e-4  # of the ladder's highest level: a gap below it comes of whole rungs
_CHANGES = ("relative_change", "multiple", "points")
LADDER_COLUMNS = (
    *("ladder", "metric", "scope", "unit", "month", "value", "kind", "path"),
    *("forecast", "low", "high", "gap", "step"),
)
SMART_COLUMNS = ("specific", "measurable", "achievable", "relevant", "time_bound")


# ladders


def forecast_of(ladder: Ladder, verdicts: Iterable[Verdict], found: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return (months,) the point forecast beside a ladder; None when it is of something else or nothing."""
    open_ = any(v["open_reason"] for v in verdicts if v["id"] in ladder.targets)
    if open_ or ladder.unit in _CHANGES or ladder.scope or ladder.metric not in found:
        return None
    return np.asarray(found[ladder.metric], dtype=float)[0, : len(ladder.rungs)]


def ranges_of(ladder: Ladder, drawn: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the (months,) ends of the 80 % range of the draws; None when no input of the metric has a range."""
    paths = np.atleast_2d(np.asarray(drawn[ladder.metric], dtype=float))[:, : len(ladder.rungs)]
    if len(paths) == 1 or np.isnan(paths).any() or np.allclose(paths.min(axis=0), paths.max(axis=0)):
        return None
    low, high = np.quantile(paths, [0.1, 0.9], axis=0)
    return low, high


def main_ladder(
    ladders: Sequence[Ladder], verdicts: Sequence[Verdict], found: Mapping[str, np.ndarray]
) -> Ladder | None:
    """Return the ladder for the page: that of the users, else the first with a forecast, else the first."""
    whole = [ladder for ladder in ladders if ladder.rungs]
    beside = [ladder for ladder in whole if forecast_of(ladder, verdicts, found) is not None]
    users = [ladder for ladder in whole if ladder.metric == _USERS]
    return next(iter([*users, *beside, *whole]), None)


def ladder_data(
    plan: Plan,
    ladder: Ladder,
    verdicts: Sequence[Verdict],
    found: Mapping[str, np.ndarray],
    drawn: Mapping[str, np.ndarray],
    stages: Sequence[tuple[Mapping[str, str], int, int]] = (),
) -> LadderData:
    """Put a ladder beside its forecast."""
    forecast = forecast_of(ladder, verdicts, found)
    ends = ranges_of(ladder, drawn) if forecast is not None else None
    start = 0.0 if ladder.opening is None else ladder.opening
    return LadderData(
        start=plan.start,
        unit=ladder.unit,
        values=ladder.values,
        forecast=forecast,
        low=None if ends is None else ends[0],
        high=None if ends is None else ends[1],
        goals=tuple(rung.month for rung in ladder.rungs if rung.kind == "goal"),
        fixed=tuple(rung.month for rung in ladder.rungs if rung.kind == "fixed"),
        falls=catalogue()[ladder.metric].direction == "down",
        steps=None if ladder.adds_up else np.diff(np.append(start, ladder.values)),
        stages=tuple(stages),
    )


def ladder_rows(ladder: Ladder, data: LadderData) -> list[dict[str, Any]]:
    """Return one row of LADDER_COLUMNS for each month; NaN where there is no forecast."""
    none = np.full(len(ladder.rungs), np.nan)
    columns = {
        "forecast": none if data.forecast is None else data.forecast,
        "low": none if data.low is None else data.low,
        "high": none if data.high is None else data.high,
        "gap": none if data.forecast is None else data.forecast - data.values,
        "step": none if data.steps is None else data.steps,
    }
    return [
        {"ladder": ladder.id, "metric": ladder.metric, "scope": ladder.scope, "unit": ladder.unit}
        | {"month": float(rung.month)}
        | {"value": rung.value, "kind": rung.kind, "path": rung.path}
        | {name: float(values[rung.month - 1]) for name, values in columns.items()}
        for rung in ladder.rungs
    ]


def moves_in(unit: str) -> str:
    """Return the unit of a difference."""
    return "points" if unit in ("ratio", "relative_change") else unit


def quarter_rows(ladder: Ladder, quarters: Iterable[Any], start: str) -> list[dict[str, Any]]:
    """Return one row for each quarter of `planlib.funnel.ladder.quarters`."""
    year = int(start[:4])
    return [
        {"metric": ladder.metric, "quarter": f"{year + q.year} Q{q.quarter}", "last": float(q.last_month)}
        | {"value": q.value, "unit": ladder.unit, "kind": "sum" if ladder.adds_up else "end"}
        for q in quarters
    ]


def problem_rows(ladders: Iterable[Ladder]) -> list[dict[str, Any]]:
    """Return one row for each thing that keeps a ladder from being made, in both languages."""
    found = []
    for ladder in ladders:
        for problem in ladder.problems:
            told = {}
            for locale in LOCALES:
                w = words(locale)
                known = {**problem.values, "metric": w.metric(ladder.metric)}
                for part in ("allowed", "fix"):
                    key = f"errors.{problem.code}.{part}"
                    told[f"{part}_{locale}"] = w.text(key, **{name: known[name] for name in w.placeholders(key)})
            found.append({"metric": ladder.metric, "path": problem.field} | told)
    return found


def ladder(book: Any, main: Ladder | None, data: LadderData | None, *, ladders: int, problems: int) -> Text:
    """Tell how the forecast stands beside the ladder of the page.

    Args:
        main, data: the ladder and what is drawn of it; None when the plan has none.
        ladders: how many there are.
        problems: how many could not be made.
    """
    book.metric("ladders", ladders, "count", method="count")
    book.metric("ladders_open", problems, "count", method="count")
    if main is None:
        return book.text("ladder.say.none")
    last = len(main.rungs)
    signed = main.unit in _CHANGES[:1]
    goal = main.rungs[-1].value
    book.metric("ladder_goal", goal, main.unit, metric=main.metric, month=last, method="as_stated", signed=signed)
    book.metric("ladder_due", last, "month", method="as_stated")
    told = {"metric": {"metric": main.metric}, "goal": "ladder_goal", "due": "ladder_due"}
    kind, values, reading = _standing(book, main, data, told)
    heading = book.text(f"ladder.say.{kind}", **values)
    seen = "range" if data.low is not None else "point" if data.forecast is not None else "alone"
    book.page(
        "ladder",
        layout="chart",
        section="ladder.section.ladder",
        chart="ladder",
        title=book.text(f"ladder.title.{kind}", **values),
        subtitle=book.text(f"ladder.subtitle.{seen}", metric={"metric": main.metric}),
        reading=reading,
        source=book.text("ladder.source.ladder"),
    )
    return heading


def _standing(
    book: Any, main: Ladder, data: LadderData, told: Mapping[str, Any]
) -> tuple[str, dict[str, Any], Text | None]:
    """Return the outcome, what its sentence takes, and the reading."""
    rise = None if data.steps is None else float(np.max(-data.steps if data.falls else data.steps))
    unit = moves_in(main.unit)
    if rise is not None:
        book.metric("ladder_step", rise, unit, metric=main.metric, method="largest_step")
    if data.forecast is None or np.isnan(data.forecast).any():
        if rise is None:
            return "alone", dict(told), book.text("ladder.reading.amounts")
        return "alone", dict(told), book.text("ladder.reading.step", step="ladder_step")
    short = (data.forecast - data.values) * (1 if data.falls else -1)
    slack = _ROUNDING * float(np.abs(data.values).max())
    late = np.flatnonzero(short > slack)
    if late.size == 0:
        book.metric("ladder_lead", float(-short[-1]), unit, method="forecast_less_ladder")
        return "ahead", {"metric": told["metric"], "lead": "ladder_lead"}, book.text("ladder.reading.ahead")
    worst = int(short.argmax())
    book.metric("ladder_first", float(late[0] + 1), "month", method="first_month_below")
    book.metric("ladder_worst", float(worst + 1), "month", method="largest_gap")
    book.metric("ladder_gap", float(short[worst]), unit, method="ladder_less_forecast")
    values = {**told, "first": "ladder_first", "worst": "ladder_worst", "gap": "ladder_gap"}
    if worst == len(short) - 1:
        kind = "widening"
        values = {name: values[name] for name in ("metric", "first", "due", "gap")}
    elif short[-1] > slack:
        kind = "behind"
        book.metric("ladder_gap_end", float(short[-1]), unit, method="ladder_less_forecast")
        values = {name: values[name] for name in ("metric", "first", "worst", "gap", "due")} | {"end": "ladder_gap_end"}
    else:
        kind = "caught_up"
        values = {name: values[name] for name in ("metric", "worst", "gap", "due")}
    return kind, values, _pace(book, data, rise, unit)


def _pace(book: Any, data: LadderData, rise: float | None, unit: str) -> Text:
    """Compare the largest step of the ladder with the largest of the forecast."""
    if rise is None:
        return book.text("ladder.reading.amounts")
    moves = np.diff(data.forecast) * (-1 if data.falls else 1)
    best = float(moves.max()) if moves.size else 0.0
    if best <= 0:
        return book.text("ladder.reading.step", step="ladder_step")
    book.metric("ladder_gain", best, unit, method="largest_step")
    key = "ladder.reading.pace" if best < rise else "ladder.reading.late"
    return book.text(key, step="ladder_step", gain="ladder_gain")


# SMART and calibration


def chance_of(verdict: Verdict) -> dict[str, Any]:
    """Return probability and holds of `planlib.funnel.smart.smart` from a judged goal."""
    if verdict["forecast"] is None:
        return {"probability": None, "holds": None}
    chance = verdict.get("probability")
    if chance is None or verdict.get("certain", True):
        return {"probability": None, "holds": verdict["status"] == "on_track"}
    return {"probability": float(chance), "holds": None}


def smart_rows(plan: Plan, verdicts: Sequence[Verdict], letters: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return one row for each target: its five letters, what is missing and how to mend it."""
    rows = []
    for index, (verdict, found) in enumerate(zip(verdicts, letters, strict=True)):
        lacks = [missing for letter in found for missing in letter.missing]
        row = {name: verdict[name] for name in ("id", "metric", "op", "goal", "unit", "source")}
        row |= {"due_month": np.nan if verdict["due_month"] is None else float(verdict["due_month"])}
        row |= {letter.name: letter.status for letter in found}
        rows.append(row | {f"fix_{locale}": _fixes(plan, index, lacks, locale) for locale in LOCALES})
    return rows


def _fixes(plan: Plan, index: int, lacks: Sequence[str], locale: str) -> str:
    """Say what to write where; a target that is not forecast has nothing to mend for that."""
    w = words(locale)
    choice = w.text("ladder.list").join(readings(plan, index)) or "—"
    told = []
    for missing in (name for name in lacks if name != "probability"):
        values = {"field": place_of(plan, index, missing).rpartition(".")[2], "choice": choice}
        key = f"ladder.fix.{missing}"
        told.append(w.text(key, **{name: values[name] for name in w.placeholders(key)}))
    return w.text("ladder.and").join(told)


def smart(book: Any, letters: Sequence[Sequence[Any]]) -> Text:
    """Tell how many targets pass, and which letters fail most."""
    failed = [letter.name for found in letters for letter in found if letter.status == "fail"]
    counts = {name: failed.count(name) for name in SMART_COLUMNS}
    book.metric("smart_total", len(letters), "count", method="count")
    whole = sum(all(letter.status == "pass" for letter in found) for found in letters)
    book.metric("smart_whole", whole, "count", method="count")
    for name, count in counts.items():
        book.metric(f"smart_{name}", count, "count", method="count")
    named = {name: f"smart_{name}" for name in SMART_COLUMNS[1:]}
    return book.text("ladder.say.smart", total="smart_total", whole="smart_whole", **named)


def calibration_rows(verdicts: Iterable[Verdict], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each calibrated goal.

    Args:
        found: {target id: planlib.funnel.calibration.Calibration}.
    """
    return [
        {name: verdict[name] for name in ("id", "metric", "op", "goal", "unit")}
        | {"due_month": float(verdict["judged_month"]), "probability": at.probability, "flag": at.flag or "none"}
        | {"low": at.low, "high": at.high, "mild": at.band[0], "demanding": at.band[1]}
        for verdict in verdicts
        if (at := found.get(verdict["id"])) is not None
    ]


def calibration(book: Any, found: Mapping[str, Any]) -> Text:
    """Tell how many goals are out of reach, or asked of nobody."""
    if not found:
        return book.text("ladder.say.calibration_none")
    flags = [at.flag for at in found.values()]
    counts = {"goals": len(flags)} | {name: flags.count(name) for name in ("too_hard", "too_easy")}
    for name, count in counts.items():
        book.metric(f"calibration_{name}", count, "count", method="count")
    return book.text("ladder.say.calibration", **{name: f"calibration_{name}" for name in counts})


# the organisation


def split_rows(ladder: Ladder, units: Units, split: Any) -> list[dict[str, Any]]:
    """Return one row for each unit and goal month of a split ladder, the units from the top down."""
    over = {each.unit: each for each in split.over}
    months = sorted({goal.month for goal in ladder.goals})
    rows = []
    for unit in _top_down(units.parents):
        for month in months:
            beyond = unit in over and split.amounts[month - 1, unit] > over[unit].capacity + 1e-9
            rows.append(
                {
                    "name_zh": units.names[unit]["zh"],
                    "name_en": units.names[unit]["en"],
                    "level": units.levels[unit],
                    "basis": units.basis[unit] or "share",
                    "month": float(month),
                    "value": float(split.amounts[month - 1, unit]),
                    "share": float(split.shares[unit]),
                    "capacity": np.nan if units.capacities[unit] is None else float(units.capacities[unit]),
                    "fits": "over" if beyond else "fits",
                    "unit": ladder.unit,
                }
            )
    return rows


def _top_down(parents: Sequence[int]) -> list[int]:
    found: list[int] = []
    todo = [unit for unit, parent in enumerate(parents) if parent == -1]
    while todo:
        found.append(todo[0])
        todo = [unit for unit, parent in enumerate(parents) if parent == todo[0]] + todo[1:]
    return found


def split(book: Any, ladder: Ladder, split: Any) -> Text:
    """Tell whether the units can carry the target, and what they can carry at most."""
    book.metric("split_goal", ladder.rungs[-1].value, ladder.unit, metric=ladder.metric, method="as_stated")
    book.metric("split_over", len(split.over), "count", method="count")
    told = {"metric": {"metric": ladder.metric}, "goal": "split_goal"}
    if split.short > 0:
        book.metric("split_ceiling", split.ceiling, ladder.unit, metric=ladder.metric, method="sum_of_capacities")
        book.metric("split_month", split.ceiling_month, "month", method="first_month_above")
        return book.text("ladder.say.split_ceiling", ceiling="split_ceiling", month="split_month", **told)
    if split.over:
        return book.text("ladder.say.split_over", over="split_over", **told)
    return book.text("ladder.say.split", **told)


def no_organisation(book: Any, operators: Operators | None, ladder: Ladder | None) -> Text:
    """Tell what to add for a split, and what the operators that the plan states can carry."""
    if operators is None or ladder is None or ladder.metric != _USERS:
        return book.text("ladder.say.no_organisation")
    goal = ladder.rungs[-1].value
    people = {"operators_low": operators.people[0], "operators_high": operators.people[1]}
    people["operators_needed"] = int(np.ceil(goal / operators.users_each))
    for name, count in people.items():
        book.metric(name, count, "people", method="as_stated" if name != "operators_needed" else "goal_by_load")
    book.metric("operators_load", operators.users_each, "users", method="as_stated")
    book.metric("operators_most", operators.people[1] * operators.users_each, "users", method="people_by_load")
    book.metric("operators_goal", goal, "users", metric=_USERS, method="as_stated")
    return book.text("ladder.say.operators", load="operators_load", most="operators_most", goal="operators_goal",
                     low="operators_low", high="operators_high", needed="operators_needed")  # fmt: skip


# the target tree


def own_targets(verdicts: Iterable[Verdict], due: int) -> dict[str, list[tuple[str, Any, float | None]]]:
    """Return {metric: (op, goal, forecast at its month)} of the goals that can be judged by the tree's month.

    The level of an undated goal is None: the tree judges it on its own.
    """
    found: dict[str, list[tuple[str, Any, float | None]]] = {}
    for verdict in verdicts:
        late = verdict["due_month"] is not None and verdict["due_month"] > due
        if verdict["forecast"] is None or late or verdict["unit"] in _CHANGES:
            continue
        level = None if verdict["due_month"] is None else verdict["forecast"]
        goal = verdict["goal"] if verdict["goal_high"] is None else (verdict["goal"], verdict["goal_high"])
        found.setdefault(verdict["metric"], []).append((verdict["op"], goal, level))
    return found


def tree_nodes(nodes: Iterable[Any]) -> tuple[TreeNode, ...]:
    """Return what is drawn of the nodes of `planlib.funnel.tree.Tree`."""
    return tuple(
        TreeNode(
            node.metric, node.parent, node.depth, _unit(node.metric), node.now, node.needed,
            node.goal if isinstance(node.goal, float) else None, node.status == "off_track", node.reachable,
        )
        for node in nodes
    )  # fmt: skip


def tree_rows(tree: Any, drivers: Sequence[Any]) -> list[dict[str, Any]]:
    """Return one row for each node; effort, level alone and whether that can be stand with the drivers."""
    place = {driver.metric: index for index, driver in enumerate(drivers)}
    rows = []
    for node in tree.nodes:
        at = place.get(node.metric)
        rows.append(
            {
                "metric": node.metric,
                "part_of": node.parent or node.metric,
                "kind": node.kind,
                "unit": _unit(node.metric),
                "now": node.now,
                "needed": _or_nan(node.needed),
                "change_rel": _or_nan(node.change_rel),
                "effort": np.nan if at is None else float(tree.need.effort[at]),
                "alone": np.nan if at is None else float(tree.need.alone[at]),
                "alone_fits": "none" if at is None else "yes" if tree.need.alone_reachable[at] else "no",
                "ceiling": _or_nan(node.ceiling),
                "goal": node.goal if isinstance(node.goal, float) else np.nan,
                "status": node.status,
            }
        )
    return rows


def _unit(metric: str) -> str:
    """Unit of a metric; an average count has decimals."""
    found = catalogue()[metric]
    return "number" if found.unit == "count" and found.divided else found.unit


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)


def tree(book: Any, tree: Any, *, due: int, months: int, intake: float | None) -> Text:
    """Tell what each driver of GMV would have to be, and which figures miss targets of their own.

    Args:
        tree: `planlib.funnel.tree.Tree` of the share of GMV.
        due: month by which the share is due; months: of the window that ends there.
        intake: new users a month with which the users come to what is needed; None when none does.
    """
    top = tree.nodes[0]
    book.metric("tree_goal", top.needed, "ratio", metric=top.metric, month=due, method="as_stated")
    book.metric("tree_now", top.now, "ratio", metric=top.metric, month=due, method="product_of_drivers")
    book.metric("tree_due", due, "month", method="as_stated")
    book.metric("tree_window", months, "months", method="as_stated")
    book.metric("tree_red", len(tree.red), "count", method="count")
    told = {"goal": "tree_goal", "due": "tree_due"}
    most = float(tree.need.change_rel.max())
    if most <= 0:
        kind, values = "met", {**told, "now": "tree_now"}
    elif not tree.need.reachable:
        book.metric("tree_ceiling", top.ceiling, "ratio", metric=top.metric, method="product_of_ceilings")
        kind, values = "ceiling", {**told, "ceiling": "tree_ceiling"}
    else:
        free = tree.need.change_rel[tree.need.change_rel > 0]
        kind = "even" if np.allclose(free, free[0]) else "uneven"
        book.metric("tree_change", most, "relative_change", method="least_relative_change", signed=True)
        book.metric("tree_drivers", len(free), "count", method="count")
        values = {**told, "drivers": "tree_drivers", "change": "tree_change"}
    if most > 0 and intake is not None:
        book.metric("tree_intake", intake, "users_per_month", metric="new_users_monthly", method="closed_form")
        reading = book.text("ladder.reading.tree_intake", intake="tree_intake")
    elif tree.red:
        reading = book.text("ladder.reading.tree_red", red="tree_red")
    else:
        reading = book.text("ladder.reading.tree")
    book.page(
        "target_tree",
        layout="chart",
        section="ladder.section.tree",
        chart="tree",
        title=book.text(f"ladder.title.tree_{kind}", **values),
        subtitle=book.text("ladder.subtitle.tree", window="tree_window", due="tree_due"),
        reading=reading,
        source=book.text("ladder.source.tree"),
    )
    return book.text(f"ladder.say.tree_{kind}", **values)
