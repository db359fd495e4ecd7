"""Lists of customers that employees work with: one file for each employee, harmless whatever a customer is called."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from planlib.core.words import Words
from planlib.exchange.sheets import ID, Column, Row, Sheet
from planlib.exchange.write import workbook_bytes

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what spreadsheets take for the beginning of a formula
_COLUMNS = (
    Column(ID), Column("shown"), Column("tags"), Column("reason"), Column("action"), Column("due", "date"),
    Column("value", "number", unit="CNY"), Column("reach"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer on an employee's list.

    Attributes:
        customer: id as the platform knows it.
        shown: how the platform names the customer to the employee; "" where nobody knows.
        tags: names of the customer's tags.
        reason, action: why the customer is on the list and what to do, in words.
        due: until when; None at any time.
        value_cny: what the customer is worth; None where it cannot be said.
        reach: whether a mass message may still go there, in words.
    """

    customer: str
    shown: str
    tags: Sequence[str]
    reason: str
    action: str
    due: dt.date | None
    value_cny: float | None
    reach: str


def list_bytes(contacts: Sequence[Contact], notes: Sequence[str], w: Words) -> bytes:
    """Return a workbook with one employee's customers in the order given.

    Args:
        contacts: the customers, each once.
        notes: lines of the first sheet, its title first.
        w: language of headings.
    """
    rows = tuple(
        Row(
            _visible(one.customer),
            {
                "shown": _visible(one.shown),
                "tags": _visible(w.text("listing.comma").join(one.tags)),
                "reason": one.reason,
                "action": one.action,
                "due": one.due.isoformat() if one.due else None,
                "value": None if one.value_cny is None else round(one.value_cny),
                "reach": one.reach,
            },
        )
        for one in contacts
    )
    heads = [w.text(f"listing.column.{column.key}") for column in _COLUMNS]
    sheet = (w.text("listing.sheet.contacts"), Sheet("contacts", _COLUMNS, rows), heads)
    return workbook_bytes((w.text("listing.sheet.notes"), [_visible(line) for line in notes]), [sheet], None)


def _visible(text: str) -> str:
    """Return a text without what a cell cannot hold or nobody can see; joined emoji stay whole."""
    return "".join(c if c.isprintable() or c == "\u200d" else " " for c in text)


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet runs: an apostrophe goes before what looks like a formula.

    >>> safe_cell("=1+1"), safe_cell("wmA")
    ("'=1+1", 'wmA')
    """
    return f"'{text}" if text.startswith(_RUNS) else text


def file_stem(employee: str, digest: str) -> str:
    """Return the name of an employee's file, without its ending, on any system.

    Args:
        employee: id as the platform knows it.
        digest: its hash, which keeps names apart that look alike once they are cleaned.

    >>> file_stem("wang/wu", "0123456789ab")
    'wang_wu-01234567'
    """
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', employee)[:40] or 'employee'}-{digest[:8]}"
