"""What notebook 20 says about chances: metrics, pages and headings whose wording depends on the outcome.

As in `planlib.report.funnel_story`, each function records what its page needs on the notebook's book.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planlib.core.words import LOCALES, words

Text = dict[str, Any]
Verdict = Mapping[str, Any]

_SECTION, _SOURCE = "funnel.section", "funnel.source"


def draws(book: Any, *, paths: int, uncertain: int, certain: Sequence[str]) -> Text:
    """Tell what is drawn and what is not.

    Args:
        paths: draws.
        uncertain: inputs with a range.
        certain: drivers without any, by name.
    """
    book.metric("paths", paths, "count", method="choice")
    book.metric("inputs_uncertain", uncertain, "count", method="count")
    book.metric("inputs_certain", len(certain), "count", method="count")
    if not uncertain:
        return book.text("chances.say.draws_none")
    counts = {"paths": "paths", "uncertain": "inputs_uncertain", "certain": "inputs_certain"}
    return book.text("chances.say.draws", **counts, names=_names(certain))


def record_chances(book: Any, verdicts: Sequence[Verdict], *, paths: int) -> None:
    """Record `p_target_on_time` of every target that has a forecast, by target id."""
    for verdict in verdicts:
        if verdict["probability"] is None:
            continue
        simulated = not verdict["certain"]
        interval = (verdict["probability_low"], verdict["probability_high"], 0.95) if simulated else None
        book.metric(
            on_time(verdict),
            verdict["probability"],
            "probability",
            metric=verdict["metric"],
            month=verdict["judged_month"],
            method="simulation" if simulated else "as_typed",
            interval=interval,
            n=paths if simulated else None,
        )


def on_time(verdict: Verdict) -> str:
    """Return the metric id of a target's chance."""
    return f"p_target_on_time_{verdict['id']}"


def states(book: Any, *, reading: bool) -> Text:
    """Tell how many are active; `reading` when the steady share is recorded."""
    values = {"due": "due", "active": "active", "share": "active_share_due"}
    book.page(
        "users_states",
        layout="chart",
        section=_SECTION,
        chart="states",
        title=book.text("chances.title.states", **values),
        subtitle=book.text("chances.subtitle.states"),
        reading=book.text("chances.reading.states", steady="steady", stay="stay", wake="wake", churn="churn")
        if reading
        else None,
        source=book.text(_SOURCE),
    )
    return book.text("chances.say.states", **values)


def bridge(book: Any, far: Verdict | None, *, joined: float, left: float) -> None:
    """Record the page that leads from the opening to the month of the users' goal.

    Args:
        far: the goal on the users; None when the plan has none.
        joined, left: people until that month.
    """
    book.metric("joined_due", joined, "users", method="sum")
    book.metric("left_due", left, "users", method="sum")
    if joined:
        book.metric("lost_share", left / joined, "ratio", method="share")
    kind, values = "none", {"due": "due", "forecast": "users", "joined": "joined_due", "left": "left_due"}
    if far:
        kind = "missing" if far["shortfall"] else "met"
        values = {"due": "due"} | ({"gap": "gap"} if far["shortfall"] else {"forecast": "users", "goal": "goal"})
    reading = f"chances.reading.bridge_{'missing' if kind == 'missing' else 'other'}"
    book.page(
        "users_bridge",
        layout="chart",
        section=_SECTION,
        chart="bridge",
        title=book.text(f"chances.title.bridge_{kind}", **values),
        subtitle=book.text("chances.subtitle.bridge", due="due"),
        reading=book.text(reading, lost="lost_share") if joined else None,
        source=book.text(_SOURCE),
    )


def bindings(
    book: Any, far: Verdict | None, found: Mapping[str, Any], *, widest: Mapping[str, str] | None,
    certain: Sequence[str],
) -> None:  # fmt: skip
    """Record the page on what binds.

    Args:
        far: the goal on the users; None when the plan has none.
        found: {target: `planlib.funnel.binding.Binding`}.
        widest: name of the input with the widest swing in both languages; None when no input is uncertain.
        certain: drivers without a range.
    """
    kind, values = "fixed", {}
    if widest:
        kind, values = "other", {"due": "due", "name": {"bilingual": widest}}
    it = found.get(far["id"]) if far else None
    if it and it.driver:
        driver = {"words": f"chances.driver.{it.driver}"}
        kind = it.basis
        if kind == "probability":
            book.metric("binding_gain", it.parts[it.driver], "probability", method="shapley")
            values = {"driver": driver, "due": "due", "goal": "goal", "gain": "binding_gain"}
        else:
            book.metric("binding_closes", it.closes[it.driver], "ratio", method="tenth_better")
            values = {"driver": driver, "goal": "goal", "closes": "binding_closes"}
    names = ("metric", "goal", "due_month", "probability", "driver", "gained", "closes")
    weights = {"metric": 2.0, "driver": 1.0}
    columns = [{"name": name, "head": f"{_head(name)}.{name}", "weight": weights.get(name, 1.0)} for name in names]
    reading = book.text("chances.reading.binding_all")
    if certain:
        reading = book.text("chances.reading.binding", names=_names(certain))
    book.page(
        "binding",
        layout="table" if widest is None else "chart",
        section=_SECTION,
        chart="tornado" if widest else None,
        table={"id": "binding", "columns": columns},
        title=book.text(f"chances.title.binding_{kind}", **values),
        subtitle=book.text("chances.subtitle.binding" if widest else "chances.subtitle.binding_table"),
        reading=reading,
        source=book.text(_SOURCE),
    )


def _head(column: str) -> str:
    return "funnel.head" if column in ("metric", "goal", "due_month") else "chances.head"


def seek(
    book: Any, far: Verdict | None, *, intake: float | None, probability: float, together: Any,
    changes: Mapping[str, str] | None,
) -> None:  # fmt: skip
    """Record the page on what each driver would have to be.

    Args:
        far: the users' goal when it is sought; else None.
        intake: people a month that reach it with the wanted chance; None when no number does.
        probability: wanted chance.
        together: `planlib.funnel.backcast.Combination` for that goal; None without one.
        changes: its changes in words, both languages.
    """
    book.metric("wanted_chance", probability, "probability", method="choice")
    kind, values = "other", {"probability": "wanted_chance"}
    reading = book.text("chances.reading.seek_none")
    if far:
        kind, values = "never", values | {"due": "due", "goal": "goal"}
        if intake is not None:
            book.metric("intake_for_chance", intake, "users_per_month", method="goal_seek")
            kind, values = "reached", values | {"needed": "intake_for_chance"}
        if together and together.feasible:
            reading = book.text("chances.reading.seek_feasible", changes={"bilingual": changes})
        elif together:
            book.metric("together_share", together.reached / far["goal"], "ratio", method="goal_seek")
            reading = book.text("chances.reading.seek_infeasible", goal="goal", share="together_share")
    names = ("target", "lever", "now", "alone", "error", "together", "at_most")
    weights = {"target": 2.0}
    columns = [{"name": name, "head": f"chances.head.{name}", "weight": weights.get(name, 1.0)} for name in names]
    book.page(
        "seek",
        layout="table",
        section=_SECTION,
        table={"id": "seek", "columns": columns},
        title=book.text(f"chances.title.seek_{kind}", **values),
        subtitle=book.text("chances.subtitle.seek", probability="wanted_chance"),
        reading=reading,
        source=book.text(_SOURCE),
    )


def _names(drivers: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the names of drivers as one list in both languages."""
    said = {loc: [words(loc).text(f"chances.driver.{driver}") for driver in drivers] for loc in LOCALES}
    return {"bilingual": {loc: _listed(parts, loc) for loc, parts in said.items()}}


def changes_in_words(changes: Mapping[str, tuple[float, str]]) -> dict[str, str]:
    """Return what drivers change to, both languages.

    Args:
        changes: {driver: (value, unit)}.
    """
    said = {}
    for locale in LOCALES:
        w = words(locale)
        parts = [
            w.text("chances.change", driver=w.text(f"chances.driver.{name}"), value=w.number(value, unit))
            for name, (value, unit) in changes.items()
        ]
        said[locale] = _listed(parts, locale)
    return said


def target_in_words(verdict: Verdict) -> dict[str, str]:
    """Return a target as a few words: metric, month and level."""
    said = {}
    for locale in LOCALES:
        w = words(locale)
        level = w.number(verdict["goal"], verdict["unit"])
        month = w.number(verdict["judged_month"], "month")
        said[locale] = w.text("chances.target", metric=w.metric(verdict["metric"]), month=month, goal=level)
    return said


def _listed(parts: Sequence[str], locale: str) -> str:
    return ("、" if locale == "zh" else ", ").join(parts)
