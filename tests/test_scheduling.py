"""The seam between a plan's schedule and the milestone rooms, on small plans and the shipped ones."""

import datetime as dt

import numpy as np
import pytest

from planlib import scheduling
from planlib.milestones.simulation import simulate
from planlib.plan import load_plan
from planlib.plan.tracking import Entry

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
