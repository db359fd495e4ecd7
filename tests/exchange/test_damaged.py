"""Workbooks as they come back from people: every mistake is named by sheet and cell, all at once."""

import datetime as dt
import re
import zipfile

import openpyxl
import pytest

from planlib.core.errors import InputError
from planlib.exchange import xlsx
from planlib.plan import load_plan
from tests.exchange.desk import OWN, SMALL, Editing, edited, opened, problems, quick, rewritten

CHURN, USERS = "w-churn-rate", "w-users-six-months"


@pytest.mark.parametrize(
    "row, heading, typed, code, fix",
    [
        (CHURN, "Goal", "35", "cell_number_text", "35"),
        (CHURN, "Goal", "3万", "cell_number_text", "30000"),
        (USERS, "Goal", "35%", "cell_number_text", "0.35"),
        (USERS, "Goal", "1,2", "cell_number_text", "12"),
        (USERS, "Goal", "1.2m", "cell_number_text", "1200000"),
        (USERS, "Due in plan month", 46_204, "cell_serial", "2026-07-01"),
        (USERS, "Goal", "soon", "cell_number", "alone"),
        (USERS, "Goal", True, "cell_number", "alone"),
        (USERS, "Goal", dt.datetime(2027, 6, 1), "cell_date", "format the cell"),
        (USERS, "Goal", "=E8*1.1", "cell_formula", "as a value"),
        (USERS, "Goal", "=1+'[other.xlsx]Sheet1'!A1", "cell_formula", "as a value"),
        (USERS, "Goal", '=WEBSERVICE("file:///c:/x")', "cell_formula", "as a value"),
        (USERS, "Goal", "=9**9**9**9", "cell_formula", "as a value"),
        (USERS, "Goal", "=1/0", "cell_formula", "as a value"),
        (USERS, "Goal", "#DIV/0!", "cell_error", "replace"),
        (USERS, "Goal", None, "missing", "add"),
        (CHURN, "Goal", 3.5, "rate_range", "0.035"),
        (CHURN, "Goal", 35, "cell_percent", "35%"),
        ("w-brand-search", "Goal", 50, "cell_percent", "0.5"),
        (CHURN, "Goal", -0.1, "out_of_range", "range"),
        (USERS, "Goal", -5, "at_least", "larger"),
        (USERS, "Due in plan month", 25, "month_range", "plan.months"),
        (USERS, "Due in plan month", 0, "at_least", "larger"),
        (USERS, "Due in plan month", 6.5, "not_whole", "decimals"),
        (USERS, "Due in plan month", dt.datetime(2031, 1, 1), "month_range", "plan.months"),
        (USERS, "Due in plan month", "June", "cell_number", "alone"),
        (USERS, "Comparison", "around", "cell_choice", "drop-down"),
        (USERS, "Comparison", 3, "cell_choice", "drop-down"),
        (USERS, "Comparison", "between", "missing", "add"),
        (USERS, "Upper end", 2_000_000, "cell_upper", "between"),
        (USERS, "Lifecycle stage", "growth", "cell_choice", "drop-down"),
        (USERS, "Owner", "=1+1", "cell_formula", "as a value"),
        (USERS, "Owner", "x" * 2_001, "text_length", "shorten"),
    ],
)
def test_a_cell_that_cannot_be_taken(home, row, heading, typed, code, fix):
    path, (name,) = edited(quick(), ("Targets", row, heading, typed))
    expected = name.replace("D", "F") if (heading, typed) == ("Comparison", "between") else name
    assert problems(path) == [(expected, code)]
    with pytest.raises(InputError) as error:
        opened(path)
    assert name.split("!")[0] in str(error.value) and fix in str(error.value)
    assert "允许" in error.value.render("zh")


def test_all_mistakes_of_all_sheets_and_of_the_plan_are_told_together(home):
    path, names = edited(
        quick(OWN),
        ("Targets", CHURN, "Goal", "8"),
        ("Targets", USERS, "Due in plan month", 99),
        ("Ladder", "private_domain_users", "2027-02", "many"),
        ("Split", "east", "History", -3),
        ("Split", "south-01", "Share set by hand", 2),
    )
    assert {name for name, _ in problems(path)} == set(names)


@pytest.mark.parametrize(
    "formula, value",
    [("=0.3*1.1", 0.33), ("=40%", 0.4), ("=(0.2+0.1)/2", 0.15), ("=-0.1+0.5", 0.4), ("= 1 - 92% ", 0.08)],
)
def test_plain_arithmetic_is_reckoned_here(home, formula, value):
    path, _ = edited(quick(), ("Targets", "w-repurchase-rate", "Goal", formula))
    assert opened(path)[0].changes[0].value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "typed", [dt.datetime(2027, 9, 1), dt.datetime(2027, 9, 30), "2027-09", "2027年9月", "2027/9", 9]
)
def test_a_month_may_be_typed_as_a_calendar_month(home, typed):
    path, _ = edited(quick(), ("Targets", USERS, "Due in plan month", typed))
    assert [(c.path, c.value) for c in opened(path)[0].changes] == [(f"targets.{USERS}.by_month", 9)]


def test_emptied_cells_take_the_field_away(home):
    path, _ = edited(quick(), ("Targets", USERS, "Due in plan month", None), ("Targets", CHURN, "Lifecycle stage", " "))
    targets = {target.id: target for target in opened(path)[0].targets}
    assert (targets[USERS].by_month, targets[CHURN].stage) == (None, None)


# rows, columns, sheets


def test_sorted_rows_moved_columns_a_title_and_own_columns_are_no_change(home):
    path = quick()
    book = Editing(path)
    old = book.book["Targets"]
    new = book.book.create_sheet("copy")
    rows = [[cell.value for cell in row] for row in old.iter_rows()]
    head, body = rows[0], sorted(rows[1:], key=lambda row: str(row[1]))
    new.append(["Plan of spring, as agreed"])
    for row in (head, *body):
        new.append(["mine", *reversed(row), "also mine"])
    book.book.remove(old)
    new.title = "Targets"
    assert opened(book.save())[0].changes == ()


def test_deleted_rows_leave_the_plan_and_are_told(home):
    path = quick()
    book = Editing(path)
    book.book["Targets"].delete_rows(2, 2)
    book.book["Actual spend"].delete_rows(2)
    found, told = opened(book.save())
    assert [(c.path, c.value) for c in found.changes] == [
        (f"targets.{gone}", {"drop": True}) for gone in ("w-nps-target", "w-brand-search")
    ]
    assert [target.id for target in found.targets] == [t.id for t in load_plan(SMALL).targets][2:]
    assert told == [
        "Sheet Targets: taken out of the plan for this run, since their rows were deleted (2): "
        "w-brand-search, w-nps-target",
        "Sheet Actual spend: rows that are gone count as unchanged (1): moments_ads",
    ]


def test_an_id_given_twice(home):
    path = quick()
    book = Editing(path)
    page = book.book["Targets"]
    page.cell(6, 1).value = page.cell(5, 1).value
    assert ("Targets!A6", "row_double") in problems(book.save())


def test_rows_that_the_sheet_was_not_made_with(home):
    path = quick()
    book = Editing(path)
    page = book.book["Targets"]
    last = page.max_row
    page.cell(last + 1, 1).value = "w-new"
    page.cell(last + 1, 5).value = 5
    page.cell(last + 2, 5).value = 6
    page.cell(last + 3, 2).value = "a remark below"
    assert problems(book.save()) == [(f"Targets!A{last + 1}", "row_unknown"), (f"Targets!A{last + 2}", "row_id")]


def test_units_without_an_id_a_name_or_a_level(home):
    path = quick(OWN)
    book = Editing(path)
    page = book.book["Split"]
    last = page.max_row
    page.cell(last - 1, 6).value = 7
    page.cell(last, 1).value = "North 1"
    found = problems(book.save())
    assert {(f"Split!A{last - 1}", "row_id"), (f"Split!B{last}", "missing"), (f"Split!C{last}", "missing")} <= set(
        found
    )


def test_a_level_split_by_two_things(home):
    path, names = edited(
        quick(OWN), ("Split", "east-01", "Split by", "history"), ("Split", "east-02", "Split by", "weight")
    )
    assert (names[1], "basis_differs") in problems(path)


@pytest.mark.parametrize("old, new", [("Goal", "Target value"), ("ID", "No."), ("Reason for the change", None)])
def test_a_heading_that_was_renamed(home, old, new):
    path = quick()
    book = Editing(path)
    cell = next(cell for cell in book.book["Targets"][1] if cell.value == old)
    cell.value = new
    assert problems(book.save()) == [(f"Targets!{cell.coordinate}", "heading_missing")]


def test_a_heading_given_twice(home):
    path = quick()
    book = Editing(path)
    book.book["Targets"].cell(1, 20).value = "Goal"
    assert problems(book.save()) == [("Targets!T1", "heading_double")]


def test_a_sheet_that_was_renamed(home):
    path = quick()
    book = Editing(path)
    book.book["Targets"].title = "Goals 2027"
    path = book.save()
    assert problems(path) == [("Targets", "sheet_missing")]
    with pytest.raises(InputError, match="Goals 2027"):
        opened(path)


def test_merged_cells(home):
    path = quick()
    book = Editing(path)
    book.book["Targets"].merge_cells("E3:E5")
    assert ("Targets!E3:E5", "cells_merged") in problems(book.save())


def test_numbers_that_are_only_shown_may_not_change_and_texts_are_told(home):
    path, names = edited(quick(), ("Ladder", "private_domain_users", "2027-06", 1_200_000),
                         ("Targets", CHURN, "Source", "board"))  # fmt: skip
    assert problems(path) == [(names[0], "cell_locked")]
    path, names = edited(quick(), ("Targets", load_plan(SMALL).targets[0].id, "Source", "board"))
    assert opened(path)[1][0] == f"Not read, since these cells only describe: {names[0]}"


# another plan, another state of the plan


def test_the_plan_has_moved_on(home):
    path, names = edited(quick(), ("Targets", CHURN, "Goal", 0.06), ("Targets", USERS, "Goal", 700_000))
    plan = home / SMALL
    text = plan.read_text(encoding="utf-8")
    plan.write_text(
        text.replace("metric: brand_awareness, equals: 0.7", "metric: brand_awareness, equals: 0.8"), "utf-8"
    )
    found, told = opened(path)
    assert told[0] == (
        f"{SMALL} has changed since the workbook was made; unchanged cells follow the plan: "
        "Targets w-brand-awareness Goal 0.7 → 0.8"
    )
    levels = {target.id: target.level for target in found.targets}
    assert (levels[CHURN], levels[USERS], levels["w-brand-awareness"]) == (0.06, 700_000, 0.8)
    # the plan's own value of a changed cell moves: both are told, nothing runs
    text = plan.read_text(encoding="utf-8").replace(
        "metric: churn_rate, equals: 0.08", "metric: churn_rate, equals: 0.07"
    )
    plan.write_text(text, encoding="utf-8")
    assert problems(path) == [(names[0], "cell_conflict")]
    with pytest.raises(InputError, match=r"still says 0\.08; params/small\.yaml now says 0\.07"):
        opened(path)
    # it moves to what was typed: nothing is left to change there
    plan.write_text(text.replace("metric: churn_rate, equals: 0.07", "metric: churn_rate, equals: 0.06"), "utf-8")
    assert [c.path for c in opened(path)[0].changes] == [f"targets.{USERS}.above"]


def test_the_plan_has_moved_on_where_no_sheet_looks(home):
    path = quick()
    plan = home / SMALL
    plan.write_text(plan.read_text(encoding="utf-8").replace("seed: 7", "seed: 5"), "utf-8")
    assert "though not in what its sheets show" in opened(path)[1][0]


def test_a_row_that_the_plan_no_longer_has(home):
    path, names = edited(quick(OWN), ("Targets", CHURN, "Goal", 0.05))
    own = home / OWN
    own.write_text(f"{own.read_text(encoding='utf-8')}targets:\n  - {{id: {CHURN}, drop: true}}\n", encoding="utf-8")
    assert problems(path) == [(names[0], "cell_conflict")]


def test_a_workbook_of_another_plan(home):
    path = quick(OWN)
    own = home / OWN
    own.write_text(own.read_text(encoding="utf-8").replace("id: own", "id: another"), encoding="utf-8")
    assert problems(path) == [("", "book_other_plan")]
    own.unlink()
    assert problems(path) == [("", "book_no_plan")]


@pytest.mark.parametrize("file", ["../secret.yaml", "/etc/passwd", "C:\\\\secret.yaml", "params/../../secret.yaml"])
def test_a_workbook_cannot_name_files_outside_the_project(home, file):
    (home.parent / "secret.yaml").write_text("a: b", encoding="utf-8")
    path = quick()
    book = Editing(path)
    cell = book.book["_planlib"]["B1"]
    cell.value = cell.value.replace(SMALL, file)
    assert problems(book.save()) == [("", "book_no_plan")]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"form": 2}', '{"form": 1, "plan": "x"}', "7"])
def test_a_hidden_sheet_that_is_not_what_it_was(home, content):
    path = quick()
    book = Editing(path)
    book.book["_planlib"]["B1"].value = content
    code = "book_form" if '"form": 1' in content else "book_foreign"
    assert problems(book.save()) == [("", code)]


def test_a_hidden_sheet_that_is_gone(home):
    path = quick()
    book = Editing(path)
    del book.book["_planlib"]
    assert problems(book.save()) == [("", "book_foreign")]


def test_any_other_workbook(home):
    book = openpyxl.Workbook()
    book.active["A1"] = "hello"
    book.save("other.xlsx")
    assert problems("other.xlsx") == [("", "book_foreign")]


# files that are none


@pytest.mark.parametrize(
    "name, content, code",
    [
        ("nobody.xlsx", None, "no_file"),
        ("nobody.xls", None, "no_file"),
        ("text.xlsx", b"a,b\n1,2\n", "book_kind"),
        ("empty.xlsx", b"", "book_kind"),
        ("table.csv", b"a,b\n1,2\n", "book_kind"),
        ("old.xls", xlsx._OLE + bytes(600), "book_old"),
        ("renamed.xlsx", xlsx._OLE + bytes(600), "book_old"),
        ("locked.xlsx", xlsx._OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "book_password"),
        ("macros.xlsm", b"PK", "book_macros"),
        ("large.xlsx", bytes(20_000_001), "book_large"),
        ("cut.xlsx", b"PK\x03\x04" + bytes(40), "book_kind"),
    ],
)
def test_a_file_that_is_no_workbook(home, name, content, code):
    if content is not None:
        (home / name).write_bytes(content)
    assert problems(name) == [("", code)]


def test_a_folder_and_a_half_file(home):
    (home / "folder.xlsx").mkdir()
    assert problems("folder.xlsx") == [("", "no_file")]
    whole = quick().read_bytes()
    for length in (30, len(whole) // 2, len(whole) - 30):
        (home / "half.xlsx").write_bytes(whole[:length])
        assert problems("half.xlsx")[0][1] in ("book_kind", "book_damaged")
    broken = bytearray(whole)
    broken[2_000:2_400] = bytes(400)
    (home / "broken.xlsx").write_bytes(broken)
    assert problems("broken.xlsx")[0][1] == "book_damaged"


def test_another_zip(home):
    with zipfile.ZipFile("document.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    assert problems("document.xlsx") == [("", "book_kind")]


def test_macros_inside(home):
    path = quick()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"x")
    assert problems(path) == [("", "book_macros")]


def test_a_small_file_that_unpacks_to_much(home):
    path = quick()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/picture.png", bytes(101_000_000))
    assert path.stat().st_size < 1_000_000
    assert problems(path) == [("", "book_large")]


def test_an_index_that_lies_about_sizes(home):
    """The archive says that a part is small; no more than that is unpacked, and it does not fit."""
    path = quick()
    sheet = re.compile(rb"<sheetData>")
    path = rewritten(
        path, lambda n, c: sheet.sub(b"<sheetData>" + b" " * 5_000_000, c) if n.endswith("sheet2.xml") else c
    )
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet2.xml").file_size
    content = content.replace(size.to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    path.write_bytes(content)
    assert problems(path) == [("", "book_damaged")]


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_document_types_and_entities(home, bomb):
    path = rewritten(quick(), lambda n, c: _after_declaration(c, bomb) if n == "xl/worksheets/sheet2.xml" else c)
    assert problems(path) == [("", "book_damaged")]


def _after_declaration(content, inserted):
    head = re.match(rb"(<\?xml[^>]*\?>)?", content)[0]
    return head + inserted + content[len(head) :]


@pytest.mark.parametrize(
    "old, new",
    [
        (b"</sheetData>", b""),
        (b'<c r="A2"', b'<c r="ZZZZ2"'),
        (b'<c r="A2"', b'<c r="A0"'),
        (b't="inlineStr"><is>', b't="s"><v>999999</v><is>'),
        (b"<v>", b"<v>x"),
    ],
)
def test_sheets_that_are_not_what_the_format_says(home, old, new):
    path = rewritten(quick(), lambda n, c: c.replace(old, new, 1) if n == "xl/worksheets/sheet2.xml" else c)
    assert problems(path) == [("", "book_damaged")]


@pytest.mark.parametrize("last", [50_000, pytest.param(1_048_576, marks=pytest.mark.full)])
def test_a_million_empty_rows_are_passed_over(home, last):
    rows = b"".join(b'<row r="%d" ht="15" customHeight="1"><c r="B%d" s="1"/></row>' % (n, n) for n in range(100, last))
    path = rewritten(
        quick(),
        lambda n, c: c.replace(b"</sheetData>", rows + b"</sheetData>") if n == "xl/worksheets/sheet2.xml" else c,
    )
    assert opened(path)[0].changes == ()


def test_links_queries_and_scripts_beside_the_sheets_are_left_alone(home):
    path = quick()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "xl/externalLinks/externalLink1.xml", "<externalLink><book id='file:///etc/passwd'/></externalLink>"
        )
        archive.writestr("xl/connections.xml", "<connections><dbPr command='DROP TABLE users'/></connections>")
        archive.writestr("customXml/item1.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    assert opened(path)[0].changes == ()


def test_too_many_filled_cells(home, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_CELLS", 100)
    assert problems(quick()) == [("", "book_cells")]


def test_a_file_that_another_program_holds(home, monkeypatch):
    path = quick()

    def refuse(*_, **__):
        raise PermissionError(13, "in use")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert problems(path) == [("", "book_open")]


def test_the_calendar_that_starts_in_1904(home):
    path, _ = edited(quick(), ("Targets", USERS, "Due in plan month", dt.datetime(2027, 9, 1)))

    def old_mac(name, content):
        if name == "xl/workbook.xml":
            return re.sub(rb"<workbookPr[^>]*>", b'<workbookPr date1904="1"/>', content)
        if name == "xl/worksheets/sheet2.xml":
            serial = (dt.date(2027, 9, 1) - dt.date(1904, 1, 1)).days
            return content.replace(b"2027-09-01T00:00:00", b"%d" % serial).replace(b"46631", b"%d" % serial)
        return content

    assert opened(rewritten(path, old_mac))[0].changes[0].value == 9
