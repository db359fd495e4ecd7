"""Charts of notebook 41 draw what they are given, in both languages, also with little or nothing to show."""

import numpy as np
import pytest
from matplotlib.text import Text

from planlib.core.words import LOCALES, words
from planlib.report.charts import base as b
from planlib.report.charts import readout as charts

NAME = {"zh": "下单率", "en": "Ordered"}
VERDICT = "readout.charts.verdict"


def effect(**changed):
    row = {
        "name": NAME, "unit": "ratio", "control": 0.1, "treatment": 0.14, "effect": 4.0, "low": 2.2, "high": 5.8,
        "margin": None, "verdict": VERDICT, "tone": 1, "strong": True,
    }  # fmt: skip
    return charts.EffectRow(**row | changed)


def effects(count=3):
    money = effect(unit="CNY", control=10.4, treatment=11.4, effect=0.95, low=-1.2, high=3.1, tone=0, strong=False)
    guardrail = effect(effect=0.2, low=-0.4, high=0.8, margin=0.5, tone=-1, strong=False)
    return [effect(), guardrail, money, *(effect() for _ in range(count - 3))]


def cumulative(**changed):
    day = np.arange(1, 41)
    half = 0.2 / np.sqrt(day)
    data = {
        "day": day, "effect": np.full(40, 0.04), "low": 0.04 - half, "high": 0.04 + half,
        "always_low": 0.04 - 1.6 * half, "always_high": 0.04 + 1.6 * half, "unit": "points", "worth": 0.02,
    }  # fmt: skip
    return charts.CumulativeData(**data | changed)


def segments(count=5, **changed):
    own = np.linspace(-1, 6, count)
    data = {
        "labels": [{"zh": f"分层{k}", "en": f"segment {k}"} for k in range(count)], "people": np.full(count, 300),
        "effect": own, "low": own - 3, "high": own + 3, "shrunk": 0.3 * own + 2, "whole": 3.0, "unit": "ratio",
    }  # fmt: skip
    return charts.SegmentData(**data | changed)


def posterior(mean=4.0):
    return charts.PosteriorData(NAME, mean, mean - 1.8, mean + 1.8, 0.99, 0.9, "ratio")


def health(count=8, **changed):
    off = np.arange(count) == count - 1
    share = np.where(off, 0.0, 0.97)
    data = {
        "labels": [{"zh": f"员工 {k}", "en": f"staff {k}"} for k in range(count)],
        "people": np.full(count, 170), "share": share,
        "low": np.maximum(share - 0.02, 0), "high": np.minimum(share + 0.02, 1), "expected": 0.97, "off": off,
        "head": "readout.charts.share_assigned", "dimension": "readout.dimension.block",
    }  # fmt: skip
    return charts.HealthData(**data | changed)


def realised(count=4):
    lift = np.linspace(-0.03, 0.2, count)
    labels = [{"zh": f"实验{k}", "en": f"test {k}"} for k in range(count)]
    return charts.RealisedData(labels, np.full(count, -0.12), np.full(count, 0.12), lift, 0.4 * lift)


CASES = {
    "realised": (charts.realised, realised(), 200),
    "realised, many": (charts.realised, realised(14), 330),
    "realised, one": (charts.realised, realised(1), 98),
    "intervals": (charts.intervals, effects(), 330),
    "intervals, many": (charts.intervals, effects(14), 330),
    "intervals, one not computable": (
        charts.intervals, [effect(control=None, effect=None, low=None, high=None)], 330
    ),
    "intervals, open to one side": (charts.intervals, [effect(high=float("inf"))], 330),
    "cumulative": (charts.cumulative, cumulative(), 330),
    "cumulative, money, no threshold": (charts.cumulative, cumulative(unit="CNY", worth=None), 330),
    "segments": (charts.segments, segments(), 234),
    "segments, many": (charts.segments, segments(15), 330),
    "segments, not shrunk": (charts.segments, segments(1, shrunk=None), 98),
    "posterior": (charts.posterior, [posterior()], 250),
    "posterior, three": (charts.posterior, [posterior(), posterior(-1.0), posterior(0.2)], 250),
    "health": (charts.health, health(), 330),
    "health, many": (charts.health, health(40), 330),
}  # fmt: skip


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("case", CASES)
def test_every_chart_is_drawn_in_its_size_and_repeats(case, locale):
    draw, data, height = CASES[case]
    figure = draw(data, words(locale))
    wide = charts.CUMULATIVE_WIDTH if draw is charts.cumulative else b.LIVE
    assert b.size_of(figure) == pytest.approx((wide, height))
    assert b.svg(figure) == b.svg(draw(data, words(locale)))
    assert not any("nan" in text for text in texts(figure))


@pytest.mark.parametrize("case", CASES)
def test_no_two_texts_overlap_and_none_leaves_the_canvas(case):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    draw, data, _ = CASES[case]
    for locale in LOCALES:
        figure = draw(data, words(locale))
        renderer = FigureCanvasAgg(figure).get_renderer()
        shown = [text for text in figure.findobj(Text) if text.get_text()]
        boxes = [(text.get_text(), text.get_window_extent(renderer).shrunk(0.9, 0.6)) for text in shown]
        width, height = figure.get_size_inches() * figure.dpi
        for i, (text, box) in enumerate(boxes):
            assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, text
            for other, beside in boxes[i + 1 :]:
                assert not box.overlaps(beside), (text, other)


def test_differences_of_shares_stand_in_points_and_money_with_its_sign():
    said = texts(charts.intervals(effects(), words("en")))
    assert {"+4.0", "+2.2 to +5.8", "+¥0.95", "−¥1.20 to +¥3.10", "points", "CNY"} <= set(said)


def test_metrics_of_one_unit_share_one_scale():
    figure = charts.intervals([effect(), effect(effect=1.0, low=0.5, high=1.5), *effects()[2:]], words("en"))
    assert len(figure.axes) == 3  # the rules, and one panel a unit


def test_what_came_out_beyond_the_prediction_is_marked_by_form_and_colour():
    figure = charts.realised(realised(), words("en"))
    marks = {(line.get_marker(), line.get_color()) for ax in figure.axes for line in ax.lines}
    assert {("s", b.RED), ("o", b.BLUE)} <= marks
    assert {"+20.0%", "−12.0% to +12.0%", "+8.0%"} <= set(texts(figure))


def test_labels_that_do_not_fit_come_first():
    said = texts(charts.health(health(40), words("en")))
    assert "staff 39" in said and "staff 38" not in said


def test_the_share_that_is_worse_is_told_apart_by_the_sign_that_is_good():
    up, down = (charts.PosteriorData(NAME, 4.0, 2.2, 5.8, 0.99, 0.9, "ratio", up) for up in (True, False))
    assert b.svg(charts.posterior([up], words("en"))) != b.svg(charts.posterior([down], words("en")))
