"""The independent reference cases of some procedures, where their folder lies beside this checkout."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[3] / "shared" / "reference" / "experiments.json"


def shared_cases(procedures: Collection[str]) -> list:
    """Return the cases as pytest parameters; one that is skipped where there is no file."""
    if not FILE.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the shared cases are not beside this checkout"))]
    cases = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["procedure"] in procedures]


def judge(case: Mapping[str, Any], answers: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]) -> None:
    """Compare what the answer of the case's procedure says with each expected value that it names."""
    wrong = list(_wrong(case["expected"], answers[case["procedure"]](case["input"]), case))
    assert not wrong, wrong


def _wrong(expected: Any, found: Any, case: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if not key.startswith("published"):
                yield from _wrong(value, found[key], case)
    elif isinstance(expected, list):
        for one, other in zip(expected, list(found), strict=True):
            yield from _wrong(one, other, case)
    elif isinstance(expected, bool):
        if expected != bool(found):
            yield f"{found} is not {expected}"
    else:
        rel = case["tolerance_kind"] == "rel"
        near = pytest.approx(expected, rel=case["tolerance"] if rel else 0, abs=1e-12 if rel else case["tolerance"])
        if found != near:
            yield f"{found} is not {near}"
