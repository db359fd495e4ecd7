"""How customers feel: NPS with its interval, top-two-box, mood of comments, and whom to win back first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

MOODS = ("negative", "neutral", "positive")
RECOVERY = ("complaint_open", "detractor", "negative_comment")  # the worst first
_PROMOTER, _DETRACTOR = 9, 6  # answers from 0 to 10: promoters from, detractors up to
_POINTS = 100.0
_PSEUDO = np.array([0.75, 1.5, 0.75])  # detractors, passives, promoters; Rocks 2016, adjusted Wald (3, T)
_KAPPA = 0.6  # substantial agreement, Landis & Koch 1977


@dataclass(frozen=True, slots=True)
class Nps:
    """Net promoter score, -100 to 100.

    Attributes:
        score: in points; None without answers.
        interval: of it, in points; None without answers.
        n: answers.
        promoters, passives, detractors: counts.
        method: wald: variance p + d - (p - d)^2 over n; adjusted_wald, with three answers more, where all gave one
            kind of answer and that variance is 0; "" without answers.
        reason: "" or `no_answers`.
    """

    score: float | None
    interval: Interval | None
    n: int
    promoters: int
    passives: int
    detractors: int
    method: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TopTwo:
    """Answers on a scale from 1 to 5.

    Attributes:
        share: of answers 4 and 5; None without answers.
        interval: of the share.
        mean: mean answer; says nothing of the share.
        n: answers.
        reason: "" or `no_answers`.
    """

    share: float | None
    interval: Interval | None
    mean: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MoodTrend:
    """Positive less negative share of comments, by period.

    Attributes:
        net: (T,) from -1 to 1; None where nobody commented.
        low, high: (T,) its interval, None as net.
        n: (T,) comments.
        slope: change of net per period, weighted by comments; None with fewer than three periods that have any.
        slope_interval: of the slope, widened where periods scatter more than chance does.
        direction: up, down or flat where the interval holds zero; "" without a slope.
    """

    net: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    n: np.ndarray
    slope: float | None
    slope_interval: Interval | None
    direction: str


@dataclass(frozen=True, slots=True)
class MoodCheck:
    """A way of telling moods, held against comments that people have labelled.

    Attributes:
        accuracy: share told right.
        interval: of it.
        kappa: agreement beyond chance (Cohen 1960); None where labels and answers are all one mood.
        recall: mood -> share of comments of that mood that were found; None where none has the label.
        n: labelled comments.
        usable: whether kappa is at least 0.6.
    """

    accuracy: float
    interval: Interval
    kappa: float | None
    recall: Mapping[str, float | None]
    n: int
    usable: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """Customers to win back, first come first: open complaints, detractors, negative comments; then by value.

    Attributes:
        order: (M,) places of the customers.
        reason: (M,) place in RECOVERY of the worst reason of each.
        counts: (3,) customers by it.
    """

    order: np.ndarray
    reason: np.ndarray
    counts: np.ndarray


def nps(promoters: float, passives: float, detractors: float, *, level: float = 0.95) -> Nps:
    """Return the net promoter score of counted answers.

    Args:
        promoters, passives, detractors: whole counts, >= 0.
        level: coverage of the interval.

    Source: Reichheld 2003; Rocks 2016 for answers of one kind.

    >>> found = nps(70, 20, 10)
    >>> found.score, round(found.interval.low, 1), round(found.interval.high, 1)
    (60.0, 47.0, 73.0)
    """
    guard = Guard()
    given = {"promoters": promoters, "passives": passives, "detractors": detractors}
    counts = [guard.whole(name, value, low=0) for name, value in given.items()]
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    many, between, against = counts
    n = sum(counts)
    if n == 0:
        return Nps(None, None, 0, 0, 0, 0, "", "no_answers")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    score, spread = _net(np.array([against, between, many], dtype=float))
    centre, method = score, "wald"
    if spread == 0:
        centre, spread = _net(np.array([against, between, many]) + _PSEUDO)
        method = "adjusted_wald"
    low, high = max(centre - z * spread, -1.0), min(centre + z * spread, 1.0)
    return Nps(_POINTS * score, Interval(_POINTS * low, _POINTS * high, level), n, many, between, against, method)


def nps_of_answers(counts: object, *, level: float = 0.95) -> Nps:
    """Return the net promoter score of answers from 0 to 10: 9 and 10 promote, 0 to 6 detract.

    Args:
        counts: (11,) how many gave each answer, 0 first.

    >>> nps_of_answers([0, 0, 0, 0, 0, 0, 10, 10, 10, 30, 40]).score
    60.0
    """
    guard = Guard()
    seen = guard.numbers("counts", counts, low=0.0, ndim=(1,))
    if not guard.problems and seen.shape != (11,):
        guard.add("shape", "counts", f"shape {seen.shape}", expected="11 counts, of the answers 0 to 10")
    guard.done()
    against, between = seen[: _DETRACTOR + 1], seen[_DETRACTOR + 1 : _PROMOTER]
    return nps(float(seen[_PROMOTER:].sum()), float(between.sum()), float(against.sum()), level=level)


def top_two_box(counts: object, *, level: float = 0.95) -> TopTwo:
    """Return the share of answers 4 and 5 on a scale from 1 to 5.

    A mean does not tell it: 4.5 may come from three quarters or from all of the customers. So there is no way here
    from a mean to a share.

    Args:
        counts: (5,) how many gave each answer, 1 first.

    Raises:
        InputError: anything but five counts is given, a mean for instance.

    >>> top_two_box([0, 0, 25, 0, 75]).share, top_two_box([0, 0, 0, 50, 50]).share
    (0.75, 1.0)
    """
    guard = Guard()
    seen = np.asarray(counts)
    if seen.shape != (5,):
        guard.add("shape", "counts", counts, expected="5 counts, of the answers 1 to 5; a mean does not tell the share")
        guard.done()
    seen = guard.numbers("counts", counts, low=0.0)
    if np.any(seen != np.floor(seen)):
        guard.add("not_whole", "counts")
    guard.done()
    n = int(seen.sum())
    if n == 0:
        return TopTwo(None, None, None, 0, "no_answers")
    good = float(seen[3:].sum())
    band = wilson(good, n, level=level)
    return TopTwo(good / n, band, float(seen @ np.arange(1, 6)) / n, n)


def mood_trend(counts: object, *, level: float = 0.95) -> MoodTrend:
    """Follow the mood of comments over periods.

    Args:
        counts: (T, 3) negative, neutral and positive comments by period, in order.
        level: coverage of the intervals.

    >>> mood_trend([[30, 40, 30], [20, 40, 40], [12, 38, 50]]).direction
    'up'
    """
    guard = Guard()
    seen = guard.numbers("counts", counts, low=0.0, ndim=(2,))
    if not guard.problems and seen.shape[1] != len(MOODS):
        guard.add("shape", "counts", f"shape {seen.shape}", expected="3 columns: negative, neutral, positive")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    z, n = NormalDist().inv_cdf(0.5 + level / 2), seen.sum(axis=1)
    net: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []
    for row, many in zip(seen, n, strict=True):
        if many == 0:
            net, low, high = [*net, None], [*low, None], [*high, None]
            continue
        centre, spread = _net(row + _PSEUDO)
        net.append(_net(row)[0])
        low.append(max(centre - z * spread, -1.0))
        high.append(min(centre + z * spread, 1.0))
    some = np.flatnonzero(n > 0)
    if len(some) < 3:
        return MoodTrend(tuple(net), tuple(low), tuple(high), n, None, None, "")
    weight = np.array([1 / _net(seen[t] + _PSEUDO)[1] ** 2 for t in some])
    y, x = np.array([net[t] for t in some]), some - weight @ some / weight.sum()
    slope = float((weight * x) @ y / ((weight * x) @ x))
    rest = y - weight @ y / weight.sum() - slope * x
    scatter = max(1.0, float(weight @ rest**2) / (len(some) - 2))
    half = z * (scatter / float((weight * x) @ x)) ** 0.5
    band = Interval(slope - half, slope + half, level)
    direction = "up" if band.low > 0 else "down" if band.high < 0 else "flat"
    return MoodTrend(tuple(net), tuple(low), tuple(high), n, slope, band, direction)


def check_moods(labelled: Sequence[int], told: Sequence[int], *, level: float = 0.95) -> MoodCheck:
    """Hold moods told by a model or a word list against labels that people gave.

    Args:
        labelled, told: (N,) places in MOODS of the same comments.
        level: coverage of the interval.

    >>> check_moods([0, 0, 1, 2], [0, 0, 1, 2]).kappa
    1.0
    """
    guard = Guard()
    true = guard.numbers("labelled", labelled, low=0.0, high=2.0, ndim=(1,))
    said = guard.numbers("told", told, low=0.0, high=2.0, ndim=(1,))
    if true.shape != said.shape:
        guard.add("shape", "told", f"shape {said.shape}", expected=f"shape {true.shape}")
    guard.done()
    table = np.bincount((3 * true + said).astype(int), minlength=9).reshape(3, 3)
    n, right = int(table.sum()), int(table.trace())
    chance = float(table.sum(axis=0) @ table.sum(axis=1)) / n**2
    kappa = (right / n - chance) / (1 - chance) if chance < 1 else None
    of = table.sum(axis=1)
    recall = {mood: float(table[k, k] / of[k]) if of[k] else None for k, mood in enumerate(MOODS)}
    band = wilson(right, n, level=level)
    return MoodCheck(right / n, band, kappa, recall, n, kappa is not None and kappa >= _KAPPA)


def recovery(answer: object, negative_comments: object, complaints_open: object, value_cny: object) -> Recovery:
    """List the customers to win back: worst reason first, within it the most valuable first.

    Args:
        answer: (N,) newest answer from 0 to 10; -1 = none.
        negative_comments: (N,) in the last months.
        complaints_open: (N,) complaints not settled yet.
        value_cny: (N,) what each customer is worth.

    >>> recovery([9, 3, -1, 2], [0, 0, 1, 0], [0, 0, 0, 1], [5, 50, 9, 1]).order.tolist()
    [3, 1, 2]
    """
    guard = Guard()
    said = guard.numbers("answer", answer, low=-1.0, high=10.0, ndim=(1,))
    angry = guard.numbers("negative_comments", negative_comments, low=0.0, ndim=(1,))
    waiting = guard.numbers("complaints_open", complaints_open, low=0.0, ndim=(1,))
    worth = guard.numbers("value_cny", value_cny, ndim=(1,))
    for name, figure in (("negative_comments", angry), ("complaints_open", waiting), ("value_cny", worth)):
        if figure.shape != said.shape:
            guard.add("shape", name, f"shape {figure.shape}", expected=f"shape {said.shape}")
    guard.done()
    detracts = (said >= 0) & (said <= _DETRACTOR)
    reason = np.select([waiting > 0, detracts, angry > 0], [0, 1, 2], 3)
    order = np.lexsort((-worth, reason))
    order = order[reason[order] < len(RECOVERY)]
    return Recovery(order, reason[order], np.bincount(reason[order], minlength=len(RECOVERY)))


def _net(counts: np.ndarray) -> tuple[float, float]:
    """Net share of (detractors, passives, promoters) and its standard error."""
    n, against, many = counts.sum(), counts[0], counts[2]
    net = (many - against) / n
    return float(net), float(max((many + against) / n - net**2, 0.0) / n) ** 0.5
