"""Assignment: balance in every block, the same again, independent between experiments, stable, fair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from planlib.core.errors import InputError
from planlib.experiments.assignment import LEFT_OUT, REASONS, assign, draw

IDS = [f"wm{i:06d}" for i in range(6_000)]
STAFF = [f"staff{(i * i) % 37}" for i in range(6_000)]


def table(arm, blocks, arms):
    return {
        block: np.bincount(arm[(np.array(blocks) == block) & (arm != LEFT_OUT)], minlength=arms)
        for block in set(blocks)
    }


splits = st.sampled_from([(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.7, 0.1, 0.1, 0.1)])


@settings(max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), splits, st.text(max_size=5))
def test_balance_inside_every_block(staff, shares, salt):
    blocks = [f"s{k}" for k in staff]
    found = assign([f"c{i}" for i in range(len(staff))], shares, salt=salt, blocks=blocks)
    for counts in table(found.arm, blocks, len(shares)).values():
        assert (np.abs(counts - np.array(shares) * counts.sum()) < 1 + 1e-9).all()
    assert found.sendable.all() and not found.reason.any()


def test_the_same_again_in_any_order():
    first = assign(IDS, (0.5, 0.5), salt="welcome", blocks=STAFF)
    order = np.random.default_rng(2).permutation(len(IDS))
    again = assign([IDS[i] for i in order], (0.5, 0.5), salt="welcome", blocks=[STAFF[i] for i in order])
    assert (again.arm == first.arm[order]).all()
    # these arms stand in files of tests that run; a change of the hash would move people to the other arm
    assert assign(IDS[:12], (0.5, 0.5), salt="welcome").arm.tolist() == PINNED


PINNED = [1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1]


def test_experiments_are_independent():
    """Chi-square of the arms of two experiments, over many pairs: p-values are spread evenly."""
    salts = [f"test-{k}" for k in range(120)]
    arms = np.array([assign(IDS[:2_000], (0.5, 0.5), salt=salt, blocks=STAFF[:2_000]).arm for salt in salts])
    p = [
        stats.chi2_contingency(np.histogram2d(one, other, bins=2)[0], correction=False).pvalue
        for one, other in zip(arms[::2], arms[1::2], strict=True)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert np.min(p) > 1e-4


def test_every_customer_has_the_same_chance():
    """Also those of employees whose customers do not divide by the shares."""
    ids, blocks = IDS[:60], [f"s{i % 23}" for i in range(60)]
    arms = np.array([assign(ids, (0.7, 0.3), salt=f"s{k}", blocks=blocks).arm for k in range(1_500)])
    second = (arms == 1).sum(axis=0)
    z = (second - 450) / (1_500 * 0.3 * 0.7) ** 0.5
    assert np.abs(z).max() < 4.5 and abs(z.mean()) < 0.5


def test_balance_of_what_is_not_blocked():
    """A covariate that the hash does not know differs by chance alone."""
    age, z = np.random.default_rng(6).standard_normal(1_000), []
    for k in range(300):
        arm = assign(IDS[:1_000], (0.5, 0.5), salt=f"x{k}").arm
        z.append((age[arm == 1].mean() - age[arm == 0].mean()) / (age.std() * (4 / 1_000) ** 0.5))
    assert stats.kstest(z, "norm").pvalue > 0.001


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=50), st.integers(1, 49), splits)
def test_who_is_assigned_stays_when_customers_are_added(staff, first, shares):
    blocks, ids = [f"s{k}" for k in staff], [f"c{i}" for i in range(len(staff))]
    first = min(first, len(ids))
    early = assign(ids[:first], shares, salt="a", blocks=blocks[:first]).arm
    previous = np.append(early, np.full(len(ids) - first, LEFT_OUT))
    late = assign(ids, shares, salt="a", blocks=blocks, previous=previous)
    assert (late.arm[:first] == early).all() and (late.arm != LEFT_OUT).all()
    for counts in table(late.arm, blocks, len(shares)).values():
        far = np.abs(counts - np.array(shares) * counts.sum()).max()
        assert far < (1 if len(shares) == 2 else 2) + 1e-9
    again = assign(ids, shares, salt="a", blocks=blocks, previous=late.arm)
    assert (again.arm == late.arm).all()


def test_an_arm_that_is_too_full_gets_nobody():
    ids = [f"c{i}" for i in range(10)]
    found = assign(ids, (0.4, 0.3, 0.3), salt="a", previous=[0] * 6 + [LEFT_OUT] * 4)
    assert np.bincount(found.arm).tolist() == [6, 2, 2]


def test_who_is_left_out():
    ids = [f"c{i}" for i in range(8)]
    refused = np.array([True, True] + [False] * 6)
    busy = np.array([True, False, True, False, False, False, False, True])
    previous = np.array([-1, 1, -1, -1, -1, -1, -1, 0])
    found = assign(ids, (0.5, 0.5), salt="a", do_not_contact=refused, in_other_test=busy, previous=previous)
    assert found.arm[0] == LEFT_OUT and REASONS[found.reason[0]] == "do_not_contact"
    assert found.arm[2] == LEFT_OUT and REASONS[found.reason[2]] == "in_other_test"
    # assigned before: keeps the arm; not sent to after a refusal, and goes on beside a later test
    assert found.arm[1] == 1 and not found.sendable[1] and REASONS[found.reason[1]] == "do_not_contact"
    assert found.arm[7] == 0 and found.sendable[7] and found.reason[7] == 0
    assert np.bincount(found.arm[found.arm != LEFT_OUT]).tolist() == [3, 3]
    assert not found.sendable[[0, 2]].any() and found.sendable[3:7].all()


def test_nobody():
    assert assign([], (0.5, 0.5), salt="a").arm.size == 0


@pytest.mark.parametrize(("change", "field", "code"), [
    ({"ids": ["a", "a", "b"]}, "ids", "double_rows"),
    ({"ids": ["a", " ", "b"]}, "ids[1]", "missing"),
    ({"shares": (0.5, 0.6)}, "shares", "shares_sum"),
    ({"shares": (1.0, 0.0)}, "shares[1]", "above"),
    ({"blocks": ["x"]}, "blocks", "shape"),
    ({"blocks": ["x", "", "y"]}, "blocks[1]", "missing"),
    ({"do_not_contact": [True]}, "do_not_contact", "shape"),
    ({"in_other_test": [0, 1, 0]}, "in_other_test", "not_bool"),
    ({"previous": [0, 2, 0]}, "previous[1]", "out_of_range"),
    ({"previous": [0.5, 0, 0]}, "previous", "not_whole"),
    ({"previous": [0]}, "previous", "shape"),
])
def test_bad_input_names_the_field(change, field, code):
    arguments = {"ids": ["a", "b", "c"], "shares": (0.5, 0.5), "salt": "s"} | change
    with pytest.raises(InputError) as caught:
        assign(arguments.pop("ids"), arguments.pop("shares"), **arguments)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


def test_draw_takes_the_asked_number_the_same_ones_in_any_order():
    ids = [f"c{i}" for i in range(200)]
    taken = draw(ids, 50, salt="a")
    assert taken.sum() == 50 and draw(ids, 500, salt="a").all() and not draw(ids, 0, salt="a").any()
    again = draw(ids[::-1], 50, salt="a")[::-1]
    assert (taken == again).all() and (taken != draw(ids, 50, salt="b")).any()
    fewer = draw(ids, 20, salt="a")
    assert taken[fewer].all()  # a larger draw keeps the smaller one


def test_draw_has_nothing_to_do_with_the_arms():
    ids = [f"c{i}" for i in range(4000)]
    taken, arm = draw(ids, 2000, salt="a"), assign(ids, [0.5, 0.5], salt="a").arm
    share = arm[taken].mean()
    assert abs(share - 0.5) < 4 * (0.25 / 4000) ** 0.5
