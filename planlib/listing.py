"""Lists of customers that employees work with: what a run found, with ids as the platform knows them.

Results name people by hash. An export joins the ids back from the raw files, applies consent as it is at that moment,
writes one file for each employee below outputs/private, whole or not at all, and adds a line to the log of exports.
"""

from __future__ import annotations

import calendar
import datetime as dt
import getpass
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core import chain
from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.filelock import locked
from planlib.core.words import Words, words
from planlib.plan.load import Plan
from planlib.plan.pushes import Pushes, SendLimit, above_threshold, platform_limit

if TYPE_CHECKING:
    from planlib.data.engine import Engine
    from planlib.data.load import Report

NOTEBOOK = "60_customer_value"
PREFIX = "list_"
NAMES = ("churn", "purchase", "reminder", "promotion", "radar")
FATIGUE = "fatigue_cap_per_week"  # a metric of the notebook's results: messages to a customer a week
LEFT_OUT = ("forgotten", "gone", "do_not_contact", "held_out", "no_consent", "no_id", "no_staff_id")
PLATFORMS = ("wecom",)
BROKEN = "export_log_broken"
MAX_TEXT = 200
_LOG_WAIT_SECONDS = 600.0
_CONFIRM_DAYS = 30

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a list as the notebook wrote it: a customer by hash, why, what to do, until when, worth what."""

    customer: str
    rank: int
    reason: str
    action: str
    value_cny: float | None
    due: dt.date | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables tell of a customer at the moment of the export: who serves, and what was agreed to."""

    staff: str
    consent: str
    do_not_contact: bool


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows of a list by what becomes of them: those who may be contacted, and the others by reason, in order."""

    kept: tuple[Listed, ...]
    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How many mass messages the platform still lets through in this month.

    Attributes:
        limit: on messages to a customer; None where the plan states none.
        left: customer -> messages that may still be sent in what is left of the month.
        week: customer -> messages delivered in the last seven days.
        tasks, confirmed: mass messages that employees were given in the last 30 days, and that they confirmed.
        until: day of the newest delivery that the tables tell; None without one.
    """

    limit: SendLimit | None = None
    left: Mapping[str, int] = field(default_factory=dict)
    week: Mapping[str, int] = field(default_factory=dict)
    tasks: int = 0
    confirmed: int = 0
    until: dt.date | None = None

    @property
    def used_up(self) -> int:
        """How many customers of the list no mass message can reach any more in this month."""
        return sum(left == 0 for left in self.left.values())


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    Attributes:
        name: of the list.
        folder: where its files stand; None when nobody is left on it.
        rows, employees: on the files.
        left_out: reason -> customers.
        reach: of the customers on the files.
        fatigue: messages a week that customers bear by the results; None where they do not tell.
        flags: what of the plan's pushes goes beyond that.
        tired: customers of the files who had as many already in the last seven days.
        consent_on: day of the newest sheet of consent; None without one.
        log, line: the log of exports, and which line of it this one is.
    """

    name: str
    folder: Path | None
    rows: int
    employees: int
    left_out: Mapping[str, int]
    reach: Reach
    fatigue: float | None
    flags: tuple[Pushes, ...]
    tired: int
    consent_on: dt.date | None
    log: Path
    line: int


@dataclass(frozen=True, slots=True)
class Asked:
    """An export as somebody asked for it.

    Attributes:
        name: of the list.
        platform: where it is to be used.
        purpose: why.
        by: who; None for the account that runs the command.
        now: Shanghai, without a zone.
    """

    name: str
    platform: str
    purpose: str
    by: str | None
    now: dt.datetime


# ---- the command


def export(
    plan_file: str | None, asked: Asked, w: Words, *, run_name: str | None, data: str | None, outputs: Path,
    write: Write, locale: str | None = None,
) -> Exported:  # fmt: skip
    """Export a list of a run and say what was done.

    Args:
        plan_file: the plan; None for the only plan whose newest run has lists.
        asked: what, where, why, who, when.
        w: language of what is said.
        run_name: another run than the plan's newest.
        data: another data folder than the plan's.
        outputs: where runs stand, and private files go.
        write: takes each line.
        locale: language of the files; None for the first that the plan reports in.

    Raises:
        InputError: nothing to export, nothing that may be exported, or what was asked cannot be; nothing has been
            written then.
        DiskFull: nothing has been written then either.
    """
    from planlib.data.load import load
    from planlib.workbook.data_job import alone

    _refuse(asked)
    plan, run = _plan_and_run(plan_file, run_name, outputs)
    found, listed = read_list(run, asked.name)
    root = Path(data or plan.data_root)
    with alone(root, w, write):
        report = load(root)
        _refuse_unread_consent(root, report)
        done = _export(plan, run, found, listed, root, outputs, asked, words(locale or plan.report.locales[0]), report)
    for line in lines(done, asked, w):
        write(line)
    return done


def _refuse(asked: Asked) -> None:
    """Raise InputError for what nobody may ask."""
    problems = []
    if asked.platform not in PLATFORMS:
        told = {"given": asked.platform, "values": {"choice": ", ".join(PLATFORMS)}}
        problems.append(Problem("choice", field="--for", **told))
    if not any(character.isalnum() for character in asked.purpose):
        problems.append(Problem("purpose_missing", field="--purpose"))
    if asked.by is not None and not any(character.isalnum() for character in asked.by):
        problems.append(Problem("missing", field="--by"))
    for name, text in (("--purpose", asked.purpose), ("--by", asked.by or "")):
        if not text.isprintable():
            problems.append(Problem("control_character", field=name, given=text))
        if len(text) > MAX_TEXT:
            problems.append(Problem("text_length", field=name, given=text, values={"high": MAX_TEXT}))
    if problems:
        raise InputError(*problems)


def _plan_and_run(plan_file: str | None, run_name: str | None, outputs: Path) -> tuple[Plan, Path]:
    """Return the plan and the run whose lists are meant."""
    from planlib.plan import load_plan
    from planlib.workbook.history import find_run
    from planlib.workbook.runner import PLAN

    if plan_file is not None:
        plan = load_plan(plan_file)
        run = find_run(run_name or plan.id, outputs, holding=NOTEBOOK)
        found = load_plan(run / PLAN).id
        if found != plan.id:
            shown = (run / PLAN).as_posix()
            raise InputError(Problem("other_plan", shown, "plan.id", given=found, values={"plan": plan.id}))
        return plan, run
    run = find_run(run_name or _only_plan(outputs), outputs, holding=NOTEBOOK)
    return load_plan(run / PLAN), run


def _only_plan(outputs: Path) -> str:
    """Return the id of the one plan that has a run with lists."""
    from planlib.workbook.ledger import newest_run_with

    with_lists = [folder.name for folder in sorted(outputs.glob("*/")) if newest_run_with(folder, NOTEBOOK)]
    if not with_lists:
        raise InputError(Problem("no_lists", file=outputs.as_posix(), values={"notebook": NOTEBOOK}))
    if len(with_lists) > 1:
        raise InputError(Problem("which_plan", file=outputs.as_posix(), values={"choice": ", ".join(with_lists)}))
    return with_lists[0]


def read_list(run: Path, name: str) -> tuple[dict[str, Any], tuple[Listed, ...]]:
    """Return the results of a run's notebook and one of its lists, best rank first.

    Args:
        run: the run's folder.
        name: one of `NAMES`.

    Raises:
        InputError: the run has no lists, or none of that name, or the table is not as a list must be.
    """
    path = run / NOTEBOOK / "results.json"
    if not path.is_file():
        raise InputError(Problem("no_lists", file=run.as_posix(), values={"notebook": NOTEBOOK}))
    found = res.load(path)
    there = [n for n in NAMES if any(table["id"] == PREFIX + n for table in found["tables"])]
    if not there:
        raise InputError(Problem("no_lists", file=path.as_posix(), values={"notebook": NOTEBOOK}))
    if name not in there:
        raise InputError(Problem("unknown_list", path.as_posix(), "NAME", given=name, values={
            "choice": ", ".join(there), "notebook": NOTEBOOK}))  # fmt: skip
    shown = (path.parent / "tables" / f"{PREFIX}{name}.parquet").as_posix()
    rows = res.read_table(path.parent, PREFIX + name)
    wrong = sorted({problem for row in rows for problem in _row_problems(row)})
    if len({row.get("external_hid") for row in rows}) < len(rows):
        wrong.append("external_hid")
    if wrong:
        raise InputError(*(Problem("list_table", shown, column) for column in wrong))
    made = (
        Listed(
            row["external_hid"], int(row["rank"]), row["reason"], row["action"], row.get("value_cny"),
            _day(row.get("due")),
        )
        for row in rows
    )  # fmt: skip
    return found, tuple(sorted(made, key=lambda one: (one.rank, one.customer)))


def _row_problems(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the columns of a row that are not as they must be."""
    from planlib.data.ids import DIGITS

    hid, rank, value = (row.get(name) for name in ("external_hid", "rank", "value_cny"))
    if not (isinstance(hid, str) and len(hid) == DIGITS and set(hid) <= set("0123456789abcdef")):
        yield "external_hid"
    if not isinstance(rank, int):
        yield "rank"
    for name in ("reason", "action"):
        if not words("zh").has(f"value.{name}.{row.get(name)}"):
            yield name
    if value is not None and not (isinstance(value, int | float) and abs(value) < float("inf")):
        yield "value_cny"
    try:
        _day(row.get("due"))
    except (TypeError, ValueError):
        yield "due"


def _day(value: dt.date | str | None) -> dt.date | None:
    """Return a day, as a table has it: a date, a time, or ISO text."""
    if value is None or type(value) is dt.date:
        return value
    return value.date() if isinstance(value, dt.datetime) else dt.date.fromisoformat(value)


# ---- who may be contacted


def _consent_sources(*columns: str) -> frozenset[str]:
    """Return the kinds of raw files that tell one of these columns of customers."""
    from planlib.data.sources import SOURCES

    return frozenset(
        name
        for name, source in SOURCES.items()
        if any(out.table == "customers" and set(columns) & set(out.fields) for out in source.outs)
    )


def _refuse_unread_consent(root: Path, report: Report) -> None:
    """Raise InputError where a sheet that tells who opted out could not be read."""
    from planlib.data import store

    kinds = _consent_sources("consent_status", "do_not_contact")
    raw = store.raw_dir(root).as_posix()
    unread = [entry for entry in report.aside if kinds & set(entry.sources)]
    if unread:
        raise InputError(
            *(Problem("consent_unread", file=f"{raw}/{entry.path}") for entry in unread),
            *(problem for entry in unread for problem in entry.problems),
        )


def sort_out(
    listed: Sequence[Listed], known: Mapping[str, Known], contactable: frozenset[str], forgotten: frozenset[str],
    held_out: frozenset[str], names: Mapping[str, str],
) -> Sorted:  # fmt: skip
    """Sort the rows of a list by whether each customer may and can be contacted.

    Args:
        listed: the rows.
        known: customer -> what the tables tell now.
        contactable: who may be contacted at all; nobody else is kept, whatever the rest says.
        forgotten: who has been forgotten.
        held_out: whom a running experiment leaves alone.
        names: hash -> id, of customers and employees.
    """
    kept: list[Listed] = []
    out: dict[str, list[str]] = {reason: [] for reason in LEFT_OUT}
    for row in listed:
        now = known.get(row.customer)
        if row.customer in forgotten:
            out["forgotten"].append(row.customer)
        elif now is None or not now.staff:
            out["gone"].append(row.customer)
        elif now.do_not_contact:
            out["do_not_contact"].append(row.customer)
        elif row.customer in held_out:
            out["held_out"].append(row.customer)
        elif now.consent != "granted" or row.customer not in contactable:
            out["no_consent"].append(row.customer)
        elif row.customer not in names:
            out["no_id"].append(row.customer)
        elif now.staff not in names:
            out["no_staff_id"].append(row.customer)
        else:
            kept.append(row)
    return Sorted(tuple(kept), {reason: tuple(hids) for reason, hids in out.items()})


# ---- reach


def sends_left(limit: SendLimit, day: dt.date, delivered: Mapping[dt.date, int]) -> int:
    """Return how many messages may still go to a customer in what is left of a month.

    Args:
        limit: of each day, calendar week from Monday, or calendar month.
        day: today, which counts.
        delivered: day -> messages that reached the customer.

    >>> sends_left(SendLimit(4, "month"), dt.date(2027, 3, 30), {dt.date(2027, 3, 1): 3, dt.date(2027, 2, 28): 9})
    1
    >>> sends_left(SendLimit(1, "day"), dt.date(2027, 3, 30), {dt.date(2027, 3, 30): 1})
    1
    >>> sends_left(SendLimit(7, "week"), dt.date(2027, 3, 30), {dt.date(2027, 3, 29): 7})
    0
    """
    last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
    monday = day - dt.timedelta(days=day.weekday())
    opened = {"day": day, "week": monday, "month": day.replace(day=1)}[limit.period]
    more = {"day": (last - day).days, "week": (last - monday).days // 7, "month": 0}[limit.period]
    used = sum(count for on, count in delivered.items() if opened <= on <= day)
    return int(max(limit.level - used, 0) + limit.level * more)


def reach_of(tables: Engine, limit: SendLimit | None, customers: Sequence[str], day: dt.date) -> Reach:
    """Return how far mass messages to customers reach in what is left of the month."""
    week = day - dt.timedelta(days=6)
    since = min(day.replace(day=1), week, day - dt.timedelta(days=day.weekday()))
    wanted = set(customers)
    by_customer: dict[str, dict[dt.date, int]] = {customer: {} for customer in customers}
    for row in tables.query("delivered", {"since": since}).rows():
        if row["target_hid"] in wanted:
            by_customer[row["target_hid"]][row["day"]] = int(row["messages"])
    tasks = tables.query("confirmed", {"since": day - dt.timedelta(days=_CONFIRM_DAYS)}).one()
    until = tables.query("SELECT CAST(MAX(sent_at) AS DATE) AS day FROM send_results").one()["day"]
    return Reach(
        limit,
        {customer: sends_left(limit, day, days) for customer, days in by_customer.items()} if limit else {},
        {customer: sum(n for on, n in days.items() if week <= on <= day) for customer, days in by_customer.items()},
        int(tasks["tasks"]),
        int(tasks["confirmed"]),
        until,
    )


def fatigue_of(results: Mapping[str, Any]) -> float | None:
    """Return how many messages a week customers bear by a notebook's results; None where they do not tell."""
    return next((metric["value"] for metric in results["metrics"] if metric["id"] == FATIGUE), None)


# ---- the export


def _export(
    plan: Plan, run: Path, found: Mapping[str, Any], listed: Sequence[Listed], root: Path, outputs: Path, asked: Asked,
    sheet_words: Words, report: Report,
) -> Exported:  # fmt: skip
    from planlib.assigned import held_out
    from planlib.data import exports, forgotten, ids
    from planlib.data.engine import open_tables
    from planlib.data.rejoin import rejoin
    from planlib.registering import holdouts

    wanted = {row.customer for row in listed}
    gone = forgotten.read(root).people
    with open_tables(plan.data, root) as tables:
        known = _known(tables, wanted)
        if listed and not known.keys() | (gone & wanted):
            raise InputError(Problem("list_foreign", file=root.as_posix(), given=run.name))
        contactable = frozenset(map(str, tables.query("contactable").arrays()["external_hid"])) & wanted
        edges = {(hid, known[hid].staff) for hid in contactable - gone if hid in known}
        back = rejoin(root, ids.salt(root), {hid for edge in edges for hid in edge}, edges)
        left_alone = held_out(tables, root, plan=plan.id, holdouts=holdouts(plan), now=asked.now)
        sorted_out = sort_out(listed, known, contactable, gone, left_alone, back.ids)
        kept = [row.customer for row in sorted_out.kept]
        reach = reach_of(tables, platform_limit(plan), kept, asked.now.date())
        tags = _tags(tables, set(kept))
    consent = _consent_sources("consent_status")
    pulled = [entry.pulled_at for entry in report.entries if entry.rows and consent & set(entry.sources)]
    consent_on = dt.date.fromisoformat(max(pulled)[:10]) if pulled else None
    fatigue = fatigue_of(found)
    tired = sum(n >= fatigue for n in reach.week.values()) if fatigue is not None else 0
    by_staff: dict[str, list[Listed]] = {}
    for row in sorted_out.kept:
        by_staff.setdefault(known[row.customer].staff, []).append(row)
    flags = above_threshold(plan, fatigue) if fatigue is not None else ()
    log = outputs / "private" / exports.FILE
    folder = outputs / "private" / plan.id / "lists" / asked.name
    left_out = {reason: len(hids) for reason, hids in sorted_out.left_out.items() if hids}
    done = Exported(
        asked.name, folder if kept else None, len(kept), len(by_staff), left_out, reach, fatigue, flags, tired,
        consent_on, log, 0,
    )  # fmt: skip
    files = _files(by_staff, back.ids, back.shown, tags, done, plan, run, asked, sheet_words, root)
    entry = {
        "kind": "list", "at": asked.now.isoformat(timespec="seconds") + "+08:00", "plan": plan.id, "run": run.name,
        "list": asked.name, "for": asked.platform, "purpose": asked.purpose, "by": asked.by or _account(),
        "account": _account(), "listed": len(listed), "rows": len(kept), "employees": len(by_staff),
        "left_out": left_out, "sends_used_up": reach.used_up, "consent_on": consent_on and consent_on.isoformat(),
        "files_sha256": _digest(files),
        exports.UNJOINED: sorted(
            {*sorted_out.left_out["no_id"], *(known[hid].staff for hid in sorted_out.left_out["no_staff_id"])}
        ),
    }  # fmt: skip
    return replace(done, line=_publish(folder, files, log, entry))


def _known(tables: Engine, wanted: set[str]) -> dict[str, Known]:
    found = tables.query("listed").arrays()
    columns = (found[name] for name in ("external_hid", "staff_id", "consent_status", "do_not_contact"))
    rows = zip(*columns, strict=True)
    return {hid: Known(staff, consent, bool(left)) for hid, staff, consent, left in rows if hid in wanted}


def _tags(tables: Engine, wanted: set[str]) -> dict[str, list[str]]:
    found = tables.query("tag_names").arrays()
    tags: dict[str, list[str]] = {}
    for hid, name in zip(found["external_hid"], found["tag_name"], strict=True):
        if hid in wanted:
            tags.setdefault(hid, []).append(name)
    return tags


def _account() -> str:
    """Return the account that runs the command, as the system names it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "—"


def _files(
    by_staff: Mapping[str, Sequence[Listed]], names: Mapping[str, str], shown: Mapping[tuple[str, str], str],
    tags: Mapping[str, Sequence[str]], done: Exported, plan: Plan, run: Path, asked: Asked, w: Words, root: Path,
) -> dict[str, bytes]:  # fmt: skip
    """Return {name of a file: workbook}, one for each employee."""
    from planlib.data.store import is_sample
    from planlib.exchange.lists import Contact, file_stem, list_bytes

    files = {}
    for staff, rows in by_staff.items():
        contacts = [
            Contact(
                names[row.customer],
                shown.get((row.customer, staff), ""),
                tags.get(row.customer, ()),
                w.text(f"value.reason.{row.reason}"),
                w.text(f"value.action.{row.action}"),
                row.due,
                row.value_cny,
                _reach_cell(row.customer, done.reach, w),
            )
            for row in rows
        ]
        about = [
            w.text("listing.note.title", name=w.text(f"value.list.{asked.name}"), staff=names[staff]),
            w.text("listing.note.purpose", purpose=asked.purpose),
            w.text("listing.note.made", plan=w.pick(plan.title), run=run.name, date=w.date(asked.now.date())),
            w.text("listing.note.todo", act=w.text(f"value.act.{asked.name}")),
            w.text("listing.note.people", people=len(rows)),
        ]
        sample = [w.text("listing.note.sample")] if is_sample(root) else []
        rules = [w.text(f"listing.note.{rule}") for rule in ("order", "reach", "personal")]
        files[f"{file_stem(names[staff], staff)}.xlsx"] = list_bytes(contacts, [*about, *sample, *rules], w)
    return files


def _reach_cell(customer: str, reach: Reach, w: Words) -> str:
    if reach.limit is None:
        return ""
    return w.text("listing.reach.open" if reach.left[customer] else "listing.reach.used_up")


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _publish(folder: Path, files: Mapping[str, bytes], log: Path, entry: Mapping[str, Any]) -> int:
    """Put files in place of an earlier export of the list and log it, both or neither; return the line of the log.

    What stood there before is moved aside until the log has its line, and comes back when that fails.
    """
    from planlib.data.store import make_private
    from planlib.workbook.failures import DiskFull, is_disk_full

    try:
        for place in (log.parent, folder.parent.parent, folder.parent):
            make_private(place)
        with locked(log, wait_seconds=_LOG_WAIT_SECONDS):
            line = chain.next_line(log, entry, code=BROKEN)
            _swap(folder, files, lambda: chain.append(log, line))
            return chain.verify(log, code=BROKEN)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFull(folder.parent) from error
        raise InputError(Problem("sample_write", field="--out", given=folder.as_posix(),
                                 values={"reason": error.strerror or str(error)})) from None  # fmt: skip


def _swap(folder: Path, files: Mapping[str, bytes], noted: Callable[[], None]) -> None:
    from planlib.data.store import make_private

    new, old = (folder.with_name(f".{folder.name}.{name}") for name in ("new", "old"))
    if old.exists() and not folder.exists():  # an export was killed between its two moves
        os.replace(old, folder)
    for left_over in (new, old):
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        make_private(new)
        for name, content in files.items():
            (new / name).write_bytes(content)
        if folder.exists():
            try:
                os.replace(folder, old)
            except PermissionError:
                raise InputError(Problem("book_open", file=folder.as_posix())) from None
        try:
            noted()
            if files:
                os.replace(new, folder)
        except BaseException:
            if old.exists():
                os.replace(old, folder)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


# ---- what is said


def lines(done: Exported, asked: Asked, w: Words) -> list[str]:
    """Return what an export did, line by line."""
    name = w.text(f"value.list.{done.name}")
    if done.folder is None:
        said = [w.text("listing.say.nobody", name=name)]
    else:
        told = {"people": f"{done.rows:,}", "employees": done.employees, "folder": done.folder.as_posix()}
        said = [w.text("listing.say.done", name=name, **told)]
    said += [w.text(f"listing.left_out.{reason}", people=f"{n:,}") for reason, n in done.left_out.items()]
    if done.consent_on is None and done.left_out.get("no_consent"):
        said.append(w.text("listing.say.no_consent_sheet"))
    elif done.consent_on is not None:
        said.append(w.text("listing.say.consent_on", date=w.date(done.consent_on)))
    if done.rows:
        said += _reach_lines(done, asked, w)
    said += _flag_lines(done, w)
    said.append(w.text("listing.say.logged", line=done.line, log=done.log.as_posix()))
    return said


def _reach_lines(done: Exported, asked: Asked, w: Words) -> Iterator[str]:
    reach, month = done.reach, w.month(asked.now.date())
    if reach.limit is None:
        yield w.text("listing.say.no_limit")
        return
    told = {"limit": w.number(reach.limit.level, "number"), "period": w.text(f"listing.period.{reach.limit.period}")}
    yield w.text("listing.say.capacity", month=month, messages=f"{sum(reach.left.values()):,}", **told)
    if reach.used_up:
        yield w.text("listing.say.used_up", month=month, people=f"{reach.used_up:,}")
    if reach.until is None or reach.until < asked.now.date().replace(day=1):
        yield w.text("listing.say.sends_until", date="—" if reach.until is None else w.date(reach.until))
    if reach.tasks:
        share = reach.confirmed / reach.tasks
        expected = round(share * (done.rows - reach.used_up))
        told = {"share": w.number(share, "ratio"), "tasks": f"{reach.tasks:,}", "people": f"{expected:,}"}
        yield w.text("listing.say.confirmed", days=_CONFIRM_DAYS, **told)


def _flag_lines(done: Exported, w: Words) -> Iterator[str]:
    if done.fatigue is None:
        yield w.text("listing.say.no_fatigue")
        return
    bear = w.number(done.fatigue, "number")
    for pushes in done.flags:
        if pushes.kind == "limit":
            yield w.text("listing.flag.limit", per_week=w.number(pushes.per_week, "number"), bear=bear)
    tests = [f"{pushes.id} ({w.number(pushes.per_week, 'number')})" for pushes in done.flags if pushes.kind == "test"]
    if tests:
        yield w.text("listing.flag.tests", tests=w.text("listing.comma").join(tests), bear=bear)
    if done.tired:
        yield w.text("listing.flag.tired", people=f"{done.tired:,}", bear=bear)
