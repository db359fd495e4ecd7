"""Many brands' weekly reviews in one pool, beside one brand's review run alone as often as there are brands.

Each brand has raw files of its own, drawn with a seed of its own and loaded before the clock runs. BENCH_BRANDS and
BENCH_CUSTOMERS set how many there are and how large each is: 30 brands of 1,500 customers unless said otherwise.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness import ROOT, Row, planlib, scratch, seconds_of, times_faster

BRANDS = int(os.environ.get("BENCH_BRANDS", "30"))
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "1500"))
SUNDAY = "2026-12-27"  # of the sample's year


def make(folder: Path) -> list[str]:
    """Write the brands' plans and tables and return the plans."""
    from planlib.data.load import load
    from planlib.data.sample import write_sample

    shutil.copy(ROOT / "params" / "wechat_platform.yaml", folder / "base.yaml")
    plans = []
    for number in range(1, BRANDS + 1):
        name = f"brand_{number:02d}"
        write_sample(folder / "data" / name, customers=CUSTOMERS, seed=number)
        load(folder / "data" / name)
        root = (folder / "data" / name).as_posix()
        plan = folder / f"{name}.yaml"
        head = f"extends: base.yaml\nplan: {{id: {name}, title: {{zh: 品牌 {number}, en: Brand {number}}}}}\n"
        plan.write_text(f"{head}data: {{root: '{root}'}}\n", encoding="utf-8")
        plans.append(str(plan))
    return plans


def measure(repeats: int) -> Iterator[Row]:
    """Yield the throughput, and the whole against one after another."""
    from planlib.workbook.runner import cores

    with scratch() as folder:
        plans = make(folder)
        together, alone = [], []
        for turn in range(repeats):
            asked = ("--cadence", "weekly", "--as-of", SUNDAY)
            alone.append(seconds_of(planlib("run", plans[0], *asked, "--out", str(folder / f"one_{turn}"))))
            together.append(seconds_of(planlib("run", *plans, *asked, "--out", str(folder / f"all_{turn}"))))
    best, one = min(together), min(alone)
    per_core_hour = BRANDS * 3600 / best / cores()
    name = f"{BRANDS} brands weekly, decks and portfolio: brands a core and hour"
    yield Row(name=name, ours=per_core_hour, unit="/h")
    yield times_faster(f"{BRANDS} brands weekly : one alone, {BRANDS} times", best, BRANDS * one)
