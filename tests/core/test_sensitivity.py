"""resource-sensitivity of the requirements: Sobol indices against closed forms, elasticity of a product."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.core.sensitivity import sobol


def flat(low, high):
    return lambda p: low + (high - low) * p


def test_resource_sensitivity_first_order_indices_of_an_additive_model_sum_to_one():
    """systems.yaml resource-sensitivity: within 0.02; variances of uniforms are widths squared over 12."""
    found = sobol(lambda x: 3 * x[:, 0] - x[:, 1] + 5 * x[:, 2], [flat(0, 1), flat(0, 4), flat(2, 3)], seed=3)
    wanted = np.array([9.0, 16.0, 25.0])
    assert found.first.sum() == pytest.approx(1.0, abs=0.02)
    assert found.first == pytest.approx(wanted / wanted.sum(), abs=0.02)
    assert found.total == pytest.approx(found.first, abs=0.02)
    assert found.variance == pytest.approx(wanted.sum() / 12, rel=0.01)


def test_resource_sensitivity_ishigami_function():
    """Sobol & Levitan 1999, a = 7, b = 0.1: S1 = 0.3139, 0.4424, 0; ST = 0.5576, 0.4424, 0.2437."""

    def ishigami(x):
        return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])

    found = sobol(ishigami, [flat(-np.pi, np.pi)] * 3, seed=11, power=14)
    assert found.first == pytest.approx([0.3139, 0.4424, 0.0], abs=0.01)
    assert found.total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.01)


def test_resource_sensitivity_elasticity_of_acquisition_cost_to_cac_is_one():
    """systems.yaml resource-sensitivity."""
    from planlib.funnel.sensitivity import elasticities

    def cost(x):
        return {"cost": np.atleast_1d(np.asarray(x["users"] * x["cac"], dtype=float))[:, None]}

    found = elasticities(cost, {"users": 50_000.0, "cac": 20.0}, {"cac": ["cac"]}, metrics={"cost": 1})
    assert found["cac"]["cost"] == pytest.approx(1.0, abs=1e-9)


def test_a_constant_has_no_variance():
    found = sobol(lambda x: np.ones(len(x)), [flat(0, 1)], seed=1)
    assert found.variance == 0.0
    assert found.first.tolist() == [0.0]


def test_bad_input():
    with pytest.raises(InputError):
        sobol(lambda x: x[:, 0], [], seed=1)
    with pytest.raises(InputError):
        sobol(lambda x: np.full(len(x), np.nan), [flat(0, 1)], seed=1)
