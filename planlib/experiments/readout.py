"""What a read-out rests on: health of the assignment with the likely cause of a fault; the decision with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.experiments.result import Result
from planlib.experiments.srm import ALARM, SampleRatio, srm

MOSTLY = 0.5  # share of the missing people that one label must hold to be called the cause
SAVED = {
    "one_label": "leave_out_in_all_arms",
    "filtered_after_assignment": "count_all_assigned",
    "lost_after_assignment": "count_all_assigned",
    "spread_evenly": "back_to_list",
    "unknown": "restart",
}
BLOCKING = ("srm", "in_two_arms", "outcome_before_exposure", "shares_changed")


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
        cause: None without an alarm; one_label (one employee, batch, day or segment lacks people of an arm),
            filtered_after_assignment (an arm shows a send status that another never shows: rows were kept by
            it), lost_after_assignment (people of a status are missing in some arms), spread_evenly (the same
            everywhere: rows were kept by something that is not in the table, such as delivery, or the assignment
            itself is at fault) or unknown.
        dimension, label: where one_label and lost_after_assignment point to.
        arm: position of the arm that lacks most people against the plan.
        remedy: what can still be saved: leave_out_in_all_arms, count_all_assigned, back_to_list
            (the list as assigned tells which of the two it was) or restart; None without an alarm.
    """

    test: SampleRatio
    drills: tuple[Drill, ...]
    cause: str | None
    dimension: str | None
    label: str | None
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
        float(special.chdtrc(df, chi2)) if df > 0 else 1.0,
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

    A dimension known at assignment (day, segment, employee, batch) that holds most of the missing people under one
    label, without which the rest is in order, is a fault of that label: one employee has not confirmed, one batch
    was not loaded. A dimension that arises afterwards (send status, friend deleted) tells of people who were
    dropped: they were assigned and have to be counted.

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
    >>> found.cause, found.label, found.remedy
    ('one_label', 'bo', 'leave_out_in_all_arms')
    """
    guard = Guard()
    for name in after_assignment:
        guard.choice("after_assignment", name, breakdowns)
    guard.done()
    test = srm(observed, planned, threshold=threshold)
    drills = tuple(drill(name, labels, planned, threshold=threshold) for name, labels in breakdowns.items())
    short = int(np.argmin(np.asarray(test.observed) - np.asarray(test.expected)))
    if not test.alarm:
        return Mismatch(test, drills, None, None, None, short, None)
    cause, dimension, label = _cause(drills, breakdowns, set(after_assignment), short, threshold)
    return Mismatch(test, drills, cause, dimension, label, short, SAVED[cause])


def faults_of(
    mismatch: Mismatch | None,
    *,
    in_two_arms: int = 0,
    outcome_before_exposure: int = 0,
    shares_changed: bool = False,
) -> tuple[str, ...]:
    """Return the ids of faults after which a read-out is invalid.

    Args:
        mismatch: of `explain_mismatch`; None when it was not tested.
        in_two_arms: people who are in several arms.
        outcome_before_exposure: people whose outcome precedes their exposure.
        shares_changed: whether the planned shares were changed on the way.
    """
    found = {
        "srm": mismatch is not None and mismatch.test.alarm,
        "in_two_arms": in_two_arms > 0,
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
    drills: Sequence[Drill],
    breakdowns: Mapping[str, Mapping[str, Sequence[int]]],
    after: set[str],
    short: int,
    threshold: float,
) -> tuple[str, str | None, str | None]:
    found: list[tuple[float, str, str, str]] = []
    for one in drills:
        if len(one.labels) < 2:
            continue
        if one.dimension in after:
            gone = _never_in(breakdowns[one.dimension], short)
            if gone is not None:
                return "filtered_after_assignment", one.dimension, gone
            if one.uneven_p < threshold:
                found.append((one.missing_share[0], "lost_after_assignment", one.dimension, one.labels[0]))
        elif one.missing_share[0] >= MOSTLY and (one.p_without[0] or 0.0) >= threshold:
            found.append((one.missing_share[0] + 1.0, "one_label", one.dimension, one.labels[0]))
    if found:
        _, cause, dimension, label = max(found)
        return cause, dimension, label
    known = [one for one in drills if one.dimension not in after and len(one.labels) > 1]
    even = bool(known) and all(one.uneven_p >= threshold for one in known)
    return "spread_evenly" if even else "unknown", None, None


def _never_in(labels: Mapping[str, Sequence[int]], short: int) -> str | None:
    """A label that the other arms show often and the short arm never: its rows were filtered."""
    for label, row in labels.items():
        others = sum(count for at, count in enumerate(row) if at != short)
        if row[short] == 0 and others >= 20:
            return label
    return None


def _guardrails(guardrails: Mapping[str, Result]) -> tuple[list[str], list[str]]:
    """Those whose loss beyond the margin is shown, and those that are not cleared."""
    broken, open_ones = [], []
    for name, found in guardrails.items():
        margin = found.detail.get("margin", 0.0)
        if found.interval is not None and (found.interval.high < margin <= 0 or found.interval.low > margin > 0):
            broken.append(name)
        elif not found.detail.get("passed"):
            open_ones.append(name)
    return broken, open_ones
