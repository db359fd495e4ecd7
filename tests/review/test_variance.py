"""The split of GMV: sums to the fen, hand cases, zeros, groups with their mix apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.decompose import lmdi_by_name
from planlib.core.errors import InputError
from planlib.review.variance import FACTORS, GROUP_FACTORS, Counts, split, split_by

NOBODY = Counts(0, 0, 0, 0, 0)


@st.composite
def counts(draw):
    steps = []
    for high in (10**7, 10**7, 10**6, 10**6):
        steps.append(draw(st.integers(0, high)) if not steps or steps[-1] else 0)
    return Counts(*steps, draw(st.integers(0, 10**13)) if steps[-1] else 0)


@given(counts(), counts())
def test_parts_sum_to_the_fen(before, after):
    found = split(before, after)
    assert tuple(found.parts) == FACTORS
    assert sum(found.parts.values()) == after.fen - before.fen
    assert all(isinstance(part, int) for part in found.parts.values())


@settings(max_examples=50)
@given(st.lists(st.tuples(counts(), counts()), min_size=1, max_size=6))
def test_groups_sum_both_ways_to_the_fen(pairs):
    before = {f"g{k}": b for k, (b, _) in enumerate(pairs)}
    after = {f"g{k}": a for k, (_, a) in enumerate(pairs)}
    found = split_by(before, after)
    for name, row in found.groups.items():
        assert sum(row.values()) == after[name].fen - before[name].fen
    assert sum(found.parts.values()) == found.after - found.before
    for factor in GROUP_FACTORS:
        assert found.parts[factor] == sum(row[factor] for row in found.groups.values())


def test_the_reference_case_by_hand():
    """Users 1,000,000 -> 800,000, conversion 6 % -> 5 %, order value 180 -> 200: LMDI by Ang 2005."""
    before = Counts(1_000_000, 1_000_000, 60_000, 60_000, 60_000 * 180_00)
    after = Counts(800_000, 800_000, 40_000, 40_000, 40_000 * 200_00)
    parts = split(before, after).parts
    assert_allclose(
        [parts["users"], parts["conversion"], parts["order_value"]],
        [-208194729.24, -170107479.81, 98302209.05],
        atol=1.0,
    )
    assert parts["activity"] == parts["frequency"] == 0
    by_name = lmdi_by_name(
        {"users": 1e6, "conversion": 0.06, "order_value": 18000.0},
        {"users": 8e5, "conversion": 0.05, "order_value": 20000.0},
    )
    assert_allclose([parts[name] for name in by_name.parts], list(by_name.parts.values()), atol=1.0)


def test_one_factor_alone_explains_all():
    before = Counts(1000, 500, 50, 60, 600_000)
    assert split(before, Counts(1000, 500, 50, 60, 660_000)).parts["order_value"] == 60_000
    assert split(before, Counts(1000, 500, 50, 120, 1_200_000)).parts["frequency"] == 600_000
    assert split(before, Counts(1000, 500, 100, 120, 1_200_000)).parts["conversion"] == 600_000
    assert split(before, Counts(1000, 1000, 100, 120, 1_200_000)).parts["activity"] == 600_000


def test_zeros_are_explained_by_what_is_zero():
    before = Counts(1000, 500, 50, 60, 600_001)
    assert split(before, Counts(1000, 500, 0, 0, 0)).parts["conversion"] == -600_001
    assert split(before, NOBODY).parts["users"] == -600_001
    assert split(NOBODY, before).parts["users"] == 600_001
    assert set(split(NOBODY, NOBODY).parts.values()) == {0}
    free = split(Counts(10, 10, 10, 10, 0), Counts(10, 10, 10, 10, 500))  # orders that cost nothing
    assert free.parts["order_value"] == 500


def test_a_new_group_is_mix():
    """The whole stays as many users; what a group without a past brings is mix."""
    old = {"a": Counts(100, 100, 100, 100, 10_000)}
    new = {"a": Counts(50, 50, 50, 50, 5_000), "b": Counts(50, 50, 50, 50, 10_000)}
    found = split_by(old, new)
    assert found.parts["users"] == 0
    assert found.parts["mix"] == 5_000
    assert found.groups["b"]["mix"] == 10_000


def test_only_size_is_only_users():
    old = {"a": Counts(100, 50, 10, 12, 12_000), "b": Counts(300, 30, 10, 10, 40_000)}
    new = {"a": Counts(200, 100, 20, 24, 24_000), "b": Counts(600, 60, 20, 20, 80_000)}
    found = split_by(old, new)
    assert found.parts == {"users": 52_000, **dict.fromkeys(GROUP_FACTORS[1:], 0)}


def test_one_group_is_the_split_without_groups():
    before, after = Counts(1000, 400, 60, 80, 912_345), Counts(900, 450, 70, 75, 1_000_001)
    grouped, plain = split_by({"all": before}, {"all": after}), split(before, after)
    assert grouped.parts["mix"] == 0
    assert_allclose([grouped.parts[f] for f in FACTORS], list(plain.parts.values()), atol=1)


@pytest.mark.parametrize(
    "wrong, field",
    [
        (Counts(-1, 0, 0, 0, 0), "after.users"),
        (Counts(10, 10, 0, 5, 100), "after.buyers"),
        (Counts(10, 10, 5, 0, 100), "after.orders"),
        (Counts(10, float("nan"), 5, 5, 100), "after.active"),
        (Counts(10, 10, 5, 5, 1.5), "after.fen"),
    ],
)
def test_what_cannot_be_is_refused(wrong, field):
    with pytest.raises(InputError) as error:
        split(NOBODY, wrong)
    assert field in [problem.field for problem in error.value.problems]


def test_no_group_is_refused():
    with pytest.raises(InputError):
        split_by({}, {})


def test_rounding_never_moves_a_part_by_more_than_one_fen():
    rng = np.random.default_rng(20270401)
    for _ in range(200):
        users, active, buyers = rng.integers(1, 10**6, 3)
        sides = [Counts(int(users * f), int(active * f), int(buyers), int(buyers * 2), int(buyers * 31_415 * f))
                 for f in rng.uniform(1, 2, 2)]  # fmt: skip
        found = split(*sides)
        exact = lmdi_by_name(*(dict(zip(FACTORS, side.ratios(), strict=True)) for side in sides))
        assert_allclose(list(found.parts.values()), list(exact.parts.values()), atol=1.0 + 1e-3)
