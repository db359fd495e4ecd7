"""Every problem of one call is told at once, with field, place and limits."""

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.core.guards import Guard


@pytest.mark.parametrize(
    "value, limits, code, values",
    [
        (1.2, {"low": 0.0, "high": 1.0}, "out_of_range", {"low": 0, "high": 1}),
        (-0.2, {"low": 0.0}, "at_least", {"low": 0}),
        (0.0, {"above": 0.0}, "above", {"low": 0}),
        (1.0, {"low": 0.0, "below": 1.0}, "below", {"low": 0, "high": 1}),
        (1.0, {"above": 0.0, "below": 1.0}, "between", {"low": 0, "high": 1}),
        (2.0, {"above": 0.0, "high": 1.0}, "at_most", {"high": 1}),
        (0.0, {"above": 0.0, "high": 1.0}, "above", {"low": 0}),
        (2.0, {"high": 1.5}, "at_most", {"high": 1.5}),
        (2.0, {"below": 1.5}, "less", {"high": 1.5}),
        (np.nan, {}, "not_finite", {}),
        (np.inf, {}, "not_finite", {}),
        ("0.08", {}, "not_number", {}),
        (True, {}, "not_number", {}),
        (None, {}, "not_number", {}),
        ([], {}, "empty", {}),
        ([[1.0], [1.0, 2.0]], {}, "not_number", {}),
    ],
)
def test_each_problem_has_its_code(value, limits, code, values):
    guard = Guard()
    guard.numbers("rate", value, **limits)
    with pytest.raises(InputError) as caught:
        guard.done()
    (problem,) = caught.value.problems
    assert (problem.code, dict(problem.values)) == (code, values)
    assert caught.value.render("en") and caught.value.render("zh")


@pytest.mark.parametrize("value", [0.0, 1.0, [0.0, 1.0], 1, np.float32(0.5)])
def test_limits_themselves_are_allowed(value):
    guard = Guard()
    assert np.array_equal(guard.share("rate", value), value)
    guard.done()


def test_all_problems_are_told_together():
    guard = Guard()
    guard.share("churn", 1.5)
    guard.whole("months", 0)
    guard.choice("applied", "sometimes", ("before_adds", "after_adds"))
    with pytest.raises(InputError) as caught:
        guard.done()
    assert [p.field for p in caught.value.problems] == ["churn", "months", "applied"]


def test_the_place_inside_an_array_is_named():
    guard = Guard()
    guard.numbers("intake", [[1.0, 2.0], [3.0, -4.0]], low=0.0)
    assert (guard.problems[0].field, guard.problems[0].given) == ("intake[1, 1]", -4.0)


def test_choices():
    guard = Guard()
    assert guard.choice("sides", 2, (1, 2)) == 2
    guard.choice("sides", 3, (1, 2))
    assert dict(guard.problems[0].values) == {"choice": "1, 2"}


def test_whole_numbers():
    guard = Guard()
    assert guard.whole("months", 12.0) == 12
    guard.whole("months", 12.5)
    assert guard.problems[0].code == "not_whole"
