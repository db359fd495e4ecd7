"""Aggregates: hand counts, addition, accuracy near 1e9, missing values, sums made elsewhere, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError

NAN = float("nan")
whole = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 50)), min_size=1, max_size=40)
measures = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
real = st.lists(st.tuples(measures, measures), min_size=2, max_size=40)


def of(rows, **options):
    x, y = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    return Aggregates.from_arrays({"x": x, "y": y}, **options)


def test_by_hand():
    got = of([(1, 2), (2, 4), (6, 3)])
    assert (got.rows, got.n("x"), got.mean("x"), got.mean("y")) == (3, 3, 3.0, 3.0)
    assert (got.var("x"), got.var("y"), got.cov("x", "y")) == (7.0, 1.0, 0.5)
    assert got.combined_var({"x": 2.0, "y": -1.0}) == 4 * 7 + 1 - 4 * 0.5


@pytest.mark.parametrize(("centre", "sd"), [(1e9, 1e-3), (-1e9, 0.1), (1e12, 1.0), (0.0, 1e-8), (5e8, 1e4)])
def test_a_tiny_variance_on_a_large_mean_survives(centre, sd):
    rng = np.random.default_rng(3)
    values = centre + rng.normal(0, sd, 5000)
    got = Aggregates.from_arrays({"y": values})
    exact = math.fsum(values.tolist()) / len(values)
    assert_allclose(got.mean("y"), exact, rtol=1e-15, atol=1e-20)
    around = values - centre  # exact: the values lie within a factor of two of the centre, or the centre is 0
    spread = (around - around.mean()) @ (around - around.mean()) / 4999
    assert_allclose(got.var("y"), spread, rtol=1e-9)
    halves = [Aggregates.from_arrays({"y": part}) for part in (values[:1234], values[1234:])]
    assert_allclose((halves[0] + halves[1]).var("y"), spread, rtol=1e-9)


@given(whole, st.integers(0, 40))
def test_whole_numbers_add_up_exactly(rows, cut):
    """Merge = whole to the last bit, wherever the cut and whatever the shifts."""
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    merged = of(parts[0]) if len(parts) == 1 else of(parts[0], shift={"x": 7, "y": -3}) + of(parts[1])
    about = np.array([0.0, 0.0])
    one, other = of(rows).shifted(about), merged.shifted(about)
    x, y = np.array(rows, dtype=float).T
    for name in ("rows", "count", "total", "cross"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.cross[0, 1] == x @ y and one.total[0, 0] == x.sum()


@given(real, st.integers(1, 39))
def test_measures_add_up(rows, cut):
    cut = min(cut, len(rows) - 1)
    merged, single = of(rows[:cut]) + of(rows[cut:]), of(rows)
    scale = 1e-10 * max(np.abs(np.array(rows)).max() ** 2, 1)
    for a, b in (("x", "x"), ("y", "y"), ("x", "y")):
        assert_allclose(merged.cov(a, b), single.cov(a, b), rtol=1e-10, atol=scale)
    assert_allclose(single.cov("x", "y"), np.cov(*np.array(rows).T)[0, 1], rtol=1e-9, atol=scale)


@given(whole, st.integers(1, 4))
def test_groups_are_what_each_would_be_alone(rows, k):
    codes = np.arange(len(rows)) % k
    by_group = of(rows, groups=codes, n_groups=k)
    for g in range(k):
        mine = [row for row, code in zip(rows, codes, strict=True) if code == g]
        if len(mine) > 1:
            assert_allclose(by_group.cov("x", "y")[g], of(mine).cov("x", "y"), rtol=1e-9, atol=1e-7)
            assert_allclose(by_group[g].mean("x"), of(mine).mean("x"), rtol=1e-12)
    assert_allclose(by_group.merged().total, of(rows).total, atol=1e-6)


def test_missing_values_are_counted_and_left_out():
    got = of([(1, NAN), (2, 4), (6, 3), (NAN, 8)])
    assert (got.rows, got.n("x"), got.n("y")) == (4, 3, 3)
    assert (got.mean("x"), got.mean("y"), got.cov("x", "y")) == (3.0, 5.0, -2.0)
    with pytest.raises(InputError, match="x, y"):
        got.combined_var({"x": 1.0, "y": 1.0})
    paired = of([(1, NAN), (2, 4), (6, 3), (NAN, 8)], together=True)
    assert (paired.rows, paired.n("x"), paired.mean("x")) == (4, 2, 4.0)
    assert paired.combined_var({"x": 1.0, "y": 1.0}) == np.var([6, 9], ddof=1)


def test_without_values_there_is_no_mean():
    got = Aggregates.from_arrays({"y": np.array([NAN, NAN])})
    assert np.isnan(got.mean("y")) and np.isnan(got.var("y")) and got.n("y") == 0
    assert np.isnan(Aggregates.from_arrays({"y": np.array([4.0])}).var("y"))


def test_sums_made_elsewhere_agree():
    rows = [(1e9 + 1, 2), (1e9 + 2, 4), (1e9 + 6, 3)]
    x, y = np.array(rows).T
    moments = Aggregates.from_moments(
        3,
        {"x": (x - 1e9).sum(), "y": y.sum()},
        {("x", "x"): ((x - 1e9) ** 2).sum(), ("y", "y"): y @ y, ("x", "y"): ((x - 1e9) * y).sum()},
        shift={"x": 1e9},
    )
    assert (moments.mean("x"), moments.var("x"), moments.cov("x", "y")) == (1e9 + 3, 7.0, 0.5)
    assert (moments + of(rows)).mean("x") == 1e9 + 3


def test_summaries_and_groups_of_them():
    many = Aggregates.from_summary("y", [10, 20], [1.0, 2.0], [0.5, 3.0])
    assert_allclose(many.sd("y"), [0.5, 3.0])
    assert_allclose(many.merged().mean("y"), 50 / 30)
    assert_allclose(many.select(["y"])[1].mean("y"), 2.0)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: Aggregates.from_arrays({}), "empty"),
        (lambda: Aggregates.from_arrays({"y": ["a", "b"]}), "not_number"),
        (lambda: Aggregates.from_arrays({"y": [[1.0]]}), "shape"),
        (lambda: Aggregates.from_arrays({"y": [1.0, math.inf]}), "not_finite"),
        (lambda: Aggregates.from_arrays({"x": [1.0], "y": [1.0, 2.0]}), "shape"),
        (lambda: Aggregates.from_arrays({"y": [1.0]}, groups=[0.5]), "shape"),
        (lambda: Aggregates.from_arrays({"y": [1.0]}, groups=[3], n_groups=2), "out_of_range"),
        (lambda: Aggregates.from_moments(2.5, {"y": 1}, {}), "not_whole"),
        (lambda: Aggregates.from_moments(2, {}, {}), "empty"),
        (lambda: Aggregates.from_moments(2, {"y": 1}, {("y", "z"): 1}), "choice"),
        (lambda: Aggregates.from_moments(2, {"y": 10}, {("y", "y"): 1}), "squares_too_small"),
        (lambda: Aggregates.from_moments(2, {"y": 1}, {}, counts={"y": 3}), "at_most"),
        (lambda: Aggregates.from_moments(9, {"x": 1, "y": 1}, {("x", "y"): 1}, counts={"y": 3}), "not_together"),
        (lambda: Aggregates.from_moments(2, {"y": 1}, {}).var("y"), "not_summed"),
        (lambda: Aggregates.from_moments(2, {"y": 1}, {}).mean("z"), "choice"),
        (lambda: Aggregates.from_summary("y", 0, 1.0, 1.0), "at_least"),
        (lambda: Aggregates.from_summary("y", 3, 1.0, -1.0), "at_least"),
        (lambda: of([(1, 2)]) + Aggregates.from_arrays({"y": [1.0]}), "shape"),
    ],
)
def test_bad_input_is_named(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert [problem.code for problem in caught.value.problems] == [code]
    assert str(caught.value)
