"""Curves recovered from simulated weeks with honest errors; data that cannot tell are refused or flagged."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.budget.carryover import carried
from planlib.budget.curves import Curves
from planlib.budget.response import Lift, fit_response, seasonal_controls
from planlib.core.errors import InputError

KIND = ("michaelis_menten", "exponential")
DECAY, AMOUNT, SCALE = np.array([0.6, 0.25]), np.array([420.0, 260.0]), np.array([180.0, 90.0])


def weeks(seed: int, n: int = 156, noise: float = 8.0, top: tuple[float, float] = (120.0, 90.0)):
    rng = np.random.default_rng(seed)
    spend = np.clip(rng.normal(0.4, 0.5, (n, 2)), 0, None) * top
    steady = seasonal_controls(n) @ [500.0, 0.8, 40.0, -25.0]
    brought = Curves(KIND, AMOUNT, SCALE, np.ones(2)).value(carried(spend, DECAY)).sum(axis=1)
    return steady + brought + rng.normal(0, noise, n), spend


def test_without_noise_the_truth_comes_back():
    outcome, spend = weeks(1, noise=0.0)
    found = fit_response(outcome, spend, KIND, starts=4)
    assert_allclose(found.decay, DECAY, rtol=1e-5)
    assert_allclose(found.amount, AMOUNT, rtol=1e-5)
    assert_allclose(found.scale, SCALE, rtol=1e-5)
    assert_allclose(found.controls, [500.0, 0.8, 40.0, -25.0], rtol=1e-5)
    assert found.identified.all() and found.r_squared > 1 - 1e-9


def test_errors_cover_the_truth_as_often_as_they_say():
    """Half-widths of 1.96 errors over 60 simulated data sets, two channels: 95 % within four Monte Carlo errors."""
    hits, n = np.zeros(3), 0
    for seed in range(60):
        found = fit_response(*weeks(seed), KIND, starts=1)
        n += 2
        for k, (value, truth, se) in enumerate(
            [
                (found.decay, DECAY, found.se["decay"]),
                (np.log(found.scale), np.log(SCALE), found.se["scale"]),
                (found.amount, AMOUNT, found.se["amount"]),
            ]
        ):
            hits[k] += (np.abs(value - truth) <= 1.96 * se).sum()
    assert (np.abs(hits / n - 0.95) <= 4 * (0.95 * 0.05 / n) ** 0.5).all()


def test_steady_curves_multiply_each_yuan():
    """A spend kept up is carried 1 / (1 - decay) times: the curve at x equals the curve of carried spend there."""
    found = fit_response(*weeks(3), KIND, starts=2)
    x = np.array([50.0, 40.0])
    direct = Curves(KIND, found.amount, found.scale, np.ones(2)).value(x / (1 - found.decay))
    assert_allclose(found.steady().value(x), direct)


def test_draws_have_the_spread_of_the_errors():
    found = fit_response(*weeks(4), KIND, starts=2)
    drawn = found.draws(4000, np.random.default_rng(0))
    assert_allclose(drawn["amount"].mean(axis=0), found.amount, atol=4 * found.se["amount"].max() / 4000**0.5)
    assert_allclose(drawn["amount"].std(axis=0), found.se["amount"], rtol=0.06)
    assert_allclose(np.log(drawn["scale"]).std(axis=0), found.se["scale"], rtol=0.06)


def test_an_experiment_narrows_the_curve():
    """Spend that never passes a tenth of the scale leaves the ceiling open; one test at high spend settles it."""
    outcome, spend = weeks(5, top=(14.0, 90.0))
    alone = fit_response(outcome, spend, KIND, starts=2)
    truth = Curves(KIND, AMOUNT, SCALE, np.ones(2)).value(np.array([[0.0, 0.0], [400 / 0.4, 0.0]]))[:, 0]
    tests = [Lift(0, 0.0, x, float(AMOUNT[0] * (x / 0.4) / (SCALE[0] + x / 0.4)), 4.0) for x in (100.0, 400.0)]
    assert_allclose(tests[1].outcome, np.diff(truth)[0])
    together = fit_response(outcome, spend, KIND, lifts=tests, starts=2)
    assert together.se["scale"][0] < alone.se["scale"][0] / 3
    assert abs(together.amount[0] - AMOUNT[0]) < 4 * together.se["amount"][0]


def test_a_channel_without_effect_is_flagged():
    outcome, spend = weeks(6)
    idle = np.random.default_rng(0).uniform(0, 100, (len(spend), 1))
    found = fit_response(outcome, np.hstack([spend, idle]), (*KIND, "michaelis_menten"), starts=2)
    assert found.identified[:2].all() and not found.identified[2]
    with pytest.raises(InputError) as error:
        found.steady()
    assert error.value.problems[0].code == "not_identified"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda y, x: (y[:8], x[:8]), "too_few_points"),
        (lambda y, x: (y, np.column_stack([x[:, 0], np.full(len(x), 50.0)])), "constant_spend"),
        (lambda y, x: (y, np.column_stack([x[:, 0], 2 * x[:, 0]])), "collinear_spend"),
        (lambda y, x: (y, -x), "at_least"),
        (lambda y, x: (np.where(np.arange(len(y)) == 3, np.nan, y), x), "not_finite"),
    ],
)
def test_data_that_cannot_tell_are_refused(change, code):
    with pytest.raises(InputError) as error:
        fit_response(*change(*weeks(7)), KIND)
    assert code in {problem.code for problem in error.value.problems}


def test_the_same_data_give_the_same_fit():
    first, second = (fit_response(*weeks(8), KIND, starts=3) for _ in range(2))
    assert first.rss == second.rss and (first.scale == second.scale).all()
