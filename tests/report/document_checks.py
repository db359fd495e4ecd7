"""What a finished plan document must hold: every number traced to a result, the same numbers in both languages.

Looks at the content before it is set, which holds every text of the document except what charts draw (the checks of
the deck look at those); `tests/report/test_document.py` shows that the pages print it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from planlib.core.words import words
from planlib.report.deck import read_run
from planlib.report.deck_pages import Run
from planlib.report.document import build_document, shipped_works
from planlib.report.document_text import Manuscript
from tests.report import deck_checks as deck

_ANY_PAGE = {"id": "", "chart": {"kind": "chart"}}  # all tables of a notebook may stand behind a text


def untraced_numbers(run_dir: Path, locale: str, manuscript: Manuscript | None = None) -> list[str]:
    """Return every number and date of a document that is no metric, table cell or date of its run's results."""
    run = read_run(run_dir)
    notebooks = list(run.results)
    cells = list(deck._cells(run, notebooks, _ANY_PAGE))
    dates = deck._dates(run, notebooks)
    problems = []
    for where, text in _told(run, locale, manuscript):
        found, rest = deck._split_dates(text, dates)
        problems += [f"{where}: {shown}" for shown, date in found if date not in dates]
        problems += [f"{where}: {n.text}" for n in deck.numbers(rest) if not any(n.shows(cell) for cell in cells)]
    return problems


def different_numbers(run_dir: Path) -> list[str]:
    """Return where the chapters of the two languages do not show the same numbers and dates."""
    run = read_run(run_dir)
    known = deck._dates(run, list(run.results))
    sides = {locale: _by_chapter(run, locale, known) for locale in ("zh", "en")}
    if len(sides["zh"]) != len(sides["en"]):
        return [f"zh has {len(sides['zh'])} chapters, en has {len(sides['en'])}"]
    problems = []
    for number, (zh, en) in enumerate(zip(sides["zh"], sides["en"], strict=True)):
        if zh[0] != en[0]:
            problems.append(f"chapter {number}: dates {zh[0] - en[0]} against {en[0] - zh[0]}")
        alone = deck._unmatched(zh[1], en[1])
        problems += [f"chapter {number}: {n.text}" for n in alone if not any(n.shows(x) for x in _written(run))]
    return problems


def chapter_texts(chapter: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a chapter: paragraphs, items, and of tables and charts title, subtitle, reading and cells."""
    yield chapter["title"]
    for block in (*chapter["blocks"], *chapter["plates"]):
        if "spans" in block:
            yield "".join(span["text"] for span in block["spans"])
        else:
            yield from (block[part] for part in ("title", "subtitle", "reading"))
            yield from (cell["text"] for row in block.get("rows", ()) for cell in row)


def _told(run: Run, locale: str, manuscript: Manuscript | None = None) -> Iterator[tuple[str, str]]:
    """Yield where and what the summary and the chapters say, names and citations taken out."""
    content = build_document(run, locale, manuscript).content
    fixed = [*deck._fixed_texts(run, _ANY_PAGE), *_citations(locale)]
    for number, chapter in enumerate((content["summary"], *content["chapters"])):
        for text in chapter_texts(chapter):
            plain = " ".join(text.replace("\u200b", "").split())
            yield f"chapter {number}", deck._without(plain, [name for name in fixed if name in plain])


def _written(run: Run) -> Iterator[float]:
    """Yield the numbers in sentences of tables: what an analyst writes says in each language what it likes."""
    for notebook, results in run.results.items():
        for table in results["tables"]:
            for row in run.rows(notebook, table["id"]):
                yield from (n.value for text in row.values() if isinstance(text, str) for n in deck.numbers(text))


def _citations(locale: str) -> list[str]:
    w = words(locale)
    shown = []
    for work in shipped_works().values():
        by = work["by"] if isinstance(work["by"], str) else w.pick(work["by"])
        shown.append(w.text("document.citation", by=by, year=work["year"]).strip(" ()（）"))
    return shown


def _by_chapter(run: Run, locale: str, known: set[str]) -> list[tuple[Counter, list[deck.Number]]]:
    """Return the dates and the numbers of each chapter."""
    chapters: dict[str, tuple[Counter, list[deck.Number]]] = {}
    for where, text in _told(run, locale):
        dates, numbers = chapters.setdefault(where, (Counter(), []))
        found, rest = deck._split_dates(text, known)
        dates.update(date for _, date in found)
        numbers += deck.numbers(rest)
    return list(chapters.values())
