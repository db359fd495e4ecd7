"""References to results inside a text that people write: one grammar for page words and for the plan document.

A text takes every number from a run, by a reference in braces, so that it never goes stale:

    {20_funnel_targets.users}                     a metric, written in its unit
    {20_funnel_targets.users.low}                 low, high, level (of its interval), n, month, date (a month by name)
    {20_funnel_targets.channels[id=ads].name}     a cell of a table: the row by a column's value, or [2] by its number
    {say: 20_funnel_targets.users_forecast.title} a sentence that the notebook recorded: title, subtitle or reading of
                                                  a page; text, evidence, next_step or owner of a finding
    {metric: private_domain_users}                a name out of the catalogue
    {plan: title}                                 title, owner, start, end, months, as_of

A question mark before the closing brace, as in {20_funnel_targets.gap?}, says that the name may be missing. What is
missing (so marked, of a notebook that is not in the run, or without a value) is told to the caller, who decides what to
leave out; what is unknown is a problem with the nearest names.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planlib.core import results as res
from planlib.core.errors import Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.report.deck_tables import cell_text, glue, is_missing, month_day

if TYPE_CHECKING:
    from planlib.report.deck_pages import Run

BRACES = re.compile(r"\{([^{}\n]*)\}")
PARTS = ("low", "high", "level", "n", "month", "date")
PAGE_WORDS = ("title", "subtitle", "reading")
FINDING_WORDS = ("text", "evidence", "next_step", "owner")
PLAN_WORDS = ("title", "owner", "start", "end", "months", "as_of")
FIRST = "00_start_here"  # of the workbook; it has no step on the page of methods, hence no name there
FORMS = "{NOTEBOOK.METRIC} {NOTEBOOK.TABLE[COLUMN=VALUE].COLUMN} {say: NOTEBOOK.PAGE.title} {metric: ID} {plan: title}"

_ID = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_METRIC = re.compile(rf"({_ID})\.({_ID})(?:\.({_ID}))?")
_CELL = re.compile(rf"({_ID})\.({_ID})\[(?:({_ID})=)?([^\[\]=]+)\]\.({_ID})")
_SAY = re.compile(rf"({_ID})\.({_ID})\.({_ID})")
_NAMED = re.compile(r"(say|metric|plan):\s*(.+)")
# A digit that belongs to a name: behind a letter (W5.1, G1), of a sales festival (6.18), or marked `2026`.
_NAMES = re.compile(r"`[^`\n]*`|[A-Za-z_][A-Za-z0-9_./-]*|(?<![\d.])(?:6\.18|11\.11|12\.12)(?![\d.])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MANY = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands, for messages: the file as the user named it, the field, and the line."""

    file: str = ""
    field: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its references filled.

    Attributes:
        text: ready to be set; references that could not be filled stand in it as typed, a missing value as a dash.
        missing: what this run lacks, as `notebook` or as the reference, in the order of the text.
        problems: references and literal numbers that are wrong.
    """

    text: str
    missing: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Missing(Exception):
    """What a reference names is not in this run; the argument is the notebook's id, or the reference."""


class Unknown(Exception):
    """A reference names nothing: carries the name as typed and the names that exist."""

    def __init__(self, given: str, known: Iterable[str]):
        super().__init__(given)
        self.given = given
        self.known = list(known)


def fill(text: str, run: Run, words: Words, place: Place) -> Filled:
    """Fill the references of a text out of a run; a number typed into it is a problem.

    Args:
        text: one paragraph, title or cell in the grammar of this module.
        run: the results.
        words: the language.
        place: where the text stands.
    """
    problems, missing = list(literal_numbers(text, place)), []

    def put(found: re.Match[str]) -> str:
        typed = found[1].strip()
        try:
            shown = value(typed.removesuffix("?").strip(), run, words)
        except Missing as error:
            missing.append(str(error))
            return found[0]
        except Unknown as error:
            if typed.endswith("?"):
                missing.append(error.given)
            else:
                problems.append(unknown(error, place))
            return found[0]
        if shown == "—":
            missing.append(typed.removesuffix("?").strip())
        return shown

    filled = BRACES.sub(put, text)
    if re.search(r"[{}]", BRACES.sub("", text)):
        problems.append(Problem("reference_form", place.file, place.field, place.line, text, values={"forms": FORMS}))
    return Filled(glue(filled.replace("`", ""), words.locale), tuple(dict.fromkeys(missing)), tuple(problems))


def literal_numbers(text: str, place: Place) -> Iterator[Problem]:
    """Yield a problem for every number that is typed into a text.

    Digits may stand behind a letter (W5.1, G1), in the name of a sales festival (6.18, 11.11, 12.12), or between
    backticks, which mark a name (`2026`); everything else is a number and belongs into results.

    >>> [problem.given for problem in literal_numbers("G1, W5.1, `2026`, 6.18: 40% of {a.b} 3, GMV增长20%", Place())]
    ['40%', '3', '20%']
    """
    bare = _NAMES.sub(" ", BRACES.sub(" ", text))
    for found in re.finditer(r"[+−-]?¥?\d[\d,.]*\s?[%％万亿]?", bare):
        yield Problem("literal_number", place.file, place.field, place.line, found[0].strip().rstrip(".,"))


def unknown(error: Unknown, place: Place) -> Problem:
    """Return the problem of a reference to nothing, with the nearest names."""
    near = difflib.get_close_matches(error.given, error.known, n=3, cutoff=0.5)
    if error.known:
        shown = near or error.known[:_MANY]
        values = {"nearest": ", ".join(shown)}
        return Problem("reference_unknown", place.file, place.field, place.line, error.given, values=values)
    return Problem("reference_form", place.file, place.field, place.line, error.given, values={"forms": FORMS})


def value(reference: str, run: Run, words: Words) -> str:
    """Return what one reference, without its braces, stands for.

    Raises:
        Missing: its notebook is not in this run.
        Unknown: it names nothing.
    """
    if named := _NAMED.fullmatch(reference):
        return {"say": _sentence, "metric": _metric_name, "plan": _plan_word}[named[1]](named[2], run, words)
    if cell := _CELL.fullmatch(reference):
        return _cell(cell, run, words)
    if metric := _METRIC.fullmatch(reference):
        return _metric(metric, reference, run, words)
    raise Unknown(reference, [])


def results_of(notebook: str, run: Run, words: Words) -> Mapping[str, Any]:
    """Return the results of a notebook.

    Raises:
        Missing: a notebook of the workbook that is not in this run.
        Unknown: no such notebook.
    """
    if notebook in run.results:
        return run.results[notebook]
    if notebook == FIRST or words.has(f"deck.method.notebooks.{notebook}.name"):
        raise Missing(notebook)
    raise Unknown(notebook, run.results)


def _metric(found: re.Match[str], reference: str, run: Run, words: Words) -> str:
    results = results_of(found[1], run, words)
    entries = {entry["id"]: entry for entry in results["metrics"]}
    if found[2] not in entries:
        raise Unknown(f"{found[1]}.{found[2]}", [f"{found[1]}.{name}" for name in entries])
    entry, part = entries[found[2]], found[3]
    unit, signed = entry["unit"], entry.get("signed", False)
    if part is None:
        return words.number(entry["value"], unit, signed=signed)
    if part not in PARTS:
        raise Unknown(reference, [f"{found[1]}.{found[2]}.{name}" for name in PARTS])
    if part == "date":
        month = entry["value"] if unit == "month" else entry["month"]
        return "—" if month is None else words.month(month_day(run.plan, month))
    if part in ("n", "month"):
        return words.number(entry[part], "count" if part == "n" else "month")
    inside = (entry["interval"] or {}).get(part)
    return words.number(inside, "probability" if part == "level" else unit, signed=signed and part != "level")


def _cell(found: re.Match[str], run: Run, words: Words) -> str:
    notebook, table, key, wanted, column = found.groups()
    results = results_of(notebook, run, words)
    units = {entry["id"]: entry["units"] for entry in results["tables"]}
    if table not in units:
        raise Unknown(f"{notebook}.{table}", [f"{notebook}.{name}" for name in units])
    rows = run.rows(notebook, table)
    if key is None:
        if not wanted.isdigit() or not 1 <= int(wanted) <= len(rows):
            raise Unknown(f"{table}[{wanted}]", [f"{table}[{i}]" for i in range(1, len(rows) + 1)])
        row = rows[int(wanted) - 1]
    else:
        if rows and key not in rows[0]:
            raise Unknown(key, rows[0])
        row = next((row for row in rows if str(row[key]) == wanted.strip()), None)
        if row is None:
            raise Unknown(f"{key}={wanted}", [f"{key}={row[key]}" for row in rows])
    if column not in row and f"{column}_{words.locale}" not in row:
        raise Unknown(column, row)
    shown = cell_text(words, run.plan, row, column, units[table])
    return words.date(dt.date.fromisoformat(shown)) if _DAY.fullmatch(shown) else shown


def _sentence(reference: str, run: Run, words: Words) -> str:
    found = _SAY.fullmatch(reference)
    if found is None:
        raise Unknown(f"say: {reference}", [])
    notebook, name, part = found.groups()
    results = results_of(notebook, run, words)
    pages = {page["id"]: page for page in results["pages"]}
    findings = {entry["id"]: entry for entry in results["findings"]}
    choice = [f"{notebook}.{page}.{w}" for page in pages for w in PAGE_WORDS]
    choice += [f"{notebook}.{finding}.{w}" for finding in findings for w in FINDING_WORDS]
    owner = pages if part in PAGE_WORDS else findings if part in FINDING_WORDS else {}
    if name not in owner:
        raise Unknown(reference, choice)
    recorded = owner[name].get(part)
    if not recorded:
        return "—"
    return " ".join(res.text(words, results, recorded).split()).rstrip("。.")  # the text around it ends the sentence


def _metric_name(reference: str, run: Run, words: Words) -> str:
    try:
        return words.metric(reference.strip())
    except KeyError:
        raise Unknown(reference.strip(), catalogue()) from None


def _plan_word(reference: str, run: Run, words: Words) -> str:
    plan, wanted = run.plan, reference.strip()
    if wanted not in PLAN_WORDS:
        raise Unknown(wanted, PLAN_WORDS)
    if wanted == "title":
        return " ".join(words.pick(plan["title"]).split())
    if wanted == "owner":
        owner = plan.get("owner")
        return "—" if is_missing(owner) else words.pick(owner) if isinstance(owner, Mapping) else str(owner)
    if wanted == "months":
        return words.number(plan["months"], "months")
    if wanted == "as_of":
        return words.date(run.as_of)
    return words.month(month_day(plan, 1 if wanted == "start" else plan["months"]))
