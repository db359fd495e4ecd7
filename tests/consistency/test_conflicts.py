"""Conflict sets of plans: W's figures, the smallest sets, single changes put back into the plan, the nearest plan."""

import copy
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from planlib.consistency.check import check
from planlib.consistency.conflict_words import chain as told
from planlib.consistency.conflicts import Analysis
from planlib.consistency.finding import CONTRADICTION, STRAIN, Finding
from planlib.consistency.joined import _involves
from planlib.consistency.view import View
from planlib.core.constraints import Row, System
from planlib.core.words import words
from planlib.funnel.users import stock_at
from planlib.plan import load_plan

ROOT = Path(__file__).resolve().parents[2]
GOAL = {"id": "goal", "metric": "private_domain_users", "at_least": 100_000, "by_month": 6, "source": "W2.2"}
FLOW = {"id": "flow", "metric": "new_users_monthly", "equals": 10_000, "source": "W2.3"}
CHANNEL = {"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": {"value": 10_000, "source": "W2.3"}}
NO_CHURN = {"value": 0, "period": "month", "source": "W2.3"}


def analysis_of(plan):
    return Analysis(View([plan]), plan)


@pytest.fixture(scope="module")
def w():
    return analysis_of(load_plan(ROOT / "params/wechat_platform.yaml"))


def conflict_of(analysis, *ids):
    return next(c for c in analysis.conflicts if c.ids == set(ids))


def to_of(changes, id, *, month=False):
    return next(c.to for c in changes if c.rule.id == id and c.month == month)


# ---- the figures of W
def test_a_million_in_six_months(w):
    conflict = conflict_of(w, "w-users-six-months", "w-new-users-monthly")
    assert conflict.level == CONTRADICTION
    assert w.conflicts[0] is conflict
    chain = w.chain(conflict)
    assert chain.reach == pytest.approx(300_000)
    assert [(p.rule.id, p.level, p.weight) for p in chain.parts] == [
        ("private_domain_users@0", 0.0, 1.0),
        ("w-new-users-monthly", 50_000.0, pytest.approx(6.0)),
    ]
    changes = w.changes(conflict)
    assert to_of(changes, "w-new-users-monthly") == pytest.approx(166_667, rel=1e-5)
    assert to_of(changes, "private_domain_users@0") == pytest.approx(700_000)
    assert to_of(changes, "w-users-six-months", month=True) == 20


def test_with_what_leaves_meanwhile(w):
    """246,028 by month 6, never above 625,000; 203,229 a month by month 6, 126,515 by month 12; no churn is enough."""
    loss = w.with_loss(conflict_of(w, "w-users-six-months", "w-new-users-monthly"))
    assert loss.reach == pytest.approx(stock_at(6, adds=50_000, churn=0.08), rel=1e-5)
    assert loss.ceiling == pytest.approx(625_000)
    assert to_of(loss.changes, "w-new-users-monthly") == pytest.approx(203_229, rel=1e-5)
    assert to_of(loss.changes, "w-churn-rate") is None
    assert to_of(loss.changes, "w-users-six-months", month=True) is None
    year = w.with_loss(conflict_of(w, "w-users-year1", "w-new-users-monthly"))
    assert to_of(year.changes, "w-new-users-monthly") == pytest.approx(126_515, rel=1e-5)


def test_what_fifty_people_hold(w):
    conflict = conflict_of(w, "w-users-six-months", "w-users-per-operator", "w-team-size")
    assert conflict.level == STRAIN  # whom the load counts is not said
    assert w.chain(conflict).reach == pytest.approx(500_000)


def test_bands_and_a_cap_force_what_is_left_for_marketing():
    """Marketing <= 20 % and labour >= 40 % of a budget, labour <= 5 % of GMV: marketing is at most 2.5 % of GMV."""
    content = yaml.safe_load((ROOT / "params/wechat_platform.yaml").read_text(encoding="utf-8"))
    cap = {"id": "cap", "metric": "labour_share_of_gmv", "at_most": 0.05, "source": "P3.4a"}
    marketing = {"id": "marketing", "metric": "marketing_budget", "at_least": 1_000_000, "source": "W6.3"}
    content["targets"] += [cap, marketing]
    content["baseline"]["total_gmv"]["value"] = 1e9
    file = ROOT / "tests" / "made.yaml"
    plan = _load(content, file)
    system = analysis_of(plan).plan_system
    rules = [rule for rule in system.rules if rule.id in ("cap", "w-budget-labour", "w-budget-marketing")]
    rows = [row for rule in rules for row in rule.rows("level")]
    gmv = Row(None, {"gmv@y1": 1.0}, "=", 1.0)
    assert System([*rows, gmv]).maximise("marketing_budget@y1") == pytest.approx(0.025)


def _load(content, file):
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    try:
        return load_plan(file)
    finally:
        file.unlink()


def test_sentences_of_the_first_set(w):
    chain = w.chain(w.conflicts[0])
    chinese = "期初私域用户数 0 ＋ 每月新增私域用户 5 万 × 6 ＝ 30 万 ＜ 100 万，差 70 万（70.0%）"
    assert told(words("zh"), chain) == chinese
    assert told(words("en"), chain) == (
        "Opening private-domain users 0 + new users per month 50k × 6 = 300k < 1m; short 700k (70.0%)"
    )


# ---- what a set is
def test_no_member_of_a_set_could_be_left_out(w):
    system = w.plan_system.system()
    assert w.complete and len(w.conflicts) > 10
    for conflict in w.conflicts:
        assert not system.feasible(conflict.ids)
        assert all(system.feasible(conflict.ids - {id}) for id in conflict.ids)


def test_a_correction_lets_the_rest_hold(w):
    system = w.plan_system.system()
    every = set(system.rules)
    for rules in w.corrections:
        ids = {rule.id for rule in rules}
        assert system.feasible(every - ids)
        assert not any(system.feasible(every - ids | {id}) for id in ids)
        assert all(conflict.ids & ids for conflict in w.conflicts)
    assert all(len(one) <= len(other) for one, other in pairwise(w.corrections))


def test_dates_from_above_can_all_be_kept(tiny):
    """Within 4 and within 6 months is no conflict, whichever comes first."""
    due = [("early", "conversion_goal_month", "conversion_rate", 4), ("late", "tools_done", None, 6)]
    stones = [
        {"id": id, "name": {"zh": id, "en": id}, "department": "ops", "source": "P6.2", "metric": metric,
         "deadline_of": of, "by_month": month}
        for id, metric, of, month in due
    ]  # fmt: skip
    targets = [GOAL | {"id": f"g{m}", "at_least": 30_000, "by_month": m} for m in (4, 6)]
    departments = [{"id": "ops", "name": {"zh": "运营", "en": "Operations"}}]
    plan = tiny(targets=targets, schedule__milestones=stones, team__departments=departments)
    assert not analysis_of(plan).conflicts
    assert not check(View([plan])).of(CONTRADICTION)


def test_nobody_is_no_answer(tiny):
    """People who are not there can look after nobody: no users at all would fit, and is no plan."""
    most = {k: v for k, v in FLOW.items() if k != "equals"} | {"at_most": 10_000}
    load = {"metric": "users_per_operator", "equals": 10_000, "owner": "ops", "counts": "private_domain_users",
            "source": "W2.2"}  # fmt: skip
    role = {"name": {"zh": "运营", "en": "Operators"}, "people": [0, 0], "source": "W6.1"}
    plan = tiny(targets=[most], channels=[CHANNEL], team={"roles": {"ops": role}, "users_per_operator": load})
    (conflict,) = analysis_of(plan).conflicts
    assert conflict.ids == {"team.roles.ops", "team.users_per_operator"}


@pytest.mark.parametrize(("highest", "level"), [(12_000, CONTRADICTION), (40_000, STRAIN)])
def test_the_best_that_the_wording_allows(tiny, highest, level):
    """60,000 by month 6 at 7,500 a month on average: certain only if the upper end of the range falls short too."""
    wide = CHANNEL | {"intake": {"value": [15_000 - highest if highest < 15_000 else 0, highest], "source": "W2.3"}}
    goal = GOAL | {"at_least": 150_000}
    (conflict,) = analysis_of(tiny(targets=[goal], channels=[wide], users__churn=NO_CHURN)).conflicts
    assert conflict.level == level


def test_a_finding_tells_of_a_set_only_with_two_of_its_statements(tiny):
    """The total is no statement of a document's table; a finding on the other member alone is not the conflict."""
    total = {"value": 3_000_000, "period": "year", "source": "W6.3"}
    amount = {"id": "m", "metric": "marketing_budget", "at_least": 4_000_000, "period": "year", "source": "W6.3"}
    analysis = analysis_of(tiny(targets=[amount], budget__total=total))
    conflict = next(c for c in analysis.conflicts if c.ids == {"m", "budget.total"})
    finding = Finding("R03", STRAIN, "x", {}, ("m", "other"), plans=("minimal",))
    assert not _involves(finding, conflict)


# ---- single changes, put back into the plan
@pytest.mark.parametrize(
    "churn",
    [
        NO_CHURN,
        {"value": 0.05, "period": "month", "source": "W2.3"},
        {"value": 0.3, "period": "year", "applied": "after_adds", "source": "W2.3"},
    ],
)
def test_each_single_change_is_enough(tiny, churn):
    given = {"targets": [GOAL, FLOW], "channels": [CHANNEL], "users__churn": churn}
    analysis = analysis_of(tiny(**given))
    (conflict,) = analysis.conflicts
    loss = analysis.with_loss(conflict)
    for change in loss.changes if loss else analysis.changes(conflict):
        if change.to is None:
            continue
        changed = copy.deepcopy(given)
        if change.month:
            changed["targets"][0]["by_month"] = changed["plan__months"] = int(change.to)
        elif change.rule.id == "flow":
            changed["targets"][1]["equals"] = change.to
            changed["channels"][0]["intake"]["value"] = change.to
        elif change.rule.id == "goal":
            changed["targets"][0]["at_least"] = change.to
        elif change.rule.role == "opening":
            changed["baseline__opening_users"] = {"value": change.to, "source": "W1.1"}
        else:
            changed["users__churn"] = churn | {"value": change.to}
        assert not analysis_of(tiny(**changed)).conflicts, change


def test_churn_that_would_be_low_enough(tiny):
    """10,000 a month and 15,000 at the start make 50,000 in four months if no more than so many leave."""
    goal = GOAL | {"at_least": 50_000, "by_month": 4}
    churn = {"value": 0.1, "period": "month", "source": "W2.3"}
    start = {"value": 15_000, "source": "W1.1"}
    analysis = analysis_of(
        tiny(targets=[goal, FLOW], channels=[CHANNEL], users__churn=churn, baseline__opening_users=start)
    )
    (conflict,) = analysis.conflicts
    to = to_of(analysis.changes(conflict), "users.churn")
    assert stock_at(4, adds=10_000, churn=to, opening_users=15_000) == pytest.approx(50_000, rel=1e-5)


def test_what_no_value_repairs_says_how_far_it_comes(w):
    loss = w.with_loss(w.conflicts[0])
    churn = next(c for c in loss.changes if c.rule.role == "outflow")
    assert (churn.to, churn.best) == (None, pytest.approx(300_000))


# ---- the nearest plan
def test_the_first_target_keeps_its_figure(tiny):
    given = {"targets": [GOAL, FLOW], "channels": [CHANNEL], "users__churn": NO_CHURN}
    (change,) = analysis_of(tiny(**given)).nearest()
    assert (change.rule.id, change.to) == ("flow", pytest.approx(100_000 / 6, rel=1e-5))
    (change,) = analysis_of(tiny(**given)).nearest(lock=["flow"])
    assert (change.rule.id, change.to) == ("goal", pytest.approx(60_000))
    given["targets"] = [GOAL | {"priority": 2}, FLOW | {"priority": 1}]
    (change,) = analysis_of(tiny(**given)).nearest()
    assert change.rule.id == "goal"


def test_the_nearest_plan_holds(w):
    """Locked churn: the intake is what one million in six months takes with it; the assumed budget gives way last."""
    changes = {change.rule.id: change.to for change in w.nearest(lock=["w-churn-rate"])}
    assert changes["w-new-users-monthly"] == pytest.approx(203_229, rel=1e-5)
    assert "w-users-six-months" not in changes and "w-churn-rate" not in changes
    assert changes["w-stage-traffic"] == 1
    assert changes["budget.total"] == pytest.approx(203_229 * 20 * 12 / 0.2, rel=1e-4)


# ---- beside the rules' findings
def test_a_finding_names_its_set_and_nothing_is_told_twice(shipped):
    found = check(shipped).open
    named = [f.conflict for f in found if f.conflict]
    assert len(named) == len(set(named))
    (six,) = [f for f in found if f.rule == "R01" and f.conflict and "w-users-six-months" in f.statements]
    assert six.conflict == "c-b58715"


def test_what_no_rule_tells_is_a_finding_of_its_own(tiny):
    wage = {"value": 500_000, "period": "year", "source": "W6.1"}
    role = {"name": {"zh": "运营", "en": "Operators"}, "people": 5, "cost_per_year": wage, "source": "W6.1"}
    total = {"value": 3_000_000, "period": "year", "source": "W6.3"}
    plan = tiny(team={"roles": {"ops": role}}, budget__total=total)
    (found,) = check(View([plan])).of(CONTRADICTION)
    assert found.rule == "R24"
    reach, goal = found.figures["reach"].value, found.figures["goal"].value
    assert (reach, goal) == (pytest.approx(5e6), 3e6)  # 5 x 500,000 are at most half of the budget
    for locale in ("zh", "en"):
        assert found.sentence(words(locale))
    more = tiny(team={"roles": {"ops": role | {"people": 6}}}, budget__total=total)
    (changed,) = check(View([more])).of(CONTRADICTION)
    assert (changed.id, changed.fingerprint != found.fingerprint) == (found.id, True)
