"""Moments against closed forms, quantiles against scipy, draws within their Monte Carlo error."""

import math

import numpy as np
import pytest
from scipy import stats

from planlib.core.draws import Distribution, draw
from planlib.core.errors import InputError

PERT = Distribution("pert", low=2, mode=3, high=7)
CASES = [
    (Distribution("uniform", low=1, high=5), stats.uniform(1, 4)),
    (Distribution("triangular", low=1, mode=2, high=6), stats.triang(0.2, 1, 5)),
    (PERT, stats.beta(1 + 4 / 5, 1 + 16 / 5, 2, 5)),
    (Distribution("normal", mean=3, sd=2), stats.norm(3, 2)),
    (
        Distribution("lognormal", mean=3, sd=2),
        stats.lognorm(math.sqrt(math.log(1 + 4 / 9)), scale=3 / math.sqrt(1 + 4 / 9)),
    ),
    (Distribution("beta", mean=0.08, sd=0.02), stats.beta(0.08 * 183, 0.92 * 183)),
    (Distribution("pert", low=0, mode=0, high=1), stats.beta(1, 5)),
]


@pytest.mark.parametrize(("ours", "peer"), CASES, ids=lambda case: getattr(case, "kind", ""))
def test_moments_and_quantiles_equal_an_independent_implementation(ours, peer):
    assert ours.expectation() == pytest.approx(peer.mean())
    assert ours.variance() == pytest.approx(peer.var())
    u = np.array([0.001, 0.05, 0.3, 0.5, 0.8, 0.999])
    np.testing.assert_allclose(ours.quantile(u), peer.ppf(u), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("ours", "peer"), CASES, ids=lambda case: getattr(case, "kind", ""))
def test_draws_have_the_distribution(ours, peer):
    n = 40_000
    found = ours.sample(np.random.default_rng(20270101), n)
    assert stats.kstest(found, peer.cdf).pvalue > 1e-4
    assert abs(found.mean() - peer.mean()) < 4 * peer.std() / math.sqrt(n)


def test_one_value_is_never_spread():
    for fixed in (Distribution("fixed", mean=3.0), Distribution("pert", low=3, mode=3, high=3)):
        assert fixed.variance() == 0
        assert set(fixed.sample(np.random.default_rng(1), 5)) == {3.0}
        assert fixed.quantile(0.2) == 3.0


def test_copula_reproduces_the_correlation_and_keeps_the_margins():
    names = {"a": PERT, "b": Distribution("normal", mean=0, sd=1), "c": Distribution("uniform", low=0, high=1)}
    n, rho = 60_000, -0.6
    found = draw(names, n, np.random.default_rng(7), correlations={("a", "b"): rho})
    rank = stats.spearmanr(found["a"], found["b"]).statistic
    assert rank == pytest.approx(6 / math.pi * math.asin(rho / 2), abs=4 / math.sqrt(n))
    assert abs(stats.spearmanr(found["a"], found["c"]).statistic) < 4 / math.sqrt(n)
    assert found["a"].mean() == pytest.approx(PERT.expectation(), abs=4 * math.sqrt(PERT.variance() / n))


def test_a_further_name_leaves_the_other_draws_as_they_were():
    alone = draw({"a": PERT}, 5, np.random.default_rng(1))
    both = draw({"a": PERT, "b": PERT}, 5, np.random.default_rng(1))
    np.testing.assert_array_equal(alone["a"], both["a"])
    assert not np.array_equal(both["a"], both["b"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "cauchy", "mean": 1},
        {"kind": "pert", "low": 1, "high": 2},
        {"kind": "uniform", "low": 2, "high": 1},
        {"kind": "uniform", "low": math.nan, "high": 1},
        {"kind": "normal", "mean": 1, "sd": 0},
        {"kind": "lognormal", "mean": -1, "sd": 1},
        {"kind": "beta", "mean": 0.5, "sd": 0.6},
        {"kind": "fixed", "mean": 1, "sd": 1},
    ],
)
def test_unusable_distributions_are_refused(arguments):
    with pytest.raises(InputError):
        Distribution(**arguments)


@pytest.mark.parametrize(
    "pairs", [{("a", "x"): 0.1}, {("a", "b"): 1.2}, {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}]
)
def test_impossible_correlations_are_refused(pairs):
    with pytest.raises(InputError):
        draw(dict.fromkeys("abc", PERT), 3, np.random.default_rng(1), correlations=pairs)
