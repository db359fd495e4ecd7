"""Whether users can be as many and as active as the plan says, and whether their cohorts are old enough to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planlib.consistency.finding import CONTRADICTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.intake import (
    Amount,
    Intake,
    Loss,
    a_month,
    first_month,
    intake,
    loss,
    opening,
    reservoirs,
    total_to,
)
from planlib.consistency.rules.stated import (
    by_id,
    down,
    firm,
    floor,
    ids,
    least,
    month,
    multiple,
    number,
    place,
    planned,
    ratio,
    sections,
    up,
    users,
    whole,
)
from planlib.consistency.rules.windows import window_maturity
from planlib.consistency.view import BASELINE, CASE, GOAL, Said, View
from planlib.core.metrics import Metric, catalogue
from planlib.plan import Plan
from planlib.plan.inputs import MONTHS_IN

_LAST_MONTH = 60  # the longest plan
_READINGS = ("month", "quarter", "year")  # of a share that is lost or woken in a period the document does not name
_YEAR = 12


# ---- R01 -------------------------------------------------------------------------------------------------------------
def stock_reach(view: View) -> Iterator[Finding]:
    """R01: a stock cannot reach its goal even if nobody leaves.

    Test: opening + intake x months in which it is open >= goal, for every stock with one inflow and a dated floor.
    Level: contradiction when the best value that the wording allows fails as well, else strain; strain also where
    no opening base is known. Calendar variant: intake only from the first month that a stage permits;
    contradiction when intake from month 1 fails too, or when permits are all that the plan says about when.
    Trap: "at least so many a month" is still the planned path; two dates for one level can coexist, the earlier
    binds; what a plan says of its channels counts when it is more than its statement.
    """
    for plan in view.plans:
        for stock, flow in reservoirs():
            path, goals = intake(view, plan, flow), _dated_goals(view, plan, stock)
            if path is None:
                continue
            for goal, before in zip(goals, [None, *goals], strict=False):
                yield from _reach(view, plan, (stock, flow), path, goal, before)
            yield from _calendar(view, plan, (stock, flow), path, goals)


def _dated_goals(view: View, plan: Plan, stock: Metric) -> list[Said]:
    found = whole(view.goals(stock.id, plan=plan.id))
    return by_id(goal for goal in found if goal.statement.by_month and floor(goal) is not None)


def _reach(view, plan, metrics, path: Intake, goal: Said, before: Said | None) -> Iterator[Finding]:
    stock, flow = metrics
    due, wanted, base = goal.statement.by_month, goal.span[0], opening(view, plan, stock, goal)
    got = base.value + path.amount.value * total_to(due, path.shape)
    if got >= least(goal) - _slack(base, path, due):
        return
    best = base.most + path.most * max(total_to(due, path.shape), total_to(due, path.flat))
    certain = base.known and best < least(goal) - _slack(base, path, due)
    n = int((path.shape[:due] > 0).sum())
    average = path.amount.value * total_to(due, path.shape) / n if n else 0.0
    figures = {
        "opening": users(base.value),
        "n": number(n),
        "intake": Figure(average, flow.unit),
        "users": users(got),
        "goal": users(wanted),
        "due": month(due),
        "gap": users(wanted - got),
        "share": ratio(1 - got / wanted),
    }
    yield Finding(
        "R01",
        CONTRADICTION if certain else STRAIN,
        "rules_users.R01.reach",
        figures,
        (goal.id, path.amount.id, base.id),
        _places(goal, path, base),
        (plan.id,),
        names={"stock": {"metric": stock.id}},
        repairs=_reach_repairs(path, goal, base, since=1),
        cost=1 - got / wanted,
        extra=_reach_extra(view, plan, metrics, path, goal, base) | _rung(goal, before),
    )


def _slack(base: Amount, path: Intake, due: int) -> float:
    """What rounding of intake and opening base may hide by a month."""
    return base.tolerance + path.amount.tolerance * total_to(due, path.shape)


def _places(goal: Said, path: Intake, *rest: Amount) -> tuple[str, ...]:
    found = (goal.statement.source, path.amount.source, *(amount.source for amount in rest))
    return tuple(dict.fromkeys(source for source in found if source and source != "assumption"))


def _reach_repairs(path: Intake, goal: Said, base: Amount, *, since: int) -> tuple[Repair, ...]:
    """What each of intake, opening base, date and level would have to be, the others as planned and nobody leaving."""
    due, wanted = goal.statement.by_month, goal.span[0]

    def short(*, adds=path.amount.value, start=base.value, at=due, level=wanted) -> bool:
        return start + adds * total_to(at, path.shape, since=since) < level

    weight = total_to(due, path.shape, since=since)
    repairs = []
    if weight:
        needed = up((wanted - base.value) / weight)
        if not short(adds=needed):
            repairs.append(Repair("intake", path.amount.path, Figure(needed, "users_per_month")))
    start = up(wanted - path.amount.value * weight)
    if not short(start=start):
        repairs.append(Repair("opening_users", base.path, users(start)))
    later = next((m for m in range(due, _LAST_MONTH + 1) if not short(at=m)), None)
    if later is not None:
        repairs.append(Repair("due_month", place(goal, "by_month"), month(later)))
    level = down(base.value + path.amount.value * weight)
    if level > 0 and not short(level=level):
        repairs.append(Repair("goal", place(goal), users(level)))
    return tuple(repairs)


def _reach_extra(view, plan, metrics, path: Intake, goal: Said, base: Amount) -> dict[str, float]:
    stock, flow = metrics
    due, wanted = goal.statement.by_month, goal.span[0]
    weight = total_to(due, path.shape)
    needed = (wanted - base.value) / weight if weight else math.inf
    extra = {"needed_intake": needed, "needed_multiple": needed / (path.amount.value or math.nan)}
    extra["opening_needed"] = wanted - path.amount.value * weight
    lost = loss(view, plan, stock)
    if lost is not None:
        kept = 1 - lost.monthly(lost.period or "month")
        left = total_to(due, path.shape, kept=kept, late=lost.late)
        extra["opening_needed_with_churn"] = (wanted - path.amount.value * left) / kept**due if kept else math.inf
        extra["needed_intake_with_churn"] = (wanted - base.value * kept**due) / left if left else math.inf
    return _finite(extra | _case_paces(view, stock, flow, needed))


def _rung(goal: Said, before: Said | None) -> dict[str, float]:
    """What the step from the goal before asks a month, net of those who leave."""
    if before is None or before.statement.by_month == goal.statement.by_month:
        return {}
    span = goal.statement.by_month - before.statement.by_month
    return {"net_a_month_since_last_goal": (goal.span[0] - before.span[0]) / span}


def _case_paces(view: View, stock: Metric, flow: Metric, needed: float) -> dict[str, float]:
    """What other firms took in a month, stated or as a stock built in a stated time, against what is needed."""
    extra = {}
    for k, pace in enumerate(_paces(view, stock, flow), start=1):
        extra |= {f"case_{k}": pace, f"needed_to_case_{k}": needed / pace, f"case_{k}_short": 1 - pace / needed}
    return extra


def _paces(view: View, stock: Metric, flow: Metric) -> list[float]:
    """What firms took in a month, slowest first: stated, or a stock over the stage told of it in the same section."""
    paces = [case.value for case in view.of(flow.id, kinds=(CASE,))]
    for case in view.of(stock.id, kinds=(CASE,)):
        told = (firm(case), case.statement.source)
        spans = [s for s in view.of("stage_duration", kinds=(CASE,)) if (firm(s), s.statement.source) == told]
        paces += [case.span[0] / span.value for span in spans if math.isfinite(case.span[0])]
    return sorted(paces)


def _finite(extra: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in extra.items() if math.isfinite(value)}


def _calendar(view, plan, metrics, path: Intake, goals: list[Said]) -> Iterator[Finding]:
    """The earliest goal that the stage calendar leaves too few months for, where intake is not bound to it anyway."""
    stock, flow = metrics
    found = first_month(plan, flow)
    if found is None:
        return
    start, stage = found
    if not path.shape[: start - 1].any() or not path.amount.value:
        return
    for goal in goals:
        due, wanted, base = goal.statement.by_month, goal.span[0], opening(view, plan, stock, goal)
        got = base.value + path.amount.value * total_to(due, path.shape, since=start)
        if got >= least(goal) - _slack(base, path, due):
            continue
        most = max(total_to(due, shape, since=start) for shape in (path.shape, path.flat))
        open_best = base.most + path.most * most
        free_fails = base.most + path.most * due < least(goal) - _slack(base, path, due)
        certain = open_best < least(goal) - _slack(base, path, due) and (free_fails or not path.bound)
        n = max(due - start + 1, 0)
        extra = _calendar_extra(view, metrics, path, goals, base, start)
        figures = {"start": month(start), "goal": users(wanted), "due": month(due)}
        if n:
            needed = (wanted - base.value) / total_to(due, path.shape, since=start)
            extra["needed_intake"] = needed
            extra |= _case_paces(view, stock, flow, needed)
            figures |= {
                "opening": users(base.value),
                "n": number(n),
                "intake": Figure(path.amount.value, flow.unit),
                "users": users(got),
                "needed": Figure(needed, flow.unit),
                "multiple": multiple(needed / path.amount.value),
            }
        yield Finding(
            "R01",
            CONTRADICTION if certain else STRAIN,
            "rules_users.R01.calendar" if n else "rules_users.R01.closed",
            figures,
            (goal.id, path.amount.id, stage.statement or stage.id),
            tuple(dict.fromkeys([*_places(goal, path), stage.source])),
            (plan.id,),
            names={"stage": {"bilingual": stage.name.model_dump()}, "stock": {"metric": stock.id}},
            repairs=_reach_repairs(path, goal, base, since=start),
            cost=1 - got / wanted,
            extra=_finite(extra),
        )
        return


def _calendar_extra(view, metrics, path: Intake, goals, base: Amount, start: int) -> dict[str, float]:
    """Open months and users by each goal, at the planned pace and at that of the fastest case."""
    fastest = max(_paces(view, *metrics), default=0)
    extra = {}
    for due in sorted({goal.statement.by_month for goal in goals}):
        weight = total_to(due, path.shape, since=start)
        extra |= {f"open_months_m{due}": max(due - start + 1.0, 0.0)}
        extra |= {f"users_m{due}": base.value + path.amount.value * weight}
        if fastest:
            extra |= {f"users_at_case_pace_m{due}": base.value + fastest * weight}
    return extra


# ---- R02 -------------------------------------------------------------------------------------------------------------
def steady_state(view: View) -> Iterator[Finding]:
    """R02: what leaves a stock, or wakes up in it, keeps it below its goal.

    Test: opening x (1-c)^T + sum of a x (1-c)^(T-t) >= goal, ceiling a/c; the share active in the long run
    w/(w+1-s), with joiners (w+c)/(w+1-s) >= goal; waking once b + w(1-b) >= goal. s stay, w wake, c churn a month.
    Level: contradiction when the period of the loss is declared and the best corner fails; strain when the document
    names no period (read by month, quarter and year), or no date for the share.
    Trap: a share of a year is 1-(1-c)^(1/12) a month, never c/12.
    """
    for plan in view.plans:
        for stock, flow in reservoirs():
            path, lost = intake(view, plan, flow), loss(view, plan, stock)
            if path is not None and lost is not None:
                yield from _ceiling(view, plan, stock, path, lost)
        yield from _active(view, plan)
        yield from _woken_once(view, plan)


def _stock(base: float, adds: float, path: Intake, lost: Loss, churn: float, due: int) -> float:
    return base * (1 - churn) ** due + adds * total_to(due, path.shape, kept=1 - churn, late=lost.late)


def _limit(adds: float, path: Intake, lost: Loss, churn: float) -> float:
    """Return the stock that the intake of an average later month never passes."""
    monthly = adds * float(path.shape[-_YEAR:].mean())
    return monthly * (1 - churn if lost.late else 1) / churn if churn else math.inf


def _ceiling(view, plan, stock: Metric, path: Intake, lost: Loss) -> Iterator[Finding]:
    churn, adds = lost.monthly(lost.period or "month"), path.amount.value
    if not churn:
        return  # nothing is lost: what intake alone reaches is R01
    ceiling = _limit(adds, path, lost, churn)
    short = []
    for goal in _dated_goals(view, plan, stock):
        base, due = opening(view, plan, stock, goal), goal.statement.by_month
        got = _stock(base.value, adds, path, lost, churn, due)
        if got < least(goal) - _slack(base, path, due):
            short.append((goal, base, got))
    if not short:
        return
    above = [entry for entry in short if entry[0].span[0] > ceiling]
    goal, base, got = min(above, key=lambda e: e[0].span[0]) if above else min(short, key=lambda e: e[2] / e[0].span[0])
    due, wanted = goal.statement.by_month, goal.span[0]
    best = max(
        base.most * (1 - lowest) ** due + path.most * total_to(due, shape, kept=1 - lowest, late=lost.late)
        for shape in (path.shape, path.flat)
        for lowest in [a_month(lost.amount.most, lost.period or "month")]
    )
    certain = lost.period is not None and base.known and best < least(goal) - _slack(base, path, due)
    figures = {
        "churn": ratio(lost.amount.value),
        "intake": Figure(adds, "users_per_month"),
        "ceiling": users(ceiling),
        "users": users(got),
        "goal": users(wanted),
        "due": month(due),
    }
    if lost.period is None:
        for period in _READINGS[1:]:
            figures[f"users_{period}"] = users(_stock(base.value, adds, path, lost, lost.monthly(period), due))
    yield Finding(
        "R02",
        CONTRADICTION if certain else STRAIN,
        "rules_users.R02.ceiling" if lost.period else "rules_users.R02.unstated",
        figures,
        (goal.id, *(e[0].id for e in short if e[0] is not goal), path.amount.id, lost.amount.id),
        tuple(dict.fromkeys([*(e[0].statement.source for e in short), *_places(goal, path, base, lost.amount)])),
        (plan.id,),
        names={"stock": {"metric": stock.id}},
        repairs=_ceiling_repairs(path, lost, goal, base, churn),
        cost=1 - got / wanted,
        extra=_ceiling_extra(path, lost, short),
    )


def _ceiling_repairs(path: Intake, lost: Loss, goal: Said, base: Amount, churn: float) -> tuple[Repair, ...]:
    """What each figure alone would have to be, the loss read as a monthly one where its period is not stated."""
    due, wanted, adds = goal.statement.by_month, goal.span[0], path.amount.value

    def got(*, n=adds, start=base.value, c=churn, at=due) -> float:
        return _stock(start, n, path, lost, c, at)

    repairs, weight = [], total_to(due, path.shape, kept=1 - churn, late=lost.late)
    kept = (1 - churn) ** due
    if weight:
        needed = up((wanted - base.value * kept) / weight)
        repairs.append(Repair("intake", path.amount.path, Figure(needed, "users_per_month")))
    if kept:
        repairs.append(Repair("opening_users", base.path, users(up((wanted - adds * weight) / kept))))
    if got(c=0.0) < wanted:
        repairs.append(Repair("churn", lost.amount.path, ceiling=users(got(c=0.0))))
    else:
        highest = down(_largest(lambda c: got(c=c) >= wanted, churn))
        period = lost.period or "month"
        repairs.append(Repair("churn", lost.amount.path, ratio(down(1 - (1 - highest) ** MONTHS_IN[period]))))
    later = next((m for m in range(due, _LAST_MONTH + 1) if got(at=m) >= wanted), None)
    if later is not None:
        repairs.append(Repair("due_month", place(goal, "by_month"), month(later)))
    else:
        most = max(base.value, _limit(adds, path, lost, churn))
        repairs.append(Repair("due_month", place(goal, "by_month"), ceiling=users(most)))
    if down(got()) > 0:
        repairs.append(Repair("goal", place(goal), users(down(got()))))
    return tuple(repairs)


def _largest(fits, high: float) -> float:
    """Return the largest number from 0 to `high` that fits; smaller ones fit as well."""
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _ceiling_extra(path: Intake, lost: Loss, short) -> dict[str, float]:
    """Ceiling, monthly rate and users by each goal under each reading, and the intake that would hold each goal."""
    extra = {}
    for period in [lost.period] if lost.period else _READINGS:
        churn = lost.monthly(period)
        extra[f"monthly_rate_{period}"] = churn
        extra[f"ceiling_{period}"] = _limit(path.amount.value, path, lost, churn)
        for goal, base, _ in short:
            due = goal.statement.by_month
            extra[f"users_{period}_m{due}"] = _stock(base.value, path.amount.value, path, lost, churn, due)
            extra[f"intake_to_hold_{period}_m{due}"] = churn * goal.span[0]
    return _finite(extra)


def _active(view: View, plan: Plan) -> Iterator[Finding]:
    """The share of users who are active settles below its goal."""
    chain = _chain(view, plan)
    if chain is None:
        return
    closed, joined = chain.settles(0.0), chain.settles(chain.churn)
    settled = max(closed, joined)
    short = [goal for goal in _share_goals(view, plan) if settled < least(goal)]
    if not short:
        return
    goal = min(short, key=lambda g: g.span[0])
    wanted = goal.span[0]
    certain = chain.declared and _never_active(view, plan, chain, goal)
    figures = {
        "stay": ratio(chain.stay.value),
        "wake": ratio(chain.wake.value),
        "closed": ratio(closed),
        "joined": ratio(joined),
        "goal": ratio(wanted),
        "wake_closed": ratio(chain.wake_for(wanted, 0.0)),
        "wake_joined": ratio(chain.wake_for(wanted, chain.churn)),
    }
    others = [g for g in short if g is not goal]
    yield Finding(
        "R02",
        CONTRADICTION if certain else STRAIN,
        "rules_users.R02.active",
        figures,
        (goal.id, *ids(*others), chain.stay.id, chain.wake.id),
        tuple(s for s in dict.fromkeys([*sections(*short), chain.stay.source, chain.wake.source]) if s != "assumption"),
        (plan.id,),
        repairs=_active_repairs(chain, goal, settled),
        cost=1 - settled / wanted,
        extra=_active_extra(view, plan, chain, short),
    )


def _share_goals(view: View, plan: Plan) -> list[Said]:
    """Return the goals for the active share of a stock, lowest first."""
    metrics = [m.id for m in catalogue().values() if m.kind == "rate" and m.state == "active" and _of_stock(m)]
    return sorted((g for g in whole(view.goals(*metrics, plan=plan.id)) if floor(g) is not None), key=lambda g: g.value)


def _of_stock(m: Metric) -> bool:
    return m.from_state is None and m.denominator is not None and m.denominator in catalogue()


@dataclass(frozen=True, slots=True)
class _Chain:
    """Active and dormant users from month to month."""

    stay: Amount
    wake: Amount
    churn: float
    declared: bool

    def settles(self, churn: float) -> float:
        """Return the active share in the long run; with churn, active joiners replace those who leave."""
        leaving = 1 - self.stay.value + self.wake.value
        return (self.wake.value + churn) / leaving if leaving else 1.0

    def wake_for(self, share: float, churn: float) -> float:
        """Return the share woken a month under which the active share settles at `share`."""
        return (share * (1 - self.stay.value) - churn) / (1 - share) if share < 1 else math.inf


def _chain(view: View, plan: Plan) -> _Chain | None:
    stay = _transition(view, plan, "active", "active", plan.users.staying_active, "users.staying_active")
    wake = _transition(view, plan, "dormant", "active", plan.users.waking, "users.waking")
    stocks = [loss(view, plan, stock) for stock, _ in reservoirs() if stock.state == "listed"]
    churn = next((lost.monthly(lost.period or "month") for lost in stocks if lost is not None), 0.0)
    if stay[0].value + churn > 1 or wake[0].value + churn > 1:
        return None
    return _Chain(stay[0], wake[0], churn, stay[1] and wake[1])


def _transition(view: View, plan: Plan, before: str, after: str, quantity, path: str) -> tuple[Amount, bool]:
    """Return a monthly share that moves from one state to another, and whether its period is declared."""
    for m in catalogue().values():
        if m.kind == "rate" and (m.from_state, m.state) == (before, after) and m.window in (30, None):
            said = planned(view, plan.id, m.id, (GOAL,))
            if said is not None and m.population == "own_users":
                period = said.statement.period
                value, most = (a_month(x, period) if period else x for x in (said.value, min(said.span[1], 1.0)))
                return Amount(value, most, place(said), said.id, said.statement.source), period is not None
    spans = quantity.span or (quantity.central, quantity.central)
    value, most = quantity.central, spans[1]
    return Amount(value, most, f"{path}.value", quantity.id or path, quantity.source), quantity.period is not None


def _never_active(view: View, plan: Plan, chain: _Chain, goal: Said) -> bool:
    """Whether a dated goal is missed even where staying and waking are as good as their wording allows."""
    stocks = [(stock, intake(view, plan, flow)) for stock, flow in reservoirs() if stock.state == "listed"]
    if goal.statement.by_month is None or not stocks or stocks[0][1] is None:
        return False
    stock, path = stocks[0]
    base = opening(view, plan, stock, goal)
    start = plan.baseline.opening_active_share
    active = base.value * (start.span[1] if start.span else start.central)
    total, share = base.value, 1.0
    for t in range(goal.statement.by_month):
        joined = path.amount.value * float(path.shape[t])
        active = min(chain.stay.most, 1 - chain.churn) * active + chain.wake.most * (total - active) + joined
        total = total * (1 - chain.churn) + joined
        share = active / total if total else 1.0
    return share < least(goal)


def _active_repairs(chain: _Chain, goal: Said, settled: float) -> tuple[Repair, ...]:
    wanted, repairs = goal.span[0], []
    wake = up(chain.wake_for(wanted, chain.churn))
    if wake <= 1 - chain.churn:
        repairs.append(Repair("waking", chain.wake.path, ratio(wake)))
    else:
        limit = (1.0) / (2 - chain.stay.value - chain.churn)
        repairs.append(Repair("waking", chain.wake.path, ceiling=ratio(limit)))
    stay = up(1 + chain.wake.value - (chain.wake.value + chain.churn) / wanted)
    if stay <= 1 - chain.churn:
        repairs.append(Repair("staying_active", chain.stay.path, ratio(stay)))
    repairs.append(Repair("goal", place(goal), ratio(down(settled))))
    return tuple(repairs)


def _active_extra(view, plan, chain: _Chain, short) -> dict[str, float]:
    extra = {"if_only_churn_sleeps": chain.wake.value / (chain.wake.value + chain.churn) if chain.churn else 1.0}
    for goal in short:
        name = f"{goal.span[0]:.0%}"
        extra[f"wake_closed_for_{name}"] = chain.wake_for(goal.span[0], 0.0)
        extra[f"wake_joined_for_{name}"] = chain.wake_for(goal.span[0], chain.churn)
    for stock, flow in reservoirs():
        path = intake(view, plan, flow) if stock.state == "listed" else None
        if path is not None and chain.churn:
            extra["users_settled"] = path.amount.value / chain.churn
            extra["active_settled"] = chain.settles(chain.churn) * extra["users_settled"]
    return _finite(extra)


def _woken_once(view: View, plan: Plan) -> Iterator[Finding]:
    """Waking a share of the dormant once does not lift the active share to its goal."""
    wake = _stated_wake(view, plan)
    if wake is None:
        return
    bases = _starts(view, plan)
    for goal in _share_goals(view, plan):
        wanted = goal.span[0]
        short = [start for start in bases if _woken(start[0], wake.value) < least(goal)]
        if not short:
            continue
        base, source, said = max(short, key=lambda start: start[0])
        reached = _woken(base, wake.value)
        need = (wanted - base) / (1 - base)
        extra = {}
        for start, *_ in bases:
            extra[f"reached_from_{start:.0%}"] = _woken(start, wake.value)
            extra[f"wake_needed_from_{start:.0%}"] = (wanted - start) / (1 - start)
        figures = {"base": ratio(base), "wake": ratio(wake.value), "reached": ratio(reached), "goal": ratio(wanted)}
        figures["need"] = ratio(need)
        sure = up(need)
        yield Finding(
            "R02",
            STRAIN,
            "rules_users.R02.woken",
            figures,
            (goal.id, wake.id, said),
            tuple(dict.fromkeys([*sections(goal, wake), source])),
            (plan.id,),
            repairs=(Repair("waking", place(wake), ratio(sure)), Repair("goal", place(goal), ratio(down(reached)))),
            cost=1 - reached / wanted,
            extra=extra,
        )


def _woken(base: float, wake: float) -> float:
    return base + wake * (1 - base)


def _stated_wake(view: View, plan: Plan) -> Said | None:
    found = [m.id for m in catalogue().values() if (m.from_state, m.state, m.kind) == ("dormant", "active", "rate")]
    return planned(view, plan.id, found[0], (GOAL,)) if found else None


def _starts(view: View, plan: Plan) -> list[tuple[float, str, str]]:
    """Return (share active, section, id) of each level that a plan says it starts from, the dormant turned round."""
    found = {}
    for said in whole(view.of(kinds=(BASELINE,), plan=plan.id)):
        m = said.metric
        if said.unit == "ratio" and _of_stock(m) and m.state in ("active", "dormant") and math.isfinite(said.value):
            share = said.value if m.state == "active" else 1 - said.value
            if share < 1:
                found.setdefault(round(share, 6), (share, said.statement.source, said.id))
    return list(found.values())


RULES = {"R01": stock_reach, "R02": steady_state, "R12": window_maturity}
