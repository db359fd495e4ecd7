"""LTV : CAC on one unit, payback, intervals from draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.budget import unit_economics as room
from planlib.budget.unit_economics import Amount
from planlib.core.errors import InputError

calm = settings(deadline=None, derandomize=True)


def test_twenty_a_contact_is_166_7_a_buyer_and_the_ratio_7_3():
    """systems.yaml unit-economics: per contact 20, 12 % conversion: 166.7 per buyer; 1,224 / 166.7 = 7.3."""
    cac = room.per_buyer(Amount(20.0, "contact"), conversion=0.12)
    assert cac.cny == pytest.approx(166.7, abs=0.05)
    assert room.ltv_to_cac(Amount(1224.0, "buyer"), cac) == pytest.approx(7.3, abs=0.05)
    worth = room.per_contact(Amount(1224.0, "buyer"), conversion=0.12)
    assert room.ltv_to_cac(worth, Amount(20.0, "contact")) == pytest.approx(1224 / (20 / 0.12))


@pytest.mark.parametrize(
    "call, field",
    [
        (lambda: room.ltv_to_cac(Amount(1224.0, "buyer"), Amount(20.0, "contact")), "cac.per"),
        (lambda: room.ltv_to_cac(Amount(146.9, "contact"), Amount(166.7, "buyer")), "cac.per"),
        (lambda: room.per_buyer(Amount(166.7, "buyer"), conversion=0.12), "amount.per"),
        (lambda: room.per_contact(Amount(20.0, "contact"), conversion=0.12), "amount.per"),
    ],
)
def test_mixing_units_is_an_error(call, field):
    """systems.yaml unit-economics: mixing units raises an error."""
    with pytest.raises(InputError) as caught:
        call()
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("unit_confusion", field)
    assert "CNY_per" in caught.value.render("zh")


money, share = st.floats(0.5, 1e4), st.floats(0.01, 1.0)


@calm
@given(money, money, share, share, st.sampled_from(room.UNITS), st.sampled_from(room.UNITS))
def test_the_ratio_is_the_same_on_both_units(cac, ltv, conversion, margin, cost_unit, worth_unit):
    found = room.unit_economics(
        cac=Amount(cac, cost_unit), ltv=Amount(ltv, worth_unit), conversion=conversion, margin=margin
    )
    assert found.ratio == pytest.approx(found.margin_contact_cny / found.cac_contact_cny)
    assert found.ratio == pytest.approx(found.margin_buyer_cny / found.cac_buyer_cny)
    assert found.ratio == pytest.approx(found.sales_ratio * margin)
    given_cost = found.cac_contact_cny if cost_unit == "contact" else found.cac_buyer_cny
    assert given_cost == pytest.approx(cac)
    given_worth = found.margin_contact_cny if worth_unit == "contact" else found.margin_buyer_cny
    assert given_worth == pytest.approx(ltv * margin)
    assert found.cac_contact_cny == pytest.approx(found.cac_buyer_cny * conversion)


def test_draws_give_an_interval_that_is_that_of_the_distribution():
    """Cost and worth lognormal: their ratio is lognormal too."""
    rng, n = np.random.default_rng(20270111), 100_000
    cost, worth = 20 * np.exp(0.2 * rng.standard_normal(n)), 1224 * np.exp(0.3 * rng.standard_normal(n))
    found = room.unit_economics(cac=Amount(cost, "contact"), ltv=Amount(worth, "buyer"), conversion=0.12)
    band = room.interval(found.ratio, level=0.8)
    spread = 1.2815515655446004 * (0.2**2 + 0.3**2) ** 0.5
    assert_allclose([band.low, band.high], 7.344 * np.exp([-spread, spread]), rtol=0.01)


def test_payback_by_hand():
    found = room.payback(20.0, [8.0, 6.0, 4.0, 4.0])
    assert found.month.tolist() == [4] and found.probability == 1.0
    assert (found.median_month, found.fast_month, found.slow_month) == (4, 4, 4)
    discounted = room.payback(10.0, [5.0, *[0.0] * 11, 6.0], discount_rate_year=0.2)  # 6 / 1.2 = 5 in month 13
    assert discounted.month.tolist() == [13]
    assert room.payback(10.0, [5.0, *[0.0] * 11, 6.0], discount_rate_year=0.21).month.tolist() == [0]
    never = room.payback(20.0, [1.0, 1.0])
    assert never.month.tolist() == [0] and never.probability == 0.0 and never.median_month is None


def test_payback_over_draws():
    """Costs of 1 to 10, one CNY a month for eight months: two of ten are never paid back."""
    found = room.payback(np.arange(1.0, 11.0), np.ones(8))
    assert found.month.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0]
    assert found.probability == 0.8
    assert (found.fast_month, found.median_month, found.slow_month) == (1, 5, None)
    assert found.balance_cny.shape == found.cumulative_cny.shape == (10, 8)


@calm
@given(arrays(float, (5, 12), elements=st.floats(0, 50)), st.floats(1, 300), st.floats(0, 0.5))
def test_payback_is_the_first_month_that_covers(margin, cost, rate):
    found = room.payback(cost, margin, discount_rate_year=rate)
    for draw in range(5):
        total, first = 0.0, 0
        for month, cny in enumerate(margin[draw], start=1):
            total += cny * (1 + rate) ** (-(month - 1) / 12)
            first = first or (month if total >= cost * (1 - 1e-9) else 0)
        assert found.month[draw] == first
    dearer = room.payback(cost * 1.1, margin, discount_rate_year=rate)
    assert (np.where(dearer.month == 0, 99, dearer.month) >= np.where(found.month == 0, 99, found.month)).all()


def test_present_value_of_a_level_stream():
    months, rate = 36, 0.12
    step = (1 + rate) ** (-1 / 12)
    expected = (1 - step**months) / (1 - step) / months
    assert room.present_value_share(np.full(months, 7.0), discount_rate_year=rate) == pytest.approx(expected)
    assert room.present_value_share(np.full(months, 7.0), discount_rate_year=0.0) == 1.0
    both = room.present_value_share(np.full(months, 7.0), discount_rate_year=[0.0, rate])
    assert_allclose(both, [1.0, expected])


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.per_buyer(Amount(20.0, "contact"), conversion=0.0), "above", "conversion"),
        (lambda: room.per_buyer(Amount(20.0, "contact"), conversion=12), "at_most", "conversion"),
        (lambda: room.per_buyer(Amount(np.ones(3), "contact"), conversion=np.ones(2)), "shape", "conversion"),
        (lambda: room.ltv_to_cac(Amount(1.0, "buyer"), Amount(0.0, "buyer")), "above", "cac.cny"),
        (lambda: room.ltv_to_cac(Amount(1.0, "store"), Amount(1.0, "buyer")), "choice", "ltv.per"),
        (lambda: room.unit_economics(cac=Amount(1.0, "visitor"), ltv=Amount(1.0, "buyer"), conversion=0.1), "choice",
         "cac.per"),
        (lambda: room.unit_economics(cac=Amount(1.0, "buyer"), ltv=Amount(1.0, "buyer"), conversion=0.1, margin=30),
         "out_of_range", "margin"),
        (lambda: room.unit_economics(cac=Amount(np.ones(3), "buyer"), ltv=Amount(np.ones(4), "buyer"), conversion=0.1),
         "shape", "cac"),
        (lambda: room.payback(0.0, [1.0]), "above", "cac_cny"),
        (lambda: room.payback(np.ones(3), np.ones((2, 4))), "shape", "margin_by_month"),
        (lambda: room.payback(1.0, []), "empty", "margin_by_month"),
        (lambda: room.payback(1.0, [np.nan]), "not_finite", "margin_by_month[0]"),
        (lambda: room.payback(1.0, [1.0], discount_rate_year=-0.1), "at_least", "discount_rate_year"),
        (lambda: room.present_value_share([0.0], discount_rate_year=0.1), "above", "sales_by_month"),
        (lambda: room.interval([1.0], level=1.0), "between", "level"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
