"""The plan document of a run: an A4 PDF in one language, its words from a text file, its numbers from the results.

Reads what the deck reads (results.json, tables, charts) and the plan's own text file, else the shipped one; writes
`decks/<plan>.plan.<locale>.pdf`. The same run and text give the same bytes. docs/plan-document.md tells its readers
how to change the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.report import typefaces
from planlib.report.brand import logo_files, look
from planlib.report.deck import compiled, read_run
from planlib.report.deck_pages import Chart, Pages, Run, chart_texts
from planlib.report.deck_tables import Column, lay_out
from planlib.report.document_text import PICTURES, Block, Chapter, Manuscript, Work, read_text
from planlib.report.page_words import replaced
from planlib.report.references import FIRST, Filled, Missing, Place, Unknown, fill, results_of, unknown

EDITION = "plan"
PORTRAIT, LANDSCAPE = 483.28, 729.89  # points between the margins of A4
WIDEST_INLINE = 620.0  # of a chart: wider ones would be set below 6.5 points and get a page across
INLINE_SCALE = 0.84  # of smaller ones, beside text of this size
TABLE_SIZE, SMALL_TABLE_SIZE = 9.0, 8.0
SMALLEST_TABLE_SIZE = 6.8
PNG_PIXELS_PER_INCH = 96

_DECK_SIZE = 10.5  # that a table of the deck begins with
_CITED = re.compile(r"\s?\[@([A-Za-z][\w-]*)\]")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?]) (?=\S)")
_KEPT = 3  # characters that never stand alone in the last line of a Chinese paragraph
_NO_LIMIT = 1e6
_PICTURE_PLACE = re.compile(r"([A-Za-z0-9][\w-]*)\.([A-Za-z0-9][\w-]*)\??")


@dataclass(frozen=True)
class Document:
    """A document ready for Typst: its name, its content and the charts it shows."""

    name: str
    content: Mapping[str, Any]
    charts: Mapping[str, Path]


def make_documents(
    run_dir: str | Path,
    *,
    locales: Sequence[str] | None = None,
    out_dir: str | Path | None = None,
    png_dir: str | Path | None = None,
) -> list[Path]:
    """Write the plan documents of a run and return their paths.

    Args:
        run_dir: folder of a run, holding one folder with results.json for each notebook.
        locales: zh, en; None for both.
        out_dir: in place of <run_dir>/decks.
        png_dir: also write every page as a PNG there.

    Raises:
        InputError: no results; in the text an unknown reference, citation or column, or a number typed in; a
            character that the fonts lack. All at once, before a file is written.
    """
    run = read_run(run_dir)
    problems: list[Problem] = []
    documents = []
    for locale in locales or LOCALES:
        try:
            document = build_document(run, locale)
        except InputError as error:
            problems += error.problems
            continue
        problems += missing_characters(document)
        documents.append(document)
    if problems:
        raise InputError(*problems)
    folder = Path(out_dir) if out_dir is not None else run.folder / "decks"
    written = []
    for document in documents:
        files = sources(document)
        written.append(folder / f"{document.name}.pdf")
        res.write_whole(written[-1], compiled(files, pdf=True)[0])
        if png_dir is not None:
            for number, picture in enumerate(compiled(files, pdf=False, pixels_per_inch=PNG_PIXELS_PER_INCH), 1):
                written.append(Path(png_dir) / f"{document.name}-{number:02d}.png")
                res.write_whole(written[-1], picture)
    return written


def refuse_parts(edition: str, **given: object) -> None:
    """Refuse other editions, and options that choose pages: a text file says what stands in a document.

    Raises:
        InputError: one of them was given.
    """
    problems = [Problem("document_whole", field=f"--{name}", given=value) for name, value in given.items() if value]
    if edition != EDITION:
        problems.append(Problem("choice", field="--edition", given=edition, values={"choice": EDITION}))
    if problems:
        raise InputError(*problems)


def build_document(run: Run, locale: str, manuscript: Manuscript | None = None) -> Document:
    """Return the content of a document in one language.

    Args:
        run: the results.
        locale: zh or en.
        manuscript: its text; None for the plan's own file, else the shipped one.
    """
    manuscript = manuscript or find_text(run.plan, locale)
    return _Builder(run, words(locale), manuscript).document()


def find_text(plan: Mapping[str, Any], locale: str) -> Manuscript:
    """Return the text of a plan: `<plan>.<locale>.md` beside its file, else the one that is shipped for any plan.

    Raises:
        InputError: the file is not UTF-8.
    """
    own = Path(plan["file"]).with_suffix(f".{locale}.md")
    if own.is_file():
        try:
            return read_text(own.read_text(encoding="utf-8"), own.as_posix())
        except UnicodeDecodeError:
            raise InputError(Problem("bad_encoding", file=own.as_posix())) from None
    shipped = resources.files("planlib") / "locale" / locale / "plan_document.md"
    return read_text(shipped.read_text(encoding="utf-8"), f"planlib/locale/{locale}/plan_document.md")


def missing_characters(document: Document) -> Iterator[Problem]:
    """Yield every character that the fonts cannot show: which, and in what text."""
    own = [("", text) for text in _texts(document.content)]
    charts = (entry for entry in document.charts.items() if entry[0].endswith(".svg") and "/charts/" in entry[0])
    drawn = [(name, text) for name, path in charts for text in chart_texts(path)]
    for file, text in [*own, *drawn]:
        for char in typefaces.missing_glyphs(text.replace("\u200b", "")):
            yield Problem("missing_glyph", file=file, given=text, values={"char": f"U+{ord(char):04X}", "page": file})


@cache
def shipped_works() -> Mapping[str, Mapping[str, Any]]:
    """Return the works that any text may cite: key -> by, year, entry."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((resources.files("planlib") / "report" / "works.yaml").read_text(encoding="utf-8"), Loader=loader)


@dataclass
class _Count:
    """What has been numbered, cited, left out and found wrong so far."""

    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PICTURES, 0))
    cited: dict[str, None] = field(default_factory=dict)
    left_out: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)


class _Builder(Pages):
    """Makes the content of one document: the deck's words, tables and charts in the order of a text."""

    def __init__(self, run: Run, words: Words, manuscript: Manuscript):
        super().__init__(run, words)
        self.manuscript = manuscript
        self.count = _Count()

    def document(self) -> Document:
        plan = self.run.plan
        summary, *chapters = self.manuscript.chapters or (Chapter("", 1, ()),)
        if not summary.title and summary.blocks:
            first = summary.blocks[0]
            self.count.problems.append(
                Problem("document_no_chapter", self.manuscript.file, line=first.line, given=first.text)
            )
        opening = self._chapter(summary)
        made = [found for chapter in chapters if (found := self._chapter(chapter))]
        if self.count.problems:
            raise InputError(*self.count.problems)
        title = self.word("title", plan=" ".join(self.words.pick(plan["title"]).split()))
        day = self.run.as_of
        content = {
            "locale": self.locale,
            "title": title,
            "author": plan.get("owner") or self.words.text("deck.author"),
            "date": [day.year, day.month, day.day],
            "cover": self._front(title),
            "summary": opening or {"title": self.word("summary"), "blocks": [], "plates": []},
            "chapters": made,
            "works": [self._entry(key) for key in sorted(self.count.cited)],
            "left_out": list(self._left_out()),
            "version": self._version(),
            "labels": {name: self.word(name) for name in _LABELS},
            "header": title,
            "version_line": self.word("version_line", date=self.words.date(day), version=plan["sha256"][:8]),
            "stamp": self._stamp,
            "look": look(self.run, self.words),
        }
        return Document(f"{plan['id']}.{EDITION}.{self.locale}", content, self.count.files | logo_files(self.run))

    def word(self, key: str, **values: object) -> str:
        """Return a word of the document itself."""
        return self.words.text(f"document.{key}", **values)

    # Cover and back

    def _front(self, title: str) -> dict[str, Any]:
        findings = self._findings()
        told = self.say(self.run.results[findings[0][0]], findings[0][1]["text"]) if findings else ""
        plan = self.run.plan
        meta = [{"label": self.label(f"cover.{key}"), "value": value} for key, value in self._meta()]
        owner = plan.get("owner")
        if owner:
            meta.insert(0, {"label": self.word("owner"), "value": str(owner)})
        return {"kicker": self.word("kicker"), "title": title, "told": told, "meta": meta}

    def _version(self) -> list[list[str]]:
        plan = self.run.plan
        entries = {
            "plan_file": plan["file"],
            "text_file": self.manuscript.file,
            "plan_hash": plan["sha256"][:16],
            "scenario": plan.get("scenario") or "",
            "seed": ", ".join(dict.fromkeys(str(found["seed"]) for found in self.run.results.values())),
            "as_of": self.words.date(self.run.as_of),
            "notebooks": self.words.text("deck.summary.join").join(self._names()),
            "software": self._software(),
        }
        return [[self.word(f"version.{name}"), value] for name, value in entries.items() if value]

    def _names(self) -> list[str]:
        """Return the names of the chapters of the workbook that this run has."""
        return [self._name(notebook) for notebook in self.run.results]

    def _name(self, notebook: str) -> str:
        if notebook == FIRST:
            return self.word("first_notebook")
        key = f"deck.method.notebooks.{notebook}.name"
        return self.words.text(key) if self.words.has(key) else notebook

    def _entry(self, key: str) -> str:
        own = self.manuscript.works.get(key)
        return own.text if own else shipped_works()[key]["entry"]

    # Chapters

    def _chapter(self, chapter: Chapter) -> dict[str, Any] | None:
        """Return a chapter without what this run lacks; None when nothing of it is left."""
        title = self._fill(chapter.title, chapter.line, chapter.title)
        blocks: list[dict[str, Any]] = []
        plates: list[dict[str, Any]] = []
        for block in chapter.blocks:
            if block.kind in PICTURES:
                picture = self._picture(block, chapter.title)
                if picture is not None:
                    _mention(blocks, picture)
                    (plates if picture["across"] else blocks).append(picture)
            elif text := self._fill(block.text, block.line, chapter.title):
                spans = list(self._spans(text, block))
                blocks.append({"kind": block.kind, "spans": spans if block.kind == "heading" else self._kept(spans)})
        blocks = _without_empty_headings(blocks)
        if not title or not (blocks or plates):
            return None
        self._number([*blocks, *plates])
        return {"title": title, "blocks": blocks, "plates": plates}

    def _number(self, blocks: Sequence[dict[str, Any]]) -> None:
        """Number tables and charts in the order in which they are printed, then name them where they belong."""
        for block in blocks:
            if block["kind"] in PICTURES:
                self.count.numbers[block["kind"]] += 1
                number = self.word(f"{block['kind']}_number", n=self.count.numbers[block["kind"]])
                block["number"] = number.replace(" ", "\u00a0")
        for block in blocks:
            if "mentions" in block:
                printed = [picture for picture in blocks if picture["kind"] in PICTURES]
                named = [picture for picture in printed if any(picture is own for own in block["mentions"])]
                block["mentions"] = [picture["number"] for picture in named]

    def _fill(self, text: str, line: int, chapter: str) -> str:
        """Return the text with its numbers, without the sentences that this run cannot say, which is noted.

        A paragraph whose first sentence cannot be said is left out whole: the others lean on it.
        """
        said: list[str] = []
        for number, sentence in enumerate(_SENTENCE_END.split(text)):
            found: Filled = fill(sentence, self.run, self.words, self._place(line))
            self.count.problems += found.problems
            for missing in found.missing:
                self._leave_out(chapter, missing)
            if not (found.missing or found.problems):
                said.append(found.text)
            elif number == 0:
                return ""
        return ("" if self.locale == "zh" else " ").join(said)

    def _leave_out(self, chapter: str, missing: str) -> None:
        """Note what is left out of a chapter: a whole notebook, or something that it did not record."""
        notebook, _, name = missing.removeprefix("say: ").partition(".")
        names = self.count.left_out.setdefault((chapter, notebook), [])
        if name not in names:
            names.append(name)

    def _left_out(self) -> Iterator[list[str]]:
        """Yield each chapter that lacks something, with the reason, notebook by notebook."""
        for (chapter, notebook), names in self.count.left_out.items():
            shown = self._name(notebook)
            recorded = [name for name in names if name]
            if recorded:
                yield [chapter, self.word("why_values", name=shown, names=", ".join(recorded))]
            else:
                yield [chapter, self.word("why_notebook", name=shown)]

    def _place(self, line: int) -> Place:
        return Place(self.manuscript.file, "", line)

    def _spans(self, text: str, block: Block) -> Iterator[dict[str, Any]]:
        """Yield the runs of a text: plain, bold, and citations with what they cite."""
        at = 0
        for found in re.finditer(rf"{_CITED.pattern}|{_BOLD.pattern}", text):
            if found.start() > at:
                yield {"kind": "plain", "text": text[at : found.start()]}
            at = found.end()
            if found[2] is not None:
                yield {"kind": "bold", "text": found[2]}
            elif (label := self._citation(found[1], block.line)) is not None:
                yield {"kind": "plain", "text": label}
        if at < len(text):
            yield {"kind": "plain", "text": text[at:]}

    def _citation(self, key: str, line: int) -> str | None:
        own: Work | None = self.manuscript.works.get(key)
        if own is not None:
            found = re.match(r"(.+?)\s*[（(](\d{4})[)）]", own.text)
            by, year = (found[1].rstrip("., "), found[2]) if found else (own.text, "")
        elif key in shipped_works():
            by, year = shipped_works()[key]["by"], str(shipped_works()[key]["year"])
            by = by if isinstance(by, str) else self.words.pick(by)
        else:
            known = [*shipped_works(), *self.manuscript.works]
            self.count.problems.append(unknown(Unknown(key, known), self._place(line)))
            return None
        self.count.cited[key] = None
        return self.word("citation", by=by, year=year).replace(f" {year}", f"\u00a0{year}")

    def _kept(self, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep the last characters of a Chinese paragraph together, so that none stands alone on a line."""
        last = spans[-1] if spans else {"kind": "", "text": ""}
        if self.locale != "zh" or last["kind"] != "plain" or len(last["text"]) <= 2 * _KEPT:
            return spans
        head, tail = last["text"][: -_KEPT - 1], last["text"][-_KEPT - 1 :]
        if re.search(r"[\w\u00a0%¥.−]$", head) and re.match(r"[A-Za-z0-9%.\u00a0]", tail):
            return spans
        return [*spans[:-1], {"kind": "plain", "text": head}, {"kind": "kept", "text": tail}]

    # Tables and charts

    def _picture(self, block: Block, chapter: str) -> dict[str, Any] | None:
        try:
            notebook, page = self._page_with(block)
        except Missing as error:
            self._leave_out(chapter, str(error))
            return None
        except Unknown as error:
            if block.text.endswith("?"):
                self._leave_out(chapter, error.given)
            else:
                self.count.problems.append(unknown(error, self._place(block.line)))
            return None
        results = self.run.results[notebook]
        made = self._drawn(notebook, results, page) if block.kind == "chart" else self._set(notebook, page, block)
        if made is None:
            return None
        parts = ("title", "subtitle", "reading")
        said = {part: self.say(results, page[part]) if page.get(part) else "" for part in parts}
        said |= replaced(self.run, self.words, f"{notebook}.{page['id']}")
        if block.kind == "table":
            said["reading"] = ""
            if page["layout"] == "targets":  # its bars are not shown here
                said["subtitle"] = self.word("targets_subtitle")
        source = self._source(self.say(results, page["source"]))
        return {"kind": block.kind, **said, "source": source, **made}

    def _page_with(self, block: Block) -> tuple[str, Mapping[str, Any]]:
        """Return the notebook and the page of the deck that show a chart or table."""
        found = _PICTURE_PLACE.fullmatch(block.text)
        if found is None:
            raise Unknown(block.text, [])
        notebook, wanted = found[1], found[2]
        pages = results_of(notebook, self.run, self.words)["pages"]
        shown = {name: page for page in reversed(pages) if (name := _shown(page, block.kind))}
        if wanted not in shown:
            raise Unknown(f"{notebook}.{wanted}", [f"{notebook}.{name}" for name in shown])
        return notebook, shown[wanted]

    def _drawn(self, notebook: str, results: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
        chart: Chart = self._chart(notebook, results, page)
        self.count.files[chart.name] = chart.path
        across = chart.width > WIDEST_INLINE
        width = min(chart.width, LANDSCAPE) if across else min(chart.width * INLINE_SCALE, PORTRAIT)
        return {"file": chart.name, "alt": chart.alt, "across": across, "width": round(width, 3)}

    def _set(self, notebook: str, page: Mapping[str, Any], block: Block) -> dict[str, Any] | None:
        """Return a table at the largest type that its columns leave room for; one that needs it lies across."""
        page = self._with_columns(page, block)
        if page is None:
            return None
        columns = self._columns(notebook, self.run.results[notebook], page)
        columns = {loc: [c for c in own if c.kind != "against"] for loc, own in columns.items()}
        for across, size in ((False, TABLE_SIZE), (False, SMALL_TABLE_SIZE), (True, TABLE_SIZE)):
            room = LANDSCAPE if across else PORTRAIT
            scale = size / _DECK_SIZE
            found = _laid_out({self.locale: columns[self.locale]}, room / scale, self.locale, block.text)
            if found is not None and (across or found["size"] * scale >= SMALLEST_TABLE_SIZE):
                return _scaled(found, scale) | {"across": across}
        raise InputError(Problem("table_too_large", field=block.text, values={"page": block.text}))

    def _with_columns(self, page: Mapping[str, Any], block: Block) -> Mapping[str, Any] | None:
        """Return the page with only those columns of its table that the text asks for."""
        if not block.columns or page["layout"] == "targets":
            return page
        by_name = {column["name"]: column for column in page["table"]["columns"]}
        wrong = [name for name in block.columns if name not in by_name]
        self.count.problems += [unknown(Unknown(name, by_name), self._place(block.line)) for name in wrong]
        if wrong:
            return None
        return {**page, "table": {**page["table"], "columns": [by_name[name] for name in block.columns]}}


_LABELS = (
    "summary", "contents", "chapter", "reading", "works", "left_out", "left_out_lead", "left_out_chapter",
    "left_out_why", "version_title", "page_of", "appendix",
)  # fmt: skip


def _shown(page: Mapping[str, Any], kind: str) -> str:
    """Return the id of the chart or table that a page shows."""
    if kind == "chart":
        return page["chart"] or ""
    return page["table"]["id"] if page["table"] else "targets" if page["layout"] == "targets" else ""


def _mention(blocks: list[dict[str, Any]], picture: dict[str, Any]) -> None:
    """Let the paragraph that stands before a chart or table name it at its end."""
    last = next((block for block in reversed(blocks) if block["kind"] in ("paragraph", "item")), None)
    if last is not None:
        last.setdefault("mentions", []).append(picture)


def _without_empty_headings(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop headings under which nothing is left."""
    kept: list[dict[str, Any]] = []
    for block in reversed(blocks):
        if block["kind"] != "heading" or (kept and kept[-1]["kind"] != "heading"):
            kept.append(block)
    return kept[::-1]


def _laid_out(columns: Mapping[str, Sequence[Column]], width: float, locale: str, where: str) -> dict[str, Any] | None:
    """Return a whole table, however long; None when its columns need more width."""
    try:
        pieces = lay_out(columns, width=width, height=_NO_LIMIT, locale=locale, where=where)
    except InputError:
        return None
    return {**pieces[0], "rows": [row for piece in pieces for row in piece["rows"]]}


def _scaled(table: Mapping[str, Any], scale: float) -> dict[str, Any]:
    columns = [
        {**c, "width": round(c["width"] * scale, 3), "inset": [inset * scale for inset in c["inset"]]}
        for c in table["columns"]
    ]
    return {"size": round(table["size"] * scale, 2), "columns": columns, "rows": table["rows"]}


def _texts(tree: object, key: str = "") -> Iterator[str]:
    if isinstance(tree, str):
        if key not in _NOT_SHOWN:
            yield tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _texts(value, name)
    elif isinstance(tree, Sequence):
        for value in tree:
            yield from _texts(value, key)


_NOT_SHOWN = {"alt", "kind", "file", "tone", "weight", "align", "status", "locale"}


def sources(document: Document) -> dict[str, bytes]:
    """Return the files that Typst sees: templates, content and charts, nothing else of the disk."""
    folder = resources.files("planlib") / "report"
    content = json.dumps(document.content, ensure_ascii=False).encode()
    templates = {"main.typ": "document.typ", "look.typ": "look.typ"}
    made = {name: (folder / file).read_bytes() for name, file in templates.items()}
    return made | {"document.json": content} | {name: path.read_bytes() for name, path in document.charts.items()}
