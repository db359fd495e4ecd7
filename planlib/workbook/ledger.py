"""The record of a plan's runs and notebooks: when, how long, how they ended, and hashes (SQLite).

Each plan has a ledger of its own, `<out_root>/<plan id>/ledger.sqlite`. It is history and index, never the truth
about results: a folder counts only when its files still have the hashes written here. All times are UTC; folders
are relative to the output folder. Earlier versions kept one ledger for all plans in the output folder: a plan's rows
are copied out of it when its own is made, and the old file stays as it is.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from planlib.workbook.failures import RunError

FILE = "ledger.sqlite"
LATEST = "latest"
_BUSY_SECONDS = 30.0
_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL, plan_sha256 TEXT NOT NULL, locale TEXT NOT NULL,
    started TEXT NOT NULL, ended TEXT, seconds REAL, status TEXT NOT NULL, exit_code INTEGER, folder TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS steps (
    run_id TEXT NOT NULL REFERENCES runs (run_id), notebook TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
    key TEXT, started TEXT, ended TEXT, seconds REAL, cells_seconds REAL, exit_code INTEGER,
    results_sha256 TEXT, folder_sha256 TEXT, needs_sha256 TEXT, folder TEXT, reused_from TEXT, peak_bytes INTEGER,
    PRIMARY KEY (run_id, notebook)
);
CREATE INDEX IF NOT EXISTS steps_by_key ON steps (key);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `status`: running, done, failed, interrupted or killed; `seconds` is wall time."""

    run_id: str
    plan_id: str
    plan_sha256: str
    locale: str
    started: str
    ended: str | None = None
    seconds: float | None = None
    status: str = "running"
    exit_code: int | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One notebook of a run. `status`: done, reused, failed or skipped.

    `key` is the hash of what the notebook depends on (None: must not be used again), `needs_sha256` that of
    the results it read of other notebooks, `folder_sha256` that of every file it left. `peak_bytes` is the most
    memory that its worker and its kernel have held.
    """

    run_id: str
    notebook: str
    status: str
    reason: str | None = None
    key: str | None = None
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    cells_seconds: float | None = None
    exit_code: int | None = None
    results_sha256: str | None = None
    folder_sha256: str | None = None
    needs_sha256: str | None = None
    folder: str | None = None
    reused_from: str | None = None
    peak_bytes: int | None = None


class Ledger:
    """The ledger of a plan; open it with `with Ledger(plan_dir) as ledger`.

    Args:
        plan_dir: `<out_root>/<plan id>`.
    """

    def __init__(self, plan_dir: str | Path):
        self.root = Path(plan_dir)
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Ledger:
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / FILE
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            os.replace(path, _free_name(path))
            self._db = _open(path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def start(self, row: RunRow) -> None:
        """Record that a run has begun."""
        with self._writing() as db:
            _insert(db, "runs", row)

    def record(self, row: StepRow) -> None:
        """Record how a notebook ended; a second record of the same step takes the place of the first."""
        with self._writing() as db:
            _insert(db, "steps", row)

    def finish(
        self, run_id: str, *, status: str, exit_code: int | None, ended: str, seconds: float | None = None
    ) -> None:
        """Record how a run ended."""
        with self._writing() as db:
            db.execute(
                "UPDATE runs SET status = ?, exit_code = ?, ended = ?, seconds = ? WHERE run_id = ?",
                (status, exit_code, ended, seconds, run_id),
            )

    def runs(self, plan_id: str | None = None, *, status: str | None = None, limit: int = -1) -> list[RunRow]:
        """Return runs, newest first; `limit` below zero means all."""
        found = self._reading().execute(
            "SELECT * FROM runs WHERE (?1 IS NULL OR plan_id = ?1) AND (?2 IS NULL OR status = ?2)"
            " ORDER BY run_id DESC LIMIT ?3",
            (plan_id, status, limit),
        )
        return [RunRow(**row) for row in found]

    def steps(self, run_id: str) -> list[StepRow]:
        """Return the steps of a run in the order in which they were recorded."""
        found = self._reading().execute("SELECT * FROM steps WHERE run_id = ? ORDER BY rowid", (run_id,))
        return [StepRow(**row) for row in found]

    def reusable(self, notebook: str, key: str) -> list[StepRow]:
        """Return steps of whole runs with this key, newest first. Whether their files still stand is not asked."""
        found = self._reading().execute(
            "SELECT steps.* FROM steps JOIN runs USING (run_id) WHERE steps.notebook = ? AND steps.key = ?"
            " AND steps.status IN ('done', 'reused') AND runs.status = 'done' ORDER BY run_id DESC",
            (notebook, key),
        )
        return [StepRow(**row) for row in found]

    def mean_seconds(self, *, last: int = 5) -> dict[str, float]:
        """Return each notebook's mean duration over its last executions."""
        found = self._reading().execute(
            "SELECT notebook, avg(seconds) AS mean FROM (SELECT notebook, seconds, row_number() OVER"
            " (PARTITION BY notebook ORDER BY run_id DESC) AS age FROM steps WHERE status = 'done')"
            " WHERE age <= ? GROUP BY notebook",
            (last,),
        )
        return {row["notebook"]: row["mean"] for row in found}

    def peak_bytes(self, *, last: int = 50) -> int | None:
        """Return the most memory that a worker with its kernel held over the last executions; None for none known."""
        found = self._reading().execute(
            "SELECT max(peak_bytes) AS peak FROM (SELECT peak_bytes FROM steps WHERE status = 'done'"
            " ORDER BY run_id DESC LIMIT ?)",
            (last,),
        )
        return found.fetchone()["peak"]

    def file_sha256(self, path: Path) -> str:
        """Return the hash of a file, read again only when its size or modification time changed.

        Raises:
            OSError: the file cannot be read.
        """
        found = path.stat()
        state = {"path": str(path), "size": found.st_size, "mtime_ns": found.st_mtime_ns}
        known = self._reading().execute(
            "SELECT sha256 FROM files WHERE path = :path AND size = :size AND mtime_ns = :mtime_ns", state
        )
        row = known.fetchone()
        if row:
            return row["sha256"]
        digest = sha256_file(path)
        with self._writing() as db:
            db.execute("REPLACE INTO files VALUES (:path, :size, :mtime_ns, :sha256)", state | {"sha256": digest})
        return digest

    def _reading(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the ledger is not open")
        return self._db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        db = self._reading()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def recorded_runs(out_root: str | Path, *, limit: int) -> list[RunRow]:
    """Return the last runs of all plans of an output folder, newest first."""
    out = Path(out_root)
    own = sorted(path.parent for path in out.glob(f"*/{FILE}"))
    found: list[RunRow] = []
    for plan_dir in own:
        with Ledger(plan_dir) as ledger:
            found += ledger.runs(limit=limit)
    found += [row for row in _of_shared(out)[0] if out / row.plan_id not in own]  # the others' rows were copied
    return sorted(found, key=lambda row: row.run_id, reverse=True)[:limit]


def damaged(plan_dir: str | Path) -> list[Path]:
    """Return the damaged ledgers of a plan that were put aside, oldest first."""
    return sorted(Path(plan_dir).glob(f"{FILE}.broken*"))


def _free_name(path: Path) -> Path:
    """Return where a damaged ledger goes: no earlier one is written over."""
    number = len(damaged(path.parent))
    return path.with_name(f"{FILE}.broken" + (f"-{number + 1}" if number else ""))


def latest_run(plan_dir: str | Path) -> Path | None:
    """Return the folder of a plan's newest whole run, or None.

    Args:
        plan_dir: `<out_root>/<plan id>`.
    """
    plan_dir = Path(plan_dir)
    try:
        run_id = (plan_dir / LATEST).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = plan_dir / run_id
    inside = run_id and Path(run_id).name == run_id and run_id not in (".", "..")
    return folder if inside and folder.is_dir() else None


def newest_run_with(plan_dir: str | Path, notebook: str) -> Path | None:
    """Return the folder of a plan's newest whole run that a notebook took part in, or None.

    A review runs few notebooks, and its run is a plan's latest too.
    """
    runs = (path.parent.parent for path in Path(plan_dir).glob(f"*/{notebook}/results.json"))
    whole = [run for run in runs if (run / "manifest.json").is_file()]
    return max(whole, key=lambda run: run.name, default=None)


def now() -> str:
    """Return the moment as the ledger writes it: UTC to the second."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256_file(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        db.row_factory = _as_dict
        version = db.execute("PRAGMA user_version").fetchone()["user_version"]
        if version > _VERSION:
            raise RunError("ledger_newer", file=path, version=version, known=_VERSION)
        if version < _VERSION:
            _bring_up(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _bring_up(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables of this version, whole or not at all: new ones, or those of an earlier version widened."""
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()["user_version"]
    if version < _VERSION:
        if version == 1:
            db.execute("ALTER TABLE steps ADD COLUMN peak_bytes INTEGER")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            db.execute(statement)
        if version == 0:
            runs, steps = _of_shared(path.parent.parent, path.parent.name)
            for table, rows in (("runs", runs), ("steps", steps)):
                for row in rows:
                    _insert(db, table, row)
        db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute("COMMIT")


def _of_shared(out_root: Path, plan_id: str | None = None) -> tuple[list[RunRow], list[StepRow]]:
    """Return a plan's rows of the ledger that earlier versions kept for all plans; None for every plan's."""
    path = out_root / FILE
    if not path.is_file():
        return [], []
    shared = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True)
    try:
        shared.row_factory = _as_dict
        runs = shared.execute("SELECT * FROM runs WHERE ?1 IS NULL OR plan_id = ?1", (plan_id,)).fetchall()
        steps = shared.execute(
            "SELECT steps.* FROM steps JOIN runs USING (run_id) WHERE ?1 IS NULL OR plan_id = ?1 ORDER BY steps.rowid",
            (plan_id,),
        ).fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return [], []  # damaged or not ours: it stays where it is
    finally:
        shared.close()
    return [RunRow(**row) for row in runs], [StepRow(**row) for row in steps]


def _as_dict(cursor: sqlite3.Cursor, row: tuple) -> dict[str, object]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _insert(db: sqlite3.Connection, table: str, row: RunRow | StepRow) -> None:
    values: Mapping[str, object] = {field.name: getattr(row, field.name) for field in fields(row)}
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    db.execute(f"REPLACE INTO {table} ({names}) VALUES ({marks})", values)
