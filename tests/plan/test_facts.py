"""All 538 facts of the two documents have their place, with the same numbers."""

import runpy
from pathlib import Path

import pytest

from planlib.core.metrics import catalogue
from planlib.plan.model import Milestone, Role, Scheme, Stage, Statement

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "requirements" / "facts.yaml"
PAGE = runpy.run_path(str(HERE / "make_facts_page.py"))

FACTS = PAGE["rows"]("facts.csv")
REASONS = {row["fact_id"]: row for row in PAGE["rows"]("uncomputed.csv")}
QUOTED = ("case", "statistic", "benchmark")
PLANNED = ("target", "band", "sla", "stage", "milestone", "headcount", "threshold")
OPERATIONS = {"=": "equals", "<": "below", "<=": "at_most", ">": "above", ">=": "at_least"}
# units of the documents -> what the catalogue calls them
UNITS = {"fraction": "ratio", "points": "score", "degrees": "none", "standard_no": "none"}


@pytest.fixture(scope="module")
def places():
    return PAGE["places"]()


def level(fact):
    """The stated number or numbers; None where the statement has none."""
    numbers = tuple(float(part) for part in f"{fact['low']} {fact['high']}".split())
    return None if not numbers else numbers if len(numbers) > 1 else numbers[0]


def whole(text):
    return int(text) if text else None


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["id"])
def test_a_fact_stands_where_it_belongs_as_it_was_stated(fact, places):
    found = places.get(fact["id"], [])
    if fact["id"] in REASONS:
        assert not found
        assert fact["kind"] not in PLANNED
        assert REASONS[fact["id"]]["reason_en"].strip()
        assert REASONS[fact["id"]]["reason_zh"].strip()
        return
    assert len(found) == 1, f"{fact['id']} stands in {found or 'no file'}"
    ((file, place, row),) = found
    own_plan = {"W": "wechat_platform.yaml", "P": "private_domain_2026.yaml"}[fact["seed"]]
    assert file == ("benchmarks.yaml" if fact["kind"] in QUOTED else own_plan)
    assert row.source == fact["seed"] + fact["section"]
    if fact["kind"] == "baseline":
        assert place.startswith("baseline.quoted.")
    if fact["kind"] == "target":
        assert place.startswith("targets.")
    for compare, kind in COMPARISONS.items():
        if isinstance(row, kind):
            compare(fact, row)
            return
    pytest.fail(f"{place} is a {type(row).__name__}")


def same_statement(fact, row):
    assert row.metric == fact["metric"]
    assert row.level == level(fact)
    stated = level(fact)
    assert row.operation == (
        None if stated is None else "between" if isinstance(stated, tuple) else OPERATIONS[fact["op"]]
    )
    if stated is not None:
        assert (row.unit or catalogue()[row.metric].unit) == UNITS.get(fact["unit"], fact["unit"])
    assert row.by_month == whole(fact["by_month"])
    assert row.year == whole(fact["year"])
    assert row.from_value == (float(fact["from_value"]) if fact["from_value"] else None)
    assert (row.scope or "") == fact["scope"]
    assert (row.stage or "") == fact["stage"]


def same_scheme(fact, row):
    assert row.metric == fact["metric"]
    assert row.open_ended == (fact["op"] == ">=")
    if fact["unit"] == "count":
        assert row.classes == level(fact)
    else:
        assert row.cuts == {fact["unit"]: level(fact)}


def same_role(fact, row):
    assert row.people == level(fact)
    assert (fact["unit"] == "people") == (row.people is not None)


def same_stage(fact, row):
    if fact["unit"] == "month_range":
        assert row.months == level(fact)
        assert row.months[1] == whole(fact["by_month"])
    elif fact["unit"] == "count":
        assert row.months is None
        assert len(row.contains) == level(fact)


def same_milestone(fact, row):
    assert row.metric == fact["metric"]
    assert (fact["op"], fact["unit"]) == ("<=", "months")
    assert row.by_month == level(fact) == whole(fact["by_month"])
    assert row.year == whole(fact["year"])


COMPARISONS = {
    same_statement: Statement, same_scheme: Scheme, same_role: Role, same_stage: Stage, same_milestone: Milestone,
}  # fmt: skip


def test_there_are_538_and_each_once():
    ids = [fact["id"] for fact in FACTS]
    assert len(ids) == len(set(ids)) == 538
    assert set(REASONS) < set(ids)
    assert sum(fact["kind"] in QUOTED for fact in FACTS) == 251


def test_nothing_quoted_from_elsewhere_is_in_a_plan_and_no_row_is_made_up(places):
    kinds = {fact["id"]: fact["kind"] for fact in FACTS}
    for fact_id, found in places.items():
        for file, place, row in found:
            if file == "benchmarks.yaml" and place.startswith("sector"):  # of new plans: judgement, and marked so
                assert row.source == "assumption", fact_id
                continue
            assert file != "benchmarks.yaml" or kinds.get(fact_id) in QUOTED, fact_id
            if fact_id in kinds:
                assert (file == "benchmarks.yaml") == (kinds[fact_id] in QUOTED), fact_id


def test_places_are_those_of_the_files(places):
    from planlib.plan.tree import reach, read

    params = HERE.parents[1] / "params"
    trees = {name: read(params / name, name) for name in (*PAGE["PLANS"], PAGE["BENCHMARKS"])}
    for fact_id in (fact["id"] for fact in FACTS if fact["id"] not in REASONS):
        ((file, place, _),) = places[fact_id]
        node = reach(trees[file], place)
        assert node is not None, place
        assert fact_id in (node.step(name) and node.step(name).value for name in ("id", "statement")), place


def test_every_quoted_figure_is_named_in_both_languages(places):
    for fact_id, ((_, _, row),) in ((f["id"], places[f["id"]]) for f in FACTS if f["kind"] in QUOTED):
        assert row.name.zh, fact_id
        assert row.name.en, fact_id
    names = [places[f["id"]][0][2].name for f in FACTS if f["kind"] in QUOTED]
    assert len({name.zh for name in names}) == len({name.en for name in names}) == len(names)


def test_the_page_is_current():
    assert PAGE["PAGE"].read_text(encoding="utf-8") == PAGE["page"](), "run: python tests/plan/make_facts_page.py"


@pytest.mark.skipif(not SHARED.is_file(), reason="the list of facts that the project was built from is not here")
def test_the_copy_is_true():
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = yaml.load(SHARED.read_text(encoding="utf-8"), Loader=loader)
    assert [fact["id"] for fact in source] == [fact["id"] for fact in FACTS]
    for theirs, ours in zip(source, FACTS, strict=True):
        value = tuple(theirs["value"]) if isinstance(theirs["value"], list) else theirs["value"]
        assert level(ours) == value, ours["id"]
        for name in ("seed", "section", "kind", "metric", "op", "unit", "scope", "zh", "en"):
            assert ours[name] == (theirs[name] or ""), (ours["id"], name)
        assert ours["stage"] == (theirs["lifecycle_stage"] or "")
        for name in ("by_month", "year"):
            assert whole(ours[name]) == theirs.get(name), (ours["id"], name)
        assert (float(ours["from_value"]) if ours["from_value"] else None) == theirs.get("from_value"), ours["id"]
