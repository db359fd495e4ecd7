"""References inside texts: what each form stands for, what may be missing, what is refused with the nearest names."""

from __future__ import annotations

import pytest

from planlib.core.words import words
from planlib.report.deck import read_run
from planlib.report.references import Place, fill
from tests.report import fixtures

PLACE = Place("params/brand.en.md", "", 7)


@pytest.fixture(autouse=True)
def sentences(monkeypatch):
    fixtures.install_words(monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(fixtures.build_run(tmp_path_factory.mktemp("references") / "run"))


@pytest.mark.parametrize(
    ("typed", "zh", "en"),
    [
        ("{20_funnel_targets.users_m12}", "92.9 万", "929k"),
        ("{20_funnel_targets.users_m12.low}", "77.5 万", "775k"),
        ("{20_funnel_targets.users_m12.level}", "80%", "80%"),
        ("{20_funnel_targets.users_m12.date}", "2027-12", "Dec 2027"),
        ("{30_budget_allocation.effect}", "+3.6 个百分点", "+3.6 points"),
        ("{20_funnel_targets.targets[metric=mau_rate].goal}", "50.0%", "50.0%"),
        ("{30_budget_allocation.bands[2].name}", "技术", "Technology"),
        ("{say: 30_budget_allocation.technology_floor.next_step}", "在下次预算会议上定稿",
         "Settle at the next budget meeting"),
        ("{say: 20_funnel_targets.users_forecast.reading}",
         "放量从第五个月开始：六月底的实际值将把年底区间收窄约三分之一",
         "Intake opens up in the fifth month: June's count alone narrows the range by a third"),
        ("{metric: mau_rate}", "月活跃率", "Monthly active rate"),
        ("{plan: start} – {plan: end}", "2027-01 – 2028-12", "Jan 2027 – Dec 2028"),
    ],
)  # fmt: skip
def test_each_form_stands_for_its_result(run, typed, zh, en):
    for locale, shown in (("zh", zh), ("en", en)):
        found = fill(typed, run, words(locale), PLACE)
        assert found.text.replace("\u00a0", " ") == shown
        assert found.missing == () and found.problems == ()


@pytest.mark.parametrize(
    ("typed", "missing"),
    [
        ("{40_experiment_planning.runs}", "40_experiment_planning"),  # known, not run
        ("{20_funnel_targets.nps_now}", "20_funnel_targets.nps_now"),  # without a value
        ("{20_funnel_targets.user_m12?}", "20_funnel_targets.user_m12"),  # marked as one that may be missing
    ],
)
def test_what_a_run_lacks_is_told_and_no_problem(run, typed, missing):
    found = fill(typed, run, words("en"), PLACE)
    assert found.missing == (missing,) and found.problems == ()


@pytest.mark.parametrize(
    ("typed", "code", "nearest"),
    [
        ("{20_funnel_targets.user_m12}", "reference_unknown", "20_funnel_targets.users_m12"),
        ("{20_funel_targets.users_m12}", "reference_unknown", "20_funnel_targets"),
        ("{20_funnel_targets.targets[metric=mau].goal}", "reference_unknown", "metric=mau_rate"),
        ("{20_funnel_targets.targets[9999].goal}", "reference_unknown", "targets[9]"),
        ("{20_funnel_targets.targets[1].gaol}", "reference_unknown", "goal"),
        ("{say: 20_funnel_targets.users_forecst.title}", "reference_unknown", "20_funnel_targets.users_forecast.title"),
        ("{metric: mau_rat}", "reference_unknown", "mau_rate"),
        ("{plan: tittle}", "reference_unknown", "title"),
        ("{what is this}", "reference_form", ""),
        ("{plan: title", "reference_form", ""),
        ("we win 40% more", "literal_number", ""),
        ("用户 3 万", "literal_number", ""),
    ],
)
def test_what_is_wrong_is_refused_with_the_nearest_names(run, typed, code, nearest):
    (problem,) = fill(typed, run, words("en"), PLACE).problems
    assert (problem.code, problem.file, problem.line) == (code, "params/brand.en.md", 7)
    assert nearest in str(problem.values.get("nearest", ""))
    for locale in ("zh", "en"):
        assert "params/brand.en.md:7" in problem.render(locale)


def test_all_problems_of_a_text_are_told_at_once(run):
    found = fill("{a.b} and 5 and {plan: x}", run, words("en"), PLACE)
    assert [problem.code for problem in found.problems] == ["literal_number", "reference_unknown", "reference_unknown"]


@pytest.mark.parametrize("typed", ["W5.1, G1 and A/B", "6.18 与 11.11", "`2026` 年", "D7"])
def test_names_may_hold_digits(run, typed):
    found = fill(typed, run, words("zh"), PLACE)
    assert found.problems == () and "`" not in found.text
