"""Tornado and elasticities of a product whose answers are known, and of the funnel."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.funnel.model import Drivers, run
from planlib.funnel.sensitivity import elasticities, tornado

CENTRE = {"a": 2.0, "b": 5.0, "c": 0.5, "idle": 3.0, "none": 0.0}


def power(x):
    value = np.asarray(x["a"] * x["b"] ** 2 * (1 - x["c"]))
    return {"p": np.stack(np.atleast_1d(value, value * 2), axis=-1)}


def funnel(x):
    intake = np.atleast_1d(x["intake"])[:, None, None] * np.ones((6, 1))
    rates = {"churn": x["churn"], "stay": 0.4, "wake": 0.3, "conversion": x["conversion"]}
    return run(Drivers(intake=intake, **rates, aov_cny=x["aov"], company_gmv_cny=1e7)).metrics


def test_tornado_by_hand_sorted_by_width():
    found = tornado(power, CENTRE, {"a": (1, 3), "b": (4, 5), "c": (0.0, 0.9), "idle": (1, 9)}, metric="p", month=2)
    assert [swing.name for swing in found] == ["c", "a", "b", "idle"]
    assert (found[1].at_low, found[1].at_high) == (25, 75)
    assert found[0].width == pytest.approx(90)
    assert found[3].width == 0


def test_no_uncertain_input_no_swing():
    assert tornado(power, CENTRE, {}, metric="p", month=1) == ()


def test_elasticities_of_a_product_are_its_exponents():
    drivers = {name: [name] for name in CENTRE} | {"both": ["a", "b"]}
    found = elasticities(power, CENTRE, drivers, metrics={"p": 1})
    assert_allclose([found["a"]["p"], found["b"]["p"], found["both"]["p"]], [1, 2, 3], rtol=1e-3)
    assert found["c"]["p"] == pytest.approx(-1.0)  # -c / (1 - c)
    assert found["idle"]["p"] == 0
    assert found["none"]["p"] is None


def test_a_driver_at_its_limit_moves_to_the_free_side():
    found = elasticities(power, CENTRE | {"c": 1.0}, {"c": ["c"], "a": ["a"]}, metrics={"p": 1}, limits={"c": (0, 1)})
    assert found["c"]["p"] is None  # the product is zero there
    at = elasticities(lambda x: {"p": np.atleast_2d(x["c"]).T}, {"c": 1.0}, {"c": ["c"]}, metrics={"p": 1},
                      limits={"c": (0.0, 1.0)})  # fmt: skip
    assert at["c"]["p"] == pytest.approx(1.0)


def test_elasticities_of_the_funnel():
    """From nothing users and GMV are proportional to intake, GMV to conversion and order value, users to neither."""
    centre = {"intake": 50_000.0, "churn": 0.08, "conversion": 0.12, "aov": 200.0}
    drivers = {name: [name] for name in centre}
    found = elasticities(funnel, centre, drivers, metrics={"private_domain_users": 6, "gmv": 6, "gmv_share": 6})
    assert found["intake"] == pytest.approx({"private_domain_users": 1, "gmv": 1, "gmv_share": 1})
    assert found["aov"] == pytest.approx({"private_domain_users": 0, "gmv": 1, "gmv_share": 1})
    assert found["conversion"]["gmv"] == pytest.approx(1)
    h = 1e-5
    exact = [float(funnel(centre | {"churn": 0.08 * (1 + e)})["private_domain_users"][0, 5]) for e in (-h, 0, h)]
    assert found["churn"]["private_domain_users"] == pytest.approx((exact[2] - exact[0]) / (2 * h) / exact[1], rel=1e-3)


@pytest.mark.parametrize("ends", [{"a": (3.0, 1.0)}, {"unknown": (1.0, 2.0)}])
def test_bad_ends(ends):
    with pytest.raises(InputError):
        tornado(power, CENTRE, ends, metric="p", month=1)
