"""Plan and tables meet the review: planted faults are found in time, nothing else is, and W runs without data."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from planlib import outlooking, overseeing, reviewing
from planlib.baseline.levels import measured, not_measurable
from planlib.core.metrics import catalogue
from planlib.data import baseline as data
from planlib.data.engine import Engine
from planlib.data.load import load
from planlib.data.sample import write_sample
from planlib.plan import load_plan
from planlib.review import alarms, compliance, scorecard, service, variance

PARAMS = Path(__file__).resolve().parents[1] / "params"
W, P = (load_plan(PARAMS / f"{name}.yaml") for name in ("wechat_platform", "private_domain_2026"))
UNDER_WAY = load_plan(PARAMS / "sample_brand.yaml", sets=("plan.start=2026-01",))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("brand")
    write_sample(root, customers=20_000, seed=7)
    load(root)
    return root


@pytest.fixture(scope="module")
def truth(sample):
    return json.loads((sample / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def asked(sample):
    with Engine(sample) as tables:
        found = data.collect(tables)
        acting = tables.query("acting_daily", found.windows.parameters()).rows()
        months = reviewing.whole_months(found.windows)[-2:]
        sold = [reviewing.sold_in(tables, *month) for month in months]
        paid = tables.query("SELECT SUM(CAST(order_yuan * 100 AS BIGINT)) AS fen FROM orders "
                            "WHERE paid_at >= '2026-12-01' AND paid_at < '2027-01-01'").one()["fen"]  # fmt: skip
    return found, acting, sold, int(paid)


# ---- planted faults


def test_the_decaying_groups_are_found_in_order_before_exits_begin(asked, truth):
    """Said less from quieter_from on, left from exits_from on: the first sign is raised before anybody leaves more."""
    planted = {name: dt.date.fromisoformat(truth["communities"][name]) for name in ("quieter_from", "exits_from")}
    rows = [row for row in reviewing.communities(asked[0]) if row.chain.links[0].raised is not None]
    assert len(rows) == 1  # of 16 owners one decays
    (row,) = rows
    assert (row.chain.phase, row.chain.next_sign, row.chain.ordered) == ("exits", "reputation", True)
    interaction, exits = (watched.day(watched.watch.alarms[0].raised) for watched in row.watched)
    began = [watched.day(watched.watch.alarms[0].began) for watched in row.watched]
    week = dt.timedelta(days=7)
    assert planted["quieter_from"] <= interaction < planted["exits_from"]
    assert interaction - planted["quieter_from"] <= 8 * week
    assert planted["exits_from"] <= exits <= planted["exits_from"] + 8 * week
    assert abs(began[0] - planted["quieter_from"]) <= 3 * week and abs(began[1] - planted["exits_from"]) <= 3 * week


def test_healthy_groups_cry_no_more_than_declared(asked):
    """Two signs of 16 owners for a year cry once together at most; four times is beyond chance (2 %)."""
    healthy = [row for row in reviewing.communities(asked[0]) if row.chain.links[0].raised is None]
    assert len(healthy) == 15
    assert sum(len(one.watch.alarms) for row in healthy for one in row.watched) < 4


def test_shrinking_intake_is_found_and_steady_orders_are_not(asked):
    found, acting, _, _ = asked
    watched = {w.series: w for w in reviewing.watch_days(
        UNDER_WAY, reviewing.daily_series(found, acting), found.windows)}  # fmt: skip
    assert watched["new_users"].watch.alarms[-1].direction == alarms.FALLS
    assert watched["new_users"].watch.open is not None
    assert watched["orders"].watch.alarms == ()
    assert watched["orders"].watch.run_length == 5 * 365


def quiet_years(years):
    """False alarms in simulated years of the sample brand's visitors and reads, which nothing moves but its calendar.

    Drawn as the brand draws them: visitors by weekday, holiday and promotion; reads of two articles a week by growing
    followers, each read within a week. Returns alarms and scored points.
    """
    from planlib.data.sample.brand import load_brand, season

    brand, rng = load_brand(), np.random.default_rng(20270422)
    lively, followers = season(brand), np.linspace(6_000, 6_700, brand.days)
    days = [brand.day(k) for k in range(brand.days)]
    windows = data.Windows(days[-1], days[0])
    spread = np.exp(-np.arange(7) / 1.5)
    alarms_raised = points = 0
    for _ in range(years):
        visitors, reads = rng.poisson(600 * lively), np.zeros(brand.days)
        for day in (k for k, when in enumerate(days) if when.weekday() in (1, 4)):
            opened = rng.multinomial(round(rng.binomial(int(followers[day]), 0.05) / 0.7), spread / spread.sum())
            reads[day : day + 7] += opened[: brand.days - day]
        parts = {
            "joiners": [], "sales_daily": [],
            "visits_daily": [{"day": d, "visitors": int(n)} for d, n in zip(days, visitors, strict=True)],
            "reads_daily": [{"day": d, "reads": int(n)} for d, n in zip(days, reads, strict=True)],
        }  # fmt: skip
        followed = [{"day": d, "followers": int(n)} for d, n in zip(days, followers, strict=True)]
        found = data.Collected(windows, {}, {}, {}, parts)
        for one in reviewing.watch_days(UNDER_WAY, reviewing.daily_series(found, (), followed), windows):
            alarms_raised, points = alarms_raised + len(one.watch.alarms), points + one.watch.watched
    return alarms_raised, points


def rate_holds(years):
    raised, points = quiet_years(years)
    declared = points / (2 * 365.0)  # two series, one false alarm a year together
    assert raised <= declared + 3 * declared**0.5, (raised, declared)
    return raised, declared


def test_quiet_metrics_cry_no_more_than_declared():
    rate_holds(12)


@pytest.mark.full
def test_quiet_metrics_cry_no_more_than_declared_over_a_hundred_years():
    raised, declared = rate_holds(100)
    assert raised > 0.1 * declared


def test_a_day_that_statistics_lack_is_no_day_without_visitors(asked):
    found, acting, _, _ = asked
    series = reviewing.daily_series(found, acting)
    assert np.isnan(series["visitors"]).sum() == 1  # the day that the sample leaves out
    assert not np.isnan(series["orders"]).any()


def test_reads_are_taken_by_follower(asked):
    """Twice the followers and twice the reads are no change."""
    windows = data.Windows(dt.date(2026, 1, 31), dt.date(2026, 1, 1))
    days = [windows.first + dt.timedelta(days=k) for k in range(31)]
    grown = [1 if k < 15 else 2 for k in range(31)]
    parts = {name: [] for name in ("joiners", "sales_daily", "visits_daily")}
    parts["reads_daily"] = [{"day": d, "reads": 100 * g} for d, g in zip(days, grown, strict=True)]
    followed = [{"day": d, "followers": 1_000 * g} for d, g in zip(days, grown, strict=True) if d.day != 20]
    found = reviewing.daily_series(data.Collected(windows, {}, {}, {}, parts), (), followed)
    assert np.ptp(found["article_reads"]) == 0
    assert np.ptp(reviewing.daily_series(data.Collected(windows, {}, {}, {}, parts), ())["article_reads"]) > 0


# ---- GMV


def test_sales_are_accounted_for_to_the_fen(asked):
    _, _, (before, now), paid = asked
    assert now.counts.fen + now.others_fen == paid
    found = variance.split(before.counts, now.counts)
    assert sum(found.parts.values()) == now.counts.fen - before.counts.fen
    for name in reviewing.DIMENSIONS:
        groups = variance.split_by(before.by[name], now.by[name])
        assert sum(groups.parts.values()) == now.counts.fen - before.counts.fen
        assert sum(sum(row.values()) for row in groups.groups.values()) == now.counts.fen - before.counts.fen
    planned = reviewing.planned_sales(UNDER_WAY, 12)
    assert sum(variance.split(planned, now.counts).parts.values()) == now.counts.fen - planned.fen


def test_months_that_the_data_hold_whole(asked):
    months = reviewing.whole_months(asked[0].windows)
    assert months[0] == (dt.date(2026, 1, 1), dt.date(2026, 1, 31)) and months[-1][1] == dt.date(2026, 12, 31)
    assert len(months) == 12


def test_the_month_s_targets_sum_and_pace_is_told(asked):
    windows = data.Windows(dt.date(2026, 6, 17), asked[0].windows.first)
    counts = data.by_day(asked[0].parts["sales_daily"], "day", "fen", windows.first, windows.as_of)
    found = reviewing.month_pace(UNDER_WAY, "gmv", counts, windows)
    assert found.targets.sum() == round(found.found.target)
    assert (found.found.days_done, found.found.days_left) == (17, 13)
    assert found.found.low < found.found.projected < found.found.high
    assert found.found.actual == sum(counts[-17:])
    outside = reviewing.month_pace(load_plan(PARAMS / "sample_brand.yaml"), "gmv", counts, windows)
    assert outside.targets is None and outside.found.ratio is None


# ---- scorecard


def test_every_target_is_held_against_its_level(asked):
    found = asked[0]
    levels = {
        name: measured(m.form, found.sums[name]) if name in found.sums else not_measurable(found.reasons[name])
        for name, m in data.measures().items()
    }
    lines = reviewing.score_lines(UNDER_WAY, levels, 12.0)
    rows = {row.line.metric: row for row in scorecard.score([line for line, _ in lines])}
    assert rows["private_domain_users"].status == "off_track"
    assert rows["private_domain_users"].line.plan == pytest.approx(13_300)
    assert rows["nps"].status == "not_measured" and rows["nps"].reason == "not_in_tables"
    assert all(row.reason for row in rows.values())
    early = dict((line.metric, line) for line, _ in reviewing.score_lines(UNDER_WAY, levels, 3.0))
    assert early["private_domain_users"].plan < 13_300 and early["tag_coverage"].plan is None


def test_months_gone():
    assert reviewing.months_gone(UNDER_WAY, dt.date(2025, 12, 31)) == pytest.approx(0.0)
    assert reviewing.months_gone(UNDER_WAY, dt.date(2026, 1, 31)) == pytest.approx(1.0)
    assert reviewing.months_gone(UNDER_WAY, dt.date(2026, 6, 15)) == pytest.approx(5.5)
    assert reviewing.months_gone(UNDER_WAY, dt.date(2020, 6, 15)) == 0.0


# ---- service, risks, duties of the shipped plans


def test_the_clocks_of_w_are_the_eight_of_its_text():
    limits = reviewing.clock_limits(W)
    minutes = {(k, s): limit.total_seconds() / 60 for k, steps in limits.items() for s, limit in steps.items()}
    assert minutes == {
        ("technical", "diagnose"): 30, ("technical", "restore"): 120, ("technical", "report"): 1440,
        ("opinion_ordinary", "answer"): 120, ("opinion_major", "answer"): 60,
        ("compliance", "start"): 60, ("compliance", "report"): 1440, ("compliance", "remedy"): 4320,
    }  # fmt: skip


def test_incidents_of_a_plan_have_their_clocks_and_count_against_availability():
    outage = '[{id: o, name: {zh: 停, en: out}, kind: technical, began: "2027-03-10 20:05", down: true, ' \
             'done: {diagnose: "2027-03-10 20:30", restore: "2027-03-10 22:05"}}]'  # fmt: skip
    plan = load_plan(PARAMS / "wechat_platform.yaml", sets=(f"review.incidents={outage}",))
    now = dt.datetime(2027, 3, 12)
    found = service.clocks(reviewing.incidents(plan, now), now, reviewing.clock_limits(plan))
    assert [c.state for c in found] == ["met", "met", "overdue"]
    budget = reviewing.downtime(plan, now)
    assert budget.used_minutes == 120 and budget.level_one and budget.availability == pytest.approx(0.9972, abs=1e-4)
    assert reviewing.downtime(W, now).level_one is False and reviewing.downtime(P, now) is None


def test_the_desk_of_w():
    found = reviewing.desk(W, 1_000_000)
    assert found.a_day == 10_000 and found.queue.in_time >= 0.9
    assert found.people == pytest.approx(found.queue.agents * 4.2)
    assert reviewing.desk(P, 1_000_000) is None


@pytest.mark.parametrize("plan", [W, P], ids=["W", "P"])
def test_each_risk_has_an_indicator_of_the_catalogue_a_threshold_and_an_answer(plan):
    for risk in plan.risks:
        assert risk.trigger.metric in catalogue()
        assert risk.trigger.above is not None or risk.trigger.below is not None
        assert risk.response and risk.mitigated and risk.owner
    found = reviewing.risk_register(plan, {}, np.random.default_rng(1))
    assert all(entry.expected > 0 and entry.expected_after < entry.expected for entry in found.shares.entries)
    assert set(found.hits) == {risk.id for risk in plan.risks}


def test_risks_are_added_up_figure_by_figure():
    """Shares of users and of GMV do not add up: each figure has a sum of its own, in its own unit."""
    found = reviewing.risk_register(P, {}, np.random.default_rng(1))
    assert set(found.by_figure) == {"private_domain_users", "active_users", "gmv", "total_budget"}
    downturn = next(risk for risk in P.risks if risk.id == "market_downturn")
    by_risk = {entry.risk: entry.expected for entry in found.by_figure["gmv"].entries}
    assert by_risk["market_downturn"] == pytest.approx(
        downturn.probability * reviewing.forecast_months(P)["gmv"].sum() / 6, rel=1e-6
    )
    for register in found.by_figure.values():
        assert register.expected == pytest.approx(sum(entry.expected for entry in register.entries))
        assert register.expected_after < register.expected
    assert set(reviewing.risk_register(W, {}, np.random.default_rng(1)).by_figure) == {
        "private_domain_users", "active_users", "gmv",
    }  # fmt: skip


def test_the_risk_chapters_of_both_documents_are_there():
    assert {risk.source for risk in W.risks} >= {"W5.1", "W5.2", "W5.3"}
    assert {risk.source for risk in P.risks} == {"P5.1a", "P5.2a", "P5.3a", "P5.4a"}


def test_a_level_triggers_its_risk():
    found = reviewing.risk_register(W, {"message_open_rate": 0.04}, np.random.default_rng(1))
    assert {entry.risk: entry.state for entry in found.shares.entries}["trust_decay"] == "triggered"


def test_conversion_down_by_a_quarter_takes_12_to_9_per_cent_and_gmv_by_a_quarter():
    """The market stress of P5.1a on the plan's own funnel."""
    hit = reviewing._hits(W, "users.conversion", (-0.03, -0.03))["gmv"]
    assert hit.share[1] == pytest.approx(0.25)


def test_duties_of_w_by_date():
    rows = compliance.checklist(reviewing.duties(W), dt.date(2027, 2, 10))
    assert rows[0].duty == "separate_consent" and rows[0].state == "overdue"


def test_actions_of_a_plan():
    action = '[{id: a, name: {zh: 限频, en: Fewer pushes}, owner: user_operations, opened: "2027-03-01", ' \
             'due: "2027-03-08", ended: "2027-03-05", reason: too many left, metric: churn_rate, ' \
             'expected: -0.01}]'  # fmt: skip
    plan = load_plan(PARAMS / "wechat_platform.yaml", sets=(f"review.actions={action}",))
    (found,) = reviewing.plan_actions(plan)
    assert (found.ended, found.reason, found.expected) == (dt.date(2027, 3, 5), "too many left", -0.01)
    closed = action.replace("reason: too many left, ", "")
    with pytest.raises(ValueError, match="reason"):
        load_plan(PARAMS / "wechat_platform.yaml", sets=(f"review.actions={closed}",))


# ---- costs, productivity, market, brand, data


def test_costs_of_channels_against_the_plan_and_the_month_before(sample, asked):
    found = asked[0]
    with Engine(sample) as tables:
        joins = tables.query("channel_joins", found.windows.parameters()).rows()
        due, gone = overseeing.missing_days(tables, found.windows.first, found.windows.as_of)
    before, now = reviewing.whole_months(found.windows)[-2:]
    lines = overseeing.cost_lines(UNDER_WAY, found, joins, now, before=None)
    assert {line.line for line in lines} == {"moments_ads", "partners", "referral"}
    ads = next(line for line in lines if line.line == "moments_ads")
    channel = next(c for c in UNDER_WAY.channels if c.id == "moments_ads")
    assert ads.planned_cny == pytest.approx(channel.cac.central * ads.planned_output) and not ads.counted
    month = overseeing.cost_lines(UNDER_WAY, found, joins, now, before=before)
    assert all(line.counted for line in month)
    assert sum(line.actual_cny for line in month) == pytest.approx(sum(line.actual_cny for line in lines))
    week = overseeing.weekly_cost(found, joins)
    assert week.watched.watch.alarms == () and np.isfinite(week.cny).sum() > 40
    assert gone.sum() >= 1 and (gone <= due).all()
    assert due[-1] == due.max()
    watched = overseeing.watch_data(due, gone, found.windows.first)
    assert [watched.day(alarm.raised) for alarm in watched.watch.alarms][:1] == [dt.date(2026, 7, 16)]


def test_productivity_of_the_sample_names_outputs_and_inputs(asked):
    works = {work.name: work for work in overseeing.works(asked[0])}
    assert set(works) == {"acquisition", "content", "sales", "all"}
    assert works["all"].output_units == ("users", "reads", "orders") and len(works["all"].days) == 12
    for work in works.values():
        np.testing.assert_allclose([day.sum(axis=0) for day in work.days], work.made)


def test_a_downturn_takes_conversion_from_12_to_9_and_shows_the_gmv_effect():
    for plan in (W, P):
        found = {one.driver: one for one in overseeing.stresses(plan)}
        assert (found["conversion"].before, found["conversion"].after) == pytest.approx((0.12, 0.09))
        assert found["conversion"].lost_gmv == pytest.approx(found["conversion"].gmv / 4)
        assert found["intake"].lost_users > 0


def test_goals_of_the_brand_have_their_path_and_are_not_measurable():
    found = {one.metric: one for one in overseeing.brand_goals(W, 6.0)}
    assert found["brand_search_volume"].monthly == pytest.approx(0.0344, abs=5e-5)
    assert found["brand_search_volume"].due_now == pytest.approx(1.5**0.5)
    assert found["brand_awareness"].answers == 897
    assert found["brand_rank"].monthly is None and found["brand_rank"].answers is None
    assert all(data.measures()[name].form == "" for name in found)  # in none of the tables
    assert overseeing.brand_goals(P, 6.0) == []


def test_speaking_is_compared_with_exits_over_all_groups(asked):
    found = reviewing.speaking_before_exits(asked[0])
    assert -12 <= found.lag <= 12 and found.bound > 0
    short = data.Collected(data.Windows(dt.date(2026, 3, 1), asked[0].windows.first), {}, {}, {}, asked[0].parts)
    assert reviewing.speaking_before_exits(short) is None
    index = reviewing.trust(asked[0])
    assert sum(index.weights.values()) == pytest.approx(1.0) and ((index.level >= 0) & (index.level <= 100)).all()


def test_median_time_to_restore():
    limit = dt.timedelta(hours=2)
    began = dt.datetime(2027, 3, 1)
    done = [service.Incident(str(k), "technical", began, {"restore": began + dt.timedelta(hours=k)}) for k in (1, 2, 6)]
    limits = {"technical": {"restore": limit}}
    now = began + dt.timedelta(days=1)
    assert reviewing.hours_to_restore(service.clocks(done, now, limits), now, limit) == pytest.approx(2.0)
    running = [service.Incident("x", "technical", began)]
    assert reviewing.hours_to_restore(service.clocks(running, now, limits), now, limit) is None


# ---- actuals that the forecast learns from


def test_only_whole_months_until_the_as_of_day_are_learned_from(sample):
    """Partial months, months after the day and months before the plan are not known; nothing is filled in."""
    plan = load_plan(PARAMS / "sample_brand.yaml", sets=("plan.start=2026-05",))
    with Engine(sample) as tables:
        known = outlooking.known_months(plan, tables, dt.date(2026, 8, 30))
        whole = outlooking.known_months(plan, tables, dt.date(2026, 8, 31))
        before = outlooking.known_months(plan, tables, dt.date(2026, 4, 30))
        later = outlooking.known_months(plan, tables, dt.date(2027, 6, 30))
    assert sorted(known) == ["gmv", "new_users_monthly"] and {*map(tuple, map(sorted, known.values()))} == {(1, 2, 3)}
    assert sorted(whole["gmv"]) == [1, 2, 3, 4] and before == {}
    assert all(known[name][month] == whole[name][month] for name in known for month in (1, 2, 3))
    assert sorted(later["gmv"]) == list(range(1, 9))  # the data end with 2026: nothing is known of 2027


def test_days_after_the_newest_are_not_known(sample):
    with Engine(sample) as tables:
        newest = dt.date(2026, 12, 31)
        assert reviewing.known_until(tables, None) == reviewing.known_until(tables, dt.date(2027, 3, 1)) == newest
        assert reviewing.known_until(tables, dt.date(2026, 5, 1)) == dt.date(2026, 5, 1)


# ---- a year of weekly runs


def as_of(found, day):
    """What the tables said on a day."""
    windows = data.Windows(day, found.windows.first)
    kept = {
        "groups_by_owner": [row for row in found.parts["groups_by_owner"] if row["day"] <= day],
        "joiners": [row for row in found.parts["joiners"] if row["joined_on"] <= day],
        **{name: [row for row in found.parts[name] if row["day"] <= day] for name in
           ("sales_daily", "visits_daily", "reads_daily")},
    }  # fmt: skip
    return data.Collected(windows, {}, {}, {}, kept)


def first_alarms(found, acting, weeks):
    """Return sign of decay -> Sunday of the weekly run that first shows it, and false alarms of daily orders."""
    seen, orders = {}, 0
    for week in weeks:
        now = as_of(found, week)
        for row in reviewing.communities(now):
            for one in row.watched:
                if one.watch.alarms:
                    seen.setdefault((row.owner, one.series), week)
        until = [row for row in acting if row["day"] <= week]
        watched = reviewing.watch_days(UNDER_WAY, reviewing.daily_series(now, until), now.windows)
        orders = max(orders, sum(len(one.watch.alarms) for one in watched if one.series == "orders"))
    return seen, orders


def test_weekly_runs_show_the_planted_faults_in_time(asked, truth):
    """Every fourth Sunday; the runs of every week are a long check."""
    found, acting, _, _ = asked
    sundays = [found.windows.first + dt.timedelta(days=7 * k - 1) for k in range(16, 53, 4)]
    seen, orders = first_alarms(found, acting, sundays)
    _faults_in_time(seen, orders, truth, slack=4)


@pytest.mark.full
def test_a_year_of_weekly_runs_shows_the_planted_faults_in_time(asked, truth):
    found, acting, _, _ = asked
    sundays = [found.windows.first + dt.timedelta(days=7 * k - 1) for k in range(13, 53)]
    seen, orders = first_alarms(found, acting, sundays)
    _faults_in_time(seen, orders, truth, slack=0)


def _faults_in_time(seen, orders, truth, *, slack):
    """Eight weeks to see each sign, `slack` more between runs; of 30 healthy series fewer than four cry in the year."""
    planted = {"interaction": truth["communities"]["quieter_from"], "exits": truth["communities"]["exits_from"]}
    decaying = next(owner for owner, sign in seen if sign == "interaction")
    for sign, day in planted.items():
        delay = (seen[decaying, sign] - dt.date.fromisoformat(day)).days / 7
        assert 0 <= delay <= 8 + slack, sign
    assert sum(owner != decaying for owner, _ in seen) < 4
    assert orders == 0
