"""Wilson intervals against published figures and by simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.core.intervals import wilson


@pytest.mark.parametrize(
    "successes, n, low, high",
    [
        (48, 80, 0.4904546500516038, 0.7003817240412906),  # statsmodels.proportion_confint(method="wilson")
        (200, 1000, 0.1763770904431985, 0.22591896464813466),
        (0, 10, 0.0, 0.2775327998628892),  # z^2 / (n + z^2)
        (10, 10, 0.7224672001371108, 1.0),
    ],
)
def test_wilson(successes, n, low, high):
    band = wilson(successes, n)
    assert_allclose([band.low, band.high], [low, high], rtol=1e-9)


def test_wilson_on_arrays_is_wilson_on_each():
    band = wilson([1, 5], [10, 20], level=0.8)
    assert_allclose(band.low, [wilson(1, 10, level=0.8).low, wilson(5, 20, level=0.8).low])


def test_wilson_covers():
    """Coverage swings around the level by about 1 / n, as counts are whole."""
    n_sims, n, p = 20_000, 400, 0.3
    x = np.random.default_rng(20270101).binomial(n, p, n_sims)
    band = wilson(x, n, level=0.95)
    coverage = ((band.low <= p) & (p <= band.high)).mean()
    assert abs(coverage - 0.95) < 4 * (0.05 * 0.95 / n_sims) ** 0.5 + 1 / n


@pytest.mark.parametrize(
    "arguments, field",
    [
        ((120, 100), "successes"),
        ((-1, 100), "successes"),
        ((0.5, 100), "successes"),
        ((1, 0), "n"),
        ((float("nan"), 10), "successes"),
        (([1, 2, 3], [10, 10]), "successes"),
    ],
)
def test_impossible_counts_are_refused(arguments, field):
    with pytest.raises(InputError) as caught:
        wilson(*arguments)
    assert caught.value.problems[0].field.startswith(field)
