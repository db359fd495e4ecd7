"""R01, R02, R12: hand-made plans that fire and that stay silent, repairs applied, and the shipped plans' entries."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.intake import a_month, total_to
from planlib.consistency.rules.rules_users import steady_state, stock_reach, window_maturity
from planlib.consistency.view import View
from planlib.core.words import words
from planlib.funnel.users import simulate_users, stationary_active_share, stock_at
from tests.consistency.helpers import chains, has, of, pick

GOAL = {"id": "g", "metric": "private_domain_users", "at_least": 100_000, "by_month": 6, "source": "W2.2"}
FLOW = {"id": "f", "metric": "new_users_monthly", "equals": 10_000, "source": "W2.3"}


def opening(value):
    return {"value": value, "source": "W1.1"}


def channel(intake=10_000, id="a", **more):
    amount = {"value": intake, "source": "W2.3"} if not isinstance(intake, dict) else intake
    return {"id": id, "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": amount} | more


def stage(first, last, id="traffic", permits=("acquisition",)):
    name = {"zh": "流量", "en": "Traffic"}
    return {"id": id, "name": name, "months": [first, last], "permits": list(permits), "source": "W6.4"}


# ---- R01
@pytest.mark.parametrize(
    ("base", "flow", "goal", "level"),
    [
        (0, 10_000, 100_000, "contradiction"),
        (40_000, 10_000, 100_000, None),  # exactly reached
        (39_000, 10_000, 100_000, "contradiction"),
        (0, 16_667, 100_000, None),
        (0, 16_660, 100_000, None),  # 99,960 is within the goal's third digit
        (0, 16_500, 100_000, "contradiction"),
    ],
)
def test_stock_against_intake(tiny, base, flow, goal, level):
    targets = [GOAL | {"at_least": goal}, FLOW | {"equals": flow}]
    plan = tiny(targets=targets, baseline__opening_users=opening(base), channels=[channel(flow)])
    assert [f.level for f in stock_reach(View([plan]))] == ([level] if level else [])


def test_ceiling_is_no_floor(tiny):
    """A goal of at most so many users asks for none."""
    goal = {k: v for k, v in GOAL.items() if k != "at_least"} | {"at_most": 1_000_000}
    assert not list(stock_reach(View([tiny(targets=[goal, FLOW], channels=[channel()])])))


def test_channels_say_what_no_statement_says(tiny):
    plan = tiny(targets=[GOAL], channels=[channel(5_000), channel(5_000, "b")])
    (found,) = stock_reach(View([plan]))
    assert found.level == "contradiction"
    assert found.figures["intake"].value == 10_000
    wide = {"value": [5_000, 40_000], "source": "W2.3"}
    (found,) = stock_reach(View([tiny(targets=[GOAL | {"at_least": 150_000}], channels=[channel(wide)])]))
    assert found.level == "strain"  # the best corner reaches it


def test_channels_beyond_the_statement(tiny):
    """The statement falls short, what the channels bring does not: not every reading fails."""
    plan = tiny(targets=[GOAL, FLOW], channels=[channel(20_000)])
    assert [f.level for f in stock_reach(View([plan]))] == ["strain"]


def test_channel_that_waits_for_its_stage(tiny):
    stages = [stage(5, 8, permits=())]
    plan = tiny(targets=[GOAL, FLOW], channels=[channel(from_stage="traffic")], schedule__stages=stages)
    (found,) = stock_reach(View([plan]))
    assert (found.figures["n"].value, found.figures["users"].value) == (2, 20_000)


def test_season_is_not_held_against_a_plan(tiny):
    """Most of the intake comes late in the year; by the flat monthly figure the goal is met."""
    season = [0.5] * 6 + [1.5] * 6
    plan = tiny(targets=[GOAL | {"at_least": 60_000}, FLOW], channels=[channel()], users__seasonality=season)
    assert [f.level for f in stock_reach(View([plan]))] == ["strain"]


def test_unknown_opening_base_is_a_strain(tiny):
    goal = {"id": "g", "metric": "followers", "at_least": 100_000, "by_month": 6, "source": "W2.2"}
    flow = {"id": "f", "metric": "follower_growth_monthly", "equals": 10_000, "source": "W2.3"}
    (found,) = stock_reach(View([tiny(targets=[goal, flow])]))
    assert found.level == "strain"
    (found,) = stock_reach(View([tiny(targets=[goal | {"from_value": 10_000}, flow])]))
    assert found.level == "contradiction"


def test_two_dates_of_one_level_can_coexist(tiny):
    targets = [GOAL, GOAL | {"id": "h", "by_month": 12}, FLOW | {"equals": 20_000}]
    assert not list(stock_reach(View([tiny(targets=targets, channels=[channel(20_000)])])))


@pytest.mark.parametrize(
    ("base", "flow", "goal", "due"), [(0, 10_000, 100_000, 6), (7_300, 4_321, 98_765, 9), (0, 10, 70, 3)]
)
def test_each_repair_alone_is_enough(tiny, base, flow, goal, due):
    def found(base=base, flow=flow, goal=goal, due=due):
        targets = [GOAL | {"at_least": goal, "by_month": due}, FLOW | {"equals": flow}]
        plan = tiny(targets=targets, baseline__opening_users=opening(base), channels=[channel(flow)], plan__months=60)
        return list(stock_reach(View([plan])))

    names = {"intake": "flow", "opening_users": "base", "due_month": "due", "goal": "goal"}
    (before,) = found()
    assert {r.parameter for r in before.repairs} == set(names)
    for repair in before.repairs:
        value = int(repair.to.value) if repair.parameter == "due_month" else repair.to.value
        assert not found(**{names[repair.parameter]: value}), repair


def test_repair_paths_are_those_of_set(tiny):
    (found,) = stock_reach(View([tiny(targets=[GOAL, FLOW], channels=[channel()])]))
    assert {r.path for r in found.repairs} == {
        "targets.f.equals", "baseline.opening_users.value", "targets.g.by_month", "targets.g.at_least",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("goal", "from_stage", "expected"),
    [
        (50_000, None, [("calendar", "contradiction")]),  # permits are all that is said about when
        (50_000, "late", [("calendar", "strain")]),  # some channel has a calendar of its own
        (20_000, None, []),
        (90_000, None, [("reach", "contradiction"), ("calendar", "contradiction")]),
    ],
)
def test_calendar(tiny, goal, from_stage, expected):
    other = channel(0, "b") | ({"from_stage": from_stage} if from_stage else {})
    stages = [stage(5, 8), stage(9, 12, id="late")]
    plan = tiny(
        targets=[GOAL | {"at_least": goal}, FLOW], channels=[channel(), other], schedule__stages=stages
    )  # fmt: skip
    assert chains(stock_reach(View([plan]))) == expected


def test_calendar_opens_after_the_goal(tiny):
    plan = tiny(targets=[GOAL | {"at_least": 50_000}, FLOW], channels=[channel()], schedule__stages=[stage(7, 9)])
    (found,) = stock_reach(View([plan]))
    assert chains([found]) == [("closed", "contradiction")]


def test_stage_for_something_else_closes_nothing(tiny):
    stages = [stage(5, 8, permits=["content"])]
    plan = tiny(targets=[GOAL | {"at_least": 50_000}, FLOW], channels=[channel()], schedule__stages=stages)
    assert not list(stock_reach(View([plan])))


# ---- R02
def loss(value=0.08, period="month", applied="before_adds"):
    return {"value": value, "period": period, "applied": applied, "source": "W2.3"}


def with_loss(tiny, goal=58_000, months=12, **more):
    changes = {"targets": [GOAL | {"at_least": goal, "by_month": months}, FLOW], "channels": [channel()]}
    return tiny(**(changes | {"users__churn": loss(), "plan__months": 60} | more))


@pytest.mark.parametrize(("share", "level"), [(0.99, None), (1.0, None), (1.02, "contradiction")])
def test_stock_under_churn(tiny, share, level):
    """Goals at, below and above what the closed form gives by month 12."""
    goal = share * stock_at(12, adds=10_000, churn=0.08)
    found = of(steady_state(View([with_loss(tiny, round(goal))])), "ceiling")
    assert [f.level for f in found] == ([level] if level else [])


def test_churn_after_the_adds(tiny):
    goal = round(stock_at(12, adds=10_000, churn=0.08))
    found = of(steady_state(View([with_loss(tiny, goal, users__churn=loss(applied="after_adds"))])), "ceiling")
    assert [f.level for f in found] == ["contradiction"]


def test_period_decides(tiny):
    """8 % a year costs little; 8 % without a period is read three ways and is never certain."""
    assert not of(steady_state(View([with_loss(tiny, 110_000, users__churn=loss(period="year"))])), "ceiling")
    stated = {"id": "c", "metric": "churn_rate", "equals": 0.08, "source": "W2.3"}
    targets = [GOAL | {"at_least": 110_000, "by_month": 12}, FLOW]
    (found,) = of(steady_state(View([with_loss(tiny, targets=[*targets, stated])])), "unstated")
    assert found.level == "strain"
    assert_allclose(found.figures["users_year"].value, stock_at(12, adds=10_000, churn=1 - 0.92 ** (1 / 12)))
    (found,) = of(steady_state(View([with_loss(tiny, targets=[*targets, stated | {"period": "month"}])])), "ceiling")
    assert found.level == "contradiction"


def test_best_corner_of_a_range_decides(tiny):
    wide = loss() | {"value": [0.0, 0.16]}
    found = of(steady_state(View([with_loss(tiny, 100_000, users__churn=wide)])), "ceiling")
    assert [f.level for f in found] == ["strain"]


@pytest.mark.parametrize("applied", ["before_adds", "after_adds"])
@pytest.mark.parametrize("goal", [85_000, 110_000, 200_000])
def test_each_repair_of_the_ceiling_is_enough(tiny, goal, applied):
    names = {"intake": "flow", "opening_users": "base", "due_month": "due", "goal": "goal", "churn": "churn"}

    def found(flow=10_000, base=0, due=12, goal=goal, churn=0.08):
        targets = [GOAL | {"at_least": goal, "by_month": due}, FLOW | {"equals": flow}]
        changes = {"channels": [channel(flow)], "baseline__opening_users": opening(base)}
        plan = with_loss(tiny, targets=targets, users__churn=loss(churn, applied=applied), **changes)
        return of(steady_state(View([plan])), "ceiling")

    (before,) = found()
    assert {r.parameter for r in before.repairs} == set(names)
    for repair in before.repairs:
        if repair.to is not None:
            value = int(repair.to.value) if repair.parameter == "due_month" else repair.to.value
            assert not found(**{names[repair.parameter]: value}), repair
        else:
            assert repair.ceiling.value < goal


def chain_plan(tiny, stay=0.4, wake=0.3, goal=0.5, period="month", **more):
    rates = {
        "users__staying_active": {"value": stay, "period": period, "source": "W2.3"},
        "users__waking": {"value": wake, "period": period, "source": "W2.2"},
    }
    target = {"id": "m", "metric": "mau_rate", "equals": goal, "source": "W2.2"} | more
    return tiny(targets=[target], channels=[channel()], **rates)


@pytest.mark.parametrize(
    ("goal", "more", "level"),
    [
        (0.42, {}, None),  # 42.2 % with joiners
        (0.5, {}, "strain"),  # undated
        (0.5, {"by_month": 12}, "contradiction"),
        (0.5, {"by_month": 1}, "strain"),  # everybody has just joined; it does not last
    ],
)
def test_active_share_settles(tiny, goal, more, level):
    found = of(steady_state(View([chain_plan(tiny, goal=goal, **more)])), "active")
    assert [f.level for f in found if f.figures["goal"].value == goal][:1] == ([level] if level else [])


def test_active_share_at_its_date_is_the_models(tiny):
    """The dated verdict agrees with the user model month by month."""
    path = simulate_users(
        [[10_000.0]] * 12, churn=0.08, stay=0.4, wake=0.3, opening_active_share=0.4, opening_users=0.0
    )  # fmt: skip
    for month in (2, 3, 6, 12):
        share = float(path.active_share[0, month - 1])
        for goal, certain in ((share - 0.01, False), (share + 0.01, True)):
            found = of(steady_state(View([chain_plan(tiny, goal=round(goal, 3), by_month=month)])), "active")
            assert any(f.level == "contradiction" for f in found) == certain, (month, goal)


def test_repairs_of_the_active_share(tiny):
    (found,) = of(steady_state(View([chain_plan(tiny, goal=0.6)])), "active")
    wake, stay, goal = (
        next(r.to.value for r in found.repairs if r.parameter == p) for p in ("waking", "staying_active", "goal")
    )
    for changed in ({"wake": wake}, {"stay": stay}, {"goal": goal}):
        assert not of(steady_state(View([chain_plan(tiny, **({"goal": 0.6} | changed))])), "active")
    assert_allclose(found.figures["joined"].value, stationary_active_share(stay=0.4, wake=0.3, churn=0.08))


def test_waking_that_cannot_be_enough_says_so(tiny):
    (found,) = of(steady_state(View([chain_plan(tiny, stay=0.1, goal=0.9)])), "active")
    repair = next(r for r in found.repairs if r.parameter == "waking")
    assert repair.to is None
    assert_allclose(repair.ceiling.value, stationary_active_share(stay=0.1, wake=0.92, churn=0.08))


@pytest.mark.parametrize(("goal", "fires"), [(0.50, False), (0.51, False), (0.52, True)])
def test_waking_once(tiny, goal, fires):
    """30 % awake, 30 % of the rest woken: 51 %."""
    targets = [
        {"id": "m", "metric": "mau_rate", "equals": goal, "source": "W2.2"},
        {"id": "w", "metric": "reactivation_rate", "equals": 0.3, "source": "W2.2"},
    ]
    asleep = {"id": "d", "metric": "dormant_share", "equals": 0.7, "source": "W2.1"}
    found = of(steady_state(View([tiny(targets=targets, baseline__quoted=[asleep])])), "woken")
    assert bool(found) == fires
    if fires:
        targets[1]["equals"] = found[0].repairs[0].to.value
        assert not of(steady_state(View([tiny(targets=targets, baseline__quoted=[asleep])])), "woken")


# ---- R12
WINDOW = {"id": "w", "metric": "first_purchase_window", "at_most": 3, "source": "P3.2a"}
RATE = {"id": "r", "metric": "conversion_rate", "equals": 0.1, "source": "W2.3"}


@pytest.mark.parametrize(("due", "complete"), [(3, 0), (4, 1), (5, 2), (6, None)])
def test_cohorts_complete_by_the_date(tiny, due, complete):
    """Cohorts of months 1, 2, ... are complete three months on; with half of them complete nothing is found."""
    plan = tiny(targets=[RATE | {"by_month": due}], users__thresholds=[WINDOW])
    found = list(window_maturity(View([plan])))
    assert [f.figures["complete"].value for f in found] == ([] if complete is None else [complete])


def test_cohorts_repairs(tiny):
    def found(due=4, window=3):
        thresholds = [WINDOW | {"at_most": window}]
        return list(window_maturity(View([tiny(targets=[RATE | {"by_month": due}], users__thresholds=thresholds)])))

    (before,) = found()
    values = {r.parameter: int(r.to.value) for r in before.repairs}
    assert not found(due=values["due_month"])
    assert not found(window=values["window"])


def test_opening_users_are_cohorts_of_their_own(tiny):
    shares = [{"id": "s", "metric": "gmv_share", "equals": 0.25, "by_month": 12, "period": "year", "source": "W2.2"}]
    late = {"schedule__stages": [stage(5, 12)], "channels": [channel()]}
    later = {"id": "t", "metric": "gmv_share", "equals": 0.3, "by_month": 24, "source": "W7.1"}
    plan = {"targets": [*shares, later], "plan__months": 24} | late
    assert chains(window_maturity(View([tiny(**plan)]))) == [("share_next", "strain")]
    assert not list(window_maturity(View([tiny(**plan, baseline__opening_users=opening(50_000))])))


@pytest.mark.parametrize(("goal", "later", "fires"), [(0.25, 0.3, True), (0.25, 0.4, False), (0.7, None, True)])
def test_yearly_share_in_the_open_months(tiny, goal, later, fires):
    targets = [{"id": "s", "metric": "gmv_share", "equals": goal, "by_month": 12, "period": "year", "source": "W2.2"}]
    if later:
        targets.append({"id": "t", "metric": "gmv_share", "equals": later, "by_month": 24, "source": "W7.1"})
    plan = tiny(targets=targets, plan__months=24, schedule__stages=[stage(5, 12)], channels=[channel()])
    found = list(window_maturity(View([plan])))
    assert bool(found) == fires
    if fires:
        assert_allclose(found[0].figures["needed"].value, goal * 12 / 8)


@pytest.mark.parametrize(("first", "fires"), [(1, False), (2, True), (5, True)])
def test_decisions_before_data(tiny, first, fires):
    every = [{"id": "e", "metric": "reallocation_interval", "equals": 3, "source": "W6.3"}]
    plan = tiny(targets=[], budget__principles=every, schedule__stages=[stage(first, 12)], channels=[channel()])
    assert bool(list(window_maturity(View([plan])))) == fires


# ---- small parts
def test_total_goes_on_with_the_average_of_the_last_year():
    assert_allclose(total_to(30, np.array([0.0] * 12 + [0.5, 1.5] * 6)), 18.0)
    assert_allclose(total_to(6, np.ones(12), kept=0.92), stock_at(6, adds=1, churn=0.08))
    assert_allclose(
        total_to(6, np.ones(12), kept=0.92, late=True), stock_at(6, adds=1, churn=0.08, applied="after_adds")
    )
    assert total_to(6, np.ones(12), since=5) == 2


def test_share_of_a_year_is_no_twelfth():
    assert_allclose((1 - a_month(0.08, "year")) ** 12, 0.92)


# ---- the shipped plans
def test_entries_of_stock_reach(shipped, figures):
    found = list(stock_reach(shipped))
    assert [f.level for f in found] == ["contradiction"] * 4
    half = pick(found, "reach", "w-users-six-months")
    has(half, figures, 300_000, 700_000, 0.7, 166_667, 3.33, 2.78, 125_000, 0.25, 1_243_450, 60_000)
    year = pick(found, "reach", "w-users-year1")
    has(year, figures, 600_000, 400_000, 0.4, 83_333)
    second = pick(found, "reach", "w-users-year2")
    has(second, figures, 1_200_000, 2_000_000, 800_000, 83_333)
    late = pick(found, "calendar", "w-users-six-months")
    has(late, figures, 500_000, 10, 4, 8, 400_000, 1_000_000, 5)


def test_entries_of_steady_state(shipped, figures):
    found = list(steady_state(shipped))
    assert {f.level for f in found} == {"strain"}
    ceiling = pick(found, "unstated", "w-churn-rate")
    has(ceiling, figures, 625_000, 246_028, 395_209, 540_513, 80_000, 160_000)
    has(ceiling, figures, 0.0069, 577_669, 7.22e6, 0.0274, 517_320, 1_824_074)
    active = pick(found, "active", "w-retention-m1")
    has(active, figures, 1 / 3, 0.6, 0.9, 0.789, 263_889, 625_000, 0.422, 0.44, 0.70)
    woken = pick(found, "woken", "w-mau-rate-evaluation")
    has(woken, figures, 0.51, 0.58, 0.429, 1 / 3)


def test_entries_of_window_maturity(shipped, figures):
    found = list(window_maturity(shipped))
    assert {f.level for f in found} == {"strain"}
    assert figures(pick(found, "cohorts", "p-conversion-deadline"))["complete"] == 1
    cohorts = pick(found, "cohorts", "p-radar-core-window")
    assert {"complete_after_3": 8, "complete_after_6": 11, "oldest_cohort_months": 8}.items() <= cohorts.extra.items()
    assert cohorts.figures["complete"].value == 2
    decisions = pick(found, "decisions", "w-reallocation-interval")
    assert decisions.extra == {"months_of_data_m3": 0, "months_of_data_m6": 2, "months_of_data_m9": 5}
    share = pick(found, "share_next", "w-gmv-share-year")
    has(share, figures, 0.375, 0.30, 0.335, 8)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_sentences_have_their_words(shipped, locale):
    for rule in (stock_reach, steady_state, window_maturity):
        for finding in rule(shipped):
            assert finding.sentence(words(locale))
            assert all(words(locale).has(f"consistency.parameter.{r.parameter}") for r in finding.repairs)
