"""The cohort triangle and D7, D30, D90: young cohorts are left out, and said so."""

import numpy as np
import pytest

from planlib.baseline.retention import at_day, curve_points, triangle
from planlib.core.errors import InputError
from planlib.funnel.retention import fit_sbg


def test_cohorts_younger_than_the_window_are_left_out_and_counted():
    """Day cohorts of ages 17, 14, 13, 0: two are old enough for the week from D7 on."""
    found = at_day(7, [100, 200, 300, 400], [50, 130, 290, 400], [17, 14, 13, 0])
    assert found.level.value == pytest.approx(180 / 300)
    assert (found.cohorts, found.immature, found.people_left_out, found.level.n) == (2, 2, 700, 300)
    assert found.level.low < 0.6 < found.level.high


def test_without_a_mature_cohort_nothing_is_said():
    found = at_day(90, [100], [60], [30])
    assert found.level.value is None and found.level.reason == "cohorts_too_young" and found.immature == 1
    assert at_day(7, [], [], []).level.reason == "cohorts_too_young"


def test_young_cohorts_would_bias_the_rate():
    """What the exclusion is for: counting people who are too young as not retained lowers the rate."""
    rng = np.random.default_rng(31)
    joined = np.full(120, 200)
    age = np.arange(120)[::-1]
    stayed = np.where(age >= 37, rng.binomial(joined, 0.4), 0)
    assert at_day(30, joined, stayed, age).level.value == pytest.approx(0.4, abs=0.02)
    assert stayed.sum() / joined.sum() < 0.30


def test_triangle_leaves_what_is_not_known_open():
    found = triangle([10, 10, 0], [[9, 8, 7], [9, 8, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 0], [1, 0, 0]])
    assert found.share[0].tolist() == [0.9, 0.8, 0.7]
    assert np.isnan(found.share[1, 2]) and np.isnan(found.share[2]).all()


def test_measured_points_make_the_documents_curve():
    """60 % at day 7 and 40 % at day 30 measured: the sBG runs through both and projects D90 = 28.7 %."""
    ages = [200] * 10
    levels = {day: at_day(day, [100] * 10, [share] * 10, ages).level for day, share in ((7, 60), (30, 40))}
    curve = fit_sbg(curve_points(levels))
    assert curve.params["alpha"] == pytest.approx(0.3133, abs=5e-5)
    assert curve.params["beta"] == pytest.approx(2.0222, abs=5e-5)
    assert curve.at(90) == pytest.approx(0.287, abs=5e-4)


def test_points_of_a_curve_fall():
    levels = {day: at_day(day, [100], [x], [200]).level for day, x in ((7, 60), (30, 60), (90, 20))}
    assert curve_points(levels) == {7: 0.6, 90: 0.2}


@pytest.mark.parametrize(
    "call",
    [
        lambda: triangle([10], [[11]], [[True]]),
        lambda: triangle([10, 5], [[1]], [[True]]),
        lambda: at_day(0, [1], [1], [1]),
        lambda: at_day(7, [1, 2], [1], [9]),
        lambda: at_day(7, [1], [2], [14]),
    ],
)
def test_impossible_cohorts_are_refused(call):
    with pytest.raises(InputError):
        call()
