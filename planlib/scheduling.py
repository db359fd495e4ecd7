"""The schedule of a plan as the milestone rooms calculate with it: network, dates due, people, risks, events.

What stands between the plan file and `planlib.milestones`; the milestone notebook, `planlib progress` and the files for
other programs all take their dates from here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planlib.core.draws import Distribution
from planlib.core.words import LOCALES, words
from planlib.milestones.calendar import PlanMonth, plan_month, slack_workdays
from planlib.milestones.dated import DatedNetwork, DatedTask, Dates, Tie, chain, frozen_calendar
from planlib.milestones.network import Link, Network, crash
from planlib.milestones.simulation import Group, Mitigation, Risk, finishes
from planlib.milestones.tracking import Standing, standing
from planlib.milestones.workdays import WorkCalendar
from planlib.plan import model
from planlib.plan.load import Plan
from planlib.plan.schedule_inputs import PlannedItem, ScheduleInputs, schedule_inputs
from planlib.plan.tracking import Baseline, BaselineRow

_CHANGES = ("relative_change", "points")
SIGNS = {"equals": "=", "at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
_LIKELY = 1
_FELT_DAYS = 0.05  # by which a mean finish has to move for an option to be told
_YEARS = 6  # years after the first in which calendars of their own and freezes are laid out


@dataclass(frozen=True, eq=False)
class Scheduled:
    """A plan's schedule.

    Attributes:
        inputs: stages and items as the plan states them.
        items: tasks, then gates, then milestones; the order of every array (N,).
        network: of the items, on the plan's calendars.
        calendar: working days of the plan.
        days: (N, 3) working days at best, most likely and at worst.
        due: {id: month at whose end it is due}.
        linked: ids that something decides: tasks, and dates that wait for something.
        over: ids of tasks that are finished.
    """

    inputs: ScheduleInputs
    items: tuple[PlannedItem, ...]
    network: DatedNetwork
    calendar: WorkCalendar
    days: np.ndarray
    due: Mapping[str, PlanMonth]
    linked: frozenset[str]
    over: frozenset[str] = frozenset()

    def dates(self, case: int = _LIKELY, days: object = None) -> dict[str, Dates]:
        """Return {id: dates} with every duration at best (0), most likely (1) or at worst (2), or with given ones."""
        found = self.network.dates(self.days[:, case] if days is None else days)
        return {row.id: row for row in found}


def scheduled(plan: Plan) -> Scheduled:
    """Return the schedule of a plan that states at least one task, gate or milestone."""
    inputs = schedule_inputs(plan)
    calendar = WorkCalendar(inputs.days_off)
    items = inputs.items
    due = {item.id: plan_month(plan.start, item.due_month, calendar) for item in items if item.due_month}
    linked = frozenset(item.id for item in items if item.kind == "task" or item.ties)
    first_day = dt.date.fromisoformat(f"{plan.start}-01")
    own = _calendars(plan.schedule, calendar, first_day)
    tasks = [
        DatedTask(
            item.id,
            tuple(Tie(tie.before, tie.kind, tie.lag_days, tie.elapsed) for tie in item.ties),
            item.not_before if item.id in linked else due[item.id].last_workday if item.id in due else None,
            own.get(item.id),
        )
        for item in items
    ]
    days = np.array([item.days for item in items], dtype=float).reshape(-1, 3)
    return Scheduled(inputs, items, DatedNetwork(tasks, first_day, calendar), calendar, days, due, linked)


def _calendars(schedule: model.Schedule, public: WorkCalendar, first_day: dt.date) -> dict[str, WorkCalendar]:
    """Return {task: its calendar} of the tasks that do not simply work on the public one."""
    bases = {key: _base(row, public, first_day) for key, row in schedule.calendars.items()}
    found: dict[str, WorkCalendar] = {}
    made: dict[tuple, WorkCalendar] = {}
    for task in schedule.tasks:
        stops = tuple(row.id for row in schedule.freezes if {task.id, task.department}.intersection(row.stops))
        if task.calendar is None and not stops:
            continue
        key = (task.calendar, stops)
        if key not in made:
            spans = [span for row in schedule.freezes if row.id in stops for span in _spans(row, first_day.year)]
            made[key] = frozen_calendar(bases.get(task.calendar, public), spans)
        found[task.id] = made[key]
    return found


def _base(row: model.DayCalendar, public: WorkCalendar, first_day: dt.date) -> WorkCalendar:
    own = {dt.date.fromisoformat(day): worked for day, worked in row.days_off.items()}
    if row.base == "CN":
        return WorkCalendar(dict(public.overrides) | own, public.confirmed_years)
    last = dt.date(first_day.year + _YEARS, 12, 31)
    days = [first_day + dt.timedelta(days=k) for k in range((last - first_day).days + 1)]
    every = {day: row.base == "every_day" or day.weekday() < 5 for day in days}
    return WorkCalendar(every | own, frozenset(range(first_day.year, last.year + 1)))


def _spans(freeze: model.Freeze, first_year: int) -> Iterable[tuple[dt.date, dt.date]]:
    """Yield the freeze's days in every year of the schedule; one that ends before it begins ends a year later."""
    for year in range(first_year - 1, first_year + _YEARS):
        first, last = (dt.date.fromisoformat(f"{year}-{day}") for day in (freeze.first, freeze.last))
        yield first, last if last >= first else dt.date.fromisoformat(f"{year + 1}-{freeze.last}")


def worked_days(schedule: Scheduled, task: str, dates: Dates) -> list[dt.date]:
    """Return the days from start to finish on which a task is worked on: those of its own calendar."""
    worked = schedule.network.calendar_of(task).mask(dates.start, dates.finish)
    return [dates.start + dt.timedelta(days=k) for k in np.flatnonzero(worked).tolist()]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A task's own deadline against its earliest end.

    Attributes:
        id: of the task.
        day: last day on which it may end.
        finish: its earliest end.
        slack: working days between; below 0 it is missed.
        chain: ids of what decides that end, from the first on, the task last.
    """

    id: str
    day: dt.date
    finish: dt.date
    slack: int
    chain: tuple[str, ...]


def deadlines(schedule: Scheduled, dates: Mapping[str, Dates]) -> tuple[Deadline, ...]:
    """Return the deadlines that tasks state, the tightest first."""
    found = []
    for item in schedule.items:
        if item.deadline is not None:
            finish = dates[item.id].finish
            slack = slack_workdays(item.deadline, finish, schedule.calendar)
            found.append(Deadline(item.id, item.deadline, finish, slack, chain(dates.values(), item.id)))
    return tuple(sorted(found, key=lambda row: row.slack))


def freezes(plan: Plan, last: dt.date) -> tuple[tuple[model.Freeze, dt.date, dt.date], ...]:
    """Return the freezes with their first and last day, from the plan's start to a day."""
    first_day = dt.date.fromisoformat(f"{plan.start}-01")
    rows = ((row, *span) for row in plan.schedule.freezes for span in _spans(row, first_day.year))
    return tuple(sorted((r for r in rows if r[2] >= first_day and r[1] <= last), key=lambda r: r[1]))


def durations(schedule: Scheduled) -> dict[str, Distribution]:
    """Return {id: distribution of its working days}: Beta-PERT of the three estimates; none for dates."""
    return {
        item.id: Distribution("pert", low=low, mode=mode, high=high) if high > low else Distribution("fixed", mean=mode)
        for item, (low, mode, high) in zip(schedule.items, schedule.days.tolist(), strict=True)
    }


def groups(plan: Plan) -> tuple[Group, ...]:
    """Return the tasks of each department as correlated as the plan says; () when it says nothing."""
    together = plan.schedule.together
    if together is None:
        return ()
    lanes: dict[str, list[str]] = {}
    for task in plan.schedule.tasks:
        if task.days[0] < task.days[2]:
            lanes.setdefault(task.department, []).append(task.id)
    return tuple(Group(tuple(tasks), together.central) for tasks in lanes.values() if len(tasks) > 1)


def risks(plan: Plan, *, without: Collection[str] = ()) -> tuple[Risk, ...]:
    """Return the plan's schedule risks; a department stands for all its tasks.

    Args:
        without: tasks that nothing can strike: they are finished or dropped; a risk of these alone is left out.
    """
    found = []
    for row in plan.schedule.risks:
        tasks = [task for task in plan.schedule.tasks if task.id not in without]
        hit = [task.id for task in tasks if {task.id, task.department}.intersection(row.tasks)]
        if not hit:
            continue
        effect = "days" if row.days is not None else "factor"
        then = row.mitigated
        mitigation = None
        if then is not None:
            mitigation = Mitigation(then.chance, _impact(getattr(then, effect)), then.cost.central)
        found.append(Risk(row.id, row.chance, _impact(getattr(row, effect)), tuple(hit), effect, mitigation))
    return tuple(found)


def _impact(three: tuple[float, float, float]) -> Distribution:
    low, mode, high = three
    return Distribution("pert", low=low, mode=mode, high=high) if high > low else Distribution("fixed", mean=mode)


def plain_network(schedule: Scheduled, keep: Collection[str] | None = None) -> Network:
    """Return the items in working days from the first on, for crashing and levelling: one calendar, whole lags.

    A lag in days of the calendar counts as the working days in it, five of seven.

    Args:
        keep: these items only, with all that they wait for; None = all.
    """
    first = schedule.network.first_day
    floors = {}
    for item in schedule.items:
        day = item.not_before
        if item.id not in schedule.linked and item.id in schedule.due:
            day = schedule.due[item.id].last_workday
        if day is not None and day > first:
            floors[item.id] = float(schedule.calendar.between(first, day) - (1 if item.days[_LIKELY] else 0))
    ties = [
        Link(tie.before, item.id, tie.kind, float(round(tie.lag_days * (5 / 7 if tie.elapsed else 1))))
        for item in schedule.items
        if keep is None or item.id in keep
        for tie in item.ties
    ]
    ids = [item.id for item in schedule.items if keep is None or item.id in keep]
    return Network(ids, ties, not_before={name: floors[name] for name in ids if name in floors})


def before(schedule: Scheduled, item: str) -> frozenset[str]:
    """Return an item and everything that it waits for, however far back."""
    waits = {row.id: [tie.before for tie in row.ties] for row in schedule.items}
    found, left = {item}, [item]
    while left:
        new = set(waits[left.pop()]) - found
        found |= new
        left += new
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class BoughtTime:
    """The cheapest crashing towards a due day.

    Attributes:
        extra_cost_cny: in total.
        saved: {task: (working days taken off, CNY for each)}.
        end: last day then, on the plan's calendars.
        meets: the due day is met; if not, everything that money can do is done.
    """

    extra_cost_cny: float
    saved: Mapping[str, tuple[float, float]]
    end: dt.date
    meets: bool


def cheapest_crash(plan: Plan, schedule: Scheduled, item: str, due: dt.date) -> BoughtTime:
    """Return the least extra cost at which an item is done by a day, or what money can do at most."""
    keep = before(schedule, item)
    normal = np.ceil(schedule.days[:, _LIKELY])
    shortest, cost = normal.copy(), np.zeros(len(normal))
    place = {row.id: k for k, row in enumerate(schedule.items)}
    for task in plan.schedule.tasks:
        if task.shorter and task.id not in schedule.over:
            k = place[task.id]  # a task under way keeps of its room what is left of its length
            shortest[k] = min(np.ceil(task.shorter.days * schedule.days[k, _LIKELY] / task.days[_LIKELY]), normal[k])
            cost[k] = task.shorter.cost_per_day.central
    network = plain_network(schedule, keep)
    at = [place[name] for name in network.tasks]
    asked = float(schedule.calendar.between(schedule.network.first_day, due))
    most = float(network.end(shortest[at]))
    found = crash(network, normal[at], shortest[at], cost[at], max(asked, most))
    days = normal.copy()
    for name, saved in found.saved.items():
        days[place[name]] -= saved
    end = schedule.dates(days=np.ceil(days - 1e-9))[item].finish
    saved = {name: (float(off), float(cost[place[name]])) for name, off in found.saved.items()}
    return BoughtTime(found.extra_cost, saved, end, end <= due)


def shortened(schedule: Scheduled, bought: BoughtTime) -> dict[str, Distribution]:
    """Return the distributions of all durations when bought days are off all three estimates of a task, down to 0."""
    days = schedule.days.copy()
    for k, item in enumerate(schedule.items):
        days[k] = np.maximum(days[k] - bought.saved.get(item.id, (0.0, 0.0))[0], 0.0)
    return durations(replace(schedule, days=days))


def scope_options(plan: Plan, schedule: Scheduled, item: str) -> tuple[model.Task, ...]:
    """Return the tasks before an item, not finished, of which the plan says what may be left out."""
    waits = before(schedule, item) - schedule.over
    return tuple(task for task in plan.schedule.tasks if task.smaller and task.id in waits)


def with_less(schedule: Scheduled, tasks: Iterable[model.Task]) -> Scheduled:
    """Return the schedule when tasks are dropped, or shrunk as far as the plan allows.

    A dropped task takes no time; what comes after it still waits for what came before it. Of a task under way the part
    that is left shrinks.
    """
    left = {task.id: 0.0 if task.smaller.drop else task.smaller.days / task.days[_LIKELY] for task in tasks}
    items = tuple(
        replace(item, days=tuple(left[item.id] * day for day in item.days)) if item.id in left else item
        for item in schedule.items
    )
    return replace(schedule, items=items, days=np.array([item.days for item in items], dtype=float).reshape(-1, 3))


@dataclass(frozen=True, slots=True)
class Recovery:
    """One way to bring a date back, on the draws of the schedule as it is.

    Attributes:
        kind: crash, shrink, drop, scope for all shrinking and dropping together, or both for scope and crash.
        tasks: ids of what is changed.
        days_off: working days of their likely length that are saved.
        cost_cny: extra; 0 for scope.
        end: last day then.
        after: (D,) finishes of the item.
    """

    kind: str
    tasks: tuple[str, ...]
    days_off: float
    cost_cny: float
    end: dt.date
    after: np.ndarray


def recoveries(
    plan: Plan, schedule: Scheduled, item: str, due: dt.date, was: np.ndarray, **options: Any
) -> tuple[Recovery, ...]:
    """Return the cheapest crashing towards a due day, each option of scope that helps, and those of scope together.

    Where all of scope does not reach the due day, the cheapest crashing of what is left is told too.

    Args:
        was: (D,) finishes of the item in the simulation of the schedule.
        options: its seed, draws and groups, so that every difference to `was` is the option's.
    """
    struck = risks(plan, without=schedule.over)

    def drawn(lengths: Mapping[str, Distribution], hit: tuple[Risk, ...]) -> np.ndarray:
        return finishes(schedule.network, lengths, risks=hit, milestones=[item], **options)[item]

    def less(kind: str, tasks: tuple[model.Task, ...]) -> Recovery:
        then = with_less(schedule, tasks)
        gone = {task.id for task in tasks if task.smaller.drop}
        after = drawn(durations(then), risks(plan, without=schedule.over | gone))
        off = float((schedule.days - then.days)[:, _LIKELY].sum())
        return Recovery(kind, tuple(task.id for task in tasks), off, 0.0, then.dates()[item].finish, after)

    found = []
    bought = cheapest_crash(plan, schedule, item, due)
    if bought.saved:
        days = sum(off for off, _ in bought.saved.values())
        after = drawn(shortened(schedule, bought), struck)
        found.append(Recovery("crash", tuple(bought.saved), days, bought.extra_cost_cny, bought.end, after))
    helpful = []
    for task in scope_options(plan, schedule, item):
        option = less("drop" if task.smaller.drop else "shrink", (task,))
        if option.after.mean() < was.mean() - _FELT_DAYS:
            helpful.append(task)
            found.append(option)
    if len(helpful) > 1:
        found.append(less("scope", tuple(helpful)))
    if helpful and found[-1].end > due:
        found += _both(plan, with_less(schedule, helpful), item, due, found[-1], drawn)
    return tuple(found)


def _both(
    plan: Plan, less: Scheduled, item: str, due: dt.date, scope: Recovery, drawn: Callable[..., np.ndarray]
) -> list[Recovery]:
    """Return the cheapest crashing of what is left once all scope is given up, where it buys anything."""
    bought = cheapest_crash(plan, less, item, due)
    if not bought.saved:
        return []
    gone = {task.id for task in plan.schedule.tasks if task.id in scope.tasks and task.smaller.drop}
    after = drawn(shortened(less, bought), risks(plan, without=less.over | gone))
    tasks = tuple(dict.fromkeys([*scope.tasks, *bought.saved]))
    days = scope.days_off + sum(off for off, _ in bought.saved.values())
    return [Recovery("both", tasks, days, bought.extra_cost_cny, bought.end, after)]


def held_to(schedule: Scheduled, start: Mapping[str, int]) -> dict[str, Dates]:
    """Return {id: dates} when no task begins before its levelled start, in working days from the first on."""
    work = {item.id for item in schedule.items if item.days[_LIKELY] > 0}
    network = schedule.network.held({name: float(day) for name, day in start.items() if name in work})
    return {row.id: row for row in network.dates(schedule.days[:, _LIKELY])}


def failed_gate(schedule: Scheduled, gate: str, recheck_days: float) -> tuple[int, int]:
    """Return what moves when a gate is passed so many working days later: (items after it, working days lost at the
    end of the last task)."""
    before = schedule.dates()
    days = schedule.days[:, _LIKELY].copy()
    days[schedule.network.tasks.index(gate)] = recheck_days
    after = schedule.dates(days=days)
    moved = [name for name in before if name != gate and after[name].finish > before[name].finish]
    ends = [
        max(found[item.id].finish for item in schedule.items if item.kind == "task") for found in (before, after)
    ]
    return len(moved), schedule.calendar.between(ends[0], ends[1], inclusive=False)


def demand(plan: Plan) -> dict[str, dict[str, int]]:
    """Return {task: {role: whole people}}; a part of a person takes the whole one on the day."""
    return {
        task.id: {role: int(np.ceil(people)) for role, people in task.roles.items()}
        for task in plan.schedule.tasks
        if task.roles
    }


def capacity(plan: Plan, *, most: bool = True) -> dict[str, int]:
    """Return {role: people} of the roles whose number the plan states: the most of each range, or the fewest."""
    found = {}
    for key, role in plan.team.roles.items():
        if role.people is not None:
            pair = role.people if isinstance(role.people, tuple) else (role.people, role.people)
            found[key] = int(pair[1 if most else 0])
    return found


def conditions(plan: Plan, gate: model.Gate, rungs: Mapping[str, tuple[float, str]]) -> dict[str, dict[str, str]]:
    """Return {"entry", "pass": {language: what has to hold, in words}}.

    Args:
        gate: of the plan.
        rungs: {metric: level of its ladder in the gate's month, and the unit}.
    """
    found = {}
    for name, targets in (("entry", gate.entry), ("pass", gate.conditions)):
        found[name] = {}
        for locale in LOCALES:
            said = [_condition(target, locale) for target in targets]
            if name == "pass":
                w = words(locale)
                said += [
                    f"{w.metric(m)} ≥ {w.number(level, unit, signed=unit in _CHANGES)}"
                    for m, (level, unit) in rungs.items()
                ]
            found[name][locale] = "；".join(said) if locale == "zh" else "; ".join(said)
    return found


def _unit(metric: str) -> str:
    from planlib.core.metrics import catalogue

    return catalogue()[metric].unit


def _condition(target: model.Target, locale: str) -> str:
    w = words(locale)
    name, unit = w.metric(target.metric), target.unit or _unit(target.metric)
    signed = unit in _CHANGES
    if target.between is not None:
        low, high = (w.number(end, unit, signed=signed) for end in target.between)
        return f"{name} {low}–{high}"
    for field, sign in SIGNS.items():
        value = getattr(target, field)
        if value is not None:
            return f"{name} {sign} {w.number(value, unit, signed=signed)}"
    return w.pick(target.name.model_dump()) if target.name else name


def rungs(plan: Plan) -> dict[str, dict[int, tuple[float, str]]]:
    """Return {metric: {month: planned level and its unit}} of the metrics that gates hold against their ladder."""
    asked = {metric for gate in plan.schedule.gates for metric in gate.ladder}
    if not asked:
        return {}
    from planlib.funnel.ladder import flow_ladder, ladder
    from planlib.plan.ladders import ladders

    found: dict[str, dict[int, tuple[float, str]]] = {}
    for row in ladders(plan, ladder, flow_ladder):
        if row.metric in asked and row.metric not in found and not row.totals:
            found[row.metric] = {rung.month: (rung.value, row.unit) for rung in row.rungs}
    return found


def occurrences(plan: Plan, calendar: WorkCalendar, months: int) -> tuple[tuple[dt.date, Any], ...]:
    """Return the days of reviews and drills over the plan's first months, in order: (day, row of the plan).

    Each falls on the last working day of its week, month, quarter, half-year or year of the plan.
    """
    first = dt.date.fromisoformat(f"{plan.start}-01")
    ends = [plan_month(plan.start, month, calendar) for month in range(1, months + 1)]
    steps = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
    found = []
    for row in plan.schedule.recurring:
        if row.from_month > months:
            continue
        if row.every == "week":
            found += [(day, row) for day in _week_ends(ends[row.from_month - 1].first, ends[-1].last, calendar)]
        else:
            step = steps[row.every]
            found += [(end.last_workday, row) for end in ends if end.month >= row.from_month and end.month % step == 0]
    return tuple(sorted((pair for pair in found if pair[0] >= first), key=lambda pair: (pair[0], pair[1].id)))


def _week_ends(first: dt.date, last: dt.date, calendar: WorkCalendar) -> list[dt.date]:
    worked = calendar.mask(first, last)
    days = [first + dt.timedelta(days=k) for k in np.flatnonzero(worked).tolist()]
    weeks = {day.isocalendar()[:2]: day for day in days}  # the last day of each week wins
    return list(weeks.values())


def progressed(schedule: Scheduled, states: Mapping[str, Any], as_of: dt.date) -> Scheduled:
    """Return the schedule with what has happened as it did, and the rest from the day after `as_of` on.

    A finished task stands on its own days. One under way takes what is said to be left (remaining days, else up to the
    expected finish, else the part of the likely duration that is not done), as uncertain for its length as the whole
    was. One that has not begun waits for its ties and does not begin before the next day.

    Args:
        states: {task: its state, `planlib.plan.tracking.Entry`}; tasks left out have not begun.
        as_of: the day whose state they are.
    """
    tomorrow = as_of + dt.timedelta(days=1)
    first, early = schedule.network.first_day, schedule.dates()
    rows, items = [], []
    for was in schedule.items:
        row, item = schedule.network.row(was.id), was
        if was.kind == "task":
            span = (first, early[was.id].start, tomorrow)
            item = _as_it_is(was, states.get(was.id), span, schedule.network.calendar_of(was.id))
            row = DatedTask(was.id, row.ties if item.ties else (), item.not_before, row.calendar)
        rows.append(row)
        items.append(item)
    days = np.array([item.days for item in items], dtype=float).reshape(-1, 3)
    over = frozenset(name for name, state in states.items() if state.finished is not None)
    network = DatedNetwork(rows, first, schedule.calendar)
    return replace(schedule, items=tuple(items), network=network, days=days, over=over)


def _as_it_is(
    item: PlannedItem, state: Any, days: tuple[dt.date, dt.date, dt.date], calendar: WorkCalendar
) -> PlannedItem:
    """Return a task that is finished, under way, or not begun, as what is known to be left of it.

    Args:
        days: first of the schedule, planned start, and the first on which work can still be done.
    """
    first, planned, tomorrow = days
    if state is not None and state.finished is not None:
        began = max(min(state.started or planned, state.finished), first)
        worked = float(calendar.between(began, max(state.finished, began)))
        return replace(item, days=(worked,) * 3, ties=(), not_before=began)
    if state is not None and (state.started is not None or state.done > 0):
        low, mode, high = item.days
        left = _left(state, float(np.ceil(mode)), tomorrow, calendar)
        return replace(item, days=(left * low / mode, left, left * high / mode), ties=(), not_before=tomorrow)
    return replace(item, not_before=max(tomorrow, item.not_before or tomorrow))


def _left(state: Any, days: float, tomorrow: dt.date, calendar: WorkCalendar) -> float:
    """Working days that a task still takes, at least one."""
    if state.remaining_days is not None:
        return max(float(np.ceil(state.remaining_days)), 1.0)
    if state.expected_finish is not None:
        if state.expected_finish < tomorrow:
            return 1.0
        return max(float(calendar.between(tomorrow, state.expected_finish)), 1.0)
    return max(float(np.ceil((1 - state.done) * days)), 1.0)


def planned_dates(schedule: Scheduled, baseline: Baseline | None) -> dict[str, Dates | Span]:
    """Return {id: dates} of the baseline; as planned where there is none, and for what is new since."""
    frozen = {} if baseline is None else baseline.rows
    return schedule.dates() | {
        item.id: Span(frozen[item.id].start, frozen[item.id].finish) for item in schedule.items if item.id in frozen
    }


def spans(
    schedule: Scheduled, states: Mapping[str, Any], planned: Mapping[str, Dates | Span], as_of: dt.date
) -> dict[str, Span]:
    """Return {task: first and last day}: the real ones where they are known, else those of the schedule.

    Args:
        schedule: with progress, of `progressed`.
        states: as there.
        planned: {id: dates} of the baseline; a task that nobody said the start of has begun by then, or by `as_of`.
    """
    found = {}
    for name, dates in schedule.dates().items():
        state = states.get(name)
        if state is not None and (state.started or state.done):
            begun, last = state.started or min(planned[name].start, as_of), state.finished or dates.finish
            found[name] = Span(min(begun, last), last)
        else:
            found[name] = Span(dates.start, dates.finish)
    return {item.id: found[item.id] for item in schedule.items if item.kind == "task"}


def person_days(plan: Plan, schedule: Scheduled) -> np.ndarray:
    """Return (N,) person-days of each item at its likely duration; a task that names no people counts as one person."""
    people = {task.id: sum(task.roles.values()) or 1.0 for task in plan.schedule.tasks}
    return np.array([people.get(item.id, 0.0) for item in schedule.items]) * schedule.days[:, _LIKELY]


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day of something."""

    start: dt.date
    finish: dt.date


@dataclass(frozen=True, slots=True)
class Move:
    """A date that is no longer what the baseline says.

    Attributes:
        id: of a task, a gate or a milestone.
        date: finish or due.
        before, after: in the baseline, and now.
        workdays: how much later; below 0 sooner.
    """

    id: str
    date: str
    before: dt.date
    after: dt.date
    workdays: int


def baseline_rows(plan: Plan, schedule: Scheduled) -> tuple[BaselineRow, ...]:
    """Return the dates of a schedule as they are to be frozen, with the person-days of each item."""
    dates, value = schedule.dates(), person_days(plan, schedule)
    return tuple(
        BaselineRow(
            item.id,
            dates[item.id].start,
            dates[item.id].finish,
            schedule.due[item.id].last_workday if item.id in schedule.due else None,
            float(value[k]),
        )
        for k, item in enumerate(schedule.items)
    )


def moves(schedule: Scheduled, baseline: Baseline, now: Mapping[str, Dates]) -> tuple[Move, ...]:
    """Return the dates that differ from the baseline, the latest against it first; what is new or gone has none.

    Args:
        now: {id: dates} as they stand.
    """
    found = []
    for item in schedule.items:
        row = baseline.rows.get(item.id)
        if row is None:
            continue
        due = schedule.due[item.id].last_workday if item.id in schedule.due else None
        for date, was, then in (("finish", row.finish, now[item.id].finish), ("due", row.due, due)):
            if was is not None and then is not None and was != then and (date == "due" or item.id in schedule.linked):
                found.append(Move(item.id, date, was, then, -slack_workdays(was, then, schedule.calendar)))
    return tuple(sorted(found, key=lambda move: -move.workdays))


@dataclass(frozen=True, eq=False)
class Tracked:
    """Progress of a schedule at a day.

    Attributes:
        standing: planned and earned value in person-days, pace and forecast in working days from the first on.
        at_pace: day of the finish at the pace so far; None while nothing is earned.
        behind_workdays: how much later than planned the last task ends when the rest is put in order again; below 0
            sooner.
        before: {id: dates} of the baseline; as planned where there is none, and for what is new since.
        now: {id: dates} with what has happened.
    """

    standing: Standing
    at_pace: dt.date | None
    behind_workdays: int
    before: Mapping[str, Dates | Span]
    now: Mapping[str, Dates]


def tracked(
    plan: Plan, schedule: Scheduled, states: Mapping[str, Any], as_of: dt.date, *, baseline: Baseline | None = None
) -> Tracked | None:
    """Return the progress at a day on which the schedule has begun and is not empty, else None.

    Value is counted in person-days, each task's evenly over its planned time. Costs are not compared: the log tells
    money, the plan's value is work.

    Args:
        schedule: as planned.
        states: as in `progressed`.
        baseline: dates and person-days at approval; None = those of the plan as it is.
    """
    tasks = [k for k, item in enumerate(schedule.items) if item.kind == "task"]
    first, calendar = schedule.network.first_day, schedule.calendar
    if as_of < first or not tasks:
        return None
    ids = [schedule.items[k].id for k in tasks]
    now = progressed(schedule, states, as_of).dates()
    frozen = {} if baseline is None else baseline.rows
    before = planned_dates(schedule, baseline)
    value = person_days(plan, schedule)[tasks]
    value = np.array([frozen[name].person_days if name in frozen else v for name, v in zip(ids, value, strict=True)])
    finish = np.array([calendar.between(first, before[name].finish) for name in ids], dtype=float)
    start = np.array([calendar.between(first, before[name].start) - 1 for name in ids], dtype=float)
    done = [states[name].done if name in states else 0.0 for name in ids]
    status = float(calendar.between(first, as_of))
    found = standing(np.maximum(start, 0), finish, value, done, status=status)
    at_pace = None
    if found.finish is not None:
        at_pace = calendar.add(calendar.on_or_after(first), max(int(np.ceil(found.finish)) - 1, 0))
    ends = [max(dates[name].finish for name in ids) for dates in (before, now)]
    return Tracked(found, at_pace, -slack_workdays(ends[0], ends[1], calendar), before, now)
