"""`planlib schedule`: the shipped plans as CSV, iCalendar and MS Project XML, and the CSV back again."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import icalendar
import pytest

from planlib.exchange.mspdi import NAMESPACE
from planlib.plan import load_plan
from planlib.plan.tracking import CHINA, Entry, add_entries, baseline_path, log_path, read_baseline, read_log
from planlib.scheduling import scheduled

W = "params/wechat_platform.yaml"
TABLE = Path("table.csv")


@pytest.fixture
def say(planlib_in_copy):
    return lambda *arguments: planlib_in_copy("schedule", W, *arguments)


def table(say, *cells, locale="en"):
    """Write the table with cells changed, given as (task, heading, text)."""
    assert say("--format", "csv", "--out", str(TABLE), "--locale", locale)[0] == 0
    rows = list(csv.reader(io.StringIO(TABLE.read_text(encoding="utf-8-sig"))))
    for task, heading, text in cells:
        next(row for row in rows if row[0] == task)[rows[0].index(heading)] = text
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    TABLE.write_text(text.getvalue(), encoding="utf-8-sig")
    return rows


def test_the_xml_holds_every_task_gate_and_tie_on_its_dates(say):
    assert say("--format", "mspdi", "--out", "w.xml")[0] == 0
    root, schedule = ET.parse("w.xml").getroot(), scheduled(load_plan(W))
    ns, dates = {"p": NAMESPACE}, schedule.dates()
    rows = root.findall("p:Tasks/p:Task", ns)
    tasks = {row.find("p:WBS", ns).text: row for row in rows if row.find("p:Summary", ns).text == "0"}
    assert sorted(tasks) == sorted(item.id for item in schedule.items)
    lanes = [row.find("p:Name", ns).text for row in rows if row.find("p:Summary", ns).text == "1"]
    assert lanes == [*(name["en"] for name in schedule.inputs.departments.values()), "Gates"]
    assert root.find("p:Tasks/p:Task/p:Baseline", ns) is None  # nothing was approved or reported
    for key, task in tasks.items():
        assert task.find("p:Start", ns).text[:10] == dates[key].start.isoformat()
        assert task.find("p:Finish", ns).text[:10] == dates[key].finish.isoformat()
    ties = root.findall("p:Tasks/p:Task/p:PredecessorLink", ns)
    assert len(ties) == sum(len(item.ties) for item in schedule.items)


def test_the_calendar_file_holds_gates_milestones_and_what_comes_again(say):
    assert say("--format", "ics", "--out", "w.ics", "--locale", "zh")[0] == 0
    plan = load_plan(W)
    events = icalendar.Calendar.from_ical(Path("w.ics").read_bytes()).walk("VEVENT")
    uids = {str(event["UID"]) for event in events}
    assert len(uids) == len(events)
    assert {f"{plan.id}.{row.id}@planlib" for row in (*plan.schedule.gates, *plan.schedule.milestones)} <= uids
    assert {f"{plan.id}.{row.id}.1@planlib" for row in plan.schedule.recurring if row.from_month == 1} <= uids
    assert {event["DTSTAMP"].dt.date().isoformat() for event in events} == {plan.data.as_of or f"{plan.start}-01"}
    calendar = scheduled(plan).calendar
    assert all(calendar.is_workday(event["DTSTART"].dt) for event in events)


def test_files_are_the_same_each_time_and_go_to_outputs_by_default(say):
    for form, suffix in (("csv", "csv"), ("ics", "ics"), ("mspdi", "xml")):
        assert say("--format", form)[0] == 0
        path = Path(f"outputs/wechat_platform/wechat_platform.schedule.{suffix}")
        before = path.read_bytes()
        assert say("--format", form)[0] == 0
        assert path.read_bytes() == before


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_table_comes_back_unchanged_in_either_language(say, locale):
    table(say, locale=locale)
    status, out, _ = say("--read", str(TABLE))
    assert status == 0 and "nothing changed" in out
    assert json.loads(say("--read", str(TABLE), "--json")[1]) == {"changes": [], "progress": [], "scenario": None}
    assert not log_path(W).exists() and not Path("params/wechat_platform_table.yaml").exists()


def test_what_was_typed_into_the_table_is_told_as_changes_and_progress(say):
    plan_before = Path(W).read_bytes()
    rows = table(
        say,
        ("hiring", "Working days, most likely", "33"),
        ("training", "Waits for", "hiring FF+2d, sop_manual"),
        ("hiring", "Done", "60%"),
        ("hiring", "Begun", "2027/1/4"),
    )
    told = json.loads(say("--read", str(TABLE), "--json", "--dry-run")[1])
    assert told["scenario"] == "params/wechat_platform_table.yaml"
    row = next(k for k, row in enumerate(rows, start=1) if row[0] == "hiring")
    assert told["changes"][0]["path"] == "schedule.tasks.hiring.days"
    assert told["changes"][0]["value"][1] == 33 and told["changes"][0]["cell"] == f"Tasks!E{row}"
    values = {change["path"]: change["value"] for change in told["changes"]}
    assert values["schedule.tasks.training.after"] == ["sop_manual"]
    assert values["schedule.tasks.training.links"] == [{"task": "hiring", "kind": "FF", "lag_days": 2.0}]
    assert [(entry["task"], entry["done"], entry["started"]) for entry in told["progress"]] == [
        ("hiring", 0.6, "2027-01-04")
    ]
    out = say("--read", str(TABLE), "--dry-run")[1]
    assert "changed cells (2)" in out and "hiring: 60" in out and "would stand in" in out
    assert not log_path(W).exists() and not Path(told["scenario"]).exists()
    assert Path(W).read_bytes() == plan_before


def test_a_table_is_taken_in_as_a_plan_of_its_own_and_as_progress(say):
    plan_before = Path(W).read_bytes()
    typed = (
        ("hiring", "Working days, most likely", "33"),
        ("training", "Waits for", "hiring FF+2d, sop_manual"),
        ("hiring", "Done", "60%"),
        ("hiring", "Begun", "2027/1/4"),
        ("hiring", "Reason for the change", "two offers declined"),
    )
    table(say, *typed)
    status, out, _ = say("--read", str(TABLE), "--as-of", "2027-02-01", "--owner", "Li")
    assert status == 0 and "params/wechat_platform_table.yaml, which extends it" in out
    assert Path(W).read_bytes() == plan_before
    found = load_plan("params/wechat_platform_table.yaml")
    tasks = {task.id: task for task in found.schedule.tasks}
    was = {task.id: task for task in load_plan(W).schedule.tasks}
    assert tasks["hiring"].days == (20, 33, 45)
    assert (tasks["hiring"].source, str(tasks["hiring"].why)) == ("assumption", "two offers declined")
    assert tasks["training"].after == ("sop_manual",) and tasks["training"].links[0].kind == "FF"
    assert {key for key in was if tasks[key] != was[key]} == {"hiring", "training"}
    (entry,) = read_log(log_path(W), was)
    assert (entry.task, entry.done, entry.as_of, entry.recorded_by) == ("hiring", 0.6, dt.date(2027, 2, 1), "Li")
    assert read_baseline(baseline_path(W)) is not None
    # again: what is told is told already, the plan made is made again
    before = Path("params/wechat_platform_table.yaml").read_bytes()
    assert say("--read", str(TABLE), "--as-of", "2027-02-01")[0] == 0
    assert Path("params/wechat_platform_table.yaml").read_bytes() == before
    assert len(read_log(log_path(W), was)) == 1
    # a plan that somebody wrote is not overwritten
    Path("params/wechat_platform_table.yaml").write_text("extends: wechat_platform.yaml\n", encoding="utf-8")
    assert say("--read", str(TABLE))[0] == 2
    assert Path("params/wechat_platform_table.yaml").read_text(encoding="utf-8") == "extends: wechat_platform.yaml\n"


def test_the_xml_holds_the_baseline_once_there_is_one(say, planlib_in_copy):
    planned = scheduled(load_plan(W)).dates()
    assert planlib_in_copy("progress", W, "--baseline")[0] == 0
    late = ("--start", "2027-01-11", "--finish", "2027-04-30", "--done", "20%", "--as-of", "2027-01-29")
    assert planlib_in_copy("progress", W, "hiring", *late)[0] == 0
    assert say("--format", "mspdi", "--out", "w.xml")[0] == 0
    ns = {"p": NAMESPACE}
    rows = {row.find("p:WBS", ns).text: row for row in ET.parse("w.xml").getroot().iterfind("p:Tasks/p:Task", ns)}
    for key, dates in planned.items():
        base = rows[key].find("p:Baseline", ns)
        assert base.find("p:Start", ns).text[:10] == dates.start.isoformat()
        assert base.find("p:Finish", ns).text[:10] == dates.finish.isoformat()
        assert base.find("p:Duration", ns).text == rows[key].find("p:Duration", ns).text
    assert rows["hiring"].find("p:Finish", ns).text[:10] == "2027-04-30"


def test_what_cannot_be_taken_is_refused_all_at_once(say):
    table(
        say,
        ("hiring", "Working days, most likely", "=1+A1"),
        ("training", "Waits for", "hirring"),
        ("sop_manual", "Waits for", "training"),
        ("training", "Working days, at best", "three"),
        ("org_setup", "Begun", "soon"),
        ("columns", "Done", "1,5"),
        ("columns", "Note", "=HYPERLINK(1)"),
    )
    status, _, err = say("--read", str(TABLE))
    assert status == 2
    for told in ("=1+A1", "did you mean hiring?", "three", "soon", "1,5", "=HYPERLINK(1)"):
        assert told in err, told
    table(say, ("sop_manual", "Waits for", "training"))
    assert "links without a circle" in say("--read", str(TABLE))[2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"a,b\r\n1",
        b'"',
        "编号,编号\r\n".encode(),
        b"id\r\nhiring\r\n",
        b"id,x\r\n" + b"a,b\r\n" * 10_001,
    ],
)
def test_other_files_are_refused(say, content):
    TABLE.write_bytes(content)
    status, _, err = say("--read", str(TABLE))
    assert status == 2 and "Traceback" not in err
    assert say("--read", "none.csv")[0] == say("--read", "params")[0] == 2


def test_bad_options_are_refused(say):
    assert say("--format", "xls")[0] == 2
    assert "a new name" in say("--out", W)[2]
    assert say("--out", "params")[0] == 2


def test_a_note_that_looks_like_a_formula_is_written_as_text(say):
    text = Path(W).read_text(encoding="utf-8")
    Path(W).write_text(text.replace("en: Hiring}", "en: '=1+1'}"), encoding="utf-8")
    rows = table(say)
    assert next(row for row in rows if row[0] == "hiring")[1] == "'=1+1"
    assert "nothing changed" in say("--read", str(TABLE))[1]


def test_recorded_progress_moves_the_dates(say):
    now = dt.datetime(2027, 2, 1, 12, tzinfo=CHINA)
    state = {"started": dt.date(2027, 1, 4), "expected_finish": dt.date(2027, 4, 30)}
    entry = Entry(recorded_at=now, task="hiring", as_of=now.date(), done=0.5, **state)
    add_entries(log_path(W), [entry], ["hiring"])
    rows = table(say)
    hiring = dict(zip(rows[0], next(row for row in rows if row[0] == "hiring"), strict=True))
    assert hiring["Last day"] == "2027-04-30" and hiring["Done"] == "50%"
