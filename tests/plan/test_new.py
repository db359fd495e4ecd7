"""A plan of one's own, with the target template of a trade."""

import shutil
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.core.metrics import STAGES, catalogue
from planlib.core.words import words
from planlib.plan import load_plan
from planlib.plan.inputs import goals, lifecycle_rates
from planlib.plan.new import new_plan, trades

PARAMS = Path(__file__).parents[2] / "params"


@pytest.fixture
def folder(tmp_path):
    for file in PARAMS.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize("parent", ["wechat_platform.yaml", "private_domain_2026.yaml"])
@pytest.mark.parametrize("trade", sorted(trades()))
def test_a_trade_adds_its_metrics_and_leaves_everything_else(folder, parent, trade):
    """systems.yaml scene-target-templates: catering adds quarterly visits and leaves the AARRR metrics untouched."""
    before = load_plan(folder / parent)
    after = load_plan(new_plan("spring", folder / parent, trade=trade))
    added = [row for row in after.users.rules if row not in before.users.rules]
    assert [row.metric for row in added] == [row["metric"] for row in trades()[trade]["metrics"]]
    assert after.users.rules[: len(before.users.rules)] == before.users.rules
    assert all(row.operation is None and row.scope == trade for row in added)  # no number is invented
    assert all(row.window_days == catalogue()[row.metric].window and row.stage in STAGES for row in added)
    assert goals(after) == goals(before) and lifecycle_rates(after) == lifecycle_rates(before)
    for section in ("baseline", "targets", "channels", "budget", "schedule", "team", "limits"):
        assert getattr(after, section) == getattr(before, section)


def test_catering_adds_visits_in_a_quarter(folder):
    plan = load_plan(new_plan("spring", folder / "wechat_platform.yaml", trade="catering"))
    (visits,) = [row for row in plan.users.rules if row.metric == "visits_per_user"]
    assert (visits.window_days, visits.stage, visits.level) == (90, "retention", None)


@pytest.mark.parametrize("trade", sorted(trades()))
def test_templates_name_metrics_of_the_catalogue_in_both_languages(trade, folder):
    text = new_plan("spring", folder / "wechat_platform.yaml", trade=trade).read_text(encoding="utf-8")
    for row in trades()[trade]["metrics"]:
        metric = catalogue()[row["metric"]]
        assert (metric.stage, metric.window) == (row["stage"], row["window_days"])
        assert all(words(locale).metric(metric.id) in text for locale in ("zh", "en"))
    assert all(name in text for name in trades()[trade]["name"].values())
    assert max(map(len, text.splitlines())) <= 120


def test_a_row_becomes_a_target_when_it_is_given_a_level(folder):
    path = new_plan("spring", folder / "wechat_platform.yaml", trade="catering")
    head, _, rows = path.read_text(encoding="utf-8").partition("users:\n  rules:\n")
    rows = rows.replace("window_days: 90, source: P3.2a", "window_days: 90, at_least: 0.5, by_month: 6, source: P3.2a")
    path.write_text(head + "targets:\n" + rows.replace("    - ", "  - "), encoding="utf-8")
    assert [t.metric for t in load_plan(path).targets][-2:] == ["visits_per_user", "nearby_conversion_rate"]


def test_an_unknown_trade_lists_the_choices(folder):
    with pytest.raises(InputError) as caught:
        new_plan("spring", folder / "wechat_platform.yaml", trade="mining")
    (problem,) = caught.value.problems
    assert (problem.code, problem.field, problem.values["choice"]) == ("choice", "trade", "apparel, catering, retail")
    assert "apparel, catering, retail" in caught.value.render("zh")
    assert not (folder / "spring.yaml").exists()


def test_without_a_trade_nothing_is_added(folder):
    before = load_plan(folder / "wechat_platform.yaml")
    assert load_plan(new_plan("spring", folder / "wechat_platform.yaml")).users == before.users
