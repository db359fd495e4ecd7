"""Write docs/tensions.md: how each of the 80 places surfaces. `python -m tests.consistency.make_tensions_page`."""

from __future__ import annotations

from pathlib import Path

import yaml

from planlib.consistency.check import check
from planlib.consistency.finding import Finding
from planlib.consistency.view import View
from planlib.core.words import words
from planlib.plan import load_benchmarks, load_plan
from tests.consistency.tensions import RULE_OF

ROOT = Path(__file__).parents[2]
LISTED = ROOT.parent / "shared" / "requirements" / "tensions.yaml"
PAGE = ROOT / "docs" / "tensions.md"
FITTING = {
    "contradiction": ("contradiction",),
    "strain": ("strain", "contradiction"),
    "definition": ("question", "strain"),
    "gap": ("question",),
}

_HEAD = """# How the 80 listed places surface

Two source documents, 80 places where their figures strain or contradict each other. Each is found from the shipped
plan files and benchmarks by a general rule (`planlib/consistency/rules/`); no rule knows an entry. The last column is
the finding, or findings, that overlap most with the entry's figures, as `planlib check params/wechat_platform.yaml
params/private_domain_2026.yaml --all --locale en` prints it.

| entry | listed as | rule | found as | finding |
|---|---|---|---|---|
"""


def listed() -> list[dict]:
    """Return the listed places: id, type, facts."""
    return yaml.safe_load(LISTED.read_text(encoding="utf-8"))


def findings() -> tuple[Finding, ...]:
    """Return what the check finds over both plans and the benchmarks."""
    params = ROOT / "params"
    plans = [load_plan(params / f"{name}.yaml") for name in ("wechat_platform", "private_domain_2026")]
    return check(View(plans, load_benchmarks(params / "benchmarks.yaml"))).open


def surfaces(entry: dict, found: tuple[Finding, ...]) -> list[Finding]:
    """Return the findings of the entry's rule, at a fitting level, that overlap most with its facts."""
    facts, levels = set(entry["facts"]), FITTING[entry["type"]]
    fitting = [f for f in found if f.rule == RULE_OF[entry["id"]] and f.level in levels and facts & set(f.statements)]
    most = max((_overlap(facts, finding) for finding in fitting), default=0.0)
    return [finding for finding in fitting if _overlap(facts, finding) == most]


def _overlap(facts: set[str], finding: Finding) -> float:
    named = {statement for statement in finding.statements if "." not in statement}  # others are places of a plan
    return len(facts & named) / len(facts | named)


def page() -> str:
    """Return the page."""
    found, w, rows = findings(), words("en"), []
    for entry in listed():
        best = surfaces(entry, found)
        level = best[0].level if best else "not found"
        told = "<br>".join(finding.sentence(w).replace("|", "/") for finding in best)
        rows.append(f"| {entry['id']} | {entry['type']} | {RULE_OF[entry['id']]} | {level} | {told} |")
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
