"""What runs leave when they fail or are killed: partial notebooks are kept for reading, the rest goes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from planlib.core.results import write_whole
from planlib.workbook.ledger import LATEST, Ledger, latest_run, now
from planlib.workbook.tree import end_tree

MANIFEST = "manifest.json"
FAILED = "failed"
WORKERS = ".workers"
NEXT_LATEST = ".latest.next"


def temporary(plan_dir: Path, run_id: str) -> Path:
    """Return the folder in which a run is built."""
    return plan_dir / f".run-{run_id}.tmp"


def read_manifest(run_dir: Path) -> dict[str, Any]:
    """Return the manifest of a run; empty where there is none that can be read."""
    try:
        found = json.loads((run_dir / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def recover(plan_dir: Path, ledger: Ledger) -> None:
    """Put right what killed runs left; call it with the plan's lock held.

    Their processes are ended, partial notebooks kept, temporary folders removed. A run that was killed
    between its rename and the move of `latest` is whole, and is completed.
    """
    for folder in plan_dir.glob(".run-*.tmp"):
        end_processes(folder / WORKERS)
        run_id = folder.name.removeprefix(".run-").removesuffix(".tmp")
        clear_away(folder, plan_dir / FAILED / run_id)
    for row in ledger.runs(plan_dir.name, status="running"):
        whole = (plan_dir / row.run_id / MANIFEST).is_file()
        latest = latest_run(plan_dir)
        if whole and (latest is None or latest.name < row.run_id):
            write_whole(plan_dir / LATEST, f"{row.run_id}\n")
        status, code = ("done", 0) if whole else ("killed", None)
        ledger.finish(row.run_id, status=status, exit_code=code, ended=now())
    (plan_dir / NEXT_LATEST).unlink(missing_ok=True)


def thin(plan_dir: Path, *, keep: int) -> list[str]:
    """Remove older runs of a plan and return their ids; call it with the plan's lock held.

    Of all runs the newest `keep` stay, the one that `latest` names, and of each kind of review the last and the one
    before it, which the last was compared with. The ledger keeps its rows. A removal that is killed is completed by
    the next run.

    Args:
        keep: how many runs stay, from 1.
    """
    runs = sorted((path.parent for path in plan_dir.glob(f"2*/{MANIFEST}")), key=lambda path: path.name, reverse=True)
    latest = latest_run(plan_dir)
    stay = {run.name for run in runs[:keep]} | ({latest.name} if latest else set())
    slots: dict[tuple[str, str], str] = {}
    for run in runs:
        review = read_manifest(run).get("review")
        if review:
            slots.setdefault((review["cadence"], review["slot"]), run.name)
    for cadence in {cadence for cadence, _ in slots}:
        newest = sorted((slot for kind, slot in slots if kind == cadence), reverse=True)[:2]
        stay |= {slots[cadence, slot] for slot in newest}
    gone = [run.name for run in reversed(runs) if run.name not in stay]
    for name in gone:
        os.replace(plan_dir / name, temporary(plan_dir, name))
        shutil.rmtree(temporary(plan_dir, name), ignore_errors=True)
    return gone


def clear_away(folder: Path, kept: Path) -> None:
    """Remove a temporary folder; its partial notebooks and logs are kept in `kept`."""
    for partial in folder.glob("*/.*.partial.ipynb"):
        keep(partial.parent, kept)
    for log in folder.glob(f"{WORKERS}/*.log"):
        _move(log, kept)
    shutil.rmtree(folder, ignore_errors=True)


def keep(step_dir: Path, kept: Path) -> None:
    """Keep the notebook of a step that did not end well, and its log."""
    name = step_dir.name
    for found in (step_dir / f".{name}.partial.ipynb", step_dir / f"{name}.ipynb"):
        if found.is_file():
            _move(found, kept, f"{name}.ipynb")
            break
    _move(step_dir / f"{name}.log", kept)


def _move(file: Path, folder: Path, name: str = "") -> None:
    """Move a file that says something; when even that is impossible, the run's own error matters more."""
    with contextlib.suppress(OSError):
        if file.stat().st_size:
            folder.mkdir(parents=True, exist_ok=True)
            os.replace(file, folder / (name or file.name))


def end_processes(folder: Path) -> None:
    """End the processes whose notes lie in a folder."""
    for note in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            end_tree([json.loads(note.read_text(encoding="utf-8"))])
