"""The PDF deck of a run, one for each language, and its pages as pictures.

Reads only what the notebooks recorded (results.json, tables, charts) and the plan block; writes
`decks/<plan>.<locale>.pdf`. The same run gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from planlib.core import own
from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, words
from planlib.report import typefaces
from planlib.report.brand import logo_files, look
from planlib.report.deck_pages import Edition, Page, Pages, Run, chart_texts
from planlib.report.page_words import refuse_unknown

PNG_PIXELS_PER_INCH = 144  # two pixels a point
_NOT_SHOWN = {"alt", "word", "id", "kind", "file", "heading", "goes_to", "tone", "weight", "align", "status"}


@dataclass(frozen=True)
class Deck:
    """A deck ready for Typst: its name, its content and the charts it shows."""

    name: str
    content: Mapping[str, Any]
    charts: Mapping[str, Path]


def make_decks(
    run_dir: str | Path,
    *,
    locales: Sequence[str] | None = None,
    pages: Sequence[str | int] | None = None,
    notebooks: Sequence[str] | None = None,
    edition: Edition | None = None,
    png_dir: str | Path | None = None,
    out_dir: str | Path | None = None,
) -> list[Path]:
    """Write the decks of a run and return their paths.

    Args:
        run_dir: folder of a whole run, holding one folder with results.json for each notebook.
        locales: zh, en; None for both.
        pages: page numbers of the deck, ranges such as "4-6", or page ids; None for all. Numbers on the pages
            stay those of the whole deck.
        notebooks: only the pages that these notebooks recorded, numbered on their own.
        edition: the pages of a review's deck, numbered on their own.
        png_dir: also write every page as a PNG of 1920 x 1080 there.
        out_dir: in place of <run_dir>/decks.

    Raises:
        InputError: no results, an unknown page or notebook, a character the fonts lack, a text no page can hold.
            Every language is checked before a file is written.
    """
    run = read_run(run_dir)
    chosen = {"pages": pages, "notebooks": notebooks, "edition": edition}
    decks = [build_deck(run, locale, **chosen) for locale in locales or LOCALES]
    problems = [problem for deck in decks for problem in missing_characters(deck)]
    if problems:
        raise InputError(*problems)
    folder = Path(out_dir) if out_dir is not None else run.folder / "decks"
    written = []
    for deck in decks:
        files = sources(deck)
        written.append(folder / f"{deck.name}.pdf")
        res.write_whole(written[-1], compiled(files, pdf=True)[0])
        if png_dir is not None:
            for page, picture in zip(deck.content["pages"], compiled(files, pdf=False), strict=True):
                written.append(Path(png_dir) / f"{deck.name}-{int(page['number']):02d}.png")
                res.write_whole(written[-1], picture)
    return written


def read_run(run_dir: str | Path) -> Run:
    """Read the results of every notebook in a run's folder, in the order of its manifest, else by name.

    Raises:
        InputError: the folder holds no results.
    """
    folder = Path(run_dir)
    found = {path.parent.name: res.load(path) for path in sorted(folder.glob("*/results.json"))}
    if not found:
        raise InputError(Problem("no_results", file=str(folder)))
    for results in found.values():
        own.know(results["plan"].get("own_metrics", {}))
    order = [name for name in _manifest_order(folder) if name in found]
    return Run(folder, {name: found[name] for name in dict.fromkeys([*order, *found])})


def build_deck(
    run: Run,
    locale: str,
    *,
    pages: Sequence[str | int] | None = None,
    notebooks: Sequence[str] | None = None,
    edition: Edition | None = None,
) -> Deck:
    """Return the content of a deck in one language; see `make_decks`."""
    unknown = [name for name in notebooks or () if name not in run.results]
    if unknown:
        choice = ", ".join(run.results)
        raise InputError(*(Problem("choice", field="notebook", given=n, values={"choice": choice}) for n in unknown))
    w = words(locale)
    refuse_unknown(run)
    everything = Pages(run, w).all(notebooks=notebooks, edition=edition)
    numbers = _chosen(everything, pages)
    content = {
        "locale": locale,
        "title": w.text("deck.title", plan=w.pick(run.plan["title"])),
        "author": run.plan.get("owner") or w.text("deck.author"),
        "date": [run.as_of.year, run.as_of.month, run.as_of.day],
        "labels": {"reading": w.text("deck.reading")},
        "look": look(run, w),
        "pages": [
            everything[number - 1].content | {"number": str(number), "of": w.text("deck.of", pages=len(everything))}
            for number in numbers
        ],
    }
    _link(content["pages"], {page.id: i for i, page in reversed(list(enumerate(everything, 1)))}, numbers)
    charts = {name: path for number in numbers for name, path in everything[number - 1].files.items()}
    charts |= logo_files(run)
    own = [edition.name] if edition else []
    parts = [run.plan["id"], *own, *(notebooks or ()), *(["pages"] if pages else []), locale]
    return Deck(".".join(parts), content, charts)


def missing_characters(deck: Deck) -> Iterator[Problem]:
    """Yield every character on the pages that the fonts cannot show: which, on which page, in what text."""
    for page in deck.content["pages"]:
        own = [("", text) for text in _texts(page)]
        drawn = [(name, text) for name in _charts_of(page) for text in chart_texts(deck.charts[name])]
        for file, text in [*own, *drawn]:
            for char in typefaces.missing_glyphs(text.replace("\u200b", "")):
                values = {"char": f"U+{ord(char):04X}", "page": f"{page['number']} ({page['id']})"}
                yield Problem("missing_glyph", file=file, field=values["page"], given=text, values=values)


def _manifest_order(folder: Path) -> list[str]:
    try:
        steps = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["steps"]
    except FileNotFoundError:
        return []
    return [step["notebook"] for step in steps]


def _chosen(everything: Sequence[Page], pages: Sequence[str | int] | None) -> list[int]:
    """Return the page numbers that were asked for, in the deck's order."""
    if pages is None:
        return list(range(1, len(everything) + 1))
    chosen: set[int] = set()
    problems = []
    for wanted in pages:
        found = _numbers(str(wanted).strip(), everything)
        chosen |= found
        if not found:
            choice = ", ".join(["1–" + str(len(everything)), *dict.fromkeys(page.id for page in everything)])
            problems.append(Problem("choice", field="pages", given=wanted, values={"choice": choice}))
    if problems:
        raise InputError(*problems)
    return sorted(chosen)


def _numbers(wanted: str, everything: Sequence[Page]) -> set[int]:
    span = re.fullmatch(r"(\d{1,4})(?:[-–](\d{1,4}))?", wanted)
    if span:
        low = int(span[1])
        return {n for n in range(low, int(span[2] or low) + 1) if 1 <= n <= len(everything)}
    return {i for i, page in enumerate(everything, 1) if wanted in (page.id, page.id.split(".", 1)[-1])}


def _link(pages: Sequence[Mapping[str, Any]], places: Mapping[str, int], numbers: Sequence[int]) -> None:
    """Give the summary's rows the numbers of their pages, and links where the page is in this file."""
    for page in pages:
        for block in page.get("blocks", ()):
            for row in block["rows"] if block["kind"] == "summary" else ():
                number = places.get(row["goes_to"])
                row["page"] = "" if number is None else str(number)
                row["target"] = numbers.index(number) + 1 if number in numbers else None


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


def _charts_of(page: Mapping[str, Any]) -> list[str]:
    blocks = [*page.get("blocks", ()), page.get("chart")]
    return [block["file"] for block in blocks if block and block.get("kind") == "chart"]


def sources(deck: Deck) -> dict[str, bytes]:
    """Return the files that Typst sees: the template, the content and the charts, nothing else of the disk."""
    folder = resources.files("planlib") / "report"
    templates = {
        name: (folder / file).read_bytes() for name, file in (("main.typ", "deck.typ"), ("look.typ", "look.typ"))
    }
    content = json.dumps(deck.content, ensure_ascii=False).encode()
    return templates | {"deck.json": content} | {name: path.read_bytes() for name, path in deck.charts.items()}


def compiled(files: dict[str, bytes], *, pdf: bool, pixels_per_inch: float = PNG_PIXELS_PER_INCH) -> list[bytes]:
    """Return the PDF that Typst makes of main.typ, or every page of it as a PNG; it sees these files alone."""
    import typst

    options: dict[str, Any] = (
        {"format": "pdf", "pdf_standards": ["ua-1"]} if pdf else {"format": "png", "ppi": pixels_per_inch}
    )
    made = typst.compile(files, font_paths=[str(typefaces.FOLDER)], ignore_system_fonts=True, **options)
    return made if isinstance(made, list) else [made]
