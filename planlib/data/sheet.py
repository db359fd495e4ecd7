"""Sheets: which one a file is, by its headers, and its rows as records of plain text."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.data.fields import clean_cell, is_formula
from planlib.data.sources import SOURCES, yaml_of

HEADER_ROWS = 30  # how far down a header is looked for, below titles
MAX_UNPACKED = 200 * 2**20
MAX_RATIO = 200
_SMALL_ENOUGH = 10 * 2**20
_SHOWN = 120  # characters of column heads that a message shows
BILL = "wxpay_bill"
_BILL_SUMS = {"应结订单总金额": "settle_yuan", "退款总金额": "refund_yuan"}
_TOTALS = ("合计", "总计", "汇总", "total")
_UNIT = re.compile(r"\([^()]*\)$")

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a sheet.

    Args:
        source: which kind of sheet it is.
        columns: position of a cell -> column.
        width: how many cells it has.
        line: its line, counted from 1.
        labels: its cells as they stand.
        rivals: heads that name one column, of which none wins.
    """

    source: str
    columns: Mapping[int, str]
    width: int
    line: int
    labels: tuple[str, ...]
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A column that a head names; of several heads of one column the one of lower rank counts."""

    column: str
    rank: int


def label(cell: object) -> str:
    """Return a header cell in the form in which labels are compared.

    >>> label(" 付款金额（元） "), label("UserID")
    ('付款金额', 'userid')
    """
    text = unicodedata.normalize("NFKC", str(cell or "")).strip("\ufeff` \t\r\n").lower().replace(" ", "")
    return _UNIT.sub("", text)


def recognise(cells: Sequence[object], line: int) -> Header | None:
    """Return what a row says when it is a header: the sheet of whose words it has most, its required ones all."""
    labels = [label(cell) for cell in cells]
    best: Header | None = None
    for name, words in _labels().items():
        columns, rivals = _assign(labels, words)
        found = set(columns.values())
        enough = SOURCES[name].keys <= found and len(found) > len(SOURCES[name].keys & {"date"})
        if enough and (best is None or len(columns) > len(best.columns)):
            width = max(i for i, text in enumerate(labels) if text) + 1
            best = Header(name, columns, width, line, tuple(labels[:width]), rivals)
    return best


def _assign(labels: Sequence[str], words: Mapping[str, Word]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Return position -> column, and the heads of a column that none of them wins.

    An id wins over a name, a word over one of a later list. A head that stands twice is no rival of itself.
    """
    heads: dict[str, list[tuple[tuple[bool, int], int]]] = {}
    for index, text in enumerate(labels):
        if text in words:
            heads.setdefault(words[text].column, []).append(((not text.endswith("id"), words[text].rank), index))
    columns: dict[int, str] = {}
    rivals: tuple[str, ...] = ()
    for column, ranked in heads.items():
        first = min(ranked)
        columns[first[1]] = column
        equals = tuple(dict.fromkeys(labels[i] for rank, i in ranked if rank == first[0]))
        rivals = rivals or (equals if len(equals) > 1 else ())
    return columns, rivals


@cache
def kinds(source: str) -> dict[str, str]:
    """Return the kind of every column of a sheet."""
    fields = (f for o in SOURCES[source].outs for f in [*o.fields.values(), *o.helps.values()])
    return {f.path: f.kind for f in fields if not f.path.startswith("@")}


def read(path: Path, shown: str, encoding: str) -> Iterator[tuple[Header, int, Record]]:
    """Yield header, line and record of every row of a csv file or payment bill.

    Args:
        path: the file.
        shown: its name in messages.
        encoding: how its text is encoded.

    Raises:
        InputError: no known header, a row of another length, or a cell that a spreadsheet would run.
    """
    from planlib.data.columns import batches

    for batch in batches(path, shown, encoding):
        for line, record in zip(batch.lines(), batch.records(), strict=True):
            yield batch.header, line, record


def is_bill(first: str) -> bool:
    """Return whether the first line of a text is that of a payment bill."""
    return label(first).startswith("交易时间,公众账号id")


def read_xlsx(path: Path, shown: str) -> Iterator[tuple[Header, int, Record]]:
    """Yield header, line and record of every row of the first sheet with a known header.

    Raises:
        InputError: as `read`, or the file unpacks to far more than it is.
    """
    from openpyxl import load_workbook

    guard_archive(path, shown)
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(Problem("data_xlsx", file=shown, given=str(error)[:120])) from None
    try:
        likely = ""
        for sheet in book.worksheets:
            head = [[*row] for row in sheet.iter_rows(max_row=HEADER_ROWS, values_only=True)]
            likely = next(filter(None, [likely, *map(_like_labels, head)]), "")
            if any(recognise(row, i + 1) for i, row in enumerate(head)):
                rows = ((i + 1, [*row]) for i, row in enumerate(sheet.iter_rows(values_only=True)))
                yield from _records(rows, shown, strict=False)
                return
        raise InputError(Problem("data_unknown", file=shown, given=likely or None))
    finally:
        book.close()


def guard_archive(path: Path, shown: str) -> None:
    """Refuse a packed file that would fill the memory when unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise InputError(Problem("data_xlsx", file=shown, given=str(error))) from None
    unpacked = sum(part.file_size for part in parts)
    packed = max(1, sum(part.compress_size for part in parts))
    if unpacked > MAX_UNPACKED or (unpacked > _SMALL_ENOUGH and unpacked / packed > MAX_RATIO):
        high = f"{MAX_UNPACKED // 2**20} MB"
        raise InputError(Problem("data_bomb", file=shown, given=f"{unpacked / 2**20:.0f} MB", values={"high": high}))


def _records(rows: Iterator[tuple[int, list]], shown: str, *, strict: bool) -> Iterator[tuple[Header, int, Record]]:
    _, header = find_header(rows, shown, whole=True)
    for line, record in records(header, rows, shown, strict=strict):
        yield header, line, record


def find_header(
    rows: Iterator[tuple[int, list]], shown: str, *, whole: bool
) -> tuple[int, Header | None]:
    """Return the header among numbered rows and how many rows stand before it.

    Args:
        rows: (line, cells); what stands after the header is not taken.
        shown: the file's name in messages.
        whole: no further rows follow.

    Raises:
        InputError: a head stands twice, or there is no header and none can come.
    """
    likely, count = "", 0
    for count, (line, cells) in enumerate(rows, start=1):
        header = recognise(cells, line)
        if header is not None:
            if twice := _twice(header):
                raise InputError(Problem("data_head_twice", file=shown, field=twice, line=line))
            if header.rivals:
                raise InputError(Problem("data_head_rivals", file=shown, field=", ".join(header.rivals), line=line))
            return count - 1, header
        likely = likely or _like_labels(cells)
        if count > HEADER_ROWS:
            break
    if whole or count > HEADER_ROWS:
        raise InputError(Problem("data_unknown", file=shown, given=likely or None))
    return count, None


def records(
    header: Header, rows: Iterator[tuple[int, list]], shown: str, *, strict: bool
) -> Iterator[tuple[int, Record]]:
    """Yield line and record of the rows below a header.

    Raises:
        InputError: a row of another length (a shorter one only when strict), or a cell that a spreadsheet would run.
    """
    for line, cells in rows:
        if not is_told(cells):
            continue
        beyond = any(str(cell or "").strip() for cell in cells[header.width :])
        if beyond or (strict and len(cells) < header.width):
            values = {"expected": header.width}
            raise InputError(Problem("data_row_length", file=shown, line=line, given=len(cells), values=values))
        yield line, _record(header, cells, line, shown)


def is_told(cells: Sequence[object]) -> bool:
    """Return whether a row says something: it is neither blank nor a line of totals."""
    return any(str(cell).strip() for cell in cells if cell is not None) and label(cells[0]) not in _TOTALS


def _twice(header: Header) -> str | None:
    """Return a head that is read and stands twice, so that nobody can tell which column counts."""
    return next((head for i in header.columns if header.labels.count(head := header.labels[i]) > 1), None)


def _like_labels(cells: Sequence[object]) -> str:
    """Return a row's cells if they look like labels: no digit in them, which ids and phones have; else nothing."""
    told = [text for cell in cells if (text := str(cell or "").strip())]
    return ", ".join(told)[:_SHOWN] if not any(map(str.isdigit, "".join(told))) else ""


def _record(header: Header, cells: Sequence[object], line: int, shown: str) -> Record:
    record: Record = {}
    of = kinds(header.source)
    for index, column in header.columns.items():
        cell = cells[index] if index < len(cells) else None
        kind = of.get(column, "text")
        if isinstance(cell, str) and kind in ("text", "id") and is_formula(cell):
            field = header.labels[index]
            raise InputError(Problem("data_formula", file=shown, field=field, line=line, given=cell))
        value = cleaned(cell, column, kind)
        if value is not None:
            record[column] = value
    return record


def cleaned(cell: object, column: str, kind: str) -> str | None:
    """Return a cell as the raw text of its column; None when it says nothing."""
    value = clean_cell(cell, kind)
    if value is not None and is_coded(column) and not value.lstrip("-").isdigit():
        return _coded(column, value, kind)
    return value


def is_coded(column: str) -> bool:
    """Return whether an export may write words in place of a column's codes."""
    return column in _words()


def _coded(column: str, text: str, kind: str) -> str | None:
    """Return the code of a word that an export writes in its place; a word without a code says nothing.

    >>> _coded("add_way", "通过获客链接添加", "code"), _coded("add_way", "其他", "code")
    ('16', None)
    """
    code = next((str(code) for word, code in _words()[column].items() if word in text), None)
    return code if code is not None or kind == "code" else text


def bill_header(text: str, shown: str) -> Header:
    """Return the header of a payment bill.

    Raises:
        InputError: it is none that is known.
    """
    header = recognise(text.rstrip("\r\n").split(","), 1)
    if header is None:
        raise InputError(Problem("data_unknown", file=shown))
    return header


def bill_record(header: Header, cells: Sequence[str], line: int, shown: str) -> Record:
    """Return one row of a payment bill.

    Raises:
        InputError: it has another length, or a cell that a spreadsheet would run.
    """
    if len(cells) != header.width:
        values = {"expected": header.width}
        raise InputError(Problem("data_row_length", file=shown, line=line, given=len(cells), values=values))
    return _record(header, cells, line, shown)


class BillTotals:
    """Rows and sums of a payment bill, to be held against what it says of itself."""

    def __init__(self) -> None:
        self.count = 0
        self.fen = dict.fromkeys(_BILL_SUMS.values(), 0)

    def add(self, count: int, fen: Mapping[str, int]) -> None:
        """Count rows and add their amounts in fen."""
        self.count += count
        self.fen = {column: total + fen.get(column, 0) for column, total in self.fen.items()}

    def check(self, heads: str, values: str, shown: str, line: int) -> None:
        """Hold the rows against the two lines of the bill's own summary; a bill without one was cut off.

        Raises:
            InputError: there is no summary, or it says something else.
        """
        names = [label(cell) for cell in heads.strip().split(",")]
        said = dict(zip(names, values.strip().lstrip("`").split(",`"), strict=False))
        if "总交易单数" not in said:
            raise InputError(Problem("data_bill_cut", file=shown, line=line))
        if said["总交易单数"] != str(self.count):
            given = {"expected": said["总交易单数"]}
            raise InputError(Problem("data_bill_count", file=shown, line=line, given=self.count, values=given))
        for name, column in _BILL_SUMS.items():
            if name in said and fen(said[name]) != self.fen[column]:
                given = {"expected": said[name]}
                total = self.fen[column] / 100
                raise InputError(
                    Problem("data_bill_sum", file=shown, field=name, line=line, given=total, values=given)
                )


def fen(text: str | None) -> int:
    """Return an amount in yuan as fen; 0 for what is no amount."""
    whole, _, part = (text or "0").partition(".")
    digits = f"{whole}{part[:2]:0<2}"
    return int(digits) if digits.lstrip("-").isdigit() else 0


@cache
def _labels() -> dict[str, dict[str, Word]]:
    """Return, for every sheet, label -> column and rank."""
    return {
        name: {label(word): Word(column, rank) for column, words in columns.items() for word, rank in _ranked(words)}
        for name, columns in yaml_of("headers").items()
    }


def labels(source: str) -> dict[str, str]:
    """Return the heads of a sheet, label -> column."""
    return {text: word.column for text, word in _labels().get(source, {}).items()}


def _ranked(words: Sequence[str | Sequence[str]]) -> Iterator[tuple[str, int]]:
    for rank, some in enumerate(words):
        yield from ((word, rank) for word in some) if isinstance(some, list) else [(some, 0)]


@cache
def _words() -> dict[str, dict[str, int]]:
    return yaml_of("codes")["words"]
