"""Who is in which arm: customers of the tidy tables dealt to the arms of a registered experiment, and lists to send.

The assignment table is written among the raw files, with ids as the platforms know them, so that the next load takes
it in and `forget` and `purge` reach it. Lists stand in outputs/private.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard
from planlib.core.results import write_whole
from planlib.data import ids, store
from planlib.data.engine import Engine, open_tables
from planlib.data.fields import is_formula
from planlib.data.rejoin import raw_ids
from planlib.exchange.lists import file_stem, safe_cell
from planlib.experiments.assignment import assign, draw

if TYPE_CHECKING:
    from planlib.plan.model import Data

FOLDER = "assignments"
HEADS = ("exp_id", "unit_id", "variant", "ratio_planned", "assigned_at", "block")
LIST_HEADS = ("external_userid", "userid", "arm")
BLOCKS = {None: None, "employee": "staff_id", "store": "store_id", "region": "region_id"}
CLASSES = {  # blocks within each employee by what is known of a customer at assignment
    "value_class": ("value_class",), "interaction_class": ("interaction_class",),
    "segment": ("value_class", "interaction_class"),
}  # fmt: skip
TIER = "tier"  # a block that plans ask for and no table tells
_UNTOLD = {"value_class": ("no_order", "block_no_orders"), "interaction_class": ("silent", "block_no_acts")}
_WITHIN = ":"  # stands between employee and class in a block
_ACTIVE_DAYS = 30  # as assigned_classes has it


@dataclass(frozen=True, slots=True)
class Other:
    """Another experiment that may hold the same customers.

    Args:
        days: for how long after their assignment people are in it; None = until the day that the tables give.
        overlaps: it draws from the same people, or touches the same thing.
    """

    days: int | None
    overlaps: bool


@dataclass(frozen=True, slots=True)
class Holdout:
    """The arm of an experiment that is left alone, and for how many days after their assignment people are in it."""

    arm: str
    days: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an assignment did.

    Attributes:
        arms: arm -> people in it, all of them.
        added: people assigned now.
        left_out: reason -> customers: do_not_contact, in_other_test, no_id (no raw file names them), not_needed
            (the experiment has its people).
        stopped: people assigned earlier who are not sent to any more.
        employees: that have a list.
        table, lists: where the assignment table and the lists stand.
        files: lists written.
    """

    arms: Mapping[str, int]
    added: int
    left_out: Mapping[str, int]
    stopped: int
    employees: int
    table: Path
    lists: Path
    files: int


def assign_customers(
    root: str | Path,
    outputs: str | Path,
    *,
    plan: str,
    experiment: str,
    arms: Mapping[str, float],
    people: int,
    block: str | None,
    others: Mapping[str, Other],
    joined_since: dt.date | None,
    now: dt.datetime,
    silent_days: int | None = None,
    data: Data | None = None,
) -> Assigned:
    """Assign customers to an experiment, keep who was assigned before, write the table and the lists.

    Called again with the same data it changes nothing.

    Args:
        root: the data folder.
        outputs: where `private` lists go.
        plan, experiment: their ids.
        arms: planned shares, the control first.
        people: most to assign in all.
        block: employee, store or region; value_class, interaction_class or segment (both), each within the employee,
            as they stand now, for those assigned earlier as they stood then; None balances over all.
        others: experiments of the plan by id; those that the plan does not know overlap while they last.
        joined_since: only customers who were first added on this day or later.
        now: time of the assignment, Shanghai.
        silent_days: only customers who joined at least so many whole days ago, 24 hours each, and have not acted since.
        data: the plan's section that names the engine; without it, DuckDB.

    Raises:
        InputError: silent_days below 1, the experiment has ended, no customers are loaded, the block is unknown or the
            tables do not tell it, arms of earlier assignments are not the plan's, or an id would be run by a
            spreadsheet.
    """
    root = Path(root)
    _refuse_block(experiment, block)
    table = store.raw_dir(root) / FOLDER / plan / f"{experiment}.csv"
    key = ids.salt(root)
    with open_tables(data, root) as tables:
        ends = {row["exp_id"]: row["end_on"] for row in tables.query("SELECT exp_id, end_on FROM experiments").rows()}
        _refuse_ended(experiment, ends.get(experiment), now.date())
        found = tables.query("assignable").arrays()
        earlier = [*tables.query(_EARLIER).rows(), *_written(root, plan, key, ends)]
        asked = _joined(found["joined_at"], joined_since)
        if silent_days is not None:
            asked &= _silent(tables, found["external_hid"], now, silent_days)
        hids = [str(hid) for hid in found["external_hid"]]
        classes = _classes(tables, hids, experiment, block, now) if hids and block in CLASSES else {}
    if not hids:
        raise InputError(Problem("no_customers", file=root.as_posix()))
    own = _own_rows(table)
    mine, busy = _history(earlier, experiment, others, now)
    mine |= {ids.hashed(key, row["unit_id"]): row["variant"] for row in own}
    _refuse_other_arms(experiment, set(mine.values()), arms)
    names = raw_ids(root, key, {*hids, *map(str, found["staff_id"])})
    contactable = np.asarray(found["contactable"], dtype=bool)
    known = np.array([hid in names for hid in hids])
    before = np.array([list(arms).index(mine[hid]) if hid in mine else -1 for hid in hids])
    occupied = np.array([hid in busy for hid in hids])
    asked |= before >= 0
    free = asked & contactable & ~occupied & known & (before < 0)
    taken = np.zeros(len(hids), dtype=bool)
    taken[free] = draw([hids[i] for i in np.flatnonzero(free)], max(people - len(mine), 0), salt=experiment)
    inside = np.flatnonzero(taken | (before >= 0))
    classes |= _classes_then(earlier, experiment) if block in CLASSES else {}
    column = "staff_id" if block in CLASSES else BLOCKS[block]
    heads = [str(value) or "—" for value in found[column]] if column else ["all"] * len(hids)
    label = [f"{of}{_WITHIN}{classes[hid]}" if hid in classes else of for hid, of in zip(hids, heads, strict=True)]
    dealt = assign(
        [hids[i] for i in inside],
        list(arms.values()),
        salt=experiment,
        blocks=[label[i] for i in inside],
        do_not_contact=~contactable[inside],
        previous=before[inside],
    )
    order = list(arms)
    rows = [
        {"exp_id": experiment, "unit_id": names[hids[i]], "variant": order[dealt.arm[k]],
         "ratio_planned": repr(float(arms[order[dealt.arm[k]]])), "assigned_at": f"{now:%Y-%m-%d %H:%M:%S}",
         "block": _as_known(label[i], names)}
        for k, i in enumerate(inside) if taken[i]
    ]  # fmt: skip
    _refuse_formulas(rows, table)
    kept = [row | {"block": _as_known(row["block"], names)} for row in own]
    if rows or kept != own:
        store.make_private(table.parent)
        write_whole(table, _csv(HEADS, sorted([*kept, *rows], key=lambda row: row["unit_id"]), bom=False))
    sent = [k for k, i in enumerate(inside) if dealt.sendable[k] and known[i]]
    lists = store.make_private(Path(outputs) / "private") / plan / experiment
    files = _write_lists(
        lists,
        [(order[dealt.arm[k]], names.get(str(found["staff_id"][inside[k]]), ""), str(found["staff_id"][inside[k]]),
          names[hids[inside[k]]]) for k in sent],
    )  # fmt: skip
    counted = {arm: sum(variant == arm for variant in mine.values()) for arm in arms}
    for row in rows:
        counted[row["variant"]] += 1
    outside = asked & (before < 0)
    left_out = {
        "do_not_contact": outside & ~contactable,
        "in_other_test": outside & contactable & occupied,
        "no_id": outside & contactable & ~occupied & ~known,
        "not_needed": free & ~taken,
    }
    return Assigned(
        counted,
        len(rows),
        {reason: int(mask.sum()) for reason, mask in left_out.items()},
        len(mine) - sum(1 for k in sent if before[inside[k]] >= 0),
        len({found["staff_id"][inside[k]] for k in sent}),
        table,
        lists,
        files,
    )


def held_out(
    tables: Engine, root: str | Path, *, plan: str, holdouts: Mapping[str, Holdout], now: dt.datetime
) -> frozenset[str]:
    """Return the customers, by hash, whom a running experiment leaves alone.

    Args:
        tables: the tidy tables.
        root: the data folder they stand in.
        plan: its id.
        holdouts: of its experiments, by id.
        now: Shanghai.
    """
    if not holdouts:
        return frozenset()
    rows = tables.query(_EARLIER).rows()
    ends = {row["exp_id"]: row["end_on"] for row in rows}
    return frozenset(
        row["unit_hid"]
        for row in (*rows, *_written(Path(root), plan, ids.salt(root), ends))
        if (held := holdouts.get(row["exp_id"])) and row["variant"] == held.arm and _lasts(row, held.days, now)
    )


_EARLIER = (
    "SELECT a.exp_id, a.unit_hid, a.variant, a.assigned_at, a.block, e.end_on FROM assignments a "
    "LEFT JOIN experiments e ON e.exp_id = a.exp_id"
)


def _own_rows(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _written(root: Path, plan: str, key: bytes, ends: Mapping[str, dt.date | None]) -> list[dict[str, Any]]:
    """Return rows of the plan's assignment tables, which the load may not have taken in yet."""
    return [
        {"exp_id": row["exp_id"], "unit_hid": ids.hashed(key, row["unit_id"]), "variant": row["variant"],
         "assigned_at": dt.datetime.fromisoformat(row["assigned_at"]), "block": row["block"],
         "end_on": ends.get(row["exp_id"])}
        for path in sorted((store.raw_dir(root) / FOLDER / plan).glob("*.csv"))
        for row in _own_rows(path)
    ]  # fmt: skip


def _as_known(block: str, names: Mapping[str, str]) -> str:
    """Return a block with its employee as other sheets name them, so that one employee is one block in a read-out."""
    staff, *within = block.partition(_WITHIN)
    known = names.get(staff, staff)
    return "".join((staff if is_formula(known) else known, *within))


def _history(
    earlier: Iterable[Mapping[str, Any]],
    experiment: str,
    others: Mapping[str, Other],
    now: dt.datetime,
) -> tuple[dict[str, str], set[str]]:
    """Return arm of each customer of the experiment itself, and customers who are in an overlapping one now."""
    mine: dict[str, str] = {}
    busy: set[str] = set()
    for row in earlier:
        if row["exp_id"] == experiment:
            mine.setdefault(row["unit_hid"], row["variant"])
            continue
        other = others.get(row["exp_id"], Other(None, True))
        if other.overlaps and _lasts(row, other.days, now):
            busy.add(row["unit_hid"])
    return mine, busy


def _lasts(row: Mapping[str, Any], days: int | None, now: dt.datetime) -> bool:
    if row["end_on"] is not None:
        return row["end_on"] >= now.date()
    if days is None or row["assigned_at"] is None:
        return True
    return row["assigned_at"] + dt.timedelta(days=days) > now


def _refuse_block(experiment: str, block: str | None) -> None:
    """Raise InputError for a block that nothing is known of."""
    field = f"experiments.{experiment}.block"
    if block == TIER:
        raise InputError(Problem("block_no_tiers", field=field, given=block))
    if block not in BLOCKS and block not in CLASSES:
        choice = ", ".join((*filter(None, BLOCKS), *CLASSES))
        raise InputError(Problem("choice", field=field, given=block, values={"choice": choice}))


def _classes(tables: Engine, hids: Sequence[str], experiment: str, block: str, now: dt.datetime) -> dict[str, str]:
    """Return the class of each customer as it stands now.

    Raises:
        InputError: the tables tell no order, or no act, of any customer: a class that nobody can be in is no block.
    """
    moments = {"moment": now, "active_since": now - dt.timedelta(days=_ACTIVE_DAYS)}
    rows = {str(row["unit"]): row for row in tables.query("classes_at", moments).rows()}
    wanted = CLASSES[block]
    untold = [_UNTOLD[name][1] for name in wanted if {row[name] for row in rows.values()} <= {_UNTOLD[name][0]}]
    if untold:
        raise InputError(*(Problem(code, field=f"experiments.{experiment}.block", given=block) for code in untold))
    return {hid: "/".join(rows[hid][name] for name in wanted) for hid in hids}


def _classes_then(earlier: Iterable[Mapping[str, Any]], experiment: str) -> dict[str, str]:
    """Return the class in which each customer was assigned; the newest row counts."""
    then = {row["unit_hid"]: row["block"] or "" for row in earlier if row["exp_id"] == experiment}
    return {hid: block.rpartition(_WITHIN)[2] for hid, block in then.items() if _WITHIN in block}


def _refuse_ended(experiment: str, end: dt.date | None, day: dt.date) -> None:
    """Raise InputError for an experiment whose last day is over: who came afterwards would not be comparable."""
    if end is not None and end < day:
        told = {"given": experiment, "values": {"date": end.isoformat()}}
        raise InputError(Problem("test_ended", field=f"experiments.{experiment}", **told))


def _refuse_other_arms(experiment: str, given: set[str], arms: Mapping[str, float]) -> None:
    """Raise InputError where people were assigned to arms that the plan does not have."""
    unknown = sorted(given - set(arms))
    if unknown:
        told = {"given": ", ".join(unknown), "values": {"choice": ", ".join(arms)}}
        raise InputError(Problem("choice", field=f"experiments.{experiment}.arms", **told))


def _silent(tables: Engine, hids: Sequence[object], now: dt.datetime, days: int) -> np.ndarray:
    """Return (C,) whether each customer joined at least so many whole days ago and has done nothing since."""
    guard = Guard()
    guard.whole("silent_days", days)
    guard.done()
    moments = {"until": now, "opening": now}
    for name in ("people", "sold", "acted"):
        tables.keep(name, moments)
    rows = tables.query("silent", {"joined_by": now - dt.timedelta(days=days)}).rows()
    silent = {str(row["external_hid"]) for row in rows}
    return np.array([str(hid) in silent for hid in hids], dtype=bool)


def _joined(joined_at: np.ndarray, since: dt.date | None) -> np.ndarray:
    if since is None:
        return np.ones(len(joined_at), dtype=bool)
    filled = np.ma.filled(joined_at, np.datetime64("NaT"))
    return np.asarray(filled >= np.datetime64(since))


def _refuse_formulas(rows: Sequence[Mapping[str, str]], table: Path) -> None:
    bad = [Problem("data_formula", file=table.as_posix(), field="unit_id", given=row["unit_id"])
           for row in rows if is_formula(row["unit_id"])]  # fmt: skip
    if bad:
        raise InputError(*bad)


def _write_lists(folder: Path, rows: Sequence[tuple[str, str, str, str]]) -> int:
    """Write one list for each arm and employee out of (arm, employee, its hash, customer); drop lists left over."""
    by_file: dict[Path, list[dict[str, str]]] = {}
    for arm, employee, digest, customer in rows:
        path = folder / arm / f"{file_stem(employee, digest)}.csv"
        cells = {"external_userid": safe_cell(customer), "userid": safe_cell(employee), "arm": arm}
        by_file.setdefault(path, []).append(cells)
    for path in folder.glob("*/*.csv"):
        if path not in by_file:
            path.unlink()
    for path, cells in sorted(by_file.items()):
        store.make_private(path.parent)
        content = _csv(LIST_HEADS, sorted(cells, key=lambda row: row["external_userid"]), bom=True)
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content)
    return len(by_file)


def _csv(heads: Sequence[str], rows: Iterable[Mapping[str, str]], *, bom: bool) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, heads, lineterminator="\r\n" if bom else "\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig" if bom else "utf-8")
