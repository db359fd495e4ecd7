"""One run of a plan at a time.

The operating system holds the lock on an open file and lets go when its holder dies, however that happens.
Who holds it stands beside it, for the message.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from planlib.core.filelock import release, try_lock
from planlib.core.results import write_whole
from planlib.workbook.failures import LockHeld

LOCK = ".lock"
HOLDER = ".lock.json"
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs a plan: process, machine, since when (UTC), and the command typed."""

    pid: int
    host: str
    since: str
    command: str


@contextlib.contextmanager
def hold(
    folder: Path, *, wait_seconds: float = 0.0, on_wait: Callable[[Holder | None], None] | None = None
) -> Iterator[None]:
    """Hold the lock of `folder` while the block runs.

    Args:
        folder: an existing folder.
        wait_seconds: how long to wait for another holder to finish.
        on_wait: called once, with the holder when it is known, before waiting.

    Raises:
        LockHeld: another process (or thread) still holds it.
    """
    with open(folder / LOCK, "a+b") as file:
        deadline = time.monotonic() + wait_seconds
        waiting = False
        while not try_lock(file):
            if time.monotonic() >= deadline:
                raise _held(folder)
            if on_wait and not waiting:
                on_wait(read_holder(folder))
            waiting = True
            time.sleep(_POLL_SECONDS)
        try:
            write_whole(folder / HOLDER, json.dumps(asdict(_me()), ensure_ascii=False))
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / HOLDER).unlink(missing_ok=True)
            release(file)


def is_held(folder: Path) -> bool:
    """Return whether somebody runs the plan of `folder` now."""
    if not (folder / LOCK).is_file():
        return False
    with open(folder / LOCK, "a+b") as file:
        free = try_lock(file)
        if free:
            release(file)
        return not free


def read_holder(folder: Path) -> Holder | None:
    """Return who last said to hold the lock; None when nobody did or the note is unreadable."""
    try:
        return Holder(**json.loads((folder / HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _me() -> Holder:
    since = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Holder(os.getpid(), platform.node(), since, " ".join(sys.argv)[:300])


def _held(folder: Path) -> LockHeld:
    holder = read_holder(folder)
    if holder is None:
        return LockHeld("lock_held_unknown", folder=str(folder))
    return LockHeld("lock_held", folder=str(folder), **asdict(holder))
