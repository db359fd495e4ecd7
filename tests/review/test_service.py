"""Queues against tables and simulation, promises, eight clocks at the limit and one beyond, downtime."""

import datetime as dt
from math import exp

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.review.service import (
    Clock,
    Incident,
    agents_needed,
    backlog,
    clocks,
    clocks_kept,
    erlang_a,
    erlang_c,
    error_budget,
    kept,
    people_per_seat,
    time_to,
)

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
LIMITS = {
    "technical": {"diagnose": 30 * MINUTE, "restore": 2 * HOUR, "report": 24 * HOUR},
    "opinion_ordinary": {"answer": 2 * HOUR},
    "opinion_major": {"answer": HOUR},
    "compliance": {"start": HOUR, "report": 24 * HOUR, "remedy": 72 * HOUR},
}
EIGHT = [(kind, step, limit) for kind, steps in LIMITS.items() for step, limit in steps.items()]
NOON = dt.datetime(2027, 3, 1, 12, 0)


def simulated(rng, per_hour, handling, agents, *, patience=None, customers=200_000, limit=30.0):
    """M/M/n(+M) by customers in turn: share answered within the limit, and share that gave up."""
    arrive = np.cumsum(rng.exponential(3600 / per_hour, customers))
    serve = rng.exponential(handling, customers)
    bears = np.full(customers, np.inf) if patience is None else rng.exponential(patience, customers)
    free = np.zeros(agents)
    in_time = left = 0
    for t, (at, work, most) in enumerate(zip(arrive, serve, bears, strict=True)):
        place = free.argmin()
        wait = max(free[place] - at, 0.0)
        if wait > most:
            left += t >= 2000
            continue
        free[place] = at + wait + work
        in_time += t >= 2000 and wait <= limit
    return in_time / (customers - 2000), left / (customers - 2000)


@pytest.mark.parametrize(
    "load, agents, wait",
    [  # P(wait), Erlang C tables (Cooper 1981, table of the delay probability)
        (1.0, 2, 0.3333), (2.0, 3, 0.4444), (5.0, 6, 0.5875), (5.0, 8, 0.1673), (10.0, 12, 0.4494), (20.0, 25, 0.2091),
    ],
)  # fmt: skip
def test_erlang_c_table(load, agents, wait):
    assert erlang_c(load * 3600 / 60, 60, agents).wait == pytest.approx(wait, abs=6e-4)


def test_erlang_c_with_one_agent_is_m_m_1():
    found = erlang_c(48, 60, 1, within_seconds=45)  # 0.8 Erlang
    assert found.wait == pytest.approx(0.8)
    assert found.in_time == pytest.approx(1 - 0.8 * exp(-0.2 * 45 / 60))
    assert found.mean_wait_seconds == pytest.approx(0.8 * 60 / 0.2)


def test_erlang_c_matches_simulation_within_a_point():
    rng = np.random.default_rng(20270414)
    seen, _ = simulated(rng, 300, 60, 7, customers=120_000)
    assert abs(erlang_c(300, 60, 7).in_time - seen) < 0.01


@pytest.mark.parametrize("agents", [4, 6])
def test_erlang_a_matches_simulation_within_a_point(agents):
    """With 4 agents more come than can be answered; patience keeps the queue finite."""
    rng = np.random.default_rng(20270415)
    seen, left = simulated(rng, 300, 60, agents, patience=90, customers=60_000)
    found = erlang_a(300, 60, agents, patience_seconds=90)
    assert abs(found.in_time - seen) < 0.01 and abs(found.left - left) < 0.01


def test_endless_patience_is_erlang_c_and_no_patience_is_erlang_b():
    patient = erlang_a(300, 60, 7, patience_seconds=1e7)
    assert patient.in_time == pytest.approx(erlang_c(300, 60, 7).in_time, abs=1e-4)
    blocked = 1.0
    for n in range(1, 8):
        blocked = 5 * blocked / (n + 5 * blocked)
    assert erlang_a(300, 60, 7, patience_seconds=1e-3).left == pytest.approx(blocked, abs=1e-4)


def test_light_load_on_a_large_desk_is_stable():
    found = erlang_a(60, 60, 2000, patience_seconds=0.5)
    assert found.in_time == pytest.approx(1.0) and found.left < 1e-12


def test_an_overloaded_desk_is_told():
    found = erlang_c(3600, 60, 50)
    assert not found.stable and found.in_time == 0


def test_the_smallest_desk():
    for per_hour in (1, 30, 300, 3000):
        found = agents_needed(per_hour, 120, share=0.9)
        assert found.in_time >= 0.9
        if found.agents > 1:
            assert erlang_c(per_hour, 120, found.agents - 1).in_time < 0.9
    assert agents_needed(300, 120, share=0.9, patience_seconds=60).agents <= agents_needed(300, 120, share=0.9).agents
    assert agents_needed(0, 120, share=0.9).agents == 1


def test_a_week_round_the_clock_is_4_2_people_a_seat():
    assert people_per_seat(hours_open=168, hours_worked=40) == pytest.approx(4.2)


def test_three_thousand_waiting_wait_beyond_an_hour():
    """The peak of W1.4: 3,000 waiting before a desk of 45 that takes a minute each."""
    found = backlog([5700, 2700, 0], 45, handling_seconds=60, interval_seconds=3600)
    assert found.waiting.tolist() == [3000, 3000, 300]
    assert found.wait_seconds[0] > 3600 and found.peak == 0
    assert np.isinf(backlog([10], 0, handling_seconds=60, interval_seconds=60).wait_seconds[0])


def test_promises():
    assert kept(90, 100, 0.9).status == "on_track"
    assert kept(0, 0, 0.9).share is None


# ---- clocks


@pytest.mark.parametrize("kind, step, limit", EIGHT)
def test_each_deadline_at_its_limit_and_a_minute_beyond(kind, step, limit):
    def state(*, done, now):
        incident = Incident("i", kind, NOON, {step: NOON + done} if done else {})
        (found,) = (c for c in clocks([incident], NOON + now, LIMITS) if c.step == step)
        return found

    assert len(EIGHT) == 8
    at = state(done=limit, now=limit)
    assert (at.state, at.over, at.due) == ("met", dt.timedelta(0), NOON + limit)
    beyond = state(done=limit + MINUTE, now=limit + MINUTE)
    assert (beyond.state, beyond.over) == ("late", MINUTE)
    running = state(done=None, now=limit)
    assert (running.state, running.left) == ("running", dt.timedelta(0))
    overdue = state(done=None, now=limit + MINUTE)
    assert (overdue.state, overdue.over) == ("overdue", MINUTE)


def test_clocks_run_over_midnight_and_the_year_s_end():
    began = dt.datetime(2027, 12, 31, 23, 45)
    found = clocks([Incident("i", "technical", began)], began + HOUR, LIMITS)
    assert [c.due for c in found][:2] == [dt.datetime(2028, 1, 1, 0, 15), dt.datetime(2028, 1, 1, 1, 45)]
    assert [c.state for c in found] == ["overdue", "running", "running"]


def test_incidents_to_come_have_no_clock_and_kept_counts_what_is_decided():
    late = Incident("a", "opinion_major", NOON, {"answer": NOON + 2 * HOUR})
    good = Incident("b", "compliance", NOON, {"start": NOON + HOUR})
    found = clocks([late, good, Incident("c", "technical", NOON + 9 * HOUR)], NOON + 3 * HOUR, LIMITS)
    assert {c.incident for c in found} == {"a", "b"}
    told = clocks_kept(found)
    assert (told.n, told.share) == (2, 0.5)


@pytest.mark.parametrize(
    "incident",
    [
        Incident("i", "fire", NOON),
        Incident("i", "technical", NOON, {"sleep": NOON}),
        Incident("i", "technical", NOON, {"restore": NOON - MINUTE}),
        Incident("i", "technical", NOON, {"restore": NOON + 5 * HOUR}),
    ],
)
def test_what_cannot_be_is_refused(incident):
    with pytest.raises(InputError):
        clocks([incident], NOON + 3 * HOUR, LIMITS)


def test_time_to_restore():
    def clock(name, hours):
        return Clock(name, "technical", "restore", NOON + 2 * HOUR, hours and NOON + hours * HOUR, "met", HOUR, HOUR)

    found = time_to([clock("a", 1), clock("b", 2), clock("c", None)], "restore", NOON + 4 * HOUR, 2 * HOUR)
    assert found.share.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert time_to([clock("c", None)], "restore", NOON + HOUR, 2 * HOUR) is None


# ---- downtime


def test_error_budget_of_thirty_days():
    until = NOON + dt.timedelta(days=30)
    found = error_budget([(NOON, NOON + 120 * MINUTE)], since=NOON, until=until)
    assert found.allowed_minutes == pytest.approx(43.2)
    assert found.availability == pytest.approx(0.99722, abs=1e-5) and found.level_one
    assert found.burn == pytest.approx(120 / 43.2)
    inside = error_budget([(NOON, NOON + 43 * MINUTE)], since=NOON, until=until)
    assert not inside.level_one and inside.burn < 1


def test_overlapping_outages_count_once_and_those_outside_not():
    until = NOON + dt.timedelta(days=30)
    outages = [(NOON, NOON + HOUR), (NOON + 30 * MINUTE, NOON + HOUR), (until, until + HOUR), (NOON - HOUR, NOON)]
    assert error_budget(outages, since=NOON, until=until).used_minutes == 60
    with pytest.raises(InputError):
        error_budget([(NOON + HOUR, NOON)], since=NOON, until=until)
