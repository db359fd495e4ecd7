"""Small tidy tables for tests: rows written out, all other columns empty."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from planlib.data import store
from planlib.data.engine import Engine
from planlib.data.schema import TABLES

LINEAGE = {"source": "test", "pulled_at": dt.datetime(2026, 12, 31), "file_no": 1}


def engine(folder: Path, **tables: Iterable[Mapping[str, object]]) -> Engine:
    """Return an engine over tables that hold the given rows."""
    return Engine(folder, threads=1, tables={name: write_table(folder, name, rows) for name, rows in tables.items()})


def data_root(root: Path, **tables: Iterable[Mapping[str, object]]) -> Path:
    """Write a data folder as a load leaves it, with the given rows, and return it."""
    tidy = store.make_private(store.tidy_dir(root))
    listed = {}
    for name, rows in tables.items():
        listed[name] = {"file": store.keep(root, name, write_table(tidy, name, rows)), "rows": len(list(rows))}
    store.commit(root, {"tables": listed})
    return root


def write_table(folder: Path, name: str, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write a table as a load does, and return its file."""
    table, path = TABLES[name], folder / f"{name}.parquet"
    names = [column.name for column in table.columns]
    frame = pd.DataFrame([LINEAGE | dict(row) for row in rows]).reindex(columns=names)
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE t ({table.ddl()})")
        db.register("frame", frame)
        db.execute("INSERT INTO t SELECT * FROM frame")
        db.execute(f"COPY t TO '{path.as_posix()}' (FORMAT parquet)")
    return path
