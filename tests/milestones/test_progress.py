"""Earned value and earned schedule by hand."""

import pytest

from planlib.core.errors import InputError
from planlib.milestones.progress import earned_schedule, indices


def test_indices_and_forecasts_by_hand():
    found = indices(budget=100_000.0, planned=50_000.0, earned=40_000.0, actual=45_000.0)
    assert (found.cost_variance, found.schedule_variance, found.spi) == (-5_000.0, -10_000.0, 0.8)
    assert found.cpi == pytest.approx(8 / 9)
    assert found.at_completion_cpi == pytest.approx(112_500.0)
    assert found.at_completion_plan == 105_000.0
    assert found.at_completion_both == pytest.approx(45_000 + 60_000 / (8 / 9 * 0.8))
    assert found.to_complete == pytest.approx(67_500.0)
    assert found.variance_at_completion == pytest.approx(-12_500.0)
    assert found.tcpi == pytest.approx(60 / 55)


def test_nothing_done_or_planned_yet_is_no_number():
    found = indices(budget=10.0, planned=0.0, earned=0.0, actual=0.0)
    assert (found.cpi, found.spi, found.at_completion_cpi, found.tcpi) == (None, None, None, 1.0)
    assert indices(budget=10.0, planned=5.0, earned=5.0, actual=10.0).tcpi is None


def test_late_work_that_ends_has_a_cost_index_of_one_but_not_one_of_time():
    """Planned 10, 20, 30 over three periods, done after four: spi 1, time 3 / 4."""
    found = earned_schedule([10.0, 20.0, 30.0], elapsed=4.0, earned=30.0)
    assert (found.spi_cost, found.spi_time, found.variance, found.finish) == (1.0, 0.75, -1.0, 4.0)


def test_periods_without_work_count_as_reached():
    """Nothing is planned in the second of three periods: what the first was to earn is also the plan of the second."""
    found = earned_schedule([10.0, 10.0, 30.0], elapsed=2.0, earned=10.0)
    assert (found.earned, found.spi_time) == (2.0, 1.0)
    assert earned_schedule([0.0, 10.0], elapsed=1.0, earned=0.0).spi_cost is None
    assert earned_schedule([5.0, 10.0], elapsed=1.0, earned=0.0).finish is None


def test_bad_progress_is_named():
    with pytest.raises(InputError) as caught:
        indices(budget=10.0, planned=20.0, earned=-1.0, actual=float("nan"))
    assert [problem.field for problem in caught.value.problems] == ["planned", "earned", "actual"]
    with pytest.raises(InputError) as caught:
        earned_schedule([10.0, 5.0], elapsed=0.0, earned=7.0)
    assert [problem.field for problem in caught.value.problems] == ["planned[1]", "elapsed", "earned"]
