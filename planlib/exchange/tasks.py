"""The sheet of the tasks: how long each takes, what it waits for, who does it, and how far it is.

Durations and ties that are typed change the plan for one run, as in every sheet. How far a task is belongs to the log
of progress beside the plan, where `planlib progress` takes it down.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.fields import Listed, Plain, Said, addition, choice, removal, row_of, unlike
from planlib.exchange.links import as_fields, links_of, links_text, parse_links
from planlib.exchange.sheets import ID, WHY, Column, Edited, Kind, Logged, Rooms, Row, Sheet
from planlib.plan.load import Change, Plan
from planlib.plan.model import Task
from planlib.plan.tracking import Entry, entry_problems, log_path, read_log, states, unknown_task

KEY = "tasks"
DAYS = ("best", "likely", "worst")
PROGRESS = ("done", "started", "finish", "remaining", "note")
BEFORE = "predecessors"
LONGEST_DAYS = 10_000.0
FREE_ROWS = 10
_PARTS = (Said("name", "name", needed=True), Plain("department", "department", needed=True), Listed("roles", "roles"))


def build(plan: Plan, w: Words, rooms: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's tasks with their newest state; without `rooms` as a table of the tasks there are.

    Raises:
        InputError: the log of progress has problems.
    """
    whole = rooms is not None
    names = {row.id: w.pick(row.name.model_dump()) for row in plan.team.departments}
    columns = (
        Column(ID, edit=whole),
        Column("name", edit=whole),
        choice("department", unlike(names)) if whole else Column("department"),
        *(Column(key, "number", True, unit="days") for key in DAYS),
        Column(BEFORE, edit=True, prompt=w.text("exchange.prompt.predecessors")),
        Column("roles", edit=whole, prompt=w.text("exchange.prompt.roles") if whole else ""),
        Column("done", "number", True, unit="ratio", logged=True, prompt=w.text("exchange.prompt.done")),
        Column("started", "date", True, logged=True),
        Column("finish", "date", True, logged=True, prompt=w.text("exchange.prompt.finish")),
        Column("remaining", "number", True, unit="days", logged=True),
        Column("note", edit=True, logged=True),
        Column(WHY, edit=True),
    )
    now = states(read_log(log_path(plan.file), [task.id for task in plan.schedule.tasks]))
    names = {key: w.pick(role.name.model_dump()) for key, role in plan.team.roles.items()} | names
    if not whole:
        return Sheet(KEY, columns, tuple(_row(task, now.get(task.id), names, w) for task in plan.schedule.tasks))
    rows = [_row(task, now.get(task.id), None, w) for task in plan.schedule.tasks]
    hint = "" if rows else w.text("exchange.hint.tasks")
    free = [Row("", {}) for _ in range(FREE_ROWS)]
    return Sheet(KEY, columns, (*rows, *free), grows=True, shrinks=True, hint=hint)


def _row(task: Task, entry: Entry | None, names: dict[str, str] | None, w: Words) -> Row:
    """Return a task's row; with `names` what it shows is only for reading."""
    row = row_of(task.id, task, _PARTS, w)
    values: dict[str, object] = {**row.values, BEFORE: links_text(links_of(task)) or None}
    if names is not None:
        values["department"] = names.get(task.department, task.department)
        people = (f"{names.get(role, role)} {number:g}" for role, number in task.roles.items())
        values["roles"] = w.text("exchange.comma").join(people) or None
    values |= dict(zip(DAYS, task.days, strict=True))
    if entry is not None:
        values |= {"done": entry.done, "remaining": entry.remaining_days, "note": entry.note or None}
        values |= {"started": _iso(entry.started), "finish": _iso(entry.finish)}
    locked = frozenset() if names is not None else frozenset([ID])
    return Row(task.id, values, locked=locked)


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem | Logged]:
    """Yield what typed durations and ties change in the plan, and what is to be added to the log of progress."""
    rows = list(rows)
    gone = {row.id for row in rows if row.is_gone}
    ids = [task.id for task in plan.schedule.tasks]  # the log of progress knows no others
    items = {task.id: task for task in plan.schedule.tasks}
    known = [
        *(task for task in ids if task not in gone),
        *(row.id for row in rows if row.is_new),
        *(gate.id for gate in plan.schedule.gates),
        *(row.id for row in plan.schedule.milestones),
    ]
    now: dict[str, Entry] | None = None
    for row in rows:
        if row.is_gone:
            yield removal("schedule.tasks", row)
            continue
        if row.is_new:
            yield addition("schedule.tasks", row, sourced=True)
        for part in _PARTS:
            for found in part.put(row, items.get(row.id)):
                if isinstance(found, Problem):
                    yield found
                else:
                    yield row.change(f"schedule.tasks.{row.id}.{found.path}", found.value, found.key)
        changed = [key for key in DAYS if key in row.changed]
        if changed or row.is_new:
            yield from _days(row, changed)
        if BEFORE in row.changed:
            yield from _ties(row, known)
        if any(key in row.changed for key in PROGRESS):
            now = states(read_log(log_path(plan.file), ids)) if now is None else now
            yield from _progress(row, ids, now.get(row.id), plan.model.plan.owner or "—")


def _days(row: Edited, changed: list[str]) -> Iterator[Change | Problem]:
    three = [row.values[key] for key in DAYS]
    missing = [key for key, days in zip(DAYS, three, strict=True) if days is None]
    if missing:
        yield from (row.problem("missing", key) for key in missing)
        return
    outside = [key for key, days in zip(DAYS, three, strict=True) if not 0 < days <= LONGEST_DAYS]
    for key in outside:
        low = row.values[key] <= 0
        yield row.problem(*(("above", key) if low else ("at_most", key)), row.values[key], low=0, high=LONGEST_DAYS)
    if not outside and three != sorted(three):
        yield row.problem("low_above_high", changed[0], " / ".join(f"{days:g}" for days in three))
    elif not outside:
        yield row.change(f"schedule.tasks.{row.id}.days", three, changed[0])


def _ties(row: Edited, known: list[str]) -> Iterator[Change | Problem]:
    links, wrong = parse_links(str(row.values[BEFORE] or ""))
    problems = [row.problem(found.code, BEFORE, found.given, **found.values) for found in wrong]
    for link in links:
        if link.task == row.id:
            problems.append(row.problem("link_self", BEFORE, link.task))
        elif link.task not in known:
            problems.append(unknown_task(link.task, known, file=row.file, field=row.cells[BEFORE]))
    if problems:
        yield from problems
        return
    after, tied = as_fields(links)
    yield row.change(f"schedule.tasks.{row.id}.after", after, BEFORE)
    yield row.change(f"schedule.tasks.{row.id}.links", tied, BEFORE)


def _progress(row: Edited, ids: list[str], was: Entry | None, owner: str) -> Iterator[Problem | Logged]:
    done = row.values["done"]
    if done is None and was is not None:
        yield row.problem("missing", "done")
        return
    started, finish = (_day(row.values[key]) for key in ("started", "finish"))
    over = done == 1
    entry = Entry(
        task=row.id,
        as_of=max(filter(None, [started, finish if over else None]), default=dt.date.min),
        done=float(done or 0),
        started=started,
        finished=finish if over else None,
        expected_finish=None if over else finish,
        remaining_days=row.values["remaining"],
        actual_cost_cny=was.actual_cost_cny if was else None,
        note=str(row.values["note"] or ""),
        recorded_by=owner,
    )
    logged = Logged(entry, row.file, _cells(row))
    problems = entry_problems(entry, ids, file=row.file, names=logged.cells)
    yield from problems or [logged]


def _cells(row: Edited) -> dict[str, str]:
    places = {"task": ID, "done": "done", "started": "started", "finished": "finish", "expected_finish": "finish",
              "remaining_days": "remaining", "note": "note"}  # fmt: skip
    return {name: row.cells[key] for name, key in places.items()}


def _day(iso: object) -> dt.date | None:
    return None if iso is None else dt.date.fromisoformat(str(iso))


def check(plan: Plan, rows: Iterable[Edited], rooms: Rooms | None = None) -> Iterator[Problem]:
    """Yield ties that go in a circle, in the cells that were typed."""
    typed = {row.id: row for row in rows if BEFORE in row.changed}
    waits = {task.id: [link.task for link in links_of(task)] for task in plan.schedule.tasks}
    waits |= {gate.id: list(gate.after) for gate in plan.schedule.gates}
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        around = list(reversed(error.args[1]))
        row = next((typed[task] for task in around if task in typed), None)
        if row is not None:
            yield row.problem("cycle", BEFORE, row.values[BEFORE], chain=" → ".join(around))


KIND = Kind(KEY, build, changes, check)
