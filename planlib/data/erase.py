"""Forget a person, purge the past: raw files, tables, outputs and caches.

The only code that changes raw files. It first notes what must not come back (planlib.data.forgotten), then takes
records out of raw files, then makes the tables anew from what is left. Stopped on the way, the same command goes on.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.data import exports, forgotten, ids, jsonsplit, ledger, payload, sheet, store
from planlib.data.engine import connect, literal
from planlib.data.ledger import Entry
from planlib.data.load import LISTS, load, read_ledger
from planlib.data.schema import TABLES
from planlib.data.sources import SOURCES

PERSON_KEYS = frozenset({"external_userid", "unionid", "openid", "ExternalUserID"})
# who did something to a record of somebody else: the id is emptied, the record stays
BESIDE_KEYS = frozenset({"oper_userid", "sharer_openid", "sharer_unionid", "invitor", "creator", "owner"})
_TEXTS = (".json", ".jsonl", ".ipynb", ".html", ".svg", ".md", ".txt", ".yaml", ".yml", ".ics", ".xml", ".log")
_SMALL = 64 * 2**20

Keep = Callable[[Mapping[str, object]], bool]


@dataclass(slots=True)
class Erased:
    """What was removed.

    Args:
        ids: how many ids of the person were found; 0 for a purge.
        deleted: files removed.
        rewritten: file -> records taken out of it.
        unsure: files that may hold something and cannot be looked into.
    """

    ids: int = 0
    deleted: list[str] = field(default_factory=list)
    rewritten: dict[str, int] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)


def forget(root: str | Path, person: str, *, outputs: str | Path | None = None) -> Erased:
    """Remove a person, under all ids that records tie together, and keep them out of later loads.

    Args:
        root: the data folder.
        person: an id as the platforms know it (external_userid, unionid, openid).
        outputs: the folder of runs and private lists.
    """
    root = Path(root)
    key = ids.salt(root)
    known = {person.strip()}
    if not next(iter(known)):
        raise InputError(Problem("missing", field="ID"))
    while True:
        before = forgotten.read(root)
        forgotten.write(
            root, dataclasses.replace(before, people=before.people | {ids.hashed(key, one) for one in known})
        )
        found = {other for path in ledger.walk(store.raw_dir(root)) for other in _linked(path, known)}
        if found <= known:
            break
        known |= found
    erased = Erased(ids=len(known))
    for path in list(ledger.walk(store.raw_dir(root))):
        _clean(path, store.raw_dir(root), lambda record: not _mentions(record, known), known, erased)
    _anew(root)
    if outputs is not None:
        _clean_outputs(Path(outputs), {*known, *(ids.hashed(key, one) for one in known)}, erased)
    return erased


def purge(root: str | Path, before: dt.date, *, outputs: str | Path | None = None) -> Erased:
    """Remove personal data that is dated before a day; tables without personal data keep their history.

    Raw files go when all in them is older; of the others, the older records do. Contacts count by the day of their
    pull: an old pull goes, who is still a customer stands in a later one. Of outputs, private lists written before
    that day go; their log stays, without the hashes that it names.
    """
    root = Path(root)
    noted = forgotten.read(root)
    forgotten.write(root, dataclasses.replace(noted, before=max(noted.before, before.isoformat())))
    erased = Erased()
    for entry in read_ledger(root):
        path = store.raw_dir(root) / entry.path
        if path.is_file() and _personal(entry):
            _purge_file(path, entry, before, erased)
    _anew(root)
    private = Path(outputs) / "private" if outputs is not None else None
    if private is not None and private.is_dir():
        for path in sorted(private.rglob("*")):
            if path.name == exports.FILE:
                _clean_log(path, erased, lambda log: exports.purge(log, before.isoformat()))
            elif path.name != exports.LOCK and path.is_file() and _modified(path) < before:
                _delete(path, path.as_posix(), erased)
    return erased


def _modified(path: Path) -> dt.date:
    return dt.date.fromtimestamp(path.stat().st_mtime)


def _anew(root: Path) -> None:
    """Make the tables from what is left and drop those before, which readers may still hold."""
    load(root)
    store.sweep(root, store.read_manifest(root))


# ---- finding


def _linked(path: Path, known: set[str]) -> set[str]:
    """Return the person's ids of every record of a file that has one of the ids known."""
    if not _holds(path, known):
        return set()
    return {
        value
        for record in records(path)
        if _mentions(record, known)
        for key, value in leaves(record)
        if key in PERSON_KEYS and value.strip()
    }


def _holds(path: Path, known: set[str]) -> bool:
    """Return whether an id stands in a file, looked for without reading it whole; packed files always may."""
    with open(path, "rb") as file:
        head = file.read(4)
        if head == b"PK\x03\x04":
            return True
        wanted, tail = [one.encode() for one in known], head
        longest = max(map(len, wanted))
        while chunk := file.read(2**20):
            if any(one in tail + chunk for one in wanted):
                return True
            tail = (tail + chunk)[-longest:]
        return any(one in tail for one in wanted)


def _mentions(record: object, known: set[str]) -> bool:
    """Return whether an id stands in a record as the person that it is about."""
    return any(value.strip() in known and key not in BESIDE_KEYS for key, value in leaves(record))


def leaves(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, text) of the texts in a JSON value; what lies inside a key that is beside counts to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, key if key in BESIDE_KEYS else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif isinstance(value, str):
        yield key, value


def records(path: Path) -> Iterator[object]:
    """Yield what a raw file says of people: elements of lists or whole payloads, rows of sheets by column."""
    if _is_json_file(path):
        for value in _json_values(path):
            yield from _atoms(value)
        return
    rows = sheet.read_xlsx(path, path.name) if _head(path).startswith(b"PK") else sheet.read(path, "", _encoding(path))
    try:
        for _, _, record in rows:
            yield record
    except (InputError, UnicodeDecodeError):
        return  # no sheet that is known: it ties no ids together


def _atoms(value: object) -> Iterator[object]:
    """Yield what is kept or dropped together: elements of lists, or the payload when it has a person outside lists."""
    lists, outside = _split(value)
    if any(key in PERSON_KEYS for key, _ in leaves(outside)):
        yield value
        return
    for element in lists:
        yield from _atoms(element) if isinstance(element, dict | list) else (element,)
    yield outside


def _split(value: object) -> tuple[list, object]:
    """Return the elements of the lists in a value, and the value without them."""
    if isinstance(value, list):
        return list(value), []
    if not isinstance(value, dict):
        return [], value
    lists: list = []
    rest = {}
    for key, inner in value.items():
        found, left = _split(inner)
        lists += found
        rest[key] = left
    return lists, rest


# ---- rewriting


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(4096)


def _is_json_file(path: Path) -> bool:
    return _head(path).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _json_values(path: Path) -> Iterator[object]:
    if path.stat().st_size <= _SMALL:
        try:
            yield from (value for _, value in payload.parse(_text(path), path.name))
        except InputError:
            yield _text(path)  # broken: one text, that is kept or dropped whole
        return
    yield from _long_values(path)


def _long_values(path: Path) -> Iterator[object]:
    """Yield the lines or elements of a long file."""
    with open(path, "rb") as file:
        head = file.read(2**20)
        first = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
        if _is_json(first):
            file.seek(0)
            for line in file:
                yield json.loads(line.decode("utf-8-sig"))
            return
        found = jsonsplit.opening(head, LISTS)
        if found is None:
            return
        rest: list[bytes] = []
        for piece in jsonsplit.arrays(file, found, rest, _is_json):
            yield from json.loads(piece)


def _is_json(text: bytes | str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _clean(path: Path, raw: Path, keep: Keep, known: set[str], erased: Erased) -> None:
    """Take the records that are not kept out of one raw file."""
    if not _holds(path, known):
        return
    shown = path.relative_to(raw).as_posix()
    _rewrite(path, shown, keep, known, erased)


def _rewrite(path: Path, shown: str, keep: Keep, blank: set[str], erased: Erased) -> None:
    if _head(path).startswith(b"PK\x03\x04"):
        _rewrite_book(path, shown, keep, erased)
    elif _is_json_file(path):
        _rewrite_json(path, shown, keep, blank, erased)
    else:
        _rewrite_sheet(path, shown, keep, erased)


_GONE = object()


def _filtered(value: object, keep: Keep, blank: set[str], taken: list[int]) -> object:
    """Return a JSON value without the records that are not kept; _GONE when nothing of it may stay."""
    if isinstance(value, dict) and not keep(_split(value)[1]):
        taken.append(1)
        return _GONE
    if isinstance(value, dict):
        return {k: _inner(k, v, keep, blank, taken) for k, v in value.items()}
    return _inner("", value, keep, blank, taken)


def _inner(key: str, value: object, keep: Keep, blank: set[str], taken: list[int]) -> object:
    if isinstance(value, list):
        kept = []
        for element in value:
            if isinstance(element, dict):
                left = _filtered(element, keep, blank, taken)
            elif isinstance(element, str) and not keep({key: element}):
                taken.append(1)
                left = _GONE
            else:
                left = element
            if left is not _GONE:
                kept.append(left)
        return kept
    if isinstance(value, dict):
        return {k: _inner(k, v, keep, blank, taken) for k, v in value.items()}
    if isinstance(value, str) and value.strip() in blank:
        taken.append(1)
        return ""
    return value


def _rewrite_json(path: Path, shown: str, keep: Keep, blank: set[str], erased: Erased) -> None:
    taken: list[int] = []
    if path.stat().st_size > _SMALL:
        _rewrite_long(path, shown, keep, blank, erased)
        return
    try:
        values = [value for _, value in payload.parse(_text(path), shown)]
    except InputError:
        _delete(path, shown, erased)  # broken, and names the person
        return
    kept = [left for value in values if (left := _filtered(value, keep, blank, taken)) is not _GONE]
    if not taken:
        return
    if not kept:
        _delete(path, shown, erased)
        return
    write_whole(path, "\n".join(json.dumps(value, ensure_ascii=False) for value in kept) + "\n")
    erased.rewritten[shown] = len(taken)


def _rewrite_long(path: Path, shown: str, keep: Keep, blank: set[str], erased: Erased) -> None:
    """Rewrite a long file a line or an element at a time."""
    taken: list[int] = []
    beside = path.with_name(f".{path.name}.tmp")
    with open(path, "rb") as file:
        head = file.read(2**20)
        file.seek(0)
        first = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
        with open(beside, "w", encoding="utf-8", newline="\n") as out:
            if _is_json(first):
                for line in file:
                    left = _filtered(json.loads(line.decode("utf-8-sig")), keep, blank, taken)
                    if left is not _GONE:
                        out.write(json.dumps(left, ensure_ascii=False) + "\n")
            elif found := jsonsplit.opening(head, LISTS):
                rest: list[bytes] = []
                out.write(found.envelope)
                comma = ""
                for piece in jsonsplit.arrays(file, found, rest, _is_json):
                    for value in _inner("", json.loads(piece), keep, blank, taken):
                        out.write(comma + json.dumps(value, ensure_ascii=False))
                        comma = ", "
                out.write(rest[0].decode())
    if taken:
        os.replace(beside, path)
        erased.rewritten[shown] = len(taken)
    else:
        beside.unlink()


def _text(path: Path) -> str:
    return path.read_text(encoding=_encoding(path))


def _encoding(path: Path) -> str:
    return "utf-8-sig" if ledger.fingerprint(path)[1] else "gb18030"


def _sheet_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (text as it stands, cells) of every row of a csv file or bill."""
    try:
        text = path.read_bytes().decode(_encoding(path))
    except UnicodeDecodeError:
        text = path.read_bytes().decode("latin-1")
    lines = text.splitlines(keepends=True)
    if lines and sheet.label(lines[0]).startswith("交易时间,公众账号id"):
        for line in lines:
            cells = line.strip()[1:].split(",`") if line.startswith("`") else line.strip().split(",")
            yield line, [cell.strip() for cell in cells]
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if lines and "\t" in lines[0] else ",")
    start = 0
    try:
        for cells in reader:
            yield "".join(lines[start : reader.line_num]), cells
            start = reader.line_num
    except csv.Error:
        yield "".join(lines[start:]), ["".join(lines[start:])]


def _row_record(cells: list) -> dict[str, str]:
    """Return the cells of a row as a record; any of them may be an id, since headers may be unknown."""
    return {f"cell{i}": str(cell).strip() for i, cell in enumerate(cells) if cell is not None}


def _rewrite_sheet(path: Path, shown: str, keep: Keep, erased: Erased) -> None:
    encoding = _encoding(path)
    kept, taken, header = [], [], []
    for text, cells in _sheet_rows(path):
        header = header or [sheet.label(cell) for cell in text.strip().split(",")]
        (kept if keep(_row_record(cells)) else taken).append(text)
    if not taken:
        return
    content = "".join(kept)
    if header and header[0] == "交易时间":
        content = _bill_totals(kept, taken, header)
    bom = b"\xef\xbb\xbf" if path.read_bytes().startswith(b"\xef\xbb\xbf") else b""
    write_whole(path, bom + content.encode("utf-8" if encoding == "utf-8-sig" else encoding))
    erased.rewritten[shown] = len(taken)


_TOTALS = {
    "应结订单总金额": "应结订单金额", "退款总金额": "退款金额", "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费", "订单总金额": "订单金额", "申请退款总金额": "申请退款金额",
}  # fmt: skip


def _bill_totals(kept: list[str], taken: list[str], header: list[str]) -> str:
    """Return a bill whose totals are those of the rows that are left."""
    at = next((i for i, text in enumerate(kept) if text.startswith("总交易单数")), None)
    if at is None or at + 1 >= len(kept):
        return "".join(kept)
    names = kept[at].strip().split(",")
    values = kept[at + 1].strip().lstrip("`").split(",`")
    rows = [text.strip("\r\n")[1:].split(",`") for text in taken if text.startswith("`")]
    for i, name in enumerate(names):
        if name == "总交易单数":
            values[i] = str(int(values[i]) - len(rows))
        elif name in _TOTALS and _TOTALS[name] in header:
            column = header.index(_TOTALS[name])
            values[i] = str(Decimal(values[i]) - sum((Decimal(row[column]) for row in rows), Decimal(0)))
    return "".join([*kept[: at + 1], "`" + ",`".join(values) + "\n", *kept[at + 2 :]])


def _rewrite_book(path: Path, shown: str, keep: Keep, erased: Erased) -> None:
    from openpyxl import load_workbook

    try:
        sheet.guard_archive(path, shown)
        book = load_workbook(path)
    except Exception:  # whatever openpyxl raises: the file cannot be looked into
        erased.unsure.append(shown)
        return
    taken = 0
    for page in book.worksheets:
        for number in range(page.max_row, 0, -1):
            cells = [cell.value for cell in page[number]]
            if not keep(_row_record(cells)):
                page.delete_rows(number)
                taken += 1
    if taken:
        beside = path.with_name(f".{path.name}.tmp")
        book.save(beside)
        os.replace(beside, path)
        erased.rewritten[shown] = taken


def _delete(path: Path, shown: str, erased: Erased) -> None:
    path.unlink()
    erased.deleted.append(shown)


# ---- outputs


def _clean_outputs(folder: Path, known: set[str], erased: Erased) -> None:
    """Take a person out of lists and tables of runs; other files that name the person go."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_file() or path.is_symlink():
            continue
        suffix, shown = path.suffix.lower(), path.as_posix()
        if suffix == ".parquet":
            _clean_parquet(path, known, shown, erased)
        elif path.name == exports.FILE:
            _clean_log(path, erased, lambda log: exports.forget(log, known))
            if _holds(path, known):  # in what somebody wrote: who exported, and for what
                erased.unsure.append(shown)
        elif suffix == ".csv" and _holds(path, known):
            _rewrite_sheet(path, shown, lambda record: not _mentions(record, known), erased)
        elif suffix == ".xlsx":
            _rewrite_book(path, shown, lambda record: not _mentions(record, known), erased)
        elif suffix in _TEXTS and _holds(path, known):
            _delete(path, shown, erased)


def _clean_log(path: Path, erased: Erased, clean: Callable[[Path], int]) -> None:
    """Take hashes out of the log of exports; one that cannot be read is told."""
    try:
        count = clean(path)
    except (ValueError, AttributeError, KeyError, TypeError):
        erased.unsure.append(path.as_posix())
        return
    if count:
        erased.rewritten[path.as_posix()] = count


def _clean_parquet(path: Path, known: set[str], shown: str, erased: Erased) -> None:
    listed = ", ".join(literal(one) for one in sorted(known))
    with connect(threads=1) as db:
        found = db.execute(f"SELECT * FROM read_parquet({literal(path)}) LIMIT 0").description
        texts = [column[0] for column in found if str(column[1]) in ("VARCHAR", "STRING")]
        if not texts:
            return
        condition = " OR ".join(f'COALESCE("{name}" IN ({listed}), FALSE)' for name in texts)
        count = db.execute(f"SELECT COUNT(*) FROM read_parquet({literal(path)}) WHERE {condition}").fetchone()[0]
        if not count:
            return
        beside = path.with_name(f".{path.name}.tmp")
        db.execute(
            f"COPY (SELECT * FROM read_parquet({literal(path)}) WHERE NOT ({condition})) TO {literal(beside)} "
            "(FORMAT parquet)"
        )
    os.replace(beside, path)
    erased.rewritten[shown] = count


# ---- purging


def _personal(entry: Entry) -> bool:
    return any(TABLES[name].personal for name in entry.rows)


def _is_snapshot(entry: Entry) -> bool:
    """Return whether a file shows people as they were on the day of its pull."""
    outs = [out for name in entry.sources for out in SOURCES[name].outs]
    return any(out.table == "customers" and "last_seen_at" in out.fields for out in outs)


def _purge_file(path: Path, entry: Entry, before: dt.date, erased: Erased) -> None:
    day = before.isoformat()
    if _is_snapshot(entry):
        if entry.pulled_at[:10] < day:
            _delete(path, entry.path, erased)
        return
    if not entry.first_day or entry.first_day >= day:
        return
    if entry.last_day < day:
        _delete(path, entry.path, erased)
        return
    dated = {
        out.fields[column].path.rpartition(".")[2]
        for name in entry.sources
        for out in SOURCES[name].outs
        if TABLES[out.table].personal and (column := TABLES[out.table].purged_on) and column in out.fields
    }
    columns = {label for name in entry.sources for label in _labels_of(name, dated)}

    def keep(record: Mapping[str, object]) -> bool:
        return not any(_is_before(value, before) for key, value in _dates(record) if key in dated or key in columns)

    _purge_records(path, entry, keep, columns, erased)


def _purge_records(path: Path, entry: Entry, keep: Keep, columns: set[str], erased: Erased) -> None:
    if _is_json_file(path):
        _rewrite_json(path, entry.path, keep, set(), erased)
        return
    if _head(path).startswith(b"PK\x03\x04"):
        erased.unsure.append(entry.path)
        return
    places: list[int] = []

    def keep_row(record: Mapping[str, object]) -> bool:
        cells = [str(value) for value in record.values()]
        if not places:
            places.extend(i for i, cell in enumerate(cells) if sheet.label(cell) in columns)
            return True
        return keep({next(iter(columns)): cells[i] for i in places if i < len(cells)})

    _rewrite_sheet(path, entry.path, keep_row, erased)


def _labels_of(source: str, dated: set[str]) -> set[str]:
    return {label for label, column in sheet.labels(source).items() if column in dated}


def _dates(record: object) -> Iterator[tuple[str, object]]:
    if isinstance(record, dict):
        for key, value in record.items():
            if isinstance(value, dict):
                yield from _dates(value)
            else:
                yield key, value


def _is_before(value: object, before: dt.date) -> bool:
    """Return whether a raw date or time lies before a day; what is no date does not."""
    text = str(value).strip().strip("`")
    if text.isdigit() and len(text) == 10:
        return dt.datetime.fromtimestamp(int(text), payload.SHANGHAI).date() < before
    digits = text[:10].replace("/", "-")
    for form, part in (("%Y-%m-%d", digits), ("%Y%m%d", text[:8])):
        try:
            return dt.datetime.strptime(part, form).date() < before
        except ValueError:
            continue
    return False
