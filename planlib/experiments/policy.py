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
    segment: object,
    arm: object,
    outcome: object,
    propensity: object,
    *,
    rng: np.random.Generator,
    folds: int = 5,
    level: float = 0.95,
) -> Gain:
    """Return the gain of giving each segment its own best arm, honestly: what is chosen on some is judged on others.

    People are weighted by 1 / (probability of the arm they got). Effects by segment are drawn towards what all share
    before an arm is chosen (DerSimonian & Laird 1986), so that equal effects give every segment the same arm; and a
    choice never sees those whom it is judged on.

    Args:
        segment: (N,) index of each person's segment as it was at assignment, 0 .. S - 1.
        arm: (N,) index of the arm that each was assigned to, 0 .. A - 1.
        outcome: (N,).
        propensity: (N,) probability with which each was assigned to the arm they got, in (0, 1].
        rng: deals people to the folds.
        folds: >= 2.
        level: of the interval.
    """
    guard = Guard()
    y = guard.numbers("outcome", outcome, ndim=(1,))
    p = guard.numbers("propensity", propensity, above=0.0, high=1.0, ndim=(1,))
    s = guard.numbers("segment", segment, low=0.0, ndim=(1,)).astype(int)
    a = guard.numbers("arm", arm, low=0.0, ndim=(1,)).astype(int)
    for name, values in (("propensity", p), ("segment", s), ("arm", a)):
        if values.shape != y.shape:
            guard.add("shape", name, f"shape {values.shape}", expected=f"{y.shape}")
    parts = guard.whole("folds", folds, low=2, high=max(len(y), 2))
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    count = (int(s.max()) + 1, int(a.max()) + 1)
    fold = rng.permutation(len(y)) % parts
    difference = np.zeros(len(y))
    for k in range(parts):
        seen, judged = fold != k, fold == k
        by_segment, single = _best(s[seen], a[seen], y[seen], p[seen], count)
        weight = 1 / p[judged]
        chosen = a[judged] == by_segment[s[judged]]
        same = a[judged] == single
        difference[judged] = _centred(weight, y[judged], chosen) - _centred(weight, y[judged], same)
    by_segment, single = _best(s, a, y, p, count)
    gain = float(difference.mean())
    se = float(difference.std(ddof=1) / np.sqrt(len(y)))
    from scipy.special import ndtri

    reach = float(ndtri((1 + level) / 2)) * se
    return Gain(by_segment, single, gain, se, Interval(gain - reach, gain + reach, level), len(y))


def _best(s: np.ndarray, a: np.ndarray, y: np.ndarray, p: np.ndarray, count: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Return the best arm of each segment, its effects drawn towards what all share, and the best single arm."""
    weight = 1 / p
    size, total = np.zeros(count), np.zeros(count)
    np.add.at(size, (s, a), weight)
    np.add.at(total, (s, a), weight * y)
    single = int(np.argmax(total.sum(axis=0) / np.maximum(size.sum(axis=0), 1e-300)))
    known = size > 0
    mean = np.divide(total, size, out=np.zeros(count), where=known)
    spread = np.zeros(count)
    np.add.at(spread, (s, a), (weight * (y - mean[s, a])) ** 2)
    floor = float(y.var()) / len(y)  # a cell whose people are all alike is not known for certain
    variance = np.divide(spread, size**2, out=np.zeros(count), where=known) + floor
    better = np.zeros(count)
    for other in range(count[1]):
        rows = np.flatnonzero(known[:, other] & known[:, single])
        if other == single or not len(rows):
            better[:, other] = 0.0 if other == single else -np.inf
            continue
        effect = mean[rows, other] - mean[rows, single]
        error = np.sqrt(variance[rows, other] + variance[rows, single])
        better[:, other] = -np.inf
        better[rows, other] = shrink(effect, error).effect if len(rows) > 1 else effect
    return np.where(better.max(axis=1) > 0, better.argmax(axis=1), single), single


def _centred(weight: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Contributions whose mean is the weighted mean of those chosen (Hajek), linear around it."""
    size = (weight * chosen).mean()
    if size == 0:
        return np.zeros(len(y))
    value = (weight * chosen * y).mean() / size
    return value + weight * chosen * (y - value) / size


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
