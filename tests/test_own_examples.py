"""Where does a change go: the examples of docs/own.md, each run; the notebook's in workbook/test_own_notebooks.py."""

import datetime as dt
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from planlib import reviewing
from planlib.baseline.levels import beside_goal, measured, share
from planlib.consistency.screen import Options, check_plans
from planlib.core import own
from planlib.core.metrics import catalogue
from planlib.core.words import words
from planlib.data import baseline as data
from planlib.funnel.model import Drivers, run
from planlib.plan import budget_inputs, inputs, load_plan, uncertain
from planlib.report import baseline_story
from planlib.report.review_story import score_drawn
from planlib.review import scorecard
from tests.data.tables import engine

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "params" / "wechat_platform.yaml"
BLOCK = re.compile(r"```yaml (\w+)\n(.*?)```", re.DOTALL)
AS_OF = dt.date(2027, 3, 31)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(own, "_known", {})
    monkeypatch.setattr(own, "_in_force", [])


def blocks(page):
    return dict(BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def plan_of(name, folder):
    """Load an example as a plan file beside the one that it extends."""
    shutil.copy(PLAN, folder)
    (folder / "mine.yaml").write_text(blocks("own.md")[name], encoding="utf-8")
    return load_plan(folder / "mine.yaml")


def test_both_pages_have_the_same_examples():
    assert blocks("own.md") == blocks("own.zh.md")
    assert list(blocks("own.md")) == ["kpi", "channel", "rule", "look"]


def test_a_kpi_reaches_baseline_ladder_and_scorecard(tmp_path):
    plan = plan_of("kpi", tmp_path)
    at = {"created_at": dt.datetime(2027, 3, 20), "paid_at": dt.datetime(2027, 3, 21)}
    paid = [{"order_id": f"o{n}", **at, "status": 20, "order_yuan": 10, "is_present": n < 30} for n in range(200)]
    joined = {"staff_id": "s", "added_at": dt.datetime(2027, 1, 5), "is_active": True}
    users = [{"external_hid": f"c{n}", **joined} for n in range(400)]
    old = {"order_id": "old", "created_at": dt.datetime(2026, 12, 1), "status": 10, "order_yuan": 1}
    with engine(tmp_path, orders=[*paid, old], follow_edges=users) as tables:
        found = data.collect(tables, as_of=AS_OF)
    mine = {name: sums for name, sums in found.sums.items() if name.startswith("own_")}
    levels = {name: measured(data.measures()[name].form, sums) for name, sums in mine.items()}
    assert (levels["own_gift_share"].value, levels["own_gift_share"].n) == (0.15, 200)
    assert levels["own_orders_per_contact"].value == 0.5

    goals = inputs.goals(plan)
    rows = baseline_story.scorecard_rows(levels, data.measures(), goals, {}, beside_goal)
    row = next(row for row in rows if row["metric"] == "own_gift_share")
    assert (row["goal"], row["verdict"], row["unit"], row["targeted"]) == (0.2, "unclear", "ratio", True)
    assert words("en").metric(row["metric"]) == "Share of gift orders"

    assert reviewing.planned_months(plan)["own_gift_share"][6] == 0.2
    lines = reviewing.score_lines(plan, levels, 3.0)
    scored = next(r for r in scorecard.score([line for line, _ in lines]) if r.line.metric == "own_gift_share")
    assert scored.line.plan == pytest.approx(0.15) and scored.line.actual == 0.15 and scored.status == "on_track"
    assert "own_gift_share" in {goal["metric"] for goal in goals}


def test_the_check_takes_all_of_them(tmp_path):
    texts = blocks("own.md")
    rest = (texts[name].partition("plan: {id: mine}\n")[2] for name in ("channel", "rule"))
    shutil.copy(PLAN, tmp_path)
    (tmp_path / "mine.yaml").write_text(texts["kpi"] + "".join(rest), encoding="utf-8")
    told = []
    status = check_plans([str(tmp_path / "mine.yaml")], words("en"), Options(None, (), True, False), told.append)
    assert status == 1 and len(told) > 20  # the contradictions of W itself are still told


def test_a_channel_is_one_row(tmp_path):
    plan, before = plan_of("channel", tmp_path), load_plan(PLAN)
    assert inputs.intake_matrix(plan).shape[1] == inputs.intake_matrix(before).shape[1] + 1
    added = inputs.intake_matrix(plan).sum(axis=1) - inputs.intake_matrix(before).sum(axis=1)
    np.testing.assert_allclose(added, 1_000)
    end = [run(Drivers(**uncertain.arguments(p))).metrics["private_domain_users"][0, -1] for p in (before, plan)]
    assert end[1] > end[0]
    found = budget_inputs.allocation_inputs(plan)
    assert "city_events" in found.arguments["channels"] and found.names["city_events"]["zh"] == "城市快闪"
    assert "city_events" not in found.left_out


def test_a_category_of_the_budget_is_one_row(tmp_path):
    row = (
        "{metric: content_cost, between: [0.01, 0.02], source: assumption, why: a guess, name: {zh: 样品, en: Samples}}"
    )
    plan = load_plan(PLAN, sets=(f"budget.bands.samples={row}",))
    assert budget_inputs.category_name("samples", plan.budget.bands["samples"]) == {"zh": "样品", "en": "Samples"}


def test_a_rule_is_one_row(tmp_path):
    found = budget_inputs.allocation_inputs(plan_of("rule", tmp_path))
    assert ("ads_cap", "channel_cost_cap", 35, "moments_ads") in found.arguments["limits"]
    assert "ads_cap" in found.enforced and found.rule_names["ads_cap"]["en"] == "Cap on the cost of feed ads"


def test_words_and_look_are_read(tmp_path):
    plan = plan_of("look", tmp_path)
    assert plan.report.brand.accent == "#7A1F5C"
    assert plan.report.pages["20_funnel_targets.targets"].title.en == "{users_end} users are expected at the end"


def test_the_page_of_the_scorecard_draws_own_metrics_first(tmp_path):
    plan = plan_of("kpi", tmp_path)
    levels = {name: share(30, 200) for name, m in catalogue().items() if m.unit == "ratio"}
    drawn = score_drawn(scorecard.score([line for line, _ in reviewing.score_lines(plan, levels, 3.0)]), {}, {})
    assert drawn[0].metric == "own_gift_share"
