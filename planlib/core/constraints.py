"""Named linear rules: which of them cannot hold together, and what would make them hold.

A rule is one row or several under one name; rows without a name are background and never blamed. One warm
simplex model answers every question: rules are switched off by freeing their rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from planlib.core.errors import InputError, Problem

SENSES = ("<=", ">=", "=")


@dataclass(frozen=True, slots=True)
class Row:
    """One linear inequality: sum of coef x variable, sense, rhs.

    Args:
        rule: name of the rule that it belongs to; None for background.
        coef: variable -> coefficient.
        sense: <=, >= or =.
        rhs: right-hand side, in the unit that the row is written in.
    """

    rule: str | None
    coef: Mapping[str, float]
    sense: str
    rhs: float


@dataclass(frozen=True, slots=True)
class Conflicts:
    """All minimal conflict sets and minimal correction sets, each sorted by size; `complete` unless cut short."""

    conflicts: tuple[frozenset[str], ...]
    corrections: tuple[frozenset[str], ...]
    complete: bool


class System:
    """Rows over variables.

    Args:
        rows: the rules and the background.
        nonnegative: every variable is at least 0, as background.

    Raises:
        InputError: a coefficient or right-hand side is not finite, or a sense is unknown.
    """

    def __init__(self, rows: Iterable[Row], *, nonnegative: bool = True):
        self.rows = tuple(rows)
        _check(self.rows)
        self.variables = tuple(dict.fromkeys(name for row in self.rows for name in row.coef))
        self.rules = tuple(dict.fromkeys(row.rule for row in self.rows if row.rule is not None))
        self._column = {name: index for index, name in enumerate(self.variables)}
        self._rows_of = {rule: [i for i, row in enumerate(self.rows) if row.rule == rule] for rule in self.rules}
        self._low = np.array([row.rhs if row.sense in (">=", "=") else -math.inf for row in self.rows])
        self._high = np.array([row.rhs if row.sense in ("<=", "=") else math.inf for row in self.rows])
        self._on = dict.fromkeys(self.rules, True)
        self._model = _model(self.rows, self._column, self._low, self._high, nonnegative)

    def feasible(self, rules: Collection[str] | None = None) -> bool:
        """Return whether the background and these rules (all by default) hold for some values."""
        self._enable(self.rules if rules is None else rules)
        return self._solve()

    def conflict(self, rules: Sequence[str] | None = None) -> tuple[str, ...] | None:
        """Return a minimal set of rules that cannot hold together, or None when all of them can.

        Rules early in the sequence are kept in preference to later ones. Deletion filter (Chinneck 2008)
        after a first cut by the Farkas ray.

        Raises:
            InputError: the background alone cannot hold.
        """
        rules = tuple(self.rules if rules is None else rules)
        if self.feasible(rules):
            return None
        if not self.feasible(()):
            raise InputError(Problem("background_infeasible", field="rows"))
        self.feasible(rules)
        kept = [rule for rule in rules if rule in self._in_ray()] or list(rules)
        if self.feasible(kept):  # the ray was not exact: fall back on all
            kept = list(rules)
        for rule in reversed(tuple(kept)):
            rest = [other for other in kept if other != rule]
            if not self.feasible(rest):
                kept = rest
        return tuple(kept)

    def enumerate(self, *, at_most: int = 1000) -> Conflicts:
        """Return every minimal conflict set and every minimal correction set.

        MARCO (Liffiton et al. 2016): unexplored subsets are grown to a largest set that can hold or shrunk to
        a smallest that cannot, until none is unexplored or `at_most` sets were found.
        """
        known = _Map(len(self.rules))
        bad: list[frozenset[str]] = []
        good: list[frozenset[str]] = []
        while len(bad) + len(good) < at_most and (seed := known.unexplored()) is not None:
            chosen = [rule for index, rule in enumerate(self.rules) if seed >> index & 1]
            if self.feasible(chosen):
                for rule in self.rules:
                    if rule not in chosen and self.feasible([*chosen, rule]):
                        chosen.append(rule)
                known.block_below(self._mask(chosen))
                good.append(frozenset(self.rules) - frozenset(chosen))
            else:
                small = self.conflict(chosen)
                known.block_above(self._mask(small))
                bad.append(frozenset(small))
        complete = known.unexplored() is None
        return Conflicts(_sorted(bad), _sorted(good), complete)

    def maximise(self, variable: str, *, under: Collection[str] | None = None) -> float:
        """Return the largest value of a variable under these rules; inf when nothing limits it, nan when none fits."""
        return self._optimise({variable: 1.0}, under, largest=True)

    def minimise(self, variable: str, *, under: Collection[str] | None = None) -> float:
        """Return the smallest value of a variable under these rules; -inf or nan as in `maximise`."""
        return self._optimise({variable: 1.0}, under, largest=False)

    def relax(self, order: Sequence[Collection[str]]) -> dict[str, float]:
        """Return by how much each rule has to give way so that all hold.

        Args:
            order: groups of rules, the most important first: a group gives way only as far as the groups
                before it, at their own least, leave no choice. Rules in no group never give way.

        Returns:
            {rule: amount in the row's own unit, > 0}, the largest of the rule's rows.

        Raises:
            InputError: even so nothing holds.

        Amounts are minimised relative to the size of each right-hand side, so that no unit weighs more.
        """
        elastic = [rule for group in order for rule in group]
        shifts: list[Row] = []
        names: dict[str, list[str]] = {rule: [] for rule in elastic}
        for index, row in enumerate(self.rows):
            if row.rule not in names:
                shifts.append(Row(None, row.coef, row.sense, row.rhs))
                continue
            size = _size(row)
            for sign in {"<=": (-1,), ">=": (1,), "=": (-1, 1)}[row.sense]:
                names[row.rule].append(f"\0{index}{sign}")
            coef = dict(row.coef) | {f"\0{index}{s}": s * size for s in (-1, 1) if f"\0{index}{s}" in names[row.rule]}
            shifts.append(Row(None, coef, row.sense, row.rhs))
        fixed: list[Row] = []
        values: dict[str, float] = {}
        for group in order:
            total = {name: 1.0 for rule in group for name in names[rule]}
            system = System([*shifts, *fixed])
            least = system._optimise(total, (), largest=False)
            if not math.isfinite(least):
                raise InputError(Problem("background_infeasible", field="rows"))
            fixed.append(Row(None, total, "<=", least * (1 + 1e-9) + 1e-9))
            values = system.values()
        amounts = {}
        for index, row in enumerate(self.rows):
            moved = max((values.get(f"\0{index}{s}", 0.0) for s in (-1, 1)), default=0.0) * _size(row)
            if row.rule in names and moved > 1e-6 * _size(row):
                amounts[row.rule] = max(amounts.get(row.rule, 0.0), moved)
        return amounts

    def values(self) -> dict[str, float]:
        """Return the variables' values in the last answer."""
        return dict(zip(self.variables, self._model.getSolution().col_value, strict=True))

    def _optimise(self, objective: Mapping[str, float], under: Collection[str] | None, *, largest: bool) -> float:
        import highspy

        self._enable(self.rules if under is None else under)
        sign = -1.0 if largest else 1.0
        for name, weight in objective.items():
            self._model.changeColCost(self._column[name], sign * weight)
        self._model.run()
        status = self._model.getModelStatus()
        value = self._model.getInfo().objective_function_value * sign
        for name in objective:
            self._model.changeColCost(self._column[name], 0.0)
        if status == highspy.HighsModelStatus.kOptimal:
            return value
        return math.nan if status == highspy.HighsModelStatus.kInfeasible else -sign * math.inf

    def _solve(self) -> bool:
        import highspy

        self._model.run()
        return self._model.getModelStatus() != highspy.HighsModelStatus.kInfeasible

    def _in_ray(self) -> set[str | None]:
        """Return the rules that the proof of infeasibility uses."""
        _, has_ray, ray = self._model.getDualRay()
        if not has_ray:
            return set()
        return {self.rows[index].rule for index in np.flatnonzero(np.abs(np.asarray(ray)) > 1e-12)}

    def _enable(self, rules: Collection[str]) -> None:
        wanted = set(rules)
        for rule, rows in self._rows_of.items():
            if self._on[rule] == (rule in wanted):
                continue
            self._on[rule] = rule in wanted
            for index in rows:
                free = not self._on[rule]
                low, high = (-math.inf, math.inf) if free else (self._low[index], self._high[index])
                self._model.changeRowBounds(index, low, high)

    def _mask(self, rules: Collection[str]) -> int:
        return sum(1 << index for index, rule in enumerate(self.rules) if rule in rules)


def smallest_that_fits(fits: Callable[[float], bool], low: float, high: float, *, rel: float = 1e-9) -> float | None:
    """Return the smallest number in [low, high] for which `fits` is true, None when `high` does not fit.

    `fits` must stay true once it is; bisection to a relative width of `rel`.
    """
    if not fits(high):
        return None
    if fits(low):
        return low
    while high - low > rel * max(abs(low), abs(high)):
        middle = (low + high) / 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return high


@dataclass(slots=True)
class _Map:
    """Which subsets of n rules are still unexplored, as clauses over bit masks."""

    n: int
    above: list[int] = field(default_factory=list)  # no superset of these
    below: list[int] = field(default_factory=list)  # no subset of these

    def block_above(self, mask: int) -> None:
        self.above.append(mask)

    def block_below(self, mask: int) -> None:
        self.below.append(((1 << self.n) - 1) & ~mask)

    def unexplored(self) -> int | None:
        """Return an unexplored subset, large by preference, or None."""
        return self._search((1 << self.n) - 1, 0)

    def _search(self, chosen: int, fixed: int) -> int | None:
        """Take rules out of `chosen`, never those in `fixed`, until no blocked superset is left inside."""
        for mask in self.above:
            if mask & chosen == mask:
                for index in range(self.n):
                    bit = 1 << index
                    if mask & bit and not fixed & bit:
                        found = self._search(chosen & ~bit, fixed)
                        if found is not None:
                            return found
                        fixed |= bit
                return None
        return chosen if all(outside & chosen for outside in self.below) else None


def _check(rows: Sequence[Row]) -> None:
    problems = []
    for index, row in enumerate(rows):
        name = f"rows[{index}]"
        if row.sense not in SENSES:
            problems.append(
                Problem("choice", field=f"{name}.sense", given=row.sense, values={"choice": ", ".join(SENSES)})
            )
        for where, number in (("rhs", row.rhs), *row.coef.items()):
            if not math.isfinite(number):
                problems.append(Problem("not_finite", field=f"{name}.{where}", given=number))
    if problems:
        raise InputError(*problems)


def _model(rows, column, low, high, nonnegative):
    import highspy

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(column), len(rows)
    lp.col_cost_ = np.zeros(len(column))
    lp.col_lower_ = np.full(len(column), 0.0 if nonnegative else -highspy.kHighsInf)
    lp.col_upper_ = np.full(len(column), highspy.kHighsInf)
    lp.row_lower_, lp.row_upper_ = low, high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0, *(len(row.coef) for row in rows)])
    lp.a_matrix_.index_ = np.array([column[name] for row in rows for name in row.coef], dtype=np.int32)
    lp.a_matrix_.value_ = np.array([value for row in rows for value in row.coef.values()], dtype=float)
    model = highspy.Highs()
    for option, value in (("output_flag", False), ("presolve", "off"), ("threads", 1)):
        model.setOptionValue(option, value)
    model.passModel(lp)
    return model


def _size(row: Row) -> float:
    return abs(row.rhs) or max((abs(value) for value in row.coef.values()), default=1.0) or 1.0


def _sorted(sets: Iterable[frozenset[str]]) -> tuple[frozenset[str], ...]:
    return tuple(sorted(sets, key=lambda s: (len(s), sorted(s))))
