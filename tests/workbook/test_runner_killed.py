"""Runs that are interrupted or killed from outside: nothing is left running, the next run puts things right."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from planlib.workbook import lock
from planlib.workbook.ledger import Ledger, latest_run
from planlib.workbook.outcome import CellStarted
from planlib.workbook.runner import run
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

HANG = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
text = " ".join(map(str, (os.getpid(), os.getppid(), child.pid)))
pathlib.Path(out_dir, "pids").write_text(text)
print("before the wait", flush=True)
time.sleep(600)
"""
RUNNER = (
    "import sys; sys.path.insert(0, sys.argv[1]); from small_workbook import SmallPlan\n"
    "from planlib.workbook.runner import run\n"
    "run(SmallPlan(), project_root=sys.argv[2], out_root=sys.argv[2] + '/out')"
)


@pytest.fixture
def root(tmp_path):
    write_notebook(tmp_path, "a", HANG)
    write_workbook(tmp_path, {"a": []})
    return tmp_path


def wait_for(found, seconds=60):
    """Return what `found` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return result


def only(folder, pattern):
    found = list(folder.glob(pattern))
    return found[0] if found else None


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_kill_of_the_runner_leaves_nothing_running_and_is_put_right(root):
    scratch = root / "scratch"
    scratch.mkdir()
    variables = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(Path(__file__).parent), str(root)], env=variables)
    plan_dir = root / "out" / "small"
    try:
        partial = wait_for(lambda: only(plan_dir, ".run-*/a/.a.partial.ipynb"))
        assert lock.is_held(plan_dir) and runs(lock.read_holder(plan_dir).pid)
        pids = [int(pid) for pid in only(plan_dir, ".run-*/pids").read_text().split()]
        assert all(map(runs, pids))
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not any(map(runs, pids)), seconds=10)
    wait_for(lambda: not list(scratch.glob("planlib-*")), seconds=10)
    assert not lock.is_held(plan_dir)
    assert partial.is_file() and latest_run(plan_dir) is None

    write_notebook(root, "a")
    outcome = run(SmallPlan(), project_root=root, out_root=root / "out")
    assert outcome.ok and latest_run(plan_dir) == outcome.run_dir
    run_id = partial.parent.parent.name.removeprefix(".run-").removesuffix(".tmp")
    kept = json.loads((plan_dir / "failed" / run_id / "a.ipynb").read_text(encoding="utf-8"))
    assert any("before the wait" in str(cell["outputs"]) for cell in kept["cells"])
    assert not list(plan_dir.glob(".run-*"))
    with Ledger(root / "out" / "small") as ledger:
        assert [row.status for row in ledger.runs()] == ["done", "killed"]


def test_interrupt_ends_everything_and_keeps_the_partial_notebook(root):
    plan_dir = root / "out" / "small"
    seen = {}

    def interrupt(event):
        if isinstance(event, CellStarted) and event.cell == 3:
            wait_for(lambda: only(plan_dir, ".run-*/a/.a.partial.ipynb"))
            seen["pids"] = [int(pid) for pid in only(plan_dir, ".run-*/pids").read_text().split()]
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(SmallPlan(), project_root=root, out_root=root / "out", progress=interrupt)
    assert len(seen["pids"]) == 3 and not any(map(runs, seen["pids"]))
    assert not lock.is_held(plan_dir) and not list(plan_dir.glob(".run-*"))
    assert "before the wait" in only(plan_dir, "failed/*/a.ipynb").read_text(encoding="utf-8")
    with Ledger(root / "out" / "small") as ledger:
        (row,) = ledger.runs()
    assert (row.status, row.exit_code) == ("interrupted", 130)
