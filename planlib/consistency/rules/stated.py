"""What a plan states about one metric, as rules reckon with it: floors, planned levels, places, sections."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from planlib.consistency.finding import Figure
from planlib.consistency.view import GOAL, LIMIT, OTHER, Said, View

OWN = (GOAL, LIMIT, OTHER)
_DIGITS = 3


def whole(said: Iterable[Said]) -> list[Said]:
    """Keep what is said of everybody: no population, no part of the year."""
    return [s for s in said if s.statement.population is None and s.statement.period != "half_year"]


def planned(view: View, plan: str, metric: str, kinds: Iterable[str] = OWN) -> Said | None:
    """Return the level of a driver that a plan states, goals before limits, None when it states none."""
    order = {kind: place for place, kind in enumerate(kinds)}
    found = whole(view.of(metric, kinds=tuple(order), plan=plan))
    return min(found, key=lambda s: order[s.kind], default=None)


def floor(said: Said) -> float | None:
    """Return the least that a goal asks of an outcome that is better the higher; None when it asks for no more."""
    low = said.span[0]
    return low if math.isfinite(low) else None


def least(said: Said) -> float:
    """Return the floor less what its rounding may hide."""
    return said.span[0] - said.tolerance


def place(said: Said, field: str = "") -> str:
    """Return the path that `--set` takes: the row by its id, the field of the comparison unless another is named."""
    path = re.sub(r"\[\d+\]$", f".{said.statement.id}", said.path) if said.statement.id else said.path
    name = field or said.statement.operation
    return f"{path}.{name}" if name else path


def sections(*said: Said) -> tuple[str, ...]:
    """Return where the statements stand, each section once."""
    return tuple(dict.fromkeys(s.statement.source for s in said))


def ids(*said: Said) -> tuple[str, ...]:
    """Return the ids of the statements."""
    return tuple(dict.fromkeys(s.id for s in said))


def plans(*said: Said) -> tuple[str, ...]:
    """Return the plans that the statements are from."""
    return tuple(dict.fromkeys(s.plan for s in said if s.plan))


def firm(said: Said) -> str:
    """Return whose case it is: the part of the scope that names the sector or the firm."""
    return (said.statement.scope or "").partition(";")[0].strip()


def by_id(goals: Iterable[Said]) -> list[Said]:
    """Sort dated goals by month and level."""
    return sorted(goals, key=lambda s: (s.statement.by_month or 0, s.value))


def up(value: float) -> float:
    """Round up to three significant digits, so that the number shown is still enough.

    >>> up(203_228.9), up(0.5), up(0.4286)
    (204000.0, 0.5, 0.429)
    """
    return _rounded(value, math.ceil)


def down(value: float) -> float:
    """Round down to three significant digits.

    >>> down(246_027.9), down(0.0735)
    (246000.0, 0.0735)
    """
    return _rounded(value, math.floor)


def _rounded(value: float, towards: Callable[[float], int]) -> float:
    if not math.isfinite(value) or value == 0:
        return value
    power = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    scale = 10.0**power
    scaled = value * scale
    nearest = round(scaled)
    whole_number = nearest if abs(scaled - nearest) < 1e-6 else towards(scaled)
    return round(whole_number / scale, max(power, 0))


def users(value: float) -> Figure:
    return Figure(value, "users")


def ratio(value: float, *, signed: bool = False) -> Figure:
    return Figure(value, "ratio", signed)


def number(value: float) -> Figure:
    return Figure(value, "number")


def people(value: float) -> Figure:
    return Figure(value, "people")


def multiple(value: float) -> Figure:
    return Figure(value, "multiple")


def month(value: float) -> Figure:
    return Figure(value, "month")


def months(value: float) -> Figure:
    return Figure(value, "months")
