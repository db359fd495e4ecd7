"""Measured levels of a run, taken into a plan: what may be adopted, and what is said of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.data.baseline import measures
from planlib.plan import load_plan
from planlib.plan.decide import Adoption, adopt_levels
from planlib.workbook.history import find_run

BASELINE = "10_baseline"
_MONTHLY = ("users.churn", "users.waking", "users.staying_active")  # rates that are measured over a month
_NO_PLACE = ("", "channels", "baseline.total_gmv")  # measured as a whole, or as a share of what is sought


def adopt(
    plan_file: str, run_name: str, ids: Sequence[str], w: Words, *, out_root: Path, owner: str | None, sample: bool,
    day: dt.date, write: Callable[[str], None],
) -> None:  # fmt: skip
    """Take measured levels of a run into a plan and say which.

    Args:
        plan_file: the plan.
        run_name: plan id (its latest run), run id or run folder.
        ids: metrics that notebook 10 measured.
        w: language of what is said.
        out_root: where runs are kept.
        owner, day: kept in the log.
        sample: also levels of the sample brand.
        write: takes each line.

    Raises:
        InputError: the run is of another plan, or rests on sample data; an id is unknown, has no place in a plan or
            was not measured; the plan cannot have a level. Nothing is written then.
    """
    plan = load_plan(plan_file)
    run = find_run(run_name, out_root, holding=BASELINE)
    found = res.load(run / BASELINE / "results.json")
    shown = (run / BASELINE / "results.json").as_posix()
    problems = []
    if found["plan"]["id"] != plan.id:
        problems.append(Problem("other_plan", shown, "plan.id", given=found["plan"]["id"], values={"plan": plan.id}))
    if found.get("sample") and not sample:
        problems.append(Problem("sample_level", shown, "sample"))
    levels = {metric["id"]: metric for metric in found["metrics"] if metric["id"] in measures()}
    problems += [problem for name in ids if (problem := _refused(name, levels, shown))]
    if problems:
        raise InputError(*problems)
    chosen = [_adoption(levels[name], found, run.name) for name in dict.fromkeys(ids)]
    path = adopt_levels(plan_file, chosen, owner=owner, day=day)
    for adoption in chosen:
        metric = levels[adoption.log["metric"]]
        told = {"metric": w.metric(metric["id"]), "value": w.number(metric["value"], metric["unit"])}
        write(w.text("cli.adopted", place=adoption.place, **told))
    write(w.text("cli.adopted_file", file=path.as_posix()))


def adoptable() -> tuple[str, ...]:
    """Return the metrics whose level has one place in a plan."""
    return tuple(name for name, measure in measures().items() if measure.feeds not in _NO_PLACE)


def _refused(name: str, levels: Mapping[str, Mapping[str, Any]], shown: str) -> Problem | None:
    if name not in adoptable():
        return Problem("not_adoptable", shown, "ID", given=name, values={"choice": ", ".join(adoptable())})
    if name not in levels:
        return Problem("not_measured", shown, name, values={"reason": "no_rows"})
    if levels[name]["value"] is None:
        return Problem("not_measured", shown, name, values={"reason": levels[name]["reason"]})
    return None


def _adoption(metric: Mapping[str, Any], found: Mapping[str, Any], run_id: str) -> Adoption:
    place = measures()[metric["id"]].feeds
    kept = {name: metric[name] for name in ("unit", "n", "interval", "method")}
    log = {"metric": metric["id"], "run": run_id, "as_of": found["as_of"], "sample": bool(found.get("sample"))} | kept
    why = {locale: _why(metric, found, words(locale)) for locale in LOCALES}
    return Adoption(place, float(metric["value"]), "month" if place in _MONTHLY else None, why, log)


def _why(metric: Mapping[str, Any], found: Mapping[str, Any], w: Words) -> str:
    band = metric["interval"]
    told = {
        "as_of": w.date(dt.date.fromisoformat(found["as_of"])),
        "reading": w.text(f"baseline.reading_of.{measures()[metric['id']].reading}"),
    }
    if band:
        told |= {end: w.number(band[end], metric["unit"]) for end in ("low", "high")}
        told["n"] = w.number(metric["n"], "count")
    kind = ("sample_" if found.get("sample") else "") + ("interval" if band else "counted")
    return w.text(f"baseline.adopt.{kind}", **told)
