"""`planlib progress`: what it takes down, what it refuses, what it shows."""

import json
from pathlib import Path

import pytest

from planlib.plan import load_plan
from planlib.plan.tracking import baseline_path, read_baseline, read_log
from planlib.scheduling import scheduled

PLAN = "params/wechat_platform.yaml"
LOG = Path("params/wechat_platform.progress.csv")


@pytest.fixture
def say(planlib_in_copy):
    return lambda *arguments: planlib_in_copy("progress", PLAN, *arguments)


def test_what_is_told_is_kept_and_what_is_not_stays(say):
    assert say("hiring", "--done", "20%", "--start", "2027-01-04", "--cost", "5000", "--as-of", "2027-01-15")[0] == 0
    asked = ("--done", "60%", "--finish", "2027-03-01", "--remaining", "8", "--note", "晚一周", "--as-of", "2027-02-01")
    status, out, _ = say("hiring", *asked)
    assert status == 0 and "hiring: 60" in out and "expected to finish" in out
    _, two = read_log(LOG, ["hiring"])
    assert (two.done, two.started.isoformat(), two.expected_finish.isoformat()) == (0.6, "2027-01-04", "2027-03-01")
    assert (two.actual_cost_cny, two.remaining_days, two.finished) == (5000.0, 8.0, None)
    assert say("hiring", "--done", "100%", "--finish", "2027-02-26", "--as-of", "2027-02-26")[0] == 0
    status, out, _ = say()
    assert status == 0 and "100" in out and "Dates that were changed (2)" in out and "→" in out
    told = json.loads(say("--json")[1])
    assert [task["finished"] for task in told["tasks"]] == ["2027-02-26"]
    assert [change["after"] for change in told["changes"]] == ["2027-01-04", "2027-03-01", "2027-02-26"]
    earlier = json.loads(say("--json", "--as-of", "2027-02-01")[1])
    assert earlier["tasks"][0]["done"] == 0.6


def test_without_progress_it_says_so(say):
    assert "no progress recorded yet" in say()[1]
    assert json.loads(say("--json")[1])["tasks"] == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("hirring", "--done", "60%"), "did you mean hiring?"),
        (("hiring",), "something to record"),
        (("--done", "60%"), "TASK"),
        (("hiring", "--done", "60"), "for 60 % write 0.6"),
        (("hiring", "--done", "many"), "a share such as 60%"),
        (("hiring", "--done", "100%"), "--finish 2027-03-01"),
        (("hiring", "--done", "50%", "--start", "2099-01-01"), "a day up to"),
        (("hiring", "--done", "50%", "--finish", "2020-01-01"), "an expected finish from"),
        (("hiring", "--done", "50%", "--cost", "1,000"), "a number"),
        (("hiring", "--done", "50%", "--start", "2027-02-30", "--finish", "soon"), "hiring"),
        (("hiring", "--note", "=HYPERLINK(1)"), "a spreadsheet would run this cell"),
        (("hiring", "--done", "50%", "--as-of", "2027"), "YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(say, asked, told):
    status, _, err = say(*asked)
    assert status == 2 and (told in err or "YYYY-MM-DD" in err)
    assert not LOG.exists()


def test_the_first_report_freezes_the_dates_and_no_edit_of_the_plan_moves_them(say):
    planned = scheduled(load_plan(PLAN)).dates()
    told = say("hiring", "--done", "20%", "--start", "2027-01-04", "--as-of", "2027-01-15")[1]
    assert "Baseline frozen" in told
    first = read_baseline(baseline_path(PLAN))
    assert {name: row.finish for name, row in first.rows.items()} == {name: row.finish for name, row in planned.items()}
    text = Path(PLAN).read_text(encoding="utf-8")
    longer = text.replace("days: [4, 6, 10], roles: {technology: 1}", "days: [24, 26, 30], roles: {technology: 1}")
    assert longer != text
    Path(PLAN).write_text(longer.replace("due_month: 2,", "due_month: 3,"), encoding="utf-8")
    assert read_baseline(baseline_path(PLAN)) == first
    found = json.loads(say("--json")[1])
    moves = {(move["id"], move["date"]): move for move in found["moves"]}
    assert moves["platform_requirements", "finish"]["before"] == planned["platform_requirements"].finish.isoformat()
    assert moves["platform_requirements", "finish"]["workdays"] >= 20
    assert (moves["g1", "due"]["before"], moves["g1", "due"]["after"]) == ("2027-02-26", "2027-03-31")
    out = say()[1]
    assert "Dates that differ from the baseline of" in out and "with --json" in out
    say("hiring", "--done", "40%", "--as-of", "2027-01-25")
    assert read_baseline(baseline_path(PLAN)) == first


def test_a_baseline_is_frozen_when_approved_and_again_only_with_a_reason(say):
    status, out, _ = say("--baseline", "--owner", "PMO")
    first = read_baseline(baseline_path(PLAN))
    assert status == 0 and str(len(first.rows)) in out and first.recorded_by == "PMO"
    assert "No date differs from the baseline" in say()[1]
    status, _, err = say("--baseline")
    assert status == 2 and "--note" in err
    assert say("--baseline", "--note", "scope of wave two approved")[0] == 0
    again = read_baseline(baseline_path(PLAN))
    assert again.note and again.recorded_at > first.recorded_at and again.rows == first.rows
    assert say("hiring", "--baseline")[0] == say("--baseline", "--done", "1")[0] == 2
    assert say("--baseline", "--note", "=1+1")[0] == 2


def test_changed_dates_are_told_against_the_baseline(say):
    say("hiring", "--done", "20%", "--start", "2027-01-11", "--finish", "2027-04-01", "--as-of", "2027-01-15")
    say("hiring", "--finish", "2027-03-15", "--as-of", "2027-01-25")
    out = say()[1]
    assert "begin 4 January 2027 → 11 January 2027" in out
    assert "finish 1 April 2027 → 15 March 2027" in out and "(baseline 18 February 2027)" in out
    changes = json.loads(say("--json")[1])["changes"]
    assert {change["baseline"] for change in changes if change["date"] == "finish"} == {"2027-02-18"}
