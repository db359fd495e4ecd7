"""Looks: published constants, the multivariate normal, Monte Carlo; confidence sequences that hold at every look."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats
from scipy.interpolate import PchipInterpolator

from planlib.core.errors import InputError
from planlib.experiments import sequential as room
from tests.experiments.shared_cases import judge, shared_cases

Z95 = 1.959963984540054
DESIGNS = {  # every design of boundaries: looks at shares of the information, sides -> Boundaries
    **{f"classical {name}": partial(lambda d, t, s: room.classical_boundaries(t, d, sides=s), name)
       for name in room.CLASSICAL},
    **{f"spending {name}": partial(lambda d, t, s: room.spending_boundaries(t, d, exponent=2.0, sides=s), name)
       for name in room.SPENDING},
}  # fmt: skip


def stays_inside(z, times, drift=0.0):
    """Chance that no look leaves -z .. z, by the multivariate normal distribution (Genz)."""
    times, z = np.asarray(times, dtype=float), np.asarray(z, dtype=float)
    cov = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    law = stats.multivariate_normal(drift * np.sqrt(times), cov, maxpts=400_000, abseps=1e-7, releps=1e-7, seed=1)
    return law.cdf(z, lower_limit=-z)


def walks(rng, n_sims, times, drift=0.0):
    """(n_sims, K) statistics of a test at its looks."""
    steps = np.diff(times, prepend=0.0)
    score = (rng.standard_normal((n_sims, len(steps))) * np.sqrt(steps) + drift * steps).cumsum(axis=1)
    return score / np.sqrt(times)


def close_to(rate, chance, n_sims):
    return abs(rate - chance) < 4 * (chance * (1 - chance) / n_sims) ** 0.5


# boundaries


@pytest.mark.parametrize(("looks", "design", "constant"), [
    (1, "obrien_fleming", 1.960), (2, "obrien_fleming", 1.977), (5, "obrien_fleming", 2.040),
    (2, "pocock", 2.178), (3, "pocock", 2.289), (10, "pocock", 2.555),
])
def test_published_constants(looks, design, constant):
    """Jennison & Turnbull 2000, tables 2.1 and 2.3, two-sided 5 %."""
    bounds = room.classical_boundaries(looks, design)
    assert bounds.z[-1] == pytest.approx(constant, abs=6e-4)
    assert bounds.alpha_spent[-1] == pytest.approx(0.05, abs=1e-10)


@pytest.mark.parametrize(("design", "power", "factor"), [
    ("pocock", 0.8, 1.229), ("pocock", 0.9, 1.207), ("obrien_fleming", 0.8, 1.028), ("obrien_fleming", 0.9, 1.026),
])
def test_published_inflation(design, power, factor):
    """Jennison & Turnbull 2000, tables 2.2 and 2.4, five looks, two-sided 5 %."""
    assert room.inflation(room.classical_boundaries(5, design), power=power) == pytest.approx(factor, abs=6e-4)


def test_one_look_is_a_plain_test():
    for bounds in (room.classical_boundaries(1), room.spending_boundaries([1.0])):
        assert bounds.z[0] == pytest.approx(Z95, abs=1e-9)
        assert room.inflation(bounds) == pytest.approx(1.0, abs=1e-4)  # the far tail


@pytest.mark.parametrize("times", [[0.3, 0.7, 1.0], [0.1, 0.12, 1.0]])
@pytest.mark.parametrize("spending", room.SPENDING)
def test_spending_against_the_multivariate_normal(times, spending):
    bounds = room.spending_boundaries(times, spending)
    for k in range(1, 4):
        inside = stays_inside(np.minimum(bounds.z[:k], 12.0), times[:k])
        assert 1 - inside == pytest.approx(bounds.alpha_spent[k - 1], abs=2e-6)


def test_spending_functions_by_hand():
    assert_allclose(room.alpha_spent([0.25, 1.0], "power", exponent=3), [0.05 / 64, 0.05])
    assert room.alpha_spent(0.5, "pocock") == pytest.approx(0.05 * np.log(1 + (np.e - 1) / 2))
    one_side = 2 - 2 * stats.norm.cdf(stats.norm.isf(0.0125) / 0.5**0.5)
    assert room.alpha_spent(0.5, "obrien_fleming") == pytest.approx(2 * one_side)
    for spending in room.SPENDING:
        assert room.alpha_spent(1.0, spending, alpha=0.1, sides=1) == pytest.approx(0.1)


def test_a_one_sided_test_is_half_a_two_sided_one():
    """Beside the chance to cross both boundaries, which is next to nothing."""
    one, two = (room.spending_boundaries([0.4, 0.8, 1.0], alpha=a, sides=s) for a, s in ((0.025, 1), (0.05, 2)))
    assert_allclose(one.z, two.z, atol=1e-4)
    assert_allclose(one.nominal_p, two.nominal_p / 2, rtol=1e-3)
    low = room.classical_boundaries(3, sides=1, alpha=0.9)  # a level at which boundaries are below zero
    assert low.z[-1] < 0 and low.alpha_spent[-1] == pytest.approx(0.9)


def test_boundaries_up_to_now_do_not_need_the_looks_to_come():
    whole = room.spending_boundaries([0.2, 0.5, 0.8, 1.0])
    assert_allclose(room.spending_boundaries([0.2, 0.5]).z, whole.z[:2])


@pytest.mark.parametrize(("first", "spending"), [(0.001, "obrien_fleming"), (0.5, "power")])
def test_a_look_too_early_to_spend_has_no_boundary(first, spending):
    """Nothing to spend at all, or less than lies beyond any boundary that a float can tell."""
    bounds = room.spending_boundaries([first, 1.0], spending, exponent=1_060)
    assert np.isinf(bounds.z[0]) and bounds.nominal_p[0] == 0.0
    assert bounds.z[1] == pytest.approx(Z95, abs=1e-6)
    assert room.repeated_interval(bounds, 1, 0.1, 0.01) is None


def test_crossing_against_the_multivariate_normal_and_with_looks_left_out():
    times, z, drift = [0.25, 0.5, 1.0], [2.5, 2.2, 2.0], 1.7
    found = room.crossing(z, times, drift=drift)
    assert found.upper.sum() + found.lower.sum() == pytest.approx(1 - stays_inside(z, times, drift), abs=2e-6)
    mirrored = room.crossing(z, times, drift=-drift)
    assert_allclose(mirrored.lower, found.upper, atol=1e-12)
    skipped = room.crossing([np.inf, 2.2, 2.0], times, drift=drift)
    assert_allclose(skipped.upper[1:], room.crossing(z[1:], times[1:], drift=drift).upper, atol=1e-10)
    stops = found.upper + found.lower
    assert found.expected_information == pytest.approx(0.25 * stops[0] + 0.5 * stops[1] + 1 - stops[0] - stops[1])


def test_many_looks():
    bounds = room.spending_boundaries(100, "pocock")
    assert (np.diff(bounds.alpha_spent) > 0).all()
    found = room.crossing(bounds.z, bounds.information)
    assert_allclose((found.upper + found.lower).cumsum(), bounds.alpha_spent, atol=1e-9)


# type I error and power by simulation


def test_peeking_inflates_and_boundaries_hold_the_level():
    """Conversions counted in five batches, no effect."""
    n_sims, batch, rng = 20_000, 2_000, np.random.default_rng(20270103)
    x, y = rng.binomial(batch, 0.08, (2, n_sims, 5)).cumsum(axis=2)
    n = batch * np.arange(1, 6)
    pooled = (x + y) / (2 * n)
    z = np.abs((y - x) / n / np.sqrt(pooled * (1 - pooled) * 2 / n))
    assert close_to((z > Z95).any(axis=1).mean(), room.peeking_error(5), n_sims)
    for bounds in (room.classical_boundaries(5), room.classical_boundaries(5, "pocock"), room.spending_boundaries(5)):
        assert close_to((z > bounds.z).any(axis=1).mean(), 0.05, n_sims)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_keeps_its_level_and_its_repeated_intervals_cover_at_all_looks(design, sides):
    """Looks at a quarter, 60 % and the end; an effect of 1.3 standard errors at the end."""
    n_sims, times, drift = 20_000, np.array([0.25, 0.6, 1.0]), 1.3
    bounds = DESIGNS[design](times, sides)
    z = walks(np.random.default_rng(12), n_sims, times)
    crossed = (z if sides == 1 else np.abs(z)) >= bounds.z
    assert close_to(crossed.any(axis=1).mean(), 0.05, n_sims)
    z, se = walks(np.random.default_rng(13), n_sims, times, drift), 1 / np.sqrt(times)
    held = np.ones(n_sims, dtype=bool)
    for k in range(3):
        band = room.repeated_interval(bounds, k + 1, 0.0, se[k])
        held &= (z[:, k] * se[k] + band.low <= drift) & (drift <= z[:, k] * se[k] + band.high)
    assert close_to(held.mean(), 0.95, n_sims)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_enlarged_test_has_its_power(design, sides):
    n_sims, times = 20_000, np.array([0.3, 0.6, 1.0])
    bounds = DESIGNS[design](times, sides)
    drift = (stats.norm.isf(0.05 / sides) + stats.norm.ppf(0.8)) * room.inflation(bounds) ** 0.5
    z = walks(np.random.default_rng(11), n_sims, times, drift)
    over = z >= bounds.z
    assert close_to(over.any(axis=1).mean(), 0.8, n_sims)
    used = np.where(over.any(axis=1), times[over.argmax(axis=1)], 1.0)
    expected = room.crossing(bounds.z, times, drift=drift, sides=sides).expected_information
    assert abs(used.mean() - expected) < 4 * used.std() / n_sims**0.5


# what a stopped test says


def test_at_the_boundary_the_p_value_is_what_was_spent():
    bounds = room.spending_boundaries([0.3, 0.6, 1.0], "pocock")
    for k in range(1, 4):
        found = room.stopped(bounds, k, bounds.z[k - 1] * 0.01, 0.01)
        assert found.p_value == pytest.approx(bounds.alpha_spent[k - 1], abs=1e-8)
    assert found.interval.low == pytest.approx(0.0, abs=1e-8) and found.interval.level == 0.95
    down = room.stopped(bounds, 2, -0.03, 0.01)
    up = room.stopped(bounds, 2, 0.03, 0.01)
    assert_allclose((down.estimate, down.interval.high, down.p_value), (-up.estimate, -up.interval.low, up.p_value))


def test_stopping_early_pulls_the_estimate_in():
    bounds = room.spending_boundaries([0.3, 0.6, 1.0], "pocock")
    found = room.stopped(bounds, 2, 0.026, 0.01)
    assert found.estimate < 0.026 and found.interval.low < 0.026 - Z95 * 0.01
    naive = room.stopped(room.spending_boundaries([1.0]), 1, 0.026, 0.01)
    assert_allclose((naive.estimate, naive.interval.low, naive.interval.high), (0.026, 0.0064004, 0.0455996), atol=1e-7)


def test_limits_by_the_bivariate_normal():
    bounds, z2 = room.spending_boundaries([0.5, 1.0], "pocock"), 2.4
    found = room.stopped(bounds, 2, z2, 1.0)
    for theta, chance in ((found.interval.low, 0.025), (found.interval.high, 0.975), (found.estimate, 0.5)):
        cov = [[1, 0.5**0.5], [0.5**0.5, 1]]
        law = stats.multivariate_normal([theta * 0.5**0.5, theta], cov)
        c = bounds.z[0]
        inside = law.cdf([c, 50], lower_limit=[-c, z2])
        assert stats.norm.sf(c - theta * 0.5**0.5) + inside == pytest.approx(chance, abs=1e-5)


@pytest.mark.parametrize("drift", [0.0, 2.5])
@pytest.mark.parametrize("spending", room.SPENDING)
def test_the_adjusted_interval_covers(spending, drift):
    n_sims, times = 20_000, np.array([0.25, 0.5, 0.75, 1.0])
    bounds = room.spending_boundaries(times, spending, exponent=2.0)
    z = walks(np.random.default_rng(5), n_sims, times, drift)
    over = np.abs(z) >= bounds.z
    look = np.where(over.any(axis=1), over.argmax(axis=1), 3)
    at = z[np.arange(n_sims), look]
    covered, above = np.zeros(n_sims, dtype=bool), np.zeros(n_sims, dtype=bool)
    for k in range(4):
        mine, root = look == k, times[k] ** 0.5
        ends = bounds.z[k] if k < 3 else 0.0
        for sign in (-1, 1):
            grid = sign * np.linspace(ends, max(7.0, ends + 2), 8)
            told = [room.stopped(bounds, k + 1, value, 1.0) for value in grid]
            here = mine & (np.sign(at) == sign)
            order = np.argsort(grid)
            low, high, middle = (
                PchipInterpolator(grid[order], np.array([f(t) for t in told])[order])(at[here]) / root
                for f in (lambda t: t.interval.low, lambda t: t.interval.high, lambda t: t.estimate)
            )
            covered[here] = (low <= drift) & (drift <= high)
            above[here] = middle > drift
    assert close_to(covered.mean(), 0.95, n_sims)
    assert close_to(above.mean(), 0.5, n_sims)
    if drift == 0.0 and spending == "pocock":  # a plain interval read where the boundary was crossed
        assert (np.abs(at) < Z95).mean() < 0.935


def test_one_sided_stop():
    bounds = room.spending_boundaries([0.5, 1.0], sides=1, alpha=0.025)
    found = room.stopped(bounds, 2, bounds.z[1] * 0.01, 0.01)
    assert found.p_value == pytest.approx(0.025, abs=1e-8) and np.isinf(found.interval.high)
    assert found.interval.low == pytest.approx(0.0, abs=1e-8)
    band = room.repeated_interval(bounds, 2, 0.02, 0.01)
    assert band.low == pytest.approx(0.02 - bounds.z[1] * 0.01) and np.isinf(band.high)


# confidence sequences


def test_confidence_sequence_by_hand():
    """n = tuning = 100, se = 1: sigma^2 = 100, rho^2 = (5.991465 + ln 6.991465) / 100."""
    found = room.confidence_sequence(2.0, 1.0, 100, tuning_n=100)
    grown = 1 + 5.991464547 + np.log(6.991464547)
    half = np.sqrt(2 * grown / (grown - 1) * np.log(grown**0.5 / 0.05))
    assert_allclose((found.low, found.high), (2 - half, 2 + half))
    assert found.e_value == pytest.approx(np.exp((grown - 1) * 4 / (2 * grown)) / grown**0.5)


def test_sequence_and_p_value_agree():
    """The interval leaves out zero exactly where p < alpha; both are one look of arrays of looks."""
    rng = np.random.default_rng(3)
    estimate, se = rng.normal(0, 3, (4, 50)), rng.uniform(0.5, 1.5, (4, 50))
    n = np.tile(np.arange(100, 5100, 100), (4, 1))
    found = room.confidence_sequence(estimate, se, n, tuning_n=1000)
    assert (((found.low > 0) | (found.high < 0)) == (found.p_value < 0.05)).all()
    assert_allclose(found.p_so_far, np.minimum.accumulate(found.p_value, axis=1))
    assert found.p_value.max() == 1.0 and found.e_value.min() < 1.0
    one = room.confidence_sequence(estimate[2, 7], se[2, 7], n[2, 7], tuning_n=1000)
    assert one.low == found.low[2, 7] and one.p_so_far == one.p_value == found.p_value[2, 7]
    again = room.msprt(estimate, se**2, tau=0.7)
    assert (((again.low > 0) | (again.high < 0)) == (again.p_value < 0.05)).all()


def test_the_sequence_is_shortest_near_its_tuning():
    n = np.arange(100, 20_000, 100)
    found = room.confidence_sequence(np.zeros(n.size), 10 / np.sqrt(n), n, tuning_n=5000)
    loss = found.high / (Z95 * 10 / np.sqrt(n))
    assert abs(n[loss.argmin()] - 5000) < 1500 and loss.min() > 1.3


def test_msprt_is_the_mixture_of_likelihood_ratios():
    d, v, tau = 0.031, 2e-4, 0.015
    ratio = integrate.quad(
        lambda x: stats.norm.pdf(x, 0, tau) * stats.norm.pdf(d, x, v**0.5) / stats.norm.pdf(d, 0, v**0.5), -0.2, 0.2,
        points=[0.0, d], epsabs=1e-13,
    )[0]
    found = room.msprt(d, v, tau=tau)
    assert found.e_value == pytest.approx(ratio, rel=1e-8)
    shifted = room.msprt(d - found.low, v, tau=tau)  # at the limit the likelihood ratio is 1 / alpha
    assert shifted.e_value == pytest.approx(20.0)


def test_strong_evidence_does_not_overflow_into_p():
    found = room.msprt(5.0, 1e-6, tau=1.0)
    assert found.p_value == 0.0 and np.isinf(found.e_value)


def anytime(rng, n_sims, arm, effect):
    """Estimates, standard errors and people of two arms of skewed values at looks 100 people a arm apart."""
    looks = np.arange(200, arm + 1, 100)
    c, t = rng.exponential(1.0, (2, n_sims, arm))
    t += effect
    sums = [x.cumsum(axis=1)[:, looks - 1] for x in (c, t, c * c, t * t)]
    means = [s / looks for s in sums]
    variance = (means[2] - means[0] ** 2 + means[3] - means[1] ** 2) / (looks - 1)
    return means[1] - means[0], np.sqrt(variance), np.broadcast_to(2 * looks, means[0].shape)


@pytest.mark.parametrize(("n_sims", "arm"), [(600, 3_000), pytest.param(3_000, 20_000, marks=pytest.mark.full)])
def test_confidence_sequences_cover_at_all_looks(n_sims, arm):
    effect, rng = 0.1, np.random.default_rng(20270104)
    missed = {"sequence": 0, "msprt": 0, "naive": 0}
    for _ in range(n_sims // 100):  # in parts, for memory
        estimate, se, n = anytime(rng, 100, arm, effect)
        cs = room.confidence_sequence(estimate, se, n, tuning_n=1_000)
        mixed = room.msprt(estimate, se**2, tau=0.1)
        missed["sequence"] += ((cs.low > effect) | (cs.high < effect)).any(axis=1).sum()
        missed["msprt"] += ((mixed.low > effect) | (mixed.high < effect)).any(axis=1).sum()
        missed["naive"] += (np.abs(estimate - effect) > Z95 * se).any(axis=1).sum()
    room_for_chance = 4 * (0.05 * 0.95 / n_sims) ** 0.5
    for name in ("sequence", "msprt"):
        assert 0.002 < missed[name] / n_sims < 0.05 + room_for_chance, name
    assert missed["naive"] / n_sims > 0.15


@pytest.mark.parametrize("method", ["sequence", "msprt"])
def test_sequences_have_the_power_of_their_looks(method):
    """At one look that of a normal effect beyond the half-width; looks add to it."""
    n_sims, effect, sd = 20_000, 0.1, 1.0
    looks = np.array([500, 1_000, 2_000, 8_000])  # people in both arms
    se = 2 * sd / np.sqrt(looks)
    steps = np.diff(looks, prepend=0)
    drawn = np.random.default_rng(14).standard_normal((n_sims, 4)) * np.sqrt(steps)
    estimate = effect + 2 * sd * drawn.cumsum(axis=1) / looks
    if method == "sequence":
        found = room.confidence_sequence(estimate, np.broadcast_to(se, estimate.shape), looks + 0 * estimate,
                                         tuning_n=2_000)  # fmt: skip
    else:
        found = room.msprt(estimate, np.broadcast_to(se**2, estimate.shape), tau=0.1)
    half = (found.high - found.low)[0] / 2
    expected = stats.norm.sf((half - effect) / se) + stats.norm.cdf((-half - effect) / se)
    rejected = found.p_value < 0.05
    for k in range(4):
        assert close_to(rejected[:, k].mean(), expected[k], n_sims)
    so_far = (found.p_so_far < 0.05).mean(axis=0)
    assert (so_far >= rejected.mean(axis=0)).all() and (np.diff(so_far) > 0).all() and so_far[-1] > 0.9


# bad input


@pytest.mark.parametrize(("call", "field", "code"), [
    (lambda: room.classical_boundaries([0.5, 0.4]), "information", "information"),
    (lambda: room.classical_boundaries([0.5, 0.50001]), "information", "information"),
    (lambda: room.classical_boundaries(0), "information", "out_of_range"),
    (lambda: room.classical_boundaries(3, "haybittle"), "design", "choice"),
    (lambda: room.classical_boundaries(3, alpha=1.0), "alpha", "between"),
    (lambda: room.classical_boundaries(3, sides=3), "sides", "choice"),
    (lambda: room.spending_boundaries([0.5, 1.1]), "information", "information"),
    (lambda: room.spending_boundaries([]), "information", "empty"),
    (lambda: room.spending_boundaries([0.5, np.nan]), "information[1]", "not_finite"),
    (lambda: room.spending_boundaries(3, "linear"), "spending", "choice"),
    (lambda: room.spending_boundaries(3, "power", exponent=0), "exponent", "above"),
    (lambda: room.alpha_spent([0.0]), "information[0]", "above"),
    (lambda: room.crossing([2.0], [0.5, 1.0]), "z", "shape"),
    (lambda: room.crossing(["a", 2.0], [0.5, 1.0]), "z", "not_number"),
    (lambda: room.crossing([2.0], [1.0], drift=np.inf), "drift", "not_finite"),
    (lambda: room.inflation(room.classical_boundaries(2), power=1.0), "power", "between"),
    (lambda: room.repeated_interval(room.classical_boundaries(2), 3, 0.1, 0.1), "look", "out_of_range"),
    (lambda: room.stopped(room.classical_boundaries(2), 1, 0.1, 0.1), "estimate", "not_stopped"),
    (lambda: room.stopped(room.classical_boundaries(2), 2, 0.1, 0.0), "se", "above"),
    (lambda: room.confidence_sequence(0.1, [0.1, 0.2], 10, tuning_n=10), "n", "shape"),
    (lambda: room.confidence_sequence(0.1, 0.0, 10, tuning_n=10), "se", "above"),
    (lambda: room.confidence_sequence(0.1, 0.1, 10, tuning_n=0), "tuning_n", "above"),
    (lambda: room.msprt(0.1, 0.1, tau=0.0), "tau", "above"),
    (lambda: room.msprt(0.1, 0.1, tau=1.0, alpha=0.0), "alpha", "between"),
])
def test_bad_input_names_the_field(call, field, code):
    with pytest.raises(InputError) as caught:
        call()
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)
    assert caught.value.render("zh")


# the independent reference cases


def _bounds(i, design):
    found = room.classical_boundaries(i["K"], design, alpha=i["alpha"], sides=i["sides"])
    return {"constant": found.z[-1], "z_bounds": found.z, "nominal_p": found.nominal_p}


def _spending(i):
    name = i["spending"]
    known = {"alpha*t^2": ("power", 2.0), "alpha*t^3": ("power", 3.0), "Lan-DeMets OBF": ("obrien_fleming", 1.0)}
    spending, exponent = next(value for key, value in known.items() if key in name)
    found = room.spending_boundaries(i["information"], spending, alpha=i["alpha"], exponent=exponent)
    return {"z_bounds": found.z, "alpha_spent": found.alpha_spent, "nominal_p": found.nominal_p}


def _sequence(i, relative):
    c, v_c, v_t = i["c_mean"], i["c_sd"] ** 2 / i["c_n"], i["t_sd"] ** 2 / i["t_n"]
    diff = i["t_mean"] - c
    variance = v_t / c**2 + v_c * i["t_mean"] ** 2 / c**4 if relative else v_c + v_t
    n, alpha = i["c_n"] + i["t_n"], i["alpha"]
    found = room.confidence_sequence(
        diff / c if relative else diff, variance**0.5, n, tuning_n=i["tuning"], alpha=alpha
    )
    rho = ((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / i["tuning"]) ** 0.5
    return {
        "diff": diff, "lift": diff / c, "rho": rho, "half_width": (found.high - found.low) / 2,
        "ci": (found.low, found.high), "p_value": found.p_value, "e_value": found.e_value,
    }


def _msprt(i):
    found = room.msprt(i["diff"], i["var_diff"], tau=i["tau"], alpha=i["alpha"])
    return {"lr": found.e_value, "p_value": found.p_value, "ci": (found.low, found.high)}


ANSWERS = {
    "gs_obf": lambda i: _bounds(i, "obrien_fleming"),
    "gs_pocock": lambda i: _bounds(i, "pocock"),
    "gs_spending": _spending,
    "gs_peeking_inflation": lambda i: {"error": [room.peeking_error(k, alpha=i["alpha"]) for k in i["K"]]},
    "always_valid_abs": lambda i: _sequence(i, relative=False),
    "always_valid_rel": lambda i: _sequence(i, relative=True),
    "always_valid_msprt": _msprt,
}


@pytest.mark.parametrize("case", shared_cases(ANSWERS))
def test_reference(case):
    judge(case, ANSWERS)
