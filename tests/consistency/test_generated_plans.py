"""50 plans that hold together get no contradiction; a planted one is found in plans that nobody has seen."""

import json

import pytest

from planlib.consistency.check import check
from planlib.consistency.conflicts import Analysis
from planlib.consistency.finding import CONTRADICTION
from planlib.consistency.joined import RULE
from planlib.consistency.view import View
from planlib.plan import load_plan
from tests.consistency.generated import CLOSED, OPEN, make

SEEDS = range(50)
PLANTED = range(100, 104)


def view_of(made, folder):
    file = folder / "made.yaml"
    file.write_text(json.dumps(made.content), encoding="utf-8")  # JSON is YAML too
    return View([load_plan(file)])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_consistent_plan_is_left_alone(tmp_path, seed):
    view = view_of(make(seed), tmp_path)
    assert [(f.rule, f.chain, f.statements) for f in check(view).of(CONTRADICTION)] == []
    assert [sorted(c.ids) for c in Analysis(view, view.plans[0]).conflicts] == []


@pytest.mark.parametrize("seed", PLANTED)
@pytest.mark.parametrize("plant", [*CLOSED, *OPEN], ids=lambda plant: plant.__name__)
def test_a_planted_contradiction_is_found(tmp_path, plant, seed):
    made = make(seed)
    plant(made)
    found = check(view_of(made, tmp_path)).of(CONTRADICTION)
    assert found
    assert all(f.rule == RULE for f in found) == (plant in OPEN)
