"""The log of lists that left with ids as they are, as far as forgetting and purging reach into it.

outputs/private/exports.jsonl is chained (planlib.core.chain). Pseudonyms of people stand in it in one field outside the
chain, so that they can be taken out and the chain stays whole.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from planlib.core import chain
from planlib.core.filelock import locked

FILE = "exports.jsonl"
LOCK = f"{FILE}.lock"
UNJOINED = "_no_id"  # hashes that no raw file names


def forget(path: Path, known: Set[str]) -> int:
    """Take hashes out of a log; return how many entries held one."""
    with locked(path):
        return chain.blank(path, lambda entry: {UNJOINED: [hid for hid in entry.get(UNJOINED, ()) if hid not in known]})


def purge(path: Path, before: str) -> int:
    """Take all hashes out of the entries before a day, ISO; return how many entries held one."""
    with locked(path):
        return chain.blank(path, lambda entry: {UNJOINED: []} if entry.get(UNJOINED) and entry["at"] < before else {})
