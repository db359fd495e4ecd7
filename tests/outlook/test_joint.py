"""Gates, money and tests on the funnel's paths, against cases that can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel.model import Drivers, run
from planlib.outlook.joint import Bought, Buying, Delay, Lift, overdue, simulate

PLAN = Drivers(
    intake=np.full((12, 2), [300.0, 100.0]), churn=0.1, stay=0.4, wake=0.3, conversion=0.2, repeat_rate=0.5,
    repeat_orders=2.0, repeat_months=6, aov_cny=50.0, company_gmv_cny=1e6,
)  # fmt: skip


def test_two_gates_with_known_slips():
    # channel 0 waits for both gates, due at the end of months 2 and 4, passed at 3.25 and 5.5; each takes what it takes
    delays = [Delay("a", 2.0, 1.0, channel=0), Delay("b", 4.0, 0.5, channel=0)]
    found = simulate(PLAN, dates={"a": [3.25], "b": [5.5]}, delays=delays)
    a = np.array([0, 0, 1, 0.25, 0, 0, 0, 0, 0, 0, 0, 0])
    b = np.array([0, 0, 0, 0, 1, 0.5, 0, 0, 0, 0, 0, 0])
    joined = 300 * (1 - a) * (1 - 0.5 * b) + 100
    assert_allclose(found.outcome.users.joined[0], joined)
    users = 0.0
    for month, people in enumerate(joined):
        users = 0.9 * users + people
        assert_allclose(found.metrics["private_domain_users"][0, month], users)
    assert found.residual <= 1e-9


def test_overlapping_gates_multiply():
    delays = [Delay("a", 2.0, 0.5, channel=0), Delay("b", 2.0, 0.5, channel=0)]
    found = simulate(PLAN, dates={"a": [4.0], "b": [3.0]}, delays=delays)
    assert found.outcome.intake[0, :5, 0].tolist() == [300, 300, 75, 150, 300]


def test_a_gate_in_time_changes_nothing_and_one_that_never_comes_takes_all_after_its_due_month():
    delays = [Delay("a", 2.0, 1.0, channel=1)]
    plain = run(PLAN).metrics
    early = simulate(PLAN, dates={"a": [0.5]}, delays=delays).metrics
    assert all(np.array_equal(early[name], plain[name], equal_nan=True) for name in plain)
    never = simulate(PLAN, dates={"a": [np.inf]}, delays=delays).outcome.intake
    assert never[0, :, 1].tolist() == [100, 100, *[0] * 10]


def test_a_rate_waits_for_its_gate():
    found = simulate(PLAN, dates={"a": [3.5]}, delays=[Delay("a", 2.0, 0.25, rate="conversion")])
    share = found.outcome.sales.new_buyers[0] / 400
    assert_allclose(share, [0.2, 0.2, 0.15, 0.175, *[0.2] * 8])


@given(st.lists(st.floats(0, 30), min_size=1, max_size=5), st.integers(0, 10))
@settings(max_examples=50, deadline=None)
def test_overdue_time_adds_up(dates, due):
    found = overdue(dates, float(due), 24)
    assert_allclose(found.sum(axis=1), np.clip(np.minimum(dates, 24) - due, 0, None), atol=1e-9)
    assert not found[:, :due].any()


def test_money_buys_the_paid_channel_only():
    # 100 people at 30 CNY need 3,000; 2,400 a month pay for four fifths of them at a cost that never rises
    buying = Buying(channels=(Bought(1, 30.0),), money_cny=np.full(12, 2_400.0))
    found = simulate(PLAN, buying=buying)
    assert_allclose(found.outcome.intake[0, :, 1], 80.0)
    assert_allclose(found.outcome.intake[0, :, 0], 300.0)
    assert_allclose(found.spend_cny, 2_400.0)


def test_a_curve_gives_back_less_than_its_share_of_the_money():
    # Michaelis-Menten 300 x / (6,000 + x): 3,000 CNY bring 100; 1,500 CNY bring 60, not 50
    one = Bought(1, 30.0, ("michaelis_menten", 300.0, 6_000.0, 1.0), 3_000.0)
    half = simulate(PLAN, buying=Buying(channels=(one,), money_cny=np.full(12, 1_500.0)))
    assert_allclose(half.outcome.intake[0, :, 1], 60.0)
    more = simulate(PLAN, buying=Buying(channels=(one,), money_cny=np.full(12, 6_000.0), most=9.0))
    assert_allclose(more.outcome.intake[0, :, 1], 150.0)
    enough = simulate(PLAN, buying=Buying(channels=(one,), money_cny=np.full(12, 6_000.0)))
    assert_allclose(enough.outcome.intake[0, :, 1], 100.0)
    assert_allclose(enough.spend_cny, 3_000.0)
    capped = simulate(PLAN, buying=Buying(channels=(replace(one, most_cny=4_500.0),), money_cny=None, most=9.0))
    assert_allclose(capped.spend_cny, 4_500.0)


def test_a_channel_that_waits_costs_nothing_and_frees_the_money():
    buying = Buying(channels=(Bought(0, 10.0), Bought(1, 30.0)), money_cny=np.full(12, 3_000.0))
    found = simulate(PLAN, dates={"a": [4.0]}, delays=[Delay("a", 3.0, 1.0, channel=0)], buying=buying)
    assert_allclose(found.outcome.intake[0, 2], [150.0, 50.0])  # 6,000 asked, 3,000 there
    assert_allclose(found.outcome.intake[0, 3], [0.0, 100.0])


def test_a_lift_acts_from_its_day_for_its_months():
    found = simulate(PLAN, lifts=[Lift("t", "conversion", np.array([0.1, 0.0]), 2.5, 4.0)])
    share = found.outcome.sales.new_buyers / 400
    assert_allclose(share[0], [0.2, 0.2, 0.21, 0.22, 0.22, 0.22, 0.21, *[0.2] * 5])
    assert_allclose(share[1], 0.2)


def test_rates_stay_inside_what_they_may_be():
    strong = simulate(PLAN, lifts=[Lift("a", "stay", 9.0, 0.0, 99.0), Lift("b", "conversion", 99.0, 0.0, 99.0)])
    assert_allclose(strong.outcome.sales.new_buyers, strong.outcome.users.joined)
    assert strong.residual <= 1e-9


def test_one_path_is_the_plain_funnel():
    plain = run(PLAN).metrics
    found = simulate(PLAN).metrics
    assert all(np.array_equal(found[name], plain[name], equal_nan=True) for name in plain)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"delays": [Delay("a", 1.0, 1.0, channel=0)]}, "delays[0].gate"),
        ({"dates": {"a": [1.0]}, "delays": [Delay("a", 1.0, 1.5, channel=0)]}, "delays[0].loss"),
        ({"dates": {"a": [1.0]}, "delays": [Delay("a", 1.0, 1.0, channel=2)]}, "delays[0].channel"),
        ({"dates": {"a": [1.0]}, "delays": [Delay("a", 1.0, 1.0)]}, "delays[0].channel"),
        ({"dates": {"a": [1.0]}, "delays": [Delay("a", 1.0, 1.0, rate="churn")]}, "delays[0].rate"),
        ({"dates": {"a": [float("nan")]}, "delays": [Delay("a", 1.0, 1.0, channel=0)]}, "dates"),
        ({"lifts": [Lift("t", "conversion", float("nan"), 1.0)]}, "lifts[0].effect"),
        ({"buying": Buying(channels=(Bought(7, 1.0),))}, "buying.channels[0].channel"),
        ({"buying": Buying(channels=(Bought(1, 1.0),), money_cny=np.full(12, -1.0))}, "buying.money_cny[0]"),
        ({"buying": Buying(channels=(Bought(1, 1.0),), money_cny=np.full(3, 1.0))}, "buying.money_cny"),
    ],
)
def test_bad_arguments(arguments, field):
    with pytest.raises(InputError) as caught:
        simulate(PLAN, **arguments)
    assert field in [problem.field for problem in caught.value.problems]
