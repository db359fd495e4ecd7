"""Moves between channels: by hand, inside their limits, never worse than the simple rule, honest intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.curves import Curves
from planlib.budget.reallocation import Quarter, propose, simple_rule, update
from planlib.core.errors import InputError

CURVES = Curves.of([("michaelis_menten", 45_000.0, 810_000.0), ("michaelis_menten", 15_000.0, 180_000.0),
                    ("michaelis_menten", 15_000.0, 72_000.0)])  # fmt: skip
SPEND = np.array([1.2e6, 4e5, 2e5])


def quarter(factor=(1.0, 1.0, 1.0), spend=SPEND) -> Quarter:
    return Quarter(spend, CURVES.value(spend / 3) * 3 * np.asarray(factor))


def rng():
    return np.random.default_rng(11)


def test_simple_rule_by_hand():
    """Returns 0.3, 0.1, 0.2 a CNY, together 0.2: the second is halved; the third is not below and gets its share."""
    found = simple_rule(Quarter(np.array([100.0, 100.0, 100.0]), np.array([30.0, 10.0, 20.0])))
    assert_allclose(found, [125.0, 50.0, 125.0])


def test_simple_rule_without_weak_channels_changes_nothing():
    assert_allclose(simple_rule(Quarter(SPEND, SPEND * 0.01)), SPEND)


def test_results_move_the_factor_from_the_prior_to_what_was_seen():
    """Prior mean 1, sd 0.3 (as 11.1 outcomes would say); 30 % above the curve on thousands of outcomes."""
    found = update(CURVES, quarter((1.3, 1.0, 1.0)))
    expected = CURVES.value(SPEND / 3)[0] * 3
    assert_allclose(found[0].mean, (1 / 0.09 + 1.3 * expected) / (1 / 0.09 + expected))
    assert_allclose(found[1].mean, 1.0)


def test_a_channel_that_spent_nothing_keeps_its_prior():
    spend = np.array([1.2e6, 0.0, 2e5])
    found = update(CURVES, Quarter(spend, np.array([1000.0, 0.0, 900.0])))
    assert (found[1].mean, found[1].shape) == (1.0, pytest.approx(1 / 0.09))


def test_the_optimum_equalises_marginal_returns_inside_the_limits():
    found = propose(CURVES, quarter(), rng=rng(), down=0.99, up=9.0, floor_share=0.0)
    assert_allclose(found.best.sum(), SPEND.sum())
    slopes = CURVES.slope(found.best / 3)
    assert_allclose(slopes, slopes.mean(), rtol=1e-4)
    assert found.decision == "move" and found.gain > 0 and found.chance > 0.99


def test_never_more_than_half_is_taken_and_never_worse_than_the_simple_rule():
    found = propose(CURVES, quarter((0.2, 1.0, 1.0)), rng=rng())
    assert (found.best >= 0.5 * SPEND * (1 - 1e-9)).all()
    assert (found.best <= 2 * SPEND * (1 + 1e-9)).all()
    assert found.reason[0] == "held_by_limit" and found.over_simple >= -1e-9


def test_the_learning_floor_holds():
    spend = np.array([1.2e6, 4e5, 6e4])
    found = propose(CURVES, quarter((1.0, 1.0, 0.01), spend), rng=rng(), down=0.9, floor_share=0.03)
    assert_allclose(found.best[2], 0.03 * spend.sum())
    assert found.reason[2] == "kept_for_learning"
    assert found.weak_chance[2] > 0.95


def test_without_paid_data_nothing_is_proposed():
    found = propose(CURVES, Quarter(np.zeros(3), np.zeros(3)), rng=rng())
    assert found.decision == "no_paid_data" and set(found.reason) == {"no_data"}


def test_a_gain_that_does_not_stand_out_is_held():
    """At the optimum already: the same results leave nothing to gain."""
    first = propose(CURVES, quarter(), rng=rng(), down=0.99, up=9.0, floor_share=0.0)
    again = propose(CURVES, quarter(spend=first.best), rng=rng(), down=0.99, up=9.0, floor_share=0.0)
    assert again.decision == "hold" and set(again.reason) == {"unchanged"}
    assert_allclose(again.spend, first.best)


def test_the_interval_of_the_gain_covers_the_true_gain():
    """True factors from the prior, Poisson results: over 200 worlds the 90 % interval covers the gain as often."""
    source, hits, n = np.random.default_rng(21), 0, 200
    for _ in range(n):
        factor = source.gamma(1 / 0.09, 0.09, 3)
        seen = source.poisson(factor * CURVES.value(SPEND / 3) * 3)
        found = propose(CURVES, Quarter(SPEND, seen.astype(float)), rng=source, level=0.9, draws=1000)
        true = float(factor @ (CURVES.value(found.best / 3) - CURVES.value(SPEND / 3)) * 3)
        hits += found.gain_interval.low <= true <= found.gain_interval.high
    assert abs(hits / n - 0.9) < 4 * (0.09 / n) ** 0.5


@given(st.lists(st.floats(0.2, 3.0), min_size=3, max_size=3), st.floats(0.1, 0.9), st.floats(0.1, 2.0))
def test_money_is_moved_never_made(factor, down, up):
    found = propose(CURVES, quarter(factor), rng=rng(), down=down, up=up, draws=200)
    assert_allclose([found.best.sum(), found.simple.sum()], SPEND.sum(), rtol=1e-9)
    assert (found.best >= (1 - down) * SPEND * (1 - 1e-9)).all() and (found.best <= (1 + up) * SPEND * (1 + 1e-9)).all()


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        propose(CURVES, Quarter(np.array([-1.0, 1, 1]), np.array([1.0, 1])), rng=rng())
    assert {p.field for p in error.value.problems} == {"spend[0]", "outcomes"}


def test_quarterly_reallocation_decisions_of_the_plan_calendar():
    """systems.yaml quarterly-reallocation: decisions at months 3, 6, 9; no paid data in month 3, traffic opens in 5;
    no channel loses more than half in one step."""
    curves = Curves.of([("michaelis_menten", 3_000.0, 50_000.0), ("michaelis_menten", 1_000.0, 50_000.0)])
    monthly = np.array([[0.0, 0.0]] * 4 + [[60_000.0, 60_000.0]] * 5)
    decisions = []
    for month in (3, 6, 9):
        spend = monthly[month - 3 : month].sum(axis=0)
        seen = curves.value(spend / 3) * 3
        found = propose(curves, Quarter(spend, seen), rng=np.random.default_rng(month))
        decisions.append(found.decision)
        assert np.all(found.best >= 0.5 * spend - 1e-6)
    assert decisions[0] == "no_paid_data"
    assert len(decisions) == 3
    assert set(decisions[1:]) <= {"move", "hold"}
