"""Budgets under named rules: every rule is kept as separate code measures it, prices and conflicts are real."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.budget import rules as r
from planlib.budget.allocation import Goal, allocate, explain, nearest, next_money, prices
from planlib.budget.curves import Curves
from planlib.budget.optimum import FEASIBILITY, Line, Problem
from planlib.budget.verify import CLOSED, NEVER, misses
from planlib.core.errors import InputError

CHANNELS, CATEGORIES = ("ads", "partners", "referral"), ("labour", "technology", "marketing", "operating")
BANDS = {"labour": (0.4, 0.5), "technology": (0.25, 0.3), "marketing": (0.15, 0.2), "operating": (0.1, 0.15)}
TOTAL = 30e6


def frame(months: int = 12, *, shapes=(1.0, 1.0, 1.0), **fields) -> r.Frame:
    curves = Curves.of([("hill", 45_000.0, 810_000.0, shapes[0]), ("hill", 15_000.0, 180_000.0, shapes[1]),
                        ("hill", 15_000.0, 72_000.0, shapes[2])])  # fmt: skip
    is_open = np.ones((months, 3), dtype=bool)
    is_open[:4] = False
    base = {"most_cny": np.array([1.5e6, 4e5, 2e5]), "free_outcomes": np.full(months, 20_000.0)}
    return r.Frame(CHANNELS, CATEGORIES, curves, is_open, **(base | fields))


def bands(total: float | None = TOTAL) -> list[r.Rule]:
    return [r.CategoryBand(name, name, low, high, of_cny=total) for name, (low, high) in BANDS.items()]


def rules_of_the_plan() -> list[r.Rule]:
    return [
        r.TotalBudget("total", TOTAL, spent_in_full=True),
        *bands(),
        r.CostCap("blended_cac", 20.0),
        r.FreeShare("organic_floor", 0.4),
        *(r.ChangeLimit(f"change_{name}", name, 0.5, 0.5) for name in CHANNELS),
    ]


COUNT = Goal(np.ones(3))


def test_the_plan_has_a_proven_best():
    found = allocate(frame(), rules_of_the_plan(), COUNT)
    assert found.status == "optimal" and found.gap_rel <= 1e-6 and found.worst_miss <= FEASIBILITY
    assert_allclose(found.category_cny.sum(), TOTAL)
    assert (found.channel_cny[:4] == 0).all()
    assert "marketing_max" in found.binding  # every yuan of the band is used


def test_open_channels_have_equal_marginal_returns():
    """Eight months alike, interior channels: one more yuan brings the same in each."""
    found = allocate(frame(), rules_of_the_plan(), COUNT)
    slopes = frame().curves.slope(found.channel_cny[4:])
    assert_allclose(slopes, slopes.mean(), rtol=1e-3)  # flat optimum: the value is exact to 1e-6


@pytest.mark.parametrize(
    "rule",
    [
        r.CostCap("cap", 9.0),
        r.CostCap("cap_of_one", 30.0, channel="ads"),
        r.FreeShare("organic", 0.6, organic=("referral",)),
        r.ReturnFloor("roi", 6.0, np.array([60.0, 70.0, 50.0])),
        r.ReturnFloor("roi_of_all", 1.2, np.array([60.0, 70.0, 50.0]), free_worth_cny=90.0, of_all=True),
        r.CategoryOfWorth("labour_of_gmv", "labour", 0.42, np.array([60.0, 70.0, 50.0]), free_worth_cny=60.0),
        r.ChannelLimit("some_ads", "ads", low=2e6, high=3e6),
        r.ChannelLimit("summer", "partners", high=1e5, span=r.Span(6, 8)),
        r.FixedSpend("november", "referral", 11, 150_000.0),
        r.FixedSpend("team", "labour", 3, 1.1e6),
        r.CategoryBand("quarter", "marketing", 0.1, 0.22, span=r.Span(7, 9)),
        r.OutcomeGoal("goal", 480_000.0),
        r.ChangeLimit("slow", "ads", 0.05, 0.05),
    ],
)
def test_each_rule_is_kept_and_missed_without_it(rule):
    everything = [*rules_of_the_plan(), rule]
    found = allocate(frame(), everything, COUNT)
    assert found.status == "optimal"
    assert misses(frame(), [rule], found.channel_cny, found.other_cny).get(rule.name, 0.0) <= FEASIBILITY
    # the measure can say no: an allocation that ignores everything misses it, or spends nothing
    off = np.where(frame().open_months, frame().most_cny, 0.0)
    off[6:9] *= 0.3
    broken = misses(frame(), [rule], off, np.full((12, 4), 2e6))
    idle = misses(frame(), [rule], off * 0.0, np.full((12, 4), 1e5))
    assert max(broken.get(rule.name, 0.0), idle.get(rule.name, 0.0)) > 1e-3


def test_verification_measures_by_hand():
    """Two months, one channel, spends 30 and 60, 10 besides: the total misses 90 by 10, the cap 2 by 100 - 2 x 40."""
    one = r.Frame(("ads",), ("marketing",), Curves.of([("michaelis_menten", 50.0, 30.0)]),
                  np.array([[True], [True]]), np.array([100.0]))  # fmt: skip
    channel, other = np.array([[30.0], [60.0]]), np.array([[5.0], [5.0]])
    got = misses(one, [r.TotalBudget("total", 90.0), r.CostCap("cap", 1.0)], channel, other)
    brought = 50 * (30 / 60 + 60 / 90)
    assert_allclose([got["total"], got["cap"]], [10 / 90, (90 - brought) / 90])
    closed = replace(one, open_months=np.array([[False], [True]]))
    assert misses(closed, [], channel, other) == {CLOSED: pytest.approx(30 / 90)}
    assert misses(one, [], channel * 2, other) == {NEVER: pytest.approx(0.2)}


def test_off_or_at_least():
    found = allocate(frame(least_if_on_cny=np.array([6e5, 2e5, 1e5])), rules_of_the_plan(), COUNT)
    spent = found.channel_cny
    assert ((spent <= 1e-6) | (spent >= np.array([6e5, 2e5, 1e5]) - 1)).all()
    assert found.value < allocate(frame(), rules_of_the_plan(), COUNT).value


def test_least_spend_and_best_outcome_are_two_sides_of_one_answer():
    money = [r.TotalBudget("total", TOTAL), *bands(None)]
    most = allocate(frame(), money, COUNT)
    goal = r.OutcomeGoal("goal", most.value + 12 * 20_000.0)
    least = allocate(frame(), [*bands(None), goal], Goal(np.ones(3), least_spend=True))
    assert_allclose(-least.value, TOTAL, rtol=1e-5)


def test_profit_stops_at_a_return_of_one():
    found = allocate(frame(), [], Goal(np.array([60.0, 70.0, 50.0]), price=1.0))
    slopes = frame().curves.slope(found.channel_cny[4:]) * [60, 70, 50]
    inside = found.channel_cny[4:] < frame().most_cny * (1 - 1e-6)
    assert_allclose(slopes[inside], 1.0, rtol=1e-3)
    assert (slopes[~inside] >= 1).all()


def test_composition_reaches_the_bands():
    """A third of every channel yuan is labour: the labour band limits channels too."""
    shares = np.tile([1 / 3, 0.0, 2 / 3, 0.0], (3, 1))
    found = allocate(frame(cost_shares=shares), [r.TotalBudget("total", TOTAL, True), *bands()], COUNT)
    assert_allclose(found.channel_cny.sum(), 0.2 * TOTAL * 3 / 2, rtol=1e-5)  # two thirds of it fill the marketing band


def test_prices_are_differences_of_two_optima():
    rules = rules_of_the_plan()
    best = allocate(frame(), rules, COUNT)
    (dearest, *others) = prices(frame(), rules, COUNT, best)
    assert (dearest.rule, dearest.field, dearest.step) == ("marketing", "high", 0.01)
    wider = [replace(rule, high=0.21) if rule.name == "marketing" else rule for rule in rules]
    assert_allclose(dearest.step_gain, allocate(frame(), wider, COUNT).value - best.value, rtol=1e-3)
    assert all(price.step_gain == 0 for price in others)  # money without effect has no price


def test_next_money_goes_where_it_brings_most():
    rules = rules_of_the_plan()
    best = allocate(frame(), rules, COUNT)
    gain, by_channel, by_category = next_money(frame(), rules, COUNT, best)
    assert_allclose([by_channel.sum(), by_category.sum()], [2_000.0, 10_000.0], rtol=1e-3)
    slope = frame().curves.slope(best.channel_cny[-1]).mean()
    assert_allclose(gain, 2_000 * slope, rtol=0.02)


def test_conflict_is_minimal_and_the_repair_repairs():
    crowded = [*rules_of_the_plan(), r.CategoryBand("more_labour", "labour", 0.55, 0.6, of_cny=TOTAL)]
    found = explain(frame(), crowded)
    others = {"total", "technology", "marketing", "operating", "more_labour"}
    assert set(found.rules) in ({"labour", "more_labour"}, others)
    chosen = [rule for rule in crowded if rule.name in found.rules]
    for left in found.rules:
        assert allocate(frame(), [rule for rule in chosen if rule.name != left], COUNT).status == "optimal"
    assert set(found.repairs) <= {"labour_max", "more_labour_min"}
    assert_allclose(sum(found.repairs.values()), 0.05 * TOTAL, rtol=1e-5)


def test_minima_above_the_budget_by_hand():
    """0.45 + 0.30 + 0.20 + 0.15 = 1.10 of a million: 100,000 too much."""
    lines = tuple(
        Line(name, sense, limit, np.array(weights))
        for name, sense, limit, weights in [
            ("total", "==", 1e6, [1.0, 1, 1, 1]), ("a", ">=", 4.5e5, [1.0, 0, 0, 0]), ("b", ">=", 3e5, [0.0, 1, 0, 0]),
            ("c", ">=", 2e5, [0.0, 0, 1, 0]), ("d", ">=", 1.5e5, [0.0, 0, 0, 1]),
        ]
    )  # fmt: skip
    problem = Problem(Curves.of([("michaelis_menten", 1.0, 1.0)] * 4), 0, 1e7, lines, worth=0.0)
    assert_allclose(sum(nearest(problem, dict.fromkeys(["total", "a", "b", "c", "d"], 1.0)).values()), 1e5)


def test_goal_out_of_reach_is_explained():
    found = explain(frame(), [*rules_of_the_plan(), r.OutcomeGoal("million", 1e6)])
    assert "million" in found.rules
    assert explain(frame(), rules_of_the_plan()) is None


def test_all_problems_of_a_frame_at_once():
    with pytest.raises(InputError) as error:
        r.Frame(("a", "a"), (), Curves.of([("hill", 1.0, 1.0)]), np.ones((2, 2)), np.array([-1.0]))
    fields = {problem.field for problem in error.value.problems}
    assert {"channels[1]", "categories", "open_months", "curves", "most_cny"} <= fields


def test_unknown_names_are_told():
    with pytest.raises(InputError) as error:
        allocate(frame(), [r.ChannelLimit("x", "tv", low=1.0)], COUNT)
    assert error.value.problems[0].given == "tv"
