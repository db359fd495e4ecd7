"""R08, R09, R10: hand-made plans that fire and that stay silent, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.rules_money import money_chain, ratio_chain, share_bands
from planlib.consistency.view import View
from planlib.core.words import words
from planlib.plan import load_plan
from tests.consistency.helpers import close, one

METRICS = {name: f"{name}_budget_share" for name in ("labour", "tech", "marketing", "operating")}


def bands(**spans):
    return {
        name: {"id": f"band-{name}", "metric": METRICS[name], "between": list(span), "source": "W6.3"}
        for name, span in spans.items()
    }


def goal(id, metric, source="W2.3", **level):
    return {"id": id, "metric": metric, "source": source} | level


FOUR = {"labour": (0.4, 0.5), "tech": (0.25, 0.3), "marketing": (0.15, 0.2), "operating": (0.1, 0.15)}


@pytest.mark.parametrize(
    ("spans", "level"),
    [
        ({"labour": (0.6, 0.7), "marketing": (0.5, 0.6)}, "contradiction"),  # lows above the whole
        (FOUR | {"labour": (0.3, 0.3)}, "contradiction"),  # highs of all four parts below it: 0.95
        ({"labour": (0.3, 0.3), "tech": (0.2, 0.3)}, None),  # two parts of four may stay below it
        (FOUR, "strain"),  # both highs with the others' lows: 1.05
        (FOUR | {"labour": (0.4, 0.45)}, None),
        ({name: (share, share) for name, share in zip(METRICS, (0.45, 0.25, 0.2, 0.1), strict=True)}, None),
    ],
)
def test_bands_of_one_whole(tiny, spans, level):
    found = list(share_bands(View([tiny(budget__bands=bands(**spans))])))
    assert [f.level for f in found] == ([level] if level else [])


def test_lowered_high_clears_the_corner(tiny):
    (found,) = share_bands(View([tiny(budget__bands=bands(**FOUR))]))
    assert [r.path for r in found.repairs] == ["budget.bands.labour.between"]
    cleared = FOUR | {"labour": (0.4, found.repairs[0].to.value)}
    assert not list(share_bands(View([tiny(budget__bands=bands(**cleared))])))


def test_two_bands_above_the_whole_can_be_said(tiny):
    (found,) = share_bands(View([tiny(budget__bands=bands(labour=(0.4, 0.5), marketing=(0.4, 0.6)))]))
    assert found.level == "strain"
    assert found.sentence(words("en")) and found.sentence(words("zh"))


@pytest.mark.parametrize(("base", "levels"), [(None, ["contradiction"]), ("marketing_budget", [])])
def test_purposes_are_of_the_whole_unless_said(tiny, base, levels):
    share = goal("incentive", "core_incentive_budget_share", equals=0.6) | {"denominator": base}
    plan = tiny(budget__bands=bands(marketing=(0.15, 0.2)), budget__purposes=[share])
    found = list(share_bands(View([plan])))
    assert [f.level for f in found] == levels
    assert all(f.figures["left_high"].value == pytest.approx(0.08) for f in found)


def test_assumed_bands_only_strain(tiny):
    share = goal("incentive", "core_incentive_budget_share", equals=0.6)
    assumed = bands(marketing=(0.15, 0.2))
    assumed["marketing"] |= {"source": "assumption", "why": "borrowed"}
    (found,) = share_bands(View([tiny(budget__bands=assumed, budget__purposes=[share])]))
    assert found.level == "strain"


def spending(tiny, total, *, source="W6.3", cac=None, organic=0.4, **more):
    targets = [
        goal("adds", "new_users_monthly", equals=10_000),
        goal("cac", "cac", **(cac or {"at_most": 20})),
        goal("organic", "organic_share", equals=organic),
    ]
    amount = {"value": total, "period": "year", "source": source, "why": "a guess"}
    return tiny(targets=targets, budget__total=amount, budget__bands=bands(marketing=(0.15, 0.2)), **more)


@pytest.mark.parametrize(
    ("total", "cac", "level"),
    [
        (16_000_000, {"at_most": 20}, None),  # 2.4m / 0.15
        (15_000_000, {"at_most": 20}, "strain"),
        (1_000_000, {"at_most": 20}, "strain"),  # a cap allows to spend less
        (1_000_000, {"equals": 20}, "contradiction"),  # 2.4m x 0.6 / 0.2 = 7.2m
        (7_200_000, {"equals": 20}, "strain"),
    ],
)
def test_total_against_acquisition(tiny, total, cac, level):
    found = list(money_chain(View([spending(tiny, total, cac=cac)])))
    assert [f.level for f in found] == ([level] if level else [])


def test_each_repair_of_the_total_is_enough(tiny):
    plan = spending(tiny, 1_000_000)
    (found,) = money_chain(View([plan]))
    assert [r.parameter for r in found.repairs] == ["budget_total", "cac", "intake"]
    for repair in found.repairs:
        changed = load_plan(plan.file, sets=(f"{repair.path}={repair.to.value}",))
        assert not list(money_chain(View([changed]))), repair


def channel(id, *, paid, intake, cac=None, referral=False):
    found = {"id": id, "name": {"zh": id, "en": id}, "paid": paid, "referral": referral}
    found["intake"] = {"value": intake, "source": "W2.3"}
    return found | ({"cac": {"value": cac, "source": "W2.3"}} if cac else {})


def test_cap_on_cac_by_what_it_counts(tiny, cases, figures):
    """Blended cap 20, 40 % free: 33.33; with 20 % referred at 15 % of the paid cost: 46.51 (entry cac-mix)."""
    channels = [
        channel("free", paid=False, intake=4_000),
        channel("ads", paid=True, intake=4_000, cac=30),
        channel("friends", paid=True, intake=2_000, cac=5, referral=True),
    ]
    ratio = cases(cases=[{"id": "r", "metric": "cac_ratio", "equals": 0.15}])
    (found,) = money_chain(View([spending(tiny, 20_000_000, channels=channels)], ratio))
    shown = figures(found)
    assert_allclose([shown["paid"], shown["with_referral"], shown["blended"]], [33.33, 46.51, 13], rtol=1e-3)
    channels[1]["cac"]["value"] = 20
    assert not list(money_chain(View([spending(tiny, 20_000_000, channels=channels)], ratio)))


def test_labour_in_gmv_against_returns(tiny, cases):
    plan = tiny(budget__bands=bands(labour=(0.4, 0.5)))

    def found(roi, cap=0.05):
        rows = [
            {"id": "cap", "metric": "labour_share_of_gmv", "at_most": cap},
            {"id": "roi", "metric": "roi", "equals": roi},
        ]
        return list(ratio_chain(View([plan], cases(cases=rows))))

    assert [f.level for f in found(3)] == ["strain"]
    assert not found(7)  # net 7 is GMV of 8 budgets
    enough = found(3)[0].repairs[0].to.value
    assert not found(3, enough)
    assert found(3, enough * 0.98)


def test_productivity(tiny, cases):
    def found(share):
        rows = [{"id": "b", "metric": "private_domain_budget_share", "equals": share}]
        plan = tiny(targets=[goal("g", "gmv_share", equals=0.25, by_month=12)])
        return list(ratio_chain(View([plan], cases(cases=rows))))

    assert_allclose(found(0.12)[0].figures["times"].value, 2.44, rtol=1e-2)
    assert not found(0.25)


def test_shipped_bands(shipped, figures):
    found = list(share_bands(shipped))
    corner = one(found, "w-budget-labour", "w-budget-operating")
    close(corner, {"low": 0.9, "high": 1.15, "left": 0.2, "need": 0.25}, figures)
    close(corner, {"left_beside_labour_budget_share": 0.5, "needed_beside_labour_budget_share": 0.5}, figures)
    assert (corner.level, corner.cost) == ("strain", 0)
    purposes = one(found, "p-budget-core-incentive", "w-budget-marketing")
    assert purposes.level == "contradiction"
    close(purposes, {"total": 0.8, "with_largest_other": 1.2, "left_low": 0.03, "left_high": 0.04}, figures)
    close(purposes, {"total_low": 300e6, "total_high": 400e6}, figures)
    close(
        purposes,
        {"core_incentive_budget_share_of_whole_low": 0.09, "content_budget_share_of_whole_high": 0.04},
        figures,
    )
    item = one(found, "p-leader-ai-share", "w-appliance-tech-focus")
    close(item, {"left_low": -0.03, "left_high": 0.02, "need_low": 0.2, "need_high": 0.24}, figures)
    close(item, {"left_low_beside_p-industry-ai-share": 0.17, "left_high_beside_p-industry-ai-share": 0.22}, figures)


def test_shipped_money(shipped, figures):
    found = list(money_chain(shipped))
    assert {f.level for f in found} == {"strain"}
    total = one(found, "w-users-year1")
    close(total, {"spend": 12e6, "total_low": 60e6, "total_high": 80e6, "paid_low": 36e6, "paid_high": 48e6}, figures)
    close(total, {"goal_spend": 20e6, "goal_total_low": 100e6, "goal_total_high": 133e6}, figures)
    labour = one(found, "w-team-size")
    close(labour, {"labour_low": 24e6, "labour_high": 40e6, "low": 480e3, "high": 800e3}, figures)
    close(labour, {"listed_low": 1.33e6, "listed_high": 3.64e6}, figures)
    tech = one(found, "w-car-integration-cost", "p-education-platform-cost")
    close(tech, {"low": 15e6, "high": 24e6, "times_low": 3, "times_high": 16}, figures)
    close(tech, {"W6.2_total_low": 11.7e6, "W6.2_marketing_high": 2.8e6, "W6.2_users_high": 140e3}, figures)
    close(tech, {"W6.2_users_low": 87_500, "P5.2b_users_low": 125e3, "P5.2b_users_high": 200e3}, figures)
    close(one(found, "w-fission-cac-ratio"), {"cap": 20, "paid": 33.33}, figures)


def test_spending_less_clears_wages_and_technology(shipped):
    wechat, benchmarks = shipped.plans[0].file, shipped.benchmarks
    for case in ("w-team-size", "w-car-integration-cost"):
        for repair in one(money_chain(shipped), case).repairs:
            changed = load_plan(wechat, sets=(f"{repair.path}={repair.to.value}",))
            assert not [f for f in money_chain(View([changed], benchmarks)) if case in f.statements], repair


def test_wages_turned_round(shipped, figures):
    """With the wage of 250,000 that the entry assumes for everybody."""
    sets = [f"team.roles.{role}.cost_per_year.value=250000" for role in shipped.plans[0].team.roles]
    labour = one(money_chain(View([load_plan(shipped.plans[0].file, sets=sets)])), "w-team-size")
    close(labour, {"turned_labour": 12.5e6, "turned_total_low": 25e6, "turned_total_high": 31.25e6}, figures)
    close(labour, {"turned_marketing_low": 3.75e6, "turned_marketing_high": 6.25e6}, figures)
    close(labour, {"users_low": 187_500, "users_high": 312_500, "planned": 600e3}, figures)


def test_shipped_ratios(shipped, figures):
    found = list(ratio_chain(shipped))
    labour = one(found, "p-labour-gmv-cap")
    close(
        labour, {"low": 8, "high": 10, "gross_low_p-campaign-roi": 0.133, "gross_high_p-campaign-roi": 0.167}, figures
    )
    close(labour, {"gross_low_p-industry-roi": 0.174, "gross_high_p-fmcg-roi": 0.278}, figures)
    close(labour, {"net_low_p-campaign-roi": 0.1, "net_high_p-campaign-roi": 0.125}, figures)
    close(one(found, "p-fmcg-private-share"), {"times": 2.44}, figures)
