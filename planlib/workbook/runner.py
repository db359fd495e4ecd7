"""Run a plan's notebooks: in order, in parallel, whole or not at all.

A run is built in `<out_root>/<plan id>/.run-<run_id>.tmp` and renamed to `<out_root>/<plan id>/<run_id>` when
every notebook has ended well; the file `latest` beside it moves only then. What failed is kept for reading in
`<plan id>/failed/<run_id>/`. A notebook whose key (see keys.py) an earlier whole run has is linked from there.
How a notebook ended is known from its worker's events and exit status, never from the notebook.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from planlib.core import results
from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.plan.tracking import baseline_path, log_path
from planlib.workbook import lock
from planlib.workbook.failures import (
    DiskFull,
    LedgerBusy,
    RunError,
    StepError,
    is_busy,
    is_disk_full,
    mentions_disk_full,
)
from planlib.workbook.graph import MAX_TIMEOUT_SECONDS, Graph, read_graph
from planlib.workbook.keys import RESULTS, folder_sha256, needs_sha256, stands, step_keys, surroundings
from planlib.workbook.ledger import FILE, LATEST, Ledger, RunRow, StepRow, latest_run, now, sha256_file
from planlib.workbook.memory import Memory
from planlib.workbook.outcome import (
    OwnRefused,
    Progress,
    RunEnded,
    RunOutcome,
    RunStarted,
    StepEnded,
    StepOutcome,
    Waiting,
)
from planlib.workbook.remains import (
    FAILED,
    MANIFEST,
    NEXT_LATEST,
    WORKERS,
    clear_away,
    keep,
    read_manifest,
    recover,
    temporary,
)
from planlib.workbook.source import Source, check_parameters, check_plan_id, read_source

if TYPE_CHECKING:
    from planlib.workbook.schedule import Lane

PLAN = "plan.json"
_EXIT_CODES = {"done": 0, "failed": 1, "interrupted": 130}
_VERSIONS_OF = ("planlib", "papermill", "nbclient", "ipykernel", "numpy")
_RENAME_SECONDS = 5.0


class RunnablePlan(Protocol):
    """What the runner needs of a plan."""

    @property
    def id(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def data_root(self) -> str: ...
    def resolved_json(self) -> str:
        """Return the file that notebooks load in its place."""

    def origin(self) -> Mapping[str, Any]:
        """Return out of what it was made, as the manifest names it."""


def run(
    plan: RunnablePlan,
    *,
    project_root: str | Path,
    out_root: str | Path,
    only: Iterable[str] = (),
    jobs: int | None = None,
    memory_bytes: float | None = None,
    fresh: bool = False,
    locale: str = "zh",
    timeout: float | None = None,
    wait_seconds: float = 0.0,
    progress: Progress = lambda event: None,
    held: bool = False,
    alone: bool = False,
    review: Mapping[str, Any] | None = None,
    complete: Callable[[Path], None] = lambda folder: None,
) -> RunOutcome:
    """Run the notebooks of a plan.

    Args:
        plan: a checked plan.
        project_root: folder with notebooks/workbook.yaml.
        out_root: where runs are kept.
        only: run these notebooks and what they need; of the others, keep what still matches the latest run.
        jobs: notebooks at once; else as many as cores.
        memory_bytes: what they may hold together; else most of what is free. As many run at once as fit.
        fresh: run even what has not changed.
        locale: language that the notebooks display.
        timeout: seconds for each notebook in place of workbook.yaml's.
        wait_seconds: how long to wait for another run of the plan.
        progress: called with every event, from the calling thread.
        held: the caller holds the plan's lock.
        alone: run those of `only` without what they need.
        review: what the manifest says of the review that this run is; a run of another review is another run.
        complete: adds to the run's folder what belongs to it, once every notebook has ended well and before the run
            gets its name; a run that it fails for is not put in place.

    Returns:
        How it ended; `ok` is False when a notebook failed.

    Raises:
        InputError: arguments or workbook.yaml are wrong; nothing has been written.
        LockHeld: another run of this plan goes on.
        LedgerBusy: another program keeps the ledger to itself.
        DiskFull: no space is left; the last whole run is untouched.
        RunError: files or folders may not be written.
        KeyboardInterrupt: after everything has been ended and partial notebooks kept.
    """
    root, out = Path(project_root).resolve(), Path(out_root).absolute()
    graph = read_graph(root)
    if alone:
        graph = graph.alone(graph.named(only))
    wanted = graph.subset(only)
    check(plan, locale=locale, jobs=jobs, timeout=timeout, out=out)
    plan_dir = out / plan.id
    with telling(plan_dir), contextlib.ExitStack() as stack:
        found = PlanRun.open(
            plan, stack, root=root, plan_dir=plan_dir, graph=graph, wanted=wanted, locale=locale, fresh=fresh,
            jobs=jobs or cores(), timeout=timeout, wait_seconds=wait_seconds, progress=progress, held=held,
            review=review, complete=complete,
        )  # fmt: skip
        return found.execute(Memory(memory_bytes))


@contextlib.contextmanager
def telling(plan_dir: Path) -> Iterator[None]:
    """Turn what the system says of a full disk, a busy ledger or missing rights into a run's own errors."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise DiskFull(plan_dir) from error
        if is_busy(error):
            raise LedgerBusy("ledger_busy", file=plan_dir / FILE) from error
        if isinstance(error, PermissionError):
            raise RunError("no_permission", folder=error.filename or plan_dir) from error
        raise


def make_plan_dir(folder: Path) -> None:
    """Make the plan's folder; a place that can hold none is told like one that may not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise RunError("no_permission", folder=error.filename or folder) from error


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(kw_only=True)
class PlanRun:
    """One run of a plan, with the plan's lock held and the ledger open: `begin`, its notebooks, `end`."""

    plan: RunnablePlan
    root: Path
    plan_dir: Path
    graph: Graph
    wanted: tuple[str, ...]
    ledger: Ledger
    locale: str
    fresh: bool
    jobs: int
    timeout: float | None
    progress: Progress
    began: float
    review: Mapping[str, Any] | None
    complete: Callable[[Path], None]
    run_id: str = ""
    started: str = field(default_factory=now)
    plan_json: str = ""
    sources: dict[str, Source] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    rows: dict[str, StepRow] = field(default_factory=dict)
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)
    _latest: Path | None = None

    @classmethod
    def open(
        cls, plan: RunnablePlan, stack: contextlib.ExitStack, *, plan_dir: Path, wait_seconds: float,
        progress: Progress, held: bool = False, **facts: Any,
    ) -> PlanRun:  # fmt: skip
        """Take the plan's lock and ledger, which the stack lets go, and put right what killed runs left.

        Args:
            held: the caller holds the lock.

        Raises:
            LockHeld: another run of this plan goes on.
            RunError: the ledger cannot be used.
        """
        began = time.monotonic()
        make_plan_dir(plan_dir)
        on_wait = lambda holder: progress(Waiting(holder))  # noqa: E731
        if not held:
            stack.enter_context(lock.hold(plan_dir, wait_seconds=wait_seconds, on_wait=on_wait))
        ledger = stack.enter_context(Ledger(plan_dir))
        recover(plan_dir, ledger)
        return cls(plan=plan, plan_dir=plan_dir, ledger=ledger, progress=progress, began=began, **facts)

    @property
    def run_dir(self) -> Path:
        return self.plan_dir / self.run_id

    @property
    def folder(self) -> Path:
        """Where the run is built."""
        return temporary(self.plan_dir, self.run_id)

    @property
    def kept(self) -> Path:
        """Where partial notebooks are kept."""
        return self.plan_dir / FAILED / self.run_id

    def execute(self, memory: Memory) -> RunOutcome:
        """Run it alone."""
        outcome = self.begin()
        if outcome is not None:
            return outcome
        try:
            if self.todo():
                self._work(memory)
            return self.end()
        except BaseException as error:
            self.give_up(error)
            raise

    def _work(self, memory: Memory) -> None:
        from planlib.workbook.schedule import Schedule

        alone, folder = _Alone(self.lane()), self.folder / WORKERS
        with Schedule(alone, folder=folder, project_root=self.root, jobs=self.jobs, memory=memory) as schedule:
            schedule.work()

    def begin(self) -> RunOutcome | None:
        """Begin: link what need not run again. Return the latest run when nothing has changed."""
        if self.graph.refused:
            self.progress(OwnRefused(self.graph.refused))
        self.plan_json = self.plan.resolved_json()
        self.sources, self.keys = self._keys()
        self._latest = latest_run(self.plan_dir)
        standing = self._standing(self._latest, {}, self.graph.order())
        if self._latest is not None and self._nothing_changed(self._latest, standing):
            return self._latest_as_it_is(self._latest)
        self.run_id = self._new_id()
        place = self._relative(self.run_dir)
        self.ledger.start(RunRow(self.run_id, self.plan.id, self.plan.sha256, self.locale, self.started, folder=place))
        try:
            self._build(standing)
        except BaseException as error:
            self.give_up(error)
            raise
        return None

    def end(self) -> RunOutcome:
        """End it when every notebook has an outcome: put it in place, or keep of it what can be read."""
        if not self.settle():
            return self.fail()
        self.complete(self.folder)
        return self.put_in_place()

    def settle(self) -> bool:
        """Return whether every notebook ended well; then make the run whole but for what `complete` adds."""
        broken = [name for name, outcome in self.outcomes.items() if outcome.status not in ("done", "reused")]
        if not all(self.graph[notebook_id].own for notebook_id in broken):
            return False
        for notebook_id in broken:
            shutil.rmtree(self.folder / notebook_id, ignore_errors=True)
        others = [notebook_id for notebook_id in self.graph.order() if not self.ended(notebook_id)]
        for notebook_id, step in self._standing(self._latest, self.rows, others).items():
            self._reuse(notebook_id, step)
        self._forget_what_changed_meanwhile()
        shutil.rmtree(self.folder / WORKERS, ignore_errors=True)
        write_whole(self.folder / MANIFEST, self._manifest())
        return True

    def put_in_place(self) -> RunOutcome:
        """Give a whole run its name and let `latest` name it; nothing that needs space comes between the two."""
        write_whole(self.plan_dir / NEXT_LATEST, f"{self.run_id}\n")
        _rename(self.folder, self.run_dir)
        _rename(self.plan_dir / NEXT_LATEST, self.plan_dir / LATEST)
        self._finish("done")
        return self._outcome(ok=True)

    def fail(self) -> RunOutcome:
        """End a run of which a notebook failed."""
        clear_away(self.folder, self.kept)
        self._finish("failed")
        return self._outcome(ok=False)

    def give_up(self, error: BaseException) -> None:
        """End a run that an error stopped: keep its partial notebooks, close it in the ledger."""
        clear_away(self.folder, self.kept)
        self._finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")

    def lane(self) -> Lane:
        """Return what a schedule needs of the run."""
        from planlib.workbook.schedule import Lane

        return Lane(
            self, self.graph, timeout=self.timeout, means=self.ledger.mean_seconds(),
            peak_bytes=self.ledger.peak_bytes(), progress=self.progress,
        )  # fmt: skip

    # what need not run again

    def _keys(self) -> tuple[dict[str, Source], dict[str, str]]:
        sources = {notebook.id: read_source(notebook.path) for notebook in self.graph}
        plan_sha256 = hashlib.sha256(self.plan_json.encode()).hexdigest()
        around = surroundings(
            plan_sha256,
            locale=self.locale,
            project_root=self.root,
            data_root=self.plan.data_root,
            ledger=self.ledger,
            beside=[self.root / path(str(self.plan.origin()["file"])) for path in (log_path, baseline_path)],
        )
        return sources, step_keys(self.graph, sources, surroundings=around)

    def _standing(self, latest: Path | None, rows: Mapping[str, StepRow], ids: Iterable[str]) -> dict[str, StepRow]:
        """Return steps of earlier runs to use again: any for wanted notebooks, for others only the latest's.

        Args:
            latest: the latest run.
            rows: steps that this run already has.
            ids: the notebooks in question, in order.
        """
        found = dict(rows)
        for notebook_id in ids:
            is_wanted = notebook_id in self.wanted
            needs = self.graph[notebook_id].needs
            if self.sources[notebook_id].error or (self.fresh and is_wanted) or not set(needs) <= set(found):
                continue
            candidates = self.ledger.reusable(notebook_id, self.keys[notebook_id])
            of_latest = [row for row in candidates if latest is not None and row.run_id == latest.name]
            others = [row for row in candidates if row not in of_latest] if is_wanted else []
            read = self._needs_sha256(notebook_id, found)
            fit = (row for row in (*of_latest, *others) if row.needs_sha256 == read and self._stands(row))
            step = next(fit, None)
            if step is not None:
                found[notebook_id] = step
        return {notebook_id: step for notebook_id, step in found.items() if notebook_id not in rows}

    def _needs_sha256(self, notebook_id: str, rows: Mapping[str, StepRow]) -> str:
        return needs_sha256({need: rows[need].results_sha256 for need in self.graph[notebook_id].needs})

    def _stands(self, row: StepRow) -> bool:
        folder = self.plan_dir.parent / (row.folder or "")
        sha256 = row.folder_sha256 or ""
        return stands(folder, sha256, project_root=self.root, file_sha256=self.ledger.file_sha256)

    def _nothing_changed(self, latest: Path, standing: Mapping[str, StepRow]) -> bool:
        """Return whether a new run would only repeat the latest one."""
        if not set(self.wanted) <= set(standing) or any(row.run_id != latest.name for row in standing.values()):
            return False
        of_latest = {row.notebook for row in self.ledger.steps(latest.name)}
        whole = of_latest == set(standing) and (latest / PLAN).is_file()
        manifest = read_manifest(latest)
        return whole and bool(manifest) and manifest.get("review") == self.review

    def _latest_as_it_is(self, latest: Path) -> RunOutcome:
        ids = self.graph.order([row.notebook for row in self.ledger.steps(latest.name)])
        steps = tuple(StepOutcome(notebook_id, "reused") for notebook_id in ids)
        outcome = RunOutcome(latest.name, latest, steps, ok=True, reused=True, seconds=self._elapsed())
        self.progress(RunEnded(outcome))
        return outcome

    # building

    def _build(self, standing: Mapping[str, StepRow]) -> None:
        """Fill the run's folder: earlier steps linked, the others run."""
        self.folder.mkdir()
        write_whole(self.folder / PLAN, self.plan_json)
        chosen = set(self.wanted) | set(standing)
        titles = {notebook_id: self.graph[notebook_id].title for notebook_id in self.graph.order(chosen)}
        todo = [notebook_id for notebook_id in self.wanted if notebook_id not in standing]
        self.progress(RunStarted(self.run_id, titles, min(self.jobs, self.graph.width(todo))))
        for notebook_id, step in standing.items():
            self._reuse(notebook_id, step)
        for notebook_id in self.wanted:
            error = self.sources[notebook_id].error
            if error and not self.ended(notebook_id):
                self.failed(notebook_id, error)

    def _reuse(self, notebook_id: str, step: StepRow) -> None:
        """Link an earlier step into this run; one that vanishes meanwhile is run instead."""
        target = self.folder / notebook_id
        try:
            shutil.copytree(self.plan_dir.parent / (step.folder or ""), target, copy_function=_link)
        except OSError as error:  # shutil.Error is one, and holds the texts of all
            if is_disk_full(error) or mentions_disk_full(str(error)):
                raise DiskFull(self.plan_dir) from error
            shutil.rmtree(target, ignore_errors=True)
            return
        self.rows[notebook_id] = replace(
            step,
            run_id=self.run_id,
            status="reused",
            folder=self._relative(self.run_dir / notebook_id),
            reused_from=step.reused_from or step.run_id,
        )
        self._end_step(StepOutcome(notebook_id, "reused"))

    def todo(self) -> list[str]:
        return [notebook_id for notebook_id in self.wanted if notebook_id not in self.outcomes]

    def ended(self, notebook_id: str) -> bool:
        return notebook_id in self.outcomes

    def job(self, notebook_id: str) -> dict[str, Any]:
        folder = self.folder / notebook_id
        folder.mkdir(exist_ok=True)
        return {
            "notebook": notebook_id,
            "source": str(self.graph[notebook_id].path),
            "output": str(folder / f"{notebook_id}.ipynb"),
            "partial": str(folder / f".{notebook_id}.partial.ipynb"),
            "log": str(folder / f"{notebook_id}.log"),
            "parameters": _parameters(self.folder, self.locale, self.plan.seed),
            "shown_parameters": _parameters(self.run_dir, self.locale, self.plan.seed),
        }

    def done(
        self, notebook_id: str, *, started: str, seconds: float, cells_seconds: float, peak_bytes: int | None = None
    ) -> None:
        """Take a notebook's results in; without good ones it has failed."""
        folder = self.folder / notebook_id
        error = _results_error(folder / RESULTS, notebook_id)
        if error:
            self.failed(notebook_id, error, started=started, seconds=seconds, cells_seconds=cells_seconds)
            return
        log = folder / f"{notebook_id}.log"
        if not log.stat().st_size:
            log.unlink()
        self.rows[notebook_id] = StepRow(
            self.run_id,
            notebook_id,
            "done",
            key=self.keys[notebook_id],
            started=started,
            ended=now(),
            seconds=seconds,
            cells_seconds=cells_seconds,
            exit_code=0,
            results_sha256=sha256_file(folder / RESULTS),
            folder_sha256=folder_sha256(folder),
            needs_sha256=self._needs_sha256(notebook_id, self.rows),
            folder=self._relative(self.run_dir / notebook_id),
            peak_bytes=peak_bytes,
        )
        shown_log = self.run_dir / notebook_id / log.name if log.exists() else None
        self._end_step(StepOutcome(notebook_id, "done", seconds, cells_seconds, shown_log))

    def failed(
        self,
        notebook_id: str,
        error: StepError,
        *,
        started: str | None = None,
        seconds: float = 0.0,
        cells_seconds: float = 0.0,
        exit_code: int | None = 1,
    ) -> None:
        """Keep what there is of a notebook, and skip those that need it."""
        keep(self.folder / notebook_id, self.kept)
        log = self.kept / f"{notebook_id}.log"
        self.rows[notebook_id] = StepRow(
            self.run_id,
            notebook_id,
            "failed",
            reason=error.reason,
            started=started,
            ended=now(),
            seconds=seconds,
            cells_seconds=cells_seconds,
            exit_code=exit_code,
        )
        shown_log = log if log.exists() else None
        self._end_step(StepOutcome(notebook_id, "failed", seconds, cells_seconds, shown_log, error))
        for other in self.graph.order(self.graph.downstream(notebook_id)):
            if other in self.wanted and not self.ended(other):
                self.rows[other] = StepRow(self.run_id, other, "skipped", reason=notebook_id)
                self._end_step(StepOutcome(other, "skipped", because=notebook_id))

    def _end_step(self, outcome: StepOutcome) -> None:
        self.outcomes[outcome.notebook] = outcome
        self.ledger.record(self.rows[outcome.notebook])
        self.progress(StepEnded(outcome))

    # putting in place

    def _forget_what_changed_meanwhile(self) -> None:
        """Take the key from steps whose inputs changed while they ran: it may not be theirs."""
        keys: Mapping[str, str] = {}
        with contextlib.suppress(OSError):
            _, keys = self._keys()
        for notebook_id, row in self.rows.items():
            if row.status == "done" and keys.get(notebook_id) != row.key:
                self.rows[notebook_id] = replace(row, key=None)
                self.ledger.record(self.rows[notebook_id])

    def _manifest(self) -> str:
        content = {
            "schema": 1,
            "run_id": self.run_id,
            "plan": {"id": self.plan.id, "sha256": self.plan.sha256, **self.plan.origin()},
            "locale": self.locale,
            "seed": self.plan.seed,
            "review": self.review,
            "started": self.started,
            "ended": now(),
            "seconds": round(self._elapsed(), 3),
            "steps": [_manifest_step(self.rows[notebook_id]) for notebook_id in self.graph.order(self.rows)],
            "versions": _versions(),
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n"

    def _outcome(self, ok: bool) -> RunOutcome:
        steps = tuple(self.outcomes[notebook_id] for notebook_id in self.graph.order(self.outcomes))
        place = self.run_dir if ok else self.kept
        outcome = RunOutcome(self.run_id, place, steps, ok, seconds=self._elapsed())
        self.progress(RunEnded(outcome))
        return outcome

    def _finish(self, status: str) -> None:
        """Close the run in the ledger; where that is impossible, or the run already has its name, recovery does."""
        if status != "done" and self.run_dir.exists():
            return
        facts = {"exit_code": _EXIT_CODES[status], "ended": now(), "seconds": self._elapsed()}
        with contextlib.suppress(Exception):
            self.ledger.finish(self.run_id, status=status, **facts)

    def _new_id(self) -> str:
        while True:
            moment = dt.datetime.now(dt.UTC)
            milliseconds = moment.microsecond // 1000
            run_id = f"{moment:%Y%m%dT%H%M%S}{milliseconds:03d}Z-{self.plan.sha256[:6]}"
            if not (self.plan_dir / run_id).exists():
                return run_id
            time.sleep(0.001)

    def _relative(self, folder: Path) -> str:
        return folder.relative_to(self.plan_dir.parent).as_posix()

    def _elapsed(self) -> float:
        return time.monotonic() - self.began


class _Alone:
    """The only run of a schedule."""

    def __init__(self, lane: Lane):
        self._lane: Lane | None = lane

    def next(self, *, idle: bool) -> Lane | None:
        lane, self._lane = self._lane, None
        return lane

    def waiting(self) -> bool:
        return self._lane is not None

    def ended(self, lane: Lane) -> None:
        """Nothing: the run ends itself."""

    def broke(self, lane: Lane, error: Exception) -> None:
        raise error

    def look(self) -> None:
        """Nothing: nothing goes on beside it."""


def check(plan: RunnablePlan, *, locale: str, jobs: int | None, timeout: float | None, out: Path) -> None:
    """Refuse what must not reach a folder's name, a worker or a notebook."""
    problems = list(check_plan_id(plan.id))
    if jobs is not None and (type(jobs) is not int or jobs < 1):
        problems.append(Problem("out_of_range", field="jobs", given=jobs, values={"low": 1, "high": cores()}))
    if timeout is not None and not 0 < timeout <= MAX_TIMEOUT_SECONDS:
        values = {"low": 1, "high": int(MAX_TIMEOUT_SECONDS)}
        problems.append(Problem("out_of_range", field="timeout", given=timeout, values=values))
    try:
        _parameters(out, locale, plan.seed)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(*problems)


def _parameters(run_dir: Path, locale: str, seed: int) -> dict[str, str | int]:
    return check_parameters({"plan_file": str(run_dir / PLAN), "out_dir": str(run_dir), "locale": locale, "seed": seed})


def _results_error(path: Path, notebook_id: str) -> StepError | None:
    """Return what is wrong with the results that a notebook left, or None."""
    try:
        found = results.load(path)
    except InputError as error:
        problem = error.problems[0]
        values = {"given": problem.given} if problem.code == "bad_results" else {"notebook": notebook_id}
        return StepError(problem.code, values=values)
    if found["notebook"] != notebook_id:
        return StepError("bad_results", values={"given": found["notebook"]})
    return None


def _manifest_step(row: StepRow) -> dict[str, Any]:
    names = ("notebook", "status", "key", "seconds", "cells_seconds", "results_sha256", "folder_sha256", "reused_from")
    return {name: getattr(row, name) for name in names}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _link(source: str, target: str) -> None:
    """Link a file of an earlier run where the file system can, else copy it."""
    try:
        os.link(source, target)
    except OSError as error:
        if is_disk_full(error):
            raise
        shutil.copy2(source, target)


def _rename(source: Path, target: Path) -> None:
    """Rename; where an open file forbids it for a moment (Windows, virus scanners), try again for a while."""
    deadline = time.monotonic() + _RENAME_SECONDS
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
