"""Re-forecasts against the closed form of a normal prior seen with normal error."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.outlook.forecast import LEAST_ESS, Weights, chance, quantiles, reweigh, tempered


def posterior(mean, sd, seen, error):
    precision = 1 / sd**2 + 1 / error**2
    return (mean / sd**2 + seen / error**2) / precision, precision**-0.5


def test_weights_give_the_posterior():
    x = np.random.default_rng(1).normal(10.0, 2.0, 200_000)
    found = reweigh(x[:, None], [12.0], [1.5])
    mean, sd = posterior(10.0, 2.0, 12.0, 1.5)
    assert abs(found.weights @ x - mean) < 4 * sd / found.ess**0.5
    low, high = quantiles(x, found, [0.1, 0.9])
    assert_allclose([low, high], [mean - 1.2816 * sd, mean + 1.2816 * sd], atol=0.03)
    spread = np.hypot(2.0, 1.5)
    exact = -0.5 * (2.0 / spread) ** 2 - np.log(spread / 1.5)
    assert_allclose(found.log_evidence, exact, atol=0.01)


def test_a_path_at_half_the_intake_is_warned_at_once():
    rng = np.random.default_rng(2)
    intake = rng.normal(100.0, 25.0, 50_000)
    goal = 12 * 80.0
    before = float((12 * intake >= goal).mean())
    found = reweigh(np.repeat(intake[:, None], 2, axis=1), [50.0, 50.0], [10.0, 10.0])  # two months of twelve
    after, interval = chance(12 * intake >= goal, found)
    assert before > 0.75 and after < 0.02 and interval.high < 0.05


def test_far_off_months_need_the_tempered_draws():
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((4_000, 3))

    def model(z):
        return np.stack([10.0 + 2.0 * z[:, 0], z[:, 0] + z[:, 1]], axis=1)

    seen, error = [18.0, 4.5], [0.2, 0.2]
    assert reweigh(model(scores), seen, error).ess < LEAST_ESS
    found = tempered(scores, model, seen, error, rng=rng)
    design = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    precision = np.eye(3) + design.T @ design / 0.04
    covariance = np.linalg.inv(precision)
    mean = covariance @ design.T @ (np.array(seen) - [10.0, 0.0]) / 0.04
    assert_allclose(found.scores.mean(axis=0), mean, atol=0.12)
    assert_allclose(found.scores.std(axis=0), np.diag(covariance) ** 0.5, rtol=0.15)
    assert found.ess >= LEAST_ESS and found.steps > 1 and 0.1 < found.accepted < 0.9


def test_tempering_agrees_with_weights_where_both_work():
    rng = np.random.default_rng(4)
    scores = rng.standard_normal((8_000, 1))

    def model(z):
        return np.exp(z)

    weighed = reweigh(model(scores), [2.0], [0.5])
    drawn = tempered(scores, model, [2.0], [0.5], rng=rng)
    assert abs(weighed.weights @ scores[:, 0] - drawn.scores.mean()) < 0.05
    assert abs(weighed.log_evidence - drawn.log_evidence) < 0.1


def coverage(years, paths, seed):
    """Share of simulated years whose end lies in the 80 % band told after four of twelve months."""
    rng = np.random.default_rng(seed)
    level, drift = rng.normal(100.0, 20.0, paths), rng.normal(0.0, 2.0, paths)
    months = np.arange(12)
    truth = rng.normal(100.0, 20.0, years)[:, None] + rng.normal(0.0, 2.0, years)[:, None] * months
    model = level[:, None] + drift[:, None] * months
    inside = 0
    for year in truth:
        seen = year[:4] + rng.normal(0.0, 5.0, 4)
        found = reweigh(model[:, :4], seen, np.full(4, 5.0))
        low, high = quantiles(model.sum(axis=1), found, [0.1, 0.9])
        inside += low <= year.sum() <= high
    return inside / years


def test_the_band_covers_what_it_says():
    assert abs(coverage(60, 20_000, 7) - 0.8) < 4 * (0.16 / 60) ** 0.5


@pytest.mark.full
def test_the_band_covers_what_it_says_over_400_years():
    assert abs(coverage(400, 40_000, 8) - 0.8) <= 0.04


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((np.ones((3, 2)), [1.0], [1.0, 1.0]), "observed"),
        ((np.ones((3, 1)), [1.0], [0.0]), "sd[0]"),
        ((np.full((3, 1), np.nan), [1.0], [1.0]), "paths[0, 0]"),
    ],
)
def test_bad_observations(arguments, field):
    with pytest.raises(InputError) as caught:
        reweigh(*arguments)
    assert field in [problem.field for problem in caught.value.problems]


def test_quantiles_of_equal_weights_are_those_of_the_sample():
    x = np.random.default_rng(5).normal(size=1_001)
    even = Weights(np.full(1_001, 1 / 1_001), 1_001.0, 0.0)
    assert_allclose(quantiles(x, even, [0.5]), np.median(x))
