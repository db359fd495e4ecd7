"""Charts of the schedule: every name and number stands on the page, inside it, apart from its neighbours."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from planlib.core.words import LOCALES, words
from planlib.report.charts import milestones as charts
from planlib.report.charts.base import BODY, LIVE, RED, SCHEDULE, refuse_missing_glyphs, svg


def name(text: str) -> dict[str, str]:
    return {"zh": f"任务{text}", "en": f"Task {text}"}


def full_schedule() -> charts.Schedule:
    """Forty rows in four departments, a chain through all of them, a late and an early gate."""
    first = dt.date(2027, 1, 4)
    rows = []
    for k in range(40):
        start = first + dt.timedelta(days=7 * k + 3 * (k // 10))
        critical = k % 13 == 0
        rows.append(
            charts.Row(
                k + 1, name(f"{k + 1} 整理"), k // 10, start, start + dt.timedelta(days=30), critical=critical,
                after=k + 1 - 13 if critical and k else None,
            )
        )  # fmt: skip
    due = dt.date(2027, 2, 26)
    rows[5] = charts.Row(6, name("里程碑"), 0, due, due, milestone=True, late_until=dt.date(2027, 3, 30))
    return charts.Schedule(
        "2027-01",
        12,
        [charts.Stage({"zh": "基础建设", "en": "Foundation"}, 1, 2), charts.Stage(name("z"), 3, 12)],
        [charts.Lane({"zh": f"部门{k}", "en": f"Department of everything {k}"}, 10) for k in range(4)],
        rows,
        [charts.Gate("G1", due, dt.date(2027, 3, 30)), charts.Gate("G2", dt.date(2027, 12, 31))],
        dt.date(2027, 4, 30),
    )


def with_progress() -> charts.Schedule:
    """The same with seven rows begun, one done, five moved against the baseline, a milestone's due day too."""
    data = full_schedule()
    rows = list(data.rows)
    for k in range(7):
        if not rows[k].milestone:
            rows[k] = replace(rows[k], done=1.0 if k == 0 else 0.4)
    for k in (0, 1, 13, 20, 39):
        week = dt.timedelta(days=7)
        rows[k] = replace(rows[k], baseline=(rows[k].start - week, rows[k].finish - 2 * week))
    rows[5] = replace(rows[5], baseline=(dt.date(2027, 1, 29), dt.date(2027, 1, 29)))
    return replace(data, rows=rows)


def some_dates() -> charts.Dates:
    day = dt.date(2027, 2, 26)
    late = charts.Dated(name("late"), name("lane"), day, dt.date(2027, 3, 30), day, dt.date(2028, 5, 20), -22)
    early = replace(late, likely=dt.date(2027, 2, 1), best=dt.date(2027, 1, 5), slack_workdays=9)
    open_end = charts.Dated(name("open"), None, day, None, None, None, None)
    return charts.Dates("2027-01", 12, [late, early, open_end])


def a_year() -> charts.Year:
    entries = [charts.Entry(6, name(k)) for k in ("one", "two", "three")]
    load = np.array([[1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=float)
    stages = [charts.Stage(name("stage"), 1, 5)]
    marks = [False] * 6 + [True] * 6
    return charts.Year("2027-07", [20 + k % 3 for k in range(12)], marks, stages, [name("a"), name("b")], load,
                       entries, [charts.Entry(5, name("gate"))])  # fmt: skip


DRAWN = {
    "schedule": (charts.schedule, full_schedule, SCHEDULE),
    "progress": (charts.schedule, with_progress, SCHEDULE),
    "dates": (charts.dates, some_dates, BODY),
    "year": (charts.year, a_year, BODY),
}


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def shown(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def boxes(figure: Figure) -> list[tuple[str, float, float, float, float]]:
    """Text with left, right, bottom, top in points from the lower left corner."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    return [(text, box.x0, box.x1, box.y0, box.y1) for text, box in found]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("chart", DRAWN)
def test_a_chart_keeps_its_size_glyphs_and_margins(chart, locale):
    draw, data, height = DRAWN[chart]
    figure = draw(data(), words(locale))
    assert np.allclose(figure.get_size_inches() * 72, (LIVE, height))
    refuse_missing_glyphs(figure)
    out = [row for row in boxes(figure) if row[1] < -1 or row[2] > LIVE + 1 or row[3] < -3 or row[4] > height + 3]
    assert out == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("chart", DRAWN)
def test_no_text_stands_on_another(chart, locale):
    draw, data, _ = DRAWN[chart]
    found = boxes(draw(data(), words(locale)))
    clashes = [
        (a[0], b[0])
        for k, a in enumerate(found)
        for b in found[k + 1 :]
        if min(a[2], b[2]) - max(a[1], b[1]) > 1 and min(a[4], b[4]) - max(a[3], b[3]) > 4
    ]
    assert clashes == []


def test_the_same_bytes_every_time():
    assert svg(charts.schedule(full_schedule(), words("zh"))) == svg(charts.schedule(full_schedule(), words("zh")))


def test_forty_rows_stand_apart_with_name_and_number():
    figure = charts.schedule(full_schedule(), words("en"))
    found = shown(figure)
    assert all(found.count(f"Task {k} 整理") == 1 for k in range(1, 41) if k != 6)
    assert found.count("6") == 2  # at the name and at the diamond
    names = sorted(row[3] for row in boxes(figure) if row[0].endswith("整理"))
    assert min(np.diff(names)) > 8.5  # points from row to row


def test_bars_lie_on_their_days():
    data = full_schedule()
    figure = charts.schedule(data, words("en"))
    bars = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    row = data.rows[3]
    own = next(p for p in bars if 3 < p.get_y() < 4)
    assert own.get_x() == (row.start - dt.date(2027, 1, 1)).days
    assert own.get_width() == (row.finish - row.start).days + 1


def test_what_is_done_fills_the_bar_and_the_baseline_lies_below_it():
    data = with_progress()
    figure = charts.schedule(data, words("en"))
    first = dt.date(2027, 1, 1)
    bars = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and 1 < p.get_y() < 2]
    whole, done, thin = sorted(bars, key=lambda p: (p.get_y(), -p.get_width()))
    row = data.rows[1]
    assert done.get_width() == pytest.approx(0.4 * whole.get_width()) and done.get_x() == whole.get_x()
    assert thin.get_y() >= whole.get_y() + whole.get_height() and thin.get_height() < whole.get_height() / 2
    assert thin.get_x() == (row.baseline[0] - first).days
    assert thin.get_width() == (row.baseline[1] - row.baseline[0]).days + 1
    assert {"done", "baseline"} <= set(shown(figure))
    # the numbers stand beside the bars, above the baselines
    plain = charts.schedule(full_schedule(), words("en"))
    assert not {"done", "baseline"} & set(shown(plain))


def test_today_is_drawn_only_inside():
    data = full_schedule()
    inside, outside = (
        shown(charts.schedule(replace(data, today=day), words("en"))) for day in (data.today, dt.date(2027, 1, 1))
    )
    assert any(text.startswith("Today") for text in inside)
    assert not any(text.startswith("Today") for text in outside)


def test_late_dates_are_red_and_unknown_ones_a_dash():
    figure = charts.dates(some_dates(), words("en"))
    colours = {text.get_text(): text.get_color() for text in texts(figure)}
    assert colours["−22"] == RED
    assert colours["+9"] != RED
    assert shown(figure).count("—") == 2
    assert shown(figure).count("26 February 2027") == 3


def test_a_bar_number_leaves_a_link_free():
    """A link that passes just left of a bar sends its number to the other side."""
    day = dt.date(2027, 3, 1)
    rows = [
        charts.Row(1, name("a"), 0, day, day + dt.timedelta(days=20), critical=True),
        charts.Row(2, name("b"), 0, day + dt.timedelta(days=24), day + dt.timedelta(days=40)),
        charts.Row(3, name("c"), 0, day + dt.timedelta(days=21), day + dt.timedelta(days=50), critical=True, after=1),
    ]
    lanes = [charts.Lane(name("lane"), 3)]

    def number_at(drawn):
        figure = charts.schedule(charts.Schedule("2027-01", 12, [], lanes, drawn, [], day), words("en"))
        return max(row[1] for row in boxes(figure) if row[0] == "2")

    assert number_at(rows) > number_at([rows[0], rows[1], replace(rows[2], after=None)]) + 20


def test_the_year_turns_with_its_number():
    found = shown(charts.year(a_year(), words("en")))
    assert "Jan" not in found
    assert "2028" in found
    assert "20*" in found
    assert "20" in found
