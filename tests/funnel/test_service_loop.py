"""The service loop: steps in order, walk-ins, removal effects, satisfaction, carts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.errors import InputError
from planlib.core.intervals import wilson
from planlib.funnel import service_loop as room

calm = settings(deadline=None, derandomize=True, max_examples=50)
no = float("nan")
LIMITS = [14.0, 1.0, 30.0]


def test_four_steps_in_order_and_a_visit_without_booking_is_a_walk_in():
    """systems.yaml service-loop-funnel: four steps in order; a visit without booking is walk-in, not leak."""
    cases = [
        [0, 3, 3, 10],  # all four
        [0, 20, 20, 21],  # visits after the limit: late, and no further
        [0, no, no, no],  # never comes
        [5, 3, 3, 4],  # "visit" before the booking: gone
        [no, 4, 4, no],  # walks in and buys
        [no, 4, no, no],  # walks in and leaves
        [no, no, 7, 8],  # bought without a visit: elsewhere
        [0, 1, 4, 5],  # buys after the limit of one day
    ]
    loop = room.service_loop(cases, LIMITS)
    assert loop.steps == ("booking", "visit", "consumption", "after_sales")
    assert loop.booked.tolist() == [5, 2, 1, 1]
    assert loop.walk_ins.tolist() == [0, 2, 1, 0]
    assert loop.reached.tolist() == [5, 4, 2, 1]
    assert loop.late.tolist() == [1, 1, 0]
    assert loop.gone.tolist() == [2, 1, 1]
    assert_allclose(loop.through, [2 / 5, 2 / 4, 1 / 2])
    assert loop.leak == ("booking", "visit")
    assert loop.elsewhere == 1
    assert loop.wait == (2.0, 0.0, 7.0)
    assert_allclose(loop.interval.low, wilson([2, 2, 1], [5, 4, 2]).low)


def test_cart_abandonment():
    """systems.yaml service-loop-funnel: 70 % to 30 % multiplies checkout completion by 2.33."""
    assert room.completion_multiple(0.70, 0.30) == pytest.approx(2.33, abs=0.005)


times = arrays(float, st.tuples(st.integers(1, 40), st.just(4)),
               elements=st.one_of(st.just(no), st.integers(0, 40).map(float)))


@calm
@given(times)
def test_every_case_is_counted_once(cases):
    loop = room.service_loop(cases, LIMITS)
    assert loop.booked[0] + loop.walk_ins[1] + loop.elsewhere == len(cases)
    came = np.append(loop.booked[0], loop.reached[1:-1])
    assert_array_equal(came, loop.late + loop.gone + np.append(loop.booked[1], loop.reached[2:]))
    assert (np.diff(loop.booked) <= 0).all() and (np.diff(loop.walk_ins[1:]) <= 0).all()
    more = room.service_loop(np.vstack([cases, [no, 0, no, no]]), LIMITS)  # one walk-in more
    assert more.walk_ins[1] == loop.walk_ins[1] + 1
    assert (more.late[0], more.gone[0], more.through[0]) == (loop.late[0], loop.gone[0], loop.through[0])


def test_nobody_at_a_step_is_unknown_and_not_zero_by_measurement():
    loop = room.service_loop([[0, no, no, no]], LIMITS)
    assert loop.through.tolist() == [0, 0, 0]
    assert (loop.interval.low[1], loop.interval.high[1]) == (0.0, 1.0)
    assert loop.wait == (None, None, None)
    perfect = room.service_loop([[0, 1, 1, 1]], LIMITS)
    assert perfect.leak is None


def test_removal_effects_of_a_loop_are_its_shares():
    """Without walk-ins every step is needed; with them booking is worth what booked cases complete."""
    alone = room.removal_effects([1, 0, 0, 0], np.diag([0.5, 0.8, 0.25], k=1), [0, 0, 0, 1])
    assert_allclose(alone, 1.0)
    rng = np.random.default_rng(5)
    cases = np.cumsum(rng.exponential(0.5, (4000, 4)) * [1, 10, 0.5, 20], axis=1)
    cases[rng.random((4000, 4)) < [0.3, 0.1, 0.2, 0.4]] = no
    loop = room.service_loop(cases, LIMITS)
    found = room.removal_effects(*room.loop_chain(loop))
    assert_allclose(found[1:], 1.0)
    booked, walked = loop.booked[0] * loop.through[0], loop.walk_ins[1]
    assert found[0] == pytest.approx(booked / (booked + walked))


def test_removal_effects_by_walking_a_chain():
    """A chain with a way back, against 200,000 simulated cases."""
    start, done = np.array([0.6, 0.3, 0.0]), np.array([0.05, 0.2, 0.5])
    between = np.array([[0.0, 0.5, 0.2], [0.3, 0.0, 0.4], [0.1, 0.2, 0.0]])
    found = room.removal_effects(start, between, done)
    rng, n = np.random.default_rng(20270106), 200_000

    def completed(removed):
        table = np.column_stack([between, done, 1 - between.sum(axis=1) - done]).cumsum(axis=1)
        at = np.searchsorted([*np.append(start, 0.0).cumsum(), 1.0], rng.random(n), side="right")  # 3 = lost at once
        at = np.where(at == 3, 4, at)
        hits = 0
        while at.size:
            at = at[(at != removed) & (at < 3)]
            draw = rng.random(at.size)
            at = (draw[:, None] > table[at]).sum(axis=1)
            hits += int((at == 3).sum())
        return hits / n

    whole = completed(-1)
    for step in range(3):
        without = completed(step)
        error = 4 * ((without / whole**2) ** 2 * whole / n + without / whole**2 / n) ** 0.5
        assert abs(found[step] - (1 - without / whole)) < error


def test_top_two_box():
    share, band = room.top_two_box([[5, 5, 10, 40, 40], [50, 0, 0, 0, 50]])
    assert_allclose(share, [0.8, 0.5])
    expected = wilson([80, 50], [100, 100])
    assert_allclose([band.low, band.high], [expected.low, expected.high])


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.service_loop([[0, 1]], LIMITS), "shape", "times"),
        (lambda: room.service_loop(np.zeros((0, 4)), LIMITS), "shape", "times"),
        (lambda: room.service_loop([[0, 1, 2, np.inf]], LIMITS), "not_finite", "times"),
        (lambda: room.service_loop([[0, 1, 2, 3]], [1, 2]), "shape", "limits"),
        (lambda: room.service_loop([[0, 1, 2, 3]], [1, 0, 2]), "above", "limits[1]"),
        (lambda: room.service_loop([[0]], [], steps=["booking"]), "too_few", "steps"),
        (lambda: room.removal_effects([1.2], [[0]], [1]), "out_of_range", "start[0]"),
        (lambda: room.removal_effects([0.8, 0.8], np.zeros((2, 2)), [1, 1]), "at_most", "start"),
        (lambda: room.removal_effects([1, 0], [[0, 0.8], [0, 0]], [0.4, 1]), "at_most", "between[0]"),
        (lambda: room.removal_effects([1, 0], [[0, 1], [1, 0]], [0, 0]), "cycle", "between"),
        (lambda: room.removal_effects([1, 0], np.zeros((2, 2)), [0, 1]), "above", "done"),
        (lambda: room.removal_effects([1, 0], np.zeros((3, 3)), [0, 1]), "shape", "between"),
        (lambda: room.loop_chain(room.service_loop([[no, no, 1, 1]], LIMITS)), "empty", "loop"),
        (lambda: room.top_two_box([1, 2]), "too_few", "ratings"),
        (lambda: room.top_two_box([0, 0, 0]), "above", "ratings"),
        (lambda: room.completion_multiple(1.0, 0.3), "below", "abandoned_before"),
        (lambda: room.completion_multiple(70, 30), "below", "abandoned_before"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
