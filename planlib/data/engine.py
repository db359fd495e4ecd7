"""SQL over the tidy tables: one plain-SQL text per question, run by DuckDB in process, or by Spark.

A text uses standard SQL only and names its parameters `:like_this`, so that it runs on Spark SQL as well, where
the tables are registered as views of the same names; `make test-spark` compares the answers. Where values may be
empty, a text says NULLS LAST, since engines differ. Texts add up integers and decimals, never floating-point
numbers, so that sums repeat exactly on any number of threads. Python sees their small results, not rows of users.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.data import store
from planlib.data.schema import TABLES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from planlib.plan.model import Data

MEMORY_LIMIT = "1200MB"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PARAMETER = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|::|:([a-z_][a-z0-9_]*)", re.IGNORECASE)


def open_tables(data: Data | None, root: str | Path | None = None) -> Engine:
    """Open a plan's tidy tables with the engine that the plan names.

    Args:
        data: the plan's section `data`; None, with a root, for DuckDB.
        root: a data folder in place of the plan's.

    Raises:
        InputError: Spark is not installed, cannot be reached, or does not see the tables' files; later, from the
            engine: the memory does not do.
    """
    root = data.root if root is None else root
    if data is not None and data.engine == "spark":
        from planlib.data.spark import SparkEngine

        return SparkEngine(root, data.spark_address)
    return Engine(root, memory_gb=None if data is None else data.memory_gb)


class Engine:
    """The tidy tables of one data folder, for SQL.

    Args:
        root: the folder, `plan.data.root`. A table that was never loaded is there and empty.
        threads: how many threads a query may use; None for one a core.
        tables: names and Parquet files (or globs) that stand in place of the folder's own tables.
        memory_gb: memory for queries; None for `MEMORY_LIMIT`.

    >>> with Engine("no/such/folder") as engine:
    ...     engine.query("SELECT COUNT(*) AS n FROM orders WHERE created_at >= :since", {"since": "2027-01-01"}).rows()
    [{'n': 0}]
    """

    def __init__(
        self,
        root: str | Path = "data",
        *,
        threads: int | None = None,
        tables: Mapping[str, Path] | None = None,
        memory_gb: float | None = None,
    ):
        self.root = Path(root)
        self._db = connect(threads=threads, memory_gb=memory_gb)
        files = store.table_files(self.root) | dict(tables or {})
        for name, table in TABLES.items():
            if name in files:
                self._db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({literal(files[name])})")
            else:
                self._db.execute(f"CREATE TABLE {name} ({table.ddl()})")
        self.loaded = tuple(name for name in TABLES if name in files)

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> Answer:
        """Run one text and return its answer.

        Args:
            sql: the text, or the name of one of the package's (`planlib/data/sql/<name>.sql`).
            parameters: values of its `:names`.

        Raises:
            InputError: the memory does not do.
        """
        return Answer(self._run(self._db, "", sql, parameters))

    def keep(self, name: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run one of the package's texts once and keep its answer under its name, for texts that build on it."""
        self._run(self._db, f'CREATE OR REPLACE TEMPORARY TABLE "{name}" AS ', name, parameters)

    def rows(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.query(f"SELECT COUNT(*) AS n FROM {TABLES[table].name}").one()["n"])

    def hand_over(self, sql: str, table: str, parameters: Mapping[str, object] | None = None) -> DuckDBPyConnection:
        """Run one text and keep its answer as a table of a DuckDB connection, for texts built of its column names.

        Args:
            sql, parameters: as of `query`.
            table: the name it gets.
        """
        return self._run(self._db.cursor(), f"CREATE OR REPLACE TEMPORARY TABLE {table} AS ", sql, parameters)

    def _run(
        self, db: DuckDBPyConnection, head: str, sql: str, parameters: Mapping[str, object] | None
    ) -> DuckDBPyConnection:
        import duckdb

        text, given = asked(sql, parameters)
        try:
            return db.execute(head + to_duckdb(text), given or None)
        except duckdb.OutOfMemoryException as error:
            limit = db.execute("SELECT current_setting('memory_limit')").fetchone()[0]
            problem = Problem("tables_too_large", self.root.as_posix(), "data.memory_gb", values={"limit": limit})
            raise InputError(problem) from error

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Answer:
    """What a query found; fetched once, in the form asked for."""

    def __init__(self, found: DuckDBPyConnection):
        self._found = found
        self.columns = tuple(column[0] for column in found.description)

    def rows(self) -> list[dict[str, Any]]:
        """Return one mapping a row; decimals come as Decimal, empty values as None."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._found.fetchall()]

    def one(self) -> dict[str, Any]:
        """Return the only row.

        Raises:
            ValueError: not exactly one row.
        """
        (row,) = self.rows()
        return row

    def arrays(self) -> dict[str, np.ndarray]:
        """Return one array a column; decimals as floats, empty values masked."""
        return self._found.fetchnumpy()

    def frame(self) -> pd.DataFrame:
        """Return a data frame; decimals as floats."""
        return self._found.df()


def connect(
    *,
    path: str | Path = ":memory:",
    threads: int | None = None,
    spill: str | Path | None = None,
    memory_gb: float | None = None,
) -> DuckDBPyConnection:
    """Open DuckDB so that it loads nothing from the network, stays inside its share of memory and prints nothing."""
    import duckdb

    config: dict[str, object] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": MEMORY_LIMIT if memory_gb is None else f"{round(memory_gb * 1000)}MB",
    }
    if threads is not None:
        config["threads"] = threads
    if spill is not None:
        config["temp_directory"] = str(spill)
    db = duckdb.connect(str(path), config=config)
    db.execute("SET enable_progress_bar = false")
    return db


def statement(name: str) -> str:
    """Return the text `planlib/data/sql/<name>.sql`.

    Raises:
        KeyError: there is none.
    """
    try:
        return (resources.files("planlib") / "data" / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(f"no SQL text {name!r}") from None


def to_duckdb(text: str) -> str:
    """Turn `:name` into DuckDB's `$name`, leaving strings, comments and casts alone.

    >>> to_duckdb("SELECT ':a' AS x, b::DATE FROM t WHERE day >= :since -- :c")
    "SELECT ':a' AS x, b::DATE FROM t WHERE day >= $since -- :c"
    """
    return with_parameters(text, {name: f"${name}" for name in _names(text)})


def with_parameters(text: str, values: Mapping[str, str], *, strings: Callable[[str], str] = str) -> str:
    """Put SQL in place of some `:names`, leaving comments and casts alone.

    Args:
        text: the text.
        values: SQL by name; other names stay as they are.
        strings: how strings, in their quotes, are written; as they are.

    >>> with_parameters("SELECT ':a' FROM t WHERE day >= :a AND day < :b", {"a": "DATE '2027-01-31'"})
    "SELECT ':a' FROM t WHERE day >= DATE '2027-01-31' AND day < :b"
    """

    def written(found: re.Match[str]) -> str:
        if found[1]:
            return values.get(found[1], found[0])
        return strings(found[0]) if found[0].startswith("'") else found[0]

    return _PARAMETER.sub(written, text)


def literal(value: str | Path) -> str:
    """Return a text as an SQL string; a path with forward slashes.

    >>> literal("it's")
    "'it''s'"
    """
    text = value.as_posix() if isinstance(value, Path) else value
    return "'" + text.replace("'", "''") + "'"


def identifiers(names: Iterable[str]) -> str:
    """Return column names as SQL lists them.

    >>> identifiers(["date", "key"])
    '"date", "key"'
    """
    return ", ".join(f'"{name}"' for name in names)


def asked(sql: str, parameters: Mapping[str, object] | None) -> tuple[str, dict[str, object]]:
    """Return a text, by its name or as it is, and those of the parameters that it names."""
    text = statement(sql) if _NAME.fullmatch(sql) else sql
    names = set(_names(text))
    return text, {name: value for name, value in (parameters or {}).items() if name in names}


def _names(text: str) -> Iterator[str]:
    return (m[1] for m in _PARAMETER.finditer(text) if m[1])
