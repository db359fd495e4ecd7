"""Every kind of file loads; loading again, corrections, removals and interrupted loads keep the tables right."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from planlib.data import ledger, merge, store
from planlib.data.engine import Engine
from planlib.data.ids import hashed, salt
from planlib.data.load import load, read_ledger
from planlib.data.schema import TABLES
from planlib.data.sources import SOURCES
from tests.data.formats import SAMPLES, needs_samples
from tests.data.hand_made import (
    BILL_HEADS,
    GOOD,
    MONDAY,
    OK,
    OLD_BILL_HEADS,
    behaviour,
    bill,
    contact,
    contacts,
    later,
    order,
    put,
)


def table(root: Path, name: str, columns: str = "*", order_by: str = "ALL") -> list[tuple]:
    """Return the rows of a tidy table."""
    with Engine(root, threads=1) as engine:
        return [tuple(row.values()) for row in engine.query(f"SELECT {columns} FROM {name} ORDER BY {order_by}").rows()]


def contents(root: Path) -> dict[str, list]:
    """Return all tables without what numbers and dates files."""
    out = {}
    with Engine(root, threads=1) as engine:
        for name in TABLES:
            rows = engine.query(f"SELECT * FROM {name}").rows()
            kept = [{k: v for k, v in row.items() if k != "file_no"} for row in rows]
            out[name] = sorted(map(repr, kept))
    return out


# ---- one of each


def test_every_source_is_covered(good_root):
    read = {name for entry in read_ledger(good_root) for name in entry.sources}
    assert read == set(SOURCES)


def test_every_table_gets_rows(good_root):
    with Engine(good_root) as engine:
        assert [name for name in TABLES if not engine.rows(name)] == []


def test_ids_are_hashed_and_raw_ones_nowhere(good_root):
    key = salt(good_root)
    assert (hashed(key, "wmA"),) in table(good_root, "customers", "external_hid")
    for path in store.tidy_dir(good_root).rglob("*.parquet"):
        content = path.read_bytes()
        assert not [raw for raw in (b"wmA", b"oUnionA", b"oOpenA", b"zhangsan") if raw in content], path


def test_names_and_remarks_are_never_read(good_root):
    for path in store.tidy_dir(good_root).rglob("*.parquet"):
        assert "某人".encode() not in path.read_bytes()


def test_money_is_exact(good_root):
    assert table(good_root, "orders", "order_id, order_yuan, discount_yuan, refund_yuan") == [
        ("3704", Decimal("238.00"), Decimal("20.00"), Decimal("99.00")),  # the refund stands in the bill
        ("T1", Decimal("1238.50"), None, Decimal("0.00")),
    ]
    fee = table(good_root, "payments", "row_type, settle_yuan, refund_yuan, fee_yuan, fee_rate")
    assert fee == [
        ("REFUND", Decimal("0.00"), Decimal("99.00"), Decimal("-0.59000"), 0.006),
        ("SUCCESS", Decimal("10.00"), Decimal("0.00"), Decimal("0.06000"), 0.006),
    ]


def test_times_are_those_of_shanghai(good_root):
    paid = dict(table(good_root, "orders", "order_id, paid_at"))
    assert paid["3704"] == dt.datetime(2026, 11, 2, 1, 0, 20)
    days = table(good_root, "staff_daily", "DISTINCT date")
    assert days == [(dt.date(2026, 11, d),) for d in (2, 3, 4)]


def test_rates_are_shares(good_root):
    zhangsan, wangwu = (hashed(salt(good_root), name) for name in ("zhangsan", "wangwu"))
    rates = {(s, d.day): r for s, d, r in table(good_root, "staff_daily", "scope_id, date, reply_rate")}
    assert rates[zhangsan, 2] == 0.875  # 87.5 in the payload
    assert (rates[wangwu, 3], rates[wangwu, 4]) == (0.875, None)  # "87.5%", "--"


def test_cells_as_people_write_them(good_root):
    wangwu = hashed(salt(good_root), "wangwu")
    columns = "date, chats, messages, first_reply_min, scope_id"
    rows = [row[:4] for row in table(good_root, "staff_daily", columns) if row[4] == wangwu]
    assert rows == [(dt.date(2026, 11, 3), 46, 183, 9.0), (dt.date(2026, 11, 4), 1046, 2083, None)]


def test_costs_by_week(good_root):
    assert table(good_root, "costs", "date, channel_id, amount_yuan, days, note") == [
        (dt.date(2026, 11, 2), "feed_ads", Decimal("12000.00"), 7, "双11\n预热"),
        (dt.date(2026, 11, 9), "feed_ads", Decimal("-200.00"), 7, "冲正"),
    ]


def test_edges_know_channel_way_and_end(good_root):
    key = salt(good_root)
    columns = "external_hid, channel_id, add_way_label, initiator, is_active, removed_at, removed_by"
    edges = {row[0]: row[1:] for row in table(good_root, "follow_edges", columns)}
    assert edges[hashed(key, "wmA")] == ("live", "acquisition_link", "customer", True, None, None)
    gone = dt.datetime(2026, 11, 3)
    assert edges[hashed(key, "wmC")] == (None, "acquisition_link", "customer", False, gone, "customer")
    assert edges[hashed(key, "wmB")][2] == "staff"


def test_ids_of_one_person_meet(good_root):
    key = salt(good_root)
    rows = table(good_root, "id_map", "person_hid, external_hid, openid_hid")
    person = hashed(key, "oUnionA")
    assert {row[1:] for row in rows if row[0] == person} == {(hashed(key, "wmA"), ""), ("", hashed(key, "oOpenA"))}
    touches = table(good_root, "touches", "person_hid, touch_type, channel_id")
    assert (person, "click", "feed_ads") in touches and (person, "added", "live") in touches


def test_who_may_be_contacted(good_root):
    with Engine(good_root) as engine:
        found = [row["external_hid"] for row in engine.query("contactable").rows()]
    assert found == [hashed(salt(good_root), "wmA")]  # B asked for rest, C refused, D was never asked


def test_both_generations_of_articles(good_root):
    rows = table(good_root, "oa_articles", "api, msgid, stat_date, read_users, is_delayed")
    assert ("legacy", "22_1", dt.date(2025, 10, 13), 40, False) in rows
    assert ("2025", "23_2", dt.date(2026, 11, 2), 41, True) in rows
    assert {row[0] for row in rows} == {"legacy", "legacy_day", "2025"}


def test_codes_get_labels_and_unknown_ones_pass(good_root):
    assert table(good_root, "mp_visit_dist", "key, label") == [(3, "chat"), (77, "code_77")]


def test_rates_of_retention(good_root):
    assert (1, 50, 500, 0.1) in table(good_root, "mp_retention", "k, users, base_users, rate")


def test_an_answer_without_rows_is_no_error(good_root):
    status = {entry.path.rpartition("/")[2]: (entry.status, entry.rows) for entry in read_ledger(good_root)}
    assert status["nothing.json"] == status["no_customers.json"] == ("loaded", {})


@needs_samples
def test_samples_of_the_formats_load(tmp_path):
    for path in SAMPLES.iterdir():
        put(tmp_path, path.name, path.read_bytes())
    report = load(tmp_path)
    assert report.aside == () and report.read == len(list(SAMPLES.iterdir()))


# ---- again, corrected, removed


def test_loading_twice_changes_nothing(good_root, tmp_path):
    shutil.copytree(good_root, tmp_path / "data")
    before = {p.name: p.stat().st_mtime_ns for p in store.tidy_dir(tmp_path / "data").iterdir() if p.is_file()}
    report = load(tmp_path / "data")
    assert (report.read, report.rows, report.tables, report.unchanged) == (0, 0, {}, len(GOOD))
    after = {p.name: p.stat().st_mtime_ns for p in store.tidy_dir(tmp_path / "data").iterdir() if p.is_file()}
    assert after == before


def test_a_copy_of_a_file_adds_nothing_and_stands_in_for_it(tmp_path):
    first = put(tmp_path, "a.json", order("1"))
    load(tmp_path)
    put(tmp_path, "b.json", order("1"))
    assert load(tmp_path).rows == 0
    assert [e.status for e in read_ledger(tmp_path)] == ["loaded", "copy"]
    first.unlink()
    load(tmp_path)
    assert table(tmp_path, "orders", "order_id") == [("1",)]


def test_the_same_answer_to_another_question_is_no_copy(tmp_path):
    idle = behaviour(0, new=0)
    put(tmp_path, "s.userid=a.json", idle)
    put(tmp_path, "s.userid=b.json", idle)
    put(tmp_path, "later.userid=a.json", idle, folder="20261201")
    load(tmp_path)
    assert [e.status for e in read_ledger(tmp_path)] == ["loaded"] * 3
    assert len(table(tmp_path, "staff_daily")) == 2


def test_a_corrected_file_replaces_its_rows(tmp_path):
    put(tmp_path, "orders.jsonl", "\n".join(json.dumps(order(n)) for n in ("1", "2")))
    put(tmp_path, "other.json", order("3"))
    load(tmp_path)
    later(put(tmp_path, "orders.jsonl", order("1", fen=100)))
    load(tmp_path)
    assert table(tmp_path, "orders", "order_id, order_yuan") == [("1", Decimal("1.00")), ("3", Decimal("238.00"))]


def test_a_later_bill_of_the_same_day_replaces_the_earlier(tmp_path):
    put(tmp_path, "bill.csv", bill({}, {"微信订单号": "4201"}))
    load(tmp_path)
    later(put(tmp_path, "bill (1).csv", bill({"应结订单金额": "11.00"})))
    put(tmp_path, "other merchant.csv", bill({"商户号": "1901", "微信订单号": "4300"}))
    load(tmp_path)
    assert table(tmp_path, "payments", "wx_txn_id, settle_yuan") == [("4200", Decimal("11.00")), ("4300",
                                                                                                  Decimal("10.00"))]
    assert sorted(e.status for e in read_ledger(tmp_path)) == ["loaded", "loaded", "superseded"]


def test_the_old_bill_form(tmp_path):
    put(tmp_path, "bill.csv", bill({}, heads=OLD_BILL_HEADS).encode("gb18030"))
    load(tmp_path)
    assert table(tmp_path, "payments", "settle_yuan, order_yuan") == [(Decimal("10.00"), None)]


def test_the_newest_pull_of_a_day_wins_in_any_order(tmp_path):
    pulls = {"20261103": behaviour(0, new=0), "20261105": behaviour(0, 1, new=7), "20261107": behaviour(1, new=9)}
    roots = {"at once": tmp_path / "once", "step by step": tmp_path / "stepwise"}
    for root in roots.values():
        root.mkdir()
        (root / "salt").write_text("00" * 32, encoding="ascii")
    for day, content in pulls.items():
        put(roots["at once"], "s.userid=a.json", content, folder=day)
    load(roots["at once"])
    for day in ("20261105", "20261103", "20261107"):
        put(roots["step by step"], "s.userid=a.json", pulls[day], folder=day)
        load(roots["step by step"])
    assert [row[0] for row in table(roots["at once"], "staff_daily", "new_contact", "date")] == [7, 9]
    assert contents(roots["step by step"]) == contents(roots["at once"])


def test_columns_of_one_row_each_come_from_their_newest_file(tmp_path):
    def summary(total):
        return {"list": [{"ref_date": "20261101", "visit_total": total}]}

    visits = {"list": [{"ref_date": "20261101", "visit_pv": 9, "visit_uv": 3}]}
    put(tmp_path, "a.json", summary(100), folder="20261105")
    put(tmp_path, "b.json", visits, folder="20261107")
    load(tmp_path)
    put(tmp_path, "c.json", summary(120), folder="20261106")  # newer than a, older than b
    load(tmp_path)
    assert table(tmp_path, "mp_daily", "visit_total, pv") == [(120, 9)]


@pytest.mark.parametrize("days", [("20261105", "20261107"), ("20261107", "20261105")])
def test_the_newest_state_of_an_order_stands_alone(tmp_path, days):
    for day in days:
        late = day == "20261107"
        put(tmp_path, "o.json", order("1", status=200 if late else 20, fen=100 if late else 200), folder=day)
        load(tmp_path)
    assert table(tmp_path, "orders", "status_label, order_yuan") == [("refunded", Decimal("1.00"))]


def test_rows_of_a_removed_file_go(tmp_path):
    gone = put(tmp_path, "a.json", order("1"))
    put(tmp_path, "b.json", order("2"))
    load(tmp_path)
    gone.unlink()
    report = load(tmp_path)
    assert report.gone == 1
    assert table(tmp_path, "orders", "order_id") == [("2",)]


def test_a_customer_missing_from_a_later_pull_has_left(tmp_path):
    everyone = [contact(n, "zhangsan") for n in "ABCD"]
    put(tmp_path, "c.json", contacts(*everyone), folder="20261103")
    put(tmp_path, "c.json", contacts(*everyone[:3]), folder="20261110")
    load(tmp_path)
    rows = table(tmp_path, "follow_edges", "removed_at, removed_by, is_active")
    assert rows == [(dt.datetime(2026, 11, 10), "unknown", False)] + [(None, None, True)] * 3


def test_a_pull_of_a_few_customers_says_nothing_of_the_others(tmp_path):
    put(tmp_path, "c.json", contacts(*(contact(n, "zhangsan") for n in "ABCD")), folder="20261103")
    put(tmp_path, "c.json", contacts(contact("E", "zhangsan")), folder="20261110")
    load(tmp_path)
    assert table(tmp_path, "follow_edges", "DISTINCT is_active") == [(True,)]


def test_a_running_total_of_messages_becomes_daily(tmp_path):
    def items(values):
        return OK | {"items": [{"stat_time": MONDAY + 86400 * i, "data": {"msg_total": v}} for i,
                               v in enumerate(values)]}

    put(tmp_path, "a.userid=a.json", items([100, 110, 110, 130, 150, 155, 160]))
    put(tmp_path, "b.userid=b.json", items([20, 10, 30, 20, 10, 5, 40]))
    load(tmp_path)
    daily = table(tmp_path, "group_daily", "messages_day", "owner_id, date")
    assert sorted(map(repr, daily)) == sorted(
        map(repr, [(v,) for v in (None, 10, 0, 20, 20, 5, 5)] + [(v,) for v in (20, 10, 30, 20, 10, 5, 40)])
    )


# ---- whole or not at all


def test_a_load_that_fails_leaves_the_tables_as_they_were(tmp_path, monkeypatch):
    put(tmp_path, "a.json", order("1"))
    load(tmp_path)
    put(tmp_path, "b.json", order("2"))
    put(tmp_path, "c.json", behaviour(0))
    kept = merge.store.keep
    written = []

    def fail_late(root, name, made):
        written.append(name)
        if len(written) == 3:
            raise OSError("no space left")
        return kept(root, name, made)

    monkeypatch.setattr(merge.store, "keep", fail_late)
    with pytest.raises(OSError):
        load(tmp_path)
    assert table(tmp_path, "orders", "order_id") == [("1",)] and table(tmp_path, "staff_daily") == []
    monkeypatch.undo()
    load(tmp_path)
    assert table(tmp_path, "orders", "order_id") == [("1",), ("2",)] and len(table(tmp_path, "staff_daily")) == 1
    assert not list(store.tidy_dir(tmp_path).glob(".load-*"))


def test_a_killed_load_leaves_the_tables_as_they_were(tmp_path):
    put(tmp_path, "a.json", order("1"))
    load(tmp_path)
    put(tmp_path, "b.json", order("2"))
    code = (
        "import os, sys\nfrom planlib.data import store\nfrom planlib.data.load import load\n"
        "store.commit = lambda *a: os._exit(9)\nload(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=120)
    assert done.returncode == 9
    assert table(tmp_path, "orders", "order_id") == [("1",)]
    load(tmp_path)
    assert table(tmp_path, "orders", "order_id") == [("1",), ("2",)]


def test_a_reader_keeps_its_tables_while_a_load_replaces_them(tmp_path):
    put(tmp_path, "a.json", order("1"))
    load(tmp_path)
    with Engine(tmp_path) as engine:
        put(tmp_path, "b.json", order("2"))
        load(tmp_path)
        assert engine.rows("orders") == 1
    assert len(table(tmp_path, "orders")) == 2


def test_other_code_reads_everything_anew(tmp_path, monkeypatch):
    put(tmp_path, "a.json", order("1"))
    load(tmp_path)
    monkeypatch.setattr(ledger, "reader_version", lambda: "other")
    assert load(tmp_path).read == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_modes_keep_others_out(good_root):
    modes = {p: stat.S_IMODE((good_root / p).stat().st_mode) for p in ("raw", "tidy", "salt")}
    assert modes == {"raw": 0o700, "tidy": 0o700, "salt": 0o600}


def test_git_ignores_what_is_personal():
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git here")
    names = ["data/raw/a.json", "data/tidy/orders.parquet", "data/salt", "data/raw/.forgotten.json",
             "outputs/private/x.csv"]
    done = subprocess.run(
        ["git", "check-ignore", *names], cwd=root, capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout.split() == names


def test_bill_headers_are_those_of_the_document():
    assert len(BILL_HEADS.split(",")) == 27 and len(OLD_BILL_HEADS.split(",")) == 24
