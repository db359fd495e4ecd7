"""Where a schedule stands, against figures reckoned by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones.tracking import planned_by, standing


def test_by_hand():
    """Three tasks: 0-4 worth 40, 2-6 worth 80, 6-10 worth 40; on day 5 they are 100 %, 50 % and 0 % done, 90 spent.

    Planned by day 5: 40 + 80 x 3/4 = 100. Earned: 40 + 40 = 80. SPI 0.8, CPI 80/90.
    Planned at the ends of days 1..10: 10, 20, 50, 80, 100, 120, ...; 80 is reached on day 4, so SPI(t) = 4/5 and the
    finish 10 / 0.8 = 12.5.
    """
    found = standing([0, 2, 6], [4, 6, 10], [40, 80, 40], [1, 0.5, 0], status=5, actual=90)
    assert (found.budget, found.planned, found.earned, found.actual) == (160, 100, 80, 90)
    assert found.spi == pytest.approx(0.8)
    assert found.indices.cpi == pytest.approx(80 / 90)
    assert found.indices.at_completion_cpi == pytest.approx(180)
    assert found.schedule.earned == pytest.approx(4)
    assert found.schedule.spi_time == pytest.approx(0.8)
    assert found.finish == pytest.approx(12.5)
    assert found.planned_finish == 10
    assert found.late_tasks.tolist() == [False, True, False]


def test_without_costs_there_is_no_cpi_and_before_the_first_day_no_pace():
    found = standing([0], [10], [5], [0.0], status=0)
    assert (found.planned, found.spi, found.indices, found.schedule, found.finish) == (0, None, None, None, None)
    found = standing([0], [10], [5], [0.2], status=4)
    assert found.indices is None and found.schedule.spi_time == pytest.approx(0.5) and found.finish == pytest.approx(20)


def test_work_that_is_left_is_never_finished_before_the_status_day():
    late = standing([0, 5], [5, 10], [99, 1], [1, 0.5], status=30)
    assert late.finish >= 30
    assert standing([0, 5], [5, 10], [99, 1], [1, 1], status=30).finish == 30
    assert standing([0], [4], [1], [0.0], status=3).finish is None


def test_a_task_without_length_earns_at_its_finish():
    assert planned_by([2.9, 3.0], [3.0], [3.0], [7.0]).tolist() == [0.0, 7.0]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20), st.floats(0.1, 100)), min_size=1, max_size=8),
    st.floats(0.5, 60),
)
def test_work_that_goes_as_planned_has_indices_of_one(rows, status):
    start, length, value = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    part = np.clip(np.divide(status - start, length, out=(status >= start).astype(float), where=length > 0), 0, 1)
    found = standing(start, start + length, value, part, status=status)
    assert found.earned == pytest.approx(found.planned)
    assert found.spi is None or found.spi == pytest.approx(1)
    assert not found.late_tasks.any()
    assert found.finish is None or found.finish >= status or part.min() < 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"done": [1.2, 0]}, "out_of_range"),
        ({"done": [np.nan, 0]}, "not_finite"),
        ({"start": [0]}, "shape"),
        ({"finish": [5, 4]}, "low_above_high"),
        ({"value": [0, 0]}, "above"),
        ({"value": [-1, 1]}, "at_least"),
        ({"status": -1}, "at_least"),
        ({"status": np.inf}, "not_finite"),
        ({"actual": -1}, "at_least"),
        ({"done": ["a", "b"]}, "not_number"),
    ],
)
def test_bad_input(change, code):
    given = {"start": [0, 5], "finish": [5, 10], "value": [1, 1], "done": [0.5, 0], "status": 3.0} | change
    with pytest.raises(InputError) as caught:
        standing(**given)
    assert code in {p.code for p in caught.value.problems}
