"""Budget bands: seed figures, exact ranges, nearest split against scipy, whole fen."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog, minimize

from planlib.budget import bands as room
from planlib.budget.bands import Bands
from planlib.core.errors import InputError

calm = settings(deadline=None, derandomize=True)
NAMES = ("labour", "technology", "marketing", "running")
SEED = Bands(NAMES, [0.40, 0.25, 0.15, 0.10], [0.50, 0.30, 0.20, 0.15])


@st.composite
def band_sets(draw, feasible=None):
    size = draw(st.integers(1, 6))
    pairs = [sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))) for _ in range(size)]
    low, high = np.array(pairs).T
    ok = low.sum() <= 1 - 1e-9 and high.sum() >= 1 + 1e-9
    assume(feasible is None or ok == feasible)
    return Bands(tuple(f"c{k}" for k in range(size)), low, high)


def test_seed_sums():
    answer = room.feasibility(SEED)
    assert answer.feasible
    assert_allclose([answer.low_sum, answer.high_sum], [0.90, 1.15])
    assert_allclose(answer.low, SEED.low)
    assert_allclose(answer.high, SEED.high)


def test_seed_labour_and_technology_at_their_maxima_leave_too_little():
    answer = room.feasibility(SEED, fixed={"labour": 0.50, "technology": 0.30})
    assert (answer.feasible, answer.reason) == (False, "minima_exceed")
    assert_allclose([answer.left, answer.low_sum], [0.20, 0.25])


def test_seed_labour_at_its_maximum_pins_the_others():
    answer = room.feasibility(SEED, fixed={"labour": 0.50})
    assert answer.feasible and answer.pinned == NAMES[1:]
    assert_allclose(answer.low, [0.50, 0.25, 0.15, 0.10])
    assert_allclose(answer.high, [0.50, 0.25, 0.15, 0.10])


def test_other_reasons():
    assert room.feasibility(SEED, fixed={"labour": 0.55}).reason == "fixed_outside_band"
    assert room.feasibility(SEED, fixed={"labour": 0.55}).outside == ("labour",)
    short = Bands(("a", "b"), [0.1, 0.1], [0.4, 0.5])
    assert room.feasibility(short).reason == "maxima_fall_short"
    assert room.feasibility(Bands(("a",), [1.0], [1.0])).pinned == ("a",)


@calm
@given(band_sets(feasible=True))
def test_range_of_each_share_is_exact(bands):
    """Against a linear programme for the smallest and largest value of each share."""
    answer = room.feasibility(bands)
    box = list(zip(bands.low, bands.high, strict=True))
    for k in range(len(bands.names)):
        for sign, expected in ((1.0, answer.low[k]), (-1.0, answer.high[k])):
            cost = np.zeros(len(box))
            cost[k] = sign
            best = linprog(cost, A_eq=np.ones((1, len(box))), b_eq=[1.0], bounds=box)
            assert best.x[k] == pytest.approx(expected, abs=1e-7)


@calm
@given(band_sets(feasible=True), st.data())
def test_projection_is_the_nearest_split(bands, data):
    size = len(bands.names)
    typed = np.array(data.draw(st.lists(st.floats(-0.5, 1.5), min_size=size, max_size=size)))
    got = room.project(bands, typed)
    assert abs(got.split.sum() - 1.0) <= 1e-12
    assert (got.split >= bands.low).all() and (got.split <= bands.high).all()
    # optimality: the moves point away from every other feasible split (obtuse angle at the corners)
    for corner in room.corners(bands):
        assert (got.moves * (corner - got.split)).sum() >= -1e-9
    assert_allclose(got.moves, got.split - typed)
    assert got.distance == pytest.approx(np.linalg.norm(got.split - typed))


def test_projection_against_a_general_solver():
    rng = np.random.default_rng(11)
    for _ in range(20):
        typed = SEED.low + rng.uniform(-0.1, 0.2, 4)
        reference = minimize(
            lambda x, t=typed: ((x - t) ** 2).sum(), [0.45, 0.27, 0.17, 0.11], jac=lambda x, t=typed: 2 * (x - t),
            bounds=list(zip(SEED.low, SEED.high, strict=True)), method="SLSQP",
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1}, options={"ftol": 1e-14},
        )
        assert_allclose(room.project(SEED, typed).split, reference.x, atol=1e-6)


def test_a_feasible_split_is_not_moved():
    got = room.project(SEED, [0.45, 0.28, 0.16, 0.11])
    assert_allclose(got.moves, 0.0, atol=1e-12)
    assert got.at_low == () and got.at_high == ()


def test_tight_bands_are_named():
    got = room.project(SEED, [0.70, 0.20, 0.15, 0.05])
    assert got.at_high == ("labour",)
    assert got.at_low == ("technology", "marketing", "running")
    assert_allclose(got.split, [0.50, 0.25, 0.15, 0.10])


@calm
@given(band_sets(feasible=True))
def test_corners_are_feasible_and_span_the_ranges(bands):
    points = room.corners(bands)
    answer = room.feasibility(bands)
    assert_allclose(points.sum(axis=1), 1.0, atol=1e-9)
    assert (points >= bands.low - 1e-9).all() and (points <= bands.high + 1e-9).all()
    assert_allclose(points.min(axis=0), answer.low, atol=1e-9)
    assert_allclose(points.max(axis=0), answer.high, atol=1e-9)
    inside = (points > bands.low + 1e-9) & (points < bands.high - 1e-9)
    assert (inside.sum(axis=1) <= 1).all()


def test_seed_corners():
    points = {tuple(np.round(p, 4)) for p in room.corners(SEED)}
    assert (0.5, 0.25, 0.15, 0.1) in points
    assert (0.4, 0.3, 0.2, 0.1) in points
    assert (0.5, 0.3, 0.2, 0.15) not in points
    assert len(points) == len(room.corners(SEED))


def test_no_corner_where_nothing_is_feasible():
    assert len(room.corners(Bands(("a", "b"), [0.6, 0.6], [0.7, 0.7]))) == 0


@calm
@given(
    st.integers(0, 10**12),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    st.lists(st.floats(0.0, 3.0), min_size=12, max_size=12).filter(lambda w: sum(w) > 0.1),
)
def test_money_sums_to_the_fen(total, raw, weights):
    shares = np.array(raw) / sum(raw)
    money = room.money_by_month(total, shares, months=12, weights=weights)
    assert money.fen.sum() == total == money.by_category.sum() == money.by_month.sum()
    assert (money.fen.sum(axis=0) == money.by_category).all()
    assert (np.abs(money.by_category - total * shares) < 1 + 1e-9 * total).all()
    exact = money.by_category * np.array(weights)[:, None] / sum(weights)
    assert (np.abs(money.fen - exact) < 1 + 1e-9 * total).all()


def test_money_by_hand():
    weights = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 2.0]])
    money = room.money_by_month(1_001, [0.5, 0.5], months=3, weights=weights)
    assert money.by_category.tolist() == [501, 500]
    assert money.fen.tolist() == [[167, 0], [167, 250], [167, 250]]
    assert money.cny[0, 0] == 1.67


@pytest.mark.parametrize("call, field", [
    (lambda: Bands(("a",), [0.5], [0.4]), "a"),
    (lambda: Bands(("a",), [-0.1], [0.4]), "low[0]"),
    (lambda: Bands(("a",), [0.1], [1.4]), "high[0]"),
    (lambda: Bands(("a",), [np.nan], [0.4]), "low[0]"),
    (lambda: Bands(("a", "a"), [0.1, 0.1], [0.4, 0.4]), "names[1]"),
    (lambda: Bands((), [], []), "names"),
    (lambda: Bands(("a",), [0.1, 0.2], [0.4]), "low"),
    (lambda: Bands.of({"a": 0.3}), "a"),
    (lambda: room.feasibility(SEED, fixed={"rent": 0.1}), "fixed.rent"),
    (lambda: room.feasibility(SEED, fixed={"labour": 50.0}), "fixed.labour"),
    (lambda: room.project(Bands(("a", "b"), [0.6, 0.6], [0.7, 0.7]), [0.5, 0.5]), "bands"),
    (lambda: room.project(SEED, [0.5, 0.5]), "split"),
    (lambda: room.project(SEED, [0.5, 0.5, np.nan, 0.1]), "split[2]"),
    (lambda: room.corners(Bands([f"c{k}" for k in range(13)], [0.0] * 13, [1.0] * 13)), "bands"),
    (lambda: room.money_by_month(-1, [1.0], months=1), "total_fen"),
    (lambda: room.money_by_month(1.5, [1.0], months=1), "total_fen"),
    (lambda: room.money_by_month(10, [0.5, 0.4], months=1), "shares"),
    (lambda: room.money_by_month(10, [1.0], months=0), "months"),
    (lambda: room.money_by_month(10, [1.0], months=2, weights=[0.0, 0.0]), "weights"),
    (lambda: room.money_by_month(10, [1.0], months=2, weights=[1.0]), "weights"),
])
def test_bad_input_names_the_field(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


def test_bands_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="read-only"):
        SEED.low[0] = 0.0
