"""What the budget notebook calculates with, taken out of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.words import LOCALES, words
from planlib.plan.load import Plan

_MONTHS = {"day": 12 / 365, "week": 12 / 52, "month": 1, "quarter": 3, "half_year": 6, "year": 12}


@dataclass(frozen=True, eq=False)
class BudgetInputs:
    """Args:
    ids: (K,) categories whose shares make up the whole budget.
    names: (K,) in both languages.
    bands: id -> (low, high).
    sources: (K,) sections.
    year_cny: budget of twelve months.
    horizon_cny: budget of the whole plan.
    weights: (T,) of the months, 1 on average over a year.
    """

    ids: tuple[str, ...]
    names: tuple[Mapping[str, str], ...]
    bands: Mapping[str, tuple[float, float]]
    sources: tuple[str, ...]
    year_cny: float
    horizon_cny: float
    weights: np.ndarray


def budget_inputs(plan: Plan) -> BudgetInputs:
    """Return the budget of a plan; a total without period is for the whole plan."""
    bands = {key: band for key, band in plan.budget.bands.items() if band.axis == "cost_type"}
    total = plan.budget.total
    months = _MONTHS[total.period] if total.period else plan.months
    first = int(plan.start[5:]) - 1
    season = np.array(plan.budget.seasonality or np.ones(12))
    weights = season[(first + np.arange(plan.months)) % 12] / season.mean()
    return BudgetInputs(
        ids=tuple(bands),
        names=tuple(category_name(key, band) for key, band in bands.items()),
        bands={key: band.between for key, band in bands.items()},
        sources=tuple(band.source for band in bands.values()),
        year_cny=total.central / months * 12,
        horizon_cny=total.central / months * plan.months,
        weights=weights,
    )


def category_name(key: str, band) -> dict[str, str]:
    """Return a category's name: the plan's own, else the usual one, else its id."""
    if band.name is not None:
        return band.name.model_dump()
    known = f"budget.category.{key}"
    return {locale: words(locale).text(known) if words(locale).has(known) else key for locale in LOCALES}


@dataclass(frozen=True, slots=True)
class AcquisitionInputs:
    """Args:
    intake: people a month once every channel is open.
    paid: of these, through paid channels.
    cac_cny: highest cost of a new user that the plan allows, and the section that says so.
    marketing: id of the category that pays for it.
    """

    intake: float
    paid: float
    cac_cny: float
    cac_source: str
    marketing: str


def acquisition_inputs(plan: Plan) -> AcquisitionInputs | None:
    """Return what acquisition may cost, or None when the plan states no cost cap or no marketing money."""
    rows = [channel for channel in plan.channels if channel.intake is not None]
    caps = [target for target in plan.targets if target.metric == "cac" and target.operation in ("at_most", "below")]
    if not rows or not caps or "marketing" not in plan.budget.bands:
        return None
    strictest = min(caps, key=lambda target: target.level)
    return AcquisitionInputs(
        intake=sum(channel.intake.central for channel in rows),
        paid=sum(channel.intake.central for channel in rows if channel.paid),
        cac_cny=float(strictest.level),
        cac_source=strictest.source,
        marketing="marketing",
    )
