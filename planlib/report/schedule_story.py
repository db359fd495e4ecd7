"""What notebook 50 says about chance, people and gates: rows of its tables, pages of the deck."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planlib.core.words import LOCALES, words

SURE = 0.8
MOST_MOVES = 12  # rows of the page of progress
MOST_WAYS = 9  # and of the page of ways back
_SECTION = "milestones.section"
_NOBODY = {"zh": "", "en": ""}


def both(column: str, text: Mapping[str, str]) -> dict[str, str]:
    """Return the two columns of a bilingual cell."""
    return {f"{column}_{locale}": text[locale] for locale in LOCALES}


def ends(interval: Any) -> tuple[float, float, float]:
    """Return low, high and level of an interval, as `book.metric` takes it."""
    return float(interval.low), float(interval.high), float(interval.level)


def frame(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> Any:
    """Return the table of some rows, with all columns of `units` even when there are none."""
    import pandas as pd

    bilingual = [name for name, unit in units.items() if unit == "bilingual"]
    columns = [f"{name}_{locale}" for name in bilingual for locale in LOCALES]
    return pd.DataFrame(rows, columns=[*columns, *(name for name in units if name not in bilingual)])


def deadline_rows(found: Sequence[Any], names: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each deadline that a task states, with the chain of tasks that decides its end."""
    return [
        both("task", names[row.id])
        | {"deadline": row.day.isoformat(), "earliest": row.finish.isoformat(), "slack": float(row.slack)}
        | both("held_by", {x: " → ".join(names[name][x] for name in row.chain) for x in LOCALES})
        for row in found
    ]


def worth_rows(worth: Sequence[Any], names: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each mitigation, and last for all together."""
    everything = {locale: words(locale).text("milestones.all_mitigations") for locale in LOCALES}
    return [
        both("item", names.get(row.risk, everything))
        | {"cost": row.cost, "saved": row.saved, "saved_se": row.saved_se}
        | {"before": row.before.share, "after": row.after.share}
        for row in worth
    ]


def chance_rows(schedule: Any, simulated: Any, names: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each date that something decides: due, day of even and of four-in-five chance, its chance."""
    rows = []
    for key, month in sorted(schedule.due.items(), key=lambda pair: pair[1].month):
        if key not in schedule.linked:
            continue
        due = schedule.network.evening(month.last_workday)
        chance = simulated.chance_by(due, key)
        half, sure = simulated.quantiles(key, p=(0.5, SURE)).values()
        rows.append(
            both("item", names[key])
            | {
                "last": month.last_workday.isoformat(),
                "half": schedule.network.day(half).isoformat(),
                "sure": schedule.network.day(sure).isoformat(),
                "buffer": float(np.ceil(sure) - due),
                "chance": chance.share,
                "chance_low": chance.interval.low,
                "chance_high": chance.interval.high,
            }
        )
    return rows


def gate_rows(
    schedule: Any, simulated: Any, gates: Sequence[Any], said: Mapping[str, Mapping[str, Mapping[str, str]]],
    owners: Mapping[str, Mapping[str, str]], moved: Mapping[str, tuple[int, int]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a row for each gate.

    Args:
        gates: of the plan.
        said: {gate: {"entry", "pass": in words}}.
        owners: {id: name} of roles and departments.
        moved: {gate: (what a failure moves, working days that the last task loses)}.
    """
    rows = []
    items = {item.id: item for item in schedule.items}
    for gate in sorted(gates, key=lambda gate: gate.due_month):
        due = schedule.due[gate.id].last_workday
        linked = gate.id in schedule.linked
        chance = simulated.chance_by(schedule.network.evening(due), gate.id).share if linked else np.nan
        count, days = moved.get(gate.id, (np.nan, np.nan))
        rows.append(
            both("gate", items[gate.id].name)
            | both("owner", owners.get(gate.owner, _NOBODY))
            | both("entry", said[gate.id]["entry"])
            | both("pass", said[gate.id]["pass"])
            | {"last": due.isoformat(), "chance": chance, "moved": float(count), "lost": float(days)}
        )
    return rows


def gates_page(book: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the page of the gates, the least likely one in its title."""
    judged = [row for row in rows if np.isfinite(row["chance"])]
    columns = [
        {"name": "gate", "head": "milestones.head.gate", "weight": 1.6},
        {"name": "last", "head": "milestones.head.last_due"},
        {"name": "pass", "head": "milestones.head.pass", "weight": 4.0},
        {"name": "chance", "head": "milestones.head.chance", "strong": True},
        {"name": "moved", "head": "milestones.head.moved"},
        {"name": "lost", "head": "milestones.head.lost"},
    ]
    book.metric("gates_n", len(rows), "count", method="count")
    values: dict[str, Any] = {"n": "gates_n"}
    key = "gates_unknown"
    if judged:
        unlikely = sum(row["chance"] < 0.5 for row in judged)
        book.metric("gates_unlikely", unlikely, "count", method="monte_carlo")
        key = "gates" if unlikely else "gates_kept"
        values |= {"unlikely": "gates_unlikely"} if unlikely else {}
    book.page(
        "gates", layout="table", section=_SECTION, title=book.text(f"milestones.page.{key}", **values),
        subtitle=book.text("milestones.page.gates_subtitle"), table={"id": "gates", "columns": columns},
        reading=book.text("milestones.page.gates_reading"), source=book.text("milestones.source"),
    )  # fmt: skip


def finish_figures(book: Any, simulated: Any, network: Any, due: dt.date | None) -> dict[str, Any]:
    """Record the figures of the finish; return the values of its sentences."""
    low, half, sure, high = simulated.quantiles(p=(0.1, 0.5, SURE, 0.9)).values()
    book.metric("finish_spread", float(np.ceil((high - low) / 2)), "days", method="monte_carlo", n=simulated.n)
    book.metric("draws", simulated.n, "count", method="choice")
    values: dict[str, Any] = {
        "half": {"date": network.day(half).isoformat()},
        "sure": {"date": network.day(sure).isoformat()},
        "spread": "finish_spread",
    }
    if due is not None:
        found = simulated.chance_by(network.evening(due))
        interval = ends(found.interval)
        book.metric("finish_chance", found.share, "probability", method="monte_carlo", interval=interval, n=found.n)
        values |= {"due": {"date": due.isoformat()}, "chance": "finish_chance"}
    return values


def finish_page(book: Any, values: Mapping[str, Any]) -> None:
    """Record the page of the finish."""
    titled = {name: value for name, value in values.items() if name != "sure"}
    key = "finish" if "due" in values else "finish_plain"
    book.page(
        "finish", layout="chart", section=_SECTION, title=book.text(f"milestones.page.{key}", **titled),
        subtitle=book.text("milestones.page.finish_subtitle", n="draws"), chart="finish",
        reading=book.text("milestones.page.finish_reading", sure=values["sure"]),
        source=book.text("milestones.source"),
    )  # fmt: skip


def swing_rows(simulated: Any, names: Mapping[str, Mapping[str, str]], most: int) -> list[dict[str, Any]]:
    """Return the widest swings of the finish, in calendar days against its mean."""
    mean = float(simulated.end.mean())
    rows = []
    for swing in simulated.tornado()[:most]:
        if swing.low is None or swing.high is None or abs(swing.width) < 0.5:
            continue
        rows.append(
            both("item", names[swing.item])
            | {
                "risk": "yes" if swing.item in simulated.struck else "no",
                "low": swing.low - mean, "high": swing.high - mean,
                "low_se": swing.low_se, "high_se": swing.high_se,
            }
        )  # fmt: skip
    return rows


def load_share(
    spans: Mapping[str, tuple[dt.date, dt.date]], worked: Mapping[str, Sequence[dt.date]],
    demand: Mapping[str, Mapping[str, int]], capacity: Mapping[str, int], months: Sequence[Any],
) -> np.ndarray:  # fmt: skip
    """Return (R, T) person-days asked for over person-days there, by role and month.

    Args:
        spans: {task: first and last day}.
        worked: {task: its working days in the span}.
        demand: {task: {role: people}}.
        capacity: {role: people}; the order of the rows.
        months: of the plan, with their working days.
    """
    found = np.zeros((len(capacity), len(months)))
    roles = list(capacity)
    for task in spans:
        for role, people in demand.get(task, {}).items():
            if role not in capacity:
                continue
            for t, month in enumerate(months):
                days = sum(month.first <= day <= month.last for day in worked[task])
                found[roles.index(role), t] += people * days
    there = np.array([[capacity[role] * max(month.workdays, 1) for month in months] for role in roles])
    return found / np.maximum(there, 1e-9) if roles else found


def progress_figures(book: Any, follow: Any, day: dt.date) -> dict[str, Any]:
    """Record the figures of progress; return the values of its sentence."""
    found = follow.standing
    book.metric("earned_days", found.earned, "number", method="earned_value")
    book.metric("planned_days", found.planned, "number", method="earned_value")
    pace = found.schedule.spi_time if found.schedule else None
    for name, value, method in (("spi", found.spi, "earned_value"), ("spi_time", pace, "earned_schedule")):
        book.metric(name, value, "number", method=method, reason="nothing_planned" if value is None else None)
    days = follow.behind_workdays
    book.metric("behind", abs(days), "number", method="forward_pass")
    told = {"earned": "earned_days", "planned": "planned_days", "spi_time": "spi_time", "behind": "behind"}
    state = "late" if days > 0 else "early" if days < 0 else "on_time"
    return told | {"date": {"date": day.isoformat()}, "state": {"words": f"milestones.progress.{state}"}}


def progress_rows(
    planned: Mapping[str, Any], dates: Mapping[str, Any], states: Mapping[str, Any], items: Sequence[Any], calendar: Any
) -> list[dict[str, Any]]:
    """Return a row for each item that has been told about or whose finish moved, the largest slip first.

    Args:
        planned, dates: {id: with its finish} in the baseline, and now.
        states: {task: its state}.
        items: tasks and gates.
    """
    rows = []
    for item in items:
        before, now = planned[item.id].finish, dates[item.id].finish
        slip = calendar.between(before, now, inclusive=False) if now >= before else -calendar.between(
            now, before, inclusive=False
        )  # fmt: skip
        state = states.get(item.id)
        if state is None and slip == 0:
            continue
        rows.append(
            both("item", item.name)
            | {
                "done": float(state.done) if state else np.nan,
                "planned_finish": before.isoformat(),
                "now_finish": now.isoformat(),
                "slip": float(slip),
            }
        )
    return sorted(rows, key=lambda row: -row["slip"])


def recovery_rows(
    ways: Mapping[str, Sequence[Any]], schedule: Any, simulated: Any, names: Mapping[str, Mapping[str, str]],
    lost: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a row for each way back to each date, in the order of the ways.

    Args:
        ways: {late date: `planlib.scheduling.Recovery`s}.
        lost: {task: what is given up with it, in words}.
    """
    rows = []
    for key, found in ways.items():
        due = schedule.due[key].last_workday
        limit = schedule.network.evening(due)
        before = simulated.chance_by(limit, key).share
        for way in found:
            scope = [task for task in way.tasks if task in lost and way.kind != "crash"]
            commas = {locale: words(locale).text("milestones.and") for locale in LOCALES}
            rows.append(
                both("item", names[key])
                | {"way": way.kind}
                | both("tasks", {x: commas[x].join(names[task][x] for task in way.tasks) for x in LOCALES})
                | both("gives_up", {x: commas[x].join(lost[task][x] for task in scope) for x in LOCALES})
                | {"days": way.days_off, "cost": way.cost_cny if way.kind in ("crash", "both") else np.nan}
                | {"last": due.isoformat(), "finish": way.end.isoformat()}
                | {"before": before, "after": float((way.after <= limit).mean())}
            )
    return rows


def recovery_page(book: Any, rows: Sequence[Mapping[str, Any]], late: int) -> Sequence[Mapping[str, Any]]:
    """Record the page of the ways back and return its rows: of the dates that gain most crashing and all that can be
    done, then more of them.

    Args:
        rows: of `recovery_rows`.
        late: dates that cannot be met.
    """
    dates: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        dates.setdefault(row["item_en"], []).append(row)

    def gain(found: Sequence[Mapping[str, Any]]) -> float:
        return max(row["after"] - row["before"] for row in found)

    firsts = [row for found in sorted(dates.values(), key=gain, reverse=True) for row in (found[-1], found[0])]
    more = [row for found in sorted(dates.values(), key=gain, reverse=True) for row in found]
    chosen = list({id(row): row for row in (*firsts, *more)})[:MOST_WAYS]
    best = max(rows, key=lambda row: row["after"] - row["before"])
    back = sum(any(row["finish"] <= row["last"] for row in found) for found in dates.values())
    key = "recovery" if back else "recovery_none" if round(best["after"] - best["before"], 2) > 0 else "recovery_lost"
    told: dict[str, Any] = {"late": "recover_late"}
    book.metric("recover_late", late, "count", method="count")
    if key != "recovery_lost":
        for name in ("before", "after"):
            book.metric(f"recover_{name}", best[name], "probability", method="monte_carlo")
            told[name] = f"recover_{name}"
        told["name"] = {"bilingual": {x: best[f"item_{x}"] for x in LOCALES}}
    if back:
        book.metric("recover_n", back, "count", method="forward_pass")
        told["n"] = "recover_n"
    columns = [
        {"name": "item", "head": "milestones.head.item", "weight": 1.5},
        {"name": "way", "head": "milestones.head.way"},
        {"name": "what", "head": "milestones.head.way_what", "weight": 3.4},
        {"name": "cost", "head": "milestones.head.crash_cost"},
        {"name": "last", "head": "milestones.head.last_due"},
        {"name": "finish", "head": "milestones.head.way_finish"},
        {"name": "before", "head": "milestones.head.way_before"},
        {"name": "after", "head": "milestones.head.way_after", "strong": True},
    ]
    book.page(
        "schedule_recovery", layout="table", section=_SECTION, title=book.text(f"milestones.page.{key}", **told),
        subtitle=book.text("milestones.page.recovery_subtitle"), table={"id": "recovery_most", "columns": columns},
        reading=book.text("milestones.page.recovery_reading"), source=book.text("milestones.source"),
    )  # fmt: skip
    scope = ("shrink", "drop")
    return [
        row | {f"what_{x}": row[f"gives_up_{x}" if row["way"] in scope else f"tasks_{x}"] for x in LOCALES}
        for row in rows
        if id(row) in chosen
    ]


def progress_page(book: Any, values: Mapping[str, Any]) -> None:
    """Record the page of progress."""
    columns = [
        {"name": "item", "head": "milestones.head.task", "weight": 2.5},
        {"name": "done", "head": "milestones.head.done"},
        {"name": "planned_finish", "head": "milestones.head.planned_finish"},
        {"name": "now_finish", "head": "milestones.head.now_finish"},
        {"name": "slip", "head": "milestones.head.slip", "strong": True, "signed": True},
    ]
    book.page(
        "progress", layout="table", section=_SECTION,
        title=book.text("milestones.page.progress", **{name: values[name] for name in ("behind", "date", "state")}),
        subtitle=book.text("milestones.page.progress_subtitle"), table={"id": "progress_most", "columns": columns},
        reading=book.text("milestones.page.progress_reading", spi_time=values["spi_time"]),
        source=book.text("milestones.page.progress_source"),
    )  # fmt: skip
