"""What notebook 20 says and draws of ladders, splits, tree, SMART and calibration, for plans of every outcome."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from planlib.core.words import LOCALES, words
from planlib.funnel.calibration import calibrate
from planlib.funnel.ladder import flow_ladder, ladder, quarters
from planlib.funnel.smart import Stated, smart
from planlib.funnel.split import split
from planlib.funnel.tree import Driver, target_tree
from planlib.plan import inputs, load_plan
from planlib.plan.ladders import ladders
from planlib.plan.organisation import Operators, units
from planlib.plan.smart import stated
from planlib.report import ladder_story as story
from planlib.report.charts import base as b
from planlib.report.charts import ladder as charts
from tests.report.test_funnel_story import Desk

MINIMAL = Path(__file__).parents[1] / "plan" / "minimal.yaml"
MONTHS = np.arange(1.0, 13)
HIGHER = 120_000 / 12 * MONTHS
CHAIN = [Driver("private_domain_users", 8e5), Driver("mau_rate", 0.4, ceiling=1.0), Driver("aov", 200.0)]


def judged(plan, forecast=None):
    rows = []
    for goal in inputs.goals(plan):
        level = forecast[-1] if forecast is not None and goal["metric"] == "private_domain_users" else None
        status = "not_measured" if level is None else "on_track" if level >= goal["goal"] else "off_track"
        rows.append(goal | {"forecast": level, "judged_month": 12, "status": status, "probability": None})
    return rows


def climb(*sets):
    plan = load_plan(MINIMAL, sets=sets)
    return plan, ladders(plan, ladder, flow_ladder)


def page(forecast, *sets, drawn=None):
    plan, climbs = climb(*sets)
    found = {} if forecast is None else {"private_domain_users": np.asarray(forecast)[None]}
    verdicts = judged(plan, forecast)
    main = story.main_ladder(climbs, verdicts, found)
    paths = {"private_domain_users": found.get("private_domain_users") if drawn is None else drawn}
    data = story.ladder_data(plan, main, verdicts, found, paths, inputs.stage_windows(plan))
    return main, data


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


LADDER = 100_000 / 12 * MONTHS  # of the minimal plan
CASES = {
    "alone": None,
    "ahead": HIGHER,
    "widening": 0.5 * LADDER,
    "behind": LADDER - [0, 0, 9e3, 20e3, 30e3, 20e3, 9e3, 8e3, 7e3, 6e3, 5e3, 4e3],
    "caught_up": LADDER - [0, 0, 0, 0, 0, 20e3, 0, 0, 0, 0, 0, 0],
}


@pytest.mark.parametrize("kind", CASES)
def test_the_page_says_how_the_forecast_stands(kind):
    book = Desk()
    main, data = page(CASES[kind])
    ref = story.ladder(book, main, data, ladders=1, problems=0)
    assert ref["text"] == f"ladder.say.{kind}"
    (recorded,) = book._record["pages"]
    for locale in LOCALES:
        for part in ("title", "subtitle", "reading", "source"):
            assert book.said(recorded[part], locale)
    figures = {entry["id"]: entry["value"] for entry in book._record["metrics"]}
    if kind == "behind":
        assert (figures["ladder_first"], figures["ladder_worst"]) == (3, 5)
        assert (figures["ladder_gap"], figures["ladder_gap_end"]) == pytest.approx((30_000, 4_000), abs=1)
    if kind == "widening":
        assert figures["ladder_gap"] == pytest.approx(50_000)
        assert "5 万" in book.said(ref) and "month 12" in book.said(ref, "en")


def test_without_dated_targets_it_says_so():
    book = Desk()
    assert story.main_ladder((), [], {}) is None
    assert story.ladder(book, None, None, ladders=0, problems=0)["text"] == "ladder.say.none"
    assert book._record["pages"] == []


def test_rows_put_the_ladder_beside_its_forecast_and_name_its_places():
    drawn = HIGHER * np.linspace(0.8, 1.2, 101)[:, None]
    main, data = page(HIGHER, "ladders={private_domain_users: {rungs: {6: 40_000}, source: W7.1}}", drawn=drawn)
    rows = pd.DataFrame(story.ladder_rows(main, data))
    assert rows.kind.tolist() == ["between"] * 5 + ["fixed"] + ["between"] * 5 + ["goal"]
    assert rows.value[5] == 40_000 and rows.gap[5] == 20_000 and rows.step.sum() == 100_000
    assert rows.path[5] == "ladders.private_domain_users.rungs.6"
    assert rows.low[5] == pytest.approx(0.84 * HIGHER[5]) and rows.high[5] == pytest.approx(1.16 * HIGHER[5])
    found = story.quarter_rows(main, quarters(main.values, flow=False), "2027-01")
    assert [(row["quarter"], row["kind"]) for row in found][-1] == ("2027 Q4", "end") and found[-1]["value"] == 100_000


def test_what_keeps_a_ladder_from_being_made_is_told_in_both_languages():
    _, climbs = climb("ladders={private_domain_users: {rungs: {9: 120_000}, source: W7.1}}")
    (row,) = story.problem_rows(climbs)
    assert row["path"] == "ladders.private_domain_users.rungs.9"
    assert "100,000" in row["allowed_zh"] and "month 12" in row["allowed_en"] and row["fix_zh"] and row["fix_en"]


def test_smart_rows_say_what_to_write():
    plan = load_plan(MINIMAL)
    verdicts = judged(plan, HIGHER)
    letters = [smart(Stated(**fields), **story.chance_of(v)) for fields, v in zip(stated(plan), verdicts, strict=True)]
    users, active = story.smart_rows(plan, verdicts, letters)
    assert users["fix_zh"] == "" and all(users[name] == "pass" for name in story.SMART_COLUMNS)
    assert active["time_bound"] == "fail" and active["achievable"] == "not_judged"
    assert "by_month" in active["fix_zh"] and "by_month" in active["fix_en"]
    book = Desk()
    assert "1" in book.said(story.smart(book, letters), "en")
    sure = verdicts[0] | {"probability": 0.1, "certain": False}
    assert story.chance_of(sure) == {"probability": 0.1, "holds": None}
    assert story.chance_of(sure | {"certain": True}) == {"probability": None, "holds": True}


def test_calibration_names_the_goals_that_ask_too_much_or_nothing():
    plan = load_plan(MINIMAL)
    verdicts = judged(plan, HIGHER)
    found = {"users_year": calibrate("at_least", 100_000.0, np.linspace(50_000, 101_000, 200))}
    (row,) = story.calibration_rows(verdicts, found)
    assert row["flag"] == "too_hard" and row["mild"] < row["demanding"] < 100_000
    for given, said in ((found, "1"), ({}, "")):
        book = Desk()
        assert said in book.said(story.calibration(book, given), "zh")


def test_the_split_is_told_from_the_top_down():
    row = {"name": {"zh": "东", "en": "East"}, "source": "W4.1"}
    rows = [row | {"id": "shop", "level": "store", "parent": "east", "capacity": 30_000},
            row | {"id": "east", "level": "region", "history": 1}]  # fmt: skip
    section = {"basis": {"region": "history", "store": "capacity"}, "units": rows}
    plan, climbs = climb("organisation=" + json.dumps(section))
    team = units(plan)
    parts = split(climbs[0].values, **team.arguments("private_domain_users"))
    found = story.split_rows(climbs[0], team, parts)
    assert [(row["level"], row["value"], row["fits"]) for row in found] == [
        ("region", 100_000, "fits"),
        ("store", 100_000, "over"),
    ]
    book = Desk()
    assert story.split(book, climbs[0], parts)["text"] == "ladder.say.split_ceiling"
    enough = split(climbs[0].values / 4, **team.arguments("private_domain_users"))
    assert story.split(Desk(), climbs[0], enough)["text"] == "ladder.say.split"


def test_without_units_the_operators_show_what_the_team_can_carry():
    _, climbs = climb()
    book = Desk()
    found = Operators((5, 8), "team.roles.user_operations.people", 10_000.0, "team.users_per_operator", "W2.2")
    assert "10" in book.said(story.no_organisation(book, found, climbs[0]), "en")
    figures = {entry["id"]: entry["value"] for entry in book._record["metrics"]}
    assert (figures["operators_most"], figures["operators_needed"]) == (80_000, 10)
    assert story.no_organisation(Desk(), None, climbs[0])["text"] == "ladder.say.no_organisation"


def grown(goal, chain=CHAIN, **more):
    return target_tree(goal, chain, scale=1e-9, results=["active_users", "gmv"], **more)


@pytest.mark.parametrize(
    "goal, chain, kind",
    [
        (0.05, CHAIN, "met"),
        (0.1, CHAIN, "even"),
        (3.2, CHAIN, "uneven"),
        (3.2, [Driver(d.metric, d.level, ceiling=1.5 * d.level) for d in CHAIN], "ceiling"),
    ],
)
def test_the_tree_says_what_the_drivers_would_have_to_be(goal, chain, kind):
    tree = grown(goal, chain, own={"aov": [("at_least", 250.0, None)]})
    for intake in (None, 60_000.0):
        book = Desk()
        ref = story.tree(book, tree, due=12, months=12, intake=intake)
        assert ref["text"] == f"ladder.say.tree_{kind}"
        for locale in LOCALES:
            assert all(book.said(book._record["pages"][0][part], locale) for part in ("title", "subtitle", "reading"))
    rows = {row["metric"]: row for row in story.tree_rows(tree, chain)}
    assert rows["aov"]["status"] == "off_track" and rows["gmv"]["alone_fits"] == "none"
    assert rows["mau_rate"]["alone_fits"] == ("no" if goal > 0.2 else "yes")


def test_goals_due_later_do_not_judge_a_node():
    row = {"metric": "aov", "op": "at_least", "goal": 9.0, "goal_high": None, "unit": "CNY_per_order", "forecast": 5.0}
    verdicts = [row | {"due_month": 24}, row | {"due_month": 6}, row | {"due_month": None, "goal_high": 10.0}]
    assert story.own_targets(verdicts, 12) == {"aov": [("at_least", 9.0, 5.0), ("at_least", (9.0, 10.0), None)]}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("forecast", [None, HIGHER, 0.5 * LADDER], ids=["alone", "ahead", "behind"])
def test_the_ladder_is_drawn_with_its_numbers_below(locale, forecast):
    spread = None if forecast is None else forecast * np.linspace(0.8, 1.2, 11)[:, None]
    _, data = page(forecast, drawn=spread)
    figure = charts.ladder(data, words(locale))
    b.refuse_missing_glyphs(figure)
    said = texts(figure)
    w = words(locale)
    assert w.text("ladder.chart.ladder") in said
    assert b.gaps(w.number(100_000, "users")) in said
    if forecast is not None:
        assert b.gaps(w.text("ladder.chart.range")) in said
        assert b.gaps(w.number(forecast[-1] - 100_000, "users", signed=True)) in said


@pytest.mark.parametrize("locale", LOCALES)
def test_long_and_relative_ladders_fit(locale):
    rising, slower = np.linspace(1e5, 2e6, 60), np.linspace(9e4, 1e6, 60)
    long = charts.LadderData("2027-01", "users", rising, slower, steps=np.full(60, 3e4))
    assert b.gaps(words(locale).number(2e6, "users")) in texts(charts.ladder(long, words(locale)))
    falling = -0.05 * np.arange(1.0, 7)
    change = charts.LadderData("2027-01", "relative_change", falling, falls=True, steps=np.full(6, -0.05))
    assert any("30.0%" in text for text in texts(charts.ladder(change, words(locale))))


@pytest.mark.parametrize("locale", LOCALES)
def test_the_tree_is_drawn_inside_the_page(locale):
    tree = grown(0.1, own={"aov": [("at_least", 250.0, None)]}, watched={"new_customer_share": ("gmv", 0.3)})
    figure = charts.tree(story.tree_nodes(tree.nodes), words(locale))
    b.refuse_missing_glyphs(figure)
    said = " | ".join(texts(figure))
    assert all(b.gaps(words(locale).metric(node.metric)) in said for node in tree.nodes)
    assert said.count("→") == 6 and "250" in said  # every figure but the watched one moves; the missed target is told
    for patch in figure.axes[0].patches:
        x, y = patch.get_xy()
        assert x > 0 and x + patch.get_width() < b.LIVE
        assert y > 0 and y + patch.get_height() < b.BODY
