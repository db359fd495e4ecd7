"""The commands that register and assign experiments: what they say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from planlib.core.words import Words
from planlib.plan.registration import Changed, Deviation, Registration, register

Write = Callable[[str], None]


def register_experiment(
    plan_file: str, experiment: str, w: Words, *, reason: str, owner: str | None, day: dt.date, write: Write
) -> None:
    """Register an experiment's design and say what it is, and what differs from the registration before."""
    done = register(plan_file, experiment, reason=reason, owner=owner, day=day)
    key = "registered" if done.new and not done.changed else "registered_again" if done.new else "registered_already"
    told = {"experiment": experiment, "date": w.date(dt.date.fromisoformat(done.date)), "sha256": done.sha256[:12]}
    write(w.text(f"experiments.say.{key}", **told))
    for line in design_lines(done, w) if not done.changed else changed_lines(done.changed, w):
        write(line)


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


def deviation_line(found: Deviation, w: Words) -> str:
    """Return one deviation of a read-out as a sentence."""
    told: Mapping[str, Any] = found.values
    if found.code == "changed_design":
        name = str(told["field"])
        said = {end: shown(name, told[end], w) for end in ("before", "after")}
        return w.text("experiments.deviation.changed_design", field=field_name(name, w), **said)
    if found.code == "other_metric":
        told = {name: w.metric(str(metric)) for name, metric in told.items()}
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
        return _listed((f"{w.metric(metric)} {w.number(margin, 'points')}" for metric, margin in value.items()), w)
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
