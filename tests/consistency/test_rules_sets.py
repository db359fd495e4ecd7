"""R03 to R06: hand-made plans that fire and that stay silent, repairs applied, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.rules_sets import containment, identity, parts_whole, restated_ladder
from planlib.core.words import words
from planlib.funnel.sales import highest_repeat_orders, new_gmv_share
from tests.consistency.helpers import chains, has, over, pick, said

# ---- R03
MORE = {"op": "at_least", "by_month": 9}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, []),  # a duplicate
        ({}, {"level": 0.504}, []),  # the same to the per cent
        ({}, {"level": 0.6}, [("levels", "strain")]),
        ({"by_month": 12}, {"by_month": 12, "level": 0.6}, [("levels_dated", "contradiction")]),
        ({"by_month": 12}, {"by_month": 12, "level": 0.6, "op": "at_least"}, [("levels_dated", "contradiction")]),
        ({"by_month": 12}, {"by_month": 12, "level": 0.4, "op": "at_least"}, []),  # 50 % is at least 40 %
        ({"by_month": 6}, {"by_month": 12}, [("dates", "strain")]),
        ({"by_month": 6}, {"by_month": 12, "level": 0.6}, []),  # a ladder
        ({"by_month": 6}, {"by_month": 12, "level": 0.4}, [("falls", "strain")]),
        ({}, {"level": 0.6, "scope": "core users"}, []),
        ({}, {"level": 0.6, "population": "core_users"}, []),
        ({}, {"level": 0.6, "period": "year"}, []),
        (MORE, {"op": "at_most", "level": 0.3, "by_month": 9}, [("levels_dated", "contradiction")]),
        (MORE, {"op": "at_most", "level": 0.7, "by_month": 9}, []),
    ],
)  # fmt: skip
def test_one_metric_stated_twice(tiny, one, other, expected):
    targets = [said(**({"id": i, "metric": "mau_rate", "level": 0.5} | row)) for i, row in (("a", one), ("b", other))]
    assert chains(over(restated_ladder, tiny(targets=targets))) == expected


def test_ladder_of_something_better_the_lower(tiny):
    targets = [said("a", "churn_rate", 0.08, by_month=6), said("b", "churn_rate", 0.05, by_month=12)]
    assert not over(restated_ladder, tiny(targets=targets))
    targets[1]["equals"] = 0.1
    assert chains(over(restated_ladder, tiny(targets=targets))) == [("falls", "strain")]


def test_no_contradiction_between_plans(tiny):
    one = tiny(id="one", targets=[said("a", "mau_rate", 0.5, by_month=12)])
    other = tiny(id="other", targets=[said("b", "mau_rate", 0.6, by_month=12)])
    (found,) = over(restated_ladder, one, other)
    assert (found.level, set(found.plans)) == ("strain", {"one", "other"})


def test_repairs_of_two_levels(tiny):
    targets = [said("a", "mau_rate", 0.5, by_month=12), said("b", "mau_rate", 0.6, by_month=12)]
    (found,) = over(restated_ladder, tiny(targets=targets))
    for repair in found.repairs:
        _, id, field = repair.path.split(".")
        changed = [row | ({field: repair.to.value} if row["id"] == id else {}) for row in targets]
        assert not over(restated_ladder, tiny(targets=changed))


def test_multiple_counts_with_its_reference(tiny, cases):
    sector = cases(benchmarks=[{"id": "sector", "metric": "conversion_rate", "equals": 0.08}])
    times = said("a", "conversion_rate", 1.5, unit="multiple", reading="times", reference="sector")
    same = tiny(targets=[times, said("b", "conversion_rate", 0.12)])
    assert not over(restated_ladder, same, cases=sector)
    (found,) = over(restated_ladder, tiny(targets=[times, said("b", "conversion_rate", 0.15)]), cases=sector)
    assert_allclose([found.figures["low"].value, found.figures["high"].value], [0.12, 0.15])
    repair = next(r for r in found.repairs if r.path == "targets.a.equals")
    assert_allclose(repair.to.value, 0.15 / 0.08)


def test_multiple_of_an_unknown_figure_is_a_question(tiny):
    times = said("a", "repurchase_rate", 1.5, unit="multiple", reading="times", reference="industry_average")
    assert chains(over(restated_ladder, tiny(targets=[times]))) == [("reference", "question")]
    (found,) = over(restated_ladder, tiny(targets=[times, said("b", "repurchase_rate", 0.35)]))
    assert_allclose(found.figures["implied"].value, 0.35 / 1.5)


def test_rungs_on_two_bases(tiny):
    first = said("a", "gmv_share", 0.25, by_month=6, denominator="company_gmv")
    second = said("b", "gmv_share", 0.3, by_month=12, denominator="company_revenue")
    assert chains(over(restated_ladder, tiny(targets=[first, second]))) == [("bases", "strain")]
    assert not over(restated_ladder, tiny(targets=[first, second | {"denominator": "company_gmv"}]))


def test_lift_beside_a_level(tiny):
    targets = [said("a", "ltv", 0.2, unit="relative_change"), said("b", "ltv", 1200)]
    (found,) = over(restated_ladder, tiny(targets=targets))
    assert found.figures["base_low"].value == 1000
    assert not over(restated_ladder, tiny(targets=[targets[0] | {"base_value": 1000}, targets[1]]))


def stone(id, metric, month, **more):
    name = {"zh": id, "en": id}
    return {"id": id, "name": name, "metric": metric, "by_month": month, "department": "d", "source": "P6.2"} | more


def with_stones(tiny, *rows, stages=(), **more):
    departments = [{"id": "d", "name": {"zh": "部门", "en": "Department"}}]
    channels = [
        {"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": {"value": 9, "source": "W2.3"}}
    ]  # fmt: skip
    changes = {"schedule__milestones": list(rows), "schedule__stages": list(stages), "channels": channels}
    return tiny(**({"targets": [], "team__departments": departments} | changes | more))


def stage(first, last, **more):
    name = {"zh": "优化", "en": "Improve"}
    return {"id": "s", "name": name, "months": [first, last], "source": "W6.4"} | more


def test_deliverable_with_two_dates(tiny):
    rows = [stone("a", "segmentation_done", 6), stone("b", "segmentation_done", 4)]
    (found,) = over(restated_ladder, with_stones(tiny, *rows))
    assert (found.figures["first"].value, found.figures["second"].value) == (4, 6)
    later = [stage(9, 12, contains=["segmentation_done"])]
    (found,) = over(restated_ladder, with_stones(tiny, *rows, stages=later))
    assert found.extra == {"months_apart": 2, "idle_months_least": 5, "idle_months_most": 8}
    assert not over(restated_ladder, with_stones(tiny, rows[0], stages=later))
    assert not over(restated_ladder, with_stones(tiny, rows[0], rows[1] | {"by_month": 6}))


@pytest.mark.parametrize(("due", "fires"), [(4, True), (6, True), (7, False), (12, False)])
def test_finished_before_it_is_raised(tiny, due, fires):
    """A goal of the second half of the year begins in month 7."""
    rows = [stone("a", "conversion_goal_month", due, deadline_of="conversion_rate")]
    lift = said("g", "conversion_rate", 0.25, unit="relative_change", period="half_year", by_month=12)
    found = [f for f in over(restated_ladder, with_stones(tiny, *rows, targets=[lift])) if f.chain.endswith("finished")]
    assert bool(found) == fires


# ---- R04
@pytest.mark.parametrize(
    ("part", "whole", "more", "op", "expected"),
    [
        (0.6, 0.6, {}, "equals", []),
        (0.6, 0.5, {}, "equals", [("subset", "strain")]),
        (0.6, 0.5, {"denominator": "new_users"}, "equals", [("subset", "contradiction")]),
        (0.6, 0.5, {"denominator": "new_users"}, "at_least", [("subset", "strain")]),  # a floor can be higher
        (0.5, 0.6, {"denominator": "new_users"}, "equals", []),
        (0.52, 0.515, {}, "equals", []),  # within the per cent
    ],
)
def test_part_against_what_it_lies_in(tiny, part, whole, more, op, expected):
    targets = [said("a", "retention_d7", part, **more), said("b", "first_interaction_rate", whole, op, **more)]
    assert chains(over(containment, tiny(targets=targets))) == expected


def test_part_of_another_whole_is_no_contradiction(tiny):
    targets = [
        said("a", "retention_d7", 0.6, denominator="new_users"),
        said("b", "first_interaction_rate", 0.5, denominator="visits"),
    ]
    assert chains(over(containment, tiny(targets=targets))) == [("subset", "strain")]


@pytest.mark.parametrize(("activation", "rescued"), [(0.25, True), (0.15, False)])
def test_reading_that_rescues_the_order(tiny, activation, rescued):
    """0.5 + 0.5 x 0.25 = 62.5 % is above 60 %, 0.5 + 0.5 x 0.15 is not."""
    targets = [
        said("a", "retention_d7", 0.6),
        said("b", "first_interaction_rate", 0.5),
        said("c", "activation_rate", activation),
    ]
    (found,) = over(containment, tiny(targets=targets))
    assert found.chain.endswith("subset_rescued") == rescued
    if rescued:
        assert_allclose(found.figures["union"].value, 0.625)


def test_repairs_of_a_part(tiny):
    targets = [said("a", "retention_d7", 0.61), said("b", "first_interaction_rate", 0.5)]
    (found,) = over(containment, tiny(targets=targets))
    assert len(found.repairs) == 2
    for repair in found.repairs:
        _, id, field = repair.path.split(".")
        changed = [row | ({field: repair.to.value} if row["id"] == id else {}) for row in targets]
        assert not over(containment, tiny(targets=changed))


@pytest.mark.parametrize(("part", "single"), [(0.5, 0.05), (0.3, 0.05), (0.9, 0.2)])
def test_tries_that_it_takes(tiny, part, single):
    quoted = [{"id": "o", "metric": "message_open_rate", "equals": single, "source": "W5.1"}]
    plan = tiny(targets=[said("e", "event_participation_rate", part)], baseline__quoted=quoted)
    (found,) = over(containment, plan)
    n = found.figures["n"].value
    assert 1 - (1 - single) ** n >= part > 1 - (1 - single) ** (n - 1)


def test_cap_on_pushing_says_what_is_lost(tiny):
    """Seven messages a week reach 78.5 % in a month, one a week 19.7 %."""
    quoted = [{"id": "o", "metric": "message_open_rate", "equals": 0.05, "source": "W5.1"}]
    target = said("e", "event_participation_rate", 0.5)
    for cap, lost in ((7, 0.0), (1, 1 - (1 - 0.95 ** (30 / 7)) / 0.5)):
        limits = {"limits": {"sends_per_customer": {"metric": "push_frequency", "at_most": cap, "source": "platform"}}}
        (found,) = over(containment, tiny(targets=[target], baseline__quoted=quoted, **limits))
        assert_allclose(found.cost, lost)


def test_everybody_is_never_reached(tiny):
    quoted = [{"id": "o", "metric": "message_open_rate", "equals": 0.05, "source": "W5.1"}]
    plan = tiny(targets=[said("e", "event_participation_rate", 1.0)], baseline__quoted=quoted)
    assert chains(over(containment, plan)) == [("tries_never", "strain")]


@pytest.mark.parametrize(
    ("timely", "op", "more", "expected"),
    [
        (1.0, "at_least", {}, [("product", "strain")]),
        (0.95, "at_least", {}, []),
        (1.0, "equals", {"denominator": "records_due"}, [("product", "contradiction")]),
    ],
)
def test_share_against_the_product(tiny, timely, op, more, expected):
    """0.999 x 0.95 = 94.9 %."""
    targets = [
        said("t", "data_timeliness", timely, **more),
        said("a", "system_availability", 0.999, op, **more),
        said("c", "data_completeness", 0.95, op, **more),
    ]
    found = [f for f in over(containment, tiny(targets=targets)) if "missing" not in f.chain]
    assert chains(found) == expected


def test_repairs_of_a_product(tiny):
    targets = [said("t", "gmv", 5_000_000, period="month"), said("o", "orders", 20_000, period="month")]
    targets.append(said("a", "aov", 200))
    (found,) = over(containment, tiny(targets=targets))
    assert found.figures["product"].value == 4_000_000
    assert found.level == "contradiction"
    assert len(found.repairs) == 3
    for repair in found.repairs:
        _, id, field = repair.path.split(".")
        changed = [row | ({field: repair.to.value} if row["id"] == id else {}) for row in targets]
        assert not over(containment, tiny(targets=changed))


def test_amounts_of_two_periods_are_not_multiplied(tiny):
    targets = [said("t", "gmv", 40_000_000, period="year"), said("o", "orders", 20_000, period="month")]
    assert not over(containment, tiny(targets=[*targets, said("a", "aov", 200)]))


def test_factors_at_the_date_of_the_product(tiny):
    users = [said(f"u{m}", "private_domain_users", n, "at_least", by_month=m) for m, n in ((6, 1e5), (12, 2e5))]
    targets = [*users, said("m", "mau_rate", 0.5), said("a", "active_users", 1e5, by_month=12)]
    assert not over(containment, tiny(targets=targets))
    targets[-1]["by_month"] = 6
    assert chains(over(containment, tiny(targets=targets))) == [("product", "strain")]


def test_driver_that_is_not_stated(tiny):
    targets = [said("t", "tag_coverage", 0.9)]
    (found,) = over(containment, tiny(targets=targets))
    assert (found.chain.rpartition(".")[2], found.figures["needed"].value) == ("missing", 0.9)
    assert chains(over(containment, tiny(targets=[*targets, said("c", "consent_rate", 0.95)]))) == []
    assert chains(over(containment, tiny(targets=[*targets, said("c", "consent_rate", 0.7)]))) == [("subset", "strain")]


@pytest.mark.parametrize(("asked", "fires"), [(100, True), (80, False)])
def test_audience_of_one_community(tiny, asked, fires):
    """8 % of 1,000 members are 80 interactions."""
    targets = [
        said("e", "content_engagement_rate", 0.08),
        said("u", "private_domain_users", 100_000, "at_least", by_month=12),
        said("c", "communities", 100),
    ]
    limits = [{"id": "i", "metric": "content_interactions", "at_least": asked, "source": "P3.2a"}]
    found = over(containment, tiny(targets=targets, users__thresholds=limits))
    assert [f.figures["views"].value for f in found] == ([asked / 0.08] if fires else [])


# ---- R05
TAGS = {"denominator": "private_domain_users", "period": "month"}


@pytest.mark.parametrize(
    ("stay", "lost", "one", "other", "level"),
    [
        (0.92, 0.08, {}, {}, None),
        (0.4, 0.08, {}, {}, "question"),
        (0.4, 0.08, TAGS, {}, "question"),
        (0.4, 0.08, TAGS, TAGS, "contradiction"),
        (0.4, 0.08, TAGS, TAGS | {"denominator": "new_users"}, "question"),
        (0.92, 0.08, TAGS, TAGS, None),
        (0.924, 0.08, TAGS, TAGS, None),  # rounded
    ],
)
def test_complements(tiny, stay, lost, one, other, level):
    targets = [said("s", "retention_m1", stay, **one), said("c", "churn_rate", lost, **other)]
    assert [f.level for f in over(identity, tiny(targets=targets))] == ([level] if level else [])


def test_floors_of_complements_can_give_way(tiny):
    targets = [said("s", "retention_m1", 0.4, "at_least", **TAGS), said("c", "churn_rate", 0.08, "at_most", **TAGS)]
    assert [f.level for f in over(identity, tiny(targets=targets))] == ["question"]


@pytest.mark.parametrize(("orders", "fires"), [(2, False), (3, True)])
def test_new_share_against_repeat_orders(tiny, orders, fires):
    """Four a year leave 41.7 % new, six 32.3 %: the rooms' own identity."""
    targets = [said("n", "new_customer_share", 0.4, "at_least"), said("r", "repurchase_rate", 0.35)]
    core = [{"id": "k", "metric": "repurchase_count", "at_least": orders, "source": "P3.2a"}]
    found = over(identity, tiny(targets=targets, users__thresholds=core))
    assert bool(found) == fires
    if fires:
        assert_allclose(found[0].figures["share"].value, new_gmv_share(repeat_rate=0.35, repeat_orders=2 * orders))
        assert_allclose(found[0].figures["most"].value, highest_repeat_orders(0.4, repeat_rate=0.35))
        fewer = next(r.to.value for r in found[0].repairs if r.parameter == "repurchase")
        targets[1]["equals"] = fewer
        assert not over(identity, tiny(targets=targets, users__thresholds=core))


def test_case_whose_factor_moved_more_than_its_product(tiny, cases):
    cart = {"id": "c", "metric": "cart_abandonment_rate", "equals": 0.3, "from_value": 0.7, "scope": "x"}
    lift = {"id": "v", "metric": "conversion_rate", "equals": 0.25, "unit": "relative_change", "scope": "x"}
    (found,) = over(identity, tiny(), cases=cases(cases=[cart, lift]))
    assert_allclose(found.figures["implied"].value, 1.25 / (0.7 / 0.3))
    assert not over(identity, tiny(), cases=cases(cases=[cart, lift | {"equals": 4 / 3}]))
    assert not over(identity, tiny(), cases=cases(cases=[cart, lift | {"scope": "another firm"}]))


# ---- R06
def team(people, size, exhaustive=True, **more):
    roles = {
        f"r{k}": {"name": {"zh": "岗", "en": "Role"}, "people": n, "source": "W6.1"} for k, n in enumerate(people)
    }  # fmt: skip
    statement = {"id": "size", "metric": "team_size", "equals": size, "source": "W2.2"} | more
    return {"team": {"roles": roles, "size": statement, "exhaustive": exhaustive}}


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        (team([[3, 5], [5, 8]], 13), None),
        (team([[3, 5], [5, 8]], 14), "contradiction"),
        (team([[3, 5], [5, 8]], 7), "contradiction"),
        (team([[3, 5], [5, 8]], 50, exhaustive=False), "strain"),
        (team([[3, 5], [5, 8]], 50, exhaustive=None), "question"),
        (team([[3, 5], [5, 8]], 50, by_month=12), "strain"),  # the list may be the squad that starts
        (team([10, None], 50), None),  # one role has no number
    ],
)
def test_team_against_its_list(tiny, changes, level):
    assert [f.level for f in over(parts_whole, tiny(**changes))] == ([level] if level else [])


@pytest.mark.parametrize(("stated", "fires"), [(17_000, False), (30_000, True), (10_000, True), (18_050, False)])
def test_channels_against_the_stated_intake(tiny, stated, fires):
    intake = {"value": [12_000, 18_000], "source": "W2.3"}
    channels = [{"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": intake}]
    plan = tiny(targets=[said("f", "new_users_monthly", stated)], channels=channels)
    assert [f.level for f in over(parts_whole, plan)] == (["strain"] if fires else [])


@pytest.mark.parametrize(
    ("new", "repeat", "total", "op", "expected"),
    [
        (60, 40, 100, "equals", []),
        (60, 50, 100, "equals", [("parts_exceed", "contradiction")]),
        (60, 30, 100, "equals", [("parts_fall_short", "contradiction")]),
        (60, 30, 100, "at_least", []),  # parts may be larger than their floors
        (60, 50, 100, "at_least", [("parts_exceed", "contradiction")]),
    ],
)
def test_parts_of_a_whole(tiny, new, repeat, total, op, expected):
    targets = [said("n", "gmv_new", new, op), said("r", "gmv_repeat", repeat, op), said("g", "gmv", total)]
    assert chains(over(parts_whole, tiny(targets=targets))) == expected


@pytest.mark.parametrize(
    ("organic", "referral", "expected"),
    [(0.4, 0.3, []), (0.7, 0.4, [("parts_exceed", "contradiction")])],
)
def test_shares_of_the_traffic(tiny, organic, referral, expected):
    targets = [said("o", "organic_share", organic), said("r", "referral_share", referral)]
    assert chains(over(parts_whole, tiny(targets=targets))) == expected


def test_repair_of_parts(tiny):
    targets = [said("n", "gmv_new", 60), said("r", "gmv_repeat", 50), said("g", "gmv", 100)]
    (found,) = over(parts_whole, tiny(targets=targets))
    for repair in found.repairs:
        _, id, field = repair.path.split(".")
        changed = [row | ({field: repair.to.value} if row["id"] == id else {}) for row in targets]
        assert not over(parts_whole, tiny(targets=changed))


# ---- the shipped plans
def test_entries_of_restated_ladder(shipped, figures):
    found = over(lambda view: restated_ladder(shipped))
    assert {f.level for f in found} == {"strain", "question"}
    has(pick(found, "levels", "w-mau-rate-strategic"), figures, 5e5, 6e5, 1e5, 0.2, 0.3, 1.67, 2.0)
    has(pick(found, "worked_on", "p-segmentation-h1"), figures, 2, 5, 8, 9, 12)
    has(pick(found, "finished", "p-conversion-deadline"), figures, 4, 7, 12, 9, 3, 5)
    has(pick(found, "bases", "w-gmv-share-year"), figures, 0.25, 0.30, 0.17, 0.05, 0.77, 0.227)
    has(pick(found, "levels", "w-ltv-multiple-business"), figures, 1224, 1360)
    has(pick(found, "lift", "p-ltv-lift"), figures, 816, 1.5, 1020, 1.667, 1133, 1.765)
    has(pick(found, "dates", "w-users-year1"), figures, 1e6, 6, 12)
    assert pick(found, "reference_implied", "w-repurchase-multiple").level == "question"


def test_entries_of_containment(shipped, figures):
    found = over(lambda view: containment(shipped))
    assert {f.level for f in found} == {"strain"}
    has(pick(found, "subset_rescued", "w-retention-d7"), figures, 0.5, 0.6, 0.1, 0.25, 0.625)
    has(pick(found, "product_unstated", "w-tag-accuracy"), figures, 0.855, 0.845, 0.95)
    has(pick(found, "tries", "w-event-participation"), figures, 10, 14)
    has(pick(found, "tries", "w-community-speaking"), figures, 6, 0.15, 0.05)
    has(pick(found, "product", "w-data-timeliness"), figures, 0.949)
    has(pick(found, "missing", "w-tag-coverage"), figures, 0.9, 0.95, 0.70, 0.665, 0.855)
    has(pick(found, "audience", "p-radar-influence"), figures, 12_500, 1_000, 12.5)


def test_entries_of_identity_and_parts(shipped, figures):
    found = over(lambda view: [*identity(shipped), *parts_whole(shipped)])
    retention = pick(found, "complement", "w-retention-m1")
    assert retention.level == "question"
    has(retention, figures, 0.6, 0.08, 7.5, 0.92, 0.52)
    new = pick(found, "new_share", "w-new-customer-gmv-share")
    assert new.level == "strain"
    has(new, figures, 72_000, 25_200, 0.74, 151_200, 0.323, 4.3, 6)
    cart = pick(found, "case_product", "w-catering-cart")
    assert cart.level == "strain"
    has(cart, figures, 2.33, 1.25, 0.536)
    people = pick(found, "team", "w-team-size")
    assert people.level == "contradiction"
    has(people, figures, 11, 18, 32, 39, 0.64, 0.78, 0.22, 0.36, 25)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_sentences_have_their_words(shipped, locale):
    for rule in (restated_ladder, containment, identity, parts_whole):
        for finding in rule(shipped):
            assert finding.sentence(words(locale))
            assert all(words(locale).has(f"consistency.parameter.{r.parameter}") for r in finding.repairs)
