"""Logs that are only added to: one JSON entry a line, each chained by hash to the line before.

Fields whose name begins with "_" stand outside the chain: they may hold what must be forgettable, such as pseudonyms of
people, and `blank` takes it out without breaking the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole

BROKEN = "log_broken"


def verify(path: str | Path, *, code: str = BROKEN) -> int:
    """Return the number of lines of a log whose chain is whole.

    Args:
        path: the log; none is an empty one.
        code: of the problem that is raised.

    Raises:
        InputError: a line was changed, removed or put in between.
    """
    last, count = "", 0
    for number, line in enumerate(lines(path), start=1):
        try:
            entry = json.loads(line)
            found = entry.pop("sha256")
        except (ValueError, KeyError, AttributeError):
            raise InputError(Problem(code, file=str(path), line=number)) from None
        if entry.get("previous") != last or found != _hash(entry):
            raise InputError(Problem(code, file=str(path), line=number))
        last, count = found, number
    return count


def entries(path: str | Path, *, code: str = BROKEN) -> list[dict[str, Any]]:
    """Return the entries of a log, oldest first.

    Raises:
        InputError: as `verify`.
    """
    verify(path, code=code)
    return [json.loads(line) for line in lines(path)]


def next_line(path: str | Path, entry: Mapping[str, Any], *, before: Sequence[str] = (), code: str = BROKEN) -> str:
    """Return an entry as the line that follows those of a log, and those about to be written to it.

    Raises:
        InputError: as `verify`.
    """
    verify(path, code=code)
    known = [*lines(path), *before]
    chained = {**entry, "previous": json.loads(known[-1])["sha256"] if known else ""}
    return json.dumps({**chained, "sha256": _hash(chained)}, ensure_ascii=False, sort_keys=True)


def append(path: str | Path, *added: str) -> None:
    """Add lines of `next_line` to a log, all of them or, when the disk is full, none."""
    path = Path(path)
    before = path.read_bytes() if path.exists() else b""
    cut = b"\n" if before and not before.endswith(b"\n") else b""
    write_whole(path, before + cut + "".join(f"{line}\n" for line in added).encode())


def blank(path: str | Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """Change what stands outside the chain of a log's entries.

    Args:
        path: the log.
        change: returns the fields of an entry, all of them beginning with "_", that take other values.

    Returns:
        Entries changed.
    """
    made, changed = [], 0
    for line in lines(path):
        entry = json.loads(line)
        fields = {name: value for name, value in change(entry).items() if name[:1] == "_"}
        is_other = {**entry, **fields} != entry
        made.append(json.dumps({**entry, **fields}, ensure_ascii=False, sort_keys=True) if is_other else line)
        changed += is_other
    if changed:
        write_whole(path, "".join(f"{line}\n" for line in made))
    return changed


def lines(path: str | Path) -> list[str]:
    """Return the lines of a log as they stand; only a line feed ends one, whatever a text of an entry holds."""
    path = Path(path)
    content = path.read_text(encoding="utf-8").removesuffix("\n") if path.exists() else ""
    return content.split("\n") if content else []


def _hash(entry: Mapping[str, Any]) -> str:
    chained = {name: value for name, value in entry.items() if name[:1] != "_"}
    return hashlib.sha256(json.dumps(chained, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
