"""Curves fitted to weeks: known ones come back a month at a time; where the data tell nothing the plan's stay."""

import numpy as np
import pytest

from planlib.budget.refit import WEEKS_A_MONTH, draws, refit, with_fits
from tests.budget.test_case import small


def weeks(seed=3, n=104, noise=0.02):
    rng = np.random.default_rng(seed)
    spend = np.column_stack([rng.uniform(0, 400, n), rng.uniform(0, 400, n)])
    top, half = np.array([200.0, 50.0]), np.array([120.0, 60.0])
    users = 5.0 + top * spend / (half + spend)
    return spend, users * (1 + noise * rng.standard_normal((n, 2)))


def test_known_curves_come_back():
    found = refit(small(), *weeks())
    assert [fit.basis for fit in found] == ["data", "data"]
    for fit, (top, half) in zip(found, ((200.0, 120.0), (50.0, 60.0)), strict=True):
        kind, ceiling, at, shape = fit.response
        assert (kind, shape) == ("hill", 1.0)
        assert ceiling == pytest.approx(top * WEEKS_A_MONTH, rel=0.06)
        assert at == pytest.approx(half * WEEKS_A_MONTH, rel=0.15)


def test_a_spend_that_never_changes_keeps_the_curve_of_the_plan():
    spend, users = weeks()
    spend[:, 1] = 100.0
    found = refit(small(), spend, users)
    assert found[1].basis == "constant_spend"
    assert with_fits(small(), found).responses[1] == small().responses[1]
    assert with_fits(small(), found).responses[0] == found[0].response
    assert with_fits(small(), ()).responses == small().responses


def test_one_week_keeps_every_curve_of_the_plan():
    found = refit(small(), np.ones((1, 2)), np.ones((1, 2)))
    assert {fit.basis for fit in found} == {"too_few_points"}


def test_draws_of_the_fit_replace_those_of_the_plan():
    spend, users = weeks(noise=0.2)
    spend[:, 1] = 100.0
    found = refit(small(), spend, users)
    given = np.full((500, 2), 1.5)
    top, half = draws(found, given, given, np.random.default_rng(1))
    assert np.all(top[:, 1] == 1.5)
    assert np.median(top[:, 0]) == pytest.approx(1.0, abs=0.1)
    assert np.ptp(half[:, 0]) > 0
