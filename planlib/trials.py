"""Which tests the tidy tables hold, and what each of them is asked: by the plan where it lists the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.core.aggregates import Families
from planlib.core.intervals import Interval
from planlib.core.words import LOCALES, words
from planlib.data.engine import Engine, statement
from planlib.data.readout import TABLE, People, trial_text
from planlib.experiments.policy import Gain, rule_by_segment
from planlib.experiments.trial import Guardrail, Metric, Money, Question, ReadOut
from planlib.plan.registration import design, deviations, experiment_of, registered
from planlib.readout import TRIAL, read_out
from planlib.registering import deviation_line, metric_id, observed
from planlib.registering import people_of as people_of_test

if TYPE_CHECKING:
    from planlib.plan import Plan

CLASSES = ("value_class", "interaction_class")  # known at assignment
AFTER = "friend"  # friend or deleted: known only afterwards
RATIOS = {"message_open": ("messages_opened", "messages_delivered")}  # metrics that are ratios of two columns
FALLING = ("opt_out", "complaint", "group_exit", "coupon_redeemed")  # what should not rise
DELIVERED = "delivered"
NET_MARGIN = "net_margin"
BEFORE = "_before"
LEAST_OF_CLASS = 100  # people in each arm of a class, for a rule by class
CONTROLS = ("control", "none", "holdout")


@dataclass(frozen=True, slots=True)
class Trial:
    """A test as the tables hold it.

    Attributes:
        id, name: of the test; the name as written in its table, else "".
        metric: registered primary metric, as its table names it.
        start, end: first and last day; None where not told.
        arms: labels in alphabetical order.
        columns: metrics that were measured, in alphabetical order.
        people: entries in all arms.
    """

    id: str
    name: str
    metric: str
    start: dt.date | None
    end: dt.date | None
    arms: tuple[str, ...]
    columns: tuple[str, ...]
    people: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a test is asked, and where that comes from.

    Attributes:
        trial: the test.
        question: None with `reason`.
        reason: why it cannot be read out: one_arm, no_outcomes, or no_primary (the registered metric was not
            measured); else "".
        planned: whether the plan lists the test.
        running: whether its last day is still to come.
        registered: the registered metric where net margin decides, else None.
        overruled: metric that the test's table names as primary where the plan's decides, else None.
        not_measured: primary metric of the plan where nobody measured it and that of the table decides; else "".
        unmeasured: guardrails that the plan asks for and nobody measured.
    """

    trial: Trial
    question: Question | None
    reason: str
    planned: bool
    running: bool
    registered: Metric | None = None
    overruled: Metric | None = None
    not_measured: str = ""
    unmeasured: tuple[str, ...] = ()


def trials(engine: Engine) -> tuple[Trial, ...]:
    """Return the tests in the order in which they began."""
    heads = {row["exp_id"]: row for row in engine.query("SELECT * FROM experiments").rows()}
    measured: dict[str, list[str]] = {}
    for row in engine.query("SELECT DISTINCT exp_id, metric FROM outcomes ORDER BY exp_id, metric").rows():
        measured.setdefault(row["exp_id"], []).append(row["metric"])
    arms: dict[str, list[str]] = {}
    text = (
        "SELECT exp_id, variant, CAST(MIN(assigned_at) AS DATE) AS first, COUNT(*) AS people FROM assignments "
        "GROUP BY exp_id, variant ORDER BY exp_id, variant"
    )
    first: dict[str, dt.date] = {}
    people: dict[str, int] = {}
    for row in engine.query(text).rows():
        arms.setdefault(row["exp_id"], []).append(row["variant"])
        people[row["exp_id"]] = people.get(row["exp_id"], 0) + int(row["people"])
        if row["first"] is not None:
            first[row["exp_id"]] = min(row["first"], first.get(row["exp_id"], row["first"]))
    found = []
    for name, labels in arms.items():
        head = heads.get(name, {})
        found.append(
            Trial(
                name, head.get("name") or "", head.get("metric") or "", head.get("start_on") or first.get(name),
                head.get("end_on"), tuple(labels), tuple(measured.get(name, ())), people[name],
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda trial: (trial.start or dt.date.max, trial.id)))


def people_of(engine: Engine, trial: Trial) -> People:
    """Take everybody assigned to a test, with what was known of each at assignment.

    Columns are those of `People.of_trial`, then value_class, interaction_class, friend, and fold, which deals people
    out by the last letter of their hashed id; the classes rest on orders and acts before assignment alone.
    """
    covariates = [name for name in trial.columns if name.endswith(BEFORE)]
    text = (
        "SELECT p.*, c.value_class, c.interaction_class, c.friend, SUBSTR(p.unit, LENGTH(p.unit), 1) AS fold "
        f"FROM ({trial_text(trial.id, trial.columns, covariates)}) p "
        f"LEFT JOIN (\n{statement('assigned_classes')}\n) c ON c.unit = p.unit"
    )
    return People(engine.hand_over(text, TABLE, {"experiment": trial.id}), trial.id)


def ask(
    trial: Trial,
    plan: Plan,
    *,
    as_of: dt.date,
    margins: Mapping[str, float],
    planned_people: Mapping[str, int] | None = None,
) -> Asked:
    """Say what a test is asked.

    Control, primary metric, guardrails with margins, level, sides, looks, smallest worthwhile effect, segments and
    prior are the plan's where it lists the test; what its table says otherwise is told. A test of coupons is judged
    by the net margin of each person assigned where that was measured. A test that has ended is read out as complete:
    its size was fixed by the calendar.

    Args:
        trial: as the tables hold it.
        plan: of the run.
        as_of: newest day of the data.
        margins: column -> margin of a guardrail, for tests that the plan does not list.
        planned_people: test -> people planned, for tests that still run; one that is not listed counts as planned as
            far as its days have gone.
    """
    planned = next((one for one in plan.experiments if one.id == trial.id), None)
    running = trial.end is not None and trial.end > as_of
    if len(trial.arms) < 2:
        return Asked(trial, None, "one_arm", planned is not None, running)
    if not trial.columns:
        return Asked(trial, None, "no_outcomes", planned is not None, running)
    named, agreed = _metric(trial.metric, trial.columns), _agreed(planned, trial)
    registered = agreed or named
    net = next((name for name in trial.columns if name.startswith(NET_MARGIN)), None)
    primary = _metric(net, trial.columns) if net else registered
    if primary is None:
        return Asked(trial, None, "no_primary", planned is not None, running)
    guards, unmeasured = _guardrails(trial, planned, margins)
    primary = replace(primary, higher_is_better=primary.column not in {one.metric.column for one in guards})
    secondary = _secondary(trial, primary, (registered, named), guards)
    known = [label for label in planned.arms if label in trial.arms] if planned else []
    options: dict[str, Any] = {
        "guardrails": tuple(guards),
        "dimensions": ("block",),
        "after_assignment": (AFTER,),
        "delivered": DELIVERED if DELIVERED in trial.columns else None,
        "planned_people": (planned_people or {}).get(trial.id) or _by_days(trial, as_of) if running else None,
        "money": _money(primary, plan),
    }
    if planned is not None:
        options |= _settled(planned, running=running, own=agreed is not None and primary.name == agreed.name)
    question = Question(
        control=known[0] if known else _control(trial.arms), metrics=(primary, *secondary), **TRIAL, **options
    )
    other = registered if registered is not None and registered.name != primary.name else None
    overruled = named if agreed is not None and named is not None and named.name != agreed.name else None
    gone = planned.primary if planned is not None and agreed is None else ""
    return Asked(trial, question, "", planned is not None, running, other, overruled, gone, tuple(unmeasured))


def planned_people(plan: Plan) -> dict[str, int]:
    """Return the people in all arms that each test of the plan needs, by test."""
    return {test.id: people_of_test(test) for test in plan.experiments}


def read(engine: Engine, asked: Asked) -> ReadOut:
    """Read a test out, by assignment; segments of fewer than two labels are left out."""
    with people_of(engine, asked.trial) as people:
        question = asked.question
        several = [name for name in question.segments if _labels(people, name) > 1]
        return read_out(people, replace(question, segments=tuple(several)))


@dataclass(frozen=True, slots=True)
class Policy:
    """Each class its own arm, beside one arm for everybody.

    Attributes:
        column: of the class at assignment.
        labels: of the classes.
        people: (S,) of each.
        arms: (S,) label of the arm that is best for each class after shrinkage.
        one_arm: the best for all; "" where too few.
        gain: in the primary metric, up or down as it is; None with `reason`.
        reason: too_few (an arm of a class has fewer than `least` people), same_arm (one arm is best for every class,
            whoever chooses, so that there is nothing to gain); else "".
        least: people in each arm of a class that a rule by class needs.
    """

    column: str
    labels: tuple[str, ...]
    people: tuple[int, ...]
    arms: tuple[str, ...]
    one_arm: str
    gain: Gain | None
    reason: str = ""
    least: int = LEAST_OF_CLASS


def policies(engine: Engine, asked: Asked, found: ReadOut) -> tuple[Policy, ...]:
    """Judge, for every class that the plan names, a rule that gives each class its own arm.

    A rule is chosen on some people and judged on others. Nothing is judged of ratios and of faulty assignments.
    """
    question = asked.question
    if question.primary.denominator is not None or found.decision.id == "invalid":
        return ()
    column = question.primary.column
    with people_of(engine, asked.trial) as people:
        made = [
            (name, people.families(question.variant, question.control, [(column,)], by=(name, "fold")))
            for name in dict.fromkeys(one.segment[0] for one in found.segments)
        ]
    return tuple(_policy(name, sums, column, found, question.primary.higher_is_better) for name, sums in made)


def _policy(name: str, sums: Families, column: str, found: ReadOut, up: bool) -> Policy:
    labels = tuple(dict.fromkeys(label for label, _ in sums.groups))
    folds = tuple(dict.fromkeys(fold for _, fold in sums.groups))
    cells = np.zeros((3, len(folds), len(labels), len(sums.arms)))
    own = sums.of[column,]
    for group, (label, fold) in enumerate(sums.groups):
        parts = (own.count, own.total if up else -own.total, own.cross)
        cells[:, folds.index(fold), labels.index(label)] = [part[:, group, 0, 0] for part in parts]
    people = cells[0].sum(axis=0)
    counted = tuple(int(n) for n in people.sum(axis=1))
    if people.min() < LEAST_OF_CLASS or len(folds) < 2:
        return Policy(name, labels, counted, (), "", None, "too_few")
    gain = rule_by_segment(*cells, found.health.shares)
    if gain.se == 0:
        everybody = sums.arms[gain.one_arm]
        return Policy(name, labels, counted, (everybody,) * len(labels), everybody, None, "same_arm")
    if not up:
        band = Interval(-gain.interval.high, -gain.interval.low, gain.interval.level)
        gain = replace(gain, gain=-gain.gain, interval=band)
    arms = tuple(sums.arms[at] for at in gain.arms)
    return Policy(name, labels, counted, arms, sums.arms[gain.one_arm], gain)


def welcome_lag(engine: Engine, trial: Trial) -> tuple[int, int]:
    """Count the people of a test who had just joined, and those of them who waited over five minutes for a message.

    Just joined: within a day before assignment. Where no message is on record, the assignment stands for it.
    """
    (row,) = engine.query("welcome_lag", {"experiment": trial.id}).rows()
    return int(row["people"]), int(row["late"])


def departures(asked: Asked, found: ReadOut, plan: Plan) -> list[dict[str, str]]:
    """Return how a read-out departs from the registration of its test, one sentence in both languages each.

    Raises:
        InputError: the plan's decision log has been damaged.
    """
    trial = asked.trial
    agreed = registered(plan.file, trial.id) if asked.planned else None
    if agreed is None:
        return []
    test = experiment_of(plan, trial.id)
    seen = observed(found, first_day=trial.start, finished=not asked.running)
    every = deviations(agreed, design(test, people_of_test(test)), seen)
    return [{locale: deviation_line(one, words(locale)) for locale in LOCALES} for one in every]


def _labels(people: People, column: str) -> int:
    return len(people.breakdown("variant", (), column))


def _metric(name: str | None, columns: tuple[str, ...]) -> Metric | None:
    """A metric of the tables by the name of a column, a ratio of two, or a rate of the catalogue."""
    for own in (name or "", (name or "").removesuffix("_rate")):
        if own in columns:
            before = f"{own}{BEFORE}"
            return Metric(
                own, covariate=before if before in columns else None, higher_is_better=not own.startswith(FALLING)
            )
        parts = RATIOS.get(own)
        if parts and set(parts) <= set(columns):
            return Metric(*parts)
    return None


def _agreed(planned: Any, trial: Trial) -> Metric | None:
    """The plan's primary metric as the table calls it: by name, or a column that measures it, the table's own first."""
    if planned is None:
        return None
    outcomes = [name for name in (trial.metric, *trial.columns) if name and not name.endswith(BEFORE)]
    names = [planned.primary, *(name for name in outcomes if metric_id(name) == planned.primary)]
    return next((found for name in names if (found := _metric(name, trial.columns)) is not None), None)


def _guardrails(trial: Trial, planned: Any, margins: Mapping[str, float]) -> tuple[list[Guardrail], list[str]]:
    wanted = {one.metric: one.margin for one in planned.guardrails} if planned else dict(margins)
    found, missing = [], []
    for name, margin in wanted.items():
        metric = _metric(name, trial.columns)
        if metric is None:
            missing.append(name)
        else:
            found.append(Guardrail(metric, margin_abs=margin))
    return found, missing


def _secondary(
    trial: Trial, primary: Metric, named: tuple[Metric | None, ...], guards: list[Guardrail]
) -> list[Metric]:
    """What else was measured: neither guardrail nor covariate nor part of a ratio nor delivery itself."""
    ratio = {name for parts in RATIOS.values() for name in parts}
    used = {primary.column, DELIVERED, *ratio, *(one.metric.column for one in guards)}
    others = [name for name in trial.columns if name not in used and not name.endswith(BEFORE)]
    found = [_metric(name, trial.columns) for name in others]
    first = [one for one in named if one is not None and one.name != primary.name]
    return list({metric.name: metric for metric in (*first, *found) if metric is not None}.values())


def _settled(planned: Any, *, running: bool, own: bool) -> dict[str, Any]:
    """What the plan settled before the test; effects are worth it in the unit of the planned metric alone."""
    effect = planned.smallest_worth_having.central
    return {
        "alpha": planned.alpha,
        "alternative": "two_sided" if planned.sides == 2 else "greater" if effect > 0 else "less",
        "looks": tuple(planned.looks) if running else (1.0,),
        "stopping": planned.stopping if running else "fixed",
        "worth": abs(effect) if own else None,
        "prior_sd_rel": planned.effect_sd.central if planned.effect_sd is not None and own else None,
        "segments": tuple(name for name in planned.segments if name in CLASSES),
    }


def _money(primary: Metric, plan: Plan) -> Money | None:
    people = float(plan.baseline.opening_users.central)
    if people <= 0:
        return None
    if primary.column.startswith(NET_MARGIN):
        return Money(1.0, people)
    margin = plan.baseline.gross_margin
    if primary.column.startswith("order_") and margin is not None:
        return Money(plan.baseline.aov.central * margin.central, people)
    return None


def _by_days(trial: Trial, as_of: dt.date) -> int | None:
    """People at the end of a test, if they come as they did so far; None without a first day."""
    if trial.start is None or trial.end is None:
        return None
    gone = max((as_of - trial.start).days + 1, 1)
    return max(round(trial.people * ((trial.end - trial.start).days + 1) / gone), trial.people + 1)


def _control(arms: tuple[str, ...]) -> str:
    return next((name for name in CONTROLS if name in arms), arms[0])


def variants(engine: Engine, asked: Asked, found: ReadOut) -> dict[str, ReadOut]:
    """Read a test out under other choices, where there are any.

    Returns:
        left_out: without the labels that are at fault, in all arms; registered: judged by the registered metric where
        another one decides.
    """
    others: dict[str, ReadOut] = {}
    for mismatch in (found.health.mismatch, found.health.reached):
        if mismatch is not None and mismatch.remedy == "leave_out_in_all_arms":
            gone = tuple((mismatch.dimension, label) for label in mismatch.labels)
            others["left_out"] = read(engine, replace(asked, question=replace(asked.question, leave_out=gone)))
            break
    if asked.registered is not None:
        metrics = [asked.registered, *(m for m in asked.question.metrics if m.name != asked.registered.name)]
        plain = replace(asked.question, metrics=tuple(metrics), worth=None, prior_sd_rel=None, money=None)
        others["registered"] = read(engine, replace(asked, question=plain))
    return others
