"""Conflict sets against brute force over all subsets, hand-made plans, and degenerate systems."""

import itertools
import math

import numpy as np
import pytest

from planlib.core.constraints import Row, System, smallest_that_fits
from planlib.core.errors import InputError

PLAN = [
    Row("million by 6", {"users": 1}, ">=", 1e6),
    Row("50k a month", {"adds": 1}, "<=", 5e4),
    Row("10k an operator", {"users": 1, "operators": -1e4}, "<=", 0),
    Row("team of 50", {"operators": 1}, "<=", 50),
    Row(None, {"users": 1, "adds": -6}, "<=", 0),
]


def test_smallest_conflict_of_a_plan_names_only_its_own_rules():
    assert System(PLAN).conflict() == ("million by 6", "50k a month")


def test_all_conflicts_and_corrections_of_a_plan():
    found = System(PLAN).enumerate()
    assert found.complete
    assert set(found.conflicts) == {
        frozenset({"million by 6", "50k a month"}),
        frozenset({"million by 6", "10k an operator", "team of 50"}),
    }
    assert set(found.corrections) == {
        frozenset({"million by 6"}),
        frozenset({"50k a month", "10k an operator"}),
        frozenset({"50k a month", "team of 50"}),
    }


def test_removing_any_member_of_a_conflict_repairs_it():
    system = System(PLAN)
    for conflict in system.enumerate().conflicts:
        assert not system.feasible(conflict)
        for rule in conflict:
            assert system.feasible(conflict - {rule})


def test_ceiling_under_named_rules():
    system = System(PLAN)
    assert system.maximise("users", under=["50k a month"]) == pytest.approx(300_000)
    assert system.maximise("users", under=["million by 6"]) == math.inf
    assert math.isnan(system.maximise("users"))


def test_what_gives_way_follows_the_stated_order():
    system = System(PLAN)
    locked_goal = system.relax([["million by 6"], ["50k a month", "team of 50"]])
    assert locked_goal == pytest.approx({"50k a month": 1e6 / 6 - 5e4, "team of 50": 50}, rel=1e-6)
    locked_means = system.relax([["50k a month", "team of 50", "10k an operator"], ["million by 6"]])
    assert locked_means == pytest.approx({"million by 6": 700_000}, rel=1e-6)


def test_a_goal_that_nobody_blames_is_no_conflict():
    assert System(PLAN[1:]).conflict() is None


def test_background_that_cannot_hold_is_an_input_error():
    rows = [Row(None, {"x": 1}, ">=", 2), Row(None, {"x": 1}, "<=", 1), Row("r", {"x": 1}, ">=", 5)]
    with pytest.raises(InputError, match="background"):
        System(rows).conflict()


@pytest.mark.parametrize(
    "row", [Row("r", {"x": math.nan}, ">=", 1), Row("r", {"x": 1}, "<", 1), Row("r", {"x": 1}, "<=", math.inf)]
)
def test_unusable_rows_are_refused(row):
    with pytest.raises(InputError):
        System([row])


@pytest.mark.parametrize("seed", range(40))
def test_enumeration_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 6), rng.integers(3, 8)
    rows = []
    for r in range(m):
        names = rng.choice(n, size=rng.integers(1, n + 1), replace=False)
        coef = {f"x{j}": float(rng.choice([-2, -1, 1, 2])) for j in names}
        rows.append(Row(f"r{r}", coef, str(rng.choice(["<=", ">="])), float(rng.integers(-4, 7))))
    system = System(rows)
    subsets = [frozenset(s) for k in range(m + 1) for s in itertools.combinations(system.rules, k)]
    holds = {s: System([row for row in rows if row.rule in s]).feasible() if s else True for s in subsets}
    conflicts = {s for s in subsets if not holds[s] and all(holds[s - {r}] for r in s)}
    every = frozenset(system.rules)
    corrections = {every - s for s in subsets if holds[s] and not any(holds[s | {r}] for r in every - s)}
    found = system.enumerate()
    assert (set(found.conflicts), set(found.corrections)) == (conflicts, corrections)


def test_sizes_of_variables_change_no_answer():
    """A user counts in millions, an operator in tens; the rows say the same."""
    system = System(PLAN, sizes={"users": 1e6, "adds": 1e5, "operators": 10.0})
    assert system.enumerate() == System(PLAN).enumerate()
    assert system.maximise("users", under=["50k a month"]) == pytest.approx(300_000)
    assert system.values()["adds"] == pytest.approx(50_000)


def test_multipliers_say_what_an_optimum_rests_on():
    """300,000 = 6 x 50,000: one more a month would bring six."""
    system = System(PLAN, sizes={"users": 1e6, "adds": 1e5})
    most = system.maximise("users", under=["50k a month"])
    weights = system.multipliers()
    assert weights[1] == pytest.approx(6)
    assert sum(w * row.rhs for w, row in zip(weights, PLAN, strict=True)) == pytest.approx(most)


def test_a_row_can_be_written_anew():
    system = System(PLAN, sizes={"users": 1e6})
    assert not system.feasible(["million by 6", "50k a month"])
    system.rewrite(1, Row(None, {"adds": 1}, "<=", 2e5))
    assert system.feasible(["million by 6", "50k a month"])
    assert system.maximise("users", under=["50k a month"]) == pytest.approx(1.2e6)


def test_the_proof_names_the_rows_it_uses():
    system = System(PLAN)
    assert not system.feasible(["million by 6", "50k a month", "team of 50"])
    assert np.flatnonzero(np.abs(system.proof()) > 1e-12).tolist() == [0, 1, 4]


def test_smallest_that_fits_brackets_and_gives_up():
    assert smallest_that_fits(lambda x: x * x >= 2, 0, 2) == pytest.approx(math.sqrt(2))
    assert smallest_that_fits(lambda x: x >= 0, 0, 2) == 0
    assert smallest_that_fits(lambda x: False, 0, 2) is None
