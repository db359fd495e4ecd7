"""Whether a series has moved: control charts on what the weekday pattern leaves over, at a declared false-alarm rate.

Each new value is held against the pattern (weekday, holidays, promotions) that all values before it gave, and put on
the scale of a standard normal by what is known of their spread at that moment. While nothing changes those scores are
independent and exactly standard normal for normal errors, however short the history: so the charts keep the run length
that they declare, which charts with limits from a short reference period do not (Hawkins 1987; Brown, Durbin & Evans
1975).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.core.control import cusum_limit, cusum_run_length, ewma_limit, ewma_run_length
from planlib.core.guards import Guard

RUN_LENGTH = 365.0  # one false alarm a year of days
QUIET = 14  # points without a signal after which an alarm is closed
EWMA_WEIGHT = 0.2
PHASES = ("interaction", "exits", "reputation")  # in the order in which decay goes (W 5.1)
FALLS, RISES = -1, 1


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stretch in which a series was out of control.

    Attributes:
        began: place of the first point after the last at which the chart stood at zero: when it likely moved.
        raised: place at which the alarm was raised.
        last: place of the last signal of the stretch.
        closed: place at which it was closed; None while it is open.
        direction: FALLS or RISES.
        size: mean score from `began` to `raised`, in standard deviations.
    """

    began: int
    raised: int
    last: int
    closed: int | None
    direction: int
    size: float


@dataclass(frozen=True, eq=False)
class Watch:
    """A series under watch.

    Attributes:
        score: (T,) standard scores; NaN while the pattern is being learned.
        statistic: (T,) of the chart: EWMA, or the CUSUM of the side that is farther out, with its sign; NaN as above.
        limit: at which an alarm is raised; of EWMA in its end state.
        alarms: in order.
        run_length: declared mean number of points between false alarms.
        watched: points that were scored.
        reason: "" or why nothing was watched: too_short, constant.
    """

    score: np.ndarray
    statistic: np.ndarray
    limit: float
    alarms: tuple[Alarm, ...]
    run_length: float
    watched: int
    reason: str = ""

    @property
    def open(self) -> Alarm | None:
        """The alarm that is open at the end; None without one."""
        return self.alarms[-1] if self.alarms and self.alarms[-1].closed is None else None


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a chart takes to see a shift, on average.

    Attributes:
        shift: in standard deviations.
        points: from the shift to the alarm.
        run_length: between false alarms.
    """

    shift: float
    points: float
    run_length: float


def detection_delay(
    shift: float, *, kind: str = "cusum", tuned_to: float = 1.0, run_length: float = RUN_LENGTH
) -> Delay:
    """Return the mean number of points that a chart takes to see a shift that begins with it.

    Args:
        shift: in standard deviations, > 0.
        kind: cusum or ewma.
        tuned_to: the shift that a CUSUM is made for.
        run_length: declared.

    >>> round(detection_delay(1.0, run_length=370.0).points, 1)
    9.9
    """
    guard = Guard()
    size = guard.number("shift", shift, above=0.0)
    guard.choice("kind", kind, ("cusum", "ewma"))
    tuned = guard.number("tuned_to", tuned_to, above=0.0)
    wanted = guard.number("run_length", run_length, above=1.0)
    guard.done()
    if kind == "ewma":
        return Delay(size, ewma_run_length(EWMA_WEIGHT, ewma_limit(EWMA_WEIGHT, wanted), shift=size), wanted)
    return Delay(size, cusum_run_length(tuned / 2, cusum_limit(tuned / 2, wanted), shift=size), wanted)


def calendar_design(days: object, *, off: object = None, promoted: object = None) -> np.ndarray:
    """Return (T, P) of a pattern: a level, six weekdays against Monday, holidays and promotions where there are any.

    Args:
        days: (T,) dates.
        off: (T,) marks of holidays.
        promoted: (T,) or (T, K) marks of promotions, a column each where they do not sell alike.
    """
    when = np.asarray(days, dtype="M8[D]")
    weekday = (when.astype(int) + 3) % 7
    columns = [np.ones(len(when)), *(weekday == k for k in range(1, 7))]
    for mark in (off, promoted):
        marks = np.zeros((len(when), 0)) if mark is None else np.asarray(mark, dtype=float).reshape(len(when), -1)
        columns += [column for column in marks.T if column.any()]
    return np.column_stack(columns).astype(float)


def steady(counts: object) -> np.ndarray:
    """Return counts on a scale on which they vary alike, large or small (Anscombe 1948).

    >>> steady([0, 100]).round(2).tolist()
    [1.22, 20.04]
    """
    guard = Guard()
    x = guard.numbers("counts", counts, low=0.0)
    guard.done()
    return 2 * np.sqrt(x + 0.375)


def steady_share(parts: object, wholes: object) -> np.ndarray:
    """Return shares on a scale on which they vary alike; what they vary beyond chance is learned from the series.

    That the spread is learned, and not taken from the binomial, is Laney's correction for large counts (Laney 2002).

    Args:
        parts: (T,) counted.
        wholes: (T,) out of which, > 0.

    >>> steady_share([0, 50, 100], [100, 100, 100]).round(2).tolist()
    [0.12, 1.57, 3.02]
    """
    guard = Guard()
    x = guard.numbers("parts", parts, low=0.0)
    n = guard.numbers("wholes", wholes, above=0.0)
    if x.shape != n.shape or np.any(x > n):
        guard.add("at_most", "parts", float(np.max(x)), high="wholes")
    guard.done()
    return 2 * np.arcsin(np.sqrt((x + 0.375) / (n + 0.75)))


def watch(
    values: object, design: object = None, *, kind: str = "cusum", side: int = 0, tuned_to: float = 1.0,
    run_length: float = RUN_LENGTH, learn: int | None = None, quiet: int = QUIET, missing: object = None,
) -> Watch:  # fmt: skip
    """Watch a series and raise alarms.

    Until the first alarm every scored point is learned from. An alarm takes the memory back to where the series
    likely moved, so that what came after is not learned as normal; learning goes on when the alarm is closed.

    Args:
        values: (T,) in order, on a scale on which they vary alike (`steady`, `steady_share`).
        design: (T, P) pattern, e.g. `calendar_design`; None for a level alone.
        kind: cusum or ewma.
        side: FALLS or RISES to listen to one side only, which halves the rate of false alarms; 0 for both.
        tuned_to: the shift that a CUSUM finds quickest, in standard deviations.
        run_length: mean number of points between false alarms, both sides together.
        learn: points that are only learned from; None for twice the pattern's columns, at least 14.
        quiet: points without a signal that close an alarm.
        missing: (T,) marks of points that nobody knows, whatever stands there; they are neither learned nor scored.

    Raises:
        InputError: shapes disagree, a value is not finite, or a number is out of range.
    """
    guard = Guard()
    y = guard.numbers("values", values, ndim=(1,))
    x = np.ones((len(y), 1)) if design is None else guard.numbers("design", design, ndim=(2,))
    if len(x) != len(y):
        guard.add("shape", "design", f"{len(x)} rows", expected=f"{len(y)} rows")
    guard.choice("kind", kind, ("cusum", "ewma"))
    guard.choice("side", side, (FALLS, 0, RISES))
    tuned = guard.number("tuned_to", tuned_to, above=0.0)
    wanted = guard.number("run_length", run_length, above=1.0)
    start = max(2 * x.shape[1], 14) if learn is None else guard.whole("learn", learn, low=x.shape[1] + 2, high=10**6)
    pause = guard.whole("quiet", quiet, low=1, high=10**6)
    gone = np.zeros(len(y), dtype=bool) if missing is None else np.asarray(missing, dtype=bool)
    if gone.shape != y.shape:
        guard.add("shape", "missing", f"shape {gone.shape}", expected=f"({len(y)},)")
    guard.done()
    chart = _Cusum(tuned / 2, wanted, start) if kind == "cusum" else _Ewma(wanted, start)
    empty = np.full(len(y), np.nan)
    there = np.flatnonzero(~gone)
    if len(there) <= start:
        return Watch(empty, empty.copy(), chart.limit, (), wanted, 0, "too_short")
    if np.ptp(y[there]) == 0:
        return Watch(empty, empty.copy(), chart.limit, (), wanted, 0, "constant")
    found = _run(y[there], x[there], chart, side, start, pause, wanted)
    return found if len(there) == len(y) else _put_back(found, there, len(y))


def _put_back(found: Watch, there: np.ndarray, points: int) -> Watch:
    """Return a watch of the known points as one of all of them."""

    def at(place: int | None) -> int | None:
        return None if place is None else int(there[place])

    score, statistic = (np.full(points, np.nan) for _ in range(2))
    score[there], statistic[there] = found.score, found.statistic
    moved = [replace(a, began=at(a.began), raised=at(a.raised), last=at(a.last), closed=at(a.closed))
             for a in found.alarms]  # fmt: skip
    return replace(found, score=score, statistic=statistic, alarms=tuple(moved))


def _run(
    y: np.ndarray, x: np.ndarray, chart: _Cusum | _Ewma, side: int, start: int, quiet: int, wanted: float
) -> Watch:
    score, statistic = np.full(len(y), np.nan), np.full(len(y), np.nan)
    memory = _Memory.of(y[:start], x[:start])
    kept = {start: memory}  # memory before each point, for going back
    raised: list[Alarm] = []
    for t in range(start, len(y)):
        score[t] = memory.score(y[t], x[t])
        signal = chart.step(t, score[t])
        statistic[t] = chart.told
        current = raised[-1] if raised and raised[-1].closed is None else None
        if signal and side in (0, signal):
            began = chart.began(signal)
            if current and current.direction == signal:
                raised[-1] = replace(current, last=t)
            else:
                if current:
                    raised[-1] = replace(current, closed=t)
                raised.append(Alarm(began, t, t, None, signal, float(score[began : t + 1].mean())))
                memory = kept.get(began, memory)
            chart.reset(t + 1)
        elif signal:  # of the side that nobody listens to
            chart.reset(t + 1)
        elif current and t - current.last >= quiet:
            raised[-1] = replace(current, closed=t)
        elif not current:
            memory = memory.with_point(y[t], x[t])
        kept[t + 1] = memory
    return Watch(score, statistic, chart.limit, tuple(raised), wanted, len(y) - start)


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    """Least squares over the points so far: inverse of x'x, coefficients, squares left over, degrees of freedom."""

    inverse: np.ndarray
    beta: np.ndarray
    squares: float
    freedom: int
    least: float  # what rounding alone may leave over

    @classmethod
    def of(cls, y: np.ndarray, x: np.ndarray) -> _Memory:
        """Return what the first points teach; columns that they do not tell apart are learned when they do."""
        inverse = np.linalg.pinv(x.T @ x)
        rank = int(np.linalg.matrix_rank(x))
        unseen = np.eye(x.shape[1]) - inverse @ (x.T @ x)
        inverse = inverse + 1e6 * unseen @ unseen.T
        beta = np.linalg.pinv(x) @ y
        return cls(inverse, beta, float(((y - x @ beta) ** 2).sum()), len(y) - rank, 1e-9 * float(np.abs(y).max()))

    def _off(self, y: float, x: np.ndarray) -> float:
        """Return the error of foretelling a point over what makes it vary like one in the middle of the data."""
        return float((y - x @ self.beta) / np.sqrt(1.0 + x @ self.inverse @ x))

    def score(self, y: float, x: np.ndarray) -> float:
        """Return a point as a standard normal: Student's t of its error, by its probability; at most 6 either way."""
        from scipy.special import ndtri, stdtr

        spread = np.sqrt(self.squares / self.freedom)
        off = self._off(y, x)
        if spread <= self.least:
            return 0.0 if abs(off) <= self.least else float(np.copysign(6.0, off))
        tail = float(stdtr(self.freedom, -abs(off / spread)))
        return float(np.sign(off) * min(-float(ndtri(tail)) if tail > 0 else 6.0, 6.0))

    def with_point(self, y: float, x: np.ndarray) -> _Memory:
        """Return the memory with one more point (recursive least squares); a column's first point adds no freedom."""
        turned = self.inverse @ x
        size = 1.0 + float(x @ turned)
        off = float(y - x @ self.beta)
        new = size > 1e5
        return _Memory(
            self.inverse - np.outer(turned, turned) / size, self.beta + turned * off / size,
            self.squares + (0.0 if new else off * off / size), self.freedom + (0 if new else 1), self.least,
        )  # fmt: skip


class _Cusum:
    """Two-sided tabular CUSUM (Page 1954)."""

    def __init__(self, half: float, run_length: float, start: int):
        self.half, self.limit = half, cusum_limit(half, run_length)
        self.reset(start)

    def step(self, t: int, score: float) -> int:
        self.high, self.low = max(0.0, self.high + score - self.half), min(0.0, self.low + score + self.half)
        up, down = self.high > self.limit, -self.low > self.limit
        if self.high == 0:
            self.since[RISES] = t + 1
        if self.low == 0:
            self.since[FALLS] = t + 1
        return RISES if up else FALLS if down else 0

    @property
    def told(self) -> float:
        return self.high if self.high >= -self.low else self.low

    def began(self, signal: int) -> int:
        return self.since[signal]

    def reset(self, t: int) -> None:
        self.high = self.low = 0.0
        self.since = {FALLS: t, RISES: t}


class _Ewma:
    """Exponentially weighted moving average (Roberts 1959) with limits that widen to their end value."""

    def __init__(self, run_length: float, start: int):
        self.limit = ewma_limit(EWMA_WEIGHT, run_length) * np.sqrt(EWMA_WEIGHT / (2 - EWMA_WEIGHT))
        self.reset(start)

    def step(self, t: int, score: float) -> int:
        before = self.told
        self.told += EWMA_WEIGHT * (score - self.told)
        self.count += 1
        if before * self.told <= 0:
            self.since = t
        limit = self.limit * np.sqrt(1 - (1 - EWMA_WEIGHT) ** (2 * self.count))
        return int(np.sign(self.told)) if abs(self.told) > limit else 0

    def began(self, signal: int) -> int:
        return self.since

    def reset(self, t: int) -> None:
        self.told, self.count, self.since = 0.0, 0, t


# ---- the chain of decay


@dataclass(frozen=True, slots=True)
class Link:
    """One sign of the chain.

    Attributes:
        sign: of `PHASES`.
        began, raised: places in the common series; None while it is quiet.
        lag: points from where the sign before it began; None without both.
        in_order: whether it came no earlier than every sign before it.
    """

    sign: str
    began: int | None
    raised: int | None
    lag: int | None
    in_order: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """How far decay has gone.

    Attributes:
        links: in the order of `PHASES`, those that are counted.
        phase: healthy, or the last sign that has been raised.
        next_sign: what follows unless something is done; "" at the end or while healthy.
        ordered: whether all signs that were raised came in order.
    """

    links: tuple[Link, ...]
    phase: str
    next_sign: str
    ordered: bool


def decay(watches: Mapping[str, Watch]) -> Chain:
    """Put the alarms of interaction, exits and reputation in order: members go quiet, then leave, then speak ill.

    Args:
        watches: sign of `PHASES` -> its watch over the same points: interaction listens to falls, the others to rises.

    Raises:
        InputError: an unknown sign, or none.
    """
    guard = Guard()
    for name in watches:
        guard.choice("watches", name, PHASES)
    if not watches:
        guard.add("empty", "watches")
    guard.done()
    links: list[Link] = []
    for sign in PHASES:
        if sign not in watches:
            continue
        wanted = FALLS if sign == "interaction" else RISES
        found = next((alarm for alarm in watches[sign].alarms if alarm.direction == wanted), None)
        before = [link.began for link in links if link.began is not None]
        lag = found.began - before[-1] if found and before else None
        links.append(
            Link(sign, found and found.began, found and found.raised, lag, found is None or lag is None or lag >= 0)
        )
    raised = [link.sign for link in links if link.raised is not None]
    phase = raised[-1] if raised else "healthy"
    after = PHASES[PHASES.index(phase) + 1 :] if raised else ()
    return Chain(tuple(links), phase, after[0] if after else "", all(link.in_order for link in links))


@dataclass(frozen=True, slots=True)
class LeadLag:
    """How far one series runs ahead of another.

    Attributes:
        lag: points by which the first leads, > 0; 0 where they move together; < 0 where it follows.
        correlation: at that lag.
        bound: what chance alone stays within at all lags together, at `level`.
        told: whether the correlation is beyond it.
        level: of the bound.
    """

    lag: int
    correlation: float
    bound: float
    told: bool
    level: float


def lead_lag(first: Sequence[float], second: Sequence[float], *, most: int = 12, level: float = 0.95) -> LeadLag:
    """Return the lag at which two series move together most strongly, by their changes from point to point.

    Args:
        first, second: (T,) of the same points.
        most: largest lag either way.
        level: of the bound, over all lags together (Bonferroni).

    Raises:
        InputError: lengths differ, or fewer than most + 8 points.

    Source: Bartlett 1946: the bound allows for what ties each series to its own past.
    """
    from statistics import NormalDist

    guard = Guard()
    a = guard.numbers("first", list(first), ndim=(1,))
    b = guard.numbers("second", list(second), ndim=(1,))
    furthest = guard.whole("most", most, low=1, high=10_000)
    guard.number("level", level, above=0.0, below=1.0)
    if len(a) != len(b):
        guard.add("shape", "second", f"{len(b)} points", expected=f"{len(a)} points")
    elif len(a) < furthest + 8:
        guard.add("too_few", "first", len(a), low=furthest + 8)
    guard.done()
    da, db = np.diff(a), np.diff(b)
    lags = range(-furthest, furthest + 1)
    found = np.array([_correlation(da[max(-k, 0) : len(da) - max(k, 0)], db[max(k, 0) : len(db) - max(-k, 0)])
                      for k in lags])  # fmt: skip
    best = int(np.abs(found).argmax())
    lag = lags[best]
    z = NormalDist().inv_cdf(1 - (1 - level) / 2 / len(lags))
    own = [_correlation(da[k:], da[:-k]) * _correlation(db[k:], db[:-k]) for k in range(1, furthest + 1)]
    bound = z * np.sqrt(max(1 + 2 * sum(own), 1.0) / (len(da) - abs(lag)))
    return LeadLag(lag, float(found[best]), float(bound), bool(abs(found[best]) > bound), level)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0
