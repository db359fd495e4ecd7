"""The worker processes of runs, seen from the runs."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import planlib
from planlib.core.results import write_whole
from planlib.workbook.tree import Identity, end_group, end_tree, identity

WORKER = "planlib.workbook.worker"
START_SECONDS = 120.0
CLOSE_SECONDS = 5.0
# One thread for linear algebra: as many notebooks run as there are cores, and sums keep their order.
SERIAL = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    )
}


class Worker:
    """One worker process. Its events arrive in the pool's queue as (worker, event); None means that it ended."""

    def __init__(self, number: int, *, folder: Path, runtime: Path, project_root: Path, events: queue.Queue):
        self.number = number
        self.ready = False
        self.job: Any = None  # what it works at, in the words of whoever gave it
        self.job_folder = folder
        self.began = time.monotonic()  # of the job; of the process while it starts
        self.kernel: Identity | None = None
        self.folder = folder
        self.log = folder / f"worker-{number}.log"
        self.runtime = runtime / str(number)
        self.runtime.mkdir()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=project_root,
                env=_environment(self.runtime),
                **_own_group(),
            )
        self.process = identity(self._process.pid)
        try:
            write_whole(folder / f"worker-{number}.json", json.dumps(self.process))
        except BaseException:
            self.end()
            raise
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    @property
    def exit_code(self) -> int | None:
        """Exit status once the process has ended."""
        return self._process.poll()

    def take(self, name: Any, job: Mapping[str, Any]) -> None:
        """Give the worker a job; one that has died says so by its closing event."""
        self.job, self.kernel, self.began = name, None, time.monotonic()
        self.job_folder = Path(job["output"]).parent
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()

    def note_kernel(self, kernel: Identity) -> None:
        """Remember the worker's kernel, in a file too: a later run ends what a killed one left."""
        self.kernel = kernel
        write_whole(self.folder / f"kernel-{self.number}.json", json.dumps(kernel))

    def close(self) -> None:
        """Ask the worker to end."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """End the worker, its kernel and all that they started."""
        end_tree([self.process, *([self.kernel] if self.kernel else [])])
        if self.kernel:
            end_group(int(self.kernel["pid"]))
        self.close()
        self._process.wait()

    def wait(self, seconds: float) -> bool:
        """Return whether the process ended within this time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def _read(self, events: queue.Queue) -> None:
        with self._process.stdout as lines:
            for line in lines:
                event = _event(line)
                if event:
                    events.put((self, event))
        self._process.wait()
        events.put((self, None))


class Pool:
    """The workers of one run or of several; leaving it by `close` or `end` leaves no process behind."""

    def __init__(self, *, folder: Path, project_root: Path):
        self.folder = folder
        self.folder.mkdir()
        self.project_root = project_root
        self.events: queue.Queue = queue.Queue()
        self.workers: list[Worker] = []
        self._count = 0
        self._runtime = Path(tempfile.mkdtemp(prefix="planlib-"))

    def start(self) -> Worker:
        """Start one more worker."""
        self._count += 1
        worker = Worker(
            self._count, folder=self.folder, runtime=self._runtime, project_root=self.project_root, events=self.events
        )
        self.workers.append(worker)
        return worker

    def drop(self, worker: Worker) -> None:
        """End a worker that must not be used again."""
        if worker in self.workers:
            self.workers.remove(worker)
        worker.end()

    def close(self) -> None:
        """Let idle workers end, and end those that do not."""
        for worker in self.workers:
            worker.close()
        deadline = time.monotonic() + CLOSE_SECONDS
        for worker in self.workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
        self.end()

    def end(self) -> None:
        """End all workers at once, with their kernels."""
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        shutil.rmtree(self._runtime, ignore_errors=True)


def _event(line: bytes) -> dict[str, Any] | None:
    """Return an event, or None for anything that was printed before the worker took its output over."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _environment(runtime: Path) -> dict[str, str]:
    """Return the variables of workers and kernels: one thread, one hash seed, this code, no user's own set-up."""
    package = str(Path(planlib.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return (
        os.environ
        | SERIAL
        | {
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONIOENCODING": "utf-8",
            "IPYTHONDIR": str(runtime),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "PLANLIB_WORKER_RUNTIME": str(runtime),
        }
    )


def _own_group() -> dict[str, Any]:
    """Keep Ctrl-C of the terminal for the run itself."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
