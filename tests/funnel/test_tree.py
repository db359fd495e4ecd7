"""Goals taken apart: least relative change, ceilings, and nodes that turn red."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from planlib.core.errors import InputError
from planlib.core.metrics import catalogue
from planlib.funnel.sales import funnel_chain
from planlib.funnel.tree import Driver, required_levels, target_tree

THREE = [Driver("private_domain_users", 1e6), Driver("repurchase_rate", 0.2), Driver("aov", 200.0)]
CHAIN = [
    Driver("private_domain_users", 800_000.0),
    Driver("mau_rate", 0.4, ceiling=0.9),
    Driver("active_conversion_rate", 0.05, ceiling=1.0),
    Driver("orders_per_buyer", 1.2),
    Driver("aov", 200.0),
]


def test_acceptance_a_third_more_gmv_over_three_free_drivers():
    found = required_levels(THREE, 1.32)
    assert_allclose(found.change_rel, 1.32 ** (1 / 3) - 1)
    assert found.change_rel.round(3).tolist() == [0.097] * 3
    assert found.levels.prod() == pytest.approx(1.32 * 1e6 * 0.2 * 200)
    assert_allclose(found.effort, 1 / 3)
    assert_allclose(found.alone, [1.32e6, 0.264, 264.0])
    assert found.reachable and found.best_factor is None and found.at_ceiling == ()


def test_effort_weighs_and_fixed_drivers_stay():
    heavy = [Driver("a", 1.0, weight=2.0), Driver("b", 1.0), Driver("c", 1.0, free=False)]
    found = required_levels(heavy, np.e**3)
    assert_allclose(np.log(found.levels), [1, 2, 0])
    assert found.alone_reachable.tolist() == [True, True, False]


def test_a_ceiling_leaves_the_rest_to_the_others():
    found = required_levels([Driver("a", 1.0, ceiling=1.1), Driver("b", 1.0), Driver("c", 1.0)], 1.5)
    assert found.at_ceiling == ("a",)
    assert_allclose(found.levels, [1.1, (1.5 / 1.1) ** 0.5, (1.5 / 1.1) ** 0.5])


def test_out_of_reach_says_the_ceiling():
    found = required_levels([Driver("a", 0.5, ceiling=0.6), Driver("b", 1.0, ceiling=1.5)], 2.0)
    assert not found.reachable and found.best_factor == pytest.approx(1.8)
    assert_allclose(found.levels, [0.6, 1.5])
    assert found.alone_reachable.tolist() == [False, False]


def test_a_goal_that_is_met_asks_nothing():
    found = required_levels(THREE, 0.9)
    assert_allclose(found.change_rel, 0) and found.reachable
    assert_allclose(found.effort, 0)


drivers = st.lists(st.tuples(st.floats(0.1, 10), st.none() | st.floats(1.0, 3.0)), min_size=1, max_size=5)


@given(drivers, st.floats(1.0, 8.0))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_against_an_independent_solver(rows, factor):
    given_ = [Driver(f"d{i}", 1.0, weight=w, ceiling=c) for i, (w, c) in enumerate(rows)]
    found = required_levels(given_, factor)
    room = np.array([np.inf if c is None else np.log(c) for _, c in rows])
    assert found.reachable is bool(np.log(factor) <= room.sum() + 1e-12)
    if not found.reachable:
        assert_allclose(np.log(found.levels), room)
        return
    weights = np.array([w for w, _ in rows])
    best = minimize(
        lambda x: (weights * x**2).sum(),
        np.minimum(room, np.log(factor) / len(rows)),
        jac=lambda x: 2 * weights * x,
        bounds=[(0, None if np.isinf(r) else r) for r in room],
        constraints={"type": "eq", "fun": lambda x: x.sum() - np.log(factor), "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    moves = np.log(found.levels)
    assert moves.sum() == pytest.approx(np.log(factor), abs=1e-9)
    assert (moves <= room + 1e-12).all()
    assert (weights * moves**2).sum() <= best.fun + 1e-6


def test_the_tree_multiplies_out_and_links_to_the_catalogue():
    tree = target_tree(0.25, CHAIN, scale=12 / 200e6)
    by = {node.metric: node for node in tree.nodes}
    assert [(n.metric, n.parent) for n in tree.nodes] == [
        ("gmv_share", ""),
        ("gmv", "gmv_share"),
        ("aov", "gmv"),
        ("orders", "gmv"),
        ("orders_per_buyer", "orders"),
        ("buyers", "orders"),
        ("active_conversion_rate", "buyers"),
        ("active_users", "buyers"),
        ("mau_rate", "active_users"),
        ("private_domain_users", "active_users"),
    ]
    assert set(by) <= set(catalogue())
    chain = funnel_chain(users=8e5, active=0.4, conversion=0.05, orders=1.2, aov_cny=200)
    assert (by["buyers"].now, by["orders"].now, by["gmv"].now) == pytest.approx(
        (chain.buyers, chain.orders, chain.gmv_cny)
    )
    assert by["gmv_share"].now == pytest.approx(chain.gmv_cny * 12 / 200e6)
    assert by["gmv"].needed == pytest.approx(0.25 * 200e6 / 12)
    needed = [by[d.metric].needed for d in CHAIN]
    assert np.prod(needed) == pytest.approx(by["gmv"].needed)
    assert_allclose([by[d.metric].change_rel for d in CHAIN], (0.25 / by["gmv_share"].now) ** 0.2 - 1)
    assert by["mau_rate"].depth == by["active_users"].depth + 1


def test_acceptance_a_new_customer_share_below_its_floor_turns_red():
    own = {"new_customer_share": [("at_least", 0.4, None)], "orders": [("at_least", 1.0, 2.0)]}
    own |= {"aov": [("at_least", 150.0, None), ("at_least", 250.0, None)]}
    for level, red in ((0.39, ("aov", "new_customer_share")), (0.41, ("aov",))):
        tree = target_tree(0.25, CHAIN, scale=12 / 200e6, own=own, watched={"new_customer_share": ("gmv", level)})
        assert tuple(sorted(tree.red)) == red
        by = {node.metric: node for node in tree.nodes}
        assert by["aov"].goal == 250.0 and by["orders"].status == "on_track"
        assert by["buyers"].status == "none"
        assert by["new_customer_share"].parent == "gmv" and by["new_customer_share"].needed is None


def test_a_branch_out_of_reach_is_named_with_its_ceiling():
    capped = [Driver("private_domain_users", 1e6, ceiling=1.2e6), Driver("mau_rate", 0.5, ceiling=0.6)]
    tree = target_tree(0.9, capped, scale=1e-6, results=["active_users"])
    top = tree.nodes[0]
    assert not top.reachable and top.needed == 0.9 and top.ceiling == pytest.approx(0.72)
    assert not tree.need.reachable and tree.need.best_factor == pytest.approx(1.44)


@pytest.mark.parametrize(
    "call, field",
    [
        (lambda: required_levels([], 1.1), "drivers"),
        (lambda: required_levels(THREE, 0.0), "factor"),
        (lambda: required_levels([Driver("aov", 0.0)], 1.1), "aov.level"),
        (lambda: required_levels([Driver("aov", 1.0, weight=0.0)], 1.1), "aov.weight"),
        (lambda: required_levels([Driver("aov", 1.0, ceiling=np.nan)], 1.1), "aov.ceiling"),
        (lambda: target_tree(0.25, CHAIN, scale=0.0), "scale"),
        (lambda: target_tree(0.25, CHAIN, scale=1.0, results=["gmv"]), "results"),
        (lambda: target_tree(0.25, CHAIN, scale=1.0, watched={"x": ("nobody", 1.0)}), "watched.x"),
    ],
)
def test_bad_trees(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert field in [p.field for p in caught.value.problems]
