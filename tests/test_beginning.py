"""A plan begun from twelve numbers: what is told stands as told, the rest is wide and marked, nothing is invented."""

import io
import shutil
from pathlib import Path

import pytest

from planlib import cli
from planlib.beginning import QUESTIONS, begin_plan, read_answers
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.plan import load_plan
from planlib.plan.load import leaves, load_benchmarks
from planlib.plan.model import Quantity

ROOT = Path(__file__).parents[1]
TOLD = ["1.2万", "1,500", "40%", "", "8%", "?", "不知道", "180", "¥3000万", "", "1,200,000", "20000"]
ALL = ["12000", "1500", "40%", "30%", "8%", "6%", "30%", "180", "30000000", "45%", "1200000", "20000"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("params/benchmarks.yaml", "notebooks/workbook.yaml"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(home, lines, **options):
    answers = read_answers(lines, words("en"), lambda _: None, again=False)
    return load_plan(begin_plan("mine", answers, home, **options))


def test_every_sector_figure_is_wide_has_a_denominator_and_says_why():
    rows = load_benchmarks(ROOT / "params/benchmarks.yaml").sector
    assert len({row.fills for row in rows}) == len(rows)
    asked = {question.fills for question in QUESTIONS} - {"baseline.opening_users", "goal"}
    assert asked <= {row.fills for row in rows}
    for row in rows:
        assert row.high / row.low >= 2 and row.denominator.zh and row.denominator.en
        assert row.source == "assumption" and row.why.en.startswith("judgement")


def test_nothing_known(home):
    plan = begun(home, [])
    quantities = [leaf for _, leaf in leaves(plan.model) if isinstance(leaf, Quantity)]
    assert len(quantities) == 14 and {leaf.source for leaf in quantities} == {"assumption"}
    assert all(leaf.span and leaf.span[1] / leaf.span[0] >= 2 for leaf in quantities if leaf.central)
    assert plan.baseline.opening_users.value == 0
    (target,) = plan.targets
    assert (target.at_least, target.source) == (1, "assumption") and "no goal is stated" in target.why.en


def test_what_is_told_stands_as_told(home):
    plan = begun(home, TOLD)
    told = (
        plan.baseline.opening_users,
        plan.users.churn,
        plan.baseline.aov,
        plan.baseline.total_gmv,
        plan.budget.total,
    )
    assert [(one.value, one.source) for one in told] == [
        (12_000, "own"), (0.08, "own"), (180, "own"), (30_000_000, "own"), (1_200_000, "own")]  # fmt: skip
    assert (plan.users.churn.period, plan.budget.total.period) == ("month", "year")
    assert [channel.intake.value for channel in plan.channels] == [900, 600]
    assert (plan.targets[0].at_least, plan.targets[0].source) == (20_000, "own")
    assert plan.baseline.gross_margin.span == (0.2, 0.7)
    assert "sector-gross-margin; of: company GMV" in plan.baseline.gross_margin.why.en


def test_half_of_the_intake_known_is_a_range(home):
    plan = begun(home, ["", "1000"])
    free, paid = (channel.intake for channel in plan.channels)
    assert (paid.span, paid.mode) == ((100, 800), 400)
    assert (free.span, free.mode) == ((200, 900), 600)
    assert paid.source == "assumption"


def test_everything_known(home):
    assert {leaf.source for _, leaf in leaves(begun(home, ALL).baseline)} == {"own"}


def test_a_trade_adds_its_metrics(home):
    assert begun(home, [], trade="catering").users.rules[0].scope == "catering"


@pytest.mark.parametrize(
    "line, answer, code",
    [(2, "40", "begin_share"), (2, "140%", "out_of_range"), (0, "many", "begin_number"), (0, "-5", "out_of_range"),
     (7, "=1+1", "begin_number"), (7, "8%", "begin_number"), (11, "0", "out_of_range"), (8, "9" * 400, "out_of_range")],
)  # fmt: skip
def test_answers_that_are_no_such_number(line, answer, code):
    with pytest.raises(InputError) as error:
        read_answers([*ALL[:line], answer, *ALL[line + 1 :]], words("en"), lambda _: None, again=False)
    (problem,) = error.value.problems
    assert problem.code == code and problem.field == f"{line + 1}/12 {QUESTIONS[line].key}"


def test_a_person_is_asked_again():
    said = []
    lines = iter(["many", "12000", *ALL[1:]])
    answers = read_answers(lines, words("en"), said.append, again=True)
    assert answers["opening_users"] == 12_000 and len(answers) == 12
    assert len(said) == 14 and said[0] == said[2] and "type the number alone" in said[1]


def test_the_command_reads_a_file_or_a_pipe(home, monkeypatch, capsys):
    def call(name, text):
        monkeypatch.setattr("sys.argv", ["planlib", "new", name, "--locale", "en"])
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    status, out, _ = call("mine", "\n".join(TOLD))
    assert status == 0 and "New plan: params/mine.yaml. Told: 8 of 12; assumed: Share of users active" in out
    assert load_plan("params/mine.yaml").id == "mine"
    before = (home / "params/mine.yaml").read_bytes()
    status, _, err = call("mine", "")
    assert status == 2 and "mine.yaml" in err and (home / "params/mine.yaml").read_bytes() == before
    status, _, err = call("wrong", "soon\n\n40")
    assert status == 2 and "1/12" in err and "3/12" in err and not (home / "params/wrong.yaml").exists()
    assert call("Not a name", "")[0] == 2
