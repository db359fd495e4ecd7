"""What a notebook leaves behind: one language-free results.json with its tables and charts.

Decks, tests and later notebooks read only this. Numbers stand at full precision with unit, interval, n and
method; words are references to locale keys, filled with the numbers when somebody reads them.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

SCHEMA = 1
STATUSES = ("on_track", "at_risk", "off_track", "not_measured")

_REQUIRED = {
    "schema", "notebook", "seed", "as_of", "plan", "inputs", "metrics", "checks", "findings", "tables",
    "charts", "pages", "decision", "versions",
}  # fmt: skip


def load(path: str | Path) -> dict[str, Any]:
    """Return the results in `path`.

    Raises:
        InputError: no such file, not JSON, or of another schema.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(Problem("no_results", file=str(path))) from None
    except ValueError as error:  # not UTF-8, or not JSON
        raise InputError(Problem("bad_results", file=str(path), given=str(error))) from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not set(found) >= _REQUIRED:
        given = found.get("schema") if isinstance(found, dict) else type(found).__name__
        raise InputError(Problem("bad_results", file=str(path), given=given))
    return found


def write(path: str | Path, results: Mapping[str, Any]) -> None:
    """Write the results whole or not at all; NaN and infinity are refused.

    Raises:
        ValueError: a number is not finite, or a field of the schema is missing.
    """
    missing = _REQUIRED - set(results)
    if missing:
        raise ValueError(f"results lack {sorted(missing)}")
    content = json.dumps(results, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
    write_whole(path, content + "\n")


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file through a neighbour, so that readers never see half of it; text in UTF-8 with plain line feeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def metric(results: Mapping[str, Any], metric_id: str) -> dict[str, Any]:
    """Return one recorded metric.

    Raises:
        KeyError: the notebook recorded no such metric.
    """
    for found in results["metrics"]:
        if found["id"] == metric_id:
            return found
    raise KeyError(f"{results['notebook']} recorded no metric {metric_id!r}")


def text(words: Words, results: Mapping[str, Any], ref: Mapping[str, Any]) -> str:
    """Return the sentence that `ref` names, its numbers taken from the results.

    Args:
        words: the language.
        results: where metric ids are looked up.
        ref: {"text": key, "values": {placeholder: value}}, a value being a metric id of the results,
            {"metric": id}, {"words": key}, {"bilingual": {...}}, {"date": ISO} or {"month_date": "YYYY-MM"}.

    Raises:
        KeyError: an unknown key, placeholder or metric.
    """
    values = {name: _value(words, results, value) for name, value in ref.get("values", {}).items()}
    return words.text(ref["text"], **values)


def _value(words: Words, results: Mapping[str, Any], value: str | Mapping[str, Any]) -> str:
    if isinstance(value, str):
        found = metric(results, value)
        return words.number(found["value"], found["unit"], signed=found.get("signed", False))
    ((kind, content),) = value.items()
    if kind == "metric":
        return words.metric(content)
    if kind == "words":
        return words.text(content)
    if kind == "bilingual":
        return words.pick(content)
    if kind == "date":
        return words.date(dt.date.fromisoformat(content))
    if kind == "month_date":
        return words.month(dt.date.fromisoformat(f"{content}-01"))
    raise KeyError(f"unknown kind of value {kind!r}")


def write_table(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame as Parquet; the index is not kept."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _connection().cursor() as db:
        db.register("frame", frame.reset_index(drop=True))
        target = str(path).replace("'", "''")
        db.execute(f"COPY (SELECT * FROM frame) TO '{target}' (FORMAT parquet)")


def read_table(directory: str | Path, table_id: str) -> list[dict[str, Any]]:
    """Return the rows of the table `table_id` that the notebook in `directory` recorded."""
    source = str(Path(directory) / "tables" / f"{table_id}.parquet").replace("'", "''")
    with _connection().cursor() as db:
        found = db.execute(f"SELECT * FROM '{source}'")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One for all tables: to open one takes ten times as long as to read a page's table."""
    import duckdb

    return duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})
