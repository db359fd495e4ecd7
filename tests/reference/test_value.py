"""The adapter of lifetime cases on forms that the shared file does not show, right and wrong."""

import json

import pytest

from tests.reference.__main__ import main

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
BG, GG = [0.243, 4.414, 0.793, 2.426], [6.25, 3.74, 15.44]
SBG = {"survivors_per_1000": HIGH_END, "fit_years": 7}


@pytest.mark.parametrize(
    ("group", "method", "given", "expected", "tolerance", "passes"),
    [
        ("clv", "bgnbd_predict", {"params": BG, "customers": [[2, 30.43, 38.86]], "t": 39},
         {"expected_purchases": [1.226], "p_alive": [0.7266]}, {}, True),
        ("clv", "bgnbd_predict", {"params": BG, "customers": [[2, 30.43, 38.86]], "t": 39},
         {"expected_purchases": [1.26]}, {}, False),
        ("clv", "gamma_gamma_value", {"params": GG, "customers": [[0, 0], [1, 35.2182]]},
         {"value": [35.219, 35.2186]}, {"abs": 1e-3}, True),
        ("clv", "discounted", {"bg": BG, "gg": GG, "customers": [[2, 30.43, 38.86, 35.2]], "weeks": 39,
                               "annual_rate": 0.0}, {"clv": [1.2259 * 35.21]}, {"rel": 1e-3}, True),
        ("sbg", "fit", SBG, {"alpha": 0.668, "beta": 3.806, "loglik": -1611.2, "published": 0}, {"loglik_abs": 0.1},
         True),
        ("sbg", "fit", SBG, {"alpha": 0.668, "loglik": -1612.0}, {"loglik_abs": 0.1, "rel": 9.0}, False),
        ("sbg", "fit", SBG, {"projected_survival": {"12": 0.378}, "retention_rates": [0.851],
                             "year12_abs_error": 0.016}, {"survival_abs": 1e-3}, True),
        ("sbg", "fit", SBG, {"discounted_expected_residual_lifetime_10pct": {"1": 5.4145, "2": 5.9014}},
         {"derl_rel": 1e-4}, True),
        ("sbg", "triangle", {"triangle": [HIGH_END[:8]], "margin": 10.0, "rate": 0.0},
         {"alpha": 0.668, "survival_1_12": [0.8507, 0.7920]}, {"rel": 0.01}, False),
        ("sbg", "triangle", {"triangle": [HIGH_END[:8], HIGH_END[:8]], "margin": 10.0, "rate": 0.0},
         {"alpha": 0.668, "beta": 3.806, "loglik": -3222.3}, {"param_abs": {"alpha": 1e-3, "beta": 1e-3}}, True),
        ("sbg", "geometric", SBG, {"geometric_theta": 0.10333, "half_life": 6.4}, {}, False),
    ],
)  # fmt: skip
def test_forms(group, method, given, expected, tolerance, passes, tmp_path, capsys):
    case = {"id": "x", "group": group, "method": method, "input": given, "expected": expected, "tolerance": tolerance}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    assert main([str(path)]) == (0 if passes else 1)
    assert "0 skipped" in capsys.readouterr().out


def test_files_beside_the_cases(tmp_path):
    (tmp_path / "csv").mkdir()
    rows = ["x,zbar", *(f"{n % 4 + 1},{20 + 7 * (n % 5)}" for n in range(40)), "0,0"]
    (tmp_path / "csv" / "paid.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    case = {"id": "x", "group": "clv", "method": "gamma_gamma_fit", "input": {"file": "csv/paid.csv (x, zbar)"},
            "expected": {"n": 40, "population_mean": 34.0}, "tolerance": {"rel": 0.01}}  # fmt: skip
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    assert main([str(path)]) == 0
