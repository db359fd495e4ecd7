"""Declarations agree with each other, with the words, and with the pages made from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from planlib.core.words import words
from planlib.data import protection, shape, store
from planlib.data.engine import Engine, statement, to_duckdb
from planlib.data.fields import KINDS
from planlib.data.ids import salt
from planlib.data.schema import LINEAGE, TABLES
from planlib.data.sheet import kinds, label
from planlib.data.sources import SOURCES, yaml_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_page_on_personal_data_is_current(locale):
    made = (ROOT / "docs" / protection.PAGES[locale]).read_text(encoding="utf-8")
    assert made == protection.page(locale), "run python -m planlib.data.protection"


def test_every_id_is_declared_personal():
    ids = {(t.name, c.name) for t in TABLES.values() for c in t.columns if c.name.endswith("_hid")}
    personal = {(t.name, name) for t in TABLES.values() for name in t.personal}
    assert ids <= personal


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_tables_are_sound(table):
    names = [c.name for c in table.columns]
    assert len(names) == len(set(names)) and names[-3:] == [*LINEAGE]
    assert set(table.key) <= set(names)
    for column in (table.day, table.ends):
        assert column is None or table.column(column).kind.sql in ("DATE", "TIMESTAMP")
    assert all(not table.column(name).nullable for name in table.key)
    for locale in ("zh", "en"):
        assert words(locale).has(f"data.tables.{table.name}")


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda s: s.name)
def test_sources_fill_columns_that_exist(source):
    for out in source.outs:
        table = TABLES[out.table]
        assert {*out.fields, *out.computed} <= {c.name for c in table.columns} - {*LINEAGE}
        assert {f.kind for f in [*out.fields.values(), *out.helps.values()]} <= KINDS
        filled = {*out.fields, *out.computed, *LINEAGE}
        assert [c.name for c in table.columns if not c.nullable and c.name not in filled] == []
        assert shape.rows_sql(source, out, shape.Staged("x"))


@pytest.mark.parametrize("source", [s for s in SOURCES.values() if s.sheet], ids=lambda s: s.name)
def test_headers_name_the_columns_of_sheets(source):
    heads = yaml_of("headers")[source.name]
    assert set(heads) == set(kinds(source.name))
    assert source.keys <= set(heads)
    labels = [label(word) for column in heads.values() for word in column]
    assert len(labels) == len(set(labels)), "a word names two columns"


def test_ids_in_tidy_columns_come_hashed():
    for source in SOURCES.values():
        for out in source.outs:
            for column, field in out.fields.items():
                if column in TABLES[out.table].personal and column not in ("gender", "consent_status"):
                    assert field.kind == "id" or field.path == "@none", (source.name, column)


# ---- engine


def test_tables_never_loaded_are_empty(tmp_path):
    with Engine(tmp_path) as engine:
        assert engine.loaded == ()
        for table in TABLES.values():
            answer = engine.query(f"SELECT * FROM {table.name}")
            assert list(answer.columns) == [c.name for c in table.columns] and answer.rows() == []


def test_answers_in_every_form(good_root):
    sql = "SELECT order_id, order_yuan, paid_at FROM orders WHERE order_yuan > :least ORDER BY order_id"
    with Engine(good_root) as engine:
        assert [row["order_id"] for row in engine.query(sql, {"least": 1, "unused": 2}).rows()] == ["3704", "T1"]
        assert engine.query(sql, {"least": 300}).one()["order_id"] == "T1"
        assert engine.query(sql, {"least": 1}).arrays()["order_yuan"].tolist() == [238.0, 1238.5]
        assert engine.query(sql, {"least": 1}).frame()["order_yuan"].sum() == 1476.5
        with pytest.raises(ValueError):
            engine.query(sql, {"least": 1}).one()


def test_the_engine_reaches_no_network(tmp_path):
    with Engine(tmp_path) as engine:
        setting = "SELECT value FROM duckdb_settings() WHERE name = :name"
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert engine.query(setting, {"name": name}).one()["value"] == "false"


def test_memory_that_does_not_do_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("planlib.data.engine.MEMORY_LIMIT", "20MB")
    large = "SELECT SUM(n) AS n FROM (SELECT i, COUNT(*) AS n, LIST(i) AS l FROM range(3000000) t(i) GROUP BY i) g"
    with Engine(tmp_path, threads=1) as engine:
        engine._db.execute("SET temp_directory = ''")
        for ask in (engine.query, lambda text: engine.hand_over(text, "made")):
            with pytest.raises(ValueError, match=r"19\.0 MiB of memory") as error:
                ask(large)
            assert [problem.code for problem in error.value.problems] == ["tables_too_large"]
            assert error.value.render("zh")
    with Engine(tmp_path, threads=1, memory_gb=2) as engine:
        assert engine.query(large).one() == {"n": 3_000_000}


def test_texts_by_name():
    assert "consent_status" in statement("contactable")
    with pytest.raises(KeyError):
        statement("no_such_text")


def test_parameters_are_told_from_what_looks_like_them():
    text = "SELECT a::INT, ':b', \":c\" FROM t WHERE d = {}e -- :f"
    assert to_duckdb(text.format(":")) == text.format("$")


def test_a_broken_salt_is_told(tmp_path):
    (tmp_path / store.SALT).write_text("short", encoding="ascii")
    with pytest.raises(ValueError) as error:
        salt(tmp_path)
    assert error.value.problems[0].code == "data_salt"


def test_a_salt_is_made_once(tmp_path):
    assert salt(tmp_path) == salt(tmp_path)
