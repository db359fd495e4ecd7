"""Notebook 41: planted effects and faults of the sample brand, tests no plan lists, a real test, and no data at all."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planlib.core import results as res
from planlib.data.sample import media
from planlib.data.sample.brand import load_brand
from planlib.data.sample.people import make_people, opening_count
from planlib.data.sample.trials import make_trials
from planlib.plan import load_plan
from tests.data.tables import data_root
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "41_experiment_readout"
COOKIE_CATS = ROOT.parent / "shared" / "datasets" / "cookie_cats" / "cookie_cats.csv.gz"
CUSTOMERS, SEED = 20_000, 20_270_101
FIRST = dt.datetime(2026, 3, 2, 9)
SAMPLE, WECHAT, MINIMAL = "params/sample_brand.yaml", "params/wechat_platform.yaml", "tests/plan/minimal.yaml"


def rows(frame: pd.DataFrame) -> list[dict]:
    return frame.to_dict("records")


def sample_tables() -> tuple[dict[str, list[dict]], dict[str, dict]]:
    """Return the experiments of a sample brand as tidy tables, and what is true of them."""
    brand = load_brand()
    plan = media.plan_media(brand, CUSTOMERS - opening_count(brand, CUSTOMERS), SEED)
    people = make_people(brand, CUSTOMERS, plan, SEED)
    tests, given, seen, truth = [], [], [], {}
    start = pd.Timestamp(brand.first_day)
    for trial in make_trials(brand, people, SEED):
        spec, unit = trial.spec, [f"c{k}" for k in trial.customer]
        begins, ends = (start + pd.to_timedelta(x, unit="D") for x in (trial.assigned, trial.measured))
        head = {"exp_id": spec["id"], "unit": "customer", "name": spec["name"], "metric": spec["metric"]}
        tests.append(head | {"start_on": begins.min().date(), "end_on": ends.max().date()})
        arms, planned = np.array(spec["arms"])[trial.arm], np.array(spec["planned"])[trial.arm]
        staff = [people.staff_ids[k].decode() for k in people.staff[trial.customer]]
        frame = {"exp_id": spec["id"], "unit_hid": unit, "variant": arms, "ratio_planned": planned, "block": staff}
        given += rows(pd.DataFrame(frame | {"assigned_at": begins}))
        for metric, values in trial.outcomes.items():
            frame = {"exp_id": spec["id"], "unit_hid": unit, "metric": metric, "value": values.astype(float)}
            seen += rows(pd.DataFrame(frame | {"at": ends}))
        truth[spec["id"]] = {"arms": spec["arms"], **trial.truth}
    return {"experiments": tests, "assignments": given, "outcomes": seen}, truth


def own_tables() -> dict[str, list[dict]]:
    """Tests that no plan lists: friends deleted, people in two arms, still running, one arm, unmeasured, odd names."""
    rng, found = np.random.default_rng(41), {"experiments": [], "assignments": [], "outcomes": [], "follow_edges": []}

    def add(name, *, people=2_000, metric="paid", end=20, arms=("A", "B"), lift=0.0, measured=True, drop=None):
        units = [f"{name}{k}" for k in range(people)]
        arm = rng.permutation(people) % len(arms)
        gone = rng.random(people) < 0.25
        days = [FIRST + dt.timedelta(days=int(k) % 10) for k in range(people)]
        paid = (rng.random(people) < 0.2 + lift * (arm == 1)).astype(float)
        last = (FIRST + dt.timedelta(days=end)).date()
        found["experiments"].append(
            {"exp_id": name, "unit": "customer", "name": f"{name} 测试", "metric": metric, "start_on": FIRST.date(),
             "end_on": last}
        )  # fmt: skip
        for k, unit in enumerate(units):
            found["follow_edges"].append(
                {"external_hid": unit, "staff_id": "s1", "added_at": FIRST, "is_active": not gone[k],
                 "removed_at": FIRST + dt.timedelta(days=15) if gone[k] else None}
            )  # fmt: skip
            if drop == "deleted" and gone[k] and arm[k] == 1:
                continue
            given = {"exp_id": name, "unit_hid": unit, "ratio_planned": 1 / len(arms), "block": f"s{k % 5}"}
            found["assignments"].append(given | {"variant": arms[arm[k]], "assigned_at": days[k]})
            if drop == "twice" and k < 7:
                found["assignments"].append(given | {"variant": arms[1 - arm[k]], "assigned_at": days[k]})
            if measured:
                at = days[k] + dt.timedelta(days=5)
                found["outcomes"].append(
                    {"exp_id": name, "unit_hid": unit, "metric": "paid", "value": paid[k], "at": at}
                )

    add("friends", drop="deleted", lift=0.05)
    add("two_arms", drop="twice")
    add("running", end=60)
    add("one_arm", arms=("A",), people=50)
    add("unmeasured", metric="something_else", people=50)
    add("nothing_yet", measured=False, people=50)
    add("券 1/2", lift=0.12)
    add("nobody", people=40, lift=-0.2)
    for row in found["outcomes"]:
        row["value"] = 0.0 if row["exp_id"] == "nobody" else row["value"]
    return found


def cookie_cats() -> dict[str, list[dict]]:
    with gzip.open(COOKIE_CATS, "rt", encoding="utf-8") as file:
        frame = pd.read_csv(file)
    given = pd.DataFrame({"unit_hid": frame.userid.astype(str), "variant": frame.version})
    given = given.assign(exp_id="cookie_cats", ratio_planned=0.5, block="")
    seen = [
        pd.DataFrame({"unit_hid": given.unit_hid, "metric": name, "value": frame[name].astype(float)})
        for name in ("retention_7", "retention_1", "sum_gamerounds")
    ]
    seen = pd.concat(seen).assign(exp_id="cookie_cats")
    head = {"exp_id": "cookie_cats", "unit": "customer", "name": "Cookie Cats", "metric": "retention_7"}
    return {"experiments": [head], "assignments": rows(given), "outcomes": rows(seen)}


def prepared(folder: Path, name: str, plan: str, data: str, locale: str = "zh") -> list[str]:
    path, root = folder / f"{name}.json", (folder / "data" / data).as_posix()
    change = f"data={{root: '{root}'}}" if plan == MINIMAL else f"data.root={root}"  # it has no section of data
    path.write_text(load_plan(ROOT / plan, sets=(change,)).resolved_json(), encoding="utf-8")
    return [locale, str(path), str(folder / name)]


def run(folder: Path, *wanted: tuple[str, ...]) -> Path:
    arguments = [part for one in wanted for part in prepared(folder, *one)]
    command = [sys.executable, "tests/notebooks/run_cells.py", f"notebooks/{NOTEBOOK}.ipynb", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("readouts")
    tables, truth = sample_tables()
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    data_root(folder / "data" / "sample", **tables)
    (folder / "data" / "sample" / "SAMPLE").write_text("invented", encoding="utf-8")
    own = own_tables()
    data_root(folder / "data" / "own", **own)
    parts = ("experiments", "assignments", "outcomes")
    few = {name: [row for row in own[name] if row["exp_id"] == "券 1/2"] for name in parts}
    data_root(folder / "data" / "few", **few)
    data_root(folder / "data" / "assigned", assignments=own["assignments"])
    return run(
        folder,
        ("sample", SAMPLE, "sample"), ("own", MINIMAL, "own"), ("few", MINIMAL, "few"),
        ("english", MINIMAL, "few", "en"), ("assigned", WECHAT, "assigned"), ("nothing", WECHAT, "nowhere"),
    )  # fmt: skip


def results(runs: Path, name: str) -> dict:
    return res.load(runs / name / NOTEBOOK / "results.json")


def table(runs: Path, name: str, table_id: str) -> list[dict]:
    return res.read_table(runs / name / NOTEBOOK, table_id)


def metrics(runs: Path, name: str) -> dict[str, dict]:
    return {metric["id"]: metric for metric in results(runs, name)["metrics"]}


@pytest.fixture(scope="module")
def truth(runs) -> dict:
    return json.loads((runs / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def decided(runs) -> dict[str, str]:
    return {row["id"]: row["decision"] for row in table(runs, "sample", "readouts")}


def test_every_test_is_read_with_a_page_of_its_own(runs, truth, decided):
    assert set(decided) == set(truth)
    pages = [page["id"] for page in results(runs, "sample")["pages"]]
    assert pages[0] == "readouts" and {f"readout_{name}" for name in truth} <= set(pages)
    assert {page.removeprefix("health_") for page in pages if page.startswith("health_")} == {
        "content_type", "layered_strategy",
    }  # fmt: skip
    assert all(check["status"] == "PASS" for check in results(runs, "sample")["checks"])


def test_planted_effects_are_found_within_their_intervals(runs, truth):
    """The control of pushes is the heavy arm, as the plan has it; of coupons the money is judged, of layers by ITT."""
    told = metrics(runs, "sample")
    planted = {name: one["rate"][1] - one["rate"][0] for name, one in truth.items()}
    planted["push_frequency"] = -planted["push_frequency"]
    planted["layered_strategy"] = truth["layered_strategy"]["effect_by_assignment"]
    money = truth["coupon_size"]["net_margin_42d_cny"]
    arm = next(row["test_en"] for row in table(runs, "sample", "readouts") if row["id"] == "coupon_size")
    planted["coupon_size"] = money[1 if "10" in arm else 2] - money[0]
    for name, effect in planted.items():
        found = told[f"{name}_effect"]
        half = (found["interval"]["high"] - found["interval"]["low"]) / 2
        assert abs(found["value"] - effect) < 1.6 * half, name  # three standard errors


def test_rows_that_were_kept_by_delivery_make_the_test_invalid(runs, decided):
    assert decided["content_type"] == "invalid"
    row = next(row for row in table(runs, "sample", "health") if row["test_en"] == "Text or video")
    assert row["state"] == "fault" and "delivery" in row["cause_en"] and "员" not in row["cause_en"]
    effects = table(runs, "sample", "effects_content_type")
    assert {row["verdict"] for row in effects} == {"void", "unmeasured"}
    assert next(r for r in table(runs, "sample", "readouts") if r["id"] == "content_type")["adopt"] is None


def test_the_employee_who_did_not_confirm_is_named_and_left_out_on_the_side(runs, truth):
    row = next(row for row in table(runs, "sample", "health") if row["test_en"] == "Layered strategy")
    name = truth["layered_strategy"]["unconfirmed_staff"]
    assert row["state"] == "partly" and name in row["cause_zh"] and name in row["cause_en"]
    drawn = {row["label_en"]: row for row in table(runs, "sample", "health_layered_strategy")}
    assert drawn[name]["share"] == 0 and all(row["share"] > 0.3 for label, row in drawn.items() if label != name)
    others = {row["variant"]: row for row in table(runs, "sample", "variants") if row["test_en"] == "Layered strategy"}
    assert others["left_out"]["effect"] > others["as_settled"]["effect"]  # nobody of the rest was missed


def test_a_coupon_that_sells_more_is_judged_by_its_net_margin(runs, decided):
    assert decided["coupon_size"] == "do_not"
    effects = table(runs, "sample", "effects_coupon_size")
    assert {row["role"] for row in effects if "Net margin" in row["metric_en"]} == {"primary"}
    orders = [row for row in effects if row["metric_en"].startswith("Order rate in 14 days")]
    assert [row["verdict"] for row in orders] == ["up", "up"]
    others = {r["variant"]: r["decision"] for r in table(runs, "sample", "variants") if "Coupon" in r["test_en"]}
    assert set(others) == {"as_settled", "registered"}


def test_heavy_pushing_shows_in_the_guardrail(runs):
    opted = [row for row in table(runs, "sample", "effects_push_frequency") if row["metric_en"] == "Opt-out rate"]
    assert opted[0]["verdict"] == "down" and opted[0]["effect"] < -0.05 and opted[0]["role"] == "guardrail"


def test_guardrails_that_nobody_measured_are_listed_without_a_number(runs):
    lost = [row for row in table(runs, "sample", "effects_send_time") if row["verdict"] == "unmeasured"]
    assert [row["metric_en"] for row in lost] == ["Complaint rate"] and lost[0]["effect"] is None


def test_the_effect_is_drawn_by_day_only_where_people_came_on_several(runs):
    charts = {chart["id"] for chart in results(runs, "sample")["charts"]}
    drawn = {name for name in charts if name.startswith("by_day_")}
    assert drawn == {"by_day_welcome_coupon", "by_day_activation_outreach"}
    days = table(runs, "sample", "days_welcome_coupon")
    told = metrics(runs, "sample")
    assert days[-1]["effect"] == pytest.approx(told["welcome_coupon_effect"]["value"], abs=1e-12)
    assert days[-1]["people"] == told["welcome_coupon_people"]["value"]


def test_lifts_of_finished_tests_are_held_against_what_the_plan_expected(runs, decided):
    """Half-width and share by hand from the table of read-outs; what is invalid or still runs predicts nothing."""
    found, told = table(runs, "sample", "hits"), metrics(runs, "sample")
    assert 0 < len(found) < len(decided) and told["hits_n"]["value"] == len(found)
    names = {row["test_en"] for row in table(runs, "sample", "readouts") if row["decision"] == "invalid"}
    assert not names & {row["test_en"] for row in found}
    for row in found:
        assert row["low"] == -row["high"] < -1.96 * 0.05  # wider than the plan's expectation alone
        weight = row["adopt"] / row["lift"]  # prior^2 / (prior^2 + se^2)
        assert row["high"] == pytest.approx(1.96 * 0.05 / weight**0.5)
        assert row["hit"] == ("inside" if abs(row["lift"]) <= row["high"] else "outside")
    inside, n = sum(row["hit"] == "inside" for row in found), len(found)
    z, share = 1.959964, inside / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    assert told["hits"]["value"] == pytest.approx(share)
    assert told["hits_low"]["value"] == pytest.approx(middle - half, abs=1e-6)
    assert told["hits_high"]["value"] == pytest.approx(middle + half, abs=1e-6)
    off = sum(abs(row["lift"] - row["adopt"]) for row in found) / n
    assert told["hits_off"]["value"] == pytest.approx(off)
    for name in ("few", "nothing", "own"):  # no plan expects anything of these
        assert table(runs, name, "hits") == [] and "hits" not in metrics(runs, name)


def test_the_portfolio_has_a_page_where_something_was_predicted(runs):
    pages = {page["id"]: page for page in results(runs, "sample")["pages"]}
    assert pages["readout_portfolio"]["chart"] == "hits"
    found, told = table(runs, "sample", "hits"), metrics(runs, "sample")
    assert told["hits_inside"]["value"] == sum(row["hit"] == "inside" for row in found)
    assert "readout_portfolio" not in {page["id"] for page in results(runs, "few")["pages"]}


def test_results_are_equal_in_either_language_and_say_that_data_are_invented(runs):
    few, english = results(runs, "few"), results(runs, "english")
    assert few | {"plan": 0} == english | {"plan": 0}
    sample = results(runs, "sample")
    assert sample["sample"] and {page["section"] for page in sample["pages"]} == {"readout.section_sample"}
    assert {page["section"] for page in few["pages"]} == {"readout.section"}


def test_without_tables_there_are_no_pages(runs):
    for name in ("nothing", "assigned"):
        found = results(runs, name)
        assert found["pages"] == [] and found["findings"] == [] and found["charts"] == []
        assert found["decision"] == {"id": "no_tests", "reasons": []}
    assert metrics(runs, "assigned")["held"]["value"] == 8


def test_friends_deleted_in_one_arm_are_named_as_the_cause(runs):
    row = next(row for row in table(runs, "own", "health") if row["test_en"].startswith("friends"))
    assert row["state"] == "fault"
    assert ("删好友" in row["cause_zh"], "deleted" in row["cause_en"].lower()) == (True, True)
    assert "everybody assigned" in row["remedy_en"]


def test_people_in_two_arms_make_a_test_invalid(runs):
    by_id = {row["id"]: row for row in table(runs, "own", "readouts")}
    assert by_id["two_arms"]["decision"] == "invalid"
    row = next(row for row in table(runs, "own", "health") if row["test_en"].startswith("two_arms"))
    assert row["twice"] == 7 and row["state"] == "fault"


def test_tests_of_no_plan_are_read_under_any_name(runs):
    by_id = {row["id"]: row for row in table(runs, "own", "readouts")}
    assert by_id["券 1/2"]["test_zh"].startswith("券 1/2 测试") and by_id["券 1/2"]["effect"] > 0.05
    assert set(by_id) == {"friends", "two_arms", "running", "券 1/2", "nobody"}  # the others cannot be read
    assert metrics(runs, "own")["n_not_read"]["value"] == 3


def test_a_test_in_which_nobody_converts_is_no_number(runs):
    by_id = {row["id"]: row for row in table(runs, "own", "readouts")}
    assert by_id["nobody"]["decision"] != "ship" and by_id["nobody"]["adopt"] is None
    (effect, *_) = table(runs, "own", "effects_nobody")
    assert effect["p"] is None and effect["verdict"] in ("unknown", "open", "void")


def test_a_test_that_still_runs_is_not_said_to_be_complete(runs):
    by_id = {row["id"]: row for row in table(runs, "own", "readouts")}
    assert by_id["running"]["decision"] == "continue"
    assert by_id["running"]["low"] < table(runs, "own", "days_running")[-1]["effect"] < by_id["running"]["high"]


def test_pages_are_traced_alike_and_in_style(runs):
    for locale in ("zh", "en"):
        assert untraced_numbers(runs / "sample", locale) == []
        assert style_problems(runs / "sample", locale) == []
        assert style_problems(runs / "own", locale) == []
    assert different_numbers(runs / "sample") == []


@pytest.mark.skipif(not COOKIE_CATS.is_file(), reason="the table of the Cookie Cats test is not on this machine")
def test_the_real_test_gives_the_published_figures(tmp_path):
    data_root(tmp_path / "data" / "cats", **cookie_cats())
    run(tmp_path, ("cats", WECHAT, "cats"))
    levels = {row["metric_en"]: row for row in table(tmp_path, "cats", "levels_cookie_cats")}
    shares = {
        name: (round(100 * row["control"], 2), round(100 * row["treatment"], 2))
        for name, row in levels.items() if row["verdict"] != "unmeasured"
    }  # fmt: skip
    assert shares["retention_7"] == (19.02, 18.20) and shares["retention_1"] == (44.82, 44.23)
    effects = {row["metric_en"]: row for row in table(tmp_path, "cats", "effects_cookie_cats")}
    assert effects["retention_7"]["p"] == pytest.approx(0.00155, abs=5e-6)
    told = metrics(tmp_path, "cats")
    assert told["cookie_cats_split_p"]["value"] == pytest.approx(0.0086, abs=5e-5)
    (health,) = table(tmp_path, "cats", "health")
    assert health["state"] == "watch" and health["people"] == 90_189
    (row,) = table(tmp_path, "cats", "readouts")
    assert row["decision"] == "do_not" and row["adopt"] is not None and row["adopt"] < 0
