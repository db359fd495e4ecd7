"""A test read out of a table, where the data meet the statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from planlib.core.aggregates import Families
from planlib.core.errors import InputError
from planlib.core.guards import Guard
from planlib.data.engine import Engine
from planlib.data.readout import People
from planlib.experiments.trial import Question, ReadOut, check_question, columns_of, covariates_of, health_of, judge

ROUNDED = 0.005  # by which planned shares may miss 1 because a table rounds them
TRIAL = {
    "variant": "variant",
    "unit": "unit",
    "date": "day",
    "share_column": "ratio_planned",
    "exposed_at": "assigned_at",
    "outcome_at": "first_outcome_at",
}


def read_out_file(path: str | Path, question: Question, *, threads: int | None = None) -> ReadOut:
    """Read a test out of a CSV or Parquet file with a row for each person; args as `read_out`."""
    try:
        with People.of_file(path, threads=threads) as people:
            return read_out(people, question)
    except InputError as error:
        name = str(path)
        problems = (
            replace(one, file=one.file or name, field="" if one.field == name else one.field) for one in error.problems
        )
        raise InputError(*problems) from error


def read_out_trial(engine: Engine, experiment: str, question: Question) -> ReadOut:
    """Read an experiment of the tidy tables out, by assignment; args as `read_out`.

    Its table has the columns of `People.of_trial`; `TRIAL` names those that every question about it needs.
    """
    with People.of_trial(engine, experiment, covariates=covariates_of(question)) as people:
        return read_out(people, question)


def read_out(people: People, question: Question) -> ReadOut:
    """Read a test out of one table: health, effects, guardrails, segments, looks, beliefs, decision.

    Args:
        people: the table, a row for each person.
        question: what was settled before the test.

    Raises:
        InputError: the question is wrong by itself, or the table has not what it asks for: a column, numbers,
            rows, at least two arms, the control, planned shares that sum to 1.
    """
    check_question(question)
    left_out = sum(people.leave_out(column, [label]) for column, label in question.leave_out)
    families, filled = columns_of(question), covariates_of(question)
    if question.date is not None:
        people.need_dates(question.date)

    def summed(wanted: Sequence[tuple[str, ...]], *by: str) -> Families:
        return people.families(question.variant, question.control, wanted, by=by, filled=filled)

    whole = summed(families)
    kinds = _kinds(question, whole)
    segments = {name: summed([question.primary.family], name) for name in question.segments}
    days = None if question.date is None else summed([question.primary.family], question.date)
    breakdowns = {name: _by_label(found) for name, found in segments.items()}
    for name in dict.fromkeys((*question.dimensions, *question.after_assignment)):
        breakdowns.setdefault(name, people.breakdown(question.variant, whole.arms, name))
    if days is not None:
        breakdowns[question.date] = _by_label(days)
    reached = None
    if question.delivered is not None:
        reached = {
            name: people.breakdown(question.variant, whole.arms, name, only=question.delivered)
            for name in breakdowns
            if name not in (*question.after_assignment, question.date)
        }
    shares, changed = _shares(people, question, whole.arms)
    counted = None if question.unit is None else people.identity(question.unit, question.variant)
    before = 0
    if question.exposed_at is not None and question.outcome_at is not None:
        before = people.before(question.exposed_at, question.outcome_at)
    health = health_of(
        question,
        whole,
        breakdowns,
        shares=shares,
        shares_changed=changed,
        reached=reached,
        people=None if counted is None else counted.people,
        double_rows=0 if counted is None else counted.double_rows,
        in_two_arms=0 if counted is None else counted.in_two_arms,
        outcome_before_exposure=before,
        left_out=left_out,
    )
    return judge(question, kinds, whole, health, segments=segments, days=days)


def _kinds(question: Question, whole: Families) -> dict[str, str]:
    """Share, mean or ratio of each metric; a column of zeros and ones is a share."""
    guard, found = Guard(), {}
    for metric in (*question.metrics, *(one.metric for one in question.guardrails)):
        is_share = metric.column in whole.shares
        if metric.denominator is not None:
            found[metric.name] = "ratio"
        elif metric.kind == "share" and not is_share and whole.of[metric.column,].n(metric.column).any():
            guard.add("not_a_share", metric.column)
        else:
            found[metric.name] = metric.kind or ("share" if is_share else "mean")
    guard.done()
    return found


def _by_label(found: Families) -> dict[str, list[int]]:
    return {label: found.people[:, at].astype(int).tolist() for at, (label,) in enumerate(found.groups)}


def _shares(people: People, question: Question, arms: Sequence[str]) -> tuple[list[float] | None, bool]:
    """Planned shares in the order of the arms, and whether one changed on the way."""
    guard = Guard()
    if question.shares is not None:
        for name in question.shares:
            guard.choice("shares", name, arms)
        for name in arms:
            if name not in question.shares:
                guard.add("missing", f"shares.{name}")
        guard.done()
        return [question.shares[name] for name in arms], False
    if question.share_column is None:
        return None, False
    found, changed = people.planned(question.variant, arms, question.share_column)
    for name, share in zip(arms, found, strict=True):
        if share is None:
            guard.add("missing", f"{question.share_column}.{name}")
    guard.done()
    total = sum(found)
    if abs(total - 1.0) > ROUNDED:
        guard.add("sums_to_one", question.share_column, total)
    guard.done()
    return [share / total for share in found], changed
