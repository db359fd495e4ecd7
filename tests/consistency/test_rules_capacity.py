"""R07, R18, R21: hand-made plans that fire and that stay silent, repairs applied, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.rules_capacity import capacity, sample_load, service_level
from planlib.consistency.rules.samples import per_arm
from planlib.core.words import words
from planlib.experiments.power import n_proportions
from tests.consistency.helpers import chains, has, of, over, pick, said

USERS = said("u", "private_domain_users", 100_000, "at_least", by_month=12)
LOAD = said("l", "users_per_operator", 10_000, owner="ops")


def team(people=(5, 8), load=LOAD, **more):
    """Operators of the department `ops`, and two writers beside them."""
    roles = {
        "ops": {"name": {"zh": "运营", "en": "Operators"}, "people": list(people), "source": "W6.1"},
        "content": {"name": {"zh": "内容", "en": "Writers"}, "people": 2, "source": "W6.1"},
    }
    departments = [{"id": d, "name": {"zh": "部门", "en": d}} for d in ("ops", "legal")]
    return {"team": {"roles": roles, "users_per_operator": load, "departments": departments, "exhaustive": True} | more}


# ---- R07 users
@pytest.mark.parametrize(
    ("people", "more", "level"),
    [
        ([8, 10], {}, None),
        ([5, 8], {}, "strain"),  # what the load counts is not said
        ([5, 8], {"counts": "private_domain_users"}, "strain"),  # 8 operators and 2 writers are ten heads
        ([5, 7], {"counts": "private_domain_users"}, "contradiction"),
        ([5, 8], {"counts": "active_users"}, None),  # 5 people for the active half
        ([3, 4], {"counts": "active_users"}, "strain"),
        ([1, 2], {"counts": "active_users"}, "contradiction"),
    ],
)
def test_people_for_the_users(tiny, people, more, level):
    plan = tiny(targets=[USERS, said("m", "mau_rate", 0.5)], **team(people, LOAD | more))
    assert [f.level for f in over(capacity, plan)] == ([level] if level else [])


def test_more_users_a_person_are_allowed(tiny):
    """A load of at least so many can be larger."""
    load = {k: v for k, v in LOAD.items() if k != "equals"} | {"at_least": 10_000, "counts": "private_domain_users"}
    assert [f.level for f in over(capacity, tiny(targets=[USERS], **team([1, 2], load)))] == ["strain"]


def test_open_list_is_no_proof(tiny):
    load = LOAD | {"counts": "private_domain_users"}
    plan = tiny(targets=[USERS], **team([1, 2], load, exhaustive=False))
    assert [f.level for f in over(capacity, plan)] == ["strain"]


def test_repairs_of_the_load(tiny):
    load = LOAD | {"counts": "private_domain_users"}
    (found,) = over(capacity, tiny(targets=[USERS], **team([3, 4], load)))
    to = {r.parameter: r.to.value for r in found.repairs if r.to}
    assert to["operators"] == 10
    assert not over(capacity, tiny(targets=[USERS], **team([3, 10], load)))
    busier = team([3, 4], load | {"equals": to["load"]})
    lower = USERS | {"at_least": to["goal"]}
    assert [f.level for f in over(capacity, tiny(targets=[USERS], **busier))] == ["strain"]  # two of six write
    assert [f.level for f in over(capacity, tiny(targets=[lower], **team([3, 4], load)))] == ["strain"]


# ---- R07 the rest
def service(*rows, **more):
    return {"limits": {"service": list(rows)} | more}


WEEK = said("w", "working_hours", 40)
WATCH = said("s", "sentiment_monitoring_hours", 168)


@pytest.mark.parametrize(("hours", "fires"), [(80, False), (81, True), (168, True)])
def test_seat_against_a_quarter_of_the_largest_function(tiny, hours, fires):
    """A quarter of eight people work 80 hours a week."""
    plan = tiny(targets=[], **team(rules=[WEEK]), **service(WATCH | {"equals": hours}))
    found = over(capacity, plan)
    assert [f.figures["need"].value for f in found] == ([hours / 40] if fires else [])


@pytest.mark.parametrize(("people", "level"), [([5, 8], "strain"), ([2, 4], "contradiction"), ([3, 5], "strain")])
def test_seat_of_a_named_function(tiny, people, level):
    """4.2 people of the function that answers for the watch."""
    plan = tiny(targets=[], **team(people, rules=[WEEK]), **service(WATCH | {"owner": "ops"}))
    assert [f.level for f in over(capacity, plan)] == [level]


def test_clock_under_an_hour_is_a_second_seat(tiny):
    clock = said("c", "incident_diagnosis_time", 30, "at_most")
    (found,) = over(capacity, tiny(targets=[], **team(rules=[WEEK]), **service(WATCH, clock)))
    assert found.figures["both"].value == 8.4
    slow = tiny(targets=[], **team(rules=[WEEK]), **service(WATCH, clock | {"at_most": 60}))
    assert chains(over(capacity, slow)) == [("seat", "strain")]


def enquiries(tiny, rate=0.05, people=(5, 8), bot=None):
    rules = [said("e", "enquiry_rate", rate, period="day"), said("h", "handling_time", 60)]
    rules += [said("b", "bot_share", bot)] if bot is not None else []
    limits = service(said("r", "response_time", 30, "below"), rules=rules)
    plan = tiny(targets=[USERS], **team(people, rules=[WEEK]), **limits)
    return of(over(capacity, plan), "enquiries")


def test_enquiries_against_people_and_bot(tiny):
    """5,000 a day; eight people clear 3,840 of them, so that a bot has to take 23.2 %."""
    (found,) = enquiries(tiny)
    assert_allclose([found.figures["least"].value, found.figures["most"].value], [1 - 3840 / 5000, 1 - 2400 / 5000])
    to = {r.parameter: r.to.value for r in found.repairs}
    assert not enquiries(tiny, bot=to["bot_share"])
    assert not enquiries(tiny, rate=to["enquiry_rate"])
    assert not enquiries(tiny, people=(5, to["people_of_function"]))
    assert [f.level for f in enquiries(tiny, bot=0.1)] == ["contradiction"]


def communities(tiny, groups, interval=7, limit=500):
    members = {"metric": "users_per_community", "at_most": limit, "source": "platform"}
    rhythm = [said("t", "event_interval", interval)]
    changes = {"limits": {"group_members": members}, "schedule__rhythm": rhythm}
    plan = tiny(targets=[USERS, said("c", "communities", groups)], **team([10, 12], rules=[WEEK]), **changes)
    return [f for f in over(capacity, plan) if "communities" in f.chain]


@pytest.mark.parametrize(
    ("groups", "interval", "chain"),
    [
        (200, 7, None),  # 200 x 500 hold everybody
        (199, 7, "communities_full"),
        (600, 7, "communities"),  # fifty events for each of twelve people in forty hours
        (600, 14, None),
        (199, 1, "communities_both"),
    ],
)
def test_communities(tiny, groups, interval, chain):
    assert [f.chain.rpartition(".")[2] for f in communities(tiny, groups, interval)] == ([chain] if chain else [])


def test_repair_of_full_communities(tiny):
    (found,) = communities(tiny, 150)
    assert not communities(tiny, int(found.repairs[0].to.value))


@pytest.mark.parametrize(("peak", "fires"), [(11_000, False), (12_000, True)])
def test_peak_day_against_the_welcome(tiny, cases, peak, fires):
    """Eight people greet 40 in five minutes at a minute each, 11,520 a day."""
    rows = cases(cases=[{"id": "p", "metric": "new_users_daily", "above": peak}])
    limits = service(said("w", "welcome_latency", 5, "at_most"), rules=[said("h", "handling_time", 60)])
    found = of(over(capacity, tiny(targets=[], **team(), **limits), cases=rows), "peak")
    assert bool(found) == fires


def complaints(tiny, legal=None, base=1_000_000):
    duty = said("d", "team_role", None, scope="law", owner="legal")
    duty = {k: v for k, v in duty.items() if v is not None}
    changes = team(functions=[duty])
    if legal:
        role = {"name": {"zh": "法务", "en": "Legal"}, "people": legal, "department": "legal", "source": "W6.1"}
        changes["team"]["roles"]["lawyers"] = role
    limits = service(said("s", "compliance_start_time", 1, "at_most", scope="law"))
    targets = [USERS | {"at_least": base}, said("c", "complaint_rate", 0.01, "below")]
    return [f for f in over(capacity, tiny(targets=targets, **changes, **limits)) if "cases" in f.chain]


def test_complaints_against_those_who_take_them_up(tiny):
    """10,000 a month are 333 a day, an hour each: 42 people of eight hours."""
    assert chains(complaints(tiny)) == [("cases_nobody", "strain")]
    assert chains(complaints(tiny, legal=41)) == [("cases", "strain")]
    assert not complaints(tiny, legal=42)
    assert not complaints(tiny, legal=1, base=20_000)


@pytest.mark.parametrize(("people", "fires"), [([1, 2], True), ([2, 2], False)])
def test_reports_against_the_fewest_people(tiny, people, fires):
    """140 days are more than half of one person's year and less than half of two."""
    rhythm = [said("r", "report_interval", 7, owner="ops"), said("m", "review_interval", 1, owner="ops")]
    found = of(over(capacity, tiny(targets=[], **team(people), schedule__rhythm=rhythm)), "reports")
    assert [f.figures["days"].value for f in found] == ([140] if fires else [])


# ---- R18
def promised(tiny, goal=0.999, restore=120, unit="minutes", **more):
    limits = service(said("r", "incident_restore_time", restore, "at_most", unit=unit))
    return over(service_level, tiny(targets=[said("a", "system_availability", goal, "at_least", **more)], **limits))


@pytest.mark.parametrize(
    ("goal", "restore", "unit", "more", "fires"),
    [
        (0.999, 43, "minutes", {}, False),
        (0.999, 44, "minutes", {}, True),
        (0.999, 2, "hours", {}, True),
        (0.99, 2, "hours", {}, False),
        (0.999, 2, "hours", {"window_days": 365}, False),
    ],
)
def test_one_restore_against_the_budget(tiny, goal, restore, unit, more, fires):
    """0.1 % of thirty days are 43.2 minutes."""
    assert bool(promised(tiny, goal, restore, unit, **more)) == fires


def test_repairs_of_the_budget(tiny):
    (found,) = promised(tiny, restore=2, unit="hours")
    to = {r.parameter: r.to.value for r in found.repairs}
    assert not promised(tiny, restore=to["restore_time"], unit="hours")
    assert not promised(tiny, goal=to["goal"], restore=2, unit="hours")
    assert not promised(tiny, restore=2, unit="hours", window_days=to["window"])


@pytest.mark.parametrize(("alarm", "fires"), [(0.998, True), (0.999, True), (0.9992, False)])
def test_alarm_above_its_goal(tiny, alarm, fires):
    limits = {"limits": {"thresholds": [said("t", "system_availability", alarm, "below")]}}
    plan = tiny(targets=[said("a", "system_availability", 0.999, "at_least")], **limits)
    assert bool(over(service_level, plan)) == fires


def test_alarm_of_something_better_the_lower(tiny):
    targets = [said("c", "complaint_rate", 0.01, "at_most")]
    for alarm, fires in ((0.008, False), (0.01, True)):
        limits = {"limits": {"thresholds": [said("t", "complaint_rate", alarm, "above")]}}
        assert bool(over(service_level, tiny(targets=targets, **limits))) == fires


# ---- R21
@pytest.mark.parametrize("before", [0.012, 0.08, 0.5])
@pytest.mark.parametrize("lift", [0.1, 0.35, -0.2])
@pytest.mark.parametrize(("sides", "pooled"), [(2, False), (2, True), (1, False)])
def test_sizes_are_the_rooms(before, lift, sides, pooled):
    want = n_proportions(before, before * lift, sides=sides, variance="pooled" if pooled else "unpooled")
    assert per_arm(before, before * (1 + lift), sides=sides, pooled=pooled) == want.n_per_arm[0]


def trial(id="t", primary="conversion_rate", baseline=0.08, effect=0.008, weekly=12_000, month=3, **more):
    name = {"zh": id, "en": id}
    fields = {
        "baseline": {"value": baseline, "source": "W7.1"},
        "smallest_worth_having": {"value": effect, "source": "W7.1"},
        "traffic_per_week": {"value": weekly, "source": "W7.1"},
    }
    head = {"id": id, "question": name, "node": "revenue", "unit": "customer", "arms": {"a": 0.5, "b": 0.5}}
    return head | {"primary": primary, "start_month": month, "owner": "content"} | fields | more


def channels(intake):
    return [{"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": {"value": intake, "source": "W2.3"}}]


def sector(cases, *levels):
    rows = [{"id": f"s{k}", "metric": "conversion_rate", "equals": p, "scope": str(k)} for k, p in enumerate(levels)]
    return cases(benchmarks=rows)


@pytest.mark.parametrize(
    ("levels", "intake", "fires"),
    [
        ((0.08, 0.012), 50_000, True),
        ((0.08, 0.012), 300_000, False),  # even the smaller start fits in a month
        ((0.08,), 50_000, False),  # one level only
        ((0.08, 0.07), 50_000, False),
    ],
)
def test_start_level_decides_the_size(tiny, cases, levels, intake, fires):
    plan = tiny(targets=[said("c", "conversion_rate", 0.12)], experiments=[trial()], channels=channels(intake))
    found = over(sample_load, plan, cases=sector(cases, *levels))
    assert bool(found) == fires
    if fires:
        effect = next(r.to.value for r in found[0].repairs if r.parameter == "smallest_effect")
        low = found[0].figures["low"].value
        assert 2 * per_arm(low, low * (1 + effect)) <= intake < 2 * per_arm(low, low * (1 + effect - 0.01))


@pytest.mark.parametrize(("second_month", "fires"), [(3, True), (7, False)])
def test_tests_in_one_month(tiny, second_month, fires):
    """Two tests of 37,738 new users each, 50,000 of whom come a month."""
    tests = [trial(i, "first_purchase_rate", month=m) for i, m in (("one", 3), ("two", second_month))]
    found = over(sample_load, tiny(targets=[], experiments=tests, channels=channels(50_000)))
    assert chains(found) == ([("together", "strain")] if fires else [])


def test_classes_that_move_under_a_test(tiny):
    moving = [said("m", "tier_transition", None)]
    moving = [{k: v for k, v in row.items() if v is not None} for row in moving]
    tests = [trial(weekly=10_000, block="tier")]  # 37,738 people in four weeks
    plan = tiny(targets=[], experiments=tests, users__rules=moving, channels=channels(50_000))
    (found,) = over(sample_load, plan)
    assert_allclose([found.figures["stay"].value, found.figures["factor"].value], [0.95**4, 0.95**-8])
    assert not over(sample_load, tiny(targets=[], experiments=tests, channels=channels(50_000)))
    still = [trial(weekly=10_000, block="store")]
    assert not over(sample_load, tiny(targets=[], experiments=still, users__rules=moving, channels=channels(50_000)))


# ---- the shipped plans
def test_entries_of_capacity(shipped, figures):
    found = list(capacity(shipped))
    assert [f.level for f in found] == ["strain"] * 7
    users = pick(found, "users_or_active", "w-users-per-operator")
    has(users, figures, 100, 200, 500_000, 110_000, 180_000, 50_000, 80_000, 125_000, 200_000, 20_000, 50, 120, 2.4)
    has(pick(found, "seat_and_clock", "w-sla-sentiment-coverage"), figures, 4.2, 168, 40, 5, 8)
    has(pick(found, "enquiries", "w-response-time"), figures, 10_000, 480, 3_840, 0.616, 0.76, 100_000)
    has(pick(found, "communities_both", "w-core-communities"), figures, 125, 200, 1_000, 500, 500_000)
    has(pick(found, "peak", "w-fission-daily-new"), figures, 2.0, 69.4, 347, 43.4)
    has(pick(found, "cases_nobody", "w-complaint-rate"), figures, 5_000, 166.7, 500_000)
    has(pick(found, "reports", "w-staff-analytics"), figures, 140, 80, 300, 2, 3, 220)


def test_entries_of_service_level(shipped, figures):
    found = list(service_level(shipped))
    assert [f.level for f in found] == ["strain"] * 2
    has(pick(found, "budget", "w-sla-restore"), figures, 43.2, 120, 0.9972, 8.76, 4.38, 240, 0.9944)
    assert pick(found, "alarm", "w-incident-trigger").statements[0] == "w-availability-target"


def test_entries_of_sample_load(shipped, figures):
    found = list(sample_load(shipped))
    assert [f.level for f in found] == ["strain"] * 2
    sizes = pick(found, "baselines", "w-industry-conversion")
    has(sizes, figures, 18_869, 37_738, 50_000, 135_621, 5.42, 1_702, 880, 882)
    has(pick(found, "moving", "p-tier-dynamic"), figures, 0.815, 0.185, 1.51)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_sentences_have_their_words(shipped, locale):
    for rule in (capacity, service_level, sample_load):
        for finding in rule(shipped):
            assert finding.sentence(words(locale))
            assert all(words(locale).has(f"consistency.parameter.{r.parameter}") for r in finding.repairs)
