"""The shipped plans on common random paths: the same draws and the same middle as the notebooks that they join."""

import datetime as dt

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib import outlooking, scheduling
from planlib.core.streams import stream
from planlib.funnel.model import Drivers, run
from planlib.milestones.simulation import simulate
from planlib.plan import load_plan, uncertain

W, P = "params/wechat_platform.yaml", "params/private_domain_2026.yaml"


@pytest.fixture(scope="module")
def world():
    return outlooking.world(load_plan(W), paths=1_000)


@pytest.mark.parametrize("file", [W, P])
def test_without_chance_it_is_the_forecast_of_notebook_20(file):
    plan = load_plan(file)
    found = outlooking.on_plan(outlooking.world(plan, paths=10))
    point = run(Drivers(**uncertain.arguments(plan)))
    for name, path in point.metrics.items():
        assert np.array_equal(found.metrics[name], path, equal_nan=True), name


def test_figures_are_drawn_as_in_notebook_20_and_dates_as_in_notebook_50(world):
    plan = world.plan
    sample = uncertain.draws(plan, 1_000, lambda name: stream(plan.seed, name))
    assert all(np.array_equal(world.sample[place], x) for place, x in sample.items())
    schedule = scheduling.scheduled(plan)
    whole = simulate(
        schedule.network, scheduling.durations(schedule), seed=plan.seed, draws=1_000, groups=scheduling.groups(plan),
        risks=scheduling.risks(plan), milestones=["g2"],
    )  # fmt: skip
    assert_allclose(world.dates["g2"], outlooking.in_months(plan.start, whole.at("g2")))


def test_nothing_is_created_or_lost(world):
    found = world.run()
    assert found.residual <= 1e-9
    money = outlooking.channel_money(world.plan)
    assert (found.spend_cny <= money * (1 + 1e-9)).all()


def test_links_lose_what_the_plan_says(world):
    loss = {(d.gate, d.channel, d.rate): d.loss for d in world.delays}
    # channels wait; conversion stands at 8 % until the gate that brings the 12 % (W7.1)
    assert loss == pytest.approx({("g2", k, None): 1.0 for k in (3, 4, 5)} | {("g3", None, "conversion"): 1 / 3})


def test_a_slip_moves_the_gate_and_costs_users_on_the_same_paths(world):
    later = outlooking.world(world.plan, paths=1_000, slips={"g2": 21})
    assert (later.dates["g2"] > world.dates["g2"]).all()
    assert np.array_equal(later.dates["g1"], world.dates["g1"])
    lost = (world.run().metrics["private_domain_users"] - later.run().metrics["private_domain_users"])[:, -1]
    assert (lost >= -1e-6).all() and lost.mean() > 0


def test_each_cause_set_to_plan_acts_alone(world):
    base = world.run()
    no_dates = world.run(at_plan={"dates"})
    assert (no_dates.outcome.users.joined >= base.outcome.users.joined - 1e-6).all()
    assert_allclose(world.run(at_plan={"budget"}).funded, 1.0)
    calm = world.run(at_plan={"risks"})
    struck = np.any([x != 0 for x in world.strikes.values()], axis=0)
    moved = ("active_users", "gmv")  # the first by everything but the value of orders, the second by that
    same = np.all([np.isclose(calm.metrics[name], base.metrics[name]).all(axis=1) for name in moved], axis=0)
    assert same[~struck].all() and not same[struck].any()


def test_fewer_paths_are_the_first_of_all(world):
    part = world.few(100).run()
    assert_allclose(part.metrics["gmv"], world.run().metrics["gmv"][:100])


def test_calendar_months():
    first = dt.date(2027, 1, 1)
    days = np.array([(dt.date(2027, month, day) - first).days for month, day in ((1, 1), (3, 1), (4, 16))])
    assert outlooking.in_months("2027-01", days.astype(float)).tolist() == [0.0, 2.0, 3.5]


def test_risks_strike_as_often_as_the_plan_says(world):
    wide = outlooking.world(world.plan, paths=20_000)
    for risk in world.plan.model.risks:
        share = float((wide.strikes[risk.id] != 0).mean())
        assert abs(share - risk.probability) < 4 * (risk.probability * (1 - risk.probability) / 20_000) ** 0.5
        hit = wide.strikes[risk.id][wide.strikes[risk.id] != 0]
        assert risk.effect[0] <= hit.min() and hit.max() <= risk.effect[1]


def test_a_test_brings_what_notebook_40_expects(world):
    from planlib.experiments.backlog import Idea, plan_test
    from planlib.plan.experiment_inputs import planned_tests

    wide = outlooking.world(world.plan, paths=40_000)
    test = next(t for t in planned_tests(world.plan) if t.id == "recommendation")
    idea = Idea(test.baseline, test.effect, test.per_week, test.effect_sd, looks=test.looks, stopping=test.stopping)
    mean, sd = plan_test(idea).gain
    effect = next(lift for lift in wide.lifts if lift.id == test.id).effect / test.gmv_share
    assert abs(effect.mean() - mean) < 4 * sd / 200
    assert_allclose(effect.std(), sd, rtol=0.03)
