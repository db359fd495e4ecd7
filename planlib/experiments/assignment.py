"""Who gets which arm: repeatable, blocked by employee, balanced inside every block."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

LEFT_OUT = -1
REASONS = ("", "do_not_contact", "in_other_test")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Arms of N customers.

    Attributes:
        arm: (N,) number of the arm, from 0 in the order of the shares; -1 = left out.
        sendable: (N,) True for those who may be sent to: assigned, and free to be contacted today.
        reason: (N,) number in `REASONS`: why somebody is left out, or may no longer be sent to.
    """

    arm: np.ndarray
    sendable: np.ndarray
    reason: np.ndarray


def assign(
    ids: Sequence[str],
    shares: Sequence[float],
    *,
    salt: str,
    blocks: Sequence[str] | None = None,
    do_not_contact: Sequence[bool] | None = None,
    in_other_test: Sequence[bool] | None = None,
    previous: Sequence[int] | None = None,
) -> Assignment:
    """Return the arm of each customer.

    Inside each block customers are ordered by a hash of salt and id and dealt to the arms, so that each arm gets its
    share of the block rounded up or down; which of the two, a hash of salt and block decides, so that over many
    blocks every customer has the same chance. The order of the rows does not matter.

    A customer who was assigned stays in the arm: give what was assigned as `previous`. New customers then fill up
    each block to its shares. Without it, customers who are added can change the arms of others in their block. Who
    was assigned and asks not to be contacted afterwards keeps the arm, since the test is read by assignment, and is
    not sent to any more.

    Args:
        ids: (N,) customers, each once.
        shares: (K,) planned share of each arm, > 0, in sum 1.
        salt: of the experiment, its id for instance; another salt gives an independent assignment.
        blocks: (N,) the employee who serves each customer; None = one block.
        do_not_contact, in_other_test: (N,) True for customers to leave out.
        previous: (N,) arm of those assigned earlier, -1 for the others.

    Raises:
        InputError: an id twice or blank, shares that do not sum to 1, shapes that differ, or an unknown arm.

    >>> found = assign([f"c{i}" for i in range(6)], [0.5, 0.5], salt="welcome", blocks=["li"] * 4 + ["wu"] * 2)
    >>> [int((found.arm[rows] == 0).sum()) for rows in (slice(0, 4), slice(4, 6))]
    [2, 1]
    """
    guard = Guard()
    names = _texts(guard, "ids", ids)
    share = guard.numbers("shares", list(shares), above=0.0, high=1.0, ndim=(1,))
    if not guard.problems and abs(share.sum() - 1.0) > 1e-9:
        guard.add("shares_sum", "shares", share.tolist(), total=f"{share.sum():g}")
    if len(set(names.tolist())) < names.size:
        repeated = np.unique(names, return_counts=True)[1]
        guard.add("double_rows", "ids", count=int((repeated > 1).sum()))
    labels = np.full(names.size, "") if blocks is None else _texts(guard, "blocks", blocks, names.size)
    refused = _flags(guard, "do_not_contact", do_not_contact, names.size)
    busy = _flags(guard, "in_other_test", in_other_test, names.size)
    before = _arms(guard, previous, names.size, share.size)
    guard.done()
    reason = np.where(refused, 1, np.where(busy & (before == LEFT_OUT), 2, 0))
    new = np.flatnonzero((before == LEFT_OUT) & (reason == 0))
    arm = before.copy()
    arm[new] = _deal(names, labels, before, new, share, salt)
    return Assignment(arm, (arm != LEFT_OUT) & ~refused, reason)


def draw(ids: Sequence[str], count: int, *, salt: str) -> np.ndarray:
    """Return (N,) True for `count` customers drawn from all, the same ones for the same salt; all when they are fewer.

    Who is drawn has nothing to do with the arms that `assign` deals out under the same salt.

    Raises:
        InputError: an id is blank, or count is negative.

    >>> int(draw([f"c{i}" for i in range(10)], 4, salt="welcome").sum())
    4
    """
    guard = Guard()
    names = _texts(guard, "ids", ids)
    wanted = guard.whole("count", count, low=0)
    guard.done()
    drawn = _hashes((salt, "draw"), names)
    taken = np.zeros(names.size, dtype=bool)
    taken[np.lexsort((names, drawn[:, 1], drawn[:, 0]))[:wanted]] = True
    return taken


def _deal(
    names: np.ndarray, labels: np.ndarray, before: np.ndarray, new: np.ndarray, share: np.ndarray, salt: str
) -> np.ndarray:
    """Arms of the new customers, in the order of `new`."""
    keys, block = np.unique(labels, return_inverse=True)
    have = np.zeros((keys.size, share.size), dtype=int)
    old = before != LEFT_OUT
    np.add.at(have, (block[old], before[old]), 1)
    arriving = np.bincount(block[new], minlength=keys.size)
    offset = _hashes((salt, "block"), keys)[:, 0] / 2.0**64
    need = _needed(have, arriving, share, offset)
    drawn = _hashes((salt, "customer"), names[new])
    order = np.lexsort((drawn[:, 1], drawn[:, 0], block[new]))
    sorted_block = block[new][order]
    first = np.cumsum(arriving) - arriving
    rank = np.arange(new.size) - first[sorted_block]
    arms = np.empty(new.size, dtype=int)
    arms[order] = (rank[:, None] >= np.cumsum(need, axis=1)[sorted_block]).sum(axis=1)
    return arms


def _needed(have: np.ndarray, arriving: np.ndarray, share: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """New customers (B, K) of each arm, so that blocks come to their shares; they sum to those who arrive."""
    size = have.sum(axis=1) + arriving
    edges = np.append(0.0, np.cumsum(share))
    edges[-1] = 1.0
    target = np.diff(np.floor(edges * size[:, None] + offset[:, None] + 1e-9), axis=1).astype(int)
    need = np.maximum(target - have, 0)
    # an arm that has more than its part already leaves fewer for the arm that lacks most
    while (over := need.sum(axis=1) > arriving).any():
        rows = np.flatnonzero(over)
        need[rows, need[rows].argmax(axis=1)] -= 1
    return need


def _hashes(head: tuple[str, ...], names: np.ndarray) -> np.ndarray:
    """Return (N, 2) numbers of 64 bits that are the same on every machine."""
    start = hashlib.sha256("".join(f"{part}\x1f" for part in head).encode())
    drawn = []
    for name in names.tolist():
        one = start.copy()
        one.update(name.encode())
        drawn.append(one.digest()[:16])
    return np.frombuffer(b"".join(drawn), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def _texts(guard: Guard, field: str, values: Sequence[str], size: int | None = None) -> np.ndarray:
    texts = np.array([str(value).strip() for value in values], dtype=np.str_)
    if size is not None and texts.size != size:
        guard.add("shape", field, f"shape {texts.shape}", expected=f"({size},), one a customer")
        return np.full(size, "")
    blank = np.flatnonzero(texts == "")
    if blank.size:
        guard.add("missing", f"{field}[{blank[0]}]")
    return texts


def _flags(guard: Guard, field: str, values: Sequence[bool] | None, size: int) -> np.ndarray:
    flags = np.zeros(size, dtype=bool) if values is None else np.asarray(values)
    if flags.dtype != bool:
        guard.add("not_bool", field)
    elif flags.shape != (size,):
        guard.add("shape", field, f"shape {flags.shape}", expected=f"({size},), one a customer")
    else:
        return flags
    return np.zeros(size, dtype=bool)


def _arms(guard: Guard, previous: Sequence[int] | None, size: int, arms: int) -> np.ndarray:
    if previous is None or size == 0:
        return np.full(size, LEFT_OUT)
    before = guard.numbers("previous", previous, low=LEFT_OUT, high=arms - 1, ndim=(1,))
    if before.shape != (size,):
        guard.add("shape", "previous", f"shape {before.shape}", expected=f"({size},), one a customer")
        return np.full(size, LEFT_OUT)
    if not guard.problems and (before != np.floor(before)).any():
        guard.add("not_whole", "previous")
    return before.astype(int) if not guard.problems else np.full(size, LEFT_OUT)
