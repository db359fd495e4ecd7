"""The commands that register and assign experiments: what they say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.metrics import catalogue, metric
from planlib.core.words import Words
from planlib.experiments.backlog import WEEKS_A_YEAR, Idea, Planned, plan_test
from planlib.plan import load_plan
from planlib.plan.experiment_inputs import EFFECT_SD, overlap
from planlib.plan.model import Experiment
from planlib.plan.registration import (
    Changed,
    Deviation,
    Observed,
    Registration,
    design,
    deviations,
    differences,
    experiment_of,
    register,
    registered,
)

if TYPE_CHECKING:
    from planlib.assigned import Holdout
    from planlib.experiments.trial import ReadOut
    from planlib.plan.load import Plan

Write = Callable[[str], None]
_CATALOGUED = {  # beginning of an outcome's name -> metric of the catalogue that it measures
    "net_margin": "net_margin_per_customer", "order_": "user_conversion_rate", "activated": "activation_rate",
    "messages_opened/messages_delivered": "message_open_rate",
}  # fmt: skip


def people_of(test: Experiment) -> int:
    """Return the people that an experiment needs in all arms: by CUPED where its plan states a correlation.

    Raises:
        InputError: its baseline and smallest effect leave no share between 0 and 1.
    """
    return planned_as(test).size.n_total


def planned_as(test: Experiment) -> Planned:
    """Return size and weeks of an experiment, as notebook 40 plans it.

    Raises:
        InputError: as `people_of`.
    """
    return plan_test(
        Idea(
            test.baseline.central,
            test.smallest_worth_having.central,
            test.traffic_per_week.central,
            test.effect_sd.central if test.effect_sd else EFFECT_SD,
            four_weeks=test.traffic_four_weeks and test.traffic_four_weeks.central,
            allocation=tuple(test.arms.values()),
            alpha=test.alpha,
            power=test.power,
            sides=test.sides,
            correlation=test.correlation and test.correlation.central,
            looks=test.looks,
            stopping=test.stopping,
        )
    )


def _days_of(test: Experiment) -> int:
    """Return for how many days people are in an experiment, as it is planned."""
    return 7 * (planned_as(test).weeks or WEEKS_A_YEAR)


def holdouts(plan: Plan) -> dict[str, Holdout]:
    """Return the arms of a plan's experiments that are left alone while they run."""
    from planlib.assigned import Holdout

    return {test.id: Holdout(test.holdout, _days_of(test)) for test in plan.experiments if test.holdout is not None}


def register_experiment(
    plan_file: str, experiment: str, w: Words, *, reason: str, owner: str | None, day: dt.date, write: Write
) -> None:
    """Register an experiment's design and say what it is, and what differs from the registration before."""
    done = register(plan_file, experiment, people_of, reason=reason, owner=owner, day=day)
    key = "registered" if done.new and not done.changed else "registered_again" if done.new else "registered_already"
    told = {"experiment": experiment, "date": w.date(dt.date.fromisoformat(done.date)), "sha256": done.sha256[:12]}
    write(w.text(f"experiments.say.{key}", **told))
    for line in design_lines(done, w) if not done.changed else changed_lines(done.changed, w):
        write(line)


def assign_experiment(
    plan_file: str,
    experiment: str,
    w: Words,
    *,
    root: Path,
    outputs: Path,
    joined_since: dt.date | None,
    now: dt.datetime,
    write: Write,
    silent_days: int | None = None,
) -> None:
    """Assign customers to a registered experiment, write table and lists, and say what was done.

    Args:
        plan_file: the plan.
        experiment: id of one of its experiments.
        w: language of what is said.
        root: the data folder.
        outputs: where `private` lists go.
        joined_since: only customers added on this day or later; needed for a test on newcomers.
        now: local time of the assignment.
        write: takes each line.
        silent_days: only customers without an act of their own for so many whole days since they joined.

    Raises:
        InputError: the experiment is unknown, not registered, or registered otherwise; or as `assign_customers`.
    """
    from planlib.assigned import Other, assign_customers
    from planlib.data.store import make_private, tidy_dir
    from planlib.workbook.data_job import WAIT_SECONDS
    from planlib.workbook.lock import hold

    plan = load_plan(plan_file)
    test = experiment_of(plan, experiment)
    agreed = _agreed(plan_file, test)
    if joined_since is None and metric(test.primary).population == "new_users":
        raise InputError(Problem("newcomers_since", Path(plan_file).as_posix(), f"experiments.{experiment}.primary"))
    others = {
        other.id: Other(_days_of(other), overlap(test, other))
        for other in plan.experiments
        if other.id != test.id
    }
    waits = {"wait_seconds": WAIT_SECONDS, "on_wait": lambda _: write(w.text("data.load.waiting"))}
    with hold(make_private(tidy_dir(root)), **waits):
        done = assign_customers(
            root,
            outputs,
            plan=plan.id,
            experiment=experiment,
            arms=test.arms,
            people=agreed.design["people"],
            block=test.block,
            others=others,
            joined_since=joined_since,
            now=now,
            silent_days=silent_days,
            data=plan.data,
        )
    for arm, people in done.arms.items():
        write(w.text("experiments.say.arm", arm=arm, people=f"{people:,}"))
    write(w.text("experiments.say.assigned", added=f"{done.added:,}", planned=f"{agreed.design['people']:,}"))
    for reason, people in done.left_out.items():
        if people:
            write(w.text(f"experiments.left_out.{reason}", people=f"{people:,}"))
    if done.stopped:
        write(w.text("experiments.say.stopped", people=f"{done.stopped:,}"))
    write(w.text("experiments.say.table", file=done.table.as_posix()))
    told = {"files": done.files, "employees": done.employees, "folder": done.lists.as_posix()}
    write(w.text("experiments.say.lists", **told))


def _agreed(plan_file: str, test: Experiment) -> Registration:
    """Return the registration that the plan still agrees with."""
    told = {"file": Path(plan_file).as_posix(), "field": f"experiments.{test.id}"}
    agreed = registered(plan_file, test.id)
    if agreed is None:
        raise InputError(Problem("not_registered", **told, values={"experiment": test.id}))
    changed = differences(agreed.design, design(test, people_of(test)))
    if changed:
        fields = ", ".join(change.field for change in changed)
        raise InputError(Problem("registered_otherwise", **told, values={"date": agreed.date, "fields": fields}))
    return agreed


def design_lines(done: Registration, w: Words) -> list[str]:
    """Return the design in words, one line a field that is stated."""
    stated = {name: value for name, value in done.design.items() if value not in (None, [], {})}
    return [
        "  " + w.text("experiments.say.field", field=field_name(name, w), value=shown(name, value, w))
        for name, value in stated.items()
    ]


def changed_lines(changed: tuple[Changed, ...], w: Words) -> list[str]:
    """Return what changed, one line a field."""
    return [
        "  " + w.text(
            "experiments.say.changed",
            field=field_name(change.field, w),
            before=shown(change.field, change.before, w),
            after=shown(change.field, change.after, w),
        )
        for change in changed
    ]  # fmt: skip


def metric_id(outcome: str) -> str:
    """Return the metric of the catalogue that an outcome measures; its own name where there is none.

    >>> metric_id("order_28d"), metric_id("opt_out"), metric_id("bought")
    ('user_conversion_rate', 'opt_out_rate', 'bought')
    """
    for known in (outcome, f"{outcome}_rate"):
        if known in catalogue():
            return known
    return next((of for begins, of in _CATALOGUED.items() if outcome.startswith(begins)), outcome)


def observed(found: ReadOut, *, first_day: dt.date | None, finished: bool) -> Observed:
    """Return what a read-out rests on, for `deviations`.

    Rows that were kept by delivery are people reached, whatever the table calls them. A test that still runs counts
    as stopped once it is decided.

    Args:
        found: the read-out.
        first_day: of its first assignment, where known.
        finished: no more people will be assigned.
    """
    health = found.health
    filtered = health.mismatch.alarm and health.mismatch.cause == "filtered_after_assignment"
    told = [() if health.shares_assumed else (share,) for share in health.shares]
    shares = dict(zip(found.arms, told, strict=True))
    return Observed(
        metric=metric_id(found.question.primary.name),
        people=int(sum(found.people)),
        shares=shares,
        first_day=first_day,
        by="exposure" if filtered else "assignment",
        finished=finished or found.decision.id in ("ship", "do_not"),
    )


def departures_of(plan_file: str, experiment: str, found: ReadOut) -> tuple[Deviation, ...]:
    """Return how a read-out of a file departs from the registration of its test.

    Raises:
        InputError: the plan has problems, has no such test, or the test is not registered.
    """
    test = experiment_of(load_plan(plan_file), experiment)
    agreed = registered(plan_file, experiment)
    if agreed is None:
        told = {"file": Path(plan_file).as_posix(), "field": f"experiments.{experiment}"}
        raise InputError(Problem("not_registered", **told, values={"experiment": experiment}))
    days = [one.days[0] for one in found.courses]
    first = dt.date.fromisoformat(min(days)) if days else None
    seen = observed(found, first_day=first, finished=found.reached >= 1)
    return deviations(agreed, design(test, people_of(test)), seen)


def deviation_line(found: Deviation, w: Words) -> str:
    """Return one deviation of a read-out as a sentence."""
    told: Mapping[str, Any] = found.values
    if found.code == "changed_design":
        name = str(told["field"])
        said = {end: shown(name, told[end], w) for end in ("before", "after")}
        return w.text("experiments.deviation.changed_design", field=field_name(name, w), **said)
    if found.code == "other_metric":
        told = {name: w.metric(of) if (of := str(one)) in catalogue() else of for name, one in told.items()}
    elif found.code == "early_stop":
        told = {name: w.number(people, "people") for name, people in told.items()}
    elif found.code == "changed_shares":
        seen = _listed((w.number(share, "ratio") for share in told["shares"]), w)
        told = {"arm": told["arm"], "planned": w.number(told["planned"], "ratio"), "shares": seen}
    elif found.code == "registered_late":
        told = {name: w.date(dt.date.fromisoformat(day)) for name, day in told.items()}
    return w.text(f"experiments.deviation.{found.code}", **told)


def field_name(name: str, w: Words) -> str:
    """Return the name of a field of a design."""
    return w.text(f"experiments.design.{name}")


def shown(name: str, value: object, w: Words) -> str:
    """Return a value of a design as readers see it."""
    if value is None or value in ([], {}):
        return "—"
    if name == "arms":
        return _listed((f"{arm} {w.number(share, 'ratio')}" for arm, share in value), w)
    if name == "guardrails":
        return _listed((f"{w.metric(name)} {w.number(margin, 'points')}" for name, margin in value.items()), w)
    if name == "primary":
        return w.metric(str(value))
    if name in ("baseline", "power"):
        return w.number(value, "ratio")
    if name == "smallest_worth_having":
        return w.number(value, "points", signed=True)
    if name == "people":
        return f"{value:,}"
    if name == "stopping":
        return w.text(f"experiments.stopping.{value}")
    if name == "looks":
        return _listed((w.number(look, "ratio") for look in value), w)
    return _listed(map(str, value), w) if isinstance(value, list) else str(value)


def _listed(parts: Iterable[str], w: Words) -> str:
    return w.text("experiments.say.comma").join(parts)
