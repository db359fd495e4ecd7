"""The seam of customer value: moments out of the tables, classes over time, lists."""

import datetime as dt

import numpy as np
import pytest

from planlib import customer_tables, valuing
from planlib.customers import clv
from planlib.data.baseline import Windows
from tests.data.tables import engine

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
NAT = np.datetime64("NaT", "D")


def at_nine(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day}T09:00")


@pytest.fixture
def tables(tmp_path):
    edges = [
        {"external_hid": "a", "staff_id": "s1", "added_at": at_nine("2026-01-05"), "is_active": True},
        {"external_hid": "b", "staff_id": "s1", "added_at": at_nine("2026-02-01"), "is_active": False,
         "removed_at": at_nine("2026-12-10")},
        {"external_hid": "c", "staff_id": "s1", "added_at": at_nine("2026-03-01"), "is_active": True},
        {"external_hid": "c", "staff_id": "s2", "added_at": at_nine("2026-04-01"), "is_active": True},
        {"external_hid": "d", "staff_id": "s2", "added_at": at_nine("2026-12-20"), "is_active": True},
    ]  # fmt: skip
    ids = [{"person_hid": f"p{x}", "external_hid": x, "openid_hid": f"o{x}"} for x in "abcd"]

    def order(k, who, day, yuan, back=0.0):
        return {"order_id": f"n{k}", "openid_hid": f"o{who}", "created_at": at_nine(day), "paid_at": at_nine(day),
                "order_yuan": yuan, "refund_yuan": back}  # fmt: skip

    orders = [
        order(1, "a", "2026-02-01", 100.0), order(2, "a", "2026-02-01", 20.0), order(3, "a", "2026-12-01", 50.0, 10.0),
        order(4, "b", "2026-06-01", 30.0, 45.0), order(5, "z", "2026-06-01", 999.0),
    ]  # fmt: skip
    touches = [
        {"person_hid": "pa", "at": at_nine("2026-12-30"), "touch_type": "like"},
        {"person_hid": "pa", "at": at_nine("2026-03-30"), "touch_type": "invite"},
        {"person_hid": "pa", "at": at_nine("2026-12-30"), "touch_type": "push"},
        {"person_hid": "pc", "at": at_nine("2025-11-01"), "touch_type": "like"},
    ]
    with engine(tmp_path, follow_edges=edges, id_map=ids, orders=orders, touches=touches) as found:
        yield found


def test_a_moment_tells_who_was_there_and_what_they_had_done_by_then(tables):
    now = customer_tables.at(tables, Windows(LAST, FIRST))
    assert now.person.tolist() == ["pa", "pb", "pc", "pd"] and now.listed.tolist() == [True, False, True, True]
    assert now.orders.tolist() == [3, 1, 0, 0] and now.days_bought.tolist() == [2, 1, 0, 0]
    assert now.money_cny.tolist() == [160.0, -15.0, 0.0, 0.0]
    assert now.first_cny.tolist() == [120.0, -15.0, 0.0, 0.0] and now.quarter_cny.tolist() == [40.0, 0.0, 0.0, 0.0]
    assert now.recency_days.tolist() == [30.0, 213.0, 0.0, 0.0]
    assert now.last_after_first_days.tolist() == [303.0, 0.0, 0.0, 0.0] and now.age_days[0] == 333.0
    assert now.acts.tolist() == [1.0, 0.0, 0.0, 0.0] and now.social.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert now.staff_id[2] == "s2" and now.external_hid[1] == ""  # the newest employee; nobody serves who has left

    then = customer_tables.at(tables, Windows(dt.date(2026, 11, 30), FIRST))
    assert then.person.tolist() == ["pa", "pb", "pc"] and then.listed.all()  # d had not joined, b had not left
    assert then.orders.tolist() == [2, 1, 0]
    assert customer_tables.places(now, then).tolist() == [0, 1, 2, -1]
    assert customer_tables.places(then, now).tolist() == [0, 1, 2]


def people(n: int, **columns) -> customer_tables.Customers:
    """Return n listed people; a column that is not given says nothing was done."""
    ids = np.array([f"p{k:03d}" for k in range(n)], dtype=object)
    nothing, never = np.zeros(n), np.full(n, NAT)
    known = dict.fromkeys(("orders", "days_bought", "quarter_days", "money_cny", "first_cny", "quarter_cny", "acts",
                           "social", "content"), nothing)  # fmt: skip
    known |= {"joined": np.full(n, np.datetime64("2026-01-01")), "first": never, "last": never, "acted": never}
    staff = np.full(n, "s1", dtype=object)
    known |= {"person": ids, "external_hid": ids, "staff_id": staff, "listed": np.ones(n, dtype=bool)}
    return customer_tables.Customers(until=dt.date(2027, 1, 1), **{**known, **columns})


def test_too_few_who_came_back_have_no_lifetime_but_a_reason():
    terms = clv.Terms(12, valuing.DAYS_A_MONTH, 0.4, 0.0)
    found = valuing.lifetime_of(people(50), None, since=FIRST, terms=terms, rng=np.random.default_rng(1))
    assert found.reason == "few_repeats" and found.values is None and not found.purchases.any()


def test_lists_leave_out_whom_nobody_serves_and_keep_the_order():
    three = people(3, staff_id=np.array(["s1", "", "s2"], dtype=object))
    one = valuing.listing("churn", three, np.array([2, 1, 0]), reason="leaves", action="care", net_cny=5.0)
    assert one.external_hid.tolist() == ["p002", "p000"] and one.unserved == 1 and len(one) == 2
    assert np.isnan(one.score).all() and np.isnat(one.due).all()


def test_who_never_bought_is_worth_the_chance_of_a_first_order():
    bought = np.array([1.0, 0.0])
    two = people(2, orders=bought)
    values = clv.Values(np.array([70.0, 0.0]), 70.0, None, None, None, None, 0.95, 0, 0, "not_asked")
    life = valuing.Lifetime(None, None, np.zeros(2), values, 200.0, None, "")
    assert valuing.worth_keeping(two, life, np.array([0.5, 0.1])).tolist() == [70.0, 20.0]


def test_tiers_add_up_and_rows_of_moves_sum_to_one():
    rng = np.random.default_rng(3)
    nothing = valuing.Lifetime(None, None, np.zeros(200), None, None, None, "few_repeats")
    moments = [people(200, acts=rng.poisson(3, 200).astype(float)) for _ in range(3)]
    found = valuing.membership(
        moments, nothing, shares=(0.5, 0.3, 0.15, 0.05), given=(None, None, None), margin=0.4,
        rights_cny=np.zeros(4), discount_month=0.99,
    )  # fmt: skip
    assert found.now.counts.sum() == 200 and found.proposed
    assert found.moves.mean.sum(axis=1) == pytest.approx(np.ones(4))
    assert found.moves.counts.sum() == 400  # two months of two hundred people, nobody left
    plain = valuing.membership(
        moments[-1:], nothing, shares=(0.5, 0.5), given=(0.6,), margin=0.4, rights_cny=np.zeros(2), discount_month=0.99
    )
    assert plain.cuts == (60.0,) and plain.moves is None and not plain.proposed


def test_a_segment_cut_of_the_plan_wins_over_the_proposal():
    orders = np.array([1.0, 2.0, 3.0, 0.0])
    day = np.array(["2026-12-01", "2026-11-01", "2026-06-01", "NaT"], dtype="M8[D]")
    four = people(4, orders=orders, days_bought=orders, first=day, last=day, money_cny=10 * orders)
    found = valuing.segment(four, None, {"orders": 3})
    assert found.cuts.frequency == 3.0 and found.proposed == ("recency_days", "money_cny", "social_acts")
    assert found.segmented.counts.sum() == 4 and found.moved is None


def test_pushes_without_a_test_are_watched_and_without_sends_have_a_reason(tables):
    found = customer_tables.pushes(tables, Windows(LAST, FIRST), bearable_churn_month=0.08)
    assert found.response is None and found.reason == "no_sends"
