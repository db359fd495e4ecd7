"""Communities: phases of decay in their order, Mann-Kendall against its exact distribution, load of operators."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats as st

from planlib.baseline.community import PHASES, mann_kendall, per_operator, phase
from planlib.core.errors import InputError


def test_falling_interaction_is_phase_one_before_exits_rise():
    """Members speak less from week 5 on; exits rise from week 13 on."""
    rng = np.random.default_rng(51)
    week = np.arange(24)
    interaction = np.where(week < 4, 0.30, 0.30 - 0.015 * (week - 3)) + rng.normal(0, 0.005, 24)
    exits = np.where(week < 12, 0.01, 0.01 + 0.004 * (week - 11)) + rng.normal(0, 0.001, 24)
    told = [phase(interaction[max(0, t - 12) : t], exits[max(0, t - 12) : t]) for t in range(4, 25)]
    first = {name: told.index(name) for name in set(told)}
    assert first["less_interaction"] < first["more_exits"]
    assert first["less_interaction"] + 4 <= 12  # seen before the first week in which exits rise
    assert told[-1] == "more_exits"


def test_complaints_come_last():
    falling, rising, flat = np.linspace(0.3, 0.2, 8), np.linspace(0.01, 0.03, 8), np.full(8, 0.01)
    assert phase(falling, rising, np.linspace(0.001, 0.01, 8)) == "reputation" == PHASES[3]
    assert phase(falling, flat, flat) == "less_interaction"
    assert phase(flat, flat) == "healthy"


def test_healthy_communities_are_seldom_flagged():
    """Two signs at 5 % each: about a tenth of steady communities, less what the steps of the score take away."""
    rng = np.random.default_rng(52)
    told = [phase(rng.normal(0.3, 0.02, 12), rng.normal(0.01, 0.001, 12)) for _ in range(2000)]
    flagged = 1 - told.count("healthy") / 2000
    assert 0.06 < flagged < 0.0975 + 4 * (0.0975 * 0.9025 / 2000) ** 0.5


def test_mann_kendall_is_kendalls_tau_with_time():
    x = np.random.default_rng(53).normal(size=15)
    assert mann_kendall(x).tau == pytest.approx(st.kendalltau(np.arange(15), x).statistic)


def test_mann_kendall_p_is_near_the_exact_one():
    """All orders of 7 values are equally likely under no tendency."""
    score = mann_kendall([1, 2, 3, 5, 4, 7, 6]).score
    scores = [mann_kendall(order).score for order in permutations(range(7))]
    exact = np.mean([abs(other) >= abs(score) for other in scores])
    assert mann_kendall([1, 2, 3, 5, 4, 7, 6]).p_value == pytest.approx(exact, abs=0.01)


def test_a_constant_series_has_no_tendency():
    assert mann_kendall([3, 3, 3, 3]).p_value == 1.0


def test_a_thousand_communities_over_five_to_eight_operators():
    assert per_operator(1000, (5, 8)) == (125.0, 200.0)


@pytest.mark.parametrize(
    "call", [lambda: mann_kendall([1, 2, 3]), lambda: per_operator(10, (0, 2)), lambda: per_operator(10, (3, 2))]
)
def test_impossible_communities_are_refused(call):
    with pytest.raises(InputError):
        call()
