"""Scores, rules by segment and logs: by hand, and by simulation with tolerances from the Monte Carlo error."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.experiments.policy import exploring_shares, off_policy, qini, rule_by_segment


def trial(seed, n=1_500):
    """A test of a treatment that moves those with a high trait only."""
    rng = np.random.default_rng(seed)
    trait = rng.random(n)
    treated = rng.integers(0, 2, n)
    outcome = (rng.random(n) < 0.1 + 0.2 * treated * (trait > 0.5)).astype(float)
    return rng, trait, treated, outcome


def test_qini_of_a_random_score_is_zero_within_its_interval():
    """systems.yaml outreach-optimisation: 95 % intervals of 200 tests, four Monte Carlo errors."""
    hits = 0
    for seed in range(200):
        rng, trait, treated, outcome = trial(seed, 600)
        found = qini(rng.random(len(trait)), treated, outcome, rng=rng, draws=120)
        hits += found.interval.low <= 0 <= found.interval.high
    assert abs(hits / 200 - 0.95) <= 4 * (0.05 * 0.95 / 200) ** 0.5


def test_qini_of_a_score_that_knows_is_the_area_between():
    """Half the people gain 0.2 each: the curve rises to 0.1 at half and stays; area 0.1 / 4 = 0.025 above chance."""
    found = [qini(t[1], t[2], t[3], rng=t[0], draws=20).coefficient for t in map(trial, range(40))]
    assert np.mean(found) == pytest.approx(0.025, abs=4 * np.std(found) / 40**0.5)
    rng, trait, treated, outcome = trial(1, 8_000)
    assert qini(trait, treated, outcome, rng=rng).interval.low > 0
    assert qini(-trait, treated, outcome, rng=rng).interval.high < 0


def test_qini_curve_by_hand():
    found = qini([4, 3, 2, 1], [1, 0, 1, 0], [1, 0, 0, 0], rng=np.random.default_rng(0), draws=20)
    assert found.gained.tolist() == [0.0, 0.5, 0.375, 0.5]  # k / 4 x (1 - 0), (1/2 - 0), (1/2 - 0)
    assert found.at_random.tolist() == [0.125, 0.25, 0.375, 0.5]


def by_segment(seed, effects, n=3_000):
    """Two arms; the second moves segment s by effects[s]."""
    rng = np.random.default_rng(seed)
    segment, arm = rng.integers(0, len(effects), n), rng.integers(0, 2, n)
    outcome = (rng.random(n) < 0.2 + np.array(effects)[segment] * arm).astype(float)
    return rule_by_segment(*cells(rng.integers(0, 5, n), segment, arm, outcome), [0.5, 0.5])


def cells(fold, segment, arm, outcome):
    """People, sums and squares by fold, segment and arm."""
    found = np.zeros((3, fold.max() + 1, segment.max() + 1, arm.max() + 1))
    for part, values in zip(found, (np.ones(len(outcome)), outcome, outcome**2), strict=True):
        np.add.at(part, (fold, segment, arm), values)
    return found


def test_the_gain_of_a_rule_by_rows():
    """Unequal shares, three arms: each person's contribution written out, its mean and its standard error."""
    rng, shares = np.random.default_rng(3), np.array([0.5, 0.3, 0.2])
    n = 4_000
    fold, segment, arm = rng.integers(0, 4, n), rng.integers(0, 2, n), rng.choice(3, n, p=shares)
    outcome = rng.gamma(2, 1, n) + np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.5]])[segment, arm]
    found = rule_by_segment(*cells(fold, segment, arm, outcome), shares)
    assert found.arms.tolist() == [1, 2] and found.one_arm == 2
    told = np.zeros(n)
    for k in range(4):
        mine, weight = fold == k, 1 / shares[arm]
        for rule, sign in ((np.array([1, 2]), 1.0), (np.array([2, 2]), -1.0)):
            chosen = weight * (arm == rule[segment])
            value = (chosen * outcome)[mine].sum() / chosen[mine].sum()
            told[mine] += sign * (value + (chosen * (outcome - value))[mine] / chosen[mine].mean())
    assert found.gain == pytest.approx(told.mean()) and found.se == pytest.approx(told.std(ddof=1) / n**0.5)
    moved = rule_by_segment(*cells(fold, segment, arm, outcome - 7.0), shares)
    assert (moved.gain, moved.se) == pytest.approx((found.gain, found.se))


def test_with_equal_effects_the_gain_of_a_rule_covers_zero():
    """systems.yaml segment-strategy-test; a choice judged on the same people would be above 0 nearly always."""
    found = [by_segment(seed, (0.05, 0.05, 0.05, 0.05), 1_000) for seed in range(200)]
    covered = np.mean([gain.interval.low <= 0 <= gain.interval.high for gain in found])
    assert covered >= 0.95 - 4 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean([gain.gain for gain in found]) <= 0.002


def test_opposed_effects_are_worth_a_rule():
    """Half gain 0.1 and half lose 0.1: the rule is worth 0.05 more than either arm for all."""
    found = [by_segment(seed, (0.1, -0.1)) for seed in range(40)]
    assert np.mean([gain.gain for gain in found]) == pytest.approx(0.05, abs=4 * found[0].se / 40**0.5)
    assert found[0].arms.tolist() == [1, 0]
    assert np.mean([gain.interval.low <= 0.05 <= gain.interval.high for gain in found]) > 0.8


def test_every_arm_keeps_its_floor():
    """systems.yaml outreach-optimisation: 5 % exploration floor."""
    shares = exploring_shares([1.0, 0.0, 0.0])
    assert shares.min() == 0.05 and shares.sum() == pytest.approx(1)
    with pytest.raises(InputError):
        exploring_shares([0.5, 0.4])
    with pytest.raises(InputError):
        exploring_shares([0.5, 0.5], floor=0.6)


def test_value_of_another_rule_out_of_a_log():
    """Arms worth 0.1 and 0.3, logged 80 to 20: a rule of 10 to 90 is worth 0.28; intervals cover it."""
    hits, values = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        arm = (rng.random(800) < 0.2).astype(int)
        outcome = (rng.random(800) < np.array([0.1, 0.3])[arm]).astype(float)
        found = off_policy(outcome, np.array([0.8, 0.2])[arm], np.array([0.1, 0.9])[arm])
        hits += found.interval.low <= 0.28 <= found.interval.high
        values.append(found.value)
    assert abs(hits / 200 - 0.95) <= 4 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(values) == pytest.approx(0.28, abs=4 * np.std(values) / 200**0.5)
    assert found.effective_n < 400


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError) as caught:
        qini([1.0, float("nan")], [0, 1, 1], [1, 0], rng=rng)
    assert {problem.field for problem in caught.value.problems} == {"score[1]", "treated"}
    for treated in ([0, 0], [0.5, 1.0]):
        with pytest.raises(InputError):
            qini([1.0, 2.0], treated, [1, 0], rng=rng)
    one_fold = np.ones((1, 2, 2))
    for shares in ([0.5, 0.5], [0.5, 0.3, 0.2]):
        with pytest.raises(InputError):
            rule_by_segment(one_fold, one_fold, one_fold, shares)
    with pytest.raises(InputError):
        off_policy([1.0, 0.0], [0.5, 0.0], [0.5, 0.5])
    with pytest.raises(InputError):
        off_policy([1.0, 0.0], [0.5, 0.5], [0.0, 0.0])
