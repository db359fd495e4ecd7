"""How far one machine carries: the baseline, an assignment and customer value by number of customers and engine.

    python benchmarks/scale.py --customers 5000000
    python benchmarks/scale.py --customers 5000000 --spark "local[2]" --keep /tmp/scale

Each customer has 5 orders and 50 interactions in the year. Every question runs in a process of its own; told are its
seconds without start-up, seconds of processors (start-up included), which other work on the machine hardly changes,
and the peak of memory of the process and all that it started.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import ROOT, Row, scratch

CUSTOMERS = 1_000_000
MOST_BYTES = 2 * 10**9
QUESTIONS = ("baseline", "assignment", "value")
_UNTIL = dt.datetime(2027, 1, 1)
_EVERY = 0.2  # seconds between two looks at the memory


def measure(repeats: int) -> Iterator[Row]:
    """Yield seconds and peak of memory of each question over a million customers, with DuckDB.

    Args:
        repeats: measurements of each; the shortest time and the largest peak are told.
    """
    with scratch() as folder:
        write_tables(folder, CUSTOMERS)
        for name in QUESTIONS:
            found = [asked(name, folder, []) for _ in range(repeats)]
            seconds, peak = min(one.seconds for one in found), max(one.peak_bytes for one in found)
            yield Row(name=f"{name}, {CUSTOMERS:,} customers", ours=seconds)
            yield Row(name="the same, peak memory", ours=peak / 1e9, unit="GB", bound="< 2 GB", kept=peak < MOST_BYTES)


def write_tables(root: Path, customers: int) -> None:
    """Write tidy tables of an invented brand."""
    import baseline

    from planlib.data import store
    from planlib.data.engine import connect, literal
    from planlib.data.schema import TABLES

    baseline.write_tables(root, customers / baseline.PEOPLE)
    edges, made = store.table_files(root)["follow_edges"], store.tidy_dir(root) / "customers.parquet"
    declared = ", ".join(f'CAST(NULL AS {c.kind.sql}) AS "{c.name}"' for c in TABLES["customers"].columns)
    columns = (
        "external_hid, added_at AS first_add_at, 1 AS n_followers, FALSE AS do_not_contact, "
        "CASE WHEN hash(external_hid) % 5 = 0 THEN 'unknown' ELSE 'granted' END AS consent_status, "
        "TIMESTAMP '2026-12-31' AS last_seen_at, source, pulled_at, file_no"
    )
    with connect() as db:
        db.execute(
            f"COPY (SELECT * FROM (SELECT {declared}) WHERE FALSE UNION ALL BY NAME SELECT {columns} "
            f"FROM read_parquet({literal(edges)})) TO {literal(made)} (FORMAT parquet)"
        )
    tables = store.read_manifest(root)["tables"]
    store.commit(root, {"tables": tables | {"customers": {"file": made.name, "rows": customers}}})


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost: seconds by the clock, seconds of processors, most bytes held at once."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def asked(name: str, root: Path, how: Sequence[str]) -> Cost:
    """Ask one question in a process of its own.

    Args:
        name: of the question.
        root: the data folder.
        how: address of Spark or "", and memory in GB.
    """
    import psutil

    code = "import sys; sys.path.insert(0, 'benchmarks'); import scale; scale.answer(*sys.argv[1:])"
    command = [sys.executable, "-c", code, name, str(root), *how]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        peak, worked, watched = 0, {}, psutil.Process(process.pid)
        while process.poll() is None:
            held, now = _looked(watched)
            peak, worked = max(peak, held), worked | now
            time.sleep(_EVERY)
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{name}: exit status {process.returncode}")
    return Cost(json.loads(said.splitlines()[-1]), sum(worked.values()), peak)


def answer(name: str, root: str, spark: str = "", memory_gb: str = "") -> None:
    """Answer one question and print the seconds."""
    from planlib.data.engine import Engine
    from planlib.data.spark import SparkEngine

    memory = float(memory_gb) if memory_gb else None
    with SparkEngine(root, spark) if spark else Engine(root, memory_gb=memory) as tables:
        began = time.perf_counter()
        {"baseline": _baseline, "assignment": _assignment, "value": _value}[name](tables)
        print(json.dumps(time.perf_counter() - began), flush=True)


def _baseline(tables) -> None:
    """Notebook 10: every metric."""
    from planlib.data.baseline import collect

    assert len(collect(tables).sums) > 10


def _assignment(tables) -> None:
    """Who can be assigned, in which class each is, and who has been silent for two weeks since joining."""
    month = {"moment": _UNTIL, "active_since": _UNTIL - dt.timedelta(days=30)}
    able, classes = tables.query("assignable").arrays(), tables.query("classes_at", month).rows()
    assert 0 < len(able["external_hid"]) <= len(classes)
    for name in ("people", "sold", "acted"):
        tables.keep(name, {"until": _UNTIL, "opening": _UNTIL - dt.timedelta(days=30)})
    tables.query("silent", {"joined_by": _UNTIL - dt.timedelta(days=14)}).rows()


def _value(tables) -> None:
    """Notebook 60: one row a customer, what it bought and how it took part."""
    moments = {"until": _UNTIL, "quarter_since": dt.datetime(2026, 10, 3), "year_since": dt.datetime(2026, 1, 1)}
    for name in ("people", "sold"):
        tables.keep(name, moments)
    assert len(tables.query("customers_at", moments).arrays()["person"]) > 0


def _looked(process) -> tuple[int, dict[int, float]]:
    """Bytes that a process and all that it started hold now, and processor seconds of each so far."""
    import psutil

    held, worked = 0, {}
    try:
        for one in (process, *process.children(recursive=True)):
            held += one.memory_info().rss
            worked[one.pid] = sum(one.cpu_times()[:2])
    except psutil.NoSuchProcess:
        pass
    return held, worked


def main() -> None:
    """Measure one size with one engine and print a line a question."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--spark", metavar="ADDRESS", default="", help="a Spark master or Spark Connect; else DuckDB")
    parser.add_argument("--memory", metavar="GB", default="", help="data.memory_gb of DuckDB")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the tables for another run")
    parser.add_argument("--only", choices=QUESTIONS, action="append")
    given = parser.parse_args()
    with scratch() as folder:
        root = given.keep or folder
        if not (root / "tidy").exists():
            began = time.perf_counter()
            write_tables(root, given.customers)
            size = sum(path.stat().st_size for path in (root / "tidy").iterdir())
            print(f"tables: {size / 1e9:.2f} GB, {time.perf_counter() - began:.0f} s", flush=True)
        for name in given.only or QUESTIONS:
            cost = asked(name, root, [given.spark, given.memory])
            told = f"{cost.seconds:.1f} s, {cost.processor_seconds:.0f} s of processors, {cost.peak_bytes / 1e9:.2f} GB"
            print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    main()
