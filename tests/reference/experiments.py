"""Experiment cases: the procedure of a case -> planlib's public functions; degenerate cases by any outcome accepted."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from planlib.core.aggregates import Aggregates
from planlib.core.errors import InputError
from planlib.experiments import power
from planlib.experiments.cuped import Cuped, cuped, cuped_lift, cuped_ratio
from planlib.experiments.means import clustered_mean, difference, lift, mean, poststratify, ratio
from planlib.experiments.multiplicity import adjusted_p
from planlib.experiments.noninferiority import non_inferiority, non_inferiority_proportions, tost
from planlib.experiments.proportions import lift_of_proportions, one_proportion, two_proportions
from planlib.experiments.ranks import mann_whitney, order_statistics, winsorise
from planlib.experiments.result import Arm, Result
from planlib.experiments.rows import known_numbers, split_arms
from planlib.experiments.srm import srm
from tests.reference import experiment_plans

Case = Mapping[str, Any]
FLOOR = 1e-12  # beside a relative tolerance
SIDES = {"two-sided": "two_sided", "larger": "greater", "smaller": "less"}


# reading a case


def _options(given: Case) -> dict[str, Any]:
    """Level and side, where a case names them."""
    found: dict[str, Any] = {}
    if "confidence" in given:
        found["level"] = given["confidence"]
    elif "alpha" in given:
        found["level"] = 1 - given["alpha"]
    if "alternative" in given:
        found["alternative"] = SIDES.get(given["alternative"], given["alternative"])
    return found


def _table(given: Case, folder: Path) -> dict[str, list[str]]:
    with (folder / given["csv"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _numbers(column: list[str]) -> np.ndarray:
    return np.array([float(cell) if cell else np.nan for cell in column])


def _arms(table: Mapping[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the control and of the treatment."""
    labels = np.array(table["variant"])
    control = "control" if "control" in labels else sorted(set(labels))[0]
    return labels == control, labels != control


def _by_arm(given: Case, folder: Path, names: Mapping[str, str]) -> tuple[Aggregates, Aggregates]:
    """Aggregates of both arms, of columns under the names that this adapter gives them."""
    table = _table(given, folder)
    columns = {own: _numbers(table[name]) for own, name in names.items()}
    return tuple(
        Aggregates.from_arrays({own: column[mask] for own, column in columns.items()}, together=True)
        for mask in _arms(table)
    )


def _values(given: Case, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    table = _table(given, folder)
    column = _numbers(table[given.get("metric") or "y"])
    return tuple(column[mask & ~np.isnan(column)] for mask in _arms(table))


def _summaries(given: Case) -> tuple[Arm, Arm]:
    return tuple(
        mean(Aggregates.from_summary("y", given[f"{arm}_n"], given[f"{arm}_mean"], given[f"{arm}_sd"]), "y")
        for arm in "ct"
    )


def _counts(given: Case) -> list[Any]:
    return [given[name] for name in ("c_x", "c_n", "t_x", "t_n")]


def _limits(found: Result | None) -> list[float | None] | None:
    """Both limits; None for the open side of a one-sided interval."""
    if found is None or found.interval is None:
        return None
    return [side if math.isfinite(side) else None for side in (found.interval.low, found.interval.high)]


def _shown(found: Result) -> dict[str, Any]:
    """A Result under the names that cases use."""
    named = {"difference": "diff"}.get(found.effect, found.effect)
    shown = {
        named: found.estimate,
        "control": found.control,
        "treatment": found.treatment,
        "se": found.se,
        "t": found.statistic,
        "z": found.statistic,
        "df": found.df,
        "p_value": found.p_value,
        "ci": _limits(found),
    }
    return shown | dict(found.detail)


# the procedures


def _proportions(test: str, interval: str) -> Callable[[Case, Path], Case]:
    def run(given: Case, _: Path) -> Case:
        return _shown(two_proportions(*_counts(given), test=test, interval=interval, **_options(given)))

    return run


def prop_ci_mee_mn(given: Case, _: Path) -> Case:
    names = {"ci_mee": "mee", "ci_mn": "miettinen_nurminen"}
    settings = _options(given)
    return {key: _limits(two_proportions(*_counts(given), interval=name, **settings)) for key, name in names.items()}


def _lift_of_proportions(interval: str) -> Callable[[Case, Path], Case]:
    def run(given: Case, _: Path) -> Case:
        return _shown(lift_of_proportions(*_counts(given), interval=interval, **_options(given)))

    return run


def _one_proportion(interval: str) -> Callable[[Case, Path], Case]:
    def run(given: Case, _: Path) -> Case:
        arms = {"control": (given["c_x"], given["c_n"]), "treatment": (given["t_x"], given["t_n"])}
        return {arm: _limits(one_proportion(*c, interval=interval, **_options(given))) for arm, c in arms.items()}

    return run


def _means(test: str) -> Callable[[Case, Path], Case]:
    def run(given: Case, _: Path) -> Case:
        return _shown(difference(*_summaries(given), test=test, **_options(given)))

    return run


def _lift(method: str) -> Callable[[Case, Path], Case]:
    def run(given: Case, _: Path) -> Case:
        found = lift(*_summaries(given), method=method, **_options(given))
        return _shown(found) | {"kind": "unbounded" if found.reason == "unbounded" else "bounded"}

    return run


def _ratio_sums(sums: Case) -> Arm:
    rows = Aggregates.from_moments(
        sums["n"],
        {"num": sums["sum_num"], "den": sums["sum_den"]},
        {("num", "num"): sums["sum_num2"], ("den", "den"): sums["sum_den2"], ("num", "den"): sums["sum_num_den"]},
    )
    return ratio(rows, "num", "den")


def _ratio_arms(given: Case, folder: Path) -> tuple[Arm, Arm]:
    if "csv" not in given:
        return _ratio_sums(given["c"]), _ratio_sums(given["t"])
    rows = _by_arm(given, folder, {"num": given["numerator"], "den": given["denominator"]})
    return tuple(ratio(arm, "num", "den") for arm in rows)


def ratio_difference(given: Case, folder: Path) -> Case:
    return _shown(difference(*_ratio_arms(given, folder), **_options(given)))


def ratio_lift(given: Case, folder: Path) -> Case:
    return _shown(lift(*_ratio_arms(given, folder), method="delta", **_options(given)))


def _cuped_rows(given: Case, folder: Path) -> tuple[Aggregates, Aggregates]:
    if given.get("covariate"):
        return _by_arm(given, folder, {"y": given["metric"], "x": given["covariate"]})
    constant = float(given.get("covariate_value", 1.0))
    values = [np.asarray(column) for column in _values(given, folder)]
    return tuple(Aggregates.from_arrays({"y": y, "x": np.full(y.shape, constant)}) for y in values)


def _cuped_shown(found: Cuped, given: Case) -> dict[str, Any]:
    shown = _shown(difference(found.control, found.treatment, **_options(given)))
    logs = lift(found.control, found.treatment, method="log_delta", **_options(given))
    adjusted = {"theta": found.theta, "variance_reduction": found.variance_reduction}
    return shown | adjusted | {"lift_ci_logdelta": _limits(logs)}


def cuped_mean(given: Case, folder: Path) -> Case:
    return _cuped_shown(cuped(*_cuped_rows(given, folder), "y", "x"), given)


def cuped_relative(given: Case, folder: Path) -> Case:
    return _shown(cuped_lift(*_cuped_rows(given, folder), "y", "x", **_options(given)))


def cuped_of_ratio(given: Case, folder: Path) -> Case:
    names = {"num": "numerator", "den": "denominator", "before_num": "cov_num", "before_den": "cov_den"}
    rows = _by_arm(given, folder, {own: given[key] for own, key in names.items()})
    return _cuped_shown(cuped_ratio(*rows, *names), given)


def cluster_delta(given: Case, folder: Path) -> Case:
    table = _table(given, folder)
    values, labels = _numbers(table[given["metric"]]), np.array(table[given["cluster"]])
    arms = [clustered_mean(values[mask], labels[mask]) for mask in _arms(table)]
    return _shown(difference(*arms, **_options(given)))


def poststratified(given: Case, folder: Path) -> Case:
    table = _table(given, folder)
    values = _numbers(table[given["metric"]])
    strata, codes = np.unique(np.array(table[given["stratum"]]), return_inverse=True)
    arms = [
        Aggregates.from_arrays({"y": values[mask]}, groups=codes[mask], n_groups=len(strata)) for mask in _arms(table)
    ]
    return _shown(poststratify(*arms, "y", **_options(given)))


def ranks(given: Case, folder: Path) -> Case:
    return _shown(mann_whitney(*_values(given, folder), **_options(given)))


def winsorised(given: Case, folder: Path) -> Case:
    more = {"lower_q": given["lower_q"]} if "lower_q" in given else {}
    *arms, floor, cap = winsorise(*_values(given, folder), upper_q=given["upper_q"], **more)
    rows = [mean(Aggregates.from_arrays({"y": values}), "y") for values in arms]
    return _shown(difference(*rows, **_options(given))) | {"cap": cap, "floor": floor}


def quantile(given: Case, folder: Path) -> Case:
    c, t = (order_statistics(values, given["q"], **_options(given)) for values in _values(given, folder))
    found: dict[str, Any] = {"control": c.value, "treatment": t.value, "diff": t.value - c.value}
    for name, arm in (("control_os", c), ("treatment_os", t)):
        found[name] = {
            "lower_rank": arm.lower_rank,
            "upper_rank": arm.upper_rank,
            "ci": None if arm.low is None else [arm.low, arm.high],
            "coverage": arm.coverage,
        }
    return found


def sample_ratio(given: Case, _: Path) -> Case:
    found = srm(given["obs"], given["exp"], weights=True)
    return {"chi2": found.chi2, "df": found.df, "p_value": found.p_value}


def ni_mean_rel(given: Case, _: Path) -> Case:
    return _shown(non_inferiority(*_summaries(given), margin_rel=given["margin_rel"]))


def ni_prop(given: Case, _: Path) -> Case:
    settings = {"margin_abs": given["margin"], "alpha": given.get("alpha", 0.025)}
    wald, score = (non_inferiority_proportions(*_counts(given), test=test, **settings) for test in ("wald", "score"))
    return {
        "z_wald": wald.statistic,
        "p_wald": wald.p_value,
        "p_score": score.p_value,
        "lower": wald.interval.low,
        "non_inferior_wald": bool(wald.detail["passed"]),
    }


def equivalence(given: Case, _: Path) -> Case:
    alpha = given.get("alpha", 0.05)
    found = tost(given["diff"], given["se"], given["margin"], alpha=alpha)
    return _shown(found) | {f"ci{round(100 * (1 - 2 * alpha)):d}": _limits(found)}


PROCEDURES: dict[str, Callable[[Case, Path], Case]] = {
    "prop_z_pooled": _proportions("pooled_z", "newcombe"),
    "prop_z_unpooled_wald": _proportions("unpooled_z", "wald"),
    "prop_fisher": _proportions("fisher", "newcombe"),
    "prop_boschloo": _proportions("boschloo", "newcombe"),
    "prop_ci_newcombe": _proportions("pooled_z", "newcombe"),
    "prop_ci_miettinen_nurminen": _proportions("pooled_z", "miettinen_nurminen"),
    "prop_agresti_caffo": _proportions("pooled_z", "agresti_caffo"),
    "prop_ci_mee_mn": prop_ci_mee_mn,
    "prop_lift_log_rr": _lift_of_proportions("katz"),
    "prop_lift_score_rr": _lift_of_proportions("score"),
    "prop_wilson": _one_proportion("wilson"),
    "prop_clopper_pearson": _one_proportion("clopper_pearson"),
    "mean_welch": _means("welch"),
    "mean_student": _means("student"),
    "mean_lift_fieller": _lift("fieller"),
    "mean_lift_logdelta": _lift("log_delta"),
    "mean_lift_delta": _lift("delta"),
    "ratio_delta_raw": ratio_difference,
    "ratio_delta_summary": ratio_difference,
    "ratio_lift_delta": ratio_lift,
    "cuped_pooled_theta": cuped_mean,
    "cuped_constant_covariate": cuped_mean,
    "cuped_lift_delta": cuped_relative,
    "cuped_ratio": cuped_of_ratio,
    "cluster_delta": cluster_delta,
    "poststratified_mean": poststratified,
    "mann_whitney": ranks,
    "winsor_p99": winsorised,
    "quantile": quantile,
    "srm_chi2": sample_ratio,
    "ni_mean_rel": ni_mean_rel,
    "ni_prop": ni_prop,
    "tost_normal": equivalence,
}


# degenerate cases


@dataclass
class Outcome:
    """What came of a call: an error's text, or results with what is said beside them."""

    error: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    alarm: bool = False
    intervals: list[list[float | None]] = field(default_factory=list)


def _compared(absolute: Result, relative: Result | None, counts: Mapping[str, int]) -> Outcome:
    both = [row for row in (absolute, relative) if row is not None]
    ci = _limits(absolute)
    low, high = ci or (None, None)
    lift_ci = _limits(relative)
    values = _shown(absolute) | {"diff_ci": ci, "ci_lower": low, "ci_upper": high, "lift_ci": lift_ci}
    values |= {"lift": relative.estimate if relative else None, "p": absolute.p_value}
    return Outcome(
        values=values,
        reasons=[row.reason for row in both if row.reason],
        counts=dict(counts),
        intervals=[pair for pair in (ci, lift_ci) if pair],
    )


def ask_two_proportion(given: Case) -> Outcome:
    settings = _options(given)
    chosen = {"interval": given["interval"]} if "interval" in given else {}
    absolute = two_proportions(*_counts(given), **chosen, **settings)
    return _compared(absolute, lift_of_proportions(*_counts(given), **settings), {})


def _two_means(arms: tuple[Arm, Arm], given: Case, counts: Mapping[str, int]) -> Outcome:
    settings = _options(given)
    return _compared(difference(*arms, **settings), lift(*arms, **settings), counts)


def ask_two_mean_summary(given: Case) -> Outcome:
    return _two_means(_summaries(given), given, {})


def ask_two_mean_rows(given: Case) -> Outcome:
    read = [known_numbers(arm, given[arm]) for arm in "ct"]
    arms = tuple(mean(Aggregates.from_arrays({"y": values}), "y") for values, _ in read)
    return _two_means(arms, given, {"dropped": sum(gone for _, gone in read)})


def ask_table(given: Case) -> Outcome:
    columns, metric = given["columns"], given["metric"]
    others = [value for key, value in given.items() if key not in {"variant", "metric", "control", "ask"}]
    unit = next((columns[name] for name in others if isinstance(name, str) and name in columns), None)
    nulls = {"nulls": given["nulls"]} if "nulls" in given else {}
    arms = split_arms(
        columns[given["variant"]], {metric: columns[metric]}, control=given["control"], unit=unit, **nulls
    )
    counts = {"dropped": arms.dropped[metric], "zero_filled": arms.zero_filled[metric]}
    rows = [mean(arms.rows[label], metric) for label in (arms.control, arms.treatments[0])]
    return _two_means((rows[0], rows[1]), given, counts)


def ask_srm(given: Case) -> Outcome:
    planned = given["exp"]
    weights = all(isinstance(share, int | float) and float(share).is_integer() for share in planned)
    found = srm(given["obs"], planned, weights=weights)
    chi2 = found.chi2 if math.isfinite(found.chi2) else None
    return Outcome(values={"chi2": chi2, "df": found.df, "p_value": found.p_value}, alarm=found.alarm)


def ask_n_proportion(given: Case) -> Outcome:
    names = ("p_control", "mde_abs", "alpha", "power")
    size = power.n_proportions(**{name: given[name] for name in names if name in given})
    return Outcome(values={"n_total": size.n_total, "n_per_arm": size.n_per_arm[0], "n_control": size.n_control_exact})


def ask_n_mean(given: Case) -> Outcome:
    settings = {name: given[name] for name in ("alpha", "power") if name in given}
    effect = given["mde_abs"] if "mde_abs" in given else given["delta"]
    size = power.n_means(effect, sd=given["sd"], **settings)
    return Outcome(values={"n_total": size.n_total, "n_per_arm": size.n_per_arm[0], "n_control": size.n_control_exact})


def ask_adjust_p_values(given: Case) -> Outcome:
    method = given.get("method", "holm").replace("-", "_")
    adjusted = adjusted_p(given["p_values"], method)
    reject = (adjusted <= given.get("alpha", 0.05)).tolist()
    return Outcome(values={"adjusted": adjusted.tolist(), "reject": reject})


ASKS: dict[str, Callable[[Case], Outcome]] = {
    "two_proportion": ask_two_proportion,
    "two_mean_summary": ask_two_mean_summary,
    "two_mean_rows": ask_two_mean_rows,
    "table": ask_table,
    "srm": ask_srm,
    "adjust_p_values": ask_adjust_p_values,
    "n_proportion": ask_n_proportion,
    "n_mean": ask_n_mean,
}


def _outcome(given: Case) -> Outcome:
    try:
        return ASKS[given["ask"]](given)
    except InputError as error:
        return Outcome(error=str(error))


def _misses(wanted: Case, found: Outcome, case: Case) -> Iterator[str]:
    """What keeps an outcome from being the one accepted."""
    if bool(wanted.get("error")) != (found.error is not None):
        yield f"error: {found.error}" if found.error else "no error"
        return
    for word in wanted.get("mentions", []):
        if str(word) not in (found.error or ""):
            yield f"{word} is not mentioned"
    yield from _differences(wanted.get("values", {}), found.values, case, "")
    for key, (low, high) in wanted.get("ranges", {}).items():
        value = found.values.get(key)
        if value is None or not low <= value <= high:
            yield f"{key}: {value} outside [{low}, {high}]"
    if wanted.get("reason") and not found.reasons:
        yield "no reason is stated"
    for key in ("dropped", "zero_filled", "coerced"):
        if key in wanted and found.counts.get(key, 0) != wanted[key]:
            yield f"{key}: {found.counts.get(key, 0)}"
    if "alarm" in wanted and found.alarm != wanted["alarm"]:
        yield f"alarm: {found.alarm}"
    if wanted.get("ordered") and any(None not in pair and pair[0] > pair[1] for pair in found.intervals):
        yield f"not ordered: {found.intervals}"


def degenerate(case: Case, _: Path) -> Iterator[str]:
    found = _outcome(case["input"])
    known = {"error", "mentions", "values", "ranges", "reason", "dropped", "zero_filled", "coerced", "alarm", "ordered"}
    failed = []
    for wanted in case["expected"]["accept"]:
        misses = [f"{key} is not known" for key in wanted.keys() - known] or list(_misses(wanted, found, case))
        if not misses:
            return
        failed.append(", ".join(misses))
    yield " | ".join(failed)


# comparing


def _judge(procedure: Callable[[Case, Path], Case]) -> Callable[[Case, Path], Iterator[str]]:
    def judge(case: Case, folder: Path) -> Iterator[str]:
        yield from _differences(case["expected"], procedure(case["input"], folder), case, "")

    return judge


def eb_shrinkage(case: Case, _: Path) -> Iterator[str]:
    expected = case["expected"]
    yield from _differences(expected, experiment_plans.shrinkage(case["input"], expected), case, "")


def _differences(expected: Any, found: Any, case: Case, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if key.startswith("published"):
                continue
            if not isinstance(found, Mapping) or key not in found:
                yield f"{where}{key} is missing"
            else:
                yield from _differences(value, found[key], case, f"{where}{key}.")
    elif isinstance(expected, list):
        if not isinstance(found, list | tuple | np.ndarray) or len(found) != len(expected):
            yield f"{where[:-1]}: expected {expected}, found {found}"
            return
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, case, f"{where}{index}.")
    elif isinstance(expected, bool) or expected is None or isinstance(expected, str):
        if (bool(found) if isinstance(found, np.bool_) else found) != expected:
            yield f"{where[:-1]}: expected {expected}, found {found}"
    else:
        relative = case.get("tolerance_kind", "rel") == "rel"
        allowed = case.get("tolerance", 1e-9) * (abs(expected) if relative else 1.0) + FLOOR * relative
        if found is None or isinstance(found, str) or not abs(float(found) - expected) <= allowed:
            yield f"{where[:-1]}: expected {expected}, found {found}"


EVERY = PROCEDURES | experiment_plans.PROCEDURES
JUDGES = {("procedure", name): _judge(procedure) for name, procedure in EVERY.items()}
JUDGES[("procedure", "eb_shrinkage")] = eb_shrinkage
JUDGES |= {("procedure", f"degenerate/{ask}"): degenerate for ask in ASKS}
