"""What can go wrong around a run, as ids and figures; the sentences stand in locale/<zh|en>/run.yaml."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planlib.core.words import Words

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class RunError(RuntimeError):
    """A run cannot be made, for a reason outside its notebooks.

    Args:
        code: names the sentence `run.problems.<code>`.
        values: its placeholders.
    """

    def __init__(self, code: str, **values: object):
        super().__init__(code, values)
        self.code = code
        self.values = values

    def render(self, locale: str = "en") -> str:
        """Return the message in the given language."""
        from planlib.core.words import words

        return words(locale).text(f"run.problems.{self.code}", **self.values)

    def __str__(self) -> str:
        return self.render("en")


class LockHeld(RunError):
    """Somebody else runs the same plan."""


class LedgerBusy(RunError):
    """Another program keeps the ledger to itself."""


class DiskFull(RunError):
    """No space is left where a run is written."""

    def __init__(self, folder: str | Path):
        super().__init__("disk_full", folder=str(folder), free=free_space(folder))


@dataclass(frozen=True, slots=True)
class StepError:
    """Why a notebook failed.

    Args:
        reason: names the sentence `run.reasons.<reason>`.
        cell: number of the cell as the kept notebook shows it, In [cell]; None when no cell was running.
        source: first line of that cell.
        values: placeholders of the sentence.
    """

    reason: str
    cell: int | None = None
    source: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def lines(self, words: Words) -> tuple[str, str]:
        """Return where it happened and why, one line each."""
        where = "run.where.start" if self.cell is None else "run.where.cell"
        place = {} if self.cell is None else {"cell": self.cell, "source": _line(self.source, 80)}
        values = {name: _line(str(value), 240) for name, value in self.values.items()}
        return words.text(where, **place), words.text(f"run.reasons.{self.reason}", **values)


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that a disk or a quota is full."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL


def is_busy(error: BaseException) -> bool:
    """Return whether an error says that another program keeps a database to itself."""
    codes = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in codes


def mentions_disk_full(text: str) -> bool:
    """Return whether the text of an error, as Python words it, says that a disk or a quota is full."""
    return any(f"[Errno {number}]" in text for number in _FULL)


def free_space(folder: str | Path) -> str:
    """Return the space free where `folder` is or will be, as megabytes."""
    place = Path(folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    return f"{shutil.disk_usage(place).free / 1e6:,.1f} MB"


def _line(text: str, limit: int) -> str:
    """Return text on one line without control characters, shortened."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
