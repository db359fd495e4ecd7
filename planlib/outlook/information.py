"""What knowing more is worth before choosing: perfect information about one quantity, and a measurement of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

BINS = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """Options on the same paths.

    Attributes:
        best: option with the largest mean.
        values: {option: mean}.
        chance_best: {option: share of the paths on which it is the best}.
        evpi: what is gained by knowing everything: mean of the best of each path less the best mean.
    """

    best: str
    values: Mapping[str, float]
    chance_best: Mapping[str, float]
    evpi: float


def choice(payoffs: Mapping[str, object]) -> Choice:
    """Return which option is best on average and what perfect information would add.

    Args:
        payoffs: {option: (D,)} on the same paths, in one unit.

    >>> found = choice({"a": [0.0, 4.0], "b": [1.0, 1.0]})
    >>> found.best, found.evpi
    ('a', 0.5)
    """
    table = _table(payoffs)
    names = list(payoffs)
    means = table.mean(axis=1)
    first = table.argmax(axis=0)
    counts = np.bincount(first, minlength=len(names)) / table.shape[1]
    return Choice(
        names[int(means.argmax())],
        dict(zip(names, means.tolist(), strict=True)),
        dict(zip(names, counts.tolist(), strict=True)),
        float(table.max(axis=0).mean() - means.max()),
    )


def evppi(payoffs: Mapping[str, object], known: object, *, bins: int = BINS) -> float:
    """Return what is gained by knowing one quantity exactly before choosing.

    E_x[max_d E[payoff_d | x]] - max_d E[payoff_d], the inner mean taken over sorted bins of equal size (Strong &
    Oakley 2013). Values that are the same, as of a risk that does not strike, form a bin of their own. The greatest of
    noisy means is too high, so the option of a bin is chosen on one half of the paths and valued on the other, and the
    other way round: what remains errs on the low side.

    Args:
        payoffs: {option: (D,)} on the same paths.
        known: (D,) the quantity on each path.
        bins: groups, at least 2.

    Raises:
        InputError: fewer than two options, shapes that differ, values that are not finite.

    >>> x = np.linspace(-1.0, 1.0, 1_000)
    >>> round(evppi({"go": x, "stay": np.zeros(1_000)}, x), 3)
    0.25
    """
    guard = Guard()
    table = _table(payoffs)
    x = guard.numbers("known", known, ndim=(1,))
    count = guard.whole("bins", bins, low=2)
    if x.shape != table.shape[1:]:
        guard.add("shape", "known", f"shape {x.shape}", expected=f"{table.shape[1:]}")
    guard.done()
    groups = _groups(x, count)
    halves = np.arange(len(x)) % 2 == 0
    best = int(table.mean(axis=1).argmax())
    more = table - table[best]
    return max(_gain(more, groups, halves) + _gain(more, groups, ~halves), 0.0)


def evsi(
    payoffs: Mapping[str, object], truth: object, *, error: float, rng: np.random.Generator, bins: int = BINS
) -> float:
    """Return what is gained by measuring one quantity with a normal error before choosing.

    The measurement is simulated on every path and valued like perfect information about it.

    Args:
        payoffs, bins: as `evppi`.
        truth: (D,) the quantity on each path.
        error: standard error of the measurement, > 0.
        rng: stream of the errors.
    """
    guard = Guard()
    x = guard.numbers("truth", truth, ndim=(1,))
    spread = guard.number("error", error, above=0.0)
    guard.done()
    return evppi(payoffs, x + spread * rng.standard_normal(len(x)), bins=bins)


def _table(payoffs: Mapping[str, object]) -> np.ndarray:
    guard = Guard()
    rows = [guard.numbers(f"payoffs.{name}", value, ndim=(1,)) for name, value in payoffs.items()]
    if len(rows) < 2:
        guard.add("too_few", "payoffs", len(rows), low=2)
    elif len({row.shape for row in rows}) > 1:
        guard.add("shape", "payoffs", str([row.shape for row in rows]), expected="the same paths for every option")
    guard.done()
    return np.stack(rows)


def _groups(x: np.ndarray, bins: int) -> np.ndarray:
    """Number groups of nearly equal size; a value that fills a group by itself is one."""
    order = np.argsort(x, kind="stable")
    ranked = x[order]
    size = max(len(x) // bins, 1)
    _, first, counts = np.unique(ranked, return_index=True, return_counts=True)
    found = np.empty(len(x), dtype=np.int64)
    if counts.max() < size:
        found[order] = np.minimum(np.arange(len(x)) // size, bins - 1)
        return found
    group, filled = 0, 0
    at = np.empty(len(x), dtype=np.int64)
    for start, count in zip(first.tolist(), counts.tolist(), strict=True):
        if filled and (count >= size or filled + count > size):
            group, filled = group + 1, 0
        at[start : start + count] = group
        filled += count
    found[order] = at
    return found


def _gain(more: np.ndarray, groups: np.ndarray, chosen: np.ndarray) -> float:
    """Gain a path of choosing in each group by the paths `chosen`, counted on the others.

    Args:
        more: (O, D) payoffs over those of the option that is best overall.
    """
    size = int(groups.max()) + 1

    def sums(part: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(groups[part], row[part], minlength=size) for row in more])

    pick = sums(chosen).argmax(axis=0)
    return float(sums(~chosen)[pick, np.arange(size)].sum()) / len(groups)
