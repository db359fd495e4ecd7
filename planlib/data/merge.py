"""New rows and the tables of earlier loads become the tables of this load.

A row is replaced by the row of the same key from a later file. Tables whose payloads complete each other (`merged`)
take each column from the latest file that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.data import store
from planlib.data.derive import derived
from planlib.data.engine import literal
from planlib.data.forgotten import Forgotten
from planlib.data.ledger import Entry
from planlib.data.schema import LINEAGE, TABLES, Table
from planlib.data.shape import identifiers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def merge(
    db: DuckDBPyConnection,
    root: Path,
    staged: Iterable[str],
    old: Mapping[str, Path],
    entries: Iterable[Entry],
    emptied: Iterable[str],
    left_out: Forgotten,
) -> dict[str, dict[str, object] | None]:
    """Make the tables that change; return for each its file and number of rows, None when nothing is left.

    Args:
        db: database with the staged rows as `s_<table>`.
        root: the data folder.
        staged: tables with staged rows.
        old: tables of earlier loads that are built on.
        entries: all raw files, for their order.
        emptied: tables whose earlier rows are all left out.
        left_out: whose rows must not come back.
    """
    _rank(db, entries)
    changed = {*staged, *emptied}
    finishing = derived()
    changed |= {name for name, how in finishing.items() if changed & set(how.needs)}
    wanted = {need for name in changed if name in finishing for need in (*finishing[name].needs, name)}
    for name in wanted | changed:
        _base(db, TABLES[name], name in set(staged), old.get(name))
    made: dict[str, dict[str, object] | None] = {}
    for name in [*finishing, *sorted(set(TABLES) - set(finishing))]:
        if name not in changed:
            if name in wanted and name in finishing:
                db.execute(f"CREATE VIEW {name} AS SELECT * FROM b_{name}")
            continue
        table = TABLES[name]
        columns = ", ".join(f'CAST("{c.name}" AS {c.kind.sql}) AS "{c.name}"' for c in table.columns)
        sql = f"SELECT {columns} FROM ({finishing[name].sql if name in finishing else f'SELECT * FROM b_{name}'})"
        if condition := left_out.conditions(name):
            sql = f"SELECT * FROM ({sql}) WHERE NOT ({condition})"
        made[name] = _write(db, root, table, sql)
    return made


def _rank(db: DuckDBPyConnection, entries: Iterable[Entry]) -> None:
    """Register the order of files: file_no, rank, pulled_at."""
    ordered = sorted(entries, key=lambda entry: entry.order)
    rows = [(entry.number, rank, entry.pulled_at) for rank, entry in enumerate(ordered)]
    db.execute("CREATE OR REPLACE TABLE files (file_no BIGINT, rank BIGINT, pulled_at TIMESTAMP)")
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        values = ", ".join(f"({number}, {rank}, TIMESTAMP {literal(pulled)})" for number, rank, pulled in some)
        db.execute(f"INSERT INTO files VALUES {values}")


_ROWS = 1000


def _base(db: DuckDBPyConnection, table: Table, is_staged: bool, old: Path | None) -> None:
    """Define `b_<table>`: its rows of all files, one a key."""
    names = [column.name for column in table.columns]
    columns = identifiers(names)
    parts = []
    if is_staged:
        own = identifiers([name for name in names if name not in LINEAGE])
        parts.append(
            f"SELECT {own}, s.source, f.pulled_at, s.file_no, f.rank FROM s_{table.name} s JOIN files f USING (file_no)"
        )
    if old is not None:
        parts.append(
            f"SELECT {', '.join(f'o.{_q(n)}' for n in names)}, COALESCE(f.rank, -1) AS rank "
            f"FROM read_parquet({literal(old)}) o LEFT JOIN files f USING (file_no)"
        )
    if not parts:
        db.execute(f"CREATE TABLE b_{table.name} ({table.ddl()})")
    elif not is_staged:
        db.execute(f"CREATE VIEW b_{table.name} AS SELECT {columns} FROM read_parquet({literal(old)})")
    elif table.merged:
        db.execute(f"CREATE TABLE b_{table.name} AS {_completed(table, ' UNION ALL '.join(parts))}")
    else:
        db.execute(f"CREATE VIEW b_{table.name} AS SELECT {columns} FROM ({_newest(db, table, parts)})")


def _completed(table: Table, rows: str) -> str:
    keys = identifiers(list(table.key))
    names = [column.name for column in table.columns]
    taken = ", ".join(
        _q(name) if name in table.key else f"max_by({_q(name)}, ROW(rank, {_q(name)})) AS {_q(name)}" for name in names
    )
    return f"SELECT {taken} FROM ({rows}) GROUP BY {keys}"


def _newest(db: DuckDBPyConnection, table: Table, parts: list[str]) -> str:
    """Return SQL of the newest row of every key; work is done only for keys that come more than once."""
    keys = identifiers(list(table.key))
    rows = " UNION ALL ".join(parts)
    double = f"d_{table.name}"
    alike = f"SELECT hash({keys}) AS h FROM ({rows}) GROUP BY h HAVING COUNT(*) > 1"
    if not db.execute(f"SELECT COUNT(*) FROM ({alike})").fetchone()[0]:
        return rows
    db.execute(f"CREATE TABLE {double} AS SELECT {keys} FROM ({rows}) GROUP BY {keys} HAVING COUNT(*) > 1")
    order = ", ".join(f"{_q(c.name)} DESC NULLS LAST" for c in table.columns if c.name not in table.key)
    return (
        f"SELECT * FROM ({rows}) ANTI JOIN {double} USING ({keys}) UNION ALL "
        f"SELECT * FROM ({rows}) SEMI JOIN {double} USING ({keys}) "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY rank DESC, {order}) = 1"
    )


def _write(db: DuckDBPyConnection, root: Path, table: Table, sql: str) -> dict[str, object] | None:
    """Write a table as Parquet, sorted, and leave it readable under its own name."""
    order = identifiers([*([table.day] if table.day else []), *table.key])
    made = store.tidy_dir(root) / f".{table.name}.parquet"
    db.execute(f"COPY ({sql} ORDER BY {order}) TO {literal(made)} (FORMAT parquet, COMPRESSION snappy)")
    rows = db.execute(f"SELECT COUNT(*) FROM read_parquet({literal(made)})").fetchone()[0]
    if not rows:
        made.unlink()
        db.execute(f"CREATE OR REPLACE VIEW {table.name} AS SELECT * FROM b_{table.name}")
        return None
    name = store.keep(root, table.name, made)
    path = store.tidy_dir(root) / name
    db.execute(f"CREATE OR REPLACE VIEW {table.name} AS SELECT * FROM read_parquet({literal(path)})")
    return {"file": name, "rows": rows}


def _q(name: str) -> str:
    return f'"{name}"'
