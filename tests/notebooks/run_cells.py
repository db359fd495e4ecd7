"""Run a notebook's code cells in this process, as a kernel would, without one.

    python run_cells.py NOTEBOOK LOCALE PLAN OUT [LOCALE PLAN OUT ...]

Several runs share one start of the interpreter. Meant as a child process: `planlib.workbook.start` changes the
working directory.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path


def run(path: Path, parameters: dict[str, object]) -> None:
    """Run every code cell in one namespace; the value of a last expression is made into text as a display would."""
    namespace: dict[str, object] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), namespace)
        if "parameters" in cell["metadata"].get("tags", ()):
            namespace |= parameters
        if last is not None:
            repr(eval(compile(ast.Expression(last.value), path.name, "eval"), namespace))


if __name__ == "__main__":
    notebook = Path(sys.argv[1]).resolve()
    given = sys.argv[2:]
    for locale, plan, out in zip(given[::3], given[1::3], given[2::3], strict=True):
        run(notebook, {"plan_file": plan, "out_dir": out, "locale": locale})
