"""Runs that go well: order, parallelism, whole or not at all, what is used again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.workbook import keys, pool
from planlib.workbook.ledger import Ledger, latest_run
from planlib.workbook.outcome import CellStarted, RunEnded, RunStarted, StepEnded, StepStarted
from planlib.workbook.runner import run
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

NEEDS = {"a": [], "b": ["a"], "c": [], "d": ["b"]}

# a and c each wait for the other: they end only if they run at the same time
MEET = """
import pathlib, time
here = pathlib.Path(out_dir).parent
(here / "{own}.here").touch()
deadline = time.monotonic() + 60
while not (here / "{other}.here").exists() and time.monotonic() < deadline:
    time.sleep(0.01)
assert (here / "{other}.here").exists()
"""


class Workbook:
    """A project in a folder whose name is hard on everything that builds strings, and its runs."""

    def __init__(self, root: Path):
        self.root = root / "项目 一 {x} \"y\" %s 'z' #"
        self.out = self.root / "输出 outputs"
        write_notebook(self.root, "a", MEET.format(own="a", other="c"))
        write_notebook(self.root, "c", MEET.format(own="c", other="a"))
        write_workbook(self.root, NEEDS)
        self.events = []

    def run(self, plan=None, **options):
        self.events.clear()
        options = {"jobs": 2, "locale": "en", "progress": self.events.append} | options
        return run(plan or SmallPlan(), project_root=self.root, out_root=self.out, **options)

    def runs(self):
        return sorted(path.name for path in (self.out / "small").glob("2*"))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A workbook that has run once; the package's own code stands still while tests look."""
    root = tmp_path_factory.mktemp("runner")
    package = root / "package"
    package.mkdir()
    (package / "module.py").write_text("x = 1", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "PACKAGE", package)
        made = Workbook(root)
        made.first = made.run()
        made.first_events = list(made.events)
        made.package = package
        yield made


@pytest.fixture
def no_workers(monkeypatch):
    """Fail a test that starts a process."""

    def refuse(*_, **__):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(pool, "Worker", refuse)


def statuses(outcome):
    return {step.notebook: step.status for step in outcome.steps}


def test_all_notebooks_run_behind_what_they_need(book):
    assert book.first.ok and not book.first.reused
    assert statuses(book.first) == dict.fromkeys(NEEDS, "done")
    places = {}
    for place, event in enumerate(book.first_events):
        if isinstance(event, StepStarted):
            places[event.notebook, "start"] = place
        elif isinstance(event, StepEnded):
            places[event.outcome.notebook, "end"] = place
    for notebook, needs in NEEDS.items():
        assert all(places[need, "end"] < places[notebook, "start"] for need in needs)


def test_events_tell_the_run(book):
    first, last = book.first_events[0], book.first_events[-1]
    assert isinstance(first, RunStarted) and first.jobs == 2 and list(first.titles) == ["a", "b", "c", "d"]
    assert first.titles["a"] == {"zh": "a", "en": "a"}
    assert isinstance(last, RunEnded) and last.outcome == book.first
    cells = [
        (event.cell, event.cells)
        for event in book.first_events
        if isinstance(event, CellStarted) and event.notebook == "b"
    ]
    assert cells == [(1, 3), (2, 3), (3, 3)]  # parameters, injected parameters, record


def test_run_is_in_place_and_whole(book):
    folder = book.first.run_dir
    assert folder == latest_run(book.out / "small") and folder.name == book.first.run_id
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c", "d", "manifest.json", "plan.json"]
    assert {path.name for path in (folder / "b").iterdir()} == {"b.ipynb", "results.json"}
    assert not list((book.out / "small").glob(".run-*"))
    assert not (book.out / "small" / "failed").exists()


def test_notebooks_receive_the_plan_and_show_where_it_is_now(book):
    results = json.loads((book.first.run_dir / "b" / "results.json").read_text(encoding="utf-8"))
    assert results["plan"] == {"id": "small", "seed": 7} and results["seed"] == 7
    notebook = json.loads((book.first.run_dir / "b" / "b.ipynb").read_text(encoding="utf-8"))
    injected = next(cell for cell in notebook["cells"] if "injected-parameters" in cell["metadata"]["tags"])
    seen = {}
    exec("".join(injected["source"]), seen)
    assert Path(seen["plan_file"]) == book.first.run_dir / "plan.json" and Path(seen["plan_file"]).is_file()
    assert Path(seen["out_dir"]) == book.first.run_dir
    assert (seen["locale"], seen["seed"]) == ("en", 7)


def test_manifest_and_ledger_agree(book):
    manifest = json.loads((book.first.run_dir / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["plan"] == {"id": "small", "sha256": SmallPlan().sha256, **SmallPlan().origin()}
    with Ledger(book.out / "small") as ledger:
        (row,) = [row for row in ledger.runs("small") if row.run_id == book.first.run_id]
        steps = {step.notebook: step for step in ledger.steps(book.first.run_id)}
    assert (row.status, row.exit_code) == ("done", 0) and row.seconds > 0 and row.started <= row.ended
    for step in manifest["steps"]:
        row = steps[step["notebook"]]
        assert (row.status, row.exit_code, row.key) == ("done", 0, step["key"])
        assert row.results_sha256 == step["results_sha256"] and 0 < row.cells_seconds < row.seconds
        assert 20e6 < row.peak_bytes < 2e9, "a worker with papermill and a kernel"
        assert row.folder == f"small/{book.first.run_id}/{row.notebook}"


def test_nothing_changed_gives_the_latest_run(book, no_workers):
    again = book.run()
    assert again.ok and again.reused and again.run_id == book.first.run_id and again.run_dir == book.first.run_dir
    assert statuses(again) == dict.fromkeys(NEEDS, "reused")
    assert book.runs() == [book.first.run_id]


def test_nothing_changed_imports_nothing_heavy(book):
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from small_workbook import SmallPlan\n"
        "from planlib.workbook import keys, runner\n"
        "keys.PACKAGE = pathlib.Path(sys.argv[4])\n"
        "outcome = runner.run(SmallPlan(), project_root=sys.argv[2], out_root=sys.argv[3], locale='en')\n"
        "assert outcome.reused\n"
        "heavy = {'papermill', 'nbformat', 'jupyter_client', 'psutil', 'pandas', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    arguments = [str(Path(__file__).parent), str(book.root), str(book.out), str(book.package)]
    found = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, encoding="utf-8")
    assert found.stdout.strip() == "[]"


def test_locale_and_code_are_part_of_the_key(book):
    plan_sha256 = "0" * 64
    with Ledger(book.out / "small") as ledger:

        progress, baseline = (book.root / "params" / f"small.{name}.csv" for name in ("progress", "baseline"))

        def around(locale):
            where = {"project_root": book.root, "data_root": "data/", "ledger": ledger, "beside": [progress, baseline]}
            return keys.surroundings(plan_sha256, locale=locale, **where)

        before = around("en")
        assert before == around("en") != around("zh")
        (book.package / "module.py").write_text("x = 2", encoding="utf-8")
        assert around("en") != before
        (book.package / "module.py").write_text("x = 1", encoding="utf-8")
        assert around("en") == before
        tidy = book.root / "data" / "tidy" / "users.parquet"
        tidy.parent.mkdir(parents=True)
        tidy.write_bytes(b"1")
        assert around("en") != before
        tidy.unlink()
        progress.parent.mkdir(exist_ok=True)
        for path in (progress, baseline):
            path.write_text("task", encoding="utf-8")
            assert around("en") != before
            path.unlink()
        (book.root / "requirements.lock").write_text("numpy==2", encoding="utf-8")
        assert around("en") != before
        (book.root / "requirements.lock").unlink()


def test_another_plan_and_back_again_links_the_earlier_steps(book, monkeypatch):
    """Also the only test with a second run of everything: it changes a notebook on the way."""
    write_notebook(book.root, "b", "print('changed')")
    second = book.run()
    assert statuses(second) == {"a": "reused", "b": "done", "c": "reused", "d": "done"}
    assert second.ok and latest_run(book.out / "small").name == second.run_id != book.first.run_id
    same = [
        os.path.samefile(book.first.run_dir / n / "results.json", second.run_dir / n / "results.json") for n in "ac"
    ]
    assert same == [True, True]

    write_notebook(book.root, "b")
    monkeypatch.setattr(pool, "Worker", None)
    third = book.run()
    assert third.ok and not third.reused and statuses(third) == dict.fromkeys(NEEDS, "reused")
    with Ledger(book.out / "small") as ledger:
        origins = {step.notebook: step.reused_from for step in ledger.steps(third.run_id)}
    assert origins == dict.fromkeys(NEEDS, book.first.run_id)
    assert book.run().run_id == third.run_id


def test_only_carries_over_what_still_matches(book, no_workers):
    write_notebook(book.root, "c", "print('changed')")
    try:
        found = book.run(only=["d"])
        assert statuses(found) == {"a": "reused", "b": "reused", "d": "reused"}  # c is of another source now
        assert found.ok and not found.reused and not (found.run_dir / "c").exists()
        assert book.run(only=["b"]).run_id == found.run_id  # d still matches: nothing changed
    finally:
        write_notebook(book.root, "c", MEET.format(own="c", other="a"))
    whole = book.run()
    assert statuses(whole) == dict.fromkeys(NEEDS, "reused") and not whole.reused


def test_bad_arguments_write_nothing(book, tmp_path):
    out = tmp_path / "out"
    for plan, options in (
        (SmallPlan(id="../x"), {}),
        (SmallPlan(id="con"), {}),
        (SmallPlan(id="Ä"), {}),
        (SmallPlan(seed=-1), {}),
        (SmallPlan(seed=True), {}),
        (SmallPlan(seed="7; import os"), {}),
        (SmallPlan(), {"locale": "de"}),
        (SmallPlan(), {"jobs": 0}),
        (SmallPlan(), {"timeout": 0}),
        (SmallPlan(), {"timeout": float("nan")}),
        (SmallPlan(), {"only": ["x"]}),
    ):
        with pytest.raises(InputError):
            run(plan, project_root=book.root, out_root=out, **options)
    with pytest.raises(InputError):
        run(SmallPlan(), project_root=book.root, out_root=out / 'line\nbreak"', locale="en")
    assert not out.exists()


def test_all_bad_arguments_are_told_at_once(book, tmp_path):
    with pytest.raises(InputError) as caught:
        run(SmallPlan(id="", seed=-1), project_root=book.root, out_root=tmp_path / "out", locale="fr", jobs=-1)
    assert [problem.field for problem in caught.value.problems] == ["plan.id", "jobs", "locale", "seed"]
