"""Shares of many small groups: drawn towards their parent by how little each has seen, and what chance explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Pooled:
    """Shares of G groups, each beside the others of its parent.

    Attributes:
        raw: (G,) successes over trials; NaN where there were no trials.
        share: (G,) the share after pooling.
        low, high: (G,) interval of it.
        parent_share: (G,) share of the parent's groups together.
        strength: trials that the parent's share weighs as much as; infinite where groups differ from their parents
            no more than chance makes them.
        level: coverage of the interval.
    """

    raw: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    parent_share: np.ndarray
    strength: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the share of a group of n lies by chance alone, for every n asked for.

    Attributes:
        low, high: (G,) limits that 95 of 100 groups keep.
        far_low, far_high: (G,) limits that 998 of 1000 keep.
        target: the share that all groups are held against.
    """

    low: np.ndarray
    high: np.ndarray
    far_low: np.ndarray
    far_high: np.ndarray
    target: float


def pool_shares(
    successes: Sequence[int], trials: Sequence[int], parents: Sequence[str] | None = None, *, level: float = 0.95
) -> Pooled:
    """Draw the shares of groups towards their parent's: few trials far, many hardly.

    Within each parent the groups' true shares are taken to follow a beta distribution around the parent's share. How
    far they scatter is estimated from all groups together (moments), since one parent has few; where they scatter no
    more than chance makes them, all get their parent's share.

    Args:
        successes, trials: (G,) whole counts, successes <= trials.
        parents: (G,) the parent of each group, e.g. its region; None: one parent for all.
        level: coverage of the intervals.

    Raises:
        InputError: counts are impossible or lengths disagree.

    Source: Kleinman 1973 (moments of the beta-binomial); Efron & Morris 1975.

    >>> found = pool_shares([3, 540, 610, 300], [3, 1000, 1000, 1000])
    >>> bool(found.share[0] < 0.9 < found.raw[0])
    True
    """
    guard = Guard()
    x, n = _counts(guard, successes, trials)
    guard.number("level", level, above=0.0, below=1.0)
    names = np.zeros(len(n), dtype=int) if parents is None else np.unique(list(parents), return_inverse=True)[1]
    if len(names) != len(n):
        guard.add("shape", "parents", len(names), expected=f"{len(n)} values")
    guard.done()
    parent_x, parent_n = np.bincount(names, x), np.bincount(names, n)
    centre = np.where(parent_n > 0, parent_x / np.maximum(parent_n, 1.0), 0.5)
    strength = _strength(x, n, names, centre)
    return _posterior(x, n, centre[names], strength, np.array([parent_x, parent_n])[:, names], level)


def _posterior(
    x: np.ndarray, n: np.ndarray, prior: np.ndarray, strength: float, of_parent: np.ndarray, level: float
) -> Pooled:
    """Add what a group has seen to its prior; groups that chance alone sets apart have seen what their parent has."""
    from scipy.special import betaincinv

    alike = strength == float("inf")
    known = 0.0 if alike else strength
    successes, trials = of_parent if alike else (x, n)
    a, b = prior * known + successes, (1 - prior) * known + trials - successes
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(n > 0, x / n, np.nan)
        pooled = np.where(a + b > 0, a / (a + b), prior)
    low, high = (_quantile(betaincinv, a, b, p) for p in ((1 - level) / 2, (1 + level) / 2))
    return Pooled(raw, pooled, low, high, prior, strength, level)


def _quantile(inverse: np.ufunc, a: np.ndarray, b: np.ndarray, p: float) -> np.ndarray:
    """Return quantiles of beta distributions; a side without weight stands at its end."""
    inside = inverse(np.maximum(a, 1e-9), np.maximum(b, 1e-9), p)
    return np.where(a <= 0, 0.0, np.where(b <= 0, 1.0, inside))


def _strength(x: np.ndarray, n: np.ndarray, names: np.ndarray, centre: np.ndarray) -> float:
    """Return how many trials a parent's share weighs as much as.

    The weighted squares of groups around their parents are (k - 1) c + phi c (N - sum n^2 / N - (k - 1)) on average
    for a parent of k groups, N trials and chance variance c = p (1 - p); phi = 1 / (strength + 1) is the same for all.
    """
    seen = n > 0
    x, n, names = x[seen], n[seen], names[seen]
    parents = len(centre)
    k, total = np.bincount(names, minlength=parents), np.bincount(names, n, parents)
    chance = centre * (1 - centre)
    between = np.bincount(names, n * (x / n - centre[names]) ** 2, parents)
    scale = np.where(total > 0, total - np.bincount(names, n**2, parents) / np.maximum(total, 1.0) - (k - 1), 0.0)
    excess = float((between - (k - 1) * chance)[k > 0].sum())
    room = float((chance * scale)[k > 1].sum())
    return max(room / excess - 1, 0.0) if excess > 0 and room > 0 else float("inf")


def funnel_limits(trials: Sequence[int], target: float) -> Limits:
    """Return the limits of a funnel plot: groups inside differ from the target no more than chance lets them.

    Args:
        trials: (G,) whole, >= 1; sort them to draw the limits as lines.
        target: the share that groups are held against.

    Source: Spiegelhalter 2005: exact binomial limits, interpolated between whole counts.

    >>> found = funnel_limits([20, 2000], 0.8)
    >>> (found.high - found.low).round(2).tolist()
    [0.35, 0.04]
    """
    guard = Guard()
    n = guard.numbers("trials", list(trials), low=1.0, ndim=(1,))
    centre = guard.number("target", target, low=0.0, high=1.0)
    guard.done()
    low, high, far_low, far_high = (_binomial_limit(n, centre, p) for p in (0.025, 0.975, 0.001, 0.999))
    return Limits(low, high, far_low, far_high, centre)


def _binomial_limit(n: np.ndarray, p: float, probability: float) -> np.ndarray:
    """Return the share whose tail is `probability`, linear between the two counts around it."""
    from scipy.stats import binom

    if p in (0.0, 1.0):
        return np.full(len(n), p)
    upper = binom.ppf(probability, n, p)
    above, at = binom.cdf(upper, n, p), binom.pmf(upper, n, p)
    share = (upper - (above - probability) / at) / n
    return np.clip(share, 0.0, 1.0)


def _counts(guard: Guard, successes: Sequence[int], trials: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    x = guard.numbers("successes", list(successes), low=0.0, ndim=(1,))
    n = guard.numbers("trials", list(trials), low=0.0, ndim=(1,))
    if len(x) != len(n):
        guard.add("shape", "successes", len(x), expected=f"{len(n)} values")
        guard.done()
    if np.any(x > n):
        index = int((x > n).argmax())
        guard.add("out_of_range", f"successes[{index}]", float(x[index]), low=0, high=float(n[index]))
    for name, values in {"successes": x, "trials": n}.items():
        if np.any(values != np.floor(values)):
            guard.add("not_whole", name, values.tolist())
    return x, n
