"""China's working days against the State Council's notices and a slow count."""

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones.workdays import WorkCalendar

calm = settings(deadline=None, derandomize=True)
CHINA = WorkCalendar()
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))
# State Council notice for 2026 (国办发明电〔2025〕7号): 33 days off, six make-up days
MAKEUP_2026 = ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
PER_MONTH_2026 = [21, 16, 22, 21, 19, 21, 23, 21, 22, 18, 21, 23]


def test_the_announced_year():
    year = CHINA.year(2026)
    assert (year.total, year.provisional) == (248, False)
    assert list(year.per_month.values()) == PER_MONTH_2026
    assert [d.isoformat() for d in year.makeup] == MAKEUP_2026
    assert date(2026, 2, 23) in year.days_off and date(2026, 10, 7) in year.days_off


@pytest.mark.parametrize("year, total", [(2019, 250), (2023, 249), (2024, 251), (2025, 248)])
def test_earlier_years(year, total):
    """Totals of NateScarlet/holiday-cn, which reads the notices independently."""
    assert CHINA.year(year).total == total


def test_a_year_without_a_notice_is_provisional():
    year = CHINA.year(2027)
    assert year.provisional and year.makeup == ()
    assert not CHINA.is_workday(date(2027, 10, 1)) and not CHINA.is_workday(date(2027, 2, 8))
    assert CHINA.provisional(date(2027, 3, 1)) and not CHINA.provisional(date(2026, 3, 2))
    assert CHINA.any_provisional(date(2026, 12, 30), date(2027, 1, 1))
    assert not CHINA.any_provisional(date(2026, 1, 1), date(2026, 12, 31))


def test_overrides_win_and_are_not_provisional():
    saturday, monday = date(2027, 2, 20), date(2027, 3, 1)
    own = WorkCalendar({saturday: True, monday: False})
    assert own.is_workday(saturday) and not own.is_workday(monday)
    assert not own.provisional(saturday) and own.provisional(date(2027, 3, 2))
    assert not own.any_provisional(saturday, saturday)
    assert own.year(2027).makeup == (saturday,) and own.year(2027).provisional
    assert own.year(2027).total == CHINA.year(2027).total
    whole = WorkCalendar({saturday: True}, confirmed_years={2027})
    assert not whole.year(2027).provisional and whole.year(2028).provisional


@pytest.mark.parametrize(
    "start, n, finish",
    [
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # Saturday, made up
        (date(2026, 2, 13), 2, date(2026, 2, 24)),  # over the Spring Festival
        (date(2026, 2, 24), -2, date(2026, 2, 13)),
        (date(2026, 3, 7), 1, date(2026, 3, 9)),
        (date(2026, 3, 7), 0, date(2026, 3, 7)),  # day 0, worked or not
        (date(2026, 12, 31), 248, date(2027, 12, 31)),  # 2027 has 248 days as known
    ],
)
def test_adding_working_days(start, n, finish):
    assert CHINA.add(start, n) == finish


@calm
@given(days, st.integers(-300, 300))
def test_adding_is_a_slow_walk(start, n):
    day, left = start, abs(n)
    while left:
        day += timedelta(days=1 if n > 0 else -1)
        left -= CHINA.is_workday(day)
    assert CHINA.add(start, n) == day


@calm
@given(days, days)
def test_between_is_a_slow_count(a, b):
    start, end = min(a, b), max(a, b)
    walk = [start + timedelta(days=i) for i in range((end - start).days + 1)]
    assert CHINA.between(start, end) == sum(CHINA.is_workday(d) for d in walk)
    assert CHINA.between(start, end, inclusive=False) == sum(CHINA.is_workday(d) for d in walk[1:])
    assert CHINA.naive_weekdays(start, end) == sum(d.weekday() < 5 for d in walk)
    assert CHINA.any_provisional(start, end) == any(CHINA.provisional(d) for d in walk)


@calm
@given(days, days)
def test_adding_inverts_counting(a, b):
    start, end = min(a, b), max(a, b)
    n = CHINA.between(start, end, inclusive=False)
    assert CHINA.add(start, n) == (CHINA.on_or_before(end) if n else start)


@calm
@given(days)
def test_nearest_working_days(day):
    after, before = CHINA.on_or_after(day), CHINA.on_or_before(day)
    assert CHINA.is_workday(after) and CHINA.is_workday(before)
    assert before <= day <= after
    assert (before == after == day) == CHINA.is_workday(day)


def test_mask_is_one_bool_a_day():
    mask = CHINA.mask(date(2026, 12, 28), date(2027, 1, 4))
    assert mask.dtype == bool
    assert mask.tolist() == [True, True, True, True, False, False, False, True]
    mask[:] = False  # a copy: the calendar is not changed
    assert CHINA.is_workday(date(2026, 12, 28))


def test_a_calendar_without_working_days_ends():
    closed = WorkCalendar({date(2100, 12, 1) + timedelta(days=i): False for i in range(31)})
    with pytest.raises(InputError) as caught:
        closed.add(date(2100, 12, 1), 1)
    assert caught.value.problems[0].code == "no_workdays"
    assert str(caught.value)


@pytest.mark.parametrize("call, field", [
    (lambda: WorkCalendar({"2027-01-01": True}), "overrides"),
    (lambda: WorkCalendar({date(2027, 1, 1): "yes"}), "overrides.2027-01-01"),
    (lambda: WorkCalendar({date(2027, 1, 1): 1}), "overrides.2027-01-01"),
    (lambda: WorkCalendar(confirmed_years={1800}), "confirmed_years"),
    (lambda: CHINA.is_workday("2026-01-01"), "start"),
    (lambda: CHINA.is_workday(datetime(2026, 1, 1)), "start"),
    (lambda: CHINA.between(date(2026, 1, 2), date(2026, 1, 1)), "end"),
    (lambda: CHINA.add(date(2026, 1, 1), 1.5), "workdays"),
    (lambda: CHINA.add(date(2026, 1, 1), np.nan), "workdays"),
    (lambda: CHINA.year(1900), "year"),
    (lambda: CHINA.mask(date(1900, 1, 1), date(1900, 1, 2)), "start"),
])
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


def test_overrides_cannot_be_changed_afterwards():
    own = {date(2026, 3, 2): False}
    calendar = WorkCalendar(own)
    own[date(2026, 3, 3)] = False
    assert calendar.is_workday(date(2026, 3, 3))
    with pytest.raises(TypeError):
        calendar.overrides[date(2026, 3, 3)] = False


def _reference():
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "planning.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] == "calendar"]


@pytest.mark.parametrize("case", _reference())
def test_reference(case):
    given, expected = case["input"], case["expected"]
    if case["method"] in ("year", "unknown_year"):
        year = CHINA.year(given["year"])
        got = {
            "total": year.total,
            "per_month": {str(m): n for m, n in year.per_month.items()},
            "makeup": [d.isoformat() for d in year.makeup],
            "days": [d.isoformat() for d in year.days_off],
            "provisional": year.provisional,
        }
    elif case["method"] == "add_workdays":
        finish = CHINA.add(date.fromisoformat(given["start"]), given["add_workdays"])
        got = {"finish": finish.isoformat()}
    else:
        ends = date.fromisoformat(given["start"]), date.fromisoformat(given["end"])
        got = {
            "workdays": CHINA.between(*ends, inclusive=given["inclusive"]),
            "naive_weekdays": CHINA.naive_weekdays(*ends),
        }
    assert {name: got[name] for name in expected} == expected
