"""Benchmarks: compared only where the same things are divided; the documents' own arithmetic."""

from pathlib import Path

import pytest
import yaml

from planlib.baseline.benchmark import Measure, gap, implied, incomparable, one_axis
from planlib.baseline.levels import Level, not_measurable, share

ROOT = Path(__file__).resolve().parents[2]
OWN = Measure("conversion_rate", "buyers", "new_users", 30, "own_users")


@pytest.fixture(scope="module")
def quoted():
    rows = yaml.safe_load((ROOT / "params" / "benchmarks.yaml").read_text(encoding="utf-8"))["benchmarks"]
    return {row["id"]: row for row in rows}


def measure(row):
    return Measure(row["metric"], row.get("numerator"), row.get("denominator"), row.get("window_days"), "market")


def test_the_documents_arithmetic(quoted):
    """0.12 / 0.08 = 1.5; 0.35 / 1.5 = 23.3 %."""
    industry = quoted["w-industry-conversion"]["equals"]
    assert gap(OWN, Level(0.12, None, None, None, "as_stated"), OWN, industry).multiple == pytest.approx(1.5)
    assert implied(0.35, 1.5) == pytest.approx(0.233, abs=5e-4)


def test_the_two_industry_conversions_never_share_an_axis(quoted):
    """W says 8 % and P says 1.2 %, neither with its denominator."""
    w, p = (measure(quoted[name]) for name in ("w-industry-conversion", "p-industry-conversion"))
    assert one_axis([w, p]) == [[0], [1]]
    assert incomparable(w, p).startswith("unstated_") and not gap(w, share(8, 100), p, 0.012).comparable


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"denominator": "visits"}, "differs_denominator"),
        ({"numerator": "orders"}, "differs_numerator"),
        ({"window": 365}, "differs_window"),
        ({"population": "market"}, "differs_population"),
        ({"denominator": None}, "unstated_denominator"),
    ],
)
def test_what_differs_is_named(change, reason):
    from dataclasses import replace

    found = gap(OWN, share(12, 100), replace(OWN, **change), 0.08)
    assert found.multiple is None and found.reason == reason


def test_the_gap_has_the_levels_interval():
    level = share(120, 1000)
    found = gap(OWN, level, OWN, 0.08)
    assert (found.low, found.high) == (level.low / 0.08, level.high / 0.08)


def test_what_is_not_measured_is_not_compared():
    assert gap(OWN, not_measurable("no_rows"), OWN, 0.08).reason == "not_measured"
    assert gap(OWN, share(0, 50), OWN, 0.08).reason == "not_positive"


def test_fully_stated_measures_share_an_axis():
    assert one_axis([OWN, Measure("roi", "a", "b", 365, "c"), OWN]) == [[0, 2], [1]]
