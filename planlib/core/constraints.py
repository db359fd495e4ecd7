"""Named linear rules: which of them cannot hold together, and what would make them hold.

A rule is one row or several under one name; rows without a name are background and never blamed. One warm
simplex model answers every question: rules are switched off by freeing their rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.errors import InputError, Problem

SENSES = ("<=", ">=", "=")
_EXACT = 1e-9  # by how much a row may be missed
_OPTIONS = {
    "output_flag": False,
    "presolve": "off",
    "threads": 1,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}


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
        sizes: variable -> about how large it gets, 1 where none is told; numbers of one size are solved exactly.

    Raises:
        InputError: a coefficient or right-hand side is not finite, or a sense is unknown.
    """

    def __init__(self, rows: Iterable[Row], *, nonnegative: bool = True, sizes: Mapping[str, float] | None = None):
        self.rows = tuple(rows)
        _check(self.rows)
        self.variables = tuple(dict.fromkeys(name for row in self.rows for name in row.coef))
        self.rules = tuple(dict.fromkeys(row.rule for row in self.rows if row.rule is not None))
        self._column = {name: index for index, name in enumerate(self.variables)}
        rows_of: dict[str, list[int]] = {rule: [] for rule in self.rules}
        for index, row in enumerate(self.rows):
            if row.rule is not None:
                rows_of[row.rule].append(index)
        self._rows_of = {rule: np.array(indices, dtype=np.int32) for rule, indices in rows_of.items()}
        self._free = np.array([[-math.inf], [math.inf]]) * np.ones(len(self.rows))
        self._nonnegative = nonnegative
        self._sizes = np.array([(sizes or {}).get(name, 1.0) for name in self.variables])
        self._starts = np.cumsum([0, *(len(row.coef) for row in self.rows)])
        self._row_of = np.repeat(np.arange(len(self.rows)), np.diff(self._starts))
        self._index = np.array([self._column[name] for row in self.rows for name in row.coef], dtype=np.int32)
        coef = np.array([value for row in self.rows for value in row.coef.values()], dtype=float)
        coef *= self._sizes[self._index]
        self._scale = np.ones(len(self.rows))
        if sizes:
            largest = np.zeros(len(self.rows))
            np.maximum.at(largest, self._row_of, np.abs(coef))
            self._scale = np.where(largest > 0, largest, 1.0)
        self._coef = coef / self._scale[self._row_of]
        self._low = np.array([row.rhs if row.sense in (">=", "=") else -math.inf for row in self.rows]) / self._scale
        self._high = np.array([row.rhs if row.sense in ("<=", "=") else math.inf for row in self.rows]) / self._scale
        self._on = dict.fromkeys(self.rules, True)
        self._sign = 1.0
        self._model = self._passed()

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
        return self._shrunk(rules, [])

    def _shrunk(self, rules: Sequence[str], broken: list[frozenset[str]]) -> tuple[str, ...]:
        """Return a smallest conflict inside rules that the last answer found infeasible.

        Args:
            broken: for answers found before, the rules that each breaks: any others can hold and need not be solved
                again. Answers found here are added.
        """
        kept = self._blamed(rules)
        for rule in reversed(kept):
            rest = tuple(other for other in kept if other != rule)
            if rule not in kept or any(rules.isdisjoint(rest) for rules in broken):
                continue
            if self.feasible(rest):
                broken.append(self._broken())
            else:
                kept = self._blamed(rest)
        return kept

    def _blamed(self, rules: Sequence[str]) -> tuple[str, ...]:
        """Return those of the rules that the proof of infeasibility uses, all of them where it is not exact."""
        ray = self.proof() * self._scale
        if not self._nonnegative:
            used = {self.rows[index].rule for index in np.flatnonzero(np.abs(ray) > 1e-12)}
            found = tuple(rule for rule in rules if rule in used)
            return found if found and not self.feasible(found) else tuple(rules)
        used = np.abs(ray) > 1e-12 * np.abs(ray).max(initial=0.0)
        weights = np.where(used, ray, 0.0)
        for sign in (1.0, -1.0):
            y = sign * weights
            bound = np.where(y > 0, self._low, self._high)
            sums = np.bincount(self._index, self._coef * y[self._row_of], len(self.variables))
            least = float((y[used] * bound[used]).sum())
            if math.isfinite(least) and least > _EXACT and sums.max(initial=0.0) <= _EXACT * least:
                named = {self.rows[index].rule for index in np.flatnonzero(used)}
                return tuple(rule for rule in rules if rule in named)
        return tuple(rules)

    def _broken(self) -> frozenset[str]:
        """Return the rules that the last answer does not meet."""
        reached = np.bincount(self._row_of, self._coef * self._point()[self._index], len(self.rows))
        missed = np.flatnonzero((reached < self._low - _EXACT) | (reached > self._high + _EXACT))
        return frozenset(self.rows[index].rule for index in missed if self.rows[index].rule is not None)

    def enumerate(self, *, at_most: int = 1000) -> Conflicts:
        """Return every minimal conflict set and every minimal correction set.

        A correction is a smallest set that has a rule of every conflict. Such sets are kept for the conflicts known
        so far; one without which nothing fails is a correction, else what fails holds a new conflict (Reiter 1987;
        Liffiton et al. 2016). It stops when all were tried, or when there are more than `at_most`.

        Raises:
            InputError: the background alone cannot hold.
        """
        if not self.feasible(()):
            raise InputError(Problem("background_infeasible", field="rows"))
        bit = {rule: 1 << index for index, rule in enumerate(self.rules)}
        bad: list[tuple[str, ...]] = []
        good: dict[int, frozenset[str]] = {}
        broken: list[frozenset[str]] = []
        open_sets = [0]
        while open_sets and len(open_sets) + len(good) <= at_most:
            open_sets.sort(key=int.bit_count)  # the longest first: what it breaks spares later questions
            removed = open_sets.pop()
            rest = tuple(rule for rule in self.rules if not removed & bit[rule])
            if self.feasible(rest):
                good[removed] = frozenset(rule for rule in self.rules if removed & bit[rule])
                broken.append(good[removed])
                continue
            conflict = self._shrunk(rest, broken)
            bad.append(conflict)
            members = [bit[rule] for rule in conflict]
            reaching = sum(members)
            hit: dict[int, list[int]] = {}  # by what they hold of the conflict: a longer one holds a single rule of it
            for mask in (*good, *open_sets):
                hit.setdefault(mask & reaching, []).append(mask)
            missed = [mask for mask in (removed, *open_sets) if not mask & reaching]
            longer = {mask | member for mask in missed for member in members}
            new = [m for m in longer if not any(known & m == known for known in hit.get(m & reaching, ()))]
            open_sets = [mask for mask in open_sets if mask & reaching] + new
        return Conflicts(_sorted(map(frozenset, bad)), _sorted(good.values()), not open_sets)

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

    def rewrite(self, index: int, row: Row) -> None:
        """Put a row of the same rule and sense in place of one; variables that it leaves out keep their coefficient.

        Only while the row's rule is switched on.
        """
        scale = float(self._scale[index])
        for name, value in row.coef.items():
            column = self._column[name]
            self._model.changeCoeff(index, column, value * float(self._sizes[column]) / scale)
        self._low[index] = row.rhs / scale if row.sense in (">=", "=") else -math.inf
        self._high[index] = row.rhs / scale if row.sense in ("<=", "=") else math.inf
        self._model.changeRowBounds(index, self._low[index], self._high[index])

    def values(self) -> dict[str, float]:
        """Return the variables' values in the last answer."""
        return dict(zip(self.variables, (self._point() * self._sizes).tolist(), strict=True))

    def multipliers(self) -> np.ndarray:
        """Return (rows,) by how much the last optimum would rise if a right-hand side were one more.

        The optimum is the sum of multiplier x right-hand side when every variable is bounded by 0 alone.
        """
        return self._sign * np.asarray(self._model.getSolution().row_dual) / self._scale

    def proof(self) -> np.ndarray:
        """Return (rows,) multipliers of the proof that the last question had no answer; zeros where there is none."""
        _, has_ray, ray = self._model.getDualRay()
        return np.asarray(ray) / self._scale if has_ray else np.zeros(len(self.rows))

    def _optimise(self, objective: Mapping[str, float], under: Collection[str] | None, *, largest: bool) -> float:
        import highspy

        self._enable(self.rules if under is None else under)
        sign = -1.0 if largest else 1.0
        self._sign = sign
        for name, weight in objective.items():
            column = self._column[name]
            self._model.changeColCost(column, sign * weight * float(self._sizes[column]))
        self._model.run()
        status = self._model.getModelStatus()
        value = self._model.getInfo().objective_function_value * sign
        for name in objective:
            self._model.changeColCost(self._column[name], 0.0)
        if status == highspy.HighsModelStatus.kOptimal:
            return value
        return math.nan if status == highspy.HighsModelStatus.kInfeasible else -sign * math.inf

    def _passed(self):
        """Return the solver's model of the rows."""
        import highspy

        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.variables), len(self.rows)
        lp.col_cost_ = np.zeros(len(self.variables))
        lp.col_lower_ = np.full(len(self.variables), 0.0 if self._nonnegative else -highspy.kHighsInf)
        lp.col_upper_ = np.full(len(self.variables), highspy.kHighsInf)
        lp.row_lower_, lp.row_upper_ = self._low, self._high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = self._starts, self._index, self._coef
        model = highspy.Highs()
        for option, value in _OPTIONS.items():
            model.setOptionValue(option, value)
        model.passModel(lp)
        return model

    def _point(self) -> np.ndarray:
        return np.asarray(self._model.getSolution().col_value)

    def _solve(self) -> bool:
        import highspy

        self._model.run()
        return self._model.getModelStatus() != highspy.HighsModelStatus.kInfeasible

    def _enable(self, rules: Collection[str]) -> None:
        wanted = set(rules)
        turned = [rule for rule in self.rules if self._on[rule] != (rule in wanted)]
        for rule in turned:
            self._on[rule] = not self._on[rule]
            rows = self._rows_of[rule]
            if self._on[rule]:
                self._model.changeRowsBounds(rows.size, rows, self._low[rows], self._high[rows])
            else:
                self._model.changeRowsBounds(rows.size, rows, *self._free[:, : rows.size])


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


def _size(row: Row) -> float:
    return abs(row.rhs) or max((abs(value) for value in row.coef.values()), default=1.0) or 1.0


def _sorted(sets: Iterable[frozenset[str]]) -> tuple[frozenset[str], ...]:
    return tuple(sorted(sets, key=lambda s: (len(s), sorted(s))))
