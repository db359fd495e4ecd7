"""A target split down an organisation: exact sums on every level, hand-set shares kept, limits named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.decompose import apportion
from planlib.core.guards import Guard

_EPS = 1e-9


@dataclass(frozen=True, slots=True)
class OverCapacity:
    """A unit that is to carry more than it can, in the month in which that is worst.

    Attributes:
        unit: its index.
        first_month: first month (1..T) in which it does.
        month: the month of the largest excess.
        amount, capacity, excess: in that month, in the target's unit.
    """

    unit: int
    first_month: int
    month: int
    amount: float
    capacity: float
    excess: float


@dataclass(frozen=True, slots=True)
class Split:
    """A target by unit.

    Attributes:
        amounts: (T, U) what each unit carries; units right below one parent sum to the parent exactly, those right
            below the whole to the target.
        shares: (U,) of the unit above, before capacities.
        over: the units above their capacity after the split; nothing is bent for them unless asked.
        moved: (T,) what was moved to units with room, before rounding, in the target's unit.
        ceiling: the most that all units together can carry; None while a unit without a stated capacity can take
            more.
        short: the most by which the target exceeds the ceiling, 0 without one.
        ceiling_month: first month in which it does; None if never.
    """

    amounts: np.ndarray
    shares: np.ndarray
    over: tuple[OverCapacity, ...]
    moved: np.ndarray
    ceiling: float | None
    short: float
    ceiling_month: int | None


def split(
    target: object,
    *,
    parents: Sequence[int],
    weights: Sequence[float],
    shares: Sequence[float | None] | None = None,
    capacities: Sequence[float | None] | None = None,
    move: bool = False,
) -> Split:
    """Split a target, or each rung of its ladder, down a tree of units.

    Units below one parent keep their hand-set shares and divide what is left by their weights. A whole target gives
    whole parts by largest remainder; where the target does not fall, no unit falls either. A unit without units
    below it is a leaf; the whole itself is no unit.

    Args:
        target: (T,) or one number, >= 0.
        parents: (U,) index of the unit above; -1 below the whole.
        weights: (U,) >= 0, e.g. history or capacity; not used for units with a hand-set share.
        shares: (U,) share of the unit above, set by hand; None elsewhere.
        capacities: (U,) most that a unit can carry, in the target's unit; None where unlimited. What a unit can
            carry is also limited by the units below it.
        move: what exceeds the capacity of a unit goes, in proportion to their parts, to brothers with room. Hand-set
            shares stay, and nothing moves in a month whose target exceeds the ceiling.

    Raises:
        InputError: shapes disagree; a parent that does not exist or a circle; shares of one parent above 1, or below
            it with nobody left to take the rest; weights of those left that sum to 0.

    Source: Hamilton's method (Balinski & Young 2001).

    >>> split(100.0, parents=[-1, -1, 0, 0], weights=[3.0, 1.0, 1.0, 1.0]).amounts
    array([[75., 25., 38., 37.]])
    """
    guard = Guard()
    path = np.atleast_1d(guard.numbers("target", target, low=0.0, ndim=(0, 1)))
    children = _children(guard, parents)
    count = len(parents)
    weight = guard.numbers("weights", list(weights), low=0.0, ndim=(1,))
    if weight.size != count:
        guard.add("shape", "weights", f"{weight.size} weights", expected=f"{count}")
    by_hand = _optional(guard, "shares", shares, count, high=1.0)
    most = _optional(guard, "capacities", capacities, count)
    guard.done()
    parts = _parts(guard, children, weight, by_hand)
    guard.done()
    whole = bool(np.all(path == np.round(path)))
    limit = np.where(np.isnan(most), np.inf, np.floor(most) if whole else most)
    order = _top_down(children)
    for unit in reversed(order):
        if unit in children:
            limit[unit] = min(limit[unit], limit[children[unit]].sum())
    ceiling = float(limit[children[-1]].sum())
    amounts = np.zeros((path.size, count))
    moved = np.zeros(path.size)
    for parent in (-1, *order):
        if parent not in children:
            continue
        below = children[parent]
        total = path if parent == -1 else amounts[:, parent]
        quota = total[:, None] * parts[below]
        if move:
            fits = (path <= ceiling + _EPS) & (quota > limit[below]).any(axis=1)
            free = np.isnan(by_hand[below])
            for t in np.flatnonzero(fits):
                filled = _fill(quota[t], limit[below], free)
                moved[t] += np.maximum(filled - quota[t], 0.0).sum()
                quota[t] = filled
        amounts[:, below] = _whole(total, quota) if whole else quota
    beyond = (amounts > most + _EPS).any(axis=0)
    over = tuple(_over(unit, amounts[:, unit], most[unit]) for unit in np.flatnonzero(beyond).tolist())
    late = np.flatnonzero(path > ceiling + _EPS)
    return Split(
        amounts=amounts,
        shares=parts,
        over=over,
        moved=moved,
        ceiling=ceiling if np.isfinite(ceiling) else None,
        short=max(float(path.max()) - ceiling, 0.0) if np.isfinite(ceiling) else 0.0,
        ceiling_month=int(late[0]) + 1 if late.size else None,
    )


def _optional(
    guard: Guard, name: str, values: Sequence[float | None] | None, count: int, high: float | None = None
) -> np.ndarray:
    """Return (U,) with NaN where nothing is stated."""
    found = np.full(count, np.nan)
    given = [None] * count if values is None else list(values)
    if len(given) != count:
        guard.add("shape", name, f"{len(given)} values", expected=f"{count}")
        return found
    for unit, value in enumerate(given):
        if value is not None:
            found[unit] = guard.number(f"{name}[{unit}]", value, low=0.0, high=high)
    return found


def _children(guard: Guard, parents: Sequence[int]) -> dict[int, list[int]]:
    """Return {parent: its units}, and name parents that do not exist or form a circle."""
    children: dict[int, list[int]] = {}
    if not len(parents):
        guard.add("empty", "parents")
    for unit, parent in enumerate(parents):
        if parent != int(parent) or not -1 <= parent < len(parents):
            guard.add("out_of_range", f"parents[{unit}]", parent, low=-1, high=len(parents) - 1)
        else:
            children.setdefault(int(parent), []).append(unit)
    if not guard.problems:
        lost = sorted(set(range(len(parents))) - set(_top_down(children)))
        if lost:
            guard.add("cycle", f"parents[{lost[0]}]", parents[lost[0]], chain=" → ".join(map(str, [*lost, lost[0]])))
    return children


def _top_down(children: dict[int, list[int]]) -> list[int]:
    order = list(children.get(-1, ()))
    for unit in order:
        order.extend(children.get(unit, ()))
    return order


def _parts(guard: Guard, children: dict[int, list[int]], weight: np.ndarray, by_hand: np.ndarray) -> np.ndarray:
    """Return (U,) the share of each unit in the one above."""
    parts = by_hand.copy()
    for below in children.values():
        free = [unit for unit in below if np.isnan(by_hand[unit])]
        left = 1.0 - sum(by_hand[unit] for unit in below if unit not in free)
        if left < -_EPS or (left > _EPS and not free):
            guard.add("sums_to_one", f"shares[{below[0]}]", 1.0 - left)
        elif free and left > _EPS and weight[free].sum() <= 0:
            guard.add("above", f"weights[{free[0]}]", 0.0, low="0 in at least one unit")
        else:
            base = weight[free].sum()
            parts[free] = max(left, 0.0) * weight[free] / base if base > 0 else 0.0
    return parts


def _fill(quota: np.ndarray, limit: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Move what exceeds a limit to units with room, in proportion to their parts; fixed units stay."""
    filled = quota.copy()
    total = quota.sum()
    for _ in range(len(quota)):
        capped = np.where(free, np.minimum(filled, limit), filled)
        excess = total - capped.sum()
        if excess <= _EPS * max(total, 1.0):
            return capped
        room = free & (capped < limit)
        if not room.any():
            return filled
        base = np.where(room, np.maximum(capped, _EPS), 0.0)
        filled = capped + excess * base / base.sum()
    return filled


def _whole(total: np.ndarray, quota: np.ndarray) -> np.ndarray:
    """Round each row to whole parts of its total; a unit falls only where its exact part does.

    Largest remainder may take one from a unit although the total rises; that one is taken back from the unit that
    was rounded up most.
    """
    found = np.zeros_like(quota)
    for t in np.flatnonzero(total):
        parts = apportion(round(total[t]), quota[t]).astype(float)
        if t and total[t] >= total[t - 1]:
            before = found[t - 1]
            kept = np.where(quota[t] >= quota[t - 1] - _EPS, np.maximum(parts, before), parts)
            for _ in range(round(kept.sum() - total[t])):
                kept[np.where(kept > before, kept - quota[t], -np.inf).argmax()] -= 1
            parts = kept
        found[t] = parts
    return found


def _over(unit: int, amounts: np.ndarray, capacity: float) -> OverCapacity:
    excess = amounts - capacity
    worst = int(excess.argmax())
    first = int((excess > _EPS).argmax()) + 1
    return OverCapacity(unit, first, worst + 1, float(amounts[worst]), float(capacity), float(excess[worst]))
