"""When a notebook need not run again: the key of a step, and whether the files of an earlier one still stand.

A key is the hash of everything that a notebook's results depend on and that is known before it runs: plan,
locale, its own source, the package's code, the environment, the tidy data and the keys of what it needs.
What it read besides is known afterwards: the files that its results list and the results of what it needs.
All of these are compared before a step is used again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import planlib
from planlib.core.results import SCHEMA
from planlib.workbook.graph import Graph
from planlib.workbook.ledger import Ledger, sha256_file
from planlib.workbook.source import Source

RESULTS = "results.json"
PACKAGE = Path(planlib.__file__).parent
_BULK = {".ttf", ".otf"}  # fonts are large and never edited: name and size tell them apart
_SKIPPED = {".pyc", ".pyo"}


def step_keys(graph: Graph, sources: Mapping[str, Source], *, surroundings: str) -> dict[str, str]:
    """Return the key of every notebook.

    Args:
        graph: the notebooks and their needs.
        sources: of every notebook.
        surroundings: hash of what all of them depend on, see `surroundings`.
    """
    keys: dict[str, str] = {}
    for notebook_id in graph.order():
        needs = {need: keys[need] for need in sorted(graph[notebook_id].needs)}
        keys[notebook_id] = _hash([notebook_id, sources[notebook_id].sha256, needs, surroundings])
    return keys


def surroundings(
    plan_sha256: str, *, locale: str, project_root: Path, data_root: str, ledger: Ledger, beside: Iterable[Path]
) -> str:
    """Return the hash of what every notebook depends on, whichever it is.

    Args:
        data_root: the plan's data folder.
        beside: files beside the plan that notebooks read, which need not be there: progress and baseline.
    """
    lock = project_root / "requirements.lock"
    tidy = project_root / data_root / "tidy"
    return _hash(
        {
            "plan": plan_sha256,
            "locale": locale,
            "schema": SCHEMA,
            "code": _code(PACKAGE),
            "lock": sha256_file(lock) if lock.is_file() else None,
            "python": [sys.implementation.name, platform.python_version(), sys.platform, platform.machine()],
            "packages": _packages(),
            "beside": {path.name: sha256_file(path) for path in beside if path.is_file()},
            "data": [[path.relative_to(tidy).as_posix(), ledger.file_sha256(path)] for path in _files(tidy)],
        }
    )


def needs_sha256(results_sha256: Mapping[str, str | None]) -> str:
    """Return the hash of the results that a notebook reads: notebook id -> hash of its results."""
    return _hash(dict(results_sha256))


def folder_sha256(folder: Path) -> str:
    """Return the hash over the names and bytes of every file in a step's folder."""
    return _hash([[path.relative_to(folder).as_posix(), sha256_file(path)] for path in _files(folder)])


def stands(folder: Path, sha256: str, *, project_root: Path, file_sha256: Callable[[Path], str]) -> bool:
    """Return whether a step's files are as they were written and the files it read have not changed."""
    try:
        if not folder.is_dir() or folder_sha256(folder) != sha256:
            return False
        inputs = json.loads((folder / RESULTS).read_text(encoding="utf-8"))["inputs"]
        return all(file_sha256(project_root / str(row["file"])) == row["sha256"] for row in inputs)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _code(package: Path) -> list[list[object]]:
    rows: list[list[object]] = []
    for path in _files(package):
        if path.suffix in _SKIPPED:
            continue
        content = path.stat().st_size if path.suffix in _BULK else sha256_file(path)
        rows.append([path.relative_to(package).as_posix(), content])
    return rows


def _packages() -> list[str]:
    """Return what is installed beside us; the folders' names hold the versions."""
    found: set[str] = set()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        with os.scandir(place) as entries:
            found |= {entry.name for entry in entries if entry.name.endswith(".dist-info")}
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in a fixed order; nothing when there is no folder."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(here, name)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
