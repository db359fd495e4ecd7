"""The command that takes down how far tasks are, and shows it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, load_plan
from planlib.plan.tracking import (
    CHINA,
    Baseline,
    DateChange,
    Entry,
    add_baseline,
    add_entries,
    adding,
    baseline_path,
    date_changes,
    entry_problems,
    log_path,
    parse_day,
    parse_number,
    parse_share,
    read_baseline,
    read_log,
    states,
    unknown_task,
)

if TYPE_CHECKING:
    from planlib.exchange.scenario import Opened
    from planlib.scheduling import Move

Write = Callable[[str], None]
_MOST_MOVES = 15  # lines on the screen
_OPTIONS = {"done": "--done", "started": "--start", "finished": "--finish", "expected_finish": "--finish",
            "remaining_days": "--remaining", "actual_cost_cny": "--cost", "note": "--note", "recorded_by": "--owner",
            "task": "TASK"}  # fmt: skip


def report_progress(
    plan_file: str,
    task: str,
    given: Mapping[str, str | None],
    w: Words,
    *,
    as_of: str | None,
    now: dt.datetime,
    tell: Write,
) -> Entry:
    """Add an entry about a task to the log beside a plan and return it; what is not given stays as it was.

    Args:
        plan_file: the plan.
        task: id of the task.
        given: what was typed for done, start, finish, remaining, cost, note and owner; None = not given.
        w: language of what is said.
        as_of: the day whose state it is; None = the day of `now`.
        now: the moment.
        tell: takes a line when the dates of the plan are frozen.

    Raises:
        InputError: the plan or its log has problems, nothing was told, or what was told cannot be so; nothing is
            written then.
    """
    plan = load_plan(plan_file)
    path, tasks = log_path(plan_file), task_ids(plan)
    if task not in tasks:
        raise InputError(unknown_task(task, tasks, file=plan.file, field="TASK"))
    if all(given[name] is None for name in ("done", "start", "finish", "remaining", "cost", "note")):
        raise InputError(Problem("progress_nothing", field=task))
    day = now.date() if as_of is None else _typed("--as-of", as_of, parse_day, "date", form="YYYY-MM-DD")
    with adding(path, tasks) as log:
        entry = _entry(task, given, states(log.entries, day).get(task), plan.model.plan.owner or "—", day, now)
        problems = entry_problems(entry, tasks, file="", names={k: f"{task} {v}" for k, v in _OPTIONS.items()})
        if problems:
            raise InputError(*problems)
        log.add([entry])
    _keep_baseline(plan, w, now, tell)
    return entry


def freeze(plan_file: str, *, owner: str | None, note: str | None, now: dt.datetime) -> Baseline:
    """Freeze the dates of a plan as its baseline and return it; one that is there already stays in the file.

    Args:
        plan_file: the plan.
        owner: who approved it; None = the plan's owner.
        note: why; needed from the second on.
        now: the moment.

    Raises:
        InputError: the plan has problems or no tasks and dates, or the reason of a second baseline is missing.
    """
    plan = load_plan(plan_file)
    if not (plan.schedule.tasks or plan.schedule.gates or plan.schedule.milestones):
        raise InputError(Problem("no_tasks", plan.file, "schedule"))
    if read_baseline(baseline_path(plan_file)) is not None and not (note or "").strip():
        raise InputError(Problem("missing", field="--note"))
    return _freeze(plan, owner or plan.model.plan.owner or "—", (note or "").strip(), now)


def _keep_baseline(plan: Plan, w: Words, now: dt.datetime, tell: Write) -> None:
    """Freeze the dates of a plan of which nothing has been frozen: what is reported is held against them."""
    path = baseline_path(plan.file)
    if read_baseline(path) is None:
        frozen = _freeze(plan, plan.model.plan.owner or "—", "", now)
        tell(w.text("tracking.frozen", n=len(frozen.rows), file=path.as_posix()))


def _freeze(plan: Plan, owner: str, note: str, now: dt.datetime) -> Baseline:
    from planlib.scheduling import baseline_rows, scheduled

    found = Baseline(now, owner, note, {row.item: row for row in baseline_rows(plan, scheduled(plan))})
    add_baseline(baseline_path(plan.file), found)
    return found


def record_book(
    book: str, w: Words, *, owner: str | None, as_of: str | None, now: dt.datetime, write: Write
) -> list[Entry]:
    """Add the progress that was typed into a plan's workbook to the log beside the plan, and say what.

    Args:
        book: the workbook.
        w: language of what is said.
        owner: who reports; None = the plan's owner.
        as_of: the day whose state it is; None = the day of `now`.
        now: the moment.
        write: takes each line.

    Raises:
        InputError: all problems of workbook, plan and log; nothing is written then.
    """
    from planlib.excel import open_book

    opened = open_book(book)
    for note in opened.notes:
        if note.key not in ("progress", "unchanged"):
            write(note.text(w))
    return record_typed(opened, book, w, owner=owner, as_of=as_of, now=now, write=write)


def record_typed(
    opened: Opened, file: str, w: Words, *, owner: str | None, as_of: str | None, now: dt.datetime, write: Write
) -> list[Entry]:
    """Add the progress that was typed into a workbook or a table to the log beside its plan, and say what.

    Args:
        opened: what was read.
        file: its name.
        w, owner, as_of, now, write: as in `record_book`.

    Raises:
        InputError: an entry is wrong, or the log has problems; nothing is written then.
    """
    day = now.date() if as_of is None else _typed("--as-of", as_of, parse_day, "date", form="YYYY-MM-DD")
    entries, problems, tasks = [], [], task_ids(opened.plan)
    for logged in opened.progress:
        by = owner or logged.entry.recorded_by
        entry = replace(logged.entry, recorded_at=now, as_of=day, recorded_by=by)
        problems += entry_problems(entry, tasks, file=logged.file, names=logged.cells)
        entries.append(entry)
    if problems:
        raise InputError(*problems)
    if not entries:
        write(w.text("tracking.nothing", file=Path(file).as_posix()))
        return []
    path = log_path(opened.plan.file)
    add_entries(path, entries, tasks)
    write(w.text("tracking.recorded_book", file=Path(file).as_posix(), n=len(entries), log=path.as_posix()))
    for entry in entries:
        write("  " + entry_line(entry, w))
    _keep_baseline(load_plan(opened.plan.file), w, now, write)
    return entries


def task_ids(plan: Plan) -> tuple[str, ...]:
    """Return the ids of a plan's tasks in its order."""
    return tuple(task.id for task in plan.schedule.tasks)


def _entry(
    task: str, given: Mapping[str, str | None], was: Entry | None, owner: str, day: dt.date, now: dt.datetime
) -> Entry:
    """Return the entry out of what was typed; what can be carried over comes from the state before.

    What is left in days is not carried over: it was true of that day only.
    """
    problems: list[Problem] = []

    def typed(name: str, option: str, parse: Callable, code: str, **told: object) -> Any:
        try:
            return None if given[name] is None else _typed(option, given[name], parse, code, **told)
        except InputError as error:
            problems.extend(error.problems)
            return None

    form = {"form": "YYYY-MM-DD"}
    done = typed("done", "--done", parse_share, "share_text")
    started = typed("start", "--start", parse_day, "date", **form)
    finish = typed("finish", "--finish", parse_day, "date", **form)
    remaining = typed("remaining", "--remaining", parse_number, "not_number")
    cost = typed("cost", "--cost", parse_number, "not_number")
    if problems:
        raise InputError(*problems)
    if done is None:
        done = was.done if was else 0.0
    over = done == 1
    return Entry(
        recorded_at=now,
        task=task,
        as_of=day,
        done=done,
        started=started or (was.started if was else None),
        finished=(finish or (was.finished if was else None)) if over else None,
        expected_finish=None if over else finish or (was.expected_finish if was else None),
        remaining_days=remaining,
        actual_cost_cny=cost if cost is not None or was is None else was.actual_cost_cny,
        note=(given["note"] or "").strip(),
        recorded_by=given["owner"] or owner,
    )


def _typed(option: str, text: str | None, parse: Callable, code: str, **told: object) -> Any:
    found = parse(text or "")
    if found is None:
        raise InputError(Problem(code, field=option, given=text, values=told))
    return found


def entry_line(entry: Entry, w: Words) -> str:
    """Return an entry as one sentence."""
    parts = [w.text("tracking.done", task=entry.task, done=w.number(entry.done, "ratio"))]
    for name in ("started", "finished", "expected_finish"):
        if day := getattr(entry, name):
            parts.append(w.text(f"tracking.{name}", date=w.date(day)))
    if entry.remaining_days is not None:
        parts.append(w.text("tracking.remaining_days", days=f"{entry.remaining_days:g}"))
    if entry.actual_cost_cny is not None:
        parts.append(w.text("tracking.actual_cost_cny", cost=w.number(entry.actual_cost_cny, "CNY")))
    if entry.note:
        parts.append(entry.note)
    return w.text("tracking.comma").join(parts)


def show_progress(plan_file: str, w: Words, *, as_of: str | None, as_json: bool, write: Write) -> None:
    """Write the state of every task of a plan, every date that was changed, and what differs from the baseline.

    Args:
        as_json: as JSON for other programs.

    Raises:
        InputError: the plan, its log or its baseline has problems.
    """
    plan = load_plan(plan_file)
    day = None if as_of is None else _typed("--as-of", as_of, parse_day, "date", form="YYYY-MM-DD")
    entries = [e for e in read_log(log_path(plan_file), task_ids(plan)) if day is None or e.as_of <= day]
    frozen = read_baseline(baseline_path(plan_file))
    now, changed = states(entries), date_changes(entries, frozen)
    moves = _moves(plan, now, frozen)
    if as_json:
        told = {"plan": plan.id, "tasks": [_plain(now[t]) for t in now], "changes": [_plain(c) for c in changed]}
        if frozen is not None:
            told["baseline"] = {
                "recorded_at": frozen.recorded_at.isoformat(), "recorded_by": frozen.recorded_by, "note": frozen.note
            }  # fmt: skip
            told["moves"] = [_plain(move) for move in moves]
        write(json.dumps(told, ensure_ascii=False, indent=1))
        return
    if now:
        for line in table(_state_rows(plan, now, w)):
            write(line)
        if rest := len(plan.schedule.tasks) - len(now):
            write(w.text("tracking.rest", n=rest))
    else:
        write(w.text("tracking.none", plan=plan.file, tasks=len(plan.schedule.tasks)))
    shown = [c for c in changed if c.before is not None or c.baseline not in (None, c.after)]
    if shown:
        write("")
        write(w.text("tracking.changes", n=len(shown)))
        for change in shown:
            write("  " + change_line(change, w))
    if frozen is not None:
        write("")
        about = {"date": w.date(frozen.recorded_at.date()), "by": frozen.recorded_by or "—"}
        if not moves:
            write(w.text("tracking.moves_none", **about))
            return
        write(w.text("tracking.moves", n=len(moves), **about))
        for line in table(_move_rows(plan, moves[:_MOST_MOVES], w)):
            write("  " + line)
        if len(moves) > _MOST_MOVES:
            write("  " + w.text("tracking.moves_rest", n=len(moves) - _MOST_MOVES))


def _moves(plan: Plan, now: Mapping[str, Entry], frozen: Baseline | None) -> Sequence[Move]:
    if frozen is None:
        return ()
    from planlib.scheduling import moves, progressed, scheduled

    schedule = scheduled(plan)
    told = progressed(schedule, now, max(e.as_of for e in now.values())) if now else schedule
    return moves(told, frozen, told.dates())


def _move_rows(plan: Plan, moves: Iterable[Move], w: Words) -> list[list[str]]:
    names = {row.id: row.name for row in (*plan.schedule.tasks, *plan.schedule.gates, *plan.schedule.milestones)}
    rows = [[w.text(f"tracking.move.{head}") for head in ("item", "name", "date", "before", "after", "workdays")]]
    for move in moves:
        name = names[move.id]
        rows.append([
            move.id,
            w.pick(name.model_dump()) if name else move.id,
            w.text(f"tracking.move.{move.date}"),
            w.date(move.before),
            w.date(move.after),
            w.number(move.workdays, "number", signed=True),
        ])  # fmt: skip
    return rows


def change_line(change: DateChange, w: Words) -> str:
    """Return a changed date as one sentence; a first date is held against the baseline."""
    sides = {"before": change.before or change.baseline, "after": change.after}
    shown = {side: "—" if day is None else w.date(day) for side, day in sides.items()}
    told = {"task": change.task, "day": w.date(change.as_of), "by": change.recorded_by or "—"}
    line = w.text(f"tracking.changed.{change.date}", **told, **shown)
    if change.baseline is not None and change.before is not None:
        line += w.text("tracking.against", date=w.date(change.baseline))
    return f"{line}{w.text('tracking.comma')}{change.note}" if change.note else line


def table(rows: list[list[str]]) -> Iterator[str]:
    """Yield the lines of a table, its first row the headings; Chinese characters count as two."""
    from planlib.exchange.write import width

    widths = [max(width(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()


def _state_rows(plan: Plan, now: Mapping[str, Entry], w: Words) -> list[list[str]]:
    heads = ("task", "name", "done", "started", "finish", "remaining", "as_of", "note")
    rows = [[w.text(f"tracking.head.{head}") for head in heads]]
    for task in plan.schedule.tasks:
        entry = now.get(task.id)
        if entry is None:
            continue
        finish = "—" if entry.finish is None else w.date(entry.finish)
        if entry.finished is None and entry.finish is not None:
            finish = w.text("tracking.expected", date=finish)
        rows.append([
            task.id,
            w.pick(task.name.model_dump()),
            w.number(entry.done, "ratio"),
            "—" if entry.started is None else w.date(entry.started),
            finish,
            "—" if entry.remaining_days is None else f"{entry.remaining_days:g}",
            w.date(entry.as_of),
            entry.note,
        ])  # fmt: skip
    return rows


def _plain(found: Entry | DateChange | Move) -> dict[str, object]:
    return {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in asdict(found).items()}


def china_now() -> dt.datetime:
    """Return the moment by China's clock."""
    return dt.datetime.now(CHINA)


def refuse_without_task(typed: Mapping[str, str | None]) -> None:
    """Refuse what was typed about no task.

    Raises:
        InputError: something was typed.
    """
    if any(text is not None for text in typed.values()):
        raise InputError(Problem("missing", field="TASK"))


def entries_json(*entries: Entry) -> str:
    """Return entries for other programs."""
    return json.dumps({"tasks": entry_json_rows(entries)}, ensure_ascii=False, indent=1)


def entry_json_rows(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """Return entries as rows of texts and numbers."""
    return [_plain(entry) for entry in entries]
