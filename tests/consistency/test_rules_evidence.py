"""R13, R14, R15: hand-made plans that fire and that stay silent, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.rules_evidence import benchmark, drift, lift_stack
from planlib.consistency.view import View
from tests.consistency.helpers import close, one


def goal(id, metric, **level):
    return {"id": id, "metric": metric, "source": "W2.3"} | level


def change(id, metric, value, **more):
    return {"id": id, "metric": metric, "equals": value, "unit": "relative_change"} | more


@pytest.mark.parametrize(("growth", "fires"), [(0.35, True), (-0.1, False)])
def test_cap_that_stands_still(tiny, cases, figures, growth, fires):
    plan = tiny(targets=[goal("cap", "cac", at_most=20)])
    found = list(drift(View([plan], cases(statistics=[change("g", "cac", growth, year=2023)]))))
    assert len(found) == fires
    if fires:
        assert_allclose([figures(found[0])[n] for n in ("later", "gain")], [27, 1 - 1 / 1.35])


@pytest.mark.parametrize(
    ("forecast", "fires"),
    [({"equals": 121}, False), ({"above": 121}, False), ({"equals": 140}, True), ({"above": 140}, True)],
)
def test_forecast_against_its_growth(tiny, cases, forecast, fires):
    rows = [
        {"id": "a", "metric": "gmv", "equals": 100, "year": 2024, "scope": "China"},
        change("g", "gmv", 0.1, year=2024, scope="China"),
        {"id": "b", "metric": "gmv", "year": 2026, "scope": "China"} | forecast,
    ]
    assert len(list(drift(View([tiny()], cases(statistics=rows))))) == fires
    elsewhere = [*rows[:2], rows[2] | {"scope": "world"}]
    assert not list(drift(View([tiny()], cases(statistics=elsewhere))))


@pytest.mark.parametrize(("later", "fires"), [(8, True), (12, False), (15, False)])
def test_trend_against_a_goal(tiny, later, fires):
    quoted = [
        goal("t0", "daily_open_time", equals=12, year=2020),
        goal("t1", "daily_open_time", equals=later, year=2023),
    ]
    plan = tiny(baseline__quoted=quoted, targets=[goal("mau", "mau_rate", equals=0.6, from_value=0.3)])
    assert len(list(drift(View([plan])))) == fires


def experiment(lever):
    name = {"zh": "试验", "en": "Test"}
    return {
        "id": f"test-{lever}", "question": name, "node": "revenue", "unit": "customer", "owner": "content",
        "arms": {"a": 0.5, "b": 0.5}, "primary": "conversion_rate", "lever": lever,
        "baseline": {"value": 0.08, "source": "W7.1"}, "traffic_per_week": {"value": 1000, "source": "W7.1"},
        "smallest_worth_having": {"value": 0.01, "source": "W7.1"},
    }  # fmt: skip


def lifts(*levers):
    return [change(f"l{n}", "conversion_rate", 0.3, lever=lever) for n, lever in enumerate(levers)]


@pytest.mark.parametrize(
    ("levers", "fires"),
    [(("pages", "pages"), True), (("pages", "other"), False), (("pages",), False)],  # 0.08 x 1.3 ** n against 0.12
)
def test_only_listed_levers_stack(tiny, cases, levers, fires):
    plan = tiny(targets=[goal("g", "conversion_rate", equals=0.12, from_value=0.08)], experiments=[experiment("pages")])
    found = list(lift_stack(View([plan], cases(cases=lifts(*levers)))))
    assert len(found) == fires
    higher = tiny(
        targets=[goal("g", "conversion_rate", equals=0.14, from_value=0.08)], experiments=[experiment("pages")]
    )
    assert not list(lift_stack(View([higher], cases(cases=lifts(*levers)))))


@pytest.mark.parametrize(("after", "fires"), [(0.05, True), (0.06, False)])  # cuts of 66.7 % and 60 % against 65 %
def test_cut_against_recall_and_success(tiny, cases, after, fires):
    plan = tiny(targets=[goal("g", "churn_rate", equals=0.08)])
    rows = [
        {"id": "success", "metric": "intervention_success_rate", "equals": 0.65},
        {"id": "worse", "metric": "intervention_success_rate", "equals": 0.4},
        {"id": "case", "metric": "churn_rate", "equals": after, "from_value": 0.15},
    ]
    assert len(list(lift_stack(View([plan], cases(cases=rows))))) == fires


@pytest.mark.parametrize(("share", "fires"), [(0.2, True), (0.25, False), (0.27, False), (0.31, True)])
def test_case_outside_the_band(tiny, cases, share, fires):
    band = {"id": "t", "metric": "tech_budget_share", "between": [0.25, 0.3], "source": "W6.3"}
    rows = [{"id": "c", "metric": "tech_budget_share", "equals": share}]
    assert len(list(benchmark(View([tiny(budget__bands={"tech": band})], cases(cases=rows))))) == fires
    dated = band | {"year": 2027}
    assert not list(benchmark(View([tiny(budget__bands={"tech": dated})], cases(cases=rows))))


@pytest.mark.parametrize(
    ("metric", "level", "best", "fires"),
    [
        ("mau_rate", 0.8, 0.65, True),
        ("mau_rate", 0.65, 0.65, False),
        ("churn_rate", 0.02, 0.05, True),
        ("churn_rate", 0.08, 0.05, False),
        ("conversion_rate", 0.12, 0.035, False),  # its denominator is open: never held against a case
        ("private_domain_users", 1_000_000, 500_000, False),  # grows with the firm
    ],
)
def test_goal_beyond_every_case(tiny, cases, metric, level, best, fires):
    plan = tiny(targets=[goal("g", metric, equals=level)])
    found = list(benchmark(View([plan], cases(cases=[{"id": "c", "metric": metric, "equals": best}]))))
    assert len(found) == fires


@pytest.mark.parametrize(("wanted", "fires"), [(2, True), (4, False)])
def test_goal_below_its_benchmark(tiny, cases, wanted, fires):
    plan = tiny(targets=[goal("g", "ltv", equals=wanted, unit="multiple", reading="times")])
    rows = [{"id": "b", "metric": "ltv", "between": [3, 5], "unit": "multiple"}]
    found = list(benchmark(View([plan], cases(benchmarks=rows))))
    assert len(found) == fires
    assert all(f.figures["share_high"].value == pytest.approx(2 / 3) for f in found)


def test_growth_that_costs_order_value(tiny, cases):
    targets = [
        goal("u1", "private_domain_users", at_least=100, by_month=6),
        goal("u2", "private_domain_users", at_least=300, by_month=12),
        change("aov", "aov", 0.3, source="W2.2"),
    ]
    firm = {"scope": "a firm", "year": 2025}
    rows = [
        {"id": "s", "metric": "private_domain_users", "equals": 30, "from_value": 10} | firm,
        change("d", "aov", -0.18, **firm),
    ]
    (found,) = benchmark(View([tiny(targets=targets)], cases(cases=rows)))
    assert_allclose(found.figures["net"].value, 1.3 * 0.82 - 1)  # grown as much as the case
    assert (1 + found.repairs[0].to.value) * 0.82 >= 1.3
    others = [rows[0], rows[1] | {"scope": "another firm"}]
    assert not list(benchmark(View([tiny(targets=targets)], cases(cases=others))))


@pytest.mark.parametrize(("other", "fires"), [(0.012, True), (0.07, False)])
def test_averages_of_one_name(tiny, cases, other, fires):
    plan = tiny(targets=[goal("g", "conversion_rate", equals=0.12)])
    rows = [
        {"id": f"b{n}", "metric": "conversion_rate", "equals": level, "scope": "industry average"}
        for n, level in enumerate((0.08, other))
    ]
    found = list(benchmark(View([plan], cases(benchmarks=rows))))
    assert [f.level for f in found] == ["question"] * fires


def test_shipped_drift(shipped, figures):
    found = list(drift(shipped))
    assert {f.level for f in found} == {"strain"}
    close(one(found, "w-cac-cap"), {"later": 27, "gain": 0.259, "with_w-maternal-ab-cac": 0.972}, figures)
    close(one(found, "p-market-size-2026"), {"reached": 1.815e12, "needed": 0.291}, figures)
    trend = one(found, "w-open-minutes-2020", "w-mau-rate-evaluation")
    close(trend, {"change": -0.333, "a_year": -0.126, "times": 2}, figures)


def test_shipped_lifts(shipped, figures):
    found = list(lift_stack(shipped))
    assert {f.level for f in found} == {"strain"}
    stack = one(found, "w-recommender-conversion", "w-maternal-ab-conversion")
    close(stack, {"n": 4, "start": 0.08, "stacked": 0.204, "overlap": 0.433}, figures)
    cut = one(found, "w-churn-rate")
    close(cut, {"cut": 0.667, "most": 0.65, "needed_from_15%": 0.718, "needed_from_20%": 0.923}, figures)


def test_shipped_references(shipped, figures):
    found = list(benchmark(shipped))
    close(one(found, "w-education-tech-later"), {"case": 0.2, "low": 0.25, "rest": 0.8, "rest_high": 0.85}, figures)
    below = one(found, "w-clv-uplift-study")
    close(below, {"share_low": 0.36, "share_high": 0.667, "one_more_w-clv-uplift-study": 4.2}, figures)
    diluted = one(found, "p-home-aov-drop", "w-aov-lift")
    close(diluted, {"elasticity": -0.181, "loss": -0.118, "net": 0.147, "earn": 0.473}, figures)
    averages = one(found, "w-industry-conversion", "p-industry-conversion")
    close(averages, {"times": 6.67, "over_p-leader-conversion": 3.43, "over_low": 10}, figures)
    assert averages.level == "question"
    assert sum(f.level == "strain" for f in found) == 3
