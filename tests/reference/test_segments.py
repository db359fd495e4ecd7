"""The adapter of RFM, tier and referral cases on forms that the shared file does not show."""

import json

import pytest

from tests.reference.__main__ import main

Q = {"states": ["a", "b"], "Q": [[0.5, 0.25], [0, 0.5]], "margin": [10, 40], "discount": 1.0}
ABS = {"abs": 1e-9}


@pytest.mark.parametrize(
    ("group", "method", "given", "expected", "passes"),
    [
        ("tiers", "value", Q, {"expected_periods": {"a": 3.0, "b": 2.0}, "value": {"a": ["60", 60.0], "b": 80}}, True),
        ("tiers", "value", Q, {"V": [60, 81]}, False),
        ("tiers", "reducible", {"P": [[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]]},
         {"unique": False, "absorption_from_middle": [0.5, 0, ["1/2", 0.5]]}, True),
        ("tiers", "reducible", {"P": [[1, 0], [0.5, 0.5]]}, {"unique": False}, False),
        ("tiers", "estimate", {"counts": [[8, 2], [0, 0]]},
         {"mle": [[["4/5", 0.8], 0.2], None], "dirichlet1": [[0.75, 0.25], [0.5, 0.5]]}, True),
        ("tiers", "estimate", {"counts": [[8, 2], [1, 3]]}, {"mle": [[0.8, 0.2]]}, False),
        ("tiers", "steady", {"P": [[0.7, 0.3], [0.2, 0.8]]}, {"steady": {"a": 0.5, "b": 0.5}}, False),
        ("referral", "referral", {"seeds": 5, "k": 1.0}, {"refused": True}, True),
        ("referral", "referral", {"seeds": 5, "k": 0.5}, {"refused": True}, False),
        ("referral", "referral", {"seeds": 5, "k": 1.0}, {"total": 10}, False),
        ("rfm", "rfm", {"customers": [{"id": "a", "recency_days": 3, "frequency": 2, "monetary": 9}]},
         {"average_rank_ceil": {"R": [5], "F": [5], "M": [5]}, "ntile_tie_by_id": {"R": [1]}}, True),
        ("rfm", "rfm", {"customers": [{"id": "a", "recency_days": 3, "frequency": 2, "monetary": 9}]},
         {"average_rank_ceil": {"R": [4]}}, False),
    ],
)  # fmt: skip
def test_right_and_wrong_cases(group, method, given, expected, passes, tmp_path, capsys):
    case = {"id": "x", "group": group, "method": method, "input": given, "expected": expected, "tolerance": ABS}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    assert main([str(path)]) == int(not passes)
    assert capsys.readouterr().out.splitlines()[-1] == f"{int(passes)} passed, {int(not passes)} failed, 0 skipped"
