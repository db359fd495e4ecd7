"""How much of a result's variance each uncertain input explains: Sobol indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, eq=False)
class Sobol:
    """Shares of the variance.

    Attributes:
        first: (N,) by each input alone; they sum to 1 for an additive model.
        total: (N,) by each input with all its interactions.
        variance: of the result.
    """

    first: np.ndarray
    total: np.ndarray
    variance: float


def sobol(
    model: Callable[[np.ndarray], np.ndarray],
    quantiles: Sequence[Callable[[np.ndarray], np.ndarray]],
    *,
    seed: int,
    power: int = 11,
) -> Sobol:
    """Return the indices of a model of independent inputs (Saltelli et al. 2010, first order; Jansen 1999, total).

    Args:
        model: takes (D, N) inputs, returns (D,).
        quantiles: N functions from (D,) probabilities to values of the inputs.
        seed: of the scrambled Sobol points.
        power: 2 ** power points; the model is run (N + 2) times as often.

    Raises:
        InputError: no input, or a result that is not finite.

    >>> found = sobol(lambda x: x[:, 0] + 2 * x[:, 1], [lambda p: p, lambda p: p], seed=1)
    >>> np.round(found.first, 2).tolist()
    [0.2, 0.8]
    """
    from scipy.stats import qmc

    guard = Guard()
    count = len(quantiles)
    if not count:
        guard.add("empty", "quantiles")
    m = guard.whole("power", power, low=4, high=20)
    guard.done()
    points = qmc.Sobol(2 * count, scramble=True, rng=np.random.default_rng(seed)).random_base2(m)
    points = np.clip(points, 1e-12, 1 - 1e-12)
    a, b = (np.stack([q(part[:, i]) for i, q in enumerate(quantiles)], axis=1) for part in np.split(points, 2, axis=1))
    at_a, at_b = (np.asarray(model(x), dtype=float) for x in (a, b))
    centre = (at_a.mean() + at_b.mean()) / 2
    variance = float(np.concatenate([at_a, at_b]).var())
    first, total = np.zeros(count), np.zeros(count)
    for i in range(count):
        mixed = a.copy()
        mixed[:, i] = b[:, i]
        at_mixed = np.asarray(model(mixed), dtype=float)
        if variance > 0:
            first[i] = ((at_b - centre) * (at_mixed - at_a)).mean() / variance
            total[i] = ((at_a - at_mixed) ** 2).mean() / 2 / variance
    guard.numbers("model", [*at_a, *at_b], ndim=(1,))
    guard.done()
    return Sobol(first, total, variance)
