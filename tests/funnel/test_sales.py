"""Buyers, orders and GMV: seed figures, hand cases, identities."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel import sales as room

calm = settings(deadline=None, derandomize=True)
YEAR = np.full(12, 50_000.0)


def test_seed_first_buyers():
    """systems.yaml aarrr-funnel: 50,000 adds a month and 12 % of all adds: 72,000 first buyers in 12 months."""
    year = room.sales(YEAR, conversion=0.12, aov_new_cny=100.0)
    assert year.new_buyers.sum() == pytest.approx(72_000)


@pytest.mark.parametrize("orders, expected", [(1, 0.740740740741), (6, 0.322580645161)])
def test_seed_new_share(orders, expected):
    assert room.new_gmv_share(repeat_rate=0.35, repeat_orders=orders) == pytest.approx(expected)
    # the same from the monthly model, all repeat orders in the month of the first purchase
    year = room.sales(
        YEAR, conversion=0.12, aov_new_cny=80.0, repeat_rate=0.35, repeat_orders=orders, repeat_spread=[1.0]
    )
    assert year.gmv_new_cny.sum() / year.gmv_cny.sum() == pytest.approx(expected)
    assert_allclose(year.new_share, expected)


@pytest.mark.parametrize("orders, expected", [(1, 0.74), (6, 0.323)])
def test_72000_new_buyers_of_whom_a_third_return(orders, expected):
    """systems.yaml new-repeat-balance: 72,000 new buyers, 35 % repeat: 74 % new at one repeat order, 32.3 % at six."""
    year = room.sales([50_000.0] * 12 + [0.0] * 12, conversion=0.12, aov_new_cny=100.0, repeat_rate=0.35,
                      repeat_orders=orders)
    assert year.new_buyers.sum() == pytest.approx(72_000)
    assert year.repeat_buyers.sum() == pytest.approx(0.35 * 72_000)
    assert year.gmv_new_cny.sum() / year.gmv_cny.sum() == pytest.approx(expected, abs=0.001)
    assert room.new_share_frontier([0.35], [orders], floor=0.4).new_share.item() == pytest.approx(expected, abs=0.001)


def test_frontier_of_repeat_frequency_against_new_share():
    rates, orders = [0.0, 0.2, 0.35, 1.0], np.arange(0, 9.0)
    found = room.new_share_frontier(rates, orders, floor=0.40, aov_ratio=1.3)
    assert (np.diff(found.new_share, axis=0) <= 0).all() and (np.diff(found.new_share, axis=1) <= 0).all()
    assert_allclose(found.gmv_multiple * found.new_share, 1.0)
    assert found.most_orders[0] == np.inf and found.holds[0].all()
    for row, rate in enumerate(rates[1:], start=1):
        most = found.most_orders[row]
        assert most == pytest.approx(room.highest_repeat_orders(0.40, repeat_rate=rate, aov_ratio=1.3))
        assert found.holds[row].tolist() == (orders <= most).tolist()
        edge = room.new_share_frontier([rate], [most], floor=0.40, aov_ratio=1.3)
        assert edge.holds.item() and edge.gmv_multiple.item() == pytest.approx(found.most_multiple)
    with pytest.raises(InputError):
        room.new_share_frontier(rates, orders, floor=0.0)


def test_seed_highest_repeat_orders():
    most = room.highest_repeat_orders(0.40, repeat_rate=0.35)
    assert most == pytest.approx(1.5 / 0.35)  # 4.3
    assert room.new_gmv_share(repeat_rate=0.35, repeat_orders=most) == pytest.approx(0.40)
    dearer = room.highest_repeat_orders(0.40, repeat_rate=0.35, aov_ratio=1.3)
    assert room.new_gmv_share(repeat_rate=0.35, repeat_orders=dearer, aov_ratio=1.3) == pytest.approx(0.40)


def test_by_hand():
    got = room.sales(
        [[100.0, 0.0, 0.0]], conversion=0.5, conversion_spread=[0.6, 0.4], aov_new_cny=10.0, aov_repeat_cny=20.0,
        first_orders=1.5, repeat_rate=0.5, repeat_orders=2.0, repeat_spread=[0.0, 1.0], seasonality=[1.0, 1.0, 2.0],
    )
    assert_allclose(got.new_buyers, [[30, 20, 0]])
    assert_allclose(got.new_orders, [[45, 30, 0]])
    assert_allclose(got.repeat_buyers, [[0, 15, 10]])
    assert_allclose(got.repeat_orders, [[0, 30, 40]])  # the last month's season doubles its orders
    assert_allclose(got.gmv_cny, [[450, 300 + 600, 800]])


def test_orders_after_the_horizon_are_not_counted():
    got = room.sales([100.0, 0.0, 0.0], conversion=1.0, aov_new_cny=1.0, repeat_rate=1.0, repeat_orders=12.0)
    assert_allclose(got.repeat_orders, [[0.0, 100.0, 100.0]])  # twelve months, evenly


def test_nothing_sold_has_no_new_share():
    assert np.isnan(room.sales([0.0], conversion=0.1, aov_new_cny=1.0).new_share).all()


def test_draws_and_months_broadcast():
    conversion = np.array([[0.1], [0.2]])
    aov = np.array([[10.0, 20.0, 30.0]])
    got = room.sales([100.0, 100.0, 100.0], conversion=conversion, aov_new_cny=aov)
    assert_allclose(got.gmv_cny, [[100, 200, 300], [200, 400, 600]])


@calm
@given(arrays(float, (2, 9), elements=st.floats(0, 1e6)), st.floats(0, 1), st.floats(0, 1), st.floats(1, 10))
def test_nobody_buys_twice_for_the_first_time(joined, conversion, repeat_rate, orders):
    got = room.sales(
        joined, conversion=conversion, conversion_spread=[0.5, 0.3, 0.2], aov_new_cny=50.0, repeat_rate=repeat_rate,
        repeat_orders=orders,
    )
    scale = joined.sum() + 1.0
    assert (got.new_buyers.cumsum(axis=1) <= conversion * joined.cumsum(axis=1) + 1e-9 * scale).all()
    assert (got.repeat_buyers.cumsum(axis=1) <= repeat_rate * got.new_buyers.cumsum(axis=1) + 1e-9 * scale).all()
    assert_allclose(got.gmv_cny, 50.0 * (got.new_orders + got.repeat_orders), rtol=1e-9, atol=1e-6)
    assert got.residual <= 1e-9


def test_residual_sees_a_lost_buyer():
    flow = np.array([[10.0, 10.0]])
    assert room._not_spread(flow, np.array([1.0]), np.array([[10.0, 9.0]]))[0] == pytest.approx(1.0)


def test_share_of_total():
    part = np.full(24, 25.0)
    assert_allclose(room.share_of_total(part, 100.0), 0.25)
    assert_allclose(room.share_of_total(part, 75.0, basis="rest"), 0.25)
    # sales from month 5 on: eight open months of twelve, W's annual share
    late = np.where(np.arange(12) >= 4, 37.5, 0.0)
    assert room.share_of_total(late, 100.0)[-1] == pytest.approx(0.25)
    moving = room.share_of_total([[0.0, 10.0, 20.0]], [[10.0, 10.0, 10.0]], window_months=2)
    assert_allclose(moving, [[0.0, 0.5, 1.5]])
    assert np.isnan(room.share_of_total([0.0], [0.0])).all()
    assert_allclose(room.share_of_total([0.1], [0.4]), 0.25)


def test_one_repeat_order_is_the_default():
    got = room.sales([100.0], conversion=1.0, aov_new_cny=1.0, repeat_rate=0.5, repeat_spread=[1.0])
    assert_allclose(got.repeat_orders, 50.0)


def test_chain_and_its_inverse():
    chain = {"users": 1_000_000.0, "active": 0.35, "conversion": 0.06, "orders": 1.4, "aov_cny": 180.0}
    result = room.funnel_chain(**chain)
    assert_allclose([result.buyers, result.orders, result.gmv_cny], [21_000, 29_400, 5_292_000])
    for name, value in chain.items():
        others = {k: v for k, v in chain.items() if k != name}
        assert room.funnel_solve(result.gmv_cny, name, **others) == pytest.approx(value)


@pytest.mark.parametrize(
    "change, field",
    [
        ({"conversion": 1.2}, "conversion"),
        ({"conversion": [0.1, 0.2]}, "conversion"),
        ({"conversion": np.full((1, 5), 0.1)}, "conversion"),
        ({"aov_new_cny": -1.0}, "aov_new_cny"),
        ({"aov_repeat_cny": np.nan}, "aov_repeat_cny"),
        ({"repeat_rate": 2.0}, "repeat_rate"),
        ({"repeat_orders": 0.5}, "repeat_orders"),
        ({"first_orders": 0.5}, "first_orders"),
        ({"conversion_spread": [0.5, 0.4]}, "conversion_spread"),
        ({"repeat_spread": [1.5, -0.5]}, "repeat_spread[1]"),
        ({"seasonality": [1.0]}, "seasonality"),
        ({"conversion": np.full((2, 1), 0.1), "repeat_rate": np.full((3, 1), 0.1)}, "joined"),
    ],
)
def test_bad_input_names_the_field(change, field):
    arguments = {"conversion": 0.12, "aov_new_cny": 100.0} | change
    with pytest.raises(InputError) as caught:
        room.sales([1.0, 1.0], **arguments)
    assert caught.value.problems[0].field == field


@pytest.mark.parametrize("call, field", [
    (lambda: room.sales([], conversion=0.1, aov_new_cny=1.0), "joined"),
    (lambda: room.sales([-1.0], conversion=0.1, aov_new_cny=1.0), "joined[0]"),
    (lambda: room.even_spread(0), "months"),
    (lambda: room.share_of_total([1.0, 2.0], [1.0, 2.0, 3.0]), "whole"),
    (lambda: room.share_of_total([1.0], 1.0, basis="half"), "basis"),
    (lambda: room.funnel_solve(1.0, "aov_cny", users=1.0, active=0.0, conversion=0.1, orders=1.0), "active"),
    (lambda: room.funnel_solve(1.0, "aov_cny", users=1.0, active=0.1, conversion=0.1), "orders"),
    (lambda: room.funnel_solve(1.0, "price", users=1.0), "solve"),
    (lambda: room.highest_repeat_orders(0.0, repeat_rate=0.35), "new_share"),
])
def test_bad_calls(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


def _reference(*kinds):
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "planning.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if f"{case['kind']}/{case['method']}" in kinds]


@pytest.mark.parametrize("case", _reference("funnel/funnel", "goal_seek/funnel_inverse"))
def test_reference_chain(case):
    given, expected = dict(case["input"]), case["expected"]
    names = {"conv": "conversion", "aov": "aov_cny"}
    solve, gmv = given.pop("solve", None), given.pop("gmv", None)
    factors = {names.get(name, name): value for name, value in given.items()}
    if solve:
        assert room.funnel_solve(gmv, names.get(solve, solve), **factors) == pytest.approx(expected[solve])
    else:
        got = room.funnel_chain(**factors)
        assert_allclose([got.buyers, got.orders, got.gmv_cny], [expected[n] for n in ("buyers", "orders", "gmv")])
