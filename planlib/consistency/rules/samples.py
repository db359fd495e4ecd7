"""R21: whether the tests that a plan wants find the people they need, and keep them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from planlib.consistency.finding import STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.intake import CHANNEL_FLOW, intake
from planlib.consistency.rules.made import Place, bilingual, made
from planlib.consistency.rules.stated import months, number, ratio, users
from planlib.consistency.view import BASELINE, BENCHMARK, CASE, STATISTIC, Said, View
from planlib.core.metrics import metric
from planlib.plan import Plan

_ALPHA, _POWER, _SIDES = 0.05, 0.8, 2
_MOVES = 0.05  # share of people who change class in a week, shown where the plan states none
_EXAMPLE_WEEKS = 4
_CLASS_BLOCKS = ("segment", "tier")


def sample_load(view: View) -> Iterator[Finding]:
    """R21: tests need more people than come, or people who stay in their class.

    Test: people for a lift of the plan's smallest size <= one month of new users, for each level that is quoted as
    the start; the plan's own tests together <= new users, month by month; 1/stay^2 times the people where classes
    move while they are strata.
    Level: strain. Sizes: two-sided 5 %, power 80 %, unpooled normal approximation, rounded up.
    Trap: one row for each quoted level, never an average of them.
    """
    for plan in view.plans:
        yield from _baselines(view, plan)
        yield from _together(view, plan)
        yield from _moving_classes(view, plan)


def per_arm(before: float, after: float, *, alpha=_ALPHA, power=_POWER, sides=_SIDES, pooled=False) -> int:
    """Return the people in each of two arms that find the difference of two shares.

    >>> per_arm(0.08, 0.088), per_arm(0.08, 0.12), per_arm(0.08, 0.12, pooled=True)
    (18869, 880, 882)
    """
    z, own = NormalDist(), math.sqrt(before * (1 - before) + after * (1 - after))
    middle = (before + after) / 2
    null = math.sqrt(2 * middle * (1 - middle)) if pooled else own
    exact = ((z.inv_cdf(1 - alpha / sides) * null + z.inv_cdf(power) * own) / (after - before)) ** 2
    return math.ceil(exact - 1e-9)


def _baselines(view: View, plan: Plan) -> Iterator[Finding]:
    """One lift from each level that the documents quote as the start: some fit in a month of intake, some do not."""
    flow = intake(view, plan, metric(CHANNEL_FLOW))
    for said in _tested(view, plan):
        lift = _smallest_lift(plan, said.metric.id)
        starts = _starts(view, said)
        if flow is None or lift is None or len(starts) < 2:
            continue
        a_month = flow.amount.value
        sizes = [(s, 2 * per_arm(s.value, s.value * (1 + lift))) for s in starts]
        most, fewest = max(sizes, key=lambda x: x[1]), min(sizes, key=lambda x: x[1])
        if most[1] <= a_month or not a_month:
            continue
        lift_needed = _lift_that_fits(most[0].value, a_month)
        yield made(
            "R21",
            STRAIN,
            "rules_capacity.R21.baselines",
            [said, fewest[0], most[0]],
            {
                "lift": ratio(lift, signed=True),
                "low": ratio(most[0].value),
                "high": ratio(fewest[0].value),
                "n_low": users(most[1]),
                "n_high": users(fewest[1]),
                "intake": users(a_month),
                "span": months(most[1] / a_month),
            },
            names={"metric": {"metric": said.metric.id}},
            repairs=(
                Repair("baseline", f"experiments.{_experiment(plan, said.metric.id)}.baseline.value"),
                Repair("smallest_effect", "", ratio(lift_needed) if math.isfinite(lift_needed) else None),
            ),
            cost=1 - a_month / most[1],
            extra=_size_extra(view, said, sizes, fewest[0].value),
        )


def _tested(view: View, plan: Plan) -> list[Said]:
    """Return the goals for shares that a planned test is about."""
    primaries = {e.primary for e in plan.experiments}
    return [
        next(iter(goals))
        for name in sorted(primaries)
        if (goals := [g for g in view.goals(name, plan=plan.id) if 0 < g.value < 1 and g.statement.population is None])
    ]


def _starts(view: View, goal: Said) -> list[Said]:
    """Return the sector's levels of a share, one of each."""
    sector = view.of(goal.metric.id, kinds=(BENCHMARK, STATISTIC))
    found = sector + view.of(goal.metric.id, kinds=(BASELINE,), plan=goal.plan)
    levels = {round(s.value, 9): s for s in found if s.statement.operation == "equals" and 0 < s.value < 1}
    return [levels[value] for value in sorted(levels)]


def _smallest_lift(plan: Plan, metric_id: str) -> float | None:
    """Return the smallest relative change that a test of this share is to find."""
    lifts = [
        abs(e.smallest_worth_having.central) / e.baseline.central
        for e in plan.experiments
        if e.primary == metric_id and e.baseline.central
    ]
    return min(lifts, default=None)


def _experiment(plan: Plan, metric_id: str) -> str:
    return next(e.id for e in plan.experiments if e.primary == metric_id)


def _lift_that_fits(start: float, people: float) -> float:
    """Return the smallest relative change, in whole per cent, that a test of so many people finds."""
    lifts = np.arange(1, int(100 * (1 - start) / start) + 1) / 100
    fits = (x for x in lifts if start * (1 + x) < 1 and 2 * per_arm(start, start * (1 + x)) <= people)
    return float(next(fits, math.nan))


def _size_extra(view: View, goal: Said, sizes, start: float) -> dict[str, float]:
    """Sizes for each start, for the lifts of cases from the highest one, and from it to the goal."""
    extra = {}
    for k, (said, total) in enumerate(sizes, start=1):
        extra |= {f"start_{k}": said.value, f"per_arm_{k}": total / 2, f"total_{k}": total}
    for said in view.of(goal.metric.id, kinds=(CASE,), level=False):
        if said.unit == "relative_change" and said.value > 0 and start * (1 + said.value) < 1:
            extra[f"per_arm_for_{said.value:.0%}"] = per_arm(start, start * (1 + said.value))
    if goal.value > start:
        extra["per_arm_to_goal"] = per_arm(start, goal.value)
        extra["per_arm_to_goal_pooled"] = per_arm(start, goal.value, pooled=True)
    return {name: float(value) for name, value in extra.items()}


def _need(experiment) -> int:
    """Return the people that a planned test needs, the control compared with each other arm."""
    arms = list(experiment.arms.values())
    before, effect = experiment.baseline.central, experiment.smallest_worth_having.central
    if not (0 < before < 1 and 0 < before + effect < 1 and effect):
        return 0
    alpha = experiment.alpha / (len(arms) - 1)
    each = per_arm(before, before + effect, alpha=alpha, power=experiment.power, sides=experiment.sides)
    return math.ceil(each / min(arms))


def _together(view: View, plan: Plan) -> Iterator[Finding]:
    """The plan's tests on new users against the new users of each month."""
    flow = intake(view, plan, metric(CHANNEL_FLOW))
    tests = [
        e
        for e in plan.experiments
        if e.start_month and metric(e.primary).population == "new_users" and e.traffic_per_week.central and _need(e)
    ]
    if flow is None or not tests:
        return
    from planlib.experiments.planning import monthly_load

    weeks = [math.ceil(_need(e) / e.traffic_per_week.central) for e in tests]
    asked = monthly_load([_need(e) for e in tests], weeks, [e.start_month for e in tests], months=plan.months)
    come = flow.amount.value * flow.shape
    over = asked.sum(0) - come
    worst = int(np.argmax(over))
    if over[worst] <= flow.amount.tolerance:
        return
    running = [e for e, people in zip(tests, asked[:, worst], strict=True) if people]
    yield made(
        "R21",
        STRAIN,
        "rules_capacity.R21.together",
        [Place(e.id, e.baseline.source, plan.id) for e in running],
        {
            "due": Figure(worst + 1, "month"),
            "asked": users(float(asked[:, worst].sum())),
            "intake": users(float(come[worst])),
            "n": number(len(running)),
        },
        repairs=(Repair("start_month", f"experiments.{running[-1].id}.start_month"), Repair("smallest_effect", "")),
        cost=float(over[worst] / asked[:, worst].sum()),
    )


def _moving_classes(view: View, plan: Plan) -> Iterator[Finding]:
    """Tests that block by a class which moves with behaviour: who is still in it at the end."""
    moving = [s for s in view.of("tier_transition", plan=plan.id, level=False)]
    tests = [e for e in plan.experiments if e.block in _CLASS_BLOCKS]
    if not moving or not tests:
        return
    weeks = {e.id: math.ceil(_need(e) / e.traffic_per_week.central) for e in tests if e.traffic_per_week.central}
    longest = max((e for e in tests if e.id in weeks), key=lambda e: weeks[e.id], default=None)
    if longest is None:
        return
    n = max(weeks[longest.id], 1)
    stay = (1 - _MOVES) ** n
    four = (1 - _MOVES) ** _EXAMPLE_WEEKS
    rules = [s for s in view.of("ab_testing", plan=plan.id, level=False)]
    yield made(
        "R21",
        STRAIN,
        "rules_capacity.R21.moving",
        [*moving, *rules, Place(longest.id, longest.baseline.source, plan.id)],
        {
            "moves": ratio(_MOVES),
            "weeks": Figure(n, "weeks"),
            "stay": ratio(stay),
            "factor": Figure(1 / stay**2, "multiple"),
        },
        names={"test": bilingual(longest.question)},
        repairs=(Repair("freeze_class", ""), Repair("class_changes", "")),
        cost=1 - stay**2,
        extra={
            f"stay_after_{_EXAMPLE_WEEKS}": four,
            f"moved_after_{_EXAMPLE_WEEKS}": 1 - four,
            f"factor_after_{_EXAMPLE_WEEKS}": 1 / four**2,
        },
    )
