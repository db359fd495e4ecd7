"""The sheet of channels: what each brings in a month, what a user costs, how spending works, how much may be spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import get_args

from planlib.core.errors import Problem
from planlib.core.words import Words
from planlib.exchange.fields import (
    Group,
    One,
    Plain,
    Said,
    Three,
    YesNo,
    choice,
    row_of,
    said,
    typed,
    unlike,
    why_column,
    yes_no,
)
from planlib.exchange.sheets import ID, Column, Edited, Kind, Rooms, Row, Sheet
from planlib.plan.load import Change, Plan
from planlib.plan.model import Channel, Response

KEY = "channels"
FREE_ROWS = 6
_INTAKE = ("intake_low", "intake_likely", "intake_high")
_CAC = ("cac_low", "cac_likely", "cac_high")
_PARTS = (
    Said("name", "name", needed=True),
    YesNo("paid", "paid", needed=True),
    Plain("from_stage", "from_stage"),
    Three(*_INTAKE, path="intake"),
    Three(*_CAC, path="cac"),
    Group(
        "response",
        (
            Plain("curve", "curve", needed=True),
            Plain("ceiling", "ceiling", needed=True),
            Plain("half_spend", "half_spend", needed=True),
            Plain("curve_shape", "shape"),
        ),
        sourced=True,
    ),
    Group("spend", (Plain("spend_min", "min"), Plain("spend_max", "max", needed=True))),
    One("channel_churn", "churn"),
)


def build(plan: Plan, w: Words, _: Rooms | None = None) -> Sheet:
    """Return the sheet of a plan's channels, one row a channel, with free rows below."""
    curves = get_args(Response.model_fields["curve"].annotation)
    columns = (
        Column(ID, edit=True),
        Column("name", edit=True),
        yes_no("paid", w),
        choice("from_stage", unlike({row.id: w.pick(row.name.model_dump()) for row in plan.schedule.stages})),
        *(Column(key, "number", True, unit="users_per_month", prompt=_three(key, w)) for key in _INTAKE),
        *(Column(key, "number", True, unit="CNY_per_user", prompt=_three(key, w)) for key in _CAC),
        choice("curve", {curve: w.text(f"exchange.curve.{curve}") for curve in curves}),
        Column("ceiling", "number", True, unit="users_per_month", prompt=w.text("exchange.prompt.ceiling")),
        Column("half_spend", "number", True, unit="CNY", prompt=w.text("exchange.prompt.half_spend")),
        Column("curve_shape", "number", True, unit="number"),
        Column("spend_min", "number", True, unit="CNY"),
        Column("spend_max", "number", True, unit="CNY"),
        Column("channel_churn", "number", True, unit="ratio", prompt=w.text("exchange.prompt.channel_churn")),
        Column("source"),
        Column("note"),
        why_column(),
    )
    rows = tuple(_row(channel, w) for channel in plan.channels)
    return Sheet(KEY, columns, (*rows, *(Row("", {}) for _ in range(FREE_ROWS))), grows=True, shrinks=True)


def _three(key: str, w: Words) -> str:
    return w.text("exchange.prompt.three") if key.endswith("likely") else ""


def _row(channel: Channel, w: Words) -> Row:
    """Return a channel's row; its source and its remark are those of what it brings."""
    of = channel.intake or channel.response
    row = row_of(channel.id, channel, _PARTS, w)
    is_assumed = of.source == "assumption"
    source = w.text("exchange.assumption") if is_assumed else of.source
    about = {"source": source, "note": said(of.why if is_assumed else of.note, w)}
    return replace(row, values=row.values | about, locked=row.locked | {ID}, assumed=is_assumed)


def changes(plan: Plan, rows: Iterable[Edited]) -> Iterator[Change | Problem]:
    """Yield what edited, added and deleted channels change; a channel brings users, by itself or for money."""
    rows = list(rows)
    for row in rows:
        if not row.is_gone and all(row.values.get(key) is None for key in (*_INTAKE, "ceiling")):
            yield row.problem("missing", "intake_likely")
    yield from typed(KEY, rows, {channel.id: channel for channel in plan.channels}, _PARTS, sourced=False)


KIND = Kind(KEY, build, changes)
