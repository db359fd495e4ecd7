"""Single changes: by hand, by closed form, simulated again, and where no value is enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.funnel.levers import single_changes
from planlib.funnel.users import highest_churn, required_adds, required_opening, simulate_users, stock_ceiling

FLAT = np.full((24, 1), 50_000.0)
LATE = np.vstack([np.zeros((4, 1)), np.full((20, 1), 50_000.0)])  # traffic opens in month 5


def test_the_document_s_figures():
    """50,000 a month, 8 % churn, from nothing: a million at month 6 (systems.yaml, user-stock-flow)."""
    change = single_changes(1_000_000, 6, intake=FLAT, churn=0.08)
    assert round(change.users) == 246_028
    assert round(change.monthly_intake) == 203_229
    assert change.ceiling == pytest.approx(625_000)
    assert change.month_reached is None
    assert change.churn is None
    assert change.without_churn == 300_000
    assert round(change.opening_users) == 1_243_450
    assert change.intake_factor == pytest.approx(203_229 / 50_000, rel=1e-5)


def test_intake_from_month_five_asks_half_a_million_a_month():
    change = single_changes(1_000_000, 6, intake=LATE, churn=0.0)
    assert change.monthly_intake == pytest.approx(500_000)
    assert change.intake_factor == pytest.approx(10)


def test_levers_agree_with_the_closed_forms_of_a_steady_intake():
    fixed = {"churn": 0.05, "opening_users": 40_000.0, "applied": "after_adds"}
    change = single_changes(700_000, 18, intake=FLAT, **fixed)
    assert change.monthly_intake == pytest.approx(required_adds(700_000, 18, **fixed))
    opening = required_opening(700_000, 18, adds=50_000.0, churn=0.05, applied="after_adds")
    assert change.opening_users == pytest.approx(opening)
    churn = highest_churn(700_000, 18, adds=50_000.0, opening_users=40_000.0, applied="after_adds")
    assert change.churn == pytest.approx(churn)
    assert change.ceiling == pytest.approx(stock_ceiling(adds=50_000.0, churn=0.05, applied="after_adds"))


def test_the_opening_base_counts_towards_the_goal():
    """Without churn 100,000 are there, 300,000 join: 800,000 ask 700,000 / 300,000 of the intake."""
    change = single_changes(800_000, 6, intake=FLAT, churn=0.0, opening_users=100_000.0)
    assert change.intake_factor == pytest.approx(7 / 3)
    assert change.opening_users == pytest.approx(500_000)


def test_a_goal_after_the_horizon_is_dated():
    change = single_changes(600_000, 12, intake=FLAT[:12], churn=0.08)
    assert change.month_reached == 39  # 625,000 (1 - 0.92^39) = 600,800; 38: 598,700


def test_without_any_intake_only_the_opening_helps():
    change = single_changes(1_000, 3, intake=np.zeros((3, 2)), churn=0.5, opening_users=100.0)
    assert change.intake_factor is None
    assert change.monthly_intake is None
    assert change.churn is None
    assert change.opening_users == pytest.approx(8_000)


def test_opening_users_that_all_leave_cannot_help():
    assert single_changes(200, 2, intake=np.full((2, 1), 100.0), churn=1.0).opening_users is None


@settings(deadline=None)
@given(
    st.integers(1, 24),
    st.just(0.0) | st.floats(1e-6, 0.6),
    st.floats(0, 1e5),
    st.floats(1e3, 1e6),
    st.sampled_from(["before_adds", "after_adds"]),
    st.integers(0, 23),
)
def test_each_change_reaches_the_goal_when_simulated(month, churn, opening, goal, applied, closed):
    intake = np.full((24, 2), 1_000.0)
    intake[:closed] = 0.0
    change = single_changes(goal, month, intake=intake, churn=churn, opening_users=opening, applied=applied)
    assert change.residual <= 1e-9
    if change.churn is not None and change.churn < 1:
        more = simulate_users(intake, churn=min(change.churn + 1e-6, 1), opening_users=opening, applied=applied)
        assert more.users[0, month - 1] < goal * (1 + 1e-9)


@pytest.mark.parametrize(
    "changed, field",
    [
        ({"goal": 0}, "goal"),
        ({"goal": float("nan")}, "goal"),
        ({"month": 25}, "month"),
        ({"month": 0}, "month"),
        ({"intake": -FLAT}, "intake[0, 0]"),
        ({"intake": FLAT[:, 0]}, "intake"),
        ({"churn": 1.2}, "churn"),
    ],
)
def test_bad_input_names_its_field(changed, field):
    given_values = {"goal": 1e6, "month": 6, "intake": FLAT, "churn": 0.08} | changed
    with pytest.raises(InputError) as caught:
        single_changes(given_values.pop("goal"), given_values.pop("month"), **given_values)
    assert field in {problem.field for problem in caught.value.problems}
