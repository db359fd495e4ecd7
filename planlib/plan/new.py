"""A plan of one's own that builds on another."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from planlib.core.errors import InputError, Problem
from planlib.core.words import words
from planlib.plan.load import load_plan
from planlib.plan.model import Data

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
_TRADE = """\

# {zh}行业的目标模板（P3.2a）：只给指标、窗口与阶段，不给水平。定下水平后，把该行移到 targets，
# 补上 at_least（或其他比较）与 by_month；在此之前，planlib check 会就每一项提问。
# Target template for {en} (P3.2a): metrics, windows and stages, no levels. Once a level is settled, move the row
# to `targets` and add at_least (or another comparison) and by_month; until then planlib check asks for it.
users:
  rules:
"""
_DATA = """\

# 自己的数据，不读底稿的 / your own data, never those of the plan below
data: {{root: {root}}}
"""
_ROW = """\
    # {zh} / {en}
    - {{id: {id}, metric: {metric}, scope: {trade}, stage: {stage},
       window_days: {window_days}, source: P3.2a}}
"""


@cache
def trades() -> Mapping[str, Mapping[str, Any]]:
    """Return the target templates of trades.yaml by trade: its name in both languages and its metrics."""
    return yaml.safe_load(resources.files("planlib.plan").joinpath("trades.yaml").read_text(encoding="utf-8"))


def new_plan(name: str, parent: str | Path, *, trade: str | None = None) -> Path:
    """Write PLAN-FOLDER/NAME.yaml that extends `parent`, and return its path.

    Args:
        name: of the plan and its file.
        parent: the plan that it builds on.
        trade: a trade of trades.yaml, whose metrics are added without levels; None = none.

    Raises:
        InputError: the name cannot be used, is taken, the trade is unknown, or the parent is
            not a valid plan.
    """
    parent = Path(parent)
    path = parent.parent / f"{name}.yaml"
    check_name(name, trade)
    below = load_plan(parent)
    content = _TEMPLATE.format(name=name, parent=parent.name)
    if below.data_root != Data().root:
        content += _DATA.format(root=Data().root)
    content += _rows(trade) if trade else ""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise InputError(Problem("file_exists", file=path.as_posix())) from None
    with open(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(content)
    return path


def check_name(name: str, trade: str | None) -> None:
    """Refuse a name that no plan can have, and an unknown trade.

    Raises:
        InputError: it is one.
    """
    if not _NAME.match(name):
        raise InputError(Problem("id_form", field="name", given=name))
    if trade is not None and trade not in trades():
        raise InputError(Problem("choice", field="trade", given=trade, values={"choice": ", ".join(sorted(trades()))}))


def trade_rows(trade: str) -> str:
    """Return a trade's metrics as the field `rules` of a plan's section `users`."""
    return "  rules:" + _rows(trade).partition("\n  rules:")[2]


def _rows(trade: str) -> str:
    """The section of a new plan that holds a trade's metrics."""
    template = trades()[trade]
    zh, en = words("zh"), words("en")
    rows = (
        _ROW.format(
            id=f"{trade}-{row['metric'].replace('_', '-')}",
            trade=trade,
            zh=zh.metric(row["metric"]),
            en=en.metric(row["metric"]),
            **row,
        )
        for row in template["metrics"]
    )
    return _TRADE.format(**template["name"]) + "".join(rows)
