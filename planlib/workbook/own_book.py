"""What an own notebook works with: the same book as the shipped ones, and pages in the author's own words.

from planlib.workbook import own
record = own("member_day", plan_file=plan_file, out_dir=out_dir, locale=locale, seed=seed)
record.metric("gain", 0.031, "ratio")
record.page("Member day adds {gain} to sales", frame, "Keep it in the calendar")
record.done()
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.report.deck_pages import Run
from planlib.report.page_words import as_written, filled, pick
from planlib.report.references import Place
from planlib.workbook.context import Book, start
from planlib.workbook.graph import read_graph

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS = 60, 12
BothOrOne = str | Mapping[str, str]
_OTHERS = re.compile(r"\{\s*([A-Za-z0-9][\w-]*)\.([A-Za-z0-9][\w-]*)")


class OwnError(InputError):
    """What is wrong with a page, in the language of the notebook."""

    locale = "en"

    def __str__(self) -> str:
        return self.render(self.locale)


def own(notebook: str, *, plan_file: str, out_dir: str = "", locale: str = "zh", seed: int | None = None) -> OwnBook:
    """Begin an own notebook: `planlib.workbook.start` with pages in words.

    Args:
        notebook: the id of its front matter; the rest as of `start`.
    """
    found = start(notebook, plan_file=plan_file, out_dir=out_dir, locale=locale, seed=seed)
    return OwnBook(notebook, found.plan, found.out, found.words, found.seed)


class OwnBook(Book):
    """A book whose pages take words, a chart or a table."""

    def metric(self, metric_id: str, value: float | None, unit: str, *, method: str = "own", **facts: Any) -> Any:
        """Record a number that texts name as `{metric_id}`; see `Book.metric`."""
        return super().metric(metric_id, value, unit, method=method, **facts)

    def page(  # type: ignore[override]
        self,
        title: BothOrOne,
        shown: pd.DataFrame | Figure | Callable[[Words], Figure],
        reading: BothOrOne | None = None,
        *,
        subtitle: BothOrOne | None = None,
        units: Mapping[str, str] | None = None,
        heads: Mapping[str, BothOrOne] | None = None,
    ) -> Any:
        """Record a page of the deck and show it.

        Texts stand in one language or as {"zh": ..., "en": ...}. Every number in them is a reference: `{gain}` to a
        number that this notebook recorded before, `{20_funnel_targets.users_end}` to one of a notebook in its needs.

        Args:
            title: the finding as a sentence.
            shown: a data frame, a Matplotlib figure, or a function that draws one in the words of each language.
            reading: what follows from it.
            subtitle: measure, unit, period.
            units: of a table, column -> unit of the catalogue; `number` for numbers, else text, where left out. A
                column of {"zh": ..., "en": ...} shows the reader's language.
            heads: of a table, column -> heading; the column's name where left out.

        Raises:
            OwnError: all that is wrong with the page.
        """
        from matplotlib.figure import Figure

        number = len(self._record["pages"]) + 1
        page_id = f"page_{number}"
        texts = self._texts(page_id, title=title, subtitle=subtitle, reading=reading)
        chart = table = None
        if isinstance(shown, Figure) or callable(shown):
            chart = page_id
            draw = shown if callable(shown) else lambda _: shown
            self.chart(page_id, draw, alt=texts["title"])
        else:
            table = self._own_table(page_id, shown, units or {}, heads or {})
        super().page(
            page_id, layout="chart" if chart else "table", section="deck.own.section", title=texts["title"],
            subtitle=texts["subtitle"], reading=texts["reading"], chart=chart, table=table,
            source=self.text("deck.own.source", notebook={"bilingual": dict.fromkeys(LOCALES, self.notebook)}),
        )  # fmt: skip
        self.say(texts["title"])
        return None if chart else shown

    def done(self) -> Path:
        """Write what was recorded; the last line of an own notebook. See `Book.record`."""
        return self.record()

    def _refuse(self, *problems: Problem) -> None:
        error = OwnError(*problems)
        error.locale = self.words.locale
        raise error

    def _texts(self, page_id: str, **given: BothOrOne | None) -> dict[str, Any]:
        """Return the page's texts with their references filled in both languages."""
        if not given["title"] or not _is_text(given["title"]):
            self._refuse(Problem("own_no_title", self.notebook, f"{page_id}.title", given=given["title"]))
        found: dict[str, Any] = {}
        for part, text in given.items():
            if not text:
                found[part] = None
                continue
            place = Place(self.notebook, f"{page_id}.{part}")
            if not _is_text(text):
                self._refuse(Problem("own_page_words", place.file, place.field, given=type(text).__name__))
            try:
                run = self._run()
                said = {loc: filled(text, run, words(loc), place, self.notebook) for loc in LOCALES}
                lacking = [name for one in said.values() for name in one.missing if "{" in one.text]
                if lacking:
                    self._refuse(Problem("reference_missing", place.file, place.field, given=lacking[0]))
                self._keep_numbers(run, text)
                found[part] = as_written({loc: one.text for loc, one in said.items()})
            except InputError as error:
                self._refuse(*error.problems)
        return found

    def _keep_numbers(self, run: Run, text: BothOrOne) -> None:
        """Record the numbers of other notebooks that a text takes, so that each on a page is one of this notebook's."""
        recorded = {entry["id"] for entry in self._record["metrics"]}
        for one in [text] if isinstance(text, str) else text.values():
            for notebook, metric_id in _OTHERS.findall(one):
                entries = run.results.get(notebook, {}).get("metrics", ())
                entry = next((entry for entry in entries if entry["id"] == metric_id), None)
                if entry is not None and (kept := f"{notebook}.{metric_id}") not in recorded:
                    recorded.add(kept)
                    self._record["metrics"].append({**entry, "id": kept})

    def _run(self) -> Run:
        """Return the results that texts may refer to: of this notebook so far, and of those in its needs."""
        graph = read_graph(Path())
        needs = graph.order(graph.upstream(self.notebook)) if self.notebook in graph.ids else ()
        return Run(self.out, {self.notebook: self._so_far(), **{need: self.upstream(need) for need in needs}})

    def _own_table(
        self, page_id: str, frame: Any, units: Mapping[str, str], heads: Mapping[str, BothOrOne]
    ) -> dict[str, Any]:
        """Keep a data frame as the table of a page; return how the page shows it."""
        import pandas as pd

        where = {"file": self.notebook, "field": f"{page_id}"}
        if not isinstance(frame, pd.DataFrame):
            self._refuse(Problem("own_not_shown", **where, given=type(frame).__name__))
        if not 0 < len(frame) <= MOST_ROWS or not 0 < len(frame.columns) <= MOST_COLUMNS:
            size = {"rows": MOST_ROWS, "columns": MOST_COLUMNS}
            size |= {"given_rows": len(frame), "given_columns": len(frame.columns)}
            self._refuse(Problem("own_table_size", **where, values=size))
        told, columns, kept = {}, [], {}
        for place, column in enumerate(frame.columns):
            name, values = f"c{place + 1}" if not str(column).isidentifier() else str(column), list(frame[column])
            number = pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])
            for row, value in enumerate(values, 1):
                if isinstance(value, float) and not math.isfinite(value):
                    self._refuse(Problem("own_nan", **where, values={"column": column, "row": row}))
            if values and all(isinstance(value, Mapping) and _is_text(value) for value in values):
                told[name] = "bilingual"
                kept |= {f"{name}_{loc}": [pick(value, loc) for value in values] for loc in LOCALES}
            else:
                told[name] = units.get(column) or ("number" if number else "text")
                kept[name] = [float(value) for value in values] if number else [_shown(value) for value in values]
            head = heads.get(column, str(column))
            columns.append({"name": name, "head": {loc: pick(head, loc) for loc in LOCALES}})
        path = f"tables/{page_id}.parquet"
        res.write_table(self.folder / path, pd.DataFrame(kept))
        self._record["tables"].append({"id": page_id, "file": path, "rows": len(frame), "units": told})
        return {"id": page_id, "columns": columns}


def _is_text(text: object) -> bool:
    """Whether a text stands in one language or in a mapping of languages."""
    if isinstance(text, Mapping):
        return bool(text) and set(text) <= set(LOCALES) and all(isinstance(t, str) and t.strip() for t in text.values())
    return isinstance(text, str) and bool(text.strip())


def _shown(value: object) -> str | None:
    return None if value is None else str(value)
