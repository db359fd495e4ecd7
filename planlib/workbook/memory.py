"""How many workers the memory of this machine holds at once.

A worker is a process with papermill and, for each notebook, a kernel. What both held at most is measured for every
notebook and kept in the plan's ledger; the largest of the last runs, and of the run that goes on, is what a worker is
taken to need. How much there is to share is asked once, when a run begins.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

ASSUMED_PEAK_BYTES = 900_000_000  # of a worker that was never measured; the shipped plans need 450 to 800 MB
SHARE = 0.8  # of the memory that is free: the rest is for the run itself, its decks and everybody else
CGROUPS = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


class Memory:
    """The memory that workers share.

    Args:
        total_bytes: for all of them together; None for `SHARE` of what is free when it is first asked for.
    """

    def __init__(self, total_bytes: float | None = None):
        self._total_bytes = total_bytes
        self.peak_bytes: int | None = None

    @property
    def total_bytes(self) -> float:
        """What all workers may hold together."""
        if self._total_bytes is None:
            self._total_bytes = SHARE * available_bytes()
        return self._total_bytes

    def note(self, peak_bytes: int | None) -> None:
        """Take note of what a worker held at most; None and 0 say nothing."""
        if peak_bytes:
            self.peak_bytes = max(peak_bytes, self.peak_bytes or 0)

    def workers(self) -> int:
        """Return how many workers fit, at least one.

        >>> memory = Memory(4e9)
        >>> memory.note(1_500_000_000)
        >>> memory.workers()
        2
        """
        return max(1, int(self.total_bytes // (self.peak_bytes or ASSUMED_PEAK_BYTES)))


def available_bytes(cgroups: Path = CGROUPS) -> int:
    """Return the memory that can be had without swapping: of the machine, or of the container when that is less."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_in(cgroups)])


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has held so far; where only its present size is known, that; 0 if none."""
    import psutil

    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    with contextlib.suppress(psutil.Error):
        found = psutil.Process(pid).memory_info()
        return int(getattr(found, "peak_wset", found.rss))
    return 0


def _left_in(cgroups: Path) -> list[int]:
    """Return what a container may still take; nothing where there is no limit."""
    left = []
    for limit, used in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            most, now = (int((cgroups / name).read_text(encoding="ascii")) for name in (limit, used))
            left.append(max(0, most - now))
    return left
