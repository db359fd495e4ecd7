"""Month targets by day, what is due, where the month ends: hand cases, conservation, coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.review.pace import Pattern, Promotion, daily_targets, month_pace, pattern, weekdays, weights

FLAT = Pattern((1.0,) * 7, 1.0, 1.0, 1.0, 0)
JUNE = np.arange("2026-06-01", "2026-07-01", dtype="M8[D]")


def test_weekdays():
    assert weekdays(np.array(["2026-06-01", "2026-06-07"], dtype="M8[D]")).tolist() == [0, 6]


@given(st.integers(0, 10**9), arrays(float, 30, elements=st.floats(0.01, 100)))
def test_days_sum_to_the_month(target, weight):
    found = daily_targets(target, weight)
    assert found.sum() == target and (found >= 0).all()


def test_due_by_hand():
    """Weekends bring twice: June 2026 has 22 weekdays and 8 days of a weekend, so 38 parts."""
    swing = Pattern((1, 1, 1, 1, 1, 2, 2), 1.0, 1.0, 1.0, 0)
    w = weights(JUNE, swing)
    assert w.sum() == 38
    found = month_pace([100.0] * 7, w, target=3800.0, dispersion=1.0)  # Monday 1 to Sunday 7: 9 parts
    assert found.due == 900.0
    assert found.ahead == -200.0
    assert found.projected == pytest.approx(700 + 700 / 9 * 29)
    assert found.needed_per_day == pytest.approx(3100 / 29)
    assert (found.days_done, found.days_left) == (7, 23)


def test_promotions_and_holidays_weigh():
    off = np.isin(JUNE, np.datetime64("2026-06-19"))
    sale = Promotion(np.datetime64("2026-06-16"), np.datetime64("2026-06-20"), 3.0)
    swing = Pattern((1.0,) * 7, 0.5, 1.0, 1.0, 0)
    w = weights(JUNE, swing, off=off)
    assert w[18] == 0.5 and w[17] == 1.0
    w = weights(JUNE, swing, off=off, promotions=[sale, Promotion(sale.first, sale.first, 5.0)])
    assert w[15:20].tolist() == [5.0, 3.0, 3.0, 3.0, 3.0]  # the larger of two; a promotion on a holiday is a promotion


def test_the_month_s_end_has_nothing_left():
    found = month_pace([2.0] * 30, np.ones(30), target=90.0, dispersion=1.0)
    assert found.projected == found.low == found.high == 60.0
    assert found.needed_per_day is None and found.ratio == pytest.approx(2 / 3)


def test_days_without_weight_are_projected_from_before():
    found = month_pace([0.0, 0.0], [0.0, 0.0, 1.0, 1.0], target=10.0, dispersion=1.0, before=4.0)
    assert found.due == 0 and found.ratio is None and found.projected == 8.0


def test_pattern_is_recovered():
    """Poisson counts with a growing level: weekdays, holiday and promotion come back within Monte Carlo error."""
    rng = np.random.default_rng(20270402)
    days = np.arange("2025-01-01", "2026-12-31", dtype="M8[D]")
    factors = np.array([0.9, 0.8, 0.9, 1.0, 1.1, 1.2, 1.1])
    factors /= factors.mean()
    off, sale = np.zeros(len(days), bool), np.zeros(len(days), bool)
    off[100::30], sale[120::25] = True, True
    level = np.linspace(400, 900, len(days))
    mean = level * factors[weekdays(days)] * np.where(sale, 2.5, np.where(off, 0.6, 1.0))
    counts = rng.poisson(mean).astype(float)
    found = pattern(days, counts, off=off, promoted=sale)
    assert_allclose(found.weekday, factors, atol=0.01)
    assert found.off == pytest.approx(0.6, abs=0.03)
    assert found.promotion == pytest.approx(2.5, abs=0.05)
    assert found.dispersion == pytest.approx(1.0, abs=0.25)


def test_short_history_is_taken_as_flat():
    days = np.arange("2026-06-01", "2026-06-22", dtype="M8[D]")
    assert pattern(days, np.arange(21.0)).weekday == (1.0,) * 7


def test_the_interval_covers_the_month_s_end():
    """4,000 months of overdispersed counts: 80 % intervals hold the end in 80 %, within four Monte Carlo errors."""
    rng = np.random.default_rng(20270403)
    w = weights(JUNE, Pattern((0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.0), 1.0, 1.0, 1.0, 0))
    dispersion, sims, done = 3.0, 4000, 10
    mean = 50.0 * w
    draws = rng.poisson(rng.gamma(mean / (dispersion - 1), dispersion - 1, (sims, len(w))))
    hits = 0
    for row in draws.astype(float):
        found = month_pace(row[:done], w, target=1500.0, dispersion=dispersion, level=0.8)
        hits += found.low <= row.sum() <= found.high
    # Student's quantile on few days is on the careful side
    assert 0.8 - 4 * (0.16 / sims) ** 0.5 < hits / sims < 0.84


@pytest.mark.parametrize(
    "change",
    [
        {"actual": [1.0] * 31}, {"weight": [0.0] * 30}, {"target": -1.0}, {"level": 1.0}, {"dispersion": -1.0},
        {"actual": [float("nan")]},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change):
    given_ = {"actual": [1.0], "weight": [1.0] * 30, "target": 30.0, "dispersion": 1.0} | change
    actual, weight = given_.pop("actual"), given_.pop("weight")
    with pytest.raises(InputError):
        month_pace(actual, weight, **given_)


def test_missing_days_are_refused():
    with pytest.raises(InputError, match="days"):
        pattern(np.array(["2026-06-01", "2026-06-03"], dtype="M8[D]"), [1.0, 2.0])
    with pytest.raises(InputError):
        weights(JUNE, FLAT, promotions=[Promotion(JUNE[3], JUNE[1], 2.0)])
