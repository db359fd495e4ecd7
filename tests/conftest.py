"""What every test stands on: no network, one BLAS thread, the same examples each time, long checks when asked for."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

NO_NETWORK = Path(__file__).parent / "no_network"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# Files that take a minute or more go first, so that the others fill the time beside them
LONGEST = ("tests/test_main_job.py", "tests/notebooks/", "tests/test_reviewing.py", "tests/consistency/")

collect_ignore = ["no_network"]  # its module name is Python's own; test_no_network.py tests it

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # before numpy is imported, and for every process a test starts


def _load_guard() -> ModuleType:
    spec = importlib.util.spec_from_file_location("planlib_no_network", NO_NETWORK / "sitecustomize.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GUARD = _load_guard()
GUARD.install()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long checks too (or set PLANLIB_FULL=1)")
    parser.addoption("--spark", action="store_true", help="run the checks on a real Spark; fail where there is none")


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis try the same examples at every run; with --full new ones."""
    hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
    hypothesis.settings.register_profile("full", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("full" if config.getoption("--full") else "repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first; skip tests marked `full` and `spark` unless they were asked for."""
    items.sort(key=lambda item: next((i for i, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST)))
    full = config.getoption("--full") or os.environ.get("PLANLIB_FULL") == "1"
    missing = _missing_for_spark()
    if config.getoption("--spark") and missing:
        raise pytest.UsageError(f"no Spark to test on; missing: {missing} (docs/scale.md says how to install it)")
    spark = config.getoption("--spark") or (full and not missing)
    reasons = {
        "full": None if full else "a long check: make test-full",
        "spark": None if spark else f"no Spark here: {missing}" if full else "a real Spark: make test-spark",
    }
    skips = {name: pytest.mark.skip(reason=reason) for name, reason in reasons.items() if reason}
    for item in items:
        for name in skips.keys() & item.keywords:
            item.add_marker(skips[name])


def _missing_for_spark() -> str:
    """What a Spark inside this machine still needs; "" when all is there."""
    needed = [name for name in ("pyspark", "pyarrow") if importlib.util.find_spec(name) is None]
    return ", ".join(needed if shutil.which("java") or os.environ.get("JAVA_HOME") else [*needed, "Java"])


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def network_guard() -> ModuleType:
    """The module that refuses connections in this process."""
    return GUARD


def _guarded(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(NO_NETWORK),
        "PLANLIB_REFUSED_CONNECTIONS": str(folder / "refused.txt"),
        "PLANLIB_GUARDED_PROCESSES": str(folder / "guarded.txt"),
    }


@pytest.fixture
def no_network_env(tmp_path: Path) -> dict[str, str]:
    """Variables under which every Python process refuses connections to other machines and writes down each try.

    The files are named by PLANLIB_REFUSED_CONNECTIONS and PLANLIB_GUARDED_PROCESSES.
    """
    return _guarded(tmp_path)


@pytest.fixture(scope="module")
def guarded_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same variables for all tests of a file."""
    return _guarded(tmp_path_factory.mktemp("guard"))


@pytest.fixture
def planlib_in_copy(
    tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command line, in English, in a folder with a copy of the shipped plans that nobody has reported on.

    Call it with the arguments; it returns the exit status, what was said and what was complained of.
    """
    from planlib import cli

    shutil.copytree(project_root / "params", tmp_path / "params")
    for pattern in ("*.progress.csv*", "*.baseline.csv*"):
        for path in (tmp_path / "params").glob(pattern):
            path.unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANLIB_LOCALE", "en")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["planlib", *arguments])
        try:
            cli.main()
            status = 0
        except SystemExit as ended:
            status = ended.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return call
