"""A review of a plan, by hand or on a schedule: load what is new, run what it needs, say what changed, make its deck.

The exit status says how it ended, and so does a summary for other programs; docs/operation.md describes both.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import Plan, load_plan
from planlib.report.deck_pages import CHANGES, Edition
from planlib.workbook import lock
from planlib.workbook.cadence import CHINA, Cadence, kind_of, slot, slots
from planlib.workbook.context import project_root
from planlib.workbook.failures import LedgerBusy, LockHeld, RunError
from planlib.workbook.job import Hearing
from planlib.workbook.ledger import damaged
from planlib.workbook.outcome import RunOutcome
from planlib.workbook.progress import drawn
from planlib.workbook.remains import read_manifest, thin
from planlib.workbook.runner import make_plan_dir, run

SCHEMA = 1
DONE, FAILED, REFUSED, BUSY = 0, 1, 2, 3  # exit statuses
MENDABLE = frozenset({"kernel_died", "worker_died", "worker_start"})  # a notebook's failures worth a second attempt
COUNTS = ("numbers", "revised", "assumptions", "decisions", "opened", "closed", "done", "overdue")

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted of a review.

    Attributes:
        path: the plan.
        cadence: weekly, monthly, quarterly or annual.
        as_of: its day as typed; None for the newest slot that is due.
        keep: how many runs stay; None for all.
        scenario, sets, seed, jobs, fresh: as of any run.
        out_root: where runs are kept.
        now: the moment.
    """

    path: str
    cadence: str
    as_of: str | None = None
    keep: int | None = None
    scenario: str | None = None
    sets: tuple[str, ...] = ()
    seed: int | None = None
    jobs: int | None = None
    fresh: bool = False
    out_root: Path = Path("outputs")
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(CHINA))


@dataclass(frozen=True, slots=True)
class Held:
    """A review that was held: its slot and its run's folder."""

    slot: dt.date
    folder: Path


class Nothing(Exception):
    """Nothing is due; the sentence says why."""


def review(
    asked: Asked, w: Words, write: Write, *, load: Callable[..., Plan] = load_plan, stream: TextIO | None = None,
    hearing: Hearing | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Hold a review and return its summary; `exit_code` in it is the exit status.

    Args:
        asked: what is wanted.
        w: the language of what is told.
        write: takes what is told, line by line.
        load: opens what `asked.path` names: `load_plan`, or one that opens workbooks too.
        stream: where the run is drawn; else the standard output.
        hearing: who is told of the run, if there was one.

    Raises:
        InputError: the plan, the day or an option is wrong; nothing has been run.
    """
    kind = kind_of(asked.cadence)
    _check_keep(asked.keep)
    day = None if asked.as_of is None else _day(asked.as_of)
    plan = _opened(asked, load)
    summary = _empty(plan.id, kind)
    plan_dir = asked.out_root.absolute() / plan.id
    make_plan_dir(plan_dir)
    try:
        with lock.hold(plan_dir):
            return _Review(asked, w, write, load, plan, plan_dir, kind, day, summary, stream, hearing).held()
    except LockHeld as error:
        write(error.render(w.locale))
        write(w.text("rhythm.say.busy"))
        return summary | {"status": "busy", "exit_code": BUSY, "error": error.render(w.locale)}
    except Nothing as told:
        write(str(told))
        return summary | {"status": "nothing_due", "exit_code": DONE, "note": str(told)}
    except RunError as error:
        write(error.render(w.locale))
        return summary | {"status": "failed", "exit_code": FAILED, "error": error.render(w.locale)}


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One of several reviews: its summary, its plan as of the day, and its run or the reason why there is none."""

    summary: Mapping[str, Any]
    plan: Plan
    ending: RunOutcome | Exception


def reviews(
    asked: Mapping[str, tuple[Asked, Plan]], w: Words, write: Write, *, load: Callable[..., Plan],
    memory_bytes: float | None = None, progress: Callable[..., None], settled: Callable[..., None],
) -> dict[str, Reviewed]:  # fmt: skip
    """Hold the reviews of several plans, their notebooks in one pool; one that fails stops no other.

    Args:
        asked: plan id -> what is wanted and the plan as it stands; cadence, jobs and out_root are the same in all.
        write: takes what is told, line by line, each with its plan's id in front.
        progress, settled: as of `many.run_many`.
    """
    from planlib.workbook.many import Order, run_many

    first = next(iter(asked.values()))[0]
    kind = kind_of(first.cadence)
    _check_keep(first.keep)
    day = None if first.as_of is None else _day(first.as_of)
    held: dict[str, _Review] = {}
    for plan_id, (one, plan) in asked.items():
        plan_dir = one.out_root.absolute() / plan_id

        def tell(line: str, plan_id: str = plan_id) -> None:
            write(f"{plan_id}: {line}")

        held[plan_id] = _Review(one, w, tell, load, plan, plan_dir, kind, day, _empty(plan_id, kind), None)
    endings: dict[str, RunOutcome | Exception] = {}
    todo = list(asked)
    while todo:
        for plan_id in todo:
            held[plan_id].summary["status"] = ""
        orders = [_order(Order, held[plan_id]) for plan_id in todo]
        endings |= run_many(
            orders, project_root=project_root(), out_root=first.out_root, jobs=first.jobs, memory_bytes=memory_bytes,
            locale=w.locale, wait_seconds=0.0, progress=progress, settled=settled,
        )  # fmt: skip
        todo = [plan_id for plan_id in todo if held[plan_id].summary["status"] == "again"]
    return {plan_id: _reviewed(one, endings[plan_id]) for plan_id, one in held.items()}


def _order(make: Callable[..., Any], one: _Review) -> Any:
    """Return the order of a review, which is known in full once the plan's lock is held."""

    def prepare() -> Any:
        one.summary["attempts"] += 1
        one.prepare()
        return make(plan=one.of_day, **one.wanted)

    def ended(outcome: RunOutcome) -> None:
        if one.summary["attempts"] == 1 and _mendable(outcome):
            one.summary["status"] = "again"
            one._again(outcome)
        else:
            one.summary |= one.conclude(outcome)

    return make(plan=one.plan, prepare=prepare, ended=ended)


def _reviewed(one: _Review, ending: RunOutcome | Exception) -> Reviewed:
    plan, told = one.of_day or one.plan, one.summary
    if isinstance(ending, Nothing):
        told = told | {"status": "nothing_due", "exit_code": DONE, "note": str(ending)}
        one.write(str(ending))
    elif isinstance(ending, Exception):
        text = ending.render(one.w.locale) if isinstance(ending, InputError | RunError) else str(ending)
        busy = isinstance(ending, LockHeld)
        told = told | {"status": "busy" if busy else "failed", "exit_code": BUSY if busy else FAILED, "error": text}
    return Reviewed(told, plan, ending)


def _mendable(outcome: RunOutcome) -> bool:
    """Return whether a second attempt may mend what failed."""
    reasons = {step.error.reason for step in outcome.steps if step.error}
    return not outcome.ok and bool(reasons) and reasons <= MENDABLE


def automate_plan(
    plan_file: str, w: Words, *, cadence: str, at: str | None, keep: int | None, out: str | None
) -> list[Path]:
    """Write what schedulers need to hold a plan's reviews, and return the files.

    Args:
        plan_file: the plan.
        w: the language that runs display.
        cadence: kind of the review.
        at: when it runs; else Mondays, or the second of the month, at 08:00.
        keep: how many runs stay; None for all.
        out: folder; else one beside the plan.

    Raises:
        InputError: the plan has problems, or an option is wrong.
    """
    from planlib.workbook.automate import parse_at, write_schedules

    kind = kind_of(cadence)
    _check_keep(keep)
    plan = load_plan(plan_file)
    when = parse_at(at or ("Mon 08:00" if kind.id == "weekly" else "2 08:00"), kind.id, plan.start)
    root, file = project_root(), Path(plan_file).resolve()
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    command = [sys.executable, "-m", "planlib", "run", shown, "--cadence", kind.id, "--locale", w.locale]
    command += [] if keep is None else ["--keep", str(keep)]
    folder = Path(out) if out else Path(plan_file).with_name(f"{Path(plan_file).stem}.automate")
    since = dt.date.fromisoformat(f"{plan.start}-01")
    return write_schedules(plan.id, command, root=root, kind=kind, at=when, out=folder, since=since)


def refused(error: InputError, w: Words) -> dict[str, Any]:
    """Return the summary of a review that bad input forbids."""
    told = {"status": "refused", "exit_code": REFUSED, "error": error.render(w.locale)}
    return _empty(None, None) | told


def as_json(summary: Mapping[str, Any]) -> str:
    """Return a summary as other programs read it."""
    return json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)


def _empty(plan_id: str | None, kind: Cadence | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA, "plan": plan_id, "cadence": kind and kind.id, "status": "", "exit_code": DONE, "slot": None,
        "data_until": None, "missed": [], "since": None, "run_id": None, "run_dir": None, "decks": [], "attempts": 0,
        "notebooks": [], "loaded": None, "counts": None, "changes": [], "removed": [], "ledger_put_aside": None,
        "note": None, "error": None,
    }  # fmt: skip


@dataclass
class _Review:
    """One review, with the plan's lock held."""

    asked: Asked
    w: Words
    write: Write
    load: Callable[..., Plan]
    plan: Plan
    plan_dir: Path
    kind: Cadence
    day: dt.date | None
    summary: dict[str, Any]
    stream: TextIO | None
    hearing: Hearing | None = None
    aside: Sequence[Path] = ()
    of_day: Plan | None = None  # the plan as of the review's day
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def held(self) -> dict[str, Any]:
        """Hold it."""
        self.prepare()
        if self.hearing:
            self.hearing.before(self.of_day)
        outcome = self._run()
        told = self.conclude(outcome)
        if self.hearing:
            self.hearing.after(self.of_day, outcome, [Path(deck) for deck in told["decks"]])
        return told

    def prepare(self) -> None:
        """Load what is new, find the day, and what the run is to be.

        Raises:
            InputError: the day is wrong.
            Nothing: no slot is due.
        """
        self.aside = damaged(self.plan_dir)
        self.summary["loaded"] = self._load()
        days = self._data_days()
        when, since = self._when(days)
        last = since.slot if since else None
        missed = [] if last is None else self._slots(last + dt.timedelta(days=1), when - dt.timedelta(days=1))
        until = min(when, days[1]) if days else None
        self._tell_slot(when, since, missed, until)
        self.of_day = _opened(self.asked, self.load, as_of=(until or when).isoformat())
        self.wanted = self._wanted(self.of_day, when, since, missed, until)

    def conclude(self, outcome: RunOutcome) -> dict[str, Any]:
        """Return the summary of the run that ended."""
        broken = [path.name for path in damaged(self.plan_dir) if path not in self.aside]
        if broken:
            self.summary["ledger_put_aside"] = broken[0]
            self.write(self.w.text("rhythm.say.put_aside", file=broken[0]))
        return self._told(outcome)

    # before the run

    def _load(self) -> dict[str, Any] | None:
        """Read new raw files; None where the plan has no folder of them. What cannot be read stops nothing."""
        from planlib.data import store
        from planlib.workbook.data_job import alone

        root = Path(self.plan.data_root)
        if not store.raw_dir(root).is_dir():
            return None
        from planlib.data.load import load

        try:
            with alone(root, self.w, self.write):
                report = load(root)
        except (InputError, OSError) as error:
            reason = error.render(self.w.locale) if isinstance(error, InputError) else str(error)
            self.write(self.w.text("rhythm.say.no_load", reason=reason))
            return {"read": 0, "rows": 0, "aside": [], "error": reason}
        self.write(self.w.text("rhythm.say.loaded", files=report.read, rows=self.w.number(report.rows, "count")))
        for entry in report.aside:
            self.write(self.w.text("rhythm.say.aside", file=entry.path))
        aside = [
            {"file": entry.path, "problems": [problem.render(self.w.locale) for problem in entry.problems]}
            for entry in report.aside
        ]
        return {"read": report.read, "rows": report.rows, "aside": aside, "error": None}

    def _data_days(self) -> tuple[dt.date, dt.date] | None:
        """Return first and newest day of the tidy tables."""
        from planlib.data.store import table_files

        if not table_files(self.plan.data_root):
            return None
        from planlib.data.baseline import period
        from planlib.data.engine import open_tables

        with open_tables(self.plan.data) as tables:
            return period(tables)

    def _when(self, days: tuple[dt.date, dt.date] | None) -> tuple[dt.date, Held | None]:
        """Return the slot to review, and the last review of this kind before it.

        Raises:
            InputError: the day that was asked for is in the future, or before there was anything.
            Nothing: no slot is due.
        """
        first = days[0] if days else dt.date.fromisoformat(f"{self.plan.start}-01")
        today = self.asked.now.astimezone(CHINA).date()
        held = self._reviews()
        if self.day is not None:
            last = max(today, days[1]) if days else today
            if self.day > last:
                raise InputError(Problem("future_as_of", field="--as-of", given=str(self.day), values={"last": last}))
            if self.day < first:
                raise InputError(Problem("before_plan", field="--as-of", given=str(self.day), values={"first": first}))
            return self.day, _last_before(held, self.day)
        w, name = self.w, self.w.text(f"rhythm.cadence.{self.kind.id}")
        due = slot(self.kind, self.plan.start, today - dt.timedelta(days=1))
        if due < first:
            begun = self._slots(first, first + dt.timedelta(days=400))[0]
            raise Nothing(w.text("rhythm.say.not_begun", kind=name, slot=w.date(begun)))
        newest = max(held, key=lambda one: (one.slot, one.folder.name), default=None)
        if newest and newest.slot > due:
            raise Nothing(w.text("rhythm.say.clock_back", slot=w.date(due), done=w.date(newest.slot)))
        if newest and newest.slot == due and not self.asked.fresh:
            told = {"kind": name, "slot": w.date(due), "run_id": newest.folder.name}
            raise Nothing(w.text("rhythm.say.not_due", **told))
        return due, _last_before(held, due)

    def _slots(self, first: dt.date, last: dt.date) -> list[dt.date]:
        return slots(self.kind, self.plan.start, first, last)

    def _reviews(self) -> list[Held]:
        """Return the reviews of this kind whose runs are there."""
        found = []
        for folder in sorted(self.plan_dir.glob("2*/")):
            told = read_manifest(folder).get("review")
            if told and told["cadence"] == self.kind.id:
                found.append(Held(dt.date.fromisoformat(told["slot"]), folder))
        return found

    def _tell_slot(self, when: dt.date, since: Held | None, missed: Sequence[dt.date], until: dt.date | None) -> None:
        w, name = self.w, self.w.text(f"rhythm.cadence.{self.kind.id}")
        self.write(w.text("rhythm.say.slot", kind=name, slot=w.date(when)))
        if since is None:
            self.write(w.text("rhythm.say.first", kind=name))
        else:
            self.write(w.text("rhythm.say.since", kind=name, slot=w.date(since.slot), run_id=since.folder.name))
        if missed:
            told = ", ".join(w.date(day) for day in missed)
            self.write(w.text("rhythm.say.missed", kind=name, slots=told))
        if until is not None and until < when:
            told = {"until": w.date(until), "days": (when - until).days, "slot": w.date(when)}
            self.write(w.text("rhythm.say.behind", **told))
        self.summary |= {
            "slot": when.isoformat(), "data_until": until and until.isoformat(),
            "missed": [day.isoformat() for day in missed],
            "since": since and {"run_id": since.folder.name, "slot": since.slot.isoformat()},
        }  # fmt: skip

    # the run

    def _wanted(
        self, plan: Plan, when: dt.date, since: Held | None, missed: Sequence[dt.date], until: dt.date | None
    ) -> dict[str, Any]:
        """Return the arguments that make a run this review's."""
        from planlib.changing import Occasion, record, review_sha256
        from planlib.core import chain
        from planlib.plan.decide import adopted_path, log_path

        file = project_root() / str(plan.origin()["file"])
        log = log_path(file)
        entries = [e for e in chain.entries(log) if e.get("date", "") <= when.isoformat()] if log.is_file() else []
        files = [path for path in (adopted_path(file), *_chain(file)) if path.is_file()]
        folder = since.folder if since else None
        occasion = Occasion(self.kind, when, until, folder, tuple(missed), entries, files)
        block = {
            "cadence": self.kind.id, "slot": when.isoformat(), "since": folder and folder.name,
            "missed": [day.isoformat() for day in missed], "decisions": review_sha256(entries),
        }  # fmt: skip
        edition = Edition(self.kind.id, self.kind.pages, self.kind.cover)

        def complete(made: Path) -> None:
            from planlib.report.deck import make_decks

            record(made, plan, occasion, self.w)
            make_decks(made, locales=plan.report.locales, edition=edition)

        return {
            "only": self.kind.notebooks, "alone": self.kind.alone, "fresh": self.asked.fresh, "review": block,
            "complete": complete,
        }  # fmt: skip

    def _run(self) -> RunOutcome:
        """Run the notebooks, once more where that can mend a failure.

        Raises:
            RunError: the run cannot be made.
        """
        while True:
            self.summary["attempts"] += 1
            may = self.summary["attempts"] == 1
            try:
                with drawn(self.w, stream=self.stream) as progress:
                    outcome = run(
                        self.of_day, project_root=project_root(), out_root=self.asked.out_root, jobs=self.asked.jobs,
                        locale=self.w.locale, progress=progress, held=True, **self.wanted,
                    )  # fmt: skip
            except LedgerBusy as error:
                if not may:
                    raise
                self.write(self.w.text("rhythm.say.again", reason=error.code))
                continue
            if not may or not _mendable(outcome):
                return outcome
            self._again(outcome)

    def _again(self, outcome: RunOutcome) -> None:
        reasons = {step.error.reason for step in outcome.steps if step.error}
        self.write(self.w.text("rhythm.say.again", reason=", ".join(sorted(reasons))))

    # after the run

    def _told(self, outcome: RunOutcome) -> dict[str, Any]:
        """Return the summary of a run that ended, older runs removed where it ended well."""
        self.summary |= {
            "run_id": outcome.run_id,
            "run_dir": outcome.run_dir.as_posix(),
            "notebooks": [
                {"id": step.notebook, "status": step.status, "seconds": round(step.seconds, 3),
                 "reason": step.error and step.error.reason}
                for step in outcome.steps
            ],
        }  # fmt: skip
        if not outcome.ok:
            failed = ", ".join(step.notebook for step in outcome.steps if step.status == "failed")
            return self.summary | {"status": "failed", "exit_code": FAILED, "error": failed}
        changes = outcome.run_dir / CHANGES
        counted = {metric["id"]: metric["value"] for metric in res.load(changes / "results.json")["metrics"]}
        counts = {name: int(counted[name]) for name in COUNTS}
        decks = sorted((outcome.run_dir / "decks").glob(f"{self.plan.id}.{self.kind.id}.*.pdf"))
        self.summary |= {
            "status": "up_to_date" if outcome.reused else "done",
            "decks": [path.as_posix() for path in decks],
            "counts": counts,
            "changes": [_change(row) for row in res.read_table(changes, "changes")],
        }
        self.write(self.w.text("rhythm.say.counts", **counts))
        for path in decks:
            self.write(self.w.text("cli.deck", path=_shown(path)))
        if self.asked.keep is not None:
            self.summary["removed"] = thin(self.plan_dir, keep=self.asked.keep)
            if self.summary["removed"]:
                self.write(self.w.text("rhythm.say.removed", runs=", ".join(self.summary["removed"])))
        return self.summary


def _check_keep(keep: int | None) -> None:
    if keep is not None and keep < 1:
        raise InputError(Problem("keep_low", field="--keep", given=keep))


def _opened(asked: Asked, load: Callable[..., Plan], *, as_of: str | None = None) -> Plan:
    return load(asked.path, scenario=asked.scenario, sets=asked.sets, as_of=as_of, seed=asked.seed)


def _day(typed: str) -> dt.date:
    try:
        return dt.date.fromisoformat(typed.strip())
    except ValueError:
        raise InputError(Problem("date", field="--as-of", given=typed, values={"form": "YYYY-MM-DD"})) from None


def _last_before(held: Sequence[Held], day: dt.date) -> Held | None:
    before = [one for one in held if one.slot < day]
    return max(before, key=lambda one: (one.slot, one.folder.name), default=None)


def _chain(plan_file: Path) -> list[Path]:
    """Return a plan file and those that it extends, the nearest first."""
    from planlib.plan.tree import read

    found: list[Path] = []
    here: Path | None = plan_file
    while here is not None and here.is_file() and here not in found and here.suffix in (".yaml", ".yml"):
        found.append(here)
        parent = read(here, here.as_posix()).plain().get("extends")
        here = here.parent / parent if parent else None
    return found


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row[f"{name}_value"] for name in ("before", "now")}
    known = {name: None if value is None or math.isnan(value) else value for name, value in values.items()}
    texts = {f"{name}_text": {loc: row[f"{name}_{loc}"] for loc in ("zh", "en")} for name in ("what", "before", "now")}
    return {"kind": row["kind"], "event": row["event"], "id": row["id"], **known, "unit": row["unit"] or None, **texts}


def _shown(path: Path) -> str:
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
