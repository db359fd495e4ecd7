"""Files too long to hold: cut at elements, read line by line, with bounded memory and lines in messages."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.data import load as loading
from planlib.data import stage as staging
from planlib.data.engine import Engine
from planlib.data.jsonsplit import Cut, arrays, envelope, opening
from planlib.data.load import load, read_ledger
from tests.data.hand_made import MONDAY, OK, bill, order, put

NAMES = frozenset({"send_list", "list"})


def sound(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def cut(text: str, block: int) -> tuple[list, object]:
    """Return the elements and the envelope of a document cut in blocks."""
    data = text.encode()
    found, rest = opening(data, NAMES), []
    pieces = list(arrays(io.BytesIO(data), found, rest, sound, block=block))
    return [element for piece in pieces for element in json.loads(piece)], envelope(found, rest[0])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\{}[],:中\n'), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.dictionaries(st.text("xy", min_size=1, max_size=2), values, max_size=3), max_size=8),
    st.integers(1, 60),
    st.sampled_from([None, 1]),
)
def test_cut_anywhere_nothing_is_lost(elements, block, indent):
    document = {"errcode": 0, "send_list": elements, "next_cursor": "c"}
    found, rest = cut(json.dumps(document, indent=indent, ensure_ascii=False), block)
    assert found == elements and rest == document | {"send_list": []}


def test_lists_at_the_root_and_inside_requests():
    assert cut('[{"a": 1}, {"b": 2}]', 3)[0] == [{"a": 1}, {"b": 2}]
    data = b'{"request": {"userid_list": ["x"]}, "response": {"send_list": [{}]}}'
    assert opening(data, NAMES).path == "response.send_list[]"


@pytest.mark.parametrize(
    "text, reason, line",
    [
        ('{"send_list": [{"a": 1},\n{"b": 2', "end", 2),
        ('{"send_list": [{"a": 1},\n{"b": "2', "end", 2),
        ('{"send_list": [{"a": 1},\n{"b" 2}]}', "Expecting ':' delimiter", 2),
    ],
)
@pytest.mark.parametrize("block", [4, 1000])
def test_where_a_document_breaks_off(text, reason, line, block):
    with pytest.raises(Cut) as broken:
        cut(text, block)
    assert (broken.value.reason, broken.value.line) == (reason, line)


@pytest.fixture
def small_limits(monkeypatch):
    """Treat every file as a long one, and stage little at a time."""
    monkeypatch.setattr(loading, "LARGE", 200)
    monkeypatch.setattr(staging, "FLUSH_BYTES", 2000)


def results(count: int) -> list[dict]:
    return [
        {"external_userid": f"wm{n}", "userid": "a", "status": n % 4, "send_time": MONDAY + n} for n in range(count)
    ]


@pytest.mark.parametrize("form", ["document", "request", "pages", "mixed", "list", "mixed list"])
@pytest.mark.usefixtures("small_limits")
def test_long_files_of_every_form(tmp_path, form):
    rows = results(500)
    pages = [OK | {"send_list": rows[i : i + 100], "next_cursor": ""} for i in range(0, 500, 100)]
    made = {
        "document": json.dumps(OK | {"send_list": rows, "next_cursor": ""}, indent=1),
        "request": json.dumps({"request": {"msgid": "m1"}, "response": OK | {"send_list": rows}}),
        "pages": "\n".join(map(json.dumps, pages)),
        "mixed": "\n".join(map(json.dumps, [*pages, order("1")])),
        "list": json.dumps(pages),
        "mixed list": json.dumps([*pages, order("1")]),
    }[form]
    put(tmp_path, "r.json" if form == "request" else "r.msgid=m1.json", made)
    report = load(tmp_path)
    assert report.aside == ()
    with Engine(tmp_path) as engine:
        sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT target_hid) AS d, MIN(msg_id) AS m FROM send_results"
        assert engine.query(sql).one() == {"n": 500, "d": 500, "m": "m1"}
        assert engine.rows("orders") == ("mixed" in form)


@pytest.mark.parametrize(
    "spoil, code",
    [
        (lambda t: t[:-400], "data_json_cut"),
        (lambda t: t.replace('"status": 3', '"status": "x"', 1), "data_number"),
        (lambda t: t.replace('"errcode": 0', '"errcode": 45033'), "data_api_error"),
    ],
)
@pytest.mark.parametrize("form", ["document", "pages"])
@pytest.mark.usefixtures("small_limits")
def test_long_broken_files_leave_no_rows(tmp_path, form, spoil, code):
    rows = results(500)
    pages = [OK | {"send_list": rows[i : i + 100]} for i in range(0, 500, 100)]
    text = json.dumps(OK | {"send_list": rows}, indent=1) if form == "document" else "\n".join(map(json.dumps, pages))
    put(tmp_path, "r.msgid=m1.json", spoil(text))
    put(tmp_path, "good.json", order("1"))
    (entry,) = load(tmp_path).aside
    assert entry.problems[0].code == code
    if code == "data_number":
        text = spoil(text).splitlines()[entry.problems[0].line - 1]
        assert '"status": "x"' in text
    with Engine(tmp_path) as engine:
        assert (engine.rows("send_results"), engine.rows("orders")) == (0, 1)


@pytest.mark.usefixtures("small_limits")
def test_a_sheet_that_breaks_after_part_of_it_was_staged(tmp_path):
    rows = "".join(f"2026-11-{n % 28 + 1:02d},c{n},{n}\n" for n in range(300))
    put(tmp_path, "a.csv", "日期,渠道,花费\n" + rows + "2026-11-05,=1+1,3\n")
    put(tmp_path, "b.csv", "日期,渠道,花费\n2026-11-05,x,3\n")
    (entry,) = load(tmp_path).aside
    assert (entry.problems[0].code, entry.problems[0].line) == ("data_formula", 302)
    with Engine(tmp_path) as engine:
        assert engine.rows("costs") == 1


@pytest.mark.usefixtures("small_limits")
def test_a_long_list_of_nothing(tmp_path):
    put(tmp_path, "r.json", "[" + " " * 500 + "]")
    report = load(tmp_path)
    assert (report.aside, report.rows) == ((), 0)


def test_a_payload_longer_than_the_first_buffer(tmp_path):
    put(tmp_path, "r.msgid=m1.json", OK | {"send_list": results(60_000)})
    assert load(tmp_path).tables["send_results"] == 60_000
    assert read_ledger(tmp_path)[0].rows == {"send_results": 60_000}


def test_memory_stays_bounded(tmp_path, monkeypatch):
    """Python holds blocks, not files: ten times the file needs no more."""
    monkeypatch.setattr(loading, "LARGE", 2**18)
    monkeypatch.setattr("planlib.data.jsonsplit.arrays.__kwdefaults__", {"block": 2**17})
    peaks = []
    for count in (5_000, 50_000):
        root = tmp_path / str(count)
        put(root, "r.msgid=m1.json", OK | {"send_list": results(count)})
        tracemalloc.start()
        load(root)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 2**20


@pytest.mark.usefixtures("small_limits")
def test_many_bills_are_staged_in_turns(tmp_path):
    for day in range(1, 20):
        put(tmp_path, f"b{day}.csv", bill({"交易时间": f"2026-11-{day:02d} 10:00:00", "微信订单号": f"42{day}"}))
    assert load(tmp_path).tables["payments"] == 19


def test_no_limit_of_recursion_is_raised(tmp_path):
    limit = sys.getrecursionlimit()
    put(tmp_path, "deep.json", "[" * 100_000)
    assert load(tmp_path).aside[0].problems[0].code == "data_json"
    assert sys.getrecursionlimit() == limit
