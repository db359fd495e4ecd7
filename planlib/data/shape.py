"""From declarations to SQL: the columns DuckDB reads from JSON, and the SELECT that makes tidy rows of them.

Staged JSON has one record a line: a whole payload with `_file` (number of its file) and `_with` (what the request
said), or, of a payload too long for that, one element of its list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planlib.data.engine import literal
from planlib.data.fields import bad, typed
from planlib.data.schema import TABLES
from planlib.data.sources.base import Field, Out, Source

FILE, WITH = "_file", "_with"
LINES = "newline_delimited"  # as DuckDB calls it
CSV = "csv"  # every cell in quotes, "" for none, the columns named in a header
LINE = 4 * 2**20  # bytes of the longest line that is read at once; buffers of this size take time to make
MAX_LINE = 64 * 2**20
Tree = dict[str, "Tree | None"]


@dataclass(frozen=True, slots=True)
class Staged:
    """Where staged records lie and how they are cut.

    Args:
        path: the staged file.
        form: newline_delimited or array, as DuckDB calls them, or csv.
        longest: bytes that a line may have.
        inside: "" when a line is a whole payload; else the list whose elements are the lines.
        file_no: number of the raw file when all lines come from one; None when each line says its own.
        context: what is known of the payload when all lines come from one: parts of the request by name, values
            outside the list by `/path`.
        cells: columns of a csv, in their order.
        has_breaks: some cells of a csv have more than one line.
    """

    path: str
    form: str = LINES
    longest: int = LINE
    inside: str = ""
    file_no: int | None = None
    context: Mapping[str, str] | None = None
    cells: tuple[str, ...] = ()
    has_breaks: bool = False


def context_names(source: Source) -> list[str]:
    """Return the parts of a request that the source's columns want.

    >>> from planlib.data.sources import SOURCES
    >>> context_names(SOURCES["wecom_send_results"])
    ['msgid']
    """
    fields = (f for o in source.outs for f in [*o.fields.values(), *o.helps.values()])
    return sorted({f.path[1:] for f in fields if f.path.startswith("@")})


def json_columns(source: Source, inside: str = "") -> dict[str, str]:
    """Return the columns that DuckDB is to read, name -> type; every value arrives as its text."""
    tree: Tree = {}
    for each in source.outs:
        for path in [each.each, *(f.path for f in [*each.fields.values(), *each.helps.values()])]:
            if path and not path.startswith("@"):
                _plant(tree, path)
    for step in _steps(inside):
        tree = tree[step] or {}
    return {name: _type(name, below) for name, below in _open(tree).items()}


def rows_sql(source: Source, each: Out, staged: Staged) -> str:
    """Return the SELECT of one Out: its columns, `file_no`, and `_bad`, the first column with a refused value.

    `_raw` holds that value's text.
    """
    table = TABLES[each.table]
    fields = {**each.fields, **each.helps}
    raws = {column: _raw(f, each, staged) for column, f in fields.items()}
    number = str(staged.file_no) if staged.file_no is not None else f'"{FILE}"'
    read = ", ".join([f"{number} AS file_no", *(f'{raw} AS "r_{c}"' for c, raw in raws.items())])
    read = f"DISTINCT {read}" if each.distinct else read
    kinds = ", ".join(f'{_value(f, _q(f"r_{c}"))} AS "{c}"' for c, f in fields.items())
    refusals = [(c, sql) for c, f in fields.items() if (sql := bad(f.kind, f'"r_{c}"', f'"{c}"'))]
    stored = [c.name for c in table.columns if c.name in {*each.fields, *each.computed}]
    made = ", ".join(f'{each.computed.get(c, _q(c))} AS "{c}"' for c in stored)
    needed = [c.name for c in table.columns if not c.nullable and c.name in stored]
    flag = "CASE " + " ".join(f"WHEN {sql} THEN {literal(c)}" for c, sql in refusals) + " END" if refusals else "NULL"
    given = " ".join(f'WHEN {literal(c)} THEN "r_{c}"' for c, _ in refusals)
    raw = f"CASE _bad {given} END" if refusals else "NULL"
    lacking = "CASE " + " ".join(f'WHEN "{c}" IS NULL THEN {literal("!" + c)}' for c in needed) + " END"
    where = f" WHERE _bad IS NOT NULL OR ({each.where})" if each.where else ""
    return (
        f"SELECT file_no, {identifiers(stored)}, COALESCE(_bad, {lacking}) AS _bad, _raw FROM ("
        f"SELECT file_no, {made}, _bad, {raw} AS _raw FROM ("
        f"SELECT *, {flag} AS _bad FROM (SELECT *, {kinds} FROM (SELECT {read} FROM {_from(source, each, staged)})))"
        f"{where})"
    )


def identifiers(names: list[str]) -> str:
    """Return names quoted, commas between."""
    return ", ".join(map(_q, names))


def _q(name: str) -> str:
    return f'"{name}"'


def _value(f: Field, raw: str) -> str:
    sql = typed(f.kind, raw)
    return sql if f.default is None else f"COALESCE({sql}, {f.default})"


def _from(source: Source, each: Out, staged: Staged) -> str:
    columns = json_columns(source, staged.inside)
    if staged.form == CSV:
        return _from_csv(columns, staged)
    if staged.file_no is None:
        wanted = ", ".join(f'"{name}" VARCHAR' for name in context_names(source)) or '"none" VARCHAR'
        columns = {FILE: "BIGINT", WITH: f"STRUCT({wanted})", **columns}
    listed = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    table = (
        f"read_json({literal(staged.path)}, format='{staged.form}', maximum_object_size={staged.longest}, "
        f"columns={{{listed}}})"
    )
    for depth, (path, _) in enumerate(_levels(each.each, staged.inside)):
        table = f"(SELECT *, UNNEST({path}) AS _e{depth} FROM {table})"
    return table


def _from_csv(columns: Mapping[str, str], staged: Staged) -> str:
    listed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in staged.cells)
    lacking = "".join(f', CAST(NULL AS VARCHAR) AS "{name}"' for name in columns if name not in staged.cells)
    # read in parallel, a part could begin inside a cell of two lines
    return (
        f"(SELECT *{lacking} FROM read_csv({literal(staged.path)}, auto_detect=false, header=false, delim=',', "
        f"quote='\"', escape='\"', nullstr='', max_line_size={staged.longest}, "
        f"parallel={str(not staged.has_breaks).lower()}, columns={{{listed}}}))"
    )


def _levels(each: str, inside: str) -> Iterator[tuple[str, str]]:
    """Yield (SQL of the list, path of its elements) of every list to step into, outermost first."""
    done = inside
    rest = each[len(inside) :].lstrip(".") if inside else each
    for depth, part in enumerate(part.strip(".") for part in rest.split("[]")[:-1]):
        done = f"{done}.{part}[]" if done else f"{part}[]"
        yield _at(part, depth - 1), done


def _raw(f: Field, each: Out, staged: Staged) -> str:
    if f.path.startswith("@"):
        name = f.path[1:]
        if staged.file_no is None:
            return f'"{WITH}"[{literal(name)}]'
        return _constant(staged, name)
    levels = [(staged.inside, -1)] if staged.inside else [("", -1)]
    levels += [(path, depth) for depth, (_, path) in enumerate(_levels(each.each, staged.inside))]
    for path, depth in reversed(levels):
        if f.path == path:
            return f"_e{depth}"
        if not path or f.path.startswith(f"{path}."):
            return _at(f.path[len(path) :].lstrip("."), depth)
    return _constant(staged, f"/{f.path}")  # outside the list whose elements are staged


def _constant(staged: Staged, name: str) -> str:
    value = (staged.context or {}).get(name)
    return "CAST(NULL AS VARCHAR)" if value is None else literal(value)


def _at(path: str, depth: int) -> str:
    """Return the SQL of a path without lists, below element `depth` or the line itself."""
    parts = path.split(".")
    head = f'"{parts[0]}"' if depth < 0 else f"_e{depth}[{literal(parts[0])}]"
    return head + "".join(f"[{literal(part)}]" for part in parts[1:])


def _steps(path: str) -> list[str]:
    return [step for part in path.split(".") if part for step in _step(part)]


def _step(part: str) -> list[str]:
    return [part.removesuffix("[]"), "[]"] if part.endswith("[]") else [part]


def _plant(tree: Tree, path: str) -> None:
    steps = _steps(path)
    for step in steps[:-1]:
        if tree.get(step) is None:
            tree[step] = {}
        tree = tree[step]
    tree.setdefault(steps[-1], None)


def _open(tree: Tree) -> Tree:
    return tree.get("[]") or {} if set(tree) == {"[]"} else tree


def _type(name: str, below: Tree | None) -> str:
    if not below:
        return "VARCHAR"
    if "[]" in below:
        return f"{_type(name, below['[]'])}[]"
    return "STRUCT(" + ", ".join(f'"{n}" {_type(n, b)}' for n, b in below.items()) + ")"
