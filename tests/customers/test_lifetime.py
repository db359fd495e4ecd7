"""BG/NBD and Pareto/NBD against closed forms, published figures, finite differences and simulated customers."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import betaln, gammaln, hyp2f1

from planlib.core.errors import InputError
from planlib.customers import lifetime
from planlib.customers.lifetime import (
    BgNbd,
    Customers,
    ParetoNbd,
    beta_rule,
    bgnbd_loglik,
    fit_bgnbd,
    fit_pareto_nbd,
)
from planlib.customers.likelihood import LOOSE, maximise
from tests.customers.simulated import bgnbd_customers, pareto_customers

CDNOW = Path(__file__).parents[3] / "shared" / "reference" / "csv"
X, LAST, AGE = np.array([0, 0, 1, 2, 7, 40.0]), np.array([0, 0, 3.0, 30, 12, 38]), np.array([10.0, 39, 39, 39, 30, 38])


def cdnow(name, *columns):
    path = CDNOW / name
    if not path.is_file():
        pytest.skip("the shared data are not beside this checkout")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [np.array([float(row[column]) for row in rows]) for column in columns]


def bg_by_formula(r, alpha, a, b):
    """Fader, Hardie & Lee 2005, eq. 6, customer by customer."""
    total = 0.0
    for x, last, age in zip(X, LAST, AGE, strict=True):
        alive = np.exp(betaln(a, b + x) - betaln(a, b)) * (alpha + age) ** -(r + x)
        gone = np.exp(betaln(a + 1, b + x - 1) - betaln(a, b)) * (alpha + last) ** -(r + x) if x else 0.0
        total += gammaln(r + x) - gammaln(r) + r * np.log(alpha) + np.log(alive + gone)
    return total


def pareto_by_formula(r, alpha, s, beta):
    """Fader & Hardie 2005, A Note on Deriving the Pareto/NBD Model, with 2F1."""
    most, gap = max(alpha, beta), abs(alpha - beta)
    total = 0.0
    for x, last, age in zip(X, LAST, AGE, strict=True):
        n, second = r + s + x, (s + 1 if alpha >= beta else r + x)
        part = [hyp2f1(n, second, n + 1, gap / (most + t)) / (most + t) ** n for t in (last, age)]
        alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
        total += gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        total += np.log(alive + s / n * (part[0] - part[1]))
    return total


MODELS = [
    (lifetime._bg_likelihood, bg_by_formula, [0.24, 4.4, 0.8, 2.4]),
    (lifetime._bg_likelihood, bg_by_formula, [3.0, 40.0, 1.0, 1.0]),
    (lifetime._pareto_likelihood, pareto_by_formula, [0.55, 10.6, 0.6, 11.7]),
    (lifetime._pareto_likelihood, pareto_by_formula, [0.3, 3.0, 1.5, 60.0]),
    (lifetime._pareto_likelihood, pareto_by_formula, [2.0, 60.0, 0.4, 2.0]),
]


@pytest.mark.parametrize(("likelihood", "formula", "point"), MODELS)
def test_likelihood_is_the_papers(likelihood, formula, point):
    value = likelihood(Customers.of(X, LAST, AGE))(np.array(point))[0]
    assert value == pytest.approx(formula(*point), rel=1e-9)


@pytest.mark.parametrize(("likelihood", "_", "point"), MODELS)
def test_gradient_and_hessian_are_those_of_the_likelihood(likelihood, _, point):
    evaluate, point = likelihood(Customers.of(X, LAST, AGE, [3, 1, 2, 1, 1, 2])), np.array(point)
    _, slope, bend = evaluate(point)
    for k, step in enumerate(np.diag(1e-5 * point)):
        ahead, behind = evaluate(point + step), evaluate(point - step)
        assert_allclose((ahead[0] - behind[0]) / (2 * step[k]), slope[k], rtol=1e-6, atol=1e-7)
        assert_allclose((ahead[1] - behind[1]) / (2 * step[k]), bend[k], rtol=1e-6, atol=1e-7)


def test_cdnow_has_the_published_parameters():
    """Fader, Hardie & Lee 2005, table 2; Fader & Hardie's notes for Pareto/NBD."""
    found = fit_bgnbd(*cdnow("cdnow_customers_summary.csv", "frequency", "recency", "T"))
    assert_allclose([found.r, found.alpha, found.a, found.b], [0.243, 4.414, 0.793, 2.426], atol=6e-4)
    assert found.loglik == pytest.approx(-9582.4, abs=0.05)
    assert (found.n, found.reason, len(found.tried)) == (2357, None, 3)
    other = fit_pareto_nbd(*cdnow("cdnow_customers_summary.csv", "frequency", "recency", "T"))
    assert_allclose([other.r, other.alpha, other.s, other.beta], [0.553, 10.578, 0.606, 11.669], rtol=1e-3)
    assert other.loglik == pytest.approx(-9595.0, abs=0.05)


def test_no_neighbour_is_likelier_than_the_fit():
    x, last, age, _ = bgnbd_customers(900, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(9))
    found = fit_bgnbd(x, last, age)
    best = np.array([found.r, found.alpha, found.a, found.b])
    assert bgnbd_loglik(best, x, last, age) == pytest.approx(found.loglik, rel=1e-12)
    for factor in np.exp(np.random.default_rng(1).normal(0, 0.02, (50, 4))):
        assert bgnbd_loglik(best * factor, x, last, age) < found.loglik
    with pytest.raises(InputError):
        bgnbd_loglik([0.5, 8.0, 0.0, 1.0], x, last, age)


def test_cdnow_holdout():
    x, last, age, later = cdnow("cdnow_rfm_calibration_holdout.csv", "x", "tx", "T", "y")
    told = fit_bgnbd(x, last, age).expected_purchases(x, last, age, 39.0)
    assert (later.sum(), told.sum()) == (1882, pytest.approx(1653.4, abs=0.5))


@pytest.fixture(scope="module")
def twenty_thousand():
    """20,000 customers over 104 weeks, and what they bought in the year after."""
    ages = np.random.default_rng(5).uniform(52, 104, 20_000)
    return bgnbd_customers(20_000, 0.6, 8.0, 0.7, 2.5, ages, np.random.default_rng(20260301), ahead=52.0)


def test_simulated_customers_give_the_parameters_back(twenty_thousand):
    """The requirement clv-five: r, alpha and the mean drop-out within 10 %."""
    found = fit_bgnbd(*twenty_thousand[:3])
    assert found.r == pytest.approx(0.6, rel=0.1)
    assert found.alpha == pytest.approx(8.0, rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(0.7 / 3.2, rel=0.1)


def test_orders_of_the_year_after_are_foretold(twenty_thousand):
    """The requirement clv-five: orders of a simulated hold-out year within 5 % in total."""
    x, last, age, later = twenty_thousand
    told = fit_bgnbd(x, last, age).expected_purchases(x, last, age, 52.0)
    assert told.sum() == pytest.approx(later.sum(), rel=0.05)
    busy = x >= 3
    assert told[busy].mean() == pytest.approx(later[busy].mean(), rel=0.1)


def test_intervals_cover_the_truth():
    """Of 40 repetitions, the 95 % interval of log r misses the truth in 2 +- 4 standard deviations."""
    missed = 0
    for seed in range(40):
        found = fit_bgnbd(*bgnbd_customers(1500, 0.6, 8.0, 0.7, 2.5, 80.0, np.random.default_rng(seed))[:3])
        missed += abs(np.log(found.r / 0.6)) > 1.96 * found.covariance[0, 0] ** 0.5
    assert missed <= 2 + 4 * (40 * 0.05 * 0.95) ** 0.5


def test_pareto_customers_give_the_parameters_back():
    data = pareto_customers(6000, 0.8, 10.0, 0.6, 12.0, 100.0, np.random.default_rng(11))
    found = fit_pareto_nbd(*data)
    off = np.log([found.r / 0.8, found.alpha / 10.0, found.s / 0.6, found.beta / 12.0])
    assert (np.abs(off) < 4 * np.sqrt(np.diag(found.covariance))).all()
    assert (np.sqrt(np.diag(found.covariance)) < 0.25).all()


@pytest.mark.parametrize("fit", [fit_bgnbd, fit_pareto_nbd])
def test_grouped_rows_are_single_rows(fit):
    x, last, age, _ = bgnbd_customers(600, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(2))
    rows, count = np.unique(np.column_stack([x, np.ceil(last), age]), axis=0, return_counts=True)
    grouped, single = fit(*rows.T, count=count), fit(*np.repeat(rows, count, axis=0).T)
    assert (grouped.n, len(rows) < 600) == (600, True)
    assert grouped.loglik == pytest.approx(single.loglik, rel=1e-12)
    assert grouped.r == pytest.approx(single.r, rel=1e-5)


@pytest.mark.parametrize("fit", [fit_bgnbd, fit_pareto_nbd])
def test_the_unit_of_time_does_not_matter(fit):
    x, last, age, _ = bgnbd_customers(800, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(3))
    weeks, days = fit(x, last, age), fit(x, 7 * last, 7 * age)
    assert (days.r, days.alpha) == (pytest.approx(weeks.r, rel=1e-4), pytest.approx(7 * weeks.alpha, rel=1e-4))
    assert_allclose(days.expected_purchases(x, 7 * last, 7 * age, 70.0), weeks.expected_purchases(x, last, age, 10.0),
                    rtol=1e-4)  # fmt: skip


def test_starts_found_on_a_sample_lead_to_the_same_peak(monkeypatch):
    x, last, age, _ = bgnbd_customers(5000, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(4))
    whole = fit_bgnbd(x, last, age)
    monkeypatch.setattr(lifetime, "_SAMPLE", 500)
    sampled = fit_bgnbd(x, last, age)
    assert [t.rows for t in sampled.tried] == [500, 500, 500, 5000]
    assert sampled.loglik == pytest.approx(whole.loglik, abs=1e-6)
    assert sampled.b == pytest.approx(whole.b, rel=1e-4)


BG = BgNbd(0.243, 4.414, 0.793, 2.426)


def test_expected_purchases_of_a_paper_customer():
    """Fader, Hardie & Lee's worked example: x = 2, t_x = 30.43, T = 38.86, 39 weeks ahead: 1.226."""
    assert BG.expected_purchases([2], [30.43], [38.86], 39.0)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("a", [0.3, 0.793, 2.0, 6.5])
def test_expected_purchases_equal_the_closed_form(a):
    """Eq. 10 of the paper, with 2F1."""
    fit = BgNbd(0.6, 5.0, a, 2.4)
    for x, last, age in [(0, 0.0, 3.0), (1, 3.0, 39.0), (7, 12.0, 30.0), (12, 35.0, 38.0)]:
        for ahead in (0.5, 10.0, 39.0):
            n, z = fit.r + x, ahead / (fit.alpha + age + ahead)
            power = ((fit.alpha + age) / (fit.alpha + age + ahead)) ** n
            top = (a + fit.b + x - 1) / (a - 1) * (1 - power * hyp2f1(n, fit.b + x, a + fit.b + x - 1, z))
            below = 1 + (a / (fit.b + x - 1) * ((fit.alpha + age) / (fit.alpha + last)) ** n if x else 0.0)
            assert fit.expected_purchases([x], [last], [age], ahead)[0] == pytest.approx(top / below, rel=1e-9)
            assert fit.p_alive([x], [last], [age])[0] == pytest.approx(1 / below, rel=1e-12)


def test_a_of_one_is_no_pole():
    around = [BgNbd(0.6, 5.0, a, 2.4).expected_purchases([3], [10.0], [30.0], 20.0)[0] for a in (0.999, 1.0, 1.001)]
    assert around[1] == pytest.approx((around[0] + around[2]) / 2, rel=1e-6)


def test_many_purchases_do_not_overflow():
    told = BG.expected_purchases([2000], [38.0], [39.0], 39.0)[0]
    assert 0 < told < 2000
    assert told == pytest.approx(_by_integral(BG, 2000, 39.0, 39.0) * BG.p_alive([2000], [38.0], [39.0])[0], rel=1e-3)


def _by_integral(fit, x, age, ahead):
    """The same mean over p by a plain sum over 40,000 quantiles of a beta."""
    from scipy.stats import beta

    p = beta.ppf((np.arange(40_000) + 0.5) / 40_000, fit.a, fit.b + x)
    return np.mean(-np.expm1(-(fit.r + x) * np.log1p(p * ahead / (fit.alpha + age))) / p)


@pytest.mark.parametrize(("fit", "x", "age", "ahead"), [
    (BG, 0, 0.0, 520.0), (BgNbd(2.0, 0.5, 5.0, 0.3), 4, 1.0, 100.0), (BgNbd(0.5, 6.0, 900.0, 2700.0), 3, 20.0, 50.0),
])  # fmt: skip
def test_hard_corners_of_the_quadrature(fit, x, age, ahead):
    found = fit.purchases_if_alive([x], [age], [ahead])[0, 0]
    assert found == pytest.approx(_by_integral(fit, x, age, ahead), rel=1e-3)


def test_without_drop_out_purchases_go_on_at_the_rate_seen():
    """a -> 0: (r + x) t / (alpha + T)."""
    found = BgNbd(0.6, 5.0, 1e-5, 1.0).expected_purchases([4], [20.0], [30.0], 12.0)[0]
    assert found == pytest.approx(4.6 * 12 / 35, rel=1e-4)


def test_new_customers_buy_as_simulated():
    t = np.array([13.0, 52.0])
    found = BgNbd(0.6, 8.0, 0.7, 2.5).expected_new(t)
    for told, end in zip(found, t, strict=True):
        x = bgnbd_customers(60_000, 0.6, 8.0, 0.7, 2.5, end, np.random.default_rng(8))[0]
        assert abs(x.mean() - told) < 4 * x.std() / len(x) ** 0.5


def test_one_purchase_leaves_bgnbd_alive_and_pareto_in_doubt():
    assert BG.p_alive([0], [0.0], [39.0])[0] == 1.0
    assert 0 < ParetoNbd(0.553, 10.578, 0.606, 11.669).p_alive([0], [0.0], [39.0])[0] < 1


@pytest.mark.parametrize("s", [0.6, 1.0, 2.5])
def test_pareto_purchases_equal_the_closed_form(s):
    """Schmittlein et al. 1987; at s = 1 the limit, between both sides."""
    fit, x, last, age, ahead = ParetoNbd(0.553, 10.578, s, 11.669), 3, 20.0, 39.0, 39.0
    longer = (fit.beta + age) / (fit.beta + age + ahead)
    bracket = -np.log(longer) if s == 1 else (1 - longer ** (s - 1)) / (s - 1)
    expected = (fit.r + x) * (fit.beta + age) / (fit.alpha + age) * bracket * fit.p_alive([x], [last], [age])[0]
    assert fit.expected_purchases([x], [last], [age], ahead)[0] == pytest.approx(expected, rel=1e-12)


def test_pareto_chance_to_be_alive_is_the_closed_form():
    r, alpha, s, beta, x, last, age = 0.553, 10.578, 0.606, 11.669, 3, 20.0, 39.0
    n = r + s + x
    inner = [hyp2f1(n, r + x, n + 1, (beta - alpha) / (beta + t)) / (beta + t) ** n for t in (last, age)]
    gone = s / n * (inner[0] - inner[1]) * (alpha + age) ** (r + x) * (beta + age) ** s
    assert ParetoNbd(r, alpha, s, beta).p_alive([x], [last], [age])[0] == pytest.approx(1 / (1 + gone), rel=1e-10)


def test_beta_rule_has_the_moments_of_a_beta():
    for a, b in ((0.2, 0.3), (0.5, 0.5), (1.0, 1.0), (0.8, 300.0), (1e4, 1e4), (1e-5, 1.0)):
        nodes, weights = beta_rule(a, b, 12)
        for k in range(1, 6):
            moment = np.exp(betaln(a + k, b) - betaln(a, b))
            assert weights @ nodes**k == pytest.approx(moment, rel=1e-8, abs=1e-15)


# what cannot be fitted, or only in part


def codes(problem):
    return {p.code for p in problem.value.problems}


@pytest.mark.parametrize("fit", [fit_bgnbd, fit_pareto_nbd])
@pytest.mark.parametrize(("x", "last", "age", "code"), [
    ([0] * 9, [0] * 9, [5] * 9, "nobody_returned"),
    ([0] * 9, [0] * 9, [0] * 9, "no_time"),
    ([3], [2], [5], "too_few"),
    ([1, 0, 0, 0], [0, 0, 0, 0], [5] * 4, "repeat_time"),
    ([0, 1, 0, 0], [2, 1, 0, 0], [5] * 4, "repeat_time"),
    ([1, 0, 0, 0], [6, 0, 0, 0], [5] * 4, "last_after_end"),
    ([1.5, 0, 0, 0], [4, 0, 0, 0], [5] * 4, "not_whole"),
    ([1, 0, 0, 0], [np.nan, 0, 0, 0], [5] * 4, "not_finite"),
    ([1, 0, 0], [4, 0, 0, 0], [5] * 4, "shape"),
    ([], [], [], "not_number"),
])  # fmt: skip
def test_data_that_cannot_be_are_refused(fit, x, last, age, code):
    with pytest.raises(InputError) as problem:
        fit(x, last, age)
    assert code in codes(problem) or (code == "not_number" and "empty" in codes(problem))
    assert problem.value.render("zh")


def test_customers_of_the_last_day_add_nothing():
    x, last, age, _ = bgnbd_customers(400, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(6))
    with_newest = [np.append(values, [0.0, 0.0]) for values in (x, last, age)]
    assert fit_bgnbd(*with_newest).loglik == pytest.approx(fit_bgnbd(x, last, age).loglik, abs=1e-7)


@pytest.mark.parametrize("fit", [fit_bgnbd, fit_pareto_nbd])
@pytest.mark.parametrize(("x", "last", "age"), [
    (np.full(50, 10.0), np.full(50, 50.0), np.full(50, 52.0)),  # all alike, all still buying
    (np.full(50, 3.0), np.full(50, 1.0), np.full(50, 100.0)),  # all gone at once
    (np.r_[np.zeros(49), 1.0], np.r_[np.zeros(49), 20.0], np.full(50, 52.0)),  # one purchase in all
])  # fmt: skip
def test_what_data_do_not_tell_is_said(fit, x, last, age):
    found = fit(x, last, age)
    assert (found.reason, bool(found.loose)) == (LOOSE, True)
    assert np.isfinite(found.covariance).all()
    told = found.expected_purchases(x, last, age, 10.0)
    assert np.isfinite(told).all()
    assert (told >= 0).all()


def test_one_purchase_of_fifty_customers_is_foretold_as_rare():
    data = np.r_[np.zeros(49), 1.0], np.r_[np.zeros(49), 20.0], np.full(50, 52.0)
    assert fit_bgnbd(*data).expected_purchases(*data, 52.0).sum() == pytest.approx(1.0, abs=0.6)


def test_climbs_that_reach_nothing_say_what_was_tried():
    def wrong(point):  # it never rises where its gradient points
        return float(-point.sum()), np.ones(1), -np.eye(1)

    with pytest.raises(InputError) as problem:
        maximise(wrong, [[1.0], [2.0]], names=("r",), low=(1e-3,), high=(1e3,), rows=1)
    text = problem.value.render("en")
    assert "r 1: stuck" in text
    assert "r 2: stuck" in text


def test_a_flat_direction_is_named_and_has_no_variance():
    def told_by_a_alone(point):  # -50 (log a)^2 - 0.05 (log b - 1)^2
        a, b = np.log(point) - (0, 1)
        slope = np.array([-100 * a, -0.1 * b]) / point
        return -50 * a**2 - 0.05 * b**2, slope, np.diag((np.array([-100, -0.1]) / point - slope) / point)

    found = maximise(told_by_a_alone, [[2.0, 5.0]], names=("a", "b"), low=(1e-3,) * 2, high=(1e3,) * 2, rows=1)
    assert found.point == pytest.approx([1.0, np.e], rel=1e-3)
    assert (found.reason, found.loose) == (LOOSE, ("b",))
    assert_allclose(found.covariance, np.diag([0.01, 0.0]), rtol=1e-6, atol=1e-12)


def test_given_parameters_have_no_draws():
    with pytest.raises(InputError):
        BG.draws(3, np.random.default_rng(1))


def test_draws_are_around_the_estimate():
    x, last, age, _ = bgnbd_customers(3000, 0.6, 8.0, 0.7, 2.5, 60.0, np.random.default_rng(7))
    found = fit_bgnbd(x, last, age)
    drawn = found.draws(4000, np.random.default_rng(1))
    logs = np.log([d.alpha for d in drawn])
    assert logs.std() == pytest.approx(found.covariance[1, 1] ** 0.5, rel=0.06)
    assert abs(logs.mean() - np.log(found.alpha)) < 4 * logs.std() / 4000**0.5
    assert found.draws(2, np.random.default_rng(1))[0].r == drawn[0].r


@st.composite
def customers(draw):
    n = draw(st.integers(1, 12))
    age = draw(st.lists(st.integers(0, 60), min_size=n, max_size=n))
    x = [draw(st.integers(0, min(top, 9))) for top in age]
    last = [draw(st.integers(min(count, top), top)) if count else 0 for count, top in zip(x, age, strict=True)]
    return np.array(x, dtype=float), np.array(last, dtype=float), np.array(age, dtype=float)


@settings(max_examples=25, deadline=None)
@given(customers())
def test_any_customers_are_refused_or_foretold(data):
    for fit in (fit_bgnbd, fit_pareto_nbd):
        try:
            found = fit(*data)
        except InputError:
            continue
        alive, told = found.p_alive(*data), [found.expected_purchases(*data, t) for t in (0.0, 1.0, 10.0)]
        assert ((alive >= 0) & (alive <= 1)).all()
        assert np.isfinite(told).all()
        assert (np.diff(told, axis=0) >= 0).all()
        assert (told[0] == 0).all()
        assert np.isfinite([found.r, found.alpha, found.loglik]).all()
