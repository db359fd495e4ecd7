"""The command line: exit statuses, both languages, help with an example, everything documented."""

import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from planlib import cli
from planlib.plan import load_plan

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(cli.app).commands


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with the shipped plans, away from the project's own outputs."""
    shutil.copytree(ROOT / "params", tmp_path / "params")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "workbook.yaml", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANLIB_LOCALE", "en")
    return tmp_path


def call(monkeypatch, capsys, *arguments):
    """Return exit status, output and errors of the real entry point."""
    monkeypatch.setattr("sys.argv", ["planlib", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name):
    shown = CliRunner().invoke(cli.app, [name, "--help"]).output
    assert f"planlib {name}" in shown and "Example" in shown


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_every_command_and_option_is_documented(readme):
    rows = {}
    for line in (ROOT / readme).read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| `planlib (\w+)[^`]*` \|[^|]*\| `([^`]*)` \|", line):
            rows[found[1]] = set(found[2].split())
    stated = {
        name: {opt for parameter in command.params for opt in parameter.opts if opt.startswith("--")} - {"--help"}
        for name, command in COMMANDS.items()
    }
    assert rows == stated


def test_bad_plan_ends_with_two_and_says_all_in_the_language_asked_for(home, monkeypatch, capsys):
    plan = home / "params" / "broken.yaml"
    plan.write_text("extends: wechat_platform.yaml\nusers:\n  churn: {value: 3.2}\n  wakng: 1\n", encoding="utf-8")
    status, out, err = call(monkeypatch, capsys, "check", "params/broken.yaml", "--locale", "zh")
    assert (status, out) == (2, "")
    assert "params/broken.yaml:3" in err and "0.032" in err and "waking" in err and "允许" in err


def test_unknown_plan_ends_with_two(home, monkeypatch, capsys):
    status, _, err = call(monkeypatch, capsys, "run", "params/nobody.yaml")
    assert status == 2 and "params/nobody.yaml" in err
    assert not (home / "outputs").exists()


def test_unknown_language_ends_with_two(home, monkeypatch, capsys):
    status, _, err = call(monkeypatch, capsys, "check", "params/wechat_platform.yaml", "--locale", "fr")
    assert status == 2 and "zh, en" in err


def test_check_prints_json_for_programs(home, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "check", "params/wechat_platform.yaml", "--json")
    found = json.loads(out)
    assert found["plans"][0]["id"] == "wechat_platform"
    assert status == int(any(f["level"] == "contradiction" for f in found["findings"]))


def test_new_plan_extends_checks_and_is_not_written_twice(home, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "new", "spring", "--from", "params/wechat_platform.yaml")
    assert status == 0 and "params/spring.yaml" in out
    before = (home / "params" / "spring.yaml").read_bytes()
    status, _, err = call(monkeypatch, capsys, "new", "spring", "--from", "params/wechat_platform.yaml")
    assert status == 2 and "params/spring.yaml" in err
    assert (home / "params" / "spring.yaml").read_bytes() == before
    status, out, _ = call(monkeypatch, capsys, "check", "params/spring.yaml")
    assert status in (0, 1) and "spring" in out


@pytest.mark.parametrize("name", ["../evil", "UPPER", "a b", "", "a" * 90])
def test_new_refuses_names_that_are_none(name, home, monkeypatch, capsys):
    status, _, _ = call(monkeypatch, capsys, "new", name, "--from", "params/wechat_platform.yaml")
    assert status == 2
    assert {p.name for p in (home / "params").glob("*")} == {p.name for p in (ROOT / "params").glob("*")}


def test_status_without_runs_says_so(home, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "status")
    assert status == 0 and "No runs yet." in out


@pytest.mark.parametrize("command", [["deck", "nobody"], ["diff", "nobody", "nobody"], ["deck", "../.."]])
def test_unknown_run_ends_with_two(command, home, monkeypatch, capsys):
    status, _, err = call(monkeypatch, capsys, *command)
    assert status == 2 and "planlib status" in err


def test_doctor_finds_this_desk_fit(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status, out, _ = call(monkeypatch, capsys, "doctor", "--locale", "en")
    assert status == 0, out
    assert "3 of 3" in out


def test_an_output_folder_that_can_be_none_is_told(home, monkeypatch, capsys):
    (home / "taken").write_text("a file", encoding="utf-8")
    monkeypatch.setattr("planlib.workbook.job.project_root", lambda: ROOT)
    status, _, err = call(monkeypatch, capsys, "run", "params/wechat_platform.yaml", "--out", "taken")
    assert status == 1 and "--out DIR" in err and "Traceback" not in err


def test_a_new_plan_never_reads_the_data_of_the_plan_below(home, monkeypatch, capsys):
    status, *_ = call(monkeypatch, capsys, "new", "mine", "--from", "params/sample_brand.yaml")
    assert status == 0
    roots = [load_plan(home / "params" / f"{name}.yaml").data_root for name in ("sample_brand", "mine")]
    assert roots == ["data/sample", "data/"]


def test_a_test_is_registered_once_and_assigned_only_then(home, monkeypatch, capsys):
    test = ("params/wechat_platform.yaml", "coupon_size")
    status, _, err = call(monkeypatch, capsys, "assign", *test)
    assert status == 2 and "planlib register PLAN coupon_size" in err
    status, out, _ = call(monkeypatch, capsys, "register", *test)
    assert status == 0 and "yuan_20" in out and "planlib assign" in out
    status, out, _ = call(monkeypatch, capsys, "register", *test)
    assert status == 0 and "nothing changed" in out
    status, _, err = call(monkeypatch, capsys, "assign", *test)
    assert status == 2 and "planlib load" in err  # no customers yet
    status, _, err = call(monkeypatch, capsys, "register", test[0], "member_price")
    assert status == 2 and "review" in err
    status, out, _ = call(monkeypatch, capsys, "register", test[0], "member_price", "--reason", "legal, 2 March")
    assert status == 0 and "member_price" in out
