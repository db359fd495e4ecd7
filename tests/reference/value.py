"""Cases of lifetime value: fits, predictions and hold-outs of buyers, and cohorts under contract."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from planlib.customers.clv import Terms, calibrate, calibrate_by_frequency, lifetime_value
from planlib.customers.contracts import fit_geometric, fit_sbg
from planlib.customers.lifetime import BgNbd, fit_bgnbd, fit_pareto_nbd
from planlib.customers.spend import GammaGamma, fit_gamma_gamma

Case = Mapping[str, Any]
INFORMATION = ("published", "actual_survival")
FLOOR = 1e-12
PARAMETERS = ("r", "alpha", "a", "b", "s", "beta", "p", "q", "v")
HOLDOUT_WEEKS, YEAR = 39.0, 52


def _columns(case: Case, folder: Path, *names: str) -> list[np.ndarray]:
    path = folder / case["input"]["file"].split(" (")[0]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [np.array([float(row[name]) for row in rows]) for name in names]


def _fit(case: Case, folder: Path) -> Mapping[str, Any]:
    fit = fit_bgnbd if case["method"].startswith("bgnbd") else fit_pareto_nbd
    return _fields(fit(*_columns(case, folder, "frequency", "recency", "T")))


def _predict(case: Case, _: Path) -> Mapping[str, Any]:
    given = case["input"]
    fit, people = BgNbd(*given["params"]), np.array(given["customers"], dtype=float).T
    return {
        "expected_purchases": fit.expected_purchases(*people, float(given["t"])).tolist(),
        "p_alive": fit.p_alive(*people).tolist(),
    }


def _holdout(case: Case, folder: Path) -> Mapping[str, Any]:
    x, last, age, later = _columns(case, folder, "x", "tx", "T", "y")
    fit = (fit_bgnbd if case["method"].startswith("bgnbd") else fit_pareto_nbd)(x, last, age)
    told = fit.expected_purchases(x, last, age, HOLDOUT_WEEKS)
    whole, parts = calibrate(told, later), calibrate_by_frequency(x, told, later)
    names = [f"{n}+" if n == 7 else str(n) for n in range(8) if (np.minimum(x, 7) == n).any()]
    return {
        "actual_total": whole.actual_total,
        "predicted_total": whole.predicted_total,
        "total_error_pct": 100 * whole.error_rel,
        "mae": whole.mae,
        "rmse": whole.rmse,
        "corr": whole.correlation,
        "by_frequency": {
            name: {"n": part.n, "actual": part.actual, "predicted": part.predicted}
            for name, part in zip(names, parts.bins, strict=True)
        },
        "p_alive_mean": float(fit.p_alive(x, last, age).mean()),
    }


def _gamma_gamma(case: Case, folder: Path) -> Mapping[str, Any]:
    return _fields(fit_gamma_gamma(*_columns(case, folder, "x", "zbar")))


def _gamma_gamma_value(case: Case, _: Path) -> Mapping[str, Any]:
    people = np.array(case["input"]["customers"], dtype=float).T
    return {"value": GammaGamma(*case["input"]["params"]).expected_spend(*people).tolist()}


def _discounted(case: Case, _: Path) -> Mapping[str, Any]:
    given = case["input"]
    people = np.array(given["customers"], dtype=float).T
    terms = Terms(int(given["weeks"]), 1.0, 1.0, (1 + given["annual_rate"]) ** (1 / YEAR) - 1)
    return {"clv": lifetime_value(BgNbd(*given["bg"]), GammaGamma(*given["gg"]), *people, terms).value.tolist()}


def _sbg(case: Case, _: Path) -> Mapping[str, Any]:
    given, expected = case["input"], case["expected"]
    survivors, years = given["survivors_per_1000"], int(given["fit_years"])
    fit = fit_sbg([survivors[: years + 1]])
    found = dict(_fields(fit))
    if len(survivors) > 12:
        found["year12_abs_error"] = abs(float(fit.survival(12)) - survivors[12] / survivors[0])
    for key, of in (
        ("projected_survival", fit.survival),
        ("retention_rates", fit.retention),
        ("discounted_expected_residual_lifetime_10pct", lambda n: fit.residual_lifetime(n, 0.1)),
    ):
        if key in expected:
            found[key] = _by_year(expected[key], of)
    return found


def _geometric(case: Case, _: Path) -> Mapping[str, Any]:
    given = case["input"]
    fit = fit_geometric([given["survivors_per_1000"][: int(given["fit_years"]) + 1]])
    survivors = given["survivors_per_1000"]
    actual = {"actual_year12": survivors[12] / survivors[0]} if len(survivors) > 12 else {}
    return {"geometric_theta": fit.theta, "geometric_year12": float(fit.survival(12)), **actual}


def _triangle(case: Case, _: Path) -> Mapping[str, Any]:
    given = case["input"]
    fit = fit_sbg(given["triangle"])
    return {
        **_fields(fit),
        "survival_1_12": _by_year(case["expected"].get("survival_1_12", [0.0] * 12), fit.survival),
        "ltv12": fit.value(given["margin"], given["rate"], 12),
    }


def _fields(fit: Any) -> Mapping[str, Any]:
    return {name: getattr(fit, name) for name in (*PARAMETERS, "loglik", "n", "population_mean") if hasattr(fit, name)}


def _by_year(expected: Any, of: Callable[[int], Any]) -> Any:
    """Values of years in the form that the case has: by year, or in their order from 1."""
    if isinstance(expected, Mapping):
        return {year: float(of(int(year))) for year in expected}
    return [float(of(year)) for year in range(1, len(expected) + 1)]


def _differences(expected: Any, found: Any, tolerance: Case, key: str, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping):
        for name, value in expected.items():
            if name in INFORMATION:
                continue
            if not isinstance(found, Mapping) or name not in found:
                yield f"{where}{name} is not known"
            else:
                yield from _differences(value, found[name], tolerance, name if not where else key, f"{where}{name}.")
    elif isinstance(expected, list):
        if len(expected) != len(found):
            yield f"{where[:-1]}: expected {len(expected)} values, found {len(found)}"
            return
        for i, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, tolerance, key, f"{where}{i}.")
    elif found is None or abs(found - expected) > _allowed(key, expected, tolerance):
        yield f"{where[:-1]}: expected {expected}, found {found}"


def _limits(case: Case) -> Case:
    tolerance = case.get("tolerance")
    return tolerance if isinstance(tolerance, Mapping) else {}


def _allowed(key: str, expected: float, tolerance: Case) -> float:
    """The tolerance of a key: its own, else that of its kind, else the general one, else 0.001 of its size."""
    kind = "param" if key in PARAMETERS else "derl" if "residual_lifetime" in key else ""
    kind = "survival" if "survival" in key else kind
    for prefix in (f"{key}_", f"{kind}_" if kind else None, ""):
        for measure, size in (("abs", 1.0), ("rel", abs(expected))):
            limit = None if prefix is None else tolerance.get(f"{prefix}{measure}")
            limit = limit.get(key) if isinstance(limit, Mapping) else limit
            if limit is not None:
                return limit * size + FLOOR
    return 1e-3 * abs(expected) + FLOOR


def _judge(solve: Callable[[Case, Path], Mapping[str, Any]]) -> Callable[[Case, Path], Iterator[str]]:
    def judge(case: Case, folder: Path) -> Iterator[str]:
        yield from _differences(case["expected"], solve(case, folder), _limits(case), "", "")

    return judge


JUDGES = {
    ("clv", "bgnbd_fit"): _judge(_fit),
    ("clv", "pareto_nbd_fit"): _judge(_fit),
    ("clv", "bgnbd_predict"): _judge(_predict),
    ("clv", "bgnbd_holdout"): _judge(_holdout),
    ("clv", "pareto_nbd_holdout"): _judge(_holdout),
    ("clv", "gamma_gamma_fit"): _judge(_gamma_gamma),
    ("clv", "gamma_gamma_value"): _judge(_gamma_gamma_value),
    ("clv", "discounted"): _judge(_discounted),
    ("sbg", "fit"): _judge(_sbg),
    ("sbg", "geometric"): _judge(_geometric),
    ("sbg", "triangle"): _judge(_triangle),
}
