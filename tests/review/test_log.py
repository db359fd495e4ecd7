"""Duties by date and actions with their effects."""

import datetime as dt

import pytest

from planlib.core.errors import InputError
from planlib.review.actions import Action, follow, learned
from planlib.review.compliance import Duty, checklist

DAY = dt.date(2027, 3, 1)
ONE = dt.timedelta(days=1)


def on(days):
    return DAY + days * ONE


def state(duty, as_of, **options):
    (row,) = checklist([duty], as_of, **options)
    return row


def test_a_duty_by_date():
    duty = Duty("consent", "legal", on(20))
    assert state(duty, on(0)).state == "open"
    assert state(duty, on(6)).state == "due_soon" and state(duty, on(20)).state == "due_soon"
    late = state(duty, on(21))
    assert (late.state, late.days, late.counted, late.kept) == ("overdue", -1, 1, 0)
    done = Duty("consent", "legal", on(20), done=(on(10),))
    assert state(done, on(9)).state == "due_soon"  # it was not known then
    assert (state(done, on(10)).state, state(done, on(30)).kept) == ("done", 1)
    assert state(Duty("consent", "legal", on(20), done=(on(25),)), on(30)).kept == 0


def test_a_duty_that_comes_again_keeps_its_dates():
    duty = Duty("training", "legal", on(0), every_days=30, done=(on(-1), on(35)))
    row = state(duty, on(40))
    assert (row.due, row.state, row.kept, row.counted) == (on(60), "open", 1, 2)
    row = state(duty, on(61))
    assert (row.state, row.days, row.counted) == ("overdue", -1, 3)
    early = Duty("training", "legal", on(0), every_days=30, done=(on(-10), on(-5), on(-3)))
    assert state(early, on(1)).due == on(90)


def test_overdue_comes_first():
    rows = checklist(
        [Duty("a", "x", on(90)), Duty("b", "x", on(-1)), Duty("c", "x", on(3)), Duty("d", "x", on(-9), done=(on(-9),))],
        DAY,
    )
    assert [row.duty for row in rows] == ["b", "c", "a", "d"]


def test_duties_that_make_no_sense():
    with pytest.raises(InputError):
        checklist([Duty("a", "x", DAY)] * 2, DAY)
    with pytest.raises(InputError):
        checklist([Duty("a", "x", DAY, every_days=0)], DAY)


def act(name="a", **options):
    return Action(**{"id": name, "owner": "x", "opened": DAY, "due": on(7)} | options)


def test_actions_by_date():
    (row,) = follow([act()], on(7))
    assert (row.state, row.days, row.loop_days) == ("open", 0, None)
    assert follow([act()], on(8))[0].state == "overdue"
    ended = act(ended=on(9), reason="small")
    assert follow([ended], on(8))[0].state == "overdue"  # on that day it was not done yet
    done = follow([ended], on(9))[0]
    assert (done.state, done.days, done.loop_days) == ("done", -2, 9)
    assert follow([act(ended=on(3), dropped=True, reason="r")], on(9))[0].state == "dropped"
    assert follow([act()], on(-1)) == ()


@pytest.mark.parametrize(
    "told, verdict",
    [
        ({"expected": 0.02, "observed": 0.018}, "as_expected"),
        ({"expected": 0.02, "observed": 0.005}, "less"),
        ({"expected": 0.02, "observed": 0.05}, "more"),
        ({"expected": 0.02, "observed": -0.01}, "opposite"),
        ({"expected": -0.02, "observed": -0.02}, "as_expected"),
        ({"expected": 0.02, "observed": 0.005, "low": -0.01, "high": 0.021}, "as_expected"),
        ({"expected": 0.02, "observed": 0.012, "low": 0.010, "high": 0.014}, "less"),
        ({"expected": 0.02}, "not_measured"),
        ({"observed": 0.02}, "no_expectation"),
    ],
)
def test_verdicts(told, verdict):
    assert follow([act(ended=on(3), experiment="e", **told)], on(5))[0].verdict == verdict


def test_what_the_log_teaches():
    rows = follow(
        [
            act("a", ended=on(5), experiment="e", expected=0.02, observed=0.01),
            act("b", ended=on(9), experiment="e", expected=10.0, observed=15.0),
            act("c", ended=on(7), experiment="e", expected=1.0, observed=-1.0),
            act("d", ended=on(7), reason="law", expected=1.0),
            act("e"),
        ],
        on(10),
    )
    found = learned(rows)
    assert (found.closed, found.on_time, found.measured, found.hits) == (4, 3, 3, 2)
    assert found.calibration == pytest.approx((0.5 + 1.5 - 1.0) / 3)
    assert found.loop_days == 7 and found.hit_interval.low < 2 / 3 < found.hit_interval.high
    nothing = learned(follow([act()], on(1)))
    assert nothing.calibration is None and nothing.loop_days is None and nothing.hit_interval is None


def test_no_decision_closes_without_a_test_or_a_reason():
    with pytest.raises(InputError, match="reason"):
        follow([act(ended=on(3))], on(5))
    for wrong in ({"due": on(-1)}, {"ended": on(-1), "reason": "r"}, {"expected": float("nan")}):
        with pytest.raises(InputError):
            follow([act(**wrong)], on(5))
    with pytest.raises(InputError):
        follow([act(), act()], on(5))
