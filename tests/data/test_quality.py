"""The quality report against folders whose faults are known, and what must not be shown."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.core.intervals import wilson
from planlib.data.engine import Engine
from planlib.data.erase import forget, purge
from planlib.data.ids import hashed, salt
from planlib.data.load import load
from planlib.data.quality import assess, incomplete
from planlib.data.suppress import small_cells, suppress_small
from planlib.plan.model import Data
from tests.data.hand_made import OK, behaviour, contact, contacts, order, put


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Ten days of visits with two missing, one file late, one broken; 20 tags checked, 19 right."""
    root = tmp_path_factory.mktemp("quality")
    for day in (1, 2, 3, 5, 6, 8, 9, 10):
        pulled = "20261120" if day == 3 else f"202611{day + 1:02d}"
        put(root, f"v{day}.json", {"list": [{"ref_date": f"202611{day:02d}", "visit_total": 9}]}, folder=pulled)
    put(root, "o1.json", order("1"))
    put(root, "o2.json", order("1", fen=500))
    put(root, "broken.json", "{")
    people = [contact(str(n), "s") for n in range(10)]
    for person in people[9:]:
        person["follow_info"]["tag_id"] = []
    for person in people[8:]:
        del person["external_contact"]["unionid"]
    put(root, "c.json", contacts(*people))
    put(root, "audit.csv", "抽检类型,对象,检查项,抽检时间,结果\n" + "".join(
        f"tag,wm{n},t1,2026-11-10,{'否' if n == 7 else '是'}\n" for n in range(20)))
    load(root)
    return assess(root)


def table(quality, name):
    return next(t for t in quality.tables if t.table == name)


def test_gaps_by_day(faulty):
    visits = table(faulty, "mp_daily")
    assert (visits.first_day, visits.last_day) == (dt.date(2026, 11, 1), dt.date(2026, 11, 10))
    assert (visits.days_due, visits.days_missing, visits.completeness) == (10, 2, 0.8)
    score = faulty.score("completeness")
    assert (score.value, score.n, score.goal, score.met) == (0.8, 10, 0.95, False)


def test_what_came_after_the_as_of_day_does_not_count(tmp_path):
    """Up to the fifth one day of five lacks and one of four files was late, whatever came afterwards."""
    for day in (1, 2, 3, 5, 6, 7, 9):
        pulled = "20261120" if day == 3 else f"202611{day + 1:02d}"
        put(tmp_path, f"v{day}.json", {"list": [{"ref_date": f"202611{day:02d}", "visit_total": 9}]}, folder=pulled)
    load(tmp_path)
    found = assess(tmp_path, Data(as_of="2026-11-05"))
    visits = table(found, "mp_daily")
    assert (visits.rows, visits.last_day, visits.days_due, visits.days_missing) == (4, dt.date(2026, 11, 5), 5, 1)
    assert (visits.files, visits.late_files) == (4, 1) and found.score("files_read").n == 4
    with Engine(tmp_path) as engine:
        assert incomplete(engine, until=dt.date(2026, 11, 3)) == {}
        assert incomplete(engine, until=dt.date(2026, 11, 5)) == {"mp_daily": 0.8}


def test_late_files(faulty):
    visits = table(faulty, "mp_daily")
    assert (visits.files, visits.late_files, visits.timeliness) == (8, 1, 1 - 1 / 8)
    assert faulty.score("timeliness").value == 1 - 1 / 8 and faulty.score("timeliness").goal == 1.0


def test_duplicates_and_rows(faulty):
    orders = table(faulty, "orders")
    assert (orders.rows, orders.duplicates) == (1, 1)


def test_rows_of_the_forgotten_are_kept_out_and_are_no_duplicates(tmp_path):
    put(tmp_path, "o1.json", order("1", person="A"))
    put(tmp_path, "o2.json", order("2", person="B"))
    load(tmp_path)
    forget(tmp_path, "oOpenA")
    put(tmp_path, "o3.json", order("3", person="A"))  # a later pull has the person again
    put(tmp_path, "o4.json", order("2", person="B", fen=500))
    for _ in range(2):  # the second time from the ledger
        load(tmp_path)
        orders = table(assess(tmp_path), "orders")
        assert (orders.rows, orders.duplicates, orders.left_out) == (1, 1, 1)
    with Engine(tmp_path) as engine:
        assert [row["order_id"] for row in engine.query("SELECT order_id FROM orders").rows()] == ["2"]


def test_purged_days_are_kept_out_and_are_no_duplicates(tmp_path):
    put(tmp_path, "o1.json", order("1"))
    load(tmp_path)
    purge(tmp_path, dt.date(2026, 12, 1))
    put(tmp_path, "o2.json", order("2"))
    put(tmp_path, "o3.json", order("3", at=1796140800 + 86400))
    load(tmp_path)
    orders = table(assess(tmp_path), "orders")
    assert (orders.rows, orders.duplicates, orders.left_out) == (1, 0, 1)


def test_rows_made_from_other_tables_are_no_duplicates(tmp_path):
    put(tmp_path, "c.json", contacts(*(contact(str(n), "s") for n in range(5))))
    put(tmp_path, "channels.csv", "渠道ID,渠道名称,渠道类型,渠道参数\nlive,直播,live,LIVE\n")
    head = "客户ID,触达时间,触点类型\n"
    put(tmp_path, "t1.csv", head + "wm1,2026-11-01 10:00:00,click\nwm2,2026-11-01 10:00:00,click\n")
    put(tmp_path, "t2.csv", head + "wm2,2026-11-01 10:00:00,click\nwm3,2026-11-02 10:00:00,click\n")
    load(tmp_path)
    quality = assess(tmp_path)
    touches = table(quality, "touches")
    assert (touches.rows, touches.duplicates) == (3 + 5, 1)
    assert table(quality, "id_map").duplicates is None


def test_tables_that_lack_more_days_than_allowed(tmp_path):
    days = [day for day in range(1, 21) if day != 7]
    one = {day: put(tmp_path, f"v{day}.json", {"list": [{"ref_date": f"202611{day:02d}", "visit_total": 9}]})
           for day in days}
    load(tmp_path)
    with Engine(tmp_path) as engine:
        assert incomplete(engine) == {}  # 19 of 20 days
    one[8].unlink()
    load(tmp_path)
    with Engine(tmp_path) as engine:
        assert incomplete(engine) == {"mp_daily": 0.9}


def test_accuracy_of_labels_with_its_interval(faulty):
    score = faulty.score("label_accuracy")
    interval = wilson(19, 20)
    assert (score.value, score.n, score.met) == (0.95, 20, True)
    assert (score.low, score.high) == (float(interval.low), float(interval.high))


def test_usable_tags_are_coverage_times_accuracy(faulty):
    assert faulty.score("tag_coverage").value == 0.9
    assert faulty.score("usable_tags").value == pytest.approx(0.90 * 0.95) == pytest.approx(0.855)


def test_match_rate_of_identities(faulty):
    assert (faulty.score("identity_match").value, faulty.score("identity_match").n) == (0.8, 10)
    assert faulty.score("identity_precision").reason == "no_spot_checks"


def test_planted_duplicates_are_found_and_their_precision_is_that_of_truth(tmp_path):
    """Twenty people come as a contact and as a buyer; two more pairs share a unionid by mistake, as checks find."""
    for n in range(24):
        shared = n if n < 22 else n - 22  # 22 and 23 wrongly carry the unionids of 0 and 1
        person, buys = contact(f"p{n}", "s"), order(f"{n}")
        person["external_contact"]["unionid"] = f"u{shared}"
        buys["order"] |= {"openid": f"o{n}", "unionid": f"u{n}" if n < 20 else f"w{n}"}
        put(tmp_path, f"c{n}.json", contacts(person))
        put(tmp_path, f"o{n}.json", buys)
    put(tmp_path, "audit.csv", "抽检类型,对象,检查项,抽检时间,结果\n" + "".join(
        f"identity,wmp{n},unionid,2026-11-10,{'是' if n < 20 else '否'}\n" for n in (*range(20), 22, 23)))
    load(tmp_path)
    key = salt(tmp_path)
    with Engine(tmp_path) as engine:
        rows = engine.query("SELECT person_hid, external_hid, openid_hid FROM id_map").rows()
    person_of = {row["external_hid"] or row["openid_hid"]: row["person_hid"] for row in rows}
    found = [n for n in range(24) if person_of[hashed(key, f"wmp{n}")] == person_of[hashed(key, f"o{n}")]]
    assert found == list(range(20))
    assert person_of[hashed(key, "wmp22")] == person_of[hashed(key, "wmp0")]
    score, interval = assess(tmp_path).score("identity_precision"), wilson(20, 22)
    assert (score.value, score.n) == (20 / 22, 22)
    assert (score.low, score.high) == (float(interval.low), float(interval.high))


def test_broken_files_count(faulty):
    assert [entry.path.rpartition("/")[2] for entry in faulty.aside] == ["broken.json"]
    assert faulty.score("files_read").value == 1 - 1 / 13


def test_a_day_without_values_is_no_gap_of_another_table(tmp_path):
    put(tmp_path, "s.userid=a.json", behaviour(0, 1, 2))
    put(tmp_path, "g.userid=a.json", OK | {"items": [{"stat_time": 1793548800, "data": {"msg_total": 1}}]})
    load(tmp_path)
    quality = assess(tmp_path)
    assert table(quality, "staff_daily").days_missing == 0
    assert table(quality, "group_daily").days_missing == 2  # the other table shows that two more days were due


def test_an_empty_folder_has_nothing_to_say(tmp_path):
    quality = assess(tmp_path)
    assert quality.tables == () and quality.frame().empty
    assert {score.value for score in quality.scores} == {None}
    assert all(score.reason for score in quality.scores)


def test_the_frame_has_a_row_a_table(faulty):
    frame = faulty.frame()
    assert list(frame["table"]) == [t.table for t in faulty.tables]


# ---- small groups


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_nothing_hidden_can_be_worked_out_from_the_total(counts):
    counts = np.array(counts)
    hidden = small_cells(counts)
    assert ((counts[~hidden] == 0) | (counts[~hidden] >= 10)).all()
    if hidden.any() and (~hidden & (counts >= 10)).any():
        assert counts[hidden].sum() >= 10


@given(st.lists(st.integers(10, 99), max_size=8))
def test_large_groups_are_shown(counts):
    assert not small_cells(np.array(counts)).any()


def test_tables_lose_the_figures_of_small_groups():
    frame = pd.DataFrame({
        "month": ["a", "a", "b", "b", "b"], "group": ["x", "y", "x", "y", "z"], "people": [50, 3, 40, 30, 0],
        "rate": [0.1, 0.2, 0.3, 0.4, None],
    })  # fmt: skip
    shown = suppress_small(frame, count="people", hide=["rate"], within=["month"])
    assert [None if pd.isna(v) else v for v in shown["people"]] == [None, None, 40, 30, 0]
    assert [None if pd.isna(v) else v for v in shown["rate"]] == [None, None, 0.3, 0.4, None]
    assert frame["people"].tolist() == [50, 3, 40, 30, 0]
