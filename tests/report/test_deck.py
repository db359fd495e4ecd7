"""The deck read back: text, numbers, tags, pages; and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pypdf
import pytest
from PIL import Image

from planlib.core import results as res
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.report.deck import build_deck, make_decks, missing_characters, read_run
from planlib.report.deck_tables import general_columns, lay_out
from tests.report import fixtures
from tests.report.deck_checks import different_numbers, numbers, page_texts, style_problems, untraced_numbers

LOCALES = ("zh", "en")
CHAPTERS = [
    "cover", "summary", "20_funnel_targets.targets", "20_funnel_targets.users_forecast", "30_budget_allocation.bands",
    "50_milestone_plan.schedule", "00_start_here.assumptions", "method",
]  # fmt: skip


@pytest.fixture(autouse=True)
def sentences(monkeypatch):
    fixtures.install_words(monkeypatch)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    why = {"zh": "这个理由很长，" * 30, "en": "a reason that goes on and on, " * 18}
    long = {"target_rows": 24, "assumption_rows": 33, "with_intervals": False, "why": why}
    return {"run": fixtures.build_run(folder / "run"), "long": fixtures.build_run(folder / "long", **long)}


@pytest.fixture
def run(made_once, tmp_path) -> Path:
    return shutil.copytree(made_once["run"], tmp_path / "示例 run")


@pytest.fixture
def long_run(made_once, tmp_path) -> Path:
    return shutil.copytree(made_once["long"], tmp_path / "long")


def change(run: Path, notebook: str, edit) -> None:
    """Edit the results of a notebook in place."""
    path = run / notebook / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    edit(results)
    path.write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8")


def reader(path: Path) -> pypdf.PdfReader:
    return pypdf.PdfReader(path)


def texts(path: Path) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in reader(path).pages]


# What is on the pages


def test_decks_of_both_languages_lie_beside_the_run(run):
    made = make_decks(run)
    assert made == [run / "decks" / f"invented_brand.{locale}.pdf" for locale in LOCALES]
    assert sorted(path.name for path in (run / "decks").iterdir()) == sorted(path.name for path in made)


def test_pages_say_when_days_are_missing_or_data_are_invented(run):
    change(run, "20_funnel_targets", lambda found: found.update(incomplete={"mp_daily": 0.92, "staff_daily": 0.825}))
    change(run, "30_budget_allocation", lambda found: found.update(sample=True))
    stamps = {"zh": ("示例数据（虚构）", "数据缺日，完整率最低 82.5%"),
              "en": ("Sample data (invented)", "Incomplete data: lowest completeness 82.5%")}  # fmt: skip
    for path, locale in zip(make_decks(run), LOCALES, strict=True):
        found = texts(path)
        assert len(found) == len(CHAPTERS)
        for page in found:
            assert all(stamp.replace(" ", "") in page.replace(" ", "") for stamp in stamps[locale])


def test_pages_of_whole_data_have_no_stamp(run):
    assert {page["stamp"] for page in build_deck(read_run(run), "en").content["pages"]} == {""}


def test_chapters_come_in_order(run):
    for locale in LOCALES:
        deck = build_deck(read_run(run), locale)
        assert [page["id"] for page in deck.content["pages"]] == CHAPTERS


def test_the_heaviest_finding_is_the_title_and_five_stand_in_the_summary(run):
    zh, en = (texts(path) for path in make_decks(run))
    assert "按现路径，100 万私域用户要到 2028-02" in zh[0]
    assert "The current path reaches 1m private-domain users in Feb 2028" in en[0]
    order = [zh[1].index(part) for part in ("按现路径", "技术预算低于", "欢迎语加首单券", "净推荐值还没有测量")]
    assert order == sorted(order)
    assert "Of four findings, one is off track, one at risk, one on track and one not measured" in en[1]


def test_only_the_five_heaviest_findings_are_summarised(run):
    def more(results):
        first = results["findings"][0]
        results["findings"] = [first | {"id": f"f{i}", "weight": i / 10} for i in range(7)]

    change(run, "20_funnel_targets", more)
    deck = build_deck(read_run(run), "en")
    (summary,) = deck.content["pages"][1]["blocks"]
    assert len(summary["rows"]) == 5
    assert style_problems(run, "en") == []


def test_both_languages_hold_the_same_numbers_and_dates(run, long_run):
    assert different_numbers(run) == []
    assert different_numbers(long_run) == []


def test_a_number_of_one_language_alone_is_noticed(run, monkeypatch):
    monkeypatch.setitem(fixtures.SENTENCES["en"], "forecast_subtitle", "Users; one of 77 lines")
    found = different_numbers(run)
    assert len(found) == 1
    assert found[0].endswith(": 77")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_number_comes_from_a_result(run, long_run, locale):
    assert untraced_numbers(run, locale) == []
    assert untraced_numbers(long_run, locale) == []


@pytest.mark.parametrize(
    ("sentence", "untraced"),
    [
        ("Users, up 4.7% on 2029-03", {"4.7%", "2029-03"}),
        ("about 930k of them", {"930k"}),
        ("¥55m in Feb 2028", {"¥55m"}),
    ],
)
def test_a_number_typed_into_a_sentence_is_noticed(run, monkeypatch, sentence, untraced):
    monkeypatch.setitem(fixtures.SENTENCES["en"], "forecast_subtitle", sentence)
    assert {problem.split(": ")[1] for problem in untraced_numbers(run, "en")} == untraced


def test_a_number_typed_into_a_chart_is_noticed(tmp_path):
    run = fixtures.build_run(tmp_path / "run", chart_text="plus 123,456")
    assert untraced_numbers(run, "zh") == ["page 4: 123,456"]


def test_written_numbers_are_read_with_their_precision():
    found = [(n.value, n.tolerance) for n in numbers("92.9 万, ¥1.18 亿, 3.0 points, −48.1%, <1%, W2.3, v4be1")]
    expected = [(929_000, 500), (118e6, 0.5e6), (0.03, 0.0005), (0.481, 0.0005), (0.005, 0.005)]
    assert found == [pytest.approx(pair) for pair in expected]


# The file


def test_chinese_text_is_selectable_and_charts_are_text_too(run):
    zh = texts(make_decks(run, locales=("zh",))[0])
    assert "获客成本与响应时长越低越好，横条在线左即达标" in zh[2]
    assert "92.9 万" in zh[3]
    assert "人力" in zh[4]


def test_all_fonts_are_our_own_and_cut_to_what_is_used(run):
    for path in make_decks(run):
        names = set()
        for page in reader(path).pages:
            for font in page["/Resources"].get("/Font", {}).values():
                inner = font.get_object()["/DescendantFonts"][0].get_object()
                assert "/FontFile2" in inner["/FontDescriptor"]
                names.add(str(font.get_object()["/BaseFont"]))
        assert names
        assert all(re.fullmatch(r"/[A-Z]{6}\+NotoSansSC-(Regular|Medium|Bold)", name) for name in names)
        assert path.stat().st_size < 1.5e6


def test_outline_language_title_and_accessibility_marks(run):
    for path, locale in zip(make_decks(run), LOCALES, strict=True):
        pdf = reader(path)
        root = pdf.trailer["/Root"]
        assert root["/Lang"] == {"zh": "zh-CN", "en": "en-GB"}[locale]
        assert root["/MarkInfo"]["/Marked"].value is True
        assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
        assert "pdfuaid" in root["/Metadata"].get_object().get_data().decode("utf-8")
        assert fixtures.PLAN["title"][locale] in pdf.metadata.title
        assert [pdf.get_destination_page_number(entry) for entry in pdf.outline] == list(range(len(pdf.pages)))
        pages = build_deck(read_run(run), locale).content["pages"]
        assert [str(entry.title) for entry in pdf.outline] == [page["heading"] for page in pages]


def structure(node, kinds: list, alts: list) -> None:
    node = node.get_object() if hasattr(node, "get_object") else node
    if not isinstance(node, dict):
        return
    if "/S" in node:
        kinds.append(str(node["/S"]))
        alts.append(str(node.get("/Alt", "")))
    children = node.get("/K", [])
    for child in children if isinstance(children, list) else [children]:
        structure(child, kinds, alts)


def test_tags_name_headings_table_heads_and_charts(run):
    pdf = reader(make_decks(run, locales=("en",))[0])
    kinds: list[str] = []
    alts: list[str] = []
    structure(pdf.trailer["/Root"]["/StructTreeRoot"], kinds, alts)
    assert kinds.count("/H1") == len(pdf.pages)
    assert kinds.count("/Table") == 5  # summary, targets, bands, assumptions, version
    assert kinds.count("/TH") > 20
    chart = "Line chart: users grow from 312k to 929k against a target of 1m"
    assert alts.count(chart) == 2  # cover and page
    assert {"at risk", "off track", "on track", "not measured"} <= set(alts)


def test_summary_rows_link_to_their_pages(run):
    pdf = reader(make_decks(run, locales=("zh",))[0])
    links = [note.get_object() for note in pdf.pages[1]["/Annots"]]
    places = [pdf.get_page_number(link["/Dest"][0].get_object()) if "/Dest" in link
              else pdf.get_page_number(link["/A"]["/D"][0].get_object()) for link in links]  # fmt: skip
    assert places == [3, 4, 4, 2]


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    first = [path.read_bytes() for path in make_decks(run)]
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    assert [path.read_bytes() for path in make_decks(moved, out_dir=tmp_path / "again")] == first


def test_another_as_of_day_gives_other_bytes(run):
    first = make_decks(run, locales=("en",))[0].read_bytes()
    change(run, "30_budget_allocation", lambda results: results.update(as_of="2027-03-31"))
    path = make_decks(run, locales=("en",))[0]
    assert path.read_bytes() != first
    assert "As of 31 March 2027" in texts(path)[3]
    assert "20270331" in reader(path).metadata["/CreationDate"]


# Tables


def test_many_rows_continue_with_the_head_repeated(long_run):
    zh, en = (texts(path) for path in make_decks(long_run))
    parts = [text for text in en if "Two targets are on track" in text]
    assert [part.count("Measure") for part in parts] == [1, 1]
    assert "(1/2)" in parts[0]
    assert "(2/2)" in parts[1]
    assert sum(part.count("Acquisition cost") for part in parts) == 3
    rows = [text for text in zh if "多数假设来自文件" in text]
    assert sum(text.count("规划组") for text in rows) == 33
    assert all("负责人" in text for text in rows)


def test_columns_without_any_value_are_left_out(run, long_run):
    with_chance = page_texts(run, "en")[2]
    without = page_texts(long_run, "en")[2]
    assert "Chance" in with_chance
    assert "Chance" not in without


def test_no_page_holds_more_than_fourteen_rows(long_run):
    for page in build_deck(read_run(long_run), "zh").content["pages"]:
        for block in page.get("blocks", ()):
            if block["kind"] == "table":
                assert len(block["rows"]) <= 14
                assert 20 + sum(block["heights"]) <= 328.5


def test_both_languages_break_a_table_at_the_same_rows(tmp_path):
    run = fixtures.build_run(
        tmp_path / "run", assumption_rows=20, why={"zh": "短", "en": "far longer in English " * 30}
    )
    rows = {}
    for locale in LOCALES:
        pages = build_deck(read_run(run), locale).content["pages"]
        blocks = [block for page in pages if page["id"].endswith("assumptions") for block in page["blocks"]]
        rows[locale] = [(len(block["rows"]), block["heights"]) for block in blocks]
    assert rows["zh"] == rows["en"]
    assert len(rows["zh"]) == 2


def columns_of(locale, rows, units, *specs):
    return general_columns(
        words(locale), fixtures.PLAN, [{"head": "specimen.share"} | spec for spec in specs], rows, units
    )


def test_a_column_of_one_unit_has_equal_decimals():
    rows = [{"money": value} for value in (25.92e6, 5e6, None)]
    (column,) = columns_of("en", rows, {"money": "CNY"}, {"name": "money"})
    assert [cell.text for cell in column.cells] == ["¥25.9m", "¥5.0m", "—"]
    mixed = [{"money": 25.92e6, "unit": "CNY"}, {"money": 0.5, "unit": "ratio"}]
    (column,) = columns_of("en", mixed, {"money": "@unit"}, {"name": "money"})
    assert [cell.text for cell in column.cells] == ["¥25.9m", "50.0%"]


def test_every_kind_of_column():
    rows = [
        {"m": "cac", "s": "at_risk", "t": "W2.3", "b_zh": "甲", "b_en": "A", "n": -0.036, "mo": 14, "d": "2027-03-31",
         "w": "PASS", "empty": float("nan")},
    ]  # fmt: skip
    units = {"m": "metric", "s": "status", "t": "text", "b": "bilingual", "n": "points", "mo": "month", "d": "date",
             "w": "words:checks", "empty": "CNY"}  # fmt: skip
    specs = [{"name": name} for name in units]
    zh, en = ([column.cells[0].text for column in columns_of(loc, rows, units, *specs)] for loc in LOCALES)
    assert zh == ["获客成本", "有风险", "W2.3", "甲", "−3.6\u00a0个百分点", "2028-02", "2027-03-31", "通过"]
    assert en == [
        "Acquisition cost",
        "at risk",
        "W2.3",
        "A",
        "−3.6\u00a0points",
        "Feb 2028",
        "31\u00a0March 2027",
        "passed",
    ]


def test_sources_are_words_or_sections():
    rows = [{"source": source} for source in ("assumption", "platform", "W2.3")]
    (column,) = columns_of("zh", rows, {"source": "text"}, {"name": "source", "kind": "source"})
    assert [cell.text for cell in column.cells] == ["假设", "平台规则", "W2.3"]


def test_a_table_with_too_many_columns_is_set_smaller_then_refused():
    def blocks(count):
        rows = [{f"c{i}": 1234.0 for i in range(count)}]
        found = columns_of(
            "en", rows, {f"c{i}": "count" for i in range(count)}, *({"name": f"c{i}"} for i in range(count))
        )
        return lay_out({"en": found}, width=864, height=328, locale="en", where="here")

    assert blocks(10)[0]["size"] == 10.5
    assert sum(column["width"] for column in blocks(10)[0]["columns"]) == pytest.approx(864, abs=0.1)
    with pytest.raises(InputError) as caught:
        blocks(60)
    assert caught.value.problems[0].code == "table_too_large"


def test_random_texts_never_outgrow_their_cells(tmp_path):
    rng = np.random.default_rng(20270101)
    latin = [
        "pay",
        "month",
        "private-domain",
        "W2.3",
        "2027",
        "(see",
        "note)",
        "—",
        "“quoted”",
        "a/b",
        "x" * 40,
        "929k",
    ]
    han = "用户增长放量，。；（）、“”一二三A9%万 "
    for i in range(4):
        why = {"zh": "".join(rng.choice(list(han), 300)), "en": " ".join(rng.choice(latin, 90))}
        run = fixtures.build_run(tmp_path / str(i), why=why, assumption_rows=3)
        make_decks(run)  # Typst measures every cell and refuses one that outgrows its place


def test_a_text_that_no_page_can_hold_is_refused(tmp_path):
    run = fixtures.build_run(tmp_path / "run", why={"zh": "长" * 3000, "en": "long " * 3000})
    with pytest.raises(InputError) as caught:
        make_decks(run)
    assert caught.value.problems[0].code == "table_too_large"
    assert caught.value.problems[0].field == "00_start_here.assumptions"


# Titles


def test_design_limits_hold_for_the_invented_run(run):
    for locale in LOCALES:
        assert style_problems(run, locale) == []


def test_a_title_that_is_too_long_is_noticed_and_still_fits(run, monkeypatch):
    title = "年底用户、活跃、转化、复购与成交额都要看付费新增；" * 5
    monkeypatch.setitem(fixtures.SENTENCES["zh"], "schedule_title", title)
    assert [problem for problem in style_problems(run, "zh") if "title too long" in problem]
    assert title in texts(make_decks(run, locales=("zh",))[0])[5].replace(" ", "")


def test_an_endless_title_is_refused(run, monkeypatch):
    monkeypatch.setitem(fixtures.SENTENCES["zh"], "schedule_title", "长" * 900)
    with pytest.raises(InputError) as caught:
        make_decks(run)
    assert caught.value.problems[0].code == "text_too_long"


# Glyphs and hostile texts


def test_a_missing_glyph_stops_the_deck_before_anything_is_written(tmp_path):
    run = fixtures.build_run(tmp_path / "run", title={"zh": "春季🚀方案", "en": "Spring plan"})
    with pytest.raises(InputError) as caught:
        make_decks(run)
    (problem,) = caught.value.problems
    assert problem.code == "missing_glyph"
    assert problem.values == {"char": "U+1F680", "page": "1 (cover)"}
    assert problem.given == "春季🚀方案"
    assert not (run / "decks").exists()


def test_a_missing_glyph_in_a_chart_is_found_too(tmp_path):
    run = fixtures.build_run(tmp_path / "run", chart_text="한국")
    found = list(missing_characters(build_deck(read_run(run), "en")))
    assert [problem.values["char"] for problem in found] == ["U+D55C", "U+AD6D"]
    assert found[0].file == "20_funnel_targets/charts/users.en.svg"


HOSTILE = (
    '#read("/etc/passwd") *b* _i_ $x^2$ \\ \\u{41} "q" <lbl> @ref `raw` // end /* c */ = h #let x = 1 [c] {d} ~ -- '
    "#panic() https://a.b"
)


def test_markup_in_a_plan_stays_text(tmp_path):
    run = fixtures.build_run(tmp_path / "run", title={"zh": HOSTILE, "en": HOSTILE}, why={"zh": HOSTILE, "en": HOSTILE})
    for path in make_decks(run):
        pages = texts(path)
        assert HOSTILE.replace(" ", "") in pages[0].replace(" ", "")
        assert HOSTILE.replace(" ", "") in pages[6].replace(" ", "")
        assert not any("root:" in page for page in pages)


# Choosing pages


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (["4", 1], [1, 4]),
        (["2-4"], [2, 3, 4]),
        (["users_forecast", "cover"], [1, 4]),
        (["50_milestone_plan.schedule"], [6]),
    ],
)
def test_pages_can_be_chosen_and_keep_their_numbers(run, pages, expected):
    (path,) = make_decks(run, locales=("en",), pages=pages)
    assert path.name == "invented_brand.pages.en.pdf"
    shown = texts(path)
    assert len(shown) == len(expected)
    assert all(text.endswith(f"{n} / 8") for text, n in zip(shown, expected, strict=True) if n > 1)


def test_unknown_pages_and_notebooks_are_told_with_the_choice(run):
    with pytest.raises(InputError) as caught:
        make_decks(run, pages=["99", "cover", "nothing"])
    assert [problem.given for problem in caught.value.problems] == ["99", "nothing"]
    assert "users_forecast" in caught.value.problems[0].values["choice"]
    with pytest.raises(InputError):
        make_decks(run, notebooks=["21_nothing"])


def test_one_notebook_alone(run):
    (path,) = make_decks(run, locales=("zh",), notebooks=["30_budget_allocation"])
    assert path.name == "invented_brand.30_budget_allocation.zh.pdf"
    (shown,) = texts(path)
    assert shown.endswith("1 / 1")


def test_pages_as_pictures(run, tmp_path):
    made = make_decks(run, locales=("zh",), pages=["3"], png_dir=tmp_path / "slides")
    assert [path.name for path in made] == ["invented_brand.pages.zh.pdf", "invented_brand.pages.zh-03.png"]
    with Image.open(made[1]) as picture:
        assert picture.size == (1920, 1080)
        red = np.all(np.abs(np.asarray(picture.convert("RGB"), dtype=int) - [0xB2, 0x3A, 0x24]) < 8, axis=2)
    assert 200 < red.sum() < 20_000  # the mark of the target that is off track


# Runs that lack something


def test_no_results_is_told(tmp_path):
    with pytest.raises(InputError) as caught:
        make_decks(tmp_path)
    assert caught.value.problems[0].code == "no_results"


def test_a_run_without_findings_or_charts_still_makes_a_deck(tmp_path):
    run = tmp_path / "run"
    fixtures._write(run / "00_start_here", fixtures.PLAN)
    assert [page["id"] for page in build_deck(read_run(run), "zh").content["pages"]] == ["cover", "method"]
    assert "示例品牌微信私域方案" in texts(make_decks(run, locales=("zh",))[0])[0]


def test_a_broken_chart_is_told(run):
    (run / "20_funnel_targets" / "charts" / "users.en.svg").write_text("<svg", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        make_decks(run)
    assert caught.value.problems[0].code == "bad_chart"


def test_reading_order_follows_the_manifest(run):
    order = ["50_milestone_plan", "20_funnel_targets"]
    (run / "manifest.json").write_text(json.dumps({"steps": [{"notebook": name} for name in order]}), encoding="utf-8")
    assert list(read_run(run).results) == [*order, "00_start_here", "30_budget_allocation"]


def test_results_stay_as_the_notebooks_wrote_them(run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    make_decks(run, out_dir=run.parent / "decks")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert res.load(run / "20_funnel_targets" / "results.json")["schema"] == 1
