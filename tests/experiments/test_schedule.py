"""Calendars of tests: by hand, against all calendars there are, and what they must never break."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.experiments.schedule import Candidate, schedule


def allowed(tests, starts, traffic, apart, limit, ordinary, periods):
    """Whether a calendar keeps all rules, counted week by week."""
    horizon = len(next(iter(traffic.values())))
    runs = {t.id: set(range(s, s + t.weeks)) if s else set() for t, s in zip(tests, starts, strict=True)}
    for test, start in zip(tests, starts, strict=True):
        if start and (start < test.earliest_week or start + test.weeks - 1 > horizon):
            return False
        if start and any(traffic[test.pool][w - 1] < test.people_per_week for w in runs[test.id]):
            return False
    got = {}
    for week in range(1, horizon + 1):
        for pool, people in traffic.items():
            here = [t for t in tests if t.pool == pool and week in runs[t.id]]
            own = [t for t in here if not t.crossed]
            if sum(t.people_per_week for t in own) > people[week - 1]:
                return False
            sends = sum(t.sends_per_week for t in here if t.crossed) + max([t.sends_per_week for t in own], default=0)
            key = pool, periods[week - 1]
            got[key] = got.get(key, 0) + ordinary + sends
    if limit is not None and max(got.values()) > limit:
        return False
    return not any(runs[a] & runs[b] for a, b in apart)


def best_value(tests, *rules):
    horizon = len(next(iter(rules[0].values())))
    every = product(range(horizon + 1), repeat=len(tests))
    return max(
        sum(t.value_cny for t, s in zip(tests, starts, strict=True) if s)
        for starts in every if allowed(tests, starts, *rules)
    )


candidate = st.builds(
    Candidate, id=st.just("x"), value_cny=st.integers(-2, 9).map(float), weeks=st.integers(1, 3),
    people_per_week=st.sampled_from([300.0, 500.0, 900.0]), pool=st.sampled_from(["new", "old"]),
    sends_per_week=st.sampled_from([0.0, 1.0, 2.0]), earliest_week=st.integers(1, 3), crossed=st.booleans(),
)


@settings(max_examples=40)
@given(
    st.lists(candidate, min_size=1, max_size=4), st.sampled_from([None, 3.0, 4.0]), st.booleans(),
    st.sampled_from([None, (1, 1, 2, 2), (1, 2, 2, 2)]),
)
def test_no_calendar_is_better(found, limit, keep_apart, periods):
    tests = [replace(test, id=f"t{e}") for e, test in enumerate(found)]
    traffic = {"new": [1000, 600, 800, 1000], "old": [500, 500, 500, 500]}
    apart = [("t0", f"t{len(tests) - 1}")] if keep_apart and len(tests) > 1 else []
    limit = limit and limit + (0.0 if periods is None else 1.0)
    got = schedule(tests, traffic, apart=apart, send_limit=limit, ordinary_sends=1.0, send_period=periods)
    rules = traffic, apart, limit, 1.0, periods or (1, 2, 3, 4)
    assert allowed(tests, got.start_week.tolist(), *rules)
    assert got.value_cny == pytest.approx(best_value(tests, *rules))
    assert got.bound_cny == pytest.approx(got.value_cny, abs=1e-6)
    assert all((start == 0) == bool(why) for start, why in zip(got.start_week, got.reason, strict=True))


def test_value_a_week_of_traffic_is_not_enough():
    """Two small tests beside each other are worth more than the one that is worth most a week."""
    tests = [Candidate("big", 60, 1, 1000), Candidate("one", 50, 1, 500), Candidate("two", 45, 1, 500)]
    found = schedule(tests, {"all": [1000]})
    assert found.start_week.tolist() == [0, 1, 1] and found.reason == ("crowded_out", "", "")


def test_early_starts_and_loads():
    tests = [Candidate("a", 9, 2, 400, sends_per_week=2), Candidate("b", 8, 3, 500, sends_per_week=1, earliest_week=2),
             Candidate("c", 1, 4, 900, sends_per_week=1, crossed=True)]
    found = schedule(tests, {"all": [1000] * 6}, send_limit=7, ordinary_sends=3)
    assert found.start_week.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(found.people["all"], [400, 900, 500, 500, 0, 0])
    np.testing.assert_array_equal(found.sends["all"], [6, 6, 5, 5, 3, 3])
    tighter = schedule(tests, {"all": [1000] * 6}, send_limit=5, ordinary_sends=3)
    assert tighter.start_week.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(tighter.sends["all"], [5, 5, 5, 5, 4, 4])


def test_messages_counted_by_month():
    """WeCom's limit of one message a day of the month: the second month has room for what the first has not."""
    test = Candidate("a", 9, 2, 100, sends_per_week=5)
    month = {"send_period": [1, 1, 1, 1, 2, 2, 2, 2], "send_limit": 31}
    assert schedule([test], {"all": [1000] * 8}, ordinary_sends=5, **month).start_week.tolist() == [1]
    assert schedule([test], {"all": [1000] * 8}, ordinary_sends=6, **month).start_week.tolist() == [4]
    assert schedule([test], {"all": [1000] * 8}, ordinary_sends=7, **month).reason == ("sends",)
    one = {"send_period": [1] * 4, "send_limit": 31, "ordinary_sends": 6.25}  # one week of it would do, two will not
    assert schedule([test], {"all": [1000] * 4}, **one).reason == ("sends",)


def test_tests_without_messages_run_past_the_limit():
    tests = [Candidate("quiet", 1, 1, 100), Candidate("loud", 9, 1, 100, sends_per_week=1)]
    found = schedule(tests, {"all": [1000]}, send_limit=3, ordinary_sends=5)
    assert found.reason == ("", "sends")


def test_small_values_have_their_bound():
    found = schedule([Candidate("a", 0.3, 1, 600), Candidate("b", 0.2, 1, 600)], {"all": [1000]})
    assert found.value_cny == pytest.approx(0.3) and found.bound_cny == pytest.approx(0.3)


def test_crossed_tests_need_their_people_in_every_week():
    found = schedule([Candidate("a", 9, 2, 900, crossed=True)], {"all": [1000, 600]})
    assert found.reason == ("traffic",)


def test_every_refusal_has_its_reason():
    tests = [
        Candidate("worthless", 0.0, 1, 100), Candidate("long", 9, 5, 100),
        Candidate("late", 9, 2, 100, earliest_week=4), Candidate("large", 9, 1, 2000),
        Candidate("loud", 9, 1, 100, sends_per_week=5),
        Candidate("runs", 9, 4, 700), Candidate("weak", 1, 1, 700), Candidate("other", 2, 1, 100),
    ]
    found = schedule(tests, {"all": [1000] * 4}, send_limit=7, ordinary_sends=3, apart=[("runs", "other")])
    assert found.reason == (
        "not_worth_it", "too_long", "too_long", "traffic", "sends", "", "crowded_out", "crowded_out"
    )
    assert schedule([], {"all": [5.0]}).value_cny == 0.0


def test_a_quarter_of_tests_is_solved_to_the_end():
    rng = np.random.default_rng(20270110)
    tests = [
        Candidate(f"t{e}", float(rng.uniform(1, 50)), int(rng.integers(1, 6)), float(rng.choice([2000, 4000, 9000])),
                  pool=("new", "old")[e % 2], sends_per_week=float(rng.integers(0, 3)), crossed=bool(e % 5 == 0))
        for e in range(20)
    ]
    found = schedule(tests, {"new": [12_000] * 13, "old": [10_000] * 13}, send_limit=7, ordinary_sends=4)
    assert found.bound_cny == pytest.approx(found.value_cny, rel=1e-6)
    assert (found.people["new"] <= 12_000).all() and found.sends["new"].max() <= 7 + 1e-9
    again = schedule(tests, {"new": [12_000] * 13, "old": [10_000] * 13}, send_limit=7, ordinary_sends=4)
    assert (again.start_week == found.start_week).all()


@pytest.mark.parametrize(("tests", "more", "field", "code"), [
    ([Candidate("a", 1, 1, 1), Candidate("a", 1, 1, 1)], {}, "candidates[1].id", "duplicate_id"),
    ([Candidate("a", np.nan, 1, 1)], {}, "candidates[0].value_cny", "not_finite"),
    ([Candidate("a", 1, 1.5, 1)], {}, "candidates[0].weeks", "not_whole"),
    ([Candidate("a", 1, 1, 0)], {}, "candidates[0].people_per_week", "above"),
    ([Candidate("a", 1, 1, 1, pool="x")], {}, "candidates[0].pool", "choice"),
    ([Candidate("a", 1, 1, 1)], {"apart": [("a", "b")]}, "apart", "choice"),
    ([Candidate("a", 1, 1, 1)], {"send_limit": -1}, "send_limit", "at_least"),
    ([Candidate("a", 1, 1, 1)], {"nodes": 0}, "nodes", "at_least"),
    ([Candidate("a", 1, 1, 1)], {"send_period": [1, 2]}, "send_period", "shape"),
    ([Candidate("a", 1, 1, 1)], {"traffic": {"all": [1.0], "b": [1.0, 2.0]}}, "traffic", "shape"),
    ([Candidate("a", 1, 1, 1)], {"traffic": {"all": [-1.0]}}, "traffic.all[0]", "at_least"),
])
def test_bad_input_names_the_field(tests, more, field, code):
    arguments = {"traffic": {"all": [10.0]}} | more
    with pytest.raises(InputError) as caught:
        schedule(tests, **arguments)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)
