"""Check the arguments of a calculation and tell every problem at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from planlib.core.errors import InputError, Problem

Option = TypeVar("Option", str, int)


class Guard:
    """Collects the problems of one call; `done()` raises them together.

    Each check returns the value as the calculation wants it, so that an
    argument is checked and converted in one line. After a problem the
    returned value is only good for going on to the next check.

    >>> guard = Guard()
    >>> float(guard.share("churn", 0.08))
    0.08
    >>> guard.done()
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, code: str, field: str, given: object = None, **values: object) -> None:
        """Note a problem that no ready check covers."""
        self.problems.append(Problem(code=code, field=field, given=given, values=values))

    def done(self) -> None:
        """Raise InputError when any check failed."""
        if self.problems:
            raise InputError(*self.problems)

    def numbers(
        self,
        field: str,
        value: object,
        *,
        low: float | None = None,
        high: float | None = None,
        above: float | None = None,
        below: float | None = None,
        ndim: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Return `value` as floats, finite and inside the stated limits.

        Args:
            field: name of the argument, as it will be shown.
            value: a number or nested sequence of numbers; booleans are refused.
            low, high: limits that are allowed themselves.
            above, below: limits that are not.
            ndim: the numbers of axes that are allowed.
        """
        try:
            raw = np.asarray(value)
        except ValueError:
            raw = np.asarray("ragged")
        if raw.dtype.kind not in "iuf":
            self.add("not_number", field, value)
            return np.full((1,) * (min(ndim) if ndim else 0), np.nan)
        array = raw.astype(float, copy=False)
        if ndim is not None and array.ndim not in ndim:
            axes = " or ".join(str(n) for n in sorted(ndim))
            self.add("shape", field, f"shape {array.shape}", expected=f"{axes} axes")
            return np.full((1,) * min(ndim), np.nan)
        if array.size == 0:
            self.add("empty", field)
            return array
        smallest, largest = float(array.min()), float(array.max())
        if not (np.isfinite(smallest) and np.isfinite(largest)):
            self._point("not_finite", field, array, ~np.isfinite(array))
        elif (low is not None and smallest < low) or (above is not None and smallest <= above):
            self._outside(field, array, int(array.argmin()), False, low=low, high=high, above=above, below=below)
        elif (high is not None and largest > high) or (below is not None and largest >= below):
            self._outside(field, array, int(array.argmax()), True, low=low, high=high, above=above, below=below)
        return array

    def number(self, field: str, value: object, **limits: float | None) -> float:
        """Return one finite number inside the limits of `numbers`."""
        array = self.numbers(field, value, ndim=(0,), **limits)
        return float(array)

    def share(self, field: str, value: object, *, ndim: Sequence[int] | None = None) -> np.ndarray:
        """Return shares from 0 to 1."""
        return self.numbers(field, value, low=0.0, high=1.0, ndim=ndim)

    def whole(self, field: str, value: object, *, low: int = 1, high: int | None = None) -> int:
        """Return one whole number from `low` to `high`."""
        number = self.number(field, value, low=low, high=high)
        if np.isfinite(number) and number != int(number):
            self.add("not_whole", field, value)
        return int(number) if np.isfinite(number) else low

    def choice(self, field: str, value: Option, options: Iterable[Option]) -> Option:
        """Return `value` when it is one of the options."""
        known = tuple(options)
        if value not in known:
            self.add("choice", field, value, choice=", ".join(map(str, known)))
        return value

    def _point(self, code: str, field: str, array: np.ndarray, where: np.ndarray, **values: object) -> None:
        index = np.unravel_index(int(where.argmax()), array.shape) if array.ndim else ()
        name = field + (f"[{', '.join(str(int(i)) for i in index)}]" if index else "")
        self.add(code, name, float(array[index]), **values)

    def _outside(
        self, field: str, array: np.ndarray, flat_index: int, too_large: bool, **limits: float | None
    ) -> None:
        where = np.zeros(array.size, dtype=bool)
        where[flat_index] = True
        stated = {side: _plain(limit) for side, limit in limits.items() if limit is not None}
        code = _CODES.get(frozenset(stated), ("above", "at_most"))
        values = {"low" if side == "above" else "high" if side == "below" else side: v for side, v in stated.items()}
        if isinstance(code, tuple):
            code, side = (code[1], "high") if too_large else (code[0], "low")
            values = {side: values[side]}
        self._point(code, field, array, where.reshape(array.shape), **values)


_CODES = {
    frozenset({"low", "high"}): "out_of_range",
    frozenset({"above", "below"}): "between",
    frozenset({"low", "below"}): "below",
    frozenset({"low"}): "at_least",
    frozenset({"above"}): "above",
    frozenset({"high"}): "at_most",
    frozenset({"below"}): "less",
}


def _plain(limit: object) -> object:
    """Show 1.0 as 1 in a sentence."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit
