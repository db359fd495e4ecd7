"""Notebooks that fail in every way, in one run; then what the run says, keeps and leaves running."""

import json
import os
import re
import time

import psutil
import pytest

from planlib.core.results import write_whole
from planlib.core.words import words
from planlib.workbook import pool
from planlib.workbook.ledger import Ledger, latest_run
from planlib.workbook.outcome import CellStarted
from planlib.workbook.runner import run
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

# Each writes down its processes first, so that tests can see them gone.
NOTE = """
import os, pathlib
note = pathlib.Path(out_dir).parent.parent.parent / "pids" / f"{os.getpid()}-kernel"
note.parent.mkdir(exist_ok=True)
note.touch()
(note.parent / f"{os.getppid()}-worker").touch()
"""
HANG = "import time\nprint('before the wait', flush=True)\ntime.sleep(600)"
CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
(note.parent / f"{child.pid}-child").touch()
"""
NOTEBOOKS = {
    "boom": NOTE + "\nraise ValueError('two\\nlines ' + 'x' * 1000)",
    "hangs": NOTE + CHILD + HANG,
    "kernel_killed": NOTE + "\nos.kill(os.getpid(), 9)",
    "worker_killed": NOTE + CHILD + "\nos.kill(os.getppid(), 9)\n" + HANG,
    "disk": NOTE + "\nraise OSError(28, 'No space left on device')",
    "good": NOTE + CHILD,
}
if os.name == "nt":  # Python in a virtual environment starts through a launcher: the parent is not the worker
    del NOTEBOOKS["worker_killed"]
KILLED = 9 if os.name == "nt" else -9
NEEDS = {name: [] for name in (*NOTEBOOKS, "unreadable", "unknown_parameter")}
NEEDS |= {"after_boom": ["boom", "good"], "after_that": ["after_boom"]}
SECONDS = {"hangs": 10}
EARLIER = "20200101T000000000Z-aaaaaa"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that had a whole run before, in a run with everything that can go wrong."""
    root = tmp_path_factory.mktemp("failures")
    write_whole(root / "out" / "small" / EARLIER / "manifest.json", "{}")
    write_whole(root / "out" / "small" / "latest", f"{EARLIER}\n")
    for name, code in NOTEBOOKS.items():
        write_notebook(root, name, code)
    (root / "notebooks" / "unreadable.ipynb").write_text('{"cells": [', encoding="utf-8")
    write_notebook(
        root, "unknown_parameter", parameters='plan_file = ""\nout_dir = ""\nlocale = ""\nseed = 0\nspeed = 1'
    )
    write_workbook(root, NEEDS, seconds=SECONDS)
    events = []
    outcome = run(SmallPlan(), project_root=root, out_root=root / "out", jobs=2, progress=events.append)
    return root, outcome, {step.notebook: step for step in outcome.steps}, events


def test_the_others_go_on_and_dependants_are_skipped(made):
    _, outcome, steps, _ = made
    assert not outcome.ok
    assert {name for name, step in steps.items() if step.status == "done"} == {"good"}
    assert {name: step.because for name, step in steps.items() if step.status == "skipped"} == {
        "after_boom": "boom",
        "after_that": "boom",
    }
    assert sum(step.status == "failed" for step in steps.values()) == len(NEEDS) - 3


@pytest.mark.parametrize(
    ("notebook", "reason", "cell", "said"),
    [
        ("boom", "cell_error", 3, "ValueError: two lines xxx"),
        ("hangs", "timeout", 3, "10 seconds"),
        ("kernel_killed", "kernel_died", 3, str(KILLED)),
        pytest.param(
            *("worker_killed", "worker_died", 3, str(KILLED)),
            marks=pytest.mark.skipif("worker_killed" not in NOTEBOOKS, reason="see NOTEBOOKS"),
        ),
        ("disk", "disk_full", 3, "MB free"),
        ("unreadable", "unreadable", None, "JSONDecodeError"),
        ("unknown_parameter", "bad_parameters", None, "speed"),
    ],
)
def test_two_lines_say_which_cell_and_why(made, notebook, reason, cell, said):
    error = made[2][notebook].error
    assert (error.reason, error.cell) == (reason, cell)
    for locale in ("zh", "en"):
        where, why = error.lines(words(locale))
        assert "\n" not in where + why and len(where) < 200 and len(why) < 400
        assert ("In [3]" in where) == (cell is not None)
        assert "import os, pathlib" in where or cell is None
    assert said in why


def test_latest_stays(made):
    root, outcome, _, _ = made
    plan_dir = root / "out" / "small"
    assert latest_run(plan_dir).name == EARLIER
    assert outcome.run_dir == plan_dir / "failed" / outcome.run_id
    assert {path.name for path in plan_dir.iterdir()} == {".lock", "ledger.sqlite", "latest", "failed", EARLIER}


def test_partial_notebooks_are_kept_for_reading(made):
    """All but the one whose worker was killed in its first half second, before anything was saved."""
    kept = {path.stem: path.read_text(encoding="utf-8") for path in made[1].run_dir.glob("*.ipynb")}
    assert set(kept) == {"boom", "hangs", "kernel_killed", "disk"}
    assert all(json.loads(content)["cells"] for content in kept.values())
    assert "before the wait" in kept["hangs"] and "ValueError" in kept["boom"]


def test_nothing_is_left_running(made):
    notes = [path.name.split("-") for path in (made[0] / "pids").iterdir()]
    assert {kind for _, kind in notes} == {"kernel", "worker", "child"} and len(notes) >= 10
    deadline = time.monotonic() + 10
    while (left := [note for note in notes if _runs(int(note[0]))]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not [child for child in psutil.Process().children(recursive=True) if _runs(child.pid)]


def test_exit_codes_stand_in_the_ledger(made):
    with Ledger(made[0] / "out" / "small") as ledger:
        rows = {row.notebook: row for row in ledger.steps(made[1].run_id)}
    assert (rows["good"].exit_code, rows["boom"].exit_code) == (0, 1)
    assert {rows[name].exit_code for name in ("kernel_killed", "worker_killed") if name in rows} == {KILLED}
    assert rows["hangs"].exit_code not in (0, None)
    assert all((row.key is None) == (row.status != "done") for row in rows.values())


def test_cells_were_told_while_they_ran(made):
    assert [event.cell for event in made[3] if isinstance(event, CellStarted) and event.notebook == "boom"] == [1, 2, 3]


def test_no_worker_can_be_started(tmp_path, monkeypatch):
    write_workbook(tmp_path, {"a": [], "b": ["a"], "c": []})
    monkeypatch.setattr(pool, "WORKER", "planlib.no_such_module")
    outcome = run(SmallPlan(), project_root=tmp_path, out_root=tmp_path / "out")
    assert [step.status for step in outcome.steps] == ["failed", "skipped", "failed"]
    assert outcome.steps[0].error.reason == "worker_start"
    assert "no_such_module" in outcome.steps[0].error.lines(words("en"))[1]
    assert {re.sub(r"\d", "N", path.name) for path in outcome.run_dir.iterdir()} == {"worker-N.log"}
    assert latest_run(tmp_path / "out" / "small") is None


def test_a_worker_whose_note_cannot_be_written_is_ended(tmp_path, monkeypatch):
    from planlib.workbook.failures import DiskFull

    write_workbook(tmp_path, {"a": []})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pool, "write_whole", full)
    with pytest.raises(DiskFull):
        run(SmallPlan(), project_root=tmp_path, out_root=tmp_path / "out")
    assert not [child for child in psutil.Process().children() if _runs(child.pid)]
    assert [path.name for path in (tmp_path / "out" / "small").glob(".*")] == [".lock"]


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
