"""The main job beside a plain loop of the papermill command over the same notebooks."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from harness import PLAN, ROOT, Row, interleaved, planlib, scratch, seconds_of, times_faster

AT_LEAST = 1.7


def notebooks() -> list[str]:
    """Return the ids of the workbook's notebooks in their order."""
    text = (ROOT / "notebooks" / "workbook.yaml").read_text(encoding="utf-8")
    return [row["id"] for row in yaml.safe_load(text)["notebooks"]]


def cells_seconds(notebook: Path) -> float:
    """Return the time that the cells of an executed notebook took by papermill's own record."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(cell["metadata"].get("papermill", {}).get("duration") or 0.0 for cell in cells)


def papermill_loop(folder: Path) -> tuple[float, list[float]]:
    """Run each notebook with the papermill command, one after another.

    Returns:
        seconds of the whole loop; for each notebook its seconds beyond those of its cells.
    """
    total, overheads = 0.0, []
    for name in notebooks():
        target = folder / f"{name}.ipynb"
        command = [sys.executable, "-m", "papermill", f"notebooks/{name}.ipynb", str(target)]
        seconds = seconds_of([*command, "-p", "plan_file", PLAN, "-p", "out_dir", str(folder)])
        total += seconds
        overheads.append(seconds - cells_seconds(target))
    return total, overheads


def main_job(folder: Path) -> tuple[float, list[float]]:
    """Run the main job, decks included; the same return as `papermill_loop`, from the ledger."""
    from planlib.workbook.ledger import Ledger

    seconds = seconds_of(planlib("run", PLAN, "--fresh", "--out", str(folder)))
    with Ledger(folder / Path(PLAN).stem) as ledger:
        steps = ledger.steps(ledger.runs(limit=1)[0].run_id)
    return seconds, [step.seconds - step.cells_seconds for step in steps]


def measure(repeats: int) -> Iterator[Row]:
    """Yield the wall times and the overhead a notebook."""
    ours, peer = [], []

    def once(job, overheads: list[float]) -> float:
        with scratch() as folder:
            seconds, beyond_cells = job(folder)
        overheads += beyond_cells
        return seconds

    wall = interleaved(lambda: once(main_job, ours), lambda: once(papermill_loop, peer), repeats=repeats)
    count = len(notebooks())
    yield times_faster(f"main job, {count} notebooks and decks : papermill loop", *wall, at_least=AT_LEAST)
    yield times_faster("overhead a notebook beyond its cells", statistics.mean(ours), statistics.mean(peer))
