"""How far the tidy tables can be relied on: one row a table, and the scorecard of the whole.

Completeness and timeliness count against what was due: every day between a table's first and the newest day of all
daily tables is due for a table with a row a day; a file is timely when it was pulled within two days of the last day
that it covers. Label accuracy and precision of identities come from spot checks (table audits).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.core.intervals import wilson
from planlib.data.engine import Engine, open_tables
from planlib.data.ledger import ASIDE, LOADED, Entry
from planlib.data.load import read_ledger
from planlib.data.schema import LINEAGE, TABLES, Table

if TYPE_CHECKING:
    import pandas as pd

    from planlib.plan.model import Data

TIMELY_DAYS = 2  # statistics of a day are final on the next one; a pull is due by the end of the day after
GOALS = {"completeness": 0.95, "timeliness": 1.0, "label_accuracy": 0.95, "tag_coverage": 0.90}


@dataclass(frozen=True, slots=True)
class TableQuality:
    """The quality of one table.

    Args:
        table: its name.
        rows: how many it has; 0 when nothing was loaded.
        first_day, last_day: period of its rows; None without dates.
        days_due, days_missing: days on which a row was due, and on which there is none; None for other tables.
        duplicates: rows that a file repeated or a later file replaced; rows made from other tables do not count.
            None where later days are left away,
            for tables whose payloads complete each other, and for those that no file gives.
        left_out: rows that files hold and tables do not: of forgotten people, or of days that were purged.
        empty_share: share of the values that may be empty and are; None without rows.
        completeness: share of due days that are there; None where no days are due.
        late_files, files: files pulled too late, and files in all.
        timeliness: share of files pulled in time; None without dated files.
    """

    table: str
    rows: int
    first_day: dt.date | None
    last_day: dt.date | None
    days_due: int | None
    days_missing: int | None
    duplicates: int | None
    left_out: int
    empty_share: float | None
    completeness: float | None
    late_files: int
    files: int
    timeliness: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of the scorecard.

    Args:
        metric: completeness, timeliness, label_accuracy, tag_coverage, usable_tags, identity_match, identity_precision,
            files_read.
        value: a share from 0 to 1; None when it cannot be told.
        n: what it is a share of.
        low, high: 95 % Wilson interval where it comes from spot checks.
        goal: what it has to reach; None where nothing is set.
        reason: id of why it cannot be told; "" else.
    """

    metric: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    goal: float | None = None
    reason: str = ""

    @property
    def met(self) -> bool | None:
        """Return whether the goal is reached; None where there is no goal or no value."""
        return None if self.value is None or self.goal is None else self.value >= self.goal


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of a data folder: tables that have rows, scorecard, and files set aside."""

    tables: tuple[TableQuality, ...]
    scores: tuple[Score, ...]
    aside: tuple[Entry, ...]

    def score(self, metric: str) -> Score:
        """Return one figure of the scorecard."""
        return next(score for score in self.scores if score.metric == metric)

    def frame(self) -> pd.DataFrame:
        """Return the tables as a data frame, a row each."""
        import pandas as pd

        names = TableQuality.__dataclass_fields__
        return pd.DataFrame([{name: getattr(table, name) for name in names} for table in self.tables], columns=[*names])


def assess(root: str | Path, data: Data | None = None) -> Quality:
    """Assess the tidy tables of a data folder.

    Args:
        root: the folder.
        data: the plan's section that names the engine and the last day that counts; without it, DuckDB and all days.
    """
    until = dt.date.fromisoformat(data.as_of) if data and data.as_of else None
    entries = [entry for entry in read_ledger(root) if until is None or _told_on(entry) <= until.isoformat()]
    with open_tables(data, root) as engine:
        newest = _newest_day(engine, until)
        tables = tuple(_table(engine, TABLES[name], entries, newest, until) for name in engine.loaded)
        scores = (_completeness(tables), _timeliness(tables), *_labels(engine), *_identities(engine), _files(entries))
    return Quality(tables, scores, tuple(entry for entry in entries if entry.status == ASIDE))


def incomplete(engine: Engine, *, until: dt.date | None = None) -> dict[str, float]:
    """Return the tables that are due a row a day and lack more days than the goal allows: table -> completeness.

    Args:
        until: the last day that counts; None for all days.
    """
    newest = _newest_day(engine, until)
    daily = [name for name in engine.loaded if TABLES[name].daily]
    shares = {name: _table(engine, TABLES[name], [], newest, until).completeness for name in daily}
    return {name: share for name, share in shares.items() if share is not None and share < GOALS["completeness"]}


def _newest_day(engine: Engine, until: dt.date | None) -> dt.date | None:
    days = [
        engine.query(f'SELECT MAX("{table.day}") AS day FROM {name}').one()["day"]
        for name, table in TABLES.items()
        if table.daily and name in engine.loaded
    ]
    found = max((day for day in days if day), default=None)
    return min(found, until) if found and until else found


def _told_on(entry: Entry) -> str:
    """Return the last day that a file tells of, else the day on which it was pulled."""
    return entry.last_day or entry.pulled_at[:10]


def _table(
    engine: Engine, table: Table, entries: list[Entry], newest: dt.date | None, until: dt.date | None
) -> TableQuality:
    own = [c.name for c in table.columns if c.name not in LINEAGE and c.nullable]
    filled = ", ".join(f'COUNT("{name}") AS "n_{name}"' for name in own)
    day = f'CAST("{table.day}" AS DATE)' if table.day else "CAST(NULL AS DATE)"
    sql = (
        f"SELECT COUNT(*) AS n, SUM(CASE WHEN source = 'derived' THEN 0 ELSE 1 END) AS given, "
        f"MIN({day}) AS first, MAX({day}) AS last, COUNT(DISTINCT {day}) AS days"
    )
    found = engine.query(f"{sql}{', ' + filled if filled else ''} FROM {table.name}{_up_to(day, table, until)}").one()
    rows, first, last = found["n"], found["first"], found["last"]
    due = (max(newest, last) - first).days + 1 if table.daily and first and newest else None
    values = rows * len(own)
    empty = 1 - sum(found[f"n_{name}"] for name in own) / values if values else None
    read = [entry for entry in entries if entry.status == LOADED and table.name in entry.rows]
    dated = [entry for entry in read if entry.last_day] if table.daily else []
    told = sum(entry.rows[table.name] for entry in read)
    left_out = sum(entry.left_out.get(table.name, 0) for entry in read)
    late = sum(_days_late(entry) > 0 for entry in dated)
    return TableQuality(
        table=table.name,
        rows=rows,
        first_day=first,
        last_day=last,
        days_due=due,
        days_missing=None if due is None else due - found["days"],
        duplicates=None if table.merged or not read or until else told - left_out - int(found["given"]),
        left_out=left_out,
        empty_share=empty,
        completeness=found["days"] / due if due else None,
        late_files=late,
        files=len(read),
        timeliness=1 - late / len(dated) if dated else None,
    )


def _up_to(day: str, table: Table, until: dt.date | None) -> str:
    """Return the condition that leaves away what came after a day."""
    return f" WHERE {day} IS NULL OR {day} <= DATE '{until}'" if until and table.day else ""


def _days_late(entry: Entry) -> int:
    pulled = dt.date.fromisoformat(entry.pulled_at[:10])
    return (pulled - dt.date.fromisoformat(entry.last_day)).days - TIMELY_DAYS


def _completeness(tables: tuple[TableQuality, ...]) -> Score:
    due = sum(table.days_due or 0 for table in tables)
    missing = sum(table.days_missing or 0 for table in tables)
    return _share("completeness", due - missing, due)


def _timeliness(tables: tuple[TableQuality, ...]) -> Score:
    dated = [table for table in tables if table.timeliness is not None]
    files = sum(table.files for table in dated)
    return _share("timeliness", files - sum(table.late_files for table in dated), files)


def _labels(engine: Engine) -> tuple[Score, ...]:
    """Return tag accuracy (spot checks), tag coverage, and their product: the share of tags that can be used."""
    accuracy = _audited(engine, "tag", "label_accuracy")
    found = engine.query(
        "SELECT COUNT(*) AS n, COUNT(t.external_hid) AS tagged FROM customers c "
        "LEFT JOIN (SELECT DISTINCT external_hid FROM customer_tags) t ON t.external_hid = c.external_hid"
    ).one()
    coverage = _share("tag_coverage", found["tagged"], found["n"])
    known = accuracy.value is not None and coverage.value is not None
    usable = Score(
        "usable_tags",
        accuracy.value * coverage.value if known else None,
        found["n"],
        reason="" if known else accuracy.reason or coverage.reason,
    )
    return accuracy, coverage, usable


def _identities(engine: Engine) -> tuple[Score, ...]:
    """Return the share of customers whose unionid is known, and the precision of matches that were checked."""
    found = engine.query(
        "SELECT COUNT(*) AS n, SUM(CASE WHEN m.unionid_hid <> '' THEN 1 ELSE 0 END) AS matched "
        "FROM customers c LEFT JOIN id_map m ON m.external_hid = c.external_hid"
    ).one()
    return _share("identity_match", int(found["matched"] or 0), found["n"]), _audited(
        engine, "identity", "identity_precision"
    )


def _audited(engine: Engine, kind: str, metric: str) -> Score:
    sql = (
        "SELECT COUNT(*) AS n, SUM(CASE WHEN correct THEN 1 ELSE 0 END) AS correct FROM audits WHERE audit_kind = :kind"
    )
    found = engine.query(sql, {"kind": kind}).one()
    if not found["n"]:
        return Score(metric, None, 0, goal=GOALS.get(metric), reason="no_spot_checks")
    correct = int(found["correct"])
    interval = wilson(correct, found["n"])
    share = correct / found["n"]
    return Score(metric, share, found["n"], float(interval.low), float(interval.high), GOALS.get(metric))


def _files(entries: list[Entry]) -> Score:
    return _share("files_read", sum(entry.status != ASIDE for entry in entries), len(entries))


def _share(metric: str, part: int, whole: int) -> Score:
    goal = GOALS.get(metric)
    return Score(metric, part / whole if whole else None, whole, goal=goal, reason="" if whole else "no_rows")
