"""Draws the pictures of the guides from two finished runs: python docs/guides/pictures.py RUN_OF_W RUN_OF_SAMPLE_BRAND

A run is a folder such as outputs/wechat_platform/<run>. Each picture is a page of the deck (or of the plan document) as
a PNG of few colours, well under 150 kB.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from planlib.core.words import LOCALES
from planlib.report import deck, document
from planlib.report.deck_pages import Run

FOLDER = Path(__file__).parent / "images"
WIDTH, COLOURS = 1100, 48
PAGES = {
    "summary": (0, "summary"),
    "users": (0, "20_funnel_targets.users_forecast"),
    "levers": (0, "20_funnel_targets.users_levers"),
    "budget": (0, "30_budget_allocation.budget_moves"),
    "repairs": (0, "70_outlook.outlook_recovery"),
    "gates": (0, "50_milestone_plan.gates"),
    "lists": (1, "60_customer_value.customer_lists"),
    "quality": (1, "10_baseline.baseline_quality"),
}
DOCUMENT_PAGE = 2  # the summary


def main(run_of_w: str, run_of_sample: str) -> None:
    """Write every picture in both languages."""
    runs = [deck.read_run(folder) for folder in (run_of_w, run_of_sample)]
    for locale in LOCALES:
        for name, (which, page) in PAGES.items():
            made = deck.build_deck(runs[which], locale, pages=[page])
            keep(f"{name}.{locale}.png", deck.compiled(deck.sources(made), pdf=False)[0])
        keep(f"document.{locale}.png", document_page(runs[0], locale), width=WIDTH // 2)


def document_page(run: Run, locale: str) -> bytes:
    """Return the summary of the plan document as a PNG."""
    made = document.build_document(run, locale)
    return deck.compiled(document.sources(made), pdf=False)[DOCUMENT_PAGE - 1]


def keep(name: str, png: bytes, *, width: int = WIDTH) -> None:
    """Write a picture smaller and in few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    height = round(picture.height * width / picture.width)
    small = picture.resize((width, height), Image.Resampling.LANCZOS).quantize(COLOURS)
    FOLDER.mkdir(exist_ok=True)
    small.save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
