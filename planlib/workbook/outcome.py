"""How runs and notebooks end, and what a run says while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planlib.core.errors import Problem
from planlib.workbook.failures import StepError
from planlib.workbook.lock import Holder


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How one notebook ended.

    Args:
        status: done, reused, failed or skipped.
        seconds: wall time with its kernel; 0 when it did not run.
        cells_seconds: time its cells took.
        log: what it printed beside its cells, or None.
        error: why it failed, or None.
        because: the failed notebook that a skipped one needs, or "".
    """

    notebook: str
    status: str
    seconds: float = 0.0
    cells_seconds: float = 0.0
    log: Path | None = None
    error: StepError | None = None
    because: str = ""

    @property
    def reused(self) -> bool:
        return self.status == "reused"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Args:
        run_dir: the run's folder; of a failed run, where its partial notebooks and logs are.
        steps: in the order of the graph.
        ok: no notebook failed.
        reused: nothing had changed; this is the latest run as it was.
        seconds: wall time.
    """

    run_id: str
    run_dir: Path
    steps: tuple[StepOutcome, ...]
    ok: bool
    reused: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another run of the plan goes on and this one waits for it."""

    holder: Holder | None


@dataclass(frozen=True, slots=True)
class OwnRefused:
    """Own notebooks are left out of a run: one problem each."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins: its notebooks in order with their titles, and how many run at once."""

    run_id: str
    titles: Mapping[str, Mapping[str, str]]
    jobs: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A notebook begins; `expected_seconds` is its mean of earlier runs, or None."""

    notebook: str
    expected_seconds: float | None


@dataclass(frozen=True, slots=True)
class CellStarted:
    """Code cell `cell` of `cells` begins."""

    notebook: str
    cell: int
    cells: int


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A notebook ended, was reused or was skipped."""

    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run ended; nothing of it goes on."""

    outcome: RunOutcome


Event = Waiting | OwnRefused | RunStarted | StepStarted | CellStarted | StepEnded | RunEnded
Progress = Callable[[Event], None]
