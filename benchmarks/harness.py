"""What every benchmark stands on: commands timed by wall clock, rows with a bound, one table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PLAN = "params/wechat_platform.yaml"
HEADS = ("name", "ours", "peer", "ratio", "bound", "verdict")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        name: what was measured.
        ours: our figure, seconds unless `unit` says otherwise.
        peer: the peer's figure in the same unit; None where there is none.
        unit: unit of both figures.
        ratio: how the figures compare; None where there is no peer.
        bound: what is promised, as text; empty where nothing is.
        kept: whether it was kept; None where nothing is promised.
    """

    name: str
    ours: float
    peer: float | None = None
    unit: str = "s"
    ratio: float | None = None
    bound: str = ""
    kept: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one a column of HEADS."""
        verdict = {True: "kept", False: "MISSED", None: "-"}[self.kept]
        figures = [f"{v:.2f} {self.unit}" if v is not None else "-" for v in (self.ours, self.peer)]
        return (self.name, *figures, f"{self.ratio:.2f}" if self.ratio else "-", self.bound or "-", verdict)


def times_faster(name: str, ours: float, peer: float, *, at_least: float | None = None, unit: str = "s") -> Row:
    """Return a row whose ratio says how many times our time goes into the peer's, both in `unit`."""
    ratio = peer / ours
    bound, kept = (f">= {at_least:g}", ratio >= at_least) if at_least else ("", None)
    return Row(name=name, ours=ours, peer=peer, unit=unit, ratio=ratio, bound=bound, kept=kept)


def times_as_long(name: str, ours: float, peer: float, *, at_most: float, unit: str = "s") -> Row:
    """Return a row whose ratio says how many times the peer's time goes into ours, both in `unit`."""
    ratio = ours / peer
    return Row(name=name, ours=ours, peer=peer, unit=unit, ratio=ratio, bound=f"<= {at_most:g}", kept=ratio <= at_most)


def within(name: str, seconds: float, *, at_most: float) -> Row:
    """Return a row with a promise in seconds and no peer."""
    return Row(name=name, ours=seconds, bound=f"< {at_most:g} s", kept=seconds < at_most)


def planlib(*arguments: str) -> list[str]:
    """Return the command line of a planlib command, as its console script runs it."""
    return [sys.executable, "-c", "from planlib.cli import main; main()", *arguments]


def seconds_of(command: Sequence[str], *, statuses: tuple[int, ...] = (0,)) -> float:
    """Run a command from the project's folder; return its wall time in seconds.

    Raises:
        SystemExit: its exit status is none of `statuses`; what it printed is shown.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in statuses:
        sys.stderr.buffer.write(done.stdout + done.stderr)
        raise SystemExit(f"exit status {done.returncode}: {' '.join(command)}")
    return seconds


def interleaved(*measures: Callable[[], float], repeats: int) -> list[float]:
    """Take turns between measures, so that a busy moment meets all of them; return each one's median seconds."""
    rounds = [[measure() for measure in measures] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with TemporaryDirectory(prefix="planlib-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def table(rows: Sequence[Row]) -> str:
    """Return the rows under HEADS, columns aligned."""
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def machine() -> str:
    """Return one line that says what is measured on, and how busy it is already where the system tells."""
    busy = f", {os.getloadavg()[0]:.1f} programs running already" if hasattr(os, "getloadavg") else ""
    return f"{sys.platform}, Python {sys.version.split()[0]}, {os.cpu_count()} cores{busy}"
