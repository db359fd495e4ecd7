"""Several plans in one pool: what goes wrong in one stays in that one."""

import json
from pathlib import Path

import psutil
import pytest

from planlib.core.errors import InputError, Problem
from planlib.workbook import keys, lock, pool
from planlib.workbook.failures import LockHeld
from planlib.workbook.ledger import Ledger, latest_run, recorded_runs
from planlib.workbook.many import Order, failed, reason, run_many
from planlib.workbook.outcome import CellStarted, RunEnded, StepStarted, Waiting
from planlib.workbook.runner import PlanRun
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

FIRST = """
import json, os, pathlib
plan = json.loads(pathlib.Path(plan_file).read_text(encoding="utf-8"))
if plan["id"] == "falls": raise ValueError("falls on purpose")
print("worker", os.getppid())
"""
IDS = ("good", "falls", "unfit", "breaks", "held", "last")


def no_deck(folder):
    raise InputError(Problem("missing_glyph", values={"char": "U+1F600", "page": "1"}))


def beside(folder):
    (folder / "decks").mkdir()
    (folder / "decks" / "made.pdf").write_bytes(b"%PDF")


class Brands:
    """Six plans, five of which are given something to stumble over."""

    def __init__(self, root: Path):
        self.root, self.out, self.events = root, root / "out", []
        write_notebook(root, "a", FIRST)
        write_workbook(root, {"a": [], "b": ["a"]})

    def run(self, ids=IDS, **options):
        self.events.clear()
        orders = [
            Order(
                plan=SmallPlan(id=name), complete=no_deck if name == "unfit" else beside,
                only=("a",) if name in ("unfit", "last") else (),
            )
            for name in ids
        ]  # fmt: skip

        def note(plan_id, event):
            self.events.append((plan_id, event))

        options = {"jobs": 2, "locale": "en", "progress": note} | options
        return run_many(orders, project_root=self.root, out_root=self.out, **options)


@pytest.fixture(scope="module")
def brands(tmp_path_factory):
    root = tmp_path_factory.mktemp("brands")
    (root / "package").mkdir()
    (root / "package" / "module.py").write_text("x = 1", encoding="utf-8")
    job = PlanRun.job

    def stumbling(self, notebook_id):
        if self.plan.id == "breaks" and notebook_id == "b":
            raise PermissionError(13, "not allowed", str(self.folder))
        return job(self, notebook_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "PACKAGE", root / "package")
        patch.setattr(PlanRun, "job", stumbling)
        made = Brands(root)
        (made.out / "held").mkdir(parents=True)
        with lock.hold(made.out / "held"):
            made.first = made.run()
        made.first_events = list(made.events)
        yield made


def test_each_ends_for_itself(brands):
    first = brands.first
    assert list(first) == list(IDS)
    assert {name: failed(first[name]) for name in IDS} == {
        "good": False, "falls": True, "unfit": True, "breaks": True, "held": True, "last": False,
    }  # fmt: skip
    for name in ("good", "last"):
        assert {step.status for step in first[name].steps} == {"done"}
        assert latest_run(brands.out / name) == first[name].run_dir
        assert (first[name].run_dir / "decks" / "made.pdf").is_file(), "completed before it was put in place"
    assert [step.status for step in first["falls"].steps] == ["failed", "skipped"]
    kept = brands.out / "falls" / "failed" / first["falls"].run_id / "a.ipynb"
    assert "falls on purpose" in kept.read_text("utf-8")
    assert isinstance(first["held"], LockHeld) and "U+1F600" in reason(first["unfit"], "en")
    assert "Not allowed" in reason(first["breaks"], "en") and "breaks" in reason(first["breaks"], "zh")
    for name in ("falls", "unfit", "breaks", "held"):
        assert latest_run(brands.out / name) is None
    assert not list(brands.out.glob("*/.run-*")) and not list(brands.out.glob("portfolio/.pool-*"))
    assert not any(lock.is_held(brands.out / name) for name in IDS)
    assert not psutil.Process().children(recursive=True)


def test_one_pool_serves_all(brands):
    found = set()
    for name in ("good", "last"):
        cells = json.loads((brands.first[name].run_dir / "a" / "a.ipynb").read_text("utf-8"))["cells"]
        text = "".join(str(output.get("text", "")) for cell in cells for output in cell.get("outputs", ()))
        found.add(text.split("worker")[1].split()[0].strip("\\n'],"))
    started = [plan_id for plan_id, event in brands.first_events if isinstance(event, StepStarted)]
    assert len(started) == 6 and len(found) <= 2, "six notebooks began; a worker that lived was used again"
    assert [plan_id for plan_id, event in brands.first_events if isinstance(event, Waiting)] == ["held"]


def test_ledgers_are_apart(brands):
    for name, status in (("good", "done"), ("falls", "failed"), ("unfit", "failed"), ("breaks", "failed")):
        with Ledger(brands.out / name) as ledger:
            assert [(row.plan_id, row.status) for row in ledger.runs()] == [(name, status)]
            assert ledger.file_sha256(brands.root / "notebooks" / "a.ipynb")
    assert len(recorded_runs(brands.out, limit=20)) == 5


def test_a_second_run_repeats_nothing(brands, monkeypatch):
    monkeypatch.setattr(pool, "Worker", None)
    again = brands.run(("good", "last"))
    assert all(again[name].reused and again[name].run_id == brands.first[name].run_id for name in again)
    assert {plan_id for plan_id, event in brands.events if isinstance(event, RunEnded)} == {"good", "last"}


def test_a_plan_that_is_held_is_waited_for_after_the_others(brands, monkeypatch):
    monkeypatch.setattr(pool, "Worker", None)
    held = lock.hold(brands.out / "good")
    held.__enter__()

    def note(plan_id, event):
        if plan_id == "last" and isinstance(event, RunEnded):
            held.__exit__(None, None, None)

    again = brands.run(("good", "last"), wait_seconds=60.0, progress=note)
    assert not failed(again["good"]) and not failed(again["last"])


def test_nothing_is_left_of_an_interrupted_run(brands):
    def stop(plan_id, event):
        if isinstance(event, CellStarted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        brands.run(("one", "two"), progress=stop, jobs=1)
    assert not list(brands.out.glob("*/.run-*")) and not list(brands.out.glob("portfolio/.pool-*"))
    assert not psutil.Process().children(recursive=True)
    with Ledger(brands.out / "one") as ledger:
        assert [row.status for row in ledger.runs()] == ["interrupted"]


def test_what_a_killed_run_left_of_its_pool_goes(brands, monkeypatch):
    left = brands.out / "portfolio" / ".pool-1-1"
    (left / "workers").mkdir(parents=True)
    (left / ".lock").touch()
    (left / "workers" / "worker-1.json").write_text('{"pid": 1, "created": 0.0, "host": "elsewhere"}', "utf-8")
    monkeypatch.setattr(pool, "Worker", None)
    brands.run(("good",))
    assert not left.exists()


def test_arguments_are_checked_before_anything_is_written(tmp_path):
    write_workbook(tmp_path, {"a": []})
    with pytest.raises(InputError):
        run_many([Order(plan=SmallPlan(id="portfolio"))], project_root=tmp_path, out_root=tmp_path / "out")
    assert not (tmp_path / "out").exists()
