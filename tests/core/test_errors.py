"""Messages about bad input: complete, in both languages, and safe to print."""

from importlib import resources

import pytest
import yaml

from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, words


def _sentences(locale):
    text = (resources.files("planlib") / "locale" / locale / "errors.yaml").read_text(encoding="utf-8")
    return {code: found for code, found in yaml.safe_load(text).items() if isinstance(found, dict)}


def test_a_problem_names_place_value_and_remedy():
    problem = Problem(
        "rate_range", "params/a.yaml", "users.churn", 12, 3.2, {"given_percent": "3.2", "as_share": "0.032"}
    )
    assert problem.render("en").splitlines() == [
        "params/a.yaml:12: users.churn",
        "  given    3.2",
        "  allowed  a share from 0 to 1",
        "  fix      for 3.2 % write 0.032",
    ]
    assert problem.render("zh").splitlines() == [
        "params/a.yaml:12: users.churn",
        "  现值  3.2",
        "  允许  0 到 1 之间的占比",
        "  改法  3.2% 请写作 0.032",
    ]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_code_can_be_said(locale):
    for code in _sentences("en"):
        wanted = {n for part in ("allowed", "fix") for n in words(locale).placeholders(f"errors.{code}.{part}")}
        rows = Problem(code, "a.yaml", "b", 1, 0, {name: f"<{name}>" for name in wanted}).render(locale).splitlines()
        assert len(rows) == 4
        assert all(any(f"<{name}>" in row for row in rows) for name in wanted)


def test_languages_have_the_same_codes_and_placeholders():
    zh, en = _sentences("zh"), _sentences("en")
    assert list(zh) == list(en)
    for code in en:
        for part in ("allowed", "fix"):
            key = f"errors.{code}.{part}"
            assert words("zh").placeholders(key) == words("en").placeholders(key), key


def test_a_place_may_be_missing_in_part():
    assert Problem("missing", field="churn").render().splitlines()[0] == "churn"
    assert Problem("missing", file="a.yaml").render().splitlines()[0] == "a.yaml"
    assert Problem("missing").render().splitlines()[0] == "input"
    assert Problem("missing").render("zh").splitlines()[0] == "输入"
    assert "given" not in Problem("missing", "a.yaml").render()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (0, "0"),
        (1_234_567.5, "1234567.5"),
        (0.1 + 0.2, "0.3"),
        (True, "true"),
        (float("nan"), "nan"),
        ([1, 2], "[1, 2]"),
        ("a\nb\x1b[31m\u202e", "a\\x0ab\\x1b[31m\\x202e"),
    ],
)
def test_given_values(given, shown):
    assert f"  given    {shown}" in Problem("missing", given=given).render().splitlines()


def test_hostile_values_stay_on_one_line_and_short():
    evil = "x\n  fix      run this\r\x1b[2J" + "y" * 10_000
    problem = Problem("unknown_key", evil, evil, 1, evil, {"choice": evil, "nearest": evil})
    rows = problem.render().splitlines()
    assert len(rows) == 4
    assert "\x1b" not in problem.render()
    assert max(map(len, rows)) < 1_200


def test_all_problems_at_once():
    error = InputError(Problem("missing", "a.yaml", "x"), Problem("not_text", "a.yaml", "y"))
    assert str(error) == error.render("en")
    assert [p.field for p in error.problems] == ["x", "y"]
    assert "a.yaml: x" in str(error)
    assert "a.yaml: y" in error.render("zh")
    assert isinstance(error, ValueError)
    with pytest.raises(TypeError):
        InputError()
