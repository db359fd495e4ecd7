"""Charts of the outlook draw in both languages, whatever the plan leaves out."""

import numpy as np
import pytest

from planlib.core.words import LOCALES, words
from planlib.report.charts import base as b
from planlib.report.charts import outlook as charts

NAME = {"zh": "关口一", "en": "A gate with a rather long name that takes several lines to write out"}
MONTHS = np.arange(1.0, 13.0)


def fan(scale=1.0, unit="users", goals=()):
    path = 1e5 * scale * MONTHS
    bands = {0.8: np.stack([0.8 * path, 1.1 * path]), 0.5: np.stack([0.9 * path, path])}
    return charts.Fan("outlook.charts.users", unit, path, 0.95 * path, bands, goals)


def drawn(figure):
    """Draw a figure and return its texts."""
    assert b.svg(figure)
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


@pytest.mark.parametrize("locale", LOCALES)
def test_fans_of_users_and_money(locale):
    w = words(locale)
    said = drawn(charts.together([fan(goals=((6, 1e6), (12, 9e7))), fan(100.0, "CNY")], "2027-01", w))
    assert any(w.text("outlook.charts.median") in text for text in said)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("takes", [{"dates": 10.0, "budget": 30.0, "experiments": -5.0}, {}])
def test_steps_from_the_plan_to_what_is_left(locale, takes):
    mean = 100.0 - sum(takes.values())
    drawn(charts.steps([charts.Steps("outlook.charts.steps_users", "users", 100.0, mean, takes)] * 2, words(locale)))


@pytest.mark.parametrize("locale", LOCALES)
def test_bars_with_ranges_below_zero_and_none_at_all(locale):
    rows = [charts.Bar(NAME, 5e5, (-1e5, 9e5), 2_000.0), charts.Bar(NAME, -3e4, None, None)]
    full = charts.Bars("outlook.charts.slips", "CNY", rows, ("outlook.charts.slips_joined", "users"))
    drawn(charts.bars([full], words(locale)))
    drawn(charts.bars([full, charts.Bars("outlook.charts.tests", "CNY", [*rows, *rows])], words(locale)))


@pytest.mark.parametrize("locale", LOCALES)
def test_chances_against_money(locale):
    spend = np.linspace(1e6, 9e6, 7)
    lines = [(NAME, np.linspace(0, 1, 7)), (NAME, np.linspace(0, 0.6, 7))]
    w = words(locale)
    assert w.text("outlook.charts.now") in drawn(charts.frontier(charts.Frontier(spend, lines, 4e6), w))
    assert w.text("outlook.charts.now") not in drawn(charts.frontier(charts.Frontier(spend, lines, 4e7), w))


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_forecast_again_beside_the_one_before(locale):
    w = words(locale)
    months = np.arange(1.0, 13.0)
    levels = np.stack([months * 90, months * 100, months * 110])
    panel = charts.Again("outlook.charts.gmv", "CNY", months * 100, levels, 0.8 * levels, ((1, 80.0), (2, 150.0)))
    found = drawn(charts.again([panel, panel], "2027-01", w))
    assert b.gaps(f"{w.text('outlook.charts.again_after')} {w.number(960.0, 'CNY')}") in found
