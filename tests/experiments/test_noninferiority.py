"""Margins: agreement with intervals, independent p-values, level and power in simulation, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError
from planlib.experiments.means import difference, mean
from planlib.experiments.noninferiority import non_inferiority, non_inferiority_proportions, tost
from planlib.experiments.proportions import score_z


def arm(n, centre, sd):
    return mean(Aggregates.from_summary("y", n, centre, sd), "y")


summaries = st.tuples(st.integers(3, 300), st.floats(5, 15), st.floats(0.5, 5))


@given(summaries, summaries, st.floats(0.01, 3), st.booleans())
def test_passes_exactly_when_the_interval_clears_the_margin(c, t, margin, higher):
    got = non_inferiority(arm(*c), arm(*t), margin_abs=margin, higher_is_better=higher)
    clear = got.interval.low > -margin if higher else got.interval.high < margin
    if abs(got.p_value - 0.025) > 1e-9:
        assert bool(got.detail["passed"]) == clear
    assert got.interval.level == 0.95 and got.detail["margin"] == (-margin if higher else margin)


def test_a_relative_margin_is_a_share_of_the_control():
    one, other = arm(500, -10.2, 3.1), arm(520, -10.3, 3.4)
    relative = non_inferiority(one, other, margin_rel=0.03)
    assert relative.p_value == pytest.approx(non_inferiority(one, other, margin_abs=0.306).p_value)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["score", "wald"]), st.floats(0.01, 0.3))
def test_share_passes_exactly_when_its_interval_clears_the_margin(x, y, test, margin):
    got = non_inferiority_proportions(x, 60, y, 60, margin_abs=margin, test=test)
    if got.p_value is None:
        assert got.reason == "no_variance" and test == "wald"
    elif abs(got.p_value - 0.025) > 1e-6:
        assert bool(got.detail["passed"]) == (got.interval.low > -margin)


def test_lower_is_better_is_the_same_with_the_arms_turned():
    up = non_inferiority_proportions(30, 300, 33, 300, margin_abs=0.05, higher_is_better=False)
    turned = non_inferiority_proportions(33, 300, 30, 300, margin_abs=0.05)
    assert up.p_value == pytest.approx(turned.p_value)
    assert (up.alternative, turned.alternative) == ("less", "greater")


@pytest.mark.parametrize(("shift", "expected"), [(-0.05, 0.025), (0.0, None)])
def test_level_at_the_margin_and_power_beyond(shift, expected):
    """Score test, 300 people an arm: rejects a true loss of 5 points in 2.5 % of cases, keeps no loss by its power."""
    rng, reps, n = np.random.default_rng(12), 20_000, 300
    c, t = rng.binomial(n, 0.2, reps).astype(float), rng.binomial(n, 0.2 + shift, reps).astype(float)
    rate = (score_z(c, n, t, n, -0.05, factor=False) > 1.959964).mean()
    null, own = math.sqrt((0.225 * 0.775 + 0.175 * 0.825) / n), math.sqrt(2 * 0.2 * 0.8 / n)
    wanted = expected or stats.norm.cdf((0.05 - 1.959964 * null) / own)
    assert abs(rate - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / reps) + 0.003  # counts are whole


def test_tost_against_statsmodels():
    rng = np.random.default_rng(13)
    c, t = rng.normal(5, 1, 90), rng.normal(5.1, 1.4, 110)
    arms = [mean(Aggregates.from_arrays({"y": y}), "y") for y in (c, t)]
    plain = difference(*arms)
    got = tost(plain.estimate, plain.se, 0.5, df=plain.df, n=plain.n)
    p, lower, upper = ttost_ind(t, c, -0.5, 0.5, usevar="unequal")
    assert (got.p_value, got.detail["p_lower"], got.detail["p_upper"]) == pytest.approx((p, lower[1], upper[1]))
    inside = got.interval.low > -0.5 and got.interval.high < 0.5
    assert bool(got.detail["passed"]) == inside and got.interval.level == pytest.approx(0.9)


def test_without_variance_there_is_no_verdict():
    flat = mean(Aggregates.from_arrays({"y": [3.0, 3.0]}), "y")
    got = non_inferiority(flat, flat, margin_abs=1.0)
    assert (got.p_value, got.interval, got.reason) == (None, None, "no_variance")
    assert "passed" not in got.detail


@pytest.mark.parametrize(
    "call",
    [
        lambda: non_inferiority(arm(9, 1, 1), arm(9, 1, 1)),
        lambda: non_inferiority(arm(9, 1, 1), arm(9, 1, 1), margin_abs=1.0, margin_rel=0.1),
        lambda: non_inferiority(arm(9, 1, 1), arm(9, 1, 1), margin_abs=-1.0),
        lambda: non_inferiority(arm(9, 1, 1), arm(9, 1, 1), margin_abs=1.0, alpha=0.6),
        lambda: non_inferiority_proportions(5, 3, 1, 3, margin_abs=0.1),
        lambda: non_inferiority_proportions(1, 3, 1, 3, margin_abs=1.5),
        lambda: non_inferiority_proportions(1, 3, 1, 3, margin_abs=0.1, test="t"),
        lambda: tost(0.0, 0.0, 1.0),
        lambda: tost(0.0, 1.0, 0.0),
        lambda: tost(math.nan, 1.0, 1.0),
        lambda: tost(0.0, 1.0, 1.0, df=math.nan),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InputError):
        call()
