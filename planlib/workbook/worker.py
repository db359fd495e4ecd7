"""A process that runs notebooks for a run: `python -m planlib.workbook.worker`.

papermill is imported once; every notebook gets a kernel of its own. Jobs come as JSON lines on the standard
input, what happens goes out as JSON lines on the standard output that the process was started with; anything
else printed goes to the job's log. When the input closes, because the run is over or its process was killed,
the worker ends its kernel and itself.

Notebooks are written here, whole or not at all: papermill writes in place and after every cell. A cell that
takes longer than half a second has the notebook saved beside it, so that a killed one can be read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.results import write_whole
from planlib.workbook.failures import is_disk_full, mentions_disk_full
from planlib.workbook.memory import peak_bytes
from planlib.workbook.tree import descendants, end_group, end_tree, identity

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

RUNTIME = "PLANLIB_WORKER_RUNTIME"  # the worker's folder for sockets and kernel profiles
KERNEL = "python3"
# ipykernel's own launcher, but without the debugger: nobody steps through a run, and loading it costs more than
# everything else that a kernel does to start.
LAUNCH = "import sys; sys.modules['debugpy'] = None; from ipykernel import kernelapp; kernelapp.launch_new_instance()"
START_ATTEMPTS = 3  # a free port may be taken by somebody else before the kernel binds it
EXIT_SECONDS = 5.0  # for what a notebook registered to do at exit
SAVE_AFTER_SECONDS = 0.5
MAX_SOCKET_PATH = 90  # bytes; the systems' limits begin at 104, and jupyter adds a number

Send = Callable[[Mapping[str, Any]], None]


class KernelGuard:
    """The kernel that runs now, and the order to start no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self.process: Any = None  # subprocess.Popen of the kernel
        self.peak_bytes = 0  # the most memory that the kernel has held

    @property
    def exit_code(self) -> int | None:
        """Exit status of the kernel that ran last, None while it runs."""
        return self.process.poll() if self.process else None

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Hold this while a kernel is launched, so that none starts after `close`."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the run is over")
            yield

    def note_peak(self) -> None:
        """Ask the kernel's process what it held at most; it must still be there."""
        if self.process is not None:
            self.peak_bytes = peak_bytes(self.process.pid)

    def close(self) -> None:
        """End the kernel with everything it started; later ones are refused."""
        with self._lock:
            self._closed = True
            self.end()

    def end(self) -> None:
        """End what is left of the kernel."""
        if self.process is not None:
            end_tree([identity(self.process.pid)])
            end_group(self.process.pid)


class NotebookRun:
    """One execution of one notebook: hooks of nbclient that keep count and save."""

    def __init__(self, job: Mapping[str, Any], send: Send):
        self.job = job
        self.send = send
        self.notebook: Any = None
        self.cell: int | None = None  # number that the running cell shows, In [cell]
        self.source = ""
        self.executed = 0
        self.cells_seconds = 0.0
        self._began = 0.0
        self._saving: asyncio.TimerHandle | None = None

    def hooks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_notebook_start": self._started,
            "on_cell_execute": self._cell_begins,
            "on_cell_executed": self._cell_ends,
        }

    def _started(self, notebook: Any) -> None:
        self.notebook = notebook
        cells = sum(1 for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip())
        self.send({"event": "cells", "count": cells})

    def _cell_begins(self, cell: Any, cell_index: int) -> None:
        self.executed += 1
        self.cell, self.source = self.executed, first_line(cell.source)
        self.send({"event": "cell", "cell": self.cell, "source": self.source})
        self._saving = asyncio.get_running_loop().call_later(SAVE_AFTER_SECONDS, self.save_partial)
        self._began = time.perf_counter()

    def _cell_ends(self, **_: object) -> None:
        self.cells_seconds += time.perf_counter() - self._began
        self.cell, self.source = None, ""
        if self._saving:
            self._saving.cancel()

    def save_partial(self) -> None:
        """Save the notebook as it is now for reading; a full disk is reported by the last write, not here."""
        if self.notebook is not None:
            with contextlib.suppress(OSError):
                self.save(self.job["partial"])

    def save(self, path: str) -> None:
        import nbformat

        write_whole(path, nbformat.writes(self.notebook))


def first_line(source: str) -> str:
    """Return the first line of a cell that is not blank."""
    return next((line.strip() for line in source.splitlines() if line.strip()), "")


def execute(job: Mapping[str, Any], guard: KernelGuard, send: Send) -> dict[str, Any]:
    """Run one notebook and return the closing event, `done` or `failed`.

    Args:
        job: notebook (id), source, output and partial (paths), parameters, and shown_parameters, which the
            kept notebook shows: the folders as they are called once the run is in place.
        guard: told about the kernel.
        send: told about the kernel, the number of cells, and every cell.
    """
    for attempts_left in reversed(range(START_ATTEMPTS)):
        run = NotebookRun(job, send)
        try:
            run.notebook = _papermill(run, guard)
            _show_parameters(run.notebook, job["shown_parameters"])
            run.save(job["output"])
            Path(job["partial"]).unlink(missing_ok=True)
        except Exception as error:
            if attempts_left and run.executed == 0 and _kernel_start_failed(error):
                continue
            return _failed(run, error, guard.exit_code)
        finally:
            guard.end()
        break
    peak = guard.peak_bytes + peak_bytes(os.getpid())
    return {"event": "done", "cells_seconds": run.cells_seconds, "peak_bytes": peak}


def _papermill(run: NotebookRun, guard: KernelGuard) -> Any:
    from papermill.execute import execute_notebook

    return execute_notebook(
        run.job["source"].replace("{", "{{").replace("}", "}}"),  # papermill formats paths
        None,
        parameters=run.job["parameters"],
        kernel_name=KERNEL,
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        kernel_manager_class=kernel_manager(guard, run.send),
        iopub_timeout=60,
        **run.hooks(),
    )


def _kernel_start_failed(error: Exception) -> bool:
    return type(error) is RuntimeError


def _failed(run: NotebookRun, error: Exception, kernel_exit: int | None) -> dict[str, Any]:
    """Return the failure in the run's own terms and save what there is of the notebook."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    event: dict[str, Any] = {
        "event": "failed",
        "cells_seconds": run.cells_seconds,
        "cell": run.cell,
        "source": run.source,
    }
    if isinstance(error, PapermillExecutionError):
        detail = f"{error.ename}: {error.evalue}"
        event |= {"cell": error.exec_count, "source": first_line(error.source)}
        event |= {"reason": "cell_error", "values": {"detail": detail}}
        if mentions_disk_full(detail):
            event |= {"reason": "disk_full", "values": {}}
    elif is_disk_full(error):
        event |= {"reason": "disk_full", "values": {}}
    elif isinstance(error, DeadKernelError):
        event |= {"reason": "kernel_died", "values": {"exit": kernel_exit}}
    else:
        event |= {"reason": "not_run", "values": {"detail": f"{type(error).__name__}: {error}"}}
    run.save_partial()
    return event


def _show_parameters(nb: Any, shown: Mapping[str, Any]) -> None:
    """Let the kept notebook show where its files are, not where they were made."""
    from papermill.translators import translate_parameters

    source = translate_parameters(KERNEL, "python", shown, "Parameters")
    for cell in nb.cells:
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.source = source
    nb.metadata.papermill["parameters"] = dict(shown)


def kernel_manager(guard: KernelGuard, send: Send) -> type[AsyncKernelManager]:
    """Return a manager class whose kernels run in this interpreter, talk in private, and are reported."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            argv = [sys.executable, "-P", "-c", LAUNCH, "-f", "{connection_file}"]
            curve = {"supported_encryption": ["curve"]}
            return KernelSpec(argv=argv, display_name=kernel_name, language="python", metadata=curve)

    class GuardedKernel(AsyncKernelManager):
        def __init__(self, **options: Any):
            super().__init__(**(options | connection(os.environ[RUNTIME], sys.platform)))

        @default("kernel_spec_manager")
        def _this_python(self) -> KernelSpecManager:
            return ThisPython()

        async def start_kernel(self, **options: Any) -> None:
            with guard.starting():
                await super().start_kernel(**options)
                guard.process = self.provisioner.process
            send({"event": "kernel", "process": identity(guard.process.pid)})

        def client(self, **options: Any) -> Any:
            self.own_client = super().client(**options)
            return self.own_client

        async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
            """Let the kernel leave by itself, then see to it that it and what it started are gone.

            The usual request to shut down deadlocks ipykernel 7 about once in twenty times (its control
            thread waits for the output thread that the main thread has just stopped) and costs 2.5 seconds.
            """
            left = descendants(guard.process.pid) if guard.process else []
            guard.note_peak()
            if not now and self.has_kernel:
                self.own_client.execute("get_ipython().ask_exit()", silent=True, store_history=False)
                deadline = time.monotonic() + EXIT_SECONDS
                while guard.exit_code is None and time.monotonic() < deadline:
                    await asyncio.sleep(0.02)
            await super().shutdown_kernel(now=True, restart=restart)
            end_tree(left)

    return GuardedKernel


def connection(runtime: str, system: str) -> dict[str, str]:
    """Return how to reach a kernel: by sockets in a private folder, else by TCP with encryption.

    Args:
        runtime: the private folder.
        system: as `sys.platform`.
    """
    import zmq

    sockets = os.path.join(runtime, "k")
    if system != "win32" and zmq.has("ipc") and len(os.fsencode(sockets)) <= MAX_SOCKET_PATH:
        return {"transport": "ipc", "ip": sockets}
    return {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}


def serve(jobs: queue.SimpleQueue, guard: KernelGuard, send: Send) -> None:
    """Run jobs until there are no more."""
    log = os.dup(2)
    while (job := jobs.get()) is not None:
        with _logging_to(job["log"], back_to=log):
            event = execute(job, guard, send)
        send(event)


@contextlib.contextmanager
def _logging_to(path: str, *, back_to: int) -> Iterator[None]:
    """Send whatever this process or its kernel prints to a file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        _print_to(file)
    finally:
        os.close(file)
    try:
        yield
    finally:
        _print_to(back_to)


def _print_to(descriptor: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def _take_streams() -> tuple[Any, Any]:
    """Return the streams of the protocol, and leave the log and nothing in their places."""
    jobs = os.fdopen(os.dup(0), "r", encoding="utf-8")
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return jobs, events


def main() -> None:
    stream_in, stream_out = _take_streams()
    guard = KernelGuard()
    jobs: queue.SimpleQueue = queue.SimpleQueue()

    def send(event: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a reader that is gone has closed the input too
            stream_out.write(json.dumps(event) + "\n")
            stream_out.flush()

    def watch() -> None:
        """Take jobs until the input closes, then end everything: nobody is left to report to."""
        with contextlib.suppress(OSError, ValueError):
            for line in stream_in:
                jobs.put(json.loads(line))
        guard.close()
        shutil.rmtree(os.environ[RUNTIME], ignore_errors=True)
        with contextlib.suppress(OSError):
            Path(os.environ[RUNTIME]).parent.rmdir()  # the last of a killed run's workers takes the run's folder away
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    # jsonschema would compile the grammar of internationalised addresses here, which takes longer than
    # everything else together and which no notebook needs; it does without when the import fails.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill.execute  # noqa: F401

    send({"event": "ready"})
    serve(jobs, guard, send)


if __name__ == "__main__":
    main()
