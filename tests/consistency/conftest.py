"""Tiny plans that tests change line by line, and the shipped ones with their benchmarks."""

from pathlib import Path

import pytest
import yaml

from planlib.consistency.view import View
from planlib.plan import load_benchmarks, load_plan

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tiny(tmp_path):
    """Return a function: changes by dotted path to tests/plan/minimal.yaml -> plan; `id` names it."""

    def make(id="minimal", **changes):
        content = yaml.safe_load((ROOT / "tests/plan/minimal.yaml").read_text(encoding="utf-8"))
        content["plan"]["id"] = id
        content.pop("scenarios")
        for path, value in changes.items():
            *steps, last = path.split("__")
            place = content
            for step in steps:
                place = place.setdefault(step, {})
            place[last] = value
        file = tmp_path / f"{id}.yaml"
        file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return load_plan(file)

    return make


@pytest.fixture
def cases(tmp_path):
    """Return a function: rows by list name -> benchmarks."""

    def make(**rows):
        named = {name: [{"source": "W1.1"} | row for row in found] for name, found in rows.items()}
        file = tmp_path / "benchmarks.yaml"
        file.write_text(yaml.safe_dump(named, allow_unicode=True), encoding="utf-8")
        return load_benchmarks(file)

    return make


@pytest.fixture(scope="session")
def shipped():
    """Return the view over both shipped plans and the benchmarks."""
    plans = [load_plan(ROOT / "params" / name) for name in ("wechat_platform.yaml", "private_domain_2026.yaml")]
    return View(plans, load_benchmarks(ROOT / "params/benchmarks.yaml"))


@pytest.fixture(scope="session")
def figures():
    """Return a function: finding -> all its numbers by name."""

    def of(finding):
        return {name: figure.value for name, figure in finding.figures.items()} | dict(finding.extra)

    return of
