"""Runs after the fact: which there are, and what changed between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.workbook.ledger import latest_run, newest_run_with, recorded_runs
from planlib.workbook.lock import is_held, read_holder

_SHOWN_RUNS = 15
_SAME_REL = 1e-12


def find_run(name: str, out_root: Path, *, holding: str | None = None) -> Path:
    """Return the folder of a run.

    Args:
        name: a plan id (its latest whole run), a run id, or a folder.
        holding: of a plan's runs, the newest in which this notebook took part, where there is one.

    Raises:
        InputError: there is no such run.
    """
    plain = bool(name) and Path(name).name == name
    candidates = [newest_run_with(out_root / name, holding) if plain and holding else None]
    candidates += [latest_run(out_root / name) if plain else None, Path(name)]
    candidates += sorted(out_root.glob(f"*/{name}")) if plain else []
    for folder in candidates:
        if folder is not None and (folder / "manifest.json").is_file():
            return folder
    raise InputError(Problem("unknown_run", file=out_root.as_posix(), given=name))


def status_lines(out_root: Path, w: Words) -> Iterator[str]:
    """Yield one line for each of the last runs, newest first, and for each that goes on now."""
    for folder in sorted(path for path in out_root.glob("*/") if is_held(path)):
        holder = read_holder(folder)
        if holder:
            yield w.text("cli.running", plan=folder.name, since=holder.since, pid=holder.pid, host=holder.host)
    runs = recorded_runs(out_root, limit=_SHOWN_RUNS)
    latest = {plan: latest_run(out_root / plan) for plan in {run.plan_id for run in runs}}
    for run in runs:
        seconds = "—" if run.seconds is None else w.number(run.seconds, "seconds")
        mark = latest[run.plan_id]
        status = w.text(f"cli.status_{run.status}")
        newest = f"  {w.text('cli.latest')}" if mark is not None and mark.name == run.run_id else ""
        yield w.text("cli.run_line", run_id=run.run_id, plan=run.plan_id, status=status, seconds=seconds) + newest
    if not runs:
        yield w.text("cli.no_runs")


def diff_lines(before: Path, after: Path, w: Words) -> Iterator[str]:
    """Yield what changed in the figures of two runs, largest relative change first."""
    plans = [json.loads((run / "manifest.json").read_text(encoding="utf-8"))["plan"] for run in (before, after)]
    if plans[0]["sha256"] == plans[1]["sha256"]:
        yield w.text("cli.diff_same_plan")
    else:
        shown = [f"{plan['id']} {plan['sha256'][:8]}" for plan in plans]
        yield w.text("cli.diff_plan", before=shown[0], after=shown[1])
    old, new = _figures(before), _figures(after)
    changed = [key for key in old.keys() | new.keys() if not _same(old.get(key), new.get(key))]
    total = len(old.keys() | new.keys())
    if not changed:
        yield w.text("cli.diff_same", count=total)
        return
    yield w.text("cli.diff_head", changed=len(changed), count=total)
    for notebook, name in sorted(changed, key=lambda key: (-_relative(old.get(key), new.get(key)), key)):
        values = [_shown(side.get((notebook, name)), w) for side in (old, new)]
        yield w.text("cli.diff_line", notebook=notebook, name=name, before=values[0], after=values[1])


def _figures(run: Path) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for path in sorted(run.glob("*/results.json")):
        content = res.load(path)
        found |= {(content["notebook"], metric["id"]): metric for metric in content["metrics"]}
    return found


def _same(old: dict[str, Any] | None, new: dict[str, Any] | None) -> bool:
    if old is None or new is None:
        return False
    return old["value"] == new["value"] or (old["unit"] == new["unit"] and _relative(old, new) <= _SAME_REL)


def _relative(old: dict[str, Any] | None, new: dict[str, Any] | None) -> float:
    """Return how much a figure changed, against the larger of the two; 1 where one is missing."""
    if old is None or new is None or old["value"] is None or new["value"] is None:
        return 1.0
    size = max(abs(old["value"]), abs(new["value"]))
    return abs(new["value"] - old["value"]) / size if size else 0.0


def _shown(metric: dict[str, Any] | None, w: Words) -> str:
    return "—" if metric is None else w.number(metric["value"], metric["unit"])
