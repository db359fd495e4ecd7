"""The results file: whole or absent, finite, and readable in both languages."""

import datetime as dt
import json
import os

import numpy as np
import pandas as pd
import pytest

from planlib.core import results
from planlib.core.errors import InputError
from planlib.core.words import words

EMPTY = {
    "schema": 1, "notebook": "20_funnel_targets", "seed": 7, "as_of": "2027-01-01", "plan": {"id": "w"}, "inputs": [],
    "metrics": [], "checks": [], "findings": [], "tables": [], "charts": [], "pages": [], "decision": None,
    "versions": {},
}  # fmt: skip


def test_round_trip(tmp_path):
    path = tmp_path / "输出 目录" / "20_funnel_targets" / "results.json"
    content = EMPTY | {"metrics": [{"id": "users_m12", "value": 395_209.123456789, "unit": "users"}], "seed": 2**32 - 1}
    results.write(path, content)
    assert results.load(path) == content
    assert results.metric(content, "users_m12")["value"] == 395_209.123456789
    with pytest.raises(KeyError, match="20_funnel_targets"):
        results.metric(content, "users_m13")


def test_same_content_gives_the_same_bytes(tmp_path):
    results.write(tmp_path / "a.json", EMPTY)
    results.write(tmp_path / "b.json", dict(reversed(EMPTY.items())))
    first = (tmp_path / "a.json").read_bytes()
    assert first == (tmp_path / "b.json").read_bytes()
    assert b"\r" not in first
    assert first.endswith(b"}\n")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_must_be_finite(tmp_path, bad):
    with pytest.raises(ValueError, match="JSON"):
        results.write(tmp_path / "results.json", EMPTY | {"metrics": [{"id": "x", "value": bad}]})
    assert list(tmp_path.iterdir()) == []


def test_fields_of_the_schema_must_be_there(tmp_path):
    with pytest.raises(ValueError, match=r"\['checks'\]"):
        results.write(tmp_path / "results.json", {k: v for k, v in EMPTY.items() if k != "checks"})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    results.write(path, EMPTY)
    before = path.read_bytes()

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        results.write(path, EMPTY | {"seed": 8})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "bad_results"),
        (b"\xff\xfe", "bad_results"),
        (b"[]", "bad_results"),
        (b'"text"', "bad_results"),
        (json.dumps(EMPTY | {"schema": 2}).encode(), "bad_results"),
        (json.dumps({k: v for k, v in EMPTY.items() if k != "pages"}).encode(), "bad_results"),
    ],
)
def test_bad_files_are_told(tmp_path, content, code):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        results.load(path)
    assert [p.code for p in caught.value.problems] == [code]
    assert "results.json" in caught.value.render("zh")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError) as caught:
            results.load(path)
        assert caught.value.problems[0].code == "no_results"


def test_text_takes_its_numbers_from_the_metrics():
    found = EMPTY | {
        "metrics": [
            {"id": "gap", "value": -0.036, "unit": "points", "signed": True},
            {"id": "none", "value": None, "unit": "users", "reason": "no_data"},
        ]
    }
    for locale, gap in (("zh", "−3.6 个百分点"), ("en", "−3.6 points")):
        w = words(locale)
        assert results.text(w, found, {"text": "units.days", "values": {"n": "gap"}}).startswith(gap)
        assert results.text(w, found, {"text": "units.days", "values": {"n": "none"}}).startswith("—")
    zh, en = words("zh"), words("en")
    kinds = [
        ({"words": "status.on_track"}, "可达", "on track"),
        ({"bilingual": {"zh": "甲", "en": "A"}}, "甲", "A"),
        ({"date": "2027-02-01"}, "2027-02-01", "1 February 2027"),
        ({"month_date": "2027-02"}, "2027-02", "Feb 2027"),
    ]
    for value, in_zh, in_en in kinds:
        ref = {"text": "units.days", "values": {"n": value}}
        assert results.text(zh, found, ref) == f"{in_zh} 天"
        assert results.text(en, found, ref) == f"{in_en} days"
    for bad in ("unknown_metric", {"other": 1}):
        with pytest.raises(KeyError):
            results.text(en, found, {"text": "units.days", "values": {"n": bad}})


def test_text_is_strict_about_placeholders():
    assert results.text(words("en"), EMPTY, {"text": "status.on_track"}) == "on track"
    with pytest.raises(KeyError):
        results.text(words("en"), EMPTY, {"text": "units.days"})


def test_tables_come_back_as_written(tmp_path):
    folder = tmp_path / "输出 [v2]" / "it's 20_funnel"
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "名称": ["公众号", None],
            "share": [0.1 + 0.2, np.nan],
            "n": [2**53 + 1, 3],
            "day": [dt.date(2027, 1, 1), dt.date(2028, 2, 29)],
            "open": [True, False],
        },
        index=[5, 9],
    )
    results.write_table(folder / "tables" / "t.parquet", frame)
    assert results.read_table(folder, "t") == [
        {"id": "a", "名称": "公众号", "share": 0.1 + 0.2, "n": 2**53 + 1, "day": dt.date(2027, 1, 1), "open": True},
        {"id": "b", "名称": None, "share": None, "n": 3, "day": dt.date(2028, 2, 29), "open": False},
    ]


def test_tables_repeat_byte_for_byte(tmp_path):
    frame = pd.DataFrame({"x": np.arange(5_000) / 7})
    for name in ("a", "b"):
        results.write_table(tmp_path / f"{name}.parquet", frame)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_empty_table_stays_a_table(tmp_path):
    results.write_table(tmp_path / "tables" / "none.parquet", pd.DataFrame({"x": pd.Series([], dtype=float)}))
    assert results.read_table(tmp_path, "none") == []
