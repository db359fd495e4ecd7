"""The log of progress: what it keeps, what of a task is its state, which dates moved, what it refuses."""

import datetime as dt
import os
import subprocess
import sys
from functools import partial

import pytest

from planlib.core.errors import InputError
from planlib.core.filelock import locked
from planlib.plan.tracking import (
    BASELINE_COLUMNS,
    CHINA,
    COLUMNS,
    Baseline,
    BaselineRow,
    Entry,
    add_baseline,
    add_entries,
    adding,
    date_changes,
    log_path,
    parse_day,
    parse_number,
    parse_share,
    read_baseline,
    read_log,
    states,
)

TASKS = ("build", "test")
DAY = dt.date(2027, 3, 1)
NOON = dt.datetime(2027, 3, 1, 12, tzinfo=CHINA)


def entry(**values):
    return Entry(**({"recorded_at": NOON, "task": "build", "as_of": DAY, "done": 0.5} | values))


def written(tmp_path, *rows):
    path = tmp_path / "own.progress.csv"
    path.write_bytes("\r\n".join([",".join(COLUMNS), *rows]).encode("utf-8-sig"))
    return path


def codes(path):
    with pytest.raises(InputError) as caught:
        read_log(path, TASKS)
    assert all(p.render(locale) for p in caught.value.problems for locale in ("zh", "en"))
    return [(p.line, p.field, p.code) for p in caught.value.problems]


def test_what_was_added_is_read_back_and_nothing_before_is_touched(tmp_path):
    path = log_path(tmp_path / "own.yaml")
    first = entry(started=DAY, expected_finish=dt.date(2027, 3, 9), note='开工，"按计划"', actual_cost_cny=1200.5)
    add_entries(path, [first], TASKS)
    before = path.read_bytes()
    second = entry(recorded_at=NOON + dt.timedelta(hours=1), done=1.0, started=DAY, finished=DAY, recorded_by="王")
    add_entries(path, [second, entry(task="test", done=0.0)], TASKS)
    assert before.startswith(b"\xef\xbb\xbfrecorded_at,task,as_of,done")
    assert path.read_bytes().startswith(before)
    assert read_log(path, TASKS) == (first, second, entry(task="test", done=0.0))
    assert read_log(tmp_path / "none.progress.csv", TASKS) == ()


def test_the_newest_entry_up_to_a_day_is_the_state():
    later = {"recorded_at": NOON + dt.timedelta(days=1), "as_of": dt.date(2027, 3, 2)}
    corrected = {"recorded_at": NOON + dt.timedelta(days=9)}  # written last, about the earlier day
    log = [entry(done=0.8, **later), entry(done=0.2), entry(done=0.3, **corrected)]
    assert states(log)["build"].done == 0.8
    assert states(log, DAY)["build"].done == 0.3
    assert states(log, dt.date(2027, 2, 28)) == {}


def test_dates_that_moved_are_told_from_what_to_what():
    ninth, twelfth = dt.date(2027, 3, 9), dt.date(2027, 3, 12)
    two, three, four = (
        {"recorded_at": NOON + dt.timedelta(days=k), "as_of": DAY + dt.timedelta(days=k)} for k in (1, 2, 11)
    )
    log = [
        entry(started=DAY, expected_finish=ninth),
        entry(started=DAY, expected_finish=twelfth, note="late parts", recorded_by="Li", **two),
        entry(started=DAY, expected_finish=twelfth, **three),
        entry(started=DAY, done=1.0, finished=twelfth, **four),
    ]
    told = [(c.date, c.before, c.after, c.real, c.note, c.recorded_by) for c in date_changes(log)]
    assert told == [
        ("start", None, DAY, True, "", ""),
        ("finish", None, ninth, False, "", ""),
        ("finish", ninth, twelfth, False, "late parts", "Li"),
    ]


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path):
    path = written(
        tmp_path,
        "2027-03-01T12:00:00+08:00,bild,2027-03-01,0.5,,,,,,,",
        "2027-03-01T12:00:00+08:00,build,2027-03-01,60,,,,,,,",
        "2027-03-01T12:00:00+08:00,build,2027-03-01,0.5,2027-03-02,,,,,,",
        "2027-03-02,test,2027-03-01,0.5,2027-02-28,2027-02-27,,,,,",
        "2027-03-03,test,2027-03-01,1,,,,,,,",
        "2027-03-04,test,2027-03-01,0.5,,,2027-02-01,,,,",
        "2027-03-05,test,2027-03-01,1,,2027-02-27,2027-03-05,3,-1,=1+1,",
        "2027-03-06,test,2027-03-01,0.5,,,,0,,,",
        "noon,test,2027-02-30,half,x,,,nan,1e999,,",
        ",,,,,,,,,only a note,",
        "2027-03-07,test,2027-03-01",
        "2027-03-08,test,2027-03-01,-0.1,,,,,,,",
    )
    assert codes(path) == [
        (2, "task", "unknown_task"),
        (3, "done", "rate_range"),
        (4, "started", "future_day"),
        (4, "recorded_at", "same_moment"),
        (5, "finished", "end_before_start"),
        (5, "finished", "finish_undone"),
        (6, "finished", "finish_missing"),
        (7, "expected_finish", "past_day"),
        (8, "expected_finish", "finish_twice"),
        (8, "actual_cost_cny", "out_of_range"),
        (8, "remaining_days", "remaining_done"),
        (8, "note", "data_formula"),
        (9, "remaining_days", "above"),
        (10, "recorded_at", "date"),
        (10, "as_of", "date"),
        (10, "started", "date"),
        (10, "done", "not_number"),
        (10, "remaining_days", "not_number"),
        (10, "actual_cost_cny", "not_number"),
        (11, "recorded_at", "missing"),
        (11, "as_of", "missing"),
        (11, "done", "missing"),
        (11, "task", "missing"),
        (12, "", "data_row_length"),
        (13, "done", "out_of_range"),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "csv_header"),
        (b"\xff\xfe\x00", "bad_encoding"),
        (b"task,done\r\nbuild,1\r\n", "csv_header"),
        (",".join([*COLUMNS, "task"]).encode(), "data_head_twice"),
        (",".join([*COLUMNS, "colour"]).encode(), "unknown_key_far"),
        (",".join(COLUMNS).encode() + b'\r\n"2027,build', "data_csv"),
        (",".join(COLUMNS).encode() + b"\r\n" + b"x" * 200_000, "data_csv"),
        (b"x" * 5_000_001, "too_large"),
    ],
)
def test_a_damaged_log_is_refused_and_stays_as_it_is(tmp_path, content, code):
    path = tmp_path / "own.progress.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        add_entries(path, [entry()], TASKS)
    assert {p.code for p in caught.value.problems} == {code}
    assert path.read_bytes() == content


def test_nothing_is_added_when_one_entry_is_wrong(tmp_path):
    path = tmp_path / "own.progress.csv"
    for wrong in ([entry(), entry(task="tset")], [entry(), entry()], [entry(note="a\nb")], [entry(done=float("nan"))]):
        with pytest.raises(InputError):
            add_entries(path, wrong, TASKS)
    assert not path.exists()
    add_entries(path, [entry()], TASKS)
    with pytest.raises(InputError, match="one entry of a task at a moment"):
        add_entries(path, [entry()], TASKS)


def test_a_log_that_was_cut_off_or_saved_by_a_spreadsheet_goes_on(tmp_path):
    path = written(tmp_path, "2027/3/1 9:30,build,2027/3/1,50%,2027/2/8,,,,,,", ",,,,,,,,,,")
    path.write_bytes(path.read_bytes().rstrip())
    with pytest.raises(InputError):  # a moment that is not written out
        read_log(path, TASKS)
    path = written(tmp_path, "2027/03/01 09:30,build,2027/3/1,50%,2027/2/8,,,,,,")
    add_entries(path, [entry(task="test")], TASKS)
    one, two = read_log(path, TASKS)
    assert one.done == 0.5 and one.started == dt.date(2027, 2, 8)
    assert one.recorded_at.utcoffset() == dt.timedelta(hours=8)
    assert two.task == "test"


def test_numbers_and_days_are_taken_only_as_written_plainly():
    assert [parse_number(t) for t in ("1,000", "nan", "inf", "1e5", "٣", "1_0", "", "7.5")] == [None] * 7 + [7.5]
    assert [parse_share(t) for t in ("60％", "0.6", "60", "%", "-5%")] == [0.6, 0.6, 60.0, None, -0.05]
    hostile = ("2027-02-30", "27-03-01", "2027-03-01T00", "２０２７-03-01", "0000-01-01")
    assert [parse_day(text) for text in hostile] == [None] * 5


COUNTS = """
import datetime as dt, sys, time
from pathlib import Path
from planlib.plan.tracking import CHINA, Entry, adding
me, path, begin = sys.argv[1], Path(sys.argv[2]), dt.datetime(2027, 3, 1, tzinfo=CHINA)
path.with_name(me).touch()
while not all(path.with_name(name).exists() for name in ("build", "test")):
    time.sleep(0.001)
for k in range(30):
    with adding(path, ["build", "test"]) as log:
        n = len(log.entries)
        moment = begin + dt.timedelta(minutes=n)
        log.add([Entry(recorded_at=moment, task=me, as_of=moment.date(), done=0.5, note=f"n{n}")])
"""


def test_two_processes_that_add_at_once_lose_nothing_and_each_sees_what_the_other_added(tmp_path):
    path = tmp_path / "own.progress.csv"
    both = [subprocess.Popen([sys.executable, "-c", COUNTS, task, path], env=os.environ) for task in TASKS]
    assert [one.wait(60) for one in both] == [0, 0]
    found = read_log(path, TASKS)
    assert [one.note for one in found] == [f"n{k}" for k in range(60)]
    assert sorted(one.task for one in found) == ["build"] * 30 + ["test"] * 30


def test_who_cannot_have_the_log_is_told_and_what_is_refused_leaves_no_file(tmp_path, monkeypatch):
    path = tmp_path / "own.progress.csv"
    monkeypatch.setattr("planlib.plan.tracking.locked", partial(locked, wait_seconds=0.05))
    with adding(path, TASKS), pytest.raises(InputError) as caught:
        add_entries(path, [entry()], TASKS)
    assert [problem.code for problem in caught.value.problems] == ["book_open"]
    with pytest.raises(InputError):
        add_entries(path, [entry(done=7.0)], TASKS)
    assert not path.exists()


def test_rows_are_added_in_the_order_of_the_headings_that_a_file_has(tmp_path):
    path = tmp_path / "own.progress.csv"
    turned = list(reversed(COLUMNS))
    path.write_bytes((",".join(turned) + "\r\n").encode("utf-8-sig"))
    add_entries(path, [entry(note="late")], TASKS)
    assert read_log(path, TASKS) == (entry(note="late"),)


def frozen(at=NOON, **values):
    row = BaselineRow("build", DAY, DAY + dt.timedelta(days=4), None, 10.0)
    gate = BaselineRow("g1", DAY, DAY, DAY + dt.timedelta(days=30), 0.0)
    about = {"recorded_at": at, "recorded_by": "王", "note": ""}
    return Baseline(**(about | {"rows": {"build": row, "g1": gate}} | values))


def test_the_newest_baseline_counts_and_those_before_it_stay(tmp_path):
    path = tmp_path / "own.baseline.csv"
    assert read_baseline(path) is None
    add_baseline(path, frozen())
    before = path.read_bytes()
    later = frozen(NOON + dt.timedelta(days=30), note="scope, reduced")
    add_baseline(path, later)
    assert read_baseline(path) == later and path.read_bytes().startswith(before)
    assert [change.baseline for change in date_changes([entry(started=DAY)], later)] == [DAY]


def test_a_damaged_baseline_is_refused_with_its_lines(tmp_path):
    path = tmp_path / "own.baseline.csv"
    at = "2027-03-01T12:00:00+08:00,Li,"
    rows = [
        f"{at},build,2027-03-01,2027-02-28,,10",
        f"{at},test,2027-03-01,2027-03-02,,-1",
        f"{at},g1,2027-03-01,2027-03-02,soon,0",
        f"{at},g1,2027-03-01,2027-03-02,,0",
        f"{at},g1,2027-03-01,2027-03-02,,0",
        f"{at},,,2027-03-02,,many",
    ]
    path.write_bytes("\r\n".join([",".join(BASELINE_COLUMNS), *rows]).encode("utf-8-sig"))
    with pytest.raises(InputError) as caught:
        read_baseline(path)
    assert [(p.line, p.field, p.code) for p in caught.value.problems] == [
        (2, "finish", "end_before_start"),
        (3, "person_days", "out_of_range"),
        (4, "due", "date"),
        (6, "item", "duplicate_id"),
        (7, "start", "missing"),
        (7, "person_days", "not_number"),
        (7, "item", "missing"),
    ]
