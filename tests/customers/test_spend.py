"""Gamma-Gamma against its formula, the published fit of CDNOW, simulated order values, and data it must refuse."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import gammaln

from planlib.core.errors import InputError
from planlib.customers import spend
from planlib.customers.likelihood import LOOSE
from planlib.customers.spend import GammaGamma, fit_gamma_gamma
from tests.customers.simulated import order_values

CDNOW = Path(__file__).parents[3] / "shared" / "datasets" / "cdnow" / "cdnow_customers_summary_with_transactions.csv"


def test_likelihood_is_the_papers():
    """Fader & Hardie 2013, eq. 1a, customer by customer."""
    x, mean, (p, q, v) = np.array([1.0, 4, 9]), np.array([30.0, 12.5, 80]), (6.0, 3.5, 15.0)
    expected = sum(
        gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(v) + (p * n - 1) * np.log(m)
        + p * n * np.log(n) - (p * n + q) * np.log(v + n * m)
        for n, m in zip(x, mean, strict=True)
    )  # fmt: skip
    assert spend._likelihood(x, mean, np.ones(3))(np.array([p, q, v]))[0] == pytest.approx(expected, rel=1e-12)


def test_gradient_and_hessian_are_those_of_the_likelihood():
    evaluate = spend._likelihood(np.array([1.0, 4, 9, 1]), np.array([30.0, 12.5, 80, 5]), np.array([2.0, 1, 1, 3]))
    point = np.array([6.0, 3.5, 15.0])
    _, slope, bend = evaluate(point)
    for k, step in enumerate(np.diag(1e-5 * point)):
        ahead, behind = evaluate(point + step), evaluate(point - step)
        assert_allclose((ahead[0] - behind[0]) / (2 * step[k]), slope[k], rtol=1e-7, atol=1e-8)
        assert_allclose((ahead[1] - behind[1]) / (2 * step[k]), bend[k], rtol=1e-7, atol=1e-8)


def test_cdnow_has_the_published_parameters():
    """Fader & Hardie 2013: p 6.25, q 3.74, v 15.44 of 946 customers; 35.2 a purchase."""
    if not CDNOW.is_file():
        pytest.skip("the shared data are not beside this checkout")
    with CDNOW.open(encoding="utf-8", newline="") as file:
        x, mean = np.array([[float(row["x"]), float(row["zbar"])] for row in csv.DictReader(file)]).T
    found = fit_gamma_gamma(x, mean)
    assert_allclose([found.p, found.q, found.v], [6.25, 3.74, 15.44], atol=0.01)
    assert (found.n, found.single, found.refunded, found.reason) == (946, 1411, 0, None)
    assert found.correlation == pytest.approx(0.11, abs=0.01)
    assert found.population_mean == pytest.approx(35.17, abs=0.02)


def test_simulated_values_give_the_parameters_back():
    rng = np.random.default_rng(4)
    x = rng.geometric(0.4, 20_000).astype(float)
    found = fit_gamma_gamma(x, order_values(x, 5.0, 4.0, 120.0, rng))
    off = np.log([found.p / 5.0, found.q / 4.0, found.v / 120.0])
    assert (np.abs(off) < 4 * np.sqrt(np.diag(found.covariance))).all()
    assert found.population_mean == pytest.approx(5 * 120 / 3, rel=0.02)


def test_grouped_rows_are_single_rows_and_the_unit_of_money_does_not_matter():
    x, mean, count = np.array([1.0, 2, 3, 5]), np.array([10.0, 40, 25, 60]), np.array([9, 4, 6, 2])
    single = fit_gamma_gamma(np.repeat(x, count), np.repeat(mean, count))
    grouped, fen = fit_gamma_gamma(x, mean, count=count), fit_gamma_gamma(x, 100 * mean, count=count)
    assert (grouped.n, grouped.loglik) == (21, pytest.approx(single.loglik, rel=1e-12))
    assert grouped.correlation == pytest.approx(single.correlation, rel=1e-12)
    assert (fen.p, fen.v) == (pytest.approx(grouped.p, rel=1e-4), pytest.approx(100 * grouped.v, rel=1e-4))


def test_expected_spend_lies_between_what_was_seen_and_what_all_spend():
    fit = GammaGamma(6.25, 3.74, 15.44)
    found = fit.expected_spend([0, 1, 2, 50], [0.0, 100.0, 100.0, 100.0])
    assert found[0] == pytest.approx(fit.population_mean)
    assert (np.diff(found) > 0).all()
    assert found[2] == pytest.approx(6.25 * (15.44 + 200) / (12.5 + 2.74))
    assert 99 < found[3] < 100


def test_customers_it_cannot_use_are_left_out_and_counted():
    found = fit_gamma_gamma([0, 0, 1, 2, 3, 1, 4], [0.0, 50.0, 20.0, 35.0, 30.0, -5.0, 0.0])
    assert (found.n, found.single, found.refunded) == (3, 2, 2)
    assert found.expected_spend([1, 4], [-5.0, 0.0]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("x", "mean", "code"), [
    ([0, 0, 0], [0.0, 0.0, 0.0], "too_few"),
    ([2, 2, 2], [-1.0, -2.0, 0.0], "too_few"),
    ([2, 2, 1.5], [1.0, 2.0, 3.0], "not_whole"),
    ([2, 2], [1.0, 2.0, 3.0], "shape"),
    ([2, 2, 2], [1.0, np.inf, 3.0], "not_finite"),
])  # fmt: skip
def test_data_that_cannot_be_are_refused(x, mean, code):
    with pytest.raises(InputError) as problem:
        fit_gamma_gamma(x, mean)
    assert {p.code for p in problem.value.problems} == {code}


def test_equal_values_are_foretold_as_they_are_and_the_rest_is_said():
    found = fit_gamma_gamma([1, 2, 3, 4], [20.0] * 4)
    assert (found.reason, found.correlation) == (LOOSE, None)
    assert found.expected_spend([0, 3], [0.0, 20.0]) == pytest.approx([20.0, 20.0], rel=0.01)


def test_an_infinite_mean_is_refused_where_it_is_needed():
    heavy = GammaGamma(2.0, 0.8, 10.0)
    assert heavy.population_mean is None
    assert heavy.expected_spend([3], [50.0])[0] == pytest.approx(2 * (10 + 150) / (6 - 0.2))
    with pytest.raises(InputError, match="q"):
        heavy.expected_spend([0, 3], [0.0, 50.0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-100, 1e5)), min_size=1, max_size=15))
def test_any_values_are_refused_or_foretold(rows):
    x, mean = np.array(rows, dtype=float).T
    try:
        found = fit_gamma_gamma(x, mean)
        told = found.expected_spend(x, mean)
    except InputError:
        return
    assert np.isfinite(told).all()
    assert (told >= 0).all()
    assert found.n + found.single + found.refunded == len(x)
