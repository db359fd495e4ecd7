"""The adapter of experiment cases on forms that the shared file does not show: outcomes, sides, unbounded lifts."""

import json
import math

import pytest

from tests.reference.__main__ import main

A, B, TEN = [1.0, 2.0, 3.0], [2.0, 3.0, 4.5], 10


def run(tmp_path, capsys, procedure, given, expected, **settings):
    case = {"id": "x", "group": "g", "procedure": procedure, "method": "prose", "input": given, "expected": expected}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case | {"tolerance": 1e-9, "tolerance_kind": "rel"} | settings]}), "utf-8")
    status = main([str(path)])
    return status, capsys.readouterr().out.splitlines()[-1]


def table(**more):
    columns = {"variant": ["a", "a", "b", "b"], "y": [1.0, 2.0, 3.0, 5.0], "who": [1, 2, 3, 4]}
    columns |= more.pop("columns", {})
    return {"columns": columns, "variant": "variant", "metric": "y", "control": "a"} | more


@pytest.mark.parametrize(
    ("ask", "given", "accept"),
    [
        ("two_proportion", {"c_x": 120, "c_n": 100, "t_x": 5, "t_n": 100}, {"error": True, "mentions": ["120"]}),
        ("two_proportion", {"c_x": 1.5, "c_n": 100, "t_x": 5, "t_n": 100}, {"error": True, "mentions": ["1.5"]}),
        ("two_proportion", {"c_x": 1, "c_n": 0, "t_x": 5, "t_n": 100}, {"error": True}),
        ("two_proportion", {"c_x": 0, "c_n": 100, "t_x": 0, "t_n": 100},
         {"values": {"diff": 0, "p_value": None, "lift": None}, "ranges": {"ci_upper": [0.03, 0.04]}, "reason": True,
          "ordered": True}),
        ("two_proportion", {"c_x": 10, "c_n": 100, "t_x": 20, "t_n": 100, "alternative": "larger"},
         {"ranges": {"ci_lower": [0.0, 0.1]}, "ordered": True}),
        ("two_mean_summary", {"c_n": 1, "c_mean": 1.0, "c_sd": 0.0, "t_n": 9, "t_mean": 2.0, "t_sd": 1.0},
         {"values": {"diff": 1.0, "diff_ci": None, "p_value": None}, "reason": True}),
        ("two_mean_summary", {"c_n": TEN, "c_mean": -5.0, "c_sd": 1.0, "t_n": TEN, "t_mean": -4.0, "t_sd": 1.0},
         {"values": {"lift": -0.2}, "ordered": True}),
        ("two_mean_summary", {"c_n": TEN, "c_mean": 5.0, "c_sd": -1.0, "t_n": TEN, "t_mean": 4.0, "t_sd": 1.0},
         {"error": True}),
        ("two_mean_rows", {"c": [*A, None, math.nan], "t": B}, {"values": {"diff": 3.5 / 3}, "dropped": 2}),
        ("two_mean_rows", {"c": [*A, math.inf], "t": B}, {"error": True, "mentions": ["inf"]}),
        ("two_mean_rows", {"c": [], "t": B}, {"values": {"diff": None, "p_value": None}, "reason": True}),
        ("two_mean_rows", {"c": ["x"], "t": B}, {"error": True}),
        ("table", table(), {"values": {"diff": 2.5}, "dropped": 0}),
        ("table", table(columns={"y": [1.0, None, 3.0, 5.0]}, nulls="zero"),
         {"values": {"diff": 3.5}, "zero_filled": 1}),
        ("table", table(columns={"y": [1.0, 2.0, None, None]}), {"values": {"p_value": None}, "reason": True}),
        ("table", table(columns={"who": [1, 2, 2, 3]}, unit="who"), {"error": True, "mentions": ["2"]}),
        ("table", {"columns": {"variant": [], "y": []}, "variant": "variant", "metric": "y", "control": "a"},
         {"error": True}),
        ("srm", {"obs": [500, 510, 3], "exp": [0.5, 0.5, 0.0]}, {"alarm": True}),
        ("srm", {"obs": [500, 510], "exp": [0.5, 0.6]}, {"error": True}),
        ("srm", {"obs": [500, 510], "exp": [1, 1]}, {"alarm": False}),
        ("adjust_p_values", {"p_values": [0.5, 1.2]}, {"error": True, "mentions": ["1.2"]}),
        ("adjust_p_values", {"p_values": [0.01, 0.04], "method": "holm"}, {"values": {"adjusted": [0.02, 0.04]}}),
        ("n_mean", {"mde_abs": 0.0, "sd": 1.0}, {"error": True}),
        ("n_proportion", {"p_control": 0.99, "mde_abs": 0.02}, {"error": True}),
        ("n_proportion", {"p_control": 0.08, "mde_abs": 0.04}, {"values": {"n_total": 1760}}),
    ],
)
def test_degenerate_outcomes(ask, given, accept, tmp_path, capsys):
    expected = {"policy": "", "accept": [{"values": {"diff": "never"}}, accept]}
    got = run(tmp_path, capsys, f"degenerate/{ask}", {"ask": ask} | given, expected)
    assert got == (0, "1 passed, 0 failed, 0 skipped")


@pytest.mark.parametrize(
    "accept",
    [
        {"error": True},
        {"values": {"diff": 0.0}},
        {"values": {"p_value": None}},
        {"values": {"oops": 1}},
        {"reason": True},
        {"ranges": {"ci_lower": [0.5, 0.6]}},
        {"dropped": 1},
        {"alarm": True},
        {"fortune": True},
    ],
)
def test_a_wrong_outcome_fails(accept, tmp_path, capsys):
    given = {"ask": "two_proportion", "c_x": 10, "c_n": 100, "t_x": 20, "t_n": 100}
    expected = {"policy": "", "accept": [accept]}
    assert run(tmp_path, capsys, "degenerate/two_proportion", given, expected)[1] == "0 passed, 1 failed, 0 skipped"


def test_unbounded_lift(tmp_path, capsys):
    given = {"c_n": 20, "c_mean": 0.5, "c_sd": 2.0, "t_n": 20, "t_mean": 1.5, "t_sd": 2.0}
    got = run(tmp_path, capsys, "mean_lift_fieller", given, {"lift": 2.0, "kind": "unbounded"})
    assert got == (0, "1 passed, 0 failed, 0 skipped")


@pytest.mark.parametrize(
    ("expected", "settings", "status"),
    [
        ({"diff": 0.1, "published_z": 1.0}, {}, 0),
        ({"diff": 0.1001}, {"tolerance": 1e-3, "tolerance_kind": "abs"}, 0),
        ({"diff": 0.1001}, {"tolerance": 1e-3, "tolerance_kind": "rel"}, 0),
        ({"diff": 0.1002}, {"tolerance": 1e-3, "tolerance_kind": "rel"}, 1),
        ({"diff": 0.102}, {"tolerance": 1e-3, "tolerance_kind": "abs"}, 1),
        ({"fortune": 1.0}, {}, 1),
    ],
)
def test_tolerances_and_keys(expected, settings, status, tmp_path, capsys):
    given = {"c_x": 10, "c_n": 100, "t_x": 20, "t_n": 100}
    assert run(tmp_path, capsys, "prop_z_pooled", given, expected, **settings)[0] == status


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("alpha*t^2.5 (Kim-DeMets)", 0.05 * 0.5**2.5),
        ("Lan-DeMets Pocock: alpha ln(1+(e-1)t)", 0.05 * math.log(1 + (math.e - 1) / 2)),
        ("Lan-DeMets OBF, alpha/2 per side: 2*(2-2Phi(z_{1-alpha/4}/sqrt t))", 0.0030506455179780),
    ],
)
def test_spending_functions_are_read(text, half, tmp_path, capsys):
    given = {"information": [0.5, 1.0], "alpha": 0.05, "spending": text}
    settings = {"tolerance": 1e-9, "tolerance_kind": "abs"}
    assert run(tmp_path, capsys, "gs_spending", given, {"alpha_spent": [half, 0.05]}, **settings)[0] == 0
