"""The weekly review of the sample brand: new raw files of a week loaded, notebook 80 run, what changed, both decks."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from harness import ROOT, Row, planlib, scratch, seconds_of, within

SLOTS = ("2026-10-04", "2026-10-11", "2026-10-18", "2026-10-25", "2026-11-01")
MOST_PROCESSES = 4  # the command, a worker, its kernel, and Python's tracker of resources


def measure(repeats: int) -> Iterator[Row]:
    """Yield wall and processor time of weekly reviews, each of a week whose files are new, and their processes."""
    from planlib.data.sample import write_sample

    with scratch() as folder:
        write_sample(folder / "whole", customers=20_000, seed=7)
        plan = ROOT / "params" / f".weekly-{os.getpid()}.yaml"
        head = "extends: sample_brand.yaml\nplan: {id: weekly_brand, start: 2026-01}\n"
        plan.write_text(f'{head}data: {{root: "{folder}/brand"}}\n', encoding="utf-8")
        try:
            reviews = [planlib("run", str(plan), "--cadence", "weekly", "--as-of", slot, "--out", str(folder / "out"))
                       for slot in SLOTS[: repeats + 2]]  # fmt: skip
            _lay_out(folder, SLOTS[0])
            seconds_of(reviews[0])
            measured = []
            for slot, command in zip(SLOTS[1:], reviews[1:], strict=False):
                _lay_out(folder, slot)
                measured.append(_watched(command))
        finally:
            plan.unlink()
    wall, processor, processes = (max(column) for column in zip(*measured, strict=True))
    yield within("weekly review of the sample brand, wall", wall, at_most=20)
    yield Row(name="the same, processor time of all its processes", ours=processor)
    bound, kept = f"<= {MOST_PROCESSES}", processes <= MOST_PROCESSES
    yield Row(name="the same, processes started", ours=processes, unit="", bound=bound, kept=kept)


def _lay_out(folder: Path, slot: str) -> None:
    """Put down the raw files that were pulled up to the day after a slot."""
    pulled = f"{dt.date.fromisoformat(slot) + dt.timedelta(days=1):%Y%m%d}"
    for name in ("SAMPLE", "salt"):
        if (folder / "whole" / name).is_file() and not (folder / "brand" / name).exists():
            (folder / "brand").mkdir(exist_ok=True)
            shutil.copy2(folder / "whole" / name, folder / "brand" / name)
    for day in (folder / "whole" / "raw").glob("*/*"):
        target = folder / "brand" / "raw" / day.parent.name / day.name
        if day.name <= pulled and not target.exists():
            shutil.copytree(day, target)


def _watched(command: list[str]) -> tuple[float, float, int]:
    """Return wall time, processor time and number of processes of a command with all that it starts."""
    spent: dict[int, float] = {}
    began = time.perf_counter()
    process = psutil.Popen(command, cwd=ROOT, stdout=sys.stderr, stderr=sys.stderr)
    while process.poll() is None:
        for one in [process, *_below(process)]:
            try:
                times = one.cpu_times()
            except psutil.Error:
                continue
            spent[one.pid] = times.user + times.system
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{command} ended with status {process.returncode}")
    return time.perf_counter() - began, sum(spent.values()), len(spent)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
