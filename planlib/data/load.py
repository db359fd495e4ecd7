"""Load raw files into tidy tables: what is new is read, what cannot be read is set aside, and all appears at once."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.data import columns, forgotten, ids, jsonsplit, ledger, payload, sheet, store
from planlib.data.engine import literal
from planlib.data.fields import problem as value_problem
from planlib.data.forgotten import Forgotten
from planlib.data.ledger import ASIDE, COPY, LOADED, SUPERSEDED, Entry
from planlib.data.merge import merge
from planlib.data.schema import TABLES
from planlib.data.shape import LINE, LINES, MAX_LINE, Staged
from planlib.data.sources import SOURCES, Source
from planlib.data.stage import Stage, is_too_long, reader_line, reader_reason

_JSON = json.JSONEncoder(ensure_ascii=False)
LARGE = 16 * 2**20  # bytes from which on JSON is not held whole
LARGE_SHEET = 2**20  # bytes from which on a csv file is staged by itself
PIECE = 128 * 2**20
HEAD = 2**20
_ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
LISTS = frozenset(
    path.removesuffix("[]") for s in SOURCES.values() for path in s.list_path.split("|") if path.endswith("[]")
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a load did.

    Args:
        read: files read now.
        rows: rows read from them.
        aside: files set aside, of this load and of earlier ones.
        unchanged: files known already.
        gone: files of earlier loads that are not there any more.
        tables: table -> rows, of the tables that changed.
        entries: every raw file.
    """

    read: int
    rows: int
    aside: tuple[Entry, ...]
    unchanged: int
    gone: int
    tables: Mapping[str, int]
    entries: tuple[Entry, ...]


def raw_folder(root: str | Path) -> Path:
    """Return the folder of the raw files.

    Raises:
        InputError: there is none.
    """
    raw = store.raw_dir(root)
    if not raw.is_dir():
        raise InputError(Problem("data_no_raw", file=raw.as_posix()))
    return raw


def read_ledger(root: str | Path) -> list[Entry]:
    """Return what the last load knew of every raw file."""
    name = store.read_manifest(root).get("ledger")
    if not name:
        return []
    return ledger.parse((store.tidy_dir(root) / name).read_bytes())


def load(root: str | Path, *, seen: Say | None = None) -> Report:
    """Read what is new in the raw files of a data folder.

    Nothing is half written: tables and ledger of this load replace those before it in one rename. The caller sees to
    it that no two loads run at once.

    Args:
        root: the data folder.
        seen: called with each file's name before it is read.

    Raises:
        InputError: there is no folder of raw files.
    """
    root = Path(root)
    raw = raw_folder(root)
    for folder in (raw, store.tidy_dir(root)):
        store.make_private(folder)
    key = ids.salt(root)
    manifest = store.read_manifest(root)
    known = {entry.path: entry for entry in read_ledger(root)}
    if manifest.get("reader") != ledger.reader_version():
        known = {}
    left_out = forgotten.read(root)
    if manifest.get("forgotten") != left_out.digest():
        known = {}
    tables = store.table_files(root, manifest) if known else {}
    scan = _scan(raw, known)
    if not scan.new and not scan.gone and known:
        _refresh(root, manifest, scan)
        return _report((), scan, {}, {})
    for path in store.tidy_dir(root).glob(".load-*"):
        shutil.rmtree(path, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".load-", dir=store.tidy_dir(root)))
    stage = Stage(folder, key)
    try:
        return _load(root, raw, stage, manifest, tables, scan, seen or (lambda _: None))
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Scan:
    """Raw files by what a load has to do: new ones (or changed), those known already, those that are gone."""

    new: tuple[Entry, ...]
    kept: tuple[Entry, ...]
    gone: tuple[Entry, ...]


def _scan(raw: Path, known: Mapping[str, Entry]) -> Scan:
    """Compare the raw files with the ledger; a changed file counts as gone and new."""
    new: list[Entry] = []
    kept: list[Entry] = []
    number = max((entry.number for entry in known.values()), default=0)
    originals = {_identity(entry): entry for entry in known.values() if entry.status != COPY}
    seen = set()
    for path in ledger.walk(raw):
        name = path.relative_to(raw).as_posix()
        seen.add(name)
        stat = path.stat()
        before = known.get(name)
        if before and (before.size, before.modified_ns) == (stat.st_size, stat.st_mtime_ns):
            kept.append(before)
            continue
        sha256, utf8 = ledger.fingerprint(path)
        if before and before.sha256 == sha256:
            kept.append(dataclasses.replace(before, modified_ns=stat.st_mtime_ns))
            continue
        number += 1
        pulled = ledger.iso(payload.pulled_at(PurePosixPath(name), stat.st_mtime))
        entry = Entry(number, name, sha256, stat.st_size, stat.st_mtime_ns, utf8, pulled)
        first = originals.get(_identity(entry))
        if first and first.path != name and (raw / first.path).is_file():
            entry = dataclasses.replace(entry, status=COPY)
        originals.setdefault(_identity(entry), entry)
        new.append(entry)
    still = {entry.path for entry in kept}
    gone = tuple(entry for name, entry in known.items() if name not in still)
    return Scan(tuple(new), tuple(kept), gone)


def _identity(entry: Entry) -> tuple:
    """Return what two files share of which one is a copy: content, what the name says of the request, day of the pull.

    Idle days of two members look the same, so that content alone does not tell.
    """
    path = PurePosixPath(entry.path)
    return entry.sha256, tuple(sorted(payload.name_context(path).items())), payload.folder_day(path)


def _load(
    root: Path, raw: Path, stage: Stage, manifest: Mapping, tables: dict[str, Path], scan: Scan, seen: Say
) -> Report:
    lost = {_identity(entry) for entry in scan.gone}
    orphans = [e for e in scan.kept if e.status == COPY and _identity(e) in lost]
    returned = [dataclasses.replace(e, status=LOADED) for e in orphans]
    kept = [e for e in scan.kept if e not in orphans] + returned
    reading = [entry for entry in (*scan.new, *returned) if entry.status != COPY]
    left_out = forgotten.read(root)
    done = _read(raw, stage, reading, seen, left_out)
    entries = {entry.number: entry for entry in (*kept, *scan.new)} | done
    late = _supersede(entries)
    entries |= late
    stage.drop(number for number, entry in entries.items() if entry.status == SUPERSEDED)
    emptied = {name for entry in (*scan.gone, *late.values()) for name in entry.rows}
    emptied |= _out_of_order(entries, done, emptied)
    again = [e for e in entries.values() if e.number not in done and e.status == LOADED and emptied & set(e.rows)]
    stage.only = frozenset(emptied)
    _read(raw, stage, again, seen, left_out)
    old = {name: path for name, path in tables.items() if name not in emptied}
    made = merge(stage.db, root, stage.tables, old, entries.values(), emptied, left_out)
    listed = {name: entry for name, entry in manifest["tables"].items() if tables and name not in made}
    listed |= {name: entry for name, entry in made.items() if entry}
    _commit(root, manifest, listed, entries.values())
    rows = {name: int(entry["rows"]) if entry else 0 for name, entry in made.items() if entry or name in tables}
    return _report(tuple(done.values()), scan, entries, rows)


def _commit(root: Path, before: Mapping, tables: Mapping, entries) -> None:
    """Write the ledger, then make tables and ledger the current ones in one rename."""
    content = ledger.dump(sorted(entries, key=lambda entry: entry.number))
    name = f"ledger-{ledger.hashlib.sha256(content).hexdigest()[:12]}.json"
    write_whole(store.tidy_dir(root) / name, content)
    manifest = {
        "tables": tables,
        "ledger": name,
        "reader": ledger.reader_version(),
        "forgotten": forgotten.read(root).digest(),
    }
    store.commit(root, manifest)
    store.sweep(root, before, manifest)


def _refresh(root: Path, manifest: Mapping, scan: Scan) -> None:
    """Note new file times of unchanged contents, so that they need not be hashed again."""
    if list(scan.kept) != sorted(read_ledger(root), key=lambda entry: entry.path):
        _commit(root, manifest, manifest["tables"], scan.kept)


def _report(done: tuple[Entry, ...], scan: Scan, entries: Mapping[int, Entry], tables: Mapping[str, int]) -> Report:
    everything = tuple(entries.values()) or scan.kept
    return Report(
        read=sum(entry.status == LOADED for entry in done),
        rows=sum(sum(entry.rows.values()) for entry in done if entry.status == LOADED),
        aside=tuple(entry for entry in everything if entry.status == ASIDE),
        unchanged=len(scan.kept),
        gone=len({entry.path for entry in scan.gone} - {entry.path for entry in scan.new}),
        tables=tables,
        entries=everything,
    )


def _supersede(entries: Mapping[int, Entry]) -> dict[int, Entry]:
    """Return the entries whose period a later file holds anew, as superseded."""
    groups: dict[tuple, list[Entry]] = {}
    for entry in entries.values():
        if entry.status == LOADED and entry.scope:
            groups.setdefault((entry.sources, entry.scope, entry.first_day, entry.last_day), []).append(entry)
    late = [sorted(group, key=lambda entry: entry.order)[:-1] for group in groups.values()]
    return {e.number: dataclasses.replace(e, status=SUPERSEDED) for group in late for e in group}


def _out_of_order(entries: Mapping[int, Entry], done: Mapping[int, Entry], emptied: set[str]) -> set[str]:
    """Return the tables completed from several files whose new files are not the latest: they are made anew."""
    found = set()
    for name in (table.name for table in TABLES.values() if table.merged and table.name not in emptied):
        new = [e.order for e in done.values() if e.status == LOADED and name in e.rows]
        old = [e.order for e in entries.values() if e.number not in done and e.status == LOADED and name in e.rows]
        if new and old and min(new) < max(old):
            found.add(name)
    return found


# ---- reading files


def _read(
    raw: Path, stage: Stage, entries: list[Entry], seen: Say, left_out: Forgotten
) -> dict[int, Entry]:
    """Stage files; return their entries with what came of each."""
    found: dict[int, _Found] = {}
    failed: dict[int, tuple[Problem, ...]] = {}
    for entry in entries:
        seen(entry.path)
        found[entry.number] = _Found()
        try:
            _read_one(raw / entry.path, entry, stage, found[entry.number])
        except InputError as error:
            failed[entry.number] = error.problems
        except OSError as error:
            failed[entry.number] = (Problem("data_unreadable", file=entry.path, given=error.strerror),)
        except UnicodeDecodeError as error:
            failed[entry.number] = (_encoding_problem(raw / entry.path, entry.path, error),)
    stage.flush()
    stage.drop(failed)
    refused = stage.check()
    for entry in entries:
        if entry.number in refused and entry.number not in failed:
            failed[entry.number] = _explain(raw / entry.path, entry, stage)
    results = {entry.number: _result(entry, found[entry.number], failed.get(entry.number, ())) for entry in entries}
    for table, number, rows, first, last in stage.rows():
        if number in results:
            results[number] = _with_rows(results[number], table, rows, first, last)
    for table, number, rows in stage.left_out(left_out):
        if number in results:
            entry = results[number]
            results[number] = dataclasses.replace(entry, left_out={**entry.left_out, table: rows})
    for number, entry in results.items():
        source = next((SOURCES[name] for name in entry.sources if SOURCES[name].whole), None)
        if source is not None and entry.rows:
            values = stage.scope(source.outs[0].table, source.whole, number)
            results[number] = dataclasses.replace(entry, scope=f"{found[number].header}|{values}")
    return results


@dataclass(slots=True)
class _Found:
    """What reading a file came upon."""

    sources: list[str] = dataclasses.field(default_factory=list)
    guessed: list[str] = dataclasses.field(default_factory=list)
    header: str = ""

    def note(self, source: Source | None, guessed: tuple[str, ...] = ()) -> None:
        """Note a source once."""
        if source is not None and source.name not in self.sources:
            self.sources.append(source.name)
        self.guessed.extend(name for name in guessed if name not in self.guessed)


def _result(entry: Entry, found: _Found, problems: tuple[Problem, ...]) -> Entry:
    return dataclasses.replace(
        entry,
        status=ASIDE if problems else LOADED,
        sources=tuple(found.sources),
        guessed=tuple(found.guessed),
        problems=problems,
        rows={},
        left_out={},
    )


def _with_rows(entry: Entry, table: str, rows: int, first: dt.date | None, last: dt.date | None) -> Entry:
    days = [day for day in (entry.first_day, entry.last_day) if day]
    days += [day.isoformat() for day in (first, last) if day]
    return dataclasses.replace(
        entry,
        rows={**entry.rows, table: rows},
        first_day=min(days, default=""),
        last_day=max(days, default=""),
    )


def _read_one(path: Path, entry: Entry, stage: Stage, found: _Found) -> None:
    shown = entry.path
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise InputError(Problem("data_blank", file=shown))
    if head.startswith(b"PK\x03\x04") and _is_workbook(path):
        _read_sheet(sheet.read_xlsx(path, shown), entry, stage, found)
        return
    if head.startswith(_ARCHIVES) or head.startswith(b"PK"):
        raise InputError(Problem("data_archive", file=shown))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(Problem("data_xls", file=shown))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise InputError(Problem("data_encoding", file=shown))
    encoding = "utf-8-sig" if entry.utf8 else "gb18030"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        _read_csv(path, encoding, entry, stage, found)
    elif entry.size <= LARGE:
        _read_small(path, encoding, entry, stage, found)
    else:
        _read_large(path, entry, stage, found)


def _is_workbook(path: Path) -> bool:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _read_sheet(rows, entry: Entry, stage: Stage, found: _Found) -> None:
    context = payload.name_context(PurePosixPath(entry.path)) | {"pulled": entry.pulled_at}
    for header, _, record in rows:
        source = SOURCES[header.source]
        if not found.header:
            found.note(source)
            found.header = ",".join(header.labels)
        stage.add(source, entry.number, context, _JSON.encode(record))


def _read_csv(path: Path, encoding: str, entry: Entry, stage: Stage, found: _Found) -> None:
    context = payload.name_context(PurePosixPath(entry.path)) | {"pulled": entry.pulled_at}
    for batch in columns.batches(path, entry.path, encoding):
        source = SOURCES[batch.header.source]
        if len(batch) and not found.header:
            found.note(source)
            found.header = ",".join(batch.header.labels)
        if entry.size > LARGE_SHEET:
            stage.add_columns(source, entry.number, context, batch.columns)
            continue
        for record in batch.records():
            stage.add(source, entry.number, context, _JSON.encode(record))


def _read_small(path: Path, encoding: str, entry: Entry, stage: Stage, found: _Found) -> None:
    text = path.read_text(encoding=encoding)
    values = payload.parse(text, entry.path)
    for line, value in values:
        _stage_value(value, line if len(values) > 1 else None, entry, stage, found)


def _stage_value(value: object, line: int | None, entry: Entry, stage: Stage, found: _Found) -> None:
    path = PurePosixPath(entry.path)
    pulled = dt.datetime.fromisoformat(entry.pulled_at)
    context = payload.name_context(path)
    try:
        for each in payload.payloads(value, context, shown=entry.path, stem=path.stem, pulled=pulled):
            found.note(each.source, each.guessed)
            if each.source is not None:
                stage.add(each.source, entry.number, each.context, _JSON.encode(each.content))
    except InputError as error:
        raise InputError(*(dataclasses.replace(p, line=p.line or line) for p in error.problems)) from None
    except UnicodeEncodeError:  # half of a character of two halves, which the reader of large files refuses too
        raise InputError(Problem("data_json", file=entry.path, line=line, given="lone surrogate in a text")) from None


def _read_large(path: Path, entry: Entry, stage: Stage, found: _Found) -> None:
    if not entry.utf8:
        raise InputError(Problem("data_encoding", file=entry.path))
    with open(path, "rb") as file:
        head = file.read(HEAD)
        first, newline, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
        if newline and _sound(first):
            file.seek(0)
            _read_lines(path, json.loads(first), entry, stage, found)
            return
        opened = jsonsplit.opening(head, LISTS)
        if opened is None and entry.size <= MAX_LINE:
            _read_small(path, "utf-8-sig", entry, stage, found)
            return
        if opened is None:
            raise InputError(Problem("data_unknown", file=entry.path))
        _read_pieces(file, head, opened, entry, stage, found)


def _sound(line: bytes) -> bool:
    try:
        json.loads(line)
    except (RecursionError, ValueError):
        return False
    return True


def _read_lines(path: Path, first: object, entry: Entry, stage: Stage, found: _Found) -> None:
    """Read one payload a line: straight from the file when all lines are of one source, else line by line."""
    if not set("*?[]\\") & set(str(path)) and _insert_alike(path, first, LINES, entry, stage, found):
        return
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                (_, value), *_ = payload.parse(line, entry.path)
                _stage_value(value, number, entry, stage, found)


def _insert_alike(path: Path, first: object, form: str, entry: Entry, stage: Stage, found: _Found) -> bool:
    """Insert the payloads of a file as they stand when all are of the first one's source; return whether they are."""
    source = payload.identify(first) if isinstance(first, dict) else None
    if source is None or not stage.wanted(source) or not _uniform(path, source, form, stage, entry.path):
        return False
    name = PurePosixPath(entry.path)
    pulled = dt.datetime.fromisoformat(entry.pulled_at)
    told, guessed = payload.complete(source, payload.name_context(name), stem=name.stem, pulled=pulled)
    found.note(source, guessed)
    _insert(stage, source, Staged(path.as_posix(), form=form, file_no=entry.number, context=told), entry.path)
    return True


def _uniform(path: Path, source: Source, form: str, stage: Stage, shown: str) -> bool:
    """Return whether every payload is of the source, and refuse errors of the platform among them."""
    import duckdb

    name = source.list_path.split("|")[0].removesuffix("[]") or min(source.keys)
    columns = f"{{errcode: 'VARCHAR', errmsg: 'VARCHAR', '{name}': 'JSON'}}"
    sql = (
        f"SELECT COUNT(*) FILTER (WHERE \"{name}\" IS NULL), MAX(errcode || ' ' || COALESCE(errmsg, '')) "
        f"FILTER (WHERE errcode NOT IN ('0', '84061')) FROM read_json({literal(path)}, "
        f"format='{form}', columns={columns}, maximum_object_size="
    )
    try:
        try:
            others, error = stage.db.execute(f"{sql}{LINE})").fetchone()
        except duckdb.Error as longer:
            if not is_too_long(longer):
                raise
            others, error = stage.db.execute(f"{sql}{MAX_LINE})").fetchone()
    except duckdb.Error as refused:
        raise _reader_refused(refused, shown) from None
    if error:
        raise InputError(Problem("data_api_error", file=shown, given=error.strip()))
    return not others


def _insert(stage: Stage, source: Source, staged: Staged, shown: str) -> None:
    import duckdb

    try:
        stage.insert(source, staged)
    except duckdb.Error as error:
        raise _reader_refused(error, shown) from None


def _reader_refused(error: Exception, shown: str) -> InputError:
    line, reason = reader_line(error), reader_reason(error)
    if "unexpected end" in reason:
        return InputError(Problem("data_json_cut", file=shown, line=line))
    return InputError(Problem("data_json", file=shown, line=line, given=reason))


def _read_pieces(
    file, head: bytes, opened: jsonsplit.Opening, entry: Entry, stage: Stage, found: _Found
) -> None:
    """Read one long document a piece at a time."""
    name = PurePosixPath(entry.path)
    pulled = dt.datetime.fromisoformat(entry.pulled_at)
    source, context = None, payload.name_context(name)
    if opened.path != "[]":
        around, source = _first_element(head, opened, entry.path)
        context |= {key: str(value) for key, value in around.items() if isinstance(value, str | int | float)}
    rest: list[bytes] = []
    try:
        for text in jsonsplit.arrays(file, opened, rest, stage.valid_json):
            piece = stage.folder / "piece.json"
            piece.write_text(text, encoding="utf-8")
            if source is None:
                values = json.loads(text)
                if not (values and _insert_alike(piece, values[0], "array", entry, stage, found)):
                    for value in values:
                        _stage_value(value, None, entry, stage, found)
            elif stage.wanted(source):
                told, guessed = payload.complete(source, context, stem=name.stem, pulled=pulled)
                told |= {f"/{key}": value for key, value in context.items()}
                found.note(source, guessed)
                inside = opened.path.rpartition(".")[2]
                staged = Staged(piece.as_posix(), form="array", inside=inside, file_no=entry.number, context=told)
                _insert(stage, source, staged, entry.path)
        payload.check_error(jsonsplit.envelope(opened, rest[0]) if opened.path != "[]" else {}, entry.path)
    except jsonsplit.Cut as cut:
        if cut.reason == "end":
            raise InputError(Problem("data_json_cut", file=entry.path, line=cut.line)) from None
        raise InputError(Problem("data_json", file=entry.path, line=cut.line, given=cut.reason)) from None
    except json.JSONDecodeError as error:
        raise InputError(Problem("data_json", file=entry.path, given=error.msg)) from None


def _first_element(head: bytes, opened: jsonsplit.Opening, shown: str) -> tuple[dict, Source]:
    """Return what stands before a long list (its request too), and the source that its first element tells."""
    closing = "]" + "".join("}" for _ in range(opened.path.count(".") + 1))
    text = head.decode("utf-8", errors="ignore")
    start = len(head[: opened.start].decode("utf-8", errors="ignore"))
    try:
        element, _ = json.JSONDecoder().raw_decode(text, len(text) - len(text[start:].lstrip()))
        whole = json.loads(opened.envelope + json.dumps(element) + closing)
    except ValueError:
        raise InputError(Problem("data_unknown", file=shown)) from None
    inner, around = whole, {}
    for step in opened.path.split(".")[:-1]:
        for key in ("request", "params"):
            if isinstance(inner.get(key), dict):
                around |= inner[key]
        inner = inner[step]
    payload.check_error(inner, shown)
    source = payload.identify(inner)
    if source is None:
        raise InputError(Problem("data_unknown", file=shown))
    return {**around, **{k: v for k, v in inner.items() if not isinstance(v, list | dict)}}, source


# ---- what is wrong, with its line


def _explain(path: Path, entry: Entry, stage: Stage) -> tuple[Problem, ...]:
    """Turn refused values into problems that name file, field and line."""
    if entry.number in stage.broken:
        return (dataclasses.replace(stage.broken[entry.number], file=entry.path),)
    problems = []
    for source, table, column, raw in stage.flaws[entry.number]:
        if column == "=":
            line = _find_line(path, entry, SOURCES[source], table, None, raw, stage)
            problems.append(Problem("data_double", file=entry.path, field=table, line=line, given=raw))
            continue
        name = column.lstrip("!")
        field = _field_name(SOURCES[source], table, name)
        if column.startswith("!"):
            problems.append(Problem("data_missing", file=entry.path, field=field))
            continue
        line = _find_line(path, entry, SOURCES[source], table, name, raw, stage)
        kind = _kind(SOURCES[source], table, name)
        problems.append(value_problem(kind, raw or "", file=entry.path, field=field, line=line))
    return tuple(problems)


def _declared(source: Source, table: str, column: str):
    return next(
        (o.fields.get(column) or o.helps.get(column))
        for o in source.outs
        if o.table == table and (column in o.fields or column in o.helps)
    )


def _kind(source: Source, table: str, column: str) -> str:
    return _declared(source, table, column).kind


def _field_name(source: Source, table: str, column: str) -> str:
    """Return the field's path in a payload; of computed columns the column."""
    try:
        return _declared(source, table, column).path.lstrip("@")
    except StopIteration:
        return column


def _find_line(
    path: Path, entry: Entry, source: Source, table: str, column: str | None, raw: str | None, stage: Stage
) -> int | None:
    """Return the line of a refused value, or of the second row of a key; None where it cannot be told."""
    if source.sheet and path.suffix.lower() not in (".json", ".jsonl"):
        return _sheet_line(path, entry, source, table, column, raw, stage)
    import re

    if column is None or raw is None:
        return None
    key = _declared(source, table, column).path.rpartition(".")[2]
    wanted = re.compile(rb'"' + re.escape(key.encode()) + rb'"\s*:\s*"?' + re.escape(raw.encode()) + rb'(?![\d.])')
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if key.encode() in line and wanted.search(line):
                return number
    return None


def _sheet_line(
    path: Path, entry: Entry, source: Source, table: str, column: str | None, raw: str | None, stage: Stage
) -> int | None:
    keys = [_declared(source, table, name).path for name in TABLES[table].key if _has(source, table, name)]
    name = None if column is None else _declared(source, table, column).path
    with open(path, "rb") as file:
        is_book = file.read(4) == b"PK\x03\x04"
    if is_book:
        rows = [*sheet.read_xlsx(path, entry.path)]
        header = rows[0][0]
        cells = columns.from_records(header, [record for *_, record in rows])
        batches = iter([columns.Batch(header, cells, lambda: [line for _, line, _ in rows])])
    else:
        batches = columns.batches(path, entry.path, "utf-8-sig" if entry.utf8 else "gb18030")
    if name is None:
        return stage.first_double(keys, batches)
    found = (batch for batch in batches if raw in batch.columns.get(name, ()))
    return next((batch.lines()[batch.columns[name].index(raw)] for batch in found), None)


def _has(source: Source, table: str, column: str) -> bool:
    return any(o.table == table and column in o.fields for o in source.outs)


def _encoding_problem(path: Path, shown: str, error: UnicodeDecodeError) -> Problem:
    """Say on which line a text stops being UTF-8 (and is no GB 18030 either)."""
    line = None
    with open(path, "rb") as file:
        for number, text in enumerate(file, start=1):
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                line = number
                break
    return Problem("data_encoding", file=shown, line=line)


def files(root: str | Path) -> Iterator[Path]:
    """Yield the raw files of a data folder."""
    yield from ledger.walk(store.raw_dir(root))
