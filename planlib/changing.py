"""What changed since the last review of the same kind: two runs are compared and one set of results is left.

The last run's plan, tables and results are what is known of it; there is no other store. What is left lies beside the
notebooks' results in `changes/` and is read by decks as theirs are: its page opens the deck of the review.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, Words, words
from planlib.plan import Plan
from planlib.report.deck_pages import CHANGES
from planlib.workbook.cadence import Cadence
from planlib.workbook.context import Book
from planlib.workbook.runner import PLAN

REVIEW = "80_review"
MOVED = 0.01  # share from which on a figure without an interval has moved
KINDS = ("revised", "actual", "forecast", "assumption", "decision", "alert", "action")
_EMPTY = {locale: "—" for locale in LOCALES}
_COLUMNS = ("kind", "what", "before", "now", "note")
_UNITS = {"kind": "words:rhythm.kind", "event": "words:rhythm.event"} | dict.fromkeys(
    ("what", "before", "now", "note"), "bilingual"
)
_PLAIN = ("kind", "event", "id", "before_value", "now_value", "unit")
_FEW = {"changes": 6, "alerts": 4, "scorecard": 8, "todo": 4}  # rows on the page of a week
_TOLD_ELSEWHERE = ("data.as_of", "decisions", "review.")  # as decisions, as actions
_WORST = ("off_track", "at_risk", "on_track", "not_measured")

Text = Mapping[str, str]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed.

    Attributes:
        kind: of `KINDS`.
        event: moved, new, changed, removed; opened, closed, withdrawn; done, dropped, overdue; decision, goal, level,
            registration.
        id: of what changed: a metric, a place in the plan, a finding, an action, a series under watch.
        what, before, now, note: as a reader sees them.
        before_value, now_value: the figures, in `unit`; None for what is no figure.
    """

    kind: str
    event: str
    id: str
    what: Text
    before: Text = field(default_factory=lambda: _EMPTY)
    now: Text = field(default_factory=lambda: _EMPTY)
    note: Text = field(default_factory=lambda: _EMPTY)
    before_value: float | None = None
    now_value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What one run says.

    Attributes:
        as_of: slot of its review.
        plan: the resolved plan's values.
        tables: of notebook 80, and of its changes.
    """

    as_of: dt.date
    plan: Mapping[str, Any]
    tables: Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Occasion:
    """The review that is held.

    Attributes:
        kind, slot: of it.
        data_until: last day of the data that it rests on; None without data.
        since: folder of the last run of this kind, None for the first.
        missed: slots that were due in between and not run.
        decisions: entries of the decision log up to the slot.
        files: plan files from the strongest to the weakest, whose values make the plan.
    """

    kind: Cadence
    slot: dt.date
    data_until: dt.date | None
    since: Path | None
    missed: Sequence[dt.date]
    decisions: Sequence[Mapping[str, Any]]
    files: Sequence[Path]


def read_state(run_dir: Path, as_of: dt.date) -> State:
    """Return what a run says.

    Raises:
        InputError: its results are not there.
    """
    plan = json.loads((run_dir / PLAN).read_text(encoding="utf-8"))["plan"]
    tables = {}
    for notebook in (REVIEW, CHANGES):
        if (run_dir / notebook / "results.json").is_file():
            names = [entry["id"] for entry in res.load(run_dir / notebook / "results.json")["tables"]]
            tables |= {f"{notebook}.{name}": res.read_table(run_dir / notebook, name) for name in names}
    return State(as_of, plan, tables)


# ---- what changed


def changes(old: State, new: State, occasion: Occasion) -> list[Change]:
    """Return everything that changed between two runs, in the order of `KINDS`."""
    found = [
        *revised(old, new),
        *moved(old, new),
        *assumptions(old.plan, new.plan, occasion.files),
        *decided(old, occasion.decisions),
        *alerts(old, new),
        *actions(old, new),
    ]
    return sorted(found, key=lambda change: KINDS.index(change.kind))


def revised(old: State, new: State) -> Iterator[Change]:
    """Yield the months that were over at the last review and have another level now."""
    before = {(row["metric"], row["month"]): row["value"] for row in old.tables.get(f"{REVIEW}.months", ())}
    for row in new.tables.get(f"{REVIEW}.months", ()):
        was = before.get((row["metric"], row["month"]))
        if was is not None and not math.isclose(was, row["value"], rel_tol=1e-9, abs_tol=1e-12):
            month = {"month": _month(new.plan, row["month"])}
            yield _figure("revised", "moved", row["metric"], was, row["value"], row["unit"], "month", month)


def moved(old: State, new: State) -> list[Change]:
    """Return levels and forecasts that moved beyond their noise, and those whose status changed; the largest first."""
    before = {row["metric"]: row for row in old.tables.get(f"{REVIEW}.scorecard", ())}
    found = []
    for row in new.tables.get(f"{REVIEW}.scorecard", ()):
        was = before.get(row["metric"])
        if was is None:
            continue
        status = was["status"], row["status"]
        if beyond_noise(was, row) or status[0] != status[1]:
            note = "status" if status[0] != status[1] else "none"
            told = {"before": f"review.status.{status[0]}", "now": f"review.status.{status[1]}"}
            event = "new" if _number(was["actual"]) is None else "moved"
            found.append(_figure("actual", event, row["metric"], was["actual"], row["actual"], row["unit"], note, told))
        if _share(was["forecast"], row["forecast"]) >= MOVED:
            found.append(_figure("forecast", "moved", row["metric"], was["forecast"], row["forecast"], row["unit"]))
    return sorted(found, key=lambda c: -_share(c.before_value, c.now_value))


def beyond_noise(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a level moved: beyond both intervals together (root of squares), else by `MOVED`.

    >>> beyond_noise({"actual": 0.50, "low": 0.47, "high": 0.53}, {"actual": 0.54, "low": 0.51, "high": 0.57})
    False
    >>> beyond_noise({"actual": 0.50, "low": 0.47, "high": 0.53}, {"actual": 0.55, "low": 0.52, "high": 0.58})
    True
    """
    was, now = _number(old["actual"]), _number(new["actual"])
    if was is None or now is None:
        return was is not now
    ends = [_number(side[name]) for side in (old, new) for name in ("low", "high")]
    if None in ends:
        return _share(was, now) >= MOVED
    rises = now > was
    noise = math.hypot(ends[1] - was, now - ends[2]) if rises else math.hypot(was - ends[0], ends[3] - now)
    return abs(now - was) > noise


def assumptions(old: Mapping[str, Any], new: Mapping[str, Any], files: Sequence[Path]) -> Iterator[Change]:
    """Yield the plan's values that are others now, each with the file that it comes from."""
    before, after = dict(leaves(old)), dict(leaves(new))
    holders = [(path, _held(path)) for path in files if path.is_file()]
    for place in sorted(before.keys() | after.keys()):
        was, now = before.get(place), after.get(place)
        told = place.startswith(_TOLD_ELSEWHERE) or place.rsplit(".", 1)[-1] in ("zh", "en")
        if was == now or told:
            continue
        event = "new" if place not in before else "removed" if place not in after else "changed"
        ways = {place.rsplit(".", n)[0] for n in range(place.count(".") + 1)}
        file = next((path.name for path, held in holders if ways & held), files[0].name if files else "—")
        numbers = {
            name: float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            for name, value in (("before_value", was), ("now_value", now))
        }
        yield Change(
            kind="assumption", event=event, id=place, what=_same(place), before=_same(_typed(was)),
            now=_same(_typed(now)), note=_same(file), unit="number" if None not in numbers.values() else "", **numbers,
        )  # fmt: skip


def leaves(tree: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a plan with its dotted place; rows of lists are named by their id.

    >>> list(leaves({"users": {"rows": [{"id": "a", "level": 2}]}, "n": [1, 2]}))
    [('users.rows.a.id', 'a'), ('users.rows.a.level', 2), ('n', [1, 2])]
    """
    if isinstance(tree, Mapping) and tree:
        for name, value in tree.items():
            yield from leaves(value, f"{place}.{name}" if place else str(name))
    elif isinstance(tree, list) and tree and all(isinstance(row, Mapping) for row in tree):
        for number, row in enumerate(tree):
            yield from leaves(row, f"{place}.{row.get('id', number)}")
    else:
        yield place, tree


def decided(old: State, entries: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """Yield the entries of the decision log that the last review did not know."""
    known = {row["sha256"] for row in old.tables.get(f"{CHANGES}.decisions", ())}
    for entry in entries:
        if entry["sha256"] in known:
            continue
        kind = entry["kind"]
        named = {"decision": "finding", "goal": "target", "level": "place", "registration": "experiment"}
        about = str(entry.get(named.get(kind, ""), kind))
        before, now = entry.get("from"), entry.get("to", entry.get("value", entry.get("choice")))
        why = " · ".join(str(entry[name]) for name in ("date", "owner", "reason") if entry.get(name))
        yield Change(
            kind="decision", event=kind if kind in named else "changed", id=about, what=_same(about),
            before=_same(_typed(before)), now=_same(_typed(now)), note=_same(why or "—"),
        )  # fmt: skip


def alerts(old: State, new: State) -> Iterator[Change]:
    """Yield alerts that are open now and were not, and those that were open and are not.

    One that was raised and closed in between counts as closed, one that was closed and raised anew as both; one that
    the data no longer show is withdrawn.
    """
    before = {_alert(row): row for row in old.tables.get(f"{REVIEW}.alerts", ()) if row["state"] == "open"}
    rows = new.tables.get(f"{REVIEW}.alerts", ())
    now = {_alert(row): row for row in rows if row["state"] == "open"}
    ended = {_alert(row): row for row in rows if row["state"] == "closed" and row["raised"] > old.as_of.isoformat()}
    closed = {_alert(row) for row in rows if row["state"] == "closed"}
    for key, row in now.items():
        if key not in before:
            yield _alert_change("opened", row)
        elif row["raised"] > max(old.as_of.isoformat(), before[key]["raised"]):
            yield from (_alert_change("closed", before[key]), _alert_change("opened", row))
    for key, row in (ended | before).items():
        if key not in now:
            yield _alert_change("closed" if key in closed else "withdrawn", row)


def _alert(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["series"], row["owner_code"], row["direction"]


def _alert_change(event: str, row: Mapping[str, Any]) -> Change:
    owner = "" if row["owner_code"] == "—" else f" {row['owner_code']}"
    what = {loc: words(loc).text(f"review.series.{row['series']}") + owner for loc in LOCALES}
    moves = _said(f"review.direction.{row['direction']}")
    told = {"began": dt.date.fromisoformat(row["began"]), "raised": dt.date.fromisoformat(row["raised"])}
    note = {loc: words(loc).text("rhythm.note.alert", **_dates(words(loc), told)) for loc in LOCALES}
    states = ("—", "rhythm.event.opened") if event == "opened" else ("rhythm.event.opened", f"rhythm.event.{event}")
    before, now = (_EMPTY if key == "—" else _said(key) for key in states)
    what = {loc: f"{what[loc]} {moves[loc]}" for loc in LOCALES}
    name = ".".join(part for part in _alert(row) if part != "—")
    return Change(kind="alert", event=event, id=name, what=what, before=before, now=now, note=note)


def actions(old: State, new: State) -> Iterator[Change]:
    """Yield actions and duties that were done, are new, or became overdue since the last review."""
    before = {row["id"]: row["state"] for row in old.tables.get(f"{REVIEW}.todo", ())}
    for row in new.tables.get(f"{REVIEW}.todo", ()):
        was, state = before.get(row["id"]), row["state"]
        event = "new" if was is None else state if state in ("done", "dropped", "overdue") and state != was else ""
        if not event:
            continue
        note = {}
        for loc in LOCALES:
            w = words(loc)
            effect = [None if _number(row[name]) is None else w.number(row[name], row["unit"], signed=True)
                      for name in ("expected", "observed")]  # fmt: skip
            day = w.date(dt.date.fromisoformat(row["due"]))
            key = "action" if effect == [None, None] else "effect"
            told = {} if key == "action" else {"expected": effect[0] or "—", "observed": effect[1] or "—"}
            note[loc] = w.text(f"rhythm.note.{key}", due=day, owner=row[f"owner_{loc}"], **told)
        state_words = [_EMPTY if name is None else _said(f"review.todo_state.{name}") for name in (was, state)]
        what = {loc: row[f"what_{loc}"] for loc in LOCALES}
        yield Change(kind="action", event=event, id=row["id"], what=what, before=state_words[0], now=state_words[1],
                     note=note)  # fmt: skip


# ---- what is left


def record(folder: Path, plan: Plan, occasion: Occasion, w: Words) -> list[Change]:
    """Leave what changed since the last review in the folder of a run, and return it.

    Args:
        folder: where the run is built, its notebooks done.
        plan: that they ran.
        occasion: the review.
        w: any language; results hold both.

    Raises:
        InputError: results are missing, of this run or the last.
    """
    book = Book(CHANGES, plan, folder, w, plan.seed)
    new = read_state(folder, occasion.slot)
    last = occasion.since and _read_review(occasion.since)
    old = None if last is None else read_state(occasion.since, last)
    found = [] if old is None else changes(old, new, occasion)
    _tables(book, found, occasion, old)
    counts = {
        "numbers": sum(c.kind in ("actual", "forecast") for c in found),
        "revised": sum(c.kind == "revised" for c in found),
        "assumptions": sum(c.kind == "assumption" for c in found),
        "decisions": sum(c.kind == "decision" for c in found),
        "opened": sum(c.event == "opened" for c in found),
        "closed": sum(c.event in ("closed", "withdrawn") for c in found),
        "done": sum(c.kind == "action" and c.event == "done" for c in found),
        "overdue": sum(row["state"] == "overdue" for row in new.tables.get(f"{REVIEW}.todo", ())),
    }
    for name, count in counts.items():
        book.metric(name, count, "count", method="count")
    (_week if occasion.kind.id == "weekly" else _period)(book, new, found, occasion, last)
    book.record()
    return found


def _read_review(run_dir: Path) -> dt.date:
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    return dt.date.fromisoformat(manifest["review"]["slot"])


def _tables(book: Book, found: Sequence[Change], occasion: Occasion, old: State | None) -> None:
    """Keep what changed, the decisions that are known now, and which slots were run or missed."""
    rows = [{name: getattr(change, name) for name in _PLAIN} | _both(change) for change in found]
    _keep(book, "changes", rows, _UNITS, ("id", "before_value", "now_value", "unit"))
    known = [{"sha256": entry["sha256"], "kind": entry["kind"], "date": entry["date"]} for entry in occasion.decisions]
    _keep(book, "decisions", known, dict.fromkeys(("sha256", "kind", "date"), "text"))
    before = [] if old is None else [dict(row) for row in old.tables.get(f"{CHANGES}.slots", ())]
    held = [*before, *({"slot": day.isoformat(), "state": "missed"} for day in occasion.missed)]
    held.append({"slot": occasion.slot.isoformat(), "state": "run"})
    _keep(book, "slots", held, {"slot": "text", "state": "text"})
    due, run = len(held), sum(row["state"] == "run" for row in held)
    book.metric("slots_due", due, "count", method="count")
    book.metric("slots_run", run, "count", method="count")
    book.metric("slots_share", run / due, "ratio", method="share", n=due)


def _both(change: Change) -> Row:
    return {
        f"{name}_{locale}": getattr(change, name)[locale]
        for name in ("what", "before", "now", "note")
        for locale in LOCALES
    }


def _keep(book: Book, name: str, rows: Sequence[Row], units: Mapping[str, str], beside: Sequence[str] = ()) -> None:
    import pandas as pd

    columns = []
    for column, unit in units.items():
        columns += [f"{column}_{locale}" for locale in LOCALES] if unit == "bilingual" else [column]
    frame = pd.DataFrame(list(rows), columns=list(dict.fromkeys([*columns, *beside])))
    numbers = [
        column
        for column in frame.columns
        if column.endswith("_value")
        or (
            units.get(column, "text") not in ("text", "metric", "status")
            and not column.endswith(tuple(f"_{loc}" for loc in LOCALES))
            and not units.get(column, "").startswith("words:")
        )
    ]
    texts = [column for column in frame.columns if column not in numbers]
    frame = frame.astype(dict.fromkeys(numbers, float) | dict.fromkeys(texts, str))
    book.table(name, frame, units=units, heads={})


def _period(book: Book, new: State, found: Sequence[Change], occasion: Occasion, last: dt.date | None) -> None:
    """Record the page that opens a monthly, quarterly or annual deck."""
    table = {"id": "changes", "columns": [_column(name) for name in _COLUMNS]} if found else None
    first = last is None
    kind = {"kind": {"words": f"rhythm.cadence.{occasion.kind.id}"}}
    since = {} if first else {"since": {"date": last.isoformat()}}
    counted = ("numbers", "assumptions", "decisions", "opened", "closed")
    if first:
        title = book.text("rhythm.title.first", **kind)
    elif found:
        title = book.text("rhythm.title.changes", **since, **{name: name for name in counted})
    else:
        title = book.text("rhythm.title.nothing", **since)
    book.page(
        "since_last", layout="table", section="rhythm.section", title=title, table=table,
        subtitle=book.text("rhythm.subtitle.first" if first else "rhythm.subtitle.changes", **kind),
        reading=_reading(book, occasion), source=_source(book, occasion),
    )  # fmt: skip


def _week(book: Book, new: State, found: Sequence[Change], occasion: Occasion, last: dt.date | None) -> None:
    """Record the one page of a week: what changed, alerts, plan against actual, the month's pace, what to do."""
    told = [change for change in found if change.kind not in ("alert", "action")]
    rows = [{name: getattr(change, name) for name in _PLAIN} | _both(change) for change in told]
    _keep(book, "week_changes", rows[: _FEW["changes"]], _UNITS, ("id", "before_value", "now_value", "unit"))
    score = [row for row in new.tables.get(f"{REVIEW}.scorecard", ()) if row["status"] != "not_measured"]
    score.sort(key=lambda row: _WORST.index(row["status"]))
    units = {"metric": "metric", "plan": "@unit", "actual": "@unit", "status": "status"}
    _keep(book, "week_scorecard", score[: _FEW["scorecard"]], units, ("unit",))
    units = {"metric": "metric", "due": "@unit", "actual": "@unit", "projected": "@unit"}
    _keep(book, "week_pace", list(new.tables.get(f"{REVIEW}.pace", ())), units, ("unit",))
    units = {
        "series": "words:review.series", "owner_code": "text", "direction": "words:review.direction",
        "raised": "text", "event": "words:rhythm.event",
    }  # fmt: skip
    _keep(book, "week_alerts", _alert_rows(new, found)[: _FEW["alerts"]], units)
    units = {"what": "bilingual", "due": "text", "state": "words:review.todo_state", "expected": "@unit",
             "observed": "@unit"}  # fmt: skip
    todo = [row for row in new.tables.get(f"{REVIEW}.todo", ()) if row["state"] != "dropped"]
    recent = {change.id for change in found if change.kind == "action" and change.event == "done"}
    todo.sort(key=lambda row: (row["state"] == "done" and row["id"] not in recent, row["state"] != "overdue"))
    _keep(book, "week_todo", todo[: _FEW["todo"]], units, ("unit",))
    score_rows = new.tables.get(f"{REVIEW}.scorecard", ())
    book.metric("far", sum(row["status"] == "off_track" for row in score_rows), "count", method="count")
    book.metric("metrics", len(score_rows), "count", method="count")
    since = {} if last is None else {"since": {"date": last.isoformat()}}
    title = "week_first" if last is None else "week"
    values = {"far": "far", "n": "metrics", "overdue": "overdue"} | (
        {} if last is None else {"opened": "opened", "closed": "closed"}
    )
    heads = {
        "changes": ("left", ("kind", "what", "before", "now"), "changes" if since else "changes_first", since),
        "alerts": ("left", ("series", "owner_code", "direction", "raised", "event"), "alerts", {}),
        "scorecard": ("right", ("metric", "plan", "actual", "status"), "scorecard", {}),
        "pace": ("left", ("metric", "due", "actual", "projected"), "pace", {}),
        "todo": ("right", ("what", "due", "state", "expected", "observed"), "todo", {}),
    }
    none = {"changes": "none_first" if last is None else "none"}
    book.page(
        "week", layout="board", section="rhythm.section", title=book.text(f"rhythm.title.{title}", **values),
        subtitle=book.text("rhythm.subtitle.week", due="slots_due", run="slots_run", **_data(occasion)), reading=None,
        source=_source(book, occasion),
        tables=[
            {
                "id": f"week_{name}", "side": side, "columns": [_column(column) for column in columns],
                "heading": book.text(f"rhythm.heading.{key}", **values),
                "none": book.text(f"rhythm.none.{none.get(name, name)}"),
            }
            for name, (side, columns, key, values) in heads.items()
        ],
    )  # fmt: skip


def _alert_rows(new: State, found: Sequence[Change]) -> list[Row]:
    """Return alerts opened, then closed since the last review, then those that stay open."""
    events = {change.id: change.event for change in found if change.kind == "alert"}
    order = ("opened", "closed", "withdrawn", "stays")
    rows, seen = [], set()
    for row in new.tables.get(f"{REVIEW}.alerts", ()):
        name = ".".join(part for part in _alert(row) if part != "—")
        event = events.get(name, "stays" if row["state"] == "open" else "")
        if event and name not in seen:
            seen.add(name)
            rows.append(dict(row) | {"event": event})
    return sorted(rows, key=lambda row: order.index(row["event"]))


def _column(name: str) -> Row:
    wide = {"what": 2.0, "note": 1.6, "series": 1.4}
    return {"name": name, "head": f"rhythm.head.{name}", "strong": name == "now", "weight": wide.get(name, 1.0)}


def _reading(book: Book, occasion: Occasion) -> dict[str, Any]:
    key = "rhythm.reading.missed" if occasion.missed else "rhythm.reading.held"
    return book.text(key, due="slots_due", run="slots_run")


def _source(book: Book, occasion: Occasion) -> dict[str, Any]:
    kind = "sample" if book.on_sample else "own" if book.has_data else "plan"
    return book.text(f"review.source_{kind}")


def _data(occasion: Occasion) -> dict[str, Any]:
    return {"slot": {"date": occasion.slot.isoformat()}}


# ---- words of a change


def _figure(
    kind: str, event: str, metric: str, was: object, now: object, unit: str, note: str = "none",
    told: Mapping[str, Any] | None = None,
) -> Change:  # fmt: skip
    old, new = _number(was), _number(now)
    sides = {loc: _told_apart(words(loc), old, new, unit) for loc in LOCALES}
    shown = [{loc: sides[loc][side] for loc in LOCALES} for side in (0, 1)]
    notes = _EMPTY
    if note == "status":
        notes = {
            loc: words(loc).text("rhythm.note.status", **{k: words(loc).text(v) for k, v in (told or {}).items()})
            for loc in LOCALES
        }
    elif note == "month":
        notes = {loc: words(loc).text("rhythm.note.month", month=words(loc).month(told["month"])) for loc in LOCALES}
    name = catalogue()[metric].id if metric in catalogue() else metric
    return Change(
        kind=kind, event=event, id=name, what={loc: words(loc).metric(name) for loc in LOCALES}, before=shown[0],
        now=shown[1], note=notes, before_value=old, now_value=new, unit=unit,
    )  # fmt: skip


def _told_apart(w: Words, was: float | None, now: float | None, unit: str) -> tuple[str, str]:
    """Return two figures with as many places as it takes to tell them apart."""
    for places in (None, 1, 2, 3):
        shown = tuple("—" if value is None else w.number(value, unit, decimals=places) for value in (was, now))
        if was == now or shown[0] != shown[1]:
            break
    return shown[0], shown[1]


def _said(key: str) -> Text:
    return {loc: words(loc).text(key) for loc in LOCALES}


def _same(text: str) -> Text:
    return dict.fromkeys(LOCALES, text)


def _typed(value: object) -> str:
    """Return a value as a plan file writes it."""
    return "—" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: object) -> float | None:
    if value is None or isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)


def _share(was: object, now: object) -> float:
    """Return how far a figure moved, as a share of the larger side; 1 where one side is missing, 0 where both are."""
    old, new = _number(was), _number(now)
    if old is None or new is None:
        return float(old is not new)
    size = max(abs(old), abs(new))
    return abs(new - old) / size if size else 0.0


def _month(plan: Mapping[str, Any], month: float) -> dt.date:
    year, first = (int(part) for part in plan["plan"]["start"].split("-"))
    index = year * 12 + first - 1 + round(month) - 1
    return dt.date(index // 12, index % 12 + 1, 1)


def _dates(w: Words, told: Mapping[str, dt.date]) -> dict[str, str]:
    return {name: w.date(day) for name, day in told.items()}


def _held(path: Path) -> frozenset[str]:
    """Return the places that a plan file states."""
    from planlib.plan.tree import read

    return frozenset(place for place, _ in leaves(read(path, path.as_posix()).plain()))


def review_sha256(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the hash of the decisions that a review knows."""
    return hashlib.sha256(json.dumps([entry["sha256"] for entry in entries]).encode()).hexdigest()
