"""The portfolio: figures of the brands' results only, the brand that needs attention first, any number of brands."""

import datetime as dt

import pytest

from planlib.core import results as res
from planlib.core.words import words
from planlib.portfolio import Brand, by_attention, facts_of, write_portfolio
from tests.brand_runs import alert, goal, write_run
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers

NOW = dt.datetime(2027, 4, 1, 8, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """Facts of four brands by letter."""
    out = tmp_path_factory.mktemp("brands")
    runs = {
        "calm": {"goals": [goal("a", 0.9), goal("b", 0.95)], "alerts": [], "data_until": "2027-03-30", "budget": 2e6},
        "alarmed": {"goals": [goal("a", 0.9), goal("own", None)], "data_until": "2027-04-09",
                    "alerts": [alert("exits", "2027-03-01"), alert("orders", "2027-03-09"),
                               alert("orders", "2027-01-09", "closed")]},
        "short": {"goals": [goal("a", 0.99), goal("b", 0.123, median=5e4, cause="dates"), goal("c", 0.123)]},
        "blank": {"sample": True},
    }  # fmt: skip
    return {
        name: facts_of(write_run(out / name / "20270401T000000000Z-abcdef", name, **run)) for name, run in runs.items()
    }


@pytest.fixture
def brands(facts):
    found = [Brand(name, one.plan["title"], "done", one) for name, one in facts.items()]
    return [*found, Brand("broken", {"zh": "坏品牌", "en": "Broken brand"}, "failed", None)]


def test_facts_are_those_of_the_results(facts):
    short, alarmed, calm, blank = (facts[name] for name in ("short", "alarmed", "calm", "blank"))
    assert [g.name["en"] for g in short.goals] == ["target b", "target c", "target a"], "the least likely first"
    assert (short.goals[0].probability, short.goals[0].forecast, short.goals[0].cause) == (0.123, 5e4, "dates")
    assert short.alerts is None and short.data_until is None and short.budget_cny is None, "never a silent zero"
    assert [row["raised"] for row in alarmed.alerts] == ["2027-03-09", "2027-03-01"]
    assert alarmed.data_until == "2027-03-31", "data behind the as-of day do not count"
    assert alarmed.goals[-1].probability is None
    assert (calm.budget_cny, calm.alerts, calm.data_until) == (2e6, (), "2027-03-30")
    assert blank.goals == () and blank.sample


def test_what_needs_attention_comes_first(brands):
    expected = ["broken", "short", "alarmed", "calm", "blank"]
    assert [brand.plan_id for brand in by_attention(brands)] == expected
    assert [brand.plan_id for brand in by_attention(brands[::-1])] == expected


def test_the_page_holds_the_results_and_both_languages_agree(brands, tmp_path):
    folder, decks = write_portfolio(brands, tmp_path, now=NOW)
    assert folder.parent == tmp_path / "portfolio" and folder.name.startswith("20270401T080000Z-")
    assert (tmp_path / "portfolio" / "latest").read_text("utf-8").strip() == folder.name
    assert [deck.relative_to(folder).as_posix() for deck in decks] == [
        "decks/portfolio.zh.pdf",
        "decks/portfolio.en.pdf",
    ]
    for locale in ("zh", "en"):
        assert untraced_numbers(folder, locale) == [] and style_problems(folder, locale) == []
    assert different_numbers(folder) == []
    rows = res.read_table(folder / "portfolio", "overview")
    assert [(row["plan"], row["state"], row["probability"], row["alerts"]) for row in rows] == [
        ("broken", "failed", None, None), ("short", "done", 0.123, None), ("alarmed", "done", 0.9, 2.0),
        ("calm", "done", 0.9, 0.0), ("blank", "done", None, None),
    ]  # fmt: skip
    counts = {
        row["brand_en"]: (row["likely"], row["open"], row["unlikely"])
        for row in res.read_table(folder / "portfolio", "counts")
    }
    assert counts == {"Brand short": (1, 0, 2), "Brand alarmed": (1, 0, 0), "Brand calm": (2, 0, 0)}
    recorded = res.load(folder / "portfolio" / "results.json")
    title = res.text(words("en"), recorded, recorded["pages"][0]["title"])
    assert title == "1 of 5 brands have no new run; these come first"
    files = {row["file"] for row in recorded["inputs"]}
    assert "short/20270401T000000000Z-abcdef/70_outlook/results.json" in files and recorded["sample"]


def test_more_brands_than_a_page_holds(facts, tmp_path):
    many = [
        Brand(f"b{k:02d}", {"zh": f"连锁品牌 {k}", "en": f"Chain brand {k}"}, "done", facts["short"]) for k in range(30)
    ]
    folder, _ = write_portfolio(many, tmp_path, now=NOW)
    recorded = res.load(folder / "portfolio" / "results.json")
    assert [page["id"] for page in recorded["pages"]] == ["brands", "targets_1", "targets_2", "targets_3"]
    for locale in ("zh", "en"):
        shown = untraced_numbers(folder, locale)
        assert shown == []
    title = res.text(words("zh"), recorded, recorded["pages"][0]["title"])
    assert title == "30 个品牌中，“连锁品牌 0”最需要关注：它最难的目标达成把握只有 12%"


def test_nothing_to_forecast_anywhere(facts, tmp_path):
    folder, _ = write_portfolio(
        [Brand("blank", {"zh": "空白", "en": "Blank"}, "done", facts["blank"])] * 2, tmp_path, now=NOW
    )
    recorded = res.load(folder / "portfolio" / "results.json")
    assert [page["id"] for page in recorded["pages"]] == ["brands"]


def test_good_news_is_told_as_such(facts, tmp_path):
    calm = Brand("calm", {"zh": "稳", "en": "Calm"}, "done", facts["calm"])
    folder, _ = write_portfolio([calm, calm], tmp_path, now=NOW)
    recorded = res.load(folder / "portfolio" / "results.json")
    titles = [res.text(words("en"), recorded, page["title"]) for page in recorded["pages"]]
    assert titles[0].endswith("every target that can be forecast is likely; the least sure one has a chance of 90%")
    assert titles[1] == "In none of 2 brands are more targets unlikely than likely"
    assert style_problems(folder, "en") == [] and style_problems(folder, "zh") == []
