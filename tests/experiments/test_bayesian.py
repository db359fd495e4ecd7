"""Beta and normal posteriors of an effect: exact sums, quadrature over the square, simulation, limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

from planlib.core.bayes import Beta, Normal
from planlib.core.errors import InputError
from planlib.core.information import chance_of_being_best, normal_information
from planlib.experiments import bayesian as room
from tests.experiments.shared_cases import judge, shared_cases


def exact_chance(a_c, b_c, a_t, b_t):
    """P(treatment > control) for whole a_t, as a finite sum (Evan Miller 2014)."""
    i = np.arange(a_t)
    terms = special.betaln(a_c + i, b_t + b_c) - np.log(b_t + i) - special.betaln(1 + i, b_t) - special.betaln(a_c, b_c)
    return np.exp(terms).sum()


@pytest.mark.parametrize("counts", [(200, 1000, 250, 1000), (0, 40, 3, 40), (40, 40, 38, 40), (5, 10, 50_000, 100_000),
                                    (50_000, 1_000_000, 50_600, 1_000_000), (0, 0, 0, 5), (1, 100_000, 3, 10)])
def test_chance_to_win_against_the_exact_sum(counts):
    c_x, c_n, t_x, t_n = counts
    found = room.compare_shares(*counts)
    assert found.chance_to_win == pytest.approx(exact_chance(1 + c_x, 1 + c_n - c_x, 1 + t_x, 1 + t_n - t_x), abs=1e-8)
    mirrored = room.compare_shares(t_x, t_n, c_x, c_n)
    assert mirrored.chance_to_win == pytest.approx(1 - found.chance_to_win, abs=1e-9)
    assert mirrored.loss_control == pytest.approx(found.loss_treatment, abs=1e-10)
    assert mirrored.interval.low == pytest.approx(-found.interval.high, abs=1e-8)


def test_losses_over_the_square():
    prior, (c_x, c_n, t_x, t_n) = Beta(2.0, 5.0), (3, 12, 6, 15)
    c, t = stats.beta(2 + c_x, 5 + c_n - c_x), stats.beta(2 + t_x, 5 + t_n - t_x)
    lost = integrate.dblquad(lambda y, x: (x - y) * c.pdf(x) * t.pdf(y), 0, 1, 0, lambda x: x, epsabs=1e-10)[0]
    found = room.compare_shares(c_x, c_n, t_x, t_n, prior=prior)
    assert found.loss_treatment == pytest.approx(lost, abs=1e-9)
    assert found.loss_control - found.loss_treatment == pytest.approx(found.mean)
    assert (found.control, found.treatment) == (pytest.approx(5 / 19), pytest.approx(8 / 22))


counts = st.integers(0, 400)


@settings(max_examples=25)
@given(counts, counts, counts, counts, st.sampled_from([0.5, 1.0, 3.0]))
def test_losses_differ_by_the_mean(c_x, c_more, t_x, t_more, prior):
    found = room.compare_shares(c_x, c_x + c_more, t_x, t_x + t_more, prior=Beta(prior, prior))
    assert found.loss_control - found.loss_treatment == pytest.approx(found.mean, abs=1e-9)
    assert found.interval.low < found.mean < found.interval.high
    assert 0 <= found.chance_to_win <= 1


def test_interval_by_simulation():
    rng, n = np.random.default_rng(4), 400_000
    draws = rng.beta(8.5, 31.5, n) - rng.beta(4.5, 40.5, n)
    found = room.compare_shares(4, 44, 8, 39, prior=Beta(0.5, 0.5), level=0.9)
    assert abs((draws < found.interval.low).mean() - 0.05) < 4 * (0.05 * 0.95 / n) ** 0.5
    assert abs((draws > found.interval.high).mean() - 0.05) < 4 * (0.05 * 0.95 / n) ** 0.5


@pytest.mark.parametrize("n_sims", [150, pytest.param(3_000, marks=pytest.mark.full)])
def test_intervals_cover_what_the_prior_draws(n_sims):
    """Shares drawn from the prior: the credible interval holds their difference as often as it says."""
    rng = np.random.default_rng(20270106)
    c, t = rng.beta(4, 36, (2, n_sims))
    x, y = rng.binomial(300, c), rng.binomial(200, t)
    inside = 0
    for i in range(n_sims):
        band = room.compare_shares(x[i], 300, y[i], 200, prior=Beta(4, 36), level=0.8).interval
        inside += band.low <= t[i] - c[i] <= band.high
    assert abs(inside / n_sims - 0.8) < 4 * (0.8 * 0.2 / n_sims) ** 0.5


# best of several


def test_best_of_two_is_the_chance_to_win():
    best = room.best_share([30, 42], [500, 480])
    found = room.compare_shares(30, 500, 42, 480)
    assert_allclose(best.chance, [1 - found.chance_to_win, found.chance_to_win], atol=1e-9)
    assert_allclose(best.loss, [found.loss_control, found.loss_treatment], atol=1e-9)


def test_best_of_many_by_simulation_and_like_normals():
    x, n = np.array([90, 100, 120, 5]), np.array([1000, 1000, 1100, 40])
    draws = np.random.default_rng(8).beta(1 + x, 1 + n - x, (200_000, 4))
    found = room.best_share(x, n)
    winners = np.bincount(draws.argmax(axis=1), minlength=4) / 200_000
    assert (np.abs(winners - found.chance) < 4 * np.sqrt(found.chance * (1 - found.chance) / 200_000)).all()
    lost = (draws.max(axis=1)[:, None] - draws).mean(axis=0)
    assert_allclose(found.loss, lost, atol=4e-4)
    big = 10_000 * n
    shares, sd = x / n, np.sqrt(x / n * (1 - x / n) / big)
    assert_allclose(room.best_share(10_000 * x, big).chance, chance_of_being_best(shares, sd), atol=1e-3)


def test_equal_arms_share_the_chance():
    assert_allclose(room.best_share([7] * 5, [90] * 5).chance, [0.2] * 5, atol=1e-12)


# normal


def test_a_flat_prior_is_the_one_sided_p_value():
    found = room.normal_effect(0.3, 0.2, level=0.9)
    assert found.chance_to_win == pytest.approx(1 - stats.norm.sf(1.5))
    assert_allclose((found.interval.low, found.interval.high), 0.3 + np.array([-1, 1]) * 0.2 * stats.norm.ppf(0.95))
    law = stats.norm(0.3, 0.2)
    assert found.loss_treatment == pytest.approx(law.expect(lambda x: -x, ub=0.0), abs=1e-9)
    assert found.loss_control == pytest.approx(law.expect(lambda x: x, lb=0.0), abs=1e-9)


def test_losses_are_the_value_of_perfect_information():
    found = room.normal_effect(-0.01, 0.02, prior=Normal(0.005, 0.01**2))
    sd = (1 / (1 / 0.02**2 + 1 / 0.01**2)) ** 0.5
    left = normal_information(found.mean, sd, 1.0).evpi
    assert min(found.loss_treatment, found.loss_control) == pytest.approx(left)


def test_priors_relative_and_absolute_agree():
    """The same prior of the relative effect; the relative view differs by the noise of the control alone."""
    arms = (10.0, 1e-12, 10.4, 0.04)
    rel = room.compare_values(*arms, relative=True, prior_sd_rel=0.03, prior_mean_rel=0.01)
    ab = room.compare_values(*arms, prior_sd_rel=0.03, prior_mean_rel=0.01)
    assert ab.mean == pytest.approx(10 * rel.mean) and ab.chance_to_win == pytest.approx(rel.chance_to_win)
    assert 0.01 < rel.mean < 0.04
    weak = room.compare_values(*arms, prior_sd_rel=1e4)
    assert weak.mean == pytest.approx(room.compare_values(*arms).mean)
    below = room.compare_values(-10.0, 0.04, -9.0, 0.04, relative=True)  # of a negative control
    assert below.mean == pytest.approx(-0.1) and below.loss_treatment > below.loss_control


def test_relative_by_hand():
    """Variance of 12 / 10 - 1: v_t / c^2 + v_c t^2 / c^4 = 0.0004 + 0.0004 * 1.44."""
    found = room.compare_values(10.0, 0.04, 12.0, 0.04, relative=True)
    half = stats.norm.ppf(0.975) * (0.0004 + 0.0004 * 1.44) ** 0.5
    assert_allclose((found.mean, found.interval.low, found.interval.high), (0.2, 0.2 - half, 0.2 + half))


def test_money():
    assert room.loss_cny(0.01, people=2_000, cny_per_unit=50.0) == pytest.approx(1_000.0)


@pytest.mark.parametrize(("call", "field", "code"), [
    (lambda: room.compare_shares(120, 100, 1, 10), "c_x", "out_of_range"),
    (lambda: room.compare_shares(1, 10, -1, 10), "t_x", "out_of_range"),
    (lambda: room.compare_shares(1.5, 10, 1, 10), "c_x", "not_whole"),
    (lambda: room.compare_shares(1, 10, 1, 10, level=1.0), "level", "between"),
    (lambda: room.compare_shares(1, 10, 1, 10, prior=Beta(0.0, 1.0)), "prior.a", "above"),
    (lambda: room.best_share([1], [10]), "n", "shape"),
    (lambda: room.best_share([1, 2], [10]), "n", "shape"),
    (lambda: room.best_share([1, 11], [10, 10]), "successes", "out_of_range"),
    (lambda: room.normal_effect(0.1, 0.0), "se", "above"),
    (lambda: room.normal_effect(np.nan, 0.1), "estimate", "not_finite"),
    (lambda: room.normal_effect(0.1, 0.1, prior=Normal(0.0, 0.0)), "prior.var", "above"),
    (lambda: room.compare_values(0.0, 1.0, 1.0, 1.0), "control", "not_zero"),
    (lambda: room.compare_values(1.0, 0.0, 1.0, 0.0), "treatment_variance", "above"),
    (lambda: room.compare_values(1.0, 1.0, 1.0, 1.0, prior_sd_rel=0.0), "prior_sd_rel", "above"),
    (lambda: room.loss_cny(-0.1, people=1, cny_per_unit=1), "loss", "at_least"),
])
def test_bad_input_names_the_field(call, field, code):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


def _shares(i):
    found = room.compare_shares(i["c_x"], i["c_n"], i["t_x"], i["t_n"], prior=Beta(i["a"], i["b"]))
    return _told(found) | {"posterior_mean_control": found.control, "posterior_mean_treatment": found.treatment}


def _values(relative):
    def answer(i):
        variances = (i[f"{arm}_sd"] ** 2 / i[f"{arm}_n"] for arm in "ct")
        v_c, v_t = variances
        return _told(room.compare_values(
            i["c_mean"], v_c, i["t_mean"], v_t, relative=relative, prior_sd_rel=i["prior_sd_relative"]
        ))

    return answer


def _told(found):
    return {
        "posterior_mean": found.mean, "chance_to_win": found.chance_to_win,
        "ci": (found.interval.low, found.interval.high),
        "expected_loss_choose_treatment": found.loss_treatment, "expected_loss_choose_control": found.loss_control,
    }


ANSWERS = {"bayes_beta": _shares, "bayes_best_of_k": lambda i: {"p_best": room.best_share(i["x"], i["n"]).chance}} | {
    f"bayes_normal_{prior}/{kind}": _values(kind == "relative")
    for prior in ("flat", "prior") for kind in ("absolute", "relative")
}


@pytest.mark.parametrize("case", shared_cases(ANSWERS))
def test_reference(case):
    judge(case, ANSWERS)
