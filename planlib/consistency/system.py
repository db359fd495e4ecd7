"""A plan as named linear rules over its users, people and money.

Each rule is one thing that the plan says, at its level; a row of it is written `lhs sense level x (scale + of)`, so
that the level can be moved. What holds by definition (stock-flow identity, sums of parts) is background. Facts, where
the brand stands at the start, are background too: they are never to blame, but a reader may ask what they would have
to be.

Each level has three values: `level` as stated, `read` loosened by what rounding may hide, and `best`, the most
favourable that the wording allows (None: the wording sets no limit on that side). Conflicts are found at `read`;
one that is there at `best` as well cannot hold under any reading.

Variables are named metric@month for stocks and flows of people, metric@y1, @y2 ... for money and sums of a plan year
(the last may be shorter), and metric alone for the team.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planlib.consistency.rules.intake import (
    CHANNEL_FLOW,
    CHANNEL_STOCK,
    a_month,
    first_month,
    intake,
    loss,
    opening,
    reservoirs,
)
from planlib.consistency.rules.stated import place, whole
from planlib.consistency.view import GOAL, LIMIT, OTHER, Said, View
from planlib.core.constraints import Row, System
from planlib.core.metrics import Metric, axes, bases, catalogue, metric, parts
from planlib.plan import Plan
from planlib.plan.inputs import MONTHS_IN, per_month, referral_loop, repeat_orders
from planlib.plan.model import Band, Quantity

_YEAR = 12
_LITTLE = 0.01  # of what is planned: the least that has to be there, so that no plan holds by having nothing
_WHOLE, _COST_AXIS, _SPEND = "budget_total", "cost_type", "acquisition_spend"
_HEADS = ("team_size", "operators")
_LOADS = "users_per_person"  # people can carry fewer than their load
_CHANGES = ("relative_change", "points", "index")
_USER_FLOWS = {"new_users": CHANNEL_FLOW}


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a rule: the sum of coef x variable, against level x (scale + sum of `of` x variable).

    `loose`: the scale under the most favourable reading, where that is another.
    """

    coef: Mapping[str, float]
    scale: float = 0.0
    of: Mapping[str, float] = field(default_factory=dict)
    loose: float | None = None

    def row(self, rule: str | None, sense: str, level: float, *, best: bool = False) -> Row:
        """Return the row at a level."""
        coef = dict(self.coef)
        for name, factor in self.of.items():
            coef[name] = coef.get(name, 0.0) - level * factor
        scale = self.loose if best and self.loose is not None else self.scale
        return Row(rule, coef, sense, level * scale)


@dataclass(frozen=True, slots=True)
class Side:
    """A level from below (>=) or above (<=), with the rows in which it appears."""

    sense: str
    level: float
    read: float
    best: float | None
    terms: tuple[Term, ...]

    def rows(self, rule: str | None, reading: str) -> Iterator[Row]:
        level = getattr(self, reading)
        if level is not None and math.isfinite(level):
            yield from (term.row(rule, self.sense, level, best=reading == "best") for term in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a plan says, with the rows that it sets.

    Attributes:
        id: of the statement, else its path; several ids where one thing is said several times.
        name: words as a finding takes them.
        sides: from below, from above, or both.
        path: place that `--set` takes, "" where it has no single one.
        order: place among the targets, None for anything else.
        due: plan month of a goal, with what the goal is on.
        firm: the document itself says so, and says what it counts.
        fact: where the brand stands; background.
        sources: sections.
    """

    id: str
    ids: tuple[str, ...]
    name: Mapping[str, object]
    unit: str
    sides: tuple[Side, ...]
    sources: tuple[str, ...]
    path: str = ""
    metric: str = ""
    order: float | None = None
    due: int | None = None
    stock: str = ""
    role: str = ""
    firm: bool = True
    fact: bool = False

    def rows(self, reading: str) -> Iterator[Row]:
        """Yield its rows at `level`, `read` or `best`; of one that is not firm nothing is certain at its best."""
        if reading == "best" and not self.firm:
            return
        for side in self.sides:
            yield from side.rows(None if self.fact else self.id, reading)

    def side(self, sense: str) -> Side | None:
        """Return its rows of one sense."""
        return next((side for side in self.sides if side.sense == sense), None)


@dataclass(frozen=True, slots=True)
class PlanSystem:
    """The rules of one plan, the facts it starts from, and what holds by definition."""

    rules: tuple[Rule, ...]
    facts: tuple[Rule, ...]
    background: tuple[Row, ...]
    months: int
    sizes: Mapping[str, float]

    @property
    def by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in (*self.rules, *self.facts)}

    def rows(
        self, rules: Iterable[Rule], *, reading: str = "read", without: Collection[str] = ()
    ) -> list[tuple[Rule | None, Row]]:
        """Return rows with the rule or fact that each is of: of `rules`, of the facts not in `without`, background."""
        known = [fact for fact in self.facts if fact.id not in without]
        told = [(rule, row) for rule in (*rules, *known) for row in rule.rows(reading)]
        return [*told, *((None, row) for row in self.background)]

    def system(self, rules: Iterable[Rule] | None = None, *, reading: str = "read") -> System:
        """Return rules (all of the plan's by default), facts and background as one model."""
        rows = self.rows(self.rules if rules is None else rules, reading=reading)
        return System([row for _, row in rows], sizes=self.sizes)


def plan_system(view: View, plan: Plan, *, months: int | None = None) -> PlanSystem:
    """Return a plan as named rows.

    Args:
        view: what the plan, and the benchmarks beside it, state.
        plan: one of the view's.
        months: as far as users are followed; the plan's own months, or its last goal if that is later.
    """
    dated = [g.statement.by_month for g in view.goals(plan=plan.id) if g.statement.by_month]
    horizon = max([plan.months if months is None else months, *(dated if months is None else ())])
    build = _Build(view, plan, horizon)
    build.users()
    build.team()
    build.money()
    build.sales()
    build.ratios()
    build.amounts()
    return build.finish()


class _Build:
    """The rows as they are gathered; each block of the plan adds its own."""

    def __init__(self, view: View, plan: Plan, months: int):
        self.view, self.plan, self.months = view, plan, months
        self.rules: list[Rule] = []
        self.facts: list[Rule] = []
        self.background: list[Row] = []
        self.monthly: set[str] = set()  # metrics with a variable a month
        self.yearly: set[str] = set()  # with one a plan year
        self.heads: set[str] = set()  # with one alone
        self.years = [range(first, min(first + _YEAR, plan.months + 1)) for first in range(1, plan.months + 1, _YEAR)]
        self.users_size = 1.0
        self.orders = {f"targets[{i}]": i for i in range(len(plan.targets))}

    # ---- helpers -----------------------------------------------------------------------------------------------------
    def add(self, rule: Rule | None) -> None:
        """Keep a rule that has rows; what is said twice is one rule with both ids."""
        if rule is None or not any(side.terms for side in rule.sides):
            return
        same = next((r for r in self.rules if (r.metric, r.sides, r.due) == (rule.metric, rule.sides, rule.due)), None)
        if same is None or not rule.metric:
            self.rules.append(rule)
            return
        orders = [order for order in (same.order, rule.order) if order is not None]
        merged = replace(
            same,
            ids=tuple(dict.fromkeys([*same.ids, *rule.ids])),
            sources=tuple(dict.fromkeys([*same.sources, *rule.sources])),
            order=min(orders, default=None),
            firm=same.firm or rule.firm,
        )
        self.rules[self.rules.index(same)] = merged

    def given(self, rule: Rule, *, fact: bool = False) -> None:
        """Keep a number that the models calculate with: a rule where the document states it, else a fact."""
        if fact or not rule.firm:
            self.facts.append(replace(rule, fact=True))
        else:
            self.add(rule)

    def same(self, coef: Mapping[str, float], sense: str = "=", rhs: float = 0.0) -> None:
        """Add what holds by definition."""
        self.background.append(Row(None, coef, sense, rhs))

    def of_statement(self, said: Said, sides: Iterable[Side | None], **more) -> Rule:
        """Return the rule of a statement."""
        path = said.path.partition(".")[0]
        priority = getattr(said.statement, "priority", None)
        order = self.orders.get(path) if priority is None else priority - len(self.orders) - 1
        settings = {
            "id": said.id,
            "ids": (said.id,),
            "name": {"metric": said.metric.id},
            "unit": said.metric.unit,
            "sides": tuple(side for side in sides if side is not None),
            "sources": (said.statement.source,),
            "path": place(said),
            "metric": said.metric.id,
            "order": order,
            "due": said.statement.by_month,
            "firm": said.statement.source != "assumption",
        }
        return Rule(**settings | more)

    def of_quantity(self, path: str, quantity: Quantity, name: str, unit: str, sides, **more) -> Rule:
        """Return the rule of a number that the models calculate with."""
        settings = {
            "id": quantity.id or path,
            "ids": (quantity.id or path,),
            "name": {"metric": name},
            "unit": unit,
            "sides": tuple(side for side in sides if side is not None),
            "sources": (quantity.source,),
            "path": f"{path}.value",
            "metric": name,
            "firm": quantity.source != "assumption",
        }
        return Rule(**settings | more)

    def year_of(self, month: int | None) -> list[int]:
        """Return the plan years in which a goal is judged: its own where it is due at the end of one, else none."""
        if month is None:
            return list(range(1, len(self.years) + 1))
        return [y for y, span in enumerate(self.years, start=1) if span[-1] == month]

    def in_year(self, name: str, year: int) -> str:
        """Return the variable of a sum over a plan year, made of the months where the metric has them."""
        variable = f"{name}@y{year}"
        if name in self.monthly and name not in self.yearly:
            self.yearly.add(name)
            for y, span in enumerate(self.years, start=1):
                self.same({f"{name}@y{y}": 1.0} | {f"{name}@{t}": -1.0 for t in span})
        self.yearly.add(name)
        return variable

    def known(self, name: str) -> bool:
        return name in self.monthly or name in self.yearly or name in self.heads

    # ---- users -------------------------------------------------------------------------------------------------------
    def users(self) -> None:
        """Stocks of people that a plan fills month by month: identity, opening, intake, calendar, loss, goals."""
        for stock, flow in reservoirs():
            path = intake(self.view, self.plan, flow)
            goals = [g for g in whole(self.view.goals(stock.id, plan=self.plan.id)) if g.statement.scope is None]
            if path is None or not (goals or stock.id == CHANNEL_STOCK):
                continue
            self.monthly |= {stock.id, flow.id}
            self.users_size = max(self.users_size, path.amount.value * _YEAR)
            self._identity(stock, flow)
            self._opening(stock, goals)
            self._intake(flow, path)
            self._calendar(flow, path)
            self._loss(stock, flow)
            for goal in goals:
                due = goal.statement.by_month or self.plan.months
                term = Term({f"{stock.id}@{due}": 1.0}, 1.0)
                firm = goal.statement.source != "assumption" and goal.statement.by_month is not None
                self.add(self.of_statement(goal, _worded(goal, (term,)), due=due, stock=stock.id, firm=firm))
            self._somebody(stock, path)

    def _identity(self, stock: Metric, flow: Metric) -> None:
        for t in range(1, self.months + 1):
            gone = {f"gone:{stock.id}@{t}": 1.0}
            self.same({f"{stock.id}@{t}": 1.0, f"{stock.id}@{t - 1}": -1.0, f"{flow.id}@{t}": -1.0} | gone)

    def _opening(self, stock: Metric, goals: Sequence[Said]) -> None:
        goal = goals[0] if goals else None
        if goal is None and stock.id != CHANNEL_STOCK:
            return
        base = opening(self.view, self.plan, stock, goal)
        term = (Term({f"{stock.id}@0": 1.0}, 1.0),)
        sides = (
            Side(">=", base.value, base.value - base.tolerance, 0.0, term),
            Side("<=", base.value, base.value + base.tolerance, base.most + base.tolerance, term),
        )
        name = {"metric": "opening_users"} if stock.id == CHANNEL_STOCK else {"words": "conflicts.opening"}
        self.facts.append(
            Rule(id=f"{stock.id}@0", ids=(base.id,), name=name, unit=stock.unit, sides=sides, sources=(base.source,),
                 path=base.path, metric=f"{stock.id}@0", stock=stock.id, role="opening", fact=True, firm=base.known)
        )  # fmt: skip

    def _shapes(self, path) -> tuple[np.ndarray, np.ndarray]:
        """Return (months,) the planned share of each month's intake and the most favourable one."""
        return tuple(
            np.concatenate([shape, np.full(max(self.months - shape.size, 0), float(shape[-_YEAR:].mean()))])
            for shape in (path.shape, np.maximum(path.shape, path.flat))
        )

    def _intake(self, flow: Metric, path) -> None:
        shape, loose = self._shapes(path)
        start = (first_month(self.plan, flow) or (1,))[0]
        grown = 1 / (1 - min(referral_loop(self.plan)[0], 0.99)) if flow.id == CHANNEL_FLOW else 1.0
        statements = [
            s for s in whole(self.view.goals(flow.id, plan=self.plan.id)) if s.statement.scope is None and s.is_level
        ]
        above = tuple(
            Term({f"{flow.id}@{t}": 1.0}, float(shape[t - 1]), loose=float(loose[t - 1]))
            for t in range(1, self.months + 1)
        )
        open_months = range(start, self.plan.months + 1)
        below = tuple(Term({f"{flow.id}@{t}": 1.0}, float(shape[t - 1])) for t in open_months if shape[t - 1] > 0)
        if not statements:
            amount = path.amount
            low = min(amount.value, sum(_least(c) for c in self.plan.channels))
            sides = (
                Side("<=", amount.value, amount.value * grown, path.most * grown, above),
                Side(">=", amount.value, amount.value, low, below),
            )
            sources = tuple(dict.fromkeys((c.intake or c.response).source for c in self.plan.channels))
            firm = "assumption" not in sources
            self.add(Rule(id=amount.id, ids=(amount.id,), name={"metric": flow.id}, unit=flow.unit, sides=sides,
                          sources=sources, path="channels", metric=flow.id, role="inflow", firm=firm))  # fmt: skip
            return
        for said in statements:
            top = said.span[1] if math.isfinite(said.span[1]) else said.value
            low = said.span[0] if math.isfinite(said.span[0]) else None
            by = said.statement.by_month
            ceiling = above[: by or None]
            most = max(top, path.most if said.id == path.amount.id else top)
            sides = [Side("<=", top, (top + said.tolerance) * grown, (most + said.tolerance) * grown, ceiling)]
            if low is not None:
                sides.append(Side(">=", low, low - said.tolerance, low - said.tolerance, below))
            firm = by is None and said.statement.source != "assumption"
            self.add(self.of_statement(said, sides, role="inflow", due=None, firm=firm))

    def _calendar(self, flow: Metric, path) -> None:
        found = first_month(self.plan, flow)
        if found is None or found[0] <= 1:
            return
        start, stage = found
        terms = tuple(Term({f"{flow.id}@{t}": 1.0}, 1.0) for t in range(1, min(start, self.months + 1)))
        id = stage.statement or stage.id
        self.add(Rule(id=id, ids=(id,), name={"bilingual": stage.name.model_dump()}, unit="month",
                      sides=(Side("<=", 0.0, 0.0, 0.0, terms),), sources=(stage.source,), role="calendar", due=start,
                      path=f"schedule.stages.{stage.id}.months", firm=not path.bound))  # fmt: skip

    def _loss(self, stock: Metric, flow: Metric) -> None:
        lost = loss(self.view, self.plan, stock)
        if lost is None:
            return
        months, amount, worded = range(1, self.months + 1), lost.amount, lost.said
        terms = tuple(
            Term(
                {f"gone:{stock.id}@{t}": 1.0},
                of={f"{stock.id}@{t - 1}": 1.0} | ({f"{flow.id}@{t}": 1.0} if lost.late else {}),
            )
            for t in months
        )
        span = worded.span if worded else (self.plan.users.churn.span or (amount.value,) * 2)
        period = lost.period or "month"
        level = a_month(amount.value, period)
        low = a_month(max(amount.most - amount.tolerance, 0.0), period)
        high = None if not math.isfinite(span[1]) else a_month(min(span[1] + amount.tolerance, 1.0), period)
        read = [a_month(min(max(amount.value + sign * amount.tolerance, 0.0), 1.0), period) for sign in (-1, 1)]
        sides = (Side(">=", level, read[0], low, terms), Side("<=", level, read[1], high, terms))
        firm = lost.period is not None and amount.source != "assumption"
        settings = {"role": "outflow", "stock": stock.id, "firm": firm, "due": None}
        if worded is not None:
            self.add(self.of_statement(worded, sides, **settings))
        else:
            self.add(self.of_quantity(amount.path.removesuffix(".value"), self.plan.users.churn, "churn_rate", "ratio",
                                      sides, **settings))  # fmt: skip

    def _somebody(self, stock: Metric, path) -> None:
        """At the end there are some users, where the plan brings any: no plan holds by having none."""
        lost = loss(self.view, self.plan, stock)
        if path.amount.value > 0 and path.shape.any() and (lost is None or lost.amount.value < 1):
            self.same({f"{stock.id}@{self.months}": 1.0}, ">=", _LITTLE * path.amount.value)

    # ---- team --------------------------------------------------------------------------------------------------------
    def team(self) -> None:
        """People: the size stated, the roles listed, and who of them looks after users."""
        team = self.plan.team
        listed = {name: role for name, role in team.roles.items() if role.people is not None}
        sizes = [s for s in self.view.of("team_size", plan=self.plan.id, kinds=(GOAL, OTHER)) if not s.statement.scope]
        if not listed and not sizes:
            return
        self.heads |= set(_HEADS)
        self.same({"operators": 1.0, "team_size": -1.0}, "<=")
        for name, role in listed.items():
            low, high = role.people if isinstance(role.people, tuple) else (role.people, role.people)
            term = (Term({f"role:{name}": 1.0}, 1.0),)
            id = role.id or f"team.roles.{name}"
            self.add(Rule(id=id, ids=(id,), name={"bilingual": role.name.model_dump()}, unit="people",
                          sides=(Side(">=", low, low, low, term), Side("<=", high, high, high, term)),
                          sources=(role.source,), path=f"team.roles.{name}.people", metric=f"role:{name}", role="heads",
                          firm=role.source != "assumption"))  # fmt: skip
        dated = any(s.statement.by_month for s in sizes)
        complete = bool(team.exhaustive) and len(listed) == len(team.roles) and not dated
        if listed:
            everybody = {"team_size": 1.0} | {f"role:{name}": -1.0 for name in listed}
            self.same(everybody, "=" if complete else ">=")
        for said in sizes:
            term = (Term({"team_size": 1.0}, 1.0),)
            self.add(self.of_statement(said, _worded(said, term), role="heads", due=None))
        owners = {s.statement.owner for s in self.view.of("users_per_operator", plan=self.plan.id) if s.statement.owner}
        mine = [n for n, role in listed.items() if n in owners or role.department in owners]
        if mine:
            self.same({"operators": 1.0} | {f"role:{name}": -1.0 for name in mine}, "<=")

    # ---- money -------------------------------------------------------------------------------------------------------
    def money(self) -> None:
        """The budget of each plan year by kind of cost, what the listed people cost, the company's sales."""
        plan = self.plan
        self.yearly |= {_WHOLE, *parts(_WHOLE, _COST_AXIS), _SPEND, "company_gmv"}
        every = [(y, len(span) / _YEAR) for y, span in enumerate(self.years, start=1)]
        total, sales = plan.budget.total, plan.baseline.total_gmv
        for y, part in every:
            split = {f"{kind}@y{y}": -1.0 for kind in parts(_WHOLE, _COST_AXIS)}
            self.same({f"{_WHOLE}@y{y}": 1.0} | split, "=" if axes()[_COST_AXIS] else ">=")
            if total.central > 0:  # a budget of nothing would fit every share
                self.same({f"{_WHOLE}@y{y}": 1.0}, ">=", _LITTLE * part * total.central)
        terms = tuple(Term({f"{_WHOLE}@y{y}": 1.0}, part) for y, part in every)
        sides = _planned(total, terms, "year")
        self.given(self.of_quantity("budget.total", total, _WHOLE, "CNY", sides, role="budget"))
        terms = tuple(Term({f"company_gmv@y{y}": 1.0}, part) for y, part in every)
        sides = _planned(sales, terms, "year")
        company = self.of_quantity("baseline.total_gmv", sales, "company_gmv", "CNY", sides, role="opening")
        self.given(company, fact=True)
        paid = [
            (n, r)
            for n, r in plan.team.roles.items()
            if r.people is not None and r.cost_per_year is not None and r.cost_per_year.source != "assumption"
        ]  # an assumed wage proves nothing
        if paid:
            cost = {n: per_month(r.cost_per_year, "year") * _YEAR for n, r in paid}
            least = {n: cost[n] * (r.cost_per_year.span or (1.0,))[0] / (r.cost_per_year.central if r.cost_per_year.span
                     else 1.0) for n, r in paid}  # fmt: skip
            wages = tuple(
                Term({f"labour_budget@y{y}": 1.0}, of={f"role:{n}": part * c for n, c in cost.items()})
                for y, part in every
            )
            cheapest = min((least[n] / c for n, c in cost.items() if c), default=1.0)
            sources = tuple(dict.fromkeys(r.cost_per_year.source for _, r in paid))
            id = "team.roles.cost_per_year"
            self.add(Rule(id=id, ids=(id,), name={"words": "conflicts.wages"}, unit="multiple", sources=sources,
                          sides=(Side(">=", 1.0, 1.0, cheapest, wages),), path="team.roles", role="wages",
                          firm="assumption" not in sources))  # fmt: skip
        self._subsets()

    def _subsets(self) -> None:
        """Parts of a part of the budget: together no more than it, where the axis allows more beside them."""
        for whole_part in parts(_WHOLE, _COST_AXIS):
            for axis in axes():
                inside = parts(whole_part, axis)
                if axis == _COST_AXIS or not inside:
                    continue
                self.yearly |= set(inside)
                for y in range(1, len(self.years) + 1):
                    row = {f"{whole_part}@y{y}": -1.0} | {f"{part}@y{y}": 1.0 for part in inside}
                    self.same(row, "=" if axes()[axis] else "<=")

    # ---- sales -------------------------------------------------------------------------------------------------------
    def sales(self) -> None:
        """First and repeat orders of those who join; nothing is known of sales to users who were there before."""
        plan, users = self.plan, self.plan.users
        self.yearly.add("gmv")
        if CHANNEL_FLOW not in self.monthly or plan.baseline.opening_users.central > 0:
            return
        self.yearly |= {"new_buyers", "repeat_buyers", "gmv_new", "gmv_repeat"}
        years = range(1, len(self.years) + 1)
        for y in years:
            self.same({f"gmv@y{y}": 1.0, f"gmv_new@y{y}": -1.0, f"gmv_repeat@y{y}": -1.0})
        joined = {y: self.in_year(CHANNEL_FLOW, y) for y in years}
        first = tuple(Term({f"new_buyers@y{y}": 1.0}, of={joined[y]: 1.0}) for y in years)
        again = tuple(
            Term({f"repeat_buyers@y{y}": 1.0}, of={f"new_buyers@y{x}": 1.0 for x in (y - 1, y) if x}) for y in years
        )
        often = tuple(Term({f"repeat_orders@y{y}": 1.0}, of={f"repeat_buyers@y{y}": 1.0}) for y in years)
        worth = tuple(Term({f"gmv_new@y{y}": 1.0}, of={f"new_buyers@y{y}": 1.0}) for y in years)
        worth += tuple(Term({f"gmv_repeat@y{y}": 1.0}, of={f"repeat_orders@y{y}": 1.0}) for y in years)
        orders = float(repeat_orders(plan)[0])
        for path, quantity, name, unit, terms, value in (
            ("users.conversion", users.conversion, "conversion_rate", "ratio", first, users.conversion.central),
            ("users.repurchase", users.repurchase, "repurchase_rate", "ratio", again, users.repurchase.central),
            ("users.orders_per_repeat_buyer", users.orders_per_repeat_buyer, "orders_per_repeat_buyer", "number", often,
             orders),
            ("baseline.aov", plan.baseline.aov, "aov", "CNY_per_order", worth, plan.baseline.aov.central),
        ):  # fmt: skip
            side = Side("<=", value, value, None, terms)  # a goal for it may be exceeded: no reading sets a ceiling
            self.given(self.of_quantity(path, quantity, name, unit, (side,), role="sales", firm=False), fact=True)

    # ---- what is divided by what -------------------------------------------------------------------------------------
    def ratios(self) -> None:
        """Every statement on a quotient whose both parts are known here."""
        done = {rule.metric for rule in self.rules} | {"churn_rate"}
        found = self.view.of(plan=self.plan.id, kinds=(GOAL, LIMIT, OTHER))
        for said in found:
            m, statement = said.metric, said.statement
            if m.id in done or not m.divided or statement.population or statement.period == "half_year":
                continue
            if statement.scope and not isinstance(statement, Band) and said.kind != OTHER:
                continue
            sides = self._sides_of(said)
            if sides is None:
                continue
            terms, firm = sides
            firm = firm and statement.source != "assumption"
            due = statement.by_month
            self.add(self.of_statement(said, _worded(said, terms), due=due, role=m.role, firm=firm))

    def _sides_of(self, said: Said) -> tuple[tuple[Term, ...], bool] | None:
        """Return the rows of a quotient and whether its parts are named; None where one is not known here."""
        m = said.metric
        above, sure_above = self._part(m.numerator, m.numerator_readings, said.statement.counts)
        below, sure_below = self._part(m.denominator, m.denominator_readings, said.statement.denominator)
        if above is None or below is None:
            return None
        sure = sure_above and sure_below
        due = said.statement.by_month
        if above in self.yearly - self.monthly or below in self.yearly - self.monthly:
            if above in self.heads:
                return None
            if below in self.heads:  # a year's money per head
                parts_of_year = [(y, len(self.years[y - 1]) / _YEAR) for y in self.year_of(due)]
                terms = tuple(Term({self.in_year(above, y): 1.0}, of={below: part}) for y, part in parts_of_year)
                return terms, sure
            pairs = [(self.in_year(above, y), self.in_year(below, y)) for y in self.year_of(due)]
        elif below in self.heads or above in self.heads:
            dues = {rule.due for rule in self.rules if rule.stock and rule.due} | {self.plan.months}
            months = sorted(dues)
            pairs = [(self._at(above, t), self._at(below, t)) for t in months if t <= self.months]
        else:
            t = due or self.plan.months
            pairs = [(self._at(above, t), self._at(below, t))] if t <= self.months else []
        return tuple(Term({one: 1.0}, of={other: 1.0}) for one, other in dict.fromkeys(pairs)), sure

    def _at(self, name: str, t: int) -> str:
        return name if name in self.heads else f"{name}@{t}"

    def _part(self, stated: str | None, readings: Sequence[str], said: str | None) -> tuple[str | None, bool]:
        """Return the variable that one part of a quotient stands for, and whether it is named."""
        if said is not None:
            name = self._known(said)
            return (name, True) if name else (None, True)
        if stated is not None:
            return self._known(stated), True
        if len(readings) < 1:
            return None, False
        return self._known(readings[0]), False

    def _known(self, name: str) -> str | None:
        base = bases("denominators").get(name)
        name = _USER_FLOWS.get(name) or (base.of if base is not None and base.less is None and base.of else name)
        return name if self.known(name) else None

    # ---- amounts -----------------------------------------------------------------------------------------------------
    def amounts(self) -> None:
        """Statements on money, people and flows themselves."""
        done = {rule.metric for rule in self.rules}
        for said in self.view.of(plan=self.plan.id, kinds=(GOAL, LIMIT, OTHER)):
            m, statement = said.metric, said.statement
            if m.id in done or m.divided or not self.known(m.id) or statement.scope or statement.population:
                continue
            if m.id in self.yearly - self.monthly:
                if statement.period not in (None, "year"):
                    continue
                terms = tuple(
                    Term({f"{m.id}@y{y}": 1.0}, len(self.years[y - 1]) / _YEAR)
                    for y in self.year_of(statement.by_month)
                )
            elif m.id in self.heads:
                terms = (Term({m.id: 1.0}, 1.0),)
            else:
                continue
            self.add(self.of_statement(said, _worded(said, terms), role=m.role))

    def finish(self) -> PlanSystem:
        facts = tuple(self.facts)
        names = {name for rule in (*self.rules, *facts) for side in rule.sides for t in side.terms for name in t.coef}
        sizes = {name: self._size_of(name) for name in names | {n for row in self.background for n in row.coef}}
        return PlanSystem(tuple(self.rules), facts, tuple(self.background), self.months, sizes)

    def _size_of(self, variable: str) -> float:
        """Return about how large a variable gets: money as the budget, users as the intake of a year."""
        name, _, at = variable.partition("@")
        if name in _HEADS or name.startswith("role:"):
            return 10.0
        if at.startswith("y") and (name not in catalogue() or metric(name).unit == "CNY"):
            return max(self.plan.budget.total.central, 1.0)
        return max(self.users_size, 1.0)


def _worded(said: Said, terms: tuple[Term, ...]) -> tuple[Side, ...]:
    """Return the sides that a statement sets by its wording and its metric's role.

    `equals` of an outcome is a floor, or a ceiling where less is better; of a cap a ceiling; of a load a ceiling. A
    cost that is stated "at most" is planned at its cap, which no wording says.
    """
    m, operation = said.metric, said.statement.operation
    low, high = said.span
    slack = said.tolerance
    floor = Side(">=", low, low - slack, low - slack, terms) if math.isfinite(low) else None
    ceiling = Side("<=", high, high + slack, high + slack, terms) if math.isfinite(high) else None
    if operation == "equals":
        down = m.direction == "down"
        if m.role == "cap" or m.unit == _LOADS:
            floor = None
        elif m.role == "outcome" and m.direction != "none":
            floor, ceiling = (None, ceiling) if down else (floor, None)
    elif floor is None and m.kind == "money" and m.divided and m.role == "driver":
        floor = Side(">=", high, high - slack, None, terms)
    return tuple(side for side in (floor, ceiling) if side is not None)


def _planned(quantity: Quantity, terms: tuple[Term, ...], period: str) -> tuple[Side, Side]:
    """Return both sides of an amount that is planned at its middle."""
    value = per_month(quantity, period) * MONTHS_IN[period]
    span, central = quantity.span, quantity.central
    low, high = (end * value / central for end in span) if span and central else (value, value)
    return Side(">=", value, value, low, terms), Side("<=", value, value, high, terms)


def _least(channel) -> float:
    if channel.intake is None:
        return 0.0
    span, central = channel.intake.span, channel.intake.central
    return per_month(channel.intake) * (span[0] / central if span and central else 1.0)
