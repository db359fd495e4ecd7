"""LMDI splits exactly, also at zeros; whole parts sum to the whole."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.core.decompose import apportion, lmdi, lmdi_by_name
from planlib.core.errors import InputError

calm = settings(deadline=None, derandomize=True)
factors = arrays(float, (3, 4), elements=st.floats(0.0, 1e3, allow_subnormal=False))


def test_hand_case():
    # L = (2.8e6) / ln(10.8 / 8); parts L ln(0.8), L ln(5/6), L ln(10/9)
    plan = {"users": 1_000_000.0, "conversion": 0.06, "aov": 180.0}
    real = {"users": 800_000.0, "conversion": 0.05, "aov": 200.0}
    split = lmdi_by_name(plan, real)
    mean = -2.8e6 / np.log(8.0 / 10.8)
    assert_allclose(list(split.parts.values()), mean * np.log([0.8, 5 / 6, 10 / 9]), rtol=1e-12)
    assert abs(sum(split.parts.values()) - split.delta) <= 1e-9


@calm
@given(factors, factors)
def test_parts_sum_to_the_difference(before, after):
    parts = lmdi(before, after)
    scale = np.maximum(before.prod(axis=-1), after.prod(axis=-1))
    assert np.isfinite(parts).all()
    assert (np.abs(parts.sum(axis=-1) - (after.prod(axis=-1) - before.prod(axis=-1))) <= 1e-12 * scale + 1e-300).all()


@calm
@given(arrays(float, 4, elements=st.floats(0.1, 1e3)), arrays(float, 4, elements=st.floats(0.1, 1e3)))
def test_going_back_is_the_negative(before, after):
    scale = max(before.prod(), after.prod())
    assert_allclose(lmdi(before, after), -lmdi(after, before), atol=1e-9 * scale)


@calm
@given(arrays(float, 3, elements=st.floats(0.1, 1e3)), arrays(float, 3, elements=st.floats(0.1, 1e3)))
def test_the_order_of_factors_does_not_matter(before, after):
    scale = max(before.prod(), after.prod())
    for order in map(list, permutations(range(3))):
        assert_allclose(lmdi(before[order], after[order]), lmdi(before, after)[order], atol=1e-9 * scale)


@pytest.mark.parametrize("before, after", [([3.0, 0.0, 2.0], [3.5, 4.0, 1.0]), ([3.0, 5.0, 2.0], [0.0, 0.0, 1.0])])
def test_zeros_are_the_limit_of_small_values(before, after):
    """Ang & Liu 2007: replace 0 by a tiny value; the limit is what we return at once."""
    tiny = 1e-150
    small = lmdi(np.maximum(before, tiny), np.maximum(after, tiny))
    scale = max(np.prod(before), np.prod(after))
    assert_allclose(lmdi(before, after), small, atol=scale * 10 / -np.log(tiny))


def test_a_part_is_zero_where_nothing_changed():
    assert_allclose(lmdi([2.0, 0.0, 1.0], [2.0, 3.0, 1.0]), [0.0, 6.0, 0.0])
    assert_allclose(lmdi([2.0, 0.0], [0.0, 2.0]), [0.0, 0.0])


def test_equal_products_with_opposite_changes():
    parts = lmdi([2.0, 3.0], [3.0, 2.0])
    assert_allclose(parts, [6 * np.log(1.5), -6 * np.log(1.5)])
    # rounding in the product must not blow up the logarithmic mean
    assert_allclose(lmdi([0.1, 0.2, 0.3], [0.3, 0.1, 0.2]), 0.006 * np.log([3.0, 0.5, 2 / 3]), rtol=1e-9)


@pytest.mark.parametrize("before, after", [([1.0], [1.0, 2.0]), ([-1.0], [1.0]), ([np.nan], [1.0]), ([], [])])
def test_bad_factors(before, after):
    with pytest.raises(InputError):
        lmdi(before, after)


def test_names_must_agree():
    with pytest.raises(InputError) as caught:
        lmdi_by_name({"a": 1.0}, {"b": 1.0})
    assert [p.field for p in caught.value.problems] == ["after.a", "before.b"]


@pytest.mark.parametrize(
    "total, weights, parts",
    [
        (1_000_000, [1, 1, 1], [333_334, 333_333, 333_333]),
        (10, [0.1, 0.2, 0.7], [1, 2, 7]),  # 0.1 + 0.2 is not 0.3 in binary
        (2, [0.3, 0.1 + 0.2, 0.3], [1, 1, 0]),  # equal but for the last bit: the earlier wins
        (5, [0, 1, 0], [0, 5, 0]),
        (0, [1, 2], [0, 0]),
    ],
)
def test_largest_remainder(total, weights, parts):
    assert apportion(total, weights).tolist() == parts


@calm
@given(
    st.integers(0, 10**12),
    st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-3),
)
def test_whole_parts_sum_exactly_and_stay_within_one(total, weights):
    parts = apportion(total, weights)
    exact = total * np.array(weights) / sum(weights)
    assert parts.sum() == total
    assert (np.abs(parts - exact) < 1 + 1e-9 * total).all()


@pytest.mark.parametrize("total, weights", [(-1, [1]), (1.5, [1]), (1, [0, 0]), (1, []), (1, 3.0), (1, [-1, 2])])
def test_bad_totals_and_weights(total, weights):
    with pytest.raises(InputError):
        apportion(total, weights)
