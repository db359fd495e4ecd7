"""The next quarter's channels from the last one's results: what to move, why, and its worth beside a simple rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.budget.curves import Curves
from planlib.budget.optimum import Line, Problem, optimise
from planlib.core.bayes import Gamma
from planlib.core.guards import Guard
from planlib.core.intervals import Interval

REASONS = ("no_data", "cut", "raised", "held_by_limit", "kept_for_learning", "unchanged")
DECISIONS = ("no_paid_data", "move", "hold")
_TOUCHES = 1e-6
_SMALL = 0.01  # a change below this share of a channel's spend is none


@dataclass(frozen=True, eq=False)
class Quarter:
    """What was spent and brought in the last quarter.

    Args:
        spend: (C,) CNY, >= 0.
        outcomes: (C,) outcomes that the channels are credited with, >= 0.
        months: length of the quarter.
    """

    spend: np.ndarray
    outcomes: np.ndarray
    months: int = 3


@dataclass(frozen=True, eq=False)
class Proposal:
    """Next quarter's spend with its worth and a reason for every channel.

    Attributes:
        decision: move, hold (the gain does not stand out from chance) or no_paid_data.
        spend: (C,) CNY of the quarter that is proposed; the old one unless the decision is move.
        best, simple: (C,) spend of the optimum and of the simple rule.
        reason: (C,) one of REASONS for `best` against the old spend.
        gain, gain_interval: expected outcomes of `best` above the old spend, and their interval over the draws.
        chance: share of draws in which `best` brings more.
        over_simple, over_simple_interval: the same of `best` above the simple rule.
        weak_chance: (C,) chance that one more CNY in the channel brings less than the average CNY of all.
        multiplier: (C,) mean of what the results say about the curve: 1 = as planned.
    """

    decision: str
    spend: np.ndarray
    best: np.ndarray
    simple: np.ndarray
    reason: tuple[str, ...]
    gain: float
    gain_interval: Interval
    chance: float
    over_simple: float
    over_simple_interval: Interval
    weak_chance: np.ndarray
    multiplier: np.ndarray


def update(curves: Curves, quarter: Quarter, *, prior_sd: float = 0.3, dispersion: float = 1.0) -> tuple[Gamma, ...]:
    """Return for each channel what the results say of its curve as a factor on it.

    The outcomes count as Poisson around factor x curve, `dispersion` times as variable; the prior of the factor has
    mean 1. A channel that spent nothing keeps its prior.

    Args:
        curves: outcomes a month at a spend a month.
        quarter: spends and results.
        prior_sd: standard deviation of the factor before the results, > 0.
        dispersion: variance of the outcomes over their mean, >= 1.

    >>> flat = Curves.of([("michaelis_menten", 1000.0, 1000.0)])
    >>> found = update(flat, Quarter(np.array([3000.0]), np.array([3000.0])), prior_sd=1.0)
    >>> round(float(found[0].mean), 3)
    1.999
    """
    guard = Guard()
    spend, seen = _checked(guard, quarter, len(curves))
    sd = guard.number("prior_sd", prior_sd, above=0.0)
    noise = guard.number("dispersion", dispersion, low=1.0)
    guard.done()
    expected = curves.value(spend / quarter.months) * quarter.months
    prior = 1 / sd**2
    return tuple(
        Gamma(prior + y / noise, prior + e / noise) if x > 0 else Gamma(prior, prior)
        for x, y, e in zip(spend, seen, expected, strict=True)
    )


def _checked(guard: Guard, quarter: Quarter, n: int) -> tuple[np.ndarray, np.ndarray]:
    found = []
    for name in ("spend", "outcomes"):
        values = guard.numbers(name, getattr(quarter, name), low=0.0, ndim=(1,))
        if values.shape != (n,):
            guard.add("shape", name, f"shape {values.shape}", expected=f"({n},)")
        found.append(values)
    guard.whole("months", quarter.months)
    return found[0], found[1]


def simple_rule(quarter: Quarter) -> np.ndarray:
    """Halve the channels that brought less a CNY than all together and give it to the others by their spend.

    >>> simple_rule(Quarter(np.array([100.0, 100.0]), np.array([30.0, 10.0])))
    array([150.,  50.])
    """
    spend, seen = np.asarray(quarter.spend, dtype=float), np.asarray(quarter.outcomes, dtype=float)
    total = spend.sum()
    if total <= 0:
        return spend.copy()
    weak = (spend > 0) & (seen * total < seen.sum() * spend)
    strong = (spend > 0) & ~weak
    if not weak.any() or not strong.any():
        return spend.copy()
    freed = 0.5 * spend[weak].sum()
    return np.where(weak, 0.5 * spend, spend + np.where(strong, freed * spend / spend[strong].sum(), 0.0))


def propose(
    curves: Curves,
    quarter: Quarter,
    *,
    rng: np.random.Generator,
    down: float = 0.5,
    up: float = 1.0,
    floor_share: float = 0.05,
    most: np.ndarray | None = None,
    prior_sd: float = 0.3,
    dispersion: float = 1.0,
    draws: int = 4000,
    level: float = 0.95,
    needed_chance: float = 0.8,
) -> Proposal:
    """Move the same money to where it brings most by what is known after the quarter.

    Args:
        curves: planned outcomes a month at a spend a month.
        quarter: last quarter.
        rng: stream of the draws.
        down, up: largest share that a channel loses or gains in one step.
        floor_share: share of the money that every channel that spent keeps at least, so that it can still be judged.
        most: (C,) CNY a quarter that a channel can take; no limit by default.
        prior_sd, dispersion: as in `update`.
        draws: of the factors, shared by all compared spends.
        level: of the intervals.
        needed_chance: chance of a gain from which moving is proposed.

    Raises:
        InputError: values out of range, or floors above the money.
    """
    factors = update(curves, quarter, prior_sd=prior_sd, dispersion=dispersion)
    guard = Guard()
    spend = np.asarray(quarter.spend, dtype=float)
    limits = {"down": down, "up": up, "floor_share": floor_share, "needed_chance": needed_chance, "level": level}
    for name, value in limits.items():
        guard.number(name, value, low=0.0, **({} if name == "up" else {"high": 1.0}))
    count = guard.whole("draws", draws)
    roof = np.full(len(curves), np.inf) if most is None else guard.numbers("most", most, low=0.0, ndim=(1,))
    guard.done()
    mean = np.array([factor.mean for factor in factors])
    drawn = np.stack([rng.gamma(f.shape, 1 / f.rate, count) for f in factors], axis=1)
    total = float(spend.sum())
    if total <= 0:
        nothing = Interval(0.0, 0.0, level)
        reasons = ("no_data",) * len(curves)
        none = np.full(len(curves), np.nan)
        return Proposal("no_paid_data", spend, spend, spend, reasons, 0.0, nothing, 0.0, 0.0, nothing, none, mean)
    kept = np.minimum(floor_share * total, spend)
    low = np.maximum((1 - down) * spend, kept)
    high = np.maximum(np.minimum((1 + up) * spend, roof), low)
    scaled = Curves(curves.kind, curves.amount * mean, curves.scale, curves.shape)
    months = quarter.months
    best = spend
    if high.sum() >= total:
        money = Line("money", "==", total / months, np.ones(len(curves)))
        best = optimise(Problem(scaled, low / months, high / months, (money,))).spend * months
    rule = simple_rule(quarter)

    def brought(money: np.ndarray) -> np.ndarray:
        return drawn @ (curves.value(money / months) * months)

    gain, over = brought(best) - brought(spend), brought(best) - brought(rule)
    chance = float((gain > 0).mean())
    moves = chance >= needed_chance and gain.mean() > 0
    return Proposal(
        decision="move" if moves else "hold",
        spend=best if moves else spend,
        best=best,
        simple=rule,
        reason=tuple(_reason(*row) for row in zip(spend, best, low, high, kept >= low, strict=True)),
        gain=float(gain.mean()),
        gain_interval=_interval(gain, level),
        chance=chance,
        over_simple=float(over.mean()),
        over_simple_interval=_interval(over, level),
        weak_chance=_weak(curves, quarter, drawn),
        multiplier=mean,
    )


def _reason(old: float, new: float, low: float, high: float, by_floor: bool) -> str:
    if old <= 0:
        return "no_data"
    if abs(new - old) <= _SMALL * old:
        return "unchanged"
    if new <= low * (1 + _TOUCHES):
        return "kept_for_learning" if by_floor and low > 0 else "held_by_limit"
    if new >= high * (1 - _TOUCHES):
        return "held_by_limit"
    return "cut" if new < old else "raised"


def _weak(curves: Curves, quarter: Quarter, drawn: np.ndarray) -> np.ndarray:
    """Chance that one more CNY in a channel brings less than the average CNY of all."""
    spend, months = np.asarray(quarter.spend, dtype=float), quarter.months
    each = drawn * curves.value(spend / months) * months
    pooled = each.sum(axis=1, keepdims=True) / spend.sum()
    more = drawn * curves.slope(np.maximum(spend / months, 1e-9))
    return (more < pooled).mean(axis=0)


def _interval(values: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)
