"""A notebook file as its author left it: read without nbformat, its parameters cell checked.

papermill runs parameters that a notebook does not declare with no more than a log line, and writes names
into the notebook as code. So the names are fixed here, values are of closed types, and a notebook that
declares anything else is refused before a kernel starts.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES
from planlib.workbook.failures import StepError

_PLAN_ID = re.compile(r"[a-z][a-z0-9_-]{0,79}\Z")
# folders beside the plans' own, and names that Windows keeps for devices
_TAKEN = {"decks", "portfolio", "private", "con", "prn", "aux", "nul"} | {
    f"{name}{n}" for name in ("com", "lpt") for n in range(10)
}

PARAMETERS: Mapping[str, type] = {"plan_file": str, "out_dir": str, "locale": str, "seed": int}
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Source:
    """What a run needs to know of a notebook file.

    Args:
        sha256: hash of its cells without outputs; of its bytes when they cannot be read.
        error: why it cannot run, or None.
    """

    sha256: str
    error: StepError | None = None


def read_source(path: Path) -> Source:
    """Return a notebook's source; a file that is no notebook gives a Source with its error."""
    content = b""
    try:
        content = path.read_bytes()
        cells = [_cell(cell) for cell in json.loads(content)["cells"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f"{type(error).__name__}: {error}"
        return Source(hashlib.sha256(content).hexdigest(), StepError("unreadable", values={"detail": detail}))
    digest = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
    return Source(digest, _parameters_error(cells))


def check_parameters(parameters: Mapping[str, object]) -> dict[str, str | int]:
    """Return the parameters as papermill may have them: exactly the known names, plain literals.

    Raises:
        InputError: a name is missing or unknown, a value is of another type (subclasses are refused too,
            since papermill calls their methods), or a text cannot stand in a line of source.
    """
    problems = [Problem("missing", field=name) for name in PARAMETERS if name not in parameters]
    for name, value in parameters.items():
        problem = _unfit(name, value)
        if problem:
            problems.append(problem)
    if problems:
        raise InputError(*problems)
    return {name: parameters[name] for name in PARAMETERS}  # type: ignore[misc]


def check_plan_id(plan_id: object) -> list[Problem]:
    """Return what is wrong with a plan id as the name of a folder: a list with a problem, or an empty one."""
    fits = type(plan_id) is str and _PLAN_ID.match(plan_id) and plan_id not in _TAKEN
    return [] if fits else [Problem("id_form", field="plan.id", given=plan_id)]


def _unfit(name: object, value: object) -> Problem | None:
    if type(name) is not str or name not in PARAMETERS:
        shown = name if type(name) is str else type(name).__name__
        return Problem("unknown_key_far", field=shown, given=shown, values={"choice": ", ".join(PARAMETERS)})
    if type(value) is not PARAMETERS[name]:
        return Problem("not_whole" if name == "seed" else "not_text", field=name, given=type(value).__name__)
    if name == "seed":
        inside = 0 <= value <= MAX_SEED
        return None if inside else Problem("out_of_range", field=name, given=value, values={"low": 0, "high": MAX_SEED})
    if name == "locale":
        return (
            None
            if value in LOCALES
            else Problem("choice", field=name, given=value, values={"choice": ", ".join(LOCALES)})
        )
    return None if _one_line(value) else Problem("path_characters", field=name, given=value)


def _one_line(text: str) -> bool:
    """Return whether text can stand in one line of UTF-8 source."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return not any(unicodedata.category(c) == "Cc" for c in text)


def _cell(cell: Mapping) -> tuple[str, str, tuple[str, ...]]:
    """Return a cell's kind, source and tags."""
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    return str(cell["cell_type"]), text, tuple(map(str, cell.get("metadata", {}).get("tags", ())))


def _parameters_error(cells: list[tuple[str, str, tuple[str, ...]]]) -> StepError | None:
    tagged = [source for kind, source, tags in cells if kind == "code" and "parameters" in tags]
    if len(tagged) != 1:
        return StepError("no_parameters", values={"count": len(tagged), "names": ", ".join(PARAMETERS)})
    try:
        names = _assigned(tagged[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return StepError("bad_parameters", values={"detail": str(error), "names": ", ".join(PARAMETERS)})
    if sorted(names) == sorted(PARAMETERS):
        return None
    return StepError("bad_parameters", values={"detail": ", ".join(names), "names": ", ".join(PARAMETERS)})


def _assigned(source: str) -> list[str]:
    """Return the names that a cell of plain assignments gives a literal.

    Raises:
        SyntaxError: the cell is no Python.
        ValueError: it does anything else.
    """
    names = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            raise ValueError(ast.unparse(statement))
        if not isinstance(target, ast.Name):
            raise ValueError(ast.unparse(statement))
        ast.literal_eval(value)
        names.append(target.id)
    return names
