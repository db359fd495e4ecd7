"""The worker by itself: its protocol, what it saves, and how it reaches kernels."""

import errno
import json
import queue
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from planlib.workbook import pool, worker
from planlib.workbook.pool import Pool
from planlib.workbook.worker import KernelGuard, NotebookRun, connection, execute, first_line
from tests.workbook.small_workbook import write_notebook


def parameters(folder):
    return {"plan_file": str(folder / "plan.json"), "out_dir": str(folder), "locale": "zh", "seed": 7}


def job(folder, source=""):
    return {
        "notebook": "a",
        "source": str(source),
        "output": str(folder / "a.ipynb"),
        "partial": str(folder / ".a.partial.ipynb"),
        "log": str(folder / "a.log"),
        "parameters": parameters(folder),
        "shown_parameters": parameters(folder / "final"),
    }


def notebook():
    nb = nbformat.v4.new_notebook(metadata={"papermill": {}})
    cell = nbformat.v4.new_code_cell("x")
    cell.metadata["tags"] = ["injected-parameters"]
    nb.cells.append(cell)
    return nb


def test_a_full_disk_when_the_notebook_is_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "_papermill", lambda run, guard: notebook())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "write_whole", full)
    event = execute(job(tmp_path), KernelGuard(), [].append)
    assert (event["event"], event["reason"]) == ("failed", "disk_full")


@pytest.mark.parametrize(("failures", "ended"), [(2, "done"), (3, "failed")])
def test_a_kernel_that_does_not_start_is_tried_again(tmp_path, monkeypatch, failures, ended):
    """A port that was free may be taken before the kernel binds it."""
    tries = []

    def start(run, guard):
        tries.append(1)
        if len(tries) <= failures:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return notebook()

    monkeypatch.setattr(worker, "_papermill", start)
    event = execute(job(tmp_path), KernelGuard(), [].append)
    assert event["event"] == ended and len(tries) == 3
    if ended == "failed":
        assert event["reason"] == "not_run" and "kernel_info" in event["values"]["detail"]


def test_once_a_cell_has_run_nothing_is_tried_again(tmp_path, monkeypatch):
    tries = []

    def run_one_cell(run, guard):
        tries.append(1)
        run.executed = 1
        raise RuntimeError("later")

    monkeypatch.setattr(worker, "_papermill", run_one_cell)
    assert execute(job(tmp_path), KernelGuard(), [].append)["reason"] == "not_run"
    assert len(tries) == 1


def test_nothing_starts_after_the_end():
    guard = KernelGuard()
    guard.close()
    with pytest.raises(RuntimeError), guard.starting():
        pass


def test_a_partial_that_cannot_be_saved_does_not_hide_the_failure(tmp_path):
    run = NotebookRun(job(tmp_path / "missing" / "\0"), [].append)
    run.save_partial()  # nothing has started
    run.notebook = notebook()
    run.job = run.job | {"partial": str(tmp_path)}  # a folder: cannot be written
    run.save_partial()


def test_first_line_is_the_first_with_text():
    assert first_line("\n  \n  x = 1\ny") == "x = 1"
    assert first_line(" \n") == ""


def test_kernels_are_reached_in_private(tmp_path):
    assert connection("/tmp/x", "linux") == {"transport": "ipc", "ip": "/tmp/x/k"}
    encrypted = {"transport_encryption": "auto"}
    assert connection("C:\\x", "win32") == encrypted
    assert connection("/" + "é" * 45, "linux") == encrypted  # a socket's path is limited in bytes


def test_a_kernel_behind_a_long_path_is_reached_by_encrypted_tcp(tmp_path, monkeypatch):
    """A whole pass through one worker process: chatter, log, events, the kept notebook, its end."""
    runtime = tmp_path / ("r" * 100)
    runtime.mkdir()
    monkeypatch.setattr(pool.tempfile, "mkdtemp", lambda **_: str(runtime))
    code = "import os\nos.write(1, b'chatter 1\\n'); os.write(2, b'chatter 2\\n')\nprint(out_dir)"
    source = write_notebook(tmp_path, "a{0}", code, records=False)
    with_workers = Pool(folder=tmp_path / "workers", project_root=tmp_path)
    try:
        one = with_workers.start()
        assert with_workers.events.get(timeout=60) == (one, {"event": "ready"})
        one.take("a", job(tmp_path, source))
        events = []
        while not events or events[-1]["event"] not in ("done", "failed"):
            events.append(with_workers.events.get(timeout=60)[1])
        assert [event["event"] for event in events] == ["kernel", "cells", "cell", "cell", "cell", "done"]
        assert not psutil.pid_exists(events[0]["process"]["pid"]) or _ended(events[0]["process"]["pid"])
        assert "without encryption" not in (tmp_path / "a.log").read_text(encoding="utf-8")
        kept = json.loads((tmp_path / "a.ipynb").read_text(encoding="utf-8"))
        assert str(tmp_path / "final") in "".join(kept["cells"][1]["source"])
        assert kept["metadata"]["papermill"]["parameters"] == parameters(tmp_path / "final")
        assert str(tmp_path) in str(kept["cells"][2]["outputs"])
        assert not (tmp_path / ".a.partial.ipynb").exists()
        with_workers.close()
        assert with_workers.events.get(timeout=10) == (one, None) and one.exit_code == 0
        assert not runtime.exists()
    finally:
        with_workers.end()


def _ended(pid):
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_is_printed_before_the_protocol_is_skipped():
    lines = [b"hello\n", b"3\n", b'{"x": 1}\n', b'{"event": "ready"}\n', b"\xff\n"]
    assert [pool._event(line) for line in lines] == [None, None, None, {"event": "ready"}, None]


def test_a_worker_ends_when_its_input_closes(tmp_path):
    """Also while papermill is still being imported."""
    environment = pool._environment(tmp_path / "runtime")
    (tmp_path / "runtime").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", pool.WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()
    assert not (tmp_path / "runtime").exists()


def test_workers_and_kernels_use_one_thread_and_one_hash_seed(tmp_path):
    found = pool._environment(tmp_path)
    assert {found[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} == {"1"}
    assert found["PYTHONHASHSEED"] == "0"


def test_a_worker_that_hangs_is_ended_with_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "CLOSE_SECONDS", 0.2)
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text("import time; time.sleep(600)", encoding="utf-8")
    monkeypatch.setattr(pool, "WORKER", "stubborn")
    monkeypatch.setattr(pool.planlib, "__file__", str(tmp_path / "planlib" / "__init__.py"))
    with_workers = Pool(folder=tmp_path / "workers", project_root=tmp_path)
    one = with_workers.start()
    assert psutil.pid_exists(one.process["pid"])
    with_workers.close()
    assert one.exit_code not in (0, None)
    with pytest.raises(queue.Empty):
        while with_workers.events.get(timeout=1)[1] is None:
            time.sleep(0)
