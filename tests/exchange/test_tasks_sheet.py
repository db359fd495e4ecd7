"""The sheet of tasks: durations and ties come back as changes of the plan, progress as entries of its log."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.excel import open_book
from planlib.plan.tracking import CHINA, Entry, add_entries, log_path, read_log
from planlib.progressing import record_book
from tests.exchange.desk import SMALL, Editing, edited, opened, problems, quick

NOW = dt.datetime(2027, 3, 1, 9, tzinfo=CHINA)
TASKS = """
  tasks:
    - {id: build, name: {zh: 开发, en: Build}, department: it, days: [10, 12, 20], roles: {content: 2}, source: W4.1}
    - {id: test, name: {zh: 测试, en: Test}, department: it, days: [3, 5, 8], after: [build],
       links: [{task: brief, kind: SS, lag_days: 5}], source: W4.1}
    - {id: brief, name: {zh: 简报, en: Brief}, department: it, days: [1, 1, 1], source: W4.1}
  gates:
    - {id: g1, after: [test], due_month: 2}
"""
DEPARTMENT = "  departments: [{id: it, name: {zh: 技术, en: IT}}]\n"
IDS = ("build", "test", "brief")


@pytest.fixture(autouse=True)
def plan(home):
    path = home / SMALL
    text = path.read_text(encoding="utf-8")
    text = text.replace("\nteam:\n", TASKS + "\nteam:\n" + DEPARTMENT)
    path.write_text(text, encoding="utf-8")
    return path


def recorded(path, as_of=None):
    told = []
    record_book(str(path), words("en"), owner=None, as_of=as_of, now=NOW, write=told.append)
    return told


def test_an_unchanged_workbook_changes_nothing(home):
    path = quick()
    _, told = opened(path)
    assert len(told) == 1 and "nothing changed" in told[0]
    assert "nothing changed" in recorded(path)[-1]
    assert not log_path(SMALL).exists()
    page = openpyxl.load_workbook(path)["Tasks"]
    shown = [[cell.value for cell in row][:8] for row in page.iter_rows(min_row=2, max_row=4)]
    assert shown[1] == ["test", "Test", "IT", 3, 5, 8, "build, brief SS+5d", None]
    assert shown[0][7] == "content 2"


def test_durations_and_ties_change_the_run_and_not_the_plan(home, plan):
    before = plan.read_bytes()
    path, names = edited(
        quick(),
        ("Tasks", "build", "Working days, most likely", 15),
        ("Tasks", "brief", "Waits for", "build FF-2d, test SF+14ed"),
        ("Tasks", "test", "Waits for", None),
    )
    found, told = opened(path)
    tasks = {task.id: task for task in found.schedule.tasks}
    assert tasks["build"].days == (10, 15, 20)
    assert [tie.model_dump() for tie in tasks["brief"].links] == [
        {"task": "build", "kind": "FF", "lag_days": -2, "elapsed": False},
        {"task": "test", "kind": "SF", "lag_days": 14, "elapsed": True},
    ]
    assert tasks["test"].after == () == tasks["test"].links
    assert "changed cells (3)" in told[0] and names[0] in told[0]
    assert plan.read_bytes() == before


def test_progress_is_told_and_recorded_once(home):
    path, _ = edited(
        quick(),
        ("Tasks", "build", "Done", 1),
        ("Tasks", "build", "Begun", dt.date(2027, 2, 1)),
        ("Tasks", "build", "Finish (expected until 100 % done)", "2027年2月26日"),
        ("Tasks", "test", "Done", 0.25),
        ("Tasks", "test", "Finish (expected until 100 % done)", dt.date(2027, 3, 12)),
        ("Tasks", "test", "Working days left", 4),
        ("Tasks", "test", "Note", "等设备"),
    )
    assert "is not recorded yet" in opened(path)[1][-1]
    assert not log_path(SMALL).exists()
    told = recorded(path)
    assert "2 tasks recorded" in told[0]
    build, test = read_log(log_path(SMALL), IDS)
    assert (build.done, build.started, build.finished) == (1.0, dt.date(2027, 2, 1), dt.date(2027, 2, 26))
    assert (test.expected_finish, test.remaining_days, test.note) == (dt.date(2027, 3, 12), 4.0, "等设备")
    assert build.recorded_at == NOW and build.as_of == NOW.date()
    assert "nothing changed" in recorded(path)[-1]
    assert "nothing changed" in opened(path)[1][-1]
    assert len(read_log(log_path(SMALL), IDS)) == 2


def test_a_new_workbook_shows_the_newest_state(home):
    add_entries(
        log_path(SMALL),
        [
            Entry(
                recorded_at=NOW,
                task="build",
                as_of=NOW.date(),
                done=0.4,
                started=dt.date(2027, 2, 1),
                actual_cost_cny=9.0,
            )
        ],
        IDS,
    )
    path = quick_again()
    place = Editing(path).place("Tasks", "build", "Begun")
    assert place.value == dt.datetime(2027, 2, 1) and place.number_format == "yyyy-mm-dd"
    path, _ = edited(path, ("Tasks", "build", "Done", 0.6))
    (found,) = open_book(str(path)).progress
    assert (found.entry.done, found.entry.started, found.entry.actual_cost_cny) == (0.6, dt.date(2027, 2, 1), 9.0)


def test_progress_that_somebody_else_recorded_meanwhile_is_a_conflict(home):
    path, names = edited(quick(), ("Tasks", "build", "Done", 0.6))
    add_entries(log_path(SMALL), [Entry(recorded_at=NOW, task="build", as_of=NOW.date(), done=0.4)], IDS)
    assert problems(path) == [(names[0], "cell_conflict")]


def quick_again() -> Path:
    """Return a workbook made now, of the plan with its log."""
    from tests.exchange.desk import made

    return made(SMALL)


FINISH = "Finish (expected until 100 % done)"


@pytest.mark.parametrize(
    ("task", "heading", "value", "code"),
    [
        ("build", "Working days, most likely", "twelve", "cell_number"),
        ("build", "Working days, most likely", "12%", "cell_number_text"),
        ("build", "Working days, most likely", "=F2*2", "cell_formula"),
        ("build", "Working days, most likely", 25, "low_above_high"),
        ("build", "Working days, most likely", None, "missing"),
        ("build", "Working days, at best", 0, "above"),
        ("build", "Working days, at best", -1, "above"),
        ("build", "Working days, at worst", 1e9, "at_most"),
        ("build", "Waits for", "buildd", "unknown_task"),
        ("build", "Waits for", "build", "link_self"),
        ("build", "Waits for", "brief SS+5h", "link_form"),
        ("build", "Waits for", "brief, brief", "link_twice"),
        ("build", "Waits for", "test", "cycle"),
        ("build", "Waits for", "g1", "cycle"),
        ("build", "Waits for", "=HYPERLINK(1)", "cell_formula"),
        ("build", "Waits for", 7, "link_form"),
        ("build", "Done", 1.5, "rate_range"),
        ("build", "Done", -0.5, "out_of_range"),
        ("build", "Done", 60, "cell_percent"),
        ("build", "Done", "most", "cell_number"),
        ("build", "Done", 1, "finish_missing"),
        ("build", "Begun", "soon", "cell_day"),
        ("build", "Begun", True, "cell_day"),
        ("build", "Begun", "=TODAY()", "cell_formula"),
        ("build", "Working days left", -1, "out_of_range"),
        ("build", "Working days left", 0, "above"),
        ("build", "Note", "=cmd|' /C calc'!A0", "cell_formula"),
        ("build", "Note", "@SUM(1)", "data_formula"),
        ("build", "Note", "x" * 501, "text_length"),
    ],
)
def test_what_cannot_be_is_refused_in_its_cell(home, task, heading, value, code):
    book = Editing(quick())
    name = book.type("Tasks", task, heading, value)
    found = problems(book.save())
    assert [problem for _, problem in found] == [code]
    assert found[0][0] == name or code == "finish_missing"


def test_days_against_each_other_and_against_today_are_refused(home):
    path, _ = edited(
        quick(),
        ("Tasks", "build", "Begun", dt.date(2027, 2, 10)),
        ("Tasks", "build", FINISH, dt.date(2027, 2, 1)),
    )
    assert [code for _, code in problems(path)] == ["end_before_start"]
    path, _ = edited(quick(), ("Tasks", "test", "Begun", dt.date(2027, 3, 2)), ("Tasks", "brief", FINISH, "2027-02-28"))
    assert problems(path) == []
    with pytest.raises(InputError) as caught:
        recorded(path)
    assert [p.code for p in caught.value.problems] == ["future_day", "past_day"]
    assert not log_path(SMALL).exists()


def test_a_damaged_log_is_told_before_a_workbook_is_made(home):
    log_path(SMALL).write_text("task\n", encoding="utf-8")
    with pytest.raises(InputError, match="recorded_at"):
        quick_again()
