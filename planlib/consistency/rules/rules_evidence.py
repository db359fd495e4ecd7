"""Whether trends, lifts and what other firms reached bear out what a plan expects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from planlib.consistency.finding import QUESTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.made import made
from planlib.consistency.rules.stated import by_id, firm, floor, multiple, number, place, planned, ratio, up, whole
from planlib.consistency.view import BASELINE, BENCHMARK, CASE, GOAL, STATISTIC, Said, View
from planlib.core.metrics import catalogue
from planlib.plan import Plan
from planlib.plan.model import Band

_PURE = ("ratio", "score", "score_of_5")  # levels that do not grow with the size of a firm
_TWICE = 2.0  # two averages of one sector this far apart are not of one thing


def _change(said: Said) -> bool:
    return said.unit == "relative_change" and said.statement.operation is not None


def _level(said: Said, value: float) -> Figure:
    return Figure(value, said.metric.unit)


# ---- R13 -------------------------------------------------------------------------------------------------------------
def drift(view: View) -> Iterator[Finding]:
    """R13: a level stands still, or a forecast is made, while a stated trend says otherwise.

    Test: v(1+g)**n against the cap it starts from or the forecast; a trend of the start against a goal beside it.
    Level: strain. Trap: growth of a sector is not the plan's own, so it costs nothing until it is measured.
    """
    for plan in view.plans:
        yield from _cap_against_growth(view, plan)
        yield from _trend_against_goal(view, plan)
    yield from _forecast(view)


def _cap_against_growth(view: View, plan: Plan) -> Iterator[Finding]:
    goals = [s for s in view.goals(plan=plan.id) if s.metric.direction == "down"]
    caps = {s.metric.id: s for s in goals if math.isfinite(s.span[1])}
    for trend in view.of(kinds=(STATISTIC,), level=False):
        cap = caps.get(trend.metric.id)
        if cap is None or not cap.span[1] or not _change(trend) or trend.value <= 0 or cap.statement.year is not None:
            continue
        later = cap.span[1] * (1 + trend.value)
        cuts = [s for s in view.of(cap.metric.id, kinds=(CASE,), level=False) if _change(s) and s.value < 0]
        extra = {f"with_{s.id}": (1 + trend.value) * (1 + s.value) for s in cuts}
        extra["at_the_end"] = cap.span[1] * (1 + trend.value) ** (plan.months / 12)
        yield made(
            "R13",
            STRAIN,
            "rules_evidence.R13.cap",
            (cap, trend, *cuts),
            {"cap": _level(cap, cap.span[1]), "growth": ratio(trend.value), "later": _level(cap, later),
             "gain": ratio(1 - cap.span[1] / later)},
            names={"metric": {"metric": cap.metric.id}},
            extra=extra,
        )  # fmt: skip


def _trend_against_goal(view: View, plan: Plan) -> Iterator[Finding]:
    dated = [s for s in view.of(kinds=(BASELINE,), plan=plan.id) if s.statement.year is not None and s.value > 0]
    for one, other in combinations(sorted(dated, key=lambda s: s.statement.year), 2):
        years = other.statement.year - one.statement.year
        change = other.value / one.value - 1
        if one.metric.id != other.metric.id or not years or one.metric.direction == "none":
            continue
        if (change < 0) != (one.metric.direction == "up") or not change:
            continue
        of_kind = one.metric.stage, one.metric.direction
        rising = [g for g in whole(view.goals(plan=plan.id)) if g.statement.from_value]
        goals = [g for g in rising if (g.metric.stage, g.metric.direction) == of_kind]
        goal = max(goals, key=lambda g: g.value / g.statement.from_value, default=None)
        if goal is None:
            continue
        start = goal.statement.from_value
        yield made(
            "R13",
            STRAIN,
            "rules_evidence.R13.trend",
            (goal, one, other),
            {"before": _level(one, one.value), "after": _level(one, other.value), "change": ratio(change, signed=True),
             "years": number(years), "a_year": ratio((1 + change) ** (1 / years) - 1, signed=True),
             "start": _level(goal, start), "goal": _level(goal, goal.value), "times": multiple(goal.value / start)},
            names={"metric": {"metric": one.metric.id}, "wanted": {"metric": goal.metric.id}},
        )  # fmt: skip


def _forecast(view: View) -> Iterator[Finding]:
    """A level, its growth and a later level, all of one scope."""
    said = [s for s in view.cases(level=False) if s.statement.year is not None and s.statement.operation]
    for growth in filter(_change, said):
        same = [s for s in said if s.is_level and s.metric.id == growth.metric.id
                and s.statement.scope == growth.statement.scope]  # fmt: skip
        for one in same:
            for other in same:
                years = other.statement.year - one.statement.year
                if one.statement.year != growth.statement.year or years <= 0 or one.value <= 0:
                    continue
                reached = one.value * (1 + growth.value) ** years
                low, high = other.span
                if low - other.tolerance <= reached <= high + other.tolerance:
                    continue
                yield made(
                    "R13",
                    STRAIN,
                    "rules_evidence.R13.forecast",
                    (other, one, growth),
                    {"base": _level(one, one.value), "growth": ratio(growth.value), "years": number(years),
                     "reached": _level(one, reached), "forecast": _level(other, other.value),
                     "needed": ratio((other.value / one.value) ** (1 / years) - 1)},
                    names={"metric": {"metric": one.metric.id}},
                )  # fmt: skip


# ---- R14 -------------------------------------------------------------------------------------------------------------
def lift_stack(view: View) -> Iterator[Finding]:
    """R14: lifts of single measures, multiplied, overshoot the goal; a cut is larger than its measures can make.

    Test: start x product of (1 + lift) over the levers that the plan tests, against its goal; a cut against the
    product of its stated factors, unknown ones at most 1. Level: strain. Trap: only levers that the plan lists
    count, so cases of other measures stay out; lifts of one lever may be one lift told twice.
    """
    for plan in view.plans:
        yield from _stacked(view, plan)
        yield from _cut(view, plan)


def _stacked(view: View, plan: Plan) -> Iterator[Finding]:
    listed = {e.lever for e in plan.experiments if e.lever}
    for goal in whole(view.goals(plan=plan.id)):
        start = goal.statement.from_value
        lifts = [s for s in view.of(goal.metric.id, kinds=(CASE, STATISTIC, BENCHMARK), level=False)
                 if _change(s) and s.value > 0 and s.statement.lever in listed]  # fmt: skip
        if not start or len(lifts) < 2 or goal.value <= start:
            continue
        stacked = start * math.prod(1 + s.value for s in lifts)
        if stacked <= goal.value + goal.tolerance:
            continue
        best: dict[str, float] = {}
        for s in lifts:
            best[s.statement.lever] = max(best.get(s.statement.lever, 0.0), s.value)
        overlap = math.log(goal.value / start) / math.log(stacked / start)
        yield made(
            "R14",
            STRAIN,
            "rules_evidence.R14.stack",
            (goal, *lifts),
            {"n": number(len(lifts)), "start": _level(goal, start), "stacked": _level(goal, stacked),
             "goal": _level(goal, goal.value), "overlap": ratio(overlap)},
            names={"metric": {"metric": goal.metric.id}},
            extra={"one_a_lever": start * math.prod(1 + v for v in best.values())},
        )  # fmt: skip


def _cut(view: View, plan: Plan) -> Iterator[Finding]:
    for cut in catalogue().values():
        for target in cut.links.get("reference", ()) if "product_of" in cut.links else ():
            goal = planned(view, plan.id, target, (GOAL,))
            factors = [s for s in (_best(view, m) for m in cut.links["product_of"]) if s is not None]
            cases = view.of(target, kinds=(CASE,))
            told = [s for s in cases if s.statement.from_value and 0 < s.value < s.statement.from_value]
            if goal is None or not factors or not told:
                continue
            most = math.prod(s.value for s in factors)
            case = max(told, key=lambda s: 1 - s.value / s.statement.from_value)
            reached = 1 - case.value / case.statement.from_value
            starts = {s.statement.from_value or s.value: s for s in cases}
            starts = {start: s for start, s in starts.items() if start > goal.value}
            needs = {start: (1 - goal.value / start) / most for start in starts}
            if reached <= most and max(needs.values(), default=0.0) <= 1:
                continue
            yield made(
                "R14",
                STRAIN,
                "rules_evidence.R14.cut",
                (goal, case, *factors, *starts.values()),
                {"before": ratio(case.statement.from_value), "after": ratio(case.value), "cut": ratio(reached),
                 "most": ratio(most), "goal": ratio(goal.value), "need": ratio(max(needs.values(), default=0.0))},
                names={"metric": {"metric": target}},
                extra={f"needed_from_{start:.0%}": need for start, need in needs.items()},
            )  # fmt: skip


def _best(view: View, metric: str) -> Said | None:
    return max(view.cases(metric), key=lambda s: s.value, default=None)


# ---- R15 -------------------------------------------------------------------------------------------------------------
def benchmark(view: View) -> Iterator[Finding]:
    """R15: what others reached does not bear out a goal, or is not of the same thing.

    Test: goal / reference where both are of one metric with a stated denominator; a case against the plan's own
    band; elasticity from one firm's two changes; sector averages of one name against each other. Level: strain;
    question where the denominator is open. Trap: levels with open denominators are never held against a goal,
    only set side by side.
    """
    for plan in view.plans:
        yield from _outside_band(view, plan)
        yield from _beyond_cases(view, plan)
        yield from _below_benchmarks(view, plan)
        yield from _diluted(view, plan)
        yield from _averages(view, plan)


def _outside_band(view: View, plan: Plan) -> Iterator[Finding]:
    bands = [s for s in view.of(plan=plan.id) if isinstance(s.statement, Band) and s.statement.source != "assumption"]
    for band in bands:
        others = [s for s in bands if s is not band and s.statement.axis == band.statement.axis]
        for case in view.of(band.metric.id, kinds=(CASE, BENCHMARK)):
            low, high = band.span
            if low - case.tolerance <= case.value <= high + case.tolerance or band.statement.year is not None:
                continue
            yield made(
                "R15",
                STRAIN,
                "rules_evidence.R15.band",
                (band, case, *others),
                {"case": ratio(case.value), "low": ratio(low), "high": ratio(high), "rest": ratio(1 - case.value),
                 "rest_low": ratio(sum(s.span[0] for s in others)), "rest_high": ratio(sum(s.span[1] for s in others))},
                names={"metric": {"metric": band.metric.id}},
                repairs=(Repair("band_year", f"{place(band).rpartition('.')[0]}.year"),),
            )  # fmt: skip


def _beyond_cases(view: View, plan: Plan) -> Iterator[Finding]:
    """A goal that nobody quoted reached, where goal and cases are of one thing."""
    for goal in whole(view.goals(plan=plan.id)):
        m = goal.metric
        if m.unit not in _PURE or m.direction == "none" or m.role == "cap" or (m.divided and not m.denominator):
            continue
        cases = [s for s in whole(view.of(m.id, kinds=(CASE, BENCHMARK))) if s.statement.denominator is None]
        if not cases or goal.statement.denominator:
            continue
        sign = 1 if m.direction == "up" else -1
        best = max(cases, key=lambda s: sign * s.value)
        if sign * (goal.value - best.value) <= goal.tolerance + best.tolerance:
            continue
        yield made(
            "R15",
            STRAIN,
            "rules_evidence.R15.beyond",
            (goal, best),
            {"goal": _level(goal, goal.value), "best": _level(best, best.value)},
            names={"metric": {"metric": m.id}},
            cost=abs(goal.value - best.value) / max(abs(goal.value), abs(best.value)),
        )


def _below_benchmarks(view: View, plan: Plan) -> Iterator[Finding]:
    """Goals as multiples of one thing, below the multiples that are to argue for them."""
    goals = [g for g in view.goals(plan=plan.id, level=False) if g.unit == "multiple" and g.metric.unit != "multiple"]
    for metric in dict.fromkeys(g.metric.id for g in goals):
        mine = [g for g in goals if g.metric.id == metric and g.value > 0]
        told = [s for s in view.of(metric, kinds=(BENCHMARK,), level=False) if s.unit == "multiple"]
        ends = [x for s in told for x in (s.statement.level if isinstance(s.statement.level, tuple) else (s.value,))]
        if not mine or not told or max(g.value for g in mine) >= min(ends):
            continue
        low, high = (end(g.value for g in mine) for end in (min, max))
        yield made(
            "R15",
            STRAIN,
            "rules_evidence.R15.below",
            (*mine, *told),
            {"goal_low": multiple(low), "goal_high": multiple(high), "low": multiple(min(ends)),
             "high": multiple(max(ends)), "share_low": ratio(low / max(ends)), "share_high": ratio(high / min(ends))},
            names={"metric": {"metric": metric}},
            extra={f"one_more_{s.id}": s.value + 1 for s in told if s.statement.reading is None},
        )  # fmt: skip


def _diluted(view: View, plan: Plan) -> Iterator[Finding]:
    """One firm's growth cost it some of another figure; the plan raises both."""
    told = view.of(kinds=(CASE,), level=False)
    stocks = [s for s in told if s.metric.kind == "stock" and 0 < (s.statement.from_value or 0) < s.value]
    for change in (s for s in told if _change(s) and -1 < s.value < 0):
        grown = [s for s in stocks if s.is_level and _occasion(s) == _occasion(change)]
        lifts = [g for g in view.goals(change.metric.id, plan=plan.id, level=False) if _change(g) and g.value > 0]
        for stock in grown[:1]:
            path = by_id(g for g in whole(view.goals(stock.metric.id, plan=plan.id)) if floor(g))
            levels = [g.span[0] for g in path]
            if not lifts or len(levels) < 2 or levels[-1] <= levels[0]:
                continue
            goal, growth = max(lifts, key=lambda g: g.value), levels[-1] / levels[0]
            elasticity = math.log(1 + change.value) / math.log(stock.value / stock.statement.from_value)
            kept = growth**elasticity
            earn = (1 + goal.value) / kept - 1
            yield made(
                "R15",
                STRAIN,
                "rules_evidence.R15.diluted",
                (goal, path[-1], stock, change),
                {"grown": multiple(stock.value / stock.statement.from_value), "lost": ratio(change.value, signed=True),
                 "growth": multiple(growth), "loss": ratio(kept - 1, signed=True),
                 "goal": ratio(goal.value, signed=True), "net": ratio((1 + goal.value) * kept - 1, signed=True),
                 "earn": ratio(earn, signed=True)},
                names={"stock": {"metric": stock.metric.id}, "metric": {"metric": change.metric.id}},
                repairs=(Repair("programme_lift", to=Figure(up(earn), "ratio", True)),),
                cost=1 - ((1 + goal.value) * kept - 1) / goal.value,
                extra={"elasticity": elasticity},
            )  # fmt: skip


def _occasion(said: Said) -> tuple[str, str, int | None]:
    return firm(said), said.statement.source, said.statement.year


def _averages(view: View, plan: Plan) -> Iterator[Finding]:
    """Sector averages under one name that cannot be of one thing, beside the goal that is held against them."""
    open_base = [g for g in whole(view.goals(plan=plan.id)) if g.metric.divided and not g.metric.denominator]
    for goal in {g.metric.id: g for g in open_base}.values():
        refs = [s for s in view.of(goal.metric.id, kinds=(BENCHMARK,)) if s.value > 0 and not s.statement.denominator]
        pairs = [p for p in combinations(sorted(refs, key=lambda s: s.value), 2) if _scope(p[0]) == _scope(p[1])]
        if goal.statement.denominator or not pairs or pairs[-1][1].value < _TWICE * pairs[-1][0].value:
            continue
        low, high = pairs[-1]
        cases = [s for s in view.of(goal.metric.id, kinds=(CASE,)) if s.value > 0]
        yield made(
            "R15",
            QUESTION,
            "rules_evidence.R15.averages",
            (goal, high, low, *cases),
            {"high": _level(goal, high.value), "low": _level(goal, low.value),
             "times": multiple(high.value / low.value), "goal": _level(goal, goal.value),
             "over_high": multiple(goal.value / high.value),
             "over_low": multiple(goal.value / low.value)},
            names={"metric": {"metric": goal.metric.id}},
            repairs=(Repair("what_counts", place(goal, "denominator")),),
            extra={f"over_{s.id}": goal.value / s.value for s in cases},
        )  # fmt: skip


def _scope(said: Said) -> str | None:
    return said.statement.scope


RULES = {"R13": drift, "R14": lift_stack, "R15": benchmark}
