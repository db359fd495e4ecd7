"""Public data read end to end: Meta's simulated weeks, and the paths of two well-known attribution packages.

They lie beside the checkout for whoever builds the package; elsewhere these tests are skipped.
"""

import csv
import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from planlib.budget.attribution import Paths, markov, shapley, simple
from planlib.budget.response import fit_response, seasonal_controls
from planlib.core.errors import InputError

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"
pytestmark = pytest.mark.skipif(not DATASETS.is_dir(), reason="the public data sets are not beside this checkout")
CHANNELS = ("tv_S", "ooh_S", "print_S", "facebook_S", "search_S")


@pytest.fixture(scope="module")
def weekly():
    """Revenue, spend by channel, and what else moves revenue: season of two waves, rival, newsletter, events."""
    with open(DATASETS / "robyn_weekly" / "dt_simulated_weekly.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    revenue = np.array([float(row["revenue"]) for row in rows])
    spend = np.array([[float(row[name]) for name in CHANNELS] for row in rows])
    half_year = 4 * np.pi * np.arange(len(rows)) / 52
    others = [[float(row[name]) for row in rows] for name in ("competitor_sales_B", "newsletter")]
    others += [[float(row["events"] != "na") for row in rows], np.sin(half_year), np.cos(half_year)]
    return revenue, spend, np.column_stack([seasonal_controls(len(rows)), *others])


def test_weeks_of_robyn_give_sensible_curves_and_name_what_cannot_be_told(weekly):
    revenue, spend, controls = weekly
    found = fit_response(revenue, spend, ("michaelis_menten",) * len(CHANNELS), controls=controls, starts=4)
    alone = np.linalg.lstsq(controls, revenue, rcond=None)[1].item()
    spare = len(revenue) - controls.shape[1] - 3 * len(CHANNELS)
    f = (alone - found.rss) / (3 * len(CHANNELS)) / (found.rss / spare)
    assert found.r_squared > 0.9 and stats.f.sf(f, 3 * len(CHANNELS), spare) < 1e-6
    told = dict(zip(CHANNELS, found.identified, strict=True))
    assert told == {"tv_S": True, "ooh_S": False, "print_S": True, "facebook_S": False, "search_S": True}
    good = found.identified
    assert ((found.decay >= 0) & (found.decay < 0.95)).all()
    assert (found.amount[good] > 1.96 * found.se["amount"][good]).all()
    assert (found.se["scale"][good] < 1).all()
    brought = (found.fitted - found.baseline).sum() / revenue.sum()
    assert 0.1 < brought < 0.8
    with pytest.raises(InputError) as caught:
        found.steady()
    assert [problem.field for problem in caught.value.problems] == ["channel[1]", "channel[3]"]


def test_intervals_of_the_fitted_curves_hold_the_fit(weekly):
    revenue, spend, controls = weekly
    found = fit_response(revenue, spend, ("michaelis_menten",) * len(CHANNELS), controls=controls, starts=2)
    drawn = found.draws(2_000, np.random.default_rng(0))
    for c in np.flatnonzero(found.identified):
        low, high = np.quantile(drawn["amount"][:, c], (0.025, 0.975))
        assert low < found.amount[c] < high


@pytest.fixture(scope="module")
def journeys():
    """(channels in order, conversions, lost) of 10,000 different paths over 12 channels."""
    with gzip.open(DATASETS / "attribution_paths" / "pathdata.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (row["path"].split(" > "), float(row["total_conversions"]), float(row["total_null"])) for row in rows
    ]  # fmt: skip


def test_heuristics_count_what_a_plain_count_does(journeys):
    paths = Paths.of(journeys)
    first, last, linear = Counter(), Counter(), Counter()
    for path, converted, _ in journeys:
        first[path[0]] += converted
        last[path[-1]] += converted
        for name in path:
            linear[name] += converted / len(path)
    for method, counted in (("first", first), ("last", last), ("linear", linear)):
        assert_allclose(simple(paths, method).conversions, [counted[name] for name in paths.channels], atol=1e-6)


def test_shapley_splits_each_journey_evenly_over_its_channels(journeys):
    """The game is a sum of unanimity games, one a set of channels, whose Shapley value is one share each."""
    paths = Paths.of(journeys)
    shares = Counter()
    for path, converted, _ in journeys:
        for name in set(path):
            shares[name] += converted / len(set(path))
    assert_allclose(shapley(paths).conversions, [shares[name] for name in paths.channels], rtol=1e-9)


def test_markov_removal_effects_are_those_of_a_dense_absorbing_chain(journeys):
    paths = Paths.of(journeys)
    names = ["(start)", *paths.channels, "(won)", "(lost)"]
    at = {name: i for i, name in enumerate(names)}
    moves = np.zeros((len(names), len(names)))
    for path, converted, lost in journeys:
        stops = [at[name] for name in ["(start)", *path]]
        for here, there in pairwise(stops):
            moves[here, there] += converted + lost
        moves[stops[-1], at["(won)"]] += converted
        moves[stops[-1], at["(lost)"]] += lost

    def won(closed=None):
        chance = moves / np.maximum(moves.sum(axis=1, keepdims=True), 1)
        if closed is not None:  # whoever would come there is lost
            chance[closed] = 0
            chance[closed, at["(lost)"]] = 1
        inner = len(names) - 2
        return np.linalg.solve(np.eye(inner) - chance[:inner, :inner], chance[:inner, at["(won)"]])[0]

    whole = won()
    effect = np.array([1 - won(at[name]) / whole for name in paths.channels])
    found = markov(paths)
    assert_allclose(found.removal_effect, effect, atol=1e-10)
    total = sum(converted for _, converted, _ in journeys)
    assert_allclose(found.conversions, total * effect / effect.sum(), rtol=1e-8)
    assert whole == pytest.approx(total / sum(a + b for _, a, b in journeys), rel=1e-9)
