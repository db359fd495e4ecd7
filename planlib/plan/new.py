"""A plan of one's own that builds on another."""

from __future__ import annotations

import os
import re
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.plan.load import load_plan

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,79}\Z")

_TEMPLATE = """\
# {name}
# 只写与底稿不同的内容；其余全部继承。/ Write only what differs; everything else is inherited.
# 列表的行以 id 对应；要去掉一行，写 {{id: 编号, drop: true}}。
# Rows of lists are matched by id; to drop one, write {{id: ID, drop: true}}.
extends: {parent}

plan:
  id: {name}
  title: {{zh: {name}, en: {name}}}

# 例 / for example:
# baseline:
#   opening_users: {{value: 120_000, source: W2.1}}
# users:
#   churn: {{value: 0.05}}
"""


def new_plan(name: str, parent: str | Path) -> Path:
    """Write PLAN-FOLDER/NAME.yaml that extends `parent`, and return its path.

    Raises:
        InputError: the name cannot be used, is taken, or the parent is not a valid plan.
    """
    parent = Path(parent)
    path = parent.parent / f"{name}.yaml"
    if not _NAME.match(name):
        raise InputError(Problem("id_form", field="name", given=name))
    load_plan(parent)
    content = _TEMPLATE.format(name=name, parent=parent.name)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise InputError(Problem("file_exists", file=path.as_posix())) from None
    with open(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(content)
    return path
