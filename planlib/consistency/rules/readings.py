"""Changes, multiples, scores and slopes that can be read in two ways."""

from __future__ import annotations

from collections.abc import Iterator

from planlib.consistency.finding import CONTRADICTION, Finding, Repair
from planlib.consistency.rules.made import ask, level_of, made
from planlib.consistency.rules.stated import down, multiple, number, place, planned, ratio, whole
from planlib.consistency.view import GOAL, OTHER, STATISTIC, Said, View
from planlib.core.metrics import catalogue
from planlib.plan import Plan

_PROBES = (0.70, 0.85)  # illustrations of a share before a lift, where no document gives one


def _records(view: View) -> list[Said]:
    """Return what is said once: the conditions of gates repeat goals."""
    return [s for s in view.said if s.kind != OTHER and s.statement.operation]


def readings(view: View) -> Iterator[Finding]:
    """R16: a number that two readings make two numbers.

    Test: all readings of a change within the metric's domain; value and cost per the same people; scores and shares
    of one thing; a slope carried to the ends of its scale. Level: question, one for all records of a kind;
    contradiction where no reading of a stated base stays in the domain. Trap: a stated reading or unit settles it.
    """
    yield from _outside(view)
    yield from _relative_or_points(view)
    yield from _times(view)
    for plan in view.plans:
        yield from _value_and_cost(view, plan)
        yield from _scores(view, plan)
        yield from _slope(view, plan)


def _relative_or_points(view: View) -> Iterator[Finding]:
    changes = [s for s in _records(view) if s.unit == "relative_change" and s.statement.reading is None]
    shares = [s for s in changes if s.metric.unit == "ratio"]
    if not shares:
        return
    levels: dict[str, float] = {}
    for s in _records(view):
        if s.is_level:
            levels[s.metric.id] = max(levels.get(s.metric.id, 0.0), s.value)
    shown = max(shares, key=lambda s: levels.get(s.metric.id, 0.0) + s.value)
    figures = {"n": number(len(changes)), "shares": number(len(shares)), "lift": ratio(shown.value, signed=True)}
    for name, base in zip(("", "_high"), _PROBES, strict=True):
        figures |= {f"base{name}": ratio(base), f"relative{name}": ratio(base * (1 + shown.value)),
                    f"points{name}": ratio(base + shown.value)}  # fmt: skip
    yield ask(
        view,
        "R16.relative",
        (shown, *shares),
        figures,
        names={"metric": {"metric": shown.metric.id}},
        repairs=(Repair("reading", "reading"),),
    )


def _outside(view: View) -> Iterator[Finding]:
    """A change of a stated base that leaves the domain in every reading, or in the one that is stated."""
    for s in _records(view):
        base = s.statement.base_value
        if not s.plan or base is None or s.unit != "relative_change" or s.metric.unit != "ratio":
            continue
        reached = {"relative": base * (1 + s.value), "points": base + s.value}
        tested = {k: v for k, v in reached.items() if s.statement.reading in (k, None)}
        if not tested or min(tested.values()) <= 1 + s.tolerance:
            continue
        most = 1 / (1 + s.value) if "relative" in tested else 1 - s.value
        yield made(
            "R16",
            CONTRADICTION,
            "rules_meaning.R16.outside",
            [s],
            {name: ratio(value) for name, value in ({"base": base} | reached).items()}
            | {"lift": ratio(s.value, signed=True)},
            names={"metric": {"metric": s.metric.id}},
            repairs=[Repair("base_level", place(s, "base_value"), ratio(down(most)))] if most > 0 else (),
            cost=1 - 1 / max(tested.values()),
        )


def _times(view: View) -> Iterator[Finding]:
    open_ones = [s for s in _records(view) if s.unit == "multiple" and not s.is_level and not s.statement.reading]
    if open_ones:
        figures = {"n": number(len(open_ones)), "low": multiple(open_ones[0].value)}
        figures["high"] = multiple(open_ones[0].value + 1)
        extra = {f"more_{s.id}": s.value + 1 for s in open_ones}
        yield ask(
            view,
            "R16.times",
            open_ones,
            figures,
            names={"metric": {"metric": open_ones[0].metric.id}},
            repairs=[Repair("to_or_by", "reading")],
            extra=extra,
        )


def _value_and_cost(view: View, plan: Plan) -> Iterator[Finding]:
    """A ratio of two amounts per head whose heads are not the same people."""
    known = catalogue()
    for m in known.values():
        above, below = known.get(m.numerator or ""), known.get(m.denominator or "")
        if above is None or below is None or above.kind != "money" or below.kind != "money":
            continue
        cost, share = (planned(view, plan.id, x, (GOAL,)) for x in (below.id, "conversion_rate"))
        value = _amount(view, plan, above.id)
        if above.population == below.population or value is None or not (cost and cost.value and share and share.value):
            continue
        goal, amount = value
        if goal.statement.denominator == cost.statement.denominator is not None:
            continue
        a_buyer = cost.value / share.value
        yield ask(
            view,
            "R16.heads",
            (goal, cost, share),
            {"value": level_of(goal, amount), "cost": level_of(cost, cost.value),
             "mixed": multiple(amount / cost.value), "share": ratio(share.value),
             "a_buyer": level_of(cost, a_buyer), "joined": multiple(amount / a_buyer)},
            names={"above": {"metric": above.id}, "below": {"metric": below.id}},
            repairs=(Repair("what_counts", place(goal, "denominator")),),
        )  # fmt: skip


def _amount(view: View, plan: Plan, metric: str) -> tuple[Said, float] | None:
    """Return a goal as an amount: as stated, else as a multiple of its reference."""
    level = planned(view, plan.id, metric, (GOAL,))
    if level is not None:
        return level, level.value
    for goal in view.goals(metric, plan=plan.id, level=False):
        reference = view.by_id(goal.statement.reference or "")
        if goal.unit == "multiple" and reference is not None and reference.is_level:
            return goal, goal.value * reference.value
    return None


def _scores(view: View, plan: Plan) -> Iterator[Finding]:
    for goal in whole(view.goals(plan=plan.id)):
        low, high = goal.metric.domain
        if goal.metric.kind != "score" or low is None or high is None or goal.statement.unit is not None:
            continue
        names = {"metric": {"metric": goal.metric.id}}
        repair = Repair("scale", place(goal, "unit"))
        if low == -high:  # those in favour less those against
            against = (high - goal.value) / 2
            figures = {"score": level_of(goal, goal.value), "favour": ratio(goal.value / high)}
            figures |= {"against": ratio(against / high), "balance": level_of(goal, goal.value - against)}
            yield ask(view, "R16.balance", [goal], figures, names=names, repairs=[repair])
            continue
        family = [s for s in view.cases() if s.metric.family == goal.metric.family and goal.metric.family]
        others = [s for s in family if s.unit == "ratio"]
        if others:
            figures = {"score": level_of(goal, goal.value), "top": number(high), "plain": ratio(goal.value / high),
                       "rescaled": ratio((goal.value - low) / (high - low)), "n": number(len(others)),
                       "low": ratio(min(s.value for s in others)),
                       "high": ratio(max(s.value for s in others))}  # fmt: skip
            names["other"] = {"metric": others[0].metric.id}
            yield ask(view, "R16.scale", [goal, *others], figures, names=names, repairs=[repair])


def _slope(view: View, plan: Plan) -> Iterator[Finding]:
    """A gain per step of a scale, carried from one end to the other."""
    for step in view.of(plan=plan.id):
        targets = step.metric.links.get("reference", ())
        if step.metric.kind != "score" or step.metric.unit != "ratio" or not targets or not 0 < step.value < 1:
            continue
        gains = [s for s in view.of(*targets, kinds=(STATISTIC,), level=False) if s.unit == "relative_change"]
        for gain in (s for s in gains if s.statement.source == step.statement.source):
            n = 1 / step.value
            yield ask(
                view,
                "R16.slope",
                (gain, step),
                {"gain": ratio(gain.value, signed=True), "step": ratio(step.value),
                 "linear": ratio(gain.value * n, signed=True), "compound": multiple((1 + gain.value) ** n)},
                names={"metric": {"metric": gain.metric.id}, "scale": {"metric": step.metric.id}},
                repairs=(Repair("limit", place(gain, "at_most")),),
            )  # fmt: skip
