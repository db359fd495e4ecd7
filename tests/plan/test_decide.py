"""Goals that are changed: beside the plan, with date and reason, in a log that shows tampering."""

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from planlib.cli import app
from planlib.core.errors import InputError
from planlib.plan import load_plan
from planlib.plan.decide import adopted_path, change_goal, log_path, verify_log

DAY = dt.date(2027, 3, 1)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "own.yaml"
    shutil.copyfile(Path(__file__).parent / "minimal.yaml", path)
    return path


def _change(plan, to="80_000", target="users_year", reason="60 % of draws", **more):
    return change_goal(plan, target, to, reason=reason, owner=None, day=DAY, **more)


def test_acceptance_every_change_is_logged_with_date_and_reason(plan):
    typed = plan.read_text(encoding="utf-8")
    done = _change(plan)
    _change(plan, to="90_000", reason="a better April")
    assert (done.before, done.after) == (100_000, 80_000)
    assert plan.read_text(encoding="utf-8") == typed
    (target, other) = load_plan(plan).targets
    assert (target.at_least, target.by_month, target.source, target.why) == (90_000, 12, "adopted", "a better April")
    assert other.at_least == 0.5
    log = [json.loads(line) for line in log_path(plan).read_text(encoding="utf-8").splitlines()]
    assert [(e["kind"], e["target"], e["from"], e["to"], e["date"], e["reason"]) for e in log] == [
        ("goal", "users_year", 100_000, 80_000, "2027-03-01", "60 % of draws"),
        ("goal", "users_year", 80_000, 90_000, "2027-03-01", "a better April"),
    ]
    assert verify_log(log_path(plan)) == 2


def test_deleting_the_row_takes_the_change_back(plan):
    _change(plan)
    adopted_path(plan).unlink()
    assert load_plan(plan).targets[0].at_least == 100_000


@pytest.mark.parametrize(
    "change, code",
    [
        ({"target": "nobody"}, "unknown_ref"),
        ({"to": "100_000"}, "same_level"),
        ({"to": "many"}, "not_number"),
        ({"to": "-1"}, "at_least"),
        ({"target": "active", "to": "55"}, "rate_range"),
    ],
)
def test_bad_changes_write_nothing(plan, change, code):
    with pytest.raises(InputError) as caught:
        _change(plan, **change)
    assert code in [p.code for p in caught.value.problems]
    assert not adopted_path(plan).exists() and not log_path(plan).exists()


def test_a_damaged_log_stops_the_change(plan):
    _change(plan)
    log_path(plan).write_text(log_path(plan).read_text(encoding="utf-8").replace("80000", "70000"), encoding="utf-8")
    before = adopted_path(plan).read_text(encoding="utf-8")
    with pytest.raises(InputError) as caught:
        _change(plan, to="90_000")
    assert caught.value.problems[0].code == "log_broken"
    assert adopted_path(plan).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("locale, said", [("en", "100k → 80k"), ("zh", "10 万 → 8 万")])
def test_the_command_says_what_it_did(plan, locale, said):
    args = ["goal", str(plan), "users_year", "--to", "80_000", "--reason", "60 %", "--locale", locale]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0 and said in done.output
    assert load_plan(plan).targets[0].at_least == 80_000
