"""A plan's budget: closed forms of two channels, the middle split, prices by hand, and the questions asked of it."""

from dataclasses import replace

import numpy as np
import pytest

from planlib.budget import case as cs
from planlib.budget import frontier as fr
from planlib.budget.verify import misses
from planlib.core.errors import InputError

BANDS = {"labour": (0.4, 0.5), "technology": (0.25, 0.3), "marketing": (0.15, 0.2), "operating": (0.1, 0.15)}


def small(**changes) -> cs.Case:
    """Two equal channels but for their size, three months, budget 3,000: 600 at most for channels."""
    given = {
        "channels": ("a", "b"),
        "responses": (("michaelis_menten", 400.0, 100.0, 1.0), ("michaelis_menten", 100.0, 100.0, 1.0)),
        "open_months": np.ones((3, 2), dtype=bool),
        "season": np.ones(3),
        "free_outcomes": np.full(3, 50.0),
        "most_cny": np.full(2, 1_000.0),
        "floor_cny": np.zeros(2),
        "least_if_on_cny": np.zeros(2),
        "bands": BANDS,
        "home": "marketing",
        "years": ((1, 3, 3_000.0),),
        "weights": np.ones(3),
        "margin_cny": 2.0,
        "gmv_cny": 5.0,
        "stated_users": np.array([200.0, 50.0]),
        "labour": "labour",
    }
    return cs.Case(**(given | changes))


def test_channel_allocation_equalises_marginal_returns_and_names_what_binds():
    """systems.yaml channel-allocation: interior marginal returns agree within 1e-4; the binding limit is named."""
    best = cs.solve(small())
    # 200 a month: sqrt(400 x 100) / (100 + x) equal on both sides -> (100 + x) = 2 (100 + y), x + y = 200
    assert best.by_channel == pytest.approx([500 / 3, 100 / 3], rel=1e-3)
    slopes = small().curves.slope(best.by_channel)
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-3)
    assert best.users == pytest.approx(3 * (400 * (500 / 3) / (800 / 3) + 100 * (100 / 3) / (400 / 3)), rel=1e-6)
    assert best.best.binding == ("band_marketing_1_max",)
    assert best.best.bound >= best.best.value * (1 - 1e-9)


def test_blended_cost_and_organic_share_hold():
    limits = (("cac", "cost_cap", 1.2), ("organic", "free_share", 0.3))
    best = cs.solve(small(limits=limits))
    spend, users, free = best.best.channel_cny.sum(), best.users, 150.0
    assert spend <= 1.2 * (users + free) * (1 + 1e-6)
    assert free >= 0.3 * (users + free) * (1 - 1e-6)
    assert {"cac", "organic"} & set(best.best.binding)


def test_budget_bands_other_categories_stand_nearest_to_the_middle():
    """systems.yaml budget-bands: marketing at 20 % leaves 80 % to the others, moved alike from 45, 27.5 and 12.5."""
    best = cs.solve(small())
    shares = best.best.category_cny.sum(axis=0) / 3_000
    assert shares == pytest.approx([0.45 - 0.05 / 3, 0.275 - 0.05 / 3, 0.2, 0.125 - 0.05 / 3], abs=1e-6)
    assert best.middle


def test_bands_without_room_are_explained():
    wide = BANDS | {"labour": (0.5, 0.5), "technology": (0.3, 0.3)}
    found = cs.solve(small(bands=wide))
    assert not found.feasible
    # 50 + 30 % leave 20 %, the other two need 25 %
    assert set(found.conflict.rules) == {"total_1", *(f"band_{name}_1" for name in BANDS)}
    assert found.conflict.repairs


def test_a_floor_above_the_band_conflicts_with_it_alone():
    found = cs.solve(small(floor_cny=np.array([300.0, 0.0])))
    assert set(found.conflict.rules) == {"band_marketing_1", "floor_a"}
    # 300 above the band, and with 75 % for the others 150 above the total
    assert sum(found.conflict.repairs.values()) == pytest.approx(450.0, rel=1e-3)


def test_team_cost_above_its_band_is_named():
    found = cs.solve(small(team_cny_year=3_000.0 * 4 * 0.6))
    assert set(found.conflict.rules) == {"band_labour_1", "team_1"}


def test_team_cost_inside_its_band_is_kept():
    best = cs.solve(small(team_cny_year=3_000.0 * 4 * 0.47))
    assert best.best.category_cny[:, 0].sum() >= 0.47 * 3_000 - 1e-6


def test_fixed_lines_are_kept_to_the_fen_and_priced():
    lines = (("a", 2, 0.0), ("technology", 1, 400.0))
    case = small(fixed=lines)
    best = cs.solve(case)
    assert best.best.channel_cny[1, 0] == pytest.approx(0.0, abs=1e-6)
    assert best.best.category_cny[0, 1] == pytest.approx(400.0, abs=1e-6)
    costs = {(line.of, line.month): users for line, users, _ in cs.cost_of_fixed(case, best)}
    assert costs["a", 2] == pytest.approx(cs.solve(small()).users - best.users, rel=1e-4)
    assert costs["technology", 1] == 0.0


def test_price_of_the_band_is_the_difference_of_two_optima():
    best = cs.solve(small())
    (price,) = cs.price_of_rules(best)
    wider = small(bands=BANDS | {"marketing": (0.15, 0.21)})
    assert price.rule == "band_marketing_1"
    assert price.step_gain == pytest.approx(cs.solve(wider).users - best.users, rel=1e-4)


def test_next_money_goes_where_the_slope_is():
    gain, channels, _ = cs.next_10k(cs.solve(small()), step_cny=30.0)
    slope = small().curves.slope(np.array([500 / 3, 100 / 3]))[0]
    assert gain == pytest.approx(30.0 * 0.2 * slope, rel=0.02)
    assert channels.sum() == pytest.approx(6.0, rel=1e-3)
    assert channels[0] == pytest.approx(4.0, abs=0.5)


def test_moves_say_why():
    found = {move.channel: move for move in cs.moves(cs.solve(small()))}
    assert found["a"].before_cny == pytest.approx(100.0)
    assert found["a"].reason == "raised"
    assert found["b"].reason == "cut"
    assert found["b"].marginal_before == pytest.approx((200.0**2) / 1e4)
    off = {m.channel: m.reason for m in cs.moves(cs.solve(small(most_cny=np.array([150.0, 0.5]))))}
    assert off == {"a": "at_most", "b": "off"}


def test_stated_plan_is_held_against_the_band():
    assert cs.stated_misses(small()) == {}
    over = cs.stated_misses(small(stated_users=np.array([300.0, 50.0])))
    assert over == {"band_marketing_1": pytest.approx((900 + 300) / 3_000 - 0.2)}


def test_spend_for_never_reached_is_nan():
    assert np.isnan(small(stated_users=np.array([400.0, 50.0])).stated_cny[0])


def test_least_spend_is_the_inverse_of_the_optimum():
    best = cs.solve(small())
    goal = cs.intake_goal(best.users / 3 + 50.0, small())
    found = cs.least_spend(small(), goal)
    assert found.best.channel_cny.sum() == pytest.approx(600.0, rel=1e-3)


def test_least_spend_beyond_the_ceilings_does_not_exist():
    assert not cs.least_spend(small(), cs.intake_goal(600.0, small())).feasible


def test_most_profit_stops_where_the_last_cny_comes_back():
    found = cs.most_profit(small())
    # 2 x 400 x 100 / (100 + x)^2 = 1 -> x = sqrt(80,000) - 100; b: sqrt(20,000) - 100
    assert found.by_channel == pytest.approx([np.sqrt(80_000) - 100, np.sqrt(20_000) - 100], rel=5e-3)


def test_return_floor_is_met_exactly_where_it_binds():
    found = cs.for_return(small(), 3.0)
    assert 2.0 * found.users / found.best.channel_cny.sum() == pytest.approx(3.0, rel=1e-3)


def test_users_goal_counts_those_who_stay():
    goal = cs.users_goal(1_000.0, 3, months=4, churn=0.1, opening=100.0, applied="before_adds")
    assert goal.kept == pytest.approx((0.81, 0.9, 1.0, 0.0))
    assert goal.at_least == pytest.approx(1_000 - 72.9)
    later = cs.users_goal(1_000.0, 3, months=4, churn=0.1, opening=0.0, applied="after_adds")
    assert later.kept == pytest.approx((0.729, 0.81, 0.9, 0.0))
    case = small()
    found = cs.least_spend(case, replace(goal, kept=goal.kept[:3], at_least=800.0))
    won = found.best.outcomes.sum(axis=1) + 50.0
    assert won @ np.array(goal.kept[:3]) == pytest.approx(800.0, rel=1e-4)


def test_without_a_channel_its_money_goes_elsewhere():
    best = cs.solve(small())
    alone = 3 * 400 * 200 / 300
    assert cs.without_channel(best, "b") == pytest.approx(best.users - alone, rel=1e-4)


def test_every_returned_budget_keeps_every_rule():
    limits = (("cac", "cost_cap", 1.0), ("change", "change", 0.5), ("roi", "return_floor", 1.2))
    season = np.array([0.5, 1.0, 1.5])
    case = small(limits=limits, season=season, floor_cny=np.array([10.0, 5.0]))
    best = cs.solve(case)
    rules = [item.rule for item in case.rules]
    found = misses(case.frame, rules, best.best.channel_cny, best.best.other_cny)
    assert max(found.values(), default=0.0) <= 1e-6


def test_two_years_keep_two_budgets():
    case = small(
        open_months=np.ones((24, 2), dtype=bool), season=np.ones(24), free_outcomes=np.zeros(24), weights=np.ones(24),
        years=((1, 12, 12_000.0), (13, 24, 6_000.0)),
    )  # fmt: skip
    by_year = cs.solve(case).best.channel_cny.reshape(2, 12, 2).sum(axis=(1, 2))
    assert by_year == pytest.approx([2_400.0, 1_200.0], rel=1e-6)


def test_money_is_whole_fen_and_adds_up():
    best = cs.solve(small(years=((1, 3, 1_000.01),)))
    assert cs.money(best).fen.sum() == round(best.best.category_cny.sum() * 100)


@pytest.mark.parametrize("bad", [{"home": "sales"}, {"limits": (("x", "unknown", 1.0),)}])
def test_wrong_input_is_told(bad):
    with pytest.raises(InputError):
        small(**bad)


def test_s_shaped_curve_and_off_or_minimum_are_searched():
    case = small(responses=(("hill", 400.0, 100.0, 2.0), ("michaelis_menten", 100.0, 100.0, 1.0)))
    assert cs.solve(case).best.gap_rel <= 1e-3
    gap = small(least_if_on_cny=np.array([0.0, 150.0]))
    found = cs.solve(gap)
    assert all(x == 0 or x >= 150 * (1 - 1e-6) for x in found.best.channel_cny[:, 1])


def test_curves_without_a_ceiling_pass_through_half_of_it():
    rows = (("logarithmic", 400.0, 100.0, 1.0), ("power", 100.0, 100.0, 0.5))
    assert small(responses=rows).curves.value(np.array([100.0, 100.0])) == pytest.approx([200.0, 50.0])


# frontier and swings


def test_frontier_without_uncertainty_is_the_curve():
    ones = np.ones((50, 2))
    low, high = fr.frontier(small(), ones, ones, [100.0, 200.0], goal=250.0)
    assert low.mean == pytest.approx(low.cvar)
    assert high.mean == pytest.approx(cs.solve(small()).users / 3, rel=1e-5)
    assert (low.chance, high.chance) == (0.0, 1.0)
    assert high.careful_cvar == pytest.approx(high.cvar, rel=1e-5)


def test_chance_of_a_plan_counts_the_draws_that_reach_the_goal_in_a_month():
    """Ceilings scaled by 0.5, 1, 1.5 and 2 in a season of 1, 1, 2 scale the users of the optimum alike."""
    best = cs.solve(small(season=np.array([1.0, 1.0, 2.0])))
    factor = np.tile([[0.5], [1.0], [1.5], [2.0]], (1, 2))
    ones = np.ones((4, 2))
    month = best.users / 3
    for goal, share in ((0.4, 1.0), (0.6, 0.75), (1.4, 0.5), (1.9, 0.25), (2.1, 0.0)):
        assert fr.chance_of_plan(best, factor, ones, goal=goal * month).probability == share


def test_paid_goal_leaves_out_who_comes_by_themselves():
    assert cs.paid_goal(small(), 250.0) == 200.0
    assert cs.paid_goal(small(), 20.0) == 0.0
    assert cs.paid_goal(small(), None) == 250.0


def test_frontier_rises_and_the_careful_split_is_no_worse_in_bad_draws():
    rng = np.random.default_rng(5)
    top, half = rng.uniform(0.6, 1.4, (2, 500, 2))
    points = fr.frontier(small(), top, half, [50.0, 150.0, 300.0], goal=200.0)
    assert np.all(np.diff([p.mean for p in points]) > 0)
    assert np.all(np.diff([p.chance for p in points]) >= 0)
    assert all(p.careful_cvar >= p.cvar * (1 - 1e-6) for p in points)


def test_swings_solve_again_for_each_assumption():
    found = {(s.kind, s.of): s for s in fr.swings(small(), {"a": (0.5, 2.0)}, {})}
    cheap = small(responses=(("michaelis_menten", 400.0, 50.0, 1.0), ("michaelis_menten", 100.0, 100.0, 1.0)))
    assert found["cost", "a"].at_low == pytest.approx(cs.solve(cheap).users, rel=1e-3)
    assert found["cost", "a"].from_range
    assert not found["reach", "a"].from_range
    assert found["budget", ""].at_low < found["budget", ""].at_high

