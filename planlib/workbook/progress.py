"""A run drawn while it goes on: moving bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from planlib.core.words import Words
from planlib.workbook.outcome import (
    CellStarted,
    Event,
    OwnRefused,
    Progress,
    RunEnded,
    RunStarted,
    StepEnded,
    StepOutcome,
    StepStarted,
    Waiting,
)

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"done": "green", "reused": "dim", "failed": "bold red", "skipped": "yellow"}


@contextlib.contextmanager
def drawn(words: Words, *, stream: TextIO | None = None, moving: bool | None = None) -> Iterator[Progress]:
    """Yield a callback for `runner.run` that draws what it is told.

    Args:
        words: the language.
        stream: where to; else the standard output.
        moving: bars that move; else whether the stream is a terminal.
    """
    stream = stream or sys.stdout
    if stream.isatty() if moving is None else moving:
        with _bars(words, stream) as draw:
            yield draw
    else:
        yield lambda event: _print(lines(event, words), stream)


def lines(event: Event, words: Words) -> list[str]:
    """Return what an event says, as lines of text; nothing for single cells."""
    match event:
        case Waiting(holder=None):
            return [words.text("run.progress.waiting_unknown")]
        case Waiting(holder=holder):
            known = asdict(holder)
            return [words.text("run.progress.waiting", **{name: known[name] for name in ("pid", "host", "since")})]
        case OwnRefused():
            blocks = [problem.render(words.locale) for problem in event.problems]
            return [words.text("run.progress.own_refused"), *(line for block in blocks for line in block.splitlines())]
        case RunStarted():
            count = len(event.titles)
            return [words.text("run.progress.started", run_id=event.run_id, count=count, jobs=event.jobs)]
        case StepStarted():
            return [words.text("run.progress.step_started", notebook=event.notebook)]
        case StepEnded():
            return _step_lines(event.outcome, words)
        case RunEnded():
            return [_run_line(event, words)]
    return []


def _step_lines(outcome: StepOutcome, words: Words) -> list[str]:
    notebook = outcome.notebook
    if outcome.status == "skipped":
        return [words.text("run.progress.step_skipped", notebook=notebook, because=outcome.because)]
    if outcome.status == "reused":
        return [words.text("run.progress.step_reused", notebook=notebook)]
    seconds = words.number(outcome.seconds, "seconds")
    head = words.text(f"run.progress.step_{outcome.status}", notebook=notebook, seconds=seconds)
    if outcome.error is None:
        return [head]
    log = [words.text("run.progress.log", path=outcome.log)] if outcome.log else []
    return [head, *(f"  {line}" for line in (*outcome.error.lines(words), *log))]


def _run_line(event: RunEnded, words: Words) -> str:
    outcome = event.outcome
    if not outcome.ok:
        return words.text("run.progress.failed", run_id=outcome.run_id, folder=outcome.run_dir)
    if outcome.reused:
        return words.text("run.progress.nothing_changed", run_id=outcome.run_id)
    seconds = words.number(outcome.seconds, "seconds")
    return words.text("run.progress.done", run_id=outcome.run_id, seconds=seconds)


def _print(texts: list[str], stream: TextIO) -> None:
    for text in texts:
        print(text, file=stream, flush=True)


@contextlib.contextmanager
def _bars(words: Words, stream: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(file=stream, highlight=False)
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        yield _Drawing(words, bars, console).draw


class _Drawing:
    """One bar a notebook; what went wrong is printed above the bars in full."""

    def __init__(self, words: Words, bars: Any, console: Console):
        self.words = words
        self.bars = bars
        self.console = console
        self.tasks: dict[str, Any] = {}

    def draw(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._print(event)
                for notebook, title in event.titles.items():
                    self._bar(notebook, f"{notebook}  {self.words.pick(title)}")
            case StepStarted():
                self.bars.start_task(self._bar(event.notebook))
                self._state(event.notebook, self.words.text("run.progress.starting"))
            case CellStarted():
                cell = self.words.text("run.progress.cell", cell=event.cell, cells=event.cells)
                self._state(event.notebook, cell, total=event.cells, completed=event.cell - 1)
            case StepEnded():
                self._end(event)
            case _:
                self._print(event)

    def _bar(self, notebook: str, description: str = "") -> Any:
        if notebook not in self.tasks:
            state = self.words.text("run.progress.pending")
            self.tasks[notebook] = self.bars.add_task(description or notebook, start=False, total=None, state=state)
        return self.tasks[notebook]

    def _state(self, notebook: str, text: str, **changes: Any) -> None:
        self.bars.update(self._bar(notebook), state=text, **changes)

    def _end(self, event: StepEnded) -> None:
        outcome = event.outcome
        style, mark = _STYLES[outcome.status], self.words.text(f"run.progress.mark_{outcome.status}")
        self._state(outcome.notebook, f"[{style}]{mark}[/]", total=1, completed=1)
        self.bars.stop_task(self._bar(outcome.notebook))
        if outcome.error:
            self._print(event)

    def _print(self, event: Event) -> None:
        for line in lines(event, self.words):
            self.console.print(line, markup=False, soft_wrap=True)
