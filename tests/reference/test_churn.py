"""The adapter's churn cases: right ones pass, wrong ones fail, also of a file that is not the shared one."""

import csv
import json

import numpy as np
import pytest

from tests.reference.__main__ import main


@pytest.fixture
def judged(tmp_path):
    """A file of 300 buyers drawn here, and a function that judges what is expected of it."""
    rng = np.random.default_rng(1)
    rate, age = rng.gamma(0.6, 0.15, 300), rng.uniform(20, 39, 300)
    leaves = rng.exponential(40, 300)
    rows = []
    for own, whole, end in zip(rate, age, leaves, strict=True):
        times = np.cumsum(rng.exponential(1 / own, 200))
        seen = times[times < min(whole, end)]
        later = ((times >= whole) & (times < min(whole + 39, end))).sum()
        rows.append([len(seen), seen[-1] if len(seen) else 0.0, whole, later])
    with open(tmp_path / "buyers.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["x", "tx", "T", "y"], *rows])
    x, last, whole, later = np.array(rows).T
    silent, back = later == 0, later > 0
    gap = whole - last
    area = (gap[silent][:, None] > gap[back]).mean() + 0.5 * (gap[silent][:, None] == gap[back]).mean()

    def judge(**off):
        expected = {"churn_rate": silent.mean(), "auc": {"recency_gap_T_minus_tx": area},
                    "auc_repeat_buyers_only": {"n": int((x > 0).sum())}} | off  # fmt: skip
        case = {"id": "x", "group": "churn", "method": "churn", "input": {"file": "buyers.csv", "label": "y==0"},
                "expected": expected, "tolerance": {"abs": 0.002}}  # fmt: skip
        (tmp_path / "cases.json").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
        return main([str(tmp_path / "cases.json")])

    return judge


def test_counted_by_hand(judged):
    assert judged() == 0


def test_what_is_wrong_or_unknown_fails(judged):
    assert judged(churn_rate=0.123) == 1
    assert judged(auc={"astrology": 0.5}) == 1
