"""What tests are worth, by simulation and by closed forms; shrinkage that recovers what was planted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from planlib.core.errors import InputError
from planlib.core.information import normal_information
from planlib.experiments import portfolio as room
from planlib.experiments.power import n_proportions
from tests.experiments.shared_cases import judge, shared_cases

NOISE = (0.32 * 0.68) ** 0.5


# worth


def test_worth_by_simulation():
    """Draw effects, test them, launch where the posterior mean is above the hurdle, add up what that brings."""
    rng, n, mu, tau, se, hurdle = np.random.default_rng(20270111), 1_000_000, 0.005, 0.02, 0.015, 0.02
    truth = rng.normal(mu, tau, n)
    seen = truth + rng.normal(0, se, n)
    believed = mu + tau**2 / (tau**2 + se**2) * (seen - mu)
    gained = np.where(believed > hurdle, truth - hurdle, 0.0) - max(mu - hurdle, 0.0)
    found = room.worth(mu, tau, se, exposed_cny=2e6, weeks=4, traffic_share=0.5, cost_cny=3_000, hurdle=hurdle)
    assert abs(found.evsi_cny / 2e6 - gained.mean()) < 4 * gained.std() / n**0.5
    assert found.evpi_cny > found.evsi_cny and found.net_cny == pytest.approx(found.evsi_cny - 3_000)
    assert found.per_week_cny == pytest.approx(found.net_cny / 2)


def test_a_sure_thing_is_not_worth_a_test():
    assert room.worth(0.2, 0.01, 0.01, exposed_cny=1e6, weeks=1, cost_cny=100).net_cny == pytest.approx(-100)


def test_lift_se_is_that_of_the_planned_test():
    """A test of power 80 % sees an effect of (1.96 + 0.84) standard errors."""
    size = n_proportions(0.08, 0.008).n_per_arm
    se = room.lift_se(0.08, (0.08 * 0.92) ** 0.5, *size)
    assert 0.1 / se == pytest.approx(stats.norm.isf(0.025) + stats.norm.ppf(0.8), rel=0.03)


# profit-optimal size


@pytest.mark.parametrize(("population", "prior_sd"), [(100_000, 0.03), (2_000, 0.1), (10, 0.5), (1e9, 1e-3)])
def test_the_size_is_the_best(population, prior_sd):
    found = room.profit_optimal_size(population, NOISE, prior_sd)
    search = optimize.minimize_scalar(
        lambda n: -room.roll(n, population, NOISE, prior_sd).gain, bounds=(0, population / 2), method="bounded",
        options={"xatol": 1e-4},
    )
    assert found.gain >= -search.fun * (1 - 1e-12)
    assert found.n_per_arm == pytest.approx(search.x, rel=1e-3)


def test_gain_and_errors_by_simulation():
    rng, sims, people, n, spread = np.random.default_rng(20270112), 200_000, 10_000, 400, 0.03
    arms = rng.normal(0.3, spread, (sims, 2))
    seen = arms + rng.normal(0, NOISE / n**0.5, (sims, 2))
    rows = np.arange(sims)
    gain = n * arms.sum(axis=1) + (people - 2 * n) * arms[rows, seen.argmax(axis=1)] - people * 0.3
    found = room.roll(n, people, NOISE, spread)
    assert abs(gain.mean() - found.gain) < 4 * gain.std() / sims**0.5
    known = people * (arms.max(axis=1) - 0.3)
    assert abs(known.mean() - found.gain_known) < 4 * known.std() / sims**0.5
    wrong = (seen.argmax(axis=1) != arms.argmax(axis=1)).mean()
    assert abs(wrong - found.error_rate) < 4 * (wrong * (1 - wrong) / sims) ** 0.5


def test_far_smaller_than_a_test_by_power():
    """Feit & Berman's website example: 2,284 in each arm; 68 % against 70 % at power 80 % takes some 8,400."""
    best = room.profit_optimal_size(100_000, NOISE, 0.03)
    large = room.roll(n_proportions(0.68, 0.02).n_per_arm[0], 100_000, NOISE, 0.03)
    assert best.n_per_arm == pytest.approx(2_284, abs=1) and large.n_per_arm > 8_000
    assert best.gain > large.gain and best.gain < best.gain_known
    nothing = room.roll(0, 1_000, NOISE, 0.03)
    assert nothing.gain == 0 and nothing.error_rate == 0.5


# shrinkage


def test_shrinkage_by_hand():
    """Equal errors: tau^2 is the sample variance less the error's, kept shares are tau^2 / (tau^2 + v)."""
    found = room.shrink([0.0, 0.02, 0.04], [0.01] * 3)
    assert found.tau**2 == pytest.approx(0.02**2 - 0.01**2) and found.mean == pytest.approx(0.02)
    assert_allclose(found.weight, 0.75)
    assert_allclose(found.effect, [0.005, 0.02, 0.035])
    assert_allclose(found.sd, 0.01 * 0.75**0.5)
    likeliest = room.shrink([0.0, 0.02, 0.04], [0.01] * 3, method="ml")
    assert likeliest.tau**2 == pytest.approx(0.02**2 * 2 / 3 - 0.01**2, rel=1e-6)


@pytest.mark.parametrize("method", room.ESTIMATORS)
def test_tests_that_differ_by_chance_alone_all_get_the_mean(method):
    found = room.shrink([0.010, 0.011, 0.012], [0.01, 0.01, 0.02], method=method)
    assert found.tau == 0 and np.ptp(found.effect) == 0 and (found.sd == 0).all()


@pytest.mark.parametrize("method", room.ESTIMATORS)
def test_shrinkage_recovers_what_was_planted(method):
    rng, n = np.random.default_rng(20270113), 1_500
    se = rng.uniform(0.005, 0.04, n)
    truth = rng.normal(0.01, 0.02, n)
    seen = truth + rng.normal(0, se)
    found = room.shrink(seen, se, method=method)
    assert found.mean == pytest.approx(0.01, abs=0.003) and found.tau == pytest.approx(0.02, abs=0.002)
    assert ((found.effect - truth) ** 2).mean() < 0.6 * ((seen - truth) ** 2).mean()
    inside = (np.abs(found.effect - truth) < 1.96 * found.sd).mean()
    assert abs(inside - 0.95) < 4 * (0.95 * 0.05 / n) ** 0.5
    picked = np.argsort(seen / se)[-150:]  # the winners
    assert seen[picked].mean() > 1.2 * truth[picked].mean()  # overstate
    assert found.effect[picked].mean() == pytest.approx(truth[picked].mean(), rel=0.1)


def test_the_likelihood_is_at_its_summit():
    y, se = np.array([0.031, 0.012, -0.004, 0.055, -0.018]), np.array([0.015, 0.008, 0.01, 0.03, 0.01])
    found = room.shrink(y, se, method="ml")

    def log_likelihood(tau):
        total = se**2 + tau**2
        mean = (y / total).sum() / (1 / total).sum()
        return stats.norm.logpdf(y, mean, total**0.5).sum()

    best = log_likelihood(found.tau)
    assert found.tau > 0 and all(log_likelihood(tau) < best for tau in np.linspace(0, 0.2, 401) if tau != found.tau)


def test_exaggeration_by_simulation():
    rng, n = np.random.default_rng(20270114), 1_000_000
    for effect in (0.004, -0.01):
        seen = effect + 0.01 * rng.standard_normal(n)
        told = seen[np.abs(seen) > 1.959964 * 0.01]
        found = room.exaggeration(effect, 0.01)
        right = told[np.sign(told) == np.sign(effect)]
        assert abs(right.size / n - found.chance) < 4 * (found.chance / n) ** 0.5
        assert right.mean() == pytest.approx(found.expected_estimate, rel=0.01)
        assert found.exaggeration == pytest.approx(found.expected_estimate / effect)
        assert np.abs(told).mean() / abs(effect) == pytest.approx(found.type_m, rel=0.01)
        assert 1 - right.size / told.size == pytest.approx(found.type_s, abs=0.01)
    assert room.exaggeration(1.0, 0.01).exaggeration == pytest.approx(1.0)
    assert np.isfinite(room.exaggeration(1e-9, 0.01).exaggeration)


def test_sum_of_a_portfolio():
    found = room.add_up([0.02, -0.01], [0.01, 0.02], [3e6, 1e6], level=0.9)
    assert found.mean_cny == pytest.approx(50_000) and found.sd_cny == pytest.approx(np.hypot(30_000, 20_000))
    law = stats.norm(found.mean_cny, found.sd_cny)
    assert_allclose((found.interval.low, found.interval.high), law.ppf([0.05, 0.95]))
    assert found.chance_above_zero == pytest.approx(law.sf(0))
    assert room.add_up([0.02], [0.0], [1e6]).chance_above_zero == 1.0


@pytest.mark.parametrize(("call", "field", "code"), [
    (lambda: room.worth(0, 0.0, 0.1, exposed_cny=1, weeks=1), "prior_sd", "above"),
    (lambda: room.worth(0, 0.1, 0.1, exposed_cny=-1, weeks=1), "exposed_cny", "at_least"),
    (lambda: room.worth(0, 0.1, 0.1, exposed_cny=1, weeks=0), "weeks", "above"),
    (lambda: room.worth(0, 0.1, 0.1, exposed_cny=1, weeks=1, traffic_share=0), "traffic_share", "above"),
    (lambda: room.lift_se(0.0, 1.0, 1, 1), "mean", "not_zero"),
    (lambda: room.profit_optimal_size(1, 0.4, 0.1), "population", "at_least"),
    (lambda: room.roll(51, 100, 0.4, 0.1), "n_per_arm", "out_of_range"),
    (lambda: room.shrink([0.1], [0.1]), "estimates", "too_few"),
    (lambda: room.shrink([0.1, 0.2], [0.1]), "se", "shape"),
    (lambda: room.shrink([0.1, 0.2], [0.1, 0.0]), "se[1]", "above"),
    (lambda: room.shrink([0.1, 0.2], [0.1, 0.1], method="reml"), "method", "choice"),
    (lambda: room.exaggeration(0.0, 0.1), "effect", "not_zero"),
    (lambda: room.add_up([0.1], [0.1, 0.2], [1.0]), "exposed_cny", "shape"),
])
def test_bad_input_names_the_field(call, field, code):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


def _evsi(i):
    found = normal_information(i["prior_mean"], i["prior_sd"], i["se"])
    return {"evsi": found.evsi, "evpi": found.evpi, "preposterior_sd": found.preposterior_sd}


def _shrunk(method):
    def answer(i):
        found = room.shrink(i["estimates"], i["se"], method=method)
        parts = {"mu": found.mean, "tau": found.tau, "tau2": found.tau**2}
        return parts | {"posterior_mean": found.effect, "posterior_sd": found.sd}

    return answer


def _curse(i):
    found = room.exaggeration(i["delta"], i["se"], alpha=2 * stats.norm.sf(i["z_crit"]))
    told = {"p_sig": found.chance, "expected_estimate": found.expected_estimate}
    return told | {"exaggeration": found.exaggeration}


ANSWERS = {
    "evsi_normal": _evsi,
    "test_and_roll": lambda i: {
        "n_per_arm": room.profit_optimal_size(i["N"], i["response_sd"], i["prior_sd"]).n_per_arm
    },
    "winners_curse_truncated": _curse,
}


@pytest.mark.parametrize("case", shared_cases([*ANSWERS, "eb_shrinkage"]))
def test_reference(case):
    judge(case, ANSWERS | {"eb_shrinkage": _shrunk(case["id"].split("/")[-1])})
