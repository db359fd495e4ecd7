"""What stands in an .xlsx file, read as it was saved: no formula is trusted, no limit is left to the file.

Excel, WPS, LibreOffice and online editors write the same format in different ways (shared or inline texts, strict or
transitional names, their own styles). Only cells, merged ranges and date formats are read here, by local names, as a
stream. Nothing is calculated: a cell with a formula says which, and has no value.
"""

from __future__ import annotations

import datetime as dt
import math
import posixpath
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.core.errors import InputError, Problem

if TYPE_CHECKING:
    from zipfile import ZipFile

SUFFIX = ".xlsx"
OTHER_SUFFIXES = frozenset({".xls", ".xlsm", ".xlsb", ".xltx", ".xltm", ".et", ".ett", ".ods", ".csv", ".numbers"})

MAX_FILE_MB = 20
MAX_UNPACKED_MB = 100  # of all parts together, as the archive's index states; more is not unpacked
MAX_PARTS = 2_000
MAX_SHEETS = 200
MAX_CELLS = 300_000
MAX_TEXT = 32_767  # Excel's own limit of one cell
_MB = 1_000_000
_CHUNK = 1 << 16

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # the older container: .xls, and .xlsx behind a password
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BUILT_IN_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NOT_CODE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')  # of a number format: quoted, escaped, colours, padding
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell that holds something.

    Args:
        row, column: from 1.
        kind: number, text, bool, error, date or formula.
        value: float, str, bool, date; the text of a formula or of an error.
    """

    row: int
    column: int
    kind: str
    value: float | str | bool | dt.date

    @property
    def ref(self) -> str:
        """Its name, such as F5."""
        return reference(self.row, self.column)


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet: its cells by (row, column), the ranges that are merged, and whether nobody sees it."""

    name: str
    cells: Mapping[tuple[int, int], Cell]
    merged: tuple[str, ...] = ()
    hidden: bool = False


def reference(row: int, column: int) -> str:
    """Return a cell's name.

    >>> reference(5, 6), reference(1, 28)
    ('F5', 'AB1')
    """
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


def unescape(text: str) -> str:
    """Return a text with the format's own escapes resolved.

    >>> unescape("a_x005F_x0041_")
    'a_x0041_'
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def is_open(path: Path) -> bool:
    """Whether Excel, WPS or LibreOffice has left beside a workbook the file that says it is open there."""
    return any(path.with_name(name).is_file() for name in (f"~${path.name}", f".~lock.{path.name}#"))


def read(path: Path, shown: str) -> dict[str, Grid]:
    """Return the sheets of a workbook in its order, hidden ones too.

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        InputError: no file, not a workbook of this form, too large, behind a password, or with macros.
    """
    from zipfile import BadZipFile, ZipFile, is_zipfile

    _check_file(path, shown)
    try:
        if not is_zipfile(path):
            raise InputError(_not_zip(path, shown))
        with ZipFile(path) as archive:
            _check_parts(archive, shown)
            return _Package(archive, shown).sheets()
    except (BadZipFile, zlib.error, NotImplementedError, EOFError, LookupError, OSError, _Broken) as error:
        given = str(error)[:80] or type(error).__name__
        raise InputError(Problem("book_damaged", file=shown, given=given)) from None


class _Broken(ValueError):
    """The content is not what the format says."""


def _check_file(path: Path, shown: str) -> None:
    try:
        if not path.is_file():
            raise InputError(Problem("no_file", file=shown))
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except PermissionError:
        raise InputError(Problem("book_open", file=shown)) from None
    except OSError:
        raise InputError(Problem("no_file", file=shown)) from None
    if size > MAX_FILE_MB * _MB:
        raise InputError(Problem("book_large", shown, given=f"{size / _MB:.0f} MB", values={"high": MAX_FILE_MB}))


def _not_zip(path: Path, shown: str) -> Problem:
    """Say what a file is that is no zip archive."""
    content = path.read_bytes()
    if not content.startswith(_OLE):
        return Problem("book_kind", file=shown, given=path.suffix)
    return Problem("book_password" if _ENCRYPTED in content else "book_old", file=shown)


def _check_parts(archive: ZipFile, shown: str) -> None:
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_MB * _MB:
        given = f"{unpacked / _MB:,.0f} MB"
        raise InputError(Problem("book_large", file=shown, given=given, values={"high": MAX_UNPACKED_MB}))
    if any(part.flag_bits & 1 for part in parts):
        raise InputError(Problem("book_password", file=shown))
    names = [part.filename.lower() for part in parts]
    if "[content_types].xml" not in names:
        raise InputError(Problem("book_kind", file=shown, given=Path(shown).suffix))
    if any(name.endswith("vbaproject.bin") for name in names):
        raise InputError(Problem("book_macros", file=shown))


class _Package:
    """The parts of one workbook and how they hang together."""

    def __init__(self, archive: ZipFile, shown: str):
        self.archive = archive
        self.shown = shown
        self.left = MAX_CELLS

    def sheets(self) -> dict[str, Grid]:
        book = next((target for kind, target in self._links("").values() if kind == "officeDocument"), None)
        if book is None:
            raise InputError(Problem("book_kind", file=self.shown, given=Path(self.shown).suffix))
        outline = _Outline()
        self._parse(book, outline)
        links = self._links(book)
        by_kind = {kind: target for kind, target in links.values()}
        texts, styles = _Texts(), _Styles()
        for name, handler in (("sharedStrings", texts), ("styles", styles)):
            if name in by_kind:
                self._parse(by_kind[name], handler)
        found: dict[str, Grid] = {}
        for name, link, hidden in outline.sheets[:MAX_SHEETS]:
            kind, target = links[link]
            if kind == "worksheet":
                handler = _Cells(texts.found, styles.dates(), outline.first_day, self._take)
                self._parse(target, handler)
                found[name] = Grid(name, handler.cells, tuple(handler.merged), hidden)
        return found

    def _take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InputError(Problem("book_cells", file=self.shown, values={"high": f"{MAX_CELLS:,}"}))

    def _links(self, part: str) -> dict[str, tuple[str, str]]:
        """Return id -> (kind, part) of what a part refers to inside the file."""
        folder, name = posixpath.split(part)
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        handler = _Links()
        if place in self.archive.namelist():
            self._parse(place, handler)
        return {
            key: (kind, posixpath.normpath(target.lstrip("/") if target[:1] == "/" else posixpath.join(folder, target)))
            for key, (kind, target) in handler.found.items()
        }

    def _parse(self, part: str, handler: _Handler) -> None:
        """Feed one part of XML to a handler; document types, with which entities come, are refused."""
        from xml.parsers import expat

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.data
        try:
            with self.archive.open(part) as content:
                while chunk := content.read(_CHUNK):
                    parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise _Broken(f"{part}: {error}") from None


def _refuse_doctype(*_: object) -> None:
    raise _Broken("DOCTYPE")


class _Handler:
    """Collects from the events of one XML part; names come as 'namespace local'."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def data(self, text: str) -> None: ...


class _Links(_Handler):
    def __init__(self) -> None:
        self.found: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if _local(name) == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes["Type"].rpartition("/")[2]
            self.found[attributes["Id"]] = (kind, attributes["Target"])


class _Outline(_Handler):
    """The workbook part: sheets in order as (name, link, whether hidden), and the first day of its calendar."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.first_day = dt.date(1899, 12, 30)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        if local == "sheet":
            links = [value for key, value in attributes.items() if key.endswith(" id")]
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((unescape(attributes["name"]), links[0], hidden))
        elif local == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.first_day = dt.date(1904, 1, 1)


class _Texts(_Handler):
    """The shared texts; the readings that East Asian input puts beside a text are left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._reading = self._inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        if local == "si":
            self._parts = []
        elif local == "rPh":
            self._reading = True
        self._inside = local == "t" and not self._reading

    def end(self, name: str) -> None:
        local = _local(name)
        if local == "si":
            self.found.append(unescape("".join(self._parts)))
        elif local == "rPh":
            self._reading = False
        self._inside = False

    def data(self, text: str) -> None:
        if self._inside:
            self._parts.append(text)


class _Styles(_Handler):
    """Which cell styles show a date."""

    def __init__(self) -> None:
        self._codes: dict[int, str] = {}
        self._formats: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        if local == "numFmt":
            self._codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif local == "cellXfs":
            self._in_cells = True
        elif local == "xf" and self._in_cells:
            self._formats.append(int(attributes.get("numFmtId", 0)))

    def end(self, name: str) -> None:
        if _local(name) == "cellXfs":
            self._in_cells = False

    def dates(self) -> frozenset[int]:
        return frozenset(i for i, number in enumerate(self._formats) if self._is_date(number))

    def _is_date(self, number: int) -> bool:
        if number in self._codes:
            code = _NOT_CODE.sub("", self._codes[number]).lower()
            return "general" not in code and bool(re.search("[ymdhs年月日]", code))
        return number in _BUILT_IN_DATES


class _Cells(_Handler):
    """The cells of one sheet."""

    def __init__(self, texts: list[str], dates: frozenset[int], first_day: dt.date, take: Callable[[], None]):
        self.cells: dict[tuple[int, int], Cell] = {}
        self.merged: list[str] = []
        self._texts, self._dates, self._first_day, self._take = texts, dates, first_day, take
        self._row = self._column = 0
        self._type, self._style = "n", 0
        self._formula: list[str] | None = None
        self._value: list[str] = []
        self._into: list[str] | None = None
        self._reading = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        if local == "c":
            self._open(attributes)
        elif local == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif local == "f":
            self._formula = self._into = []
        elif local == "v" or (local == "t" and not self._reading):
            self._into = self._value
        elif local == "rPh":
            self._reading = True
        elif local == "mergeCell" and len(self.merged) < 1_000:
            self.merged.append(attributes["ref"])

    def end(self, name: str) -> None:
        local = _local(name)
        self._into = None
        if local == "rPh":
            self._reading = False
        elif local == "c":
            kind, value = self._content()
            if kind:
                self._take()
                self.cells[self._row, self._column] = Cell(self._row, self._column, kind, value)

    def data(self, text: str) -> None:
        if self._into is not None:
            self._into.append(text)

    def _open(self, attributes: Mapping[str, str]) -> None:
        self._row, self._column = _place(attributes["r"]) if "r" in attributes else (self._row, self._column + 1)
        self._type, self._style = attributes.get("t", "n"), int(attributes.get("s", 0))
        self._formula, self._value = None, []

    def _content(self) -> tuple[str, object]:
        """Return kind and value of the cell that ends; an empty kind for one that holds nothing."""
        raw = "".join(self._value)
        if self._formula is not None:
            return "formula", f"={''.join(self._formula)}"[:MAX_TEXT]
        if self._type in ("inlineStr", "str", "s"):
            text = self._texts[int(raw)] if self._type == "s" and raw else unescape(raw)
            return ("text", text[:MAX_TEXT]) if text else ("", None)
        if not raw.strip():
            return "", None
        if self._type == "b":
            return "bool", raw.strip() not in ("0", "false")
        if self._type == "e":
            return "error", raw
        if self._type == "d":
            return "date", dt.date.fromisoformat(raw[:10])
        number = float(raw)
        if not math.isfinite(number):
            return "error", raw
        return self._day(number) if self._style in self._dates else ("number", number)

    def _day(self, serial: float) -> tuple[str, object]:
        try:
            return "date", self._first_day + dt.timedelta(days=math.floor(serial))
        except OverflowError:
            return "error", f"{serial:g}"


_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})\Z")


def _place(ref: str) -> tuple[int, int]:
    """Return row and column of a cell's name.

    >>> _place("AB12")
    (12, 28)
    """
    found = _REFERENCE.match(ref)
    if not found:
        raise _Broken(f"cell {ref[:20]}")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column


def corners(range_: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and the last place of a range.

    >>> corners("A1:C3")
    ((1, 1), (3, 3))
    """
    first, _, last = range_.partition(":")
    return _place(first), _place(last or first)


@lru_cache(maxsize=256)
def _local(name: str) -> str:
    return name.rpartition(" ")[2]
