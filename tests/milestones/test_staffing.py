"""Staffing: heads for a load, the list, hiring plans against exhaustive search, chances, cost band."""

import signal
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.errors import InputError
from planlib.milestones import staffing as room
from planlib.plan import load_plan

calm = settings(deadline=None, derandomize=True, max_examples=30)
W = Path(__file__).parents[2] / "params" / "wechat_platform.yaml"


def test_listed_minimum_11_and_maximum_18():
    """systems.yaml staffing-capacity: the list of W 6.1 adds up to 11 and 18."""
    team = load_plan(W).team.roles
    assert room.listed_team({name: role.people for name, role in team.items()}) == (11, 18)


def test_a_million_users_need_100_operators_200_at_5000_and_50_on_actives():
    """systems.yaml staffing-capacity: 100 operators (200 at 5,000); counting monthly actives at 50 % the need is 50."""
    assert room.heads_required(1_000_000, 10_000) == 100
    assert room.heads_required(1_000_000, 5_000) == 200
    assert room.heads_required(1_000_000 * 0.50, 10_000) == 50
    assert room.heads_required(1_000_001, 10_000) == 101
    assert_array_equal(room.heads_required([0.1 + 0.2, 0.0], 0.1), [3, 0])


def test_learning_curve():
    curve = room.learning_curve(12, start=5_000, end=10_000, months_to_end=7)
    assert_allclose(curve[[0, 3, 6, 11]], [5_000, 5_000 * 2**0.5, 10_000, 10_000])
    assert_allclose(curve[1:7] / curve[:6], 2 ** (1 / 6))
    assert room.learning_curve(3, start=5_000, end=10_000, months_to_end=1).tolist() == [10_000] * 3


def test_functions_by_hand():
    per_head = room.learning_curve(3, start=5_000, end=10_000, months_to_end=3)
    users = np.array([[30_000.0, 60_000.0, 95_000.0], [10_000.0, 20_000.0, 30_000.0]])
    found = room.staffing(users, [room.Function("operations", 5, 8, per_head), room.Function("content", 3, 5)])
    assert found.required[..., 0].tolist() == [[6, 9, 10], [5, 5, 5]]
    assert found.over[..., 0].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert found.total.tolist() == [[9, 12, 13], [8, 8, 8]]
    assert (found.listed_low, found.listed_high) == (8, 13)


# ---- hiring


def _cost(need, starts, leaves, *, now, pay, hire, release, ramp, most, lag):
    """(undone, cost) of a plan, or None where it is not allowed."""
    heads, began, undone, total = now, [], 0.0, 0.0
    for month, (start, leave) in enumerate(zip(starts, leaves, strict=True)):
        if start and month < lag:
            return None
        heads += start - leave
        began.append(start)
        learning = [(began[month - age], share) for age, share in enumerate(ramp) if month - age >= 0]
        if heads - sum(n for n, _ in learning) < 0 or (most is not None and heads > most):
            return None
        undone += max(need[month] - heads + sum(n * (1 - share) for n, share in learning), 0.0)
        total += pay * heads + hire * start + release * leave
    return undone, total


@calm
@given(
    st.lists(st.floats(0, 4).map(lambda x: round(x, 1)), min_size=1, max_size=3),
    st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 3.0, 25.0]), st.sampled_from([None, 0.0, 8.0, 40.0]),
    st.sampled_from([(), (0.5,), (0.25, 0.75)]), st.sampled_from([None, 3, 4]),
)  # fmt: skip
def test_no_plan_is_cheaper_or_leaves_less_undone(need, now, lag, hire, release, ramp, most):
    plan = room.plan_hiring(need, heads_now=now, lag_months=lag, pay_month_cny=10.0, hire_cost_cny=hire,
                            release_cost_cny=release, ramp=ramp, most_heads=most)
    rules = dict(now=now, pay=10.0, hire=hire, release=release or 0.0, ramp=ramp, most=most, lag=lag)
    mine = _cost(need, plan.starts, plan.leaves, **rules)
    assert mine is not None
    assert mine[0] == pytest.approx(plan.short_heads.sum(), abs=1e-6)
    assert mine[1] == pytest.approx(plan.total_cny)
    assert plan.bound_cny == pytest.approx(plan.total_cny, abs=1e-4)
    moves = list(product(range(7 if release is None else 5), range(1 if release is None else 4)))
    best = (np.inf, np.inf)
    for path in product(moves, repeat=len(need)):
        found = _cost(need, *zip(*path, strict=True), **rules)
        if found and (found[0] < best[0] - 1e-6 or (found[0] < best[0] + 1e-6 and found[1] < best[1])):
            best = found
    assert mine[0] <= best[0] + 1e-6
    assert mine[1] <= best[1] + 1e-6 or mine[0] < best[0] - 1e-6


def test_hiring_by_hand():
    """Lag of two months: the third operator that month 2 needs is short; in month 4 five are there."""
    plan = room.plan_hiring([2, 3, 3, 5], heads_now=2, lag_months=2, pay_month_cny=10.0, hire_cost_cny=5.0)
    assert plan.starts.tolist() == [0, 0, 1, 2] and plan.heads.tolist() == [2, 2, 3, 5]
    assert plan.short_heads.tolist() == [0, 1, 0, 0]
    assert plan.total_cny == 10 * (2 + 2 + 3 + 5) + 3 * 5
    assert plan.cost_cny.tolist() == [20, 20, 35, 60]


def test_newcomers_who_carry_half_begin_earlier_or_are_more():
    """Ten needed in month 3, half productive in the first month: ten begin in month 2, or more in month 3."""
    early = room.plan_hiring([0, 0, 10], heads_now=0, pay_month_cny=10.0, ramp=(0.5,))
    assert early.capacity_heads[2] == 10 and early.total_cny == 200
    dear = room.plan_hiring([0, 0, 10], heads_now=0, pay_month_cny=10.0, ramp=(0.5,), hire_cost_cny=1.0)
    assert dear.starts.tolist() == [0, 10, 0] and dear.total_cny == 210


def test_people_are_kept_through_a_dip_when_releasing_costs_more():
    need = [5, 3, 5]
    kept = room.plan_hiring(need, heads_now=5, pay_month_cny=10.0, hire_cost_cny=8.0, release_cost_cny=3.0)
    assert kept.heads.tolist() == [5, 5, 5]
    gone = room.plan_hiring(need, heads_now=5, pay_month_cny=10.0, hire_cost_cny=4.0, release_cost_cny=3.0)
    assert gone.heads.tolist() == [5, 3, 5] and gone.total_cny == 130 + 2 * 7


def test_two_years_of_growth_with_the_limit_of_the_team():
    load = 50_000 * np.arange(1, 25)
    need = load / room.learning_curve(24, start=5_000, end=10_000, months_to_end=12)
    free = room.plan_hiring(need, heads_now=10, lag_months=2, pay_month_cny=15_000.0, hire_cost_cny=8_000.0,
                            ramp=(0.5, 0.75))
    assert (free.short_heads[2:] == 0).all() and free.bound_cny == pytest.approx(free.total_cny)
    capped = room.plan_hiring(need, heads_now=10, lag_months=2, pay_month_cny=15_000.0, hire_cost_cny=8_000.0,
                              ramp=(0.5, 0.75), most_heads=50)
    assert capped.heads.max() == 50
    assert capped.short_heads[-1] == pytest.approx(need[-1] - 50)


# ---- chances and cost


def test_heads_for_a_chance_are_the_fewest():
    rng = np.random.default_rng(20270112)
    load = rng.lognormal(np.log(300_000), 0.3, (4_001, 6))
    per_head = room.learning_curve(6, start=5_000, end=10_000, months_to_end=6)
    heads = room.heads_for_chance(load, per_head, probability=0.8)
    share, band = room.chance_enough(heads, load, per_head)
    fewer, _ = room.chance_enough(heads - 1, load, per_head)
    assert (share >= 0.8).all() and (fewer < 0.8).all()
    assert (band.low < share).all() and (share < band.high).all()
    exact = np.exp(np.log(300_000) + 0.3 * 0.8416212335729143) / per_head
    assert (np.abs(heads - exact) < 1 + 0.03 * exact).all()


def test_heads_for_a_chance_round_up_to_a_whole_draw():
    """Seven of ten draws are not 3 of 5: the fourth decides."""
    load = [[10.0], [20.0], [30.0], [40.0], [50.0]]
    assert [int(room.heads_for_chance(load, 10.0, probability=p)[0]) for p in (0.2, 0.6, 0.7, 1.0)] == [1, 3, 4, 5]


def test_cost_against_the_band():
    assert room.cost_against_band(450, 1000, low=0.4, high=0.5) == room.CostBand(0.45, True, 0.0)
    assert room.cost_against_band(500, 1000, low=0.4, high=0.5).inside
    assert room.cost_against_band(600, 1000, low=0.4, high=0.5).move_cny == pytest.approx(-100)
    assert room.cost_against_band(300, 1000, low=0.4, high=0.5).move_cny == pytest.approx(100)


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.heads_required(-1, 10), "at_least", "load"),
        (lambda: room.heads_required(1, 0), "above", "per_head"),
        (lambda: room.heads_required(np.ones(3), np.ones(2)), "shape", "per_head"),
        (lambda: room.listed_team({}), "empty", "functions"),
        (lambda: room.listed_team({"content": (5, 3)}), "low_above_high", "functions.content"),
        (lambda: room.listed_team({"content": (1.5, 3)}), "not_whole", "functions.content.low"),
        (lambda: room.staffing([1.0, 2.0], [room.Function("x", 1, 2, np.ones(3))]), "shape", "functions[0].per_head"),
        (lambda: room.staffing([1.0], []), "empty", "functions"),
        (lambda: room.learning_curve(3, start=0, end=1, months_to_end=2), "above", "start"),
        (lambda: room.heads_for_chance([[1.0]], 1.0, probability=0.0), "above", "probability"),
        (lambda: room.chance_enough([1.0, 2.0], [[1.0]], 1.0), "shape", "heads"),
        (lambda: room.plan_hiring([], heads_now=0, pay_month_cny=1), "empty", "need_heads"),
        (lambda: room.plan_hiring([1], heads_now=5, pay_month_cny=1, most_heads=3), "at_most", "heads_now"),
        (lambda: room.plan_hiring([1], heads_now=0, pay_month_cny=0), "above", "pay_month_cny"),
        (lambda: room.plan_hiring([1], heads_now=0, pay_month_cny=1, ramp=(1.5,)), "out_of_range", "ramp[0]"),
        (lambda: room.plan_hiring([1], heads_now=0, pay_month_cny=1, lag_months=0.5), "not_whole", "lag_months"),
        (lambda: room.cost_against_band(1, 0, low=0.4, high=0.5), "above", "budget_cny"),
        (lambda: room.cost_against_band(1, 10, low=0.5, high=0.4), "low_above_high", "low"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)


def test_the_solver_leaves_ctrl_c_alone():
    """A solver that takes the interrupt for itself puts the system's own end in its place, not Python's."""
    room.plan_hiring([2, 3], heads_now=2, pay_month_cny=10.0)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
