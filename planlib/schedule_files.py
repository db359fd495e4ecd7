"""The command that writes a plan's schedule for other programs, and reads its table back."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.core.words import Words
from planlib.exchange.ical import Event, calendar_bytes
from planlib.exchange.links import Link
from planlib.exchange.mspdi import DayMask, Group, Item, Resource, project_bytes
from planlib.exchange.table import read_table, table_bytes
from planlib.milestones.dated import Dates
from planlib.plan import Plan, load_plan
from planlib.plan.scenario import scenario_text
from planlib.plan.tracking import Baseline, Entry, baseline_path, log_path, read_baseline, read_log, states
from planlib.progressing import entry_json_rows, entry_line, record_typed, task_ids
from planlib.scheduling import Scheduled, capacity, occurrences, planned_dates, progressed, scheduled

Write = Callable[[str], None]
FORMATS = {"csv": ".csv", "ics": ".ics", "mspdi": ".xml"}
_MADE = "# 由 planlib schedule --read 生成，再读会重写 / made from a table of tasks; reading it again rewrites this\n"
_GATES = ""  # the group of what belongs to no department
_MARGIN_DAYS = 400  # of calendars after the last date, for work that slips


def write_schedule(plan_file: str, form: str, out: str | None, w: Words, *, out_root: Path) -> Path:
    """Write a plan's schedule and return the file.

    Args:
        plan_file: the plan.
        form: csv, ics or mspdi.
        out: the file; None = <out_root>/<plan id>/<plan id>.schedule.<suffix>.
        w: language of headings, names and notes.
        out_root: where outputs go.

    Raises:
        InputError: the plan or its log has problems or no tasks and dates, the form is unknown, or the file is open.
    """
    if form not in FORMATS:
        raise InputError(Problem("choice", field="--format", given=form, values={"choice": ", ".join(FORMATS)}))
    plan = load_plan(plan_file)
    if not (plan.schedule.tasks or plan.schedule.gates or plan.schedule.milestones):
        raise InputError(Problem("no_tasks", plan.file, "schedule"))
    path = Path(out) if out else out_root / plan.id / f"{plan.id}.schedule{FORMATS[form]}"
    if path.resolve() == Path(plan_file).resolve() or path.is_dir():
        raise InputError(Problem("file_exists", field="--out", given=path.as_posix()))
    schedule = scheduled(plan)
    now = states(read_log(log_path(plan.file), task_ids(plan)))
    dates = dates_of(plan, schedule, now)
    if form == "csv":
        content = table_bytes(plan, w, {task: (dates[task].start, dates[task].finish) for task in task_ids(plan)})
    elif form == "ics":
        content = calendar_bytes(events(plan, schedule, dates, w), name=w.pick(plan.title), stamp=stated_on(plan))
    else:
        content = _project(plan, schedule, dates, now, read_baseline(baseline_path(plan.file)), w)
    try:
        write_whole(path, content)
    except PermissionError:
        raise InputError(Problem("book_open", file=path.as_posix())) from None
    except OSError as error:
        raise InputError(Problem("sample_write", field="--out", given=path.as_posix(),
                                 values={"reason": error.strerror or str(error)})) from None  # fmt: skip
    return path


def dates_of(plan: Plan, schedule: Scheduled, now: Mapping[str, Entry]) -> Mapping[str, Dates]:
    """Return {id: dates}: as planned, or with what has happened once anything was recorded."""
    if not now:
        return schedule.dates()
    return progressed(schedule, now, max(entry.as_of for entry in now.values())).dates()


def stated_on(plan: Plan) -> dt.date:
    """Return the day as of which a plan speaks: its as-of day, else its first day; never the clock's."""
    return dt.date.fromisoformat(plan.data.as_of or f"{plan.start}-01")


def events(plan: Plan, schedule: Scheduled, dates: Mapping[str, Dates], w: Words) -> list[Event]:
    """Return gates, milestones, reviews and drills as events; what is due stands on the last working day it may."""
    found = []
    for item in schedule.items:
        if item.kind == "task":
            continue
        soonest, due = dates[item.id].finish, schedule.due.get(item.id)
        day = due.last_workday if due else soonest
        key = "late" if soonest > day else "soonest" if item.id in schedule.linked else "due"
        told = {"soonest": {"date": soonest}, "due": {"day": day}, "late": {"date": soonest, "day": day}}[key]
        text = w.text(f"tracking.event.{key}", **{name: w.date(when) for name, when in told.items()})
        kind = w.text(f"tracking.event.kind.{item.kind}")
        found.append(Event(f"{plan.id}.{item.id}@planlib", day, w.pick(item.name), text, kind))
    count: dict[str, int] = {}
    for day, row in occurrences(plan, schedule.calendar, plan.months):
        count[row.id] = count.get(row.id, 0) + 1
        kind = w.text(f"tracking.event.kind.{row.kind}")
        uid = f"{plan.id}.{row.id}.{count[row.id]}@planlib"
        found.append(Event(uid, day, w.pick(row.name.model_dump()), "", kind))
    return found


def _project(
    plan: Plan,
    schedule: Scheduled,
    dates: Mapping[str, Dates],
    now: Mapping[str, Entry],
    frozen: Baseline | None,
    w: Words,
) -> bytes:
    tasks = {task.id: task for task in plan.schedule.tasks}
    last = max(row.finish for row in dates.values()) + dt.timedelta(days=_MARGIN_DAYS)
    made: dict[int, int] = {id(schedule.calendar): 0}
    first = schedule.network.first_day
    masks = [DayMask(w.text("tracking.calendar"), first, _worked(schedule.calendar, first, last))]
    before = planned_dates(schedule, frozen) if frozen is not None or now else {}
    items, length = [], np.ceil(schedule.days[:, 1] - 1e-9).astype(int)
    for item, days in zip(schedule.items, length.tolist(), strict=True):
        own, row = schedule.network.calendar_of(item.id), dates[item.id]
        task, entry = tasks.get(item.id), now.get(item.id)
        if id(own) not in made:
            made[id(own)] = len(masks)
            masks.append(DayMask(w.text("tracking.calendar_own", n=len(masks)), first, _worked(own, first, last)))
        held = item.not_before or (None if item.id in schedule.linked else row.finish)
        items.append(
            Item(
                item.id,
                w.pick(item.name),
                days,
                row.start,
                row.finish,
                tuple(Link(t.before, t.kind, t.lag_days, t.elapsed) for t in item.ties),
                dict(task.roles) if task else {},
                made[id(own)],
                held,
                item.deadline or (schedule.due[item.id].last_workday if item.id in schedule.due else None),
                entry.done if entry else 0.0,
                entry.started if entry else None,
                entry.finished if entry else None,
                row.critical,
                entry.note if entry else "",
                item.department or _GATES,
                (before[item.id].start, before[item.id].finish) if before else None,
            )
        )
    people = capacity(plan)
    used = dict.fromkeys(role for item in items for role in item.roles)
    rows = [Resource(r, w.pick(plan.team.roles[r].name.model_dump()), people.get(r, 1)) for r in used]
    lanes = {key: w.pick(name) for key, name in schedule.inputs.departments.items()}
    groups = [Group(key, name) for key, name in lanes.items()]
    if any(item.group == _GATES for item in items):
        groups.append(Group(_GATES, w.text("tracking.gates")))
    return project_bytes(
        items, masks, rows, title=w.pick(plan.title), first_day=first, as_of=stated_on(plan), groups=groups
    )  # fmt: skip


def _worked(calendar: object, first: dt.date, last: dt.date) -> list[bool]:
    return calendar.mask(first, last).tolist()  # type: ignore[attr-defined]


def read_back(
    plan_file: str,
    csv_file: str,
    w: Words,
    *,
    owner: str | None,
    as_of: str | None,
    now: dt.datetime,
    dry_run: bool,
    as_json: bool,
    write: Write,
) -> None:
    """Take in a CSV of a plan's tasks: progress into the log beside the plan, durations and ties into a plan of their
    own that extends it, beside it; the plan itself stays as it is.

    Args:
        owner, as_of, now: of the progress, see `planlib.progressing.record_typed`.
        dry_run: only say what would be written.
        as_json: for other programs.
        write: takes each line.

    Raises:
        InputError: all problems of plan, log and file; nothing is written then.
    """
    opened = read_table(Path(csv_file), load_plan(plan_file), w)
    changes = opened.plan.changes
    told: list[str] = []
    scenario, entries = None, [logged.entry for logged in opened.progress]
    if changes:
        scenario = scenario_path(plan_file, csv_file)
        text = scenario_text(opened.plan, changes, name=scenario.stem, said=Path(csv_file).name)
    if not dry_run:
        if opened.progress:
            entries = record_typed(opened, csv_file, w, owner=owner, as_of=as_of, now=now, write=told.append)
        if scenario is not None:
            write_whole(scenario, (_MADE + text).encode("utf-8"))
            load_plan(scenario)
    if as_json:
        rows = [{"path": c.path, "value": c.value, "cell": c.cell, "why": c.why} for c in changes]
        found = {"changes": rows, "progress": entry_json_rows(entries)}
        found["scenario"] = scenario.as_posix() if scenario is not None else None
        write(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for note in opened.notes:
        if note.key != "progress":
            write(note.text(w))
    for change in changes:
        write("  " + w.text("tracking.change", path=change.path, value=json.dumps(change.value, ensure_ascii=False)))
    if dry_run and entries:
        write(w.text("tracking.typed", n=len(entries)))
        told = ["  " + entry_line(entry, w) for entry in entries]
    for line in told:
        write(line)
    if scenario is not None:
        key = "tracking.scenario_would" if dry_run else "tracking.scenario"
        write(w.text(key, path=scenario.as_posix(), plan=Path(plan_file).as_posix()))


def scenario_path(plan_file: str, csv_file: str) -> Path:
    """Return where what a table changes in a plan is kept: beside the plan, named after both.

    Raises:
        InputError: a file of that name is there that no table made.

    >>> scenario_path("params/spring.yaml", "out/Spring 2.csv").as_posix()
    'params/spring_spring_2.yaml'
    """
    stem = re.sub(r"[^a-z0-9]+", "_", Path(csv_file).stem.lower()).strip("_")
    path = Path(plan_file).with_name(f"{Path(plan_file).stem}_{stem or 'table'}"[:80] + ".yaml")
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_MADE):
        raise InputError(Problem("file_exists", file=path.as_posix()))
    return path
