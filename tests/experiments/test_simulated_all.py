"""No interval, test or design without a simulation: what the rooms offer, held against the simulations there are.

A new method in a table, or a new public function whose answer holds an interval or p-value, fails here until a
simulation of its coverage, level or power stands in the list.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import typing

import pytest

import planlib.experiments as rooms
from planlib.experiments.cuped import Cuped
from planlib.experiments.result import Arm
from tests.core import test_intervals as of_core
from tests.experiments import (
    test_bayesian,
    test_multiplicity,
    test_noninferiority,
    test_policy,
    test_sequential,
    test_simulated,
    test_srm,
)

of = test_simulated
TABLES = {  # table of methods -> (simulation, its argument that goes through the table), one or more
    "proportions.INTERVALS": [(of.test_intervals_of_the_difference_of_shares, "method")],
    "proportions.LIFTS": [(of.test_intervals_of_the_lift_of_shares, "method")],
    "proportions.SHARES": [(of.test_intervals_of_one_share, "method")],
    "proportions.TESTS": [
        (of.test_tests_of_shares_keep_their_level_and_power, "test"),
        (of.test_exact_tests_keep_their_level_in_small_arms, "test"),
    ],
    "means.TESTS": [(of.test_means, "test")],
    "means.LIFTS": [(of.test_lift_of_means, "method")],
    "noninferiority.TESTS": [(of.test_margins_of_shares, "test")],
    "sequential.SPENDING": [(test_sequential.test_the_adjusted_interval_covers, "spending")],
    "sequential.CLASSICAL": [
        (test_sequential.test_every_design_keeps_its_level_and_its_repeated_intervals_cover_at_all_looks, "design")
    ],
    "multiplicity.METHODS": [(test_multiplicity.test_error_rates, "")],  # goes through the table itself
}
FUNCTIONS = {  # function whose answer holds an interval or p-value -> simulations of it
    "proportions.two_proportions": [of.test_exact_tests_keep_their_level_in_small_arms],
    "proportions.difference_limits": [of.test_intervals_of_the_difference_of_shares],
    "proportions.lift_of_proportions": [of.test_intervals_of_the_lift_of_shares],
    "proportions.lift_limits": [of.test_intervals_of_the_lift_of_shares],
    "proportions.one_proportion": [of.test_intervals_of_one_share],
    "means.mean": [of.test_means, of.test_welch_has_the_power_that_was_planned],
    "means.ratio": [of.test_ratio],
    "means.clustered_mean": [of.test_clusters],
    "means.difference": [of.test_means, of.test_ratio, of.test_clusters],
    "means.difference_limits": [of.test_means],
    "means.lift": [of.test_lift_of_means, of.test_ratio, of.test_fieller_unbounded_intervals_hold_too],
    "means.lift_limits": [of.test_lift_of_means],
    "means.poststratify": [of.test_poststratification],
    "cuped.cuped": [of.test_cuped, of.test_cuped_has_the_power_that_was_planned],
    "cuped.cuped_ratio": [of.test_cuped],
    "cuped.adjusted": [of.test_adjusted_effects_by_day_hold_at_every_look],
    "cuped.cuped_lift": [of.test_cuped],
    "ranks.mann_whitney": [of.test_mann_whitney],
    "ranks.order_statistics": [of.test_quantiles],
    "ranks.quantile_difference": [of.test_quantiles],
    "ranks.winsorise": [of.test_winsorised_means_keep_their_level],
    "noninferiority.non_inferiority": [of.test_margins_of_means, of.test_a_relative_margin_keeps_its_level],
    "noninferiority.non_inferiority_proportions": [
        of.test_margins_of_shares, test_noninferiority.test_level_at_the_margin_and_power_beyond,
    ],
    "noninferiority.tost": [of.test_margins_of_means, of.test_equivalence_has_its_power],
    "sequential.repeated_interval": [
        test_sequential.test_every_design_keeps_its_level_and_its_repeated_intervals_cover_at_all_looks
    ],
    "sequential.stopped": [test_sequential.test_the_adjusted_interval_covers],
    "sequential.confidence_sequence": [
        test_sequential.test_confidence_sequences_cover_at_all_looks,
        test_sequential.test_sequences_have_the_power_of_their_looks,
    ],
    "sequential.msprt": [
        test_sequential.test_confidence_sequences_cover_at_all_looks,
        test_sequential.test_sequences_have_the_power_of_their_looks,
    ],
    "bayesian.compare_shares": [test_bayesian.test_intervals_cover_what_the_prior_draws],
    "bayesian.compare_values": [of.test_credible_intervals_hold_what_the_prior_draws],
    "bayesian.normal_effect": [of.test_credible_intervals_hold_what_the_prior_draws],
    "portfolio.add_up": [of.test_sums_of_a_portfolio_hold_the_sum],
    "policy.qini": [test_policy.test_qini_of_a_random_score_is_zero_within_its_interval],
    "policy.rule_by_segment": [test_policy.test_with_equal_effects_the_gain_of_a_rule_covers_zero],
    "policy.off_policy": [test_policy.test_value_of_another_rule_out_of_a_log],
    "srm.srm": [test_srm.test_alarm_rate_under_the_plan],
    "core.intervals.wilson": [of_core.test_wilson_covers],
}  # fmt: skip
OTHER_TABLES = {  # choices that are no method of an interval or test
    "assignment.REASONS", "portfolio.ESTIMATORS", "power.DAYS_IN", "power.CORRECTIONS", "power.VARIANCES",
    "power.DISTRIBUTIONS", "readout.SAVED", "readout.BLOCKING", "result.ALTERNATIVES", "rows.NULLS",
    "schedule.REASONS", "trial.ALTERNATIVES", "trial.KINDS", "trial.STOPPING",
}  # fmt: skip
INNER = {"means.welch_df", "result.interval_of", "result.limits", "result.one_side"}  # parts of those above
LIMITS = {"difference_limits", "lift_limits", "winsorise"}


def holds_an_interval(answer) -> bool:
    """Whether a class has an interval, limits or a p-value, or makes one where arms are compared."""
    if not dataclasses.is_dataclass(answer):
        return "Interval" in str(answer)
    if answer in (Arm, Cuped):
        return True
    return any("Interval" in str(f.type) or f.name in ("low", "high", "p_value") for f in dataclasses.fields(answer))


def offered():
    """Names of all tables of choices and of all public functions whose answer holds an interval or p-value."""
    tables, functions = {}, set()
    for part in pkgutil.iter_modules(rooms.__path__):
        room = importlib.import_module(f"planlib.experiments.{part.name}")
        for name, own in vars(room).items():
            if name.startswith("_") or getattr(own, "__module__", room.__name__) != room.__name__:
                continue
            if name.isupper() and isinstance(own, tuple | dict) and own and all(isinstance(key, str) for key in own):
                tables[f"{part.name}.{name}"] = set(own)
            elif inspect.isfunction(own) and (
                name in LIMITS or holds_an_interval(typing.get_type_hints(own).get("return"))
            ):
                functions.add(f"{part.name}.{name}")
    return tables, functions - INNER


def swept(simulation, argument) -> set[str]:
    """Values that a simulation goes through."""
    for mark in getattr(simulation, "pytestmark", []):
        if mark.name == "parametrize":
            names = mark.args[0].split(",") if isinstance(mark.args[0], str) else list(mark.args[0])
            if argument in names:
                at = names.index(argument)
                rows = [getattr(row, "values", row) for row in mark.args[1]]
                return {row if isinstance(row, str) else row[at] for row in rows}
    return set()


@pytest.mark.parametrize("name", sorted(set(offered()[0]) - OTHER_TABLES))
def test_every_method_of_a_table_is_simulated(name):
    assert name in TABLES, f"{name}: no simulation goes through it"
    if TABLES[name][0][1]:
        seen = set().union(*(swept(simulation, argument) for simulation, argument in TABLES[name]))
        missing = {method for method in offered()[0][name] if not any(method == own.split()[-1] for own in seen)}
        assert not missing, f"{name}: no simulation of {missing}"


def test_every_function_with_an_interval_is_simulated():
    assert offered()[1] - set(FUNCTIONS) == set()
    assert set(FUNCTIONS) - offered()[1] == {"core.intervals.wilson"}


def test_the_lists_name_nothing_that_is_gone():
    tables = set(offered()[0])
    assert set(TABLES) <= tables
    assert all(simulations for simulations in FUNCTIONS.values())
