"""Experiments registered before anybody is assigned: their design hashed into the decision log, and what differs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.plan.decide import log_entries, log_entry
from planlib.plan.load import Plan, load_plan
from planlib.plan.model import Experiment

KIND = "registration"
_NEARLY = 0.98  # of the people planned for a look; who was assigned in its last days may still be missing


@dataclass(frozen=True, slots=True)
class Changed:
    """A field of a design before and after; None where it was not stated."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Registration:
    """A design as the log keeps it.

    Attributes:
        experiment: its id.
        design: what `design` returns.
        sha256: hash of the design.
        date: day of the registration, ISO.
        reason: that was given, or "".
        new: it was written just now.
        changed: what differs from the registration before; () for a first one.
    """

    experiment: str
    design: Mapping[str, Any]
    sha256: str
    date: str
    reason: str = ""
    new: bool = False
    changed: tuple[Changed, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a read-out rests on; None where it does not tell.

    Attributes:
        metric: that the decision was made by.
        people: assigned in all arms.
        shares: arm -> planned shares that its assignments carry, each once.
        first_day: of the first assignment.
        by: whom it compares: everybody assigned, or only people who were reached.
        finished: no more people will be assigned.
    """

    metric: str | None = None
    people: int | None = None
    shares: Mapping[str, Sequence[float]] = field(default_factory=dict)
    first_day: dt.date | None = None
    by: str = "assignment"
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Deviation:
    """One way in which a read-out departs from what was registered.

    Attributes:
        code: other_metric, early_stop, changed_shares, other_arms, by_exposure, registered_late or changed_design;
            words stand under experiments.deviation.<code>.
        values: placeholders of the words.
    """

    code: str
    values: Mapping[str, object]


def experiment_of(plan: Plan, experiment: str) -> Experiment:
    """Return an experiment of a plan.

    Raises:
        InputError: there is none of that id.
    """
    found = next((test for test in plan.experiments if test.id == experiment), None)
    if found is None:
        choice = ", ".join(test.id for test in plan.experiments) or "—"
        raise InputError(Problem("unknown_ref", plan.file, "experiments", given=experiment, values={"choice": choice}))
    return found


def design(test: Experiment, people: int) -> dict[str, Any]:
    """Return what of an experiment a read-out is held to: whom, what, how many, by which rule.

    Why it is asked, when it starts, what it costs and who answers for it are free to change. `arms` is a list of
    [arm, share], the control first.

    Args:
        test: of the plan.
        people: that it needs in all arms, by its own settings.
    """
    return {
        "unit": test.unit,
        "block": test.block,
        "pool": test.pool,
        "arms": [[arm, share] for arm, share in test.arms.items()],
        "primary": test.primary,
        "guardrails": {guardrail.metric: guardrail.margin for guardrail in test.guardrails},
        "segments": list(test.segments),
        "family": test.family,
        "baseline": test.baseline.central,
        "smallest_worth_having": test.smallest_worth_having.central,
        "alpha": test.alpha,
        "power": test.power,
        "sides": test.sides,
        "looks": list(test.looks),
        "stopping": test.stopping,
        "people": people,
    }


def design_sha256(of: Mapping[str, Any]) -> str:
    """Return the hash of a design: equal for equal designs, however the plan file writes them."""
    return hashlib.sha256(json.dumps(of, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Changed, ...]:
    """Return the fields in which two designs differ.

    >>> differences({"alpha": 0.05, "primary": "aov"}, {"alpha": 0.1, "primary": "aov"})
    (Changed(field='alpha', before=0.05, after=0.1),)
    """
    names = [*before, *(name for name in after if name not in before)]
    return tuple(Changed(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n))


def registered(plan_file: str | Path, experiment: str) -> Registration | None:
    """Return the newest registration of an experiment, or None.

    Raises:
        InputError: the decision log has been damaged.
    """
    mine = [entry for entry in log_entries(plan_file, KIND) if entry["experiment"] == experiment]
    return _read(mine[-1]) if mine else None


def register(
    plan_file: str | Path,
    experiment: str,
    size: Callable[[Experiment], int],
    *,
    reason: str = "",
    owner: str | None = None,
    day: dt.date,
) -> Registration:
    """Write an experiment's design into the plan's decision log, unless it stands there as it is.

    Args:
        plan_file: the plan.
        experiment: id of one of its experiments.
        size: returns the people that an experiment needs in all arms.
        reason: why, or who approved it; needed for a test that the plan flags for review, and for a change.
        owner, day: kept in the log; the experiment's owner is named when no other is.

    Returns:
        The registration, `changed` against the one before.

    Raises:
        InputError: the plan has problems, there is no such experiment, a reason is needed, or the log has been
            damaged; nothing is written then.
    """
    plan = load_plan(plan_file)
    test = experiment_of(plan, experiment)
    made, before = design(test, size(test)), registered(plan_file, experiment)
    digest = design_sha256(made)
    if before is not None and before.sha256 == digest:
        return before
    if not reason.strip():
        told = {"file": Path(plan_file).as_posix(), "field": "--reason", "values": {"experiment": experiment}}
        if test.review:
            raise InputError(Problem("review_reason", **told))
        if before is not None:
            raise InputError(Problem("change_reason", **told))
    entry = {"kind": KIND, "experiment": experiment, "design": made, "design_sha256": digest, "date": day.isoformat()}
    log_entry(plan_file, entry | {"owner": owner or test.owner, "reason": reason.strip()})
    changed = differences(before.design, made) if before else ()
    return Registration(experiment, made, digest, day.isoformat(), reason.strip(), new=True, changed=changed)


def deviations(
    agreed: Registration, now: Mapping[str, Any] | None = None, observed: Observed | None = None
) -> tuple[Deviation, ...]:
    """Return how a read-out departs from what was registered.

    Args:
        agreed: the registration that counts.
        now: the design as the plan has it today (`design`).
        observed: what the read-out rests on.
    """
    found = [
        Deviation("changed_design", {"field": change.field, "before": change.before, "after": change.after})
        for change in differences(agreed.design, now or agreed.design)
    ]
    return (*found, *(_observed(agreed, observed) if observed else ()))


def _observed(agreed: Registration, seen: Observed) -> Iterator[Deviation]:
    planned = dict(agreed.design["arms"])
    if seen.metric is not None and seen.metric != agreed.design["primary"]:
        yield Deviation("other_metric", {"planned": agreed.design["primary"], "metric": seen.metric})
    people = agreed.design["people"]
    if seen.people is not None and seen.finished and not _enough(seen.people / people, agreed.design):
        yield Deviation("early_stop", {"people": seen.people, "planned": people})
    if seen.shares and set(seen.shares) != set(planned):
        yield Deviation("other_arms", {"planned": ", ".join(planned), "arms": ", ".join(seen.shares)})
    for arm, shares in seen.shares.items():
        if arm in planned and any(abs(share - planned[arm]) > 1e-6 for share in shares):
            yield Deviation("changed_shares", {"arm": arm, "planned": planned[arm], "shares": tuple(shares)})
    if seen.by != "assignment":
        yield Deviation("by_exposure", {})
    if seen.first_day is not None and seen.first_day.isoformat() < agreed.date:
        yield Deviation("registered_late", {"first": seen.first_day.isoformat(), "date": agreed.date})


def _enough(share: float, agreed: Mapping[str, Any]) -> bool:
    """Whether the people for the last look were met, or just those of an earlier one that may stop the test."""
    looks = agreed["looks"]
    if share >= looks[-1] * _NEARLY:
        return True
    return agreed["stopping"] != "fixed" and any(look * _NEARLY <= share <= look / _NEARLY for look in looks)


def _read(entry: Mapping[str, Any]) -> Registration:
    return Registration(
        entry["experiment"], entry["design"], entry["design_sha256"], entry["date"], entry.get("reason", "")
    )
