"""NPS, top-two-box, moods and recovery: by hand, by coverage, and where nothing was answered."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.customers import nps as room


def test_70_promoters_and_10_detractors_give_60():
    found = room.nps(70, 20, 10)
    assert (found.score, found.n, found.method, found.reason) == (60.0, 100, "wald", "")
    half = 100 * 1.959963984540054 * ((0.7 + 0.1 - 0.6**2) / 100) ** 0.5
    assert_allclose([found.interval.low, found.interval.high], [60 - half, 60 + half])
    assert room.nps(7, 2, 1).score == 60.0 and room.nps(700, 200, 100).interval.low > found.interval.low


def test_answers_from_0_to_10():
    counts = [1, 2, 3, 4, 5, 6, 7, 11, 13, 17, 31]
    found = room.nps_of_answers(counts)
    assert (found.detractors, found.passives, found.promoters) == (28, 24, 48)
    assert found.score == 20.0


@pytest.mark.parametrize("kind", range(3))
def test_answers_of_one_kind_are_not_certain(kind):
    counts = [0, 0, 0]
    counts[kind] = 12
    found = room.nps(*counts)
    assert found.score == (100.0, 0.0, -100.0)[kind] and found.method == "adjusted_wald"
    assert found.interval.high - found.interval.low > 10
    assert -100 <= found.interval.low <= found.score <= found.interval.high <= 100


def test_nobody_answered():
    found = room.nps(0, 0, 0)
    assert (found.score, found.interval, found.reason) == (None, None, "no_answers")


def test_interval_of_nps_covers():
    rng, sims, n = np.random.default_rng(6), 4_000, 300
    drawn = rng.multinomial(n, [0.55, 0.3, 0.15], sims)
    hits = np.mean([b.low <= 40 <= b.high for b in (room.nps(*row).interval for row in drawn.tolist())])
    assert abs(hits - 0.95) < 4 * (0.95 * 0.05 / sims) ** 0.5 + 0.005


def test_the_same_mean_of_5_comes_from_different_shares():
    far, near = room.top_two_box([0, 0, 25, 0, 75]), room.top_two_box([0, 0, 0, 50, 50])
    assert far.mean == near.mean == 4.5
    assert (far.share, near.share) == (0.75, 1.0)
    assert far.interval.low < 0.75 < far.interval.high


@pytest.mark.parametrize("mean", [4.5, [4.5], [4.5, 5], "4.5"])
def test_a_mean_of_5_is_never_turned_into_a_share(mean):
    with pytest.raises(InputError) as caught:
        room.top_two_box(mean)
    assert "mean" in str(caught.value)


def test_nobody_rated():
    assert room.top_two_box([0] * 5).share is None and room.top_two_box([0] * 5).reason == "no_answers"


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.nps(-1, 0, 0),
        lambda: room.nps(1.5, 0, 0),
        lambda: room.nps_of_answers([1] * 10),
        lambda: room.top_two_box([1, 2, 3, 4, -1]),
        lambda: room.top_two_box([1, 2, 3, 4, 0.5]),
        lambda: room.mood_trend([[1, 2]]),
        lambda: room.check_moods([0, 3], [0, 1]),
        lambda: room.check_moods([0], [0, 1]),
        lambda: room.recovery([11], [0], [0], [0]),
        lambda: room.recovery([5], [0, 1], [0], [0]),
    ],
)
def test_bad_answers(call):
    with pytest.raises(InputError):
        call()


def test_mood_by_hand():
    found = room.mood_trend([[30, 40, 30], [0, 0, 0], [10, 40, 50]])
    assert found.net == (0.0, None, 0.4) and found.n.tolist() == [100, 0, 100]
    assert found.low[1] is None and found.low[2] < 0.4 < found.high[2]
    assert (found.slope, found.direction) == (None, "")  # two months that have comments are no trend


def test_trend_of_moods_is_a_weighted_line():
    counts = np.array([[30, 40, 30], [25, 40, 35], [0, 0, 0], [20, 30, 60], [15, 45, 60]])
    found = room.mood_trend(counts)
    some = counts[counts.sum(axis=1) > 0]
    net = (some[:, 2] - some[:, 0]) / some.sum(axis=1)
    more = some + np.array([0.75, 1.5, 0.75])
    n, d = more.sum(axis=1), (more[:, 2] - more[:, 0]) / more.sum(axis=1)
    weight = ((more[:, 2] + more[:, 0]) / n - d**2) ** -0.5 * n**0.5
    assert_allclose(found.slope, np.polyfit([0, 1, 3, 4], net, 1, w=weight)[0])
    assert found.direction == "up"


def test_a_flat_mood_is_mostly_called_flat():
    rng, sims = np.random.default_rng(9), 600
    called = [room.mood_trend(rng.multinomial(80, [0.2, 0.5, 0.3], 8)).direction for _ in range(sims)]
    assert called.count("flat") / sims > 0.95 - 4 * (0.95 * 0.05 / sims) ** 0.5 - 0.01


def test_moods_held_against_labels():
    labelled = [0] * 10 + [1] * 10
    told = [0] * 8 + [1] * 2 + [1] * 9 + [2]
    found = room.check_moods(labelled, told)
    chance = (10 * 8 + 10 * 11) / 400
    assert_allclose([found.accuracy, found.kappa], [17 / 20, (0.85 - chance) / (1 - chance)])
    assert found.recall == {"negative": 0.8, "neutral": 0.9, "positive": None}
    assert found.usable and not room.check_moods([0, 1, 2], [1, 1, 1]).usable
    assert room.check_moods([1, 1], [1, 1]).kappa is None


def test_recovery_by_reason_and_then_by_value():
    answer, angry, waiting = [9, 3, 0, -1, 10, 6, 9], [0, 1, 0, 2, 0, 0, 1], [0, 0, 0, 0, 1, 0, 0]
    found = room.recovery(answer, angry, waiting, [99, 5, 50, 7, 1, 50, 8])
    assert found.order.tolist() == [4, 2, 5, 1, 6, 3]
    assert [room.RECOVERY[k] for k in found.reason] == ["complaint_open"] + ["detractor"] * 3 + ["negative_comment"] * 2
    assert found.counts.tolist() == [1, 3, 2]
    assert room.recovery([9], [0], [0], [5]).order.size == 0
