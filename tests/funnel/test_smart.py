"""SMART, letter by letter, alone and on the seed plans."""

from dataclasses import replace
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.funnel.forecast import judge
from planlib.funnel.smart import LETTERS, Stated, smart
from planlib.funnel.users import simulate_users
from planlib.plan import inputs, load_plan
from planlib.plan.smart import place_of, readings, stated

PARAMS = Path(__file__).parents[2] / "params"
GOOD = Stated(metric="mau_rate", counted=True, divided=True, denominator="private_domain_users", relative=False,
              base=None, parent="retention", by_month=12)  # fmt: skip


def _failed(letters):
    return {letter.name: letter.missing for letter in letters if letter.status == "fail"}


def test_each_letter_fails_for_its_own_reason():
    assert _failed(smart(GOOD, probability=0.9)) == {}
    cases = {
        "specific": (replace(GOOD, metric=None), None),
        "measurable": (replace(GOOD, denominator=None), ("denominator",)),
        "relevant": (replace(GOOD, parent=None), ("parent",)),
        "time_bound": (replace(GOOD, by_month=None), ("month",)),
    }
    for name, (case, missing) in cases.items():
        failed = _failed(smart(case, probability=0.9))
        assert name in failed and (missing is None or failed == {name: missing})
    both = replace(GOOD, denominator=None, relative=True)
    assert _failed(smart(both, probability=0.9)) == {"measurable": ("denominator", "base")}
    assert _failed(smart(replace(GOOD, counted=False), probability=0.9)) == {"measurable": ("unit",)}


@pytest.mark.parametrize(
    "given, status",
    [
        ({"probability": 0.2}, "pass"),
        ({"probability": 0.19}, "fail"),
        ({"probability": 0.6, "floor": 0.7}, "fail"),
        ({"probability": 0.0, "holds": True}, "fail"),  # draws go before the point forecast
        ({"holds": True}, "pass"),
        ({"holds": False}, "fail"),
        ({}, "not_judged"),
    ],
)
def test_achievable_needs_a_forecast(given, status):
    letter = smart(GOOD, **given)[LETTERS.index("achievable")]
    assert letter.status == status and (letter.missing == ("probability",)) is (status == "not_judged")


def test_bad_probabilities():
    with pytest.raises(InputError) as caught:
        smart(GOOD, probability=1.2, floor=-1.0)
    assert [p.field for p in caught.value.problems] == ["probability", "floor"]


def _seed(name):
    plan = load_plan(PARAMS / name)
    return plan, {t.id: Stated(**s) for t, s in zip(plan.targets, stated(plan), strict=True)}


def test_acceptance_on_the_seed_plan():
    plan, by = _seed("wechat_platform.yaml")
    # the 50 % MAU goal has no month
    assert _failed(smart(by["w-mau-rate-strategic"], holds=True)) == {"time_bound": ("month",)}
    # the million by month 6 has one, and is out of reach at 50,000 a month
    path = simulate_users([[50_000.0]] * 24, churn=0.08).users
    (goal,) = [g for g in inputs.goals(plan) if g["id"] == "w-users-six-months"]
    verdict = judge(goal, {"private_domain_users": path}, {}, months=24)
    assert verdict["status"] == "off_track"
    letters = smart(by["w-users-six-months"], holds=verdict["status"] == "on_track")
    assert _failed(letters) == {"achievable": ("chance",)}
    assert letters[LETTERS.index("time_bound")].status == "pass"


def test_the_plan_says_where_to_write_what_is_missing():
    plan, by = _seed("wechat_platform.yaml")
    place = {target.id: index for index, target in enumerate(plan.targets)}
    assert place_of(plan, place["w-mau-rate-strategic"], "month") == "targets.w-mau-rate-strategic.by_month"
    assert place_of(plan, place["w-mau-rate-strategic"], "chance") == ""
    assert _failed(smart(by["w-cac-cap"], holds=True))["measurable"] == ("denominator",)
    assert readings(plan, place["w-cac-cap"]) == ("new_users", "paid_new_users")
    # a multiple of the industry's figure: known for LTV, not for repurchase
    assert by["w-ltv-multiple-business"].base == "w-industry-ltv" and by["w-repurchase-multiple"].base is None
    # nothing links tag coverage to the funnel; the month is given
    assert _failed(smart(by["w-tag-coverage"])) == {"relevant": ("parent",)}


def test_the_tree_makes_its_drivers_relevant():
    plan = load_plan(PARAMS / "wechat_platform.yaml")
    found = {t.id: s["parent"] for t, s in zip(plan.targets, stated(plan, tree=["private_domain_users"]), strict=True)}
    assert found["w-new-users-monthly"] == found["w-churn-rate"] == found["w-users-year1"] == "private_domain_users"
    assert found["w-new-customer-evaluation"] == "revenue"
