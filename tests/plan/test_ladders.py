"""Ladders out of plan files: every rung traced to its place, contradictions named, changes taken back."""

import json
from pathlib import Path

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.funnel.ladder import flow_ladder, ladder
from planlib.plan import load_plan
from planlib.plan.ladders import ladders, with_rungs

USERS = "ladders.private_domain_users."
HERE = Path(__file__).parent
MINIMAL = HERE / "minimal.yaml"
W = HERE.parents[1] / "params" / "wechat_platform.yaml"


def _found(path=MINIMAL, **more):
    return {found.id: found for found in ladders(load_plan(path, **more), ladder, flow_ladder)}


def _with(*rows, months=12, **more):
    sets = [f"plan.months={months}", f"targets={json.dumps(list(rows))}", *more.pop("sets", ())]
    return _found(sets=sets, **more)


def _goal(name, metric, month, level, **more):
    return {"id": name, "metric": metric, "at_least": level, "by_month": month, "source": "W7.1"} | more


def test_the_seed_plan_passes_through_its_goals_and_never_falls():
    users = _found(W)["private_domain_users"]
    assert users.targets == ("w-users-six-months", "w-users-year1", "w-users-year2")
    assert users.values[5] == users.values[11] == 1_000_000 and users.values[23] == 2_000_000
    assert (np.diff(np.append(users.opening, users.values)) >= 0).all()
    assert (users.opening, users.opening_path) == (0.0, "baseline.opening_users")
    rung = users.rungs[11]
    assert (rung.month, rung.kind, rung.path, rung.source) == (12, "goal", "targets.w-users-year1.above", "W7.1")
    assert users.rungs[0].path == "ladders.private_domain_users.rungs.1"
    # two goals on different bases are two ladders, which both lack their start
    both = [found for found in _found(W).values() if found.metric == "gmv_share"]
    assert [found.id for found in both] == ["w-gmv-share-year", "w-gmv-share-two-years"]
    assert [p.code for found in both for p in found.problems] == ["ladder_opening"] * 2


def test_every_path_can_be_set():
    plan = load_plan(W)
    for found in ladders(plan, ladder, flow_ladder):
        for goal in found.goals:
            assert load_plan(W, sets=[f"{goal.path}={goal.value}"]).targets == plan.targets
    users = _found(W, sets=["ladders.private_domain_users.rungs.9=1_000_000"])["private_domain_users"]
    assert users.rungs[8].kind == "fixed" and users.rungs[8].source == "assumption"


def test_a_rung_fixed_by_set_or_scenario_keeps_the_rest_consistent(tmp_path):
    free = _found()["private_domain_users"]
    change = with_rungs(load_plan(MINIMAL), {"private_domain_users": {6: 80_000.0}}, why="the campaign of June")
    fixed = _found(sets=[f"ladders={json.dumps(change['ladders'])}"])["private_domain_users"]
    assert fixed.values[5] == 80_000 and fixed.values[11] == free.values[11] == 100_000
    assert (np.diff(fixed.values) > 0).all()
    again = with_rungs(load_plan(MINIMAL, sets=[f"ladders={json.dumps(change['ladders'])}"]),
                       {"private_domain_users": {9: 85_000}}, why="and of September")  # fmt: skip
    assert again["ladders"]["private_domain_users"]["rungs"] == {6: 80_000.0, 9: 85_000.0}
    own = tmp_path / "own.yaml"
    scenario = "scenarios: {june: {name: {zh: 六月, en: June}, change: " + json.dumps(change) + "}}"
    own.write_text(MINIMAL.read_text(encoding="utf-8").partition("scenarios:")[0] + scenario, encoding="utf-8")
    assert _found(own, scenario="june")["private_domain_users"].values[5] == 80_000


def test_shapes_come_from_the_plan():
    row = "ladders={private_domain_users: {shape: s_curve, source: W7.1}}"
    users = _found(sets=[row])["private_domain_users"]
    assert users.shape == "s_curve" and users.values[0] < 100_000 / 24 and users.values[-1] == 100_000
    # stage calendar: moments_ads opens with the stage `traffic`, in month 5
    weighted = _found(sets=[row.replace("s_curve", "stage_weighted")])["private_domain_users"]
    steps = np.diff(np.append(0, weighted.values))
    assert steps[4] / steps[3] == pytest.approx(17_000 / 12_000, rel=1e-3)


def test_a_contradictory_rung_is_named_with_its_place():
    users = _found(sets=["ladders={private_domain_users: {rungs: {9: 120_000}, source: W7.1}}"])["private_domain_users"]
    assert users.rungs == ()
    assert [(p.code, p.field, p.given) for p in users.problems] == [
        ("ladder_turns", "ladders.private_domain_users.rungs.9", 120_000)
    ]
    told = InputError(*users.problems)
    assert "100,000" in told.render("en") and "第 12 个月" in told.render("zh")
    from_zero = _found(sets=["ladders={private_domain_users: {shape: compound, source: W7.1}}"])["private_domain_users"]
    assert [(p.code, p.field) for p in from_zero.problems] == [("ladder_start", "baseline.opening_users")]


def test_a_goal_that_an_earlier_level_holds_does_not_pull_the_ladder_down():
    rows = [_goal("a", "private_domain_users", 3, 90_000), _goal("b", "private_domain_users", 8, 60_000),
            _goal("c", "private_domain_users", 12, 100_000)]  # fmt: skip
    users = _with(*rows)["private_domain_users"]
    assert users.held == ("b",) and users.values[7] > 90_000 and (np.diff(users.values) >= 0).all()


def test_what_is_better_low_never_rises():
    low = {"id": "c", "metric": "churn_rate", "at_most": 0.04, "from_value": 0.1, "by_month": 6, "source": "W2.3"}
    found = _with(low)["churn_rate"]
    assert found.opening_path == "targets.c.from_value" and not found.adds_up
    assert found.values[5] == 0.04 and (np.diff(found.values) < 0).all()


def test_shares_stay_shares_and_changes_begin_at_none():
    rows = [_goal("m", "mau_rate", 12, 0.6), _goal("o", "aov", 6, 0.3, unit="relative_change")]
    found = _with(*rows)
    assert found["mau_rate"].opening == 0.4 and found["mau_rate"].values.max() == 0.6
    assert found["aov"].opening == 0.0 and found["aov"].values[2] == pytest.approx(0.15)


def test_totals_become_monthly_amounts():
    rows = [_goal("h", "gmv", 6, 10_000_000, period="half_year"), _goal("y", "gmv", 12, 25_000_000, period="year"),
            _goal("z", "gmv", 24, 40_000_000, period="year")]  # fmt: skip
    found = _with(*rows, months=24)["gmv"]
    assert found.totals and found.adds_up and found.opening is None
    assert [found.values[a:b].sum() for a, b in ((0, 6), (0, 12), (12, 24))] == [10_000_000, 25_000_000, 40_000_000]
    assert (found.values == found.values.round()).all()
    gap = _with(_goal("z", "gmv", 18, 40_000_000, period="year"), months=24)["gmv"]
    assert [(p.code, p.values["month"]) for p in gap.problems] == [("ladder_window", 6)]
    monthly = _with(_goal("z", "new_users_monthly", 12, 50_000, from_value=20_000, period="month"))["new_users_monthly"]
    assert not monthly.totals and monthly.adds_up and monthly.values[-1] == 50_000


@pytest.mark.parametrize(
    "row, code, field",
    [
        ("{gmv: {source: W7.1}}", "unknown_ref", "ladders.gmv"),
        ("{active: {source: W7.1}}", "unknown_ref", "ladders.active"),  # its target has no month
        ("{private_domain_users: {rungs: {13: 1}, source: W7.1}}", "month_range", USERS + "rungs.13"),
        ("{private_domain_users: {rungs: {x: 1}, source: W7.1}}", "not_whole", USERS + "rungs.x"),
        ("{private_domain_users: {shape: round, source: W7.1}}", "choice", USERS + "shape"),
        ("{private_domain_users: {rungs: {3: 1}}}", "source_missing", USERS + "source"),
    ],
)
def test_bad_rows_are_told_when_the_plan_is_read(row, code, field):
    with pytest.raises(InputError) as caught:
        load_plan(MINIMAL, sets=[f"ladders={row}"])
    assert (code, field) in [(p.code, p.field) for p in caught.value.problems]
