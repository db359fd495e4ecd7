"""What a read-out rests on: health of the assignment with the likely cause of a fault; the decision with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.experiments.result import Result
from planlib.experiments.srm import ALARM, SampleRatio, srm

FEW = 0.5  # share of a dimension's labels above which a fault is not one of single labels
SEEN = 20  # people of a label in the other arms, from which its absence in one arm is no chance
SAVED = {
    "some_labels": "leave_out_in_all_arms",
    "filtered_after_assignment": "count_all_assigned",
    "lost_after_assignment": "count_all_assigned",
    "spread_evenly": "back_to_list",
    "unknown": "restart",
}
BLOCKING = ("srm", "in_two_arms", "double_rows", "outcome_before_exposure", "shares_changed")


@dataclass(frozen=True, slots=True)
class Drill:
    """Where a mismatch sits along one dimension, such as day, segment, employee, batch or send status.

    Attributes:
        dimension: as named by the caller.
        labels: its labels, the one with the largest part in the mismatch first.
        tests: test of each label against the plan, in the same order; None with nobody there.
        missing_share: part of all missing people (against the plan, in the arm that lacks most) each label holds.
        p_without: p-value of the whole without each label; None when nobody would be left.
        uneven_p: chance that labels differ in their split at least this much when none truly does.
    """

    dimension: str
    labels: tuple[str, ...]
    tests: tuple[SampleRatio | None, ...]
    missing_share: tuple[float, ...]
    p_without: tuple[float | None, ...]
    uneven_p: float


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A sample ratio with its likely cause.

    Attributes:
        test: of all people.
        drills: one a dimension.
        alarm: the whole is off, or a label of a dimension known at assignment is, after Bonferroni over its labels:
            one employee of twenty does not move the whole.
        cause: None without an alarm; some_labels (single employees, batches, days or segments lack people of an
            arm), filtered_after_assignment (the arm never shows a send status that others show: rows were kept by
            it), lost_after_assignment (people of a status are missing in some arms), spread_evenly (the same
            everywhere: rows were kept by something that is not in the table, such as delivery, or the assignment
            itself is at fault) or unknown.
        dimension, labels: where the cause lies; None and () when it has no place.
        arm: position of the arm that lacks people there.
        remedy: what can still be saved: leave_out_in_all_arms, count_all_assigned, back_to_list (the list as
            assigned tells which of the two it was) or restart; None without an alarm.
    """

    test: SampleRatio
    drills: tuple[Drill, ...]
    alarm: bool
    cause: str | None
    dimension: str | None
    labels: tuple[str, ...]
    arm: int
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why.

    Attributes:
        id: ship, do_not, continue or invalid.
        reasons: ids in order of weight; a guardrail's reason ends with `:` and its name.
    """

    id: str
    reasons: tuple[str, ...]


def drill(
    dimension: str, counts: Mapping[str, Sequence[int]], planned: Sequence[float], *, threshold: float = ALARM
) -> Drill:
    """Split a mismatch by the labels of one dimension.

    Args:
        dimension: its name.
        counts: label -> (A,) people of each arm.
        planned: (A,) planned shares that sum to 1.
        threshold: of the alarm.

    Raises:
        InputError: no label, arms that differ in number, or as `srm.srm`.

    >>> found = drill("employee", {"ann": [50, 52], "bo": [60, 5], "cy": [48, 49]}, [0.5, 0.5])
    >>> found.labels[0], round(found.p_without[0], 2)
    ('bo', 0.83)
    """
    guard = Guard()
    labels = tuple(counts)
    if not labels:
        guard.add("empty", dimension)
    table = guard.numbers(dimension, [list(row) for row in counts.values()] or [[0.0]], low=0.0, ndim=(2,))
    guard.done()
    whole, shares = table.sum(axis=0), np.asarray(planned, dtype=float)
    srm(whole, planned, threshold=threshold)  # checks both
    short = int(np.argmin(whole - shares * whole.sum()))
    gaps = shares[short] * table.sum(axis=1) - table[:, short]
    missing = np.maximum(gaps, 0.0)
    part = missing / missing.sum() if missing.sum() > 0 else np.zeros(len(labels))
    order = sorted(range(len(labels)), key=lambda at: -part[at])
    rest = whole - table
    expected = np.outer(table.sum(axis=1), whole / whole.sum())
    seen = expected > 0
    chi2 = float(np.square(table - expected)[seen] @ (1 / expected[seen]))
    df = (np.count_nonzero(table.sum(axis=1)) - 1) * (np.count_nonzero(whole) - 1)
    return Drill(
        dimension,
        tuple(labels[at] for at in order),
        tuple(srm(table[at], planned, threshold=threshold) if table[at].sum() else None for at in order),
        tuple(float(part[at]) for at in order),
        tuple(srm(rest[at], planned, threshold=threshold).p_value if rest[at].sum() else None for at in order),
        float(scipy.special.chdtrc(df, chi2)) if df > 0 else 1.0,
    )


def explain_mismatch(
    observed: Sequence[int],
    planned: Sequence[float],
    breakdowns: Mapping[str, Mapping[str, Sequence[int]]],
    *,
    after_assignment: Sequence[str] = (),
    threshold: float = ALARM,
) -> Mismatch:
    """Test the sample ratio and, when it is off, name the likely cause.

    Single labels of a dimension known at assignment (day, segment, employee, batch) that are off, while the rest is
    in order, are at fault themselves: one employee has not confirmed, one batch was not loaded. A dimension that
    arises afterwards (send status, friend deleted) tells of people who were dropped: they were assigned and have to
    be counted.

    Args:
        observed: (A,) people of each arm.
        planned: (A,) planned shares that sum to 1.
        breakdowns: dimension -> label -> (A,) people of each arm.
        after_assignment: those dimensions that come about after assignment.
        threshold: p-value below which the alarm is on.

    Raises:
        InputError: as `srm.srm` and `drill`, or a name in `after_assignment` that has no breakdown.

    >>> found = explain_mismatch([168, 106], [0.5, 0.5], {
    ...     "employee": {"ann": [50, 52], "bo": [70, 5], "cy": [48, 49]}})
    >>> found.cause, found.labels, found.remedy
    ('some_labels', ('bo',), 'leave_out_in_all_arms')
    """
    guard = Guard()
    for name in after_assignment:
        guard.choice("after_assignment", name, breakdowns)
    guard.done()
    test = srm(observed, planned, threshold=threshold)
    drills = tuple(drill(name, labels, planned, threshold=threshold) for name, labels in breakdowns.items())
    after = set(after_assignment)
    places = [_off_labels(one, threshold) for one in drills
              if one.dimension not in after]
    alarm = test.alarm or any(places)
    if not alarm:
        return Mismatch(test, drills, False, None, None, (), _shortest(test), None)
    cause, dimension, labels = _cause(test, drills, breakdowns, after, planned, threshold)
    of_labels = [one for drilled in drills if drilled.dimension == dimension and cause == "some_labels"
                 for name, one in zip(drilled.labels, drilled.tests, strict=True) if name in labels and one]
    arm = _shortest(of_labels[0] if of_labels else test)
    return Mismatch(test, drills, True, cause, dimension, labels, arm, SAVED[cause])


def faults_of(
    mismatch: Mismatch | None,
    *,
    in_two_arms: int = 0,
    double_rows: int = 0,
    outcome_before_exposure: int = 0,
    shares_changed: bool = False,
) -> tuple[str, ...]:
    """Return the ids of faults after which a read-out is invalid.

    Args:
        mismatch: of `explain_mismatch`; None when it was not tested.
        in_two_arms: people who are in several arms.
        double_rows: people who have several rows in one arm, which count several times.
        outcome_before_exposure: people whose outcome precedes their exposure.
        shares_changed: whether the planned shares were changed on the way.
    """
    found = {
        "srm": mismatch is not None and mismatch.alarm,
        "in_two_arms": in_two_arms > 0,
        "double_rows": double_rows > 0,
        "outcome_before_exposure": outcome_before_exposure > 0,
        "shares_changed": shares_changed,
    }
    return tuple(name for name in BLOCKING if found[name])


def decide(
    primary: Result,
    *,
    guardrails: Mapping[str, Result] | None = None,
    faults: Sequence[str] = (),
    reached: float = 1.0,
    worth: float | None = None,
    interval: Interval | None = None,
    higher_is_better: bool = True,
) -> Decision:
    """Decide on a test by what was settled before it began.

    Args:
        primary: difference or lift of the registered metric.
        guardrails: name -> Result of `non_inferiority` or `non_inferiority_proportions`.
        faults: of `faults_of`.
        reached: people so far as a share of those planned, > 0.
        worth: smallest effect worth having, > 0, in the unit of `primary`; None when none was registered.
        interval: the interval that holds at this look, when looks were planned; None for that of `primary`.
        higher_is_better: False for metrics that should fall.

    Returns:
        Decision: invalid with a fault; do_not when harm is shown, a guardrail is broken or, at full size, no
        effect is shown or a guardrail is not cleared, or early when not even the smallest worthwhile effect is
        left in the interval; ship when an effect is shown and every guardrail is cleared; else continue.

    Raises:
        InputError: a value out of range.
    """
    guard = Guard()
    share = guard.number("reached", reached, above=0.0)
    smallest = None if worth is None else guard.number("worth", worth, above=0.0)
    guard.done()
    if faults:
        return Decision("invalid", tuple(faults))
    known = interval or primary.interval
    broken, open_ones = _guardrails(guardrails or {})
    if broken:
        return Decision("do_not", tuple(f"guardrail_broken:{name}" for name in broken))
    whole = share >= 1.0
    if known is None:
        reason = f"not_computable:{primary.reason}"
        return Decision("invalid", (reason,)) if whole else Decision("continue", (reason, "not_enough_people"))
    low, high = (known.low, known.high) if higher_is_better else (-known.high, -known.low)
    if high < 0:
        return Decision("do_not", ("harm_shown",))
    if low > 0:
        if not open_ones:
            return Decision("ship", ("effect_shown", *(["guardrails_cleared"] if guardrails else [])))
        waiting = tuple(f"guardrail_open:{name}" for name in open_ones)
        return Decision("do_not" if whole else "continue", (*waiting, "effect_shown"))
    if smallest is not None and high < smallest:
        return Decision("do_not", ("too_small_to_matter",))
    if not whole:
        return Decision("continue", ("not_enough_people",))
    return Decision("do_not", ("no_effect_shown", *(["worthwhile_effect_not_excluded"] if smallest else [])))


def _cause(
    test: SampleRatio,
    drills: Sequence[Drill],
    breakdowns: Mapping[str, Mapping[str, Sequence[int]]],
    after: set[str],
    planned: Sequence[float],
    threshold: float,
) -> tuple[str, str | None, tuple[str, ...]]:
    """Cause, dimension and labels; what came after assignment first, for it tells of people who can be counted."""
    several = [one for one in drills if len(one.labels) > 1]
    later = [one for one in several if one.dimension in after and test.alarm]
    for one in later:
        gone = _never_in(breakdowns[one.dimension], _shortest(test))
        if gone is not None:
            return "filtered_after_assignment", one.dimension, (gone,)
    single = []
    for one in several:
        labels = () if one.dimension in after else _off_labels(one, threshold)
        if labels and _in_order_without(breakdowns[one.dimension], labels, planned, threshold):
            smallest = min(found.p_value for found in one.tests if found is not None)
            single.append((len(labels), smallest, one.dimension, labels))
    if single:
        *_, dimension, labels = min(single)
        return "some_labels", dimension, labels
    for one in later:
        if one.uneven_p < threshold:
            return "lost_after_assignment", one.dimension, one.labels[:1]
    known = [one for one in several if one.dimension not in after]
    even = bool(known) and all(one.uneven_p >= threshold for one in known)
    return "spread_evenly" if even else "unknown", None, ()


def _off_labels(one: Drill, threshold: float) -> tuple[str, ...]:
    """Labels that are off by themselves, after Bonferroni; none when that is true of too many to be their own fault."""
    limit = threshold / len(one.labels)
    off = [name for name, test in zip(one.labels, one.tests, strict=True) if test is not None and test.p_value < limit]
    if 0 < len(off) <= FEW * len(one.labels):
        return tuple(off)
    return ()


def _in_order_without(
    counts: Mapping[str, Sequence[int]], labels: Sequence[str], planned: Sequence[float], threshold: float
) -> bool:
    rest = np.sum([row for label, row in counts.items() if label not in labels], axis=0)
    return bool(np.sum(rest) > 0) and not srm(rest, planned, threshold=threshold).alarm


def _shortest(test: SampleRatio) -> int:
    """Position of the arm that lacks most people."""
    return int(np.argmin(np.asarray(test.observed) - np.asarray(test.expected)))


def _never_in(labels: Mapping[str, Sequence[int]], short: int) -> str | None:
    """A label that the other arms show often and the short arm never: its rows were filtered."""
    for label, row in labels.items():
        if row[short] == 0 and sum(row) >= SEEN:
            return label
    return None


def guardrail_state(found: Result) -> str:
    """Return cleared (within its margin), broken (a loss beyond it is shown) or open, of a test of non-inferiority."""
    if found.detail.get("passed"):
        return "cleared"
    margin = found.detail.get("margin", 0.0)
    if found.interval is not None and (found.interval.high < margin <= 0 or found.interval.low > margin > 0):
        return "broken"
    return "open"


def _guardrails(guardrails: Mapping[str, Result]) -> tuple[list[str], list[str]]:
    """Those whose loss beyond the margin is shown, and those that are not cleared."""
    states = {name: guardrail_state(found) for name, found in guardrails.items()}
    return tuple([name for name, state in states.items() if state == wanted] for wanted in ("broken", "open"))
