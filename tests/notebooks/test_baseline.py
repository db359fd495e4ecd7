"""Notebook 10 with data: whole, in part, short, of the sample brand; without any it is the measurement plan."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest

from planlib.core import results as res
from planlib.data.load import load
from planlib.plan import load_plan
from planlib.report.deck import make_decks
from tests.data.hand_made import GOOD, put
from tests.data.small_brand import FIRST, Brand
from tests.data.tables import data_root
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "10_baseline"
PAGES = ("scorecard", "retention", "funnel", "dormancy", "stores", "missing", "quality")
PLANS = ("params/wechat_platform.yaml", "params/private_domain_2026.yaml", "tests/plan/minimal.yaml")


def more_tables():
    """Groups of two owners, articles, spot checks of stores: what the small brand itself has not."""
    days = [FIRST + dt.timedelta(days=d) for d in range(275, 365)]
    groups = [
        {"date": day, "owner_id": owner, "groups_total": 3, "members_total": 300, "new_members": 1,
         "members_active": 60 - (d // 3 if owner == "quiet" else d % 3)}
        for d, day in enumerate(days) for owner in ("quiet", "lively")
    ]  # fmt: skip
    articles = [
        {"msgid": f"a{i}", "stat_date": day + dt.timedelta(days=5), "ref_date": day, "api": "2025",
         "title": f"文章 {i}", "is_cumulative": True, "read_users": 900 + i, "like_users": 40, "comments": 5,
         "share_users": 9 + i}
        for i, day in enumerate(days[:70:7])
    ]  # fmt: skip
    checks = [
        {"audit_kind": "sop", "subject_hid": f"{s}-{c}", "item": "sop", "correct": c % 10 < (9 if s < 3 else 4),
         "checked_at": dt.datetime(2026, 6, 1), "store_id": f"store{s}", "region_id": f"r{s % 2}"}
        for s in range(6) for c in range(3 if s == 5 else 60)
    ]  # fmt: skip
    return {"group_daily": groups, "oa_articles": articles, "audits": checks}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run the notebook over several data folders; return where each left its results."""
    folder = tmp_path_factory.mktemp("baseline")
    whole = Brand(11).tables() | more_tables()
    late = dt.datetime(2026, 12, 11)
    short = {name: [r for r in whole[name] if r["at"] > late] for name in ("touches",)}
    parts = {
        "whole": whole,
        "orders": {"orders": whole["orders"]},
        "people": {"follow_edges": whole["follow_edges"]},
        "checks": {"audits": whole["audits"]},
        "groups": {"group_daily": [row for row in whole["group_daily"] if row["date"].day % 10]},  # 81 of 90 days
        "short": {"follow_edges": whole["follow_edges"], "id_map": whole["id_map"], **short},
    }
    arguments = []
    for name, tables in parts.items():
        data_root(folder / "data" / name, **tables)
        arguments += _run(folder, name, PLANS[0], name)
    (folder / "data" / "sample").mkdir()
    data_root(folder / "data" / "sample", **whole)
    (folder / "data" / "sample" / "SAMPLE").write_text("invented", encoding="utf-8")
    arguments += _run(folder, "sample", PLANS[0], "sample")
    for name, content in GOOD.items():
        put(folder / "data" / "loaded", name, content)
    assert not load(folder / "data" / "loaded").aside
    arguments += _run(folder, "loaded", PLANS[0], "loaded")
    arguments += _run(folder, "english", PLANS[0], "whole", locale="en")
    for i, plan in enumerate(PLANS[1:]):
        arguments += _run(folder, f"plan{i}", plan, "whole")
    arguments += _run(folder, "nothing", PLANS[0], "nowhere")
    command = [sys.executable, "tests/notebooks/run_cells.py", f"notebooks/{NOTEBOOK}.ipynb", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _run(folder, name, plan, data, locale="zh"):
    path = folder / f"{name}.json"
    root = (folder / "data" / data).as_posix()
    change = f"data={{root: '{root}'}}" if "minimal" in plan else f"data.root={root}"  # it has no section of data
    path.write_text(load_plan(ROOT / plan, sets=(change,)).resolved_json(), encoding="utf-8")
    return [locale, path, folder / name]


def results(runs, name):
    return res.load(runs / name / NOTEBOOK / "results.json")


def test_with_data_every_page_is_there(runs):
    found = results(runs, "whole")
    assert [page["id"] for page in found["pages"]] == [f"baseline_{name}" for name in PAGES]
    assert all(check["status"] == "PASS" for check in found["checks"]) and len(found["checks"]) == 6
    assert found["as_of"] == "2026-12-31"


def test_every_target_is_measured_or_says_why_not(runs):
    for name, plan in (("whole", PLANS[0]), ("plan0", PLANS[1]), ("nothing", PLANS[0])):
        told = {metric["id"]: metric for metric in results(runs, name)["metrics"]}
        for target in load_plan(ROOT / plan).targets:
            metric = told[target.metric]
            assert (metric["value"] is None) == bool(metric["reason"])


def test_without_data_it_is_the_measurement_plan_by_effect(runs):
    found = results(runs, "nothing")
    assert [page["id"] for page in found["pages"]] == ["baseline_missing"]
    assert found["inputs"] == [] and found["decision"]["id"] == "collect_data"
    rows = res.read_table(runs / "nothing" / NOTEBOOK, "missing")
    known = [row["effect"] for row in rows if row["effect"] is not None]
    assert known == sorted(known, reverse=True) and known[0] > 0.05
    assert rows[0]["effect"] is not None and all(row["export"] and row["owner"] for row in rows)
    assert {row["metric"] for row in rows} >= {target.metric for target in load_plan(ROOT / PLANS[0]).targets}


def test_tables_that_lack_days_are_named_for_the_stamp(runs):
    assert results(runs, "groups")["incomplete"] == {"group_daily": pytest.approx(81 / 90)}
    assert "incomplete" not in results(runs, "whole")


@pytest.mark.parametrize("name, measured, open_because", [
    ("orders", "aov", {"mau_rate": "no_rows", "conversion_rate": "no_rows"}),
    ("people", "private_domain_users", {"mau_rate": "no_rows", "aov": "no_rows"}),
    ("checks", None, {"aov": "no_rows"}),
    ("groups", "communities", {"mau_rate": "no_rows"}),
    ("short", "private_domain_users", {"dormant_share": "history_too_short", "retention_m1": "history_too_short"}),
])  # fmt: skip
def test_part_of_the_data_tells_its_part(runs, name, measured, open_because):
    told = {metric["id"]: metric for metric in results(runs, name)["metrics"]}
    assert measured is None or told[measured]["value"] is not None
    for metric, reason in open_because.items():
        if metric in told:
            assert (told[metric]["value"], told[metric]["reason"]) == (None, reason)


def test_the_files_read_are_listed_with_their_hash(runs):
    inputs = results(runs, "whole")["inputs"]
    files = sorted((runs / "data" / "whole" / "tidy").glob("*.parquet"))
    assert [Path(row["file"]).name for row in inputs] == sorted(path.name for path in files)
    for row in inputs:
        assert row["sha256"] == hashlib.sha256(Path(row["file"]).read_bytes()).hexdigest() and row["rows"] > 0


def test_results_are_equal_in_either_language(runs):
    whole, english = results(runs, "whole"), results(runs, "english")
    assert whole | {"plan": 0} == english | {"plan": 0}


def test_pages_on_sample_data_say_so_and_others_do_not(runs):
    sample, own = results(runs, "sample"), results(runs, "whole")
    assert sample["sample"] and "sample" not in own
    for page, same in zip(sample["pages"], own["pages"], strict=True):
        assert page["source"] == {"text": "baseline.source_sample"}
        assert same["section"] == "baseline.section" and same["source"] == {"text": "baseline.source_own"}


def test_a_community_that_falls_silent_is_flagged(runs):
    rows = res.read_table(runs / "whole" / NOTEBOOK, "communities_by_owner")
    assert {row["owner_code"]: row["phase"] for row in rows} == {"quiet": "less_interaction", "lively": "healthy"}


def test_the_store_with_three_checks_is_drawn_towards_its_region(runs):
    rows = res.read_table(runs / "whole" / NOTEBOOK, "stores")
    few, same = (next(row for row in rows if row["store"] == f"store{s}") for s in (5, 1))
    assert (few["checks"], few["raw"]) == (3, 1.0) and few["region"] == same["region"]
    assert 1.0 - few["pooled"] > 2 * abs(same["raw"] - same["pooled"])


def test_no_raw_id_reaches_a_result_or_a_page(runs):
    """From raw files to pages: the ids that the raw files hold stand nowhere."""
    run = runs / "loaded"
    assert results(runs, "loaded")["inputs"]
    pages = make_decks(run, notebooks=[NOTEBOOK])
    told = [page.extract_text() for path in pages for page in pypdf.PdfReader(path).pages]
    told += [path.read_text(encoding="utf-8") for kind in ("json", "svg") for path in run.rglob(f"*.{kind}")]
    raw = [path.read_bytes().decode(errors="ignore") for path in (runs / "data" / "loaded" / "raw").rglob("*.*")
           if path.is_file()]  # fmt: skip
    for secret in ("wmA", "oUnionA", "oOpenA", "zhangsan"):
        assert any(secret in content for content in raw)
        assert not any(secret in content for content in told)


def test_small_groups_show_no_figures(runs):
    for row in res.read_table(runs / "whole" / NOTEBOOK, "organisation"):
        assert row["listed"] is None or row["listed"] >= 10 or row["listed"] == 0


@pytest.mark.parametrize("name", ["whole", "nothing"])
def test_pages_are_traced_alike_and_in_style(runs, name):
    run = runs / name
    for locale in ("zh", "en"):
        assert untraced_numbers(run, locale) == []
        assert style_problems(run, locale) == []
    assert different_numbers(run) == []
