"""Spend against plan and output: cost and schedule performance, forecast at completion, and alerts with their cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.decompose import lmdi
from planlib.core.earned_value import performance
from planlib.core.guards import Guard

CPI_ALERT = 0.9
COLOURS = ("green", "amber", "red")


@dataclass(frozen=True, slots=True)
class Earned:
    """Earned value at a date.

    Attributes:
        planned_cny, earned_cny, actual_cny: budgeted cost of the planned output, of the output reached, and real cost.
        cpi: earned / actual; below 1 each yuan buys less than planned. None while nothing was spent.
        spi: earned / planned; below 1 the output is behind. None while nothing was planned.
        at_completion_cny: forecast of the whole cost at the cpi so far.
        alert: cpi or spi below its limit.
    """

    planned_cny: float
    earned_cny: float
    actual_cny: float
    cpi: float | None
    spi: float | None
    at_completion_cny: float | None
    alert: bool


def earned_value(
    planned_cny: object, planned_output: object, actual_cny: object, actual_output: object, *, limit: float = CPI_ALERT
) -> Earned:
    """Compare money and output to date with the plan.

    Args:
        planned_cny, planned_output: (T,) whole plan by month; output in any unit, e.g. new users.
        actual_cny, actual_output: (t,) months that are over, t <= T.
        limit: cpi or spi below this raises the alert.

    >>> found = earned_value([100.0, 100.0], [50.0, 50.0], [120.0], [50.0])
    >>> round(found.cpi, 2), found.spi, round(found.at_completion_cny), found.alert
    (0.83, 1.0, 240, True)
    """
    guard = Guard()
    given = {"planned_cny": planned_cny, "planned_output": planned_output, "actual_cny": actual_cny}
    given["actual_output"] = actual_output
    rows = {name: guard.numbers(name, value, low=0.0, ndim=(1,)) for name, value in given.items()}
    months, t = len(rows["planned_cny"]), len(rows["actual_cny"])
    for name, length in (("planned_output", months), ("actual_output", t)):
        if rows[name].shape != (length,):
            guard.add("shape", name, f"shape {rows[name].shape}", expected=f"({length},)")
    if t > months:
        guard.add("shape", "actual_cny", f"{t} months", expected=f"at most {months} months")
    floor = guard.number("limit", limit, low=0.0)
    guard.done()
    output = rows["planned_output"]
    whole, planned, actual = rows["planned_cny"].sum(), rows["planned_cny"][:t].sum(), rows["actual_cny"].sum()
    reached, to_date = rows["actual_output"].sum(), output[:t].sum()
    # output is valued at the cost that the plan gave it up to the same date, else over the whole plan
    price = planned / to_date if to_date > 0 else whole / max(output.sum(), 1e-300)
    earned = float(reached * price)
    pace = performance(planned=float(planned), earned=earned, actual=float(actual))
    alert = any(index is not None and index < floor for index in (pace.cpi, pace.spi))
    return Earned(
        float(planned), earned, float(actual), pace.cpi, pace.spi, pace.at_completion(float(whole)), alert
    )  # fmt: skip


def cost_causes(plan: Mapping[str, tuple[float, float]], actual: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Split the change of a cost over lines into volume, mix and price; the parts sum to the change exactly.

    Args:
        plan, actual: {line: (units, CNY a unit)}, the same lines, all above 0.

    Returns:
        {"volume", "mix", "price"} in CNY, by logarithmic mean Divisia shares (Ang 2005).

    >>> parts = cost_causes({"a": (10.0, 2.0), "b": (10.0, 4.0)}, {"a": (20.0, 2.0), "b": (20.0, 4.0)})
    >>> {name: round(value, 9) for name, value in parts.items()}
    {'volume': 60.0, 'mix': 0.0, 'price': 0.0}
    """
    guard = Guard()
    if set(plan) != set(actual) or not plan:
        guard.add("shape", "actual", ", ".join(actual), expected=", ".join(plan) or "at least one line")
    for name, rows in (("plan", plan), ("actual", actual)):
        for line, pair in rows.items():
            guard.numbers(f"{name}.{line}", pair, above=0.0, ndim=(1,))
    guard.done()
    sides = []
    for rows in (plan, actual):
        units = np.array([rows[line][0] for line in plan])
        total = units.sum()
        sides.append(np.stack([np.full(len(units), total), units / total, [rows[line][1] for line in plan]], axis=1))
    parts = lmdi(*sides).sum(axis=0)
    return dict(zip(("volume", "mix", "price"), parts.tolist(), strict=True))


def return_colour(roi: float, *, amber_below: float, red_at: float | None = None) -> str:
    """Return green, amber or red for a return; campaigns and the whole private domain each bring limits of their own.

    Args:
        roi: return, in the same definition as the limits.
        amber_below: below this it is amber.
        red_at: at or below this it is red; None: never.

    >>> return_colour(2.0, amber_below=2.3, red_at=1.5), return_colour(1.5, amber_below=2.3, red_at=1.5)
    ('amber', 'red')
    """
    guard = Guard()
    value = guard.number("roi", roi)
    guard.number("amber_below", amber_below)
    if red_at is not None and guard.number("red_at", red_at) >= amber_below:
        guard.add("less", "red_at", red_at, high=amber_below)
    guard.done()
    if red_at is not None and value <= red_at:
        return "red"
    return "amber" if value < amber_below else "green"
