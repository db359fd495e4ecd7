"""A forgotten person is nowhere any more, the others are untouched; what is older than a day can be purged."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from decimal import Decimal

import pytest

from planlib.core.errors import InputError
from planlib.data.engine import Engine
from planlib.data.erase import forget, purge
from planlib.data.ids import hashed, salt
from planlib.data.load import load, read_ledger
from planlib.data.store import tidy_dir
from tests.data.hand_made import MONDAY, OK, bill, contact, contacts, order, put

DAY = 86400
OF_A = (b"wmA", b"oUnionA", b"oOpenA")


def rows(root, sql: str) -> list[tuple]:
    with Engine(root, threads=1) as engine:
        return [tuple(row.values()) for row in engine.query(sql).rows()]


@pytest.fixture
def root(good_root, tmp_path):
    """A copy of the folder with all kinds of files."""
    shutil.copytree(good_root, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def outputs(root, tmp_path):
    """Outputs that name the person: a private list, a table, a note."""
    folder = tmp_path / "outputs"
    (folder / "private").mkdir(parents=True)
    (folder / "private" / "list.csv").write_text("external_userid\nwmA\nwmC\n", encoding="utf-8")
    (folder / "run").mkdir()
    (folder / "run" / "note.json").write_text(json.dumps({"who": hashed(salt(root), "wmA")}), encoding="utf-8")
    (folder / "run" / "other.json").write_text("{}", encoding="utf-8")
    with Engine(root) as engine:
        target = (folder / "run" / "edges.parquet").as_posix()
        engine.query(f"COPY (SELECT external_hid FROM follow_edges) TO '{target}' (FORMAT parquet)")
    return folder


def test_a_forgotten_person_is_nowhere(root, outputs):
    key = salt(root)
    hids = [hashed(key, one.decode()).encode() for one in OF_A]
    counts = "SELECT 'people', COUNT(*) FROM customers UNION ALL SELECT 'edges', COUNT(*) FROM follow_edges"
    before = dict(rows(root, counts))
    erased = forget(root, "wmA", outputs=outputs)
    assert erased.ids == 3  # the unionid and the openid were found from the external id
    assert erased.unsure == []
    for folder in (root / "raw", outputs, tidy_dir(root)):
        for path in folder.rglob("*"):
            if path.is_file() and path.name != ".forgotten.json":
                content = path.read_bytes()
                assert not [one for one in (*OF_A, *hids) if one in content], path
    assert dict(rows(root, counts)) == {name: count - 1 for name, count in before.items()}
    left = repr([rows(root, f"SELECT * FROM {name}") for name in ("id_map", "touches", "outcomes")])
    assert not [hid for hid in hids if hid.decode() in left]


def test_the_files_that_are_left_still_load(root):
    forget(root, "wmA")
    assert [entry for entry in read_ledger(root) if entry.status == "aside"] == []
    assert rows(root, "SELECT row_type, refund_yuan FROM payments") == [("REFUND", Decimal("99.00"))]
    assert (root / "raw" / "mixed" / "20261111" / "moments.json").is_file()


def test_others_keep_what_is_theirs(root, outputs):
    forget(root, "wmA", outputs=outputs)
    assert (outputs / "private" / "list.csv").read_text(encoding="utf-8") == "external_userid\nwmC\n"
    assert not (outputs / "run" / "note.json").exists() and (outputs / "run" / "other.json").exists()
    assert rows(root, f"SELECT external_hid FROM customers WHERE external_hid = '{hashed(salt(root), 'wmC')}'")


def test_a_later_pull_does_not_bring_the_person_back(root):
    forget(root, "wmA")
    put(root, "again.json", contacts(contact("A", "zhangsan"), contact("E", "zhangsan")), folder="20261201")
    put(root, "again.msgid=m9.json", OK | {"send_list": [{"external_userid": "wmA", "userid": "z", "status": 1}]})
    load(root)
    known = {row[0] for row in rows(root, "SELECT external_hid FROM customers")}
    assert hashed(salt(root), "wmA") not in known and hashed(salt(root), "wmE") in known
    assert rows(root, "SELECT * FROM send_results WHERE msg_id = 'm9'") == []


def test_an_order_shared_by_the_person_stays_without_the_name(tmp_path):
    put(tmp_path, "o.json", order("1", person="B", fen=100))
    shared = order("2", person="B")
    shared["order"]["order_detail"]["sharer_info"] = {"sharer_openid": "oOpenA", "sharer_type": 1}
    put(tmp_path, "s.json", shared)
    put(tmp_path, "mine.json", order("3", person="A"))
    load(tmp_path)
    forget(tmp_path, "oOpenA")
    assert rows(tmp_path, "SELECT order_id, sharer_hid FROM orders ORDER BY 1") == [("1", None), ("2", None)]


def test_an_unknown_person_changes_nothing(root):
    before = {path: path.read_bytes() for path in (root / "raw").rglob("*.*") if path.is_file()}
    erased = forget(root, "wmNobody")
    assert (erased.ids, erased.deleted, erased.rewritten) == (1, [], {})
    assert {p: p.read_bytes() for p in before} == before


def test_an_empty_id_is_refused(root):
    with pytest.raises(InputError):
        forget(root, "  ")


def test_long_files_are_rewritten_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("planlib.data.erase._SMALL", 500)
    people = [{"external_userid": f"wm{n}", "userid": "s", "status": 1} for n in range(300)]
    put(tmp_path, "one.msgid=a.json", OK | {"send_list": people, "next_cursor": "c"})
    put(tmp_path, "lines.jsonl", "\n".join(json.dumps(order(str(n), person=str(n))) for n in range(50)))
    load(tmp_path)
    forget(tmp_path, "wm7")
    forget(tmp_path, "oOpen9")
    assert rows(tmp_path, "SELECT COUNT(*) FROM send_results") == [(299,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM orders") == [(49,)]
    left = json.loads((tmp_path / "raw/mixed/20261111/one.msgid=a.json").read_text(encoding="utf-8"))
    assert left["next_cursor"] == "c"


def test_purging_takes_what_is_older(tmp_path):
    cut = dt.date(2026, 11, 4)  # two days after Monday
    put(tmp_path, "old.json", order("1", at=MONDAY))
    put(tmp_path, "both.jsonl", "\n".join(json.dumps(order(str(n), at=MONDAY + n * DAY)) for n in (1, 2, 3)))
    late = {"微信订单号": "2", "交易时间": "2026-11-05 10:00:00"}
    put(tmp_path, "bill.csv", bill({"交易时间": "2026-11-03 10:00:00"}, late))
    put(tmp_path, "was.json", contacts(contact("A", "s")), folder="20261103")
    put(tmp_path, "is.json", contacts(contact("B", "s")), folder="20261105")
    put(tmp_path, "visits.json", {"list": [{"ref_date": "20261101", "visit_total": 9}]})
    load(tmp_path)
    outputs = tmp_path / "outputs" / "private"
    outputs.mkdir(parents=True)
    for name, day in (("old.csv", "2026-11-01"), ("new.csv", "2026-11-09")):
        (outputs / name).write_text("x\n", encoding="utf-8")
        os.utime(outputs / name, (dt.datetime.fromisoformat(day).timestamp(),) * 2)
    erased = purge(tmp_path, cut, outputs=tmp_path / "outputs")
    assert {name.rpartition("/")[2] for name in erased.deleted} == {"old.json", "was.json", "old.csv"}
    assert rows(tmp_path, "SELECT order_id FROM orders ORDER BY 1") == [("2",), ("3",)]
    assert rows(tmp_path, "SELECT wx_txn_id FROM payments") == [("2",)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM customers") == [(1,)]
    assert rows(tmp_path, "SELECT visit_total FROM mp_daily") == [(9,)]  # nobody's data: history stays
    files = [p for p in (tmp_path / "raw").rglob("*.*") if p.name != ".forgotten.json"]
    text = "".join(p.read_text(encoding="utf-8") for p in files)
    assert "2026-11-03" not in text and str(MONDAY + DAY) not in text
    assert [e for e in read_ledger(tmp_path) if e.status == "aside"] == []


def test_what_was_purged_does_not_come_back(tmp_path):
    put(tmp_path, "new.json", order("3", at=MONDAY + 5 * DAY))
    load(tmp_path)
    purge(tmp_path, dt.date(2026, 11, 4))
    put(tmp_path, "old.json", order("1", at=MONDAY))
    load(tmp_path)
    assert rows(tmp_path, "SELECT order_id FROM orders") == [("3",)]
