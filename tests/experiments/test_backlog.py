"""The backlog: sizes with and without CUPED, weeks by a curve, worth, what tests bring, the months a change acts on."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.experiments.backlog import Idea, exposed, first_week, past_effect, plan_test, quarter_of, value
from planlib.experiments.portfolio import adopted, profit_optimal_size, worth
from planlib.experiments.power import n_proportions, unique_curve

IDEA = Idea(0.08, 0.008, 9_500, 0.05)


def test_cuped_shrinks_the_size_by_one_less_rho_squared():
    plain, adjusted = plan_test(IDEA), plan_test(Idea(0.08, 0.008, 9_500, 0.05, correlation=0.6))
    assert plain.plain == plain.size == adjusted.plain
    assert adjusted.size.n_control_exact == pytest.approx(plain.size.n_control_exact * 0.64)
    assert adjusted.se == pytest.approx(plain.se, rel=1e-4)  # fewer people, steadier measure: as precise


def test_weeks_are_whole_and_just_enough():
    for idea in (IDEA, Idea(0.08, 0.008, 9_500, 0.05, four_weeks=19_000)):
        found = plan_test(idea)
        curve = unique_curve(9_500, idea.four_weeks or 38_000, weeks=52)
        assert curve[found.weeks - 1] >= found.size.n_total > curve[found.weeks - 2]
        assert found.people_per_week * found.weeks == pytest.approx(found.size.n_total)
        assert found.traffic_share == pytest.approx(found.size.n_total / curve[found.weeks - 1])


def test_people_who_come_back_make_a_test_longer():
    assert plan_test(Idea(0.08, 0.008, 9_500, 0.05, four_weeks=19_000)).weeks > plan_test(IDEA).weeks


def test_a_test_that_a_year_does_not_fill_has_no_worth():
    found = plan_test(Idea(0.08, 0.008, 100, 0.05))
    assert found.weeks is None and value(Idea(0.08, 0.008, 100, 0.05), found, 1e6) is None


def test_the_profit_optimal_size_is_that_of_a_year_s_people():
    found = plan_test(IDEA)
    best = profit_optimal_size(52 * 9_500, (0.08 * 0.92) ** 0.5, 0.05 * 0.08 / 2**0.5)
    assert found.profit == best


def test_worth_is_that_of_the_portfolio():
    idea = Idea(0.08, 0.008, 9_500, 0.05, cost_cny=20_000)
    found = plan_test(idea)
    expected = worth(0.0, 0.05, found.se, exposed_cny=5e6, weeks=4, traffic_share=37_738 / 38_000, cost_cny=20_000)
    assert value(idea, found, 5e6) == expected
    assert expected.net_cny == pytest.approx(expected.evsi_cny - 20_000)
    assert found.gain[0] * 5e6 == pytest.approx(expected.evsi_cny)  # prior around 0: its worth


@pytest.mark.parametrize(("mu", "tau", "se", "hurdle"), [(0.0, 0.05, 0.03, 0.0), (0.02, 0.04, 0.06, 0.01)])
def test_what_a_test_brings_agrees_with_simulation(mu, tau, se, hurdle):
    rng = np.random.default_rng(40)
    theta = rng.normal(mu, tau, 400_000)
    seen = theta + rng.normal(0, se, theta.size)
    kept = tau**2 / (tau**2 + se**2)
    brought = np.where(mu + kept * (seen - mu) > hurdle, theta, 0.0)
    mean, sd = adopted(mu, tau, se, hurdle=hurdle)
    assert mean == pytest.approx(brought.mean(), abs=4 * brought.std() / theta.size**0.5)
    assert sd == pytest.approx(brought.std(), rel=0.01)


def test_exposed_counts_twelve_months_after_the_test_within_the_plan():
    gmv = np.arange(1.0, 25.0)
    assert exposed(gmv, 1, 0, 1.0) == gmv[:12].sum()
    assert exposed(gmv, 3, 13, 0.5) == pytest.approx(0.5 * gmv[5:17].sum())
    assert exposed(gmv, 20, 13, 1.0) == pytest.approx(gmv[22:].sum())
    assert exposed(gmv, 24, 13, 1.0) == 0.0
    assert exposed([10.0, 20.0], 1, 52 / 24, 1.0) == pytest.approx(25.0)  # half of the first month
    with pytest.raises(InputError):
        exposed([-1.0], 1, 1, 0.5)


def test_weeks_months_and_quarters():
    assert [first_week(m) for m in (1, 4, 7, 10, 13)] == [1, 14, 27, 40, 53]
    assert [quarter_of(w) for w in (13, 14, 26, 27, 40)] == [1, 2, 2, 3, 4]


def test_bad_ideas_are_refused():
    with pytest.raises(InputError):
        plan_test(Idea(0.08, 0.0, 9_500, 0.05))
    with pytest.raises(InputError):
        plan_test(Idea(0.08, 0.008, 9_500, 0.05, four_weeks=9_000))


def test_sizes_are_those_of_the_power_room():
    assert plan_test(IDEA).plain == n_proportions(0.08, 0.008, allocation=(1.0, 1.0))


def test_a_finished_test_s_error_is_that_of_simulation():
    rng = np.random.default_rng(41)
    c, t = rng.binomial(5_000, 0.08, 4_000), rng.binomial(4_000, 0.10, 4_000)
    spread = ((t / 4_000) / (c / 5_000)).std()
    effect, se = past_effect(400, 5_000, 400, 4_000)
    assert effect == pytest.approx(0.25) and se == pytest.approx(spread, rel=0.05)


def test_a_finished_test_without_conversions_tells_nothing():
    assert past_effect(0, 100, 5, 100) is None and past_effect(5, 100, 0, 100) is None
    assert past_effect(100, 100, 100, 100) is None
    with pytest.raises(InputError):
        past_effect(101, 100, 5, 100)
