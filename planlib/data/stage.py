"""The workbench of a load: records staged as lines of JSON, turned into typed rows by DuckDB, file by file."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.core.errors import Problem
from planlib.data import ids, shape
from planlib.data.engine import connect, literal
from planlib.data.schema import LINEAGE, TABLES
from planlib.data.sources import SOURCES, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from planlib.data.columns import Batch
    from planlib.data.forgotten import Forgotten

FLUSH_BYTES = 64 * 2**20
MAX_FLAWS = 20
_LINE = re.compile(r"in line (\d+)")

Flaw = tuple[str, str, str, "str | None"]  # source, table, column (with ! where a value is missing), raw value


@dataclass(slots=True)
class _Sheet:
    """Columns of one long sheet that wait to be inserted."""

    source: Source
    staged: shape.Staged
    file: io.TextIOBase


class Stage:
    """Typed rows of the files of one load, in a database of its own that is thrown away afterwards.

    Args:
        folder: an empty folder for it.
        key: the key that ids are hashed with.
    """

    def __init__(self, folder: Path, key: bytes):
        self.folder = folder
        self.db: DuckDBPyConnection = connect(spill=folder / "spill")
        ids.teach(self.db, key)
        self.only: frozenset[str] | None = None
        self.flaws: dict[int, list[Flaw]] = {}
        self.broken: dict[int, Problem] = {}
        self._made: set[str] = set()
        self._unique: set[str] = set()
        self._open: dict[str, io.TextIOBase] = {}
        self._waiting: dict[str, set[int]] = {}
        self._sheet: _Sheet | None = None
        self._bytes = 0

    def add(self, source: Source, file_no: int, context: Mapping[str, str], body: str) -> None:
        """Stage one record, a JSON object on one line."""
        if not self.wanted(source):
            return
        file = self._open.get(source.name)
        if file is None:
            file = open(self.folder / f"{source.name}.ndjson", "w", encoding="utf-8", newline="\n")  # noqa: SIM115
            self._open[source.name] = file
        with_ = _dumped(tuple((name, context[name]) for name in _asked(source.name) if name in context))
        rest = body.lstrip()[1:]
        comma = "" if rest.lstrip().startswith("}") else ","
        self._bytes += file.write(f'{{"{shape.FILE}":{file_no},"{shape.WITH}":{with_}{comma}{rest}\n')
        self._waiting.setdefault(source.name, set()).add(file_no)
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def add_columns(
        self, source: Source, file_no: int, context: Mapping[str, str], columns: Mapping[str, Sequence[str]]
    ) -> None:
        """Stage rows of one sheet as columns of text, "" for no value."""
        if not self.wanted(source):
            return
        names = tuple(columns)
        if self._sheet is not None and (self._sheet.staged.file_no, self._sheet.staged.cells) != (file_no, names):
            self.flush()
        if self._sheet is None:
            path = self.folder / "sheet.csv"
            staged = shape.Staged(path.as_posix(), shape.CSV, file_no=file_no, context=context, cells=names)
            self._sheet = _Sheet(source, staged, open(path, "w", encoding="utf-8", newline=""))  # noqa: SIM115
        sheet = self._sheet
        if any("\n" in text or "\r" in text for text in map("".join, columns.values())):
            sheet.staged = dataclasses.replace(sheet.staged, has_breaks=True, longest=shape.MAX_LINE)
        before = sheet.file.tell()
        rows = zip(*columns.values(), strict=True)
        csv.writer(sheet.file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        self._bytes += sheet.file.tell() - before
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def wanted(self, source: Source) -> bool:
        """Return whether a table that is being made takes rows from a source."""
        return any(self.only is None or each.table in self.only for each in source.outs)

    def flush(self) -> None:
        """Turn what is staged into rows. When the reader refuses a file, the others go on without it."""
        if self._sheet is not None:
            self._flush_sheet(self._sheet)
        for file in self._open.values():
            file.close()
        for name, numbers in self._waiting.items():
            path = self.folder / f"{name}.ndjson"
            try:
                self.insert(SOURCES[name], shape.Staged(path.as_posix()))
            except _reader_errors():
                self._one_by_one(SOURCES[name], path, numbers)
            path.unlink()
        self._open, self._waiting, self._bytes, self._sheet = {}, {}, 0, None

    def _flush_sheet(self, sheet: _Sheet) -> None:
        sheet.file.close()
        try:
            self.insert(sheet.source, sheet.staged)
        except _reader_errors() as error:
            self.broken[sheet.staged.file_no] = Problem("data_shape", given=reader_reason(error))
        Path(sheet.staged.path).unlink()

    def insert(self, source: Source, staged: shape.Staged) -> None:
        """Read staged records into the tables that their source fills, all of them or none."""
        try:
            self._insert(source, staged)
        except _reader_errors() as error:
            if not is_too_long(error):
                raise
            self._insert(source, dataclasses.replace(staged, longest=shape.MAX_LINE))

    def _insert(self, source: Source, staged: shape.Staged) -> None:
        outs = [each for each in source.outs if self.only is None or each.table in self.only]
        for each in outs:
            self._prepare(each.table)
            self._unique |= {each.table} if source.unique else set()
        self.db.execute("BEGIN")
        try:
            for each in outs:
                sql = f"SELECT *, {literal(source.name)} AS source FROM ({shape.rows_sql(source, each, staged)})"
                self.db.execute(f"INSERT INTO s_{each.table} BY NAME {sql}")
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def check(self) -> set[int]:
        """Find refused values and double rows; take the rows of those files away and return their numbers."""
        for table in sorted(self._made):
            found = self.db.execute(
                f"SELECT file_no, source, _bad, MIN(_raw) FROM s_{table} WHERE _bad IS NOT NULL "
                "GROUP BY ALL ORDER BY ALL"
            ).fetchall()
            for number, source, column, raw in found:
                self._note(number, (source, table, column, raw))
            if table in self._unique:
                for number, source, given in self._doubles(table):
                    self._note(number, (source, table, "=", given))
        refused = {*self.flaws, *self.broken}
        self.drop(refused)
        return refused

    def drop(self, numbers: Iterable[int]) -> None:
        """Take the rows of some files away."""
        listed = ", ".join(map(str, numbers))
        for table in self._made if listed else ():
            self.db.execute(f"DELETE FROM s_{table} WHERE file_no IN ({listed})")

    def rows(self) -> Iterator[tuple[str, int, int, object, object]]:
        """Yield table, file number, rows, first and last day of what is staged."""
        for table in sorted(self._made):
            day = f'CAST("{TABLES[table].day}" AS DATE)' if TABLES[table].day else "CAST(NULL AS DATE)"
            sql = f"SELECT file_no, COUNT(*), MIN({day}), MAX({day}) FROM s_{table} GROUP BY file_no ORDER BY file_no"
            yield from ((table, *row) for row in self.db.execute(sql).fetchall())

    def left_out(self, forgotten: Forgotten) -> Iterator[tuple[str, int, int]]:
        """Yield table, file number and how many staged rows are kept out of the tables."""
        for table in sorted(self._made):
            if condition := forgotten.conditions(table):
                sql = f"SELECT file_no, COUNT(*) FROM s_{table} WHERE {condition} GROUP BY file_no ORDER BY file_no"
                yield from ((table, *row) for row in self.db.execute(sql).fetchall())

    def scope(self, table: str, column: str, number: int) -> str:
        """Return the values of a column that a file has rows of, as one text."""
        sql = f'SELECT DISTINCT "{column}" FROM s_{table} WHERE file_no = {number} ORDER BY 1 LIMIT 1000'
        return ",".join(str(value) for (value,) in self.db.execute(sql).fetchall())

    def first_double(self, keys: Sequence[str], batches: Iterable[Batch]) -> int | None:
        """Return the line of the first row that differs from an earlier one of the same key; None without any.

        DuckDB keeps the rows, on disk when they are many.
        """
        path = self.folder / "double.csv"
        with open(path, "w", encoding="ascii", newline="\n") as file:
            for batch in batches:
                every = zip(*batch.columns.values(), strict=True)
                none = [""] * len(batch)
                key = zip(*(batch.columns.get(name, none) for name in keys), strict=True)
                file.writelines(
                    f"{line},{_digest(of)},{_digest(row)}\n"
                    for line, of, row in zip(batch.lines(), key, every, strict=True)
                )
        sql = (
            "SELECT MIN(line) FROM (SELECT line, rest, FIRST_VALUE(rest) OVER (PARTITION BY key ORDER BY line) AS was "
            f"FROM read_csv({literal(path)}, auto_detect=false, header=false, delim=',', "
            "columns={line: 'BIGINT', key: 'VARCHAR', rest: 'VARCHAR'})) WHERE rest <> was"
        )
        line = self.db.execute(sql).fetchone()[0]
        path.unlink()
        return line

    @property
    def tables(self) -> frozenset[str]:
        """Return the tables that have got rows."""
        return frozenset(self._made)

    def valid_json(self, text: str) -> bool:
        """Return whether a text is sound JSON."""
        return self.db.execute("SELECT json_valid($text)", {"text": text}).fetchone()[0]

    def close(self) -> None:
        """Let go of the database."""
        if self._sheet is not None:
            self._sheet.file.close()
        for file in self._open.values():
            file.close()
        self.db.close()

    def _prepare(self, table: str) -> None:
        if table not in self._made:
            self.db.execute(
                f"CREATE TABLE IF NOT EXISTS s_{table} ({TABLES[table].ddl()}, _bad VARCHAR, _raw VARCHAR)"
            )
            self._made.add(table)

    def _one_by_one(self, source: Source, path: Path, numbers: set[int]) -> None:
        """Insert each file's lines alone, so that only the one that the reader refuses is set aside."""
        starts = {f'{{"{shape.FILE}":{number},': number for number in numbers}
        single = path.with_suffix(".one")
        for start, number in starts.items():
            with open(path, encoding="utf-8", newline="\n") as lines, open(single, "w", encoding="utf-8") as one:
                one.writelines(line for line in lines if line.startswith(start))
            try:
                self.insert(source, shape.Staged(single.as_posix()))
            except _reader_errors() as error:
                self.broken[number] = Problem("data_shape", given=reader_reason(error))
        single.unlink(missing_ok=True)

    def _doubles(self, table: str) -> list[tuple[int, str, str]]:
        unique = [name for name, source in SOURCES.items() if source.unique]
        key = TABLES[table].key
        keys = shape.identifiers(list(key))
        columns = shape.identifiers([c.name for c in TABLES[table].columns if c.name not in LINEAGE])
        shown = " || ', ' || ".join(f"COALESCE(CAST(\"{name}\" AS VARCHAR), '')" for name in key)
        sql = (
            f"SELECT file_no, source, MIN({shown}) FROM (SELECT file_no, source, {keys} FROM s_{table} "
            f"WHERE _bad IS NULL AND source IN ({', '.join(map(literal, unique))}) "
            f"GROUP BY file_no, source, {keys} HAVING COUNT(*) > 1 AND COUNT(DISTINCT ROW({columns})) > 1) "
            "GROUP BY file_no, source ORDER BY file_no, source"
        )
        return self.db.execute(sql).fetchall()

    def _note(self, number: int, flaw: Flaw) -> None:
        noted = self.flaws.setdefault(number, [])
        if len(noted) < MAX_FLAWS:
            noted.append(flaw)


def _digest(cells: tuple[str, ...]) -> str:
    return hashlib.blake2b("\0".join(cells).encode(errors="surrogatepass"), digest_size=16).hexdigest()


@cache
def _asked(source: str) -> list[str]:
    return shape.context_names(SOURCES[source])


@lru_cache(maxsize=256)
def _dumped(told: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(told), ensure_ascii=False)


def reader_reason(error: Exception) -> str:
    """Return the first line of what DuckDB says, without the staged file's name."""
    text = re.sub(r'in file "[^"]*", ?', "", str(error).splitlines()[0])
    return text.partition(": ")[2][:160] or text[:160]


def is_too_long(error: Exception) -> bool:
    """Return whether DuckDB met a line longer than it was told."""
    return "maximum_object_size" in str(error) or "max_line_size" in str(error)


def reader_line(error: Exception) -> int | None:
    """Return the line that DuckDB names."""
    found = _LINE.search(str(error))
    return int(found[1]) if found else None


def _reader_errors() -> tuple[type[Exception], ...]:
    import duckdb

    return (duckdb.Error,)
