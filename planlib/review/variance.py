"""Why GMV differs between two sides (plan and actual, or two periods), split so that the parts sum to the fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import floor

import numpy as np

from planlib.core.decompose import lmdi
from planlib.core.guards import Guard

FACTORS = ("users", "activity", "conversion", "frequency", "order_value")
GROUP_FACTORS = ("users", "mix", *FACTORS[1:])


@dataclass(frozen=True, slots=True)
class Counts:
    """What GMV is made of, in one period; planned counts need not be whole.

    Attributes:
        users: contacts at the end of the period.
        active: of them, who acted in it.
        buyers: who bought in it.
        orders: paid.
        fen: paid, in whole fen.
    """

    users: float
    active: float
    buyers: float
    orders: float
    fen: int

    def ratios(self) -> tuple[float, ...]:
        """Return users, active a user, buyers an active one, orders a buyer, fen an order; NaN is 0 by 0."""
        steps = (self.users, self.active, self.buyers, self.orders, float(self.fen))
        return (steps[0], *(b / a if a > 0 else np.nan for a, b in pairwise(steps)))


@dataclass(frozen=True, slots=True)
class Bridge:
    """The way from one GMV to another in whole fen: before + the parts = after, exactly.

    Attributes:
        before, after: fen.
        parts: factor of `FACTORS` -> fen.
    """

    before: int
    after: int
    parts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GroupBridge:
    """A bridge over groups: rows sum to each group's change, columns to each factor's part, both exactly.

    Attributes:
        before, after: fen of all groups.
        parts: factor of `GROUP_FACTORS` -> fen; mix is that groups of other worth per user gained or lost share.
        groups: group -> factor -> fen.
    """

    before: int
    after: int
    parts: Mapping[str, int]
    groups: Mapping[str, Mapping[str, int]]


def split(before: Counts, after: Counts) -> Bridge:
    """Split the change of GMV into users, activity, conversion, frequency and order value (LMDI).

    A ratio that one side does not have, since nobody was there to have it, counts as unchanged; a GMV that
    falls to zero or rises from it is explained by the counts that are zero.

    Args:
        before, after: the two sides; what follows from an empty step must be empty too.

    Raises:
        InputError: a negative count, orders without buyers, or money without orders.

    >>> found = split(Counts(100, 50, 10, 10, 100_000), Counts(200, 100, 20, 20, 200_000))
    >>> found.parts["users"], found.parts["order_value"]
    (100000, 0)
    """
    guard = Guard()
    for name, side in (("before", before), ("after", after)):
        _check(guard, name, side)
    guard.done()
    old, new = _filled(np.array([before.ratios()]), np.array([after.ratios()]))
    (parts,) = _whole(lmdi(old, new), [after.fen - before.fen])
    return Bridge(before.fen, after.fen, dict(zip(FACTORS, parts, strict=True)))


def split_by(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> GroupBridge:
    """Split the change of GMV over groups: number of users, their mix, and each ratio within the groups.

    Args:
        before, after: group -> counts; a group that one side lacks is empty there.

    Raises:
        InputError: no group, or as `split`.

    >>> found = split_by({"a": Counts(10, 10, 10, 10, 1000), "b": Counts(10, 10, 10, 10, 3000)},
    ...                  {"a": Counts(5, 5, 5, 5, 500), "b": Counts(15, 15, 15, 15, 4500)})
    >>> found.parts["users"], found.parts["mix"], sum(found.parts.values())
    (0, 1000, 1000)
    """
    guard = Guard()
    names = list(dict.fromkeys([*before, *after]))
    if not names:
        guard.add("empty", "before")
    nobody = Counts(0.0, 0.0, 0.0, 0.0, 0)
    sides = [[side.get(name, nobody) for name in names] for side in (before, after)]
    for label, rows in zip(("before", "after"), sides, strict=True):
        for name, row in zip(names, rows, strict=True):
            _check(guard, f"{label}.{name}", row)
    guard.done()
    old, new = _filled(*(_with_mix(rows) for rows in sides))
    deltas = [b.fen - a.fen for a, b in zip(*sides, strict=True)]
    rows = _whole(lmdi(old, new), deltas)
    groups = {name: dict(zip(GROUP_FACTORS, row, strict=True)) for name, row in zip(names, rows, strict=True)}
    parts = {factor: sum(row[factor] for row in groups.values()) for factor in GROUP_FACTORS}
    return GroupBridge(*(sum(row.fen for row in rows) for rows in sides), parts, groups)


def _check(guard: Guard, name: str, counts: Counts) -> None:
    """Note negative counts, and what is there although the step before it is empty."""
    steps = {field: guard.number(f"{name}.{field}", getattr(counts, field), low=0.0) for field in Counts.__slots__}
    guard.whole(f"{name}.fen", counts.fen, low=0, high=2**53)
    for (above, a), (_, b) in pairwise(steps.items()):
        if a == 0 and b > 0:
            guard.add("above", f"{name}.{above}", a, low=0)


def _with_mix(rows: list[Counts]) -> np.ndarray:
    """Return (G, 6) all users, the group's share of them, and its ratios."""
    ratios = np.array([row.ratios() for row in rows])
    total = ratios[:, 0].sum()
    share = ratios[:, 0] / total if total > 0 else np.full(len(rows), np.nan)
    return np.column_stack([np.full(len(rows), total), share, ratios[:, 1:]])


def _filled(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put the other side's ratio where one side has none; 1 where neither has."""
    filled_old = np.where(np.isnan(old), np.where(np.isnan(new), 1.0, new), old)
    return filled_old, np.where(np.isnan(new), filled_old, new)


def _whole(parts: np.ndarray, deltas: list[int]) -> list[list[int]]:
    """Round each row to whole fen that sum to its change: the largest fractions are rounded up."""
    found = []
    for row, delta in zip(parts.tolist(), deltas, strict=True):
        whole = [floor(x) for x in row]
        order = sorted(range(len(row)), key=lambda k: (whole[k] - row[k], k))
        left = delta - sum(whole)
        for k in range(abs(left)):
            whole[order[k % len(row)]] += 1 if left > 0 else -1
        found.append(whole)
    return found
