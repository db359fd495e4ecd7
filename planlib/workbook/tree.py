"""Ending processes with everything they started, on any system."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from collections.abc import Iterable, Mapping

Identity = Mapping[str, object]  # pid, created (seconds, tells a reused pid apart), host

_SAME_SECONDS = 2.0
_WAIT_SECONDS = 3.0


def identity(pid: int) -> Identity:
    """Return what tells a process from a later one with the same number."""
    import psutil

    created = 0.0
    with contextlib.suppress(psutil.Error):
        created = psutil.Process(pid).create_time()
    return {"pid": pid, "created": created, "host": platform.node()}


def end_tree(roots: Iterable[Identity]) -> None:
    """Kill processes and all their descendants, and wait until they are gone.

    Processes of other machines and numbers that now belong to somebody else are left alone.
    """
    import psutil

    found = [process for root in roots for process in _alive(root)]
    everyone = {process.pid: process for root in found for process in [root, *_descendants(root)]}
    for process in everyone.values():
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + _WAIT_SECONDS
    while any(map(_runs, everyone.values())) and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(process) -> bool:
    """Return whether a process still runs; one that ended and whose parent has not asked does not.

    Unlike psutil's own waiting this leaves the exit status to the parent.
    """
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def descendants(pid: int) -> list[Identity]:
    """Return what a process has started, directly or through others; nothing when it is gone."""
    import psutil

    try:
        return [identity(process.pid) for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def end_group(leader: int) -> None:
    """Kill what is left of a process group; nothing where groups do not exist."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(leader, signal.SIGKILL)


def _alive(root: Identity) -> list:
    import psutil

    if root.get("host") != platform.node():
        return []
    try:
        process = psutil.Process(int(root["pid"]))  # type: ignore[call-overload]
        same = abs(process.create_time() - float(root["created"])) < _SAME_SECONDS  # type: ignore[arg-type]
    except (psutil.Error, KeyError, TypeError, ValueError):
        return []
    return [process] if same else []


def _descendants(process) -> list:
    import psutil

    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
