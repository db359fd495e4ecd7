"""The tidy tables on Spark, for brands whose rows outgrow one machine: the same texts, the same answers.

Only what the engines do differently stands here. Times are wall times of Asia/Shanghai, so that columns and
parameters are TIMESTAMP_NTZ and nothing is moved between zones; a session is in UTC, in ANSI mode, and reads
identifiers in double quotes as standard SQL writes them. Answers come back by Arrow and are handed to DuckDB, which
gives them the types that its own answers have.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.data import store
from planlib.data.engine import Answer, Engine, asked, connect, with_parameters
from planlib.data.schema import TABLES, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONNECT = "sc://"
CONNECT_PORT = 15002
ANSWER_SECONDS = 5.0  # within which a host takes a connection
SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
}
CONTEXT = {"spark.log.level": "ERROR", "spark.ui.showConsoleProgress": "false"}
ALONE = {  # a Spark inside this machine talks to nobody else
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}
PARTITIONS_PER_CORE = 8
_TYPES = {"VARCHAR": "STRING", "TIMESTAMP": "TIMESTAMP_NTZ"}
_PLACE = re.compile(r"(\[[^\]]+\]|[^:,/;\[\]]+)(?::(\d+))?")


class SparkEngine(Engine):
    """The tidy tables of one data folder as views of a Spark session of their own.

    Args:
        root: the folder; every machine of the cluster sees it under the same path.
        address: a master (`local[4]`, `spark://host:7077`, `yarn`, `k8s://...`) or Spark Connect (`sc://host:15002`).
        tables: names and Parquet files (or globs) that stand in place of the folder's own tables.

    Raises:
        InputError: Spark or Java is missing, nobody answers at the address, another master runs in this process, or
            Spark does not see a table's file.
    """

    def __init__(self, root: str | Path, address: str, *, tables: Mapping[str, Path] | None = None):
        self.root = Path(root)
        self._address = address
        self._session = _session(address)
        self._kept: dict[str, Any] = {}
        files = store.table_files(self.root) | dict(tables or {})
        for name, table in TABLES.items():
            if name in files:
                with _told(_no_table(name, files[name])):
                    self._read(table, files[name]).createOrReplaceTempView(name)
            else:
                self._session.createDataFrame([], _schema(table)).createOrReplaceTempView(name)
        self.loaded = tuple(name for name in TABLES if name in files)

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> Answer:
        return Answer(self._collected(sql, parameters).execute("SELECT * FROM found"))

    def keep(self, name: str, parameters: Mapping[str, object] | None = None) -> None:
        frame = self._frame(name, parameters).persist()
        frame.createOrReplaceTempView(name)
        self._let_go(name)
        self._kept[name] = frame

    def hand_over(self, sql: str, table: str, parameters: Mapping[str, object] | None = None) -> DuckDBPyConnection:
        db = self._collected(sql, parameters)
        db.execute(f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM found")
        db.unregister("found")
        return db

    def close(self) -> None:
        """Let go of kept answers; a Spark inside this process goes on for others."""
        for name in list(self._kept):
            self._let_go(name)
        if self._address.startswith(CONNECT):
            self._session.stop()

    def _let_go(self, name: str) -> None:
        if name in self._kept:
            self._kept.pop(name).unpersist()

    def _read(self, table: Table, file: Path) -> Any:
        path = file.resolve().as_posix()
        return self._session.read.schema(_schema(table)).parquet(f"file://{'' if path[0] == '/' else '/'}{path}")

    def _frame(self, sql: str, parameters: Mapping[str, object] | None) -> Any:
        text, given = asked(sql, parameters)
        moments = {name: _moment(value) for name, value in given.items() if isinstance(value, dt.datetime)}
        values = {name: value for name, value in given.items() if name not in moments}
        return self._session.sql(with_parameters(text, moments, strings=_string), args=values)

    def _collected(self, sql: str, parameters: Mapping[str, object] | None) -> DuckDBPyConnection:
        """Return a DuckDB connection with the answer as `found`."""
        db = connect()
        db.register("found", self._frame(sql, parameters).toArrow())
        return db


def _session(address: str) -> Any:
    _need("pyspark", "pyarrow", *(["grpc"] if address.startswith(CONNECT) else []))
    _reach(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a pandas newer than those it was tried with: unused here
        session = _connected(address) if address.startswith(CONNECT) else _started(address)
    for name, value in SESSION.items():
        session.conf.set(name, value)
    if address.startswith("local"):
        session.conf.set(
            "spark.sql.shuffle.partitions", str(PARTITIONS_PER_CORE * session.sparkContext.defaultParallelism)
        )
    return session


def _started(address: str) -> Any:
    """Return a session of its own on the Spark of this process, which the first engine starts."""
    from pyspark.sql import SparkSession

    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java") and not (home and shutil.which("java", path=Path(home, "bin"))):
        raise InputError(_no_java(address))
    builder = SparkSession.builder.master(address).appName("planlib")
    for name, value in (CONTEXT | (ALONE if address.startswith("local") else {})).items():
        builder = builder.config(name, value)
    unreachable = _unreachable(address)
    with _told(lambda reason: _no_java(address) if "JAVA_GATEWAY_EXITED" in reason else unreachable(reason)):
        session = builder.getOrCreate()
    running = session.sparkContext.master
    if running != address:
        problem = Problem("spark_other", field="data.spark_address", given=address, values={"running": running})
        raise InputError(problem)
    return session.newSession()


def _connected(address: str) -> Any:
    with _told(_unreachable(address)):
        from pyspark.sql.connect.session import SparkSession

        return SparkSession.builder.remote(address).create()


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        values = {"package": ", ".join({"grpc": "grpcio"}.get(name, name) for name in missing)}
        raise InputError(Problem("spark_missing", field="data.engine", given="spark", values=values))


def _reach(address: str) -> None:
    """Raise InputError when none of the named hosts takes a connection; Spark itself would try for minutes."""
    if not address.startswith((CONNECT, "spark://")):
        return
    reason = ""
    for host, port in _places(address):
        try:
            with socket.create_connection((host, port), timeout=ANSWER_SECONDS):
                return
        except OSError as error:
            reason = f"{host}:{port}: {error.strerror or error}"
    raise InputError(_unreachable(address)(reason))


def _places(address: str) -> list[tuple[str, int]]:
    """Return hosts and ports of an address.

    >>> _places("spark://one:7077,two:7078"), _places("sc://[::1]/;use_ssl=true")
    ([('one', 7077), ('two', 7078)], [('::1', 15002)])
    """
    hosts = address.partition("://")[2].partition("/")[0]
    return [(host.strip("[]"), int(port or CONNECT_PORT)) for host, port in _PLACE.findall(hosts)]


@contextmanager
def _told(problem: Callable[[str], Problem]) -> Iterator[None]:
    """Raise InputError in place of what Spark or its gateway raises.

    Args:
        problem: makes it of Spark's reason.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise InputError(problem(_reason(error))) from error


def _no_java(address: str) -> Problem:
    return Problem("java_missing", field="data.spark_address", given=address)


def _unreachable(address: str) -> Callable[[str], Problem]:
    return lambda reason: Problem(
        "spark_unreachable", field="data.spark_address", given=address, values={"reason": reason}
    )


def _no_table(name: str, file: Path) -> Callable[[str], Problem]:
    return lambda reason: Problem("spark_no_table", file.as_posix(), name, values={"reason": reason})


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _schema(table: Table) -> str:
    """Return a table's columns as Spark declares them."""
    return ", ".join(f"`{column.name}` {_TYPES.get(column.kind.sql, column.kind.sql)}" for column in table.columns)


def _string(quoted: str) -> str:
    r"""Return a string as Spark SQL reads it, which takes a backslash for the beginning of another character.

    >>> print(_string(r"'a\b'"))
    'a\\b'
    """
    return quoted.replace("\\", "\\\\")


def _moment(value: dt.datetime) -> str:
    """Return a wall time as Spark SQL writes it; as a parameter it would be moved into this machine's zone.

    >>> _moment(dt.datetime(2027, 1, 31, 8))
    "TIMESTAMP_NTZ '2027-01-31 08:00:00'"
    """
    return f"TIMESTAMP_NTZ '{value.isoformat(sep=' ')}'"
