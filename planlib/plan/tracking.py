"""What has become of a plan's tasks: entries of a log beside the plan, the newest of each task being its state.

PLAN.progress.csv is only ever added to. An entry tells a task's whole state on a day (`as_of`), whenever it was written
down (`recorded_at`), so that the state of any earlier day can be told again, and what was said about a date before.
PLAN.baseline.csv, only ever added to as well, holds the dates of the plan as they were approved, whatever is edited in
the plan afterwards. Writers of either file wait for one another.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import difflib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.filelock import locked
from planlib.plan.model import share_problem

MAX_BYTES = 5_000_000
MAX_DAYS = 10_000.0
MAX_CNY = 1e12
MAX_NOTE = 500
CHINA = dt.timezone(dt.timedelta(hours=8))
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_DAY = re.compile(r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?")
_RISKY = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The state of a task on a day.

    Attributes:
        recorded_at: when it was written down; None before it is.
        task: id.
        as_of: the day whose state it is.
        done: share of the work, 0..1.
        started, finished: days on which it did; None where it has not, or nobody said.
        expected_finish: when it is to be finished, while it is not.
        remaining_days: working days that are left, where somebody said.
        actual_cost_cny: spent on it so far, CNY, where somebody said.
        note, recorded_by: texts.
    """

    recorded_at: dt.datetime | None = None
    task: str
    as_of: dt.date
    done: float
    started: dt.date | None = None
    finished: dt.date | None = None
    expected_finish: dt.date | None = None
    remaining_days: float | None = None
    actual_cost_cny: float | None = None
    note: str = ""
    recorded_by: str = ""

    @property
    def finish(self) -> dt.date | None:
        """The day on which it was finished, or is to be."""
        return self.finished or self.expected_finish


COLUMNS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class DateChange:
    """A date of a task that an entry changed.

    Attributes:
        task: id.
        date: start, or finish: expected or real.
        before, after: what it was and became; None where there was none.
        real: whether `after` has happened; an expected one may change again.
        recorded_at, as_of, note, recorded_by: of the entry.
        baseline: what the baseline says; None where there is none.
    """

    task: str
    date: str
    before: dt.date | None
    after: dt.date | None
    real: bool
    recorded_at: dt.datetime | None
    as_of: dt.date
    note: str
    recorded_by: str
    baseline: dt.date | None = None


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """What a baseline says about an item.

    Attributes:
        item: id of a task, a gate or a milestone.
        start, finish: first and last day by the plan.
        due: last day on which it may end, if the plan said so.
        person_days: of work; 0 for gates and milestones.
    """

    item: str
    start: dt.date
    finish: dt.date
    due: dt.date | None
    person_days: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """The dates of a plan as they were approved.

    Attributes:
        recorded_at, recorded_by, note: when, by whom and why they were frozen.
        rows: {item: what it says}.
    """

    recorded_at: dt.datetime
    recorded_by: str
    note: str
    rows: Mapping[str, BaselineRow]


BASELINE_COLUMNS = ("recorded_at", "recorded_by", "note", *(field.name for field in fields(BaselineRow)))


def log_path(plan_file: str | Path) -> Path:
    """Return where the progress of a plan stands.

    >>> log_path("params/spring.yaml").as_posix()
    'params/spring.progress.csv'
    """
    plan_file = Path(plan_file)
    return plan_file.with_name(f"{plan_file.stem}.progress.csv")


def baseline_path(plan_file: str | Path) -> Path:
    """Return where the baseline of a plan stands.

    >>> baseline_path("params/spring.yaml").as_posix()
    'params/spring.baseline.csv'
    """
    plan_file = Path(plan_file)
    return plan_file.with_name(f"{plan_file.stem}.baseline.csv")


def read_baseline(path: Path) -> Baseline | None:
    """Return the newest baseline of a file; None where there is no file.

    Raises:
        InputError: every line that cannot be taken.
    """
    shown = path.as_posix()
    if not path.exists():
        return None
    found: dict[dt.datetime, Baseline] = {}
    problems: list[Problem] = []
    for line, cells in read_rows(path, BASELINE_COLUMNS, problems):
        take = _Cells(cells, shown, line)
        at = take("recorded_at", _moment, "date", form="2027-03-01T09:30:00+08:00")
        days = [take(name, parse_day, "date", name != "due", form="YYYY-MM-DD") for name in ("start", "finish", "due")]
        work, item = take("person_days", parse_number, "not_number"), cells["item"]
        if not item:
            take.problems.append(Problem("missing", shown, "item", line))
        if None not in days[:2] and days[1] < days[0]:
            take.problems.append(Problem("end_before_start", shown, "finish", line, days[1]))
        if work is not None and not 0 <= work <= MAX_CNY:
            values = {"low": 0, "high": f"{MAX_CNY:.0f}"}
            take.problems.append(Problem("out_of_range", shown, "person_days", line, work, values=values))
        problems += take.problems
        if take.problems:
            continue
        one = found.setdefault(at, Baseline(at, cells["recorded_by"], cells["note"], {}))
        if item in one.rows:
            problems.append(Problem("duplicate_id", shown, "item", line, item, values={"first": at.isoformat()}))
        one.rows[item] = BaselineRow(item, *days, work)  # type: ignore[index]
    if problems:
        raise InputError(*problems)
    return found[max(found)] if found else None


def add_baseline(path: Path, baseline: Baseline) -> None:
    """Add a baseline to a file; those before it stay.

    Raises:
        InputError: a text cannot stand in a sheet, the file has been damaged, or it is open in another program.
    """
    shown = path.as_posix()
    problems = [
        problem for name in ("note", "recorded_by") for problem in _text_problems(getattr(baseline, name), shown, name)
    ]
    if problems:
        raise InputError(*problems)
    about = [_told(value) for value in (baseline.recorded_at, baseline.recorded_by, baseline.note)]
    rows = [[*about, *(_told(getattr(row, f.name)) for f in fields(row))] for row in baseline.rows.values()]
    with locked(path):
        read_baseline(path)
        _append(path, BASELINE_COLUMNS, rows)


def read_log(path: Path, tasks: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries of a log in its order; none where there is no file.

    Args:
        path: the log.
        tasks: ids of the plan's tasks.

    Raises:
        InputError: every line that cannot be taken, with file, line, what was given and what is allowed.
    """
    shown = path.as_posix()
    if not path.exists():
        return ()
    known, entries = tuple(tasks), []
    problems: list[Problem] = []
    seen: dict[tuple[str, dt.datetime | None], int] = {}
    for line, cells in read_rows(path, COLUMNS, problems):
        entry, found = _entry(cells, shown, line)
        if entry is not None:
            found += entry_problems(entry, known, file=shown, line=line)
            first = seen.setdefault((entry.task, entry.recorded_at), line)
            if first != line:
                found.append(
                    Problem("same_moment", shown, "recorded_at", line, cells["recorded_at"], values={"first": first})
                )
            entries.append(entry)
        problems += found
    if problems:
        raise InputError(*problems)
    return tuple(entries)


def entry_problems(
    entry: Entry, tasks: Sequence[str], *, file: str, line: int | None = None, names: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return what is wrong with an entry.

    Args:
        entry: the entry.
        tasks: ids of the plan's tasks.
        file, line: where it stands.
        names: {attribute: how the place is called there}, where it is not the attribute's own name.
    """
    found: list[Problem] = []
    called = names or {}

    def wrong(code: str, field: str, given: object, **values: object) -> None:
        found.append(Problem(code, file, called.get(field, field), line, given, values=values))

    if entry.task not in tasks:
        found.append(unknown_task(entry.task, tasks, file=file, field=called.get("task", "task"), line=line))
    if not 0 <= entry.done <= 1:
        code, values = share_problem(entry.done)
        wrong(code, "done", entry.done, **values)
    for name in ("started", "finished"):
        day = getattr(entry, name)
        if day is not None and day > entry.as_of:
            wrong("future_day", name, day, as_of=entry.as_of)
    if entry.started and entry.finish and entry.finish < entry.started:
        wrong("end_before_start", "finished" if entry.finished else "expected_finish", entry.finish)
    elif entry.finished is None and entry.expected_finish and entry.expected_finish < entry.as_of:
        wrong("past_day", "expected_finish", entry.expected_finish, as_of=entry.as_of)
    if entry.finished and entry.done < 1:
        wrong("finish_undone", "finished", entry.finished, done=f"{entry.done:.0%}")
    if entry.done == 1 and entry.finished is None:
        wrong("finish_missing", "finished", entry.expected_finish)
    if entry.finished and entry.expected_finish:
        wrong("finish_twice", "expected_finish", entry.expected_finish)
    for name, high in (("remaining_days", MAX_DAYS), ("actual_cost_cny", MAX_CNY)):
        value = getattr(entry, name)
        if value is not None and not 0 <= value <= high:
            wrong("out_of_range", name, value, low=0, high=f"{high:.0f}")
    if entry.remaining_days == 0 and entry.done < 1:
        wrong("above", "remaining_days", 0, low=0)
    if entry.remaining_days and entry.done == 1:
        wrong("remaining_done", "remaining_days", entry.remaining_days)
    for name in ("note", "recorded_by"):
        found += _text_problems(getattr(entry, name), file, called.get(name, name), line)
    return found


def _text_problems(text: str, file: str, field: str, line: int | None = None) -> Iterator[Problem]:
    if text.startswith(_RISKY):
        yield Problem("data_formula", file, field, line, text)
    if not text.isprintable():
        yield Problem("control_character", file, field, line, text)
    if len(text) > MAX_NOTE:
        yield Problem("text_length", file, field, line, text, values={"high": MAX_NOTE})


def unknown_task(task: str, tasks: Sequence[str], *, file: str, field: str, line: int | None = None) -> Problem:
    """Return the problem of a task that the plan does not have, with the nearest that it has."""
    near = difflib.get_close_matches(task[:80], tasks, n=1, cutoff=0.0)
    if not near:
        return Problem("no_tasks", file, field, line, task)
    return Problem("unknown_task", file, field, line, task, values={"nearest": near[0]})


def states(entries: Iterable[Entry], as_of: dt.date | None = None) -> dict[str, Entry]:
    """Return {task: its newest entry}, of those that tell the state of `as_of` or of an earlier day."""
    found: dict[str, Entry] = {}
    for entry in _in_order(entries):
        if as_of is None or entry.as_of <= as_of:
            found[entry.task] = entry
    return found


def date_changes(entries: Iterable[Entry], baseline: Baseline | None = None) -> tuple[DateChange, ...]:
    """Return every date that an entry changed, the oldest first; a first date changes from None."""
    frozen = {} if baseline is None else baseline.rows
    last: dict[tuple[str, str], dt.date | None] = {}
    found = []
    for entry in _in_order(entries):
        for name, after, real in (
            ("start", entry.started, entry.started is not None),
            ("finish", entry.finish, entry.finished is not None),
        ):
            before = last.get((entry.task, name))
            if after != before:
                about = (entry.recorded_at, entry.as_of, entry.note, entry.recorded_by)
                base = getattr(frozen[entry.task], name) if entry.task in frozen else None
                found.append(DateChange(entry.task, name, before, after, real, *about, base))
            last[entry.task, name] = after
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Log:
    """A log that nobody else adds to meanwhile.

    Attributes:
        path: of its file.
        tasks: ids of the plan's tasks.
        entries: it holds.
    """

    path: Path
    tasks: tuple[str, ...]
    entries: tuple[Entry, ...]

    def add(self, entries: Sequence[Entry]) -> None:
        """Add entries, all of them or none; the file is begun where there is none.

        Raises:
            InputError: an entry is wrong, or the log is open in another program.
        """
        shown = self.path.as_posix()
        taken = {(entry.task, entry.recorded_at) for entry in self.entries}
        problems = [p for entry in entries for p in entry_problems(entry, self.tasks, file=shown)]
        for entry in entries:
            if (entry.task, entry.recorded_at) in taken or entry.recorded_at is None:
                problems.append(Problem("same_moment", shown, "recorded_at", None, entry.task, values={"first": "—"}))
            taken.add((entry.task, entry.recorded_at))
        if problems:
            raise InputError(*problems)
        _append(self.path, COLUMNS, [[_told(getattr(entry, name)) for name in COLUMNS] for entry in entries])


@contextlib.contextmanager
def adding(path: Path, tasks: Iterable[str]) -> Iterator[Log]:
    """Hold a log while the block reads it and adds to it.

    Raises:
        InputError: the log has been damaged, or somebody else holds it.
    """
    known = tuple(tasks)
    with locked(path):
        yield Log(path, known, read_log(path, known))


def add_entries(path: Path, entries: Sequence[Entry], tasks: Iterable[str]) -> None:
    """Add entries to a log, all of them or none; see `Log.add`.

    Raises:
        InputError: an entry is wrong, the log has been damaged, or it is open in another program.
    """
    with adding(path, tasks) as log:
        log.add(entries)


def _append(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Add rows to a CSV at once, in the order of its own headings; begin it where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    try:
        before = path.read_bytes() if path.exists() else b""
        head = next((row for row in csv.reader(io.StringIO(before.decode("utf-8-sig"))) if any(row)), None)
        if head is None:
            writer.writerow(columns)
        order = [columns.index(name.strip()) for name in head or columns]
        writer.writerows([row[k] for k in order] for row in rows)
        cut = bool(before) and not before.endswith(b"\n")
        with open(path, "ab", buffering=0) as file:
            file.write((("\r\n" if cut else "") + text.getvalue()).encode("utf-8" if before else "utf-8-sig"))
    except PermissionError:
        raise InputError(Problem("book_open", file=path.as_posix())) from None


def read_rows(
    path: Path, columns: Sequence[str], problems: list[Problem], *, needed: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and cells by column of every row of a CSV in UTF-8 that holds something.

    Args:
        path: the file.
        columns: those that it may have, in any order.
        problems: takes those of rows that have another length.
        needed: the columns that it must have; None = all.

    Raises:
        InputError: no such file, too large, not UTF-8, no CSV, or other headings.
    """
    shown = path.as_posix()
    header: list[str] | None = None
    for line, row in csv_rows(path, shown):
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = [cell.strip() for cell in row]
            _check_header(header, columns, columns if needed is None else needed, shown, line)
        elif len(row) != len(header):
            problems.append(Problem("data_row_length", shown, "", line, len(row), values={"expected": len(header)}))
        else:
            yield line, {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    if header is None:
        raise InputError(Problem("csv_header", shown, "", 1, values={"columns": ", ".join(needed or columns)}))


def csv_rows(path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of every row of a CSV in UTF-8.

    Raises:
        InputError: no such file, too large, not UTF-8, or no CSV.
    """
    if not path.is_file():
        raise InputError(Problem("no_file", file=shown))
    try:
        raw = path.read_bytes()
    except PermissionError:
        raise InputError(Problem("book_open", file=shown)) from None
    if len(raw) > MAX_BYTES:
        raise InputError(Problem("too_large", file=shown, values={"high": MAX_BYTES // 1000}))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(Problem("bad_encoding", file=shown)) from None
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(Problem("data_csv", shown, "", line, str(error))) from None
        yield line, row
        line = reader.line_num + 1


def _check_header(header: list[str], columns: Sequence[str], needed: Sequence[str], shown: str, line: int) -> None:
    problems = [
        Problem("data_head_twice", shown, name, line, name) for name in dict.fromkeys(header) if header.count(name) > 1
    ]
    problems += [
        Problem("csv_header", shown, name, line, values={"columns": ", ".join(needed)})
        for name in needed
        if name not in header
    ]
    problems += [
        Problem("unknown_key_far", shown, "", line, name, values={"choice": ", ".join(columns)})
        for name in dict.fromkeys(header)
        if name not in columns
    ]
    if problems:
        raise InputError(*problems)


def parse_day(text: str) -> dt.date | None:
    """Return a day as people and spreadsheets write it; None for anything else.

    >>> parse_day("2027-3-1"), parse_day("2027/03/01"), parse_day("2027年3月1日"), parse_day("1 March")
    (datetime.date(2027, 3, 1), datetime.date(2027, 3, 1), datetime.date(2027, 3, 1), None)
    """
    found = _DAY.fullmatch(text.strip()) if text.isascii() or "年" in text else None
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def parse_share(text: str) -> float | None:
    """Return a share, written 0.6 or 60%; None for what is no number.

    >>> parse_share("60%"), parse_share("0.6"), parse_share("most")
    (0.6, 0.6, None)
    """
    text = text.strip().replace("％", "%")
    number = parse_number(text.removesuffix("%").rstrip())
    return number if number is None or not text.endswith("%") else round(number / 100, 12)


def parse_number(text: str) -> float | None:
    """Return a plain decimal number, None for anything else, such as 1,000 or nan."""
    return float(text) if text.isascii() and _NUMBER.fullmatch(text.strip()) else None


class _Cells:
    """Cells of a row as what they hold; what cannot be read is kept as a problem."""

    def __init__(self, cells: Mapping[str, str], shown: str, line: int) -> None:
        self._cells, self._shown, self._line = cells, shown, line
        self.problems: list[Problem] = []

    def __call__(self, name: str, parse: Callable, code: str, needed: bool = True, **told: object) -> Any:
        raw = self._cells[name]
        value = parse(raw) if raw else None
        if value is None and raw:
            self.problems.append(Problem(code, self._shown, name, self._line, raw, values=told))
        elif needed and not raw:
            self.problems.append(Problem("missing", self._shown, name, self._line))
        return value


def _entry(cells: Mapping[str, str], shown: str, line: int) -> tuple[Entry | None, list[Problem]]:
    """Return the entry that a line holds, and the cells that cannot be read; no entry where one of them is needed."""
    take = _Cells(cells, shown, line)
    values: dict[str, Any] = {name: cells[name] for name in ("task", "note", "recorded_by")}
    values["recorded_at"] = take("recorded_at", _moment, "date", form="2027-03-01T09:30:00+08:00")
    for name in ("as_of", "started", "finished", "expected_finish"):
        values[name] = take(name, parse_day, "date", name == "as_of", form="YYYY-MM-DD")
    values["done"] = take("done", parse_share, "not_number")
    for name in ("remaining_days", "actual_cost_cny"):
        values[name] = take(name, parse_number, "not_number", False)
    if not cells["task"]:
        take.problems.append(Problem("missing", shown, "task", line))
    return (None if take.problems else Entry(**values)), take.problems


def _moment(text: str) -> dt.datetime | None:
    """Return a moment; one without its distance from Greenwich is China's."""
    try:
        found = dt.datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=CHINA)


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, float):
        return f"{value:.0f}" if math.isfinite(value) and value.is_integer() else f"{value:.12g}"
    return str(value)


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort by the day told of, then by when it was written down."""
    never = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(entries, key=lambda entry: (entry.as_of, entry.recorded_at or never))
