"""Whether money is spent as planned and what it buys: earned value by line, floors of return, weeks out of line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from planlib.core.decompose import lmdi
from planlib.core.earned_value import Performance, performance
from planlib.core.guards import Guard

DEARER, MUCH_DEARER = 0.95, 0.90  # CPI below which a line is watched, and raised
FLOORS = {"campaign": (3.0, None), "private_domain": (2.3, 1.5)}  # return below which amber, at or below which red
PARTS = ("volume", "mix", "price")
ODD = 3.0  # robust standard deviations from the middle
_Z = 1.96  # of a 95 % interval of a count
_SPREAD = 1.4826  # of a normal, over its median deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Money and what came of it on one line, as it was to be and as it was.

    Attributes:
        line: its id.
        unit: of the output, e.g. users.
        planned_cny, planned_output: of the period; outputs are counts.
        actual_cny, actual_output: the same as it was.
        counted: whether what was planned is what another period counted, and varies by chance as well.
    """

    line: str
    unit: str
    planned_cny: float
    planned_output: float
    actual_cny: float
    actual_output: float
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A line of the cost check.

    Attributes:
        spending: it.
        value: CPI and SPI; earned is what the output was to cost.
        parts: `PARTS` -> CNY of what was spent more than planned: more output in all, its mix over lines, its price.
        state: on_track, at_risk, off_track or not_measured.
        reason: as_planned, dearer, much_dearer, within_noise (dearer, but chance alone may have kept so many away),
            unplanned or nothing_spent.
    """

    spending: Spending
    value: Performance
    parts: dict[str, float]
    state: str
    reason: str


def check_costs(lines: Sequence[Spending]) -> tuple[Checked, ...]:
    """Hold what was spent, and what came of it, against what was planned.

    The parts of a line sum to what it spent above its plan. A line that one side lacks is all price.

    Raises:
        InputError: no line, an id twice, an output without a unit, or a negative number.

    Source: PMI, Practice Standard for Earned Value Management; LMDI (Ang 2005).

    >>> (found,) = check_costs([Spending(line="ads", unit="users", planned_cny=1000, planned_output=100,
    ...                                  actual_cny=1200, actual_output=100)])
    >>> round(found.value.cpi, 2), found.state, found.parts["price"]
    (0.83, 'off_track', 200.0)
    """
    guard = Guard()
    if not lines:
        guard.add("empty", "lines")
    names = [line.line for line in lines]
    for place, line in enumerate(lines):
        if names.index(line.line) != place:
            guard.add("duplicate_id", f"lines[{place}].line", line.line, first=f"lines[{names.index(line.line)}]")
        if not line.unit:
            guard.add("missing", f"lines[{place}].unit")
        for field in ("planned_cny", "planned_output", "actual_cny", "actual_output"):
            guard.number(f"lines[{place}].{field}", getattr(line, field), low=0.0)
    guard.done()
    return tuple(_checked(line, parts) for line, parts in zip(lines, _parts(lines), strict=True))


def _parts(lines: Sequence[Spending]) -> list[dict[str, float]]:
    """Return the parts of each line; those that both sides have share volume and mix."""
    sides = np.array([[(x.planned_output, x.planned_cny), (x.actual_output, x.actual_cny)] for x in lines], dtype=float)
    both = (sides > 0).all(axis=(1, 2))
    found = [{"volume": 0.0, "mix": 0.0, "price": x.actual_cny - x.planned_cny} for x in lines]
    if not both.any():
        return found
    output, money = sides[both, :, 0], sides[both, :, 1]
    totals = output.sum(axis=0)
    factors = np.stack([np.broadcast_to(totals, output.shape), output / totals, money / output], axis=-1)
    for place, row in zip(np.flatnonzero(both), lmdi(factors[:, 0], factors[:, 1]), strict=True):
        found[place] = dict(zip(PARTS, row.tolist(), strict=True))
    return found


def _checked(line: Spending, parts: dict[str, float]) -> Checked:
    earned = line.planned_cny * line.actual_output / line.planned_output if line.planned_output > 0 else 0.0
    value = performance(planned=line.planned_cny, earned=earned, actual=line.actual_cny)
    if line.actual_cny == 0:
        return Checked(line, value, parts, "not_measured", "nothing_spent")
    if line.planned_cny == 0 or line.planned_output == 0:
        return Checked(line, value, parts, "off_track", "unplanned")
    state, reason = "on_track", "as_planned"
    if value.cpi < DEARER:
        state, reason = ("off_track", "much_dearer") if value.cpi < MUCH_DEARER else ("at_risk", "dearer")
        counts = 1 / max(line.actual_output, 1.0) + (1 / max(line.planned_output, 1.0) if line.counted else 0.0)
        if value.cpi * (1 + _Z * sqrt(counts)) >= 1:
            state, reason = "at_risk", "within_noise"
    return Checked(line, value, parts, state, reason)


def return_state(basis: str, value: float | None, *, floor: float | None = None) -> str:
    """Return the state of a return on money; each basis has floors of its own.

    Args:
        basis: campaign (what it brings over what it cost; amber below its floor) or private_domain (GMV over all its
            costs; amber below 2.3, the average of the trade, red at or below 1.5, a failure that is quoted).
        value: the return; None where it is not measured.
        floor: of a campaign, in place of 3.

    >>> [return_state("private_domain", x) for x in (2.3, 2.29, 1.5)], return_state("campaign", 2.9)
    (['on_track', 'at_risk', 'off_track'], 'at_risk')
    """
    guard = Guard()
    guard.choice("basis", basis, tuple(FLOORS))
    if floor is not None:
        guard.number("floor", floor, above=0.0)
        if basis != "campaign":
            guard.add("choice", "basis", basis, choice="campaign")
    if value is not None:
        guard.number("value", value)
    guard.done()
    if value is None:
        return "not_measured"
    amber, red = FLOORS[basis]
    if red is not None and value <= red:
        return "off_track"
    return "at_risk" if value < (amber if floor is None else floor) else "on_track"


def oddness(values: object) -> np.ndarray:
    """Return (T,) how many robust standard deviations each value lies from the middle; 0 where all are alike.

    Args:
        values: (T,) at least 3.

    Source: median and median absolute deviation, Iglewicz & Hoaglin 1993.

    >>> oddness([1.0, 2.0, 3.0, 30.0]).round(1).tolist()
    [-1.0, -0.3, 0.3, 18.5]
    """
    guard = Guard()
    x = guard.numbers("values", values, ndim=(1,))
    if len(x) < 3:
        guard.add("too_few", "values", len(x), low=3)
    guard.done()
    off = x - np.median(x)
    spread = _SPREAD * float(np.median(np.abs(off)))
    return off / spread if spread > 0 else np.zeros(len(x))
