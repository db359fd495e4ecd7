"""Spark answers as DuckDB does: every text of planlib/data/sql over the sample brand, cell by cell."""

import datetime as dt
import os
import re
import socket
import subprocess
import sys
import time
from decimal import Decimal
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from planlib import trials
from planlib.data import spark
from planlib.data.baseline import Windows, collect, measures, period
from planlib.data.engine import Engine, open_tables, statement
from planlib.data.load import load
from planlib.data.quality import assess
from planlib.data.sample import write_sample
from planlib.data.schema import TABLES
from planlib.data.spark import SparkEngine
from planlib.plan import load_plan
from planlib.readout import read_out
from tests.data.tables import data_root, write_table

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted(path.name.removesuffix(".sql") for path in (resources.files("planlib") / "data" / "sql").iterdir())
PLACEHOLDER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
EXACT = Decimal("1e-9")
LOCAL = "local[2]"
PATIENCE = 1200  # seconds that one test may take on a busy machine

# values of the parameters of every text; a text with another parameter needs one here
AS_OF, FIRST = dt.date(2026, 12, 31), dt.date(2026, 1, 1)
_MOMENT = dt.datetime(2026, 11, 1)
PARAMETERS = Windows(AS_OF, FIRST).parameters() | {
    "moment": _MOMENT,
    **{f"back_{days}": _MOMENT - dt.timedelta(days=days) for days in (7, 30, 90)},
    "push_since": _MOMENT - dt.timedelta(days=30),
    "label_until": _MOMENT + dt.timedelta(days=30),
    "joined_by": dt.datetime(2026, 12, 17),
    "tag_group": "",
    "experiment": "push_frequency",
    "metric": "messages_delivered",
}
SERVICE = [  # what the sample brand has none of
    {"date": dt.date(2026, 12, day), "scope_id": scope, "customers": 40 + day, "satisfied_rate": (day % 7) / 8}
    for day in range(1, 31)
    for scope in ("a", "b")
]


def parameters_of(name: str) -> set[str]:
    """Names of the parameters of a text, comments apart."""
    return set(PLACEHOLDER.findall(re.sub(r"--[^\n]*", "", statement(name))))


def needed(name: str) -> list[str]:
    """Texts whose kept answers a text builds on, in the order in which they are kept."""
    found: list[str] = []
    for table in re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]+)", statement(name)):
        if table in TEXTS and table != name:
            found += [*needed(table), table]
    return list(dict.fromkeys(found))


def is_ordered(name: str) -> bool:
    """Whether a text says in which order its rows come."""
    return re.search(r"\n(ORDER BY|LIMIT)\b", statement(name)) is not None


# ---- without Spark


@pytest.mark.parametrize("name", TEXTS)
def test_every_parameter_has_a_value_for_the_comparison(name):
    assert parameters_of(name) <= PARAMETERS.keys(), f"{name}: give values in PARAMETERS"


def test_what_a_text_builds_on_is_kept_first():
    assert needed("repeats") == ["people", "sold", "bought"]
    assert needed("sold") == []


@pytest.mark.parametrize("name", TEXTS)
def test_empty_values_and_types_are_written_for_both(name):
    text = re.sub(r"--[^\n]*", "", statement(name))
    assert not re.search(r"\bAS VARCHAR\)|::|\bINTERVAL \d|\bILIKE\b|\bQUALIFY\b|\bEXCLUDE\b|\\", text)


def problem(error) -> str:
    (found,) = error.value.problems
    assert str(error.value) and error.value.render("zh")
    return found.code


def test_a_missing_package_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="grpcio") as error:
        SparkEngine(tmp_path, "sc://127.0.0.1:15002")
    assert problem(error) == "spark_missing"


@pytest.mark.parametrize("address", ["sc://127.0.0.1:{}", "spark://127.0.0.1:{}", "sc://127.0.0.1:{}/;use_ssl=true"])
def test_an_address_where_nobody_answers_is_told_at_once(monkeypatch, tmp_path, address):
    monkeypatch.setattr(spark, "_need", lambda *names: None)
    with pytest.raises(ValueError, match="refused") as error:
        SparkEngine(tmp_path, address.format(free_port()))
    assert problem(error) == "spark_unreachable"


def test_a_machine_without_java_is_told(monkeypatch, tmp_path):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    monkeypatch.setattr(spark, "_need", lambda *names: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ValueError) as error:
        SparkEngine(tmp_path, LOCAL)
    assert problem(error) == "java_missing"


PLAN = ROOT / "params" / "sample_brand.yaml"


@pytest.mark.parametrize(
    "address",
    ["local", "local[*]", "local[8]", "spark://h:7077", "spark://a:7077,b:7077", "sc://h", "sc://[::1]:15002",
     "sc://spark.brand.cn:443/;use_ssl=true", "yarn", "k8s://https://h:6443"],
)  # fmt: skip
def test_a_plan_names_its_engine(address):
    plan = load_plan(PLAN, sets=("data.engine=spark", f'data.spark_address="{address}"'))
    assert (plan.data.engine, plan.data.spark_address) == ("spark", address)


@pytest.mark.parametrize(
    "sets, code, field",
    [
        (["engine=spark"], "spark_without_address", "data.spark_address"),
        (["spark_address=yarn"], "address_without_spark", "data.spark_address"),
        (["engine=spark", 'spark_address="local"', "memory_gb=4"], "memory_of_spark", "data.memory_gb"),
        (["memory_gb=0"], "above", "data.memory_gb"),
        (["engine=flink"], "choice", "data.engine"),
        (["engine=spark", "spark_address=h:7077"], "spark_address", "data.spark_address"),
        (["engine=spark", 'spark_address="local[0]"'], "spark_address", "data.spark_address"),
        (["engine=spark", 'spark_address="spark://h"'], "spark_address", "data.spark_address"),
        (["engine=spark", 'spark_address="sc://h/;token=x"'], "spark_token", "data.spark_address"),
    ],
)
def test_what_makes_no_sense_is_refused(sets, code, field):
    with pytest.raises(ValueError) as error:
        load_plan(PLAN, sets=tuple(f"data.{one}" for one in sets))
    (found,) = error.value.problems
    assert (found.code, found.field) == (code, field)
    assert error.value.render("zh")


def test_a_plan_without_an_engine_is_read_by_duckdb(tmp_path):
    with open_tables(load_plan(PLAN).data, tmp_path) as tables:
        assert type(tables) is Engine and tables.root == tmp_path


# ---- with Spark


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample brand, loaded; its folder has a blank and Chinese characters in its name."""
    root = tmp_path_factory.mktemp("示例 brand") / "sample"
    write_sample(root, customers=6_000, seed=7)
    load(root)
    return root


@pytest.fixture(scope="module")
def engines(sample):
    """DuckDB and Spark over the same tables, every text that others build on kept on both."""
    more = {"service_daily": write_table(sample.parent, "service_daily", SERVICE)}
    with Engine(sample, tables=more) as duckdb, SparkEngine(sample, LOCAL, tables=more) as other:
        keep_all(duckdb, other)
        yield duckdb, other


def keep_all(*engines):
    for name in dict.fromkeys(name for text in TEXTS for name in needed(text)):
        for engine in engines:
            engine.keep(name, PARAMETERS)


def differences(name, ours, theirs):
    """The cells in which two answers of a text differ, numbers by more than 1e-9 of their size."""
    if not is_ordered(name):
        ours, theirs = (sorted(rows, key=lambda row: repr(list(map(_plain, row.values())))) for rows in (ours, theirs))
    found = []
    for at, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one is None or other is None or list(one) != list(other):
            found.append((at, one, other))
            break
        found += [(at, column, one[column], other[column]) for column in one if not _same(one[column], other[column])]
    return found


def _plain(value):
    return float(value) if isinstance(value, int | float | Decimal) else value


def _same(one, other):
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        one, other = Decimal(one), Decimal(other)  # exact for floats too
        return abs(one - other) <= EXACT * max(1, abs(one))
    return type(one) is type(other) and one == other


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("name", TEXTS)
def test_every_text_answers_the_same(engines, name):
    ours, theirs = (engine.query(name, PARAMETERS).rows() for engine in engines)
    assert differences(name, ours, theirs)[:3] == []
    assert ours, f"{name}: parameters or rows for which it has an answer"


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_the_comparison_sees_a_cell_that_differs(engines):
    rows = engines[1].query("sales_daily", PARAMETERS).rows()
    assert differences("sales_daily", rows, rows) == []
    for column, other in (("fen", rows[3]["fen"] + 1), ("day", None), ("orders", "1")):
        changed = [*rows[:3], rows[3] | {column: other}, *rows[4:]]
        assert [row[:2] for row in differences("sales_daily", rows, changed)] == [(3, column)]
    assert differences("sales_daily", rows, rows[:-1])


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_tables_have_the_declared_types_also_when_they_were_never_loaded(engines, tmp_path):
    root = data_root(tmp_path, tags=[{"tag_id": "'a\\b'", "deleted": True, "created_at": dt.datetime(2026, 1, 2, 3)}])
    with SparkEngine(root, LOCAL) as other, Engine(root) as duckdb:
        assert other.loaded == duckdb.loaded == ("tags",)
        for name in TABLES:
            ours, theirs = (engine.query(f"SELECT * FROM {name}").frame() for engine in (duckdb, other))
            assert list(theirs.columns) == list(ours.columns)
            if name != "tags":
                assert len(theirs) == 0
        same = {"tag": "'a\\b'", "at": dt.datetime(2026, 1, 2, 3), "day": dt.date(2026, 1, 2)}
        text = (
            "SELECT \"tag_id\", 'a\\b''c' AS t, created_at, CAST(1.25 AS DECIMAL(18,2)) AS d FROM tags "
            "WHERE tag_id = :tag AND created_at = :at AND CAST(created_at AS DATE) = :day AND created_at >= :day"
        )
        ours, theirs = (engine.query(text, same | {"unused": 1}) for engine in (duckdb, other))
        assert theirs.columns == ours.columns
        assert theirs.one() == ours.one()
        assert other.query(text, same).arrays()["d"].tolist() == [1.25]
        assert [other.rows(name) for name in ("tags", "orders")] == [1, 0]


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_times_are_not_moved_on_a_desk_in_another_zone(engines, sample):
    code = (
        "import datetime as dt, sys; from planlib.data.spark import SparkEngine\n"
        "with SparkEngine(sys.argv[1], sys.argv[2]) as tables:\n"
        "    text = 'SELECT MIN(paid_at) AS a, COUNT(*) AS n FROM orders WHERE paid_at >= :since'\n"
        "    print(tables.query(text, {'since': dt.datetime(2026, 7, 1)}).one())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(sample), LOCAL], env=os.environ | {"TZ": "Asia/Shanghai"},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = "SELECT MIN(paid_at) AS a, COUNT(*) AS n FROM orders WHERE paid_at >= :since"
    assert done.stdout.strip() == str(engines[0].query(text, {"since": dt.datetime(2026, 7, 1)}).one())


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_a_number_that_does_not_fit_is_an_error_and_no_empty_value(engines):
    from pyspark.errors import PySparkException

    with pytest.raises(PySparkException, match="OVERFLOW"):
        engines[1].query("SELECT CAST(3000000000 AS INTEGER) AS n").rows()


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_the_baseline_is_the_same(engines, sample):
    ours, theirs = (collect(engine, quality=assess(sample)) for engine in engines)
    assert theirs.sums == ours.sums and len(ours.sums) > len(measures()) / 3
    assert (theirs.windows, theirs.reasons, theirs.rows) == (ours.windows, ours.reasons, ours.rows)
    for name, rows in ours.parts.items():
        if name == "leaving":
            assert {c: np.ma.getmaskarray(a).sum() for c, a in rows.items()} == {
                c: np.ma.getmaskarray(a).sum() for c, a in theirs.parts[name].items()
            }
            assert all(np.ma.allequal(theirs.parts[name][column], values) for column, values in rows.items())
        else:
            assert differences(name, rows, theirs.parts[name]) == [], name
    for engine in engines:
        assert period(engine) == (ours.windows.first, ours.windows.as_of)
    keep_all(*engines)


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_the_quality_is_the_same(sample):
    data = load_plan(PLAN, sets=("data.engine=spark", f'data.spark_address="{LOCAL}"')).data
    assert assess(sample, data) == assess(sample)


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_a_test_is_read_out_the_same(engines):
    plan, found = load_plan(PLAN), []
    for engine in engines:
        listed = trials.trials(engine)
        assert len(listed) > 3
        asked = trials.ask(listed[0], plan, as_of=AS_OF, margins={})
        with trials.people_of(engine, asked.trial) as people:
            found.append((listed, people.types, read_out(people, asked.question)))
    (listed, types, ours), (other_listed, other_types, theirs) = found
    assert other_listed == listed and list(other_types) == list(types)
    assert repr(theirs) == repr(ours)


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_answers_come_as_frames(engines):
    text = "SELECT paid_at, order_yuan, order_scene, openid_hid FROM orders ORDER BY order_id"
    ours, theirs = (engine.query(text).frame() for engine in engines)
    assert_frame_equal(theirs, ours)


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_an_answer_kept_again_stands_in_place_of_the_first(engines):
    _, other = engines
    text = "SELECT COUNT(*) AS n FROM sold"
    other.keep("sold", PARAMETERS | {"until": dt.datetime(2020, 1, 1)})
    assert other.query(text).one() == {"n": 0}
    other.keep("sold", PARAMETERS)
    assert other.query(text).one()["n"] > 0
    keep_all(other)


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_a_file_that_spark_does_not_see_is_told(engines, tmp_path):
    root = data_root(tmp_path, tags=[{"tag_id": "a"}])
    for path in (root / "tidy").glob("tags-*.parquet"):
        path.unlink()
    with pytest.raises(ValueError) as error:
        SparkEngine(root, LOCAL)
    assert problem(error) == "spark_no_table"


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_another_master_in_the_same_process_is_told(engines, tmp_path):
    with pytest.raises(ValueError, match=re.escape(LOCAL)) as error:
        SparkEngine(tmp_path, "local[1]")
    assert problem(error) == "spark_other"


# ---- Spark Connect: a server on this machine, the client in a process of its own


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def connect_server(tmp_path_factory):
    """The address of a Spark Connect server."""
    pytest.importorskip("grpc", reason="grpcio is not installed")
    import pyspark

    port, folder = free_port(), tmp_path_factory.mktemp("connect")
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.sql.shuffle.partitions": 4,
        **spark.ALONE,
    }
    submit = Path(pyspark.__file__).parent / "bin" / ("spark-submit.cmd" if os.name == "nt" else "spark-submit")
    command = [str(submit), "--master", LOCAL, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    with open(folder / "log.txt", "w", encoding="utf-8") as log:
        server = subprocess.Popen([*command, "spark-internal"], cwd=folder, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 240
            while time.monotonic() < until and server.poll() is None:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            else:
                pytest.fail((folder / "log.txt").read_text(encoding="utf-8")[-2000:])
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def compare_over_connect(root, address):
    """Print what differs between DuckDB and Spark Connect, text by text; run in a process of its own."""
    with Engine(root) as duckdb, SparkEngine(root, address) as other, SparkEngine(root, address) as second:
        keep_all(duckdb, other)
        for name in TEXTS:
            ours, theirs = (engine.query(name, PARAMETERS).rows() for engine in (duckdb, other))
            for one in differences(name, ours, theirs)[:1]:
                print(name, one)
        with trials.people_of(other, trials.trials(other)[0]) as people:
            print(people.types["unit"], second.rows("orders") == duckdb.rows("orders"))


@pytest.mark.spark
@pytest.mark.timeout(PATIENCE)
def test_spark_connect_answers_the_same(connect_server, sample):
    code = "import sys; from tests.data.test_spark import *; compare_over_connect(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", code, str(sample), connect_server],
        env=os.environ | {"TZ": "Asia/Shanghai"}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "VARCHAR True"), done.stderr[-2000:]
