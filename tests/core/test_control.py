"""Control charts against published run lengths, hand-made series and simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.control import cusum, cusum_run_length, ewma, ewma_limit, ewma_run_length
from planlib.core.errors import InputError


@pytest.mark.parametrize(
    ("weight", "width", "shift", "published"),
    [(0.4, 3.054, 0.0, 500.0), (0.2, 2.962, 0.0, 500.0), (0.1, 2.814, 0.0, 500.0), (0.1, 2.814, 1.0, 10.3),
     (0.2, 2.962, 1.0, 10.5), (0.4, 3.054, 0.5, 71.2)],
)  # fmt: skip
def test_ewma_run_lengths_of_lucas_and_saccucci(weight, width, shift, published):
    assert_allclose(ewma_run_length(weight, width, shift=shift), published, rtol=0.01)


@pytest.mark.parametrize(("width", "both_sides"), [(4.0, 168.0), (5.0, 465.0)])
def test_cusum_run_lengths_of_montgomery(width, both_sides):
    """k = 0.5: two-sided run lengths 168 and 465."""
    assert_allclose(cusum_run_length(0.5, width) / 2, both_sides, rtol=0.01)


def test_ewma_by_hand():
    chart = ewma([1.0, 2.0], mean=0.0, sd=1.0, weight=0.5, run_length=370.0)
    assert_allclose(chart.statistic, [0.5, 1.25])
    width = ewma_limit(0.5, 370.0)
    assert_allclose(chart.limit, [width * 0.5, width * np.sqrt(0.25 + 0.0625)])


def test_cusum_by_hand():
    chart = cusum([1.0, 2.0, -3.0], mean=0.0, sd=1.0, shift=1.0)
    assert_allclose(chart.statistic, [0.5, 2.0, 0.0])
    assert_allclose(chart.lower, [0.0, 0.0, -2.5])


def test_false_alarms_come_as_rarely_as_declared():
    rng, n, length = np.random.default_rng(6), 3000, 50.0
    runs = []
    for _ in range(n):
        chart = cusum(rng.normal(size=400), mean=0.0, sd=1.0, run_length=length)
        runs.append(400 if chart.first_alarm is None else chart.first_alarm + 1)
    assert abs(np.mean(runs) - length) < 4 * np.std(runs) / n**0.5


def test_a_shift_is_found():
    rng = np.random.default_rng(1)
    series = np.concatenate([rng.normal(size=30), rng.normal(1.5, 1, 20)])
    assert ewma(series, mean=0, sd=1).first_alarm >= 30
    assert cusum(series, mean=0, sd=1).first_alarm >= 30


def test_no_alarm_without_change():
    assert ewma(np.zeros(20), mean=0, sd=1).first_alarm is None


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        ewma([np.nan], mean=0, sd=0, weight=0, run_length=1)
    assert {p.field for p in error.value.problems} == {"values[0]", "sd", "weight", "run_length"}
