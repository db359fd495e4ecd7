"""Simulate a schedule: uncertain durations, what they share, discrete risks; the chance of dates, and what drives them.

Every task and every risk has random streams of its own name: one more risk, or a mitigation, moves no other draw, so
that before and after differ by nothing but the risk. Times are in the network's unit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from planlib.core.draws import Distribution
from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.core.streams import stream
from planlib.milestones.three_point import at_scores, score_table

EFFECTS = ("days", "factor")
_BLOCK = 2_048  # draws in work at once
_END = 0.1  # share of the draws that is an item's low, and its high
_BINS = 20


class Schedule(Protocol):
    """What can be simulated: ids, and passes over (N, D) durations."""

    tasks: tuple[str, ...]

    def passes(self, durations: object) -> object: ...


class Forward(Protocol):
    """What `finishes` can draw: ids, and the forward pass over (N, D) durations."""

    tasks: tuple[str, ...]

    def finishes(self, days: object) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What a risk becomes when something is done about it.

    Args:
        chance, impact: as in Risk.
        cost: of doing it, in any one currency.
    """

    chance: float
    impact: Distribution
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that may strike several tasks at once: a discrete risk in days, or a risk driver (Hulett) as a factor.

    Args:
        id: name; its random stream hangs on it.
        chance: of striking, 0 to 1.
        impact: days that are added to each of its tasks, or the factor on them; one draw for all, >= 0.
        tasks: ids.
        effect: "days" or "factor"; factors of several risks multiply, days are added afterwards.
        mitigation: None when there is none.
    """

    id: str
    chance: float
    impact: Distribution
    tasks: tuple[str, ...]
    effect: str = "days"
    mitigation: Mitigation | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that run long or short together: one correlation of normal scores (Gaussian copula) between any two."""

    tasks: tuple[str, ...]
    rho: float


@dataclass(frozen=True, slots=True)
class Chance:
    """A share of n draws with its Wilson interval."""

    share: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Swing:
    """One bar of a tornado: the finish when an item is low and when it is high, on the same draws.

    Attributes:
        item: a task or a risk.
        low, high: mean (or quantile) of the finish over the draws with the item's lowest and highest tenth, or with a
            risk that did not strike and one that did; None where too few draws are of that kind.
        low_se, high_se: standard errors.
    """

    item: str
    low: float | None
    high: float | None
    low_se: float | None
    high_se: float | None

    @property
    def width(self) -> float:
        """How far the finish moves between the two; 0 where one is not known."""
        return self.high - self.low if self.low is not None and self.high is not None else 0.0


@dataclass(frozen=True, eq=False)
class Simulation:
    """D draws of a schedule with N tasks.

    Attributes:
        tasks: ids.
        n: D.
        durations: (N, D) as drawn, risks included (single precision).
        finish: {milestone: (D,)} early finish of the tasks asked for.
        end: (D,) of the schedule.
        criticality: (N,) share of the draws in which the task is critical.
        effects: {risk: (D,)} its days, or its factor less 1; 0 where it does not strike.
        struck: {risk: (D,)} bools.
        own: {task: (D,)} its duration without the risks, of the tasks that a risk may strike (single precision).
    """

    tasks: tuple[str, ...]
    n: int
    durations: np.ndarray
    finish: Mapping[str, np.ndarray]
    end: np.ndarray
    criticality: np.ndarray
    effects: Mapping[str, np.ndarray]
    struck: Mapping[str, np.ndarray]
    own: Mapping[str, np.ndarray]

    def at(self, milestone: str | None = None) -> np.ndarray:
        """Return (D,) finishes of a milestone, of the whole schedule for None."""
        if milestone is None:
            return self.end
        if milestone not in self.finish:
            guard = Guard()
            guard.add("unknown_ref", "milestone", milestone, choice=", ".join(self.finish))
            guard.done()
        return self.finish[milestone]

    def chance_by(self, due: float, milestone: str | None = None, *, level: float = 0.95) -> Chance:
        """Return P(finish <= due)."""
        guard = Guard()
        limit = guard.number("due", due)
        guard.done()
        return _chance(self.at(milestone) <= limit, level)

    def chance_of_all(self, due: Mapping[str, float], *, level: float = 0.95) -> Chance:
        """Return P(every milestone by its due time), jointly over the same draws."""
        guard = Guard()
        if not due:
            guard.add("empty", "due")
        limits = {name: guard.number(f"due.{name}", time) for name, time in due.items()}
        guard.done()
        kept = np.all([self.at(name) <= time for name, time in limits.items()], axis=0)
        return _chance(kept, level)

    def quantiles(
        self, milestone: str | None = None, *, p: Sequence[float] = (0.1, 0.5, 0.8, 0.9)
    ) -> dict[float, float]:
        """Return {p: time by which the share p of the draws is finished}."""
        guard = Guard()
        shares = guard.share("p", list(p), ndim=(1,))
        guard.done()
        found = np.quantile(self.at(milestone), shares)
        return dict(zip(shares.tolist(), found.tolist(), strict=True))

    def buffer(self, planned: float, p: float, milestone: str | None = None) -> float:
        """Return what has to be added to a planned finish to keep it with probability p; below 0 there is room."""
        guard = Guard()
        time = guard.number("planned", planned)
        guard.done()
        return next(iter(self.quantiles(milestone, p=(p,)).values())) - time

    def cruciality(self, milestone: str | None = None) -> np.ndarray:
        """Return (N,) rank correlations (Spearman) of each duration with the finish; 0 for one that never varies."""
        finish = _ranks(self.at(milestone))
        return np.array([_correlation(_ranks(row), finish) for row in self.durations])

    def sensitivity(self) -> np.ndarray:
        """Return (N,) schedule sensitivity indices: criticality x sd of the duration / sd of the end."""
        spread = float(self.end.std())
        if spread == 0:
            return np.zeros(len(self.tasks))
        return self.criticality * self.durations.std(axis=1, dtype=float) / spread

    def tornado(self, milestone: str | None = None, *, p: float | None = None) -> tuple[Swing, ...]:
        """Return every task and risk that varies, the widest swing first; what strikes a task is the risk's, not its.

        Args:
            milestone: None for the end.
            p: None for the mean of the finish, else its quantile, e.g. 0.8.
        """
        guard = Guard()
        if p is not None:
            guard.number("p", p, above=0.0, below=1.0)
        guard.done()
        finish = self.at(milestone)
        rows = [Swing(name, *_ends(finish, low, high, p)) for name, low, high in self._sides()]
        return tuple(sorted(rows, key=lambda row: -abs(row.width)))

    def variance_shares(self, milestone: str | None = None) -> dict[str, float]:
        """Return {task or risk: share of the finish's variance that it explains alone}, by the means of sorted bins.

        A task counts with its own length and a risk with what it does to all its tasks. The shares need not sum to 1:
        tasks that run long together explain the same again, and what only a combination does nobody explains alone.
        """
        finish = self.at(milestone)
        found = {name: _ratio(_bins(row), finish) for name, row in self._lengths()}
        for name, effect in self.effects.items():
            struck = self.struck[name]
            groups = np.zeros(self.n, dtype=int)
            groups[struck] = 1 + _bins(effect[struck])
            found[name] = _ratio(groups, finish)
        return found

    def _lengths(self) -> Iterable[tuple[str, np.ndarray]]:
        for name, row in zip(self.tasks, self.durations, strict=True):
            yield name, self.own.get(name, row)

    def _sides(self) -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
        for name, row in self._lengths():
            if row.min() < row.max():
                yield name, *_tenths(row)
        for name, struck in self.struck.items():
            if not struck.all():
                yield name, ~struck, struck
            elif np.ptp(self.effects[name]) > 0:
                yield name, *_tenths(self.effects[name])


def simulate(
    network: Schedule,
    durations: Mapping[str, Distribution],
    *,
    seed: int,
    draws: int = 10_000,
    groups: Iterable[Group] = (),
    correlation: object = None,
    risks: Iterable[Risk] = (),
    mitigated: Collection[str] = (),
    milestones: Iterable[str] = (),
) -> Simulation:
    """Draw durations and risks and pass through the network.

    Args:
        network: tasks and links; `.passes` may be on plain numbers or on calendars.
        durations: {task: Distribution} for every task, in the network's unit; draws below 0 count as 0.
        seed: of all streams.
        draws: D. The result keeps 4 N D bytes of durations; everything else is worked in blocks.
        groups: blocks of tasks that share a correlation; no task in two of them.
        correlation: (N, N) matrix of the copula in the network's order; not together with groups.
        risks: discrete risks and risk drivers.
        mitigated: ids of risks that count with their mitigation.
        milestones: tasks whose finish is kept.

    Raises:
        InputError: unknown or missing tasks, ids twice, probabilities and correlations out of range, a matrix that no
            joint distribution has; all at once.

    >>> from planlib.milestones.network import Network
    >>> found = simulate(Network(["a"]), {"a": Distribution("triangular", low=1, mode=2, high=3)}, seed=1)
    >>> found.n, round(float(found.end.mean()), 1), found.criticality.tolist()
    (10000, 2.0, [1.0])
    """
    drawn = _Draws(network, durations, seed, draws, groups, correlation, risks, mitigated, milestones)
    n, tasks = drawn.n, drawn.tasks
    keep = np.empty((len(tasks), n), dtype=np.float32)
    finish = {name: np.empty(n) for name in drawn.milestones}
    end, critical = np.empty(n), np.zeros(len(tasks))
    own = np.empty((len(drawn.hit), n), dtype=np.float32)
    for part, days, alone in drawn.blocks():
        own[:, part] = alone
        found = network.passes(days)
        keep[:, part], end[part] = days, found.end
        critical += found.critical.sum(axis=1)
        late = found.early_finish if hasattr(found, "early_finish") else found.finish
        for name in drawn.milestones:
            finish[name][part] = late[drawn.place[name]]
    lengths = {tasks[k]: row for k, row in zip(drawn.hit, own, strict=True)}
    return Simulation(tasks, n, keep, finish, end, critical / n, drawn.effects, drawn.struck, lengths)


def finishes(
    network: Forward,
    durations: Mapping[str, Distribution],
    *,
    seed: int,
    draws: int = 10_000,
    groups: Iterable[Group] = (),
    risks: Iterable[Risk] = (),
    mitigated: Collection[str] = (),
    milestones: Iterable[str] = (),
) -> dict[str, np.ndarray]:
    """Return {milestone: (D,) finishes}, the same as those of `simulate` for the price of the forward pass alone.

    Args:
        network: as `planlib.milestones.dated.DatedNetwork`.
        durations, seed, draws, groups, risks, mitigated, milestones: as `simulate`.

    Raises:
        InputError: as `simulate`.
    """
    drawn = _Draws(network, durations, seed, draws, groups, None, risks, mitigated, milestones)
    finish = {name: np.empty(drawn.n) for name in drawn.milestones}
    for part, days, _ in drawn.blocks():
        late = network.finishes(days)
        for name in drawn.milestones:
            finish[name][part] = late[drawn.place[name]]
    return finish


class _Draws:
    """Durations of all tasks with what strikes them, checked, block by block."""

    def __init__(
        self, network: Schedule | Forward, durations: Mapping[str, Distribution], seed: int, draws: int,
        groups: Iterable[Group], correlation: object, risks: Iterable[Risk], mitigated: Collection[str],
        milestones: Iterable[str],
    ) -> None:  # fmt: skip
        self.rows, self.milestones = tuple(risks), tuple(dict.fromkeys(milestones))
        self.tasks = tuple(network.tasks)
        guard = Guard()
        self.n = guard.whole("draws", draws, low=1, high=10_000_000)
        guard.whole("seed", seed, low=0)
        _check(guard, self.tasks, durations, self.rows, mitigated, self.milestones)
        matrix = _matrix(guard, self.tasks, tuple(groups), correlation)
        guard.done()
        self.factors = _factors(guard, matrix)
        self.place = {name: k for k, name in enumerate(self.tasks)}
        self.tables = [score_table(durations[name]) for name in self.tasks]
        self.streams = [stream(seed, f"task.{name}") for name in self.tasks]
        self.effects, self.struck = _risks(self.rows, mitigated, self.n, seed)
        self.hit = sorted({self.place[name] for risk in self.rows for name in risk.tasks})

    def blocks(self) -> Iterable[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield which draws, (N, B) their durations, and those of the tasks in `hit` without the risks."""
        for first in range(0, self.n, _BLOCK):
            part = slice(first, min(first + _BLOCK, self.n))
            days = np.empty((len(self.tasks), part.stop - first))
            for row, one in zip(days, self.streams, strict=True):
                one.standard_normal(out=row)
            for tied, factor in self.factors:
                days[tied] = factor @ days[tied]
            for row, table in zip(days, self.tables, strict=True):
                at_scores(table, row, out=row)
            own = np.maximum(days[self.hit], 0.0)
            for kind in ("factor", "days"):
                for risk in (one for one in self.rows if one.effect == kind):
                    hit = [self.place[name] for name in risk.tasks]
                    moved = self.effects[risk.id][part]
                    days[hit] = days[hit] * (1 + moved) if kind == "factor" else days[hit] + moved
            yield part, np.maximum(days, 0.0, out=days), own


@dataclass(frozen=True, slots=True)
class Worth:
    """What a mitigation buys, on the same random numbers.

    Attributes:
        risk: id; None for all mitigations together.
        cost: of it.
        saved, saved_se: mean time by which the finish moves forward, and its standard error (paired draws).
        before, after: P(finish by the due time).
        gained: after - before.
        gained_se: its standard error (paired draws).
    """

    risk: str | None
    cost: float
    saved: float
    saved_se: float
    before: Chance
    after: Chance
    gained: float
    gained_se: float


def mitigation_worth(
    network: Schedule,
    durations: Mapping[str, Distribution],
    risks: Iterable[Risk],
    due: float,
    *,
    milestone: str | None = None,
    before: Simulation | None = None,
    after: Simulation | None = None,
    **options: object,
) -> tuple[Worth, ...]:
    """Return what each mitigation buys alone, and last what all buy together.

    Args:
        network, durations, risks: as in `simulate`.
        due: time for the milestone, the whole schedule for None.
        before, after: draws that are there already, without any mitigation and with all, made with the same options;
            None = they are drawn.
        options: seed, draws, groups, correlation of `simulate`.
    """
    rows = tuple(risks)
    able = [risk for risk in rows if risk.mitigation is not None]
    common = {"risks": rows, "milestones": (milestone,) if milestone else (), **options}
    base = before or simulate(network, durations, **common)
    chance, was = base.chance_by(due, milestone), base.at(milestone)
    found = []
    for name, chosen in [*((risk.id, (risk,)) for risk in able), (None, tuple(able))]:
        ids = {risk.id for risk in chosen}
        kept = after if len(chosen) == len(able) else None
        then = kept or simulate(network, durations, mitigated=ids, **common)
        now = then.at(milestone)
        saved, gained = was - now, (now <= due).astype(float) - (was <= due)
        cost = float(sum(risk.mitigation.cost for risk in chosen))
        met = then.chance_by(due, milestone)
        found.append(Worth(name, cost, float(saved.mean()), _se(saved), chance, met, float(gained.mean()), _se(gained)))
    return tuple(found)


def _check(
    guard: Guard,
    tasks: Sequence[str],
    durations: Mapping[str, Distribution],
    risks: Sequence[Risk],
    mitigated: Collection[str],
    milestones: Sequence[str],
) -> None:
    known, choice = set(tasks), ", ".join(tasks)
    for name in tasks:
        if name not in durations:
            guard.add("missing", f"durations.{name}")
    for field, names in (("durations", durations), ("milestones", milestones)):
        for name in names:
            if name not in known:
                guard.add("unknown_ref", field, name, choice=choice)
    seen: set[str] = set()
    for k, risk in enumerate(risks):
        if risk.id in seen or risk.id in known:
            guard.add("duplicate_id", f"risks[{k}].id", risk.id, first=risk.id)
        seen.add(risk.id)
        guard.choice(f"risks.{risk.id}.effect", risk.effect, EFFECTS)
        if not risk.tasks:
            guard.add("empty", f"risks.{risk.id}.tasks")
        for j, name in enumerate(risk.tasks):
            if name not in known:
                guard.add("unknown_ref", f"risks.{risk.id}.tasks", name, choice=choice)
            elif name in risk.tasks[:j]:
                guard.add("duplicate_id", f"risks.{risk.id}.tasks[{j}]", name, first=name)
        sides = [(f"risks.{risk.id}", risk)]
        if risk.mitigation is not None:
            sides.append((f"risks.{risk.id}.mitigation", risk.mitigation))
            guard.number(f"risks.{risk.id}.mitigation.cost", risk.mitigation.cost, low=0.0)
        for field, side in sides:
            guard.number(f"{field}.chance", side.chance, low=0.0, high=1.0)
            guard.number(f"{field}.impact", float(score_table(side.impact)[0]), low=0.0)
    for name in mitigated:
        if not any(risk.id == name and risk.mitigation is not None for risk in risks):
            guard.add("unknown_ref", "mitigated", name, choice=", ".join(r.id for r in risks if r.mitigation))


def _matrix(guard: Guard, tasks: Sequence[str], groups: Sequence[Group], correlation: object) -> np.ndarray:
    n = len(tasks)
    if correlation is not None:
        if groups:
            guard.add("groups_or_matrix", "correlation")
        given = guard.numbers("correlation", correlation, low=-1.0, high=1.0, ndim=(2,))
        if given.shape != (n, n):
            guard.add("shape", "correlation", f"shape {given.shape}", expected=f"({n}, {n})")
        elif not (np.allclose(given, given.T) and np.allclose(np.diag(given), 1.0)):
            guard.add("shape", "correlation", "not symmetric with ones", expected="a symmetric matrix, diagonal 1")
        else:
            return given
    found, place = np.eye(n), {name: k for k, name in enumerate(tasks)}
    owner: dict[str, int] = {}
    for k, group in enumerate(groups):
        rho = guard.number(f"groups[{k}].rho", group.rho, low=-1.0, high=1.0)
        for name in group.tasks:
            if name not in place:
                guard.add("unknown_ref", f"groups[{k}].tasks", name, choice=", ".join(tasks))
            elif name in owner:
                guard.add("duplicate_id", f"groups[{k}].tasks", name, first=f"groups[{owner[name]}].tasks")
            owner.setdefault(name, k)
        at = [place[name] for name in dict.fromkeys(group.tasks) if name in place]
        found[np.ix_(at, at)] = rho
    np.fill_diagonal(found, 1.0)
    return found


def _factors(guard: Guard, matrix: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each set of tasks tied to one another, through others too: places and a root of the matrix."""
    found, left = [], set(np.flatnonzero((matrix != np.eye(len(matrix))).any(axis=1)).tolist())
    while left:
        tied: set[int] = set()
        new = {min(left)}
        while new:
            tied |= new
            new = set(np.flatnonzero((matrix[sorted(new)] != 0).any(axis=0)).tolist()) - tied
        left -= tied
        at = np.array(sorted(tied))
        values, vectors = np.linalg.eigh(matrix[np.ix_(at, at)])
        if values.min() < -1e-9:
            guard.add("correlations", "correlation", f"{values.min():.3g}")
        found.append((at, vectors * np.sqrt(np.clip(values, 0.0, None))))
    guard.done()
    return found


def _risks(
    risks: Sequence[Risk], mitigated: Collection[str], n: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    effects, struck = {}, {}
    for risk in risks:
        side = risk.mitigation if risk.id in mitigated else risk
        struck[risk.id] = stream(seed, f"risk.{risk.id}.strikes").random(n) < side.chance
        size = at_scores(score_table(side.impact), stream(seed, f"risk.{risk.id}.size").standard_normal(n))
        effects[risk.id] = np.where(struck[risk.id], size - (risk.effect == "factor"), 0.0)
    return effects, struck


def _chance(kept: np.ndarray, level: float) -> Chance:
    count, n = int(kept.sum()), len(kept)
    return Chance(count / n, wilson(count, n, level=level), n)


def _se(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[at]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def _tenths(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(row, (_END, 1 - _END))
    return row <= low, row >= high


def _ends(finish: np.ndarray, low: np.ndarray, high: np.ndarray, p: float | None) -> tuple[float | None, ...]:
    (a, a_se), (b, b_se) = (_level(finish[side], p) for side in (low, high))
    return a, b, a_se, b_se


def _level(values: np.ndarray, p: float | None) -> tuple[float | None, float | None]:
    """Mean or quantile with its standard error, a quantile's from the order statistics one error of p to each side."""
    if len(values) < 2:
        return None, None
    if p is None:
        return float(values.mean()), _se(values)
    error = np.sqrt(p * (1 - p) / len(values))
    below, at, above = np.quantile(values, (max(p - error, 0.0), p, min(p + error, 1.0)))
    return float(at), float(above - below) / 2


def _bins(row: np.ndarray) -> np.ndarray:
    """Number _BINS groups of equal size, equal values together."""
    if len(row) == 0:
        return np.zeros(0, dtype=int)
    return np.minimum(((_ranks(row) - 0.5) * _BINS / len(row)).astype(int), _BINS - 1)


def _ratio(groups: np.ndarray, finish: np.ndarray) -> float:
    """Variance between groups over the whole, less what chance alone would give (epsilon squared), at least 0."""
    total = float(((finish - finish.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    _, groups, size = np.unique(groups, return_inverse=True, return_counts=True)
    mean = np.bincount(groups, finish) / size
    between = float((size * (mean - finish.mean()) ** 2).sum())
    left = len(finish) - len(size)
    if left <= 0:
        return 0.0
    return max(0.0, (between - (len(size) - 1) * (total - between) / left) / total)
