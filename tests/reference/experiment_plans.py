"""Cases of tests planned, looked at and believed: looks, several questions, size, posteriors, information."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from planlib.core.bayes import Beta
from planlib.core.information import normal_information
from planlib.experiments import power
from planlib.experiments.bayesian import Posterior, best_share, compare_shares, compare_values
from planlib.experiments.multiplicity import METHODS, adjusted_p, dunnett_critical
from planlib.experiments.portfolio import exaggeration, profit_optimal_size, shrink
from planlib.experiments.sequential import (
    Boundaries,
    classical_boundaries,
    confidence_sequence,
    msprt,
    peeking_error,
    spending_boundaries,
)

Case = Mapping[str, Any]
Procedure = Callable[[Case, Path], Case]


def _given(given: Case, *names: str) -> dict[str, Any]:
    """Those settings that a case names."""
    return {name: given[name] for name in names if name in given}


# looks


def _boundaries(found: Boundaries) -> Case:
    return {
        "constant": found.z[-1],
        "z_bounds": found.z,
        "nominal_p": found.nominal_p,
        "alpha_spent": found.alpha_spent,
    }


def _classical(design: str) -> Procedure:
    return lambda given, _: _boundaries(
        classical_boundaries(given.get("information", given.get("K")), design, **_given(given, "alpha", "sides"))
    )


def _spending(text: str) -> dict[str, Any]:
    """The spending function that a case describes."""
    exponent = re.search(r"t\^([\d.]+)", text)
    if exponent:
        return {"spending": "power", "exponent": float(exponent[1])}
    return {"spending": "pocock" if re.search(r"pocock|e ?- ?1", text, re.IGNORECASE) else "obrien_fleming"}


def gs_spending(given: Case, _: Path) -> Case:
    settings = _spending(given["spending"]) | _given(given, "alpha", "sides")
    return _boundaries(spending_boundaries(given["information"], **settings))


def gs_peeking_inflation(given: Case, _: Path) -> Case:
    settings = _given(given, "alpha", "sides")
    looks = given["K"] if isinstance(given["K"], list) else [given["K"]]
    return {"error": [peeking_error(k, **settings) for k in looks]}


def _always_valid(*, relative: bool) -> Procedure:
    def run(given: Case, _: Path) -> Case:
        (c_n, c, c_sd), (t_n, t, t_sd) = ([given[f"{arm}_{part}"] for part in ("n", "mean", "sd")] for arm in "ct")
        effect, variance = t - c, c_sd**2 / c_n + t_sd**2 / t_n
        if relative:
            effect, variance = t / c - 1, t_sd**2 / (t_n * c**2) + c_sd**2 * t**2 / (c_n * c**4)
        alpha, tuning = given.get("alpha", 0.05), given["tuning"]
        found = confidence_sequence(effect, math.sqrt(variance), c_n + t_n, tuning_n=tuning, alpha=alpha)
        return {
            "lift" if relative else "diff": found.estimate,
            "ci": [found.low, found.high],
            "half_width": (found.high - found.low) / 2,
            "rho": math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tuning),
            "p_value": found.p_value,
            "e_value": found.e_value,
        }

    return run


def always_valid_msprt(given: Case, _: Path) -> Case:
    found = msprt(given["diff"], given["var_diff"], tau=given["tau"], **_given(given, "alpha"))
    return {"lr": found.e_value, "p_value": found.p_value, "ci": [found.low, found.high]}


# several questions


def _adjusted(method: str) -> Procedure:
    def run(given: Case, _: Path) -> Case:
        adjusted = adjusted_p(given["p_values"], method)
        return {"adjusted": adjusted, "reject": (adjusted <= given.get("alpha", 0.05)).tolist()}

    return run


def dunnett(given: Case, _: Path) -> Case:
    settings = _given(given, "alpha", "sides")
    treatments = given["k"] if isinstance(given["k"], list) else [given["k"]]
    critical = [dunnett_critical((1,) * (k + 1), **settings) for k in treatments]
    return {"critical": critical if isinstance(given["k"], list) else critical[0]}


# size and power


def _shares(given: Case) -> tuple[float, float]:
    return given["p_control"], given["p_treatment"] - given["p_control"]


def _two_arms(given: Case, *names: str) -> dict[str, Any]:
    return _given(given, "alpha", *names) | {"allocation": (1, given.get("ratio", 1))}


def power_n_prop(given: Case, _: Path) -> Case:
    size = power.n_proportions(*_shares(given), variance="pooled", **_two_arms(given, "power"))
    control, treatment = size.n_per_arm
    return {"n_control": size.n_control_exact, "n_control_ceil": control, "n_treatment_ceil": treatment}


def power_prop(given: Case, _: Path) -> Case:
    call = (*_shares(given), given["n_control"])
    settings = {"variance": "pooled"} | _two_arms(given)
    return {
        "power": power.power_proportions(*call, **settings),
        "power_near_tail": power.power_proportions(*call, both_tails=False, **settings),
    }


def power_mde_prop(given: Case, _: Path) -> Case:
    settings = {"variance": "pooled"} | _two_arms(given, "power")
    mde = power.mde_proportions(given["p_control"], given["n_control"], **settings)
    return {"mde_abs": mde, "mde_rel": mde / given["p_control"]}


def power_n_mean(given: Case, _: Path) -> Case:
    settings = {"sd": given["sd"]} | _two_arms(given, "power")
    return {f"n_control_{d}": power.n_means(given["delta"], distribution=d, **settings).n_control_exact for d in "tz"}


def power_mean(given: Case, _: Path) -> Case:
    return {"power": power.power_means(given["delta"], given["n_control"], sd=given["sd"], **_two_arms(given))}


def _n_by_factor(factor: Callable[[Case], float]) -> Procedure:
    def run(given: Case, _: Path) -> Case:
        settings = {"sd": given["sd"], "distribution": "z"} | _two_arms(given, "power")
        size = power.n_means(given["delta"], variance_factor=factor(given), **settings)
        return {"n_control_z": size.n_control_exact}

    return run


def power_n_unpooled_k(given: Case, _: Path) -> Case:
    settings = _given(given, "alpha", "power", "correction") | {"allocation": given["weights"]}
    effect = given["avg"] * given["mde_rel"]
    if given["binary"]:
        size = power.n_proportions(given["avg"], effect, **settings)
    else:
        size = power.n_means(effect, sd=math.sqrt(given["var"]), distribution="z", **settings)
    return {"n_total": size.n_control_exact * sum(given["weights"]) / given["weights"][0]}


def power_sqrtk_allocation(given: Case, _: Path) -> Case:
    share = power.control_share(given["k"])
    return {"control_share": share, "treatment_share": (1 - share) / given["k"]}


def duration(given: Case, _: Path) -> Case:
    found = power.duration(given["n_total"], given["daily_traffic"], per="day", **_given(given, "exposure"))
    return {
        "days_exact": found.days_exact,
        "days": found.days,
        "weeks": found.weeks,
        "days_rounded": found.days_whole_weeks,
    }


def _tt_mean(solve: str) -> Procedure:
    def run(given: Case, _: Path) -> Case:
        sd, mean, settings = math.sqrt(given["var"]), given["mean"], _given(given, "alpha")
        effect, n_total, chance = given["rel_effect"] * mean, given["n_total"], given.get("power", 0.8)
        if solve == "power":
            chance = power.power_means(effect, n_total / 2, sd=sd, **settings)
        elif solve == "n_obs":
            n_total = power.n_means(effect, sd=sd, power=chance, **settings).n_total
        else:
            effect = power.mde_means(n_total / 2, sd=sd, power=chance, **settings)
        return {"power": chance, "effect_size": effect, "rel_effect_size": effect / mean, "n_obs": n_total}

    return run


def power_n_evan_miller(given: Case, _: Path) -> Case:
    settings = _given(given, "alpha", "power")
    size = power.n_proportions(given["p_control"], given["mde_abs"], variance="control", **settings)
    return {"n_per_arm": size.n_control_exact, "n_rounded": round(size.n_control_exact)}


# posteriors


def _told(found: Posterior) -> dict[str, Any]:
    return {
        "posterior_mean": found.mean,
        "posterior_mean_control": found.control,
        "posterior_mean_treatment": found.treatment,
        "chance_to_win": found.chance_to_win,
        "ci": [found.interval.low, found.interval.high],
        "expected_loss_choose_treatment": found.loss_treatment,
        "expected_loss_choose_control": found.loss_control,
    }


def bayes_beta(given: Case, _: Path) -> Case:
    counts = (given[name] for name in ("c_x", "c_n", "t_x", "t_n"))
    return _told(compare_shares(*counts, prior=Beta(given.get("a", 1.0), given.get("b", 1.0))))


def bayes_best_of_k(given: Case, _: Path) -> Case:
    prior = Beta(given.get("a", 1.0), given.get("b", 1.0))
    return {"p_best": best_share(given["x"], given["n"], prior=prior).chance}


def _bayes_normal(*, relative: bool) -> Procedure:
    def run(given: Case, _: Path) -> Case:
        arms = [(given[f"{arm}_mean"], given[f"{arm}_sd"] ** 2 / given[f"{arm}_n"]) for arm in "ct"]
        prior = given.get("prior_sd_relative")
        return _told(compare_values(*arms[0], *arms[1], relative=relative, prior_sd_rel=prior))

    return run


# information


def evsi_normal(given: Case, _: Path) -> Case:
    found = normal_information(given["prior_mean"], given["prior_sd"], given["se"])
    return {"evsi": found.evsi, "evpi": found.evpi, "preposterior_sd": found.preposterior_sd}


def test_and_roll(given: Case, _: Path) -> Case:
    return {"n_per_arm": profit_optimal_size(given["N"], given["response_sd"], given["prior_sd"]).n_per_arm}


# past tests


def winners_curse(given: Case, _: Path) -> Case:
    tails = math.erfc(given["z_crit"] / math.sqrt(2))
    found = exaggeration(given["delta"], given["se"], alpha=tails)
    return {
        "p_sig": found.chance,
        "expected_estimate": found.expected_estimate,
        "exaggeration": found.exaggeration,
    }


def shrinkage(given: Case, expected: Case) -> Case:
    """DerSimonian-Laird states tau2, maximum likelihood tau: only these keys tell the two forms apart."""
    found = shrink(given["estimates"], given["se"], method="dl" if "tau2" in expected else "ml")
    return {
        "mu": found.mean,
        "tau": found.tau,
        "tau2": found.tau**2,
        "posterior_mean": found.effect,
        "posterior_sd": found.sd,
    }


PROCEDURES: dict[str, Procedure] = {
    "gs_obf": _classical("obrien_fleming"),
    "gs_pocock": _classical("pocock"),
    "gs_spending": gs_spending,
    "gs_peeking_inflation": gs_peeking_inflation,
    "always_valid_abs": _always_valid(relative=False),
    "always_valid_rel": _always_valid(relative=True),
    "always_valid_msprt": always_valid_msprt,
    "dunnett_critical": dunnett,
    "power_n_prop": power_n_prop,
    "power_prop": power_prop,
    "power_mde_prop": power_mde_prop,
    "power_n_mean": power_n_mean,
    "power_mean": power_mean,
    "power_cuped_n": _n_by_factor(lambda given: power.cuped_factor(given["rho"])),
    "power_cluster_deff": _n_by_factor(lambda given: power.design_effect(given["m"], given["icc"])),
    "power_n_unpooled_k": power_n_unpooled_k,
    "power_n_evan_miller": power_n_evan_miller,
    "power_sqrtk_allocation": power_sqrtk_allocation,
    "duration": duration,
    "bayes_beta": bayes_beta,
    "bayes_best_of_k": bayes_best_of_k,
    "evsi_normal": evsi_normal,
    "test_and_roll": test_and_roll,
    "winners_curse_truncated": winners_curse,
} | {f"power_tt_mean/{solve}": _tt_mean(solve) for solve in ("power", "n_obs", "rel_effect_size")}
PROCEDURES |= {f"multi_{method.replace('_', '-')}": _adjusted(method) for method in METHODS}
PROCEDURES |= {
    f"bayes_normal_{prior}/{kind}": _bayes_normal(relative=kind == "relative")
    for prior in ("flat", "prior")
    for kind in ("absolute", "relative")
}
