"""People in arms, in a table of any size, to the sums that a read-out needs: one SQL text a question.

Sums are of whole numbers, or of decimals with so many places that nothing is lost beside the spread: both add up
exactly on any number of threads. What fits neither is added up on one thread, so that it repeats as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.core.aggregates import Aggregates, Families
from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard
from planlib.data.engine import Engine, connect, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READERS = {".csv": "read_csv", ".gz": "read_csv", ".tsv": "read_csv", ".parquet": "read_parquet"}
TABLE = "readout_people"  # what the texts call the table, one row a person
SAMPLE = 10_000  # rows that say where a column lies
_WHOLE = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN)$")
_REAL = re.compile(r"(FLOAT|DOUBLE|DECIMAL)")


MOST_DECIMALS = 12
FEWEST_DECIMALS = 4
DIGITS_OF_GRID = 7  # digits and decimals together of a value on a grid, so that a hundred times as much has 32 bits
DIGITS_OF_SMALL = 2  # of a whole number, so that products of values a hundred times as large have 32 bits
LARGEST = 2**31 - 1  # of 32 bits
ON_GRID = 1e-4  # of a step, by which a value on a grid may miss it for want of binary digits
DIGITS_OF_SQUARES = 13  # digits and decimals together whose squares add up, over 10^8 rows, within 38 digits


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column lies, as its first rows tell.

    Attributes:
        shift: what is taken off each value.
        decimals: that are kept of it; None to add up floating-point numbers.
        grid: decimals with which the first rows are whole numbers of 32 bits, room for a hundred times as much left;
            None when they are not.
        binary: nothing but 0 to 1 was seen.
        small: on the grid, products of such values have 32 bits, room for a hundred times as much left.
        bits: whole numbers that are known to be all 0 or 1: their squares need no adding up.
        most: highest absolute value in steps of the grid, where DuckDB knows it and knows that no value is missing;
            such a column is added up as it is, and shifted afterwards.
    """

    shift: float
    decimals: int | None
    grid: int | None = None
    binary: bool = False
    small: bool = False
    bits: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Rows against people: rows, people, people with several rows in one arm, people in several arms."""

    rows: int
    people: int
    double_rows: int
    in_two_arms: int


class People:
    """One table with a row for each person.

    Args:
        db: a connection that has a table or view `readout_people`.
        name: how messages call it.
        folder: a folder to delete at the end.
    """

    def __init__(self, db: DuckDBPyConnection, name: str, folder: TemporaryDirectory | None = None):
        self._db = db
        self._folder = folder
        named = "SELECT COUNT(*) FROM duckdb_views() WHERE view_name = ?"
        self._kind = "VIEW" if db.execute(named, [TABLE]).fetchone()[0] else "TABLE"
        self._left_out = 0
        self.name = name
        described = db.execute(f"DESCRIBE {TABLE}").fetchall()
        self.types = {row[0]: str(row[1]) for row in described}

    @classmethod
    def of_file(cls, path: str | Path, *, threads: int | None = None) -> People:
        """Open a Parquet file, or a CSV (also packed with gzip), which is read once into a temporary file.

        Raises:
            InputError: no such file, another kind of file, or one that cannot be read.
        """
        import duckdb

        file = Path(path)
        guard = Guard()
        reader = READERS.get(file.suffix.lower())
        if reader is None:
            guard.add("choice", str(path), file.suffix, choice=", ".join(READERS))
        elif not file.is_file():
            guard.add("no_file", str(path))
        guard.done()
        db, folder = connect(threads=threads), None
        db.execute("SET parquet_metadata_cache = true")  # three texts read the same file
        try:
            if reader == "read_csv":  # read once, then by column; casts in a text would reach into the CSV reader
                folder = TemporaryDirectory(prefix="planlib_readout_")
                file = _packed(db, file, Path(folder.name) / "people.parquet")
            db.execute(f"CREATE VIEW {TABLE} AS SELECT * FROM read_parquet({literal(file)})")
        except duckdb.Error as error:
            raise InputError(Problem("data_unreadable", file=str(path), given=str(error).splitlines()[0])) from error
        return cls(db, str(path), folder)

    @classmethod
    def of_trial(cls, engine: Engine, experiment: str, *, covariates: Sequence[str] = ()) -> People:
        """Take an experiment from the tidy tables, by assignment: everybody assigned counts, whatever was sent.

        Columns: unit, variant, block, day (of assignment), ratio_planned, assigned_at, first_outcome_at (without
        the covariates), and one a metric, NULL where nobody measured it.

        Raises:
            InputError: the tables hold no such experiment.
        """
        known = {"experiment": experiment}
        metrics = engine.query(
            "SELECT DISTINCT metric FROM outcomes WHERE exp_id = :experiment ORDER BY metric", known
        ).rows()
        if not engine.query("SELECT 1 AS one FROM assignments WHERE exp_id = :experiment LIMIT 1", known).rows():
            there = engine.query("SELECT DISTINCT exp_id FROM assignments ORDER BY exp_id").rows()
            choice = ", ".join(row["exp_id"] for row in there)
            raise InputError(Problem("choice", field="experiment", given=experiment, values={"choice": choice}))
        text = trial_text(experiment, [row["metric"] for row in metrics], covariates)
        return cls(engine.hand_over(text, TABLE), experiment)

    def families(
        self,
        variant: str,
        control: object,
        families: Sequence[Sequence[str]],
        *,
        by: Sequence[str] = (),
        filled: Sequence[str] = (),
    ) -> Families:
        """Sum up columns by arm, and by groups within.

        Args:
            variant: column of the arm.
            control: label of the control.
            families: columns that belong together: ("paid",), ("paid", "sessions") for a ratio, ("paid", "before")
                for CUPED.
            by: columns whose labels make the groups.
            filled: covariates, whose missing values count as one constant beside other columns, so that nobody is
                lost for want of a past.

        Raises:
            InputError: an unknown or text column, an infinite value, no rows, a row without an arm, one arm, an
                unknown control.
        """
        guard = Guard()
        wanted = [tuple(family) for family in families]
        for column in dict.fromkeys([variant, *by, *(name for family in wanted for name in family)]):
            guard.choice("column", column, self.types)
        guard.done()
        self._numbers(list(dict.fromkeys(name for family in wanted for name in family)))
        places = self._places(list(dict.fromkeys(name for family in wanted for name in family)))
        found = self._summed(variant, wanted, places, by, filled)
        _check_finite(found, wanted)
        arms, groups = self._labels(found, control, variant, len(by))
        shift = {name: place.shift for name, place in places.items()}
        return _families(found, wanted, shift, arms, groups, len(by), places)

    def need_dates(self, column: str) -> None:
        """Raise InputError unless a column holds dates or times."""
        self._need(column)
        if not self.types[column].startswith(("DATE", "TIMESTAMP")):
            guard = Guard()
            guard.add("date", column, self.types[column], form="2027-01-31")
            guard.done()

    def identity(self, unit: str, variant: str) -> Identity:
        """Count rows, people, and people who have several rows or several arms."""
        self._need(unit, variant)
        rows, people, several = (int(n or 0) for n in self._db.execute(identity_text(unit)).fetchone())
        both = int(self._db.execute(two_arms_text(unit, variant)).fetchone()[0]) if several else 0
        return Identity(rows, people, several - both, both)

    def breakdown(
        self, variant: str, arms: Sequence[str], dimension: str, *, only: str | None = None
    ) -> dict[str, list[int]]:
        """Count people by label of a dimension and arm, for `experiments.readout.drill`; a missing label is "".

        Args:
            variant, dimension: columns.
            arms: labels of the arms, in the order wanted.
            only: column that is 1 or true for the people to count, such as delivered: among them an employee who
                has not confirmed shows.
        """
        self._need(variant, dimension, *([only] if only else []))
        counts: dict[str, list[int]] = {}
        text = breakdown_text(variant, dimension, self.types, only=only)
        for arm, label, people in self._db.execute(text).fetchall():
            row = counts.setdefault(label or "", [0] * len(arms))
            if arm in arms:
                row[list(arms).index(arm)] += int(people)
        return dict(sorted(counts.items()))

    def planned(self, variant: str, arms: Sequence[str], share: str) -> tuple[tuple[float | None, ...], bool]:
        """Return the planned share of each arm out of a column that holds it, and whether one changed on the way.

        Args:
            variant: column of the arm.
            arms: labels of the arms, in the order wanted.
            share: column of the planned share.

        Returns:
            Lowest share of each arm, None where none stands; True when an arm has two.
        """
        self._need(variant, share)
        found = {row[0]: row[1:] for row in self._db.execute(planned_text(variant, share)).fetchall()}
        shares = tuple(None if found.get(arm, (None,))[0] is None else float(found[arm][0]) for arm in arms)
        return shares, any(low != high for low, high in found.values())

    def before(self, exposed: str, outcome: str) -> int:
        """Count people whose outcome is dated before their exposure."""
        self._need(exposed, outcome)
        text = f"SELECT COUNT(*) FROM {TABLE} WHERE {_quoted(outcome)} < {_quoted(exposed)}"
        return int(self._db.execute(text).fetchone()[0])

    def leave_out(self, column: str, labels: Sequence[str]) -> int:
        """Take people of some labels of a column out of the table, in all arms; return how many they were."""
        self._need(column)
        listed = ", ".join(literal(label) for label in labels)
        gone = f"COALESCE({_label(column, self.types[column])}, '') IN ({listed})"
        count = int(self._db.execute(f"SELECT COUNT(*) FROM {TABLE} WHERE {gone}").fetchone()[0])
        self._left_out += 1
        before = f"{TABLE}_{self._left_out}"
        self._db.execute(f"ALTER {self._kind} {TABLE} RENAME TO {before}")
        self._db.execute(f"CREATE TEMPORARY VIEW {TABLE} AS SELECT * FROM {before} WHERE NOT {gone}")
        self._kind = "VIEW"
        return count

    def close(self) -> None:
        """Let go of the table."""
        self._db.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> People:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _need(self, *columns: str) -> None:
        guard = Guard()
        for column in columns:
            guard.choice("column", column, self.types)
        guard.done()

    def _numbers(self, columns: Sequence[str]) -> None:
        guard = Guard()
        texts = [name for name in columns if not (_WHOLE.match(self.types[name]) or _REAL.match(self.types[name]))]
        if texts and self._db.execute(f"SELECT 1 FROM {TABLE} LIMIT 1").fetchone() is None:
            guard.add("empty", self.name)
            guard.done()
        for name in texts:
            guard.add("not_number", name, self._some_text(name))
        guard.done()

    def _some_text(self, column: str) -> str:
        name = _quoted(column)
        odd = f"{name} IS NOT NULL AND TRY_CAST({name} AS DOUBLE) IS NULL"
        found = self._db.execute(f"SELECT CAST({name} AS VARCHAR) FROM {TABLE} WHERE {odd} LIMIT 1").fetchone()
        return str(found[0]) if found else self.types[column]

    def _places(self, columns: Sequence[str]) -> dict[str, Place]:
        """Where each column lies, from the first rows."""
        if not columns:
            return {}
        listed = ", ".join(f"CAST({_quoted(name)} AS DOUBLE) AS c{at}" for at, name in enumerate(columns))
        first = self._db.execute(f"SELECT {listed} FROM {TABLE} LIMIT {SAMPLE}").fetchnumpy()
        values = (np.ma.filled(np.ma.asarray(column, dtype=float), np.nan) for column in first.values())
        places = {name: _place(self.types[name], own) for name, own in zip(columns, values, strict=True)}
        listed = ", ".join(f"stats({_quoted(name)})" for name in columns)
        row = self._db.execute(f"SELECT {listed} FROM {TABLE} LIMIT 1").fetchone() or ()
        for name, known in zip(columns, row, strict=False):
            if isinstance(known, dict) and known.get("min") is not None and known.get("max") is not None:
                places[name] = _bounded(places[name], self.types[name], known)
        return places

    def _summed(
        self,
        variant: str,
        families: Sequence[tuple[str, ...]],
        places: Mapping[str, Place],
        by: Sequence[str],
        filled: Sequence[str],
    ) -> list[dict[str, Any]]:
        import duckdb

        if all(place.grid is not None for place in places.values()):
            try:
                rows = self._run(grid_text(variant, families, places, by, self.types))
            except (duckdb.OutOfRangeException, duckdb.ConversionException):  # or NaN, which is no whole number
                rows = None
            if rows is not None and _complete(rows, families, filled):
                return [_off_grid(row, families, places) for row in rows]
        try:
            return self._run(moments_text(variant, families, places, by, self.types, filled=filled))
        except (duckdb.OutOfRangeException, duckdb.ConversionException):  # later rows lie far from the first
            threads = self._db.execute("SELECT current_setting('threads')").fetchone()[0]
            self._db.execute("SET threads = 1")
            try:
                return self._run(moments_text(variant, families, places, by, self.types, filled=filled, exact=False))
            finally:
                self._db.execute(f"SET threads = {threads}")

    def _run(self, text: str) -> list[dict[str, Any]]:
        answer = self._db.execute(text)
        columns = [column[0] for column in answer.description]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]

    def _labels(
        self, found: Sequence[Mapping[str, Any]], control: object, variant: str, depth: int
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        guard = Guard()
        present, name = sorted({row["arm"] for row in found if row["arm"] is not None}), str(control)
        if not found:
            guard.add("empty", self.name)
        elif any(row["arm"] is None for row in found):
            guard.add("arm_missing", variant, rows=sum(int(row["people"]) for row in found if row["arm"] is None))
        if present and name not in present:
            guard.add("unknown_control", "control", name, choice=", ".join(present))
        elif len(present) == 1:
            guard.add("one_arm", variant, arm=present[0])
        guard.done()
        groups = sorted({tuple(row[f"b{at}"] or "" for at in range(depth)) for row in found})
        return (name, *(label for label in present if label != name)), tuple(groups)


def _packed(db: DuckDBPyConnection, file: Path, packed: Path) -> Path:
    """Turn a CSV file into Parquet; where the first rows mislead about a column's type, all rows settle it."""
    import duckdb

    text = "COPY (SELECT * FROM read_csv({}{})) TO {} (FORMAT parquet)"
    try:
        db.execute(text.format(literal(file), "", literal(packed)))
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        db.execute(text.format(literal(file), ", sample_size = -1", literal(packed)))
    return packed


def moments_text(
    variant: str,
    families: Sequence[Sequence[str]],
    places: Mapping[str, Place],
    by: Sequence[str],
    types: Mapping[str, str],
    *,
    filled: Sequence[str] = (),
    exact: bool = True,
) -> str:
    """Return the SQL text that sums up families of columns by arm and group.

    Args:
        variant, families, by, filled: as `People.families`.
        places: column -> what is taken off each value, and decimals to keep.
        types: column -> its SQL type.
        exact: whether to add up whole numbers and decimals; else floating-point numbers.

    >>> text = moments_text("v", [["y"]], {"y": Place(3.0, 0)}, [], {"y": "BIGINT"})
    >>> "SUM(x0_0 * x0_0) AS q0_0_0" in text, 'CAST("y" AS BIGINT) - 3' in text
    (True, True)
    """
    inner = [f"CAST({_quoted(variant)} AS VARCHAR) AS arm"]
    inner += [f"{_label(name, types[name])} AS b{at}" for at, name in enumerate(by)]
    outer = ["arm", *(f"b{at}" for at in range(len(by))), "COUNT(*) AS people"]
    for f, family in enumerate(families):
        whole = all(_WHOLE.match(types[name]) for name in family)
        for i, name in enumerate(family):
            moved = _moved(name, types[name], places[name], whole=whole, exact=exact)
            others = [  # a covariate that is missing adds nothing to sums about the shift: it counts as the shift
                f"{_value(other, types[other])} IS NOT NULL"
                for j, other in enumerate(family)
                if j != i and other not in filled
            ]
            if others:
                moved = f"CASE WHEN {' AND '.join(others)} THEN {moved} END"
            inner.append(f"{moved} AS x{f}_{i}")
            outer.append(f"SUM(x{f}_{i}) AS s{f}_{i}")
            outer += [f"SUM(x{f}_{j} * x{f}_{i}) AS q{f}_{j}_{i}" for j in range(i + 1)]
        outer.append(f"COUNT(x{f}_0) AS n{f}")
        if len(family) == 1 and places[family[0]].binary:
            outer.append(f"MAX(CASE WHEN x{f}_0 <> 0 AND x{f}_0 <> 1 THEN 1 ELSE 0 END) AS o{f}")
    groups = ", ".join(["arm", *(f"b{at}" for at in range(len(by)))])
    head, body = ",\n  ".join(outer), ",\n    ".join(inner)
    return f"SELECT\n  {head}\nFROM (\n  SELECT\n    {body}\n  FROM {TABLE}\n) AS prepared\nGROUP BY {groups}"


def grid_text(
    variant: str,
    families: Sequence[Sequence[str]],
    places: Mapping[str, Place],
    by: Sequence[str],
    types: Mapping[str, str],
) -> str:
    """Return the SQL text that sums up columns on a grid as whole numbers, each column and product once.

    It is several times as fast as `moments_text`, and says the same where no family lacks a value. DuckDB's CAST
    rounds; where an engine's truncates, values may be a step too small, which is nothing beside the spread.

    >>> text = grid_text("v", [["y"]], {"y": Place(3.5, 1, grid=1)}, [], {"y": "DOUBLE"})
    >>> 'CAST((CAST("y" AS DOUBLE) - 3.5) * 10 AS INTEGER) AS x0' in text
    True
    """
    columns = list(places)
    inner = [f"CAST({_quoted(variant)} AS VARCHAR) AS arm"]
    inner += [f"{_label(name, types[name])} AS b{at}" for at, name in enumerate(by)]
    outer = ["arm", *(f"b{at}" for at in range(len(by))), "COUNT(*) AS people"]
    for at, name in enumerate(columns):
        place = places[name]
        shift = place.shift if place.most is None else 0
        moved = f"CAST({_quoted(name)} AS INTEGER)" + (f" - {int(shift)}" if shift else "")
        if not _WHOLE.match(types[name]):
            value = f"CAST({_quoted(name)} AS DOUBLE)"
            value = f"({value} - {shift!r})" if shift else value
            moved = f"CAST({value} * {10**place.grid} AS INTEGER)"
        inner.append(f"{moved} AS x{at}")
        outer += [f"SUM(x{at}) AS s{at}", f"COUNT(x{at}) AS n{at}"]
        if place.binary and not _WHOLE.match(types[name]):
            outer.append(f"MAX(CASE WHEN x{at} <> 0 AND x{at} <> {10**place.grid} THEN 1 ELSE 0 END) AS o{at}")
    pairs = {_pair(columns, a, b) for family in families for a in family for b in family}
    pairs -= {(at, at) for at, name in enumerate(columns) if places[name].bits}
    for one, other in sorted(pairs):
        small = _small(places[columns[one]], places[columns[other]])
        first = f"x{one}" if small else f"CAST(x{one} AS BIGINT)"
        outer.append(f"SUM({first} * x{other}) AS q{one}_{other}")
    groups = ", ".join(["arm", *(f"b{at}" for at in range(len(by)))])
    head, body = ",\n  ".join(outer), ",\n    ".join(inner)
    return f"SELECT\n  {head}\nFROM (\n  SELECT\n    {body}\n  FROM {TABLE}\n) AS prepared\nGROUP BY {groups}"


def identity_text(unit: str) -> str:
    """Return the SQL text that counts rows, people, and people with several rows."""
    return (
        "SELECT SUM(own_rows), COUNT(*), SUM(CASE WHEN own_rows > 1 THEN 1 ELSE 0 END)\n"
        f"FROM (SELECT {_quoted(unit)} AS unit, COUNT(*) AS own_rows FROM {TABLE} GROUP BY {_quoted(unit)}) AS own"
    )


def two_arms_text(unit: str, variant: str) -> str:
    """Return the SQL text that counts people in several arms, of those who have several rows."""
    name, arm = _quoted(unit), f"CAST({_quoted(variant)} AS VARCHAR)"
    return (
        "SELECT COUNT(*) FROM (\n"
        f"  SELECT {name} AS unit FROM {TABLE}\n"
        f"  WHERE {name} IN (SELECT {name} FROM {TABLE} GROUP BY {name} HAVING COUNT(*) > 1)\n"
        f"  GROUP BY {name} HAVING MIN({arm}) <> MAX({arm})\n"
        ") AS several"
    )


def breakdown_text(variant: str, dimension: str, types: Mapping[str, str], *, only: str | None = None) -> str:
    """Return the SQL text that counts people by arm and label; a time counts by its day."""
    where = f"WHERE CAST({_quoted(only)} AS INTEGER) = 1\n" if only else ""
    return (
        f"SELECT CAST({_quoted(variant)} AS VARCHAR) AS arm, {_label(dimension, types[dimension])} AS label,\n"
        "  COUNT(*) AS people\n"
        f"FROM {TABLE}\n{where}GROUP BY 1, 2\nORDER BY 1, 2"
    )


def planned_text(variant: str, share: str) -> str:
    """Return the SQL text that finds the lowest and highest planned share of each arm."""
    name = _quoted(share)
    return (
        f"SELECT CAST({_quoted(variant)} AS VARCHAR) AS arm, MIN({name}), MAX({name})\n"
        f"FROM {TABLE}\nGROUP BY 1\nORDER BY 1"
    )


def trial_text(experiment: str, metrics: Sequence[str], covariates: Sequence[str] = ()) -> str:
    """Return the SQL text that lays an experiment's assignments and outcomes out, one row a person."""
    outcome = 'o."at"'
    if covariates:
        outcome = f"CASE WHEN o.metric NOT IN ({', '.join(map(literal, covariates))}) THEN {outcome} END"
    sums = [f"  SUM(CASE WHEN o.metric = {literal(name)} THEN o.value END) AS {_quoted(name)}" for name in metrics]
    head = [
        "  a.unit_hid AS unit",
        "  a.variant AS variant",
        "  a.block AS block",
        "  CAST(a.assigned_at AS DATE) AS day",
        "  a.ratio_planned AS ratio_planned",
        "  a.assigned_at AS assigned_at",
        f"  MIN({outcome}) AS first_outcome_at",
    ]
    return (
        "SELECT\n" + ",\n".join(head + sums) + "\nFROM assignments a\n"
        "LEFT JOIN outcomes o ON o.exp_id = a.exp_id AND o.unit_hid = a.unit_hid\n"
        f"WHERE a.exp_id = {literal(experiment)}\n"
        "GROUP BY a.unit_hid, a.variant, a.block, a.assigned_at, a.ratio_planned"
    )


def _pair(columns: Sequence[str], one: str, other: str) -> tuple[int, int]:
    """Positions of two columns, the earlier first."""
    return tuple(sorted((columns.index(one), columns.index(other))))


def _complete(rows: Sequence[Mapping[str, Any]], families: Sequence[tuple[str, ...]], filled: Sequence[str]) -> bool:
    """Whether nobody lacks a value of a column that is summed beside others."""
    columns = list(dict.fromkeys(name for family in families for name in family))
    beside = {name for family in families if len(family) > 1 for name in family} - set(filled)
    return all(row[f"n{columns.index(name)}"] == row["people"] for row in rows for name in beside)


def _off_grid(
    row: Mapping[str, Any], families: Sequence[tuple[str, ...]], places: Mapping[str, Place]
) -> dict[str, Any]:
    """Return a row of `grid_text` under the names of `moments_text`."""
    columns = list(places)
    found = {name: value for name, value in row.items() if name in {"arm", "people"} or name.startswith("b")}
    row = {f"q{at}_{at}": row[f"s{at}"] for at, name in enumerate(columns) if places[name].bits} | dict(row)
    steps = [0 if place.most is None else round(place.shift * 10**place.grid) for place in places.values()]
    sums = [row[f"s{at}"] or 0 for at in range(len(columns))]

    def moved(one: int, other: int) -> int:
        """Sum of products about the shifts of those that were added up as they are, exactly."""
        known = row[f"q{one}_{other}"] or 0
        both = steps[one] * steps[other] * row["people"]
        return known - steps[other] * sums[one] - steps[one] * sums[other] + both

    for f, family in enumerate(families):
        name, at = family[0], [columns.index(name) for name in family]
        found[f"n{f}"] = row[f"n{at[0]}"]
        if len(family) == 1 and places[name].binary:  # n (n - 1) is above 0 for any whole number but 0 and 1
            whole = int(row[f"q{at[0]}_{at[0]}"] != row[f"s{at[0]}"])
            found[f"o{f}"] = row.get(f"o{at[0]}", whole)
        for i, name in enumerate(family):
            found[f"s{f}_{i}"] = (sums[at[i]] - steps[at[i]] * row["people"]) / 10 ** places[name].grid
            for j in range(i + 1):
                one, other = _pair(columns, family[j], name)
                scale = 10 ** (places[family[j]].grid + places[name].grid)
                found[f"q{f}_{j}_{i}"] = moved(one, other) / scale
    return found


def _check_finite(rows: Sequence[Mapping[str, Any]], families: Sequence[tuple[str, ...]]) -> None:
    """Raise InputError that names each column with an infinite value."""
    guard, seen = Guard(), set()
    for f, family in enumerate(families):
        for i, name in enumerate(family):
            sums = [float(row[f"s{f}_{i}"] or 0) for row in rows]
            if name not in seen and not np.isfinite(sums).all():
                seen.add(name)
                guard.add("not_finite", name)
    guard.done()


def _families(
    found: Sequence[Mapping[str, Any]],
    families: Sequence[tuple[str, ...]],
    shift: Mapping[str, float],
    arms: tuple[str, ...],
    groups: tuple[tuple[str, ...], ...],
    depth: int,
    places: Mapping[str, Place],
) -> Families:
    place = {(arm, group): (a, g) for a, arm in enumerate(arms) for g, group in enumerate(groups)}
    rows = [(place[row["arm"], tuple(row[f"b{at}"] or "" for at in range(depth))], row) for row in found]

    def laid_out(name: str) -> np.ndarray:
        table = np.zeros((len(arms), len(groups)))
        for at, row in rows:
            table[at] += float(row[name] or 0)  # a missing label and an empty one are one group
        return table

    people, of = laid_out("people"), {}
    for f, family in enumerate(families):
        known = laid_out(f"n{f}")
        of[family] = Aggregates.from_moments(
            people,
            {name: laid_out(f"s{f}_{i}") for i, name in enumerate(family)},
            {(family[j], name): laid_out(f"q{f}_{j}_{i}") for i, name in enumerate(family) for j in range(i + 1)},
            counts=dict.fromkeys(family, known),
            shift=shift,
        )
    shares = frozenset(
        family[0]
        for f, family in enumerate(families)
        if len(family) == 1 and places[family[0]].binary and of[family].n(family[0]).any()
        and not any(row[f"o{f}"] for row in found)
    )  # fmt: skip
    return Families(arms, groups, people, of, shares)


def _label(column: str, kind: str) -> str:
    """A column as text; a time as its day."""
    name = _quoted(column)
    return f"CAST(CAST({name} AS DATE) AS VARCHAR)" if kind.startswith("TIMESTAMP") else f"CAST({name} AS VARCHAR)"


def _value(column: str, kind: str) -> str:
    """A column as a number; NaN is a missing value."""
    name = _quoted(column)
    if kind in {"DOUBLE", "FLOAT"}:
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END"
    return f"CAST({name} AS INTEGER)" if kind == "BOOLEAN" else name


def _moved(column: str, kind: str, place: Place, *, whole: bool, exact: bool) -> str:
    """A column less its shift, in the type that it is added up in."""
    value = _value(column, kind)
    if not exact or place.decimals is None:
        return f"CAST({value} AS DOUBLE) - {place.shift!r}"
    if whole:
        return f"CAST({_quoted(column)} AS BIGINT) - {int(place.shift)}"
    kept = f"DECIMAL(18, {place.decimals})"
    return f"CAST(CAST({value} AS DOUBLE) - {place.shift!r} AS {kept})"


def _place(kind: str, first: np.ndarray) -> Place:
    """Where a column lies of which some values are known: a round shift near their mean, and room for others."""
    known = first[np.isfinite(first)]
    whole = bool(_WHOLE.match(kind))
    if not known.size:
        return Place(0.0, 0 if whole else None, binary=bool(np.isnan(first).all()))
    binary = bool(known.min() >= 0 and known.max() <= 1)
    mean = float(known.mean())
    shift = 0.0 if binary else float(round(mean)) if whole else float(f"{mean:.6g}")
    widest = float(np.abs(known - shift).max())
    digits = int(np.ceil(np.log10(widest))) if widest > 0 else 0
    if whole:
        return Place(shift, 0, 0 if digits <= DIGITS_OF_GRID else None, binary, digits <= DIGITS_OF_SMALL)
    decimals = min(MOST_DECIMALS, DIGITS_OF_SQUARES - digits)
    grid = DIGITS_OF_GRID - max(digits, 0)
    if grid >= 0:
        shift = round(shift, grid)
        steps = known * 10**grid
        if np.abs(steps - np.round(steps)).max() > ON_GRID:
            grid = -1
    return Place(
        shift, decimals if decimals >= FEWEST_DECIMALS else None, grid if grid >= 0 and widest > 0 else None, binary
    )


def _bounded(place: Place, kind: str, known: Mapping[str, Any]) -> Place:
    """A place with what DuckDB knows of all rows: the smallest and the largest value, and whether some are missing."""
    low, high = float(known["min"]), float(known["max"])
    bits = bool(_WHOLE.match(kind)) and (low, high) in {(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)}
    if place.grid is None or known.get("has_null", True) or not np.isfinite([low, high]).all():
        return replace(place, bits=bits)
    most = int(np.ceil(max(abs(low), abs(high)) * 10**place.grid)) + 1
    return replace(place, bits=bits, most=most if most <= LARGEST else None)


def _small(one: Place, other: Place) -> bool:
    """Whether products of two columns on the grid have 32 bits."""
    if one.most is None or other.most is None:
        return one.small and other.small
    return one.most * other.most <= LARGEST


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
