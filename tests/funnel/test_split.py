"""A target split down an organisation: exact sums, hand-set shares, limits named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel.ladder import ladder
from planlib.funnel.split import split

# two regions (60 : 40), three stores in the first and two in the second, two operators in the first store
PARENTS = [-1, -1, 0, 0, 0, 1, 1, 2, 2]
WEIGHTS = [60.0, 40.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0]


def _sums(amounts, target, parents):
    for parent in (-1, *range(len(parents))):
        below = [u for u, above in enumerate(parents) if above == parent]
        if below:
            yield amounts[:, below].sum(axis=1) == (target if parent == -1 else amounts[:, parent])


def test_every_level_sums_exactly():
    target = ladder({12: 1_000_000.0, 24: 2_000_000.0}, 24, direction="up", whole=True)
    found = split(target, parents=PARENTS, weights=WEIGHTS)
    assert all(held.all() for held in _sums(found.amounts, target, PARENTS))
    assert (found.amounts[11] / 100_000).tolist() == [6, 4, 2, 2, 2, 3, 1, 1, 1]
    assert (np.diff(found.amounts, axis=0) >= 0).all()
    assert found.over == () and found.ceiling is None and found.short == 0


def test_hand_set_shares_are_kept():
    shares = [0.5, None, None, 0.25, None, None, None, None, None]
    found = split(1_000.0, parents=PARENTS, weights=WEIGHTS, shares=shares)
    assert found.amounts[0].tolist() == [500, 500, 188, 125, 187, 375, 125, 94, 94]
    assert_allclose(found.shares[:5], [0.5, 0.5, 0.375, 0.25, 0.375])


def test_what_exceeds_a_capacity_is_named_and_not_bent():
    found = split([50.0, 80.0, 100.0], parents=[-1, -1], weights=[1, 1], capacities=[30.0, None])
    assert found.amounts[2].tolist() == [50, 50]
    (over,) = found.over
    assert (over.unit, over.first_month, over.month, over.amount, over.capacity, over.excess) == (0, 2, 3, 50, 30, 20)


def test_the_excess_moves_to_brothers_when_asked():
    limits = {"capacities": [30.0, None, 60.0], "move": True}
    found = split([60.0, 150.0], parents=[-1, -1, -1], weights=[1, 1, 1], **limits)
    assert found.amounts.tolist() == [[20, 20, 20], [30, 60, 60]]
    assert found.over == () and found.moved.tolist() == [0, 20]
    # a hand-set share stays, and is named
    fixed = split(150.0, parents=[-1, -1, -1], weights=[1, 1, 1], shares=[0.4, None, None], **limits)
    assert fixed.amounts[0, 0] == 60 and [over.unit for over in fixed.over] == [0]


def test_a_unit_carries_no_more_than_the_units_below_it():
    found = split(100.0, parents=[-1, -1, 0, 0], weights=[1, 1, 1, 1], capacities=[None, None, 10.0, 20.0], move=True)
    assert found.amounts[0].tolist() == [30, 70, 10, 20] and found.over == ()


def test_the_ceiling_is_told():
    found = split([40.0, 100.0], parents=[-1, -1], weights=[1, 3], capacities=[30.0, 40.0], move=True)
    assert (found.ceiling, found.short, found.ceiling_month) == (70.0, 30.0, 2)
    assert found.amounts[1].tolist() == [25, 75]  # nothing moves where it cannot fit
    assert [over.unit for over in found.over] == [1]


def test_operators_of_the_seed_plan():
    # 50 people of 10,000 users each carry 500,000 of a million
    found = split(1_000_000.0, parents=[-1] * 50, weights=[10_000.0] * 50, capacities=[10_000.0] * 50)
    assert found.ceiling == 500_000 and found.short == 500_000 and len(found.over) == 50


@given(
    weights=st.lists(st.floats(0.01, 100.0), min_size=2, max_size=12),
    steps=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_no_unit_falls_while_the_target_rises(weights, steps):
    target = np.cumsum(steps).astype(float)
    found = split(target, parents=[-1] * len(weights), weights=weights)
    assert (found.amounts.sum(axis=1) == target).all()
    assert (np.diff(found.amounts, axis=0) >= 0).all()
    assert np.abs(found.amounts - target[:, None] * found.shares).max() <= 2


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.integers(0, 120))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_moving_never_exceeds_what_fits(capacities, target):
    found = split(float(target), parents=[-1] * 4, weights=[1, 2, 3, 4], capacities=capacities, move=True)
    assert found.amounts.sum() == target
    assert (found.over == ()) is (target <= sum(capacities)) or target == 0
    assert (found.short > 0) is (target > sum(capacities))


def test_parts_that_are_not_whole():
    found = split(10.5, parents=[-1, -1, 0], weights=[1, 2, 1])
    assert_allclose(found.amounts, [[3.5, 7.0, 3.5]])


@pytest.mark.parametrize(
    "change, code, field",
    [
        ({"parents": [-1, 5]}, "out_of_range", "parents[1]"),
        ({"parents": [1, 0]}, "cycle", "parents[0]"),
        ({"parents": []}, "empty", "parents"),
        ({"weights": [1.0]}, "shape", "weights"),
        ({"weights": [0.0, 0.0]}, "above", "weights[0]"),
        ({"weights": [1.0, -1.0]}, "at_least", "weights[1]"),
        ({"shares": [0.6, 0.6]}, "sums_to_one", "shares[0]"),
        ({"shares": [0.3, 0.3]}, "sums_to_one", "shares[0]"),
        ({"shares": [1.5, None]}, "out_of_range", "shares[0]"),
        ({"capacities": [np.nan, None]}, "not_finite", "capacities[0]"),
        ({"target": -1.0}, "at_least", "target"),
    ],
)
def test_bad_splits(change, code, field):
    arguments = {"target": 10.0, "parents": [-1, -1], "weights": [1.0, 1.0]} | change
    with pytest.raises(InputError) as caught:
        split(**arguments)
    assert (code, field) in [(p.code, p.field) for p in caught.value.problems]
