"""`planlib why` and `planlib whatif`: the same numbers as the simulation, in words, JSON and on one page."""

import json
from dataclasses import replace

import pytest

from planlib import answers, outlooking
from planlib import outlook_questions as questions
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.plan import load_plan

W, P = "params/wechat_platform.yaml", "params/private_domain_2026.yaml"
PATHS = 300


@pytest.fixture(scope="module")
def plan():
    return load_plan(P)


@pytest.fixture(scope="module")
def why(plan):
    return answers.why("own_gmv", plan, words("en"), wanted=0.7, paths=PATHS)


@pytest.fixture(scope="module")
def whatif(plan):
    return answers.whatif(plan, words("zh"), slips={"g1": 40.0}, paths=PATHS)


def test_why_tells_the_chance_of_the_simulation(plan, why):
    asked = questions.Asked.of(outlooking.world(plan, paths=PATHS))
    goal = next(row for row in asked.goals if row["id"] == "own_gmv")
    assert why.plain["chance"] == questions.hit_share(goal, questions.at_due(asked.metrics, goal))
    assert why.plain["interval"]["low"] <= why.plain["chance"] <= why.plain["interval"]["high"]
    assert sum(why.plain["binding"]["chance"].values()) == pytest.approx(1.0 - why.plain["chance"])
    assert why.plain["repairs"]["feasible"] and why.plain["repairs"]["chance"] >= 0.7
    assert "70%" in why.headline


def test_whatif_compares_the_same_paths(whatif):
    assert whatif.plain["gmv"]["mean"] < 0
    gates = whatif.plain["gates"]
    assert gates["g1"]["after"] > gates["g1"]["before"]
    fell = whatif.plain["targets"]["own_gmv"]
    assert fell["after"] <= fell["before"]


def test_nothing_changed_changes_nothing(plan):
    found = answers.whatif(plan, words("en"), slips={"g3": 0.0}, paths=PATHS)
    assert found.plain["gmv"]["mean"] == 0.0 and found.plain["recovery"] is None
    assert all(row["before"] == row["after"] for row in found.plain["targets"].values())


def test_json_is_valid_and_whole(why, whatif):
    for answer in (why, whatif):
        found = json.loads(answers.as_json(answer))
        assert found["question"] == answer.name and "NaN" not in answers.as_json(answer)


def test_the_screen_has_a_line_for_each_row(why):
    shown = answers.lines(why)
    assert shown[0] == why.headline and len(shown) == len(why.rows) + len(why.notes) + 5


def test_one_page(why, whatif, tmp_path):
    for answer, locale in ((why, "en"), (whatif, "zh")):
        path = answers.write_pdf(answer, tmp_path / f"{answer.name}.pdf", words(locale))
        data = path.read_bytes()
        assert data.startswith(b"%PDF") and data.count(b"/Type /Page\n") + data.count(b"/Type/Page/") <= 1


def test_the_page_keeps_what_matters(why):
    wide = replace(why, rows=tuple((str(k), "", "", "") for k in range(20)), ranks=(2,) * 10 + (0,) * 10)
    assert [row[0] for row in answers.page_rows(wide)] == [*map(str, range(3)), *map(str, range(10, 20))]


def test_a_target_finds_its_plan():
    assert answers.find_plan("w-users-year1") == W
    with pytest.raises(InputError) as caught:
        answers.find_plan("own_gmv")
    assert caught.value.problems[0].code == "no_plan_of_target"


@pytest.mark.parametrize(
    ("text", "code"), [("g1", "slip_form"), ("g1=15", "slip_form"), ("g1=xd", "slip_form"), ("nobody=3d", "choice")]
)
def test_bad_slips(plan, text, code):
    with pytest.raises(InputError) as caught:
        answers.slips_of([text], plan)
    assert caught.value.problems[0].code == code


def test_all_bad_slips_are_told_at_once(plan):
    with pytest.raises(InputError) as caught:
        answers.slips_of(["g1=3d", "g1=4d", "x"], plan)
    assert [problem.code for problem in caught.value.problems] == ["duplicate_id", "slip_form"]


def test_bad_questions(plan):
    for target, code in (("nowhere", "choice"), ("p-ltv-lift", "no_forecast_of_target")):
        with pytest.raises(InputError) as caught:
            answers.why(target, plan, words("en"), paths=20)
        assert caught.value.problems[0].code == code
    with pytest.raises(InputError):
        answers.why("own_gmv", plan, words("en"), wanted=1.0)
    with pytest.raises(InputError) as caught:
        answers.ask_whatif(P, words("en"), slips=[], sets=[])
    assert caught.value.problems[0].code == "no_change_named"
