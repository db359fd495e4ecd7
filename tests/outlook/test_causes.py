"""Causes of missed goals against games with known answers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.outlook.causes import change, split

GOAL = {"op": "at_least", "goal": 100.0, "goal_high": None}
NAMES = ("dates", "budget", "risks")


def planted(losses, draws=4_000, seed=1, base=110.0):
    """An outcome that loses an exponential amount to each cause that is not at plan."""
    drawn = np.random.default_rng(seed).exponential(np.array(list(losses.values()))[:, None], (len(losses), draws))

    def outcomes(at_plan):
        lost = sum(row for name, row in zip(losses, drawn, strict=True) if name not in at_plan)
        return {"users": base - np.broadcast_to(lost, (draws,))}

    return outcomes


def test_planted_causes_come_in_their_order():
    losses = {"dates": 8.0, "budget": 3.0, "risks": 1.0}
    found = split(planted(losses), {"users": GOAL}, NAMES)["users"]
    assert found.basis == "probability" and found.cause == "dates"
    assert sorted(losses, key=lambda n: -found.chance[n].mean) == list(NAMES)
    assert sorted(losses, key=lambda n: -found.levels[n].mean) == list(NAMES)
    for name, mean in losses.items():  # the level is a sum, so each part is the mean of what the cause takes
        assert abs(found.levels[name].mean - mean) < 4 * mean / 4_000**0.5
        assert_allclose(found.levels[name].se, mean / 4_000**0.5, rtol=0.1)


def test_parts_sum_to_the_whole_gain():
    found = split(planted({"dates": 8.0, "budget": 3.0, "risks": 1.0}), {"users": GOAL}, NAMES)["users"]
    assert_allclose(sum(part.mean for part in found.chance.values()), found.at_plan - found.probability)
    assert_allclose(sum(part.mean for part in found.levels.values()), found.level_at_plan - found.level)


def test_two_causes_that_only_bind_together_share_the_gain():
    def outcomes(at_plan):
        return {"users": np.array([100.0 if {"dates", "budget"} <= at_plan else 0.0])}

    found = split(outcomes, {"users": GOAL}, NAMES)["users"]
    assert {name: part.mean for name, part in found.chance.items()} == {"dates": 0.5, "budget": 0.5, "risks": 0.0}
    assert found.alone == {"dates": 0.0, "budget": 0.0, "risks": 0.0}


def test_the_plan_itself_may_bind():
    found = split(planted({"dates": 8.0, "budget": 3.0, "risks": 1.0}, base=90.0), {"users": GOAL}, NAMES)["users"]
    assert (found.basis, found.cause, found.at_plan) == ("plan", None, 0.0)
    assert found.level_at_plan == pytest.approx(90.0)
    met = split(planted({"dates": 0.0, "budget": 0.0, "risks": 0.0}), {"users": GOAL}, NAMES)["users"]
    assert met.basis == "met"


def test_less_may_be_better():
    goal = {"op": "at_most", "goal": 1.0, "goal_high": None}

    def outcomes(at_plan):
        return {"churn": np.array([0.5, 1.5 if "risks" not in at_plan else 0.5])}

    found = split(outcomes, {"churn": goal}, NAMES)["churn"]
    assert found.cause == "risks" and found.probability == 0.5


def test_bad_names():
    for names in ((), tuple("abcdefghi")):
        with pytest.raises(InputError):
            split(planted({"dates": 1.0}), {"users": GOAL}, names)


def test_change_on_the_same_paths():
    rng = np.random.default_rng(4)
    before = rng.normal(100.0, 30.0, 10_000)
    found = change(before, before - 5.0 + rng.normal(0.0, 1.0, 10_000))
    assert found.interval.low < -5.0 < found.interval.high
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 / 100, rel=0.05)  # not 30 / 100
    assert found.low == pytest.approx(-5.0 - 1.2816, abs=0.06) and found.high == pytest.approx(-5.0 + 1.2816, abs=0.06)
    with pytest.raises(InputError):
        change([1.0, 2.0], [1.0, 2.0, 3.0])
