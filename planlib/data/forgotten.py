"""Whose data must not come back: hashes of forgotten people, and the day before which personal data was purged.

Kept beside the raw files, so that it outlives the tidy tables, with hashes only.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from planlib.core.results import write_whole
from planlib.data import store
from planlib.data.schema import TABLES

FILE = ".forgotten.json"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What every load leaves out.

    Args:
        people: hashes of ids.
        before: ISO day; rows of tables with personal data that are dated before it are left out. "" for none.
    """

    people: frozenset[str] = frozenset()
    before: str = ""

    def digest(self) -> str:
        """Return a hash by which a load sees that something was added."""
        return hashlib.sha256(json.dumps([sorted(self.people), self.before]).encode()).hexdigest()[:16]

    def conditions(self, table: str) -> str | None:
        """Return the SQL condition of the rows of a table that are left out; None when there are none."""
        declared = TABLES[table]
        parts = []
        if self.people and declared.personal:
            listed = ", ".join(f"'{hid}'" for hid in sorted(self.people))
            parts += [f'"{column}" IN ({listed})' for column in declared.personal]
        if self.before and declared.personal and declared.purged_on:
            parts.append(f"\"{declared.purged_on}\" < '{self.before}'")
        return " OR ".join(f"COALESCE({part}, FALSE)" for part in parts) or None


def read(root: str | Path) -> Forgotten:
    """Return what a data folder is to leave out."""
    try:
        found = json.loads((store.raw_dir(root) / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Forgotten()
    return Forgotten(frozenset(found["people"]), found["before"])


def write(root: str | Path, forgotten: Forgotten) -> None:
    """Note what a data folder is to leave out."""
    path = store.raw_dir(root) / FILE
    write_whole(path, json.dumps({"people": sorted(forgotten.people), "before": forgotten.before}) + "\n")
    os.chmod(path, 0o600)
