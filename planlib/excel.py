"""The plan's workbook, where the plan meets the rooms' arithmetic: made, and opened as a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.exchange.sheets import Rooms
from planlib.plan import Plan, load_plan


def make_workbook(plan_file: str, w: Words, out_root: Path) -> Path:
    """Write <out_root>/<plan id>/<plan id>.xlsx and return its path; one that somebody has changed stays.

    Raises:
        InputError: the plan has problems, or the file in place holds changes, or is open elsewhere.
    """
    from planlib.exchange.book import write_book
    from planlib.exchange.read import changed_cells, listed
    from planlib.workbook.context import project_root

    root = project_root()
    plan = load_plan(plan_file)
    path = out_root / plan.id / f"{plan.id}.xlsx"
    if path.exists():
        cells = changed_cells(path)
        if cells:
            raise InputError(Problem("book_edited", file=path.as_posix(), values={"cells": ", ".join(listed(cells))}))
    write_book(plan, w, _rooms(), path=path, root=root)
    return path


def opener(w: Words, tell: Callable[[str], None]) -> Callable[..., Plan]:
    """Return a `load_plan` that opens workbooks too, and tells what there is to say about them.

    Args:
        w: language of what is told.
        tell: takes one line.
    """

    def load(path: str, **options: Any) -> Plan:
        from planlib.exchange.scenario import open_plan
        from planlib.workbook.context import project_root

        opened = open_plan(path, root=project_root, rooms=_rooms, **options)
        for note in opened.notes:
            tell(note.text(w))
        return opened.plan

    return load


def _rooms() -> Rooms:
    from planlib.funnel.ladder import flow_ladder, ladder
    from planlib.funnel.split import split

    return Rooms(ladder, flow_ladder, split)
