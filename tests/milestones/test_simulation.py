"""Simulated schedules: tables against scipy, closed forms, a plain implementation, hostile input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaincinv, ndtr

from planlib.core.draws import Distribution
from planlib.core.errors import InputError
from planlib.core.intervals import wilson
from planlib.milestones.network import Link, Network
from planlib.milestones.simulation import Group, Mitigation, Risk, mitigation_worth, simulate
from planlib.milestones.three_point import at_scores, score_table


def pert(low, mode, high):
    return Distribution("pert", low=low, mode=mode, high=high)


def triangular(low, mode, high):
    return Distribution("triangular", low=low, mode=mode, high=high)


def fixed(value):
    return Distribution("fixed", mean=value)


SCORES = np.concatenate([np.linspace(-7.99, 7.99, 20_011), [-8.0, 8.0]])


@pytest.mark.parametrize("mode", [0, 1e-3, 0.1, 0.3, 0.5, 0.77, 0.999, 1])
def test_pert_table_is_within_a_millionth_of_the_range(mode):
    low, width = 4.0, 30.0
    found = at_scores(score_table(pert(low, low + width * mode, low + width)), SCORES)
    alpha, beta = 1 + 4 * mode, 5 - 4 * mode
    lower, upper = betaincinv(alpha, beta, ndtr(SCORES)), 1 - betaincinv(beta, alpha, ndtr(-SCORES))
    assert np.abs(found - (low + width * np.where(SCORES < 0, lower, upper))).max() < 1e-6 * width
    assert (np.diff(at_scores(score_table(pert(low, low + width * mode, low + width)), np.sort(SCORES))) >= 0).all()


@pytest.mark.parametrize("mode", [0.0, 0.4, 1.0])
def test_triangular_table_is_within_a_millionth_of_the_range(mode):
    found = at_scores(score_table(triangular(0, mode * 20, 20)), SCORES)
    assert np.abs(found - stats.triang(mode, scale=20).ppf(ndtr(SCORES))).max() < 1e-6 * 20


@pytest.mark.parametrize("kind", [pert, triangular])
def test_a_duration_without_a_range_is_that_duration(kind):
    found = simulate(Network(["a"]), {"a": kind(3, 3, 3)}, seed=1, draws=50)
    assert (found.end == 3).all()
    assert found.cruciality().tolist() == found.sensitivity().tolist() == [0.0]
    assert found.tornado() == ()


def test_draws_have_the_closed_moments():
    for distribution in (pert(2, 5, 14), triangular(2, 5, 14)):
        found = simulate(Network(["a"]), {"a": distribution}, seed=3, draws=40_000).end
        sd = distribution.variance() ** 0.5
        assert abs(found.mean() - distribution.expectation()) < 4 * sd / 200
        assert abs(found.std() / sd - 1) < 0.03
    assert pert(2, 5, 14).expectation() == 6
    assert pert(2, 5, 14).variance() == pytest.approx((6 - 2) * (14 - 6) / 7)
    assert triangular(2, 5, 14).variance() == pytest.approx(stats.triang(0.25, 2, 12).var())


def test_draws_follow_their_distribution():
    found = simulate(Network(["a"]), {"a": pert(0, 2, 10)}, seed=5, draws=20_000).end
    assert stats.kstest(found / 10, stats.beta(1.8, 4.2).cdf).pvalue > 1e-3


def test_rank_correlation_of_a_group_is_the_copulas():
    tasks, rho = ["a", "b", "c"], 0.6
    found = simulate(
        Network(tasks), dict.fromkeys(tasks, pert(1, 2, 8)), seed=2, draws=40_000, groups=[Group(("a", "c"), rho)]
    )
    expected = 6 / np.pi * np.arcsin(rho / 2)
    ranks = stats.spearmanr(found.durations, axis=1).statistic
    assert abs(ranks[0, 2] - expected) < 0.02
    assert abs(ranks[0, 1]) < 0.02
    matrix = [[1, 0, rho], [0, 1, 0], [rho, 0, 1]]
    same = simulate(Network(tasks), dict.fromkeys(tasks, pert(1, 2, 8)), seed=2, draws=40_000, correlation=matrix)
    np.testing.assert_array_equal(found.end, same.end)


def test_twelve_independent_gates_at_95_percent_are_kept_together_in_54():
    tasks = [f"g{k}" for k in range(12)]
    uniform = Distribution("uniform", low=0, high=1)
    found = simulate(Network(tasks), dict.fromkeys(tasks, uniform), seed=1, draws=40_000, milestones=tasks)
    together = found.chance_of_all(dict.fromkeys(tasks, 0.95))
    assert abs(together.share - 0.95**12) < 4 * (0.54 * 0.46 / 40_000) ** 0.5
    alone = found.chance_by(0.95, "g3")
    assert alone.interval == wilson(round(alone.share * alone.n), alone.n)
    assert alone.interval.low < 0.95 < alone.interval.high


def test_merge_bias_criticality_and_buffer_of_two_parallel_uniforms():
    network = Network(["a", "b"])
    spread = {"a": Distribution("uniform", low=0, high=10), "b": Distribution("uniform", low=0, high=5)}
    found = simulate(network, spread, seed=4, draws=40_000)
    assert found.criticality == pytest.approx([0.75, 0.25], abs=0.01)
    # P(max <= t) = (t / 10) (t / 5) below 5, t / 10 above
    assert found.quantiles(p=(0.125, 0.8)) == pytest.approx({0.125: 2.5, 0.8: 8.0}, abs=0.1)
    assert found.buffer(5.0, 0.8) == pytest.approx(3.0, abs=0.1)


def test_a_discrete_risk_adds_its_days_when_it_strikes():
    risk = Risk("late", 0.3, fixed(4), ("b",))
    found = simulate(Network(["a", "b"], [Link("a", "b")]), {"a": fixed(2), "b": fixed(3)}, seed=1, risks=[risk])
    assert set(found.end.tolist()) == {5.0, 9.0}
    assert abs(found.struck["late"].mean() - 0.3) < 4 * (0.21 / 10_000) ** 0.5
    swing = next(row for row in found.tornado() if row.item == "late")
    assert (swing.low, swing.high, swing.low_se, swing.high_se) == (5.0, 9.0, 0.0, 0.0)
    assert found.variance_shares()["late"] == pytest.approx(1.0)


def test_factors_multiply_and_days_are_added_afterwards():
    risks = [
        Risk("x", 1.0, fixed(10), ("a",)),
        Risk("y", 1.0, fixed(1.5), ("a",), "factor"),
        Risk("z", 1.0, fixed(2.0), ("a", "b"), "factor"),
    ]
    found = simulate(Network(["a", "b"]), {"a": fixed(4), "b": fixed(1)}, seed=1, draws=3, risks=risks)
    assert found.durations.tolist() == [[22.0] * 3, [2.0] * 3]


def test_one_more_risk_moves_no_other_draw():
    tasks = ["a", "b"]
    network, spread = Network(tasks), dict.fromkeys(tasks, pert(1, 2, 8))
    first = Risk("first", 0.4, pert(1, 2, 3), ("a",))
    second = Risk("second", 0.5, pert(1, 2, 3), ("b",))
    one = simulate(network, spread, seed=9, draws=5000, risks=[first])
    two = simulate(network, spread, seed=9, draws=5000, risks=[second, first])
    np.testing.assert_array_equal(one.durations[0], two.durations[0])
    np.testing.assert_array_equal(one.effects["first"], two.effects["first"])
    untouched = ~two.struck["second"]
    np.testing.assert_array_equal(one.durations[1][untouched], two.durations[1][untouched])


def test_mitigation_is_worth_its_closed_form_on_the_same_draws():
    risk = Risk("late", 0.5, fixed(6), ("a",), mitigation=Mitigation(0.2, fixed(6), 1000.0))
    other = Risk("other", 0.1, fixed(1), ("a",))
    alone, together = mitigation_worth(
        Network(["a"]), {"a": pert(8, 10, 15)}, [risk, other], 15.5, seed=1, draws=20_000
    )
    assert (alone.risk, together.risk, alone.cost) == ("late", None, 1000.0)
    assert abs(alone.saved - 0.3 * 6) < 4 * alone.saved_se
    assert alone.saved_se == pytest.approx(6 * (0.3 * 0.7 / 20_000) ** 0.5, rel=0.05)
    assert alone.gained == pytest.approx(alone.after.share - alone.before.share)
    assert alone.saved == together.saved > 0


def test_kept_draws_give_what_drawing_again_gives():
    risks = [
        Risk("late", 0.5, fixed(6), ("a",), mitigation=Mitigation(0.2, fixed(6))),
        Risk("ill", 0.3, fixed(1.5), ("a",), "factor", Mitigation(0.1, fixed(1.2))),
    ]
    options = {"seed": 1, "draws": 500, "risks": risks}
    network, spread = Network(["a"]), {"a": pert(8, 10, 15)}
    before = simulate(network, spread, **options)
    after = simulate(network, spread, mitigated=["late", "ill"], **options)
    kept = mitigation_worth(network, spread, risks, 15.5, before=before, after=after, seed=1, draws=500)
    assert kept == mitigation_worth(network, spread, risks, 15.5, seed=1, draws=500)
    # what is handed in is what is used
    other = mitigation_worth(network, spread, risks, 15.5, before=after, after=after, seed=1, draws=500)
    assert other[-1].saved == 0.0 != kept[-1].saved


def test_a_task_counts_with_its_own_length_and_a_risk_with_what_it_does():
    """a is U(0, 2), its risk adds 10 in half of the draws: variances 1/3 and 25, and nothing is told twice."""
    spread = {"a": Distribution("uniform", low=0, high=2), "b": fixed(1)}
    risk = Risk("late", 0.5, fixed(10), ("a",))
    found = simulate(Network(["a", "b"], [Link("a", "b")]), spread, seed=2, draws=40_000, risks=[risk])
    whole = 1 / 3 + 25
    expected = {"a": 1 / 3 / whole, "b": 0.0, "late": 25 / whole}
    assert found.variance_shares() == pytest.approx(expected, abs=0.01)
    assert sum(found.variance_shares().values()) == pytest.approx(1.0, abs=0.02)
    swings = {row.item: row.width for row in found.tornado()}
    assert swings["late"] == pytest.approx(10.0, abs=0.1)
    assert swings["a"] == pytest.approx(1.8, abs=0.4)  # 0.1 and 1.9, the risk's 5 in both
    assert set(found.own) == {"a"} and found.own["a"].max() <= 2.0 < found.durations[0].max()


def test_shares_of_a_sum_of_uniforms():
    spread = {"a": Distribution("uniform", low=0, high=2), "b": Distribution("uniform", low=0, high=1)}
    found = simulate(Network(["a", "b"], [Link("a", "b")]), spread, seed=1, draws=40_000)
    assert found.variance_shares() == pytest.approx({"a": 0.8, "b": 0.2}, abs=0.02)
    assert found.sensitivity() == pytest.approx([0.8**0.5, 0.2**0.5], abs=0.01)
    swing = found.tornado()[0]
    assert swing.item == "a"  # means of the lowest and highest tenth of U(0, 2) are 0.1 and 1.9
    assert abs(swing.low - 0.6) < 4 * swing.low_se
    assert abs(swing.high - 2.4) < 4 * swing.high_se
    expected = stats.spearmanr(found.durations[0], found.end).statistic
    assert found.cruciality()[0] == pytest.approx(expected, abs=1e-6)


def test_tornado_of_a_quantile():
    found = simulate(Network(["a"]), {"a": Distribution("uniform", low=0, high=1)}, seed=1, draws=20_000)
    row = found.tornado(p=0.8)[0]
    assert abs(row.low - 0.08) < 4 * row.low_se
    assert abs(row.high - 0.98) < 4 * row.high_se
    assert row.low_se == pytest.approx(0.1 * (0.16 / 2000) ** 0.5, rel=0.3)


@st.composite
def plans(draw):
    n = draw(st.integers(1, 6))
    tasks = [f"t{k}" for k in range(n)]
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    days = st.floats(0, 20)
    spread = {name: pert(*sorted(draw(st.tuples(days, days, days)))) for name in tasks}
    return Network(tasks, [Link(tasks[i], tasks[j]) for i, j in chosen]), chosen, spread


@settings(max_examples=30, deadline=None)
@given(plans())
def test_finishes_are_those_of_a_plain_walk_over_the_same_durations(plan):
    network, pairs, spread = plan
    found = simulate(network, spread, seed=1, draws=7, milestones=network.tasks)
    for draw in range(7):
        finish = []
        for k, name in enumerate(network.tasks):
            days = found.durations[k, draw]
            assert spread[name].low - 1e-4 <= days <= spread[name].high + 1e-4
            finish.append(days + max((finish[i] for i, j in pairs if j == k), default=0.0))
            assert found.finish[name][draw] == pytest.approx(finish[-1], abs=1e-3)
        assert found.end[draw] == pytest.approx(max(finish), abs=1e-3)


def codes(call):
    with pytest.raises(InputError) as told:
        call()
    return {(problem.code, problem.field) for problem in told.value.problems}


def test_everything_wrong_is_told_at_once():
    risks = [
        Risk("r", 1.5, fixed(-1), ("a", "x"), "weeks"),
        Risk("r", float("nan"), fixed(1), ()),
    ]
    found = codes(
        lambda: simulate(
            Network(["a", "b"]), {"a": fixed(1), "c": fixed(1)}, seed=1, draws=0, risks=risks, mitigated=["q"],
            milestones=["m"], groups=[Group(("a", "z"), 2.0)],
        )
    )
    assert found >= {
        ("at_least", "draws") if ("at_least", "draws") in found else ("out_of_range", "draws"),
        ("missing", "durations.b"), ("unknown_ref", "durations"), ("unknown_ref", "milestones"),
        ("out_of_range", "risks.r.chance"), ("at_least", "risks.r.impact"), ("unknown_ref", "risks.r.tasks"),
        ("choice", "risks.r.effect"), ("duplicate_id", "risks[1].id"), ("not_finite", "risks.r.chance"),
        ("empty", "risks.r.tasks"), ("unknown_ref", "mitigated"), ("out_of_range", "groups[0].rho"),
        ("unknown_ref", "groups[0].tasks"),
    }  # fmt: skip


def test_a_matrix_that_cannot_be_is_refused():
    tasks = ["a", "b", "c"]
    network, spread = Network(tasks), dict.fromkeys(tasks, pert(1, 2, 3))
    impossible = [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]
    assert codes(lambda: simulate(network, spread, seed=1, correlation=impossible)) == {("correlations", "correlation")}
    assert codes(lambda: simulate(network, spread, seed=1, correlation=[[1.0]])) == {("shape", "correlation")}
    both = {"correlation": np.eye(3), "groups": [Group(("a", "b"), 0.5)]}
    assert codes(lambda: simulate(network, spread, seed=1, **both)) == {("groups_or_matrix", "correlation")}
    negative = [Group(("a", "b", "c"), -0.9)]
    assert codes(lambda: simulate(network, spread, seed=1, groups=negative)) == {("correlations", "correlation")}


def test_three_points_out_of_order_and_questions_out_of_range_are_refused():
    assert codes(lambda: pert(5, 3, 9)) == {("low_above_high", "pert")}
    assert codes(lambda: triangular(1, float("nan"), 9)) == {("not_finite", "mode")}
    found = simulate(Network(["a"]), {"a": pert(1, 2, 3)}, seed=1, draws=10)
    assert codes(lambda: found.quantiles(p=(1.2,))) == {("out_of_range", "p[0]")}
    assert codes(lambda: found.chance_by(float("nan"))) == {("not_finite", "due")}
    assert codes(lambda: found.chance_by(1.0, "z")) == {("unknown_ref", "milestone")}
    assert codes(lambda: found.chance_of_all({})) == {("empty", "due")}


def test_finishes_alone_are_those_of_the_whole_simulation():
    from datetime import date

    from planlib.milestones.dated import DatedNetwork, DatedTask, Tie
    from planlib.milestones.simulation import finishes
    from planlib.milestones.workdays import WorkCalendar

    rows = [DatedTask("a"), DatedTask("b", (Tie("a"),)), DatedTask("g", (Tie("a"), Tie("b", "SS", 3.0)))]
    network = DatedNetwork(rows, date(2026, 2, 12), WorkCalendar())
    pert = Distribution("pert", low=5.0, mode=8.0, high=15.0)
    days = {"a": pert, "b": pert, "g": Distribution("fixed", mean=0.0)}
    late = Risk("late", 0.4, Distribution("uniform", low=1.0, high=5.0), ("b",))
    options = {"seed": 3, "draws": 5_000, "groups": [Group(("a", "b"), 0.5)], "risks": [late], "milestones": ["g", "b"]}
    whole = simulate(network, days, **options)
    alone = finishes(network, days, **options)
    assert {name: day.tolist() for name, day in alone.items()} == {n: whole.at(n).tolist() for n in ("g", "b")}
