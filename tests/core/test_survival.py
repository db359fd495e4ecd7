"""Kaplan-Meier against hand-made cases, another implementation and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core import survival as room
from planlib.core.errors import InputError

calm = settings(deadline=None, derandomize=True)


def test_kaplan_meier_by_hand():
    """Six people: leave on day 2 (two), seen until 3, leave on 5, seen until 5, leave on 8."""
    found = room.kaplan_meier([2, 2, 3, 5, 5, 8], [True, True, False, True, False, True])
    assert_allclose(found.days, [2, 5, 8])
    assert_allclose(found.at_risk, [6, 3, 1])
    assert_allclose(found.left, [2, 1, 1])
    assert_allclose(found.share, [4 / 6, 4 / 6 * 2 / 3, 0.0])
    variance = np.array([2 / (6 * 4), 2 / (6 * 4) + 1 / (3 * 2)])
    assert_allclose(found.standard_error, [*(found.share[:2] * variance**0.5), 0.0])
    assert (found.low[-1], found.high[-1]) == (0.0, found.high[1])
    assert_allclose(found.at([0, 1.9, 2, 4, 7, 9]), [1, 1, 4 / 6, 4 / 6, 4 / 9, 0])
    assert found.people == 6 and found.last_day == 8
    everybody = room.kaplan_meier([3.0, 3.0], [True, True])
    assert (everybody.share[0], everybody.low[0], everybody.high[0]) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_kaplan_meier_is_that_of_statsmodels(weighted):
    survival = pytest.importorskip("statsmodels.duration.survfunc")
    rng = np.random.default_rng(7)
    days, seen = rng.integers(1, 60, 400).astype(float), rng.random(400) < 0.6
    weights = rng.integers(1, 5, 400).astype(float) if weighted else None
    found = room.kaplan_meier(days, seen, weights, interval="greenwood")
    peer = survival.SurvfuncRight(days, seen.astype(int), freq_weights=weights)
    assert_allclose(peer.surv_times[np.diff(peer.surv_prob, prepend=1.0) < 0], found.days)
    keep = np.isin(peer.surv_times, found.days)
    assert_allclose(found.share, peer.surv_prob[keep], rtol=1e-12)
    if not weighted:  # its standard errors take weights for something else than people
        assert_allclose(found.standard_error, peer.surv_prob_se[keep], rtol=1e-9)
    else:
        one_by_one = room.kaplan_meier(np.repeat(days, weights.astype(int)), np.repeat(seen, weights.astype(int)))
        assert_allclose(one_by_one.standard_error, found.standard_error, rtol=1e-12)
        assert_allclose(one_by_one.share, found.share, rtol=1e-12)


def test_log_log_limits_by_hand():
    found = room.kaplan_meier([2, 2, 3, 5, 5, 8, 9, 9], [True, True, False, True, False, True, False, False])
    share, spread = found.share, found.standard_error / found.share
    centre, half = np.log(-np.log(share)), 1.959963984540054 * spread / np.abs(np.log(share))
    assert_allclose(found.low, np.exp(-np.exp(centre + half)))
    assert_allclose(found.high, np.exp(-np.exp(centre - half)))
    band = found.band([1, 5])
    assert_allclose([band.low[0], band.high[0], band.low[1]], [1.0, 1.0, found.low[1]])


@pytest.mark.parametrize("interval", room.INTERVALS)
def test_kaplan_meier_limits_cover(interval):
    """Exponential leaving, uniform censoring: the true share lies inside in 95 % of the samples."""
    rng, sims, n, day = np.random.default_rng(20270102), 1500, 150, 20.0
    true = np.exp(-day / 30)
    hits = 0
    for _ in range(sims):
        leave, stop = rng.exponential(30, n), rng.uniform(20, 80, n)
        found = room.kaplan_meier(np.minimum(leave, stop), leave <= stop, interval=interval)
        band = found.band(day)
        hits += band.low <= true <= band.high
    assert abs(hits / sims - 0.95) < 4 * (0.95 * 0.05 / sims) ** 0.5


@calm
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40).filter(
    lambda rows: any(left for _, left in rows)))
def test_kaplan_meier_falls_inside_its_limits(rows):
    days, left = np.array([float(day) for day, _ in rows]), np.array([gone for _, gone in rows])
    found = room.kaplan_meier(days, left)
    assert (np.diff(found.share) < 0).all() and (found.share >= 0).all()
    assert (found.low <= found.share + 1e-12).all() and (found.share <= found.high + 1e-12).all()
    assert np.isfinite([found.low, found.high, found.standard_error]).all()
    if left.all():  # nobody censored: the share of people who stayed longer
        assert_allclose(found.share, [(days > day).mean() for day in found.days], atol=1e-12)


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.kaplan_meier([1.0, -2.0], [True, True]), "at_least", "durations[1]"),
        (lambda: room.kaplan_meier([1.0, 2.0], [1, 0]), "shape", "left"),
        (lambda: room.kaplan_meier([1.0, 2.0], [True]), "shape", "left"),
        (lambda: room.kaplan_meier([1.0, np.nan], [True, True]), "not_finite", "durations[1]"),
        (lambda: room.kaplan_meier([1.0, 2.0], [False, False]), "too_few", "left"),
        (lambda: room.kaplan_meier([1.0], [True], [0.0]), "above", "weights[0]"),
        (lambda: room.kaplan_meier([1.0], [True], [1.0, 1.0]), "shape", "weights"),
        (lambda: room.kaplan_meier([1.0], [True], interval="plain"), "choice", "interval"),
        (lambda: room.kaplan_meier([1.0, 9.0], [True, False]).at(10), "out_of_range", "days"),
    ],
)
def test_bad_follow_up(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
