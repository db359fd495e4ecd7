"""The two plans that ship: they say what the documents say, and no assumption of ours hides a tension."""

import datetime as dt
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from planlib.funnel.retention import fit_curve
from planlib.funnel.users import required_adds, stock_at
from planlib.plan import load_plan
from planlib.plan import model as m
from planlib.plan.load import leaves, statements

PARAMS = Path(__file__).parents[2] / "params"
W = PARAMS / "wechat_platform.yaml"
P = PARAMS / "private_domain_2026.yaml"


@pytest.fixture(scope="module")
def w():
    return load_plan(W)


@pytest.fixture(scope="module")
def p():
    return load_plan(P)


def by_id(plan):
    """Return every row that carries a fact's id."""
    rows = {leaf.id: leaf for _, leaf in leaves(plan.model) if getattr(leaf, "id", None)}
    return rows | {stage.statement: stage for stage in plan.schedule.stages}


def said(plan, metric):
    """Return all statements on a metric."""
    return [row for _, row in statements(plan.model) if row.metric == metric]


def intake(plan):
    return sum(channel.intake.central for channel in plan.channels)


def users_at(plan, month):
    churn = plan.users.churn
    assert churn.period == "month"
    opening = plan.baseline.opening_users.central
    return stock_at(month, adds=intake(plan), churn=churn.central, opening_users=opening)


@pytest.mark.parametrize(
    "file, head",
    [
        (W, ("wechat_platform", "2027-01", 24, 20270101)),
        (P, ("private_domain_2026", "2026-01", 12, 20260101)),
    ],
)
def test_heads(file, head):
    plan = load_plan(file)
    assert (plan.id, plan.start, plan.months, plan.seed) == head


@pytest.mark.parametrize("file", [W, P])
def test_a_resolved_plan_is_the_same_plan(file, tmp_path):
    plan = load_plan(file)
    copy = tmp_path / "plan.json"
    copy.write_text(plan.resolved_json(), encoding="utf-8")
    assert load_plan(copy).sha256 == plan.sha256


@pytest.mark.parametrize("file", [W, P])
def test_every_reason_stands_in_both_languages(file):
    for where, leaf in leaves(load_plan(file).model):
        for text in (leaf.why, leaf.note):
            assert text is None or isinstance(text, m.Bilingual), where


@pytest.mark.parametrize("file", [W, P])
def test_what_p_and_w_do_not_say_is_an_assumption(file):
    """A number comes from a section of the plan's own document, from the platform, or says that it is assumed."""
    own = "P" if file == P else "W"
    for where, leaf in leaves(load_plan(file).model):
        assert leaf.source in ("assumption", "platform") or leaf.source.startswith(own), where


@pytest.mark.parametrize("file", [W, P])
def test_tasks_and_gates_have_an_order(file):
    schedule = load_plan(file).schedule
    after = {row.id: row.after for row in schedule.gates}
    after |= {row.id: (*row.after, *(link.task for link in row.links)) for row in schedule.tasks}
    order = list(TopologicalSorter(after).static_order())
    assert set(order) == set(after)


def test_w_keeps_what_contradicts_itself(w):
    rows = by_id(w)
    six, year = rows["w-users-six-months"], rows["w-users-year1"]
    assert (six.above, six.by_month) == (1_000_000, 6)
    assert (year.above, year.by_month) == (1_000_000, 12)
    assert (rows["w-mau-rate-strategic"].equals, rows["w-mau-rate-evaluation"].equals) == (0.5, 0.6)
    assert (rows["w-ltv-multiple-business"].equals, rows["w-ltv-multiple-evaluation"].equals) == (1.8, 2)
    assert (rows["w-availability-target"].at_least, rows["w-incident-trigger"].below) == (0.999, 0.999)
    assert rows["w-gmv-share-year"].denominator != rows["w-gmv-share-two-years"].denominator


def test_w_user_goal_stays_out_of_reach(w):
    assert w.baseline.opening_users.value == 0
    assert w.baseline.opening_users.source == "assumption"
    assert intake(w) == by_id(w)["w-new-users-monthly"].equals == 50_000
    assert users_at(w, 6) == pytest.approx(246_028, abs=1)
    assert users_at(w, 12) == pytest.approx(395_209, abs=1)


def test_w_intake_is_as_stated_in_mean_and_split(w):
    for channel in w.channels:
        low, high = channel.intake.span
        assert low + high == 2 * channel.intake.mode  # symmetric: the mean is the mode
        assert channel.from_stage is None  # "each month" is from month 1
    organic = sum(channel.intake.mode for channel in w.channels if not channel.paid)
    assert organic / intake(w) == by_id(w)["w-organic-share"].equals == 0.4


def test_w_response_curves_pass_through_the_assumed_intake(w):
    spend = {"moments_ads": 540_000, "partners": 120_000, "referral": 48_000}
    for channel in w.channels:
        if channel.response is not None:
            curve = channel.response
            assert curve.curve == "hill" and curve.shape == 1
            at = curve.ceiling * spend[channel.id] / (spend[channel.id] + curve.half_spend)
            assert at == pytest.approx(channel.intake.mode)


def test_w_declares_no_meaning_that_the_document_leaves_open(w):
    rows = by_id(w)
    assert rows["w-churn-rate"].period is None
    assert rows["w-reactivation-rate"].period is None
    assert rows["w-activation-rate"].denominator is None
    assert rows["w-conversion-rate"].denominator is None
    assert rows["w-cac-cap"].denominator is None
    assert rows["w-availability-target"].window_days is None
    assert w.team.users_per_operator.counts is None
    read = {row.unit for row in rows.values() if isinstance(row, m.Statement) and row.reading}
    assert read == {"multiple"}  # of a lift no reading is stated
    for metric in ("consent_rate", "activity_window", "dormant_window", "retention_d90", "schedule_slack"):
        assert not said(w, metric), metric
    assert {row.source for row in said(w, "push_frequency")} == {"platform"}


def test_w_sums_that_do_not_meet(w):
    bands = w.budget.bands.values()
    assert sum(band.between[0] for band in bands) == pytest.approx(0.90)
    assert sum(band.between[1] for band in bands) == pytest.approx(1.15)
    people = [role.people for role in w.team.roles.values()]
    assert (sum(low for low, _ in people), sum(high for _, high in people)) == (11, 18)
    assert w.team.size.equals == 50 and w.team.exhaustive
    marketing = w.budget.total.central * w.budget.bands["marketing"].between[1]
    assert w.budget.total.source == "assumption"
    assert marketing < 12 * by_id(w)["w-new-users-monthly"].equals * by_id(w)["w-cac-cap"].at_most


def test_w_stages_are_as_typed_and_the_network_does_not_fit_the_first(w):
    assert [stage.months for stage in w.schedule.stages] == [(1, 2), (3, 4), (5, 8), (9, 12)]
    assert [stage.id for stage in w.schedule.stages if "acquisition" in stage.permits] == ["traffic", "optimise"]
    chain = ["platform_requirements", "platform_design", "platform_build", "platform_test", "platform_live"]
    days = {task.id: task.days for task in w.schedule.tasks}
    best, likely, _ = (sum(days[task][point] for task in chain) for point in range(3))
    assert best <= 40 < likely  # two months are about forty working days


def test_retention_points_fit_the_curve(w):
    curve = fit_curve({7: w.users.retention.points["d7"], 30: w.users.retention.points["m1"]}, w.users.retention.curve)
    assert curve.at([7, 30]) == pytest.approx([0.6, 0.4], abs=1e-6)


def test_w_schemes_count_more_axes_than_their_classes_can_have(w):
    rfms = by_id(w)["w-rfms-segments"]
    assert (rfms.classes, len(rfms.axes), rfms.named, rfms.merge_rule, rfms.cuts) == (8, 4, 3, None, {})


def test_p_dates_stay_before_what_enables_them(p):
    rows = by_id(p)
    due = {row.deadline_of: row.by_month for row in p.schedule.milestones if row.deadline_of}
    assert due == {"private_domain_users": 6, "conversion_rate": 4, "roi": 3}
    enablers = [row.by_month for row in p.schedule.milestones if "conversion_rate" in row.enables]
    assert enablers == [4, 5, 6]
    assert all(stage.months is None for stage in p.schedule.stages)
    assert (rows["p-segmentation-h1"].by_month, rows["p-node-segmentation"].by_month) == (6, 4)


def test_p_says_that_its_levels_are_borrowed(p, w):
    for name in ("churn", "staying_active", "waking", "conversion", "repurchase"):
        mine, theirs = getattr(p.users, name), getattr(w.users, name)
        assert mine.source == "assumption" and mine.value == theirs.value
        assert theirs.source.startswith("W")
        assert theirs.source in mine.why.en and theirs.source in mine.why.zh
    assert intake(p) == 50_000
    assert not p.baseline.quoted
    shares = [row.equals for row in p.budget.purposes]
    assert shares == [0.6, 0.2] and all(row.denominator is None for row in p.budget.purposes)


def test_p_segments_keep_the_axis_that_is_not_named(p):
    nine = by_id(p)["p-nine-class"]
    assert (nine.classes, len(nine.axes), nine.named) == (9, by_id(p)["p-nine-class-dimensions"].equals, 4)


def test_scenario_twelve_months_moves_the_date_only(w):
    other = load_plan(W, scenario="month_12_binds")
    assert by_id(other)["w-users-six-months"].by_month == 12
    assert users_at(other, 12) == users_at(w, 12) < 1_000_000


def test_scenario_opening_base_reaches_the_goal():
    assert users_at(load_plan(W, scenario="opening_base_700k"), 6) == 1_000_000


def test_scenario_intake_reaches_the_goal_and_little_more():
    plan = load_plan(W, scenario="intake_204k")
    assert by_id(plan)["w-new-users-monthly"].equals == intake(plan)
    assert 1_000_000 < users_at(plan, 6) < 1_005_000
    assert intake(plan) - required_adds(1_000_000, 6, churn=plan.users.churn.value) < 1_000


def test_scenario_traffic_stage_opens_every_channel_in_month_five():
    plan = load_plan(W, scenario="traffic_stage_only")
    opens = {stage.id: stage.months[0] for stage in plan.schedule.stages}
    assert {opens[channel.from_stage] for channel in plan.channels} == {5}


def test_scenario_yearly_churn_changes_the_period():
    assert load_plan(W, scenario="yearly_churn").users.churn.period == "year"


def test_scenario_of_p_puts_outcomes_after_their_enablers():
    stones = load_plan(P, scenario="outcomes_after_delivery").schedule.milestones
    for stone in stones:
        if stone.deadline_of:
            before = [row.by_month for row in stones if stone.deadline_of in row.enables]
            assert all(month < stone.by_month for month in before), stone.id


def test_scenario_of_p_names_the_base_of_its_purposes():
    plan = load_plan(P, scenario="purposes_of_marketing")
    assert {row.denominator for row in plan.budget.purposes} == {"marketing_budget"}


def test_seeds_are_the_first_day_of_the_plan(w, p):
    for plan in (w, p):
        assert dt.date.fromisoformat(f"{plan.start}-01").strftime("%Y%m%d") == str(plan.seed)


# ---- experiments


@pytest.mark.parametrize("name", ["wechat_platform", "private_domain_2026", "sample_brand"])
def test_every_test_watches_exits_and_complaints(name):
    tests = load_plan(PARAMS / f"{name}.yaml").experiments
    for test in tests:
        watched = {test.primary, *(guardrail.metric for guardrail in test.guardrails)}
        assert watched & {"opt_out_rate", "group_exit_rate"} and "complaint_rate" in watched, test.id


def test_the_kinds_of_tests_ship(w, p):
    sample = load_plan(PARAMS / "sample_brand.yaml")
    assert {"welcome_coupon", "activation_outreach", "coupon_size", "member_price", "push_frequency"} <= {
        test.id for test in w.experiments
    }
    assert {"segment_strategy", "content_type", "send_time"} <= {test.id for test in p.experiments}
    assert {"content_type", "send_time", "layered_strategy"} <= {test.id for test in sample.experiments}


def test_a_test_of_prices_waits_for_a_review(w):
    assert [test.id for test in w.experiments if test.review] == ["member_price"]


def test_what_a_test_is_worth_rests_on_assumptions_that_say_so(w, p):
    for test in (*w.experiments, *p.experiments):
        for name in ("effect_sd", "gmv_share", "cost", "correlation", "traffic_four_weeks"):
            found = getattr(test, name)
            assert found is None or (found.source == "assumption" and found.why), (test.id, name)
        assert test.effect_sd and test.gmv_share, test.id
