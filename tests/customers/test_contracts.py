"""Shifted-beta-geometric cohorts against published figures, sums term by term and simulated members."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.customers import contracts
from planlib.customers.contracts import Geometric, Sbg, fit_geometric, fit_sbg
from planlib.customers.likelihood import LOOSE

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]  # Fader & Hardie 2007, table 1
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]


@pytest.mark.parametrize(("survivors", "alpha", "beta", "loglik"), [
    (HIGH_END[:8], 0.668, 3.806, -1611.2), (REGULAR[:8], 0.704, 1.182, -1680.3),
])  # fmt: skip
def test_published_fits(survivors, alpha, beta, loglik):
    """Fader & Hardie 2007: seven years of the High End and Regular segments."""
    found = fit_sbg([survivors])
    assert (found.alpha, found.beta) == (pytest.approx(alpha, abs=6e-4), pytest.approx(beta, abs=6e-4))
    assert found.loglik == pytest.approx(loglik, abs=0.06)
    assert found.reason is None


def test_constant_churn_is_biased_low_and_the_cohort_model_is_not():
    late = fit_geometric([HIGH_END[:8]]).survival(12)
    assert (late, fit_sbg([HIGH_END[:8]]).survival(12)) == (
        pytest.approx(0.2701, abs=1e-4), pytest.approx(0.394, abs=0.02),
    )  # fmt: skip


def test_log_likelihood_is_that_of_the_months_of_leaving():
    """Sum of losses times ln P(T = t), and of those left times ln S."""
    fit = fit_sbg([HIGH_END[:8]])
    survival = fit.survival(np.arange(8))
    expected = -np.diff(HIGH_END[:8]) @ np.log(-np.diff(survival)) + 491 * np.log(survival[-1])
    assert fit.loglik == pytest.approx(expected, rel=1e-12)


def test_gradient_and_hessian_are_those_of_the_likelihood():
    evaluate, point = contracts._likelihood(np.array([9.0, 4, 1]), np.array([50.0, 30, 20])), np.array([0.7, 3.8])
    _, slope, bend = evaluate(point)
    for k, step in enumerate(np.diag(1e-5 * point)):
        ahead, behind = evaluate(point + step), evaluate(point - step)
        assert_allclose((ahead[0] - behind[0]) / (2 * step[k]), slope[k], rtol=1e-7)
        assert_allclose((ahead[1] - behind[1]) / (2 * step[k]), bend[k], rtol=1e-7)


def test_retention_rises_with_age_and_multiplies_to_survival():
    fit = Sbg(0.668, 3.806)
    rates = fit.retention(np.arange(1, 13))
    assert (np.diff(rates) > 0).all()
    assert_allclose(np.cumprod(rates), fit.survival(np.arange(1, 13)), rtol=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(0.668, 3.806), (0.05, 0.1), (30.0, 200.0)])
@pytest.mark.parametrize(("renewal", "rate"), [(1, 0.1), (5, 0.1), (2, 0.01)])
def test_residual_lifetime_is_the_discounted_sum(alpha, beta, renewal, rate):
    """Fader & Hardie 2010, eq. 5: also a 2F1, whose sum is taken here term by term."""
    fit, t = Sbg(alpha, beta), np.arange(renewal, 6000)
    expected = (fit.survival(t) / fit.survival(renewal - 1)) @ (1 + rate) ** (renewal - t.astype(float))
    assert fit.residual_lifetime(renewal, rate) == pytest.approx(expected, rel=1e-9)


def test_value_of_a_new_member():
    """alpha = beta = 1: S(t) = 1 / (1 + t); 120 (1 + 1/2/1.1 + 1/3/1.21)."""
    assert Sbg(1.0, 1.0).value(120.0, 0.1, 3) == pytest.approx(120 * (1 + 1 / 2.2 + 1 / 3.63))


def test_cohorts_of_different_ages_are_pooled():
    rng = np.random.default_rng(3)
    cohorts = []
    for length in (12, 10, 8, 5, 1):
        stays = rng.geometric(rng.beta(0.8, 3.0, 4000))
        cohorts.append([int((stays > t).sum()) for t in range(length)])
    found = fit_sbg(cohorts)
    off = np.log([found.alpha / 0.8, found.beta / 3.0])
    assert (np.abs(off) < 4 * np.sqrt(np.diag(found.covariance))).all()
    assert found.n == 20_000


def test_nobody_left_is_said():
    found = fit_sbg([[100, 100, 100]])
    assert (found.reason, found.loose) == (LOOSE, ("alpha", "beta"))
    assert found.survival(12) == pytest.approx(1.0, abs=1e-6)
    assert fit_geometric([[100, 100]]) == Geometric(0.0, 100.0)


def test_everybody_left_is_said():
    found = fit_sbg([[100, 0, 0]])
    assert found.reason == LOOSE
    assert found.survival(1) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("cohorts", "code"), [
    ([], "empty"), ([[100]], "no_renewals"), ([[0, 0]], "no_renewals"), ([[100, 80, 90]], "survivors_rise"),
    ([[100, -1]], "at_least"), ([[100, float("nan")]], "not_finite"),
])  # fmt: skip
def test_cohorts_that_cannot_be_are_refused(cohorts, code):
    with pytest.raises(InputError) as problem:
        fit_sbg(cohorts)
    assert {p.code for p in problem.value.problems} == {code}
