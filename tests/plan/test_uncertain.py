"""What the funnel reads from a plan: distributions, draws, drivers, and the levels that targets ask for."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.periods import monthly_rate
from planlib.funnel.model import Drivers, run
from planlib.plan import inputs, leaves, load_plan, uncertain

HERE = Path(__file__).parent
MINIMAL = HERE / "minimal.yaml"
SHIPPED = [HERE.parents[1] / "params" / name for name in ("wechat_platform.yaml", "private_domain_2026.yaml")]


def plan(*sets):
    return load_plan(MINIMAL, sets=sets)


def source(value, **more):
    fields = ", ".join(f"{k}: {v}" for k, v in {"value": value, **more, "source": "W2.2"}.items())
    return f"{{{fields}}}"


def spread(**parameters):
    fields = ", ".join(f"{k}: {v}" for k, v in parameters.items())
    return f"{{{fields}, source: W2.2}}"


def stream(name):
    return np.random.default_rng(sum(map(ord, name)))


def test_a_range_is_uniform_and_a_number_certain():
    found = uncertain.distributions(plan())
    assert set(found) == {"users.staying_active", "channels.official_account.intake"}
    assert (found["users.staying_active"].kind, found["channels.official_account.intake"].kind) == ("uniform", "pert")


@pytest.mark.parametrize("declared", [
    {"dist": "pert", "low": 90, "mode": 120, "high": 160},
    {"dist": "triangular", "low": 90, "mode": 120, "high": 160},
    {"dist": "uniform", "low": 90, "high": 160},
    {"dist": "normal", "mean": 120, "sd": 9},
    {"dist": "lognormal", "mean": 120, "sd": 9},
])  # fmt: skip
def test_every_declared_distribution_is_drawn_with_its_mean(declared):
    changed = plan(f"baseline.aov={spread(**declared)}")
    drawn = uncertain.draws(changed, 20_000, stream)["baseline.aov"]
    known = uncertain.distributions(changed)["baseline.aov"]
    assert drawn.mean() == pytest.approx(known.expectation(), abs=4 * known.variance() ** 0.5 / 20_000**0.5)


def test_a_range_without_width_is_certain():
    assert "baseline.aov" not in uncertain.distributions(plan(f"baseline.aov={source('[120, 120]')}"))


def test_draws_of_one_quantity_do_not_move_those_of_another():
    before = uncertain.draws(plan(), 50, stream)
    after = uncertain.draws(plan(f"baseline.aov={source('[100, 140]')}"), 50, stream)
    assert set(after) - set(before) == {"baseline.aov"}
    for place, values in before.items():
        assert (after[place] == values).all()


def test_what_falls_outside_is_set_to_the_limit():
    wide = plan(f"users.conversion={spread(dist='normal', mean=0.1, sd=0.3)}")
    drawn = uncertain.draws(wide, 500, stream)["users.conversion"]
    assert (drawn.min(), drawn.max() <= 1) == (0.0, True)
    assert uncertain.ends(wide)["users.conversion"][0] == 0.0


def test_ends_are_those_of_the_range_or_two_quantiles():
    found = plan(f"baseline.aov={spread(dist='normal', mean=120, sd=10)}")
    assert uncertain.ends(found)["users.staying_active"] == (0.7, 0.9)
    assert uncertain.ends(found, (0.1, 0.9))["users.staying_active"] == pytest.approx((0.72, 0.88))
    assert uncertain.ends(found)["baseline.aov"] == pytest.approx((120 - 12.8155, 120 + 12.8155), abs=1e-3)


@pytest.mark.parametrize("path", [MINIMAL, *SHIPPED])
def test_places_are_places_of_the_plan(path):
    found = load_plan(path)
    known = dict(leaves(found.model))
    for place, quantity in uncertain.quantities(found).items():
        assert known[uncertain.leaf_path(found, place)] == quantity
    moved = [place for places in uncertain.drivers(found).values() for place in places]
    assert len(set(moved)) == len(moved)
    assert set(moved) == set(uncertain.quantities(found)) - {
        "users.referral.acceptance_rate", "users.referral.cycle_days"
    }  # fmt: skip


def test_arguments_by_month():
    found = uncertain.arguments(plan(f"users.churn={source(0.3, period='quarter', applied='after_adds')}"))
    assert found["churn"] == pytest.approx(1 - 0.7 ** (1 / 3))
    assert found["applied"] == "after_adds"
    assert found["company_gmv_cny"] == pytest.approx(40e6 / 12)
    assert found["intake"].shape == (12, 2)
    kept = uncertain.arguments(plan(f"users.staying_active={source(0.5, period='quarter')}"))
    assert kept["stay"] == pytest.approx(0.5 ** (1 / 3))


def test_values_replace_the_central_ones_with_draws():
    values = {"channels.moments_ads.intake": np.array([1.0, 2.0, 3.0]), "users.churn": np.array([0.1, 0.2, 0.3])}
    found = uncertain.arguments(plan(), values)
    assert found["intake"].shape == (3, 12, 2)
    assert_allclose(found["intake"][:, 4, 1], [1, 2, 3])
    assert_allclose(found["intake"][:, 0, 1], 0)  # its stage has not begun
    assert_allclose(found["stay"], np.minimum(0.8, 1 - values["users.churn"]))
    assert run(Drivers(**found)).metrics["gmv"].shape == (3, 12)


def test_staying_is_capped_by_what_churn_leaves():
    assert not uncertain.capped(plan())
    high = plan(f"users.churn={source(0.4)}")
    assert uncertain.capped(high)
    assert uncertain.arguments(high)["stay"] == pytest.approx(0.6)


def test_a_channel_may_have_a_churn_of_its_own():
    found = plan(f"channels.moments_ads.churn={source(0.4, period='quarter')}")
    arguments = uncertain.arguments(found)
    assert_allclose(arguments["channel_churn"], [[0.08, monthly_rate(0.4, "quarter")]])
    drawn = uncertain.arguments(found, {"users.churn": np.array([0.05, 0.1])})
    assert_allclose(drawn["channel_churn"][:, 0], [0.05, 0.1])
    plain = run(Drivers(**uncertain.arguments(plan()))).metrics["private_domain_users"]
    assert (run(Drivers(**arguments)).metrics["private_domain_users"] <= plain).all()
    assert uncertain.drivers(found)["churn"] == ("users.churn", "channels.moments_ads.churn")


LOOP = f"{{invites_per_user: {source('[1, 3]')}, acceptance_rate: {source(0.1)}, cycle_days: {source('[20, 70]')}}}"


def test_the_referral_loop_is_drawn_too():
    found = plan(f"users.referral={LOOP}")
    arguments = uncertain.arguments(found, uncertain.draws(found, 300, stream))
    assert arguments["referral_k"].shape == (300,)
    assert set(arguments["referral_cycle_months"]) == {1.0, 2.0}
    assert run(Drivers(**arguments)).intake.shape == (300, 12, 3)


def test_levels_that_the_targets_ask_for():
    shipped = load_plan(SHIPPED[0])
    found = uncertain.wanted(shipped, inputs.goals(shipped))
    assert found["churn"] == ({"users.churn": 0.08}, False)
    assert found["wake"] == ({"users.waking": 0.3}, True)
    intake, up = found["intake"]
    assert (sum(intake.values()), up) == (50_000, True)
    assert uncertain.wanted(plan(), inputs.goals(plan())) == {}
