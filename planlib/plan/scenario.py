"""A plan of its own that extends another and holds nothing but what was changed in it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES
from planlib.plan.load import Change, Plan, load_plan
from planlib.plan.model import Sourced

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,79}\Z")
_EXTENDS = re.compile(r"^extends: *[\"']?([^\s\"'#]+)", re.MULTILINE)
# names that Windows keeps for devices, whatever the ending of the file
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(10))})


def write_scenario(plan: Plan, changes: Iterable[Change], *, name: str, reason: str) -> Path:
    """Write NAME.yaml beside a plan's file, which extends it, and return its path; an existing file stays as it is.

    Args:
        plan: as it stands in its file.
        changes: what is different, see `planlib.plan.load.Change`.
        name: of the file and of the new plan.
        reason: why, told with every changed figure.

    Raises:
        InputError: all at once: a name that is no plan's, that Windows keeps for itself or that is taken, no reason,
            no change, a plan that is not its file alone or has changed there meanwhile, or problems of the new plan,
            whose file is then taken away again.
    """
    changes, folder = tuple(changes), Path(plan.file).parent
    problems = [*name_problems(name, folder), *_open_problems(plan)]
    if not reason.strip():
        problems.append(Problem("missing", field="reason"))
    if not changes:
        problems.append(Problem("nothing_changed", file=plan.file))
    if problems:
        raise InputError(*problems)
    path, content = folder / f"{name}.yaml", scenario_text(plan, changes, name=name, reason=" ".join(reason.split()))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise InputError(Problem("file_exists", file=path.as_posix())) from None
    with open(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(content)
    try:
        load_plan(path)
    except InputError:
        path.unlink()
        raise
    return path


def name_problems(name: str, folder: Path) -> list[Problem]:
    """Return why a new plan in a folder cannot have a name; [] when it can."""
    if not _NAME.match(name):
        return [Problem("id_form", field="name", given=name)]
    if name in _DEVICES:
        return [Problem("reserved_name", field="name", given=name)]
    path = folder / f"{name}.yaml"
    return [Problem("file_exists", file=path.as_posix())] if path.exists() else []


def _open_problems(plan: Plan) -> list[Problem]:
    """Return why what was found in a plan may not hold for its file."""
    if plan.scenario or plan.sets or plan.changes:
        return [Problem("not_file_alone", file=plan.file)]
    try:
        now = load_plan(plan.file)
    except InputError as error:
        return list(error.problems)
    return [] if now.sha256 == plan.sha256 else [Problem("plan_moved", file=plan.file)]


def scenario_text(plan: Plan, changes: Iterable[Change], *, name: str, reason: str = "", said: str = "") -> str:
    """Return the text of a plan that extends another.

    Args:
        plan: that is extended.
        changes: of figures, rows or fields of rows.
        name: the new plan's id.
        reason: why; "" for each change's own reason.
        said: what its title adds to that of the plan below; "" for its name.
    """
    import yaml

    title = {locale: f"{plan.title[locale]} · {said or name}" for locale in LOCALES}
    content: dict[str, Any] = {"extends": Path(plan.file).name, "plan": {"id": name, "title": title}}
    for change in changes:
        _lay(content, plan.model, change.path.split("."), change.value, reason or change.reason)
    shown = {key: _plain(value) for key, value in content.items()}
    return yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)


def _lay(container: Any, model: Any, parts: list[str], value: Any, why: str) -> None:
    """Put a change where it belongs; only what differs from the plan below."""
    head, *rest = parts
    if isinstance(model, tuple):
        below = next((row for row in model if row.id == head), None)
        row = next((row for row in container if row["id"] == head), None)
        if row is None:
            container.append(row := {"id": head})
        if rest:
            _lay(row, below, rest, value, why)
        else:
            row |= dict(value)
        return
    below = model.get(head) if isinstance(model, Mapping) else getattr(model, head, None)
    if rest:
        _lay(container.setdefault(head, [] if isinstance(below, tuple) else {}), below, rest, value, why)
        return
    if isinstance(value, Mapping) and isinstance(below, BaseModel):
        old = below.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        value = {key: new for key, new in value.items() if key in _ABOUT or old.get(key) != new}
    container[head] = value
    if isinstance(model, Sourced) and not isinstance(value, Mapping):
        container |= {"source": "assumption", "why": why}


_ABOUT = ("source", "why")  # always told with a figure


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def fingerprint(plan_file: str | Path) -> dict[str, str]:
    """Return {file: hash} of a plan, of what it extends and of its adopted figures; "" for one that is not there."""
    found: dict[str, str] = {}
    waiting = [Path(plan_file), Path(plan_file).with_name(f"{Path(plan_file).stem}.adopted.yaml")]
    while waiting:
        path = waiting.pop()
        if path.as_posix() in found:
            continue
        content = path.read_bytes() if path.is_file() else b""
        found[path.as_posix()] = hashlib.sha256(content).hexdigest() if content else ""
        above = _EXTENDS.search(content.decode("utf-8", errors="replace"))
        waiting += [path.with_name(above[1])] if above else []
    return found
