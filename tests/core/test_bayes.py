"""Posteriors by hand and against a grid."""

import numpy as np
import pytest

from planlib.core.bayes import Beta, Gamma, Normal, beta_binomial, dirichlet_multinomial, gamma_poisson, normal_normal
from planlib.core.errors import InputError


def test_share_against_a_grid():
    found = beta_binomial(Beta(2, 5), successes=7, trials=20)
    x = (np.arange(200_000) + 0.5) / 200_000
    weight = x**1 * (1 - x) ** 4 * x**7 * (1 - x) ** 13
    weight /= weight.sum()
    assert found.mean == pytest.approx((x * weight).sum(), rel=1e-6)
    assert found.quantile(0.05) == pytest.approx(x[np.searchsorted(weight.cumsum(), 0.05)], abs=2e-5)


def test_count_per_period_by_hand():
    assert gamma_poisson(Gamma(3, 2), counts=[4, 0, 5]) == Gamma(12, 5)


def test_mean_weighs_prior_and_data_by_precision():
    found = normal_normal(Normal(10, 4), observed_mean=16, observed_var=8, n=2)  # both have variance 4
    assert (found.mean, found.var) == (pytest.approx(13), pytest.approx(2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: beta_binomial(Beta(1, 1), successes=3, trials=2),
        lambda: beta_binomial(Beta(0, 1), successes=1, trials=2),
        lambda: gamma_poisson(Gamma(1, 1), counts=[-1]),
        lambda: normal_normal(Normal(0, 0), observed_mean=1, observed_var=1, n=1),
        lambda: normal_normal(Normal(0, 1), observed_mean=float("nan"), observed_var=1, n=1),
    ],
)
def test_impossible_inputs_are_refused(call):
    with pytest.raises(InputError):
        call()


def test_dirichlet_is_the_beta_when_there_are_two():
    a, b = dirichlet_multinomial([8, 92], counts=[30, 170])
    assert Beta(float(a), float(b)) == beta_binomial(Beta(8, 92), successes=30, trials=200)
    rows = dirichlet_multinomial(0.5, counts=[[1, 2, 3], [0, 0, 0]])
    assert rows.tolist() == [[1.5, 2.5, 3.5], [0.5, 0.5, 0.5]]


@pytest.mark.parametrize(("prior", "counts", "field"), [
    (0.0, [1, 2], "prior"), (1.0, [-1, 2], "counts[0]"), ([1.0, 1.0, 1.0], [1, 2], "prior"), (1.0, 3, "prior")])
def test_dirichlet_refuses(prior, counts, field):
    with pytest.raises(InputError) as caught:
        dirichlet_multinomial(prior, counts=counts)
    assert caught.value.problems[0].field == field
