"""Spend and new contacts by day, whole weeks and the last quarter; journeys of visits, by hand."""

import datetime as dt

import numpy as np
import pytest

from planlib.data.channels import journeys, observed
from tests.data.tables import engine


def cost(day, channel, amount, days):
    return {"date": day, "channel_id": channel, "cost_type": "media", "amount_yuan": amount, "days": days}


def edge(person, staff, at, channel):
    return {"external_hid": person, "staff_id": staff, "added_at": at, "channel_id": channel, "is_active": True}


def test_money_is_spread_over_its_days_and_people_count_once(tmp_path):
    edges = [
        edge("a", "s1", dt.datetime(2026, 1, 5, 9), "ads"),
        edge("a", "s2", dt.datetime(2026, 1, 6, 9), "qr"),  # the same person again: counted with the first
        edge("b", "s1", dt.datetime(2026, 1, 12, 9), "ads"),
        edge("c", "s1", dt.datetime(2026, 1, 6, 9), None),
        edge("d", "s1", dt.datetime(2025, 1, 6, 9), "ads"),  # before the first cost
    ]
    money = [cost(dt.date(2026, 1, 5), "ads", 700, 7), cost(dt.date(2026, 1, 12), "ads", 70, 7),
             cost(dt.date(2026, 1, 5), "all", 999, 31)]  # fmt: skip
    with engine(tmp_path, costs=money, follow_edges=edges) as tables:
        found = observed(tables, ("ads", "qr"))
    assert found.first == dt.date(2026, 1, 5)
    assert found.spend.shape == (14, 2)
    assert found.spend[:, 0].tolist() == [100.0] * 7 + [10.0] * 7
    spend, joined = found.weeks()
    assert spend.tolist() == [[700, 0], [70, 0]]
    assert joined.tolist() == [[1, 0], [1, 0]]
    assert found.quarter() is None


def test_the_last_three_whole_months(tmp_path):
    money = [cost(dt.date(2026, month, 1), "ads", 100 * month, 1) for month in (1, 2, 3, 4, 5)]
    edges = [edge("a", "s1", dt.datetime(2026, 4, 30, 23), "ads"), edge("b", "s1", dt.datetime(2026, 5, 1), "ads")]
    with engine(tmp_path, costs=money, follow_edges=edges) as tables:
        spend, joined, start = observed(tables, ("ads",)).quarter()
    assert (spend.tolist(), joined.tolist(), start) == ([900.0], [1.0], dt.date(2026, 2, 1))


def test_without_costs_nothing_is_observed(tmp_path):
    with engine(tmp_path, follow_edges=[edge("a", "s1", dt.datetime(2026, 1, 1), "ads")]) as tables:
        assert observed(tables, ("ads",)) is None
        assert journeys(tables, since=dt.date(2026, 1, 1), until=dt.date(2026, 2, 1)) == []


def visit(person, at, channel, campaign=None, kind="visit"):
    return {"person_hid": person, "at": at, "channel_id": channel, "touch_type": kind, "campaign_id": campaign}


def order(order_id, person, at):
    return {"order_id": order_id, "created_at": at, "paid_at": at, "unionid_hid": person, "openid_hid": None,
            "order_yuan": 10}  # fmt: skip


@pytest.mark.parametrize("campaign", ["J1", None])
def test_journeys_end_with_an_order_within_the_hour(tmp_path, campaign):
    day = dt.datetime(2026, 3, 1, 9)
    hour = dt.timedelta(hours=1)
    touches = [
        visit("a", day + hour, "ads", campaign), visit("a", day, "qr", campaign),  # qr > ads, won
        visit("b", day, "qr", campaign), visit("b", day + hour, "ads", campaign),  # qr > ads, lost: paid too late
        visit("c", day, "ads", campaign), visit("c", day, "ads", "x", kind="open"),  # opening a message is no visit
        visit("d", day - dt.timedelta(days=90), "qr", campaign),  # before the period
    ]  # fmt: skip
    orders = [order("o1", "a", day + 2 * hour), order("o2", "b", day + 4 * hour)]
    with engine(tmp_path, touches=touches, orders=orders) as tables:
        rows = journeys(tables, since=dt.date(2026, 1, 1), until=dt.date(2026, 4, 1))
    assert rows == [(("ads",), 0, 1), (("qr", "ads"), 1, 1)]


def test_the_sums_of_weeks_are_those_of_days(tmp_path):
    money = [cost(dt.date(2026, 1, 1), "ads", 310, 31)]
    with engine(tmp_path, costs=money, follow_edges=[edge("a", "s", dt.datetime(2026, 1, 2), "ads")]) as tables:
        found = observed(tables, ("ads",))
    assert found.spend.sum() == pytest.approx(310)
    assert np.allclose(found.weeks()[0], 70)
