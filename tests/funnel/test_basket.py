"""Order value: associations, offers, bridge, dilution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from planlib.core.errors import InputError
from planlib.funnel import basket as room

calm = settings(deadline=None, derandomize=True)


def test_bundle_in_a_quarter_of_orders_that_adds_120_per_cent():
    """systems.yaml aov-basket: a bundle taken in 25 % of orders that adds 120 % to each shows +30 %."""
    assert room.bundle_effect(0.25, 1.20) == pytest.approx(0.30)
    orders = np.full(400, 100.0)
    orders[:100] *= 1 + 1.20
    assert orders.mean() / 100 - 1 == pytest.approx(room.bundle_effect(0.25, 1.20))


def test_dilution_of_the_case_and_what_it_leaves_of_thirty_per_cent():
    """systems.yaml aov-basket: -18 % on a tripled base is -0.181; at a doubled base +30 % shrinks to +14.7 %."""
    elasticity = room.dilution_elasticity(3.0, 0.82)
    assert elasticity == pytest.approx(-0.181, abs=5e-4)
    left = room.diluted_order_value(1.30, [1.0, 2.0, 3.0], base_users=1.0, elasticity=elasticity)
    assert_allclose(left, [1.30, 1.147, 1.30 * 0.82], atol=5e-4)


def _pairs(rng, orders, cells):
    """One pair of items from the shares of orders with both, only the first, only the second."""
    both, first, second, _ = rng.multinomial(orders, [*cells, 1 - sum(cells)])
    return room.PairCounts(orders, np.array([both + first, both + second]), np.array([0]), np.array([1]),
                           np.array([both]))


@pytest.mark.parametrize(
    "cells, lift",
    [
        ((0.12 * 0.25, 0.12 * 0.75, 0.88 * 0.25), 1.0),  # bought independently
        ((0.2 * 0.6, 0.2 * 0.4, 0.8 * 0.225), 2.0),
        ((0.2 * 0.15, 0.2 * 0.85, 0.8 * 0.3375), 0.5),
    ],
)
def test_the_interval_covers_the_lift(cells, lift):
    """systems.yaml aov-basket: items bought independently show lift 1 within the interval, at its level."""
    rng, sims = np.random.default_rng(20270103), 3000
    hits = 0
    for _ in range(sims):
        found = room.associations(_pairs(rng, 2000, cells), correction="none")
        hits += bool(found.low[0] <= lift <= found.high[0])
    assert abs(hits / sims - 0.95) < 4 * (0.95 * 0.05 / sims) ** 0.5


def test_bonferroni_holds_over_all_pairs():
    rng, sims = np.random.default_rng(20270105), 200
    together, alone = 0, 0
    for _ in range(sims):
        counts = room.count_pairs(rng.random((1500, 8)) < 0.2)
        for correction in room.CORRECTIONS:
            found = room.associations(counts, correction=correction)
            all_inside = bool(((found.low <= 1) & (found.high >= 1)).all())
            together += correction == "bonferroni" and all_inside
            alone += correction == "none" and all_inside
    assert found.comparisons == 28
    assert together / sims > 0.95 - 4 * (0.95 * 0.05 / sims) ** 0.5
    assert alone / sims < 0.5  # 28 intervals, each at 95 %


def test_counts_by_hand():
    """Five orders of bread, butter, jam."""
    basket = np.array([[1, 1, 0], [2, 1, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]])
    counts = room.count_pairs(basket)
    assert counts.orders == 5
    assert_array_equal(counts.item_orders, [3, 2, 2])
    assert_array_equal([counts.first, counts.second, counts.together], [[0, 0, 1], [1, 2, 2], [2, 1, 1]])
    found = room.associations(counts)
    pair = [(int(a), int(b)) for a, b in zip(found.first, found.second, strict=True)].index((0, 1))
    assert_allclose(found.support[pair], 2 / 5)
    assert_allclose([found.confidence[pair], found.confidence_back[pair]], [2 / 3, 1.0])
    assert_allclose(found.lift[pair], (2 / 5) / (3 / 5 * 2 / 5))
    assert (np.diff(found.lift) <= 0).all()


def test_limits_are_those_of_the_numerical_delta_method():
    cells = np.array([60, 140, 90, 710])  # both, first only, second only, neither
    total = cells.sum()

    def log_lift(share):
        return np.log(share[0] / ((share[0] + share[1]) * (share[0] + share[2])))

    share, step = cells / total, 1e-6
    slope = np.array([(log_lift(share + step * e) - log_lift(share - step * e)) / (2 * step) for e in np.eye(4)])
    variance = ((share * slope**2).sum() - (share * slope).sum() ** 2) / total
    found = room.associations(
        room.PairCounts(int(total), np.array([200, 150]), np.array([0]), np.array([1]), np.array([60]))
    )
    reach = np.exp(1.959963984540054 * variance**0.5)
    assert_allclose([found.low[0], found.high[0]], [found.lift[0] / reach, found.lift[0] * reach], rtol=1e-6)


@calm
@given(arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 6))))
def test_sparse_dense_and_brute_force_agree(held):
    dense, thin = room.count_pairs(held), room.count_pairs(sparse.coo_array(held.astype(float) * 3))
    for name in ("item_orders", "first", "second", "together"):
        assert_array_equal(getattr(dense, name), getattr(thin, name))
    counted = {(i, j): int((held[:, i] & held[:, j]).sum()) for i in range(held.shape[1]) for j in range(i)}
    assert {(j, i): n for (i, j), n in counted.items() if n} == {
        (int(a), int(b)): int(n) for a, b, n in zip(dense.first, dense.second, dense.together, strict=True)
    }


def test_few_common_orders_are_left_out_and_no_pair_is_no_error():
    basket = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]])
    assert room.count_pairs(basket, at_least=2).together.tolist() == [2]
    with pytest.raises(InputError):
        room.associations(room.count_pairs(np.eye(3)))


def _arm(values, orders, gmv):
    return room.OfferArm(len(values), orders, gmv, float(values.sum()), float(np.square(values).sum()))


def test_threshold_offer_that_lifts_order_value_and_loses_margin():
    """Free gift from 150: order value +50 %, but fewer orders and less margin of each visitor."""
    control = np.append(np.full(1000, 40.0), np.zeros(9000))
    offer = np.append(np.full(700, 45.0), np.zeros(9300))
    verdict = room.judge_offer(_arm(control, 1000, 100_000.0), _arm(offer, 700, 105_000.0))
    assert verdict.order_value_rel == pytest.approx(0.5)
    assert verdict.conversion_rel == pytest.approx(-0.3)
    assert verdict.effect_cny == pytest.approx(0.7 * 4.5 - 4.0)
    assert (verdict.verdict, verdict.order_value_misleads) == ("worse", True)
    half = 1.959963984540054 * (control.var(ddof=1) / 1e4 + offer.var(ddof=1) / 1e4) ** 0.5
    assert_allclose([verdict.low_cny, verdict.high_cny], verdict.effect_cny + half * np.array([-1, 1]))


def test_offer_that_earns_and_offer_that_is_open():
    none = _arm(np.append(np.full(1000, 40.0), np.zeros(9000)), 1000, 100_000.0)
    better = room.judge_offer(none, _arm(np.append(np.full(1500, 38.0), np.zeros(8500)), 1500, 140_000.0))
    assert (better.verdict, better.order_value_misleads) == ("better", True)  # order value fell, margin rose
    same = room.judge_offer(none, none)
    assert (same.verdict, same.effect_cny, same.order_value_misleads) == ("open", 0.0, False)
    nobody = _arm(np.zeros(10_000), 0, 0.0)
    assert room.judge_offer(nobody, none).order_value_rel is None
    assert room.judge_offer(nobody, none).conversion_rel is None


def test_bridge_by_hand_and_through_an_empty_segment():
    mixed = room.order_value_bridge([50, 50], [100, 200], [25, 75], [100, 200])
    assert mixed.mix.sum() == pytest.approx(25) and mixed.rate.tolist() == [0, 0]
    rated = room.order_value_bridge([50, 50], [100, 200], [100, 100], [110, 200])
    assert rated.mix.tolist() == [0, 0] and rated.rate.tolist() == pytest.approx([5, 0])
    new = room.order_value_bridge([100, 0], [100, 300], [50, 50], [100, 300])
    assert new.mix.tolist()[1] == pytest.approx(150) and (new.mix + new.rate).sum() == pytest.approx(100)


counts = arrays(float, 4, elements=st.floats(0.1, 1e6))


@calm
@given(counts, counts, counts, counts)
def test_bridge_leaves_nothing_over(orders_before, value_before, orders_after, value_after):
    found = room.order_value_bridge(orders_before, value_before, orders_after, value_after)
    change = np.average(value_after, weights=orders_after) - np.average(value_before, weights=orders_before)
    scale = max(value_before.max(), value_after.max())
    assert abs(found.mix.sum() + found.rate.sum() - change) <= 1e-9 * scale
    assert abs(found.after_cny - found.before_cny - change) <= 1e-9 * scale


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.count_pairs([1, 0]), "shape", "basket"),
        (lambda: room.count_pairs([[1, -1]]), "at_least", "basket[0, 1]"),
        (lambda: room.count_pairs(np.zeros((0, 3), dtype=bool)), "empty", "basket"),
        (lambda: room.count_pairs(sparse.csr_array([[-1.0, 1.0]])), "at_least", "basket[0]"),
        (lambda: room.associations(room.PairCounts(10, np.array([5, 4]), np.array([0]), np.array([1]), np.array([5]))),
         "at_most", "together[0]"),
        (lambda: room.associations(room.PairCounts(4, np.array([5, 4]), np.array([0]), np.array([1]), np.array([4]))),
         "out_of_range", "item_orders[0]"),
        (lambda: room.associations(room.PairCounts(9, np.array([5, 4]), np.array([0]), np.array([2]), np.array([4]))),
         "out_of_range", "second"),
        (lambda: room.associations(room.PairCounts(9, np.array([5]), np.array([0]), np.array([0, 0]), np.array([4]))),
         "shape", "second"),
        (lambda: room.bundle_effect(25, 1.2), "out_of_range", "take_rate"),
        (lambda: room.judge_offer(room.OfferArm(1, 0, 0, 0, 0), room.OfferArm(9, 0, 0, 0, 0)), "at_least",
         "control.visitors"),
        (lambda: room.judge_offer(room.OfferArm(4, 4, 8, 8, 10), room.OfferArm(9, 0, 0, 0, 0)), "at_least",
         "control.margin_squared"),
        (lambda: room.order_value_bridge([0, 0], [1, 2], [1, 1], [1, 2]), "above", "orders_before"),
        (lambda: room.order_value_bridge([1, 1], [1, 2], [1], [1, 2]), "shape", "orders_after"),
        (lambda: room.dilution_elasticity(1.0, 0.8), "no_change", "users_ratio"),
        (lambda: room.dilution_elasticity(2.0, 0.0), "above", "value_ratio"),
        (lambda: room.diluted_order_value(100, 2, base_users=1, elasticity=0.2), "at_most", "elasticity"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
