"""Risks: expected loss, tails, what removing one brings, triggers, cells of the heat map."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.review.risks import Risk, cell, register, trigger


def rng():
    return np.random.default_rng(20270416)


def test_expected_loss_by_hand():
    found = register([Risk("a", 0.4, (1, 2, 3), "x"), Risk("b", 0.5, (10, 10, 10), "x")], scale=100.0, rng=rng())
    assert [entry.expected for entry in found.entries] == pytest.approx([0.8, 5.0])
    assert found.expected == pytest.approx(5.8)
    assert found.entries[1].removed == pytest.approx(5.0)


def test_simulation_agrees_with_closed_form():
    """One sure loss and one coin: quantiles are known; the mean of PERT within four Monte Carlo errors."""
    sure = register([Risk("a", 1.0, (7, 7, 7), "x"), Risk("b", 0.5, (10, 10, 10), "x")], scale=1.0, rng=rng())
    assert sure.quantiles[0.95] == 17 and sure.quantiles[0.5] in (7, 12, 17)
    assert sure.entries[1].removed_tail == 10 and sure.entries[0].removed_tail == 7
    single = register([Risk("a", 1.0, (0, 3, 12), "x")], scale=1.0, rng=rng(), draws=100_000)
    from scipy import stats

    assert single.quantiles[0.5] == pytest.approx(12 * stats.beta(2, 4).median(), abs=0.05)


def test_before_and_after_use_the_same_draws():
    one = Risk("a", 0.4, (1, 2, 3), "x", probability_after=0.2, loss_after=(1, 2, 3))
    other = Risk("b", 0.4, (1, 2, 3), "x")
    found = register([one, other], scale=10.0, rng=rng())
    assert found.entries[0].expected_after == pytest.approx(0.4) and found.entries[1].expected_after is None
    assert found.expected_after == pytest.approx(0.4 + 0.8)
    assert all(found.quantiles_after[q] <= found.quantiles[q] for q in found.quantiles)
    assert found.entries[1].cell_after is None


def test_the_order_of_risks_does_not_move_expectations_and_no_risk_costs_nothing():
    nothing = register([], scale=1.0, rng=rng())
    assert nothing.expected == 0 and set(nothing.quantiles.values()) == {0.0}


@pytest.mark.parametrize(
    "level, state", [({"m": 0.04}, "triggered"), ({"m": 0.05}, "watched"), ({}, "not_measured")]
)
def test_triggers(level, state):
    risk = Risk("a", 0.1, (1, 1, 1), "x", metric="m", below=0.05)
    assert trigger(risk, level)[0] == state
    assert trigger(Risk("a", 0.1, (1, 1, 1), "x", metric="m"), level) == ("no_trigger", None)


def test_above_is_a_trigger_too():
    risk = Risk("a", 0.1, (1, 1, 1), "x", metric="leaks", above=0)
    assert trigger(risk, {"leaks": 1})[0] == "triggered" and trigger(risk, {"leaks": 0})[0] == "watched"


def test_cells():
    assert [cell(p, 0.0)[0] for p in (0.05, 0.10, 0.3, 0.5, 0.9)] == [0, 1, 2, 3, 4]
    assert [cell(0.0, x)[1] for x in (0.005, 0.01, 0.05, 0.2, 0.5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("wrong", [
    Risk("a", 1.4, (1, 2, 3), "x"), Risk("a", 0.4, (3, 2, 1), "x"), Risk("a", 0.4, (-1, 0, 1), "x"),
    Risk("a", 0.4, (1, 2, 3), "x", probability_after=-0.1), Risk("a", 0.4, (1, 2, 3), "x", loss_after=(2, 1, 0)),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        register([wrong], scale=1.0, rng=rng())


def test_ids_are_used_once():
    with pytest.raises(InputError, match="each id once"):
        register([Risk("a", 0.4, (1, 2, 3), "x")] * 2, scale=1.0, rng=rng())
