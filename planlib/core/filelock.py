"""A lock between processes, held by the operating system on an open file and let go when its holder dies."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from planlib.core.errors import InputError, Problem

WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def locked(path: Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Let nobody else pass here with the same path while the block runs; the lock is on `<path>.lock`, which stays.

    Args:
        path: what is to be written; need not exist.
        wait_seconds: how long to wait for another process, or thread, to finish.

    Raises:
        InputError: somebody else still holds it, or the folder cannot be written.
    """
    busy = InputError(Problem("book_open", file=path.as_posix()))
    deadline = time.monotonic() + wait_seconds
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path.with_name(f"{path.name}.lock"), "a+b"))
        except PermissionError:
            raise busy from None
        while not try_lock(file):
            if time.monotonic() >= deadline:
                raise busy
            time.sleep(_POLL_SECONDS)
        stack.callback(release, file)
        yield


if sys.platform == "win32":
    import msvcrt

    def try_lock(file: BinaryIO) -> bool:
        """Lock an open file if nobody has; return whether it is locked now."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def release(file: BinaryIO) -> None:
        """Let go of a file."""
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Lock an open file if nobody has; return whether it is locked now."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(file: BinaryIO) -> None:
        """Let go of a file."""
        fcntl.flock(file, fcntl.LOCK_UN)
