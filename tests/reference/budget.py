"""Budget cases, judged as the files say: by objective and feasibility, never by the place of a flat optimum."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from planlib.budget.allocation import nearest
from planlib.budget.attribution import Paths, conversion_probability, markov, shapley, simple
from planlib.budget.carryover import adstock
from planlib.budget.curves import Curves
from planlib.budget.optimum import Line, Problem, is_feasible, optimise
from planlib.budget.response import fit_response, seasonal_controls
from planlib.budget.risk import best_under_risk
from planlib.core.constraints import Row, System
from planlib.core.information import chance_of_being_best, normal_information

Case = Mapping[str, Any]
FLOOR = 1e-12  # beside a relative tolerance
WIDE = 1e12  # a bound where a variable has none


def _curve(curve: Case) -> tuple:
    kind, beta = curve["type"], curve["beta"]
    return {
        "hill": lambda: ("hill", beta, curve["k"], curve["s"]),
        "mm": lambda: ("michaelis_menten", beta, curve["k"]),
        "exp": lambda: ("exponential", beta, curve["k"]),
        "log": lambda: ("logarithmic", beta, curve["k"]),
        "power": lambda: ("power", beta, 1.0, curve["p"]),
        "logistic": lambda: ("logistic", beta, 1.0 / curve["lam"]),
    }[kind]()


def _problem(given: Case, more: float = 0.0) -> Problem:
    channels = given["channels"]
    lines = tuple(
        Line(
            row["name"],
            row["sense"],
            row["rhs"] + (more if row["name"] == "budget" else 0.0),
            None if row.get("coef") is None else np.array(row["coef"], dtype=float),
            None if row.get("fcoef") is None else np.array(row["fcoef"], dtype=float),
        )
        for row in given["rows"]
    )
    return Problem(
        Curves.of([_curve(channel["curve"]) for channel in channels]),
        [channel.get("lo") or 0.0 for channel in channels],
        [channel["hi"] for channel in channels],
        lines,
        worth=np.array([float(channel.get("weight", 1)) for channel in channels]),
        price=float(given.get("spend_price_in_objective") or 0.0),
        least_if_on=[channel.get("off_or_at_least") or 0.0 for channel in channels],
    )


def allocation(case: Case, _: Path) -> Iterator[str]:
    expected, tolerance = case["expected"], case.get("tolerance", {})
    problem = _problem(case["input"])
    found = optimise(problem)
    status = "infeasible" if found.status == "infeasible" else "optimal"
    if status != expected["status"]:
        yield f"status: expected {expected['status']}, found {found.status}"
    if found.spend is None or expected.get("objective") is None:
        return
    allowed = tolerance.get("objective_rel", 1e-6) * abs(expected["objective"]) + FLOOR
    if abs(found.value - expected["objective"]) > allowed:
        yield f"objective: expected {expected['objective']}, found {found.value}"
    if found.bound < expected["objective"] - allowed:
        yield f"bound: {found.bound} below the objective {expected['objective']}"
    if not is_feasible(problem, found.spend):
        yield "the allocation breaks a rule"
    step = expected.get("next_increment")
    if step:
        more = optimise(_problem(case["input"], step["delta_budget"]))
        off = abs(more.value - found.value - step["gain"])
        if off > tolerance.get("next_increment_gain_abs", 1e-3 * abs(step["gain"])):
            yield f"next_increment: expected {step['gain']}, found {more.value - found.value}"


def infeasible(case: Case, _: Path) -> Iterator[str]:
    given, expected = case["input"], case["expected"]
    names = given["variables"]
    rows = [Row(c["name"], dict(zip(names, c["coef"], strict=True)), _sense(c), c["rhs"]) for c in given["constraints"]]
    bounds = given.get("bounds") or {}
    pairs = list(bounds.items() if isinstance(bounds, Mapping) else zip(names, bounds, strict=True))
    for name, (low, high) in pairs:
        rows += [Row(None, {name: 1.0}, s, float(b)) for s, b in ((">=", low), ("<=", high)) if b is not None]
    system = System(rows, nonnegative=given.get("nonnegative", True))
    conflict = system.conflict()
    sets = [set(members) for members in expected.get("minimal_conflict_sets", [])]
    if (expected["status"] == "infeasible") != (conflict is not None):
        yield f"status: expected {expected['status']}"
    if sets and set(conflict or ()) not in sets:
        yield f"conflict set: {sorted(conflict or ())}"
    wanted = expected.get("nearest")
    if wanted:
        weights = {c["name"]: float(w) for c, w in zip(given["constraints"], wanted["weights"], strict=True)}
        low, high = np.zeros(len(names)), np.full(len(names), 0.0)
        limits = [abs(c["rhs"]) for c in given["constraints"]]
        high += 10 * max([1.0, *limits])
        lines = tuple(
            Line(c["name"], {"=": "=="}.get(c["sense"], c["sense"]), c["rhs"], np.array(c["coef"], dtype=float))
            for c in given["constraints"]
        )
        for name, (lo, hi) in pairs:
            at = names.index(name)
            low[at], high[at] = lo or 0.0, high[at] if hi is None else hi
        curves = Curves.of([("michaelis_menten", 1.0, 1.0)] * len(names))
        moved = nearest(Problem(curves, low, high, lines, worth=0.0), weights)
        total = sum(weights[name] * amount for name, amount in moved.items())
        allowed = case.get("tolerance", {}).get("violation_rel", 1e-6) * wanted["min_weighted_violation"]
        if abs(total - wanted["min_weighted_violation"]) > allowed:
            yield f"nearest: expected {wanted['min_weighted_violation']}, found {total}"


def _sense(constraint: Case) -> str:
    return {"==": "="}.get(constraint["sense"], constraint["sense"])


def allocation_risk(case: Case, _: Path) -> Iterator[str]:
    given, expected, tolerance = case["input"], case["expected"], case.get("tolerance", {})
    draws = np.array(given["beta_draws"], dtype=float), np.array(given["k_draws"], dtype=float)
    limits = {side: np.array(given[name], dtype=float) for side, name in (("low", "lo"), ("high", "hi"))}
    safe, mean = (
        best_under_risk(*draws, given["budget"], **limits, alpha=given["alpha"], weight=weight) for weight in (1.0, 0.0)
    )
    main, side = tolerance.get("objective_rel", 1e-5), tolerance.get("side_rel", 0.002)
    for key, found, rel in (
        ("cvar_opt", safe.cvar, main),
        ("mean_opt", mean.mean, main),
        ("mean_at_cvar_opt", safe.mean, side),
        ("cvar_at_mean_opt", mean.cvar, side),
    ):
        if key in expected and abs(found - expected[key]) > rel * abs(expected[key]) + FLOOR:
            yield f"{key}: expected {expected[key]}, found {found}"


def carry_over(case: Case, _: Path) -> Iterator[str]:
    given, allowed = case["input"], case.get("tolerance", {}).get("abs", 1e-9)
    if "theta" in given:
        spend, decay = np.array(given["x"], dtype=float)[:, None], np.array([given["theta"]])
        found = {"recursive": adstock(spend, decay)[:, 0], "l_max4_normalised": adstock(spend, decay, max_lag=4)[:, 0]}
    else:
        curve = Curves.of([("hill", given["beta"], given["k"], given["s"])])
        at = np.array(given["x"], dtype=float)
        found = {"y": curve.value(at[:, None])[:, 0], "marginal_at_200": curve.slope(np.array([200.0]))[0]}
    for key, value in case["expected"].items():
        if key not in found:
            yield f"{key} is not known"
        elif np.abs(found[key] - np.array(value)).max() > allowed:
            yield f"{key}: expected {value}, found {found[key]}"


def mmm_recovery(case: Case, _: Path) -> Iterator[str]:
    given, expected, tolerance = case["input"], case["expected"], case["tolerance"]
    spend = np.column_stack([given["x1"], given["x2"]])
    kind = tuple("michaelis_menten" if re.search(rf"k{c},1\)", given["model"]) else "hill" for c in (1, 2))
    controls = seasonal_controls(len(spend))
    found = fit_response(np.array(given["y"]), spend, kind, controls=controls)
    names = {"theta": found.decay, "k": found.scale, "s": found.shape, "beta": found.amount}
    close = all(
        abs(names[key[:-1]][int(key[-1]) - 1] - value) <= tolerance["param_rel"] * abs(value)
        for key, value in expected["nls_estimate"].items()
    )
    if found.rss > expected["rss"] * (1 + tolerance["rss_rel"]) + 1e-6 and not close:
        yield f"rss: expected {expected['rss']}, found {found.rss}"


def attribution(case: Case, _: Path) -> Iterator[str]:
    expected, allowed = case["expected"], case.get("tolerance", {}).get("abs", 1e-9)
    rows: dict[tuple[str, ...], list[float]] = {}
    for row in case["input"]["paths"]:
        rows.setdefault(tuple(row["path"]), [0.0, 0.0])[0 if row["converted"] else 1] += row["count"]
    paths = Paths.of([(path, won, lost) for path, (won, lost) in rows.items()])

    def named(values: np.ndarray) -> dict[str, float]:
        return dict(zip(paths.channels, values.tolist(), strict=True))

    found: dict[str, Any] = {"shapley_conversions": named(shapley(paths).conversions)}
    found |= {method: named(simple(paths, method).conversions) for method in ("first", "last", "linear")}
    found["position_40_20_40"] = named(simple(paths, "position").conversions)
    for order in (1, 2, 3):
        credit = markov(paths, order=order)
        found[f"markov_order{order}"] = {
            "conversion_probability": conversion_probability(paths, order=order),
            "removal_effect": named(credit.removal_effect),
            "attributed_conversions": named(credit.conversions),
        }
    yield from _pairs(expected, found, allowed, "")


def voi(case: Case, _: Path) -> Iterator[str]:
    given, expected = case["input"], case["expected"]
    if "cases" in given:
        rows = [normal_information(m, s, se, alternative=other).evsi for m, s, other, se in given["cases"]]
        found: dict[str, Any] = {"evsi": rows}
    elif "stake" in given:
        value = normal_information(given["mu"], given["sd"], given["test_se"], alternative=given["alternative"])
        stake = given["stake"]
        found = {"evpi_per_cny": value.evpi, "evpi": value.evpi * stake, "evsi": value.evsi * stake}
    else:
        found = {"p_best": chance_of_being_best(np.array(given["mu"]), np.array(given["sd"])).tolist()}
    tolerance = case.get("tolerance", {})
    for key, value in expected.items():
        if key not in found:
            yield f"{key} is not known"
            continue
        off, size = np.abs(np.asarray(found[key]) - np.asarray(value)).max(), np.abs(np.asarray(value)).max()
        if off > tolerance.get("abs", tolerance.get("rel", 1e-3) * size + FLOOR):
            yield f"{key}: expected {value}, found {found[key]}"


def _pairs(expected: Any, found: Any, allowed: float, where: str) -> Iterator[str]:
    """Compare numbers that stand as [fraction as text, number]."""
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if not isinstance(found, Mapping) or key not in found:
                yield f"{where}{key} is missing"
            else:
                yield from _pairs(value, found[key], allowed, f"{where}{key}.")
        return
    number = expected[1] if isinstance(expected, list) else expected
    if abs(found - number) > allowed * max(1.0, abs(number)):
        yield f"{where[:-1]}: expected {number}, found {found}"


JUDGES = {
    ("allocation", "allocation"): allocation,
    ("infeasible", "infeasible"): infeasible,
    ("adstock", "adstock"): carry_over,
    ("adstock", "hill"): carry_over,
    ("attribution", "attribution"): attribution,
    ("voi", "experiment"): voi,
    ("voi", "list"): voi,
    ("voi", "thompson"): voi,
    ("mmm_recovery", "mmm_recovery"): mmm_recovery,
    ("allocation_risk", "allocation_risk"): allocation_risk,
}
