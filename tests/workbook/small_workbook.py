"""A tiny workbook for tests: notebooks of a cell or two that need nothing but the standard library."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml

PARAMETERS = 'plan_file = ""\nout_dir = ""\nlocale = "zh"\nseed = 0'

_RECORD = """
import json, pathlib
folder = pathlib.Path(out_dir, {id!r})
folder.mkdir(parents=True, exist_ok=True)
record = dict.fromkeys(("metrics", "checks", "findings", "tables", "charts", "pages"), [])
record |= dict(schema=1, notebook={id!r}, seed=seed, as_of="2027-01-01", inputs={inputs}, decision=None)
record |= dict(plan=json.loads(pathlib.Path(plan_file).read_text(encoding="utf-8")), versions={{}})
(folder / "results.json").write_text(json.dumps(record), encoding="utf-8")
"""


@dataclass
class SmallPlan:
    """What the runner needs of a plan."""

    id: str = "small"
    seed: int = 7
    content: dict = field(default_factory=dict)
    data_root: str = "data/"

    def resolved_json(self) -> str:
        return json.dumps({"id": self.id, "seed": self.seed, **self.content}, sort_keys=True)

    def origin(self) -> dict:
        return {"file": "params/small.yaml"}

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.resolved_json().encode()).hexdigest()


def write_notebook(
    root: Path,
    notebook_id: str,
    code: str = "",
    *,
    parameters: str | None = PARAMETERS,
    inputs: str = "[]",
    records: bool = True,
    after: str = "",
) -> Path:
    """Write a notebook: parameters, a cell of `code`, the record, a cell of `after`."""
    sources = [] if parameters is None else [parameters]
    sources += [code] if code else []
    sources += [_RECORD.format(id=notebook_id, inputs=inputs)] if records else []
    sources += [after] if after else []
    cells = [_cell(index, source) for index, source in enumerate(sources)]
    if parameters is not None:
        cells[0]["metadata"]["tags"] = ["parameters"]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = root / "notebooks" / f"{notebook_id}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def write_workbook(root: Path, needs: dict[str, list[str]], *, seconds: dict[str, float] | None = None) -> None:
    """Write notebooks/workbook.yaml; a notebook that has no file yet gets one that only records."""
    rows = []
    for notebook_id, needed in needs.items():
        row = {"id": notebook_id, "title": _both(notebook_id), "question": _both("?"), "needs": needed}
        if seconds and notebook_id in seconds:
            row["timeout_seconds"] = seconds[notebook_id]
        rows.append(row)
        if not (root / "notebooks" / f"{notebook_id}.ipynb").exists():
            write_notebook(root, notebook_id)
    text = yaml.safe_dump({"notebooks": rows}, allow_unicode=True, sort_keys=False)
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    (root / "notebooks" / "workbook.yaml").write_text(text, encoding="utf-8")


def _cell(index: int, source: str) -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"cell-{index}",
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def _both(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}
