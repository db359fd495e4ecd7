"""Values against sums by hand and simulated customers; calibration, referrals and the score of five axes."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.customers.clv import (
    AXES,
    WEEKS_A_MONTH,
    Terms,
    calibrate,
    calibrate_by_frequency,
    five_dimensions,
    lifetime_value,
    newcomer_value,
    referred_margin,
)
from planlib.customers.lifetime import BgNbd, ParetoNbd, fit_bgnbd
from planlib.customers.spend import GammaGamma, fit_gamma_gamma
from tests.customers.simulated import bgnbd_customers, order_values

LIFE, SPEND = BgNbd(0.243, 4.414, 0.793, 2.426), GammaGamma(6.25, 3.74, 15.44)
PEOPLE = ([0, 1, 6, 6], [0.0, 12.0, 35.0, 35.0], [30.0, 38.0, 38.0, 38.0], [0.0, 25.0, 60.0, 60.0])


@pytest.mark.parametrize("life", [LIFE, ParetoNbd(0.553, 10.578, 0.606, 11.669)])
def test_value_is_the_discounted_sum_of_periods(life):
    """Sum over periods of orders within, times the discount factor, the expected order value and the margin."""
    terms = Terms(12, WEEKS_A_MONTH, 0.4, 0.01)
    found = lifetime_value(life, SPEND, *PEOPLE, terms)
    orders = [life.expected_purchases(*PEOPLE[:3], k * WEEKS_A_MONTH) for k in range(13)]
    expected = sum((orders[k] - orders[k - 1]) / 1.01**k for k in range(1, 13))
    expected = 0.4 * expected * SPEND.expected_spend(PEOPLE[0], PEOPLE[3])
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert (found.total, found.reason, found.low) == (pytest.approx(expected.sum()), "not_asked", None)


def test_without_discount_a_year_is_a_year_however_cut():
    one, twelve = (lifetime_value(LIFE, SPEND, *PEOPLE, Terms(n, 52.0 / n, 0.4, 0.0)).total for n in (1, 12))
    assert one == pytest.approx(twelve, rel=1e-12)


@pytest.fixture(scope="module")
def brand():
    """3,000 customers with order values; fits of both models."""
    rng = np.random.default_rng(12)
    x, last, age, later = bgnbd_customers(3000, 0.6, 8.0, 0.7, 2.5, rng.uniform(20, 80, 3000), rng, ahead=26.0)
    mean = order_values(x, 5.0, 4.0, 120.0, rng)
    return x, last, age, mean, later, fit_bgnbd(x, last, age), fit_gamma_gamma(x, mean)


def test_the_total_of_simulated_customers_is_foretold(brand):
    x, last, age, mean, later, life, spend = brand
    found = lifetime_value(life, spend, x, last, age, mean, Terms(1, 26.0, 0.5, 0.0), draws=60,
                           rng=np.random.default_rng(1))  # fmt: skip
    truth = 0.5 * later.sum() * 200.0
    assert found.total == pytest.approx(truth, rel=0.1)
    assert found.total_low < found.total < found.total_high
    assert (found.low <= found.high).all()
    assert ((found.low <= found.value * 1.2) & (found.high >= found.value * 0.8)).all()
    assert (found.draws, found.reason) == (60, None)


def test_intervals_repeat_and_widen_with_the_level(brand):
    *data, _, life, spend = brand
    data = [values[:200] for values in data]
    terms = Terms(3, 4.0, 0.5, 0.01)
    wide, again, narrow = (
        lifetime_value(life, spend, *data, terms, draws=40, rng=np.random.default_rng(3), level=level)
        for level in (0.95, 0.95, 0.5)
    )
    assert (wide.total_low, wide.high.tolist()) == (again.total_low, again.high.tolist())
    assert wide.total_low < narrow.total_low < narrow.total_high < wide.total_high
    assert (wide.low < narrow.low).all()


def test_refunds_above_purchases_are_worth_nothing_and_counted():
    found = lifetime_value(LIFE, SPEND, [2, 2], [9.0, 9.0], [20.0, 20.0], [-5.0, 40.0], Terms(12, 4.0, 0.4, 0.01))
    assert (found.refunded, found.value[0]) == (1, 0.0)
    assert found.value[1] > 0


def test_heavy_order_values_have_no_interval(brand):
    *data, _, life, _ = brand
    heavy = GammaGamma(5.0, 1.02, 120.0, covariance=np.diag([0.01, 0.04, 0.01]))
    found = lifetime_value(life, heavy, *data, Terms(3, 4.0, 0.5, 0.0), draws=40, rng=np.random.default_rng(3))
    assert (found.low, found.total_low, found.reason) == (None, None, "spend_mean_undefined")


@pytest.mark.parametrize("make", [
    lambda: Terms(0, 4.0, 0.4, 0.0), lambda: Terms(3, 0.0, 0.4, 0.0), lambda: Terms(3, 4.0, 1.4, 0.0),
    lambda: Terms(3, 4.0, 0.4, -0.1),
    lambda: lifetime_value(LIFE, SPEND, *PEOPLE, Terms(3, 4.0, 0.4, 0.0), draws=5),
    lambda: lifetime_value(LIFE, SPEND, *PEOPLE, Terms(3, 4.0, 0.4, 0.0), draws=5, rng=np.random.default_rng(1)),
    lambda: lifetime_value(LIFE, SPEND, *PEOPLE[:3], [1.0, 2.0], Terms(3, 4.0, 0.4, 0.0)),
    lambda: lifetime_value(LIFE, SPEND, *PEOPLE[:3], [0.0, np.nan, 1.0, 1.0], Terms(3, 4.0, 0.4, 0.0)),
    lambda: newcomer_value(LIFE, GammaGamma(5.0, 0.9, 10.0), Terms(3, 4.0, 0.4, 0.0)),
    lambda: referred_margin([1, 0], [0.0, 0.0], 50.0, Terms(3, 4.0, 0.4, 0.0)),
    lambda: referred_margin([1.5, 0], [9.0, 9.0], 50.0, Terms(3, 4.0, 0.4, 0.0)),
    lambda: calibrate([1.0, 2.0], [1.0]),
    lambda: calibrate_by_frequency([1], [1.0, 2.0], [1.0, 2.0]),
])  # fmt: skip
def test_what_cannot_be_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_newcomer_brings_the_first_purchase_and_those_after():
    terms = Terms(2, 13.0, 0.5, 0.02)
    first, second = LIFE.expected_new([13.0, 26.0])
    expected = 0.5 * SPEND.population_mean * (1 + first / 1.02 + (second - first) / 1.02**2)
    assert newcomer_value(LIFE, SPEND, terms) == pytest.approx(expected, rel=1e-12)


def test_referrals_sum_to_the_common_rate_and_are_shrunk():
    rng = np.random.default_rng(9)
    watched, rate = np.full(4000, 50.0), rng.gamma(0.5, 0.02, 4000)
    brought, later = rng.poisson(rate * 50.0), rng.poisson(rate * 26.0)
    found = referred_margin(brought, watched, 10.0, Terms(26, 1.0, 0.4, 0.0))
    assert found.sum() == pytest.approx(10.0 * brought.sum() * 26 / 50, rel=1e-6)
    many = brought >= 3
    assert found[many].mean() == pytest.approx(10.0 * later[many].mean(), rel=0.15)
    assert found[many].mean() < 10.0 * brought[many].mean() * 26 / 50


def test_nobody_brought_anybody():
    assert referred_margin([0, 0], [5.0, 9.0], 80.0, Terms(3, 4.0, 0.4, 0.0)).tolist() == [0.0, 0.0]


def test_calibration_of_deciles():
    rng = np.random.default_rng(2)
    told = rng.gamma(1.0, 2.0, 20_000)
    found = calibrate(told, rng.poisson(told), level=0.99)
    assert [b.n for b in found.bins] == [2000] * 10
    assert all(b.low < b.predicted < b.high for b in found.bins)
    assert np.diff([b.predicted for b in found.bins]).min() > 0
    assert found.error_rel == pytest.approx(0, abs=0.02)


def test_calibration_sees_what_is_wrong():
    told = np.arange(1.0, 101.0)
    found = calibrate(told, 2 * told)
    assert (found.error_rel, found.correlation) == (-0.5, pytest.approx(1.0))
    assert (found.mae, found.rmse) == (pytest.approx(50.5), pytest.approx(np.sqrt((told**2).mean())))
    assert not any(b.low < b.predicted < b.high for b in found.bins)


def test_equal_predictions_stay_in_one_bin():
    found = calibrate([0.1] * 95 + [1, 2, 3, 4, 5], [0.0] * 100)
    assert [b.n for b in found.bins] == [95, 5]
    assert (found.error_rel, found.correlation) == (None, None)
    single = calibrate([3.0], [2.0])
    assert (single.bins[0].low, single.correlation) == (None, None)


def test_bins_by_frequency():
    found = calibrate_by_frequency([0, 0, 1, 7, 9], [0.1, 0.3, 1.0, 5.0, 7.0], [0, 1, 1, 6, 8])
    assert [(b.n, b.predicted, b.actual) for b in found.bins] == [(2, 0.2, 0.5), (1, 1.0, 1.0), (2, 6.0, 7.0)]


def people(n, rng, *, social):
    """Five axes, the first three and perhaps `social` of which drive later value."""
    axes = {name: rng.gamma(1.0, 1.0, n) for name in AXES}
    later = axes["activity"] + axes["spending"] + 0.5 * axes["loyalty"] + social * axes["social"]
    return axes, later * rng.gamma(2.0, 0.5, n)


def test_weights_find_the_axes_that_foretell():
    axes, later = people(4000, np.random.default_rng(1), social=1.0)
    found = five_dimensions(axes, later, rng=np.random.default_rng(2))
    weights = dict(zip(AXES, found.weights, strict=True))
    assert found.weights.sum() == pytest.approx(1.0)
    assert weights["content"] < 0.05
    assert min(weights["activity"], weights["spending"], weights["social"]) > 0.2
    assert found.correlation > found.classic_correlation + 0.05
    assert 0 < found.gain_low < found.gain_rel < found.gain_high < 0.3
    assert ((found.score >= 0) & (found.score <= 100)).all()


def test_axes_that_add_nothing_gain_nothing():
    axes, later = people(4000, np.random.default_rng(1), social=0.0)
    found = five_dimensions(axes, later, rng=np.random.default_rng(2))
    assert found.gain_low < 0.005
    assert abs(found.gain_rel) < 0.01


def test_noise_is_not_taken_for_foresight():
    """Weights judged on the customers that they were fitted to would correlate at about 0.2 here."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        score = five_dimensions({name: rng.random(60) for name in AXES}, rng.random(60), rng=rng)
        found += [score.correlation] if score.correlation is not None else []
    assert len(found) > 20
    assert np.mean(found) < 0.05


def test_an_axis_that_foretells_the_opposite_weighs_nothing():
    axes, later = people(500, np.random.default_rng(1), social=0.0)
    axes["content"] = -later
    assert five_dimensions(axes, later, rng=np.random.default_rng(2)).weights[AXES.index("content")] == 0.0


@pytest.mark.parametrize(("n", "later", "reason"), [
    (200, None, "no_later_value"), (20, "random", "too_few_customers"), (200, "constant", "no_axis_predicts"),
])  # fmt: skip
def test_equal_weights_where_none_are_told(n, later, reason):
    axes, drawn = people(n, np.random.default_rng(1), social=0.0)
    value = {"random": drawn, "constant": np.ones(n)}.get(later)
    found = five_dimensions(axes, value, rng=np.random.default_rng(2))
    assert (found.reason, found.weights.tolist(), found.gain_rel) == (reason, [0.2] * 5, None)
    assert np.isfinite(found.score).all()


def test_constant_axes_are_borne():
    axes, later = people(300, np.random.default_rng(1), social=0.0)
    found = five_dimensions({**axes, "social": np.zeros(300), "content": np.zeros(300)}, later,
                            rng=np.random.default_rng(2))  # fmt: skip
    assert found.reason is None
    assert found.weights[[2, 3]].tolist() == [0.0, 0.0]


def test_axes_must_be_the_five():
    axes, later = people(60, np.random.default_rng(1), social=0.0)
    axes["karma"] = axes.pop("social")
    with pytest.raises(InputError) as problem:
        five_dimensions(axes, later, rng=np.random.default_rng(2))
    assert {p.code for p in problem.value.problems} == {"missing", "choice"}
