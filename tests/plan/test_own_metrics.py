"""Metrics that a plan declares: what is refused, with one message each, and what the rest of planlib gets to know."""

import pytest

from planlib.core import own
from planlib.core.errors import InputError
from planlib.core.metrics import catalogue, shipped
from planlib.core.words import words
from planlib.data.baseline import _shipped as shipped_measures
from planlib.data.schema import TABLES
from planlib.plan import own_metrics
from tests.plan.own_plans import COUNT, GIFTS, with_own


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Leave no metric behind for other tests."""
    monkeypatch.setattr(own, "_known", {})
    monkeypatch.setattr(own, "_in_force", [])


def test_a_declared_metric_is_one_of_the_catalogue():
    plan = with_own(GIFTS)
    metric = catalogue()["own_gift_share"]
    assert (metric.unit, metric.direction, metric.kind, metric.window) == ("ratio", "up", "rate", 30)
    assert words("zh").metric("own_gift_share") == "礼品订单占比"
    assert "own_gift_share" not in shipped()
    assert own.in_force() == own_metrics.declared(plan.own_metrics)
    assert with_own().own_metrics == () and own.in_force() == ()


@pytest.mark.parametrize(("names", "zh", "en"), [({"zh": "甲"}, "甲", "甲"), ({"en": "A"}, "A", "A")])
def test_a_name_in_one_language_does_for_both(names, zh, en):
    with_own(COUNT | {"names": names})
    assert (words("zh").metric("own_x"), words("en").metric("own_x")) == (zh, en)


def test_a_target_may_name_it_and_only_in_a_plan_that_declares_it():
    target = "[{metric: own_gift_share, at_least: 0.2, by_month: 6, from_value: 0.1, source: assumption, why: a guess}]"
    assert with_own(GIFTS, sets=(f"targets={target}", "ladders={}")).targets[0].metric == "own_gift_share"
    with pytest.raises(InputError) as error:
        with_own(sets=(f"targets={target}", "ladders={}"))
    assert [p.code for p in error.value.problems] == ["unknown_metric"]
    with pytest.raises(InputError) as error:
        with_own(GIFTS, sets=(f"targets={target.replace('0.2', '20')}", "ladders={}"))
    assert [p.code for p in error.value.problems] == ["rate_range"]


def where(column, op, **value):
    return {"where": [{"column": column, "op": op, **value}]}


@pytest.mark.parametrize(
    ("change", "code", "field", "allowed"),
    [
        ({"id": "gmv"}, "own_clash", "id", ""),
        ({"id": "gifts"}, "own_id", "id", "own_"),
        ({"names": {}}, "empty", "names", ""),
        ({"table": "order"}, "choice", "table", "orders"),
        ({"table": "orders; drop table orders"}, "choice", "table", "orders"),
        ({"column": "order_yuans"}, "choice", "column", "order_yuan"),
        ({"column": 'order_id") FROM orders --'}, "choice", "column", "order_id"),
        ({"aggregate": "median"}, "choice", "aggregate", "share"),
        ({"aggregate": "sum"}, "own_column_missing", "", "order_yuan"),
        ({"aggregate": "sum", "column": "order_id"}, "own_not_number", "column", "order_yuan"),
        ({"aggregate": "sum", "column": "order_yuan"}, "own_unit", "unit", "CNY"),
        ({"unit": "CNY"}, "own_unit", "unit", "count"),
        ({"unit": "pieces"}, "choice", "unit", "count"),
        ({"window": "quarter"}, "own_window", "window", "month"),
        ({"window": 0}, "own_window", "window", "366"),
        ({"table": "tags", "window": 7}, "own_undated", "window", "created_at"),
        ({"dated_by": "order_id"}, "choice", "dated_by", "paid_at"),
        ({"among": [{"column": "status", "op": "is_filled"}]}, "own_among", "among", "share"),
        ({"aggregate": "share", "unit": "ratio"}, "own_share", "", "where"),
        (where("state", "equals", value=1), "choice", "where[0].column", "status"),
        (where("status", "like", value="%"), "choice", "where[0].op", "between"),
        (where("is_present", "above", value=True), "own_operator", "where[0].op", "equals"),
        (where("openid_hid", "equals", value="a"), "own_operator", "where[0].op", "is_filled"),
        (where("status", "equals", value="' or 1=1"), "own_value", "where[0].value", "1"),
        (where("status", "equals", value="1; drop table orders"), "own_value", "where[0].value", "never read as SQL"),
        (where("order_yuan", "above", value=True), "own_value", "where[0].value", "1.5"),
        (where("created_at", "at_least", value="2027-02-30"), "own_value", "where[0].value", "2027-01-31"),
        (where("store_id", "equals", value="a\nb"), "own_value", "where[0].value", "one line"),
        (where("store_id", "equals", value=["a"]), "own_values", "where[0].value", "text"),
        (where("store_id", "one_of", value="a"), "own_values", "where[0].value", "[text"),
        (where("store_id", "one_of", value=[]), "own_values", "where[0].value", "[text"),
        (where("order_yuan", "between", value=[1]), "own_values", "where[0].value", "[1.5"),
        (where("order_yuan", "between", value=[2, 1]), "low_above_high", "where[0].value", ""),
        (where("paid_at", "is_filled", value=True), "own_no_value", "where[0].value", "is_filled"),
        ({"divided_by": {"metric": "aov"}}, "own_grain", "divided_by.metric", "private_domain_users"),
        ({"divided_by": {"metric": "new_users_monthly"}, "window": 7}, "own_grain", "divided_by.metric", "7"),
        ({"divided_by": {"metric": "no_such"}}, "unknown_metric", "divided_by.metric", ""),
        ({"divided_by": {"table": "orders"}}, "own_below", "divided_by", "aggregate"),
        ({"divided_by": {"metric": "gmv", "table": "orders"}}, "own_below", "divided_by", "metric"),
        ({"divided_by": {"table": "orders", "aggregate": "mean", "column": "order_yuan"}}, "choice",
         "divided_by.aggregate", "distinct"),
        ({"aggregate": "mean", "column": "order_yuan", "unit": "CNY_per_order", "divided_by": {"metric": "gmv"}},
         "own_divided", "divided_by", "count"),
    ],
)  # fmt: skip
def test_one_clear_message_says_what_is_allowed(change, code, field, allowed):
    with pytest.raises(InputError) as error:
        with_own(COUNT | change)
    (problem,) = error.value.problems
    assert (problem.code, problem.field) == (code, ".".join(filter(None, ("own_metrics[0]", field))))
    assert allowed in problem.render("en")
    assert problem.render("zh")


def test_what_can_stand_below_a_line_is_what_the_tables_count():
    counted = {name for name, m in shipped_measures().items() if m.form in ("counted", "count")}
    additive = {name for name in counted if shipped()[name].additive}
    assert set(own_metrics.MEASURED) == additive
    assert all(shipped()[name].kind == "money" for name in own_metrics._LAST_30_DAYS)


def test_every_column_has_its_operators():
    kinds = {own_metrics.kind(column) for table in TABLES.values() for column in table.columns}
    assert kinds == set(own_metrics._OPERATORS)
