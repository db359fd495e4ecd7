"""Organisations out of plan files, and the problems that a plan's reader is told."""

import json
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.funnel.split import split
from planlib.plan import load_plan
from planlib.plan.organisation import is_split, operators, units

MINIMAL = Path(__file__).parent / "minimal.yaml"
W = Path(__file__).parents[2] / "params" / "wechat_platform.yaml"


def _unit(name, level, parent=None, **more):
    row = {"id": name, "name": {"zh": name, "en": name}, "level": level, "source": "W4.1"} | more
    return row | ({"parent": parent} if parent else {})


ROWS = [
    _unit("east_1", "store", "east", capacity=20_000),
    _unit("east_2", "store", "east", capacity=30_000),
    _unit("east", "region", history=60_000),
    _unit("south", "region", history=40_000),
    _unit("south_1", "store", "south", share=1.0),
]
BASIS = {"region": "history", "store": "capacity"}


def _plan(rows=ROWS, **more):
    return load_plan(MINIMAL, sets=["organisation=" + json.dumps({"basis": BASIS, "units": rows} | more)])


def test_units_in_any_order_are_split_by_their_levels_basis():
    found = units(_plan(excess="move"))
    assert found.ids == ("east_1", "east_2", "east", "south", "south_1")
    assert found.parents == (2, 2, -1, -1, 3) and found.basis == ("capacity", "capacity", "history", "history", "")
    result = split(100_000.0, **found.arguments("private_domain_users"))
    assert result.amounts[0].tolist() == [20_000, 30_000, 50_000, 50_000, 50_000]  # the east carries 50,000 at most
    other = split(1_000_000.0, **found.arguments("gmv"))  # capacities are counted in users
    assert other.amounts[0].tolist() == [240_000, 360_000, 600_000, 400_000, 400_000] and other.over == ()


def test_rates_are_not_split():
    assert is_split("private_domain_users") and is_split("gmv")
    assert not is_split("mau_rate") and not is_split("aov")


def test_a_plan_without_organisation_has_none():
    assert units(load_plan(MINIMAL)) is None and units(load_plan(W)) is None and operators(load_plan(MINIMAL)) is None


def test_the_seed_plan_states_its_operators():
    found = operators(load_plan(W))
    assert (found.people, found.people_path, found.users_each) == ((5, 8), "team.roles.user_operations.people", 10_000)
    alone = operators(load_plan(W, sets=["team.users_per_operator.owner=null"]))
    assert (alone.people, alone.people_path) == ((50, 50), "team.size")


@pytest.mark.parametrize(
    "rows, code, field",
    [
        ([_unit("a", "region", "nobody", history=1)], "unknown_ref", "organisation.units[0].parent"),
        ([_unit("a", "region")], "missing", "organisation.units[0].history"),
        ([_unit("a", "office", history=1)], "no_basis", "organisation.units[0]"),
        ([_unit("a", "region", share=0.7), _unit("b", "region", share=0.7)], "shares_above_one",
         "organisation.units[1].share"),
        ([_unit("a", "region", "b", history=1), _unit("b", "region", "a", history=1)], "cycle",
         "organisation.units[0].parent"),
        ([_unit("a", "region", share=1.2)], "rate_range", "organisation.units[0].share"),
        ([_unit("a", "region", history=-1)], "at_least", "organisation.units[0].history"),
        ([_unit("a", "region", history=1), _unit("a", "region", history=1)], "duplicate_id",
         "organisation.units[1].id"),
        ([], "empty", "organisation.units"),
    ],
)  # fmt: skip
def test_bad_units_are_told_when_the_plan_is_read(rows, code, field):
    with pytest.raises(InputError) as caught:
        _plan(rows)
    assert (code, field) in [(p.code, p.field) for p in caught.value.problems]
