"""Split a difference into the parts of its factors, and a total into whole parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import factorial, floor

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Split:
    """A difference and the part of each factor; the parts sum to the difference."""

    delta: float
    parts: Mapping[str, float]


def lmdi(before: object, after: object) -> np.ndarray:
    """Split the change of a product into one part for each factor (LMDI-I, additive).

    Part of factor f = L(after, before) ln(after_f / before_f), where L(a, b) = (a - b) / ln(a / b)
    is the logarithmic mean of the two products. The order of the factors does not matter and
    nothing is left over.

    Zeros take the limit of the formula: a product that rises from or falls to zero is
    explained by the factors that are zero on that side, in equal parts; where both products
    are zero every part is zero.

    Args:
        before: (..., F) factors >= 0.
        after: (..., F) factors >= 0, same shape.

    Returns:
        (..., F) parts in the unit of the product; their sum is prod(after) - prod(before).

    Raises:
        InputError: shapes disagree, or a factor is negative or not finite.

    Source: Ang 2004, 2005; limits for zeros: Ang & Liu 2007.

    >>> lmdi([2.0, 3.0], [4.0, 3.0])
    array([6., 0.])
    >>> lmdi([0.0, 3.0], [4.0, 5.0])
    array([20.,  0.])
    """
    guard = Guard()
    old = guard.numbers("before", before, low=0.0)
    new = guard.numbers("after", after, low=0.0)
    if old.shape != new.shape or old.ndim == 0:
        guard.add("shape", "after", f"shape {new.shape}", expected=f"the shape of before, {old.shape}, factors last")
    guard.done()
    product_old, product_new = old.prod(axis=-1), new.prod(axis=-1)
    delta = product_new - product_old
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.abs(delta) <= 1e-6 * product_old
        mean = np.where(near, (product_old + product_new) / 2, delta / (np.log(product_new) - np.log(product_old)))
        parts = mean[..., None] * (np.log(new) - np.log(old))
    zero = np.where((product_old == 0)[..., None], old == 0, new == 0)
    count = np.maximum(zero.sum(axis=-1, keepdims=True), 1)
    one_sided = (product_old == 0) != (product_new == 0)
    parts = np.where(one_sided[..., None], zero * delta[..., None] / count, parts)
    parts = np.where(((product_old == 0) & (product_new == 0))[..., None], 0.0, parts)
    return _close(parts, delta)


def lmdi_by_name(before: Mapping[str, float], after: Mapping[str, float]) -> Split:
    """Split the change of a product of named factors; see `lmdi`.

    >>> lmdi_by_name({"users": 100.0, "rate": 0.5}, {"users": 200.0, "rate": 0.5}).parts
    {'users': 50.0, 'rate': 0.0}
    """
    guard = Guard()
    if not before:
        guard.add("empty", "before")
    for name in sorted(set(before) ^ set(after)):
        guard.add("missing", f"{'before' if name in after else 'after'}.{name}")
    guard.done()
    parts = lmdi([before[name] for name in before], [after[name] for name in before])
    delta = float(np.prod(list(after.values())) - np.prod(list(before.values())))
    return Split(delta, dict(zip(before, parts.tolist(), strict=True)))


def shapley(
    value: Callable[[frozenset[str]], object],
    players: Sequence[str],
    *,
    rng: np.random.Generator | None = None,
    permutations: int = 20,
    exact_up_to: int = 8,
) -> np.ndarray:
    """Split what all players gain together, each by its mean gain over the orders in which they may join.

    Exact over all coalitions up to `exact_up_to` players. Above, the mean over random orders, each taken
    forwards and backwards; every order sums to the total, so their mean does too.

    Args:
        value: worth of a set of players, a number or (K,) of several games at once; each set is asked once.
        players: (P,) names, each once.
        rng: stream of the orders; needed above `exact_up_to` players.
        permutations: orders, half of them drawn.

    Returns:
        (P,) or (P, K) parts; their sum over players is value(all) - value(none).

    Raises:
        InputError: no player.

    Source: Shapley 1953; sampling of orders: Castro, Gomez & Tejada 2009.

    >>> shapley(lambda who: 6.0 * ("a" in who and "b" in who), ["a", "b", "c"])
    array([3., 3., 0.])
    """
    guard = Guard()
    names = tuple(players)
    if not names:
        guard.add("empty", "players")
    guard.done()
    known: dict[frozenset[str], np.ndarray] = {}

    def worth(who: frozenset[str]) -> np.ndarray:
        if who not in known:
            known[who] = np.asarray(value(who), dtype=float)
        return known[who]

    parts = np.zeros((len(names), *worth(frozenset()).shape))
    if len(names) <= exact_up_to:
        for index, name in enumerate(names):
            others = [other for other in names if other != name]
            for size in range(len(names)):
                weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
                for chosen in combinations(others, size):
                    parts[index] += weight * (worth(frozenset({*chosen, name})) - worth(frozenset(chosen)))
    else:
        orders = [rng.permutation(len(names)) for _ in range(max(permutations // 2, 1))]
        orders += [order[::-1] for order in orders]
        for order in orders:
            joined: frozenset[str] = frozenset()
            for index in order:
                more = joined | {names[index]}
                parts[index] += (worth(more) - worth(joined)) / len(orders)
                joined = more
    return parts


def apportion(total: int, weights: object) -> np.ndarray:
    """Divide a whole total into whole parts by largest remainder; ties go to the earlier part.

    Args:
        total: whole number >= 0.
        weights: (..., K) >= 0 with a positive sum in every row.

    Returns:
        (..., K) whole parts; each row sums to the total exactly.

    Raises:
        InputError: the total is not whole or negative, or a row of weights sums to zero.

    Source: Hamilton's method, Balinski & Young 2001.

    >>> apportion(1_000_000, [1, 1, 1])
    array([333334, 333333, 333333])
    """
    guard = Guard()
    whole = guard.whole("total", total, low=0, high=2**53)
    share = guard.numbers("weights", weights, low=0.0)
    if share.ndim == 0:
        guard.add("shape", "weights", "one number", expected="a row of weights")
    elif share.size and np.any(share.sum(axis=-1) <= 0):
        guard.add("above", "weights", 0.0, low="0 in at least one part")
    guard.done()
    rows = [_largest_remainder(whole, row) for row in share.reshape(-1, share.shape[-1])]
    return np.array(rows, dtype=np.int64).reshape(share.shape)


def _largest_remainder(whole: int, weights: np.ndarray) -> list[int]:
    """One row in exact arithmetic; remainders that differ by less than 1e-9 are ties."""
    exact = [Fraction(weight) for weight in weights.tolist()]
    scale = whole / sum(exact)
    exact = [weight * scale for weight in exact]
    parts = [floor(value) for value in exact]
    order = sorted(range(len(parts)), key=lambda k: (-round(float(exact[k] - parts[k]), 9), k))
    for k in order[: whole - sum(parts)]:
        parts[k] += 1
    return parts


def _close(parts: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Give the last rounding error to the largest part, so that the parts sum exactly."""
    largest = np.abs(parts).argmax(axis=-1)[..., None]
    rest = (delta - parts.sum(axis=-1))[..., None]
    np.put_along_axis(parts, largest, np.take_along_axis(parts, largest, axis=-1) + rest, axis=-1)
    return parts
