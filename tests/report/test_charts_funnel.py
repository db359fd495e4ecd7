"""Charts of notebook 20 draw what they are given, in both languages, also for small, empty and met plans."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from planlib.core.words import words
from planlib.report.charts import base as b
from planlib.report.charts import funnel as charts

STAGES = (({"zh": "基础建设", "en": "Foundation"}, 1, 2), ({"zh": "流量运营", "en": "Traffic"}, 5, 8))
LIFE = ("acquisition", "activation", "retention", "revenue", "referral")
TOLD_BY = ("new_users_monthly", "first_interaction_rate", "retention_m1", "conversion_rate", "referral_share")


def users(months=12, *, scale=50_000.0, targets=()):
    total = scale * np.arange(months + 1.0)
    return charts.UsersData("2027-01", total, total * 0.4, total * 0.6, tuple(targets), STAGES)


def levers(**changed):
    values = {
        "goal": 1e6, "month": 6, "users": 246_028.0, "intake_factor": 4.06, "monthly_intake": 203_229.0, "churn": None,
        "without_churn": 300_000.0, "opening_users": 1_243_450.0, "month_reached": None, "ceiling": 625_000.0,
    }  # fmt: skip
    return SimpleNamespace(**values | changed)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def joined(figure):
    return " | ".join(texts(figure))


MISSED = charts.TargetMark(6, 1_000_000, 300_000, False)
MET = charts.TargetMark(12, 500_000, 600_000, True)
FUNNEL = charts.LifecycleData(
    LIFE, TOLD_BY, np.array([6e5, 3e5, 2.4e5, 7.2e4, 7.2e4]), np.array([1, 0.5, 0.4, 0.12, 0.12])
)
SHARE = (charts.TargetMark(12, 0.25, 0.1, False),)
SALES = charts.SalesData("2027-01", np.full(12, 1.2e6), np.linspace(0, 8e5, 12), np.linspace(0.07, 0.1, 12), SHARE)
LEVERS = charts.LeversData("2027-01", 5e4, 0.08, 0.0, (levers(), levers(month=12, churn=0.05)))
DATA = {
    "users": (charts.users, users(targets=[MISSED, MET])),
    "cover": (charts.cover, users(targets=[MISSED, MET])),
    "lifecycle": (charts.lifecycle, FUNNEL),
    "sales": (charts.sales, SALES),
    "levers": (charts.levers, LEVERS),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_chart_is_drawn_alike_twice_and_inside_its_size(name, locale):
    draw, data = DATA[name]
    figure = draw(data, words(locale))
    assert b.svg(figure) == b.svg(draw(data, words(locale)))
    width, height = b.size_of(figure)
    assert width == b.LIVE
    assert height <= b.BODY
    figure.draw_without_rendering()
    for text in figure.findobj(Text):
        if text.get_text():
            box = text.get_window_extent()  # 72 dots an inch: points
            assert box.x0 >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y0 >= -1, text
            assert box.y1 <= height + 1, text


@pytest.mark.parametrize("name", DATA)
def test_languages_do_not_mix(name):
    draw, data = DATA[name]
    assert not re.search(r"[\u3400-\u9fff]", joined(draw(data, words("en"))))
    latin = set(re.findall(r"[A-Za-z]{2,}", joined(draw(data, words("zh")))))
    assert latin <= {"GMV"}


def test_users_tell_goal_forecast_and_gap():
    said = joined(charts.users(users(targets=[MISSED, MET]), words("zh")))
    assert "第 6 个月目标 100 万" in said
    assert "预测 30 万，差 70 万" in said
    assert "第 12 个月目标 50 万" in said
    assert "预测 60 万，差" not in said
    assert "基础建设" in said


def test_a_goal_stated_twice_is_drawn_once():
    said = joined(charts.users(users(targets=[MISSED, MISSED]), words("zh")))
    assert said.count("目标 100 万") == 1


@pytest.mark.parametrize("months", [1, 60])
@pytest.mark.parametrize("scale", [0.0, 3.0, 4e7])
def test_users_of_any_size_and_horizon(months, scale):
    for draw in (charts.users, charts.cover):
        assert b.svg(draw(users(months, scale=scale), words("en")))


def test_lifecycle_bars_are_proportional_and_start_together():
    _, data = DATA["lifecycle"]
    bars = [p for p in charts.lifecycle(data, words("zh")).findobj(Rectangle) if p.get_height() == 26]
    widths = np.array([bar.get_width() for bar in bars])
    np.testing.assert_allclose(widths / widths[0], data.volumes / data.volumes[0])
    assert {bar.get_x() for bar in bars} == {bars[0].get_x()}


def test_referral_has_no_share_of_the_stage_before():
    said = texts(charts.lifecycle(DATA["lifecycle"][1], words("zh")))
    assert said.count("100.0%") == 1  # acquisition of joiners; 72,000 of 72,000 are not the same people


def test_an_empty_plan_is_drawn():
    none = charts.LifecycleData(LIFE, TOLD_BY, np.zeros(5), np.zeros(5))
    assert "—" in texts(charts.lifecycle(none, words("zh")))
    assert b.svg(charts.sales(charts.SalesData("2027-01", np.zeros(6), np.zeros(6)), words("zh")))


def test_sales_bars_add_up():
    _, data = DATA["sales"]
    figure = charts.sales(data, words("en"))
    bars = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert sum(bar.get_height() for bar in bars) == pytest.approx((data.gmv_new_cny + data.gmv_repeat_cny).sum())
    tops = [bar.get_y() + bar.get_height() for bar in bars[12:]]
    np.testing.assert_allclose(tops, data.gmv_new_cny + data.gmv_repeat_cny)


def test_sales_without_a_company_total_take_the_whole_width():
    one = charts.sales(charts.SalesData("2027-01", np.ones(6), np.ones(6)), words("zh"))
    assert len(one.axes) == 1
    assert "占公司" not in joined(one)


def test_a_lever_without_an_answer_says_so_and_is_outlined():
    figure = charts.levers(charts.LeversData("2027-01", 5e4, 0.08, 0.0, (levers(),)), words("zh"))
    said = joined(figure)
    assert "20.3 万" in said
    assert "124.3 万" in said
    assert "没有流失也只到 30 万" in said
    assert "长期也只到 62.5 万" in said
    dashed = [p for p in figure.findobj(Rectangle) if p.get_linestyle() not in ("-", "solid")]
    assert len(dashed) == 2


def test_a_lever_with_answers_says_them():
    told = levers(churn=0.021, month_reached=15)
    said = joined(charts.levers(charts.LeversData("2027-01", 5e4, 0.08, 0.0, (told,)), words("en")))
    assert "2.1%" in said
    assert "Mar 2028" in said


def test_marks_leave_out_ranges_and_other_metrics():
    row = {"metric": "gmv_share", "judged_month": 3, "goal": 0.2, "goal_high": None, "forecast": 0.1}
    row |= {"status": "off_track", "shortfall": 0.1}
    rows = [row, row | {"goal_high": 0.3}, row | {"metric": "gmv"}, row | {"forecast": None}]
    assert charts.marks_of(rows, "gmv_share") == (charts.TargetMark(3, 0.2, 0.1, False),)
