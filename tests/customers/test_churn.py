"""Warnings: definitions, what a goal asks for, and what acting on them is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.customers.churn import labels, needed_recall, rate_after, saved, warn


def test_recall_that_the_goal_of_eight_percent_asks_for():
    assert needed_recall(0.20, 0.08, 0.65).recall == pytest.approx(0.923, abs=5e-4)
    assert needed_recall(0.15, 0.08, 0.65).recall == pytest.approx(0.718, abs=5e-4)


@given(st.floats(0.01, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_the_needed_recall_brings_the_goal(rate, goal, success):
    found = needed_recall(rate, goal, success)
    if found.reason is None:
        assert rate_after(rate, found.recall, success) == pytest.approx(goal, abs=1e-9)
    elif found.reason == "beyond_success":
        assert found.recall is None and rate_after(rate, 1.0, success) > goal
    else:
        assert found.recall == 0 and rate <= goal


def test_both_definitions_of_churn():
    given_ = {"left": [0, 1, 0, 1], "orders_before": [0, 2, 1, 0], "orders_after": [0, 1, 0, 0]}
    left = labels("left", **given_)
    assert left.eligible.all() and left.churned.tolist() == [0, 1, 0, 1] and left.window_days == 30
    lapsed = labels("lapsed", **given_, window_days=61)
    assert lapsed.eligible.tolist() == [False, True, True, False] and lapsed.churned.tolist() == [0, 0, 1, 0]
    with pytest.raises(InputError):
        labels("bored", **given_)


def test_what_a_warning_earns_when_it_is_right():
    """100 people of chance 0.5, worth 200, 65 % kept, 10 a contact: each is worth 55 before it is known."""
    p = np.full(100, 0.5)
    found = warn(p, value_cny=200.0, success=0.65, cost_cny=10.0, churned=np.repeat([1, 0], 50))
    assert found.expected_net_cny == pytest.approx(5_500) and found.observed_net_cny == pytest.approx(5_500)
    assert found.threshold == pytest.approx(10 / 130)
    assert warn(p, value_cny=10.0, success=0.65, cost_cny=10.0).order.size == 0


def test_the_dear_come_first():
    found = warn(np.array([0.2, 0.2]), value_cny=np.array([50.0, 500.0]), success=0.5, cost_cny=1.0)
    assert found.order.tolist() == [1, 0] and found.net_cny == pytest.approx([4, 49])


def test_what_an_intervention_added():
    found = saved(70, 1_000, 200, 1_000)
    assert found.kept == pytest.approx(0.13) and found.success == pytest.approx(0.65)
    assert found.low < 0.13 < found.high
    assert saved(0, 10, 0, 10).reason == "no_events" and saved(0, 10, 0, 10).success is None
