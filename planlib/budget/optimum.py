"""The best split of money over response curves under linear rules, with a proven bound.

Three solvers, from the quickest: the exact dual where curves are concave and the rules are one budget and bands on
separate groups; cutting planes on concave envelopes (Kelley 1960, with HiGHS); branch and bound on those envelopes
where curves are S-shaped or a channel is off or at least so much (Udell & Boyd 2014). Each answer carries an upper
bound that no allocation under the same rules can pass.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np

from planlib.budget.curves import Curves, lower_envelope, upper_envelope
from planlib.core.guards import Guard

SENSES = ("<=", ">=", "==")
FEASIBILITY = 1e-6  # relative, as `violations` measures
_FIRST_CUTS = np.array([1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0])
_FINE, _LOOSE = 1e-9, 1e-7  # feasibility of the linear programs
_MAX_ROUNDS = 200
_TIGHT = 1e-8  # how far a relaxation's outcomes may stand off the envelope, relative
_PATIENCE = 3  # rounds without progress that end a relaxation
_ZERO = 1e-12
_CLOSE = 1e-13  # how far sums at a price may stand off their goal, relative; what is left is moved afterwards
_LEAST_PRICE = 1e-300
_MAX_STEPS = 200  # of a search for a price
_NARROW = 1e-15  # relative width that ends it
_FAR = 1e4  # ends of it further apart than this are halved


@dataclass(frozen=True, eq=False)
class Line:
    """A named rule: spend @ x + outcome @ f(x), sense, limit.

    Args:
        name: what a reader calls it.
        sense: <=, >= or ==.
        limit: right-hand side.
        spend: (N,) weights of the spends, None for none.
        outcome: (N,) weights of the outcomes f(x), None for none.
    """

    name: str
    sense: str
    limit: float
    spend: np.ndarray | None = None
    outcome: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """Maximise worth @ f(x) - price @ x over low <= x <= high under the lines.

    Args:
        curves: N response curves.
        low, high: (N,) CNY, 0 <= low <= high.
        lines: named rules.
        worth: (N,) value of one outcome; 1 by default.
        price: (N,) what a CNY of spend costs the objective; 0 by default, 1 to maximise profit.
        least_if_on: (N,) a channel spends its low, or at least this; 0 by default.

    Raises:
        InputError: lengths that differ, low above high, numbers that are not finite, an unknown sense, a name twice.
    """

    curves: Curves
    low: np.ndarray
    high: np.ndarray
    lines: tuple[Line, ...]
    worth: np.ndarray = None
    price: np.ndarray = None
    least_if_on: np.ndarray = None

    def __post_init__(self) -> None:
        guard, n = Guard(), len(self.curves)
        for name, default, low in (
            ("low", 0.0, 0.0), ("high", None, 0.0), ("worth", 1.0, None), ("price", 0.0, None),
            ("least_if_on", 0.0, 0.0),
        ):  # fmt: skip
            given = getattr(self, name)
            given = default if given is None and default is not None else given
            values = guard.numbers(name, given, low=low, ndim=(0, 1))
            if values.ndim == 1 and values.shape != (n,):
                guard.add("shape", name, f"shape {values.shape}", expected=f"({n},)")
                values = np.zeros(n)
            object.__setattr__(self, name, np.broadcast_to(values, (n,)).astype(float))
        for i in np.flatnonzero(self.low > self.high):
            guard.add("low_above_high", f"low[{i}]", float(self.low[i]))
        seen: dict[str, int] = {}
        for r, line in enumerate(self.lines):
            guard.choice(f"lines[{r}].sense", line.sense, SENSES)
            guard.number(f"lines[{r}].limit", line.limit)
            if line.name in seen:
                guard.add("duplicate_id", f"lines[{r}].name", line.name, first=f"lines[{seen[line.name]}]")
            seen.setdefault(line.name, r)
            for part in ("spend", "outcome"):
                weights = getattr(line, part)
                if weights is None:
                    continue
                values = guard.numbers(f"lines[{r}].{part}", weights, ndim=(1,))
                if values.shape != (n,):
                    guard.add("shape", f"lines[{r}].{part}", f"shape {values.shape}", expected=f"({n},)")
        guard.done()
        object.__setattr__(self, "lines", tuple(self.lines))

    def value(self, spend: np.ndarray) -> float:
        """Return the objective at (N,) CNY."""
        return float(self.worth @ self.curves.value(spend) - self.price @ spend)

    def sides(self, spend: np.ndarray) -> np.ndarray:
        """Return (R,) left-hand sides of the lines."""
        outcome = self.curves.value(spend)
        return np.array([_side(line, spend, outcome) for line in self.lines])


def _side(line: Line, spend: np.ndarray, outcome: np.ndarray) -> float:
    found = 0.0 if line.spend is None else float(line.spend @ spend)
    return found if line.outcome is None else found + float(line.outcome @ outcome)


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best allocation found and the proof of how good it is.

    Attributes:
        status: optimal (gap within the wish), feasible (the search ended before), infeasible.
        spend: (N,) CNY; None when infeasible.
        outcome: (N,) outcomes there.
        value: objective there; -inf when infeasible.
        bound: no allocation under these rules has a higher objective.
        gap_rel: (bound - value) / max(|value|, |bound|); 0 when infeasible.
        nodes: parts that branch and bound looked at; 0 for the exact dual.
        method: dual, cutting_planes or branch_and_bound.
    """

    status: str
    spend: np.ndarray | None
    outcome: np.ndarray | None
    value: float
    bound: float
    gap_rel: float
    nodes: int
    method: str


def optimise(problem: Problem, *, gap_rel: float = 1e-6, max_nodes: int = 2000) -> Optimum:
    """Return the best allocation and its bound; the search is the same at every run.

    Args:
        problem: curves, limits and rules.
        gap_rel: relative gap at which the search ends.
        max_nodes: parts of branch and bound after which it ends with the gap reached so far.
    """
    found = _by_dual(problem)
    if found is not None:
        return found
    return _Search(problem, gap_rel, max_nodes).run()


def violations(problem: Problem, spend: np.ndarray) -> dict[str, float]:
    """Return by how much an allocation misses each rule that it does not hold, relative to the rule's size.

    A line is missed by its distance over max(|limit|, total spend, 1), a limit of a channel (named `channel N`) over
    max(high, 1). Anything above FEASIBILITY breaks the rule.
    """
    size = max(float(np.sum(spend)), 1.0)
    found = {}
    for line, side in zip(problem.lines, problem.sides(spend), strict=True):
        off = side - line.limit
        miss = {"<=": max(off, 0.0), ">=": max(-off, 0.0), "==": abs(off)}[line.sense]
        scale = max(abs(line.limit), size if line.spend is not None else 1.0)
        if miss > 0:
            found[line.name] = miss / scale
    gap = np.minimum(spend - problem.low, problem.least_if_on - spend)
    gap = np.where((spend > problem.low) & (problem.least_if_on > problem.low), gap, 0.0)
    misses = np.maximum(np.maximum(problem.low - spend, spend - problem.high), gap)
    for i in np.flatnonzero(misses > 0):
        found[f"channel {i}"] = float(misses[i] / max(problem.high[i], 1.0))
    return found


def is_feasible(problem: Problem, spend: np.ndarray, *, within: float = FEASIBILITY) -> bool:
    """Return whether an allocation holds every rule to a relative tolerance."""
    return all(miss <= within for miss in violations(problem, spend).values())


# ---- exact dual ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Banded:
    """One budget over everything and bands over separate groups, nothing else."""

    total: float
    equal: bool
    group: np.ndarray  # (N,)
    lows: np.ndarray  # (G,) sums of the channels' own limits
    highs: np.ndarray  # (G,)
    floor: np.ndarray  # (G,)
    ceiling: np.ndarray  # (G,)

    def sums(self, spend: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, weights=spend, minlength=len(self.floor))


def _banded(problem: Problem) -> _Banded | None:
    """Read the problem as one budget with bands on groups, or None when it has another form."""
    gaps = (problem.least_if_on > problem.low).any()
    if gaps or (problem.curves.inflection > 0).any() or (problem.worth <= 0).any() or np.ptp(problem.price) > 0:
        return None
    lines = problem.lines
    if not lines or any(line.outcome is not None or line.spend is None for line in lines):
        return None
    weights = np.array([line.spend for line in lines])  # (R, N)
    unit, inside = weights.max(axis=1), weights != 0
    if (unit <= 0).any() or (weights != unit[:, None] * inside).any():
        return None
    whole = np.flatnonzero(inside.all(axis=1))
    if len(whole) != 1 or lines[whole[0]].sense == ">=":
        return None
    r = int(whole[0])
    found = _bands(lines[:r] + lines[r + 1 :], np.delete(unit, r), np.delete(inside, r, axis=0))
    if found is None:
        return None
    group, floor, ceiling = found
    lows = np.bincount(group, weights=problem.low, minlength=len(floor))
    highs = np.bincount(group, weights=problem.high, minlength=len(floor))
    total, equal = lines[r].limit / unit[r], lines[r].sense == "=="
    return _Banded(total, equal, group, lows, highs, np.maximum(floor, lows), np.minimum(ceiling, highs))


def _bands(
    lines: tuple[Line, ...], unit: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return each channel's group and the groups' limits; None where groups overlap.

    Args:
        lines: R rules, each on the sum of some channels.
        unit: (R,) weight of those channels.
        inside: (R, N) which they are.

    Channels that no rule names share one group without limits.
    """
    known: dict[bytes, int] = {}
    first: list[int] = []
    bands: list[list[float]] = []
    for r, line in enumerate(lines):
        g = known.setdefault(inside[r].tobytes(), len(bands))
        if g == len(bands):
            first.append(r)
            bands.append([0.0, math.inf])
        limit = line.limit / unit[r]
        if line.sense in (">=", "=="):
            bands[g][0] = max(bands[g][0], limit)
        if line.sense in ("<=", "=="):
            bands[g][1] = min(bands[g][1], limit)
    members = inside[first]  # (G, N)
    if (members.sum(axis=0) > 1).any():
        return None
    group = np.arange(1, len(bands) + 1) @ members - 1
    if (group < 0).any():
        group[group < 0] = len(bands)
        bands.append([0.0, math.inf])
    floor, ceiling = np.array(bands).T
    return group, floor, ceiling


def _by_dual(problem: Problem) -> Optimum | None:
    """Solve by one price of money and one a band; None where the problem has another form or no solution."""
    form = _banded(problem)
    if form is None or (form.floor > form.ceiling).any() or form.floor.sum() > form.total:
        return None
    if form.equal and form.ceiling.sum() < form.total:
        return None
    curves, low, high, own = problem.curves, problem.low, problem.high, problem.price[0]

    def wanted(price: np.ndarray | float) -> np.ndarray:
        """Spends at which one more CNY brings `price` (the objective's own price included)."""
        found = curves.spend_at_slope(np.maximum(price, 0.0) / problem.worth)
        return np.minimum(np.maximum(found, low), high)

    def short(price: float) -> float:
        sums = form.sums(wanted(price))
        return float(np.minimum(np.maximum(sums, form.floor), form.ceiling).sum()) - form.total

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        cheap, dear = _ends_of_price(problem)
        if not form.equal and short(own) <= 0:
            money = own
        else:
            ends = cheap, dear, form.ceiling.sum() - form.total, form.floor.sum() - form.total
            money = _root(short, *map(float, ends), enough=_CLOSE * form.total)
        best = wanted(money)
        sums = form.sums(best)
        prices = np.full(len(sums), money)
        goal = np.minimum(np.maximum(sums, form.floor), form.ceiling)
        over, under = sums > goal, sums < goal
        if over.any() or under.any():
            found = _roots(
                lambda price: form.sums(wanted(price[form.group])) - goal,
                np.where(over, max(cheap, money), cheap), np.where(under, min(dear, money), dear),
                np.where(over, sums, form.highs) - goal, np.where(under, sums, form.lows) - goal,
                done=~(over | under), enough=_CLOSE * goal,
            )  # fmt: skip
            prices = np.where(over | under, found, money)
            best = wanted(prices[form.group])
            sums = form.sums(best)
    if form.equal or money > own:
        goal = _moved(goal, form.floor, form.ceiling, form.total - goal.sum())
    spend = _moved_within(best, low, high, form.group, goal - sums)
    # the Lagrangian at its own maximiser is a bound, whatever the prices are
    extra = prices - money
    at_limit = np.where(extra > 0, form.ceiling, form.floor) - sums
    bound = problem.value(best) + (money - own) * (form.total - best.sum()) + float(extra @ at_limit)
    value = problem.value(spend)
    gap = max(bound - value, 0.0) / max(abs(value), abs(bound), 1e-300)
    if gap > 1e-8 or not is_feasible(problem, spend, within=1e-9):
        return None
    return Optimum("optimal", spend, curves.value(spend), value, max(bound, value), gap, 0, "dual")


def _ends_of_price(problem: Problem) -> tuple[float, float]:
    """Return the price at which every channel is at its high, and the one at which every channel is at its low."""
    free = problem.high > problem.low
    at_high = problem.worth * problem.curves.slope(problem.high)
    at_low = problem.worth * problem.curves.slope(np.maximum(problem.low, problem.high * _ZERO))
    dear = min(max(float(at_low.max(where=free, initial=0.0)) * 2, _LEAST_PRICE), 1 / _LEAST_PRICE)
    return min(max(float(at_high.min(where=free, initial=dear)) / 2, _LEAST_PRICE), dear), dear


def _root(
    above: Callable[[float], float], cheap: float, dear: float, f_cheap: float, f_dear: float, *, enough: float
) -> float:
    """Return the price at which a falling function is 0 within `enough`, from its values at two ends.

    False position after Anderson & Björck (1973) on the scale price^-1/2, on which the spends of Michaelis-Menten
    curves are straight lines; a halving of the logarithm where the ends are far apart or progress is slow.
    """
    if f_cheap <= 0:
        return cheap
    if f_dear >= 0:
        return dear
    low, high, f_low, f_high = dear**-0.5, cheap**-0.5, f_dear, f_cheap
    side = 0
    for step in range(_MAX_STEPS):
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        if step % 8 >= 6 or high > _FAR * low or not low < middle < high:
            middle = math.sqrt(low) * math.sqrt(high)
        f = above(middle**-2)
        if abs(f) <= enough or high - low <= _NARROW * high:
            break
        if f > 0:
            f_low = f_low * _kept(f, f_high) if side > 0 else f_low
            high, f_high, side = middle, f, 1
        else:
            f_high = f_high * _kept(f, f_low) if side < 0 else f_high
            low, f_low, side = middle, f, -1
    return middle**-2


def _kept(new: float, old: float) -> float:
    """Return the share of its value that the end which stays keeps."""
    share = 1 - new / old
    return share if share > 0 else 0.5


def _roots(
    above: Callable[[np.ndarray], np.ndarray], cheap: np.ndarray, dear: np.ndarray, f_cheap: np.ndarray,
    f_dear: np.ndarray, *, done: np.ndarray, enough: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return prices at which n falling functions are 0: `_root` for all of them at once, except `done` ones."""
    low, high, f_low, f_high = dear**-0.5, cheap**-0.5, f_dear, f_cheap
    at = np.where(f_cheap <= 0, high, low)
    done = done | (f_cheap <= 0) | (f_dear >= 0)
    side = np.zeros(len(at))
    for step in range(_MAX_STEPS):
        by_line = (low * f_high - high * f_low) / (f_high - f_low)
        good = (low < by_line) & (by_line < high) & (high <= _FAR * low) if step % 8 < 6 else False
        at = np.where(done, at, np.where(good, by_line, np.sqrt(low) * np.sqrt(high)))
        f = above(1 / (at * at))
        done = done | (np.abs(f) <= enough) | (high - low <= _NARROW * high)
        if done.all():
            break
        up = f > 0
        share = 1 - f / np.where(up, f_high, f_low)
        share = np.where(share > 0, share, 0.5)
        f_low = np.where(up, np.where(side > 0, f_low * share, f_low), f)
        f_high = np.where(up, f, np.where(side < 0, f_high * share, f_high))
        low, high = np.where(up, low, at), np.where(up, at, high)
        side = np.where(up, 1.0, -1.0)
    return 1 / (at * at)


def _moved(values: np.ndarray, low: np.ndarray, high: np.ndarray, by: float) -> np.ndarray:
    """Return values whose sum changes by `by`, each inside its limits, in proportion to its room."""
    room = high - values if by > 0 else values - low
    return values + np.sign(by) * room * min(abs(by) / max(room.sum(), 1e-300), 1.0)


def _moved_within(
    values: np.ndarray, low: np.ndarray, high: np.ndarray, group: np.ndarray, by: np.ndarray
) -> np.ndarray:
    """The same for each group."""
    room = np.where(by[group] > 0, high - values, values - low)
    share = np.minimum(np.abs(by) / np.maximum(np.bincount(group, weights=room, minlength=len(by)), 1e-300), 1.0)
    return values + np.sign(by[group]) * room * share[group]


# ---- cutting planes, branch and bound --------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Part:
    """A box of the search: ends of each channel and the gap that is still undecided in it."""

    low: np.ndarray
    high: np.ndarray
    least: np.ndarray

    def off(self, i: int) -> _Part:
        return self.with_ends(i, self.low[i], self.low[i], self.low[i])

    def with_ends(self, i: int, low: float, high: float, least: float) -> _Part:
        ends = []
        for values, new in ((self.low, low), (self.high, high), (self.least, least)):
            ends.append(values.copy())
            ends[-1][i] = new
        return _Part(*ends)


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """Answer of a relaxation: spends, outcomes on the envelopes, bound of the objective."""

    spend: np.ndarray
    outcome: np.ndarray
    bound: float


class _Search:
    """Branch and bound over boxes; one warm linear programme serves them all.

    Columns are the spends and the outcomes, each divided by its largest value. An outcome lies under lines that touch
    the concave envelope and, where a larger outcome could hurt, above lines that touch the convex one. Lines that
    hold in the whole box of the problem stay; those of a part are taken out after it.
    """

    def __init__(self, problem: Problem, gap_rel: float, max_nodes: int) -> None:
        self.problem, self.gap_rel, self.max_nodes = problem, gap_rel, max_nodes
        self.curves, self.n = problem.curves, len(problem.curves)
        self.x_unit = np.where(problem.high > 0, problem.high, 1.0)
        top = self.curves.value(problem.high)
        self.y_unit = np.where(top > 0, top, 1.0)
        self.helps, self.hurts = _directions(problem)
        self.weight = _weights(problem)
        self.root = _Part(problem.low, problem.high, np.where(problem.high > 0, problem.least_if_on, 0.0))
        self.root_touch = upper_envelope(self.curves, *_ends(self.root))
        self.best: np.ndarray | None = None
        self.best_value = -math.inf
        self.nodes = 0
        self._start()

    def run(self) -> Optimum:
        """Search until the gap is small enough, nothing is left, or `max_nodes` parts were looked at."""
        first = self.relax(self.root)
        if first is None:
            return self.answer(-math.inf)
        order = count()
        heap = [(-first.bound, next(order), self.root, first)]
        self.round_off(self.root, first, thorough=True)
        while heap and self.nodes < self.max_nodes and not self.closed(-heap[0][0]):
            _, _, part, found = heapq.heappop(heap)
            for child in self.split(part, found):
                self.nodes += 1
                answer = self.relax(child)
                if answer is None or answer.bound <= self.best_value:
                    continue
                self.round_off(child, answer, thorough=False)
                heapq.heappush(heap, (-answer.bound, next(order), child, answer))
        bound = max((-heap[0][0] if heap else -math.inf), self.best_value)
        return self.answer(bound)

    def closed(self, bound: float) -> bool:
        if self.best is None:
            return False
        return bound - self.best_value <= self.gap_rel * max(abs(bound), abs(self.best_value), 1e-300)

    def answer(self, bound: float) -> Optimum:
        method = "branch_and_bound" if self.nodes else "cutting_planes"
        if self.best is None:
            status = "infeasible" if bound == -math.inf else "unknown"
            return Optimum(status, None, None, -math.inf, bound, 0.0, self.nodes, method)
        gap = max(bound - self.best_value, 0.0) / max(abs(bound), abs(self.best_value), 1e-300)
        status = "optimal" if gap <= self.gap_rel else "feasible"
        outcome = self.curves.value(self.best)
        return Optimum(status, self.best, outcome, self.best_value, bound, gap, self.nodes, method)

    # -- relaxation
    def relax(self, part: _Part) -> _Relaxed | None:
        """Return the best point of the envelopes over a part, None when no point holds the lines."""
        changed = (part.low != self.root.low) | (part.high != self.root.high) | (part.least != self.root.least)
        touch = self.root_touch if not changed.any() else upper_envelope(self.curves, *_ends(part))
        leave = lower_envelope(self.curves, part.low, part.high)
        self._bounds(part)
        own = self.model.getNumRow()
        at = np.flatnonzero(changed)
        self._add(at, *self._upper_lines(part, touch, at, part.low[at]), above=False)
        inside = at[touch[at] < part.high[at]]
        self._add(inside, *self._tangents(inside, touch[inside]), above=False)
        down = np.flatnonzero(changed & self.hurts)
        self._add(down, *self._lower_lines(part, leave, down, part.high[down]), above=True)
        found = self._cut(part, touch, leave)
        if self.model.getNumRow() > own:
            self._forget(own)
        return found

    def _cut(self, part: _Part, touch: np.ndarray, leave: np.ndarray) -> _Relaxed | None:
        import highspy

        least_off, stalled = math.inf, 0
        for _ in range(_MAX_ROUNDS):
            self.model.run()
            if self.model.getModelStatus() != highspy.HighsModelStatus.kOptimal and not self._solved_loosely():
                return None
            values = np.asarray(self.model.getSolution().col_value)
            x = np.clip(values[: self.n] * self.x_unit, part.low, part.high)
            y = values[self.n :] * self.y_unit
            over = np.where(self.helps, y - self._envelope(part, touch, x), 0.0)
            under = np.where(self.hurts, self._floor(part, leave, x) - y, 0.0)
            off = np.maximum(over, under) / self.y_unit
            bound = self.model.getInfo().objective_function_value * self.objective_unit
            total = float(self.weight @ np.maximum(off, 0.0))
            stalled = stalled + 1 if total > 0.9 * least_off else 0
            least_off = min(least_off, total)
            if total <= _TIGHT or stalled >= _PATIENCE or self.closed(bound):
                break
            up = np.flatnonzero(over / self.y_unit > _TIGHT / self.n)
            self._add(up, *self._upper_lines(part, touch, up, x[up]), above=False)
            down = np.flatnonzero(under / self.y_unit > _TIGHT / self.n)
            self._add(down, *self._lower_lines(part, leave, down, x[down]), above=True)
            if not (up.size or down.size):
                break
        return _Relaxed(x, y, bound + 1e-9 * abs(bound))

    def _solved_loosely(self) -> bool:
        """Solve once more to 1e-7: a miss that rounding alone explains does not make a problem infeasible."""
        import highspy

        self._tolerance(_LOOSE)
        self.model.run()
        status = self.model.getModelStatus()
        self._tolerance(_FINE)
        return status == highspy.HighsModelStatus.kOptimal

    def _tolerance(self, value: float) -> None:
        for kind in ("primal", "dual"):
            self.model.setOptionValue(f"{kind}_feasibility_tolerance", value)

    def _envelope(self, part: _Part, touch: np.ndarray, x: np.ndarray) -> np.ndarray:
        low, top = self.curves.value(part.low), self.curves.value(touch)
        width = np.where(touch > part.low, touch - part.low, 1.0)
        return np.where(x < touch, low + (top - low) * (x - part.low) / width, self.curves.value(x))

    def _floor(self, part: _Part, leave: np.ndarray, x: np.ndarray) -> np.ndarray:
        high, bottom = self.curves.value(part.high), self.curves.value(leave)
        width = np.where(part.high > leave, part.high - leave, 1.0)
        return np.where(x > leave, high - (high - bottom) * (part.high - x) / width, self.curves.value(x))

    def _upper_lines(self, part: _Part, touch: np.ndarray, at: np.ndarray, x: np.ndarray) -> tuple:
        """Lines over the envelope at x: the straight part below the touching point, else the tangent."""
        if not at.size:
            return at, at
        curves = self.curves.take(at)
        low, top = part.low[at], touch[at]
        straight = (x < top) & (top > low)
        rise = curves.value(top) - curves.value(low)
        slope, base = self._tangents(at, np.maximum(x, top))
        chord = rise / np.where(top > low, top - low, 1.0)
        return np.where(straight, chord, slope), np.where(straight, curves.value(low) - chord * low, base)

    def _lower_lines(self, part: _Part, leave: np.ndarray, at: np.ndarray, x: np.ndarray) -> tuple:
        if not at.size:
            return at, at
        curves = self.curves.take(at)
        high, bottom = part.high[at], leave[at]
        straight = (x > bottom) & (high > bottom)
        chord = (curves.value(high) - curves.value(bottom)) / np.where(high > bottom, high - bottom, 1.0)
        slope, base = self._tangents(at, np.minimum(x, bottom))
        return np.where(straight, chord, slope), np.where(straight, curves.value(high) - chord * high, base)

    def _tangents(self, at: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not at.size:
            return at, at
        curves = self.curves.take(at)
        x = np.maximum(x, 1e-9 * self.x_unit[at])
        slope = curves.slope(x)
        return slope, curves.value(x) - slope * x

    # -- feasible points
    def round_off(self, part: _Part, found: _Relaxed, *, thorough: bool) -> None:
        """Turn a relaxation into allocations that hold every rule, and keep the best."""
        self.offer(found.spend)
        touch = upper_envelope(self.curves, *_ends(part))
        between = (found.spend > part.low * (1 + _ZERO) + _ZERO) & (found.spend < touch * (1 - 1e-9))
        if not between.any():
            return
        share = np.divide(found.spend - part.low, touch - part.low, out=np.zeros(self.n), where=touch > part.low)
        for least_share in (0.5, 1e-9, 1.0) if thorough else (0.5,):
            on = between & (share >= least_share)
            off = between & ~on
            first = np.minimum(np.maximum(part.least, np.minimum(self.curves.inflection, touch)), part.high)
            fixed = _Part(
                np.where(on, np.maximum(first, part.low), part.low),
                np.where(off, part.low, part.high),
                np.where(between, part.low, part.least),
            )
            answer = self.relax(_Part(fixed.low, fixed.high, np.where(between, fixed.low, part.least)))
            if answer is not None:
                self.offer(answer.spend)

    def offer(self, spend: np.ndarray) -> None:
        value = self.problem.value(spend)
        if value > self.best_value and is_feasible(self.problem, spend, within=FEASIBILITY / 2):
            self.best, self.best_value = spend, value

    # -- branching
    def split(self, part: _Part, found: _Relaxed) -> tuple[_Part, ...]:
        """Divide a part at the channel whose envelope stands farthest from its curve."""
        x = found.spend
        gap = np.abs(found.outcome - self.curves.value(x)) / self.y_unit * np.maximum(self.weight, 1e-12)
        gap[part.high - part.low <= 1e-9 * self.x_unit] = 0.0
        i = int(gap.argmax())
        if gap[i] <= 0:
            return ()
        low, high, least = part.low[i], part.high[i], part.least[i]
        if least > low:
            return part.off(i), part.with_ends(i, min(least, high), high, min(least, high))
        at = float(np.clip(x[i], low + 0.1 * (high - low), high - 0.1 * (high - low)))
        return part.with_ends(i, low, at, low), part.with_ends(i, at, high, at)

    # -- the linear programme
    def _start(self) -> None:
        import highspy

        problem, n = self.problem, self.n
        cost = np.concatenate([-problem.price * self.x_unit, problem.worth * self.y_unit])
        self.objective_unit = float(np.abs(cost).max()) or 1.0
        rows = [
            np.concatenate([
                np.zeros(n) if line.spend is None else line.spend * self.x_unit,
                np.zeros(n) if line.outcome is None else line.outcome * self.y_unit,
            ])
            for line in problem.lines
        ]  # fmt: skip
        size = [float(np.abs(row).max()) or 1.0 for row in rows]
        limit = [line.limit / unit for line, unit in zip(problem.lines, size, strict=True)]
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = 2 * n, len(rows)
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_ = cost / self.objective_unit
        lp.col_lower_, lp.col_upper_ = np.zeros(2 * n), np.ones(2 * n)
        senses = [line.sense for line in problem.lines]
        lp.row_lower_ = np.array([b if s != "<=" else -math.inf for s, b in zip(senses, limit, strict=True)])
        lp.row_upper_ = np.array([b if s != ">=" else math.inf for s, b in zip(senses, limit, strict=True)])
        filled = [np.flatnonzero(row) for row in rows]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(at) for at in filled)])
        lp.a_matrix_.index_ = np.concatenate([*filled, []]).astype(np.int32)
        lp.a_matrix_.value_ = np.concatenate([*(r[at] / u for r, at, u in zip(rows, filled, size, strict=True)), []])
        self.model = highspy.Highs()
        for option, value in (
            ("output_flag", False), ("presolve", "off"), ("threads", 1),
            ("primal_feasibility_tolerance", _FINE), ("dual_feasibility_tolerance", _FINE),
        ):  # fmt: skip
            self.model.setOptionValue(option, value)
        self.model.passModel(lp)
        self._bounds(self.root)
        up = np.flatnonzero(self.helps)
        self._add(up, *self._upper_lines(self.root, self.root_touch, up, self.root.low[up]), above=False)
        for share in _FIRST_CUTS:
            x = self.root_touch + share * (self.root.high - self.root_touch)
            self._add(up, *self._tangents(up, x[up]), above=False)
        down = np.flatnonzero(self.hurts)
        leave = lower_envelope(self.curves, self.root.low, self.root.high)
        self._add(down, *self._lower_lines(self.root, leave, down, self.root.high[down]), above=True)

    def _bounds(self, part: _Part) -> None:
        columns = np.arange(2 * self.n, dtype=np.int32)
        low = np.concatenate([part.low / self.x_unit, self.curves.value(part.low) / self.y_unit])
        high = np.concatenate([part.high / self.x_unit, self.curves.value(part.high) / self.y_unit])
        self.model.changeColsBounds(2 * self.n, columns, low, high)

    def _add(self, at: np.ndarray, slope: np.ndarray, base: np.ndarray, *, above: bool) -> None:
        """Add y <= slope x + base (>= where `above`) for the channels `at`."""
        m = len(at)
        if not m:
            return
        steep = slope * self.x_unit[at] / self.y_unit[at]
        level = base / self.y_unit[at]
        size = np.maximum(np.abs(steep), 1.0)
        index = np.stack([at, at + self.n], axis=1).astype(np.int32).ravel()
        value = np.stack([-steep / size, 1 / size], axis=1).ravel()
        limit, none = level / size, np.full(m, math.inf)
        ends = (limit, none) if above else (-none, limit)
        self.model.addRows(m, *ends, 2 * m, np.arange(0, 2 * m, 2, dtype=np.int32), index, value)

    def _forget(self, first: int) -> None:
        rows = np.arange(first, self.model.getNumRow(), dtype=np.int32)
        self.model.deleteRows(len(rows), rows)


def _ends(part: _Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return part.low, part.high, part.least


def _directions(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Say for each channel whether a larger outcome could help the objective or a line, and whether it could hurt."""
    helps, hurts = problem.worth > 0, problem.worth < 0
    for line in problem.lines:
        if line.outcome is None:
            continue
        more, less = line.outcome > 0, line.outcome < 0
        helps = helps | (more if line.sense != "<=" else less) | ((more | less) if line.sense == "==" else False)
        hurts = hurts | (less if line.sense != "<=" else more) | ((more | less) if line.sense == "==" else False)
    return helps, hurts


def _weights(problem: Problem) -> np.ndarray:
    """Return how much an outcome's largest value weighs in the objective or in a line, at most 1."""
    top = problem.curves.value(problem.high)
    parts = [problem.worth, *(line.outcome for line in problem.lines if line.outcome is not None)]
    found = np.zeros(len(top))
    for part in parts:
        size = np.abs(part) * top
        found = np.maximum(found, size / (size.max() or 1.0))
    return found
