"""Pushes: exits by dose, monthly rates, and the cap where one more earns nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.customers.fatigue import (
    WEEKS_A_MONTH,
    Benefit,
    above_cap,
    cap,
    dose_response,
    fit_benefit,
    marginal_value,
    monthly_rate,
    net_value,
)

TWO = dose_response([1, 3], [1_000, 1_000], [215, 350], [13, 13], randomised=True)


def test_three_months_of_heavy_pushing_by_the_month():
    assert monthly_rate(0.35, 3) == pytest.approx(0.134, abs=5e-4)
    assert (1 - monthly_rate(0.35, 3)) ** 3 == pytest.approx(0.65)


def test_two_doses_are_met_exactly():
    """Two groups, two parameters: the fitted shares are those seen."""
    for dose, share in ((1, 0.215), (3, 0.35)):
        assert -np.expm1(-13 * TWO.hazard_week(dose)) == pytest.approx(share, abs=1e-9)
    hazards = -np.log1p([-0.215, -0.35]) / 13
    assert TWO.growth == pytest.approx((hazards[1] / hazards[0]) ** 0.5)
    assert TWO.growth_interval.low > 1 and TWO.randomised
    assert TWO.exit_rate_month(3.0) == pytest.approx(1 - 0.65 ** (WEEKS_A_MONTH / 13))


def test_the_curve_is_that_of_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    dose, weeks = np.array([0.0, 0.5, 1, 2, 4]), np.array([4.0, 13, 4, 8, 13])
    people = np.array([900, 500, 700, 400, 300])
    exits = rng.binomial(people, -np.expm1(-weeks * 0.01 * 1.3**dose))
    found = dose_response(dose, people, exits, weeks, randomised=False)
    link = sm.families.Binomial(link=sm.families.links.CLogLog())
    other = sm.GLM(np.column_stack([exits, people - exits]), sm.add_constant(dose), family=link,
                   offset=np.log(weeks)).fit(tol=1e-12)  # fmt: skip
    assert_allclose(np.log([found.base_hazard_week, found.growth]), other.params, rtol=1e-6)
    assert_allclose(found.covariance, other.cov_params(), rtol=1e-4)


def test_nobody_left():
    found = dose_response([1, 3], [10, 10], [0, 0], [4, 4], randomised=True)
    assert (found.growth, found.reason) == (None, "no_exits")
    assert cap(found, Benefit(1.0, 1.0), value_cny=100.0).reason == "no_exits"
    with pytest.raises(InputError):
        found.hazard_week(1.0)


@pytest.mark.parametrize(
    ("dose", "exits", "code"),
    [([1, 1], [1, 2], "same_dose"), ([1, 2], [1, 11], "count_above_n"), ([1, -2], [1, 2], "at_least")],
)
def test_groups_that_cannot_be(dose, exits, code):
    with pytest.raises(InputError) as caught:
        dose_response(dose, [10, 10], exits, [4, 4], randomised=True)
    assert code in {problem.code for problem in caught.value.problems}


@settings(max_examples=40)
@given(st.floats(0.1, 20), st.floats(0.1, 5), st.floats(1, 3_000))
def test_at_the_cap_one_more_push_is_worth_nothing(ceiling, half, value):
    benefit = Benefit(ceiling, half)
    found = cap(TWO, benefit, value_cny=value)
    if found.pushes_per_week is None:
        assert found.reason == "no_cap"
        return
    at = found.pushes_per_week
    if at > 0:
        assert marginal_value(TWO, benefit, at, value_cny=value) == pytest.approx(0, abs=1e-6 * (1 + ceiling))
    else:
        assert marginal_value(TWO, benefit, 0.0, value_cny=value) <= 1e-9
    others = net_value(TWO, benefit, np.linspace(0, 20, 200), value_cny=value)
    assert found.net_cny_week >= others.max() - 1e-6 * (1 + ceiling)
    assert found.beyond_seen == (at > 3)


def test_dear_customers_bear_fewer_pushes_and_the_interval_covers():
    benefit = Benefit(6.0, 1.0)
    few, many = (cap(TWO, benefit, value_cny=value, rng=np.random.default_rng(2)) for value in (900.0, 200.0))
    assert few.pushes_per_week < many.pushes_per_week
    assert few.interval.low < few.pushes_per_week < few.interval.high
    assert above_cap([1.0, 9.0, 9.0], [2.0, 2.0, None]).tolist() == [False, True, False]


def test_what_pushes_earn_is_found():
    dose = np.array([0.0, 1, 2, 4, 8])
    true = Benefit(5.0, 1.5)
    found = fit_benefit(dose, 2.0 + true.value(dose), people=np.array([10, 20, 30, 20, 10]))
    assert found.ceiling_cny == pytest.approx(5, rel=0.02) and found.half_pushes == pytest.approx(1.5, rel=0.03)
    with pytest.raises(InputError):
        fit_benefit([0.0, 1.0], [0.0, 1.0], people=[1, 1])


def test_a_planted_growth_comes_back():
    """Eight hundred people at each of four doses: within four standard errors."""
    rng = np.random.default_rng(3)
    dose, people = np.array([0.0, 1, 2, 4]), np.full(4, 800)
    exits = rng.binomial(people, -np.expm1(-13 * 0.012 * 1.25**dose))
    found = dose_response(dose, people, exits, np.full(4, 13.0), randomised=True)
    assert abs(np.log(found.growth / 1.25)) < 4 * found.covariance[1, 1] ** 0.5
