"""Whether dates come in the order of causes, how often a plan decides, and which shares a count can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from planlib.consistency.finding import CONTRADICTION, QUESTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.made import Place, bilingual, made
from planlib.consistency.rules.stated import firm, month, months, number, place, ratio
from planlib.consistency.view import BENCHMARK, CASE, GOAL, Said, View
from planlib.core.metrics import catalogue, metric
from planlib.plan import Plan

_MONTHS_A_YEAR, _DAYS_A_YEAR = 12, 365
_LAYERS = 3  # a week, a month and a quarter are what plans decide by


@dataclass(frozen=True, slots=True)
class _Due:
    """A month that a plan names: for something delivered, or for a goal."""

    place: Place
    name: Mapping[str, object]
    month: int
    path: str


# ---- R11 -------------------------------------------------------------------------------------------------------------
def precedence(view: View) -> Iterator[Finding]:
    """R11: a result is due before what makes it possible, a stage ends before what it contains.

    Test: due(result) >= due(each milestone that enables it), and the end of a stage >= the dates of its contents.
    Level: contradiction inside one plan; strain between two plans, and where result and means fall in one month,
    which leaves no time to act. Trap: an effect's lag that is not stated is none, so only the order counts.
    """
    for plan in view.plans:
        for metric_id, due in _results(view, plan):
            yield from _too_early(view, plan, metric_id, due)
        yield from _stage_too_short(plan)
    for one, other in combinations(view.plans, 2):
        yield from _delivered_twice(one, other)
        yield from _stage_in_two_plans(one, other)


def _milestone(plan: Plan, row) -> _Due:
    path = f"schedule.milestones.{row.id}.by_month"
    return _Due(Place(row.id, row.source, plan.id), bilingual(row.name), row.by_month, path)


def _dated(plan: Plan) -> list:
    return [row for row in plan.schedule.milestones if row.by_month]


def _results(view: View, plan: Plan) -> Iterator[tuple[str, _Due]]:
    """Yield each metric that is due in a month: by a milestone, else by its earliest dated goal for everybody."""
    found = {row.deadline_of: _milestone(plan, row) for row in _dated(plan) if row.deadline_of}
    goals = [s for s in view.goals(plan=plan.id) if s.statement.by_month and s.statement.population is None]
    for goal in sorted(goals, key=lambda s: s.statement.by_month):
        where = Place(goal.id, goal.statement.source, plan.id)
        due = _Due(where, {"metric": goal.metric.id}, goal.statement.by_month, place(goal, "by_month"))
        found.setdefault(goal.metric.id, due)
    yield from found.items()


def _too_early(view: View, plan: Plan, metric_id: str, due: _Due) -> Iterator[Finding]:
    rows = [row for row in _dated(plan) if metric_id in row.enables and row.id != due.place.id]
    means = sorted((_milestone(plan, row) for row in rows), key=lambda m: m.month)
    if not means or means[-1].month < due.month:
        return
    last = means[-1]
    late = last.month - due.month
    extra = {f"after_{m.place.id}": float(due.month - m.month) for m in means}
    extra |= _opens(view, {row.deadline_of for row in rows}, due) | _best_case(view, metric_id)
    repair = Repair("due_month", due.path, month(last.month if late else last.month + 1))
    yield made(
        "R11",
        CONTRADICTION if late else STRAIN,
        "rules_dates.R11.result" if late else "rules_dates.R11.same_month",
        (due.place, *(m.place for m in reversed(means) if m.month >= due.month)),
        {"due": month(due.month), "last": month(last.month)} | ({"gap": months(late)} if late else {}),
        names={"result": due.name, "means": last.name},
        repairs=(repair,),
        cost=late / plan.months,
        extra=extra,
    )


def _opens(view: View, metrics: set[str | None], due: _Due) -> dict[str, float]:
    """Return when some plan's stages permit what the result rests on, if only after the result is due."""
    wanted = {metric(m).stage for m in metrics if m}
    stages = [s for p in view.plans for s in p.schedule.stages if s.months and wanted.intersection(s.permits)]
    first = min((stage.months[0] for stage in stages), default=0)
    return {"opens": float(first), "opens_late": float(first - due.month)} if first > due.month else {}


def _best_case(view: View, metric_id: str) -> dict[str, float]:
    """Return the highest floor that a case sets itself against the sector's level."""
    floors = [s.span[0] for s in view.of(metric_id, kinds=(CASE,)) if s.statement.operation == "at_least"]
    sector = [s.value for s in view.of(metric_id, kinds=(BENCHMARK,)) if s.value > 0]
    return {"case_over_sector": max(floors) / max(sector)} if floors and sector else {}


def _contents(plan: Plan, stage) -> list[_Due]:
    """Return the dated milestones of what a stage contains; of one thing dated twice the earlier."""
    rows = sorted((row for row in _dated(plan) if row.metric in stage.contains), key=lambda row: row.by_month)
    first = {row.metric: row for row in reversed(rows)}
    return sorted((_milestone(plan, row) for row in first.values()), key=lambda m: m.month)


def _stage(plan: Plan, stage) -> Place:
    return Place(stage.statement or stage.id, stage.source, plan.id)


def _stage_too_short(plan: Plan) -> Iterator[Finding]:
    for stage in plan.schedule.stages:
        inside = _contents(plan, stage)
        if stage.months and inside and inside[-1].month > stage.months[1]:
            last = inside[-1]
            yield made(
                "R11",
                CONTRADICTION,
                "rules_dates.R11.stage",
                (_stage(plan, stage), last.place),
                {"end": month(stage.months[1]), "last": month(last.month)},
                names={"stage": bilingual(stage.name), "means": last.name},
                repairs=(Repair("due_month", last.path, month(stage.months[1])),),
                cost=(last.month - stage.months[1]) / plan.months,
            )


def _horizon(*plans: Plan) -> int:
    """Return the last month of any stage, else of any plan."""
    ends = [stage.months[1] for p in plans for stage in p.schedule.stages if stage.months]
    return int(max(ends, default=max(p.months for p in plans)))


def _delivered_twice(one: Plan, other: Plan) -> Iterator[Finding]:
    """One thing is to be delivered in two months: the later date shifts all that the earlier plan builds on it."""
    for metric_id, m in catalogue().items():
        if m.kind != "date" or m.role != "cap" or m.links:
            continue
        rows = [min((r for r in _dated(p) if r.metric == metric_id), key=lambda r: r.by_month, default=None)
                for p in (one, other)]  # fmt: skip
        if None in rows or rows[0].by_month == rows[1].by_month:
            continue
        early, late = sorted((_milestone(p, r) for p, r in zip((one, other), rows, strict=True)), key=lambda d: d.month)
        slip, horizon = late.month - early.month, _horizon(one, other)
        yield made(
            "R11",
            STRAIN,
            "rules_dates.R11.delivered",
            (early.place, late.place),
            {"early": month(early.month), "late": month(late.month), "slip": months(slip),
             "share": ratio(slip / horizon)},
            names={"what": {"metric": metric_id}},
            repairs=(Repair("due_month", late.path, month(early.month)),),
            cost=slip / horizon,
        )  # fmt: skip


def _stage_in_two_plans(one: Plan, other: Plan) -> Iterator[Finding]:
    """A stage of the same name ends in two months, the later by what it contains."""
    for mine in one.schedule.stages:
        for theirs in other.schedule.stages:
            if mine.name.zh != theirs.name.zh:
                continue
            ends = []
            for plan, stage in ((one, mine), (other, theirs)):
                inside = _contents(plan, stage)
                end = max([m.month for m in inside] + ([stage.months[1]] if stage.months else []), default=None)
                ends.append((end, plan, stage, inside))
            if any(end is None for end, *_ in ends) or ends[0][0] == ends[1][0]:
                continue
            (early, first, stage, _), (late, second, overlay, inside) = sorted(ends, key=lambda e: e[0])
            extra = {f"{p.id}_stages": float(len(p.schedule.stages)) for p in (one, other)}
            extra |= {
                f"{p.id}_last_dated": float(max((r.by_month for r in _dated(p)), default=0)) for p in (one, other)
            }
            yield made(
                "R11",
                STRAIN,
                "rules_dates.R11.overlay",
                (_stage(first, stage), _stage(second, overlay), *(m.place for m in inside if m.month > early)),
                {"early": month(early), "late": month(late), "gap": months(late - early)},
                names={"stage": bilingual(stage.name)},
                cost=(late - early) / _horizon(one, other),
                extra=extra,
            )


# ---- R23 -------------------------------------------------------------------------------------------------------------
def cadence(view: View) -> Iterator[Finding]:
    """R23: decisions are taken in more rhythms than a year's calendar has a use for.

    Test: distinct intervals among what the plans schedule; runs a year = the sum of each interval's runs, a rhythm
    by stage running as often as a plan has stages. Level: strain with no cost, as no limit is declared. Trap: a time
    limit on an analysis is monitoring and schedules nothing; two things in one interval are one rhythm.
    """
    said = [s for s in view.of(level=False) if s.metric.family == "cadence" and s.metric.role == "driver"]
    dated = [s for s in said if s.plan and s.statement.operation and s.value > 0]
    layers = {_runs(s): s for s in reversed(dated) if s.unit != "per_stage"}
    staged = [s for s in dated if s.unit == "per_stage"]
    involved = [*(layers[runs] for runs in sorted(layers, reverse=True)), *staged[:1]]
    if len(involved) <= _LAYERS:
        return
    stages = [len(plan.schedule.stages) for plan in view.plans if plan.schedule.stages] if staged else [0]
    low, high = (sum(layers) + end(stages) for end in (min, max))
    yield made(
        "R23",
        STRAIN,
        "rules_dates.R23.layers",
        (*involved, *(s for s in dated if s not in involved)),
        {"n": number(len(involved)), "low": number(low), "high": number(high)},
        names={"most": {"metric": involved[0].metric.id}, "least": {"metric": involved[-1].metric.id}},
        repairs=(Repair("decision_calendar"),),
        extra={f"runs_{s.id}": float(runs) for runs, s in layers.items()},
    )


def _runs(said: Said) -> int:
    """Return how often a year has room for an interval."""
    year = {"months": _MONTHS_A_YEAR, "weeks": _DAYS_A_YEAR / 7, "hours": _DAYS_A_YEAR * 24}.get(
        said.unit, _DAYS_A_YEAR
    )
    return round(year / said.value)


# ---- R19 -------------------------------------------------------------------------------------------------------------
def lattice(view: View) -> Iterator[Finding]:
    """R19: a share of n things that k of n cannot be, and what the share would mean for all n together.

    Test: k/n with k whole, within the stated precision; p**n if the n are independent. Level: question, whether the
    share counts something else. Trap: an average over many such sets can be any share, so n has to be stated by the
    same source for the same firm; for a goal of a plan n is the number of its own milestones.
    """
    for said in view.of(kinds=(GOAL, CASE)):
        n = _counted(view, said)
        if not n or said.statement.operation != "equals" or not 0 < said.value < 1:
            continue
        whole = said.value * n.value
        near = [k / n.value for k in (int(whole), int(whole) + 1)]
        if min(abs(share - said.value) for share in near) <= max(said.tolerance, 0.005):
            continue
        yield made(
            "R19",
            QUESTION,
            "rules_dates.R19.share",
            (said, n.place),
            {"share": ratio(said.value), "n": number(n.value), "below": ratio(near[0]), "above": ratio(near[1]),
             "all": Figure(said.value**n.value, "probability")},
            names={"metric": {"metric": said.metric.id}, "counted": {"metric": said.metric.denominator}},
            repairs=(Repair("what_counts", place(said, "denominator")),),
            extra={"all_together": said.value**n.value},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Count:
    value: float
    place: Said | Place


def _counted(view: View, said: Said) -> _Count | None:
    """Return how many things a share is of, where that is stated."""
    below = catalogue().get(said.metric.denominator or "")
    if below is None or below.kind != "count" or said.statement.denominator:
        return None
    same = [s for s in view.of(below.id, kinds=(said.kind,), plan=said.plan) if firm(s) == firm(said)]
    if same:
        return _Count(same[0].value, same[0])
    plan = next((p for p in view.plans if p.id == said.plan and below.id == "milestones"), None)
    if plan is None or not plan.schedule.milestones:
        return None
    return _Count(float(len(plan.schedule.milestones)), Place("schedule.milestones", said.statement.source, plan.id))


RULES = {"R11": precedence, "R19": lattice, "R23": cadence}
