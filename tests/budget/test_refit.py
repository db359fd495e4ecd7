"""Curves fitted to weeks: known ones come back a month at a time; where the data tell nothing the plan's stay."""

import json

import numpy as np
import pytest

from planlib.budget.refit import WEEKS_A_MONTH, draws, refit, with_fits
from planlib.data.channels import observed
from planlib.data.engine import Engine
from planlib.data.load import load
from planlib.data.sample import write_sample
from tests.budget.test_case import small


def weeks(seed=3, n=104, noise=0.02):
    rng = np.random.default_rng(seed)
    spend = np.column_stack([rng.uniform(0, 400, n), rng.uniform(0, 400, n)])
    top, half = np.array([200.0, 50.0]), np.array([120.0, 60.0])
    users = top * spend / (half + spend)
    return spend, users * (1 + noise * rng.standard_normal((n, 2)))


def test_known_curves_come_back():
    found = refit(small(), *weeks())
    assert [fit.basis for fit in found] == ["data", "data"]
    for fit, (top, half) in zip(found, ((200.0, 120.0), (50.0, 60.0)), strict=True):
        kind, ceiling, at, shape = fit.response
        assert (kind, shape) == ("hill", 1.0)
        assert ceiling == pytest.approx(top * WEEKS_A_MONTH, rel=0.06)
        assert at == pytest.approx(half * WEEKS_A_MONTH, rel=0.15)


def test_a_spend_that_never_changes_keeps_the_curve_of_the_plan():
    spend, users = weeks()
    spend[:, 1] = 100.0
    found = refit(small(), spend, users)
    assert found[1].basis == "constant_spend"
    assert with_fits(small(), found).responses[1] == small().responses[1]
    assert with_fits(small(), found).responses[0] == found[0].response
    assert with_fits(small(), ()).responses == small().responses


def test_one_week_keeps_every_curve_of_the_plan():
    found = refit(small(), np.ones((1, 2)), np.ones((1, 2)))
    assert {fit.basis for fit in found} == {"too_few_points"}


def test_draws_of_the_fit_replace_those_of_the_plan():
    spend, users = weeks(noise=0.2)
    spend[:, 1] = 100.0
    found = refit(small(), spend, users)
    given = np.full((500, 2), 1.5)
    top, half = draws(found, given, given, np.random.default_rng(1))
    assert np.all(top[:, 1] == 1.5)
    assert np.median(top[:, 0]) == pytest.approx(1.0, abs=0.1)
    assert np.ptp(half[:, 0]) > 0


def test_curves_of_the_sample_brand_come_back_with_intervals(tmp_path):
    """What was planted: carry-over within 3 standard errors, users at the mean spend within 15 %.

    The brand's partners follow a bent curve (shape 1.6) and are fitted with a plain one, as its plan assumes.
    """
    root = tmp_path / "brand"
    write_sample(root, customers=20_000, seed=7)
    for path in (root / "raw").rglob("*"):
        if path.is_file() and not path.name.startswith(("cost", "channel", "staff", "wecom_contact")):
            path.unlink()
    load(root)
    names = ("moments_ads", "partners", "referral")
    with Engine(root) as tables:
        spend, users = observed(tables, names).weeks()
    planted = json.loads((root / "truth.json").read_text(encoding="utf-8"))["channels"]["curves"]
    case = small(
        channels=names, responses=(("michaelis_menten", 400.0, 100.0, 1.0),) * 3,
        open_months=np.ones((3, 3), dtype=bool),
        most_cny=np.full(3, 1e4), floor_cny=np.zeros(3), least_if_on_cny=np.zeros(3), stated_users=np.ones(3),
    )  # fmt: skip
    for name, found, spent in zip(names, refit(case, spend, users), spend.mean(axis=0), strict=True):
        truth = planted[name]
        assert found.basis == "data"
        assert abs(found.fit.decay[0] - truth["carry_over"]) < 3 * found.fit.se["decay"][0]
        brought = truth["ceiling"] / (1 + (truth["half_spend_cny"] / spent) ** truth["shape"])
        assert found.fit.steady().value(np.array([spent]))[0] == pytest.approx(brought, rel=0.15)
        assert 0 < found.fit.se["amount"][0] < found.fit.amount[0]
