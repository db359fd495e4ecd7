"""Levels measured from the sample brand's raw files cover what was planted in it."""

import json
import shutil

import pytest

from planlib.baseline.levels import measured
from planlib.data.baseline import collect, measures
from planlib.data.engine import Engine
from planlib.data.load import load
from planlib.data.sample import write_sample

CUSTOMERS = 1_500
SEEDS = 100
NOT_NEEDED = ("mp_*", "wxpay_*", "scrm_*", "wecom_user_behavior*", "wecom_acq_*", "wecom_moment*", "shop_order_ids*",
              "shop_compass*")  # raw files that no planted level rests on  # fmt: skip


def measure(folder, seed, level):
    """Return metric -> (level, what was planted) for one brand."""
    root = folder / "brand"
    write_sample(root, customers=CUSTOMERS, seed=seed)
    for pattern in NOT_NEEDED:
        for path in (root / "raw").rglob(pattern):
            path.unlink()
    assert {p.code for entry in load(root).aside for p in entry.problems} <= {"data_blank"}  # days without orders
    with Engine(root) as tables:
        found = collect(tables)
    truth = json.loads((root / "truth.json").read_text(encoding="utf-8"))["planted"]
    forms = {name: m.form for name, m in measures().items()}
    planted = {name: truth[name]["value"] for name in found.sums if name in truth}
    levels = {name: measured(forms[name], found.sums[name], level=level) for name in planted}
    shutil.rmtree(root)
    return {name: (levels[name], value) for name, value in planted.items() if levels[name].low is not None}


def test_what_was_planted_lies_within_wide_intervals(tmp_path):
    """One brand, intervals that all but one in ten thousand cover: wrong sums or windows miss by far more."""
    found = measure(tmp_path, 5, 0.9999)
    assert len(found) >= 17
    missed = {name: (level, value) for name, (level, value) in found.items() if not level.low <= value <= level.high}
    assert not missed


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_intervals_cover_what_was_planted_over_seeds(tmp_path):
    """95 % intervals of 100 brands cover each planted quantity within four Monte Carlo standard errors of 95 %."""
    hits: dict[str, list[bool]] = {}
    for seed in range(SEEDS):
        for name, (level, value) in measure(tmp_path, 1000 + seed, 0.95).items():
            hits.setdefault(name, []).append(level.low <= value <= level.high)
    slack = 4 * (0.05 * 0.95 / SEEDS) ** 0.5
    shares = {name: sum(seen) / len(seen) for name, seen in hits.items()}
    assert {name: share for name, share in shares.items() if abs(share - 0.95) > slack} == {}
