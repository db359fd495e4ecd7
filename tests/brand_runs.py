"""Runs of invented brands as notebooks leave them, with nothing but what a portfolio and a message read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from planlib.core import results as res


def goal(name: str, probability: float | None, *, median: float = 1000.0, unit: str = "users", cause: str = "budget"):
    """A row of the joint simulation's targets."""
    return {
        "target_zh": f"目标 {name}", "target_en": f"target {name}", "median": median, "unit": unit,
        "probability": probability, "cause": cause,
    }  # fmt: skip


def alert(series: str, raised: str, state: str = "open", direction: str = "falls"):
    """A row of a review's alerts."""
    return {"series": series, "raised": raised, "state": state, "direction": direction}


def write_run(
    folder: Path,
    plan_id: str,
    *,
    title: dict[str, str] | None = None,
    goals: list[dict] = (),
    alerts: list[dict] | None = None,
    budget: float | None = None,
    data_until: str | None = None,
    as_of: str = "2027-03-31",
    sample: bool = False,
) -> Path:
    """Write a run's folder and return it."""
    plan = {
        "id": plan_id, "title": title or {"zh": f"品牌 {plan_id}", "en": f"Brand {plan_id}"}, "file": f"{plan_id}.yaml",
        "sha256": "0" * 64, "start": "2027-01", "months": 24, "classification": None, "owner": None,
    }  # fmt: skip

    def notebook(name: str, metrics: dict, tables: dict, *, inputs: bool) -> None:
        own = folder / name
        for table_id, rows in tables.items():
            res.write_table(own / "tables" / f"{table_id}.parquet", pd.DataFrame(rows))
        content = {key: [] for key in ("checks", "findings", "charts", "pages")}
        content |= {"schema": res.SCHEMA, "notebook": name, "seed": 1, "as_of": as_of, "plan": plan, "decision": None}
        content |= {"versions": {}, "inputs": [{"file": "x", "sha256": "0", "rows": 1}] if inputs else []}
        content["metrics"] = [
            {"id": key, "value": value, "unit": "count", "method": "m", "metric": None, "month": None, "interval": None,
             "n": None, "reason": None}
            for key, value in metrics.items()
        ]  # fmt: skip
        content["tables"] = [{"id": key, "file": f"tables/{key}.parquet", "units": {}} for key in tables]
        res.write(own / "results.json", content | ({"sample": True} if sample else {}))

    chances = {f"p_target_{k}": row["probability"] or 0.0 for k, row in enumerate(goals)} | {"p_target_together": 0.0}
    notebook("70_outlook", chances, {"chances": goals} if goals else {}, inputs=False)
    if budget is not None:
        notebook("30_budget_allocation", {"total_year": budget}, {}, inputs=False)
    if alerts is not None:
        notebook("80_review", {}, {"alerts": alerts} if alerts else {}, inputs=True)
    if data_until is not None:
        notebook("10_baseline", {}, {"all_tables": [{"last": None}, {"last": data_until}]}, inputs=True)
    (folder / "manifest.json").write_text(json.dumps({"run_id": folder.name, "steps": [], "plan": plan}), "utf-8")
    return folder
