"""A month's target spread over its days, how much of it is due today, and where the month will end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.decompose import apportion
from planlib.core.guards import Guard

LEAST_WEEKS = 8  # of history, below which weekdays are taken as equal


@dataclass(frozen=True, slots=True)
class Promotion:
    """Days on which more is sold: first and last day, and how many times an ordinary day."""

    first: np.datetime64
    last: np.datetime64
    factor: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a daily count swings.

    Attributes:
        weekday: (7,) Monday to Sunday, mean 1.
        off: what a public holiday brings, in ordinary days of its weekday.
        promotion: the same of a day of a promotion.
        dispersion: variance of a day over its mean; 1 is Poisson.
        days: of the history that it was taken from.
    """

    weekday: tuple[float, ...]
    off: float
    promotion: float
    dispersion: float
    days: int


@dataclass(frozen=True, slots=True)
class Pace:
    """A month to date.

    Attributes:
        target: of the whole month.
        due: of it by today.
        actual: to date.
        ahead: actual less due.
        ratio: actual over due; None while nothing is due.
        needed_per_day: what each ordinary day that is left must bring, in `ordinary` days; None at the month's end.
        ordinary: what such a day brings at the pace so far.
        projected, low, high: the month's end and its interval.
        level: of the interval.
        days_done, days_left: of the month.
    """

    target: float
    due: float
    actual: float
    ahead: float
    ratio: float | None
    needed_per_day: float | None
    ordinary: float
    projected: float
    low: float
    high: float
    level: float
    days_done: int
    days_left: int


def pattern(
    days: object, counts: object, *, off: object = None, promoted: object = None, level: object = None
) -> Pattern:
    """Measure how a daily count swings by weekday, holiday and promotion.

    Weekdays come from ordinary days only, each set against the mean of the four weeks round it, so that growth
    is not taken for a pattern; holidays and promotions against what their weekdays would have brought.

    Args:
        days: (D,) dates in order, none missing.
        counts: (D,) >= 0.
        off, promoted: (D,) whether the day is a public holiday, or in a promotion; None for never.
        level: (D,) what an average day was to bring; None for the mean of the four weeks round it.

    Raises:
        InputError: shapes disagree, days are missing, or a count is negative.
    """
    guard = Guard()
    y = guard.numbers("counts", counts, low=0.0, ndim=(1,))
    when, holiday, sale = _calendar(guard, days, off, promoted)
    if len(when) != len(y):
        guard.add("shape", "counts", f"{len(y)} days", expected=f"{len(when)} days")
    guard.done()
    ordinary = ~holiday & ~sale
    weekday = weekdays(when)
    base = _level(y, ordinary) if level is None else guard.numbers("level", level, low=0.0, ndim=(1,))
    guard.done()
    if not ordinary.any() or len(y) < 7 * LEAST_WEEKS or base[ordinary].sum() == 0:
        factors = np.ones(7)
    else:
        sums = np.bincount(weekday[ordinary], y[ordinary], minlength=7)
        due = np.bincount(weekday[ordinary], base[ordinary], minlength=7)
        factors = np.divide(sums, due, out=np.ones(7), where=due > 0)
        factors /= factors.mean() if factors.mean() > 0 else 1.0
    expected = base * factors[weekday]
    ratios = [
        float(y[days_of].sum() / expected[days_of].sum()) if days_of.any() and expected[days_of].sum() > 0 else 1.0
        for days_of in (holiday & ~sale, sale)
    ]
    fitted = expected * np.where(sale, ratios[1], np.where(holiday, ratios[0], 1.0))
    kept = fitted > 0
    freedom = max(int(kept.sum()) - 7 - len(y) // 28, 1)
    spread = float(((y[kept] - fitted[kept]) ** 2 / fitted[kept]).sum() / freedom) if kept.any() else 1.0
    return Pattern(tuple(factors.tolist()), ratios[0], ratios[1], max(spread, 1e-6), len(y))


def weights(days: object, swing: Pattern, *, off: object = None, promotions: Sequence[Promotion] = ()) -> np.ndarray:
    """Return (D,) what each day weighs: its weekday, times the holiday's, or the promotion's in place of it.

    Args:
        days: (D,) dates.
        swing: of the metric.
        off: (D,) public holidays.
        promotions: the largest counts where several meet.

    Raises:
        InputError: a promotion ends before it begins, or its factor is not above 0.
    """
    guard = Guard()
    when, holiday, _ = _calendar(guard, days, off, None)
    boost = np.zeros(len(when))
    for place, one in enumerate(promotions):
        factor = guard.number(f"promotions[{place}].factor", one.factor, above=0.0)
        if one.last < one.first:
            guard.add("end_before_start", f"promotions[{place}].last", str(one.last))
        inside = (when >= np.datetime64(one.first, "D")) & (when <= np.datetime64(one.last, "D"))
        boost = np.where(inside, np.maximum(boost, factor), boost)
    guard.done()
    usual = np.array(swing.weekday)[weekdays(when)]
    return usual * np.where(boost > 0, boost, np.where(holiday, swing.off, 1.0))


def daily_targets(target: int, weight: object) -> np.ndarray:
    """Return (D,) whole targets of the days, which sum to the month's exactly.

    >>> daily_targets(100, [1.0, 1.0, 2.0]).tolist()
    [25, 25, 50]
    """
    return apportion(target, weight)


def month_pace(
    actual: object, weight: object, *, target: float, dispersion: float, level: float = 0.8, before: float = 0.0
) -> Pace:
    """Compare a month to date with what is due, and project its end.

    What is left is expected at the pace so far, R = actual / weight done, over the weight that is left, W. The
    interval holds both that the rest varies and that the pace is known from few days:
    var = dispersion · R · W · (1 + W / weight done).

    Args:
        actual: (d,) days that are over, d >= 1.
        weight: (D,) of all days of the month, D >= d; days that cannot bring anything weigh 0.
        target: of the month, >= 0.
        dispersion: variance of a day over its mean (`Pattern.dispersion`, in the unit of the counts).
        level: of the interval.
        before: what an ordinary day brought before the month; the pace while nothing of its weight is over.

    Raises:
        InputError: more days over than the month has, or a number out of range.

    Source: ratio estimator; prediction variance of a quasi-Poisson mean (McCullagh & Nelder 1989).

    >>> found = month_pace([10.0] * 15, [1.0] * 30, target=330.0, dispersion=1.0)
    >>> found.due, found.projected, round(found.ratio, 3)
    (165.0, 300.0, 0.909)
    """
    guard = Guard()
    done = guard.numbers("actual", actual, low=0.0, ndim=(1,))
    w = guard.numbers("weight", weight, low=0.0, ndim=(1,))
    goal = guard.number("target", target, low=0.0)
    spread = guard.number("dispersion", dispersion, low=0.0)
    guard.number("level", level, above=0.0, below=1.0)
    usual = guard.number("before", before, low=0.0)
    if len(done) > len(w):
        guard.add("shape", "actual", f"{len(done)} days", expected=f"at most {len(w)} days")
    elif w.sum() <= 0:
        guard.add("above", "weight", 0.0, low="0 on at least one day")
    guard.done()
    over, left = float(w[: len(done)].sum()), float(w[len(done) :].sum())
    total = float(done.sum())
    rate = total / over if over > 0 else usual
    known = 1 + left / over if over > 0 else 2.0
    half = _quantile(level, len(done)) * np.sqrt(spread * rate * left * known)
    end = total + rate * left
    due = goal * over / (over + left)
    return Pace(
        target=goal,
        due=due,
        actual=total,
        ahead=total - due,
        ratio=total / due if due > 0 else None,
        needed_per_day=max(goal - total, 0.0) / left if left > 0 else None,
        ordinary=rate,
        projected=end,
        low=float(max(end - half, total)),
        high=float(end + half),
        level=level,
        days_done=len(done),
        days_left=len(w) - len(done),
    )


def weekdays(days: np.ndarray) -> np.ndarray:
    """Return (D,) 0 for Monday to 6 for Sunday."""
    return (days.astype("M8[D]").astype(int) + 3) % 7


def _level(y: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """Return (D,) the mean of the ordinary days within a fortnight of each day."""
    sums, counts = (np.concatenate([[0.0], np.cumsum(x)]) for x in (np.where(ordinary, y, 0.0), ordinary))
    at = np.arange(len(y))
    low, high = np.maximum(at - 14, 0), np.minimum(at + 14, len(y))
    kept = counts[high] - counts[low]
    return np.divide(sums[high] - sums[low], kept, out=np.full(len(y), y.mean()), where=kept > 0)


def _quantile(level: float, days: int) -> float:
    """Student's quantile on the days that the pace rests on."""
    from scipy.special import stdtrit

    return float(stdtrit(max(days - 1, 1), 0.5 + level / 2))


def _calendar(guard: Guard, days: object, off: object, promoted: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    when = np.asarray(days, dtype="M8[D]")
    if when.ndim != 1 or not len(when):
        guard.add("empty", "days")
        when = np.array(["2000-01-01"], dtype="M8[D]")
    elif (np.diff(when) != np.timedelta64(1, "D")).any():
        guard.add("shape", "days", "days are missing or out of order", expected="every day once")
    marks = []
    for name, mark in (("off", off), ("promoted", promoted)):
        found = np.zeros(len(when), dtype=bool) if mark is None else np.asarray(mark, dtype=bool)
        if found.shape != when.shape:
            guard.add("shape", name, f"shape {found.shape}", expected=f"({len(when)},)")
            found = np.zeros(len(when), dtype=bool)
        marks.append(found)
    return when, *marks
