"""Where the tidy tables lie, and how a load replaces them all at once.

data/tidy/manifest.json names one Parquet file for every table. Files are named by their content and never changed;
a load writes new ones beside them and then replaces the manifest, in one rename. Readers see the tables of one load,
whole. Files that no manifest names any more are removed by the next load, so that a notebook that is reading them
can finish.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planlib.core.results import write_whole

TIDY = "tidy"
RAW = "raw"
SALT = "salt"
MANIFEST = "manifest.json"
SAMPLE = "SAMPLE"  # a file that marks a folder of the invented sample brand
VERSION = 1


def tidy_dir(root: str | Path) -> Path:
    """Return the folder of the tidy tables."""
    return Path(root) / TIDY


def raw_dir(root: str | Path) -> Path:
    """Return the folder of the raw files."""
    return Path(root) / RAW


def is_sample(root: str | Path) -> bool:
    """Return whether a data folder holds the invented sample brand."""
    return (Path(root) / SAMPLE).is_file()


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner can enter (where the system knows modes)."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    return folder


def read_manifest(root: str | Path) -> dict[str, Any]:
    """Return the manifest; an empty one when nothing was loaded yet or another version wrote it."""
    try:
        found = json.loads((tidy_dir(root) / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"version": VERSION, "tables": {}}
    return found if found.get("version") == VERSION else {"version": VERSION, "tables": {}}


def table_files(root: str | Path, manifest: Mapping[str, Any] | None = None) -> dict[str, Path]:
    """Return the Parquet file of each table that has rows."""
    tables = (manifest or read_manifest(root))["tables"]
    return {name: tidy_dir(root) / entry["file"] for name, entry in tables.items()}


def commit(root: str | Path, manifest: Mapping[str, Any]) -> None:
    """Make a manifest the current one."""
    text = json.dumps({"version": VERSION, **manifest}, ensure_ascii=False, indent=1, sort_keys=True)
    write_whole(tidy_dir(root) / MANIFEST, text + "\n")


def keep(root: str | Path, name: str, made: Path) -> str:
    """Give a new Parquet file the name of its content; return the name."""
    with open(made, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    final = tidy_dir(root) / f"{name}-{digest[:12]}.parquet"
    os.replace(made, final)
    return final.name


def sweep(root: str | Path, *manifests: Mapping[str, Any]) -> None:
    """Remove the table files that none of the manifests names."""
    named = {path.name for manifest in manifests for path in table_files(root, manifest).values()}
    _remove(path for path in tidy_dir(root).glob("*-*.parquet") if path.name not in named)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
