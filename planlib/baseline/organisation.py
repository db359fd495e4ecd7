"""Head office, regions, stores: levels that add up exactly, and a league that does not rank noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.baseline.pooling import Pooled, funnel_limits, pool_shares
from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Node:
    """One unit of a level: its counts, its share."""

    name: str
    parent: str
    successes: int
    trials: int

    @property
    def share(self) -> float | None:
        return self.successes / self.trials if self.trials else None


@dataclass(frozen=True, slots=True)
class League:
    """S stores of one organisation.

    Attributes:
        stores: in the order given.
        regions: sorted by name; each is the exact sum of its stores.
        total: the exact sum of the regions.
        pooled: the stores' shares drawn towards their regions'.
        beyond: (S,) -1, 0, 1: below, within, above what chance lets a store of its size differ from the total
            (the limits that 998 of 1000 keep).
    """

    stores: tuple[Node, ...]
    regions: tuple[Node, ...]
    total: Node
    pooled: Pooled
    beyond: np.ndarray

    @property
    def residual(self) -> int:
        """0 when the levels add up."""
        gaps = [
            abs(getattr(self.total, name) - sum(getattr(node, name) for node in level))
            for level in (self.stores, self.regions)
            for name in ("successes", "trials")
        ]
        return max(gaps)

    def ranked(self) -> np.ndarray:
        """Return (S,) positions of the stores, the best pooled share first; equal ones as given."""
        return np.argsort(-self.pooled.share, kind="stable")


def league(
    stores: Sequence[str], regions: Sequence[str], successes: Sequence[int], trials: Sequence[int], *,
    total: str = "total", level: float = 0.95,
) -> League:  # fmt: skip
    """Add stores up to regions and the whole, and pool their shares.

    Args:
        stores: (S,) names, each once within its region.
        regions: (S,) the region of each.
        successes, trials: (S,) whole counts, e.g. checks passed and made.
        total: name of the whole.
        level: coverage of the pooled intervals.

    Raises:
        InputError: lengths disagree, a store stands twice, or counts are impossible.

    >>> found = league(["s1", "s2", "s3"], ["n", "n", "n"], [3, 520, 610], [3, 1000, 1000])
    >>> found.total.trials, bool(found.pooled.share[0] < 0.9)
    (2003, True)
    """
    guard = Guard()
    if not stores:
        guard.add("empty", "stores")
    if not len(stores) == len(regions) == len(successes) == len(trials):
        guard.add("shape", "stores", len(stores), expected=f"{len(trials)} values, as trials")
    keys = list(zip(regions, stores, strict=False))
    for region, store in sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()):
        guard.add("duplicate_id", "stores", f"{region} / {store}", first=store)
    guard.done()
    pooled = pool_shares(successes, trials, regions, level=level)
    nodes = tuple(Node(s, r, int(x), int(n)) for s, r, x, n in zip(stores, regions, successes, trials, strict=True))
    above = tuple(_sum(region, total, nodes, region) for region in sorted(set(regions)))
    whole = _sum(total, "", above, total)
    return League(nodes, above, whole, pooled, _beyond(nodes, whole))


def _sum(name: str, parent: str, nodes: tuple[Node, ...], of: str) -> Node:
    inside = [node for node in nodes if node.parent == of]
    return Node(name, parent, sum(node.successes for node in inside), sum(node.trials for node in inside))


def _beyond(nodes: tuple[Node, ...], whole: Node) -> np.ndarray:
    if not whole.trials:
        return np.zeros(len(nodes), dtype=int)
    n = np.array([node.trials for node in nodes])
    share = np.array([node.successes for node in nodes]) / np.maximum(n, 1)
    limits = funnel_limits(np.maximum(n, 1), whole.successes / whole.trials)
    return np.where(n == 0, 0, np.where(share < limits.far_low, -1, np.where(share > limits.far_high, 1, 0)))
