"""The calendar of tests: every test and reason stands on the page, bars lie on their weeks, labels inside."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from planlib.core.words import LOCALES, words
from planlib.report.charts import experiments as charts
from planlib.report.charts.base import BODY, CATEGORIES, LIVE, svg

WHY = ["runs", "runs", "runs", "not_worth_it", "too_long", "crowded_out", "no_worth", "sends", "traffic"]


def year(tests: int = 9) -> charts.CalendarData:
    """Tests of a year: three that run, one of them to its end, the rest left out for every reason."""
    names = [{"zh": f"第 {k} 个实验能否提高首次互动率", "en": f"Does test {k} raise first interaction of newcomers"}
             for k in range(tests)]  # fmt: skip
    begins, weeks = np.zeros(tests, dtype=int), np.full(tests, 4.0)
    begins[:3], weeks[:3] = (3, 27, 45), (2.0, 18.0, 8.0)
    why = (WHY * 2)[:tests]
    return charts.CalendarData(names, "2027-01", 52, begins, weeks, np.full(tests, 9_434.0), why,
                               [k == 1 for k in range(tests)])  # fmt: skip


def texts(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [t for t in figure.findobj(Text) if t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in found]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("tests", [3, 9, 14, 17])
def test_everything_is_said_inside_the_picture(locale, tests):
    data, w = year(tests), words(locale)
    figure = charts.calendar(data, w)
    said = " ".join(text for text, _ in texts(figure))
    shown = min(tests, charts.MOST_ROWS)
    for k in range(shown):
        if not data.begins[k]:
            assert w.text(f"experiments.why.{data.why[k]}") in said
    assert said.count(w.number(9_434.0, "people")) == 3
    assert w.text("experiments.charts.review", weeks=w.number(18.0, "weeks")) in said
    scale = figure.dpi / 72
    for text, box in texts(figure):
        assert box.x0 >= -1 and box.x1 <= LIVE * scale + 1 and box.y0 >= -1 and box.y1 <= BODY * scale + 1, text
    svg(figure)


@pytest.mark.parametrize("locale", LOCALES)
def test_labels_keep_apart(locale):
    found = texts(charts.calendar(year(14), words(locale)))
    for i, (one, a) in enumerate(found):
        for other, b in found[i + 1 :]:
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            tall = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert wide <= 1 or tall <= 2, (one, other)


def test_bars_lie_on_their_weeks_and_reviews_have_a_colour_of_their_own():
    figure = charts.calendar(year(), words("en"))
    bars = [p for p in figure.findobj(Rectangle) if p.get_zorder() == 3]
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(2, 2), (26, 18), (44, 8)]
    assert [to_hex(bar.get_facecolor()).upper() == CATEGORIES[2] for bar in bars] == [False, True, False]
