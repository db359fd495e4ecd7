"""What binds a target: by hand, summing to what is gained, on common paths, and honest when nothing is gained."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planlib.core.decompose import shapley
from planlib.funnel.binding import Driver, bindings

N = 4_000
RNG = np.random.default_rng(20261125)
PATHS = {"a": RNG.uniform(0, 2, N), "b": RNG.uniform(0, 2, N), "idle": RNG.uniform(0, 2, N)}
CENTRE = dict.fromkeys(PATHS, 1.0) | {"fixed": 1.0}
LIMITS = dict.fromkeys(CENTRE, (0.0, np.inf))


def driver(name, **more):
    ends = {"low": {name: 0.0}, "high": {name: 2.0}} if name in PATHS else {"low": {}, "high": {}}
    return Driver(**{"inputs": (name,), "wanted": {}} | ends | more)


DRIVERS = {name: driver(name) for name in CENTRE}


def product(x):
    value = np.atleast_1d(np.asarray(x["a"] * x["b"] * x["fixed"], dtype=float))[:, None]
    return {"p": value, "q": -value}


def goal(level, op="at_least", metric="p", high=None):
    return {"metric": metric, "op": op, "goal": level, "goal_high": high, "judged_month": 1}


def solve(goals, drivers=DRIVERS, forecast=product):
    return bindings(
        forecast, goals, inputs=PATHS | {"fixed": 1.0}, centre=CENTRE, drivers=drivers, limits=LIMITS,
        rng=np.random.default_rng(1),
    )  # fmt: skip


def test_two_equal_drivers_share_the_gain_and_an_idle_one_gets_nothing():
    found = solve({"t": goal(1.0)})["t"]
    assert found.basis == "probability"
    assert found.gained == pytest.approx(1 - (PATHS["a"] * PATHS["b"] >= 1).mean())
    assert sum(found.parts.values()) == pytest.approx(found.gained, abs=1e-12)
    assert found.parts["a"] == pytest.approx(found.parts["b"], abs=0.03)
    assert set(found.parts) == {"a", "b"}
    assert found.alone["a"] == pytest.approx((2 * PATHS["b"] >= 1).mean() - (PATHS["a"] * PATHS["b"] >= 1).mean())


def test_less_is_better_when_the_goal_is_a_ceiling():
    up, down = solve({"t": goal(1.0), "u": goal(-1.0, "at_most", "q")}).values()
    assert up.parts == pytest.approx(down.parts)
    low = solve({"t": goal(0.5, "at_most")})["t"]
    assert low.gained == pytest.approx(1 - (PATHS["a"] * PATHS["b"] <= 0.5).mean())


def test_at_plan_is_the_level_that_the_plan_wants():
    """With a at 1.2 or better: P(max(a, 1.2) b >= 1)."""
    wants = DRIVERS | {"a": driver("a", wanted={"a": 1.2})}
    found = solve({"t": goal(1.0)}, wants)["t"]
    assert found.at_plan == {"a": "wanted", "b": "end"}
    expected = (np.maximum(PATHS["a"], 1.2) * PATHS["b"] >= 1).mean() - (PATHS["a"] * PATHS["b"] >= 1).mean()
    assert found.alone["a"] == pytest.approx(expected)


@pytest.mark.parametrize("changed", [{"wanted": {"a": 0.8}}, {"wanted": {"a": 1.2}, "wanted_up": False}])
def test_a_wish_below_the_centre_or_on_the_wrong_side_is_no_plan(changed):
    found = solve({"t": goal(1.0)}, DRIVERS | {"a": driver("a", **changed)})["t"]
    assert found.at_plan["a"] == "end"


def test_a_certain_driver_typed_short_of_its_own_goal_can_bind():
    wants = {"fixed": driver("fixed", wanted={"fixed": 3.0}), "a": driver("a")}
    found = solve({"t": goal(4.5)}, wants)["t"]
    assert (found.driver, found.basis) == ("fixed", "probability")


def test_where_no_chance_can_be_gained_the_median_decides():
    found = solve({"t": goal(9.0)}, DRIVERS, lambda x: {"p": product(x)["p"] * np.asarray(x["a"]).reshape(-1, 1)})["t"]
    assert (found.basis, found.gained, found.parts) == ("median", 0.0, {})
    assert found.driver == "a"
    assert found.closes["a"] == pytest.approx((1.1**2 - 1) / 8)
    assert "idle" not in found.closes


def test_nothing_moves_it():
    still = solve({"t": goal(9.0)}, DRIVERS, lambda x: {"p": np.ones((1, 1))})["t"]
    assert (still.driver, still.basis) == (None, "none")


def test_a_certain_hit_binds_nothing():
    found = solve({"t": goal(0.0)})["t"]
    assert (found.driver, found.basis) == (None, "met")


def test_a_range_is_approached_from_its_side():
    found = solve({"t": goal(2.0, "between", high=9.0)})["t"]
    assert found.driver in ("a", "b")
    assert found.gained > 0


@settings(deadline=None)
@given(arrays(float, 2**5, elements=st.floats(-5, 5)))
def test_shapley_parts_sum_to_the_total(worths):
    names = ["a", "b", "c", "d", "e"]

    def value(who):
        return worths[sum(2**i for i, name in enumerate(names) if name in who)]

    assert shapley(value, names).sum() == pytest.approx(worths[-1] - worths[0], abs=1e-9)


def test_shapley_by_orders_sums_exactly_and_comes_near():
    names = [f"p{i}" for i in range(9)]
    worth = np.arange(1.0, 10.0)

    def value(who):
        total = sum(worth[int(name[1:])] for name in who)
        return np.array([total**2, float(len(who) == 9)])

    exact = shapley(value, names, exact_up_to=9)
    orders = shapley(value, names, rng=np.random.default_rng(3), permutations=60)
    assert orders.sum(axis=0) == pytest.approx([45.0**2, 1.0])
    assert exact[:, 0] == pytest.approx(45 * worth)  # a square of a sum is split in proportion
    assert exact[:, 1] == pytest.approx(np.full(9, 1 / 9))
    assert orders[:, 0] == pytest.approx(exact[:, 0], rel=0.1)


def test_glove_market():
    """One left glove, two right ones: 2/3 to the left, 1/6 to each right (Shapley 1953's textbook case)."""
    parts = shapley(lambda who: float("l" in who and ("r1" in who or "r2" in who)), ["l", "r1", "r2"])
    assert parts == pytest.approx([2 / 3, 1 / 6, 1 / 6])
