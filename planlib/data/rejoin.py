"""Back from hashes to the ids of the platforms, for lists that people work with: out of the raw files of contacts."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from planlib.data import erase, ids, store
from planlib.data.load import read_ledger

Edge = tuple[str, str]  # hashes of a customer and of an employee who follows the customer


@dataclass(frozen=True, slots=True)
class Rejoined:
    """What the raw files tell.

    Attributes:
        ids: hash -> id as the platform knows it.
        shown: what an employee sees a customer named: the employee's own remark, else the customer's nickname.
    """

    ids: dict[str, str] = field(default_factory=dict)
    shown: dict[Edge, str] = field(default_factory=dict)


def raw_ids(root: str | Path, key: bytes, wanted: Set[str]) -> dict[str, str]:
    """Return the ids behind hashes; hash -> id as the platform knows it."""
    return rejoin(root, key, wanted).ids


def rejoin(root: str | Path, key: bytes, wanted: Set[str], edges: Set[Edge] = frozenset()) -> Rejoined:
    """Return the ids behind hashes, and how customers are named; of what changed, the newest file tells.

    Args:
        root: the data folder.
        key: its key.
        wanted: hashes of customers and employees.
        edges: whose names are wanted too; their hashes are among `wanted`.
    """
    found = Rejoined()
    seen: set[str] = set()
    back: dict[str, str] = {}  # id -> hash, of those wanted
    for entry in sorted(read_ledger(root), key=lambda entry: entry.order, reverse=True):
        path = store.raw_dir(root) / entry.path
        if not {"customers", "follow_edges"} & set(entry.rows) or not path.is_file():
            continue
        for record in erase.records(path):
            for _, value in erase.leaves(record):
                if value in seen:
                    continue
                seen.add(value)
                digest = ids.hashed(key, value)
                if digest in wanted:
                    found.ids[digest] = value.strip()
                    back[value] = digest
            for customer, employee, name in _named(record) if edges else ():
                edge = (back.get(customer, ""), back.get(employee, ""))
                if edge in edges and name:
                    found.shown.setdefault(edge, name)
        if len(found.ids) == len(wanted) and len(found.shown) == len(edges):
            break
    return found


def _named(record: object) -> Iterator[tuple[str, str, str]]:
    """Yield customer, employee and how the customer is named to the employee, of a record of contacts."""
    if not isinstance(record, dict):
        return
    contact = record.get("external_contact")
    if not isinstance(contact, dict):
        for inner in record.values():
            yield from _named(inner)
        return
    follows = record.get("follow_user") or [record.get("follow_info")]
    for follow in follows if isinstance(follows, list) else [follows]:
        told = (contact.get("external_userid"), follow.get("userid") if isinstance(follow, dict) else None)
        if all(isinstance(text, str) for text in told):
            names = (follow.get("remark"), contact.get("name"))
            yield *told, next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")
