"""Planning cases: kind and method of a case -> planlib's public functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from planlib.core.bayes import Beta, Gamma, Normal, beta_binomial, gamma_poisson, normal_normal
from planlib.core.constraints import Row, System, smallest_that_fits
from planlib.core.decompose import apportion, lmdi_by_name
from planlib.core.draws import Distribution
from planlib.core.errors import InputError
from planlib.core.information import normal_information
from planlib.core.periods import monthly_rate
from planlib.funnel.ladder import annualise, monthly_growth
from planlib.funnel.retention import fit_power, sbg_retention, sbg_survival
from planlib.funnel.sales import funnel_chain, funnel_solve
from planlib.funnel.users import (
    month_reached,
    required_adds,
    simulate_users,
    stationary,
    stock_ceiling,
)
from planlib.milestones.levelling import level
from planlib.milestones.network import Link, Network, classical_pert, crash, rss_buffer
from planlib.milestones.progress import earned_schedule, indices
from planlib.milestones.simulation import Group, Risk, Simulation, simulate
from planlib.milestones.workdays import WorkCalendar

Case = Mapping[str, Any]


def _timing(case: Case) -> str:
    convention = str(case.get("convention", "end")).replace(" ", "")
    return "after_adds" if "(1-c)(u+new)" in convention else "before_adds"


def _stock(case: Case, intake: np.ndarray) -> dict[str, float]:
    applied = _timing(case)
    path = simulate_users(intake[:, None], churn=case["churn"], opening_users=case.get("u0", 0), applied=applied).users
    return {f"u{month}": float(path[0, month - 1]) for month in range(1, len(intake) + 1)}


def constant_new(case: Case, _: Case) -> dict[str, float]:
    applied, churn = _timing(case), case["churn"]
    found = _stock(case, np.full(case["months"], float(case["new"])))
    found["ceiling"] = stock_ceiling(adds=case["new"], churn=churn, applied=applied)
    for month in (6, 12):
        found[f"needed_new_for_1M_M{month}"] = required_adds(1e6, month, churn=churn, applied=applied)
    return found


def growing_new(case: Case, _: Case) -> dict[str, float]:
    return _stock(case, case["new0"] * (1 + case["growth"]) ** np.arange(case["months"]))


def funnel(case: Case, _: Case) -> dict[str, float]:
    names = {"users": "users", "active": "active", "conv": "conversion", "orders": "orders", "aov": "aov_cny"}
    found = funnel_chain(**{names[key]: case[key] for key in names})
    return {"buyers": float(found.buyers), "orders": float(found.orders), "gmv": float(found.gmv_cny)}


def funnel_inverse(case: Case, _: Case) -> dict[str, float]:
    names = {"users": "users", "active": "active", "conv": "conversion", "orders": "orders", "aov": "aov_cny"}
    given = {names[key]: value for key, value in case.items() if key in names}
    return {case["solve"]: float(funnel_solve(case["gmv"], names[case["solve"]], **given))}


def ceiling(case: Case, _: Case) -> dict[str, Any]:
    most = stock_ceiling(adds=case["new_cap"], churn=case["churn"])
    feasible = month_reached(case["target"], adds=case["new_cap"], churn=case["churn"]).reachable
    return {"feasible": feasible, "ceiling": most, "max_churn_for_target": case["new_cap"] / case["target"]}


def time_to_target(case: Case, _: Case) -> dict[str, Any]:
    found = month_reached(case["target"], adds=case["new"], churn=case["churn"])
    return {"months": found.month, "exact": found.month_exact}


def lmdi(case: Case, _: Case) -> dict[str, float]:
    found = lmdi_by_name(case["plan"], case["actual"])
    return {"delta": found.delta, **found.parts}


def cagr_steps(case: Case, _: Case) -> dict[str, float]:
    growth = monthly_growth(case["start"], case["end"], steps=case["steps"])
    return {"monthly_growth": growth, "m6": case["start"] * (1 + growth) ** 6}


def cagr_points(case: Case, _: Case) -> dict[str, float]:
    return {"monthly_growth": monthly_growth(case["first_month"], case["last_month"], steps=case["months"] - 1)}


def annual(case: Case, _: Case) -> dict[str, float]:
    return {"annual": annualise(case["monthly"])}


def largest_remainder(case: Case, _: Case) -> dict[str, Any]:
    parts = apportion(case["total"], case["weights"]).tolist()
    return {"parts": parts, "sum": sum(parts)}


def power_law(case: Case, _: Case) -> dict[str, float]:
    curve = fit_power({float(day): rate for day, rate in case["points"].items()})
    return {**curve.params, "D90": float(curve.at(90))}


def sbg(case: Case, _: Case) -> dict[str, Any]:
    t = np.asarray(case["t"], dtype=float)
    rate, alive = (f(case["alpha"], case["beta"], t) for f in (sbg_retention, sbg_survival))
    return {"retention": _plain(rate), "survival": _plain(alive), "r": _plain(rate), "S": _plain(alive)}


def daily(case: Case, _: Case) -> dict[str, float]:
    churn = monthly_rate(case["daily"], "day")
    return {"d30": 1 - float(churn), "monthly_churn": float(churn)}


def two_state(case: Case, _: Case) -> dict[str, Any]:
    total = case["active"] + case["lapsed"]
    found = simulate_users(
        np.full((case["months"], 1), float(case["new"])),
        churn=0.0,
        opening_users=total,
        stay=1 - case["churn"],
        wake=case["resurrect"],
        opening_active_share=case["active"] / total if total else 1.0,
    )
    states = np.stack([found.active[0], found.dormant[0]], axis=1).tolist()
    path = [[case["active"], case["lapsed"]], *states]
    return {"path": path, "total": [sum(pair) for pair in path]}


def stationary_row(case: Case, expected: Case) -> dict[str, Any]:
    found = stationary(np.asarray(case["P"], dtype=float)).tolist()
    return dict.fromkeys(expected, found)


def beta(case: Case, _: Case) -> dict[str, float]:
    prior = Beta(case["prior"]["a"], case["prior"]["b"])
    found = beta_binomial(prior, successes=case["successes"], trials=case["trials"])
    return {"a": found.a, "b": found.b, "mean": found.mean, "q05": found.quantile(0.05)}


def gamma(case: Case, _: Case) -> dict[str, float]:
    found = gamma_poisson(Gamma(case["prior"]["shape"], case["prior"]["rate"]), counts=case["counts"])
    return {"shape": found.shape, "rate": found.rate, "mean": found.mean}


def normal(case: Case, _: Case) -> dict[str, float]:
    prior = Normal(case["prior"]["mean"], case["prior"]["sd"] ** 2)
    seen = {"observed_mean": case["obs_mean"], "observed_var": case["obs_sd"] ** 2, "n": case["n"]}
    found = normal_normal(prior, **seen)
    return {"mean": found.mean, "var": found.var}


def _rows(case: Case) -> list[Row]:
    rows = [Row(row["rule"], row["coef"], row["sense"], row["rhs"]) for row in case["rows"]]
    if not case.get("nonnegative"):
        return rows
    return [*rows, *(Row(None, {name: 1.0}, ">=", 0.0) for name in case["variables"])]


def _system(case: Case, *extra: Row) -> System:
    return System([*_rows(case), *extra], nonnegative=bool(case.get("nonnegative")))


def _as_expected(found: tuple[str, ...] | None, expected: Case) -> list[str]:
    wanted = expected.get("minimal_set", [])
    return wanted if set(found or ()) == set(wanted) else sorted(found or ())


def conflict_set(case: Case, expected: Case) -> dict[str, Any]:
    system = _system(case)
    every = system.enumerate()
    smallest = tuple(every.conflicts[0]) if every.conflicts else None
    found: dict[str, Any] = {
        "minimal_set": _as_expected(smallest, expected),
        "minimal_set_size": len(smallest or ()),
    }
    if "maximise" in case:
        name = case["maximise"]["variable"]
        found[f"max_{name}"] = system.maximise(name, under=case["maximise"]["under"])
    return found


def probe(case: Case, expected: Case) -> dict[str, Any]:
    row = Row(None, case["probe"]["coef"], case["probe"]["sense"], case["probe"]["rhs"])
    plain, probed = _system(case), _system(case, row)
    found: dict[str, Any] = {
        "feasible_only_at_zero_users": plain.feasible() and not probed.feasible(),
        "minimal_set": _as_expected(probed.conflict(), expected),
    }
    needed = case.get("needed")
    if needed:
        found["needed_gmv_per_user_month"] = smallest_that_fits(
            lambda size: _system(_with_size(case, needed, size), row).feasible(), 0.0, 1e9, rel=1e-12
        )
    return found


def _with_size(case: Case, needed: Case, size: float) -> dict[str, Any]:
    """Return the case with another size of one coefficient, its sign kept."""
    rows = []
    for row in case["rows"]:
        coef = dict(row["coef"])
        if row["rule"] == needed["rule"] and needed["variable"] in coef:
            coef[needed["variable"]] = size if coef[needed["variable"]] > 0 else -size
        rows.append({**row, "coef": coef})
    return {**case, "rows": rows}


def enumerate_sets(case: Case, _: Case) -> dict[str, Any]:
    found = _system(case).enumerate(at_most=100_000)
    return {
        "n_mus": len(found.conflicts),
        "n_mcs": len(found.corrections),
        "sizes_mus": sorted(len(conflict) for conflict in found.conflicts),
    }


def beta_pert(case: Case, _: Case) -> dict[str, float]:
    found = Distribution("pert", low=case["a"], mode=case["m"], high=case["b"])
    alpha, shape = found.shape()
    classical = ((case["b"] - case["a"]) / 6) ** 2
    mean, var = found.expectation(), found.variance()
    return {"alpha": alpha, "beta": shape, "mean": mean, "var_beta_pert": var, "var_classical": classical}


def triangular(case: Case, expected: Case) -> dict[str, float]:
    found = Distribution("triangular", low=case["a"], mode=case["m"], high=case["b"])
    result = {"mean": found.expectation(), "var": found.variance(), "p80": float(found.quantile(0.8))}
    for key in expected:
        if at := re.fullmatch(r"cdf_at_(\d+)", key):
            result[key] = smallest_that_fits(lambda u: float(found.quantile(u)) >= float(at[1]), 0.0, 1.0, rel=1e-13)
    return result


def year(case: Case, _: Case) -> dict[str, Any]:
    found = WorkCalendar().year(case["year"])
    return {
        "total": found.total,
        "per_month": {str(month): days for month, days in found.per_month.items()},
        "makeup": [day.isoformat() for day in found.makeup],
        "days": [day.isoformat() for day in found.days_off],
    }


def add_workdays(case: Case, _: Case) -> dict[str, str]:
    from datetime import date

    return {"finish": WorkCalendar().add(date.fromisoformat(case["start"]), case["add_workdays"]).isoformat()}


def between(case: Case, _: Case) -> dict[str, int]:
    from datetime import date

    start, end = (date.fromisoformat(case[key]) for key in ("start", "end"))
    calendar, inclusive = WorkCalendar(), case.get("inclusive", True)
    weekdays = calendar.naive_weekdays(start, end)
    return {"workdays": calendar.between(start, end, inclusive=inclusive), "naive_weekdays": weekdays}


def unknown_year(case: Case, _: Case) -> dict[str, bool]:
    return {"provisional": bool(WorkCalendar().year(case["year"]).provisional)}


def _network(case: Case) -> tuple[Network, list[float]]:
    rows = case.get("tasks_list") or list(case["tasks"].items())
    links = [Link(link["pred"], link["succ"], link.get("type", "FS"), link.get("lag", 0.0)) for link in case["links"]]
    durations = [float("nan") if days is None else days for _, days in rows]
    return Network([name for name, _ in rows], links, not_before=case.get("not_before")), durations


def cpm(case: Case, _: Case) -> dict[str, Any]:
    network, durations = _network(case)
    found = network.passes(durations)
    names = {"ES": "early_start", "EF": "early_finish", "LS": "late_start", "LF": "late_finish", "TF": "total_float"}
    names["FF"] = "free_float"
    rows = {key: dict(zip(network.tasks, getattr(found, name).tolist(), strict=True)) for key, name in names.items()}
    critical = [name for name, on in zip(network.tasks, found.critical, strict=True) if on]
    return rows | {"T": float(found.end), "critical": critical}


def cpm_error(case: Case, _: Case) -> dict[str, str]:
    told = {
        "cycle": "cycle", "unknown_ref": "unknown task", "duplicate_id": "duplicate id", "not_finite": "bad duration",
        "at_least": "bad duration",
    }  # fmt: skip
    try:
        network, durations = _network(case)
        network.passes(durations)
    except InputError as error:
        return {"error": told[error.problems[0].code]}
    return {"error": "none"}


def _after(preds: Case) -> list[Link]:
    return [Link(before, name) for name, befores in preds.items() for before in befores]


def pert(case: Case, _: Case) -> dict[str, Any]:
    network = Network(tuple(case["three_point"]), _after(case["preds"]))
    found = classical_pert(network, list(case["three_point"].values()))
    result = {"te": dict(zip(network.tasks, found.expected.tolist(), strict=True)), "T": found.end}
    result |= {"critical": list(found.critical), "var": found.variance, "sd": found.variance**0.5}
    return result | ({"p_due": found.chance_by(case["due"])} if "due" in case else {})


def time_cost(case: Case, _: Case) -> dict[str, Any]:
    names = tuple(case["normal"])
    rows = [[case[key].get(name, 0.0) for name in names] for key in ("normal", "crash", "cost_per_week")]
    found = crash(Network(names, _after(case["preds"])), *rows, case["deadline"])
    return {"extra_cost": found.extra_cost, "crashed": found.saved}


def buffer(case: Case, _: Case) -> dict[str, float]:
    rss, half = rss_buffer(case["aggressive"], case["safe"])
    return {"rss": rss, "half": half}


def evm(case: Case, _: Case) -> dict[str, float | None]:
    found = indices(budget=case["BAC"], planned=case["PV"], earned=case["EV"], actual=case["AC"])
    names = {
        "CV": "cost_variance", "SV": "schedule_variance", "CPI": "cpi", "SPI": "spi", "EAC_cpi": "at_completion_cpi",
        "EAC_typ": "at_completion_plan", "EAC_cpi_spi": "at_completion_both", "ETC": "to_complete",
        "VAC": "variance_at_completion", "TCPI": "tcpi",
    }  # fmt: skip
    return {key: getattr(found, name) for key, name in names.items()}


def earned(case: Case, _: Case) -> dict[str, float | None]:
    found = earned_schedule(case["PV_cum"], elapsed=case["at"], earned=case["EV"])
    result = {"ES": found.earned, "SV_t": found.variance, "SPI_t": found.spi_time, "SPI_cost": found.spi_cost}
    return result | {"IEAC_t": found.finish}


def _psplib(path: Path) -> tuple[Network, list[int], dict[str, dict[str, int]], dict[str, int]]:
    """Read a single-mode file of PSPLIB: network, days, demand, capacity."""
    lines = path.read_text(encoding="utf-8").splitlines()

    def rows(head: str, skip: int) -> list[list[int]]:
        start = next(k for k, line in enumerate(lines) if line.startswith(head)) + skip
        found = itertools.takewhile(lambda line: not line.startswith("*"), lines[start:])
        return [[int(word) for word in line.split()] for line in found]

    after, needs = rows("PRECEDENCE", 2), rows("REQUESTS", 3)
    people = rows("RESOURCEAVAIL", 2)[0]
    roles = [f"R{k}" for k in range(len(people))]
    links = [Link(str(job), str(other)) for job, _, _, *following in after for other in following]
    demand = {str(job): {r: n for r, n in zip(roles, wants, strict=True) if n} for job, _, _, *wants in needs}
    network = Network([str(row[0]) for row in needs], links)
    return network, [row[2] for row in needs], demand, dict(zip(roles, people, strict=True))


def rcpsp(case: Case, folder: Path, *, effort: float = 60.0) -> Iterator[str]:
    """Level a file of PSPLIB; say what the schedule breaks, and how far its end is from what is known.

    Args:
        effort: limit of the search for an optimum, see `level`; where a schedule near the best known is asked for, a
            tenth of it.
    """
    network, days, demand, capacity = _psplib(folder / case["input"]["file"])
    limit = effort if "optimal" in case["expected"] else effort / 10
    found = level(network, days, demand, capacity, effort=limit)
    for link in network.links:
        if found.start[link.after] < found.finish[link.before]:
            yield f"{link.after} starts before {link.before} is done"
    for role, people in capacity.items():
        if found.load[role].max(initial=0) > people:
            yield f"{role} is asked for {found.load[role].max()} of {people}"
    expected = case["expected"]
    if "optimal" in expected:
        if found.end != expected["optimal"]:
            yield f"ends at {found.end}, not {expected['optimal']}"
    elif found.end > (1 + expected["gap_max"]) * expected["best_known"]:
        yield f"ends at {found.end}, best known {expected['best_known']}"


def evpi_normal(case: Case, _: Case) -> dict[str, float]:
    act = case["act"]
    return {"evpi": normal_information(act["mean"], act["sd"], 1.0, alternative=case["alternative"]).evpi}


class _Exponential:
    """Waiting time, which plans do not use and cases do."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return -np.log1p(-np.asarray(u)) / self.rate


def _distribution(given: Case) -> Any:
    kind = given["dist"]
    if kind == "exp":
        return _Exponential(given["rate"])
    if kind == "uniform":
        return Distribution("uniform", low=given["a"], high=given["b"])
    if kind == "normal":
        return Distribution("normal", mean=given["mean"], sd=given["sd"])
    if kind in ("beta_pert", "pert", "triangular"):
        name = "triangular" if kind == "triangular" else "pert"
        return Distribution(name, low=given["a"], mode=given["m"], high=given["b"])
    raise ValueError(f"unknown distribution {kind}")


_DRAWS = 200_000  # the error of a mean of a few units is then some thousandths


def _simulated(spread: Mapping[str, Any], *, one_after_another: bool = False, **options: Any) -> Simulation:
    names = list(spread)
    links = [Link(a, b) for a, b in itertools.pairwise(names)] if one_after_another else []
    return simulate(Network(names, links), spread, seed=7, draws=_DRAWS, **options)


def _summary(found: np.ndarray, case: Case, expected: Case) -> dict[str, float]:
    result = {"mean": float(found.mean()), "var": float(found.var()), "sd": float(found.std())}
    for key in expected:
        if at := re.fullmatch(r"p(\d\d)", key):
            result[key] = float(np.quantile(found, int(at[1]) / 100))
        elif at := re.fullmatch(r"p_le_([\d_]+)", key):
            result[key] = float((found <= float(at[1].replace("_", "."))).mean())
    return result | ({"p_due": float((found <= case["due"]).mean())} if "due" in case else {})


def mc_aggregate(case: Case, expected: Case) -> dict[str, float]:
    spread = {f"t{k}": _distribution(one) for k, one in enumerate(case["dists"])}
    groups = [Group(tuple(spread), case["corr"])] if case.get("corr") else []
    found = _simulated(spread, one_after_another=case["model"] == "sum", groups=groups)
    return _summary(found.end, case, expected)


def mc_gates(case: Case, _: Case) -> dict[str, float]:
    count, each = case["gates"], case["p_each"]
    spread = {f"g{k}": Distribution("uniform", low=0, high=1) for k in range(count)}
    due = dict.fromkeys(spread, each)
    apart = _simulated(spread, milestones=spread)
    together = _simulated(spread, milestones=spread, groups=[Group(tuple(spread), 1.0)])
    return {"p_all": apart.chance_of_all(due).share, "p_all_comonotone": together.chance_of_all(due).share}


def mc_correlated_sum(case: Case, _: Case) -> dict[str, float]:
    # far enough above 0 that no draw is cut off there
    spread = {f"t{k}": Distribution("normal", mean=10 * case["sd"], sd=case["sd"]) for k in range(case["n"])}
    found = _simulated(spread, one_after_another=True, groups=[Group(tuple(spread), case["rho"])])
    return {"var": float(found.end.var())}


def _numbers(given: Any) -> list[float]:
    """Return numbers of a list, of a mapping, or one alone."""
    rows = list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list) else [given]
    return [float(row) for row in rows]


def _first(case: Case, *names: str) -> Any:
    return next(case[name] for name in names if name in case)


def mc_risk_event(case: Case, expected: Case) -> dict[str, float]:
    base = Distribution("fixed", mean=sum(_numbers(_first(case, "base", "duration"))))
    events = [
        Risk(f"r{k}", float(_first(row, "p", "probability", "prob")), _size(_first(row, "impact", "days")), ("t",))
        for k, row in enumerate(_first(case, "events", "risks"))
    ]
    return _summary(_simulated({"t": base}, risks=events).end, case, expected)


def _size(given: Any) -> Any:
    return _distribution(given) if isinstance(given, Mapping) else Distribution("fixed", mean=float(given))


def mc_shared_driver(case: Case, _: Case) -> dict[str, float]:
    spread = {
        f"t{k}": Distribution("fixed", mean=days)
        for k, days in enumerate(_numbers(_first(case, "tasks", "base", "durations")))
    }
    factor = _size(case["driver"])
    shared = [Risk("all", 1.0, factor, tuple(spread), "factor")]
    apart = [Risk(f"r.{name}", 1.0, factor, (name,), "factor") for name in spread]
    means = [float(_simulated(spread, risks=risks).end.mean()) for risks in (shared, apart)]
    return {"mean_shared": means[0], "mean_independent": means[1]}


def mc_criticality(case: Case, _: Case) -> dict[str, Any]:
    found = _simulated({f"t{k}": _distribution(one) for k, one in enumerate(case["parallel"])})
    return {"criticality": found.criticality.tolist()}


def _plain(values: np.ndarray) -> Any:
    return values.tolist() if values.ndim else float(values)


SOLVERS = {
    ("stock_flow", "constant_new"): constant_new,
    ("stock_flow", "growing_new"): growing_new,
    ("funnel", "funnel"): funnel,
    ("goal_seek", "funnel_inverse"): funnel_inverse,
    ("goal_seek", "ceiling"): ceiling,
    ("goal_seek", "time_to_target"): time_to_target,
    ("attribution", "lmdi"): lmdi,
    ("ladder", "cagr_steps"): cagr_steps,
    ("ladder", "cagr_points"): cagr_points,
    ("ladder", "annualise"): annual,
    ("ladder", "largest_remainder"): largest_remainder,
    ("retention", "power_law"): power_law,
    ("retention", "sbg"): sbg,
    ("retention", "daily"): daily,
    ("user_states", "two_state"): two_state,
    ("user_states", "stationary"): stationary_row,
    ("bayes", "beta_binomial"): beta,
    ("bayes", "gamma_poisson"): gamma,
    ("bayes", "normal_normal"): normal,
    ("iis", "conflict_set"): conflict_set,
    ("iis", "probe"): probe,
    ("iis", "enumerate"): enumerate_sets,
    ("cpm", "cpm"): cpm,
    ("cpm_error", "cpm_error"): cpm_error,
    ("pert", "pert"): pert,
    ("time_cost_lp", "time_cost_lp"): time_cost,
    ("buffer", "buffer"): buffer,
    ("evm", "evm"): evm,
    ("earned_schedule", "earned_schedule"): earned,
    ("voi", "evpi_normal"): evpi_normal,
    ("mc", "aggregate"): mc_aggregate,
    ("mc", "gates"): mc_gates,
    ("mc", "correlated_sum"): mc_correlated_sum,
    ("mc", "risk_event"): mc_risk_event,
    ("mc", "shared_driver"): mc_shared_driver,
    ("mc_criticality", "mc_criticality"): mc_criticality,
    ("dist", "beta_pert"): beta_pert,
    ("dist", "triangular"): triangular,
    ("calendar", "year"): year,
    ("calendar", "add_workdays"): add_workdays,
    ("calendar", "between"): between,
    ("calendar", "unknown_year"): unknown_year,
}
JUDGES = {("rcpsp", "rcpsp"): rcpsp, ("rcpsp_bound", "rcpsp_bound"): rcpsp}
