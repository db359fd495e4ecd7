"""Days that differ from the public calendar, out of a CSV beside the plan: what a notice or a company says of them."""

from __future__ import annotations

from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.plan.tracking import parse_day, read_rows
from planlib.plan.tree import Node

COLUMNS = ("date", "worked", "note")
WORKED = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "是": True, "否": False,
          "上班": True, "休息": False}  # fmt: skip


def add_days(tree: Node, folder: Path) -> list[Problem]:
    """Put the days of the file that `schedule.days_file` names into `schedule.days_off`, where the plan has none.

    Args:
        tree: a plan, changed in place.
        folder: of the plan.

    Returns:
        All problems of the file.
    """
    schedule = tree.value.get("schedule") if isinstance(tree.value, dict) else None
    named = schedule.value.get("days_file") if schedule is not None and isinstance(schedule.value, dict) else None
    if named is None or not isinstance(named.value, str):
        return []
    if Path(named.value).name != named.value or "\\" in named.value:
        return [Problem("beside_plan", *_place(named), named.value)]
    path, problems = folder / named.value, []
    off = schedule.value.setdefault("days_off", Node({}, named.file, named.line))
    if not isinstance(off.value, dict):
        return []
    shown, seen = path.as_posix(), {}
    try:
        for line, cells in read_rows(path, COLUMNS, problems, needed=COLUMNS[:2]):
            day, worked = parse_day(cells["date"]), WORKED.get(cells["worked"].lower())
            if day is None:
                problems.append(Problem("date", shown, "date", line, cells["date"], values={"form": "YYYY-MM-DD"}))
            elif day in seen:
                told = f"{shown}:{seen[day]}"
                problems.append(Problem("duplicate_id", shown, "date", line, cells["date"], values={"first": told}))
            elif worked is None:
                values = {"choice": ", ".join(WORKED)}
                problems.append(Problem("choice", shown, "worked", line, cells["worked"], values=values))
            else:
                seen[day] = line
                off.value.setdefault(day.isoformat(), Node(worked, shown, line))
    except InputError as error:
        problems += error.problems
    return problems


def _place(node: Node) -> tuple[str, str, int | None]:
    file, line = node.place
    return file, "schedule.days_file", line
