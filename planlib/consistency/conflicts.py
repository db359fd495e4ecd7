"""What in a plan cannot hold together: minimal sets, minimal corrections, single changes, the nearest plan.

Everything is reckoned on the rows of `planlib.consistency.system`, and every answer is put back into them before it
is told.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planlib.consistency.finding import CONTRADICTION, STRAIN
from planlib.consistency.system import PlanSystem, Rule, Side, plan_system
from planlib.consistency.view import View
from planlib.core.constraints import Row, System, smallest_that_fits
from planlib.core.metrics import catalogue
from planlib.plan import Plan

AT_MOST = 400  # sets and corrections; more would not be read
LAST_MONTH = 60  # the longest plan
_LEVEL = "\0level"
_NEAR = 1e-7
_EXACT = 1e-8  # relative width at which a search ends
Key = tuple[str, str]  # a rule and the sense of one of its sides
_LAST = 1e6  # how far, in multiples of what is stated, a level is looked for


@dataclass(frozen=True, slots=True)
class Part:
    """A level in a chain: `weight` times it is what it brings; a given has no weight, and of a range the end used."""

    rule: Rule
    level: float
    weight: float | None = None
    sense: str = ""

    @property
    def value(self) -> float:
        return self.level * (self.weight or 0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """What one figure alone would have to be.

    Attributes:
        rule: whose figure it is.
        now: as stated; of a band the end that has to move.
        to: the nearest value that does it; None when no value does.
        month: it is the rule's month that moves, not its level.
        best: what the goal comes to when the figure is left open, where no value does; in `best_unit`.
    """

    rule: Rule
    now: float
    to: float | None
    month: bool = False
    best: float | None = None
    best_unit: str = "users"


@dataclass(frozen=True, slots=True)
class WithLoss:
    """The same conflict with what the plan loses meanwhile.

    Attributes:
        rules: what leaves.
        reach: what the goal comes to.
        ceiling: what the stock never passes, None where nothing bounds it.
        changes: what each figure alone would have to be then.
    """

    rules: tuple[Rule, ...]
    reach: float
    ceiling: float | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that cannot hold together, none of which could be left out.

    Attributes:
        rules: the members, the one that falls short first.
        level: contradiction, or strain where it holds only as read strictly.
    """

    rules: tuple[Rule, ...]
    level: str

    @property
    def id(self) -> str:
        """Short and stable: the same members have the same id."""
        return f"c-{hashlib.sha256(' '.join(sorted(r.id for r in self.rules)).encode()).hexdigest()[:6]}"

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(rule.id for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Chain:
    """Why a conflict is one: with the other members as they are, the first comes to `reach`, not to `goal`.

    Attributes:
        rule: the first member.
        sense: >= where the goal is a floor, <= where it is a ceiling.
        reach, goal: in the unit of the rule.
        parts: what adds up to `reach`; empty where it is no sum.
        given: levels that enter as factors.
    """

    rule: Rule
    sense: str
    reach: float
    goal: float
    parts: tuple[Part, ...]
    given: tuple[Part, ...]

    @property
    def gap(self) -> float:
        return abs(self.goal - self.reach)

    @property
    def cost(self) -> float:
        """Share of the goal that is out of reach, 0 to 1."""
        large = max(abs(self.goal), abs(self.reach))
        return min(self.gap / large, 1.0) if large else 0.0


class Analysis:
    """The conflicts of one plan; explanations are reckoned when asked for.

    Args:
        view: what the plan states, with the benchmarks.
        plan: one of the view's.
    """

    def __init__(self, view: View, plan: Plan):
        self.plan = plan
        self.plan_system: PlanSystem = plan_system(view, plan)
        self._view = view
        self._places = {rule.id: place for place, rule in enumerate(self.plan_system.rules)}
        self._chains: dict[str, Chain] = {}

    @cached_property
    def _read(self) -> System:
        return self.plan_system.system()

    @cached_property
    def _best(self) -> System:
        return self.plan_system.system(reading="best")

    @cached_property
    def _found(self) -> tuple[tuple[Conflict, ...], tuple[tuple[Rule, ...], ...], bool]:
        if self._read.feasible():
            return (), (), True
        found = self._read.enumerate(at_most=AT_MOST)
        known = {rule.id: rule for rule in self.plan_system.rules}
        corrections = tuple(self._in_order(known[id] for id in ids) for ids in found.corrections)
        return self._sorted(self._conflict(ids) for ids in found.conflicts), corrections, found.complete

    def _conflict(self, ids: Collection[str]) -> Conflict:
        rules = self._in_order(self.plan_system.rules[self._places[id]] for id in ids)
        certain = all(rule.firm for rule in rules) and not self._best.feasible(ids)
        return Conflict(rules, CONTRADICTION if certain else STRAIN)

    def _sorted(self, conflicts: Iterable[Conflict]) -> tuple[Conflict, ...]:
        """Sort conflicts, the smallest first, of one size those that hold under any reading."""
        key = lambda c: (len(c.rules), c.level != CONTRADICTION, [self._place(r) for r in c.rules])  # noqa: E731
        return tuple(sorted(conflicts, key=key))

    @cached_property
    def main(self) -> tuple[Conflict, ...]:
        """Every conflict that holds under any reading, and one more of each rule that falls short as read strictly.

        Far quicker than all of them: a conflict is looked for, its first member set aside, and so on.
        """
        if self._read.feasible():
            return ()
        ids = {frozenset(ids) for ids in self._best.enumerate(at_most=AT_MOST).conflicts}
        certain = [Conflict(self._in_order(self.plan_system.by_id[id] for id in found), CONTRADICTION) for found in ids]
        left = [rule.id for rule in self.order()]
        strict = []
        while (found := self._read.conflict(left)) is not None:
            conflict = self._conflict(found)
            left.remove(conflict.rules[0].id)
            if frozenset(found) not in ids:
                strict.append(conflict)
        return self._sorted([*certain, *strict])

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Every minimal conflict set, the smallest first."""
        return self._found[0]

    @property
    def corrections(self) -> tuple[tuple[Rule, ...], ...]:
        """Every minimal set of rules without which the rest can hold, the smallest first."""
        return self._found[1]

    @property
    def complete(self) -> bool:
        """Whether these are all; else there are more than is useful."""
        return self._found[2]

    def _place(self, rule: Rule) -> int:
        return self._places[rule.id]

    def _in_order(self, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """Sort members: a target that asks for something first, then amounts, then quotients; parts after wholes."""
        return tuple(
            sorted(rules, key=lambda r: (not _asks(r), _is_quotient(r), _is_part(r), _count(r), self._place(r)))
        )

    # ---- why ---------------------------------------------------------------------------------------------------------
    def chain(self, conflict: Conflict) -> Chain:
        """Return what the first member comes to under the others, and the sum that shows it."""
        if conflict.id not in self._chains:
            self._chains[conflict.id] = self._chain(conflict)
        return self._chains[conflict.id]

    def _chain(self, conflict: Conflict) -> Chain:
        first, others = conflict.rules[0], conflict.rules[1:]
        side = self._broken(first, others)
        moved = self._level_that_fits(first, others)
        reach = side.level if moved is None else moved
        parts, given = self._told(first, side, others)
        return Chain(first, side.sense, reach, side.level, parts, given)

    def _broken(self, rule: Rule, others: Sequence[Rule]) -> Side:
        """Return the side of a rule that the others leave no room for."""
        keys = self._keys(others)
        return next((s for s in rule.sides if not self._warm.holds({*keys, (rule.id, s.sense)})), rule.sides[0])

    def _told(self, first: Rule, side: Side, others: Sequence[Rule]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """Return the sum behind a reach, where it is one, and the levels that enter it as factors."""
        term, warm = side.terms[0], self._warm
        single = len(side.terms) == 1 and len(term.coef) == 1 and not term.of and term.scale
        keys = self._keys(others if single else (*others, first))
        if single:
            (variable,) = term.coef
            most = warm.system.maximise if side.sense == ">=" else warm.system.minimise
            if not math.isfinite(most(variable, under=keys)):
                return (), tuple(Part(rule, _level(rule)) for rule in others)
            weights = warm.system.multipliers() / term.scale
        else:
            warm.holds(keys)
            weights = warm.system.proof()
        brought: dict[str, float] = {}
        used: dict[str, str] = {}
        largest = float(np.abs(weights).max(initial=0.0))
        for (rule, row), weight in zip(warm.rows, weights.tolist(), strict=True):
            if rule is not None and abs(weight) > _NEAR * largest:
                used[rule.id] = row.sense
                brought[rule.id] = brought.get(rule.id, 0.0) + weight * row.rhs
        mine = {rule.id for rule in others}
        told = [rule for rule in (*self.plan_system.facts, *others) if rule.id in used or rule.id in mine]
        parts, given = [], []
        for rule in told:
            sense = used.get(rule.id, "<=") if _is_range(rule) else ""
            level = (rule.side(sense or "<=") or rule.sides[0]).level
            start = rule.role == "opening" and rule.stock
            if single and (start or abs(brought.get(rule.id, 0.0)) > 0):
                parts.append(Part(rule, level, brought.get(rule.id, 0.0) / level if level else 1.0))
            elif not start:
                given.append(Part(rule, level, sense=sense))
        return tuple(parts), tuple(given)

    # ---- what would repair it ----------------------------------------------------------------------------------------
    def changes(self, conflict: Conflict) -> tuple[Change, ...]:
        """Return what each figure of a conflict alone would have to be, the others as they are."""
        return tuple(self._changes(conflict.rules, conflict.rules))

    def with_loss(self, conflict: Conflict) -> WithLoss | None:
        """Return a conflict on a stock with what leaves it as well; None where that is in it, or nothing leaves."""
        first = conflict.rules[0]
        leaves = tuple(
            rule
            for rule in self.plan_system.rules
            if rule.role == "outflow" and rule.stock == first.stock and rule not in conflict.rules
        )
        filled = any(rule.role == "inflow" for rule in conflict.rules)
        if not first.stock or not filled or not leaves or any(not _level(rule) for rule in leaves):
            return None
        others = (*conflict.rules[1:], *leaves)
        reach = self._level_that_fits(first, others)
        if reach is None:
            return None
        changes = tuple(self._changes((*conflict.rules, *leaves), (*conflict.rules, *leaves)))
        return WithLoss(leaves, reach, self.ceiling(others), changes)

    def ceiling(self, rules: Iterable[Rule]) -> float | None:
        """Return what a stock never passes when a planned intake and a loss go on: intake / loss."""
        adds = next((rule for rule in rules if rule.role == "inflow"), None)
        lost = next((rule for rule in rules if rule.role == "outflow"), None)
        if adds is None or lost is None or not _level(lost):
            return None
        terms = (adds.side("<=") or adds.sides[0]).terms[-12:]
        monthly = _level(adds) * sum(term.scale for term in terms) / len(terms)
        late = len(lost.sides[0].terms[0].of) > 1
        return monthly * (1 - _level(lost) if late else 1.0) / _level(lost)

    def _changes(self, rules: Sequence[Rule], movable: Sequence[Rule]) -> Iterator[Change]:
        first = rules[0]
        facts = [fact for fact in self.plan_system.facts if self._concerns(fact, rules)]
        for rule in (*movable, *facts):
            if rule.role == "calendar":
                others = self._keys(other for other in rules if other is not rule)
                yield Change(rule, float(rule.due), self._start_that_fits(rule, self._warm, others), month=True)
                continue
            others = [other for other in rules if other is not rule]
            to = self._level_that_fits(rule, others)
            if to is None and rule.fact:
                continue
            best = None
            if to is None and rule is not first:
                best = self._level_that_fits(first, [other for other in others if other is not first])
            side = self._broken(rule, others) if not rule.fact else rule.sides[0]
            yield Change(rule, side.level, to, best=best, best_unit=first.unit)
        timed = all(rule.role in ("inflow", "outflow", "calendar") for rule in rules[1:])
        if timed and first.stock and first.due and first.side(">=") is not None:
            month = self._month_that_fits(first, rules[1:])
            best = self.ceiling(rules) if month is None else None
            yield Change(first, float(first.due), month, month=True, best=best)

    def _concerns(self, fact: Rule, rules: Sequence[Rule]) -> bool:
        """Whether rules that cannot hold together could if a fact were left open."""
        return self._warm.holds(self._keys(rules, without=(fact,)))

    def _level_that_fits(self, rule: Rule, others: Sequence[Rule]) -> float | None:
        """Return the level nearest to the stated one at which a rule holds beside others; None when none does."""
        keys = self._keys(others, without=(rule,) if rule.fact else ())
        return self._warm.level_that_fits(rule, keys)

    def _month_that_fits(self, goal: Rule, others: Sequence[Rule]) -> float | None:
        """Return the first later month by which a stock comes to its goal; None when not in the longest plan."""
        system = self._later.system([self._same(rule, self._later) for rule in others], reading="level")
        for month in range(goal.due + 1, LAST_MONTH + 1):
            reached = system.maximise(f"{goal.stock}@{month}")
            if reached >= goal.side(">=").level * (1 - 1e-9):
                return float(month)
        return None

    def _start_that_fits(self, calendar: Rule, warm: _Warm, keys: set[Key]) -> float | None:
        """Return the latest first month of a stage that would leave enough time beside others."""
        closed = [*range(len(calendar.sides[0].terms), -1, -1)]
        for months in closed[1:]:
            warm.begin(calendar, months + 1)
            fits = warm.holds(keys | {(calendar.id, calendar.sides[0].sense)})
            warm.begin(calendar, calendar.due)
            if fits:
                return float(months + 1)
        return None

    @cached_property
    def _later(self) -> PlanSystem:
        return plan_system(self._view, self.plan, months=LAST_MONTH)

    def _same(self, rule: Rule, other: PlanSystem) -> Rule:
        return other.by_id.get(rule.id, rule)

    # ---- the nearest plan --------------------------------------------------------------------------------------------
    def nearest(self, lock: Sequence[str] = ()) -> tuple[Change, ...]:
        """Return the changes of the plan nearest in a stated order.

        Each rule in turn keeps its level if it can beside those before it, else it gives way to the nearest level
        that fits, or goes (`to` None). The order: `lock`, the targets by priority and place, all other rules, and
        last what the plan merely assumes.

        Args:
            lock: ids of rules that come before all others.
        """
        warm = _Warm(self.plan_system)  # its rows move with the changes
        assumed = [fact for fact in self.plan_system.facts if not fact.firm]
        kept = self._keys((), without=assumed)
        changes = []
        for rule in (*self.order(lock), *assumed):
            mine = {(rule.id, side.sense) for side in rule.sides}
            if warm.holds(kept | mine):
                kept |= mine
                continue
            if rule.role == "calendar":
                start = self._start_that_fits(rule, warm, kept)
                changes.append(Change(rule, float(rule.due), start, month=True))
                if start is not None:
                    warm.begin(rule, int(start))
                    kept |= mine
                continue
            moving = warm.moving(rule, kept)
            to = warm.level_that_fits(rule, kept)
            changes.append(Change(rule, (moving or rule.sides)[0].level, to))
            if to is not None:
                warm.move(rule, moving, _loose(moving, to))
                kept |= mine
        return tuple(changes)

    def order(self, lock: Sequence[str] = ()) -> tuple[Rule, ...]:
        """Return every rule, the most important first."""
        rules, last = self.plan_system.rules, len(self.plan_system.rules)
        locked = {id: place for place, id in enumerate(lock)}
        return tuple(
            sorted(
                rules,
                key=lambda r: (
                    min((locked[id] for id in r.ids if id in locked), default=last),
                    r.order is None,
                    r.order or 0,
                    self._place(r),
                ),
            )
        )

    # ---- rows --------------------------------------------------------------------------------------------------------
    @cached_property
    def _warm(self) -> _Warm:
        return _Warm(self.plan_system)

    def _keys(self, rules: Iterable[Rule], *, without: Sequence[Rule] = ()) -> set[Key]:
        """Return the sides of some rules and of every fact but those in `without`."""
        facts = (fact for fact in self.plan_system.facts if fact not in without)
        return {(rule.id, side.sense) for rule in (*rules, *facts) for side in rule.sides}


class _Warm:
    """Every row of a plan at its stated level in one model, each side of a rule to be switched on by itself."""

    def __init__(self, plan_system: PlanSystem):
        self.rows: list[tuple[Rule | None, Row]] = []
        self._at: dict[Key, list[int]] = {}
        for rule in (*plan_system.rules, *plan_system.facts):
            for side in rule.sides:
                key = (rule.id, side.sense)
                self._at[key] = list(range(len(self.rows), len(self.rows) + len(side.terms)))
                self.rows += [(rule, term.row(key, side.sense, side.level)) for term in side.terms]
        self.rows += [(None, row) for row in plan_system.background]
        self.rows.append((None, Row(None, {_LEVEL: 1.0}, ">=", 0.0)))
        self._sizes = plan_system.sizes
        moving = [Row(row.rule, {**row.coef, _LEVEL: 0.0}, row.sense, row.rhs) for _, row in self.rows[:-1]]
        self.system = System([*moving, self.rows[-1][1]], sizes=plan_system.sizes)

    def holds(self, keys: Collection[Key]) -> bool:
        return self.system.feasible(keys)

    def move(self, rule: Rule, sides: Sequence[Side], level: float) -> None:
        """Set sides of a rule to a level."""
        for side in sides:
            for at, term in zip(self._at[rule.id, side.sense], side.terms, strict=True):
                self.system.rewrite(at, term.row(None, side.sense, level))

    def begin(self, calendar: Rule, start: int) -> None:
        """Let a stage begin in another month: those from it on are open."""
        (side,) = calendar.sides
        for month, at in enumerate(self._at[calendar.id, side.sense], start=1):
            coef = {name: value if month < start else 0.0 for name, value in side.terms[month - 1].coef.items()}
            self.system.rewrite(at, Row(None, coef, side.sense, 0.0))

    def moving(self, rule: Rule, keys: Collection[Key]) -> tuple[Side, ...] | None:
        """Return the sides that have to move: both of an equality, the broken one of a range."""
        if not _is_range(rule):
            return rule.sides
        for side in rule.sides:
            rest = {(rule.id, other.sense) for other in rule.sides if other is not side}
            if self.holds({*keys, *rest}):
                return (side,)
        return None

    def level_that_fits(self, rule: Rule, keys: Collection[Key]) -> float | None:
        """Return the level nearest to the stated one at which a rule holds beside others; None when none does."""
        moving = self.moving(rule, keys)
        if moving is None:
            return None
        mine = {(rule.id, side.sense) for side in rule.sides}
        beside = {*keys, *mine}
        now = moving[0].level
        self.holds(beside)  # all rows on, so that they can be rewritten
        if any(term.of for side in moving for term in side.terms):
            found = self._quotient(rule, moving, beside)
        else:
            found = self._amount(rule, moving, beside)
        if found is None or not math.isfinite(found):
            return None
        if abs(found) < _NEAR * 10 * abs(now):
            found = 0.0
        for level in (float(f"{found:.6g}"), found):  # no more digits than the solver is sure of, if they do
            self.move(rule, moving, _loose(moving, level))
            fits = self.holds(beside)
            self.move(rule, moving, now)
            if fits:
                return now if math.isclose(level, now, rel_tol=_NEAR) else level
        return None

    def _amount(self, rule: Rule, moving: Sequence[Side], keys: Collection[Key]) -> float | None:
        """Return the nearest level by linear programming, the level being a variable."""
        now = moving[0].level
        terms = [term for side in moving for term in side.terms]
        size = abs(now) or max(self._sizes[name] / (term.scale or 1.0) for term in terms for name in term.coef)
        for side in moving:
            for at, term in zip(self._at[rule.id, side.sense], side.terms, strict=True):
                self.system.rewrite(at, Row(None, {**term.coef, _LEVEL: -term.scale * size}, side.sense, 0.0))
        low = self.system.minimise(_LEVEL, under=keys) * size
        high = self.system.maximise(_LEVEL, under=keys) * size
        for side in moving:
            for at, term in zip(self._at[rule.id, side.sense], side.terms, strict=True):
                row = term.row(None, side.sense, side.level)
                self.system.rewrite(at, Row(None, {**row.coef, _LEVEL: 0.0}, side.sense, row.rhs))
        return None if math.isnan(low) or math.isnan(high) else min(max(now, low), high)

    def _quotient(self, rule: Rule, moving: Sequence[Side], keys: Collection[Key]) -> float | None:
        """Return the nearest level of a quotient by bisection, towards the side that gives room."""
        now = moving[0].level
        metric = catalogue().get(rule.metric)
        most = metric.domain[1] if metric is not None and metric.domain[1] is not None else now * _LAST
        found = None
        for side in moving:
            others = {key for key in keys if key[0] != rule.id} | {(rule.id, side.sense)}
            others |= {(rule.id, stay.sense) for stay in rule.sides if stay not in moving}

            def fits(level: float, side: Side = side, others: Collection[Key] = others) -> bool:
                self.holds(others)  # on, so that it can be rewritten
                self.move(rule, (side,), level)
                return self.holds(others)

            if fits(now):
                continue
            if side.sense == ">=":
                fall = smallest_that_fits(lambda fall: fits(now - fall), 0.0, now, rel=_EXACT)
                found = None if fall is None else now - fall
            else:
                high = now
                while not fits(high) and high < most:
                    high = min(4 * high, most)
                found = smallest_that_fits(fits, now, high, rel=_EXACT)
            fits(now)
            self.holds(keys)
            return found
        self.holds(keys)
        return now


def _loose(moving: Sequence[Side], level: float) -> float:
    """Return a level that is certain to fit where it just does; one that is met from both sides stays."""
    if len(moving) > 1:
        return level
    return level * (1 + _NEAR if moving[0].sense == "<=" else 1 - _NEAR)


def _is_range(rule: Rule) -> bool:
    return len({side.level for side in rule.sides}) > 1


def _is_quotient(rule: Rule) -> bool:
    return any(term.of for side in rule.sides for term in side.terms)


def _asks(rule: Rule) -> bool:
    """Whether a target asks for an outcome, so that the reader expects to hear by how much it is missed."""
    return rule.order is not None and rule.side(">=") is not None and rule.role in ("", "outcome")


def _is_part(rule: Rule) -> bool:
    return rule.metric not in catalogue()


def _count(rule: Rule) -> int:
    return min(len(side.terms) for side in rule.sides)


def _level(rule: Rule) -> float:
    """Return the level of a rule as it is told: of a range the end from above."""
    return (rule.side("<=") or rule.sides[0]).level
