"""Referral, influence, social currency, its ledger and the survey scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.customers import advocacy as room

calm = settings(deadline=None, derandomize=True, max_examples=60)


# ---- referral


def test_referral_is_the_sum_of_generations():
    found = room.referral_value(1_000, 0.4, margin_cny=90.0, discount=0.95, generations=5)
    assert_allclose(found.by_generation, [1000, 400, 160, 64, 25.6])
    assert_allclose(found.total, sum(1_000 * 0.4**g for g in range(200)))
    assert_allclose(found.margin_cny, sum(1_000 * 90 * (0.4 * 0.95) ** g for g in range(1, 200)))
    assert_allclose(found.referred_per_user, 2 / 3)
    assert room.referral_value(50, 0.0, margin_cny=9).margin_cny == 0.0


@pytest.mark.parametrize("k", [1.0, 1.2, -0.1, np.nan])
def test_a_loop_that_never_ends_is_refused(k):
    with pytest.raises(InputError) as caught:
        room.referral_value(1_000, k)
    assert caught.value.problems[0].field == "k"


# ---- influence


@calm
@given(st.integers(1, 6), st.integers(0, 20), st.integers(0, 1000))
def test_influence_solves_its_equation(customers, edges, seed):
    rng = np.random.default_rng(seed)
    source, target = rng.integers(customers, size=(2, edges))
    weight = rng.integers(1, 5, edges).astype(float)
    found = room.influence(source, target, weight, customers=customers)
    flow = np.zeros((customers, customers))
    np.add.at(flow, (source, target), weight)
    out = flow.sum(axis=0)
    flow = np.where(out > 0, flow / np.where(out > 0, out, 1), 1 / customers)
    exact = np.linalg.solve(np.eye(customers) - 0.85 * flow, np.full(customers, 0.15 / customers))
    assert_allclose(found.share, exact, atol=1e-10)
    assert_allclose(found.share.sum(), 1.0)


def test_who_reached_many_or_somebody_influential_has_more_influence():
    found = room.influence([0, 0, 0, 1], [2, 3, 1, 4], customers=5).share
    assert found[0] > found[1] > found[2]
    assert room.influence([], [], customers=4).share.tolist() == [0.25] * 4


# ---- social currency


def test_currency_by_hand():
    """Reached 100 and 300: reactions at 10 % in all, of them 25 % convert."""
    found = room.social_currency([2, 3, 0], [100, 300, 0], [10, 30, 0], [1, 9, 0], margin_cny=40.0)
    rate = np.array([1.25 / 11, 9.25 / 31])
    assert_allclose(found.reaction_rate, [10.1 / 101, 30.1 / 301, 0.1])
    assert_allclose(found.conversion_rate[:2], rate)
    expected = np.array([100 * 0.1 * rate[0], 300 * 0.1 * rate[1], 0.0])
    assert_allclose(found.expected, expected)
    assert_allclose(found.value_cny, 40 * expected)
    assert_allclose(found.per_act_cny, [40 * expected[0] / 2, 40 * expected[1] / 3, 0.0])
    assert_allclose(found.index[:2].mean(), 100.0)
    assert found.index[2] == 0.0


def test_influence_moves_the_index_and_not_the_money():
    figures = [1, 1], [100, 100], [10, 10], [2, 2]
    same = room.social_currency(*figures, margin_cny=10)
    uneven = room.social_currency(*figures, margin_cny=10, influence_share=[0.75, 0.25])
    assert_allclose(uneven.index, [150, 50])
    assert_allclose(uneven.value_cny, same.value_cny)


def test_two_who_were_reached_are_no_wonder():
    found = room.social_currency([1] * 3, [2, 1_000, 1_000], [2, 50, 50], [2, 5, 5], margin_cny=1)
    assert found.reaction_rate[0] < 0.7 and found.conversion_rate[0] < 0.75


def test_nobody_acted():
    found = room.social_currency([0, 0], [0, 0], [0, 0], [0, 0], margin_cny=10)
    for column in (found.index, found.value_cny, found.per_act_cny, found.expected):
        assert column.tolist() == [0, 0]


# ---- exchange


@calm
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.integers(1, 90)), min_size=1))
def test_the_ledger_balances_to_zero_in_each_period(moves):
    rows = [
        row
        for period, giver, taker, points in sorted(moves)
        for row in ((f"2027-0{period + 1}", f"a{giver}", -points), (f"2027-0{period + 1}", f"a{taker}", points))
    ]
    found = room.exchange_ledger(rows)
    assert_allclose(found.moved.sum(axis=1), 0.0)
    assert_allclose(found.balance.sum(axis=1), 0.0)
    for place, account in enumerate(found.accounts):
        assert found.balance[-1, place] == sum(points for _, name, points in rows if name == account)


def test_points_out_of_nothing_are_refused():
    rows = [("2027-01", "brand", -50), ("2027-01", "customers", 50), ("2027-02", "customers", 7)]
    with pytest.raises(InputError) as caught:
        room.exchange_ledger(rows)
    problem = caught.value.problems[0]
    assert (problem.code, problem.field, problem.given) == ("ledger_unbalanced", "rows.2027-02", 7.0)
    assert all(problem.render(locale) for locale in ("zh", "en"))
    with pytest.raises(InputError):
        room.exchange_ledger([])


# ---- the scale


def test_alpha_by_hand():
    """Variances 1 and 7/3, of the sums 19/3: alpha = 2 (1 - (10/3) / (19/3)) = 18/19."""
    found = room.cronbach_alpha([[1, 1], [2, 2], [3, 4]])
    assert_allclose(found.alpha, 18 / 19)
    assert found.reliable and (found.n, found.items) == (3, 2)


def test_alpha_below_07_marks_the_scale_as_unreliable():
    rng = np.random.default_rng(3)
    trait = rng.normal(0, 1, (400, 1))
    good = room.cronbach_alpha(trait + rng.normal(0, 1, (400, 5)))  # 5 x 0.5 / (1 + 4 x 0.5) = 0.83
    poor = room.cronbach_alpha(trait + rng.normal(0, 2.2, (400, 5)))
    assert good.reliable and abs(good.alpha - 5 / 6) < 0.04
    assert poor.alpha < 0.7 and not poor.reliable
    assert room.cronbach_alpha([[1, 5], [5, 1], [3, 4]]).alpha < 0


def test_interval_of_alpha_covers():
    rng, sims = np.random.default_rng(5), 1_500
    drawn = rng.normal(0, 1, (sims, 10, 1)) + rng.normal(0, 1, (sims, 10, 4))
    bands = [room.cronbach_alpha(answers).interval for answers in drawn]
    for missed in (np.mean([band.low > 0.8 for band in bands]), np.mean([band.high < 0.8 for band in bands])):
        assert abs(missed - 0.025) < 4 * (0.025 * 0.975 / sims) ** 0.5


def test_equal_answers_have_no_alpha():
    found = room.cronbach_alpha([[3, 4], [3, 4]])
    assert (found.alpha, found.interval, found.reliable, found.reason) == (None, None, False, "all_answers_equal")


def test_commercial_share_as_guardrail():
    assert room.commercial_share(5, 100, limit=0.2).verdict == "within"
    assert room.commercial_share(19, 100, limit=0.2).verdict == "unclear"
    assert room.commercial_share(40, 100, limit=0.2).verdict == "above"
    nothing = room.commercial_share(0, 0, limit=0.2)
    assert (nothing.share, nothing.interval, nothing.verdict) == (None, None, "")


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.influence([0], [5], customers=3),
        lambda: room.influence([0], [1], [0.0], customers=3),
        lambda: room.influence([0, 1], [1], customers=3),
        lambda: room.social_currency([1], [5], [6], [0], margin_cny=1),
        lambda: room.social_currency([1], [5], [2], [3], margin_cny=1),
        lambda: room.social_currency([1], [5, 6], [2], [3], margin_cny=1),
        lambda: room.cronbach_alpha([[1, 2]]),
        lambda: room.cronbach_alpha([[1], [2]]),
        lambda: room.cronbach_alpha([[1, np.nan], [2, 3]]),
        lambda: room.commercial_share(5, 4, limit=0.2),
    ],
)
def test_bad_advocacy(call):
    with pytest.raises(InputError):
        call()
