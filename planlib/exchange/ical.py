"""All-day events as an iCalendar file (RFC 5545): the same events give the same bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_OCTETS = 75  # of a line, without its end (RFC 5545, 3.1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something on one day.

    Args:
        uid: the same whenever the file is made again, so that a calendar moves the event and does not double it.
        day: on which it is.
        title, text, kind: what calendars show; text may have several lines.
    """

    uid: str
    day: dt.date
    title: str
    text: str = ""
    kind: str = ""


def calendar_bytes(events: Iterable[Event], *, name: str, stamp: dt.date) -> bytes:
    """Return an iCalendar file.

    Args:
        events: in any order.
        name: of the calendar.
        stamp: the day as of which the events are stated.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//planlib//schedule//EN", "CALSCALE:GREGORIAN",
             "METHOD:PUBLISH", f"X-WR-CALNAME:{escaped(name)}"]  # fmt: skip
    for event in sorted(events, key=lambda event: (event.day, event.uid)):
        lines += _event(event, stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in folded(line)).encode("utf-8")


def _event(event: Event, stamp: dt.date) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{escaped(event.uid)}"
    yield f"DTSTAMP:{stamp:%Y%m%d}T000000Z"
    yield f"DTSTART;VALUE=DATE:{event.day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{event.day + dt.timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{escaped(event.title)}"
    if event.text:
        yield f"DESCRIPTION:{escaped(event.text)}"
    if event.kind:
        yield f"CATEGORIES:{escaped(event.kind)}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def escaped(text: str) -> str:
    r"""Return a text as a value of type TEXT (3.3.11); characters that no line may hold become blanks.

    >>> escaped("a, b; c\\d\ne")
    'a\\, b\\; c\\\\d\\ne'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\", "\\\\")
    text = text.replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return "".join(c if c.isprintable() or c in "\u3000\xa0" else " " for c in text)


def folded(line: str) -> list[str]:
    """Return a line as lines of at most 75 octets, none of which ends inside a character.

    >>> [len(part.encode()) for part in folded("期" * 60)]
    [75, 73, 34]
    """
    parts, size = [""], 0
    for character in line:
        octets = len(character.encode("utf-8"))
        if size + octets > _OCTETS:
            parts.append(" ")
            size = 1
        parts[-1] += character
        size += octets
    return parts
