"""Style, axes, labels and files that all charts share."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.report.charts import base as b

ZH, EN = words("zh"), words("en")
SVG = "{http://www.w3.org/2000/svg}"


@b.styled
def lines(w, *, months=24, start="2027-01", label=None):
    fig = b.canvas()
    ax = b.panel(fig, 40, 40, 660, 250)
    b.month_axis(ax, start, months, w, opening=True)
    b.value_axis(ax, 540_000, "users", w)
    b.stage_shading(ax, [b.Span("基础建设", 1, 2), b.Span("内容启动", 3, 4)], opening=True)
    ax.plot(range(months + 1), np.linspace(0, 540_000, months + 1), color=b.BLUE)
    b.end_labels(ax, months, [b.EndLabel(540_000, label or w.text("charts.opening"))])
    return fig


def shown(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


# Files


def test_svg_is_the_same_every_time_and_states_no_date():
    first, second = b.svg(lines(ZH)), b.svg(lines(ZH))
    assert first == second
    assert b"dc:date" not in first


def test_svg_has_its_size_in_points_and_live_text():
    root = ET.fromstring(b.svg(lines(ZH)))
    assert (root.get("width"), root.get("height")) == ("864pt", "330pt")
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    assert "基础建设" in texts


def test_axis_labels_are_told_from_results():
    root = ET.fromstring(b.svg(lines(EN)))
    ticks = {
        "".join(text.itertext())
        for group in root.iter(f"{SVG}g")
        if group.get("id", "").startswith("tick-")
        for text in group.iter(f"{SVG}text")
    }
    assert {"Jan", "Open", "2027", "200"} <= ticks
    assert "基础建设" not in ticks


def test_ids_are_unique():
    ids = re.findall(rb'id="([^"]+)"', b.svg(lines(ZH)))
    assert len(ids) == len(set(ids))


def test_save_writes_whole_files_and_makes_folders(tmp_path):
    path = tmp_path / "charts" / "图 表.svg"
    b.save_svg(lines(ZH), path)
    assert path.read_bytes() == b.svg(lines(ZH))
    assert [p.name for p in path.parent.iterdir()] == ["图 表.svg"]


def test_a_missing_glyph_raises_and_names_the_text(tmp_path):
    with pytest.raises(InputError) as caught:
        b.save_svg(lines(ZH, label="增长 🚀"), tmp_path / "a.svg")
    (problem,) = caught.value.problems
    assert problem.given == "增长 🚀"
    assert problem.values["char"] == "U+1F680"
    assert not (tmp_path / "a.svg").exists()


def test_style_does_not_leak():
    before = dict(matplotlib.rcParams)
    b.svg(lines(ZH))
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported():
    import subprocess
    import sys

    code = "import planlib.report.charts.funnel, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Words


@pytest.mark.parametrize(
    "given_text, expected",
    [
        ("第6个月", "第 6 个月"),
        ("目标100万", "目标 100 万"),
        ("占公司GMV，近十二个月", "占公司 GMV，近十二个月"),  # none beside full-width punctuation
        ("差 15.5 个百分点", "差 15.5 个百分点"),  # no second blank
        ("Goal 1m by month 6", "Goal 1m by month 6"),
        ("复购−3.6%", "复购 −3.6%"),
    ],
)
def test_a_gap_stands_between_han_and_latin(given_text, expected):
    assert b.gaps(given_text) == expected


def test_labels_on_fills_keep_their_contrast():
    for fill in (*b.CATEGORIES, *b.BLUES, b.PANEL, b.STRIP):
        light, dark = b._luminance(b.on_fill(fill)), b._luminance(fill)
        contrast = (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
        assert contrast >= (4.4 if fill == b.BLUES[3] else 4.5), (fill, contrast)  # the middle blue has 4.43 at best


# Axes


@pytest.mark.parametrize(
    "highest, unit, locale, factor, name",
    [
        (540_000, "users", "zh", 1e4, "万人"),
        (540_000, "users", "en", 1e3, "thousand users"),
        (2_000_000, "users", "en", 1e6, "million users"),
        (400, "users", "zh", 1.0, "人"),
        (2.5e6, "CNY", "zh", 1e4, "¥ 万"),
        (3.2e8, "CNY", "zh", 1e8, "¥ 亿"),
        (0.4, "ratio", "en", 0.01, "%"),
    ],
)
def test_scale_suits_language_and_size(highest, unit, locale, factor, name):
    scale = b.scale_of(highest, unit, words(locale))
    assert (scale.factor, scale.unit) == (factor, name)


@settings(deadline=None)
@given(st.floats(1e-6, 1e12), st.integers(3, 8))
def test_ticks_are_round_start_at_zero_and_cover_the_data(high, most):
    found = b.ticks(0, high, most=most)
    step = found[1] - found[0]
    assert found[0] == 0
    assert found[-1] >= high * (1 - 1e-9)
    assert_allclose(np.diff(found), step)
    assert len(found) <= most + 1
    assert min(abs(step / 10.0 ** np.floor(np.log10(step) + 1e-9) - s) for s in (1, 2, 2.5, 5, 10)) < 1e-6


def test_ticks_reach_below_zero():
    assert b.ticks(-30, 50).tolist()[0] <= -30


def test_months_name_opening_months_and_years():
    found = shown(lines(EN))
    assert found.count("Jan") == 2
    assert {"Open", "Dec", "2027", "2028"} <= set(found)


def test_many_months_are_thinned_on_calendar_months():
    found = shown(lines(ZH, months=60, start="2026-11"))
    months = [text for text in found if text.endswith("月") and text[0].isdigit()]
    assert set(months) == {"1 月", "4 月", "7 月", "10 月"}


def test_month_days_cross_the_year():
    assert b.month_days("2026-11", 3) == [dt.date(2026, 11, 1), dt.date(2026, 12, 1), dt.date(2027, 1, 1)]


def test_a_long_stage_name_breaks_then_vanishes_rather_than_touch_the_next():
    assert b.fit_lines("内容启动", 100, 9) == ["内容启动"]
    assert b.fit_lines("内容启动", 20, 9) == ["内容", "启动"]
    assert b.fit_lines("内容启动", 10, 9) is None
    assert b.fit_lines("Content start", 45, 9) == ["Content", "start"]
    assert b.fit_lines("Optimisation", 30, 9) is None


# Labels that keep apart

places = st.lists(st.floats(-50, 350), min_size=1, max_size=12)


@settings(deadline=None)
@given(places, st.floats(1, 20))
def test_spread_keeps_distance_order_and_limits(wanted, gap):
    placed = b.spread(wanted, gap, 0.0, 300.0)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(placed[order]) >= min(gap, 300 / max(len(wanted) - 1, 1)) - 1e-6).all()
    assert placed.min() >= -1e-6
    assert placed.max() <= 300 + 1e-6


def test_spread_leaves_alone_what_is_apart():
    assert_allclose(b.spread([10, 100, 55], 12, 0, 200), [10, 100, 55])


def test_spread_moves_a_pair_evenly():
    assert_allclose(b.spread([50, 50], 10, 0, 100), [45, 55])


def test_spread_of_nothing():
    assert b.spread([], 10, 0, 100).size == 0


@b.styled
def noted(entries):
    fig = b.canvas(600, 300)
    ax = b.panel(fig, 0, 0, 600, 300, xlim=(0, 600), ylim=(0, 300))
    taken = b.Taken()
    taken.add_line(ax, [0, 600], [0, 300])
    b.notes(ax, entries, taken)
    return taken


def test_notes_avoid_each_other_and_the_line():
    text = (("第 6 个月目标 100 万", b.INK, "Bold"), ("差 75.4 万", b.RED, "Medium"))
    taken = noted([b.Note(300, 150, text), b.Note(310, 150, text), b.Note(305, 160, text)])
    assert sum(one.overlap(other) for i, one in enumerate(taken.boxes) for other in taken.boxes[:i]) == 0
    for box in taken.boxes:
        assert not any(box.left < x < box.right and box.bottom < y < box.top for x, y in taken.points)
        assert box.left >= 0 <= box.bottom
        assert box.right <= 600
        assert box.top <= 300


def test_a_note_at_the_edge_stays_inside():
    (box,) = noted([b.Note(598, 298, (("Goal 2m by month 24", b.INK, "Bold"),))]).boxes
    assert box.right <= 600
    assert box.top <= 300
