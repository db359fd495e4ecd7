"""Service levels: waiting by queueing models, people needed, incidents against their clocks, downtime left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, inf, log

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.core.survival import Survival, kaplan_meier

MOST_AGENTS = 100_000
STATES = ("met", "late", "running", "overdue")
WEEK_HOURS = 168.0


@dataclass(frozen=True, slots=True)
class Queue:
    """What customers of a service desk meet.

    Attributes:
        agents: on the desk.
        load: offered, in agents kept busy (Erlang).
        wait: share that has to wait at all.
        in_time: share answered within the limit.
        left: share that gives up before it is answered; 0 where nobody does.
        mean_wait_seconds: of everybody; infinite where the queue grows without end.
        busy: share of the agents' time.
        stable: whether the queue stays finite.
    """

    agents: int
    load: float
    wait: float
    in_time: float
    left: float
    mean_wait_seconds: float
    busy: float
    stable: bool


def erlang_c(per_hour: float, handling_seconds: float, agents: int, *, within_seconds: float = 30.0) -> Queue:
    """Return what an M/M/n queue does whose customers wait for ever.

    P(wait > t) = C(n, a) exp(-(n - a) t / handling), a = arrivals x handling.

    Args:
        per_hour: arrivals, >= 0.
        handling_seconds: mean time that one takes, > 0.
        agents: n >= 1.
        within_seconds: the limit t.

    Source: Erlang 1917; recursion of Erlang B after Jagerman 1974.

    >>> found = erlang_c(3600 * 2 / 180, 180, 3, within_seconds=0)  # 2 Erlang on 3 agents: a textbook value
    >>> round(found.wait, 4), round(found.mean_wait_seconds, 1)
    (0.4444, 80.0)
    """
    guard = Guard()
    rate = guard.number("per_hour", per_hour, low=0.0)
    handling = guard.number("handling_seconds", handling_seconds, above=0.0)
    n = guard.whole("agents", agents, low=1, high=MOST_AGENTS)
    limit = guard.number("within_seconds", within_seconds, low=0.0)
    guard.done()
    load = rate / 3600 * handling
    if load >= n:
        return Queue(n, load, 1.0, 0.0, 0.0, inf, 1.0, False)
    blocked = _erlang_b(n, load)
    wait = blocked / (1 - load / n * (1 - blocked))
    late = wait * exp(-(n - load) * limit / handling)
    return Queue(n, load, wait, 1 - late, 0.0, wait * handling / (n - load), load / n, True)


def erlang_a(
    per_hour: float, handling_seconds: float, agents: int, *, patience_seconds: float, within_seconds: float = 30.0
) -> Queue:
    """Return what an M/M/n queue does whose customers give up after an exponential patience.

    The offered wait V of one who would never give up has the density v(0) exp(-n mu x + lambda (1 - e^(-theta x)) /
    theta) for x > 0; whoever is patient beyond it is answered.

    Args:
        per_hour, handling_seconds, agents, within_seconds: as of `erlang_c`.
        patience_seconds: mean patience, > 0.

    Source: Palm 1957; Mandelbaum & Zeltyn 2007.
    """
    guard = Guard()
    rate = guard.number("per_hour", per_hour, low=0.0)
    handling = guard.number("handling_seconds", handling_seconds, above=0.0)
    n = guard.whole("agents", agents, low=1, high=MOST_AGENTS)
    patience = guard.number("patience_seconds", patience_seconds, above=0.0)
    limit = guard.number("within_seconds", within_seconds, low=0.0)
    guard.done()
    arrivals, served, leaving = rate / 3600, n / handling, 1 / patience
    load = arrivals * handling
    before = _erlang_b(n - 1, load)
    if load == 0 or before == 0:  # nobody comes, or so few that a desk of that size is never full
        return Queue(n, load, 0.0, 1.0, 0.0, 0.0, load / n, True)
    whole = _tail(0.0, arrivals, served, leaving)
    # weights against the state of one agent free: all states with a free agent, and the density of the wait
    total = 1 / before + arrivals * whole
    wait = arrivals * whole / total
    patient = arrivals * _tail(0.0, arrivals, served + leaving, leaving) / total
    patient_late = arrivals * _tail(limit, arrivals, served + leaving, leaving) / total
    left = max(wait - patient, 0.0)
    return Queue(n, load, wait, 1 - wait + patient - patient_late, left, left * patience, load * (1 - left) / n, True)


def agents_needed(
    per_hour: float, handling_seconds: float, *, share: float, within_seconds: float = 30.0,
    patience_seconds: float | None = None,
) -> Queue:  # fmt: skip
    """Return the smallest desk that answers a share of customers in time.

    Args:
        per_hour, handling_seconds, within_seconds, patience_seconds: as of `erlang_c` and `erlang_a`.
        share: to be answered within the limit, 0 < share < 1.

    >>> agents_needed(100, 180, share=0.8, within_seconds=20).agents
    8
    """
    guard = Guard()
    rate = guard.number("per_hour", per_hour, low=0.0)
    handling = guard.number("handling_seconds", handling_seconds, above=0.0)
    guard.number("share", share, above=0.0, below=1.0)
    guard.done()

    def desk(n: int) -> Queue:
        options = {"within_seconds": within_seconds}
        if patience_seconds is None:
            return erlang_c(rate, handling, n, **options)
        return erlang_a(rate, handling, n, patience_seconds=patience_seconds, **options)

    low, high = 0, max(ceil(rate / 3600 * handling), 1)
    while desk(high).in_time < share:
        low, high = high, 2 * high
        if high > MOST_AGENTS:
            guard.add("at_most", "per_hour", per_hour, high=MOST_AGENTS)
            guard.done()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if desk(middle).in_time >= share else (middle, high)
    return desk(high)


def people_per_seat(*, hours_open: float = WEEK_HOURS, hours_worked: float = 40.0) -> float:
    """Return how many people keep one seat filled.

    >>> people_per_seat()
    4.2
    """
    guard = Guard()
    open_for = guard.number("hours_open", hours_open, above=0.0, high=WEEK_HOURS)
    worked = guard.number("hours_worked", hours_worked, above=0.0, high=WEEK_HOURS)
    guard.done()
    return open_for / worked


@dataclass(frozen=True, slots=True)
class Backlog:
    """A peak as a fluid: (T,) waiting at the end of each interval, and how long the last of them waits, in seconds."""

    waiting: np.ndarray
    wait_seconds: np.ndarray

    @property
    def peak(self) -> int:
        """The interval in which most are waiting."""
        return int(self.waiting.argmax())


def backlog(arrivals: object, agents: object, *, handling_seconds: float, interval_seconds: float) -> Backlog:
    """Follow a queue through a peak in which more come than can be answered.

    Args:
        arrivals: (T,) customers an interval.
        agents: (T,) on the desk, or one number.
        handling_seconds, interval_seconds: > 0.

    >>> found = backlog([3600, 0], 50, handling_seconds=60, interval_seconds=3600)
    >>> found.waiting.tolist(), found.wait_seconds.tolist()
    ([600.0, 0.0], [720.0, 0.0])
    """
    guard = Guard()
    came = guard.numbers("arrivals", arrivals, low=0.0, ndim=(1,))
    desk = np.broadcast_to(guard.numbers("agents", agents, low=0.0, ndim=(0, 1)), came.shape)
    handling = guard.number("handling_seconds", handling_seconds, above=0.0)
    length = guard.number("interval_seconds", interval_seconds, above=0.0)
    guard.done()
    rates = desk / handling
    waiting, left = np.zeros(len(came)), 0.0
    for t, (new, rate) in enumerate(zip(came, rates, strict=True)):
        left = max(left + new - rate * length, 0.0)
        waiting[t] = left
    wait = np.divide(waiting, rates, out=np.where(waiting > 0, inf, 0.0), where=rates > 0)
    return Backlog(waiting, wait)


@dataclass(frozen=True, slots=True)
class Kept:
    """A promise and how often it was kept.

    Attributes:
        share: kept; None when nothing was counted.
        n: counted.
        interval: Wilson; None without n.
        goal: the share that was promised.
        status: on_track, at_risk (below, but the interval reaches the goal), off_track, not_measured.
    """

    share: float | None
    n: int
    interval: Interval | None
    goal: float
    status: str


def kept(hits: int, n: int, goal: float, *, level: float = 0.95) -> Kept:
    """Hold a counted share against a promise: 90 % resolved, welcomed within 5 minutes.

    >>> kept(880, 1000, 0.9).status, kept(890, 1000, 0.9).status, kept(0, 0, 0.9).status
    ('off_track', 'at_risk', 'not_measured')
    """
    guard = Guard()
    count = guard.whole("n", n, low=0, high=10**12)
    done = guard.whole("hits", hits, low=0, high=max(count, 0))
    wanted = float(guard.share("goal", goal))
    guard.done()
    if count == 0:
        return Kept(None, 0, None, wanted, "not_measured")
    band, share = wilson(done, count, level=level), done / count
    status = "on_track" if share >= wanted else "at_risk" if band.high >= wanted else "off_track"
    return Kept(share, count, band, wanted, status)


# ---- incidents and their clocks (W 5.4)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong.

    Attributes:
        id: of it.
        kind: technical, opinion_ordinary, opinion_major or compliance.
        began: when; local time.
        done: step -> when it was done; steps that are not done are left out.
        down: whether the platform could not be used until `restore`.
    """

    id: str
    kind: str
    began: dt.datetime
    done: Mapping[str, dt.datetime] = field(default_factory=dict)
    down: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """One deadline of an incident.

    Attributes:
        incident, kind, step: whose.
        due: the last moment that keeps it.
        done: when it was done; None while it is not.
        state: met (done by then), late (done after), running, overdue.
        over: how long it was, or is, too late; zero otherwise.
        left: how long it has still; zero unless it is running.
    """

    incident: str
    kind: str
    step: str
    due: dt.datetime
    done: dt.datetime | None
    state: str
    over: dt.timedelta
    left: dt.timedelta


def clocks(
    incidents: Sequence[Incident], now: dt.datetime, limits: Mapping[str, Mapping[str, dt.timedelta]]
) -> tuple[Clock, ...]:
    """Return every deadline of every incident as it stands; the moment of the limit itself keeps it.

    Args:
        incidents: those that began by now count.
        now: local time.
        limits: kind -> step -> how long after the beginning it is due.

    Raises:
        InputError: an unknown kind or step, or a step done before the incident began or after now.
    """
    guard = Guard()
    for place, incident in enumerate(incidents):
        steps = limits.get(incident.kind)
        if steps is None:
            guard.choice(f"incidents[{place}].kind", incident.kind, limits)
            continue
        for step, when in incident.done.items():
            guard.choice(f"incidents[{place}].done", step, steps)
            if when < incident.began:
                guard.add("end_before_start", f"incidents[{place}].done.{step}", str(when))
            elif when > now:
                guard.add("at_most", f"incidents[{place}].done.{step}", str(when), high=str(now))
    guard.done()
    none = dt.timedelta(0)
    found = []
    for incident in incidents:
        if incident.began > now:
            continue
        for step, limit in limits[incident.kind].items():
            due, done = incident.began + limit, incident.done.get(step)
            over = max((done or now) - due, none)
            state = ("late" if over else "met") if done else "overdue" if over else "running"
            left = due - now if state == "running" else none
            found.append(Clock(incident.id, incident.kind, step, due, done, state, over, left))
    return tuple(found)


def clocks_kept(found: Sequence[Clock], *, goal: float = 1.0) -> Kept:
    """Return how many deadlines were kept, of those that are decided; running ones do not count yet."""
    decided = [clock for clock in found if clock.state != "running"]
    return kept(sum(clock.state == "met" for clock in decided), len(decided), goal)


@dataclass(frozen=True, slots=True)
class Budget:
    """Downtime against a promise of availability (Beyer et al. 2016).

    Attributes:
        allowed_minutes, used_minutes: of downtime in the window.
        availability: over it.
        burn: used over allowed per share of the window gone: above 1 the budget ends before the window.
        level_one: whether availability is below the promise, which starts the response of level one.
    """

    allowed_minutes: float
    used_minutes: float
    availability: float
    burn: float
    level_one: bool


def error_budget(
    outages: Sequence[tuple[dt.datetime, dt.datetime]], *, since: dt.datetime, until: dt.datetime,
    window_days: float = 30.0, promise: float = 0.999,
) -> Budget:  # fmt: skip
    """Return how much downtime a promise leaves.

    Args:
        outages: (began, ended); what overlaps counts once, what lies outside not at all.
        since, until: of the window so far; at most window_days apart.
        window_days: whole length of the window.
        promise: availability, below 1.

    >>> day = dt.datetime(2027, 3, 1)
    >>> found = error_budget([(day, day + dt.timedelta(minutes=120))], since=day, until=day + dt.timedelta(days=30))
    >>> round(found.allowed_minutes, 1), round(found.availability, 4), found.level_one
    (43.2, 0.9972, True)
    """
    guard = Guard()
    days = guard.number("window_days", window_days, above=0.0)
    wanted = guard.number("promise", promise, above=0.0, below=1.0)
    if until <= since:
        guard.add("end_before_start", "until", str(until))
    for place, (began, ended) in enumerate(outages):
        if ended < began:
            guard.add("end_before_start", f"outages[{place}]", str(ended))
    guard.done()
    gone = (until - since).total_seconds() / 60
    used, reached = 0.0, since
    for began, ended in sorted(outages):
        first, last = max(began, reached), min(ended, until)
        if last > first:
            used += (last - first).total_seconds() / 60
            reached = last
    allowed = (1 - wanted) * days * 1440
    share = 1 - used / gone
    return Budget(allowed, used, share, used / ((1 - wanted) * gone), share < wanted)


def time_to(found: Sequence[Clock], step: str, now: dt.datetime, limit: dt.timedelta) -> Survival | None:
    """Return Kaplan-Meier's share of incidents whose step is not done by so many hours; None while none is done.

    Open ones count up to now.

    Args:
        found: clocks.
        step: of them, e.g. restore.
        now: when they stood so.
        limit: of that step, from which the beginning follows.
    """
    own = [clock for clock in found if clock.step == step]
    if not any(clock.done for clock in own):
        return None
    hours = [max(((clock.done or now) - (clock.due - limit)).total_seconds() / 3600, 1e-6) for clock in own]
    return kaplan_meier(hours, [clock.done is not None for clock in own])


def _erlang_b(agents: int, load: float) -> float:
    """Share of arrivals that find all agents busy where nobody waits."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def _tail(at: float, arrivals: float, served: float, leaving: float) -> float:
    """Integral from `at` of exp(-served x + arrivals (1 - e^(-leaving x)) / leaving), by the incomplete gamma."""
    from scipy.special import gammainc, gammaln

    shape, end = served / leaving, arrivals / leaving * exp(-leaving * at)
    inside = float(gammainc(shape, end)) if end > 0 else 0.0
    if inside <= 0:  # so far below the mean of the gamma that only the slope at its beginning is left
        slope = served - arrivals * exp(-leaving * at)
        return exp(-served * at + arrivals / leaving * (1 - exp(-leaving * at))) / slope
    scale = arrivals / leaving + shape * log(leaving / arrivals) + float(gammaln(shape)) + log(inside)
    return exp(scale) / leaving
