"""The whole funnel: against its parts, by hand, monotone on common paths, conserved by channel and state."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel.model import Drivers, run
from planlib.funnel.users import simulate_users, stock_at

PLAN = Drivers(
    intake=np.full((24, 2), 25_000.0), churn=0.08, stay=0.4, wake=0.3, conversion=0.12, repeat_rate=0.35,
    repeat_orders=2.0, aov_cny=200.0, company_gmv_cny=200e6 / 12,
)  # fmt: skip
shares = st.floats(0.0, 1.0)
applied = st.sampled_from(["before_adds", "after_adds"])


def test_the_document_s_figures():
    """50,000 a month, 8 % churn, 12 % of them buy (systems.yaml, user-stock-flow and aarrr-funnel)."""
    found = run(PLAN).metrics
    assert [round(found["private_domain_users"][0, m - 1]) for m in (6, 12, 24)] == [246_028, 395_209, 540_513]
    assert round(found["new_buyers"][0, :12].sum()) == 72_000


def test_draws_are_the_single_paths_side_by_side():
    churn, aov = np.array([0.05, 0.08, 0.2]), np.array([150.0, 200.0, 250.0])
    intake = np.stack([np.full((24, 2), level) for level in (1e4, 2e4, 3e4)])
    together = run(replace(PLAN, churn=churn, aov_cny=aov, intake=intake)).metrics
    for d in range(3):
        alone = run(replace(PLAN, churn=float(churn[d]), aov_cny=float(aov[d]), intake=intake[d])).metrics
        for name, path in alone.items():
            wide = np.broadcast_to(together[name], (3, 24))
            assert_allclose(wide[d], path[0], rtol=1e-12, err_msg=name)


def test_simulated_mean_meets_the_closed_form():
    """Users are linear in intake: their mean over paths is the stock at the mean intake."""
    rng = np.random.default_rng(20261125)
    level = rng.uniform(40_000, 60_000, 20_000)
    users = run(replace(PLAN, intake=np.broadcast_to(level[:, None, None], (20_000, 12, 1)))).metrics[
        "private_domain_users"
    ]
    expected = stock_at(12, adds=50_000, churn=0.08)
    error = users[:, -1].std() / np.sqrt(len(users))
    assert abs(users[:, -1].mean() - expected) < 4 * error


def test_referred_people_join_as_a_channel_of_their_own():
    found = run(replace(PLAN, intake=np.array([[1000.0], [0], [0]]), referral_k=np.array([0.4, 0.0])))
    assert found.intake.shape == (2, 3, 2)
    assert_allclose(found.intake[:, :, 1], [[0, 400, 160], [0, 0, 0]])


def test_referral_cycles_may_differ_by_path():
    cycle = np.array([1.0, 2.0])
    found = run(replace(PLAN, intake=np.array([[1000.0], [0], [0]]), referral_k=0.4, referral_cycle_months=cycle))
    assert_allclose(found.intake[:, :, 1], [[0, 400, 160], [0, 0, 400]])


def test_churn_by_channel_by_hand():
    """Two channels of 100 a month, nobody and half of them leaving; 100 opening users of whom a tenth leave."""
    path = simulate_users(np.full((2, 2), 100.0), churn=0.1, channel_churn=[0.0, 0.5], opening_users=100.0)
    assert_allclose(path.users_by_channel[0], [[100, 100], [200, 150]])
    assert_allclose(path.users_from_opening[0], [90, 81])
    assert_allclose(path.churned[0], [10, 9 + 50])
    late = simulate_users(np.full((1, 2), 100.0), churn=0.1, channel_churn=[0.0, 0.5], applied="after_adds")
    assert_allclose(late.users_by_channel[0], [[100, 50]])
    assert_allclose(late.churned[0], [50])


def test_equal_churn_by_channel_changes_nothing():
    plain = run(PLAN).users
    same = run(replace(PLAN, channel_churn=[0.08, 0.08])).users
    for name in ("users", "churned", "active", "dormant", "woken", "lapsed"):
        assert_allclose(getattr(same, name), getattr(plain, name), rtol=1e-12, atol=1e-6, err_msg=name)


def test_referred_people_leave_like_the_opening_users():
    found = run(replace(PLAN, channel_churn=[0.0, 0.0], referral_k=0.5, churn=np.array([0.0, 1.0]), stay=0.0, wake=0.0))
    own = found.users.users_by_channel[:, :, 2]
    assert own[0, -1] == pytest.approx(found.intake[0, :, 2].sum())
    assert own[1, -1] == pytest.approx(found.intake[0, -1, 2])


@settings(deadline=None)
@given(shares, shares, shares, shares, shares, st.floats(0, 1e6), shares, applied)
def test_every_user_is_in_exactly_one_state(churn, first, second, stay, wake, opening, awake, applied):
    own = np.array([first, second])
    most = 1 - max(churn, first, second)
    found = simulate_users(
        np.full((6, 2), 1000.0), churn=churn, channel_churn=own, opening_users=opening, applied=applied,
        stay=stay * most, wake=wake * most, opening_active_share=awake,
    )  # fmt: skip
    assert found.residual <= 1e-9
    assert_allclose(found.active + found.dormant, found.users, rtol=1e-9, atol=1e-6)
    assert_allclose(found.users_by_channel.sum(axis=2) + found.users_from_opening, found.users, rtol=1e-9, atol=1e-6)
    assert min(found.active.min(), found.dormant.min(), found.woken.min(), found.lapsed.min()) >= -1e-6


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 5), shares, st.floats(0, 0.9))
def test_more_intake_never_lowers_users_nor_sales(less, more, churn, k):
    less, more = sorted((less, more))
    few, many = (
        run(replace(PLAN, intake=PLAN.intake * scale, churn=churn, stay=0.0, wake=0.0, referral_k=k)).metrics
        for scale in (less, more)
    )
    for name in ("private_domain_users", "active_users", "gmv", "buyers"):
        assert (many[name] >= few[name] * (1 - 1e-9)).all(), name


@settings(deadline=None)
@given(st.floats(0, 0.6), st.floats(0, 0.6))
def test_more_churn_never_raises_users(less, more):
    less, more = sorted((less, more))
    kept, left = (run(replace(PLAN, churn=churn)).metrics["private_domain_users"] for churn in (less, more))
    assert (kept >= left * (1 - 1e-9)).all()


@pytest.mark.parametrize(
    "changed, field",
    [
        ({"churn": -0.1}, "churn"),
        ({"churn": np.array([0.1, 1.2])}, "churn[1, 0]"),
        ({"conversion": 1.1}, "conversion"),
        ({"aov_cny": float("nan")}, "aov_cny"),
        ({"intake": np.zeros((0, 1))}, "intake"),
        ({"intake": -np.ones((2, 1))}, "intake[0, 0]"),
        ({"referral_k": 1.0}, "referral_k"),
        ({"referral_k": np.array([0.1, 1.5])}, "referral_k[1]"),
        ({"stay": 0.95}, "stay"),
        ({"channel_churn": [0.1]}, "channel_churn"),
        ({"channel_churn": [0.1, 1.1]}, "channel_churn[1]"),
        ({"channel_churn": [0.1, 0.9]}, "stay"),
        ({"churn": np.array([0.1, 0.2]), "aov_cny": np.array([1.0, 2.0, 3.0])}, "churn"),
        ({"company_gmv_cny": -1.0}, "company_gmv_cny"),
    ],
)
def test_bad_input_names_its_field(changed, field):
    with pytest.raises(InputError) as caught:
        run(replace(PLAN, **changed))
    assert field in {problem.field for problem in caught.value.problems}
