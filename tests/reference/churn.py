"""Cases of churn: how well scores tell who will not buy in the hold-out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from planlib.customers.churn import labels
from planlib.customers.lifetime import fit_bgnbd, fit_pareto_nbd
from planlib.customers.scoring import auc

Case = Mapping[str, Any]
WEEKS = 39.0
ALLOWED_REL = 1e-3


def churn(case: Case, folder: Path) -> Iterator[str]:
    path = folder / case["input"]["file"].split(" (")[0]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    x, last, age, later = (np.array([float(row[name]) for row in rows]) for name in ("x", "tx", "T", "y"))
    lapsed = labels("lapsed", left=np.zeros(len(x)), orders_before=x + 1, orders_after=later, window_days=273).churned
    bg, pareto = fit_bgnbd(x, last, age), fit_pareto_nbd(x, last, age)
    scores = {
        "bgnbd_minus_expected_purchases": -bg.expected_purchases(x, last, age, WEEKS),
        "bgnbd_1_minus_p_alive_all": 1 - bg.p_alive(x, last, age),
        "pareto_nbd_1_minus_p_alive": 1 - pareto.p_alive(x, last, age),
        "pareto_nbd_minus_expected": -pareto.expected_purchases(x, last, age, WEEKS),
        "recency_gap_T_minus_tx": age - last,
        "frequency_only": -x,
    }
    again = x > 0
    of_repeat = {
        "bgnbd_p_alive": scores["bgnbd_1_minus_p_alive_all"],
        "pareto_p_alive": scores["pareto_nbd_1_minus_p_alive"],
        "minus_expected": scores["bgnbd_minus_expected_purchases"],
    }
    found = {
        "churn_rate": float(lapsed.mean()),
        "auc": {name: auc(score, lapsed)[0] for name, score in scores.items()},
        "auc_repeat_buyers_only": {
            "n": int(again.sum()),
            **{name: auc(score[again], lapsed[again])[0] for name, score in of_repeat.items()},
        },
    }
    yield from _off(case["expected"], found, case.get("tolerance", {}).get("abs"), "")


def _off(expected: Any, found: Any, allowed: float | None, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if not isinstance(found, Mapping) or key not in found:
                yield f"{where}{key} is not known"
            else:
                yield from _off(value, found[key], allowed, f"{where}{key}.")
    elif abs(found - expected) > (ALLOWED_REL * abs(expected) + 1e-12 if allowed is None else allowed):
        yield f"{where[:-1]}: expected {expected}, found {found}"


JUDGES = {("churn", "churn"): churn}
