"""Adjusted p-values by hand, against closed testing and statsmodels; error rates by simulation; Dunnett's table."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from planlib.core.errors import InputError
from planlib.experiments import multiplicity as room
from tests.experiments.shared_cases import judge, shared_cases

lists = st.lists(st.floats(0, 1), min_size=1, max_size=7)


@pytest.mark.parametrize(("method", "expected"), [
    ("bonferroni", [0.04, 0.16, 0.12, 0.02]),
    ("holm", [0.03, 0.06, 0.06, 0.02]),
    ("hochberg", [0.03, 0.04, 0.04, 0.02]),
    ("sidak", [1 - 0.99**4, 1 - 0.96**4, 1 - 0.97**4, 1 - 0.995**4]),
    ("holm_sidak", [1 - 0.99**3, 1 - 0.97**2, 1 - 0.97**2, 1 - 0.995**4]),
    ("bh", [0.02, 0.04, 0.04, 0.02]),
    ("by", [0.02 * 25 / 12, 0.04 * 25 / 12, 0.04 * 25 / 12, 0.02 * 25 / 12]),
    ("hommel", [0.03, 0.04, 0.04, 0.02]),
])
def test_by_hand(method, expected):
    assert_allclose(room.adjusted_p([0.01, 0.04, 0.03, 0.005], method), expected)


def closed(p, local):
    """Adjusted p-values of a closed test: the largest p-value of the intersections that hold the question."""
    every = [set(c) for size in range(1, len(p) + 1) for c in combinations(range(len(p)), size)]
    found = [(family, local(np.sort([p[i] for i in family]))) for family in every]
    return [max(value for family, value in found if i in family) for i in range(len(p))]


@given(lists)
def test_holm_and_hommel_are_closed_tests(p):
    assert_allclose(room.adjusted_p(p, "holm"), closed(p, lambda q: min(1.0, len(q) * q[0])), atol=1e-14)
    simes = closed(p, lambda q: min(len(q) * q / np.arange(1, len(q) + 1)))
    assert_allclose(room.adjusted_p(p, "hommel"), simes, atol=1e-14)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from(sorted(room.METHODS)))
def test_against_statsmodels(p, method):
    from statsmodels.stats.multitest import multipletests

    names = {"bh": "fdr_bh", "by": "fdr_by", "hochberg": "simes-hochberg", "holm_sidak": "holm-sidak"}
    with np.errstate(divide="ignore"):
        peer = multipletests(p, method=names.get(method, method))[1]
    assert_allclose(room.adjusted_p(p, method), peer, atol=1e-12)


@given(lists, st.randoms(use_true_random=False), st.sampled_from(sorted(room.METHODS)))
def test_order_and_size(p, random, method):
    found = room.adjusted_p(p, method)
    assert (found >= np.array(p) - 1e-15).all() and (found <= 1).all()
    shuffled = list(range(len(p)))
    random.shuffle(shuffled)
    assert_allclose(room.adjusted_p([p[i] for i in shuffled], method), found[shuffled], rtol=1e-12)


def test_error_rates():
    """Ten questions, four of them with an effect; the family-wise rate and the share of false discoveries."""
    n_sims, rng = 2_000, np.random.default_rng(20270105)
    effect = np.array([3.0, 3.0, 4.0, 2.0] + [0.0] * 6)
    p = 2 * stats.norm.sf(np.abs(rng.standard_normal((n_sims, 10)) + effect))
    slack = 4 * (0.05 * 0.95 / n_sims) ** 0.5
    for method in room.METHODS:
        rejected = np.array([room.adjusted_p(row, method) <= 0.05 for row in p])
        false = rejected[:, 4:].sum(axis=1)
        if method in ("bh", "by"):
            share = (false / np.maximum(rejected.sum(axis=1), 1)).mean()
            assert share < 0.05 * 0.6 + slack, method  # Benjamini & Hochberg: alpha times the share of true nulls
        else:
            assert 0.005 < (false > 0).mean() < 0.05 + slack, method
        assert rejected[:, 2].mean() > 0.6, method


# Dunnett


@pytest.mark.parametrize(("treatments", "sides", "published"), [
    (1, 2, 1.96), (2, 2, 2.21), (3, 2, 2.35), (5, 2, 2.51), (9, 2, 2.69), (2, 1, 1.92), (5, 1, 2.23),
])
def test_dunnett_table(treatments, sides, published):
    """Dunnett 1955 and 1964, infinite degrees of freedom, equal arms."""
    assert room.dunnett_critical((1,) * (treatments + 1), sides=sides) == pytest.approx(published, abs=0.006)


def test_dunnett_with_unequal_arms_by_simulation_and_as_p():
    sizes, n_sims, rng = np.array([400, 100, 200, 50]), 40_000, np.random.default_rng(9)
    means = rng.standard_normal((n_sims, 4)) / np.sqrt(sizes)
    z = (means[:, 1:] - means[:, :1]) / np.sqrt(1 / sizes[1:] + 1 / sizes[0])
    critical = room.dunnett_critical(sizes)
    rate = (np.abs(z) > critical).any(axis=1).mean()
    assert abs(rate - 0.05) < 4 * (0.05 * 0.95 / n_sims) ** 0.5
    assert room.dunnett_p([critical, -critical, 0.0], sizes) == pytest.approx([0.05, 0.05, 1.0], abs=1e-9)
    one = room.dunnett_critical(sizes, sides=1)
    above = (z > 0).any(axis=1).mean()
    assert room.dunnett_p([one, -9.0, 0.0], sizes, sides=1) == pytest.approx([0.05, 1.0, above], abs=0.008)
    assert critical < -stats.norm.ppf(0.05 / 6)  # Bonferroni


@pytest.mark.parametrize(("call", "field", "code"), [
    (lambda: room.adjusted_p([0.1, 1.2]), "p_values[1]", "out_of_range"),
    (lambda: room.adjusted_p([np.nan]), "p_values[0]", "not_finite"),
    (lambda: room.adjusted_p([]), "p_values", "empty"),
    (lambda: room.adjusted_p([0.1], "lsd"), "method", "choice"),
    (lambda: room.dunnett_critical((1,)), "allocation", "too_few"),
    (lambda: room.dunnett_critical((1, 0)), "allocation[1]", "above"),
    (lambda: room.dunnett_critical((1, 1), alpha=0), "alpha", "between"),
    (lambda: room.dunnett_critical((1, 1), sides=0), "sides", "choice"),
    (lambda: room.dunnett_p([1.0], (1, 1, 1)), "statistics", "shape"),
])
def test_bad_input_names_the_field(call, field, code):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


def _adjust(method):
    def answer(i):
        found = room.adjusted_p(i["p_values"], method)
        return {"adjusted": found, "reject": found <= i["alpha"]}

    return answer


ANSWERS = {f"multi_{method.replace('_', '-')}": _adjust(method) for method in room.METHODS} | {
    "dunnett_critical": lambda i: {
        "critical": [room.dunnett_critical((1,) * (k + 1), alpha=i["alpha"]) for k in i["k"]]
    }
}


@pytest.mark.parametrize("case", shared_cases(ANSWERS))
def test_reference(case):
    judge(case, ANSWERS)
