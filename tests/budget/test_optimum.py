"""The best split against closed forms, grids, enumeration and a general solver; its bound against everything."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from planlib.budget.curves import Curves
from planlib.budget.optimum import Line, Problem, is_feasible, optimise, violations
from planlib.core.errors import InputError


def budget(total: float, n: int, sense: str = "==") -> Line:
    return Line("budget", sense, total, np.ones(n))


def mixed(rng: np.random.Generator, n: int, *, bent: bool) -> Curves:
    kinds = ["hill", "michaelis_menten", "exponential", "logarithmic", "logistic"]
    rows = []
    for _ in range(n):
        kind = "hill" if bent else kinds[rng.integers(1, 5)]
        rows.append((kind, rng.uniform(10, 100), rng.uniform(5, 60), rng.uniform(1.2, 4.0) if bent else 1.0))
    return Curves.of(rows)


def test_two_equal_channels_share_equally():
    found = optimise(Problem(Curves.of([("michaelis_menten", 100.0, 100.0)] * 2), 0, 200, (budget(200, 2),)))
    assert_allclose(found.spend, [100, 100])
    assert_allclose([found.value, found.bound], 100.0)
    assert found.method == "dual"


def test_square_roots_share_by_the_square_of_their_weight():
    curves = Curves.of([("power", 3.0, 1.0, 0.5), ("power", 4.0, 1.0, 0.5)])
    found = optimise(Problem(curves, 0, 1e4, (budget(1e4, 2),)))
    assert_allclose(found.spend, [3600, 6400], rtol=1e-9)
    assert_allclose(found.value, 500.0)


def test_profit_stops_where_one_more_yuan_brings_one():
    curves = Curves.of([("michaelis_menten", 100.0, 100.0), ("exponential", 80.0, 40.0)])
    found = optimise(Problem(curves, 0, 1e4, (budget(2e4, 2, "<="),), worth=np.array([4.0, 3.0]), price=1.0))
    assert_allclose(curves.slope(found.spend) * [4, 3], 1.0, rtol=1e-9)


def test_an_s_curve_is_lit_or_left():
    """Budget for one of three: the equal split would bring 20.7."""
    curves = Curves.of([("hill", 100.0, 50.0, 3.0)] * 3)
    found = optimise(Problem(curves, 0, 150, (budget(63, 3),)))
    assert_allclose(found.value, 100 * 63**3 / (50**3 + 63**3), rtol=1e-7)
    assert sorted(found.spend.round(6)) == [0, 0, 63]


@pytest.mark.parametrize("seed", range(8))
def test_grid_search_finds_nothing_better(seed):
    rng = np.random.default_rng(seed)
    curves = mixed(rng, 3, bent=True)
    problem = Problem(curves, 0, 100, (budget(100, 3),))
    found = optimise(problem)
    steps = np.arange(0, 100.01, 0.5)
    a, b = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    points = np.stack([a, b, 100 - a - b], axis=1)[a + b <= 100]
    best = curves.value(points).sum(axis=1).max()
    assert found.bound >= best
    assert found.value >= best - 1e-9
    assert found.gap_rel <= 1e-6 and is_feasible(problem, found.spend)


@pytest.mark.parametrize("seed", range(6))
def test_general_solver_finds_nothing_better(seed):
    """Concave curves with crossing bands and a cap on the cost of each outcome, scaled for SLSQP."""
    rng = np.random.default_rng(100 + seed)
    n = 6
    curves = mixed(rng, n, bent=False)
    shares = rng.dirichlet([4, 3, 2, 1], n)
    lines = [budget(150, n, "<="), Line("cost_each", "<=", 0.0, np.ones(n), np.full(n, -1.5))]
    for k, (low, high) in enumerate([(0.3, 0.5), (0.2, 0.4), (0.1, 0.3), (0.05, 0.2)]):
        lines += [Line(f"{k}_min", ">=", 0.0, shares[:, k] - low), Line(f"{k}_max", "<=", 0.0, shares[:, k] - high)]
    problem = Problem(curves, 0, 80, tuple(lines))
    found = optimise(problem)
    sign = np.array([-1.0 if line.sense == "<=" else 1.0 for line in lines])
    limit = np.array([line.limit for line in lines])
    held = {"type": "ineq", "fun": lambda x: sign * (problem.sides(x) - limit)}
    tries = [
        minimize(lambda x: -problem.value(x), start, bounds=[(0, 80)] * n, constraints=[held], method="SLSQP",
                 options={"maxiter": 500, "ftol": 1e-12})
        for start in [np.full(n, 25.0), *rng.uniform(0, 40, (3, n))]
    ]  # fmt: skip
    best = max(-t.fun for t in tries if t.success and is_feasible(problem, np.clip(t.x, 0, 80), within=1e-7))
    assert found.value >= best - 1e-5 * abs(best)
    assert found.bound >= best - 1e-6 * abs(best)


@pytest.mark.parametrize("seed", range(5))
def test_off_or_at_least_against_every_choice(seed):
    rng = np.random.default_rng(200 + seed)
    curves = mixed(rng, 5, bent=False)
    least = rng.uniform(10, 40, 5)
    problem = Problem(curves, 0, 60, (budget(90, 5),), least_if_on=least)
    found = optimise(problem)
    each = []
    for on in np.array(list(product([False, True], repeat=5))):
        low, high = np.where(on, least, 0), np.where(on, 60.0, 0.0)
        if low.sum() <= 90 <= high.sum():
            each.append(optimise(Problem(curves, low, high, (budget(90, 5),))).value)
    assert_allclose(found.value, max(each), rtol=1e-6)
    spent = found.spend[found.spend > 1e-6]
    assert (spent >= least[found.spend > 1e-6] * (1 - 1e-6)).all()


def test_an_outcome_that_hurts_is_bounded_from_below():
    """A cap on outcomes over an S-curve: the envelope below the curve has to be tight too."""
    curves = Curves.of([("hill", 100.0, 40.0, 3.0), ("michaelis_menten", 60.0, 30.0)])
    problem = Problem(curves, 0, 100, (Line("cap", "<=", 50.0, None, np.ones(2)),), worth=np.array([1.0, 0.5]))
    found = optimise(problem)
    grid = np.linspace(0, 100, 801)
    a, b = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    outcome = curves.value(np.stack([a, b], axis=1))
    allowed = outcome.sum(axis=1) <= 50
    assert found.value >= (outcome @ [1.0, 0.5])[allowed].max() - 1e-6
    assert is_feasible(problem, found.spend)


def test_least_spend_for_a_number_of_outcomes():
    curves = Curves.of([("michaelis_menten", 100.0, 100.0)] * 2)
    goal = Line("goal", ">=", 100.0, None, np.ones(2))
    found = optimise(Problem(curves, 0, 1000, (goal,), worth=0.0, price=1.0))
    assert_allclose(-found.value, 200.0, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_cutting_planes_agree_with_the_exact_dual(seed):
    """A rule that never binds makes the general search solve what the dual can."""
    curves = mixed(np.random.default_rng(300 + seed), 12, bent=False)
    idle = Line("idle", "<=", 1e9, None, np.ones(12))
    groups = [Line(f"g{g}", "<=", 60.0, (np.arange(12) % 3 == g).astype(float)) for g in range(3)]
    exact, general = (
        optimise(Problem(curves, 0, 50, (budget(150, 12), *groups, *more))) for more in ((), (idle,))
    )
    assert (exact.method, general.method) == ("dual", "cutting_planes")
    assert_allclose(general.value, exact.value, rtol=1e-6)
    assert general.bound >= exact.value * (1 - 1e-9) and exact.bound >= general.value * (1 - 1e-9)


@pytest.mark.parametrize("price", [-0.5, 0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_bands_hold_where_money_has_no_price_of_its_own(seed, price):
    """A budget that is never used up, bands that bind from both sides, a channel that is closed."""
    rng = np.random.default_rng(400 + seed)
    kinds = ["power" if c == 5 else "michaelis_menten" if c < 8 else "exponential" for c in range(12)]
    curves = Curves.of([(kind, rng.uniform(5, 50), rng.uniform(5, 60), 0.5) for kind in kinds])
    high = np.where(np.arange(12) == 5, 0.0, 50.0)
    mine = [(np.arange(12) % 3 == g).astype(float) for g in range(3)]
    limits = [(0.0, 40.0), (149.0, 160.0), (0.0, 150.0)]
    sides = [(g, side, sense) for g in range(3) for side, sense in ((0, ">="), (1, "<="))]
    bands = [Line(f"{g}{sense}", sense, limits[g][side], mine[g]) for g, side, sense in sides]
    found = optimise(Problem(curves, 0, high, (budget(1e3, 12, "<="), *bands), price=price))
    assert found.method == "dual" and found.gap_rel <= 1e-9
    slope = curves.slope(found.spend)
    for (least, most), inside in zip(limits, mine, strict=True):
        spent = found.spend @ inside
        assert least - 1e-9 <= spent <= most + 1e-9
        more, less = (inside > 0) & (found.spend < high - 1e-6), (inside > 0) & (found.spend > 1e-6)
        assert_allclose(slope[more & less], slope[more & less].max(initial=0.0), rtol=1e-8)  # none to gain within
        assert spent > most - 1e-9 or slope[more].max(initial=-1) <= price + 1e-9  # nor by more
        assert spent < least + 1e-9 or slope[less].min() >= price - 1e-9  # nor by less
    assert_allclose(found.spend @ mine[0], 40.0)


def test_infeasible_is_said():
    curves = Curves.of([("michaelis_menten", 100.0, 100.0)] * 2)
    assert optimise(Problem(curves, 0, 50, (budget(200, 2),))).status == "infeasible"
    goal = Line("goal", ">=", 300.0, None, np.ones(2))
    assert optimise(Problem(curves, 0, 50, (goal,))).status == "infeasible"


@given(st.integers(0, 10_000), st.floats(20, 200), st.floats(1.0, 80))
@settings(max_examples=25)
def test_more_money_never_lowers_the_value(seed, total, more):
    curves = mixed(np.random.default_rng(seed), 4, bent=seed % 2 == 0)
    first, second = (
        optimise(Problem(curves, 0, 100, (budget(money, 4, "<="),))) for money in (total, total + more)
    )
    assert second.bound >= first.value * (1 - 1e-9)
    assert second.value >= first.value * (1 - 2e-6)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e6))
@settings(max_examples=25)
def test_the_unit_of_money_changes_nothing(seed, factor):
    curves = mixed(np.random.default_rng(seed), 4, bent=seed % 2 == 0)
    other = Curves(curves.kind, curves.amount, curves.scale * factor, curves.shape)
    here = optimise(Problem(curves, 0, 100, (budget(120, 4),)))
    there = optimise(Problem(other, 0, 100 * factor, (budget(120 * factor, 4),)))
    assert_allclose(there.value, here.value, rtol=2e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_no_allowed_point_passes_the_bound(seed):
    rng = np.random.default_rng(seed)
    curves = mixed(rng, 5, bent=True)
    found = optimise(Problem(curves, 0, 100, (budget(150, 5, "<="),)), gap_rel=1e-4)
    points = rng.dirichlet(np.ones(6), 2000)[:, :5] * 150
    points = points[(points <= 100).all(axis=1)]
    assert curves.value(points).sum(axis=1).max() <= found.bound


def test_violations_name_the_rule():
    problem = Problem(Curves.of([("michaelis_menten", 1.0, 1.0)] * 2), 0, 10, (budget(8, 2),), least_if_on=[0, 4])
    assert set(violations(problem, np.array([12.0, 2.0]))) == {"budget", "channel 0", "channel 1"}
    assert violations(problem, np.array([3.0, 5.0])) == {}


def test_every_problem_of_the_input_at_once():
    with pytest.raises(InputError) as error:
        Problem(
            Curves.of([("hill", 1.0, 1.0)]), [5.0], [2.0],
            (Line("a", "<", 1.0, [1.0]), Line("a", "<=", np.nan, [1.0, 2.0])),
        )  # fmt: skip
    fields = {p.field for p in error.value.problems}
    assert fields == {"low[0]", "lines[0].sense", "lines[1].limit", "lines[1].name", "lines[1].spend"}


def test_rounding_in_the_linear_program_does_not_make_a_problem_infeasible():
    rng = np.random.default_rng(402)
    kinds = ["power" if c == 5 else "michaelis_menten" if c < 8 else "exponential" for c in range(12)]
    curves = Curves.of([(kind, rng.uniform(5, 50), rng.uniform(5, 60), 0.5) for kind in kinds])
    high = np.where(np.arange(12) == 5, 0.0, 50.0)
    thirds = [(np.arange(12) % 3 == g).astype(float) for g in range(3)]
    lines = [
        Line("budget", "<=", 1e3, np.ones(12)),
        Line("g0", "<=", 60.0, thirds[0]),
        Line("g1", ">=", 149.0, thirds[1]),
        Line("g1m", "<=", 150.0, thirds[1]),
    ]
    idle = Line("idle", "<=", 1e4, None, np.ones(12))  # a rule on results, which the dual does not take
    dual, planes = (optimise(Problem(curves, 0, high, tuple(rows), price=0.2)) for rows in (lines, [*lines, idle]))
    assert (dual.method, planes.method) == ("dual", "cutting_planes")
    assert planes.status == "optimal"
    assert planes.value == pytest.approx(dual.value, rel=1e-6)
    assert planes.bound >= dual.value * (1 - 1e-9)
