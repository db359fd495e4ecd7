"""Sufficient statistics of columns: counts, sums, squares and cross products, the seam between data and statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.core.guards import Guard

Pair = tuple[str, str]
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Counts, sums and cross products of named columns, of one group of rows or of many.

    All arrays begin with the axes of the groups, G, that may be none. Sums are of values less a shift
    near their mean, so that squares of large values do not cancel. A row counts for a pair of columns
    when it has both; the diagonal holds what a column has by itself. What was never summed is NaN and
    asked for in vain.

    Attributes:
        columns: names of the K columns.
        rows: (*G) rows, those without a value too.
        count: (*G, K, K) rows that have both columns.
        total: (*G, K, K) sum of the first column less its shift over the rows that have both.
        cross: (*G, K, K) sum of the product of both columns, each less its shift.
        shift: (K,) what was taken off each column.
    """

    columns: tuple[str, ...]
    rows: np.ndarray
    count: np.ndarray
    total: np.ndarray
    cross: np.ndarray
    shift: np.ndarray

    @classmethod
    def from_arrays(
        cls,
        columns: Mapping[str, object],
        *,
        groups: object = None,
        n_groups: int | None = None,
        shift: Mapping[str, float] | None = None,
        together: bool = False,
    ) -> Aggregates:
        """Sum up rows.

        Args:
            columns: name -> (N,) numbers; NaN is a missing value.
            groups: (N,) group of each row, 0 to n_groups - 1; None for one group without an axis.
            n_groups: number of groups, None for the highest one named.
            shift: what to take off each column; None for a value near its mean.
            together: whether a row counts only when it has every column.

        Raises:
            InputError: no column, text, an infinite value, or arrays of different lengths.

        >>> orders = Aggregates.from_arrays({"orders": [1.0, 2.0, 3.0, float("nan")]})
        >>> int(orders.rows), int(orders.n("orders")), float(orders.mean("orders")), float(orders.var("orders"))
        (4, 3, 2.0, 1.0)
        """
        guard = Guard()
        names = tuple(columns)
        data = _matrix(guard, columns)
        codes, size = _groups(guard, groups, n_groups, data.shape[1])
        guard.done()
        known = ~np.isnan(data)
        if together:
            known &= known.all(axis=0)
        base = np.array([
            _near(column[mask]) if shift is None or name not in shift else float(shift[name])
            for name, column, mask in zip(names, data, known, strict=True)
        ])
        values = np.where(known, data - base[:, None], 0.0)
        k = len(names)
        count, total, cross = (np.empty((size, k, k)) for _ in range(3))
        for i in range(k):
            for j in range(k):
                total[:, i, j] = _summed(values[i] * known[j], codes, size)
                if j <= i:
                    count[:, i, j] = count[:, j, i] = _summed((known[i] & known[j]).astype(float), codes, size)
                    with np.errstate(over="ignore"):
                        cross[:, i, j] = cross[:, j, i] = _summed(values[i] * values[j], codes, size)
        rows = _summed(np.ones(data.shape[1]), codes, size)
        whole = cls(names, rows, count, total, cross, base)
        return whole if groups is not None else whole[0]

    @classmethod
    def from_moments(
        cls,
        rows: object,
        sums: Mapping[str, object],
        products: Mapping[Pair, object],
        *,
        counts: Mapping[str, object] | None = None,
        shift: Mapping[str, float] | None = None,
    ) -> Aggregates:
        """Take over sums that were made elsewhere, by SQL for one.

        Rows must have all columns of a product or none of them, since only one count is known of a column.

        Args:
            rows: (*G) rows.
            sums: column -> (*G) sum of its values, less the shift each.
            products: pair of columns -> (*G) sum of their products, less the shifts; (a, a) is the sum of squares.
            counts: column -> (*G) rows that have a value; None when no value is missing.
            shift: column -> what was taken off; 0 where it names none.

        Raises:
            InputError: no column, a count above rows or not whole, a sum that is not finite, a product of
                unknown columns, or squares smaller than their sums allow.

        >>> arm = Aggregates.from_moments(3, {"y": 6}, {("y", "y"): 14})
        >>> float(arm.mean("y")), float(arm.var("y"))
        (2.0, 1.0)
        """
        guard = Guard()
        names = tuple(sums)
        if not names:
            guard.add("empty", "sums")
        size = _counts(guard, "rows", rows)
        k, base = len(names), np.array([float((shift or {}).get(name, 0.0)) for name in names])
        single = [_counts(guard, f"counts.{name}", counts[name]) if name in (counts or {}) else size for name in names]
        added = [guard.numbers(f"sums.{name}", sums[name]) for name in names]
        guard.done()
        for name, n in zip(names, single, strict=True):
            if np.any(n > size):
                guard.add("at_most", f"counts.{name}", float(n.max()), high="rows")
        shape = np.broadcast_shapes(size.shape, *(part.shape for part in (*single, *added)))
        count, total, cross = (np.full((*shape, k, k), np.nan) for _ in range(3))
        for i in range(k):
            count[..., i, i], total[..., i, i] = single[i], added[i]
        for (a, b), value in products.items():
            if a not in names or b not in names:
                guard.add("choice", f"products.{a}.{b}", a if a not in names else b, choice=", ".join(names))
                continue
            i, j = names.index(a), names.index(b)
            cross[..., i, j] = cross[..., j, i] = guard.numbers(f"products.{a}.{b}", value)
            if i != j:
                if np.any(single[i] != single[j]):
                    guard.add("not_together", f"products.{a}.{b}", columns=f"{a}, {b}")
                count[..., i, j] = count[..., j, i] = single[i]
                total[..., i, j], total[..., j, i] = added[i], added[j]
            elif np.any(cross[..., i, i] * single[i] < added[i] ** 2 * (1 - 1e-9) - 1e-9):
                guard.add("squares_too_small", f"products.{a}.{b}", value)
        guard.done()
        return cls(names, np.broadcast_to(size, shape), count, total, cross, base)

    @classmethod
    def from_summary(cls, column: str, n: object, mean: object, sd: object) -> Aggregates:
        """Take over the size, mean and standard deviation (n - 1) of one column without missing values.

        Raises:
            InputError: n is no whole number above 0, or sd is negative.

        >>> float(Aggregates.from_summary("y", 500, 10.2, 3.1).sd("y"))
        3.1
        """
        guard = Guard()
        size = _counts(guard, "n", n, low=1.0)
        centre = guard.numbers("mean", mean)
        spread = guard.numbers("sd", sd, low=0.0)
        guard.done()
        shape = np.broadcast_shapes(size.shape, centre.shape, spread.shape)
        base = float(centre) if centre.ndim == 0 else 0.0
        total = np.broadcast_to((centre - base) * size, shape)[..., None, None]
        squares = np.broadcast_to(spread**2 * (size - 1) + (centre - base) ** 2 * size, shape)[..., None, None]
        count = np.broadcast_to(size, shape)
        return cls((column,), count, count[..., None, None], total, squares, np.array([base]))

    def __add__(self, other: Aggregates) -> Aggregates:
        """Return what all rows of both would have given; shifts and order of columns may differ."""
        if not isinstance(other, Aggregates):
            return NotImplemented
        guard = Guard()
        if set(self.columns) != set(other.columns):
            guard.add("shape", "columns", ", ".join(other.columns), expected=", ".join(self.columns))
        guard.done()
        there = other.select(self.columns).shifted(self.shift)
        return replace(
            self,
            rows=self.rows + there.rows,
            count=self.count + there.count,
            total=self.total + there.total,
            cross=self.cross + there.cross,
        )

    def __getitem__(self, index: object) -> Aggregates:
        """Return one group or some of them, as numpy indexes the axes of the groups."""
        parts = {name: getattr(self, name)[index] for name in ("rows", "count", "total", "cross")}
        return replace(self, **parts)

    def merged(self) -> Aggregates:
        """Return all groups as one."""
        axes = tuple(range(self.rows.ndim))
        return replace(
            self,
            rows=self.rows.sum(axis=axes),
            count=self.count.sum(axis=axes),
            total=self.total.sum(axis=axes),
            cross=self.cross.sum(axis=axes),
        )

    def shifted(self, shift: np.ndarray) -> Aggregates:
        """Return the same statistics about another shift, (K,)."""
        move = self.shift - np.asarray(shift, dtype=float)
        if not move.any():
            return self
        total = self.total + self.count * move[:, None]
        cross = (
            self.cross
            + move[:, None] * np.swapaxes(self.total, -1, -2)
            + move * self.total
            + move[:, None] * move * self.count
        )
        return replace(self, total=total, cross=cross, shift=self.shift - move)

    def select(self, columns: Sequence[str]) -> Aggregates:
        """Return some columns, in the order given."""
        at = [self._at(name) for name in columns]
        grid = np.ix_(at, at)
        parts = {name: getattr(self, name)[..., *grid] for name in ("count", "total", "cross")}
        return Aggregates(tuple(columns), self.rows, **parts, shift=self.shift[at])

    def n(self, column: str) -> np.ndarray:
        """Rows that have a value."""
        return self.count[..., self._at(column), self._at(column)]

    def mean(self, column: str) -> np.ndarray:
        """Mean of the known values; NaN without any."""
        i = self._at(column)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.shift[i] + self.total[..., i, i] / self.count[..., i, i]

    def var(self, column: str) -> np.ndarray:
        """Sample variance (n - 1); NaN with fewer than two values."""
        return self.cov(column, column)

    def sd(self, column: str) -> np.ndarray:
        """Sample standard deviation."""
        return np.sqrt(self.var(column))

    def cov(self, one: str, other: str) -> np.ndarray:
        """Sample covariance (n - 1) over the rows that have both; NaN with fewer than two.

        Raises:
            InputError: a name is unknown, or the product of the two was never summed.
        """
        i, j = self._at(one), self._at(other)
        if np.isnan(self.cross[..., i, j]).any():
            guard = Guard()
            guard.add("not_summed", "products", columns=f"{one}, {other}")
            guard.done()
        n = self.count[..., i, j]
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = self.cross[..., i, j] - self.total[..., i, j] * (self.total[..., j, i] / n)
            found = np.where(n > 1, centred / (n - 1), np.nan)
        return np.maximum(found, 0.0) if i == j else found

    def combined_cov(self, one: Weights, other: Weights) -> np.ndarray:
        """Covariance of two weighted sums of columns.

        Args:
            one, other: column -> weight, a number or (*G).

        Raises:
            InputError: a row lacks one of the columns and has another.
        """
        self.need_together({**one, **other})
        return sum(np.asarray(u) * np.asarray(v) * self.cov(a, b) for a, u in one.items() for b, v in other.items())

    def combined_var(self, weights: Weights) -> np.ndarray:
        """Variance of a weighted sum of columns, as combined_cov."""
        return np.maximum(self.combined_cov(weights, weights), 0.0)

    def need_together(self, columns: Sequence[str] | Mapping[str, object]) -> None:
        """Raise InputError unless every row has all of the columns or none."""
        guard, names = Guard(), list(columns)
        at = [self._at(name) for name in names]
        counts = self.count[..., *np.ix_(at, at)]
        if not (counts == counts[..., :1, :1]).all():
            guard.add("not_together", "columns", columns=", ".join(names))
        guard.done()

    def _at(self, column: str) -> int:
        if column not in self.columns:
            guard = Guard()
            guard.add("choice", "column", column, choice=", ".join(self.columns))
            guard.done()
        return self.columns.index(column)


@dataclass(frozen=True, slots=True)
class Families:
    """Sums by arm and group.

    Attributes:
        arms: labels, the control first.
        groups: labels of the groups, one tuple a group in order; (()) when there are none.
        people: (A, G) rows.
        of: family of columns, in the order asked for -> its Aggregates, (A, G); a row counts for a family when it
            has every column of it.
        shares: columns asked for alone that hold nothing but 0 and 1.
    """

    arms: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    people: np.ndarray
    of: Mapping[tuple[str, ...], Aggregates]
    shares: frozenset[str] = frozenset()


def _matrix(guard: Guard, columns: Mapping[str, object]) -> np.ndarray:
    """(K, N) floats; infinite values and text are refused, NaN is not."""
    if not columns:
        guard.add("empty", "columns")
        return np.empty((1, 0))
    found = []
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype.kind not in "iufb" or array.ndim != 1:
            guard.add("not_number" if array.ndim == 1 else "shape", name, str(array.dtype), expected="one axis")
            continue
        array = array.astype(float)
        if np.isinf(array).any():
            at = int(np.isinf(array).argmax())
            guard.add("not_finite", f"{name}[{at}]", float(array[at]))
        found.append(array)
    if len({array.size for array in found}) > 1:
        guard.add("shape", "columns", ", ".join(str(array.size) for array in found), expected="columns of one length")
    return np.empty((1, 0)) if guard.problems else np.stack(found)


def _groups(guard: Guard, groups: object, n_groups: int | None, length: int) -> tuple[np.ndarray | None, int]:
    if groups is None:
        return None, 1
    codes = np.asarray(groups)
    if guard.problems:
        return None, 1
    if codes.dtype.kind not in "iu" or codes.shape != (length,):
        guard.add("shape", "groups", f"{codes.dtype}, shape {codes.shape}", expected=f"({length},) whole numbers")
        return None, 1
    size = int(codes.max(initial=-1)) + 1 if n_groups is None else n_groups
    if codes.size and (codes.min() < 0 or codes.max() >= size):
        guard.add("out_of_range", "groups", int(codes.max()), low=0, high=size - 1)
    return codes, size


def _summed(values: np.ndarray, codes: np.ndarray | None, size: int) -> np.ndarray:
    if codes is None:
        return np.array([values.sum()])
    return np.bincount(codes, weights=values, minlength=size)


def _near(values: np.ndarray) -> float:
    """A value near the mean with few binary digits, so that whole numbers still add up exactly."""
    if values.size == 0:
        return 0.0
    first = float(values[0])
    centre = first + float((values - first).mean())
    spread = float(np.abs(values - centre).max())
    if spread == 0.0:
        return first
    step = 2.0 ** np.floor(np.log2(spread / 8))
    return float(np.round(centre / step) * step)


def _counts(guard: Guard, field: str, value: object, *, low: float = 0.0) -> np.ndarray:
    array = guard.numbers(field, value, low=low)
    if np.isfinite(array).all() and (array != np.floor(array)).any():
        guard.add("not_whole", field, float(array[array != np.floor(array)].flat[0]) if array.ndim else float(array))
    return array
