"""Chances of targets: by hand, against closed forms, alone and together."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.core.intervals import wilson
from planlib.funnel.chances import chance, fan, joint

GOAL = {"op": "at_least", "goal": 0.0, "goal_high": None}


def normal(n=10_000, mean=0.5):
    return np.random.default_rng(20261125).normal(mean, 1.0, (n, 2))


def test_chance_meets_the_closed_form_within_its_interval():
    found = chance(GOAL, normal(), month=2)
    assert found.interval.low <= NormalDist().cdf(0.5) <= found.interval.high
    assert found.interval == wilson(int(found.hits.sum()), 10_000)
    assert (found.interval.high - found.interval.low) / 2 < 0.01  # less than a point at 10,000 paths
    assert found.median == pytest.approx(0.5, abs=0.05)
    assert found.high - found.low == pytest.approx(2 * 1.2816, abs=0.08)


@pytest.mark.parametrize("share, status", [(0.8, "on_track"), (0.79, "at_risk"), (0.2, "at_risk"), (0.19, "off_track")])
def test_status_by_go_and_stop(share, status):
    path = np.where(np.arange(100) < share * 100 - 1e-9, 1.0, -1.0)[:, None]
    assert chance(GOAL, path, month=1).status == status


@pytest.mark.parametrize("op, goal, high, expected", [
    ("at_most", 2.0, None, 0.5), ("below", 2.0, None, 0.25), ("above", 2.0, None, 0.5), ("between", 2.0, 3.0, 0.5),
])  # fmt: skip
def test_every_comparison(op, goal, high, expected):
    path = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert chance({"op": op, "goal": goal, "goal_high": high}, path, month=1).probability == expected


def test_what_nothing_moves_is_certain_as_typed():
    found = chance(GOAL, np.full((500, 1), 3.0), month=1)
    assert (found.probability, found.certain, found.interval) == (1.0, True, None)
    assert chance(GOAL, np.array([[-1.0]]), month=1).status == "off_track"


def test_never_hitting_is_not_certain():
    found = chance(GOAL, normal() - 1000.0, month=1)
    assert (found.probability, found.certain) == (0.0, False)
    assert 0 < found.interval.high < 0.001


def test_a_path_without_value_misses():
    found = chance(GOAL, np.array([[1.0], [np.nan]]), month=1)
    assert (found.probability, found.median) == (0.5, 1.0)
    nothing = chance(GOAL, np.full((2, 1), np.nan), month=1)
    assert (nothing.probability, nothing.median) == (0.0, None)


def test_targets_together_by_hand_and_when_they_move_as_one():
    path = normal()
    one, two = (chance(GOAL, path, month=m).hits for m in (1, 2))
    both = joint([one, two])
    assert both.probability == pytest.approx(NormalDist().cdf(0.5) ** 2, abs=0.02)  # independent columns
    assert both.independent == pytest.approx(one.mean() * two.mean())
    alike = joint([one, one])
    assert alike.probability == one.mean() > alike.independent


def test_fan_is_ordered_and_skips_months_without_value():
    path = np.hstack([normal(200), np.full((200, 1), np.nan)])
    found = fan(path)
    rows = [found[name] for name in ("low_95", "low_80", "low_50", "median", "high_50", "high_80", "high_95")]
    assert (np.diff(np.array(rows)[:, :2], axis=0) >= 0).all()
    assert np.isnan(found["median"][2])
    assert_allclose(found["median"][0], np.median(path[:, 0]))


@pytest.mark.parametrize("call", [
    lambda: chance(GOAL, np.zeros((0, 1)), month=1),
    lambda: chance(GOAL, np.array([[np.inf]]), month=1),
    lambda: chance(GOAL, np.ones((1, 2)), month=3),
    lambda: chance(GOAL, np.ones((1, 2)), month=1, go=0.2, stop=0.8),
    lambda: joint([]),
    lambda: joint([np.ones(2, bool), np.ones(3, bool)]),
    lambda: fan(np.ones((2, 2)), levels=(1.2,)),
])  # fmt: skip
def test_bad_input(call):
    with pytest.raises(InputError):
        call()
