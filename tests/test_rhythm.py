"""Reviews: what changed since the last one, slots, overlaps, retries, what is kept; notebook 80 is played."""

import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from planlib import rhythm
from planlib.core import chain
from planlib.core.errors import InputError, Problem
from planlib.core.results import load, read_table, write_table, write_whole
from planlib.core.words import words
from planlib.plan.decide import log_path
from planlib.report import review_story as story
from planlib.workbook import lock, runner
from planlib.workbook.cadence import CADENCES, CHINA, slot, slots
from planlib.workbook.failures import StepError
from planlib.workbook.ledger import FILE, Ledger, latest_run
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers
from tests.test_cli import call

ROOT = Path(__file__).parents[1]
MONDAY = dt.datetime(2026, 3, 16, 8, 0, tzinfo=CHINA)
MINIMAL = (ROOT / "tests" / "plan" / "minimal.yaml").read_text(encoding="utf-8")
PLAN = "extends: base.yaml\nplan: {id: brand, start: 2026-01}\ndata: {root: nothing/}\n"


def score(metric, actual, *, low=None, high=None, status="off_track", forecast=None, plan=1.0, unit="ratio"):
    return {"metric": metric, "plan": plan, "actual": actual, "low": low, "high": high, "unit": unit, "status": status,
            "gap_points": None, "gap_share": None, "reason": "far_behind", "forecast": forecast}  # fmt: skip


def alert(series, raised, state="open", owner="—", direction="falls"):
    return {"series": series, "owner_code": owner, "direction": direction, "began": "2026-01-05", "raised": raised,
            "size": 1.5, "state": state, "next": "none"}  # fmt: skip


def todo(name, state, due="2026-03-01", *, expected=None, observed=None):
    return {"id": name, "what_zh": f"做 {name}", "what_en": f"do {name}", "owner_zh": "运营", "owner_en": "operations",
            "kind": "action", "due": due, "state": state, "days": -1, "expected": expected, "observed": observed,
            "unit": "points"}  # fmt: skip


class Desk:
    """A project whose notebook 80 says what a test wants."""

    def __init__(self, root):
        self.root = root
        self.plan = root / "params" / "brand.yaml"
        self.plan_dir = root / "outputs" / "brand"
        self.says = {"scorecard": [], "pace": [], "alerts": [], "todo": [], "months": []}
        self.failing = []
        self.lines = []

    def review(self, as_of=None, *, cadence="weekly", now=MONDAY, **options):
        self.lines.clear()
        asked = rhythm.Asked(path="params/brand.yaml", cadence=cadence, as_of=as_of, now=now, **options)
        return rhythm.review(asked, words("en"), self.lines.append)

    def work(self, run_):
        for notebook in run_.todo():
            if self.failing and notebook == "80_review":
                reason = self.failing.pop(0)
                values = {"detail": "ValueError"} if reason == "cell_error" else {"exit": 9}
                run_.failed(notebook, StepError(reason, 1, "x", values))
                continue
            folder = Path(run_.job(notebook)["output"]).parent
            write_whole(folder / "results.json", json.dumps(self.results(folder, notebook)))
            write_whole(folder / f"{notebook}.ipynb", "{}")
            (folder / f"{notebook}.log").touch()
            run_.done(notebook, started="2027-01-01T00:00:00Z", seconds=1.0, cells_seconds=0.5)

    def results(self, folder, notebook):
        found = json.loads((folder.parent / "plan.json").read_text(encoding="utf-8"))["plan"]
        content = {name: [] for name in ("metrics", "checks", "findings", "tables", "charts", "pages", "inputs")}
        units = {"scorecard": (story.SCORE_UNITS, ("unit",)), "pace": (story.PACE_UNITS, ("unit",)),
                 "alerts": (story.ALERT_UNITS, ()), "todo": (story.TODO_UNITS, ("unit", "id")),
                 "months": (story.MONTH_UNITS, ("unit",))}  # fmt: skip
        for name, rows in self.says.items() if notebook == "80_review" else ():
            write_table(folder / "tables" / f"{name}.parquet", story.frame(rows, units[name][0], *units[name][1]))
            entry = {"id": name, "file": f"tables/{name}.parquet", "rows": len(rows), "units": units[name][0]}
            content["tables"].append(entry)
        return content | {
            "schema": 1, "notebook": notebook, "seed": 1, "as_of": found["data"]["as_of"], "decision": None,
            "plan": {"id": "brand", "title": {"zh": "品牌", "en": "Brand"}, "file": "params/brand.yaml",
                     "start": "2026-01", "months": 24, "sha256": "0" * 64, "scenario": None, "classification": None,
                     "owner": None},
            "versions": {"planlib": "0", "python": "3"},
        }  # fmt: skip

    def rows(self, run):
        return read_table(Path(run["run_dir"]) / "changes", "changes")

    def decide(self, **entry):
        log = log_path(self.plan)
        chain.append(log, chain.next_line(log, {"kind": "goal", "date": "2026-03-10", "owner": "li", **entry}))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "base.yaml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "workbook.yaml", tmp_path / "notebooks")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    (tmp_path / "params" / "brand.yaml").write_text(PLAN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path)
    monkeypatch.setattr(runner.PlanRun, "_work", lambda run_, memory: made.work(run_))
    monkeypatch.setattr("planlib.workbook.keys._code", lambda package: [])
    return made


@pytest.fixture
def quick(desk, monkeypatch):
    """Without decks."""
    monkeypatch.setattr("planlib.report.deck.make_decks", lambda *a, **k: [])
    return desk


# ---- what changed


def test_what_changed_since_the_last_review(desk):
    desk.says = {
        "scorecard": [score("churn_rate", 0.05, low=0.045, high=0.055), score("mau_rate", 0.30, low=0.28, high=0.32),
                      score("aov", 100.0, unit="CNY", forecast=120.0),
                      score("nps", None, status="not_measured", unit="score")],
        "pace": [],
        "alerts": [alert("orders", "2026-02-01"), alert("exits", "2026-02-02", owner="abc123", direction="rises"),
                   alert("acting_users", "2026-02-03"), alert("visitors", "2026-02-04")],
        "todo": [todo("call", "open"), todo("train", "open"), todo("old", "done")],
        "months": [{"metric": "gmv", "month": 1, "value": 1000.0, "unit": "CNY"}],
    }  # fmt: skip
    first = desk.review("2026-03-08")
    assert (first["status"], first["exit_code"], first["since"], first["changes"]) == ("done", 0, None, [])
    assert any("first weekly review" in line for line in desk.lines)

    desk.says = {
        "scorecard": [score("churn_rate", 0.056, low=0.051, high=0.061), score("mau_rate", 0.34, low=0.32, high=0.36),
                      score("aov", 100.4, unit="CNY", forecast=126.0), score("nps", 31.0, unit="score")],
        "pace": [],
        "alerts": [alert("orders", "2026-02-01", "closed"), alert("new_users", "2026-03-12"),
                   alert("acting_users", "2026-02-03"), alert("visitors", "2026-02-04", "closed"),
                   alert("visitors", "2026-03-11")],
        "todo": [todo("call", "done", expected=0.02, observed=0.01), todo("train", "overdue"), todo("visit", "open")],
        "months": [{"metric": "gmv", "month": 1, "value": 1250.0, "unit": "CNY"},
                   {"metric": "gmv", "month": 2, "value": 900.0, "unit": "CNY"}],
    }  # fmt: skip
    desk.plan.write_text(PLAN + "users: {churn: {value: 0.07}}\n", encoding="utf-8")
    adopted = desk.plan.with_name("brand.adopted.yaml")
    adopted.write_text("users: {waking: {value: 0.11}}\n", encoding="utf-8")
    desk.decide(target="w-users-year1", **{"from": 500_000, "to": 450_000}, reason="month 12 binds")
    desk.decide(target="w-users-year2", date="2026-04-01")  # not known yet on the 15th
    second = desk.review("2026-03-15")
    assert second["since"] == {"run_id": first["run_id"], "slot": "2026-03-08"} and second["missed"] == []
    told = {(row["kind"], row["event"], row["id"]): row for row in desk.rows(second)}
    places = {key for key in told if key[0] == "assumption"}
    assert {key for key in told if key[0] != "assumption"} == {
        ("revised", "moved", "gmv"), ("actual", "moved", "mau_rate"), ("actual", "new", "nps"),
        ("forecast", "moved", "aov"), ("decision", "goal", "w-users-year1"), ("alert", "opened", "new_users.falls"),
        ("alert", "closed", "orders.falls"), ("alert", "closed", "visitors.falls"),
        ("alert", "opened", "visitors.falls"), ("alert", "withdrawn", "exits.abc123.rises"),
        ("action", "done", "call"), ("action", "overdue", "train"), ("action", "new", "visit"),
    }  # fmt: skip
    revised = told["revised", "moved", "gmv"]
    assert (revised["before_value"], revised["now_value"]) == (1000.0, 1250.0) and "2026-01" in revised["note_zh"]
    files = {key[2]: told[key]["note_en"] for key in places}
    assert files["users.churn.value"] == "brand.yaml" and files["users.waking.value"] == "brand.adopted.yaml"
    assert told["assumption", "changed", "users.churn.value"]["now_value"] == 0.07
    assert "month 12 binds" in told["decision", "goal", "w-users-year1"]["note_zh"]
    assert "+2.0 points" in told["action", "done", "call"]["note_en"]
    assert "+1.0 个百分点" in told["action", "done", "call"]["note_zh"]
    assert second["counts"] | {"assumptions": 0} == {
        "numbers": 3, "revised": 1, "assumptions": 0, "decisions": 1, "opened": 2, "closed": 3, "done": 1, "overdue": 1,
    }  # fmt: skip
    run = Path(second["run_dir"])
    assert [Path(deck).name for deck in second["decks"]] == ["brand.weekly.en.pdf", "brand.weekly.zh.pdf"]
    for locale in ("zh", "en"):
        assert untraced_numbers(run, locale) == []
        assert [problem for problem in style_problems(run, locale) if "changes.week" in problem] == []
    assert different_numbers(run) == []


def test_a_monthly_review_opens_with_a_page_of_changes_and_has_its_own_last_one(quick):
    quick.says["scorecard"] = [score("aov", 100.0, unit="CNY")]
    quick.review("2026-01-31", cadence="monthly")
    quick.says["scorecard"] = [score("aov", 130.0, unit="CNY")]
    quick.review("2026-02-22")
    found = quick.review("2026-02-28", cadence="monthly")
    assert found["since"]["slot"] == "2026-01-31"
    assert [(row["id"], row["before"], row["now"]) for row in found["changes"]] == [("aov", 100.0, 130.0)]
    (page,) = load(Path(found["run_dir"]) / "changes" / "results.json")["pages"]
    assert page["id"] == "since_last" and page["title"]["text"] == "rhythm.title.changes"
    assert len(found["notebooks"]) == 6  # what 80 needs comes along


def test_the_same_day_twice_gives_the_same_bytes_whatever_ran_between(desk):
    desk.says["scorecard"] = [score("aov", 100.0, unit="CNY")]
    desk.review("2026-03-08")
    first = desk.review("2026-03-15")
    again = desk.review("2026-03-15")
    assert again["status"] == "up_to_date" and again["run_id"] == first["run_id"]
    desk.review("2026-02-28", cadence="monthly")
    third = desk.review("2026-03-15")
    assert third["run_id"] != first["run_id"]
    for name in ("changes/results.json", "changes/tables/changes.parquet", "decks/brand.weekly.zh.pdf",
                 "decks/brand.weekly.en.pdf", "80_review/results.json"):  # fmt: skip
        assert (Path(first["run_dir"]) / name).read_bytes() == (Path(third["run_dir"]) / name).read_bytes(), name


# ---- slots


@pytest.mark.parametrize(("kind", "count"), [("weekly", 52), ("monthly", 12), ("quarterly", 4), ("annual", 1)])
def test_a_year_has_so_many_slots(kind, count):
    found = slots(CADENCES[kind], "2027-01", dt.date(2027, 1, 1), dt.date(2027, 12, 31))
    assert len(found) == count and found == sorted(set(found))
    if kind == "weekly":
        assert {day.isoweekday() for day in found} == {7}
    for day in found:
        assert slot(CADENCES[kind], "2027-01", day) == day
        assert slot(CADENCES[kind], "2027-01", day + dt.timedelta(days=1)) == day


def test_quarters_are_those_of_the_plan():
    assert slot(CADENCES["quarterly"], "2026-11", dt.date(2027, 4, 30)) == dt.date(2027, 4, 30)
    assert slot(CADENCES["annual"], "2026-11", dt.date(2027, 4, 30)) == dt.date(2026, 10, 31)


def test_the_newest_slot_is_run_once_and_missed_ones_are_told(quick):
    first = quick.review()
    assert first["slot"] == "2026-03-15"
    assert quick.review()["status"] == "nothing_due" and "2026" in quick.lines[-1]
    late = quick.review(now=MONDAY + dt.timedelta(days=23))
    assert late["slot"] == "2026-04-05" and late["missed"] == ["2026-03-22", "2026-03-29"]
    assert any("22 March 2026, 29 March 2026" in line for line in quick.lines)
    share = {m["id"]: m["value"] for m in load(Path(late["run_dir"]) / "changes" / "results.json")["metrics"]}
    assert (share["slots_run"], share["slots_due"], share["slots_share"]) == (2, 4, 0.5)


def test_zones_and_changes_of_the_clock_neither_skip_nor_double_a_slot(quick):
    """Sunday afternoon in New York is Monday in China; there the clock changes on 8 March 2026."""
    new_york = dt.timezone(dt.timedelta(hours=-4))
    found = quick.review(now=dt.datetime(2026, 3, 15, 14, 30, tzinfo=new_york))
    assert found["slot"] == "2026-03-15"
    hours = [MONDAY + dt.timedelta(hours=h) for h in range(1, 48, 7)]
    assert {quick.review(now=hour)["status"] for hour in hours} == {"nothing_due"}
    back = quick.review(now=MONDAY - dt.timedelta(days=9))
    assert back["status"] == "nothing_due" and "set back" in back["note"]
    assert quick.review(now=MONDAY + dt.timedelta(days=7))["slot"] == "2026-03-22"


def test_before_the_first_slot_nothing_is_due(quick):
    found = quick.review(now=dt.datetime(2026, 1, 2, 9, tzinfo=CHINA))
    assert (found["status"], found["exit_code"]) == ("nothing_due", 0) and "4 January 2026" in found["note"]


# ---- two at once, failures, ledger


def test_a_second_review_ends_at_once_with_its_own_status(quick):
    quick.plan_dir.mkdir(parents=True)
    with lock.hold(quick.plan_dir):
        found = quick.review()
    assert (found["status"], found["exit_code"], found["attempts"]) == ("busy", 3, 0)
    assert not list(quick.plan_dir.glob("2*"))
    assert quick.review()["status"] == "done"


@pytest.mark.parametrize(
    ("reasons", "status", "attempts"),
    [(["kernel_died"], "done", 2), (["worker_died", "kernel_died"], "failed", 2), (["cell_error"], "failed", 1)],
)
def test_once_more_where_that_can_mend_a_failure(quick, reasons, status, attempts):
    quick.failing = list(reasons)
    found = quick.review()
    assert (found["status"], found["attempts"]) == (status, attempts)
    assert found["exit_code"] == (status == "failed")
    assert found["notebooks"][0]["reason"] == (reasons[-1] if status == "failed" else None)


def test_a_damaged_ledger_is_put_aside_and_told_and_never_written_over(quick):
    quick.review()
    for number in (1, 2):
        (quick.plan_dir / FILE).write_bytes(b"no database, however often" * 200)
        found = quick.review(now=MONDAY + dt.timedelta(days=7 * number))
        assert found["status"] == "done" and found["since"] is not None
        assert found["ledger_put_aside"] == f"{FILE}.broken" + ("-2" if number == 2 else "")
    assert len(list(quick.plan_dir.glob(f"{FILE}.broken*"))) == 2


def test_a_ledger_in_use_or_of_a_later_version_is_left_alone(quick, monkeypatch):
    quick.review()
    before = (quick.plan_dir / "latest").read_text(encoding="utf-8")
    monkeypatch.setattr("planlib.workbook.ledger._BUSY_SECONDS", 0.05)
    other = sqlite3.connect(quick.plan_dir / FILE)
    other.execute("BEGIN EXCLUSIVE")
    found = quick.review(now=MONDAY + dt.timedelta(days=7))
    assert (found["status"], found["exit_code"], found["attempts"]) == ("failed", 1, 2) and FILE in found["error"]
    other.rollback()
    other.execute("PRAGMA user_version = 99")
    other.close()
    found = quick.review(now=MONDAY + dt.timedelta(days=7))
    assert found["exit_code"] == 1 and "99" in found["error"]
    assert (quick.plan_dir / "latest").read_text(encoding="utf-8") == before
    assert not list(quick.plan_dir.glob(f"{FILE}.broken*"))


def test_a_run_whose_deck_fails_is_not_put_in_place(desk, monkeypatch):
    desk.review("2026-03-08")
    before = latest_run(desk.plan_dir)

    def broken(*_args, **_kwargs):
        raise InputError(Problem("empty"))

    monkeypatch.setattr("planlib.report.deck.make_decks", broken)
    with pytest.raises(InputError):
        desk.review("2026-03-15")
    assert latest_run(desk.plan_dir) == before and not list(desk.plan_dir.glob(".run-*"))


KILLED = """
import os, pathlib, sys, time
from planlib.report import deck
from planlib.workbook import keys, runner
from tests.test_rhythm import Desk
desk = Desk(pathlib.Path.cwd())
runner.PlanRun._work = lambda run_, memory: desk.work(run_)
keys._code = lambda package: []
def wait(*args, **kwargs):
    pathlib.Path("reached").touch()
    time.sleep(600)
if sys.argv[1] == "deck":
    deck.make_decks = wait
else:
    desk.work = wait
desk.review("2026-03-15")
"""


@pytest.mark.parametrize("moment", [pytest.param("notebook", marks=pytest.mark.full), "deck"])
def test_a_review_that_is_killed_leaves_the_last_one_and_the_ledger_whole(quick, moment):
    first = quick.review("2026-03-08")
    before = {path: path.read_bytes() for path in Path(first["run_dir"]).rglob("*") if path.is_file()}
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", KILLED, moment], env=variables, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (quick.root / "reached").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        assert quick.review("2026-03-15")["status"] == "busy"
    finally:
        process.kill()
        process.wait()
    assert {path: path.read_bytes() for path in before} == before
    assert str(latest_run(quick.plan_dir)) == first["run_dir"]
    found = quick.review("2026-03-15")
    assert found["status"] == "done" and found["since"]["run_id"] == first["run_id"]
    with Ledger(quick.plan_dir) as ledger:
        assert [row.status for row in ledger.runs()] == ["done", "killed", "done"]
    assert not list(quick.plan_dir.glob(".run-*"))


def test_only_so_many_runs_are_kept_and_never_the_last_of_a_kind(quick):
    monthly = quick.review("2026-01-31", cadence="monthly")["run_id"]
    weekly = [quick.review(day, keep=2)["run_id"] for day in ("2026-02-01", "2026-02-08", "2026-02-15", "2026-02-22")]
    found = quick.review("2026-03-01", keep=2)
    assert found["removed"] == [weekly[2]]
    there = sorted(path.name for path in quick.plan_dir.glob("2*"))
    assert there == sorted([monthly, weekly[3], found["run_id"]])
    with Ledger(quick.plan_dir) as ledger:
        assert {row.run_id for row in ledger.runs()} >= set(weekly)
    assert quick.review("2026-03-01", keep=1)["status"] == "up_to_date"
    assert sorted(path.name for path in quick.plan_dir.glob("2*")) == there


# ---- data


def test_what_cannot_be_read_is_told_and_stops_nothing(quick):
    quick.plan.write_text(PLAN.replace("nothing/", "data/"), encoding="utf-8")
    folder = quick.root / "data" / "raw" / "wecom" / "20260301"
    folder.mkdir(parents=True)
    (folder / "groups.json").write_text("{half", encoding="utf-8")
    found = quick.review()
    assert found["status"] == "done" and found["data_until"] is None
    assert [entry["file"] for entry in found["loaded"]["aside"]] == ["wecom/20260301/groups.json"]
    assert any("groups.json" in line for line in quick.lines)


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cadence", "daily"], "weekly, monthly, quarterly, annual"),
        (["--cadence", "weekly", "--as-of", "yesterday"], "YYYY-MM-DD"),
        (["--cadence", "weekly", "--as-of", "2026-02-30"], "YYYY-MM-DD"),
        (["--cadence", "weekly", "--as-of", "2999-01-01"], "a day up to today"),
        (["--cadence", "weekly", "--as-of", "2025-12-28"], "2026-01-01"),
        (["--cadence", "weekly", "--keep", "0"], "at least 1"),
        (["--keep", "3"], "--cadence"),
    ],
)
def test_bad_input_is_one_clear_message(quick, monkeypatch, capsys, arguments, said):
    status, out, err = call(monkeypatch, capsys, "run", "params/brand.yaml", *arguments, "--locale", "en")
    assert status == 2 and said in err and out == ""
    assert not list((quick.root / "outputs").glob("brand/2*"))


def test_bad_input_is_told_to_programs_too(quick, monkeypatch, capsys):
    typed = ["run", "params/brand.yaml", "--cadence", "weekly", "--as-of", "2999-01-01", "--json", "--locale", "zh"]
    status, out, err = call(monkeypatch, capsys, *typed)
    found = json.loads(out)
    assert status == 2 and found["status"] == "refused" and found["exit_code"] == 2 and "2999-01-01" in found["error"]
    assert "2999-01-01" in err


def test_the_summary_is_the_same_whatever_happens(quick, monkeypatch, capsys):
    """docs/operation.md lists the fields."""
    status, out, _ = call(monkeypatch, capsys, "run", "params/brand.yaml", "--cadence", "weekly", "--as-of",
                          "2026-03-15", "--json", "--locale", "en")  # fmt: skip
    found = json.loads(out)
    assert status == 0 and found["status"] == "done"
    assert set(found) == set(rhythm.refused(InputError(Problem("empty")), words("en")))
    for name in ("operation.md", "operation.zh.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert [field for field in found if f"`{field}`" not in text] == []


def test_tables_of_this_test_are_those_of_the_notebook():
    source = (ROOT / "notebooks" / "80_review.ipynb").read_text(encoding="utf-8")
    for name in ("scorecard", "pace", "alerts", "months", "todo"):
        assert f'book.table(\\"{name}\\"' in source
    assert isinstance(story.frame([todo("a", "open")], story.TODO_UNITS, "unit", "id"), pd.DataFrame)
