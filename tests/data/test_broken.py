"""Thirty broken files among thirty good ones: each gets its message, the good ones all load."""

from __future__ import annotations

import io
import json
import os
import zipfile

import pytest

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.data import load as loading
from planlib.data import sheet
from planlib.data.engine import Engine
from planlib.data.load import load
from planlib.workbook.data_job import load_lines
from tests.data.hand_made import MONDAY, OK, behaviour, bill, contact, contacts, order, put

HEAD = "日期,渠道,花费\n"
STAFF_HEAD = "日期,成员,聊天总数,已回复聊天占比\n"


def packed(name: str, content: bytes) -> bytes:
    """Return a zip archive with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def bomb() -> bytes:
    """Return a workbook that unpacks to three hundred megabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(300):
                part.write(b"0" * 2**20)
    return out.getvalue()


LINES = "\n".join(json.dumps(order(str(n))) for n in range(1, 4))

# file name -> (content, code, field, line); None where it is not looked at
BROKEN: dict[str, tuple[object, str, str | None, int | None]] = {
    "utf16.json": (json.dumps(order("9")).encode("utf-16"), "data_encoding", None, None),
    "binary.csv": (b"\x00\x01\x02" * 50, "data_encoding", None, None),
    "neither.csv": (HEAD.encode() + b"2026-11-05,a\xff\xfe\xff,1\n", "data_encoding", None, 2),
    "cut.json": (json.dumps(order("9"), indent=1)[:400], "data_json_cut", None, None),
    "cut.jsonl": (LINES + '\n{"errcode": 0, "order": {"order_id"', "data_json_cut", None, 4),
    "comma.json": ('{"list": [\n{"ref_date": "2026-11-10",,}\n]}', "data_json", None, 2),
    "half.json": (json.dumps(order("9")).replace("\\u9762", "\\ud83d"), "data_json", None, None),
    "half.jsonl": (LINES + "\n" + json.dumps(order("9")).replace("\\u9762", "\\ud83d"), "data_json", None, 4),
    "deep.json": ("[" * 200_000, "data_json", None, None),
    "digits.json": ('{"list": [{"ref_date": "20261110", "visit_total": ' + "9" * 5000 + "}]}", "data_json", None, None),
    "infinite.json": ('{"list": [{"ref_date": "20261110", "visit_total": 1e999}]}', "data_number", None, None),
    "no_such_day.json": ({"request": {"start_time": 10**23}, "response": OK | {"items": [
        {"owner": "z", "data": {"chat_total": 1}}]}}, "data_time_number", "day", None),
    "error.json": ({"errcode": 45009, "errmsg": "api freq out of limit"}, "data_api_error", None, None),
    "error.jsonl": (LINES + '\n{"errcode": 61503, "errmsg": "data not ready"}', "data_api_error", None, 4),
    "milliseconds.json": (behaviour(0) | {"behavior_data": [{"stat_time": MONDAY * 1000, "chat_cnt": 1}]},
                          "data_milliseconds", "behavior_data[].stat_time", 1),
    "orders_ms.jsonl": (LINES.replace('"create_time": 1793552400', '"create_time": 1793552400000', 1),
                        "data_milliseconds", "order.create_time", 1),
    "percent.csv": (STAFF_HEAD + "2026-11-03,a,4,87.5\n", "rate_range", "reply_rate", 2),
    "over_percent.json": (behaviour(0, reply_percentage=875), "out_of_range", "behavior_data[].reply_percentage", 1),
    "service_percent.json": (OK | {"statistic_list": [{"stat_time": MONDAY, "statistic": {"reply_rate": 90}}]},
                             "rate_range", "statistic_list[].statistic.reply_rate", 1),
    "twice.csv": (HEAD + "2026-11-05,a,1\n2026-11-06,a,2\n2026-11-05,a,3\n", "data_double", "costs", 4),
    "twice.json": (behaviour(0, 1) | {"behavior_data": behaviour(0)["behavior_data"] + behaviour(0,
    new=9)["behavior_data"]},
                   "data_double", "staff_daily", None),
    "negative.json": (order("9", fen=-100), "data_negative", "order.order_detail.price_info.order_price", 1),
    "negative.csv": ("订单号,下单时间,实付金额\nT1,2026-11-05 10:00:00,-3\n", "data_negative", "order_yuan", 2),
    "part_of_fen.json": (order("9", fen=100.5), "not_whole", "order.order_detail.price_info.order_price", 1),
    "third_decimal.csv": (HEAD + "2026-11-05,a,1.005\n", "data_decimals", "amount_yuan", 2),
    "formula.csv": (HEAD + "2026-11-05,\"=HYPERLINK(\"\"http://x\"\")\",1\n", "data_formula", "渠道", 2),
    "command.csv": ("成员ID,门店\n\"@SUM(1+1)*cmd|' /C calc'!A0\",S1\n", "data_formula", "成员id", 2),
    "words.csv": (HEAD + "2026-11-05,a,很多\n", "data_number", "amount_yuan", 2),
    "no_day.csv": (HEAD + "2026-02-30,a,1\n", "data_date", "date", 2),
    "without_day.csv": (HEAD + ",a,1\n", "data_missing", None, None),
    "short_row.csv": (HEAD + "2026-11-05,a,1\n2026-11-06\n", "data_row_length", None, 3),
    "two_heads.csv": ("日期,渠道,花费,花费\n2026-11-05,a,1,2\n", "data_head_twice", "花费", 1),
    "open_quote.csv": (HEAD + "2026-11-05,\"a,1\n2026-11-06,b,2\n", "data_csv", None, 2),
    "letter.csv": ("您好\n这是一封信\n", "data_unknown", None, None),
    "other.json": ({"weather": {"temperature": 3}, "wind": 5}, "data_unknown", None, None),
    "empty.json": ("  \n", "data_blank", None, None),
    "packed.zip": (packed("a.json", b"{}"), "data_archive", None, None),
    "packed.json.gz": (b"\x1f\x8b\x08\x00rest", "data_archive", None, None),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 50, "data_xls", None, None),
    "bomb.xlsx": (bomb(), "data_bomb", None, None),
    "no_book.xlsx": (packed("xl/workbook.xml", b"<nonsense"), "data_xlsx", None, None),
    "bill_cut.csv": ("\n".join(bill({}, {}).splitlines()[:2]), "data_bill_cut", None, None),
    "bill_count.csv": (bill({}).replace("`1,`10.00", "`2,`10.00"), "data_bill_count", None, None),
    "bill_sum.csv": (bill({}).replace("`1,`10.00", "`1,`11.00"), "data_bill_sum", None, None),
    "shape.json": (OK | {"external_contact_list": [{"external_contact": {"external_userid": "a"},
                                                    "follow_info": ["zhangsan"]}]}, "data_shape", None, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder of broken files among good ones, and what its load reports."""
    root = tmp_path_factory.mktemp("mixed")
    for name, (content, *_) in BROKEN.items():
        put(root, name, content)
    for number in range(30):
        put(root, f"good_{number}.json", order(f"g{number}"))
    put(root, "good_contacts.json", contacts(contact("A", "zhangsan")))
    before = {path: path.read_bytes() for path in (root / "raw").rglob("*.*") if path.is_file()}
    return root, load(root), before


def test_there_are_enough():
    assert len(BROKEN) >= 30


def test_everything_else_loads(mixed):
    root, report, _ = mixed
    assert report.read == 31
    with Engine(root) as engine:
        assert engine.query("SELECT COUNT(*) AS n, COUNT(DISTINCT order_id) AS d FROM orders").one() == {"n": 30,
                                                                                                         "d": 30}
        assert engine.rows("follow_edges") == 1
        assert engine.rows("costs") == engine.rows("staff_daily") == engine.rows("payments") == 0


def test_every_broken_file_is_set_aside(mixed):
    _, report, _ = mixed
    assert {entry.path.rpartition("/")[2] for entry in report.aside} == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_messages_name_file_place_and_fault(mixed, name):
    _, report, _ = mixed
    (entry,) = [e for e in report.aside if e.path.endswith(f"/{name}")]
    problem = entry.problems[0]
    _, code, field, line = BROKEN[name]
    assert (problem.code, problem.file) == (code, entry.path)
    assert field is None or problem.field == field
    assert line is None or problem.line == line
    for locale in ("zh", "en"):
        assert entry.path in problem.render(locale)


def test_raw_files_are_not_touched(mixed):
    _, _, before = mixed
    assert {path: path.read_bytes() for path in before} == before


def test_a_second_load_keeps_what_is_aside(mixed):
    root, report, _ = mixed
    again = load(root)
    assert (again.read, again.unchanged) == (0, len(BROKEN) + 31)
    assert {e.path for e in again.aside} == {e.path for e in report.aside}


def test_a_mended_file_loads(tmp_path):
    put(tmp_path, "a.csv", HEAD + "2026-11-05,a,x\n")
    assert len(load(tmp_path).aside) == 1
    put(tmp_path, "a.csv", HEAD + "2026-11-05,a,17\n")
    report = load(tmp_path)
    assert report.aside == () and report.tables["costs"] == 1


@pytest.mark.parametrize(
    "name", ["a';DROP TABLE x--.json", "全量 [2026]*?.json", "a..%2f..%2fetc.json",
                                  "$(touch x).json", "-rf.json"]
)
def test_names_of_files_do_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setattr(loading, "LARGE", 100)
    put(tmp_path, name, "\n".join(json.dumps(order(str(n))) for n in range(3)))
    report = load(tmp_path)
    assert report.aside == () and report.tables["orders"] == 3


def test_links_out_of_the_folder_are_left_alone(tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "a.json").write_text(json.dumps(order("1")), encoding="utf-8")
    put(tmp_path, "b.json", order("2"))
    try:
        (tmp_path / "raw" / "link").symlink_to(outside)
        (tmp_path / "raw" / "link.json").symlink_to(outside / "a.json")
    except OSError:
        pytest.skip("no links here")
    assert load(tmp_path).tables["orders"] == 1


def test_names_that_are_not_utf_8(tmp_path):
    folder = put(tmp_path, "a.json", order("1")).parent
    try:
        for name, content in ((b"\xff.json", b"{"), (b"\xfe.json", json.dumps(order("2")).encode())):
            with open(os.path.join(os.fsencode(folder), name), "wb") as file:
                file.write(content)
    except (OSError, UnicodeError):
        pytest.skip("this system knows no such names")
    for read in (2, 0):
        report = load(tmp_path)
        assert (report.read, [e.problems[0].code for e in report.aside]) == (read, ["data_json_cut"])
    assert report.aside[0].problems[0].render().replace("\n", "").isprintable()


def test_unknown_heads_are_shown_but_no_ids(tmp_path):
    put(tmp_path, "sheet.csv", "2026 年 11 月\n用户,何时,做了什么\nwm1,2026-11-01,click\n")
    put(tmp_path, "people.csv", "wm1,13800138000\nwm2,13900139000\n")
    put(tmp_path, "answer.json", {"weather": {"temperature": 3}, "wind": 5})
    given = {e.path.rpartition("/")[2]: e.problems[0].given for e in load(tmp_path).aside}
    assert given == {"sheet.csv": "用户, 何时, 做了什么", "people.csv": None, "answer.json": "weather, wind"}


def test_days_after_the_pull_are_told(tmp_path):
    put(tmp_path, "a.json", {"list": [{"ref_date": "20991110", "visit_total": 9}]})
    put(tmp_path, "b.json", {"list": [{"ref_date": "20261110", "visit_total": 9}]})
    lines = load_lines(load(tmp_path), words("en"), tmp_path / "raw")
    assert "2099-11-10" in next(line for line in lines if "after it was pulled" in line)
    assert sum("after it was pulled" in line for line in lines) == 1


def test_without_a_folder_the_message_says_so(tmp_path):
    with pytest.raises(InputError) as error:
        load(tmp_path / "nowhere")
    assert error.value.problems[0].code == "data_no_raw"


def test_a_workbook_of_modest_size_is_no_bomb(tmp_path):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["渠道花费"])
    book.active.append([])
    book.active.append(["日期", "渠道", "花费（元）"])
    for day in range(1, 29):
        book.active.append([f"2026-11-{day:02d}", "feed_ads", 1234.5])
    path = put(tmp_path, "spend.xlsx", b"")
    book.save(path)
    sheet.guard_archive(path, "spend.xlsx")
    assert load(tmp_path).tables["costs"] == 28
