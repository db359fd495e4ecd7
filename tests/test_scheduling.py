"""The seam between a plan's schedule and the milestone rooms, on small plans and the shipped ones."""

import datetime as dt

import numpy as np
import pytest

from planlib import scheduling
from planlib.milestones.simulation import simulate
from planlib.plan import load_plan
from planlib.plan.tracking import CHINA, Baseline, Entry

W, P = "params/wechat_platform.yaml", "params/private_domain_2026.yaml"


@pytest.fixture(autouse=True)
def at_the_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


@pytest.mark.parametrize("path", [W, P])
def test_early_dates_keep_every_tie_and_lie_between_best_and_worst(path):
    plan = scheduling.scheduled(load_plan(path))
    best, likely, worst = (plan.dates(case) for case in range(3))
    for item in plan.items:
        assert best[item.id].finish <= likely[item.id].finish <= worst[item.id].finish
        assert likely[item.id].finish <= likely[item.id].late_finish
        for tie in item.ties:
            if tie.kind == "FS" and tie.lag_days == 0:
                assert likely[tie.before].finish <= likely[item.id].finish


@pytest.mark.parametrize("path", [W, P])
def test_no_draw_ends_before_the_best_or_after_worst_with_no_risk(path):
    plan = scheduling.scheduled(load_plan(path))
    found = simulate(plan.network, scheduling.durations(plan), seed=3, draws=500)
    assert found.end.min() >= float(plan.network.end(plan.days[:, 0])) - 1e-9
    assert found.end.max() <= float(plan.network.end(plan.days[:, 2])) + 1e-9


def test_a_failed_gate_moves_what_comes_after_and_nothing_else():
    plan = scheduling.scheduled(load_plan(W))
    moved, lost = scheduling.failed_gate(plan, "g1", 10)
    after_last, _ = scheduling.failed_gate(plan, "g4", 10)
    assert moved > 5 and lost >= 1
    assert after_last < moved
    assert scheduling.failed_gate(plan, "g1", 0) == (0, 0)


def test_crashing_buys_time_at_the_least_cost_and_says_when_it_is_not_enough():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    dates = plan.dates()
    free = scheduling.cheapest_crash(loaded, plan, "g1", dates["g1"].finish)
    assert (free.extra_cost_cny, free.saved, free.meets) == (0.0, {}, True)
    hopeless = scheduling.cheapest_crash(loaded, plan, "g1", plan.network.first_day)
    assert not hopeless.meets and hopeless.end <= dates["g1"].finish
    assert hopeless.extra_cost_cny == pytest.approx(sum(days * cost for days, cost in hopeless.saved.values()))
    assert hopeless.saved and set(hopeless.saved) <= scheduling.before(plan, "g1")
    for name, (days, _) in hopeless.saved.items():
        task = next(row for row in loaded.schedule.tasks if row.id == name)
        assert days <= task.days[1] - task.shorter.days + 1e-6
    # one day less than normal costs no more than the dearest task a day, and is met
    one = scheduling.cheapest_crash(loaded, plan, "g1", plan.calendar.add(dates["g1"].finish, -1))
    assert one.meets and 0 < one.extra_cost_cny <= hopeless.extra_cost_cny


def test_days_that_were_bought_are_off_every_estimate_and_raise_the_chance():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    bought = scheduling.cheapest_crash(loaded, plan, "g1", plan.network.first_day)
    shorter = scheduling.shortened(plan, bought)
    for name, (days, _) in bought.saved.items():
        low, mode, high = plan.days[plan.network.tasks.index(name)]
        assert (shorter[name].low, shorter[name].mode, shorter[name].high) == (low - days, mode - days, high - days)
    due = {"seed": 4, "draws": 500, "milestones": ["g1"]}
    was = simulate(plan.network, scheduling.durations(plan), **due).at("g1")
    now = simulate(plan.network, shorter, **due).at("g1")
    assert (now <= was + 1e-9).all() and now.mean() < was.mean()


def recovered(item, *, sets=(), draws=400):
    loaded = load_plan(W, sets=sets)
    plan = scheduling.scheduled(loaded)
    options = {"seed": 4, "draws": draws, "groups": scheduling.groups(loaded)}
    was = simulate(
        plan.network, scheduling.durations(plan), risks=scheduling.risks(loaded), milestones=[item], **options
    ).at(item)
    due = plan.due[item].last_workday
    return plan, was, scheduling.recoveries(loaded, plan, item, due, was, **options)


def test_each_way_to_bring_a_date_back_is_held_against_the_same_draws():
    plan, was, found = recovered("g2")
    kinds = [(way.kind, way.tasks) for way in found]
    assert kinds[0][0] == "crash" and ("shrink", ("platform_build",)) in kinds and kinds[-1][0] == "scope"
    by_task = {way.tasks: way for way in found}
    build = by_task["platform_build",]
    assert build.days_off == 10.0 and build.cost_cny == 0.0 and build.end < plan.dates()["g2"].finish
    for way in found:
        assert (way.after <= was + 1e-9).all() and way.after.mean() < was.mean()  # the same draws: none is worse
        if way.kind != "scope":
            assert (found[-1].after <= way.after + 1e-9).all() or way.kind == "crash"
    limit = plan.network.evening(plan.due["g2"].last_workday)
    assert (found[-1].after <= limit).mean() > (was <= limit).mean()
    # what lies after the gate, or does not move it, is no option
    assert not {"core_groups", "propensity_model", "partner_programme"} & {task for way in found for task in way.tasks}


def test_where_scope_is_not_enough_money_is_added_to_it():
    _, _, found = recovered("content_release", sets=["schedule.tasks.asset_library.smaller=null"])
    assert found[-1].kind == "both" and found[-1].cost_cny > 0
    assert found[-1].end < min(way.end for way in found[:-1])
    assert set(found[-1].tasks) > {"platform_build"}


def test_a_dropped_task_takes_no_time_and_no_risk_strikes_it():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    dropped = [task for task in loaded.schedule.tasks if task.smaller and task.smaller.drop]
    less = scheduling.with_less(plan, dropped)
    at = plan.network.tasks.index("propensity_model")
    assert less.days[at].tolist() == [0.0, 0.0, 0.0]
    assert (np.delete(less.days, at, 0) == np.delete(plan.days, at, 0)).all()
    before, after = plan.dates(), less.dates()
    assert after["propensity_model"].finish == before["value_models"].finish
    hit = {task for risk in scheduling.risks(loaded, without=["crm_link", "tracking"]) for task in risk.tasks}
    assert "hiring" in hit and not {"crm_link", "tracking"} & hit
    assert "interface_late" not in {risk.id for risk in scheduling.risks(loaded, without=["crm_link", "tracking"])}


def test_a_finished_task_is_no_way_back_and_one_under_way_shrinks_by_its_rest():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    begun = entry("asset_library", done=0.5, started=dt.date(2027, 1, 18))
    over = entry("platform_build", done=1.0, started=dt.date(2027, 1, 18), finished=dt.date(2027, 2, 9))
    now = scheduling.progressed(plan, {"platform_build": over, "asset_library": begun}, dt.date(2027, 2, 10))
    assert now.over == {"platform_build"}
    assert "platform_build" not in {task.id for task in scheduling.scope_options(loaded, now, "g2")}
    assert "platform_build" not in scheduling.cheapest_crash(loaded, now, "g2", dt.date(2027, 2, 26)).saved
    at = plan.network.tasks.index("asset_library")
    assert now.days[at].tolist() == pytest.approx([7.5, 10.0, 15.0])
    library = next(task for task in loaded.schedule.tasks if task.id == "asset_library")
    assert scheduling.with_less(now, [library]).days[at][1] == pytest.approx(10.0 * 12 / 20)


def test_what_an_item_waits_for_is_found_however_far_back():
    plan = scheduling.scheduled(load_plan(W))
    assert {"platform_requirements", "platform_build", "g1"} <= scheduling.before(plan, "g1")
    assert "asset_library" not in scheduling.before(plan, "g1")


def test_a_deadline_that_cannot_be_kept_names_the_chain_that_decides():
    sets = ["schedule.tasks.platform_live.deadline=2027-02-26", "schedule.tasks.hiring.deadline=2027-12-31"]
    plan = scheduling.scheduled(load_plan(W, sets=sets))
    missed, kept = scheduling.deadlines(plan, plan.dates())
    assert (missed.id, missed.slack) == ("platform_live", -22)
    assert missed.chain[0] == "platform_requirements" and missed.chain[-1] == "platform_live"
    assert kept.id == "hiring" and kept.slack > 0


def test_levelled_dates_are_never_sooner_than_links_allow():
    plan = scheduling.scheduled(load_plan(W))
    early = plan.dates()
    held = scheduling.held_to(plan, {item.id: 3 for item in plan.items})
    assert all(held[name].finish >= early[name].finish for name in early)


def test_days_worked_are_as_many_as_the_task_takes():
    plan = scheduling.scheduled(load_plan(W))
    dates = plan.dates()
    for item in plan.items:
        if item.kind == "task":
            days = scheduling.worked_days(plan, item.id, dates[item.id])
            assert len(days) == int(np.ceil(item.days[1]))
            assert (days[0], days[-1]) == (dates[item.id].start, dates[item.id].finish)


def test_a_freeze_comes_every_year_and_may_run_into_the_next():
    plan = load_plan(W)
    for row, first, last in scheduling.freezes(plan, dt.date(2029, 12, 31)):
        assert f"{first:%m-%d}" == row.first and f"{last:%m-%d}" == row.last and last >= first


def test_reviews_and_drills_fall_on_working_days_in_order():
    plan = load_plan(W)
    built = scheduling.scheduled(plan)
    days = scheduling.occurrences(plan, built.calendar, 12)
    assert [day for day, _ in days] == sorted(day for day, _ in days)
    assert all(built.calendar.is_workday(day) for day, _ in days)
    counts = {row.id: sum(r.id == row.id for _, r in days) for row in plan.schedule.recurring}
    for row in plan.schedule.recurring:
        if row.from_month == 1 and row.every != "week":
            assert counts[row.id] == 12 // {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[row.every]


def test_gates_are_said_in_words_with_their_signs():
    plan = load_plan(W)
    gate = next(row for row in plan.schedule.gates if row.id == "g3")
    levels = {"private_domain_users": (250_000.0, "users"), "ltv": (0.08, "relative_change")}
    said = scheduling.conditions(plan, gate, levels)
    assert "≤ ¥20" in said["pass"]["en"] and "≥ 40.0%" in said["pass"]["en"]
    assert "≥ 25 万" in said["pass"]["zh"]
    assert "≥ +8.0%" in said["pass"]["en"]


def entry(task, **told):
    return Entry(task=task, as_of=dt.date(2027, 2, 10), **({"done": 0.0} | told))


def test_progress_puts_the_rest_in_order_from_the_day_after():
    plan = scheduling.scheduled(load_plan(W))
    day = dt.date(2027, 2, 10)
    told = [
        entry("platform_requirements", done=1.0, started=dt.date(2027, 1, 4), finished=dt.date(2027, 1, 15)),
        entry("platform_design", done=0.5, started=dt.date(2027, 1, 18), remaining_days=12),
    ]
    before, now = plan.dates(), scheduling.progressed(plan, {row.task: row for row in told}, day).dates()
    assert (now["platform_requirements"].start, now["platform_requirements"].finish) == (
        dt.date(2027, 1, 4), dt.date(2027, 1, 15)
    )  # fmt: skip
    assert now["platform_design"].start > day
    assert plan.calendar.between(now["platform_design"].start, now["platform_design"].finish) == 12
    assert now["platform_build"].start > now["platform_design"].finish
    assert now["platform_live"].finish > before["platform_live"].finish


def test_nothing_told_and_nothing_late_leaves_the_plan_as_it_is():
    plan = scheduling.scheduled(load_plan(W))
    eve = plan.network.first_day - dt.timedelta(days=1)
    assert scheduling.progressed(plan, {}, eve).dates() == plan.dates()


def test_earned_value_counts_person_days_by_hand():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    value = dict(zip(plan.network.tasks, scheduling.person_days(loaded, plan), strict=True))
    assert value["platform_build"] == 60.0  # 30 days of two people
    assert value["consent_wording"] == 8.0  # nobody is named, so one person
    done = {"platform_requirements": entry("platform_requirements", done=1.0), "hiring": entry("hiring", done=0.5)}
    found = scheduling.tracked(loaded, plan, done, dt.date(2027, 1, 29))
    assert found.standing.earned == pytest.approx(6.0 + 15.0)
    assert 0 < found.standing.planned < found.standing.budget == pytest.approx(sum(value.values()))
    assert found.standing.spi == pytest.approx(found.standing.earned / found.standing.planned)
    assert found.standing.schedule.spi_time < 1
    assert found.at_pace > max(row.finish for row in found.before.values())
    assert found.behind_workdays > 0
    assert scheduling.tracked(loaded, plan, done, dt.date(2026, 12, 31)) is None


def test_progress_is_held_against_the_baseline_whatever_the_plan_says_now():
    loaded = load_plan(W)
    plan = scheduling.scheduled(loaded)
    frozen = Baseline(dt.datetime(2027, 1, 1, tzinfo=CHINA), "", "", {
        row.item: row for row in scheduling.baseline_rows(loaded, plan)
    })  # fmt: skip
    assert scheduling.moves(plan, frozen, plan.dates()) == ()
    edited = load_plan(W, sets=["schedule.tasks.platform_requirements.days=[14,16,20]"])
    later = scheduling.scheduled(edited)
    moved = scheduling.moves(later, frozen, later.dates())
    first = next(move for move in moved if move.id == "platform_requirements")
    assert (first.before, first.workdays) == (plan.dates()["platform_requirements"].finish, 10)
    assert moved[0].workdays == max(move.workdays for move in moved)
    done = {"platform_requirements": entry("platform_requirements", done=1.0, finished=dt.date(2027, 1, 11))}
    told = scheduling.tracked(edited, later, done, dt.date(2027, 1, 29), baseline=frozen)
    same = scheduling.tracked(loaded, plan, done, dt.date(2027, 1, 29))
    assert told.standing.planned == pytest.approx(same.standing.planned)
    assert told.standing.budget == pytest.approx(same.standing.budget)
    assert told.behind_workdays == same.behind_workdays
    assert told.before["platform_live"].finish == plan.dates()["platform_live"].finish
    # what is new since counts as planned now
    fewer = Baseline(frozen.recorded_at, "", "", {k: v for k, v in frozen.rows.items() if k != "hiring"})
    told = scheduling.tracked(edited, later, done, dt.date(2027, 1, 29), baseline=fewer)
    assert told.before["hiring"] == later.dates()["hiring"]


def test_tasks_that_have_begun_stand_on_their_real_days():
    plan = scheduling.scheduled(load_plan(W))
    told = {
        "platform_requirements": entry(
            "platform_requirements", done=1.0, started=dt.date(2027, 1, 6), finished=dt.date(2027, 1, 20)
        ),
        "org_setup": entry("org_setup", done=0.4),  # nobody said when it began
        "hiring": entry("hiring", started=dt.date(2027, 1, 11), expected_finish=dt.date(2027, 4, 9)),
    }
    day = dt.date(2027, 2, 10)
    now = scheduling.progressed(plan, told, day)
    found = scheduling.spans(now, told, plan.dates(), day)
    assert found["platform_requirements"] == scheduling.Span(dt.date(2027, 1, 6), dt.date(2027, 1, 20))
    assert found["org_setup"].start == plan.dates()["org_setup"].start and found["org_setup"].finish > day
    assert found["hiring"] == scheduling.Span(dt.date(2027, 1, 11), dt.date(2027, 4, 9))
    assert found["tag_rules"].start > day and set(found) == {row.id for row in plan.items if row.kind == "task"}
