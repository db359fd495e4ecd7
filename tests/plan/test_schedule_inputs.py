"""What the milestone notebook takes out of the shipped plans, and what a milestone waits for."""

import datetime as dt

import pytest

from planlib.core.errors import InputError
from planlib.plan import load_plan
from planlib.plan.schedule_inputs import schedule_inputs

W, P = "params/wechat_platform.yaml", "params/private_domain_2026.yaml"


@pytest.fixture(autouse=True)
def at_the_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def given(path, *sets):
    return schedule_inputs(load_plan(path, sets=sets))


def by_id(found):
    return {item.id: item for item in found.items}


def waits_for(item):
    return {tie.before: tie.lag_days for tie in item.ties}


def test_stages_without_months_end_with_their_gates():
    found = given(P).stages
    assert [(stage.months, stage.from_gates) for stage in found] == [((1, 5), True), ((6, 9), True), ((10, 12), True)]
    stated = given(W).stages
    assert [(stage.months, stage.from_gates) for stage in stated] == [
        ((1, 2), False), ((3, 4), False), ((5, 8), False), ((9, 12), False)
    ]  # fmt: skip


def test_gates_out_of_order_leave_the_stages_without_months():
    assert {stage.months for stage in given(P, "schedule.gates.g2.due_month=4").stages} == {None}


def test_a_milestone_waits_for_the_tasks_that_enable_it():
    items = by_id(given(P))
    assert waits_for(items["p-conversion-deadline"]) == {"segments_live": 0, "outreach_tool": 0, "scenes_live": 0}
    assert waits_for(items["p-growth-deadline"]) == {"seed_users": 0}
    assert items["p-growth-deadline"].goal
    assert not items["p-node-tools"].goal


def test_the_days_until_a_task_shows_come_along():
    items = by_id(given(P, "schedule.tasks.seed_users.lag_days=5"))
    assert waits_for(items["p-growth-deadline"]) == {"seed_users": 5}


def test_without_such_a_task_it_waits_for_other_milestones():
    after = waits_for(by_id(given(P))["p-roi-deadline"])
    assert set(after) == {"p-node-data-platform", "p-growth-deadline", "p-conversion-deadline"}


def test_without_either_it_waits_for_its_part_of_the_gate_of_its_month():
    items = by_id(given(W))
    assert set(waits_for(items["content_release"])) == {"asset_library", "channels_account"}  # content's own part of g2
    assert set(waits_for(items["data_review"])) == {"g4"}  # g4 waits for no task of analytics
    alone = by_id(given(W, "schedule.milestones.data_review.by_month=13"))
    assert waits_for(alone["data_review"]) == {}


def test_departments_are_those_with_something_to_do_in_the_plans_order():
    assert list(given(W).departments) == ["content", "user_operations", "technology", "analytics", "legal"]
    assert given("tests/plan/minimal.yaml").departments == {}


def test_days_and_dates_are_taken_as_stated():
    found = given(W, "schedule.tasks.hiring.not_before=2027-01-18")
    hiring = by_id(found)["hiring"]
    assert (hiring.days, hiring.not_before) == ((20, 30, 45), dt.date(2027, 1, 18))
    assert by_id(found)["g1"].days == (0, 0, 0)
    assert found.days_off == {}


@pytest.mark.parametrize(
    ("smaller", "code"),
    [
        ("{gives_up: {zh: 少, en: less}, source: assumption, why: x}", "smaller_form"),
        ("{drop: true, days: 3, gives_up: {zh: 少, en: less}, source: assumption, why: x}", "smaller_form"),
        ("{days: 30, gives_up: {zh: 少, en: less}, source: assumption, why: x}", "less"),
        ("{days: 0, gives_up: {zh: 少, en: less}, source: assumption, why: x}", "above"),
        ("{drop: true, gives_up: {zh: 少, en: less}, source: assumption}", "why_missing"),
        ("{drop: true, source: W1.1}", "missing"),
    ],
)
def test_scope_that_cannot_be_given_up_is_refused(smaller, code):
    with pytest.raises(InputError) as caught:
        load_plan(W, sets=[f"schedule.tasks.hiring.smaller={smaller}"])
    assert [problem.code for problem in caught.value.problems] == [code]
    assert all(problem.render(locale) for problem in caught.value.problems for locale in ("zh", "en"))
