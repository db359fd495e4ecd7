"""A read-out of 1 and 10 million people: its sums against a bare scan, its identity checks against a bare GROUP BY.

Columns, as a table of orders has them: arm, a share, a count, money in cents, the same money before. The bare scan
is DuckDB's sum of each column that the read-out needs; the other peers are tea-tasting over Ibis and DuckDB, on a
connection that is open already, and what one would write in pandas and statsmodels, loading included. All sides read
one Parquet file. tea-tasting is no dependency: PEERS_PYTHON names a Python that has it, in an environment of its own
(`pip install tea-tasting "ibis-framework[duckdb]"`); without it the row is left out, and why is said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from baseline import peak_bytes
from harness import ROOT, Row, interleaved, scratch, seconds_of, times_as_long, times_faster

SIZES = (1_000_000, 10_000_000)
FAMILIES = (("bought",), ("paid",), ("paid", "sessions"), ("paid", "before"), ("sessions",), ("before",))
MOST_TIMES_SCAN, MOST_TIMES_GROUP = 2.0, 1.3
MOST_BYTES = 250 * 10**6
MOST_SECONDS_OF_IMPORT = 0.35
_CALL = "import sys; sys.path.insert(0, 'benchmarks'); import readout; readout.{}(sys.argv[1])"
_IMPORTS = "import numpy, planlib.experiments.{}"
_ROOMS = ", planlib.experiments.".join(("trial", "proportions", "means", "sequential", "power", "portfolio"))


def measure(repeats: int, scale: float = 1.0) -> Iterator[Row]:
    """Yield times beside the peers', and the peak of memory.

    Args:
        repeats: measurements of each side.
        scale: share of the stated sizes.
    """
    with scratch() as folder:
        for size in SIZES:
            rows = max(int(scale * size), 1000)
            file = folder / f"people{size}.parquet"
            write_people(file, rows)
            name = f"read-out of {size // 1_000_000} m rows"
            sums, scan, ids, group = interleaved(*_sides(file), repeats=max(repeats, 5))
            promised = size == SIZES[-1]  # of fewer rows, what comes once (a look at the first rows) weighs more
            for what, mine, its, most in (
                ("sums : bare scan", sums, scan, MOST_TIMES_SCAN),
                ("identity : bare GROUP BY", ids, group, MOST_TIMES_GROUP),
            ):
                row = times_as_long(f"{name}, {what}", mine, its, at_most=most)
                yield row if promised else replace(row, bound="", kept=None)
            busy = interleaved(*_sides(file, time.process_time)[:2], repeats=max(repeats, 5))  # whatever else runs
            row = times_as_long(f"{name}, sums, processor : bare scan", *busy, at_most=MOST_TIMES_SCAN)
            yield replace(row, bound="", kept=None)
            tea = [os.environ.get("PEERS_PYTHON", sys.executable), "-c", _CALL.format("tea_tasting"), str(file)]
            if lacks := _lacks(tea[0]):
                print(f"{name}, sums : tea-tasting over Ibis left out: {lacks}", file=sys.stderr)
            else:
                mine, its = interleaved(_sides(file)[0], lambda tea=tea: _told(tea), repeats=max(repeats, 5))
                yield times_faster(f"{name}, sums : tea-tasting over Ibis", mine, its)
            sides = [[sys.executable, "-c", _CALL.format(side), str(file)] for side in ("ours", "peer")]
            mine, its = interleaved(*(lambda side=side: seconds_of(side) for side in sides), repeats=repeats)
            yield times_faster(f"{name}, process : pandas + statsmodels", mine, its)
            for side, bound in (("ours", MOST_BYTES), ("identity", None)):
                peak = peak_bytes([sys.executable, "-c", _CALL.format(side), str(file)])
                if peak is not None:
                    row = Row(name=f"{name}, memory of {side}", ours=peak / 1e6, unit="MB")
                    yield row if bound is None else replace(row, bound="< 250 MB", kept=peak < bound)
    bare, loaded = interleaved(
        lambda: seconds_of([sys.executable, "-c", "import numpy"]),
        lambda: seconds_of([sys.executable, "-c", _IMPORTS.format(_ROOMS)]),
        repeats=max(repeats, 5),
    )
    beyond = loaded - bare
    yield Row(
        name="import of planlib.experiments beyond numpy", ours=beyond, bound=f"< {MOST_SECONDS_OF_IMPORT} s",
        kept=beyond < MOST_SECONDS_OF_IMPORT,
    )  # fmt: skip


def write_people(file: Path, rows: int) -> None:
    """Write a test's people, drawn by hash: the same rows every time."""
    from planlib.data.engine import connect, literal

    draw = "CAST(hash(i * 8 + {}) % {} AS INTEGER)"
    connect().execute(
        f"""COPY (SELECT i AS id, CASE WHEN {draw.format(0, 2)} = 0 THEN 'control' ELSE 'treatment' END AS arm,
            CAST({draw.format(1, 100)} < 8 AS INTEGER) AS bought, {draw.format(2, 6)} AS sessions,
            CASE WHEN {draw.format(1, 100)} < 8 THEN ROUND({draw.format(3, 100_000)} / 100.0, 2) ELSE 0 END AS paid,
            ROUND(({draw.format(3, 40_000)} + {draw.format(4, 20_000)}) / 100.0, 2) AS before
            FROM range({rows}) AS t(i)) TO {literal(file)} (FORMAT parquet)"""
    )


def _sides(file: Path, clock: Callable[[], float] = time.perf_counter) -> tuple:
    """Sums, bare scan, identity checks and bare GROUP BY, each in seconds on a connection that is open already."""
    from planlib.data.engine import connect, literal
    from planlib.data.readout import People

    people, bare = People.of_file(file), connect()
    columns = ", ".join(f"SUM({name})" for name in dict.fromkeys(name for family in FAMILIES for name in family))
    scan = f"SELECT {columns}, SUM(LENGTH(arm)) FROM read_parquet({literal(file)})"  # COUNT(arm) would not read it
    group = f"SELECT COUNT(*) FROM (SELECT id, COUNT(*) FROM read_parquet({literal(file)}) GROUP BY id) AS ids"

    def timed(job) -> float:
        began = clock()
        job()
        return clock() - began

    return (
        lambda: timed(lambda: people.families("arm", "control", FAMILIES)),
        lambda: timed(lambda: bare.execute(scan).fetchall()),
        lambda: timed(lambda: people.identity("id", "arm")),
        lambda: timed(lambda: bare.execute(group).fetchall()),
    )


def ours(file: str) -> None:
    """Read the test out: a share, a mean with CUPED, a ratio."""
    from planlib.experiments.trial import Metric, Question
    from planlib.readout import read_out_file

    metrics = (Metric("bought"), Metric("paid", covariate="before"), Metric("paid", "sessions"))
    read_out_file(file, Question("arm", "control", metrics))


def identity(file: str) -> None:
    """Look for doubles and people in two arms."""
    from planlib.data.readout import People

    with People.of_file(file) as people:
        people.identity("id", "arm")


def tea_tasting(file: str) -> None:
    """Print the seconds that tea-tasting over Ibis and DuckDB takes for the same three metrics, once warm."""
    import ibis
    import tea_tasting as tt

    people = ibis.duckdb.connect().read_parquet(file)
    metrics = {
        "bought": tt.Mean("bought"),
        "paid": tt.Mean("paid", covariate="before"),
        "ratio": tt.RatioOfMeans("paid", "sessions"),
    }
    trial = tt.Experiment(metrics, variant="arm")
    trial.analyze(people, control="control")
    began = time.perf_counter()
    trial.analyze(people, control="control")
    print(time.perf_counter() - began)


def _lacks(python: str) -> str:
    """Why a Python cannot run tea-tasting; empty when it can."""
    code = "import ibis, duckdb, tea_tasting"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, encoding="utf-8", check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def _told(command: list[str]) -> float:
    """Seconds that a command prints."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return float(done.stdout.split()[-1])


def peer(file: str) -> None:
    """The same by pandas and statsmodels."""
    import duckdb
    import numpy as np
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    columns = "arm, bought, sessions, paid, before"
    frame = duckdb.sql(f"SELECT {columns} FROM read_parquet('{Path(file).as_posix()}')").df()
    arms = [frame[frame["arm"] == name] for name in ("treatment", "control")]
    hits, sizes = [int(arm["bought"].sum()) for arm in arms], [len(arm) for arm in arms]
    proportions_ztest(hits, sizes)
    confint_proportions_2indep(hits[0], sizes[0], hits[1], sizes[1], method="newcomb")
    theta = np.cov(frame["paid"], frame["before"])[0, 1] / frame["before"].var()
    left = [arm["paid"] - theta * arm["before"] for arm in arms]
    ratio = [
        (arm["paid"] - arm["paid"].sum() / arm["sessions"].sum() * arm["sessions"]) / arm["sessions"].mean()
        for arm in arms
    ]
    for pair in ([arm["paid"] for arm in arms], left, ratio):
        found = CompareMeans(*(DescrStatsW(values) for values in pair))
        found.tconfint_diff(usevar="unequal")
        found.ttest_ind(usevar="unequal")
