"""Measured levels go into a plan with their source, or nowhere."""

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from planlib.core import results as res
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.plan import load_plan
from planlib.plan.decide import verify_log
from planlib.workbook.adopt import adopt

ROOT = Path(__file__).resolve().parents[2]
DAY = dt.date(2027, 2, 1)


def level(metric, value, unit, *, interval=None, reason=None):
    band = interval and {"low": interval[0], "high": interval[1], "level": 0.95}
    return {"id": metric, "metric": metric, "value": value, "unit": unit, "n": value and 900, "interval": band,
            "method": "wilson", "month": None, "reason": reason}  # fmt: skip


LEVELS = (
    level("churn_rate", 0.081, "ratio", interval=(0.07, 0.09)),
    level("aov", 195.5, "CNY_per_order", interval=(188.0, 203.0)),
    level("private_domain_users", 48_210.0, "users"),
    level("retention_d7", 0.55, "ratio", interval=(0.5, 0.6)),
    level("retention_m1", 0.35, "ratio", interval=(0.3, 0.4)),
    level("conversion_rate", None, "ratio", reason="no_rows"),
    level("cac", 18.0, "CNY_per_user", interval=(15.0, 21.0)),
)


@pytest.fixture
def plan(tmp_path):
    shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", tmp_path / "minimal.yaml")
    return tmp_path / "minimal.yaml"


@pytest.fixture
def run(tmp_path):
    """Write a run's results and return what calls take."""

    def write(levels=LEVELS, plan_id="minimal", **more):
        folder = tmp_path / "out" / plan_id / "20270131T020000000Z-1f3a2b"
        content = {key: [] for key in ("inputs", "checks", "findings", "tables", "charts", "pages")}
        content |= {"schema": 1, "notebook": "10_baseline", "seed": 1, "as_of": "2027-01-31", "metrics": list(levels)}
        content |= {"plan": {"id": plan_id}, "decision": None, "versions": {}} | more
        res.write(folder / "10_baseline" / "results.json", content)
        (folder / "manifest.json").write_text("{}", encoding="utf-8")
        return folder

    return write


def take(plan, folder, *ids, sample=False, locale="en"):
    said = []
    adopt(str(plan), str(folder), ids, words(locale), out_root=folder.parent.parent, owner=None, sample=sample, day=DAY,
          write=said.append)  # fmt: skip
    return said


def test_levels_stand_in_the_plan_with_source_and_reading(plan, run):
    take(plan, run(), "churn_rate", "aov", "private_domain_users")
    found = load_plan(plan)
    assert (found.users.churn.value, found.users.churn.period, found.users.churn.source) == (0.081, "month", "adopted")
    assert found.users.churn.kind == "measured"
    assert (found.baseline.aov.value, found.baseline.opening_users.value) == (195.5, 48_210)
    assert "7.0% to 9.0%" in found.users.churn.why.en and "2027-01-31" in found.users.churn.why.zh
    untouched = load_plan(ROOT / "tests" / "plan" / "minimal.yaml")
    assert found.users.waking == untouched.users.waking


def test_a_distribution_gives_way_to_the_measured_value(plan, run):
    text = plan.read_text(encoding="utf-8")
    before = "aov: {value: 120, source: assumption, why: a round number}"
    assert before in text
    after = "aov: {dist: pert, low: 100, mode: 120, high: 150, source: assumption, why: a guess}"
    plan.write_text(text.replace(before, after), encoding="utf-8")
    take(plan, run(), "aov")
    assert load_plan(plan).baseline.aov.dist is None and load_plan(plan).baseline.aov.value == 195.5


def test_points_of_the_retention_curve_are_adopted_together(plan, run):
    take(plan, run(), "retention_d7", "retention_m1")
    found = load_plan(plan).users.retention
    assert dict(found.points) == {"d7": 0.55, "m1": 0.35} and found.source == "adopted" and found.curve == "power"


def test_every_level_is_a_line_of_the_log(plan, run):
    take(plan, run(), "churn_rate", "aov")
    take(plan, run(), "churn_rate")
    log = plan.with_name("minimal.decisions.jsonl")
    assert verify_log(log) == 3
    first = json.loads(log.read_text(encoding="utf-8").splitlines()[0])
    told = {"kind": "level", "place": "users.churn", "value": 0.081, "date": "2027-02-01"}
    assert told.items() <= first.items()
    assert first["run"].startswith("20270131") and first["interval"]["low"] == 0.07


def test_a_later_level_replaces_an_earlier_one_and_leaves_decisions(plan, run):
    adopted = plan.with_name("minimal.adopted.yaml")
    old = "users:\n  churn: {value: 0.2, period: year, source: adopted, why: old, note: old}\n"
    adopted.write_text(old, encoding="utf-8")
    take(plan, run(), "churn_rate")
    found = load_plan(plan).users.churn
    assert (found.value, found.period, found.note) == (0.081, "month", None)


def codes(caught):
    return [(problem.code, problem.given) for problem in caught.value.problems]


def nothing_written(plan):
    return not list(plan.parent.glob("minimal.*.*l"))


def test_what_cannot_be_adopted_is_told_at_once_and_nothing_is_written(plan, run):
    folder = run()
    with pytest.raises(InputError) as caught:
        take(plan, folder, "aov", "churn", "cac", "conversion_rate", "reactivation_rate")
    assert codes(caught) == [("not_adoptable", "churn"), ("not_adoptable", "cac"), ("not_measured", None),
                             ("not_measured", None)]  # fmt: skip
    assert nothing_written(plan)
    assert "no_rows" in str(caught.value)


def test_a_run_of_another_plan_is_refused(plan, run):
    with pytest.raises(InputError) as caught:
        take(plan, run(plan_id="spring"), "aov")
    assert codes(caught) == [("other_plan", "spring")] and nothing_written(plan)


def test_sample_levels_need_to_be_asked_for_and_say_so(plan, run):
    folder = run(sample=True)
    with pytest.raises(InputError) as caught:
        take(plan, folder, "aov")
    assert codes(caught) == [("sample_level", None)] and nothing_written(plan)
    take(plan, folder, "aov", sample=True)
    assert "示例" in load_plan(plan).baseline.aov.why.zh and "sample" in load_plan(plan).baseline.aov.why.en


def test_a_level_that_the_plan_cannot_have_is_refused(plan, run):
    with pytest.raises(InputError) as caught:
        take(plan, run([level("churn_rate", 1.2, "ratio")]), "churn_rate")
    assert codes(caught)[0][0] == "rate_range" and nothing_written(plan)
    with pytest.raises(InputError) as caught:
        take(plan, run([level("retention_m1", 0.7, "ratio", interval=(0.6, 0.8))]), "retention_m1")
    assert codes(caught)[0][0] == "not_falling" and nothing_written(plan)


def test_a_damaged_log_is_not_written_to(plan, run):
    log = plan.with_name("minimal.decisions.jsonl")
    log.write_text('{"kind": "level"}\n', encoding="utf-8")
    with pytest.raises(InputError):
        take(plan, run(), "aov")
    assert not plan.with_name("minimal.adopted.yaml").exists()


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_what_was_done_is_said(plan, run, locale):
    said = take(plan, run(), "churn_rate", locale=locale)
    assert "8.1%" in said[0] and "users.churn" in said[0] and "minimal.adopted.yaml" in said[-1]
