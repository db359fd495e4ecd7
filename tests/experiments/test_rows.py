"""Rows into arms: order, missing values by policy, and every fault of rows named at once."""

import math

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.experiments.rows import known_numbers, split_arms

VARIANT = ["b", "a", "b", "c", "a", "c"]
PAID = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_the_control_comes_first():
    arms = split_arms(VARIANT, {"paid": PAID}, control="b")
    assert (arms.control, arms.treatments) == ("b", ("a", "c"))
    assert {label: float(rows.mean("paid")) for label, rows in arms.rows.items()} == {"a": 3.5, "b": 2.0, "c": 5.0}


def test_labels_are_compared_as_text():
    assert split_arms([0, 1, 0, 1], {"paid": PAID[:4]}, control="0").treatments == ("1",)
    assert split_arms(np.array([0, 1]), {"paid": PAID[:2]}, control=np.int64(0)).treatments == ("1",)


@pytest.mark.parametrize("gap", [None, math.nan])
def test_missing_values_by_policy(gap):
    paid = [1.0, 2.0, gap, 4.0, 5.0, 6.0]
    dropped = split_arms(VARIANT, {"paid": paid}, control="b")
    assert (dropped.dropped["paid"], dropped.zero_filled["paid"], float(dropped.rows["b"].mean("paid"))) == (1, 0, 1.0)
    assert (dropped.rows["b"].rows, dropped.rows["b"].n("paid")) == (2, 1)
    zero = split_arms(VARIANT, {"paid": paid}, control="b", nulls="zero")
    assert (zero.dropped["paid"], zero.zero_filled["paid"], float(zero.rows["b"].mean("paid"))) == (0, 1, 0.5)
    with pytest.raises(InputError, match=r"paid\[2\]"):
        split_arms(VARIANT, {"paid": paid}, control="b", nulls="refuse")


def test_together_leaves_out_a_row_that_lacks_a_column():
    columns = {"paid": PAID, "orders": [1, 1, None, 2, 1, 1]}
    arms = split_arms(VARIANT, columns, control="b", together=True)
    assert arms.rows["b"].n("paid") == 1 and arms.dropped == {"paid": 0, "orders": 1}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"variant": []}, ["empty", "shape"]),
        ({"variant": ["a"] * 6, "control": "a"}, ["one_arm"]),
        ({"control": "zzz"}, ["unknown_control"]),
        ({"variant": ["b", "a", None, "c", "a", "c"]}, ["missing"]),
        ({"columns": {"paid": [1.0, "x", 3.0, 4.0, 5.0, 6.0]}}, ["not_number"]),
        ({"columns": {"paid": [1.0, math.inf, 3.0, 4.0, 5.0, 6.0]}}, ["not_finite"]),
        ({"columns": {"paid": [True, False] * 3}}, ["not_number"]),
        ({"columns": {"paid": PAID[:3]}}, ["shape"]),
        ({"columns": {}}, ["empty"]),
        ({"unit": [1, 1, 2, 3, 4, 5]}, ["in_two_arms"]),
        ({"unit": [1, 2, 1, 3, 4, 5]}, ["double_rows"]),
        ({"unit": [1, 2]}, ["shape"]),
        ({"nulls": "mean"}, ["choice"]),
        ({"control": "zzz", "columns": {"paid": PAID[:3]}, "unit": [1, 1, 2, 3, 4, 5]},
         ["shape", "unknown_control", "in_two_arms"]),
    ],
)
def test_faults_of_rows_are_named(change, codes):
    given = {"variant": VARIANT, "columns": {"paid": PAID}, "control": "b"} | change
    variant, columns = given.pop("variant"), given.pop("columns")
    with pytest.raises(InputError) as caught:
        split_arms(variant, columns, **given)
    assert [problem.code for problem in caught.value.problems] == codes


def test_an_unknown_control_names_the_labels_there_are():
    with pytest.raises(InputError) as caught:
        split_arms(VARIANT, {"paid": PAID}, control="zzz")
    assert "zzz" in str(caught.value) and "a, b, c" in str(caught.value)
    assert "zzz" in caught.value.render("zh")


def test_known_numbers():
    found, missing = known_numbers("paid", [1, None, 2.5, math.nan])
    assert (found.tolist(), missing) == ([1.0, 2.5], 2)
    with pytest.raises(InputError):
        known_numbers("paid", ["1"])
