"""Notebook 60: the sample brand, a plan without terms, odd brands of a few people, and no data at all."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from planlib import customer_tables, valuing
from planlib.core import results as res
from planlib.data import baseline as data
from planlib.data.engine import Engine
from planlib.data.load import load
from planlib.data.sample import write_sample
from planlib.plan import load_plan
from tests.data.tables import data_root
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "60_customer_value"
SAMPLE, WECHAT, MINIMAL = "params/sample_brand.yaml", "params/wechat_platform.yaml", "tests/plan/minimal.yaml"
FIRST, LAST = dt.datetime(2026, 1, 1, 9), dt.datetime(2026, 12, 31, 9)
PAGES = ("segments", "grid", "tiers", "lifetime", "leaves", "asks", "buys", "cycles", "pushes", "lists")


def brand(people: int, orders) -> dict[str, list[dict]]:
    """Return a brand of a few contacts of one employee; `orders(k)` gives (day, yuan, refund) of contact k."""
    known = [f"x{k:03d}" for k in range(people)]
    bought = [(k, order) for k in range(people) for order in orders(k)]
    return {
        "follow_edges": [
            {"external_hid": x, "staff_id": "s1", "added_at": FIRST + dt.timedelta(days=k % 60), "is_active": True}
            for k, x in enumerate(known)
        ],
        "customers": [{"external_hid": x, "n_followers": 1, "consent_status": "granted"} for x in known],
        "id_map": [{"person_hid": f"p{x}", "external_hid": x, "openid_hid": f"o{x}"} for x in known],
        "touches": [
            {"person_hid": f"p{x}", "at": at, "touch_type": "browse"} for x in known[:3] for at in (FIRST, LAST)
        ],
        "orders": [
            {"order_id": f"d{i}", "created_at": at, "paid_at": at, "status": 100, "openid_hid": f"ox{k:03d}",
             "order_yuan": yuan, "refund_yuan": back}
            for i, (k, (day, yuan, back)) in enumerate(bought)
            for at in (FIRST + dt.timedelta(days=day),)
        ],
    }  # fmt: skip


ODD = {
    "no_orders": brand(40, lambda k: []),
    "one_purchase": brand(40, lambda k: [(70 + k, 100.0, 0.0)]),
    "one_day": brand(40, lambda k: [(100, 100.0, 0.0), (100, 50.0, 0.0)]),
    "refunded": brand(40, lambda k: [(70 + k, 100.0, 130.0)]),
    "one_customer": brand(1, lambda k: [(70, 100.0, 0.0)]),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("customers")
    write_sample(folder / "sample", customers=5_000, seed=7)
    load(folder / "sample")
    for name, tables in ODD.items():
        data_root(folder / name, **tables)
    arguments = []
    for name, plan, root_name, locale in (
        ("zh", SAMPLE, "sample", "zh"), ("en", SAMPLE, "sample", "en"), ("nothing", WECHAT, "nowhere", "zh"),
        ("no_terms", MINIMAL, "no_orders", "en"), *((name, SAMPLE, name, "zh") for name in ODD),
    ):  # fmt: skip
        path, root = folder / f"{name}.json", (folder / root_name).as_posix()
        change = f"data={{root: '{root}'}}" if plan == MINIMAL else f"data.root={root}"
        path.write_text(load_plan(ROOT / plan, sets=(change,)).resolved_json(), encoding="utf-8")
        arguments += [locale, path, folder / "out" / name]
    command = [sys.executable, "tests/notebooks/run_cells.py", f"notebooks/{NOTEBOOK}.ipynb", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "out"


def results(runs, name):
    return res.load(runs / name / NOTEBOOK / "results.json")


def table(runs, name, table_id):
    return res.read_table(runs / name / NOTEBOOK, table_id)


def value(found, metric):
    return res.metric(found, metric)["value"]


def test_every_page_of_the_sample_brand_is_there_and_either_language_says_the_same(runs):
    found = results(runs, "zh")
    assert [page["id"] for page in found["pages"]] == [f"customer_{name}" for name in PAGES[:2]] + [
        "customer_tiers", "customer_lifetime", "customer_leaves", "customer_asks", "customer_buys", "customer_cycles",
        "customer_pushes", "customer_lists",
    ]  # fmt: skip
    other = results(runs, "en")
    assert {k: v for k, v in found.items() if k != "plan"} == {k: v for k, v in other.items() if k != "plan"}


def test_every_customer_has_one_class_of_each_kind(runs):
    found = results(runs, "zh")
    for table_id, count in (("segments", "customers"), ("grid", "customers"), ("tiers", "members")):
        people = [row[count] for row in table(runs, "zh", table_id)]
        assert None in people or sum(people) == value(found, "listed")  # small groups are hidden


def test_what_is_planted_is_found(runs):
    found = results(runs, "zh")
    assert value(found, "buys_top_lift") > 3  # buyers are those who act: far likelier than the rest
    assert 25 < value(found, "shortest_cycle") < 37  # the refill of thirty days
    assert value(found, "push_growth") > 1 and value(found, "fatigue_cap_per_week") < value(found, "push_limit")
    assert value(found, "ask_recall") == pytest.approx(0.923, abs=5e-4)
    lines = [value(found, f"line_{k}") for k in range(3)]
    assert lines == pytest.approx([680, 1_224, 1_360])


def test_planted_segments_show_in_those_that_are_found(runs):
    """The planted core customers buy more than twice as often as the others: key customers hold more of them."""
    folder = runs.parent / "sample"
    with Engine(folder) as tables:
        days = data.period(tables)
        now = customer_tables.at(tables, data.Windows(days[1], days[0]))
        rows = tables.query("SELECT external_hid, MAX(tag_name) AS tag FROM customer_tags GROUP BY external_hid").rows()
    listed = now.where(now.listed)
    found = valuing.segment(listed, None, {})
    tag = {row["external_hid"]: row["tag"] for row in rows}
    core = np.array([tag.get(hid) == "高价值" for hid in listed.external_hid])
    key = np.char.startswith(found.segmented.names.astype(str), "key")
    assert key.sum() > 50 and core[key].mean() > 1.4 * core[~key].mean()


def test_lists_hold_hashed_ids_once_and_reasons_that_have_words(runs):
    for row in table(runs, "zh", "lists"):
        lines = table(runs, "zh", f"list_{row['list']}")
        ids = [line["external_hid"] for line in lines]
        assert len(ids) == len(set(ids)) == row["customers"]
        assert all(len(x) == 24 for x in ids) and all(line["staff_id"] for line in lines)
        assert [line["rank"] for line in lines] == list(range(1, len(lines) + 1))


def test_without_data_only_what_the_goal_asks_stands(runs):
    found = results(runs, "nothing")
    assert [page["id"] for page in found["pages"]] == ["customer_asks"] and found["decision"]["id"] == "collect_data"


@pytest.mark.parametrize("name", [*ODD, "no_terms"])
def test_odd_brands_get_reasons_and_no_money_out_of_nothing(runs, name):
    found = results(runs, name)
    told = {metric["id"] for metric in found["metrics"]}
    assert "value_total" not in told and "leaves_net" not in told
    assert all(check["status"] == "PASS" for check in found["checks"])
    rows = table(runs, name, "segments")
    assert len(rows) == 8
    assert not {"churn", "purchase"} & {row["list"] for row in table(runs, name, "lists")}


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_number_of_a_page_is_a_result_and_style_is_kept(runs, locale):
    run = runs / "zh"
    assert untraced_numbers(run, locale) == [] and style_problems(run, locale) == []


def test_both_languages_carry_the_same_numbers(runs):
    assert different_numbers(runs / "zh") == []
