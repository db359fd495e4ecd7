"""Indices recovered from planted seasons; the figures of the entry seasonality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.season import phased, season
from planlib.core.errors import InputError

TRUE = np.array([0.8, 0.7, 0.9, 0.95, 1.0, 1.25, 0.9, 0.9, 1.0, 1.05, 1.6, 0.95])
TRUE = TRUE / TRUE.mean()


def series(years: int, noise: float, seed: int = 0, index=TRUE, first: int = 1) -> np.ndarray:
    t = np.arange(12 * years)
    level = 100 * 1.02**t
    return level * index[(t + first - 1) % 12] * np.exp(np.random.default_rng(seed).normal(0, noise, len(t)))


@pytest.mark.parametrize("years", [3, 5])
@pytest.mark.parametrize("first", [1, 5])
def test_planted_season_comes_back(years, first):
    found = season(series(years, 0.0, first=first), first_month=first)
    assert_allclose(found.index, TRUE, rtol=0.02)
    assert_allclose(found.index.mean(), 1.0)
    assert found.peak_factor == found.index[10]


def test_noise_without_season_is_drawn_to_one():
    """Over 40 series without season the kept share is small and the indices stay near 1."""
    found = [season(series(2, 0.1, seed, np.ones(12))) for seed in range(40)]
    assert np.mean([f.shrinkage for f in found]) < 0.5
    assert np.mean([np.abs(f.index - 1).mean() for f in found]) < 0.06


def test_one_year_cannot_tell():
    found = season(series(1, 0.0))
    assert (found.index, found.reason, found.years) == (None, "under_two_years", 1)


@given(st.integers(0, 10**9), st.lists(st.floats(0.1, 5), min_size=12, max_size=12), st.integers(1, 12))
def test_phased_months_sum_to_the_year(amount, index, first):
    months = phased(amount, index, first_month=first)
    assert months.sum() == amount and (months >= 0).all()


def test_the_plan_begins_in_its_own_month():
    index = np.ones(12)
    index[10] = 3.0
    assert phased(14, index, first_month=11)[0] == 3


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        season([1.0, 0.0], first_month=13)
    assert {p.field for p in error.value.problems} == {"values[1]", "first_month"}
