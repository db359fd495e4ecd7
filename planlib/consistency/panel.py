"""The contradictions of a plan as rows: which are open, which its owner has settled, and why."""

from __future__ import annotations

from typing import Any

from planlib.consistency.check import check
from planlib.consistency.finding import CONTRADICTION, Finding
from planlib.consistency.view import View
from planlib.core.words import LOCALES, words
from planlib.plan import Plan

PANEL_COLUMNS = ("status", "id", "sentence_zh", "sentence_en", "sections", "reason", "owner")


def panel_rows(plan: Plan) -> list[dict[str, Any]]:
    """Return every contradiction as a row of PANEL_COLUMNS, the open ones first.

    What rests on cases and sector figures is no contradiction, so the plan alone is read.
    """
    checked = check(View([plan]))
    settled = {decision.finding: decision for decision in plan.decisions}
    opened = [_row("open", finding) for finding in checked.of(CONTRADICTION)]
    accepted = [
        _row("accepted", finding) | {"reason": settled[finding.id].reason, "owner": settled[finding.id].owner}
        for finding in checked.accepted
        if finding.level == CONTRADICTION
    ]
    return opened + accepted


def _row(status: str, finding: Finding) -> dict[str, Any]:
    said = {f"sentence_{locale}": finding.sentence(words(locale)) for locale in LOCALES}
    sections = ", ".join(dict.fromkeys(finding.sections))
    return {"status": status, "id": finding.id, **said, "sections": sections, "reason": "", "owner": ""}
