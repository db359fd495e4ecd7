"""Plans unpacked into arrays and rows."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.plan import inputs, load_plan

HERE = Path(__file__).parent
MINIMAL = HERE / "minimal.yaml"
SHIPPED = HERE.parents[1] / "params" / "wechat_platform.yaml"


def plan(*sets):
    return load_plan(MINIMAL, sets=sets)


def source(value, **more):
    fields = ", ".join(f"{k}: {v}" for k, v in {"value": value, **more, "source": "W2.2"}.items())
    return f"{{{fields}}}"


@pytest.mark.parametrize(
    "period, expected", [("day", 360), ("week", 360 / 7), ("month", 12), ("quarter", 4), ("half_year", 2), ("year", 1)]
)
def test_amounts_by_period(period, expected):
    found = plan(f"baseline.total_gmv={source(12, period=period)}")
    assert inputs.per_month(found.baseline.total_gmv, "year") == pytest.approx(expected)


def test_people_a_day_are_thirty_a_month():
    found = plan(f"channels.moments_ads.intake={source(100, unit='users_per_day')}")
    assert inputs.per_month(found.channels[1].intake) == pytest.approx(3_000)


def test_channels_open_with_their_stage():
    found = inputs.open_months(plan())
    assert found[:, 0].all()
    assert found[:, 1].tolist() == [False] * 4 + [True] * 8


def test_intake_stands_at_its_middle_inside_calendar_and_season():
    assert_allclose(inputs.intake_matrix(plan())[3:5], [[12_000, 0], [12_000, 5_000]])
    season = plan("users.seasonality=[1,1,1,1,1,1,1,1,1,1,1,3]", "plan.start=2026-12")
    assert_allclose(inputs.season(season)[:2], [3, 1])
    assert_allclose(inputs.intake_matrix(season)[:2, 0], [36_000, 12_000])


def test_a_channel_with_a_response_alone_brings_half_its_ceiling(tmp_path):
    intake = "intake: {value: 5_000,"
    response = "response: {curve: hill, ceiling: 50_000, half_spend: 1_000,"
    written = MINIMAL.read_text(encoding="utf-8")
    assert intake in written
    (tmp_path / "plan.yaml").write_text(written.replace(intake, response), encoding="utf-8")
    assert inputs.intake_matrix(load_plan(tmp_path / "plan.yaml"))[-1, 1] == 25_000


LOOP = f"{{invites_per_user: {source(2)}, acceptance_rate: {source(0.1)}, cycle_days: {source(50)}}}"


def test_referral_is_counted_once():
    assert inputs.referral_loop(plan()) == (0.0, 1)
    factor, cycle = inputs.referral_loop(plan(f"users.referral={LOOP}"))
    assert (round(factor, 6), cycle) == (0.2, 2)
    assert inputs.referral_loop(plan(f"users.referral={LOOP}", "channels.moments_ads.referral=true")) == (0.0, 1)


def test_repeat_orders_are_those_of_the_window():
    assert inputs.repeat_orders(plan()) == (2.0, 12)
    half = plan(f"users.repurchase={source(0.3, period='half_year')}")
    assert inputs.repeat_orders(half) == (1.0, 6)  # two a year are one in half a year
    few = plan(f"users.orders_per_repeat_buyer={source(0.5)}")
    assert inputs.repeat_orders(few)[0] == 1.0


def test_lifecycle_rates_say_where_they_come_from():
    rates = inputs.lifecycle_rates(plan())
    assert rates["activation"] == (0.6, "retention_d7")
    assert rates["retention"] == (0.4, "retention_m1")
    assert rates["referral"] == (0.0, "referral_share")
    assert inputs.lifecycle_rates(load_plan(SHIPPED))["activation"] == (0.5, "first_interaction_rate")
    assert inputs.lifecycle_rates(load_plan(SHIPPED))["referral"] == (pytest.approx(0.12), "referral_share")
    late = plan("users.retention.points={m3: 0.3}")
    assert inputs.lifecycle_rates(late)["activation"] == (0.3, "retention_d90")


def test_equalities_are_read_in_the_metric_s_direction():
    rows = {row["id"]: row for row in inputs.goals(load_plan(SHIPPED))}
    assert rows["w-churn-rate"]["op"] == "at_most"
    assert rows["w-mau-rate-strategic"]["op"] == "at_least"
    assert rows["w-mau-rate-strategic"]["stated_op"] == "equals"
    assert rows["w-users-six-months"]["op"] == "above"


@pytest.mark.parametrize(
    "target, qualifier, reason",
    [
        ("w-aov-lift", "change", "change"),
        ("w-repurchase-multiple", "multiple", "change"),
        ("w-gmv-share-two-years", "on_gmv", ""),
        ("w-mau-rate-strategic", "undated", ""),
        ("w-users-six-months", "", ""),
        ("w-video-completion", "undated", "part"),
    ],
)
def test_goals_say_what_keeps_them_from_being_judged(target, qualifier, reason):
    row = next(row for row in inputs.goals(load_plan(SHIPPED)) if row["id"] == target)
    assert (row["qualifier"], row["open_reason"]) == (qualifier, reason)


def test_every_row_of_the_table_has_every_column():
    verdict = dict.fromkeys(("forecast", "gap_rel", "reached_month", "shortfall", "assumed")) | {
        "judged_month": 12, "status": "not_measured", "reason": "not_modelled",
    }  # fmt: skip
    verdicts = [goal | verdict for goal in inputs.goals(load_plan(SHIPPED))]
    for row in inputs.target_rows(verdicts):
        assert set(row) == set(inputs.TARGET_COLUMNS)
        assert np.isnan(row["forecast"])
    (group,) = inputs.open_rows(verdicts)
    assert set(group) == set(inputs.OPEN_COLUMNS)
    assert group["count"] == len(verdicts)
    assert group["names_zh"].count("月活跃率") == 1
