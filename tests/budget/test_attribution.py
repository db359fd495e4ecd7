"""Credit by hand, by brute force over all coalitions, by simulation of the chain; planted drivers come first."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.attribution import (
    METHODS,
    Paths,
    agreement,
    compare,
    conversion_probability,
    markov,
    shapley,
    simple,
)
from planlib.core.errors import InputError

ROWS = [
    (("account", "ads", "live"), 30, 0), (("ads",), 0, 400), (("store",), 25, 75), (("referral", "account"), 40, 0),
    (("referral",), 0, 60), (("partners", "store"), 8, 0), (("partners",), 0, 120),
    (("ads", "referral", "live"), 22, 0), (("live",), 0, 150), (("account", "live", "account"), 10, 0),
    (("account",), 0, 200),
]  # fmt: skip

journeys = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=12,
)


def of(credit, paths):
    return dict(zip(paths.channels, credit.conversions.round(9).tolist(), strict=True))


def test_rules_of_thumb_by_hand():
    paths = Paths.of([(("a", "b", "c", "b"), 10, 0), (("c",), 4, 1), (("b", "a"), 6, 0)])
    assert of(simple(paths, "first"), paths) == {"a": 10, "b": 6, "c": 4}
    assert of(simple(paths, "last"), paths) == {"a": 6, "b": 10, "c": 4}
    assert of(simple(paths, "linear"), paths) == {"a": 5.5, "b": 8, "c": 6.5}
    assert of(simple(paths, "position"), paths) == {"a": 7, "b": 8, "c": 5}
    decayed = simple(paths, "time_decay", half_life=1.0)
    assert_allclose(decayed.conversions, [10 / 15 + 6 * 2 / 3, 10 * 10 / 15 + 6 / 3, 10 * 4 / 15 + 4])


def test_time_decay_in_days():
    paths = Paths(("a", "b"), ((0, 1),), [3.0], [0.0], ((14.0, 0.0),))
    assert_allclose(simple(paths, "time_decay", half_life=7.0).conversions, [3 * 0.25 / 1.25, 3 / 1.25])


def test_markov_by_hand():
    """Start -> a; a -> b half of the time, else lost; b always converts. Without a or b nothing converts."""
    paths = Paths.of([(("a", "b"), 1, 0), (("a",), 0, 1)])
    assert conversion_probability(paths) == pytest.approx(0.5)
    assert conversion_probability(paths, without=0) == 0
    assert_allclose(markov(paths).removal_effect, [1, 1])


def test_markov_with_a_loop_by_hand():
    """a -> a once in three steps, a -> win once, a -> lost once: h = 1/3 + h/3."""
    paths = Paths.of([(("a", "a"), 1, 0), (("a",), 0, 1)])
    assert conversion_probability(paths) == pytest.approx(0.5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_large_and_small_chains_are_solved_alike(order, monkeypatch):
    rng = np.random.default_rng(8)
    journeys = [tuple("abcdef"[k] for k in rng.integers(0, 6, rng.integers(1, 6))) for _ in range(40)]
    paths = Paths.of([(path, *rng.integers(0, 9, 2)) for path in journeys])
    small = markov(paths, order=order)
    monkeypatch.setattr("planlib.budget.attribution._DENSE", 0)
    assert_allclose(markov(paths, order=order).removal_effect, small.removal_effect, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_markov_against_simulation(order):
    paths = Paths.of(ROWS)
    steps: dict[tuple, list] = {}
    for path, won, lost in ROWS:
        for t in range(len(path) + 1):
            state = tuple(path[max(0, t - order) : t])
            ends = [(path[t], won + lost)] if t < len(path) else [(None, won), ("lost", lost)]
            steps.setdefault(state, []).extend(ends)
    rng, n, hits = np.random.default_rng(5), 20_000, 0
    tables = {s: ([e for e, _ in ends], np.cumsum([w for _, w in ends])) for s, ends in steps.items()}
    for _ in range(n):
        state: tuple = ()
        while True:
            ends, weights = tables[state]
            nxt = ends[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]
            if nxt in (None, "lost"):
                hits += nxt is None
                break
            state = (*state, nxt)[-order:]
    p = conversion_probability(paths, order=order)
    assert abs(hits / n - p) < 4 * (p * (1 - p) / n) ** 0.5


@given(journeys)
def test_shapley_is_the_mean_over_all_orders(rows):
    paths = Paths.of(rows)
    sets = [frozenset(path) for path in paths.touches]

    def worth(coalition):
        return sum(won for s, won in zip(sets, paths.converted, strict=True) if s <= coalition)

    orders = list(permutations(range(len(paths.channels))))
    found = np.zeros(len(paths.channels))
    for order in orders:
        inside: set[int] = set()
        for c in order:
            found[c] += worth(inside | {c}) - worth(inside)
            inside.add(c)
    assert_allclose(shapley(paths).conversions, found / len(orders), atol=1e-9)


@given(journeys)
def test_credit_adds_up_in_every_method(rows):
    paths = Paths.of(rows)
    for credit in compare(paths).values():
        total = paths.converted.sum()
        assert credit.conversions.sum() == pytest.approx(total if credit.conversions.any() else 0.0)
        assert (credit.conversions >= -1e-9).all()


def test_a_planted_driver_comes_first_but_not_by_last_touch():
    """`seed` starts what converts; `coupon` closes it and also meets many who leave."""
    rows = [
        (("seed",), 50, 20), (("seed", "coupon"), 40, 10), (("seed", "live"), 30, 10), (("coupon",), 20, 300),
        (("live",), 0, 100),
    ]  # fmt: skip
    paths = Paths.of(rows)
    for credit in (markov(paths), shapley(paths)):
        assert paths.channels[int(credit.conversions.argmax())] == "seed"
    assert paths.channels[int(simple(paths, "last").conversions.argmax())] == "coupon"


def test_intervals_cover_the_chain_they_came_from():
    """Journeys drawn again from the counts: the interval of a first-touch share covers it 95 % of the time."""
    paths = Paths.of(ROWS)
    share = np.concatenate([paths.converted, paths.lost])
    rng, n, hits = np.random.default_rng(3), 60, 0
    for _ in range(n):
        counts = rng.multinomial(round(share.sum()), share / share.sum())
        sample = Paths(paths.channels, paths.touches, counts[: len(ROWS)], counts[len(ROWS) :])
        found = compare(sample, repetitions=200, rng=rng)["first"]
        truth = simple(paths, "first").conversions[0]
        hits += found.low[0] <= truth <= found.high[0]
    assert abs(hits / n - 0.95) < 4 * (0.95 * 0.05 / n) ** 0.5


def test_markov_intervals_hold_the_estimate():
    found = compare(Paths.of(ROWS), repetitions=100, rng=np.random.default_rng(1))
    assert set(found) == set(METHODS)
    assert all((c.low <= c.conversions + 1e-9).all() and (c.conversions <= c.high + 1e-9).all() for c in found.values())
    assert agreement(found).max() > 0.05


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        Paths(("a",), ((), (3,)), [1.0, -1.0], [1.0])
    assert {p.field for p in error.value.problems} == {"touches[0]", "touches[1]", "converted[1]", "lost"}
