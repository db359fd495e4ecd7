"""Effects by hand, coverage in simulated worlds; planted cannibalisation is recovered."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ttest_ind

from planlib.budget.incrementality import cannibalisation, difference_in_differences, holdout, synthetic_control
from planlib.core.errors import InputError


def test_holdout_is_welch():
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2, 30, 400), rng.gamma(2, 25, 150)
    found, peer = holdout(a, b), ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert_allclose([found.interval.low, found.interval.high], [peer.low, peer.high])


def test_differences_by_hand():
    """Treated go up by 5 and 7, the others by 1 and 3: 6 - 2."""
    panel = np.array([[10.0, 15], [20, 27], [10, 11], [30, 33]])
    found = difference_in_differences(panel, np.array([True, True, False, False]), np.array([False, True]))
    assert_allclose([found.value, found.se], [4.0, 2**0.5])


def test_intervals_of_differences_cover():
    """Twenty cities with trends of their own and correlated weeks: 95 % within four Monte Carlo errors."""
    rng, hits, n = np.random.default_rng(3), 0, 400
    treated, after = np.arange(20) < 8, np.arange(16) >= 10
    for _ in range(n):
        walk = rng.normal(0, 1, (20, 16)).cumsum(axis=1) + rng.normal(0, 5, (20, 1))
        walk[np.ix_(treated, after)] += 2.0
        band = difference_in_differences(walk, treated, after).interval
        hits += band.low <= 2.0 <= band.high
    assert abs(hits / n - 0.95) < 4 * (0.95 * 0.05 / n) ** 0.5


def test_synthetic_control_finds_the_planted_effect():
    rng = np.random.default_rng(5)
    factors, weeks = rng.normal(0, 1, (3, 60)).cumsum(axis=1), np.arange(60) >= 45
    loads = rng.uniform(0, 1, (12, 3))
    panel = 50 + loads @ factors + rng.normal(0, 0.2, (12, 60))
    panel[0] = 0.5 * panel[1] + 0.3 * panel[2] + 0.2 * panel[3] + rng.normal(0, 0.2, 60)
    panel[0, weeks] += 4.0
    found = synthetic_control(panel, 0, weeks)
    assert abs(found.value - 4.0) < 0.4
    assert found.interval.low < 4.0 < found.interval.high and found.interval.low > 0


def test_planted_cannibalisation_is_recovered():
    """incrementality: of a gain of 10 a head 3 are missing elsewhere; the interval holds 30 % as often as it says."""
    rng, hits, n = np.random.default_rng(7), 0, 200
    for _ in range(n):
        own = holdout(rng.normal(60, 40, 3000), rng.normal(50, 40, 3000))
        other = holdout(rng.normal(97, 40, 3000), rng.normal(100, 40, 3000))
        band = cannibalisation(own, other, draws=2000, rng=rng).interval
        hits += band.low <= 0.3 <= band.high
    assert abs(hits / n - 0.95) < 4 * (0.95 * 0.05 / n) ** 0.5


def test_no_share_of_a_gain_that_may_be_none():
    rng = np.random.default_rng(8)
    nothing = holdout(rng.normal(0, 1, 100), rng.normal(0, 1, 100))
    with pytest.raises(InputError) as error:
        cannibalisation(nothing, nothing, rng=rng)
    assert error.value.problems[0].field == "gained.interval.low"


def test_too_few_units_are_told():
    with pytest.raises(InputError):
        difference_in_differences(np.ones((3, 4)), np.array([True, False, False]), np.arange(4) > 1)
