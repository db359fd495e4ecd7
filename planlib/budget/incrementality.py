"""What a budget really adds: hold-outs, difference in differences, synthetic control, and what it takes elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect with its interval.

    Attributes:
        value: in the unit of the outcome (or a share, for cannibalisation).
        interval: of it.
        se: standard error; None where the interval does not rest on one.
        method: holdout, difference_in_differences, synthetic_control or ratio.
    """

    value: float
    interval: Interval
    se: float | None
    method: str


def holdout(treated: object, control: object, *, level: float = 0.95) -> Effect:
    """Return the mean outcome of all who were assigned to be treated above that of the hold-out (Welch).

    By assignment, whether reached or not: comparing those reached with the rest would compare different people.

    Args:
        treated, control: (n,), (m,) outcomes of each person, zeros included; at least two each.
    """
    guard = Guard()
    a, b = (guard.numbers(name, v, ndim=(1,)) for name, v in (("treated", treated), ("control", control)))
    for name, values in (("treated", a), ("control", b)):
        if values.size < 2:
            guard.add("too_few_points", name, values.size, needed=2)
    guard.done()
    parts = [values.var(ddof=1) / len(values) for values in (a, b)]
    se = float(np.sqrt(sum(parts)))
    df = sum(parts) ** 2 / max(sum(p**2 / (len(v) - 1) for p, v in zip(parts, (a, b), strict=True)), 1e-300)
    return _around(float(a.mean() - b.mean()), se, df, level, "holdout")


def difference_in_differences(panel: object, treated: object, after: object, *, level: float = 0.95) -> Effect:
    """Return the treated units' change above the others' change, with errors over units.

    Each unit counts with the difference of its means after and before, so that correlation inside a unit does not
    make the interval too narrow (Bertrand, Duflo & Mullainathan 2004).

    Args:
        panel: (U, T) outcomes of units, e.g. cities by week.
        treated: (U,) True for treated units; at least two on each side.
        after: (T,) True from the start of the treatment.
    """
    y, group, late = _panel(panel, treated, after)
    change = y[:, late].mean(axis=1) - y[:, ~late].mean(axis=1)
    found = holdout(change[group], change[~group], level=level)
    return Effect(found.value, found.interval, found.se, "difference_in_differences")


def synthetic_control(panel: object, treated: int, after: object, *, level: float = 0.9) -> Effect:
    """Return the treated unit's mean gap to a weighted mean of the others that tracked it before (Abadie et al. 2010).

    The interval is the range of effects that placebo treatments of the other units do not contradict: each of them
    is treated in turn, and its gap, relative to how well it was tracked before, shows what chance alone makes.

    Args:
        panel: (U, T) outcomes, at least four units.
        treated: place of the treated unit.
        after: (T,) True from the start of the treatment.
        level: of the interval; no finer than the number of units allows.
    """
    guard = Guard()
    y = guard.numbers("panel", panel, ndim=(2,))
    unit = guard.whole("treated", treated, low=0, high=max(len(y) - 1, 0))
    if len(y) < 4:
        guard.add("too_few_points", "panel", len(y), needed=4)
    guard.done()
    mask = np.zeros(len(y), dtype=bool)
    mask[unit] = True
    _, _, late = _panel(y, mask, after, least=1)
    gaps, fits = zip(*(_gap(y, u, late, leave_out=unit if u != unit else None) for u in range(len(y))), strict=True)
    gap, fit = np.array(gaps), np.maximum(np.array(fits), 1e-12)
    others = np.arange(len(y)) != unit
    spread = np.quantile(np.abs(gap[others]) / fit[others], level, method="higher") * fit[unit]
    value = float(gap[unit])
    return Effect(value, Interval(value - float(spread), value + float(spread), level), None, "synthetic_control")


def _gap(y: np.ndarray, unit: int, late: np.ndarray, leave_out: int | None) -> tuple[float, float]:
    """Mean gap after the start, and root mean square gap before it."""
    from scipy.optimize import nnls

    donors = [u for u in range(len(y)) if u not in (unit, leave_out)]
    before, wanted = y[donors][:, ~late].T, y[unit][~late]
    heavy = 1e3 * max(float(np.abs(before).max()), 1e-12)  # makes the weights sum to 1
    weights = nnls(np.vstack([before, np.full((1, len(donors)), heavy)]), np.append(wanted, heavy))[0]
    weights /= weights.sum()
    off = y[unit] - weights @ y[donors]
    return float(off[late].mean()), float(np.sqrt((off[~late] ** 2).mean()))


def cannibalisation(gained: Effect, elsewhere: Effect, *, draws: int = 20_000, rng: np.random.Generator) -> Effect:
    """Return the share of a channel's gain that is taken from elsewhere: -(effect elsewhere) / gain.

    Both effects are independent estimates with standard errors; the interval comes from their draws.

    Args:
        gained: effect on the private domain, clearly above 0 (else there is no share to speak of).
        elsewhere: effect of the same treatment on the other channels.

    Raises:
        InputError: the gain's interval holds 0, or an effect has no standard error.
    """
    guard = Guard()
    for name, effect in (("gained", gained), ("elsewhere", elsewhere)):
        if effect.se is None:
            guard.add("missing", f"{name}.se")
    if gained.interval.low <= 0:
        guard.add("above", "gained.interval.low", gained.interval.low, low=0)
    guard.done()
    top = rng.normal(elsewhere.value, elsewhere.se, draws)
    ratio = -top / rng.normal(gained.value, gained.se, draws)
    level = gained.interval.level
    low, high = np.quantile(ratio, [(1 - level) / 2, (1 + level) / 2])
    return Effect(-elsewhere.value / gained.value, Interval(float(low), float(high), level), None, "ratio")


def _panel(panel: object, treated: object, after: object, least: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    guard = Guard()
    y = guard.numbers("panel", panel, ndim=(2,))
    group, late = np.asarray(treated), np.asarray(after)
    for name, mask, length in (("treated", group, y.shape[0]), ("after", late, y.shape[-1])):
        if mask.dtype != bool or mask.shape != (length,):
            guard.add("shape", name, f"{mask.dtype} {mask.shape}", expected=f"true or false, ({length},)")
    guard.done()
    for name, mask, needed in (("treated", group, least), ("after", late, 1)):
        if min(mask.sum(), (~mask).sum()) < needed:
            guard.add("too_few_points", name, int(min(mask.sum(), (~mask).sum())), needed=needed)
    guard.done()
    return y, group, late


def _around(value: float, se: float, df: float, level: float, method: str) -> Effect:
    from scipy.special import stdtrit

    half = float(stdtrit(df, (1 + level) / 2)) * se
    return Effect(value, Interval(value - half, value + half, level), se, method)
