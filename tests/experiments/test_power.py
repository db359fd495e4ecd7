"""Sample size, power, smallest effect, duration: tables, inverses, simulation."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.experiments import power as room

calm = settings(deadline=None, derandomize=True)
allocations = st.sampled_from([(1, 1), (1, 2), (9, 1), (1, 1, 1), (2, 1, 1, 1)])
variances = st.sampled_from(room.VARIANCES)


# the seed document


@pytest.mark.parametrize(
    "p, mde, per_arm", [(0.08, 0.008, 18_869), (0.08, 0.04, 880), (0.012, 0.0012, 135_621)]
)
def test_seed_sizes(p, mde, per_arm):
    size = room.n_proportions(p, mde)
    assert size.n_per_arm == (per_arm, per_arm)
    assert size.n_total == 2 * per_arm
    assert size.method == "proportion_unpooled_z"


def test_seed_test_on_the_low_baseline_is_refused():
    size = room.n_proportions(0.012, 0.0012)
    assert room.months_of_intake(size.n_total, 50_000) == pytest.approx(5.4, abs=0.05)
    booking = room.book([size.n_total], [50_000.0] * 12, max_months=3)
    assert booking.refused.all() and booking.booked.sum() == 0


def test_planted_effect_is_found_with_the_power_asked_for():
    """8 % against 12 % with 880 in each arm, read out by the pooled z test."""
    n, n_sims, rng = 880, 40_000, np.random.default_rng(20270101)
    x, y = rng.binomial(n, 0.08, n_sims), rng.binomial(n, 0.12, n_sims)
    pooled = (x + y) / (2 * n)
    z = (y - x) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    rate = (np.abs(z) > 1.959963984540054).mean()
    expected = room.power_proportions(0.08, 0.04, n, variance="pooled")
    assert abs(rate - expected) < 4 * (0.8 * 0.2 / n_sims) ** 0.5 + 0.002
    assert abs(rate - 0.80) < 0.015


@pytest.mark.parametrize("allocation", [(1, 1), (1, 3)])
def test_mean_power_by_simulation(allocation):
    n_c, n_sims, rng = 24, 20_000, np.random.default_rng(7)
    n_t = n_c * allocation[1]
    x = rng.normal(0.0, 1.0, (n_sims, n_c))
    y = rng.normal(0.6, 1.0, (n_sims, n_t))
    pooled = (x.var(axis=1, ddof=1) * (n_c - 1) + y.var(axis=1, ddof=1) * (n_t - 1)) / (n_c + n_t - 2)
    t = (y.mean(axis=1) - x.mean(axis=1)) / np.sqrt(pooled * (1 / n_c + 1 / n_t))
    from scipy.special import stdtrit

    rate = (np.abs(t) > stdtrit(n_c + n_t - 2, 0.975)).mean()
    expected = room.power_means(0.6, n_c, sd=1.0, allocation=allocation)
    assert abs(rate - expected) < 4 * (expected * (1 - expected) / n_sims) ** 0.5


# published tables


def test_published():
    # R: power.prop.test(n = 50, p1 = .50, p2 = .75) -> 0.740; power.t.test(n = 20, delta = 1, sd = 1) -> 0.869
    near = room.power_proportions(0.50, 0.25, 50, variance="pooled", both_tails=False)
    assert near == pytest.approx(0.7401659, abs=1e-6)
    assert room.power_means(1.0, 20, sd=1.0) == pytest.approx(0.8689528, abs=1e-6)
    # R: power.prop.test(p1 = .50, p2 = .75, power = .90) -> n = 76.7
    size = room.n_proportions(0.50, 0.25, power=0.90, variance="pooled")
    assert size.n_control_exact == pytest.approx(76.7, abs=0.05)
    # R: power.t.test(delta = 1, sd = 1, power = .90) -> 22.02110; one-sided 17.84713
    assert room.n_means(1.0, sd=1.0, power=0.90).n_control_exact == pytest.approx(22.02110, abs=1e-4)
    assert room.n_means(1.0, sd=1.0, power=0.90, sides=1).n_control_exact == pytest.approx(17.84713, abs=1e-4)


def test_size_against_statsmodels():
    from statsmodels.stats.power import NormalIndPower, TTestIndPower

    size = room.n_means(0.3, sd=2.0, alpha=0.01, power=0.9, allocation=(9, 1))
    peer = TTestIndPower().solve_power(0.15, alpha=0.01, power=0.9, ratio=1 / 9)
    assert size.n_control_exact == pytest.approx(peer, rel=1e-6)
    normal = room.n_means(0.3, sd=2.0, alpha=0.01, power=0.9, allocation=(9, 1), distribution="z")
    peer = NormalIndPower().solve_power(0.15, alpha=0.01, power=0.9, ratio=1 / 9)
    assert normal.n_control_exact == pytest.approx(peer, rel=1e-6)


def test_several_arms():
    one = room.n_proportions(0.1, 0.02)
    three = room.n_proportions(0.1, 0.02, allocation=(1, 1, 1, 1))
    assert three.alpha_each == pytest.approx(0.05 / 3)
    assert three.n_per_arm[0] > one.n_per_arm[0] and len(three.n_per_arm) == 4
    loose = room.n_proportions(0.1, 0.02, allocation=(1, 1, 1, 1), correction="none")
    assert loose.n_per_arm[0] == one.n_per_arm[0]
    # the smallest treatment decides
    uneven = room.n_proportions(0.1, 0.02, allocation=(1, 2, 0.5), correction="none")
    assert uneven.n_control_exact == pytest.approx(room.n_proportions(0.1, 0.02, allocation=(1, 0.5)).n_control_exact)


def test_best_control_share_minimises_the_total():
    k = 3
    best = room.control_share(k)

    def total(share):
        arms = (share, *[(1 - share) / k] * k)
        exact = room.n_means(0.1, sd=1.0, allocation=arms, distribution="z").n_control_exact
        return exact / share

    assert total(best) < min(total(best - 0.03), total(best + 0.03))


def test_factors():
    plain = room.n_means(0.5, sd=10.0, distribution="z").n_control_exact
    clustered = room.n_means(0.5, sd=10.0, distribution="z", variance_factor=room.design_effect(20, 0.05))
    assert clustered.n_control_exact == pytest.approx(1.95 * plain)
    assert room.cuped_factor(-0.5) == room.cuped_factor(0.5) == 0.75
    assert room.n_proportions(0.1, 0.02, variance_factor=0.75).n_control_exact == pytest.approx(
        0.75 * room.n_proportions(0.1, 0.02).n_control_exact
    )


# inverses


@calm
@given(
    st.floats(0.02, 0.9), st.floats(0.05, 0.9), st.floats(0.3, 0.95), st.sampled_from([1, 2]), allocations, variances,
    st.sampled_from([1, -1]),
)
def test_proportion_size_power_and_effect_invert_each_other(p, part, power, sides, allocation, variance, direction):
    mde = direction * part * ((1 - p) if direction == 1 else p)
    settings_ = {"sides": sides, "allocation": allocation, "variance": variance}
    n = room.n_proportions(p, mde, power=power, **settings_).n_control_exact
    assert room.power_proportions(p, mde, n, both_tails=False, **settings_) == pytest.approx(power, abs=1e-9)
    found = room.mde_proportions(p, n * (1 + 1e-12), power=power, direction=direction, **settings_)
    if power >= 0.5:
        assert found == pytest.approx(mde, rel=1e-9)
    else:  # a smaller effect may need as few people, where the alternative is wider than the null
        assert abs(found) <= abs(mde) * (1 + 1e-9)
        again = room.n_proportions(p, found, power=power, **settings_).n_control_exact
        assert again == pytest.approx(n, rel=1e-6)


def test_an_effect_that_only_a_middle_share_shows_is_found():
    uneven = {"power": 0.3125, "sides": 1, "allocation": (9, 1), "variance": "pooled"}
    n = room.n_proportions(0.0625, 0.46875, **uneven).n_control_exact
    assert room.mde_proportions(0.0625, n * (1 + 1e-12), **uneven) == pytest.approx(0.46875, rel=1e-9)


@calm
@given(
    st.floats(0.01, 2.0), st.floats(0.5, 5.0), st.floats(0.3, 0.95), st.sampled_from([1, 2]), allocations,
    st.sampled_from(room.DISTRIBUTIONS),
)
def test_mean_size_power_and_effect_invert_each_other(part, sd, power, sides, allocation, distribution):
    mde = part * sd
    settings_ = {"sd": sd, "sides": sides, "allocation": allocation, "distribution": distribution}
    n = room.n_means(mde, power=power, **settings_).n_control_exact
    if distribution == "t" and n * (1 + min(allocation[1:]) / allocation[0]) < 2.01:
        return  # the smallest t test there is
    assert room.power_means(mde, n, both_tails=False, **settings_) == pytest.approx(power, abs=1e-8)
    assert room.mde_means(n, power=power, **settings_) == pytest.approx(mde, rel=1e-7)


@calm
@given(st.floats(0.02, 0.9), st.floats(0.05, 0.5), st.floats(0.3, 0.9), allocations, variances)
def test_more_power_or_a_smaller_effect_needs_more_people(p, part, power, allocation, variance):
    mde = part * (1 - p)
    few = room.n_proportions(p, mde, power=power, allocation=allocation, variance=variance).n_control_exact
    for effect, chance in ((mde, power + 0.05), (mde * 0.9, power)):
        more = room.n_proportions(p, effect, power=chance, allocation=allocation, variance=variance)
        assert more.n_control_exact > few


def test_both_tails_count_only_in_two_sided_tests():
    near = room.power_proportions(0.1, 0.001, 100, both_tails=False)
    assert room.power_proportions(0.1, 0.001, 100) > near
    one = room.power_means(0.01, 10, sd=1.0, sides=1)
    assert one == room.power_means(0.01, 10, sd=1.0, sides=1, both_tails=False)


def test_power_without_effect_approaches_the_level():
    assert room.power_means(1e-9, 1000, sd=1.0) == pytest.approx(0.05, abs=1e-6)


def test_a_test_too_small_for_any_effect_says_so():
    assert room.mde_proportions(0.99, 5) is None
    assert room.mde_proportions(0.01, 5, direction=-1) is None


# time


def test_duration():
    assert room.duration(31_234, 1500, per="day", exposure=0.8) == room.Duration(31_234 / 1200, 27, 4, 28)
    assert room.duration(14_000, 7_000).weeks == 2
    assert room.duration(14_001, 7_000).weeks == 3
    assert room.duration(10, 7_000, min_weeks=2).weeks == 2
    assert room.duration(50_000, 50_000, per="month").days_exact == pytest.approx(365 / 12)


def test_booking_by_hand():
    got = room.book([60_000, 30_000, 400_000, 20_000], [50_000.0, 50_000.0, 50_000.0], max_months=2)
    assert_allclose(got.booked, [[50_000, 10_000, 0], [0, 30_000, 0], [0, 0, 0], [0, 10_000, 10_000]])
    assert got.start_month.tolist() == [1, 2, 0, 2]
    assert got.refused.tolist() == [False, False, True, False]


@calm
@given(
    st.lists(st.floats(1, 2e5), min_size=1, max_size=8), st.lists(st.floats(0, 6e4), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_booked_people_never_exceed_the_intake(needs, intake, longest):
    got = room.book(needs, intake, max_months=longest)
    assert (got.booked.sum(axis=0) <= np.array(intake) * (1 + 1e-9) + 1e-6).all()
    for e, need in enumerate(needs):
        months = np.flatnonzero(got.booked[e] > 0)
        if got.refused[e]:
            assert months.size == 0 and got.start_month[e] == 0
        else:
            assert got.booked[e].sum() == pytest.approx(need)
            assert months[0] + 1 == got.start_month[e]
            assert months[-1] - months[0] < longest


# bad input


@pytest.mark.parametrize(
    "change, field, code",
    [
        ({"mde_abs": 0}, "mde_abs", "not_zero"),
        ({"mde_abs": 0.95}, "mde_abs", "between"),
        ({"mde_abs": -0.1}, "mde_abs", "between"),
        ({"mde_abs": np.nan}, "mde_abs", "not_finite"),
        ({"p_control": 0.0}, "p_control", "between"),
        ({"p_control": 8.0}, "p_control", "between"),
        ({"p_control": "8%"}, "p_control", "not_number"),
        ({"power": 1.0}, "power", "between"),
        ({"power": 0.04}, "power", "between"),
        ({"alpha": 0.0}, "alpha", "between"),
        ({"sides": 3}, "sides", "choice"),
        ({"allocation": (1,)}, "allocation", "too_few"),
        ({"allocation": ()}, "allocation", "empty"),
        ({"allocation": (1, 0)}, "allocation[1]", "above"),
        ({"correction": "holm"}, "correction", "choice"),
        ({"variance": "welch"}, "variance", "choice"),
        ({"variance_factor": 0.0}, "variance_factor", "above"),
    ],
)
def test_bad_input_names_the_field(change, field, code):
    arguments = {"p_control": 0.1, "mde_abs": 0.02} | change
    with pytest.raises(InputError) as caught:
        room.n_proportions(arguments.pop("p_control"), arguments.pop("mde_abs"), **arguments)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, code)


@pytest.mark.parametrize("call, field", [
    (lambda: room.n_means(0.0, sd=1.0), "mde_abs"),
    (lambda: room.n_means(1.0, sd=0.0), "sd"),
    (lambda: room.n_means(1.0, sd=1.0, sd_treatment=-1.0), "sd_treatment"),
    (lambda: room.n_means(1.0, sd=1.0, distribution="exact"), "distribution"),
    (lambda: room.power_means(1.0, 1.0, sd=1.0), "n_control"),
    (lambda: room.mde_means(1.0, sd=1.0), "n_control"),
    (lambda: room.power_proportions(0.1, 0.02, 0), "n_control"),
    (lambda: room.mde_proportions(0.1, np.inf), "n_control"),
    (lambda: room.mde_proportions(0.1, 10, direction=0), "direction"),
    (lambda: room.design_effect(0.5, 0.1), "cluster_size"),
    (lambda: room.cuped_factor(1.0), "rho"),
    (lambda: room.control_share(0), "treatments"),
    (lambda: room.duration(0, 100), "n_total"),
    (lambda: room.duration(10, 0), "eligible"),
    (lambda: room.duration(10, 10, exposure=1.5), "exposure"),
    (lambda: room.duration(10, 10, per="year"), "per"),
    (lambda: room.book([-1.0], [10.0]), "n_totals[0]"),
    (lambda: room.book([1.0], []), "intake"),
    (lambda: room.months_of_intake(10, 0), "monthly_intake"),
])
def test_other_bad_input(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


# the independent reference cases, where the folder is given


def _reference():
    folder = os.environ.get("PLANLIB_REFERENCE")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="PLANLIB_REFERENCE names no folder"))]
    cases = json.loads(Path(folder, "experiments.json").read_text(encoding="utf-8"))["cases"]
    known = [case for case in cases if case["procedure"] in ANSWERS]
    return [pytest.param(case, id=case["id"]) for case in known]


def _n_prop(i):
    size = room.n_proportions(
        i["p_control"], i["p_treatment"] - i["p_control"], alpha=i["alpha"], power=i["power"],
        allocation=(1, i["ratio"]), variance="pooled",
    )
    whole = {"n_control_ceil": size.n_per_arm[0], "n_treatment_ceil": size.n_per_arm[1]}
    return {"n_control": size.n_control_exact} | whole


def _n_mean(i):
    both = {"sd": i["sd"], "alpha": i["alpha"], "power": i["power"], "allocation": (1, i["ratio"])}
    return {f"n_control_{d}": room.n_means(i["delta"], distribution=d, **both).n_control_exact for d in "tz"}


def _n_total_k(i):
    if not i["binary"]:
        sd = i["var"] ** 0.5
        size = room.n_means(
            i["avg"] * i["mde_rel"], sd=sd, alpha=i["alpha"], power=i["power"], allocation=i["weights"],
            correction=i["correction"], distribution="z",
        )
    else:
        size = room.n_proportions(
            i["avg"], i["avg"] * i["mde_rel"], alpha=i["alpha"], power=i["power"], allocation=i["weights"],
            correction=i["correction"],
        )
    return {"n_total": size.n_control_exact * sum(i["weights"]) / i["weights"][0]}


def _power_prop(i):
    both = {"alpha": i["alpha"], "allocation": (1, i["ratio"]), "variance": "pooled"}
    call = (i["p_control"], i["p_treatment"] - i["p_control"], i["n_control"])
    return {
        "power": room.power_proportions(*call, **both),
        "power_near_tail": room.power_proportions(*call, both_tails=False, **both),
    }


def _mde_prop(i):
    both = {"alpha": i["alpha"], "power": i["power"], "allocation": (1, i["ratio"]), "variance": "pooled"}
    mde = room.mde_proportions(i["p_control"], i["n_control"], **both)
    return {"mde_abs": mde, "mde_rel": mde / i["p_control"]}


def _duration(i):
    d = room.duration(i["n_total"], i["daily_traffic"], per="day", exposure=i["exposure"])
    return {"days_exact": d.days_exact, "days": d.days, "weeks": d.weeks, "days_rounded": d.days_whole_weeks}


def _z_mean(i, factor):
    size = room.n_means(
        i["delta"], sd=i["sd"], alpha=i["alpha"], power=i["power"], distribution="z", variance_factor=factor
    )
    return {"n_control_z": size.n_control_exact}


ANSWERS = {
    "power_n_prop": _n_prop,
    "power_n_mean": _n_mean,
    "power_n_unpooled_k": _n_total_k,
    "power_prop": _power_prop,
    "power_mean": lambda i: {
        "power": room.power_means(i["delta"], i["n_control"], sd=i["sd"], alpha=i["alpha"], allocation=(1, i["ratio"]))
    },
    "power_mde_prop": _mde_prop,
    "power_cuped_n": lambda i: _z_mean(i, room.cuped_factor(i["rho"])),
    "power_cluster_deff": lambda i: _z_mean(i, room.design_effect(i["m"], i["icc"])),
    "power_sqrtk_allocation": lambda i: {"control_share": room.control_share(i["k"])},
    "power_tt_mean/power": lambda i: {
        "power": room.power_means(
            i["mean"] * i["rel_effect"], i["n_total"] / 2, sd=i["var"] ** 0.5, alpha=i["alpha"]
        )
    },
    "power_tt_mean/n_obs": lambda i: {
        "n_obs": room.n_means(
            i["mean"] * i["rel_effect"], sd=i["var"] ** 0.5, alpha=i["alpha"], power=i["power"]
        ).n_total
    },
    "power_tt_mean/rel_effect_size": lambda i: {
        "effect_size": room.mde_means(i["n_total"] / 2, sd=i["var"] ** 0.5, alpha=i["alpha"], power=i["power"])
    },
    "duration": _duration,
}


@pytest.mark.parametrize("case", _reference())
def test_reference(case):
    got = ANSWERS[case["procedure"]](case["input"])
    rel = case["tolerance"] if case["tolerance_kind"] == "rel" else 0.0
    absolute = case["tolerance"] if case["tolerance_kind"] == "abs" else 1e-12
    for name, value in got.items():
        assert value == pytest.approx(case["expected"][name], rel=rel, abs=absolute), name
