"""A test as a whole: acceptance figures of the plan documents, and people by month by hand."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.experiments.backlog import Idea, plan_test
from planlib.experiments.planning import WEEKS_A_MONTH, look_factor, monthly_load, size_up


def test_ten_per_cent_on_eight_takes_a_month_of_the_stated_intake():
    found = size_up(0.08, 0.008, 50_000 / WEEKS_A_MONTH)
    assert found.size.n_per_arm == (18_869, 18_869)  # two-sided 5 %, power 80 %, unpooled, rounded up
    assert found.weeks == 4


def test_a_run_as_long_as_planned_finds_the_change_asked_for():
    found = size_up(0.05, -0.01, 3_000)
    assert abs(found.achievable[found.weeks - 1]) <= 0.01 < abs(found.achievable[found.weeks - 2])
    assert all(change < 0 for change in found.achievable if change is not None)


def test_people_are_spread_over_the_weeks_and_none_is_lost():
    load = monthly_load([520, 100], [WEEKS_A_MONTH * 1.5, 1], [2, 1], months=4)
    np.testing.assert_allclose(load[0], [0, 520 / 1.5, 520 / 3, 0])
    np.testing.assert_allclose(load[1], [100, 0, 0, 0])


def test_what_runs_past_the_plan_is_left_out():
    assert monthly_load([100], [WEEKS_A_MONTH * 2], [3], months=3).sum() == pytest.approx(50)


def test_unusable_tests_are_refused():
    with pytest.raises(InputError, match="weeks"):
        monthly_load([100], [0], [1], months=3)
    with pytest.raises(InputError, match="shape"):
        monthly_load([100], [1, 2], [1], months=3)


@pytest.mark.parametrize(("stopping", "low", "high"), [("obrien_fleming", 1.02, 1.03), ("pocock", 1.18, 1.23)])
def test_looks_cost_what_their_boundary_costs(stopping, low, high):
    """Spending boundaries of five looks cost as much as the classical ones: 1.026 and 1.207 are published."""
    looks = (0.2, 0.4, 0.6, 0.8, 1.0)
    factor = look_factor(looks, stopping, power=0.9)
    assert low < factor < high
    fixed, looked = (size_up(0.1, 0.02, 1000, power=0.9, looks=looks, stopping=s) for s in ("fixed", stopping))
    assert looked.size.n_total == pytest.approx(factor * fixed.size.n_total, abs=4)
    assert fixed.size.n_total == size_up(0.1, 0.02, 1000, power=0.9).size.n_total
    assert looked.achievable[0] > fixed.achievable[0]


def test_the_backlog_counts_the_people_that_looks_cost():
    ideas = [Idea(0.08, 0.008, 9_500, 0.05, correlation=0.5, looks=(0.5, 1.0), stopping=s) for s in ("fixed", "pocock")]
    fixed, looked = (plan_test(idea) for idea in ideas)
    factor = look_factor((0.5, 1.0), "pocock")
    assert looked.size.n_total == pytest.approx(factor * fixed.size.n_total, abs=4)
    assert looked.plain.n_total == pytest.approx(factor * fixed.plain.n_total, abs=4)
