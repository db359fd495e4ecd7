"""Credit for conversions by channel from the paths that led to them: exact Markov and Shapley, and five simple rules.

None of these is causal: a channel that only meets people who would have bought anyway gets credit too. They describe
paths; what a channel adds is told by an experiment that withholds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

METHODS = ("markov", "shapley", "first", "last", "linear", "position", "time_decay")
_DENSE = 300  # states up to which whole matrices are quicker
_FIRST_LAST = 0.4  # each, the rest to the touches between


@dataclass(frozen=True, eq=False)
class Paths:
    """Journeys, equal ones counted together.

    Args:
        channels: (C,) names.
        touches: (J,) for each kind of journey the places of its channels in order of time, at least one.
        converted, lost: (J,) how many of these journeys ended with and without a conversion, >= 0.
        days_before: (J,) for each journey the days from each touch to its end; None: unknown.

    Raises:
        InputError: a journey without touch, an unknown channel, counts below 0 or not finite, days that do not match.
    """

    channels: tuple[str, ...]
    touches: tuple[tuple[int, ...], ...]
    converted: np.ndarray
    lost: np.ndarray
    days_before: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        guard = Guard()
        if not self.channels:
            guard.add("empty", "channels")
        if not self.touches:
            guard.add("empty", "touches")
        for j, path in enumerate(self.touches):
            if not path:
                guard.add("empty", f"touches[{j}]")
            elif not 0 <= min(path) <= max(path) < len(self.channels):
                guard.add("out_of_range", f"touches[{j}]", max(path), low=0, high=len(self.channels) - 1)
            if self.days_before is not None and len(self.days_before[j]) != len(path):
                guard.add("shape", f"days_before[{j}]", len(self.days_before[j]), expected=f"{len(path)} days")
        for name in ("converted", "lost"):
            counts = guard.numbers(name, getattr(self, name), low=0.0, ndim=(1,))
            if counts.shape != (len(self.touches),):
                guard.add("shape", name, f"shape {counts.shape}", expected=f"({len(self.touches)},)")
            object.__setattr__(self, name, counts)
        guard.done()

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[str], float, float]]) -> Paths:
        """Make paths from rows (channels in order, converted, lost); channels in order of first appearance."""
        names = tuple(dict.fromkeys(name for path, _, _ in rows for name in path))
        place = {name: i for i, name in enumerate(names)}
        touches = tuple(tuple(place[name] for name in path) for path, _, _ in rows)
        return cls(names, touches, [float(row[1]) for row in rows], [float(row[2]) for row in rows])


@dataclass(frozen=True, eq=False)
class Credit:
    """Conversions credited to each channel by one method.

    Attributes:
        method: one of METHODS.
        conversions: (C,); they sum to all conversions.
        low, high: (C,) bootstrap interval; None when it was not asked for.
        removal_effect: (C,) share of conversions lost without the channel; for markov only.
    """

    method: str
    conversions: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    removal_effect: np.ndarray | None = None


def conversion_probability(paths: Paths, *, order: int = 1, without: int | None = None) -> float:
    """Return the chance that a journey of the fitted Markov chain converts, exactly.

    The state is the last `order` channels (fewer at the beginning); visits to `without` end the journey.
    """
    guard = Guard()
    guard.choice("order", order, (1, 2, 3))
    guard.done()
    return _Chain(paths, order).converts(paths.converted, paths.lost, without)


def markov(paths: Paths, *, order: int = 1) -> Credit:
    """Credit by removal effects (Anderl et al. 2016), normalised to all conversions.

    Args:
        paths: journeys, lost ones included.
        order: how many last channels the next step depends on, 1 to 3.

    >>> found = markov(Paths.of([(["a", "b"], 1, 0), (["a"], 0, 1)]))
    >>> found.conversions, found.removal_effect
    (array([0.5, 0.5]), array([1., 1.]))
    """
    guard = Guard()
    guard.choice("order", order, (1, 2, 3))
    guard.done()
    chain = _Chain(paths, order)
    effect = chain.removal(paths.converted, paths.lost)
    return Credit("markov", _normalised(effect, paths.converted.sum()), removal_effect=effect)


def shapley(paths: Paths) -> Credit:
    """Credit by the exact Shapley value of v(S) = conversions of journeys whose channels all lie in S.

    The value of such a game is each journey's conversion shared equally among its distinct channels, so that it is
    exact for any number of channels.
    """
    return Credit("shapley", _weights(paths, "shapley") @ paths.converted)


def simple(paths: Paths, method: str, *, half_life: float = 7.0) -> Credit:
    """Credit by a rule of thumb.

    Args:
        paths: journeys.
        method: first, last, linear (equal for each touch), position (40 % first, 40 % last, the rest between; two
            touches half each), time_decay (a touch counts half as much for each half-life before the end).
        half_life: days, or touches where the days are unknown; of time_decay.
    """
    guard = Guard()
    guard.choice("method", method, METHODS[2:])
    guard.number("half_life", half_life, above=0.0)
    guard.done()
    return Credit(method, _weights(paths, method, half_life) @ paths.converted)


def compare(
    paths: Paths,
    *,
    order: int = 1,
    half_life: float = 7.0,
    repetitions: int = 0,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> dict[str, Credit]:
    """Return every method's credit, with bootstrap intervals over journeys when `repetitions` > 0.

    Args:
        paths: journeys.
        order, half_life: as in `markov` and `simple`.
        repetitions: bootstrap samples.
        level: of the percentile intervals.
        rng: needed for them.
    """
    found = {"markov": markov(paths, order=order), "shapley": shapley(paths)}
    found |= {method: simple(paths, method, half_life=half_life) for method in METHODS[2:]}
    if not repetitions:
        return found
    chain = _Chain(paths, order)
    share = np.concatenate([paths.converted, paths.lost])
    total = round(share.sum())
    counts = rng.multinomial(total, share / share.sum(), size=repetitions)
    won, lost = counts[:, : len(paths.converted)].astype(float), counts[:, len(paths.converted) :].astype(float)
    ends = ((1 - level) / 2, (1 + level) / 2)
    for method, credit in found.items():
        if method == "markov":
            drawn = np.stack([_normalised(chain.removal(a, b), a.sum()) for a, b in zip(won, lost, strict=True)])
        else:
            drawn = won @ _weights(paths, method, half_life).T
        low, high = np.quantile(drawn, ends, axis=0)
        found[method] = Credit(method, credit.conversions, low, high, credit.removal_effect)
    return found


def agreement(credits: Mapping[str, Credit]) -> np.ndarray:
    """Return (C,) difference of the largest and smallest share that the methods give a channel."""
    shares = np.stack([credit.conversions / max(credit.conversions.sum(), 1e-300) for credit in credits.values()])
    return np.ptp(shares, axis=0)


def _weights(paths: Paths, method: str, half_life: float = 7.0) -> np.ndarray:
    """Return (C, J) share of a journey's conversion that each channel gets."""
    found = np.zeros((len(paths.channels), len(paths.touches)))
    for j, path in enumerate(paths.touches):
        channels, each = list(path), np.ones(len(path))
        if method == "shapley":
            channels = sorted(set(path))
            each = np.ones(len(channels))
        elif method == "first":
            each = np.eye(1, len(path), 0)[0]
        elif method == "last":
            each = np.eye(1, len(path), len(path) - 1)[0]
        elif method == "position" and len(path) > 2:
            each = np.full(len(path), (1 - 2 * _FIRST_LAST) / (len(path) - 2))
            each[[0, -1]] = _FIRST_LAST
        elif method == "time_decay":
            age = paths.days_before[j] if paths.days_before is not None else np.arange(len(path))[::-1]
            each = 0.5 ** (np.asarray(age, dtype=float) / half_life)
        np.add.at(found[:, j], channels, each / each.sum())
    return found


def _normalised(effect: np.ndarray, total: float) -> np.ndarray:
    return effect * (total / effect.sum()) if effect.sum() > 0 else np.zeros(len(effect))


class _Chain:
    """The states of the paths and which journeys pass which step; the counts of a sample fill in the chances."""

    def __init__(self, paths: Paths, order: int) -> None:
        states: dict[tuple[int, ...], int] = {}
        source, target, journey = [], [], []
        ends = np.empty(len(paths.touches), dtype=int)
        start = -1
        for j, path in enumerate(paths.touches):
            before = start
            for t in range(len(path)):
                key = tuple(path[max(0, t + 1 - order) : t + 1])
                at = states.setdefault(key, len(states))
                source.append(before)
                target.append(at)
                journey.append(j)
                before = at
            ends[j] = before
        self.n = len(states)
        self.last = np.array([key[-1] for key in states])
        self.channels = len(paths.channels)
        self.source, self.target, self.journey = (np.array(v) for v in (source, target, journey))
        self.ends = ends

    def removal(self, converted: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """Return (C,) the share of the conversion probability that is lost without each channel."""
        found = self._solve(converted, lost, [None, *range(self.channels)])
        return 1 - found[1:] / found[0] if found[0] > 0 else np.zeros(self.channels)

    def converts(self, converted: np.ndarray, lost: np.ndarray, without: int | None) -> float:
        return float(self._solve(converted, lost, [without])[0])

    def _solve(self, converted: np.ndarray, lost: np.ndarray, without: Sequence[int | None]) -> np.ndarray:
        """Chance to win from the start, for each channel left out: h = wins + steps h, with h = 0 on its states."""
        n, ends = self.n, self.ends
        row = np.where(self.source < 0, n, self.source)
        wins = np.bincount(ends, weights=converted, minlength=n)
        gone = np.bincount(ends, weights=lost, minlength=n)
        count = (converted + lost)[self.journey]
        leaves = np.bincount(row, weights=count, minlength=n + 1)
        leaves[:n] += wins + gone
        scale = np.divide(1.0, leaves, out=np.zeros(n + 1), where=leaves > 0)
        chance = count * scale[row]
        kept = np.array([self.last != c if c is not None else np.ones(n, dtype=bool) for c in without])
        if n <= _DENSE:
            steps = np.bincount(row * n + self.target, weights=chance, minlength=(n + 1) * n).reshape(n + 1, n)
            inside = np.eye(n) - steps[:n] * kept[:, :, None] * kept[:, None, :]
            h = np.linalg.solve(inside, (wins * scale[:n] * kept)[..., None])[..., 0]
            return (h * kept) @ steps[n]
        return np.array([self._sparse(row, chance, wins * scale[:n], mask) for mask in kept])

    def _sparse(self, row: np.ndarray, chance: np.ndarray, wins: np.ndarray, kept: np.ndarray) -> float:
        from scipy.sparse import csc_array, eye_array
        from scipy.sparse.linalg import spsolve

        n = self.n
        inside = (row < n) & kept[np.minimum(row, n - 1)] & kept[self.target]
        steps = csc_array((chance[inside], (row[inside], self.target[inside])), shape=(n, n))
        h = spsolve((eye_array(n) - steps).tocsc(), wins * kept)
        first = (row == n) & kept[self.target]
        return float(chance[first] @ h[self.target[first]])
