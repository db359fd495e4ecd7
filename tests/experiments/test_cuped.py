"""CUPED: rows adjusted by hand, regression as peer, no covariate, ratios, lift, variance that truly falls."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.regression.linear_model import OLS

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError
from planlib.experiments.cuped import cuped, cuped_lift, cuped_ratio
from planlib.experiments.means import difference, mean, ratio


def drawn(seed=11, n=(300, 420), effect=0.4):
    rng = np.random.default_rng(seed)
    before = [rng.gamma(2, 5, size) for size in n]
    after = [0.7 * x + rng.normal(3, 4, len(x)) for x in before]
    return before, [after[0], after[1] + effect]


def rows(before, after):
    return tuple(Aggregates.from_arrays({"y": y, "x": x}) for x, y in zip(before, after, strict=True))


def test_rows_adjusted_by_hand():
    before, after = drawn()
    x, y = np.concatenate(before), np.concatenate(after)
    theta = np.cov(x, y)[0, 1] / x.var(ddof=1)
    adjusted = [own - theta * (own_x - x.mean()) for own_x, own in zip(before, after, strict=True)]
    found = cuped(*rows(before, after), "y", "x")
    got = difference(found.control, found.treatment)
    peer = stats.ttest_ind(adjusted[1], adjusted[0], equal_var=False)
    assert_allclose([got.statistic, got.p_value, got.control], [peer.statistic, peer.pvalue, adjusted[0].mean()])
    assert found.variance_reduction == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert found.reason is None


def test_regression_says_nearly_the_same():
    before, after = drawn(n=(2000, 2000))
    found = cuped(*rows(before, after), "y", "x")
    got = difference(found.control, found.treatment)
    treated = np.repeat([0.0, 1.0], 2000)
    x = np.concatenate(before)
    fit = OLS(np.concatenate(after), np.column_stack([np.ones(4000), treated, x])).fit(cov_type="HC2")
    assert got.estimate == pytest.approx(fit.params[1], abs=0.1 * fit.bse[1])
    assert got.se == pytest.approx(fit.bse[1], rel=0.02)


@pytest.mark.parametrize("constant", [1.0, 0.0, 1e9 + 0.1])
def test_a_constant_covariate_changes_nothing(constant):
    before, after = drawn()
    before = [np.full(len(x), constant) for x in before]
    found = cuped(*rows(before, after), "y", "x")
    plain = [mean(arm, "y") for arm in rows(before, after)]
    assert (found.theta, found.variance_reduction, found.reason) == (0.0, 0.0, "constant_covariate")
    assert difference(found.control, found.treatment).p_value == pytest.approx(difference(*plain).p_value)


def test_a_covariate_that_says_all_leaves_no_variance():
    before, _ = drawn()
    found = cuped(*rows(before, [2 * x + 1 for x in before]), "y", "x")
    assert found.variance_reduction == pytest.approx(1.0) and found.theta == pytest.approx(2.0)
    got = difference(found.control, found.treatment)
    assert abs(got.estimate) < 1e-9


def test_ratio_with_unit_denominators_is_the_mean():
    before, after = drawn()
    arms = [
        Aggregates.from_arrays({"y": y, "x": x, "one": np.ones(len(x)), "also": np.ones(len(x))})
        for x, y in zip(before, after, strict=True)
    ]
    as_ratio, as_mean = cuped_ratio(*arms, "y", "one", "x", "also"), cuped(*arms, "y", "x")
    assert as_ratio.theta == pytest.approx(as_mean.theta)
    assert_allclose(as_ratio.control.variance, as_mean.control.variance, rtol=1e-9)
    assert_allclose(as_ratio.treatment.value, as_mean.treatment.value, rtol=1e-12)


def test_ratio_adjusted_by_rows():
    rng = np.random.default_rng(8)
    size = (400, 500)
    loyal = [rng.beta(2, 6, n) for n in size]
    sessions, earlier = ([rng.poisson(4, n) + 1.0 for n in size] for _ in range(2))
    orders, before = (
        [rng.binomial(s.astype(int), p).astype(float) for s, p in zip(part, loyal, strict=True)]
        for part in (sessions, earlier)
    )
    columns = [
        dict(zip(("o", "s", "b", "e"), parts, strict=True))
        for parts in zip(orders, sessions, before, earlier, strict=True)
    ]
    arms = [Aggregates.from_arrays(part) for part in columns]
    found = cuped_ratio(*arms, "o", "s", "b", "e")
    both = {key: np.concatenate([part[key] for part in columns]) for key in "osbe"}

    def linear(part, num, den):
        return (part[num] - part[num].sum() / part[den].sum() * part[den]) / part[den].mean()

    after_all, before_all = linear(both, "o", "s"), linear(both, "b", "e")
    theta = np.cov(after_all, before_all)[0, 1] / before_all.var(ddof=1)
    assert found.theta == pytest.approx(theta)
    for arm, part in zip((found.control, found.treatment), columns, strict=True):
        left = linear(part, "o", "s") - theta * linear(part, "b", "e")
        moved = part["b"].sum() / part["e"].sum() - both["b"].sum() / both["e"].sum()
        assert arm.variance == pytest.approx(left.var(ddof=1) / len(left))
        assert arm.value == pytest.approx(part["o"].sum() / part["s"].sum() - theta * moved)
        assert arm.variance < ratio(Aggregates.from_arrays(part), "o", "s").variance


def test_lift_without_use_of_the_covariate_is_the_plain_one():
    before, after = drawn()
    before = [np.ones(len(x)) for x in before]
    got = cuped_lift(*rows(before, after), "y", "x")
    c, t = (y.mean() for y in after)
    se = math.sqrt(after[1].var(ddof=1) / 420 / c**2 + t**2 * after[0].var(ddof=1) / 300 / c**4)
    assert (got.estimate, got.se) == pytest.approx((t / c - 1, se))


def test_what_cannot_be_computed_says_why():
    one = Aggregates.from_arrays({"y": [1.0], "x": [1.0]})
    two = Aggregates.from_arrays({"y": [1.0, 2.0], "x": [1.0, 3.0]})
    assert cuped_lift(one, two, "y", "x").reason == "too_few"
    zero = Aggregates.from_arrays({"y": [1.0, -1.0], "x": [1.0, 3.0]})
    assert cuped_lift(zero, two, "y", "x").reason == "control_zero"
    flat = Aggregates.from_arrays({"y": [2.0, 2.0], "x": [1.0, 1.0]})
    assert cuped_lift(flat, flat, "y", "x").reason == "no_variance"
    with pytest.raises(InputError, match="y, x"):
        cuped(Aggregates.from_arrays({"y": [1.0, 2.0], "x": [1.0, math.nan]}), two, "y", "x")
    with pytest.raises(InputError):
        cuped(two, two, "y", "z")
    with pytest.raises(InputError):
        cuped_lift(two, two, "y", "x", level=2.0)
