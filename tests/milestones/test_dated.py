"""Dates by hand around Spring Festival 2026, and against a plain walk that tries day after day."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones.calendar import slack_workdays, under_way
from planlib.milestones.dated import DatedNetwork, DatedTask, Tie, chain, frozen_calendar
from planlib.milestones.network import Link, Network
from planlib.milestones.workdays import WorkCalendar

CALENDAR = WorkCalendar()
# worked in February 2026 from the 12th: 12, 13, 14 (Saturday, made up), 24, 25, 26, 27, 28 (Saturday, made up)
START = date(2026, 2, 12)
EVERY_DAY = WorkCalendar({START + timedelta(days=k): True for k in range(700)})


def feb(day: int) -> date:
    return date(2026, 2, day)


def task(name, before=None, *, not_before=None, calendar=None):
    ties = tuple(Tie(key, lag=lag) for key, lag in (before or {}).items())
    return DatedTask(name, ties, not_before, calendar)


def by_id(days, *tasks, start=START):
    return {found.id: found for found in DatedNetwork(tasks, start, CALENDAR).dates(days)}


def test_a_small_network_by_hand():
    found = by_id(
        [0, 3, 2, 1, 1.2],
        task("gate", {"build": 0, "text": 0}),
        task("design"),
        task("build", {"design": 0}),
        task("text", {"design": 2}),  # two working days later: 24 and 25, so it is written on the 26th
        task("open", {"gate": 0}),  # a part of a day takes the day
    )
    dates = {name: (row.start.day, row.finish.day) for name, row in found.items()}
    assert dates == {"gate": (26, 26), "design": (12, 14), "build": (24, 25), "text": (26, 26), "open": (27, 28)}
    assert chain(found.values()) == ("design", "text", "gate", "open")
    assert chain(found.values(), "build") == ("design", "build")
    assert {name: row.total_float for name, row in found.items()} == {
        "gate": 0, "design": 0, "build": 1, "text": 0, "open": 0
    }  # fmt: skip
    assert (found["build"].late_start, found["build"].late_finish) == (feb(25), feb(26))
    assert [name for name, row in found.items() if row.critical] == ["gate", "design", "text", "open"]


def test_a_first_day_of_its_own_decides_when_it_is_later():
    found = by_id(
        [1, 1, 1, 0, 1],
        task("a"),
        task("b", {"a": 0}, not_before=feb(17)),  # within the holiday: the first day after it
        task("c", {"a": 0}, not_before=feb(12)),
        task("promise", not_before=feb(25)),
        task("after_promise", {"promise": 0}),
    )
    assert (found["b"].start, found["b"].binding) == (feb(24), None)
    assert (found["c"].start, found["c"].binding) == (feb(13), "a")
    assert found["promise"].start == found["promise"].finish == feb(25)
    assert found["after_promise"].start == feb(26)


def test_the_schedule_begins_on_a_working_day():
    found = by_id([0, 1, 1], task("gate"), task("a"), task("b", {"gate": 0}), start=feb(16))
    assert {row.finish for row in found.values()} == {feb(24)}


def test_every_kind_of_tie_by_hand():
    def pair(kind, lag=0.0, *, elapsed=False):
        tasks = [DatedTask("a"), DatedTask("b", (Tie("a", kind, lag, elapsed),))]
        row = by_id([3, 2], *tasks)["b"]
        return row.start.day, row.finish.day

    # a works on the 12th, 13th and 14th
    assert pair("FS") == (24, 25)
    assert pair("FS", 1) == (25, 26)
    assert pair("FS", -1) == (14, 24)
    assert pair("FS", 3, elapsed=True) == (24, 25)  # the 17th is a holiday
    assert pair("FS", 10, elapsed=True) == (25, 26)
    assert pair("SS") == (12, 13)
    assert pair("SS", 1) == (13, 14)
    assert pair("FF") == (13, 14)
    assert pair("FF", 1) == (14, 24)
    assert pair("SF", 3) == (13, 14)


def test_a_milestone_falls_on_the_evening_of_what_it_waits_for():
    for kind in ("FS", "FF"):
        found = by_id([3, 0], DatedTask("a"), DatedTask("m", (Tie("a", kind),)))
        assert found["m"].finish == feb(14)


def test_tasks_work_on_calendars_of_their_own():
    frozen = frozen_calendar(CALENDAR, [(feb(13), feb(24))])
    found = by_id([3, 3, 2], task("plain"), task("daily", calendar=EVERY_DAY), task("frozen", calendar=frozen))
    assert [found[name].finish.day for name in ("plain", "daily", "frozen")] == [14, 14, 25]
    after = by_id([3, 2], task("a"), task("daily", {"a": 0}, calendar=EVERY_DAY))["daily"]
    assert (after.start.day, after.finish.day) == (15, 16)


def test_what_is_held_begins_when_so_many_working_days_are_over():
    network = DatedNetwork([task("a"), task("b")], START, CALENDAR).held({"b": 3})
    found = {row.id: row for row in network.dates([1, 1])}
    assert (found["a"].start, found["b"].start) == (feb(12), feb(24))


@pytest.mark.parametrize(
    "due, finish, days",
    [(27, 25, 2), (25, 25, 0), (13, 25, -3), (13, 14, -1), (24, 13, 2), (14, 24, -1)],
)
def test_slack_counts_working_days_both_ways(due, finish, days):
    assert slack_workdays(feb(due), feb(finish), CALENDAR) == days


@pytest.mark.parametrize(
    "tasks, days, says",
    [
        ([task("a"), task("a")], [1, 2], "a"),
        ([task("a")], [-1], "days.a"),
        ([task("a")], [float("nan")], "days.a"),
        ([task("a")], [1, 2], "days"),
        ([task("a", {"b": 0})], [1], "a.after"),
        ([DatedTask("a"), DatedTask("b", (Tie("a", "XX"),))], [1, 1], "b.a.kind"),
        ([task("a", {"b": 0}), task("b", {"a": 0})], [1, 1], "a -> b -> a|b -> a -> b"),
        ([task("a", {"a": 0})], [1], "a -> a"),
        ([], [], "tasks"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name(tasks, days, says):
    with pytest.raises(InputError, match=says):
        DatedNetwork(tasks, START, CALENDAR).dates(days)


def test_a_calendar_without_working_days_is_refused():
    nothing = WorkCalendar({START + timedelta(days=k): False for k in range((date(2100, 12, 31) - START).days + 1)})
    with pytest.raises(InputError):
        DatedNetwork([task("a")], START, nothing).dates([1])


def test_a_chain_needs_something_to_follow():
    with pytest.raises(InputError):
        chain([])
    with pytest.raises(InputError, match="other"):
        chain(DatedNetwork([task("a")], START, CALENDAR).dates([1]), "other")


def test_under_way_shares_a_day():
    months = [(date(2026, 1, 1), date(2026, 1, 31)), (feb(1), feb(28)), (date(2026, 3, 1), date(2026, 3, 31))]
    spans = [(date(2026, 1, 31), feb(1)), (feb(2), feb(27)), (feb(28), date(2026, 4, 9)), (date(2025, 1, 1),) * 2]
    wanted = [[True, True, False], [False, True, False], [False, True, True], [False, False, False]]
    assert under_way(spans, months).tolist() == wanted
    assert under_way([], months).shape == (0, 3)


CALENDARS = (None, EVERY_DAY, frozen_calendar(CALENDAR, [(feb(13), feb(26))]))


@st.composite
def networks(draw, *, calendars=CALENDARS, kinds=("FS", "SS", "FF", "SF"), elapsed=True):
    count = draw(st.integers(1, 7))
    names = [f"t{k}" for k in range(count)]
    tasks = []
    for k, name in enumerate(names):
        ties = tuple(
            Tie(before, draw(st.sampled_from(kinds)), draw(st.integers(-3, 4)), elapsed and draw(st.booleans()))
            for before in names[:k]
            if draw(st.booleans())
        )
        day = draw(st.none() | st.integers(0, 20).map(lambda d: START + timedelta(days=d)))
        tasks.append(DatedTask(name, ties, day, draw(st.sampled_from(calendars))))
    return tasks, [draw(st.integers(1, 4)) for _ in names]


def walk(tasks, days):
    """Try one morning after the other; times are whole days since START."""

    def worked(calendar, k):
        return (calendar or CALENDAR).is_workday(START + timedelta(days=k))

    def moved(time, lag, elapsed):
        if elapsed or lag == 0:
            return time + lag
        if lag > 0:
            while lag:
                lag -= worked(None, time)
                time += 1
            return time
        # the soonest evening on which that many working days fewer are over
        over = sum(worked(None, k) for k in range(max(time, 0))) + lag
        time, seen = 0 if over > 0 else over, 0
        while seen < over:
            seen += worked(None, time)
            time += 1
        return time

    found = {}
    for one, length in zip(tasks, days, strict=True):
        start = 0 if one.not_before is None else (one.not_before - START).days
        while True:
            left, end = length, start
            while left:
                left -= worked(one.calendar, end)
                end += 1
            fine = worked(one.calendar, start)
            for tie in one.ties:
                limit = moved(found[tie.before][0 if tie.kind[0] == "S" else 1], tie.lag, tie.elapsed)
                if tie.kind[1] == "S":
                    fine &= start >= limit
                else:  # no working day may lie between the end and the limit
                    fine &= not any(worked(one.calendar, k) for k in range(end, limit))
            if fine:
                break
            start += 1
        found[one.id] = (start, end)
    return found


@settings(max_examples=80, deadline=None)
@given(networks())
def test_as_a_walk_that_tries_day_after_day(made):
    tasks, days = made
    found = {row.id: row for row in DatedNetwork(tasks, START, CALENDAR).dates(days)}
    for name, (start, end) in walk(tasks, days).items():
        assert found[name].start == START + timedelta(days=start)
        assert found[name].finish == START + timedelta(days=end - 1)


@settings(max_examples=60, deadline=None)
@given(networks(calendars=(None,), elapsed=False))
def test_on_one_calendar_floats_are_those_of_the_plain_network(made):
    tasks, days = made
    tasks = [DatedTask(one.id, one.ties) for one in tasks]
    links = [Link(tie.before, one.id, tie.kind, tie.lag) for one in tasks for tie in one.ties]
    plain = Network([one.id for one in tasks], links).passes(days)
    found = DatedNetwork(tasks, START, CALENDAR).passes(days)
    np.testing.assert_allclose(found.total_float, plain.total_float, atol=1e-9)
    np.testing.assert_allclose(found.free_float, plain.free_float, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_a_task_that_slips_by_its_float_does_not_move_the_end(made):
    tasks, days = made
    network = DatedNetwork(tasks, START, CALENDAR)
    found, end = network.passes(days), network.end(days)
    for k, one in enumerate(tasks):
        late = network.first_day + timedelta(days=int(found.late_start[k]))
        held = [
            DatedTask(t.id, t.ties, max(late, t.not_before or late) if t.id == one.id else t.not_before, t.calendar)
            for t in tasks
        ]
        assert DatedNetwork(held, START, CALENDAR).end(days) <= end + 1e-9


def test_draws_are_worked_as_one_by_one():
    rng = np.random.default_rng(5)
    tasks = [task("a"), task("b", {"a": 1}), DatedTask("c", (Tie("a", "SS", 2, True), Tie("b", "FF", 1)))]
    network = DatedNetwork(tasks, START, CALENDAR)
    days = rng.uniform(0.5, 9.0, (3, 40))
    whole = network.passes(days)
    for k in range(40):
        one = network.passes(days[:, k])
        np.testing.assert_allclose(whole.early_finish[:, k], one.early_finish)
        np.testing.assert_allclose(whole.total_float[:, k], one.total_float)
    np.testing.assert_allclose(network.end(days), whole.end)
