"""A read-out as a PDF of the deck's own pages: the effects with their intervals, then what they rest on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from planlib.core import results
from planlib.core.words import LOCALES, Words
from planlib.experiments.readout import guardrail_state
from planlib.experiments.result import Result
from planlib.experiments.trial import ReadOut
from planlib.plan.registration import Deviation
from planlib.readout_screen import departure_lines, effect_cells, health_lines, lines, verdict

NAME = "readout"
_TONES = {"up": 1, "down": -1, "kept": 1, "broken": -1}


def write_pdf(
    found: ReadOut, source: str, path: str | Path, w: Words, *, departures: Sequence[Deviation] | None = None
) -> Path:
    """Write a read-out as a PDF in one language and return its path.

    Args:
        found: the read-out.
        source: the table's file; with the day on which it was last changed, or its last day of assignment.
        path: of the PDF; one that is there already is replaced.
        w: the language.
        departures: from the registration; None when none was named.

    Raises:
        InputError: a name in the table holds a character that the deck's fonts lack, or is too long for a page.
    """
    import pandas as pd

    from planlib.report.charts.base import save_svg
    from planlib.report.charts.readout import intervals
    from planlib.report.deck import make_decks

    said = () if departures is None else departure_lines(departures, w)
    with TemporaryDirectory(prefix="planlib_readout_") as folder:
        own = Path(folder) / NAME
        chart = f"charts/effects.{w.locale}.svg"
        save_svg(intervals(list(_rows(found, w)), w), own / chart)
        results.write_table(own / "tables" / "grounds.parquet", pd.DataFrame({"line": [*_grounds(found, w), *said]}))
        results.write(own / "results.json", _results(found, source, chart, w))
        (made,) = make_decks(folder, locales=[w.locale], notebooks=[NAME], out_dir=Path(folder) / "decks")
        results.write_whole(path, made.read_bytes())
    return Path(path)


def _rows(found: ReadOut, w: Words) -> Iterator[Any]:
    """Yield the chart's rows: primary, guardrails, other metrics."""
    higher = {one.name: one.higher_is_better for one in found.question.metrics}
    for one in found.primary:
        yield _row(found, one, one.difference, one.deciding or one.difference.interval, higher[one.metric], strong=True)
    for one in found.guardrails:
        yield _row(found, one, one.result, one.result.interval, one.result.detail.get("margin", 0.0) < 0, guard=True)
    for one in found.secondary:
        yield _row(found, one, one.difference, one.difference.interval, higher[one.metric])


def _row(
    found: ReadOut, one: Any, row: Result, band: Any, higher_is_better: bool, *, strong: bool = False,
    guard: bool = False,
) -> Any:  # fmt: skip
    from planlib.report.charts.readout import EffectRow, drawn

    unit = "ratio" if one.kind == "share" else "value"
    state = "unknown" if band is None else "up" if band.low > 0 else "down" if band.high < 0 else "open"
    if guard and band is not None:
        state = {"cleared": "kept", "broken": "broken", "open": "unsure"}[guardrail_state(row)]
    if found.decision.id == "invalid":
        state = "void"
    tone = _TONES.get(state, 0) * (1 if higher_is_better or state in ("kept", "broken") else -1)
    name = one.metric if len(found.arms) == 2 else f"{one.metric} · {one.treatment}"
    ends = (None, None) if band is None else (drawn(float(band.low), unit), drawn(float(band.high), unit))
    return EffectRow(
        dict.fromkeys(LOCALES, name), unit, row.control, row.treatment, drawn(row.estimate, unit), *ends,
        drawn(row.detail.get("margin"), unit) if guard else None, f"readout.verdict.{state}", tone, strong,
    )  # fmt: skip


def _grounds(found: ReadOut, w: Words) -> Iterator[str]:
    """Yield what the second page lists: people and method of each effect, health, what follows."""
    for one in (*found.primary, *found.secondary):
        metric, arm, people, *_, lift, p, method = effect_cells(one, 1 - found.question.alpha, w)
        told = {"metric": metric, "arm": arm, "people": people, "lift": lift, "p": p, "method": method}
        yield w.text("readout_screen.pdf.row", **told)
    yield from health_lines(found, w)
    shown = list(lines(found, w))
    heads = [at for at, line in enumerate(shown) if not line]
    yield from (line.strip() for line in shown[heads[-1] + 1 :] if len(heads) > 2)


def _results(found: ReadOut, source: str, chart: str, w: Words) -> dict[str, Any]:
    """The record of one run that has a single notebook, as the deck reads it."""
    days = [one.days[-1] for one in found.courses]
    as_of = max(days) if days else _changed_on(source)
    headline, *_ = shown = list(lines(found, w))
    file = Path(source).name
    page = {"section": "readout_screen.pdf.section", "source": _said(file), "reading": None}
    first = page | {
        "id": "effects", "layout": "chart", "title": _said(headline.rstrip(".。")), "subtitle": _said(shown[1]),
        "chart": "effects", "table": None,
    }  # fmt: skip
    column = {"name": "line", "head": "readout_screen.pdf.line", "kind": "text"}
    second = page | {
        "id": "grounds", "layout": "table", "title": {"text": "readout_screen.pdf.grounds", "values": {}},
        "subtitle": {"text": "readout_screen.pdf.subtitle", "values": {}}, "chart": None,
        "table": {"id": "grounds", "columns": [column]},
    }  # fmt: skip
    return {
        "schema": results.SCHEMA,
        "notebook": NAME,
        "seed": 0,
        "as_of": as_of,
        "plan": {"id": NAME, "title": dict.fromkeys(LOCALES, file), "file": file, "start": as_of[:7], "months": 1},
        "inputs": [],
        "metrics": [],
        "checks": [],
        "findings": [],
        "tables": [{"id": "grounds", "file": "tables/grounds.parquet", "units": {"line": "text"}}],
        "charts": [{"id": "effects", "files": {w.locale: chart}, "alt": _said(verdict(found, w))}],
        "pages": [first, second],
        "decision": {"id": found.decision.id, "reasons": list(found.decision.reasons)},
        "versions": {},
    }


def _changed_on(source: str) -> str:
    return dt.datetime.fromtimestamp(Path(source).stat().st_mtime, tz=dt.UTC).date().isoformat()


def _said(text: str) -> dict[str, Any]:
    return {"text": "deck.as_written", "values": {"text": {"bilingual": dict.fromkeys(LOCALES, text)}}}
