"""Control charts: declared run length, delay, planted shifts, and the chain of decay."""

import numpy as np
import pytest
from scipy import stats

from planlib.core.control import cusum_limit, cusum_run_length
from planlib.core.errors import InputError
from planlib.review.alarms import (
    FALLS,
    RISES,
    calendar_design,
    decay,
    detection_delay,
    lead_lag,
    steady,
    steady_share,
    watch,
)

YEAR = np.arange("2026-01-01", "2027-01-01", dtype="M8[D]")


def test_scores_are_independent_standard_normal_from_the_start():
    """Self-starting scores of normal noise with a pattern are N(0, 1), however short the history."""
    rng = np.random.default_rng(20270404)
    design = calendar_design(YEAR[:60])
    beta = np.array([50.0, 1, 2, 3, 4, 5, 6])
    y = design @ beta + rng.normal(0, 4, (300, 60))
    scores = np.array([watch(row, design, run_length=1e6).score[16:] for row in y])
    assert stats.kstest(scores.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(scores[:, 0], "norm").pvalue > 1e-3
    correlation = np.corrcoef(scores[:, :-1].ravel(), scores[:, 1:].ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(scores.size)


@pytest.mark.parametrize("kind", ["cusum", "ewma"])
def test_in_control_run_length_is_as_declared(kind):
    """Run length of 60 on history learned as it goes, within Monte Carlo error and 10 % of the design."""
    rng = np.random.default_rng(20270405)
    found = []
    for _ in range(150):
        alarms = watch(rng.normal(0, 1, 400), kind=kind, run_length=60.0).alarms
        found.append(alarms[0].raised - 13 if alarms else 387)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 60.0) < max(0.1 * 60.0, 4 * error)


def test_a_drop_of_one_sigma_is_seen_within_twelve_points():
    """The acceptance case: k 0.5, h 4.77, run length about 370, known mean and spread."""
    assert cusum_limit(0.5, 370.0) == pytest.approx(4.77, abs=0.03)
    assert cusum_run_length(0.5, 4.77) / 2 == pytest.approx(370, rel=0.03)
    assert detection_delay(1.0, run_length=370.0).points < 12
    rng = np.random.default_rng(20270406)
    delays = []
    for _ in range(60):
        y = rng.normal(0, 1, 240)
        y[180:] -= 1.0
        raised = [a.raised for a in watch(y, run_length=370.0, side=FALLS).alarms if a.raised >= 180]
        delays.append(raised[0] - 179 if raised else 61)
    assert np.mean(delays) < 12


def test_delay_of_ewma_by_markov_chain():
    assert detection_delay(1.0, kind="ewma", run_length=370.0).points == pytest.approx(9.8, abs=1.2)
    assert detection_delay(2.0).points < detection_delay(1.0).points


def test_an_alarm_says_when_it_began_and_closes_when_all_is_well_again():
    rng = np.random.default_rng(20270407)
    y = rng.normal(100, 1, 200)
    y[100:120] -= 4.0
    found = watch(y, run_length=5000.0)
    (alarm,) = found.alarms
    assert alarm.direction == FALLS
    assert 96 <= alarm.began <= 101 and 100 <= alarm.raised <= 103
    assert alarm.size < -2
    assert alarm.closed is not None and found.open is None


def test_a_lasting_shift_stays_open_and_is_one_alarm():
    y = np.random.default_rng(20270408).normal(0, 1, 200)
    y[120:] += 3.0
    found = watch(y, run_length=5000.0)
    assert len(found.alarms) == 1 and found.open.direction == RISES


def test_weekdays_holidays_and_sales_raise_no_alarm():
    rng = np.random.default_rng(20270409)
    off, sale = np.zeros(len(YEAR), bool), np.zeros(len(YEAR), bool)
    off[45:52], sale[166:171], sale[312:317] = True, True, True
    weekday = np.array([0.6, 1, 1, 1, 1.1, 1.4, 1.3])[(YEAR.astype(int) + 3) % 7]
    mean = 200 * weekday * np.where(sale, 3, np.where(off, 0.4, 1))
    design = calendar_design(YEAR, off=off, promoted=sale)
    with_pattern = [len(watch(steady(rng.poisson(mean)), design, run_length=3650.0).alarms) for _ in range(8)]
    without = [len(watch(steady(rng.poisson(mean)), run_length=3650.0).alarms) for _ in range(3)]
    assert np.mean(with_pattern) < 1.0 < np.mean(without)


def test_promotions_that_sell_unlike_each_other_have_columns_of_their_own():
    """A sale twice as strong as the one before is no alarm where each has a column; in one column it is."""
    rng = np.random.default_rng(20270420)
    sales = np.zeros((len(YEAR), 2), bool)
    sales[66:69, 0], sales[168:171, 1] = True, True
    mean = 2000 * np.where(sales[:, 0], 1.3, np.where(sales[:, 1], 2.6, 1.0))
    y = steady(rng.poisson(mean))
    apart, together = calendar_design(YEAR, promoted=sales), calendar_design(YEAR, promoted=sales.any(axis=1))
    assert (apart.shape[1], together.shape[1]) == (9, 8)
    assert watch(y, apart, run_length=3650.0).alarms == ()
    assert watch(y, together, run_length=3650.0).alarms[0].raised in (168, 169)


def test_missing_points_are_neither_learned_nor_scored():
    rng = np.random.default_rng(20270421)
    y = rng.normal(50.0, 1.0, 200)
    gone = np.zeros(200, bool)
    gone[[20, 90, 91, 150]] = True
    broken = np.where(gone, 0.0, y)
    found = watch(broken, run_length=3650.0, missing=gone)
    assert found.alarms == () and np.isnan(found.score[gone]).all() and found.watched == 200 - 4 - 14
    np.testing.assert_allclose(found.score[~gone], watch(y[~gone], run_length=3650.0).score)
    assert watch(broken, run_length=3650.0).alarms  # taken for days without anybody, they are alarms
    shifted = np.where(np.arange(200) >= 160, broken + 4.0, broken)
    assert watch(shifted, run_length=3650.0, missing=gone).alarms[0].began == 160
    with pytest.raises(InputError):
        watch(y, missing=gone[:-1])


def test_overdispersed_shares_keep_the_rate():
    """A p-chart would cry all the time; the spread is learned instead (Laney)."""
    rng = np.random.default_rng(20270410)
    alarms, points = 0, 0
    for _ in range(25):
        n = rng.integers(5000, 8000, 300)
        p = np.clip(rng.normal(0.15, 0.01, 300), 0, 1)  # twice what the binomial allows
        found = watch(steady_share(rng.binomial(n, p), n), run_length=150.0)
        alarms, points = alarms + len(found.alarms), points + found.watched
    rate, declared = alarms / points, 1 / 150
    assert rate < declared + 4 * np.sqrt(declared / points)


def test_short_and_constant_series_are_told():
    assert watch([1.0] * 10).reason == "too_short"
    assert watch([1.0] * 100).reason == "constant"
    spike = watch([1.0] * 50 + [2.0])
    assert spike.alarms[0].raised == 50


@pytest.mark.parametrize(
    "values, options",
    [
        ([1.0, float("nan")], {}), ([[1.0]], {}), ([1.0] * 30, {"kind": "shewhart"}), ([1.0] * 30, {"run_length": 1.0}),
        ([1.0] * 30, {"design": np.ones((29, 1))}), ([1.0] * 30, {"side": 2}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(values, options):
    with pytest.raises(InputError):
        watch(values, **options)


# ---- the chain


def planted(rng, *, quieter=100, exits=160, ill=200, days=320):
    """Shares of a community in decay, by day: interaction falls by half, exits double, complaints double."""
    speak, leave, complain = np.full(days, 0.15), np.full(days, 0.01), np.full(days, 0.004)
    speak[quieter:] = np.linspace(0.15, 0.05, days - quieter)
    leave[exits:] = np.linspace(0.01, 0.03, days - exits)
    complain[ill:] = 0.010
    n = 2000
    return [rng.binomial(n, p, days) for p in (speak, leave, complain)], (speak, leave, complain), n


def test_decay_is_an_ordered_chain_and_the_warning_comes_before_exits_double():
    rng = np.random.default_rng(20270411)
    early = 0
    for _ in range(8):
        counts, (_, leave, _), n = planted(rng)
        watches = {
            sign: watch(steady_share(x, np.full(len(x), n)), side=side, run_length=365.0)
            for sign, x, side in zip(("interaction", "exits", "reputation"), counts, (FALLS, RISES, RISES), strict=True)
        }
        chain = decay(watches)
        doubled = int((leave >= 0.02).argmax())
        first = next(a for a in watches["interaction"].alarms if a.raised >= 100)
        early += first.raised < doubled
        assert chain.phase == "reputation" and chain.next_sign == ""
    assert early == 8
    assert chain.ordered and all(link.lag is None or link.lag > 0 for link in chain.links)


def test_a_healthy_chain_says_nothing_and_a_first_sign_says_what_follows():
    rng = np.random.default_rng(20270412)
    quiet = watch(rng.normal(0, 1, 100), run_length=1e5)
    drop = rng.normal(0, 1, 100)
    drop[60:] -= 3
    falling = watch(drop, run_length=1e5)
    assert decay({"interaction": quiet, "exits": quiet}).phase == "healthy"
    found = decay({"interaction": falling, "exits": quiet})
    assert (found.phase, found.next_sign, found.ordered) == ("interaction", "exits", True)
    wrong = decay({"interaction": falling, "exits": watch(-np.r_[drop[40:], drop[:40]], run_length=1e5)})
    assert wrong.ordered is False
    with pytest.raises(InputError):
        decay({})


def test_lead_and_lag():
    rng = np.random.default_rng(20270413)
    first = np.cumsum(rng.normal(0, 1, 120))
    second = -np.r_[np.zeros(4), first[:-4]] + rng.normal(0, 0.2, 120)
    found = lead_lag(first, second)
    assert (found.lag, found.told) == (4, True) and found.correlation < -0.9
    assert lead_lag(second, first).lag == -4
    noise = [lead_lag(rng.normal(0, 1, 60), rng.normal(0, 1, 60)).told for _ in range(200)]
    assert np.mean(noise) < 0.15
