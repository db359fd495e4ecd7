"""Charts of the review: whatever is drawn can be read in both languages, also with gaps, zeros and crowded cells."""

import pytest

from planlib.core.words import words
from planlib.report.charts import base
from planlib.report.charts.review import (
    BridgeData,
    Effect,
    IndexLine,
    RiskMark,
    ScoreRow,
    bridge,
    effects,
    productivity,
    risks,
    scorecard,
)

ROWS = [
    ScoreRow("private_domain_users", "users", 440_000, 380_000, -0.136, False, 929_000, "off_track", "far_behind",
             [(1, 350_000), (2, 380_000)], [(0, 300_000), (12, 1_000_000)]),
    ScoreRow("churn_rate", "ratio", 0.08, 0.081, 0.001, True, 0.08, "at_risk", "behind", [(-1, 0.08), (0, 0.081)]),
    ScoreRow("cac", "CNY_per_user", 20.0, 19.8, -0.01, False, None, "on_track", "met", [(1, 20.0)], [(1, 20.0)]),
    ScoreRow("nps", "score", None, None, None, False, None, "not_measured", "not_in_tables"),
]  # fmt: skip
STEPS = [("review.part.users", 3000.0), ("review.part.activity", -9000.0), ("review.part.conversion", 0.0)]


def texts(figure):
    return {text.get_text() for text in figure.findobj(base.TextArtist) if text.get_text()}


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_scorecard(locale):
    w = words(locale)
    found = texts(scorecard(ROWS, w))
    base.svg(scorecard(ROWS, w))
    assert {base.gaps(w.text(f"review.status.{row.status}")) for row in ROWS} <= found
    assert base.gaps(w.number(0.001, "points", signed=True)) in found
    assert base.gaps(w.text("review.reason.not_in_tables")) in found and "—" in found


def test_a_long_scorecard_keeps_to_its_page():
    figure = scorecard(ROWS * 9, words("zh"))
    assert base.size_of(figure)[1] <= base.BODY


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("steps", [STEPS, [("review.part.users", -10_000.0)], [("review.part.users", 0.0)]])
def test_bridge(locale, steps):
    w = words(locale)
    before = 10_000.0
    after = before + sum(part for _, part in steps)
    figure = bridge(BridgeData(("review.bridge.before_plan", before), ("review.bridge.now", after), steps), w)
    base.svg(figure)
    assert {base.gaps(w.number(part, "CNY", signed=True)) for _, part in steps} <= texts(figure)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_risks_in_one_cell_do_not_cover_one_another(locale):
    marks = [RiskMark(k, (2, 3), (1, 3) if k % 2 else None) for k in range(1, 7)]
    figure = risks(marks, words(locale))
    base.svg(figure)
    from planlib.report.charts.review import _places

    places = list(_places(marks, 0.0, 0.0, 66.0, 48.0).values())
    apart = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for k, a in enumerate(places) for b in places[:k]]
    assert min(apart) > 17.0


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_productivity_ends_with_its_numbers(locale):
    w = words(locale)
    lines = [IndexLine(name, [1.0, 1.2], [1.0, 1.1], [1.0, 1.3]) for name in ("acquisition", "all")]
    figure = productivity(lines, "2026-01", w)
    base.svg(figure)
    told = {
        base.gaps(f"{w.text(f'oversight.function.{line.name}')} {w.number(1.2, 'number', decimals=2)}")
        for line in lines
    }
    assert told <= texts(figure)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_effects_show_their_share_with_and_without_interval(locale):
    w = words(locale)
    name = {"zh": "发券", "en": "Coupon"}
    figure = effects([Effect(name, 0.68, -0.04, 1.38), Effect(name, -0.6), Effect(name, 1.3, 0.7, 1.9)], w)
    base.svg(figure)
    assert {base.gaps(w.number(x, "ratio", decimals=0)) for x in (0.68, -0.6, 1.3)} <= texts(figure)
