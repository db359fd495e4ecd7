"""The cheapest set of levers against cases whose answer is known."""

import itertools

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.outlook.recovery import Scale, Switch, restore


def additive(weights, start=0.4):
    def chances(at):
        gained = 0.0
        for name, setting in at.items():
            weight, scale = weights[name]
            gained += weight * (np.log(setting) / np.log(scale) if scale else setting)
        return min(start + gained, 1.0)

    return chances


def test_the_cheapest_of_all_sets_of_switches():
    rng = np.random.default_rng(1)
    for _ in range(20):
        names = "abcd"
        cost = dict(zip(names, rng.uniform(1, 10, 4), strict=True))
        weights = {name: (float(w), None) for name, w in zip(names, rng.uniform(0.05, 0.3, 4), strict=True)}
        found = restore(additive(weights), {n: Switch(cost[n]) for n in names}, wanted=0.8)
        enough = [
            (sum(cost[n] for n in chosen), chosen)
            for size in range(5)
            for chosen in itertools.combinations(names, size)
            if 0.4 + sum(weights[n][0] for n in chosen) >= 0.8
        ]
        if enough:
            assert found.feasible and found.cost_cny == pytest.approx(min(enough)[0])
        else:
            assert not found.feasible and found.settings == dict.fromkeys(names, 1.0)


def test_money_and_switch_together_when_neither_is_enough():
    levers = {"haste": Switch(100.0), "money": Scale(2.0, lambda f: 1_000.0 * (f - 1))}
    found = restore(additive({"haste": (0.2, None), "money": (0.3, 2.0)}), levers, wanted=0.75)
    assert found.feasible and found.settings["haste"] == 1.0
    assert found.settings["money"] == pytest.approx(2**0.5, rel=0.01)
    assert {name: repair.setting for name, repair in found.alone.items()} == {"haste": None, "money": None}


def test_unpriced_levers_come_last_and_go_no_further_than_needed():
    levers = {"haste": Switch(100.0), "churn": Scale(0.5), "aov": Scale(1.2)}
    weights = {"haste": (0.1, None), "churn": (0.3, 0.5), "aov": (0.1, 1.2)}
    found = restore(additive(weights), levers, wanted=0.7)
    assert found.feasible and found.effort == pytest.approx(0.5, abs=1 / 64)
    assert found.settings["churn"] == pytest.approx(0.5**found.effort)
    plain = restore(additive({"haste": (0.0, None), "churn": (0.4, 0.5), "aov": (0.1, 1.2)}), levers, wanted=0.7)
    assert "haste" not in plain.settings and plain.cost_cny == 0.0


def test_nothing_needed_and_nothing_enough():
    levers = {"churn": Scale(0.5)}
    met = restore(additive({"churn": (0.1, 0.5)}, start=0.9), levers, wanted=0.8)
    assert met.settings == {} and met.feasible and met.cost_cny == 0.0
    never = restore(additive({"churn": (0.1, 0.5)}), levers, wanted=0.8)
    assert not never.feasible and never.chance == pytest.approx(0.5) and never.alone["churn"].setting is None


@pytest.mark.parametrize(
    ("levers", "wanted"), [({}, 0.8), ({"a": Switch(-1.0)}, 0.8), ({"a": Scale(1.0)}, 0.8), ({"a": Switch(1.0)}, 1.2)]
)
def test_bad_levers(levers, wanted):
    with pytest.raises(InputError):
        restore(lambda at: 0.5, levers, wanted=wanted)
