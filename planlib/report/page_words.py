"""Titles and readings that people write in place of a notebook's: the plan's `report.pages`, and own notebooks.

Numbers stand in them as references (`planlib.report.references`), so that they follow the results.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words
from planlib.core.words import words as words_of
from planlib.report import references
from planlib.report.references import Filled, Place

if TYPE_CHECKING:
    from pathlib import Path

    from planlib.plan import Plan
    from planlib.report.deck_pages import Run

PARTS = ("title", "reading")
_BARE = re.compile(r"\{\s*([A-Za-z0-9][A-Za-z0-9_-]*)(\??)\s*\}")
_BLANKS = re.compile(r"\s+")
_FIGURE = re.compile(r"\d+(?:\.\d+)?[%万亿]?")


def replaced(run: Run, words: Words, page_id: str) -> dict[str, str]:
    """Return part -> the words that the plan gives a page, its references filled.

    A part that needs a value which this run lacks is left out: the notebook's own words stand.

    Raises:
        InputError: a reference to nothing, or a number typed in.
    """
    given = run.plan.get("pages", {}).get(page_id, {})
    notebook = page_id.partition(".")[0]
    found = {}
    for part in PARTS:
        if given.get(part):
            place = Place(run.plan["file"], f"report.pages.{page_id}.{part}")
            said = filled(given[part], run, words, place, notebook)
            found |= {} if said.missing else {part: said.text}
    return found


def refuse_typed(plan: Plan, run_dir: Path | None) -> None:
    """Make sure, before notebooks run, that no number is typed into the words of a plan's pages.

    Args:
        run_dir: the plan's latest run, whose results tell which reference a number stands for; None without one.

    Raises:
        InputError: every typed number.
    """
    if not plan.report.pages:
        return
    from planlib.report.deck import read_run

    run = read_run(run_dir) if run_dir is not None else None
    problems = []
    for page_id, given in plan.report.pages.items():
        for part in PARTS:
            said = getattr(given, part)
            texts = {} if said is None else dict.fromkeys(LOCALES, said) if isinstance(said, str) else said.model_dump()
            for locale, text in texts.items():
                place = Place(plan.file, f"report.pages.{page_id}.{part}")
                for one in references.literal_numbers(text, place):
                    notebook = page_id.partition(".")[0]
                    problems.append(one if run is None else _with_reference(one, run, words_of(locale), notebook))
    if problems:
        raise InputError(*{(p.field, str(p.given)): p for p in problems}.values())


def refuse_unknown(run: Run) -> None:
    """Make sure that every page which the plan gives words to is one of the run's.

    Raises:
        InputError: the nearest ids are told.
    """
    known = [f"{name}.{page['id']}" for name, results in run.results.items() for page in results["pages"]]
    problems = []
    for page_id in run.plan.get("pages", {}):
        if page_id not in known:
            near = difflib.get_close_matches(page_id, known, n=3, cutoff=0.4) or known[:8]
            values = {"nearest": ", ".join(near)}
            problems.append(Problem("page_unknown", run.plan["file"], "report.pages", None, page_id, values=values))
    if problems:
        raise InputError(*problems)


def filled(text: str | Mapping[str, str], run: Run, words: Words, place: Place, notebook: str) -> Filled:
    """Return a text in one language, which may stand in the other alone, with its references filled; see `fill`.

    Args:
        text: words, or language -> words; `{users}` stands for `{NOTEBOOK.users}`.
        notebook: the notebook whose page it is.

    Raises:
        InputError: all that is wrong with it.
    """
    typed = " ".join(pick(text, words.locale).split())
    found = references.fill(whole(typed, notebook), run, words, place)
    if found.problems:
        raise InputError(*(_with_reference(problem, run, words, notebook) for problem in found.problems))
    return found


def pick(text: str | Mapping[str, str], locale: str) -> str:
    """Return a text in a language, else in the one that it has."""
    return text if isinstance(text, str) else text.get(locale) or next(iter(text.values()))


def whole(text: str, notebook: str) -> str:
    """Put the notebook before references without one.

    >>> whole("{users} of {20_funnel_targets.goal}", "member_day")
    '{member_day.users} of {20_funnel_targets.goal}'
    """
    return _BARE.sub(rf"{{{notebook}.\1\2}}", text)


def _with_reference(problem: Problem, run: Run, words: Words, notebook: str) -> Problem:
    """Name the result that a typed number repeats, of the page's own notebook first."""
    if problem.code != "literal_number":
        return problem
    order = sorted(run.results, key=lambda name: name != notebook)
    wanted = _plain(str(problem.given))
    for name in order:
        for entry in run.results[name]["metrics"]:
            if entry["value"] is not None and _plain(words.number(entry["value"], entry["unit"])) == wanted:
                values = {"reference": f"{{{name}.{entry['id']}}}"}
                return replace(problem, code="literal_known", values=values)
    return problem


def _plain(number: str) -> str:
    """Return digits, point and per cent or 万 of a written number, without what letters say beside it."""
    found = _FIGURE.search(_BLANKS.sub("", number).replace(",", "").replace("％", "%"))
    return found[0] if found else ""


def as_written(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return what results hold for words without a locale entry: language -> words."""
    return {"text": "deck.as_written", "values": {"text": {"bilingual": {loc: texts[loc] for loc in LOCALES}}}}
