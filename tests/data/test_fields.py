"""Money stays exact, dates are those of Shanghai, and what is refused gets the right message."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.data import ids
from planlib.data.fields import bad, clean_cell, is_formula, problem, typed

DB = duckdb.connect()
ids.teach(DB, b"k" * 32)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def tidy(kind: str, raw: str | None) -> tuple[object, bool]:
    """Return the tidy value of a raw text and whether it is refused."""
    value = f"SELECT x, {typed(kind, 'x')} AS t FROM (SELECT $x::VARCHAR AS x)"
    refused = bad(kind, "x", "t") or "FALSE"
    found, is_bad = DB.execute(f"SELECT t, COALESCE({refused}, FALSE) FROM ({value})", {"x": raw}).fetchone()
    return found, is_bad


@given(st.integers(0, 10**15))
def test_fen_become_yuan_exactly(fen):
    assert tidy("fen", str(fen)) == (Decimal(fen) / 100, False)


@given(st.decimals(0, 10**12, places=2), st.sampled_from(["{}", "¥{}", "{} 元", "{:,}", "{:,}元"]))
def test_yuan_as_people_write_them_stay_exact(amount, form):
    assert tidy("yuan", clean_cell(form.format(amount), "yuan")) == (amount, False)


@given(st.decimals(0, 10**6, places=3).filter(lambda d: d * 100 % 1))
def test_parts_of_a_fen_are_refused(amount):
    assert tidy("yuan", str(amount))[1]
    assert problem("yuan", str(amount), file="f", field="x", line=1).code == "data_decimals"


@given(st.datetimes(dt.datetime(2005, 1, 2), dt.datetime(2099, 12, 30)).map(lambda d: d.replace(microsecond=0)))
def test_seconds_are_read_in_shanghai(moment):
    seconds = str(int(moment.replace(tzinfo=SHANGHAI).timestamp()))
    if moment.replace(tzinfo=SHANGHAI).utcoffset() == dt.timedelta(hours=8):
        assert tidy("seconds", seconds) == (moment, False)
        assert tidy("day_seconds", seconds) == (moment.date(), False)
    assert tidy("seconds", f"{seconds}000")[1]
    assert problem("seconds", f"{seconds}000", file="f", field="x", line=1).code == "data_milliseconds"


@given(
    st.dates(dt.date(2005, 1, 1), dt.date(2099, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y-%m-%d 00:00:00"]),
)
def test_dates_in_every_form(day, form):
    assert tidy("date", clean_cell(day.strftime(form), "date")) == (day, False)


@given(st.dates(dt.date(2010, 1, 1), dt.date(2040, 12, 31)))
def test_weeks_begin_on_monday(day):
    year, week, _ = day.isocalendar()
    monday = day - dt.timedelta(days=day.weekday())
    assert clean_cell(f"{year}-W{week:02d}", "date") == monday.isoformat()


@given(st.text(max_size=40))
def test_hashes_in_sql_and_python_agree(raw):
    raw = raw.replace("\x00", "").strip(" ")
    expected = None if not raw else raw if raw == ids.EVERYONE else ids.hashed(b"k" * 32, raw)
    if raw == raw.strip():  # Python strips more kinds of blanks than SQL does
        assert tidy("id", raw)[0] == expected


@pytest.mark.parametrize(
    "kind, raw, code",
    [
        ("count", "1.5", "not_whole"),
        ("count", "-1", "data_negative"),
        ("count", "abc", "data_number"),
        ("fen", "12.5", "not_whole"),
        ("amount", "-0.1", "data_negative"),
        ("amount", "inf", "data_number"),
        ("number", "nan", "data_number"),
        ("percent", "100.1", "out_of_range"),
        ("share", "87.5", "rate_range"),
        ("share", "-0.1", "out_of_range"),
        ("share", "120%", "out_of_range"),
        ("seconds", "12", "data_seconds"),
        ("date", "2026-02-30", "data_date"),
        ("date", "1793548800", "data_time_number"),
        ("time", "yesterday", "data_date"),
        ("yes", "maybe", "data_yes"),
    ],
)
def test_what_is_refused_and_why(kind, raw, code):
    assert tidy(kind, raw)[1]
    assert problem(kind, raw, file="f", field="x", line=1).code == code


@pytest.mark.parametrize(
    "kind, raw, value",
    [
        ("share", "87.5%", 0.875),
        ("share", "1", 1.0),
        ("percent", "87.5", 0.875),
        ("signed_yuan", "-12.30", Decimal("-12.30")),
        ("fee", "-0.59000", Decimal("-0.59000")),
        ("seconds", "0", None),
        ("code", "16.0", 16),
        ("yes", "是", True),
        ("text", "  ", None),
        ("count", None, None),
    ],
)
def test_what_is_read(kind, raw, value):
    assert tidy(kind, raw) == (value, False)


@pytest.mark.parametrize("cell", ["--", "-", "", "—", "N/A", "无", "  "])
def test_marks_of_missing_values(cell):
    assert clean_cell(cell, "count") is None


def test_full_width_digits():
    assert clean_cell("１，２３４．５", "yuan") == "1234.5"
    assert clean_cell("２０２６－１１－０５", "date") == "2026-11-05"


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3+cmd|'x'!A1", "\t=HYPERLINK(1)"])
def test_cells_that_a_spreadsheet_would_run(cell):
    assert is_formula(cell)


@pytest.mark.parametrize("cell", ["-3.5", "@所有人", "+1元换购", "新品|会员", "a=b"])
def test_cells_that_it_would_not(cell):
    assert not is_formula(cell)
