"""The metric catalogue: every entry well formed, every link sound, every name there in both languages."""

import csv
import subprocess
import sys
import unicodedata
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
import yaml

from planlib.core import metrics as m
from planlib.core.errors import InputError
from planlib.core.words import LOCALES, words

CATALOGUE = m.catalogue()
ROOT = Path(__file__).resolve().parents[2]
FACTS = ROOT / "tests" / "plan" / "facts.csv"
ROOMS = {"baseline", "funnel", "budget", "experiments", "milestones", "customers", "outlook", "review"}
SIDES = ("numerator", "denominator")

# the documents' units: what is no level of the metric, and what the catalogue calls otherwise
CHANGES = {"relative_change", "multiple"}
OTHER_NAMES = {"fraction": "ratio", "month_range": "month", "points": "score", "per_stage": "months"}


def _entries(section):
    text = (resources.files("planlib.core") / "metrics.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[section]


def _names(locale):
    text = (resources.files("planlib") / "locale" / locale / "metrics.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def _named(metric, side):
    stated = getattr(metric, side)
    return ((stated,) if stated else ()) + getattr(metric, f"{side}_readings")


def _edges(kind):
    return {metric.id: set(metric.links.get(kind, ())) for metric in CATALOGUE.values()}


def _circles(edges):
    """Return the ids that can be reached from themselves."""
    found = set()
    for start in edges:
        seen, to_do = set(), list(edges[start])
        while to_do:
            at = to_do.pop()
            if at not in seen:
                seen.add(at)
                to_do += edges.get(at, ())
        if start in seen:
            found.add(start)
    return found


# ---- entries


def test_a_metric_is_what_its_entry_says():
    churn = CATALOGUE["churn_rate"]
    assert (churn.unit, churn.kind, churn.domain, churn.role, churn.window) == ("ratio", "rate", (0, 1), "driver", None)
    assert (churn.numerator, churn.denominator) == ("churned_users", "private_domain_users")
    assert (churn.from_state, churn.state, churn.direction) == ("listed", "left", "down")
    assert CATALOGUE["nps"].domain == (-100, 100)
    assert CATALOGUE["aov_levers"].stage == "revenue"
    assert CATALOGUE["attribution"].kind == "qualitative"


@pytest.mark.parametrize("section", ["metrics", "counted_lists", "stated_rules", "denominators"])
def test_no_id_stands_twice(section):
    """YAML would keep the second entry in silence."""
    text = (resources.files("planlib.core") / "metrics.yaml").read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node = next(value for key, value in root.value if key.value == section)
    counts = Counter(key.value for key, _ in node.value)
    assert max(counts.values()) == 1


def test_sections_and_vocabularies_do_not_overlap():
    sections = [_entries(name) for name in ("metrics", "counted_lists", "stated_rules", "denominators", "numerators")]
    assert max(Counter(key for section in sections for key in section).values()) == 1


def test_words_of_every_entry_are_known():
    families, populations = _entries("families"), _entries("populations")
    states = set(m.states()) | {part for parts in m.states().values() for part in parts}
    for metric in CATALOGUE.values():
        assert metric.unit in m.UNITS, metric.id
        assert metric.kind in m.KINDS, metric.id
        assert metric.direction in m.DIRECTIONS, metric.id
        assert metric.role in m.ROLES, metric.id
        assert metric.stage in (None, *m.STAGES), metric.id
        assert metric.family in (None, *families), metric.id
        assert metric.population in (None, *populations), metric.id
        assert metric.axis in (None, *m.axes()), metric.id
        assert {metric.state, metric.from_state} <= states | {None}, metric.id
        assert {room.partition(".")[0] for room in metric.required_by} <= ROOMS, metric.id
        assert metric.window is None or (isinstance(metric.window, int) and metric.window > 0), metric.id


def test_declared_words_are_all_used():
    metrics = CATALOGUE.values()
    families = Counter(metric.family for metric in metrics if metric.family)
    assert set(families) == set(_entries("families"))
    assert min(families.values()) >= 2, "one metric is no family"
    assert {metric.population for metric in metrics} - {None} == set(_entries("populations"))
    assert {metric.axis for metric in metrics} - {None} == set(m.axes())
    used = {base for metric in metrics for side in SIDES for base in _named(metric, side)}
    used |= {base.of for base in m.bases("denominators").values()}
    assert set(m.bases("denominators")) | set(m.bases("numerators")) <= used


def test_every_numerator_and_denominator_is_a_metric_or_declared():
    below = set(CATALOGUE) | set(m.bases("denominators"))
    above = below | set(m.bases("numerators"))
    for metric in CATALOGUE.values():
        for side, known in (("numerator", above), ("denominator", below)):
            named = _named(metric, side)
            assert set(named) <= known, (metric.id, side)
            assert len(named) == len(set(named)), f"{metric.id}: a reading repeats what is stated"
            assert metric.id not in named, metric.id
        assert metric.divided or not _named(metric, "numerator"), f"{metric.id}: over what?"
    for base in m.bases("denominators").values():
        assert base.of is None or base.of in below
        assert base.less is None or (base.of and CATALOGUE[base.less].unit == "ratio")


def test_a_share_says_what_it_is_a_share_of():
    """Three give no hint at all; every other one states its two parts, or what they may be."""
    silent = {
        metric.id
        for metric in CATALOGUE.values()
        if metric.unit == "ratio" and not (_named(metric, "numerator") and _named(metric, "denominator"))
    }
    assert silent == {"reach_precision", "prediction_accuracy", "capability_fit_step"}


def test_domains_lie_inside_the_units():
    for metric in CATALOGUE.values():
        low, high = metric.domain
        assert low is None or high is None or low < high, metric.id
        explicit = metric.domain != m.UNITS[metric.unit]
        free = {"ratio", "multiple", "score", "CNY", "CNY_per_user", "users_per_month"}
        assert not explicit or metric.unit in free, metric.id


def test_kinds_fit_units():
    units = {kind: {metric.unit for metric in CATALOGUE.values() if metric.kind == kind} for kind in m.KINDS}
    assert units["date"] == {"month", "year"}
    durations = "milliseconds seconds minutes hours days weeks months hours_per_week"
    assert units["duration"] == set(durations.split())
    assert {unit.partition("_per_")[0] for unit in units["money"]} == {"CNY"}
    assert units["qualitative"] == {"none"}


def test_no_two_metrics_mean_the_same():
    keys = Counter(
        (
            *(getattr(metric, name) for name in ("unit", "kind", "numerator", "denominator", "window", "population")),
            *(metric.numerator_readings, metric.denominator_readings, metric.state, metric.from_state),
        )
        for metric in CATALOGUE.values()
        if metric.numerator and metric.kind != "score"
    )
    assert [key for key, n in keys.items() if n > 1] == []


# ---- links


def test_links_lead_to_metrics():
    for metric in CATALOGUE.values():
        assert set(metric.links) <= set(m.LINKS), metric.id
        for kind, targets in metric.links.items():
            assert targets, (metric.id, kind)
            assert set(targets) <= set(CATALOGUE) - {metric.id}, (metric.id, kind)
            assert len(targets) == len(set(targets)), (metric.id, kind)


def test_a_stock_is_fed_by_flows_and_drained_by_flows_or_its_own_rates():
    for metric in CATALOGUE.values():
        for kind in ("inflow", "outflow"):
            for target in metric.links.get(kind, ()):
                other = CATALOGUE[target]
                assert metric.kind == "stock", metric.id
                assert other.kind == "flow" or (kind == "outflow" and other.kind == "rate"), (metric.id, target)
                if other.kind == "flow":
                    assert other.unit.partition("_per_")[0] == metric.unit, (metric.id, target)
                else:  # a rate of the stock itself, or of the whole that it is a part of
                    assert other.denominator in (metric.id, *metric.links.get("part_of", ())), (metric.id, target)
                if metric.state and kind == "inflow":
                    assert other.state in (metric.state, "listed"), (metric.id, target)


def test_complements_are_mutual_shares():
    for metric in CATALOGUE.values():
        for target in metric.links.get("complement_of", ()):
            other = CATALOGUE[target]
            assert metric.id in other.links.get("complement_of", ()), f"{target} does not know {metric.id}"
            assert metric.domain == other.domain == (0, 1)
            assert {metric.direction, other.direction} == {"up", "down"}, (metric.id, target)


def test_parts_split_one_whole_along_their_axis():
    for metric in CATALOGUE.values():
        wholes = metric.links.get("part_of", ())
        assert not wholes or metric.axis, f"{metric.id}: a part along which axis?"
        for whole in wholes:
            assert metric.additive and CATALOGUE[whole].additive, (metric.id, whole)
            assert metric.unit.partition("_per_")[0] == CATALOGUE[whole].unit.partition("_per_")[0]
            if m.axes()[metric.axis]:
                assert len(m.parts(whole, metric.axis)) >= 2, f"{whole} has one part along {metric.axis}"


def test_a_share_stands_on_the_axis_of_its_numerator():
    for metric in CATALOGUE.values():
        above = CATALOGUE.get(metric.numerator)
        if above is not None and above.axis and metric.unit == "ratio" and metric.denominator in above.links["part_of"]:
            assert metric.axis == above.axis, metric.id


def test_what_is_contained_has_the_unit_of_what_contains_it():
    for metric in CATALOGUE.values():
        for target in metric.links.get("subset_of", ()):
            assert metric.unit == CATALOGUE[target].unit, (metric.id, target)


@pytest.mark.parametrize("kinds", [("subset_of", "part_of"), ("product_of",)])
def test_links_do_not_run_in_circles(kinds):
    edges = {metric_id: set().union(*(_edges(kind)[metric_id] for kind in kinds)) for metric_id in CATALOGUE}
    assert _circles(edges) == set()


def test_a_deadline_is_a_month_of_an_outcome():
    due = {metric.id: metric.links["deadline_of"] for metric in CATALOGUE.values() if "deadline_of" in metric.links}
    assert set(due) == {"user_growth_goal_month", "conversion_goal_month", "roi_goal_month"}
    for month, goals in due.items():
        assert (CATALOGUE[month].kind, CATALOGUE[month].unit) == ("date", "month")
        assert {CATALOGUE[goal].role for goal in goals} == {"outcome"}


def test_products_are_not_said_twice():
    """A rate says already that its numerator is its denominator times the rate."""
    for metric_id in CATALOGUE:
        ways = [frozenset(way) for way in m.products(metric_id)]
        assert len(ways) == len(set(ways)), metric_id


def test_states_split_without_overlap():
    parts = [part for parts in m.states().values() for part in parts]
    assert len(parts) == len(set(parts))
    assert m.states()["joined"] == ("listed", "left")


# ---- what general rules rely on (the chain from intake to GMV share)


def test_user_chain_for_rules():
    users, retention = CATALOGUE["private_domain_users"], CATALOGUE["retention_m1"]
    assert (users.links["inflow"], users.links["outflow"]) == (("new_users_monthly",), ("churn_rate",))
    assert CATALOGUE["new_users_monthly"].stage == "acquisition"
    assert (retention.state, CATALOGUE["churn_rate"].state) == ("active", "left")
    assert retention.denominator is None
    assert {"churn_rate", "dormancy_rate"} == set(retention.links["complement_of"])
    moves = {(CATALOGUE[i].from_state, CATALOGUE[i].state) for i in ("retention_m1", "reactivation_rate", "churn_rate")}
    assert moves == {("active", "active"), ("dormant", "active"), ("listed", "left")}
    assert CATALOGUE["user_growth_goal_month"].links["deadline_of"] == ("private_domain_users",)


def test_gmv_unfolds_into_users():
    assert m.products("gmv") == (("orders", "aov"), ("company_gmv", "gmv_share"))
    assert m.parts("gmv", "purchase") == ("gmv_new", "gmv_repeat")
    assert m.products("gmv_repeat") == (("repeat_buyers", "orders_per_repeat_buyer", "aov"),)
    assert ("buyers_to_date", "repurchase_rate") in m.products("repeat_buyers")
    assert ("new_users_monthly", "conversion_rate") in m.products("new_buyers")


def test_budget_unfolds_by_cost_type():
    assert m.axes()["cost_type"] and not m.axes()["purpose"]
    assert m.parts("budget_total", "cost_type") == (
        "labour_budget", "tech_budget", "marketing_budget", "operating_budget",
    )  # fmt: skip
    assert m.products("labour_budget") == (
        ("budget_total", "labour_budget_share"), ("gmv", "labour_share_of_gmv"), ("team_size", "labour_cost_per_head"),
    )  # fmt: skip
    assert m.products("acquisition_spend", readings=True) == (
        ("new_users", "cac"), ("paid_new_users", "cac"), ("paid_new_users", "paid_cac"),
        ("new_buyers", "cac_per_buyer"),
    )  # fmt: skip


@pytest.mark.parametrize("metric_id", ["cac", "conversion_rate", "activation_rate", "complaint_rate", "roi", "ltv"])
def test_unstated_denominators_stay_open(metric_id):
    assert CATALOGUE[metric_id].denominator is None
    assert len(CATALOGUE[metric_id].denominator_readings) >= 2


def test_totals_add_up_and_averages_do_not():
    added = {metric.id for metric in CATALOGUE.values() if metric.additive}
    assert {"team_size", "new_users_monthly", "gmv", "budget_total"} <= added
    assert not {"cac", "aov", "mau_rate", "users_per_operator", "response_time"} & added


# ---- asking


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(InputError) as caught:
        m.metric("mau_rat")
    (problem,) = caught.value.problems
    assert (problem.code, problem.given) == ("unknown_metric", "mau_rat")
    assert problem.values["nearest"].split(", ")[0] == "mau_rate"
    assert "mau_rate" in caught.value.render("zh")
    with pytest.raises(InputError) as caught:
        m.metric("conversion")
    assert len(caught.value.problems[0].values["nearest"].split(", ")) == 3
    assert m.metric("mau_rate") is CATALOGUE["mau_rate"]


@pytest.mark.parametrize("nonsense", ["", "\n{evil}", "zzzzzz", "客单价"])
def test_nonsense_is_refused_all_the_same(nonsense):
    with pytest.raises(InputError) as caught:
        m.metric(nonsense)
    assert caught.value.problems[0].values["nearest"] in CATALOGUE
    assert "did you mean" in str(caught.value)


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        CATALOGUE["mau_rate"] = None
    with pytest.raises(TypeError):
        CATALOGUE["mau_rate"].links["part_of"] = ("gmv",)
    with pytest.raises(AttributeError):
        CATALOGUE["mau_rate"].unit = "users"
    assert len({CATALOGUE["mau_rate"], CATALOGUE["gmv"]}) == 2


def test_importing_reads_nothing():
    code = (
        "import planlib.core.metrics as m, sys; assert 'yaml' not in sys.modules; assert not m._metrics.cache_info()[3]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- names


@pytest.mark.parametrize(("locale", "longest"), [("zh", 14), ("en", 40)])
def test_every_metric_has_a_short_name_of_its_own(locale, longest):
    w = words(locale)
    names = {metric_id: w.metric(metric_id) for metric_id in CATALOGUE}
    assert {i: name for i, name in names.items() if not 0 < len(name) <= longest} == {}
    assert [name for name, n in Counter(names.values()).items() if n > 1] == []
    assert [name for name in names.values() if name != name.strip() or "|" in name] == []


def test_english_names_are_sentence_case():
    acronyms = {"GMV", "ROI", "SOP", "AI", "SMART", "A/B"}
    for metric_id in CATALOGUE:
        first, *rest = words("en").metric(metric_id).split()
        assert first[0].isupper() or first[0].isdigit(), metric_id
        assert [word for word in rest if word[0].isupper() and word not in acronyms] == [], metric_id


def test_chinese_names_use_chinese_signs():
    for key, name in _names("zh").items():
        if not key.startswith("doc_"):
            assert any(unicodedata.name(c, "").startswith("CJK") for c in name) or name == "ROI", key
            assert not set(name) & set("(),;:"), key


@pytest.mark.parametrize("locale", LOCALES)
def test_every_word_of_the_catalogue_is_named_and_no_other(locale):
    states = set(m.states()) | {part for parts in m.states().values() for part in parts}
    groups = {
        "numerator": m.bases("numerators"), "denominator": m.bases("denominators"), "state": states, "axis": m.axes(),
        "population": _entries("populations"), "family": _entries("families"), "stage": m.STAGES, "role": m.ROLES,
        "direction": m.DIRECTIONS, "link": m.LINKS,
    }  # fmt: skip
    wanted = set(CATALOGUE) | {f"{group}_{word}" for group, found in groups.items() for word in found}
    names = _names(locale)
    assert {key for key in names if not key.startswith("doc_")} == wanted
    assert all(isinstance(name, str) for name in names.values()), "quote what YAML reads as a number or a truth"
    assert set(names) == set(_names("en"))


def test_a_base_is_named_wherever_it_stands():
    en = words("en")
    assert m.base_name("new_users", "denominator", en) == "new users"
    assert m.base_name("enquiries", "numerator", en) == "enquiries"
    assert m.base_name("complaints", "numerator", en) == "complaints"
    assert m.base_name("gmv", "denominator", en) == "Private-domain GMV"


# ---- documents


@pytest.mark.parametrize(("locale", "name"), [("en", "metrics.md"), ("zh", "metrics.zh.md")])
def test_the_documents_page_is_current(locale, name):
    shipped = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert shipped == m.page(locale), "write it anew: python -m planlib.core.metrics"
    for metric_id in CATALOGUE:
        assert f"| `{metric_id}` |" in shipped
    rows = [line for line in shipped.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {3, 10}


@pytest.mark.skipif(not FACTS.exists(), reason="the table of the documents' facts is not in this checkout")
def test_every_fact_has_its_metric_in_its_unit():
    with FACTS.open(encoding="utf-8", newline="") as source:
        facts = list(csv.DictReader(source))
    assert len(facts) == 538
    assert sorted({fact["metric"] for fact in facts} - set(CATALOGUE)) == []
    assert [fact for fact in facts if not _fits(fact.get("unit") or "", CATALOGUE[fact["metric"]])] == []


def _fits(unit, metric):
    if not unit or unit in CHANGES or metric.unit == "none":
        return True
    if metric.kind == "date" and unit == "months":
        return metric.unit == "month"
    return metric.unit in (unit, OTHER_NAMES.get(unit))
