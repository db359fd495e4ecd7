"""Who should get what: worth of scores and of rules by segment, exploring shares, and values off policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.experiments.portfolio import shrink

FLOOR = 0.05  # least share of every arm, so that effects stay estimable


@dataclass(frozen=True, eq=False)
class Qini:
    """How well a score finds the people whom a treatment moves (Radcliffe 2007).

    Attributes:
        share: (K,) share of people treated, best scores first.
        gained: (K,) outcomes gained per person of all when that share is treated.
        at_random: (K,) the same when as many are treated at random.
        coefficient: area between the two, in outcomes per person; 0 for a score that knows nothing.
        interval: bootstrap over people, the order of scores kept.
        n: people.
    """

    share: np.ndarray
    gained: np.ndarray
    at_random: np.ndarray
    coefficient: float
    interval: Interval
    n: int


def qini(
    score: object, treated: object, outcome: object, *, rng: np.random.Generator, draws: int = 400, level: float = 0.95
) -> Qini:
    """Return the Qini curve of a score on a randomised test.

    Args:
        score: (N,) higher = treat first; ties are broken at random.
        treated: (N,) 1 treated, 0 held out, assigned at random.
        outcome: (N,) of each person.
        rng: for ties and the bootstrap.
        draws: of the bootstrap.
        level: of the interval.

    Raises:
        InputError: shapes that differ, values that are not finite, an arm without people.
    """
    guard = Guard()
    s = guard.numbers("score", score, ndim=(1,))
    t = guard.numbers("treated", treated, low=0.0, high=1.0, ndim=(1,))
    y = guard.numbers("outcome", outcome, ndim=(1,))
    for name, values in (("treated", t), ("outcome", y)):
        if values.shape != s.shape:
            guard.add("shape", name, f"shape {values.shape}", expected=f"{s.shape}")
    repeats = guard.whole("draws", draws, low=20)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    for k in np.flatnonzero((t != 0) & (t != 1))[:1]:
        guard.add("choice", f"treated[{k}]", float(t[k]), choice="0, 1")
    if not 0 < t.sum() < len(t):
        guard.add("empty", "treated")
    guard.done()
    order = np.lexsort((rng.random(len(s)), -s))
    t, y = t[order], y[order]
    curve = _curve(np.ones(len(t)), t, y)
    even = np.full(len(t), 1 / len(t))
    areas = [_area(_curve(rng.multinomial(len(t), even).astype(float), t, y)) for _ in range(repeats)]
    share = np.arange(1, len(t) + 1) / len(t)
    low, high = np.quantile(areas, ((1 - level) / 2, (1 + level) / 2))
    at_random = share * curve[-1]
    return Qini(share, curve, at_random, _area(curve), Interval(float(low), float(high), level), len(t))


def _curve(weight: np.ndarray, t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (N,) outcomes gained per person of all when the first k are treated: k (mean treated - mean held)."""
    at, held = np.cumsum(weight * t), np.cumsum(weight * (1 - t))
    won, kept = np.cumsum(weight * t * y), np.cumsum(weight * (1 - t) * y)
    known = (at > 0) & (held > 0)
    effect = np.where(known, won / np.where(at > 0, at, 1) - kept / np.where(held > 0, held, 1), 0.0)
    return effect * (at + held) / weight.sum()


def _area(curve: np.ndarray) -> float:
    share = np.arange(1, len(curve) + 1) / len(curve)
    return float((curve - share * curve[-1]).mean())


@dataclass(frozen=True, eq=False)
class Gain:
    """What a rule by segment brings beside the one arm that is best for all.

    Attributes:
        arms: (S,) index of the arm that the rule gives each segment, on all data.
        one_arm: the best single arm.
        gain: outcomes per person of the rule above the single arm, each chosen on other people than it is judged on.
        se, interval: of the gain.
        n: people.
    """

    arms: np.ndarray
    one_arm: int
    gain: float
    se: float
    interval: Interval
    n: int


def rule_by_segment(
    people: object, total: object, squares: object, shares: Sequence[float], *, level: float = 0.95
) -> Gain:
    """Return the gain of giving each segment its own best arm, honestly: what is chosen on some is judged on others.

    People are weighted by 1 / (probability of the arm they got). Effects by segment are drawn towards what all share
    before an arm is chosen (DerSimonian & Laird 1986), so that equal effects give every segment the same arm; and a
    choice never sees those whom it is judged on.

    Args:
        people: (K, S, A) people by fold (dealt without regard to anything else), segment at assignment and arm.
        total: (K, S, A) sums of their outcomes, higher being better; about any one value taken off all of them.
        squares: (K, S, A) sums of squares, likewise.
        shares: (A,) probability with which each arm was assigned, in (0, 1].
        level: of the interval.

    Raises:
        InputError: shapes that differ, values that are not finite, fewer than two folds with people.
    """
    guard = Guard()
    n = guard.numbers("people", people, low=0.0, ndim=(3,))
    y = guard.numbers("total", total, ndim=(3,))
    yy = guard.numbers("squares", squares, low=0.0, ndim=(3,))
    p = guard.numbers("shares", list(shares), above=0.0, high=1.0, ndim=(1,))
    for name, values, expected in (("total", y.shape, n.shape), ("squares", yy.shape, n.shape),
                                   ("shares", p.shape, n.shape[2:])):  # fmt: skip
        if values != expected:
            guard.add("shape", name, f"shape {values}", expected=f"{expected}")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    dealt = np.flatnonzero(n.sum(axis=(1, 2)) > 0)
    if len(dealt) < 2:
        guard.add("empty", "people")
    guard.done()
    added, squared = 0.0, 0.0
    for k in dealt:
        by_segment, single = _best(*(x.sum(axis=0) - x[k] for x in (n, y, yy)), p)
        chosen = np.arange(len(p)) == by_segment[:, None]
        same = np.broadcast_to(np.arange(len(p)) == single, chosen.shape)
        (a1, b1), (a2, b2) = (_centred(n[k], y[k], which, p) for which in (chosen, same))
        base, slope = a1 - a2, b1 - b2  # of everybody in a cell: base + slope y
        added += float((base * n[k] + slope * y[k]).sum())
        squared += float((base**2 * n[k] + 2 * base * slope * y[k] + slope**2 * yy[k]).sum())
    by_segment, single = _best(n.sum(axis=0), y.sum(axis=0), yy.sum(axis=0), p)
    size = float(n.sum())
    gain = added / size
    se = float(np.sqrt(max(squared - size * gain**2, 0.0) / (size - 1) / size))
    from scipy.special import ndtri

    reach = float(ndtri((1 + level) / 2)) * se
    return Gain(by_segment, single, gain, se, Interval(gain - reach, gain + reach, level), int(size))


def _best(n: np.ndarray, y: np.ndarray, yy: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the best arm of each segment, its effects drawn towards what all share, and the best single arm."""
    single = int(np.argmax((y / p).sum(axis=0) / np.maximum((n / p).sum(axis=0), 1e-300)))
    known = n > 0
    mean = np.divide(y, n, out=np.zeros(n.shape), where=known)
    centred = np.maximum(yy - y * mean, 0.0)
    # a cell whose people are all alike is not known for certain
    floor = float(yy.sum() - y.sum() ** 2 / n.sum()) / float(n.sum()) ** 2
    variance = np.divide(centred, n**2, out=np.zeros(n.shape), where=known) + floor
    better = np.zeros(n.shape)
    for other in range(n.shape[1]):
        rows = np.flatnonzero(known[:, other] & known[:, single])
        if other == single or not len(rows):
            better[:, other] = 0.0 if other == single else -np.inf
            continue
        effect = mean[rows, other] - mean[rows, single]
        error = np.sqrt(variance[rows, other] + variance[rows, single])
        better[:, other] = -np.inf
        better[rows, other] = shrink(effect, error).effect if len(rows) > 1 and (error > 0).all() else effect
    return np.where(better.max(axis=1) > 0, better.argmax(axis=1), single), single


def _centred(n: np.ndarray, y: np.ndarray, chosen: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Base and slope of contributions, linear in y, whose mean is the weighted mean of those chosen (Hajek)."""
    weight = chosen / p
    size = float((weight * n).sum())
    if size == 0:
        return np.zeros(n.shape), np.zeros(n.shape)
    value = float((weight * y).sum()) / size
    slope = weight * float(n.sum()) / size
    return value - slope * value, slope


def exploring_shares(chance_best: Sequence[float], *, floor: float = FLOOR) -> np.ndarray:
    """Return the share of the next people for each arm: its chance of being best, but never below a floor.

    Args:
        chance_best: (A,) chances of being best, as `planlib.experiments.bayesian` gives them; they sum to 1.
        floor: least share, at most 1 / A.

    >>> exploring_shares([0.9, 0.1, 0.0]).round(3).tolist()
    [0.815, 0.135, 0.05]
    """
    guard = Guard()
    chance = guard.numbers("chance_best", chance_best, low=0.0, high=1.0, ndim=(1,))
    least = guard.number("floor", floor, low=0.0, high=1 / max(len(chance), 1))
    if abs(chance.sum() - 1) > 1e-6:
        guard.add("shares_sum", "chance_best", total=float(chance.sum()))
    guard.done()
    return least + (1 - least * len(chance)) * chance


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """What a rule would have brought, out of the log of another.

    Attributes:
        value: outcomes per person under the rule, by weights scaled to their mean (Hajek).
        interval: of the value.
        effective_n: people the weights are worth, (sum w)^2 / sum w^2.
        n: people in the log.
    """

    value: float
    interval: Interval
    effective_n: float
    n: int


def off_policy(outcome: object, logged: object, wanted: object, *, level: float = 0.95) -> OffPolicy:
    """Return the value of a rule from a log in which every action had a known chance.

    Args:
        outcome: (N,) of the action taken.
        logged: (N,) probability with which the log's rule took it, > 0.
        wanted: (N,) probability with which the rule in question would have taken it.
        level: of the interval.
    """
    guard = Guard()
    y = guard.numbers("outcome", outcome, ndim=(1,))
    p = guard.numbers("logged", logged, above=0.0, high=1.0, ndim=(1,))
    q = guard.numbers("wanted", wanted, low=0.0, high=1.0, ndim=(1,))
    for name, values in (("logged", p), ("wanted", q)):
        if values.shape != y.shape:
            guard.add("shape", name, f"shape {values.shape}", expected=f"{y.shape}")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    if not (q > 0).any():
        guard.add("empty", "wanted")
    guard.done()
    weight = q / p
    value = float(weight @ y / weight.sum())
    se = float(np.sqrt(((weight * (y - value)) ** 2).sum()) / weight.sum())
    from scipy.special import ndtri

    reach = float(ndtri((1 + level) / 2)) * se
    interval = Interval(value - reach, value + reach, level)
    return OffPolicy(value, interval, float(weight.sum() ** 2 / (weight @ weight)), len(y))
