"""Value of information against the closed form for a normal quantity."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.core.information import normal_information
from planlib.outlook.information import choice, evppi, evsi

N = 40_000


def options(mean=0.0, sd=1.0, noise=3.0, seed=5):
    """Payoff of going ahead: an unknown quantity that can be learnt plus noise that cannot; staying pays nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, sd, N)
    return {"go": x + noise * rng.standard_normal(N), "stay": np.zeros(N)}, x


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (0.5, 1.0), (-0.7, 2.0)])
def test_perfect_information_about_a_normal_quantity(mean, sd):
    payoffs, x = options(mean, sd)
    exact = normal_information(mean, sd, 1.0).evpi
    assert abs(evppi(payoffs, x) - exact) < 4 * np.hypot(sd, 3.0) / N**0.5 + 0.01 * exact


@pytest.mark.parametrize("error", [0.5, 2.0])
def test_a_measurement_of_a_normal_quantity(error):
    payoffs, x = options()
    exact = normal_information(0.0, 1.0, error).evsi
    found = evsi(payoffs, x, error=error, rng=np.random.default_rng(6))
    assert abs(found - exact) < 4 * 3.2 / N**0.5
    assert found < evppi(payoffs, x)


def test_what_moves_no_decision_is_worth_nothing():
    payoffs, _ = options(mean=0.0)
    found = evppi(payoffs, np.random.default_rng(9).normal(size=N))
    assert found < 3 * 3.2 / N**0.5
    certain = {"go": payoffs["go"], "worse": payoffs["go"] - 1.0}
    assert evppi(certain, payoffs["go"]) == 0.0


def test_a_risk_that_strikes_or_not():
    rng = np.random.default_rng(2)
    struck = rng.random(N) < 0.25
    payoffs = {"go": np.where(struck, -10.0, 2.0), "stay": np.zeros(N)}
    # unknown: staying is best; known: going pays 2 on three paths in four
    assert evppi(payoffs, np.where(struck, 1.0, 0.0)) == pytest.approx(2 * float((~struck).mean()))


def test_choice_between_options():
    found = choice({"a": [0.0, 4.0, 0.0], "b": [1.0, 1.0, 1.0]})
    assert found.best == "a" and found.evpi == pytest.approx(2.0 - 4 / 3)
    assert found.chance_best == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3)}


@pytest.mark.parametrize("bad", [{"a": [1.0]}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [1.0], "b": [float("nan")]}])
def test_bad_options(bad):
    with pytest.raises(InputError):
        evppi(bad, [1.0])
