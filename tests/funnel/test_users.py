"""Stock and flow of users: figures worked by hand, closed forms, conservation, states."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.core.periods import monthly_rate
from planlib.funnel import users as room

calm = settings(deadline=None, derandomize=True)
shares = st.floats(0.0, 1.0)
intakes = arrays(float, (3, 8, 2), elements=st.floats(0.0, 1e6))


@st.composite
def chains(draw):
    """churn, stay, wake that can belong to the same people."""
    churn = draw(st.floats(0.0, 0.9))
    return churn, draw(st.floats(0.0, 1.0 - churn)), draw(st.floats(0.0, 1.0 - churn))


def steady(adds=50_000.0, months=24, channels=1):
    return np.full((months, channels), adds / channels)


# the figures of the seed document


@pytest.mark.parametrize("month, expected", [(6, 246_028), (12, 395_209), (24, 540_513)])
def test_seed_stock(month, expected):
    path = room.simulate_users(steady(), churn=0.08)
    assert round(path.users[0, month - 1]) == expected
    assert round(room.stock_at(month, adds=50_000, churn=0.08)) == expected


def test_seed_ceiling():
    assert room.stock_ceiling(adds=50_000, churn=0.08) == pytest.approx(625_000)
    far = room.simulate_users(steady(months=400), churn=0.08)
    assert far.users[0, -1] == pytest.approx(625_000)
    assert far.users.max() < 625_000


@pytest.mark.parametrize(
    "churn, month, open_from, expected",
    [
        (0.0, 6, 1, 166_667),
        (0.08, 6, 1, 203_229),
        (0.08, 12, 1, 126_515),
        (0.0, 6, 5, 500_000),
    ],
)
def test_seed_required_intake(churn, month, open_from, expected):
    open_months = [m >= open_from for m in range(1, month + 1)]
    adds = room.required_adds(1_000_000, month, churn=churn, open_months=open_months)
    assert round(adds) == expected
    calendar = room.stage_calendar(month, [open_from])
    path = room.simulate_users(steady(adds, month), churn=churn, open_months=calendar)
    assert path.users[0, -1] == pytest.approx(1_000_000)


def test_seed_required_opening_base():
    assert round(room.required_opening(1_000_000, 6, adds=50_000, churn=0.0)) == 700_000
    assert round(room.required_opening(1_000_000, 6, adds=50_000, churn=0.08)) == 1_243_450


def test_seed_chain():
    """systems.yaml active-dormant-chain: 8 % leave, 50,000 active joiners: 625,000 users, 263,889 active, 42.2 %."""
    path = room.simulate_users(steady(months=400), churn=0.08, stay=0.40, wake=0.30)
    assert round(path.users[0, -1]) == 625_000
    assert round(path.active[0, -1]) == 263_889
    assert path.active_share[0, -1] == pytest.approx(0.42222, abs=1e-5)


@pytest.mark.parametrize(
    "churn, wake, expected",
    [(0.0, 0.30, 1 / 3), (0.0, 0.60, 0.50), (0.0, 0.90, 0.60), (0.08, 0.44, 0.5), (0.08, 0.70, 0.6)],
)
def test_seed_active_share(churn, wake, expected):
    """systems.yaml active-dormant-chain: closed 33.3 %; 0.60 for 50 %, 0.90 for 60 %; leaving 8 %: 0.44, 0.70."""
    assert room.stationary_active_share(stay=0.40, wake=wake, churn=churn) == pytest.approx(expected)
    assert room.wake_for_active_share(expected, stay=0.40, churn=churn) == pytest.approx(wake)


@calm
@given(chains(), st.sampled_from(room.APPLIED))
def test_wake_for_a_share_inverts_the_share(chain, applied):
    churn, stay, wake = chain
    assume(wake + 1 - stay > 1e-3)
    share = room.stationary_active_share(stay=stay, wake=wake, churn=churn, applied=applied)
    assume(share < 0.999)  # otherwise nobody dormant is left to wake
    assert room.wake_for_active_share(share, stay=stay, churn=churn, applied=applied) == pytest.approx(wake, abs=1e-9)


# by hand


@pytest.mark.parametrize(
    "applied, expected",
    [
        ("before_adds", [150.0, 175.0]),  # 100/2 + 100, 150/2 + 100
        ("after_adds", [100.0, 100.0]),  # (100 + 100)/2, (100 + 100)/2
    ],
)
def test_timing_by_hand(applied, expected):
    path = room.simulate_users(np.full((2, 1), 100.0), churn=0.5, opening_users=100.0, applied=applied)
    assert_allclose(path.users[0], expected)


def test_states_by_hand():
    # opening 100 active, 50 dormant; stay 0.8, wake 0.1, nobody leaves; 10 join
    path = room.simulate_users(
        np.full((2, 1), 10.0), churn=0.0, opening_users=150.0, opening_active_share=100 / 150, stay=0.8, wake=0.1
    )
    assert_allclose(path.active[0], [95.0, 92.5])
    assert_allclose(path.dormant[0], [65.0, 77.5])
    assert_allclose(path.woken[0], [5.0, 6.5])
    assert_allclose(path.lapsed[0], [20.0, 19.0])


def test_without_states_nothing_is_claimed_about_activity():
    path = room.simulate_users(steady(months=2), churn=0.1)
    assert path.active is None and path.dormant is None and path.active_share is None


def test_active_share_of_nobody_is_undefined():
    path = room.simulate_users(np.array([[0.0], [10.0]]), churn=0.1, stay=0.5, wake=0.1)
    assert np.isnan(path.active_share[0, 0]) and path.active_share[0, 1] == 1.0


def test_calendar_and_season():
    calendar = room.stage_calendar(4, [None, 3], [2, None])
    assert_allclose(calendar.astype(int), [[1, 0], [1, 0], [0, 1], [0, 1]])
    path = room.simulate_users(np.full((4, 2), 10.0), churn=0.0, open_months=calendar, seasonality=[1.0, 2.0, 1.0, 0.0])
    assert_allclose(path.joined[0], [10, 20, 10, 0])
    assert_allclose(path.users_by_channel[0, -1], [30, 10])


def test_cohorts_by_hand():
    assert_allclose(room.cohort_users([[100.0, 50.0, 0.0]], [1.0, 0.4]), [[100, 90, 20]])


def test_referred_users_add_up_to_the_closed_form():
    seeds = np.zeros((2, 400))
    seeds[:, 0] = 1_000.0
    brought = room.referred_users(seeds, 0.4, cycle_months=2)
    assert_allclose(brought[0, :6], [0, 0, 400, 0, 160, 0])
    assert_allclose(seeds.sum(axis=1) + brought.sum(axis=1), 1_000 / (1 - 0.4))


@pytest.mark.parametrize(
    "rate, period, expected",
    [
        (0.08, "month", 0.08),
        (0.35, "quarter", 1 - 0.65 ** (1 / 3)),
        (0.08, "year", 1 - 0.92 ** (1 / 12)),
        (0.3, "half_year", 1 - 0.7 ** (1 / 6)),
        (0.01, "day", 1 - 0.99**30),
        (1.0, "year", 1.0),
    ],
)
def test_period_of_a_rate(rate, period, expected):
    assert monthly_rate(rate, period) == pytest.approx(expected, rel=1e-12)


def test_period_of_a_rate_on_arrays():
    assert_allclose(monthly_rate(np.array([[0.1], [0.2]]), "quarter"), 1 - np.array([[0.9], [0.8]]) ** (1 / 3))


def test_stationary_distribution():
    pi = room.stationary([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    assert_allclose(pi @ [[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]], pi)
    assert pi.sum() == pytest.approx(1.0)
    assert_allclose(room.stationary([[0.0, 1.0], [1.0, 0.0]]), [0.5, 0.5])  # periodic, still unique
    with pytest.raises(InputError) as caught:
        room.stationary(np.eye(2))
    assert caught.value.problems[0].code == "not_unique"


# closed forms against the recursion


@calm
@given(
    st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1e6), st.integers(0, 24), st.sampled_from(room.APPLIED)
)
def test_closed_form_is_the_recursion(adds, churn, opening, month, applied):
    path = room.simulate_users(steady(adds, max(month, 1)), churn=churn, opening_users=opening, applied=applied)
    stocks = np.append(path.opening_users, path.users)
    closed = room.stock_at(month, adds=adds, churn=churn, opening_users=opening, applied=applied)
    assert stocks[month] == pytest.approx(closed, rel=1e-9, abs=1e-6)


@calm
@given(st.floats(1, 1e6), st.floats(0, 0.95), st.floats(0, 1e6), st.integers(1, 24), st.sampled_from(room.APPLIED))
def test_required_values_reach_the_goal(goal, churn, opening, month, applied):
    adds = room.required_adds(goal, month, churn=churn, opening_users=opening, applied=applied)
    reached = room.stock_at(month, adds=adds, churn=churn, opening_users=opening, applied=applied)
    assert reached >= goal * (1 - 1e-9)
    assert adds == 0 or reached == pytest.approx(goal, rel=1e-9)
    base = room.required_opening(goal, month, adds=10.0, churn=churn, applied=applied)
    again = room.stock_at(month, adds=10.0, churn=churn, opening_users=base, applied=applied)
    assert again == pytest.approx(goal, rel=1e-9) or base == 0


@calm
@given(st.floats(1, 1e6), st.floats(1, 1e5), st.floats(0, 1e5), st.integers(1, 24), st.sampled_from(room.APPLIED))
def test_highest_churn_is_the_last_that_reaches_the_goal(goal, adds, opening, month, applied):
    churn = room.highest_churn(goal, month, adds=adds, opening_users=opening, applied=applied)
    stock = {"adds": adds, "opening_users": opening, "applied": applied}
    if churn is None:
        assert room.stock_at(month, churn=0.0, **stock) < goal
        return
    assert room.stock_at(month, churn=churn, **stock) >= goal
    if churn < 0.999:
        assert room.stock_at(month, churn=churn + 1e-6, **stock) < goal


@calm
@given(st.floats(1, 1e6), st.floats(1, 1e5), st.floats(0, 1), st.floats(0, 1e6), st.sampled_from(room.APPLIED))
def test_month_reached_is_the_first(goal, adds, churn, opening, applied):
    stock = {"adds": adds, "churn": churn, "opening_users": opening, "applied": applied}
    reach = room.month_reached(goal, **stock)
    if not reach.reachable:
        assert reach.ceiling <= goal * (1 + 1e-9)
        assert room.stock_at(10_000, **stock) <= max(goal, opening) * (1 + 1e-9)
        return
    assert room.stock_at(reach.month, **stock) >= goal * (1 - 1e-6)
    if reach.month > 1:
        assert room.stock_at(reach.month - 1, **stock) < goal * (1 + 1e-6)


def test_month_reached_says_why_not():
    reach = room.month_reached(1_000_000, adds=50_000, churn=0.08)
    assert (reach.reachable, reach.month, round(reach.ceiling)) == (False, None, 625_000)
    assert room.month_reached(500_000, adds=50_000, churn=0.08).month == 20
    assert room.month_reached(10, adds=0, churn=0.1, opening_users=20).month == 0
    assert room.month_reached(50_000, adds=50_000, churn=1.0).month == 1
    assert not room.month_reached(50_001, adds=50_000, churn=1.0).reachable
    assert not room.month_reached(1, adds=0, churn=0.0).reachable


@calm
@given(chains(), st.sampled_from(room.APPLIED))
def test_stationary_share_is_the_limit(chain, applied):
    churn, stay, wake = chain
    if 1 - stay + wake < 0.05 or (0 < churn < 0.05):
        return  # too slow to settle in the months simulated
    start = 1.0 if churn else 0.0
    path = room.simulate_users(
        np.full((600, 1), 100.0 if churn else 0.0), churn=churn, stay=stay, wake=wake, applied=applied,
        opening_users=1_000.0, opening_active_share=start,
    )
    if stay == 1 - churn and wake == 1 - churn and not churn:
        return  # the chain alternates for ever
    closed = room.stationary_active_share(stay=stay, wake=wake, churn=churn, applied=applied)
    assert path.active_share[0, -2:].mean() == pytest.approx(closed, abs=2e-3)


# what must hold for any input


@calm
@given(intakes, chains(), st.floats(0, 1e6), shares, st.sampled_from(room.APPLIED))
def test_every_user_is_in_exactly_one_state(intake, chain, opening, active_share, applied):
    churn, stay, wake = chain
    path = room.simulate_users(
        intake, churn=churn, stay=stay, wake=wake, opening_users=opening, opening_active_share=active_share,
        applied=applied,
    )
    scale = max(path.users.max(), opening, 1.0)
    for part in (path.active, path.dormant, path.churned, path.woken, path.lapsed, path.users):
        assert part.min() >= -1e-9 * scale
    assert_allclose(path.active + path.dormant, path.users, atol=1e-9 * scale)
    left = path.churned.cumsum(axis=1)
    assert_allclose(opening + path.joined.cumsum(axis=1) - left, path.users, atol=1e-8 * scale)
    assert_allclose(path.users_from_opening + path.users_by_channel.sum(axis=-1), path.users, atol=1e-9 * scale)
    assert path.residual <= 1e-9


@calm
@given(intakes, arrays(float, (3, 8, 2), elements=st.floats(0.0, 1e5)), chains(), st.sampled_from(room.APPLIED))
def test_more_intake_never_lowers_users(intake, more, chain, applied):
    churn, stay, wake = chain
    few = room.simulate_users(intake, churn=churn, stay=stay, wake=wake, applied=applied)
    many = room.simulate_users(intake + more, churn=churn, stay=stay, wake=wake, applied=applied)
    for name in ("users", "active", "dormant", "churned", "users_by_channel"):
        assert (getattr(many, name) >= getattr(few, name) - 1e-6).all()


@calm
@given(intakes, st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_churn_never_raises_users(intake, churn, more):
    low = room.simulate_users(intake, churn=churn)
    high = room.simulate_users(intake, churn=churn + more)
    assert (high.users <= low.users + 1e-6).all()


def test_draws_are_independent_of_each_other():
    rng = np.random.default_rng(7)
    intake, churn = rng.uniform(0, 1e5, (5, 12, 3)), rng.uniform(0, 0.2, (5, 12))
    opening = rng.uniform(0, 1e5, 5)
    together = room.simulate_users(intake, churn=churn, stay=0.4, wake=0.3, opening_users=opening)
    for d in range(5):
        alone = room.simulate_users(intake[d], churn=churn[d : d + 1], stay=0.4, wake=0.3, opening_users=opening[d])
        assert_allclose(together.users[d], alone.users[0])
        assert_allclose(together.active[d], alone.active[0])


def test_individuals_follow_the_shares():
    """A simulation of single people agrees with the expected numbers."""
    rng, people, months, churn, stay, wake = np.random.default_rng(20270101), 200_000, 6, 0.08, 0.40, 0.30
    state = np.zeros(people, dtype=int)  # 0 active, 1 dormant, 2 left
    rows = np.array([[stay, 1 - stay - churn, churn], [wake, 1 - wake - churn, churn], [0, 0, 1]])
    for _ in range(months):
        state = (rng.random(people)[:, None] > rows.cumsum(axis=1)[state]).sum(axis=1)
    path = room.simulate_users(np.zeros((months, 1)), churn=churn, stay=stay, wake=wake, opening_users=people)
    for count, expected in ((state == 0, path.active), (state == 1, path.dormant)):
        p = expected[0, -1] / people
        assert abs(count.mean() - p) < 4 * (p * (1 - p) / people) ** 0.5


# bad input


@pytest.mark.parametrize(
    "change, field",
    [
        ({"intake": np.full((2, 1), -1.0)}, "intake[0, 0]"),
        ({"intake": np.array([[1.0], [np.nan]])}, "intake[1, 0]"),
        ({"intake": np.empty((0, 1))}, "intake"),
        ({"intake": np.ones(3)}, "intake"),
        ({"churn": 1.2}, "churn"),
        ({"churn": np.nan}, "churn"),
        ({"churn": np.full((1, 3), 0.1)}, "churn"),
        ({"churn": np.array([0.1, 0.2])}, "churn"),
        ({"opening_users": -1.0}, "opening_users"),
        ({"applied": "sometimes"}, "applied"),
        ({"stay": 0.4}, "wake"),
        ({"wake": 0.4}, "stay"),
        ({"stay": 0.95, "wake": 0.1}, "stay"),
        ({"stay": 0.5, "wake": 0.93}, "wake"),
        ({"opening_active_share": 1.1}, "opening_active_share"),
        ({"open_months": np.ones((2, 2), dtype=bool)}, "open_months"),
        ({"open_months": np.ones((2, 1))}, "open_months"),
        ({"seasonality": [1.0, -1.0]}, "seasonality[1]"),
        ({"seasonality": [1.0]}, "seasonality"),
        ({"opening_users": np.zeros(3), "churn": np.full((2, 1), 0.1)}, "churn"),
    ],
)
def test_bad_input_names_the_field(change, field):
    arguments = {"intake": np.ones((2, 1)), "churn": 0.08} | change
    with pytest.raises(InputError) as caught:
        room.simulate_users(arguments.pop("intake"), **arguments)
    assert caught.value.problems[0].field == field
    assert str(caught.value)


def test_all_problems_at_once():
    with pytest.raises(InputError) as caught:
        room.simulate_users(np.full((2, 1), -1.0), churn=2.0, applied="x", opening_users=np.inf)
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("call, field", [
    (lambda: room.referred_users([1.0], 1.2), "k"),
    (lambda: monthly_rate(0.1, "fortnight"), "period"),
    (lambda: monthly_rate(-0.1, "year"), "rate"),
    (lambda: room.required_adds(10, 3, churn=0.1, open_months=[False] * 3), "open_months"),
    (lambda: room.required_adds(np.nan, 3, churn=0.1), "goal"),
    (lambda: room.stage_calendar(0, [1]), "months"),
    (lambda: room.stage_calendar(3, []), "opens"),
    (lambda: room.stage_calendar(3, [3], [2]), "closes[0]"),
    (lambda: room.stationary([[0.5, 0.4], [0.5, 0.5]]), "transition"),
    (lambda: room.stationary_active_share(stay=1.0, wake=0.0), "stay"),
])
def test_bad_closed_forms(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


# the independent reference cases, where the folder is given


def _reference(kind):
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "planning.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] == kind]


@pytest.mark.parametrize("case", _reference("stock_flow"))
def test_reference_stock(case):
    given, expected = case["input"], case["expected"]
    if case["method"] != "constant_new":
        adds = given["new0"] * (1 + given["growth"]) ** np.arange(given["months"])
        path = room.simulate_users(adds[:, None], churn=given["churn"])
        assert path.users[0, -1] == pytest.approx(expected[f"u{given['months']}"], abs=case["tol"])
        return
    applied = "after_adds" if given["convention"].startswith("u=(1-c)(u+new)") else "before_adds"
    stock = {"adds": given["new"], "churn": given["churn"], "applied": applied}
    assert room.stock_at(given["months"], opening_users=given["u0"], **stock) == pytest.approx(
        expected[f"u{given['months']}"], rel=1e-9
    )
    if "ceiling" in expected:
        assert room.stock_ceiling(**stock) == pytest.approx(expected["ceiling"], rel=1e-9)
    for name, value in expected.items():
        if name.startswith("needed_new_for_1M_M"):
            month = int(name.rpartition("M")[2])
            needed = room.required_adds(1e6, month, churn=given["churn"], applied=applied)
            assert needed == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("case", _reference("user_states"))
def test_reference_states(case):
    given, expected = case["input"], case["expected"]
    if case["method"] == "stationary":
        assert_allclose(room.stationary(given["P"]), expected["pi"], atol=case["tol"])
        return
    total = given["active"] + given["lapsed"]
    path = room.simulate_users(
        np.full((given["months"], 1), given["new"]), churn=0.0, stay=1 - given["churn"], wake=given["resurrect"],
        opening_users=total, opening_active_share=given["active"] / total,
    )
    assert_allclose(np.stack([path.active[0], path.dormant[0]], axis=1), expected["path"][1:], atol=1e-9)
    assert_allclose(path.users[0], expected["total"][1:], atol=1e-9)
