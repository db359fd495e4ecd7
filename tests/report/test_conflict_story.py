"""What notebook 20 says and draws of conflicts: a floor missed, a ceiling exceeded, several figures, none."""

from pathlib import Path

import pytest

from planlib.consistency import conflict_rows as rows
from planlib.consistency.conflicts import Analysis
from planlib.consistency.view import View
from planlib.core.words import LOCALES, words
from planlib.plan import load_plan
from planlib.report import conflict_story as story
from planlib.report.charts import base
from planlib.report.charts import conflicts as charts
from tests.report.test_funnel_story import Desk

ROOT = Path(__file__).resolve().parents[2]
PLANS = {"floor": "params/wechat_platform.yaml", "ceiling": "params/private_domain_2026.yaml",
         "none": "tests/plan/minimal.yaml"}  # fmt: skip


def analysed(name, *sets):
    plan = load_plan(ROOT / PLANS[name], sets=sets)
    return Analysis(View([plan]), plan)


@pytest.fixture(scope="module")
def analyses():
    return {name: analysed(name) for name in PLANS}


def drawn(analysis, clash, locale):
    found = next(row for row in rows.set_rows(analysis) if row["id"] == clash.id)
    loss = analysis.with_loss(clash)
    data = charts.ConflictData(
        {"zh": found["first_zh"], "en": found["first_en"]}, clash.rules[0].due, found["goal"], found["reach"],
        found["unit"], rows.part_rows(analysis, clash), rows.cards(rows.change_rows(analysis, clash)),
        loss.reach if loss else None,
    )  # fmt: skip
    figure = charts.conflict(data, words(locale))
    assert base.svg(figure)
    return {text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))}


@pytest.mark.parametrize("locale, wanted", [
    ("en", {"0 + 300k = 300k", "1m", "<", "Missing 700k, 70.0% of what is asked", "with churn it comes to 246k only",
            "203k", "no solution", "never above 625k", "300k at best", "50k × 6"}),
    ("zh", {"0 ＋ 30 万 ＝ 30 万", "100 万", "＜", "缺 70 万，占要求的 70.0%", "20.3 万",
            "无解", "永远不超过 62.5 万"}),
])  # fmt: skip
def test_a_floor_that_is_missed(analyses, locale, wanted):
    analysis = analyses["floor"]
    assert wanted <= drawn(analysis, rows.main_conflict(analysis), locale)


@pytest.mark.parametrize("locale, wanted", [
    ("en", {"60.0%", ">", "20.0%", "40.0 points over", "Cap", "Needed"}),
    ("zh", {"60.0%", "＞", "20.0%", "超出 40.0 个百分点", "上限", "至少须有"}),
])  # fmt: skip
def test_a_ceiling_that_is_exceeded(analyses, locale, wanted):
    analysis = analyses["ceiling"]
    assert wanted <= drawn(analysis, rows.main_conflict(analysis), locale)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_set_of_w_can_be_drawn(analyses, locale):
    analysis = analyses["floor"]
    for clash in analysis.conflicts[::5]:
        assert drawn(analysis, clash, locale)


@pytest.mark.parametrize(("name", "said", "pages"), [
    ("floor", "4 of them under any reading", {"conflict", "conflict_sets"}),
    ("ceiling", "as read strictly", {"conflict", "conflict_sets"}),
    ("none", "Everything that can be reckoned holds together", set()),
])  # fmt: skip
def test_heading_and_pages(analyses, name, said, pages):
    analysis, desk = analyses[name], Desk()
    found, clash = rows.set_rows(analysis), rows.main_conflict(analysis)
    heading = story.sets(desk, found, complete=analysis.complete)
    if clash:
        row = next(row for row in found if row["id"] == clash.id)
        loss = analysis.with_loss(clash)
        story.page(desk, row, rows.second(clash), left=loss.reach if loss else None)
        heads = {n: f"conflicts.head.{n}" for n in ("level", "first", "due", "goal", "reach", "missed", "others")}
        story.table_page(
            desk, heads, certain=row["level"] == "contradiction", more=len(story.shown(found)) < len(found)
        )
    assert said in desk.said(heading, "en")
    assert {page["id"] for page in desk._record["pages"]} == pages
    for page in desk._record["pages"]:
        for locale in LOCALES:
            assert all(desk.said(page[part], locale) for part in ("title", "subtitle", "reading", "source"))


def test_a_set_of_three_names_how_many_there_are(analyses):
    analysis, desk = analyses["floor"], Desk()
    clash = next(c for c in analysis.conflicts if len(c.rules) == 3 and c.rules[0].due)
    row = next(row for row in rows.set_rows(analysis) if row["id"] == clash.id)
    story.sets(desk, [row], complete=True)
    story.page(desk, row, rows.second(clash), left=None)
    assert "cannot hold with 2 other figures" in desk.said(desk._record["pages"][0]["title"], "en")


def test_rows_hold_the_numbers_in_full(analyses):
    analysis = analyses["floor"]
    found = rows.change_rows(analysis, rows.main_conflict(analysis))
    intake, month, opening, churn = rows.cards(found)
    assert (intake["now"], intake["needed"]) == (50_000, pytest.approx(203_229, rel=1e-5))
    assert (month["kind"], month["needed"], month["best"]) == ("month", None, pytest.approx(625_000))
    assert opening["factor"] is None  # nothing times something
    assert (churn["needed"], churn["best"]) == (None, pytest.approx(300_000))
    assert {row["what_zh"] for row in rows.nearest_rows(analysis)} >= {"每月新增私域用户", "总预算"}
