"""The main job on the shipped plans, run for real with the network refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from planlib.core.words import words
from planlib.report.deck import make_decks
from planlib.workbook.job import target_lines
from tests.report import document_checks
from tests.report.deck_checks import different_numbers, style_problems, untraced_numbers

ROOT = Path(__file__).parents[1]
PLANS = ("wechat_platform", "private_domain_2026")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("main") / "out"


def planlib(env, out, *arguments):
    """Run the command line in a process of its own and return its output."""
    code = "from planlib.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--out", str(out)],
        cwd=ROOT, env=env, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said(guarded_env, out):
    """What the runs print: W in Chinese, P in English."""
    asked = {"wechat_platform": "zh", "private_domain_2026": "en"}
    return {plan: planlib(guarded_env, out, "run", f"params/{plan}.yaml", "--locale", asked[plan]) for plan in asked}


def runs(out, plan):
    return sorted(path for path in (out / plan).iterdir() if (path / "manifest.json").is_file())


def latest(out, plan):
    return out / plan / (out / plan / "latest").read_text(encoding="utf-8").strip()


def test_nothing_but_this_machine_was_asked_for(said, guarded_env, out):
    refused = Path(guarded_env["PLANLIB_REFUSED_CONNECTIONS"])
    assert not refused.exists(), refused.read_text(encoding="utf-8")
    guarded = Path(guarded_env["PLANLIB_GUARDED_PROCESSES"]).read_text(encoding="utf-8").split()
    kernels = len(list(out.glob("*/*/*/results.json")))
    assert len(guarded) >= 1 + 1 + kernels, "the command, a worker and each kernel"


@pytest.mark.parametrize(("readme", "locale"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_readme_shows_the_real_target_table(said, out, readme, locale):
    text = (ROOT / readme).read_text(encoding="utf-8")
    shown = "\n".join(line.rstrip() for line in target_lines(latest(out, "wechat_platform"), words(locale)))
    assert shown in text
    assert locale == "en" or shown in "\n".join(line.rstrip() for line in said["wechat_platform"].splitlines())


@pytest.mark.full
def test_results_are_equal_under_either_language(said, guarded_env, out, tmp_path):
    planlib(guarded_env, tmp_path, "run", "params/wechat_platform.yaml", "--locale", "en")
    first, second = latest(out, "wechat_platform"), latest(tmp_path, "wechat_platform")
    names = sorted(path.parent.name for path in first.glob("*/results.json"))
    assert len(names) == 10
    for name in names:
        left, right = ({p.relative_to(run) for p in (run / name).rglob("*") if p.is_file()} for run in (first, second))
        assert left == right
        for path in left:  # results, tables and charts; the executed notebook is in one language
            if path.suffix != ".ipynb":
                assert (first / path).read_bytes() == (second / path).read_bytes(), path
    for deck in (first / "decks").glob("*.pdf"):
        assert deck.read_bytes() == (second / "decks" / deck.name).read_bytes(), deck.name


def test_decks_repeat_byte_for_byte(said, out, tmp_path):
    run = latest(out, "wechat_platform")
    assert len(list(run.glob("*/results.json"))) == 10
    for deck in make_decks(run, out_dir=tmp_path):
        assert deck.read_bytes() == (run / "decks" / deck.name).read_bytes(), deck.name


@pytest.mark.parametrize("plan", PLANS)
def test_every_number_of_a_deck_comes_from_a_result(said, out, plan):
    run = latest(out, plan)
    for locale in ("zh", "en"):
        assert (run / "decks" / f"{plan}.{locale}.pdf").is_file()
        assert untraced_numbers(run, locale) == []
        assert style_problems(run, locale) == []
    assert different_numbers(run) == []


@pytest.mark.parametrize("plan", PLANS)
def test_every_number_of_a_plan_document_comes_from_a_result(said, out, plan):
    run = latest(out, plan)
    assert document_checks.untraced_numbers(run, "zh") == []
    assert document_checks.different_numbers(run) == [], "hence those of the other language come from results too"


def test_a_second_run_repeats_nothing(said, guarded_env, out):
    before = runs(out, "wechat_platform")
    shown = planlib(guarded_env, out, "run", "params/wechat_platform.yaml", "--locale", "zh")
    assert runs(out, "wechat_platform") == before
    assert "没有变化" in shown


def test_what_changed_between_runs_is_told(said, guarded_env, out):
    before = latest(out, "wechat_platform").name
    planlib(guarded_env, out, "run", "params/wechat_platform.yaml", "--locale", "zh", "--set", "users.churn.value=0.05",
            "--only", "20_funnel_targets")  # fmt: skip
    shown = planlib(guarded_env, out, "diff", before, "wechat_platform", "--locale", "en")
    assert "20_funnel_targets" in shown and "→" in shown
