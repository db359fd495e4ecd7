"""Notebooks of one's own: how they join, what is refused in one message, and that the shipped ones run all the same."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planlib.core import results as res
from planlib.core.words import words
from planlib.report.deck import build_deck, read_run
from planlib.workbook.context import Book
from planlib.workbook.graph import read_graph
from planlib.workbook.outcome import OwnRefused
from planlib.workbook.own_book import OwnBook, OwnError, own
from planlib.workbook.progress import lines
from planlib.workbook.runner import run
from tests.workbook.small_workbook import SmallPlan, write_notebook, write_workbook

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "own" / "channel_mix.ipynb"


def write_own(
    root: Path, name: str, matter: str | None, code: str = "", *, kind: str = "raw", records: str = ""
) -> Path:
    """Write notebooks/own/NAME.ipynb, which records under its id and has the front matter as its first cell."""
    path = write_notebook(root, f"own/{name}", code)
    content = json.loads(path.read_text(encoding="utf-8").replace(f"own/{name}", records or name))
    if matter is not None:
        first = {"cell_type": kind, "id": "matter", "metadata": {}, "source": f"---\n{matter}\n---"}
        content["cells"].insert(0, first)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path):
    write_workbook(tmp_path, {"10_first": [], "20_second": ["10_first"]})
    return tmp_path


@pytest.mark.parametrize("kind", ["raw", "markdown"])
def test_a_line_of_front_matter_joins_the_run_behind_the_shipped(project, kind):
    write_own(project, "mine", "id: mine\ntitle: Member day\nneeds: [20_second]", kind=kind)
    graph = read_graph(project)
    assert graph.ids == ("10_first", "20_second", "mine") and graph.refused == ()
    mine = graph["mine"]
    assert mine.own and dict(mine.title) == {"zh": "Member day", "en": "Member day"}
    assert graph.upstream("mine") == {"10_first", "20_second"}


def test_a_title_stands_in_one_language_or_both(project):
    write_own(project, "a", "id: a\ntitle: {zh: 会员日}")
    write_own(project, "b", "id: b\ntitle: {zh: 会员日, en: Member day}\nquestion: Why")
    graph = read_graph(project)
    assert [dict(graph[name].title) for name in "ab"] == [
        {"zh": "会员日", "en": "会员日"}, {"zh": "会员日", "en": "Member day"}]  # fmt: skip


@pytest.mark.parametrize(
    ("matter", "code"),
    [
        (None, "own_front_matter"), ("[]", "own_front_matter"), ("id: [", "yaml_indent"), ("title: A", "missing"),
        ("id: a b\ntitle: A", "notebook_id"), ("id: mine", "missing"),
        ("id: mine\ntitle: A\nspeed: 1", "unknown_key_far"),
        ("id: 10_first\ntitle: A", "duplicate_id"), ("id: other\ntitle: A", "duplicate_id"),
        ("id: mine\ntitle: A\nneeds: [30_none]", "choice"), ("id: mine\ntitle: A\nneeds: [mine]", "needs_cycle"),
        ("id: mine\ntitle: ''", "not_mapping"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_is_one_message_and_the_others_stand(project, matter, code):
    write_own(project, "a_other", "id: other\ntitle: Other")
    write_own(project, "mine", matter)
    graph = read_graph(project)
    assert [p.code for p in graph.refused] == [code]
    assert graph.ids == ("10_first", "20_second", "other")
    assert graph.refused[0].file == "notebooks/own/mine.ipynb"
    for locale in ("zh", "en"):
        assert "mine.ipynb" in "\n".join(lines(OwnRefused(graph.refused), words(locale)))


def test_an_unreadable_file_and_a_circle_of_two_are_told(project):
    (project / "notebooks" / "own").mkdir()
    (project / "notebooks" / "own" / "broken.ipynb").write_text('{"cells": [', encoding="utf-8")
    write_own(project, "p", "id: p\ntitle: P\nneeds: [q]")
    write_own(project, "q", "id: q\ntitle: Q\nneeds: [p]")
    found = {p.file.rpartition("/")[2]: p.code for p in read_graph(project).refused}
    assert found == {"broken.ipynb": "own_unreadable", "p.ipynb": "needs_cycle", "q.ipynb": "choice"}


def test_one_that_raises_never_stops_the_shipped(tmp_path):
    project = tmp_path
    write_workbook(project, {"10_first": []})
    write_own(project, "boom", "id: boom\ntitle: Boom", "raise ValueError('no such column')")
    write_own(project, "after", "id: after\ntitle: After\nneeds: [boom]")
    write_own(project, "bare", None)
    told = []
    outcome = run(SmallPlan(), project_root=project, out_root=project / "out", jobs=1, progress=told.append)
    assert outcome.ok
    assert {s.notebook: s.status for s in outcome.steps} == {
        "10_first": "done", "boom": "failed", "after": "skipped"}  # fmt: skip
    folders = {path.parent.name for path in outcome.run_dir.glob("*/results.json")}
    assert folders == {"10_first"}
    said = [line for event in told for line in lines(event, words("en"))]
    assert sum(line.strip().startswith("ValueError: no such column") for line in said) == 1
    assert sum("bare.ipynb" in line for line in said) == 1
    assert (project / "out" / "small" / "latest").read_text(encoding="utf-8").strip() == outcome.run_id


# ---- pages


@pytest.fixture
def out(tmp_path, monkeypatch):
    """A folder with the results of the notebook that the example needs."""
    monkeypatch.chdir(ROOT)
    plan_file = ROOT / "tests" / "plan" / "minimal.yaml"
    first = own("20_funnel_targets", plan_file=str(plan_file), out_dir=str(tmp_path), locale="en")
    Book.metric(first, "users_end", 81_234.0, "users", method="count")
    first.done()
    return tmp_path


def record(out: Path, name: str = "mine", locale: str = "en") -> OwnBook:
    return own(name, plan_file="tests/plan/minimal.yaml", out_dir=str(out), locale=locale)


TABLE = pd.DataFrame({"channel": [{"zh": "门店", "en": "Stores"}, {"zh": "广告", "en": "Ads"}], "share": [0.25, 0.75]})


def test_a_page_in_the_authors_words_takes_its_numbers_from_results(out):
    mine = record(out)
    mine.metric("largest", 0.75, "ratio")
    mine.page("Ads bring {largest}", TABLE, {"zh": "先保住 {largest} 的来源"}, units={"share": "ratio"},
              heads={"channel": {"zh": "渠道", "en": "Channel"}})  # fmt: skip
    mine.done()
    page = {
        locale: next(p for p in build_deck(read_run(out), locale).content["pages"] if p["id"] == "mine.page_1")
        for locale in ("zh", "en")
    }
    assert page["en"]["heading"] == "Ads bring 75.0%" == page["zh"]["heading"]
    assert page["en"]["reading"]["lines"] == ["先保住 75.0% 的来源"]
    table = page["zh"]["blocks"][0]
    assert [column["head"] for column in table["columns"]] == ["渠道", "share"]
    assert [[cell["text"] for cell in row] for row in table["rows"]] == [["门店", "25.0%"], ["广告", "75.0%"]]


@pytest.mark.parametrize(
    ("title", "shown", "code"),
    [
        ("", TABLE, "own_no_title"), (None, TABLE, "own_no_title"), ({"fr": "x"}, TABLE, "own_no_title"),
        ("A", pd.DataFrame({"x": [1.0, np.nan]}), "own_nan"), ("A", pd.DataFrame({"x": [np.inf]}), "own_nan"),
        ("A", pd.DataFrame({"x": range(5000)}), "own_table_size"), ("A", pd.DataFrame(), "own_table_size"),
        ("A", pd.DataFrame([range(40)]), "own_table_size"), ("A", [1, 2], "own_not_shown"),
        ("Ads bring 75%", TABLE, "literal_number"), ("Ads bring 75.0%", TABLE, "literal_known"),
        ("Ads bring {larges}", TABLE, "reference_unknown"), ("Ads bring {largest", TABLE, "reference_form"),
        ("{30_budget_allocation.total}", TABLE, "reference_missing"),
    ],
)  # fmt: skip
def test_a_wrong_page_is_one_message_at_its_cell(out, title, shown, code):
    mine = record(out, locale="zh")
    mine.metric("largest", 0.75, "ratio")
    with pytest.raises(OwnError) as error:
        mine.page(title, shown)
    assert [p.code for p in error.value.problems] == [code]
    assert "允许" in str(error.value)
    if code == "literal_known":
        assert "{mine.largest}" in str(error.value)


def test_the_example_of_the_docs_runs_and_makes_its_pages(out, monkeypatch):
    content = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in content["cells"])
    folder = out / "project"
    write_workbook(folder, {"20_funnel_targets": []})
    (folder / "notebooks" / "own").mkdir()
    (folder / "notebooks" / "own" / EXAMPLE.name).write_bytes(EXAMPLE.read_bytes())
    assert read_graph(folder).ids == ("20_funnel_targets", "channel_mix")
    monkeypatch.chdir(folder)
    scope = {}
    for cell in content["cells"]:
        if cell["cell_type"] == "code" and cell["metadata"].get("tags") != ["parameters"]:
            exec("".join(cell["source"]), scope)
        elif cell["cell_type"] == "code":
            scope = {"plan_file": str(ROOT / "tests/plan/minimal.yaml"), "out_dir": str(out), "locale": "zh", "seed": 1}
    found = res.load(out / "channel_mix" / "results.json")
    assert [page["id"] for page in found["pages"]] == ["page_1", "page_2"]
    assert [m["id"] for m in found["metrics"]] == ["paid", "largest", "20_funnel_targets.users_end"]
    titles = [
        p["heading"] for p in build_deck(read_run(out), "en").content["pages"] if p["id"].startswith("channel_mix")
    ]
    assert titles == ["Paid channels bring 29.4% of new users, of whom 81.2k are there at the end",
                      "New users a month by channel"]  # fmt: skip
