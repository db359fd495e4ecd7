"""Words of pages in the plan, and what a brand puts on every page."""

import struct
import zlib
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.plan import load_plan, logo
from planlib.plan.model import contrast_with_white
from planlib.report.deck import build_deck, make_decks, read_run
from planlib.report.page_words import refuse_typed
from planlib.workbook.own_book import own

MINIMAL = "tests/plan/minimal.yaml"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect width="40" height="20" fill="#123"/></svg>'


def png(width=4, height=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x20\x40\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def plan_with(folder, report, **files):
    """Write the smallest plan with a section report, and files beside it."""
    folder.mkdir(exist_ok=True)
    path = folder / "small.yaml"
    path.write_text(Path(MINIMAL).read_text(encoding="utf-8") + f"\nreport: {report}\n", encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def made(folder, report, **files):
    """Return a run of one notebook with one page under such a plan."""
    import pandas as pd

    plan_file = plan_with(folder, report, **files)
    book = own("10_first", plan_file=str(plan_file), out_dir=str(folder / "run"), locale="en")
    book.metric("users_end", 81_234.0, "users")
    book.metric("churn", None, "ratio", reason="no_rows")
    book.page("As the notebook says", pd.DataFrame({"a": ["x"]}), "As read")
    book.done()
    return read_run(folder / "run")


def heading(run, locale):
    return next(p for p in build_deck(run, locale).content["pages"] if p["id"] == "10_first.page_1")


def pages(text):
    return f"{{pages: {{10_first.page_1: {text}}}}}"


def test_title_and_reading_come_from_the_plan_with_numbers_of_the_results(tmp_path):
    text = '{title: {zh: "期末 {users_end} 用户", en: "{10_first.users_end} users"}, reading: "Keep {users_end}"}'
    run = made(tmp_path, pages(text))
    zh, en = heading(run, "zh"), heading(run, "en")
    assert (zh["heading"], en["heading"]) == ("期末 8.1\u00a0万用户", "81.2k users")
    assert (zh["reading"]["lines"], en["reading"]["lines"]) == (["Keep 8.1\u00a0万"], ["Keep 81.2k"])


def test_a_value_that_the_run_lacks_leaves_the_notebooks_own_words(tmp_path):
    run = made(tmp_path, pages('{title: "Churn is {churn}", reading: "Keep {users_end}"}'))
    assert heading(run, "en")["heading"] == "As the notebook says"
    assert heading(run, "en")["reading"]["lines"] == ["Keep 81.2k"]


@pytest.mark.parametrize(
    ("report", "code", "told"),
    [
        (pages('{title: "81.2k users"}'), "literal_known", "{10_first.users_end}"),
        (pages('{title: "95% of users"}'), "literal_number", "reference"),
        (pages('{title: "{users_ende} users"}'), "reference_unknown", "10_first.users_end"),
        (pages('{title: "{users_end users"}'), "reference_form", "{NOTEBOOK.METRIC}"),
        ('{pages: {10_first.page_9: {title: "A"}}}', "page_unknown", "10_first.page_1"),
    ],
)
def test_a_wrong_text_says_what_to_write(tmp_path, report, code, told):
    run = made(tmp_path, report)
    with pytest.raises(InputError) as error:
        build_deck(run, "en")
    (problem,) = error.value.problems
    assert problem.code == code and told in problem.render("en") and problem.render("zh")


def test_a_typed_number_is_told_before_anything_runs(tmp_path):
    run = made(tmp_path, pages('{title: {zh: "共 8.1 万用户", en: "81.2k users"}, reading: "{users_end} of `2026`"}'))
    plan = load_plan(tmp_path / "small.yaml")
    for run_dir, codes in ((None, {"literal_number"}), (run.folder, {"literal_known"})):
        with pytest.raises(InputError) as error:
            refuse_typed(plan, run_dir)
        assert {p.code for p in error.value.problems} == codes and len(error.value.problems) == 2
    refuse_typed(load_plan(MINIMAL), None)


def test_a_page_id_has_its_form(tmp_path):
    with pytest.raises(InputError) as error:
        load_plan(plan_with(tmp_path, '{pages: {page_1: {title: "A"}}}'))
    assert [p.code for p in error.value.problems] == ["page_id"]


# ---- brand


@pytest.mark.parametrize(("file", "content", "ratio"), [("logo_svg", SVG, 2.0), ("logo_png", png(), 2.0)])
def test_logo_colour_and_classification_stand_on_every_page(tmp_path, file, content, ratio):
    name = file.replace("_", ".")
    look = f'{{brand: {{logo: {name}, accent: "#7A1F5C", classification: {{zh: 内部资料, en: Internal}}}}}}'
    run = made(tmp_path, look, **{file: content})
    deck = build_deck(run, "zh")
    assert deck.content["look"]["classification"] == "内部资料" and deck.content["look"]["accent"] == "#7A1F5C"
    place = deck.content["look"]["logo"]
    assert place["width"] / place["height"] == pytest.approx(ratio) and place["height"] <= 24
    assert deck.charts[place["file"]].read_bytes() == (content if isinstance(content, bytes) else content.encode())


def test_a_deck_with_a_look_is_set(tmp_path):
    import pypdf

    look = '{brand: {logo: logo.svg, accent: "#7A1F5C", classification: {zh: 内部资料, en: Internal use}}}'
    run = made(tmp_path, look, logo_svg=SVG)
    (path,) = make_decks(run.folder, locales=["en"])
    texts = [page.extract_text() for page in pypdf.PdfReader(path).pages]
    assert len(texts) > 1 and all("Internal use" in text for text in texts)


@pytest.mark.parametrize(
    ("brand", "code"),
    [
        ("{logo: ../logo.svg}", "beside_plan"), ("{logo: none.svg}", "no_file"), ("{logo: big.png}", "logo_size"),
        ("{logo: cut.png}", "logo_form"), ("{logo: text.svg}", "logo_form"), ("{logo: script.svg}", "logo_svg"),
        ("{logo: linked.svg}", "logo_svg"), ("{logo: entity.svg}", "logo_form"), ("{logo: flat.svg}", "logo_form"),
        ('{accent: "#FFD400"}', "contrast"), ('{accent: "red"}', "colour"),
    ],
)  # fmt: skip
def test_a_look_that_cannot_be_shown_is_one_message(tmp_path, brand, code):
    files = {
        "big_png": png() + bytes(600_000), "cut_png": png()[:-9], "text_svg": "a logo", "flat_svg": "<svg width='0'/>",
        "script_svg": SVG.replace("<rect", "<script>alert(1)</script><rect"),
        "linked_svg": SVG.replace("<rect", "<image href='http://x/y.png'/><rect"),
        "entity_svg": '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG,
    }  # fmt: skip
    with pytest.raises(InputError) as error:
        load_plan(plan_with(tmp_path, f"{{brand: {brand}}}", **files))
    (problem,) = error.value.problems
    assert problem.code == code and problem.field.startswith("report.brand")
    assert all(problem.render(locale) for locale in ("zh", "en"))


def test_contrast_is_that_of_the_standard():
    assert contrast_with_white("#777777") == pytest.approx(4.48, abs=0.005)  # WCAG's well-known pair
    assert contrast_with_white("#767676") == pytest.approx(4.54, abs=0.005)


def test_a_logo_is_read_as_it_is(tmp_path):
    (tmp_path / "logo.png").write_bytes(png(300, 100))
    found = logo.read(tmp_path, "logo.png")
    assert (found.kind, found.ratio) == ("png", 3.0) and found.content == png(300, 100)
