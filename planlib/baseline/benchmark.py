"""One's own level beside a benchmark: only where both divide the same things over the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from planlib.baseline.levels import Level
from planlib.core.guards import Guard

WHAT = ("metric", "numerator", "denominator", "window", "population")


@dataclass(frozen=True, slots=True)
class Measure:
    """What a figure measures. None: not stated, and so not known to be the same as anything.

    A metric that is no quotient says "" for what is not divided.
    """

    metric: str
    numerator: str | None
    denominator: str | None
    window: float | None
    population: str | None

    @property
    def stated(self) -> bool:
        return None not in (self.numerator, self.denominator, self.window, self.population)


@dataclass(frozen=True, slots=True)
class Gap:
    """Own level against a benchmark.

    Attributes:
        multiple: own over benchmark; None where the two may not be compared.
        low, high: interval of it; None without an interval of the own level.
        log_ratio: natural logarithm of the multiple.
        reason: "" when comparable, else which of `WHAT` differs ("differs_<what>"), is not stated
            ("unstated_<what>"), or "not_measured", "not_positive".
    """

    multiple: float | None
    low: float | None
    high: float | None
    log_ratio: float | None
    reason: str = ""

    @property
    def comparable(self) -> bool:
        return not self.reason


def incomparable(own: Measure, other: Measure) -> str:
    """Return why two figures may not be compared; "" when they may.

    >>> quoted = Measure("conversion_rate", "buyers", None, 30, "own_users")
    >>> incomparable(quoted, quoted)
    'unstated_denominator'
    """
    for what in WHAT:
        mine, its = getattr(own, what), getattr(other, what)
        if mine is None or its is None:
            return f"unstated_{what}"
        if mine != its:
            return f"differs_{what}"
    return ""


def gap(own: Measure, level: Level, other: Measure, benchmark: float) -> Gap:
    """Return how far the own level stands from a benchmark, as a multiple.

    Args:
        own, other: what each measures.
        level: the own level.
        benchmark: the other's level, > 0.

    >>> same = Measure("conversion_rate", "buyers", "new_users", 30, "own_users")
    >>> round(gap(same, Level(0.12, None, None, 900, "wilson"), same, 0.08).multiple, 9)
    1.5
    """
    guard = Guard()
    its = guard.number("benchmark", benchmark)
    guard.done()
    reason = incomparable(own, other)
    if not reason and level.value is None:
        reason = "not_measured"
    if not reason and not (its > 0 and level.value > 0):
        reason = "not_positive"
    if reason:
        return Gap(None, None, None, None, reason)
    low, high = (None if end is None else end / its for end in (level.low, level.high))
    return Gap(level.value / its, low, high, log(level.value / its))


def implied(level: float, multiple: float) -> float:
    """Return the benchmark that a goal stated as a multiple implies: level over multiple.

    >>> round(implied(0.35, 1.5), 3)
    0.233
    """
    guard = Guard()
    own = guard.number("level", level, above=0.0)
    times = guard.number("multiple", multiple, above=0.0)
    guard.done()
    return exp(log(own) - log(times))


def one_axis(measures: Sequence[Measure]) -> list[list[int]]:
    """Return groups of positions that may share one axis; what is not fully stated stands alone.

    >>> a = Measure("conversion_rate", "buyers", None, 30, None)
    >>> one_axis([a, a])
    [[0], [1]]
    """
    groups: dict[object, list[int]] = {}
    for index, measure in enumerate(measures):
        groups.setdefault(measure if measure.stated else index, []).append(index)
    return list(groups.values())
