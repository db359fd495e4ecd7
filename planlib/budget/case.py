"""A plan's budget as one problem: its rules by name, the best budget under them, and the questions asked of it.

The categories besides the one that pays for channels have no effect on users that the model knows of. Their split is
therefore not unique: after the optimum it is set to the feasible one nearest to the middle of the bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from planlib.budget import rules as r
from planlib.budget.allocation import Allocation, Conflict, Goal, Price, allocate, explain, next_money, prices
from planlib.budget.bands import Bands, Money, feasibility, project
from planlib.budget.curves import SATURATING, Curves, from_half_spend
from planlib.budget.verify import misses
from planlib.core.decompose import apportion
from planlib.core.guards import Guard

LIMITS = ("cost_cap", "channel_cost_cap", "free_share", "change", "return_floor", "labour_of_gmv")
SPENT_FROM = 1.0  # CNY a month from which a channel counts as on
_TOUCHES = 1e-4
_SMALL = 0.01
_SMALLER = (4.0, 16.0, 64.0, 256.0)  # parts of the channels' limits


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule of the plan: a kind of LIMITS, its level, and the channel or category that it is about."""

    name: str
    kind: str
    level: float
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Year:
    """Budget of some months of the plan, first and last included."""

    first: int
    last: int
    budget_cny: float


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a channel or category spends in one month, set by hand."""

    of: str
    month: int
    amount_cny: float


@dataclass(frozen=True, slots=True)
class Named:
    """A rule with what a reader has to know of it: its kind, what it is about, and the year."""

    rule: r.Rule
    kind: str
    of: str | None = None
    year: int | None = None
    month: int | None = None
    level: float | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """What a plan says about its budget. T months, C channels that have a response curve, K categories.

    Args:
        channels: ids.
        responses: (C,) rows (kind, ceiling, half_spend, shape); curves without a ceiling go through the same point
            (half of it at half_spend).
        open_months: (T, C).
        season: (T,) factors on what a spend brings.
        free_outcomes: (T,) users who join without spend.
        most_cny, floor_cny, least_if_on_cny: (C,) CNY a month.
        bands: {category: (low, high)} as shares of each year's budget.
        home: the category that pays for channels.
        years: budgets, together all months.
        weights: (T,) of the months for money of the categories, >= 0.
        margin_cny, gmv_cny: what one user is worth.
        years, limits, fixed: records, or rows of their values in order.
        organic: channels with a curve that count as organic.
        labour: category of the team; None without one.
        team_cny_year: what the team of the plan costs a year.
        stated_users: (C,) users a month that the plan states.
    """

    channels: tuple[str, ...]
    responses: tuple[tuple, ...]
    open_months: np.ndarray
    season: np.ndarray
    free_outcomes: np.ndarray
    most_cny: np.ndarray
    floor_cny: np.ndarray
    least_if_on_cny: np.ndarray
    bands: dict[str, tuple[float, float]]
    home: str
    years: tuple[Year, ...]
    weights: np.ndarray
    margin_cny: float
    gmv_cny: float
    stated_users: np.ndarray
    limits: tuple[Limit, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    organic: tuple[str, ...] = ()
    labour: str | None = None
    team_cny_year: float = 0.0

    def __post_init__(self) -> None:
        for field, record in (("years", Year), ("limits", Limit), ("fixed", Fixed)):
            rows = tuple(row if isinstance(row, record) else record(*row) for row in getattr(self, field))
            object.__setattr__(self, field, rows)
        guard = Guard()
        for i, limit in enumerate(self.limits):
            guard.choice(f"limits[{i}].kind", limit.kind, LIMITS)
        guard.choice("home", self.home, tuple(self.bands))
        guard.done()

    @property
    def months(self) -> int:
        """T."""
        return len(self.open_months)

    @cached_property
    def curves(self) -> Curves:
        """C curves, users a month at CNY a month."""
        return Curves.of([curve_row(*row) for row in self.responses])

    @cached_property
    def frame(self) -> r.Frame:
        """What can be bought."""
        return r.Frame(
            self.channels,
            tuple(self.bands),
            self.curves,
            self.open_months,
            self.most_cny,
            season=self.season,
            cost_shares=np.tile(np.array([[float(k == self.home) for k in self.bands]]), (len(self.channels), 1)),
            free_outcomes=self.free_outcomes,
            least_if_on_cny=self.least_if_on_cny,
        )

    @cached_property
    def rules(self) -> tuple[Named, ...]:
        """Every rule of the plan."""
        return (*self._of_years(), *self.channel_rules, *self._fixed(categories=True))

    def _of_years(self) -> list[Named]:
        found = []
        for n, year in enumerate(self.years, start=1):
            span = r.Span(year.first, year.last)
            total = r.TotalBudget(f"total_{n}", year.budget_cny, span=span)
            found.append(Named(total, "total", year=n, level=year.budget_cny))
            for k, (low, high) in self.bands.items():
                band = r.CategoryBand(f"band_{k}_{n}", k, low, high, year.budget_cny, span)
                found.append(Named(band, "band", k, n, level=high))
            if self.labour and self.team_cny_year > 0:
                share = self.team_cny_year * (year.last - year.first + 1) / 12 / year.budget_cny
                team = r.CategoryBand(f"team_{n}", self.labour, share, max(1.0, share), year.budget_cny, span)
                found.append(Named(team, "team", self.labour, n, level=share * year.budget_cny))
        return found

    @cached_property
    def channel_rules(self) -> tuple[Named, ...]:
        """Those that hold whatever the budget is: limits on cost, shares and changes, floors, fixed channel lines."""
        found = []
        for limit in self.limits:
            found += self._limit(limit)
        for name, least in zip(self.channels, self.floor_cny, strict=True):
            if least > 0:
                found.append(Named(r.ChannelFloor(f"floor_{name}", name, float(least)), "floor", name, level=least))
        return (*found, *self._fixed(categories=False))

    def _limit(self, limit: Limit) -> list[Named]:
        count, level, name = len(self.channels), limit.level, limit.name
        worth = np.full(count, self.margin_cny)
        if limit.kind == "change":
            several = [(f"{name}_{c}", c) for c in self.channels]
            return [Named(r.ChangeLimit(n, c, level, level), "change", c, level=level) for n, c in several]
        rule = {
            "cost_cap": lambda: r.CostCap(name, level),
            "channel_cost_cap": lambda: r.CostCap(name, level, limit.of),
            "free_share": lambda: r.FreeShare(name, level, self.organic),
            "return_floor": lambda: r.ReturnFloor(name, level, worth),
            "labour_of_gmv": lambda: r.CategoryOfWorth(
                name, limit.of, level, np.full(count, self.gmv_cny), self.gmv_cny
            ),
        }[limit.kind]()
        return [Named(rule, limit.kind, limit.of, level=level)]

    def _fixed(self, *, categories: bool) -> list[Named]:
        chosen = [line for line in self.fixed if (line.of in self.bands) == categories]
        return [
            Named(
                r.FixedSpend(f"fixed_{line.of}_{line.month}", line.of, line.month, line.amount_cny),
                "fixed", line.of, month=line.month, level=line.amount_cny,
            )
            for line in chosen
        ]  # fmt: skip

    @property
    def search(self) -> dict[str, float]:
        """Gap and nodes of a search: exact where every curve is concave, within a thousandth where one is S-shaped."""
        bent = (self.curves.inflection > 0).any() or (self.least_if_on_cny > 0).any()
        return {"gap_rel": 1e-3, "max_nodes": 60} if bent else {"gap_rel": 1e-6, "max_nodes": 500}

    @property
    def stated_cny(self) -> np.ndarray:
        """(C,) CNY a month at which each curve brings what the plan states; NaN where it never does."""
        return spend_for(self.curves, self.stated_users)


def curve_row(kind: str, ceiling: float, half_spend: float, shape: float) -> tuple:
    """Return a row of `Curves.of` for a curve as a plan states it; without a ceiling, half of it at half_spend."""
    if kind in SATURATING:
        return from_half_spend(kind, ceiling=ceiling, half_spend=half_spend, shape=shape)
    half = ceiling / 2
    return (kind, half / np.log(2.0), half_spend, 1.0) if kind == "logarithmic" else (kind, half, half_spend, shape)


def spend_for(curves: Curves, users: np.ndarray) -> np.ndarray:
    """Return (N,) the spend at which each curve brings `users`; NaN where no spend does.

    >>> spend_for(Curves.of([("michaelis_menten", 100.0, 50.0)] * 2), np.array([50.0, 100.0]))
    array([50., nan])
    """
    low, high = np.zeros(len(curves)), curves.scale * 1e9
    wanted = np.asarray(users, dtype=float)
    reached = curves.value(high) > wanted * (1 + 1e-9)
    for _ in range(200):
        middle = (low + high) / 2
        above = curves.value(middle) >= wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(reached, np.where(wanted > 0, high, 0.0), np.nan)


@dataclass(frozen=True, eq=False)
class Solved:
    """The best budget of a case.

    Attributes:
        case: what it answers.
        best: the optimum with the categories at their middle split; `channel_cny` is None when there is none.
        conflict: why there is none; None when there is one, or when it was not asked for (least spend, returns).
        middle: the categories stand at the split nearest to the middles; False: a rule on them left no room for it.
    """

    case: Case
    best: Allocation
    conflict: Conflict | None
    middle: bool

    @property
    def feasible(self) -> bool:
        """Whether there is a budget that keeps every rule."""
        return self.best.channel_cny is not None

    @property
    def by_channel(self) -> np.ndarray:
        """(C,) CNY a month on average over the months in which each channel is open."""
        return self.best.channel_cny.sum(axis=0) / np.maximum(self.case.open_months.sum(axis=0), 1)

    @property
    def users(self) -> float:
        """Users won over the plan through the channels with curves."""
        return float(self.best.outcomes.sum())


def solve(case: Case, rules: Sequence[Named] | None = None, *, gap_rel: float = 0.0) -> Solved:
    """Return the budget that wins most users under the rules, or why there is none.

    Args:
        case: the plan's.
        rules: in place of the case's own.
        gap_rel: a wider gap than the case's own search is enough.
    """
    named = case.rules if rules is None else rules
    plain = [item.rule for item in named]
    goal = Goal(np.ones(len(case.channels)))
    search = case.search | {"gap_rel": max(gap_rel, case.search["gap_rel"])}
    best = allocate(case.frame, plain, goal, **search)
    if best.channel_cny is None:
        conflict = explain(case.frame, plain)
        if conflict is not None:
            return Solved(case, best, conflict, False)
        best = _at_least_spend(case, plain, goal)
    other = _middle(case, best)
    ok = max(misses(case.frame, plain, best.channel_cny, other).values(), default=0.0) <= 1e-6
    if ok:
        category = best.channel_cny @ case.frame.cost_shares + other
        best = replace(best, other_cny=other, category_cny=category)
        best = replace(best, binding=_binding(case, named, best))
    return Solved(case, best, None, ok)


def _at_least_spend(case: Case, plain: Sequence[r.Rule], goal: Goal) -> Allocation:
    """Return the cheapest budget that keeps the rules where the search for the best found none.

    Upper limits on users (a share of organic ones) make the rules bend inwards. Its bound is that of the budget
    without such limits, so that the gap is true, though wide.
    """
    found = allocate(case.frame, plain, replace(goal, least_spend=True), **case.search)
    above = allocate(case.frame, [rule for rule in plain if not isinstance(rule, r.FreeShare)], goal, **case.search)
    users = float(found.outcomes.sum())
    gap = (above.bound - users) / max(above.bound, 1.0)
    return replace(found, value=users, bound=above.bound, gap_rel=gap, status="feasible")


def _middle(case: Case, best: Allocation) -> np.ndarray:
    """Return (T, K) money of the categories besides the channels, each year's split nearest to the band middles."""
    names, other = tuple(case.bands), np.zeros_like(best.other_cny)
    home = names.index(case.home)
    fixed = {(line.month - 1, names.index(line.of)): line.amount_cny for line in case.fixed if line.of in names}
    for year in case.years:
        months = np.arange(year.first - 1, year.last)
        channels = best.channel_cny[months].sum(axis=1)
        held = np.array([sum(v for (t, k), v in fixed.items() if k == i and t in months) for i in range(len(names))])
        held[home] = 0.0
        low = np.array([case.bands[k][0] for k in names])
        high = np.array([case.bands[k][1] for k in names])
        need = np.maximum(low, held / year.budget_cny)
        if case.labour and case.team_cny_year > 0:
            team = case.team_cny_year * len(months) / 12 / year.budget_cny
            need[names.index(case.labour)] = max(need[names.index(case.labour)], team)
        pinned = [t for t in months if (t, home) in fixed]
        rest_of_home = {t: max(fixed[t, home] - best.channel_cny[t].sum(), 0.0) for t in pinned}
        spent = channels.sum() + sum(rest_of_home.values())
        extra = max(low[home] * year.budget_cny - spent, 0.0)
        share = (spent + extra) / year.budget_cny
        need[home] = high[home] = share
        shares = _nearest_to_middle(names, case, need, np.maximum(high, need))
        for k in range(len(names)):
            if k == home:
                other[months, k] = _spread(extra, months, case, rest_of_home)
            else:
                lines = {t: v for (t, i), v in fixed.items() if i == k and t in months}
                other[months, k] = _spread(shares[k] * year.budget_cny - sum(lines.values()), months, case, lines)
    return other


def _nearest_to_middle(names: tuple[str, ...], case: Case, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    middle = np.array([sum(case.bands[k]) / 2 for k in names])
    high = np.minimum(high, 1.0)
    if (low > high).any():
        return low
    bands = Bands(names, low, high)
    found = feasibility(bands)
    if found.feasible:
        return project(bands, middle).split
    return high if found.reason == "maxima_fall_short" else low


def _spread(money: float, months: np.ndarray, case: Case, lines: dict[int, float]) -> np.ndarray:
    """Return the months' money: those in `lines` keep theirs, the others share `money` by the weights."""
    free = np.array([t not in lines for t in months])
    weight = case.weights[months] * free
    share = weight / weight.sum() if weight.sum() > 0 else weight
    return max(money, 0.0) * share + np.array([lines.get(int(t), 0.0) for t in months])


def _binding(case: Case, named: Sequence[Named], best: Allocation) -> tuple[str, ...]:
    """Return those of the solver's binding lines that the finished budget touches too."""
    amounts = np.concatenate([best.channel_cny.ravel(), best.other_cny.ravel()])
    users = np.concatenate([(best.outcomes).ravel(), np.zeros(best.other_cny.size)])
    kept = []
    for item in named:
        for line in item.rule.lines(case.frame):
            if line.name not in best.binding:
                continue
            side = 0.0 if line.spend is None else float(line.spend @ amounts)
            side += 0.0 if line.outcome is None else float(line.outcome @ users)
            if abs(side - line.limit) <= _TOUCHES * max(abs(line.limit), 1.0) or line.limit == 0.0:
                kept.append(line.name)
    return tuple(kept)


def price_of_rules(solved: Solved) -> tuple[Price, ...]:
    """Return what each binding rule costs in users, the dearest first; as `planlib.budget.allocation.prices`."""
    case = solved.case
    goal = Goal(np.ones(len(case.channels)))
    return prices(case.frame, [item.rule for item in case.rules], goal, solved.best, **case.search)


def next_10k(solved: Solved, *, step_cny: float = 10_000.0) -> tuple[float, np.ndarray, np.ndarray]:
    """Return what `step_cny` more buys in users, and where it goes: (C,) and (K,) CNY."""
    case = solved.case
    goal = Goal(np.ones(len(case.channels)))
    return next_money(
        case.frame, [item.rule for item in case.rules], goal, solved.best, step_cny=step_cny, **case.search
    )


def least_spend(case: Case, goal: r.OutcomeGoal) -> Solved:
    """Return the least channel money that reaches a number of users under the rules on channels."""
    named = (*case.channel_rules, Named(goal, "goal", level=goal.at_least))
    return _by_channel_rules(case, named, Goal(np.ones(len(case.channels)), least_spend=True))


def most_profit(case: Case) -> Solved:
    """Return the channel money after which one more CNY brings less than a CNY of margin."""
    goal = Goal(np.full(len(case.channels), case.margin_cny), price=1.0)
    return _by_channel_rules(case, case.channel_rules, goal)


def for_return(case: Case, floor: float) -> Solved:
    """Return the most users, and so the largest spend, at which the margin is `floor` times the channel money."""
    worth = np.full(len(case.channels), case.margin_cny)
    named = (*case.channel_rules, Named(r.ReturnFloor("return_goal", floor, worth), "return_floor", level=floor))
    return _by_channel_rules(case, named, Goal(np.ones(len(case.channels))))


def _by_channel_rules(case: Case, named: Sequence[Named], goal: Goal) -> Solved:
    plain = [item.rule for item in named]
    search = case.search | {"gap_rel": max(1e-4, case.search["gap_rel"])}
    best = allocate(case.frame, plain, goal, **search)
    for shrink in _SMALLER if best.status == "unknown" else ():
        # limits far beyond what curves can use hide the optimum; one inside smaller limits is the same
        most = np.maximum(case.most_cny / shrink, np.maximum(case.floor_cny, case.least_if_on_cny))
        found = allocate(replace(case, most_cny=most).frame, plain, goal, **search)
        if found.channel_cny is not None and (found.channel_cny < most * (1 - _TOUCHES)).all():
            best = found
            break
    return Solved(case, best, None, False)


def users_goal(
    at_least: float, month: int, *, months: int, churn: np.ndarray | float, opening: float, applied: str
) -> r.OutcomeGoal:
    """Return the rule that so many users are there at the end of a month.

    Args:
        at_least: users.
        month: plan month, 1..months.
        months: T.
        churn: monthly share of users who leave, a number.
        opening: users before month 1.
        applied: before_adds or after_adds, as in `planlib.funnel.users`.
    """
    stays = 1.0 - float(churn)
    after = month - np.arange(1, months + 1) + (1 if applied == "after_adds" else 0)
    kept = np.where(np.arange(1, months + 1) <= month, stays ** np.maximum(after, 0), 0.0)
    return r.OutcomeGoal("goal", max(at_least - opening * stays**month, 0.0), kept=tuple(float(x) for x in kept))


@dataclass(frozen=True, slots=True)
class Move:
    """What changes in a channel from the plan as stated to the best budget, an open month on average.

    Attributes:
        channel: id.
        before_cny, after_cny: spend; before is NaN where the curve never brings what is stated.
        users: change in users.
        marginal_before, marginal_after: CNY for one more user at either spend.
        reason: at_most, change_limit, fixed, at_floor, off, unreached (the curve never brings what is stated), cut,
            raised or kept.
    """

    channel: str
    before_cny: float
    after_cny: float
    users: float
    marginal_before: float
    marginal_after: float
    reason: str


def moves(solved: Solved) -> tuple[Move, ...]:
    """Return what changes in each channel against the stated plan, losses first."""
    case, best = solved.case, solved.best
    before, after = case.stated_cny, solved.by_channel
    start = np.where(np.isnan(before), 0.0, before)
    change = case.curves.value(after) - np.where(np.isnan(before), case.stated_users, case.curves.value(start))
    cost_before, cost_after = _cost_of_next(case.curves, start), _cost_of_next(case.curves, after)
    found = [
        Move(
            name, float(before[c]), float(after[c]), float(change[c]), float(cost_before[c]), float(cost_after[c]),
            _why(case, best, c, float(before[c]), float(after[c])),
        )
        for c, name in enumerate(case.channels)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda move: move.users))


def _cost_of_next(curves: Curves, spend: np.ndarray) -> np.ndarray:
    return 1.0 / np.maximum(curves.slope(np.maximum(spend, 1e-6)), 1e-12)


def _why(case: Case, best: Allocation, c: int, before: float, after: float) -> str:
    name, spends = case.channels[c], best.channel_cny[case.open_months[:, c], c]
    if any(line.startswith(f"fixed_{name}_") for line in best.binding):
        return "fixed"
    if after < SPENT_FROM:
        return "off"
    if (spends >= case.most_cny[c] * (1 - _TOUCHES)).all():
        return "at_most"
    changes = [item.rule.name for item in case.rules if item.kind == "change" and item.of == name]
    if any(line.startswith(f"{rule}_") for rule in changes for line in best.binding):
        return "change_limit"
    if case.floor_cny[c] > 0 and (spends <= case.floor_cny[c] * (1 + _TOUCHES)).all():
        return "at_floor"
    if np.isnan(before):
        return "unreached"
    if abs(after - before) <= _SMALL * max(before, 1.0):
        return "kept"
    return "cut" if after < before else "raised"


def without_channel(solved: Solved, channel: str) -> float:
    """Return how many users are lost over the plan if a channel is closed and the money may go elsewhere."""
    case = solved.case
    c = case.channels.index(channel)
    closed = case.open_months.copy()
    closed[:, c] = False
    fixed = tuple(line for line in case.fixed if line.of != channel)
    floor = np.where(np.arange(len(case.channels)) == c, 0.0, case.floor_cny)
    found = solve(replace(case, open_months=closed, fixed=fixed, floor_cny=floor))
    return solved.best.value - found.best.value if found.feasible else solved.best.value


def paid_goal(case: Case, intake: float | None) -> float:
    """Return the users a month that the channels with curves are to bring.

    Args:
        case: the plan's.
        intake: goal on all new users of a month; None: what the plan states of these channels.
    """
    if intake is None:
        return float(case.stated_users.sum())
    free = float(np.median(case.free_outcomes[case.open_months.any(axis=1)]))
    return max(intake - free, 0.0)


def cost_of_fixed(case: Case, now: Solved) -> tuple[tuple[Fixed, float, Solved], ...]:
    """Return for each fixed line what it costs in users over the plan, and the best budget without it.

    Args:
        case: the plan's.
        now: the best budget with all fixed lines.
    """
    found = []
    for line in case.fixed:
        rest = replace(case, fixed=tuple(other for other in case.fixed if other is not line))
        free = solve(rest)
        gain = free.best.value - now.best.value
        found.append((line, gain if gain > 2e-6 * now.best.value else 0.0, free))
    return tuple(found)


def stated_misses(case: Case) -> dict[str, float]:
    """Return which rules the plan as stated breaks, by line, relative; categories besides the channels are left free.

    Only rules on channels and the category that pays for them count: what else it spends is not stated.
    """
    spend = np.where(case.open_months, np.nan_to_num(case.stated_cny), 0.0)
    other = np.zeros((case.months, len(case.bands)))
    named = [item for item in case.rules if item.kind not in ("band", "team", "total", "fixed")]
    found = misses(case.frame, [item.rule for item in named], spend, other)
    for n, year in enumerate(case.years, start=1):
        money = spend[year.first - 1 : year.last].sum()
        over = money / year.budget_cny - case.bands[case.home][1]
        if over > 1e-9:
            found[f"band_{case.home}_{n}"] = float(over)
    return found


def intake_goal(users_a_month: float, case: Case) -> r.OutcomeGoal:
    """Return the rule that the months in which any channel is open win so many users each, on average."""
    opened = case.open_months.any(axis=1)
    return r.OutcomeGoal("goal", users_a_month * int(opened.sum()), kept=tuple(float(x) for x in opened))


def money(solved: Solved) -> Money:
    """Return the budget in whole fen by month and category; its sum is that of the budget, rounded once."""
    cny = solved.best.category_cny
    fen = apportion(round(float(cny.sum()) * 100), cny.ravel()).reshape(cny.shape)
    return Money(fen, fen.sum(axis=0), fen.sum(axis=1))
