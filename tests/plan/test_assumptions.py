"""Every assumption has its row, its name in both languages, and its reason."""

from pathlib import Path

import pytest

from planlib.plan import leaves, load_plan
from planlib.plan.assumptions import assumptions, counts, rows

ROOT = Path(__file__).parents[2]
PLANS = [ROOT / "params" / f"{name}.yaml" for name in ("wechat_platform", "private_domain_2026")]
PLANS.append(Path(__file__).parent / "minimal.yaml")


@pytest.fixture(params=PLANS, ids=lambda path: path.stem)
def plan(request):
    return load_plan(request.param)


def test_none_is_left_out(plan):
    assumed = {path for path, leaf in leaves(plan.model) if leaf.source == "assumption"}
    listed = {row["path"] for row in assumptions(plan)}
    assert listed - assumed <= {"schedule.tasks", "risks"}
    assert assumed <= listed


def test_grouping_loses_nothing(plan):
    every, grouped = assumptions(plan), assumptions(plan, grouped=True)
    assert sum(row["count"] for row in grouped) == sum(row["count"] for row in every)
    assert len(grouped) <= len(every)


def test_names_are_words_not_paths(plan):
    for row in assumptions(plan) + assumptions(plan, grouped=True):
        for locale in ("zh", "en"):
            assert row[f"label_{locale}"] not in ("", row["path"])
            assert row[f"why_{locale}"]


def test_labels_are_told_apart(plan):
    labels = [row["label_zh"] for row in assumptions(plan)]
    assert len(labels) == len(set(labels))


def test_a_group_spans_its_members():
    plan = load_plan(PLANS[0])
    row = next(row for row in assumptions(plan, grouped=True) if row["path"] == "team.roles.*.cost_per_year")
    costs = [role.cost_per_year.central for role in plan.team.roles.values()]
    assert (row["low"], row["high"], row["count"], row["value"]) == (min(costs), max(costs), len(costs), None)
    assert row["why_zh"] == next(iter(plan.team.roles.values())).cost_per_year.why.zh


def test_different_reasons_are_not_passed_for_one():
    grouped = assumptions(load_plan(PLANS[0]), grouped=True)
    row = next(row for row in grouped if row["path"] == "experiments[].traffic_per_week")
    assert row["why_zh"] == "逐项理由见方案文件"


def test_figures_keep_unit_range_and_period():
    found = {row["path"]: row for row in assumptions(load_plan(PLANS[0]))}
    aov = found["baseline.aov"]
    assert (aov["value"], aov["low"], aov["high"], aov["unit"]) == (200, 150, 250, "CNY_per_order")
    assert found["baseline.total_gmv"]["period"] == "year"
    assert found["channels[0].intake"]["label_en"] == "Official account articles: new users"


def test_rows_keep_the_order_asked_for_and_any_source():
    found = rows(load_plan(PLANS[0]), ["users.churn", "baseline.aov", "users.nothing"])
    assert [row["path"] for row in found] == ["users.churn", "baseline.aov"]
    assert found[0]["source"] == "W2.3"


def test_counts():
    found = counts(load_plan(PLANS[2]))
    assert (found["targets"], found["channels"], found["stages"], found["risks"]) == (2, 2, 2, 0)
    assert found["assumed"] == 8
    assert found["quantities"] == 13
