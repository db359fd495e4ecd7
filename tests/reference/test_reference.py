"""The adapter itself: it passes right cases, fails wrong ones, skips forms it does not know; the shared cases pass."""

import json
from pathlib import Path

import pytest

from tests.reference.__main__ import main

SHARED = Path(__file__).parents[3] / "shared" / "reference"


def case(expected, kind="ladder", method="annualise", given=None):
    return {
        "id": "x",
        "kind": kind,
        "method": method,
        "input": given or {"monthly": 0.01},
        "expected": expected,
        "tol": 1e-9,
    }


@pytest.mark.parametrize(
    ("cases", "last", "status"),
    [
        ([case({"annual": 1.01**12 - 1})], "1 passed, 0 failed, 0 skipped", 0),
        ([case({"annual": 0.13})], "0 passed, 1 failed, 0 skipped", 1),
        ([case({"yearly": 0.12})], "0 passed, 1 failed, 0 skipped", 1),
        ([case({}, kind="astrology")], "0 passed, 0 failed, 1 skipped", 0),
        ([case({"annual": 0.1}, given={"monthly": "NaN"})], "0 passed, 1 failed, 0 skipped", 1),
    ],
)
def test_right_wrong_and_unknown_cases(cases, last, status, tmp_path, capsys):
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    assert main([str(path)]) == status
    assert capsys.readouterr().out.splitlines()[-1] == last


LONG = ("rcpsp", "rcpsp_bound")  # a minute each


@pytest.mark.parametrize(
    ("name", "least", "kinds"),
    [
        ("planning", 26, "short"), ("budget", 19, "all"), ("experiments", 96, "all"),
        pytest.param("planning", 10, "long", marks=[pytest.mark.full, pytest.mark.timeout(1_200)]),
    ],
)  # fmt: skip
def test_shared_cases(name, least, kinds, tmp_path, capsys):
    path = SHARED / f"{name}.json"
    if not path.is_file():
        pytest.skip("the shared reference cases are not beside this checkout")
    if kinds != "all":
        content = json.loads(path.read_text(encoding="utf-8"))
        content["cases"] = [c for c in content["cases"] if (c.get("kind") in LONG) == (kinds == "long")]
        for case in content["cases"]:
            if "file" in case["input"]:
                case["input"]["file"] = str(SHARED / case["input"]["file"])
        path = tmp_path / "cases.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    assert main([str(path)]) == 0
    assert int(capsys.readouterr().out.splitlines()[-1].split()[0]) >= least
