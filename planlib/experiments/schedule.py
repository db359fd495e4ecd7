"""Which tests run when: the most valuable calendar that traffic, overlaps and send limits allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

REASONS = ("", "not_worth_it", "too_long", "traffic", "sends", "crowded_out")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A test that could be run.

    Attributes:
        id: of the plan.
        value_cny: what it is worth, net of its cost (`portfolio.Worth.net_cny`).
        weeks: whole weeks that it runs.
        people_per_week: people it takes in each of them.
        pool: traffic that it draws from, e.g. new_users.
        sends_per_week: messages that each of its people gets from it in a week.
        earliest_week: first week in which it may start, >= 1.
        crossed: its people may be in other tests too (own layer): it takes no traffic from them, but its messages
            come on top of theirs.
    """

    id: str
    value_cny: float
    weeks: int
    people_per_week: float
    pool: str = "all"
    sends_per_week: float = 0.0
    earliest_week: int = 1
    crossed: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """Tests on a calendar.

    Attributes:
        start_week: (E,) week in which each starts; 0 = not run.
        reason: (E,) why it is not run: not_worth_it (value not above 0), too_long (does not end in time), traffic
            (needs more people than come), sends (too many messages even alone), crowded_out (others are worth
            more); "" = it runs.
        people: pool -> (W,) people in tests that are not crossed.
        sends: pool -> (W,) most messages a customer gets in a week, ordinary ones included.
        value_cny: of the tests that run.
        bound_cny: that no calendar can exceed.
    """

    start_week: np.ndarray
    reason: tuple[str, ...]
    people: Mapping[str, np.ndarray]
    sends: Mapping[str, np.ndarray]
    value_cny: float
    bound_cny: float


@dataclass(frozen=True, slots=True)
class _Room:
    """What tests share: people by pool and week; which weeks count to which period (P, W), and messages left (P,)."""

    supply: Mapping[str, np.ndarray]
    counted: np.ndarray
    spare: np.ndarray


def schedule(
    candidates: Sequence[Candidate],
    traffic: Mapping[str, Sequence[float]],
    *,
    apart: Sequence[tuple[str, str]] = (),
    send_limit: float | None = None,
    send_period: Sequence[int] | None = None,
    ordinary_sends: float = 0.0,
    nodes: int = 20_000,
) -> Calendar:
    """Return the calendar of the greatest value; among equal ones that which starts soonest.

    In every week and pool the people of tests that are not crossed fit into the traffic, and no customer gets more
    messages than the limit: ordinary ones, those of all crossed tests, and of the one other test that sends most.

    Args:
        candidates: E tests.
        traffic: pool -> (W,) people who can be in tests in each week of the calendar.
        apart: pairs of tests that never run in the same week: they touch the same page, offer or conversation.
        send_limit: messages that a customer may get in a period, as the platform or the brand limits them; None = no
            limit.
        send_period: (W,) number of the period that each week counts to, such as its calendar month; None = every
            week is one.
        ordinary_sends: messages a week that every customer gets beside the tests, >= 0.
        nodes: of the search, after which the best calendar found so far is taken; the bound tells how far off it
            may be.

    Raises:
        InputError: two tests of one id, an unknown pool or test, weeks that differ, or a value out of range.

    >>> tests = [Candidate("a", 50.0, 2, 600), Candidate("b", 40.0, 1, 600), Candidate("c", 5.0, 2, 600)]
    >>> found = schedule(tests, {"all": [1000, 1000, 1000]})
    >>> found.start_week, found.reason[2], found.value_cny
    (array([2, 1, 0]), 'crowded_out', 90.0)
    """
    horizon = _checked(candidates, traffic, apart, send_limit, send_period, ordinary_sends, nodes)
    supply = {pool: np.asarray(people, dtype=float) for pool, people in traffic.items()}
    counted = _counted(horizon, send_period)
    # where ordinary messages alone pass the limit, only tests that send none may run
    spare = np.inf if send_limit is None else np.maximum(send_limit - ordinary_sends * counted.sum(axis=1), 0.0)
    room = _Room(supply, counted, np.broadcast_to(spare, counted.shape[:1]))
    alone = [_alone(test, room) for test in candidates]
    slots = [(e, start) for e, (_, starts) in enumerate(alone) for start in starts]
    start_week, value, bound = _solve(candidates, slots, room, apart, nodes)
    reason = tuple(
        "" if start else why or "crowded_out" for start, (why, _) in zip(start_week.tolist(), alone, strict=True)
    )
    people, sends = _load(candidates, start_week, supply, ordinary_sends)
    return Calendar(start_week, reason, people, sends, value, bound)


def _checked(
    candidates: Sequence[Candidate],
    traffic: Mapping[str, Sequence[float]],
    apart: Sequence[tuple[str, str]],
    send_limit: float | None,
    send_period: Sequence[int] | None,
    ordinary_sends: float,
    nodes: int,
) -> int:
    """Check everything; return the weeks of the calendar."""
    guard, known = Guard(), {}
    for e, test in enumerate(candidates):
        at = f"candidates[{e}]"
        if test.id in known:
            guard.add("duplicate_id", f"{at}.id", test.id, first=f"candidates[{known[test.id]}]")
        known.setdefault(test.id, e)
        guard.number(f"{at}.value_cny", test.value_cny)
        guard.whole(f"{at}.weeks", test.weeks)
        guard.number(f"{at}.people_per_week", test.people_per_week, above=0.0)
        guard.number(f"{at}.sends_per_week", test.sends_per_week, low=0.0)
        guard.whole(f"{at}.earliest_week", test.earliest_week)
        guard.choice(f"{at}.pool", test.pool, traffic)
    supply = {pool: guard.numbers(f"traffic.{pool}", list(week), low=0.0, ndim=(1,)) for pool, week in traffic.items()}
    lengths = {week.size for week in supply.values()}
    if len(lengths) != 1:
        guard.add("shape", "traffic", f"weeks {sorted(lengths)}", expected="pools of as many weeks, one at least")
    for pair in apart:
        for name in pair:
            guard.choice("apart", name, known)
    if send_limit is not None:
        guard.number("send_limit", send_limit, low=0.0)
    if send_period is not None:
        periods = guard.numbers("send_period", list(send_period), ndim=(1,))
        if {periods.size} != lengths:
            guard.add("shape", "send_period", f"shape {periods.shape}", expected="one period a week")
    guard.number("ordinary_sends", ordinary_sends, low=0.0)
    guard.whole("nodes", nodes)
    guard.done()
    return lengths.pop()


def _counted(horizon: int, send_period: Sequence[int] | None) -> np.ndarray:
    """(P, W) 1.0 where a week counts to a period."""
    period = np.arange(horizon) if send_period is None else np.asarray(send_period)
    return (period == np.unique(period)[:, None]).astype(float)


def _alone(test: Candidate, room: _Room) -> tuple[str, list[int]]:
    """Why a test cannot be run even alone, or the weeks (from 0) in which it could start."""
    if test.value_cny <= 0:
        return "not_worth_it", []
    supply, weeks = room.supply[test.pool], int(test.weeks)
    starts = range(int(test.earliest_week) - 1, supply.size - weeks + 1)
    if not starts:
        return "too_long", []
    quiet = [
        start for start in starts
        if (test.sends_per_week * room.counted[:, start : start + weeks].sum(axis=1) <= room.spare).all()
    ]
    if not quiet:
        return "sends", []
    fits = [start for start in quiet if supply[start : start + weeks].min() >= test.people_per_week]
    return ("", fits) if fits else ("traffic", [])


def _solve(
    candidates: Sequence[Candidate],
    slots: list[tuple[int, int]],
    room: _Room,
    apart: Sequence[tuple[str, str]],
    nodes: int,
) -> tuple[np.ndarray, float, float]:
    """Choose at most one slot of each test, by mixed-integer programming; first for value, then for early starts."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    chosen = np.zeros(len(candidates), dtype=int)
    if not slots:
        return chosen, 0.0, 0.0
    value = np.array([candidates[e].value_cny for e, _ in slots])
    rows, limits = _rows(candidates, slots, room, apart)
    # beside the slots: the most messages of one test that is not crossed, by pool and week
    columns = rows.shape[1]
    whole = np.append(np.ones(len(slots)), np.zeros(columns - len(slots)))
    upper = np.append(np.ones(len(slots)), np.full(columns - len(slots), np.inf))
    settings = {"integrality": whole, "bounds": Bounds(0, upper), "options": {"node_limit": nodes, "mip_rel_gap": 0}}

    def pad(weights: np.ndarray) -> np.ndarray:
        return np.append(weights, np.zeros(columns - len(slots)))

    allowed = LinearConstraint(rows, ub=limits)
    scale = value.max()
    best = milp(-pad(value / scale), constraints=[allowed], **settings)
    taken = np.round(best.x[: len(slots)]) if best.x is not None else np.zeros(len(slots))
    bound = float(value.sum()) if best.mip_dual_bound is None else -best.mip_dual_bound * scale
    # of equally good calendars that which starts soonest
    keep = LinearConstraint(pad(value / scale)[None, :], lb=float(value @ taken) / scale - 1e-9)
    soon = milp(pad(np.array([start + 1.0 for _, start in slots])), constraints=[allowed, keep], **settings)
    if soon.x is not None:
        taken = np.round(soon.x[: len(slots)])
    for (e, start), used in zip(slots, taken, strict=True):
        if used:
            chosen[e] = start + 1
    found = float(value @ taken)
    return chosen, found, max(bound, found)


def _rows(
    candidates: Sequence[Candidate], slots: list[tuple[int, int]], room: _Room, apart: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows A and limits b of A x <= b; x holds the slots, then the most messages of one test by pool and week."""
    pools, tests, horizon = list(room.supply), len(candidates), room.counted.shape[1]
    of, begins = np.array([e for e, _ in slots]), np.array([start for _, start in slots])
    length = np.array([int(test.weeks) for test in candidates])[of]
    weeks = np.arange(horizon)[:, None]
    runs = ((begins <= weeks) & (weeks < begins + length)).astype(float)  # (W, slots)
    need = np.array([test.people_per_week for test in candidates])[of]
    sends = np.array([test.sends_per_week for test in candidates])[of]
    crossed = np.array([test.crossed for test in candidates])[of]
    pool_of = np.array([pools.index(test.pool) for test in candidates])[of]
    mass = len(pools) * horizon
    once = (of == np.arange(tests)[:, None]).astype(float)
    rows, limits = [np.hstack([once, np.zeros((tests, mass))])], [np.ones(tests)]
    for p, pool in enumerate(pools):
        here = pool_of == p
        rows.append(np.hstack([runs * (here & ~crossed) * need, np.zeros((horizon, mass))]))
        limits.append(room.supply[pool])
        if not np.isfinite(room.spare).all():
            continue
        most = np.zeros((horizon, mass))
        most[np.arange(horizon), p * horizon + np.arange(horizon)] = 1.0
        for e in np.unique(of[here & ~crossed & (sends > 0)]):
            rows.append(np.hstack([runs * (of == e) * sends, -most]))
            limits.append(np.zeros(horizon))
        rows.append(room.counted @ np.hstack([runs * (here & crossed) * sends, most]))
        limits.append(room.spare)
    names = [test.id for test in candidates]
    for one, other in apart:
        pair = np.isin(of, [names.index(one), names.index(other)])
        rows.append(np.hstack([runs * pair, np.zeros((horizon, mass))]))
        limits.append(np.ones(horizon))
    return np.vstack(rows), np.concatenate(limits)


def _load(
    candidates: Sequence[Candidate], start_week: np.ndarray, supply: Mapping[str, np.ndarray], ordinary: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """People in tests and most messages a customer gets, by pool and week."""
    people = {pool: np.zeros(week.size) for pool, week in supply.items()}
    sends = {pool: np.zeros(week.size) for pool, week in supply.items()}
    most = {pool: np.zeros(week.size) for pool, week in supply.items()}
    for test, start in zip(candidates, start_week.tolist(), strict=True):
        if not start:
            continue
        span = slice(start - 1, start - 1 + int(test.weeks))
        if test.crossed:
            sends[test.pool][span] += test.sends_per_week
        else:
            people[test.pool][span] += test.people_per_week
            most[test.pool][span] = np.maximum(most[test.pool][span], test.sends_per_week)
    return people, {pool: ordinary + sends[pool] + most[pool] for pool in supply}
