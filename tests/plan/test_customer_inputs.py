"""What the customer notebook takes out of plans: terms, what goals ask, reference lines."""

import pytest

from planlib.plan import customer_inputs as inputs
from planlib.plan import load_benchmarks, load_plan

W, P, SAMPLE = (f"params/{name}.yaml" for name in ("wechat_platform", "private_domain_2026", "sample_brand"))
OTHERS = load_benchmarks("params/benchmarks.yaml")


def test_terms_put_rates_on_months_and_the_lowest_tier_first():
    terms = inputs.customer_terms(load_plan(W))
    assert (1 + terms.discount_month) ** 12 == pytest.approx(1.10)
    assert [tier.id for tier in terms.tiers] == ["ordinary", "silver", "gold", "diamond"]
    assert [round(12 * tier.rights_cny_month) for tier in terms.tiers] == [0, 10, 40, 120]
    assert sum(tier.share for tier in terms.tiers) == pytest.approx(1)
    assert terms.rights_line == ("marketing", pytest.approx(0.15 * 30_000_000))
    assert (terms.care_success, terms.offer_lift) == (0.65, pytest.approx(0.23))


def test_a_plan_without_the_section_has_no_terms():
    assert inputs.customer_terms(load_plan(W, sets=("customers=null",))) is None
    assert inputs.customer_terms(load_plan("tests/plan/minimal.yaml")) is None


def test_the_churn_goal_is_held_against_the_cases_above_it():
    asks = inputs.churn_asks(load_plan(W), OTHERS)
    assert [(ask.rate, ask.goal) for ask in asks] == [(0.2, 0.08), (0.15, 0.08)]
    assert inputs.churn_asks(load_plan(P), OTHERS) == () and inputs.churn_goal(load_plan(P)) is None


def test_reference_lines_are_the_sector_and_the_goals_that_are_multiples_of_it():
    lines = inputs.value_lines(load_plan(W), OTHERS)
    assert [level for _, level in lines] == [680.0, 1_224.0, 1_360.0]
    assert lines[0][0]["en"].startswith("Apparel") and lines[1][0] is None


def test_the_radar_is_that_of_the_plan():
    for path in (P, SAMPLE):
        plan = load_plan(path)
        assert inputs.first_purchase_months(plan) == 3
        assert inputs.repurchase_goal(plan) == (3, 6) and inputs.interaction_goal(plan) == 1_000
    assert inputs.first_purchase_months(load_plan(W)) is None and inputs.repurchase_goal(load_plan(W)) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("customers.tiers.gold.share=0.9", "tier_shares"),
        ("customers.tiers.gold.from_score=0.7", "tier_cuts"),
    ],
)
def test_tiers_that_do_not_add_up_are_refused(change, code):
    from planlib.core.errors import InputError

    with pytest.raises(InputError) as caught:
        load_plan(W, sets=(change,))
    assert code in {problem.code for problem in caught.value.problems}
