"""`planlib progress`: what it takes down, what it refuses, what it shows."""

import json
import shutil
from pathlib import Path

import pytest

from planlib import cli
from planlib.plan.tracking import read_log

ROOT = Path(__file__).parents[1]
PLAN = "params/wechat_platform.yaml"
LOG = Path("params/wechat_platform.progress.csv")


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    LOG_HERE = tmp_path / LOG
    LOG_HERE.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANLIB_LOCALE", "en")

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["planlib", "progress", PLAN, *arguments])
        try:
            cli.main()
            status = 0
        except SystemExit as ended:
            status = ended.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


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
    assert status == 0 and "100" in out and "Dates that were changed (1)" in out and "→" in out
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
