"""What a plan's `report.brand` puts on every page of its decks: logo, accent colour, classification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.plan import logo
from planlib.report.deck_tables import glue
from planlib.report.typeset import fit

if TYPE_CHECKING:
    from planlib.report.deck_pages import Run

LOGO_HEIGHT, LOGO_WIDTH = 24.0, 132.0  # points at most
LINE_WIDTH = 300.0
_FOLDER = "brand"


def look(run: Run, words: Words) -> dict[str, Any]:
    """Return accent, classification and the place of the logo, as deck.typ takes them.

    Raises:
        InputError: the classification is too long for its line.
    """
    said = run.plan.get("classification")
    line = glue(" ".join(words.pick(said).split()), words.locale) if said else ""
    if line and fit(line, [(9.0, LINE_WIDTH, 1)], weight="Medium", locale=words.locale) is None:
        where = "report.brand.classification"
        raise InputError(Problem("text_too_long", field=where, given=line, values={"page": where}))
    name = run.plan.get("look", {}).get("logo")
    picture = None
    if name is not None:
        found = logo.read(_logo(run).parent, _logo(run).name)
        width = min(LOGO_WIDTH, LOGO_HEIGHT * found.ratio)
        picture = {"file": f"{_FOLDER}/logo.{found.kind}", "width": width, "height": width / found.ratio}
    return {"accent": run.plan.get("look", {}).get("accent"), "classification": line, "logo": picture}


def logo_files(run: Run) -> dict[str, Path]:
    """Return the logo's name in the deck and its file; nothing without a logo."""
    if "logo" not in run.plan.get("look", {}):
        return {}
    found = logo.read(_logo(run).parent, _logo(run).name)
    return {f"{_FOLDER}/logo.{found.kind}": _logo(run)}


def _logo(run: Run) -> Path:
    """Return the logo that the run's notebooks kept."""
    kept = (run.folder / name / _FOLDER / "logo" for name in run.results)
    return next((path for path in kept if path.is_file()), run.folder / _FOLDER / "logo")
