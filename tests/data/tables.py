"""Small tidy tables for tests: rows written out, all other columns empty."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from planlib.data.engine import Engine
from planlib.data.schema import TABLES

LINEAGE = {"source": "test", "pulled_at": dt.datetime(2026, 12, 31), "file_no": 1}


def engine(folder: Path, **tables: Iterable[Mapping[str, object]]) -> Engine:
    """Return an engine over tables that hold the given rows."""
    files = {}
    for name, rows in tables.items():
        table = TABLES[name]
        files[name] = folder / f"{name}.parquet"
        names = [column.name for column in table.columns]
        frame = pd.DataFrame([LINEAGE | dict(row) for row in rows]).reindex(columns=names)
        with duckdb.connect() as db:
            db.execute(f"CREATE TABLE t ({table.ddl()})")
            db.register("frame", frame)
            db.execute("INSERT INTO t SELECT * FROM frame")
            db.execute(f"COPY t TO '{files[name].as_posix()}' (FORMAT parquet)")
    return Engine(folder, threads=1, tables=files)
