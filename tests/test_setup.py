"""Set-up on a fresh machine: the lock, the environment file and start.py agree and need nothing else."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
COMMANDS = ("plan", "planlib", "test", "test-full", "test-spark", "lab", "bench", "lint", "setup")


def load_start():
    """Import start.py from its place."""
    spec = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


start = load_start()


def locked() -> list[tuple[Requirement, int]]:
    """Return each entry of the lock with the number of its hashes."""
    entries = re.findall(r"^([a-z0-9].*?)((?: \\\n    --hash=\S+)*)$", LOCK, flags=re.MULTILINE)
    return [(Requirement(text), hashes.count("--hash=sha256:")) for text, hashes in entries]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """An empty checkout whose path holds Chinese characters and a blank, as it is after a set-up."""
    root = tmp_path / "私域 规划"
    root.mkdir()
    for name in ("requirements.lock", "pyproject.toml"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    return root


@pytest.fixture
def environment(checkout):
    """A finished environment, without its packages."""
    environment = start.Environment(str(checkout))
    os.makedirs(environment.programs)
    Path(environment.python).touch()
    start.write_stamp(environment, start.wanted_stamp(environment))
    return environment


# ---- the lock


def test_every_locked_file_is_checked_by_its_hash():
    entries = locked()
    assert len(entries) > 100
    assert [str(requirement) for requirement, hashes in entries if not hashes] == []
    assert len(re.findall(r"^\S", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE), flags=re.MULTILINE)) == len(entries)


def test_every_locked_version_is_exact():
    assert [str(r) for r, _ in locked() if not re.fullmatch(r"==[\w.!+]+", str(r.specifier))] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_the_project(python):
    """On each Python, every dependency of the project is pinned once, inside its range."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    pins = {}
    for requirement, _ in locked():
        if requirement.marker is None or requirement.marker.evaluate(here):
            name = canonicalize_name(requirement.name)
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = Version(str(requirement.specifier).removeprefix("=="))
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]:
        wanted = Requirement(text)
        assert pins[canonicalize_name(wanted.name)] in wanted.specifier, text


def test_what_the_tests_import_is_what_the_lock_pins():
    """The packages that run these tests are those of the lock."""
    from importlib.metadata import version

    for requirement, _ in locked():
        if canonicalize_name(requirement.name) in ("numpy", "pandas", "papermill", "typst", "pydantic", "highspy"):
            assert version(requirement.name) in requirement.specifier


def test_the_conda_file_uses_the_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *plain, by_pip = content["dependencies"]
    assert by_pip == {"pip": ["-r requirements.lock"]}
    assert [text for text in plain if not text.startswith("python")] == ["pip"]
    (python,) = (SpecifierSet(text.removeprefix("python")) for text in plain if text.startswith("python"))
    assert all(f"{version}.0" in python for version in PYTHONS)
    assert all(f"{version}.0" in SpecifierSet(PROJECT["requires-python"]) for version in PYTHONS)
    assert "3.10.9" not in python and "3.10.9" not in SpecifierSet(PROJECT["requires-python"])


def test_start_and_project_need_the_same_python():
    needed = ".".join(map(str, start.NEEDED_PYTHON))
    assert PROJECT["requires-python"] == f">={needed}"


def shipped_files() -> list[Path]:
    """Return the text files under version control; all files where this is no checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    ).stdout  # fmt: skip
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [p for p in paths if p.is_file() and p.suffix not in {".ttf", ".png", ".pdf", ".parquet", ".xlsx"}]


def test_no_file_names_a_package_index():
    """Whoever sets up uses the index of their own pip: neither the lock nor any other file names one."""
    address = re.compile(r"--(extra-)?index-url|--find-links|pythonhosted|https?://[^\s\"')]*(pypi|simple/|anaconda\.org)")
    found = {
        path.relative_to(ROOT).as_posix(): match.group()
        for path in shipped_files()
        if path != Path(__file__).resolve()
        for match in [address.search(path.read_text(encoding="utf-8", errors="replace").replace("--no-emit-", ""))]
        if match
    }
    assert found == {}
    assert "://" not in LOCK


@pytest.mark.parametrize(
    "path",
    ["data/raw/orders.csv", "data/tidy/orders.parquet", "data/salt", "outputs/x/run", ".venv/pyvenv.cfg", "build/x"],
)
def test_private_and_made_files_stay_out_of_git(path):
    ignored = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT, check=False).returncode
    if ignored > 1:
        pytest.skip("this is no git checkout")
    assert ignored == 0


# ---- start.py


def test_start_needs_only_the_standard_library():
    tree = ast.parse((ROOT / "start.py").read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_reaches_the_message_that_says_so():
    ast.parse((ROOT / "start.py").read_text(encoding="utf-8"), feature_version=(3, 6))
    message = start.old_python_message((3, 9, 6), "/usr/bin/python3")
    assert "Python 3.11 or newer is needed; this is Python 3.9 (/usr/bin/python3)" in message
    assert "需要 Python 3.11" in message


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), ([], 2), (["no-such-command"], 2)])
def test_help_costs_no_set_up(arguments, status, checkout):
    (checkout / "start.py").write_bytes((ROOT / "start.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", str(checkout / "start.py"), *arguments],
        capture_output=True, encoding="utf-8", check=False, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == status
    said = done.stdout + done.stderr
    assert all(f"\n  {name}" in said for name in COMMANDS)
    assert not (checkout / ".venv").exists()


def test_a_finished_environment_is_used_again(environment, monkeypatch):
    monkeypatch.setattr(start, "install_packages", lambda _: pytest.fail("installed again"))
    monkeypatch.setattr(start, "link_project", lambda _: pytest.fail("linked again"))
    start.set_up(environment)


def reasons(environment) -> list[str]:
    found = start.out_of_date(environment, start.read_stamp(environment), start.wanted_stamp(environment))
    return [english for english, _ in found]


def test_a_finished_environment_has_no_reason(environment):
    assert reasons(environment) == []


def test_no_environment(checkout):
    assert reasons(start.Environment(str(checkout))) == ["there is none yet"]


def test_an_interrupted_set_up_is_noticed(environment):
    os.unlink(environment.stamp)
    assert reasons(environment) == ["it was not finished, or its Python is gone"]


def test_a_damaged_stamp_is_noticed(environment):
    Path(environment.stamp).write_text("lock", encoding="utf-8")
    assert reasons(environment) == ["it was not finished, or its Python is gone"]


def test_a_python_that_is_gone_is_noticed(environment):
    os.unlink(environment.python)
    assert reasons(environment) == ["it was not finished, or its Python is gone"]


def test_a_changed_lock_is_noticed(environment):
    with open(environment.lock, "a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert reasons(environment) == ["requirements.lock has changed"]


def test_a_moved_checkout_is_noticed(environment, checkout):
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    assert reasons(start.Environment(str(moved))) == ["the folder has moved"]


@pytest.mark.parametrize("key", ["python", "platform", "format"])
def test_another_machine_or_python_is_noticed(environment, key):
    start.write_stamp(environment, start.wanted_stamp(environment) | {key: "another"})
    assert len(reasons(environment)) == 1


def test_a_changed_project_file_only_links_anew(environment, monkeypatch):
    with open(environment.project, "a", encoding="utf-8") as file:
        file.write("# changed\n")
    monkeypatch.setattr(start, "install_packages", lambda _: pytest.fail("installed again"))
    linked = []
    monkeypatch.setattr(start, "link_project", linked.append)
    start.set_up(environment)
    start.set_up(environment)
    assert linked == [environment]


def test_a_failed_set_up_leaves_no_stamp(environment, monkeypatch):
    """What fails half-way is made anew next time, and says both usual causes."""

    def fail(arguments, _variables):
        os.makedirs(environment.programs, exist_ok=True)
        Path(environment.python).touch()
        raise start.SetupError("exit status 1")

    monkeypatch.setattr(start, "_step", fail)
    os.unlink(environment.stamp)
    with pytest.raises(start.SetupError, match="package index"):
        start.set_up(environment)
    assert reasons(environment) == ["it was not finished, or its Python is gone"]


def test_uv_that_fails_gives_way_to_pip(environment, monkeypatch):
    ran = []

    def step(arguments, _variables):
        ran.append(arguments)
        if arguments[0] == "/x/uv":
            raise start.SetupError("uv: exit status 2")

    monkeypatch.setattr("shutil.which", lambda _: "/x/uv")
    monkeypatch.setattr(start, "_step", step)
    start.install_packages(environment)
    assert ran[0][:2] == ["/x/uv", "venv"]
    assert "pip" in ran[-1] and {"--require-hashes", "--no-deps", environment.lock} <= set(ran[-1])


def test_the_linked_project_is_found_whatever_its_path(checkout):
    """A real virtual environment in a folder with a Chinese name imports planlib from there and has the command."""
    environment = start.Environment(str(checkout))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
    (checkout / "planlib").mkdir()
    (checkout / "planlib" / "__init__.py").touch()
    (checkout / "planlib" / "cli.py").write_text(
        "import sys\ndef main():\n    print(sys.argv[1:])\n    return 3\n", encoding="utf-8"
    )
    start.link_project(environment)
    start.link_project(environment)
    code = "import importlib.metadata as m, planlib; print(m.version('planlib')); print(ascii(planlib.__file__))"
    done = subprocess.run([environment.python, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    version, place = done.stdout.splitlines()
    assert version == PROJECT["version"]
    assert os.path.samefile(ast.literal_eval(place), checkout / "planlib" / "__init__.py")
    command = environment.planlib + (".cmd" if os.name == "nt" else "")
    done = subprocess.run([command, "check", "a b"], cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (3, "['check', 'a b']")
    link = next(Path(environment.folder).rglob("planlib.pth"))
    assert link.read_bytes().isascii()
    old, other = (link.parent / f"{name}.dist-info" for name in ("planlib-0.0.1", "other-0.0.1"))
    (old / "licenses").mkdir(parents=True)
    other.mkdir()
    start.link_project(environment)
    assert not old.exists() and other.exists()


def test_commands(environment, monkeypatch):
    root = environment.root
    monkeypatch.chdir(root)
    monkeypatch.setattr(start, "DEFAULT_PLAN", os.path.join(root, "params", "wechat_platform.yaml"))
    plan, folder = start.command_line(environment, "plan", ["--fresh"])
    assert plan == [
        environment.python, environment.planlib, "run", os.path.join("params", "wechat_platform.yaml"), "--fresh"
    ]  # fmt: skip
    assert folder is None
    assert start.command_line(environment, "plan", ["my.yaml", "--jobs", "1"])[0][-3:] == ["my.yaml", "--jobs", "1"]
    assert start.command_line(environment, "test", ["-k", "x"]) == (
        [environment.python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder", "-k", "x"],
        root,
    )
    assert "--full" in start.command_line(environment, "test-full", [])[0]
    monkeypatch.chdir("/")
    assert os.path.isabs(start.command_line(environment, "plan", [])[0][-1])


def test_commands_run_in_the_environment_alone(environment, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    variables = start.child_environment(environment)
    assert "PYTHONPATH" not in variables and variables["PYTHONUTF8"] == "1"
    assert variables["PATH"].startswith(environment.programs + os.pathsep)


def test_the_exit_status_is_passed_through(checkout):
    code = (
        "import importlib.util as u, os, sys\n"
        "s = u.spec_from_file_location('start', sys.argv[1]); m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "sys.exit(m.run([sys.executable, '-c', 'raise SystemExit(7)'], None, dict(os.environ)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(ROOT / "start.py")], check=False).returncode == 7


def test_only_one_set_up_at_a_time(checkout):
    with start.OneAtATime(str(checkout)):
        second = start.OneAtATime(str(checkout))
        with open(second.path, "w", encoding="utf-8") as second.file:
            assert not second._taken()
    with start.OneAtATime(str(checkout)):
        pass


# ---- make, continuous integration


def test_make_and_continuous_integration_call_start():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in set(COMMANDS) - {"planlib"}:
        assert re.search(rf"^{name}:.*\n\t@\$\(PYTHON\) start.py {name}\b", makefile, flags=re.MULTILINE), name
    ci = ROOT / ".ci" / "run"
    assert "\nmake test\n" in ci.read_text(encoding="utf-8")
    assert os.name == "nt" or os.access(ci, os.X_OK)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert {"3.11", "3.13"} <= set(matrix["python"])
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert "python start.py test" in steps and "python start.py plan" in steps
