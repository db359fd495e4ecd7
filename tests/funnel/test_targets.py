"""Verdicts on targets, lifecycle stages and gap splits."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.core.decompose import lmdi_by_name
from planlib.core.errors import InputError
from planlib.funnel import targets as room
from planlib.funnel.users import simulate_users

calm = settings(deadline=None, derandomize=True)


def seed_users(churn):
    return simulate_users(np.full((24, 1), 50_000.0), churn=churn).users


@pytest.mark.parametrize("churn, short", [(0.0, 700_000), (0.08, 753_972)])
def test_seed_gate_of_month_six(churn, short):
    verdict = room.assess("at_least", 1_000_000, seed_users(churn), due_month=6)
    assert (verdict.status, round(verdict.shortfall)) == ("off_track", short)
    assert verdict.gap == -verdict.shortfall
    assert verdict.gap_rel == pytest.approx(-short / 1e6, abs=1e-6)


def test_reached_month():
    path = seed_users(0.0)
    assert room.assess("at_least", 1_000_000, path, due_month=6).reached_month == 20
    assert room.assess("above", 1_000_000, path, due_month=6).reached_month == 21
    assert room.assess("at_least", 2_000_000, path, due_month=6).reached_month is None


@pytest.mark.parametrize(
    "op, goal, value, held, gap, shortfall",
    [
        ("at_least", 10.0, 10.0, True, 0.0, 0.0),
        ("at_least", 10.0, 9.0, False, -1.0, 1.0),
        ("at_most", 20.0, 20.0, True, 0.0, 0.0),
        ("at_most", 20.0, 22.0, False, 2.0, 2.0),
        ("at_most", 20.0, 15.0, True, -5.0, 0.0),
        ("above", 10.0, 10.0, False, 0.0, 0.0),
        ("above", 10.0, 10.1, True, 0.1, 0.0),
        ("below", 0.01, 0.01, False, 0.0, 0.0),
        ("below", 0.01, 0.009, True, -0.001, 0.0),
        ("equals", 0.25, 0.2503, True, 0.0003, 0.0),  # half a unit of the third digit: 0.0005
        ("equals", 0.25, 0.2506, False, 0.0006, 0.0006),
        ("equals", 50_000.0, 50_049.0, True, 49.0, 0.0),  # half of 100
        ("equals", 50_000.0, 50_051.0, False, 51.0, 51.0),
        ("equals", 0.0, 0.0, True, 0.0, 0.0),
        ("between", (0.4, 0.5), 0.5, True, 0.0, 0.0),
        ("between", (0.4, 0.5), 0.35, False, -0.05, 0.05),
        ("between", (0.4, 0.5), 0.6, False, 0.1, 0.1),
    ],
)
def test_each_operator(op, goal, value, held, gap, shortfall):
    verdict = room.assess(op, goal, [value], due_month=1)
    assert verdict.status == ("on_track" if held else "off_track")
    assert verdict.reached_month == (1 if held else None)
    assert_allclose([verdict.gap, verdict.shortfall], [gap, shortfall], atol=1e-12)


def test_tolerance_may_be_stated():
    assert room.assess("equals", 100.0, [97.0], tolerance=3.0).status == "on_track"
    assert room.assess("equals", 100.0, [97.0]).status == "off_track"


def test_undated_targets_are_judged_at_the_end_and_say_so():
    verdict = room.assess("at_least", 0.5, [0.6, 0.4])
    assert (verdict.dated, verdict.due_month, verdict.status) == (False, 2, "off_track")
    assert verdict.reached_month == 1
    assert room.assess("at_least", 0.5, [0.6, 0.4], due_month=1).dated


def test_no_goal_of_zero_is_divided_by():
    assert room.assess("at_most", 0.0, [1.0]).gap_rel is None


@pytest.mark.parametrize("hits, status", [(80, "on_track"), (79, "at_risk"), (20, "at_risk"), (19, "off_track")])
def test_draws_decide_by_probability(hits, status):
    path = np.concatenate([np.full((hits, 1), 2.0), np.zeros((100 - hits, 1))])
    verdict = room.assess("at_least", 1.0, path)
    assert (verdict.status, verdict.probability) == (status, hits / 100)
    assert verdict.interval.low < verdict.probability < verdict.interval.high


def test_range_of_the_draws():
    path = np.random.default_rng(5).normal(10.0, 1.0, (20_000, 3))
    verdict = room.assess("at_least", 10.0, path, due_month=2)
    assert_allclose([verdict.low, verdict.value, verdict.high], [10 - 1.2816, 10, 10 + 1.2816], atol=0.05)
    assert abs(verdict.probability - 0.5) < 4 * (0.25 / 20_000) ** 0.5


def test_what_is_not_forecast_is_not_measured():
    verdict = room.assess("at_least", 60.0, None, due_month=12)
    assert (verdict.status, verdict.value, verdict.reason) == ("not_measured", None, "not_forecast")
    empty = room.assess("at_least", 0.5, [np.nan, 0.4], due_month=1)
    assert (empty.status, empty.reason, empty.gap) == ("not_measured", "undefined_at_due_month", None)
    assert room.assess("at_least", 0.3, [np.nan, 0.4], due_month=2).reached_month == 2


def test_an_undefined_month_of_one_draw_spoils_no_other_month():
    path = np.array([[np.nan, 1.0], [1.0, 1.0]])
    verdict = room.assess("at_least", 1.0, path, due_month=2)
    assert (verdict.probability, verdict.reached_month) == (1.0, 2)


@calm
@given(
    arrays(float, (4, 6), elements=st.floats(-1e6, 1e6)), st.floats(-1e6, 1e6), st.integers(1, 6),
    st.sampled_from([("at_least", "below"), ("at_most", "above")]),
)
def test_opposite_targets_complement_each_other(path, goal, due, ops):
    one, other = (room.assess(op, goal, path, due_month=due) for op in ops)
    assert one.probability + other.probability == pytest.approx(1.0)
    assert one.gap == other.gap


@pytest.mark.parametrize(
    "change, field",
    [
        ({"op": "more_than"}, "op"),
        ({"goal": np.nan}, "goal"),
        ({"goal": "1000"}, "goal"),
        ({"op": "between", "goal": 3.0}, "goal"),
        ({"op": "between", "goal": (2.0, 1.0)}, "goal"),
        ({"path": []}, "path"),
        ({"path": [np.inf]}, "path"),
        ({"path": ["1"]}, "path"),
        ({"due_month": 0}, "due_month"),
        ({"due_month": 4}, "due_month"),
        ({"go": 0.1}, "stop"),
        ({"tolerance": -1.0}, "tolerance"),
    ],
)
def test_bad_input_names_the_field(change, field):
    arguments = {"op": "at_least", "goal": 1.0, "path": [1.0, 2.0, 3.0], "due_month": 2} | change
    with pytest.raises(InputError) as caught:
        room.assess(arguments.pop("op"), arguments.pop("goal"), arguments.pop("path"), **arguments)
    assert caught.value.problems[0].field == field


# lifecycle


def test_seed_order_check():
    """systems.yaml aarrr-funnel: 50 %, 60 %, 40 % of all new users fail at the first pair and nowhere else."""
    names = ["first_interaction", "retention_d7", "retention_m1"]
    assert room.order_check(names, [0.50, 0.60, 0.40]) == (("first_interaction", "retention_d7"),)
    assert room.order_check(names, [0.60, 0.50, 0.40]) == ()
    assert room.order_check(names, [0.40, 0.40, 0.40]) == ()


def test_lifecycle_volumes():
    got = room.lifecycle_volumes(
        [[100.0, 200.0, 0.0]], activation=0.5, retention=0.4, revenue=0.12, referral=0.1,
        lag_months={"retention": 1, "referral": 5},
    )
    assert got.stages == ("acquisition", "activation", "retention", "revenue", "referral")
    assert_allclose(got.volumes[0], [[100, 50, 0, 12, 0], [200, 100, 40, 24, 0], [0, 0, 80, 0, 0]])


def test_stage_gap_by_hand():
    # joined x activation x conversion, only the conversion is short
    split = room.stage_gap([1000.0, 500.0, 60.0], [1000.0, 500.0, 40.0], ["joined", "activated", "buyers"])
    assert_allclose(split.parts, [0, 0, -20], atol=1e-12)
    assert (float(split.gap), split.bottleneck) == (-20.0, "buyers")
    better = room.stage_gap([10.0, 5.0], [20.0, 10.0], ["joined", "activated"])
    assert better.bottleneck is None


def test_stage_gap_is_the_split_of_the_chain():
    plan, real = {"users": 1e6, "rate": 0.06, "aov": 180.0}, {"users": 8e5, "rate": 0.05, "aov": 200.0}
    volumes = [np.cumprod(list(side.values())) for side in (plan, real)]
    split = room.stage_gap(*volumes, list(plan))
    assert_allclose(split.parts, list(lmdi_by_name(plan, real).parts.values()))


volumes = arrays(float, (5, 4), elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e3))).map(
    lambda rates: np.cumprod(rates, axis=-1)
)


@calm
@given(volumes, volumes)
def test_stage_parts_sum_to_the_gap(plan, actual):
    split = room.stage_gap(plan, actual, ["a", "b", "c", "d"])
    scale = np.maximum(plan[:, -1], actual[:, -1])
    assert (np.abs(split.parts.sum(axis=-1) - split.gap) <= 1e-9 * np.maximum(scale, 1.0)).all()


@pytest.mark.parametrize("call, field", [
    (lambda: room.stage_gap([0.0, 5.0], [1.0, 1.0], ["a", "b"]), "plan"),
    (lambda: room.stage_gap([1.0, 5.0], [1.0], ["a", "b"]), "actual"),
    (lambda: room.stage_gap([1.0, 5.0], [1.0, 1.0], ["a"]), "names"),
    (lambda: room.order_check(["a"], [0.5, 0.6]), "names"),
    (lambda: room.order_check(["a"], [1.5]), "shares[0]"),
    (lambda: room.lifecycle_volumes([1.0], activation=1.5, retention=0, revenue=0, referral=0), "activation"),
    (lambda: room.lifecycle_volumes([1.0], activation=0, retention=0, revenue=0, referral=1.0), "referral"),
    (lambda: room.lifecycle_volumes([1.0], activation=0, retention=0, revenue=0, referral=0, lag_months={"x": 1}),
     "lag_months"),
])
def test_bad_lifecycle(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field
