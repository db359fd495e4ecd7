"""Levers, settings and their two answers, saving, and the panel without a browser."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from planlib import answers, outlooking
from planlib import outlook_questions as questions
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.plan import load_plan
from planlib.plan.scenario import fingerprint
from planlib.report.charts import live
from planlib.whatif_levers import GROUPS, changes_of, levers_of, put
from planlib.whatif_panel import Panel
from planlib.whatif_session import Session

ROOT = Path(__file__).resolve().parents[1]
PLANS = ("params/wechat_platform.yaml", "params/private_domain_2026.yaml", "tests/plan/minimal.yaml")
FEW, FULL = 60, 240
ADS, CHURN, GATE, MONEY = "channels.moments_ads.intake", "users.churn", "wait.g2", "budget.bands.marketing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("whatif")
    (found / "params").mkdir()
    shutil.copy(ROOT / "params" / "wechat_platform.yaml", found / "params")
    return found


@pytest.fixture(scope="module")
def made(folder) -> Session:
    return Session(load_plan(folder / "params" / "wechat_platform.yaml"), few=FEW, full=FULL)


@pytest.fixture
def session(made) -> Session:
    made.forget()
    made.kept = []
    return made


def codes(error: InputError) -> set[str]:
    return {problem.code for problem in error.problems}


def test_every_group_has_levers_with_names_limits_and_sources(session):
    found = session.levers
    assert [group for group in GROUPS if any(it.group == group for it in found.values())] == list(GROUPS)
    for it in found.values():
        assert it.low <= it.value <= it.high and it.low < it.high and 0 < it.step < it.high - it.low, it.id
        assert set(it.name) == {"zh", "en"} and all(it.name.values()) and it.source, it.id
    ads = found[ADS]
    assert (ads.low, ads.value, ads.high, ads.ranged) == (12_000, 18_000, 24_000, True)
    assert (found[CHURN].low, found[CHURN].high, found[CHURN].ranged) == (0.04, 0.12, False)
    assert (found[MONEY].value, found[MONEY].high) == (0.2, 0.2)  # what the simulation spends


def test_a_quantity_moves_as_a_whole_and_keeps_its_form(session):
    (change,) = changes_of(session.plan, {ADS: 21_000.0}, session.levers, "more")
    assert change.value["dist"] == "pert"
    assert [change.value[name] for name in ("low", "mode", "high")] == [14_000, 21_000, 28_000]
    (change,) = changes_of(session.plan, {"users.conversion": 0.18}, session.levers, "more")
    assert change.value["value"] == pytest.approx(0.18) and change.value["source"] == "assumption"


def test_a_gate_waits_by_a_task_before_it(session):
    found = {change.path: change.value for change in changes_of(session.plan, {GATE: 20.0}, session.levers, "late")}
    assert found["schedule.tasks.wait_g2"]["days"] == [20, 20, 20]
    assert found["schedule.gates.g2.after"][-1] == "wait_g2"


@pytest.mark.parametrize("path", PLANS)
def test_a_plan_changed_in_memory_is_the_plan_read_with_the_changes(path):
    plan = load_plan(ROOT / path)
    world = outlooking.world(plan, paths=4)
    answered = {goal["id"] for goal in outlooking.goals(world, outlooking.on_plan(world))}
    levers = levers_of(plan, answered)
    setting = {it.id: round(it.low + 0.3 * (it.high - it.low), 6) for it in levers.values()}
    changes = changes_of(plan, setting, levers, "all at once")
    model = plan.model
    for change in changes:
        model = put(model, change.path, change.value, change.why)
    assert model == load_plan(ROOT / path, changes=changes).model


@pytest.mark.parametrize("setting", [{ADS: 21_000.0, CHURN: 0.06, MONEY: 0.16, "budget.total": 2e7}, {GATE: 25.0}])
def test_full_figures_are_those_of_the_outlook_on_the_saved_plan(session, folder, setting):
    for name, position in setting.items():
        session.set(name, position)
    answer = session.at_rest()
    path = session.save("as_found", "why not")
    try:
        plan = load_plan(path)
        asked = questions.Asked.of(outlooking.world(plan, paths=FULL))
        assert answer.users[1] == np.median(asked.metrics["private_domain_users"][:, -1])
        assert answer.gmv[1] == np.median(asked.metrics[outlooking.TO_DATE][:, -1])
        assert answer.spend == pytest.approx(asked.joint.spend_cny.sum(axis=1).mean(), rel=1e-12)
        told = {
            row["id"]: row["probability"]
            for row in asked.chances[0]
            if row["id"] in set(answer.chances) - set(outlooking.OWN)
        }
        assert {name: pair[1] for name, pair in answer.chances.items() if name in told} == told
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert content["extends"] == "wechat_platform.yaml" and set(content) <= {
            "extends", "plan", "channels", "users", "schedule", "budget",
        }  # fmt: skip
        assert "why not" in path.read_text(encoding="utf-8")
    finally:
        path.unlink()


def test_only_changed_values_are_saved(session):
    session.set(ADS, 21_000.0)
    path = session.save("only_ads", "more\nads")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.unlink()
    assert content["channels"] == [
        {"id": "moments_ads", "intake": {"low": 14_000.0, "mode": 21_000.0, "high": 28_000.0, "source": "assumption",
                                         "why": "more ads"}}
    ]  # fmt: skip


def test_the_coarse_answer_is_the_full_one_on_few_paths(session):
    session.set(CHURN, 0.05)
    quick, full = session.quick(), session.at_rest()
    assert quick.coarse and not full.coarse and quick.conflicts is None
    few = questions.Asked.of(outlooking.world(load_plan(session.plan.file, changes=session.changes("x")), paths=FEW))
    assert quick.users[1] == np.median(few.metrics["private_domain_users"][:, -1])
    assert quick.users[1] == pytest.approx(full.users[1], rel=0.05)
    for name, pair in quick.chances.items():
        assert abs(pair[1] - full.chances[name][1]) < 0.25, name


def test_nothing_moved_is_the_plan(session):
    assert session.at_rest().chances == session.first.chances
    assert session.first.users == session.at_rest().users
    session.set(ADS, 18_000.0)
    assert session.setting == {}


def test_moves_of_one_lever_are_one_step_back(session):
    for position in (19_000.0, 20_000.0, 21_000.0):
        session.set(ADS, position)
    session.set(CHURN, 0.06)
    session.settle()
    session.set(CHURN, 0.05)
    assert session.undo() and session.setting == {ADS: 21_000.0, CHURN: 0.06}
    assert session.undo() and session.setting == {ADS: 21_000.0}
    session.reset()
    assert session.setting == {} and session.undo() and session.setting == {ADS: 21_000.0}
    assert session.undo() and session.setting == {} and not session.undo()


def test_a_position_outside_the_limits_moves_nothing(session):
    session.set(ADS, 20_000.0)
    for position in (11_999.0, 24_001.0, float("nan"), float("inf")):
        with pytest.raises(InputError) as error:
            session.set(ADS, position)
        assert codes(error.value) == {"out_of_range"}
    assert session.setting == {ADS: 20_000.0}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("wechat_platform", "file_exists"), ("../outside", "id_form"), ("a/b", "id_form"), ("a\\b", "id_form"),
        ("con", "reserved_name"), ("lpt1", "reserved_name"), ("", "id_form"), ("Big", "id_form"),
        ("x.adopted", "id_form"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_used_writes_nothing(session, folder, name, code):
    session.set(ADS, 20_000.0)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as error:
        session.save(name, "why")
    assert codes(error.value) == {code}
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_scenario_needs_a_change_and_a_reason(session):
    with pytest.raises(InputError) as error:
        session.save("nothing", "  ")
    assert codes(error.value) == {"missing", "nothing_changed"}


@pytest.mark.parametrize(
    ("change", "code"),
    [("# a remark\n", ""), ("users: {churn: {value: 0.07}}\n", "plan_moved"), ("users: [\n", "yaml_indent")],
)
def test_a_plan_that_changed_on_the_disk_is_not_built_on(tmp_path, change, code):
    shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", tmp_path / "below.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: below.yaml\nplan: {id: mine}\n", encoding="utf-8")
    mine = Session(load_plan(path), few=20, full=40)
    lever = next(it for it in mine.levers.values() if it.group != "gates")
    mine.set(lever.id, lever.high)
    mine.at_rest()
    with path.open("a", encoding="utf-8") as file:
        file.write(change)
    with pytest.raises(InputError) as error:
        mine.at_rest()
    assert codes(error.value) == {"plan_moved"}  # bytes differ: figures may
    if code:
        with pytest.raises(InputError) as error:
            mine.save("other", "why")
        assert code in codes(error.value) and not (tmp_path / "other.yaml").exists()
    else:
        assert mine.save("other", "why").is_file()  # the same figures


def test_what_a_plan_rests_on_is_watched(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("plan: {}\n", encoding="utf-8")
    before = fingerprint(tmp_path / "a.yaml")
    assert len(before) == 3  # with the adopted figures, that are not there yet
    (tmp_path / "a.adopted.yaml").write_text("users: {}\n", encoding="utf-8")
    assert fingerprint(tmp_path / "a.yaml") != before


def test_new_contradictions_are_told_apart(session):
    session.set("team.size", 75.0)
    first = session.first.conflicts
    assert first and not any(one.new for one in first)
    session.reset()
    session.set("targets.w-users-year1", 500_000.0)
    found = session.at_rest()
    assert set(found.settled) == {one.id for one in first} - {one.id for one in found.conflicts} != set()


def test_of_settings_side_by_side_the_oldest_goes(session):
    for letter in "ABCD":
        session.keep(letter, session.first)
    assert [kept.name for kept in session.kept] == ["B", "C", "D"]


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("size", [(live.WIDTH, live.HEIGHT), (864.0, 330.0)])
def test_views_stay_inside_and_have_every_glyph(session, locale, size):
    import re
    from xml.etree import ElementTree

    from planlib.report.charts.base import width_of
    from planlib.report.typefaces import missing_glyphs

    session.set(GATE, 60.0)
    svg = live.views(session.quick().views, words(locale), width=size[0], height=size[1])
    for text in (e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")):
        assert not missing_glyphs(text.text)
        wide = width_of(text.text, float(text.get("font-size")))
        x = float(text.get("x")) - {"start": 0.0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
        assert x >= -1 and x + wide <= size[0] + 1, text.text
        assert 0 <= float(text.get("y")) <= size[1], text.text
    assert not re.search(r"nan|inf\b", svg)


def test_the_panel_answers_says_what_is_wrong_and_speaks_both_languages(session, tmp_path):
    panel = Panel(session, locale="zh", out=tmp_path)
    before = panel.views.value
    panel.rows[ADS].slider.value = 21_000.0
    assert panel.answer.coarse and panel.views.value != before and "≈" in panel.head.value
    panel.rows[ADS].box_typed.value = 99_999.0
    assert "超出" in panel.said.value and panel.rows[ADS].box_typed.value == 21_000.0 == session.setting[ADS]
    panel.rest()
    assert not panel.answer.coarse and "≈" not in panel.head.value and "矛盾" in panel.conflicts.value
    panel.keep()
    assert "设定 A" in panel.compare.value
    panel.name.value = "../x"
    panel.save()
    assert "planlib-wrong" in panel.said.value
    panel.speak("en")
    assert "Setting A" in panel.compare.value and panel.rows[ADS].slider.value == 21_000.0
    panel.reset()
    assert panel.rows[ADS].slider.value == 18_000.0 and session.setting == {}
    panel.undo()
    assert panel.rows[ADS].slider.value == 21_000.0


def test_at_rest_the_panel_works_out_all_paths_by_itself(session, monkeypatch):
    monkeypatch.setattr("planlib.whatif_panel.REST_SECONDS", 0.0)
    panel = Panel(session)

    async def job() -> None:
        panel.move(ADS, 20_000.0)
        panel.move(ADS, 21_000.0)
        assert panel.answer.coarse
        await panel._resting

    asyncio.run(job())
    assert not panel.answer.coarse and panel.answer.setting == {ADS: 21_000.0}


def test_hints_say_where_value_and_limits_come_from(session):
    panel = Panel(session, locale="en")
    assert "assumption" in panel.rows[ADS].slider.tooltip and "own range" in panel.rows[ADS].slider.tooltip


@pytest.mark.parametrize("locale", ["zh", pytest.param("en", marks=pytest.mark.full)])
def test_a_page_holds_the_view(session, tmp_path, locale):
    from pypdf import PdfReader

    panel = Panel(session, locale=locale, out=tmp_path)
    panel.move(ADS, 21_000.0)
    panel.export()
    (path,) = tmp_path.glob("*.pdf")
    text = PdfReader(path).pages[0].extract_text()
    assert words(locale).number(panel.answer.users[1], "users") in text
    assert len(PdfReader(path).pages) == 1


@pytest.mark.parametrize("path", PLANS[1:])
def test_plans_without_gates_channels_or_bands_have_a_panel_too(path):
    mine = Session(load_plan(ROOT / path), few=20, full=40)
    panel = Panel(mine, locale="en")
    assert "<svg" in panel.views.value
    for it in mine.levers.values():
        mine.set(it.id, it.high)
    assert live.views(mine.at_rest().views, words("en"))
    assert answers.said("x.")["values"]["text"]["bilingual"]["en"] == "x"
