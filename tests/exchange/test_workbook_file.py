"""The file itself: sound for other programs, texts as texts, formats, and what is never written over."""

import io
import xml.etree.ElementTree as ET
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.exchange import xlsx
from planlib.exchange.sheets import ID, Column, Row, Sheet, Sum, kinds
from planlib.exchange.values import same
from planlib.exchange.write import workbook_bytes
from planlib.plan import load_plan
from tests.exchange.desk import OWN, SMALL, P, W, edited, made, opened, parts, quick, reckoned

NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RISKY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /c calc'!A0", '=HYPERLINK("x")', "_x0041_", "a_x000D_b", " a "]


def one_sheet(texts):
    """Return a workbook of one column of texts."""
    rows = tuple(Row(f"r{i}", {"t": text}) for i, text in enumerate(texts))
    sheet = Sheet("targets", (Column(ID), Column("t", edit=True)), rows)
    return workbook_bytes(("Notes", ["title"]), [("S", sheet, ["ID", "T"])], [["a"]])


def texts_in(path):
    return [cell.value for (row, column), cell in sorted(xlsx.read(path, "x")["S"].cells.items()) if row > 1 < column]


@pytest.mark.parametrize("plan", [W, P, OWN])
def test_the_package_is_sound(home, plan):
    path = quick(plan, "zh")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    found = parts(path)
    roots = {name: ET.fromstring(content) for name, content in found.items() if name.endswith((".xml", ".rels"))}
    assert len(roots) == len(found)  # nothing but XML: no macros, pictures, embedded files
    assert not [name for name in found if "external" in name.lower() or "vba" in name.lower()]
    links = [link for name, root in roots.items() if name.endswith(".rels") for link in root]
    assert {link.get("TargetMode") for link in links} <= {None}
    formulas = [f.text for root in roots.values() for f in root.iter(f"{NS}f")]
    assert all(part.startswith("SUM(") or part.isalnum() for part in formulas)
    assert [calc.get("fullCalcOnLoad") for calc in roots["xl/workbook.xml"].iter(f"{NS}calcPr")] == ["1"]


def test_other_programs_read_the_same(home):
    path, plan = quick(OWN), load_plan(OWN)
    book = openpyxl.load_workbook(path)
    seen = ["Notes", "Targets", "Ladder", "Split", "Channels", "Budget", "Actual spend", "Experiments", "Tasks", "Team",
            "Risks", "Actions", "Assumptions"]  # fmt: skip
    assert book.sheetnames == [*seen, "_planlib", "_lists"]
    assert [book[name].sheet_state for name in book.sheetnames] == ["visible"] * 13 + ["hidden"] * 2
    assert all(book[name].freeze_panes == "C2" for name in ("Targets", "Ladder", "Split"))
    frame = pd.read_excel(path, sheet_name="Targets")
    assert list(frame["ID"]) == [target.id for target in plan.targets]
    assert list(frame["Goal"]) == [target.level for target in plan.targets]
    assert frame["Comparison"].iloc[5] == "above"
    ours = xlsx.read(path, "x")
    for page in book:
        theirs = {(c.row, c.column): c.value for row in page.iter_rows() for c in row if c.value not in (None, "")}
        assert theirs.keys() == ours[page.title].cells.keys()
        assert all(same(cell.value, theirs[place]) for place, cell in ours[page.title].cells.items())


def test_formats_colours_and_drop_downs(home):
    path = quick(W, "zh")
    book = openpyxl.load_workbook(path)
    page = book["目标"]
    at = {page.cell(row, 1).value: row for row in range(2, page.max_row + 1)}
    heads = {cell.value: cell.column for cell in page[1]}

    def cell(row_id, head):
        return page.cell(at[row_id], heads[head])

    assert cell("w-users-six-months", "目标值").number_format == "#,##0"
    assert cell("w-churn-rate", "目标值").number_format == "0%"
    assert cell("w-availability-target", "目标值").number_format == "0.0%"
    assert cell("w-conversion-multiple", "目标值").number_format == "#,##0.0"
    assert (cell("w-churn-rate", "单位").value, cell("w-cac-cap", "单位").value) == ("%", "元/用户")
    typed, shown = cell("w-churn-rate", "目标值"), cell("w-churn-rate", "指标")
    assert (typed.fill.fill_type, shown.fill.fill_type) == ("solid", None)
    assert {typed.font.name, shown.font.name} == {"Noto Sans SC"}
    assert shown.font.charset == 134
    rules = {rule.formula1: rule for rule in page.data_validations.dataValidation if rule.type == "list"}
    labels = [book["_lists"][f"A{row}"].value for row in range(1, 7)]
    assert labels == ["等于", "不低于", "不高于", "高于", "低于", "介于"]
    assert len(rules["_lists!$A$1:$A$6"].sqref.ranges) >= 1
    widths = {name: page.column_dimensions[openpyxl.utils.get_column_letter(x)].width for name, x in heads.items()}
    for name, x in heads.items():
        longest = max((_width(str(page.cell(row, x).value or "")) for row in range(2, page.max_row + 1)), default=0)
        assert widths[name] >= min(longest, 44) * (1 if name != "目标值" else 0), name


def _width(text):
    return sum(2 if "\u2e80" <= character <= "\uffef" else 1 for character in text)


def test_sums_add_up_what_they_stand_under(home):
    """Every formula, reckoned here from the cells that it names, gives what the plan splits."""
    book = openpyxl.load_workbook(quick(OWN))
    page = book["Split"]
    heads = [cell.value for cell in page[1]]
    rows = {page.cell(row, 1).value: row for row in range(2, page.max_row + 1) if page.cell(row, 1).value}

    for x, head in enumerate(heads, start=1):
        if head and head.startswith("Private-domain users"):
            goal = {"2027-06": 1_000_000, "2027-12": 1_000_000, "2028-12": 2_000_000}[head.split()[-1]]
            assert reckoned(page, page.cell(rows["*"], x)) == goal
            assert reckoned(page, page.cell(rows["east"], x)) == 0.75 * goal
            assert page.cell(rows["east-01"], x).value == 0.45 * goal
    assert sum(str(head).startswith("Private-domain users") for head in heads) == 3


def test_quarters_sum_amounts_and_repeat_levels():
    columns = (Column(ID), *(Column(f"m{n}", "number", True) for n in (1, 2, 3)), Column("q", "number"))
    rows = (
        Row("flow", {"m1": 1, "m2": 2, "m3": 3, "q": Sum((("flow", "m1"), ("flow", "m2"), ("flow", "m3")))}, "users"),
        Row("level", {"m3": 3, "q": Sum((("level", "m3"),))}, "users"),
        Row("apart", {"q": Sum((("flow", "m1"), ("level", "m3")))}, "users"),
    )
    made_ = workbook_bytes(("N", ["t"]), [("S", Sheet("ladder", columns, rows), list("abcde"))], [])
    page = openpyxl.load_workbook(io.BytesIO(made_))["S"]
    assert [page.cell(row, 5).value for row in (2, 3, 4)] == ["=SUM(B2:D2)", "=D3", "=SUM(B2,D3)"]


def test_texts_that_look_like_formulas_stay_texts(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(one_sheet(RISKY))
    page = parts(path)["xl/worksheets/sheet2.xml"].decode()
    assert "<f>" not in page and "<f " not in page
    assert texts_in(path) == RISKY
    cells = [row[1] for row in openpyxl.load_workbook(path)["S"].iter_rows(min_row=2)]
    assert all(cell.data_type == "s" for cell in cells)
    assert [cell.quotePrefix for cell in cells] == [text[0] in "=+-@\t" for text in RISKY]


def test_a_plan_full_of_formulas_comes_back_as_it_was(home):
    own = home / OWN
    rows = "".join(
        f"  - {{id: evil-{i}, metric: nps, equals: 1, owner: {text!r}, scope: {text!r}, note: {text!r}, source: W1}}\n"
        for i, text in enumerate(RISKY)
        if "\t" not in text and "'" not in text and '"' not in text
    )
    own.write_text(f"{own.read_text(encoding='utf-8')}targets:\n{rows}", encoding="utf-8")
    path = made(OWN)
    assert opened(path)[0].changes == ()
    assert "=1+1" in {target.owner for target in load_plan(OWN).targets}
    formulas = [
        c.value for row in openpyxl.load_workbook(path)["Targets"].iter_rows() for c in row if c.data_type == "f"
    ]
    assert formulas == []


printable = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), include_characters="\n\t")


@settings(max_examples=20)
@given(st.lists(st.text(printable, min_size=1, max_size=60).filter(str.strip), min_size=1, max_size=30))
def test_any_text_comes_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("texts") / "a.xlsx"
    path.write_bytes(one_sheet(texts))
    assert texts_in(path) == texts


@settings(max_examples=20)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
def test_any_number_comes_back(tmp_path_factory, numbers):
    columns = (Column(ID), Column("n", "number", True))
    sheet = Sheet("targets", columns, tuple(Row(f"r{i}", {"n": n}, "users") for i, n in enumerate(numbers)))
    path = tmp_path_factory.mktemp("numbers") / "a.xlsx"
    path.write_bytes(workbook_bytes(("N", ["t"]), [("S", sheet, ["ID", "N"])], []))
    cells = xlsx.read(path, "x")["S"].cells
    assert all(same(cells[y, 2].value, number) for y, number in enumerate(numbers, start=2))


def test_a_workbook_with_changes_is_not_written_over(home):
    path = made(SMALL)
    assert made(SMALL) == path  # nobody changed it
    edited(path, ("Targets", "w-churn-rate", "Goal", 0.05), ("Targets", "w-nps-target", "Goal", "many"))
    before = path.read_bytes()
    with pytest.raises(InputError) as error:
        made(SMALL)
    assert error.value.problems[0].code == "book_edited"
    assert "Targets!E5, Targets!E3" in str(error.value)
    assert path.read_bytes() == before


def test_a_plan_outside_the_project_has_no_workbook(home):
    outside = home.parent / "outside.yaml"
    outside.write_text((home / W).read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError) as error:
        made(str(outside))
    assert [problem.code for problem in error.value.problems] == ["plan_outside"]


def test_names_of_sheets_and_every_label_are_unlike():
    """A heading or choice given twice could not be read back."""
    for locale in ("zh", "en"):
        w = words(locale)
        sheets = [w.text(f"exchange.sheet.{key}") for key in ("notes", *(kind.key for kind in kinds()))]
        assert len(set(sheets)) == 13 and all(len(name) <= 31 for name in sheets)
