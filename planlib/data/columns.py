"""Long csv files and payment bills in batches of columns: as `planlib.data.sheet` reads rows, many times faster.

A batch is a block of text and one row. Most columns hold nothing that needs cleaning; one look at all cells of a
column, joined, proves it, and they pass as they are. Any other column is cleaned cell by cell, each different cell
once. What is to be refused is found by going through the rows of its batch one by one, so that messages are those of
short files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from planlib.core.errors import InputError, Problem
from planlib.data import sheet
from planlib.data.fields import NUMERIC, is_formula
from planlib.data.sheet import Header, Record

BLOCK = 2**20  # characters read together
MAX_LINE = 2**23  # characters; the longest cell that Python's reader takes, in the widest sheet, is shorter
_CACHED = 100_000
_CELL = "\0"  # stands between cells that are looked at together; inside a cell it only calls for a closer look
_PLAIN_NUMBERS = re.compile(rf"(?:(?:-?[0-9][0-9.]*)?{_CELL})*")
_PLAIN_TIMES = re.compile(rf"(?:(?:[0-9][0-9:/.-]*(?: [0-9:.]*)?[0-9])?{_CELL})*")
_PLAIN_FEN = re.compile(rf"(?:-?[0-9]+\.[0-9]{{2}}{_CELL})*")
_MAY_RUN = re.compile(rf"{_CELL}[\s=+\-@]")
_BREAK = re.compile("\r\n|\r|\n")
_TIMES = frozenset({"date", "time", "seconds", "day_seconds"})

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a sheet, column by column.

    Args:
        header: the sheet's header.
        columns: column -> raw text of each row as a record would hold it, "" where it would hold none.
        lines: returns the line of each row, counted from 1.
    """

    header: Header
    columns: dict[str, list[str]]
    lines: Callable[[], list[int]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def records(self) -> Iterator[Record]:
        """Yield the rows as records."""
        names = [*self.columns]
        for cells in zip(*self.columns.values(), strict=True):
            yield {name: cell for name, cell in zip(names, cells, strict=True) if cell}


def batches(path: Path, shown: str, encoding: str) -> Iterator[Batch]:
    """Yield the rows of a csv file or payment bill in batches.

    Args:
        path: the file.
        shown: its name in messages.
        encoding: how its text is encoded.

    Raises:
        InputError: as `sheet.read`, or a line is longer than any row of a sheet.
    """
    with open(path, encoding=encoding, newline="") as file:
        feed = _Feed(file, shown)
        first = feed.peek()
        if sheet.is_bill(first):
            yield from _bill(feed, shown)
        else:
            yield from _csv(feed, "\t" if first.count("\t") > first.count(",") else ",", shown)


class _Feed:
    """The lines of a text, their ends kept, a block at a time."""

    def __init__(self, file: TextIO, shown: str):
        self._shown = shown
        self._pieces = self._cut(file)
        self._piece = iter(next(self._pieces, []))

    def peek(self) -> str:
        """Return the next line, "" at the end, and leave it there."""
        first = next(self._piece, "")
        self._piece = chain([first] if first else [], self._piece)
        return first

    def pieces(self) -> Iterator[list[str]]:
        """Yield lists of lines: what is left of the current block, then block after block."""
        while lines := [*self._piece] or next(self._pieces, []):
            self._piece = iter(())
            yield lines

    def lines(self) -> Iterator[str]:
        """Yield lines one by one; whoever stops can go on with `pieces` after the last one taken."""
        while True:
            yield from self._piece
            if not (lines := next(self._pieces, [])):
                return
            self._piece = iter(lines)

    def _cut(self, file: TextIO) -> Iterator[list[str]]:
        rest, number = "", 1
        while block := file.read(BLOCK):
            lines = io.StringIO(rest + block, newline="").readlines()
            rest = "" if lines[-1].endswith("\n") else lines.pop()  # a lone \r may be half of \r\n
            if len(rest) > MAX_LINE:
                values = {"high": MAX_LINE}
                raise InputError(
                    Problem("data_line_length", file=self._shown, line=number + len(lines), values=values)
                )
            number += len(lines)
            if lines:
                yield lines
        if rest:
            yield io.StringIO(rest, newline="").readlines()


def _csv(feed: _Feed, delimiter: str, shown: str) -> Iterator[Batch]:
    cleaners: dict[str, _Cleaner] = {}
    header: Header | None = None
    head: Rows = []
    line = 1
    for some, taken, error in _blocks(feed, delimiter):
        rows, first, line = some, line, line + taken
        if header is None:
            head += some
            at, header = sheet.find_header(zip(_starts(head, 1), head, strict=True), shown, whole=False)
            split = len(head) if header is None else at + 1
            rows, first = head[split:], _after(head[:split], 1)
        if rows and header is not None:
            yield _batch(header, rows, first, shown, cleaners)
        if isinstance(error, csv.Error):
            raise InputError(Problem("data_csv", file=shown, line=line, given=str(error))) from None
        if error is not None:
            raise error
    if header is None:
        sheet.find_header(zip(_starts(head, 1), head, strict=True), shown, whole=True)


def _blocks(feed: _Feed, delimiter: str) -> Iterator[tuple[Rows, int, Exception | None]]:
    """Yield the rows of each block, how many lines they take up, and what stopped the reading after them.

    A last row that goes on in the next block is read to its end.
    """
    rows: Rows = []
    try:
        for piece in feed.pieces():
            if '"' not in "".join(piece) and max(map(len, piece)) < csv.field_size_limit():
                yield [text.rstrip("\r\n").split(delimiter) for text in piece], len(piece), None
                continue
            rows = []
            reader = csv.reader(chain(piece, feed.lines()), delimiter=delimiter, strict=True)
            for row in reader:
                rows.append(row)
                if reader.line_num >= len(piece):
                    break
            yield rows, reader.line_num, None
            rows = []
    except (csv.Error, InputError, UnicodeDecodeError) as error:
        yield rows, sum(_spans(rows)), error


def _batch(header: Header, rows: Rows, line: int, shown: str, cleaners: dict[str, _Cleaner]) -> Batch:
    kept = _told(rows)
    if kept is None:
        kept = [row for row in rows if sheet.is_told(row)]
    columns = _columns(header, kept, cleaners)
    if columns is None:  # rows of other lengths, or a cell to be refused: row by row
        numbered = zip(_starts(rows, line), rows, strict=True)
        columns = from_records(header, [r for _, r in sheet.records(header, numbered, shown, strict=True)])
    return Batch(
        header, columns, lambda: [at for at, row in zip(_starts(rows, line), rows, strict=True) if sheet.is_told(row)]
    )


def from_records(header: Header, records: Sequence[Record]) -> dict[str, list[str]]:
    """Return the columns of records."""
    return {name: [record.get(name, "") for record in records] for name in header.columns.values()}


def _told(rows: Rows) -> Rows | None:
    """Return the rows when all of them clearly are neither blank nor totals; None when that needs a look at each."""
    try:
        firsts = [row[0] for row in rows]
    except IndexError:
        return None
    joined = _CELL.join(firsts)
    is_clear = joined.isascii() and "total" not in joined.lower().replace(" ", "") and all(map(str.strip, firsts))
    return rows if is_clear else None


def _columns(header: Header, rows: Rows, cleaners: dict[str, _Cleaner]) -> dict[str, list[str]] | None:
    """Return the cleaned columns of rows; None when the rows must be looked at one by one."""
    try:
        cells = [*zip(*rows, strict=True)]
    except ValueError:
        return None
    if not rows:
        return {name: [] for name in header.columns.values()}
    if len(cells) < header.width or any("".join(beyond).strip() for beyond in cells[header.width :]):
        return None
    columns = {}
    for index, name in header.columns.items():
        if name not in cleaners:
            cleaners[name] = _Cleaner(header, name)
        cleaned = cleaners[name].clean(cells[index])
        if cleaned is None:
            return None
        columns[name] = cleaned
    return columns


class _Cleaner:
    """Cleans the cells of one column; each different cell is looked at once."""

    def __init__(self, header: Header, column: str):
        self.column = column
        self.kind = sheet.kinds(header.source).get(column, "text")
        self.is_text = self.kind in ("text", "id")
        self.is_coded = sheet.is_coded(column)
        self._known: dict[str, str] = {}

    def clean(self, cells: Sequence[str]) -> list[str] | None:
        """Return the cells cleaned; None when one would be refused."""
        joined = _CELL.join(cells)
        if self.is_text and _MAY_RUN.search(_CELL + joined) and any(map(is_formula, set(cells))):
            return None
        if not self.is_coded and self._is_plain(joined):
            return [*map(str.strip, cells)] if self.is_text else [*cells]
        if len(self._known) > _CACHED:
            self._known.clear()
        for cell in set(cells) - self._known.keys():
            self._known[cell] = sheet.cleaned(cell, self.column, self.kind) or ""
        return [*map(self._known.__getitem__, cells)]

    def _is_plain(self, joined: str) -> bool:
        if self.is_text:
            return "\ufeff" not in joined and "\u200b" not in joined
        plain = _PLAIN_NUMBERS if self.kind in NUMERIC else _PLAIN_TIMES if self.kind in _TIMES else None
        return plain is not None and plain.fullmatch(joined + _CELL) is not None


def _bill(feed: _Feed, shown: str) -> Iterator[Batch]:
    """Yield the rows of a payment bill: cells begin with a back-tick, commas inside names are not quoted."""
    header = sheet.bill_header(feed.peek(), shown)
    cleaners: dict[str, _Cleaner] = {}
    totals = sheet.BillTotals()
    tail: list[str] = []  # the first two lines from the one on that is no row
    line, skip = 2, 1
    for lines in feed.pieces():
        if tail:
            tail += lines[: 2 - len(tail)]
            continue
        end = next((i for i, text in enumerate(lines) if i >= skip and not text.startswith("`")), len(lines))
        rows = [text.rstrip("\r\n")[1:].split(",`") for text in lines[skip:end]]
        if rows:
            batch = _bill_batch(header, rows, line, shown, cleaners)
            totals.add(len(rows), {name: _fen_sum(batch.columns[name]) for name in totals.fen if name in batch.columns})
            yield batch
        line, skip, tail = line + len(rows), 0, lines[end : end + 2]
    heads, values = [*tail, "", ""][:2]
    totals.check(heads, values, shown, line if tail else line - 1)


def _bill_batch(header: Header, rows: Rows, line: int, shown: str, cleaners: dict[str, _Cleaner]) -> Batch:
    is_even = all(len(row) == header.width for row in rows)
    columns = _columns(header, rows, cleaners) if is_even else None
    if columns is None:
        records = [sheet.bill_record(header, cells, line + i, shown) for i, cells in enumerate(rows)]
        columns = from_records(header, records)
    return Batch(header, columns, lambda: [*range(line, line + len(rows))])


def _fen_sum(cells: Sequence[str]) -> int:
    joined = _CELL.join(cells) + _CELL
    if _PLAIN_FEN.fullmatch(joined):
        return sum(map(int, joined.replace(".", "").split(_CELL)[:-1]))
    return sum(map(sheet.fen, cells))


def _spans(rows: Rows) -> Iterator[int]:
    """Yield how many lines each row takes up."""
    return (1 + sum(len(_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell) for row in rows)


def _starts(rows: Rows, line: int) -> list[int]:
    starts = []
    for span in _spans(rows):
        starts.append(line)
        line += span
    return starts


def _after(rows: Rows, line: int) -> int:
    return line + sum(_spans(rows))
