"""R16, R17, R20, R22: hand-made plans that fire and that stay silent, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules import rules_dates, rules_evidence, rules_meaning, rules_money
from planlib.consistency.rules.classes import schemes
from planlib.consistency.rules.completeness import completeness
from planlib.consistency.rules.meaning import meaning
from planlib.consistency.rules.readings import readings
from planlib.consistency.view import View
from planlib.core.words import words
from tests.consistency.helpers import close, one


def goal(id, metric, **level):
    return {"id": id, "metric": metric, "source": "W2.3"} | level


def chains(found):
    return sorted(f.chain.partition(".")[2] for f in found)


# ---- R16
@pytest.mark.parametrize(("reading", "fires"), [(None, True), ("relative", False), ("points", False)])
def test_a_lift_of_a_share_says_how_it_is_read(tiny, reading, fires):
    lift = goal("g", "conversion_rate", equals=0.25, unit="relative_change", reading=reading)
    assert chains(readings(View([tiny(targets=[lift])]))) == ["R16.relative"] * fires


@pytest.mark.parametrize(
    ("base", "reading", "fires"),
    [(0.85, None, True), (0.79, None, False), (0.79, "points", True), (0.79, "relative", False), (0.7, None, False)],
)
def test_a_lift_that_leaves_the_whole(tiny, base, reading, fires):
    """+22 %: relative it fits below 1/1.22 = 0.82, as points below 0.78."""
    lift = goal("g", "satisfaction_rate", equals=0.22, unit="relative_change", base_value=base, reading=reading)
    found = [f for f in readings(View([tiny(targets=[lift])])) if f.level == "contradiction"]
    assert len(found) == fires
    for finding in found:
        lift["base_value"] = finding.repairs[0].to.value
        again = readings(View([tiny(targets=[lift])]))
        assert all(f.level != "contradiction" for f in again)


def test_times(tiny, cases):
    row = {"id": "m", "metric": "ltv", "equals": 3, "unit": "multiple"}
    (found,) = readings(View([tiny()], cases(cases=[row])))
    assert (found.figures["low"].value, found.figures["high"].value) == (3, 4)
    assert not list(readings(View([tiny()], cases(cases=[row | {"reading": "times"}]))))
    returns = {"id": "r", "metric": "roi", "equals": 3}  # a level, whose unit is a multiple
    assert not list(readings(View([tiny()], cases(cases=[returns]))))


@pytest.mark.parametrize(("base", "fires"), [(None, True), ("new_buyers", False)])
def test_value_and_cost_of_different_heads(tiny, figures, base, fires):
    targets = [
        goal("ltv", "ltv", equals=1224, denominator=base),
        goal("cac", "cac", at_most=20, denominator=base),
        goal("conversion", "conversion_rate", equals=0.12),
    ]
    found = [f for f in readings(View([tiny(targets=targets)])) if f.chain.endswith("heads")]
    assert len(found) == fires
    for finding in found:
        assert_allclose([figures(finding)[n] for n in ("mixed", "a_buyer", "joined")], [61.2, 166.7, 7.344], rtol=1e-3)


def test_free_users_have_no_ratio(tiny):
    targets = [
        goal("ltv", "ltv", equals=1224),
        goal("cac", "cac", at_most=0),
        goal("conversion", "conversion_rate", equals=0.12),
    ]
    assert not [f for f in readings(View([tiny(targets=targets)])) if f.chain.endswith("heads")]


def test_scores(tiny, cases, figures):
    plan = tiny(targets=[goal("nps", "nps", equals=60), goal("csat", "csat_score", equals=4.5)])
    share = cases(cases=[{"id": "s", "metric": "satisfaction_rate", "equals": 0.92}])
    balance, scale = readings(View([plan], share))
    assert figures(balance)["balance"] == 40
    assert_allclose([figures(scale)[n] for n in ("plain", "rescaled")], [0.9, 0.875])
    stated = [
        goal("nps", "nps", equals=60, unit="score"),
        goal("csat", "csat_score", equals=4.5, unit="score_of_5"),
    ]
    assert not list(readings(View([tiny(targets=stated)], share)))


def test_slope_to_the_ends_of_its_scale(tiny, cases, figures):
    plan = tiny(users__rules=[goal("step", "capability_fit_step", equals=0.1)])
    gain = {"id": "g", "metric": "operating_efficiency", "equals": 0.25, "unit": "relative_change", "source": "W2.3"}
    (found,) = readings(View([plan], cases(statistics=[gain])))
    assert_allclose([figures(found)[n] for n in ("linear", "compound")], [2.5, 1.25**10])
    assert not list(readings(View([plan], cases(statistics=[gain | {"source": "W9.9"}]))))


# ---- R17
def deadline(metric):
    name = {"zh": "期限", "en": "Deadline"}
    return {"id": "d", "name": name, "metric": "conversion_goal_month", "by_month": 4, "department": "sales",
            "deadline_of": metric, "source": "P6.4"}  # fmt: skip


@pytest.mark.parametrize(("levels", "fires"), [([], True), ([goal("g", "conversion_rate", equals=0.1)], False)])
def test_a_date_needs_a_level(tiny, levels, fires):
    departments = [{"id": "sales", "name": {"zh": "销售", "en": "Sales"}}]
    rows = [deadline("conversion_rate")]
    plan = tiny(targets=levels, team__departments=departments, schedule__milestones=rows)
    assert ("R17.dates" in chains(completeness(View([plan])))) == fires


def test_what_goals_lack(tiny, figures):
    full = goal("full", "mau_rate", equals=0.5, by_month=12, owner="content")
    lift = goal("lift", "aov", equals=0.3, unit="relative_change", by_month=12, owner="content")
    open_base = goal("share", "conversion_rate", equals=0.1, by_month=12, owner="content")
    undated = goal("undated", "mau_rate", equals=0.6, owner="content")

    def found(*targets):
        return [f for f in completeness(View([tiny(targets=list(targets))])) if f.chain.endswith("goals")]

    assert not found(full)
    (finding,) = found(full, lift, open_base, undated)
    shown = figures(finding)
    assert [shown[n] for n in ("n", "month", "base", "denominator", "owner")] == [4, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("row", "fires"),
    [
        (goal("g", "visits_per_user", scope="catering", window_days=90), True),
        (goal("g", "visits_per_user", scope="catering", at_least=3), False),
        (goal("g", "stage_lever"), False),  # says what is done, not what is counted
        (goal("g", "push_frequency"), False),  # a limit, asked for as one
    ],
)
def test_a_metric_that_a_plan_steers_by_needs_a_level(tiny, row, fires):
    found = [f for f in completeness(View([tiny(users__rules=[row])])) if f.chain.endswith("R17.levels")]
    assert [f.level for f in found] == ["question"] * fires


def scheme(id="s", classes=8, axes=("a", "b", "c"), kind="segments", source="W3.3", labels=(), **more):
    names = [{"zh": label, "en": label} for label in labels]
    return {"id": id, "metric": "segments", "kind": kind, "classes": classes, "axes": list(axes), "source": source,
            "labels": names} | more  # fmt: skip


@pytest.mark.parametrize(("cuts", "fires"), [({}, True), ({"a": [1.0, 2.0]}, False)])
def test_classes_need_cuts(tiny, cuts, fires):
    plan = tiny(users__schemes=[scheme(classes=3, axes=["a"], cuts=cuts)])
    found = [f for f in completeness(View([plan])) if f.chain.endswith("cuts")]
    assert [f.figures["needed"].value for f in found] == [2] * fires


@pytest.mark.parametrize(("source", "fires"), [("W5.1", False), ("platform", True)])
def test_a_platform_cap_is_not_ones_own(tiny, source, fires):
    cap = {"metric": "push_frequency", "at_most": 7, "source": source}
    rule = {"id": "r", "metric": "push_frequency", "source": "P5.2"}
    plan = tiny(limits={"sends_per_customer": cap, "rules": [rule]})
    assert ("R17.limit" in chains(completeness(View([plan])))) == fires


def test_assumed_inputs_are_missing(tiny):
    def missing(**changes):
        (found,) = [f for f in completeness(View([tiny(**changes)])) if f.chain.endswith("inputs")]
        return found.extra

    assert "missing_aov" in missing()
    assert "missing_aov" not in missing(baseline__aov={"value": 120, "source": "W2.1"})
    assert "missing_churn_rate" not in missing()


# ---- R20
@pytest.mark.parametrize(
    ("classes", "axes", "more", "fires"),
    [
        (8, "abcd", {}, True),
        (8, "abc", {}, False),
        (9, "abc", {}, True),
        (9, "ab", {}, False),
        (12, "abc", {}, False),
        (7, "ab", {}, True),
        (8, "abcd", {"merge_rule": "low with low"}, False),
        (8, "abcd", {"open_ended": True}, False),
        (3, "abc", {"kind": "values"}, False),
    ],
)
def test_classes_from_axes(tiny, classes, axes, more, fires):
    plan = tiny(users__schemes=[scheme(classes=classes, axes=axes) | more])
    found = [f for f in schemes(View([plan])) if f.level == "contradiction"]
    assert len(found) == fires
    for repair in (r for f in found for r in f.repairs):
        changed = scheme(classes=classes, axes=axes)
        if repair.parameter == "axes":
            changed["axes"] = list(axes)[: int(repair.to.value)]
        elif repair.parameter == "classes":
            changed["classes"] = int(repair.to.value)
        else:
            changed["merge_rule"] = "low with low"
        again = schemes(View([tiny(users__schemes=[changed])]))
        assert all(f.level != "contradiction" for f in again), repair


def test_vocabularies_side_by_side(tiny):
    one = scheme("one", 4, (), "lifecycle", labels=["Activation", "Retention"])
    other = scheme("other", 5, (), "lifecycle", labels=["Retention", "Referral"])
    (found,) = schemes(View([tiny(users__schemes=[one, other])]))
    assert (found.chain, found.figures["shared"].value) == ("rules_meaning.R20.lifecycle", 1)
    assert not list(schemes(View([tiny(users__schemes=[one, other | {"crosswalk": "one"}])])))
    assert not list(schemes(View([tiny(users__schemes=[one])])))


def test_one_label_twice(tiny):
    one = scheme("one", 3, ["a"], labels=["Potential users"])
    other = scheme("other", 4, ["b"], labels=["Potential users"], source="P3.3")
    limit = goal("limit", "first_purchase_window", at_most=3, scope="potential users")
    plan = tiny(users__schemes=[one, other], users__thresholds=[limit])
    (label,) = [f for f in schemes(View([plan])) if f.chain.endswith("label")]
    assert label.figures["n"].value == 3


# ---- R22
def test_one_word(tiny, cases):
    plan = tiny(targets=[goal("g", "conversion_rate", equals=0.12)])
    rows = [{"id": "c", "metric": "consult_conversion_rate", "equals": 0.15}]
    (found,) = meaning(View([plan], cases(cases=rows)))
    assert_allclose(found.extra["over_c"], 0.8)
    alone = [{"id": "c", "metric": "mau_rate", "equals": 0.5}]
    assert not list(meaning(View([plan], cases(cases=alone))))
    settled = tiny(targets=[goal("g", "user_conversion_rate", equals=0.12)])
    assert not [f for f in meaning(View([settled])) if f.chain.endswith("word")]


@pytest.mark.parametrize(("scope", "source", "fires"), [("a firm", "W5.1", True), (None, "W5.1", False)])
def test_one_level_of_two_populations(tiny, cases, scope, source, fires):
    plan = tiny(baseline__quoted=[goal("mine", "message_open_rate", equals=0.05)])
    rows = [{"id": "c", "metric": "message_open_rate", "equals": 0.05, "scope": scope, "source": source}]
    found = [f for f in meaning(View([plan], cases(cases=rows))) if f.chain.endswith("populations")]
    assert len(found) == fires


@pytest.mark.parametrize(("part", "fires"), [(1.0, True), (0.9, False)])
def test_part_above_its_whole(tiny, cases, part, fires):
    rows = [
        {"id": "w", "metric": "private_domain_market_size", "equals": 1.2, "year": 2024, "scope": "China"},
        {"id": "g", "metric": "private_domain_market_size", "equals": 0.23, "unit": "relative_change", "year": 2024,
         "scope": "China"},
        {"id": "p", "metric": "gmv", "above": part, "year": 2023, "scope": "a channel"},
    ]  # fmt: skip
    assert len(list(meaning(View([tiny()], cases(statistics=rows))))) == fires


# ---- the shipped plans
@pytest.mark.parametrize("module", [rules_dates, rules_evidence, rules_meaning, rules_money], ids=lambda m: m.__name__)
def test_every_finding_can_be_said(shipped, module):
    for rule in module.RULES.values():
        for finding in rule(shipped):
            assert all(finding.sentence(words(locale)) for locale in ("zh", "en"))
            for repair in finding.repairs:
                assert all(words(locale).has(f"consistency.parameter.{repair.parameter}") for locale in ("zh", "en"))


def test_shipped_readings(shipped, figures):
    found = list(readings(shipped))
    assert {f.level for f in found} == {"question"}
    relative = one(found, "p-catering-loop-satisfaction", "p-nine-class-retention", "w-breach-churn")
    close(relative, {"n": 103, "relative": 0.854, "points": 0.92, "relative_high": 1.037, "points_high": 1.07}, figures)
    close(one(found, "w-ltv-multiple-business", "w-cac-cap"), {"value": 1224, "mixed": 61.2, "joined": 7.3}, figures)
    close(one(found, "w-nps-target"), {"balance": 40}, figures)
    close(one(found, "w-csat-score"), {"plain": 0.9, "rescaled": 0.875, "high": 0.95}, figures)
    close(one(found, "w-fit-efficiency-slope"), {"linear": 2.5, "compound": 9.31}, figures)


def test_shipped_gaps(shipped, figures):
    found = list(completeness(shipped))
    close(one(found, "w-fmcg-group-exit"), {"exits": 0.35, "a_month": 0.134, "churn": 0.08}, figures)
    close(one(found, "p-roi-deadline"), {"bare": 3, "n": 3}, figures)
    close(one(found, "w-mau-rate-strategic"), {"all_without_month": 51, "all_goals": 61}, figures)
    close(one(found, "w-rfms-segments"), {"named_w-rfms-segments": 3, "classes_w-rfms-segments": 8}, figures)
    tiers = one(found, "p-member-tiers")
    close(tiers, {"named_p-nine-class": 4, "classes_p-nine-class": 9, "cuts_needed_p-member-tiers": 3}, figures)
    inputs = one(found, "wechat_platform.inputs").extra
    named = (
        "budget_total aov gross_margin opening_users start_gmv_share retention_d90 seasonality schedule_slack "
        "emergency_drill push_frequency steps_private_domain_users start_team_size labour_cost_per_head service_hours "
        "consent_rate activity_window dormant_window"
    )
    assert [name for name in named.split() if f"missing_{name}" not in inputs] == []


def test_shipped_schemes(shipped, figures):
    found = list(schemes(shipped))
    assert {f.statements for f in found if f.level == "contradiction"} == {
        ("w-value-score-segments", "w-rfms-segments"),
        ("p-nine-class",),
    }
    close(one(found, "w-rfms-segments"), {"classes": 8, "axes": 4, "two": 16}, figures)
    close(one(found, "p-nine-class"), {"axes": 3, "two": 8, "three": 27}, figures)
    close(one(found, "p-radar-dimensions"), {"total": 18}, figures)
    close(one(found, "w-aarrr-stages"), {"size_w-sop-links": 4, "size_p-five-stage-lifecycle": 5, "n": 4}, figures)
    close(one(found, "p-four-departments"), {"n": 3, "shared": 1}, figures)
    close(one(found, "p-radar-potential"), {"n": 3}, figures)


def test_shipped_words(shipped, figures):
    found = list(meaning(shipped))
    assert {f.level for f in found} == {"question"}
    activity = one(found, "w-mau-rate-strategic", "w-dormant-share")
    close(activity, {"over_w-dormant-share": 1.25, "over_w-mau-baseline": 1.67}, figures)
    close(activity, {"over_p-apparel-active-share": 2.78}, figures)
    conversion = one(found, "w-consult-conversion")
    close(conversion, {"times_w-content-conversion": 2.4, "times_w-conversion-evaluation": 1.5}, figures)
    assert conversion.extra["less_w-consult-conversion"] < 0
    repurchase = one(found, "p-discount-repurchase-share")
    close(repurchase, {"implied_industry_average": 0.233, "implied_w-persona-repurchase": 0.583}, figures)
    roi = one(found, "p-campaign-roi")
    close(roi, {"over_p-industry-roi": 1.3, "over_p-fmcg-roi": 1.67, "break_even": 2.5}, figures)
    close(roi, {"returns_p-campaign-roi": 1.2, "returns_p-industry-roi": 0.92}, figures)
    coverage = one(found, "p-ai-coverage", "w-ai-private-domain-coverage")
    close(coverage, {"less_w-automation-adoption": 0.55, "less_w-core-feature-adoption": 0.5}, figures)
    efficiency = one(found, "w-fmcg-efficiency", "w-education-output-per-head")
    close(efficiency, {"gain_w-fmcg-efficiency": 0.6, "gain_w-fmcg-users-per-operator": 1.0}, figures)
    populations = one(found, "w-apparel-message-open", "w-dormant-share-survey")
    close(populations, {"level_w-message-open-rate": 0.05, "level_w-dormant-share": 0.6}, figures)
    close(one(found, "w-channels-gmv"), {"whole": 0.976e12, "part": 1e12}, figures)
