import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from planlib.workbook.failures import RunError
from planlib.workbook.ledger import FILE, Ledger, RunRow, StepRow, latest_run, recorded_runs, sha256_file

RUN = RunRow("20270101T000000000Z-aaaaaa", "small", "0" * 64, "zh", "2027-01-01T00:00:00Z", folder="small/x")
STEP = StepRow(RUN.run_id, "a", "done", key="k", seconds=2.0, folder="small/x/a", folder_sha256="f")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "输出") as opened:
        yield opened


def finish(ledger, run_id, status="done"):
    ledger.finish(run_id, status=status, exit_code=0, ended="2027-01-01T00:01:00Z", seconds=60.0)


def test_rows_come_back_as_they_were(ledger):
    ledger.start(RUN)
    ledger.record(STEP)
    assert ledger.runs() == [RUN] and ledger.steps(RUN.run_id) == [STEP]
    finish(ledger, RUN.run_id)
    done = replace(RUN, status="done", exit_code=0, ended="2027-01-01T00:01:00Z", seconds=60.0)
    assert ledger.runs("small") == [done] and ledger.runs("other") == [] and ledger.runs(status="running") == []
    with Ledger(ledger.root) as again:
        assert again.runs() == [done]


def test_runs_are_newest_first_and_limited(ledger):
    ids = [f"2027010{day}T000000000Z-aaaaaa" for day in (2, 1, 3)]
    for run_id in ids:
        ledger.start(replace(RUN, run_id=run_id))
    assert [row.run_id for row in ledger.runs()] == sorted(ids, reverse=True)
    assert [row.run_id for row in ledger.runs(limit=1)] == [max(ids)]


def test_a_second_record_takes_the_place_of_the_first(ledger):
    ledger.record(STEP)
    ledger.record(replace(STEP, key=None))
    assert ledger.steps(RUN.run_id) == [replace(STEP, key=None)]


def test_only_steps_of_whole_runs_are_reusable(ledger):
    for number, status in enumerate(("done", "failed", "killed", "interrupted", "running")):
        run_id = f"2027010{number}T"
        ledger.start(replace(RUN, run_id=run_id))
        ledger.record(replace(STEP, run_id=run_id))
        if status != "running":
            finish(ledger, run_id, status)
    assert [row.run_id for row in ledger.reusable("a", "k")] == ["20270100T"]
    assert ledger.reusable("a", "other") == [] and ledger.reusable("b", "k") == []
    ledger.record(replace(STEP, run_id="20270100T", status="failed"))
    assert ledger.reusable("a", "k") == []


def test_mean_is_over_the_last_executions(ledger):
    assert ledger.mean_seconds() == {}
    for number, (status, seconds) in enumerate([("done", 100.0), ("done", 2.0), ("reused", 50.0), ("done", 4.0)]):
        ledger.record(replace(STEP, run_id=f"r{number}", status=status, seconds=seconds))
    ledger.record(replace(STEP, run_id="r9", notebook="b", seconds=7.0))
    assert ledger.mean_seconds(last=2) == {"a": 3.0, "b": 7.0}


def test_file_hashes_are_kept_until_the_file_changes(ledger, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"one")
    first = ledger.file_sha256(path)
    assert first == sha256_file(path)
    state = path.stat()
    path.write_bytes(b"two")  # same size; with the same time too, nobody can tell
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert ledger.file_sha256(path) == first
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert ledger.file_sha256(path) == sha256_file(path) != first
    path.unlink()
    with pytest.raises(OSError, match=r"data\.csv"):
        ledger.file_sha256(path)


def test_a_broken_ledger_is_put_aside_but_a_busy_one_is_not(tmp_path):
    (tmp_path / FILE).write_bytes(b"x" * 4096)
    with Ledger(tmp_path) as ledger:
        ledger.start(RUN)
    assert (tmp_path / f"{FILE}.broken").read_bytes() == b"x" * 4096
    (tmp_path / f"{FILE}.broken").unlink()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planlib.workbook.ledger._BUSY_SECONDS", 0.05)
        with pytest.raises(sqlite3.OperationalError, match="locked"), Ledger(tmp_path):
            pass
    other.close()
    assert not (tmp_path / f"{FILE}.broken").exists()


def test_processes_write_at_the_same_time(tmp_path):
    code = (
        "import sys; from planlib.workbook.ledger import *\n"
        "with Ledger(sys.argv[1]) as ledger:\n"
        "    for i in range(30): ledger.record(StepRow(sys.argv[2], f'n{i}', 'done'))"
    )
    found = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("one", "two")]
    assert [process.wait() for process in found] == [0, 0]
    with Ledger(tmp_path) as ledger:
        assert [len(ledger.steps(name)) for name in ("one", "two")] == [30, 30]


def test_a_failed_write_leaves_no_transaction(ledger):
    with pytest.raises(sqlite3.IntegrityError):
        ledger.start(replace(RUN, plan_id=None))
    ledger.start(RUN)
    assert ledger.runs() == [RUN]


def test_latest_names_a_folder_inside(tmp_path):
    assert latest_run(tmp_path) is None
    (tmp_path / "run").mkdir()
    for text in ("", "gone", ".", "..", "../x", "run/..", "\x00"):
        (tmp_path / "latest").write_text(text, encoding="utf-8")
        assert latest_run(tmp_path) is None, text
    (tmp_path / "latest").write_bytes(b"\xff\xfe")
    assert latest_run(tmp_path) is None
    (tmp_path / "latest").write_text("run\n", encoding="utf-8")
    assert latest_run(tmp_path) == tmp_path / "run"


V1 = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL, plan_sha256 TEXT NOT NULL, locale TEXT NOT NULL,
    started TEXT NOT NULL, ended TEXT, seconds REAL, status TEXT NOT NULL, exit_code INTEGER, folder TEXT NOT NULL);
CREATE TABLE steps (run_id TEXT NOT NULL REFERENCES runs (run_id), notebook TEXT NOT NULL, status TEXT NOT NULL,
    reason TEXT, key TEXT, started TEXT, ended TEXT, seconds REAL, cells_seconds REAL, exit_code INTEGER,
    results_sha256 TEXT, folder_sha256 TEXT, needs_sha256 TEXT, folder TEXT, reused_from TEXT,
    PRIMARY KEY (run_id, notebook));
CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL);
INSERT INTO runs VALUES ('r1', 'small', 'h', 'zh', 't', 't', 2.0, 'done', 0, 'small/r1'),
    ('r2', 'other', 'h', 'zh', 't', 't', 2.0, 'done', 0, 'other/r2'),
    ('r3', 'small', 'h', 'zh', 't', 't', 1.0, 'failed', 1, 'x');
INSERT INTO steps (run_id, notebook, status, key, seconds, folder) VALUES ('r1', 'a', 'done', 'k', 2.0, 'small/r1/a'),
    ('r2', 'a', 'done', 'k', 9.0, 'other/r2/a');
PRAGMA user_version = 1;
"""


def first_version(path):
    with sqlite3.connect(path) as db:
        db.executescript(V1)
    db.close()


def test_a_plan_takes_its_rows_out_of_the_ledger_that_was_kept_for_all(tmp_path):
    first_version(tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes()
    assert [row.run_id for row in recorded_runs(tmp_path, limit=9)] == ["r3", "r2", "r1"]
    with Ledger(tmp_path / "small") as ledger:
        assert [row.run_id for row in ledger.runs()] == ["r3", "r1"]
        assert [row.run_id for row in ledger.reusable("a", "k")] == ["r1"], "no row of another plan"
        assert ledger.mean_seconds() == {"a": 2.0} and ledger.peak_bytes() is None
        ledger.start(replace(RUN, run_id="r4"))
    assert [row.run_id for row in recorded_runs(tmp_path, limit=9)] == ["r4", "r3", "r2", "r1"]
    assert [row.run_id for row in recorded_runs(tmp_path, limit=2)] == ["r4", "r3"]
    assert (tmp_path / FILE).read_bytes() == before


def test_an_earlier_ledger_is_widened_and_a_newer_one_refused(tmp_path):
    (tmp_path / "small").mkdir()
    first_version(tmp_path / "small" / FILE)
    with Ledger(tmp_path / "small") as ledger:
        assert len(ledger.runs("small")) == 2
        ledger.record(replace(STEP, peak_bytes=5_000_000))
        assert ledger.peak_bytes() == 5_000_000
    with sqlite3.connect(tmp_path / "small" / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(RunError, match="99") as caught, Ledger(tmp_path / "small"):
        pass
    assert FILE in caught.value.render("zh")
    assert not (tmp_path / "small" / f"{FILE}.broken").exists()


def test_a_damaged_ledger_of_all_plans_is_left_alone(tmp_path):
    (tmp_path / FILE).write_bytes(b"x" * 4096)
    with Ledger(tmp_path / "small") as ledger:
        assert ledger.runs() == []
    assert recorded_runs(tmp_path, limit=9) == [] and (tmp_path / FILE).read_bytes() == b"x" * 4096
