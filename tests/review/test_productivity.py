"""Productivity: acceptance figures, chaining, prices that turn, bootstrap that covers, units that are refused."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.review.productivity import Work, productivity


def rng():
    return np.random.default_rng(20270502)


def work(made, used, **more):
    made, used = np.array(made, dtype=float), np.array(used, dtype=float)
    given = {"worth": np.ones(made.shape[1]), "price": np.ones(used.shape[1])} | more
    outputs, inputs = ("piece",) * made.shape[1], ("CNY",) * used.shape[1]
    return Work("x", outputs, inputs, made, given["worth"], used, given["price"], given.get("days", ()))


def test_acceptance_figures():
    """Twice the users a head is +100 %; the same content at 30 % less is +42.9 %."""
    assert productivity(work([[5000], [10000]], [[1], [1]])).level[-1] == pytest.approx(2.0)
    assert productivity(work([[10], [10]], [[100], [70]])).level[-1] - 1 == pytest.approx(0.429, abs=5e-4)


def test_months_are_chained_and_undo_one_another():
    found = productivity(work([[10], [20], [10]], [[5], [5], [5]])).level
    assert found.tolist() == pytest.approx([1.0, 2.0, 1.0])


def test_two_outputs_by_hand():
    """Laspeyres 30/20, Paasche at the new worths 40/30, over inputs unchanged."""
    found = productivity(
        work([[10, 10], [20, 10]], [[7], [7]], worth=[[1, 1], [1, 2]]),
    ).level  # fmt: skip
    assert found[-1] == pytest.approx(np.sqrt((30 / 20) * (40 / 30)))


def test_the_interval_covers_a_productivity_that_does_not_change():
    covered = 0
    stream = rng()
    for _ in range(60):
        days = [stream.poisson(20.0, (30, 1)).astype(float) for _ in range(4)]
        found = productivity(work([d.sum(axis=0) for d in days], [[1]] * 4, days=tuple(days)), rng=stream, draws=200)
        covered += found.low[-1] <= 1.0 <= found.high[-1]
    assert abs(covered / 60 - 0.95) < 4 * (0.95 * 0.05 / 60) ** 0.5


def test_without_days_there_is_no_interval():
    found = productivity(work([[1], [2]], [[1], [1]]), rng=rng())
    assert np.isnan(found.low).all() and np.isnan(found.high).all()


@pytest.mark.parametrize("units", [(("",), ("CNY",)), (("piece",), ()), (("piece", "piece"), ("CNY",))])
def test_an_entry_without_output_or_input_unit_is_refused(units):
    with pytest.raises(InputError):
        productivity(Work("x", *units, [[1.0], [2.0]], [1.0], [[1.0], [1.0]], [1.0]))


@pytest.mark.parametrize("wrong", [
    lambda: productivity(work([[1], [0]], [[1], [1]])), lambda: productivity(work([[1], [2]], [[1]])),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
