"""Plan against actual: the plan and the tidy tables meet the room that reviews them.

Every function takes a plan or rows of the tables and returns the arguments or the results of `planlib.review`.
Notebook 80 and the scheduled reviews stand on this module.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.core.metrics import catalogue
from planlib.data.baseline import Collected, Windows, by_day, community_weeks, period
from planlib.funnel.model import Drivers, run
from planlib.milestones.workdays import WorkCalendar
from planlib.plan import inputs, uncertain
from planlib.review import actions, alarms, compliance, pace, risks, scorecard, service, variance
from planlib.review import trust as trusting

if TYPE_CHECKING:
    from planlib.data.engine import Engine
    from planlib.plan import Plan
    from planlib.plan.model import Risk

FALSE_ALARMS_A_YEAR = 1.0  # over all series that are watched together
DIMENSIONS = ("channel_id", "segment", "region_id", "store_id")
FIGURES = ("private_domain_users", "active_users", "gmv", "total_budget")  # what a risk can hurt
_STEPS = {
    "incident_diagnosis_time": ("technical", "diagnose"),
    "incident_restore_time": ("technical", "restore"),
    "incident_report_time": ("technical", "report"),
    "compliance_start_time": ("compliance", "start"),
    "compliance_report_time": ("compliance", "report"),
    "compliance_remediation_time": ("compliance", "remedy"),
}
_LENGTHS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


# ---- where in the plan a day is


def months_gone(plan: Plan, day: dt.date) -> float:
    """Return how many of the plan's months are over at the end of a day; 0 before it begins."""
    year, month = (int(part) for part in plan.start.split("-"))
    begin = dt.date(day.year, day.month, 1)
    end = (begin + dt.timedelta(days=32)).replace(day=1)
    whole = (day.year - year) * 12 + day.month - month
    return max(whole + (day - begin).days / (end - begin).days + 1 / (end - begin).days, 0.0)


def known_until(engine: Engine, as_of: dt.date | None) -> dt.date | None:
    """Return the last day that a review can speak of: the as-of day, or the newest of the data where that is earlier.

    Days after the newest are not known; taken for days on which nothing happened they would raise alarms.

    Args:
        as_of: the day asked for; None for the newest.
    """
    days = period(engine)
    return None if days is None else days[1] if as_of is None else min(as_of, days[1])


# ---- scorecard


def score_lines(
    plan: Plan, levels: Mapping[str, Any], month: float, forecasts: Mapping[str, float] | None = None
) -> list[tuple[scorecard.Line, dict[str, Any]]]:
    """Return a line for each metric with a goal that can be held against a level, and the goal that it is held against.

    A dated goal asks for what its monthly ladder asks for by now; one without a date holds from the first day on.

    Args:
        levels: metric -> measured level (`planlib.baseline.levels.Level`).
        month: months of the plan that are over.
        forecasts: metric -> level at the plan's end.
    """
    climbs = planned_months(plan)
    found: dict[str, tuple[scorecard.Line, dict[str, Any]]] = {}
    for goal in inputs.goals(plan):
        name, metric = goal["metric"], catalogue()[goal["metric"]]
        if name in found or metric.direction not in ("up", "down") or goal["unit"] != metric.unit or goal["scope"]:
            continue
        level, ladder = levels.get(name), climbs.get(name)
        if ladder:
            due = scorecard.due_level(ladder, month)
        else:
            due = goal["goal"] if goal["due_month"] is None or month >= goal["due_month"] else None
        value = None if level is None else level.value
        reason = "not_in_tables" if level is None else level.reason or ("" if value is not None else "no_rows")
        line = scorecard.Line(
            metric=name, direction=metric.direction, plan=due, actual=value,
            low=None if value is None else level.low, high=None if value is None else level.high,
            forecast=(forecasts or {}).get(name), reason=reason, absolute=metric.unit in ("ratio", "probability"),
        )  # fmt: skip
        found[name] = (line, goal)
    return list(found.values())


def planned_months(plan: Plan) -> dict[str, dict[int, float]]:
    """Return metric -> plan month -> level of its ladder, month 0 being the opening; of amounts what a month brings."""
    from planlib.funnel.ladder import flow_ladder, ladder
    from planlib.plan.ladders import ladders

    found: dict[str, dict[int, float]] = {}
    for row in ladders(plan, ladder, flow_ladder):
        if row.rungs and row.metric not in found and not row.scope and row.unit == catalogue()[row.metric].unit:
            start = {} if row.opening is None or row.adds_up else {0: float(row.opening)}
            found[row.metric] = start | {rung.month: float(rung.value) for rung in row.rungs}
    return found


def forecasts(plan: Plan) -> dict[str, float]:
    """Return metric -> level at the plan's end: of the forecast, else as the plan states it."""
    typed = {metric: rate for rate, metric in inputs.lifecycle_rates(plan).values()}
    typed |= inputs.retention_levels(inputs.retention_points(plan))
    typed |= {"new_users_monthly": float(inputs.intake_matrix(plan)[-1].sum())}
    return typed | {name: float(path[-1]) for name, path in forecast_months(plan).items()}


def courses(plan: Plan, found: Collected, monthly: Mapping[str, Sequence[tuple[dt.date, float]]]) -> dict[str, list]:
    """Return metric -> (month of the plan, level) of what was, users at month ends beside the baseline's months."""
    joined, left = np.asarray(found.parts["leaving"]["joined_on"], dtype="M8[D]"), found.parts["leaving"]["left_on"]
    people = np.asarray(found.parts["leaving"]["people"])
    gone = np.ma.filled(np.ma.asarray(left).astype("M8[D]"), np.datetime64("9999-12-31"))
    ends = [
        (first, float(people[(joined <= np.datetime64(last)) & (gone > np.datetime64(last))].sum()))
        for first, last in whole_months(found.windows)
    ]
    return {name: in_plan_months(plan, points) for name, points in {**monthly, "private_domain_users": ends}.items()}


def planned_courses(plan: Plan, lines: Sequence[tuple[scorecard.Line, Mapping[str, Any]]]) -> dict[str, list]:
    """Return metric -> (month, level) of what is planned: its ladder, else its goal from the first day on."""
    climbs = planned_months(plan)
    return {
        line.metric: sorted(climbs[line.metric].items())
        if line.metric in climbs
        else [(1.0, goal["goal"]), (float(plan.months), goal["goal"])]
        for line, goal in lines
        if line.metric in climbs or goal["due_month"] is None
    }


def in_plan_months(plan: Plan, points: Sequence[tuple[dt.date, float]]) -> list[tuple[float, float]]:
    """Return (month of the plan, level) of levels by calendar month; months before the plan are 0 and below."""
    year, month = (int(part) for part in plan.start.split("-"))
    return [((at.year - year) * 12 + at.month - month + 1.0, level) for at, level in points]


def forecast_months(plan: Plan) -> dict[str, np.ndarray]:
    """Return metric -> (months,) of the plan's own forecast, every figure at its middle."""
    return {name: np.asarray(path)[0] for name, path in run(Drivers(**uncertain.arguments(plan))).metrics.items()}


# ---- why GMV moved


@dataclass(frozen=True, slots=True)
class Sold:
    """Sales of a month.

    Attributes:
        first, last: days.
        counts: of all contacts.
        by: dimension -> group -> counts.
        others_fen: paid by buyers who are no contacts.
    """

    first: dt.date
    last: dt.date
    counts: variance.Counts
    by: Mapping[str, Mapping[str, variance.Counts]]
    others_fen: int


def sold_in(engine: Engine, first: dt.date, last: dt.date) -> Sold:
    """Return what the sales of some days are made of.

    The tables `people`, `sold` and `acted` of the engine stand at the last day afterwards.
    """
    until = dt.datetime.combine(last + dt.timedelta(days=1), dt.time())
    given = {"until": until, "opening": dt.datetime.combine(first, dt.time())}
    for name in ("people", "sold", "acted"):
        engine.keep(name, given)
    rows = engine.query("gmv_parts", given).rows()
    paid = engine.query("sales_daily", {"since": given["opening"]}).rows()
    whole = _counts(rows)
    by = {name: {group: _counts(part) for group, part in _grouped(rows, name).items()} for name in DIMENSIONS}
    return Sold(first, last, whole, by, sum(int(row["fen"]) for row in paid) - whole.fen)


def _counts(rows: Sequence[Mapping[str, Any]]) -> variance.Counts:
    sums = [sum(int(row[name]) for row in rows) for name in ("users", "active", "buyers", "orders", "fen")]
    return variance.Counts(*sums)


def _grouped(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def planned_sales(plan: Plan, month: int) -> variance.Counts:
    """Return what the plan's forecast expects of a month."""
    path = forecast_months(plan)
    steps = [float(path[name][month - 1]) for name in ("private_domain_users", "active_users", "buyers", "orders")]
    return variance.Counts(*steps, round(float(path["gmv"][month - 1]) * 100))


def whole_months(windows: Windows) -> list[tuple[dt.date, dt.date]]:
    """Return first and last day of the calendar months that the data hold whole, oldest first."""
    found, last = [], windows.until.replace(day=1) - dt.timedelta(days=1)
    while last.replace(day=1) >= windows.first:
        found.append((last.replace(day=1), last))
        last = last.replace(day=1) - dt.timedelta(days=1)
    return found[::-1]


# ---- the month's pace


@dataclass(frozen=True, slots=True)
class MonthPace:
    """A month to date, by day.

    Attributes:
        metric: gmv or new_users_monthly.
        days: (D,) of the month; targets: (D,) whole amounts due each day, in fen of GMV; None without a target.
        actual: (d,) days that are over.
        found: the pace; its target is 0 where the plan has none for this month.
    """

    metric: str
    days: np.ndarray
    targets: np.ndarray | None
    actual: np.ndarray
    found: pace.Pace


def month_pace(plan: Plan, metric: str, counts: Sequence[int], windows: Windows) -> MonthPace:
    """Return the pace of the as-of day's month.

    Args:
        metric: gmv (counts in fen) or new_users_monthly.
        counts: one a day of the windows.
    """
    begin = windows.as_of.replace(day=1)
    end = (begin + dt.timedelta(days=32)).replace(day=1)
    days = np.arange(begin, end, dtype="M8[D]")
    every = np.arange(windows.first, windows.until, dtype="M8[D]")
    values = np.asarray(counts, dtype=float)
    before = every < days[0]
    swing = pace.Pattern((1.0,) * 7, 1.0, 1.0, 1.0, 0)
    if before.sum() >= 14:
        sale = promoted(plan, every[before]).any(axis=1)
        swing = pace.pattern(every[before], values[before], off=holidays(every[before]), promoted=sale)
    weight = pace.weights(days, swing, off=holidays(days), promotions=promotions(plan, swing, days))
    month = (begin.year - int(plan.start[:4])) * 12 + begin.month - int(plan.start[5:]) + 1
    goal = _month_target(plan, metric, month)
    actual = values[~before]
    usual = float(values[before][-28:].mean()) if before.any() else 0.0
    found = pace.month_pace(actual, weight, target=goal or 0.0, dispersion=swing.dispersion, before=usual)
    targets = pace.daily_targets(round(goal), weight) if goal else None
    return MonthPace(metric, days, targets, actual, found)


def _month_target(plan: Plan, metric: str, month: int) -> float | None:
    """Return what the plan wants of a month: its ladder or goal, of GMV its forecast in fen; None outside the plan."""
    if not 1 <= month <= plan.months:
        return None
    if metric == "gmv":
        return float(forecast_months(plan)["gmv"][month - 1]) * 100
    unit = catalogue()[metric].unit
    goal = next((g["goal"] for g in inputs.goals(plan) if (g["metric"], g["unit"]) == (metric, unit)), None)
    return planned_months(plan).get(metric, {}).get(month, goal)


def holidays(days: np.ndarray) -> np.ndarray:
    """Return (D,) whether a day from Monday to Friday is a public holiday."""
    first, last = days[0].astype(object), days[-1].astype(object)
    return ~WorkCalendar().mask(first, last) & (pace.weekdays(days) < 5)


def promotions(plan: Plan, swing: pace.Pattern, days: np.ndarray) -> list[pace.Promotion]:
    """Return the plan's promotions that touch the days; one without a factor weighs what the data say."""
    found = []
    for year in range(days[0].astype(object).year, days[-1].astype(object).year + 1):
        for row in plan.review.promotions:
            first, last = (np.datetime64(f"{year}-{at}") for at in (row.first, row.last))
            if first <= days[-1] and last >= days[0]:
                factor = row.factor.central if row.factor else swing.promotion
                found.append(pace.Promotion(first, last, max(factor, 1e-9)))
    return found


def promoted(plan: Plan, days: np.ndarray) -> np.ndarray:
    """Return (D, K) whether each promotion of the plan is on; the same one of every year is one column."""
    marks = np.zeros((len(days), len(plan.review.promotions)), dtype=bool)
    for year in range(days[0].astype(object).year, days[-1].astype(object).year + 1):
        for place, row in enumerate(plan.review.promotions):
            first, last = (np.datetime64(f"{year}-{at}") for at in (row.first, row.last))
            marks[:, place] |= (days >= first) & (days <= last)
    return marks


# ---- alarms


@dataclass(frozen=True, slots=True)
class Watched:
    """A series under watch: id, what it is of ("" for the whole), how often, first day, and the chart."""

    series: str
    of: str
    every_days: int
    first: dt.date
    watch: alarms.Watch

    def day(self, place: int) -> dt.date:
        """Return the last day of a point."""
        return self.first + dt.timedelta(days=self.every_days * (place + 1) - 1)


def daily_series(
    found: Collected, acting: Sequence[Mapping[str, Any]], followers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, np.ndarray]:
    """Return series -> (days,) on a scale on which they vary alike; those without any count are left out.

    Reads are taken as many as the followers of the first day would have made, so that an account that grows raises no
    alarm by growing. A day that the platform's statistics lack is NaN, not a day without visitors.

    Args:
        found: sums of the baseline.
        acting, followers: rows of the texts `acting_daily` and `followers_daily`.
    """
    windows = found.windows
    span = (windows.first, windows.as_of)
    counted = {
        "new_users": by_day(found.parts["joiners"], "joined_on", "people", *span),
        "acting_users": by_day(acting, "day", "people", *span),
        "orders": by_day(found.parts["sales_daily"], "day", "orders", *span),
        "visitors": by_day(found.parts["visits_daily"], "day", "visitors", *span),
        "article_reads": _alike(
            by_day(found.parts["reads_daily"], "day", "reads", *span), by_day(followers, "day", "followers", *span)
        ),
    }
    told = {name: alarms.steady(counts) for name, counts in counted.items() if any(counts)}
    for name, text in (("visitors", "visits_daily"), ("article_reads", "reads_daily")):
        if name in told:
            days = {row["day"] for row in found.parts[text]}
            every = [windows.first + dt.timedelta(days=k) for k in range(len(told[name]))]
            told[name] = np.where([day in days for day in every], told[name], np.nan)
    return told


def _alike(counts: Sequence[float], people: Sequence[float]) -> list[float]:
    """Return counts as the people of the first day would have made them; a day without people has those before it."""
    known = np.array(people, dtype=float)
    there = np.flatnonzero(known > 0)
    if not len(there):
        return list(counts)
    last = np.maximum(np.searchsorted(there, np.arange(len(known)), "right") - 1, 0)
    return (np.asarray(counts, dtype=float) * known[there[0]] / known[there[last]]).tolist()


def watch_days(
    plan: Plan, series: Mapping[str, np.ndarray], windows: Windows, *, false_a_year: float = FALSE_ALARMS_A_YEAR
) -> list[Watched]:
    """Watch daily series against weekday, holidays and promotions; together they cry falsely so often a year."""
    days = np.arange(windows.first, windows.until, dtype="M8[D]")
    design = alarms.calendar_design(days, off=holidays(days), promoted=promoted(plan, days))
    length = max(len(series), 1) * 365.0 / false_a_year
    return [
        Watched(
            name,
            "",
            1,
            windows.first,
            alarms.watch(np.nan_to_num(values), design, run_length=length, missing=np.isnan(values)),
        )
        for name, values in series.items()
    ]


@dataclass(frozen=True, slots=True)
class Community:
    """The groups of an owner: members, the chain of decay and its watches by sign."""

    owner: str
    members: int
    chain: alarms.Chain
    watched: tuple[Watched, ...]


def communities(found: Collected, *, least: int = 10) -> list[Community]:
    """Watch the groups of each owner by week for the chain of decay, the farthest gone first.

    All owners and signs together cry falsely once a year. Shares of fewer than `least` members are left out.
    """
    windows = found.windows
    weeks = community_weeks(found.parts["groups_by_owner"], windows, most=104)
    weeks = {owner: x for owner, x in weeks.items() if x["members"] >= least}
    length = max(2 * len(weeks), 1) * 52.0 / FALSE_ALARMS_A_YEAR
    rows = []
    for owner, x in weeks.items():
        members = x["members"]
        first = windows.until - dt.timedelta(days=7 * len(x["speaking"]))
        shares = {"interaction": np.array(x["speaking"]), "exits": np.array(x["leaving"])}
        watches = {
            sign: alarms.watch(
                alarms.steady_share(share * members, np.full(len(share), float(members))),
                side=alarms.FALLS if sign == "interaction" else alarms.RISES, run_length=length, learn=12, quiet=6,
            )
            for sign, share in shares.items()
        }  # fmt: skip
        watched = tuple(Watched(sign, owner, 7, first, one) for sign, one in watches.items())
        rows.append(Community(owner, members, alarms.decay(watches), watched))
    order = ("healthy", *alarms.PHASES)
    return sorted(rows, key=lambda row: (-order.index(row.chain.phase), -row.members, row.owner))


def speaking_before_exits(found: Collected, *, most: int = 12) -> alarms.LeadLag | None:
    """Return by how many weeks the share that speaks runs ahead of the share that leaves, over all groups together.

    None with fewer weeks than the lags need, or without groups.
    """
    speaking, leaving = _all_groups(found)
    return alarms.lead_lag(speaking, leaving, most=most) if len(speaking) >= most + 8 else None


def trust(found: Collected) -> trusting.Trust | None:
    """Return the trust index of all groups together by week, out of who speaks and who leaves; None without groups."""
    speaking, leaving = _all_groups(found)
    signs = {"speaking": speaking, "leaving": leaving}
    return trusting.trust_index(signs, {"speaking": 1, "leaving": -1}) if len(speaking) >= 2 else None


def _all_groups(found: Collected) -> tuple[list[float], list[float]]:
    """Return by week, for as long as all groups have been seen, the share that speaks and the share that leaves."""
    weeks = community_weeks(found.parts["groups_by_owner"], found.windows, most=104)
    length = min((len(x["speaking"]) for x in weeks.values()), default=0)
    if not length:
        return [], []
    size = np.array([x["members"] for x in weeks.values()], dtype=float)
    shares = [np.array([x[name][-length:] for x in weeks.values()]) for name in ("speaking", "leaving")]
    speaking, leaving = ((size @ share / size.sum()).tolist() for share in shares)
    return speaking, leaving


# ---- service


def clock_limits(plan: Plan) -> dict[str, dict[str, dt.timedelta]]:
    """Return kind of incident -> step -> how long it may take, as the plan's service promises say."""
    found: dict[str, dict[str, dt.timedelta]] = {}
    for row in plan.limits.service:
        kind, step = _STEPS.get(row.metric, ("", ""))
        if row.metric == "negative_response_time":
            kind, step = f"opinion_{'major' if 'major' in (row.scope or '') else 'ordinary'}", "answer"
        length = _LENGTHS.get(row.unit or catalogue()[row.metric].unit)
        if kind and length and isinstance(row.level, float):
            found.setdefault(kind, {})[step] = dt.timedelta(seconds=row.level * length)
    return found


def incidents(plan: Plan, now: dt.datetime) -> list[service.Incident]:
    """Return the incidents that the plan has written down, as they were known at a moment."""
    return [
        service.Incident(
            row.id, row.kind, dt.datetime.fromisoformat(row.began),
            {step: at for step, when in row.done.items() if (at := dt.datetime.fromisoformat(when)) <= now}, row.down,
        )
        for row in plan.review.incidents
        if dt.datetime.fromisoformat(row.began) <= now
    ]  # fmt: skip


def downtime(plan: Plan, now: dt.datetime, *, window_days: float = 30.0) -> service.Budget | None:
    """Return the availability of the last month against the plan's line; None without a line."""
    lines = [row.level for row in plan.limits.thresholds if row.metric == "system_availability"]
    if not lines:
        return None
    out = [(one.began, one.done.get("restore", now)) for one in incidents(plan, now) if one.down]
    since = now - dt.timedelta(days=window_days)
    return service.error_budget(out, since=since, until=now, window_days=window_days, promise=lines[0])


def hours_to_restore(found: Sequence[service.Clock], now: dt.datetime, limit: dt.timedelta) -> float | None:
    """Return the median hours from a technical incident to its core being restored; None while fewer are restored."""
    seen = service.time_to(found, "restore", now, limit)
    half = np.flatnonzero(seen.share <= 0.5) if seen else np.array([])
    return float(seen.days[half[0]]) if len(half) else None


@dataclass(frozen=True, slots=True)
class Desk:
    """The service desk that the plan's promises ask for.

    Attributes:
        users: whose questions come; a_day: questions of them; hours: that they come in.
        limit_seconds, share: answered within so many seconds for this share.
        queue: the smallest desk; people: to keep it filled; have: service and operations people of the plan.
    """

    users: float
    a_day: float
    hours: float
    limit_seconds: float
    share: float
    queue: service.Queue
    people: float
    have: tuple[float, float] | None


def desk(plan: Plan, users: float, *, share: float = 0.9, hours: float = 24.0) -> Desk | None:
    """Return the desk for some users, from the plan's rate of enquiries, handling time and limit; None where one lacks.

    Args:
        share: of questions to be answered in time; the plan states the limit only.
        hours: of a day that questions come in, evenly.
    """
    rules = {row.metric: row for row in plan.limits.rules}
    rate, handling = rules.get("enquiry_rate"), rules.get("handling_time")
    limit = next((row for row in plan.limits.service if row.metric == "response_time"), None)
    if not (rate and handling and limit) or rate.period != "day":
        return None
    a_day = users * rate.level
    needed = service.agents_needed(a_day / hours, handling.level, share=share, within_seconds=limit.level)
    week = next((r.level for r in plan.team.rules if r.metric == "working_hours"), 40.0)
    role = plan.team.roles.get("user_operations") or plan.team.roles.get("service")
    have = None if role is None or role.people is None else tuple(float(x) for x in np.broadcast_to(role.people, 2))
    people = needed.agents * service.people_per_seat(hours_open=7 * hours, hours_worked=week)
    return Desk(users, a_day, hours, limit.level, share, needed, people, have)


# ---- risks


@dataclass(frozen=True, slots=True)
class Hit:
    """What a risk does to the figure that it hurts most.

    Attributes:
        metric: private_domain_users, active_users, gmv or total_budget.
        lost: least, likeliest and most of it lost by the plan's end (of GMV over the whole plan), in its own unit.
        share: the same as shares of what the plan expects.
    """

    metric: str
    lost: tuple[float, float, float]
    share: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Risks:
    """The plan's risks. Shares of different figures are never added up: sums stand figure by figure.

    Attributes:
        shares: the register by what each risk hurts most, as a share of what the plan expects of that figure; its sums
            mean nothing.
        by_figure: figure -> the register in its own unit: users and active users at the plan's end, CNY of GMV over the
            whole plan, CNY of budget. Figures that no risk moves are left out.
        hits: risk -> what it hurts most.
    """

    shares: risks.Register
    by_figure: Mapping[str, risks.Register]
    hits: Mapping[str, Hit]


def risk_register(plan: Plan, levels: Mapping[str, float], rng: np.random.Generator) -> Risks:
    """Return what the risks cost, which follows from the plan's own funnel, run with the figure that a risk changes.

    Args:
        levels: indicator -> its level now.
    """
    before = {row.id: _hits(plan, row.hits, row.effect) for row in plan.risks}
    after = {
        row.id: _hits(plan, row.hits, row.mitigated.effect)
        for row in plan.risks
        if row.mitigated and row.mitigated.effect
    }
    hits = {name: max(found.values(), key=lambda hit: hit.share[1]) for name, found in before.items()}

    def row_of(risk: Risk, loss: Any, left: Any) -> risks.Risk:
        trigger, then = risk.trigger, risk.mitigated
        return risks.Risk(
            risk.id, risk.probability, loss, risk.owner, trigger and trigger.metric, trigger and trigger.above,
            trigger and trigger.below, then and then.probability, left,
        )  # fmt: skip

    rows = [
        row_of(r, hits[r.id].share, after[r.id][hits[r.id].metric].share if r.id in after else None) for r in plan.risks
    ]
    shares = risks.register(rows, scale=1.0, levels=levels, rng=rng)
    by_figure = {}
    for figure in FIGURES:
        if not any(found.get(figure, _UNHARMED).lost[2] > 0 for found in before.values()):
            continue
        rows = [
            row_of(
                r, before[r.id].get(figure, _UNHARMED).lost,
                after[r.id].get(figure, _UNHARMED).lost if r.id in after else None,
            )
            for r in plan.risks
        ]  # fmt: skip
        by_figure[figure] = risks.register(rows, scale=1.0, rng=rng)
    return Risks(shares, by_figure, hits)


def _hits(plan: Plan, hits: str, effect: tuple[float, float]) -> dict[str, Hit]:
    """Return figure -> what a risk does to it."""
    parts = hits.split(".")
    place = f"{hits}.intake" if parts[0] == "channels" and len(parts) == 2 else hits
    changes = np.array([0.0, effect[0], sum(effect) / 2, effect[1]])
    if parts[0] == "channels" and parts[-1] == "cac":  # dearer users cost money, and are as many
        joined = inputs.intake_matrix(plan)[:, [channel.id for channel in plan.channels].index(parts[1])].sum()
        budget = inputs.per_month(plan.budget.total, "year") * plan.months
        return {"total_budget": _lost("total_budget", np.array([0.0, *(-changes[1:] * joined)]) + budget)}
    low, high = uncertain.limits(plan).get(place, (0.0, np.inf))
    values = {place: np.clip(uncertain.central(plan)[place] + changes, low, high)}
    found = run(Drivers(**uncertain.arguments(plan, values))).metrics
    levels = {
        "private_domain_users": found["private_domain_users"][:, -1],
        "active_users": found["active_users"][:, -1],
        "gmv": found["gmv"].sum(axis=1),
    }
    return {name: _lost(name, np.broadcast_to(level, 4)) for name, level in levels.items()}


_UNHARMED = Hit("", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def _lost(metric: str, levels: np.ndarray) -> Hit:
    lost = np.sort(np.maximum(levels[0] - levels[1:], 0.0))
    return Hit(metric, tuple(lost.tolist()), tuple((lost / max(levels[0], 1e-9)).tolist()))


# ---- duties and actions


def duties(plan: Plan) -> list[compliance.Duty]:
    """Return the plan's compliance checklist."""
    return [
        compliance.Duty(
            row.id, row.owner, dt.date.fromisoformat(row.due), row.every_days,
            tuple(dt.date.fromisoformat(day) for day in row.done),
        )
        for row in plan.review.duties
    ]  # fmt: skip


def plan_actions(plan: Plan) -> list[actions.Action]:
    """Return the actions that the plan has written down."""
    found = []
    for row in plan.review.actions:
        low, high = row.between or (None, None)
        found.append(
            actions.Action(
                id=row.id, owner=row.owner, opened=dt.date.fromisoformat(row.opened),
                due=dt.date.fromisoformat(row.due), ended=dt.date.fromisoformat(row.ended) if row.ended else None,
                dropped=row.dropped, metric=row.metric or "", expected=row.expected, observed=row.observed, low=low,
                high=high, experiment=row.experiment or "", reason=_in_one(row.reason),
            )
        )  # fmt: skip
    return found


def _in_one(text: Any) -> str:
    return "" if text is None else text if isinstance(text, str) else text.en


def owner_name(plan: Plan, owner: str) -> dict[str, str]:
    """Return the name of a department or role in both languages."""
    for department in plan.team.departments:
        if department.id == owner:
            return department.name.model_dump()
    role = plan.team.roles.get(owner)
    return role.name.model_dump() if role else {"zh": owner, "en": owner}
