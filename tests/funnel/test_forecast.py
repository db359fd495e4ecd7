"""Paths by metric, and a forecast beside its goal."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.core.metrics import catalogue
from planlib.funnel.forecast import intake_metrics, judge, outcomes
from planlib.funnel.sales import sales
from planlib.funnel.users import simulate_users

PATH = simulate_users(np.full((24, 1), 50_000.0), churn=0.08, stay=0.4, wake=0.3)
SOLD = sales(PATH.joined, conversion=0.12, aov_new_cny=200.0, repeat_rate=0.35, repeat_orders=2.0)
FOUND = outcomes(PATH, SOLD, company_gmv_cny=200e6 / 12)
GOAL = {"metric": "gmv", "op": "at_least", "goal": 5.0, "goal_high": None, "due_month": 3, "open_reason": ""}


def verdict(path, *, assumed=None, months=None, **changed):
    goal = GOAL | changed
    found = {} if path is None else {"gmv": np.array([path], dtype=float)}
    return judge(goal, found, assumed or {}, months=months or len(path or assumed["gmv"]))


def test_outcomes_are_metrics_of_the_catalogue():
    assert set(FOUND) <= set(catalogue())
    assert {values.shape for values in FOUND.values()} == {(1, 24)}


def test_parts_add_up_to_their_whole():
    assert_allclose(FOUND["active_users"] + FOUND["dormant_users"], FOUND["private_domain_users"])
    assert_allclose(FOUND["gmv_new"] + FOUND["gmv_repeat"], FOUND["gmv"])
    assert_allclose(FOUND["new_buyers"] + FOUND["repeat_buyers"], FOUND["buyers"])
    assert_allclose(np.cumsum(FOUND["net_user_growth_monthly"]), FOUND["private_domain_users"][0])


def test_share_of_gmv_by_hand():
    """Month 12: 14.4 m from first orders, 4.62 m from repeat orders, of 200 m."""
    assert FOUND["gmv_share"][0, 11] == pytest.approx((14.4e6 + 4.62e6) / 200e6)


def test_share_of_nothing_is_undefined():
    assert np.isnan(outcomes(PATH, SOLD, company_gmv_cny=0.0)["gmv_share"]).all()


def test_intake_is_split_by_kind():
    joined = np.array([[30.0, 50.0, 20.0], [0.0, 0.0, 0.0]])
    got = intake_metrics(joined, paid=np.array([False, True, True]), referral=np.array([False, False, True]))
    assert got["organic_new_users"].tolist() == [30, 0]
    assert got["paid_new_users"].tolist() == [50, 0]
    assert got["referral_new_users"].tolist() == [20, 0]
    assert got["organic_share"][0] == pytest.approx(0.3)
    assert np.isnan(got["organic_share"][1])
    assert set(got) <= set(catalogue())


def test_intake_masks_must_fit():
    with pytest.raises(InputError):
        intake_metrics(np.ones((2, 3)), paid=np.array([True]), referral=np.zeros(3, dtype=bool))


def test_a_dated_goal_is_judged_at_its_month():
    found = verdict([4, 5, 6, 7])
    assert (found["status"], found["forecast"], found["reached_month"], found["judged_month"]) == ("on_track", 6, 2, 3)


def test_an_undated_goal_is_judged_at_the_end():
    found = verdict([6, 5, 4], due_month=None)
    assert (found["status"], found["forecast"], found["judged_month"]) == ("off_track", 4, 3)


def test_a_goal_held_early_and_lost_is_not_reached():
    assert verdict([9, 6, 4])["reached_month"] is None
    assert verdict([9, 4, 6])["reached_month"] == 3


def test_a_late_goal_says_when_it_comes_to_stay():
    found = verdict([1, 2, 3, 4, 6, 7])
    assert (found["status"], found["reached_month"], found["shortfall"]) == ("off_track", 5, 2)


def test_meeting_a_goal_with_its_own_input_proves_nothing():
    found = verdict(None, assumed={"gmv": np.array([5.0, 5.0, 5.0])})
    assert (found["status"], found["reason"], found["assumed"]) == ("not_measured", "assumed", 5.0)
    assert found["forecast"] is None


def test_assuming_less_than_the_goal_misses_it():
    found = verdict(None, assumed={"gmv": np.array([4.0, 4.0, 4.0])})
    assert (found["status"], found["forecast"], found["reason"]) == ("off_track", 4.0, "")


@pytest.mark.parametrize(
    "path, changed, reason",
    [
        ([6, 6, 6], {"metric": "nps"}, "not_modelled"),
        ([6, 6, 6], {"metric": "nps", "open_reason": "change"}, "not_modelled"),  # what no model has comes first
        ([6, 6, 6], {"open_reason": "change"}, "change"),
        ([6, 6, np.nan], {}, "undefined"),
    ],
)
def test_what_cannot_be_judged_says_why(path, changed, reason):
    found = verdict(path, **changed)
    assert (found["status"], found["forecast"], found["reason"]) == ("not_measured", None, reason)


def test_a_range_is_judged_at_both_ends():
    assert verdict([6, 6, 6], op="between", goal=5.0, goal_high=7.0)["status"] == "on_track"
    assert verdict([6, 6, 8], op="between", goal=5.0, goal_high=7.0)["status"] == "off_track"
