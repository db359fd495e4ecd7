"""The schedules that ship: enough tasks, a gate for every month, people who exist, figures that the documents give."""

from pathlib import Path

import pytest

from planlib.funnel.ladder import flow_ladder, ladder
from planlib.plan import load_plan
from planlib.plan.ladders import ladders
from planlib.plan.load import statements
from planlib.plan.schedule_inputs import schedule_inputs

PARAMS = Path(__file__).parents[2] / "params"
W, P, SAMPLE = (PARAMS / f"{name}.yaml" for name in ("wechat_platform", "private_domain_2026", "sample_brand"))
NAME_LENGTH = {"zh": 16, "en": 36}  # labels of rows of a chart


@pytest.fixture(scope="module", params=[W, P, SAMPLE], ids=lambda path: path.stem)
def plan(request):
    return load_plan(request.param)


@pytest.fixture(scope="module")
def w():
    return load_plan(W)


@pytest.fixture(scope="module")
def p():
    return load_plan(P)


def comes_before(plan):
    """Return {id: ids it is tied to} of tasks and gates."""
    schedule = plan.schedule
    tied = {row.id: {*row.after, *(link.task for link in row.links)} for row in schedule.tasks}
    return tied | {row.id: set(row.after) for row in schedule.gates}


def everything_before(plan, name):
    tied, found, waiting = comes_before(plan), set(), [name]
    while waiting:
        fresh = tied.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def test_there_are_as_many_tasks_as_a_project_office_needs(w, p):
    assert len(w.schedule.tasks) >= 40
    assert len(p.schedule.tasks) >= 35


def test_w_has_one_gate_at_the_end_of_each_month(w):
    assert [gate.due_month for gate in w.schedule.gates] == list(range(1, 13))
    stages = {gate.id: gate.due_month for gate in w.schedule.gates if gate.id.startswith("g")}
    assert stages == {"g1": 2, "g2": 4, "g3": 8, "g4": 12}


def test_p_keeps_its_three_gates_and_its_dates(p):
    assert {gate.id: gate.due_month for gate in p.schedule.gates} == {"g1": 5, "g2": 9, "g3": 12}
    due = {row.id: row.by_month for row in p.schedule.milestones}
    assert due["p-conversion-deadline"] < due["p-node-tools"] < due["p-node-scenes"]


def test_every_tie_leads_to_something_that_exists(plan):
    known = {row.id for row in (*plan.schedule.tasks, *plan.schedule.gates, *plan.schedule.milestones)}
    for name, before in comes_before(plan).items():
        assert before <= known and name not in before, name


def test_w_uses_ties_other_than_begin_when_done(w, p):
    for plan in (w, p):
        links = [link for task in plan.schedule.tasks for link in task.links]
        assert {"SS", "FF"} <= {link.kind for link in links}
        assert any(link.lag_days for link in links)
    assert any(link.elapsed for task in w.schedule.tasks for link in task.links)


def test_no_task_needs_more_people_than_its_role_has(plan):
    for task in plan.schedule.tasks:
        for role, people in task.roles.items():
            listed = plan.team.roles[role].people  # P states no number
            assert listed is None or people <= min(listed if isinstance(listed, tuple) else (listed,)), task.id
            assert task.department == plan.team.roles[role].department, task.id


def test_only_departments_without_people_of_their_own_do_tasks_for_nobody(plan):
    staffed = {role.department for role in plan.team.roles.values()}
    assert {task.department for task in plan.schedule.tasks if not task.roles} <= {
        row.id for row in plan.team.departments
    } - staffed


@pytest.mark.parametrize("file, gates", [(W, ["g1", "g2", "g3", "g4"]), (P, ["g1", "g2", "g3"])])
def test_every_stage_has_tasks_that_lead_to_its_gate(file, gates):
    plan = load_plan(file)
    assert len(gates) == len(plan.schedule.stages)
    tasks = {task.id for task in plan.schedule.tasks}
    seen: set[str] = set()
    for gate in gates:
        before = everything_before(plan, gate) & tasks
        assert len(before - seen) >= 3, gate
        seen |= before
    assert len(tasks - seen) <= 2  # almost everything is held by a gate


def test_every_department_has_a_task(plan):
    assert {row.id for row in plan.team.departments} == {task.department for task in plan.schedule.tasks}


def test_gates_have_owners_and_a_day_for_the_second_review(w, p):
    for plan in (w, p):
        assert all(gate.owner and gate.recheck_days for gate in plan.schedule.gates)


def test_every_gate_of_w_is_judged_by_figures_that_the_document_or_its_ladder_gives(w):
    goals = {(row.metric, row.level) for path, row in statements(w.model) if path.startswith(("targets", "limits"))}
    climbed = {row.metric: {rung.month for rung in row.rungs} for row in ladders(w, ladder, flow_ladder)}
    for gate in w.schedule.gates:
        assert gate.conditions or gate.ladder, gate.id
        for row in (*gate.entry, *gate.conditions):
            assert (row.metric, row.level) in goals, (gate.id, row.metric)
            assert row.source.startswith("W")
        assert all(gate.due_month in climbed[metric] for metric in gate.ladder), gate.id


def test_the_half_year_gate_asks_for_the_million_users(w):
    half = next(gate for gate in w.schedule.gates if gate.due_month == 6)
    users = next(row for row in half.conditions if row.metric == "private_domain_users")
    assert (users.above, users.source) == (1_000_000, "W2.2")


def test_gates_of_the_sample_are_of_its_size():
    sample = load_plan(SAMPLE)
    goals = {(row.metric, row.level) for row in sample.targets}
    for gate in sample.schedule.gates:
        for row in gate.conditions:
            if row.metric in ("private_domain_users", "new_users_monthly"):
                assert (row.metric, row.level) in goals, gate.id


def test_reviews_come_weekly_monthly_and_quarterly_and_every_kind_of_emergency_is_drilled(w):
    reviews = {row.every: row.source for row in w.schedule.recurring if row.kind == "review"}
    assert reviews == {"week": "W2.2", "month": "W7.3", "quarter": "W6.3"}
    drills = [row for row in w.schedule.recurring if row.kind == "drill"]
    assert {row.department for row in drills} == {"technology", "user_operations", "legal"}
    assert all(row.source == "assumption" for row in drills)  # W5.4 gives no interval


def test_p_meets_weekly(p):
    assert [row.source for row in p.schedule.recurring if row.every == "week"] == ["P6.3"]


def test_freezes_risks_and_their_links_are_assumed_and_say_why(w, p):
    for plan in (w, p):
        schedule = plan.schedule
        assert {row.first[:2] for row in schedule.freezes} == {"06", "11"}
        for row in (*schedule.freezes, *schedule.risks, schedule.together):
            assert row.source == "assumption" and row.why
        for risk in schedule.risks:
            assert risk.mitigated.chance <= risk.chance, risk.id
            before, then = (row.days or row.factor for row in (risk, risk.mitigated))
            assert all(a >= b for a, b in zip(before, then, strict=True)), risk.id


def test_money_can_shorten_only_what_is_long(w, p):
    for plan in (w, p):
        bought = [task for task in plan.schedule.tasks if task.shorter]
        assert len(bought) >= 2
        for task in bought:
            assert task.days[0] <= task.shorter.days < task.days[1], task.id
            assert task.shorter.cost_per_day.central > 0 and task.shorter.how


def test_what_may_be_left_out_is_an_assumption_with_a_reason_and_says_what_is_lost(w, p):
    for plan in (w, p):
        less = [task for task in plan.schedule.tasks if task.smaller]
        assert len(less) >= 3 and any(task.smaller.drop for task in less)
        for task in less:
            assert task.smaller.source == "assumption" and task.smaller.why and task.smaller.gives_up, task.id
            assert task.smaller.drop or 0 < task.smaller.days < task.days[1], task.id


def test_names_fit_the_rows_of_a_chart(plan):
    for row in schedule_inputs(plan).items:
        for language, most in NAME_LENGTH.items():
            assert len(row.name[language]) <= most, (row.id, language)


def test_no_two_rows_share_a_name(plan):
    for language in ("zh", "en"):
        names = [getattr(row.name, language) for row in (*plan.schedule.tasks, *plan.schedule.gates)]
        assert len(names) == len(set(names))
