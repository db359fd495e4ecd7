"""What is used again, and what a run writes; notebooks are played, so that every case costs milliseconds."""

import errno
import json
import os
from pathlib import Path

import pytest

from planlib.core.results import write_whole
from planlib.workbook import keys, lock, remains, runner
from planlib.workbook.failures import DiskFull, LockHeld, RunError, StepError
from planlib.workbook.ledger import FILE, Ledger, latest_run
from planlib.workbook.outcome import RunStarted, Waiting
from planlib.workbook.remains import recover, temporary
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

NEEDS = {"a": [], "b": ["a"], "c": []}


class Played:
    """A workbook whose notebooks are played: each writes its results, `inputs` and a number, at once."""

    def __init__(self, root: Path):
        self.root = root
        self.out = root / "out"
        self.plan_dir = self.out / "small"
        self.values = {}
        self.inputs = {}
        self.failing = set()
        self.ran = []
        self.meanwhile = lambda: None
        write_workbook(root, NEEDS)

    def run(self, plan=None, **options):
        self.ran.clear()
        return runner.run(plan or SmallPlan(), project_root=self.root, out_root=self.out, **options)

    def work(self, run_):
        while run_.todo():
            notebook = run_.todo()[0]
            self.ran.append(notebook)
            folder = Path(run_.job(notebook)["output"]).parent
            if notebook in self.failing:
                (folder / f".{notebook}.partial.ipynb").write_text("{}", encoding="utf-8")
                run_.failed(notebook, StepError("cell_error", 3, "x", {"detail": "ValueError: y"}))
                continue
            write_whole(folder / "results.json", json.dumps(self._results(notebook)))
            write_whole(folder / f"{notebook}.ipynb", "{}")
            (folder / f"{notebook}.log").touch()
            run_.done(notebook, started="2027-01-01T00:00:00Z", seconds=1.0, cells_seconds=0.5)
        self.meanwhile()

    def _results(self, notebook):
        names = ("metrics", "checks", "findings", "tables", "charts", "pages")
        inputs = [
            {"file": name, "sha256": keys.sha256_file(self.root / name), "rows": None}
            for name in self.inputs.get(notebook, ())
        ]
        return {name: [] for name in names} | {
            "schema": 1, "notebook": notebook, "seed": 1, "as_of": "2027-01-01", "plan": {}, "versions": {},
            "decision": self.values.get(notebook), "inputs": inputs,
        }  # fmt: skip

    def latest(self):
        return latest_run(self.plan_dir)

    def leftovers(self):
        return sorted(path.name for path in self.plan_dir.iterdir() if path.name.startswith((".run", ".latest")))


@pytest.fixture
def book(tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("x = 1", encoding="utf-8")
    (package / "font.ttf").write_bytes(b"abc")
    made = Played(tmp_path / "project")
    made.package = package
    monkeypatch.setattr(keys, "PACKAGE", package)
    monkeypatch.setattr(runner.PlanRun, "_work", lambda run_, memory: made.work(run_))
    return made


def statuses(outcome):
    return {step.notebook: step.status for step in outcome.steps}


def test_only_what_changed_runs_again(book):
    first = book.run()
    assert book.ran == ["a", "b", "c"] and first.ok
    assert book.run().run_id == first.run_id and book.ran == []
    write_notebook(book.root, "a", "print(1)")
    second = book.run()
    assert book.ran == ["a", "b"] and statuses(second) == {"a": "done", "b": "done", "c": "reused"}
    write_notebook(book.root, "b", "print(2)")
    book.run()
    assert book.ran == ["b"]


@pytest.mark.parametrize("change", ["plan", "seed", "locale", "code", "lock", "data", "environment"])
def test_everything_else_that_changes_runs_all_again(book, change, monkeypatch):
    book.run()
    plan, options = SmallPlan(), {}
    if change == "plan":
        plan = SmallPlan(content={"x": 1})
    elif change == "seed":
        plan = SmallPlan(seed=8)
    elif change == "locale":
        options = {"locale": "en"}
    elif change == "code":
        (book.package / "module.py").write_text("x = 2", encoding="utf-8")
    elif change == "lock":
        (book.root / "requirements.lock").write_text("numpy==2", encoding="utf-8")
    elif change == "data":
        write_whole(book.root / "data" / "tidy" / "users.csv", "1")
    elif change == "environment":
        monkeypatch.setattr(keys, "_packages", lambda: ["numpy-0.dist-info"])
    book.run(plan, **options)
    assert book.ran == ["a", "b", "c"]


def test_data_of_the_plans_own_folder_count_and_no_others(book):
    """Each plan names its data folder."""
    plan = SmallPlan(data_root="data/brand")
    book.run(plan)
    write_whole(book.root / "data" / "tidy" / "users.csv", "1")
    book.run(plan)
    assert book.ran == []
    write_whole(book.root / "data" / "brand" / "tidy" / "users.csv", "1")
    book.run(plan)
    assert book.ran == ["a", "b", "c"]


def test_plans_of_one_hash_but_other_provenance_differ(book):
    """Results name the plan's file, so another file's results are not these."""

    class Elsewhere(SmallPlan):
        sha256 = SmallPlan().sha256

        def resolved_json(self):
            return json.dumps({"file": "elsewhere.yaml"})

    book.run()
    book.run(Elsewhere())
    assert book.ran == ["a", "b", "c"]


def test_outputs_and_compiled_files_do_not_count(book):
    book.run()
    path = book.root / "notebooks" / "a.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][0] |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}], "execution_count": 9}
    content["metadata"]["kernelspec"] = {"name": "another", "display_name": "x"}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    (book.package / "module.cpython-311.pyc").write_bytes(b"x")
    assert book.run().reused and book.ran == []


def test_fresh_runs_what_has_not_changed(book):
    first = book.run()
    second = book.run(fresh=True)
    assert book.ran == ["a", "b", "c"] and second.run_id != first.run_id and book.latest() == second.run_dir


def test_fresh_with_only_carries_the_rest_over(book):
    book.run()
    found = book.run(fresh=True, only=["a"])
    assert book.ran == ["a"] and statuses(found) == {"a": "done", "b": "reused", "c": "reused"}


def test_what_read_other_results_is_not_carried_over(book):
    book.run()
    book.values["a"] = "other"
    found = book.run(fresh=True, only=["a"])
    assert statuses(found) == {"a": "done", "c": "reused"}


def test_an_input_file_that_changes_takes_its_dependants_along(book):
    """b's key does not tell it: the file is known from a's results only."""
    data = book.root / "data.csv"
    data.write_text("1", encoding="utf-8")
    book.inputs["a"] = ["data.csv"]
    first = book.run()
    assert book.run().reused
    data.write_text("22", encoding="utf-8")
    book.run()
    assert book.ran == ["a", "b"]
    data.write_text("1", encoding="utf-8")
    third = book.run()
    assert book.ran == [] and not third.reused and statuses(third) == dict.fromkeys(NEEDS, "reused")
    for notebook in NEEDS:
        assert os.path.samefile(third.run_dir / notebook / "results.json", first.run_dir / notebook / "results.json")
    data.unlink()
    book.inputs.clear()
    book.run()
    assert book.ran == ["a", "b"]


@pytest.mark.parametrize("damage", ["removed", "changed", "extra", "chart_lost"])
def test_a_damaged_step_runs_again(book, damage):
    first = book.run()
    results = first.run_dir / "c" / "results.json"
    if damage == "removed":
        results.unlink()
    elif damage == "changed":
        results.write_bytes(results.read_bytes().replace(b'"seed": 1', b'"seed": 2'))
    elif damage == "extra":
        (first.run_dir / "c" / "extra.txt").touch()
    else:
        (first.run_dir / "c" / "c.ipynb").unlink()
    found = book.run()
    assert book.ran == ["c"] and statuses(found) == {"a": "reused", "b": "reused", "c": "done"}


def test_a_lost_run_or_ledger_only_costs_time(book):
    first = book.run()
    for path in sorted(first.run_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    first.run_dir.rmdir()
    assert book.latest() is None
    second = book.run()
    assert book.ran == ["a", "b", "c"] and book.latest() == second.run_dir
    (book.plan_dir / FILE).write_bytes(b"this is no database, it only looks like a file" * 100)
    third = book.run()
    assert book.ran == ["a", "b", "c"] and book.latest() == third.run_dir
    assert (book.plan_dir / f"{FILE}.broken").is_file()
    (second.run_dir / "manifest.json").unlink()
    assert book.run().run_id == third.run_id


def test_a_step_that_vanishes_while_it_is_linked_runs(book, monkeypatch):
    book.run()
    book.values["c"] = "x"
    write_notebook(book.root, "c", "print(1)")

    def vanish(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(runner.shutil, "copytree", vanish)
    found = book.run()
    assert book.ran == ["a", "b", "c"] and found.ok


def test_copies_where_links_are_impossible(book, monkeypatch):
    first = book.run()
    write_notebook(book.root, "c", "print(1)")

    def refuse(*_):
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)
    second = book.run()
    assert book.ran == ["c"]
    pair = [found.run_dir / "a" / "results.json" for found in (first, second)]
    assert pair[0].read_bytes() == pair[1].read_bytes() and not os.path.samefile(*pair)
    assert book.run().reused


def test_a_source_that_changes_while_it_runs_is_not_used_again(book):
    book.meanwhile = lambda: write_notebook(book.root, "a", "print('edited during the run')")
    first = book.run()
    assert first.ok
    book.meanwhile = lambda: None
    second = book.run()
    assert book.ran == ["a", "b"] and second.run_id != first.run_id
    write_notebook(book.root, "a")  # as it was when the first run began: that run may have seen either
    book.run()
    assert book.ran == ["a", "b"]


def test_a_failed_run_leaves_the_last_whole_one(book):
    first = book.run()
    write_notebook(book.root, "a", "print(1)")
    write_notebook(book.root, "c", "print(1)")
    book.failing = {"a"}
    failed = book.run()
    assert not failed.ok and statuses(failed) == {"a": "failed", "b": "skipped", "c": "done"}
    assert [step.because for step in failed.steps] == ["", "a", ""]
    assert book.latest() == first.run_dir and book.leftovers() == []
    assert failed.run_dir == book.plan_dir / "failed" / failed.run_id
    assert [path.name for path in failed.run_dir.iterdir()] == ["a.ipynb"]
    assert not (book.plan_dir / failed.run_id).exists()
    with Ledger(book.plan_dir) as ledger:
        row = ledger.runs()[0]
        assert (row.run_id, row.status, row.exit_code) == (failed.run_id, "failed", 1)
        assert {step.notebook: (step.status, step.reason) for step in ledger.steps(failed.run_id)} == {
            "a": ("failed", "cell_error"),
            "b": ("skipped", "a"),
            "c": ("done", None),
        }
    book.failing = set()
    whole = book.run()
    assert book.ran == ["a", "b", "c"] and book.latest() == whole.run_dir  # nothing of a failed run is used


def test_a_notebook_without_results_of_its_own_has_failed(book):
    play = book._results
    book._results = lambda notebook: play({"b": "a"}.get(notebook, notebook))
    failed = book.run()
    assert statuses(failed) == {"a": "done", "b": "failed", "c": "done"}
    assert failed.steps[1].error == StepError("bad_results", values={"given": "a"})
    assert (failed.run_dir / "b.ipynb").is_file()  # it ran to its end, and is kept all the same
    book._results = lambda notebook: {"schema": 99}
    assert book.run().steps[0].error == StepError("bad_results", values={"given": 99})
    book.work = lambda run_: [_ends_without_results(run_, notebook) for notebook in run_.todo()]
    assert book.run().steps[0].error == StepError("no_results", values={"notebook": "a"})


def _ends_without_results(run_, notebook):
    Path(run_.job(notebook)["log"]).write_text("said something", encoding="utf-8")
    if not run_.ended(notebook):
        run_.done(notebook, started="2027-01-01T00:00:00Z", seconds=1.0, cells_seconds=0.5)


def test_a_failing_callback_ends_the_run_cleanly(book):
    first = book.run()

    def fail(event):
        if not isinstance(event, RunStarted):
            raise ValueError("cannot draw")

    with pytest.raises(ValueError, match="cannot draw"):
        book.run(fresh=True, progress=fail)
    assert book.latest() == first.run_dir and book.leftovers() == []
    with Ledger(book.plan_dir) as ledger:
        assert [row.status for row in ledger.runs()] == ["failed", "done"]
    assert book.run().reused


def test_full_disk_at_any_write_leaves_the_last_whole_run(book, monkeypatch):
    """Every write of a run that links and runs steps fails once; the count below says that there were many."""
    book.run()
    write_notebook(book.root, "c", "print(1)")
    left = {"writes": 0}

    def limited(write):
        def call(*args, **options):
            left["writes"] -= 1
            if left["writes"] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*args, **options)

        return call

    before = {path: path.read_bytes() for path in book.latest().rglob("*") if path.is_file()}
    latest, there = book.latest(), sorted(book.plan_dir.glob("2*"))
    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_whole", limited(write_whole))
        patch.setattr(lock, "write_whole", limited(write_whole))
        patch.setattr(os, "link", limited(os.link))
        patch.setattr(Path, "mkdir", limited(Path.mkdir))
        for name in ("start", "record", "finish"):
            patch.setattr(Ledger, name, limited(getattr(Ledger, name)))
        for allowed in range(100):
            left["writes"] = allowed
            try:
                found = book.run()
            except DiskFull as error:
                assert str(book.plan_dir) in error.render("en") and "MB free" in error.render("en")
                assert "MB" in error.render("zh")
                assert book.latest() == latest and book.leftovers() == []
                assert sorted(book.plan_dir.glob("2*")) == there
                assert {path: path.read_bytes() for path in before} == before
            else:
                if left["writes"] >= 0:
                    break
        assert allowed > 10
    assert found.ok and book.latest() == found.run_dir != latest
    assert not lock.is_held(book.plan_dir)


def test_a_full_ledger_is_a_full_disk(book, monkeypatch):
    import sqlite3

    book.run()
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def full(*_, **__):
        raise error

    monkeypatch.setattr(Ledger, "record", full)
    with pytest.raises(DiskFull):
        book.run(fresh=True)


def test_a_folder_that_may_not_be_written_is_named(book, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(RunError) as caught:
            book.run()
    assert str(book.plan_dir) in caught.value.render("en") and "--out" in caught.value.render("zh")


def test_killed_between_rename_and_latest_is_completed(book):
    first = book.run()
    second = book.run(fresh=True)
    write_whole(book.plan_dir / "latest", f"{first.run_id}\n")
    write_whole(book.plan_dir / ".latest.next", f"{second.run_id}\n")
    with Ledger(book.plan_dir) as ledger:
        (row,) = [row for row in ledger.runs() if row.run_id == second.run_id]
        ledger.start(
            row.__class__(row.run_id, row.plan_id, row.plan_sha256, row.locale, row.started, folder=row.folder)
        )
        recover(book.plan_dir, ledger)
        assert [found.status for found in ledger.runs()] == ["done", "done"]
    assert book.latest() == second.run_dir and book.leftovers() == []
    assert book.run().run_id == second.run_id


def test_killed_while_it_was_built_is_cleared_away(book):
    first = book.run()
    run_id = "20990101T000000000Z-abcdef"
    folder = temporary(book.plan_dir, run_id)
    write_whole(folder / "a" / ".a.partial.ipynb", "partial")
    write_whole(folder / "b" / "b.ipynb", "whole")
    write_whole(folder / remains.WORKERS / "worker-1.log", "said something")
    write_whole(folder / remains.WORKERS / "worker-1.json", '{"pid": 1, "created": 0.0, "host": "elsewhere"}')
    write_whole(folder / remains.WORKERS / "worker-2.json", "{half")
    with Ledger(book.plan_dir) as ledger:
        row = ledger.runs()[0]
        ledger.start(row.__class__(run_id, "small", row.plan_sha256, row.locale, row.started, folder=f"small/{run_id}"))
    assert book.run().run_id == first.run_id
    kept = book.plan_dir / "failed" / run_id
    assert sorted(path.name for path in kept.iterdir()) == ["a.ipynb", "worker-1.log"]
    assert (kept / "a.ipynb").read_text(encoding="utf-8") == "partial"
    assert book.leftovers() == []
    with Ledger(book.plan_dir) as ledger:
        assert ledger.runs()[0].status == "killed"


def test_a_second_run_says_who_holds_the_plan_or_waits(book):
    book.run()
    seen = []
    with lock.hold(book.plan_dir), pytest.raises(LockHeld) as caught:
        book.run(wait_seconds=0.15, progress=seen.append)
    assert str(os.getpid()) in caught.value.render("zh") and str(os.getpid()) in str(caught.value)
    assert [type(event) for event in seen] == [Waiting] and seen[0].holder.pid == os.getpid()
    assert book.run(wait_seconds=1).reused


def test_plans_do_not_wait_for_each_other(book):
    with lock.hold(_made(book.out / "other")):
        assert book.run().ok


def _made(folder):
    folder.mkdir(parents=True)
    return folder
