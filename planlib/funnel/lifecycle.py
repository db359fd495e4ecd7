"""Lifecycle stages of users: what stage each is in, in any vocabulary, and whether anybody was left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.bayes import dirichlet_multinomial
from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson


@dataclass(frozen=True, slots=True)
class StageRule:
    """A stage holds in a month when an event was seen often enough lately.

    Attributes:
        name: of the stage, in the vocabulary's own order.
        event: which column of the events counts.
        at_least: how many times, >= 1.
        window_months: months looked back on, this one included; >= 1.
    """

    name: str
    event: int
    at_least: int = 1
    window_months: int = 1


@dataclass(frozen=True, slots=True)
class StagePath:
    """Stages by user and month, as places in `names`; everybody is in exactly one.

    Attributes:
        names: (S,) stages; the first is where everybody begins.
        best: (U, M) furthest stage so far; never falls.
        current: (U, M) furthest stage whose rule holds in the month; the first where none does.
    """

    names: tuple[str, ...]
    best: np.ndarray
    current: np.ndarray

    def counts(self) -> np.ndarray:
        """Return (M, S) users by current stage; every row sums to the users."""
        return _counts(self.current, len(self.names))


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """A translation of one vocabulary into another that knows every stage.

    Attributes:
        source, target: names of the stages.
        to: (S,) place in `target` of each place in `source`.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    to: np.ndarray

    @property
    def order_kept(self) -> bool:
        """Whether a later stage never becomes an earlier one; if not, best stages differ by vocabulary."""
        return bool((np.diff(self.to) >= 0).all())

    @property
    def unused(self) -> tuple[str, ...]:
        """Stages of the target that nobody can be in after translation."""
        return tuple(name for place, name in enumerate(self.target) if place not in self.to)

    def translate(self, path: StagePath) -> StagePath:
        """Return the path in the other vocabulary; nobody is dropped, best stages again never fall.

        Raises:
            InputError: the path is in another vocabulary than `source`.
        """
        guard = Guard()
        guard.choice("path.names", ", ".join(path.names), (", ".join(self.source),))
        guard.done()
        current = self.to[path.current]
        furthest = np.maximum(self.to[path.best], current)
        return StagePath(self.target, np.maximum.accumulate(furthest, axis=-1), current)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Users who were touched in every stage that they reached.

    Attributes:
        share: of all users.
        interval: Wilson limits.
        covered, users: counts.
        untouched: (S,) users who reached the stage and were not touched in it.
    """

    share: float
    interval: Interval
    covered: int
    users: int
    untouched: np.ndarray


def stage_path(events: object, rules: Sequence[StageRule]) -> StagePath:
    """Tell the stage of each user in each month.

    The first rule names where everybody begins: it holds for all, whatever its event says, so
    that nobody is without a stage.

    Args:
        events: (U, M, E) how often each event happened, >= 0.
        rules: S stages in order, at least one.

    Raises:
        InputError: a negative count, a rule on an event that is not there, or a name twice.

    >>> visits_orders = np.array([[[1, 0], [0, 1], [0, 0]]])
    >>> path = stage_path(visits_orders, [StageRule("aware", 0), StageRule("buyer", 1, window_months=1)])
    >>> path.best.tolist(), path.current.tolist()
    ([[0, 1, 1]], [[0, 1, 0]])
    """
    guard = Guard()
    seen = guard.numbers("events", events, low=0.0, ndim=(3,))
    if not rules:
        guard.add("empty", "rules")
    names = [rule.name for rule in rules]
    for place, rule in enumerate(rules):
        guard.whole(f"rules[{place}].event", rule.event, low=0, high=max(seen.shape[-1] - 1, 0))
        guard.whole(f"rules[{place}].at_least", rule.at_least)
        guard.whole(f"rules[{place}].window_months", rule.window_months)
        if names.index(rule.name) < place:
            guard.add("duplicate_id", f"rules[{place}].name", rule.name, first=f"rules[{names.index(rule.name)}]")
    guard.done()
    current = np.zeros(seen.shape[:2], dtype=np.int64)
    for place, rule in enumerate(rules[1:], start=1):
        current[_lately(seen[..., rule.event], rule.window_months) >= rule.at_least] = place
    return StagePath(tuple(names), np.maximum.accumulate(current, axis=1), current)


def crosswalk(source: Sequence[str], target: Sequence[str], mapping: Mapping[str, str]) -> Crosswalk:
    """Make a translation, which has to know every stage of the source and only stages of the target.

    Raises:
        InputError: a stage without translation, one that the source does not have, or a
            translation that the target does not have.

    >>> crosswalk(["aware", "buyer"], ["acquisition", "revenue"],
    ...           {"aware": "acquisition", "buyer": "revenue"}).to
    array([0, 1])
    """
    guard = Guard()
    for name in source:
        if name not in mapping:
            guard.add("missing", f"mapping.{name}")
    for name, place in mapping.items():
        guard.choice("mapping", name, source)
        guard.choice(f"mapping.{name}", place, target)
    guard.done()
    places = {name: place for place, name in enumerate(target)}
    return Crosswalk(tuple(source), tuple(target), np.array([places[mapping[name]] for name in source]))


def coverage(best: object, touched: object, *, level: float = 0.95) -> Coverage:
    """Return the share of users with a touch in every stage up to their best.

    Args:
        best: (U,) furthest stage of each user, as a place.
        touched: (U, S) True where the user was touched while in the stage.
        level: of the limits.

    >>> found = coverage([0, 1], [[True, False], [True, False]])
    >>> found.share, found.untouched.tolist()
    (0.5, [0, 1])
    """
    guard = Guard()
    furthest = guard.numbers("best", best, low=0.0, ndim=(1,))
    met = np.asarray(touched)
    if met.dtype != bool or met.ndim != 2 or len(met) != len(furthest):
        guard.add("shape", "touched", f"{met.dtype} {met.shape}", expected=f"true or false, ({len(furthest)}, stages)")
        guard.done()
    guard.numbers("best", furthest, low=0.0, high=met.shape[1] - 1)
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    missed = (np.arange(met.shape[1]) <= furthest[:, None]) & ~met
    covered, users = int((~missed.any(axis=1)).sum()), len(furthest)
    return Coverage(covered / users, wilson(covered, users, level=level), covered, users, missed.sum(axis=0))


def transitions(stage: object, stages: int) -> np.ndarray:
    """Count who went from which stage to which between consecutive months.

    Args:
        stage: (U, M) stage of each user, as a place.
        stages: S.

    Returns:
        (M - 1, S, S) users; entry [t, i, j] went from i in month t + 1 to j in the next. Each
        table sums to the users.

    >>> transitions([[0, 1], [1, 1]], 2)[0].tolist()
    [[0, 1], [0, 1]]
    """
    guard = Guard()
    size = guard.whole("stages", stages)
    place = guard.numbers("stage", stage, low=0.0, high=size - 1, ndim=(2,))
    if np.any(place != np.floor(place)):
        guard.add("not_whole", "stage")
    if place.shape[-1] < 2:
        guard.add("too_few", "stage", place.shape[-1], low=2)
    guard.done()
    at = place.astype(np.int64)
    pairs = at[:, :-1] * size + at[:, 1:]
    return _counts(pairs, size * size).reshape(-1, size, size)


@dataclass(frozen=True, slots=True)
class Chain:
    """What is believed of a transition matrix after counts.

    Attributes:
        concentration: (S, S) Dirichlet parameters, a row for each stage left.
        mean: (S, S) expected shares; rows sum to 1.
    """

    concentration: np.ndarray
    mean: np.ndarray

    def draws(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return (size, S, S) matrices, e.g. for the spread of `planlib.funnel.users.stationary`."""
        amounts = rng.gamma(self.concentration, size=(size, *self.concentration.shape))
        return amounts / amounts.sum(axis=-1, keepdims=True)


def estimate_chain(counts: object, *, prior: float = 0.5) -> Chain:
    """Estimate monthly transitions from people who were followed (multinomial-Dirichlet).

    Args:
        counts: (S, S) people who went from row to column, e.g. `transitions(...).sum(axis=0)`.
        prior: Dirichlet parameter of every transition, > 0; 0.5 is Jeffreys'. A transition that
            cannot happen still gets a little; leave such a stage out.

    >>> estimate_chain([[40, 60], [30, 70]]).mean.round(3).tolist()
    [[0.401, 0.599], [0.302, 0.698]]
    """
    guard = Guard()
    seen = guard.numbers("counts", counts, low=0.0, ndim=(2,))
    if seen.shape[0] != seen.shape[1]:
        guard.add("shape", "counts", f"shape {seen.shape}", expected="a square matrix")
    guard.done()
    concentration = dirichlet_multinomial(prior, counts=seen)
    return Chain(concentration, concentration / concentration.sum(axis=1, keepdims=True))


def _lately(count: np.ndarray, window: int) -> np.ndarray:
    """(U, M) sum over this month and the ones before it in the window."""
    total = count.cumsum(axis=1)
    total[:, window:] -= total[:, :-window].copy()
    return total


def _counts(place: np.ndarray, size: int) -> np.ndarray:
    """(M, size) how often each place occurs in each column."""
    months = place.shape[1]
    flat = place + size * np.arange(months)
    return np.bincount(flat.ravel(), minlength=size * months).reshape(months, size)
