"""From rows of people to one Aggregates an arm, with everything that can be wrong with rows named."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.aggregates import Aggregates
from planlib.core.guards import Guard

NULLS = ("drop", "zero", "refuse")


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of a test, the control first.

    Attributes:
        labels: label of each arm as text, the control first, the others in order.
        rows: label -> its Aggregates.
        values: label -> column -> (N,) values, NaN where one is missing.
        dropped: column -> rows without a value that are left out.
        zero_filled: column -> rows without a value that count as 0.
    """

    labels: tuple[str, ...]
    rows: Mapping[str, Aggregates]
    values: Mapping[str, Mapping[str, np.ndarray]]
    dropped: Mapping[str, int]
    zero_filled: Mapping[str, int]

    @property
    def control(self) -> str:
        """Label of the control."""
        return self.labels[0]

    @property
    def treatments(self) -> tuple[str, ...]:
        """Labels of the others."""
        return self.labels[1:]


def split_arms(
    variant: Sequence[object],
    columns: Mapping[str, object],
    *,
    control: object,
    unit: Sequence[object] | None = None,
    nulls: str = "drop",
    together: bool = False,
) -> Arms:
    """Sort rows of people into arms.

    Args:
        variant: (N,) label of the arm of each row; text and numbers are compared as text.
        columns: metric -> (N,) numbers; None and NaN are missing.
        control: label of the control.
        unit: (N,) id of the person of each row, to check that each has one row in one arm.
        nulls: drop rows without a value (counted), take them as zero (counted), or refuse them.
        together: whether a row counts only when it has every column (for ratios and CUPED).

    Raises:
        InputError: no rows, one arm, an unknown control, a row without an arm, text or an infinite value in
            a column, lengths that differ, a person in two arms or with two rows; all at once.

    >>> arms = split_arms(["a", "a", "b", "b"], {"paid": [1.0, 3.0, 2.0, None]}, control="a")
    >>> arms.treatments, float(arms.rows["a"].mean("paid")), arms.dropped["paid"]
    (('b',), 2.0, 1)
    """
    guard = Guard()
    guard.choice("nulls", nulls, NULLS)
    labels = ["" if _missing(label) else str(label) for label in variant]
    if not labels:
        guard.add("empty", "variant")
    elif "" in labels:
        guard.add("missing", f"variant[{labels.index('')}]")
    read = {name: _column(guard, name, values, len(labels)) for name, values in columns.items()}
    if not columns:
        guard.add("empty", "columns")
    present, name = sorted(set(labels) - {""}), str(control)
    if present and name not in present:
        guard.add("unknown_control", "control", name, choice=", ".join(present))
    elif len(present) == 1:
        guard.add("one_arm", "variant", arm=present[0])
    if unit is not None:
        _check_units(guard, list(unit), labels)
    missing = {key: np.isnan(values) for key, values in read.items()}
    if nulls == "refuse":
        for key, gone in missing.items():
            if gone.any():
                guard.add("missing", f"{key}[{int(gone.argmax())}]")
    guard.done()
    if nulls == "zero":
        read = {key: np.where(missing[key], 0.0, values) for key, values in read.items()}
    ordered = (name, *(label for label in present if label != name))
    at = {label: np.array([own == label for own in labels]) for label in ordered}
    values = {label: {key: column[mask] for key, column in read.items()} for label, mask in at.items()}
    counted = {key: int(gone.sum()) for key, gone in missing.items()}
    nothing = dict.fromkeys(read, 0)
    return Arms(
        ordered,
        {label: Aggregates.from_arrays(own, together=together) for label, own in values.items()},
        values,
        nothing if nulls == "zero" else counted,
        counted if nulls == "zero" else nothing,
    )


def known_numbers(field: str, values: object) -> tuple[np.ndarray, int]:
    """Return the numbers of a column without its missing values, and how many are missing.

    Raises:
        InputError: text or an infinite value.

    >>> known_numbers("paid", [1.0, None, 2.0])
    (array([1., 2.]), 1)
    """
    guard = Guard()
    column = _column(guard, field, values, None)
    guard.done()
    gone = np.isnan(column)
    return column[~gone], int(gone.sum())


def _column(guard: Guard, name: str, values: object, length: int | None) -> np.ndarray:
    """(N,) floats, NaN where None; text, true and false, and infinite values are noted."""
    raw = np.asarray(values) if isinstance(values, np.ndarray) else list(values)
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "iuf":
        column = raw.astype(float)
    else:
        column = np.empty(len(raw))
        for index, value in enumerate(raw):
            if _missing(value):
                column[index] = np.nan
            elif isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
                column[index] = float(value)
            else:
                guard.add("not_number", f"{name}[{index}]", value)
                return np.zeros(length or 0)
    if length is not None and column.shape != (length,):
        guard.add("shape", name, f"{column.size} values", expected=f"{length} values, one a row")
        return np.zeros(length)
    if np.isinf(column).any():
        index = int(np.isinf(column).argmax())
        guard.add("not_finite", f"{name}[{index}]", float(column[index]))
    return column


def _check_units(guard: Guard, units: list[object], labels: list[str]) -> None:
    if len(units) != len(labels):
        guard.add("shape", "unit", f"{len(units)} ids", expected=f"{len(labels)} ids, one a row")
        return
    arms: dict[object, set[str]] = {}
    rows: dict[object, int] = {}
    for unit, label in zip(units, labels, strict=True):
        arms.setdefault(unit, set()).add(label)
        rows[unit] = rows.get(unit, 0) + 1
    several = [unit for unit, own in arms.items() if len(own) > 1]
    if several:
        guard.add("in_two_arms", "unit", several[0], count=len(several))
    double = [unit for unit, count in rows.items() if count > 1 and len(arms[unit]) == 1]
    if double:
        guard.add("double_rows", "unit", double[0], count=len(double))


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, numbers.Real) and math.isnan(value))

