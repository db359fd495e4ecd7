"""Response curves of a case fitted to weeks of spend and outcomes, where the data tell them; else the plan's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planlib.budget.case import Case
from planlib.budget.response import Fit, fit_response
from planlib.core.errors import InputError

WEEKS_A_MONTH = 52 / 12
FITTED = "data"


@dataclass(frozen=True, eq=False)
class Refit:
    """What weeks of data say of one channel's curve.

    Attributes:
        channel: id.
        basis: data, or why the plan's curve is kept: a reason of `Fit`, or the code of what is wrong with the data.
        response: row (kind, ceiling, half_spend, shape) a month; the plan's where the basis is not the data.
        weeks: of data.
        fit: None without one.
    """

    channel: str
    basis: str
    response: tuple
    weeks: int
    fit: Fit | None = None


def refit(case: Case, spend: np.ndarray, outcome: np.ndarray) -> tuple[Refit, ...]:
    """Fit each channel's new users on its own spend: carry-over and a curve of the plan's kind.

    Users count for a channel when they come through its own links, so that no spend brings none; a level besides would
    trade off against the curve and leave both unknown.

    Args:
        case: the plan's.
        spend, outcome: (W, C) CNY and new users a week.
    """
    found = []
    for c, name in enumerate(case.channels):
        kind, _, _, shape = case.responses[c]
        kind = "michaelis_menten" if kind == "hill" and shape == 1 else kind
        weeks = len(spend)
        try:
            fit = fit_response(outcome[:, c], spend[:, [c]], [kind], controls=np.empty((weeks, 0)))
        except InputError as error:
            found.append(Refit(name, error.problems[0].code, case.responses[c], weeks))
            continue
        if not fit.identified[0] or kind not in ("hill", "michaelis_menten"):
            reason = fit.reason[0] or "other_kind"
            found.append(Refit(name, reason, case.responses[c], weeks, fit))
            continue
        half = float(fit.scale[0] * (1 - fit.decay[0])) * WEEKS_A_MONTH
        row = ("hill", float(fit.amount[0]) * WEEKS_A_MONTH, half, float(fit.shape[0]))
        found.append(Refit(name, FITTED, row, weeks, fit))
    return tuple(found)


def with_fits(case: Case, fits: Sequence[Refit]) -> Case:
    """Return the case with the curves that the data tell."""
    return replace(case, responses=tuple(fit.response for fit in fits)) if fits else case


def draws(
    fits: Sequence[Refit], ceiling: np.ndarray, half: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (D, C) factors on ceilings and half spends: of the fit where there is one, else those given."""
    top, middle = ceiling.copy(), half.copy()
    for c, found in enumerate(fits):
        if found.basis == FITTED:
            drawn = found.fit.draws(len(top), rng)
            top[:, c] = np.maximum(drawn["amount"][:, 0] / found.fit.amount[0], 1e-3)
            steady = drawn["scale"][:, 0] * (1 - drawn["decay"][:, 0])
            middle[:, c] = np.maximum(steady / (found.fit.scale[0] * (1 - found.fit.decay[0])), 1e-3)
    return top, middle
