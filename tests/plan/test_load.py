"""Plan files that are wrong, plan files that build on each other, and the plan's hash."""

import json
import os
import sys
from pathlib import Path
from typing import get_args

import pytest

from planlib.core.errors import InputError
from planlib.core.metrics import UNITS
from planlib.plan import load_plan
from planlib.plan.load import Change, number_meant
from planlib.plan.model import Unit
from planlib.plan.tree import Node, dotted, parse, scalar

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, so that messages name files as a user types them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, content):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(*changes):
    """The minimal plan with some of its text replaced."""
    content = MINIMAL
    for old, new in changes:
        assert content.count(old) == 1, old
        content = content.replace(old, new)
    return content


def problems(path, **how):
    with pytest.raises(InputError) as caught:
        load_plan(path, **how)
    for locale in ("zh", "en"):
        blocks = caught.value.render(locale).splitlines()
        assert all(len(row) < 1_200 for row in blocks)
        assert not any(word in caught.value.render(locale) for word in ("pydantic", "Traceback", "Input should"))
    return caught.value.problems


def told(path, **how):
    return [(p.line, p.field, p.code) for p in problems(path, **how)]


def line_of(content, part):
    rows = [number for number, row in enumerate(content.splitlines(), 1) if part in row]
    assert len(rows) == 1, (part, rows)
    return rows[0]


def extending(*rows, name="base.yaml"):
    return "\n".join((f"extends: {name}", *rows)) + "\n"


# ---- one mistake, one message: text replaced, text on the line that is named, field, code

MISTAKES = [
    # a share that was meant as per cent
    ("value: 0.08, period", "value: 3.2, period", "users.churn.value", "rate_range"),
    ("value: 0.08, period", 'value: "3.2%", period', "users.churn.value", "number_text"),
    ("{value: 0.08, period", "{dist: uniform, low: 3, high: 8, period", "users.churn.low", "rate_range"),
    ("at_least: 0.5", "at_least: 50", "targets[1].at_least", "rate_range"),
    ("[0.4, 0.6]", "[40, 60]", "budget.bands.marketing.between", "rate_range"),
    ("d7: 0.6", "d7: 60", "users.retention.points.d7", "rate_range"),
    # outside its range
    ("value: 0.08, period", "value: -0.1, period", "users.churn.value", "out_of_range"),
    ("value: 0.08, period", "value: 320, period", "users.churn.value", "out_of_range"),
    ("value: 40_000_000", "value: -5", "baseline.total_gmv.value", "at_least"),
    ("at_least: 100_000", "at_least: -1", "targets[0].at_least", "at_least"),
    ("months: 12,", "months: 61,", "plan.months", "at_most"),
    ("seed: 7", "seed: -1", "plan.seed", "at_least"),
    ("seed: 7", "seed: 4294967296", "plan.seed", "at_most"),
    ("by_month: 12", "by_month: 0", "targets[0].by_month", "at_least"),
    ("value: 120,", "value: .nan,", "baseline.aov.value", "not_finite"),
    ("value: 120,", "value: -.inf,", "baseline.aov.value", "not_finite"),
    ("value: 120,", "value: 1e999,", "baseline.aov.value", "not_finite"),
    # numbers as people type them
    ("value: 40_000_000", "value: 4000 万", "baseline.total_gmv.value", "number_text"),
    ("value: 40_000_000", "value: ¥4000", "baseline.total_gmv.value", "number_text"),
    ("value: 40_000_000", "value: '40,000,000'", "baseline.total_gmv.value", "number_text"),
    ("value: 40_000_000", "value: 40,000,000", "baseline.total_gmv.000", "comma_number"),
    ("value: 40_000_000", "value: much", "baseline.total_gmv.value", "number_or_range"),
    ("value: 40_000_000", "value: true", "baseline.total_gmv.value", "number_or_range"),
    ("value: 40_000_000", "value: {a: 1}", "baseline.total_gmv.value", "number_or_range"),
    ("by_month: 12", "by_month: soon", "targets[0].by_month", "not_whole"),
    ("by_month: 12", "by_month: 6.5", "targets[0].by_month", "not_whole"),
    # lists of a fixed length, ends in order
    ("[0.7, 0.9]", "[0.7, x]", "users.staying_active.value[1]", "not_number"),
    ("[0.7, 0.9]", "[0.7]", "users.staying_active.value", "number_or_range"),
    ("[0.7, 0.9]", "[0.7, 0.8, 0.9]", "users.staying_active.value", "number_or_range"),
    ("months: [1, 2]", "months: [1]", "schedule.stages[0].months", "count"),
    ("months: [1, 2]", "months: [1, 2, 3]", "schedule.stages[0].months", "count"),
    ("months: [1, 2]", "months: [2, 1]", "schedule.stages[0].months", "low_above_high"),
    ("low: 8_000", "low: 80_000", "channels[0].intake.low", "low_above_high"),
    # forms
    ("value: 120, ", "", "baseline.aov", "quantity_form"),
    ("value: 120,", "value: 120, dist: normal, mean: 1, sd: 1,", "baseline.aov", "quantity_form"),
    ("mode: 12_000, ", "", "channels[0].intake", "dist_parameters"),
    ("at_least: 0.5", "at_least: 0.5, at_most: 0.6", "targets[1]", "statement_op"),
    ("at_least: 0.5, ", "", "targets[1]", "statement_op"),
    # wrong kinds
    ("paid: false", "paid: no", "channels[0].paid", "not_bool"),
    ("why: a new brand", "why: 5", "baseline.opening_users.why", "not_text"),
    ("why: a new brand", "why: ''", "baseline.opening_users.why", "empty"),
    ("why: a new brand", f"why: {'x' * 2001}", "baseline.opening_users.why", "text_length"),
    ("churn: {value: 0.08, period: month, source: W2.3}", "churn: 0.08", "users.churn", "not_mapping"),
    ("title: {zh: 最小方案, en: Minimal plan}", "title: Minimal plan", "plan.title", "not_mapping"),
    ("title: {zh: 最小方案, en: Minimal plan}", "title: {zh: 最小方案}", "plan.title.en", "missing"),
    ("id: minimal", "id: Minimal plan", "plan.id", "id_form"),
    ("curve: power", "curve: powr", "users.retention.curve", "choice"),
    ("d7: 0.6", "d8: 0.6", "users.retention.points.d8", "choice"),
    ("period: year", "period: years", "budget.total.period", "choice"),
    ("at_least: 0.5", "at_least: 0.5, unit: CNY", "targets[1].unit", "unit_confusion"),
    ("at_least: 0.5", "at_least: 0.5, unit: percent", "targets[1].unit", "choice"),
    ("points: {d7: 0.6, m1: 0.4}", "points: {d7: 0.4, m1: 0.6}", "users.retention.points", "not_falling"),
    ("points: {d7: 0.6, m1: 0.4}", "points: {}", "users.retention.points", "empty"),
    # dates
    ("start: 2027-01", "start: 2027-13", "plan.start", "date"),
    ("start: 2027-01", "start: 2027-00", "plan.start", "date"),
    ("start: 2027-01", "start: 2027-1", "plan.start", "date"),
    ("start: 2027-01", "start: 2027", "plan.start", "date"),
    ("start: 2027-01", "start: 2027-01-01", "plan.start", "date"),
    # months behind the end
    ("by_month: 12", "by_month: 13", "targets[0].by_month", "month_range"),
    ("months: [5, 8]", "months: [5, 13]", "schedule.stages[1].months[1]", "month_range"),
    # sources
    (", why: a new brand", "", "baseline.opening_users", "why_missing"),
    ("at_least: 0.5, source: W2.2", "at_least: 0.5", "targets[1].source", "source_missing"),
    ("at_least: 0.5, source: W2.2", "at_least: 0.5, source: see W 2.2", "targets[1].source", "source_missing"),
    # names of fields
    ("value: 120,", "valeu: 120,", "baseline.aov.valeu", "unknown_key"),
    ("orders_per_repeat_buyer: {", "orders_per_buyer: {", "users.orders_per_buyer", "unknown_key"),
    ("at_least: 0.5, source: W2.2", "at_least: 0.5, sorce: W2.2", "targets[1].sorce", "unknown_key"),
    ("at_least: 0.5,", "at_least: 0.5, zzzz: 1,", "targets[1].zzzz", "unknown_key_far"),
    ("\nbudget:", "\nbudgets:", "budgets", "unknown_key"),
    # names of things
    ("metric: mau_rate", "metric: mau_rat", "targets[1].metric", "unknown_metric"),
    ("from_stage: traffic", "from_stage: trafic", "channels[1].from_stage", "unknown_ref"),
    ("id: moments_ads", "id: official_account", "channels[1].id", "duplicate_id"),
    ("id: active", "id: users_year", "targets[1].id", "duplicate_id"),
    # what YAML may not do here
    ("why: a new brand", "why: !!python/name:os.system x", "baseline.opening_users.why", "yaml_tag"),
    ("why: a new brand", "why: !!python/object/apply:os.system ['true']", "baseline.opening_users.why", "yaml_tag"),
    ("why: a new brand", "why: !!binary aGk=", "baseline.opening_users.why", "yaml_tag"),
    ("why: a new brand", "why: &a a new brand", "baseline.opening_users.why", "yaml_alias"),
    ("aov: {value: 120,", "opening_users: {value: 120,", "baseline.opening_users", "double_key"),
    ("{value: 120,", "{value: 120, value: 130,", "baseline.aov.value", "double_key"),
    ("why: a new brand", 'why: "a\\e[2Jb"', "baseline.opening_users.why", "control_character"),
    ("why: a new brand", 'why: "a\\0b"', "baseline.opening_users.why", "control_character"),
    ("why: a new brand", "why: a\u202eb", "baseline.opening_users.why", "control_character"),
    ("{value: 120,", "{[1, 2]: 3, value: 120,", "baseline.aov", "not_text"),
]


@pytest.mark.parametrize(("old", "new", "field", "code"), MISTAKES)
def test_one_mistake_gives_one_message(folder, old, new, field, code):
    content = changed((old, new))
    write("plan.yaml", content)
    line = MINIMAL.count("\n", 0, MINIMAL.index(old)) + old.startswith("\n") + 1
    found = [(p, f, c) for p, f, c in told("plan.yaml") if not f.startswith("scenarios")]
    if (field, code) == ("baseline.opening_users", "double_key"):  # the field itself is gone with its name
        found = [entry for entry in found if entry[1] != "baseline.aov"]
    assert [entry[1:] for entry in found] == [(field, code)]
    assert found[0][0] == line


def test_what_is_given_and_how_to_mend_it_are_said(folder):
    write("plan.yaml", changed(("value: 0.08, period", "value: 3.2, period"), ("metric: mau_rate", "metric: mau_rat")))
    with pytest.raises(InputError) as caught:
        load_plan("plan.yaml")
    assert caught.value.render("en").splitlines() == [
        "plan.yaml:12: targets[1].metric",
        "  given    mau_rat",
        "  allowed  a metric of the catalogue (docs/metrics.md)",
        "  fix      did you mean mau_rate?",
        "plan.yaml:15: users.churn.value",
        "  given    3.2",
        "  allowed  a share from 0 to 1",
        "  fix      for 3.2 % write 0.032",
    ]
    assert caught.value.render("zh").splitlines() == [
        "plan.yaml:12: targets[1].metric",
        "  现值  mau_rat",
        "  允许  指标目录（docs/metrics.md）中的指标",
        "  改法  是否想写 mau_rate？",
        "plan.yaml:15: users.churn.value",
        "  现值  3.2",
        "  允许  0 到 1 之间的占比",
        "  改法  3.2% 请写作 0.032",
    ]


def test_all_mistakes_at_once_in_the_order_of_the_file(folder):
    content = changed(
        ("start: 2027-01", "start: 2027-02-30"),
        ("value: 120,", "value: 120, vlaue: 1,"),
        ("why: a new brand", "why: &x a new brand"),
        ("metric: mau_rate", "metric: mau"),
        ("at_least: 0.5", "at_least: -3"),
        ("value: 0.08, period: month", "value: 8, perid: month"),
        ("curve: power", "curve: line"),
        ("from_stage: traffic", "from_stage: nowhere"),
        ("id: moments_ads", "id: official_account"),
        ("months: [5, 8]", "months: [5, 80]"),
        ("people: [3, 5]", "people: [5, 3]"),
    )
    write("plan.yaml", content)
    found = told("plan.yaml")
    assert [line for line, _, _ in found] == sorted(line for line, _, _ in found)
    assert sorted(entry[1:] for entry in found) == sorted([
        ("plan.start", "date"),
        ("baseline.opening_users.why", "yaml_alias"),
        ("baseline.aov.vlaue", "unknown_key"),
        ("targets[1].at_least", "at_least"),
        ("users.churn.perid", "unknown_key"),
        ("users.churn.value", "rate_range"),
        ("users.retention.curve", "choice"),
        ("channels[1].id", "duplicate_id"),
        ("channels[1].from_stage", "unknown_ref"),
        ("schedule.stages[1].months[1]", "month_range"),
        ("team.roles.content.people", "low_above_high"),
    ])  # fmt: skip


def test_an_empty_horizon_is_one_mistake(folder):
    """Not one more for every month that lies behind month 0."""
    write("plan.yaml", changed(("months: 12,", "months: 0,")))
    assert [entry[1:] for entry in told("plan.yaml")] == [("plan.months", "at_least")]


def test_missing_sections_are_all_named(folder):
    head = MINIMAL.split("\nbaseline:")[0]
    write("plan.yaml", head)
    found = problems("plan.yaml")
    assert {p.code for p in found} == {"missing_section"}
    assert [p.field for p in found] == ["baseline", "targets", "users", "channels", "budget", "schedule", "team"]


def test_a_day_that_is_none(folder):
    write("plan.yaml", MINIMAL + "data: {as_of: 2027-02-30}\n")
    assert told("plan.yaml") == [(line_of(MINIMAL + "data: {as_of: 2027-02-30}", "as_of"), "data.as_of", "date")]
    content = changed(("  calendar: CN\n", "  calendar: CN\n  days_off: {2027-02-29: true}\n"))
    write("plan.yaml", content)
    ((line, field, code),) = told("plan.yaml")
    assert (line, field, code) == (line_of(content, "days_off"), "schedule.days_off.2027-02-29", "date")
    assert problems("plan.yaml")[0].given == "2027-02-29"
    write("plan.yaml", MINIMAL + "data: {as_of: 2028-02-29}\n")
    assert load_plan("plan.yaml").data.as_of == "2028-02-29"


@pytest.mark.parametrize("bad", ["2027-02-30", "2027-13-01", "20270201", "2027-W01-1", "tomorrow", "2027-2-1", ""])
def test_as_of_and_its_spelling(folder, bad):
    write("plan.yaml", MINIMAL)
    (found,) = problems("plan.yaml", as_of=bad)
    assert (found.file, found.field, found.code) == ("--as-of", "data.as_of", "date")


def test_experiments(folder):
    row = (
        "experiments:\n  - {id: coupon, question: {zh: 问, en: Q}, node: activation, unit: customer, owner: content,\n"
        "     arms: {old: 0.5, new: 0.5}, primary: first_interaction_rate, baseline: {value: 0.5, source: W2.3},\n"
        "     looks: [0.5, 1], smallest_worth_having: {value: 0.02, source: W2.3},\n"
        "     traffic_per_week: {value: 900, source: W2.3}, guardrails: [{metric: opt_out_rate, margin: 0.002}],\n"
        "     apart: [coupon], sends_per_week: 2, gmv_share: {value: 0.3, source: W2.3}}\n"
    )
    write("plan.yaml", MINIMAL + row)
    assert load_plan("plan.yaml").experiments[0].looks == (0.5, 1)
    for old, new, field, code in (
        ("new: 0.5", "new: 0.6", "arms", "arms"),
        (", new: 0.5", "", "arms", "arms"),
        ("[0.5, 1]", "[1, 0.5]", "looks", "looks"),
        ("[0.5, 1]", "[0.5, 0.9]", "looks", "looks"),
        ("[0.5, 1]", "[]", "looks", "looks"),
        ("first_interaction_rate", "first_interaction", "primary", "unknown_metric"),
        ("opt_out_rate", "opt_out", "guardrails[0].metric", "unknown_metric"),
        ("margin: 0.002", "margin: 0", "guardrails[0].margin", "above"),
        ("owner: content", "owner: nobody", "owner", "unknown_ref"),
        ("node: activation", "node: activate", "node", "choice"),
        ("apart: [coupon]", "apart: [voucher]", "apart[0]", "unknown_ref"),
        ("sends_per_week: 2", "sends_per_week: -1", "sends_per_week", "at_least"),
        ("{value: 0.3,", "{value: 30,", "gmv_share.value", "rate_range"),
    ):
        assert row.count(old) == 1, old
        write("plan.yaml", MINIMAL + row.replace(old, new))
        assert [entry[1:] for entry in told("plan.yaml")] == [(f"experiments[0].{field}", code)]


def test_schedule_and_risks(folder):
    rows = (
        "  tasks:\n"
        "    - {id: link, name: {zh: 接, en: L}, department: tech, days: [2, 3, 5], roles: {content: 1}, source: W4}\n"
        "    - {id: tags, name: {zh: 标, en: T}, department: tech, days: [2, 3, 5], after: [link], source: W4.1}\n"
        "  gates: [{id: g1, after: [tags], due_month: 3, pass: [{metric: mau_rate, at_least: 0.4, source: W2.2}]}]\n"
        "  links: [{gate: g1, delays: channels.moments_ads}]\n"
    )
    risk = (
        "risks:\n  - {id: fatigue, name: {zh: 疲, en: F}, probability: 0.3, hits: users.churn, effect: [0.01, 0.02],\n"
        "     owner: tech, trigger: {metric: message_open_rate, below: 0.05}, source: W5.1}\n"
    )
    whole = (
        changed(
            ("  calendar: CN\n", f"  calendar: CN\n{rows}"),
            ("team:\n", "team:\n  departments: [{id: tech, name: {zh: 技, en: T}}]\n"),
        )
        + risk
    )
    write("plan.yaml", whole)
    assert load_plan("plan.yaml").schedule.gates[0].conditions[0].level == 0.4
    for old, new, field, code in (
        ("after: [link]", "after: [lnk]", "schedule.tasks[1].after[0]", "unknown_ref"),
        ("after: [tags]", "after: [g2]", "schedule.gates[0].after[0]", "unknown_ref"),
        ("roles: {content: 1}", "roles: {writer: 1}", "schedule.tasks[0].roles.writer", "unknown_ref"),
        ("days: [2, 3, 5], roles", "days: [5, 3, 2], roles", "schedule.tasks[0].days", "low_above_high"),
        ("days: [2, 3, 5], roles", "days: [2, 3], roles", "schedule.tasks[0].days", "count"),
        ("days: [2, 3, 5], roles", "days: [0, 3, 5], roles", "schedule.tasks[0].days[0]", "above"),
        ("due_month: 3", "due_month: 13", "schedule.gates[0].due_month", "month_range"),
        ("at_least: 0.4, source", "at_least: 40, source", "schedule.gates[0].pass[0].at_least", "rate_range"),
        ("gate: g1", "gate: g2", "schedule.links[0].gate", "unknown_ref"),
        ("delays: channels.moments_ads", "delays: channels.none", "schedule.links[0].delays", "unknown_path"),
        ("hits: users.churn", "hits: users.chrn", "risks[0].hits", "unknown_path"),
        ("probability: 0.3", "probability: 30", "risks[0].probability", "rate_range"),
        ("owner: tech", "owner: ops", "risks[0].owner", "unknown_ref"),
        ("below: 0.05", "below: 5", "risks[0].trigger.below", "rate_range"),
        ("effect: [0.01, 0.02]", "effect: [0.02, 0.01]", "risks[0].effect", "low_above_high"),
    ):
        assert whole.count(old) == 1, old
        write("plan.yaml", whole.replace(old, new))
        assert [entry[1:] for entry in told("plan.yaml")] == [(field, code)]


def test_units_of_the_model_are_those_of_the_catalogue():
    assert set(get_args(Unit)) == (set(UNITS) - {"none"}) | {"relative_change", "per_stage"}


# ---- files that cannot be read

UNREADABLE = [
    (b"", 1, "not_a_plan"),
    (b"# only a remark\n", 1, "not_a_plan"),
    (b"- a\n- b\n", 1, "not_a_plan"),
    (b"hello", 1, "not_a_plan"),
    (b"\xef\xbb\xbf", 1, "not_a_plan"),
    (MINIMAL.encode("gbk"), 2, "bad_encoding"),
    (MINIMAL.encode("utf-16"), 1, "bad_encoding"),
    (b"plan:\n  id: \xff\n", 2, "bad_encoding"),
    (b"plan: 1\n\x07", 2, "control_character"),
    (b"plan: a: b\n", 1, "yaml_colon"),
    (b"plan:\n\tid: a\n", 2, "yaml_tab"),
    ("plan:\n  id：a\n  x: 1\n".encode(), 2, "yaml_colon"),
    (b"plan: {a: 1\nx: 2\n", 2, "yaml_unclosed"),
    (b"plan: 'a\nx: 2\n", 3, "yaml_unclosed"),
    (b"plan: @a\n", 1, "yaml_character"),
    (b"plan:\n  - a\n x: 1\n", 3, "yaml_indent"),
    (MINIMAL.encode() + b"---\na: 1\n", len(MINIMAL.splitlines()) + 1, "one_document"),
    (b"x: " + b"[" * 3000 + b"]" * 3000, 1, "too_deep"),
    (b"".join(b" " * level + b"a:\n" for level in range(1_900)), None, "too_deep"),
    (b"plan: " + b"{a: " * 70 + b"}" * 70, 1, "too_deep"),
    (MINIMAL.encode() + b"#" * 10_000_000, None, "too_large"),
]


@pytest.mark.parametrize(("content", "line", "code"), UNREADABLE)
def test_files_that_are_no_plan(folder, content, line, code):
    write("plan.yaml", content)
    found = [p for p in problems("plan.yaml") if p.code == code]
    assert len(found) == 1
    assert line in (None, found[0].line)
    assert found[0].file == "plan.yaml"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(folder):
    write("a.yaml", MINIMAL)
    write("b.yaml", b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_plan("a.yaml").sha256 == load_plan("b.yaml").sha256


def test_missing_files_folders_and_devices(folder):
    Path("folder.yaml").mkdir()
    for name in ("none.yaml", "folder.yaml", os.devnull):
        assert [p.code for p in problems(name)] == ["no_file"]


def test_an_anchors_bomb_is_told_briefly(folder):
    bomb = MINIMAL + "a: &a [x, x]\n" + "".join(f"b{n}: [*a, *a, *a, *a, *a, *a]\n" for n in range(20_000))
    write("plan.yaml", bomb)
    with pytest.raises(InputError) as caught:
        load_plan("plan.yaml")
    assert len(caught.value.problems) < 1_000
    assert "more problems" in caught.value.render("en").splitlines()[-1]
    assert "处问题" in caught.value.render("zh").splitlines()[-1]


def test_nothing_is_written_and_nothing_runs(folder):
    write("plan.yaml", changed(("why: a new brand", "why: !!python/object/apply:os.system ['touch hit']")))
    problems("plan.yaml")
    load_plan(write("good.yaml", MINIMAL))
    assert sorted(p.name for p in folder.iterdir()) == ["good.yaml", "plan.yaml"]


def test_hostile_names_stay_text(folder):
    name = '__import__("os").system("true")'
    write("plan.yaml", MINIMAL + f"'{name}': 1\n")
    (found,) = problems("plan.yaml")
    assert found.code == "unknown_key_far"
    assert found.given == name
    write("plan.yaml", MINIMAL + '"a\\nb\\e[2J": 1\n')
    with pytest.raises(InputError) as caught:
        load_plan("plan.yaml")
    assert len(caught.value.render().splitlines()) == 4
    assert "\x1b" not in caught.value.render()


def test_hashes_lists_and_numbers_where_names_belong(folder):
    content = changed(("metric: mau_rate", "metric: [a, b]"), ("from_stage: traffic", "from_stage: {a: 1}"))
    write("plan.yaml", content)
    assert [entry[1:] for entry in told("plan.yaml")] == [
        ("targets[1].metric", "not_text"),
        ("channels[1].from_stage", "not_text"),
    ]


# ---- plans that build on each other


def test_a_plan_inherits_what_it_does_not_say(folder):
    write("base.yaml", MINIMAL)
    write(
        "own.yaml",
        extending(
            "plan: {id: own}",
            "users:",
            "  churn: {value: 0.05, source: W9.9}",
            "channels:",
            "  - {id: moments_ads, paid: false}",
            "  - id: stores",
            "    name: {zh: 门店, en: Stores}",
            "    paid: false",
            "    intake: {value: 700, source: W2.3}",
        ),
    )
    base, own = load_plan("base.yaml"), load_plan("own.yaml")
    assert (own.id, own.title, own.seed) == ("own", base.title, base.seed)
    assert (own.users.churn.value, own.users.churn.source, own.users.churn.period) == (0.05, "W9.9", "month")
    assert [c.id for c in own.channels] == ["official_account", "moments_ads", "stores"]
    assert own.channels[0] == base.channels[0]
    assert (own.channels[1].paid, own.channels[1].intake) == (False, base.channels[1].intake)
    assert own.sha256 != base.sha256


def test_rows_are_dropped_by_id(folder):
    write("base.yaml", MINIMAL)
    write("own.yaml", extending("channels:", "  - {id: moments_ads, drop: true}"))
    assert [c.id for c in load_plan("own.yaml").channels] == ["official_account"]
    write("own.yaml", extending("channels:", "  - {id: moment_ads, drop: true}"))
    (found,) = problems("own.yaml")
    assert (found.file, found.line, found.code, found.given) == ("own.yaml", 3, "unknown_ref", "moment_ads")
    assert "moments_ads" in found.render()


def test_lists_without_ids_are_replaced(folder):
    write("base.yaml", MINIMAL)
    rows = ("targets:", "  - {metric: mau_rate, at_least: 0.6, source: W7.1}")
    write("own.yaml", extending(*rows))
    assert [t.at_least for t in load_plan("own.yaml").targets] == [0.6]
    write("own.yaml", extending("team: {roles: {content: {people: [4, 6], source: W6.1}}}"))
    assert load_plan("own.yaml").team.roles["content"].people == (4, 6)


def test_another_form_replaces_the_earlier_one(folder):
    write("base.yaml", MINIMAL)
    rows = (
        "users: {staying_active: {dist: uniform, low: 0.6, high: 0.8, source: W2.2}}",
        "channels: [{id: official_account, intake: {value: 9_000, source: W2.3}}]",
        "targets: [{id: active, between: [0.4, 0.5], source: W2.2}]",
    )
    write("own.yaml", extending(*rows))
    plan = load_plan("own.yaml")
    assert (plan.channels[0].intake.value, plan.channels[0].intake.dist) == (9_000, None)
    assert (plan.users.staying_active.value, plan.users.staying_active.span) == (None, (0.6, 0.8))
    assert (plan.targets[1].operation, plan.targets[1].level) == ("between", (0.4, 0.5))


def test_a_changed_number_does_not_keep_its_source(folder):
    write("base.yaml", changed(("value: 0.08, period", "value: 0.08, kind: quoted, period")))
    write(
        "own.yaml", extending("users:", "  churn: {value: 0.05}", "  waking: {value: 0.1}", "  repurchase: {note: x}")
    )
    users = load_plan("own.yaml").users
    assert (users.churn.source, users.churn.why, users.churn.kind) == ("assumption", "own.yaml:3", "assumed")
    assert (users.waking.source, users.waking.why) == ("W2.2", None)  # the same number
    assert (users.repurchase.source, users.repurchase.note) == ("W2.2", "x")
    users = load_plan("base.yaml", sets=["users.churn.value=0.05"]).users
    assert (users.churn.source, users.churn.why) == ("assumption", "--set users.churn.value=0.05")
    plan = load_plan("base.yaml", scenario="low_churn")
    assert (plan.users.churn.source, plan.users.churn.why) == ("assumption", "scenario low_churn")
    assert (plan.targets[0].source, plan.targets[0].at_least) == ("assumption", 120_000)


def test_problems_name_the_file_that_holds_them(folder):
    write("base.yaml", changed(("value: 0.08, period", "value: 8, period"), ("curve: power", "curve: x")))
    write("own.yaml", extending("plan:", "  seed: x", "users:", "  waking:", "    vlaue: 0.2"))
    found = [(p.file, p.line, p.field, p.code) for p in problems("own.yaml")]
    assert found == [
        ("own.yaml", 3, "plan.seed", "not_whole"),
        ("own.yaml", 6, "users.waking.vlaue", "unknown_key"),
        ("base.yaml", 15, "users.churn.value", "rate_range"),
        ("base.yaml", 18, "users.retention.curve", "choice"),
    ]


def test_ids_twice_in_one_file_are_told_although_merging_would_hide_them(folder):
    write("base.yaml", MINIMAL)
    write("own.yaml", extending("channels:", "  - {id: moments_ads, paid: true}", "  - {id: moments_ads, paid: false}"))
    assert [(p.file, p.line, p.code) for p in problems("own.yaml")] == [("own.yaml", 4, "duplicate_id")]


def test_plans_may_stand_on_several_others(folder):
    write("base.yaml", MINIMAL)
    write("middle.yaml", extending("plan: {id: middle, seed: 1}"))
    write("sub/top.yaml", MINIMAL)
    write("top.yaml", extending("plan: {id: top}", name="middle.yaml"))
    plan = load_plan("top.yaml")
    assert (plan.id, plan.seed) == ("top", 1)


@pytest.mark.parametrize("circle", [["a.yaml"], ["a.yaml", "b.yaml"], ["a.yaml", "b.yaml", "c.yaml"]])
def test_circles_end(folder, circle):
    for name, following in zip(circle, [*circle[1:], circle[0]], strict=True):
        write(name, extending("plan: {id: x}", name=following))
    (found,) = problems("a.yaml")
    assert (found.file, found.line, found.field, found.code) == (circle[-1], 1, "extends", "extends_cycle")
    assert " → ".join([*circle, "a.yaml"]) in found.render()


@pytest.mark.parametrize("name", ["../base.yaml", "sub/../../base.yaml", "ABSOLUTE", "..", "/etc/hostname"])
def test_plans_outside_the_folder_are_refused(folder, name):
    write("base.yaml", MINIMAL)
    write("plans/own.yaml", extending(name=str(folder / "base.yaml") if name == "ABSOLUTE" else name))
    (found,) = problems("plans/own.yaml")
    assert (found.file, found.line, found.field, found.code) == ("plans/own.yaml", 1, "extends", "extends_outside")


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights on Windows")
def test_links_that_lead_outside_are_refused(folder):
    write("base.yaml", MINIMAL)
    write("plans/own.yaml", extending(name="link.yaml"))
    Path("plans/link.yaml").symlink_to("../base.yaml")
    assert [p.code for p in problems("plans/own.yaml")] == ["extends_outside"]
    Path("plans/folder").symlink_to("..")
    write("plans/own.yaml", extending(name="folder/base.yaml"))
    assert [p.code for p in problems("plans/own.yaml")] == ["extends_outside"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("none.yaml", "no_file"),
        ("''", "no_file"),
        ("[base.yaml]", "not_text"),
        ("5", "not_text"),
        ('"a\\0"', "not_text"),
    ],
)
def test_names_of_plans(folder, name, code):
    write("base.yaml", MINIMAL)
    write("own.yaml", extending(name=name))
    (found,) = problems("own.yaml")
    assert (found.file, found.line, found.field, found.code) == ("own.yaml", 1, "extends", code)


def test_adopted_figures_come_last_but_for_scenarios_and_overrides(folder):
    write("base.yaml", MINIMAL)
    write("own.yaml", extending("users: {churn: {value: 0.07, source: W2.3}}"))
    adopted = "users:\n  churn: {value: 0.061, kind: measured, source: run_7, note: 2027-03-01}\n"
    write("own.adopted.yaml", adopted)
    churn = load_plan("own.yaml").users.churn
    assert (churn.value, churn.kind, churn.source) == (0.061, "measured", "run_7")
    assert load_plan("base.yaml").users.churn.value == 0.08
    assert load_plan("own.yaml", scenario="low_churn").users.churn.value == 0.04
    assert load_plan("own.yaml", scenario="low_churn", sets=["users.churn.value=0.02"]).users.churn.value == 0.02
    write("own.adopted.yaml", "# nothing adopted yet\n")
    assert load_plan("own.yaml").users.churn.value == 0.07
    write("own.adopted.yaml", "- a\n")
    assert [(p.file, p.code) for p in problems("own.yaml")] == [("own.adopted.yaml", "not_a_plan")]
    write("own.adopted.yaml", adopted.replace("0.061", "6.1"))
    assert [(p.file, p.line, p.code) for p in problems("own.yaml")] == [("own.adopted.yaml", 2, "rate_range")]


# ---- scenarios and overrides


def test_scenarios_are_checked_even_when_nobody_asks(folder):
    write("plan.yaml", changed(("      users.churn.value", "      users.chrun.value")))
    assert [entry[1:] for entry in told("plan.yaml")] == [("scenarios.low_churn.change", "unknown_path")]
    write("plan.yaml", changed(("    change:", "    chang:")))
    assert [entry[1:] for entry in told("plan.yaml")] == [("scenarios.low_churn.chang", "unknown_key")]
    write("plan.yaml", changed(("users.churn.value: 0.04", "users.churn.value: 4")))
    assert load_plan("plan.yaml").users.churn.value == 0.08
    ((line, field, code),) = told("plan.yaml", scenario="low_churn")
    assert (field, code) == ("users.churn.value", "rate_range")
    assert line == line_of(MINIMAL, "users.churn.value")


def test_unknown_scenarios(folder):
    write("plan.yaml", MINIMAL)
    (found,) = problems("plan.yaml", scenario="low")
    assert (found.code, found.given) == ("unknown_scenario", "low")
    assert "low_churn" in found.render("zh")


@pytest.mark.parametrize(
    ("item", "read", "expected"),
    [
        ("users.churn.value=0.05", lambda p: p.users.churn.value, 0.05),
        ("users.churn=0.05", lambda p: p.users.churn.value, 0.05),
        ("users.churn=[0.04, 0.06]", lambda p: p.users.churn.value, (0.04, 0.06)),
        ("users.staying_active=0.8", lambda p: p.users.staying_active.value, 0.8),
        ("targets.active.at_least=0.6", lambda p: p.targets[1].at_least, 0.6),
        ("targets[1].at_least=0.6", lambda p: p.targets[1].at_least, 0.6),
        ("targets.1.at_least=0.6", lambda p: p.targets[1].at_least, 0.6),
        ("targets.active.at_most=0.6", lambda p: p.targets[1].operation, "at_most"),
        ("channels.official_account.intake=9_000", lambda p: p.channels[0].intake.value, 9_000),
        ("channels.official_account.intake.value=9000", lambda p: p.channels[0].intake.dist, None),
        ("channels.official_account.name.en='a: b, #c'", lambda p: p.channels[0].name.en, "a: b, #c"),
        ('plan.title.zh="0.05"', lambda p: p.title["zh"], "0.05"),
        ("plan.title.zh=a=b", lambda p: p.title["zh"], "a=b"),
        ("plan.owner=王 敏", lambda p: p.plan.owner, "王 敏"),
        ("users.seasonality=[1,1,1,1,1,1,1,1,1,1,1,2]", lambda p: p.users.seasonality[-1], 2),
        ("data={as_of: 2027-03-31}", lambda p: p.data.as_of, "2027-03-31"),
        ("users.churn.period=", lambda p: p.users.churn.period, None),
    ],
)
def test_overrides(folder, item, read, expected):
    write("plan.yaml", MINIMAL)
    assert read(load_plan("plan.yaml", sets=[item])) == expected


@pytest.mark.parametrize(
    ("item", "field", "code"),
    [
        ("users.churn.value", "", "set_form"),
        ("=5", "", "set_form"),
        ("users.chrun.value=0.05", "", "unknown_path"),
        ("targets.nobody.at_least=1", "", "unknown_path"),
        ("targets[9].at_least=1", "", "unknown_path"),
        ("targets[9]=1", "", "unknown_path"),
        ("users.churn.value.x=1", "", "unknown_path"),
        ("users.churn.vlaue=0.05", "users.churn.vlaue", "unknown_key"),
        ("users.churn.value=5", "users.churn.value", "rate_range"),
        ("users.churn.value='0.05'", "users.churn.value", "number_text"),
        ("users.churn.value=!!int 5", "", "yaml_tag"),
        ("users.churn.value=[1", "", "yaml_unclosed"),
        ("users.churn={value: 5, source: W1}", "users.churn.value", "rate_range"),
        ("plan.start=2027-02-30", "plan.start", "date"),
    ],
)
def test_overrides_that_cannot_be(folder, item, field, code):
    write("plan.yaml", MINIMAL)
    (found,) = problems("plan.yaml", sets=[item])
    assert (found.field, found.code) == (field, code)
    assert found.file.startswith("--set")


def test_overrides_are_told_together(folder):
    write("plan.yaml", MINIMAL)
    found = problems("plan.yaml", sets=["a.b=1", "users.churn.value=9"], scenario="none", seed=-1, as_of="x")
    assert sorted(p.code for p in found) == ["at_least", "date", "rate_range", "unknown_path", "unknown_scenario"]


def test_seed_and_as_of(folder):
    write("plan.yaml", MINIMAL)
    plan = load_plan("plan.yaml", seed=9, as_of="2027-06-30")
    assert (plan.seed, plan.data.as_of) == (9, "2027-06-30")


# ---- the hash


def test_the_hash_sees_numbers_not_spelling(folder):
    write("a.yaml", MINIMAL)
    reordered = "\n".join(reversed(parse_sections(MINIMAL)))
    respelt = (
        reordered.replace("100_000", "1e5")
        .replace("0.08", "0.080")
        .replace("40_000_000", "40000000.0")
        .replace("calendar: CN", "calendar: 'CN'  # remark")
        .replace("{value: 0.1, period: month, source: W2.2}", "{source: W2.2, period: month, value: 0.1}")
    )
    assert respelt != reordered
    write("b.yaml", respelt)
    a, b = load_plan("a.yaml"), load_plan("b.yaml")
    assert a.canonical_json() == b.canonical_json()
    assert a.sha256 == b.sha256
    write("c.yaml", changed(("value: 0.08, period", "value: 0.080001, period")))
    assert load_plan("c.yaml").sha256 != a.sha256
    write("d.yaml", changed(("why: a new brand", "why: a new brand!")))
    assert load_plan("d.yaml").sha256 != a.sha256


def parse_sections(content):
    """The plan's sections as separate pieces of text."""
    pieces, current = [], []
    for row in content.splitlines():
        if row and row[0] not in " #" and current:
            pieces.append("\n".join(current))
            current = []
        current.append(row)
    return [*pieces, "\n".join(current)]


def test_a_default_said_out_loud_changes_nothing(folder):
    write("a.yaml", MINIMAL)
    write("b.yaml", changed(("{value: 0.08, period: month,", "{value: 0.08, period: month, applied: before_adds,")))
    assert load_plan("a.yaml").sha256 == load_plan("b.yaml").sha256


def test_the_canonical_form_is_plain_json(folder):
    write("plan.yaml", MINIMAL)
    content = json.loads(load_plan("plan.yaml").canonical_json())
    assert content["plan"]["title"]["zh"] == "最小方案"
    assert list(content) == sorted(content)
    assert "scenarios" not in content


def test_a_resolved_plan_comes_back_as_it_was(folder):
    gate = "  gates: [{id: g1, due_month: 3, pass: [{metric: mau_rate, at_least: 0.4, source: W2.2}]}]\n"
    arms = (
        "experiments:\n  - {id: coupon, question: {zh: 问, en: Q}, node: activation, unit: customer, owner: content,\n"
        "     arms: {old: 0.5, new: 0.5}, primary: first_interaction_rate, baseline: {value: 0.5, source: W2.3},\n"
        "     smallest_worth_having: {value: 0.02, source: W2.3}, traffic_per_week: {value: 900, source: W2.3}}\n"
    )
    write("base.yaml", changed(("  calendar: CN\n", f"  calendar: CN\n{gate}")) + arms)
    write("own.yaml", extending("plan: {id: own}"))
    plan = load_plan("own.yaml", scenario="low_churn", sets=["users.waking.value=0.20"], seed=3)
    write("run/plan.json", plan.resolved_json())
    again = load_plan("run/plan.json")
    assert again.model == plan.model
    assert again.sha256 == plan.sha256
    assert again.resolved_json() == plan.resolved_json()
    assert (again.file, again.scenario, again.sets) == ("own.yaml", "low_churn", ("users.waking.value=0.20",))
    assert again.typed == plan.typed
    assert again.typed["users.waking.value"] == "0.20"
    assert list(again.experiments[0].arms) == ["old", "new"]
    assert again.schedule.gates[0].conditions[0].at_least == 0.4
    assert load_plan("run/plan.json", sets=["users.churn=0.01"]).users.churn.value == 0.01


def test_changes_of_another_file_come_between_scenario_and_sets_and_are_kept(folder):
    write("base.yaml", changed())
    write("own.yaml", extending("plan: {id: own}"))
    changes = [
        Change("users.churn", 0.07, "own.xlsx", "users!C4", "agreed in May"),
        Change("users.waking", 0.21, "own.xlsx", "users!C5"),
        Change("users.conversion", 0.2, "own.xlsx", "users!C6"),
    ]
    plan = load_plan("own.yaml", scenario="low_churn", sets=["users.conversion=0.1"], changes=changes)
    assert (plan.users.churn.value, plan.users.churn.why) == (0.07, "agreed in May")
    assert (plan.users.waking.value, plan.users.waking.why) == (0.21, "own.xlsx: users!C5")
    assert (plan.users.conversion.value, plan.typed["users.churn.value"]) == (0.1, "0.07")
    write("run/plan.json", plan.resolved_json())
    again = load_plan("run/plan.json")
    assert again.changes == plan.changes == tuple(changes)
    assert again.resolved_json() == plan.resolved_json()
    assert "changes" not in load_plan("own.yaml").resolved_json()


def test_what_another_file_adds_to_a_row_is_an_assumption_too(folder):
    write("base.yaml", changed())
    first = load_plan("base.yaml").targets[0]
    assert first.from_value is None and first.source != "assumption"
    path = f"targets.{first.id or 0}.from_value"
    by_set = load_plan("base.yaml", sets=[f"{path}=1"]).targets[0]
    by_file = load_plan("base.yaml", changes=[Change(path, 1, "a.xlsx", "b!C4")]).targets[0]
    assert (by_set.source, by_file.source, by_file.why) == (first.source, "assumption", "a.xlsx: b!C4")


def test_problems_with_changes_name_the_other_file_and_its_cell(folder):
    write("base.yaml", changed())
    wrong = [
        Change("users.churn", 3.2, "own.xlsx", "users!C4"),
        Change("users.nobody.value", 1, "own.xlsx", "users!C5"),
    ]
    with pytest.raises(InputError) as error:
        load_plan("base.yaml", changes=wrong)
    told = {(p.file, p.code) for p in error.value.problems}
    assert told == {("own.xlsx: users!C4", "rate_range"), ("own.xlsx: users!C5", "unknown_path")}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff", b"null", b'{"plan": {}}', b"[" * 100_000,
        b'{"planlib_resolved": 2, "file": "a", "scenario": null, "sets": [], "typed": {}, "plan": {}}',
        b'{"planlib_resolved": 1, "file": 3, "scenario": null, "sets": [], "typed": {}, "plan": {}}',
        b'{"planlib_resolved": 1, "file": "a", "scenario": null, "sets": [], "typed": {}, "plan": {}, "changes": [1]}',
    ],
)  # fmt: skip
def test_json_that_is_no_resolved_plan(folder, content):
    write("plan.json", content)
    assert [(p.file, p.code) for p in problems("plan.json")] == [("plan.json", "not_resolved")]


def test_a_resolved_plan_is_checked_like_any_other(folder):
    write("plan.yaml", MINIMAL)
    content = json.loads(load_plan("plan.yaml").resolved_json())
    content["plan"]["users"]["churn"]["value"] = float("nan")
    content["plan"]["targets"][1]["metric"] = "nothing_known"
    write("plan.json", json.dumps(content))
    assert sorted(entry[1:] for entry in told("plan.json")) == [
        ("targets[1].metric", "unknown_metric"),
        ("users.churn.value", "not_finite"),
    ]


# ---- the tree


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1_000_000", 1_000_000), ("1e6", 1e6), ("-0.5", -0.5), (".5", 0.5), ("+3", 3), ("true", True),
        ("", None), ("~", None), ("null", None), ("no", "no"), ("yes", "yes"), ("on", "on"), ("True", "True"),
        ("0o17", "0o17"), ("0x1F", "0x1F"), ("012", "012"), ("1:30", "1:30"), ("2027-01", "2027-01"),
        ("2027-01-05", "2027-01-05"), ("1__0", "1__0"), ("1,5", "1,5"), ("٣", "٣"), (".inf", float("inf")),
    ],
)  # fmt: skip
def test_scalars(typed, value):
    assert scalar(typed) == value
    assert type(scalar(typed)) is type(value)


def test_the_tree_knows_its_lines():
    tree = parse("a:\n  b: 1\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n", "f.yaml")
    assert tree.at(("a", "b")).place == ("f.yaml", 2)
    assert tree.at(("a", "c")).place == ("f.yaml", 3)
    assert tree.at(("a", "c", 1, "e")).place == ("f.yaml", 6)
    assert tree.at(("a", "c", 1, "none")).place == ("f.yaml", 5)
    assert tree.find(("a", "none")) is None
    assert tree.find(("a", "c", 9)) is None
    assert [dotted(path) for path, node in tree.walk() if not isinstance(node.value, dict | list)] == [
        "a.b", "a.c[0]", "a.c[1].d", "a.c[1].e",
    ]  # fmt: skip
    assert isinstance(tree, Node)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3.2%", "0.032"), ("３.2%", None), ("12 ％", "0.12"), ("50万", "500000"), ("1.5 亿", "150000000"),
        ("¥1,200", "1200"), ("20 元", "20"), ("5k", "5000"), ("2M", "2000000"), ("-4%", "-0.04"), ("abc", None),
        ("", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_what_was_meant_by_a_number_typed_as_text(text, number):
    assert number_meant(text) == number
