"""Own metrics over hand-made tables: values are only ever values, and Spark answers as DuckDB does."""

import datetime as dt

import pytest

from planlib.baseline import levels
from planlib.core import own
from planlib.core.own import Condition, Counted, OwnMetric
from planlib.data import own as sql
from planlib.data.baseline import Windows, collect, measures
from planlib.data.engine import Engine
from tests.data.tables import data_root, engine

AS_OF = dt.date(2026, 12, 31)
WINDOWS = Windows(AS_OF, dt.date(2026, 1, 1))
HOSTILE = ("1; drop table orders", "' or 1=1", "' or 1=1 --", '" or ""="', "\\' or 1=1", ":v0", "%", "$since", "{x}")


def order(number, day, yuan, **fields):
    at = dt.datetime.combine(dt.date(2026, 12, day), dt.time(12))
    return {"order_id": f"o{number}", "created_at": at, "order_yuan": yuan, "status": 20, **fields}


ORDERS = [
    order(1, 31, 100, store_id="A", is_present=True, paid_at=dt.datetime(2026, 12, 31, 13), openid_hid="p"),
    order(2, 30, 40, store_id="B", is_present=False, openid_hid="p"),
    order(3, 25, 60, store_id="' or 1=1", is_present=True, openid_hid="q"),
    order(4, 2, 200, store_id=None, is_present=False, status=10),
]
USERS = [
    {"external_hid": f"c{n}", "staff_id": "s", "added_at": dt.datetime(2026, 12, 1), "is_active": True}
    for n in range(8)
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    with engine(tmp_path_factory.mktemp("own"), orders=ORDERS, follow_edges=USERS) as found:
        yield found


def level(tables, counted, *, unit="count", days=30, divided_by=None, sums=None):
    metric = OwnMetric("own_x", {"en": "X"}, unit, "up", counted, divided_by, days)
    found = sql.measured(tables, metric, WINDOWS, sums or {})
    return found if isinstance(found, str) else levels.measured(metric.form, found)


def rows(*where, aggregate="count", column="", **more):
    return Counted("orders", aggregate, column, where, dated_by="created_at", **more)


def test_each_aggregate_by_hand(tables):
    assert level(tables, rows()).value == 4
    assert level(tables, rows(), days=7).value == 3
    assert level(tables, rows(), days=1).value == 1
    assert level(tables, rows(column="store_id")).value == 3
    assert level(tables, rows(aggregate="distinct", column="openid_hid"), unit="people").value == 2
    assert level(tables, rows(aggregate="sum", column="order_yuan"), unit="CNY").value == 400
    mean = level(tables, rows(aggregate="mean", column="order_yuan"), unit="CNY_per_order")
    assert (mean.value, mean.n) == (100, 4)
    assert mean.low == pytest.approx(levels.mean(4, 400, 100**2 + 40**2 + 60**2 + 200**2).low)


def test_a_share_has_its_interval_and_its_base(tables):
    gift, paid = Condition("is_present", "equals", (True,)), Condition("paid_at", "is_filled")
    found = level(tables, rows(gift, aggregate="share"), unit="ratio")
    assert found == levels.share(2, 4)
    assert level(tables, rows(gift, aggregate="share", among=(paid,)), unit="ratio") == levels.share(1, 1)
    assert level(tables, rows(gift, aggregate="share", column="openid_hid"), unit="ratio") == levels.share(2, 2)
    none = Condition("order_yuan", "above", (1000,))
    assert level(tables, rows(gift, aggregate="share", among=(none,)), unit="ratio").reason == "empty_base"


@pytest.mark.parametrize(
    ("column", "op", "values", "expected"),
    [
        ("order_yuan", "equals", (100,), 1), ("order_yuan", "not_equals", (100,), 3), ("order_yuan", "above", (60,), 2),
        ("order_yuan", "at_least", (60,), 3), ("order_yuan", "below", (60,), 1), ("order_yuan", "at_most", (60.0,), 2),
        ("order_yuan", "between", (40, 100), 3), ("store_id", "one_of", ("A", "B"), 2),
        ("store_id", "none_of", ("A",), 2),
        ("store_id", "is_empty", (), 1), ("store_id", "is_filled", (), 3), ("is_present", "equals", (False,), 2),
        ("created_at", "at_least", ("2026-12-30",), 2), ("created_at", "below", ("2026-12-31 12:00",), 3),
        ("status", "one_of", (10, 30), 1),
    ],
)  # fmt: skip
def test_each_operator_by_hand(tables, column, op, values, expected):
    assert level(tables, rows(Condition(column, op, values))).value == expected


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("op", ["equals", "one_of"])
def test_a_hostile_value_is_only_ever_a_value(tables, value, op):
    text, given = sql.text(rows(Condition("store_id", op, (value,))), since=None, until=AS_OF)
    assert given["v0"] == value and (value == ":v0" or value not in text)
    assert level(tables, rows(Condition("store_id", op, (value,)))).value == (value == "' or 1=1")
    assert tables.rows("orders") == len(ORDERS)


@pytest.mark.parametrize(("table", "column"), [("orders; DROP TABLE orders", ""), ("orders", 'x") FROM orders; --')])
def test_names_are_looked_up_and_never_put_in_as_they_are(table, column):
    with pytest.raises(KeyError):
        sql.text(Counted(table, "count", column), since=None, until=AS_OF)


def test_divided_by_another_aggregate_or_a_metric(tables):
    total = rows(aggregate="sum", column="order_yuan")
    assert (
        level(tables, total, unit="CNY_per_user", divided_by=rows(aggregate="distinct", column="openid_hid")).value
        == 200
    )
    sums = {"private_domain_users": {"value": 8, "n": 8}, "orders": {"total": 16, "days": [16]}}
    assert level(tables, total, unit="CNY_per_user", divided_by="private_domain_users", sums=sums).value == 50
    assert level(tables, rows(), unit="ratio", divided_by="orders", sums=sums).value == 0.25
    assert level(tables, rows(), unit="ratio", divided_by="gmv", sums=sums) == "no_rows"
    nobody = rows(Condition("store_id", "equals", ("none",)))
    assert level(tables, rows(), unit="multiple", divided_by=nobody) == "empty_base"
    assert (
        level(tables, rows(), unit="ratio", divided_by=rows(Condition("status", "equals", (10,)))) == "outside_domain"
    )


def test_the_baseline_measures_it_and_says_why_not(tables, monkeypatch, tmp_path):
    monkeypatch.setattr(own, "_known", {})
    monkeypatch.setattr(own, "_in_force", [])
    per_user = OwnMetric(
        "own_orders_per_user", {"en": "Orders a user"}, "count", "up", rows(), "private_domain_users", 30
    )
    groups = OwnMetric("own_groups", {"en": "Groups"}, "count", "up", Counted("group_members", "count"))
    own.declare([per_user, groups])
    found = collect(tables, as_of=AS_OF)
    assert [m for m in measures() if m.startswith("own_")] == ["own_orders_per_user", "own_groups"]
    assert found.sums["own_orders_per_user"]["value"] == 0.5
    assert found.reasons["own_groups"] == "no_rows"
    with Engine(tmp_path) as nothing:
        assert collect(nothing).reasons["own_orders_per_user"] == "no_rows"


@pytest.mark.spark
@pytest.mark.timeout(1200)
def test_spark_answers_the_same(tmp_path):
    from planlib.data.spark import SparkEngine

    root = data_root(tmp_path, orders=ORDERS)
    where = [Condition("store_id", op, (value,)) for value in HOSTILE for op in ("equals", "none_of")]
    where += [Condition("created_at", "between", ("2026-12-02", "2026-12-30 18:00"))]
    where += [Condition("order_yuan", "above", (50.5,)), Condition("is_present", "equals", (True,))]
    where += [Condition("status", "one_of", (10, 20))]
    asked = [rows(one) for one in where]
    asked += [rows(where[-2], aggregate="share"), rows(where[-2], aggregate="share", column="openid_hid")]
    asked += [rows(aggregate=name, column="order_yuan") for name in own.AGGREGATES[1:4]]
    with Engine(root) as ours, SparkEngine(root, "local[2]") as theirs:
        for counted in asked:
            text, given = sql.text(counted, since=dt.date(2026, 12, 1), until=dt.date(2027, 1, 1))
            assert theirs.query(text, given).one() == ours.query(text, given).one(), text
        text, given = sql.by_day(rows(), since=dt.date(2026, 12, 1), until=dt.date(2027, 1, 1))
        assert theirs.query(text, given).rows() == ours.query(text, given).rows()
