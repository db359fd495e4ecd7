"""Charts of notebook 10 draw what they are given, in both languages, also with little or nothing to show."""

import datetime as dt

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from planlib.core.words import LOCALES, words
from planlib.report.charts import base as b
from planlib.report.charts import baseline as charts

MONTHS = [dt.date(2026, m, 1) for m in range(1, 13)]
AGES = (7, 30, 90)
SHARE = np.array([[0.6, 0.4, 0.2]] * 9 + [[0.6, 0.4, np.nan], [0.6, np.nan, np.nan], [np.nan] * 3])
DAYS = np.arange(1.0, 271.0)
POINTS = {7: charts.Point(0.6, 0.58, 0.62), 30: charts.Point(0.4, 0.38, 0.42)}


def retention(**changed):
    data = {
        "months": MONTHS, "joined": np.full(12, 800.0), "ages": AGES, "share": SHARE, "points": POINTS,
        "curve": (DAYS, 0.9 * DAYS**-0.25), "goals": {7: 0.6, 30: 0.45},
    }  # fmt: skip
    return charts.RetentionData(**data | changed)


def funnel(**changed):
    data = {
        "stages": ["joined", "activated", "retained", "bought"], "people": np.array([1000.0, 600, 400, 80]),
        "points": [None, *(charts.Point(x, x - 0.02, x + 0.02) for x in (0.6, 0.4, 0.08))],
        "regions": {name: np.array([1, 0.6, 0.4, 0.08]) + k / 100 for k, name in enumerate(("east", "south", "west"))},
    }  # fmt: skip
    return charts.FunnelData(**data | changed)


def bridge(**changed):
    data = {
        "first": MONTHS[0], "last": MONTHS[1], "opening": 5489, "newly": 485, "woken": 91, "lost": 375,
        "closing": 5508, "windows": {30: 0.7, 60: 0.65, 90: 0.6}, "window_days": 90,
    }  # fmt: skip
    return charts.BridgeData(**data | changed)


def stores(count=6, **changed):
    share = np.linspace(0.9, 0.6, count)
    data = {
        "names": [f"s{i}" for i in range(count)], "regions": ["east"] * count, "trials": np.full(count, 40.0),
        "raw": share + 0.02, "share": share, "low": share - 0.05, "high": share + 0.05,
        "beyond": np.array([1] + [0] * (count - 2) + [-1]), "total": 0.75,
    }  # fmt: skip
    return charts.StoresData(**data | changed)


CASES = {
    "retention": (charts.retention, retention()),
    "retention, no curve, no goal": (charts.retention, retention(curve=None, goals={})),
    "retention, one month": (
        charts.retention,
        retention(months=MONTHS[:1], joined=np.array([9.0]), share=np.array([[0.5, np.nan, np.nan]])),
    ),
    "retention, nobody acted": (charts.retention, retention(share=SHARE * 0, curve=None)),
    "funnel": (charts.funnel, funnel()),
    "funnel, no regions": (charts.funnel, funnel(regions={})),
    "funnel, nobody bought": (charts.funnel, funnel(people=np.array([1000.0, 0, 0, 0]))),
    "dormancy": (charts.dormancy, bridge()),
    "dormancy, nobody": (charts.dormancy, bridge(opening=0, newly=0, woken=0, lost=0, closing=0)),
    "stores": (charts.stores, stores()),
    "stores, many": (charts.stores, stores(40)),
    "stores, one not checked": (charts.stores, stores(raw=np.array([np.nan, *np.linspace(0.8, 0.6, 5)]))),
}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("case", CASES)
def test_every_chart_is_drawn_in_its_size_and_repeats(case, locale):
    draw, data = CASES[case]
    figure = draw(data, words(locale))
    assert b.size_of(figure) == pytest.approx((b.LIVE, b.BODY))
    assert b.svg(figure) == b.svg(draw(data, words(locale)))
    assert not any("nan" in text for text in texts(figure))


@pytest.mark.parametrize("case", ["retention", "funnel", "dormancy", "stores, many"])
def test_no_two_texts_overlap_and_none_leaves_the_canvas(case):
    """As the SVG is read: boxes of one renderer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    draw, data = CASES[case]
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


def test_what_is_not_known_is_an_empty_cell():
    figure = charts.retention(retention(), words("en"))
    cells = [patch for patch in figure.findobj(Rectangle) if patch.get_facecolor()[:3] != (1, 1, 1)]
    empty = [c for c in cells if matplotlib_colour(c) == b.PANEL.lower()]
    assert len(empty) == int(np.isnan(SHARE).sum())
    assert texts(figure).count("60%") == 11


def matplotlib_colour(patch):
    from matplotlib.colors import to_hex

    return to_hex(patch.get_facecolor())


def test_the_bridge_says_every_step_with_its_sign():
    said = texts(charts.dormancy(bridge(), words("en")))
    assert {"5,489", "+485", "−91", "−375", "5,508"} <= set(said)


def test_drops_are_told_from_stage_to_stage():
    said = texts(charts.funnel(funnel(), words("en")))
    assert {"−40.0%", "−33.3%", "−80.0%"} <= set(said)


def test_of_many_stores_both_ends_are_shown_and_chance_is_named():
    said = " ".join(texts(charts.stores(stores(40), words("en"))))
    assert "s0 " in said and "s39 " in said and "s20 " not in said
    assert words("en").text("baseline.charts.above") in said and words("en").text("baseline.charts.below") in said
