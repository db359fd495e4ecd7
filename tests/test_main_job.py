"""The main job on the shipped plans, run for real with the network refused."""

import subprocess
import sys
from pathlib import Path

import pytest

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
    """What the runs print: W in both languages, P in one."""
    found = {}
    for plan, locale in (("wechat_platform", "zh"), ("wechat_platform", "en"), ("private_domain_2026", "zh")):
        found[plan, locale] = planlib(guarded_env, out, "run", f"params/{plan}.yaml", "--locale", locale)
    return found


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
def test_readme_shows_the_real_target_table(said, readme, locale):
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = [block.strip("\n") for block in text.split("```")[1::2]]
    shown = said["wechat_platform", locale]
    assert any(block in shown and len(block.splitlines()) > 5 for block in blocks)


def test_results_are_equal_under_either_language(said, out):
    first, second = runs(out, "wechat_platform")
    names = sorted(path.parent.name for path in first.glob("*/results.json"))
    assert len(names) == 10
    for name in names:
        left, right = ({p.relative_to(run) for p in (run / name).rglob("*") if p.is_file()} for run in (first, second))
        assert left == right
        for path in left:  # results, tables and charts; the executed notebook is in one language
            if path.suffix != ".ipynb":
                assert (first / path).read_bytes() == (second / path).read_bytes(), path


def test_decks_repeat_byte_for_byte(said, out):
    first, second = runs(out, "wechat_platform")
    for deck in (first / "decks").glob("*.pdf"):
        assert deck.read_bytes() == (second / "decks" / deck.name).read_bytes(), deck.name


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
    shown = planlib(guarded_env, out, "run", "params/wechat_platform.yaml", "--locale", "en")
    assert runs(out, "wechat_platform") == before
    assert "Nothing has changed" in shown


def test_what_changed_between_runs_is_told(said, guarded_env, out):
    before = latest(out, "wechat_platform").name
    planlib(guarded_env, out, "run", "params/wechat_platform.yaml", "--locale", "en", "--set", "users.churn.value=0.05",
            "--only", "20_funnel_targets")  # fmt: skip
    shown = planlib(guarded_env, out, "diff", before, "wechat_platform", "--locale", "en")
    assert "20_funnel_targets" in shown and "→" in shown
