"""Earned value and causes of cost by hand; cost-warning's figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.earned import cost_causes, earned_value, return_colour
from planlib.core.errors import InputError


def test_a_fifth_more_money_for_the_planned_output():
    """cost-warning: spend 20 % above plan at plan output gives CPI 0.83 and an alert."""
    found = earned_value([100.0] * 4, [10.0] * 4, [120.0, 120.0], [10.0, 10.0])
    assert_allclose([found.cpi, found.spi, found.at_completion_cny], [1 / 1.2, 1.0, 480.0])
    assert found.alert


def test_behind_but_not_dearer():
    found = earned_value([100.0, 100.0], [10.0, 10.0], [80.0], [8.0])
    assert_allclose([found.earned_cny, found.cpi, found.spi], [80.0, 1.0, 0.8])
    assert found.alert


def test_nothing_spent_or_planned_has_no_index():
    found = earned_value([0.0, 100.0], [0.0, 10.0], [0.0], [0.0])
    assert (found.cpi, found.spi, found.at_completion_cny, found.alert) == (None, None, None, False)


pairs = st.tuples(st.floats(0.5, 1e4), st.floats(0.1, 100))


@given(st.lists(st.tuples(pairs, pairs), min_size=1, max_size=5))
def test_causes_add_up(rows):
    plan = {str(i): a for i, (a, _) in enumerate(rows)}
    actual = {str(i): b for i, (_, b) in enumerate(rows)}
    change = sum(u * p for u, p in actual.values()) - sum(u * p for u, p in plan.values())
    assert_allclose(sum(cost_causes(plan, actual).values()), change, atol=1e-6 * max(1, abs(change)))


def test_a_pure_price_rise_is_all_price():
    parts = cost_causes({"a": (5.0, 2.0), "b": (5.0, 4.0)}, {"a": (5.0, 3.0), "b": (5.0, 6.0)})
    assert_allclose([parts["volume"], parts["mix"], parts["price"]], [0, 0, 15], atol=1e-9)


@pytest.mark.parametrize(
    ("roi", "limits", "colour"),
    [
        (2.9, {"amber_below": 3.0}, "amber"),  # a campaign under its own floor
        (3.0, {"amber_below": 3.0}, "green"),
        (2.2, {"amber_below": 2.3, "red_at": 1.5}, "amber"),  # the private domain under the industry
        (1.5, {"amber_below": 2.3, "red_at": 1.5}, "red"),  # at the quoted failure
    ],
)
def test_return_limits_of_the_two_bases(roi, limits, colour):
    assert return_colour(roi, **limits) == colour


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        earned_value([1.0], [-1.0], [1.0, 2.0], [np.nan, 1.0])
    assert {p.field for p in error.value.problems} == {"planned_output[0]", "actual_output[0]", "actual_cny"}
