"""What a load knows of every raw file: its content's hash, what came of it, and why one was set aside."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from planlib.core.errors import Problem

CHUNK = 2**20
_NAMES = "surrogatepass"  # names of files need not be UTF-8 where the system allows any
LOADED, ASIDE, SUPERSEDED, COPY = "loaded", "aside", "superseded", "copy"


@dataclass(frozen=True, slots=True)
class Entry:
    """One raw file.

    Args:
        number: its number in `file_no`.
        path: below data/raw, with forward slashes.
        sha256: hash of its content.
        size, modified_ns: as the system tells them.
        utf8: its text is UTF-8.
        pulled_at: when it was pulled, ISO.
        status: loaded, aside, superseded (a later file holds the same period), copy (of a file loaded already).
        sources: what it held.
        rows: table -> rows read from it.
        left_out: table -> of these, rows of forgotten people or of days that were purged.
        first_day, last_day: period of its rows, ISO; "" without dates.
        scope: what else tells whole exports of one period apart.
        guessed: parts of the request that nobody said.
        problems: why it was set aside.
    """

    number: int
    path: str
    sha256: str
    size: int
    modified_ns: int
    utf8: bool
    pulled_at: str
    status: str = LOADED
    sources: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    first_day: str = ""
    last_day: str = ""
    scope: str = ""
    guessed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def order(self) -> tuple[str, int, str]:
        """Later files win over earlier ones: by pull, then by when they were written, then by name."""
        return self.pulled_at, self.modified_ns, self.path


def dump(entries: Iterable[Entry]) -> bytes:
    """Return entries as JSON."""
    made = [dataclasses.asdict(entry) for entry in entries]
    for entry in made:
        entry["problems"] = [p | {"given": None if p["given"] is None else str(p["given"])} for p in entry["problems"]]
    return json.dumps(made, ensure_ascii=False, sort_keys=True).encode(errors=_NAMES)


def parse(content: bytes) -> list[Entry]:
    """Return the entries of `dump`."""
    return [_entry(found) for found in json.loads(content.decode(errors=_NAMES))]


def _entry(found: dict[str, Any]) -> Entry:
    for name in ("sources", "guessed"):
        found[name] = tuple(found[name])
    found["problems"] = tuple(Problem(**problem) for problem in found["problems"])
    return Entry(**found)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, sorted; hidden ones and links are left alone."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not (Path(here) / f).is_symlink())
        for name in sorted(files):
            path = Path(here) / name
            if not name.startswith((".", "~$")) and path.is_file() and not path.is_symlink():
                yield path


def fingerprint(path: Path) -> tuple[str, bool]:
    """Return the hash of a file and whether it is UTF-8, reading it once."""
    import codecs

    digest, decoder, utf8 = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), True
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
    if utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            utf8 = False
    return digest.hexdigest(), utf8


@cache
def reader_version() -> str:
    """Return a hash of the code that reads: tables that other code made are made again."""
    folder = resources.files("planlib") / "data"
    sources = sorted((file for file in (folder / "sources").iterdir() if file.name.endswith(".py")), key=str)
    digest = hashlib.sha256()
    for file in [*(folder / name for name in _READING), *sources]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_READING = (
    "codes.yaml", "columns.py", "derive.py", "fields.py", "headers.yaml", "ids.py", "merge.py", "payload.py",
    "schema.py", "shape.py", "sheet.py", "stage.py",
)  # fmt: skip


def iso(moment: dt.datetime) -> str:
    """Return a time without a zone as text."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
