"""Which notebook of which run goes to which worker, and when one is stopped."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from planlib.workbook.failures import StepError, free_space
from planlib.workbook.graph import Graph
from planlib.workbook.ledger import now
from planlib.workbook.memory import Memory
from planlib.workbook.outcome import CellStarted, Progress, StepStarted
from planlib.workbook.pool import START_SECONDS, Pool, Worker

_POLL_SECONDS = 0.5
_MAX_START_FAILURES = 2


class Steps(Protocol):
    """A run, as far as the schedule needs it."""

    def todo(self) -> list[str]:
        """Return the notebooks without an outcome."""

    def ended(self, notebook_id: str) -> bool:
        """Return whether a notebook has its outcome."""

    def job(self, notebook_id: str) -> dict[str, Any]:
        """Return what a worker needs to run it."""

    def done(self, notebook_id: str, **facts: Any) -> None:
        """Take its results in."""

    def failed(self, notebook_id: str, error: StepError, **facts: Any) -> None:
        """Record that it failed."""


class Lane:
    """The notebooks of one run that wait for workers.

    Args:
        steps: the run.
        graph: what its notebooks need.
        timeout: seconds for each notebook in place of workbook.yaml's.
        means: seconds of earlier executions.
        peak_bytes: the most memory that a worker has held in earlier runs, or None.
        progress: told about the run's own events.
    """

    def __init__(
        self,
        steps: Steps,
        graph: Graph,
        *,
        timeout: float | None,
        means: Mapping[str, float],
        peak_bytes: int | None,
        progress: Progress,
    ):
        self.steps = steps
        self.graph = graph
        self.timeout = timeout
        self.means = means
        self.peak_bytes = peak_bytes
        self.progress = progress
        self.urgency = urgency(graph, steps.todo(), means)
        self.running: set[str] = set()

    def ready(self) -> list[str]:
        """Return what can start now, the head of the longest remaining chain first."""
        waiting = [notebook_id for notebook_id in self.steps.todo() if notebook_id not in self.running]
        ready = [found for found in waiting if all(map(self.steps.ended, self.graph[found].needs))]
        return sorted(ready, key=lambda notebook_id: -self.urgency[notebook_id])

    def width(self) -> int:
        """Return how many of its notebooks can at most run at once."""
        return self.graph.width(self.steps.todo())

    def limit(self, notebook_id: str) -> float:
        """Return the seconds that a notebook may take."""
        return self.timeout or self.graph[notebook_id].timeout_seconds


class Task(NamedTuple):
    """A notebook of a run, as a worker has it."""

    lane: Lane
    notebook: str


class Lanes(Protocol):
    """Where runs come from and go to."""

    def next(self, *, idle: bool) -> Lane | None:
        """Return another run, None when there is none now; `idle`: nothing else goes on."""

    def waiting(self) -> bool:
        """Return whether there may be another run later."""

    def ended(self, lane: Lane) -> None:
        """Take a run back: every notebook of it has an outcome."""

    def broke(self, lane: Lane, error: Exception) -> None:
        """Take a run back that cannot go on; raise the error when nothing else can either."""

    def look(self) -> None:
        """See after what goes on beside the workers; called again and again."""


class Schedule:
    """One pool of workers for the notebooks of any number of runs; leave it (it is a context) and none is left.

    A run that came earlier goes first. Another is asked for when a worker would be idle, so that few runs are open
    at a time. A worker holds at most what `memory` has measured; as many work at once as fit, and at least one.
    """

    def __init__(self, lanes: Lanes, *, folder: Path, project_root: Path, jobs: int, memory: Memory):
        self.source = lanes
        self.folder = folder
        self.jobs = jobs
        self.memory = memory
        self.lanes: list[Lane] = []
        self.started: dict[Task, str] = {}
        self.cells: dict[Task, int] = {}
        self.cell: dict[Task, tuple[int, str]] = {}
        self.start_failures = 0
        self.cannot_start: StepError | None = None
        self.pool = Pool(folder=folder, project_root=project_root)

    def __enter__(self) -> Schedule:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.pool.close()
        else:
            self.pool.end()

    def work(self) -> None:
        """Run until every notebook of every run has an outcome."""
        while self._fill():
            self.source.look()
            self._staff()
            self._assign()
            self._take_events()
            self._stop_overdue()
            self._give_back()

    @contextlib.contextmanager
    def _part_of(self, lane: Lane) -> Iterator[None]:
        """Let an error of one run end that run and its notebooks, and no other."""
        try:
            yield
        except Exception as error:
            for worker in [worker for worker in self.pool.workers if worker.job and worker.job.lane is lane]:
                self.pool.drop(worker)
            if lane in self.lanes:
                self.lanes.remove(lane)
            self.source.broke(lane, error)

    def at_once(self) -> int:
        """Return how many workers the cores asked for and the memory allow."""
        return min(self.jobs, self.memory.workers())

    def _fill(self) -> bool:
        """Open runs until every worker has something to do; return whether anything is left to do."""
        while sum(len(lane.ready()) + len(lane.running) for lane in self.lanes) < self.at_once():
            lane = self.source.next(idle=not self.lanes)
            if lane is None:
                break
            self.memory.note(lane.peak_bytes)
            self.lanes.append(lane)
            if self.cannot_start is not None:
                self._fail_waiting(lane, self.cannot_start)
            self._give_back()
        return bool(self.lanes) or self.source.waiting()

    def _give_back(self) -> None:
        """Hand runs back whose notebooks all have an outcome."""
        for lane in [lane for lane in self.lanes if not lane.steps.todo()]:
            self.lanes.remove(lane)
            self.source.ended(lane)

    def _staff(self) -> None:
        """Keep as many workers as notebooks can run at once, never more than allowed."""
        allowed = self.at_once()
        idle = [worker for worker in self.pool.workers if worker.ready and worker.job is None]
        for worker in idle[: max(0, len(self.pool.workers) - allowed)]:
            self.pool.drop(worker)
        if self.cannot_start is not None or len(self.pool.workers) >= allowed:
            return
        for _ in range(min(allowed, sum(lane.width() for lane in self.lanes)) - len(self.pool.workers)):
            self.pool.start()

    def _assign(self) -> None:
        idle = [worker for worker in self.pool.workers if worker.ready and worker.job is None]
        ready = [Task(lane, notebook_id) for lane in self.lanes for notebook_id in lane.ready()]  # earlier runs first
        for worker, task in zip(idle, ready, strict=False):
            lane, notebook_id = task
            with self._part_of(lane):
                job = lane.steps.job(notebook_id)
                lane.running.add(notebook_id)
                self.started[task] = now()
                worker.take(task, job)
                lane.progress(StepStarted(notebook_id, lane.means.get(notebook_id)))

    def _take_events(self) -> None:
        """Take what workers have said; wait for it no longer than the next deadline."""
        soonest = min((self._deadline(worker) for worker in self.pool.workers), default=0.0)
        wait = min(_POLL_SECONDS, max(0.0, soonest - time.monotonic()))
        with contextlib.suppress(queue.Empty):
            self._take(*self.pool.events.get(timeout=wait))
            while True:
                self._take(*self.pool.events.get_nowait())

    def _take(self, worker: Worker, event: Mapping[str, Any] | None) -> None:
        if worker not in self.pool.workers:
            return  # it was ended on purpose; what it still said is settled
        if event is None:
            self._died(worker)
        elif event["event"] == "ready":
            worker.ready = True
            self.start_failures = 0
        elif worker.job is not None:
            with self._part_of(worker.job.lane):
                getattr(self, f"_on_{event['event']}")(worker, worker.job, event)

    def _on_kernel(self, worker: Worker, task: Task, event: Mapping[str, Any]) -> None:
        worker.note_kernel(event["process"])

    def _on_cells(self, worker: Worker, task: Task, event: Mapping[str, Any]) -> None:
        self.cells[task] = event["count"]

    def _on_cell(self, worker: Worker, task: Task, event: Mapping[str, Any]) -> None:
        self.cell[task] = (event["cell"], event["source"])
        task.lane.progress(CellStarted(task.notebook, event["cell"], self.cells[task]))

    def _on_done(self, worker: Worker, task: Task, event: Mapping[str, Any]) -> None:
        self.memory.note(event["peak_bytes"])
        facts = self._free(worker) | {"cells_seconds": event["cells_seconds"], "peak_bytes": event["peak_bytes"]}
        task.lane.steps.done(task.notebook, **facts)

    def _on_failed(self, worker: Worker, task: Task, event: Mapping[str, Any]) -> None:
        job = worker.job_folder
        error = StepError(event["reason"], event["cell"], event["source"], event["values"])
        if error.reason == "disk_full":
            error = StepError("disk_full", error.cell, error.source, _space(job))
        if error.reason != "cell_error":
            self.pool.drop(worker)  # a new one is sound for certain
        facts = self._free(worker) | {"exit_code": event["values"].get("exit", 1)}
        task.lane.steps.failed(task.notebook, error, **facts, cells_seconds=event["cells_seconds"])

    def _free(self, worker: Worker) -> dict[str, Any]:
        """Take the job from a worker and return when it began and how long it took."""
        task = worker.job
        task.lane.running.discard(task.notebook)
        worker.job = worker.kernel = None
        return {"started": self.started[task], "seconds": time.monotonic() - worker.began}

    def _died(self, worker: Worker) -> None:
        self.pool.drop(worker)
        if worker.job is not None:
            self._give_up(worker, "worker_died", {"exit": worker.exit_code})
        elif not worker.ready:
            self._did_not_start(worker)

    def _stop_overdue(self) -> None:
        for worker in list(self.pool.workers):
            if time.monotonic() < self._deadline(worker):
                continue
            self.pool.drop(worker)
            if worker.job is not None:
                limit = worker.job.lane.limit(worker.job.notebook)
                self._give_up(worker, "timeout", {"seconds": f"{limit:g}"})
            else:
                self._did_not_start(worker)

    def _give_up(self, worker: Worker, reason: str, values: Mapping[str, object]) -> None:
        task = worker.job
        error = StepError(reason, *self.cell.get(task, (None, "")), values)
        with self._part_of(task.lane):
            task.lane.steps.failed(task.notebook, error, **self._free(worker), exit_code=worker.exit_code)

    def _did_not_start(self, worker: Worker) -> None:
        """Try once more; when that fails too, nothing can run here."""
        self.start_failures += 1
        if self.start_failures < _MAX_START_FAILURES:
            return
        detail = _last_line(worker.log) or f"exit {worker.exit_code}"
        self.cannot_start = StepError("worker_start", values={"detail": detail})
        for lane in list(self.lanes):
            self._fail_waiting(lane, self.cannot_start)

    def _fail_waiting(self, lane: Lane, error: StepError) -> None:
        with self._part_of(lane):
            for notebook_id in lane.steps.todo():
                if notebook_id not in lane.running and not lane.steps.ended(notebook_id):
                    lane.steps.failed(notebook_id, error)

    def _deadline(self, worker: Worker) -> float:
        if worker.job is not None:
            return worker.began + worker.job.lane.limit(worker.job.notebook)
        return float("inf") if worker.ready else worker.began + START_SECONDS


def urgency(graph: Graph, ids: Collection[str], means: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds from each notebook's start to the end of all that wait for it.

    Args:
        ids: the notebooks still to run.
        means: seconds of earlier executions; one never run counts as the mean of the others.
    """
    unknown = sum(means.values()) / len(means) if means else 1.0
    found: dict[str, float] = {}
    for notebook_id in reversed(graph.order(ids)):
        waiting = [found[other] for other in found if notebook_id in graph[other].needs]
        found[notebook_id] = means.get(notebook_id, unknown) + max(waiting, default=0.0)
    return found


def _space(folder: Path) -> dict[str, str]:
    """Return the plan's folder and what is free there, out of the folder of one of its notebooks."""
    place = folder.parent.parent
    return {"folder": str(place), "free": free_space(place)}


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
