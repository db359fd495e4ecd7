"""Packages against enumeration, investments by hand; figures of zero-based-budget and tech-investment-roi."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.budget.packages import Package, fund, invest
from planlib.core.errors import InputError


def packages(seed: int, n: int = 5) -> list[Package]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        levels = int(rng.integers(1, 4))
        cost, benefit = np.cumsum(rng.uniform(1, 10, levels)), np.cumsum(rng.uniform(0, 10, levels))
        found.append(Package(f"p{i}", "ab"[i % 2], tuple(cost), tuple(benefit), mandatory=i == 0))
    return found


@given(st.integers(0, 10_000), st.floats(10, 50))
@settings(max_examples=30)
def test_best_of_all_choices(seed, money):
    lines = packages(seed)
    best = -np.inf
    for levels in product(*(range(len(p.cost_cny) + 1) for p in lines)):
        cost = sum((0.0, *p.cost_cny)[n] for p, n in zip(lines, levels, strict=True))
        if cost <= money and all(n or not p.mandatory for p, n in zip(lines, levels, strict=True)):
            best = max(best, sum((0.0, *p.benefit)[n] for p, n in zip(lines, levels, strict=True)))
    found = fund(lines, money)
    assert_allclose(found.value, best, rtol=1e-6)
    assert found.spent_cny <= money * (1 + 1e-6) and found.bound >= found.value
    assert found.value >= found.greedy_value * (1 - 1e-6)  # zero-based-budget: never below the greedy value


def test_compliance_is_funded_before_anything_else():
    must = Package("compliance", "x", (9.0,), (0.0,), mandatory=True)
    lines = [must, Package("growth", "x", (5.0, 9.0), (50.0, 60.0))]
    found = fund(lines, 14.0)
    assert {c.id: c.level for c in found.chosen} == {"compliance": 1, "growth": 1}
    assert found.cut_per_cny == 10.0 and next(c for c in found.chosen if c.id == "growth").next_per_cny == 2.5
    assert not fund(lines, 8.0).feasible


def test_bands_hold():
    lines = [Package("a", "x", (4.0,), (9.0,)), Package("b", "y", (4.0,), (1.0,))]
    assert fund(lines, 4.0, bands={"y": (4.0, 10.0)}).unfunded == ("a",)


def test_two_million_that_return_seven_show_three_and_a_half():
    assert invest(2e6, [7e6 / 12] * 12).return_multiple == pytest.approx(3.5)


def test_value_by_hand():
    """100 now, 60 after each of two years at 10 %: 60 / 1.1 + 60 / 1.21 - 100."""
    benefit = np.zeros(24)
    benefit[[11, 23]] = 60.0
    found = invest(100.0, benefit)
    assert_allclose(found.npv_cny, 60 / 1.1 + 60 / 1.21 - 100)
    assert_allclose(found.profitability, (60 / 1.1 + 60 / 1.21) / 100)
    assert_allclose(found.payback_months, 23 + 40 / 60)


def test_what_never_pays_back_says_so():
    assert invest(100.0, [1.0] * 12, running_cny=2.0).payback_months is None


def test_all_problems_at_once():
    with pytest.raises(InputError) as error:
        fund([Package("a", "x", (2.0, 1.0), (1.0, 2.0)), Package("a", "x", (1.0,), (1.0, 2.0))], -1.0)
    fields = {p.field for p in error.value.problems}
    assert fields == {"budget_cny", "packages[0].cost_cny", "packages[1].id", "packages[1].benefit"}
