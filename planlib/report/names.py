"""What a text can refer to in a run: every name with its present value, as lines to be copied from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planlib.core import results as res
from planlib.core.words import Words, aligned

if TYPE_CHECKING:
    from planlib.report.deck_pages import Run

_TITLE_LENGTH = 60


def name_lines(run: Run, words: Words, *, notebooks: Sequence[str] = ()) -> Iterator[str]:
    """Yield the references that a text may use, notebook by notebook, each with what it stands for.

    Args:
        run: the results.
        words: the language.
        notebooks: only of these; empty for all.
    """
    for name, results in run.results.items():
        if not notebooks or name in notebooks:
            yield from aligned([*_metrics(name, results, words), *_sentences(name, results, words)] or [("", "")])
            yield from aligned([*_tables(name, results), *_charts(name, results)] or [("", "")])


def _metrics(notebook: str, results: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    for entry in results["metrics"]:
        shown = words.number(entry["value"], entry["unit"], signed=entry.get("signed", False))
        yield f"{{{notebook}.{entry['id']}}}", shown


def _sentences(notebook: str, results: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    for kind, part in (("pages", "title"), ("findings", "text")):
        for entry in results[kind]:
            said = " ".join(res.text(words, results, entry[part]).split())
            shown = said if len(said) <= _TITLE_LENGTH else f"{said[: _TITLE_LENGTH - 1]}…"
            yield f"{{say: {notebook}.{entry['id']}.{part}}}", shown


def _tables(notebook: str, results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    shown = [page["table"] for page in results["pages"] if page["table"]]
    for table in {entry["id"]: entry for entry in shown}.values():
        yield f"{{table: {notebook}.{table['id']}}}", ", ".join(column["name"] for column in table.get("columns", ()))


def _charts(notebook: str, results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for chart in dict.fromkeys(page["chart"] for page in results["pages"] if page["chart"]):
        yield f"{{chart: {notebook}.{chart}}}", ""
