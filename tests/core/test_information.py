"""Value of information against published cases, integrals and simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from planlib.core.errors import InputError
from planlib.core.information import chance_of_being_best, normal_information


@pytest.mark.parametrize("mean, alternative", [(0.0, 0.0), (0.03, 0.01), (-0.02, 0.0), (1.0, 2.5)])
def test_perfect_information_is_the_expected_gain_of_choosing_right(mean, alternative):
    found = normal_information(mean, 0.4, 0.3, alternative=alternative)
    def gain(x):
        return max(x, alternative) * norm.pdf(x, mean, 0.4)

    best = quad(gain, mean - 4, mean + 4, points=[alternative], limit=200)[0]
    assert_allclose(found.evpi, best - max(mean, alternative), atol=1e-9)


def test_sample_information_against_simulation():
    """Draw truth and test result, choose by the posterior mean: the mean gain over choosing now, 400,000 times."""
    mean, sd, se, other, n = 0.05, 0.2, 0.15, 0.1, 400_000
    rng = np.random.default_rng(4)
    truth = rng.normal(mean, sd, n)
    seen = truth + rng.normal(0, se, n)
    posterior = (mean / sd**2 + seen / se**2) / (1 / sd**2 + 1 / se**2)
    gain = np.where(posterior > other, truth, other) - other
    found = normal_information(mean, sd, se, alternative=other)
    assert abs(gain.mean() - found.evsi) < 4 * gain.std() / n**0.5


def test_a_test_is_worth_less_than_certainty_and_more_the_sharper_it_is():
    values = [normal_information(0.1, 0.3, se).evsi for se in (0.01, 0.1, 1.0)]
    assert normal_information(0.1, 0.3, 0.01).evpi > values[0] > values[1] > values[2] > 0


def test_a_far_alternative_leaves_almost_nothing_but_never_less():
    assert 0 <= normal_information(50.0, 1.0, 1.0).evsi < 1e-100


def test_best_of_many_against_simulation():
    mean, sd, n = np.array([1.0, 1.1, 0.9, 1.2]), np.array([0.3, 0.1, 0.4, 0.25]), 200_000
    drawn = np.random.default_rng(2).normal(mean, sd, (n, 4)).argmax(axis=1)
    p = chance_of_being_best(mean, sd)
    assert (np.abs(np.bincount(drawn, minlength=4) / n - p) < 4 * (p * (1 - p) / n) ** 0.5).all()
    assert_allclose(p.sum(), 1)


def test_two_arms_agree_with_the_quadrature_of_many():
    p = chance_of_being_best(np.array([1.0, 1.05]), np.array([0.3, 0.1]))
    third = chance_of_being_best(np.array([1.0, 1.05, -50.0]), np.array([0.3, 0.1, 0.1]))
    assert_allclose(third[:2], p, atol=1e-9)


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        normal_information(float("nan"), 0.0, -1.0)
    assert {p.field for p in error.value.problems} == {"mean", "sd", "se"}
