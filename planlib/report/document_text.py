"""The text file of a plan document: chapters, paragraphs, lists, and where a table or a chart stands.

A small part of Markdown, so that any text editor will do:

    # Chapter              the first one is the summary and carries no number
    ## Heading
    A paragraph; blank lines divide. **bold**, [@kaplan1958] cites.
    - an item
    {chart: 20_funnel_targets.users}
    {table: 20_funnel_targets.targets_forecast}       or with some of its columns: {table: ... | name, date}
    [@own2026]: Author (2026). Title. Publisher.      a work that the shipped list of works lacks
    <!-- a remark that is not printed -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PICTURES = ("chart", "table")

_REMARK = re.compile(r"<!--.*?-->", re.S)
_PICTURE = re.compile(r"\{(chart|table):\s*([^{}|]+?)\s*(?:\|\s*([^{}]+?)\s*)?\}")
_WORK = re.compile(r"\[@([A-Za-z][\w-]*)\]:\s*(.+)")
_HAN = "\u3000-\u9fff\uff00-\uffef"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a chapter.

    Attributes:
        kind: heading, paragraph, item, chart or table.
        text: the words, or what a chart or table refers to.
        line: of the file, counted from 1.
        columns: of a table, those to be shown; empty for all.
    """

    kind: str
    text: str
    line: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its title, the line on which it begins, its pieces in order."""

    title: str
    line: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """A cited work: the line of the text file that describes it, and the description."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A text file as it was read: its name for messages, its chapters, works that it describes itself."""

    file: str
    chapters: tuple[Chapter, ...]
    works: dict[str, Work]


def read_text(text: str, file: str) -> Manuscript:
    """Read a text file.

    >>> found = read_text("# One\\n\\nA line\\nand more.\\n\\n{chart: a.b}\\n- x\\n", "en.md")
    >>> [(block.kind, block.text, block.line) for block in found.chapters[0].blocks]
    [('paragraph', 'A line and more.', 3), ('chart', 'a.b', 6), ('item', 'x', 7)]
    """
    plain = _REMARK.sub(lambda found: "\n" * found[0].count("\n"), text.removeprefix("\ufeff"))
    works: dict[str, Work] = {}
    chapters: list[tuple[str, int, list[Block]]] = []
    for block in _pieces(plain):
        if work := _WORK.fullmatch(block.text):
            works[work[1]] = Work(block.line, work[2])
        elif block.kind == "chapter":
            chapters.append((block.text, block.line, []))
        elif chapters:
            chapters[-1][2].append(block)
        else:
            chapters.append(("", block.line, [block]))
    return Manuscript(file, tuple(Chapter(title, line, tuple(own)) for title, line, own in chapters), works)


def _pieces(text: str) -> Iterator[Block]:
    """Yield the pieces of a text; a line that begins nothing new goes on with the paragraph or item before it."""
    open_kind, begun, words = "", 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = raw.strip()
        fresh = _begins(line)
        if open_kind and (not line or fresh is not None):
            yield Block(open_kind, words, begun)
            open_kind = ""
        if not line:
            continue
        if fresh is not None and fresh.kind not in ("item", "work"):
            yield Block(fresh.kind, fresh.text, number, fresh.columns)
        elif fresh is not None or not open_kind:
            open_kind, begun = (fresh.kind, number) if fresh and fresh.kind == "item" else ("paragraph", number)
            words = fresh.text if fresh else line
        else:
            words = _joined(words, line)


def _begins(line: str) -> Block | None:
    """Return the piece that a line begins by its form; None for the words of a paragraph."""
    if found := re.fullmatch(r"(#{1,3})\s+(.+)", line):
        return Block("chapter" if len(found[1]) == 1 else "heading", found[2].strip(), 0)
    if found := _PICTURE.fullmatch(line):
        names = tuple(name.strip() for name in (found[3] or "").split(",") if name.strip())
        return Block(found[1], found[2], 0, names)
    if found := re.fullmatch(r"[-*]\s+(.+)", line):
        return Block("item", found[1], 0)
    return Block("work", line, 0) if _WORK.fullmatch(line) else None


def _joined(before: str, after: str) -> str:
    """Join two lines of one paragraph: with a blank, but none beside a Chinese character or mark."""
    tight = re.search(f"[{_HAN}]$", before) and re.match(f"[{_HAN}]", after)
    return f"{before}{'' if tight else ' '}{after}"
