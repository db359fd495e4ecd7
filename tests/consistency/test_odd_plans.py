"""No single odd figure of a shipped plan stops the check, and every sentence can be said in both languages."""

import re
from pathlib import Path

import pytest

from planlib.consistency.check import check
from planlib.consistency.view import View
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.plan import load_benchmarks, load_plan

ROOT = Path(__file__).parents[2]
PLANS = ("wechat_platform", "private_domain_2026")
INPUTS = (
    "users.churn",
    "users.waking",
    "users.staying_active",
    "users.conversion",
    "baseline.opening_users",
    "budget.total",
)


EXTREMES = ("0", "1", "1e9")


@pytest.fixture(scope="module")
def benchmarks():
    return load_benchmarks(ROOT / "params" / "benchmarks.yaml")


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("value", EXTREMES)
def test_extremes_of_every_goal_and_input(name, value, benchmarks, pytestconfig):
    file = ROOT / "params" / f"{name}.yaml"
    goals = [f"targets.{goal.id}.{goal.operation}" for goal in load_plan(file).targets]
    places = [*goals, *(f"{path}.value" for path in INPUTS)]
    if not pytestconfig.getoption("--full"):  # every place at one of the extremes
        places = places[EXTREMES.index(value) :: len(EXTREMES)]
    for place in places:
        try:
            plan = load_plan(file, sets=[f"{place}={value}"])
        except InputError:
            continue  # refused by its unit
        for finding in check(View([plan], benchmarks)).open:
            for locale in ("zh", "en"):
                assert finding.sentence(words(locale))


def test_what_the_cases_of_a_document_leave_open_is_told_only_to_plans_that_rest_on_it(benchmarks, tmp_path):
    quoting = ROOT / "tests" / "plan" / "minimal.yaml"
    own = tmp_path / "own.yaml"
    text = re.sub(r"source: [WP]\d[\w.]*", "source: own", quoting.read_text(encoding="utf-8"))
    own.write_text(text, encoding="utf-8")
    of_both = [check(View([load_plan(file)], benchmarks)).open for file in (quoting, own)]
    assert any(not finding.plans for finding in of_both[0])
    assert of_both[1] and all(finding.plans for finding in of_both[1])
