"""Run notebooks again and keep of their outputs only what tests compare.

    python tests/notebooks/refresh.py [ID ...]      without ids: every notebook of the workbook

A notebook runs with the parameters it is committed with. Cells marked `# NBVAL_CHECK_OUTPUT` keep what they show;
all other outputs, counters and traces of the kernel go. The file is written with one space of indentation and a
final line feed, so that a second run changes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
CHECKED = "NBVAL_CHECK_OUTPUT"
KEPT_COUNT = 1  # nbval takes a cell without a counter for one that never ran
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what a run leaves behind, except the outputs of cells that tests compare."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if cell.cell_type == "code":
            kept = CHECKED in cell.source
            cell.execution_count = KEPT_COUNT if kept else None
            cell.outputs = [_plain(output) for output in cell.outputs] if kept else []
    return notebook


def _plain(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    if "execution_count" in output:
        output.execution_count = KEPT_COUNT
    if output.output_type in ("execute_result", "display_data"):
        output["metadata"] = {}
    return output


def text_of(notebook: nbformat.NotebookNode) -> str:
    """Return the file's text."""
    return nbformat.writes(notebook, indent=1) + "\n"


def refresh(path: Path) -> bool:
    """Run and strip one notebook; return whether its file changed.

    Raises:
        CellExecutionError: a cell failed; the file stays as it was.
    """
    from nbclient import NotebookClient

    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    after = text_of(strip(notebook))
    if after != before:
        path.write_text(after, encoding="utf-8", newline="\n")
    return after != before


def main(ids: list[str]) -> None:
    from planlib.workbook.graph import read_graph

    graph = read_graph(ROOT)
    for notebook_id in ids or graph.ids:
        changed = refresh(graph[notebook_id].path)
        print(f"{notebook_id}: {'changed' if changed else 'as it was'}")


if __name__ == "__main__":
    main(sys.argv[1:])
