"""How a source is declared: what its payloads look like, and which columns come from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Field:
    """Where the value of a column stands and of what kind it is.

    Args:
        path: from the payload's root, `order.pay_info.pay_time`; `[]` steps into a list. `@name` is a part of the
            request, of the file's name or of what else is known about the payload (`@pulled`: day of the pull).
        kind: a kind of planlib.data.fields.
        default: SQL of the value where there is none.
    """

    path: str
    kind: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Out:
    """The rows that one payload gives one table.

    Args:
        table: name of the tidy table.
        each: path of the list whose elements are the rows, `list[].details[]`; "" for one row a payload.
        fields: column -> where its value stands.
        computed: column -> SQL over the fields.
        helps: fields that `computed` and `where` need and no column keeps.
        where: SQL over the fields; other rows are left out.
        distinct: raw values that come again make no further row.
    """

    table: str
    each: str
    fields: Mapping[str, Field]
    computed: Mapping[str, str] = field(default_factory=dict)
    helps: Mapping[str, Field] = field(default_factory=dict)
    where: str = ""
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of payload or sheet.

    Args:
        name: id, also the value of the column `source`.
        list_path: the list (or, without `[]`, the object) that tells the payload; "" for the root itself, several
            with a bar between where one may be empty.
        keys: keys that its first element must have.
        lacks: keys that it must not have.
        outs: the tables it fills.
        whole: a column; one file holds everything of its period, its headers and the column's values, so that a
            later file of the same replaces it. "" where files only add rows.
        unique: two different rows of one key in a file are an error.
        needs: parts of the request that must be guessed where nobody says them.
        sheet: filled from sheets (csv, xlsx) through the header aliases.
    """

    name: str
    list_path: str
    keys: frozenset[str]
    outs: tuple[Out, ...]
    lacks: frozenset[str] = frozenset()
    whole: str = ""
    unique: bool = False
    needs: tuple[str, ...] = ()
    sheet: bool = False


def parse(spec: str) -> Field:
    """Read the short form `path kind [default]`.

    >>> parse("items[].owner id 'ALL'")
    Field(path='items[].owner', kind='id', default="'ALL'")
    """
    path, kind, *default = spec.split(" ", 2)
    return Field(path, kind, default[0] if default else None)


def out(table: str, each: str, columns: Mapping[str, str], *, helps: Mapping[str, str] | None = None, **rest) -> Out:
    """Declare an Out; columns and helps as `path kind [default]`, paths inside `each` begin with a dot."""
    return Out(table, each, _fields(each, columns), helps=_fields(each, helps or {}), **rest)


def _fields(each: str, columns: Mapping[str, str]) -> dict[str, Field]:
    return {column: parse(each + spec if spec.startswith(".") else spec) for column, spec in columns.items()}


def source(name: str, list_path: str, keys: str, *outs: Out, lacks: str = "", **rest) -> Source:
    """Declare a Source; keys as one text, blanks between."""
    return Source(name, list_path, frozenset(keys.split()), outs, frozenset(lacks.split()), **rest)
