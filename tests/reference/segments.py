"""RFM, tier and referral cases: each expected key is compared within the tolerance of the case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from planlib.core.errors import InputError
from planlib.customers.advocacy import referral_value
from planlib.customers.segments import rfm_scores
from planlib.customers.tiers import stationary, tier_values, transitions

Case = Mapping[str, Any]
TIES = {"ntile_tie_by_id": "ntile", "average_rank_ceil": "average"}
FLOOR = 1e-12
USUAL = 1e-3  # where a case gives no tolerance


def rfm(case: Case, _: Path) -> Iterator[str]:
    people = case["input"]["customers"]
    figures = [[row[name] for row in people] for name in ("recency_days", "frequency", "monetary")]
    for convention, expected in case["expected"].items():
        if convention not in TIES:
            yield f"{convention} is not known"
            continue
        found = rfm_scores(*figures, ties=TIES[convention], ids=[row["id"] for row in people])
        for letter, scores in (("R", found.recency), ("F", found.frequency), ("M", found.money)):
            if letter in expected and scores.tolist() != list(expected[letter]):
                yield f"{convention}.{letter}: expected {expected[letter]}, found {scores.tolist()}"


def chain(case: Case, _: Path) -> Iterator[str]:
    matrix = np.array(_numbers(case["input"]["P"]), dtype=float)
    states, settled = case["input"].get("states"), stationary(matrix)
    share = None if settled.share is None else settled.share.tolist()
    middle = settled.long_run[min(1, len(matrix) - 1)].tolist()
    found = {
        "steady": share, "stationary": share, "unique": settled.unique,
        "converges_from_any_start": settled.converges, "absorption_from_middle": middle,
    }  # fmt: skip
    yield from _compared(case, found, states)


def value(case: Case, _: Path) -> Iterator[str]:
    given = case["input"]
    discount = given.get("discount", given.get("d", 1.0))
    worth = tier_values(_numbers(given["Q"]), _numbers(given["margin"]), discount=float(_numbers(discount)))
    months = None if worth.months is None else worth.months.tolist()
    found = {"expected_periods": months, "V": worth.value_cny.tolist(), "value": worth.value_cny.tolist()}
    yield from _compared(case, found, given.get("states"))


def estimate(case: Case, _: Path) -> Iterator[str]:
    counts = case["input"]["counts"]
    names = case["input"].get("states") or (list(counts) if isinstance(counts, Mapping) else None)
    table = [list(row.values()) if isinstance(row, Mapping) else row for row in _rows(counts)]
    moves = transitions(table)
    mle = [None if row is None else row.tolist() for row in moves.mle]
    yield from _compared(case, {"mle": mle, "dirichlet1": moves.mean.tolist()}, names)


def referral(case: Case, _: Path) -> Iterator[str]:
    seeds, k = case["input"]["seeds"], case["input"]["k"]
    refused = _wants_refusal(case["expected"])
    try:
        loop = referral_value(seeds, k)
    except InputError:
        if not refused:
            yield "refused"
        return
    if refused:
        yield "not refused"
        return
    yield from _compared(case, {"total": loop.total, "generations": loop.by_generation.tolist()}, None)


def _wants_refusal(expected: Any) -> bool:
    if isinstance(expected, Mapping):
        return any(key in ("refused", "error", "divergent") and flag for key, flag in expected.items())
    return expected in ("refused", "error")


def _compared(case: Case, found: Mapping[str, Any], states: list[str] | None) -> Iterator[str]:
    tolerance = case.get("tolerance")
    limits = tolerance if isinstance(tolerance, Mapping) else {}
    for key, wanted in case["expected"].items():
        if key not in found:
            yield f"{key} is not known"
            continue
        relative = limits.get("rel", 0.0 if "abs" in limits else USUAL)
        if not _same(_numbers(wanted, states), found[key], float(limits.get("abs", 0.0)), relative):
            yield f"{key}: expected {wanted}, found {found[key]}"


def _same(wanted: Any, found: Any, allowed: float, relative: float) -> bool:
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        return all(_same(one, other, allowed, relative) for one, other in zip(wanted, found, strict=True))
    if isinstance(wanted, bool) or wanted is None or found is None:
        return wanted is found
    return abs(wanted - found) <= allowed + relative * abs(wanted) + FLOOR


def _numbers(value: Any, states: list[str] | None = None) -> Any:
    """Read [fraction as text, number] as the number, and a mapping by states as a list in their order."""
    if isinstance(value, Mapping):
        names = states if states and set(states) == set(value) else list(value)
        return [_numbers(value[name], states) for name in names]
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str):
            return float(value[1])
        return [_numbers(item, states) for item in value]
    return value


def _rows(counts: Any) -> list[Any]:
    return list(counts.values()) if isinstance(counts, Mapping) else list(counts)


JUDGES = {
    ("rfm", "rfm"): rfm,
    ("tiers", "steady"): chain,
    ("tiers", "periodic"): chain,
    ("tiers", "reducible"): chain,
    ("tiers", "value"): value,
    ("tiers", "estimate"): estimate,
    ("referral", "referral"): referral,
}
