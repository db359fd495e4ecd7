"""The sheets that list things of the plan: every cell for typing, rows that are added, and rows that are deleted."""

import datetime as dt
import re

import openpyxl
import pytest

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.excel import make_workbook
from planlib.plan import load_plan
from tests.exchange.desk import RICH, Editing, W, edited, made, opened, problems, quick, set_up

WHY = "Reason for the change"


def changed(*cells, plan=RICH):
    path, names = edited(quick(plan), *cells)
    return opened(path)[0], names


def row(sheet, row_id, **values):
    """Return cells of one row; headings given by their columns' keys."""
    w = words("en")
    return [(sheet, row_id, w.text(f"exchange.column.{key}"), value) for key, value in values.items()]


def add(book, sheet, row_id, **values):
    """Type a row below those of a sheet; return its number."""
    page = book.book[sheet]
    top = next(y for y in range(1, 8) if page.cell(y, 1).value == "ID")
    free = next(y for y in range(top + 1, page.max_row + 1) if page.cell(y, 1).value is None)
    page.cell(free, 1).value = row_id
    heads = {page.cell(top, x).value: x for x in range(1, page.max_column + 1)}
    for key, value in values.items():
        page.cell(free, heads[words("en").text(f"exchange.column.{key}")]).value = value
    return free


def by_id(rows):
    return {one.id: one for one in rows}


def test_channels(home):
    found, _ = changed(
        *row("Channels", "partners", name="Partner shops", paid="no", from_stage="Traffic", intake_likely=500,
             cac_likely=20, curve="power", ceiling=8_000, half_spend=80_000, curve_shape=1.5, spend_min=10,
             spend_max=90_000, channel_churn=0.1, why="new contract"),
        *row("Channels", "official_account", intake_low=None, intake_high=None, intake_likely=11_000),
        *row("Channels", "moments_ads", intake_low=1, intake_high=9_000, intake_likely=None),
    )  # fmt: skip
    one, articles, ads = (by_id(found.channels)[key] for key in ("partners", "official_account", "moments_ads"))
    assert (one.name.en, one.name.zh, one.paid, one.from_stage) == ("Partner shops", "异业合作", False, "traffic")
    assert (one.intake.value, one.intake.why, one.churn.value) == (500, "new contract", 0.1)
    assert (one.cac.dist, one.cac.span, one.cac.mode, one.cac.why) == ("pert", (15, 25), 20, "new contract")
    response = (one.response.curve, one.response.ceiling, one.response.half_spend, one.response.shape)
    assert response == ("power", 8_000, 80_000, 1.5) and one.response.why == "new contract"
    assert (one.spend.min, one.spend.max) == (10, 90_000)
    assert (articles.intake.value, articles.intake.dist, articles.intake.source) == (11_000, None, "assumption")
    assert ads.intake.value == (1, 9_000) and ads.intake.why.startswith("rich.xlsx: Channels!")


def test_what_a_channel_may_have_is_taken_away_by_emptying_its_cells(home):
    empty = dict.fromkeys(["cac_low", "cac_high", "spend_min", "spend_max", "curve", "ceiling", "half_spend"])
    found, _ = changed(*row("Channels", "partners", intake_likely=7, **empty, curve_shape=None))
    one = by_id(found.channels)["partners"]
    assert (one.cac, one.spend, one.response, one.intake.value) == (None, None, None, 7)


def test_experiments(home):
    found, _ = changed(
        *row("Experiments", "welcome_coupon", question="Does a bigger coupon help", stage="revenue",
             primary="Conversion rate", baseline=0.2, smallest="3%", arms="control 40%, small 30%；big 0.3",
             guardrails="opt_out_rate 0.2%", start_month=4, pool="new_users", alpha=0.1, power=0.9, cost="6万",
             owner="Legal", purpose="the level is unknown", why="agreed"),
    )  # fmt: skip
    (one,) = found.experiments
    assert (one.question.en, one.node, one.primary) == ("Does a bigger coupon help", "revenue", "conversion_rate")
    assert (one.baseline.value, one.baseline.why, one.smallest_worth_having.value) == (0.2, "agreed", 0.03)
    assert one.arms == {"control": 0.4, "small": 0.3, "big": 0.3}
    assert [(g.metric, g.margin) for g in one.guardrails] == [("opt_out_rate", 0.002)]
    assert (one.start_month, one.pool, one.alpha, one.power, one.owner) == (4, "new_users", 0.1, 0.9, "legal")
    assert (one.cost.value, one.cost.why, one.why) == (60_000, "agreed", "the level is unknown")


def test_team(home):
    found, _ = changed(*row("Team", "content", name="Writers", department="IT", people_low=4, people_high=6,
                            hours_per_week=40, cost_per_year=250_000, does="articles", why="grown"))  # fmt: skip
    one = found.team.roles["content"]
    assert (one.name.en, one.department, one.people, one.hours_per_week) == ("Writers", "it", (4, 6), 40)
    assert (one.cost_per_year.value, one.cost_per_year.why, one.does) == (250_000, "grown", "articles")
    assert (one.source, one.why) == ("assumption", "grown")


def test_risks(home):
    found, _ = changed(
        *row("Risks", "fatigue", name="Too much", probability="50%", hits="users.waking", effect_low=-0.05,
             effect_high=-0.01, trigger_metric="Churn rate", trigger_side="above", trigger_level=0.1,
             response="Push less", owner="Legal", dimension="trust", left_probability=0.2, left_low=-0.02,
             left_high=0, why="seen"),
        *row("Risks", "outage", left_probability=None, left_low=None, left_high=None, response=None),
    )  # fmt: skip
    one, other = found.risks
    assert (one.name.en, one.probability, one.hits, one.effect) == ("Too much", 0.5, "users.waking", (-0.05, -0.01))
    assert one.trigger.model_dump() == {"metric": "churn_rate", "above": 0.1, "below": None}
    assert (one.response.en, one.owner, one.dimension, one.why) == ("Push less", "legal", "trust", "seen")
    assert (one.mitigated.probability, one.mitigated.effect, one.mitigated.why) == (0.2, (-0.02, 0), "seen")
    assert (other.mitigated, other.response) == (None, None)


def test_a_sign_is_shown_in_the_unit_of_its_own_metric(home):
    path = quick(RICH)
    level = Editing(path).place("Risks", "fatigue", "Sign: level")
    assert (level.value, level.number_format) == (8, "#,##0")
    assert Editing(path).place("Risks", "fatigue", "Added to it, lowest").number_format == "0%"
    changed_now, _ = changed(*row("Risks", "fatigue", trigger_level=12))
    assert changed_now.risks[0].trigger.below == 12


def test_actions(home):
    days = {"opened": dt.date(2027, 2, 2), "due_day": "2027-03-15", "ended": "2027年3月10日"}
    moved = {"expected": 0.05, "observed": 0.04, "observed_low": 0.02, "observed_high": 0.06}
    told = {"dropped": "yes", "metric": "Churn rate", "experiment": "E7", "outcome": "too dear"}
    about = {"name": "Push once a week", "owner": "Legal"}
    found, _ = changed(*row("Actions", "less-push", **days, **moved, **told, **about))
    (one,) = found.review.actions
    assert (one.name.en, one.owner, one.opened, one.due, one.ended) == (
        "Push once a week", "legal", "2027-02-02", "2027-03-15", "2027-03-10")  # fmt: skip
    assert (one.dropped, one.metric, one.expected, one.observed, one.between) == (
        True,
        "churn_rate",
        0.05,
        0.04,
        (0.02, 0.06),
    )
    assert (one.experiment, one.reason) == ("E7", "too dear")


def test_assumptions_take_a_number_a_range_or_a_distribution(home):
    found, _ = changed(
        *row("Assumptions", "users.churn", value=0.07, why="measured elsewhere"),
        *row("Assumptions", "users.waking", value_low=0.05, value_high=0.2, value=None),
        *row("Assumptions", "users.staying_active", value=0.8),
        *row("Assumptions", "users.retention.points.d7", value=0.65, why="cohort"),
        *row("Assumptions", "budget.bands.labour", value_low=0.35),
        *row("Assumptions", "experiments.welcome_coupon.traffic_per_week", value_high=15_000),
    )
    users = found.users
    assert (users.churn.value, users.churn.why, users.churn.period) == (0.07, "measured elsewhere", "month")
    assert (users.churn.kind, users.churn.source) == ("assumed", "assumption")
    assert (users.waking.value, users.waking.period) == ((0.05, 0.2), "month")
    assert (users.staying_active.dist, users.staying_active.span, users.staying_active.mode) == (
        "pert",
        (0.7, 0.9),
        0.8,
    )
    assert (users.retention.points, users.retention.source, users.retention.why) == (
        {"d7": 0.65, "m1": 0.4}, "assumption", "cohort")  # fmt: skip
    assert (found.budget.bands["labour"].between, found.budget.bands["labour"].source) == ((0.35, 0.5), "assumption")
    assert found.experiments[0].traffic_per_week.value == (9_000, 15_000)


def test_every_figure_of_a_plan_has_one_place_for_typing(home):
    """What the sheet of assumptions only shows is for typing in the sheet that it names, and nowhere twice."""
    book = Editing(quick(W))
    page = book.book["Assumptions"]
    top = next(y for y in range(1, 8) if page.cell(y, 1).value == "ID")
    heads = {page.cell(top, x).value: x for x in range(1, page.max_column + 1)}
    tinted = 0
    for y in range(top + 1, page.max_row + 1):
        where = page.cell(y, heads["Typed in sheet"]).value
        cells = [page.cell(y, heads[name]) for name in ("Lowest", "Value, or likely", "Highest")]
        is_input = any(cell.fill.fill_type for cell in cells)
        holds = any(cell.value is not None for cell in cells)
        assert not (where and is_input) and (where is None or where in book.book.sheetnames)
        assert where or is_input or not holds, page.cell(y, 1).value
        tinted += is_input
    assert tinted > 50 and page.max_row - top > 120


def test_a_figure_that_is_typed_elsewhere_is_refused_here(home):
    path, names = edited(quick(RICH), *row("Assumptions", "channels.partners.cac", value_low=10))
    assert problems(path) == [(names[0], "cell_locked")]


NEW = {
    "Channels": {"name": "Shops", "paid": "no", "intake_likely": 800},
    "Experiments": {
        "question": "Is it better", "stage": "revenue", "primary": "Conversion rate", "baseline": 0.1,
        "smallest": 0.01, "traffic": 900, "arms": "control 50%, other 50%", "test_unit": "customer", "owner": "IT",
    },
    "Tasks": {"name": "Roll out", "department": "IT", "best": 1, "likely": 2, "worst": 4, "predecessors": "test FS+2d",
              "roles": "content 1"},
    "Team": {"name": "Sellers", "people_low": 2, "people_high": 2},
    "Risks": {"name": "Fire", "probability": 0.1, "hits": "channels.partners.cac", "effect_low": 1, "effect_high": 5,
              "owner": "IT"},
    "Actions": {"name": "Call", "owner": "IT", "opened": "2027-03-01", "due_day": "2027-04-01"},
    "Split": {"name": "East", "level": "Region", "share": 1},
}  # fmt: skip


def rows_of(plan, sheet):
    return {
        "Targets": plan.targets, "Channels": plan.channels, "Experiments": plan.experiments, "Risks": plan.risks,
        "Tasks": plan.schedule.tasks, "Team": tuple(plan.team.roles.values()), "Actions": plan.review.actions,
        "Split": plan.organisation.units if plan.organisation else (),
    }[sheet]  # fmt: skip


def test_rows_that_are_added(home):
    book = Editing(quick(RICH))
    for sheet, values in NEW.items():
        add(book, sheet, f"new-{sheet.lower()}", **values, why="agreed")
    found, told = opened(book.save())
    for sheet, values in NEW.items():
        rows = rows_of(found, sheet)
        assert len(rows) == len(rows_of(load_plan(RICH), sheet)) + 1
        name = rows[-1].question if sheet == "Experiments" else rows[-1].name
        assert (name.zh, name.en) == (name.en, values.get("name") or values["question"])
        if hasattr(rows[-1], "source"):
            assert (rows[-1].source, rows[-1].why) == ("assumption", "agreed")
    assert found.schedule.tasks[-1].model_dump(include={"days", "roles", "department"}) == {
        "days": (1, 2, 4), "roles": {"content": 1}, "department": "it"}  # fmt: skip
    assert len(told) == 1 and told[0].startswith("outputs/rich/rich.xlsx: changed cells")
    assert all(change.why == "agreed" for change in found.changes if change.path != "organisation")


def test_rows_that_are_added_say_what_they_lack(home):
    book = Editing(quick(RICH))
    lines = {sheet: add(book, sheet, f"new-{sheet.lower()}", why="agreed") for sheet in NEW if sheet != "Split"}
    found = problems(book.save())
    assert {code for _, code in found} == {"missing"}
    for sheet, line in lines.items():
        cells = [place for place, _ in found if place.startswith(f"{sheet}!")]
        assert cells and all(place.endswith(str(line)) for place in cells)


def test_rows_that_are_deleted_leave_the_plan_and_are_told(home):
    book = Editing(quick(RICH))
    gone = {"Targets": "w-churn-rate", "Channels": "partners", "Experiments": "welcome_coupon", "Tasks": "test",
            "Risks": "fatigue", "Actions": "less-push"}  # fmt: skip
    for sheet, row_id in gone.items():
        book.book[sheet].delete_rows(book.place(sheet, row_id, "ID").row)
    found, told = opened(book.save())
    for sheet, row_id in gone.items():
        assert row_id not in {one.id for one in rows_of(found, sheet)}
    assert [change.cell for change in found.changes] == [f"{sheet}!{row_id}" for sheet, row_id in gone.items()]
    assert told == [
        f"Sheet {sheet}: taken out of the plan for this run, since their rows were deleted (1): {row_id}"
        for sheet, row_id in gone.items()
    ]
    with pytest.raises(InputError, match="Risks!fatigue"):  # the workbook counts as changed
        make_workbook(RICH, words("en"), home / "outputs")


def test_a_deleted_row_that_something_needs_is_named_by_its_sheet(home):
    book = Editing(quick(RICH))
    for sheet, row_id in (("Team", "content"), ("Tasks", "build")):
        book.book[sheet].delete_rows(book.place(sheet, row_id, "ID").row)
    found = problems(book.save())
    assert ("Tasks!build", "row_needed") in found
    assert {code for _, code in found} <= {"row_needed", "unknown_ref"}


def test_a_deleted_row_that_the_plan_has_changed_meanwhile_is_a_conflict(home):
    book = Editing(quick(RICH))
    book.book["Risks"].delete_rows(book.place("Risks", "fatigue", "ID").row)
    path = book.save()
    plan = home / RICH
    plan.write_text(plan.read_text(encoding="utf-8").replace("probability: 0.4", "probability: 0.5"), encoding="utf-8")
    assert problems(path) == [("Risks!fatigue", "cell_conflict")]


def test_assumptions_have_a_colour_of_their_own(home):
    book = Editing(quick(RICH))
    assumed = book.place("Assumptions", "users.staying_active", "Lowest").fill.start_color.rgb
    stated = book.place("Assumptions", "users.churn", "Value, or likely").fill.start_color.rgb
    assert assumed.endswith("FBDFC6") and stated.endswith("FFF6DC")
    assert book.place("Risks", "outage", "Source").fill.start_color.rgb == assumed
    legend = [row[0] for row in book.book["Notes"].iter_rows() if row[0].fill.fill_type]
    assert [cell.fill.start_color.rgb for cell in legend[:2]] == [stated, assumed]


def test_texts_that_are_formulas_stay_texts_in_every_sheet(home):
    plan = home / RICH
    evil = (
        plan.read_text(encoding="utf-8")
        .replace("en: Fatigue", "en: '=HYPERLINK(1)'")
        .replace("en: Build", "en: '@SUM(1)'")
    )
    plan.write_text(evil.replace("en: Push less", "en: '+1+1'"), encoding="utf-8")
    path = made(RICH)
    assert opened(path)[0].changes == ()
    book = openpyxl.load_workbook(path)
    formulas = {c.value for page in book for r in page.iter_rows() for c in r if c.data_type == "f"}
    assert all(formula.startswith("=SUM(") or formula[1:].isalnum() for formula in formulas)
    texts = {c.value for page in book for r in page.iter_rows() for c in r if c.quotePrefix}
    assert {"=HYPERLINK(1)", "@SUM(1)", "+1+1"} <= texts


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A project with one workbook, open in another program all the time: each test types into it and puts it back."""
    folder = tmp_path_factory.mktemp("bench")
    set_up(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Editing(folder / quick(RICH))


DAMAGE = [
    ("Channels", "partners", "paid", "perhaps", "cell_choice"),
    ("Channels", "partners", "from_stage", "Summer", "cell_choice"),
    ("Channels", "partners", "cac_low", 30, "low_above_high"),
    ("Channels", "partners", "cac_high", None, "cell_three"),
    ("Channels", "partners", "intake_low", 100, "cell_three"),
    ("Channels", "partners", "ceiling", -5, "above"),
    ("Channels", "partners", "spend_min", 300_000, "low_above_high"),
    ("Channels", "partners", "name", None, "missing"),
    ("Experiments", "welcome_coupon", "arms", "control half, coupon half", "cell_pairs"),
    ("Experiments", "welcome_coupon", "arms", "control 50%, coupon 60%", "arms"),
    ("Experiments", "welcome_coupon", "guardrails", "complaints 1%", "unknown_metric"),
    ("Experiments", "welcome_coupon", "baseline", "30 per cent", "cell_number"),
    ("Experiments", "welcome_coupon", "start_month", 46_204, "cell_serial"),
    ("Experiments", "welcome_coupon", "traffic", 10_000, "cell_locked"),
    ("Tasks", "build", "roles", "nobody 2", "unknown_ref"),
    ("Tasks", "build", "department", "Kitchen", "cell_choice"),
    ("Team", "content", "people_low", 9, "low_above_high"),
    ("Team", "content", "cost_per_year", "#REF!", "cell_error"),
    ("Risks", "fatigue", "probability", 1.4, "rate_range"),
    ("Risks", "fatigue", "hits", "users.churn'; DROP TABLE users; --", "unknown_path"),
    ("Risks", "fatigue", "hits", "=cmd|' /C calc'!A0", "cell_formula"),
    ("Risks", "fatigue", "trigger_metric", None, "missing"),
    ("Risks", "outage", "left_probability", None, "missing"),
    ("Risks", "fatigue", "owner", "Nobody", "cell_choice"),
    ("Actions", "less-push", "due_day", 46_082, "cell_serial"),
    ("Actions", "less-push", "due_day", "soon", "cell_day"),
    ("Actions", "less-push", "due_day", dt.date(2026, 1, 1), "end_before_start"),
    ("Actions", "less-push", "ended", dt.date(2027, 3, 1), "missing"),
    ("Assumptions", "users.waking", "value", "=[other.xlsx]Sheet1!A1", "cell_formula"),
    ("Assumptions", "users.waking", "value", None, "missing"),
    ("Assumptions", "users.waking", "value", "#N/A", "cell_error"),
    ("Assumptions", "users.waking", "value_low", 0.05, "cell_three"),
    ("Assumptions", "users.retention.points.d7", "value", 1.5, "rate_range"),
    ("Assumptions", "users.retention.points.d7", "value", 0.1, "not_falling"),
]


def workbooks():
    """Return the damage in as few workbooks as there is most of in one row: what one cell hides is no other row's."""
    found: list[list[tuple]] = []
    for damage in DAMAGE:
        place = next((one for one in found if damage[:2] not in [other[:2] for other in one]), None)
        if place is None:
            found.append(place := [])
        place.append(damage)
    return found


@pytest.mark.parametrize("damaged", workbooks(), ids=range(len(workbooks())))
def test_damaged_cells_are_named_all_at_once_and_nothing_is_written(bench, damaged):
    cells = [bench.place(s, row_id, words("en").text(f"exchange.column.{key}")) for s, row_id, key, *_ in damaged]
    before = [(cell.value, cell.number_format) for cell in cells]
    plan = (bench.path.parents[2] / RICH).read_bytes()
    try:
        for cell, (*_, typed, code) in zip(cells, damaged, strict=True):
            cell.value = typed
            cell.number_format = "General" if code == "cell_serial" else cell.number_format
        found = problems(bench.save("damaged.xlsx"))
    finally:
        for cell, (value, form) in zip(cells, before, strict=True):
            cell.value, cell.number_format = value, form
    expected = [(sheet, str(cell.row), code) for cell, (sheet, _, _, _, code) in zip(cells, damaged, strict=True)]
    told = [(*re.fullmatch(r"(\w+)![A-Z]+(\d+)", place).groups(), code) for place, code in found]
    assert sorted(told) == sorted(expected)
    assert (bench.path.parents[2] / RICH).read_bytes() == plan


def test_a_header_that_is_deleted_rows_that_are_merged_and_a_sheet_that_is_renamed(home):
    book = Editing(quick(RICH))
    book.book["Risks"].delete_rows(1)
    book.book["Channels"].merge_cells("C2:C3")
    book.book["Team"].title = "People"
    found = problems(book.save())
    assert {("Risks!A1", "heading_missing"), ("Team", "sheet_missing"), ("Channels!C2:C3", "cells_merged")} <= set(
        found
    )


def test_a_hidden_sheet_is_told_and_counts(bench):
    page = bench.book["Risks"]
    cell = bench.place("Risks", "fatigue", "Probability")
    before, cell.value, page.sheet_state = cell.value, 0.3, "hidden"
    try:
        found, told = opened(bench.save("damaged.xlsx"))
    finally:
        cell.value, page.sheet_state = before, "visible"
    assert found.risks[0].probability == 0.3
    assert told[0] == "Sheet Risks is hidden; what was changed in it counts all the same."


def test_numbers_typed_as_texts_are_taken_where_nothing_else_can_be_meant(bench):
    typed = {
        ("Channels", "partners", "ceiling"): ("１.２万", 12_000),
        ("Channels", "partners", "spend_max"): ("¥150,000", 150_000),
        ("Risks", "fatigue", "probability"): ("35%", 0.35),
        ("Team", "content", "people_high"): ("７", 7),
    }
    cells = {}
    for (sheet, row_id, key), (text, _) in typed.items():
        cell = bench.place(sheet, row_id, words("en").text(f"exchange.column.{key}"))
        cells[cell] = cell.value
        cell.value = text
    try:
        found, told = opened(bench.save("damaged.xlsx"))
    finally:
        for cell, before in cells.items():
            cell.value = before
    one = found.channels[-1]
    assert [one.response.ceiling, one.spend.max, found.risks[0].probability, found.team.roles["content"].people[1]] == [
        number for _, number in typed.values()
    ]
    assert told[0].startswith("Texts taken for numbers: Channels!") and "１.２万 = 12000" in told[0]


@pytest.mark.parametrize("lock", ["~$rich.xlsx", ".~lock.rich.xlsx#"])
def test_a_workbook_that_is_open_elsewhere_is_read_as_saved_and_never_written_over(home, lock):
    path = quick(RICH)
    (path.parent / lock).write_text("somebody", encoding="utf-8")
    before = path.read_bytes()
    found, told = opened(path)
    assert found.changes == () and "seems to be open" in told[0]
    with pytest.raises(InputError) as error:
        made(RICH)
    assert [problem.code for problem in error.value.problems] == ["book_open"]
    assert path.read_bytes() == before


def test_progress_of_a_task_that_the_plan_has_not_is_refused(home):
    book = Editing(quick(RICH))
    line = add(book, "Tasks", "new-task", **NEW["Tasks"], done=0.5)
    assert problems(book.save()) == [(f"Tasks!A{line}", "unknown_task")]
