"""Goals on customers' own clocks: days by hand, rates against Kaplan-Meier by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.customers import radar as room

calm = settings(deadline=None, derandomize=True, max_examples=60)
NEVER = "NaT"


def days(*texts):
    return np.array(texts, dtype="datetime64[D]")


def states(found):
    return [room.STATES[state] for state in found.state]


# ---- the clock


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [("2027-01-31", 1, "2027-02-28"), ("2028-01-31", 1, "2028-02-29"), ("2027-11-30", 3, "2028-02-29"),
     ("2027-08-31", 6, "2028-02-29"), ("2027-05-15", 0, "2027-05-15"), ("2027-12-31", 12, "2028-12-31")],
)  # fmt: skip
def test_calendar_months(start, months, end):
    assert room.months_after(days(start), months)[0] == np.datetime64(end)


@calm
@given(st.integers(0, 20_000), st.integers(0, 30))
def test_months_are_those_of_pandas(day, months):
    pandas = pytest.importorskip("pandas")
    start = np.datetime64("1990-01-01") + day
    expected = pandas.Timestamp(start) + pandas.DateOffset(months=months)
    assert room.months_after(np.array([start]), months)[0] == np.datetime64(expected.date())


def test_who_joined_60_days_ago_without_purchase_is_open_and_after_three_months_has_missed():
    today = np.datetime64("2027-06-30")
    joined = np.array([today - 60, np.datetime64("2027-03-30"), np.datetime64("2027-03-29")])
    found = room.follow(joined, days(NEVER, NEVER, NEVER), goal=room.FIRST_PURCHASE, as_of=today)
    assert states(found) == ["open", "open", "missed"]  # the last day of the window is still open
    assert found.days_left.tolist() == [int((np.datetime64("2027-08-01") - today).astype(int)), 0, -1]
    assert found.counts.sum() == 3


def test_exactly_three_repurchases_in_six_months_pass_and_two_do_not():
    """First purchases on 10 January; of the repurchases the third falls on the last day, a day late, or not at all."""
    first = days("2027-01-10", "2027-01-10", "2027-01-10", NEVER)
    rows = [(0, ["2027-02-01", "2027-03-01", "2027-07-10"]), (1, ["2027-02-01", "2027-03-01", "2027-07-11"]),
            (2, ["2027-02-01", "2027-03-01"])]  # fmt: skip
    who = np.concatenate([[customer] * len(dates) for customer, dates in rows])
    when = days(*(date for _, dates in rows for date in dates))
    third = room.reached_on(who, when, np.ones(len(who)), customers=4, needed=room.REPURCHASES.needed)
    assert_dates(third, days("2027-07-10", "2027-07-11", NEVER, NEVER))
    found = room.follow(first, third, goal=room.REPURCHASES, as_of="2027-12-31")
    assert states(found) == ["passed", "missed", "missed", "not_started"]
    early = room.follow(first, third, goal=room.REPURCHASES, as_of="2027-04-01")
    assert states(early) == ["open", "open", "open", "not_started"]


def assert_dates(found, expected):
    assert found.astype(str).tolist() == expected.astype(str).tolist()


def test_a_thousand_interactions_have_no_end():
    who, when, count = [0, 0, 1, 0], days("2027-02-01", "2027-01-01", "2027-03-01", "2027-04-01"), [500, 400, 999, 100]
    done = room.reached_on(who, when, count, customers=2, needed=room.INTERACTIONS.needed)
    assert_dates(done, days("2027-04-01", NEVER))
    found = room.follow(days("2020-01-01", "2020-01-01"), done, goal=room.INTERACTIONS, as_of="2027-12-31")
    assert states(found) == ["passed", "open"]
    assert (found.pass_rate, found.reason, found.days_left.tolist()) == (None, "no_deadline", [-1, -1])
    assert np.isnat(found.deadline).all()


def test_nothing_happened_and_nothing_is_known_of_the_future():
    assert np.isnat(room.reached_on([], days(), [], customers=2, needed=1)).all()
    found = room.follow(
        days("2027-01-01", "2027-09-01", "2027-03-01"), days("2027-02-01", NEVER, "2026-12-24"),
        goal=room.FIRST_PURCHASE, as_of="2027-01-20",
    )  # fmt: skip
    assert states(found) == ["open", "not_started", "not_started"]  # the first one's purchase lies ahead
    before = room.follow(days("2027-03-01"), days("2026-12-24"), goal=room.FIRST_PURCHASE, as_of="2027-03-02")
    assert states(before) == ["passed"]  # bought before joining


# ---- the rate


@calm
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200), st.booleans()), min_size=1, max_size=25))
def test_unfinished_windows_are_censored(rows):
    """Product over the parts of the window at which somebody passes, among those followed so far."""
    today = np.datetime64("2027-10-28")
    start = today - np.array([ago for ago, _, _ in rows])
    done = np.where(
        [came for _, _, came in rows], start + np.array([wait for _, wait, _ in rows]), np.datetime64(NEVER)
    )
    found = room.follow(start, done, goal=room.FIRST_PURCHASE, as_of=today)
    assert found.counts.sum() == len(rows)
    end = room.months_after(start, 3)
    whole = (end - start).astype(int)
    passed = found.state == 1
    last = np.where(passed, done, np.minimum(end, today))
    part = (last - start).astype(int) / whole
    left = 1.0
    for at in np.unique(part[passed]):
        left *= 1 - (passed & (part == at)).sum() / (part >= at).sum()
    if found.pass_rate is None:
        assert found.reason == "nobody_followed_to_the_end" and part.max() < 1 and (left > 0 or not passed.any())
    else:
        assert_allclose(found.pass_rate, 1 - left, atol=1e-12)
        assert found.interval.low <= found.pass_rate <= found.interval.high


def test_the_rate_is_recovered_when_many_are_still_open():
    """Purchases at a constant hazard: of those judged by counts alone, too few would seem to pass."""
    rng, n = np.random.default_rng(12), 20_000
    today = np.datetime64("2027-12-31")
    start = today - rng.integers(0, 200, n)
    wait = np.floor(rng.exponential(120, n)).astype(int)
    found = room.follow(start, start + wait, goal=room.FIRST_PURCHASE, as_of=today)
    true = 1 - np.exp(-92.0 / 120)
    assert found.interval.low - 0.005 < true < found.interval.high + 0.005
    counted = found.counts[1] / n
    assert counted < true - 0.05


def test_rates_that_cannot_be_told_or_are_zero():
    young = room.follow(days("2027-01-01"), days(NEVER), goal=room.FIRST_PURCHASE, as_of="2027-01-05")
    assert (young.pass_rate, young.interval, young.reason) == (None, None, "nobody_followed_to_the_end")
    nobody = room.follow(days(NEVER), days(NEVER), goal=room.FIRST_PURCHASE, as_of="2027-01-05")
    assert (nobody.pass_rate, nobody.reason) == (None, "nobody_started")
    missed = room.follow(days(*["2027-01-01"] * 50), days(*[NEVER] * 50), goal=room.FIRST_PURCHASE, as_of="2028-01-05")
    assert missed.pass_rate == 0.0 and missed.interval.low == 0.0 and 0.05 < missed.interval.high < 0.1
    all_pass = room.follow(days("2027-01-01"), days("2027-01-01"), goal=room.FIRST_PURCHASE, as_of="2027-01-05")
    assert all_pass.pass_rate == 1.0


# ---- axes


def test_radar_of_groups():
    axes = {"activity": [0, 1, 2, 3], "spending": [5, 5, 5, 5], "influence": [0, 0, 0, 9]}
    found = room.radar(axes, [0, 0, 1, 1], groups=3, names=("a", "b", "none"))
    assert [row.customers for row in found] == [2, 2, 0]
    assert found[0].axes == {"activity": 25.0, "spending": 50.0, "influence": 37.5}
    assert found[1].axes == {"activity": 75.0, "spending": 50.0, "influence": (37.5 + 87.5) / 2}
    assert set(found[2].axes.values()) == {None}
    for axis in axes:
        assert_allclose(sum(row.axes[axis] * row.customers for row in found[:2]) / 4, 50.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.follow(days("2027-01-01"), days(), goal=room.FIRST_PURCHASE, as_of="2027-01-05"),
        lambda: room.follow(days(), days(), goal=room.FIRST_PURCHASE, as_of="2027-01-05"),
        lambda: room.follow([1], [2], goal=room.FIRST_PURCHASE, as_of="2027-01-05"),
        lambda: room.follow(days("2027-01-01"), days(NEVER), goal=room.FIRST_PURCHASE, as_of=NEVER),
        lambda: room.reached_on([2], days("2027-01-01"), [1], customers=2, needed=1),
        lambda: room.reached_on([0], days(NEVER), [1], customers=2, needed=1),
        lambda: room.reached_on([0], days("2027-01-01"), [-1], customers=2, needed=1),
        lambda: room.radar({"a": [1]}, [1], groups=1, names=("x",)),
        lambda: room.radar({"a": [1, 2]}, [0], groups=1, names=("x",)),
    ],
)
def test_bad_radars(call):
    with pytest.raises(InputError):
        call()
