"""R07: whether the people listed can carry what the plan asks of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planlib.consistency.finding import CONTRADICTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.made import Place, bilingual, made
from planlib.consistency.rules.stated import (
    down,
    floor,
    month,
    number,
    people,
    place,
    planned,
    ratio,
    up,
    users,
    whole,
)
from planlib.consistency.view import CASE, GOAL, LIMIT, OTHER, Said, View
from planlib.plan import Plan

_HOURS, _MINUTES_A_DAY, _DAYS_A_MONTH, _WORKDAYS_A_WEEK = 168.0, 1440, 30, 5
_SEAT_PART = 0.25  # of a function: one seat that takes more is a strain
_IN_HOURS = {"minutes": 1 / 60, "hours": 1.0, "seconds": 1 / 3600}
_EXAMPLE = {"report_interval": 2.0, "review_interval": 3.0}  # working days of one run, shown where none are stated
_EXAMPLE_DAYS_A_YEAR = 220.0
_DAYS_A_YEAR, _MONTHS_A_YEAR = 365, 12


@dataclass(frozen=True, slots=True)
class _Crew:
    """The people of one function, or of several: lowest and highest number listed."""

    low: float
    high: float
    places: tuple[Place, ...]
    name: dict[str, object]


def capacity(view: View) -> Iterator[Finding]:
    """R07: work asked for against the people who are to do it.

    Test: users / users per operator <= people; hours of a seat / weekly hours <= a quarter of a function; enquiries
    x handling time <= people x hours; communities, complaints, a peak of joiners and regular reports per person of
    the function that answers for them.
    Level: contradiction when the statement says what a load counts and every head of the team together is too few;
    strain when its base is open or an input is a case or an assumption.
    Trap: a load may count all users or active ones only, both are shown; "at least" people can be more.
    """
    for plan in view.plans:
        crew = _crew(plan)
        if crew is not None:
            yield from _users(view, plan, crew)
            yield from _seat(view, plan, crew)
        operators = _operators(view, plan)
        if operators is not None:
            yield from _enquiries(view, plan, operators)
            yield from _communities(view, plan, operators)
            yield from _peak(view, plan, operators)
        yield from _complaints(view, plan)
        yield from _reports(view, plan)


def _crew(plan: Plan, *names: str) -> _Crew | None:
    """Return the people of some roles or departments, of all roles where none is named; None where none is listed."""
    rows = [
        (name, role)
        for name, role in plan.team.roles.items()
        if role.people is not None and (not names or name in names or role.department in names)
    ]
    if not rows:
        return None
    ends = [r.people if isinstance(r.people, tuple) else (r.people, r.people) for _, r in rows]
    places = tuple(Place(r.id or f"team.roles.{name}", r.source, plan.id) for name, r in rows)
    return _Crew(sum(e[0] for e in ends), sum(e[1] for e in ends), places, bilingual(rows[0][1].name))


def _operators(view: View, plan: Plan) -> _Crew | None:
    """Return the people whose load is stated in users: those whom the statement names as its owner."""
    owners = [s.statement.owner for s in _loads(view, plan) if s.statement.owner]
    return _crew(plan, *owners) if owners else None


def _loads(view: View, plan: Plan) -> list[Said]:
    """Return what is said of users per operator, goals first."""
    found = whole(view.of("users_per_operator", kinds=(GOAL, OTHER), plan=plan.id))
    return [s for s in found if s.statement.scope is None]


def _stocks(view: View, plan: Plan, metric_id: str = "private_domain_users") -> list[Said]:
    """Return the dated goals for a stock, one of each level, lowest first."""
    goals = [s for s in whole(view.goals(metric_id, plan=plan.id)) if floor(s) and s.statement.by_month]
    by_level = {s.span[0]: s for s in sorted(goals, key=lambda s: -s.statement.by_month)}
    return [by_level[level] for level in sorted(by_level)]


def _active_shares(view: View, plan: Plan) -> list[Said]:
    goals = [s for s in whole(view.goals("mau_rate", "active_share", plan=plan.id)) if floor(s)]
    return sorted(goals, key=lambda s: s.value)


# ---- users per operator ----------------------------------------------------------------------------------------------
def _users(view: View, plan: Plan, crew: _Crew) -> Iterator[Finding]:
    loads, stocks, shares = _loads(view, plan), _stocks(view, plan), _active_shares(view, plan)
    if not loads or not stocks or not loads[0].value:
        return
    load = loads[0]
    counts = next((s.statement.counts for s in loads if s.statement.counts), None)
    size = next((s for s in view.of("team_size", plan=plan.id) if s.statement.scope is None), None)
    heads = max(crew.high, size.value if size else 0.0)
    per_head = load.span[1] if math.isfinite(load.span[1]) else math.inf
    basis = shares[0].value if counts == "active_users" and shares else 1.0
    operators = _operators(view, plan) or crew
    short = [s for s in stocks if s.span[0] * basis / load.value > operators.high]
    if not short:
        return
    goal = short[0]
    need = goal.span[0] * basis / load.value
    counted = counts is not None and (size is not None or plan.team.exhaustive)
    certain = counted and (goal.span[0] - goal.tolerance) * basis / per_head > heads
    figures = {
        "goal": users(goal.span[0] * basis),
        "due": month(goal.statement.by_month),
        "load": Figure(load.value, load.unit),
        "need": people(need),
        "low": people(operators.low),
        "high": people(operators.high),
        "heads": people(heads),
    }
    unknown = counts is None and bool(shares)
    if unknown:
        figures |= {"share": ratio(shares[0].value), "need_active": people(need * shares[0].value)}
    yield made(
        "R07",
        CONTRADICTION if certain else STRAIN,
        "rules_capacity.R07.users_or_active" if unknown else "rules_capacity.R07.users",
        [goal, load, *([size] if size else []), *crew.places, *(shares if unknown else [])],
        figures,
        repairs=_user_repairs(goal, load, size, need, heads, basis),
        cost=1 - heads / need,
        extra=_user_extra(stocks, shares, load, loads, crew, operators, size),
    )


def _user_repairs(goal: Said, load: Said, size: Said | None, need: float, heads: float, basis: float):
    repairs = [Repair("operators", place(size) if size else "team.roles", people(math.ceil(need - 1e-9)))]
    repairs.append(Repair("load", place(load), Figure(up(goal.span[0] * basis / heads), load.unit)))
    repairs.append(Repair("counts", place(load, "counts")))
    repairs.append(Repair("goal", place(goal), users(down(load.value * heads / basis))))
    return repairs


def _user_extra(
    stocks, shares, load: Said, loads, crew: _Crew, operators: _Crew, size: Said | None
) -> dict[str, float]:
    """Every stock on both bases, what the people can hold, and what each would carry."""
    extra = {}
    before = next((s.statement.from_value for s in loads if s.statement.from_value), None)
    for goal in stocks:
        total, due = goal.span[0], goal.statement.by_month
        extra[f"need_m{due}"] = total / load.value
        if before:
            extra[f"need_at_start_load_m{due}"] = total / before
        for k, share in enumerate(shares, start=1):
            extra[f"need_active_{k}_m{due}"] = total * share.value / load.value
            if size:
                extra[f"need_active_{k}_m{due}_to_team"] = total * share.value / load.value / size.value
    for name, held in (("operators", operators), ("listed", crew)):
        extra |= {f"{name}_hold_least": held.low * load.value, f"{name}_hold_most": held.high * load.value}
    first = stocks[0].span[0]
    if operators.low and operators.high:
        extra |= {"load_most": first / operators.low, "load_least": first / operators.high}
    if size:
        extra |= {"team_holds": size.value * load.value, "users_per_head": first / size.value}
    return extra


# ---- a seat held day and night ---------------------------------------------------------------------------------------
def _seat(view: View, plan: Plan, crew: _Crew) -> Iterator[Finding]:
    week = planned(view, plan.id, "working_hours")
    if week is None:
        return
    clocks = [
        s
        for s in view.of(plan=plan.id, kinds=(LIMIT,), level=False)
        if s.metric.family == "incident_clock" and s.span[1] * _IN_HOURS.get(s.unit, math.inf) < 1
    ]
    for said in view.of(plan=plan.id):
        m = said.metric
        if m.unit != "hours_per_week" or m.kind != "duration" or m.id == week.metric.id:
            continue
        seat = said.value / week.value
        functions = [f for name in plan.team.roles if (f := _crew(plan, name)) is not None]
        largest = max(functions, key=lambda f: f.high)
        if seat <= _SEAT_PART * largest.high + 1e-9:
            continue
        owner = _crew(plan, said.statement.owner) if said.statement.owner else None
        certain = owner is not None and week.statement.source != "assumption" and owner.high < seat
        extra = {f"part_of_{p.id}": seat / f.high for f in functions for p in f.places}
        figures = {
            "hours": Figure(said.value, "hours_per_week"),
            "week": Figure(week.value, "hours_per_week"),
            "need": number(seat),
            "low": people(largest.low),
            "high": people(largest.high),
        }
        if clocks:
            figures |= {"clock": Figure(clocks[0].span[1], clocks[0].unit), "both": number(seat + _HOURS / week.value)}
        covered = Figure(down(_SEAT_PART * largest.high * week.value), "hours_per_week")
        yield made(
            "R07",
            CONTRADICTION if certain else STRAIN,
            "rules_capacity.R07.seat_and_clock" if clocks else "rules_capacity.R07.seat",
            [said, week, *largest.places, *clocks],
            figures,
            names={"metric": {"metric": m.id}, "function": largest.name},
            repairs=(
                Repair("hours_covered", place(said), covered),
                Repair("people_of_function", "team.roles", people(math.ceil(seat / _SEAT_PART - 1e-9))),
                Repair("automation", ""),
            ),
            extra=extra,
        )


# ---- enquiries -------------------------------------------------------------------------------------------------------
def _enquiries(view: View, plan: Plan, crew: _Crew) -> Iterator[Finding]:
    rate, handling = planned(view, plan.id, "enquiry_rate"), planned(view, plan.id, "handling_time")
    week, stocks = planned(view, plan.id, "working_hours"), _stocks(view, plan)
    answer = planned(view, plan.id, "response_time", (LIMIT, GOAL))
    if None in (rate, handling, week, answer) or not stocks or rate.statement.period != "day":
        return
    goal, a_day = stocks[0], week.value / _WORKDAYS_A_WEEK
    asked, clears = rate.value * goal.span[0], a_day * 3600 / handling.value
    if asked <= crew.high * clears:
        return
    bot = planned(view, plan.id, "bot_share")
    least_bot, most_bot = 1 - crew.high * clears / asked, 1 - crew.low * clears / asked
    if bot is not None and bot.value + bot.tolerance >= least_bot:
        return
    cases = [c for c in view.of("daily_queries_handled", kinds=(CASE,))]
    inputs = [rate, handling, week]
    certain = bot is not None and all(s.statement.source != "assumption" for s in inputs)
    yield made(
        "R07",
        CONTRADICTION if certain else STRAIN,
        "rules_capacity.R07.enquiries",
        [answer, goal, *crew.places, *inputs, *([bot] if bot else []), *cases],
        {
            "asked": number(asked),
            "answer": Figure(answer.span[1], answer.unit),
            "clears": number(clears),
            "low": people(crew.low),
            "high": people(crew.high),
            "least": ratio(least_bot),
            "most": ratio(most_bot),
        },
        names={"function": crew.name},
        repairs=(
            Repair("bot_share", place(bot) if bot else "", ratio(up(least_bot))),
            Repair("people_of_function", "team.roles", people(math.ceil(asked / clears - 1e-9))),
            Repair("enquiry_rate", place(rate), ratio(down(crew.high * clears / goal.span[0]))),
        ),
        cost=least_bot,
        extra={
            "cleared_by_all": crew.high * clears,
            "case_bot_a_day": max((c.span[0] for c in cases), default=math.nan),
        },
    )


# ---- communities -----------------------------------------------------------------------------------------------------
def _communities(view: View, plan: Plan, crew: _Crew) -> Iterator[Finding]:
    groups, stocks = planned(view, plan.id, "communities", (GOAL,)), _stocks(view, plan)
    if groups is None or not groups.value or not crew.low:
        return
    every = planned(view, plan.id, "event_interval")
    week, limit = planned(view, plan.id, "working_hours"), planned(view, plan.id, "users_per_community", (LIMIT,))
    least_each, most_each = groups.value / crew.high, groups.value / crew.low
    events = 7 / every.value if every is not None and every.unit == "days" and every.value else 0.0
    crowded = week is not None and least_each * events > week.value
    full = limit is not None and bool(stocks) and groups.value * limit.span[1] < stocks[0].span[0]
    if not (crowded or full):
        return
    extra = {"events_least": least_each * events, "events_most": most_each * events}
    figures = {"groups": number(groups.value), "least": number(least_each), "most": number(most_each)}
    figures |= {"low": people(crew.low), "high": people(crew.high)}
    if stocks:
        extra["members_if_all_join"] = stocks[0].span[0] / groups.value
    if full:
        held = groups.value * limit.span[1]
        figures |= {"limit": users(limit.span[1]), "held": users(held), "goal": users(stocks[0].span[0])}
    repairs = []
    if crowded:
        heads = math.ceil(groups.value * events / week.value)
        repairs.append(Repair("people_of_function", "team.roles", people(heads)))
    if full:
        wanted_groups = math.ceil(stocks[0].span[0] / limit.span[1])
        repairs.append(Repair("communities", place(groups), number(wanted_groups)))
    chain = "communities_full" if full and not crowded else "communities_both" if full else "communities"
    wanted = set(_COMMUNITY_FIGURES[chain])
    yield made(
        "R07",
        STRAIN,
        f"rules_capacity.R07.{chain}",
        [groups, *crew.places, *(s for s in (every, limit if full else None) if s), *(stocks[:1] if stocks else [])],
        {name: figure for name, figure in figures.items() if name in wanted},
        names={"function": crew.name} if chain != "communities_full" else {},
        repairs=repairs,
        cost=1 - figures["held"].value / figures["goal"].value if full else 1 - week.value / (least_each * events),
        extra=extra,
    )


_COMMUNITY_FIGURES = {
    "communities": ("groups", "least", "most", "low", "high"),
    "communities_full": ("groups", "limit", "held", "goal"),
    "communities_both": ("groups", "least", "most", "low", "high", "limit", "held", "goal"),
}


# ---- a peak of joiners -----------------------------------------------------------------------------------------------
def _peak(view: View, plan: Plan, crew: _Crew) -> Iterator[Finding]:
    """The joiners of a case's best day against the welcome that each is promised."""
    welcome = planned(view, plan.id, "welcome_latency", (LIMIT, GOAL))
    usual = planned(view, plan.id, "new_users_monthly", (GOAL,))
    handling = planned(view, plan.id, "handling_time")
    if welcome is None or not welcome.span[1] or not crew.low:
        return
    for peak in view.of("new_users_daily", kinds=(CASE,)):
        inside = peak.span[0] / _MINUTES_A_DAY * welcome.span[1]
        manages = crew.high * welcome.span[1] * 60 / handling.value if handling else crew.high
        if inside <= manages:
            continue
        extra = {
            "joins_in_window": inside,
            "months_of_intake": peak.span[0] / (usual.value or math.nan) if usual else math.nan,
        }
        yield made(
            "R07",
            STRAIN,
            "rules_capacity.R07.peak",
            [welcome, peak, *crew.places, *([usual] if usual else [])],
            {
                "peak": users(peak.span[0]),
                "a_minute": number(peak.span[0] / _MINUTES_A_DAY),
                "window": Figure(welcome.span[1], welcome.unit),
                "low": people(crew.low),
                "high": people(crew.high),
                "least": number(inside / crew.high),
                "most": number(inside / crew.low),
            },
            names={"function": crew.name},
            repairs=(Repair("automation", ""), Repair("peak", "", users(down(manages / inside * peak.span[0])))),
            extra=extra,
        )


# ---- complaints that start a legal clock -----------------------------------------------------------------------------
def _complaints(view: View, plan: Plan) -> Iterator[Finding]:
    """Complaints that the cap still permits against the people of the function that has to take each one up."""
    rate = planned(view, plan.id, "complaint_rate", (GOAL, LIMIT))
    stocks, shares = _stocks(view, plan), _active_shares(view, plan)
    start = planned(view, plan.id, "compliance_start_time", (LIMIT, GOAL))
    duties = [s for s in view.of("team_role", plan=plan.id, level=False) if s.statement.owner]
    duty = next((s for s in duties if start and s.statement.scope == start.statement.scope), None)
    if rate is None or start is None or duty is None or not stocks:
        return
    crew = _crew(plan, duty.statement.owner)
    share = shares[0].value if shares else 1.0
    base = stocks[0].span[0] * share
    a_month = rate.span[1] * base
    a_day = a_month / _DAYS_A_MONTH
    heads = crew.high if crew else 0.0
    week = planned(view, plan.id, "working_hours")
    hours = week.value / _WORKDAYS_A_WEEK if week else 8.0
    if a_day * start.span[1] * _IN_HOURS.get(start.unit, 1.0) <= heads * hours:
        return
    owner = next(d for d in plan.team.departments if d.id == duty.statement.owner)
    yield made(
        "R07",
        STRAIN,
        "rules_capacity.R07.cases" if crew else "rules_capacity.R07.cases_nobody",
        [rate, start, duty, stocks[0], *shares[:1]],
        {
            "rate": ratio(rate.span[1]),
            "base": users(base),
            "a_month": number(a_month),
            "a_day": number(a_day),
            "clock": Figure(start.span[1], start.unit),
        }
        | ({"heads": people(heads)} if crew else {}),
        names={"metric": {"metric": rate.metric.id}, "function": bilingual(owner.name)},
        repairs=(
            Repair("severity", ""),
            Repair("people_of_function", "team.roles"),
            Repair("denominator", place(rate, "denominator")),
        ),
        extra={"a_month_of_all_users": rate.span[1] * stocks[0].span[0]},
    )


# ---- regular reports -------------------------------------------------------------------------------------------------
def _reports(view: View, plan: Plan) -> Iterator[Finding]:
    """Regular reports of one function, at example days each, against its fewest people."""
    by_owner: dict[str, list[Said]] = {}
    for said in view.of(*_EXAMPLE, plan=plan.id, kinds=(OTHER,)):
        if said.statement.owner and said.unit in ("days", "months") and said.value:
            by_owner.setdefault(said.statement.owner, []).append(said)
    for owner, intervals in by_owner.items():
        crew = _crew(plan, owner)
        runs = [(s, _MONTHS_A_YEAR / s.value if s.unit == "months" else _DAYS_A_YEAR // s.value) for s in intervals]
        days = sum(n * _EXAMPLE[s.metric.id] for s, n in runs)
        if crew is None or days <= crew.low * _EXAMPLE_DAYS_A_YEAR / 2:
            continue
        models = [s for s in view.of("predictive_models", plan=plan.id)]
        low, high = (heads * _EXAMPLE_DAYS_A_YEAR for heads in (crew.low, crew.high))
        yield made(
            "R07",
            STRAIN,
            "rules_capacity.R07.reports",
            [*intervals, *crew.places, *models],
            {
                "runs": number(sum(n for _, n in runs)),
                "days": number(days),
                "low": people(crew.low),
                "high": people(crew.high),
                "left_low": number(max(low - days, 0)),
                "left_high": number(max(high - days, 0)),
                "report": number(_EXAMPLE["report_interval"]),
                "review": number(_EXAMPLE["review_interval"]),
                "year": number(_EXAMPLE_DAYS_A_YEAR),
            },
            names={"function": crew.name},
            repairs=(
                Repair("days_a_report", ""),
                Repair("people_of_function", "team.roles", people(math.ceil(2 * days / _EXAMPLE_DAYS_A_YEAR))),
            ),
            extra={"break_even_days_a_run": low / sum(n for _, n in runs)},
        )
