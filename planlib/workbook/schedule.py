"""Which notebook of a run goes to which worker, and when one is stopped."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from planlib.workbook.failures import StepError, free_space
from planlib.workbook.graph import Graph
from planlib.workbook.ledger import now
from planlib.workbook.outcome import CellStarted, Progress, StepStarted
from planlib.workbook.pool import START_SECONDS, Pool, Worker

_POLL_SECONDS = 0.5
_MAX_START_FAILURES = 2


class Steps(Protocol):
    """The run, as far as the schedule needs it."""

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


class Schedule:
    """The workers of one run at work; leave it (it is a context) and none of them is left."""

    def __init__(
        self,
        steps: Steps,
        graph: Graph,
        *,
        folder: Path,
        project_root: Path,
        jobs: int,
        timeout: float | None,
        means: Mapping[str, float],
        progress: Progress,
    ):
        self.steps = steps
        self.graph = graph
        self.folder = folder
        self.jobs = jobs
        self.timeout = timeout
        self.means = means
        self.progress = progress
        self.urgency = urgency(graph, steps.todo(), means)
        self.running: set[str] = set()
        self.started: dict[str, str] = {}
        self.cells: dict[str, int] = {}
        self.cell: dict[str, tuple[int, str]] = {}
        self.start_failures = 0
        self.pool = Pool(folder=folder, project_root=project_root)

    def __enter__(self) -> Schedule:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.pool.close()
        else:
            self.pool.end()

    def work(self) -> None:
        """Run until every notebook has an outcome."""
        while self.steps.todo():
            self._staff()
            self._assign()
            self._take_events()
            self._stop_overdue()

    def _staff(self) -> None:
        """Keep as many workers as notebooks can run at once, never more than allowed."""
        while len(self.pool.workers) < min(self.jobs, self.graph.width(self.steps.todo())):
            self.pool.start()

    def _assign(self) -> None:
        idle = [worker for worker in self.pool.workers if worker.ready and worker.job is None]
        for worker, notebook_id in zip(idle, self._ready(), strict=False):
            self.running.add(notebook_id)
            self.started[notebook_id] = now()
            worker.take(notebook_id, self.steps.job(notebook_id))
            self.progress(StepStarted(notebook_id, self.means.get(notebook_id)))

    def _ready(self) -> list[str]:
        """Return what can start now, the head of the longest remaining chain first."""
        waiting = [notebook_id for notebook_id in self.steps.todo() if notebook_id not in self.running]
        ready = [found for found in waiting if all(map(self.steps.ended, self.graph[found].needs))]
        return sorted(ready, key=lambda notebook_id: -self.urgency[notebook_id])

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
            getattr(self, f"_on_{event['event']}")(worker, worker.job, event)

    def _on_kernel(self, worker: Worker, notebook_id: str, event: Mapping[str, Any]) -> None:
        worker.note_kernel(event["process"])

    def _on_cells(self, worker: Worker, notebook_id: str, event: Mapping[str, Any]) -> None:
        self.cells[notebook_id] = event["count"]

    def _on_cell(self, worker: Worker, notebook_id: str, event: Mapping[str, Any]) -> None:
        self.cell[notebook_id] = (event["cell"], event["source"])
        self.progress(CellStarted(notebook_id, event["cell"], self.cells[notebook_id]))

    def _on_done(self, worker: Worker, notebook_id: str, event: Mapping[str, Any]) -> None:
        self.steps.done(notebook_id, **self._free(worker), cells_seconds=event["cells_seconds"])

    def _on_failed(self, worker: Worker, notebook_id: str, event: Mapping[str, Any]) -> None:
        error = StepError(event["reason"], event["cell"], event["source"], event["values"])
        if error.reason == "disk_full":
            error = StepError("disk_full", error.cell, error.source, self._space())
        if error.reason != "cell_error":
            self.pool.drop(worker)  # a new one is sound for certain
        facts = self._free(worker) | {"exit_code": event["values"].get("exit", 1)}
        self.steps.failed(notebook_id, error, **facts, cells_seconds=event["cells_seconds"])

    def _space(self) -> dict[str, str]:
        place = self.folder.parent.parent
        return {"folder": str(place), "free": free_space(place)}

    def _free(self, worker: Worker) -> dict[str, Any]:
        """Take the job from a worker and return when it began and how long it took."""
        notebook_id = worker.job
        self.running.discard(notebook_id)
        worker.job = worker.kernel = None
        return {"started": self.started[notebook_id], "seconds": time.monotonic() - worker.began}

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
                self._give_up(worker, "timeout", {"seconds": f"{self._limit(worker.job):g}"})
            else:
                self._did_not_start(worker)

    def _give_up(self, worker: Worker, reason: str, values: Mapping[str, object]) -> None:
        notebook_id = worker.job
        error = StepError(reason, *self.cell.get(notebook_id, (None, "")), values)
        self.steps.failed(notebook_id, error, **self._free(worker), exit_code=worker.exit_code)

    def _did_not_start(self, worker: Worker) -> None:
        """Try once more; when that fails too, nothing can run here."""
        self.start_failures += 1
        if self.start_failures < _MAX_START_FAILURES:
            return
        error = StepError("worker_start", values={"detail": _last_line(worker.log) or f"exit {worker.exit_code}"})
        for notebook_id in self.steps.todo():
            if notebook_id not in self.running and not self.steps.ended(notebook_id):
                self.steps.failed(notebook_id, error)

    def _deadline(self, worker: Worker) -> float:
        if worker.job is not None:
            return worker.began + self._limit(worker.job)
        return float("inf") if worker.ready else worker.began + START_SECONDS

    def _limit(self, notebook_id: str) -> float:
        return self.timeout or self.graph[notebook_id].timeout_seconds


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


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
