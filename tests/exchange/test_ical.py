"""Events as iCalendar, read by another program."""

import datetime as dt

import icalendar
from hypothesis import given
from hypothesis import strategies as st

from planlib.exchange.ical import Event, calendar_bytes, escaped, folded

DAY = dt.date(2027, 3, 31)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=120)


def test_what_is_written_is_what_another_program_reads():
    hostile = 'G1, "基础"; \\n 验收: 100%\nsecond line' + "长" * 40
    made = calendar_bytes([Event("p.g1@planlib", DAY, hostile, hostile, "关口, x")], name="计划; 一", stamp=DAY)
    (event,) = icalendar.Calendar.from_ical(made).walk("VEVENT")
    assert str(event["SUMMARY"]) == str(event["DESCRIPTION"]) == hostile
    assert event["DTSTART"].dt == DAY and event["DTEND"].dt == dt.date(2027, 4, 1)
    assert event["DTSTAMP"].dt == dt.datetime(2027, 3, 31, tzinfo=dt.UTC)
    assert event["UID"] == "p.g1@planlib"
    assert event["CATEGORIES"].cats == ["关口, x"]


def test_lines_end_with_crlf_and_hold_75_octets_at_most():
    made = calendar_bytes([Event("u", DAY, "期" * 200)], name="n", stamp=DAY)
    assert made.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in made.replace(b"\r\n", b"")
    assert 72 < max(map(len, made.split(b"\r\n"))) <= 75


def test_order_and_bytes_do_not_depend_on_the_order_given():
    events = [Event("b", DAY, "b"), Event("a", DAY, "a"), Event("c", dt.date(2027, 1, 1), "c")]
    assert calendar_bytes(events, name="n", stamp=DAY) == calendar_bytes(events[::-1], name="n", stamp=DAY)


@given(TEXTS)
def test_any_text_stays_on_its_line(text):
    line = f"SUMMARY:{escaped(text)}"
    parts = folded(line)
    assert "".join([parts[0], *(part[1:] for part in parts[1:])]) == line
    assert all(len(part.encode()) <= 75 for part in parts)
    assert not any(c in line for c in "\r\n\x85\u2028")
