"""Earliest dates by hand around Spring Festival 2026, and against a plain day-by-day walk."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones.earliest import Activity, chain, earliest, slack_workdays, under_way
from planlib.milestones.workdays import WorkCalendar

CALENDAR = WorkCalendar()
# worked in February 2026 from the 12th: 12, 13, 14 (Saturday, made up), 24, 25, 26, 27, 28 (Saturday, made up)
START = date(2026, 2, 12)


def feb(day: int) -> date:
    return date(2026, 2, day)


def by_id(*activities: Activity, start: date = START):
    return {found.id: found for found in earliest(activities, start, CALENDAR)}


def test_a_small_network_by_hand():
    found = by_id(
        Activity("gate", 0, {"build": 0, "text": 0}),
        Activity("design", 3),
        Activity("build", 2, {"design": 0}),
        Activity("text", 1, {"design": 2}),  # two working days later: 24 and 25, so it is written on the 26th
        Activity("open", 1.2, {"gate": 0}),  # a part of a day takes the day
    )
    dates = {name: (row.start.day, row.finish.day, row.workdays) for name, row in found.items()}
    assert dates == {
        "gate": (26, 26, 6), "design": (12, 14, 3), "build": (24, 25, 5), "text": (26, 26, 6), "open": (27, 28, 8)
    }  # fmt: skip
    assert chain(found.values()) == ("design", "text", "gate", "open")
    assert chain(found.values(), "build") == ("design", "build")


def test_a_first_day_of_its_own_decides_when_it_is_later():
    found = by_id(
        Activity("a", 1),
        Activity("b", 1, {"a": 0}, not_before=feb(17)),  # within the holiday: the first day after it
        Activity("c", 1, {"a": 0}, not_before=feb(12)),
        Activity("promise", 0, not_before=feb(25)),
        Activity("after_promise", 1, {"promise": 0}),
    )
    assert (found["b"].start, found["b"].binding) == (feb(24), None)
    assert (found["c"].start, found["c"].binding) == (feb(13), "a")
    assert found["promise"].start == found["promise"].finish == feb(25)
    assert found["after_promise"].start == feb(26)


def test_the_schedule_begins_on_a_working_day():
    found = by_id(Activity("gate", 0), Activity("a", 1), Activity("b", 1, {"gate": 0}), start=feb(16))
    assert {row.finish for row in found.values()} == {feb(24)}


@pytest.mark.parametrize(
    "due, finish, days",
    [(27, 25, 2), (25, 25, 0), (13, 25, -3), (13, 14, -1), (24, 13, 2), (14, 24, -1)],
)
def test_slack_counts_working_days_both_ways(due, finish, days):
    assert slack_workdays(feb(due), feb(finish), CALENDAR) == days


@pytest.mark.parametrize(
    "activities, says",
    [
        ([Activity("a", 1), Activity("a", 2)], "a"),
        ([Activity("a", -1)], "a.days"),
        ([Activity("a", float("nan"))], "a.days"),
        ([Activity("a", 1, {"b": 0})], "a.after"),
        ([Activity("a", 1), Activity("b", 1, {"a": -2})], "b.after.a"),
        ([Activity("a", 1, {"b": 0}), Activity("b", 1, {"a": 0})], "a -> b -> a|b -> a -> b"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name(activities, says):
    with pytest.raises(InputError, match=says):
        earliest(activities, START, CALENDAR)


def test_a_chain_needs_something_to_follow():
    with pytest.raises(InputError):
        chain([])
    with pytest.raises(InputError, match="other"):
        chain(earliest([Activity("a", 1)], START, CALENDAR), "other")


def test_under_way_shares_a_day():
    months = [(date(2026, 1, 1), date(2026, 1, 31)), (feb(1), feb(28)), (date(2026, 3, 1), date(2026, 3, 31))]
    spans = [(date(2026, 1, 31), feb(1)), (feb(2), feb(27)), (feb(28), date(2026, 4, 9)), (date(2025, 1, 1),) * 2]
    wanted = [[True, True, False], [False, True, False], [False, True, True], [False, False, False]]
    assert under_way(spans, months).tolist() == wanted
    assert under_way([], months).shape == (0, 3)


@st.composite
def networks(draw):
    count = draw(st.integers(1, 7))
    names = [f"t{k}" for k in range(count)]
    return [
        Activity(
            name,
            draw(st.integers(0, 4)),
            {before: draw(st.integers(0, 2)) for before in names[:k] if draw(st.booleans())},
            draw(st.none() | st.integers(-5, 30).map(lambda d: START + timedelta(days=d))),
        )
        for k, name in enumerate(names)
    ]


@settings(max_examples=60, deadline=None)
@given(networks(), st.randoms(use_true_random=False))
def test_as_a_walk_through_the_calendar_day_by_day(network, random):
    shuffled = random.sample(network, len(network))
    found = {row.id: row for row in earliest(shuffled, START, CALENDAR)}
    worked = [START + timedelta(days=k) for k in range(400) if CALENDAR.is_workday(START + timedelta(days=k))]
    ends: dict[str, int] = {}  # how many of `worked` are used up
    for row in network:
        used = max([ends[before] + lag for before, lag in row.after.items()], default=0)
        if row.not_before is not None:
            # a task needs its first day at or after that day, an event its own day
            while worked[max(used - 1, 0) if row.days == 0 else used] < row.not_before:
                used += 1
        ends[row.id] = used + row.days
        assert found[row.id].finish == worked[max(ends[row.id], 1) - 1]
        assert slack_workdays(worked[50], found[row.id].finish, CALENDAR) == 51 - max(ends[row.id], 1)
