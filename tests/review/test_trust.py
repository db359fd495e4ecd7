"""The trust index: direction, weights, and that it falls in planted decay before exits double."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.review.trust import trust_index

BETTER = {"speaking": 1, "leaving": -1}


def test_best_and_worst_are_a_hundred_and_nothing():
    found = trust_index({"speaking": [0.1, 0.2, 0.15], "leaving": [0.03, 0.01, 0.02]}, BETTER)
    assert found.level[1] == 100.0 and found.level[0] == 0.0 and 0 < found.level[2] < 100
    assert sum(found.weights.values()) == pytest.approx(1.0)


def test_weights_by_hand():
    """One of four points apart: entropy 0 of ln 4; two of four: ln 2 of ln 4."""
    found = trust_index({"speaking": [1.0, 0, 0, 0], "leaving": [0.0, 0, 1, 1]}, BETTER)
    assert found.weights == pytest.approx({"speaking": 1.0 / 1.5, "leaving": 0.5 / 1.5})


def test_a_sign_that_never_moves_has_no_weight():
    found = trust_index({"speaking": [0.2, 0.2, 0.2], "leaving": [0.01, 0.02, 0.03]}, BETTER)
    assert found.weights["speaking"] == 0.0 and found.level.tolist() == pytest.approx([100.0, 50.0, 0.0])
    assert trust_index({"speaking": [0.2, 0.2]}, BETTER).level.tolist() == [100.0, 100.0]


def test_it_falls_before_exits_double():
    rng = np.random.default_rng(20270503)
    weeks = np.arange(60)
    speaking = 0.2 * np.where(weeks < 30, 1.0, 0.5) + rng.normal(0, 0.005, 60)
    leaving = 0.01 * np.where(weeks < 40, 1.0, 2.0) + rng.normal(0, 0.0005, 60)
    found = trust_index({"speaking": speaking[:40], "leaving": leaving[:40]}, BETTER).level
    assert found[32:].mean() < found[:30].mean() - 20


@pytest.mark.parametrize("wrong", [
    lambda: trust_index({}, {}), lambda: trust_index({"speaking": [1.0]}, BETTER),
    lambda: trust_index({"speaking": [1.0, 2.0], "leaving": [1.0]}, BETTER),
    lambda: trust_index({"nps": [1.0, 2.0]}, BETTER), lambda: trust_index({"speaking": [1.0, float("nan")]}, BETTER),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
