"""Repurchase cycles: the likelihood, planted cycles, reminders, and rates that carry their window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from scipy.special import gammaln

from planlib.core.errors import InputError
from planlib.customers.repurchase import (
    Cycle,
    NoCycle,
    _loss,
    fit_cycle,
    fit_cycles,
    needed_interval,
    open_gaps,
    remind,
    reminder_uplift,
    repurchase_rate,
)


def planted(people: int, rng, *, scale=30.0, shape=3.0, frailty=0.3, days=400.0):
    """Weibull gaps with gamma frailty, watched from the first purchase for `days`."""
    person, gaps, closed = [], [], []
    for i in range(people):
        z, at = rng.gamma(1 / frailty, frailty), 0.0
        while at < days:
            gap = scale * (rng.exponential() / z) ** (1 / shape)
            person.append(i)
            gaps.append(min(gap, days - at))
            closed.append(at + gap < days)
            at += gap
    return np.array(person), np.array(gaps), np.array(closed)


def marginal(x, log_t, done, who, deaths):
    """The log likelihood written from the definition, person by person."""
    shape, theta = np.exp(x[1]), np.exp(x[2])
    total = 0.0
    for i in range(len(deaths)):
        t, d = np.exp(log_t[who == i]), done[who == i]
        hazard = ((t / np.exp(x[0])) ** shape).sum()
        rates = shape / t[d] * (t[d] / np.exp(x[0])) ** shape
        total += np.log(rates).sum() + gammaln(1 / theta + d.sum()) - gammaln(1 / theta)
        total += -np.log(theta) / theta - (1 / theta + d.sum()) * np.log(1 / theta + hazard)
    return -total


@pytest.mark.parametrize("x", [[0.1, 0.5, -1.0], [-0.4, -0.2, 0.8], [0.3, 1.0, -5.0]])
def test_likelihood_and_gradient(x):
    who, gaps, done = planted(12, np.random.default_rng(1))
    rest = np.log(gaps / 30), done, who, np.bincount(who, weights=done)
    value, slope = _loss(np.array(x), *rest)
    assert value == pytest.approx(marginal(np.array(x), *rest), rel=1e-9)
    assert_allclose(slope, approx_fprime(np.array(x), lambda v: _loss(v, *rest)[0], 1e-7), rtol=1e-4, atol=1e-3)


def test_planted_parameters_come_back():
    found = fit_cycle(*planted(2_000, np.random.default_rng(2)))
    assert found.scale_days == pytest.approx(30, rel=0.03) and found.shape == pytest.approx(3, rel=0.03)
    assert found.frailty == pytest.approx(0.3, rel=0.1)
    true = 30 * ((2**0.3 - 1) / 0.3) ** (1 / 3)
    assert found.interval.low < true < found.interval.high and found.median_days == pytest.approx(true, abs=0.3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cycle_of_thirty_days_of_another_law_is_found_within_two(seed):
    """Gamma gaps of mean 30 around each person's own mean: not the law that is fitted."""
    rng = np.random.default_rng(seed)
    person, gaps, closed = [], [], []
    for i in range(150):
        own = 30 * rng.gamma(100, 0.01)
        at = np.cumsum(own * rng.gamma(25, 1 / 25, size=60))
        at = at[at < rng.uniform(100, 300)]
        person += [i] * (len(at) + 1)
        gaps += [*np.diff(at, prepend=0.0), 15.0]
        closed += [True] * len(at) + [False]
    found = fit_cycle(np.array(person), np.array(gaps), np.array(closed))
    assert abs(found.median_days - 30) < 2 and abs(found.mean_days - 30) < 2


def test_open_gaps_are_not_lost():
    """Half stop after one purchase and are watched for long: leaving them out would halve the gap."""
    who, gaps, done = planted(500, np.random.default_rng(3), frailty=0.01)
    silent = np.arange(500) + 500
    all_who, all_gaps = np.concatenate([who, silent]), np.concatenate([gaps, np.full(500, 400.0)])
    found = fit_cycle(all_who, all_gaps, np.concatenate([done, np.zeros(500, dtype=bool)]))
    assert found.frailty > 0.5 and found.survival(390.0) > fit_cycle(who, gaps, done).survival(390.0) + 0.05


def test_classes_are_told_apart_and_few_gaps_say_so():
    rng = np.random.default_rng(4)
    fast, slow = planted(60, rng, frailty=0.1), planted(60, rng, scale=60.0, frailty=0.1)
    whole = [np.concatenate(pair) for pair in zip(fast, slow, strict=True)]
    name = np.repeat(["fast", "slow"], [len(fast[0]), len(slow[0])])
    name = np.concatenate([name, ["odd"]])
    found = fit_cycles(name, np.append(whole[0], 1), np.append(whole[1], 9.0), np.append(whole[2], True))
    assert found["slow"].median_days / found["fast"].median_days == pytest.approx(2, rel=0.1)
    assert isinstance(found["odd"], NoCycle) and (found["odd"].reason, found["odd"].closed) == ("few_gaps", 1)


def test_no_gaps_at_all():
    assert fit_cycle(np.empty(0), np.empty(0), np.empty(0)).reason == "few_gaps"
    with pytest.raises(InputError):
        fit_cycle(np.array([1]), np.array([0.0]), np.array([True]))


@settings(max_examples=30)
@given(st.floats(0.05, 5), st.floats(0.3, 6), st.floats(0.05, 0.95))
def test_quantiles_undo_survival(frailty, shape, share):
    cycle = Cycle(30.0, shape, frailty, 0.0, 0.0, None, 0, 0, 0, 0.0, ())
    assert 1 - cycle.survival(cycle.quantile(share)) == pytest.approx(share)
    inside = cycle.quantile(share, within_days=200.0)
    assert inside <= 200.0 and 1 - cycle.survival(inside) == pytest.approx(share * (1 - cycle.survival(200.0)))


def test_reminders_follow_each_persons_own_pace():
    cycle = Cycle(30.0, 3.0, 0.3, 0.0, 0.0, None, 0, 0, 0, 0.0, ())
    gaps = np.array([15.0, 15, 15, 15, 60, 60, 60, 60, 10])
    place = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    closed, hazard = cycle.history(place, gaps, np.array([1] * 8 + [0]))
    assert closed.tolist() == [4, 4, 0] and hazard[2] == 0
    last = np.array(["2026-12-01"] * 3, dtype="datetime64[D]")
    found = remind(cycle, last_bought=last, closed=closed, hazard=hazard, as_of=np.datetime64("2026-12-31"))
    assert found.gap_days[0] < found.gap_days[2] < found.gap_days[1]
    assert found.gap_days[2] == pytest.approx(cycle.quantile(0.5, within_days=365))
    assert found.overdue_days[0] == (np.datetime64("2026-12-31") - found.due[0]).astype(int) > 0
    assert found.overdue_days[1] == 0 and found.due[1] > np.datetime64("2026-12-31")
    early = remind(
        cycle, last_bought=last, closed=closed, hazard=hazard, as_of=np.datetime64("2026-12-31"), lead_days=3
    )
    assert ((found.due - early.due).astype(int) == 3).all()
    with pytest.raises(InputError):
        remind(cycle, last_bought=last, closed=closed, hazard=hazard, as_of=np.datetime64("2026-11-30"))


def test_a_persons_quantile_by_simulation():
    """After four gaps the frailty is known better: gaps drawn from its posterior end by the quantile as often."""
    cycle = Cycle(30.0, 2.0, 0.5, 0.0, 0.0, None, 0, 0, 0, 0.0, ())
    closed, hazard = np.array([4.0]), np.array([9.0])
    day = cycle.person_quantile(0.4, closed, hazard, within_days=300.0)[0]
    rng = np.random.default_rng(5)
    z = rng.gamma(2 + 4, 1 / (2 + 9), size=200_000)
    gaps = 30 * (rng.exponential(size=200_000) / z) ** 0.5
    inside = gaps <= 300
    assert cycle.person_chance(300.0, closed, hazard)[0] == pytest.approx(inside.mean(), abs=0.003)
    assert (gaps[inside] <= day).mean() == pytest.approx(0.4, abs=0.005)


def test_three_repurchases_in_half_a_year():
    assert needed_interval(3, 182.5) == pytest.approx(60.8, abs=0.05)


def test_every_rate_carries_its_window():
    gaps, closed = np.array([5.0, 20, 40, 50, 100]), np.array([1, 1, 0, 1, 0])
    # by hand: 4/5 after day 5, 3/5 after day 20, the open gap of 40 leaves the risk set, 3/5 x 1/2 after day 50
    for window, expected in ((4, 0.0), (10, 0.2), (30, 0.4), (60, 0.7)):
        found = repurchase_rate(gaps, closed, window_days=window)
        assert found.window_days == window and found.value == pytest.approx(expected)
        assert found.interval.low <= found.value <= found.interval.high
    beyond = repurchase_rate(gaps, closed, window_days=200)
    assert (beyond.value, beyond.reason) == (None, "window_longer_than_data")
    assert repurchase_rate(np.array([3.0, 4.0]), np.array([1, 1]), window_days=30).value == 1.0


def test_what_reminders_add():
    assert reminder_uplift(260, 1_000, 200, 1_000).difference == pytest.approx(0.06)


def test_open_gaps_of_a_class():
    found = open_gaps(
        np.array(["a", "a", "a", "b"]), np.array(["y", "y", "x", "x"]),
        np.array(["2026-01-01", "2026-01-11", "2026-02-01", "2026-03-01"], dtype="datetime64[D]"),
        np.array([10.0, 5, 7, 9]), np.array([1, 0, 0, 0]), "a",
    )  # fmt: skip
    assert found["person"].tolist() == ["x", "y"]
    assert found["last_bought"].astype(str).tolist() == ["2026-02-01", "2026-01-11"]
    assert found["place"].tolist() == [1, 1, 0] and found["gap_closed"].tolist() == [1, 0, 0]
