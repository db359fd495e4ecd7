"""Lifecycle stages, crosswalk, coverage, transitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.errors import InputError
from planlib.core.intervals import wilson
from planlib.funnel import lifecycle as room
from planlib.funnel.users import stationary

calm = settings(deadline=None, derandomize=True)
FIVE = ("awareness", "interest", "purchase", "repurchase", "referral")
AARRR = ("acquisition", "activation", "retention", "revenue", "referral")
TO_AARRR = dict(zip(FIVE, ("acquisition", "activation", "revenue", "retention", "referral"), strict=True))
RULES = (
    room.StageRule("awareness", 0),
    room.StageRule("interest", 1, window_months=2),
    room.StageRule("purchase", 2, window_months=3),
    room.StageRule("repurchase", 2, at_least=2, window_months=6),
    room.StageRule("referral", 3, window_months=3),
)

histories = arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 8), st.just(4)), elements=st.integers(0, 2))


@calm
@given(histories, st.permutations(range(5)), st.integers(1, 5))
def test_everybody_is_in_one_stage_of_each_vocabulary_and_nobody_is_dropped(events, order, size):
    """systems.yaml lifecycle-crosswalk: one current stage in each vocabulary; the mapping drops nobody."""
    users, months = events.shape[:2]
    path = room.stage_path(events, RULES)
    other = AARRR[:size]
    walk = room.crosswalk(FIVE, other, {name: other[order[place] % size] for place, name in enumerate(FIVE)})
    there = walk.translate(path)
    for found in (path, there):
        assert found.current.shape == (users, months)
        assert ((found.current >= 0) & (found.current < len(found.names))).all()
        assert_array_equal(found.counts().sum(axis=1), np.full(months, users))
        assert (np.diff(found.best, axis=1) >= 0).all()
        assert (found.best >= found.current).all()
    by_name = {name: walk.target[walk.to[place]] for place, name in enumerate(FIVE)}
    names, translated = np.array(path.names)[path.current], np.array(there.names)[there.current]
    assert all(by_name[one] == other for one, other in zip(names.flat, translated.flat, strict=True))


@calm
@given(histories)
def test_stages_are_those_of_a_loop(events):
    path = room.stage_path(events, RULES)
    for user, history in enumerate(events):
        best = 0
        for month in range(len(history)):
            held = 0
            for place, rule in enumerate(RULES[1:], start=1):
                window = history[max(0, month + 1 - rule.window_months) : month + 1, rule.event]
                held = place if window.sum() >= rule.at_least else held
            best = max(best, held)
            assert (path.current[user, month], path.best[user, month]) == (held, best)


def test_one_user_by_hand():
    """Looks in month 1, buys in 2 and again in 4, then falls silent."""
    events = np.zeros((1, 12, 4), dtype=int)
    events[0, 0, 1] = events[0, 1, 2] = events[0, 3, 2] = 1
    path = room.stage_path(events, RULES)
    assert path.current[0].tolist() == [1, 2, 2, 3, 3, 3, 3, 0, 0, 0, 0, 0]
    assert path.best[0].tolist() == [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3]


def test_crosswalk_that_turns_the_order_round_says_so():
    """AARRR puts retention before revenue, the five stages purchase before repurchase."""
    walk = room.crosswalk(FIVE, AARRR, dict(reversed(TO_AARRR.items())))
    assert walk.to.tolist() == [0, 1, 3, 2, 4]
    assert not walk.order_kept and walk.unused == ()
    path = room.StagePath(FIVE, np.array([[2, 3]]), np.array([[2, 3]]))
    there = walk.translate(path)
    assert there.current.tolist() == [[3, 2]] and there.best.tolist() == [[3, 3]]
    four = room.crosswalk(("nurture", "value"), AARRR, {"nurture": "activation", "value": "revenue"})
    assert four.order_kept and four.unused == ("acquisition", "retention", "referral")


def test_coverage_by_hand():
    """Nine of ten users were left alone in some stage that they reached."""
    best = np.array([4] + [2] * 9)
    touched = np.zeros((10, 5), dtype=bool)
    touched[0] = True
    touched[1:, :2] = True
    found = room.coverage(best, touched)
    assert (found.share, found.covered, found.users) == (0.1, 1, 10)
    assert found.untouched.tolist() == [0, 0, 9, 0, 0]
    assert found.interval == wilson(1, 10)
    touched[1:, 2] = True  # stages that are not reached need no touch
    assert room.coverage(best, touched).share == 1.0


@calm
@given(histories.filter(lambda events: events.shape[1] > 1))
def test_transitions_count_everybody_once_a_month(events):
    stage = room.stage_path(events, RULES).current
    found = room.transitions(stage, 5)
    assert found.shape == (stage.shape[1] - 1, 5, 5)
    for month, table in enumerate(found):
        for i in range(5):
            for j in range(5):
                assert table[i, j] == ((stage[:, month] == i) & (stage[:, month + 1] == j)).sum()


def test_a_chain_estimated_from_a_panel_covers_its_steady_state():
    """Active, dormant with stay 0.40 and wake 0.30 (systems.yaml active-dormant-chain): the share 1/3 in 90 %."""
    rng, sims, people, months = np.random.default_rng(20270113), 250, 60, 6
    stay = np.array([0.40, 0.30])  # share that is active next month, of the active and of the dormant
    hits = 0
    for _ in range(sims):
        stage = np.zeros((people, months), dtype=int)
        stage[:, 0] = rng.random(people) < 2 / 3
        for month in range(1, months):
            stage[:, month] = rng.random(people) >= stay[stage[:, month - 1]]
        chain = room.estimate_chain(room.transitions(stage, 2).sum(axis=0))
        stays, wakes = chain.draws(rng, 1000)[:, :, 0].T
        low, high = np.quantile(wakes / (wakes + 1 - stays), [0.05, 0.95])
        hits += low <= 1 / 3 <= high
    assert abs(hits / sims - 0.9) < 4 * (0.9 * 0.1 / sims) ** 0.5
    assert chain.mean.sum(axis=1) == pytest.approx([1, 1])
    assert stationary(chain.mean)[0] == pytest.approx(1 / 3, abs=0.15)


def test_draws_of_a_chain_have_its_mean_and_spread():
    chain = room.estimate_chain([[40, 55, 5], [3, 70, 2], [0, 0, 10]], prior=1.0)
    draws = chain.draws(np.random.default_rng(1), 40_000)
    assert draws.sum(axis=2) == pytest.approx(np.ones((40_000, 3)))
    total = chain.concentration.sum(axis=1, keepdims=True)
    variance = chain.mean * (1 - chain.mean) / (total + 1)
    assert (np.abs(draws.mean(axis=0) - chain.mean) < 4.5 * (variance / 40_000) ** 0.5).all()
    assert_allclose(draws.var(axis=0), variance, rtol=0.05)
    assert_allclose(chain.concentration, np.array([[41, 56, 6], [4, 71, 3], [1, 1, 11]]))


@pytest.mark.parametrize(
    "call, code, field",
    [
        (lambda: room.stage_path(np.zeros((2, 3)), RULES), "shape", "events"),
        (lambda: room.stage_path(np.full((1, 1, 4), -1), RULES), "at_least", "events[0, 0, 0]"),
        (lambda: room.stage_path(np.zeros((1, 1, 4)), ()), "empty", "rules"),
        (lambda: room.stage_path(np.zeros((1, 1, 3)), RULES), "out_of_range", "rules[4].event"),
        (lambda: room.stage_path(np.zeros((1, 1, 4)), RULES[:1] * 2), "duplicate_id", "rules[1].name"),
        (lambda: room.stage_path(np.zeros((1, 1, 4)), [room.StageRule("x", 0, at_least=0)]), "at_least",
         "rules[0].at_least"),
        (lambda: room.crosswalk(FIVE, AARRR, {n: "revenue" for n in FIVE[1:]}), "missing", "mapping.awareness"),
        (lambda: room.crosswalk(FIVE, AARRR, TO_AARRR | {"interest": "desire"}), "choice", "mapping.interest"),
        (lambda: room.crosswalk(FIVE, AARRR, TO_AARRR | {"desire": "revenue"}), "choice", "mapping"),
        (lambda: room.crosswalk(FIVE, AARRR, TO_AARRR).translate(
            room.StagePath(AARRR, np.zeros((1, 1), int), np.zeros((1, 1), int))), "choice", "path.names"),
        (lambda: room.coverage([5], np.ones((1, 5), dtype=bool)), "out_of_range", "best[0]"),
        (lambda: room.coverage([0, 0], np.ones((1, 5), dtype=bool)), "shape", "touched"),
        (lambda: room.transitions([[0, 5]], 5), "out_of_range", "stage[0, 1]"),
        (lambda: room.transitions([[0]], 5), "too_few", "stage"),
        (lambda: room.transitions([[0, 0.5]], 5), "not_whole", "stage"),
        (lambda: room.estimate_chain([[1, 2]]), "shape", "counts"),
        (lambda: room.estimate_chain([[1, -2], [0, 1]]), "at_least", "counts[0, 1]"),
        (lambda: room.estimate_chain([[1, 2], [0, 1]], prior=0.0), "above", "prior"),
    ],
)
def test_bad_input(call, code, field):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (code, field)
