"""Goals against the forecast of their metric: flags, bands, and a trend that is recovered."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel.calibration import calibrate, trend_forecast

GRID = (np.arange(10_000) + 0.5) / 10_000  # an even sample of 0..1


@pytest.mark.parametrize(
    "goal, probability, flag",
    [(0.5, 0.5, ""), (0.91, 0.09, "too_hard"), (0.89, 0.11, ""), (0.04, 0.96, "too_easy"), (0.06, 0.94, "")],
)
def test_acceptance_goals_out_of_ten_to_ninety_five_per_cent_are_flagged(goal, probability, flag):
    found = calibrate("at_least", goal, GRID)
    assert found.probability == pytest.approx(probability, abs=1e-3)
    assert found.flag == flag
    assert found.interval.low < probability < found.interval.high


def test_the_band_is_the_60th_to_75th_percentile_with_the_lift():
    found = calibrate("at_least", 0.75, GRID, lift=0.1)
    assert_allclose(found.band, (0.7, 0.85), atol=1e-3)
    assert found.inside and not calibrate("at_least", 0.75, GRID, lift=0.2).inside
    # a goal that is better low: as demanding on the other side
    low = calibrate("at_most", 0.3, GRID, lift=-0.05)
    assert_allclose(low.band, (0.35, 0.2), atol=1e-3)
    assert low.inside and low.probability == pytest.approx(0.35, abs=1e-3)
    assert_allclose((found.low, found.median, found.high), (0.2, 0.6, 1.0), atol=1e-3)
    by_draw = calibrate("equals", 1.0, GRID, lift=GRID)
    assert by_draw.probability == pytest.approx(0.5, abs=1e-3)


def _history(n=60, seed=5, level_sd=0.6, noise_sd=0.4):
    rng = np.random.default_rng(seed)
    level = 50 + np.cumsum(1.0 + level_sd * rng.standard_normal(n))
    return level + noise_sd * rng.standard_normal(n)


def test_the_draws_agree_with_the_forecast_of_statsmodels():
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    history, horizon, draws = _history(), 6, 40_000
    scale = np.std(np.diff(history))
    fitted = UnobservedComponents((history - history[-1]) / scale, level="local linear trend").fit(disp=False)
    exact = fitted.get_forecast(horizon)
    mean, sd = history[-1] + scale * exact.predicted_mean, scale * exact.se_mean
    paths = trend_forecast(history, horizon, draws=draws, rng=np.random.default_rng(1))
    assert (np.abs(paths.mean(axis=0) - mean) < 4 * sd / draws**0.5).all()
    assert_allclose(paths.std(axis=0), sd, rtol=4 / (2 * draws) ** 0.5)


def test_a_steady_trend_goes_on():
    paths = trend_forecast(np.arange(24.0) * 3 + 10, 12, draws=500, rng=np.random.default_rng(2))
    assert_allclose(np.median(paths, axis=0), 10 + 3 * np.arange(24.0, 36.0), atol=0.5)


@pytest.mark.full
def test_coverage_of_the_80_per_cent_range():
    hits, n_sims = 0, 60
    for seed in range(n_sims):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the optimiser of some short histories stops on a flat likelihood
            whole = _history(n=42, seed=1000 + seed)
            paths = trend_forecast(whole[:36], 6, draws=400, rng=np.random.default_rng(seed))
        low, high = np.quantile(paths[:, -1], [0.1, 0.9])
        hits += low <= whole[-1] <= high
    rate = hits / n_sims
    assert abs(rate - 0.8) < 4 * (0.8 * 0.2 / n_sims) ** 0.5


def test_limits_hold():
    rng = np.random.default_rng(3)
    shares = 1 / (1 + np.exp(-(np.linspace(-1, 2.5, 24) + 0.2 * rng.standard_normal(24))))
    paths = trend_forecast(shares, 12, draws=500, rng=rng, limits=(0.0, 1.0))
    assert (paths > 0).all() and (paths < 1).all() and np.median(paths[:, -1]) > shares[-1]
    amounts = trend_forecast(np.exp(np.linspace(2, 0.1, 24)), 12, draws=500, rng=rng, limits=(0.0, None))
    assert (amounts > 0).all()


def test_same_seed_same_draws():
    one, two = (trend_forecast(_history(), 3, draws=50, rng=np.random.default_rng(9)) for _ in range(2))
    assert (one == two).all()


@pytest.mark.parametrize(
    "call, field",
    [
        (lambda rng: trend_forecast([1.0] * 7, 3, draws=10, rng=rng), "history"),
        (lambda rng: trend_forecast([1.0] * 8 + [np.nan], 3, draws=10, rng=rng), "history[8]"),
        (lambda rng: trend_forecast([0.5] * 8 + [1.0], 3, draws=10, rng=rng, limits=(0.0, 1.0)), "history[8]"),
        (lambda rng: trend_forecast([0.5] * 9, 0, draws=10, rng=rng), "horizon"),
        (lambda rng: trend_forecast([0.5] * 9, 1, draws=0, rng=rng), "draws"),
        (lambda rng: trend_forecast([0.5] * 9, 1, draws=9, rng=rng, limits=(None, 1.0)), "limits"),
        (lambda rng: calibrate("between", 1.0, [1.0, 2.0]), "op"),
        (lambda rng: calibrate("at_least", np.inf, [1.0, 2.0]), "goal"),
        (lambda rng: calibrate("at_least", 1.0, []), "forecast"),
        (lambda rng: calibrate("at_least", 1.0, [1.0, 2.0], lift=[1.0]), "lift"),
    ],
)
def test_bad_input(call, field):
    with pytest.raises(InputError) as caught:
        call(np.random.default_rng(0))
    assert field in [p.field for p in caught.value.problems]
