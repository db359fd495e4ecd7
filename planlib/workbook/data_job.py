"""The commands that change the data folder, one at a time: load, forget, purge."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.core.words import Words
from planlib.data import store
from planlib.data.ledger import LOADED
from planlib.workbook.lock import hold

if TYPE_CHECKING:
    from planlib.data.load import Report

Write = Callable[[str], None]
WAIT_SECONDS = 3600.0


def data_root(plan_file: str | None, folder: str | None) -> Path:
    """Return the data folder: the one given, else the plan's, else data/."""
    if folder is not None:
        return Path(folder)
    if plan_file is None:
        return Path("data")
    from planlib.plan import load_plan

    return Path(load_plan(plan_file).data.root)


def load_data(root: Path, w: Words, write: Write) -> int:
    """Load what is new; return 1 when files had to be set aside, else 0."""
    from planlib.data.load import load

    with alone(root, w, write):
        report = load(root)
    for line in load_lines(report, w, store.raw_dir(root)):
        write(line)
    return 1 if report.aside else 0


def load_lines(report: Report, w: Words, raw: Path) -> list[str]:
    """Return what a load did, line by line; `raw` is the folder that the names of files start from."""
    lines = [w.text("data.load.done", files=report.read, rows=w.number(report.rows, "count"), known=report.unchanged)]
    if report.gone:
        lines.append(w.text("data.load.gone", files=report.gone))
    for name, rows in sorted(report.tables.items()):
        lines.append(w.text("data.load.table", table=name, rows=w.number(rows, "count")))
    lines += [
        w.text("data.load.guessed", file=entry.path, parts=", ".join(entry.guessed))
        for entry in report.entries
        if entry.guessed
    ]
    lines += [
        w.text("data.load.future", file=entry.path, day=entry.last_day, pulled=entry.pulled_at[:10])
        for entry in report.entries
        if entry.status == LOADED and entry.last_day > entry.pulled_at[:10]
    ]
    if report.aside:
        lines.append(w.text("data.load.aside", files=len(report.aside), folder=raw.as_posix()))
        lines += [problem.render(w.locale) for entry in report.aside for problem in entry.problems]
    return lines


def forget_person(root: Path, outputs: Path, person: str, w: Words, write: Write) -> None:
    """Remove a person from raw files, tables, outputs and caches."""
    from planlib.data.erase import forget

    with alone(root, w, write):
        erased = forget(root, person, outputs=outputs)
    _say_erased(erased, w, write)


def purge_before(root: Path, outputs: Path, day: dt.date, w: Words, write: Write) -> None:
    """Remove personal data of the time before a day from raw files, tables, outputs and caches."""
    from planlib.data.erase import purge

    with alone(root, w, write):
        erased = purge(root, day, outputs=outputs)
    _say_erased(erased, w, write)


@contextlib.contextmanager
def alone(root: Path, w: Words, write: Write) -> Iterator[None]:
    """Hold the data folder's lock; wait for another holder and say so.

    Raises:
        InputError: there is no folder of raw files.
    """
    from planlib.data.load import raw_folder

    raw_folder(root)
    folder = store.make_private(store.tidy_dir(root))
    with hold(folder, wait_seconds=WAIT_SECONDS, on_wait=lambda _: write(w.text("data.load.waiting"))):
        yield


def _say_erased(erased, w: Words, write: Write) -> None:
    for path in erased.deleted:
        write(w.text("data.erase.deleted", file=path))
    for path, count in erased.rewritten.items():
        write(w.text("data.erase.rewritten", file=path, records=count))
    for path in erased.unsure:
        write(w.text("data.erase.unsure", file=path))
    write(w.text("data.erase.done", ids=erased.ids, files=len(erased.deleted) + len(erased.rewritten)))
