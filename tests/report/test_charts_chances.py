"""Fan, bridge and tornado: every number is written, bars add up, and odd plans still draw."""

import numpy as np
import pytest

from planlib.core.words import words
from planlib.report.charts import base
from planlib.report.charts import chances as charts
from planlib.report.charts.funnel import TargetMark

LINE = np.linspace(0.0, 240_000.0, 13)
BANDS = {0.95: np.array([LINE * 0.8, LINE * 1.2]), 0.8: np.array([LINE * 0.9, LINE * 1.1])}
MARKS = (TargetMark(6, 1e6, 120_000.0, False, 0.31), TargetMark(12, 2e5, 240_000.0, True))
STAGES = (({"zh": "基础建设", "en": "Foundation"}, 1, 4),)


def shown(figure):
    assert base.svg(figure)
    return {text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))}


@pytest.mark.parametrize("locale, wanted", [
    ("en", {"Goal 1m by month 6", "forecast 120k, chance 31%", "short 880k", "forecast 240k", "80% upper", "264k"}),
    ("zh", {"第 6 个月目标 100 万", "预测 12 万，概率 31%", "差 88 万", "80% 上限", "26.4 万"}),
])  # fmt: skip
def test_fan_writes_goals_chances_and_ends(locale, wanted):
    assert wanted <= shown(charts.fan(charts.FanData("2027-01", LINE, BANDS, MARKS, STAGES), words(locale)))


def test_fan_without_ranges_is_a_line():
    said = shown(charts.fan(charts.FanData("2027-01", LINE), words("en")))
    assert "Forecast" in said
    assert not any("upper" in text for text in said)


JOINED = {"organic": 100_000.0, "paid": 140_000.0, "referral": 0.0}


def steps(goal):
    data = charts.BridgeData(6, 50_000.0, JOINED, 40_000.0, 250_000.0, goal)
    return charts._steps(data, words("en"))


def test_bridge_adds_up_and_names_what_has_no_source():
    found = {look: (low, height, number) for _, low, height, look, number in steps(300_000.0)}
    assert [look for *_, look, _ in steps(300_000.0)] == [
        "opening", "gain", "gain", "loss", "forecast", "missing", "goal"
    ]  # fmt: skip
    assert found["loss"] == (250_000.0, 40_000.0, "−40k")
    assert found["missing"] == (250_000.0, 50_000.0, "+50k")
    assert found["forecast"][1] == 50_000 + sum(JOINED.values()) - 40_000


@pytest.mark.parametrize("goal, looks", [(200_000.0, ["forecast", "goal"]), (None, ["loss", "forecast"])])
def test_bridge_without_a_gap_or_a_goal(goal, looks):
    assert [look for *_, look, _ in steps(goal)][-2:] == looks
    assert shown(charts.bridge(charts.BridgeData(6, 5e4, JOINED, 4e4, 2.5e5, goal), words("zh")))


def test_tornado_writes_both_inputs_of_every_bar():
    bars = tuple(
        charts.Bar({"zh": f"输入{i}", "en": f"Input {i}"}, 0.1 * i, 0.2 * i, "ratio", 9e5 - 1e4 * i, 9.5e5 + 1e4 * i)
        for i in range(1, 4)
    )
    data = charts.TornadoData("private_domain_users", "users", 12, 929_000.0, bars)
    assert {"Input 1", "10.0%", "20.0%", "Forecast 929k"} <= shown(charts.tornado(data, words("en")))


def test_tornado_of_one_narrow_bar():
    bar = charts.Bar({"zh": "甲", "en": "A"}, 1.0, 1.0, "count", 5.0, 5.0)
    assert shown(charts.tornado(charts.TornadoData("gmv", "CNY", 1, 5.0, (bar,)), words("zh")))
