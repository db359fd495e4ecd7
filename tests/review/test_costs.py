"""Costs: earned value by hand, parts that sum, floors of return, noise of small counts, odd weeks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.review.costs import PARTS, Spending, check_costs, oddness, return_state


def line(name="ads", planned=(1000.0, 100.0), actual=(1000.0, 100.0), **more):
    return Spending(
        line=name, unit="users", planned_cny=planned[0], planned_output=planned[1], actual_cny=actual[0],
        actual_output=actual[1], **more,
    )  # fmt: skip


def test_spend_a_fifth_above_plan_at_plan_output_gives_cpi_083_and_an_alert():
    (found,) = check_costs([line(planned=(100_000.0, 10_000.0), actual=(120_000.0, 10_000.0))])
    assert round(found.value.cpi, 2) == 0.83 and found.value.spi == 1.0
    assert found.state == "off_track" and found.reason == "much_dearer"
    assert found.value.at_completion(100_000.0) == pytest.approx(120_000.0)


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        ((1000.0, 100.0), "as_planned"), ((1040.0, 100.0), "as_planned"), ((108_000.0, 10_000.0), "dearer"),
        ((120_000.0, 10_000.0), "much_dearer"), ((0.0, 0.0), "nothing_spent"), ((500.0, 100.0), "as_planned"),
    ],
)  # fmt: skip
def test_what_is_told_of_a_line(actual, reason):
    scale = max(actual[1], 100.0)
    (found,) = check_costs([line(planned=(10 * scale, scale), actual=actual)])
    assert found.reason == reason


def test_a_line_that_was_not_planned_is_raised():
    found = check_costs([line(), line("new", (0.0, 0.0), (500.0, 20.0))])
    assert found[1].reason == "unplanned" and found[1].parts == {"volume": 0.0, "mix": 0.0, "price": 500.0}


def test_few_people_more_or_less_are_no_alert():
    """24 people at 29 CNY against 21 at 19: chance alone; 100 times as many: dearer."""
    few = line(planned=(403.0, 21.0), actual=(687.0, 24.0), counted=True)
    many = line("many", (40_300.0, 2_100.0), (68_700.0, 2_400.0), counted=True)
    found = check_costs([few, many])
    assert [one.reason for one in found] == ["within_noise", "much_dearer"]
    assert found[0].value.cpi == pytest.approx(found[1].value.cpi)


amounts = st.one_of(st.just(0.0), st.floats(0.01, 1e6))


@settings(max_examples=40)
@given(st.lists(st.tuples(amounts, amounts, amounts, amounts), min_size=1, max_size=5))
def test_parts_sum_to_what_was_spent_above_plan(rows):
    lines = [line(str(k), (a, b), (c, d)) for k, (a, b, c, d) in enumerate(rows)]
    for one in check_costs(lines):
        over = one.spending.actual_cny - one.spending.planned_cny
        assert sum(one.parts[name] for name in PARTS) == pytest.approx(over, abs=1e-6 * max(abs(over), 1.0))


def test_mix_alone_moves_cost():
    """The same people and prices, but more of the dear channel."""
    found = check_costs([line("cheap", (100.0, 10.0), (50.0, 5.0)), line("dear", (1000.0, 10.0), (1500.0, 15.0))])
    assert all(one.parts["volume"] == pytest.approx(0) and one.parts["price"] == pytest.approx(0) for one in found)
    assert sum(one.parts["mix"] for one in found) == pytest.approx(450.0)


@pytest.mark.parametrize(
    ("basis", "value", "state"),
    [
        ("campaign", 3.0, "on_track"), ("campaign", 2.99, "at_risk"), ("campaign", 1.0, "at_risk"),
        ("private_domain", 2.3, "on_track"), ("private_domain", 2.29, "at_risk"),
        ("private_domain", 1.51, "at_risk"), ("private_domain", 1.5, "off_track"),
        ("private_domain", None, "not_measured"),
    ],
)  # fmt: skip
def test_each_basis_of_return_has_its_own_floors(basis, value, state):
    assert return_state(basis, value) == state


def test_a_campaign_may_set_its_own_floor():
    assert return_state("campaign", 2.0, floor=1.5) == "on_track"
    with pytest.raises(InputError):
        return_state("private_domain", 2.0, floor=1.5)


def test_odd_weeks():
    rng = np.random.default_rng(20270501)
    values = rng.normal(3.0, 0.1, 60)
    values[30] += 2.0
    found = oddness(values)
    assert int(np.abs(found).argmax()) == 30 and abs(found[30]) > 10 and (np.abs(np.delete(found, 30)) < 5).all()
    assert oddness([1.0, 1.0, 1.0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("wrong", [
    lambda: check_costs([]), lambda: check_costs([line(), line()]), lambda: check_costs([line(planned=(-1.0, 1.0))]),
    lambda: return_state("margin", 1.0), lambda: return_state("campaign", float("nan")), lambda: oddness([1.0, 2.0]),
    lambda: check_costs([Spending(line="x", unit="", planned_cny=1.0, planned_output=1.0, actual_cny=1.0,
                                  actual_output=1.0)]),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
