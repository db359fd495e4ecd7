"""The plan document: the text file, what it refuses, what is left out, and the finished PDF read back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pypdf
import pytest

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.report import references
from planlib.report.deck import read_run
from planlib.report.document import build_document, find_text, make_documents, refuse_parts, shipped_works
from planlib.report.document_text import read_text
from planlib.report.names import name_lines
from tests.report import fixtures
from tests.report.document_checks import chapter_texts, different_numbers, untraced_numbers

ROOT = Path(__file__).parents[2]
LOCALES = ("zh", "en")

TEXT = """\
# Summary

The point of it all.

**What is asked** {30_budget_allocation.total} a year.

# Goals

By {20_funnel_targets.users_m12.date} the base is {20_funnel_targets.users_m12} [@kaplan1958].
{40_experiment_planning.runs} tests run.

{table: 20_funnel_targets.targets}

## Money

Shares, as agreed with [@own2026].

{table: 30_budget_allocation.bands | name, money}
{chart: 30_budget_allocation.bands}
{chart: 20_funnel_targets.users}

## Nothing here

{40_experiment_planning.runs} tests. This sentence leans on the first.

# Empty

{chart: 70_outlook.together}

[@own2026]: Own, A. (2026). A study of our own. Brand press.
"""


@pytest.fixture(autouse=True)
def sentences(monkeypatch):
    fixtures.install_words(monkeypatch)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory) -> Path:
    return fixtures.build_run(tmp_path_factory.mktemp("documents") / "run")


@pytest.fixture
def desk(made_once, tmp_path, monkeypatch) -> Path:
    """A folder with a run and an English text beside the plan, as the plan block of the run names it."""
    shutil.copytree(made_once, tmp_path / "run")
    write(tmp_path, TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(desk: Path, text: str, locale: str = "en") -> None:
    (desk / "params").mkdir(exist_ok=True)
    (desk / "params" / f"invented_brand.{locale}.md").write_text(text, encoding="utf-8")


def pages(path: Path) -> list[str]:
    return [" ".join(page.extract_text().replace("\u200b", "").split()) for page in pypdf.PdfReader(path).pages]


def test_a_text_is_read_with_its_lines():
    found = read_text("<!-- a\nb -->\n# One\nA line\n\n- x\n  more\n- y\n\n## Sub\n{table: a.b | c, d}\n", "t.md")
    (chapter,) = found.chapters
    assert [(b.kind, b.text, b.line, b.columns) for b in chapter.blocks] == [
        ("paragraph", "A line", 4, ()), ("item", "x more", 6, ()), ("item", "y", 8, ()), ("heading", "Sub", 10, ()),
        ("table", "a.b", 11, ("c", "d")),
    ]  # fmt: skip


def test_chinese_lines_join_without_a_blank():
    (chapter,) = read_text("# 一\n上一行，\n下一行 A\nB\n", "t.md").chapters
    assert chapter.blocks[0].text == "上一行，下一行 A B"


def test_the_plan_of_its_own_text_else_the_shipped_one(desk):
    plan = read_run(desk / "run").plan
    assert find_text(plan, "en").file == "params/invented_brand.en.md"
    assert find_text(plan, "zh").file == "planlib/locale/zh/plan_document.md"


def test_a_document_holds_its_chapters_tables_charts_and_works(desk):
    (path,) = make_documents("run", locales=["en"])
    assert path == Path("run/decks/invented_brand.plan.en.pdf")
    reader, texts = pypdf.PdfReader(path), pages(path)
    assert {(round(float(p.mediabox.width)), round(float(p.mediabox.height))) for p in reader.pages} == {
        (595, 842), (842, 595),
    }  # fmt: skip
    assert reader.metadata.title == "Invented brand, WeChat plan"
    whole = " ".join(texts)
    for said in (
        "What is asked ¥54m a year.", "By Dec 2027 the base is 929k (Kaplan & Meier 1958). (Table 1)",
        "Shares, as agreed with (Own, A 2026). (Table 2, Figure 1, Figure 2)", "Table 1 Two targets are on track",
        "Figure 2 Users pass 1m in Feb 2028", "Reading Intake opens up",
        "Kaplan, E. L. & Meier, P. (1958).", "Own, A. (2026). A study of our own.", "version 4be1d0c2",
        f"Page 2 of {len(texts)}",
    ):  # fmt: skip
        assert said in whole, said
    assert "leans on" not in whole and "tests run" not in whole
    assert "Nothing here" not in whole and "Empty" not in [entry.title for entry in reader.outline]


def test_what_is_left_out_is_said_with_its_reason(desk):
    content = build_document(read_run("run"), "en").content
    name = words("en").text("deck.method.notebooks.40_experiment_planning.name")
    assert ["Goals", f"“{name}” was not run"] in content["left_out"]
    assert [entry[0] for entry in content["left_out"]] == ["Goals", "Empty"]


def test_numbers_count_in_the_order_of_print(desk):
    wide, narrow = "{chart: 20_funnel_targets.users}", "{chart: 30_budget_allocation.bands}"
    write(desk, f"# S\n\nx\n\n# A\n\nWide first.\n\n{wide}\n\nThen.\n\n{narrow}\n")
    chapter = build_document(read_run("run"), "en").content["chapters"][0]
    narrow = next(block for block in chapter["blocks"] if block["kind"] == "chart")
    assert [narrow["number"], chapter["plates"][0]["number"]] == ["Figure\u00a01", "Figure\u00a02"]
    assert [b["mentions"] for b in chapter["blocks"] if "mentions" in b] == [["Figure\u00a02"], ["Figure\u00a01"]]


def test_all_mistakes_of_both_languages_are_told_at_once_and_nothing_is_written(desk):
    write(desk, "# S\n\n5 things.\n\n# A\n\n{20_funnel_targets.user_m12}\n\n{table: 30_budget_allocation.band}\n"
                "{table: 30_budget_allocation.bands | nam}\n{chart: nothing}\n\nCited [@kaplan1985].\n")  # fmt: skip
    write(desk, "# 摘要\n\n{20_funnel_targets.user_m12}\n", "zh")
    with pytest.raises(InputError) as error:
        make_documents("run")
    told = [(p.file, p.line, p.given) for p in error.value.problems]
    en = "params/invented_brand.en.md"
    assert sorted(told, key=str) == sorted([
        (en, 3, "5"), (en, 7, "20_funnel_targets.user_m12"), (en, 9, "30_budget_allocation.band"), (en, 10, "nam"),
        (en, 11, "nothing"), (en, 13, "kaplan1985"), ("params/invented_brand.zh.md", 3, "20_funnel_targets.user_m12"),
    ], key=str)  # fmt: skip
    for nearest in ("20_funnel_targets.users_m12", "30_budget_allocation.bands", "name", "kaplan1958"):
        assert nearest in str(error.value)
    assert not Path("run/decks").exists()


def test_markup_of_a_text_stays_text(desk):
    write(desk, "# S #x $y$\n\n*a* _b_ #c @d \\e [f] {plan: title}\n")
    content = build_document(read_run("run"), "en").content
    assert "*a* _b_ #c @d \\e [f]" in "".join(chapter_texts(content["summary"]))
    (path,) = make_documents("run", locales=["en"])
    assert "*a* _b_ #c @d \\e [f]" in " ".join(pages(path))


def test_the_same_run_and_text_give_the_same_bytes(desk):
    (first,) = make_documents("run", locales=["en"], out_dir="one")
    (second,) = make_documents("run", locales=["en"], out_dir="two")
    assert first.read_bytes() == second.read_bytes()


def test_a_text_that_is_not_utf8_is_told(desk):
    (desk / "params" / "invented_brand.zh.md").write_bytes("# 方案文稿，要点".encode("gb18030"))
    with pytest.raises(InputError, match="UTF-8"):
        make_documents("run", locales=["zh"])


def test_words_before_the_first_chapter_are_told(desk):
    write(desk, "\nLost words.\n\n# S\n\nx\n")
    with pytest.raises(InputError) as error:
        make_documents("run", locales=["en"])
    assert [(p.code, p.line, p.given) for p in error.value.problems] == [("document_no_chapter", 2, "Lost words.")]


def test_a_character_without_a_glyph_stops_the_document(desk):
    write(desk, "# S\n\nWin 🚀\n")
    with pytest.raises(InputError, match="U\\+1F680"):
        make_documents("run", locales=["en"])


def test_the_general_text_works_for_a_run_that_lacks_nearly_everything(desk):
    shutil.rmtree("run/20_funnel_targets")
    for locale in LOCALES:
        write(desk, (ROOT / "planlib" / "locale" / locale / "plan_document.md").read_text(encoding="utf-8"), locale)
        content = build_document(read_run("run"), locale).content
        assert content["chapters"] and content["left_out"]
        assert untraced_numbers(desk / "run", locale) == []


def test_a_long_table_goes_on_with_its_head(tmp_path, monkeypatch):
    fixtures.build_run(tmp_path / "run", assumption_rows=44)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "# S\n\nx\n\n# A\n\nAll of them.\n\n{table: 00_start_here.assumptions}\n")
    (path,) = make_documents("run", locales=["en"])
    with_head = [text for text in pages(path) if "Assumption Value Source" in text]
    assert len(with_head) > 1
    assert all("Source: assumptions" not in text or "Value" in text for text in pages(path)), "no source alone"


@pytest.mark.parametrize("plan", ["wechat_platform", "private_domain_2026", None])
def test_texts_of_both_languages_show_the_same_things_in_the_same_order(plan):
    """Chapters, tables, charts and references are the same; only the words differ."""

    def outline(locale: str) -> list:
        own = ROOT / "params" / f"{plan}.{locale}.md"
        path = own if plan else ROOT / "planlib" / "locale" / locale / "plan_document.md"
        found = read_text(path.read_text(encoding="utf-8"), path.name)
        return [[(b.kind, b.columns, b.text if b.kind in ("table", "chart") else "") for b in chapter.blocks]
                for chapter in found.chapters]  # fmt: skip

    assert outline("zh") == outline("en")
    assert len(outline("zh")) == 9, "summary and eight chapters"


def test_works_are_whole():
    for key, work in shipped_works().items():
        assert key.endswith(str(work["year"]))
        assert f"({work['year']})" in work["entry"] or key == "pipl2021"


def test_names_list_what_a_text_can_refer_to(desk):
    lines = list(name_lines(read_run("run"), words("en")))
    shown = "\n".join(lines)
    for name in (
        "{20_funnel_targets.users_m12}", "929k", "{say: 20_funnel_targets.users_gap.text}",
        "{table: 30_budget_allocation.bands}", "name, share, money, band", "{chart: 20_funnel_targets.users}",
    ):  # fmt: skip
        assert name in shown
    own = list(name_lines(read_run("run"), words("en"), notebooks=["30_budget_allocation"]))
    assert all("20_funnel" not in line for line in own) and own


def test_pages_cannot_be_chosen_and_other_editions_are_unknown():
    refuse_parts("plan", pages=None, notebook=None)
    with pytest.raises(InputError) as error:
        refuse_parts("plans", pages="3", notebook=None)
    assert [problem.code for problem in error.value.problems] == ["document_whole", "choice"]


def test_a_difference_between_the_languages_is_noticed(desk):
    write(desk, "# S\n\nA {20_funnel_targets.users_m12}.\n")
    write(desk, "# 摘要\n\n甲 {20_funnel_targets.goal}。\n", "zh")
    assert different_numbers(desk / "run") == ["chapter 0: 100 万", "chapter 0: 929k"]


def test_a_number_that_is_no_result_is_noticed(desk, monkeypatch):
    write(desk, "# S\n\nA {20_funnel_targets.users_m12}.\n")
    assert untraced_numbers(desk / "run", "en") == []
    monkeypatch.setattr(references, "_metric", lambda *_: "123k")
    assert untraced_numbers(desk / "run", "en") == ["chapter 0: 123k"]
