"""A whole read-out out of sums: health, effects, guardrails, segments, looks, beliefs, decision, what may be adopted.

One method a question: shares by Newcombe's interval (Fisher's test where few convert), means by Welch, ratios by the
delta method, each with CUPED where a covariate is named; lifts by score or Fieller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.core.aggregates import Aggregates, Families
from planlib.core.bayes import Beta, Normal, beta_binomial
from planlib.core.guards import Guard
from planlib.core.information import chance_of_being_best
from planlib.core.intervals import Interval
from planlib.experiments import bayesian, means
from planlib.experiments.cuped import Cuped, adjusted, cuped, cuped_lift, cuped_ratio
from planlib.experiments.multiplicity import adjusted_p
from planlib.experiments.noninferiority import non_inferiority, non_inferiority_proportions
from planlib.experiments.portfolio import Exaggeration, exaggeration, shrink
from planlib.experiments.proportions import lift_of_proportions, two_proportions
from planlib.experiments.readout import Decision, Mismatch, decide, explain_mismatch, faults_of
from planlib.experiments.result import ALTERNATIVES, Arm, Result
from planlib.experiments.sequential import AlwaysValid, confidence_sequence, repeated_interval, spending_boundaries

KINDS = ("share", "mean", "ratio")
STOPPING = ("fixed", "obrien_fleming", "pocock")
FEW_CONVERSIONS = 5.0  # expected in a cell of the table, below which Fisher's test stands for the z test
WATCH = 0.01  # p-value of the split below which it is worth a look, though it is no alarm


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared.

    Attributes:
        column: the outcome of each person; with `denominator` the numerator.
        denominator: of a ratio of sums, such as orders; None for a share or mean.
        covariate: known of each person before assignment, for CUPED.
        covariate_denominator: of a ratio's covariate, which must be a ratio too.
        kind: share, mean or ratio; None lets a column of zeros and ones be a share and any other a mean.
        higher_is_better: False for metrics that should fall.
    """

    column: str
    denominator: str | None = None
    covariate: str | None = None
    covariate_denominator: str | None = None
    kind: str | None = None
    higher_is_better: bool = True

    @property
    def name(self) -> str:
        """The column, or numerator/denominator."""
        return self.column if self.denominator is None else f"{self.column}/{self.denominator}"

    @property
    def plain(self) -> tuple[str, ...]:
        """Columns of the outcome alone."""
        return (self.column,) if self.denominator is None else (self.column, self.denominator)

    @property
    def family(self) -> tuple[str, ...]:
        """Columns that are summed together."""
        before = (name for name in (self.covariate, self.covariate_denominator) if name is not None)
        return (*self.plain, *before)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not become worse by its margin; exactly one of the two margins is given, > 0."""

    metric: Metric
    margin_abs: float | None = None
    margin_rel: float | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """What the choice is worth: CNY of one unit of the primary metric's effect, and people who would get it."""

    cny_per_unit: float
    people: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a read-out is to answer, as it was settled before the test.

    Attributes:
        variant: column of the arm.
        control: its label of the control.
        metrics: the primary first, then the secondary ones.
        unit: column of the person, to find doubles and people in two arms; None when the rows are people for sure.
        guardrails: with margins.
        segments: columns known at assignment, whose effects are told apart.
        dimensions: further columns that may explain a mismatch, such as employee or batch.
        after_assignment: columns that came about later, such as send status or friend deleted.
        date: column of the day of assignment (or of a time, of which the day counts).
        shares: label -> planned share, that sum to 1; None with `share_column`, or when equal shares are assumed.
        share_column: column that holds the planned share of each row's arm.
        leave_out: (column, label) of people who are left out in all arms, as the remedy of some mismatches asks.
        delivered: column that is 1 or true for people whom the treatment reached.
        exposed_at, outcome_at: columns of two times, of which the second must not come first.
        alpha: level of the primary metric over all treatments and looks.
        alternative: two_sided, greater or less.
        looks: rising shares of the planned people at which the test is looked at; the last is 1.
        stopping: fixed (one look at the end), or obrien_fleming or pocock spending of alpha.
        planned_people: in all arms together; None when none was settled, and the test counts as complete.
        worth: smallest effect worth having, in the unit of the primary metric's difference, > 0.
        money: for expected losses in CNY.
        prior_sd_rel: standard deviation of relative effects that tests of this kind had; None for a flat prior.
        past: (lift, standard error) of past tests of this kind, for shrinkage.
    """

    variant: str
    control: str
    metrics: tuple[Metric, ...]
    unit: str | None = None
    guardrails: tuple[Guardrail, ...] = ()
    segments: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    after_assignment: tuple[str, ...] = ()
    date: str | None = None
    shares: Mapping[str, float] | None = None
    share_column: str | None = None
    leave_out: tuple[tuple[str, str], ...] = ()
    delivered: str | None = None
    exposed_at: str | None = None
    outcome_at: str | None = None
    alpha: float = 0.05
    alternative: str = "two_sided"
    looks: tuple[float, ...] = (1.0,)
    stopping: str = "fixed"
    planned_people: int | None = None
    worth: float | None = None
    money: Money | None = None
    prior_sd_rel: float | None = None
    past: tuple[tuple[float, float], ...] = ()

    @property
    def primary(self) -> Metric:
        return self.metrics[0]


@dataclass(frozen=True, slots=True)
class Balance:
    """A covariate compared between control and treatment: nothing may differ before the test.

    Attributes:
        covariate, treatment: column and label.
        difference: Welch.
        smd: difference over the standard deviation of both arms; None without variance.
    """

    covariate: str
    treatment: str
    difference: Result
    smd: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the assignment can be trusted.

    Attributes:
        mismatch: of the people assigned against the planned shares, with the likely cause and the remedy.
        shares: (A,) planned; `shares_assumed` when equal ones were assumed.
        shares_changed: the planned share of an arm changed on the way.
        reached: mismatch among the people whom the treatment reached; None without a column that says it.
        rows, people: of the table; people None when no unit was named.
        double_rows: people with several rows in one arm.
        in_two_arms: people in several arms.
        outcome_before_exposure: people whose outcome is dated before.
        missing: column -> (A,) rows without a value.
        left_out: rows left out in all arms, as asked.
        balance: of each covariate and treatment.
        faults: ids after which nothing may be read out.
    """

    mismatch: Mismatch
    shares: tuple[float, ...]
    shares_assumed: bool
    shares_changed: bool
    reached: Mismatch | None
    rows: int
    people: int | None
    double_rows: int
    in_two_arms: int
    outcome_before_exposure: int
    missing: Mapping[str, tuple[int, ...]]
    left_out: int
    balance: tuple[Balance, ...]
    faults: tuple[str, ...]

    @property
    def watch(self) -> bool:
        """The split is unusual (p below 0.01) though it is no alarm."""
        return not self.mismatch.alarm and self.mismatch.test.p_value < WATCH


@dataclass(frozen=True, slots=True)
class Effect:
    """A metric of a treatment against the control.

    Attributes:
        metric: its name.
        kind: share, mean or ratio.
        treatment: label.
        difference: in the metric's own unit.
        lift: treatment / control - 1.
        unadjusted: difference without CUPED; None when no covariate was named.
        p_adjusted: p-value adjusted for the number of questions; None when none could be computed.
        correction: holm (primary, over treatments), bh (secondary metrics and segments) or "" for one question.
        segment: (column, label), or None for everybody.
        deciding: interval of the difference that holds at this look, when looks were planned or the test is not
            complete; None where that of `difference` decides.
        deciding_method: group_sequential or confidence_sequence; "" for that of `difference`.
    """

    metric: str
    kind: str
    treatment: str
    difference: Result
    lift: Result
    unadjusted: Result | None = None
    p_adjusted: float | None = None
    correction: str = ""
    segment: tuple[str, str] | None = None
    deciding: Interval | None = None
    deciding_method: str = ""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A guardrail of a treatment; the result's detail holds margin and passed."""

    metric: str
    kind: str
    treatment: str
    result: Result


@dataclass(frozen=True, slots=True)
class Course:
    """The primary effect of a treatment as people came in; with CUPED where the primary metric has a covariate.

    Attributes:
        treatment: label.
        days: (D,) ISO days of assignment; days before both arms have spread are left out.
        people: (D,) in both arms up to each day.
        se: (D,) standard error of the effect, for an interval of a single look.
        sequence: estimate, limits and p-value at each day, that hold however often one looks; with several
            treatments each at its part of alpha.
        tuning_people: people at which the sequence is shortest.
        method: difference, or cuped by the slope on everybody so far: one of a day's few people would follow them.
    """

    treatment: str
    days: tuple[str, ...]
    people: np.ndarray
    se: np.ndarray
    sequence: AlwaysValid
    tuning_people: float
    method: str = "difference"


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of the primary metric.

    Attributes:
        arms: (A,) Beta of each share, or Normal of each mean or ratio, adjusted where the metric has a covariate.
        best: (A,) chance of each arm to be the best.
        effects: (A - 1,) posterior of the difference of each treatment; its losses are a person's.
        loss_cny: (A - 1, 2) expected loss in CNY of choosing treatment or control; None without money.
    """

    arms: tuple[Beta | Normal, ...]
    best: np.ndarray
    effects: tuple[bayesian.Posterior, ...]
    loss_cny: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Adoptable:
    """The relative effect as it may enter a plan.

    Attributes:
        treatment: label.
        lift: as measured, by the linear delta method.
        shrunken: what is left after shrinkage; None when the lift cannot be computed.
        sd: of what is believed of it.
        weight: share of the measured lift that is kept (with a mean of 0).
        method: prior (of `prior_sd_rel`), past (of past tests, DerSimonian-Laird) or own (prior of mean 0, whose
            variance this test tells alone: weight 1 - 1 / z^2).
        exaggeration: by how much significant results of such a test overstate the shrunken effect; None where
            nothing is left.
    """

    treatment: str
    lift: Result
    shrunken: float | None
    sd: float | None
    weight: float | None
    method: str
    exaggeration: Exaggeration | None


@dataclass(frozen=True, slots=True)
class ReadOut:
    """A whole read-out; all tuples that go by arm have the control first.

    Attributes:
        question: as asked.
        arms: labels.
        people: (A,) rows of each arm, by assignment.
        kinds: metric -> share, mean or ratio.
        health: of the assignment.
        primary: one Effect a treatment, at the level that belongs to the decision.
        secondary: of the other metrics.
        guardrails: one a guardrail and treatment.
        segments: of the primary metric.
        courses: one a treatment; () without a date.
        belief: None when not computable.
        reached: people as a share of those planned; 1 when none were planned.
        decisions: one a treatment.
        decision: of the whole: that of the treatment to ship, else of the one with the best estimate.
        chosen: label of that treatment.
        adoptable: one a treatment; () of a test whose assignment is at fault.
    """

    question: Question
    arms: tuple[str, ...]
    people: tuple[int, ...]
    kinds: Mapping[str, str]
    health: Health
    primary: tuple[Effect, ...]
    secondary: tuple[Effect, ...]
    guardrails: tuple[Guarded, ...]
    segments: tuple[Effect, ...]
    courses: tuple[Course, ...]
    belief: Belief | None
    reached: float
    decisions: tuple[Decision, ...]
    decision: Decision
    chosen: str
    adoptable: tuple[Adoptable, ...]


def check_question(question: Question) -> None:
    """Raise InputError with everything that is wrong with a question by itself."""
    guard = Guard()
    if not question.metrics:
        guard.add("empty", "metrics")
    for metric in (*question.metrics, *(one.metric for one in question.guardrails)):
        if metric.kind is not None:
            guard.choice(f"{metric.name}.kind", metric.kind, KINDS)
        if (metric.kind == "ratio") != (metric.denominator is not None) and metric.kind is not None:
            guard.add("missing", f"{metric.name}.denominator")
        ratios = metric.denominator is not None, metric.covariate_denominator is not None
        if (metric.covariate is not None and ratios[0] != ratios[1]) or (metric.covariate is None and ratios[1]):
            guard.add("missing", f"{metric.name}.covariate{'_denominator' if ratios[0] else ''}")
    for one in question.guardrails:
        given = [value for value in (one.margin_abs, one.margin_rel) if value is not None]
        if len(given) != 1:
            guard.add("choice", f"{one.metric.name}.margin", len(given), choice="margin_abs, margin_rel")
        for value in given:
            guard.number(f"{one.metric.name}.margin", value, above=0.0)
    guard.number("alpha", question.alpha, above=0.0, below=0.5)
    guard.choice("alternative", question.alternative, ALTERNATIVES)
    guard.choice("stopping", question.stopping, STOPPING)
    rising = all(one < other for one, other in zip(question.looks, question.looks[1:], strict=False))
    if question.looks[-1:] != (1.0,) or not rising or question.looks[0] <= 0:
        guard.add("looks", "looks", ", ".join(map(str, question.looks)))
    if question.planned_people is not None:
        guard.whole("planned_people", question.planned_people)
    for name, value in (("worth", question.worth), ("prior_sd_rel", question.prior_sd_rel)):
        if value is not None:
            guard.number(name, value, above=0.0)
    if question.money is not None:
        guard.number("money.cny_per_unit", question.money.cny_per_unit, low=0.0)
        guard.number("money.people", question.money.people, low=0.0)
    for at, (lift, se) in enumerate(question.past):
        guard.number(f"past[{at}].lift", lift)
        guard.number(f"past[{at}].se", se, above=0.0)
    if question.shares is not None:
        shares = guard.share("shares", list(question.shares.values()), ndim=(1,))
        if not guard.problems and abs(float(shares.sum()) - 1.0) > 1e-9:
            guard.add("sums_to_one", "shares", float(shares.sum()))
    guard.done()


def judge(
    question: Question,
    kinds: Mapping[str, str],
    whole: Families,
    health: Health,
    *,
    segments: Mapping[str, Families] | None = None,
    days: Families | None = None,
) -> ReadOut:
    """Read a test out of its sums.

    Args:
        question: as settled before the test.
        kinds: name of each metric -> share, mean or ratio.
        whole: sums by arm, one group.
        health: of the assignment.
        segments: column -> sums by arm and label.
        days: sums by arm and day of assignment, the days in order.

    Raises:
        InputError: the question is wrong by itself, or an arm cannot be compared by its kind.
    """
    check_question(question)
    rows = {family: sums[:, 0] for family, sums in whole.of.items()}
    treatments = range(1, len(whole.arms))
    reached = 1.0
    if question.planned_people is not None:
        reached = float(whole.people.sum()) / question.planned_people
    primary = _primary(question, kinds[question.primary.name], whole.arms, rows, reached)
    secondary = _adjusted([
        _effect(metric, kinds[metric.name], whole.arms[at], rows, at, question.alpha, _side(question, metric))
        for metric in question.metrics[1:]
        for at in treatments
    ])
    guardrails = tuple(
        Guarded(one.metric.name, kinds[one.metric.name], whole.arms[at], _guard(one, kinds, rows, at, question))
        for one in question.guardrails
        for at in treatments
    )
    of_segments = _adjusted([
        _segment(question, kinds, found, name, group, at)
        for name, found in (segments or {}).items()
        for group in range(len(found.groups))
        for at in treatments
    ])
    courses = () if days is None else _courses(question, days)
    decisions = tuple(
        _decide(question, effect, [one for one in guardrails if one.treatment == effect.treatment], health, reached)
        for effect in primary
    )
    chosen = _chosen(primary, decisions, question.primary.higher_is_better)
    return ReadOut(
        question=question,
        arms=whole.arms,
        people=tuple(int(n) for n in whole.people[:, 0]),
        kinds=dict(kinds),
        health=health,
        primary=primary,
        secondary=secondary,
        guardrails=guardrails,
        segments=of_segments,
        courses=courses,
        belief=_belief(question, kinds, rows, primary),
        reached=reached,
        decisions=decisions,
        decision=decisions[chosen],
        chosen=primary[chosen].treatment,
        adoptable=() if health.faults else tuple(_adoptable(question, rows, whole.arms[at], at) for at in treatments),
    )


def health_of(
    question: Question,
    whole: Families,
    breakdowns: Mapping[str, Mapping[str, Sequence[int]]],
    *,
    shares: Sequence[float] | None = None,
    shares_changed: bool = False,
    reached: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
    people: int | None = None,
    double_rows: int = 0,
    in_two_arms: int = 0,
    outcome_before_exposure: int = 0,
    left_out: int = 0,
) -> Health:
    """Judge an assignment.

    Args:
        question: as settled before the test.
        whole: sums by arm, one group, with each covariate as a family of its own.
        breakdowns: column -> label -> (A,) people of each arm.
        shares: (A,) planned, that sum to 1; None to assume equal ones.
        shares_changed: an arm has two planned shares.
        reached: as `breakdowns`, of the people whom the treatment reached; None when no column says it.
        people, double_rows, in_two_arms, outcome_before_exposure, left_out: as counted.

    Raises:
        InputError: shares that do not sum to 1, or as `explain_mismatch`.
    """
    size = len(whole.arms)
    planned = [1.0 / size] * size if shares is None else [float(share) for share in shares]
    observed = whole.people[:, 0].astype(int).tolist()
    mismatch = explain_mismatch(
        observed, planned, breakdowns,
        after_assignment=[name for name in question.after_assignment if name in breakdowns],
    )  # fmt: skip
    of_reached = None
    if reached:
        first = np.sum(list(next(iter(reached.values())).values()), axis=0).astype(int).tolist()
        if sum(first):
            of_reached = explain_mismatch(first, planned, reached)
    missing = {
        name: tuple(int(n) for n in whole.people[:, 0] - sums.n(name)[:, 0])
        for family, sums in whole.of.items()
        if len(family) == 1
        for name in family
    }
    faults = faults_of(
        mismatch, in_two_arms=in_two_arms, double_rows=double_rows, outcome_before_exposure=outcome_before_exposure,
        shares_changed=shares_changed,
    )  # fmt: skip
    return Health(
        mismatch=mismatch,
        shares=tuple(planned),
        shares_assumed=shares is None,
        shares_changed=shares_changed,
        reached=of_reached,
        rows=int(whole.people.sum()),
        people=people,
        double_rows=double_rows,
        in_two_arms=in_two_arms,
        outcome_before_exposure=outcome_before_exposure,
        missing=missing,
        left_out=left_out,
        balance=balance_of(covariates_of(question), whole),
        faults=faults,
    )


def columns_of(question: Question) -> tuple[tuple[str, ...], ...]:
    """Return the families of columns that a question needs summed: those of its metrics, and each column alone."""
    metrics = (*question.metrics, *(one.metric for one in question.guardrails))
    families = dict.fromkeys(metric.family for metric in metrics)
    alone = dict.fromkeys((name,) for family in families for name in family)
    return tuple({**families, **alone})


def covariates_of(question: Question) -> tuple[str, ...]:
    """Return the columns that were known before the test and are no outcome of it."""
    metrics = (*question.metrics, *(one.metric for one in question.guardrails))
    outcomes = {name for metric in metrics for name in metric.plain}
    before = (name for metric in metrics for name in (metric.covariate, metric.covariate_denominator) if name)
    return tuple(dict.fromkeys(name for name in before if name not in outcomes))


def balance_of(covariates: Sequence[str], whole: Families) -> tuple[Balance, ...]:
    """Compare covariates, each summed as a family of its own, between the control and each treatment."""
    found = []
    for name in covariates:
        rows = whole.of[name,][:, 0]
        for at, label in enumerate(whole.arms[1:], start=1):
            row = means.difference(means.mean(rows[0], name), means.mean(rows[at], name))
            sd = float((rows[0] + rows[at]).sd(name))
            known = row.estimate is not None and sd > 0
            found.append(Balance(name, label, row, row.estimate / sd if known else None))
    return tuple(found)


def compare(
    metric: Metric,
    kind: str,
    control: Aggregates,
    treatment: Aggregates,
    *,
    level: float = 0.95,
    alternative: str = "two_sided",
) -> tuple[Result, Result, Result | None]:
    """Compare two arms by the one method of the metric's kind.

    Args:
        metric, kind: what to compare.
        control, treatment: sums of the metric's family, one group each.
        level, alternative: as `means.difference`.

    Returns:
        Difference, lift, and the difference without CUPED (None without a covariate).
    """
    options = {"level": level, "alternative": alternative}
    arms = _arm(metric, control), _arm(metric, treatment)
    plain, lift = _plain(metric, kind, control, treatment, arms, options)
    if metric.covariate is None or plain.estimate is None:
        return plain, lift, None
    found = _cuped(metric, control, treatment)
    detail = {"theta": found.theta, "variance_reduction": found.variance_reduction}
    difference = means.difference(found.control, found.treatment, **options)
    difference = replace(difference, method="cuped", test="cuped", detail=detail)
    if metric.denominator is None:
        lift = cuped_lift(control, treatment, metric.column, metric.covariate, **options)
    else:
        lift = replace(means.lift(found.control, found.treatment, **options), detail=detail)
    return difference, lift, plain


def _arm(metric: Metric, rows: Aggregates) -> Arm:
    if metric.denominator is None:
        return means.mean(rows, metric.column)
    return means.ratio(rows, metric.column, metric.denominator)


def _cuped(metric: Metric, control: Aggregates, treatment: Aggregates) -> Cuped:
    if metric.denominator is None:
        return cuped(control, treatment, metric.column, metric.covariate)
    before = metric.covariate, metric.covariate_denominator
    return cuped_ratio(control, treatment, metric.column, metric.denominator, *before)


def _plain(
    metric: Metric, kind: str, control: Aggregates, treatment: Aggregates, arms: tuple[Arm, Arm], options: dict
) -> tuple[Result, Result]:
    if kind != "share":
        difference = means.difference(*arms, **options)
        if kind == "ratio":
            difference = replace(difference, method="delta", test="delta")
        return difference, means.lift(*arms, **options)
    counts = _counts(metric, control, treatment)
    dropped = tuple(int(arm.dropped) for arm in arms)
    if min(counts[1], counts[3]) < 1:
        nothing = Result(
            "difference", "newcombe", (counts[1], counts[3]), None, None, test="pooled_z",
            alternative=options["alternative"], reason="no_values", dropped=dropped,
        )  # fmt: skip
        return nothing, replace(nothing, effect="lift", method="score")
    fewest = _fewest(*counts)
    test = "fisher" if 0 < fewest < FEW_CONVERSIONS else "pooled_z"
    difference = two_proportions(*counts, test=test, **options)
    if fewest == 0:  # everybody alike: nothing was counted, or nothing can differ
        difference = replace(difference, interval=None, p_value=None, reason="no_variance")
    if test == "fisher":
        difference = replace(difference, se=float(np.sqrt(arms[0].variance + arms[1].variance)) or None)
    lift = lift_of_proportions(*counts, **options)
    return replace(difference, dropped=dropped), replace(lift, dropped=dropped)


def _counts(metric: Metric, control: Aggregates, treatment: Aggregates) -> tuple[int, int, int, int]:
    found = []
    for rows in (control, treatment):
        n = int(rows.n(metric.column))
        found += [round(float(rows.mean(metric.column) * n)) if n else 0, n]
    return tuple(found)


def _adjusted_arm(metric: Metric, sums: Aggregates, at: int) -> Arm:
    """One arm of several, adjusted by the slope on the people of all arms where there is a covariate."""
    if metric.covariate is None:
        return _arm(metric, sums[at])
    others = np.arange(len(sums.rows)) != at
    return _cuped(metric, sums[at], sums[others].merged()).control


def _fewest(c_x: int, c_n: int, t_x: int, t_n: int) -> float:
    share = (c_x + t_x) / (c_n + t_n)
    return min(c_n, t_n) * min(share, 1 - share)


def _primary(
    question: Question, kind: str, arms: Sequence[str], rows: Mapping[tuple[str, ...], Aggregates], reached: float
) -> tuple[Effect, ...]:
    """Effects of the primary metric, each at the level that Holm's procedure leaves it."""
    metric, side = question.primary, question.alternative
    first = [_effect(metric, kind, arms[at], rows, at, question.alpha, side) for at in range(1, len(arms))]
    known = [at for at, one in enumerate(first) if one.difference.p_value is not None]
    p = [first[at].difference.p_value for at in known]
    found = list(first)
    if len(first) > 1 and known:
        for at, own, adjusted in zip(known, p, adjusted_p(p, "holm"), strict=True):
            alpha = float(question.alpha * (own / adjusted if adjusted > 0 else 1 / len(known)))
            one = _effect(metric, kind, arms[at + 1], rows, at + 1, alpha, side)
            found[at] = replace(one, p_adjusted=float(adjusted), correction="holm")
    elif known:
        found[known[0]] = replace(first[known[0]], p_adjusted=p[0])
    return tuple(_at_this_look(question, one, rows[metric.family], at, reached) for at, one in enumerate(found, 1))


def _at_this_look(question: Question, effect: Effect, rows: Aggregates, at: int, reached: float) -> Effect:
    """Add the interval that holds when the test was looked at before its end."""
    row, looks = effect.difference, [look for look in question.looks if look < min(reached, 1.0) - 1e-3]
    early = reached < 1.0 and question.planned_people is not None
    if row.interval is None or not (early or (looks and question.stopping != "fixed")):
        return effect
    alpha, se = 1.0 - row.interval.level, row.se
    if row.method == "newcombe":
        se = float(np.sqrt(sum(_arm(question.primary, rows[place]).variance for place in (0, at))))
    if not se:
        return effect
    if question.stopping == "fixed":
        found = confidence_sequence(
            row.estimate, se, float(sum(row.n)), tuning_n=float(question.planned_people), alpha=alpha
        )
        known = Interval(float(found.low), float(found.high), row.interval.level)
        return replace(effect, deciding=known, deciding_method="confidence_sequence")
    sides = 2 if question.alternative == "two_sided" else 1
    bounds = spending_boundaries([*looks, min(reached, 1.0)], question.stopping, alpha=alpha, sides=sides)
    sign = -1.0 if question.alternative == "less" else 1.0
    known = repeated_interval(bounds, len(looks) + 1, sign * row.estimate, se)
    low, high = (-np.inf, np.inf) if known is None else (known.low, known.high)
    if sign < 0:
        low, high = -high, -low
    return replace(effect, deciding=Interval(low, high, row.interval.level), deciding_method="group_sequential")


def _side(question: Question, metric: Metric) -> str:
    """Side on which another metric becomes better, when only a better primary metric is looked for."""
    if question.alternative == "two_sided" or metric.higher_is_better == question.primary.higher_is_better:
        return question.alternative
    return "less" if question.alternative == "greater" else "greater"


def _effect(
    metric: Metric,
    kind: str,
    treatment: str,
    rows: Mapping[tuple[str, ...], Aggregates],
    at: int,
    alpha: float,
    alternative: str,
) -> Effect:
    sums = rows[metric.family]
    found = compare(metric, kind, sums[0], sums[at], level=1.0 - alpha, alternative=alternative)
    return Effect(metric.name, kind, treatment, *found)


def _segment(
    question: Question, kinds: Mapping[str, str], found: Families, name: str, group: int, at: int
) -> Effect:
    metric = question.primary
    rows = {metric.family: found.of[metric.family][:, group]}
    effect = _effect(metric, kinds[metric.name], found.arms[at], rows, at, question.alpha, question.alternative)
    return replace(effect, segment=(name, found.groups[group][0]))


def _adjusted(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Adjust p-values over all questions of a family, so that the share of false discoveries stays at alpha."""
    known = [at for at, one in enumerate(effects) if one.difference.p_value is not None]
    found = list(effects)
    if known:
        adjusted = adjusted_p([effects[at].difference.p_value for at in known], "bh")
        for at, value in zip(known, adjusted, strict=True):
            found[at] = replace(effects[at], p_adjusted=float(value), correction="bh" if len(known) > 1 else "")
    return tuple(found)


def _guard(
    one: Guardrail, kinds: Mapping[str, str], rows: Mapping[tuple[str, ...], Aggregates], at: int, question: Question
) -> Result:
    metric, sums = one.metric, rows[one.metric.family]
    alpha = question.alpha / 2 if question.alternative == "two_sided" else question.alpha
    options = {"alpha": alpha, "higher_is_better": metric.higher_is_better}
    if kinds[metric.name] != "share":
        arms = _arm(metric, sums[0]), _arm(metric, sums[at])
        return non_inferiority(*arms, margin_abs=one.margin_abs, margin_rel=one.margin_rel, **options)
    counts = _counts(metric, sums[0], sums[at])
    blank = Result("difference", "mee", (counts[1], counts[3]), None, None, test="score")
    if min(counts[1], counts[3]) < 1:
        return replace(blank, reason="no_values")
    margin = one.margin_abs if one.margin_abs is not None else one.margin_rel * counts[0] / counts[1]
    if margin == 0:
        return replace(blank, reason="control_zero")
    return non_inferiority_proportions(*counts, margin_abs=margin, **options)


def _courses(question: Question, days: Families) -> tuple[Course, ...]:
    metric = question.primary
    dated = [at for at, (label,) in enumerate(days.groups) if label]
    sums = days.of[metric.family][:, dated]
    parts = ("rows", "count", "total", "cross")
    sums = replace(sums, **{name: np.cumsum(getattr(sums, name), axis=1) for name in parts})
    labels = np.array([days.groups[at][0] for at in dated])
    alpha = question.alpha / (len(days.arms) - 1)
    found = []
    for at in range(1, len(days.arms)):
        control, treatment = arms_so_far(metric, sums[0], sums[at])
        estimate = np.asarray(treatment.value - control.value)
        variance = np.asarray(treatment.variance + control.variance)
        people = np.asarray(control.n + treatment.n)
        with np.errstate(invalid="ignore"):
            known = np.isfinite(estimate) & (variance > 0)
        if not known.any():
            continue
        tuning, se = float(question.planned_people or people[-1]), np.sqrt(variance[known])
        sequence = confidence_sequence(estimate[known], se, people[known], tuning_n=tuning, alpha=alpha)
        method = "difference" if metric.covariate is None else "cuped"
        days_known = tuple(labels[known].tolist())
        found.append(Course(days.arms[at], days_known, people[known], se, sequence, tuning, method))
    return tuple(found)


def arms_so_far(metric: Metric, control: Aggregates, treatment: Aggregates) -> tuple[Arm, Arm]:
    """Both arms up to each day, adjusted by the slope on everybody where there is a covariate."""
    if metric.covariate is None or not control.rows.size:
        return _arm(metric, control), _arm(metric, treatment)
    found, before = _cuped(metric, control[-1], treatment[-1]), metric.family[len(metric.plain) :]
    slope = {"theta": found.theta, "centre": found.centre}
    return adjusted(control, metric.plain, before, **slope), adjusted(treatment, metric.plain, before, **slope)


def _decide(
    question: Question, effect: Effect, guardrails: Sequence[Guarded], health: Health, reached: float
) -> Decision:
    return decide(
        effect.difference,
        guardrails={one.metric: one.result for one in guardrails},
        faults=health.faults,
        reached=reached,
        worth=question.worth,
        interval=effect.deciding,
        higher_is_better=question.primary.higher_is_better,
    )


def _chosen(primary: Sequence[Effect], decisions: Sequence[Decision], higher_is_better: bool) -> int:
    """Position of the treatment whose decision is that of the test."""
    sign = 1.0 if higher_is_better else -1.0
    rank = {"ship": 2, "continue": 1}

    def key(at: int) -> tuple[int, float]:
        estimate = primary[at].difference.estimate
        return rank.get(decisions[at].id, 0), -np.inf if estimate is None else sign * estimate

    return max(range(len(primary)), key=key)


def _belief(
    question: Question, kinds: Mapping[str, str], rows: Mapping[tuple[str, ...], Aggregates], primary: Sequence[Effect]
) -> Belief | None:
    """Shares from a uniform prior; means and ratios from a flat one, or that of past effects."""
    metric = question.primary
    sums = rows[metric.family]
    up = metric.higher_is_better
    if kinds[metric.name] == "share" and metric.covariate is None:
        arms = [_counts(metric, own, own)[:2] for own in sums]
        if min(n for _, n in arms) < 1:
            return None
        beliefs = tuple(beta_binomial(bayesian.UNIFORM, successes=x, trials=n) for x, n in arms)
        best = bayesian.best_share([x if up else n - x for x, n in arms], [n for _, n in arms]).chance
        effects = [bayesian.compare_shares(*arms[0], *own, level=1 - question.alpha) for own in arms[1:]]
    else:
        if any(one.difference.se is None for one in primary):
            return None
        arms = [_adjusted_arm(metric, sums, at) for at in range(len(primary) + 1)]
        beliefs = tuple(Normal(float(arm.value), float(arm.variance)) for arm in arms)
        effects = [_normal(question, one.difference, beliefs[0].mean) for one in primary]
        mean, sd = (np.array([getattr(one, name) for one in beliefs]) for name in ("mean", "var"))
        win = effects[0].chance_to_win if up else 1 - effects[0].chance_to_win
        best = np.array([1 - win, win])
        if len(beliefs) > 2:
            best = chance_of_being_best(mean if up else -mean, np.sqrt(sd))
    if not up:
        effects = [
            replace(one, chance_to_win=1 - one.chance_to_win, loss_treatment=one.loss_control,
                    loss_control=one.loss_treatment)
            for one in effects
        ]  # fmt: skip
    losses = None
    if question.money is not None:
        money = {"people": question.money.people, "cny_per_unit": question.money.cny_per_unit}
        pairs = [(one.loss_treatment, one.loss_control) for one in effects]
        losses = np.array([[bayesian.loss_cny(loss, **money) for loss in pair] for pair in pairs])
    return Belief(beliefs, best, tuple(effects), losses)


def _normal(question: Question, row: Result, control: float) -> bayesian.Posterior:
    prior = None
    if question.prior_sd_rel is not None and control != 0:
        prior = Normal(0.0, (question.prior_sd_rel * control) ** 2)
    return bayesian.normal_effect(row.estimate, row.se, prior=prior, level=1 - question.alpha)


def _adoptable(
    question: Question, rows: Mapping[tuple[str, ...], Aggregates], treatment: str, at: int
) -> Adoptable:
    metric = question.primary
    control, own = rows[metric.family][0], rows[metric.family][at]
    if metric.covariate is None:
        lift = means.lift(_arm(metric, control), _arm(metric, own), method="delta")
    elif metric.denominator is None:
        lift = cuped_lift(control, own, metric.column, metric.covariate)
    else:
        found = _cuped(metric, control, own)
        lift = means.lift(found.control, found.treatment, method="delta")
    method = "past" if question.past else "own" if question.prior_sd_rel is None else "prior"
    if lift.se is None:
        return Adoptable(treatment, lift, None, None, None, method, None)
    if question.past:
        lifts, errors = zip(*question.past, (lift.estimate, lift.se), strict=True)
        past = shrink(lifts, errors)
        shrunken, weight = float(past.effect[-1]), float(past.weight[-1])
    else:
        ratio = (lift.se / lift.estimate) ** 2 if lift.estimate else np.inf
        weight = max(0.0, 1.0 - ratio)
        if question.prior_sd_rel is not None:
            weight = question.prior_sd_rel**2 / (question.prior_sd_rel**2 + lift.se**2)
        shrunken = weight * lift.estimate
    told = exaggeration(shrunken, lift.se, alpha=question.alpha) if shrunken else None
    return Adoptable(treatment, lift, shrunken, float(np.sqrt(weight)) * lift.se, weight, method, told)
