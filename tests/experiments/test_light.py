"""Importing the room loads no statistics package, data frame or plot library."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(find_spec("planlib.experiments").origin).parent
HEAVY = {"scipy.stats", "statsmodels", "pandas", "matplotlib", "duckdb"}


def test_the_room_is_light_to_import():
    names = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
    imports = "; ".join(f"import planlib.experiments.{name}" for name in names)
    code = f"import sys; {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.split())
    assert {f"planlib.experiments.{name}" for name in names} <= loaded
    assert loaded & HEAVY == set()
