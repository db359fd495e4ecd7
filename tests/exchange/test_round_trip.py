"""Out and back: nothing changed is no change, every changed cell is exactly one override."""

import re
import shutil
import subprocess
import zipfile

import openpyxl
import pytest

from planlib.core.metrics import catalogue
from planlib.exchange import xlsx
from planlib.exchange.book import before
from planlib.plan import load_plan
from planlib.plan.model import OPERATIONS
from tests.exchange.desk import (
    MINIMAL,
    OWN,
    RICH,
    SAMPLE,
    Editing,
    P,
    W,
    edited,
    made,
    opened,
    problems,
    quick,
    reckoned,
    rewritten,
)


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("plan", [W, P, OWN, pytest.param(SAMPLE, marks=pytest.mark.full), MINIMAL, RICH])
def test_unchanged_is_the_plan_itself(home, plan, locale):
    path = quick(plan, locale)
    found, told = opened(path)
    assert found.resolved_json() == load_plan(plan).resolved_json()  # so that its finished run is used again
    assert found.changes == ()
    assert told == [f"{path.as_posix()}: nothing changed; this is the plan as it is: {plan}"]


@pytest.mark.parametrize("plan", [pytest.param(W, marks=pytest.mark.full), OWN])
def test_saved_by_another_program_without_changes_is_no_change(home, plan):
    path = made(plan, "zh")
    first = path.read_bytes()
    Editing(path).save()
    assert path.read_bytes() != first
    assert opened(path)[0].changes == ()


def test_the_same_plan_gives_the_same_bytes(home):
    first = made(OWN).read_bytes()
    assert made(OWN).read_bytes() == first


def _others(target):
    """Return other values for every cell for typing of a target: operation, goal, upper end, start."""
    op = OPERATIONS[(OPERATIONS.index(target.operation) + 1) % len(OPERATIONS)]
    unit = catalogue()[target.metric].unit
    goal = {"score_of_5": 2.5, "rank": 2.0}.get(unit, target.level * 0.5)
    return op, goal, goal * 1.25 if op == "between" else None, goal * 0.75 if unit != "rank" else 1.0


def test_every_cell_for_typing_of_the_targets(home):
    path, plan = quick(W), load_plan(W)
    book = Editing(path)
    for target in plan.targets:
        op, goal, upper, start = _others(target)
        row = {"Comparison": op.replace("_", " "), "Goal": goal, "Upper end": upper, "Due in plan month": 7,
               "Starts from": start, "Lifecycle stage": "referral", "Owner": f"of {target.id}",
               "Reason for the change": f"why {target.id}"}  # fmt: skip
        for heading, value in row.items():
            book.type("Targets", target.id, heading, value)
    found, told = opened(book.save())
    for was, now in zip(plan.targets, found.targets, strict=True):
        op, goal, upper, start = _others(was)
        assert (now.operation, now.by_month, now.stage, now.owner) == (op, 7, "referral", f"of {was.id}")
        assert now.level == (goal if upper is None else (goal, upper))
        assert now.from_value == pytest.approx(start, rel=1e-12)
        assert (now.why, now.source) == (f"why {was.id}", "assumption")
        edited_fields = {*OPERATIONS, "by_month", "stage", "owner", "from_value", "why", "source"}
        kept = dict.fromkeys(edited_fields)
        assert now.model_copy(update=kept) == was.model_copy(update=kept)
    assert found.model.model_copy(update={"targets": plan.targets}) == plan.model
    stayed = sum(t.stage == "referral" for t in plan.targets)
    assert len(found.changes) == 5 * len(plan.targets) - stayed
    ranges = sum(_others(target)[0] == "between" for target in plan.targets)
    assert f"{6 * len(plan.targets) + ranges - stayed}): Targets!" in told[-1]


def test_a_month_that_is_typed_stays_and_an_emptied_one_is_reckoned_again(home):
    path = quick(OWN)
    cell = Editing(path).place("Ladder", "private_domain_users", "2027-03")
    assert cell.value == 400_000
    edited(path, ("Ladder", "private_domain_users", "2027-03", None),
           ("Ladder", "private_domain_users", "2027-05", 900_000.5),
           ("Ladder", "private_domain_users", "Shape", "equal growth"),
           ("Ladder", "tag_coverage", "2027-02", 0.2))  # fmt: skip
    assert problems(path) == [("Ladder!E4, I4, L4", "ladder_start")]  # nothing can grow from no users
    edited(path, ("Ladder", "private_domain_users", "Shape", "equal steps"))
    found, _ = opened(path)
    form = found.ladders["private_domain_users"]
    assert (form.shape, form.rungs, form.source) == ("linear", {5: 900_000.5}, "assumption")
    assert form.why == "own.xlsx: Ladder!E4, I4, L4"
    assert found.ladders["tag_coverage"].rungs == {2: 0.2}
    assert [(c.path, c.cell) for c in found.changes] == [
        ("ladders.private_domain_users", "Ladder!E4, I4, L4"),
        ("ladders.tag_coverage", "Ladder!H5"),
    ]


def test_a_first_ladder_makes_the_section(home):
    path, _ = edited(quick(), ("Ladder", "private_domain_users", "2027-04", 300_000),
                     ("Ladder", "brand_search_volume", "Shape", "S-shaped"),
                     ("Ladder", "brand_search_volume", "Reason for the change", "slow start"))  # fmt: skip
    found, _ = opened(path)
    assert found.ladders["private_domain_users"].rungs == {4: 300_000}
    searched = found.ladders["brand_search_volume"]
    assert (searched.shape, searched.why) == ("s_curve", "slow start")


def test_a_rung_that_turns_back_is_told_at_its_cell(home):
    path, names = edited(quick(W), ("Ladder", "private_domain_users", "2027-04", 1_500_000))
    assert problems(path) == [(names[0], "ladder_turns")]


def test_every_cell_for_typing_of_the_split(home):
    path = quick(OWN, "zh")
    edited(path, ("分解", "east", "历史业绩", 350_000), ("分解", "south", "权重", 2),
           ("分解", "south", "改动理由", "扩店"),
           ("分解", "east-01", "承载上限", 800_000), ("分解", "east-01", "上级（编号）", "south"),
           ("分解", "south-01", "手工占比", 0.4), ("分解", "east-02", "分解依据", "历史业绩"),
           ("分解", "east-02", "历史业绩", 5),
           ("分解", "east-01", "历史业绩", 6))  # fmt: skip
    found, _ = opened(path)
    units = {unit.id: unit for unit in found.organisation.units}
    assert (units["east"].history, units["south"].weight, units["south"].why) == (350_000, 2, "扩店")
    assert (units["east-01"].capacity, units["east-01"].parent, units["south-01"].share) == (800_000, "south", 0.4)
    assert found.organisation.basis == {"region": "history", "store": "history"}
    assert (units["east-02"].history, units["east-01"].history) == (5, 6)
    assert len(found.changes) == 8


def test_units_typed_into_a_plan_without_an_organisation(home):
    path = quick(W, "zh")
    book = Editing(path)
    page = book.book["分解"]
    head = next(row for row in page.iter_rows(max_row=10) if row[0].value == "编号")
    rows = [
        ("east", "华东", "区域", None, "历史业绩", 300_000, None, None, None, "去年"),
        ("south", "华南", "区域", None, None, 100_000, None, None, None, None),
        ("east-01", "一店", "门店", "east", "承载上限", None, 40_000, None, None, None),
        ("south-01", "二店", "门店", "south", None, None, None, None, 1, None),
    ]
    for y, row in enumerate(rows, start=head[0].row + 1):
        for x, value in enumerate(row, start=1):
            page.cell(y, x).value = value
    found, _ = opened(book.save())
    assert found.organisation.basis == {"region": "history", "store": "capacity"}
    east, south, first, second = found.organisation.units
    assert (east.id, east.name.zh, east.history, east.why, east.level) == ("east", "华东", 300_000, "去年", "region")
    assert (south.parent, south.why) == (None, "wechat_platform.xlsx: 分解!A6")
    assert (first.parent, first.capacity, second.share) == ("east", 40_000, 1)
    assert [change.path for change in found.changes] == ["organisation"]


def test_units_are_added_below_those_of_the_plan(home):
    path = quick(OWN)
    book = Editing(path)
    page = book.book["Split"]
    row = page.max_row
    for x, value in enumerate(("north", "North", "Region", None, None, 50_000), start=1):
        page.cell(row, x).value = value
    found, _ = opened(book.save())
    assert [unit.id for unit in found.organisation.units] == [
        "east",
        "south",
        "east-01",
        "east-02",
        "south-01",
        "north",
    ]
    assert found.organisation.units[-1].history == 50_000
    assert load_plan(OWN).organisation.units == found.organisation.units[:-1]


def test_a_change_goes_over_the_scenario_and_under_set(home):
    path, _ = edited(quick(W), ("Targets", "w-churn-rate", "Goal", 0.05), ("Targets", "w-nps-target", "Goal", 50))
    found, _ = opened(path, scenario="month_12_binds", sets=("targets.w-nps-target.equals=40",))
    levels = {target.id: target for target in found.targets}
    assert (levels["w-churn-rate"].equals, levels["w-nps-target"].equals) == (0.05, 40)
    assert levels["w-users-six-months"].by_month == 12
    assert (found.scenario, found.sets) == ("month_12_binds", ("targets.w-nps-target.equals=40",))
    # the scenario changes a cell of the workbook
    assert problems(path, scenario="opening_base_700k") == [("Targets!E27", "cell_conflict")]


def test_the_same_change_has_the_same_plan_wherever_the_file_lies(home):
    path, _ = edited(quick(W), ("Targets", "w-churn-rate", "Goal", 0.05))
    one, _ = opened(path)
    (home / "elsewhere").mkdir()
    shutil.copy(path, home / "elsewhere" / path.name)
    other, _ = opened(home / "elsewhere" / path.name)
    assert one.resolved_json() == other.resolved_json()


def test_hidden_sheet_tells_what_the_sheets_hold(home):
    grids = xlsx.read(quick(OWN), "own.xlsx")
    was = before(grids, "own.xlsx")
    assert (was.plan, was.file, was.start, was.locale) == ("own", OWN, "2027-01", "en")
    assert was.sha256 == load_plan(OWN).sha256
    assert [sheet.key for sheet in was.sheets] == [
        "targets", "ladder", "split", "channels", "budget", "actual", "experiments", "tasks", "team", "risks",
        "actions", "assumptions",
    ]  # fmt: skip
    targets = was.sheets[0]
    assert len(targets.values) == len(load_plan(OWN).targets)
    assert targets.values["w-users-six-months"]["goal"] == 1_000_000


def test_texts_inside_cells_and_strict_names_are_read_alike(home):
    """Other programs write texts into the cells, and Excel can save with the names of the strict standard."""
    path, _ = edited(quick(W), ("Targets", "w-churn-rate", "Owner", "<甲> & 乙"))
    wanted = opened(path)[0].changes

    def strict(name, content):
        for old, new in (
            (b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"),
            (b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
             b"http://purl.oclc.org/ooxml/officeDocument/relationships"),
        ):  # fmt: skip
            content = content.replace(old, new)
        return content

    again = opened(rewritten(path, strict, path.name + ".x.xlsx"))[0].changes
    assert [(c.path, c.value, c.cell) for c in again] == [(c.path, c.value, c.cell) for c in wanted]


def test_texts_kept_in_one_shared_list(home):
    """As Excel, WPS and LibreOffice save them: with formats inside and readings beside the text."""
    path, _ = edited(quick(W), ("Targets", "w-churn-rate", "Owner", "<甲> & 乙"))
    texts = []

    def share(name, content):
        if name == "xl/_rels/workbook.xml.rels":
            kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
            return content.replace(b"</Rel", b'<Relationship Id="t" Target="texts.xml" Type="%b"/></Rel' % kind, 1)

        def cell(found):
            texts.append(found[2])
            return b'<c%b t="s"><v>%d</v></c>' % (found[1], len(texts) - 1)

        return re.sub(rb'<c([^>]*) t="inlineStr"><is><t[^>]*>(.*?)</t></is></c>', cell, content, flags=re.DOTALL)

    shared = rewritten(path, share)
    with zipfile.ZipFile(shared, "a") as archive:
        head = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        items = (
            f'<si><r><t xml:space="preserve">{t[:1]}</t></r><r><rPr/><t xml:space="preserve">{t[1:]}</t></r>'
            '<rPh sb="0" eb="1"><t>reading</t></rPh></si>'
            if not t.startswith("&")
            else f'<si><t xml:space="preserve">{t}</t></si>'
            for t in (text.decode() for text in texts)
        )
        archive.writestr("xl/texts.xml", head + "".join(items) + "</sst>")
    assert len(texts) > 500
    again = opened(shared)[0].changes
    assert [(c.path, c.value) for c in again] == [("targets.w-churn-rate.owner", "<甲> & 乙")]


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice (soffice) is not installed on this machine")
def test_opened_and_saved_by_libreoffice_it_comes_back_unchanged_and_its_sums_are_ours(home):
    path = quick(OWN, "zh")
    (home / "saved").mkdir()
    order = ["soffice", "--headless", "--convert-to", "xlsx", "--outdir", str(home / "saved"), str(path)]
    subprocess.run(order, check=True, capture_output=True, timeout=120)
    found, told = opened(home / "saved" / path.name, "zh")
    assert (found.changes, len(told)) == ((), 1)
    ours, theirs = openpyxl.load_workbook(path), openpyxl.load_workbook(home / "saved" / path.name, data_only=True)
    sums = [cell for page in ours for row in page.iter_rows() for cell in row if cell.data_type == "f"]
    assert len({cell.parent.title for cell in sums}) == 5 and len(sums) > 60
    for cell in sums:
        value = theirs[cell.parent.title][cell.coordinate].value
        assert value == pytest.approx(reckoned(cell.parent, cell), rel=1e-12), (cell.parent.title, cell.coordinate)
