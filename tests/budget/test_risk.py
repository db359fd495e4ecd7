"""Budgets under draws: CVaR by hand, optimum against a general solver, bounds that hold."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from planlib.budget.risk import best_under_risk, cvar, outcomes, reaches
from planlib.core.errors import InputError


def draws(seed: int, d: int = 40, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.lognormal(4, 0.5, (d, n)), rng.lognormal(3, 0.3, (d, n))


LIMITS = {"low": np.zeros(4), "high": np.full(4, 80.0)}


def test_cvar_by_hand():
    assert_allclose(cvar(np.array([10.0, 20, 30, 40]), 0.5), 15)
    assert_allclose(cvar(np.array([10.0, 20, 30, 40]), 0.7), (10 + 0.2 * 20) / 1.2)
    assert_allclose(cvar(np.array([10.0, 20, 30, 40]), 0.0), 25)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_no_general_solver_finds_better(seed, weight):
    amount, scale = draws(seed)
    found = best_under_risk(amount, scale, 100.0, **LIMITS, weight=weight)

    def value(x):
        total = outcomes(amount, scale, np.clip(x, 0, 80))
        return (1 - weight) * total.mean() + weight * cvar(total, 0.8)

    assert_allclose(value(found.spend), found.value)
    assert_allclose(found.spend.sum(), 100.0)
    assert found.bound >= found.value >= found.bound * (1 - 2e-6)
    whole = {"type": "eq", "fun": lambda x: x.sum() - 100}
    for start in np.random.default_rng(seed).dirichlet(np.ones(4), 5) * 100:
        other = minimize(lambda x: -value(x), start, bounds=[(0, 80)] * 4, constraints=[whole], method="SLSQP")
        if abs(other.x.sum() - 100) < 1e-6:
            assert -other.fun <= found.bound * (1 + 1e-9)


def test_frontier_trades_mean_for_safety():
    amount, scale = draws(9)
    mean, safe = (best_under_risk(amount, scale, 100.0, **LIMITS, weight=w) for w in (0.0, 1.0))
    assert mean.mean >= safe.mean and safe.cvar >= mean.cvar


def test_share_of_draws_that_reach_a_goal():
    got = reaches(np.array([1.0, 2.0, 3.0, 4.0]), 3.0)
    assert got.probability == 0.5 and got.interval.low < 0.5 < got.interval.high


def test_budget_outside_the_limits_is_named():
    amount, scale = draws(1)
    with pytest.raises(InputError) as error:
        best_under_risk(amount, scale, 500.0, **LIMITS)
    assert error.value.problems[0].field == "budget_cny"
