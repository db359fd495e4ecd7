"""Long csv files read in columns say what a reader of rows says, of their rows, lines and faults."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.data import columns, sheet
from planlib.data import load as loading
from planlib.data import stage as staging
from planlib.data.columns import batches
from planlib.data.engine import Engine
from planlib.data.load import load, read_ledger
from tests.data.hand_made import GOOD, bill, put

HEAD = ["订单编号", "下单时间", "实付金额", "买家ID", "商品名称", "数量"]
CELLS = st.sampled_from(
    ["", " ", "T1", "wm 2", " T3 ", "2026-11-05 10:00:00", "2026/11/5", "2026-W45", "12.50", "1,238.50 元", "１２",
     "--", "-3", "-", "=1+1", "+1元换购", "@SUM(A1)", "\tx(", "合计", "Total", "ｔｏｔａｌ",
     "a\nb", "a\r\nb", "\ufeffx", "\u200b", "面霜", "无", '"q"', "a,b", "\0", "\u3000z", "9分钟", "5%", "7."]
)  # fmt: skip


def by_row(text, shown="x.csv"):
    """Read as a plain loop over csv rows does, with a line for each; the fault in place of what follows it."""
    reader, line, header, found = csv.reader(io.StringIO(text, newline=""), strict=True), 1, None, []
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if header is None:
                header = sheet.recognise(cells, start)
                continue
            found += sheet.records(header, iter([(start, cells)]), shown, strict=True)
    except csv.Error as error:
        return found, ("data_csv", line, str(error))
    except InputError as error:
        return found, (error.problems[0].code, error.problems[0].line, error.problems[0].given)
    return found, None


def by_column(path, encoding="utf-8"):
    found = []
    try:
        for batch in batches(path, "x.csv", encoding):
            found += zip(batch.lines(), batch.records(), strict=True)
    except InputError as error:
        return found, (error.problems[0].code, error.problems[0].line, error.problems[0].given)
    return found, None


def written(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEAD, *rows])
    return out.getvalue()


@given(
    st.lists(st.lists(CELLS, min_size=6, max_size=6) | st.lists(CELLS, max_size=8), max_size=12),
    st.integers(40, 200),
    st.sampled_from(["", '"open,\n', 'a"b",c,d,e,f,g\n']),
)
def test_rows_lines_and_faults_are_those_of_a_reader_of_rows(tmp_path_factory, rows, block, end):
    path = tmp_path_factory.getbasetemp() / "x.csv"
    text = written(rows) + end
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "BLOCK", block)
        found, fault = by_column(path)
    expected, expected_fault = by_row(text)
    assert fault == expected_fault
    assert found == expected[: len(found)] and (fault or len(found) == len(expected))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("block", [7, 64, 2**20])
def test_no_encoding_and_no_block_changes_a_row(tmp_path, monkeypatch, encoding, block):
    monkeypatch.setattr(columns, "BLOCK", block)
    rows = [[f"T{n}", "2026-11-05 10:00:00", f"{n}.50", f"u{n}", "面霜\r\n大", str(n)] for n in range(40)]
    path = tmp_path / "x.csv"
    path.write_bytes(written(rows).encode(encoding))
    found, fault = by_column(path, encoding)
    assert fault is None and [line for line, _ in found] == list(range(2, 82, 2))
    assert found[3][1] == {"order_id": "T3", "created_at": "2026-11-05 10:00:00", "order_yuan": "3.50", "openid": "u3",
                           "product": "面霜\r\n大", "qty": "3"}  # fmt: skip


def tables(root):
    """Return every table's rows, file numbers aside."""
    with Engine(root) as engine:
        return {name: sorted(map(repr, engine.query(f"SELECT * EXCLUDE (pulled_at) FROM {name}").rows()))
                for name in engine.loaded}  # fmt: skip


def test_files_staged_by_themselves_give_the_same_tables(tmp_path, monkeypatch):
    for side in ("rows", "columns"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "salt").write_text("ab" * 32, encoding="ascii")
        for name, content in GOOD.items():
            put(tmp_path / side, name, content)
    assert load(tmp_path / "rows").aside == ()
    monkeypatch.setattr(loading, "LARGE_SHEET", 0)
    monkeypatch.setattr(staging, "FLUSH_BYTES", 100)
    monkeypatch.setattr(columns, "BLOCK", 100)
    assert load(tmp_path / "columns").aside == ()
    assert tables(tmp_path / "rows") == tables(tmp_path / "columns")
    assert [e.rows for e in read_ledger(tmp_path / "rows")] == [e.rows for e in read_ledger(tmp_path / "columns")]


@pytest.mark.parametrize("last, code", [
    ("2026-11-05,c,x", "data_number"), ("2026-11-01,c0,9", "data_double"), ("2026-11-05,=1+1,3", "data_formula"),
    ("2026-11-05,c", "data_row_length"), ('2026-11-05,"c', "data_csv"),
])  # fmt: skip
def test_a_fault_at_the_end_of_a_long_sheet(tmp_path, monkeypatch, last, code):
    monkeypatch.setattr(loading, "LARGE_SHEET", 0)
    monkeypatch.setattr(columns, "BLOCK", 200)
    monkeypatch.setattr(staging, "FLUSH_BYTES", 2000)
    rows = "".join(f"2026-11-{n % 28 + 1:02d},c{n},{n}\n" for n in range(300))
    put(tmp_path, "a.csv", "日期,渠道,花费\n" + rows + last + "\n")
    put(tmp_path, "b.csv", "日期,渠道,花费\n2026-11-05,x,3\n")
    (entry,) = load(tmp_path).aside
    assert (entry.problems[0].code, entry.problems[0].line) == (code, 302)
    with Engine(tmp_path) as engine:
        assert engine.rows("costs") == 1


@pytest.mark.parametrize("text", ["{}", "{},", "日期,渠道,花费\n2026-11-01,{},3\n"])
def test_a_line_without_end_is_set_aside(tmp_path, monkeypatch, text):
    monkeypatch.setattr(columns, "MAX_LINE", 10_000)
    monkeypatch.setattr(columns, "BLOCK", 1000)
    put(tmp_path, "a.csv", "x" + text.replace("{}", "a" * 50_000))
    (entry,) = load(tmp_path).aside
    assert entry.problems[0].code == "data_line_length"


def test_a_long_bill_is_held_against_its_totals(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 300)
    monkeypatch.setattr(loading, "LARGE_SHEET", 0)
    rows = [{"微信订单号": f"42{n}", "应结订单金额": f"{n}.05"} for n in range(60)]
    put(tmp_path, "a.csv", bill(*rows))
    put(tmp_path, "b.csv", bill(*rows).replace("`60,`", "`59,`"))
    (entry,) = load(tmp_path).aside
    assert (entry.problems[0].code, entry.problems[0].line) == ("data_bill_count", 62)
    with Engine(tmp_path) as engine:
        assert engine.query("SELECT COUNT(*) AS n, SUM(settle_yuan) AS s FROM payments").one() == {"n": 60, "s": 1773}


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 2**15)
    peaks = []
    for count in (3_000, 30_000):
        path = tmp_path / f"{count}.csv"
        row = ["T1", "2026-11-05 10:00:00", "3.50", "u1", "面霜", "1"]
        path.write_text(written([row] * count), encoding="utf-8")
        tracemalloc.start()
        assert sum(map(len, batches(path, "x", "utf-8"))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 2**17


# ---- two heads of one column


def costs(root):
    with Engine(root) as engine:
        return engine.query("SELECT channel_id, amount_yuan FROM costs").rows()


@pytest.mark.parametrize("heads, row", [("渠道,渠道ID", "直播间,live"), ("渠道ID,渠道", "live,直播间")])
def test_an_id_wins_over_a_name(tmp_path, heads, row):
    put(tmp_path, "a.csv", f"日期,{heads},花费\n2026-11-05,{row},3\n")
    assert load(tmp_path).aside == ()
    assert [cost["channel_id"] for cost in costs(tmp_path)] == ["live"]


def test_a_sheet_that_keeps_names_takes_both(tmp_path):
    put(tmp_path, "a.csv", "渠道,渠道ID,渠道类型\n直播间,live,live\n")
    load(tmp_path)
    with Engine(tmp_path) as engine:
        assert engine.query("SELECT channel_id, name FROM channels").one() == {"channel_id": "live", "name": "直播间"}


def test_what_was_paid_wins_over_what_was_ordered(tmp_path):
    put(tmp_path, "a.csv", "订单号,下单时间,订单金额,实付金额\nT1,2026-11-05 10:00:00,120,99.5\n")
    load(tmp_path)
    with Engine(tmp_path) as engine:
        assert float(engine.query("SELECT order_yuan FROM orders").one()["order_yuan"]) == 99.5


@pytest.mark.parametrize("heads", ["渠道,花费,消耗", "渠道ID,channel_id,花费"])
def test_heads_of_which_none_wins_set_the_file_aside(tmp_path, heads):
    put(tmp_path, "a.csv", f"日期,{heads}\n2026-11-05,3,3,4\n")
    (entry,) = load(tmp_path).aside
    problem = entry.problems[0]
    assert (problem.code, problem.line) == ("data_head_rivals", 1)
    assert set(problem.field.split(", ")) <= set(heads.lower().split(",")) and problem.field.count(",") == 1
