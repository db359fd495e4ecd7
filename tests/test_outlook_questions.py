"""Questions to the paths of the shipped plans: parts that add up, repairs that repair, forecasts that learn."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib import outlook_questions as q
from planlib import outlooking
from planlib.core.errors import InputError
from planlib.outlook.forecast import quantiles
from planlib.plan import load_plan

W, P = "params/wechat_platform.yaml", "params/private_domain_2026.yaml"
GMV = "own_gmv"


@pytest.fixture(scope="module")
def asked():
    return q.Asked.of(outlooking.world(load_plan(W), paths=600))


@pytest.fixture(scope="module")
def other():
    return q.Asked.of(outlooking.world(load_plan(P), paths=600))


def goal(asked, name):
    return next(row for row in asked.goals if row["id"] == name)


def test_own_goals_are_what_the_plan_forecasts(asked):
    users, gmv = (goal(asked, name) for name in outlooking.OWN)
    assert users["goal"] == pytest.approx(540_513, rel=1e-4) and gmv["goal"] == pytest.approx(43.5e6)
    rows, found = asked.chances
    assert {row["id"] for row in rows} == set(found)
    assert found[GMV].probability == pytest.approx(float((asked.metrics[outlooking.TO_DATE][:, -1] >= 43.5e6).mean()))


def test_on_plan_dates_the_chance_is_that_of_notebook_20(asked):
    from planlib.funnel.model import Drivers, run
    from planlib.plan import uncertain

    drawn = run(Drivers(**uncertain.arguments(asked.world.plan, asked.world.sample))).metrics
    row = goal(asked, "w-gmv-share-two-years")
    for level in (row["goal"], float(np.median(drawn["gmv_share"][:, 23]))):
        at = {**row, "goal": level}
        exact = float((drawn["gmv_share"][:, 23] >= level).mean())
        held = ("dates", "budget", "risks", "experiments")
        found = asked.world.metrics(asked.world.run(at_plan=held))
        assert q.hit_share(at, q.at_due(found, at)) == exact
    assert asked.on_time[row["id"]] == float((drawn["gmv_share"][:, 23] >= row["goal"]).mean())


def test_causes_explain_the_whole_gap(asked):
    found = asked.causes([goal(asked, GMV)])[GMV]
    assert found.at_plan == 1.0  # with every cause at plan it is the plan
    assert sum(part.mean for part in found.chance.values()) == pytest.approx(1.0 - found.probability)
    assert sum(part.mean for part in found.levels.values()) == pytest.approx(43.5e6 - found.level, rel=1e-9)
    assert set(found.levels) == set(asked.acting())
    assert found.levels["experiments"].mean < 0  # tests only add


def test_a_cause_made_worse_takes_more(asked):
    world = asked.world
    dear = replace(world, costs={name: np.multiply(cost, 2.0) for name, cost in world.costs.items()})
    before, after = (x.causes([goal(asked, GMV)])[GMV].levels["budget"].mean for x in (asked, q.Asked.of(dear)))
    assert after > before > 0


def test_slips_cost_users_and_gmv_only_where_something_waits(asked, other):
    assert set(asked.slips) >= {"g1", "g2", "g3"}
    assert all(slip.gmv.mean < 0 and slip.joined.mean <= 1e-9 for slip in asked.slips.values())
    assert asked.slips["g3"].joined.mean == pytest.approx(0.0, abs=1e-6)  # conversion waits for it, nobody joins less
    assert other.slips == {} or all(slip.gmv.mean <= 0 for slip in other.slips.values())


def test_options_count_money(asked):
    options = asked.options()
    assert options["money_0"].mean() != options["as_planned"].mean()
    kept = asked.world.plan.baseline.gross_margin.central
    worth = kept * asked.joint.metrics["gmv"].sum(axis=1) - asked.joint.spend_cny.sum(axis=1)
    assert_allclose(options["as_planned"], worth)
    found = asked.information(options)
    assert all(value >= 0 for value in found.values())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert max(found.values()) <= q.information.choice(options).evpi + 1e-6


def test_more_money_never_lowers_the_chance(asked):
    chances = [told[GMV][0] for _, _, told in asked.frontier([goal(asked, GMV)], (0.5, 1.0, 1.5, 2.0, 3.0))]
    assert chances == sorted(chances) and chances[-1] > chances[0]


def test_the_repair_restores_the_chance_on_the_same_paths(asked):
    found = asked.recovery(goal(asked, GMV))
    assert found.inside.feasible and found.inside.chance >= 0.8
    assert float((found.outcome >= 43.5e6).mean()) == pytest.approx(found.inside.chance)
    assert found.inside.cost_cny > 0 and found.people > 0
    assert found.new_conflicts == ()


def test_out_of_range_targets_are_told_what_they_would_take(asked):
    found = asked.recovery(goal(asked, "w-users-six-months"))
    assert not found.inside.feasible and found.beyond is not None
    assert found.beyond.together.feasible
    assert float((found.outcome >= 1_000_000).mean()) >= 0.8 - 0.01


def test_a_changed_plan_is_scaled_where_it_should_be(asked):
    plan = asked.world.plan
    places = {"users.churn": 0.5, "channels.referral.intake": 2.0, "budget.total": 1.5, "users.conversion": 100.0}
    found = q.changed(plan, places)
    assert found.users.churn.value == pytest.approx(0.04) and found.users.conversion.value == 1.0
    assert found.channels[-1].intake.mode == 12_000 and found.channels[0].intake == plan.channels[0].intake
    assert found.budget.total.value == 45_000_000
    assert plan.users.churn.value == 0.08


def actuals(asked, factor, months=(1, 2, 3)):
    plan = asked.world.metrics(asked.planned)
    return {name: {m: factor * float(plan[name][0, m - 1]) for m in months} for name in q.SEEN}


def test_half_the_intake_is_warned_before_a_quarter_of_the_time_is_gone(asked):
    found = q.again(asked, actuals(asked, 0.5))
    before = np.median(asked.metrics["private_domain_users"][:, -1])
    (high,) = quantiles(found.metrics["private_domain_users"][:, -1], q_weights(found), [0.9])
    assert found.method == "tempered" and high < before
    assert float(found.weights @ (found.metrics[outlooking.TO_DATE][:, -1] >= 43.5e6)) < 0.01
    assert found.surprise > 1.0


def q_weights(found):
    from planlib.outlook.forecast import Weights

    return Weights(found.weights, found.ess, 0.0)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "actuals"),
        ({"nps": {1: 3.0}}, "actuals.nps"),
        ({"gmv": {99: 3.0}}, "actuals.gmv.month"),
        ({"gmv": {1: float("nan")}}, "actuals.gmv[1]"),
        ({"gmv": {1: -5.0}}, "actuals.gmv[1]"),
        ({"gmv": {1: 5.0, 0: 3.0}}, "actuals.gmv.month"),
    ],
)
def test_bad_actuals(asked, given, field):
    with pytest.raises(InputError) as caught:
        q.again(asked, given)
    assert field in [problem.field for problem in caught.value.problems]


@pytest.mark.parametrize("factor", [100.0, 10_000.0, 0.01, 0.0001])
def test_actuals_in_another_unit_are_refused(asked, factor):
    """GMV in fen or in 万 is told as such, not learned from."""
    plan = asked.world.metrics(asked.planned)
    gmv = {m: 1.4 * factor * float(plan["gmv"][0, m - 1]) for m in (6, 7, 8)}
    with pytest.raises(InputError, match=r"actuals\.gmv") as caught:
        q.again(asked, {"gmv": gmv})
    (problem,) = caught.value.problems
    assert problem.code == "other_unit" and "CNY" in caught.value.render("zh")


def coverage(years, paths, error):
    """Share of simulated years of P whose GMV lies in the 80 % band told after four months, seen with an error."""
    world = outlooking.world(load_plan(P), paths=paths)
    asked = q.Asked.of(world)
    truth = q.Asked.of(outlooking.world(load_plan(P), paths=years, seed=20_260_201))
    rng = np.random.default_rng(11)
    inside = 0
    for k in range(years):
        seen = {
            name: {m: float(truth.metrics[name][k, m - 1] * (1 + error * rng.standard_normal())) for m in (1, 2, 3, 4)}
            for name in ("new_users_monthly", "gmv")
        }
        found = q.again(asked, seen, error=error)
        low, high = quantiles(found.metrics[outlooking.TO_DATE][:, -1], q_weights(found), [0.1, 0.9])
        inside += low <= truth.metrics[outlooking.TO_DATE][k, -1] <= high
    return inside / years


def test_the_forecast_again_covers_what_it_says():
    assert abs(coverage(30, 6_000, 0.15) - 0.8) < 4 * (0.16 / 30) ** 0.5


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_the_forecast_again_covers_what_it_says_over_200_years():
    assert abs(coverage(200, 20_000, 0.1) - 0.8) < 4 * (0.16 / 200) ** 0.5


def test_the_forecast_again_says_how_it_stands(asked):
    """As expected it holds; half of everything moves it; what no path can say lies outside."""
    paths = asked.world.paths
    every = {name: np.broadcast_to(x, (paths, x.shape[1])) for name, x in asked.metrics.items()}
    middle = {"gmv": {3: float(np.median(every["gmv"][:, 2]))}}

    def state(scale, actuals):
        metrics = {name: scale * x for name, x in every.items()}
        found = q.Again(3, "weights", float(paths), np.full(paths, 1 / paths), metrics, 0.0)
        return q.standing(asked, found, actuals)

    assert state(1.0, middle) == "held"
    assert state(0.5, {"gmv": {3: middle["gmv"][3] / 2}}) == "moved"
    assert state(1.0, {"gmv": {3: 10 * middle["gmv"][3]}}) == "outside"
    assert state(1.0, {"gmv": {2: 0.0}}) == "held"  # only the last known month counts
