"""Rows of the plan as rows of a sheet: which cells say which field, how they are shown, and what typing there changes.

Most sheets are lists of things (channels, tasks, risks ...). Each says by `Part`s which columns it has; what is done
with a cell that was typed, with a row that was added and with one that was deleted is the same for all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from planlib.core.errors import Problem
from planlib.core.metrics import catalogue
from planlib.core.words import Words
from planlib.exchange.sheets import ID, WHY, Column, Edited, Row
from planlib.plan.load import Change, Plan
from planlib.plan.model import Bilingual, Quantity

_FORMS = ("value", "dist", "low", "mode", "high", "mean", "sd")
_PAIR = re.compile(r"([a-z][a-z0-9_-]{0,79})\s*[:=]?\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(%?)")
_MEANS = ("normal", "lognormal", "beta")  # told by mean and spread
DROPPED = {"drop": True}  # in place of a row or a quantity, it takes it away
Shown = tuple[dict[str, object], set[str]]


@dataclass(frozen=True, slots=True)
class Put:
    """What typing in column `key` puts at a place (dotted) inside a row of the plan."""

    path: str
    value: object
    key: str


class Part(Protocol):
    """Some columns of a sheet and the field of the plan that they say."""

    def show(self, item: Any, w: Words) -> Shown:
        """Return what the cells of a row say, and which of them are not for typing there."""

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        """Yield what the typed cells of a row put; `item` is None in a row that was added."""


def _inside(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = None if item is None else getattr(item, name)
    return item


@dataclass(frozen=True, slots=True)
class Plain:
    """One cell, one field: a number, a text, a date, or one of some choices."""

    key: str
    path: str
    needed: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        return {self.key: _inside(item, self.path)}, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        if self.key in row.changed or (item is None and self.needed):
            value = row.values.get(self.key)
            yield row.problem("missing", self.key) if value is None and self.needed else Put(self.path, value, self.key)


@dataclass(frozen=True, slots=True)
class YesNo:
    """Whether something is so."""

    key: str
    path: str
    needed: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        return {self.key: "yes" if _inside(item, self.path) else "no"}, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        for found in Plain(self.key, self.path, self.needed or item is not None).put(row, item):
            yield found if isinstance(found, Problem) else Put(self.path, found.value == "yes", self.key)


@dataclass(frozen=True, slots=True)
class Said:
    """A text for the reader; the words of the other language stay, and in a new row are the same."""

    key: str
    path: str
    needed: bool = False
    one: bool = False  # the field may hold a text without a language

    def show(self, item: Any, w: Words) -> Shown:
        return {self.key: said(_inside(item, self.path), w)}, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        old = _inside(item, self.path)
        for found in Plain(self.key, self.path, self.needed).put(row, item):
            if isinstance(found, Problem) or found.value is None:
                yield found
            elif isinstance(old, Bilingual):
                yield Put(f"{self.path}.{row.locale}", found.value, self.key)
            else:
                yield Put(self.path, found.value if self.one else both(found.value), self.key)


def both(text: object) -> dict[str, object]:
    """Return a text that was typed in one language as the plan's text in both."""
    return {"zh": text, "en": text}


def said(text: Any, w: Words) -> str | None:
    """Return a text of the plan in one language."""
    return w.pick(text.model_dump()) if isinstance(text, Bilingual) else text


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells, a lowest and a highest number; with `single` the plan may hold one number for both."""

    low: str
    high: str
    path: str
    needed: bool = False
    single: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        found = _inside(item, self.path)
        ends = found if isinstance(found, tuple) else (found, found)
        return dict(zip((self.low, self.high), ends, strict=True)), set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        typed = next((key for key in (self.low, self.high) if key in row.changed), None)
        if typed is None and not (item is None and self.needed):
            return
        low, high = (row.values.get(key) for key in (self.low, self.high))
        if low is None and high is None and not self.needed:
            yield Put(self.path, None, typed)
        elif low is None or high is None:
            yield row.problem("missing", self.low if low is None else self.high)
        elif low > high:
            yield row.problem("low_above_high", typed, f"{low:.12g} > {high:.12g}")
        else:
            yield Put(self.path, low if self.single and low == high else [low, high], typed)


@dataclass(frozen=True, slots=True)
class Three:
    """A quantity in three cells: one number, a range, or lowest, likely and highest."""

    low: str
    likely: str
    high: str
    path: str
    needed: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        found = _inside(item, self.path)
        ends = (None, None) if found is None or found.span is None else found.span
        likely = None if found is None else found.mode if found.mode is not None else found.mean
        if found is not None and not isinstance(found.value, tuple | None):
            likely = found.value
        locked = {self.low, self.high} if found is not None and found.dist in _MEANS else set()
        return {self.low: ends[0], self.likely: likely, self.high: ends[1]}, locked

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        keys = (self.low, self.likely, self.high)
        changed = [key for key in keys if key in row.changed]
        if not changed:
            return
        low, likely, high = numbers = [row.values.get(key) for key in keys]
        given = [number for number in numbers if number is not None]
        old = _inside(item, self.path)
        if not given and self.needed:
            yield row.problem("missing", self.likely)
        elif not given:
            yield Put(self.path, DROPPED, changed[0])
        elif (low is None) != (high is None):
            yield row.problem("cell_three", self.low if low is None else self.high)
        elif given != sorted(given):
            yield row.problem("low_above_high", changed[0], " / ".join(f"{number:.12g}" for number in given))
        elif old is not None and old.dist in _MEANS:
            yield Put(f"{self.path}.mean", likely, changed[0])
        elif low is None and old is not None and not isinstance(old.value, tuple | None):
            yield Put(self.path, likely, changed[0])
        else:
            yield Put(self.path, _stated(old, low, likely, high, row, changed[0]), changed[0])


def _stated(old: Quantity | None, low: Any, likely: Any, high: Any, row: Edited, key: str) -> dict[str, object]:
    """Return a quantity as the plan states it, in the form that its numbers have."""
    if low is None:
        form: dict[str, object] = {"value": likely}
    elif likely is None:
        uniform = old is not None and old.dist == "uniform"
        form = {"dist": "uniform", "low": low, "high": high} if uniform else {"value": [low, high]}
    else:
        dist = "triangular" if old is not None and old.dist == "triangular" else "pert"
        form = {"dist": dist, "low": low, "mode": likely, "high": high}
    about = {} if old is None else old.model_dump(mode="json", exclude_defaults=True, exclude=set(_FORMS))
    about |= {"kind": "assumed"} if "kind" in about else {}
    return about | form | {"source": "assumption", "why": row.reason(row.cells[key])}


def is_single(quantity: Quantity | None) -> bool:
    """Whether a quantity is one number, so that one cell can say it."""
    return quantity is None or isinstance(quantity.value, int | float)


@dataclass(frozen=True, slots=True)
class One:
    """A quantity in one cell; where it is a range or a distribution, the sheet of the assumptions has its cells."""

    key: str
    path: str
    needed: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        found = _inside(item, self.path)
        return {self.key: None if found is None else found.central}, set() if is_single(found) else {self.key}

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        old = _inside(item, self.path)
        for found in Plain(self.key, self.path, self.needed).put(row, item):
            if isinstance(found, Problem) or (found.value is not None and old is not None):
                yield found
            elif found.value is None:
                yield Put(self.path, DROPPED, self.key)
            else:
                yield Put(self.path, _stated(None, None, found.value, None, row, self.key), self.key)


@dataclass(frozen=True, slots=True)
class Group:
    """A field with fields of its own, that may be absent altogether."""

    path: str
    parts: tuple[Plain | Pair, ...]
    sourced: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        inner = _inside(item, self.path)
        values: dict[str, object] = {}
        for part in self.parts:
            values |= part.show(inner, w)[0]
        return values, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        keys = [key for part in self.parts for key in part.show(None, None)[0]]
        changed = [key for key in keys if key in row.changed]
        if not changed:
            return
        inner = _inside(item, self.path)
        if all(row.values.get(key) is None for key in keys):
            yield Put(self.path, None, changed[0])
            return
        found = [one for part in self.parts for one in part.put(row, inner)]
        problems = [one for one in found if isinstance(one, Problem)]
        if problems:
            yield from problems
        elif inner is not None:
            yield from (Put(f"{self.path}.{one.path}", one.value, one.key) for one in found)
        else:
            why = {"source": "assumption", "why": row.reason(row.cells[changed[0]])} if self.sourced else {}
            told = {one.path: one.value for one in found if one.value is not None}
            yield Put(self.path, told | why, changed[0])


@dataclass(frozen=True, slots=True)
class Listed:
    """Names with numbers in one cell: `control 50%, coupon 50%`.

    Args:
        key, path: column and field.
        names: of the two fields of each row, where the plan keeps a list of rows; else it keeps a mapping.
        percent: whether the numbers are shown as per cent.
    """

    key: str
    path: str
    needed: bool = False
    names: tuple[str, str] | None = None
    percent: bool = False

    def show(self, item: Any, w: Words) -> Shown:
        found = _inside(item, self.path) or {}
        pairs = found.items() if isinstance(found, Mapping) else [[getattr(x, n) for n in self.names] for x in found]
        scale, mark = (100, "%") if self.percent else (1, "")
        return {self.key: ", ".join(f"{name} {number * scale:.12g}{mark}" for name, number in pairs) or None}, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        for found in Plain(self.key, self.path, self.needed).put(row, item):
            if isinstance(found, Problem):
                yield found
                continue
            pairs: dict[str, float] = {}
            for text in filter(None, re.split("[,;、]", unicodedata.normalize("NFKC", found.value or ""))):
                pair = _PAIR.fullmatch(text.strip())
                if pair is None or pair[1] in pairs:
                    yield row.problem("cell_pairs", self.key, text.strip())
                    return
                pairs[pair[1]] = float(f"{float(pair[2]) / (100 if pair[3] else 1):.12g}")
            rows = [dict(zip(self.names, pair, strict=True)) for pair in pairs.items()] if self.names else pairs
            yield Put(self.path, rows, self.key)


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that passes a level: what tells that a risk has come."""

    metric: str
    side: str
    level: str
    path: str

    def show(self, item: Any, w: Words) -> Shown:
        found = _inside(item, self.path)
        side = None if found is None else "above" if found.above is not None else "below"
        level = None if side is None else getattr(found, side)
        return {self.metric: found and found.metric, self.side: side, self.level: level}, set()

    def put(self, row: Edited, item: Any) -> Iterator[Put | Problem]:
        keys = (self.metric, self.side, self.level)
        changed = [key for key in keys if key in row.changed]
        if not changed:
            return
        metric, side, level = told = [row.values.get(key) for key in keys]
        missing = [key for key, value in zip(keys, told, strict=True) if value is None]
        if len(missing) == len(keys):
            yield Put(self.path, None, changed[0])
        elif missing:
            yield from (row.problem("missing", key) for key in missing)
        else:
            yield Put(self.path, {"metric": metric, side: level}, changed[0])


def shown(item: Any, parts: Iterable[Part], w: Words) -> Shown:
    """Return what all cells of a row say, and which of them are not for typing."""
    values: dict[str, object] = {}
    locked: set[str] = set()
    for part in parts:
        of, shut = part.show(item, w)
        values |= of
        locked |= shut
    return values, locked


def about(item: Any, w: Words) -> dict[str, object]:
    """Return what the columns `source` and `note` say of a row of the plan."""
    source = getattr(item, "source", None)
    remark = getattr(item, "why", None) if source == "assumption" else getattr(item, "note", None)
    return {"source": w.text("exchange.assumption") if source == "assumption" else source, "note": said(remark, w)}


def row_of(row_id: str, item: Any, parts: Iterable[Part], w: Words, **more: object) -> Row:
    """Return the row of an item of the plan."""
    values, locked = shown(item, parts, w)
    unit = str(more.pop("unit", ""))
    is_assumed = getattr(item, "source", None) == "assumption"
    return Row(row_id, values | about(item, w) | more, unit, frozenset(locked), assumed=is_assumed)


def typed(
    prefix: str, rows: Iterable[Edited], items: Mapping[str, Any], parts: Sequence[Part], *, sourced: bool
) -> Iterator[Change | Problem]:
    """Yield what typed cells, added rows and deleted rows of a sheet change.

    Args:
        prefix: where the rows stand in the plan.
        rows: those that were edited.
        items: {id: row of the plan}.
        parts: of the sheet.
        sourced: whether a row says where it comes from.
    """
    for row in rows:
        place = f"{prefix}.{row.id}"
        if row.is_gone:
            yield removal(prefix, row)
            continue
        if row.is_new:
            yield addition(prefix, row, sourced=sourced)
        for part in parts:
            for found in part.put(row, items.get(row.id)):
                if isinstance(found, Problem):
                    yield found
                elif found.value is not None or not row.is_new:
                    yield row.change(f"{place}.{found.path}", found.value, found.key)


def addition(prefix: str, row: Edited, *, sourced: bool) -> Change:
    """Return the change that adds a row to the plan, as yet with nothing in it."""
    start: dict[str, object] = {} if prefix == "team.roles" else {"id": row.id}
    start |= {"source": "assumption", "why": row.reason(row.cells[ID])} if sourced else {}
    return row.change(f"{prefix}.{row.id}", start, ID)


def removal(prefix: str, row: Edited) -> Change:
    """Return the change that takes a row out of the plan."""
    return row.change(f"{prefix}.{row.id}", {"id": row.id} | DROPPED, ID)


def why_column() -> Column:
    """Return the column of the reasons."""
    return Column(WHY, "text", True)


def choice(key: str, choices: Mapping[str, str], *, head: str = "") -> Column:
    """Return a column whose cells take one of some choices; of none, it takes a text."""
    return Column(key, "choice", True, choices, head) if choices else Column(key, "text", True, head=head)


def yes_no(key: str, w: Words) -> Column:
    """Return a column that says yes or no."""
    return choice(key, {answer: w.text(f"exchange.{answer}_word") for answer in ("yes", "no")})


def metric_choices(w: Words) -> dict[str, str]:
    """Return every metric of the catalogue with its name."""
    return {metric: w.metric(metric) for metric in catalogue()}


def owners(plan: Plan, w: Words) -> dict[str, str]:
    """Return who can answer for something: departments and roles, by name; two of one name also by id."""
    named = {key: w.pick(role.name.model_dump()) for key, role in plan.team.roles.items()}
    named |= {row.id: w.pick(row.name.model_dump()) for row in plan.team.departments}
    return unlike(named)


def unlike(named: Mapping[str, str]) -> dict[str, str]:
    """Return names that are all different: those that two things share are followed by the id.

    >>> unlike({"a": "Sales", "b": "Sales", "c": "IT"})
    {'a': 'Sales (a)', 'b': 'Sales (b)', 'c': 'IT'}
    """
    names = list(named.values())
    return {key: f"{name} ({key})" if names.count(name) > 1 else name for key, name in named.items()}
