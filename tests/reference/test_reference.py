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


def test_risks_and_shared_drivers_have_their_closed_forms(tmp_path, capsys):
    """10 + 4 with chance 1/4 + 8 with chance 1/2; two tasks of 10 times U(0.8, 1.2): mean 10 together, 32/3 apart."""
    events = [{"p": 0.25, "impact": 4}, {"p": 0.5, "impact": 8}]
    sums = {"mean": 15.0, "var": 16 * 0.1875 + 64 * 0.25, "p_le_20": 0.5 + 0.5 * 0.75}
    driver = {"base": [10, 10], "driver": {"dist": "uniform", "a": 0.8, "b": 1.2}}
    cases = [
        case(sums, "mc", "risk_event", {"base": 10, "events": events}) | {"tol": 0.1},
        case({"mean_shared": 10.0, "mean_independent": 32 / 3}, "mc", "shared_driver", driver) | {"tol": 0.02},
        case({"mean_shared": 11.0}, "mc", "shared_driver", driver) | {"tol": 0.02},
    ]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    assert main(["--effort", "1", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 1 failed, 0 skipped"


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
