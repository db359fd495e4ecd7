"""Imports point one way, rooms stay pure, and `planlib check` stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "planlib"
ROOMS = {"baseline", "funnel", "budget", "experiments", "milestones", "customers", "outlook", "review"}
UPPER = {"plan", "consistency", "data", "exchange", "report", "workbook"}

# what each part may import; consistency imports rooms only inside functions
ALLOWED = {room: {"core"} for room in ROOMS} | {
    "core": set(),
    "outlook": {"core"} | ROOMS,
    "review": {"core", "milestones.progress"},
    "plan": {"core", "data.schema"},
    "consistency": {"core", "plan"} | ROOMS,
    "data": {"core", "plan"},
    "exchange": {"core", "plan"},
    "report": {"core", "plan"},
    "workbook": {"core", "plan", "data", "exchange", "report"},
    "": {"core", "cli"} | ROOMS | UPPER,  # cli.py, __main__.py that starts it, and what else lies in planlib/ itself
}
# calculation sees no files, clock, plots, words or global random state
IMPURE = {"matplotlib", "os", "pathlib", "io", "time", "random", "yaml", "duckdb", "sqlite3", "planlib.core.words"}
HEAVY = {"pandas", "matplotlib", "papermill", "statsmodels", "scipy", "ortools", "duckdb", "IPython", "typst"}


class Import(NamedTuple):
    """One import: the module named, and whether it stands inside a function."""

    module: str
    lazy: bool
    line: int


def imports_of(source: str, package: str) -> Iterator[Import]:
    """Yield the imports of a module's text.

    Args:
        source: text of the module.
        package: dotted name of the package that the module lies in.

    >>> [i.module for i in imports_of("from ..core import words", "planlib.plan")]
    ['planlib.core.words']
    """
    tree = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, functions) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(name, id(node) in lazy, node.lineno) for name in names)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The part of planlib a module belongs to; empty for planlib/ itself."""
    inside = path.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else ""


def complaints(source: str, part: str) -> list[str]:
    """Say which imports of a module of `part` point the wrong way."""
    package = f"planlib.{part}" if part else "planlib"
    found = []
    for module, lazy, line in imports_of(source, package):
        names = module.split(".")
        if names[0] != "planlib":
            continue
        target = names[1] if len(names) > 1 else ""
        allowed = target == part or target not in {"core"} | ROOMS | UPPER | {"cli"}
        allowed |= any(f"{module}.".startswith(f"planlib.{name}.") for name in ALLOWED[part])
        if part == "consistency" and target in ROOMS and not lazy:
            allowed = False
        if not allowed:
            found.append(f"line {line}: {part or 'planlib'} imports {module}")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path):
    assert complaints(path.read_text(encoding="utf-8"), part_of(path)) == []


@pytest.mark.parametrize(
    "source, part, wrong",
    [
        ("import planlib.plan", "core", True),
        ("from planlib.funnel import users", "budget", True),
        ("def f():\n    from planlib.workbook import context", "report", True),
        ("from planlib import cli", "workbook", True),
        ("from planlib.milestones.progress import late", "review", False),
        ("from planlib.milestones.calendar import late", "review", True),
        ("from planlib.funnel import users", "consistency", True),
        ("def f():\n    from planlib.funnel import users", "consistency", False),
        ("from . import errors\nimport numpy", "core", False),
        ("from ..plan import load", "core", True),
    ],
)
def test_the_rule_sees_what_it_should(source, part, wrong):
    assert bool(complaints(source, part)) is wrong


def test_every_part_has_a_rule():
    parts = {part_of(path) for path in modules()}
    assert parts <= set(ALLOWED), "say in ALLOWED what the new part may import"


@pytest.mark.parametrize(
    "path", [p for p in modules() if part_of(p) in ROOMS], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_rooms_are_pure(path):
    found = {
        i.module
        for i in imports_of(path.read_text(encoding="utf-8"), f"planlib.{part_of(path)}")
        if i.module.split(".")[0] in IMPURE or any(f"{i.module}.".startswith(f"{bad}.") for bad in IMPURE)
    }
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "import planlib.cli",
        "import sys; sys.argv = ['planlib', 'check', 'params/wechat_platform.yaml']\n"
        "from planlib.cli import main\n"
        "try:\n    sys.exit(main())\nexcept SystemExit as end:\n    assert end.code in (0, 1, None), end.code",
    ],
    ids=["import", "check"],
)
def test_check_stays_light(code):
    ask = f"{code}\nimport sys; print('HEAVY', sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"
