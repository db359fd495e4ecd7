"""States by a window, and the bridge between two days."""

import pytest
from hypothesis import given
from hypothesis import strategies as s

from planlib.baseline.dormancy import active_share_after_waking, bridge, states
from planlib.baseline.levels import share
from planlib.core.errors import InputError


def test_waking_thirty_per_cent_of_the_others_does_not_reach_sixty():
    """30 % at the start come to 51 %, 40 % to 58 %; neither reaches the goal of 60 %."""
    after = [active_share_after_waking(start, 0.30) for start in (0.30, 0.40)]
    assert after == pytest.approx([0.51, 0.58])
    assert max(after) < 0.60
    assert active_share_after_waking(0.30, 0.30, newly_dormant_share=0.05) == pytest.approx(0.46)


@given(s.dictionaries(s.integers(0, 400), s.integers(0, 1000), max_size=60), s.integers(1, 60), s.integers(0, 200))
def test_another_window_moves_people_between_states_and_keeps_the_total(silent, active_days, more):
    first = states(silent, active_days=active_days, dormant_days=active_days)
    other = states(silent, active_days=active_days, dormant_days=active_days + more)
    assert first.listed == other.listed == sum(silent.values())
    assert first.quiet == 0 and other.dormant <= first.dormant and other.active == first.active


def test_a_longer_window_counts_fewer_dormant():
    silent = {day: 10 for day in range(120)}
    counts = [states(silent, active_days=30, dormant_days=days).dormant for days in (30, 60, 90)]
    assert counts == [900, 600, 300]


def test_planted_shares_lie_in_their_intervals():
    """30 % monthly active and 60 % dormant (30 and 90 days) of 5,000 people."""
    import numpy as np

    rng = np.random.default_rng(41)
    kinds = rng.choice(3, 5000, p=[0.3, 0.1, 0.6])
    days = np.where(kinds == 0, rng.integers(0, 30, 5000), np.where(kinds == 1, rng.integers(30, 90, 5000), 200))
    found = states(dict(zip(*(v.tolist() for v in np.unique(days, return_counts=True)), strict=True)),
                   active_days=30, dormant_days=90)  # fmt: skip
    for counted, truth in ((found.active, 0.3), (found.dormant, 0.6)):
        level = share(counted, found.listed)
        assert level.low <= truth <= level.high


listed = ("active", "quiet", "dormant")
moves = s.dictionaries(
    s.tuples(s.sampled_from(("absent", *listed)), s.sampled_from(("gone", *listed))), s.integers(0, 10_000)
)


@given(moves)
def test_the_bridge_adds_up(people):
    found = bridge(people, window_days=90)
    assert found.residual == 0
    assert found.opening + found.newly - found.woken - found.lost == found.closing
    dormant_at_the_end = sum(n for (_, last), n in people.items() if last == "dormant")
    assert found.closing == dormant_at_the_end


@pytest.mark.parametrize(
    "call",
    [
        lambda: states({-1: 5}, active_days=30, dormant_days=90),
        lambda: states({1: -5}, active_days=30, dormant_days=90),
        lambda: states({1: 5}, active_days=30, dormant_days=20),
        lambda: bridge({("asleep", "active"): 5}, window_days=90),
        lambda: bridge({("dormant", "active"): -5}, window_days=90),
        lambda: active_share_after_waking(1.2, 0.3),
        lambda: active_share_after_waking(0.2, 0.3, newly_dormant_share=0.3),
    ],
)
def test_impossible_states_are_refused(call):
    with pytest.raises(InputError):
        call()
